//! Products with their prices, meters and words.

use super::insert_rows;
use crate::domains::catalog::model::{
    Aggregation, Bounds, CategoryRef, Kind, Meter, Price, PriceModel, Product, Renewing, Seller,
    State, Trial, Version,
};
use crate::store::rows::{self, CHUNK};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, CategoryId, MeterId, PriceId, ProductId, TenantId};
use mintreu::{Currency, Money, Timestamp};
use std::collections::HashMap;

macro_rules! insert {
    () => {
        "INSERT INTO product (product_id, tenant_id, seller_id, doc_id, slug, code,
    kind, state, name, summary, description, language, version, homepage, spdx, terms,
    category_id, created_at, updated_at, published_at)
    VALUES (:product, :tenant, :seller, :doc, :slug, :code, :kind, :state, :name, :summary,
    :description, :language, :version, :homepage, :spdx, :terms, :category, :created, :updated,
    :published)"
    };
}

const INSERT: &str = insert!();
const INSERT_IF_FREE: &str = concat!(insert!(), " ON CONFLICT DO NOTHING");

const HAND_OVER: &str = "UPDATE product SET seller_id = :seller
    WHERE tenant_id = :tenant AND product_id = :product";

const UPDATE: &str = "UPDATE product SET slug = :slug, code = :code, kind = :kind, state = :state,
    name = :name, summary = :summary, description = :description, language = :language,
    version = :version, homepage = :homepage, spdx = :spdx, terms = :terms,
    category_id = :category, updated_at = :updated, published_at = :published,
    archived_at = :archived
    WHERE tenant_id = :tenant AND product_id = :product AND seller_id = :seller";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT p.product_id, p.seller_id, p.slug, p.code, p.kind, p.state, p.name,
            p.summary, p.description, p.language, p.version, p.homepage, p.spdx, p.terms,
            p.category_id, p.created_at, p.updated_at, p.published_at,
            s.slug AS seller_slug, s.name AS seller_name, s.about AS seller_about,
            s.claimed_at AS seller_claimed_at, s.standing AS seller_standing
            FROM product p JOIN seller s ON s.account_id = p.seller_id
            WHERE p.tenant_id = :tenant AND ",
            $rest
        )
    };
}

const BY_ID: &str = select!("p.product_id = :product");
const BY_SLUG: &str = select!("p.slug = :slug");
const BY_CODE: &str = select!("p.code = :code");
const OF_SELLER: &str = select!("p.seller_id = :seller ORDER BY p.product_id DESC LIMIT 500");

const AFTER: &str = "SELECT product_id FROM product
    WHERE tenant_id = :tenant AND seller_id = :seller AND product_id > :after
    ORDER BY product_id LIMIT :limit";

const OF_PRICE: &str = "SELECT product_id FROM price
    WHERE tenant_id = :tenant AND price_id = :price AND archived_at IS NULL";

const PRICES: &str = "SELECT price_id, model, period, amount_minor, currency, minimum_minor, most,
    countries, plan_id, regional, terms, trial_days, trial_without_method, renewing FROM price
    WHERE tenant_id = :tenant AND product_id = :product AND archived_at IS NULL
    ORDER BY position, price_id";

const PRICES_OF: &str = "SELECT product_id, price_id, model, period, amount_minor, currency,
    minimum_minor, most, countries, plan_id, regional, terms, trial_days, trial_without_method,
    renewing FROM price
    WHERE tenant_id = :tenant AND product_id IN (:product) AND archived_at IS NULL
    ORDER BY position, price_id";

const PRICE: &str = "SELECT price_id, product_id, model, period, amount_minor, currency,
    minimum_minor, most, countries, plan_id, regional, terms, trial_days, trial_without_method,
    renewing FROM price
    WHERE tenant_id = :tenant AND price_id = :price";

const VERSIONS: &str = "SELECT price_id, model, period, amount_minor, currency, minimum_minor,
    most, countries, plan_id, regional, terms, trial_days, trial_without_method, renewing,
    created_at, archived_at FROM price
    WHERE tenant_id = :tenant AND product_id = :product
    ORDER BY created_at DESC, price_id DESC LIMIT 500";

const RESTORE_PRICE: &str = "UPDATE price SET archived_at = NULL, position = :position
    WHERE tenant_id = :tenant AND price_id = :price";

const INSERT_PRICES: &str = "INSERT INTO price (price_id, tenant_id, product_id, position, model,
    period, amount_minor, currency, created_at, minimum_minor, most, countries, plan_id, regional,
    terms, trial_days, trial_without_method, renewing)";

const SET_TRIAL: &str = "UPDATE price SET trial_days = :days, trial_without_method = :open
    WHERE tenant_id = :tenant AND product_id = :product
    AND COALESCE(plan_id, price_id) = :plan";

const MOVE_PRICE: &str = "UPDATE price SET position = :position
    WHERE tenant_id = :tenant AND price_id = :price";

const ARCHIVE_PRICE: &str = "UPDATE price SET archived_at = :now
    WHERE tenant_id = :tenant AND price_id = :price";

const METERS: &str = "SELECT meter_id, name, unit, aggregation, tariff FROM meter
    WHERE tenant_id = :tenant AND product_id = :product AND archived_at IS NULL
    ORDER BY name";

const PUT_METER: &str = "INSERT INTO meter
    (meter_id, tenant_id, product_id, name, unit, aggregation, tariff)
    VALUES (:meter, :tenant, :product, :name, :unit, :aggregation, :tariff)
    ON CONFLICT (tenant_id, product_id, name) DO UPDATE SET unit = excluded.unit,
    aggregation = excluded.aggregation, tariff = excluded.tariff, archived_at = NULL";

const ARCHIVE_METER: &str = "UPDATE meter SET archived_at = :now
    WHERE tenant_id = :tenant AND meter_id = :meter";

const CHOSEN: &str = "SELECT c.category_id, c.path, c.name FROM placement l
    JOIN category c ON c.category_id = l.category_id
    WHERE l.tenant_id = :tenant AND l.product_id = :product AND l.chosen > 0
    ORDER BY l.chosen";

const DROP_WORDS: &str = "DELETE FROM product_words WHERE rowid = :doc";
const INSERT_WORDS: &str = "INSERT INTO product_words (rowid, tokens)";

fn unknown(column: &str, text: &str) -> StoreError {
    StoreError::shape(format!("{column} holds {text:?}"))
}

/// A product without its prices, meters and categories.
fn from_row(row: &Row) -> Result<Product, StoreError> {
    let (kind, state) = (row.text("kind")?, row.text("state")?);
    let terms = row.text("terms")?;
    Ok(Product {
        id: row.id("product_id", ProductId::from_bytes)?,
        seller: Seller {
            account: row.id("seller_id", AccountId::from_bytes)?,
            slug: row.text("seller_slug")?,
            name: row.text("seller_name")?,
            about: row.text("seller_about")?,
            claimed_at: row.opt_at("seller_claimed_at")?,
            standing: super::sellers::standing_of(row, "seller_standing")?,
        },
        slug: row.text("slug")?,
        code: row.text("code")?,
        kind: Kind::parse(&kind).ok_or_else(|| unknown("kind", &kind))?,
        state: State::parse(&state).ok_or_else(|| unknown("state", &state))?,
        name: row.text("name")?,
        summary: row.text("summary")?,
        description: row.text("description")?,
        language: row.text("language")?,
        version: row.text("version")?,
        homepage: row.opt_text("homepage")?,
        spdx: row.opt_text("spdx")?,
        terms: serde_json::from_str(&terms).map_err(|_| unknown("terms", &terms))?,
        prices: Vec::new(),
        regional: Vec::new(),
        meters: Vec::new(),
        categories: Vec::new(),
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
        published_at: row.opt_at("published_at")?,
    })
}

fn price_from_row(row: &Row) -> Result<Price, StoreError> {
    let (model, currency) = (row.text("model")?, row.text("currency")?);
    let period = row.opt_text("period")?;
    let currency = Currency::parse(&currency).map_err(|_| unknown("currency", &currency))?;
    let id = row.id("price_id", PriceId::from_bytes)?;
    Ok(Price {
        id,
        // A price from before there were plans is the first of its own.
        plan: row.opt_id("plan_id", PriceId::from_bytes)?.unwrap_or(id),
        regional: row.int("regional")? != 0,
        terms: match row.opt_text("terms")? {
            Some(text) => Some(serde_json::from_str(&text).map_err(|_| unknown("terms", &text))?),
            None => None,
        },
        trial: match row.opt_int("trial_days")? {
            Some(days) => Some(Trial {
                days,
                without_method: row.int("trial_without_method")? != 0,
            }),
            None => None,
        },
        model: PriceModel::parse(&model).ok_or_else(|| unknown("model", &model))?,
        period: match period {
            Some(text) => Some(text.parse().map_err(|_| unknown("period", &text))?),
            None => None,
        },
        amount: Money::new(row.int("amount_minor")?, currency),
        bounds: Bounds {
            minimum_minor: row.opt_int("minimum_minor")?,
            most: row.opt_int("most")?,
            countries: row.opt_text("countries")?.map_or(Vec::new(), |text| {
                text.split(',').map(str::to_owned).collect()
            }),
            renewing: match row.opt_text("renewing")? {
                Some(text) => {
                    serde_json::from_str(&text).map_err(|_| unknown("renewing", &text))?
                }
                None => Renewing::default(),
            },
        },
    })
}

fn meter_from_row(row: &Row) -> Result<Meter, StoreError> {
    let (aggregation, tariff) = (row.text("aggregation")?, row.opt_text("tariff")?);
    let known = Aggregation::parse(&aggregation);
    Ok(Meter {
        id: row.id("meter_id", MeterId::from_bytes)?,
        name: row.text("name")?,
        unit: row.text("unit")?,
        aggregation: known.ok_or_else(|| unknown("aggregation", &aggregation))?,
        tariff: match tariff {
            Some(text) => Some(text.parse().map_err(|_| unknown("tariff", &text))?),
            None => None,
        },
    })
}

fn with_parts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    row: Option<Row>,
) -> Result<Option<Product>, StoreError> {
    let Some(row) = row else { return Ok(None) };
    let mut product = from_row(&row)?;
    (product.prices, product.regional) = for_sale(tx, tenant, product.id)?;
    product.meters = meters(tx, tenant, product.id)?;
    product.categories = chosen(tx, tenant, product.id)?;
    Ok(Some(product))
}

/// The product with that id, in any state.
pub(crate) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Option<Product>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", id.as_bytes().into()),
    ];
    let row = tx.query_one(BY_ID, &params)?;
    with_parts(tx, tenant, row)
}

/// The product at that address, in any state.
pub(crate) fn by_slug(
    tx: &mut dyn Tx,
    tenant: TenantId,
    slug: &str,
) -> Result<Option<Product>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("slug", slug.into())];
    let row = tx.query_one(BY_SLUG, &params)?;
    with_parts(tx, tenant, row)
}

/// The product with that code, in any state.
pub(crate) fn by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    code: &str,
) -> Result<Option<Product>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("code", code.into())];
    let row = tx.query_one(BY_CODE, &params)?;
    with_parts(tx, tenant, row)
}

/// Every product of a seller, newest first.
pub(crate) fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<Product>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let rows = tx.query(OF_SELLER, &params)?;
    let mut products = Vec::with_capacity(rows.len());
    for row in rows {
        products.extend(with_parts(tx, tenant, Some(row))?);
    }
    Ok(products)
}

/// The ids of a seller's products behind one, in their order.
pub(crate) fn after(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    after: Option<ProductId>,
    limit: i64,
) -> Result<Vec<ProductId>, StoreError> {
    let after = after.unwrap_or(ProductId::from_bytes([0; 16]));
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("after", after.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(AFTER, &params)?;
    rows.iter()
        .map(|row| row.id("product_id", ProductId::from_bytes))
        .collect()
}

/// The product that a current price belongs to.
pub(crate) fn of_price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
) -> Result<Option<ProductId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", price.as_bytes().into()),
    ];
    let row = tx.query_one(OF_PRICE, &params)?;
    row.map(|row| row.id("product_id", ProductId::from_bytes))
        .transpose()
}

/// A price, current or archived, and its product.
pub(crate) fn price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PriceId,
) -> Result<Option<(ProductId, Price)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", id.as_bytes().into()),
    ];
    let row = tx.query_one(PRICE, &params)?;
    row.map(|row| {
        Ok((
            row.id("product_id", ProductId::from_bytes)?,
            price_from_row(&row)?,
        ))
    })
    .transpose()
}

fn of_product(tenant: TenantId, id: ProductId) -> [(&'static str, Value); 2] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("product", id.as_bytes().into()),
    ]
}

/// The current prices of each product, in its seller's order, without those that stand in for them
/// in some countries.
pub(crate) fn prices_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    ids: &[ProductId],
) -> Result<HashMap<ProductId, Vec<Price>>, StoreError> {
    let mut prices: HashMap<ProductId, Vec<Price>> = HashMap::with_capacity(ids.len());
    let shared = [("tenant", tenant.as_bytes().into())];
    for chunk in ids.chunks(CHUNK) {
        let among = chunk.iter().map(|id| id.as_bytes().into());
        for row in rows::any_of(tx, PRICES_OF, &shared, among)? {
            let price = price_from_row(&row)?;
            if !price.regional {
                let product = row.id("product_id", ProductId::from_bytes)?;
                prices.entry(product).or_default().push(price);
            }
        }
    }
    Ok(prices)
}

/// The current prices of a product, in the seller's order, and what stands in for them in some
/// countries.
pub(crate) fn for_sale(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<(Vec<Price>, Vec<Price>), StoreError> {
    let rows = tx.query(PRICES, &of_product(tenant, id))?;
    let all = rows.iter().map(price_from_row);
    let all = all.collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().partition(|price| !price.regional))
}

/// Every version of a product's prices, the newest first.
pub(crate) fn versions(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Vec<Version>, StoreError> {
    let rows = tx.query(VERSIONS, &of_product(tenant, id))?;
    let version = |row: &Row| {
        Ok(Version {
            price: price_from_row(row)?,
            created_at: row.at("created_at")?,
            archived_at: row.opt_at("archived_at")?,
        })
    };
    rows.iter().map(version).collect()
}

/// The current meters of a product, by name.
pub(crate) fn meters(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Vec<Meter>, StoreError> {
    let rows = tx.query(METERS, &of_product(tenant, id))?;
    rows.iter().map(meter_from_row).collect()
}

fn chosen(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: ProductId,
) -> Result<Vec<CategoryRef>, StoreError> {
    let rows = tx.query(CHOSEN, &of_product(tenant, id))?;
    let category = |row: &Row| {
        Ok(CategoryRef {
            id: row.id("category_id", CategoryId::from_bytes)?,
            path: row.text("path")?,
            name: row.text("name")?,
        })
    };
    rows.iter().map(category).collect()
}

/// The row number of a product's words: 62 of its id's random bits, so that nothing is counted.
pub(crate) fn doc_id(id: ProductId) -> i64 {
    let mut tail = [0; 8];
    tail.copy_from_slice(&id.as_bytes()[8..]);
    i64::from_be_bytes(tail) & 0x3fff_ffff_ffff_ffff
}

/// The parameters of [`INSERT`] and [`UPDATE`] that are the same.
fn columns(tenant: TenantId, product: &Product) -> Result<Vec<(&'static str, Value)>, StoreError> {
    let terms = serde_json::to_string(&product.terms);
    let terms = terms.map_err(|error| StoreError::shape(error.to_string()))?;
    let category = product.categories.first().map(|category| category.id);
    let category = category.ok_or_else(|| StoreError::shape("no category".to_owned()))?;
    Ok(vec![
        ("product", product.id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("seller", product.seller.account.as_bytes().into()),
        ("slug", product.slug.as_str().into()),
        ("code", product.code.as_str().into()),
        ("kind", product.kind.name().into()),
        ("state", product.state.name().into()),
        ("name", product.name.as_str().into()),
        ("summary", product.summary.as_str().into()),
        ("description", product.description.as_str().into()),
        ("language", product.language.as_str().into()),
        ("version", product.version.as_str().into()),
        ("homepage", product.homepage.as_deref().into()),
        ("spdx", product.spdx.as_deref().into()),
        ("terms", terms.into()),
        ("category", category.as_bytes().into()),
        ("updated", product.updated_at.into()),
        ("published", product.published_at.into()),
    ])
}

/// Inserts the product's own row. A taken slug or code is a conflict.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: &Product,
) -> Result<(), StoreError> {
    let mut params = columns(tenant, product)?;
    params.push(("doc", doc_id(product.id).into()));
    params.push(("created", product.created_at.into()));
    tx.execute(INSERT, &params).map(drop)
}

/// As [`insert`], but answers `false` when slug or code are taken, and the commit goes on.
pub(crate) fn insert_if_free(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: &Product,
) -> Result<bool, StoreError> {
    let mut params = columns(tenant, product)?;
    params.push(("doc", doc_id(product.id).into()));
    params.push(("created", product.created_at.into()));
    Ok(tx.execute(INSERT_IF_FREE, &params)? == 1)
}

/// Gives a product to another seller.
pub(crate) fn hand_over(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    seller: AccountId,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.execute(HAND_OVER, &params).map(drop)
}

/// Replaces the product's own row, if its seller owns it; `false` when not.
pub(crate) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: &Product,
) -> Result<bool, StoreError> {
    let mut params = columns(tenant, product)?;
    let archived = (product.state == State::Archived).then_some(product.updated_at);
    params.push(("archived", archived.into()));
    Ok(tx.execute(UPDATE, &params)? == 1)
}

/// Countries as stored; none for everywhere.
fn countries(bounds: &Bounds) -> Option<String> {
    (!bounds.countries.is_empty()).then(|| bounds.countries.join(","))
}

fn renewing_text(bounds: &Bounds) -> Result<Option<String>, StoreError> {
    if bounds.renewing.is_usual() {
        return Ok(None);
    }
    let text = serde_json::to_string(&bounds.renewing);
    text.map(Some)
        .map_err(|error| StoreError::shape(error.to_string()))
}

/// Inserts prices of products, at places in their sellers' orders.
pub(crate) fn insert_prices(
    tx: &mut dyn Tx,
    tenant: TenantId,
    prices: &[(ProductId, i64, Price)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let row = |(product, position, price): &(ProductId, i64, Price)| {
        let terms = price.terms.as_ref().map(serde_json::to_string).transpose();
        let terms = terms.map_err(|error| StoreError::shape(error.to_string()))?;
        Ok([
            price.id.as_bytes().into(),
            tenant.as_bytes().into(),
            product.as_bytes().into(),
            Value::Int(*position),
            price.model.name().into(),
            price.period.map(String::from).into(),
            price.amount.minor().into(),
            price.amount.currency().code().into(),
            now.into(),
            price.bounds.minimum_minor.into(),
            price.bounds.most.into(),
            countries(&price.bounds).into(),
            price.plan.as_bytes().into(),
            Value::Int(i64::from(price.regional)),
            terms.into(),
            price.trial.map(|trial| trial.days).into(),
            Value::Int(
                price
                    .trial
                    .map_or(0, |trial| i64::from(trial.without_method)),
            ),
            renewing_text(&price.bounds)?.into(),
        ])
    };
    let rows = prices.iter().map(row).collect::<Result<_, StoreError>>()?;
    insert_rows(tx, INSERT_PRICES, rows)
}

/// Says how every version of a plan can be tried, and what stands in for it in some countries.
pub(crate) fn set_trial(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (product, plan): (ProductId, PriceId),
    trial: Option<Trial>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("plan", plan.as_bytes().into()),
        ("days", trial.map(|trial| trial.days).into()),
        (
            "open",
            Value::Int(trial.map_or(0, |trial| i64::from(trial.without_method))),
        ),
    ];
    tx.execute(SET_TRIAL, &params).map(drop)
}

/// Moves a price to another place in the seller's order.
pub(crate) fn move_price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
    position: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", price.as_bytes().into()),
        ("position", position.into()),
    ];
    tx.execute(MOVE_PRICE, &params).map(drop)
}

/// Takes a price out of sale; orders that name it still find it.
pub(crate) fn archive_price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", price.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(ARCHIVE_PRICE, &params).map(drop)
}

/// Brings a price back, at a place in the seller's order.
pub(crate) fn restore_price(
    tx: &mut dyn Tx,
    tenant: TenantId,
    price: PriceId,
    position: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("price", price.as_bytes().into()),
        ("position", position.into()),
    ];
    tx.execute(RESTORE_PRICE, &params).map(drop)
}

/// Inserts a meter, or changes the one of that name, which keeps its id.
pub(crate) fn put_meter(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    meter: &Meter,
) -> Result<(), StoreError> {
    let params = [
        ("meter", meter.id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("name", meter.name.as_str().into()),
        ("unit", meter.unit.as_str().into()),
        ("aggregation", meter.aggregation.name().into()),
        (
            "tariff",
            meter.tariff.as_ref().map(ToString::to_string).into(),
        ),
    ];
    tx.execute(PUT_METER, &params).map(drop)
}

/// Takes a meter out of the product; usage counted so far keeps its rows.
pub(crate) fn archive_meter(
    tx: &mut dyn Tx,
    tenant: TenantId,
    meter: MeterId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("meter", meter.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(ARCHIVE_METER, &params).map(drop)
}

/// Takes a product's words out of the index.
pub(crate) fn drop_words(tx: &mut dyn Tx, id: ProductId) -> Result<(), StoreError> {
    tx.execute(DROP_WORDS, &[("doc", doc_id(id).into())])
        .map(drop)
}

/// Puts products' words into the index, where they are not yet.
pub(crate) fn insert_words(
    tx: &mut dyn Tx,
    words: Vec<(ProductId, String)>,
) -> Result<(), StoreError> {
    let row = |(id, tokens): (ProductId, String)| [doc_id(id).into(), tokens.into()];
    insert_rows(tx, INSERT_WORDS, words.into_iter().map(row).collect())
}
