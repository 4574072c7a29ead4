//! Statements of changes of address.

use super::{AddressChange, ChangeState};
use crate::app::Cx;
use crate::domains::accounts::model::Email;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, TenantId};

const INSERT: &str = "INSERT INTO account_address_change
    (tenant_id, account_id, round, old_email, new_email, asked_at, expires_at, state)
    VALUES (:tenant, :account, :round, :old, :new, :now, :expires, 'open')";

const NEWEST: &str = "SELECT round, old_email, new_email, asked_at, expires_at, state, decided_at
    FROM account_address_change WHERE tenant_id = :tenant AND account_id = :account
    ORDER BY round DESC LIMIT 1";

const FIND: &str = "SELECT round, old_email, new_email, asked_at, expires_at, state, decided_at
    FROM account_address_change
    WHERE tenant_id = :tenant AND account_id = :account AND round = :round";

const DECIDE: &str = "UPDATE account_address_change SET state = :state, decided_at = :now
    WHERE tenant_id = :tenant AND account_id = :account AND round = :round";

const UNDO_SINCE: &str = "UPDATE account_address_change SET state = 'undone', decided_at = :now
    WHERE tenant_id = :tenant AND account_id = :account AND round >= :round
        AND state = 'confirmed'";

const STOP_OPEN: &str = "UPDATE account_address_change SET state = 'stopped', decided_at = :now
    WHERE tenant_id = :tenant AND account_id = :account AND state = 'open'";

// Somebody who changes it every day for weeks is looked at by the newest of these.
const FORMER: &str = "SELECT old_email FROM account_address_change
    WHERE tenant_id = :tenant AND account_id = :account AND state IN ('confirmed', 'undone')
    ORDER BY round DESC LIMIT 50";

const OWNER: &str = "SELECT account_id FROM account
    WHERE tenant_id = :tenant AND email_key = :key";

const MOVE: &str = "UPDATE account SET email = :email, email_key = :key
    WHERE tenant_id = :tenant AND account_id = :account AND disabled_at IS NULL";

const END_SESSIONS: &str = "DELETE FROM session
    WHERE tenant_id = :tenant AND account_id = :account";

fn change(account: AccountId, row: &Row) -> Result<AddressChange, StoreError> {
    let email = |column| {
        Email::parse(&row.text(column)?).map_err(|error| StoreError::shape(error.to_string()))
    };
    let state = row.text("state")?;
    let unknown = || StoreError::shape("no such state of a change of address".to_owned());
    Ok(AddressChange {
        account,
        round: row.int("round")?,
        old: email("old_email")?,
        new: email("new_email")?,
        asked_at: row.at("asked_at")?,
        expires_at: row.at("expires_at")?,
        state: ChangeState::parse(&state).ok_or_else(unknown)?,
        decided_at: row.opt_at("decided_at")?,
    })
}

pub(super) fn insert(cx: &mut Cx<'_>, new: &AddressChange) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", new.account.as_bytes().into()),
        ("round", new.round.into()),
        ("old", new.old.as_str().into()),
        ("new", new.new.as_str().into()),
        ("now", new.asked_at.into()),
        ("expires", new.expires_at.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

/// The one that was asked for last.
pub(super) fn newest(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<AddressChange>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let row = tx.query_one(NEWEST, &params)?;
    row.map(|row| change(account, &row)).transpose()
}

pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (account, round): (AccountId, i64),
) -> Result<Option<AddressChange>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("round", round.into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.map(|row| change(account, &row)).transpose()
}

pub(super) fn decide(
    cx: &mut Cx<'_>,
    of: &AddressChange,
    state: ChangeState,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", of.account.as_bytes().into()),
        ("round", of.round.into()),
        ("state", state.name().into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(DECIDE, &params).map(drop)
}

/// Takes back a change, and all that were confirmed since.
pub(super) fn undo_since(cx: &mut Cx<'_>, of: &AddressChange) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", of.account.as_bytes().into()),
        ("round", of.round.into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(UNDO_SINCE, &params).map(drop)
}

/// Stops what is open of an account.
pub(super) fn stop_open(cx: &mut Cx<'_>, account: AccountId) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(STOP_OPEN, &params).map(drop)
}

/// The addresses that an account had before, the newest first.
pub(super) fn former(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<Email>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let rows = tx.query(FORMER, &params)?;
    let email = |row: &Row| {
        let email = Email::parse(&row.text("old_email")?);
        email.map_err(|error| StoreError::shape(error.to_string()))
    };
    rows.iter().map(email).collect()
}

/// Whose account an address has.
pub(super) fn owner(
    tx: &mut dyn Tx,
    tenant: TenantId,
    email: &Email,
) -> Result<Option<AccountId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", email.key().into()),
    ];
    let row = tx.query_one(OWNER, &params)?;
    row.map(|row| row.id("account_id", AccountId::from_bytes))
        .transpose()
}

/// Moves an account to an address that is free; false for one that nobody may use any more.
pub(super) fn move_to(
    cx: &mut Cx<'_>,
    account: AccountId,
    email: &Email,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("email", email.as_str().into()),
        ("key", email.key().into()),
    ];
    Ok(cx.tx.execute(MOVE, &params)? == 1)
}

pub(super) fn end_sessions(cx: &mut Cx<'_>, account: AccountId) -> Result<(), StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    cx.tx.execute(END_SESSIONS, &params).map(drop)
}
