//! Transparency: the log of every license that was issued, which sellers can audit.
//!
//! Whoever issues a license calls [`append`] in that very commit: the leaf waits. A job gives the
//! leaves that wait their places, adds the nodes of the tree that became complete, and signs the
//! new head ([`sequence`]). Issuing so adds a row that is nobody else's, and only the job touches
//! the tree: were places given while issuing, every sale of a shop would wait for every other.
//! The bytes are specified in `docs/transparency-log.md`.
//!
//! # Invariants
//! * A license's document is in the log once, or waits once; places have no gaps.
//! * A node of the tree, a head and a leaf that has its places never change.
//! * The newest head is the tree: its size says which nodes there are.
//! * One tenant's log has one key, which signs its heads and nothing else.
//! * A leaf's fields are shown to whoever may see the license; the public sees hashes.
//!
//! # Tables
//! `log_key`, `log_leaf`, `log_node`, `log_part`, `log_head`.
//!
//! Start reading at [`model`], then `ops`; making proofs of stored nodes is in [`proofs`].

pub mod http;
mod key;
pub mod model;
mod ops;
pub mod proofs;
pub mod sql;

pub use key::reseal;
pub use model::{Head, Log, LogError, Own};
pub use ops::{
    HeadWanted, OwnWanted, SEQUENCE_JOB, Sequence, State, StateOwn, append, head, own, sequence,
    state, statement,
};
