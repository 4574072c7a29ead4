//! Routes of meters, events and usage: our own, and those that other vendors' clients know.

mod lago;
mod native;
mod openmeter;
mod question;

pub use question::csv;

use super::model::MeterError;
use super::model::event::{CloudEvent, Event};
use crate::app::App;
use crate::caller::{Caller, Capability};
use crate::domains::accounts::tokens::{TOKEN_PREFIX, TOKEN_PURPOSE, caller_of_token};
use crate::problem::Problem;
use crate::wire::Visitor;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// How far ahead of our clock a client's may be: a month, since some plan ahead.
const FUTURE_MS: i64 = 31 * 24 * 60 * 60 * 1000;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    native::routes()
        .merge(openmeter::routes())
        .merge(lago::routes())
}

impl From<MeterError> for Problem {
    fn from(error: MeterError) -> Self {
        use MeterError as E;
        let detail = error.to_string();
        match error {
            E::Malformed { field, .. } => Self::new(400, "meter_malformed", detail).at(field),
            E::NotFound => Self::new(404, "meter_not_found", detail),
            E::EventNotFound => Self::new(404, "event_not_found", detail),
            E::Undescribed(_) => Self::not_found(detail),
            E::TooManyDescriptions => Self::new(422, "too_many_descriptions", detail),
            E::SlugTaken => Self::new(409, "meter_slug_taken", detail).at("slug"),
            E::TooManyMeters => Self::new(422, "too_many_meters", detail),
            E::TooManyGroups => Self::new(422, "too_many_groups", detail),
            E::TooManyEvents => Self::new(413, "too_many_events", detail),
            E::UnknownGroup(_) => Self::new(400, "group_unknown", detail).at("groupBy"),
            E::AnswerTooLarge => Self::new(422, "answer_too_large", detail),
            E::TooLarge(_) => Self::new(422, "sum_too_large", detail),
            E::Window(_) => Self::new(400, "window_malformed", detail),
            E::Metering(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// The seller who asks: by a token, or signed in.
#[derive(Debug, Clone)]
pub struct Seller {
    /// For use cases.
    pub caller: Caller,
    /// Whose meters.
    pub id: AccountId,
}

impl FromRequestParts<Arc<App>> for Seller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let visitor =
            <Visitor as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let given = parts.headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok());
        let token = given
            .and_then(|text| text.split_once(' '))
            .map(|(_, token)| token.trim());
        let caller = match token.filter(|token| token.starts_with(TOKEN_PREFIX)) {
            None => visitor.caller,
            Some(token) => {
                let mac = app.keys.mac(TOKEN_PURPOSE, token.as_bytes());
                let found = app.read(&visitor.caller, mac, caller_of_token).await?;
                found.ok_or_else(|| {
                    Problem::new(
                        401,
                        "token_invalid",
                        "There is no such token, or it was revoked.",
                    )
                })?
            }
        };
        match caller.account.filter(|_| caller.may(Capability::Sell)) {
            Some(id) => Ok(Self { caller, id }),
            None if caller.account.is_some() => {
                Err(Problem::new(403, "shop_missing", "Open a shop first."))
            }
            None => {
                let detail = "Send a seller's token as Authorization: Bearer …";
                Err(Problem::new(401, "token_missing", detail))
            }
        }
    }
}

/// One event of a request, or what is wrong with it.
fn read_event(raw: &RawValue, now: Timestamp) -> Result<Event, String> {
    let event: CloudEvent<'_> =
        serde_json::from_str(raw.get()).map_err(|error| error.to_string())?;
    event
        .read(now.plus_ms(FUTURE_MS))
        .map_err(|error| error.to_string())
}

/// An instant as RFC 3339 writes it.
fn rfc3339(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.to_string())
}
