//! Security headers on every response; a handler that set one itself keeps its own.

use crate::config::Config;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Nothing runs, loads or frames but what is named: no inline scripts, no inline styles.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

static HEADERS: [(HeaderName, HeaderValue); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(CONTENT_SECURITY_POLICY),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    same_origin("cross-origin-opener-policy"),
    same_origin("cross-origin-resource-policy"),
    (
        HeaderName::from_static("cross-origin-embedder-policy"),
        HeaderValue::from_static("require-corp"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

const fn same_origin(name: &'static str) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_static("same-origin"),
    )
}

/// Adds what is missing.
pub fn secure(config: &Config, headers: &mut HeaderMap) {
    // A page that says itself who may frame it isn't forbidden to everybody by the older header.
    let framed = headers
        .get(header::CONTENT_SECURITY_POLICY)
        .is_some_and(|own| !own.as_bytes().ends_with(b"frame-ancestors 'none'"));
    for (name, value) in &HEADERS {
        if framed && *name == header::X_FRAME_OPTIONS {
            continue;
        }
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if config.server.is_https() {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
}
