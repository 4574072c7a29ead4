//! Routes of the catalog.

mod prices;

use super::model::{
    CategoryCount, Cycle, Facets, Kind, LicenseTerms, Listing, ListingPage, Price, PriceBand,
    Product, ProductCard, ProductDraft, Renewing, SearchQuery, Seller, Sort, Standing, Trial,
    draft_of,
};
use super::ops::{
    CatalogError, Categories, CreateProduct, OpenShop, ProductAt, PublishProduct, SellerProducts,
    UpdateProduct, categories, create_product, listing, open_shop, product_at, publish_product,
    search, seller_products, update_product,
};
use crate::app::{App, Cx};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_products, post_product))
        .routes(routes!(get_product, patch_product))
        .routes(routes!(post_publish))
        .routes(routes!(get_categories))
        .routes(routes!(get_search))
        .routes(routes!(put_shop))
        .routes(routes!(get_shop_products))
        .merge(prices::routes())
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        use CatalogError as E;
        let detail = error.to_string();
        match error {
            E::NotFound(_) => Self::not_found(detail),
            E::Gone => Self::new(410, "offer_gone", detail),
            E::Invalid(found) => {
                let sentences: Vec<String> = found
                    .iter()
                    .map(|one| format!("{}: {}", one.field, one.detail))
                    .collect();
                let problem = Self::new(422, "input_invalid", sentences.join("; "));
                match found.first() {
                    Some(first) => problem.at(first.field),
                    None => problem,
                }
            }
            E::Stopped(Standing::Closed) => Self::new(409, "seller_closed", detail),
            E::Stopped(_) => Self::new(409, "seller_suspended", detail),
            E::ShopMissing => Self::new(409, "shop_missing", detail),
            E::CursorUnknown => Self::new(400, "cursor_malformed", detail).at("cursor"),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// A price.
#[derive(Serialize, ToSchema)]
pub struct PriceOut {
    price_id: String,
    /// `free`, `one_time`, `recurring` or `metered`.
    model: &'static str,
    /// How often, when recurring.
    period: Option<Cycle>,
    /// What it costs, or what is suggested when the buyer names the price.
    amount_minor: i64,
    currency: String,
    /// The least that a buyer who names the price may name.
    minimum_minor: Option<i64>,
    /// So many at most in one order.
    most: Option<i64>,
    /// For buyers in these countries or groups of them only; everywhere when none is named.
    countries: Vec<String>,
    /// The plan that it is a version of: the id of the first.
    plan_id: String,
    /// What a license at this price grants; absent for what the product says.
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<LicenseTerms>,
    /// How it can be tried before it is charged; absent when it can't.
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<Trial>,
    /// After how many payments it ends, and how long a license works unpaid; absent for as long as nobody
    /// ends it, and 7 days.
    #[serde(skip_serializing_if = "Renewing::is_usual")]
    renewing: Renewing,
}

/// A meter.
#[derive(Serialize, ToSchema)]
#[schema(as = CatalogMeterOut)]
pub struct MeterOut {
    meter_id: String,
    name: String,
    unit: String,
    aggregation: &'static str,
    /// `EUR per_unit 0.0004; free 1000`; absent when usage is counted and never billed.
    tariff: Option<String>,
}

/// Who sells.
#[derive(Serialize, ToSchema)]
pub struct SellerOut {
    slug: String,
    name: String,
    about: String,
    /// Whether a person manages it; an imported seller is not claimed yet.
    claimed: bool,
}

/// A category.
#[derive(Serialize, ToSchema)]
pub struct CategoryOut {
    /// Slugs joined by `/`; empty for everything.
    path: String,
    name: String,
    /// Products in it and below it.
    products: u64,
}

/// A product in full.
#[derive(Serialize, ToSchema)]
pub struct ProductOut {
    product_id: String,
    slug: String,
    code: String,
    kind: &'static str,
    state: &'static str,
    name: String,
    summary: String,
    /// Markdown.
    description: String,
    language: String,
    version: String,
    homepage: Option<String>,
    spdx: Option<String>,
    seller: SellerOut,
    /// Paths; the first names it in lists.
    categories: Vec<String>,
    prices: Vec<PriceOut>,
    /// What stands in for the price of the same plan where a buyer is in its countries.
    regional_prices: Vec<PriceOut>,
    meters: Vec<MeterOut>,
    terms: LicenseTerms,
    /// Milliseconds since 1970 (UTC).
    updated_at: i64,
}

/// A product in a list.
#[derive(Serialize, ToSchema)]
pub struct CardOut {
    product_id: String,
    slug: String,
    name: String,
    summary: String,
    kind: &'static str,
    version: String,
    seller: String,
    category: String,
    /// The cheapest price.
    price: Option<PriceOut>,
    /// Whether there are more.
    more_prices: bool,
}

/// One value of a facet.
#[derive(Serialize, ToSchema)]
pub struct CountOut {
    value: String,
    products: u64,
}

/// Ways to narrow a list; each ignores its own choice.
#[derive(Serialize, ToSchema)]
pub struct FacetsOut {
    kinds: Vec<CountOut>,
    prices: Vec<CountOut>,
    categories: Vec<CategoryOut>,
}

/// A page of products.
#[derive(Serialize, ToSchema)]
pub struct PageOut {
    items: Vec<CardOut>,
    facets: FacetsOut,
    total: u64,
    /// Whether there are more than `total`: a search counts up to 1000.
    total_is_floor: bool,
    /// The next page's `cursor`.
    next: Option<String>,
}

fn price_out(price: &Price) -> PriceOut {
    PriceOut {
        price_id: price.id.to_string(),
        model: price.model.name(),
        period: price.period,
        amount_minor: price.amount.minor(),
        currency: price.amount.currency().to_string(),
        minimum_minor: price.bounds.minimum_minor,
        most: price.bounds.most,
        countries: price.bounds.countries.clone(),
        plan_id: price.plan.to_string(),
        terms: price.terms.clone(),
        trial: price.trial,
        renewing: price.bounds.renewing,
    }
}

fn seller_out(seller: &Seller) -> SellerOut {
    SellerOut {
        slug: seller.slug.clone(),
        name: seller.name.clone(),
        about: seller.about.clone(),
        claimed: seller.claimed_at.is_some(),
    }
}

/// A product as programs see it.
pub(crate) fn product_out(product: Product) -> ProductOut {
    let meters = product.meters.iter().map(|meter| MeterOut {
        meter_id: meter.id.to_string(),
        name: meter.name.clone(),
        unit: meter.unit.clone(),
        aggregation: meter.aggregation.name(),
        tariff: meter.tariff.as_ref().map(ToString::to_string),
    });
    ProductOut {
        product_id: product.id.to_string(),
        kind: product.kind.name(),
        state: product.state.name(),
        seller: seller_out(&product.seller),
        categories: product
            .categories
            .iter()
            .map(|category| category.path.clone())
            .collect(),
        prices: product.prices.iter().map(price_out).collect(),
        regional_prices: product.regional.iter().map(price_out).collect(),
        meters: meters.collect(),
        slug: product.slug,
        code: product.code,
        name: product.name,
        summary: product.summary,
        description: product.description,
        language: product.language,
        version: product.version,
        homepage: product.homepage,
        spdx: product.spdx,
        terms: product.terms,
        updated_at: product.updated_at.ms(),
    }
}

fn card_out(card: ProductCard) -> CardOut {
    CardOut {
        product_id: card.id.to_string(),
        kind: card.kind.name(),
        seller: card.seller.0,
        category: card.category.path,
        price: card.price.as_ref().map(price_out),
        more_prices: card.more_prices,
        slug: card.slug,
        name: card.name,
        summary: card.summary,
        version: card.version,
    }
}

fn category_out(entry: CategoryCount) -> CategoryOut {
    CategoryOut {
        path: entry.category.path,
        name: entry.category.name,
        products: entry.count,
    }
}

fn facets_out(facets: Facets) -> FacetsOut {
    let count = |value: &str, products| CountOut {
        value: value.to_owned(),
        products,
    };
    FacetsOut {
        kinds: facets
            .kinds
            .iter()
            .map(|one| count(one.kind.name(), one.count))
            .collect(),
        prices: facets
            .bands
            .iter()
            .map(|one| count(one.band.name(), one.count))
            .collect(),
        categories: facets.categories.into_iter().map(category_out).collect(),
    }
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListingIn {
    /// A category's path.
    category: Option<String>,
    kind: Option<Kind>,
    price: Option<PriceBand>,
    sort: Option<Sort>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 100; 24 when absent.
    limit: Option<u32>,
}

/// List products of a category, or all.
#[utoipa::path(get, path = "/v1/products", tag = "catalog", params(ListingIn),
    responses((status = 200, body = PageOut), (status = 400), (status = 404)))]
async fn get_products(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<ListingIn>,
) -> Result<Json<PageOut>, Problem> {
    let query = Listing {
        category: asked.category.unwrap_or_default(),
        kind: asked.kind,
        band: asked.price,
        sort: asked.sort.unwrap_or(Sort::Newest),
        cursor: asked.cursor,
        limit: asked.limit.unwrap_or(Listing::PAGE),
    };
    let page: ListingPage = app.read(&visitor.caller, query, listing).await?;
    Ok(Json(PageOut {
        items: page.items.into_iter().map(card_out).collect(),
        facets: facets_out(page.facets),
        total: page.total,
        total_is_floor: false,
        next: page.next,
    }))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchIn {
    /// Words; all of them must be there.
    #[serde(default)]
    q: String,
    /// The language of the words (ISO 639-1).
    lang: Option<String>,
    /// Only in this category.
    category: Option<String>,
    kind: Option<Kind>,
    price: Option<PriceBand>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// 1 to 100; 24 when absent.
    limit: Option<u32>,
}

/// Search products.
#[utoipa::path(get, path = "/v1/search", tag = "catalog", params(SearchIn),
    responses((status = 200, body = PageOut), (status = 400), (status = 404)))]
async fn get_search(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<SearchIn>,
) -> Result<Json<PageOut>, Problem> {
    let query = SearchQuery {
        text: asked.q,
        language: asked.lang.unwrap_or_else(|| "en".to_owned()),
        category: asked.category.unwrap_or_default(),
        kind: asked.kind,
        band: asked.price,
        cursor: asked.cursor,
        limit: asked.limit.unwrap_or(Listing::PAGE),
    };
    let page = app.read(&visitor.caller, query, search).await?;
    Ok(Json(PageOut {
        items: page.items.into_iter().map(card_out).collect(),
        facets: facets_out(page.facets),
        total: page.total,
        total_is_floor: page.total_is_floor,
        next: page.next,
    }))
}

/// Every category, by path.
#[utoipa::path(get, path = "/v1/categories", tag = "catalog",
    responses((status = 200, body = Vec<CategoryOut>)))]
async fn get_categories(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<CategoryOut>>, Problem> {
    let tree = app.read(&visitor.caller, Categories, categories).await?;
    Ok(Json(tree.into_iter().map(category_out).collect()))
}

async fn at(app: &App, caller: &Caller, slug: String) -> Result<Product, Problem> {
    Ok(app.read(caller, ProductAt { slug }, product_at).await?)
}

/// One product; what isn't published is there for its seller only.
#[utoipa::path(get, path = "/v1/products/{slug}", tag = "catalog",
    params(("slug" = String, Path)),
    responses((status = 200, body = ProductOut), (status = 404)))]
async fn get_product(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<ProductOut>, Problem> {
    Ok(Json(product_out(at(&app, &visitor.caller, slug).await?)))
}

/// Write a product; it starts as a draft.
#[utoipa::path(post, path = "/v1/products", tag = "catalog", request_body = ProductDraft,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ProductOut), (status = 401), (status = 403), (status = 409),
        (status = 422)))]
async fn post_product(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
    body: JsonBody<ProductDraft>,
) -> Result<(StatusCode, Json<ProductOut>), Problem> {
    let command = CreateProduct { draft: body.value };
    let slug = match key.over(&body.bytes) {
        Some(promise) => {
            app.transact_once(&visitor.caller, promise, command, create_slug)
                .await?
        }
        None => app.transact(&visitor.caller, command, create_slug).await?,
    };
    let product = at(&app, &visitor.caller, slug).await?;
    Ok((StatusCode::CREATED, Json(product_out(product))))
}

/// Creates, and answers what is stored under an idempotency key.
fn create_slug(cx: &mut Cx<'_>, command: &CreateProduct) -> Result<String, CatalogError> {
    create_product(cx, command).map(|product| product.slug)
}

/// Change a product of one's own: fields that are absent stay (JSON merge patch, RFC 7396).
#[utoipa::path(patch, path = "/v1/products/{slug}", tag = "catalog", request_body = ProductDraft,
    params(("slug" = String, Path)),
    responses((status = 200, body = ProductOut), (status = 401), (status = 403), (status = 404),
        (status = 422)))]
async fn patch_product(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    body: JsonBody<serde_json::Map<String, serde_json::Value>>,
) -> Result<Json<ProductOut>, Problem> {
    let product = at(&app, &visitor.caller, slug).await?;
    let draft = patched(&product, body.value)?;
    let command = UpdateProduct {
        product: product.id,
        draft,
    };
    let product = app
        .transact(&visitor.caller, command, update_product)
        .await?;
    Ok(Json(product_out(product)))
}

fn patched(
    product: &Product,
    patch: serde_json::Map<String, serde_json::Value>,
) -> Result<ProductDraft, Problem> {
    let unexpected = |error: serde_json::Error| {
        Problem::new(
            400,
            "json_unexpected",
            format!("The JSON can't be read: {error}."),
        )
    };
    let mut value = serde_json::to_value(draft_of(product)).map_err(unexpected)?;
    if let Some(fields) = value.as_object_mut() {
        for (name, given) in patch {
            if given.is_null() {
                fields.remove(&name);
            } else {
                fields.insert(name, given);
            }
        }
    }
    serde_json::from_value(value).map_err(unexpected)
}

/// Put a product of one's own up for sale.
#[utoipa::path(post, path = "/v1/products/{slug}/publish", tag = "catalog",
    params(("slug" = String, Path)),
    responses((status = 200, body = ProductOut), (status = 401), (status = 403), (status = 404),
        (status = 422)))]
async fn post_publish(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<ProductOut>, Problem> {
    let product = at(&app, &visitor.caller, slug).await?.id;
    let command = PublishProduct { product };
    let product = app
        .transact(&visitor.caller, command, publish_product)
        .await?;
    Ok(Json(product_out(product)))
}

/// Open one's shop, or change how it is shown.
#[utoipa::path(put, path = "/v1/shop", tag = "catalog", request_body = OpenShop,
    responses((status = 200, body = SellerOut), (status = 401), (status = 403), (status = 422)))]
async fn put_shop(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<OpenShop>,
) -> Result<Json<SellerOut>, Problem> {
    let seller = app.transact(&visitor.caller, body.value, open_shop).await?;
    Ok(Json(seller_out(&seller)))
}

/// One's own products in any state, newest first.
#[utoipa::path(get, path = "/v1/shop/products", tag = "catalog",
    responses((status = 200, body = Vec<ProductOut>)))]
async fn get_shop_products(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<ProductOut>>, Problem> {
    let products = app
        .read(&visitor.caller, SellerProducts, seller_products)
        .await?;
    Ok(Json(products.into_iter().map(product_out).collect()))
}
