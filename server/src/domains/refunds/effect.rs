//! What follows from money that goes back, and from money that comes back after all: the ledger,
//! the holds, the order's state and the licenses, in one commit.

use super::model::{
    Dispute, DisputeState, LineReversal, Reason, Refund, RefundError, RefundState, ReversalState,
};
use super::{review, sql};
use crate::app::Cx;
use crate::domains::affiliates;
use crate::domains::billing::{self, LastBill};
use crate::domains::catalog::PriceModel;
use crate::domains::gifts;
use crate::domains::ledger::{
    self, Account, AccountKind, Balanced, Fees, Part, Parts, Posted, Posting,
};
use crate::domains::licensing::{self, Unpaid};
use crate::domains::orders::{self, Line, Order, OrderError, OrderEvent, OrderState, Step};
use crate::domains::promotions;
use crate::domains::risk;
use crate::domains::taxes::{self, Movement, Way};
use crate::store::Tx;
use mintreu::Money;
use mintreu::id::{LedgerTransactionId, LicenseId, OrderId, OrderLineId, TenantId};

/// An order with all that refunds and disputes did to it.
pub(super) struct Book {
    pub order: Order,
    pub refunds: Vec<Refund>,
    pub disputes: Vec<Dispute>,
    pub reversals: Vec<LineReversal>,
    /// Whether somebody else than the buyer gets what was bought: nothing of it renews by itself.
    pub is_gift: bool,
}

impl Book {
    pub(super) fn open(cx: &mut Cx<'_>, order: OrderId) -> Result<Self, RefundError> {
        Self::read(cx.tx, cx.caller.tenant, order)
    }

    /// As [`Book::open`], in a query.
    pub(super) fn read(
        tx: &mut dyn Tx,
        tenant: TenantId,
        order: OrderId,
    ) -> Result<Self, RefundError> {
        let found = orders::find(tx, tenant, order)?;
        Ok(Self {
            order: found.ok_or(OrderError::NotFound)?,
            refunds: sql::refunds_of(tx, tenant, order)?,
            disputes: sql::disputes_of(tx, tenant, order)?,
            reversals: sql::reversals_of(tx, tenant, order)?,
            is_gift: gifts::is_given(tx, tenant, order)?,
        })
    }

    /// What went back, or is about to, of a line.
    fn gone(&self, line: &Line) -> Result<Parts, RefundError> {
        let none = Parts::zero(line.split.charged.currency());
        let of_line = self.reversals.iter();
        let counts = of_line.filter(|one| one.line == line.id && one.counts());
        Ok(counts
            .map(|one| one.parts)
            .try_fold(none, |sum, parts| sum.checked_add(&parts))?)
    }

    /// What the buyer paid for a line and didn't get back.
    pub(super) fn left(&self, line: &Line) -> Result<Money, RefundError> {
        let gone = self.gone(line)?.total()?;
        Ok(line.split.charged.checked_sub(gone)?)
    }

    /// The same for several lines.
    pub(super) fn left_of(&self, lines: &[Line]) -> Result<Money, RefundError> {
        let zero = Money::zero(self.order.total.currency());
        lines
            .iter()
            .try_fold(zero, |sum, line| Ok(sum.checked_add(self.left(line)?)?))
    }

    /// What refunds took of a line.
    fn refunded(&self, line: OrderLineId) -> Result<Money, RefundError> {
        let taken = self
            .reversals
            .iter()
            .filter(|one| one.line == line && one.is_refund() && one.state == ReversalState::Taken);
        let zero = Money::zero(self.order.total.currency());
        taken
            .map(|one| one.parts.total())
            .try_fold(zero, |sum, total| Ok(sum.checked_add(total?)?))
    }

    /// Whether a bank asks about the payment or has taken it, undecided.
    pub(super) fn is_disputed(&self) -> bool {
        self.disputes.iter().any(|one| one.state.is_open())
    }

    fn line(&self, id: OrderLineId) -> Result<&Line, RefundError> {
        let found = self.order.lines.iter().find(|line| line.id == id);
        found.ok_or(RefundError::NotFound)
    }
}

/// Divides `amount` among lines by what is left of them, and each share among the line's parts;
/// `cost`, what a provider takes beyond it, likewise.
pub(super) fn plan(
    book: &Book,
    lines: &[Line],
    (amount, cost): (Money, Money),
    cause: &str,
) -> Result<Vec<LineReversal>, RefundError> {
    let left = book.left_of(lines)?;
    if amount.currency() != left.currency() || !(1..=left.minor()).contains(&amount.minor()) {
        return Err(RefundError::OutOfRange { left });
    }
    let mut weights = Vec::with_capacity(lines.len());
    for line in lines {
        weights.push(book.left(line)?.minor().unsigned_abs());
    }
    let shares = amount.split(&weights)?;
    let costs = cost.split(&weights)?;
    let mut planned = Vec::new();
    for ((line, share), cost) in lines.iter().zip(shares).zip(costs) {
        if share.minor() == 0 {
            continue;
        }
        planned.push(LineReversal {
            cause: cause.to_owned(),
            line: line.id,
            parts: ledger::give_back(&line.split.parts(), &book.gone(line)?, share)?,
            fee_returned: false,
            from_held: Money::zero(share.currency()),
            cost,
            state: ReversalState::Reserved,
        });
    }
    Ok(planned)
}

/// Keeps planned reversals, so that they count.
pub(super) fn reserve(
    cx: &mut Cx<'_>,
    book: &mut Book,
    planned: Vec<LineReversal>,
) -> Result<(), RefundError> {
    for reversal in planned {
        sql::insert_reversal(cx.tx, cx.caller.tenant, book.order.id, &reversal)?;
        book.reversals.push(reversal);
    }
    Ok(())
}

/// How a taking is posted.
pub(super) struct Taking<'a> {
    /// Whose reversals.
    pub cause: &'a str,
    /// The ledger's key of it.
    pub key: String,
    /// Why.
    pub reason: ledger::Reason,
    /// What happens to the platform's fee.
    pub fees: Fees,
}

/// Takes what is reserved for a cause: out of the seller's hold first, then out of what is
/// releasable, which may fall below zero.
pub(super) fn take(
    cx: &mut Cx<'_>,
    book: &mut Book,
    taking: &Taking<'_>,
) -> Result<Option<LedgerTransactionId>, RefundError> {
    let mut reversals = std::mem::take(&mut book.reversals);
    let mut postings = Vec::new();
    for one in reversals.iter_mut().filter(|one| one.cause == taking.cause) {
        let line = book.line(one.line)?;
        let seller = line.seller;
        let borne = taking.fees.borne_by_seller(&one.parts)?;
        one.from_held = ledger::take_held(cx, &one.line.to_string(), borne)?;
        one.fee_returned = taking.fees == Fees::Returned;
        one.state = ReversalState::Taken;
        sql::update_reversal(cx.tx, cx.caller.tenant, one)?;
        let sides = Sides {
            parts: &one.parts,
            fee_returned: one.fee_returned,
            from_held: one.from_held,
        };
        postings.extend(postings_of(&sides, seller, borne)?);
        let commission = one.parts.get(Part::Affiliate);
        let from = (taking.cause, one.line);
        postings.extend(affiliates::take_back(cx, from, commission)?);
        note_tax(cx, line, (one, &taking.key), false)?;
    }
    book.reversals = reversals;
    post(cx, book.order.id, (&taking.key, taking.reason), postings)
}

/// Keeps what tax went back with a reversal; undoing it is the same as less than nothing.
fn note_tax(
    cx: &mut Cx<'_>,
    line: &Line,
    (one, key): (&LineReversal, &str),
    undone: bool,
) -> Result<(), RefundError> {
    let tax = one.parts.get(Part::Tax);
    let base = one.parts.total()?.checked_sub(tax)?;
    let (sign, base, amount) = match undone {
        false => ("", base, tax),
        true => ("undone:", base.checked_neg()?, tax.checked_neg()?),
    };
    let movement = Movement {
        source: format!("{sign}{key}:{}", line.id),
        way: Way::Refund,
        tax: &line.tax,
        base,
        amount,
    };
    Ok(taxes::note(cx, &movement)?)
}

/// What goes back, by whose it was.
pub(super) struct Sides<'a> {
    /// From which part how much.
    pub parts: &'a Parts,
    /// Whether the platform gives its fee back.
    pub fee_returned: bool,
    /// What of the seller's comes out of the hold.
    pub from_held: Money,
}

pub(super) fn postings_of(
    one: &Sides<'_>,
    seller: mintreu::id::AccountId,
    borne: Money,
) -> Result<Vec<Posting>, RefundError> {
    use AccountKind::{PlatformFee, PspClearing, SellerHeld, SellerReleasable, TaxPayable};
    let platform = Account::platform;
    let none = Money::zero(borne.currency());
    let fee = if one.fee_returned {
        one.parts.get(Part::PlatformFee)
    } else {
        none
    };
    let sides = [
        (platform(PspClearing), one.parts.total()?.checked_neg()?),
        (platform(TaxPayable), one.parts.get(Part::Tax)),
        (platform(PlatformFee), fee),
        (Account::of(SellerHeld, seller), one.from_held),
        (
            Account::of(SellerReleasable, seller),
            borne.checked_sub(one.from_held)?,
        ),
    ];
    Ok(sides
        .map(|(account, amount)| Posting { account, amount })
        .into())
}

/// Posts what isn't nothing; nothing at all isn't posted.
pub(super) fn post(
    cx: &mut Cx<'_>,
    reference: impl ToString,
    (key, reason): (&str, ledger::Reason),
    mut postings: Vec<Posting>,
) -> Result<Option<LedgerTransactionId>, RefundError> {
    postings.retain(|posting| posting.amount.minor() != 0);
    if postings.is_empty() {
        return Ok(None);
    }
    let balanced = Balanced::new(key, reason, reference.to_string(), postings)?;
    let posted: Posted = ledger::post(cx, &balanced)?;
    Ok(Some(posted.id()))
}

/// Undoes what was reserved or taken for a cause: the opposite is posted, and what came out of a
/// hold goes back there.
pub(super) fn undo(
    cx: &mut Cx<'_>,
    book: &mut Book,
    (cause, key): (&str, &str),
) -> Result<(), RefundError> {
    let order = book.order.id.to_string();
    ledger::reverse_key(cx, key, &order)?;
    let mut reversals = std::mem::take(&mut book.reversals);
    for one in reversals.iter_mut().filter(|one| one.cause == cause) {
        if one.state == ReversalState::Taken {
            ledger::put_back(cx, &one.line.to_string(), one.from_held, cause)?;
            affiliates::give_again(cx, (cause, one.line))?;
            note_tax(cx, book.line(one.line)?, (one, key), true)?;
        }
        one.state = ReversalState::Undone;
        sql::update_reversal(cx.tx, cx.caller.tenant, one)?;
    }
    book.reversals = reversals;
    if book.is_disputed() {
        freeze(cx, book)?;
    }
    Ok(())
}

/// Freezes every hold of the order.
pub(super) fn freeze(cx: &mut Cx<'_>, book: &Book) -> Result<(), RefundError> {
    for line in &book.order.lines {
        ledger::freeze(cx, &line.id.to_string())?;
        affiliates::freeze(cx, line.id)?;
    }
    Ok(())
}

/// Ends the freeze, unless another dispute goes on or somebody has yet to look at the order.
pub(super) fn thaw(cx: &mut Cx<'_>, book: &Book) -> Result<(), RefundError> {
    if book.is_disputed() || risk::is_waiting(cx.tx, cx.caller.tenant, book.order.id)? {
        return Ok(());
    }
    for line in &book.order.lines {
        ledger::thaw(cx, &line.id.to_string())?;
        affiliates::thaw(cx, line.id)?;
    }
    Ok(())
}

/// Lets the order and its licenses follow their money.
pub(super) fn follow(cx: &mut Cx<'_>, book: &mut Book) -> Result<(), RefundError> {
    let zero = Money::zero(book.order.total.currency());
    let mut refunded = zero;
    for line in &book.order.lines {
        refunded = refunded.checked_add(book.refunded(line.id)?)?;
    }
    if let Some(event) = event_of(&book.order, refunded) {
        match orders::apply(cx, &mut book.order, event)? {
            Step::Move(OrderState::Refunded) => {
                if !for_fraud(book) {
                    promotions::free_slot(cx, book.order.id)?;
                }
                let order = book.order.id.to_string();
                crate::events::record(cx, "order.refunded", &order, &())?;
            }
            // Back from a refund that failed; an order that never was there has nothing to retake.
            Step::Move(_) => promotions::retake_slot(cx, book.order.id)?,
            Step::Stay => {}
            Step::Refuse => return Err(OrderError::WrongState(book.order.state).into()),
        }
    }
    follow_licenses(cx, book)?;
    review::follow(cx, book)
}

fn follow_licenses(cx: &mut Cx<'_>, book: &Book) -> Result<(), RefundError> {
    for line in &book.order.lines {
        let source = line.id.to_string();
        if let Some(license) = licensing::by_source(cx.tx, cx.caller.tenant, &source)? {
            let why = unpaid(book, line)?;
            licensing::follow_money(cx, license.id, why)?;
            follow_usage(cx, license.id, (why, for_fraud(book)))?;
        }
    }
    Ok(())
}

/// Whether all that was paid for an order went back, or is about to.
pub fn is_gone(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<bool, RefundError> {
    let book = Book::read(tx, tenant, order)?;
    let left = book.left_of(&book.order.lines)?;
    Ok(book.order.total.minor() > 0 && left.minor() == 0)
}

/// Lets licenses that were issued long after the sale follow what became of its money until then.
pub fn catch_up(cx: &mut Cx<'_>, order: OrderId) -> Result<(), RefundError> {
    let book = Book::open(cx, order)?;
    follow_licenses(cx, &book)
}

/// What a license's meters count is billed for as long as its money is there: a refund in full ends
/// that with a last bill of what was used, a fraud without one.
fn follow_usage(
    cx: &mut Cx<'_>,
    license: LicenseId,
    (why, fraud): (Option<Unpaid>, bool),
) -> Result<(), RefundError> {
    match why {
        Some(Unpaid::Refunded) if !fraud => billing::end_plan(cx, license, LastBill::Made)?,
        Some(Unpaid::Refunded | Unpaid::ChargedBack) => {
            billing::end_plan(cx, license, LastBill::Waived)?;
        }
        // A bank that hasn't decided may give the money back.
        Some(Unpaid::Disputed) => {}
        None => billing::resume_plan(cx, license)?,
    }
    Ok(())
}

fn event_of(order: &Order, refunded: Money) -> Option<OrderEvent> {
    let was_refunded = matches!(
        order.state,
        OrderState::PartiallyRefunded | OrderState::Refunded
    );
    if refunded == order.total {
        Some(OrderEvent::FullyRefunded)
    } else if refunded.minor() == 0 {
        was_refunded.then_some(OrderEvent::RefundsFailed)
    } else if order.state == OrderState::Refunded {
        Some(OrderEvent::RefundsShrank)
    } else {
        Some(OrderEvent::PartlyRefunded)
    }
}

/// Whether the newest refund that succeeded answers a fraud: its code isn't given to others.
fn for_fraud(book: &Book) -> bool {
    newest(book).is_some_and(|refund| refund.reason == Reason::Fraud)
}

/// The newest refund that succeeded.
pub(super) fn newest(book: &Book) -> Option<&Refund> {
    let succeeded = |refund: &&Refund| refund.state == RefundState::Succeeded;
    let refunds = book.refunds.iter().filter(succeeded);
    refunds.max_by_key(|refund| refund.id)
}

/// Why a line's license may not work, if it may not. What renews by itself outlives the refund of
/// one of its payments: whether it ends is its subscription's to say.
fn unpaid(book: &Book, line: &Line) -> Result<Option<Unpaid>, RefundError> {
    let taken = |dispute: &&Dispute| {
        let mut of_line = book.reversals.iter().filter(|one| one.line == line.id);
        of_line.any(|one| one.is_of(dispute) && one.state == ReversalState::Taken)
    };
    let disputes = book.disputes.iter().filter(taken);
    let states: Vec<_> = disputes.map(|dispute| dispute.state).collect();
    if states.contains(&DisputeState::Lost) {
        return Ok(Some(Unpaid::ChargedBack));
    }
    if states.contains(&DisputeState::Chargeback) {
        return Ok(Some(Unpaid::Disputed));
    }
    let once = book.is_gift || line.model != PriceModel::Recurring;
    let whole =
        once && line.split.charged.minor() > 0 && book.refunded(line.id)? == line.split.charged;
    Ok((whole && !keeps(book, line)).then_some(Unpaid::Refunded))
}

/// Whether the newest refund that took from the line lets its license work on.
fn keeps(book: &Book, line: &Line) -> bool {
    let of_line = |refund: &&Refund| {
        let cause = refund.id.to_string();
        refund.state == RefundState::Succeeded
            && book
                .reversals
                .iter()
                .any(|one| one.line == line.id && one.cause == cause)
    };
    let newest = book.refunds.iter().filter(of_line).max_by_key(|one| one.id);
    newest.is_some_and(|refund| refund.keeps_license)
}
