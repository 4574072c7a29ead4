//! Lists of what banks ask about: a buyer's orders and a seller's sales, on pages and for programs.

use crate::shop::{choose, paid, placed};
use crate::web_pages::{page, sign_in};
use crate::web_papers::account;
use mintreu_server::demo;
use mintreu_server::gateways::sandbox::objects::{Decide, ObjectState, decide_dispute};
use mintreu_server::store::Tx;
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

const BUYER: &str = "ada@buyer.example";
const SELLER: &str = "mara@lichen.example";

/// A price of a year's license or the like: the first that is paid once.
async fn wanted(browser: &Browser) -> Value {
    let (_, found) = browser.get_json("/v1/products/hush").await;
    let prices = found["prices"].as_array().expect("prices");
    let fits = |one: &&Value| one["model"] == "one_time" && one["currency"] == "EUR";
    let price = prices.iter().find(fits).expect("a price").clone();
    json!({
        "price_id": price["price_id"], "amount_minor": price["amount_minor"], "currency": "EUR",
    })
}

async fn listed(browser: &Browser, path: &str, list: &str) -> Vec<String> {
    let (status, found) = browser.get_json(path).await;
    assert_eq!(status, 200, "{found}");
    let all = found[list].as_array().expect("a list").iter();
    let order = |one: &Value| one["order_id"].as_str().expect("an order").to_owned();
    all.map(order).collect()
}

/// The provider's name of the newest dispute.
async fn newest_dispute(test: &TestApp) -> String {
    let read = |tx: &mut dyn Tx| {
        tx.query(
            "SELECT provider_dispute_id FROM dispute ORDER BY opened_at, dispute_id",
            &[],
        )
    };
    let rows = test.app.store.read(read).await.expect("reads");
    let rows = rows.expect("rows");
    let newest = rows.last().expect("a dispute");
    newest.text("provider_dispute_id").expect("a name")
}

#[tokio::test]
async fn what_a_bank_asks_about_is_listed_until_it_decides() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let (ada, mara) = (server.browser(), server.browser());
        account(&ada, BUYER).await;
        sign_in(&mara, SELLER).await;
        let none = page(&ada, "/orders?disputed=true").await;
        assert!(none.contains("Your bank asks about no order"), "{none}");
        let before = listed(&mara, "/v1/sales?disputed=true&limit=100", "sales").await;
        let order = wanted(&ada).await;
        let kept = paid(test, &ada, &order).await;
        // The newest is the one of the latest instant.
        test.clock.advance(1_000);
        let asked = placed(&ada, &order).await;
        choose(&ada, &asked, "disputed").await;
        test.drain().await;
        test.clock.advance(6_000);
        test.drain().await;

        let own = listed(&ada, "/v1/orders?disputed=true", "orders").await;
        assert_eq!(own, std::slice::from_ref(&asked.order));
        let all = listed(&ada, "/v1/orders", "orders").await;
        assert_eq!(all, [asked.order.clone(), kept.order.clone()]);
        let shown = page(&ada, "/orders?disputed=true").await;
        assert!(
            shown.contains(&asked.order) && !shown.contains(&kept.order),
            "{shown}"
        );
        let sold = listed(&mara, "/v1/sales?disputed=true&limit=100", "sales").await;
        assert!(sold.contains(&asked.order) && !sold.contains(&kept.order));
        assert_eq!(sold.len(), before.len() + 1);
        let paid = listed(&mara, "/v1/sales?state=paid&limit=100", "sales").await;
        assert!(paid.contains(&kept.order));
        let shown = page(&mara, "/sell/sales?disputed=true").await;
        assert!(shown.contains("aria-current=\"page\">Disputed"), "{shown}");
        assert_eq!(mara.get_json("/v1/sales?state=nonsense").await.0, 422);

        let decide = Decide {
            object: newest_dispute(test).await,
            state: ObjectState::Won,
        };
        let decided = test
            .app
            .transact(&test.guest(), decide, decide_dispute)
            .await;
        decided.expect("is decided");
        test.drain().await;
        let own = listed(&ada, "/v1/orders?disputed=true", "orders").await;
        assert!(own.is_empty(), "{own:?}");
        let sold = listed(&mara, "/v1/sales?disputed=true&limit=100", "sales").await;
        assert_eq!(sold, before);
        server.stop().await;
    })
    .await;
}
