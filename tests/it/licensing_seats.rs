//! Seats as devices see them: a real engine against the server, on both databases.

use crate::shop::{CODE, SELLER, Shop, free_license, shop};
use mintreu::document::{from_text, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Status, Trust};
use mintreu::{Engine, Options};
use mintreu_server::caller::Caller;
use mintreu_server::domains::catalog;
use mintreu_server::domains::catalog::model::Floating;
use mintreu_server::domains::catalog::ops::{UpdateProduct, update_product};
use mintreu_tests::{Browser, TestApp};

const MINUTE: i64 = 60_000;

pub fn engine(test: &TestApp, folder: &std::path::Path, trust: &Trust) -> Engine {
    let options = Options {
        clock: test.clock.clone(),
        ..Options::default()
    };
    Engine::open_with(folder, trust.clone(), options).expect("opens")
}

/// Sends what the engine has to send; gives what was refused, if anything was.
pub async fn sync(engine: &Engine, guest: &Browser) -> Result<(), mintreu::Error> {
    for _ in 0..50 {
        let Some(request) = engine.next_request()? else {
            return Ok(());
        };
        let sent = guest
            .request(reqwest::Method::POST, &request.path)
            .header("content-type", request.content_type)
            .body(request.body)
            .send();
        let answer = sent.await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.bytes().await.expect("a body");
        engine.on_response(status, &body)?;
    }
    panic!("the sync does not end");
}

/// A guest's license of two floating seats, lent for an hour, borrowed for up to a week.
pub async fn floating(test: &TestApp, shop: &Shop, guest: &Browser) -> (LicenseId, Trust, String) {
    let seller: &Caller = &shop.seller;
    let tenant = test.tenant();
    let found = test
        .app
        .store
        .read(move |tx| catalog::product_by_code(tx, tenant, CODE));
    let product = found
        .await
        .expect("reads")
        .expect("reads")
        .expect("is there");
    assert_eq!(product.seller.account, SELLER);
    let mut draft = catalog::model::draft_of(&product);
    draft.terms.floating = Some(Floating {
        lease_minutes: 60,
        borrow_days: 7,
    });
    let update = UpdateProduct {
        product: product.id,
        draft,
    };
    let updated = test.app.transact(seller, update, update_product).await;
    updated.expect("is changed");
    license(shop, guest).await
}

pub async fn license(shop: &Shop, guest: &Browser) -> (LicenseId, Trust, String) {
    let (_, license) = free_license(guest, shop).await;
    let text = |name: &str| license[name].as_str().unwrap_or_default().to_owned();
    let (_, trust) = guest.get_json("/v1/products/acme-editor/trust").await;
    let trust = trust["trust"].as_str().expect("a text");
    (
        LicenseId::parse(&text("license_id")).expect("an id"),
        trust.parse().expect("a trust"),
        text("document"),
    )
}

fn status(engine: &Engine) -> Status {
    engine.verdict().expect("a verdict").status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floating_seats_come_back_by_themselves() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (id, trust, document) = floating(test, &shop, &guest).await;
        let folders: Vec<_> = (0..3)
            .map(|_| tempfile::tempdir().expect("a folder"))
            .collect();
        let devices: Vec<_> = folders
            .iter()
            .map(|f| engine(test, f.path(), &trust))
            .collect();
        for device in &devices {
            device.install(&document).expect("installs");
        }
        for device in &devices[..2] {
            sync(device, &guest).await.expect("a seat");
            assert_eq!(status(device), Status::Valid);
        }
        let refused = sync(&devices[2], &guest)
            .await
            .expect_err("two seats are taken");
        assert!(refused.detail().contains("seats_exhausted"), "{refused}");
        // One device is kept alive, the other falls silent.
        for _ in 0..3 {
            test.clock.advance(40 * MINUTE as u32);
            sync(&devices[0], &guest).await.expect("keeps its seat");
            assert_eq!(status(&devices[0]), Status::Valid);
        }
        assert_eq!(status(&devices[1]), Status::LeaseOver);
        sync(&devices[2], &guest)
            .await
            .expect("the silent one's seat");
        assert_eq!(status(&devices[2]), Status::Valid);
        let refused = sync(&devices[1], &guest)
            .await
            .expect_err("it came too late");
        assert!(refused.detail().contains("seats_exhausted"), "{refused}");
        // A seat that is given back is free at once, by file too.
        let said = devices[2].deactivate(None).expect("gives it back");
        assert_eq!(status(&devices[2]), Status::DeviceNotActivated);
        let heard = guest
            .request(reqwest::Method::POST, "/v1/deactivations")
            .body(said)
            .send();
        let heard = heard
            .await
            .expect("an answer")
            .text()
            .await
            .expect("a text");
        devices[2].install(&heard).expect("was heard");
        sync(&devices[1], &guest).await.expect("a seat again");
        assert_eq!(status(&devices[1]), Status::Valid);
        // Borrowed for longer than is lent, it is what the terms allow.
        devices[0].borrow(None, 30 * 24 * 3600).expect("asks");
        sync(&devices[0], &guest).await.expect("borrows");
        let end = devices[0].seat_ends_at(id).expect("an end");
        let week = end.since_ms(test.app.now());
        assert!((7 * 24 * 60 * MINUTE - week).abs() < 2000, "{week} ms");
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_seat_is_given_back_by_its_device_a_few_times_a_month() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_, trust, document) = license(&shop, &guest).await;
        let folder = tempfile::tempdir().expect("a folder");
        let device = engine(test, folder.path(), &trust);
        device.install(&document).expect("installs");
        let id = device_license(&document, &trust);
        // Two seats may be given up twice, and four times more.
        for round in 0..7 {
            device.activate(id).expect("asks");
            sync(&device, &guest).await.expect("a seat");
            assert_eq!(status(&device), Status::Valid);
            device.deactivate(None).expect("gives it back");
            let outcome = sync(&device, &guest).await;
            match round {
                0..6 => outcome.expect("is heard"),
                _ => {
                    let refused = outcome.expect_err("moved too often");
                    assert_eq!(
                        refused.code(),
                        "server_unavailable",
                        "429: kept, sent again"
                    );
                }
            }
        }
        server.stop().await;
    })
    .await;
}

fn device_license(document: &str, trust: &Trust) -> LicenseId {
    let bundle = from_text(document).expect("a text");
    let license = mintreu::license::verify(&bundle, trust).expect("verifies");
    license.claims().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_told_to_any_device_and_to_no_stranger_s_product() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_, trust, document) = license(&shop, &guest).await;
        let folder = tempfile::tempdir().expect("a folder");
        let device = engine(test, folder.path(), &trust);
        device.install(&document).expect("installs");
        let asked = device.time_request().expect("asks");
        let post = |body: String| {
            let post = guest.request(reqwest::Method::POST, "/v1/time").body(body);
            post.send()
        };
        let told = post(asked.clone()).await.expect("an answer");
        let told = told.text().await.expect("a text");
        assert_eq!(device.install(&told), Ok(mintreu::Installed::Time));
        // By hand, over the page for devices without internet.
        let asked = from_text(&device.time_request().expect("asks")).expect("bytes");
        let page = guest.get("/activate").await.text().await.expect("a page");
        let csrf = page.split("name=\"csrf\" value=\"").nth(1).expect("a form");
        let csrf = csrf.split('"').next().expect("a value").to_owned();
        let (mark, asked) = ("0123456789", to_text(&asked));
        let part = |name, value| {
            format!(
                "--{mark}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
        };
        let body =
            part("csrf", csrf.as_str()) + &part("request", &asked) + &format!("--{mark}--\r\n");
        let page = guest
            .request(reqwest::Method::POST, "/activate")
            .header(
                "content-type",
                format!("multipart/form-data; boundary={mark}"),
            )
            .body(body)
            .send();
        let page = page.await.expect("an answer").text().await.expect("a page");
        let from = page
            .find("-----BEGIN MINTREU CHALLENGE")
            .expect("an answer");
        let end = "-----END MINTREU CHALLENGE-----";
        let to = page[from..].find(end).expect("whole") + end.len();
        let answer = page[from..from + to]
            .replace("&#x2f;", "/")
            .replace("&#43;", "+");
        device.install(&answer).expect("the page's answer");
        let unknown = post(asked_for("acme.stranger")).await.expect("an answer");
        assert_eq!(unknown.status(), 404);
        let garbage = post("MT1-AAAA".to_owned()).await.expect("an answer");
        assert_eq!(garbage.status(), 422);
        server.stop().await;
    })
    .await;
}

fn asked_for(product: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let root = mintreu::document::SigningKey::from_seed(&[9; 32]);
    let trust = Trust::new(product, *root.public()).expect("a trust");
    let engine = Engine::open(folder.path(), trust).expect("opens");
    engine.time_request().expect("asks")
}
