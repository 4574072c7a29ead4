//! Licenses in bulk: codes for boxes, classrooms and resellers, and a seller's own keys moving in.
//!
//! A batch is a row that says what is wanted and how far it is. Up to a thousand licenses are
//! issued in the commit that asks for them; more by a job, a chunk a commit. An import turns keys
//! that customers already have into licenses that are exchanged by these very keys.
//!
//! # Invariants
//! * A place of a batch has one license, whatever is killed or repeated on the way.
//! * All licenses of a batch grant what was written down when it began.
//! * A batch is its seller's: for everybody else it isn't there.
//! * A key is unique within its product and stored as a keyed hash and sealed, never in the clear.
//! * Importing the same rows again changes nothing.
//! * Codes and keys leave the house only after a row of the audit log says so.
//!
//! # Tables
//! `license_batch`, `license_batch_item`, `license_key`.
//!
//! Start reading at [`model`], then `ops.rs`; the import is `import.rs`, its rows [`rows`].

pub mod files;
pub mod http;
mod import;
pub mod keys;
pub mod model;
mod ops;
pub mod rows;
pub mod sql;
mod strength;

pub use import::{ImportKeys, import_keys};
pub use model::{
    Batch, BatchKind, BatchState, ImportReport, MAX_AT_ONCE, MAX_CODES, Outcome, RowReport,
};
pub use ops::{
    Batches, FILL_JOB, FillBatch, Generate, Generated, OpenBatch, REVOKE_JOB, RevokeBatch,
    SealedPage, SealedRow, Unfinished, batch_page, fill, fill_job, generate, list, open_batch,
    opened, revoke, revoke_job, unfinished, view,
};
