//! The engine's one public error.
//!
//! Every error carries a stable [`code`](Error::code) that each language binding passes on
//! unchanged, and a sentence that says what was wrong and what to do about it.

use std::borrow::Cow;
use std::fmt;

/// What went wrong, as a stable code and a sentence for people.
///
/// Match on [`Error::code`]; the sentence may be reworded between versions.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: &'static str,
    detail: Cow<'static, str>,
}

impl Error {
    /// Builds an error from a code of `docs/license-document.md` or `docs/usage-protocol.md`.
    pub fn new(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// The stable code, in `snake_case`: the same in every language.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// One sentence for people: what was wrong and what to do.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {})", self.code, self.detail)
    }
}

impl std::error::Error for Error {}

/// The engine's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;
