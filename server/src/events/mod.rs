//! The outbox: facts, written in the same commit as what they tell of.
//!
//! A fact is a row and a job (`event.dispatch`) that gives it to whoever subscribed in
//! [`crate::worker`], so delivery has the queue's retries and a crash loses none.
//!
//! Invariants
//! * Facts hold ids, never personal data; who renders them looks the rest up.
//! * Kinds are past tense: `license.issued`.
//!
//! Tables: `event`.

pub mod sql;

use crate::app::Cx;
use crate::queue;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::EventId;
use serde::{Deserialize, Serialize};

/// The job that gives a fact to its subscribers.
pub const DISPATCH: &str = "event.dispatch";

/// A fact, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub event_id: EventId,
    /// What happened, in the past tense.
    pub kind: String,
    /// To what: an id's text.
    pub subject: String,
    /// More ids and figures.
    pub data: serde_json::Value,
    /// When.
    pub happened_at: Timestamp,
}

/// What a dispatch job carries.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dispatch {
    /// The text of the fact's id.
    pub event: String,
}

/// Records that `kind` (past tense, `license.issued`) happened to `subject` (an id's text).
pub fn record(
    cx: &mut Cx<'_>,
    kind: &'static str,
    subject: &str,
    data: &impl Serialize,
) -> Result<EventId, StoreError> {
    let data = serde_json::to_string(data).map_err(|error| StoreError::Backend(Box::new(error)))?;
    let event_id = cx.make_id(EventId::from_bytes);
    sql::insert(cx, event_id, kind, subject, data)?;
    let dispatch = Dispatch {
        event: event_id.to_string(),
    };
    queue::enqueue(cx, DISPATCH, &dispatch, cx.now)?;
    Ok(event_id)
}

/// The fact with this id, in the caller's tenant.
pub fn find(cx: &mut Cx<'_>, event_id: EventId) -> Result<Option<Event>, StoreError> {
    sql::find(cx, event_id)
}
