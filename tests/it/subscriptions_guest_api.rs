//! Who subscribes without an account, by programs: ended by the order's token, and paid with another
//! method, which is charged for that subscription alone.

use crate::shop::{Bought, choose, paid};
use crate::subscriptions::{Club, club, facts, travel};
use crate::web_pages::{hidden, page};
use crate::web_papers::account;
use axum::http::Method;
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

async fn subscribed(test: &TestApp, club: &Club, guest: &Browser) -> Bought {
    let order = json!({
        "price_id": club.cheap.to_string(), "amount_minor": 1000, "currency": "EUR",
        "email": "guest@example.org",
    });
    paid(test, guest, &order).await
}

/// What the order began, as its token shows it.
async fn begun(guest: &Browser, bought: &Bought) -> Value {
    let path = format!(
        "/v1/orders/{}/subscriptions?token={}",
        bought.order, bought.token
    );
    let (status, told) = guest.get_json(&path).await;
    assert_eq!(status, 200, "{told}");
    told["subscriptions"][0].clone()
}

fn under(bought: &Bought, of: &Value, what: &str, token: &str) -> String {
    let id = of["subscription_id"].as_str().expect("an id");
    format!(
        "/v1/orders/{}/subscriptions/{id}/{what}{token}",
        bought.order
    )
}

async fn post(guest: &Browser, path: &str, body: Value) -> (u16, Value) {
    let (status, told) = guest.post_json(path, &body).await;
    (status.as_u16(), told)
}

#[tokio::test]
async fn a_guest_s_program_ends_it_and_takes_that_back() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let (guest, other) = (server.browser(), server.browser());
        let bought = subscribed(test, &club, &guest).await;
        let elsewhere = subscribed(test, &club, &other).await;
        let of = begun(&guest, &bought).await;
        assert_eq!(of["status"], "active", "{of}");
        let token = format!("?token={}", bought.token);
        let end = under(&bought, &of, "end", &token);
        // Not without the token, not by another order's, and nothing of another order.
        let theirs = format!("?token={}", elsewhere.token);
        for path in [
            under(&bought, &of, "end", ""),
            under(&bought, &of, "end", &theirs),
            under(&elsewhere, &of, "end", &theirs),
            under(
                &bought,
                &json!({"subscription_id": "sub_none"}),
                "end",
                &token,
            ),
        ] {
            assert_eq!(
                post(&guest, &path, json!({"ends": true})).await.0,
                404,
                "{path}"
            );
        }
        for ends in [true, false, true] {
            let (status, told) = post(&guest, &end, json!({"ends": ends})).await;
            assert_eq!(status, 200, "{told}");
            assert_eq!(told["subscriptions"][0]["cancel_at_period_end"], ends);
        }
        travel(test, "2027-02-15").await;
        assert_eq!(facts(test, "subscription.ended").await, 1);
        assert_eq!(facts(test, "subscription.renewed").await, 1, "the other's");
        // Over is over, said once more or not; nobody takes that back.
        assert_eq!(post(&guest, &end, json!({"ends": true})).await.0, 200);
        let (status, told) = post(&guest, &end, json!({"ends": false})).await;
        assert_eq!(
            (status, &told["code"]),
            (409, &json!("subscription_status"))
        );
        server.stop().await;
    })
    .await;
}

/// Leaves a card for it; answers where the provider's page leads back to.
async fn left(
    test: &TestApp,
    guest: &Browser,
    (bought, of): (&Bought, &Value),
    card: &str,
) -> String {
    let token = format!("?token={}", bought.token);
    let path = under(bought, of, "method-setups", &token);
    let (status, told) = post(guest, &path, json!({})).await;
    assert_eq!(status, 201, "{told}");
    let page = Bought::on_page(told["setup_url"].as_str().expect("a page"));
    let back = choose(guest, &page, card).await;
    test.drain().await;
    back
}

#[tokio::test]
async fn a_guest_leaves_another_method_that_is_charged_for_that_alone() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let (guest, other) = (server.browser(), server.browser());
        let bought = subscribed(test, &club, &guest).await;
        let elsewhere = subscribed(test, &club, &other).await;
        let of = begun(&guest, &bought).await;
        let back = left(test, &guest, (&bought, &of), "insufficient_funds").await;
        assert!(
            back.contains(&format!("/orders/{}?t=", bought.order)),
            "{back}"
        );
        travel(test, "2027-02-15").await;
        assert_eq!(begun(&guest, &bought).await["status"], "past_due");
        assert_eq!(begun(&other, &elsewhere).await["status"], "active");
        // One that is refused changes nothing; one that pays is charged at once.
        left(test, &guest, (&bought, &of), "decline").await;
        assert_eq!(begun(&guest, &bought).await["status"], "past_due");
        let base = format!("/orders/{}", bought.order);
        let shown = page(&guest, &format!("{base}?t={}", bought.token)).await;
        assert!(shown.contains("Pay with another method"), "{shown}");
        let form = [
            ("csrf", hidden(&shown, "csrf")),
            ("subscription", hidden(&shown, "subscription")),
        ];
        let leave = format!("{base}/subscription/method?t={}", bought.token);
        let sent = guest.request(Method::POST, &leave).form(&form).send().await;
        let sent = sent.expect("an answer");
        assert_eq!(sent.status(), 303);
        let page = sent.headers()["location"].to_str().expect("a page");
        choose(&guest, &Bought::on_page(page), "succeed").await;
        test.drain().await;
        assert_eq!(begun(&guest, &bought).await["status"], "active");
        assert_eq!(facts(test, "subscription.recovered").await, 1);
        // Nobody leaves one without the token, for another's, or for what is over.
        let theirs = format!("?token={}", elsewhere.token);
        for path in [
            under(&bought, &of, "method-setups", ""),
            under(&elsewhere, &of, "method-setups", &theirs),
        ] {
            assert_eq!(post(&guest, &path, json!({})).await.0, 404, "{path}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn once_it_is_in_an_account_no_link_changes_what_is_charged() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let (guest, ada) = (server.browser(), server.browser());
        let bought = subscribed(test, &club, &guest).await;
        let of = begun(&guest, &bought).await;
        let token = format!("?token={}", bought.token);
        let path = under(&bought, &of, "method-setups", &token);
        let (_, told) = post(&guest, &path, json!({})).await;
        let page = Bought::on_page(told["setup_url"].as_str().expect("a page"));
        account(&ada, "guest@example.org").await;
        let claim = format!("/v1/orders/{}/claim{token}", bought.order);
        assert_eq!(post(&ada, &claim, json!({})).await.0, 204);
        choose(&guest, &page, "insufficient_funds").await;
        test.drain().await;
        assert_eq!(facts(test, "subscription.method_changed").await, 0);
        let (status, told) = post(&guest, &path, json!({})).await;
        assert_eq!(
            (status, &told["code"]),
            (409, &json!("subscription_of_account"))
        );
        travel(test, "2027-02-15").await;
        assert_eq!(facts(test, "subscription.renewed").await, 1);
        server.stop().await;
    })
    .await;
}
