//! The gateway of a backend: whose key a request carries, and whether it may go on.
//!
//! # Invariants
//!
//! * A secret is never printed, and never becomes a subject: journals hold its keyed hash.
//! * A mistyped key is refused before anything is looked up.
//! * Each customer's quota is granted exactly, by however many threads, and across restarts.

#[cfg(feature = "journal")]
mod backend;
mod token;

#[cfg(feature = "journal")]
pub use backend::{Answer, Gateway, Plan};
pub use token::{Token, TokenKind};
