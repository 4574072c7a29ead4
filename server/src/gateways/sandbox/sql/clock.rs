//! SQL of the demo's clock.

use crate::store::{StoreError, Tx};
use mintreu::id::TenantId;

const AHEAD: &str = "SELECT ahead_ms FROM sandbox_clock WHERE tenant_id = :tenant";

const KEEP: &str = "\
INSERT INTO sandbox_clock (tenant_id, ahead_ms) VALUES (:tenant, :ahead)
ON CONFLICT (tenant_id) DO UPDATE SET ahead_ms = excluded.ahead_ms
WHERE sandbox_clock.ahead_ms < excluded.ahead_ms";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[AHEAD, KEEP];

pub(in super::super) fn ahead(
    tx: &mut dyn Tx,
    tenant: TenantId,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_one(AHEAD, &[("tenant", tenant.as_bytes().into())])?;
    row.map(|row| row.int("ahead_ms")).transpose()
}

/// Keeps the farther of what is kept and `ahead_ms`.
pub(in super::super) fn keep(
    tx: &mut dyn Tx,
    tenant: TenantId,
    ahead_ms: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("ahead", ahead_ms.into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}
