//! Runs and their notes.

use super::super::model::{Run, Skip, SkipReason};
use super::money;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, PayoutRunId, TenantId};

const OF_OCCASION: &str = "\
SELECT payout_run_id FROM payout_run WHERE tenant_id = :tenant AND occasion = :occasion";

const INSERT_RUN: &str = "\
INSERT INTO payout_run (tenant_id, payout_run_id, occasion, started_by, cut_off_at, started_at)
VALUES (:tenant, :run, :occasion, :by, :cut_off, :now)";

const FIND_RUN: &str = "\
SELECT payout_run_id, started_by, cut_off_at, started_at, finished_at FROM payout_run
WHERE tenant_id = :tenant AND payout_run_id = :run";

const RUNS: &str = "\
SELECT payout_run_id, started_by, cut_off_at, started_at, finished_at FROM payout_run
WHERE tenant_id = :tenant AND payout_run_id < :before ORDER BY payout_run_id DESC LIMIT :limit";

const FINISH_RUN: &str = "\
UPDATE payout_run SET finished_at = :now
WHERE tenant_id = :tenant AND payout_run_id = :run AND finished_at IS NULL";

const INSERT_SKIP: &str = "\
INSERT INTO payout_skip (tenant_id, payout_run_id, seller_id, amount_minor, currency, reason,
    noted_at)
VALUES (:tenant, :run, :seller, :amount, :currency, :reason, :now)
ON CONFLICT (tenant_id, payout_run_id, seller_id, currency) DO NOTHING";

const SKIPS_OF_RUN: &str = "\
SELECT payout_run_id, seller_id, amount_minor, currency, reason, noted_at FROM payout_skip
WHERE tenant_id = :tenant AND payout_run_id = :run
ORDER BY seller_id, currency LIMIT :limit";

const SKIPS_OF_SELLER: &str = "\
SELECT payout_run_id, seller_id, amount_minor, currency, reason, noted_at FROM payout_skip
WHERE tenant_id = :tenant AND seller_id = :seller
ORDER BY noted_at DESC, currency LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    OF_OCCASION,
    INSERT_RUN,
    FIND_RUN,
    RUNS,
    FINISH_RUN,
    INSERT_SKIP,
    SKIPS_OF_RUN,
    SKIPS_OF_SELLER,
];

fn run(row: &Row) -> Result<Run, StoreError> {
    Ok(Run {
        id: row.id("payout_run_id", PayoutRunId::from_bytes)?,
        started_by: row.opt_id("started_by", AccountId::from_bytes)?,
        cut_off: row.at("cut_off_at")?,
        started_at: row.at("started_at")?,
        finished_at: row.opt_at("finished_at")?,
    })
}

fn skip(row: &Row) -> Result<Skip, StoreError> {
    let reason = row.text("reason")?;
    Ok(Skip {
        run: row.id("payout_run_id", PayoutRunId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        balance: money(row)?,
        reason: SkipReason::parse(&reason)
            .ok_or_else(|| StoreError::shape(format!("no reason {reason:?}")))?,
        noted_at: row.at("noted_at")?,
    })
}

pub fn of_occasion(
    tx: &mut dyn Tx,
    tenant: TenantId,
    occasion: &str,
) -> Result<Option<PayoutRunId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("occasion", occasion.into()),
    ];
    let row = tx.query_one(OF_OCCASION, &params)?;
    row.map(|row| row.id("payout_run_id", PayoutRunId::from_bytes))
        .transpose()
}

pub fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    occasion: &str,
    new: &Run,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", new.id.as_bytes().into()),
        ("occasion", occasion.into()),
        (
            "by",
            new.started_by.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("cut_off", new.cut_off.into()),
        ("now", new.started_at.into()),
    ];
    tx.execute(INSERT_RUN, &params).map(drop)
}

pub fn find(tx: &mut dyn Tx, tenant: TenantId, id: PayoutRunId) -> Result<Option<Run>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", id.as_bytes().into()),
    ];
    tx.query_one(FIND_RUN, &params)?
        .as_ref()
        .map(run)
        .transpose()
}

pub fn list(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: PayoutRunId,
    limit: i64,
) -> Result<Vec<Run>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", before.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(RUNS, &params)?.iter().map(run).collect()
}

pub fn finish(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PayoutRunId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", id.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(FINISH_RUN, &params).map(drop)
}

pub fn insert_skip(tx: &mut dyn Tx, tenant: TenantId, new: &Skip) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", new.run.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("amount", new.balance.minor().into()),
        ("currency", new.balance.currency().code().into()),
        ("reason", new.reason.code().into()),
        ("now", new.noted_at.into()),
    ];
    tx.execute(INSERT_SKIP, &params).map(drop)
}

pub fn skips_of_run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PayoutRunId,
    limit: i64,
) -> Result<Vec<Skip>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", id.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(SKIPS_OF_RUN, &params)?.iter().map(skip).collect()
}

pub fn skips_of_seller(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    limit: i64,
) -> Result<Vec<Skip>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(SKIPS_OF_SELLER, &params)?
        .iter()
        .map(skip)
        .collect()
}
