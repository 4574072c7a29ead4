//! Routes of units that devices are lent.

use super::leases::{LendUnits, WriteOffUnits, lend_units, lent_units, write_off_units};
use super::model::QuotaError;
use super::sql::{LentUnits, WrittenOff};
use crate::app::App;
use crate::domains::licensing::LicensingError;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mintreu::id::{ActivationId, LicenseId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed documents are sent as.
const COSE: &str = "application/cose";

/// The routes of units.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_lease))
        .routes(routes!(show_units))
        .routes(routes!(post_write_off))
}

impl From<QuotaError> for Problem {
    fn from(error: QuotaError) -> Self {
        use QuotaError as E;
        let detail = error.to_string();
        match error {
            E::Document(error) => error.into(),
            E::UnknownDevice => Self::new(403, "device_not_activated", detail),
            E::Deactivated => Self::new(403, "device_deactivated", detail),
            E::Revoked => Self::new(403, "license_revoked", detail),
            E::WrongProduct => Self::new(422, "wrong_product", detail),
            E::NothingShared => Self::new(409, "quota_not_shared", detail),
            E::LeaseRunning { .. } => Self::new(409, "lease_running", detail),
            E::ReasonMissing => Self::new(422, "reason_missing", detail).at("reason"),
            E::ReasonTooLong => Self::new(422, "reason_too_long", detail).at("reason"),
            E::Licensing(error @ (LicensingError::NotFound | LicensingError::Expired)) => {
                error.into()
            }
            E::Licensing(error) => {
                tracing::error!(%error, "no lease can be signed");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// Ask for units of a quota that devices share.
///
/// The body is the device's signed request, bytes or any of its text forms; the answer is a lease in
/// the same manner. Asking again before the lease was taken gets the same.
#[utoipa::path(post, path = "/v1/usage/leases", tag = "usage",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses(
        (status = 200, description = "The lease", body = Vec<u8>,
            content_type = "application/cose"),
        (status = 403), (status = 409), (status = 422)))]
async fn post_lease(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: axum::http::HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let kind = headers.get(header::CONTENT_TYPE);
    let as_bytes = kind.is_some_and(|kind| kind.as_bytes().starts_with(COSE.as_bytes()));
    let bytes = match std::str::from_utf8(&body) {
        Ok(text) if !as_bytes => mintreu::document::from_text(text)?,
        _ => body.to_vec(),
    };
    let command = LendUnits::read(&bytes)?;
    let lease = app.transact(&visitor.caller, command, lend_units).await?;
    if as_bytes {
        return Ok(([(header::CONTENT_TYPE, COSE)], lease).into_response());
    }
    Ok(mintreu::document::to_text(&lease).into_response())
}

/// What one device was lent of one window.
#[derive(Serialize, ToSchema)]
pub struct LentUnitsOut {
    /// The meter.
    meter: String,
    /// The device's activation.
    activation_id: String,
    /// The window's number.
    window: u32,
    /// Units that are taken from the quota for it.
    units: u64,
    /// Units it said it used of them.
    used: u64,
    /// Until when it may use them, in milliseconds since 1970.
    ends_at: i64,
    /// When the seller took back what it hadn't accounted for.
    written_off_at: Option<i64>,
}

fn lent_out(lent: &LentUnits) -> LentUnitsOut {
    LentUnitsOut {
        meter: lent.meter.clone(),
        activation_id: lent.activation.to_string(),
        window: lent.lent.window,
        units: lent.lent.units,
        used: lent.lent.used,
        ends_at: lent.ends_at.ms(),
        written_off_at: lent.written_off_at.map(mintreu::Timestamp::ms),
    }
}

/// Units that were taken back from a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct WrittenOffOut {
    license_id: String,
    /// The meter.
    meter: String,
    /// The device's activation.
    activation_id: String,
    /// The window's number.
    window: u32,
    /// How many.
    units: u64,
    /// Why.
    reason: String,
    /// The account that did it.
    written_off_by: String,
    written_off_at: i64,
}

pub fn written_off_out(written: &WrittenOff) -> WrittenOffOut {
    WrittenOffOut {
        license_id: written.license.to_string(),
        meter: written.meter.clone(),
        activation_id: written.activation.to_string(),
        window: written.window,
        units: written.units,
        reason: written.reason.clone(),
        written_off_by: written.by.to_string(),
        written_off_at: written.at.ms(),
    }
}

/// What was lent of a license's quotas.
#[derive(Serialize, ToSchema)]
pub struct UnitsOut {
    /// The newest first.
    units: Vec<LentUnitsOut>,
    /// What the seller took back, the newest first; only the seller is told.
    write_offs: Vec<WrittenOffOut>,
}

/// The units that devices of a license were lent, for its owner or seller.
#[utoipa::path(get, path = "/v1/licenses/{license_id}/units", tag = "usage",
    params(("license_id" = String, Path)),
    responses((status = 200, body = UnitsOut), (status = 404)))]
async fn show_units(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Json<UnitsOut>, Problem> {
    let found = app.read(&visitor.caller, license, lent_units).await?;
    Ok(Json(UnitsOut {
        units: found.lent.iter().map(lent_out).collect(),
        write_offs: found.written_off.iter().map(written_off_out).collect(),
    }))
}

/// Which units to take back.
#[derive(Deserialize, ToSchema)]
#[schema(as = UnitsWriteOffIn)]
pub struct WriteOffIn {
    /// The meter.
    meter: String,
    /// The device's activation.
    activation_id: String,
    /// Why, at most 500 characters; it is kept.
    #[serde(default)]
    reason: String,
}

/// Take back the units of a device that will never account for them, for the license's seller.
///
/// Not before their lease is over: until then the device may use them, and `lease_running` says how
/// long that is.
#[utoipa::path(post, path = "/v1/licenses/{license_id}/units/write-off", tag = "usage",
    params(("license_id" = String, Path)), request_body = WriteOffIn,
    responses((status = 204), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn post_write_off(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<WriteOffIn>,
) -> Result<StatusCode, Problem> {
    let activation = ActivationId::parse(&body.value.activation_id)?;
    let command = WriteOffUnits {
        license,
        meter: body.value.meter,
        activation,
        reason: body.value.reason,
    };
    let done = app.transact(&visitor.caller, command, write_off_units);
    done.await?;
    Ok(StatusCode::NO_CONTENT)
}
