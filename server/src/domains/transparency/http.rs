//! Routes of the log: what anybody may see, and a seller's own leaves.

use super::model::{Log, LogError, Own, hex};
use super::ops::{HeadWanted, OwnWanted, State as LogState, StateOwn, head, own, state, statement};
use super::proofs::{Range, consistency, entries};
use crate::app::App;
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::document::to_text;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Questions from one address: an auditor's first fetch of a long log is many.
const ASK: Rate = Rate {
    burst: 300,
    refill_ms: 20,
};

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_log))
        .routes(routes!(show_head))
        .routes(routes!(show_consistency))
        .routes(routes!(show_entries))
        .routes(routes!(list_own))
        .routes(routes!(show_statement))
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        let detail = error.to_string();
        match error {
            LogError::NotFound => Self::not_found("There is no such thing in the log."),
            LogError::Pending => Self::new(409, "receipt_pending", detail).after(2),
            LogError::Range(_) => Self::new(422, "log_range_malformed", detail),
            LogError::Broken(cause) => {
                tracing::error!(%cause, "the log");
                Self::internal()
            }
            LogError::Denied(denied) => denied.into(),
            LogError::Store(error) => error.into(),
        }
    }
}

fn limited(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let taken = app
        .limits
        .take("log", &visitor.client_key(), ASK, app.now());
    taken.map_err(|seconds| {
        let detail = format!("Too many questions; try again in {seconds} s.");
        Problem::new(429, "too_many_requests", detail).after(seconds)
    })
}

/// A log and one of its heads.
#[derive(Serialize, ToSchema)]
pub struct LogOut {
    /// The log's name.
    origin: String,
    /// What its heads verify with: `MT1K-…`.
    key: String,
    /// How many leaves.
    size: u64,
    /// The root of the tree, hexadecimal.
    root: String,
    /// Milliseconds since 1970 (UTC).
    signed_at: i64,
    /// The signed head: `MT1-…`.
    head: String,
}

fn log_out(log: &Log) -> Json<LogOut> {
    Json(LogOut {
        origin: log.origin.clone(),
        key: log.key.to_string(),
        size: log.head.size,
        root: hex(&log.head.root),
        signed_at: log.head.signed_at.ms(),
        head: to_text(&log.head.document),
    })
}

/// The log of issued licenses: its key and its newest head.
#[utoipa::path(get, path = "/v1/log", tag = "log",
    responses((status = 200, body = LogOut), (status = 429)))]
async fn show_log(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Json<LogOut>, Problem> {
    limited(&app, &visitor)?;
    let newest = HeadWanted { size: None };
    let log = match app.read(&visitor.caller, newest, head).await {
        Err(LogError::NotFound) => app.transact(&visitor.caller, LogState, state).await?,
        found => found?,
    };
    Ok(log_out(&log))
}

/// A head that was signed before, to compare with what others were shown.
#[utoipa::path(get, path = "/v1/log/heads/{size}", tag = "log", params(("size" = u32, Path)),
    responses((status = 200, body = LogOut), (status = 404), (status = 429)))]
async fn show_head(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(size): PathParam<u32>,
) -> Result<Json<LogOut>, Problem> {
    limited(&app, &visitor)?;
    let wanted = HeadWanted {
        size: Some(size.into()),
    };
    Ok(log_out(&app.read(&visitor.caller, wanted, head).await?))
}

/// Two sizes, or a range of leaves.
#[derive(Deserialize, IntoParams)]
pub struct RangeQuery {
    /// The smaller size, or the first leaf.
    from: u32,
    /// The larger size, or the first leaf no longer meant.
    to: u32,
}

impl From<RangeQuery> for Range {
    fn from(query: RangeQuery) -> Self {
        Self {
            from: query.from.into(),
            to: query.to.into(),
        }
    }
}

/// Hashes, hexadecimal.
#[derive(Serialize, ToSchema)]
pub struct HashesOut {
    from: u64,
    to: u64,
    /// In the order of RFC 9162.
    hashes: Vec<String>,
}

fn hashes_out(range: Range, hashes: &[mintreu::log::Hash]) -> Json<HashesOut> {
    Json(HashesOut {
        from: range.from,
        to: range.to,
        hashes: hashes.iter().map(hex).collect(),
    })
}

/// The proof that the log of size `to` begins with that of size `from`.
#[utoipa::path(get, path = "/v1/log/consistency", tag = "log", params(RangeQuery),
    responses((status = 200, body = HashesOut), (status = 422), (status = 429)))]
async fn show_consistency(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<RangeQuery>,
) -> Result<Json<HashesOut>, Problem> {
    limited(&app, &visitor)?;
    let range = Range::from(query);
    let hashes = app.read(&visitor.caller, range, consistency).await?;
    Ok(hashes_out(range, &hashes))
}

/// The hashes of leaves, at most a thousand.
#[utoipa::path(get, path = "/v1/log/entries", tag = "log", params(RangeQuery),
    responses((status = 200, body = HashesOut), (status = 422), (status = 429)))]
async fn show_entries(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<RangeQuery>,
) -> Result<Json<HashesOut>, Problem> {
    limited(&app, &visitor)?;
    let range = Range::from(query);
    let hashes = app.read(&visitor.caller, range, entries).await?;
    Ok(hashes_out(range, &hashes))
}

/// Which of one's own leaves.
#[derive(Deserialize, IntoParams)]
#[serde(default)]
pub struct OwnQuery {
    /// From this place among them, from 0.
    from: u32,
    /// 1 to 500; 100 when absent.
    limit: u32,
}

impl Default for OwnQuery {
    fn default() -> Self {
        Self {
            from: 0,
            limit: 100,
        }
    }
}

/// A leaf of one of the caller's products.
#[derive(Serialize, ToSchema)]
pub struct OwnOut {
    /// Its place in the log.
    index: u64,
    /// Its place among the caller's leaves.
    part_index: u64,
    license_id: String,
    /// The product's code.
    product: String,
    /// Seconds since 1970 (UTC): the license's `iat`.
    issued_at: i64,
    /// SHA-256 of the license's document, hexadecimal.
    document_sha256: String,
}

/// A page of one's own leaves.
#[derive(Serialize, ToSchema)]
pub struct OwnPageOut {
    leaves: Vec<OwnOut>,
}

fn own_out(one: &Own) -> OwnOut {
    OwnOut {
        index: one.index,
        part_index: one.part_index,
        license_id: one.leaf.license().to_string(),
        product: one.leaf.product().to_owned(),
        issued_at: one.leaf.issued_at().secs(),
        document_sha256: hex(one.leaf.document()),
    }
}

/// The leaves of one's own products, in their order.
#[utoipa::path(get, path = "/v1/log/own", tag = "log", params(OwnQuery),
    responses((status = 200, body = OwnPageOut), (status = 401), (status = 403), (status = 429)))]
async fn list_own(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<OwnQuery>,
) -> Result<Json<OwnPageOut>, Problem> {
    limited(&app, &visitor)?;
    let wanted = OwnWanted {
        from: query.from.into(),
        limit: query.limit.into(),
    };
    let found = app.read(&visitor.caller, wanted, own).await?;
    let leaves = found.iter().map(own_out).collect();
    Ok(Json(OwnPageOut { leaves }))
}

/// The newest head, signed with the word on which leaves are the caller's.
#[utoipa::path(get, path = "/v1/log/statement", tag = "log",
    responses((status = 200, body = LogOut), (status = 401), (status = 403), (status = 429)))]
async fn show_statement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<LogOut>, Problem> {
    limited(&app, &visitor)?;
    let log = app.transact(&visitor.caller, StateOwn, statement).await?;
    Ok(log_out(&log))
}
