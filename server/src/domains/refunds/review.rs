//! What refunds and banks make of an order that risk holds for a look.

use super::effect::{self, Book};
use super::model::{Dispute, DisputeState, LineReversal, RefundError, ReversalState};
use crate::app::Cx;
use crate::domains::{ledger, risk};
use mintreu::Money;
use mintreu::id::AccountId;

/// A review has nothing to hold once all of the order's money went back: it ends as what took the
/// last of it says. What comes back is held again.
pub(super) fn follow(cx: &mut Cx<'_>, book: &Book) -> Result<(), RefundError> {
    let order = book.order.id;
    if book.order.total.minor() == 0 {
        return Ok(());
    }
    if is_spent(book)? {
        if risk::end_with_money(cx, order, ended_by(book))? {
            effect::thaw(cx, book)?;
        }
    } else if book.left_of(&book.order.lines)?.minor() > 0 && risk::reopen(cx, order)? {
        for line in &book.order.lines {
            ledger::explain(cx, &line.id.to_string(), risk::HELD)?;
        }
        effect::freeze(cx, book)?;
    }
    Ok(())
}

/// Whether all of the order's money went back for good: by refunds, or to a bank that keeps it.
fn is_spent(book: &Book) -> Result<bool, RefundError> {
    let undecided = |one: &&LineReversal| {
        let mut disputes = book.disputes.iter().filter(|dispute| one.is_of(dispute));
        disputes.any(|dispute| dispute.state != DisputeState::Lost)
    };
    let mut spent = Money::zero(book.order.total.currency());
    let taken = book.reversals.iter();
    let taken = taken.filter(|one| one.state == ReversalState::Taken && !undecided(one));
    for one in taken {
        spent = spent.checked_add(one.parts.total()?)?;
    }
    Ok(spent == book.order.total)
}

/// Who asked for the newest refund, and why; a bank that keeps the money outweighs it.
fn ended_by(book: &Book) -> (Option<AccountId>, &'static str) {
    let lost = |dispute: &Dispute| dispute.state == DisputeState::Lost;
    match effect::newest(book).filter(|_| !book.disputes.iter().any(lost)) {
        Some(refund) => (refund.asked_by, refund.reason.code()),
        None => (None, "chargeback"),
    }
}
