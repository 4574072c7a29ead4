//! The gateway of a backend: whose key a request carries, and whether it may go on.
//!
//! # Invariants
//!
//! * A secret is never printed, and never becomes a subject: journals hold its keyed hash.
//! * A mistyped key is refused before anything is looked up.

mod token;

pub use token::{Token, TokenKind};
