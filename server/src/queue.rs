//! The job queue: rows written in the same commit as what caused them.

use crate::app::Cx;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::JobId;

/// Adds a job that the worker runs at or after `run_at`; `kind` names its use case.
pub fn enqueue(
    _cx: &mut Cx<'_>,
    _kind: &'static str,
    _payload: &impl serde::Serialize,
    _run_at: Timestamp,
) -> Result<JobId, StoreError> {
    unimplemented!()
}
