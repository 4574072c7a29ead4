//! Use cases of the ledger: post, reverse, hold, release, and the questions about balances.

use super::model::{Account, AccountKind, Balanced, LedgerError, Posting, Reason};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::store::StoreError;
use mintreu::id::{AccountId, LedgerAccountId, LedgerEntryId, LedgerTransactionId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// The job that makes an escrow releasable at its date.
pub const RELEASE_JOB: &str = "ledger.release";

/// What became of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// Entries were written.
    New(LedgerTransactionId),
    /// The same transaction was posted before; nothing changed.
    Before(LedgerTransactionId),
}

impl Posted {
    /// The transaction.
    pub fn id(self) -> LedgerTransactionId {
        match self {
            Self::New(id) | Self::Before(id) => id,
        }
    }
}

/// Posts a balanced transaction once, whatever its caller repeats.
pub fn post(cx: &mut Cx<'_>, balanced: &Balanced) -> Result<Posted, LedgerError> {
    write(cx, balanced, None)
}

/// Posts the opposite of `transaction`, once.
pub fn reverse(
    cx: &mut Cx<'_>,
    transaction: LedgerTransactionId,
    reference: &str,
) -> Result<Posted, LedgerError> {
    let entries = sql::entries(cx.tx, cx.caller.tenant, transaction)?;
    if entries.is_empty() {
        return Err(LedgerError::NotFound);
    }
    let opposite = Balanced::opposite(format!("reversal:{transaction}"), reference, &entries)?;
    write(cx, &opposite, Some(transaction))
}

/// Posts the opposite of what was posted under `key`, once; nothing was posted, nothing happens.
pub fn reverse_key(cx: &mut Cx<'_>, key: &str, reference: &str) -> Result<(), LedgerError> {
    if let Some((id, _)) = sql::find_transaction(cx.tx, cx.caller.tenant, key)? {
        reverse(cx, id, reference)?;
    }
    Ok(())
}

/// What was posted to accounts of `kind` under `key`, as the one it is owed to sees it: credits
/// are above zero. Nothing was posted, nothing it is.
pub fn credited(
    cx: &mut Cx<'_>,
    key: &str,
    kind: AccountKind,
    currency: Currency,
) -> Result<Money, LedgerError> {
    let mut sum = Money::zero(currency);
    let tenant = cx.caller.tenant;
    if let Some((id, _)) = sql::find_transaction(cx.tx, tenant, key)? {
        for entry in sql::entries(cx.tx, tenant, id)? {
            if entry.account.kind == kind && entry.amount.currency() == currency {
                sum = sum.checked_sub(entry.amount)?;
            }
        }
    }
    Ok(sum)
}

fn write(
    cx: &mut Cx<'_>,
    balanced: &Balanced,
    reverses: Option<LedgerTransactionId>,
) -> Result<Posted, LedgerError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    if let Some((id, hash)) = sql::find_transaction(cx.tx, tenant, balanced.key())? {
        let same = bool::from(hash.ct_eq(&balanced.content_hash()));
        let reused = || LedgerError::KeyReused(balanced.key().to_owned());
        return same.then_some(Posted::Before(id)).ok_or_else(reused);
    }
    let id = cx.make_id(LedgerTransactionId::from_bytes);
    let new = sql::NewTransaction {
        tenant,
        id,
        balanced,
        reverses,
        now,
    };
    sql::insert_transaction(cx.tx, &new)?;
    for posting in balanced.postings() {
        let account = account(cx, posting.account, posting.amount.currency())?;
        let entry = sql::NewEntry {
            tenant,
            id: cx.make_id(LedgerEntryId::from_bytes),
            transaction: id,
            account,
            amount: posting.amount,
            now,
        };
        sql::insert_entry(cx.tx, &entry)?;
    }
    Ok(Posted::New(id))
}

/// The account's id, opened at its first use.
fn account(
    cx: &mut Cx<'_>,
    account: Account,
    currency: Currency,
) -> Result<LedgerAccountId, StoreError> {
    let tenant = cx.caller.tenant;
    if let Some(id) = sql::find_account(cx.tx, tenant, account, currency)? {
        return Ok(id);
    }
    let new = sql::NewAccount {
        tenant,
        id: cx.make_id(LedgerAccountId::from_bytes),
        account,
        currency,
        now: cx.now,
    };
    sql::open_account(cx.tx, &new)?;
    Ok(new.id)
}

/// A seller's part of one sale, held until a date.
#[derive(Debug, Clone)]
pub struct Hold {
    /// The order line or invoice it came from; one hold each.
    pub source: String,
    /// Whose it is.
    pub seller: AccountId,
    /// How much, above zero.
    pub amount: Money,
    /// Why it is held, for the seller to read.
    pub reason: String,
    /// When it becomes releasable.
    pub releasable_at: Timestamp,
}

/// Holds a seller's part (posted to [`AccountKind::SellerHeld`] by the caller) until its date.
pub fn hold(cx: &mut Cx<'_>, hold: &Hold) -> Result<(), LedgerError> {
    hold_in(cx, AccountKind::SellerHeld, hold)
}

/// As [`hold`], of what was posted to another kind of account: an affiliate's commission.
pub fn hold_in(cx: &mut Cx<'_>, kind: AccountKind, hold: &Hold) -> Result<(), LedgerError> {
    let new = sql::NewEscrow {
        tenant: cx.caller.tenant,
        source: &hold.source,
        account: Account::of(kind, hold.seller),
        amount: hold.amount,
        reason: &hold.reason,
        now: cx.now,
        releasable_at: hold.releasable_at,
    };
    if hold.amount.minor() > 0 && sql::insert_escrow(cx.tx, &new)? {
        let payload = ReleasePayload {
            source: hold.source.clone(),
        };
        crate::queue::enqueue(cx, RELEASE_JOB, &payload, hold.releasable_at)?;
    }
    Ok(())
}

/// The payload of [`RELEASE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleasePayload {
    /// The hold's source.
    pub source: String,
}

impl Command for ReleasePayload {
    const NAME: &'static str = "ledger.release";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.source.clone())
    }
}

/// Moves a held part whose date has come from held to releasable; out of which account, and how much.
/// Asking again changes nothing.
pub fn release(
    cx: &mut Cx<'_>,
    job: &ReleasePayload,
) -> Result<Option<(Account, Money)>, LedgerError> {
    let released = sql::release_escrow(cx.tx, cx.caller.tenant, &job.source, cx.now)?;
    let Some((account, amount)) = released else {
        return Ok(None);
    };
    let postings = released_from(account, amount)?;
    let key = format!("release:{}", job.source);
    let balanced = Balanced::new(key, Reason::Release, job.source.clone(), postings)?;
    post(cx, &balanced)?;
    Ok(Some((account, amount)))
}

/// Out of where it was held, into what its owner can be paid.
pub(super) fn released_from(account: Account, amount: Money) -> Result<Vec<Posting>, LedgerError> {
    let releasable = Account {
        kind: AccountKind::SellerReleasable,
        ..account
    };
    Ok(vec![
        Posting { account, amount },
        Posting {
            account: releasable,
            amount: amount.checked_neg()?,
        },
    ])
}

/// The sum of all entries of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrialBalance {
    /// Zero, or the books are wrong.
    pub sum: Money,
    /// How many entries there are.
    pub entries: i64,
}

/// The trial balance of the caller's tenant, a line a currency.
pub fn trial_balance(cx: &mut ReadCx<'_>, _query: &()) -> Result<Vec<TrialBalance>, LedgerError> {
    let sums = sql::trial_balance(cx.tx, cx.caller.tenant)?;
    let lines = sums.into_iter();
    Ok(lines
        .map(|(sum, entries)| TrialBalance { sum, entries })
        .collect())
}

/// What one kind of account holds for a seller, as the seller sees it: earned is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Held or releasable.
    pub kind: AccountKind,
    /// In the seller's eyes: a credit of ours is a plus of theirs.
    pub amount: Money,
}

/// The balances of `seller`'s accounts.
pub fn seller_balances(
    cx: &mut ReadCx<'_>,
    seller: &AccountId,
) -> Result<Vec<Balance>, LedgerError> {
    let stored = sql::balances_of(cx.tx, cx.caller.tenant, *seller)?;
    let turned = stored.into_iter().map(|(kind, amount)| {
        let amount = amount.checked_neg()?;
        Ok(Balance { kind, amount })
    });
    turned.collect()
}

/// How far below nothing a seller may fall by their own refunds, in major units of a currency.
const FLOOR: i64 = 100;
/// The smallest payout, in major units of a currency, is a tenth of it.
const LEAST: i64 = 10;

/// 10.00 in minor units: ten whole units, and a thousand minor ones at least, since ten yen would
/// not be worth sending.
pub fn least(currency: Currency) -> Money {
    scaled(LEAST, currency)
}

fn scaled(major: i64, currency: Currency) -> Money {
    let digits = u32::from(currency.exponent().clamp(2, 4));
    Money::new(major * 10_i64.pow(digits), currency)
}

/// Whether `seller` may refund by themself: what they earned, held or not, is not below minus
/// 100.00. Further down, a refund needs the platform.
pub fn may_refund(
    tx: &mut dyn crate::store::Tx,
    tenant: mintreu::id::TenantId,
    seller: AccountId,
    currency: Currency,
) -> Result<bool, LedgerError> {
    let mut owed = Money::zero(currency);
    for (kind, amount) in sql::balances_of(tx, tenant, seller)? {
        let earned = matches!(
            kind,
            AccountKind::SellerHeld | AccountKind::SellerReleasable
        );
        if earned && amount.currency() == currency {
            owed = owed.checked_add(amount)?;
        }
    }
    // Stored credits are negative: a debt is above zero.
    Ok(owed.minor() <= scaled(FLOOR, currency).minor())
}
