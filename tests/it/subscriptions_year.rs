//! A year of a subscription in seconds, its books against a table worked out by hand.

use crate::subscriptions::{Club, club, status, travel, tried};
use mintreu::id::SubscriptionId;
use mintreu::{Currency, Money};
use mintreu_server::domains::subscriptions::{
    Act, Action, AskChange, ChangeMethod, ChangePlan, act, change_method, change_plan,
};
use mintreu_server::store::{Row, StoreError};
use mintreu_tests::TestApp;

/// Each day on which money comes, with what: charged, platform (10 %), payment (2.9 % and 0.30),
/// seller. The upgrade on 8 June: 11 of 31 days are used, 6.45 of 10.00 are left, so 13.55 of
/// 20.00 are due; a tenth of it is 1.355, of which the largest remainder makes 1.36.
const BY_HAND: [(&str, i64, i64, i64, i64); 13] = [
    ("2027-01-29", 1_000, 100, 59, 841),
    ("2027-02-28", 1_000, 100, 59, 841),
    ("2027-03-29", 1_000, 100, 59, 841),
    ("2027-04-29", 1_000, 100, 59, 841),
    ("2027-05-29", 1_000, 100, 59, 841),
    ("2027-06-08", 1_355, 136, 69, 1_150),
    ("2027-07-08", 2_000, 200, 88, 1_712),
    ("2027-08-08", 2_000, 200, 88, 1_712),
    // Due on the 8th, declined on the 8th and the 10th, paid with another card on the 12th.
    ("2027-09-12", 2_000, 200, 88, 1_712),
    ("2027-10-08", 2_000, 200, 88, 1_712),
    ("2027-11-08", 2_000, 200, 88, 1_712),
    ("2027-12-08", 2_000, 200, 88, 1_712),
    ("2028-01-08", 2_000, 200, 88, 1_712),
];

const ENTRIES: &str = "SELECT t.reference, t.posted_at, a.kind, e.amount_minor
    FROM ledger_entry e
    JOIN ledger_transaction t
        ON t.tenant_id = e.tenant_id AND t.ledger_transaction_id = e.ledger_transaction_id
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE t.kind = 'sale' ORDER BY t.posted_at, t.reference, a.kind";
const INVOICES: &str = "SELECT series, number, total_minor, state, paid_at FROM invoice
    ORDER BY number";

fn day(ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(ms).expect("an instant");
    at.strftime("%Y-%m-%d").to_string()
}

/// A row of the table, as it was posted.
type Sale = (String, i64, i64, i64, i64);

/// What was posted, as the table has it; printed on the way.
fn posted(rows: &[Row]) -> Result<Vec<Sale>, StoreError> {
    let mut sales: Vec<(String, Sale)> = Vec::new();
    for row in rows {
        let (reference, amount) = (row.text("reference")?, row.int("amount_minor")?);
        let (kind, on) = (row.text("kind")?, day(row.int("posted_at")?));
        println!("{on} {reference} {kind:>16} {amount:>6}");
        if sales.last().is_none_or(|last| last.0 != reference) {
            sales.push((reference, (on, 0, 0, 0, 0)));
        }
        let Some((_, sale)) = sales.last_mut() else {
            continue;
        };
        match kind.as_str() {
            "psp_clearing" => sale.1 += amount,
            "platform_fee" => sale.2 -= amount,
            "processing_fee" => sale.3 -= amount,
            "seller_held" => sale.4 -= amount,
            other => panic!("an entry of {other}"),
        }
    }
    Ok(sales.into_iter().map(|(_, sale)| sale).collect())
}

async fn books_are_right(test: &TestApp) {
    let read = test.app.store.read(|tx| {
        let sales = posted(&tx.query(ENTRIES, &[])?)?;
        let invoice = |row: &Row| {
            let number = row.int("number")?;
            let (total, on) = (row.int("total_minor")?, day(row.int("paid_at")?));
            println!("INV-{number:06} {} {total:>6} {on}", row.text("state")?);
            Ok::<_, StoreError>((on, number, total))
        };
        let invoices: Result<Vec<_>, _> = tx.query(INVOICES, &[])?.iter().map(invoice).collect();
        Ok::<_, StoreError>((sales, invoices?))
    });
    let (sales, invoices) = read.await.expect("reads").expect("reads");
    let expected = BY_HAND.map(|(on, charged, platform, payment, seller)| {
        assert_eq!(platform + payment + seller, charged, "the table itself");
        (on.to_owned(), charged, platform, payment, seller)
    });
    assert_eq!(sales, expected);
    let numbered = (1..).zip(BY_HAND);
    let numbered = numbered.map(|(number, sale)| (sale.0.to_owned(), number, sale.1));
    assert_eq!(invoices, numbered.collect::<Vec<_>>());
}

async fn upgrade(test: &TestApp, club: &Club, subscription: SubscriptionId) {
    let change = ChangePlan {
        ask: AskChange {
            subscription,
            price: Some(club.dear),
            seats: None,
        },
        seen: Money::new(1_355, Currency::EUR),
    };
    let changed = test.app.transact(&club.buyer, change, change_plan).await;
    let quoted = changed.expect("is changed");
    assert_eq!(
        (quoted.quote.credit.minor(), quoted.quote.charge.minor()),
        (645, 2_000)
    );
    test.drain().await;
}

async fn pay_with(test: &TestApp, club: &Club, subscription: SubscriptionId, method: &str) {
    let change = ChangeMethod {
        subscription,
        provider: "sandbox".to_owned(),
        method: method.to_owned(),
    };
    let changed = test.app.transact(&club.buyer, change, change_method).await;
    changed.expect("is changed");
    test.drain().await;
}

#[tokio::test]
async fn a_year_in_seconds() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let subscription = tried(test, &club, Some("sbm_pays")).await;
        assert_eq!(status(test, subscription).await, "trialing");
        for on in [
            "2027-01-29",
            "2027-02-28",
            "2027-03-29",
            "2027-04-29",
            "2027-05-29",
        ] {
            travel(test, on).await;
            assert_eq!(status(test, subscription).await, "active", "{on}");
        }
        travel(test, "2027-06-08").await;
        upgrade(test, &club, subscription).await;
        for on in ["2027-07-08", "2027-08-08"] {
            travel(test, on).await;
        }
        pay_with(test, &club, subscription, "sbm_insufficient_funds").await;
        for on in ["2027-09-08", "2027-09-10"] {
            travel(test, on).await;
            assert_eq!(status(test, subscription).await, "past_due", "{on}");
        }
        travel(test, "2027-09-12").await;
        pay_with(test, &club, subscription, "sbm_pays").await;
        assert_eq!(status(test, subscription).await, "active");
        for on in [
            "2027-10-08",
            "2027-11-08",
            "2027-12-08",
            "2028-01-08",
            "2028-01-20",
        ] {
            travel(test, on).await;
        }
        let cancel = Act {
            subscription,
            action: Action::Cancel,
            seen: None,
        };
        let wished = test.app.transact(&club.buyer, cancel, act).await;
        wished.expect("is wished");
        assert_eq!(status(test, subscription).await, "active");
        travel(test, "2028-02-08").await;
        assert_eq!(status(test, subscription).await, "canceled");
        travel(test, "2028-04-08").await;
        books_are_right(test).await;
    })
    .await;
}
