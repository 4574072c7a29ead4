//! Lists of products: the front page, a category, a search. The filters are the address, so a
//! list can be kept, shared and gone back to.

mod choices;

use self::choices::{Choice, Facet, categories_below, categories_found, kinds_and_bands, sorts};
use super::page::Page;
use super::parts::Crumbs;
use super::shelf::{Tile, kind_name};
use crate::domains::bundles::{Card, FIRST, Shelf};
use crate::domains::catalog::model::{
    CategoryCount, Listing, ListingPage, PriceBand, ProductCard, SearchPage, SearchQuery, Shelves,
    Sort,
};
use crate::domains::catalog::{CatalogError, Kind};
use crate::problem::Problem;
use askama::Template;
use mintreu::id::BundleId;
use serde::Deserialize;
use std::fmt::Write;

/// The front page.
#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    page: Page,
    categories: Vec<Choice>,
    shelves: Vec<Row>,
}

struct Row {
    title: String,
    address: String,
    more: String,
    tiles: Vec<Tile>,
}

/// A category or the answer to a search.
#[derive(Template)]
#[template(path = "listing.html")]
pub struct ListPage {
    page: Page,
    crumbs: Option<Crumbs>,
    heading: String,
    count: String,
    sorts: Vec<Choice>,
    facets: Vec<Facet>,
    tiles: Vec<Tile>,
    next: Option<String>,
}

/// The kind under which bundles stand in an address.
const BUNDLES: &str = "bundle";

/// What the address of a list says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Narrow {
    /// The words looked for.
    pub q: String,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this price band.
    pub price: Option<String>,
    /// Only this category, in a search.
    pub category: Option<String>,
    /// The order.
    pub sort: Option<String>,
    /// Where the page before ended.
    pub after: Option<String>,
}

impl Narrow {
    fn kind(&self) -> Option<Kind> {
        self.kind.as_deref().and_then(Kind::parse)
    }

    fn band(&self) -> Option<PriceBand> {
        self.price.as_deref().and_then(PriceBand::parse)
    }

    /// Whether it is bundles that are looked at, and no products.
    pub fn is_of_bundles(&self) -> bool {
        self.kind.as_deref() == Some(BUNDLES)
    }

    /// Which bundles a list shows: those of its own, the first of them before its products, or none where
    /// products are looked for by kind, in another order, or further on.
    pub fn shelf(&self, path: &str) -> Result<Shelf, Problem> {
        let unknown = |_| Problem::from(CatalogError::CursorUnknown);
        let own = self.is_of_bundles();
        let before = self.after.as_deref().filter(|_| own).map(BundleId::parse);
        let first = self.kind.is_none() && self.sort.is_none() && self.after.is_none();
        Ok(Shelf {
            words: self.q.clone(),
            category: path.to_owned(),
            band: self.band(),
            before: before.transpose().map_err(unknown)?,
            limit: match (own, first) {
                (true, _) => i64::from(Listing::PAGE),
                (false, true) => FIRST,
                (false, false) => 0,
            },
        })
    }

    /// Where a list of products goes on; one of bundles shows none.
    fn cursor(&self) -> Option<String> {
        self.after.clone().filter(|_| !self.is_of_bundles())
    }

    /// What to ask the catalog for the category at `path`; filters it doesn't know are no filters.
    pub fn listing(&self, path: &str) -> Listing {
        Listing {
            category: path.to_owned(),
            kind: self.kind(),
            band: self.band(),
            sort: self
                .sort
                .as_deref()
                .and_then(Sort::parse)
                .unwrap_or(Sort::Newest),
            cursor: self.cursor(),
            limit: Listing::PAGE,
        }
    }

    /// What to search for.
    pub fn search(&self, language: &str) -> SearchQuery {
        SearchQuery {
            text: self.q.clone(),
            language: language.to_owned(),
            category: self.category.clone().unwrap_or_default(),
            kind: self.kind(),
            band: self.band(),
            cursor: self.cursor(),
            limit: Listing::PAGE,
        }
    }

    /// Whether the list is as its plain address shows it.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The address of `base` with these filters.
    fn address(&self, base: &str) -> String {
        let parts = [
            ("q", Some(self.q.as_str()).filter(|text| !text.is_empty())),
            ("category", self.category.as_deref()),
            ("kind", self.kind.as_deref()),
            ("price", self.price.as_deref()),
            ("sort", self.sort.as_deref()),
            ("after", self.after.as_deref()),
        ];
        let mut address = base.to_owned();
        let mut mark = '?';
        for (name, value) in parts {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = write!(address, "{mark}{name}={}", encoded(value));
                mark = '&';
            }
        }
        address
    }

    /// As it is, changed, from the first page.
    fn but(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut changed = Self {
            after: None,
            ..self.clone()
        };
        change(&mut changed);
        changed
    }
}

/// Percent-encodes all but unreserved characters (RFC 3986, section 2.3).
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// The address of a category.
pub fn category_address(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(encoded).collect();
    format!("/c/{}", parts.join("/"))
}

impl HomePage {
    /// The front page of a shop with these shelves.
    pub fn new(page: Page, (shelves, bundles): &(Shelves, Vec<Card>)) -> Self {
        let shown = |category: &CategoryCount| Choice {
            name: category.category.name.clone(),
            count: page.format.number(category.count),
            address: category_address(&category.category.path),
            chosen: false,
        };
        let mut rows = Vec::new();
        if !shelves.newest.is_empty() {
            rows.push(Row {
                title: page.say("shelf-newest"),
                address: "/search?sort=newest".to_owned(),
                more: page.say_one("shelf-all", "count", number(shelves.total)),
                tiles: Tile::all(&page, &shelves.newest),
            });
        }
        if !bundles.is_empty() {
            rows.push(Row {
                title: page.say("bundles-title"),
                address: format!("/search?kind={BUNDLES}"),
                more: page.say("shelf-more"),
                tiles: bundle_tiles(&page, bundles),
            });
        }
        rows.extend(shelves.kinds.iter().map(|(kind, cards)| Row {
            title: kind_name(&page, *kind),
            address: format!("/search?kind={}", kind.name()),
            more: page.say("shelf-more"),
            tiles: Tile::all(&page, cards),
        }));
        Self {
            categories: shelves.categories.iter().map(shown).collect(),
            shelves: rows,
            page,
        }
    }
}

fn bundle_tiles(page: &Page, cards: &[Card]) -> Vec<Tile> {
    let tile = |card| Tile::of_bundle(page, card);
    cards.iter().map(tile).collect()
}

/// What a list shows: its bundles and its products, or bundles alone; and where it goes on.
fn contents(
    page: &Page,
    (cards, bundles, next): (&[ProductCard], &[Card], Option<&String>),
    (narrow, base): (&Narrow, &str),
) -> (Vec<Tile>, Option<String>) {
    let mut tiles = bundle_tiles(page, bundles);
    if narrow.is_of_bundles() {
        let full = bundles.len() == Listing::PAGE as usize;
        let last = bundles.last().filter(|_| full);
        let last = last.map(|card| card.id.to_string());
        return (tiles, self::next(last.as_ref(), narrow, base));
    }
    tiles.extend(Tile::all(page, cards));
    (tiles, self::next(next, narrow, base))
}

/// A count as Fluent takes it for plurals.
fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl ListPage {
    /// A category.
    pub fn category(
        page: Page,
        (found, bundles): &(ListingPage, Vec<Card>),
        narrow: &Narrow,
    ) -> Self {
        let base = category_address(&found.view.category.path);
        let mut steps = vec![(page.say("home"), "/".to_owned())];
        let above = found.view.ancestors.iter();
        steps.extend(above.map(|above| (above.name.clone(), category_address(&above.path))));
        let mut facets = Vec::new();
        facets.extend(categories_below(&page, &found.facets.categories, narrow));
        facets.extend(kinds_and_bands(
            &page,
            (&found.facets, bundles),
            narrow,
            &base,
        ));
        let items = (
            found.items.as_slice(),
            bundles.as_slice(),
            found.next.as_ref(),
        );
        let (tiles, next) = contents(&page, items, (narrow, &base));
        Self {
            crumbs: Some(page.crumbs(steps, &found.view.category.name)),
            heading: found.view.category.name.clone(),
            count: count(&page, narrow, found.total),
            sorts: sorts(&page, narrow, &base),
            facets,
            tiles,
            next,
            page,
        }
    }

    /// The answer to a search.
    pub fn search(page: Page, (found, bundles): &(SearchPage, Vec<Card>), narrow: &Narrow) -> Self {
        let base = "/search";
        let count = match found.total_is_floor && !narrow.is_of_bundles() {
            true => page.say_one("count-results-more", "count", number(found.total)),
            false => count(&page, narrow, found.total),
        };
        let heading = match narrow.q.trim() {
            "" => page.say("search-everything"),
            words => page.say_one("search-for", "words", words),
        };
        let mut facets = kinds_and_bands(&page, (&found.facets, bundles), narrow, base);
        facets.extend(categories_found(&page, &found.facets.categories, narrow));
        let items = (
            found.items.as_slice(),
            bundles.as_slice(),
            found.next.as_ref(),
        );
        let (tiles, next) = contents(&page, items, (narrow, base));
        Self {
            crumbs: None,
            heading,
            count,
            sorts: Vec::new(),
            facets,
            tiles,
            next,
            page,
        }
    }

    /// Everything, which is the root category under the search's address.
    pub fn everything(
        page: Page,
        (found, bundles): &(ListingPage, Vec<Card>),
        narrow: &Narrow,
    ) -> Self {
        let base = "/search";
        let mut facets = kinds_and_bands(&page, (&found.facets, bundles), narrow, base);
        facets.extend(categories_below(&page, &found.facets.categories, narrow));
        let items = (
            found.items.as_slice(),
            bundles.as_slice(),
            found.next.as_ref(),
        );
        let (tiles, next) = contents(&page, items, (narrow, base));
        Self {
            crumbs: None,
            heading: page.say(match narrow.is_of_bundles() {
                true => "bundles-title",
                false => "search-everything",
            }),
            count: count(&page, narrow, found.total),
            sorts: sorts(&page, narrow, base),
            facets,
            tiles,
            next,
            page,
        }
    }
}

/// How many products there are; bundles aren't counted.
fn count(page: &Page, narrow: &Narrow, total: u64) -> String {
    match narrow.is_of_bundles() {
        true => page.say("bundles-lead"),
        false => page.say_one("count-results", "count", number(total)),
    }
}

fn next(cursor: Option<&String>, narrow: &Narrow, base: &str) -> Option<String> {
    let cursor = cursor?.clone();
    Some(
        narrow
            .but(|narrow| narrow.after = Some(cursor))
            .address(base),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_the_filters_and_can_not_be_broken_out_of() {
        let narrow = Narrow {
            q: "a&b=\"<é".to_owned(),
            kind: Some("api".to_owned()),
            after: Some("prd_1".to_owned()),
            ..Narrow::default()
        };
        assert_eq!(
            narrow.address("/search"),
            "/search?q=a%26b%3D%22%3C%C3%A9&kind=api&after=prd_1"
        );
        let other = narrow.but(|narrow| narrow.kind = None);
        assert_eq!(other.address("/search"), "/search?q=a%26b%3D%22%3C%C3%A9");
        assert_eq!(category_address("design/<b>"), "/c/design/%3Cb%3E");
    }

    #[test]
    fn unknown_filters_are_no_filters() {
        let narrow = Narrow {
            kind: Some("spaceship".to_owned()),
            price: Some("?".to_owned()),
            sort: Some("random".to_owned()),
            ..Narrow::default()
        };
        let listing = narrow.listing("design");
        assert_eq!(
            (listing.kind, listing.band, listing.sort),
            (None, None, Sort::Newest)
        );
    }
}
