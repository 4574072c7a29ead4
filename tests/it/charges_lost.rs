//! Charges of saved methods whose answer never comes: each has an end, after which anybody who may pay
//! can, and nothing is paid twice.

use crate::automatic_payments::{Customer, attempts, die_after_charging, mails, pay_page};
use crate::shop::{Bought, choose};
use crate::subscriptions::{club, facts, status, tried};
use crate::web_usage::{sign_in, signed_in};
use mintreu::id::PaymentId;
use mintreu_server::app::App;
use mintreu_server::caller::Caller;
use mintreu_server::domains::invoicing::Invoice;
use mintreu_server::domains::payments::{
    self, EventKind, Payment, ProviderEvent, ReceiveEvent, receive_event,
};
use mintreu_server::domains::subscriptions::charge::{self, ChargePayload, EndPayload};
use mintreu_server::gateways::GatewayError;
use mintreu_server::queue::{JobError, MAX_ATTEMPTS, backoff_ms};
use mintreu_server::store::{Attempt, Tx};
use mintreu_server::worker::{self, Table};
use mintreu_tests::{Browser, TestApp};
use serde_json::json;
use std::sync::Arc;

const HOUR: u32 = 3_600_000;
const ADA: &str = "ada@buyer.example";

/// The provider can't be reached.
pub async fn no_line(_: Arc<App>, _: Caller, _: ChargePayload) -> Result<(), JobError> {
    Err(JobError::retry("no line"))
}

/// Nor does it say what came of it.
pub async fn no_answer(app: Arc<App>, caller: Caller, payload: EndPayload) -> Result<(), JobError> {
    let read = {
        let id: PaymentId = payload.charge.payment.parse().expect("an id");
        move |tx: &mut dyn Tx| payments::by_id(tx, caller.tenant, id)
    };
    let payment = app.store.read(read).await.expect("reads");
    let payment = payment.expect("reads").expect("is there");
    let silence = Err(GatewayError::Unavailable("no line".into()));
    charge::heard(&app, &caller, (payload, &payment), silence).await
}

async fn drain(test: &TestApp, table: &Arc<Table>) {
    let drained = worker::drain(&test.app, table).await;
    drained.expect("jobs can be leased");
}

/// Lets a job fail as often as it may.
async fn exhaust(test: &TestApp, table: &Arc<Table>) {
    for failures in 1..MAX_ATTEMPTS {
        test.clock
            .advance(u32::try_from(backoff_ms(failures)).expect("hours"));
        drain(test, table).await;
    }
}

/// The jobs that were given up are begun anew, as who runs the shop may do; how many that were.
async fn revive(test: &TestApp) -> u64 {
    let write = |tx: &mut dyn Tx| {
        let done = tx.execute(
            "UPDATE job SET state = 'waiting', attempts = 0 WHERE state = 'failed'",
            &[],
        );
        match done {
            Ok(jobs) => Attempt::Commit(Ok(jobs)),
            Err(error) => Attempt::Rollback(Err(error)),
        }
    };
    let revived = test.app.store.write(Vec::new(), write).await;
    revived.expect("writes").expect("rows")
}

/// How many charges the provider knows that took money.
async fn taken(test: &TestApp) -> usize {
    let read = |tx: &mut dyn Tx| {
        tx.query(
            "SELECT session FROM sandbox_session WHERE state = 'succeeded'",
            &[],
        )
    };
    let rows = test.app.store.read(read).await;
    rows.expect("reads").expect("rows").len()
}

async fn newest_payment(test: &TestApp) -> Payment {
    let tenant = test.tenant();
    let read = move |tx: &mut dyn Tx| {
        let rows = tx.query("SELECT payment_id FROM payment ORDER BY created_at", &[])?;
        let id = rows.last().expect("a payment");
        let id = id.id("payment_id", PaymentId::from_bytes)?;
        payments::by_id(tx, tenant, id)
    };
    let found = test.app.store.read(read).await;
    found.expect("reads").expect("reads").expect("is there")
}

/// The provider tells of a charge after all.
async fn told_late(test: &TestApp, payment: &Payment) {
    let house = Caller::system(test.tenant());
    let told = ReceiveEvent {
        provider: "sandbox",
        event: ProviderEvent {
            id: "evt_late".to_owned(),
            kind: EventKind::Succeeded,
            reference: payment.id.to_string(),
            object: None,
            object_reference: None,
            amount: payment.amount,
            fee: None,
            failure_code: None,
            method_country: None,
            method: None,
            evidence_due_at: None,
            occurred_at: test.app.now(),
        },
    };
    let told = test.app.transact(&house, told, receive_event).await;
    told.expect("is kept");
    test.drain().await;
}

/// An invoice whose charge ran into nothing as often as it may.
async fn stuck(test: &TestApp, customer: &mut Customer<'_>, table: &Arc<Table>) -> Invoice {
    let agreed = customer.agree(json!({"method": "sbm_pays"})).await;
    assert_eq!(agreed.0, 200, "{agreed:?}");
    let invoice = customer.billed_by(table.clone()).await;
    exhaust(test, table).await;
    invoice
}

async fn refused_to(browser: &Browser, invoice: &Invoice) {
    let (status, told) = pay_page(browser, invoice, "").await;
    assert_eq!(
        (status.as_u16(), &told["code"]),
        (409, &json!("being_charged"))
    );
}

async fn pays(test: &TestApp, browser: &Browser, invoice: &Invoice) {
    let (status, told) = pay_page(browser, invoice, "").await;
    assert_eq!(status, 200, "{told}");
    let page = Bought::on_page(told["pay_url"].as_str().expect("a page"));
    choose(browser, &page, "succeed").await;
    test.drain().await;
}

#[tokio::test]
async fn what_was_never_charged_ends_and_is_paid_by_page_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, ADA).await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let dead = Arc::new(worker::table().network(charge::CHARGE_JOB, no_line));
        let invoice = stuck(test, &mut customer, &dead).await;
        refused_to(&ada, &invoice).await;
        test.clock.advance(4 * HOUR);
        test.drain().await;
        sign_in(&ada, ADA).await;
        assert_eq!(customer.state(&invoice).await, "open");
        let ended = newest_payment(test).await;
        assert_eq!(ended.failure_code.as_deref(), Some("charge_ended"));
        assert_eq!(
            mails(test, "Subject: Invoice INV-000001 could not be charged"),
            1
        );
        pays(test, &ada, &invoice).await;
        assert_eq!(customer.state(&invoice).await, "paid");
        assert_eq!(revive(test).await, 1, "the charge was given up");
        test.drain().await;
        for _ in 0..4 {
            test.clock.advance(12 * HOUR);
            test.drain().await;
        }
        assert_eq!(
            (attempts(test, "succeeded").await, taken(test).await),
            (1, 1)
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_charged_and_never_told_is_counted_when_it_is_asked_after() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, ADA).await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let dying = Arc::new(worker::table().network(charge::CHARGE_JOB, die_after_charging));
        let invoice = stuck(test, &mut customer, &dying).await;
        refused_to(&ada, &invoice).await;
        test.clock.advance(4 * HOUR);
        test.drain().await;
        sign_in(&ada, ADA).await;
        assert_eq!(customer.state(&invoice).await, "paid");
        let (status, told) = pay_page(&ada, &invoice, "").await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (409, &json!("invoice_paid"))
        );
        assert_eq!(revive(test).await, 1);
        test.drain().await;
        assert_eq!(
            (attempts(test, "succeeded").await, taken(test).await),
            (1, 1)
        );
        server.stop().await;
    })
    .await;
}

/// A provider that says nothing for three days doesn't keep anybody from paying; what it tells
/// afterwards pays what is open, and of what was paid meanwhile somebody is told.
#[tokio::test]
async fn a_provider_that_stays_silent_keeps_nobody_from_paying_for_ever() {
    for paid_meanwhile in [false, true] {
        TestApp::both(async |test| {
            let server = test.serve().await;
            let (ada, account) = signed_in(&server, ADA).await;
            let mut customer = Customer::new(test, &ada, &account).await;
            let silent = worker::table()
                .network(charge::CHARGE_JOB, no_line)
                .network(charge::END_JOB, no_answer);
            let silent = Arc::new(silent);
            let invoice = stuck(test, &mut customer, &silent).await;
            for _ in 0..11 {
                test.clock.advance(6 * HOUR);
                drain(test, &silent).await;
            }
            sign_in(&ada, ADA).await;
            refused_to(&ada, &invoice).await;
            test.clock.advance(6 * HOUR);
            drain(test, &silent).await;
            let ended = newest_payment(test).await;
            assert_eq!(ended.failure_code.as_deref(), Some("charge_unanswered"));
            assert_eq!(customer.state(&invoice).await, "open");
            if paid_meanwhile {
                pays(test, &ada, &invoice).await;
            }
            told_late(test, &ended).await;
            assert_eq!(customer.state(&invoice).await, "paid");
            let attention = facts(test, "payment.needs_attention").await;
            assert_eq!(attention, i64::from(paid_meanwhile));
            assert_eq!(revive(test).await, 1);
            test.drain().await;
            server.stop().await;
        })
        .await;
    }
}

/// A renewal has the same end: it counts as declined, and is tried again on its day.
#[tokio::test]
async fn a_renewal_that_was_never_charged_is_tried_again() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        let dead = Arc::new(worker::table().network(charge::CHARGE_JOB, no_line));
        for _ in 0..28 {
            test.clock.advance(12 * HOUR);
        }
        drain(test, &dead).await;
        exhaust(test, &dead).await;
        assert_eq!(status(test, id).await, "active", "it is being charged");
        assert_eq!(taken(test).await, 0);
        test.clock.advance(4 * HOUR);
        test.drain().await;
        assert_eq!(status(test, id).await, "past_due");
        assert_eq!(revive(test).await, 1);
        test.drain().await;
        assert_eq!(taken(test).await, 0, "what has ended isn't charged");
        for _ in 0..4 {
            test.clock.advance(12 * HOUR);
        }
        test.drain().await;
        assert_eq!((status(test, id).await, taken(test).await), ("active", 1));
    })
    .await;
}
