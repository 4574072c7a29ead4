//! Routes of archiving: out of sale, and what becomes of the product's subscriptions.

use crate::app::App;
use crate::caller::Caller;
use crate::domains::catalog::http::{ProductOut, product_out};
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::subscriptions::SubscriptionError;
use crate::domains::subscriptions::ops::{
    CallOff, DiscontinuationOf, Discontinuing, Retire, call_off, discontinuation_of, retire,
};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::Timestamp;
use mintreu::id::ProductId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_archive))
        .routes(routes!(get_discontinuation, delete_discontinuation))
}

/// What becomes of those who have it.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveIn {
    /// `go_on`, as when absent: subscriptions renew for who has them. `end`: each ends with what is
    /// paid, and its buyer is told.
    #[serde(default)]
    subscriptions: Option<String>,
}

impl ArchiveIn {
    fn ends(&self) -> Result<bool, SubscriptionError> {
        match self.subscriptions.as_deref() {
            None | Some("go_on") => Ok(false),
            Some("end") => Ok(true),
            Some(_) => Err(SubscriptionError::Invalid {
                field: "subscriptions",
                detail: "subscriptions go_on, or end".to_owned(),
            }),
        }
    }
}

async fn at(app: &App, caller: &Caller, slug: String) -> Result<ProductId, Problem> {
    Ok(app.read(caller, ProductAt { slug }, product_at).await?.id)
}

/// Take a product of one's own out of sale; its licenses live on, and its subscriptions as it says.
#[utoipa::path(post, path = "/v1/products/{slug}/archive", tag = "catalog",
    params(("slug" = String, Path)), request_body = Option<ArchiveIn>,
    responses((status = 200, body = ProductOut), (status = 401), (status = 403), (status = 404),
        (status = 422)))]
async fn post_archive(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    body: Option<JsonBody<Option<ArchiveIn>>>,
) -> Result<Json<ProductOut>, Problem> {
    let wished = body.and_then(|body| body.value).unwrap_or_default();
    let command = Retire {
        product: at(&app, &visitor.caller, slug).await?,
        ends: wished.ends()?,
    };
    let product = app.transact(&visitor.caller, command, retire).await?;
    Ok(Json(product_out(product)))
}

/// How a product's subscriptions stand, and what was decided of them.
#[derive(Serialize, ToSchema)]
pub struct DiscontinuationOut {
    product_id: String,
    /// `none`, `ending` while buyers are told, `ended` when all were, or `called_off`.
    state: &'static str,
    wished_at: Option<i64>,
    called_off_at: Option<i64>,
    /// How many buyers were told since that.
    told: i64,
    /// Paid for: they end, or would, with their period.
    paid: i64,
    /// On trial: they end, or would, with it.
    trials: i64,
    /// Past due, paused, or without a payment method: these would end at once.
    at_once: i64,
    /// When the last of the paid ones and trials ends its period.
    last_ends_at: Option<i64>,
}

impl From<Discontinuing> for DiscontinuationOut {
    fn from(of: Discontinuing) -> Self {
        let (decided, living) = (of.decided.as_ref(), of.living);
        Self {
            product_id: of.product.id.to_string(),
            state: match decided {
                None => "none",
                Some(one) if !one.stands() => "called_off",
                Some(one) if one.done_at.is_some() => "ended",
                Some(_) => "ending",
            },
            wished_at: decided.map(|one| one.wished_at.ms()),
            called_off_at: decided.and_then(|one| one.called_off_at.map(Timestamp::ms)),
            told: decided.map_or(0, |one| one.told),
            paid: living.paid,
            trials: living.trials,
            at_once: living.at_once,
            last_ends_at: living.last.map(Timestamp::ms),
        }
    }
}

async fn stands(
    app: &App,
    caller: &Caller,
    product: ProductId,
) -> Result<Json<DiscontinuationOut>, Problem> {
    let query = DiscontinuationOf { product };
    let found = app.read(caller, query, discontinuation_of).await?;
    Ok(Json(found.into()))
}

/// How many subscriptions of one's own product live and how they would end, or do.
#[utoipa::path(get, path = "/v1/products/{slug}/discontinuation", tag = "catalog",
    params(("slug" = String, Path)),
    responses((status = 200, body = DiscontinuationOut), (status = 404)))]
async fn get_discontinuation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<DiscontinuationOut>, Problem> {
    let product = at(&app, &visitor.caller, slug).await?;
    stands(&app, &visitor.caller, product).await
}

/// Call the end off: buyers are told that they can keep what hasn't ended.
#[utoipa::path(delete, path = "/v1/products/{slug}/discontinuation", tag = "catalog",
    params(("slug" = String, Path)),
    responses((status = 200, body = DiscontinuationOut), (status = 401), (status = 403),
        (status = 404)))]
async fn delete_discontinuation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<DiscontinuationOut>, Problem> {
    let product = at(&app, &visitor.caller, slug).await?;
    let command = CallOff { product };
    app.transact(&visitor.caller, command, call_off).await?;
    stands(&app, &visitor.caller, product).await
}
