//! Closed periods and what their meters came to.

use crate::domains::billing::model::Plan;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{LicenseId, TenantId};
use mintreu::price::Quantity;
use std::collections::BTreeMap;

pub(super) const INSERT: &str = "INSERT INTO metered_closed (tenant_id, license_id, period,
        period_start, period_end, commitment_minor, missing_minor)
    VALUES (:tenant, :license, :period, :period_start, :period_end, :commitment, :missing)";

pub(super) const ENDED_AT: &str = "SELECT period, period_start, period_end, commitment_minor,
        missing_minor
    FROM metered_closed
    WHERE tenant_id = :tenant AND license_id = :license AND period_end = :ended";

pub(super) const SET_MISSING: &str = "UPDATE metered_closed SET missing_minor = :missing
    WHERE tenant_id = :tenant AND license_id = :license AND period = :period";

pub(super) const PUT_METER: &str = "INSERT INTO metered_closed_meter (tenant_id, license_id,
        period, meter, dimension, units, prepaid, cost_minor)
    VALUES (:tenant, :license, :period, :meter, :dimension, :units, :prepaid, :cost)
    ON CONFLICT (tenant_id, license_id, period, meter, dimension) DO UPDATE SET
        units = excluded.units, prepaid = excluded.prepaid, cost_minor = excluded.cost_minor";

pub(super) const METER: &str = "SELECT dimension, units, prepaid, cost_minor
    FROM metered_closed_meter
    WHERE tenant_id = :tenant AND license_id = :license AND period = :period AND meter = :meter";

pub(super) const COST: &str = "SELECT CAST(COALESCE(SUM(cost_minor), 0) AS BIGINT) AS cost
    FROM metered_closed_meter
    WHERE tenant_id = :tenant AND license_id = :license AND period = :period";

pub(super) const LIST: &str = "SELECT period, period_start, period_end, commitment_minor,
        missing_minor
    FROM metered_closed
    WHERE tenant_id = :tenant AND license_id = :license ORDER BY period DESC LIMIT :limit";

type Owned = (TenantId, LicenseId);

/// A closed period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Which, from 0.
    pub period: i64,
    /// Its first instant.
    pub period_start: Timestamp,
    /// The instant after its last.
    pub period_end: Timestamp,
    /// The least it comes to.
    pub commitment_minor: i64,
    /// What was asked for up to that.
    pub missing_minor: i64,
}

/// What a meter of a closed period came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedMeter {
    /// Units in all.
    pub units: i64,
    /// Units that credits covered.
    pub prepaid: Quantity,
    /// What they cost.
    pub cost_minor: i64,
    /// Units by the row of a matrix.
    pub rows: BTreeMap<String, i64>,
}

fn owned((tenant, license): Owned) -> Vec<(&'static str, crate::store::Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ]
}

/// Stores the running period of a plan as closed.
pub fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    plan: &Plan,
    missing_minor: i64,
) -> Result<(), StoreError> {
    let mut params = owned((tenant, plan.license));
    params.extend([
        ("period", plan.period.into()),
        ("period_start", plan.bounds.0.into()),
        ("period_end", plan.bounds.1.into()),
        ("commitment", plan.commitment.minor().into()),
        ("missing", missing_minor.into()),
    ]);
    tx.execute(INSERT, &params).map(|_| ())
}

/// The closed period that ended at `ended`.
pub fn ended_at(
    tx: &mut dyn Tx,
    of: Owned,
    ended: Timestamp,
) -> Result<Option<Closed>, StoreError> {
    let mut params = owned(of);
    params.push(("ended", ended.into()));
    let row = tx.query_one(ENDED_AT, &params)?;
    row.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Closed, StoreError> {
    Ok(Closed {
        period: row.int("period")?,
        period_start: row.at("period_start")?,
        period_end: row.at("period_end")?,
        commitment_minor: row.int("commitment_minor")?,
        missing_minor: row.int("missing_minor")?,
    })
}

/// A license's closed periods, the newest first.
pub fn list(tx: &mut dyn Tx, of: Owned, limit: i64) -> Result<Vec<Closed>, StoreError> {
    let mut params = owned(of);
    params.push(("limit", limit.into()));
    tx.query(LIST, &params)?.iter().map(read).collect()
}

/// Stores what is missing to a closed period's commitment.
pub fn set_missing(
    tx: &mut dyn Tx,
    of: Owned,
    period: i64,
    missing_minor: i64,
) -> Result<(), StoreError> {
    let mut params = owned(of);
    params.extend([("period", period.into()), ("missing", missing_minor.into())]);
    tx.execute(SET_MISSING, &params).map(|_| ())
}

/// Stores what a meter came to.
pub fn put_meter(
    tx: &mut dyn Tx,
    of: Owned,
    (period, meter): (i64, &str),
    came_to: &ClosedMeter,
) -> Result<(), StoreError> {
    let whole = ("", came_to.units, came_to.prepaid, came_to.cost_minor);
    let rows = came_to.rows.iter();
    let rows = rows.map(|(row, units)| (row.as_str(), *units, Quantity::ZERO, 0));
    for (dimension, units, prepaid, cost) in std::iter::once(whole).chain(rows) {
        let mut params = owned(of);
        params.extend([
            ("period", period.into()),
            ("meter", meter.into()),
            ("dimension", dimension.into()),
            ("units", units.into()),
            ("prepaid", prepaid.to_string().into()),
            ("cost", cost.into()),
        ]);
        tx.execute(PUT_METER, &params)?;
    }
    Ok(())
}

/// What a meter of a closed period came to.
pub fn meter(
    tx: &mut dyn Tx,
    of: Owned,
    (period, meter): (i64, &str),
) -> Result<Option<ClosedMeter>, StoreError> {
    let mut params = owned(of);
    params.extend([("period", period.into()), ("meter", meter.into())]);
    let mut found: Option<ClosedMeter> = None;
    for row in tx.query(METER, &params)? {
        let (dimension, units) = (row.text("dimension")?, row.int("units")?);
        let came_to = found.get_or_insert_default();
        if dimension.is_empty() {
            came_to.units = units;
            came_to.cost_minor = row.int("cost_minor")?;
            came_to.prepaid = row.text("prepaid")?.parse().map_err(super::shape)?;
        } else {
            came_to.rows.insert(dimension, units);
        }
    }
    Ok(found)
}

/// What all meters of a closed period cost.
pub fn cost(tx: &mut dyn Tx, of: Owned, period: i64) -> Result<i64, StoreError> {
    let mut params = owned(of);
    params.push(("period", period.into()));
    let row = tx.query_one(COST, &params)?;
    row.map_or(Ok(0), |row| row.int("cost"))
}
