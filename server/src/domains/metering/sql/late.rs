//! Statements of usage that arrived after its period was closed.

use super::super::late::Late;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{LicenseId, TenantId};
use mintreu::meter::CellKey;

const ENDED: &str = "SELECT MIN(ended_at) AS ended_at FROM usage_mark
    WHERE tenant_id = :tenant AND license_id = :license AND ended_at > :at";

const ADD: &str = "INSERT INTO usage_late (tenant_id, license_id, ended_at, meter, cell_key, units,
        decided_units)
    VALUES (:tenant, :license, :ended, :meter, :cell, :units, 0)
    ON CONFLICT (tenant_id, license_id, ended_at, meter, cell_key)
    DO UPDATE SET units = usage_late.units + excluded.units";

const PENDING: &str = "SELECT ended_at, cell_key, units - decided_units AS units FROM usage_late
    WHERE tenant_id = :tenant AND license_id = :license AND units > decided_units
    ORDER BY ended_at, meter, cell_key";

const DECIDE: &str = "UPDATE usage_late SET decided_units = units
    WHERE tenant_id = :tenant AND license_id = :license AND units > decided_units";

pub(super) const ALL: &[&str] = &[ENDED, ADD, PENDING, DECIDE];

type Owned = (TenantId, LicenseId);

/// The end of the closed period that `at` falls into.
pub fn ended(
    tx: &mut dyn Tx,
    (tenant, license): Owned,
    at: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("at", at.into()),
    ];
    let row = tx.query_one(ENDED, &params)?;
    row.map_or(Ok(None), |row| row.opt_at("ended_at"))
}

/// Adds late units of a cell.
pub fn add(tx: &mut dyn Tx, (tenant, license): Owned, late: &Late) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("ended", late.ended_at.into()),
        ("meter", late.key.meter().into()),
        ("cell", late.key.to_bytes().into()),
        ("units", late.units.into()),
    ];
    tx.execute(ADD, &params).map(|_| ())
}

/// Late units that nobody has decided about, by period.
pub fn pending(tx: &mut dyn Tx, (tenant, license): Owned) -> Result<Vec<Late>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let read = |row: &Row| {
        let key = CellKey::from_bytes(&row.blob("cell_key")?);
        Ok(Late {
            ended_at: row.at("ended_at")?,
            key: key.map_err(|error| StoreError::shape(error.to_string()))?,
            units: row.int("units")?,
        })
    };
    tx.query(PENDING, &params)?.iter().map(read).collect()
}

/// Remembers that it was decided about all of them.
pub fn decide(tx: &mut dyn Tx, (tenant, license): Owned) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.execute(DECIDE, &params).map(|_| ())
}
