//! The owner's look into the books: accounts with balances, entries, and what belongs together.

use super::model::{Account, LedgerError};
use super::sql::explore;
use crate::app::ReadCx;
use crate::caller::{Capability, Denied};
use mintreu::id::{LedgerAccountId, LedgerEntryId, LedgerTransactionId};
use mintreu::{Money, Timestamp};

/// Most rows of one page.
pub const MAX_ROWS: i64 = 100;

/// An account and what all its entries come to: debits are positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBalance {
    /// Which.
    pub id: LedgerAccountId,
    /// Its kind and owner.
    pub account: Account,
    /// As stored.
    pub balance: Money,
}

/// One entry, with what it is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// Which.
    pub id: LedgerEntryId,
    /// Its transaction.
    pub transaction: LedgerTransactionId,
    /// Why money moved: the code of a [`super::Reason`].
    pub kind: String,
    /// What the transaction belongs to.
    pub reference: String,
    /// In which account.
    pub account_id: LedgerAccountId,
    /// Its kind and owner.
    pub account: Account,
    /// As stored.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

/// Which entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// Those of an account.
    Account(LedgerAccountId),
    /// Those of a transaction.
    Transaction(LedgerTransactionId),
    /// Those of every transaction that belongs to this: an order's, a payout's id.
    Reference(String),
}

/// Asks for a page of entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesQuery {
    /// Which.
    pub of: Of,
    /// Where the page before ended.
    pub before: Option<(Timestamp, LedgerEntryId)>,
}

fn must_own(cx: &ReadCx<'_>) -> Result<(), LedgerError> {
    let capability = Capability::Administer;
    let signed_in = cx.caller.account.is_some();
    let denied = Denied {
        capability,
        signed_in,
    };
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(denied.into()),
    }
}

/// The accounts behind `after`, at most a hundred, for the owner.
pub fn accounts(
    cx: &mut ReadCx<'_>,
    after: &Option<LedgerAccountId>,
) -> Result<Vec<AccountBalance>, LedgerError> {
    must_own(cx)?;
    let after = after.unwrap_or(LedgerAccountId::from_bytes([0; 16]));
    Ok(explore::accounts(cx.tx, cx.caller.tenant, after, MAX_ROWS)?)
}

/// A page of entries, for the owner.
pub fn entries(cx: &mut ReadCx<'_>, query: &EntriesQuery) -> Result<Vec<EntryView>, LedgerError> {
    must_own(cx)?;
    Ok(explore::entries(cx.tx, cx.caller.tenant, query, MAX_ROWS)?)
}

/// The trial balance, for the owner.
pub fn trial(cx: &mut ReadCx<'_>, query: &()) -> Result<Vec<super::TrialBalance>, LedgerError> {
    must_own(cx)?;
    super::trial_balance(cx, query)
}
