//! Routes of a customer's keys.

use crate::app::App;
use crate::domains::access::{
    ApiKey, ChangeApiKey, CreateApiKey, DeleteApiKey, NewApiKey, RotateApiKey, api_keys,
    change_api_key, create_api_key, delete_api_key, rotate_api_key,
};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use mintreu::id::{ApiKeyId, LicenseId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_keys, post_key))
        .routes(routes!(patch_key, remove_key))
        .routes(routes!(post_rotation))
}

/// A key to make.
#[derive(Deserialize, ToSchema)]
pub struct ApiKeyIn {
    /// 1 to 80 characters.
    name: String,
    /// What the key may do at most: `100/minute`, or `100/minute+20` for 20 at once.
    rate: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct ApiKeyChangeIn {
    name: Option<String>,
    /// An empty text takes the rate away.
    rate: Option<String>,
    disabled: Option<bool>,
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
pub struct RotationIn {
    /// For how many seconds the secret before still holds, at most 30 days.
    #[serde(default)]
    overlap_secs: i64,
}

/// A key, without its secret.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyOut {
    /// What usage names as its subject.
    api_key_id: String,
    license_id: String,
    name: String,
    /// How its secret begins.
    shown: String,
    rate: Option<String>,
    created_at: i64,
    /// Until when the secret before the newest still holds.
    overlaps_until: Option<i64>,
    /// Since when it is switched off.
    disabled_at: Option<i64>,
}

/// A key with its secret, which is told this once.
#[derive(Serialize, ToSchema)]
pub struct NewApiKeyOut {
    #[serde(flatten)]
    key: ApiKeyOut,
    /// `mtk_…`; it is stored nowhere.
    secret: String,
}

/// A license's keys.
#[derive(Serialize, ToSchema)]
pub struct ApiKeysOut {
    keys: Vec<ApiKeyOut>,
}

fn out(key: ApiKey) -> ApiKeyOut {
    ApiKeyOut {
        api_key_id: key.id.to_string(),
        license_id: key.license.to_string(),
        name: key.name,
        shown: key.shown,
        rate: key.rate.map(|rate| rate.to_string()),
        created_at: key.created_at.ms(),
        overlaps_until: key.overlaps_until.map(|at| at.ms()),
        disabled_at: key.disabled_at.map(|at| at.ms()),
    }
}

/// An answer that no cache may keep.
type Once<T> = (StatusCode, [(header::HeaderName, &'static str); 1], Json<T>);

fn once(new: NewApiKey) -> Once<NewApiKeyOut> {
    let secret = new.secret.reveal().to_owned();
    let body = NewApiKeyOut {
        key: out(new.key),
        secret,
    };
    (
        StatusCode::CREATED,
        [(header::CACHE_CONTROL, "no-store")],
        Json(body),
    )
}

/// The keys of one's own license.
#[utoipa::path(get, path = "/v1/licenses/{license_id}/api-keys", tag = "api keys",
    params(("license_id" = String, Path)),
    responses((status = 200, body = ApiKeysOut), (status = 404)))]
async fn list_keys(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Json<ApiKeysOut>, Problem> {
    let found = app.read(&visitor.caller, license, api_keys).await?;
    let keys = found.into_iter().map(out).collect();
    Ok(Json(ApiKeysOut { keys }))
}

/// Make a key for one's own license. The answer alone tells its secret.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/api-keys", tag = "api keys",
    params(("license_id" = String, Path)), request_body = ApiKeyIn,
    responses((status = 201, body = NewApiKeyOut), (status = 401), (status = 404), (status = 409),
        (status = 422)))]
async fn post_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<ApiKeyIn>,
) -> Result<Once<NewApiKeyOut>, Problem> {
    let command = CreateApiKey {
        license,
        name: body.value.name,
        rate: body.value.rate,
    };
    let new = app
        .transact(&visitor.caller, command, create_api_key)
        .await?;
    Ok(once(new))
}

/// Rename, limit, switch off or on.
#[utoipa::path(patch, path = "/v1/api-keys/{api_key_id}", tag = "api keys",
    params(("api_key_id" = String, Path)), request_body = ApiKeyChangeIn,
    responses((status = 200, body = ApiKeyOut), (status = 401), (status = 404), (status = 422)))]
async fn patch_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(key): PathParam<ApiKeyId>,
    body: JsonBody<ApiKeyChangeIn>,
) -> Result<Json<ApiKeyOut>, Problem> {
    let command = ChangeApiKey {
        key,
        name: body.value.name,
        rate: body.value.rate,
        disabled: body.value.disabled,
    };
    let key = app
        .transact(&visitor.caller, command, change_api_key)
        .await?;
    Ok(Json(out(key)))
}

/// Delete for good. What the key counted stays.
#[utoipa::path(delete, path = "/v1/api-keys/{api_key_id}", tag = "api keys",
    params(("api_key_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 404)))]
async fn remove_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(key): PathParam<ApiKeyId>,
) -> Result<StatusCode, Problem> {
    let command = DeleteApiKey { key };
    app.transact(&visitor.caller, command, delete_api_key)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a key a new secret. The answer alone tells it; the one before holds for the overlap.
#[utoipa::path(post, path = "/v1/api-keys/{api_key_id}/rotate", tag = "api keys",
    params(("api_key_id" = String, Path)), request_body = RotationIn,
    responses((status = 201, body = NewApiKeyOut), (status = 401), (status = 404), (status = 422)))]
async fn post_rotation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(key): PathParam<ApiKeyId>,
    body: JsonBody<RotationIn>,
) -> Result<Once<NewApiKeyOut>, Problem> {
    let command = RotateApiKey {
        key,
        overlap_secs: body.value.overlap_secs,
    };
    let new = app
        .transact(&visitor.caller, command, rotate_api_key)
        .await?;
    Ok(once(new))
}
