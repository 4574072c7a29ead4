//! Usage that arrives after its period was closed is billed once, by the policy of its product.

use crate::metered::{Device, Sold, report, sold};
use mintreu::Timestamp;
use mintreu::id::{InvoiceId, ProductId};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability};
use mintreu_server::domains::billing::{
    LateOf, LatePolicy, RatedLine, RatedLines, SetLate, SetTerms, TermsOf, late_of, rated_lines,
    set_late, set_terms,
};
use mintreu_server::domains::invoicing::{
    Invoice, InvoiceError, ListInvoices, State, list, mark_paid,
};
use mintreu_server::domains::metering::evidence::{BehindInvoice, BehindPeriod};
use mintreu_server::domains::metering::evidence::{behind_invoice, behind_period};
use mintreu_server::domains::meters::model::event::CloudEvent;
use mintreu_server::domains::meters::model::meter::DraftIn;
use mintreu_server::domains::meters::ops::{CreateMeter, IngestEvents, create_meter, ingest};
use mintreu_server::store::{Attempt, Tx};
use mintreu_tests::TestApp;
use serde_json::json;

const DAY_MS: u32 = 86_400_000;
const MINUTE_MS: u32 = 60_000;
/// Free units tell the periods apart: each has a hundred of its own.
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 100", "EUR per_unit 0.00"];
const BOTH: [LatePolicy; 2] = [LatePolicy::Current, LatePolicy::Amend];

async fn choose(test: &TestApp, caller: &Caller, product: ProductId, policy: LatePolicy) -> bool {
    let command = SetLate { product, policy };
    test.app.transact(caller, command, set_late).await.is_ok()
}

/// The customer's invoices in the order of their numbers.
async fn invoices(test: &TestApp, sold: &Sold) -> Vec<Invoice> {
    let query = ListInvoices {
        as_seller: false,
        before: None,
        limit: 100,
    };
    let page = test.app.read(&sold.customer, query, list).await;
    let mut invoices = page.expect("are shown").invoices;
    invoices.sort_by_key(|invoice| invoice.number);
    invoices
}

async fn asked(test: &TestApp, sold: &Sold) -> Vec<i64> {
    let invoices = invoices(test, sold).await;
    invoices.iter().map(|one| one.total.minor()).collect()
}

async fn lines(test: &TestApp, sold: &Sold, period: i64) -> Vec<RatedLine> {
    let query = RatedLines {
        license: sold.license,
        until: None,
    };
    let lines = test.app.read(&sold.customer, query, rated_lines).await;
    let mut lines = lines.expect("are shown");
    lines.retain(|line| line.period == period);
    lines
}

/// A month passes, and what is due then is done.
async fn next_month(test: &TestApp) {
    test.clock.advance(31 * DAY_MS);
    test.drain().await;
}

/// Late usage waits a minute for more of the same.
async fn soon(test: &TestApp) {
    test.clock.advance(2 * MINUTE_MS);
    test.drain().await;
}

struct Pay(InvoiceId);

impl Command for Pay {
    const NAME: &'static str = "test.pay";
    const CAPABILITY: Capability = Capability::Operate;
}

fn pay(cx: &mut Cx<'_>, pay: &Pay) -> Result<Invoice, InvoiceError> {
    mark_paid(cx, pay.0, None)
}

#[tokio::test]
async fn a_segment_of_the_last_period_is_billed_once_by_either_policy() {
    for policy in BOTH {
        TestApp::both(async |test| {
            let sold = sold(test, TARIFFS).await;
            assert!(!choose(test, &sold.customer, sold.product, policy).await);
            assert!(choose(test, &sold.seller, sold.product, policy).await);
            let known = test.app.read(&sold.seller, LateOf(sold.product), late_of);
            assert_eq!(known.await.expect("is known"), policy);
            let mut device = Device::activated(test, 1, sold.license).await;
            let first = device.seal(test, 150, 0);
            report(test, &first).await.expect("is believed");
            // Sealed within the period, kept on the device until it is over.
            test.clock.advance(20 * DAY_MS);
            let late = device.seal(test, 350, 0);
            next_month(test).await;
            assert_eq!(asked(test, &sold).await, [50], "150 of which 100 are free");
            report(test, &late).await.expect("is believed");
            let after = device.seal(test, 400, 0);
            report(test, &after).await.expect("is believed");
            soon(test).await;
            let expected = match policy {
                LatePolicy::Current => vec![50],
                LatePolicy::Amend => vec![50, 200],
            };
            assert_eq!(asked(test, &sold).await, expected);
            // The same segment again, and the job again: nothing.
            report(test, &late).await.expect("is a success");
            soon(test).await;
            assert_eq!(asked(test, &sold).await, expected);
            let running = BehindPeriod {
                license: sold.license,
                meter: "calls".into(),
            };
            let running = test.app.read(&sold.customer, running, behind_period).await;
            let running = running.expect("is shown").units;
            next_month(test).await;
            match policy {
                LatePolicy::Current => {
                    // 250 of the running period, of which 100 are free.
                    assert_eq!(running, 250);
                    assert_eq!(asked(test, &sold).await, [50, 150]);
                }
                LatePolicy::Amend => {
                    // 350 of the last one, of which 100 are free; of this one 50, all free.
                    assert_eq!(running, 50);
                    assert_eq!(asked(test, &sold).await, [50, 200]);
                    amended(test, &sold).await;
                }
            }
        })
        .await;
    }
}

/// What an amendment looks like: lines of its period that say what they amend, and the segment.
async fn amended(test: &TestApp, sold: &Sold) {
    let invoices = invoices(test, sold).await;
    let [first, second] = &invoices[..] else {
        panic!("{invoices:#?}");
    };
    assert_eq!(first.period, second.period);
    let lines = lines(test, sold, 0).await;
    let said: Vec<_> = lines.iter().map(|line| line.explanation.as_str()).collect();
    let amends = format!("late usage, amends {}", first.number_text());
    assert_eq!(
        said,
        [
            "100 free",
            "250 × 0.01 = 2.50 EUR",
            "invoiced before, -0.50 EUR",
            amends.as_str(),
            "100 free",
            "50 × 0.01 = 0.50 EUR",
        ]
    );
    let query = BehindInvoice {
        invoice: second.id,
        meter: "calls".into(),
    };
    let behind = test.app.read(&sold.customer, query, behind_invoice).await;
    let behind = behind.expect("is shown");
    assert_eq!((behind.units, behind.from_segments), (200, 200));
    assert_eq!(behind.sources.len(), 1);
}

#[tokio::test]
async fn an_event_of_the_last_period_is_billed_once_by_either_policy() {
    for policy in BOTH {
        TestApp::both(async |test| {
            let sold = sold(test, TARIFFS).await;
            assert!(choose(test, &sold.seller, sold.product, policy).await);
            meter(test, &sold).await;
            let began = test.app.now();
            send(test, &sold, &[("1", "150.5", began)]).await;
            next_month(test).await;
            assert_eq!(asked(test, &sold).await, [50]);
            // One request: of the last period, whose half is whole now, and of this one.
            let old = began.plus_ms(i64::from(DAY_MS));
            let now = test.app.now();
            send(test, &sold, &[("2", "100.5", old), ("3", "120", now)]).await;
            send(test, &sold, &[("2", "100.5", old)]).await;
            soon(test).await;
            next_month(test).await;
            let expected = match policy {
                // 150; then 221 at once, of which 100 are free.
                LatePolicy::Current => vec![50, 121],
                // 251 of the first, of which 100 are free; then 120 of the second.
                LatePolicy::Amend => vec![50, 101, 20],
            };
            assert_eq!(asked(test, &sold).await, expected);
        })
        .await;
    }
}

/// A meter whose events the license's `calls` are billed by.
async fn meter(test: &TestApp, sold: &Sold) {
    let draft: DraftIn = serde_json::from_value(json!({"slug": "calls", "eventType": "call",
        "aggregation": "SUM", "valueProperty": "$.n", "productId": sold.product.to_string()}))
    .expect("a draft");
    let create = CreateMeter {
        seller: sold.seller.account.expect("an account"),
        draft: draft.read().expect("a meter"),
    };
    let made = test.app.transact(&sold.seller, create, create_meter);
    made.await.expect("made");
}

async fn send(test: &TestApp, sold: &Sold, events: &[(&str, &str, Timestamp)]) {
    let read = |(id, n, at): &(&str, &str, Timestamp)| {
        let json = json!({"id": id, "source": "s", "specversion": "1.0", "type": "call",
            "subject": sold.license.to_string(), "data": {"n": n}})
        .to_string();
        let event: CloudEvent<'_> = serde_json::from_str(&json).expect("an event");
        let mut event = event.read(test.app.now()).expect("reads");
        event.at = Some(*at);
        event
    };
    let command = IngestEvents {
        seller: sold.seller.account.expect("an account"),
        events: events.iter().map(read).collect(),
    };
    let sent = ingest(&test.app, &sold.seller, command).await;
    sent.expect("are taken");
}

#[tokio::test]
async fn a_paid_invoice_is_not_amended_and_a_commitment_is_asked_for_once() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        assert!(choose(test, &sold.seller, sold.product, LatePolicy::Amend).await);
        let terms = SetTerms {
            of: TermsOf::Product(sold.product),
            commitment_minor: 300,
            threshold_minor: 0,
        };
        let set = test.app.transact(&sold.seller, terms, set_terms).await;
        set.expect("is set");
        let known = test.app.read(&sold.seller, LateOf(sold.product), late_of);
        assert_eq!(known.await.expect("is known"), LatePolicy::Amend, "stays");
        let license =
            crate::metered::sell_again(test, sold.product, crate::metered::CUSTOMER).await;
        let sold = Sold { license, ..sold };
        let mut device = Device::activated(test, 2, license).await;
        let first = device.seal(test, 150, 0);
        report(test, &first).await.expect("is believed");
        let (less, more) = (device.seal(test, 250, 0), device.seal(test, 500, 0));
        let last = device.seal(test, 600, 0);
        next_month(test).await;
        assert_eq!(asked(test, &sold).await, [300], "0.50 and up to 3.00");
        report(test, &less).await.expect("is believed");
        soon(test).await;
        assert_eq!(asked(test, &sold).await, [300], "1.50 is within it");
        report(test, &more).await.expect("is believed");
        soon(test).await;
        assert_eq!(asked(test, &sold).await, [300, 100], "4.00 is 1.00 more");
        let sum: i64 = lines(test, &sold, 0)
            .await
            .iter()
            .map(|line| line.amount.minor())
            .sum();
        assert_eq!(sum, 400, "the period's lines add up to what was asked");
        // Once the newest invoice is paid, what comes is of the running period.
        let newest = invoices(test, &sold).await.pop().expect("an invoice");
        let paid = test.app.transact(&test.system(), Pay(newest.id), pay).await;
        assert_eq!(paid.expect("is paid").state, State::Paid);
        report(test, &last).await.expect("is believed");
        soon(test).await;
        next_month(test).await;
        // 100 units are free there, and the commitment is asked for.
        assert_eq!(asked(test, &sold).await, [300, 100, 300]);
    })
    .await;
}

/// The negative control: were late units decided about twice, they would be asked for twice, and
/// the sums above would show it.
#[tokio::test]
async fn forgetting_what_was_decided_bills_twice_and_is_seen() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        assert!(choose(test, &sold.seller, sold.product, LatePolicy::Amend).await);
        let mut device = Device::activated(test, 1, sold.license).await;
        let first = device.seal(test, 150, 0);
        report(test, &first).await.expect("is believed");
        let late = device.seal(test, 350, 0);
        next_month(test).await;
        report(test, &late).await.expect("is believed");
        soon(test).await;
        assert_eq!(asked(test, &sold).await, [50, 200]);
        let forget = "UPDATE usage_late SET decided_units = 0";
        let forget = move |tx: &mut dyn Tx| Attempt::Commit(tx.execute(forget, &[]));
        let written = test.app.store.write(Vec::new(), forget).await;
        written.expect("runs").expect("is forgotten");
        next_month(test).await;
        assert_eq!(asked(test, &sold).await, [50, 200, 200]);
    })
    .await;
}

#[tokio::test]
async fn prices_by_dimension_are_amended_row_by_row() {
    const MATRIX: [&str; 2] = ["EUR matrix model=big:1.00 *:0.10", "EUR per_unit 0.00"];
    TestApp::both(async |test| {
        let sold = sold(test, MATRIX).await;
        assert!(choose(test, &sold.seller, sold.product, LatePolicy::Amend).await);
        let mut device = Device::activated(test, 1, sold.license).await;
        let first = device.seal_split(test, "model", &[("big", 3), ("small", 5)]);
        report(test, &first).await.expect("is believed");
        let late = device.seal_split(test, "model", &[("big", 5), ("small", 5)]);
        next_month(test).await;
        assert_eq!(asked(test, &sold).await, [350]);
        report(test, &late).await.expect("is believed");
        soon(test).await;
        assert_eq!(asked(test, &sold).await, [350, 200], "two big ones more");
        let after = device.seal_split(test, "model", &[("big", 5), ("small", 15)]);
        report(test, &after).await.expect("is believed");
        next_month(test).await;
        assert_eq!(asked(test, &sold).await, [350, 200, 100], "ten small ones");
    })
    .await;
}
