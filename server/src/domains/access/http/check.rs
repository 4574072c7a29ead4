//! The questions of sellers' backends.
//!
//! Every answer about a known key carries the header fields of its limits, refusals too.

use crate::app::{App, Idempotency};
use crate::caller::Caller;
use crate::domains::access::model::{Allowance, Ask, Checked, Refused};
use crate::domains::access::{
    AccessError, Check, Identified, Identify, Settle, Settled, Wanted, check, identify, look,
    settle,
};
use crate::domains::catalog::model::EntitlementValue;
use crate::limits::RateAsked;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mintreu::Timestamp;
use mintreu::id::ReservationId;
use mintreu::meter::{LimitState, RateLimit, RateLimitHeaders};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_check))
        .routes(routes!(post_settlement))
}

/// What a rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RatePer {
    /// Each key for itself.
    Key,
    /// All keys of a license together.
    License,
}

/// A rate that the seller allows.
#[derive(Deserialize, ToSchema)]
pub struct RateIn {
    per: RatePer,
    /// `100/minute`, or `100/minute+20` for 20 at once.
    rate: String,
}

/// May this key use so many units?
#[derive(Deserialize, ToSchema)]
pub struct CheckIn {
    /// The key that the customer's request carried: `mtk_…`.
    key: String,
    meter: String,
    /// 1 when it is left out.
    units: Option<i64>,
    /// Any text of 1 to 255 characters that is new for each request of a customer: asking again
    /// with it counts nothing again and answers what was answered before.
    request_id: Option<String>,
    /// Only say whether it would be allowed.
    #[serde(default)]
    dry_run: bool,
    /// Hold the units for so many seconds instead of counting them.
    reserve_secs: Option<i64>,
    /// Names of entitlements to tell of; `*` for all.
    #[serde(default)]
    entitlements: Vec<String>,
    /// At most 4; the key's own is beside them.
    #[serde(default)]
    rates: Vec<RateIn>,
}

/// It may.
#[derive(Serialize, ToSchema)]
pub struct CheckOut {
    /// Always true: a refusal is a problem.
    allowed: bool,
    /// `allowed`
    code: &'static str,
    license_id: String,
    /// The subject that the usage names.
    api_key_id: String,
    meter: String,
    units: i64,
    /// Units of the window, those that were carried over into it included.
    limit: Option<i64>,
    remaining: Option<i64>,
    /// Units used and held beyond the limit, where the license allows that.
    overage: Option<i64>,
    /// The percentage of the limit that these units reached, of those that the quota tells of: once
    /// in a window.
    crossed: Option<u8>,
    /// Milliseconds since 1970 (UTC).
    resets_at: Option<i64>,
    reservation_id: Option<String>,
    reservation_ends_at: Option<i64>,
    #[schema(value_type = Object)]
    entitlements: BTreeMap<String, EntitlementValue>,
}

/// What was used of a reservation.
#[derive(Deserialize, ToSchema)]
pub struct SettlementIn {
    /// 0 gives everything back.
    units: i64,
}

/// A settled reservation.
#[derive(Serialize, ToSchema)]
pub struct SettlementOut {
    counted: i64,
    returned: i64,
}

/// The token of a backend.
pub(super) fn shown_token(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION);
    let value = value.and_then(|value| value.to_str().ok()).unwrap_or("");
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

/// May a key use so many units?
///
/// The seller's backend asks, with `Authorization: Bearer mtsk_…`. What is allowed is counted in the
/// same commit, unless `dry_run` or `reserve_secs` says otherwise. 429 is `quota_spent` or
/// `rate_limited`; `Retry-After` is there when waiting helps.
#[utoipa::path(post, path = "/v1/gateway/check", tag = "gateway", request_body = CheckIn,
    responses((status = 200, body = CheckOut), (status = 401), (status = 403), (status = 404),
        (status = 422), (status = 429)))]
async fn post_check(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<CheckIn>,
) -> Result<Response, Problem> {
    let now = app.now();
    let asked = &body.value;
    let who = Identify::read(&app.keys, shown_token(&headers), Some(&asked.key))?;
    let Identified { seller, key } = app.read(&visitor.caller, who, identify).await?;
    let key = key.ok_or(AccessError::KeyUnknown)?;
    let mac = who.key_mac().ok_or(AccessError::KeyUnknown)?;
    let command = Check::new(mac, key.license, wanted(asked)?)?;
    let promise = promise(asked, &body.bytes)?;
    let mut rates = rates(asked, &key.key.to_string(), &key.license.to_string())?;
    rates.extend(key.rate.map(|limit| {
        (
            "own",
            RateAsked {
                whom: format!("own {}", key.key),
                limit,
            },
        )
    }));
    let states = match asked.dry_run {
        true => rate_states(&app, &rates, 0, now).await,
        false => rate_states(&app, &rates, 1, now).await,
    };
    let outcome = match states.iter().any(|state| state.refused) {
        true => Err(too_fast(states.clone())),
        false => decide(&app, &seller, command, promise).await,
    };
    respond(outcome, states, now)
}

fn wanted(asked: &CheckIn) -> Result<Wanted, Problem> {
    let ask = match (asked.dry_run, asked.reserve_secs) {
        (true, Some(_)) => {
            let detail = "A question is either a dry run or reserves units.";
            return Err(Problem::new(422, "input_invalid", detail).at("dry_run"));
        }
        (true, None) => Ask::Look,
        (false, Some(secs)) => Ask::Reserve(secs),
        (false, None) => Ask::Count,
    };
    Ok(Wanted {
        meter: asked.meter.clone(),
        units: asked.units.unwrap_or(1),
        ask,
        entitlements: asked.entitlements.clone(),
    })
}

/// The request id as a promise that asking twice means once.
fn promise(asked: &CheckIn, body: &[u8]) -> Result<Option<Idempotency>, Problem> {
    let Some(id) = &asked.request_id else {
        return Ok(None);
    };
    if !(1..=255).contains(&id.len()) {
        let detail = "A request id has 1 to 255 characters.";
        return Err(Problem::new(422, "input_invalid", detail).at("request_id"));
    }
    Ok(Some(Idempotency {
        key: id.clone(),
        request_hash: Sha256::digest(body).into(),
    }))
}

/// The limits that a question falls under, and what each is called in header fields.
fn rates(
    asked: &CheckIn,
    key: &str,
    license: &str,
) -> Result<Vec<(&'static str, RateAsked)>, Problem> {
    if asked.rates.len() > 4 {
        let detail = "A question falls under at most 4 rates.";
        return Err(Problem::new(422, "input_invalid", detail).at("rates"));
    }
    let one = |(index, rate): (usize, &RateIn)| {
        let limit = RateLimit::parse(&rate.rate).map_err(AccessError::RateMalformed)?;
        let (name, whom) = match rate.per {
            RatePer::Key => ("key", key),
            RatePer::License => ("license", license),
        };
        let whom = format!("{name} {whom} {index} {}", asked.meter);
        Ok((name, RateAsked { whom, limit }))
    };
    asked.rates.iter().enumerate().map(one).collect()
}

async fn rate_states(
    app: &App,
    rates: &[(&'static str, RateAsked)],
    n: u64,
    now: Timestamp,
) -> Vec<LimitState> {
    let asked: Vec<RateAsked> = rates.iter().map(|(_, asked)| asked.clone()).collect();
    let decided = app.rates.take(&asked, n, now).await;
    let state = |((name, asked), decision): (&(&'static str, RateAsked), _)| {
        LimitState::of_rate(*name, asked.limit, decision)
    };
    rates.iter().zip(decided).map(state).collect()
}

fn too_fast(states: Vec<LimitState>) -> AccessError {
    let refusing = states.iter().filter(|state| state.refused);
    let seconds = refusing.filter_map(|state| state.reset_secs).max();
    AccessError::TooFast {
        seconds: seconds.unwrap_or(1).max(1),
        states,
    }
}

async fn decide(
    app: &App,
    seller: &Caller,
    command: Check,
    promise: Option<Idempotency>,
) -> Result<Checked, AccessError> {
    match promise {
        _ if command.is_look() => app.read(seller, command, look).await,
        Some(promise) => app.transact_once(seller, promise, command, check).await,
        None => app.transact(seller, command, check).await,
    }
}

fn respond(
    outcome: Result<Checked, AccessError>,
    mut states: Vec<LimitState>,
    now: Timestamp,
) -> Result<Response, Problem> {
    let mut response = match outcome {
        Ok(checked) => {
            let quota = checked.allowance.map(|at| at.state(&checked.meter, now));
            states.extend(quota);
            Json(out(checked)).into_response()
        }
        Err(AccessError::Refused(refused)) => {
            states.push(refused.allowance.state(&refused.meter, now).refused(true));
            refusal(*refused)
        }
        Err(error) => Problem::from(error).into_response(),
    };
    tell(&mut response, &states, now);
    Ok(response)
}

/// Adds the header fields of limits.
pub(super) fn tell(response: &mut Response, states: &[LimitState], now: Timestamp) {
    let fields = RateLimitHeaders::new(states, now);
    for (name, value) in fields.fields() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
}

fn out(checked: Checked) -> CheckOut {
    let (id, ends) = checked.reservation.unzip();
    CheckOut {
        allowed: true,
        code: "allowed",
        license_id: checked.license,
        api_key_id: checked.api_key,
        meter: checked.meter,
        units: checked.units,
        limit: checked.allowance.map(|at| at.limit),
        remaining: checked.allowance.map(|at| at.remaining),
        overage: checked.allowance.map(|at| at.overage),
        crossed: checked.crossed,
        resets_at: checked.allowance.and_then(|at| at.resets_at),
        reservation_id: id,
        reservation_ends_at: ends,
        entitlements: checked.entitlements,
    }
}

/// A problem that tells where the quota stands too.
fn refusal(refused: Refused) -> Response {
    let Allowance {
        limit,
        remaining,
        overage,
        resets_at,
    } = refused.allowance;
    let about = serde_json::json!({
        "allowed": false,
        "license_id": refused.license.to_string(),
        "api_key_id": refused.api_key.to_string(),
        "meter": refused.meter,
        "limit": limit,
        "remaining": remaining,
        "overage": overage,
        "resets_at": resets_at,
    });
    let problem = Problem::from(AccessError::Refused(Box::new(refused)));
    let mut json = problem.to_json();
    if let (Some(json), serde_json::Value::Object(about)) = (json.as_object_mut(), about) {
        json.extend(about);
    }
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (StatusCode::TOO_MANY_REQUESTS, headers, json.to_string()).into_response()
}

/// Say what was used of a reservation; the rest goes back.
///
/// Telling it again alike answers alike. After its end a reservation is `reservation_over`: its
/// units went back, and may be asked for anew.
#[utoipa::path(post, path = "/v1/gateway/reservations/{reservation_id}/settle", tag = "gateway",
    params(("reservation_id" = String, Path)), request_body = SettlementIn,
    responses((status = 200, body = SettlementOut), (status = 401), (status = 404), (status = 409),
        (status = 422)))]
async fn post_settlement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    PathParam(reservation): PathParam<ReservationId>,
    body: JsonBody<SettlementIn>,
) -> Result<Json<SettlementOut>, Problem> {
    let who = Identify::read(&app.keys, shown_token(&headers), None)?;
    let Identified { seller, .. } = app.read(&visitor.caller, who, identify).await?;
    let command = Settle {
        reservation,
        units: body.value.units,
    };
    let Settled { counted, returned } = app.transact(&seller, command, settle).await?;
    Ok(Json(SettlementOut { counted, returned }))
}
