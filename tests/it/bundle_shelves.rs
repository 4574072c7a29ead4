//! Bundles in lists of products and in the search, while they can be bought.

use crate::bundles::{Stall, stall};
use crate::facts::run;
use crate::web_pages::page;
use mintreu_server::domains::bundles::{SwitchBundle, switch_bundle};
use mintreu_server::domains::catalog::ops::{ArchiveProduct, archive_product};
use mintreu_tests::{Browser, TestApp};

const BUNDLE: &str = "href=\"/b/draw-and-write\"";
const PRODUCT: &str = "href=\"/p/";

/// Lists that show the bundle while it can be bought: of everything, of a category, by words and filters.
const SHOWN: &[&str] = &[
    "/",
    "/search",
    "/search?kind=bundle",
    "/search?q=draw",
    "/search?q=Drawing+write",
    "/search?q=brushes",
    "/search?q=draw&category=tools",
    "/search?q=draw&kind=bundle",
    "/search?q=draw&kind=bundle&price=under_200",
    "/search?price=under_200",
    "/c/tools",
    "/c/tools?kind=bundle",
    "/c/tools?kind=bundle&price=under_200",
];

/// Lists that never do: of another kind, price, word or order, or further on.
const NOT_SHOWN: &[&str] = &[
    "/search?kind=download",
    "/search?q=draw&kind=download",
    "/search?kind=bundle&price=under_10",
    "/search?price=under_10",
    "/search?q=paints",
    "/search?q=draw+nothing&kind=bundle",
    "/search?sort=name",
    "/c/tools?kind=bundle&price=free",
];

async fn shows(guest: &Browser, path: &str) -> bool {
    page(guest, path).await.contains(BUNDLE)
}

async fn none_shows(guest: &Browser) {
    for path in SHOWN {
        assert!(!shows(guest, path).await, "{path}");
    }
}

async fn switched(test: &TestApp, stall: &Stall, on: bool) {
    let bundle = stall.bundle.id;
    let command = SwitchBundle { bundle, on };
    let done = test
        .app
        .transact(&stall.shop.seller, command, switch_bundle)
        .await;
    done.expect("is switched");
}

#[tokio::test]
async fn a_bundle_stands_where_its_products_do_while_it_can_be_bought() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        for path in SHOWN {
            assert!(shows(&guest, path).await, "{path}");
        }
        for path in NOT_SHOWN {
            assert!(!shows(&guest, path).await, "{path}");
        }
        for path in SHOWN.iter().filter(|path| path.contains("kind=bundle")) {
            assert!(!page(&guest, path).await.contains(PRODUCT), "{path}");
        }
        let front = page(&guest, "/").await;
        for said in ["Draw and write", "€80.00", "Acme", "/search?kind=bundle"] {
            assert!(front.contains(said), "{said}: {front}");
        }
        let wrong = guest.get("/search?kind=bundle&after=prd_1").await;
        assert_eq!(wrong.status().as_u16(), 400);
        switched(test, &stall, false).await;
        none_shows(&guest).await;
        switched(test, &stall, true).await;
        assert!(shows(&guest, "/search?q=draw").await);
        // What it holds isn't sold any more: it vanishes with the fact of that.
        let product = stall.brushes.id;
        let archive = ArchiveProduct { product };
        let gone = test
            .app
            .transact(&stall.shop.seller, archive, archive_product);
        gone.await.expect("is archived");
        test.drain().await;
        none_shows(&guest).await;
        server.stop().await;
    })
    .await;
}

/// Programs find bundles by the same words, places and prices.
#[tokio::test]
async fn programs_find_bundles_by_words_too() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        let found = async |query: &str| {
            let (status, told) = guest.get_json(&format!("/v1/bundles?{query}")).await;
            assert_eq!(status, 200, "{query}: {told}");
            let all = told["bundles"].as_array().expect("a list").clone();
            assert!(
                all.iter()
                    .all(|one| one["prices"][0]["amount_minor"] == 8_000),
                "{told}"
            );
            all.len()
        };
        for query in [
            "",
            "q=draw",
            "q=brushes+write",
            "category=tools",
            "price=under_200&q=draw",
        ] {
            assert_eq!(found(query).await, 1, "{query}");
        }
        for query in [
            "q=paints",
            "q=draw+nothing",
            "price=under_10",
            "category=games",
        ] {
            assert_eq!(found(query).await, 0, "{query}");
        }
        let (status, _) = guest.get_json("/v1/bundles?price=cheap").await;
        assert!(status.is_client_error());
        switched(test, &stall, false).await;
        assert_eq!(found("q=draw").await, 0);
        server.stop().await;
    })
    .await;
}

/// What the migration does about the bundles that were there before it.
fn backfill() -> &'static str {
    let migration = include_str!("../../server/migrations/0054_bundle_shelves.sql");
    let (_, insert) = migration.split_once("-- A job a tenant").expect("the job");
    insert
        .split_once('\n')
        .expect("a statement")
        .1
        .trim_end()
        .trim_end_matches(';')
}

#[tokio::test]
async fn what_was_sold_together_before_is_put_into_the_lists() {
    TestApp::both(async |test| {
        let (_stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        for sql in [
            "DELETE FROM bundle_card",
            "DELETE FROM bundle_shelf",
            "DELETE FROM bundle_word",
        ] {
            run(test, sql, Vec::new()).await;
        }
        none_shows(&guest).await;
        run(test, backfill(), Vec::new()).await;
        test.drain().await;
        for path in SHOWN {
            assert!(shows(&guest, path).await, "{path}");
        }
        server.stop().await;
    })
    .await;
}
