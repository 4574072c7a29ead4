//! Buying over HTTP: every card of the sandbox, every delivery of its webhooks, once each.

use crate::shop::{Bought, Shop, bought, check_out, choose, order_of, shop};
use mintreu::license::{Trust, verify};
use mintreu_tests::test_server::answer;
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn page(guest: &Browser, bought: &Bought) -> Value {
    let (status, page) = guest.get_json(&bought.path()).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page
}

fn licenses(page: &Value) -> usize {
    page["licenses"].as_array().map_or(0, Vec::len)
}

/// Buys with one card and answers the page once the due jobs have run.
async fn buy(test: &TestApp, guest: &Browser, shop: &Shop, card: &str) -> (Bought, Value) {
    let bought = check_out(guest, shop).await;
    assert_eq!(page(guest, &bought).await["state"], "awaiting_payment");
    let back = choose(guest, &bought, card).await;
    assert!(
        back.ends_with(&format!("/orders/{}?t={}", bought.order, bought.token)),
        "{back}"
    );
    test.drain().await;
    let page = page(guest, &bought).await;
    (bought, page)
}

#[tokio::test]
async fn a_card_that_pays_gives_one_license_that_verifies_offline() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (_, page) = buy(test, &guest, &shop, "succeed").await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("paid"), 1),
            "{page}"
        );
        let (_, trust) = guest.get_json("/v1/products/acme-editor/trust").await;
        let trust: Trust = trust["trust"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("a trust");
        let text = page["licenses"][0]["document"].as_str().expect("a text");
        let bundle = mintreu::document::from_text(text).expect("a bundle");
        let license = verify(&bundle, &trust).expect("verifies");
        assert_eq!(license.claims().product, "acme.editor");
        assert!(license.claims().entitlement("export-4k").is_some());
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_declined_card_leaves_an_order_that_can_be_paid_again() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (first, page) = buy(test, &guest, &shop, "decline").await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("failed"), 0),
            "{page}"
        );
        assert_eq!(page["failure_code"], "card_declined");
        let again = format!("/v1/orders/{}/payments?token={}", first.order, first.token);
        let (status, started) = guest.post_json(&again, &Value::Null).await;
        assert_eq!(status, 201, "{started}");
        let second = bought(&started);
        assert_eq!(second.order, first.order);
        assert_ne!(second.pay_url, first.pay_url);
        choose(&guest, &second, "succeed").await;
        // The page of the first attempt is over; choosing there again changes nothing.
        choose(&guest, &first, "succeed").await;
        test.drain().await;
        let (_, page) = guest.get_json(&first.path()).await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("paid"), 1),
            "{page}"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_challenge_is_passed_or_failed() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        for (proof, state, count) in [("confirm", "paid", 1), ("reject", "failed", 0)] {
            let bought = check_out(&guest, &shop).await;
            let back = choose(&guest, &bought, "challenge").await;
            assert!(back.starts_with("/sandbox/pay/sbx_"), "{back}");
            test.drain().await;
            assert_eq!(
                page(&guest, &bought).await["payment_state"],
                "action_required"
            );
            let html = guest.get(&back).await.text().await.expect("a page");
            assert!(
                html.contains("value=\"confirm\"") && html.contains("49.00 EUR"),
                "{html}"
            );
            choose(&guest, &bought, proof).await;
            test.drain().await;
            let page = page(&guest, &bought).await;
            assert_eq!(
                (&page["state"], licenses(&page)),
                (&json!(state), count),
                "{page}"
            );
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_late_webhook_pays_late_and_repeated_ones_pay_once() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (late, before) = buy(test, &guest, &shop, "delayed").await;
        assert_eq!(before["state"], "awaiting_payment");
        test.clock.advance(5_000);
        test.drain().await;
        let after = page(&guest, &late).await;
        assert_eq!(
            (&after["state"], licenses(&after)),
            (&json!("paid"), 1),
            "{after}"
        );
        let (_, page) = buy(test, &guest, &shop, "duplicate").await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("paid"), 1),
            "{page}"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn money_that_comes_after_an_order_expired_still_pays_it() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let bought = check_out(&guest, &shop).await;
        test.clock.advance(24 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(page(&guest, &bought).await["state"], "expired");
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        let page = page(&guest, &bought).await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("paid"), 1),
            "{page}"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_free_needs_no_payment() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (status, started) = guest
            .post_json("/v1/checkouts", &order_of(shop.free, 0))
            .await;
        assert_eq!(
            (status.as_u16(), &started["pay_url"]),
            (201, &Value::Null),
            "{started}"
        );
        let page = page(&guest, &bought(&started)).await;
        assert_eq!(
            (&page["state"], licenses(&page)),
            (&json!("paid"), 1),
            "{page}"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_placed_at_a_price_that_was_not_seen() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (status, problem) = guest
            .post_json("/v1/checkouts", &order_of(shop.price, 100))
            .await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("price_changed"))
        );
        assert_eq!(problem["quote"]["amount_minor"], 4900, "{problem}");
        for (field, value, code) in [
            ("email", json!(""), "email_missing"),
            ("email", json!("nobody"), "email_malformed"),
            ("quantity", json!(0), "quantity_out_of_range"),
            ("currency", json!("XXX"), "currency_unknown"),
            (
                "price_id",
                json!("prc_00000000000000000000000000"),
                "offer_gone",
            ),
            ("provider", json!("nobody"), "provider_unknown"),
        ] {
            let mut order = order_of(shop.price, 4900);
            order[field] = value;
            let (_, problem) = guest.post_json("/v1/checkouts", &order).await;
            assert_eq!(problem["code"], code, "{problem}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_same_key_buys_once_and_another_order_under_it_is_refused() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let send = async |order: &Value| {
            let sent = guest.request(Method::POST, "/v1/checkouts");
            let sent = sent
                .header("idempotency-key", "k-1")
                .json(order)
                .send()
                .await;
            answer(sent.expect("an answer")).await
        };
        let order = order_of(shop.price, 4900);
        let (first, second) = (send(&order).await, send(&order).await);
        assert_eq!(first.0, 201, "{}", first.1);
        assert_eq!(first.1, second.1);
        let (status, problem) = send(&order_of(shop.free, 0)).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("idempotency_key_reused"))
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_order_is_seen_with_its_token_and_sales_by_their_seller_alone() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (bought, _) = buy(test, &guest, &shop, "succeed").await;
        let path = format!("/v1/orders/{}", bought.order);
        for token in ["", "?token=", "?token=wrong"] {
            let (status, _) = guest.get_json(&format!("{path}{token}")).await;
            assert_eq!(status, 404, "{token:?}");
        }
        let pay = format!("{path}/payments?token=wrong");
        assert_eq!(guest.post_json(&pay, &Value::Null).await.0, 404);
        assert_eq!(guest.get_json("/v1/sales").await.0, 401);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_webhook_that_is_not_signed_changes_nothing() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let bought = check_out(&guest, &shop).await;
        let forged = json!({
            "id": "sev_forged", "type": "payment.succeeded", "session": "sbx_x",
            "reference": "pay_00000000000000000000000000", "amount_minor": 4900,
            "currency": "EUR", "created_at": 0,
        });
        let webhook = "/v1/payments/webhooks/sandbox";
        let (status, problem) = guest.post_json(webhook, &forged).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (400, &json!("signature_invalid"))
        );
        let (status, _) = guest
            .post_json("/v1/payments/webhooks/nobody", &forged)
            .await;
        assert_eq!(status, 404);
        test.drain().await;
        assert_eq!(page(&guest, &bought).await["state"], "awaiting_payment");
        server.stop().await;
    })
    .await;
}
