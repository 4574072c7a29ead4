//! The owner's look into the books: accounts with balances, entries, and what belongs together.

use super::model::{Account, AccountKind, LedgerError};
use super::sql::explore;
use crate::app::ReadCx;
use crate::caller::{Capability, Denied};
use mintreu::id::{LedgerAccountId, LedgerEntryId, LedgerTransactionId};
use mintreu::{Currency, Money, Timestamp};
use std::collections::BTreeMap;

/// Most rows of one page.
pub const MAX_ROWS: i64 = 100;
/// Most steps of a chart.
const MAX_STEPS: usize = 100;

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
    /// Where the page before ended, or any place in time: entries before it.
    pub before: Option<(Timestamp, LedgerEntryId)>,
    /// Entries of this instant and later; `None` from the beginning on.
    pub from: Option<Timestamp>,
}

impl EntriesQuery {
    /// All of `of`, from the newest on.
    pub const fn of(of: Of) -> Self {
        Self {
            of,
            before: None,
            from: None,
        }
    }

    /// Only entries before `instant`.
    #[must_use]
    pub const fn until(mut self, instant: Timestamp) -> Self {
        self.before = Some((instant, LedgerEntryId::from_bytes([0; 16])));
        self
    }
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

/// A transaction with its sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionView {
    /// Which.
    pub id: LedgerTransactionId,
    /// What caused it: no other transaction has this key.
    pub key: String,
    /// Why money moved: the code of a [`super::Reason`].
    pub kind: String,
    /// What it belongs to.
    pub reference: String,
    /// What it is the opposite of.
    pub reverses: Option<LedgerTransactionId>,
    /// What is the opposite of it.
    pub reversed_by: Option<LedgerTransactionId>,
    /// When.
    pub at: Timestamp,
    /// Its sides, at most a hundred; they sum to zero in every currency.
    pub entries: Vec<EntryView>,
}

/// One transaction, for the owner.
pub fn transaction(
    cx: &mut ReadCx<'_>,
    id: &LedgerTransactionId,
) -> Result<TransactionView, LedgerError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let found = explore::transaction(cx.tx, tenant, *id)?;
    let mut found = found.ok_or(LedgerError::NotFound)?;
    let query = EntriesQuery::of(Of::Transaction(*id));
    found.entries = explore::entries(cx.tx, tenant, &query, MAX_ROWS)?;
    Ok(found)
}

/// The account, for the owner.
pub fn account(cx: &mut ReadCx<'_>, id: &LedgerAccountId) -> Result<AccountBalance, LedgerError> {
    must_own(cx)?;
    let found = explore::account_of(cx.tx, cx.caller.tenant, *id)?;
    found.ok_or(LedgerError::NotFound)
}

/// What the platform and its sellers have in one currency: all above zero, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The platform's share of all sales, less what it gave back.
    pub fees: Money,
    /// Earned by sellers, not yet releasable.
    pub held: Money,
    /// Releasable, or on its way to sellers.
    pub owed: Money,
    /// What sellers whose balance is below zero owe.
    pub negative: Money,
}

/// A line a currency, for the owner.
pub fn standing(cx: &mut ReadCx<'_>, _query: &()) -> Result<Vec<Standing>, LedgerError> {
    must_own(cx)?;
    let mut all: BTreeMap<String, Standing> = BTreeMap::new();
    for sum in explore::sums(cx.tx, cx.caller.tenant)? {
        let nothing = Money::zero(sum.credits.currency());
        let line = all
            .entry(nothing.currency().code().to_owned())
            .or_insert(Standing {
                fees: nothing,
                held: nothing,
                owed: nothing,
                negative: nothing,
            });
        let net = sum.credits.checked_sub(sum.debits)?;
        match sum.kind {
            AccountKind::PlatformFee => line.fees = line.fees.checked_add(net)?,
            AccountKind::SellerHeld => line.held = line.held.checked_add(net)?,
            AccountKind::PayoutsInTransit => line.owed = line.owed.checked_add(net)?,
            AccountKind::SellerReleasable => {
                line.owed = line.owed.checked_add(sum.credits)?;
                line.negative = line.negative.checked_add(sum.debits)?;
            }
            _ => {}
        }
    }
    Ok(all.into_values().collect())
}

/// Asks what the platform earned between each of these instants and the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// In which currency.
    pub currency: Currency,
    /// Rising; at most a hundred.
    pub steps: Vec<Timestamp>,
}

/// One sum for each step but the last, for the owner.
pub fn earned(cx: &mut ReadCx<'_>, query: &Earned) -> Result<Vec<Money>, LedgerError> {
    must_own(cx)?;
    let fees = Account::platform(AccountKind::PlatformFee);
    let tenant = cx.caller.tenant;
    let Some(account) = super::sql::find_account(cx.tx, tenant, fees, query.currency)? else {
        let steps = query.steps.len().saturating_sub(1);
        return Ok(vec![Money::zero(query.currency); steps]);
    };
    let mut sums = Vec::new();
    for step in query.steps.windows(2).take(MAX_STEPS) {
        if let [from, until] = step {
            let sum = explore::sum_between(cx.tx, tenant, account, (*from, *until))?;
            sums.push(Money::new(sum, query.currency).checked_neg()?);
        }
    }
    Ok(sums)
}
