//! From counted usage to invoices that are right to the cent, once a period, without gaps.

use crate::metered::{Device, SELLER, Sold, person, report, sold};
use mintreu::id::{InvoiceId, PaymentId};
use mintreu_server::app::{Command, Cx, ReadCx};
use mintreu_server::caller::{Capability, Role};
use mintreu_server::domains::billing::{
    BillNow, Billed, BillingError, ClosePeriod, UsageOfLicense, bill_now, close_period,
    license_usage, settle_invoice,
};
use mintreu_server::domains::invoicing::{
    Invoice, InvoiceError, InvoiceLine, InvoiceQuery, ListInvoices, invoice, list,
};
use mintreu_server::domains::metering::{Grain, Window};
use mintreu_tests::TestApp;

const DAY_MS: u32 = 86_400_000;
/// Cents a call after the first thousand; nothing for renders.
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 1000", "EUR per_unit 0.00"];

async fn close(test: &TestApp, sold: &Sold, period: i64) -> Billed {
    let license = sold.license;
    let command = ClosePeriod { license, period };
    let closed = test
        .app
        .transact(&test.system(), command, close_period)
        .await;
    closed.expect("closes")
}

async fn bill(test: &TestApp, sold: &Sold) -> Result<Billed, BillingError> {
    let license = sold.license;
    test.app
        .transact(&sold.customer, BillNow { license }, bill_now)
        .await
}

async fn invoices(test: &TestApp, sold: &Sold) -> Vec<Invoice> {
    let query = ListInvoices {
        as_seller: false,
        before: None,
        limit: 100,
    };
    let page = test.app.read(&sold.customer, query, list).await;
    page.expect("a page").invoices
}

async fn lines(test: &TestApp, sold: &Sold, id: InvoiceId) -> Vec<InvoiceLine> {
    let read = test
        .app
        .read(&sold.customer, InvoiceQuery { id }, invoice)
        .await;
    read.expect("is shown").1
}

fn cents(billed: &Billed) -> Option<i64> {
    match billed {
        Billed::Invoiced(invoice) => Some(invoice.total.minor()),
        Billed::Nothing => Some(0),
        Billed::Unchanged => None,
    }
}

/// Lets the running month end: February has 28 days, so this is never less than one month.
fn a_month(test: &TestApp) {
    test.clock.advance(31 * DAY_MS);
}

#[tokio::test]
async fn bills_are_right_to_the_cent() {
    for (units, expected) in [
        (0, 0),
        (999, 0),
        (1_000, 0),
        (1_001, 1),
        (123_456_789, 123_455_789),
    ] {
        TestApp::both(async |test| {
            let sold = sold(test, TARIFFS).await;
            let mut device = Device::activated(test, 1, sold.license).await;
            report(test, &device.seal(test, units, 77))
                .await
                .expect("is believed");
            assert_eq!(
                close(test, &sold, 0).await,
                Billed::Unchanged,
                "it isn't over"
            );
            a_month(test);
            let billed = close(test, &sold, 0).await;
            assert_eq!(cents(&billed), Some(expected), "{units} units");
            assert_eq!(
                close(test, &sold, 0).await,
                Billed::Unchanged,
                "closed before"
            );
            let known = invoices(test, &sold).await;
            assert_eq!(known.len(), usize::from(expected > 0));
            if let Some(invoice) = known.first() {
                assert_eq!(invoice.number_text(), "INV-000001");
                let lines = lines(test, &sold, invoice.id).await;
                let sum: i64 = lines.iter().map(|line| line.amount.minor()).sum();
                let counted: i64 = lines.iter().map(|line| line.quantity).sum();
                assert_eq!((sum, counted), (expected, units as i64));
                let line = &lines[1];
                assert_eq!(line.tariff.as_deref(), Some(TARIFFS[0]));
                assert_eq!(
                    (line.free_units, line.unit_price_nanos),
                    (1_000, Some(1_000_000_000))
                );
                assert!(
                    line.explanation.contains(" × 0.01 = "),
                    "{}",
                    line.explanation
                );
            }
        })
        .await;
    }
}

#[tokio::test]
async fn late_usage_is_billed_next_and_nothing_twice() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let (first, late) = (device.seal(test, 1_500, 0), device.seal(test, 4_000, 0));
        report(test, &first).await.expect("is believed");
        a_month(test);
        // The worker closes the period by itself.
        test.drain().await;
        assert_eq!(invoices(test, &sold).await[0].total.minor(), 500);
        report(test, &first).await.expect("is known");
        report(test, &late).await.expect("is believed");
        a_month(test);
        test.drain().await;
        let known = invoices(test, &sold).await;
        let totals: Vec<_> = known.iter().map(|invoice| invoice.total.minor()).collect();
        assert_eq!(
            totals,
            [1_500, 500],
            "2500 late units, 1000 of them free in the new period"
        );
        let numbers: Vec<_> = known.iter().map(|invoice| invoice.number).collect();
        assert_eq!(numbers, [2, 1]);
        assert_eq!(known[1].period.1, known[0].period.0, "periods touch");
        // Nothing more comes of nothing more.
        a_month(test);
        test.drain().await;
        assert_eq!(invoices(test, &sold).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn early_bills_share_one_period() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        let mut asked = 0;
        for (units, expected) in [(900, 0), (1_200, 200), (1_200, 0), (3_000, 1_800)] {
            report(test, &device.seal(test, units, 0))
                .await
                .expect("is believed");
            let billed = bill(test, &sold).await.expect("bills");
            assert_eq!(cents(&billed), Some(expected), "at {units}");
            asked += expected;
        }
        report(test, &device.seal(test, 3_100, 0))
            .await
            .expect("is believed");
        let window = Window::ending_at(test.app.now(), Grain::Day, 30);
        let license = sold.license;
        let query = UsageOfLicense { license, window };
        let usage = test
            .app
            .read(&sold.customer, query, license_usage)
            .await
            .expect("is shown");
        assert_eq!((usage.cost.minor(), usage.open.minor()), (2_100, 100));
        assert_eq!(usage.meters[0].series.len(), 30);
        a_month(test);
        let last = close(test, &sold, 0).await;
        assert_eq!(cents(&last), Some(100));
        assert_eq!(asked + 100, 2_100, "free units count once a period");
        let newest = &invoices(test, &sold).await[0];
        let said = lines(test, &sold, newest.id).await;
        let said: Vec<_> = said.iter().map(|line| line.explanation.as_str()).collect();
        assert_eq!(
            said,
            [
                "1000 free",
                "2100 × 0.01 = 21.00 EUR",
                "invoiced before, -20.00 EUR"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn what_a_volume_price_takes_back_is_carried_over() {
    TestApp::both(async |test| {
        let volume = "EUR volume 100=1.00 *=0.10";
        let sold = sold(test, [volume, TARIFFS[1]]).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 100, 0))
            .await
            .expect("is believed");
        assert_eq!(
            cents(&bill(test, &sold).await.expect("bills")),
            Some(10_000)
        );
        report(test, &device.seal(test, 200, 0))
            .await
            .expect("is believed");
        a_month(test);
        assert_eq!(
            cents(&close(test, &sold, 0).await),
            Some(0),
            "80.00 too much was asked"
        );
        report(test, &device.seal(test, 300, 0))
            .await
            .expect("is believed");
        a_month(test);
        assert_eq!(
            cents(&close(test, &sold, 1).await),
            Some(2_000),
            "100.00 less 80.00"
        );
    })
    .await;
}

#[tokio::test]
async fn one_period_one_invoice_and_no_gaps_however_many_ask() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        for round in 0..3_u64 {
            let units = (round + 1) * 5_000;
            report(test, &device.seal(test, units, 0))
                .await
                .expect("is believed");
            a_month(test);
            let mut closers = tokio::task::JoinSet::new();
            for _ in 0..12 {
                let (app, system, license) = (test.app.clone(), test.system(), sold.license);
                let period = round as i64;
                closers.spawn(async move {
                    let command = ClosePeriod { license, period };
                    app.transact(&system, command, close_period).await
                });
            }
            let closed = closers.join_all().await;
            let issued = closed
                .iter()
                .filter(|one| matches!(one.as_ref().expect("closes"), Billed::Invoiced(_)));
            assert_eq!(issued.count(), 1);
        }
        let mut numbers: Vec<_> = invoices(test, &sold)
            .await
            .iter()
            .map(|invoice| invoice.number)
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn the_books_hold_what_the_invoice_says() {
    TestApp::both(async |test| {
        use mintreu_server::domains::ledger::{AccountKind, seller_balances, trial_balance};
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 11_000, 0))
            .await
            .expect("is believed");
        assert_eq!(
            cents(&bill(test, &sold).await.expect("bills")),
            Some(10_000)
        );
        let trial = test
            .app
            .read(&test.system(), (), trial_balance)
            .await
            .expect("balances");
        assert!(trial.iter().all(|line| line.sum.minor() == 0) && !trial.is_empty());
        let held = test
            .app
            .read(&sold.seller, SELLER, seller_balances)
            .await
            .expect("balances");
        let held = held
            .iter()
            .find(|line| line.kind == AccountKind::SellerHeld);
        // 100.00 less 15 % and a payment's 2.9 % and 0.30.
        assert_eq!(
            held.map(|line| line.amount.minor()),
            Some(10_000 - 1_500 - 320)
        );
    })
    .await;
}

#[tokio::test]
async fn others_see_neither_usage_nor_invoices() {
    TestApp::both(async |test| {
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 2_000, 0))
            .await
            .expect("is believed");
        bill(test, &sold).await.expect("bills");
        let id = invoices(test, &sold).await[0].id;
        let other = person(
            test,
            mintreu::id::AccountId::from_bytes([9; 16]),
            Role::Developer,
        );
        for stranger in [&other, &test.guest()] {
            let refused = test.app.read(stranger, InvoiceQuery { id }, invoice).await;
            assert!(matches!(refused, Err(InvoiceError::NotFound)));
            let window = Window::ending_at(test.app.now(), Grain::Day, 1);
            let license = sold.license;
            let query = UsageOfLicense { license, window };
            let refused = test.app.read(stranger, query, license_usage).await;
            assert!(matches!(refused, Err(BillingError::NotFound)));
            let refused = test
                .app
                .transact(stranger, BillNow { license }, bill_now)
                .await;
            assert!(refused.is_err());
        }
        test.app
            .read(&sold.seller, InvoiceQuery { id }, invoice)
            .await
            .expect("is shown");
    })
    .await;
}

#[tokio::test]
async fn a_plan_remembers_the_tariff_it_was_bought_by() {
    TestApp::both(async |test| {
        use mintreu_server::domains::catalog;
        use mintreu_server::domains::catalog::ops::{UpdateProduct, update_product};
        let sold = sold(test, TARIFFS).await;
        let draft = serde_json::json!({
            "code": "acme.api", "kind": "api", "name": "Acme API", "summary": "Renders.",
            "categories": ["tools"], "prices": [{"model": "metered", "currency": "EUR"}],
            "meters": [{"name": "calls", "unit": "call", "tariff": "EUR per_unit 9.00"}],
        });
        let draft = serde_json::from_value(draft).expect("a draft");
        let product = sold.product;
        let dearer = UpdateProduct { product, draft };
        test.app
            .transact(&sold.seller, dearer, update_product)
            .await
            .expect("is written");
        let read = |cx: &mut ReadCx<'_>, id: &_| catalog::product(cx.tx, cx.caller.tenant, *id);
        let now = test
            .app
            .read(&sold.seller, product, read)
            .await
            .expect("reads")
            .expect("there");
        assert_eq!(now.meters.len(), 1);
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 1_100, 3))
            .await
            .expect("is believed");
        assert_eq!(cents(&bill(test, &sold).await.expect("bills")), Some(100));
    })
    .await;
}

struct Settle {
    invoice: InvoiceId,
    payment: PaymentId,
}

impl Command for Settle {
    const NAME: &'static str = "test.settle_invoice";
    const CAPABILITY: Capability = Capability::Operate;
}

fn settle(cx: &mut Cx<'_>, paid: &Settle) -> Result<Invoice, BillingError> {
    settle_invoice(cx, paid.invoice, paid.payment)
}

#[tokio::test]
async fn an_invoice_is_paid_once() {
    TestApp::both(async |test| {
        use mintreu_server::domains::invoicing::State;
        use mintreu_server::domains::ledger::trial_balance;
        let sold = sold(test, TARIFFS).await;
        let mut device = Device::activated(test, 1, sold.license).await;
        report(test, &device.seal(test, 2_000, 0))
            .await
            .expect("is believed");
        bill(test, &sold).await.expect("bills");
        let invoice = invoices(test, &sold).await[0].id;
        let pay = |payment| Settle {
            invoice,
            payment: PaymentId::from_bytes([payment; 16]),
        };
        for _ in 0..3 {
            let paid = test
                .app
                .transact(&test.system(), pay(1), settle)
                .await
                .expect("is paid");
            assert_eq!(
                (paid.state, paid.paid_at),
                (State::Paid, Some(test.app.now()))
            );
        }
        let again = test.app.transact(&test.system(), pay(2), settle).await;
        assert!(matches!(
            again,
            Err(BillingError::Invoice(InvoiceError::AlreadyPaid))
        ));
        let trial = test
            .app
            .read(&test.system(), (), trial_balance)
            .await
            .expect("balances");
        // The invoice in four entries, its payment in two; every further attempt in none.
        assert_eq!((trial[0].sum.minor(), trial[0].entries), (0, 6));
    })
    .await;
}
