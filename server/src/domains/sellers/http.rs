//! Routes of sellers' standing.

use super::model::{Change, SellerError, Standing};
use super::ops::{
    CloseOwn, OwnStanding, SellerAt, SellerRow, Sellers, SetStanding, close_own, own_standing,
    seller_at, sellers, set_standing,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_sellers))
        .routes(routes!(get_seller))
        .routes(routes!(put_standing))
        .routes(routes!(get_own_standing))
        .routes(routes!(post_close))
}

impl From<SellerError> for Problem {
    fn from(error: SellerError) -> Self {
        use SellerError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such seller."),
            E::Reason => Self::new(422, "reason_malformed", detail).at("reason"),
            E::NotConfirmed(_) => Self::new(422, "not_confirmed", detail).at("shop"),
            E::Suspended => Self::new(409, "seller_suspended", detail),
            E::Closed => Self::new(409, "seller_closed", detail),
            E::TooLate => Self::new(409, "closed_too_long", detail),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
            E::Subscription(_) | E::Payload(_) => {
                tracing::error!(cause = detail, "sellers");
                Self::internal()
            }
        }
    }
}

/// A seller, for the platform.
#[derive(Serialize, ToSchema)]
pub struct SellerRowOut {
    seller_id: String,
    slug: String,
    name: String,
    standing: Standing,
    /// Milliseconds since 1970 (UTC); absent when it never changed.
    since: Option<i64>,
}

impl From<&SellerRow> for SellerRowOut {
    fn from(row: &SellerRow) -> Self {
        Self {
            seller_id: row.seller.account.to_string(),
            slug: row.seller.slug.clone(),
            name: row.seller.name.clone(),
            standing: row.seller.standing,
            since: row.since.map(Timestamp::ms),
        }
    }
}

/// A change of a seller's standing.
#[derive(Serialize, ToSchema)]
pub struct StandingChangeOut {
    standing: Standing,
    /// Why; empty when a seller closed their own account.
    reason: String,
    /// The account that changed it.
    changed_by: Option<String>,
    /// Milliseconds since 1970 (UTC).
    changed_at: i64,
}

impl From<&Change> for StandingChangeOut {
    fn from(change: &Change) -> Self {
        Self {
            standing: change.standing,
            reason: change.reason.clone(),
            changed_by: change.by.map(|by| by.to_string()),
            changed_at: change.at.ms(),
        }
    }
}

/// Which sellers.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SellersQuery {
    /// `active`, `suspended` or `closed`; all when absent.
    standing: Option<Standing>,
    /// What the shop's address begins with, or the account's id.
    search: Option<String>,
    /// Where the list goes on: `next` of the answer before.
    cursor: Option<String>,
}

/// A page of sellers.
#[derive(Serialize, ToSchema)]
pub struct SellersOut {
    sellers: Vec<SellerRowOut>,
    /// Where it goes on, if it does.
    next: Option<String>,
}

/// Sellers by the address of their shop, fifty a page. For the platform.
#[utoipa::path(get, path = "/v1/sellers", tag = "sellers", params(SellersQuery),
    responses((status = 200, body = SellersOut), (status = 400), (status = 403)))]
async fn get_sellers(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<SellersQuery>,
) -> Result<Json<SellersOut>, Problem> {
    let wanted = Sellers {
        standing: query.standing,
        search: query.search.unwrap_or_default(),
        after: query.cursor.unwrap_or_default(),
        limit: 0,
    };
    let page = app.read(&visitor.caller, wanted, sellers).await?;
    Ok(Json(SellersOut {
        sellers: page.rows.iter().map(SellerRowOut::from).collect(),
        next: page.next,
    }))
}

/// A seller with what changed.
#[derive(Serialize, ToSchema)]
pub struct SellerStandingOut {
    seller: SellerRowOut,
    /// The newest first, at most fifty.
    changes: Vec<StandingChangeOut>,
}

/// A seller and how their standing changed. For the platform.
#[utoipa::path(get, path = "/v1/sellers/{seller_id}", tag = "sellers",
    params(("seller_id" = String, Path)),
    responses((status = 200, body = SellerStandingOut), (status = 403), (status = 404)))]
async fn get_seller(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(seller): PathParam<AccountId>,
) -> Result<Json<SellerStandingOut>, Problem> {
    let query = SellerAt { seller };
    let (row, changes) = app.read(&visitor.caller, query, seller_at).await?;
    Ok(Json(SellerStandingOut {
        seller: SellerRowOut::from(&row),
        changes: changes.iter().map(StandingChangeOut::from).collect(),
    }))
}

/// What a seller becomes.
#[derive(Deserialize, ToSchema)]
pub struct StandingIn {
    standing: Standing,
    /// Why, 1 to 500 characters: the seller reads it.
    reason: String,
}

/// Where a seller stands.
#[derive(Serialize, ToSchema)]
pub struct StandingOut {
    /// `active` for whoever has no shop, too.
    standing: Standing,
    /// Why; empty where nothing changed, and when a seller closed their own account.
    reason: String,
    /// Since when, in milliseconds since 1970 (UTC); absent when it never changed.
    since: Option<i64>,
}

/// Suspend a seller, let them sell again, or close their account. The same again changes nothing. For
/// the platform.
#[utoipa::path(put, path = "/v1/sellers/{seller_id}/standing", tag = "sellers",
    params(("seller_id" = String, Path)), request_body = StandingIn,
    responses((status = 204), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn put_standing(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(seller): PathParam<AccountId>,
    body: JsonBody<StandingIn>,
) -> Result<StatusCode, Problem> {
    let command = SetStanding {
        seller,
        standing: body.value.standing,
        reason: body.value.reason,
    };
    app.transact(&visitor.caller, command, set_standing).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// One's own standing as a seller.
#[utoipa::path(get, path = "/v1/shop/standing", tag = "sellers",
    responses((status = 200, body = StandingOut)))]
async fn get_own_standing(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<StandingOut>, Problem> {
    let found = app.read(&visitor.caller, OwnStanding, own_standing).await?;
    let (shop, change) = found.map_or((None, None), |(shop, change)| (Some(shop), change));
    Ok(Json(StandingOut {
        standing: shop.map_or(Standing::Active, |shop| shop.standing),
        since: change.as_ref().map(|change| change.at.ms()),
        reason: change.map_or(String::new(), |change| change.reason),
    }))
}

/// What confirms the closing of one's own account.
#[derive(Deserialize, ToSchema)]
pub struct CloseIn {
    /// The address of one's shop, as `GET /v1/shop/products` shows it: `acme`.
    shop: String,
}

/// Close one's own account as a seller, for good. Closing it again changes nothing.
#[utoipa::path(post, path = "/v1/shop/close", tag = "sellers", request_body = CloseIn,
    responses((status = 204), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn post_close(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<CloseIn>,
) -> Result<StatusCode, Problem> {
    let command = CloseOwn {
        shop: body.value.shop,
    };
    app.transact(&visitor.caller, command, close_own).await?;
    Ok(StatusCode::NO_CONTENT)
}
