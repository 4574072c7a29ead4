//! Talking to the server without a socket: the engine says what to send, the host sends it.
//!
//! [`Engine::next_request`](crate::Engine::next_request) gives a request,
//! [`Engine::on_response`](crate::Engine::on_response) takes the answer. Between the two anything
//! may happen: the request may be lost, sent twice, answered twice or out of order, and either
//! side may be killed. The exchange is normative in `docs/usage-protocol.md`.

use crate::error::{Error, Result};

/// Where activation requests and requests for a longer seat go.
pub const ACTIVATIONS: &str = "/v1/activations";
/// Where seats are given back.
pub const DEACTIVATIONS: &str = "/v1/deactivations";
/// Where questions for the time go.
pub const TIME: &str = "/v1/time";
/// Where the newest key set is asked for; see [`keyset_path`].
pub const KEYSET: &str = "/v1/keyset";
/// Where revocation lists are asked for; see [`revocations_path`].
pub const REVOCATIONS: &str = "/v1/revocations";
/// Where usage segments go.
pub const SEGMENTS: &str = "/v1/usage/segments";
/// Where devices ask for units of a quota that they share.
pub const LEASES: &str = "/v1/usage/leases";
/// The media type of every request and of every signed answer (RFC 9052 §11.1).
pub const CONTENT_TYPE: &str = "application/cose";
/// The longest answer that is looked at, in bytes.
pub const MAX_RESPONSE: usize = 2 << 20;

/// The media type of several segments in one request: a CBOR sequence (RFC 8742).
pub const SEQUENCE: &str = "application/cbor-seq";

/// The longest that a host waits between two tries, in seconds.
pub const LONGEST_WAIT: u64 = 3600;

/// How many milliseconds a host waits before it sends again what the server didn't take: after a
/// 429, a 5xx or no answer at all.
///
/// `header` is the answer's `Retry-After`, where it had one; only its form in seconds is looked at,
/// since the other needs a clock that both sides share. `failures` is how many tries have failed in
/// a row, and `draw` any random number: waits are spread over half as long again, so that devices
/// that were turned away together don't come back together. A server's word is never undercut, and
/// no wait is longer than an hour and a half.
///
/// ```
/// use mintreu::sync::retry_after;
/// assert_eq!(retry_after(Some("30"), 1, 0), 30_000);
/// assert!(retry_after(Some("30"), 1, u64::MAX) <= 45_000);
/// assert_eq!(retry_after(None, 1, 0), 1_000);
/// assert_eq!(retry_after(None, 5, 0), 16_000);
/// ```
pub fn retry_after(header: Option<&str>, failures: u32, draw: u64) -> u64 {
    let told = header.and_then(|text| text.trim().parse::<u64>().ok());
    let doubled = 1_u64 << failures.saturating_sub(1).min(16);
    let seconds = told.unwrap_or(doubled).min(LONGEST_WAIT);
    let least = seconds.max(1) * 1000;
    least + draw % (least / 2 + 1)
}

/// Where the key set of a product's seller is, unless the one with version `have` is the newest.
///
/// A product's code needs no escaping but for its plus signs.
pub fn keyset_path(product: &str, have: u64) -> String {
    format!("{KEYSET}?product={}&have={have}", escaped(product))
}

/// Where a revocation list of a product is, unless the one held, with this version and instant of
/// issue in seconds, is the newest.
pub fn revocations_path(product: &str, list: u64, held: (u64, i64)) -> String {
    let (version, since) = held;
    let product = escaped(product);
    format!("{REVOCATIONS}?product={product}&list={list}&have={version}&since={since}")
}

/// A plus sign in a query is a space to most servers.
fn escaped(product: &str) -> String {
    product.replace('+', "%2B")
}

/// What the host's own HTTP client is to send to the server.
///
/// The body is on the device's disk before it is handed out, and the same bytes come again until
/// they are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The HTTP method: `POST`.
    pub method: &'static str,
    /// The path on the server, with its query.
    pub path: String,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body; empty where the path says it all.
    pub body: Vec<u8>,
}

impl Request {
    #[cfg_attr(
        not(feature = "journal"),
        expect(dead_code, reason = "made by the engine alone")
    )]
    pub(crate) fn post(path: impl Into<String>, body: Vec<u8>) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            content_type: CONTENT_TYPE,
            body,
        }
    }
}

#[cfg(feature = "journal")]
impl Request {
    /// One sealed segment, or several one behind the other.
    pub(crate) fn segments(body: Vec<u8>) -> Self {
        let many = crate::meter::split_batch(&body).is_ok_and(|all| all.len() > 1);
        let content_type = if many { SEQUENCE } else { CONTENT_TYPE };
        Self {
            content_type,
            ..Self::post(SEGMENTS, body)
        }
    }
}

/// An answer, sorted by what the engine can do with it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// A signed document: the request was taken.
    Taken(&'a [u8]),
    /// A signed receipt that says why the segment was not taken (409).
    NotTaken(&'a [u8]),
    /// There is nothing to say (204), or nothing of the kind (404).
    Nothing,
    /// This server never takes such a thing (501); another one may.
    Elsewhere,
}

/// Sorts a response; what carries nothing signed becomes an error and changes nothing.
#[cfg_attr(
    not(feature = "journal"),
    expect(dead_code, reason = "used by the engine alone")
)]
///
/// `optional` is whether the request asked for something that need not exist.
pub(crate) fn sort_response(status: u16, body: &[u8], optional: bool) -> Result<Answer<'_>> {
    if body.len() > MAX_RESPONSE {
        return Err(Error::new(
            "response_too_large",
            format!(
                "the server's answer has {} bytes of at most {MAX_RESPONSE}",
                body.len()
            ),
        ));
    }
    let is_problem = body.first() == Some(&b'{');
    match status {
        200 | 201 => Ok(Answer::Taken(body)),
        204 => Ok(Answer::Nothing),
        404 if optional => Ok(Answer::Nothing),
        409 if !is_problem => Ok(Answer::NotTaken(body)),
        501 => Ok(Answer::Elsewhere),
        408 | 425 | 429 | 500..=599 => Err(unavailable(status)),
        _ => Err(Error::new(
            "sync_refused",
            format!(
                "the server refused the request: {status} {}",
                problem_code(body)
            ),
        )),
    }
}

/// Nothing was taken, and nothing is wrong with the request.
pub(crate) fn unavailable(status: u16) -> Error {
    Error::new(
        "server_unavailable",
        format!("the server answered {status}; nothing is lost, send again later"),
    )
}

/// The `code` of a problem document (RFC 9457), for the sentence only: nothing acts on it.
fn problem_code(body: &[u8]) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let after = text.split("\"code\"").nth(1).unwrap_or_default();
    let code = after.split('"').nth(1).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if code.len() <= 64 && code.chars().all(plain) {
        code
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_spread_and_end() {
        let spread = |header, failures| {
            let waits: Vec<u64> = (0..1000)
                .map(|draw| retry_after(header, failures, draw * 7_919))
                .collect();
            let least = waits.iter().min().copied().unwrap_or(0);
            (least, waits.iter().max().copied().unwrap_or(0))
        };
        for failures in 1..40 {
            let (least, most) = spread(None, failures);
            assert!(least >= 1000 && most <= LONGEST_WAIT * 1500, "{failures}");
            assert!(most > least, "nobody comes back with everybody else");
        }
        let (least, most) = spread(Some("120"), 9);
        assert!(
            least >= 120_000 && most <= 180_000,
            "the server's word holds"
        );
        assert_eq!(retry_after(Some("0"), 1, 0), 1000, "never at once");
        assert_eq!(retry_after(Some("99999999999"), 1, 0), LONGEST_WAIT * 1000);
        let date = Some("Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(retry_after(date, 3, 0), 4000, "a date is no number");
    }

    #[test]
    fn answers_are_sorted_and_strangers_change_nothing() {
        assert_eq!(sort_response(200, b"x", false), Ok(Answer::Taken(b"x")));
        assert_eq!(
            sort_response(409, b"\xd2", false),
            Ok(Answer::NotTaken(b"\xd2"))
        );
        assert_eq!(sort_response(204, b"", true), Ok(Answer::Nothing));
        assert_eq!(sort_response(404, b"{}", true), Ok(Answer::Nothing));
        let code = |status, body: &[u8]| sort_response(status, body, false).unwrap_err().code();
        assert_eq!(code(404, b"{}"), "sync_refused");
        assert_eq!(sort_response(501, b"{}", false), Ok(Answer::Elsewhere));
        assert_eq!(code(503, b""), "server_unavailable");
        assert_eq!(code(429, b""), "server_unavailable");
        assert_eq!(code(302, b"<html>"), "sync_refused");
        assert_eq!(code(200, &vec![0; MAX_RESPONSE + 1]), "response_too_large");
        let problem = br#"{"type":"about:blank","code": "seat_limit","status":409}"#;
        let refused = sort_response(409, problem, false).unwrap_err();
        assert!(refused.detail().ends_with("409 seat_limit"), "{refused}");
    }
}
