//! SQL of the sandbox's payouts.

use super::super::payouts::PayoutBody;
use crate::gateways::PayoutOrder;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::TenantId;

const ASK_AGAIN: &str = "\
UPDATE sandbox_payout SET asked = asked + 1
WHERE tenant_id = :tenant AND idempotency_key = :key RETURNING payout";

const INSERT_PAYOUT: &str = "\
INSERT INTO sandbox_payout (tenant_id, payout, idempotency_key, destination, amount_minor,
    currency, asked, created_at)
VALUES (:tenant, :payout, :key, :destination, :amount, :currency, 1, :now)";

const INSERT_PAYOUT_EVENT: &str = "\
INSERT INTO sandbox_payout_event (tenant_id, event, payout, body, created_at)
VALUES (:tenant, :event, :payout, :body, :now)";

const PAYOUT_EVENT_BODY: &str = "\
SELECT body FROM sandbox_payout_event WHERE tenant_id = :tenant AND event = :event";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    ASK_AGAIN,
    INSERT_PAYOUT,
    INSERT_PAYOUT_EVENT,
    PAYOUT_EVENT_BODY,
];

/// The payout that was made for this key before.
pub fn ask_again(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("key", key.into())];
    let row = tx.query_one(ASK_AGAIN, &params)?;
    row.map(|row| row.text("payout")).transpose()
}

pub fn insert(
    tx: &mut dyn Tx,
    request: &PayoutOrder,
    payout: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", request.tenant.as_bytes().into()),
        ("payout", payout.into()),
        ("key", request.payout.to_string().into()),
        ("destination", request.destination.as_str().into()),
        ("amount", request.amount.minor().into()),
        ("currency", request.amount.currency().code().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_PAYOUT, &params).map(drop)
}

pub fn insert_event(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &PayoutBody,
    body: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.id.as_str().into()),
        ("payout", event.payout.as_str().into()),
        ("body", body.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_PAYOUT_EVENT, &params).map(drop)
}

pub fn event_body(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &str,
) -> Result<Option<String>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.into()),
    ];
    let row = tx.query_one(PAYOUT_EVENT_BODY, &params)?;
    row.map(|row| row.text("body")).transpose()
}
