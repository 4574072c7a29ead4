//! Pages of products: what is asked and what is answered.

use super::product::{CategoryRef, Kind, Price, PriceModel, Product, named};
use mintreu::id::ProductId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

named!(
    /// The order of a page.
    Sort {
        /// Newest first.
        Newest = "newest",
        /// By name, accents and case folded.
        Name = "name",
    }
);

named!(
    /// Where the cheapest price lies, in whole units of its own currency (no exchange).
    PriceBand {
        /// Costs nothing.
        Free = "free",
        /// Nothing now, usage is billed.
        Metered = "metered",
        /// Below 10.
        Under10 = "under_10",
        /// 10 and more, below 50.
        Under50 = "under_50",
        /// 50 and more, below 200.
        Under200 = "under_200",
        /// 200 and more.
        From200 = "from_200",
    }
);

impl PriceBand {
    /// The band of the cheapest of `prices`; what has no price yet counts as free.
    pub fn of(prices: &[Price]) -> Self {
        let Some(cheapest) = cheapest(prices) else {
            return Self::Free;
        };
        match cheapest.model {
            PriceModel::Free => return Self::Free,
            PriceModel::Metered => return Self::Metered,
            PriceModel::OneTime | PriceModel::Recurring => {}
        }
        Self::of_amount(cheapest.amount)
    }

    /// The band of what is paid.
    pub fn of_amount(amount: mintreu::Money) -> Self {
        let unit = 10_i64.pow(u32::from(amount.currency().exponent()));
        match amount.minor() / unit {
            ..10 => Self::Under10,
            10..50 => Self::Under50,
            50..200 => Self::Under200,
            200.. => Self::From200,
        }
    }

    /// As stored; never renumbered.
    pub const fn number(self) -> i64 {
        match self {
            Self::Free => 0,
            Self::Metered => 1,
            Self::Under10 => 2,
            Self::Under50 => 3,
            Self::Under200 => 4,
            Self::From200 => 5,
        }
    }

    /// Reads what is stored.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|band| band.number() == number)
    }
}

/// The price a card shows: free, else metered, else the smallest amount in minor units.
pub(crate) fn cheapest(prices: &[Price]) -> Option<&Price> {
    prices.iter().min_by_key(|price| {
        let rank = match price.model {
            PriceModel::Free => 0,
            PriceModel::Metered => 1,
            PriceModel::OneTime | PriceModel::Recurring => 2,
        };
        (rank, price.amount.minor())
    })
}

/// A product in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductCard {
    /// The product.
    pub id: ProductId,
    /// Part of its address.
    pub slug: String,
    /// The name people see.
    pub name: String,
    /// One sentence.
    pub summary: String,
    /// What kind it is.
    pub kind: Kind,
    /// The current version, possibly empty.
    pub version: String,
    /// The seller's slug and name.
    pub seller: (String, String),
    /// Its first category.
    pub category: CategoryRef,
    /// What the card shows as "from"; `None` when it has no price yet.
    pub price: Option<Price>,
    /// Whether there is more than one price.
    pub more_prices: bool,
}

impl From<&Product> for ProductCard {
    fn from(product: &Product) -> Self {
        let root = || CategoryRef {
            id: mintreu::id::CategoryId::from_bytes([0; 16]),
            path: String::new(),
            name: String::new(),
        };
        Self {
            id: product.id,
            slug: product.slug.clone(),
            name: product.name.clone(),
            summary: product.summary.clone(),
            kind: product.kind,
            version: product.version.clone(),
            seller: (product.seller.slug.clone(), product.seller.name.clone()),
            category: product.categories.first().cloned().unwrap_or_else(root),
            price: cheapest(&product.prices).cloned(),
            more_prices: product.prices.len() > 1,
        }
    }
}

/// What to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// A category's path; empty for everything.
    pub category: String,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this price band.
    pub band: Option<PriceBand>,
    /// The order.
    pub sort: Sort,
    /// Where the page before ended, as it said; `None` for the first page.
    pub cursor: Option<String>,
    /// Products a page: 1 to [`Listing::MAX_PAGE`].
    pub limit: u32,
}

impl Listing {
    /// Most products in one page.
    pub const MAX_PAGE: u32 = 100;
    /// Products in a page when nothing is said.
    pub const PAGE: u32 = 24;
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            category: String::new(),
            kind: None,
            band: None,
            sort: Sort::Newest,
            cursor: None,
            limit: Self::PAGE,
        }
    }
}

/// A category, how many products it holds, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryCount {
    /// The category.
    pub category: CategoryRef,
    /// Products in it and below it.
    pub count: u64,
}

/// How many products are of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindCount {
    /// The kind.
    pub kind: Kind,
    /// Products of it.
    pub count: u64,
}

/// How many products are in a price band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceBandCount {
    /// The band.
    pub band: PriceBand,
    /// Products in it.
    pub count: u64,
}

/// Ways to narrow a list, each with what it would leave; a facet ignores its own choice, so that
/// another value of it can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facets {
    /// By kind.
    pub kinds: Vec<KindCount>,
    /// By price.
    pub bands: Vec<PriceBandCount>,
    /// By category: those below a listed category; for a search, those of the products found.
    pub categories: Vec<CategoryCount>,
}

/// A category with its way up and what is right below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryView {
    /// The category itself.
    pub category: CategoryRef,
    /// From the top down to, not with, the category; without the root.
    pub ancestors: Vec<CategoryRef>,
    /// Right below it, by name.
    pub children: Vec<CategoryCount>,
    /// Products in it and below it.
    pub count: u64,
}

/// A page of a category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingPage {
    /// Which category.
    pub view: CategoryView,
    /// In the order asked for.
    pub items: Vec<ProductCard>,
    /// Ways to narrow it.
    pub facets: Facets,
    /// How many products match in all.
    pub total: u64,
    /// What to pass as the cursor for the next page.
    pub next: Option<String>,
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// As typed; at most [`SearchQuery::MAX_TEXT`] characters count.
    pub text: String,
    /// The language it is typed in (ISO 639-1), for its word stems.
    pub language: String,
    /// Only in this category; empty for everything.
    pub category: String,
    /// Only this kind.
    pub kind: Option<Kind>,
    /// Only this price band.
    pub band: Option<PriceBand>,
    /// Where the page before ended, as it said.
    pub cursor: Option<String>,
    /// Products a page: 1 to [`Listing::MAX_PAGE`].
    pub limit: u32,
}

impl SearchQuery {
    /// Longest text looked at, in characters.
    pub const MAX_TEXT: usize = 200;
    /// Most products ranked and counted for one search.
    pub const MAX_RANKED: usize = 1000;
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self {
            text: String::new(),
            language: "en".to_owned(),
            category: String::new(),
            kind: None,
            band: None,
            cursor: None,
            limit: Listing::PAGE,
        }
    }
}

/// A page of what was found, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPage {
    /// Best first: the exact name, then by where the words stand (name, summary, description).
    pub items: Vec<ProductCard>,
    /// Ways to narrow it.
    pub facets: Facets,
    /// How many were found, counted up to [`SearchQuery::MAX_RANKED`].
    pub total: u64,
    /// Whether there are more than were counted.
    pub total_is_floor: bool,
    /// What to pass as the cursor for the next page.
    pub next: Option<String>,
}

/// What the front page shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shelves {
    /// Top categories by name.
    pub categories: Vec<CategoryCount>,
    /// Newest products.
    pub newest: Vec<ProductCard>,
    /// The newest of each kind, for kinds that have any.
    pub kinds: Vec<(Kind, Vec<ProductCard>)>,
    /// Products for sale in all.
    pub total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::Bounds;
    use mintreu::id::PriceId;
    use mintreu::{Currency, Money};

    fn price(model: PriceModel, amount: Money) -> Price {
        Price {
            id: PriceId::from_bytes([0; 16]),
            model,
            period: None,
            amount,
            bounds: Bounds::default(),
            plan: PriceId::from_bytes([0; 16]),
            regional: false,
            terms: None,
            trial: None,
        }
    }

    #[test]
    fn a_band_is_of_the_cheapest_price_in_whole_units() {
        let euro = |minor| price(PriceModel::OneTime, Money::new(minor, Currency::EUR));
        for (minor, band) in [
            (999, PriceBand::Under10),
            (1000, PriceBand::Under50),
            (4999, PriceBand::Under50),
            (5000, PriceBand::Under200),
            (20_000, PriceBand::From200),
        ] {
            assert_eq!(PriceBand::of(&[euro(90_000), euro(minor)]), band, "{minor}");
        }
        let yen = price(PriceModel::OneTime, Money::new(999, Currency::JPY));
        assert_eq!(PriceBand::of(&[yen]), PriceBand::From200);
        let free = price(PriceModel::Free, Money::zero(Currency::EUR));
        assert_eq!(PriceBand::of(&[euro(100), free]), PriceBand::Free);
        let metered = price(PriceModel::Metered, Money::zero(Currency::EUR));
        assert_eq!(PriceBand::of(&[euro(100), metered]), PriceBand::Metered);
    }

    #[test]
    fn bands_read_back_from_their_numbers() {
        for band in PriceBand::ALL {
            assert_eq!(PriceBand::from_number(band.number()), Some(*band));
        }
        assert_eq!(PriceBand::from_number(6), None);
    }
}
