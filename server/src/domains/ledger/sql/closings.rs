//! SQL of closings.

use super::super::closings::{After, Candidate, Closing, Held, Movement};
use super::money;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, LedgerAccountId, LedgerEntryId, LedgerTransactionId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const CANDIDATES: &str = "\
SELECT owner_id, currency FROM ledger_account
WHERE tenant_id = :tenant AND kind = 'seller_releasable'
    AND (owner_id > :owner OR (owner_id = :owner AND currency > :currency))
ORDER BY owner_id, currency LIMIT :limit";

const DUE: &str = "\
SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS balance,
    CAST(COALESCE(SUM(CASE WHEN amount_minor > 0 OR posted_at < :cut_off THEN amount_minor
        ELSE 0 END), 0) AS BIGINT) AS due
FROM ledger_entry WHERE tenant_id = :tenant AND ledger_account_id = :account";

const LAST_CLOSING: &str = "\
SELECT number, closing_minor FROM ledger_closing
WHERE tenant_id = :tenant AND ledger_account_id = :account ORDER BY number DESC LIMIT 1";

const FIND_CLOSING: &str = "\
SELECT number, opening_minor, closing_minor, currency, closed_at FROM ledger_closing
WHERE tenant_id = :tenant AND reference = :reference";

const CLOSE_ENTRIES: &str = "\
INSERT INTO ledger_closed_entry (tenant_id, ledger_entry_id, reference)
SELECT e.tenant_id, e.ledger_entry_id, CAST(:reference AS TEXT) FROM ledger_entry e
WHERE e.tenant_id = :tenant AND e.ledger_account_id = :account AND NOT EXISTS (
    SELECT 1 FROM ledger_closed_entry c
    WHERE c.tenant_id = e.tenant_id AND c.ledger_entry_id = e.ledger_entry_id)";

const SUM_CLOSED: &str = "\
SELECT CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS moved
FROM ledger_closed_entry c
JOIN ledger_entry e ON e.tenant_id = c.tenant_id AND e.ledger_entry_id = c.ledger_entry_id
WHERE c.tenant_id = :tenant AND c.reference = :reference";

const INSERT_CLOSING: &str = "\
INSERT INTO ledger_closing (tenant_id, ledger_account_id, number, reference, opening_minor,
    closing_minor, currency, closed_at)
VALUES (:tenant, :account, :number, :reference, :opening, :closing, :currency, :now)";

const MOVEMENTS: &str = "\
SELECT e.ledger_entry_id, e.ledger_transaction_id, t.kind, t.reference, e.amount_minor,
    e.currency, e.posted_at
FROM ledger_closed_entry c
JOIN ledger_entry e ON e.tenant_id = c.tenant_id AND e.ledger_entry_id = c.ledger_entry_id
JOIN ledger_transaction t
    ON t.tenant_id = e.tenant_id AND t.ledger_transaction_id = e.ledger_transaction_id
WHERE c.tenant_id = :tenant AND c.reference = :reference
    AND (e.posted_at > :at OR (e.posted_at = :at AND e.ledger_entry_id > :entry))
ORDER BY e.posted_at, e.ledger_entry_id LIMIT :limit";

const HELD: &str = "\
SELECT source, amount_minor, currency, state, reason, releasable_at FROM ledger_escrow
WHERE tenant_id = :tenant AND seller_id = :seller AND currency = :currency
    AND state IN ('held', 'frozen')
ORDER BY releasable_at, source LIMIT :limit";

const CLOSED_BY: &str = "\
SELECT c.reference FROM ledger_transaction t
JOIN ledger_entry e
    ON e.tenant_id = t.tenant_id AND e.ledger_transaction_id = t.ledger_transaction_id
JOIN ledger_closed_entry c
    ON c.tenant_id = e.tenant_id AND c.ledger_entry_id = e.ledger_entry_id
WHERE t.tenant_id = :tenant AND t.posting_key = :key";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    CANDIDATES,
    DUE,
    LAST_CLOSING,
    FIND_CLOSING,
    CLOSE_ENTRIES,
    SUM_CLOSED,
    INSERT_CLOSING,
    MOVEMENTS,
    HELD,
    CLOSED_BY,
];

fn currency(row: &Row) -> Result<Currency, StoreError> {
    let code = row.text("currency")?;
    Currency::parse(&code).map_err(|error| StoreError::shape(error.to_string()))
}

pub fn candidates(
    tx: &mut dyn Tx,
    tenant: TenantId,
    after: Option<Candidate>,
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    let owner = after.map_or([0; 16], |after| *after.seller.as_bytes());
    let code = after.map(|after| after.currency.code().to_owned());
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("owner", (&owner).into()),
        ("currency", code.unwrap_or_default().into()),
        ("limit", limit.into()),
    ];
    let candidate = |row: &Row| {
        Ok(Candidate {
            seller: row.id("owner_id", AccountId::from_bytes)?,
            currency: currency(row)?,
        })
    };
    tx.query(CANDIDATES, &params)?
        .iter()
        .map(candidate)
        .collect()
}

/// The account's sum, and that of what came before `cut_off` with all that was ever taken.
pub fn due(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: LedgerAccountId,
    cut_off: Timestamp,
) -> Result<(i64, i64), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("cut_off", cut_off.into()),
    ];
    let row = tx.query_one(DUE, &params)?;
    let row = row.ok_or_else(|| StoreError::shape("a sum has no row".to_owned()))?;
    Ok((row.int("balance")?, row.int("due")?))
}

/// Number and rest of the account's last closing, as stored.
pub fn last(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: LedgerAccountId,
) -> Result<Option<(i64, i64)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let row = tx.query_one(LAST_CLOSING, &params)?;
    row.map(|row| Ok((row.int("number")?, row.int("closing_minor")?)))
        .transpose()
}

/// The closing, in its owner's eyes.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    reference: &str,
) -> Result<Option<Closing>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("reference", reference.into()),
    ];
    let Some(row) = tx.query_one(FIND_CLOSING, &params)? else {
        return Ok(None);
    };
    let currency = currency(&row)?;
    let turned = |column: &str| {
        let stored = Money::new(row.int(column)?, currency).checked_neg();
        stored.map_err(|error| StoreError::shape(error.to_string()))
    };
    Ok(Some(Closing {
        number: row.int("number")?,
        opening: turned("opening_minor")?,
        closing: turned("closing_minor")?,
        closed_at: row.at("closed_at")?,
    }))
}

pub fn close_entries(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: LedgerAccountId,
    reference: &str,
) -> Result<u64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("reference", reference.into()),
    ];
    tx.execute(CLOSE_ENTRIES, &params)
}

pub fn sum(tx: &mut dyn Tx, tenant: TenantId, reference: &str) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("reference", reference.into()),
    ];
    let row = tx.query_one(SUM_CLOSED, &params)?;
    row.map_or(Ok(0), |row| row.int("moved"))
}

pub fn insert(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, LedgerAccountId),
    reference: &str,
    new: &Closing,
) -> Result<(), StoreError> {
    let stored = |amount: Money| {
        let turned = amount.checked_neg();
        turned.map_err(|error| StoreError::shape(error.to_string()))
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("number", new.number.into()),
        ("reference", reference.into()),
        ("opening", stored(new.opening)?.minor().into()),
        ("closing", stored(new.closing)?.minor().into()),
        ("currency", new.opening.currency().code().into()),
        ("now", new.closed_at.into()),
    ];
    tx.execute(INSERT_CLOSING, &params).map(drop)
}

/// The entries of a closing with their amounts as stored.
pub fn movements(
    tx: &mut dyn Tx,
    tenant: TenantId,
    reference: &str,
    after: Option<After>,
    limit: i64,
) -> Result<Vec<Movement>, StoreError> {
    let from = (
        Timestamp::from_ms(i64::MIN),
        LedgerEntryId::from_bytes([0; 16]),
    );
    let (at, entry) = after.unwrap_or(from);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("reference", reference.into()),
        ("at", at.into()),
        ("entry", entry.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let movement = |row: &Row| {
        Ok(Movement {
            entry: row.id("ledger_entry_id", LedgerEntryId::from_bytes)?,
            transaction: row.id("ledger_transaction_id", LedgerTransactionId::from_bytes)?,
            kind: row.text("kind")?,
            reference: row.text("reference")?,
            amount: money(row)?,
            at: row.at("posted_at")?,
        })
    };
    tx.query(MOVEMENTS, &params)?.iter().map(movement).collect()
}

pub fn held(
    tx: &mut dyn Tx,
    tenant: TenantId,
    candidate: Candidate,
    limit: i64,
) -> Result<Vec<Held>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", candidate.seller.as_bytes().into()),
        ("currency", candidate.currency.code().into()),
        ("limit", limit.into()),
    ];
    let held = |row: &Row| {
        Ok(Held {
            source: row.text("source")?,
            amount: money(row)?,
            state: row.text("state")?,
            reason: row.text("reason")?,
            releasable_at: row.at("releasable_at")?,
        })
    };
    tx.query(HELD, &params)?.iter().map(held).collect()
}

pub fn closed_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("key", key.into())];
    let row = tx.query_one(CLOSED_BY, &params)?;
    row.map(|row| row.text("reference")).transpose()
}
