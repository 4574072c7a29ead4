//! What a seller does with products.

use super::CatalogError;
use super::placing::{Tree, place};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog::model::{
    CategoryRef, CheckedDraft, FieldError, Meter, Price, Product, ProductDraft, Seller, Standing,
    State, check,
};
use crate::domains::catalog::sql::{products, sellers};
use crate::events;
use crate::store::StoreError;
use mintreu::id::{MeterId, PriceId, ProductId};

/// The counts of categories near the root change with every publication.
pub(crate) const COUNTS: &str = "catalog.counts";

/// Writes a new product; it starts as a draft.
#[derive(Debug, Clone)]
pub struct CreateProduct {
    /// What the seller wrote.
    pub draft: ProductDraft,
}

impl Command for CreateProduct {
    const NAME: &'static str = "catalog.create_product";
    const CAPABILITY: Capability = Capability::Sell;
}

/// Replaces what a product says; its state stays.
#[derive(Debug, Clone)]
pub struct UpdateProduct {
    /// One of the caller's.
    pub product: ProductId,
    /// What the seller wrote.
    pub draft: ProductDraft,
}

impl Command for UpdateProduct {
    const NAME: &'static str = "catalog.update_product";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// Puts a product up for sale.
#[derive(Debug, Clone, Copy)]
pub struct PublishProduct {
    /// One of the caller's.
    pub product: ProductId,
}

impl Command for PublishProduct {
    const NAME: &'static str = "catalog.publish_product";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// Takes a product out of sale; its licenses live on, and it can be published again.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveProduct {
    /// One of the caller's.
    pub product: ProductId,
}

impl Command for ArchiveProduct {
    const NAME: &'static str = "catalog.archive_product";
    const CAPABILITY: Capability = Capability::Sell;
    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// See [`CreateProduct`].
pub fn create_product(cx: &mut Cx<'_>, command: &CreateProduct) -> Result<Product, CatalogError> {
    let draft = check(&command.draft).map_err(CatalogError::Invalid)?;
    let seller = seller(cx)?;
    let categories = chosen(cx, &draft)?;
    names_are_free(cx, &draft, None)?;
    let mut product = Product {
        id: cx.make_id(ProductId::from_bytes),
        seller,
        slug: String::new(),
        code: String::new(),
        kind: draft.kind,
        state: State::Draft,
        name: String::new(),
        summary: String::new(),
        description: String::new(),
        language: String::new(),
        version: String::new(),
        homepage: None,
        spdx: None,
        terms: draft.terms.clone(),
        prices: Vec::new(),
        regional: Vec::new(),
        meters: Vec::new(),
        categories,
        created_at: cx.now,
        updated_at: cx.now,
        published_at: None,
    };
    write(&mut product, &draft);
    let tenant = cx.caller.tenant;
    products::insert(cx.tx, tenant, &product).map_err(taken)?;
    put_prices(cx, &mut product, &draft)?;
    put_meters(cx, &mut product, &draft)?;
    place(cx.tx, tenant, &product)?;
    fact(cx, "product.created", &product)?;
    Ok(product)
}

/// See [`UpdateProduct`].
pub fn update_product(cx: &mut Cx<'_>, command: &UpdateProduct) -> Result<Product, CatalogError> {
    let draft = check(&command.draft).map_err(CatalogError::Invalid)?;
    let mut product = own(cx, command.product)?;
    product.categories = chosen(cx, &draft)?;
    names_are_free(cx, &draft, Some(product.id))?;
    write(&mut product, &draft);
    put_prices(cx, &mut product, &draft)?;
    put_meters(cx, &mut product, &draft)?;
    if product.state == State::Published {
        is_complete(&product)?;
    }
    save(cx, &mut product)?;
    fact(cx, "product.updated", &product)?;
    Ok(product)
}

/// See [`PublishProduct`].
pub fn publish_product(cx: &mut Cx<'_>, command: &PublishProduct) -> Result<Product, CatalogError> {
    let mut product = own(cx, command.product)?;
    if product.state == State::Published {
        return Ok(product);
    }
    if product.seller.standing != Standing::Active {
        return Err(CatalogError::Stopped(product.seller.standing));
    }
    is_complete(&product)?;
    product.state = State::Published;
    product.published_at = product.published_at.or(Some(cx.now));
    save(cx, &mut product)?;
    fact(cx, "product.published", &product)?;
    Ok(product)
}

/// See [`ArchiveProduct`].
pub fn archive_product(cx: &mut Cx<'_>, command: &ArchiveProduct) -> Result<Product, CatalogError> {
    let mut product = own(cx, command.product)?;
    if product.state == State::Archived {
        return Ok(product);
    }
    product.state = State::Archived;
    save(cx, &mut product)?;
    fact(cx, "product.archived", &product)?;
    Ok(product)
}

/// What can't be sold without.
pub(super) fn is_complete(product: &Product) -> Result<(), CatalogError> {
    if product.prices.is_empty() {
        let detail = "add a price before publishing; it may be free";
        return Err(CatalogError::field("prices", "required", detail));
    }
    Ok(())
}

fn seller(cx: &mut Cx<'_>) -> Result<Seller, CatalogError> {
    let account = cx.caller.account.ok_or(CatalogError::ShopMissing)?;
    sellers::by_account(cx.tx, cx.caller.tenant, account)?.ok_or(CatalogError::ShopMissing)
}

/// A product of the caller; somebody else's is as absent as none.
pub(super) fn own(cx: &mut Cx<'_>, id: ProductId) -> Result<Product, CatalogError> {
    let product = products::by_id(cx.tx, cx.caller.tenant, id)?;
    let own = product.filter(|product| Some(product.seller.account) == cx.caller.account);
    own.ok_or(CatalogError::NotFound("product"))
}

fn chosen(cx: &mut Cx<'_>, draft: &CheckedDraft) -> Result<Vec<CategoryRef>, CatalogError> {
    let mut tree = Tree::default();
    let mut chosen = Vec::new();
    for path in &draft.categories {
        let found = tree.at(cx.tx, cx.caller.tenant, path)?;
        let unknown = || {
            let detail = format!("there is no category {path:?}; GET /v1/categories lists them");
            CatalogError::field("categories", "unknown", detail)
        };
        chosen.push(found.ok_or_else(unknown)?);
    }
    Ok(chosen)
}

/// Whether slug and code are free, asked first so that both mistakes are named at once.
fn names_are_free(
    cx: &mut Cx<'_>,
    draft: &CheckedDraft,
    except: Option<ProductId>,
) -> Result<(), CatalogError> {
    let tenant = cx.caller.tenant;
    let mut found = Vec::new();
    for (field, text, other) in [
        (
            "slug",
            &draft.slug,
            products::by_slug(cx.tx, tenant, &draft.slug)?,
        ),
        (
            "code",
            &draft.code,
            products::by_code(cx.tx, tenant, &draft.code)?,
        ),
    ] {
        if other.is_some_and(|other| Some(other.id) != except) {
            let detail = format!("{text} is taken; choose another");
            found.push(FieldError {
                field,
                code: "duplicate",
                detail,
            });
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(CatalogError::Invalid(found))
    }
}

/// A race lost against another seller who wanted the same name.
fn taken(error: StoreError) -> CatalogError {
    let StoreError::Conflict { constraint } = &error else {
        return error.into();
    };
    match constraint.as_str() {
        "product_tenant_id_slug_key" => {
            CatalogError::field("slug", "duplicate", "the address is taken; choose another")
        }
        "product_tenant_id_code_key" => {
            CatalogError::field("code", "duplicate", "the code is taken; choose another")
        }
        _ => error.into(),
    }
}

fn write(product: &mut Product, draft: &CheckedDraft) {
    product.slug.clone_from(&draft.slug);
    product.code.clone_from(&draft.code);
    product.kind = draft.kind;
    product.name.clone_from(&draft.name);
    product.summary.clone_from(&draft.summary);
    product.description.clone_from(&draft.description);
    product.language.clone_from(&draft.language);
    product.version.clone_from(&draft.version);
    product.homepage.clone_from(&draft.homepage);
    product.spdx.clone_from(&draft.spdx);
    product.terms = draft.terms.clone();
}

pub(super) fn save(cx: &mut Cx<'_>, product: &mut Product) -> Result<(), CatalogError> {
    product.updated_at = cx.now;
    let tenant = cx.caller.tenant;
    if !products::update(cx.tx, tenant, product).map_err(taken)? {
        return Err(CatalogError::NotFound("product"));
    }
    Ok(place(cx.tx, tenant, product)?)
}

/// Keeps the prices that are written again, adds the new ones and archives the rest. A new one
/// that is charged as one that goes is the next version of its plan.
fn put_prices(
    cx: &mut Cx<'_>,
    product: &mut Product,
    draft: &CheckedDraft,
) -> Result<(), CatalogError> {
    let tenant = cx.caller.tenant;
    let mut old = std::mem::take(&mut product.prices);
    let mut new = Vec::new();
    let mut later = Vec::new();
    for (position, wanted) in (0_i64..).zip(&draft.prices) {
        let same = |price: &Price| {
            let (bounds, terms) = (&wanted.bounds, &wanted.terms);
            (
                price.model,
                price.period,
                price.amount,
                &price.bounds,
                &price.terms,
            ) == (wanted.model, wanted.period, wanted.amount, bounds, terms)
        };
        if let Some(at) = old.iter().position(same) {
            let price = old.remove(at);
            products::move_price(cx.tx, tenant, price.id, position)?;
            if price.trial != wanted.trial {
                products::set_trial(cx.tx, tenant, (product.id, price.plan), wanted.trial)?;
            }
            continue;
        }
        later.push((position, wanted));
    }
    for (position, wanted) in later {
        let before = |price: &Price| {
            (price.model, price.period, price.amount.currency())
                == (wanted.model, wanted.period, wanted.amount.currency())
        };
        let id = cx.make_id(PriceId::from_bytes);
        let plan = match old.iter().position(before) {
            Some(at) => {
                let before = old.remove(at);
                products::archive_price(cx.tx, tenant, before.id, cx.now)?;
                products::set_trial(cx.tx, tenant, (product.id, before.plan), wanted.trial)?;
                before.plan
            }
            None => id,
        };
        let price = Price {
            id,
            model: wanted.model,
            period: wanted.period,
            amount: wanted.amount,
            bounds: wanted.bounds.clone(),
            plan,
            regional: false,
            terms: wanted.terms.clone(),
            trial: wanted.trial,
        };
        new.push((product.id, position, price));
    }
    for price in old {
        archive_plan(cx, product, &price)?;
    }
    products::insert_prices(cx.tx, tenant, &new, cx.now)?;
    (product.prices, product.regional) = products::for_sale(cx.tx, tenant, product.id)?;
    Ok(())
}

/// Takes a usual price out of sale, and with it what stands in for it.
pub(super) fn archive_plan(
    cx: &mut Cx<'_>,
    product: &Product,
    price: &Price,
) -> Result<(), CatalogError> {
    let plan = product.regional.iter().filter(|one| one.plan == price.plan);
    for one in plan.chain([price]) {
        products::archive_price(cx.tx, cx.caller.tenant, one.id, cx.now)?;
    }
    Ok(())
}

/// Meters are known by name: the same name keeps its id, whatever its tariff becomes.
fn put_meters(
    cx: &mut Cx<'_>,
    product: &mut Product,
    draft: &CheckedDraft,
) -> Result<(), CatalogError> {
    let tenant = cx.caller.tenant;
    let old = std::mem::take(&mut product.meters);
    for wanted in &draft.meters {
        let meter = Meter {
            id: cx.make_id(MeterId::from_bytes),
            name: wanted.name.clone(),
            unit: wanted.unit.clone(),
            aggregation: wanted.aggregation,
            tariff: wanted.tariff.clone(),
        };
        products::put_meter(cx.tx, tenant, product.id, &meter)?;
    }
    for meter in old {
        if draft.meters.iter().all(|wanted| wanted.name != meter.name) {
            products::archive_meter(cx.tx, tenant, meter.id, cx.now)?;
        }
    }
    product.meters = products::meters(cx.tx, tenant, product.id)?;
    Ok(())
}

pub(super) fn fact(
    cx: &mut Cx<'_>,
    kind: &'static str,
    product: &Product,
) -> Result<(), CatalogError> {
    #[derive(serde::Serialize)]
    struct Data {
        product: String,
        state: &'static str,
    }
    let data = Data {
        product: product.id.to_string(),
        state: product.state.name(),
    };
    events::record(cx, kind, &data.product, &data)?;
    Ok(())
}
