//! SQL of the ledger's tables.

pub mod closings;
pub mod explore;

use super::model::{Account, AccountKind, Balanced, Entry};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, LedgerAccountId, LedgerEntryId, LedgerTransactionId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const FIND_TRANSACTION: &str = "\
SELECT ledger_transaction_id, content_hash FROM ledger_transaction
WHERE tenant_id = :tenant AND posting_key = :key";

const INSERT_TRANSACTION: &str = "\
INSERT INTO ledger_transaction (tenant_id, ledger_transaction_id, posting_key, kind, reference,
    content_hash, reverses_id, posted_at)
VALUES (:tenant, :transaction, :key, :kind, :reference, :hash, :reverses, :now)";

const INSERT_ENTRY: &str = "\
INSERT INTO ledger_entry (tenant_id, ledger_entry_id, ledger_transaction_id, ledger_account_id,
    amount_minor, currency, posted_at)
VALUES (:tenant, :entry, :transaction, :account, :amount, :currency, :now)";

const FIND_ACCOUNT: &str = "\
SELECT ledger_account_id FROM ledger_account
WHERE tenant_id = :tenant AND kind = :kind AND owner_id = :owner AND currency = :currency";

const OPEN_ACCOUNT: &str = "\
INSERT INTO ledger_account (tenant_id, ledger_account_id, kind, owner_id, currency, opened_at)
VALUES (:tenant, :account, :kind, :owner, :currency, :now)";

const ENTRIES: &str = "\
SELECT a.kind, a.owner_id, e.amount_minor, e.currency
FROM ledger_entry e
JOIN ledger_account a
    ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
WHERE e.tenant_id = :tenant AND e.ledger_transaction_id = :transaction
ORDER BY e.ledger_entry_id";

const TRIAL_BALANCE: &str = "\
SELECT currency, CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor,
    COUNT(*) AS entries
FROM ledger_entry WHERE tenant_id = :tenant
GROUP BY currency ORDER BY currency";

const BALANCES_OF: &str = "\
SELECT a.kind, a.currency, CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS amount_minor
FROM ledger_account a
JOIN ledger_entry e
    ON e.tenant_id = a.tenant_id AND e.ledger_account_id = a.ledger_account_id
WHERE a.tenant_id = :tenant AND a.owner_id = :owner
GROUP BY a.kind, a.currency ORDER BY a.kind, a.currency";

const INSERT_ESCROW: &str = "\
INSERT INTO ledger_escrow (tenant_id, source, seller_id, kind, amount_minor, currency, state,
    reason, held_at, releasable_at, released_at)
VALUES (:tenant, :source, :seller, :kind, :amount, :currency, 'held', :reason, :now, :releasable,
    NULL)
ON CONFLICT (tenant_id, source) DO NOTHING
RETURNING source";

const RELEASE_ESCROW: &str = "\
UPDATE ledger_escrow SET state = 'releasable', released_at = :now
WHERE tenant_id = :tenant AND source = :source AND state = 'held' AND releasable_at <= :now
RETURNING seller_id, kind, amount_minor, currency";

const FIND_ESCROW: &str = "\
SELECT source, seller_id, kind, amount_minor, currency, state, reason, releasable_at
FROM ledger_escrow WHERE tenant_id = :tenant AND source = :source";

const UPDATE_ESCROW: &str = "\
UPDATE ledger_escrow SET state = :state, amount_minor = :amount, reason = :reason
WHERE tenant_id = :tenant AND source = :source";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    FIND_TRANSACTION,
    INSERT_TRANSACTION,
    INSERT_ENTRY,
    FIND_ACCOUNT,
    OPEN_ACCOUNT,
    ENTRIES,
    TRIAL_BALANCE,
    BALANCES_OF,
    INSERT_ESCROW,
    RELEASE_ESCROW,
    FIND_ESCROW,
    UPDATE_ESCROW,
];

/// The platform owns its accounts under sixteen zero bytes, so that the unique key holds.
fn owner_bytes(owner: Option<AccountId>) -> Value {
    owner.map_or_else(|| (&[0u8; 16]).into(), |owner| owner.as_bytes().into())
}

pub(super) fn money(row: &Row) -> Result<Money, StoreError> {
    let currency = Currency::parse(&row.text("currency")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Money::new(row.int("amount_minor")?, currency))
}

fn kind(row: &Row) -> Result<AccountKind, StoreError> {
    let code = row.text("kind")?;
    AccountKind::parse(&code).ok_or_else(|| StoreError::shape(format!("no account kind {code:?}")))
}

pub(super) fn find_transaction(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: &str,
) -> Result<Option<(LedgerTransactionId, Vec<u8>)>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("key", key.into())];
    let row = tx.query_one(FIND_TRANSACTION, &params)?;
    row.map(|row| {
        let id = row.id("ledger_transaction_id", LedgerTransactionId::from_bytes)?;
        Ok((id, row.blob("content_hash")?))
    })
    .transpose()
}

/// A transaction row about to be written.
pub(super) struct NewTransaction<'a> {
    pub tenant: TenantId,
    pub id: LedgerTransactionId,
    pub balanced: &'a Balanced,
    pub reverses: Option<LedgerTransactionId>,
    pub now: Timestamp,
}

pub(super) fn insert_transaction(
    tx: &mut dyn Tx,
    new: &NewTransaction<'_>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("transaction", new.id.as_bytes().into()),
        ("key", new.balanced.key().into()),
        ("kind", new.balanced.reason().code().into()),
        ("reference", new.balanced.reference().into()),
        ("hash", new.balanced.content_hash().as_slice().into()),
        (
            "reverses",
            new.reverses.as_ref().map(|id| id.as_bytes()).into(),
        ),
        ("now", new.now.into()),
    ];
    tx.execute(INSERT_TRANSACTION, &params)?;
    Ok(())
}

pub(super) struct NewEntry {
    pub tenant: TenantId,
    pub id: LedgerEntryId,
    pub transaction: LedgerTransactionId,
    pub account: LedgerAccountId,
    pub amount: Money,
    pub now: Timestamp,
}

pub(super) fn insert_entry(tx: &mut dyn Tx, new: &NewEntry) -> Result<(), StoreError> {
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("entry", new.id.as_bytes().into()),
        ("transaction", new.transaction.as_bytes().into()),
        ("account", new.account.as_bytes().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("now", new.now.into()),
    ];
    tx.execute(INSERT_ENTRY, &params)?;
    Ok(())
}

pub(super) fn find_account(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: Account,
    currency: Currency,
) -> Result<Option<LedgerAccountId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("kind", account.kind.code().into()),
        ("owner", owner_bytes(account.owner)),
        ("currency", currency.code().into()),
    ];
    let row = tx.query_one(FIND_ACCOUNT, &params)?;
    row.map(|row| row.id("ledger_account_id", LedgerAccountId::from_bytes))
        .transpose()
}

pub(super) struct NewAccount {
    pub tenant: TenantId,
    pub id: LedgerAccountId,
    pub account: Account,
    pub currency: Currency,
    pub now: Timestamp,
}

pub(super) fn open_account(tx: &mut dyn Tx, new: &NewAccount) -> Result<(), StoreError> {
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("account", new.id.as_bytes().into()),
        ("kind", new.account.kind.code().into()),
        ("owner", owner_bytes(new.account.owner)),
        ("currency", new.currency.code().into()),
        ("now", new.now.into()),
    ];
    tx.execute(OPEN_ACCOUNT, &params)?;
    Ok(())
}

pub(super) fn entries(
    tx: &mut dyn Tx,
    tenant: TenantId,
    transaction: LedgerTransactionId,
) -> Result<Vec<Entry>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("transaction", transaction.as_bytes().into()),
    ];
    let rows = tx.query(ENTRIES, &params)?;
    let entry = |row: &Row| {
        let owner = row.id("owner_id", AccountId::from_bytes)?;
        let owner = (owner.as_bytes() != &[0; 16]).then_some(owner);
        let account = Account {
            kind: kind(row)?,
            owner,
        };
        let amount = money(row)?;
        Ok(Entry { account, amount })
    };
    rows.iter().map(entry).collect()
}

pub(super) fn trial_balance(
    tx: &mut dyn Tx,
    tenant: TenantId,
) -> Result<Vec<(Money, i64)>, StoreError> {
    let rows = tx.query(TRIAL_BALANCE, &[("tenant", tenant.as_bytes().into())])?;
    rows.iter()
        .map(|row| Ok((money(row)?, row.int("entries")?)))
        .collect()
}

pub(super) fn balances_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    owner: AccountId,
) -> Result<Vec<(AccountKind, Money)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("owner", owner.as_bytes().into()),
    ];
    let rows = tx.query(BALANCES_OF, &params)?;
    rows.iter()
        .map(|row| Ok((kind(row)?, money(row)?)))
        .collect()
}

pub(super) struct NewEscrow<'a> {
    pub tenant: TenantId,
    pub source: &'a str,
    pub account: Account,
    pub amount: Money,
    pub reason: &'a str,
    pub now: Timestamp,
    pub releasable_at: Timestamp,
}

/// Whether the escrow is new.
pub(super) fn insert_escrow(tx: &mut dyn Tx, new: &NewEscrow<'_>) -> Result<bool, StoreError> {
    let params = [
        ("tenant", new.tenant.as_bytes().into()),
        ("source", new.source.into()),
        ("seller", owner_bytes(new.account.owner)),
        ("kind", new.account.kind.code().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("reason", new.reason.into()),
        ("now", new.now.into()),
        ("releasable", new.releasable_at.into()),
    ];
    Ok(tx.query_one(INSERT_ESCROW, &params)?.is_some())
}

/// Turns a held escrow whose date has come releasable; `None` when there is none such.
pub(super) fn release_escrow(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
    now: Timestamp,
) -> Result<Option<(Account, Money)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(RELEASE_ESCROW, &params)?;
    row.map(|row| Ok((held_in(&row)?, money(&row)?)))
        .transpose()
}

/// In which account a hold's amount lies.
fn held_in(row: &Row) -> Result<Account, StoreError> {
    let code = row.text("kind")?;
    let unknown = || StoreError::shape(format!("a hold in {code:?}"));
    let kind = AccountKind::parse(&code).ok_or_else(unknown)?;
    Ok(Account::of(
        kind,
        row.id("seller_id", AccountId::from_bytes)?,
    ))
}

/// A hold as stored.
pub(super) struct Escrow {
    pub source: String,
    pub account: Account,
    pub amount: Money,
    pub state: String,
    pub reason: String,
    pub releasable_at: Timestamp,
}

pub(super) fn find_escrow(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<Escrow>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
    ];
    let Some(row) = tx.query_one(FIND_ESCROW, &params)? else {
        return Ok(None);
    };
    Ok(Some(Escrow {
        source: row.text("source")?,
        account: held_in(&row)?,
        amount: money(&row)?,
        state: row.text("state")?,
        reason: row.text("reason")?,
        releasable_at: row.at("releasable_at")?,
    }))
}

pub(super) fn update_escrow(
    tx: &mut dyn Tx,
    tenant: TenantId,
    escrow: &Escrow,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", escrow.source.as_str().into()),
        ("state", escrow.state.as_str().into()),
        ("amount", escrow.amount.minor().into()),
        ("reason", escrow.reason.as_str().into()),
    ];
    tx.execute(UPDATE_ESCROW, &params).map(drop)
}
