//! Placements of products in categories, pages of them and the search.

use super::counts::{Shelved, band_of, kind_of};
use super::insert_rows;
use crate::domains::catalog::model::{
    CategoryRef, Kind, Listing, Price, PriceBand, ProductCard, Sort,
};
use crate::store::rows::{self, CHUNK};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{CategoryId, ProductId, TenantId};
use std::collections::HashMap;

const INSERT: &str = "INSERT INTO placement (tenant_id, category_id, doc_id, product_id, chosen,
    listed, kind, price_band, name_key, published_at)";

const OF_PRODUCT: &str = "SELECT category_id, kind, price_band FROM placement
    WHERE tenant_id = :tenant AND product_id = :product AND listed = 1";

const DROP: &str = "DELETE FROM placement WHERE tenant_id = :tenant AND product_id = :product";

const BY_NAME: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (name_key, product_id) > (:name, :after)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY name_key, product_id LIMIT :limit";

const OF_KIND_BY_NAME: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1 AND kind = :kind
    AND (name_key, product_id) > (:name, :after)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY name_key, product_id LIMIT :limit";

const BY_AGE: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1
    AND (published_at, product_id) < (:at, :after)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY published_at DESC, product_id DESC LIMIT :limit";

const OF_KIND_BY_AGE: &str = "SELECT product_id FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND listed = 1 AND kind = :kind
    AND (published_at, product_id) < (:at, :after)
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    ORDER BY published_at DESC, product_id DESC LIMIT :limit";

const SORT_KEYS: &str = "SELECT name_key, published_at FROM placement
    WHERE tenant_id = :tenant AND category_id = :category AND doc_id = :doc";

const FOUND: &str = "SELECT s.product_id, s.kind, s.price_band, s.category_id
    FROM product_words(CAST(:question AS TEXT)) w JOIN search_row s ON s.doc_id = w.rowid
    WHERE s.tenant_id = :tenant
    ORDER BY CASE WHEN s.name_key = :exact THEN 0 ELSE 1 END,
    LENGTH(s.name_key), s.name_key, s.product_id LIMIT :limit";

const FOUND_WITHIN: &str = "SELECT s.product_id, s.kind, s.price_band, s.category_id
    FROM product_words(CAST(:question AS TEXT)) w JOIN search_row s ON s.doc_id = w.rowid
    JOIN placement l ON l.tenant_id = s.tenant_id AND l.category_id = :category
    AND l.doc_id = s.doc_id
    WHERE s.tenant_id = :tenant
    ORDER BY CASE WHEN s.name_key = :exact THEN 0 ELSE 1 END,
    LENGTH(s.name_key), s.name_key, s.product_id LIMIT :limit";

const DROP_FOUND: &str = "DELETE FROM search_row WHERE doc_id = :doc";

const INSERT_FOUND: &str = "INSERT INTO search_row
    (doc_id, tenant_id, product_id, category_id, kind, price_band, name_key)";

const CARDS: &str = "SELECT p.product_id, p.slug, p.name, p.summary, p.kind, p.version,
    s.slug AS seller_slug, s.name AS seller_name,
    c.category_id, c.path, c.name AS category_name
    FROM product p JOIN seller s ON s.account_id = p.seller_id
    JOIN category c ON c.category_id = p.category_id
    WHERE p.tenant_id = :tenant AND p.product_id IN (:product) AND s.standing = 'active'";

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

impl Placement {
    /// What it is counted under.
    pub(crate) const fn shelved(&self) -> Shelved {
        Shelved {
            category: self.category,
            kind: self.kind,
            band: self.band,
        }
    }
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

/// Takes a product out of all its categories; answers where it was listed.
pub(crate) fn take_out(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Vec<Shelved>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let rows = tx.query(OF_PRODUCT, &params)?;
    tx.execute(DROP, &params)?;
    rows.iter().map(Shelved::from_row).collect()
}

/// The categories in which a product is listed.
pub(crate) fn places_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Vec<CategoryId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let rows = tx.query(OF_PRODUCT, &params)?;
    let category = |row: &Row| row.id("category_id", CategoryId::from_bytes);
    rows.iter().map(category).collect()
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
    let key = match listing.sort {
        Sort::Name => ("name", after.name_key.as_str().into()),
        Sort::Newest => ("at", after.published_at.into()),
    };
    let mut params = vec![
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("after", (&after.product).into()),
        ("limit", limit.into()),
        ("band", listing.band.map_or(-1, PriceBand::number).into()),
        key,
    ];
    params.extend(listing.kind.map(|kind| ("kind", kind.name().into())));
    let sql = match (listing.sort, listing.kind) {
        (Sort::Name, None) => BY_NAME,
        (Sort::Name, Some(_)) => OF_KIND_BY_NAME,
        (Sort::Newest, None) => BY_AGE,
        (Sort::Newest, Some(_)) => OF_KIND_BY_AGE,
    };
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
    /// Only products of this category; of all without one.
    pub category: Option<CategoryId>,
}

/// Listed products with all tokens: the exact name, then shorter names, then by name.
pub(crate) fn found(
    tx: &mut dyn Tx,
    tenant: TenantId,
    question: Question<'_>,
    limit: usize,
) -> Result<Vec<Found>, StoreError> {
    let mut params = vec![
        ("question", question.tokens.into()),
        ("tenant", tenant.as_bytes().into()),
        ("exact", question.exact.into()),
        ("limit", i64::try_from(limit).unwrap_or(i64::MAX).into()),
    ];
    let within = question.category.as_ref().map(CategoryId::as_bytes);
    params.extend(within.map(|category| ("category", category.into())));
    let sql = if within.is_some() {
        FOUND_WITHIN
    } else {
        FOUND
    };
    let rows = tx.query(sql, &params)?;
    let entry = |row: &Row| {
        Ok(Found {
            product: row.id("product_id", ProductId::from_bytes)?,
            kind: kind_of(row)?,
            band: band_of(row)?,
            category: row.id("category_id", CategoryId::from_bytes)?,
        })
    };
    rows.iter().map(entry).collect()
}

/// Lets the search know products whose words are in the index, each by the first of its places.
pub(crate) fn insert_found(
    tx: &mut dyn Tx,
    tenant: TenantId,
    placements: &[Placement],
) -> Result<(), StoreError> {
    let first = placements
        .iter()
        .filter(|place| place.chosen == 1 && place.listed);
    let row = |placement: &Placement| {
        [
            super::products::doc_id(placement.product).into(),
            tenant.as_bytes().into(),
            placement.product.as_bytes().into(),
            placement.category.as_bytes().into(),
            placement.kind.name().into(),
            placement.band.number().into(),
            placement.name_key.as_str().into(),
        ]
    };
    insert_rows(tx, INSERT_FOUND, first.map(row).collect())
}

/// Lets the search forget a product.
pub(crate) fn drop_found(tx: &mut dyn Tx, product: ProductId) -> Result<(), StoreError> {
    let doc = super::products::doc_id(product);
    tx.execute(DROP_FOUND, &[("doc", doc.into())]).map(drop)
}

/// What a list shows of products, in the order of `ids`.
pub(crate) fn cards(
    tx: &mut dyn Tx,
    tenant: TenantId,
    ids: &[ProductId],
) -> Result<Vec<ProductCard>, StoreError> {
    let mut prices = super::products::prices_of(tx, tenant, ids)?;
    let mut cards: HashMap<ProductId, ProductCard> = HashMap::with_capacity(ids.len());
    let shared = [("tenant", tenant.as_bytes().into())];
    for chunk in ids.chunks(CHUNK) {
        let among = chunk.iter().map(|id| id.as_bytes().into());
        for row in rows::any_of(tx, CARDS, &shared, among)? {
            let id = row.id("product_id", ProductId::from_bytes)?;
            cards.insert(id, card(&row, &prices.remove(&id).unwrap_or_default())?);
        }
    }
    Ok(ids.iter().filter_map(|id| cards.remove(id)).collect())
}

fn card(row: &Row, prices: &[Price]) -> Result<ProductCard, StoreError> {
    Ok(ProductCard {
        id: row.id("product_id", ProductId::from_bytes)?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        summary: row.text("summary")?,
        kind: kind_of(row)?,
        version: row.text("version")?,
        seller: (row.text("seller_slug")?, row.text("seller_name")?),
        category: CategoryRef {
            id: row.id("category_id", CategoryId::from_bytes)?,
            path: row.text("path")?,
            name: row.text("category_name")?,
        },
        price: crate::domains::catalog::model::cheapest(prices).cloned(),
        more_prices: prices.len() > 1,
    })
}
