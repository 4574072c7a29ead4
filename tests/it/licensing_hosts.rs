//! A license's seats in the hands of a host on a customer's own network.

use crate::licensing_keys::tamper;
use crate::licensing_seats::{engine, floating, license, sync};
use crate::shop::{person, request, shop};
use mintreu::activation::Wanted;
use mintreu::document::SigningKey;
use mintreu::id::{AccountId, LicenseId};
use mintreu::sync::{ACTIVATIONS, LEASES, SEGMENTS};
use mintreu::{Engine, Timestamp};
use mintreu_server::app::system_entropy;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::licensing::{
    Activate, DelegateHost, FloatingHost, LicensingError, activate, delegate_host, hosts,
};
use mintreu_server::floating::{Host, Setup, Terms};
use mintreu_server::hostfile::HostFile;
use mintreu_tests::{Browser, TestApp};
use std::sync::Arc;

const OWNER: AccountId = AccountId::from_bytes(*b"an owner account");
const DAY_MS: u32 = 86_400_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

async fn own(test: &TestApp, license: LicenseId) -> Caller {
    let sql = "UPDATE license SET owner_id = :owner WHERE license_id = :license";
    let params = vec![
        ("owner", OWNER.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    assert_eq!(tamper(test, sql, params).await, 1);
    person(test, OWNER, Role::Customer)
}

async fn hand_over(
    test: &TestApp,
    who: &Caller,
    license: LicenseId,
    host: u8,
    days: i64,
) -> Result<FloatingHost, LicensingError> {
    let command = DelegateHost {
        license,
        host: *key(host).public(),
        days,
    };
    test.app.transact(who, command, delegate_host).await
}

/// A device's way to a host without a socket.
fn sync_with(host: &Host, engine: &Engine) {
    while let Some(request) = engine.next_request().expect("a request") {
        let (status, body) = match request.path.as_str() {
            ACTIVATIONS => (200, host.activate(&request.body).expect("a seat")),
            SEGMENTS | LEASES => (501, Vec::new()),
            _ => (404, Vec::new()),
        };
        engine.on_response(status, &body).expect("is taken");
    }
}

fn open_host(test: &TestApp, folder: &std::path::Path, file: &str) -> Host {
    let setup = Setup {
        key: key(9),
        file: HostFile::parse(file).expect("a file"),
        trust: None,
        terms: Terms {
            lease_secs: 900,
            borrow_secs: 86_400,
            seats: None,
        },
        clock: test.clock.clone(),
        entropy: Arc::new(system_entropy),
    };
    Host::open(folder, setup).expect("a host")
}

fn days(from: Timestamp, days: i64) -> Timestamp {
    from.plus_ms(days * i64::from(DAY_MS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seats_are_the_host_s_until_its_end_and_online_again_after() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (id, trust, document) = floating(test, &shop, &guest).await;
        let owner = own(test, id).await;
        let home = tempfile::tempdir().expect("a folder");
        let device = engine(test, home.path(), &trust);
        device.install(&document).expect("installs");
        // Nobody else's to hand over, and not for ever.
        let stranger = person(test, AccountId::from_bytes([9; 16]), Role::Customer);
        for who in [&stranger, &shop.seller] {
            let refused = hand_over(test, who, id, 9, 10).await;
            assert!(
                matches!(refused, Err(LicensingError::NotFound)),
                "{refused:?}"
            );
        }
        let refused = hand_over(test, &test.guest(), id, 9, 10).await;
        assert!(
            matches!(refused, Err(LicensingError::Denied(_))),
            "{refused:?}"
        );
        for wrong in [0, 367, i64::MAX, -1] {
            let refused = hand_over(test, &owner, id, 9, wrong).await;
            assert!(matches!(
                refused,
                Err(LicensingError::DaysOutOfRange { .. })
            ));
        }
        // A seat that is taken online stands in the way until it is given back.
        sync(&device, &guest).await.expect("a seat");
        let refused = hand_over(test, &owner, id, 9, 10).await;
        assert!(
            matches!(refused, Err(LicensingError::SeatsInUse { taken: 1 })),
            "{refused:?}"
        );
        device.deactivate(None).expect("gives back");
        sync(&device, &guest).await.expect("is heard");
        let now = test.app.now();
        let host = hand_over(test, &owner, id, 9, 10)
            .await
            .expect("is certified");
        assert_eq!(host.ends_at, days(now, 10));
        // None is taken online now; the host lends them, and devices believe it.
        device.activate(id).expect("asks");
        let refused = sync(&device, &guest).await.expect_err("not here");
        assert!(refused.detail().contains("seats_delegated"), "{refused}");
        let folder = tempfile::tempdir().expect("a folder");
        let running = open_host(test, folder.path(), &host.file);
        sync_with(&running, &device);
        assert_eq!(
            device.verdict().expect("a verdict").status().code(),
            "valid"
        );
        // Another host would lend them twice; the same one may go on.
        let refused = hand_over(test, &owner, id, 8, 10).await;
        assert!(
            matches!(refused, Err(LicensingError::SeatsDelegated { .. })),
            "{refused:?}"
        );
        test.clock.advance(5 * DAY_MS);
        let longer = hand_over(test, &owner, id, 9, 10).await.expect("goes on");
        assert_eq!(longer.ends_at, days(now, 15));
        let shorter = hand_over(test, &owner, id, 9, 1)
            .await
            .expect("a shorter file");
        assert_eq!(
            shorter.ends_at,
            days(now, 15),
            "what was certified stays so"
        );
        let listed = test.app.read(&owner, id, hosts).await.expect("is listed");
        assert_eq!(listed.len(), 1);
        drop(running);
        let running = open_host(test, folder.path(), &longer.file);
        sync_with(&running, &device);
        assert_eq!(running.delegation().signs_until(), days(now, 15));
        // After the end they are online again, and no lease of the host's lasts longer.
        test.clock.advance(10 * DAY_MS - 1);
        let refused = sync(&device, &guest).await.expect_err("the last moment");
        assert!(refused.detail().contains("seats_delegated"), "{refused}");
        test.clock.advance(1);
        assert_ne!(
            device.verdict().expect("a verdict").status().code(),
            "valid"
        );
        sync(&device, &guest).await.expect("online again");
        assert_eq!(
            device.verdict().expect("a verdict").status().code(),
            "valid"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_host_and_devices_that_come_at_once_one_side_wins() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (first, _, _) = floating(test, &shop, &guest).await;
        let mut won = [0, 0];
        for round in 0..8_u8 {
            let id = match round {
                0 => first,
                _ => another(&shop, &guest).await,
            };
            let owner = own(test, id).await;
            let seats = async {
                let mut taken = 0;
                for device in 1..3_u8 {
                    let bytes = request(round * 4 + device, Wanted::License(id));
                    let command = Activate::from_bytes(&bytes).expect("a request");
                    let answer = test.app.transact(&test.guest(), command, activate).await;
                    taken += usize::from(answer.is_ok());
                }
                taken
            };
            let host = async {
                tokio::time::sleep(std::time::Duration::from_millis(u64::from(round))).await;
                hand_over(test, &owner, id, 9, 10).await.is_ok()
            };
            let (taken, certified) = tokio::join!(seats, host);
            assert!(
                !certified || taken == 0,
                "round {round}: {taken} seats and a host"
            );
            won[usize::from(certified)] += 1;
        }
        println!("{won:?}");
        server.stop().await;
    })
    .await;
}

async fn another(shop: &crate::shop::Shop, guest: &Browser) -> LicenseId {
    license(shop, guest).await.0
}

#[tokio::test]
async fn only_floating_seats_are_handed_over() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let id = another(&shop, &guest).await;
        let owner = own(test, id).await;
        let refused = hand_over(test, &owner, id, 9, 10).await;
        assert!(
            matches!(refused, Err(LicensingError::NotFloating)),
            "{refused:?}"
        );
        let body = serde_json::json!({ "host_key": key(9).public().to_string(), "days": 10 });
        let (status, answer) = guest
            .post_json(&format!("/v1/licenses/{id}/hosts"), &body)
            .await;
        assert_eq!(status, 401, "{answer}");
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_hands_seats_over_on_the_license_s_page() {
    let test = TestApp::sqlite().await;
    let shop = shop(&test).await;
    let server = test.serve().await;
    let owner = server.browser();
    let (id, _, _) = floating(&test, &shop, &owner).await;
    let body = serde_json::json!({
        "email": "ada@example.org", "name": "Ada", "password": "a tame raven sings",
    });
    let (status, account) = owner.post_json("/v1/accounts", &body).await;
    assert_eq!(status, 201, "{account}");
    assert_eq!(owner.post_json("/v1/sessions", &body).await.0, 201);
    let account = AccountId::parse(account["account_id"].as_str().expect("an id")).expect("an id");
    let sql = "UPDATE license SET owner_id = :owner";
    let params = vec![("owner", account.as_bytes().into())];
    assert_eq!(tamper(&test, sql, params).await, 1);
    let path = format!("/licenses/{id}");
    let page = async || owner.get(&path).await.text().await.expect("a page");
    let text = page().await;
    assert!(text.contains(&format!("action=\"{path}/hosts\"")), "{text}");
    let token = text.split("name=\"csrf\" value=\"").nth(1).expect("a form");
    let token = token.split('"').next().expect("a token").to_owned();
    let send = async |host: &str, days: &str| {
        let form = [("csrf", token.as_str()), ("host_key", host), ("days", days)];
        let sent = owner.request(reqwest::Method::POST, &format!("{path}/hosts"));
        let answer = sent.form(&form).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let host = key(9).public().to_string();
    for (host, days) in [("MT1K-nothing", "30"), (&*host, "400"), (&*host, "soon")] {
        let (status, text) = send(host, days).await;
        assert_eq!(status, 422);
        assert!(text.contains("<form") && text.contains(host), "{text}");
    }
    assert_eq!(send(&host, "30").await.0, 303);
    assert_eq!(
        send(key(8).public().to_string().as_str(), "30").await.0,
        409
    );
    assert!(page().await.contains(&host));
    let file = owner.get(&format!("{path}/hosts/{host}/file")).await;
    assert_eq!(file.status(), 200);
    let file = file.text().await.expect("text");
    let folder = tempfile::tempdir().expect("a folder");
    open_host(&test, folder.path(), &file);
    let (_, listed) = owner.get_json(&format!("/v1/licenses/{id}/hosts")).await;
    assert_eq!(listed["hosts"][0]["file"], file);
    let stranger = server.browser();
    let refused = stranger.get(&format!("{path}/hosts/{host}/file")).await;
    assert!(!refused.status().is_success());
    let (status, _) = stranger.get_json(&format!("/v1/licenses/{id}/hosts")).await;
    assert_eq!(status, 404);
    server.stop().await;
    test.finish().await;
}
