//! What happens to a commission: credited and held, taken back, given again.

use super::model::{AffiliateError, source};
use super::news::{News, note};
use super::sql;
use crate::app::Cx;
use crate::domains::ledger::{self, Account, AccountKind, Hold, LedgerError, Posting};
use crate::store::StoreError;
use mintreu::Money;
use mintreu::id::{AccountId, OrderLineId};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// For how long a commission is held: until the buyer's right to withdraw has ended.
const HOLD_MS: i64 = 14 * DAY_MS;

/// The affiliate's account that a line's commission lies in, once its order is paid: noted, held,
/// and told. The caller posts the credit.
pub fn credit(
    cx: &mut Cx<'_>,
    line: OrderLineId,
    amount: Money,
) -> Result<AccountId, AffiliateError> {
    let tenant = cx.caller.tenant;
    let referral = sql::of_line(cx.tx, tenant, line)?;
    let missing = || StoreError::shape(format!("a commission of {line} and nobody who earned it"));
    let referral = referral
        .filter(|one| one.refusal.is_none() && one.commission == amount)
        .ok_or_else(missing)?;
    if sql::credit(cx.tx, tenant, line, cx.now)? {
        let hold = Hold {
            source: source(line),
            seller: referral.affiliate,
            amount,
            reason: "a commission is held for 14 days after the sale".to_owned(),
            releasable_at: cx.now.plus_ms(HOLD_MS),
        };
        ledger::hold_in(cx, AccountKind::AffiliatePayable, &hold)?;
        crate::events::record(cx, "affiliate.credited", &line.to_string(), &())?;
        note(cx, (referral.affiliate, line), (News::Sold, ""), amount)?;
    }
    Ok(referral.affiliate)
}

/// The postings that take `amount` back from whoever earned on a line: out of the hold first, then
/// out of what is releasable, which may fall below zero and is made up by later sales.
pub fn take_back(
    cx: &mut Cx<'_>,
    (cause, line): (&str, OrderLineId),
    amount: Money,
) -> Result<Vec<Posting>, AffiliateError> {
    if amount.minor() == 0 {
        return Ok(Vec::new());
    }
    let tenant = cx.caller.tenant;
    let missing = || StoreError::shape(format!("a commission of {line} and nobody who earned it"));
    let mut referral = sql::of_line(cx.tx, tenant, line)?.ok_or_else(missing)?;
    let from_held = ledger::take_held(cx, &source(line), amount)?;
    sql::insert_taking(cx.tx, tenant, (cause, line), (amount, from_held))?;
    referral.reversed = referral.reversed.checked_add(amount)?;
    sql::set_reversed(cx.tx, tenant, &referral)?;
    crate::events::record(cx, "affiliate.reversed", &line.to_string(), &())?;
    let affiliate = referral.affiliate;
    note(cx, (affiliate, line), (News::TakenBack, cause), amount)?;
    Ok(vec![
        Posting {
            account: Account::of(AccountKind::AffiliatePayable, affiliate),
            amount: from_held,
        },
        Posting {
            account: Account::of(AccountKind::SellerReleasable, affiliate),
            amount: amount.checked_sub(from_held)?,
        },
    ])
}

/// Undoes a taking whose postings were reversed: what came out of the hold goes back there.
pub fn give_again(
    cx: &mut Cx<'_>,
    (cause, line): (&str, OrderLineId),
) -> Result<(), AffiliateError> {
    let tenant = cx.caller.tenant;
    let Some((amount, from_held)) = sql::taking(cx.tx, tenant, (cause, line))? else {
        return Ok(());
    };
    if let Some(mut referral) = sql::of_line(cx.tx, tenant, line)? {
        referral.reversed = referral.reversed.checked_sub(amount)?;
        sql::set_reversed(cx.tx, tenant, &referral)?;
        let news = (News::GivenAgain, cause);
        note(cx, (referral.affiliate, line), news, amount)?;
    }
    ledger::put_back(cx, &source(line), from_held, cause)?;
    Ok(sql::undo_taking(cx.tx, tenant, (cause, line))?)
}

/// Keeps a line's commission from being released while a bank asks about its sale.
pub fn freeze(cx: &mut Cx<'_>, line: OrderLineId) -> Result<(), LedgerError> {
    ledger::freeze(cx, &source(line))
}

/// Ends the freeze.
pub fn thaw(cx: &mut Cx<'_>, line: OrderLineId) -> Result<(), LedgerError> {
    ledger::thaw(cx, &source(line))
}
