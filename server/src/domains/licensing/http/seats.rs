//! Routes of what devices send about their seats, and of the time.

use super::{ACTIVATE, COSE, too_fast};
use crate::app::App;
use crate::domains::licensing::{AskTime, GiveBack, LicensingError, answer_time, give_back};
use crate::problem::Problem;
use crate::wire::{RawBody, Visitor};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use mintreu::document::to_text;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_deactivation))
        .routes(routes!(post_time))
}

/// Counted with what one address activates.
fn limit(app: &App, visitor: &Visitor) -> Result<(), Problem> {
    let client = visitor.client_key();
    let taken = app.limits.take("activate", &client, ACTIVATE, app.now());
    taken.map_err(too_fast)
}

/// How a signed document came, and so how its answer goes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Bytes,
    Text,
}

impl Form {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE);
        match kind.is_some_and(|kind| kind.as_bytes().starts_with(COSE.as_bytes())) {
            true => Self::Bytes,
            false => Self::Text,
        }
    }

    /// The document's bytes, whichever form they came in.
    pub(super) fn read(self, body: &[u8]) -> Result<Vec<u8>, Problem> {
        if self == Self::Bytes {
            return Ok(body.to_vec());
        }
        let text = std::str::from_utf8(body).map_err(|_| {
            let detail = "Send the document's bytes as application/cose, or its text.";
            Problem::new(415, "content_type_unsupported", detail)
        })?;
        mintreu::document::from_text(text).map_err(|e| LicensingError::RequestMalformed(e).into())
    }

    pub(super) fn answer(self, document: Vec<u8>) -> Response {
        match self {
            Self::Bytes => ([(header::CONTENT_TYPE, COSE)], document).into_response(),
            Self::Text => to_text(&document).into_response(),
        }
    }
}

/// Give back the seat of a device, by its own signed word.
///
/// The body is the device's deactivation: bytes as `application/cose`, or any of its text forms. The
/// answer, in the same manner, tells the device that it was heard. Again changes nothing.
#[utoipa::path(post, path = "/v1/deactivations", tag = "licenses",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses(
        (status = 200, description = "A challenge with the deactivation's nonce", body = Vec<u8>,
            content_type = "application/cose"),
        (status = 404), (status = 415), (status = 422), (status = 429)))]
async fn post_deactivation(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    limit(&app, &visitor)?;
    let form = Form::of(&headers);
    let command = GiveBack::from_bytes(&form.read(&body)?)?;
    let heard = app.transact(&visitor.caller, command, give_back).await?;
    Ok(form.answer(heard))
}

/// Tell a device of a product the time.
///
/// The body is the device's signed question: bytes as `application/cose`, or any of its text forms.
/// The answer, in the same manner, is good for that question alone.
#[utoipa::path(post, path = "/v1/time", tag = "licenses",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses(
        (status = 200, description = "The challenge that proves the time", body = Vec<u8>,
            content_type = "application/cose"),
        (status = 404), (status = 415), (status = 422), (status = 429)))]
async fn post_time(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    limit(&app, &visitor)?;
    let form = Form::of(&headers);
    let command = AskTime::from_bytes(&form.read(&body)?)?;
    let unknown = |error: LicensingError| match error {
        LicensingError::NotFound => Problem::not_found("There is no such product."),
        other => other.into(),
    };
    let told = app.transact(&visitor.caller, command, answer_time).await;
    Ok(form.answer(told.map_err(unknown)?))
}
