//! Routes of prices and plans: every version, a new one, out of sale and back.

use super::{PriceOut, price_out};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::catalog::model::{PriceBook, PriceDraft, Version};
use crate::domains::catalog::ops::{
    AddPrice, ChangePrice, PriceVersions, ProductAt, SwitchPrice, add_price, change_price,
    price_versions, product_at, switch_price,
};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{PriceId, ProductId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_versions, post_price))
        .routes(routes!(put_price))
        .routes(routes!(post_archive_price))
        .routes(routes!(post_restore_price))
}

/// One version of a price.
#[derive(Serialize, ToSchema)]
pub struct VersionOut {
    #[serde(flatten)]
    price: PriceOut,
    /// Whether it stands in for its plan's usual price in its countries.
    regional: bool,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    /// When it went out of sale; absent while it is for sale.
    archived_at: Option<i64>,
}

/// Every version of a product's prices.
#[derive(Serialize, ToSchema)]
pub struct VersionsOut {
    product_id: String,
    /// The newest first, at most 500.
    versions: Vec<VersionOut>,
}

impl From<PriceBook> for VersionsOut {
    fn from(book: PriceBook) -> Self {
        let version = |version: &Version| VersionOut {
            price: price_out(&version.price),
            regional: version.price.regional,
            created_at: version.created_at.ms(),
            archived_at: version.archived_at.map(|at| at.ms()),
        };
        Self {
            product_id: book.product.id.to_string(),
            versions: book.versions.iter().map(version).collect(),
        }
    }
}

/// A price that is added or changed, and the product's prices with it.
#[derive(Serialize, ToSchema)]
pub struct PricePutOut {
    /// The version that is for sale now.
    price_id: String,
    #[serde(flatten)]
    all: VersionsOut,
}

async fn book(app: &App, caller: &Caller, product: ProductId) -> Result<VersionsOut, Problem> {
    let query = PriceVersions { product };
    Ok(app.read(caller, query, price_versions).await?.into())
}

/// Every version of the prices of a product of one's own.
#[utoipa::path(get, path = "/v1/products/{slug}/prices", tag = "catalog",
    params(("slug" = String, Path)),
    responses((status = 200, body = VersionsOut), (status = 404)))]
async fn get_versions(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<VersionsOut>, Problem> {
    let product = app
        .read(&visitor.caller, ProductAt { slug }, product_at)
        .await?;
    Ok(Json(book(&app, &visitor.caller, product.id).await?))
}

/// A price to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPriceIn {
    price: PriceDraft,
    /// The price that it stands in for in its countries; absent for one by itself.
    #[serde(default)]
    region_of: Option<String>,
}

/// Add a price to a product of one's own.
#[utoipa::path(post, path = "/v1/products/{slug}/prices", tag = "catalog",
    params(("slug" = String, Path)), request_body = NewPriceIn,
    responses((status = 201, body = PricePutOut), (status = 403), (status = 404), (status = 422)))]
async fn post_price(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    body: JsonBody<NewPriceIn>,
) -> Result<(StatusCode, Json<PricePutOut>), Problem> {
    let caller = &visitor.caller;
    let product = app.read(caller, ProductAt { slug }, product_at).await?;
    let given = body.value;
    let command = AddPrice {
        product: product.id,
        draft: given.price,
        region_of: given.region_of.as_deref().map(PriceId::parse).transpose()?,
    };
    let (product, price) = app.transact(caller, command, add_price).await?;
    let out = PricePutOut {
        price_id: price.to_string(),
        all: book(&app, caller, product.id).await?,
    };
    Ok((StatusCode::CREATED, Json(out)))
}

/// Put a new version in the place of a price. Who bought or subscribed keeps what they had.
#[utoipa::path(put, path = "/v1/prices/{price_id}", tag = "catalog",
    params(("price_id" = String, Path)), request_body = PriceDraft,
    responses((status = 200, body = PricePutOut), (status = 403), (status = 404), (status = 422)))]
async fn put_price(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(price): PathParam<PriceId>,
    body: JsonBody<PriceDraft>,
) -> Result<Json<PricePutOut>, Problem> {
    let caller = &visitor.caller;
    let command = ChangePrice {
        price,
        draft: body.value,
    };
    let (product, price) = app.transact(caller, command, change_price).await?;
    Ok(Json(PricePutOut {
        price_id: price.to_string(),
        all: book(&app, caller, product.id).await?,
    }))
}

async fn switched(
    app: &App,
    caller: &Caller,
    (price, on): (PriceId, bool),
) -> Result<Json<VersionsOut>, Problem> {
    let command = SwitchPrice { price, on };
    let product = app.transact(caller, command, switch_price).await?;
    Ok(Json(book(app, caller, product.id).await?))
}

/// Take a price out of sale, and what stands in for it.
#[utoipa::path(post, path = "/v1/prices/{price_id}/archive", tag = "catalog",
    params(("price_id" = String, Path)),
    responses((status = 200, body = VersionsOut), (status = 403), (status = 404), (status = 422)))]
async fn post_archive_price(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(price): PathParam<PriceId>,
) -> Result<Json<VersionsOut>, Problem> {
    switched(&app, &visitor.caller, (price, false)).await
}

/// Bring a version of a price back; it takes the place of the one that is for sale.
#[utoipa::path(post, path = "/v1/prices/{price_id}/restore", tag = "catalog",
    params(("price_id" = String, Path)),
    responses((status = 200, body = VersionsOut), (status = 403), (status = 404), (status = 422)))]
async fn post_restore_price(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(price): PathParam<PriceId>,
) -> Result<Json<VersionsOut>, Problem> {
    switched(&app, &visitor.caller, (price, true)).await
}
