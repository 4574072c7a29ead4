//! The payouts themselves.

use super::super::model::{Payout, State};
use super::money;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, PayoutId, PayoutRunId, TenantId};
use mintreu::{Currency, Timestamp};

const INSERT_PAYOUT: &str = "\
INSERT INTO payout (tenant_id, payout_id, payout_run_id, seller_id, amount_minor, currency,
    provider, destination, state, statement_number, created_at, updated_at)
VALUES (:tenant, :payout, :run, :seller, :amount, :currency, :provider, :destination, :state,
    :number, :now, :now)";

const UPDATE_PAYOUT: &str = "\
UPDATE payout SET state = :state, provider_reference = :reference, failure_code = :failure,
    paid_at = :paid, ended_at = :ended, updated_at = :now
WHERE tenant_id = :tenant AND payout_id = :payout";

const FIND_PAYOUT: &str = "\
SELECT payout_id, payout_run_id, seller_id, amount_minor, currency, provider, destination, state,
    statement_number, provider_reference, failure_code, created_at, paid_at, ended_at
FROM payout WHERE tenant_id = :tenant AND payout_id = :payout";

const PAYOUTS_OF_SELLER: &str = "\
SELECT payout_id, payout_run_id, seller_id, amount_minor, currency, provider, destination, state,
    statement_number, provider_reference, failure_code, created_at, paid_at, ended_at
FROM payout WHERE tenant_id = :tenant AND seller_id = :seller AND payout_id < :before
ORDER BY payout_id DESC LIMIT :limit";

const PAYOUTS_OF_RUN: &str = "\
SELECT payout_id, payout_run_id, seller_id, amount_minor, currency, provider, destination, state,
    statement_number, provider_reference, failure_code, created_at, paid_at, ended_at
FROM payout WHERE tenant_id = :tenant AND payout_run_id = :run
ORDER BY payout_id LIMIT :limit";

const UNDER_WAY: &str = "\
SELECT payout_id FROM payout WHERE tenant_id = :tenant AND seller_id = :seller
    AND currency = :currency AND state IN ('created', 'sending')";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_PAYOUT,
    UPDATE_PAYOUT,
    FIND_PAYOUT,
    PAYOUTS_OF_SELLER,
    PAYOUTS_OF_RUN,
    UNDER_WAY,
];

fn payout(row: &Row) -> Result<Payout, StoreError> {
    let state = row.text("state")?;
    Ok(Payout {
        id: row.id("payout_id", PayoutId::from_bytes)?,
        run: row.id("payout_run_id", PayoutRunId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        amount: money(row)?,
        provider: row.text("provider")?,
        destination: row.text("destination")?,
        state: State::parse(&state)
            .ok_or_else(|| StoreError::shape(format!("no payout state {state:?}")))?,
        statement_number: row.int("statement_number")?,
        provider_reference: row.opt_text("provider_reference")?,
        failure_code: row.opt_text("failure_code")?,
        created_at: row.at("created_at")?,
        paid_at: row.opt_at("paid_at")?,
        ended_at: row.opt_at("ended_at")?,
    })
}

pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Payout) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payout", new.id.as_bytes().into()),
        ("run", new.run.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("provider", new.provider.as_str().into()),
        ("destination", new.destination.as_str().into()),
        ("state", new.state.code().into()),
        ("number", new.statement_number.into()),
        ("now", new.created_at.into()),
    ];
    tx.execute(INSERT_PAYOUT, &params).map(drop)
}

pub fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &Payout,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payout", moved.id.as_bytes().into()),
        ("state", moved.state.code().into()),
        ("reference", moved.provider_reference.clone().into()),
        ("failure", moved.failure_code.clone().into()),
        ("paid", moved.paid_at.into()),
        ("ended", moved.ended_at.into()),
        ("now", now.into()),
    ];
    tx.execute(UPDATE_PAYOUT, &params).map(drop)
}

pub fn find(tx: &mut dyn Tx, tenant: TenantId, id: PayoutId) -> Result<Option<Payout>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("payout", id.as_bytes().into()),
    ];
    tx.query_one(FIND_PAYOUT, &params)?
        .as_ref()
        .map(payout)
        .transpose()
}

pub fn of_seller(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    before: PayoutId,
    limit: i64,
) -> Result<Vec<Payout>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("before", before.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(PAYOUTS_OF_SELLER, &params)?
        .iter()
        .map(payout)
        .collect()
}

pub fn of_run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    run: PayoutRunId,
    limit: i64,
) -> Result<Vec<Payout>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("run", run.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(PAYOUTS_OF_RUN, &params)?
        .iter()
        .map(payout)
        .collect()
}

pub fn is_under_way(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    currency: Currency,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("currency", currency.code().into()),
    ];
    Ok(tx.query_one(UNDER_WAY, &params)?.is_some())
}
