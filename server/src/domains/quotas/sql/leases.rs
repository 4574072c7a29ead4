//! Statements of units that were lent.

use super::uses::Cell;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ActivationId, LicenseId, ProductId, TenantId};
use mintreu::meter::Lent;

const NEWEST: &str = "SELECT * FROM unit_lease WHERE tenant_id = :tenant
    AND license_id = :license AND meter = :meter AND device_key = :device
    ORDER BY number DESC LIMIT 1";

const LENT_OF: &str = "SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units,
        CAST(COALESCE(SUM(used), 0) AS BIGINT) AS used
    FROM unit_lease WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter
    AND window_no = :window AND device_key <> :device";

const SAVE: &str = "INSERT INTO unit_lease (tenant_id, license_id, meter, device_key, window_no,
        activation_id, number, units, used, beside, lent_at, ends_at, written_off_at)
    VALUES (:tenant, :license, :meter, :device, :window, :activation, :number, :units, :used,
        :beside, :lent, :ends, :written_off)
    ON CONFLICT (tenant_id, license_id, meter, device_key, window_no) DO UPDATE SET
        activation_id = excluded.activation_id, number = excluded.number, units = excluded.units,
        used = excluded.used, beside = excluded.beside, lent_at = excluded.lent_at, ends_at = excluded.ends_at,
        written_off_at = excluded.written_off_at";

const ALL_OF: &str = "SELECT * FROM unit_lease WHERE tenant_id = :tenant
    AND license_id = :license ORDER BY lent_at DESC, meter, device_key LIMIT :most";

const UNACCOUNTED: &str = "SELECT * FROM unit_lease WHERE tenant_id = :tenant
    AND license_id = :license AND meter = :meter AND activation_id = :activation
    AND units > used ORDER BY device_key, window_no";

const WRITE_OFF: &str = "UPDATE unit_lease SET units = used, written_off_at = :now
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter
    AND device_key = :device AND window_no = :window AND ends_at <= :now";

const NOTE_WRITE_OFF: &str = "INSERT INTO unit_write_off (tenant_id, license_id, meter, device_key,
        window_no, number, product_id, activation_id, units, reason, written_off_by,
        written_off_at)
    VALUES (:tenant, :license, :meter, :device, :window, :number, :product, :activation, :units,
        :reason, :account, :now)";

const WRITE_OFFS: &str = "SELECT * FROM unit_write_off WHERE tenant_id = :tenant
    AND license_id = :license ORDER BY written_off_at DESC, meter, device_key, number LIMIT :limit";

const WRITE_OFFS_OF_PRODUCT: &str = "SELECT * FROM unit_write_off WHERE tenant_id = :tenant
    AND product_id = :product ORDER BY written_off_at DESC, meter, device_key, number LIMIT :limit";

pub(super) const ALL: &[&str] = &[
    NEWEST,
    LENT_OF,
    SAVE,
    ALL_OF,
    UNACCOUNTED,
    WRITE_OFF,
    NOTE_WRITE_OFF,
    WRITE_OFFS,
    WRITE_OFFS_OF_PRODUCT,
];

/// Of whose quota a device was lent what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitsHolder {
    /// The tenant.
    pub tenant: TenantId,
    /// The license.
    pub license: LicenseId,
    /// The meter.
    pub meter: String,
    /// The device's key.
    pub device: [u8; 32],
}

/// What a device was lent of one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LentUnits {
    /// The meter.
    pub meter: String,
    /// The device's activation when it was lent last.
    pub activation: ActivationId,
    /// How many, and how many of them it said it used.
    pub lent: Lent,
    /// Units that others had used of the window then, less those carried over into it.
    pub beside: i64,
    /// When it was lent last.
    pub lent_at: Timestamp,
    /// Until when the units may be used.
    pub ends_at: Timestamp,
    /// When the seller took back what the device hadn't accounted for.
    pub written_off_at: Option<Timestamp>,
}

fn positive(row: &Row, name: &str) -> Result<u64, StoreError> {
    let value = u64::try_from(row.int(name)?);
    value.map_err(|_| StoreError::shape(format!("{name} is below zero")))
}

/// Bound by the rules of usage: never near what the store can't hold.
fn int(value: u64) -> Value {
    Value::Int(i64::try_from(value).unwrap_or(i64::MAX))
}

fn read(row: &Row) -> Result<LentUnits, StoreError> {
    let window = u32::try_from(row.int("window_no")?);
    Ok(LentUnits {
        meter: row.text("meter")?,
        activation: row.id("activation_id", ActivationId::from_bytes)?,
        lent: Lent {
            number: positive(row, "number")?,
            window: window.map_err(|_| StoreError::shape("window_no is no window".into()))?,
            units: positive(row, "units")?,
            used: positive(row, "used")?,
        },
        beside: row.int("beside")?,
        lent_at: row.at("lent_at")?,
        ends_at: row.at("ends_at")?,
        written_off_at: row.opt_at("written_off_at")?,
    })
}

fn of(holder: &UnitsHolder) -> [(&'static str, Value); 4] {
    [
        ("tenant", holder.tenant.as_bytes().into()),
        ("license", holder.license.as_bytes().into()),
        ("meter", holder.meter.as_str().into()),
        ("device", holder.device.as_slice().into()),
    ]
}

/// What a device was lent last.
pub fn newest(tx: &mut dyn Tx, holder: &UnitsHolder) -> Result<Option<LentUnits>, StoreError> {
    let row = tx.query_one(NEWEST, &of(holder))?;
    row.as_ref().map(read).transpose()
}

/// Units of a window that devices hold, and those of them that they said they used; all devices
/// but the one with this key.
pub fn lent_of(
    tx: &mut dyn Tx,
    cell: Cell<'_>,
    (window, device): (u32, &[u8]),
) -> Result<(i64, i64), StoreError> {
    let params = [
        ("tenant", cell.tenant.as_bytes().into()),
        ("license", cell.license.as_bytes().into()),
        ("meter", cell.meter.into()),
        ("window", Value::Int(i64::from(window))),
        ("device", device.into()),
    ];
    let row = tx.query_one(LENT_OF, &params)?;
    row.map_or(Ok((0, 0)), |row| Ok((row.int("units")?, row.int("used")?)))
}

/// Writes down what a device was lent of a window, in place of what it was lent of it before.
pub fn save(tx: &mut dyn Tx, holder: &UnitsHolder, lent: &LentUnits) -> Result<(), StoreError> {
    let mut params = of(holder).to_vec();
    let written_off = lent.written_off_at.map(Timestamp::ms);
    params.extend([
        ("window", Value::Int(i64::from(lent.lent.window))),
        ("activation", lent.activation.as_bytes().into()),
        ("number", int(lent.lent.number)),
        ("units", int(lent.lent.units)),
        ("used", int(lent.lent.used)),
        ("beside", lent.beside.into()),
        ("lent", Value::Int(lent.lent_at.ms())),
        ("ends", Value::Int(lent.ends_at.ms())),
        ("written_off", written_off.map_or(Value::Null, Value::Int)),
    ]);
    tx.execute(SAVE, &params).map(|_| ())
}

/// What was lent of a license's quotas, the newest first.
pub fn all_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    most: i64,
) -> Result<Vec<LentUnits>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("most", Value::Int(most)),
    ];
    tx.query(ALL_OF, &params)?.iter().map(read).collect()
}

/// What the device of an activation holds of a meter and hasn't accounted for, with its key.
pub fn unaccounted(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    (meter, activation): (&str, ActivationId),
) -> Result<Vec<([u8; 32], LentUnits)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("activation", activation.as_bytes().into()),
    ];
    let with_key = |row: &Row| {
        let key = <[u8; 32]>::try_from(row.blob("device_key")?);
        let key = key.map_err(|_| StoreError::shape("device_key is no key".into()))?;
        Ok((key, read(row)?))
    };
    tx.query(UNACCOUNTED, &params)?
        .iter()
        .map(with_key)
        .collect()
}

/// Units that were taken back from a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOff {
    /// The license.
    pub license: LicenseId,
    /// The meter.
    pub meter: String,
    /// The device's activation.
    pub activation: ActivationId,
    /// The window they were of.
    pub window: u32,
    /// How many.
    pub units: u64,
    /// Why, by the seller's word.
    pub reason: String,
    /// Who did it.
    pub by: AccountId,
    /// When.
    pub at: Timestamp,
}

/// Takes back what a device holds of a window whose lease is over, and keeps who did it and why.
pub fn write_off(
    tx: &mut dyn Tx,
    (holder, product): (&UnitsHolder, ProductId),
    number: u64,
    written: &WrittenOff,
) -> Result<(), StoreError> {
    let mut params = of(holder).to_vec();
    params.extend([
        ("window", Value::Int(i64::from(written.window))),
        ("now", Value::Int(written.at.ms())),
    ]);
    tx.execute(WRITE_OFF, &params)?;
    params.extend([
        ("number", int(number)),
        ("product", product.as_bytes().into()),
        ("activation", written.activation.as_bytes().into()),
        ("units", int(written.units)),
        ("reason", written.reason.as_str().into()),
        ("account", written.by.as_bytes().into()),
    ]);
    tx.execute(NOTE_WRITE_OFF, &params).map(|_| ())
}

fn written(row: &Row) -> Result<WrittenOff, StoreError> {
    let window = u32::try_from(row.int("window_no")?);
    Ok(WrittenOff {
        license: row.id("license_id", LicenseId::from_bytes)?,
        meter: row.text("meter")?,
        activation: row.id("activation_id", ActivationId::from_bytes)?,
        window: window.map_err(|_| StoreError::shape("window_no is no window".into()))?,
        units: positive(row, "units")?,
        reason: row.text("reason")?,
        by: row.id("written_off_by", AccountId::from_bytes)?,
        at: row.at("written_off_at")?,
    })
}

/// What was taken back from a license's devices, the newest first.
pub fn write_offs(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    limit: i64,
) -> Result<Vec<WrittenOff>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("limit", Value::Int(limit)),
    ];
    tx.query(WRITE_OFFS, &params)?.iter().map(written).collect()
}

/// What was taken back from the devices of a product's licenses, the newest first.
pub fn write_offs_of_product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    limit: i64,
) -> Result<Vec<WrittenOff>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("limit", Value::Int(limit)),
    ];
    tx.query(WRITE_OFFS_OF_PRODUCT, &params)?
        .iter()
        .map(written)
        .collect()
}
