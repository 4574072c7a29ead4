//! RFC 9457 problems: the only error that becomes a response.
//!
//! Each domain's http.rs maps its errors to a [`Problem`]; what is wrong inside goes to the log
//! and never to a caller. A handler of pages answers [`PageProblem`], which the storefront
//! renders as HTML.

use crate::caller::Denied;
use crate::store::StoreError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::borrow::Cow;

/// What a caller is told: a stable code, the HTTP status, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: u16,
    /// Stable, documented in docs/http-api.md.
    pub code: &'static str,
    /// One sentence for people.
    pub detail: Cow<'static, str>,
    /// Which input field, when one is to blame.
    pub field: Option<&'static str>,
    /// Seconds after which asking again makes sense.
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem with `status`, `code` and a sentence.
    pub fn new(status: u16, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after: None,
        }
    }

    /// Names the input field to blame.
    #[must_use]
    pub fn at(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Says after how many seconds to ask again.
    #[must_use]
    pub fn after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 404: also for what exists but isn't the caller's.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, "not_found", detail)
    }

    /// The problem as JSON (RFC 9457 §3): `type` is a URN of the code, so it needs no host.
    pub fn to_json(&self) -> serde_json::Value {
        let status = self.status_code();
        let mut json = serde_json::json!({
            "type": format!("urn:mintreu:problem:{}", self.code),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(field) = self.field {
            json["field"] = field.into();
        }
        json
    }

    /// The status as a type; a number that is none counts as 500.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Adds the headers that every rendering of this problem has.
    fn decorate(&self, mut response: Response) -> Response {
        *response.status_mut() = self.status_code();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == 401 {
            let challenge = HeaderValue::from_static("Cookie realm=\"mintreu\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = self.decorate((kind, self.to_json().to_string()).into_response());
        // Extractors refuse with this too; around pages it is drawn like a page's own.
        response.extensions_mut().insert(PageProblem(self));
        response
    }
}

/// A problem on its way to a browser: handlers of pages answer `Result<_, PageProblem>` and `?`
/// turns a [`Problem`] into it.
///
/// The response carries the problem as an extension, and the storefront's outermost layer
/// ([`render_pages`]) draws the page, since only that layer knows language and look. Should it be
/// missing, the body is the detail as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageProblem(pub Problem);

impl<E: Into<Problem>> From<E> for PageProblem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        let mut response = self
            .0
            .decorate(self.0.detail.clone().into_owned().into_response());
        response.extensions_mut().insert(self);
        response
    }
}

/// Replaces the body of a [`PageProblem`] by what `draw` makes of it; other responses pass.
pub fn render_pages(response: Response, draw: impl FnOnce(&Problem) -> Response) -> Response {
    match response.extensions().get::<PageProblem>() {
        None => response,
        Some(PageProblem(problem)) => problem.decorate(draw(problem)),
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Retry => {
                Self::new(503, "busy", "The service is busy; please try again.").after(1)
            }
            StoreError::OutcomeUnknown => Self::new(
                503,
                "outcome_unknown",
                "It is not known whether this was done; ask again with the same Idempotency-Key.",
            )
            .after(1),
            StoreError::KeyReused => Self::new(
                422,
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request; use a new one.",
            ),
            StoreError::Nul => Self::new(
                422,
                "text_holds_nul",
                "A text holds the character U+0000, which can't be kept; leave it out.",
            ),
            StoreError::Conflict { constraint } => {
                tracing::error!(%constraint, "a conflict that no domain names");
                Self::internal()
            }
            StoreError::Backend(cause) => {
                tracing::error!(%cause, "store");
                Self::internal()
            }
        }
    }
}

impl Problem {
    /// 500, when the cause is ours and was logged.
    pub fn internal() -> Self {
        let detail = "Something went wrong on our side; it was logged.";
        Self::new(500, "internal", detail)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        if denied.signed_in {
            Self::new(
                403,
                "not_allowed",
                "Your account is not allowed to do this.",
            )
        } else {
            Self::new(401, "sign_in_required", "Please sign in first.")
        }
    }
}

/// An engine error in a request (a bad document, a malformed id) is the caller's: 422.
impl From<mintreu::Error> for Problem {
    fn from(error: mintreu::Error) -> Self {
        Self::new(422, error.code(), error.detail().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_to_do_and_nothing_of_the_inside() {
        let cause = StoreError::shape("secret table".to_owned());
        let response = Problem::from(cause).to_json().to_string();
        assert!(response.contains("\"code\":\"internal\"") && !response.contains("secret"));
        let busy = Problem::from(StoreError::Retry).into_response();
        assert_eq!(busy.status(), 503);
        assert_eq!(busy.headers()["retry-after"], "1");
        assert_eq!(busy.headers()["content-type"], "application/problem+json");
        let field = Problem::new(422, "email_malformed", "That is no address.").at("email");
        assert_eq!(field.to_json()["field"], "email");
    }

    #[test]
    fn a_page_problem_is_drawn_once_and_keeps_its_status() {
        let response = PageProblem::from(Problem::not_found("No such page.")).into_response();
        let drawn = render_pages(response, |problem| {
            format!("<p>{}", problem.code).into_response()
        });
        assert_eq!(drawn.status(), 404);
        let plain = render_pages("fine".into_response(), |_| "drawn".into_response());
        assert_eq!(plain.status(), 200);
    }
}
