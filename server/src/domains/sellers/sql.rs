//! SQL of sellers' standing.

use super::model::{Change, Standing};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, TenantId};

const INSERT: &str = "\
INSERT INTO seller_standing (tenant_id, seller_id, number, standing, reason, changed_by, changed_at)
VALUES (:tenant, :seller, :number, :standing, :reason, :by, :now)";

const CHANGES: &str = "\
SELECT number, standing, reason, changed_by, changed_at FROM seller_standing
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY number DESC LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, CHANGES];

fn change(row: &Row) -> Result<Change, StoreError> {
    let standing = row.text("standing")?;
    Ok(Change {
        number: row.int("number")?,
        standing: Standing::parse(&standing)
            .ok_or_else(|| StoreError::shape(format!("standing {standing:?}")))?,
        reason: row.text("reason")?,
        by: row.opt_id("changed_by", AccountId::from_bytes)?,
        at: row.at("changed_at")?,
    })
}

/// Writes a change.
pub(super) fn insert(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    new: &Change,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("number", new.number.into()),
        ("standing", new.standing.name().into()),
        ("reason", new.reason.as_str().into()),
        ("by", new.by.as_ref().map(AccountId::as_bytes).into()),
        ("now", new.at.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// A seller's changes, the newest first.
pub(super) fn changes(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    limit: i64,
) -> Result<Vec<Change>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(CHANGES, &params)?.iter().map(change).collect()
}
