//! Metering: usage segments accepted exactly once, and what they count.
//!
//! A device seals what it counted into segments: chained, numbered, signed, with cumulative totals.
//! It sends them until it holds our receipt. We verify the signature against the device's
//! activation, look up how far its stream has come, and let one pure rule
//! ([`mintreu::meter::accept`]) decide. Totals, charts, watermark and receipt change in one commit,
//! so a lost answer, a second delivery or a crash counts nothing twice and nothing short. The
//! watermark has no expiry: a device that was away for a year counts once.
//!
//! # Invariants
//! * The units of a license are the sum over its streams and epochs of what each reported last, and
//!   of what its seller's backends counted directly.
//! * A segment that was accepted before, byte for byte, is a success and changes nothing.
//! * A gap changes nothing. A fork is kept as evidence and never counted.
//! * A total that falls refuses its whole segment.
//! * The receipt a stream answers is the one signed in the commit that moved it.
//!
//! # Tables
//! `usage_stream`, `usage_segment`, `usage_fork`, `usage_cell`, `usage_total`, `usage_bucket`,
//! `usage_late`; `usage_source`, `usage_mark`, `usage_billed`, `usage_dispute`, `usage_restore` of
//! [`evidence`].
//!
//! Start reading at [`ops::accept_segment`].

mod direct;
pub mod evidence;
pub mod http;
mod late;
pub mod model;
pub mod ops;
pub mod sql;

pub use direct::{Direct, count_directly};
pub use late::{LATE_JOB, Late, LateUsage, closed_period, settle_late, take_late};
pub use model::{Answer, Day, Grain, LicenseUnits, MeteringError, Outcome, Window};
pub use ops::{AcceptSegment, Carried, EventUnits, accept_segment, count_event_units};
pub use sql::{
    CellUnits, breakdown, disputed, series_of_license, series_of_product, top_licenses, totals,
};
