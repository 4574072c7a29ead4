//! SQL of the sandbox's payouts.

use super::super::payouts::PayoutBody;
use crate::gateways::PayoutOrder;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::TenantId;
use mintreu::{Currency, Money, Timestamp};

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

const FIND_PAYOUT: &str = "\
SELECT payout, idempotency_key, destination, amount_minor, currency, created_at
FROM sandbox_payout WHERE tenant_id = :tenant AND payout = :payout";

const RECENT_PAYOUTS: &str = "\
SELECT payout, idempotency_key, destination, amount_minor, currency, created_at
FROM sandbox_payout WHERE tenant_id = :tenant
ORDER BY created_at DESC, payout LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    ASK_AGAIN,
    INSERT_PAYOUT,
    INSERT_PAYOUT_EVENT,
    PAYOUT_EVENT_BODY,
    FIND_PAYOUT,
    RECENT_PAYOUTS,
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

/// A payout as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPayout {
    /// The provider's name of it.
    pub payout: String,
    /// The shop's name of it.
    pub reference: String,
    /// The account that got it.
    pub destination: String,
    /// How much.
    pub amount: Money,
    /// When it was asked for.
    pub created_at: Timestamp,
}

fn stored(row: &Row) -> Result<StoredPayout, StoreError> {
    let currency = Currency::parse(&row.text("currency")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(StoredPayout {
        payout: row.text("payout")?,
        reference: row.text("idempotency_key")?,
        destination: row.text("destination")?,
        amount: Money::new(row.int("amount_minor")?, currency),
        created_at: row.at("created_at")?,
    })
}

pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    payout: &str,
) -> Result<Option<StoredPayout>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payout", payout.into()),
    ];
    let row = tx.query_one(FIND_PAYOUT, &params)?;
    row.as_ref().map(stored).transpose()
}

/// The newest payouts.
pub fn recent(
    tx: &mut dyn Tx,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<StoredPayout>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(RECENT_PAYOUTS, &params)?
        .iter()
        .map(stored)
        .collect()
}
