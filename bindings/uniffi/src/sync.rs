//! What a host's own HTTP client is to send, and how long it waits before it sends again.

/// What the host's own HTTP client is to send.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path on the server.
    pub path: String,
    /// The media type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

impl From<mintreu::sync::Request> for Request {
    fn from(request: mintreu::sync::Request) -> Self {
        Self {
            method: request.method.to_owned(),
            path: request.path,
            content_type: request.content_type.to_owned(),
            body: request.body,
        }
    }
}

/// How many milliseconds a host waits before it sends again what the server didn't take: after a
/// 429, a 5xx or no answer at all, so many in a row.
///
/// `header` is the answer's `Retry-After`, where it had one; `draw` is any random number, which
/// spreads the wait over half as long again. At least as long as the server says, else doubling from
/// a second to an hour.
#[uniffi::export]
pub fn retry_after(header: Option<String>, failures: u32, draw: u64) -> u64 {
    mintreu::sync::retry_after(header.as_deref(), failures, draw)
}
