//! Licenses after the sale: codes, one seat for one device, and who sees what.

use crate::shop::{Shop, device_key, free_license, id_of, of_license, person, request, shop};
use mintreu::activation::{Activation, RedeemCode, Wanted};
use mintreu::id::{AccountId, LicenseId, TenantId};
use mintreu::license::Trust;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::fulfilment::{self, RevealCode};
use mintreu_server::domains::licensing::{
    Activate, Activated, Deactivate, ExportRoot, LicensingError, Redeem, Revoke, activate,
    deactivate, export_root, redeem, revoke, view,
};
use mintreu_tests::TestApp;
use serde_json::json;
use tokio::task::JoinSet;

const BUYER: AccountId = AccountId::from_bytes(*b"commerce a buyer");
const OTHER: AccountId = AccountId::from_bytes(*b"commerce another");

/// A guest's license of two seats, with its order's token.
async fn licensed(test: &TestApp, shop: &Shop) -> (LicenseId, String) {
    let server = test.serve().await;
    let guest = server.browser();
    let (bought, license) = free_license(&guest, shop).await;
    server.stop().await;
    (id_of(&license), bought.token)
}

async fn code(test: &TestApp, license: LicenseId, token: &str) -> RedeemCode {
    let command = RevealCode {
        license,
        token: Some(token.to_owned()),
    };
    let guest = test.guest();
    let code = test.app.transact(&guest, command, fulfilment::reveal_code);
    code.await
        .expect("is shown")
        .reveal()
        .parse()
        .expect("a code")
}

async fn ask(test: &TestApp, device: u8, license: LicenseId) -> Result<Activated, LicensingError> {
    let bytes = request(device, of_license(&license.to_string()));
    let command = Activate::from_bytes(&bytes).expect("a request");
    test.app.transact(&test.guest(), command, activate).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_device_that_asks_often_takes_one_seat() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let code = code(test, license, &token).await;
        let mut asked = JoinSet::new();
        for _ in 0..6 {
            let (app, guest) = (test.app.clone(), test.guest());
            let bytes = request(1, Wanted::Code(code.clone()));
            let command = Activate::from_bytes(&bytes).expect("a request");
            asked.spawn(async move { app.transact(&guest, command, activate).await });
        }
        let answers = asked.join_all().await;
        let answers: Vec<_> = answers
            .into_iter()
            .map(|one| one.expect("answered"))
            .collect();
        assert_eq!(answers.iter().filter(|one| one.new).count(), 1);
        assert!(
            answers
                .iter()
                .all(|one| one.document == answers[0].document)
        );
        assert!(!ask(test, 1, license).await.expect("answered").new);
        assert!(ask(test, 2, license).await.expect("the second seat").new);
    })
    .await;
}

#[tokio::test]
async fn an_activation_verifies_under_the_product_s_trust() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (_, trust) = guest.get_json("/v1/products/acme-editor/trust").await;
        let trust: Trust = trust["trust"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("a trust");
        let bytes = request(7, Wanted::Code(code(test, license, &token).await));
        let post = |body: Vec<u8>| {
            let post = guest.request(reqwest::Method::POST, "/v1/activations");
            post.header("content-type", "application/cose")
                .body(body)
                .send()
        };
        let answer = post(bytes.clone()).await.expect("an answer");
        assert_eq!(answer.status(), 200);
        let bundle = answer.bytes().await.expect("a body");
        let activation = Activation::verify(&bundle, &trust).expect("verifies");
        let claims = activation.claims();
        assert_eq!(
            (claims.license, &claims.device),
            (license, device_key(7).public())
        );
        assert!(
            claims.license_bundle.is_some(),
            "a device with a code has no license yet"
        );
        let mut flipped = bytes;
        flipped[40] ^= 1;
        let refused = post(flipped).await.expect("an answer");
        assert_eq!(refused.status(), 422);
        let problem: serde_json::Value = refused.json().await.expect("a problem");
        assert_eq!(problem["code"], "request_malformed");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_answers_the_same_license_and_makes_its_first_redeemer_the_owner() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let code = code(test, license, &token).await;
        let (buyer, other) = (
            person(test, BUYER, Role::Customer),
            person(test, OTHER, Role::Customer),
        );
        for caller in [&buyer, &buyer, &other, &test.guest()] {
            let typed = code.to_string().to_lowercase().replace('-', " ");
            let command = Redeem::parse(&typed).expect("a code");
            let found = test
                .app
                .transact(caller, command, redeem)
                .await
                .expect("redeems");
            assert_eq!(
                (found.id, found.owner),
                (license, found.owner.or(Some(BUYER)))
            );
        }
        let mine = test.app.read(&buyer, license, view).await.expect("mine");
        assert_eq!(mine.license.owner, Some(BUYER));
        let theirs = test.app.read(&other, license, view).await;
        assert!(
            matches!(theirs, Err(LicensingError::NotFound)),
            "{theirs:?}"
        );
        assert!(matches!(
            Redeem::parse("no code"),
            Err(LicensingError::CodeMistyped(_))
        ));
        let unknown = Redeem::parse(&RedeemCode::new("acme", [1; 10]).to_string());
        let unknown = unknown.expect("well formed");
        let unknown = test.app.transact(&buyer, unknown, redeem).await;
        assert!(
            matches!(unknown, Err(LicensingError::CodeUnknown)),
            "{unknown:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_seat_moves_a_few_times_a_month_and_only_for_its_owner() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let buyer = person(test, BUYER, Role::Customer);
        let code = code(test, license, &token).await;
        let command = Redeem::parse(&code.to_string()).expect("a code");
        test.app
            .transact(&buyer, command, redeem)
            .await
            .expect("redeems");
        let first = ask(test, 1, license).await.expect("a seat").activation;
        let give_up = Deactivate { activation: first };
        for stranger in [person(test, OTHER, Role::Customer), shop.seller.clone()] {
            let refused = test.app.transact(&stranger, give_up, deactivate).await;
            assert!(
                matches!(refused, Err(LicensingError::NotFound)),
                "{refused:?}"
            );
        }
        // Two seats and four more moves in thirty days.
        for move_no in 0..7 {
            let activation = ask(test, 1, license).await.expect("a seat").activation;
            let command = Deactivate { activation };
            let moved = test.app.transact(&buyer, command, deactivate).await;
            assert_eq!(moved.is_ok(), move_no < 6, "{move_no}: {moved:?}");
        }
        test.clock.advance(30 * 24 * 60 * 60 * 1000 + 1);
        let activation = ask(test, 1, license).await.expect("still there").activation;
        let command = Deactivate { activation };
        test.app
            .transact(&buyer, command, deactivate)
            .await
            .expect("a month later");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_license_does_nothing_more_and_sellers_revoke_only_their_own() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let command = Revoke {
            license,
            reason: "test".to_owned(),
        };
        let other = person(test, OTHER, Role::Developer);
        let refused = test.app.transact(&other, command.clone(), revoke).await;
        assert!(
            matches!(refused, Err(LicensingError::NotFound)),
            "{refused:?}"
        );
        let code = code(test, license, &token).await;
        for _ in 0..2 {
            test.app
                .transact(&shop.seller, command.clone(), revoke)
                .await
                .expect("revokes");
        }
        let refused = ask(test, 1, license).await;
        assert!(
            matches!(refused, Err(LicensingError::Revoked)),
            "{refused:?}"
        );
        let command = Redeem::parse(&code.to_string()).expect("a code");
        let refused = test.app.transact(&test.guest(), command, redeem).await;
        assert!(
            matches!(refused, Err(LicensingError::Revoked)),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn another_tenant_sees_nothing_and_a_root_leaves_once() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, _) = licensed(test, &shop).await;
        let elsewhere = Caller {
            tenant: TenantId::from_bytes([9; 16]),
            ..shop.seller.clone()
        };
        let own = test.app.read(&shop.seller, license, view).await;
        own.expect("the seller sees it");
        let foreign = test.app.read(&elsewhere, license, view).await;
        assert!(
            matches!(foreign, Err(LicensingError::NotFound)),
            "{foreign:?}"
        );
        let bytes = request(1, of_license(&license.to_string()));
        let command = Activate::from_bytes(&bytes).expect("a request");
        let foreign = test.app.transact(&elsewhere, command, activate).await;
        assert!(
            matches!(foreign, Err(LicensingError::NotFound)),
            "{foreign:?}"
        );
        let root = test
            .app
            .transact(&shop.seller, ExportRoot, export_root)
            .await;
        assert!(!format!("{:?}", root.expect("leaves")).contains("seed"));
        let again = test
            .app
            .transact(&shop.seller, ExportRoot, export_root)
            .await;
        assert!(
            matches!(again, Err(LicensingError::ExportedBefore)),
            "{again:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn guessing_codes_meets_a_limit_and_knowing_them_does_not() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let (license, token) = licensed(test, &shop).await;
        let known = code(test, license, &token).await.to_string();
        let server = test.serve().await;
        let browser = server.browser();
        let redeem = async |code: &str| {
            let body = json!({ "code": code });
            let (status, answer) = browser.post_json("/v1/licenses/redeem", &body).await;
            (status.as_u16(), answer["code"].clone())
        };
        let guess = RedeemCode::new("acme", [3; 10]).to_string();
        // A class room's worth of right ones, and of mistyped ones, are no guesses.
        let typo = format!("{}{}", &guess[1..2], &guess[1..]);
        for _ in 0..60 {
            assert_eq!(redeem(&known).await.0, 200);
            assert_eq!(redeem(&typo).await, (422, json!("code_mistyped")));
        }
        for _ in 0..40 {
            assert_eq!(redeem(&guess).await, (404, json!("code_unknown")));
        }
        assert_eq!(redeem(&guess).await, (429, json!("too_many_requests")));
        assert_eq!(redeem(&typo).await, (422, json!("code_mistyped")));
        // A device's request is no way around it.
        let asked = browser.request(reqwest::Method::POST, "/v1/activations");
        let asked = asked
            .header("content-type", "application/cose")
            .body(request_of(&guess));
        assert_eq!(asked.send().await.expect("an answer").status(), 429);
        test.clock.advance(6_000);
        assert_eq!(redeem(&guess).await.0, 404);
        assert_eq!(redeem(&guess).await.0, 429);
        server.stop().await;
    })
    .await;
}

fn request_of(code: &str) -> Vec<u8> {
    request(1, Wanted::Code(code.parse().expect("a code")))
}
