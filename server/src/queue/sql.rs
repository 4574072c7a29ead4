//! The statements of the job queue; leasing is the one that differs by engine.

use super::{Job, LEASE_MS};
use crate::app::Cx;
use crate::store::{Engine, Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{JobId, TenantId};

const INSERT: &str = "INSERT INTO job
    (job_id, tenant_id, kind, payload, dedupe, state, run_at, attempts, created_at)
    VALUES (:job, :tenant, :kind, :payload, :dedupe, 'waiting', :run_at, 0, :now)
    ON CONFLICT (tenant_id, kind, dedupe) DO NOTHING";

const DUE: &str = "SELECT job_id, tenant_id, kind, payload, attempts FROM job
    WHERE state = 'waiting' AND run_at <= :now ORDER BY run_at, job_id LIMIT :most";

/// Workers pass over what another is just taking, so none waits and none loses a race.
const DUE_POSTGRES: &str = "SELECT job_id, tenant_id, kind, payload, attempts FROM job
    WHERE state = 'waiting' AND run_at <= :now ORDER BY run_at, job_id LIMIT :most
    FOR UPDATE SKIP LOCKED";

const LEASE: &str = "UPDATE job SET state = 'leased', lease = :lease, leased_until = :until,
    attempts = attempts + 1 WHERE job_id = :job AND state = 'waiting'";

const FREE_EXPIRED: &str = "UPDATE job SET state = 'waiting', lease = NULL, leased_until = NULL
    WHERE state = 'leased' AND leased_until < :now";

const FINISH: &str = "DELETE FROM job WHERE job_id = :job AND lease = :lease";

const PUT_BACK: &str = "UPDATE job SET state = :state, run_at = :run_at, last_error = :error,
    lease = NULL, leased_until = NULL WHERE job_id = :job AND lease = :lease";

const IS_DUE: &str = "SELECT job_id FROM job WHERE (state = 'waiting' AND run_at <= :now)
    OR (state = 'leased' AND leased_until < :now) LIMIT 1";

const NEXT_DUE: &str = "SELECT MIN(run_at) AS run_at FROM job WHERE state = 'waiting'";

const NEXT_OF_KIND: &str = "SELECT MIN(run_at) AS run_at FROM job
    WHERE tenant_id = :tenant AND kind = :kind AND state = 'waiting'";

const UNDONE: &str = "SELECT payload, run_at, attempts FROM job
    WHERE tenant_id = :tenant AND kind = :kind AND state <> 'failed'
    ORDER BY run_at, job_id LIMIT :most";

const COUNTS: &str = "SELECT state, COUNT(*) AS jobs FROM job GROUP BY state ORDER BY state";

const FAILED: &str = "SELECT kind, last_error FROM job WHERE state = 'failed' ORDER BY job_id
    LIMIT :most";

/// Every statement here, for the test that prepares them (leasing by its own engine only).
pub const ALL: &[&str] = &[
    INSERT,
    DUE,
    LEASE,
    FREE_EXPIRED,
    FINISH,
    PUT_BACK,
    IS_DUE,
    NEXT_DUE,
    NEXT_OF_KIND,
    UNDONE,
    COUNTS,
    FAILED,
];

pub(super) fn insert(
    cx: &mut Cx<'_>,
    job_id: JobId,
    kind: &str,
    payload: String,
    dedupe: Option<&str>,
    run_at: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("job", job_id.as_bytes().into()),
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("kind", kind.into()),
        ("payload", payload.into()),
        ("dedupe", dedupe.into()),
        ("run_at", run_at.into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

/// When the next waiting job is due, of any tenant.
pub(crate) fn next_due(tx: &mut dyn Tx) -> Result<Option<Timestamp>, StoreError> {
    let row = tx.query_one(NEXT_DUE, &[])?;
    row.map_or(Ok(None), |row| row.opt_at("run_at"))
}

/// When the next waiting job of a kind is due.
pub(crate) fn next_of_kind(
    tx: &mut dyn Tx,
    tenant: TenantId,
    kind: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("kind", kind.into())];
    let row = tx.query_one(NEXT_OF_KIND, &params)?;
    row.map_or(Ok(None), |row| row.opt_at("run_at"))
}

/// Payload, due instant and tries of a kind's jobs that aren't done, the next first.
pub(crate) fn undone(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (kind, most): (&str, i64),
) -> Result<Vec<(String, Timestamp, i64)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("kind", kind.into()),
        ("most", most.into()),
    ];
    let rows = tx.query(UNDONE, &params)?;
    let read = |row: &Row| {
        Ok((
            row.text("payload")?,
            row.at("run_at")?,
            row.int("attempts")?,
        ))
    };
    rows.iter().map(read).collect()
}

/// Leases up to `most` due jobs of any tenant under the token `lease`.
pub(crate) fn lease(
    tx: &mut dyn Tx,
    now: Timestamp,
    most: i64,
    lease: [u8; 16],
) -> Result<Vec<Job>, StoreError> {
    tx.execute(FREE_EXPIRED, &[("now", now.into())])?;
    let due = match tx.engine() {
        Engine::Sqlite => DUE,
        Engine::Postgres => DUE_POSTGRES,
    };
    let rows = tx.query(due, &[("now", now.into()), ("most", most.into())])?;
    let mut jobs = Vec::with_capacity(rows.len());
    for row in rows {
        let job = from_row(&row, lease)?;
        let params = [
            ("lease", (&lease).into()),
            ("until", now.plus_ms(LEASE_MS).into()),
            ("job", job.job_id.as_bytes().into()),
        ];
        tx.execute(LEASE, &params)?;
        jobs.push(job);
    }
    Ok(jobs)
}

fn from_row(row: &Row, lease: [u8; 16]) -> Result<Job, StoreError> {
    Ok(Job {
        job_id: row.id("job_id", JobId::from_bytes)?,
        tenant: row.id("tenant_id", TenantId::from_bytes)?,
        kind: row.text("kind")?,
        payload: row.text("payload")?,
        attempts: row.int("attempts")? + 1,
        lease,
    })
}

/// Deletes a finished job; whether its lease still held.
pub(crate) fn finish(tx: &mut dyn Tx, job: &Job) -> Result<bool, StoreError> {
    let params = [
        ("job", job.job_id.as_bytes().into()),
        ("lease", (&job.lease).into()),
    ];
    Ok(tx.execute(FINISH, &params)? == 1)
}

/// Puts a job back to run at `again`, or among the failed.
pub(crate) fn put_back(
    tx: &mut dyn Tx,
    job: &Job,
    again: Option<Timestamp>,
    error: &str,
) -> Result<(), StoreError> {
    let state = if again.is_some() { "waiting" } else { "failed" };
    let params = [
        ("state", state.into()),
        ("run_at", again.unwrap_or_default().into()),
        ("error", error.into()),
        ("job", job.job_id.as_bytes().into()),
        ("lease", (&job.lease).into()),
    ];
    tx.execute(PUT_BACK, &params).map(drop)
}

/// Whether any job can be leased.
pub(crate) fn is_due(tx: &mut dyn Tx, now: Timestamp) -> Result<bool, StoreError> {
    Ok(tx.query_one(IS_DUE, &[("now", now.into())])?.is_some())
}

/// How many jobs there are, by state.
pub fn counts(tx: &mut dyn Tx) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = tx.query(COUNTS, &[])?;
    let pair = |row: &Row| Ok((row.text("state")?, row.int("jobs")?));
    rows.iter().map(pair).collect()
}

/// Kind and last error of failed jobs, the oldest first.
pub fn failed(tx: &mut dyn Tx, most: i64) -> Result<Vec<(String, String)>, StoreError> {
    let rows = tx.query(FAILED, &[("most", Value::Int(most))])?;
    let pair = |row: &Row| {
        let error = row.opt_text("last_error")?;
        Ok((row.text("kind")?, error.unwrap_or_default()))
    };
    rows.iter().map(pair).collect()
}
