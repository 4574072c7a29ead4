//! Routes of bundles: what is sold together, and a seller's own.

use super::{
    Bundle, BundleError, Draft, Gone, Listed, Offered, OwnBundles, SaveBundle, Shelf, SwitchBundle,
    listed, on_shelf, own_bundles, page_size, save_bundle, switch_bundle,
};
use crate::app::App;
use crate::domains::catalog::model::PriceBand;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::BundleId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(list_own))
        .routes(routes!(replace))
        .routes(routes!(switch))
}

impl From<BundleError> for Problem {
    fn from(error: BundleError) -> Self {
        use BundleError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such bundle."),
            E::Invalid(wrong) => Self::new(422, "bundle_invalid", detail).at(wrong.field()),
            E::NameTaken => Self::new(409, "bundle_name_taken", detail).at("name"),
            E::Withdrawn(_) => Self::new(410, "bundle_withdrawn", detail).at("price_id"),
            E::Incomplete { .. } => Self::new(410, "bundle_incomplete", detail).at("price_id"),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// A bundle.
#[derive(Serialize, ToSchema)]
pub struct BundleOut {
    bundle_id: String,
    slug: String,
    name: String,
    summary: String,
    /// In the seller's order.
    product_ids: Vec<String>,
    /// One for each currency.
    prices: Vec<BundlePriceOut>,
    /// When its seller took it out of sale: milliseconds since 1970 (UTC).
    withdrawn_at: Option<i64>,
}

/// A bundle in one currency.
#[derive(Serialize, ToSchema)]
pub struct BundlePriceOut {
    /// Stands where a price's id does: in carts, quotes and checkouts.
    price_id: String,
    amount_minor: i64,
    currency: String,
    /// Whether it can be bought now.
    for_sale: bool,
    /// The product that keeps it from being sold, if one does.
    missing: Option<String>,
    /// What its products cost apart; none while it isn't sold.
    apart_minor: Option<i64>,
    parts: Vec<BundlePartOut>,
}

/// One product's part of a bundle's price.
#[derive(Serialize, ToSchema)]
pub struct BundlePartOut {
    product_id: String,
    product_slug: String,
    title: String,
    /// By itself.
    single_minor: i64,
    /// In the bundle.
    share_minor: i64,
}

fn price_out(offered: &Offered) -> BundlePriceOut {
    let parts = offered.parts.iter().map(|part| BundlePartOut {
        product_id: part.offer.product.id.to_string(),
        product_slug: part.offer.product.slug.clone(),
        title: part.offer.product.name.clone(),
        single_minor: part.offer.price.amount.minor(),
        share_minor: part.share.minor(),
    });
    let amount = offered.price.amount;
    BundlePriceOut {
        price_id: offered.price.id.to_string(),
        amount_minor: amount.minor(),
        currency: amount.currency().code().to_owned(),
        for_sale: offered.is_for_sale(),
        missing: match &offered.gone {
            Some(Gone::Product(name)) => Some(name.clone()),
            _ => None,
        },
        apart_minor: offered.apart().map(|apart| apart.minor()),
        parts: parts.collect(),
    }
}

fn bundle_out((bundle, offers): &(Bundle, Vec<Offered>)) -> BundleOut {
    BundleOut {
        bundle_id: bundle.id.to_string(),
        slug: bundle.slug.clone(),
        name: bundle.name.clone(),
        summary: bundle.summary.clone(),
        product_ids: bundle.products.iter().map(ToString::to_string).collect(),
        prices: offers.iter().map(price_out).collect(),
        withdrawn_at: bundle.withdrawn_at.map(Timestamp::ms),
    }
}

/// Bundles.
#[derive(Serialize, ToSchema)]
pub struct BundlesOut {
    bundles: Vec<BundleOut>,
}

/// Which page of bundles.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct BundlesQuery {
    /// Words that all must be found by, in its name, its sentence or the names of its products.
    q: Option<String>,
    /// Only of this category, by its path.
    category: Option<String>,
    /// Only in this price band.
    price: Option<PriceBand>,
    /// The last bundle of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
}

/// What is sold together, newest first; with `q`, `category` or `price`, what is found by them.
#[utoipa::path(get, path = "/v1/bundles", tag = "bundles", params(BundlesQuery),
    responses((status = 200, body = BundlesOut)))]
async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<BundlesQuery>,
) -> Result<Json<BundlesOut>, Problem> {
    let before = query.before.as_deref().map(BundleId::parse).transpose()?;
    let narrow = query.q.is_some() || query.category.is_some() || query.price.is_some();
    let found = match narrow {
        true => {
            let shelf = Shelf {
                words: query.q.unwrap_or_default(),
                category: query.category.unwrap_or_default(),
                band: query.price,
                before,
                limit: page_size(query.limit),
            };
            app.read(&visitor.caller, shelf, on_shelf).await?
        }
        false => {
            let limit = query.limit;
            let listed_ones = Listed { before, limit };
            app.read(&visitor.caller, listed_ones, listed).await?
        }
    };
    let bundles = found.iter().map(bundle_out).collect();
    Ok(Json(BundlesOut { bundles }))
}

/// One's own bundles, those too that aren't sold.
#[utoipa::path(get, path = "/v1/shop/bundles", tag = "bundles",
    responses((status = 200, body = BundlesOut)))]
async fn list_own(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<BundlesOut>, Problem> {
    let found = app.read(&visitor.caller, OwnBundles, own_bundles).await?;
    let bundles = found.iter().map(bundle_out).collect();
    Ok(Json(BundlesOut { bundles }))
}

/// The own bundle of that id, as it is now.
async fn shown(app: &App, visitor: &Visitor, id: BundleId) -> Result<Json<BundleOut>, Problem> {
    let found = app.read(&visitor.caller, OwnBundles, own_bundles).await?;
    let own = found.iter().find(|(bundle, _)| bundle.id == id);
    Ok(Json(bundle_out(own.ok_or(BundleError::NotFound)?)))
}

/// Sell products together.
#[utoipa::path(post, path = "/v1/bundles", tag = "bundles", request_body = Draft,
    responses((status = 201, body = BundleOut), (status = 401), (status = 403), (status = 409),
        (status = 422)))]
async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<Draft>,
) -> Result<(StatusCode, Json<BundleOut>), Problem> {
    let command = SaveBundle {
        bundle: None,
        draft: body.value,
    };
    let made = app.transact(&visitor.caller, command, save_bundle).await?;
    Ok((StatusCode::CREATED, shown(&app, &visitor, made.id).await?))
}

/// Replace what a bundle says; its address and the ids of its prices stay.
#[utoipa::path(put, path = "/v1/bundles/{bundle_id}", tag = "bundles", request_body = Draft,
    params(("bundle_id" = String, Path)),
    responses((status = 200, body = BundleOut), (status = 401), (status = 403), (status = 404),
        (status = 422)))]
async fn replace(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(bundle): PathParam<BundleId>,
    body: JsonBody<Draft>,
) -> Result<Json<BundleOut>, Problem> {
    let command = SaveBundle {
        bundle: Some(bundle),
        draft: body.value,
    };
    app.transact(&visitor.caller, command, save_bundle).await?;
    shown(&app, &visitor, bundle).await
}

/// Whether it shall be sold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchBundleIn {
    on: bool,
}

/// Take a bundle out of sale, or bring it back.
#[utoipa::path(post, path = "/v1/bundles/{bundle_id}/switch", tag = "bundles",
    request_body = SwitchBundleIn, params(("bundle_id" = String, Path)),
    responses((status = 200, body = BundleOut), (status = 401), (status = 403), (status = 404)))]
async fn switch(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(bundle): PathParam<BundleId>,
    body: JsonBody<SwitchBundleIn>,
) -> Result<Json<BundleOut>, Problem> {
    let command = SwitchBundle {
        bundle,
        on: body.value.on,
    };
    app.transact(&visitor.caller, command, switch_bundle)
        .await?;
    shown(&app, &visitor, bundle).await
}
