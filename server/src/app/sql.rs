//! What every command writes besides its own rows: the audit log and idempotency.

use super::{Command, Cx, Idempotency};
use crate::store::{StoreError, Value};
use mintreu::Timestamp;
use mintreu::id::AuditId;

const INSERT_AUDIT: &str =
    "INSERT INTO audit (audit_id, tenant_id, account_id, command, subject, done_at)
    VALUES (:audit, :tenant, :account, :command, :subject, :now)";

const CLAIM_KEY: &str =
    "INSERT INTO idempotency (tenant_id, caller, command, idempotency_key, request_hash, created_at)
    VALUES (:tenant, :caller, :command, :key, :hash, :now)
    ON CONFLICT (tenant_id, caller, command, idempotency_key) DO NOTHING
    RETURNING created_at";

const SELECT_KEY: &str = "SELECT request_hash, outcome FROM idempotency
    WHERE tenant_id = :tenant AND caller = :caller AND command = :command
      AND idempotency_key = :key";

const STORE_OUTCOME: &str = "UPDATE idempotency SET outcome = :outcome
    WHERE tenant_id = :tenant AND caller = :caller AND command = :command
      AND idempotency_key = :key";

const FORGET_KEYS: &str = "DELETE FROM idempotency WHERE tenant_id = :tenant
    AND created_at < :before";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_AUDIT,
    CLAIM_KEY,
    SELECT_KEY,
    STORE_OUTCOME,
    FORGET_KEYS,
];

pub(super) fn audit<C: Command>(cx: &mut Cx<'_>, command: &C) -> Result<(), StoreError> {
    let audit = cx.make_id(AuditId::from_bytes);
    let account = cx.caller.account;
    let params = [
        ("audit", audit.as_bytes().into()),
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", account.as_ref().map(|id| id.as_bytes()).into()),
        ("command", C::NAME.into()),
        ("subject", command.subject().into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT_AUDIT, &params).map(drop)
}

/// What an idempotency key stands for.
pub(super) enum Claimed {
    /// Nothing yet: go on, and store the outcome.
    First,
    /// This outcome, as JSON.
    Before(String),
}

pub(super) fn claim<C: Command>(
    cx: &mut Cx<'_>,
    idempotency: &Idempotency,
) -> Result<Claimed, StoreError> {
    let mut params = key_params::<C>(cx, idempotency);
    params.push(("hash", idempotency.request_hash.as_slice().into()));
    params.push(("now", cx.now.into()));
    if cx.tx.query_one(CLAIM_KEY, &params)?.is_some() {
        return Ok(Claimed::First);
    }
    let row = cx
        .tx
        .query_one(SELECT_KEY, &key_params::<C>(cx, idempotency))?;
    let row = row.ok_or(StoreError::Retry)?;
    if row.blob("request_hash")? != idempotency.request_hash {
        return Err(StoreError::KeyReused);
    }
    Ok(Claimed::Before(row.text("outcome")?))
}

pub(super) fn store_outcome<C: Command>(
    cx: &mut Cx<'_>,
    idempotency: &Idempotency,
    outcome: String,
) -> Result<(), StoreError> {
    let mut params = key_params::<C>(cx, idempotency);
    params.push(("outcome", outcome.into()));
    cx.tx.execute(STORE_OUTCOME, &params).map(drop)
}

fn key_params<C: Command>(cx: &Cx<'_>, idempotency: &Idempotency) -> Vec<(&'static str, Value)> {
    let caller = cx
        .caller
        .account
        .map_or(Vec::new(), |id| id.as_bytes().to_vec());
    vec![
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("caller", caller.into()),
        ("command", C::NAME.into()),
        ("key", idempotency.key.as_str().into()),
    ]
}

/// Forgets what was asked for before `before`; returns how many keys.
pub(crate) fn forget_keys(cx: &mut Cx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("before", before.into()),
    ];
    cx.tx.execute(FORGET_KEYS, &params)
}
