//! The page of one's orders: what is on it, whose it is, by state and page by page.

use crate::shop::{check_out, choose, order_of, paid, placed, shop};
use crate::web_pages::{hidden, page};
use crate::web_papers::account;
use mintreu_server::gateways::sandbox::objects::{ObjectState, Raise, raise_dispute};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::json;

const EMAIL: &str = "guest@example.org";

/// The rows of the list: what stands between one order's link and the next.
fn rows(text: &str) -> Vec<&str> {
    let body = text.split_once("<tbody>").map_or("", |(_, rest)| rest);
    body.split("<tr>").skip(1).collect()
}

fn row_of<'a>(text: &'a str, order: &str) -> &'a str {
    let mut found = rows(text).into_iter();
    let found = found.find(|row| row.contains(order));
    found.unwrap_or_else(|| panic!("{order} isn't listed: {text}"))
}

async fn listed(browser: &Browser, path: &str) -> usize {
    rows(&page(browser, path).await).len()
}

#[tokio::test]
async fn a_buyer_finds_every_order_by_its_state_and_pays_what_failed() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let (ada, guest) = (server.browser(), server.browser());
        account(&ada, EMAIL).await;
        let empty = page(&ada, "/orders").await;
        assert!(empty.contains("Nothing ordered yet"), "{empty}");
        assert!(empty.contains("href=\"/orders\""), "it is in the menu");
        let order = order_of(shop.price, 4_900);
        let kept = paid(test, &ada, &order).await;
        let failed = placed(&ada, &order).await;
        choose(&ada, &failed, "decline").await;
        test.drain().await;
        let waiting = placed(&ada, &order).await;
        let mut given = order.clone();
        given["gift"] = json!({"email": "friend@example.org", "sender": "Ada", "message": ""});
        test.clock.advance(1_000);
        let gift = paid(test, &ada, &given).await;

        let all = page(&ada, "/orders").await;
        assert_eq!(rows(&all).len(), 4, "{all}");
        let newest = rows(&all)[0];
        assert!(newest.contains(&gift.order), "newest first: {all}");
        for (order, says, payable) in [
            (&kept.order, "Paid", false),
            (&failed.order, "Payment failed", true),
            (&waiting.order, "Awaiting payment", true),
            (&gift.order, "A gift for friend@example.org", false),
        ] {
            let row = row_of(&all, order);
            assert!(
                row.contains(says) && row.contains("€49.00"),
                "{says}: {row}"
            );
            assert!(row.contains("Acme Editor"), "{row}");
            assert_eq!(row.contains("Pay now"), payable, "{says}: {row}");
        }
        for (state, found) in [
            ("paid", 2),
            ("failed", 1),
            ("awaiting_payment", 1),
            ("expired", 0),
            ("nonsense", 4),
        ] {
            let path = format!("/orders?state={state}");
            assert_eq!(listed(&ada, &path).await, found, "{state}");
        }
        let none = page(&ada, "/orders?state=expired").await;
        assert!(none.contains("No order in this state"), "{none}");

        let fields = [("csrf", hidden(&all, "csrf"))];
        let pay = format!("/orders/{}/pay", failed.order);
        let sent = ada.request(Method::POST, &pay).form(&fields).send().await;
        let answer = sent.expect("an answer");
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let to = answer.headers()["location"].to_str().expect("text");
        assert!(to.contains("/sandbox/pay/"), "{to}");

        test.clock.advance(2 * 86_400_000);
        test.drain().await;
        assert_eq!(listed(&ada, "/orders?state=expired").await, 2);
        let lone = page(&ada, &format!("/orders/{}", kept.order)).await;
        assert!(lone.contains("href=\"/orders\">My orders"), "{lone}");

        let other = server.browser();
        account(&other, "somebody@example.org").await;
        assert_eq!(listed(&other, "/orders").await, 0, "nobody else's");
        assert_eq!(guest.get("/orders").await.status(), StatusCode::SEE_OTHER);
        let (status, _) = ada.get_json("/v1/orders?state=nonsense").await;
        assert_eq!(status, 422);
        let (_, found) = ada.get_json("/v1/orders?state=paid").await;
        assert_eq!(found["orders"].as_array().map(Vec::len), Some(2));
        drop((ada, guest, other));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_guest_s_order_is_listed_once_it_is_claimed_and_a_dispute_is_told() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let (ada, guest) = (server.browser(), server.browser());
        let bought = check_out(&guest, &shop).await;
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        account(&ada, EMAIL).await;
        assert_eq!(listed(&ada, "/orders").await, 0, "not before it is claimed");
        let claim = format!("/v1/orders/{}/claim?token={}", bought.order, bought.token);
        assert_eq!(ada.post_json(&claim, &serde_json::Value::Null).await.0, 204);
        let all = page(&ada, "/orders").await;
        assert!(row_of(&all, &bought.order).contains("Paid"), "{all}");
        assert!(!all.contains("Your bank asks"), "{all}");

        let session = bought.pay_url.rsplit('/').next().expect("a session");
        let raise = Raise {
            session: session.to_owned(),
            state: ObjectState::Opened,
        };
        let nobody = test.guest();
        let raised = test.app.transact(&nobody, raise, raise_dispute);
        raised.await.expect("is raised");
        test.drain().await;
        let all = page(&ada, "/orders").await;
        assert!(
            row_of(&all, &bought.order).contains("Your bank asks"),
            "{all}"
        );
        drop((ada, guest));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn many_orders_come_page_by_page_and_none_is_left_out() {
    let test = TestApp::sqlite().await;
    let (shop, server) = (shop(&test).await, test.serve().await);
    let ada = server.browser();
    account(&ada, EMAIL).await;
    let mut bought = Vec::new();
    for _ in 0..23 {
        test.clock.advance(1_000);
        bought.push(placed(&ada, &order_of(shop.free, 0)).await.order);
    }
    let first = page(&ada, "/orders?state=paid").await;
    assert_eq!(rows(&first).len(), 20);
    let link = first.split_once("rel=\"next\" href=\"").expect("goes on").1;
    let link = link.split('"').next().expect("an address");
    let link = link.replace("&#38;", "&").replace("&amp;", "&");
    let rest = page(&ada, &link).await;
    assert_eq!(rows(&rest).len(), 3, "{link}: {rest}");
    assert!(!rest.contains("rel=\"next\""), "{rest}");
    for order in &bought {
        let times = first.matches(&format!("href=\"/orders/{order}\"")).count()
            + rest.matches(&format!("href=\"/orders/{order}\"")).count();
        assert_eq!(times, 1, "{order}");
    }
    drop(ada);
    server.stop().await;
    test.finish().await;
}
