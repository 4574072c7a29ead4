//! Statements that count.

use super::super::model::Grain;
use super::streams::{StreamOwner, int, positive};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{LicenseId, ProductId, TenantId};
use mintreu::meter::CellKey;

const CELL: &str = "SELECT units FROM usage_cell WHERE tenant_id = :tenant
    AND stream_id = :stream AND epoch = :epoch AND cell_key = :cell";

const SET_CELL: &str = "INSERT INTO usage_cell (tenant_id, stream_id, epoch, cell_key, units)
    VALUES (:tenant, :stream, :epoch, :cell, :units)
    ON CONFLICT (tenant_id, stream_id, epoch, cell_key) DO UPDATE SET units = excluded.units";

pub(super) const ADD_TOTAL: &str =
    "INSERT INTO usage_total (tenant_id, license_id, meter, subject, cell_key,
        units, disputed_units)
    VALUES (:tenant, :license, :meter, :subject, :cell, :units, :disputed)
    ON CONFLICT (tenant_id, license_id, meter, subject, cell_key)
    DO UPDATE SET units = usage_total.units + excluded.units,
        disputed_units = usage_total.disputed_units + excluded.disputed_units";

pub(super) const ADD_BUCKET: &str =
    "INSERT INTO usage_bucket (tenant_id, license_id, meter, grain, bucket_at,
        product_id, units)
    VALUES (:tenant, :license, :meter, :grain, :at, :product, :units)
    ON CONFLICT (tenant_id, license_id, meter, grain, bucket_at)
    DO UPDATE SET units = usage_bucket.units + excluded.units";

const COUNT_CELLS: &str = "SELECT COUNT(*) AS cells FROM usage_total
    WHERE tenant_id = :tenant AND license_id = :license";

const SETTLE_CELLS: &str = "UPDATE usage_total SET settled_units = units
    WHERE tenant_id = :tenant AND license_id = :license AND settled_units <> units";

const SETTLE_LATE: &str = "UPDATE usage_total SET settled_units = settled_units + :units
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter
        AND subject = :subject AND cell_key = :cell";

const BREAKDOWN: &str = "SELECT cell_key, units, settled_units, disputed_units FROM usage_total
    WHERE tenant_id = :tenant AND license_id = :license
    ORDER BY meter, subject, cell_key LIMIT :limit";

pub(super) const ALL: &[&str] = &[
    CELL,
    SET_CELL,
    ADD_TOTAL,
    ADD_BUCKET,
    COUNT_CELLS,
    SETTLE_CELLS,
    SETTLE_LATE,
    BREAKDOWN,
];

/// A stream's cumulative total of one cell in one epoch; zero when it never reported it.
pub fn cell(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    epoch: u64,
    key: &CellKey,
) -> Result<u64, StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("stream", owner.stream.as_bytes().into()),
        ("epoch", int(epoch)),
        ("cell", key.to_bytes().into()),
    ];
    let row = tx.query_one(CELL, &params)?;
    row.map_or(Ok(0), |row| positive(&row, "units"))
}

/// Stores a stream's cumulative total of one cell.
pub fn set_cell(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    (epoch, key): (u64, &CellKey),
    units: u64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("stream", owner.stream.as_bytes().into()),
        ("epoch", int(epoch)),
        ("cell", key.to_bytes().into()),
        ("units", int(units)),
    ];
    tx.execute(SET_CELL, &params).map(|_| ())
}

/// Units to add to a license's total, and units to show as disputed beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Units {
    /// Counted.
    pub counted: u64,
    /// Disputed.
    pub disputed: u64,
}

/// Adds to what a license has used of one cell.
pub fn add_total(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    key: &CellKey,
    units: Units,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("license", owner.license.as_bytes().into()),
        ("meter", key.meter().into()),
        ("subject", key.subject_id().into()),
        ("cell", key.to_bytes().into()),
        ("units", int(units.counted)),
        ("disputed", int(units.disputed)),
    ];
    tx.execute(ADD_TOTAL, &params).map(|_| ())
}

/// Adds to one step of a license's chart.
pub fn add_bucket(
    tx: &mut dyn Tx,
    owner: &StreamOwner,
    (meter, grain, at): (&str, &str, Timestamp),
    units: u64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("license", owner.license.as_bytes().into()),
        ("meter", meter.into()),
        ("grain", grain.into()),
        ("at", at.into()),
        ("product", owner.product.as_bytes().into()),
        ("units", int(units)),
    ];
    tx.execute(ADD_BUCKET, &params).map(|_| ())
}

/// How many cells a license has.
pub fn count_cells(tx: &mut dyn Tx, owner: &StreamOwner) -> Result<i64, StoreError> {
    let params = [
        ("tenant", owner.tenant.as_bytes().into()),
        ("license", owner.license.as_bytes().into()),
    ];
    let row = tx.query_one(COUNT_CELLS, &params)?;
    row.map_or(Ok(0), |row| row.int("cells"))
}

/// One cell of a license: whose use of what, and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellUnits {
    /// Subject, meter and dimensions.
    pub key: CellKey,
    /// Units counted.
    pub units: i64,
    /// Of those, in periods that are closed.
    pub settled_units: i64,
    /// Units disputed.
    pub disputed_units: i64,
}

/// Settles all that a license has used, as its period is closed.
pub fn settle_cells(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.execute(SETTLE_CELLS, &params).map(|_| ())
}

/// Settles late units of a cell, with the period in which they happened.
pub fn settle_late(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    (key, units): (&CellKey, i64),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", key.meter().into()),
        ("subject", key.subject_id().into()),
        ("cell", key.to_bytes().into()),
        ("units", units.into()),
    ];
    tx.execute(SETTLE_LATE, &params).map(|_| ())
}

/// A license's cells, at most `limit`, by meter and subject.
pub fn breakdown(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    limit: i64,
) -> Result<Vec<CellUnits>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let cell = |row: &Row| {
        let key = CellKey::from_bytes(&row.blob("cell_key")?);
        Ok(CellUnits {
            key: key.map_err(|e| StoreError::shape(e.to_string()))?,
            units: row.int("units")?,
            settled_units: row.int("settled_units")?,
            disputed_units: row.int("disputed_units")?,
        })
    };
    tx.query(BREAKDOWN, &params)?.iter().map(cell).collect()
}

/// Adds whole units, also below zero, to what a license has used of a meter as a whole, and to the
/// steps of its charts.
pub fn add_units(
    tx: &mut dyn Tx,
    (tenant, license, product): (TenantId, LicenseId, ProductId),
    (key, at): (&CellKey, Timestamp),
    units: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", key.meter().into()),
        ("subject", key.subject_id().into()),
        ("cell", key.to_bytes().into()),
        ("units", units.into()),
        ("disputed", 0.into()),
    ];
    tx.execute(ADD_TOTAL, &params)?;
    for grain in Grain::ALL {
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("license", license.as_bytes().into()),
            ("meter", key.meter().into()),
            ("grain", grain.name().into()),
            ("at", grain.start(at).into()),
            ("product", product.as_bytes().into()),
            ("units", units.into()),
        ];
        tx.execute(ADD_BUCKET, &params)?;
    }
    Ok(())
}
