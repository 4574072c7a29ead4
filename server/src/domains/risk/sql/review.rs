//! SQL of reviews.

use super::coded;
use crate::domains::risk::review::{Review, ReviewState};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, OrderId, TenantId};

const INSERT: &str = "\
INSERT INTO risk_review (tenant_id, order_id, state, why, opened_at, paid_at, decided_by, decided_at,
    note)
VALUES (:tenant, :order, 'waiting', :why, :now, NULL, NULL, NULL, '')
ON CONFLICT (tenant_id, order_id) DO NOTHING";

const BEGIN: &str = "\
UPDATE risk_review SET paid_at = :now
WHERE tenant_id = :tenant AND order_id = :order AND paid_at IS NULL";

const FIND: &str = "\
SELECT order_id, state, why, paid_at, decided_by, decided_at, note FROM risk_review
WHERE tenant_id = :tenant AND order_id = :order AND paid_at IS NOT NULL";

const CLOSE: &str = "\
UPDATE risk_review SET state = :state, decided_by = :by, decided_at = :now, note = :note
WHERE tenant_id = :tenant AND order_id = :order AND state = 'waiting' AND paid_at IS NOT NULL";

const REOPEN: &str = "\
UPDATE risk_review SET state = 'waiting', decided_by = NULL, decided_at = NULL, note = ''
WHERE tenant_id = :tenant AND order_id = :order AND state = 'refunded'";

// `waiting` is the last of the states.
const LIST: &str = "\
SELECT order_id, state, why, paid_at, decided_by, decided_at, note FROM risk_review
WHERE tenant_id = :tenant AND paid_at IS NOT NULL AND (CAST(:all AS BIGINT) = 1 OR state = 'waiting')
ORDER BY state DESC, paid_at DESC, order_id LIMIT 100";

const WAITING: &str = "\
SELECT COUNT(*) AS found FROM risk_review
WHERE tenant_id = :tenant AND state = 'waiting' AND paid_at IS NOT NULL";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, BEGIN, FIND, CLOSE, REOPEN, LIST, WAITING];

pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, why): (OrderId, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("why", why.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// Whether an order that was paid now has a review.
pub(in super::super) fn begin(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(BEGIN, &params)? == 1)
}

/// The review of a paid order.
pub(in super::super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Review>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(review).transpose()
}

/// What was decided, by whom.
pub(in super::super) struct Decided<'a> {
    pub state: ReviewState,
    pub by: Option<AccountId>,
    pub note: &'a str,
    pub now: Timestamp,
}

/// Whether it waited.
pub(in super::super) fn close(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    decided: &Decided<'_>,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("state", decided.state.code().into()),
        ("by", decided.by.map(|by| by.as_bytes().to_vec()).into()),
        ("note", decided.note.into()),
        ("now", decided.now.into()),
    ];
    Ok(tx.execute(CLOSE, &params)? == 1)
}

/// Whether it had ended with a refund.
pub(in super::super) fn reopen(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    Ok(tx.execute(REOPEN, &params)? == 1)
}

fn review(row: &Row) -> Result<Review, StoreError> {
    Ok(Review {
        order: row.id("order_id", OrderId::from_bytes)?,
        state: coded(row, "state", ReviewState::parse)?,
        why: row.text("why")?,
        paid_at: row.at("paid_at")?,
        decided_by: row.opt_id("decided_by", AccountId::from_bytes)?,
        decided_at: row.opt_at("decided_at")?,
        note: row.text("note")?,
    })
}

pub(in super::super) fn list(
    tx: &mut dyn Tx,
    tenant: TenantId,
    all: bool,
) -> Result<Vec<Review>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("all", i64::from(all).into()),
    ];
    tx.query(LIST, &params)?.iter().map(review).collect()
}

pub(in super::super) fn waiting(tx: &mut dyn Tx, tenant: TenantId) -> Result<i64, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    let row = tx.query_one(WAITING, &params)?;
    row.map_or(Ok(0), |row| row.int("found"))
}
