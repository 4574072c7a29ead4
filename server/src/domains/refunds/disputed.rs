//! What can be disputed: an order, or an invoice of usage. A dispute moves money of either by the same
//! steps ([`super::disputes`]); here is what differs.

use super::effect::{self, Book, Taking};
use super::model::{Dispute, LineReversal, PaidFor, RefundError, ReversalState};
use super::usage::UsageBook;
use super::{papers, sql};
use crate::app::Cx;
use crate::domains::ledger::Part;
use crate::domains::orders;
use crate::domains::payments::Payment;
use mintreu::Money;
use mintreu::id::AccountId;

/// What one cause took of what one seller earns.
pub(super) struct Share {
    /// Who earns it.
    pub seller: AccountId,
    /// What the provider took for the dispute.
    pub cost: Money,
    /// The platform's fee in what was taken.
    pub platform_fee: Money,
}

/// What was paid for, with all that refunds and disputes did to it.
pub(super) trait Disputed {
    /// Which it is.
    fn of(&self) -> PaidFor;

    /// Whether that payment paid for it, and was posted.
    fn is_paid_by(&self, payment: &Payment) -> bool;

    /// The oldest first.
    fn disputes(&self) -> &[Dispute];

    /// To keep what changes.
    fn disputes_mut(&mut self) -> &mut Vec<Dispute>;

    /// What was paid and neither went back nor is about to.
    fn left(&self) -> Result<Money, RefundError>;

    /// What is taken for a dispute just now, by cause: mostly one, and one more for each time that
    /// something was missing before.
    fn taken(&self, dispute: &Dispute) -> Result<Vec<(String, Money)>, RefundError>;

    /// Reserves and takes an amount, with what the provider takes beyond it.
    fn take(
        &mut self,
        cx: &mut Cx<'_>,
        taking: &Taking<'_>,
        amount_and_cost: (Money, Money),
    ) -> Result<(), RefundError>;

    /// Undoes what was taken for a cause and posted under a key.
    fn undo(&mut self, cx: &mut Cx<'_>, cause_and_key: (&str, &str)) -> Result<(), RefundError>;

    /// Keeps that the platform gave its fee back of what a cause took.
    fn return_fee(&mut self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError>;

    /// What a cause took, by who earns it.
    fn shares(&self, cause: &str) -> Result<Vec<Share>, RefundError>;

    /// Credits the buyer with what a cause took, on paper.
    fn credit(&self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError>;

    /// Keeps what is held from being released.
    fn freeze(&self, cx: &mut Cx<'_>) -> Result<(), RefundError>;

    /// Ends that, unless something else asks for it.
    fn thaw(&self, cx: &mut Cx<'_>) -> Result<(), RefundError>;

    /// Lets what was bought follow its money.
    fn follow(&mut self, cx: &mut Cx<'_>) -> Result<(), RefundError>;
}

/// What was paid for, to be changed.
pub(super) fn open(cx: &mut Cx<'_>, of: PaidFor) -> Result<Box<dyn Disputed>, RefundError> {
    Ok(match of {
        PaidFor::Order(order) => Box::new(Book::open(cx, order)?),
        PaidFor::Invoice(invoice) => Box::new(UsageBook::open(cx, invoice)?),
    })
}

impl Disputed for Book {
    fn of(&self) -> PaidFor {
        PaidFor::Order(self.order.id)
    }

    fn is_paid_by(&self, _: &Payment) -> bool {
        self.order.paid_at.is_some()
    }

    fn disputes(&self) -> &[Dispute] {
        &self.disputes
    }

    fn disputes_mut(&mut self) -> &mut Vec<Dispute> {
        &mut self.disputes
    }

    fn left(&self) -> Result<Money, RefundError> {
        self.left_of(&self.order.lines)
    }

    fn taken(&self, dispute: &Dispute) -> Result<Vec<(String, Money)>, RefundError> {
        let of_dispute = self.reversals.iter().filter(|one| one.is_of(dispute));
        of_dispute
            .filter(|one| one.state == ReversalState::Taken)
            .map(|one| Ok((one.cause.clone(), one.parts.total()?)))
            .collect()
    }

    fn take(
        &mut self,
        cx: &mut Cx<'_>,
        taking: &Taking<'_>,
        amounts: (Money, Money),
    ) -> Result<(), RefundError> {
        let lines = self.order.lines.clone();
        let planned = effect::plan(self, &lines, amounts, taking.cause)?;
        effect::reserve(cx, self, planned)?;
        effect::take(cx, self, taking)?;
        Ok(())
    }

    fn undo(&mut self, cx: &mut Cx<'_>, by: (&str, &str)) -> Result<(), RefundError> {
        effect::undo(cx, self, by)
    }

    fn return_fee(&mut self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError> {
        for one in self.reversals.iter_mut().filter(|one| one.cause == cause) {
            one.fee_returned = true;
            sql::update_reversal(cx.tx, cx.caller.tenant, one)?;
        }
        Ok(())
    }

    fn shares(&self, cause: &str) -> Result<Vec<Share>, RefundError> {
        let share = |one: &LineReversal| {
            let line = self.order.lines.iter().find(|line| line.id == one.line);
            Ok(Share {
                seller: line.ok_or(RefundError::NotFound)?.seller,
                cost: one.cost,
                platform_fee: one.parts.get(Part::PlatformFee),
            })
        };
        let of_cause = self.reversals.iter().filter(|one| one.cause == cause);
        of_cause.map(share).collect()
    }

    fn credit(&self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError> {
        papers::credit(cx, self, cause, ("chargeback", ""))
    }

    fn freeze(&self, cx: &mut Cx<'_>) -> Result<(), RefundError> {
        effect::freeze(cx, self)
    }

    fn thaw(&self, cx: &mut Cx<'_>) -> Result<(), RefundError> {
        effect::thaw(cx, self)
    }

    fn follow(&mut self, cx: &mut Cx<'_>) -> Result<(), RefundError> {
        orders::mark_disputed(cx, self.order.id, self.is_disputed())?;
        effect::follow(cx, self)
    }
}
