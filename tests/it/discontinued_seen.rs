//! Products that their sellers give up, as seller and buyer see them: the page and the API, the end that
//! is called off, and a bank that asks meanwhile.

use crate::batch_seller::seller;
use crate::discontinued::{archive, mails, pier, rows, subscription, tried, wish};
use crate::money_back::Desk;
use crate::shop::{bought, choose, listed};
use crate::subscriptions::{club, travel};
use crate::web_pages::{page, send};
use crate::web_papers::account;
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::subscriptions::{Action, CallOff, call_off};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::store::Row;
use mintreu_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn called_off_nothing_is_charged_unless_its_buyer_keeps_it() {
    TestApp::both(async |test| {
        let (product, seller) = pier(test).await;
        let keeps = (
            1,
            tried(test, &product, (1, "keeps"), Some("sbm_pays")).await,
        );
        let leaves = (
            2,
            tried(test, &product, (2, "leaves"), Some("sbm_pays")).await,
        );
        let unpaid = (3, tried(test, &product, (3, "unpaid"), None).await);
        travel(test, "2027-01-29").await;
        archive(test, &seller, product.id, true).await;
        test.drain().await;
        for _ in 0..2 {
            let command = CallOff {
                product: product.id,
            };
            let done = test.app.transact(&seller, command, call_off).await;
            done.expect("is called off");
            test.drain().await;
        }
        for (name, mail) in [("keeps", 1), ("leaves", 1), ("unpaid", 0)] {
            assert_eq!(mails(test, name, "You can keep"), mail, "{name}");
        }
        wish(test, keeps, Action::Uncancel, None)
            .await
            .expect("goes on");
        travel(test, "2027-03-01").await;
        let found = subscription(test, keeps).await;
        assert_eq!((found.status.code(), found.period), ("active", 2));
        for of in [leaves, unpaid] {
            let found = subscription(test, of).await;
            assert_eq!(found.end_reason.as_deref(), Some("discontinued"));
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_says_how_many_end_before_and_the_api_takes_the_wish() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let sells = seller(test, &server, "pier").await;
        let draft = json!({
            "code": "pier.club", "kind": "subscription", "name": "Pier Club", "summary": "Meets.",
            "categories": ["pier"],
            "prices": [{"model": "recurring", "period": "monthly", "amount_minor": 1000,
                "currency": "EUR"}],
        });
        let product = listed(test, &sells.caller, draft).await;
        let buyer = server.browser();
        account(&buyer, "ada@example.org").await;
        for _ in 0..2 {
            let order = json!({"price_id": product.prices[0].id.to_string(),
                "amount_minor": 1000, "currency": "EUR"});
            let (status, started) = buyer.post_json("/v1/checkouts", &order).await;
            assert_eq!(status, 201, "{started}");
            choose(&buyer, &bought(&started), "succeed").await;
            test.drain().await;
        }
        let path = format!("/v1/products/{}", product.slug);
        let at = format!("/sell/products/{}/archive", product.id);
        let shown = page(&sells.browser, &at).await;
        assert!(
            shown.contains("2 paid subscriptions. The last of their periods ends on"),
            "{shown}"
        );
        let safe = "value=\"go_on\" required checked";
        assert!(
            shown.contains(safe) && !shown.contains("Call it off"),
            "{shown}"
        );
        let (_, before) = sells
            .browser
            .get_json(&format!("{path}/discontinuation"))
            .await;
        assert_eq!(
            (&before["state"], &before["paid"]),
            (&json!("none"), &json!(2))
        );
        for nobody in [&buyer, &server.browser()] {
            let status = nobody.get(&at).await.status();
            assert!(!status.is_success(), "{status}");
            let (status, _) = nobody.get_json(&format!("{path}/discontinuation")).await;
            assert_eq!(status, 404);
            let (status, _) = nobody
                .post_json(&format!("{path}/archive"), &json!({"subscriptions": "end"}))
                .await;
            assert!([401, 403].contains(&status.as_u16()), "{status}");
        }
        let wrong = json!({"subscriptions": "vanish"});
        let (status, problem) = sells
            .browser
            .post_json(&format!("{path}/archive"), &wrong)
            .await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("subscription_invalid"))
        );

        // Without a body they go on.
        let plain = sells
            .browser
            .request(Method::POST, &format!("{path}/archive"));
        let done = plain.send().await.expect("an answer");
        assert_eq!(done.status(), 200);
        let (_, after) = sells
            .browser
            .get_json(&format!("{path}/discontinuation"))
            .await;
        assert_eq!(after["state"], "none", "{after}");
        let (status, to, text) = send(&sells.browser, &at, &at, &[("subscriptions", "end")]).await;
        assert_eq!((status.as_u16(), to.as_str()), (303, at.as_str()), "{text}");
        test.drain().await;
        let (_, after) = sells
            .browser
            .get_json(&format!("{path}/discontinuation"))
            .await;
        assert_eq!(
            (&after["state"], &after["told"], &after["paid"]),
            (&json!("ended"), &json!(2), &json!(2)),
            "{after}"
        );
        assert!(
            page(&sells.browser, &at)
                .await
                .contains("2 buyers were told")
        );

        // Its buyer sees why, and no button that would be refused.
        let (_, mine) = buyer.get_json("/v1/subscriptions").await;
        let of = &mine["subscriptions"][0];
        assert_eq!(
            (&of["cancel_at_period_end"], &of["cancel_reason"]),
            (&json!(true), &json!("discontinued"))
        );
        let id = of["subscription_id"].as_str().expect("an id").to_owned();
        let shown = page(&buyer, &format!("/subscriptions/{id}")).await;
        let says = "Its seller has stopped offering this product";
        assert!(
            shown.contains(says) && !shown.contains("Keep it"),
            "{shown}"
        );
        let actions = format!("/v1/subscriptions/{id}/actions");
        let keep = json!({"action": "uncancel"});
        let (status, problem) = buyer.post_json(&actions, &keep).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("product_discontinued"))
        );

        let called_off = sells
            .browser
            .delete(&format!("{path}/discontinuation"))
            .await;
        assert_eq!(called_off, 200);
        test.drain().await;
        assert!(page(&sells.browser, &at).await.contains("was called off"));
        assert!(
            page(&buyer, &format!("/subscriptions/{id}"))
                .await
                .contains("Keep it")
        );
        let (status, kept) = buyer.post_json(&actions, &keep).await;
        assert_eq!(status, 200, "{kept}");
        assert_eq!(kept["cancel_reason"], Value::Null);
        server.stop().await;
    })
    .await;
}

/// While a bank asks it rests, and ends when it would go on.
#[tokio::test]
async fn what_a_bank_asks_about_ends_when_it_would_go_on() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let mut paid = Vec::new();
        for _ in 0..2 {
            let item = Item::new(club.cheap, 1);
            paid.push(desk.buy_as(&club.buyer, item, 1_000, &[]).await);
        }
        test.clock.advance(1);
        for one in &paid {
            assert!(desk.raise(one, ObjectState::Opened).await);
            desk.hand_over_all().await;
        }
        archive(test, &club.seller, club.product, true).await;
        test.drain().await;
        assert_eq!(
            states(test).await,
            [("paused", None), ("paused", None)].map(owned)
        );
        // The one comes back within its period, the other after it.
        assert!(desk.decide(&paid[0], ObjectState::Won).await);
        desk.hand_over_all().await;
        let one = [("active", None), ("paused", None)];
        assert_eq!(states(test).await, one.map(owned));
        travel(test, "2027-03-01").await;
        let gone = ("canceled", Some("discontinued"));
        assert_eq!(states(test).await, [gone, ("paused", None)].map(owned));
        assert!(desk.decide(&paid[1], ObjectState::Won).await);
        desk.hand_over_all().await;
        assert_eq!(states(test).await, [gone, gone].map(owned));
        assert!(
            rows(test, "SELECT order_id FROM subscription_bill")
                .await
                .is_empty()
        );
    })
    .await;
}

type State = (String, Option<String>);

fn owned((status, why): (&str, Option<&str>)) -> State {
    (status.to_owned(), why.map(str::to_owned))
}

async fn states(test: &TestApp) -> Vec<State> {
    let sql = "SELECT status, end_reason FROM subscription ORDER BY status";
    let state = |row: &Row| {
        (
            row.text("status").expect("a status"),
            row.opt_text("end_reason").expect("a reason"),
        )
    };
    rows(test, sql).await.iter().map(state).collect()
}
