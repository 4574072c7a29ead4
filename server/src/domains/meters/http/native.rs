//! Our own routes.

use super::super::model::MeterError;
use super::super::model::event::MAX_EVENTS;
use super::super::model::meter::{DraftIn, Meter};
use super::super::ops::{
    Answer, ByMeter, CreateMeter, DeleteMeter, EventQuery, FindMeter, GroupValues, IngestEvents,
    ListMeters, Outcome, UpdateMeter, create_meter, delete_meter, find_meter, group_values, ingest,
    list_events, list_meters, update_meter, usage,
};
use super::super::sql::{EventRow, Filter};
use super::question::{QuestionIn, csv, csv_field};
use super::{Seller, read_event, rfc3339};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, PathParts, Query};
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

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_meter, get_meters))
        .routes(routes!(get_meter, patch_meter, remove_meter))
        .routes(routes!(get_usage, post_usage))
        .routes(routes!(get_values))
        .routes(routes!(post_events, get_events))
}

/// A meter with its id and instants.
#[derive(Debug, Serialize, ToSchema)]
pub struct MeterOut {
    meter_id: String,
    #[serde(flatten)]
    meter: DraftIn,
    created_at: i64,
    updated_at: i64,
}

impl MeterOut {
    fn of(meter: &Meter) -> Self {
        Self {
            meter_id: meter.id.to_string(),
            meter: meter.draft.to_json(),
            created_at: meter.created_at.ms(),
            updated_at: meter.updated_at.ms(),
        }
    }
}

/// Define a meter. Events that arrive from then on count.
#[utoipa::path(post, path = "/v1/meters", tag = "usage", request_body = DraftIn,
    responses((status = 201, body = MeterOut), (status = 400), (status = 401), (status = 409)))]
async fn post_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    body: JsonBody<DraftIn>,
) -> Result<(StatusCode, Json<MeterOut>), Problem> {
    let command = CreateMeter {
        seller: seller.id,
        draft: body.value.read()?,
    };
    let meter = app.transact(&seller.caller, command, create_meter).await?;
    Ok((StatusCode::CREATED, Json(MeterOut::of(&meter))))
}

/// All of a seller's meters.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetersOut {
    meters: Vec<MeterOut>,
}

/// List one's meters.
#[utoipa::path(get, path = "/v1/meters", tag = "usage",
    responses((status = 200, body = MetersOut), (status = 401)))]
async fn get_meters(
    State(app): State<Arc<App>>,
    seller: Seller,
) -> Result<Json<MetersOut>, Problem> {
    let meters = app
        .read(&seller.caller, ListMeters(seller.id), list_meters)
        .await?;
    let meters = meters.iter().map(MeterOut::of).collect();
    Ok(Json(MetersOut { meters }))
}

/// Read a meter by slug or id.
#[utoipa::path(get, path = "/v1/meters/{meter}", tag = "usage",
    params(("meter" = String, Path, description = "slug or mtr_…")),
    responses((status = 200, body = MeterOut), (status = 401), (status = 404)))]
async fn get_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
) -> Result<Json<MeterOut>, Problem> {
    let query = FindMeter {
        seller: seller.id,
        meter: ByMeter(meter),
    };
    let meter = app.read(&seller.caller, query, find_meter).await?;
    Ok(Json(MeterOut::of(&meter)))
}

/// What of a meter can change.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MeterPatchIn {
    name: Option<String>,
    description: Option<String>,
}

/// Rename a meter. What it measures never changes.
#[utoipa::path(patch, path = "/v1/meters/{meter}", tag = "usage", request_body = MeterPatchIn,
    params(("meter" = String, Path, description = "slug or mtr_…")),
    responses((status = 200, body = MeterOut), (status = 401), (status = 404)))]
async fn patch_meter(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    body: JsonBody<MeterPatchIn>,
) -> Result<Json<MeterOut>, Problem> {
    let command = UpdateMeter {
        seller: seller.id,
        meter: ByMeter(meter),
        name: body.value.name,
        description: body.value.description,
    };
    let meter = app.transact(&seller.caller, command, update_meter).await?;
    Ok(Json(MeterOut::of(&meter)))
}

/// End a meter. Its events stay.
#[utoipa::path(delete, path = "/v1/meters/{meter}", tag = "usage",
    params(("meter" = String, Path, description = "slug or mtr_…")),
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

/// Usage by window and group.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageOut {
    meter: String,
    aggregation: String,
    rows: Vec<RowOut>,
}

/// One window of one group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageRowOut)]
pub struct RowOut {
    from: i64,
    /// The first instant that is left out.
    to: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    group: BTreeMap<String, String>,
    /// A decimal as a text, exact to twelve digits; null where nothing happened that has a value.
    value: Option<String>,
    events: u64,
    /// False for a sketch's estimate: unique counts are off by 1.6 % (standard error),
    /// percentiles by at most 0.4 %.
    exact: bool,
}

fn usage_out(answer: Answer) -> UsageOut {
    let row = |row: super::super::ops::UsageRow| RowOut {
        from: row.span.from,
        to: row.span.until,
        subject: row.subject,
        group: row.group,
        value: row.figure.value.map(|value| value.to_string()),
        events: row.figure.events,
        exact: row.figure.exact,
    };
    UsageOut {
        meter: answer.meter.draft.slug.clone(),
        aggregation: answer.meter.draft.aggregation.name().to_owned(),
        rows: answer.rows.into_iter().map(row).collect(),
    }
}

pub(super) fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/csv"))
}

pub(super) fn as_csv(text: String) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
    (kind, text).into_response()
}

async fn answer(
    app: &App,
    seller: Seller,
    (meter, question): (String, QuestionIn),
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let query = question.ask(seller.id, ByMeter(meter))?;
    let group_by = query.group_by.clone();
    let answer = app.read(&seller.caller, query, usage).await?;
    Ok(match wants_csv(headers) {
        true => as_csv(csv(&answer, &group_by)),
        false => Json(usage_out(answer)).into_response(),
    })
}

/// Ask a meter. As `text/csv` when `Accept` says so.
#[utoipa::path(get, path = "/v1/meters/{meter}/usage", tag = "usage",
    params(("meter" = String, Path, description = "slug or mtr_…"), QuestionIn),
    responses((status = 200, content((UsageOut = "application/json"), (String = "text/csv"))),
        (status = 400), (status = 401), (status = 404)))]
async fn get_usage(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let question = QuestionIn::from_pairs(pairs)?;
    answer(&app, seller, (meter, question), &headers).await
}

/// Ask a meter, with the parameters as JSON.
#[utoipa::path(post, path = "/v1/meters/{meter}/usage", tag = "usage", request_body = QuestionIn,
    params(("meter" = String, Path, description = "slug or mtr_…")),
    responses((status = 200, content((UsageOut = "application/json"), (String = "text/csv"))),
        (status = 400), (status = 401), (status = 404)))]
async fn post_usage(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParam(meter): PathParam<String>,
    headers: HeaderMap,
    body: JsonBody<QuestionIn>,
) -> Result<Response, Problem> {
    answer(&app, seller, (meter, body.value), &headers).await
}

/// Values of a property.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValuesOut {
    values: Vec<String>,
}

/// Which values a property of a meter has had; `subject` for whose use there was.
#[utoipa::path(get, path = "/v1/meters/{meter}/values/{name}", tag = "usage",
    params(("meter" = String, Path, description = "slug or mtr_…"), ("name" = String, Path)),
    responses((status = 200, body = ValuesOut), (status = 400), (status = 401), (status = 404)))]
async fn get_values(
    State(app): State<Arc<App>>,
    seller: Seller,
    PathParts((meter, name)): PathParts<(String, String)>,
) -> Result<Json<ValuesOut>, Problem> {
    let query = GroupValues {
        seller: seller.id,
        meter: ByMeter(meter),
        name: Some(name).filter(|name| name != "subject"),
    };
    let values = app.read(&seller.caller, query, group_values).await?;
    Ok(Json(ValuesOut { values }))
}

/// Events in the manner of CloudEvents 1.0: `id`, `source`, `specversion`, `type`, `subject`,
/// `time`, `data`; `reverses` names the event of the same source to take back.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventsIn {
    /// At most 5000.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Box<RawValue>>,
}

/// What became of each event, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventsOut {
    accepted: usize,
    duplicates: usize,
    refused: usize,
    results: Vec<ResultOut>,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultOut {
    /// `accepted`, `duplicate` (a success too) or `refused`.
    status: &'static str,
    /// Why it was refused: `usage_event_malformed`, `event_conflict`, `event_unknown`,
    /// `event_reversed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// In words; also why a meter could not count an accepted event.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl ResultOut {
    fn refused(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status: "refused",
            code: Some(code),
            detail: Some(detail.into()),
        }
    }

    fn of(outcome: Outcome) -> Self {
        let status = match &outcome {
            Outcome::Accepted { .. } => "accepted",
            _ => "duplicate",
        };
        match outcome {
            Outcome::Accepted { problem: detail } => Self {
                status,
                code: None,
                detail,
            },
            Outcome::Duplicate => Self {
                status,
                code: None,
                detail: None,
            },
            Outcome::Conflict => Self::refused(
                "event_conflict",
                "another event has this source and id; nothing was changed",
            ),
            Outcome::NothingToReverse => {
                Self::refused("event_unknown", "there is no such event to take back")
            }
            Outcome::ReversedBefore => {
                Self::refused("event_reversed", "that event was taken back before")
            }
        }
    }
}

/// Send events. Each is judged alone: what is wrong with one is no matter to the others, and one
/// that was stored before is a success.
#[utoipa::path(post, path = "/v1/events", tag = "usage", request_body = EventsIn,
    responses((status = 200, body = EventsOut), (status = 401), (status = 413)))]
async fn post_events(
    State(app): State<Arc<App>>,
    seller: Seller,
    body: JsonBody<EventsIn>,
) -> Result<Json<EventsOut>, Problem> {
    if body.value.events.len() > MAX_EVENTS {
        return Err(MeterError::TooManyEvents.into());
    }
    let now = app.now();
    let mut results = Vec::with_capacity(body.value.events.len());
    let mut events = Vec::with_capacity(body.value.events.len());
    for raw in &body.value.events {
        match read_event(raw, now) {
            Ok(event) => {
                events.push(event);
                results.push(None);
            }
            Err(why) => results.push(Some(ResultOut::refused("usage_event_malformed", why))),
        }
    }
    let command = IngestEvents {
        seller: seller.id,
        events,
    };
    let outcomes = ingest(&app, &seller.caller, command).await?;
    let mut outcomes = outcomes.into_iter().map(ResultOut::of);
    let results: Vec<_> = results
        .into_iter()
        .filter_map(|refused| refused.or_else(|| outcomes.next()))
        .collect();
    let count = |status| {
        results
            .iter()
            .filter(|result| result.status == status)
            .count()
    };
    Ok(Json(EventsOut {
        accepted: count("accepted"),
        duplicates: count("duplicate"),
        refused: count("refused"),
        results,
    }))
}

/// Which events.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
pub struct EventsQueryIn {
    /// In milliseconds; without, from the beginning.
    from: Option<i64>,
    /// The first instant that is left out.
    to: Option<i64>,
    subject: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    id: Option<String>,
    /// 1 to 1000.
    limit: Option<i64>,
    /// How many to leave out first.
    skip: Option<i64>,
}

/// A stored event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventOut {
    source: String,
    id: String,
    #[serde(rename = "type")]
    kind: String,
    subject: String,
    /// When it happened, in milliseconds.
    time: i64,
    ingested_at: i64,
    #[schema(value_type = serde_json::Value)]
    data: Option<Box<RawValue>>,
    /// Why a meter could not count it.
    problem: Option<String>,
    reverses: Option<String>,
    reversed_by: Option<String>,
}

/// A page of events, those that happened last first.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventListOut {
    events: Vec<EventOut>,
}

fn event_out(row: EventRow) -> EventOut {
    EventOut {
        source: row.source,
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        time: row.at.ms(),
        ingested_at: row.ingested_at.ms(),
        data: RawValue::from_string(row.data).ok(),
        problem: row.problem,
        reverses: row.reverses,
        reversed_by: row.reversed_by,
    }
}

fn events_csv(rows: &[EventRow]) -> String {
    let mut lines = String::from(
        "source,id,type,subject,time,ingested_at,data,problem,reverses,reversed_by\r\n",
    );
    for row in rows {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let fields = [
            row.source.clone(),
            row.id.clone(),
            row.kind.clone(),
            row.subject.clone(),
            rfc3339(row.at.ms()),
            rfc3339(row.ingested_at.ms()),
            row.data.clone(),
            text(&row.problem),
            text(&row.reverses),
            text(&row.reversed_by),
        ];
        lines.push_str(&fields.map(|field| csv_field(&field)).join(","));
        lines.push_str("\r\n");
    }
    lines
}

/// List stored events. As `text/csv` when `Accept` says so.
#[utoipa::path(get, path = "/v1/events", tag = "usage", params(EventsQueryIn),
    responses((status = 200, content((EventListOut = "application/json"), (String = "text/csv"))),
        (status = 401)))]
async fn get_events(
    State(app): State<Arc<App>>,
    seller: Seller,
    Query(asked): Query<EventsQueryIn>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let filter = Filter {
        from: asked.from.unwrap_or(0),
        until: asked.to.unwrap_or(i64::MAX),
        subject: asked.subject,
        kind: asked.kind,
        id: asked.id,
        ingested: (0, i64::MAX),
        limit: asked.limit.unwrap_or(100).clamp(1, 1000),
        skip: asked.skip.unwrap_or(0).max(0),
    };
    let query = EventQuery {
        seller: seller.id,
        filter,
    };
    let rows = app.read(&seller.caller, query, list_events).await?;
    if wants_csv(&headers) {
        return Ok(as_csv(events_csv(&rows)));
    }
    let events = rows.into_iter().map(event_out).collect();
    Ok(Json(EventListOut { events }).into_response())
}
