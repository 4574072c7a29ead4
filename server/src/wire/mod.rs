//! What every http.rs needs: who asks, bodies with limits, idempotency keys, cursors, cookies.
//!
//! Every extractor here refuses with a [`Problem`], so a handler answers `Result<_, Problem>`
//! (or `PageProblem`) and nothing else.
//!
//! Invariants
//! * No extractor reads more than the configured body limit.
//! * A form that changes something carries its visitor's CSRF token ([`CsrfForm`]).
//! * Cookies are `HttpOnly`, `SameSite=Lax`, and over HTTPS `Secure` with the `__Host-` prefix.
//!
//! Start reading at [`Visitor`].

mod body;
pub mod cookies;
mod cursor;
pub mod headers;
mod stream;
mod visitor;

pub use body::{
    CsrfForm, IdempotencyKey, Idempotent, JsonBody, PathParam, PathParts, Query, RawBody,
};
pub use cursor::Cursor;
pub use stream::{Pieces, pieces};
pub use visitor::{Csrf, Visitor};

use crate::problem::Problem;
use axum::http::{HeaderMap, header};

/// Whether an address leads to this shop: `/licenses`, never `//elsewhere` or `https://elsewhere`.
pub fn is_local(address: &str) -> bool {
    // Browsers read a backslash as a slash and skip tabs and line breaks.
    let odd = |c: char| c == '\\' || c.is_control();
    address.starts_with('/') && !address.starts_with("//") && !address.contains(odd)
}

/// What the caller's `Accept-Language` says.
pub fn languages(headers: &HeaderMap) -> &str {
    let wished = headers.get(header::ACCEPT_LANGUAGE);
    let wished = wished.and_then(|value| value.to_str().ok());
    wished.unwrap_or_default()
}

/// A request from another site's page that carries a visitor's cookie.
pub fn foreign_origin() -> Problem {
    Problem::new(
        403,
        "origin_foreign",
        "This request came from another site's page.",
    )
}
