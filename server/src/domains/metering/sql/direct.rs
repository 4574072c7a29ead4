//! Statements that count without a device's stream.

use super::cells::{ADD_BUCKET, ADD_TOTAL};
use super::streams::int;
use crate::domains::metering::direct::Direct;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::TenantId;

/// Adds to what a license has used of one cell.
pub fn add_direct_total(
    tx: &mut dyn Tx,
    tenant: TenantId,
    counted: &Direct<'_>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", counted.license.as_bytes().into()),
        ("meter", counted.key.meter().into()),
        ("subject", counted.key.subject_id().into()),
        ("cell", counted.key.to_bytes().into()),
        ("units", int(counted.units)),
        ("disputed", 0_i64.into()),
    ];
    tx.execute(ADD_TOTAL, &params).map(drop)
}

/// Adds to one step of a license's chart.
pub fn add_direct_bucket(
    tx: &mut dyn Tx,
    tenant: TenantId,
    counted: &Direct<'_>,
    (grain, at): (&str, Timestamp),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", counted.license.as_bytes().into()),
        ("meter", counted.key.meter().into()),
        ("grain", grain.into()),
        ("at", at.into()),
        ("product", counted.product.as_bytes().into()),
        ("units", int(counted.units)),
    ];
    tx.execute(ADD_BUCKET, &params).map(drop)
}
