//! SQL of the keys that are held for sellers, of their key sets, and of which key signed what.

use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::document::PublicKey;
use mintreu::id::{AccountId, ActivationId, KeyId, LicenseId, TenantId};

const FIND_KEY: &str = "\
SELECT key_id, public_key, seed_sealed, certificate FROM seller_key
WHERE tenant_id = :tenant AND seller_id = :seller AND purpose = :purpose
    AND audience = :audience AND revoked_at IS NULL
    AND (certificate IS NOT NULL OR purpose = 'root')
ORDER BY version DESC LIMIT 1";

const INSERT_KEY: &str = "\
INSERT INTO seller_key (tenant_id, key_id, seller_id, purpose, audience, version, public_key,
    seed_sealed, certificate, created_at, exported_at)
VALUES (:tenant, :key, :seller, :purpose, :audience, (
    SELECT COALESCE(MAX(k.version), 0) + 1 FROM seller_key k
    WHERE k.tenant_id = :tenant AND k.seller_id = :seller AND k.purpose = :purpose
        AND k.audience = :audience),
    :public, :sealed, :certificate, :now, NULL)
ON CONFLICT (tenant_id, seller_id, purpose, audience, version) DO NOTHING
RETURNING version";

const MARK_EXPORTED: &str = "\
UPDATE seller_key SET exported_at = :now
WHERE tenant_id = :tenant AND key_id = :key AND exported_at IS NULL";

const FORGET: &str = "\
UPDATE seller_key SET seed_sealed = :nothing, forgotten_at = :now
WHERE tenant_id = :tenant AND key_id = :key AND exported_at IS NOT NULL
    AND forgotten_at IS NULL";

const SET_CERTIFICATE: &str = "\
UPDATE seller_key SET certificate = :certificate WHERE tenant_id = :tenant AND key_id = :key";

const MARK_REVOKED: &str = "\
UPDATE seller_key SET revoked_at = :now, revoked_from = :from, revoke_reason = :reason
WHERE tenant_id = :tenant AND key_id = :key AND revoked_at IS NULL";

const KEYS_OF_SELLER: &str = "\
SELECT key_id, purpose, audience, version, public_key, certificate, created_at, exported_at,
    forgotten_at, revoked_at, revoked_from, revoke_reason
FROM seller_key WHERE tenant_id = :tenant AND seller_id = :seller
ORDER BY purpose DESC, audience, version DESC LIMIT 1000";

const NEWEST_SET: &str = "\
SELECT version, document, origin, published_at FROM key_set
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY version DESC LIMIT 1";

const INSERT_SET: &str = "\
INSERT INTO key_set (tenant_id, seller_id, version, document, origin, published_at)
VALUES (:tenant, :seller, :version, :document, :origin, :now)
ON CONFLICT (tenant_id, seller_id, version) DO NOTHING
RETURNING version";

const LICENSES_OF_KEY: &str = "\
SELECT license_id, document FROM license
WHERE tenant_id = :tenant AND key_id = :key AND revoked_at IS NULL
ORDER BY license_id LIMIT :limit";

const SIGNED_AGAIN: &str = "\
SELECT document FROM license
WHERE tenant_id = :tenant AND seller_id = :seller AND signed_again_at IS NOT NULL
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :since)
ORDER BY signed_again_at DESC, license_id DESC LIMIT :limit";

const SIGN_LICENSE_AGAIN: &str = "\
UPDATE license SET document = :document, key_id = :key, signed_again_at = :now
WHERE tenant_id = :tenant AND license_id = :license";

const REVOKED_KEY_OF_LICENSE: &str = "\
SELECT k.key_id FROM license l
JOIN seller_key k ON k.tenant_id = l.tenant_id AND k.key_id = l.key_id
WHERE l.tenant_id = :tenant AND l.license_id = :license AND k.revoked_at IS NOT NULL";

const REVOKED_KEY_OF_ACTIVATION: &str = "\
SELECT k.key_id FROM activation a
JOIN seller_key k ON k.tenant_id = a.tenant_id AND k.key_id = a.key_id
WHERE a.tenant_id = :tenant AND a.activation_id = :activation AND k.revoked_at IS NOT NULL";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    FIND_KEY,
    INSERT_KEY,
    MARK_EXPORTED,
    FORGET,
    SET_CERTIFICATE,
    MARK_REVOKED,
    KEYS_OF_SELLER,
    NEWEST_SET,
    INSERT_SET,
    LICENSES_OF_KEY,
    SIGNED_AGAIN,
    SIGN_LICENSE_AGAIN,
    REVOKED_KEY_OF_LICENSE,
    REVOKED_KEY_OF_ACTIVATION,
];

/// What names one of a seller's keys.
#[derive(Clone, Copy)]
pub(in super::super) struct KeyName<'a> {
    pub tenant: TenantId,
    pub seller: AccountId,
    pub purpose: &'static str,
    pub audience: &'a str,
}

impl KeyName<'_> {
    fn params(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("tenant", self.tenant.as_bytes().into()),
            ("seller", self.seller.as_bytes().into()),
            ("purpose", self.purpose.into()),
            ("audience", self.audience.into()),
        ]
    }
}

/// A stored key; its seed is sealed, or empty once it was forgotten.
pub(in super::super) struct StoredKey {
    pub id: KeyId,
    pub public: PublicKey,
    pub seed_sealed: Vec<u8>,
    pub certificate: Option<Vec<u8>>,
}

fn public_key(row: &Row) -> Result<PublicKey, StoreError> {
    let bytes = row.blob("public_key")?;
    let bytes = <[u8; 32]>::try_from(bytes.as_slice()).ok();
    let key = bytes.and_then(|bytes| PublicKey::from_bytes(&bytes).ok());
    key.ok_or_else(|| StoreError::shape("public_key is no key".to_owned()))
}

/// The key that signs now: the newest that was certified and not revoked.
pub(in super::super) fn find(
    tx: &mut dyn Tx,
    name: KeyName<'_>,
) -> Result<Option<StoredKey>, StoreError> {
    let row = tx.query_one(FIND_KEY, &name.params())?;
    row.map(|row| {
        Ok(StoredKey {
            id: row.id("key_id", KeyId::from_bytes)?,
            public: public_key(&row)?,
            seed_sealed: row.blob("seed_sealed")?,
            certificate: row.opt_blob("certificate")?,
        })
    })
    .transpose()
}

/// Writes a key's next version; a race that was lost is run again.
pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    name: KeyName<'_>,
    new: &StoredKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = name.params();
    params.extend([
        ("key", new.id.as_bytes().into()),
        ("public", new.public.as_bytes().as_slice().into()),
        ("sealed", new.seed_sealed.as_slice().into()),
        ("certificate", new.certificate.clone().into()),
        ("now", now.into()),
    ]);
    super::won(tx.query_one(INSERT_KEY, &params)?)
}

fn of_key(tenant: TenantId, key: KeyId) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("key", key.as_bytes().into()),
    ]
}

/// Whether this call is the one that exported it.
pub(in super::super) fn mark_exported(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: KeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut params = of_key(tenant, key);
    params.push(("now", now.into()));
    Ok(tx.execute(MARK_EXPORTED, &params)? == 1)
}

/// Deletes the seed of a key that was exported; whether there was one.
pub(in super::super) fn forget(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: KeyId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut params = of_key(tenant, key);
    params.push(("nothing", Vec::new().into()));
    params.push(("now", now.into()));
    Ok(tx.execute(FORGET, &params)? == 1)
}

pub(in super::super) fn set_certificate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: KeyId,
    certificate: &[u8],
) -> Result<(), StoreError> {
    let mut params = of_key(tenant, key);
    params.push(("certificate", certificate.into()));
    tx.execute(SET_CERTIFICATE, &params).map(drop)
}

/// Why and from when a key is revoked.
pub(in super::super) struct Revoking<'a> {
    pub from: Timestamp,
    pub reason: &'a str,
    pub now: Timestamp,
}

/// Whether this call is the one that revoked it.
pub(in super::super) fn mark_revoked(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: KeyId,
    revoking: &Revoking<'_>,
) -> Result<bool, StoreError> {
    let mut params = of_key(tenant, key);
    params.extend([
        ("from", revoking.from.into()),
        ("reason", revoking.reason.into()),
        ("now", revoking.now.into()),
    ]);
    Ok(tx.execute(MARK_REVOKED, &params)? == 1)
}

/// One of a seller's keys as they see it: nothing of its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The key.
    pub id: KeyId,
    /// `root`, `product` or `receipt`.
    pub purpose: String,
    /// The product's code, for a product's key.
    pub audience: String,
    /// Counts the keys of one purpose and audience.
    pub version: i64,
    /// Its public half.
    pub public: PublicKey,
    /// What a root certified, once one did.
    pub certificate: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was given to its owner.
    pub exported_at: Option<Timestamp>,
    /// When its seed was deleted here.
    pub forgotten_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// From when nothing that it signed holds.
    pub revoked_from: Option<Timestamp>,
    /// Why it was revoked.
    pub revoke_reason: Option<String>,
}

/// A seller's keys, those of one purpose and audience together, the newest first.
pub(in super::super) fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<KeyRecord>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let rows = tx.query(KEYS_OF_SELLER, &params)?;
    let record = |row: &Row| {
        Ok(KeyRecord {
            id: row.id("key_id", KeyId::from_bytes)?,
            purpose: row.text("purpose")?,
            audience: row.text("audience")?,
            version: row.int("version")?,
            public: public_key(row)?,
            certificate: row.opt_blob("certificate")?,
            created_at: row.at("created_at")?,
            exported_at: row.opt_at("exported_at")?,
            forgotten_at: row.opt_at("forgotten_at")?,
            revoked_at: row.opt_at("revoked_at")?,
            revoked_from: row.opt_at("revoked_from")?,
            revoke_reason: row.opt_text("revoke_reason")?,
        })
    };
    rows.iter().map(record).collect()
}

/// A published key set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSet {
    /// Its version.
    pub version: u64,
    /// The signed document.
    pub document: Vec<u8>,
    /// `service` or `upload`.
    pub origin: String,
    /// When it was published.
    pub published_at: Timestamp,
}

pub(in super::super) fn newest_set(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Option<StoredSet>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let row = tx.query_one(NEWEST_SET, &params)?;
    row.map(|row| {
        let version = row.int("version")?;
        let negative = |_| StoreError::shape(format!("version {version}"));
        Ok(StoredSet {
            version: u64::try_from(version).map_err(negative)?,
            document: row.blob("document")?,
            origin: row.text("origin")?,
            published_at: row.at("published_at")?,
        })
    })
    .transpose()
}

/// Publishes a set; a race that was lost is run again.
pub(in super::super) fn insert_set(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    set: &StoredSet,
) -> Result<(), StoreError> {
    let version = i64::try_from(set.version)
        .map_err(|_| StoreError::shape(format!("version {}", set.version)))?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("version", version.into()),
        ("document", set.document.as_slice().into()),
        ("origin", set.origin.as_str().into()),
        ("now", set.published_at.into()),
    ];
    super::won(tx.query_one(INSERT_SET, &params)?)
}

/// Licenses that a key signed and that weren't signed again yet.
pub(in super::super) fn licenses_of_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: KeyId,
    limit: i64,
) -> Result<Vec<(LicenseId, Vec<u8>)>, StoreError> {
    let mut params = of_key(tenant, key);
    params.push(("limit", limit.into()));
    let pair = |row: &Row| {
        let id = row.id("license_id", LicenseId::from_bytes)?;
        Ok((id, row.blob("document")?))
    };
    tx.query(LICENSES_OF_KEY, &params)?
        .iter()
        .map(pair)
        .collect()
}

/// Bundles that were signed again, of licenses that weren't over at `since`, the newest first.
pub(in super::super) fn signed_again(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("since", since.into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(SIGNED_AGAIN, &params)?;
    rows.iter().map(|row| row.blob("document")).collect()
}

/// Replaces a license's document by one that another key signed.
pub(in super::super) fn sign_license_again(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    (key, document): (KeyId, &[u8]),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of_key(tenant, key);
    params.extend([
        ("license", license.as_bytes().into()),
        ("document", document.into()),
        ("now", now.into()),
    ]);
    tx.execute(SIGN_LICENSE_AGAIN, &params).map(drop)
}

/// Whether the key that signed this license was revoked.
pub(in super::super) fn license_hangs_on_revoked(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    Ok(tx.query_one(REVOKED_KEY_OF_LICENSE, &params)?.is_some())
}

/// Whether the key that signed this activation was revoked.
pub(in super::super) fn activation_hangs_on_revoked(
    tx: &mut dyn Tx,
    tenant: TenantId,
    activation: ActivationId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("activation", activation.as_bytes().into()),
    ];
    Ok(tx.query_one(REVOKED_KEY_OF_ACTIVATION, &params)?.is_some())
}
