//! OpenMeter's API, version 1, as its clients speak it: events, meters, queries.
//!
//! What differs on purpose is in docs/metering.md: values are exact, an event whose key has other
//! data already is refused (409), and a content type may have parameters.

use super::super::model::MeterError;
use super::super::model::event::MAX_EVENTS;
use super::super::model::meter::{DraftIn, Meter};
use super::super::ops::{
    Answer, ByMeter, CreateMeter, DeleteMeter, EventQuery, FindMeter, GroupValues, IngestEvents,
    ListMeters, Outcome, UpdateMeter, UsageRow, create_meter, delete_meter, find_meter,
    group_values, ingest, list_events, list_meters, update_meter, usage,
};
use super::super::sql::{EventRow, Filter};
use super::native::{as_csv, wants_csv};
use super::question::{QuestionIn, csv, instant};
use super::{Seller, read_event, rfc3339};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, PathParts, Query, RawBody};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// How far back events are listed unless said otherwise.
const LISTED_MS: i64 = 72 * 60 * 60 * 1000;
const ONE: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
const PLAIN: &str = "application/json";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_events, get_events))
        .routes(routes!(post_meter, get_meters))
        .routes(routes!(get_meter, put_meter, remove_meter))
        .routes(routes!(get_query, post_query))
        .routes(routes!(get_subjects))
        .routes(routes!(get_values))
}

/// The events of a body: one, or a list of them.
fn split(kind: &str, body: &[u8]) -> Result<Vec<Box<RawValue>>, Problem> {
    let unreadable = |error: serde_json::Error| {
        Problem::new(
            400,
            "json_malformed",
            format!("The JSON can't be read: {error}."),
        )
    };
    let whole: Box<RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    let is_list = whole.get().starts_with('[');
    match (kind, is_list) {
        (ONE, false) | (PLAIN, false) => Ok(vec![whole]),
        (BATCH, true) | (PLAIN, true) => serde_json::from_str(whole.get()).map_err(unreadable),
        (ONE | BATCH, _) => Err(Problem::new(
            400,
            "json_unexpected",
            "The body is not what its content type says.",
        )),
        _ => Err(Problem::new(
            400,
            "content_type_invalid",
            format!("invalid content type: {kind}"),
        )),
    }
}

/// OpenMeter: ingest events. All of a request are well-formed or none is stored; 204 also for what
/// was stored before.
#[utoipa::path(post, path = "/api/v1/events", tag = "openmeter",
    request_body(content = Object, content_type = "application/cloudevents+json"),
    responses((status = 204), (status = 400), (status = 401), (status = 409)))]
async fn post_events(
    State(app): State<Arc<App>>,
    seller: Seller,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or("").split(';').next().unwrap_or("").trim();
    let raw = split(kind, &body)?;
    if raw.len() > MAX_EVENTS {
        return Err(MeterError::TooManyEvents.into());
    }
    let now = app.now();
    let read = |raw: &RawValue| {
        let event = read_event(raw, now);
        event.map_err(|why| {
            Problem::new(
                400,
                "usage_event_malformed",
                format!("invalid event: {why}"),
            )
        })
    };
    let events = raw
        .iter()
        .map(|raw| read(raw))
        .collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
    let command = IngestEvents {
        seller: seller.id,
        events,
    };
    let outcomes = ingest(&app, &seller.caller, command).await?;
    let refused = ids
        .iter()
        .zip(&outcomes)
        .find(|(_, outcome)| !matches!(outcome, Outcome::Accepted { .. } | Outcome::Duplicate));
    match refused {
        None => Ok(StatusCode::NO_CONTENT),
        Some((id, _)) => {
            let detail =
                format!("Another event has the source and id of {id:?}; the rest is stored.");
            Err(Problem::new(409, "event_conflict", detail))
        }
    }
}

/// A meter as OpenMeter shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenMeterOut {
    id: String,
    #[serde(flatten)]
    meter: DraftIn,
    created_at: String,
    updated_at: String,
}

fn meter_out(meter: &Meter) -> OpenMeterOut {
    OpenMeterOut {
        id: mintreu::id::encode(meter.id.as_bytes()).to_uppercase(),
        meter: meter.draft.to_json(),
        created_at: rfc3339(meter.created_at.ms()),
        updated_at: rfc3339(meter.updated_at.ms()),
    }
}

/// OpenMeter: define a meter.
#[utoipa::path(post, path = "/api/v1/meters", tag = "openmeter", request_body = DraftIn,
    responses((status = 201, body = OpenMeterOut), (status = 400), (status = 401), (status = 409)))]
async fn post_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    body: JsonBody<DraftIn>,
) -> Result<(StatusCode, Json<OpenMeterOut>), Problem> {
    let command = CreateMeter {
        seller: seller.id,
        draft: body.value.read()?,
    };
    let meter = app.transact(&seller.caller, command, create_meter).await?;
    Ok((StatusCode::CREATED, Json(meter_out(&meter))))
}

/// Which page of meters.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
pub struct PageIn {
    page: Option<usize>,
    page_size: Option<usize>,
}

/// OpenMeter: list meters.
#[utoipa::path(get, path = "/api/v1/meters", tag = "openmeter", params(PageIn),
    responses((status = 200, body = Vec<OpenMeterOut>), (status = 401)))]
async fn get_meters(
    State(app): State<Arc<App>>,
    seller: Seller,
    Query(page): Query<PageIn>,
) -> Result<Json<Vec<OpenMeterOut>>, Problem> {
    let meters = app
        .read(&seller.caller, ListMeters(seller.id), list_meters)
        .await?;
    let size = page.page_size.unwrap_or(1000).clamp(1, 1000);
    let skip = page
        .page
        .unwrap_or(1)
        .max(1)
        .saturating_sub(1)
        .saturating_mul(size);
    let shown = meters.iter().skip(skip).take(size);
    Ok(Json(shown.map(meter_out).collect()))
}

/// OpenMeter: read a meter by id or slug.
#[utoipa::path(get, path = "/api/v1/meters/{meter}", tag = "openmeter",
    params(("meter" = String, Path)),
    responses((status = 200, body = OpenMeterOut), (status = 401), (status = 404)))]
async fn get_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
) -> Result<Json<OpenMeterOut>, Problem> {
    let query = FindMeter {
        seller: seller.id,
        meter: ByMeter(meter),
    };
    let meter = app.read(&seller.caller, query, find_meter).await?;
    Ok(Json(meter_out(&meter)))
}

/// What of a meter can change; the rest of the body is ignored.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenMeterPutIn {
    name: Option<String>,
    description: Option<String>,
}

/// OpenMeter: rename a meter.
#[utoipa::path(put, path = "/api/v1/meters/{meter}", tag = "openmeter",
    params(("meter" = String, Path)), request_body = OpenMeterPutIn,
    responses((status = 200, body = OpenMeterOut), (status = 401), (status = 404)))]
async fn put_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    body: JsonBody<OpenMeterPutIn>,
) -> Result<Json<OpenMeterOut>, Problem> {
    let command = UpdateMeter {
        seller: seller.id,
        meter: ByMeter(meter),
        name: body.value.name,
        description: body.value.description,
    };
    let meter = app.transact(&seller.caller, command, update_meter).await?;
    Ok(Json(meter_out(&meter)))
}

/// OpenMeter: end a meter.
#[utoipa::path(delete, path = "/api/v1/meters/{meter}", tag = "openmeter",
    params(("meter" = String, Path)),
    responses((status = 204), (status = 401), (status = 404)))]
async fn remove_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
) -> Result<StatusCode, Problem> {
    let command = DeleteMeter {
        seller: seller.id,
        meter: ByMeter(meter),
    };
    app.transact(&seller.caller, command, delete_meter).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a meter was asked, and its rows.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenMeterUsageOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_size: Option<String>,
    data: Vec<OpenMeterRowOut>,
}

/// One row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenMeterRowOut {
    /// Written with all its digits.
    #[schema(value_type = f64)]
    value: Box<RawValue>,
    window_start: String,
    window_end: String,
    subject: Option<String>,
    customer_id: Option<String>,
    group_by: BTreeMap<String, String>,
}

fn row_out(row: UsageRow) -> Option<OpenMeterRowOut> {
    // A window without a value has no row.
    let value = RawValue::from_string(row.figure.value?.to_string()).ok()?;
    Some(OpenMeterRowOut {
        value,
        window_start: rfc3339(row.span.from),
        window_end: rfc3339(row.span.until),
        subject: row.subject,
        customer_id: None,
        group_by: row.group,
    })
}

async fn answer(
    app: &App,
    seller: Seller,
    (meter, question): (String, QuestionIn),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let window_size = question.window_size.clone();
    let query = question.ask(seller.id, ByMeter(meter))?;
    let (from, to) = (query.from.map(rfc3339), query.until.map(rfc3339));
    let group_by = query.group_by.clone();
    let answer: Answer = app.read(&seller.caller, query, usage).await?;
    if wants_csv(headers) {
        return Ok(as_csv(csv(&answer, &group_by)));
    }
    let out = OpenMeterUsageOut {
        from,
        to,
        window_size,
        data: answer.rows.into_iter().filter_map(row_out).collect(),
    };
    Ok(Json(out).into_response())
}

/// OpenMeter: ask a meter.
#[utoipa::path(get, path = "/api/v1/meters/{meter}/query", tag = "openmeter",
    params(("meter" = String, Path), QuestionIn),
    responses((status = 200, content((OpenMeterUsageOut = "application/json"),
        (String = "text/csv"))), (status = 400), (status = 401), (status = 404)))]
async fn get_query(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let question = QuestionIn::from_pairs(pairs)?;
    answer(&app, seller, (meter, question), &headers).await
}

/// OpenMeter: ask a meter, with the parameters as JSON.
#[utoipa::path(post, path = "/api/v1/meters/{meter}/query", tag = "openmeter",
    params(("meter" = String, Path)), request_body = QuestionIn,
    responses((status = 200, content((OpenMeterUsageOut = "application/json"),
        (String = "text/csv"))), (status = 400), (status = 401), (status = 404)))]
async fn post_query(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    headers: HeaderMap,
    body: JsonBody<QuestionIn>,
) -> Result<Response, Problem> {
    answer(&app, seller, (meter, body.value), &headers).await
}

async fn values(
    app: &App,
    seller: Seller,
    (meter, name): (String, Option<String>),
) -> Result<Json<Vec<String>>, Problem> {
    let query = GroupValues {
        seller: seller.id,
        meter: ByMeter(meter),
        name,
    };
    Ok(Json(app.read(&seller.caller, query, group_values).await?))
}

/// OpenMeter: whose use a meter has seen.
#[utoipa::path(get, path = "/api/v1/meters/{meter}/subjects", tag = "openmeter",
    params(("meter" = String, Path)),
    responses((status = 200, body = Vec<String>), (status = 401), (status = 404)))]
async fn get_subjects(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
) -> Result<Json<Vec<String>>, Problem> {
    values(&app, seller, (meter, None)).await
}

/// OpenMeter: which values a property of a meter has had.
#[utoipa::path(get, path = "/api/v1/meters/{meter}/group-by/{name}/values", tag = "openmeter",
    params(("meter" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Vec<String>), (status = 400), (status = 401), (status = 404)))]
async fn get_values(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParts((meter, name)): PathParts<(String, String)>,
) -> Result<Json<Vec<String>>, Problem> {
    values(&app, seller, (meter, Some(name))).await
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase")]
pub struct OpenMeterEventsIn {
    ingested_at_from: Option<String>,
    ingested_at_to: Option<String>,
    id: Option<String>,
    subject: Option<String>,
    from: Option<String>,
    to: Option<String>,
    limit: Option<i64>,
}

/// A stored event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenMeterEventOut {
    event: CloudEventOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_error: Option<String>,
    ingested_at: String,
    stored_at: String,
}

/// As it came in.
#[derive(Debug, Serialize, ToSchema)]
pub struct CloudEventOut {
    id: String,
    source: String,
    specversion: &'static str,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    time: String,
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
}

fn listed(row: EventRow) -> OpenMeterEventOut {
    let ingested_at = rfc3339(row.ingested_at.ms());
    OpenMeterEventOut {
        event: CloudEventOut {
            id: row.id,
            source: row.source,
            specversion: "1.0",
            kind: row.kind,
            subject: row.subject,
            time: rfc3339(row.at.ms()),
            data: RawValue::from_string(row.data).ok(),
        },
        validation_error: row.problem,
        stored_at: ingested_at.clone(),
        ingested_at,
    }
}

/// OpenMeter: list stored events of the last three days, or of the time asked.
#[utoipa::path(get, path = "/api/v1/events", tag = "openmeter", params(OpenMeterEventsIn),
    responses((status = 200, body = Vec<OpenMeterEventOut>), (status = 400), (status = 401)))]
async fn get_events(
    State(app): State<Arc<App>>,
    seller: Seller,
    Query(asked): Query<OpenMeterEventsIn>,
) -> Result<Json<Vec<OpenMeterEventOut>>, Problem> {
    let at = |field, text: &Option<String>| text.as_deref().map(|text| instant(field, text));
    let arrived = at("ingestedAtFrom", &asked.ingested_at_from).transpose()?;
    let usual = match (&asked.id, arrived) {
        (None, None) => app.now().ms() - LISTED_MS,
        _ => 0,
    };
    let filter = Filter {
        from: at("from", &asked.from).transpose()?.unwrap_or(usual),
        until: at("to", &asked.to).transpose()?.unwrap_or(i64::MAX),
        subject: asked.subject,
        kind: None,
        id: asked.id,
        ingested: (
            arrived.unwrap_or(0),
            at("ingestedAtTo", &asked.ingested_at_to)
                .transpose()?
                .unwrap_or(i64::MAX),
        ),
        limit: asked.limit.unwrap_or(100).clamp(1, 100),
        skip: 0,
    };
    let query = EventQuery {
        seller: seller.id,
        filter,
    };
    let rows = app.read(&seller.caller, query, list_events).await?;
    Ok(Json(rows.into_iter().map(listed).collect()))
}
