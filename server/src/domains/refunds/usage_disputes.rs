//! Disputes of usage invoices: what a bank takes of the payment of one.
//!
//! What was used was used: the license works on, and its meters bill on. Apart from that it is as with
//! orders, by the same steps ([`super::disputes`]).

use super::disputed::{Disputed, Share};
use super::effect::{self, Sides, Taking};
use super::model::{Dispute, PaidFor, RefundError, ReversalState};
use super::sql::invoices as sql;
use super::usage::{UsageBook, note_tax, posted_as};
use crate::app::Cx;
use crate::domains::invoicing::{self, State};
use crate::domains::ledger::{self, Fees, Part, Parts};
use crate::domains::payments::Payment;
use mintreu::Money;
use mintreu::id::InvoiceId;

/// What one round of a dispute takes from an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceReversal {
    /// The dispute's id with its round.
    pub cause: String,
    /// From which invoice.
    pub invoice: InvoiceId,
    /// From which part how much.
    pub parts: Parts,
    /// Whether the platform gave its fee back.
    pub fee_returned: bool,
    /// What of it came out of the seller's hold.
    pub from_held: Money,
    /// What the provider takes for the dispute.
    pub cost: Money,
    /// What became of it.
    pub state: ReversalState,
}

impl UsageBook {
    /// Whether a bank asks about the payment or has taken it, undecided.
    pub(super) fn is_disputed(&self) -> bool {
        self.disputes.iter().any(|one| one.state.is_open())
    }

    fn of_cause(&mut self, cause: &str) -> Result<&mut InvoiceReversal, RefundError> {
        let mut reversals = self.reversals.iter_mut();
        let found = reversals.find(|one| one.cause == cause);
        found.ok_or(RefundError::NoInvoice)
    }
}

impl Disputed for UsageBook {
    fn of(&self) -> PaidFor {
        PaidFor::Invoice(self.invoice.id)
    }

    // A second payment of an invoice that another one paid: nothing of it was posted.
    fn is_paid_by(&self, payment: &Payment) -> bool {
        self.invoice.state == State::Paid && self.invoice.payment == Some(payment.id)
    }

    fn disputes(&self) -> &[Dispute] {
        &self.disputes
    }

    fn disputes_mut(&mut self) -> &mut Vec<Dispute> {
        &mut self.disputes
    }

    fn left(&self) -> Result<Money, RefundError> {
        self.left_to_refund()
    }

    fn taken(&self, dispute: &Dispute) -> Result<Vec<(String, Money)>, RefundError> {
        let of_dispute = self.reversals.iter().filter(|one| dispute.took(&one.cause));
        of_dispute
            .filter(|one| one.state == ReversalState::Taken)
            .map(|one| Ok((one.cause.clone(), one.parts.total()?)))
            .collect()
    }

    fn take(
        &mut self,
        cx: &mut Cx<'_>,
        taking: &Taking<'_>,
        (amount, cost): (Money, Money),
    ) -> Result<(), RefundError> {
        let (invoice, parts) = (self.invoice.id, self.plan(amount)?);
        let borne = taking.fees.borne_by_seller(&parts)?;
        let new = InvoiceReversal {
            cause: taking.cause.to_owned(),
            invoice,
            parts,
            fee_returned: taking.fees == Fees::Returned,
            from_held: ledger::take_held(cx, &posted_as(invoice), borne)?,
            cost,
            state: ReversalState::Taken,
        };
        sql::insert(cx.tx, cx.caller.tenant, &new)?;
        let sides = Sides {
            parts: &new.parts,
            fee_returned: new.fee_returned,
            from_held: new.from_held,
        };
        let postings = effect::postings_of(&sides, self.invoice.seller, borne)?;
        effect::post(cx, invoice, (&taking.key, taking.reason), postings)?;
        note_tax(cx, (invoice, &taking.key), &new.parts, false)?;
        self.reversals.push(new);
        Ok(())
    }

    fn undo(&mut self, cx: &mut Cx<'_>, (cause, key): (&str, &str)) -> Result<(), RefundError> {
        let invoice = self.invoice.id;
        ledger::reverse_key(cx, key, &invoice.to_string())?;
        let one = self.of_cause(cause)?;
        if one.state == ReversalState::Taken {
            ledger::put_back(cx, &posted_as(invoice), one.from_held, cause)?;
            note_tax(cx, (invoice, key), &one.parts, true)?;
        }
        one.state = ReversalState::Undone;
        sql::keep(cx.tx, cx.caller.tenant, one)?;
        match self.is_disputed() {
            true => self.freeze(cx),
            false => Ok(()),
        }
    }

    fn return_fee(&mut self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError> {
        let one = self.of_cause(cause)?;
        one.fee_returned = true;
        Ok(sql::keep(cx.tx, cx.caller.tenant, one)?)
    }

    fn shares(&self, cause: &str) -> Result<Vec<Share>, RefundError> {
        let of_cause = self.reversals.iter().filter(|one| one.cause == cause);
        let share = |one: &InvoiceReversal| Share {
            seller: self.invoice.seller,
            cost: one.cost,
            platform_fee: one.parts.get(Part::PlatformFee),
        };
        Ok(of_cause.map(share).collect())
    }

    fn credit(&self, cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError> {
        let mut reversals = self.reversals.iter();
        let found = reversals.find(|one| one.cause == cause);
        let one = found.ok_or(RefundError::NoInvoice)?;
        let credit = invoicing::NewUsageCredit {
            invoice: &self.invoice,
            cause,
            reason: "chargeback",
            note: "",
            amount: one.parts.total()?,
            tax: one.parts.get(Part::Tax),
        };
        invoicing::credit_usage(cx, &credit)?;
        Ok(())
    }

    fn freeze(&self, cx: &mut Cx<'_>) -> Result<(), RefundError> {
        Ok(ledger::freeze(cx, &posted_as(self.invoice.id))?)
    }

    fn thaw(&self, cx: &mut Cx<'_>) -> Result<(), RefundError> {
        match self.is_disputed() {
            true => Ok(()),
            false => Ok(ledger::thaw(cx, &posted_as(self.invoice.id))?),
        }
    }

    fn follow(&mut self, _: &mut Cx<'_>) -> Result<(), RefundError> {
        Ok(())
    }
}
