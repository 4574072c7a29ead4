//! The job queue: rows written in the same commit as what caused them.
//!
//! A job is `waiting` until a worker leases it; the commit that holds its effect deletes it, so
//! an effect happens once however often a lease runs out. What keeps failing is `failed` and
//! stays for people to see. [`crate::worker`] holds the table from kinds to use cases.
//!
//! Invariants
//! * A lease is a random token: a worker whose lease ran out can't finish another's job.
//! * `(tenant_id, kind, dedupe)` is unique: [`enqueue_once`] says what must wait only once.
//!
//! Tables: `job`.

pub mod sql;

use crate::app::Cx;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{JobId, TenantId};
use serde::Serialize;
use std::error::Error;

/// How often a job is tried before it counts as failed: with the pauses below, about two days.
pub const MAX_ATTEMPTS: i64 = 12;
/// How long a worker may hold a job before another takes it, in milliseconds.
pub const LEASE_MS: i64 = 60_000;

/// A leased job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Which.
    pub job_id: JobId,
    /// Whose.
    pub tenant: TenantId,
    /// Which use case.
    pub kind: String,
    /// Its command, as JSON.
    pub payload: String,
    /// How often it was leased, this time included.
    pub attempts: i64,
    /// Proves the lease.
    pub lease: [u8; 16],
}

/// Why a job did not end well.
#[derive(Debug)]
pub enum JobError {
    /// Try again later.
    Retry(Box<dyn Error + Send + Sync>),
    /// Trying again can't help.
    Fail(Box<dyn Error + Send + Sync>),
}

impl JobError {
    /// Try again later: the network was away, a row isn't there yet.
    pub fn retry(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Retry(cause.into())
    }

    /// Give up: the payload or the state is wrong.
    pub fn fail(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Fail(cause.into())
    }
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retry(cause) => write!(f, "will be tried again: {cause}"),
            Self::Fail(cause) => write!(f, "given up: {cause}"),
        }
    }
}

impl Error for JobError {}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::retry(error)
    }
}

impl From<crate::caller::Denied> for JobError {
    fn from(denied: crate::caller::Denied) -> Self {
        Self::fail(denied)
    }
}

/// Adds a job that the worker runs at or after `run_at`; `kind` (`domain.verb`) names its use case.
pub fn enqueue(
    cx: &mut Cx<'_>,
    kind: &'static str,
    payload: &impl Serialize,
    run_at: Timestamp,
) -> Result<JobId, StoreError> {
    let job_id = cx.make_id(JobId::from_bytes);
    sql::insert(cx, job_id, kind, json(payload)?, None, run_at)?;
    Ok(job_id)
}

/// As [`enqueue`], unless a job of this kind and `dedupe` waits already: for what recurs, such as
/// a period to close.
pub fn enqueue_once(
    cx: &mut Cx<'_>,
    kind: &'static str,
    dedupe: &str,
    payload: &impl Serialize,
    run_at: Timestamp,
) -> Result<(), StoreError> {
    let job_id = cx.make_id(JobId::from_bytes);
    sql::insert(cx, job_id, kind, json(payload)?, Some(dedupe), run_at)
}

fn json(payload: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(payload).map_err(|error| StoreError::Backend(Box::new(error)))
}

/// How long to pause after the `attempts`th failure, in milliseconds: 5 s, doubling, at most 12 h.
pub fn backoff_ms(attempts: i64) -> i64 {
    const MOST: i64 = 12 * 60 * 60 * 1000;
    let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    (5_000_i64 << doublings).min(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        assert_eq!(backoff_ms(1), 5_000);
        assert_eq!(backoff_ms(2), 10_000);
        assert_eq!(backoff_ms(i64::MAX), 12 * 60 * 60 * 1000);
        assert_eq!(backoff_ms(i64::MIN), 5_000);
    }
}
