//! Who subscribes without an account: told that it renews, and able to end it.

use crate::shop::paid;
use crate::subscriptions::{club, facts, travel};
use crate::web_pages::{hidden, page};
use axum::http::Method;
use mintreu_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_guest_is_told_that_it_renews_and_ends_it_by_the_order_s_link() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let guest = server.browser();
        let shown = page(&guest, "/p/club-app").await;
        assert!(shown.contains("until you end it"), "{shown}");
        let order = json!({
            "price_id": club.cheap.to_string(), "amount_minor": 1000, "currency": "EUR",
            "email": "guest@example.org",
        });
        let bought = paid(test, &guest, &order).await;
        let base = format!("/orders/{}", bought.order);
        let path = format!("{base}?t={}", bought.token);
        let shown = page(&guest, &path).await;
        assert!(shown.contains("It renews on"), "{shown}");
        let receipt = test.mails().concat();
        assert!(receipt.contains("renews by itself"), "{receipt}");
        let end = format!("{base}/subscription?t={}", bought.token);
        let wish = async |ends: &str, path: &str| {
            let form = [
                ("csrf", hidden(&shown, "csrf")),
                ("subscription", hidden(&shown, "subscription")),
                ("ends", ends.to_owned()),
            ];
            let post = guest.request(Method::POST, path).form(&form);
            post.send().await.expect("an answer").status().as_u16()
        };
        // Without the link it is nobody's.
        assert_eq!(wish("yes", &format!("{base}/subscription")).await, 404);
        assert_eq!(wish("yes", &end).await, 303);
        assert!(page(&guest, &path).await.contains("It ends on"));
        assert_eq!(wish("no", &end).await, 303);
        assert!(page(&guest, &path).await.contains("It renews on"));
        assert_eq!(wish("yes", &end).await, 303);
        travel(test, "2027-02-15").await;
        assert_eq!(facts(test, "subscription.renewed").await, 0);
        assert_eq!(facts(test, "subscription.ended").await, 1);
        server.stop().await;
    })
    .await;
}
