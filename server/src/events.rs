//! The outbox: facts, written in the same commit as what they tell of. They hold ids, never
//! personal data.

use crate::app::Cx;
use crate::store::StoreError;
use mintreu::id::EventId;

/// Records that `kind` (past tense, `license.issued`) happened to `subject` (an id's text).
pub fn record(
    _cx: &mut Cx<'_>,
    _kind: &'static str,
    _subject: &str,
    _data: &impl serde::Serialize,
) -> Result<EventId, StoreError> {
    unimplemented!()
}
