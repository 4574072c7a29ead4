//! The part of Lago's API, version 1, that counts: events, billable metrics, and what a
//! subscription comes to. It lies below `/lago`, since its paths are OpenMeter's too.
//!
//! What differs on purpose is in docs/metering.md: an event that was sent before is a success, and
//! one bad event of a batch leaves the others stored.

use super::super::model::MeterError;
use super::super::model::event::Event;
use super::super::model::meter::DraftIn;
use super::super::ops::{
    CreateMeter, CurrentUsage, DescribeLago, EventQuery, IngestEvents, Outcome, PeriodUsage,
    create_meter, current_usage, describe, find_event, ingest, metrics_of_plan,
};
use super::super::sql::{EventRow, Filter, LagoObject};
use super::{FUTURE_MS, Seller, rfc3339};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{PathParam, Query, RawBody};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mintreu::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Most events of a batch.
const MAX_BATCH: usize = 100;
/// Longest description of a customer, a plan or a subscription.
const MAX_DESCRIPTION: usize = 16 * 1024;
/// Events come from here as far as keys go, each subscription for itself.
const SOURCE: &str = "lago:";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_event))
        .routes(routes!(post_batch))
        .routes(routes!(get_event))
        .routes(routes!(post_metric))
        .routes(routes!(post_customer))
        .routes(routes!(post_plan))
        .routes(routes!(post_subscription))
        .routes(routes!(get_current_usage))
}

/// A refusal in Lago's form.
enum Refusal {
    Fields(Value),
    NotFound(&'static str),
    Other(Problem),
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn field(name: &str, why: &str) -> Refusal {
    let mut fields = Map::new();
    fields.insert(name.to_owned(), json!([why]));
    Refusal::Fields(Value::Object(fields))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Fields(fields) => (
                422,
                json!({"status": 422, "error": "Unprocessable Entity",
                    "code": "validation_errors", "error_details": fields}),
            ),
            Self::NotFound(code) => (
                404,
                json!({"status": 404, "error": "Not Found", "code": code}),
            ),
            Self::Other(problem) => {
                let json = problem.to_json();
                let body = json!({"status": problem.status, "error": json["title"],
                    "code": problem.code, "detail": json["detail"]});
                (problem.status, body)
            }
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

type Answer = Result<Json<Value>, Refusal>;
/// A seller, or Lago's form of why not.
type Asks = Result<Seller, Problem>;

/// A JSON body's one root.
fn root<'b, T: Deserialize<'b>>(body: &'b [u8], name: &str) -> Result<T, Refusal> {
    let roots: std::collections::BTreeMap<&str, &RawValue> =
        serde_json::from_slice(body).map_err(|_| field("base", "invalid_json"))?;
    let root = roots
        .get(name)
        .ok_or_else(|| field(name, "value_is_mandatory"))?;
    serde_json::from_str(root.get()).map_err(|_| field(name, "invalid_format"))
}

#[derive(Deserialize)]
struct EventIn<'b> {
    #[serde(default)]
    transaction_id: Option<String>,
    #[serde(default)]
    external_subscription_id: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    timestamp: Option<Value>,
    #[serde(borrow, default)]
    properties: Option<&'b RawValue>,
}

/// Seconds with fractions, as a number or a text, or RFC 3339.
fn timestamp(value: &Value) -> Option<Timestamp> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let seconds: Option<super::super::model::decimal::Decimal> = text.parse().ok();
    let ms = seconds.and_then(|seconds| i64::try_from(seconds.raw() / 1_000_000_000).ok());
    let read = || text.parse::<jiff::Timestamp>().ok();
    ms.or_else(|| read().map(|at| at.as_millisecond()))
        .map(Timestamp::from_ms)
}

fn read(event: EventIn<'_>, now: Timestamp) -> Result<Event, Value> {
    let mandatory = |name: &str| json!({name: ["value_is_mandatory"]});
    let id = event
        .transaction_id
        .ok_or_else(|| mandatory("transaction_id"))?;
    let kind = event.code.ok_or_else(|| mandatory("code"))?;
    let subject = event.external_subscription_id;
    let subject = subject.ok_or_else(|| mandatory("external_subscription_id"))?;
    let at = match event.timestamp.filter(|value| !value.is_null()) {
        Some(value) => {
            Some(timestamp(&value).ok_or_else(|| json!({"timestamp": ["invalid_format"]}))?)
        }
        None => None,
    };
    let taken = Event {
        source: format!("{SOURCE}{subject}"),
        id,
        kind,
        subject,
        at,
        data: String::new(),
        leaves: Default::default(),
        reverses: None,
    };
    let taken = taken.with_data(event.properties, now.plus_ms(FUTURE_MS));
    taken.map_err(|error| json!({error.field: [error.why]}))
}

fn event_out(event: &Event, now: Timestamp) -> Value {
    let properties: Value = serde_json::from_str(&event.data).unwrap_or_else(|_| json!({}));
    json!({
        "lago_id": null, "transaction_id": event.id, "lago_customer_id": null,
        "code": event.kind, "timestamp": rfc3339(event.at.unwrap_or(now).ms()),
        "precise_total_amount_cents": null, "properties": properties,
        "lago_subscription_id": null, "external_subscription_id": event.subject,
        "created_at": rfc3339(now.ms()),
    })
}

/// Stores events; answers them, and what is wrong by place.
async fn take(
    app: &App,
    seller: Seller,
    events: Vec<EventIn<'_>>,
) -> Result<(Vec<Value>, Map<String, Value>), Refusal> {
    let now = app.now();
    let mut wrong = Map::new();
    let mut good = Vec::new();
    for (place, event) in events.into_iter().enumerate() {
        match read(event, now) {
            Ok(event) => good.push((place, event)),
            Err(why) => {
                wrong.insert(place.to_string(), why);
            }
        }
    }
    let command = IngestEvents {
        seller: seller.id,
        events: good.iter().map(|(_, event)| event.clone()).collect(),
    };
    let outcomes = ingest(app, &seller.caller, command).await?;
    let mut out = Vec::new();
    for ((place, event), outcome) in good.iter().zip(outcomes) {
        match outcome {
            Outcome::Accepted { .. } | Outcome::Duplicate => out.push(event_out(event, now)),
            _ => {
                let why = json!({"transaction_id": ["value_already_exist"]});
                wrong.insert(place.to_string(), why);
            }
        }
    }
    Ok((out, wrong))
}

/// Lago: send an event.
#[utoipa::path(post, path = "/lago/api/v1/events", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_event(State(app): State<Arc<App>>, seller: Asks, RawBody(body): RawBody) -> Answer {
    let event: EventIn<'_> = root(&body, "event")?;
    let (mut events, mut wrong) = take(&app, seller?, vec![event]).await?;
    match (events.pop(), wrong.remove("0")) {
        (Some(event), None) => Ok(Json(json!({"event": event}))),
        (_, Some(fields)) => Err(Refusal::Fields(fields)),
        (None, None) => Err(Problem::internal().into()),
    }
}

/// Lago: send up to 100 events. What is wrong is told by place; the others are stored.
#[utoipa::path(post, path = "/lago/api/v1/events/batch", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_batch(State(app): State<Arc<App>>, seller: Asks, RawBody(body): RawBody) -> Answer {
    let events: Vec<EventIn<'_>> = root(&body, "events")?;
    match events.len() {
        0 => return Err(field("events", "no_events")),
        count if count > MAX_BATCH => return Err(field("events", "too_many_events")),
        _ => {}
    }
    let (events, wrong) = take(&app, seller?, events).await?;
    match wrong.is_empty() {
        true => Ok(Json(json!({"events": events}))),
        false => Err(Refusal::Fields(Value::Object(wrong))),
    }
}

/// Lago: read an event by its transaction.
#[utoipa::path(get, path = "/lago/api/v1/events/{transaction}", tag = "lago",
    params(("transaction" = String, Path)),
    responses((status = 200), (status = 401), (status = 404)))]
async fn get_event(
    State(app): State<Arc<App>>,
    seller: Asks,
    PathParam(transaction): PathParam<String>,
) -> Answer {
    let seller = seller?;
    let filter = Filter {
        from: 0,
        until: i64::MAX,
        subject: None,
        kind: None,
        id: Some(transaction),
        ingested: (0, i64::MAX),
        limit: 1,
        skip: 0,
    };
    let query = EventQuery {
        seller: seller.id,
        filter,
    };
    let found: Result<EventRow, MeterError> = app.read(&seller.caller, query, find_event).await;
    let row = match found {
        Err(MeterError::EventNotFound) => return Err(Refusal::NotFound("event_not_found")),
        found => found?,
    };
    let event = Event {
        source: row.source,
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        at: Some(row.at),
        data: row.data,
        leaves: Default::default(),
        reverses: None,
    };
    Ok(Json(json!({"event": event_out(&event, row.ingested_at)})))
}

#[derive(Deserialize)]
struct MetricIn {
    name: Option<String>,
    code: Option<String>,
    description: Option<String>,
    aggregation_type: Option<String>,
    field_name: Option<String>,
}

const AGGREGATIONS: [(&str, &str); 6] = [
    ("count_agg", "COUNT"),
    ("sum_agg", "SUM"),
    ("max_agg", "MAX"),
    ("unique_count_agg", "UNIQUE_COUNT"),
    ("weighted_sum_agg", "WEIGHTED_SUM"),
    ("latest_agg", "LATEST"),
];

fn uuid(bytes: &[u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// A meter's id from Lago's form of it; what is none stays as it is.
fn meter_of(text: &str) -> String {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    match u128::from_str_radix(&hex, 16) {
        Ok(value) if hex.len() == 32 => mintreu::id::encode(&value.to_be_bytes()),
        _ => text.to_owned(),
    }
}

/// Lago: define a billable metric: a meter whose slug and event type are its code.
#[utoipa::path(post, path = "/lago/api/v1/billable_metrics", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_metric(State(app): State<Arc<App>>, seller: Asks, RawBody(body): RawBody) -> Answer {
    let seller = seller?;
    let metric: MetricIn = root(&body, "billable_metric")?;
    let code = metric
        .code
        .ok_or_else(|| field("code", "value_is_mandatory"))?;
    let asked = metric.aggregation_type.unwrap_or_default();
    let found = AGGREGATIONS.iter().find(|(theirs, _)| *theirs == asked);
    let (theirs, ours) = found.ok_or_else(|| field("aggregation_type", "value_is_invalid"))?;
    let draft = DraftIn {
        slug: code.clone(),
        name: metric.name.clone(),
        description: metric.description.clone(),
        event_type: code.clone(),
        aggregation: (*ours).to_owned(),
        value_property: metric.field_name.as_ref().map(|name| format!("$.{name}")),
        group_by: None,
        percentile: None,
        product_id: None,
    };
    let draft = draft.read().map_err(|error| match error {
        MeterError::Malformed { field: "slug", .. } => field("code", "value_is_invalid"),
        MeterError::Malformed { field: name, .. } => field(name, "value_is_invalid"),
        other => other.into(),
    })?;
    let command = CreateMeter {
        seller: seller.id,
        draft,
    };
    let made = app.transact(&seller.caller, command, create_meter).await;
    let meter = match made {
        Err(MeterError::SlugTaken) => return Err(field("code", "value_already_exist")),
        made => made?,
    };
    Ok(Json(json!({"billable_metric": {
        "lago_id": uuid(meter.id.as_bytes()), "name": meter.draft.name, "code": code,
        "description": metric.description, "recurring": false, "rounding_function": null,
        "rounding_precision": null, "aggregation_type": theirs, "weighted_interval": null,
        "expression": null, "field_name": metric.field_name,
        "created_at": rfc3339(meter.created_at.ms()), "filters": [],
    }})))
}

/// Stores what is described and answers it with an id.
async fn described(
    app: &App,
    seller: Seller,
    kind: &'static str,
    (mut body, code): (Map<String, Value>, &str),
) -> Result<Map<String, Value>, Refusal> {
    let code = match body.get(code) {
        Some(Value::String(text)) if (1..=256).contains(&text.len()) => text.clone(),
        _ => return Err(field(code, "value_is_mandatory")),
    };
    let text = Value::Object(body.clone()).to_string();
    if text.len() > MAX_DESCRIPTION {
        return Err(field("base", "too_long"));
    }
    let command = DescribeLago {
        seller: seller.id,
        kind,
        code,
        body: text,
    };
    let object: LagoObject = app.transact(&seller.caller, command, describe).await?;
    body.insert("lago_id".to_owned(), uuid(&object.id).into());
    for name in ["created_at", "updated_at"] {
        body.insert(name.to_owned(), rfc3339(object.created_at.ms()).into());
    }
    Ok(body)
}

/// Lago: describe a customer.
#[utoipa::path(post, path = "/lago/api/v1/customers", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_customer(
    State(app): State<Arc<App>>,
    seller: Asks,
    RawBody(body): RawBody,
) -> Answer {
    let asked: Map<String, Value> = root(&body, "customer")?;
    // Names and addresses of people aren't needed to count, so they aren't kept.
    let mut kept = Map::new();
    let id = asked.get("external_id").cloned().unwrap_or(Value::Null);
    kept.insert("external_id".to_owned(), id);
    let stored = described(&app, seller?, "customer", (kept, "external_id")).await?;
    let mut out = asked;
    out.extend(stored);
    out.insert("applicable_timezone".to_owned(), "UTC".into());
    Ok(Json(json!({"customer": out})))
}

/// Lago: describe a plan, whose charges are `standard`.
#[utoipa::path(post, path = "/lago/api/v1/plans", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_plan(State(app): State<Arc<App>>, seller: Asks, RawBody(body): RawBody) -> Answer {
    let mut plan: Map<String, Value> = root(&body, "plan")?;
    let charges = plan.get_mut("charges").and_then(Value::as_array_mut);
    for charge in charges.into_iter().flatten() {
        // What is no object is refused below.
        if let Value::Object(charge) = charge {
            let given = charge.get("billable_metric_id").and_then(Value::as_str);
            let meter = meter_of(given.unwrap_or(""));
            charge.insert("billable_metric_id".to_owned(), meter.into());
        }
    }
    let text = Value::Object(plan.clone()).to_string();
    metrics_of_plan(&text).map_err(|name| field(name, "value_is_invalid"))?;
    let mut out = described(&app, seller?, "plan", (plan, "code")).await?;
    for name in ["charges", "fixed_charges", "usage_thresholds", "taxes"] {
        out.insert(name.to_owned(), json!([]));
    }
    Ok(Json(json!({"plan": out})))
}

/// Lago: describe a subscription.
#[utoipa::path(post, path = "/lago/api/v1/subscriptions", tag = "lago", request_body = Object,
    responses((status = 200), (status = 401), (status = 422)))]
async fn post_subscription(
    State(app): State<Arc<App>>,
    seller: Asks,
    RawBody(body): RawBody,
) -> Answer {
    let subscription: Map<String, Value> = root(&body, "subscription")?;
    for name in ["plan_code", "external_customer_id"] {
        if !subscription.get(name).is_some_and(Value::is_string) {
            return Err(field(name, "value_is_mandatory"));
        }
    }
    let mut out = described(&app, seller?, "subscription", (subscription, "external_id")).await?;
    out.insert("status".to_owned(), "active".into());
    Ok(Json(json!({"subscription": out})))
}

#[derive(Deserialize)]
struct WhichIn {
    external_subscription_id: String,
}

fn usage_out(usage: &PeriodUsage) -> Value {
    let charges = usage.metrics.iter().map(|metric| {
        let draft = &metric.meter.draft;
        let name = draft.aggregation.name();
        let theirs = AGGREGATIONS.iter().find(|(_, ours)| *ours == name);
        let id = uuid(metric.meter.id.as_bytes());
        json!({
            "units": metric.units.to_string(),
            "total_aggregated_units": metric.units.to_string(),
            "events_count": metric.events, "amount_cents": metric.amount_cents,
            "amount_currency": usage.currency,
            "charge": {"lago_id": id, "charge_model": "standard", "invoice_display_name": null},
            "billable_metric": {"lago_id": id, "name": draft.name, "code": draft.slug,
                "aggregation_type": theirs.map_or("", |(theirs, _)| theirs)},
            "filters": [], "grouped_usage": [],
        })
    });
    let charges: Vec<Value> = charges.collect();
    let total: i64 = usage
        .metrics
        .iter()
        .fold(0, |sum, metric| sum.saturating_add(metric.amount_cents));
    let issued = rfc3339(usage.month.until);
    json!({"customer_usage": {
        "from_datetime": rfc3339(usage.month.from), "to_datetime": rfc3339(usage.month.until - 1000),
        "issuing_date": issued.get(..10), "lago_invoice_id": null, "currency": usage.currency,
        "amount_cents": total, "taxes_amount_cents": 0, "total_amount_cents": total,
        "charges_usage": charges,
    }})
}

/// Lago: what a subscription comes to in the running calendar month (UTC), without taxes.
#[utoipa::path(get, path = "/lago/api/v1/customers/{customer}/current_usage", tag = "lago",
    params(("customer" = String, Path), ("external_subscription_id" = String, Query)),
    responses((status = 200), (status = 401), (status = 404)))]
async fn get_current_usage(
    State(app): State<Arc<App>>,
    seller: Asks,
    PathParam(customer): PathParam<String>,
    asked: Result<Query<WhichIn>, Problem>,
) -> Answer {
    let (seller, Query(which)) = (seller?, asked?);
    let query = CurrentUsage {
        seller: seller.id,
        customer,
        subscription: which.external_subscription_id,
    };
    let usage = app.read(&seller.caller, query, current_usage).await;
    match usage {
        Err(MeterError::Undescribed("customer")) => Err(Refusal::NotFound("customer_not_found")),
        Err(MeterError::Undescribed(_)) => Err(Refusal::NotFound("subscription_not_found")),
        usage => Ok(Json(usage_out(&usage?))),
    }
}
