//! Routes of what devices fetch without a name: key sets and revocation lists.

use super::{COSE, too_fast};
use crate::app::App;
use crate::domains::licensing::{
    AskKeySet, AskList, LicensingError, Listed, find_key_set, find_list, sign_list,
};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{Query, Visitor};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Fetches from one address: an office behind one router at once.
const FETCH: Rate = Rate {
    burst: 120,
    refill_ms: 500,
};
/// Whatever lies between may keep an answer for a minute.
const CACHED: &str = "public, max-age=60";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(fetch_key_set))
        .routes(routes!(fetch_revocations))
}

fn limit(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let taken = app
        .limits
        .take("fetch", &visitor.client_key(), FETCH, app.now());
    taken.map_err(too_fast)
}

/// A document, or 304 when the asker holds it by its tag.
fn document(headers: &HeaderMap, tag: &str, bytes: Vec<u8>) -> Response {
    let known = [
        (header::ETAG, tag.to_owned()),
        (header::CACHE_CONTROL, CACHED.to_owned()),
    ];
    let asked = headers.get(header::IF_NONE_MATCH);
    if asked.is_some_and(|asked| asked.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, known).into_response();
    }
    (known, [(header::CONTENT_TYPE, COSE)], bytes).into_response()
}

fn nothing_newer() -> Response {
    (StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, CACHED)]).into_response()
}

/// Of which product's seller, and what is held.
#[derive(Deserialize, IntoParams)]
pub struct KeySetQuery {
    /// The product's code.
    product: String,
    /// The version held; 0 for none.
    #[serde(default)]
    have: u64,
}

/// The newest key set of a product's seller, for devices. 204: there is none, or none newer.
#[utoipa::path(method(get, post), path = "/v1/keyset", tag = "licenses", params(KeySetQuery),
    responses(
        (status = 200, description = "The set", body = Vec<u8>, content_type = "application/cose"),
        (status = 204), (status = 304), (status = 404), (status = 429)))]
async fn fetch_key_set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(query): Query<KeySetQuery>,
) -> Result<Response, Problem> {
    limit(&app, &visitor)?;
    let ask = AskKeySet {
        product: query.product,
        have: query.have,
    };
    let found = app.read(&visitor.caller, ask, find_key_set).await;
    let found = found.map_err(|error| match error {
        LicensingError::NotFound => Problem::not_found("There is no such product."),
        other => other.into(),
    })?;
    Ok(match found {
        Some(set) => document(&headers, &format!("\"{}\"", set.version), set.document),
        None => nothing_newer(),
    })
}

/// Which list, and what is held of it.
#[derive(Deserialize, IntoParams)]
pub struct RevocationsQuery {
    /// The product's code.
    product: String,
    /// The list's number, as licenses name it.
    list: u64,
    /// The version held; 0 for none.
    #[serde(default)]
    have: u64,
    /// When what is held was issued, in seconds since 1970 (UTC).
    #[serde(default)]
    since: i64,
}

/// The newest revocation list, for devices. 204: what is held is the newest.
///
/// The bytes are a signed bundle, no older than an hour: its instant of issue proves that nothing
/// was withdrawn until then.
#[utoipa::path(method(get, post), path = "/v1/revocations", tag = "licenses", params(RevocationsQuery),
    responses(
        (status = 200, description = "The list", body = Vec<u8>, content_type = "application/cose"),
        (status = 204), (status = 304), (status = 404), (status = 429)))]
async fn fetch_revocations(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(query): Query<RevocationsQuery>,
) -> Result<Response, Problem> {
    limit(&app, &visitor)?;
    let ask = AskList {
        product: query.product,
        list: query.list,
        have: query.have,
        since: query.since,
    };
    let unknown = |error: LicensingError| match error {
        LicensingError::NotFound => Problem::not_found("There is no such revocation list."),
        other => other.into(),
    };
    let found = app.read(&visitor.caller, ask.clone(), find_list).await;
    let found = match found.map_err(unknown)? {
        Listed::Stale => {
            let signed = app.transact(&visitor.caller, ask, sign_list).await;
            signed.map_err(unknown)?
        }
        fresh => fresh,
    };
    match found {
        Listed::Newest {
            version,
            signed_at,
            document: bytes,
        } => {
            let tag = format!("\"{version}-{}\"", signed_at.secs());
            Ok(document(&headers, &tag, bytes))
        }
        Listed::Held | Listed::Stale => Ok(nothing_newer()),
    }
}
