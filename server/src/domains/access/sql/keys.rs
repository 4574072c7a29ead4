//! Statements of API keys and their secrets.

use crate::domains::access::model::ApiKey;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{ApiKeyId, LicenseId, TenantId};
use mintreu::meter::RateLimit;

const COUNT_KEYS: &str = "SELECT COUNT(*) AS found FROM api_key
    WHERE tenant_id = :tenant AND license_id = :license";

const INSERT_KEY: &str = "INSERT INTO api_key (tenant_id, api_key_id, license_id, name, rate,
        created_at, disabled_at, deleted_at)
    VALUES (:tenant, :key, :license, :name, :rate, :now, NULL, NULL)";

const INSERT_SECRET: &str = "INSERT INTO api_key_secret (tenant_id, secret_mac, api_key_id, shown,
        created_at, ends_at)
    VALUES (:tenant, :mac, :key, :shown, :now, NULL)";

/// The newest secret has no end; the one that ends last tells how long an older one still holds.
const KEYS_OF_LICENSE: &str = "SELECT k.api_key_id, k.license_id, k.name, k.rate, k.created_at,
        k.disabled_at, s.shown,
        (SELECT MAX(o.ends_at) FROM api_key_secret o
            WHERE o.tenant_id = k.tenant_id AND o.api_key_id = k.api_key_id) AS overlaps_until
    FROM api_key k JOIN api_key_secret s
        ON s.tenant_id = k.tenant_id AND s.api_key_id = k.api_key_id AND s.ends_at IS NULL
    WHERE k.tenant_id = :tenant AND k.license_id = :license AND k.deleted_at IS NULL
    ORDER BY k.api_key_id DESC LIMIT 1000";

const KEY_BY_ID: &str = "SELECT k.api_key_id, k.license_id, k.name, k.rate, k.created_at,
        k.disabled_at, s.shown,
        (SELECT MAX(o.ends_at) FROM api_key_secret o
            WHERE o.tenant_id = k.tenant_id AND o.api_key_id = k.api_key_id) AS overlaps_until
    FROM api_key k JOIN api_key_secret s
        ON s.tenant_id = k.tenant_id AND s.api_key_id = k.api_key_id AND s.ends_at IS NULL
    WHERE k.tenant_id = :tenant AND k.api_key_id = :key AND k.deleted_at IS NULL";

const UPDATE_KEY: &str = "UPDATE api_key SET name = :name, rate = :rate, disabled_at = :disabled
    WHERE tenant_id = :tenant AND api_key_id = :key";

const DELETE_KEY: &str = "UPDATE api_key SET deleted_at = :now
    WHERE tenant_id = :tenant AND api_key_id = :key";

/// An older secret that would hold longer ends with the others.
const END_SECRETS: &str = "UPDATE api_key_secret SET ends_at = :ends
    WHERE tenant_id = :tenant AND api_key_id = :key AND (ends_at IS NULL OR ends_at > :ends)";

const FIND_SECRET: &str = "SELECT k.api_key_id, k.license_id, k.rate, k.disabled_at
    FROM api_key_secret s JOIN api_key k
        ON k.tenant_id = s.tenant_id AND k.api_key_id = s.api_key_id
    WHERE s.tenant_id = :tenant AND s.secret_mac = :mac AND k.deleted_at IS NULL
        AND (s.ends_at IS NULL OR s.ends_at > :now)";

pub(super) const ALL: &[&str] = &[
    COUNT_KEYS,
    INSERT_KEY,
    INSERT_SECRET,
    KEYS_OF_LICENSE,
    KEY_BY_ID,
    UPDATE_KEY,
    DELETE_KEY,
    END_SECRETS,
    FIND_SECRET,
];

fn rate(row: &Row) -> Result<Option<RateLimit>, StoreError> {
    let text = row.opt_text("rate")?;
    let rate = text.map(|text| RateLimit::parse(&text)).transpose();
    rate.map_err(|error| StoreError::shape(error.to_string()))
}

fn api_key(row: &Row) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: row.id("api_key_id", ApiKeyId::from_bytes)?,
        license: row.id("license_id", LicenseId::from_bytes)?,
        name: row.text("name")?,
        shown: row.text("shown")?,
        rate: rate(row)?,
        created_at: row.at("created_at")?,
        overlaps_until: row.opt_at("overlaps_until")?,
        disabled_at: row.opt_at("disabled_at")?,
    })
}

/// How many keys a license has had.
pub fn count_keys(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(COUNT_KEYS, &params)?;
    row.map_or(Ok(0), |row| row.int("found"))
}

/// Keeps a new key.
pub fn insert_key(tx: &mut dyn Tx, tenant: TenantId, key: &ApiKey) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.id.as_bytes().into()),
        ("license", key.license.as_bytes().into()),
        ("name", key.name.as_str().into()),
        ("rate", key.rate.map(|rate| rate.to_string()).into()),
        ("now", key.created_at.into()),
    ];
    tx.execute(INSERT_KEY, &params).map(drop)
}

/// Keeps a key's newest secret; those before must have been ended.
pub fn insert_secret(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (key, mac, shown): (ApiKeyId, [u8; 32], &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mac", mac.as_slice().into()),
        ("key", key.as_bytes().into()),
        ("shown", shown.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_SECRET, &params).map(drop)
}

/// A license's keys, the newest first.
pub fn keys_of_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Vec<ApiKey>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let rows = tx.query(KEYS_OF_LICENSE, &params)?;
    rows.iter().map(api_key).collect()
}

/// One key that was not deleted.
pub fn key_by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: ApiKeyId,
) -> Result<Option<ApiKey>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.as_bytes().into()),
    ];
    let row = tx.query_one(KEY_BY_ID, &params)?;
    row.as_ref().map(api_key).transpose()
}

/// Writes what an owner may change.
pub fn update_key(tx: &mut dyn Tx, tenant: TenantId, key: &ApiKey) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.id.as_bytes().into()),
        ("name", key.name.as_str().into()),
        ("rate", key.rate.map(|rate| rate.to_string()).into()),
        ("disabled", key.disabled_at.into()),
    ];
    tx.execute(UPDATE_KEY, &params).map(drop)
}

/// Marks a key as deleted; what it counted stays.
pub fn delete_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: ApiKeyId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(DELETE_KEY, &params).map(drop)
}

/// Lets every secret of a key end at `ends` at the latest.
pub fn end_secrets(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: ApiKeyId,
    ends: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.as_bytes().into()),
        ("ends", ends.into()),
    ];
    tx.execute(END_SECRETS, &params).map(drop)
}

/// The key that a secret in force belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: ApiKeyId,
    /// Of which license.
    pub license: LicenseId,
    /// What its owner allows it at most.
    pub rate: Option<RateLimit>,
    /// Whether its owner switched it off.
    pub disabled: bool,
}

/// Looks a secret up by its keyed hash.
pub fn find_secret(
    tx: &mut dyn Tx,
    tenant: TenantId,
    mac: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Found>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mac", mac.as_slice().into()),
        ("now", now.into()),
    ];
    let found = |row: Row| {
        Ok(Found {
            key: row.id("api_key_id", ApiKeyId::from_bytes)?,
            license: row.id("license_id", LicenseId::from_bytes)?,
            rate: rate(&row)?,
            disabled: row.opt_at("disabled_at")?.is_some(),
        })
    };
    tx.query_one(FIND_SECRET, &params)?.map(found).transpose()
}
