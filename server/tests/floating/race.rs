//! Exactly as many seats as there are, whatever happens at the same time.

use crate::common::{Answer, HostProcess, Place, Shop, client, send};
use mintreu::activation::{Activation, Deactivation, Request, Wanted};
use mintreu::document::SigningKey;
use mintreu::license::Trust;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A device without an engine: a key, and whatever it wants to send.
#[derive(Clone)]
struct Bare {
    key: SigningKey,
    client: reqwest::Client,
}

fn bare(number: u16) -> Bare {
    let mut seed = [7; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    Bare {
        key: SigningKey::from_seed(&seed),
        client: client(number),
    }
}

impl Bare {
    fn name(&self) -> String {
        let kid = self.key.public().kid();
        kid.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn request(&self, shop: &Shop, nonce: u8) -> Vec<u8> {
        let request = Request {
            product: shop.license.product.clone(),
            issued_at: shop.license.issued_at,
            nonce: [nonce; 16],
            wanted: Wanted::License(shop.license.id),
            fingerprint: Default::default(),
            version: None,
            renews: None,
            lend_secs: None,
        };
        request.seal(&self.key).expect("seals")
    }

    async fn give_back(&self, shop: &Shop, base: &str, activation: &Activation) {
        let word = Deactivation {
            product: shop.license.product.clone(),
            issued_at: shop.license.issued_at,
            nonce: [1; 16],
            license: shop.license.id,
            activation: activation.id,
        };
        let word = word.seal(&self.key).expect("seals");
        let answer = send(&self.client, &format!("{base}/v1/deactivations"), word).await;
        assert_eq!(answer.expect("an answer").status, 204);
    }
}

/// All ask at once; the answers in their order, `None` from a host that went away.
async fn all_ask(
    devices: &[Bare],
    shop: &Shop,
    bases: &[String],
    nonce: u8,
) -> Vec<Option<Answer>> {
    all_ask_counted(devices, shop, bases, nonce, &Arc::default()).await
}

/// The same; `answered` rises with each answer that arrives.
async fn all_ask_counted(
    devices: &[Bare],
    shop: &Shop,
    bases: &[String],
    nonce: u8,
    answered: &Arc<AtomicUsize>,
) -> Vec<Option<Answer>> {
    let asking = devices.iter().enumerate().map(|(index, device)| {
        let url = format!("{}/v1/activations", bases[index % bases.len()]);
        let (client, body) = (device.client.clone(), device.request(shop, nonce));
        let answered = answered.clone();
        tokio::spawn(async move {
            let answer = send(&client, &url, body).await;
            answered.fetch_add(usize::from(answer.is_some()), Ordering::SeqCst);
            answer
        })
    });
    let mut answers = Vec::new();
    for asked in asking.collect::<Vec<_>>() {
        answers.push(asked.await.expect("no panic"));
    }
    answers
}

/// The seats that devices can show: activations that hold up to the root, by device.
fn shown(answers: &[Option<Answer>], trust: &Trust) -> BTreeMap<usize, Activation> {
    let answered = answers.iter().enumerate().filter_map(|(index, answer)| {
        let answer = answer.as_ref()?;
        match answer.status {
            200 => {
                let verified = Activation::verify(&answer.body, trust).expect("holds");
                Some((index, verified.claims().clone()))
            }
            409 => {
                assert_eq!(answer.code, "seats_exhausted");
                None
            }
            other => panic!("{other}: {answer:?}"),
        }
    });
    answered.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_n_of_sixty_four_win_and_a_kill_changes_nothing() {
    let shop = Shop::new(10);
    let place = Place::new(&shop);
    let host = place.start(&[]);
    let devices: Vec<Bare> = (0..64).map(bare).collect();
    let bases = [host.base.clone()];
    let won = shown(&all_ask(&devices, &shop, &bases, 1).await, &shop.trust());
    assert_eq!(won.len(), 10);
    host.kill();
    let host = place.start(&[]);
    let bases = [host.base.clone()];
    let again = shown(&all_ask(&devices, &shop, &bases, 1).await, &shop.trust());
    assert_eq!(again, won, "the same bytes, the same answers");
    let anew = shown(&all_ask(&devices, &shop, &bases, 2).await, &shop.trust());
    assert!(anew.keys().eq(won.keys()), "the same devices");
    assert_eq!(host.holders().await.len(), 10);
    host.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_is_kept() {
    let shop = Shop::new(20);
    let place = Place::new(&shop);
    let (mut cut_short, mut acknowledged) = (0, 0);
    for round in 0..6_u16 {
        // A fresh folder's worth of devices each time; the seats stay, so they are given back.
        let host = place.start(&[]);
        let devices: Vec<Bare> = (0..64).map(|n| bare(round * 64 + n)).collect();
        let bases = [host.base.clone()];
        let answered = Arc::default();
        let asking = all_ask_counted(&devices, &shop, &bases, 1, &answered);
        let killing = async {
            while answered.load(Ordering::SeqCst) < 2 + 3 * usize::from(round) {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            tokio::task::spawn_blocking(move || host.kill())
                .await
                .expect("no panic")
        };
        let (answers, _) = tokio::join!(asking, killing);
        cut_short += answers.iter().filter(|answer| answer.is_none()).count();
        let host = place.start(&[]);
        let holders = host.holders().await;
        let won = shown(&answers, &shop.trust());
        acknowledged += won.len();
        for index in won.keys() {
            assert!(
                holders.contains(&devices[*index].name()),
                "round {round}: a seat was lost"
            );
        }
        assert!(holders.len() <= 20, "round {round}: {}", holders.len());
        // Whoever was cut off asks again: the seats come to exactly twenty.
        let again = shown(
            &all_ask(&devices, &shop, std::slice::from_ref(&host.base), 1).await,
            &shop.trust(),
        );
        assert_eq!(again.len(), 20, "round {round}");
        for (index, activation) in &again {
            devices[*index]
                .give_back(&shop, &host.base, activation)
                .await;
        }
        assert!(host.holders().await.is_empty());
        host.kill();
    }
    println!("{acknowledged} acknowledged before a kill, {cut_short} cut short");
    assert!(
        cut_short > 0 && acknowledged > 50,
        "the kills came too early or too late"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_devices_over_many_rounds_never_hold_more() {
    let shop = Shop::new(7);
    let place = Place::new(&shop);
    let host = place.start(&["--seats", "5"]);
    let devices: Vec<Bare> = (0..50).map(bare).collect();
    let mut winners = BTreeMap::<usize, u32>::new();
    for round in 0..20 {
        let bases = [host.base.clone()];
        let won = shown(
            &all_ask(&devices, &shop, &bases, round).await,
            &shop.trust(),
        );
        assert_eq!(won.len(), 5, "round {round}");
        for (index, activation) in &won {
            *winners.entry(*index).or_default() += 1;
            devices[*index]
                .give_back(&shop, &host.base, activation)
                .await;
            // Once more changes nothing, whoever has the seat by then.
            devices[*index]
                .give_back(&shop, &host.base, activation)
                .await;
        }
    }
    println!("{} different devices won", winners.len());
    host.kill();
}

/// The negative control, and a limit that the documentation states: a host that is copied with its
/// key lends the seats twice, until the certificate ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_witness_notices_a_host_that_was_copied() {
    let shop = Shop::new(10);
    let place = Place::new(&shop);
    let copy = tempfile::tempdir().expect("a folder");
    for file in ["office.mtl", "host/host.key"] {
        std::fs::create_dir_all(copy.path().join("host")).expect("a folder");
        std::fs::copy(place.path().join(file), copy.path().join(file)).expect("is copied");
    }
    let hosts = [place.start(&[]), HostProcess::start(copy.path(), &[])];
    let devices: Vec<Bare> = (0..64).map(bare).collect();
    let bases = hosts.each_ref().map(|host| host.base.clone());
    let won = shown(&all_ask(&devices, &shop, &bases, 1).await, &shop.trust());
    assert_eq!(won.len(), 20, "ten by each");
    hosts.into_iter().for_each(|host| drop(host.kill()));
}
