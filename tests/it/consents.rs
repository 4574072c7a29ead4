//! What a buyer agreed to is kept with the order, and a guest's order comes into an account.

use crate::shop::{Bought, bought, choose, shop};
use mintreu_server::domains::catalog;
use mintreu_server::domains::catalog::model::draft_of;
use mintreu_server::domains::catalog::ops::{UpdateProduct, update_product};
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

async fn quote(guest: &Browser, price: &str) -> Value {
    let body = json!({"items": [{"price_id": price}]});
    let (status, quoted) = guest.post_json("/v1/quotes", &body).await;
    assert_eq!(status, StatusCode::OK, "{quoted}");
    quoted
}

async fn confirm(guest: &Browser, quoted: &Value, accepted: &[&str]) -> (StatusCode, Value) {
    let body = json!({"quote": quoted["quote"], "email": "ada@example.org", "accepted": accepted});
    guest.post_json("/v1/quotes/confirmations", &body).await
}

fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_text_that_was_shown_is_kept_with_its_version_hash_and_instant() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let quoted = quote(&guest, &shop.price.to_string()).await;
        let texts = quoted["consents"].as_array().expect("texts");
        assert_eq!(texts.len(), 2, "{quoted}");
        let (status, problem) = confirm(&guest, &quoted, &[]).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("consent_missing"))
        );
        let (status, started) = confirm(&guest, &quoted, &["withdrawal_waiver"]).await;
        assert_eq!(status, StatusCode::CREATED, "{started}");
        let bought = bought(&started);
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        let (_, page) = guest.get_json(&bought.path()).await;
        let kept = page["consents"].as_array().expect("consents");
        for text in texts {
            let found = kept.iter().find(|kept| kept["kind"] == text["kind"]);
            let found = found.expect("it is kept");
            assert_eq!(found["version"], text["version"]);
            assert_eq!(found["version"], "2026-11-en");
            assert_eq!(
                found["text_sha256"],
                sha256(text["text"].as_str().expect("a text"))
            );
            assert_eq!(found["agreed_at"], mintreu_tests::test_app::START.ms());
        }
        let mails = test.mails().join("\n");
        assert!(
            mails.contains("2026-11-en") && mails.contains("lose my right to withdraw"),
            "{mails}"
        );
        // What is free is no purchase to withdraw from.
        let free = quote(&guest, &shop.free.to_string()).await;
        assert_eq!(free["consents"].as_array().map(Vec::len), Some(1), "{free}");
        assert_eq!(confirm(&guest, &free, &[]).await.0, StatusCode::CREATED);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_license_that_grants_something_else_than_was_shown_is_not_sold() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let quoted = quote(&guest, &shop.price.to_string()).await;
        let tenant = test.tenant();
        let price = shop.price;
        let offer = test
            .app
            .store
            .read(move |tx| catalog::offer(tx, tenant, price))
            .await;
        let product = offer
            .expect("reads")
            .expect("reads")
            .expect("an offer")
            .product;
        let mut draft = draft_of(&product);
        draft.terms.seats = 1;
        let update = UpdateProduct {
            product: product.id,
            draft,
        };
        test.app
            .transact(&shop.seller, update, update_product)
            .await
            .expect("is written");
        let (status, problem) = confirm(&guest, &quoted, &["withdrawal_waiver"]).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("quote_changed"))
        );
        assert_eq!(problem["changes"], json!([{"what": "terms"}]));
        let (status, _) = confirm(&guest, &problem["quote"], &["withdrawal_waiver"]).await;
        assert_eq!(status, StatusCode::CREATED);
        server.stop().await;
    })
    .await;
}

async fn account(browser: &Browser, email: &str) {
    let password = "a tame raven sings";
    let body = json!({"email": email, "name": "Ada", "password": password});
    let (status, made) = browser.post_json("/v1/accounts", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let door = json!({"email": email, "password": password});
    let (status, _) = browser.post_json("/v1/sessions", &door).await;
    assert_eq!(status, StatusCode::CREATED);
}

async fn claim(browser: &Browser, bought: &Bought, token: &str) -> u16 {
    let path = format!("/v1/orders/{}/claim?token={token}", bought.order);
    browser.post_json(&path, &Value::Null).await.0.as_u16()
}

#[tokio::test]
async fn a_guest_s_order_comes_into_the_account_with_its_address_and_token() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let quoted = quote(&guest, &shop.price.to_string()).await;
        let (_, started) = confirm(&guest, &quoted, &["withdrawal_waiver"]).await;
        let bought = bought(&started);
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        assert_eq!(claim(&guest, &bought, &bought.token).await, 401);
        let (other, ada) = (server.browser(), server.browser());
        account(&other, "other@example.org").await;
        account(&ada, "Ada@Example.org").await;
        // A token without the address, and the address without the token, are not enough.
        assert_eq!(claim(&other, &bought, &bought.token).await, 403);
        assert_eq!(claim(&ada, &bought, "wrong").await, 404);
        let (_, before) = ada.get_json("/v1/orders").await;
        assert_eq!(before["orders"], json!([]));
        for _ in 0..2 {
            assert_eq!(
                claim(&ada, &bought, &bought.token).await,
                204,
                "again changes nothing"
            );
        }
        let (_, after) = ada.get_json("/v1/orders").await;
        assert_eq!(after["orders"][0]["order_id"], bought.order);
        let (_, licenses) = ada.get_json("/v1/licenses").await;
        assert_eq!(
            licenses["licenses"].as_array().map(Vec::len),
            Some(1),
            "{licenses}"
        );
        assert_eq!(claim(&other, &bought, &bought.token).await, 409);
        server.stop().await;
    })
    .await;
}
