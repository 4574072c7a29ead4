//! The route that has a payment method forgotten.

use crate::app::App;
use crate::domains::fulfilment::{RemoveMethod, remove_method};
use crate::problem::Problem;
use crate::wire::{PathParam, Visitor};
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::MethodId;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(delete_method))
}

/// Remove a payment method: its provider forgets it. Refused while a subscription or invoices of use are
/// charged to it; choose another for them first.
#[utoipa::path(delete, path = "/v1/payment-methods/{payment_method_id}", tag = "payment methods",
    params(("payment_method_id" = String, Path, description = "pmt_…")),
    responses((status = 204), (status = 409), (status = 422)))]
async fn delete_method(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(method): PathParam<MethodId>,
) -> Result<StatusCode, Problem> {
    let command = RemoveMethod { method };
    app.transact(&visitor.caller, command, remove_method)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
