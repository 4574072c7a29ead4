//! Bundles: products of one seller that are sold together, once, at one price.
//!
//! A bundle holds products, not prices: in each currency that it is sold in, each product counts with
//! its usual price that is paid once, and the bundle's price is shared among them in proportion to
//! those, by the largest remainder. A cart and a quote hold a bundle as one thing; an order holds a
//! line for each product, at its share, so that tax, fees, holds, licenses, invoices and refunds go by
//! line as for anything else.
//!
//! # Invariants
//! * A bundle holds two to twenty products of its own seller, each once, and no bundle.
//! * The shares of a bundle's price add up to it, and none is below zero.
//! * A bundle is sold in a currency while each of its products is for sale and has a price there that
//!   is paid once, fixed, and for everybody; else it is not sold, and says which product is missing.
//! * Only the seller changes a bundle: ownership is part of the WHERE clause.
//! * Lists and the search know the bundles that can be bought, and no others.
//! * A bundle costs at most what its products cost apart when its price is set.
//!
//! # Tables
//! `bundle`, `bundle_item`, `bundle_price`; what lists read: `bundle_card`, `bundle_shelf`, `bundle_word`.
//!
//! Start reading at [`model`], then [`ops`]; lists are in [`shelf`].

pub mod http;
pub mod model;
pub mod ops;
pub mod shelf;
pub mod sql;

pub use model::{
    Amount, Bundle, BundleError, BundlePrice, Draft, Gone, Offered, Part, Wrong, shares,
};
pub use ops::{
    BundleAt, Listed, OwnBundles, SaveBundle, SwitchBundle, bundle_at, listed, offer, own_bundles,
    page_size, product_page, save_bundle, switch_bundle,
};
pub use shelf::{
    Card, FIRST, SHELVE_JOB, Shelf, ShelvePayload, category_page, front_page, on_fact, on_shelf,
    reshelve, search_page, shelve_all,
};
