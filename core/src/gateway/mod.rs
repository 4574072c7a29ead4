//! The gateway of a backend: whose key a request carries, and whether it may go on.
//!
//! # Invariants
//!
//! * A secret is never printed, and never becomes a subject: journals hold its keyed hash.
//! * A mistyped key is refused before anything is looked up.
//! * Nodes that spend slices never use more together than the quota, however they end.
//! * Each customer's quota is granted exactly, by however many threads, and across restarts.

#[cfg(feature = "journal")]
mod backend;
mod slices;
mod token;

#[cfg(feature = "journal")]
pub use backend::{Answer, Gateway, Plan};
pub use slices::{MAX_SLICE, Slice, SliceGiven, Spend, lend_slice, slice_size};
pub use token::{Token, TokenKind};
