//! RFC 9457 problems: the only error that becomes a response.

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
}

impl Problem {
    /// A problem with `status`, `code` and a sentence.
    pub fn new(status: u16, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
        }
    }

    /// Names the input field to blame.
    #[must_use]
    pub fn at(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}
