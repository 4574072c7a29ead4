//! The address that providers call.

use super::{PaymentError, ReceiveEvent, receive_event};
use crate::app::App;
use crate::caller::Caller;
use crate::gateways::{self, GatewayError};
use crate::problem::Problem;
use crate::wire::{PathParam, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(receive_webhook))
}

impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        let detail = error.to_string();
        match error {
            PaymentError::NotFound => Self::not_found("There is no such payment."),
            PaymentError::AttemptOpen => Self::new(409, "payment_open", detail),
            PaymentError::Denied(denied) => denied.into(),
            PaymentError::Store(error) => error.into(),
        }
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Signature => Self::new(
                400,
                "signature_invalid",
                "The webhook's signature is missing, too old or wrong.",
            ),
            GatewayError::Malformed(why) => Self::new(
                422,
                "event_malformed",
                format!("The event can't be read: {why}."),
            ),
            GatewayError::Unavailable(cause) => {
                tracing::warn!(%cause, "a payment provider did not answer");
                Self::new(
                    502,
                    "provider_unavailable",
                    "The payment provider did not answer.",
                )
                .after(10)
            }
            GatewayError::Refused(why) => Self::new(
                502,
                "provider_refused",
                format!("The payment provider refused: {why}."),
            ),
        }
    }
}

/// What a provider is told: the event is kept.
#[derive(Serialize, ToSchema)]
pub struct ReceivedOut {
    received: bool,
}

/// Take a payment provider's event. It is kept and settled later; a repeated one is a success.
#[utoipa::path(post, path = "/v1/payments/webhooks/{provider}", tag = "payments",
    params(("provider" = String, Path, description = "sandbox")),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = ReceivedOut), (status = 400), (status = 404), (status = 422)))]
async fn receive_webhook(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(provider): PathParam<String>,
    headers: HeaderMap,
    RawBody(raw): RawBody,
) -> Result<Json<ReceivedOut>, Problem> {
    let gateway = gateways::find(&app, &provider);
    let gateway = gateway.ok_or_else(|| Problem::not_found("There is no such provider here."))?;
    let command = ReceiveEvent {
        provider: gateway.name(),
        event: gateway.verify_webhook(&app, &headers, &raw)?,
    };
    let house = Caller::system(visitor.caller.tenant);
    app.transact(&house, command, receive_event).await?;
    Ok(Json(ReceivedOut { received: true }))
}
