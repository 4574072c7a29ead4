//! Subscriptions: what somebody pays for again and again.
//!
//! # Invariants
//! * [`next_status`] is total: every event in every state moves, is done, changes nothing, or is
//!   refused.
//! * Each cycle is counted from the anchor in the buyer's time zone, so none drifts.
//! * What is used and what is left of a paid period add up to what was paid for it, and a quote
//!   holds until the buyer's midnight.
//!
//! Start reading at [`model`].

pub mod model;

pub use model::{Cycle, Event, Flags, Paid, Quote, Status, Step, Unit, next_status};
