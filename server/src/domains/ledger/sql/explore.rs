//! SQL of the owner's look into the books.

use super::super::explore::{AccountBalance, EntriesQuery, EntryView, Of, TransactionView};
use super::super::model::{Account, AccountKind};
use super::{kind, money};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, LedgerAccountId, LedgerEntryId, LedgerTransactionId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const ACCOUNTS: &str = "\
SELECT a.ledger_account_id, a.kind, a.owner_id, a.currency,
    CAST(COALESCE((SELECT SUM(e.amount_minor) FROM ledger_entry e
        WHERE e.tenant_id = a.tenant_id AND e.ledger_account_id = a.ledger_account_id), 0)
        AS BIGINT) AS amount_minor
FROM ledger_account a WHERE a.tenant_id = :tenant AND a.ledger_account_id > :after
ORDER BY a.ledger_account_id LIMIT :limit";

const ENTRIES_OF_ACCOUNT: &str = "\
SELECT e.ledger_entry_id, e.ledger_transaction_id, e.ledger_account_id, e.amount_minor,
    e.currency, e.posted_at, t.kind AS why, t.reference, a.kind, a.owner_id
FROM ledger_entry e
JOIN ledger_transaction t
    ON t.tenant_id = e.tenant_id AND t.ledger_transaction_id = e.ledger_transaction_id
JOIN ledger_account a
    ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
WHERE e.tenant_id = :tenant AND e.ledger_account_id = :of
    AND e.posted_at >= :from
    AND (e.posted_at < :at OR (e.posted_at = :at AND e.ledger_entry_id < :entry))
ORDER BY e.posted_at DESC, e.ledger_entry_id DESC LIMIT :limit";

const ENTRIES_OF_TRANSACTION: &str = "\
SELECT e.ledger_entry_id, e.ledger_transaction_id, e.ledger_account_id, e.amount_minor,
    e.currency, e.posted_at, t.kind AS why, t.reference, a.kind, a.owner_id
FROM ledger_entry e
JOIN ledger_transaction t
    ON t.tenant_id = e.tenant_id AND t.ledger_transaction_id = e.ledger_transaction_id
JOIN ledger_account a
    ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
WHERE e.tenant_id = :tenant AND e.ledger_transaction_id = :of
    AND e.posted_at >= :from
    AND (e.posted_at < :at OR (e.posted_at = :at AND e.ledger_entry_id < :entry))
ORDER BY e.posted_at DESC, e.ledger_entry_id DESC LIMIT :limit";

const ENTRIES_OF_REFERENCE: &str = "\
SELECT e.ledger_entry_id, e.ledger_transaction_id, e.ledger_account_id, e.amount_minor,
    e.currency, e.posted_at, t.kind AS why, t.reference, a.kind, a.owner_id
FROM ledger_transaction t
JOIN ledger_entry e
    ON e.tenant_id = t.tenant_id AND e.ledger_transaction_id = t.ledger_transaction_id
JOIN ledger_account a
    ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
WHERE t.tenant_id = :tenant AND t.reference = :of
    AND e.posted_at >= :from
    AND (e.posted_at < :at OR (e.posted_at = :at AND e.ledger_entry_id < :entry))
ORDER BY e.posted_at DESC, e.ledger_entry_id DESC LIMIT :limit";

const ACCOUNT: &str = "\
SELECT a.ledger_account_id, a.kind, a.owner_id, a.currency,
    CAST(COALESCE((SELECT SUM(e.amount_minor) FROM ledger_entry e
        WHERE e.tenant_id = a.tenant_id AND e.ledger_account_id = a.ledger_account_id), 0)
        AS BIGINT) AS amount_minor
FROM ledger_account a WHERE a.tenant_id = :tenant AND a.ledger_account_id = :account";

const TRANSACTION: &str = "\
SELECT t.ledger_transaction_id, t.posting_key, t.kind, t.reference, t.reverses_id, t.posted_at,
    r.ledger_transaction_id AS reversed_by
FROM ledger_transaction t
LEFT JOIN ledger_transaction r
    ON r.tenant_id = t.tenant_id AND r.reverses_id = t.ledger_transaction_id
WHERE t.tenant_id = :tenant AND t.ledger_transaction_id = :transaction";

const SUMS: &str = "\
SELECT s.kind, s.currency,
    CAST(COALESCE(SUM(CASE WHEN s.amount_minor < 0 THEN -s.amount_minor ELSE 0 END), 0) AS BIGINT)
        AS credit_minor,
    CAST(COALESCE(SUM(CASE WHEN s.amount_minor > 0 THEN s.amount_minor ELSE 0 END), 0) AS BIGINT)
        AS debit_minor
FROM (
    SELECT a.kind, a.currency, a.ledger_account_id,
        CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS amount_minor
    FROM ledger_account a
    JOIN ledger_entry e
        ON e.tenant_id = a.tenant_id AND e.ledger_account_id = a.ledger_account_id
    WHERE a.tenant_id = :tenant
    GROUP BY a.kind, a.currency, a.ledger_account_id
) s
GROUP BY s.kind, s.currency ORDER BY s.currency, s.kind";

const SUM_BETWEEN: &str = "\
SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor FROM ledger_entry
WHERE tenant_id = :tenant AND ledger_account_id = :account
    AND posted_at >= :from AND posted_at < :until";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    ACCOUNTS,
    ENTRIES_OF_ACCOUNT,
    ENTRIES_OF_TRANSACTION,
    ENTRIES_OF_REFERENCE,
    ACCOUNT,
    TRANSACTION,
    SUMS,
    SUM_BETWEEN,
];

fn account(row: &Row) -> Result<Account, StoreError> {
    let owner = row.id("owner_id", AccountId::from_bytes)?;
    let owner = (owner.as_bytes() != &[0; 16]).then_some(owner);
    let kind = kind(row)?;
    Ok(Account { kind, owner })
}

pub fn accounts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    after: LedgerAccountId,
    limit: i64,
) -> Result<Vec<AccountBalance>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("after", after.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(ACCOUNTS, &params)?.iter().map(balance).collect()
}

fn balance(row: &Row) -> Result<AccountBalance, StoreError> {
    Ok(AccountBalance {
        id: row.id("ledger_account_id", LedgerAccountId::from_bytes)?,
        account: account(row)?,
        balance: money(row)?,
    })
}

pub fn account_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LedgerAccountId,
) -> Result<Option<AccountBalance>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", id.as_bytes().into()),
    ];
    let found = tx.query_one(ACCOUNT, &params)?;
    found.as_ref().map(balance).transpose()
}

/// Without its entries.
pub fn transaction(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: LedgerTransactionId,
) -> Result<Option<TransactionView>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("transaction", id.as_bytes().into()),
    ];
    let view = |row: &Row| {
        Ok(TransactionView {
            id,
            key: row.text("posting_key")?,
            kind: row.text("kind")?,
            reference: row.text("reference")?,
            reverses: row.opt_id("reverses_id", LedgerTransactionId::from_bytes)?,
            reversed_by: row.opt_id("reversed_by", LedgerTransactionId::from_bytes)?,
            at: row.at("posted_at")?,
            entries: Vec::new(),
        })
    };
    let found = tx.query_one(TRANSACTION, &params)?;
    found.as_ref().map(view).transpose()
}

/// What all accounts of one kind and currency come to: those in credit, and those in debit.
pub struct Sum {
    pub kind: AccountKind,
    pub credits: Money,
    pub debits: Money,
}

pub fn sums(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<Sum>, StoreError> {
    let sum = |row: &Row| {
        let currency = Currency::parse(&row.text("currency")?)
            .map_err(|error| StoreError::shape(error.to_string()))?;
        Ok(Sum {
            kind: kind(row)?,
            credits: Money::new(row.int("credit_minor")?, currency),
            debits: Money::new(row.int("debit_minor")?, currency),
        })
    };
    let params = [("tenant", tenant.as_bytes().into())];
    tx.query(SUMS, &params)?.iter().map(sum).collect()
}

pub fn sum_between(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: LedgerAccountId,
    (from, until): (Timestamp, Timestamp),
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("from", from.into()),
        ("until", until.into()),
    ];
    let row = tx.query_one(SUM_BETWEEN, &params)?;
    row.map_or(Ok(0), |row| row.int("amount_minor"))
}

pub fn entries(
    tx: &mut dyn Tx,
    tenant: TenantId,
    query: &EntriesQuery,
    limit: i64,
) -> Result<Vec<EntryView>, StoreError> {
    let last = (
        Timestamp::from_ms(i64::MAX),
        LedgerEntryId::from_bytes([0xff; 16]),
    );
    let (at, entry) = query.before.unwrap_or(last);
    let (sql, of): (&str, Value) = match &query.of {
        Of::Account(id) => (ENTRIES_OF_ACCOUNT, id.as_bytes().into()),
        Of::Transaction(id) => (ENTRIES_OF_TRANSACTION, id.as_bytes().into()),
        Of::Reference(text) => (ENTRIES_OF_REFERENCE, text.as_str().into()),
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("of", of),
        ("from", query.from.unwrap_or(Timestamp::from_ms(0)).into()),
        ("at", at.into()),
        ("entry", entry.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let view = |row: &Row| {
        Ok(EntryView {
            id: row.id("ledger_entry_id", LedgerEntryId::from_bytes)?,
            transaction: row.id("ledger_transaction_id", LedgerTransactionId::from_bytes)?,
            kind: row.text("why")?,
            reference: row.text("reference")?,
            account_id: row.id("ledger_account_id", LedgerAccountId::from_bytes)?,
            account: account(row)?,
            amount: money(row)?,
            at: row.at("posted_at")?,
        })
    };
    tx.query(sql, &params)?.iter().map(view).collect()
}
