//! The other side of "exactly once": take a guard away, and the audit must notice.

use crate::shop::{check_out, choose, shop};
use mintreu::id::PaymentEventId;
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::Capability;
use mintreu_server::domains::fulfilment::FulfilmentError;
use mintreu_server::domains::fulfilment::settle_payment;
use mintreu_server::domains::payments::SettlePayload;
use mintreu_server::store::StoreError;
use mintreu_tests::TestApp;

/// Statements that undo a guard, and then the event is settled once more.
struct Again {
    undo: &'static [&'static str],
}

impl Command for Again {
    const NAME: &'static str = "test.settle_again";
    const CAPABILITY: Capability = Capability::Operate;
}

fn again(cx: &mut Cx<'_>, again: &Again) -> Result<(), FulfilmentError> {
    for sql in again.undo {
        cx.tx.execute(sql, &[])?;
    }
    let row = cx
        .tx
        .query_one("SELECT payment_event_id FROM payment_event", &[])?;
    let row = row.ok_or_else(|| StoreError::shape("no event".to_owned()))?;
    let event = row.id("payment_event_id", PaymentEventId::from_bytes)?;
    let job = SettlePayload {
        payment_event: event.to_string(),
    };
    settle_payment(cx, &job)
}

const FORGET_EVENT: &str = "UPDATE payment_event SET outcome = NULL";
const FORGET_PAYMENT: &str = "UPDATE payment SET state = 'expected'";
const FORGET_ORDER: &str = "UPDATE customer_order SET state = 'awaiting_payment', paid_at = NULL";
const FORGET_POSTING: &str = "UPDATE ledger_transaction SET posting_key = 'lost'";
const FORGET_LICENSE: &str = "UPDATE license SET source = 'orl_00000000000000000000000000'";
const FORGET_ESCROW: &str = "UPDATE ledger_escrow SET source = 'lost'";

async fn paid(test: &TestApp) {
    let (shop, server) = (shop(test).await, test.serve().await);
    let guest = server.browser();
    let bought = check_out(&guest, &shop).await;
    choose(&guest, &bought, "succeed").await;
    test.drain().await;
    server.stop().await;
}

#[tokio::test]
async fn each_guard_alone_keeps_a_second_settlement_harmless() {
    TestApp::both(async |test| {
        paid(test).await;
        let undone: [&[&str]; 4] = [
            &[],
            &[FORGET_EVENT],
            &[FORGET_EVENT, FORGET_PAYMENT],
            &[FORGET_EVENT, FORGET_PAYMENT, FORGET_ORDER],
        ];
        for undo in undone {
            let settled = test
                .app
                .transact(&test.system(), Again { undo }, again)
                .await;
            settled.expect("settles");
            let complaints = mintreu_tests::audit::complaints(test).await;
            assert!(complaints.is_empty(), "{undo:?}: {complaints:#?}");
        }
    })
    .await;
}

#[tokio::test]
async fn without_any_guard_the_audit_finds_two_sales_and_a_license_too_many() {
    const UNDO: &[&str] = &[
        FORGET_EVENT,
        FORGET_PAYMENT,
        FORGET_ORDER,
        FORGET_POSTING,
        FORGET_LICENSE,
        FORGET_ESCROW,
    ];
    for expected in ["is posted Some((2, 9800))", "a license of no line"] {
        let test = TestApp::sqlite().await;
        paid(&test).await;
        let settled = test
            .app
            .transact(&test.system(), Again { undo: UNDO }, again)
            .await;
        settled.expect("settles");
        test.finish_expecting(expected).await;
    }
}
