//! SQL of the owner's queue of disputes.

use super::super::model::{Dispute, DisputeState};
use super::super::queue::{Decided, Decision};
use super::dispute;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, DisputeId, TenantId};

const FIND: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute WHERE tenant_id = :tenant AND dispute_id = :dispute";

const WAITING: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute
WHERE tenant_id = :tenant AND state IN ('warning', 'inquiry', 'chargeback')
    AND dispute_id > :after
    AND NOT EXISTS (SELECT 1 FROM dispute_decision d
        WHERE d.tenant_id = dispute.tenant_id AND d.dispute_id = dispute.dispute_id
            AND d.state = dispute.state)
ORDER BY dispute_id LIMIT :limit";

const EVERY: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute WHERE tenant_id = :tenant AND dispute_id < :before
ORDER BY dispute_id DESC LIMIT :limit";

const DECISIONS: &str = "\
SELECT state, decision, reason, decided_by, decided_at FROM dispute_decision
WHERE tenant_id = :tenant AND dispute_id = :dispute ORDER BY decided_at, state";

const DECIDE: &str = "\
INSERT INTO dispute_decision (tenant_id, dispute_id, state, decision, reason, decided_by,
    decided_at)
VALUES (:tenant, :dispute, :state, :decision, :reason, :by, :now)
ON CONFLICT (tenant_id, dispute_id, state) DO UPDATE SET decision = excluded.decision,
    reason = excluded.reason, decided_by = excluded.decided_by, decided_at = excluded.decided_at";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[FIND, WAITING, EVERY, DECISIONS, DECIDE];

pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: DisputeId,
) -> Result<Option<Dispute>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", id.as_bytes().into()),
    ];
    let found = tx.query_one(FIND, &params)?;
    found.as_ref().map(dispute).transpose()
}

/// Those that wait for a decision, the oldest first.
pub fn waiting(
    tx: &mut dyn Tx,
    tenant: TenantId,
    after: [u8; 16],
    limit: i64,
) -> Result<Vec<Dispute>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("after", (&after).into()),
        ("limit", limit.into()),
    ];
    tx.query(WAITING, &params)?.iter().map(dispute).collect()
}

/// All of them, the newest first.
pub fn every(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: [u8; 16],
    limit: i64,
) -> Result<Vec<Dispute>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", (&before).into()),
        ("limit", limit.into()),
    ];
    tx.query(EVERY, &params)?.iter().map(dispute).collect()
}

fn shape(what: &str) -> StoreError {
    StoreError::shape(format!("no dispute's state or decision {what:?}"))
}

pub fn decisions(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: DisputeId,
) -> Result<Vec<Decided>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", id.as_bytes().into()),
    ];
    let decided = |row: &Row| {
        let (state, decision) = (row.text("state")?, row.text("decision")?);
        Ok(Decided {
            state: DisputeState::parse(&state).ok_or_else(|| shape(&state))?,
            decision: Decision::parse(&decision).ok_or_else(|| shape(&decision))?,
            reason: row.text("reason")?,
            by: row.opt_id("decided_by", AccountId::from_bytes)?,
            at: row.at("decided_at")?,
        })
    };
    tx.query(DECISIONS, &params)?.iter().map(decided).collect()
}

pub fn decide(
    tx: &mut dyn Tx,
    (tenant, id): (TenantId, DisputeId),
    decided: &Decided,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("dispute", id.as_bytes().into()),
        ("state", decided.state.code().into()),
        ("decision", decided.decision.code().into()),
        ("reason", decided.reason.as_str().into()),
        ("by", decided.by.as_ref().map(AccountId::as_bytes).into()),
        ("now", now.into()),
    ];
    tx.execute(DECIDE, &params).map(drop)
}
