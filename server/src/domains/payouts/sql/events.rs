//! The inbox of what providers say about payouts.

use super::super::model::EventKind;
use super::money;
use crate::gateways::PayoutEvent;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{PayoutEventId, PayoutId, TenantId};

const INSERT_EVENT: &str = "\
INSERT INTO payout_event (tenant_id, payout_event_id, provider, provider_event_id, kind,
    payout_reference, amount_minor, currency, failure_code, occurred_at, received_at)
VALUES (:tenant, :event, :provider, :provider_event, :kind, :reference, :amount, :currency,
    :failure, :occurred, :now)
ON CONFLICT (tenant_id, provider, provider_event_id) DO NOTHING
RETURNING payout_event_id";

const FIND_EVENT: &str = "\
SELECT provider_event_id, kind, payout_reference, amount_minor, currency, failure_code,
    occurred_at, outcome
FROM payout_event WHERE tenant_id = :tenant AND payout_event_id = :event";

const SETTLE_EVENT: &str = "\
UPDATE payout_event SET outcome = :outcome, settled_at = :now
WHERE tenant_id = :tenant AND payout_event_id = :event";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT_EVENT, FIND_EVENT, SETTLE_EVENT];

/// Whether the event is new.
pub fn insert(
    tx: &mut dyn Tx,
    (tenant, provider): (TenantId, &str),
    id: PayoutEventId,
    event: &PayoutEvent,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", id.as_bytes().into()),
        ("provider", provider.into()),
        ("provider_event", event.id.as_str().into()),
        ("kind", event.kind.code().into()),
        ("reference", event.payout.to_string().into()),
        ("amount", event.amount.minor().into()),
        ("currency", event.amount.currency().code().into()),
        ("failure", event.failure_code.clone().into()),
        ("occurred", event.occurred_at.into()),
        ("now", now.into()),
    ];
    Ok(tx.query_one(INSERT_EVENT, &params)?.is_some())
}

/// The event, and whether it was settled.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PayoutEventId,
) -> Result<Option<(PayoutEvent, bool)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", id.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_EVENT, &params)? else {
        return Ok(None);
    };
    let kind = row.text("kind")?;
    let payout = PayoutId::parse(&row.text("payout_reference")?);
    let event = PayoutEvent {
        id: row.text("provider_event_id")?,
        kind: EventKind::parse(&kind)
            .ok_or_else(|| StoreError::shape(format!("no event kind {kind:?}")))?,
        payout: payout.map_err(|error| StoreError::shape(error.to_string()))?,
        amount: money(&row)?,
        failure_code: row.opt_text("failure_code")?,
        occurred_at: row.at("occurred_at")?,
    };
    Ok(Some((event, row.opt_text("outcome")?.is_some())))
}

pub fn settle(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PayoutEventId,
    outcome: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", id.as_bytes().into()),
        ("outcome", outcome.into()),
        ("now", now.into()),
    ];
    tx.execute(SETTLE_EVENT, &params).map(drop)
}
