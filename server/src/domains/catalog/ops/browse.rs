//! What visitors look at.

use super::CatalogError;
use crate::app::ReadCx;
use crate::domains::catalog::model::{
    CategoryCount, CategoryRef, CategoryView, Facets, Kind, KindCount, Listing, ListingPage,
    PriceBand, Product, ProductCard, Shelves, Sort, State,
};
use crate::domains::catalog::sql::{categories, counts, listing as sql, products};
use crate::store::StoreError;
use mintreu::id::{CategoryId, ProductId};

/// Products on a shelf of the front page.
const SHELF: u32 = 8;

/// The published product at a slug.
#[derive(Debug, Clone)]
pub struct ProductAt {
    /// Part of its address.
    pub slug: String,
}

/// See [`ProductAt`]. A product that isn't published is there for its own seller only.
pub fn product_at(cx: &mut ReadCx<'_>, query: &ProductAt) -> Result<Product, CatalogError> {
    let product = products::by_slug(cx.tx, cx.caller.tenant, &query.slug)?;
    let shown = product
        .filter(|product| product.is_sold() || Some(product.seller.account) == cx.caller.account);
    shown.ok_or(CatalogError::NotFound("product"))
}

/// As [`product_at`], for links that led to buying it: what was for sale and isn't any more is gone,
/// which is said.
pub fn offered_at(cx: &mut ReadCx<'_>, query: &ProductAt) -> Result<Product, CatalogError> {
    let product = products::by_slug(cx.tx, cx.caller.tenant, &query.slug)?;
    let was_sold = product
        .is_some_and(|product| product.state == State::Archived && product.published_at.is_some());
    match was_sold {
        true => Err(CatalogError::Gone),
        false => product_at(cx, query),
    }
}

/// One of the caller's products, in any state.
#[derive(Debug, Clone, Copy)]
pub struct OwnProduct {
    /// The product.
    pub product: ProductId,
}

/// See [`OwnProduct`].
pub fn own_product(cx: &mut ReadCx<'_>, query: &OwnProduct) -> Result<Product, CatalogError> {
    let product = products::by_id(cx.tx, cx.caller.tenant, query.product)?;
    let own = product.filter(|product| Some(product.seller.account) == cx.caller.account);
    own.ok_or(CatalogError::NotFound("product"))
}

/// The caller's products, newest first, in any state.
#[derive(Debug, Clone, Copy)]
pub struct SellerProducts;

/// See [`SellerProducts`].
pub fn seller_products(
    cx: &mut ReadCx<'_>,
    _query: &SellerProducts,
) -> Result<Vec<Product>, CatalogError> {
    let Some(account) = cx.caller.account else {
        return Ok(Vec::new());
    };
    Ok(products::of_seller(cx.tx, cx.caller.tenant, account)?)
}

/// The whole tree, or one category with what is below it.
#[derive(Debug, Clone, Default)]
pub struct Categories;

/// See [`Categories`]: every category by path, with its count.
pub fn categories(
    cx: &mut ReadCx<'_>,
    _query: &Categories,
) -> Result<Vec<CategoryCount>, CatalogError> {
    Ok(categories::all(cx.tx, cx.caller.tenant)?)
}

/// What stands for the root of a shop that has no category yet.
fn no_root() -> CategoryCount {
    CategoryCount {
        category: CategoryRef {
            id: CategoryId::from_bytes([0; 16]),
            path: String::new(),
            name: String::new(),
        },
        count: 0,
    }
}

/// The category at a path; the root is always there.
pub(super) fn category_at(cx: &mut ReadCx<'_>, path: &str) -> Result<CategoryCount, CatalogError> {
    let path = path.trim_matches('/');
    match categories::by_path(cx.tx, cx.caller.tenant, path)? {
        Some(found) => Ok(found),
        None if path.is_empty() => Ok(no_root()),
        None => Err(CatalogError::NotFound("category")),
    }
}

fn view(cx: &mut ReadCx<'_>, found: CategoryCount) -> Result<CategoryView, CatalogError> {
    let tenant = cx.caller.tenant;
    let mut ancestors = Vec::new();
    let path = found.category.path.clone();
    for (end, _) in path.match_indices('/') {
        let above = categories::by_path(cx.tx, tenant, &path[..end])?;
        ancestors.extend(above.map(|above| above.category));
    }
    Ok(CategoryView {
        children: categories::children(cx.tx, tenant, found.category.id)?,
        ancestors,
        count: found.count,
        category: found.category,
    })
}

pub(super) fn cards(
    cx: &mut ReadCx<'_>,
    ids: &[ProductId],
) -> Result<Vec<ProductCard>, StoreError> {
    sql::cards(cx.tx, cx.caller.tenant, ids)
}

/// A page of a category with its facets.
pub fn listing(cx: &mut ReadCx<'_>, query: &Listing) -> Result<ListingPage, CatalogError> {
    let found = category_at(cx, &query.category)?;
    let place = (cx.caller.tenant, found.category.id);
    let limit = i64::from(query.limit.clamp(1, Listing::MAX_PAGE));
    let after = match &query.cursor {
        None => sql::After::start(query.sort),
        Some(cursor) => {
            let product = ProductId::parse(cursor).map_err(|_| CatalogError::CursorUnknown)?;
            sql::after(cx.tx, place, product)?.ok_or(CatalogError::CursorUnknown)?
        }
    };
    let mut ids = sql::page(cx.tx, place, query, (&after, limit + 1))?;
    let more = ids.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let facets = facets(cx, place.1, (query.kind, query.band))?;
    Ok(ListingPage {
        items: cards(cx, &ids)?,
        total: total(&facets, query),
        next: ids.last().filter(|_| more).map(ToString::to_string),
        facets,
        view: view(cx, found)?,
    })
}

/// Each facet ignores its own choice, so either of them gives the total.
fn total(facets: &Facets, query: &Listing) -> u64 {
    let kinds = facets.kinds.iter();
    let chosen = kinds.filter(|entry| query.kind.is_none_or(|kind| kind == entry.kind));
    chosen.map(|entry| entry.count).sum()
}

fn facets(
    cx: &mut ReadCx<'_>,
    category: CategoryId,
    (kind, band): (Option<Kind>, Option<PriceBand>),
) -> Result<Facets, StoreError> {
    let place = (cx.caller.tenant, category);
    let categories = match (kind, band) {
        (None, None) => categories::children(cx.tx, place.0, category)?,
        _ => counts::children(cx.tx, place, kind, band)?,
    };
    Ok(Facets {
        kinds: counts::kinds(cx.tx, place, band)?,
        bands: counts::bands(cx.tx, place, kind)?,
        categories,
    })
}

/// The front page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Home;

/// See [`Home`].
pub fn home(cx: &mut ReadCx<'_>, _query: &Home) -> Result<Shelves, CatalogError> {
    let root = category_at(cx, "")?;
    let place = (cx.caller.tenant, root.category.id);
    let start = sql::After::start(Sort::Newest);
    let newest = Listing::default();
    let ids = sql::page(cx.tx, place, &newest, (&start, i64::from(SHELF)))?;
    let mut shelves = Shelves {
        categories: categories::children(cx.tx, place.0, place.1)?,
        newest: cards(cx, &ids)?,
        kinds: Vec::new(),
        total: root.count,
    };
    for KindCount { kind, .. } in counts::kinds(cx.tx, place, None)? {
        let of_kind = Listing {
            kind: Some(kind),
            ..Listing::default()
        };
        let ids = sql::page(cx.tx, place, &of_kind, (&start, i64::from(SHELF)))?;
        shelves.kinds.push((kind, cards(cx, &ids)?));
    }
    Ok(shelves)
}
