//! Sellers.

use crate::domains::catalog::model::Seller;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, TenantId};

const INSERT: &str = "INSERT INTO seller
    (account_id, tenant_id, slug, name, about, origin_key, claimed_at, created_at)
    VALUES (:account, :tenant, :slug, :name, :about, :origin, :claimed, :now)
    ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE seller SET name = :name, about = :about
    WHERE tenant_id = :tenant AND account_id = :account";

const BY_ACCOUNT: &str = "SELECT account_id, slug, name, about, claimed_at FROM seller
    WHERE tenant_id = :tenant AND account_id = :account";

const OPENED_AT: &str = "SELECT created_at FROM seller
    WHERE tenant_id = :tenant AND account_id = :account";

const BY_ORIGIN: &str = "SELECT account_id, slug, name, about, claimed_at FROM seller
    WHERE tenant_id = :tenant AND origin_key = :origin";

fn from_row(row: &Row) -> Result<Seller, StoreError> {
    Ok(Seller {
        account: row.id("account_id", AccountId::from_bytes)?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        about: row.text("about")?,
        claimed_at: row.opt_at("claimed_at")?,
    })
}

/// Inserts a seller; `false` when the account, the slug or the origin is there already.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: &Seller,
    origin: Option<&[u8]>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("account", seller.account.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("slug", seller.slug.as_str().into()),
        ("name", seller.name.as_str().into()),
        ("about", seller.about.as_str().into()),
        ("origin", origin.into()),
        ("claimed", seller.claimed_at.into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(INSERT, &params)? == 1)
}

/// Changes what people read; the slug stays, since addresses hold it.
pub(crate) fn update(tx: &mut dyn Tx, tenant: TenantId, seller: &Seller) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", seller.account.as_bytes().into()),
        ("name", seller.name.as_str().into()),
        ("about", seller.about.as_str().into()),
    ];
    tx.execute(UPDATE, &params).map(drop)
}

/// The seller that `account` is.
pub(crate) fn by_account(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Seller>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    tx.query_one(BY_ACCOUNT, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// When the seller that `account` is opened its shop.
pub(crate) fn opened_at(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Timestamp>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let row = tx.query_one(OPENED_AT, &params)?;
    row.map(|row| row.at("created_at")).transpose()
}

/// The seller that an import made for the hash of an outside name.
pub(crate) fn by_origin(
    tx: &mut dyn Tx,
    tenant: TenantId,
    origin: &[u8],
) -> Result<Option<Seller>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("origin", origin.into()),
    ];
    tx.query_one(BY_ORIGIN, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}
