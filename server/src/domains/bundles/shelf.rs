//! Bundles in lists of products: on the front page, in categories, and found by words.
//!
//! Lists read rows that are written when a bundle changes, or a product within: a bundle has them while
//! it can be bought. A product's change reaches them by its fact, a moment later; the bundle's own page
//! and its checkout always look for themselves.

use super::model::{Bundle, Offered};
use super::ops::{NEWEST, offers};
use super::sql;
use super::sql::shelf::{self, Shelved, Within};
use crate::app::{Cx, ReadCx};
use crate::domains::catalog::model::{
    Listing, ListingPage, PriceBand, SearchPage, SearchQuery, Shelves,
};
use crate::domains::catalog::ops::{CatalogError, Home, home, listing, search};
use crate::domains::catalog::{self};
use crate::events::Event;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::Money;
use mintreu::id::{BundleId, ProductId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The job that puts every bundle of a tenant into the lists.
pub const SHELVE_JOB: &str = "bundles.shelve_all";
/// Bundles that a list of products begins with.
pub const FIRST: i64 = 4;
/// Bundles of one run of [`SHELVE_JOB`], and most that hold a product.
const BATCH: i64 = 100;

/// What a list shows of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The bundle.
    pub id: BundleId,
    /// Part of its address.
    pub slug: String,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// Who sells it, as the shop shows it.
    pub seller: String,
    /// What it costs, once.
    pub price: Money,
    /// Whether it can be bought in another currency too.
    pub more_prices: bool,
}

/// Which bundles a list shows beside its products, or instead of them.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// What all must be found by; those of a category when there are no words in it.
    pub words: String,
    /// The path of the category; empty for all.
    pub category: String,
    /// Only this price band.
    pub band: Option<PriceBand>,
    /// Bundles made before this one; `None` for the newest.
    pub before: Option<BundleId>,
    /// How many at most; none when 0.
    pub limit: i64,
}

/// The front page: the shelves, and the newest bundles.
pub fn front_page(cx: &mut ReadCx<'_>, query: &Home) -> Result<(Shelves, Vec<Card>), CatalogError> {
    let shelves = home(cx, query)?;
    let bundles = shelf::newest(cx.tx, cx.caller.tenant, (&NEWEST, FIRST))?;
    Ok((shelves, bundles))
}

/// A category with its bundles. Both are asked for at once, so that a page waits once.
pub fn category_page(
    cx: &mut ReadCx<'_>,
    (products, bundles): &(Listing, Shelf),
) -> Result<(ListingPage, Vec<Card>), CatalogError> {
    let page = listing(cx, products)?;
    Ok((page, stands(cx, bundles)?))
}

/// The answer to a search, with the bundles that it finds.
pub fn search_page(
    cx: &mut ReadCx<'_>,
    (products, bundles): &(SearchQuery, Shelf),
) -> Result<(SearchPage, Vec<Card>), CatalogError> {
    let page = search(cx, products)?;
    Ok((page, stands(cx, bundles)?))
}

/// What stands on a shelf, as it is sold, the newest first. A bundle that ended a moment ago, and still
/// stands there, is left out.
pub fn on_shelf(
    cx: &mut ReadCx<'_>,
    wanted: &Shelf,
) -> Result<Vec<(Bundle, Vec<Offered>)>, StoreError> {
    let tenant = cx.caller.tenant;
    let mut found = Vec::new();
    for card in stands(cx, wanted)? {
        let Some(bundle) = sql::by_id(cx.tx, tenant, card.id)? else {
            continue;
        };
        let offers = offers(cx.tx, tenant, &bundle)?;
        if offers.iter().any(Offered::is_for_sale) {
            found.push((bundle, offers));
        }
    }
    Ok(found)
}

/// The bundles of a shelf, the newest first.
fn stands(cx: &mut ReadCx<'_>, wanted: &Shelf) -> Result<Vec<Card>, StoreError> {
    let tenant = cx.caller.tenant;
    let path = wanted.category.trim_matches('/');
    let category = match wanted.limit {
        0 => None,
        _ => catalog::category_at(cx.tx, tenant, path)?,
    };
    let Some(category) = category else {
        return Ok(Vec::new());
    };
    let within: Within = (tenant, category, wanted.band.map_or(-1, PriceBand::number));
    let before = wanted.before.map_or(NEWEST, |bundle| *bundle.as_bytes());
    let page = (&before, wanted.limit);
    if wanted.words.trim().is_empty() {
        return shelf::shelved(cx.tx, within, page);
    }
    match catalog::tokens::asked(&wanted.words) {
        words if words.is_empty() => Ok(Vec::new()),
        words => shelf::found(cx.tx, (within, &words), page),
    }
}

/// Writes what lists read of a bundle, as it can be bought now.
pub(super) fn shelve(cx: &mut Cx<'_>, bundle: &Bundle) -> Result<(), StoreError> {
    let tenant = cx.caller.tenant;
    shelf::drop_all(cx.tx, tenant, bundle.id)?;
    let offered = offers(cx.tx, tenant, bundle)?;
    let mut sold = offered.iter().filter(|one| one.is_for_sale());
    let Some(first) = sold.next() else {
        return Ok(());
    };
    let mut places = Vec::new();
    for product in &bundle.products {
        places.extend(catalog::places_of(cx.tx, tenant, *product)?);
    }
    let shelved = Shelved {
        amount: first.price.amount,
        more: sold.next().is_some(),
        band: PriceBand::of_amount(first.price.amount).number(),
        places: &places,
        words: &words(bundle, first),
    };
    shelf::insert(cx.tx, (tenant, bundle.id), &shelved)
}

/// What finds a bundle: its name, its sentence, the names of its products.
fn words(bundle: &Bundle, offered: &Offered) -> Vec<String> {
    let names = offered
        .parts
        .iter()
        .map(|part| part.offer.product.name.as_str());
    let names = names.collect::<Vec<_>>().join(" ");
    let words = catalog::tokens::found_by(&bundle.name, &bundle.summary, &names);
    let words: BTreeSet<_> = words.into_iter().collect();
    words.into_iter().collect()
}

/// A subscriber of the outbox: a product that changes may end or begin the sale of what holds it.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    if !event.kind.starts_with("product.") {
        return Ok(());
    }
    let product = ProductId::parse(&event.subject).map_err(JobError::fail)?;
    Ok(reshelve(cx, product)?)
}

/// Writes what lists read of the bundles that hold a product, as they can be bought now.
pub fn reshelve(cx: &mut Cx<'_>, product: ProductId) -> Result<(), StoreError> {
    for bundle in sql::of_product(cx.tx, cx.caller.tenant, product, usize::MAX)? {
        shelve(cx, &bundle)?;
    }
    Ok(())
}

/// The payload of [`SHELVE_JOB`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ShelvePayload {
    /// Bundles made before this one: the text of its id. All of them when absent.
    pub before: Option<String>,
}

/// The job: puts what was made before there were lists of it into them, a hundred at a time.
pub fn shelve_all(cx: &mut Cx<'_>, payload: &ShelvePayload) -> Result<(), JobError> {
    let before = payload.before.as_deref().map(BundleId::parse).transpose();
    let before = before.map_err(JobError::fail)?;
    let before = before.map_or(NEWEST, |bundle| *bundle.as_bytes());
    let bundles = sql::for_sale(cx.tx, cx.caller.tenant, &before, BATCH)?;
    for bundle in &bundles {
        shelve(cx, bundle)?;
    }
    let full = i64::try_from(bundles.len()) == Ok(BATCH);
    if let Some(last) = bundles.last().filter(|_| full) {
        let next = ShelvePayload {
            before: Some(last.id.to_string()),
        };
        crate::queue::enqueue(cx, SHELVE_JOB, &next, cx.now)?;
    }
    Ok(())
}
