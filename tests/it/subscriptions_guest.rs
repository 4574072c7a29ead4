//! Who subscribes without an account: told that it renews, and able to end it.

use crate::shop::paid;
use crate::subscriptions::{club, facts, travel};
use crate::subscriptions_money::coupon;
use crate::web_pages::{hidden, page};
use crate::web_papers::account;
use axum::http::Method;
use mintreu::Clock;
use mintreu_server::domains::taxes::{Place, Policy, SetPolicy, set_policy};
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

#[tokio::test]
async fn who_puts_the_order_into_an_account_has_its_subscription_there() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let ada = server.browser();
        let order = json!({
            "price_id": club.cheap.to_string(), "amount_minor": 1000, "currency": "EUR",
            "email": "ada@buyer.example",
        });
        let bought = paid(test, &ada, &order).await;
        account(&ada, "ada@buyer.example").await;
        let list = async || ada.get_json("/v1/subscriptions").await.1["subscriptions"].clone();
        assert_eq!(list().await, json!([]));
        let claim = format!("/v1/orders/{}/claim?token={}", bought.order, bought.token);
        let (claimed, body) = ada.post_json(&claim, &json!({})).await;
        assert!(claimed.is_success(), "{body}");
        let mine = list().await;
        let id = mine[0]["subscription_id"].as_str().expect("it is there");
        assert!(
            page(&ada, &format!("/subscriptions/{id}"))
                .await
                .contains("It renews on")
        );
        server.stop().await;
    })
    .await;
}

async fn tax_on_top(test: &TestApp) {
    let policy = Policy {
        home: Some(Place::of("DE", None).expect("a place")),
        inclusive: false,
    };
    let owner = test.system();
    let set = test
        .app
        .transact(&owner, SetPolicy { policy }, set_policy)
        .await;
    set.expect("is set");
}

/// Where tax comes on top, what a page says is charged is what is charged.
#[tokio::test]
async fn amounts_are_told_with_the_tax_that_comes_on_top() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        tax_on_top(test).await;
        let ada = server.browser();
        account(&ada, "ada@buyer.example").await;
        let order = json!({
            "price_id": club.cheap.to_string(), "amount_minor": 1190, "currency": "EUR",
        });
        paid(test, &ada, &order).await;
        let (_, mine) = ada.get_json("/v1/subscriptions").await;
        let id = mine["subscriptions"][0]["subscription_id"].as_str();
        let base = format!("/subscriptions/{}", id.expect("it is there"));
        let shown = page(&ada, &base).await;
        assert!(shown.contains("for €11.90"), "{shown}");
        // 150.00 less 30 of 31 days of 10.00 is 140.32, and 26.66 of tax.
        let asked = page(&ada, &format!("{base}?price={}", club.yearly)).await;
        assert!(asked.contains("€166.98 are charged now"), "{asked}");
        let quote = format!("/v1{base}/quote?price_id={}", club.yearly);
        let (_, quote) = ada.get_json(&quote).await;
        assert_eq!(quote["due_minor"], 14_032);
        assert_eq!(quote["tax_on_top_minor"], 2_666);
        server.stop().await;
    })
    .await;
}

/// Three quarters of 150.00 are 112.50, and 19 % on top make 133.88; the code lasts for two years.
#[tokio::test]
async fn pages_reminders_and_receipts_say_what_is_charged_with_code_and_tax() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        tax_on_top(test).await;
        let rule = json!({"percent_bps": 2500, "lasts": {"cycles": 2}});
        coupon(test, &club, "TWICE", rule).await;
        let ada = server.browser();
        account(&ada, "ada@buyer.example").await;
        let order = json!({
            "price_id": club.yearly.to_string(), "amount_minor": 13388, "currency": "EUR",
            "codes": ["TWICE"],
        });
        paid(test, &ada, &order).await;
        let (_, mine) = ada.get_json("/v1/subscriptions").await;
        let id = mine["subscriptions"][0]["subscription_id"].as_str();
        let base = format!("/subscriptions/{}", id.expect("it is there"));
        let shown = page(&ada, &base).await;
        assert!(shown.contains("for €133.88"), "{shown}");
        let begun = Clock::now(&*test.clock);
        let mails = async |days: i64, subject: &str| {
            test.clock.set(begun.plus_ms(days * 86_400_000));
            test.drain().await;
            let all = test.mails().into_iter();
            let mails: Vec<_> = all.filter(|mail| mail.contains(subject)).collect();
            mails.concat()
        };
        let reminder = mails(359, "renews soon").await;
        assert!(reminder.contains("133.88"), "{reminder}");
        assert!(!reminder.contains("150.00"), "{reminder}");
        let receipt = mails(366, "Receipt for").await;
        assert!(receipt.contains("133.88"), "{receipt}");
        // The code is used up: what follows is charged in full.
        let reminder = mails(725, "renews soon").await;
        assert!(reminder.contains("178.50"), "{reminder}");
        server.stop().await;
    })
    .await;
}
