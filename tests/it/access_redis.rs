//! Rates that several servers share in a real Redis: the script and the pure rule say the same.

use mintreu::Timestamp;
use mintreu::meter::{RateDecision, RateLimit};
use mintreu_server::limits::{RateAsked, Rates};
use std::sync::Arc;

/// Where a Redis for tests listens: `redis://127.0.0.1:6379/0`.
const VARIABLE: &str = "MINTREU_TEST_REDIS";
const START: i64 = 1_800_000_000_000;

/// Two servers with one Redis, and names that no other test uses.
fn two_servers() -> Option<([Arc<Rates>; 2], String)> {
    let Ok(url) = std::env::var(VARIABLE) else {
        println!("{VARIABLE} is not set: nothing is asked of a Redis");
        return None;
    };
    let server = || Arc::new(Rates::in_redis(&url, 100).expect("an address"));
    let mut random = [0; 16];
    mintreu_server::app::system_entropy(&mut random);
    Some(([server(), server()], mintreu::id::encode(&random)))
}

fn asked(whom: &str, rate: &str) -> RateAsked {
    RateAsked {
        whom: whom.to_owned(),
        limit: RateLimit::parse(rate).expect("a rate"),
    }
}

/// The same numbers in every run, scattered well enough.
fn scattered(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*seed >> 33) % below
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_decides_as_the_pure_rule_does() {
    let Some(([one, other], name)) = two_servers() else {
        return;
    };
    let rates = [
        "3/second",
        "7/250ms+2",
        "1000/minute+9",
        "13/7ms+100",
        "1/day",
    ];
    let (mut seed, mut granted, mut refused) = (7, 0, 0);
    for rate in rates {
        let here = Rates::in_memory(100);
        let both = [
            asked(&format!("{name} a {rate}"), rate),
            asked(&format!("{name} b {rate}"), "40/second"),
        ];
        let mut ms = START;
        for turn in 0..160 {
            // In the second half one limit alone, and now and then the clock is set back.
            let asked = if turn < 80 { &both[..] } else { &both[..1] };
            ms += i64::try_from(scattered(&mut seed, 400)).expect("small");
            ms -= if turn > 80 && turn % 20 == 0 {
                5_000
            } else {
                0
            };
            let n = scattered(&mut seed, 4);
            let now = Timestamp::from_ms(ms);
            let server = if turn % 2 == 0 { &one } else { &other };
            let shared = server.take(asked, n, now).await;
            assert_eq!(
                shared,
                here.take(asked, n, now).await,
                "{rate}, turn {turn}"
            );
            match shared.iter().all(|decision| decision.granted) {
                true => granted += 1,
                false => refused += 1,
            }
        }
    }
    assert!(
        granted > 50 && refused > 50,
        "{granted} granted, {refused} refused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_servers_together_grant_the_burst_and_no_more() {
    let Some((servers, name)) = two_servers() else {
        return;
    };
    let granted = async |servers: &[Arc<Rates>; 2], whom: String| {
        let mut tasks = tokio::task::JoinSet::new();
        for turn in 0..200 {
            let (server, one) = (servers[turn % 2].clone(), asked(&whom, "50/day"));
            tasks.spawn(async move {
                let decided = server.take(&[one], 1, Timestamp::from_ms(START)).await;
                decided
                    .iter()
                    .all(|decision: &RateDecision| decision.granted)
            });
        }
        tasks
            .join_all()
            .await
            .into_iter()
            .filter(|granted| *granted)
            .count()
    };
    assert_eq!(granted(&servers, format!("{name} race")).await, 50);
    // The control: servers that each count for themselves grant it twice.
    let apart = [(); 2].map(|()| Arc::new(Rates::in_memory(100)));
    assert_eq!(granted(&apart, "race".to_owned()).await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_redis_a_server_counts_alone() {
    // Nobody listens on the port of tcpmux.
    let rates = Rates::in_redis("redis://127.0.0.1:1/", 100).expect("an address");
    let now = Timestamp::from_ms(START);
    for expected in [true, true, false] {
        let decided = rates.take(&[asked("alone", "2/day")], 1, now).await;
        assert_eq!(decided[0].granted, expected);
    }
    assert!(Rates::in_redis("not an address", 100).is_err());
}
