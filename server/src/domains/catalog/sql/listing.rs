//! Placements of products in categories, pages of them, facets and the search.

use super::insert_rows;
use crate::domains::catalog::model::{
    CategoryCount, CategoryRef, Kind, KindCount, Listing, PriceBand, PriceBandCount, ProductCard,
    Sort,
};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{CategoryId, ProductId, TenantId};

const INSERT: &str = "INSERT INTO placement (tenant_id, category_id, doc_id, product_id, chosen,
    listed, kind, price_band, name_key, published_at)";

const OF_PRODUCT: &str = "SELECT category_id, listed FROM placement
    WHERE tenant_id = :tenant AND product_id = :product";

const DROP: &str = "DELETE FROM placement WHERE tenant_id = :tenant AND product_id = :product";

const KINDS: &str = "SELECT kind, COUNT(*) AS products FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    GROUP BY kind";

const BANDS: &str = "SELECT price_band, COUNT(*) AS products FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (CAST(:kind AS TEXT) = '' OR kind = :kind)
    GROUP BY price_band";

const CHILDREN: &str = "SELECT c.category_id, c.path, c.name, COUNT(*) AS products
    FROM category c JOIN placement l
    ON l.tenant_id = c.tenant_id AND l.category_id = c.category_id AND l.listed = 1
    WHERE c.tenant_id = :tenant AND c.parent_id = :category
    AND (CAST(:kind AS TEXT) = '' OR l.kind = :kind)
    AND (CAST(:band AS BIGINT) < 0 OR l.price_band = :band)
    GROUP BY c.category_id, c.path, c.name ORDER BY c.name, c.category_id LIMIT 500";

const BY_NAME: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (name_key, product_id) > (:name, :after)
    AND (CAST(:kind AS TEXT) = '' OR kind = :kind)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY name_key, product_id LIMIT :limit";

const BY_AGE: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (published_at, product_id) < (:at, :after)
    AND (CAST(:kind AS TEXT) = '' OR kind = :kind)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY published_at DESC, product_id DESC LIMIT :limit";

const SORT_KEYS: &str = "SELECT name_key, published_at FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND doc_id = :doc";

const FOUND: &str = "SELECT f.product_id, f.kind, f.price_band, p.category_id FROM (
        SELECT l.product_id, l.kind, l.price_band, l.name_key
        FROM product_words(CAST(:question AS TEXT)) w JOIN placement l
        ON l.tenant_id = :tenant AND l.category_id = :category AND l.doc_id = w.rowid
        WHERE l.listed = 1
        ORDER BY CASE WHEN l.name_key = :exact THEN 0 ELSE 1 END,
        LENGTH(l.name_key), l.name_key, l.product_id LIMIT :limit
    ) f JOIN product p ON p.product_id = f.product_id
    ORDER BY CASE WHEN f.name_key = :exact THEN 0 ELSE 1 END,
    LENGTH(f.name_key), f.name_key, f.product_id";

const CARD: &str = "SELECT p.slug, p.name, p.summary, p.kind, p.version,
    s.slug AS seller_slug, s.name AS seller_name,
    c.category_id, c.path, c.name AS category_name
    FROM product p JOIN seller s ON s.account_id = p.seller_id
    JOIN category c ON c.category_id = p.category_id
    WHERE p.tenant_id = :tenant AND p.product_id = :product";

/// One product in one category, with what lists read.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    pub category: CategoryId,
    pub product: ProductId,
    /// 1, 2 … for the categories its seller chose, in that order; 0 for those above them.
    pub chosen: i64,
    pub listed: bool,
    pub kind: Kind,
    pub band: PriceBand,
    pub name_key: String,
    pub published_at: Timestamp,
}

/// Inserts placements.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    placements: &[Placement],
) -> Result<(), StoreError> {
    let row = |placement: &Placement| {
        [
            tenant.as_bytes().into(),
            placement.category.as_bytes().into(),
            super::products::doc_id(placement.product).into(),
            placement.product.as_bytes().into(),
            Value::Int(placement.chosen),
            Value::Int(i64::from(placement.listed)),
            placement.kind.name().into(),
            placement.band.number().into(),
            placement.name_key.as_str().into(),
            placement.published_at.into(),
        ]
    };
    insert_rows(tx, INSERT, placements.iter().map(row).collect())
}

/// Takes a product out of all its categories; answers those in which it was listed.
pub(crate) fn take_out(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Vec<CategoryId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let rows = tx.query(OF_PRODUCT, &params)?;
    tx.execute(DROP, &params)?;
    let mut listed = Vec::new();
    for row in rows {
        if row.int("listed")? == 1 {
            listed.push(row.id("category_id", CategoryId::from_bytes)?);
        }
    }
    Ok(listed)
}

/// The parameters that narrow a list: an absent one is empty or negative.
fn narrowed(kind: Option<Kind>, band: Option<PriceBand>) -> [(&'static str, Value); 2] {
    [
        ("kind", kind.map_or("", Kind::name).into()),
        ("band", band.map_or(-1, PriceBand::number).into()),
    ]
}

fn count(row: &Row) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.int("products")?).unwrap_or(0))
}

/// Listed products of a category by kind, in the kinds' order.
pub(crate) fn kinds(
    tx: &mut dyn Tx,
    (tenant, category): (TenantId, CategoryId),
    band: Option<PriceBand>,
) -> Result<Vec<KindCount>, StoreError> {
    let [_, band] = narrowed(None, band);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        band,
    ];
    let mut counts = Vec::new();
    for row in tx.query(KINDS, &params)? {
        if let Some(kind) = Kind::parse(&row.text("kind")?) {
            counts.push(KindCount {
                kind,
                count: count(&row)?,
            });
        }
    }
    counts.sort_by_key(|entry| Kind::ALL.iter().position(|kind| *kind == entry.kind));
    Ok(counts)
}

/// Listed products of a category by price band, cheapest first.
pub(crate) fn bands(
    tx: &mut dyn Tx,
    (tenant, category): (TenantId, CategoryId),
    kind: Option<Kind>,
) -> Result<Vec<PriceBandCount>, StoreError> {
    let [kind, _] = narrowed(kind, None);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        kind,
    ];
    let mut counts = Vec::new();
    for row in tx.query(BANDS, &params)? {
        if let Some(band) = PriceBand::from_number(row.int("price_band")?) {
            counts.push(PriceBandCount {
                band,
                count: count(&row)?,
            });
        }
    }
    counts.sort_by_key(|entry| entry.band.number());
    Ok(counts)
}

/// How a narrowed list spreads over the categories right below.
pub(crate) fn children(
    tx: &mut dyn Tx,
    (tenant, category): (TenantId, CategoryId),
    kind: Option<Kind>,
    band: Option<PriceBand>,
) -> Result<Vec<CategoryCount>, StoreError> {
    let [kind, band] = narrowed(kind, band);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        kind,
        band,
    ];
    let rows = tx.query(CHILDREN, &params)?;
    let entry = |row: &Row| {
        Ok(CategoryCount {
            category: CategoryRef {
                id: row.id("category_id", CategoryId::from_bytes)?,
                path: row.text("path")?,
                name: row.text("name")?,
            },
            count: count(row)?,
        })
    };
    rows.iter().map(entry).collect()
}

/// Where a page starts: the sort keys and the id of the product before it.
#[derive(Debug, Clone)]
pub(crate) struct After {
    name_key: String,
    published_at: i64,
    product: [u8; 16],
}

impl After {
    /// Before everything, for that order.
    pub(crate) fn start(sort: Sort) -> Self {
        let edge = if sort == Sort::Newest { 0xff } else { 0 };
        Self {
            name_key: String::new(),
            published_at: i64::MAX,
            product: [edge; 16],
        }
    }
}

/// The sort keys of a product in a category; `None` when it isn't there.
pub(crate) fn after(
    tx: &mut dyn Tx,
    (tenant, category): (TenantId, CategoryId),
    product: ProductId,
) -> Result<Option<After>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("doc", super::products::doc_id(product).into()),
    ];
    let row = tx.query_one(SORT_KEYS, &params)?;
    row.map(|row| {
        Ok(After {
            name_key: row.text("name_key")?,
            published_at: row.int("published_at")?,
            product: *product.as_bytes(),
        })
    })
    .transpose()
}

/// The next `limit` listed products of a category.
pub(crate) fn page(
    tx: &mut dyn Tx,
    (tenant, category): (TenantId, CategoryId),
    listing: &Listing,
    (after, limit): (&After, i64),
) -> Result<Vec<ProductId>, StoreError> {
    let (sql, key) = match listing.sort {
        Sort::Name => (BY_NAME, ("name", after.name_key.as_str().into())),
        Sort::Newest => (BY_AGE, ("at", after.published_at.into())),
    };
    let [kind, band] = narrowed(listing.kind, listing.band);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("after", (&after.product).into()),
        ("limit", limit.into()),
        key,
        kind,
        band,
    ];
    let rows = tx.query(sql, &params)?;
    rows.iter()
        .map(|row| row.id("product_id", ProductId::from_bytes))
        .collect()
}

/// A product found by its words.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub product: ProductId,
    pub kind: Kind,
    pub band: PriceBand,
    pub category: CategoryId,
}

/// What to find where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    /// Tokens, all of which must be there.
    pub tokens: &'a str,
    /// The folded name that comes first.
    pub exact: &'a str,
    /// Only products of this category.
    pub category: CategoryId,
}

/// Listed products with all tokens: the exact name, then shorter names, then by name.
pub(crate) fn found(
    tx: &mut dyn Tx,
    tenant: TenantId,
    question: Question<'_>,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let params = [
        ("question", question.tokens.into()),
        ("tenant", tenant.as_bytes().into()),
        ("category", question.category.as_bytes().into()),
        ("exact", question.exact.into()),
        ("limit", i64::try_from(limit).unwrap_or(i64::MAX).into()),
    ];
    let mut found = Vec::new();
    for row in tx.query(FOUND, &params)? {
        let (kind, band) = (row.text("kind")?, row.int("price_band")?);
        found.push(Found {
            product: row.id("product_id", ProductId::from_bytes)?,
            kind: Kind::parse(&kind).ok_or_else(|| StoreError::shape(format!("kind {kind:?}")))?,
            band: PriceBand::from_number(band)
                .ok_or_else(|| StoreError::shape(format!("price band {band}")))?,
            category: row.id("category_id", CategoryId::from_bytes)?,
        });
    }
    Ok(found)
}

/// What a list shows of a product.
pub(crate) fn card(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Option<ProductCard>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", id.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(CARD, &params)? else {
        return Ok(None);
    };
    let prices = super::products::prices(tx, tenant, id)?;
    let kind = row.text("kind")?;
    Ok(Some(ProductCard {
        id,
        slug: row.text("slug")?,
        name: row.text("name")?,
        summary: row.text("summary")?,
        kind: Kind::parse(&kind).ok_or_else(|| StoreError::shape(format!("kind {kind:?}")))?,
        version: row.text("version")?,
        seller: (row.text("seller_slug")?, row.text("seller_name")?),
        category: CategoryRef {
            id: row.id("category_id", CategoryId::from_bytes)?,
            path: row.text("path")?,
            name: row.text("category_name")?,
        },
        price: crate::domains::catalog::model::cheapest(&prices).cloned(),
        more_prices: prices.len() > 1,
    }))
}
