//! What each event of the matrix of refunds does to the subscription that the money paid for.

use crate::money_back::{Desk, Paid};
use crate::refunds_matrix::{TABLE, cause};
use crate::shop::person;
use crate::subscriptions::travel;
use crate::subscriptions_money::{bills, newest_bill, stands};
use mintreu::id::{AccountId, PriceId, ProductId};
use mintreu_server::caller::Role;
use mintreu_server::domains::catalog::ops::{AddPrice, add_price};
use mintreu_server::domains::fulfilment::Item;
use mintreu_tests::TestApp;
use serde_json::json;

/// Where a subscription of 49.00 EUR a month stands afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Stands {
    status: &'static str,
    end_reason: &'static str,
    /// Why its license doesn't work when it was the first payment, and when it was a renewal; empty when
    /// it works.
    license: [&'static str; 2],
    /// Whether the next period is charged.
    renews: bool,
}

const GOES_ON: Stands = Stands {
    status: "active",
    end_reason: "",
    license: ["", ""],
    renews: true,
};

/// What pays for a renewal isn't the sale that issued the license: the subscription suspends it.
const WAITS: Stands = Stands {
    status: "paused",
    end_reason: "",
    license: ["dispute", "seller"],
    renews: false,
};

const CHARGED_BACK: Stands = Stands {
    status: "canceled",
    end_reason: "chargeback",
    license: ["chargeback", "seller"],
    renews: false,
};

const REFUNDED: Stands = Stands {
    status: "canceled",
    end_reason: "refunded",
    license: ["seller", "seller"],
    renews: false,
};

/// A refund leaves a subscription as it is; one for a fraud ends it.
const OF_SUBSCRIPTIONS: &[(&str, Stands)] = &[
    ("full refund", GOES_ON),
    ("full refund that keeps the license", GOES_ON),
    ("partial refund", GOES_ON),
    ("last partial refund", GOES_ON),
    ("refund at the provider", GOES_ON),
    ("refund fails later", GOES_ON),
    ("refund is refused", GOES_ON),
    ("inquiry", GOES_ON),
    ("chargeback opened", WAITS),
    ("chargeback won", GOES_ON),
    ("chargeback lost", CHARGED_BACK),
    ("early fraud warning", GOES_ON),
    ("early fraud warning, refunded for fraud", REFUNDED),
    ("duplicate and reordered webhooks", CHARGED_BACK),
];

/// A price of 49.00 EUR a month beside what the shop sells.
pub async fn monthly(desk: &Desk<'_>) -> PriceId {
    let products = desk.rows("SELECT product_id FROM product").await;
    let product = products[0].id("product_id", ProductId::from_bytes);
    let draft = json!({"model": "recurring", "period": "monthly", "amount_minor": 4_900,
        "currency": "EUR"});
    let add = AddPrice {
        product: product.expect("an id"),
        draft: serde_json::from_value(draft).expect("a price"),
        region_of: None,
    };
    let added = desk.test.app.transact(&desk.shop.seller, add, add_price);
    added.await.expect("is added").1
}

/// A subscription, and the payment that the event is about: its first or its first renewal.
async fn subscribed(desk: &Desk<'_>, renewed: bool) -> (Paid, Paid) {
    let buyer = person(desk.test, AccountId::from_bytes([9; 16]), Role::Customer);
    let item = Item::new(monthly(desk).await, 1);
    let first = desk.buy_as(&buyer, item, 4_900, &[]).await;
    if !renewed {
        return (first.clone(), first);
    }
    travel(desk.test, "2027-02-16").await;
    assert_eq!(bills(desk).await, [4_900]);
    let bill = newest_bill(desk, &first).await;
    (first, bill)
}

async fn check(desk: &Desk<'_>, (event, expected): &(&str, Stands), renewed: bool) {
    let (first, paid) = subscribed(desk, renewed).await;
    desk.test.clock.advance(1_000);
    cause(desk, &paid, event).await;
    let (_, status, reason, period) = stands(desk).await;
    let reason = reason.unwrap_or_default();
    let at = (event, renewed);
    assert_eq!(
        (status.as_str(), reason.as_str()),
        (expected.status, expected.end_reason),
        "{at:?}"
    );
    assert_eq!(
        period,
        i64::from(renewed),
        "{at:?}: no event begins a period"
    );
    let license = desk.license(&first).await.unwrap_or_default();
    assert_eq!(license, expected.license[usize::from(renewed)], "{at:?}");
    let before = bills(desk).await.len();
    travel(
        desk.test,
        ["2027-02-16", "2027-03-17"][usize::from(renewed)],
    )
    .await;
    let charged = bills(desk).await.len() - before;
    assert_eq!(charged, usize::from(expected.renews), "{at:?}");
}

#[tokio::test]
async fn every_event_has_its_effect_on_the_subscription_that_was_paid_for() {
    let events = TABLE.iter().map(|row| row.event);
    let here = OF_SUBSCRIPTIONS.iter().map(|row| row.0);
    assert!(events.eq(here), "no cell is missing");
    for row in OF_SUBSCRIPTIONS {
        for renewed in [false, true] {
            TestApp::both(async |test| {
                check(&Desk::open(test).await, row, renewed).await;
            })
            .await;
        }
    }
}
