//! Meters: what sellers measure, the events that count, and what they come to.
//!
//! A seller's programs send events: who used what, when, and how much. Each is stored once, with the
//! others of its request and hour in one row (a block) and its key in another, and in
//! the same commit it is counted in its minute by every meter that counts its type. Minutes wait in one
//! row a request until they are added to the stored minutes, hours and days (UTC), many requests' at
//! once. Questions add up what is stored and what waits, so that their cost depends on how long a time
//! they ask about and not on how many events there were. Values are decimals of twelve exact
//! digits. Devices without a network count by signed segments instead: that is
//! [`metering`](super::metering), and what they carry is counted here in the same commit.
//!
//! # Invariants
//! * An event is counted once for its seller, source and id, for ever; its time is not part of
//!   that. The same key with another type, subject or data is refused, and nothing else is.
//! * No event is changed or deleted. A correction is an event that takes back another.
//! * A roll-up is what a recomputation from its events would be; what is estimated says so.
//! * What waits is part of every answer, and nothing waits when something is taken back.
//! * What a meter measures never changes after it is made.
//! * A segment is counted by meters when it is counted at all, once; nothing of it is billed here.
//! * A license is billed by the whole units of its running total.
//!
//! # Tables
//! `usage_meter`, `usage_event_key`, `usage_block`, `usage_reversal`, `usage_group`,
//! `usage_waiting`, `usage_rollup`, `usage_license_sum`, `lago_object`.
//!
//! Start reading at [`ops::ingest`], then [`ops::usage`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::MeterError;
