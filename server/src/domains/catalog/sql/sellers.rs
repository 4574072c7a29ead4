//! Sellers.

use crate::domains::catalog::model::{Seller, Standing};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, TenantId};

const INSERT: &str = "INSERT INTO seller
    (account_id, tenant_id, slug, name, about, origin_key, claimed_at, created_at)
    VALUES (:account, :tenant, :slug, :name, :about, :origin, :claimed, :now)
    ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE seller SET name = :name, about = :about
    WHERE tenant_id = :tenant AND account_id = :account";

const BY_ACCOUNT: &str = "SELECT account_id, slug, name, about, claimed_at, standing FROM seller
    WHERE tenant_id = :tenant AND account_id = :account";

const OPENED_AT: &str = "SELECT created_at FROM seller
    WHERE tenant_id = :tenant AND account_id = :account";

const BY_ORIGIN: &str = "SELECT account_id, slug, name, about, claimed_at, standing FROM seller
    WHERE tenant_id = :tenant AND origin_key = :origin";

const STANDING: &str = "SELECT standing, standing_since FROM seller
    WHERE tenant_id = :tenant AND account_id = :account";

const SET_STANDING: &str = "UPDATE seller SET standing = :standing, standing_since = :now
    WHERE tenant_id = :tenant AND account_id = :account";

const LIST: &str = "SELECT account_id, slug, name, about, claimed_at, standing, standing_since
    FROM seller WHERE tenant_id = :tenant AND slug > :after AND slug >= :from AND slug <= :to
    ORDER BY slug LIMIT :limit";

const LIST_OF: &str = "SELECT account_id, slug, name, about, claimed_at, standing, standing_since
    FROM seller WHERE tenant_id = :tenant AND standing = :standing
    AND slug > :after AND slug >= :from AND slug <= :to
    ORDER BY slug LIMIT :limit";

/// Behind every slug that begins with it: slugs are of small letters, digits and `-`.
const LAST: &str = "zzzzzzzzzzzz";

/// Which sellers, and which page of them.
#[derive(Debug, Clone, Default)]
pub struct SellerList {
    /// Those that stand so; all without.
    pub standing: Option<Standing>,
    /// What their slug begins with, possibly nothing.
    pub begins: String,
    /// The slug of the last one that is known, possibly nothing.
    pub after: String,
    /// How many at most.
    pub limit: i64,
}

/// The row's standing.
pub(super) fn standing_of(row: &Row, column: &str) -> Result<Standing, StoreError> {
    let standing = row.text(column)?;
    Standing::parse(&standing).ok_or_else(|| StoreError::shape(format!("standing {standing:?}")))
}

/// Where a seller stands, and since when.
pub(crate) fn standing(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<(Standing, Option<Timestamp>)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let row = tx.query_one(STANDING, &params)?;
    row.map(|row| {
        Ok((
            standing_of(&row, "standing")?,
            row.opt_at("standing_since")?,
        ))
    })
    .transpose()
}

/// Keeps where a seller stands.
pub(crate) fn set_standing(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    standing: Standing,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("standing", standing.name().into()),
        ("now", now.into()),
    ];
    tx.execute(SET_STANDING, &params).map(drop)
}

/// Sellers by slug.
pub(crate) fn list(
    tx: &mut dyn Tx,
    tenant: TenantId,
    wanted: &SellerList,
) -> Result<Vec<(Seller, Option<Timestamp>)>, StoreError> {
    let mut params = vec![
        ("tenant", tenant.as_bytes().into()),
        ("after", wanted.after.as_str().into()),
        ("from", wanted.begins.as_str().into()),
        ("to", format!("{}{LAST}", wanted.begins).into()),
        ("limit", wanted.limit.into()),
    ];
    let sql = match wanted.standing {
        None => LIST,
        Some(standing) => {
            params.push(("standing", standing.name().into()));
            LIST_OF
        }
    };
    let rows = tx.query(sql, &params)?;
    rows.iter()
        .map(|row| Ok((from_row(row)?, row.opt_at("standing_since")?)))
        .collect()
}

fn from_row(row: &Row) -> Result<Seller, StoreError> {
    Ok(Seller {
        account: row.id("account_id", AccountId::from_bytes)?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        about: row.text("about")?,
        claimed_at: row.opt_at("claimed_at")?,
        standing: standing_of(row, "standing")?,
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
