//! What meters, events and roll-ups are, and the rules they keep. Pure.

pub mod block;
pub mod cell;
pub mod code;
pub mod decimal;
pub mod event;
pub mod meter;
pub mod sketch;
pub mod waiting;
pub mod window;

use crate::caller::Denied;
use crate::domains::metering::MeteringError;
use crate::store::StoreError;

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// A field of a meter is wrong.
    #[error("{field}: {why}")]
    Malformed {
        /// Which.
        field: &'static str,
        /// A sentence.
        why: String,
    },
    /// No such meter of this seller.
    #[error("there is no such meter")]
    NotFound,
    /// No such event of this seller.
    #[error("there is no such event")]
    EventNotFound,
    /// The seller has a meter of that slug.
    #[error("there is a meter of that slug already")]
    SlugTaken,
    /// Something that a client of Lago's API names and nobody described.
    #[error("there is no such {0}")]
    Undescribed(&'static str),
    /// As many descriptions as a seller may have.
    #[error("a seller can describe at most 100000 customers, plans and subscriptions")]
    TooManyDescriptions,
    /// As many as a seller may have.
    #[error("a seller can have at most {} meters", meter::MAX_METERS)]
    TooManyMeters,
    /// As many subjects and values as a meter may tell apart.
    #[error(
        "a meter can tell apart at most {} subjects and values",
        meter::MAX_GROUPS
    )]
    TooManyGroups,
    /// More events than one request may bring.
    #[error("send at most {} events at once", event::MAX_EVENTS)]
    TooManyEvents,
    /// The meter doesn't group by that.
    #[error("the meter doesn't group by {0}")]
    UnknownGroup(String),
    /// The question has more rows than one answer.
    #[error("the answer has too many rows; ask for wider windows, less time or fewer groups")]
    AnswerTooLarge,
    /// Sums that don't fit.
    #[error(transparent)]
    TooLarge(#[from] cell::TooLarge),
    /// A question about time.
    #[error(transparent)]
    Window(#[from] window::WindowError),
    /// What a license used.
    #[error(transparent)]
    Metering(#[from] MeteringError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
