//! Routes of licenses, activations and keys.

mod fetched;
pub mod held;
mod hosts;
mod seats;

use seats::Form;

use super::guesses::Guess;
use super::{
    Activate, Activated, Deactivate, ExportRoot, License, LicenseView, Licenses, LicensingError,
    Redeem, Reinstate, Revoke, TrustText, activate, deactivate, export_root, list, receipt, redeem,
    reinstate, revoke, trust, view,
};
use crate::app::{App, ReadCx};
use crate::domains::catalog;
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Timestamp;
use mintreu::document::to_text;
use mintreu::id::{ActivationId, LicenseId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed documents are sent as.
const COSE: &str = "application/cose";
/// Activations from one address: a class room behind one router at once.
const ACTIVATE: Rate = Rate {
    burst: 60,
    refill_ms: 1_000,
};

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(redeem_code))
        .routes(routes!(list_licenses))
        .routes(routes!(show_license))
        .routes(routes!(show_receipt))
        .routes(routes!(revoke_license))
        .routes(routes!(reinstate_license))
        .routes(routes!(post_activation))
        .routes(routes!(delete_activation))
        .routes(routes!(show_trust))
        .routes(routes!(export_root_key))
        .merge(fetched::routes())
        .merge(held::routes())
        .merge(hosts::routes())
        .merge(seats::routes())
        .merge(super::batches::http::routes())
}

impl From<LicensingError> for Problem {
    fn from(error: LicensingError) -> Self {
        use LicensingError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such license."),
            E::CodeUnknown | E::KeyUnknown { .. } => {
                Self::new(404, "code_unknown", detail).at("code")
            }
            E::CodeMistyped(_) => Self::new(422, "code_mistyped", detail).at("code"),
            E::KeyMalformed(_) => Self::new(422, "seller_key_malformed", detail).at("code"),
            E::KeyWaits => Self::new(429, "too_many_requests", detail),
            E::TooFast { seconds } => too_fast(seconds),
            E::Invalid { field, .. } => Self::new(422, "input_invalid", detail).at(field),
            E::FileMalformed(_) => Self::new(422, "csv_malformed", detail),
            E::TooLarge(_) => Self::new(413, "too_large", detail),
            E::Revoked => Self::new(403, "license_revoked", detail),
            E::Expired => Self::new(403, "license_expired", detail),
            E::SeatsExhausted { .. } => Self::new(409, "seats_exhausted", detail),
            E::TooManyMoves { .. } => Self::new(429, "seat_moves_exhausted", detail),
            E::SeatsDelegated { .. } => Self::new(409, "seats_delegated", detail),
            E::SeatsInUse { .. } => Self::new(409, "seats_in_use", detail),
            E::NotFloating => Self::new(409, "license_not_floating", detail),
            E::HostNotCertifiable => Self::new(409, "host_not_certifiable", detail),
            E::DaysOutOfRange { .. } => Self::new(422, "days_out_of_range", detail).at("days"),
            E::WrongProduct => Self::new(422, "wrong_product", detail),
            E::RequestMalformed(_) => Self::new(422, "request_malformed", detail),
            E::ExportedBefore => Self::new(409, "root_exported", detail),
            E::RootAbsent => Self::new(409, "root_absent", detail),
            E::RootIsChanged => Self::new(422, "root_by_key_set", detail),
            E::NotExported => Self::new(409, "root_not_exported", detail),
            E::KeySetRefused(cause) => Self::new(422, cause.code(), detail),
            E::KeyLeftOut { .. } => Self::new(422, "key_left_out", detail),
            E::CertificateNarrow { .. } => Self::new(422, "certificate_narrow", detail),
            E::Signing(cause) => {
                tracing::error!(%cause, "a document can't be signed");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// Exchanges what was typed, within the limits of guessing. `product` is the slug of the product
/// that a seller's own key is for.
pub async fn redeem_typed(
    app: &App,
    visitor: &Visitor,
    (product, typed): (Option<&str>, &str),
) -> Result<License, LicensingError> {
    let command = match product {
        None => Redeem::parse(typed)?,
        Some(slug) => Redeem::parse_for(&product_code(app, visitor, slug).await?, typed)?,
    };
    let seconds = |seconds| LicensingError::TooFast { seconds };
    let guess = Guess::begin(app, &visitor.client_key(), &command.tried()).map_err(seconds)?;
    let command = command.with_weak_allowed(guess.weak_allowed());
    guess.end(app.transact(&visitor.caller, command, redeem).await)
}

/// The code of a product that people can know of.
async fn product_code(app: &App, visitor: &Visitor, slug: &str) -> Result<String, LicensingError> {
    let code_of = |cx: &mut ReadCx<'_>, slug: &String| {
        let product = catalog::product_by_slug(cx.tx, cx.caller.tenant, slug)?;
        let product = product.ok_or(LicensingError::NotFound)?;
        Ok(product.code)
    };
    app.read(&visitor.caller, slug.to_owned(), code_of).await
}

/// Activates a device within the limits: of all that one address asks, and of guessing.
pub async fn activate_asked(
    app: &App,
    visitor: &Visitor,
    command: Activate,
) -> Result<Activated, LicensingError> {
    let client = visitor.client_key();
    let seconds = |seconds| LicensingError::TooFast { seconds };
    let taken = app.limits.take("activate", &client, ACTIVATE, app.now());
    taken.map_err(seconds)?;
    let Some(tried) = command.tried() else {
        return app.transact(&visitor.caller, command, activate).await;
    };
    let guess = Guess::begin(app, &client, &tried).map_err(seconds)?;
    let command = command.with_weak_allowed(guess.weak_allowed());
    guess.end(app.transact(&visitor.caller, command, activate).await)
}

fn too_fast(seconds: u32) -> Problem {
    let detail = format!("Too many attempts; try again in {seconds} s.");
    Problem::new(429, "too_many_requests", detail).after(seconds)
}

/// A code to exchange.
#[derive(Deserialize, ToSchema)]
pub struct RedeemIn {
    /// As typed: case, spaces and dashes don't matter. With `product`, a key of its seller's too,
    /// exactly as it was given out.
    code: String,
    /// The slug of the product that a seller's own key is for.
    #[serde(default)]
    product: Option<String>,
}

/// A license.
#[derive(Serialize, ToSchema)]
pub struct LicenseOut {
    license_id: String,
    product_id: String,
    /// The audience of its document.
    product: String,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    /// Devices that may be active at once.
    seats: i64,
    /// Milliseconds since 1970 (UTC).
    issued_at: i64,
    /// Milliseconds since 1970 (UTC); none for one without end.
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    revoke_reason: Option<String>,
    /// The signed bundle as text to paste: `MT1-…`.
    document: String,
    /// Its devices; only when one license is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    activations: Option<Vec<ActivationOut>>,
}

/// A device that uses a license.
#[derive(Serialize, ToSchema)]
pub struct ActivationOut {
    activation_id: String,
    /// The short name of the device's key.
    device: String,
    /// The seat it holds; none once it was given up.
    seat: Option<i64>,
    /// When a floating seat is no longer kept.
    seat_ends_at: Option<i64>,
    /// Milliseconds since 1970 (UTC).
    activated_at: i64,
    last_seen_at: i64,
    deactivated_at: Option<i64>,
}

pub(crate) fn license_out(license: &License, now: Timestamp) -> LicenseOut {
    LicenseOut {
        license_id: license.id.to_string(),
        product_id: license.product.to_string(),
        product: license.product_code.clone(),
        state: license.state(now).code(),
        seats: license.seats,
        issued_at: license.issued_at.ms(),
        expires_at: license.expires_at.map(Timestamp::ms),
        revoked_at: license.revoked_at.map(Timestamp::ms),
        revoke_reason: license.revoke_reason.clone(),
        document: to_text(&license.document),
        activations: None,
    }
}

fn view_out(view: &LicenseView, now: Timestamp) -> LicenseOut {
    let activations = view.activations.iter().map(|one| ActivationOut {
        activation_id: one.id.to_string(),
        device: one.device_name(),
        seat: one.seat,
        seat_ends_at: one.seat_ends_at.map(Timestamp::ms),
        activated_at: one.activated_at.ms(),
        last_seen_at: one.last_seen_at.ms(),
        deactivated_at: one.deactivated_at.map(Timestamp::ms),
    });
    LicenseOut {
        activations: Some(activations.collect()),
        ..license_out(&view.license, now)
    }
}

/// Exchange a code, or a seller's own key, for its license. Asking again answers the same license.
#[utoipa::path(post, path = "/v1/licenses/redeem", tag = "licenses", request_body = RedeemIn,
    responses((status = 200, body = LicenseOut), (status = 403), (status = 404), (status = 422),
        (status = 429)))]
async fn redeem_code(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<RedeemIn>,
) -> Result<Json<LicenseOut>, Problem> {
    let RedeemIn { code, product } = &body.value;
    let license = redeem_typed(&app, &visitor, (product.as_deref(), code)).await?;
    Ok(Json(license_out(&license, app.now())))
}

/// Which page of licenses.
#[derive(Deserialize, IntoParams)]
#[serde(default)]
pub struct LicensesQuery {
    /// `seller` lists licenses of one's own products.
    role: Option<String>,
    /// The last license of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
}

impl Default for LicensesQuery {
    fn default() -> Self {
        Self {
            role: None,
            before: None,
            limit: 20,
        }
    }
}

/// A page of licenses.
#[derive(Serialize, ToSchema)]
pub struct LicensesOut {
    licenses: Vec<LicenseOut>,
}

/// One's own licenses, newest first.
#[utoipa::path(get, path = "/v1/licenses", tag = "licenses", params(LicensesQuery),
    responses((status = 200, body = LicensesOut), (status = 400)))]
async fn list_licenses(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<LicensesQuery>,
) -> Result<Json<LicensesOut>, Problem> {
    let before = query.before.as_deref().map(LicenseId::parse).transpose()?;
    let query = Licenses {
        as_seller: query.role.as_deref() == Some("seller"),
        before,
        limit: query.limit,
    };
    let found = app.read(&visitor.caller, query, list).await?;
    let now = app.now();
    let licenses = found.iter().map(|one| license_out(one, now)).collect();
    Ok(Json(LicensesOut { licenses }))
}

/// One license with its devices, for its owner or seller.
#[utoipa::path(get, path = "/v1/licenses/{license_id}", tag = "licenses",
    params(("license_id" = String, Path)),
    responses((status = 200, body = LicenseOut), (status = 404)))]
async fn show_license(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Json<LicenseOut>, Problem> {
    let found = app.read(&visitor.caller, license, view).await?;
    Ok(Json(view_out(&found, app.now())))
}

/// The receipt that a license is in the log, for its owner or seller: armour to keep as a file.
#[utoipa::path(get, path = "/v1/licenses/{license_id}/receipt", tag = "licenses",
    params(("license_id" = String, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404),
        (status = 409, description = "It waits for its place: ask again in some seconds")))]
async fn show_receipt(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<String, Problem> {
    let receipt = app.read(&visitor.caller, license, receipt).await?;
    Ok(receipt.to_text()?)
}

/// Why a license is withdrawn.
#[derive(Deserialize, ToSchema)]
pub struct RevokeIn {
    /// For the customer to read, at most 500 characters.
    reason: String,
}

/// Withdraw a license of one's own product.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/revoke", tag = "licenses",
    params(("license_id" = String, Path)), request_body = RevokeIn,
    responses((status = 204), (status = 403), (status = 404), (status = 422)))]
async fn revoke_license(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<RevokeIn>,
) -> Result<StatusCode, Problem> {
    let reason = super::batches::http::reason(&body.value.reason)?;
    let command = Revoke { license, reason };
    app.transact(&visitor.caller, command, revoke).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take back the withdrawal of a license of one's own product.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/reinstate", tag = "licenses",
    params(("license_id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
async fn reinstate_license(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<StatusCode, Problem> {
    let command = Reinstate { license };
    app.transact(&visitor.caller, command, reinstate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Activate a device.
///
/// The body is the device's signed request: bytes as `application/cose`, or any of its text forms.
/// The answer is the activation in the same manner, or a lease where the request renews a floating
/// seat. The same device never takes a second seat.
#[utoipa::path(post, path = "/v1/activations", tag = "licenses",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses(
        (status = 200, description = "The activation", body = Vec<u8>,
            content_type = "application/cose"),
        (status = 403), (status = 404), (status = 409), (status = 422), (status = 429)))]
async fn post_activation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let form = Form::of(&headers);
    let command = Activate::from_bytes(&form.read(&body)?)?;
    let done = activate_asked(&app, &visitor, command).await?;
    Ok(form.answer(done.document))
}

/// Give up a seat of one's own license.
#[utoipa::path(delete, path = "/v1/activations/{activation_id}", tag = "licenses",
    params(("activation_id" = String, Path)),
    responses((status = 204), (status = 404), (status = 429)))]
async fn delete_activation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(activation): PathParam<ActivationId>,
) -> Result<StatusCode, Problem> {
    let command = Deactivate { activation };
    app.transact(&visitor.caller, command, deactivate).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a product pins.
#[derive(Serialize, ToSchema)]
pub struct TrustOut {
    /// The product's code.
    product: String,
    /// A constant for the program that embeds the engine: `mt1-trust product=… root=…`.
    trust: String,
}

/// The trust of a product: its code and its seller's root key.
#[utoipa::path(get, path = "/v1/products/{slug}/trust", tag = "licenses",
    params(("slug" = String, Path)),
    responses((status = 200, body = TrustOut), (status = 404)))]
async fn show_trust(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(slug): PathParam<String>,
) -> Result<Json<TrustOut>, Problem> {
    let found = app
        .transact(&visitor.caller, TrustText { slug }, trust)
        .await?;
    Ok(Json(TrustOut {
        product: found.product().unwrap_or_default().to_owned(),
        trust: found.to_string(),
    }))
}

/// A root key on its way to its owner.
#[derive(Serialize, ToSchema)]
pub struct RootOut {
    /// The public key: `MT1K-…`.
    public: String,
    /// The 32 bytes of the seed, base64url. Keep them offline; they are given out once.
    seed: String,
}

/// Export one's own root key, once.
#[utoipa::path(post, path = "/v1/keys/root/export", tag = "licenses",
    responses((status = 200, body = RootOut), (status = 403), (status = 409)))]
async fn export_root_key(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<RootOut>, Problem> {
    let root = app
        .transact(&visitor.caller, ExportRoot, export_root)
        .await?;
    Ok(Json(RootOut {
        public: root.public.to_string(),
        seed: URL_SAFE_NO_PAD.encode(root.seed.as_slice()),
    }))
}
