//! The route that devices report usage to.
//!
//! Answers about a segment are receipts: `application/cose`, signed, whether the segment was
//! counted (200) or not (409, with the problem's code in a header). A device learns from the
//! signed position alone what to do next. Whoever asks for problem+json gets the same as JSON.

use super::model::{Answer, MAX_FORKS, MeteringError, Outcome};
use super::ops::AcceptSegment;
use crate::app::{App, Cx};
use crate::domains::licensing::LicensingError;
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{RawBody, Visitor};
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::meter::split_batch;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What signed documents are sent as.
pub(super) const COSE: &str = "application/cose";
/// What several of them are sent as.
const SEQUENCE: &str = mintreu::sync::SEQUENCE;
/// Requests of one address: enough for an office of devices, of which each reports in few.
const REPORTS: Rate = Rate {
    burst: 3000,
    refill_ms: 20,
};
/// Tells a gap from a fork beside a receipt.
const CODE: HeaderName = HeaderName::from_static("problem-code");
/// From where a device must send again.
const NEED: HeaderName = HeaderName::from_static("usage-need-from-seq");

/// The use case that accepts a segment: whoever counts what it carries beside, counts in it.
pub type Accept = fn(&mut Cx<'_>, &AcceptSegment) -> Result<Answer, MeteringError>;

/// The routes; segments are accepted by `accept`.
pub fn routes(accept: Accept) -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_segment))
        .layer(Extension(Accepting(accept)))
        .merge(super::evidence::http::routes())
}

#[derive(Clone, Copy)]
struct Accepting(Accept);

impl From<MeteringError> for Problem {
    fn from(error: MeteringError) -> Self {
        use MeteringError as E;
        let detail = error.to_string();
        match error {
            E::Segment(error) if error.code() == "too_large" => {
                Self::new(413, "too_large", error.detail().to_owned())
            }
            E::Segment(error) => error.into(),
            E::UnknownDevice => Self::new(403, "device_not_activated", detail),
            E::Deactivated => Self::new(403, "device_deactivated", detail),
            E::Revoked => Self::new(403, "license_revoked", detail),
            E::WrongProduct => Self::new(422, "wrong_product", detail),
            E::Implausible => Self::new(422, "usage_implausible", detail),
            E::TooManyCells => Self::new(422, "usage_too_many_cells", detail),
            E::TooManyForks => {
                let detail = format!("{detail} (after {MAX_FORKS} forks)");
                Self::new(403, "usage_too_many_forks", detail)
            }
            E::Licensing(error @ (LicensingError::NotFound | LicensingError::Expired)) => {
                error.into()
            }
            E::NotFound => Self::not_found(detail),
            E::Decided => Self::new(409, "dispute_decided", detail),
            E::ReasonTooLong => Self::new(422, "reason_too_long", detail),
            E::Licensing(error) => {
                tracing::error!(%error, "no receipt can be signed");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// Report usage.
///
/// The body is one signed usage segment; or, as `application/cbor-seq`, up to 64 of one stream one
/// behind the other: each is taken in a commit of its own, the first that isn't counted ends it, and
/// the answer is that of the last one looked at. 200 answers the receipt, also when the segment had been
/// counted before. 409 answers the receipt of the stream's position, with the header
/// `problem-code`: `usage_gap` when segments before this one are missing (`usage-need-from-seq`
/// says from where to send again), `usage_fork` when another continuation of the chain was
/// counted before.
#[utoipa::path(post, path = "/v1/usage/segments", tag = "usage",
    request_body(content = Vec<u8>, content_type = "application/cose"),
    responses(
        (status = 200, description = "Counted", body = Vec<u8>, content_type = "application/cose"),
        (status = 403), (status = 409), (status = 413), (status = 415), (status = 422)))]
async fn post_segment(
    State(app): State<Arc<App>>,
    Extension(Accepting(accept)): Extension<Accepting>,
    visitor: Visitor,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .map(|kind| kind.as_bytes());
    let is = |wanted: &str| kind.is_some_and(|kind| kind.starts_with(wanted.as_bytes()));
    let segments = match (is(COSE), is(SEQUENCE)) {
        (true, _) => vec![body.as_ref()],
        (_, true) => split_batch(&body)?,
        _ => {
            let detail =
                "Send one segment as application/cose, or several as application/cbor-seq.";
            return Err(Problem::new(415, "content_type_unsupported", detail));
        }
    };
    let taken = app
        .limits
        .take("segments", &visitor.client_key(), REPORTS, app.now());
    taken.map_err(|wait| {
        let detail = format!("Too many reports from here; try again in {wait} s. Nothing is lost.");
        Problem::new(429, "too_many_requests", detail).after(wait)
    })?;
    let answer = accept_in_turn((&app, accept), &visitor, &segments).await?;
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let as_json = accepts.is_some_and(|accept| accept.contains("problem+json"));
    Ok(respond(answer, as_json))
}

/// Takes segments until one isn't counted. What was counted before an error stands, and its receipt
/// is the answer: the device then sends the rest, and hears of the error by itself.
async fn accept_in_turn(
    (app, accept): (&App, Accept),
    visitor: &Visitor,
    segments: &[&[u8]],
) -> Result<Answer, Problem> {
    let mut counted = None;
    for segment in segments {
        let taken = match AcceptSegment::read(segment.to_vec()) {
            Ok(command) => app.transact(&visitor.caller, command, accept).await,
            Err(error) => Err(error),
        };
        match (taken, counted) {
            (Ok(answer), _) if answer.outcome.is_counted() => counted = Some(answer),
            (Ok(answer), _) => return Ok(answer),
            (Err(_), Some(answer)) => return Ok(answer),
            (Err(error), None) => return Err(error.into()),
        }
    }
    counted.ok_or_else(Problem::internal)
}

fn respond(answer: Answer, as_json: bool) -> Response {
    let problem = match answer.outcome {
        Outcome::Counted | Outcome::CountedBefore => {
            return ([(header::CONTENT_TYPE, COSE)], answer.receipt).into_response();
        }
        Outcome::Gap {
            epoch,
            need_from_seq,
        } => Problem::new(
            409,
            "usage_gap",
            format!("Segments are missing: send epoch {epoch} from {need_from_seq} on."),
        ),
        Outcome::Fork => Problem::new(
            409,
            "usage_fork",
            "Another continuation of this stream was counted before; begin a new epoch.",
        ),
    };
    let need = match answer.outcome {
        Outcome::Gap { need_from_seq, .. } => Some(need_from_seq),
        _ => None,
    };
    if as_json {
        let mut json = problem.to_json();
        json["receipt"] = URL_SAFE_NO_PAD.encode(&answer.receipt).into();
        json["need_from_seq"] = need.into();
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        return (StatusCode::CONFLICT, kind, json.to_string()).into_response();
    }
    let headers = [(header::CONTENT_TYPE, COSE), (CODE, problem.code)];
    let mut response = (StatusCode::CONFLICT, headers, answer.receipt).into_response();
    if let Some(need) = need {
        response.headers_mut().insert(NEED, need.into());
    }
    response
}
