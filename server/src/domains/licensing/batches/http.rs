//! Routes of batches: issue many, bring keys in, see how far it is, take the codes out, withdraw.

use super::files::{Moving, codes_file, import_page};
use super::{
    Batch, Batches, Generate, ImportReport, OpenBatch, RevokeBatch, SealedPage, batch_page,
    generate, list, open_batch, opened, revoke, view,
};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::licensing::LicensingError;
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mintreu::Timestamp;
use mintreu::id::BatchId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What a spreadsheet reads.
const CSV: &str = "text/csv";
/// Codes of one answer that isn't a file.
const PAGE: i64 = 1_000;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(issue_licenses))
        .routes(routes!(import_licenses))
        .routes(routes!(list_batches))
        .routes(routes!(show_batch))
        .routes(routes!(show_codes))
        .routes(routes!(revoke_batch))
}

/// Licenses to issue without an owner: whoever redeems one owns it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueIn {
    /// 1 to 100,000. Up to 1,000 are there with the answer; more are issued by a job.
    count: i64,
    /// What the batch is called, at most 80 characters.
    #[serde(default)]
    label: String,
    /// Devices that may be active at once, instead of the product's.
    #[serde(default)]
    seats: Option<i64>,
    /// When each ends, in milliseconds since 1970 (UTC), instead of as the product says.
    #[serde(default)]
    expires_at: Option<i64>,
}

/// Licenses issued many at a time.
#[derive(Serialize, ToSchema)]
pub struct BatchOut {
    batch_id: String,
    product_id: String,
    /// `codes`: redeem codes; `keys`: a seller's own.
    kind: &'static str,
    label: String,
    /// `issuing`, `done`, `revoking` or `revoked`.
    state: &'static str,
    /// How many licenses it is to have.
    wanted: i64,
    /// How many it has.
    issued: i64,
    /// How many of these were withdrawn.
    revoked: i64,
    revoke_reason: Option<String>,
    /// Devices of each license; a row of an import may say otherwise.
    seats: i64,
    /// Milliseconds since 1970 (UTC); a row of an import may say otherwise.
    expires_at: Option<i64>,
    created_at: i64,
}

fn batch_out(batch: &Batch) -> BatchOut {
    BatchOut {
        batch_id: batch.id.to_string(),
        product_id: batch.product.to_string(),
        kind: batch.kind.code(),
        label: batch.label.clone(),
        state: batch.state.code(),
        wanted: batch.wanted,
        issued: batch.issued,
        revoked: batch.revoked,
        revoke_reason: batch.revoke_reason.clone(),
        seats: batch.seats,
        expires_at: batch.expires_at.map(Timestamp::ms),
        created_at: batch.created_at.ms(),
    }
}

/// A license with what it is exchanged for.
#[derive(Serialize, ToSchema)]
pub struct CodeOut {
    /// The redeem code, or the seller's own key.
    code: String,
    license_id: String,
    /// What its seller knows the customer by; empty for codes.
    reference: String,
}

/// Licenses that were issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedOut {
    batch: BatchOut,
    /// None while a job issues them.
    codes: Vec<CodeOut>,
}

/// Issue licenses of one's own product, without owners.
///
/// Up to 1,000 answer 201 with their codes: JSON, or with `Accept: text/csv` a file. More answer 202
/// with the batch, which a job fills.
#[utoipa::path(post, path = "/v1/products/{slug}/licenses", tag = "licenses",
    params(("slug" = String, Path), ("Idempotency-Key" = String, Header)), request_body = IssueIn,
    responses((status = 201, content((IssuedOut = "application/json"), (String = "text/csv"))),
        (status = 202, body = IssuedOut), (status = 400), (status = 403), (status = 404),
        (status = 409),
        (status = 422)))]
async fn issue_licenses(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    key: IdempotencyKey,
    headers: HeaderMap,
    body: JsonBody<IssueIn>,
) -> Result<Response, Problem> {
    let idempotency = key.required(&body.bytes)?;
    let IssueIn {
        count,
        label,
        seats,
        expires_at,
    } = body.value;
    let command = Generate {
        slug,
        count,
        label,
        seats,
        expires_at: expires_at.map(Timestamp::from_ms),
    };
    let caller = &visitor.caller;
    let made = app.transact_once(caller, idempotency, command, generate);
    let made = made.await?;
    let batch = made.id()?;
    if !made.done {
        let batch = app.read(caller, batch, view).await?;
        let out = IssuedOut {
            batch: batch_out(&batch),
            codes: Vec::new(),
        };
        return Ok((StatusCode::ACCEPTED, Json(out)).into_response());
    }
    if wants_csv(&headers) {
        let file = codes_csv(&app, caller, batch).await?;
        return Ok((StatusCode::CREATED, file).into_response());
    }
    let (batch, codes) = codes(&app, caller, (batch, 0, PAGE)).await?;
    let out = IssuedOut {
        batch: batch_out(&batch),
        codes,
    };
    Ok((StatusCode::CREATED, NO_STORE, Json(out)).into_response())
}

/// Codes belong to who asked for them, and to no cache.
const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains(CSV))
}

/// A page of codes in the clear; the audit log keeps that they were asked for.
async fn codes(
    app: &App,
    caller: &Caller,
    (batch, after, limit): (BatchId, i64, i64),
) -> Result<(Batch, Vec<CodeOut>), LicensingError> {
    let command = OpenBatch { batch };
    let found = app.transact(caller, command, open_batch).await?;
    let page = SealedPage {
        batch,
        after,
        limit,
    };
    let rows = app.read(caller, page, batch_page).await?;
    let mut codes = Vec::with_capacity(rows.len());
    for row in rows {
        codes.push(CodeOut {
            code: opened(&app.keys, &row)?.reveal().to_owned(),
            license_id: row.license.to_string(),
            reference: row.reference,
        });
    }
    Ok((found, codes))
}

/// A batch's codes as a file to save, and to keep in no cache.
pub async fn codes_csv(
    app: &App,
    caller: &Caller,
    batch: BatchId,
) -> Result<Response, LicensingError> {
    let text = codes_file(app, caller, batch).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{batch}.csv\""),
        ),
    ];
    Ok((headers, text.to_vec()).into_response())
}

/// How keys are brought in.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ImportQuery {
    /// What the batch is called; an import with the label of an earlier one adds to it.
    label: String,
    /// Take keys that can be guessed too; guessing them then meets stricter limits.
    allow_weak: bool,
}

/// What became of one row.
#[derive(Serialize, ToSchema)]
#[schema(as = ImportRowOut)]
pub struct RowOut {
    /// Its line; the header's is 1.
    line: u64,
    /// `created`, `unchanged` or `refused`.
    outcome: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license_id: Option<String>,
}

/// What became of an import: `read` is the sum of the three counts.
#[derive(Serialize, ToSchema)]
pub struct ImportOut {
    /// The batch of the new licenses, if there are any.
    batch_id: Option<String>,
    read: u64,
    created: u64,
    unchanged: u64,
    refused: u64,
    rows: Vec<RowOut>,
}

fn import_out(report: ImportReport) -> ImportOut {
    let row = |row: super::RowReport| RowOut {
        line: row.line,
        outcome: row.outcome.code(),
        code: row.code,
        detail: row.detail,
        license_id: row.license,
    };
    ImportOut {
        batch_id: report.batch,
        read: report.read,
        created: report.created,
        unchanged: report.unchanged,
        refused: report.refused,
        rows: report.rows.into_iter().map(row).collect(),
    }
}

/// Bring keys along that customers have already: each becomes a license that it opens.
///
/// The body is CSV with a header: `key`, and as one likes `expires`, `seats`, `reference`. Every row
/// is answered for; sending the same again changes nothing.
#[utoipa::path(post, path = "/v1/products/{slug}/licenses/import", tag = "licenses",
    params(("slug" = String, Path), ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ImportOut), (status = 403), (status = 404), (status = 409),
        (status = 413),
        (status = 415), (status = 422)))]
async fn import_licenses(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    Query(query): Query<ImportQuery>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<ImportOut>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(CSV.as_bytes())) {
        let detail = "Send CSV, with Content-Type: text/csv.";
        return Err(Problem::new(415, "content_type_unsupported", detail));
    }
    let moving = Moving {
        slug,
        label: query.label,
        allow_weak: query.allow_weak,
    };
    let report = import_page(&app, &visitor.caller, moving, &body).await?;
    Ok(Json(import_out(report)))
}

/// Which page of batches.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct BatchesQuery {
    /// The last batch of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
}

/// A page of batches.
#[derive(Serialize, ToSchema)]
pub struct BatchesOut {
    batches: Vec<BatchOut>,
}

/// The batches of one's own product, newest first.
#[utoipa::path(get, path = "/v1/products/{slug}/license-batches", tag = "licenses",
    params(("slug" = String, Path), BatchesQuery),
    responses((status = 200, body = BatchesOut), (status = 400), (status = 404)))]
async fn list_batches(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    Query(query): Query<BatchesQuery>,
) -> Result<Json<BatchesOut>, Problem> {
    let query = Batches {
        slug,
        before: query.before.as_deref().map(BatchId::parse).transpose()?,
        limit: query.limit,
    };
    let found = app.read(&visitor.caller, query, list).await?;
    Ok(Json(BatchesOut {
        batches: found.iter().map(batch_out).collect(),
    }))
}

/// How far one's own batch is.
#[utoipa::path(get, path = "/v1/license-batches/{batch_id}", tag = "licenses",
    params(("batch_id" = String, Path)),
    responses((status = 200, body = BatchOut), (status = 404)))]
async fn show_batch(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(batch): PathParam<BatchId>,
) -> Result<Json<BatchOut>, Problem> {
    let found = app.read(&visitor.caller, batch, view).await?;
    Ok(Json(batch_out(&found)))
}

/// Which page of codes.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct CodesQuery {
    /// `next` of the page before.
    after: i64,
    /// 1 to 1,000; 1,000 when absent.
    limit: Option<i64>,
}

/// A page of codes.
#[derive(Serialize, ToSchema)]
pub struct CodesOut {
    codes: Vec<CodeOut>,
    /// Where the next page begins, if there may be one.
    next: Option<i64>,
}

/// The codes or keys of one's own batch; with `Accept: text/csv` all of them as a file.
#[utoipa::path(get, path = "/v1/license-batches/{batch_id}/codes", tag = "licenses",
    params(("batch_id" = String, Path), CodesQuery),
    responses((status = 200, content((CodesOut = "application/json"), (String = "text/csv"))),
        (status = 403), (status = 404)))]
async fn show_codes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(batch): PathParam<BatchId>,
    Query(query): Query<CodesQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = &visitor.caller;
    if wants_csv(&headers) {
        return Ok(codes_csv(&app, caller, batch).await?);
    }
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let after = query.after.max(0);
    let (found, codes) = codes(&app, caller, (batch, after, limit)).await?;
    let shown = after.saturating_add(i64::try_from(codes.len()).unwrap_or(PAGE));
    let next = (shown < found.issued && !codes.is_empty()).then_some(shown);
    Ok((NO_STORE, Json(CodesOut { codes, next })).into_response())
}

/// Why a batch is withdrawn.
#[derive(Deserialize, ToSchema)]
pub struct RevokeBatchIn {
    /// For customers to read, at most 500 characters.
    reason: String,
}

/// Withdraw every license of one's own batch. A job does it; how far it is shows.
#[utoipa::path(post, path = "/v1/license-batches/{batch_id}/revoke", tag = "licenses",
    params(("batch_id" = String, Path)), request_body = RevokeBatchIn,
    responses((status = 202, body = BatchOut), (status = 403), (status = 404), (status = 422)))]
async fn revoke_batch(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(batch): PathParam<BatchId>,
    body: JsonBody<RevokeBatchIn>,
) -> Result<(StatusCode, Json<BatchOut>), Problem> {
    let reason = reason(&body.value.reason)?;
    let command = RevokeBatch { batch, reason };
    let batch = app.transact(&visitor.caller, command, revoke).await?;
    Ok((StatusCode::ACCEPTED, Json(batch_out(&batch))))
}

/// A reason as it is kept.
pub fn reason(text: &str) -> Result<String, Problem> {
    let reason = text.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > 500 {
        let detail = "Say why, in at most 500 characters.";
        return Err(Problem::new(422, "reason_malformed", detail).at("reason"));
    }
    Ok(reason)
}
