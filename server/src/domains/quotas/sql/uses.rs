//! Statements of quotas' windows and of reservations.

use super::super::model::Kept;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ApiKeyId, LicenseId, ReservationId, TenantId};

const KEPT: &str = "SELECT window_number, units, before_window, before_left, told FROM quota_use
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter";

const KEEP: &str = "INSERT INTO quota_use (tenant_id, license_id, meter, window_number, units,
        before_window, before_left, told)
    VALUES (:tenant, :license, :meter, :window, :units, :before, :left, :told)
    ON CONFLICT (tenant_id, license_id, meter)
    DO UPDATE SET window_number = excluded.window_number, units = excluded.units,
        before_window = excluded.before_window, before_left = excluded.before_left,
        told = excluded.told";

const RESERVED: &str = "SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units FROM reservation
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter AND ends_at > :now
        AND settled_units IS NULL AND window_number = :window";

const COUNT_OPEN: &str = "SELECT COUNT(*) AS found FROM reservation
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter AND ends_at > :now
        AND settled_units IS NULL";

const INSERT_RESERVATION: &str = "INSERT INTO reservation (tenant_id, reservation_id, seller_id,
        license_id, api_key_id, meter, window_number, units, ends_at, settled_units)
    VALUES (:tenant, :reservation, :seller, :license, :key, :meter, :window, :units, :ends, NULL)";

const RESERVATION: &str = "SELECT reservation_id, seller_id, license_id, api_key_id, meter,
        window_number, units, ends_at, settled_units
    FROM reservation
    WHERE tenant_id = :tenant AND reservation_id = :reservation AND seller_id = :seller";

const SETTLE: &str = "UPDATE reservation SET settled_units = :units
    WHERE tenant_id = :tenant AND reservation_id = :reservation AND settled_units IS NULL";

pub(super) const ALL: &[&str] = &[
    KEPT,
    KEEP,
    RESERVED,
    COUNT_OPEN,
    INSERT_RESERVATION,
    RESERVATION,
    SETTLE,
];

/// A license's quota of a meter.
#[derive(Debug, Clone, Copy)]
pub struct Cell<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The license.
    pub license: LicenseId,
    /// The meter.
    pub meter: &'a str,
}

impl Cell<'_> {
    fn params(&self) -> [(&'static str, Value); 3] {
        [
            ("tenant", self.tenant.as_bytes().into()),
            ("license", self.license.as_bytes().into()),
            ("meter", self.meter.into()),
        ]
    }
}

fn window_of(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::shape(format!("{number} is no window")))
}

/// The newest window of a quota that was opened, and what it has come to.
pub fn kept(tx: &mut dyn Tx, cell: Cell<'_>) -> Result<Option<Kept>, StoreError> {
    let one = |row: Row| {
        let before = row.opt_int("before_window")?.map(window_of).transpose()?;
        let left = row.int("before_left")?;
        Ok(Kept {
            window: window_of(row.int("window_number")?)?,
            units: row.int("units")?,
            before: before.map(|window| (window, left)),
            told: row.int("told")?,
        })
    };
    tx.query_one(KEPT, &cell.params())?.map(one).transpose()
}

/// Writes a window and what it has come to.
pub fn keep(tx: &mut dyn Tx, cell: Cell<'_>, kept: &Kept) -> Result<(), StoreError> {
    let mut params = cell.params().to_vec();
    let before = kept.before.map(|(window, _)| i64::from(window));
    params.extend([
        ("window", Value::Int(i64::from(kept.window))),
        ("units", kept.units.into()),
        ("before", before.map_or(Value::Null, Value::Int)),
        ("left", kept.before.map_or(0, |(_, left)| left).into()),
        ("told", kept.told.into()),
    ]);
    tx.execute(KEEP, &params).map(drop)
}

/// Units of a window that are reserved at `now`.
pub fn reserved(
    tx: &mut dyn Tx,
    cell: Cell<'_>,
    (window, now): (u32, Timestamp),
) -> Result<i64, StoreError> {
    let mut params = cell.params().to_vec();
    params.push(("window", Value::Int(i64::from(window))));
    params.push(("now", now.into()));
    let row = tx.query_one(RESERVED, &params)?;
    row.map_or(Ok(0), |row| row.int("units"))
}

/// How many reservations of a license's meter are open at `now`.
pub fn count_open(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    now: Timestamp,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(COUNT_OPEN, &params)?;
    row.map_or(Ok(0), |row| row.int("found"))
}

/// Units held for work under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The reservation.
    pub id: ReservationId,
    /// Whose backend holds it.
    pub seller: AccountId,
    /// Of which license.
    pub license: LicenseId,
    /// For which key.
    pub key: ApiKeyId,
    /// Of which meter.
    pub meter: String,
    /// From which window.
    pub window: i64,
    /// How many.
    pub units: i64,
    /// Until when.
    pub ends_at: Timestamp,
    /// What was used of them in the end.
    pub settled_units: Option<i64>,
}

/// Keeps a new reservation.
pub fn insert_reservation(
    tx: &mut dyn Tx,
    tenant: TenantId,
    one: &Reservation,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("reservation", one.id.as_bytes().into()),
        ("seller", one.seller.as_bytes().into()),
        ("license", one.license.as_bytes().into()),
        ("key", one.key.as_bytes().into()),
        ("meter", one.meter.as_str().into()),
        ("window", one.window.into()),
        ("units", one.units.into()),
        ("ends", one.ends_at.into()),
    ];
    tx.execute(INSERT_RESERVATION, &params).map(drop)
}

/// A seller's reservation.
pub fn reservation(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, id): (AccountId, ReservationId),
) -> Result<Option<Reservation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("reservation", id.as_bytes().into()),
    ];
    let one = |row: Row| {
        Ok(Reservation {
            id: row.id("reservation_id", ReservationId::from_bytes)?,
            seller: row.id("seller_id", AccountId::from_bytes)?,
            license: row.id("license_id", LicenseId::from_bytes)?,
            key: row.id("api_key_id", ApiKeyId::from_bytes)?,
            meter: row.text("meter")?,
            window: row.int("window_number")?,
            units: row.int("units")?,
            ends_at: row.at("ends_at")?,
            settled_units: row.opt_int("settled_units")?,
        })
    };
    tx.query_one(RESERVATION, &params)?.map(one).transpose()
}

/// Writes what was used of a reservation in the end.
pub fn settle_reservation(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ReservationId,
    units: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("reservation", id.as_bytes().into()),
        ("units", units.into()),
    ];
    tx.execute(SETTLE, &params).map(drop)
}
