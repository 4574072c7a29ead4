//! A database with disputes of before invoices could be disputed, brought up to now: no row is lost, and
//! the keys hold as they did.

use mintreu_server::store::{Attempt, Row, Store, StoreError, Tx, Value};
use mintreu_tests::TestApp;

/// The last migration before disputes of invoices.
const BEFORE: i64 = 56;

const TENANT: [u8; 16] = *b"tenant of before";
const ORDERS: [[u8; 16]; 2] = [*b"order one before", *b"order two before"];
const DISPUTES: [([u8; 16], &str); 4] = [
    (*b"dispute warned..", "warning"),
    (*b"dispute asked...", "inquiry"),
    (*b"dispute taken...", "chargeback"),
    (*b"dispute decided.", "lost"),
];

const ORDER: &str = "\
INSERT INTO customer_order (tenant_id, order_id, state, currency, total_minor, traffic,
    access_hash, placed_at, expires_at, updated_at)
VALUES (:tenant, :order, 'failed', 'EUR', 4900, 'seller', :order, 1, 2, 3)";
const DISPUTE: &str = "\
INSERT INTO dispute (tenant_id, dispute_id, order_id, payment_id, provider, provider_dispute_id,
    amount_minor, currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at)
VALUES (:tenant, :dispute, :order, :dispute, 'sandbox', :name, :amount, 'EUR', :state, :reason,
    :rounds, :due, 5, 6, :closed)";
const DECISION: &str = "\
INSERT INTO dispute_decision (tenant_id, dispute_id, state, decision, reason, decided_by,
    decided_at)
VALUES (:tenant, :dispute, :state, 'leave', 'Looked at it.', :by, 7)";
const ANSWER: &str = "\
INSERT INTO dispute_answer (tenant_id, dispute_id, stage, state, product_description,
    refund_policy, customer_communication, statement, gathered, by_default, answered_by,
    failure_code, opened_at, answered_at, settled_at)
VALUES (:tenant, :dispute, :stage, 'sent', 'An editor.', 'None.', 'Hello.', 'Ours.', '{}', 1,
    :by, :failure, 8, 9, NULL)";

/// Rows of every kind that the migration writes anew, with and without what may be missing.
fn fill(tx: &mut dyn Tx) -> Result<(), StoreError> {
    let tenant = || ("tenant", Value::from(&TENANT));
    for order in &ORDERS {
        tx.execute(ORDER, &[tenant(), ("order", order.into())])?;
    }
    for (at, (dispute, state)) in (0_i64..).zip(&DISPUTES) {
        let some = at % 2 == 1;
        let order = &ORDERS[usize::from(some)];
        let by = || Value::from(some.then_some(&TENANT[..]));
        let params = [
            tenant(),
            ("dispute", dispute.into()),
            ("order", order.into()),
            ("name", format!("dp_{at}").into()),
            ("amount", (100 + at).into()),
            ("state", (*state).into()),
            ("reason", some.then_some("fraudulent").into()),
            ("rounds", at.into()),
            ("due", some.then_some(11).into()),
            ("closed", (*state == "lost").then_some(12).into()),
        ];
        tx.execute(DISPUTE, &params)?;
        for stage in ["inquiry", "chargeback"] {
            let of = [tenant(), ("dispute", dispute.into()), ("by", by())];
            let decided = [&of[..], &[("state", stage.into())]].concat();
            tx.execute(DECISION, &decided)?;
            let failure = ("failure", some.then_some("evidence_late").into());
            let answered = [&of[..], &[("stage", stage.into()), failure]].concat();
            tx.execute(ANSWER, &answered)?;
        }
    }
    Ok(())
}

async fn write(
    store: &Store,
    body: impl Fn(&mut dyn Tx) -> Result<(), StoreError> + Send + 'static,
) -> Result<(), StoreError> {
    let body = move |tx: &mut dyn Tx| match body(tx) {
        Ok(()) => Attempt::Commit(Ok(())),
        Err(error) => Attempt::Rollback(Err(error)),
    };
    store.write(Vec::new(), body).await?
}

/// Every column that was there before, row by row.
async fn rows(store: &Store) -> Vec<String> {
    let read = |tx: &mut dyn Tx| -> Result<Vec<Row>, StoreError> {
        let mut all = tx.query(
            "SELECT tenant_id, dispute_id, order_id, payment_id, provider, provider_dispute_id,
                amount_minor, currency, state, reason, rounds, evidence_due_at, told_at, opened_at,
                closed_at
            FROM dispute ORDER BY dispute_id",
            &[],
        )?;
        all.extend(tx.query(
            "SELECT tenant_id, dispute_id, state, decision, reason, decided_by, decided_at
            FROM dispute_decision ORDER BY dispute_id, state",
            &[],
        )?);
        all.extend(tx.query(
            "SELECT tenant_id, dispute_id, stage, state, product_description, refund_policy,
                customer_communication, statement, gathered, by_default, answered_by,
                failure_code, opened_at, answered_at, settled_at
            FROM dispute_answer ORDER BY dispute_id, stage",
            &[],
        )?);
        Ok(all)
    };
    let rows = store.read(read).await.expect("reads").expect("rows");
    rows.iter().map(|row| format!("{row:?}")).collect()
}

/// Keys that are taken.
const TAKEN: [&str; 4] = [
    "UPDATE dispute SET dispute_id = (SELECT dispute_id FROM dispute
        WHERE provider_dispute_id = 'dp_1') WHERE provider_dispute_id = 'dp_0'",
    "UPDATE dispute SET provider_dispute_id = 'dp_0' WHERE provider_dispute_id = 'dp_1'",
    "UPDATE dispute_decision SET state = 'inquiry'",
    "UPDATE dispute_answer SET stage = 'inquiry'",
];

/// What would belong to nothing.
const LOOSE: [&str; 3] = [
    "UPDATE dispute SET order_id = dispute_id WHERE provider_dispute_id = 'dp_2'",
    "UPDATE dispute_decision SET dispute_id = tenant_id WHERE state = 'inquiry'
        AND dispute_id = (SELECT dispute_id FROM dispute WHERE provider_dispute_id = 'dp_1')",
    "UPDATE dispute_answer SET dispute_id = tenant_id WHERE stage = 'inquiry'
        AND dispute_id = (SELECT dispute_id FROM dispute WHERE provider_dispute_id = 'dp_1')",
];

async fn run(store: &Store, sql: &'static str) -> Result<(), StoreError> {
    write(store, move |tx| tx.execute(sql, &[]).map(drop)).await
}

#[tokio::test]
async fn disputes_of_before_are_all_there_and_their_keys_hold() {
    TestApp::migrated(
        BEFORE,
        async |store| {
            write(store, fill).await.expect("is filled");
            let before = rows(store).await;
            assert_eq!(before.len(), 4 + 8 + 8);
            before
        },
        async |test, before| {
            let store = &test.app.store;
            assert_eq!(rows(store).await, before);
            for sql in TAKEN {
                let done = run(store, sql).await;
                assert!(matches!(done, Err(StoreError::Conflict { .. })), "{sql}: {done:?}");
            }
            for sql in LOOSE {
                let told = format!("{:?}", run(store, sql).await).to_lowercase();
                let of_key = told.contains("foreign key") || told.contains("fkey");
                assert!(told.starts_with("err") && of_key, "{sql}: {told}");
            }
            // Of an order or of an invoice, never of neither.
            let neither = "UPDATE dispute SET order_id = NULL WHERE provider_dispute_id = 'dp_2'";
            assert!(run(store, neither).await.is_err(), "of nothing");
            assert_eq!(rows(store).await, before, "what is refused changes nothing");
            // What a bank asks about is found by the lists.
            let asked = |tx: &mut dyn Tx| {
                tx.query(
                    "SELECT order_id FROM customer_order WHERE is_disputed = 1 ORDER BY order_id",
                    &[],
                )
            };
            let asked = store.read(asked).await.expect("reads").expect("rows");
            assert_eq!(asked.len(), 2, "by an inquiry, and by a chargeback");
            // The control: one that is gone is missed.
            let gone = "DELETE FROM dispute_answer WHERE stage = 'inquiry'
                AND dispute_id = (SELECT dispute_id FROM dispute WHERE provider_dispute_id = 'dp_3')";
            run(store, gone).await.expect("is deleted");
            assert_ne!(rows(store).await, before);
        },
    )
    .await;
}
