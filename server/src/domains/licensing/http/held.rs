//! Routes of the keys that are held for a seller, and of their key sets.

use super::{COSE, too_fast};
use crate::app::App;
use crate::domains::licensing::sql::keys::KeyRecord;
use crate::domains::licensing::{
    ForgetRoot, KeysView, RevokeKey, RotateKey, SunsetProduct, UploadKeySet, forget_root, keys,
    revoke_key, rotate_key, sunset_product, upload_key_set,
};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use mintreu::Timestamp;
use mintreu::document::{PublicKey, from_text, to_text};
use mintreu::id::KeyId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// New keys and key sets of one account: a set is kept for ever.
const CHANGES: Rate = Rate {
    burst: 20,
    refill_ms: 60_000,
};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_keys))
        .routes(routes!(new_product_key))
        .routes(routes!(revoke_held_key))
        .routes(routes!(sunset))
        .routes(routes!(post_key_set))
        .routes(routes!(forget_root_key))
}

/// Refuses who changes keys too fast.
pub fn limit_changes(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let who = visitor
        .caller
        .account
        .map_or_else(|| visitor.client_key(), |account| account.to_string());
    let taken = app.limits.take("keys", &who, CHANGES, app.now());
    taken.map_err(too_fast)
}

/// One of a seller's keys.
#[derive(Serialize, ToSchema)]
pub struct KeyOut {
    key_id: String,
    /// `root`, `product` or `receipt`.
    purpose: String,
    /// The product's code, for a product's key.
    product: Option<String>,
    version: i64,
    /// `MT1K-…`.
    public_key: String,
    /// Whether it signs now.
    current: bool,
    /// Whether a root certified it; without, it waits for a key set with its certificate.
    certified: bool,
    /// Milliseconds since 1970 (UTC).
    created_at: i64,
    exported_at: Option<i64>,
    forgotten_at: Option<i64>,
    revoked_at: Option<i64>,
    revoked_from: Option<i64>,
    revoke_reason: Option<String>,
}

/// A seller's keys.
#[derive(Serialize, ToSchema)]
pub struct KeysOut {
    keys: Vec<KeyOut>,
    /// The root keys that hold now, the spare second.
    roots: Vec<String>,
    key_set: Option<KeySetOut>,
}

/// The newest key set.
#[derive(Serialize, ToSchema)]
pub struct KeySetOut {
    version: u64,
    /// `service` made it, or it was an `upload`.
    origin: String,
    /// Milliseconds since 1970 (UTC).
    published_at: i64,
    /// As text to paste: `MT1-…`.
    document: String,
}

fn key_out(key: &KeyRecord, current: &[KeyId]) -> KeyOut {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::ms);
    KeyOut {
        key_id: key.id.to_string(),
        purpose: key.purpose.clone(),
        product: (!key.audience.is_empty()).then(|| key.audience.clone()),
        version: key.version,
        public_key: key.public.to_string(),
        current: current.contains(&key.id),
        certified: key.certificate.is_some(),
        created_at: key.created_at.ms(),
        exported_at: ms(key.exported_at),
        forgotten_at: ms(key.forgotten_at),
        revoked_at: ms(key.revoked_at),
        revoked_from: ms(key.revoked_from),
        revoke_reason: key.revoke_reason.clone(),
    }
}

fn keys_out(view: &KeysView) -> KeysOut {
    let key_set = view.key_set.as_ref().map(|set| KeySetOut {
        version: set.version,
        origin: set.origin.clone(),
        published_at: set.published_at.ms(),
        document: to_text(&set.document),
    });
    let keys = view.keys.iter().map(|key| key_out(key, &view.current));
    KeysOut {
        keys: keys.collect(),
        roots: view.roots.iter().map(PublicKey::to_string).collect(),
        key_set,
    }
}

/// One's own keys: never a secret.
#[utoipa::path(get, path = "/v1/keys", tag = "keys",
    responses((status = 200, body = KeysOut), (status = 404)))]
async fn list_keys(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<KeysOut>, Problem> {
    let found = app.read(&visitor.caller, (), keys).await?;
    Ok(Json(keys_out(&found)))
}

/// A new key of a product.
#[derive(Serialize, ToSchema)]
pub struct RotatedOut {
    key_id: String,
    /// `MT1K-…`: what to certify where the root is elsewhere.
    public_key: String,
    /// The key set that tells of it; none while it waits for a certificate.
    key_set: Option<u64>,
}

/// Give a product of one's own a new key. What the old one signed stays good.
#[utoipa::path(post, path = "/v1/products/{slug}/keys", tag = "keys",
    params(("slug" = String, Path)),
    responses((status = 201, body = RotatedOut), (status = 404), (status = 429)))]
async fn new_product_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<(StatusCode, Json<RotatedOut>), Problem> {
    limit_changes(&app, &visitor)?;
    let command = RotateKey { slug };
    let made = app.transact(&visitor.caller, command, rotate_key).await?;
    let body = RotatedOut {
        key_id: made.key.to_string(),
        public_key: made.public.to_string(),
        key_set: made.key_set,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Why a key is revoked, and from when.
#[derive(Deserialize, ToSchema)]
pub struct RevokeKeyIn {
    /// For one's own records, at most 500 characters.
    reason: String,
    /// Milliseconds since 1970 (UTC) from when nothing that hangs on the key holds; at once without.
    from: Option<i64>,
}

/// A reason of 1 to 500 characters.
pub fn reason(text: &str) -> Result<String, Problem> {
    let reason = text.trim().to_owned();
    if reason.is_empty() || reason.chars().count() > 500 {
        let detail = "Say why, in at most 500 characters.";
        return Err(Problem::new(422, "reason_malformed", detail).at("reason"));
    }
    Ok(reason)
}

/// Revoke a stolen key of one's own totally.
///
/// Another key takes its place at once, every license is signed again, and then the key set that
/// says so is published.
#[utoipa::path(post, path = "/v1/keys/{key_id}/revoke", tag = "keys",
    params(("key_id" = String, Path)), request_body = RevokeKeyIn,
    responses((status = 202), (status = 404), (status = 409), (status = 422), (status = 429)))]
async fn revoke_held_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(key): PathParam<KeyId>,
    body: JsonBody<RevokeKeyIn>,
) -> Result<StatusCode, Problem> {
    limit_changes(&app, &visitor)?;
    let command = RevokeKey {
        key,
        from: body.value.from.map(Timestamp::from_ms),
        reason: reason(&body.value.reason)?,
    };
    app.transact(&visitor.caller, command, revoke_key).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Which product is meant, once more.
#[derive(Deserialize, ToSchema)]
pub struct SunsetIn {
    /// The product's slug again: a sunset can't be taken back.
    confirm: String,
}

/// A published key set.
#[derive(Serialize, ToSchema)]
pub struct PublishedOut {
    /// Its version.
    key_set: u64,
}

/// Refuses what wasn't meant.
pub fn confirmed(typed: &str, expected: &str) -> Result<(), Problem> {
    if typed.trim() == expected {
        return Ok(());
    }
    let detail = format!("Type {expected} to show that you mean it.");
    Err(Problem::new(422, "confirmation_wrong", detail).at("confirm"))
}

/// Set the licenses of a product of one's own free for ever.
#[utoipa::path(post, path = "/v1/products/{slug}/sunset", tag = "keys",
    params(("slug" = String, Path)), request_body = SunsetIn,
    responses((status = 200, body = PublishedOut), (status = 404), (status = 409), (status = 422)))]
async fn sunset(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
    body: JsonBody<SunsetIn>,
) -> Result<Json<PublishedOut>, Problem> {
    limit_changes(&app, &visitor)?;
    confirmed(&body.value.confirm, &slug)?;
    let command = SunsetProduct { slug };
    let key_set = app
        .transact(&visitor.caller, command, sunset_product)
        .await?;
    Ok(Json(PublishedOut { key_set }))
}

/// Publish a key set that one's own root signed elsewhere.
///
/// The body is the set: bytes as `application/cose`, or any of its text forms. It is taken if a
/// device would take it that pins the first root, and if it leaves no key in use without a
/// certificate.
#[utoipa::path(post, path = "/v1/keysets", tag = "keys",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses((status = 201, body = PublishedOut), (status = 422), (status = 429)))]
async fn post_key_set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<(StatusCode, Json<PublishedOut>), Problem> {
    limit_changes(&app, &visitor)?;
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.as_bytes());
    let document = match kind.is_some_and(|kind| kind.starts_with(COSE.as_bytes())) {
        true => body.to_vec(),
        false => document_of(&String::from_utf8_lossy(&body))?,
    };
    let command = UploadKeySet { document };
    let key_set = app
        .transact(&visitor.caller, command, upload_key_set)
        .await?;
    Ok((StatusCode::CREATED, Json(PublishedOut { key_set })))
}

/// A document's bytes from any of its text forms.
pub fn document_of(text: &str) -> Result<Vec<u8>, Problem> {
    Ok(from_text(text)?)
}

/// Delete one's own root here, after it was exported.
///
/// From then on only its owner certifies keys and publishes key sets.
#[utoipa::path(post, path = "/v1/keys/root/forget", tag = "keys",
    responses((status = 204), (status = 403), (status = 409)))]
async fn forget_root_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, ForgetRoot, forget_root)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
