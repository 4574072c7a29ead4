//! What a shop sells, as types: products, what a license to them grants, prices and meters.

mod cycle;
mod draft;
mod listing;
mod prices;
mod product;
pub mod regions;
mod terms;

pub use cycle::{Cycle, Unit, days_between, end_of_day, zone_named};
pub(super) use draft::is_slug;
pub use draft::{
    CheckedDraft, CheckedPrice, FieldError, MeterDraft, PriceDraft, ProductDraft, check, draft_of,
    slug_of,
};
pub(super) use listing::cheapest;
pub use listing::{
    CategoryCount, CategoryView, Facets, KindCount, Listing, ListingPage, PriceBand,
    PriceBandCount, ProductCard, SearchPage, SearchQuery, Shelves, Sort,
};
pub use prices::{
    GRACES, MAX_TRIAL_DAYS, PAYMENTS, PriceBook, USUAL_GRACE, Version, check_among, check_price,
};
pub use product::{
    Aggregation, Bounds, CategoryRef, Entitlement, EntitlementValue, Floating, Freshness, Kind,
    LicenseTerms, Matching, Meter, Offer, Place, Price, PriceModel, Product, Quota, QuotaRollover,
    Renewing, Seller, StaleAction, Standing, State, Trial, Window,
};
