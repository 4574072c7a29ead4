//! Routes of what stands behind usage.

use super::super::MeteringError;
use super::model::{Behind, Dispute, Trouble};
use super::ops::{
    BehindInvoice, BehindPeriod, DecideDispute, DisputesOf, ProveRestore, TroubleOf,
    behind_invoice, behind_period, decide_dispute, prove_restore, trouble,
};
use super::sql;
use crate::app::{App, ReadCx};
use crate::caller::Caller;
use crate::domains::quotas::http::{WrittenOffOut, written_off_out};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, PathParts, Query, RawBody, Visitor, pieces};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mintreu::id::{InvoiceId, LicenseId, ProductId, StreamId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Exports of one account: each reads a whole history.
const EXPORTS: Rate = Rate {
    burst: 10,
    refill_ms: 30_000,
};

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_export))
        .routes(routes!(get_behind_invoice))
        .routes(routes!(get_behind_period))
        .routes(routes!(get_segment))
        .routes(routes!(get_fork))
        .routes(routes!(get_trouble))
        .routes(routes!(post_decision))
        .routes(routes!(post_receipt))
}

/// Download a license's usage journal.
///
/// All segments that this server accepted for the license, each with the receipt of its acceptance,
/// and the forks that it kept: a file for `mintreu usage verify`. For the license's owner and its
/// seller.
#[utoipa::path(get, path = "/v1/licenses/{id}/usage/export", tag = "usage",
    params(("id" = String, Path, description = "lic_…")),
    responses((status = 200, description = "A CBOR sequence", body = Vec<u8>,
        content_type = "application/cbor-seq"), (status = 404), (status = 429)))]
async fn get_export(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Response, Problem> {
    export_response(app, &visitor, license).await
}

/// The journal of a license as a file that is written while it is sent.
pub async fn export_response(
    app: Arc<App>,
    visitor: &Visitor,
    license: LicenseId,
) -> Result<Response, Problem> {
    let caller: Caller = visitor.caller.clone();
    app.read(&caller, license, |cx: &mut ReadCx<'_>, license| {
        super::ops::visible(cx, *license)
    })
    .await?;
    let who = caller
        .account
        .map_or_else(|| visitor.client_key(), |account| account.to_string());
    app.limits
        .take("usage_export", &who, EXPORTS, app.now())
        .map_err(|wait| {
            let detail = "Too many exports; each reads a whole history. Try again in a moment.";
            Problem::new(429, "too_many_requests", detail).after(wait)
        })?;
    let (sender, body) = pieces();
    tokio::spawn(async move {
        let written = super::export(app, caller, license, |piece| {
            let sender = sender.clone();
            async move { sender.send(piece).await }
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, %license, "an export broke off");
            sender.fail(error.to_string()).await;
        }
    });
    let name = format!("attachment; filename=\"{license}.mtu\"");
    let headers = [
        (header::CONTENT_TYPE, "application/cbor-seq".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, body).into_response())
}

/// Which meter.
#[derive(Debug, Deserialize, IntoParams)]
pub struct MeterIn {
    /// Its name.
    meter: String,
}

/// What stands behind the units of a meter. Instants are milliseconds since 1970 (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct BehindOut {
    license_id: String,
    meter: String,
    /// Units that are rated: `from_segments` and `otherwise` add up to them.
    units: i64,
    from_segments: i64,
    /// Units that came as events, without a segment.
    otherwise: i64,
    /// How many segments there are; the first 500 are listed.
    segments: i64,
    sources: Vec<SourceOut>,
}

/// What one segment added.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceOut {
    /// `segment`, or `dispute` for disputed units that were accepted.
    kind: String,
    stream_id: String,
    epoch: i64,
    seq: i64,
    units: i64,
    counted_at: i64,
    received_at: i64,
    /// Where the segment and its receipt are.
    segment: String,
}

impl From<&Behind> for BehindOut {
    fn from(behind: &Behind) -> Self {
        let source = |source: &super::Source| SourceOut {
            kind: source.kind.clone(),
            stream_id: source.stream.to_string(),
            epoch: source.epoch,
            seq: source.seq,
            units: source.units,
            counted_at: source.counted_at.ms(),
            received_at: source.received_at.ms(),
            segment: format!(
                "/v1/usage/streams/{}/segments/{}/{}",
                source.stream, source.epoch, source.seq
            ),
        };
        Self {
            license_id: behind.license.to_string(),
            meter: behind.meter.clone(),
            units: behind.units,
            from_segments: behind.from_segments,
            otherwise: behind.otherwise(),
            segments: behind.segments,
            sources: behind.sources.iter().map(source).collect(),
        }
    }
}

/// What an invoice's units of a meter are made of.
#[utoipa::path(get, path = "/v1/invoices/{id}/usage", tag = "usage",
    params(("id" = String, Path, description = "inv_…"), MeterIn),
    responses((status = 200, body = BehindOut), (status = 404)))]
async fn get_behind_invoice(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    Query(asked): Query<MeterIn>,
) -> Result<Json<BehindOut>, Problem> {
    let query = BehindInvoice {
        invoice,
        meter: asked.meter,
    };
    let behind = app.read(&visitor.caller, query, behind_invoice).await?;
    Ok(Json((&behind).into()))
}

/// What the running period's units of a meter are made of.
#[utoipa::path(get, path = "/v1/licenses/{id}/usage/sources", tag = "usage",
    params(("id" = String, Path, description = "lic_…"), MeterIn),
    responses((status = 200, body = BehindOut), (status = 404)))]
async fn get_behind_period(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    Query(asked): Query<MeterIn>,
) -> Result<Json<BehindOut>, Problem> {
    let query = BehindPeriod {
        license,
        meter: asked.meter,
    };
    let behind = app.read(&visitor.caller, query, behind_period).await?;
    Ok(Json((&behind).into()))
}

/// Which of a segment's two documents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PartIn {
    /// `segment` (the default) or `receipt`.
    part: Option<String>,
}

/// Download one segment, or the receipt of its acceptance.
#[utoipa::path(get, path = "/v1/usage/streams/{stream}/segments/{epoch}/{seq}", tag = "usage",
    params(("stream" = String, Path), ("epoch" = i64, Path), ("seq" = i64, Path), PartIn),
    responses((status = 200, body = Vec<u8>, content_type = "application/cose"), (status = 404)))]
async fn get_segment(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts((stream, epoch, seq)): PathParts<(String, String, String)>,
    Query(asked): Query<PartIn>,
) -> Result<Response, Problem> {
    let receipt = asked.part.as_deref() == Some("receipt");
    let place = (number(&epoch)?, number(&seq)?);
    let query = (read_stream(&stream)?, place);
    let kept = app.read(&visitor.caller, query, segment_of).await?;
    let bytes = if receipt {
        kept.receipt
    } else {
        Some(kept.document)
    };
    let kind = if receipt { "receipt" } else { "segment" };
    let bytes = bytes.ok_or_else(|| Problem::not_found("No receipt of it was kept."))?;
    Ok(document(bytes, &format!("{stream}-{epoch}-{seq}.{kind}")))
}

fn document(bytes: Vec<u8>, name: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/cose".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, bytes).into_response()
}

fn read_stream(text: &str) -> Result<StreamId, Problem> {
    StreamId::parse(text).map_err(|_| Problem::not_found("There is no such stream."))
}

fn number(text: &str) -> Result<i64, Problem> {
    let number = text.parse();
    number.map_err(|_| Problem::not_found("There is no such segment."))
}

type Place = (StreamId, (i64, i64));

fn segment_of(cx: &mut ReadCx<'_>, (stream, place): &Place) -> Result<sql::Kept, MeteringError> {
    let tenant = cx.caller.tenant;
    let known = sql::known_stream(cx.tx, tenant, *stream)?.ok_or(MeteringError::NotFound)?;
    super::ops::visible(cx, known.license)?;
    let kept = sql::segment(cx.tx, tenant, *stream, *place)?;
    kept.ok_or(MeteringError::NotFound)
}

/// Download the evidence of a fork: a segment that was not counted.
#[utoipa::path(get, path = "/v1/usage/streams/{stream}/forks/{hash}", tag = "usage",
    params(("stream" = String, Path), ("hash" = String, Path, description = "SHA-256 in hex")),
    responses((status = 200, body = Vec<u8>, content_type = "application/cose"), (status = 404)))]
async fn get_fork(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts((stream, hash)): PathParts<(String, String)>,
) -> Result<Response, Problem> {
    let bytes = unhex(&hash).ok_or_else(|| Problem::not_found("There is no such fork."))?;
    let query = (read_stream(&stream)?, bytes);
    let bytes = app.read(&visitor.caller, query, fork_of).await?;
    Ok(document(bytes, &format!("{stream}-{hash}.fork")))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.is_ascii() && text.len() == 64;
    let pairs = (0..text.len()).step_by(2);
    digits
        .then(|| pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()))?
        .collect()
}

fn fork_of(
    cx: &mut ReadCx<'_>,
    (stream, hash): &(StreamId, Vec<u8>),
) -> Result<Vec<u8>, MeteringError> {
    let tenant = cx.caller.tenant;
    let known = sql::known_stream(cx.tx, tenant, *stream)?.ok_or(MeteringError::NotFound)?;
    super::ops::visible(cx, known.license)?;
    let found = sql::fork_document(cx.tx, tenant, *stream, hash)?;
    found.ok_or(MeteringError::NotFound)
}

/// What a seller should look at. Instants are milliseconds since 1970 (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct TroubleOut {
    /// Rises with each restore of this server from a backup; from 1.
    server_epoch: i64,
    disputes: Vec<DisputeOut>,
    forks: Vec<ForkOut>,
    /// Devices that haven't reported for a week.
    quiet: Vec<QuietOut>,
    /// Units that were taken back from lost devices.
    write_offs: Vec<WrittenOffOut>,
}

/// Units that a second copy of a device reported.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageDisputeOut)]
pub struct DisputeOut {
    stream_id: String,
    epoch: i64,
    license_id: String,
    meter: String,
    subject: String,
    units: i64,
    /// `open`, `accepted` or `written_off`.
    state: String,
    opened_at: i64,
    decided_at: Option<i64>,
    reason: Option<String>,
}

/// A segment that was kept as evidence.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForkOut {
    stream_id: String,
    license_id: String,
    epoch: i64,
    seq: i64,
    received_at: i64,
    /// Where its bytes are.
    evidence: String,
}

/// A device that went quiet.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuietOut {
    stream_id: String,
    license_id: String,
    epoch: i64,
    seq: i64,
    last_at: i64,
}

fn dispute_out(dispute: &Dispute) -> DisputeOut {
    DisputeOut {
        stream_id: dispute.stream.to_string(),
        epoch: dispute.epoch,
        license_id: dispute.license.to_string(),
        meter: dispute.key.meter().to_owned(),
        subject: dispute.key.subject_id().to_owned(),
        units: dispute.units,
        state: dispute.state.clone(),
        opened_at: dispute.opened_at.ms(),
        decided_at: dispute.decided_at.map(mintreu::Timestamp::ms),
        reason: dispute.reason.clone(),
    }
}

/// Where the bytes of a fork are.
pub fn evidence_path(fork: &super::Fork) -> String {
    let hash: String = fork.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("/v1/usage/streams/{}/forks/{hash}", fork.stream)
}

impl From<&Trouble> for TroubleOut {
    fn from(trouble: &Trouble) -> Self {
        let fork = |fork: &super::Fork| ForkOut {
            stream_id: fork.stream.to_string(),
            license_id: fork.license.to_string(),
            epoch: fork.epoch,
            seq: fork.seq,
            received_at: fork.received_at.ms(),
            evidence: evidence_path(fork),
        };
        let quiet = |quiet: &super::Quiet| QuietOut {
            stream_id: quiet.stream.to_string(),
            license_id: quiet.license.to_string(),
            epoch: quiet.epoch,
            seq: quiet.seq,
            last_at: quiet.last_at.ms(),
        };
        Self {
            server_epoch: trouble.server_epoch,
            disputes: trouble.disputes.iter().map(dispute_out).collect(),
            forks: trouble.forks.iter().map(fork).collect(),
            quiet: trouble.quiet.iter().map(quiet).collect(),
            write_offs: trouble.written_off.iter().map(written_off_out).collect(),
        }
    }
}

/// Disputed units, forks, quiet devices and restores of one's own product.
#[utoipa::path(get, path = "/v1/products/{id}/usage/trouble", tag = "usage",
    params(("id" = String, Path, description = "prd_…")),
    responses((status = 200, body = TroubleOut), (status = 404)))]
async fn get_trouble(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(product): PathParam<ProductId>,
) -> Result<Json<TroubleOut>, Problem> {
    let found = app
        .read(&visitor.caller, TroubleOf { product }, trouble)
        .await?;
    Ok(Json((&found).into()))
}

/// A decision.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UsageDecisionIn)]
pub struct DecisionIn {
    /// `accept` (the units count) or `write_off`.
    decision: DecisionWord,
    /// Why, for the customer to read.
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DecisionWord {
    Accept,
    WriteOff,
}

/// Accept or write off what a copy of a device reported.
#[utoipa::path(post, path = "/v1/usage/streams/{stream}/disputes/{epoch}", tag = "usage",
    params(("stream" = String, Path), ("epoch" = i64, Path)), request_body = DecisionIn,
    responses((status = 200, body = Vec<DisputeOut>), (status = 404), (status = 409)))]
async fn post_decision(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts((stream, epoch)): PathParts<(String, String)>,
    body: JsonBody<DecisionIn>,
) -> Result<Json<Vec<DisputeOut>>, Problem> {
    let stream = read_stream(&stream)?;
    let command = DecideDispute {
        of: DisputesOf {
            stream,
            epoch: number(&epoch)?,
        },
        accept: body.value.decision == DecisionWord::Accept,
        reason: body.value.reason,
    };
    let decided = app
        .transact(&visitor.caller, command, decide_dispute)
        .await?;
    Ok(Json(decided.iter().map(dispute_out).collect()))
}

/// What a device's receipt proved.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProvedOut {
    /// Whether this receipt showed that the server was restored from a backup.
    restored: bool,
    server_epoch: u64,
}

/// Show a receipt to the server that signed it.
///
/// A receipt for more than the server knows of proves that it was restored from a backup: its epoch
/// rises, and its operator and sellers see it.
#[utoipa::path(post, path = "/v1/usage/streams/{stream}/receipts", tag = "usage",
    params(("stream" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses((status = 200, body = ProvedOut), (status = 404), (status = 422)))]
async fn post_receipt(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(stream): PathParam<String>,
    RawBody(body): RawBody,
) -> Result<Json<ProvedOut>, Problem> {
    let command = ProveRestore::new(read_stream(&stream)?, body.to_vec());
    let (restored, server_epoch) = app
        .transact(&visitor.caller, command, prove_restore)
        .await?;
    Ok(Json(ProvedOut {
        restored,
        server_epoch,
    }))
}
