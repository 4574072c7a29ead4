//! SQL of bundles.

pub(super) mod shelf;

use super::model::{Bundle, BundlePrice};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, BundleId, PriceId, ProductId, TenantId};
use mintreu::{Currency, Money};

const INSERT: &str = "\
INSERT INTO bundle (tenant_id, bundle_id, seller_id, slug, name, summary, withdrawn_at, created_at,
    updated_at)
VALUES (:tenant, :bundle, :seller, :slug, :name, :summary, NULL, :now, :now)
ON CONFLICT (tenant_id, slug) DO NOTHING";

const UPDATE: &str = "\
UPDATE bundle SET name = :name, summary = :summary, withdrawn_at = :withdrawn, updated_at = :now
WHERE tenant_id = :tenant AND bundle_id = :bundle AND seller_id = :seller";

const DROP_ITEMS: &str =
    "DELETE FROM bundle_item WHERE tenant_id = :tenant AND bundle_id = :bundle";

const INSERT_ITEM: &str = "\
INSERT INTO bundle_item (tenant_id, bundle_id, product_id, position)
VALUES (:tenant, :bundle, :product, :position)";

const DROP_PRICE: &str = "\
DELETE FROM bundle_price
WHERE tenant_id = :tenant AND bundle_id = :bundle AND price_id = :price";

const PUT_PRICE: &str = "\
INSERT INTO bundle_price (tenant_id, price_id, bundle_id, currency, amount_minor)
VALUES (:tenant, :price, :bundle, :currency, :amount)
ON CONFLICT (tenant_id, price_id) DO UPDATE SET amount_minor = excluded.amount_minor";

const BY_ID: &str = "\
SELECT bundle_id, seller_id, slug, name, summary, withdrawn_at, updated_at FROM bundle
WHERE tenant_id = :tenant AND bundle_id = :bundle";

const BY_SLUG: &str = "\
SELECT bundle_id, seller_id, slug, name, summary, withdrawn_at, updated_at FROM bundle
WHERE tenant_id = :tenant AND slug = :slug";

const OF_PRICE: &str = "\
SELECT b.bundle_id, b.seller_id, b.slug, b.name, b.summary, b.withdrawn_at, b.updated_at
FROM bundle b
JOIN bundle_price p ON p.tenant_id = b.tenant_id AND p.bundle_id = b.bundle_id
WHERE b.tenant_id = :tenant AND p.price_id = :price";

const OF_SELLER: &str = "\
SELECT bundle_id, seller_id, slug, name, summary, withdrawn_at, updated_at FROM bundle
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY bundle_id DESC LIMIT :limit";

const OF_PRODUCT: &str = "\
SELECT b.bundle_id, b.seller_id, b.slug, b.name, b.summary, b.withdrawn_at, b.updated_at
FROM bundle b
JOIN bundle_item i ON i.tenant_id = b.tenant_id AND i.bundle_id = b.bundle_id
WHERE b.tenant_id = :tenant AND i.product_id = :product AND b.withdrawn_at IS NULL
ORDER BY b.bundle_id DESC";

const FOR_SALE: &str = "\
SELECT bundle_id, seller_id, slug, name, summary, withdrawn_at, updated_at FROM bundle
WHERE tenant_id = :tenant AND withdrawn_at IS NULL AND bundle_id < :before
ORDER BY bundle_id DESC LIMIT :limit";

const ITEMS: &str = "\
SELECT product_id FROM bundle_item
WHERE tenant_id = :tenant AND bundle_id = :bundle ORDER BY position";

const PRICES: &str = "\
SELECT price_id, currency, amount_minor FROM bundle_price
WHERE tenant_id = :tenant AND bundle_id = :bundle ORDER BY currency";

fn of(tenant: TenantId, bundle: BundleId) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("bundle", bundle.as_bytes().into()),
    ]
}

/// Writes a new bundle; false when another has its address.
pub(super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    bundle: &Bundle,
) -> Result<bool, StoreError> {
    let mut params = of(tenant, bundle.id);
    params.extend([
        ("seller", bundle.seller.as_bytes().into()),
        ("slug", bundle.slug.as_str().into()),
        ("name", bundle.name.as_str().into()),
        ("summary", bundle.summary.as_str().into()),
        ("now", bundle.updated_at.into()),
    ]);
    if tx.execute(INSERT, &params)? == 0 {
        return Ok(false);
    }
    put_parts(tx, tenant, bundle)?;
    Ok(true)
}

/// Writes what may change of a bundle; its prices are those named, and keep their ids.
pub(super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    bundle: &Bundle,
    before: &[BundlePrice],
) -> Result<(), StoreError> {
    let mut params = of(tenant, bundle.id);
    params.extend([
        ("seller", bundle.seller.as_bytes().into()),
        ("name", bundle.name.as_str().into()),
        ("summary", bundle.summary.as_str().into()),
        ("withdrawn", bundle.withdrawn_at.into()),
        ("now", bundle.updated_at.into()),
    ]);
    tx.execute(UPDATE, &params)?;
    tx.execute(DROP_ITEMS, &of(tenant, bundle.id))?;
    let stays = |price: &BundlePrice| bundle.prices.iter().any(|one| one.id == price.id);
    for price in before.iter().filter(|price| !stays(price)) {
        let mut params = of(tenant, bundle.id);
        params.push(("price", price.id.as_bytes().into()));
        tx.execute(DROP_PRICE, &params)?;
    }
    put_parts(tx, tenant, bundle)
}

fn put_parts(tx: &mut dyn Tx, tenant: TenantId, bundle: &Bundle) -> Result<(), StoreError> {
    for (position, product) in (0_i64..).zip(&bundle.products) {
        let mut params = of(tenant, bundle.id);
        params.push(("product", product.as_bytes().into()));
        params.push(("position", position.into()));
        tx.execute(INSERT_ITEM, &params)?;
    }
    for price in &bundle.prices {
        let mut params = of(tenant, bundle.id);
        params.extend([
            ("price", price.id.as_bytes().into()),
            ("currency", price.amount.currency().code().into()),
            ("amount", price.amount.minor().into()),
        ]);
        tx.execute(PUT_PRICE, &params)?;
    }
    Ok(())
}

fn bundle(tx: &mut dyn Tx, tenant: TenantId, row: &Row) -> Result<Bundle, StoreError> {
    let id = row.id("bundle_id", BundleId::from_bytes)?;
    let product = |row: &Row| row.id("product_id", ProductId::from_bytes);
    let price = |row: &Row| {
        let currency = Currency::parse(&row.text("currency")?);
        let currency = currency.map_err(|error| StoreError::shape(error.to_string()))?;
        Ok(BundlePrice {
            id: row.id("price_id", PriceId::from_bytes)?,
            amount: Money::new(row.int("amount_minor")?, currency),
        })
    };
    let items = tx.query(ITEMS, &of(tenant, id))?;
    let prices = tx.query(PRICES, &of(tenant, id))?;
    Ok(Bundle {
        id,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        summary: row.text("summary")?,
        products: items.iter().map(product).collect::<Result<_, _>>()?,
        prices: prices
            .iter()
            .map(price)
            .collect::<Result<_, StoreError>>()?,
        withdrawn_at: row.opt_at("withdrawn_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn one(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (sql, params): (&str, &[(&'static str, Value)]),
) -> Result<Option<Bundle>, StoreError> {
    let row = tx.query_one(sql, params)?;
    row.map(|row| bundle(tx, tenant, &row)).transpose()
}

fn many(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (sql, params): (&str, &[(&'static str, Value)]),
) -> Result<Vec<Bundle>, StoreError> {
    let rows = tx.query(sql, params)?;
    rows.iter().map(|row| bundle(tx, tenant, row)).collect()
}

pub(super) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: BundleId,
) -> Result<Option<Bundle>, StoreError> {
    one(tx, tenant, (BY_ID, &of(tenant, id)))
}

pub(super) fn by_slug(
    tx: &mut dyn Tx,
    tenant: TenantId,
    slug: &str,
) -> Result<Option<Bundle>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("slug", slug.into())];
    one(tx, tenant, (BY_SLUG, &params))
}

pub(super) fn of_price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
) -> Result<Option<Bundle>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", price.as_bytes().into()),
    ];
    one(tx, tenant, (OF_PRICE, &params))
}

pub(super) fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    limit: i64,
) -> Result<Vec<Bundle>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("limit", limit.into()),
    ];
    many(tx, tenant, (OF_SELLER, &params))
}

/// The newest that hold a product. A seller has few, so that all are found: with a LIMIT SQLite would
/// make itself a table to sort them in, even where there are none.
pub(super) fn of_product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    most: usize,
) -> Result<Vec<Bundle>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let rows = tx.query(OF_PRODUCT, &params)?;
    let newest = rows.iter().take(most);
    newest.map(|row| bundle(tx, tenant, row)).collect()
}

pub(super) fn for_sale(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: &[u8; 16],
    limit: i64,
) -> Result<Vec<Bundle>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", before.into()),
        ("limit", limit.into()),
    ];
    many(tx, tenant, (FOR_SALE, &params))
}
