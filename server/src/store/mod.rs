//! The store: what a transaction promises, on SQLite and on PostgreSQL alike.
//!
//! Invariants
//! * One SQL text serves both engines; only this folder knows which engine runs.
//! * A transaction is synchronous and serializable; after a conflict the whole use case runs again.

pub mod tx;

pub use tx::{Row, StoreError, Tx, Value};
