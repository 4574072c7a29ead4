//! What is paid in instalments when its product is given up, or its seller stops selling.

use crate::discontinued::archive;
use crate::instalments::{bought, license_end, opened, over, state};
use crate::sellers::{becomes, closes};
use crate::shop::SELLER;
use crate::subscriptions::travel;
use crate::subscriptions_money::bills;
use mintreu_server::domains::catalog::Standing;
use mintreu_tests::TestApp;
use serde_json::json;

/// It is bought, so it goes on to its last payment; what has no last one ends with what was paid.
#[tokio::test]
async fn instalments_of_a_product_that_is_given_up_go_on() {
    for (renewing, charged, ended, kept) in [
        (
            json!({"payments": 3, "keeps_license": true}),
            2,
            "completed",
            true,
        ),
        (json!({"payments": 3}), 0, "discontinued", false),
        (json!({}), 0, "discontinued", false),
    ] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, renewing.clone()).await;
            let first = bought(&desk, &sold).await;
            archive(test, &desk.shop.seller, sold.product, true).await;
            test.drain().await;
            for day in ["2027-02-16", "2027-03-16", "2027-04-16"] {
                travel(test, day).await;
            }
            assert_eq!(state(&desk).await, over("canceled", ended), "{renewing}");
            assert_eq!(bills(&desk).await.len(), charged, "{renewing}");
            assert_eq!(desk.license(&first).await.is_none(), kept, "{renewing}");
            assert_eq!(license_end(&desk).await.is_none(), kept, "{renewing}");
        })
        .await;
    }
}

/// Suspended, no instalment is asked for; after that they go on, and none is left out.
#[tokio::test]
async fn instalments_rest_while_their_seller_is_suspended() {
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 2, "keeps_license": true})).await;
        let first = bought(&desk, &sold).await;
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is suspended");
        for day in ["2027-02-16", "2027-03-16"] {
            travel(test, day).await;
        }
        assert_eq!(bills(&desk).await.len(), 0, "nothing is charged");
        assert_eq!(desk.license(&first).await, None, "it works on");
        assert_eq!(state(&desk).await, over("active", ""));
        becomes(test, SELLER, Standing::Active)
            .await
            .expect("sells again");
        travel(test, "2027-03-17").await;
        assert_eq!(bills(&desk).await, [1_000]);
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(license_end(&desk).await, None);
    })
    .await;
}

/// Nobody can pay the rest to who gave up selling: the license is the buyer's with what was paid. One that
/// isn't paid in instalments ends.
#[tokio::test]
async fn instalments_of_a_seller_who_gave_up_are_forgiven() {
    for (renewing, kept) in [
        (json!({"payments": 3, "keeps_license": true}), true),
        (json!({"payments": 3}), false),
    ] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, renewing.clone()).await;
            let first = bought(&desk, &sold).await;
            closes(test, &desk.shop.seller, "parts")
                .await
                .expect("closes");
            travel(test, "2027-02-16").await;
            assert_eq!(state(&desk).await, over("canceled", "seller_closed"));
            assert_eq!(bills(&desk).await.len(), 0);
            assert_eq!(desk.license(&first).await.is_none(), kept, "{renewing}");
            assert_eq!(license_end(&desk).await.is_none(), kept, "{renewing}");
        })
        .await;
    }
}
