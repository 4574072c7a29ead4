//! The page of one's own orders.

use crate::money_back::Desk;
use crate::web_pages::page;
use crate::web_papers::account;
use mintreu_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_buyer_finds_each_own_order_and_nobody_else_s() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let ada = server.browser();
        account(&ada, "ada@buyer.example").await;
        assert!(page(&ada, "/orders").await.contains("nothing yet"));
        let body = json!({
            "price_id": desk.shop.price.to_string(), "amount_minor": 4_900, "currency": "EUR",
        });
        let (made, started) = ada.post_json("/v1/checkouts", &body).await;
        assert_eq!(made, 201, "{started}");
        let order = started["order_id"].as_str().expect("an id");
        // It waits for its money, and is there all the same.
        let list = page(&ada, "/orders").await;
        let found = format!("href=\"/orders/{order}\"");
        assert!(list.contains(&found) && list.contains("49.00"), "{list}");
        let other = server.browser();
        account(&other, "eve@buyer.example").await;
        assert!(!page(&other, "/orders").await.contains(order));
        let stranger = server.browser().get("/orders").await;
        assert_ne!(stranger.status(), 200, "it asks to sign in");
        server.stop().await;
    })
    .await;
}
