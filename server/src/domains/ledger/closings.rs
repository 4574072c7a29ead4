//! Closings: an account's entries, closed set by set, each beginning with what the last one left.
//!
//! A closing takes every entry of the account that is in none yet. What it holds never changes, so
//! a statement drawn from it years later is the same to the cent.

use super::model::{Account, AccountKind, LedgerError};
use super::sql::{self, closings};
use crate::app::Cx;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, LedgerEntryId, LedgerTransactionId, TenantId};
use mintreu::{Currency, Money, Timestamp};

/// Most rows of one page of movements.
pub const MAX_MOVEMENTS: i64 = 500;

/// A seller's releasable account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Whose.
    pub seller: AccountId,
    /// Of which currency.
    pub currency: Currency,
}

/// The releasable accounts behind `after`, at most `limit`, by seller and currency.
pub fn candidates(
    tx: &mut dyn Tx,
    tenant: TenantId,
    after: Option<Candidate>,
    limit: i64,
) -> Result<Vec<Candidate>, StoreError> {
    closings::candidates(tx, tenant, after, limit)
}

/// What a seller may be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// All that is releasable; below zero when the seller owes.
    pub balance: Money,
    /// Of it, what was there before the cut-off: everything that came before, less everything
    /// that was ever taken.
    pub due: Money,
}

/// What of a seller's releasable balance became so before `cut_off`.
pub fn due(
    tx: &mut dyn Tx,
    tenant: TenantId,
    candidate: Candidate,
    cut_off: Timestamp,
) -> Result<Due, LedgerError> {
    let account = Account::of(AccountKind::SellerReleasable, candidate.seller);
    let Some(id) = sql::find_account(tx, tenant, account, candidate.currency)? else {
        let nothing = Money::zero(candidate.currency);
        return Ok(Due {
            balance: nothing,
            due: nothing,
        });
    };
    let (balance, due) = closings::due(tx, tenant, id, cut_off)?;
    Ok(Due {
        balance: Money::new(balance, candidate.currency).checked_neg()?,
        due: Money::new(due, candidate.currency).checked_neg()?,
    })
}

/// A closed set, in the owner's eyes: earned is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// From 1, by account.
    pub number: i64,
    /// What the closing before left.
    pub opening: Money,
    /// What is left.
    pub closing: Money,
    /// When it was closed.
    pub closed_at: Timestamp,
}

/// Closes every entry of the account that is in no closing yet, under `reference`, once.
pub fn close(
    cx: &mut Cx<'_>,
    account: Account,
    currency: Currency,
    reference: &str,
) -> Result<Closing, LedgerError> {
    let tenant = cx.caller.tenant;
    if let Some(known) = closings::find(cx.tx, tenant, reference)? {
        return Ok(known);
    }
    let id = sql::find_account(cx.tx, tenant, account, currency)?;
    let id = id.ok_or(LedgerError::NotFound)?;
    let last = closings::last(cx.tx, tenant, id)?;
    let (number, opening) = last.unwrap_or((0, 0));
    closings::close_entries(cx.tx, tenant, id, reference)?;
    let moved = closings::sum(cx.tx, tenant, reference)?;
    let opening = Money::new(opening, currency);
    let closing = opening.checked_add(Money::new(moved, currency))?;
    let new = Closing {
        number: number + 1,
        opening: opening.checked_neg()?,
        closing: closing.checked_neg()?,
        closed_at: cx.now,
    };
    closings::insert(cx.tx, (tenant, id), reference, &new)?;
    Ok(new)
}

/// The closing of that reference.
pub fn closing(
    tx: &mut dyn Tx,
    tenant: TenantId,
    reference: &str,
) -> Result<Option<Closing>, StoreError> {
    closings::find(tx, tenant, reference)
}

/// Where a list of entries goes on.
pub type After = (Timestamp, LedgerEntryId);

/// One entry of a closing, in the owner's eyes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// The entry.
    pub entry: LedgerEntryId,
    /// Its transaction.
    pub transaction: LedgerTransactionId,
    /// Why it moved: the code of a [`super::Reason`].
    pub kind: String,
    /// What it belongs to: an order's, a line's, an invoice's, a payout's id.
    pub reference: String,
    /// Earned is positive.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

impl Movement {
    /// Where the list goes on behind this one.
    pub fn after(&self) -> After {
        (self.at, self.entry)
    }
}

/// The entries of a closing, oldest first, behind `after`; at most [`MAX_MOVEMENTS`].
pub fn movements(
    tx: &mut dyn Tx,
    tenant: TenantId,
    reference: &str,
    after: Option<After>,
) -> Result<Vec<Movement>, LedgerError> {
    let stored = closings::movements(tx, tenant, reference, after, MAX_MOVEMENTS)?;
    let turned = stored.into_iter().map(|mut movement| {
        movement.amount = movement.amount.checked_neg()?;
        Ok(movement)
    });
    turned.collect()
}

/// What is held of one sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The order line or invoice it came from.
    pub source: String,
    /// How much.
    pub amount: Money,
    /// `held`, or another code while it isn't to be released.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub releasable_at: Timestamp,
}

/// Most holds of one list.
const MAX_HOLDS: i64 = 100;

/// What is held of a seller's money, the next to be released first; at most a hundred.
pub fn held(
    tx: &mut dyn Tx,
    tenant: TenantId,
    candidate: Candidate,
) -> Result<Vec<Held>, StoreError> {
    closings::held(tx, tenant, candidate, MAX_HOLDS)
}

/// The reference of the closing that holds what the release of `source` brought, if one does: that
/// is, the payout whose statement lists it.
pub fn paid_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<String>, StoreError> {
    closings::closed_by(tx, tenant, &format!("release:{source}"))
}
