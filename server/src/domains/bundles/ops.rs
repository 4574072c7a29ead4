//! Use cases of bundles: a seller's, and what a buyer is offered.

use super::model::{
    Amount, Bundle, BundleError, BundlePrice, Draft, Gone, MAX_NAME, MAX_PRICES, MAX_PRODUCTS,
    MAX_SUMMARY, MIN_PRODUCTS, Offered, Part, Wrong, shares, single,
};
use super::shelf::shelve;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::catalog::ops::{CatalogError, ProductAt, product_at};
use crate::domains::catalog::{self, Offer, Product};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, BundleId, PriceId, ProductId, TenantId};
use mintreu::{Currency, Money};

/// Most bundles of one seller.
const MAX_BUNDLES: i64 = 100;
/// Most bundles of one page.
const MAX_PAGE: i64 = 100;
/// Most bundles that a product's page names.
const MAX_NAMED: usize = 3;
/// Most minor units that a bundle may cost.
const MAX_MINOR: i64 = 1_000_000_000_000;
/// Later than every id.
pub(super) const NEWEST: [u8; 16] = [0xff; 16];

/// Writes a bundle, or replaces what one of the caller's own says. Its address and the ids of its
/// prices stay.
#[derive(Debug, Clone)]
pub struct SaveBundle {
    /// Which; `None` for a new one.
    pub bundle: Option<BundleId>,
    /// What it says.
    pub draft: Draft,
}

impl Command for SaveBundle {
    const NAME: &'static str = "bundles.save";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        self.bundle.map(|bundle| bundle.to_string())
    }
}

/// Takes one of the caller's bundles out of sale, or brings it back.
#[derive(Debug, Clone, Copy)]
pub struct SwitchBundle {
    /// Which.
    pub bundle: BundleId,
    /// Whether it shall be sold.
    pub on: bool,
}

impl Command for SwitchBundle {
    const NAME: &'static str = "bundles.switch";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.bundle.to_string())
    }
}

fn seller(account: Option<AccountId>) -> Result<AccountId, BundleError> {
    let denied = Denied {
        capability: Capability::Sell,
        signed_in: false,
    };
    Ok(account.ok_or(denied)?)
}

/// See [`SaveBundle`].
pub fn save_bundle(cx: &mut Cx<'_>, cmd: &SaveBundle) -> Result<Bundle, BundleError> {
    let tenant = cx.caller.tenant;
    let seller = seller(cx.caller.account)?;
    let before = match cmd.bundle {
        Some(id) => Some(own(cx, id)?),
        None => None,
    };
    let name = line(&cmd.draft.name, MAX_NAME).ok_or(Wrong::Name)?;
    let summary = line(&cmd.draft.summary, MAX_SUMMARY).ok_or(Wrong::Summary)?;
    let products = products(cx, seller, &cmd.draft.products)?;
    let kept = before.as_ref().map_or(&[][..], |bundle| &bundle.prices);
    let prices = prices(cx, (&products, &cmd.draft.prices), kept)?;
    let bundle = Bundle {
        id: match &before {
            Some(bundle) => bundle.id,
            None => cx.make_id(BundleId::from_bytes),
        },
        seller,
        slug: match &before {
            Some(bundle) => bundle.slug.clone(),
            None => slug(&name)?,
        },
        name,
        summary,
        products: products.iter().map(|product| product.id).collect(),
        prices,
        withdrawn_at: before.as_ref().and_then(|bundle| bundle.withdrawn_at),
        updated_at: cx.now,
    };
    let fact = match &before {
        Some(before) => {
            sql::update(cx.tx, tenant, &bundle, &before.prices)?;
            "bundle.updated"
        }
        None => {
            room_for_one(cx, seller)?;
            if !sql::insert(cx.tx, tenant, &bundle)? {
                return Err(BundleError::NameTaken);
            }
            "bundle.created"
        }
    };
    shelve(cx, &bundle)?;
    crate::events::record(cx, fact, &bundle.id.to_string(), &())?;
    Ok(bundle)
}

fn own(cx: &mut Cx<'_>, id: BundleId) -> Result<Bundle, BundleError> {
    let seller = seller(cx.caller.account)?;
    let found = sql::by_id(cx.tx, cx.caller.tenant, id)?;
    let own = found.filter(|bundle| bundle.seller == seller);
    own.ok_or(BundleError::NotFound)
}

fn room_for_one(cx: &mut Cx<'_>, seller: AccountId) -> Result<(), BundleError> {
    let known = sql::of_seller(cx.tx, cx.caller.tenant, seller, MAX_BUNDLES)?;
    match i64::try_from(known.len()) {
        Ok(count) if count < MAX_BUNDLES => Ok(()),
        _ => Err(Wrong::TooMany(MAX_BUNDLES).into()),
    }
}

fn line(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let sound = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    sound.then(|| text.to_owned())
}

fn slug(name: &str) -> Result<String, BundleError> {
    let slug = catalog::model::slug_of(name);
    match slug.is_empty() {
        true => Err(Wrong::Name.into()),
        false => Ok(slug),
    }
}

/// The seller's own products of those ids, each once.
fn products(
    cx: &mut Cx<'_>,
    seller: AccountId,
    ids: &[String],
) -> Result<Vec<Product>, BundleError> {
    if !(MIN_PRODUCTS..=MAX_PRODUCTS).contains(&ids.len()) {
        return Err(Wrong::Products.into());
    }
    let mut products: Vec<Product> = Vec::with_capacity(ids.len());
    for text in ids {
        let unknown = || Wrong::NotOwn(text.clone());
        let id = ProductId::parse(text).map_err(|_| unknown())?;
        let found = catalog::product(cx.tx, cx.caller.tenant, id)?;
        let product = found.filter(|product| product.seller.account == seller);
        let product = product.ok_or_else(unknown)?;
        if products.iter().any(|known| known.id == product.id) {
            return Err(Wrong::Twice.into());
        }
        products.push(product);
    }
    Ok(products)
}

/// The prices as written, one a currency; those that were there before keep their ids.
fn prices(
    cx: &mut Cx<'_>,
    (products, wanted): (&[Product], &[Amount]),
    kept: &[BundlePrice],
) -> Result<Vec<BundlePrice>, BundleError> {
    if !(1..=MAX_PRICES).contains(&wanted.len()) {
        return Err(Wrong::Prices.into());
    }
    let mut prices: Vec<BundlePrice> = Vec::with_capacity(wanted.len());
    for one in wanted {
        let currency = Currency::parse(&one.currency).map_err(|_| Wrong::Prices)?;
        if prices
            .iter()
            .any(|known| known.amount.currency() == currency)
        {
            return Err(Wrong::Prices.into());
        }
        let amount = Money::new(one.amount_minor, currency);
        within(products, amount)?;
        let known = kept
            .iter()
            .find(|known| known.amount.currency() == currency);
        let id = match known {
            Some(known) => known.id,
            None => cx.make_id(PriceId::from_bytes),
        };
        prices.push(BundlePrice { id, amount });
    }
    Ok(prices)
}

/// Whether each product has a price in that currency, and the bundle costs no more than all of them.
fn within(products: &[Product], amount: Money) -> Result<(), Wrong> {
    let currency = amount.currency();
    let mut apart: i64 = 0;
    for product in products {
        let price = single(product, currency).ok_or_else(|| Wrong::NoSingle {
            product: product.name.clone(),
            currency: currency.code().to_owned(),
        })?;
        apart = apart.saturating_add(price.amount.minor());
    }
    if !(1..=apart.min(MAX_MINOR)).contains(&amount.minor()) {
        return Err(Wrong::Amount(Money::new(apart, currency)));
    }
    Ok(())
}

/// See [`SwitchBundle`]. What was ordered stays ordered; carts and quotes find it gone.
pub fn switch_bundle(cx: &mut Cx<'_>, cmd: &SwitchBundle) -> Result<Bundle, BundleError> {
    let mut bundle = own(cx, cmd.bundle)?;
    let before = bundle.withdrawn_at.is_none();
    bundle.withdrawn_at = match cmd.on {
        true => None,
        false => bundle.withdrawn_at.or(Some(cx.now)),
    };
    bundle.updated_at = cx.now;
    sql::update(cx.tx, cx.caller.tenant, &bundle, &bundle.prices)?;
    shelve(cx, &bundle)?;
    if before != cmd.on {
        let fact = match cmd.on {
            true => "bundle.restored",
            false => "bundle.withdrawn",
        };
        crate::events::record(cx, fact, &bundle.id.to_string(), &())?;
    }
    Ok(bundle)
}

/// Asks for the caller's own bundles.
#[derive(Debug, Clone, Copy)]
pub struct OwnBundles;

/// The caller's own bundles, newest first, each as it is offered in its currencies.
pub fn own_bundles(
    cx: &mut ReadCx<'_>,
    _: &OwnBundles,
) -> Result<Vec<(Bundle, Vec<Offered>)>, BundleError> {
    let Some(seller) = cx.caller.account else {
        return Ok(Vec::new());
    };
    let tenant = cx.caller.tenant;
    let bundles = sql::of_seller(cx.tx, tenant, seller, MAX_BUNDLES)?;
    with_offers(cx.tx, tenant, bundles)
}

fn with_offers(
    tx: &mut dyn Tx,
    tenant: TenantId,
    bundles: Vec<Bundle>,
) -> Result<Vec<(Bundle, Vec<Offered>)>, BundleError> {
    let mut found = Vec::with_capacity(bundles.len());
    for bundle in bundles {
        let offers = offers(tx, tenant, &bundle)?;
        found.push((bundle, offers));
    }
    Ok(found)
}

/// Asks for what is sold together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listed {
    /// Bundles made before this one; `None` for the newest.
    pub before: Option<BundleId>,
    /// Bundles a page, at most a hundred; 0 is twenty.
    pub limit: i64,
}

/// Bundles of one page: as wished, at most a hundred; 0 is twenty.
pub fn page_size(wished: i64) -> i64 {
    match wished {
        0 => 20,
        limit => limit.clamp(1, MAX_PAGE),
    }
}

/// Bundles that can be bought in a currency at least, newest first.
pub fn listed(
    cx: &mut ReadCx<'_>,
    query: &Listed,
) -> Result<Vec<(Bundle, Vec<Offered>)>, BundleError> {
    let before = query.before.map_or(NEWEST, |bundle| *bundle.as_bytes());
    let limit = page_size(query.limit);
    let tenant = cx.caller.tenant;
    let bundles = sql::for_sale(cx.tx, tenant, &before, limit)?;
    let mut found = with_offers(cx.tx, tenant, bundles)?;
    found.retain(|(_, offers)| offers.iter().any(Offered::is_for_sale));
    Ok(found)
}

/// What a product's page shows: the product, and the bundles that hold it and can be bought. Both are
/// asked for at once, so that a page waits once.
pub fn product_page(
    cx: &mut ReadCx<'_>,
    query: &ProductAt,
) -> Result<(Product, Vec<Offered>), CatalogError> {
    let product = product_at(cx, query)?;
    let tenant = cx.caller.tenant;
    let mut found = Vec::new();
    for bundle in sql::of_product(cx.tx, tenant, product.id, MAX_NAMED)? {
        let offers = offers(cx.tx, tenant, &bundle)?;
        found.extend(offers.into_iter().find(Offered::is_for_sale));
    }
    Ok((product, found))
}

/// Asks for a bundle by its address.
#[derive(Debug, Clone)]
pub struct BundleAt {
    /// Part of its address.
    pub slug: String,
}

/// A bundle with how it is offered in each of its currencies; one that was withdrawn too, which says so.
pub fn bundle_at(
    cx: &mut ReadCx<'_>,
    query: &BundleAt,
) -> Result<(Bundle, Vec<Offered>), BundleError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_slug(cx.tx, tenant, &query.slug)?;
    let bundle = found.ok_or(BundleError::NotFound)?;
    let offers = offers(cx.tx, tenant, &bundle)?;
    Ok((bundle, offers))
}

/// The bundle that a price is of, as it is offered in the price's currency; `None` for another's price.
pub fn offer(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
) -> Result<Option<Offered>, StoreError> {
    let Some(bundle) = sql::of_price(tx, tenant, price)? else {
        return Ok(None);
    };
    let offers = offers(tx, tenant, &bundle)?;
    Ok(offers.into_iter().find(|one| one.price.id == price))
}

/// A bundle in each of its currencies.
pub(super) fn offers(
    tx: &mut dyn Tx,
    tenant: TenantId,
    bundle: &Bundle,
) -> Result<Vec<Offered>, StoreError> {
    let mut products = Vec::with_capacity(bundle.products.len());
    for id in &bundle.products {
        products.extend(catalog::product(tx, tenant, *id)?);
    }
    let seller = products.first().map(|product| product.seller.name.clone());
    let seller = seller.unwrap_or_default();
    let offered = |price: &BundlePrice| {
        let (parts, gone) = match parts(&products, price.amount)? {
            Ok(parts) => (parts, bundle.withdrawn_at.map(|_| Gone::Withdrawn)),
            Err(missing) => (Vec::new(), Some(Gone::Product(missing))),
        };
        Ok(Offered {
            bundle: bundle.clone(),
            price: price.clone(),
            seller: seller.clone(),
            parts,
            gone,
        })
    };
    bundle.prices.iter().map(offered).collect()
}

/// Each product at its share, or the name of the first that can't be bought.
fn parts(products: &[Product], price: Money) -> Result<Result<Vec<Part>, String>, StoreError> {
    let mut offers = Vec::with_capacity(products.len());
    for product in products {
        let Some(own) = single(product, price.currency()) else {
            return Ok(Err(product.name.clone()));
        };
        offers.push(Offer {
            price: own.clone(),
            product: product.clone(),
        });
    }
    let singles: Vec<_> = offers.iter().map(|offer| offer.price.amount).collect();
    let shares = shares(price, &singles);
    let shares = shares.map_err(|error| StoreError::shape(error.to_string()))?;
    let pairs = offers.into_iter().zip(shares);
    Ok(Ok(pairs
        .map(|(offer, share)| Part { offer, share })
        .collect()))
}
