//! SQL of batches and of sellers' own keys.

use super::model::{Batch, BatchKind, BatchState};
use crate::domains::licensing::{License, sql::license_by_id};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, BatchId, LicenseId, ProductId, TenantId};

const INSERT_BATCH: &str = "\
INSERT INTO license_batch (tenant_id, batch_id, seller_id, product_id, product_code, kind, label,
    state, terms, seats, expires_at, wanted, issued, revoked, revoke_reason, created_at)
VALUES (:tenant, :batch, :seller, :product, :code, :kind, :label, :state, :terms, :seats, :expires,
    :wanted, :issued, 0, NULL, :now)";

const BATCH_BY_ID: &str = "\
SELECT batch_id, seller_id, product_id, product_code, kind, label, state, terms, seats, expires_at,
    wanted, issued, revoked, revoke_reason, created_at
FROM license_batch WHERE tenant_id = :tenant AND batch_id = :batch";

const BATCHES_OF_PRODUCT: &str = "\
SELECT batch_id, seller_id, product_id, product_code, kind, label, state, terms, seats, expires_at,
    wanted, issued, revoked, revoke_reason, created_at
FROM license_batch
WHERE tenant_id = :tenant AND product_id = :product AND seller_id = :seller AND batch_id < :before
ORDER BY batch_id DESC LIMIT :limit";

const NEWEST_NAMED: &str = "\
SELECT batch_id, seller_id, product_id, product_code, kind, label, state, terms, seats, expires_at,
    wanted, issued, revoked, revoke_reason, created_at
FROM license_batch
WHERE tenant_id = :tenant AND product_id = :product AND seller_id = :seller AND kind = :kind
    AND label = :label AND state = :state
ORDER BY batch_id DESC LIMIT 1";

const ADVANCE: &str = "\
UPDATE license_batch SET state = :state, wanted = :wanted, issued = :issued, revoked = :revoked,
    revoke_reason = :reason
WHERE tenant_id = :tenant AND batch_id = :batch";

const INSERT_ITEM: &str = "\
INSERT INTO license_batch_item (tenant_id, batch_id, place, license_id, reference)
VALUES (:tenant, :batch, :place, :license, :reference)";

const PLACES: &str = "\
SELECT license_id FROM license_batch_item
WHERE tenant_id = :tenant AND batch_id = :batch AND place > :after AND place <= :until
ORDER BY place";

const SEALED: &str = "\
SELECT i.place, i.license_id, i.reference, l.redeem_sealed, k.key_sealed
FROM license_batch b
JOIN license_batch_item i ON i.tenant_id = b.tenant_id AND i.batch_id = b.batch_id
JOIN license l ON l.tenant_id = i.tenant_id AND l.license_id = i.license_id
LEFT JOIN license_key k ON k.tenant_id = i.tenant_id AND k.license_id = i.license_id
WHERE b.tenant_id = :tenant AND b.batch_id = :batch AND b.seller_id = :seller AND i.place > :after
ORDER BY i.place LIMIT :limit";

const INSERT_KEY: &str = "\
INSERT INTO license_key (tenant_id, license_id, product_id, key_mac, key_sealed, weak)
VALUES (:tenant, :license, :product, :mac, :sealed, :weak)";

const KEY: &str = "\
SELECT license_id, weak FROM license_key WHERE tenant_id = :tenant AND key_mac = :mac";

const WEAK_KEY: &str = "\
SELECT license_id FROM license_key
WHERE tenant_id = :tenant AND product_id = :product AND weak = 1 LIMIT 1";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_BATCH,
    BATCH_BY_ID,
    BATCHES_OF_PRODUCT,
    NEWEST_NAMED,
    ADVANCE,
    INSERT_ITEM,
    PLACES,
    SEALED,
    INSERT_KEY,
    KEY,
    WEAK_KEY,
];

pub(super) fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Batch) -> Result<(), StoreError> {
    let terms =
        serde_json::to_string(&new.terms).map_err(|error| StoreError::shape(error.to_string()))?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", new.id.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("product", new.product.as_bytes().into()),
        ("code", new.product_code.as_str().into()),
        ("kind", new.kind.code().into()),
        ("label", new.label.as_str().into()),
        ("state", new.state.code().into()),
        ("terms", terms.into()),
        ("seats", new.seats.into()),
        ("expires", new.expires_at.into()),
        ("wanted", new.wanted.into()),
        ("issued", new.issued.into()),
        ("now", new.created_at.into()),
    ];
    tx.execute(INSERT_BATCH, &params).map(drop)
}

fn batch(row: &Row) -> Result<Batch, StoreError> {
    let unknown = |what: &str| StoreError::shape(format!("a batch has an unknown {what}"));
    let terms = serde_json::from_str(&row.text("terms")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Batch {
        id: row.id("batch_id", BatchId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        product_code: row.text("product_code")?,
        kind: BatchKind::parse(&row.text("kind")?).ok_or_else(|| unknown("kind"))?,
        label: row.text("label")?,
        state: BatchState::parse(&row.text("state")?).ok_or_else(|| unknown("state"))?,
        terms,
        seats: row.int("seats")?,
        expires_at: row.opt_at("expires_at")?,
        wanted: row.int("wanted")?,
        issued: row.int("issued")?,
        revoked: row.int("revoked")?,
        revoke_reason: row.opt_text("revoke_reason")?,
        created_at: row.at("created_at")?,
    })
}

pub(super) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: BatchId,
) -> Result<Option<Batch>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", id.as_bytes().into()),
    ];
    let row = tx.query_one(BATCH_BY_ID, &params)?;
    row.as_ref().map(batch).transpose()
}

/// Whose batches of which product.
#[derive(Clone, Copy)]
pub(super) struct Of {
    pub tenant: TenantId,
    pub seller: AccountId,
    pub product: ProductId,
}

pub(super) fn page(
    tx: &mut dyn Tx,
    of: Of,
    before: [u8; 16],
    limit: i64,
) -> Result<Vec<Batch>, StoreError> {
    let params = [
        ("tenant", of.tenant.as_bytes().into()),
        ("product", of.product.as_bytes().into()),
        ("seller", of.seller.as_bytes().into()),
        ("before", (&before).into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(BATCHES_OF_PRODUCT, &params)?;
    rows.iter().map(batch).collect()
}

/// The newest batch of this name in this state.
pub(super) fn newest_named(
    tx: &mut dyn Tx,
    of: Of,
    kind: BatchKind,
    label: &str,
    state: BatchState,
) -> Result<Option<Batch>, StoreError> {
    let params = [
        ("tenant", of.tenant.as_bytes().into()),
        ("product", of.product.as_bytes().into()),
        ("seller", of.seller.as_bytes().into()),
        ("kind", kind.code().into()),
        ("label", label.into()),
        ("state", state.code().into()),
    ];
    let row = tx.query_one(NEWEST_NAMED, &params)?;
    row.as_ref().map(batch).transpose()
}

/// Writes how far the batch is.
pub(super) fn advance(
    tx: &mut dyn Tx,
    tenant: TenantId,
    changed: &Batch,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", changed.id.as_bytes().into()),
        ("state", changed.state.code().into()),
        ("wanted", changed.wanted.into()),
        ("issued", changed.issued.into()),
        ("revoked", changed.revoked.into()),
        ("reason", changed.revoke_reason.clone().into()),
    ];
    tx.execute(ADVANCE, &params).map(drop)
}

/// A license in its place.
pub(super) struct Item<'a> {
    pub batch: BatchId,
    pub place: i64,
    pub license: LicenseId,
    pub reference: &'a str,
}

pub(super) fn insert_item(
    tx: &mut dyn Tx,
    tenant: TenantId,
    item: &Item<'_>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", item.batch.as_bytes().into()),
        ("place", item.place.into()),
        ("license", item.license.as_bytes().into()),
        ("reference", item.reference.into()),
    ];
    tx.execute(INSERT_ITEM, &params).map(drop)
}

/// The licenses in the places behind `after`, up to `until`.
pub(super) fn places(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: BatchId,
    (after, until): (i64, i64),
) -> Result<Vec<LicenseId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", id.as_bytes().into()),
        ("after", after.into()),
        ("until", until.into()),
    ];
    let rows = tx.query(PLACES, &params)?;
    let license = |row: &Row| row.id("license_id", LicenseId::from_bytes);
    rows.iter().map(license).collect()
}

/// A place with what its license is exchanged for, sealed.
pub(super) struct SealedItem {
    pub place: i64,
    pub license: LicenseId,
    pub reference: String,
    pub code: Vec<u8>,
    pub key: Option<Vec<u8>>,
}

/// Places of a batch of this seller; none for another's.
pub(super) fn sealed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    id: BatchId,
    (after, limit): (i64, i64),
) -> Result<Vec<SealedItem>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("batch", id.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("after", after.into()),
        ("limit", limit.into()),
    ];
    let item = |row: &Row| {
        Ok(SealedItem {
            place: row.int("place")?,
            license: row.id("license_id", LicenseId::from_bytes)?,
            reference: row.text("reference")?,
            code: row.blob("redeem_sealed")?,
            key: row.opt_blob("key_sealed")?,
        })
    };
    tx.query(SEALED, &params)?.iter().map(item).collect()
}

/// A key as it is stored.
pub(super) struct StoredKey {
    pub mac: [u8; 32],
    pub sealed: Vec<u8>,
    pub weak: bool,
}

pub(super) fn insert_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: &License,
    new: &StoredKey,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.id.as_bytes().into()),
        ("product", license.product.as_bytes().into()),
        ("mac", new.mac.as_slice().into()),
        ("sealed", new.sealed.as_slice().into()),
        ("weak", i64::from(new.weak).into()),
    ];
    tx.execute(INSERT_KEY, &params).map(drop)
}

/// The license of a key, and whether the key is weak.
pub(super) fn license_by_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    mac: &[u8; 32],
) -> Result<Option<(License, bool)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("mac", mac.as_slice().into()),
    ];
    let Some(row) = tx.query_one(KEY, &params)? else {
        return Ok(None);
    };
    let license = license_by_id(tx, tenant, row.id("license_id", LicenseId::from_bytes)?)?;
    let weak = row.int("weak")? != 0;
    Ok(license.map(|license| (license, weak)))
}

pub(super) fn has_weak_keys(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    Ok(tx.query_one(WEAK_KEY, &params)?.is_some())
}
