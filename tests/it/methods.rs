//! Payment methods: left at the provider, listed, chosen, charged, refused to others, and forgotten.

use crate::shop::{Bought, choose, listed, placed};
use crate::subscriptions::{Club, club};
use crate::web_pages::{page, send};
use crate::web_usage::{sign_in, signed_in};
use mintreu::id::PaymentId;
use mintreu::{Currency, Money};
use mintreu_server::gateways::sandbox::Sandbox;
use mintreu_server::gateways::{Charged, Gateway, SavedCharge};
use mintreu_server::store::{Row, Tx};
use mintreu_tests::{Browser, TestApp, TestServer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const MONTH_AND_A_DAY: u32 = 32;

/// A shop with a subscription, and Ada, who is signed in.
struct Desk<'a> {
    test: &'a TestApp,
    club: Club,
    ada: Browser,
}

impl<'a> Desk<'a> {
    async fn open(test: &'a TestApp, server: &TestServer) -> Self {
        let club = club(test).await;
        let (ada, _) = signed_in(server, "ada@buyer.example").await;
        Self { test, club, ada }
    }

    /// Ada leaves a card at the provider; answers where its page led back to.
    async fn leave(&self, card: &str) -> String {
        let path = json!({"return_path": "/subscriptions"});
        let (status, told) = self
            .ada
            .post_json("/v1/payment-methods/setups", &path)
            .await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
        // The newest is the one of the latest instant.
        self.test.clock.advance(1_000);
        let back = choose(&self.ada, &at(&told, "setup_url"), card).await;
        self.test.drain().await;
        back
    }

    async fn methods(&self) -> Vec<(String, String)> {
        methods(&self.ada).await
    }

    /// Ada subscribes with a card that pays; the subscription's path.
    async fn subscribed(&self) -> String {
        let order = json!({
            "price_id": self.club.cheap.to_string(), "amount_minor": 1_000, "currency": "EUR",
        });
        let bought = placed(&self.ada, &order).await;
        choose(&self.ada, &bought, "succeed").await;
        self.test.drain().await;
        let (_, told) = self.ada.get_json("/v1/subscriptions").await;
        let id = told["subscriptions"][0]["subscription_id"].as_str();
        format!("/v1/subscriptions/{}", id.expect("an id"))
    }

    async fn charge_to(&self, subscription: &str, method: &str) -> (StatusCode, Value) {
        put(&self.ada, &format!("{subscription}/method"), method).await
    }

    async fn remove(&self, method: &str) -> StatusCode {
        let path = format!("/v1/payment-methods/{method}");
        let sent = self.ada.request(Method::DELETE, &path).send().await;
        let status = sent.expect("an answer").status();
        self.test.drain().await;
        status
    }
}

async fn put(browser: &Browser, path: &str, method: &str) -> (StatusCode, Value) {
    let body = json!({"method": method});
    let sent = browser.request(Method::PUT, path).json(&body).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("json"))
}

/// Ids and labels, the newest first.
async fn methods(browser: &Browser) -> Vec<(String, String)> {
    let (status, told) = browser.get_json("/v1/payment-methods").await;
    assert_eq!(status, 200, "{told}");
    let all = told["payment_methods"].as_array().expect("a list");
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    all.iter()
        .map(|one| (text(one, "payment_method_id"), text(one, "label")))
        .collect()
}

fn at(told: &Value, name: &str) -> Bought {
    Bought::on_page(told[name].as_str().expect("a page"))
}

async fn state(browser: &Browser, subscription: &str) -> String {
    let (_, told) = browser.get_json(subscription).await;
    told["status"].as_str().expect("a state").to_owned()
}

#[tokio::test]
async fn a_card_is_left_without_paying_refused_or_proved_and_forgotten() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let desk = Desk::open(test, &server).await;
        assert!(
            page(&desk.ada, "/payment-methods")
                .await
                .contains("No payment method yet")
        );
        let back = desk.leave("succeed").await;
        assert!(back.ends_with("/subscriptions"), "{back}");
        desk.leave("decline").await;
        let (_, told) = desk
            .ada
            .post_json("/v1/payment-methods/setups", &json!({}))
            .await;
        let proof = at(&told, "setup_url");
        test.clock.advance(1_000);
        choose(&desk.ada, &proof, "challenge").await;
        choose(&desk.ada, &proof, "confirm").await;
        test.drain().await;
        let labels = |all: Vec<(String, String)>| -> Vec<String> {
            all.into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(
            labels(desk.methods().await),
            ["Visa •••• 3220", "Visa •••• 4242"],
            "what was refused is not there"
        );
        let shown = page(&desk.ada, "/payment-methods").await;
        assert!(shown.contains("Visa •••• 4242, until 2034-12"), "{shown}");
        // By the page too, which leads back into the shop alone.
        for (next, back) in [
            ("/p/club-app", "/p/club-app"),
            ("//evil.example", "/payment-methods"),
        ] {
            let add = "/payment-methods/add";
            let (status, pay_url, text) =
                send(&desk.ada, "/payment-methods", add, &[("next", next)]).await;
            assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
            let begun = Bought::on_page(pay_url);
            let led = choose(&desk.ada, &begun, "decline").await;
            assert!(led.ends_with(back) && !led.contains("evil"), "{led}");
        }
        test.drain().await;
        let (id, _) = desk.methods().await[1].clone();
        let remove = format!("/payment-methods/{id}/remove");
        let (status, _, text) = send(&desk.ada, "/payment-methods", &remove, &[]).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        test.drain().await;
        assert_eq!(labels(desk.methods().await), ["Visa •••• 3220"]);
        assert_eq!(desk.remove(&id).await, StatusCode::UNPROCESSABLE_ENTITY);
        for away in ["https://evil.example", "//evil.example", "subscriptions"] {
            let body = json!({"return_path": away});
            let (status, told) = desk
                .ada
                .post_json("/v1/payment-methods/setups", &body)
                .await;
            assert_eq!(
                (status.as_u16(), &told["field"]),
                (422, &json!("return_path"))
            );
        }
        let guest = server.browser();
        let (status, _) = guest
            .post_json("/v1/payment-methods/setups", &json!({}))
            .await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        server.stop().await;
    })
    .await;
}

/// Each subscription says what it is charged to; what pays something stays until another does.
#[tokio::test]
async fn a_subscription_keeps_the_card_that_began_it_until_another_is_chosen() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let desk = Desk::open(test, &server).await;
        let subscription = desk.subscribed().await;
        let first = desk.methods().await;
        assert_eq!(
            first.len(),
            1,
            "the card that paid, and was said to be kept: {first:?}"
        );
        let shown = page(&desk.ada, &subscription["/v1".len()..]).await;
        assert!(shown.contains("Visa •••• 4242"), "{shown}");
        assert_eq!(desk.remove(&first[0].0).await, StatusCode::CONFLICT);
        assert!(
            page(&desk.ada, "/payment-methods")
                .await
                .contains("Club App")
        );

        // One without money: the renewal is declined, another is charged at once.
        desk.leave("insufficient_funds").await;
        let poor = desk.methods().await[0].clone();
        assert_eq!(poor.1, "Visa •••• 9995");
        let (status, told) = desk.charge_to(&subscription, &poor.0).await;
        assert_eq!(status, StatusCode::OK, "{told}");
        assert_eq!(
            desk.remove(&first[0].0).await,
            StatusCode::NO_CONTENT,
            "it pays nothing now"
        );
        for _ in 0..MONTH_AND_A_DAY {
            test.clock.advance(86_400_000);
            test.drain().await;
        }
        sign_in(&desk.ada, "ada@buyer.example").await;
        assert_eq!(state(&desk.ada, &subscription).await, "past_due");
        desk.leave("succeed").await;
        let good = desk.methods().await[0].clone();
        assert_eq!(
            desk.charge_to(&subscription, &good.0).await.0,
            StatusCode::OK
        );
        test.drain().await;
        assert_eq!(state(&desk.ada, &subscription).await, "active");
        assert_eq!(desk.remove(&poor.0).await, StatusCode::NO_CONTENT);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_charges_lists_or_removes_the_card_of_another() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let desk = Desk::open(test, &server).await;
        desk.leave("succeed").await;
        let (card, _) = desk.methods().await[0].clone();
        let (eve, _) = signed_in(&server, "eve@buyer.example").await;
        assert_eq!(methods(&eve).await, []);
        let order = json!({
            "price_id": desk.club.cheap.to_string(), "amount_minor": 1_000, "currency": "EUR",
        });
        let bought = placed(&eve, &order).await;
        choose(&eve, &bought, "succeed").await;
        test.drain().await;
        let (_, told) = eve.get_json("/v1/subscriptions").await;
        let id = told["subscriptions"][0]["subscription_id"]
            .as_str()
            .expect("an id");
        let path = format!("/v1/subscriptions/{id}/method");
        let (status, told) = put(&eve, &path, &card).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (422, &json!("method_unknown"))
        );
        // Nor by the provider's own names: those of a payment, a setup.
        for name in ["pay_", "pms_"] {
            let (status, _) = put(&eve, &path, &card.replace("pmt_", name)).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let removed = eve.request(Method::DELETE, &format!("/v1/payment-methods/{card}"));
        let removed = removed.send().await.expect("an answer").status();
        assert_eq!(removed, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(desk.methods().await.len(), 1);
        server.stop().await;
    })
    .await;
}

/// Who tries cards tries many: setups are counted.
#[tokio::test]
async fn too_many_setups_are_told_to_wait() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let desk = Desk::open(test, &server).await;
        let mut last = StatusCode::OK;
        let mut begun = 0;
        while last != StatusCode::TOO_MANY_REQUESTS {
            let sent = desk
                .ada
                .post_json("/v1/payment-methods/setups", &json!({}))
                .await;
            last = sent.0;
            begun += i32::from(last == StatusCode::CREATED);
            assert!(begun <= 10, "more than ten at once");
        }
        assert_eq!(begun, 10);
        server.stop().await;
    })
    .await;
}

/// What a charge of that method comes to at the provider.
async fn charged(test: &TestApp, nth: u8, method: &str) -> Charged {
    let charge = SavedCharge {
        tenant: test.tenant(),
        payment: PaymentId::from_bytes([nth; 16]),
        method: method.to_owned(),
        amount: Money::new(500, Currency::EUR),
        description: "A charge".to_owned(),
    };
    let charged = Sandbox.charge_saved(&test.app, &charge).await;
    charged.expect("the provider answers")
}

/// The names that the provider knows what was left by, of setups or of payments.
async fn names(test: &TestApp, prefix: &'static str) -> Vec<String> {
    let read = |tx: &mut dyn Tx| tx.query("SELECT reference FROM sandbox_session", &[]);
    let rows = test.app.store.read(read).await;
    let rows = rows.expect("reads").expect("rows");
    let text = |row: &Row| row.text("reference").expect("a name");
    rows.iter()
        .map(text)
        .filter(|name| name.starts_with(prefix))
        .collect()
}

/// The provider itself charges only what its page said that it keeps, as long as it keeps it.
#[tokio::test]
async fn what_is_not_kept_is_not_charged() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let desk = Desk::open(test, &server).await;
        let once = listed(
            test,
            &desk.club.seller,
            json!({
                "code": "club.badge", "kind": "download", "name": "Badge", "summary": "Shines.",
                "categories": ["tools"],
                "prices": [{"model": "one_time", "amount_minor": 500, "currency": "EUR"}],
            }),
        )
        .await;
        let order = json!({
            "price_id": once.prices[0].id.to_string(), "amount_minor": 500, "currency": "EUR",
        });
        let bought = placed(&desk.ada, &order).await;
        choose(&desk.ada, &bought, "succeed").await;
        test.drain().await;
        let paid = names(test, "pay_").await;
        let unknown = Charged::Refused("method_unknown");
        assert_eq!(charged(test, 1, &paid[0]).await, unknown, "it paid once");
        assert_eq!(desk.methods().await, [], "and is in no list");
        desk.leave("succeed").await;
        let left = names(test, "pms_").await;
        let done = charged(test, 2, &left[0]).await;
        assert!(matches!(done, Charged::Succeeded { .. }), "{done:?}");
        let (id, _) = desk.methods().await[0].clone();
        assert_eq!(desk.remove(&id).await, StatusCode::NO_CONTENT);
        assert_eq!(charged(test, 3, &left[0]).await, unknown, "it is forgotten");
        server.stop().await;
    })
    .await;
}
