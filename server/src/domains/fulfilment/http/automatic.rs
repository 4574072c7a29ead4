//! Routes of invoices that are paid by themselves, for who owes them.

use crate::app::App;
use crate::domains::fulfilment::{
    AgreeToPay, AutomaticPayment, EndAutomaticPayment, PayWith, agree_to_pay, automatic_payment,
    end_automatic_payment,
};
use crate::domains::methods::http::chosen;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{InvoiceId, LicenseId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(get_agreement, put_agreement, delete_agreement))
}

/// What invoices shall be paid with: exactly one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AutomaticPaymentIn {
    /// `pmt_…`, one of your payment methods.
    method: Option<String>,
    /// What this invoice of the license was paid with by you, with `later`.
    invoice_id: Option<String>,
}

/// What was agreed to.
#[derive(Serialize, ToSchema)]
pub struct AutomaticPaymentOut {
    license_id: String,
    provider: String,
    /// A saved method, or the payment (`pay_…`) whose method is charged.
    method: String,
    /// Milliseconds since 1970 (UTC).
    agreed_at: i64,
}

impl From<AutomaticPayment> for AutomaticPaymentOut {
    fn from(agreed: AutomaticPayment) -> Self {
        Self {
            license_id: agreed.license.to_string(),
            provider: agreed.provider,
            method: agreed.method,
            agreed_at: agreed.agreed_at.ms(),
        }
    }
}

/// Whether invoices of a license's usage are paid by themselves, and with what, for its owner.
#[utoipa::path(get, path = "/v1/licenses/{license_id}/automatic-payment", tag = "invoices",
    params(("license_id" = String, Path, description = "lic_…")),
    responses((status = 200, body = AutomaticPaymentOut),
        (status = 404, description = "No such license, or nothing was agreed to")))]
async fn get_agreement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<Json<AutomaticPaymentOut>, Problem> {
    let found = app
        .read(&visitor.caller, license, automatic_payment)
        .await?;
    let nothing = || Problem::not_found("These invoices wait for you to pay them.");
    Ok(Json(found.ok_or_else(nothing)?.into()))
}

/// Agree that invoices of a license's usage are paid by themselves.
///
/// Each that is issued from now on is charged at once, and again after a decline: 2, 5, 7 and 7 days
/// later. A method that is gone ends the agreement; a mail says so.
#[utoipa::path(put, path = "/v1/licenses/{license_id}/automatic-payment", tag = "invoices",
    params(("license_id" = String, Path, description = "lic_…")),
    request_body = AutomaticPaymentIn,
    responses((status = 200, body = AutomaticPaymentOut), (status = 404), (status = 409),
        (status = 422)))]
async fn put_agreement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
    body: JsonBody<AutomaticPaymentIn>,
) -> Result<Json<AutomaticPaymentOut>, Problem> {
    let with = match (body.value.method, body.value.invoice_id) {
        (Some(method), None) => {
            let chosen = chosen(&app, &visitor.caller, &method).await?;
            PayWith::Method {
                provider: chosen.provider,
                method: chosen.name,
            }
        }
        (None, Some(invoice)) => PayWith::Invoice(InvoiceId::parse(&invoice)?),
        _ => {
            let detail = "Name a saved method, or an invoice; one of the two.";
            return Err(Problem::new(422, "input_invalid", detail).at("method"));
        }
    };
    let command = AgreeToPay { license, with };
    let agreed = app.transact(&visitor.caller, command, agree_to_pay).await?;
    Ok(Json(agreed.into()))
}

/// End it: invoices wait for you to pay them again.
#[utoipa::path(delete, path = "/v1/licenses/{license_id}/automatic-payment", tag = "invoices",
    params(("license_id" = String, Path, description = "lic_…")),
    responses((status = 204), (status = 404)))]
async fn delete_agreement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(license): PathParam<LicenseId>,
) -> Result<StatusCode, Problem> {
    let command = EndAutomaticPayment { license };
    app.transact(&visitor.caller, command, end_automatic_payment)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
