//! Routes of endpoints and deliveries.

use super::{
    Attempt, ChangeEndpoint, CreateEndpoint, DeleteEndpoint, Deliveries, Delivery, DeliveryState,
    Endpoint, NewSecret, Replay, ReplayFailed, RotateSecret, TestEvent, WebhookError,
    change_endpoint, create_endpoint, delete_endpoint, deliveries, delivery, endpoint, endpoints,
    replay, replay_failed, rotate_secret, send_test,
};
use crate::app::App;
use crate::limits::Rate;
use crate::net::Reach;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mintreu::Timestamp;
use mintreu::id::{WebhookDeliveryId, WebhookEndpointId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_endpoints, post_endpoint))
        .routes(routes!(get_endpoint, patch_endpoint, remove_endpoint))
        .routes(routes!(post_rotation))
        .routes(routes!(post_test))
        .routes(routes!(list_deliveries))
        .routes(routes!(post_replays))
        .routes(routes!(get_delivery))
        .routes(routes!(post_replay))
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        use WebhookError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such webhook endpoint or delivery."),
            E::UrlRefused(_) => Self::new(422, "webhook_url_refused", detail).at("url"),
            E::DescriptionMalformed => {
                Self::new(422, "webhook_description_malformed", detail).at("description")
            }
            E::EventUnknown(_) => Self::new(422, "webhook_event_unknown", detail).at("events"),
            E::SchemeUnknown => Self::new(422, "webhook_scheme_unknown", detail).at("scheme"),
            E::TooManyEndpoints => Self::new(422, "too_many_webhook_endpoints", detail),
            E::TooManySecrets => Self::new(409, "too_many_webhook_secrets", detail),
            E::Disabled => Self::new(409, "webhook_endpoint_disabled", detail),
            E::UnderWay => Self::new(409, "webhook_delivery_under_way", detail),
            E::Sealed | E::Payload(_) => {
                tracing::error!(%detail, "webhooks");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// How far this server sends.
pub fn reach(app: &App) -> Reach {
    match app.config.webhooks.insecure {
        true => Reach::ThisMachine,
        false => Reach::Public,
    }
}

/// What makes this server send to an address of the seller's choice: one a second, sixty at once.
const SENDS: Rate = Rate {
    burst: 60,
    refill_ms: 1_000,
};

/// Refuses who makes this server send too fast.
pub fn limit_sends(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let account = visitor.caller.account;
    let who = account.map_or_else(|| visitor.client_key(), |account| account.to_string());
    let taken = app.limits.take("webhooks", &who, SENDS, app.now());
    taken.map_err(|seconds| {
        let detail = format!("Too many deliveries asked for; try again in {seconds} s.");
        Problem::new(429, "too_many_requests", detail).after(seconds)
    })
}

/// An endpoint to make.
#[derive(Deserialize, ToSchema)]
pub struct EndpointIn {
    /// `https://…`, at most 2,048 bytes.
    #[schema(max_length = 2048)]
    url: String,
    /// At most 200 characters.
    #[serde(default)]
    description: String,
    /// Of which events; empty or absent for all.
    #[serde(default)]
    events: Vec<String>,
    /// `v1` (a shared secret, the default) or `v1a` (a public key).
    #[serde(default = "shared")]
    scheme: String,
}

fn shared() -> String {
    "v1".to_owned()
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct EndpointChangeIn {
    url: Option<String>,
    description: Option<String>,
    /// An empty list asks for all events.
    events: Option<Vec<String>>,
    /// Off: what waits is skipped. On: failures are forgotten.
    enabled: Option<bool>,
}

/// An endpoint, without its secret.
#[derive(Serialize, ToSchema)]
pub struct EndpointOut {
    webhook_endpoint_id: String,
    url: String,
    description: String,
    /// Empty for all.
    events: Vec<String>,
    /// `v1` or `v1a`.
    scheme: &'static str,
    /// Of `v1a`: `whpk_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    enabled: bool,
    /// Why it is off: `seller`, `failing` or `gone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<String>,
    /// Milliseconds since 1970 (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<i64>,
    /// Deliveries in a row that failed to their end.
    failures: i64,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    /// Until when an earlier secret signs too.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlaps_until: Option<i64>,
}

impl From<Endpoint> for EndpointOut {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            webhook_endpoint_id: endpoint.id.to_string(),
            url: endpoint.url,
            description: endpoint.description,
            events: endpoint.events,
            scheme: endpoint.scheme.code(),
            public_key: endpoint.public_key,
            enabled: endpoint.disabled_at.is_none(),
            disabled_reason: endpoint.disabled_why,
            disabled_at: endpoint.disabled_at.map(Timestamp::ms),
            failures: endpoint.failures,
            created_at: endpoint.created_at.ms(),
            overlaps_until: endpoint.overlaps_until.map(Timestamp::ms),
        }
    }
}

/// An endpoint with its new secret.
#[derive(Serialize, ToSchema)]
pub struct NewSecretOut {
    #[serde(flatten)]
    endpoint: EndpointOut,
    /// Of `v1`: `whsec_…`, never shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

fn secret_out(status: StatusCode, made: NewSecret) -> Response {
    let out = NewSecretOut {
        endpoint: made.endpoint.into(),
        secret: made.secret,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(out)).into_response()
}

/// A seller's endpoints.
#[derive(Serialize, ToSchema)]
pub struct EndpointsOut {
    /// The oldest first.
    webhook_endpoints: Vec<EndpointOut>,
}

/// One's own endpoints.
#[utoipa::path(get, path = "/v1/webhook-endpoints", tag = "webhooks",
    responses((status = 200, body = EndpointsOut), (status = 401), (status = 403)))]
async fn list_endpoints(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<EndpointsOut>, Problem> {
    let found = app.read(&visitor.caller, (), endpoints).await?;
    let webhook_endpoints = found.into_iter().map(EndpointOut::from).collect();
    Ok(Json(EndpointsOut { webhook_endpoints }))
}

/// Make an endpoint. The answer holds its secret, which is never shown again.
#[utoipa::path(post, path = "/v1/webhook-endpoints", tag = "webhooks", request_body = EndpointIn,
    responses((status = 201, body = NewSecretOut), (status = 401), (status = 403), (status = 422)))]
async fn post_endpoint(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    JsonBody { value, .. }: JsonBody<EndpointIn>,
) -> Result<Response, Problem> {
    let command = CreateEndpoint {
        url: value.url,
        description: value.description,
        events: value.events,
        scheme: value.scheme,
        reach: reach(&app),
    };
    let made = app.transact(&visitor.caller, command, create_endpoint);
    Ok(secret_out(StatusCode::CREATED, made.await?))
}

/// One endpoint.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = String, Path)),
    responses((status = 200, body = EndpointOut), (status = 404)))]
async fn get_endpoint(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookEndpointId>,
) -> Result<Json<EndpointOut>, Problem> {
    let found = app.read(&visitor.caller, id, endpoint).await?;
    Ok(Json(found.into()))
}

/// Change an endpoint, or switch it on or off.
#[utoipa::path(patch, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = String, Path)), request_body = EndpointChangeIn,
    responses((status = 200, body = EndpointOut), (status = 404), (status = 422)))]
async fn patch_endpoint(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(endpoint): PathParam<WebhookEndpointId>,
    JsonBody { value, .. }: JsonBody<EndpointChangeIn>,
) -> Result<Json<EndpointOut>, Problem> {
    let command = ChangeEndpoint {
        endpoint,
        url: value.url,
        description: value.description,
        events: value.events,
        enabled: value.enabled,
        reach: reach(&app),
    };
    let changed = app.transact(&visitor.caller, command, change_endpoint);
    Ok(Json(changed.await?.into()))
}

/// Delete an endpoint with its secrets; what waits is skipped.
#[utoipa::path(delete, path = "/v1/webhook-endpoints/{endpoint}", tag = "webhooks",
    params(("endpoint" = String, Path)), responses((status = 204), (status = 404)))]
async fn remove_endpoint(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookEndpointId>,
) -> Result<StatusCode, Problem> {
    let deleted = app.transact(&visitor.caller, DeleteEndpoint(id), delete_endpoint);
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an endpoint a new secret; the one before signs too for 24 hours.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/rotate", tag = "webhooks",
    params(("endpoint" = String, Path)),
    responses((status = 200, body = NewSecretOut), (status = 404), (status = 409)))]
async fn post_rotation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookEndpointId>,
) -> Result<Response, Problem> {
    let made = app.transact(&visitor.caller, RotateSecret(id), rotate_secret);
    Ok(secret_out(StatusCode::OK, made.await?))
}

/// Send the event `webhook.test` to an endpoint.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/test", tag = "webhooks",
    params(("endpoint" = String, Path)),
    responses((status = 202, body = DeliveryOut), (status = 404), (status = 409),
        (status = 429)))]
async fn post_test(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookEndpointId>,
) -> Result<(StatusCode, Json<DeliveryOut>), Problem> {
    limit_sends(&app, &visitor)?;
    let sent = app.transact(&visitor.caller, TestEvent(id), send_test);
    Ok((StatusCode::ACCEPTED, Json(sent.await?.into())))
}

/// A delivery.
#[derive(Serialize, ToSchema)]
pub struct DeliveryOut {
    webhook_delivery_id: String,
    webhook_endpoint_id: String,
    /// The header `webhook-id` of every try.
    event_id: String,
    event: String,
    /// `waiting`, `delivered`, `failed` or `skipped`.
    state: &'static str,
    /// Tries in all.
    attempts: i64,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
}

impl From<Delivery> for DeliveryOut {
    fn from(delivery: Delivery) -> Self {
        Self {
            webhook_delivery_id: delivery.id.to_string(),
            webhook_endpoint_id: delivery.endpoint.to_string(),
            event_id: delivery.event_id.to_string(),
            event: delivery.event,
            state: delivery.state.code(),
            attempts: delivery.attempts,
            created_at: delivery.created_at.ms(),
            next_at: delivery.next_at.map(Timestamp::ms),
            ended_at: delivery.ended_at.map(Timestamp::ms),
        }
    }
}

/// Which page of deliveries.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct DeliveriesParams {
    /// Only those in this state.
    state: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
}

/// A page of deliveries.
#[derive(Serialize, ToSchema)]
pub struct DeliveriesOut {
    /// The newest first.
    webhook_deliveries: Vec<DeliveryOut>,
    /// What to pass as `before` for the next page.
    next: Option<String>,
}

/// What was sent to an endpoint in the last 90 days.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{endpoint}/deliveries", tag = "webhooks",
    params(("endpoint" = String, Path), DeliveriesParams),
    responses((status = 200, body = DeliveriesOut), (status = 404), (status = 422)))]
async fn list_deliveries(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(endpoint): PathParam<WebhookEndpointId>,
    Query(params): Query<DeliveriesParams>,
) -> Result<Json<DeliveriesOut>, Problem> {
    let unknown = || {
        let detail = "A state is waiting, delivered, failed or skipped.";
        Problem::new(422, "webhook_state_unknown", detail).at("state")
    };
    let state = params.state.as_deref().filter(|state| !state.is_empty());
    let state = state.map(|state| DeliveryState::parse(state).ok_or_else(unknown));
    let before = params.before.as_deref().map(WebhookDeliveryId::parse);
    let query = Deliveries {
        endpoint,
        state: state.transpose()?,
        before: before.transpose()?,
        limit: params.limit,
    };
    let (page, next) = app.read(&visitor.caller, query, deliveries).await?;
    Ok(Json(DeliveriesOut {
        webhook_deliveries: page.into_iter().map(DeliveryOut::from).collect(),
        next: next.map(|id| id.to_string()),
    }))
}

/// Since when to begin anew.
#[derive(Deserialize, ToSchema)]
pub struct ReplaysIn {
    /// Milliseconds since 1970 (UTC).
    since: i64,
}

/// What was begun anew.
#[derive(Serialize, ToSchema)]
pub struct ReplaysOut {
    replayed: usize,
    /// More are left: ask again.
    more: bool,
}

/// Begin anew what failed or was skipped since an instant, at most 500 at once.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{endpoint}/replay-failed", tag = "webhooks",
    params(("endpoint" = String, Path)), request_body = ReplaysIn,
    responses((status = 202, body = ReplaysOut), (status = 404), (status = 409),
        (status = 429)))]
async fn post_replays(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(endpoint): PathParam<WebhookEndpointId>,
    JsonBody { value, .. }: JsonBody<ReplaysIn>,
) -> Result<(StatusCode, Json<ReplaysOut>), Problem> {
    limit_sends(&app, &visitor)?;
    let command = ReplayFailed {
        endpoint,
        since: Timestamp::from_ms(value.since),
    };
    let done = app.transact(&visitor.caller, command, replay_failed);
    let done = done.await?;
    let out = ReplaysOut {
        replayed: done.replayed,
        more: done.more,
    };
    Ok((StatusCode::ACCEPTED, Json(out)))
}

/// One try.
#[derive(Serialize, ToSchema)]
pub struct AttemptOut {
    /// From 1.
    number: i64,
    /// `delivered`, `answered`, `timed_out`, `unreachable` or `address_refused`.
    outcome: String,
    /// The HTTP status, when something was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<i64>,
    duration_ms: i64,
    /// How the answer began, or why there was none.
    answer: String,
    /// Milliseconds since 1970 (UTC).
    tried_at: i64,
}

impl From<Attempt> for AttemptOut {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            outcome: attempt.outcome,
            status: attempt.status,
            duration_ms: attempt.duration_ms,
            answer: attempt.answer,
            tried_at: attempt.at.ms(),
        }
    }
}

/// A delivery with its body and every try.
#[derive(Serialize, ToSchema)]
pub struct WholeDeliveryOut {
    #[serde(flatten)]
    delivery: DeliveryOut,
    /// The body of every try, to the byte.
    payload: String,
    /// The first first.
    tries: Vec<AttemptOut>,
}

/// One delivery with its body and every try.
#[utoipa::path(get, path = "/v1/webhook-deliveries/{delivery}", tag = "webhooks",
    params(("delivery" = String, Path)),
    responses((status = 200, body = WholeDeliveryOut), (status = 404)))]
async fn get_delivery(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookDeliveryId>,
) -> Result<Json<WholeDeliveryOut>, Problem> {
    let (found, tries) = app.read(&visitor.caller, id, delivery).await?;
    Ok(Json(WholeDeliveryOut {
        payload: found.payload.clone(),
        delivery: found.into(),
        tries: tries.into_iter().map(AttemptOut::from).collect(),
    }))
}

/// Begin a delivery anew, with the same id and body.
#[utoipa::path(post, path = "/v1/webhook-deliveries/{delivery}/replay", tag = "webhooks",
    params(("delivery" = String, Path)),
    responses((status = 202, body = DeliveryOut), (status = 404), (status = 409),
        (status = 429)))]
async fn post_replay(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<WebhookDeliveryId>,
) -> Result<(StatusCode, Json<DeliveryOut>), Problem> {
    limit_sends(&app, &visitor)?;
    let begun = app.transact(&visitor.caller, Replay(id), replay);
    Ok((StatusCode::ACCEPTED, Json(begun.await?.into())))
}
