//! Metering: what is counted, what may still be used, and what both sides can believe.
//!
//! Everything here is pure: bytes, numbers and instants in, decisions out. It names no file, no
//! clock and no network, so the same rules run in a product, on the server, in the verifier of
//! `mintreu usage verify` and in a browser. The device's own files are in `journal/`, the life of
//! a product's meter is in `engine.rs`. Start reading at [`Segment`], then [`accept`].
//!
//! # Invariants
//!
//! * Counts are cumulative: a segment carries totals since its epoch began, never differences, so
//!   that a lost or repeated segment can neither lose nor repeat a unit.
//! * Sequence numbers have no gaps, and each segment names the hash of the one before.
//! * The server and every verifier judge a segment by one function, [`accept`], which knows no
//!   time: a device may be offline for a year.
//! * An event counts once by its stream and id, however often it is told.
//! * A quota is decided by one compare-and-swap on one word; its windows open only forward. A rate
//!   limit is too; a clock set back grants nothing and locks nobody out.
//! * A segment is signed by the device whose stream it names; a receipt by the seller's key.

mod accept;
mod audit;
mod batch;
mod chain;
mod checkpoint;
mod condition;
mod decision;
mod event;
mod gcra;
mod headers;
mod export;
mod key;
mod lend;
mod memory;
mod opening;
mod quota;
mod receipt;
mod segment;
mod window;
mod zone;

pub use accept::{Position, Remainder, Verdict, accept, increase, remainder};
pub use audit::{
    Audit, AuditReport, AuditedCell, AuditedDevice, AuditedEpoch, Finding, ForkSeen, Mark,
};
pub use batch::{MAX_BATCH, MAX_BATCH_BYTES, split_batch};
pub use chain::{ChainReport, EpochReport, verify_chain};
pub use checkpoint::Checkpoint;
pub use condition::{Compacted, Condition, Incident, IncidentKind, MAX_INCIDENTS, Ran};
pub use decision::{Decision, Refusal};
pub use event::{Decimal, Event, MAX_EVENT_ID, MAX_EVENTS};
pub use export::{Counts, Export, ExportWriter, MAX_RECORD, Record, RecordReader, Source};
pub use gcra::{RateDecision, RateLimit};
pub use headers::{LimitState, RateLimitHeaders};
pub use key::{CellKey, MAX_DIMENSIONS, MAX_KEY_BYTES};
pub use lend::{AskedUnits, Lending, Lent, lend};
pub use memory::MemoryMeter;
pub use opening::{ClosedTotal, Opening, OpeningReason};
pub use quota::{MAX_LIMIT, Quota, Rollover};
pub(crate) use quota::{Moment, Standing, Taken, pack, unpack, with_used};
pub use receipt::Receipt;
pub use segment::{
    ChainHash, GENESIS, MAX_TOTAL, MAX_TOTALS, Segment, TimeQuality, Total, chain_hash,
    open_segment, open_segment_of_any_device, seal_segment, stream_id,
};
pub use window::{MAX_PERIOD, Opened, Period, PeriodUnit, Window};
pub(crate) use zone::is_zone_name;
pub use zone::{MAX_ZONE_NAME, Zone};
