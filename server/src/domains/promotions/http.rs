//! Routes of a seller's coupons.

use super::model::Refusal;
use super::{
    Coupon, CreateCoupon, EmbedHost, OwnCoupons, OwnHosts, PromotionError, Rule, SetHosts,
    SwitchCoupon, UpdateCoupon, create_coupon, own_coupons, own_hosts, set_hosts, switch_coupon,
    update_coupon,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::CouponId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(update))
        .routes(routes!(switch))
        .routes(routes!(show_hosts, put_hosts))
}

impl From<PromotionError> for Problem {
    fn from(error: PromotionError) -> Self {
        use PromotionError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such coupon."),
            E::CodeTaken => Self::new(409, "coupon_code_taken", detail).at("code"),
            E::Rule(field, _) => Self::new(422, "input_invalid", detail).at(field),
            E::Refused { refusal, .. } => refused(&refusal, detail),
            E::Money(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

fn refused(refusal: &Refusal, detail: String) -> Problem {
    let problem = match refusal {
        Refusal::Invalid => Problem::new(422, "coupon_invalid", detail),
        Refusal::Inactive => Problem::new(422, "coupon_inactive", detail),
        Refusal::InsufficientQuantity(_) => {
            Problem::new(422, "coupon_insufficient_quantity", detail)
        }
        Refusal::ExceedingQuantity(_) => Problem::new(422, "coupon_exceeding_quantity", detail),
        Refusal::SoldOut => Problem::new(422, "coupon_sold_out", detail),
        Refusal::CustomerLimit => Problem::new(422, "coupon_customer_limit", detail),
        Refusal::MinimumSpend(_) => Problem::new(422, "coupon_minimum_spend", detail),
        Refusal::FreePeriod => Problem::new(422, "coupon_free_period", detail),
    };
    problem.at("codes")
}

/// A coupon, as its seller sees it.
#[derive(Serialize, ToSchema)]
pub struct CouponOut {
    coupon_id: String,
    code: String,
    rule: Rule,
    /// Units taken so far.
    taken_units: i64,
    /// Whether it works now, as far as time and switch go.
    active: bool,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    disabled_at: Option<i64>,
}

fn coupon_out(coupon: Coupon, now: Timestamp) -> CouponOut {
    CouponOut {
        coupon_id: coupon.id.to_string(),
        active: coupon.is_active(now),
        code: coupon.code,
        rule: coupon.rule,
        taken_units: coupon.taken,
        created_at: coupon.created_at.ms(),
        disabled_at: coupon.disabled_at.map(Timestamp::ms),
    }
}

/// A seller's coupons.
#[derive(Serialize, ToSchema)]
pub struct CouponsOut {
    coupons: Vec<CouponOut>,
}

/// A new coupon.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CouponIn {
    /// 3 to 40 letters, digits, `-` and `_`; capitals don't matter.
    code: String,
    rule: Rule,
}

/// Whether a coupon shall work.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchIn {
    on: bool,
}

/// Where one's buy button may be embedded.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Hosts {
    /// `shop.example`, `*.shop.example`, `shop.example:8443`; at most 50.
    hosts: Vec<String>,
}

fn hosts_out(hosts: &[EmbedHost]) -> Json<Hosts> {
    let hosts = hosts.iter().map(|host| host.as_str().to_owned()).collect();
    Json(Hosts { hosts })
}

/// Where one's buy button may be embedded.
#[utoipa::path(get, path = "/v1/embed-hosts", tag = "coupons",
    responses((status = 200, body = Hosts), (status = 401)))]
async fn show_hosts(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Json<Hosts>, Problem> {
    let hosts = app.read(&visitor.caller, OwnHosts, own_hosts).await?;
    Ok(hosts_out(&hosts))
}

/// Say where one's buy button may be embedded: the list replaces the one before.
#[utoipa::path(put, path = "/v1/embed-hosts", tag = "coupons", request_body = Hosts,
    responses((status = 200, body = Hosts), (status = 403), (status = 422)))]
async fn put_hosts(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<Hosts>,
) -> Result<Json<Hosts>, Problem> {
    let hosts = body.value.hosts;
    let hosts = app
        .transact(&visitor.caller, SetHosts { hosts }, set_hosts)
        .await?;
    Ok(hosts_out(&hosts))
}

/// One's own coupons, newest first.
#[utoipa::path(get, path = "/v1/coupons", tag = "coupons",
    responses((status = 200, body = CouponsOut), (status = 401), (status = 403)))]
async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Json<CouponsOut>, Problem> {
    let found = app.read(&visitor.caller, OwnCoupons, own_coupons).await?;
    let now = app.now();
    let coupons = found.into_iter().map(|coupon| coupon_out(coupon, now));
    Ok(Json(CouponsOut {
        coupons: coupons.collect(),
    }))
}

/// Write a coupon.
#[utoipa::path(post, path = "/v1/coupons", tag = "coupons", request_body = CouponIn,
    responses((status = 201, body = CouponOut), (status = 409), (status = 422)))]
async fn create(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<CouponIn>,
) -> Result<(StatusCode, Json<CouponOut>), Problem> {
    let CouponIn { code, rule } = body.value;
    let command = CreateCoupon { code, rule };
    let made = app
        .transact(&visitor.caller, command, create_coupon)
        .await?;
    Ok((StatusCode::CREATED, Json(coupon_out(made, app.now()))))
}

/// Replace what a coupon does; its code and its uses stay.
#[utoipa::path(put, path = "/v1/coupons/{coupon_id}", tag = "coupons", request_body = Rule,
    params(("coupon_id" = String, Path)),
    responses((status = 200, body = CouponOut), (status = 404), (status = 422)))]
async fn update(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(coupon): PathParam<CouponId>,
    body: JsonBody<Rule>,
) -> Result<Json<CouponOut>, Problem> {
    let rule = body.value;
    let command = UpdateCoupon { coupon, rule };
    let changed = app
        .transact(&visitor.caller, command, update_coupon)
        .await?;
    Ok(Json(coupon_out(changed, app.now())))
}

/// Switch a coupon off or on again.
#[utoipa::path(post, path = "/v1/coupons/{coupon_id}/switch", tag = "coupons",
    request_body = SwitchIn, params(("coupon_id" = String, Path)),
    responses((status = 200, body = CouponOut), (status = 404)))]
async fn switch(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(coupon): PathParam<CouponId>,
    body: JsonBody<SwitchIn>,
) -> Result<Json<CouponOut>, Problem> {
    let on = body.value.on;
    let command = SwitchCoupon { coupon, on };
    let changed = app
        .transact(&visitor.caller, command, switch_coupon)
        .await?;
    Ok(Json(coupon_out(changed, app.now())))
}
