//! Cycles of a seller's own: typed in the form or sent, said in words, sold, and renewed where the
//! calendar says.

use crate::shop::{choose, placed};
use crate::subscriptions::travel;
use crate::web_pages::{page, send, sign_in};
use mintreu_server::demo;
use mintreu_server::store::{Attempt, Tx};
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};

const SELLER: &str = "mara@lichen.example";
const SLUG: &str = "hush";

async fn product(browser: &Browser) -> Value {
    let (status, told) = browser.get_json(&format!("/v1/products/{SLUG}")).await;
    assert_eq!(status, 200, "{told}");
    told
}

/// The prices of the product that renew: how often, and the id.
fn recurring(product: &Value) -> Vec<(String, String)> {
    let prices = product["prices"].as_array().expect("a list");
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    prices
        .iter()
        .filter(|one| one["model"] == "recurring")
        .map(|one| (text(one, "period"), text(one, "price_id")))
        .collect()
}

/// The days on which the periods of all subscriptions end, as they stand.
async fn ends(test: &TestApp) -> Vec<String> {
    let read = |tx: &mut dyn Tx| {
        tx.query(
            "SELECT period_end FROM subscription ORDER BY period_end",
            &[],
        )
    };
    let rows = test
        .app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("rows");
    let day = |ms: i64| {
        let at = jiff::Timestamp::from_millisecond(ms).expect("an instant");
        at.to_string()[..10].to_owned()
    };
    rows.iter()
        .map(|row| day(row.int("period_end").expect("an instant")))
        .collect()
}

#[tokio::test]
async fn a_seller_s_own_cycle_is_typed_said_and_refused_where_it_makes_no_sense() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let seller = server.browser();
        sign_in(&seller, SELLER).await;
        let id = product(&seller).await["product_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let base = format!("/sell/products/{id}/prices");
        let typed = |count: &'static str, unit: &'static str| {
            [
                ("model", "other"),
                ("cycle_count", count),
                ("cycle_unit", unit),
                ("amount", "12.000"),
                ("currency", "KWD"),
            ]
        };
        for (count, unit) in [
            ("", "month"),
            ("0", "day"),
            ("101", "day"),
            ("4", "year"),
            ("2", "moon"),
        ] {
            let (status, _, drawn) = send(&seller, &base, &base, &typed(count, unit)).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{count} {unit}");
            assert!(
                drawn.contains("id=\"cycle_count-error\""),
                "{count} {unit}: {drawn}"
            );
        }
        let (status, _, drawn) = send(&seller, &base, &base, &typed("10", "week")).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{drawn}");
        let drawn = page(&seller, &base).await;
        assert!(drawn.contains("KWD\u{a0}12.000 every 10 weeks"), "{drawn}");
        let kept = recurring(&product(&seller).await);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].0, "10 weeks");
        // Changing it shows what it is, and keeps it.
        let edited = page(&seller, &format!("{base}?edit={}", kept[0].1)).await;
        assert!(
            edited.contains("value=\"10 weeks\" selected") && edited.contains("Every 10 weeks"),
            "{edited}"
        );
        let sent = |period: &str| {
            json!({"price": {
                "model": "recurring", "period": period, "amount_minor": 900, "currency": "EUR",
            }})
        };
        let path = format!("/v1/products/{SLUG}/prices");
        for wrong in ["fortnightly", "4 years", "0 days", ""] {
            let (status, told) = seller.post_json(&path, &sent(wrong)).await;
            assert!(status.is_client_error(), "{wrong}: {told}");
            assert!(
                told["detail"]
                    .as_str()
                    .is_some_and(|text| text.contains("period") || text.contains("three years")),
                "{told}"
            );
        }
        let (status, told) = seller.post_json(&path, &sent("quarterly")).await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
        let all = recurring(&product(&seller).await);
        assert!(
            all.iter().any(|(period, _)| period == "3 months"),
            "{all:?}"
        );
        let shown = page(&server.browser(), &format!("/p/{SLUG}")).await;
        assert!(shown.contains("€9.00 every 3 months"), "{shown}");
        server.stop().await;
    })
    .await;
}

/// What began on 30 November renews on 28 February (2027 is no leap year), on 30 May and 30 August;
/// what is paid every ten days, every ten days.
#[tokio::test]
async fn a_cycle_of_one_s_own_renews_where_the_calendar_says() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        travel(test, "2026-11-30").await;
        let wipe = |tx: &mut dyn Tx| tx.query("SELECT subscription_id FROM subscription", &[]);
        let before = test
            .app
            .store
            .read(wipe)
            .await
            .expect("reads")
            .expect("rows")
            .len();
        assert_eq!(before, 0, "the catalog alone has no subscribers");
        let server = test.serve().await;
        let seller = server.browser();
        sign_in(&seller, SELLER).await;
        let path = format!("/v1/products/{SLUG}/prices");
        for (period, minor) in [("3 months", 3_000), ("10 days", 400)] {
            let price = json!({"price": {
                "model": "recurring", "period": period, "amount_minor": minor, "currency": "EUR",
            }});
            let (status, told) = seller.post_json(&path, &price).await;
            assert_eq!(status, StatusCode::CREATED, "{told}");
        }
        let prices = recurring(&product(&seller).await);
        let guest = server.browser();
        let buy = async |period: &str, minor: i64| {
            let (_, id) = prices
                .iter()
                .find(|(one, _)| one == period)
                .expect("is there");
            let order = json!({
                "price_id": id, "amount_minor": minor, "currency": "EUR",
                "email": "guest@example.org",
            });
            let bought = placed(&guest, &order).await;
            choose(&guest, &bought, "succeed").await;
            test.drain().await;
        };
        buy("3 months", 3_000).await;
        assert_eq!(ends(test).await, ["2027-02-28"]);
        for (now, then) in [
            ("2027-03-01", "2027-05-30"),
            ("2027-05-31", "2027-08-30"),
            ("2027-08-31", "2027-11-30"),
        ] {
            travel(test, now).await;
            assert_eq!(ends(test).await, [then]);
        }
        buy("10 days", 400).await;
        travel(test, "2027-09-25").await;
        assert_eq!(ends(test).await, ["2027-09-30", "2027-11-30"]);
        server.stop().await;
    })
    .await;
}

/// The weeks in which nothing was paid, and the license rested at their end, are nobody's debt.
#[tokio::test]
async fn a_week_that_is_paid_late_counts_from_then() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        travel(test, "2027-03-01").await;
        let (seller, guest) = (server.browser(), server.browser());
        sign_in(&seller, SELLER).await;
        let price = json!({"price": {
            "model": "recurring", "period": "weekly", "amount_minor": 700, "currency": "EUR",
        }});
        let path = format!("/v1/products/{SLUG}/prices");
        let (status, told) = seller.post_json(&path, &price).await;
        assert_eq!(status, StatusCode::CREATED, "{told}");
        let prices = recurring(&product(&seller).await);
        let order = json!({
            "price_id": prices[0].1, "amount_minor": 700, "currency": "EUR",
            "email": "guest@example.org",
        });
        let bought = placed(&guest, &order).await;
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        let charge = async |name: &'static str| {
            let kept = move |tx: &mut dyn Tx| {
                let sql = "UPDATE subscription SET method = :method";
                Attempt::Commit(tx.execute(sql, &[("method", name.into())]))
            };
            let written = test.app.store.write(Vec::new(), kept).await;
            written.expect("a commit").expect("a row");
        };
        charge("sbm_insufficient_funds").await;
        for day in ["2027-03-09", "2027-03-11"] {
            travel(test, day).await;
        }
        assert_eq!(
            ends(test).await,
            ["2027-03-15"],
            "the second week, not paid"
        );
        charge("sbm_pays").await;
        for day in ["2027-03-17", "2027-03-18"] {
            travel(test, day).await;
        }
        assert_eq!(ends(test).await, ["2027-03-24"], "a week from the payment");
        let bills = |tx: &mut dyn Tx| tx.query("SELECT order_id FROM subscription_bill", &[]);
        let bills = test
            .app
            .store
            .read(bills)
            .await
            .expect("reads")
            .expect("rows");
        assert_eq!(bills.len(), 1, "no week between is owed");
        server.stop().await;
    })
    .await;
}
