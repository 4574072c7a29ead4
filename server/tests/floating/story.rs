//! The program and real devices over HTTP.

use crate::common::{Device, Place, Shop, client, send};
use mintreu::activation::{Deactivation, Request, Wanted};
use mintreu::document::SigningKey;
use mintreu::id::ActivationId;
use mintreu::{FixedClock, SystemClock};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

fn names(lines: &[Value]) -> Vec<&str> {
    let names = lines.iter().map(|line| line["fields"]["event"].as_str());
    names.map(|name| name.expect("an event")).collect()
}

#[tokio::test]
async fn devices_take_keep_lose_and_return_seats_over_a_killed_host() {
    let shop = Shop::new(2);
    let place = Place::new(&shop);
    let host = place.start(&["--lease", "10s"]);
    let clock = || Arc::new(SystemClock);
    let devices = [1, 2, 3].map(|number| Device::new(number, &shop, clock()));
    let [one, two, three] = &devices;
    assert!(one.sync(&host).await.is_empty());
    assert!(two.sync(&host).await.is_empty());
    assert_eq!((one.status(), two.status()), ("valid", "valid"));
    let refused = three.sync(&host).await;
    assert_eq!(
        (refused[0].status, refused[0].code.as_str()),
        (409, "seats_exhausted")
    );
    let wait = refused[0].retry_after.expect("Retry-After");
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(three.status(), "device_not_activated");
    // Half time of the lease: it is kept for longer.
    let before = one.engine.seat_ends_at(shop.license.id).expect("a seat");
    tokio::time::sleep(Duration::from_millis(5300)).await;
    assert!(one.sync(&host).await.is_empty());
    assert!(one.engine.seat_ends_at(shop.license.id).expect("a seat") > before);
    // The other is silent: killed and started again, the host knows both, and frees the silent one.
    let lines = host.kill();
    assert_eq!(names(&lines), ["seat_taken", "seat_taken", "seat_extended"]);
    assert_eq!(lines[0]["fields"]["device"], one.name());
    let host = place.start(&["--lease", "10s"]);
    assert_eq!(host.holders().await, [one.name(), two.name()]);
    tokio::time::sleep(Duration::from_millis(5300)).await;
    assert!(one.sync(&host).await.is_empty());
    assert!(
        three.sync(&host).await.is_empty(),
        "the silent one's is free"
    );
    assert_eq!((two.status(), three.status()), ("lease_over", "valid"));
    // Given back, it is free at once; what was used meanwhile waits for the shop.
    one.engine.record("renders", 3).expect("counts");
    one.engine.deactivate(None).expect("gives back");
    assert!(one.sync(&host).await.is_empty());
    assert_eq!(host.holders().await, [three.name()]);
    assert!(two.sync(&host).await.is_empty());
    assert_eq!(two.status(), "valid");
    let lines = host.kill();
    assert_eq!(
        names(&lines),
        [
            "seat_ended",
            "seat_extended",
            "seat_taken",
            "seat_returned",
            "seat_taken"
        ]
    );
}

#[tokio::test]
async fn a_borrowed_seat_needs_no_network() {
    let shop = Shop::new(1);
    let place = Place::new(&shop);
    let host = place.start(&[]);
    let clock = Arc::new(FixedClock::at(crate::common::now()));
    let device = Device::new(1, &shop, clock.clone());
    assert!(device.sync(&host).await.is_empty());
    device.engine.borrow(None, 5 * 86_400).expect("asks");
    assert!(device.sync(&host).await.is_empty());
    let status = host.status().await;
    assert_eq!(
        (&status["seats_free"], &status["seats_borrowed"]),
        (&0.into(), &1.into())
    );
    host.kill();
    clock.advance(5 * 86_400_000 - 60_000);
    assert_eq!(device.status(), "valid");
    clock.advance(120_000);
    assert_eq!(device.status(), "lease_over");
}

fn request(key: &SigningKey, shop: &Shop) -> Vec<u8> {
    let request = Request {
        product: shop.license.product.clone(),
        issued_at: shop.license.issued_at,
        nonce: [4; 16],
        wanted: Wanted::License(shop.license.id),
        fingerprint: Default::default(),
        version: None,
        renews: None,
        lend_secs: None,
    };
    request.seal(key).expect("seals")
}

#[tokio::test]
async fn forged_and_foreign_things_change_nothing() {
    let shop = Shop::new(2);
    let place = Place::new(&shop);
    let host = place.start(&[]);
    let device = Device::new(1, &shop, Arc::new(SystemClock));
    assert!(device.sync(&host).await.is_empty());
    let (stranger, http) = (SigningKey::from_seed(&[50; 32]), client(2));
    let url = |path: &str| format!("{}{path}", host.base);
    let good = request(&stranger, &shop);
    for bit in (0..good.len() * 8).step_by(37) {
        let mut bent = good.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        let answer = send(&http, &url("/v1/activations"), bent)
            .await
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.code.as_str()),
            (422, "request_malformed"),
            "bit {bit}"
        );
    }
    // Somebody else's word on a seat, which names it rightly.
    let status = host.status().await;
    let activation = status["devices"][0]["activation_id"]
        .as_str()
        .expect("an id");
    let word = |activation: &str| Deactivation {
        product: shop.license.product.clone(),
        issued_at: shop.license.issued_at,
        nonce: [5; 16],
        license: shop.license.id,
        activation: ActivationId::parse(activation).expect("an id"),
    };
    let theirs = word(activation).seal(&stranger).expect("seals");
    let answer = send(&http, &url("/v1/deactivations"), theirs)
        .await
        .expect("an answer");
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (403, "seat_of_another_device")
    );
    let unknown = word("act_00000000000000000000000000")
        .seal(&stranger)
        .expect("seals");
    let answer = send(&http, &url("/v1/deactivations"), unknown)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 204, "what is free is free");
    let elsewhere = Deactivation {
        license: mintreu::id::LicenseId::from_bytes([8; 16]),
        ..word(activation)
    };
    let elsewhere = elsewhere.seal(&stranger).expect("seals");
    let answer = send(&http, &url("/v1/deactivations"), elsewhere)
        .await
        .expect("an answer");
    assert_eq!(answer.status, 501, "the device tells whoever lent it");
    let too_large = send(&http, &url("/v1/activations"), vec![0; 20_000])
        .await
        .expect("an answer");
    assert_eq!(
        (too_large.status, too_large.code.as_str()),
        (413, "body_too_large")
    );
    let text = http
        .post(url("/v1/activations"))
        .header("content-type", "text/plain");
    let text = text.body(good.clone()).send().await.expect("an answer");
    assert_eq!(
        text.status(),
        415,
        "what a web page can make a browser send is not taken"
    );
    let page = http.post(url("/v1/activations"));
    let page = page
        .header("content-type", "application/cose")
        .header("origin", &host.base)
        .body(good.clone());
    let page = page.send().await.expect("an answer");
    assert_eq!(
        page.status(),
        403,
        "nor is what a page sends that was served under our address"
    );
    for path in [
        "/v1/time",
        "/v1/keyset?product=x&have=0",
        "/v1/revocations",
        "/else",
    ] {
        assert_eq!(
            send(&http, &url(path), Vec::new())
                .await
                .expect("an answer")
                .status,
            404
        );
    }
    assert_eq!(
        send(&http, &url("/v1/usage/segments"), Vec::new())
            .await
            .expect("an answer")
            .status,
        501
    );
    assert_eq!(host.holders().await, [device.name()], "nothing has changed");
    let taken = send(&http, &url("/v1/activations"), good)
        .await
        .expect("an answer");
    assert_eq!(taken.status, 200, "the negative control");
    host.kill();
}

#[tokio::test]
async fn who_asks_too_fast_waits_and_others_do_not() {
    let shop = Shop::new(2);
    let place = Place::new(&shop);
    let host = place.start(&[]);
    let (fast, calm) = (client(1), client(2));
    let url = format!("{}/license", host.base);
    let mut refused = 0;
    for _ in 0..200 {
        let answer = fast.get(&url).send().await.expect("an answer");
        refused +=
            usize::from(answer.status() == 429 && answer.headers().contains_key("retry-after"));
    }
    assert!((1..=80).contains(&refused), "{refused}");
    assert_eq!(
        calm.get(&url).send().await.expect("an answer").status(),
        200
    );
    host.kill();
}

#[tokio::test]
async fn people_see_seats_with_the_token_and_no_scripts() {
    let shop = Shop::new(2);
    let place = Place::new(&shop);
    std::fs::write(place.path().join("token"), "a token of the office\n").expect("is written");
    let host = place.start(&["--token", "token"]);
    let device = Device::new(1, &shop, Arc::new(SystemClock));
    assert!(device.sync(&host).await.is_empty(), "devices need no token");
    let http = client(3);
    for path in ["/", "/status", "/metrics"] {
        let url = format!("{}{path}", host.base);
        let without = http.get(&url).send().await.expect("an answer");
        assert_eq!(without.status(), 401, "{path}");
        assert!(without.headers().contains_key("www-authenticate"));
        let with = http
            .get(&url)
            .basic_auth("office", Some("a token of the office"));
        let with = with.send().await.expect("an answer");
        assert_eq!(with.status(), 200, "{path}");
        let policy = with.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"));
        let text = with.text().await.expect("text");
        assert!(
            path == "/metrics" || text.contains(&device.name()),
            "{text}"
        );
        assert!(
            !text.contains("<script") && !text.contains("style="),
            "{text}"
        );
        assert!(
            path != "/metrics" || text.contains("mintreu_floating_seats_taken 1\n"),
            "{text}"
        );
    }
    let license = http
        .get(format!("{}/license", host.base))
        .send()
        .await
        .expect("an answer");
    let license = license.text().await.expect("text");
    let bytes = mintreu::document::from_text(&license).expect("a document");
    assert_eq!(bytes, shop.bundle());
    let health = http
        .get(format!("{}/health", host.base))
        .send()
        .await
        .expect("an answer");
    assert_eq!(health.status(), 200);
    host.kill();
}
