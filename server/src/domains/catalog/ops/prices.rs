//! What a seller does with the prices of a product. None is ever changed: another version takes
//! its place, and who bought or subscribed keeps what they had.

use super::CatalogError;
use super::products::{COUNTS, archive_plan, fact, is_complete, own, save};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::model::{
    CheckedPrice, Price, PriceBook, PriceDraft, Product, State, Trial, check_among, check_price,
};
use crate::domains::catalog::sql::products;
use mintreu::id::{PriceId, ProductId};

/// Adds a price to a product of one's own.
#[derive(Debug, Clone)]
pub struct AddPrice {
    /// The product.
    pub product: ProductId,
    /// What the seller wrote.
    pub draft: PriceDraft,
    /// The usual price that it stands in for in its countries; `None` for one by itself.
    pub region_of: Option<PriceId>,
}

impl Command for AddPrice {
    const NAME: &'static str = "catalog.add_price";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// Puts a new version in the place of a price that is for sale.
#[derive(Debug, Clone)]
pub struct ChangePrice {
    /// Which.
    pub price: PriceId,
    /// What the seller wrote; how it is charged and its currency stay.
    pub draft: PriceDraft,
}

impl Command for ChangePrice {
    const NAME: &'static str = "catalog.change_price";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// Takes a price out of sale, or brings one back.
#[derive(Debug, Clone, Copy)]
pub struct SwitchPrice {
    /// Which.
    pub price: PriceId,
    /// Whether it shall be for sale.
    pub on: bool,
}

impl Command for SwitchPrice {
    const NAME: &'static str = "catalog.switch_price";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// Asks for every version of the prices of a product of one's own.
#[derive(Debug, Clone, Copy)]
pub struct PriceVersions {
    /// The product.
    pub product: ProductId,
}

/// See [`PriceVersions`].
pub fn price_versions(
    cx: &mut ReadCx<'_>,
    query: &PriceVersions,
) -> Result<PriceBook, CatalogError> {
    let tenant = cx.caller.tenant;
    let product = products::by_id(cx.tx, tenant, query.product)?;
    let own = product.filter(|product| Some(product.seller.account) == cx.caller.account);
    Ok(PriceBook {
        product: own.ok_or(CatalogError::NotFound("product"))?,
        versions: products::versions(cx.tx, tenant, query.product)?,
    })
}

fn priced(id: PriceId, checked: CheckedPrice, (plan, regional): (PriceId, bool)) -> Price {
    Price {
        id,
        model: checked.model,
        period: checked.period,
        amount: checked.amount,
        bounds: checked.bounds,
        plan,
        regional,
        terms: checked.terms,
        trial: checked.trial,
    }
}

/// What stands in for a plan's price in some countries is tried as that plan is.
fn as_plan(plan: Option<Trial>, said: Option<Trial>) -> Result<Option<Trial>, CatalogError> {
    match said {
        Some(said) if plan != Some(said) => {
            let detail = "it is tried as the price that it stands in for";
            Err(CatalogError::field("trial", "fixed", detail))
        }
        _ => Ok(plan),
    }
}

/// See [`AddPrice`]: answers the product with the price, and the price's id.
pub fn add_price(cx: &mut Cx<'_>, cmd: &AddPrice) -> Result<(Product, PriceId), CatalogError> {
    let mut product = own(cx, cmd.product)?;
    let mut checked = check_price(&product, &cmd.draft).map_err(CatalogError::Invalid)?;
    let id = cx.make_id(PriceId::from_bytes);
    let plan = match cmd.region_of {
        None => (id, false),
        Some(of) => {
            let usual = product.prices.iter().find(|price| price.id == of);
            let detail = "the price that this one stands in for is not for sale";
            let unknown = || CatalogError::field("region_of", "unknown", detail);
            let usual = usual.ok_or_else(unknown)?;
            checked.trial = as_plan(usual.trial, checked.trial)?;
            (usual.plan, true)
        }
    };
    let price = priced(id, checked, plan);
    check_among(&product, &price, None).map_err(CatalogError::Invalid)?;
    put(cx, &product, price, None)?;
    finish(cx, &mut product)?;
    Ok((product, id))
}

/// See [`ChangePrice`]: answers the product and the version's id; the old id, when nothing differs
/// but how it can be tried.
pub fn change_price(
    cx: &mut Cx<'_>,
    cmd: &ChangePrice,
) -> Result<(Product, PriceId), CatalogError> {
    let (mut product, before) = owned(cx, cmd.price)?;
    let mut checked = check_price(&product, &cmd.draft).map_err(CatalogError::Invalid)?;
    if product.price(before.id).is_none() {
        return Err(CatalogError::NotFound("price"));
    }
    let fixed = [
        ("model", checked.model == before.model),
        ("period", checked.period == before.period),
        (
            "currency",
            checked.amount.currency() == before.amount.currency(),
        ),
    ];
    if let Some((field, _)) = fixed.into_iter().find(|(_, same)| !same) {
        let detail = "this stays as it is; add another price instead";
        return Err(CatalogError::field(field, "fixed", detail));
    }
    if before.regional {
        checked.trial = as_plan(before.trial, checked.trial)?;
    }
    let tried_otherwise = checked.trial != before.trial;
    if tried_otherwise {
        let plan = (product.id, before.plan);
        products::set_trial(cx.tx, cx.caller.tenant, plan, checked.trial)?;
    }
    let says = (checked.amount, &checked.bounds, &checked.terms);
    if says == (before.amount, &before.bounds, &before.terms) {
        if tried_otherwise {
            finish(cx, &mut product)?;
        }
        return Ok((product, before.id));
    }
    let id = cx.make_id(PriceId::from_bytes);
    let price = priced(id, checked, (before.plan, before.regional));
    check_among(&product, &price, Some(&before)).map_err(CatalogError::Invalid)?;
    products::archive_price(cx.tx, cx.caller.tenant, before.id, cx.now)?;
    put(cx, &product, price, Some(before.id))?;
    finish(cx, &mut product)?;
    Ok((product, id))
}

/// See [`SwitchPrice`]. What comes back takes the place of its plan's version that is for sale.
pub fn switch_price(cx: &mut Cx<'_>, cmd: &SwitchPrice) -> Result<Product, CatalogError> {
    let (mut product, price) = owned(cx, cmd.price)?;
    if product.price(price.id).is_some() == cmd.on {
        return Ok(product);
    }
    let tenant = cx.caller.tenant;
    match (cmd.on, price.regional) {
        (true, _) => {
            let usual = |one: &&Price| !price.regional && one.plan == price.plan;
            let before = product.prices.iter().find(usual).cloned();
            check_among(&product, &price, before.as_ref()).map_err(CatalogError::Invalid)?;
            let position = place(&product, before.as_ref().map(|before| before.id));
            if let Some(before) = before {
                products::archive_price(cx.tx, tenant, before.id, cx.now)?;
            }
            products::restore_price(cx.tx, tenant, price.id, position)?;
        }
        (false, true) => products::archive_price(cx.tx, tenant, price.id, cx.now)?,
        (false, false) => archive_plan(cx, &product, &price)?,
    }
    finish(cx, &mut product)?;
    Ok(product)
}

/// A price in any state and its product, which is the caller's.
fn owned(cx: &mut Cx<'_>, id: PriceId) -> Result<(Product, Price), CatalogError> {
    let missing = CatalogError::NotFound("price");
    let Some((product, price)) = products::price(cx.tx, cx.caller.tenant, id)? else {
        return Err(missing);
    };
    match own(cx, product) {
        Err(CatalogError::NotFound(_)) => Err(missing),
        product => Ok((product?, price)),
    }
}

/// The place of a price that is for sale, or the one behind them all.
fn place(product: &Product, of: Option<PriceId>) -> i64 {
    let mut all = product.prices.iter();
    let at = all.position(|price| Some(price.id) == of);
    i64::try_from(at.unwrap_or(product.prices.len())).unwrap_or(i64::MAX)
}

fn put(
    cx: &mut Cx<'_>,
    product: &Product,
    price: Price,
    before: Option<PriceId>,
) -> Result<(), CatalogError> {
    let new = [(product.id, place(product, before), price)];
    Ok(products::insert_prices(
        cx.tx,
        cx.caller.tenant,
        &new,
        cx.now,
    )?)
}

/// Places the product by what it costs now.
fn finish(cx: &mut Cx<'_>, product: &mut Product) -> Result<(), CatalogError> {
    let tenant = cx.caller.tenant;
    (product.prices, product.regional) = products::for_sale(cx.tx, tenant, product.id)?;
    if product.state == State::Published {
        is_complete(product)?;
    }
    save(cx, product)?;
    fact(cx, "product.updated", product)
}
