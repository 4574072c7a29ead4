//! Statements of quotas' windows and of reservations.

use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ApiKeyId, LicenseId, ReservationId, TenantId};

const USED: &str = "SELECT window_number, units FROM quota_use
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter";

const SET_USED: &str = "INSERT INTO quota_use (tenant_id, license_id, meter, window_number, units)
    VALUES (:tenant, :license, :meter, :window, :units)
    ON CONFLICT (tenant_id, license_id, meter)
    DO UPDATE SET window_number = excluded.window_number, units = excluded.units";

const HELD: &str = "SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS held FROM reservation
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
    USED,
    SET_USED,
    HELD,
    COUNT_OPEN,
    INSERT_RESERVATION,
    RESERVATION,
    SETTLE,
];

/// The newest window of a license's quota that was opened, and the units used in it.
pub fn used(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
) -> Result<Option<(i64, i64)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
    ];
    let pair = |row: Row| Ok((row.int("window_number")?, row.int("units")?));
    tx.query_one(USED, &params)?.map(pair).transpose()
}

/// Writes a window and the units used in it.
pub fn set_used(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    (window, units): (i64, i64),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("window", window.into()),
        ("units", units.into()),
    ];
    tx.execute(SET_USED, &params).map(drop)
}

/// Units of a window that are reserved at `now`.
pub fn held(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    (window, now): (i64, Timestamp),
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("window", window.into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(HELD, &params)?;
    row.map_or(Ok(0), |row| row.int("held"))
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
