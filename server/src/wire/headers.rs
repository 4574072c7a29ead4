//! Security headers on every response; a handler that set one itself keeps its own.

use crate::config::Config;
use axum::http::{HeaderMap, HeaderValue, header};

/// Nothing runs, loads or frames but what is named: no inline scripts, no inline styles.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-embedder-policy", "require-corp"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// Adds what is missing.
pub fn secure(config: &Config, headers: &mut HeaderMap) {
    // A page that says itself who may frame it isn't forbidden to everybody by the older header.
    let framed = headers
        .get(header::CONTENT_SECURITY_POLICY)
        .is_some_and(|own| !own.as_bytes().ends_with(b"frame-ancestors 'none'"));
    for (name, value) in HEADERS {
        if framed && *name == "x-frame-options" {
            continue;
        }
        headers
            .entry(*name)
            .or_insert_with(|| HeaderValue::from_static(value));
    }
    if config.server.is_https() {
        headers
            .entry(header::STRICT_TRANSPORT_SECURITY)
            .or_insert_with(|| HeaderValue::from_static("max-age=63072000; includeSubDomains"));
    }
}
