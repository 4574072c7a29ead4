//! The customer's usage page: by meter, period and dimension, and nobody else's.

use crate::metered::{Device, SELLER, Sold, person, report, sold_to};
use crate::web_pages::page;
use mintreu_server::caller::Role;
use mintreu_server::domains::billing::{
    BillingError, PeriodOfLicense, UsageOfLicense, license_usage, past_period,
};
use mintreu_server::domains::catalog::model::{Quota, Window};
use mintreu_tests::TestApp;
use mintreu_tests::test_server::{Browser, TestServer};
use reqwest::StatusCode;
use serde_json::json;

const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 100", "EUR per_unit 0.00"];
const DAY_MS: u32 = 86_400_000;
const PASSWORD: &str = "a tame raven sings";

/// A browser of somebody with an account, signed in, and the account's id.
pub async fn signed_in(server: &TestServer, email: &str) -> (Browser, String) {
    let browser = server.browser();
    let body = json!({"email": email, "name": "Ada", "password": PASSWORD});
    let (status, account) = browser.post_json("/v1/accounts", &body).await;
    assert_eq!(status, 201, "{account}");
    sign_in(&browser, email).await;
    let id = account["account_id"].as_str().expect("an id").to_owned();
    (browser, id)
}

pub async fn sign_in(browser: &Browser, email: &str) {
    let body = json!({"email": email, "password": PASSWORD});
    let (status, _) = browser.post_json("/v1/sessions", &body).await;
    assert!(status.is_success(), "{status}");
}

/// A license of Ada's with usage in two periods, by model, and a daily quota.
async fn used(test: &TestApp, account: &str) -> Sold {
    let sold = sold_to(test, TARIFFS, account.parse().expect("an id")).await;
    let quota = Quota {
        shared: true,
        ..Quota::new("calls", 500, Window::Day)
    };
    let license = crate::metered::sell_with(test, &sold, vec![quota]).await;
    let sold = Sold { license, ..sold };
    let mut device = Device::activated(test, 1, license).await;
    let first = device.seal_split(test, "model", &[("big", 150), ("<i>", 5)]);
    report(test, &first).await.expect("is believed");
    test.clock.advance(31 * DAY_MS);
    test.drain().await;
    test.clock.advance(2 * DAY_MS);
    let second = device.seal_split(test, "model", &[("big", 350), ("<i>", 15)]);
    report(test, &second).await.expect("is believed");
    sold
}

#[tokio::test]
async fn a_customer_sees_usage_by_meter_period_and_dimension() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let empty = page(&ada, "/usage").await;
        assert!(empty.contains("Nothing is counted yet"), "{empty}");
        let sold = used(test, &account).await;
        let license = sold.license;
        // Months later the session is over.
        sign_in(&ada, "ada@buyer.example").await;
        let text = page(&ada, &format!("/usage?license={license}&by=model")).await;
        for part in [
            "calls by model",
            "<th scope=\"row\"><bdi>big</bdi></th>",
            "<bdi>&#60;i&#62;</bdi>",
            ">200</td>",
            ">350</td>",
            "210 of 500 used",
            "290 left",
            "It begins anew on",
            "How the projected bill is worked out",
            "Usage of the first 2 of 28 days",
            "Earlier periods",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
        assert!(!text.contains("<i>"), "what a device says is never markup");
        let earlier = page(&ada, &format!("/usage?license={license}&period=0")).await;
        for part in [
            "The running period",
            "€0.55",
            "55 × 0.01 = 0.55 EUR",
            ">155<",
        ] {
            assert!(earlier.contains(part), "{part} is missing in {earlier}");
        }
        // Without scripts there is nothing less: no part of it is made by one.
        assert!(!text.contains("<script>"), "{text}");
        let unknown = ada.get(&format!("/usage?license={license}&period=7")).await;
        assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn usage_of_others_is_not_there() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (_, account) = signed_in(&server, "ada@buyer.example").await;
        let sold = used(test, &account).await;
        let license = sold.license;
        let (eve, account) = signed_in(&server, "eve@buyer.example").await;
        for query in ["", "&period=0", "&by=model"] {
            let found = eve.get(&format!("/usage?license={license}{query}")).await;
            assert_eq!(found.status(), StatusCode::NOT_FOUND, "{query}");
        }
        let own = page(&eve, "/usage").await;
        assert!(!own.contains("calls"), "{own}");
        let eve = person(test, account.parse().expect("an id"), Role::Customer);
        let now = test.app.now();
        let running = UsageOfLicense::of_days(license, now, 3);
        let running = test.app.read(&eve, running, license_usage).await;
        assert!(matches!(running, Err(BillingError::NotFound)));
        let past = PeriodOfLicense { license, period: 0 };
        let refused = test.app.read(&eve, past, past_period).await;
        assert!(matches!(refused, Err(BillingError::NotFound)));
        // The negative control: who earns by it sees it.
        let seller = person(test, SELLER, Role::Developer);
        let seen = test.app.read(&seller, past, past_period).await;
        assert_eq!(seen.expect("is shown").meters[0].units, 155);
        server.stop().await;
    })
    .await;
}
