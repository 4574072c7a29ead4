//! Statements of the slices that nodes hold.

use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ApiKeyId, LicenseId, TenantId};

const NEWEST_SLICE: &str = "SELECT license_id, api_key_id, meter, window_number, number, units,
        used, lent_at, ends_at
    FROM quota_slice WHERE tenant_id = :tenant AND seller_id = :seller AND node = :node
    ORDER BY window_number DESC LIMIT 1";

const COUNT_LIVE: &str = "SELECT COUNT(*) AS found FROM quota_slice
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter AND ends_at > :now
        AND node <> :node";

const SET_SLICE: &str = "INSERT INTO quota_slice (tenant_id, seller_id, node, window_number,
        license_id, api_key_id, meter, number, units, used, lent_at, ends_at)
    VALUES (:tenant, :seller, :node, :window, :license, :key, :meter, :number, :units, :used,
        :lent, :ends)
    ON CONFLICT (tenant_id, seller_id, node, window_number)
    DO UPDATE SET number = excluded.number, units = excluded.units, used = excluded.used,
        lent_at = excluded.lent_at, ends_at = excluded.ends_at";

/// Slices of an open window that were not settled stay: their units are deducted.
const FORGET_SLICES: &str = "DELETE FROM quota_slice
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter AND ends_at < :before
        AND (window_number < :window OR units = used)";

pub(super) const ALL: &[&str] = &[NEWEST_SLICE, COUNT_LIVE, SET_SLICE, FORGET_SLICES];

/// Whose slice it is: the seller, and the name that one of their nodes chose.
pub type NodeOf<'a> = (AccountId, &'a str);

/// What a node was lent of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaSlice {
    /// Of which license.
    pub license: LicenseId,
    /// For which key.
    pub key: ApiKeyId,
    /// Of which meter.
    pub meter: String,
    /// Of which window.
    pub window: i64,
    /// The number of the newest answer.
    pub number: i64,
    /// Units that are deducted for it.
    pub units: i64,
    /// Units that it said it used of them; they are counted.
    pub used: i64,
    /// When it was last lent.
    pub lent_at: Timestamp,
    /// Until when the node spends it.
    pub ends_at: Timestamp,
}

/// What a node was lent last.
pub fn newest_slice(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, node): NodeOf<'_>,
) -> Result<Option<QuotaSlice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("node", node.into()),
    ];
    let one = |row: Row| {
        Ok(QuotaSlice {
            license: row.id("license_id", LicenseId::from_bytes)?,
            key: row.id("api_key_id", ApiKeyId::from_bytes)?,
            meter: row.text("meter")?,
            window: row.int("window_number")?,
            number: row.int("number")?,
            units: row.int("units")?,
            used: row.int("used")?,
            lent_at: row.at("lent_at")?,
            ends_at: row.at("ends_at")?,
        })
    };
    tx.query_one(NEWEST_SLICE, &params)?.map(one).transpose()
}

/// How many other nodes hold slices of a license's meter at `now`.
pub fn count_live(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    (node, now): (&str, Timestamp),
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("node", node.into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(COUNT_LIVE, &params)?;
    row.map_or(Ok(0), |row| row.int("found"))
}

/// Writes what a node is lent of a window.
pub fn set_slice(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, node): NodeOf<'_>,
    one: &QuotaSlice,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("node", node.into()),
        ("window", one.window.into()),
        ("license", one.license.as_bytes().into()),
        ("key", one.key.as_bytes().into()),
        ("meter", one.meter.as_str().into()),
        ("number", one.number.into()),
        ("units", one.units.into()),
        ("used", one.used.into()),
        ("lent", one.lent_at.into()),
        ("ends", one.ends_at.into()),
    ];
    tx.execute(SET_SLICE, &params).map(drop)
}

/// Forgets slices that ended before `before` and weigh on no open window.
pub fn forget_slices(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    (window, before): (i64, Timestamp),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("window", window.into()),
        ("before", before.into()),
    ];
    tx.execute(FORGET_SLICES, &params).map(drop)
}
