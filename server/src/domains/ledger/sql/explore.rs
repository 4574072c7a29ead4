//! SQL of the owner's look into the books.

use super::super::explore::{AccountBalance, EntriesQuery, EntryView, Of};
use super::super::model::Account;
use super::{kind, money};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, LedgerAccountId, LedgerEntryId, LedgerTransactionId, TenantId};

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
    AND (e.posted_at < :at OR (e.posted_at = :at AND e.ledger_entry_id < :entry))
ORDER BY e.posted_at DESC, e.ledger_entry_id DESC LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    ACCOUNTS,
    ENTRIES_OF_ACCOUNT,
    ENTRIES_OF_TRANSACTION,
    ENTRIES_OF_REFERENCE,
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
    let balance = |row: &Row| {
        Ok(AccountBalance {
            id: row.id("ledger_account_id", LedgerAccountId::from_bytes)?,
            account: account(row)?,
            balance: money(row)?,
        })
    };
    tx.query(ACCOUNTS, &params)?.iter().map(balance).collect()
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
