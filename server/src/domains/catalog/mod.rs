//! The catalog: who sells what, where it stands in the tree of categories, and how it is found.
//!
//! A seller writes a product as a draft; [`model::check`] names every mistake at its field. A
//! published product is placed in the categories its seller chose and in every category above
//! them, the root included, so that "everything" is a category like any other. A placement
//! repeats what lists and facets read, and the product's words go to the index that both engines
//! have under one name (`product_words`), as finished tokens of [`tokens`].
//!
//! Invariants
//! * Slug and code are unique in the tenant. The code is the audience of licenses.
//! * A price is never changed: another price takes its place and the old one is archived, so that
//!   an order's price stays what the buyer saw.
//! * A plan is a price with its versions, and with those that stand in for it in some countries. One
//!   usual version is for sale at a time, and one for each country or group that is named.
//! * A meter keeps its id for as long as the product keeps a meter of its name.
//! * `category.product_count` is the number of listed placements in it, in every commit, and
//!   `placement_count` is that number by kind and price band.
//! * A product is in the word index, and in `search_row`, exactly when it is published.
//! * A product is for sale while it is published and its seller's standing is `active`.
//! * Only the seller changes a product: ownership is part of the WHERE clause.
//! * An import can be killed at any point and run again: its cursor moves in the commit of the
//!   rows before it, and a row's origin names its product.
//!
//! Tables: `seller`, `category`, `product`, `price`, `meter`, `placement`, `placement_count`,
//! `product_words`, `search_row`, `import_run`, `import_item`, `import_refusal`.
//!
//! Start with [`ops`]; the search is in `ops/search.rs`, the import in [`import`].

pub mod http;
pub mod import;
pub mod model;
pub mod ops;
mod sql;
pub mod tokens;

use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, CategoryId, PriceId, ProductId, TenantId};

pub use model::{
    Bounds, Cycle, Kind, Meter, Offer, Place, Price, PriceModel, Product, Seller, Standing, State,
};
pub use ops::CatalogError;
pub use sql::sellers::SellerList;

/// The price of a published product, with the product: what an order is made from. `None` when
/// the price is unknown or archived, or its product isn't for sale: so it is while its seller
/// doesn't sell.
pub fn offer(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
) -> Result<Option<Offer>, StoreError> {
    let Some(product) = sql::products::of_price(tx, tenant, price)? else {
        return Ok(None);
    };
    let Some(product) = sql::products::by_id(tx, tenant, product)? else {
        return Ok(None);
    };
    let price = product.price(price).cloned();
    let offer = price.map(|price| Offer { price, product });
    Ok(offer.filter(|offer| offer.product.is_sold()))
}

/// A product in any state: licenses outlive the sale of what they are for.
pub fn product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Option<Product>, StoreError> {
    sql::products::by_id(tx, tenant, id)
}

/// A product in any state by its code, the audience of its licenses.
pub fn product_by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    code: &str,
) -> Result<Option<Product>, StoreError> {
    sql::products::by_code(tx, tenant, code)
}

/// A product in any state by its slug.
pub fn product_by_slug(
    tx: &mut dyn Tx,
    tenant: TenantId,
    slug: &str,
) -> Result<Option<Product>, StoreError> {
    sql::products::by_slug(tx, tenant, slug)
}

/// A price as it was offered, current or archived, and its product.
pub fn price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PriceId,
) -> Result<Option<(ProductId, Price)>, StoreError> {
    sql::products::price(tx, tenant, id)
}

/// Says how every version of a plan can be tried, and what stands in for it in some countries.
pub fn set_trial(
    tx: &mut dyn Tx,
    tenant: TenantId,
    plan: (ProductId, PriceId),
    trial: Option<model::Trial>,
) -> Result<(), StoreError> {
    sql::products::set_trial(tx, tenant, plan, trial)
}

/// The shop of that account, if it has one.
pub fn seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Seller>, StoreError> {
    sql::sellers::by_account(tx, tenant, account)
}

/// Whether that account has a shop.
pub fn has_shop(tx: &mut dyn Tx, tenant: TenantId, account: AccountId) -> Result<bool, StoreError> {
    Ok(sql::sellers::by_account(tx, tenant, account)?.is_some())
}

/// When that account opened its shop; `None` when it has none.
pub fn shop_opened_at(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<Timestamp>, StoreError> {
    sql::sellers::opened_at(tx, tenant, account)
}

/// Where a seller stands, and since when; `None` without a shop, and `since` without a change.
pub fn standing(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<(Standing, Option<Timestamp>)>, StoreError> {
    sql::sellers::standing(tx, tenant, account)
}

/// Whether that seller sells; whoever has no shop wasn't stopped.
pub fn sells(tx: &mut dyn Tx, tenant: TenantId, account: AccountId) -> Result<bool, StoreError> {
    let found = sql::sellers::standing(tx, tenant, account)?;
    Ok(found.is_none_or(|(standing, _)| standing == Standing::Active))
}

/// Keeps where a seller stands from now on. Its products are for sale, or not, from that commit on;
/// lists follow by [`reshelve`].
pub fn set_standing(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
    (standing, now): (Standing, Timestamp),
) -> Result<(), StoreError> {
    sql::sellers::set_standing(tx, (tenant, account), standing, now)
}

/// Sellers by their slug: those that stand so, whose slug begins so, behind `after`.
pub fn sellers(
    tx: &mut dyn Tx,
    tenant: TenantId,
    wanted: &SellerList,
) -> Result<Vec<(Seller, Option<Timestamp>)>, StoreError> {
    sql::sellers::list(tx, tenant, wanted)
}

/// Products of a seller by id behind `after`, at most `limit`: their lists are written anew.
pub fn reshelve(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    (after, limit): (Option<ProductId>, i64),
) -> Result<Vec<ProductId>, StoreError> {
    let products = sql::products::after(tx, (tenant, seller), after, limit)?;
    for id in &products {
        if let Some(product) = sql::products::by_id(tx, tenant, *id)? {
            ops::placing::place(tx, tenant, &product)?;
        }
    }
    Ok(products)
}

/// The category at a path without slashes around it; the root's is empty. `None` where there is none.
pub fn category_at(
    tx: &mut dyn Tx,
    tenant: TenantId,
    path: &str,
) -> Result<Option<CategoryId>, StoreError> {
    let found = sql::categories::by_path(tx, tenant, path)?;
    Ok(found.map(|found| found.category.id))
}

/// Where a product is listed: its categories, and those above them.
pub fn places_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Vec<CategoryId>, StoreError> {
    sql::listing::places_of(tx, tenant, product)
}

/// Whether there is a category at that path.
pub fn has_category(tx: &mut dyn Tx, tenant: TenantId, path: &str) -> Result<bool, StoreError> {
    Ok(sql::categories::by_path(tx, tenant, path)?.is_some())
}
