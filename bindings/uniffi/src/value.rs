//! Instants and errors, to the foreign language and back.

use mintreu::{Clock as _, Error, SystemClock, Timestamp};

/// What went wrong: a stable `code`, the same in every language, and a sentence.
#[derive(Debug, thiserror::Error, uniffi::Error)]
pub enum MintreuError {
    /// The engine refused.
    #[error("{detail} ({code})")]
    Failed {
        /// Stable, in `snake_case`.
        code: String,
        /// For people.
        detail: String,
    },
}

impl From<Error> for MintreuError {
    fn from(error: Error) -> Self {
        Self::Failed {
            code: error.code().to_owned(),
            detail: error.detail().to_owned(),
        }
    }
}

/// The instant the caller gave, or the system's clock.
pub fn instant(given: Option<i64>) -> Timestamp {
    given.map_or_else(|| SystemClock.now(), Timestamp::from_ms)
}
