//! What people see of refunds and disputes: the buyer's whole order, a seller's own line.

use super::effect::Book;
use super::model::{
    Dispute, DisputeState, LineReversal, Reason, Refund, RefundError, RefundState, ReversalState,
    Taken,
};
use super::{ops, sql};
use crate::app::ReadCx;
use crate::caller::Capability;
use crate::domains::ledger::{self, Held};
use crate::domains::licensing::{self, License};
use crate::domains::orders::{self, Line, Order};
use crate::domains::payments::{self, Payable, Payment};
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{OrderId, OrderLineId, RefundId, TenantId};

/// What became of the money of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OfOrder {
    /// In the order they were asked for.
    pub refunds: Vec<Refund>,
    /// In the order they were heard of.
    pub disputes: Vec<Dispute>,
}

/// Refunds and disputes of an order, whoever asks: the caller of this function knows who may.
pub fn of_order(cx: &mut ReadCx<'_>, order: OrderId) -> Result<OfOrder, RefundError> {
    let tenant = cx.caller.tenant;
    Ok(OfOrder {
        refunds: sql::refunds_of(cx.tx, tenant, order)?,
        disputes: sql::disputes_of(cx.tx, tenant, order)?,
    })
}

/// Which of these orders a bank asks about, undecided; whoever asks, as for [`of_order`].
pub fn open_disputes(
    cx: &mut ReadCx<'_>,
    orders: &Vec<OrderId>,
) -> Result<Vec<OrderId>, RefundError> {
    let mut asked = Vec::new();
    for order in orders {
        let found = sql::disputes_of(cx.tx, cx.caller.tenant, *order)?;
        if found.iter().any(|one| one.state.is_open()) {
            asked.push(*order);
        }
    }
    Ok(asked)
}

/// Whether a bank asks about an order's payment or has taken it, undecided.
pub fn is_disputed(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<bool, StoreError> {
    let disputes = sql::disputes_of(tx, tenant, order)?;
    Ok(disputes.iter().any(|one| one.state.is_open()))
}

/// What a bank has of an order's money; what it keeps for good outweighs what it hasn't decided.
pub fn taken_by_bank(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Taken>, StoreError> {
    let disputes = sql::disputes_of(tx, tenant, order)?;
    let stands = |state| disputes.iter().any(|one| one.state == state);
    Ok(
        match (stands(DisputeState::Lost), stands(DisputeState::Chargeback)) {
            (true, _) => Some(Taken::Lost),
            (false, true) => Some(Taken::Undecided),
            (false, false) => None,
        },
    )
}

/// Whether a refund of the order that succeeded ends the subscription that the order pays for: one
/// that says so, and one for fraud, since the card isn't who subscribed's.
pub fn ends_subscription(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<bool, StoreError> {
    let refunds = sql::refunds_of(tx, tenant, order)?;
    let succeeded = |refund: &&Refund| refund.state == RefundState::Succeeded;
    let ends = |refund: &Refund| refund.ends_subscription || refund.reason == Reason::Fraud;
    Ok(refunds.iter().filter(succeeded).any(ends))
}

/// What a refund or a dispute takes, or took, of each line of an order.
pub fn taken_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, cause): (OrderId, &str),
) -> Result<Vec<(OrderLineId, Money)>, RefundError> {
    let mut taken = Vec::new();
    for one in sql::reversals_of(tx, tenant, order)? {
        let rest = one.cause.strip_prefix(cause);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')) {
            taken.push((one.line, one.parts.total()?));
        }
    }
    Ok(taken)
}

/// What could be refunded of a line of an order now, or why nothing can.
pub fn refundable(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, line): (&Order, OrderLineId),
) -> Result<Money, RefundError> {
    let book = Book::read(tx, tenant, order.id)?;
    ops::check(&book)?;
    let line = order.lines.iter().find(|one| one.id == line);
    book.left(line.ok_or(RefundError::NotFound)?)
}

/// Where each refund of an order stands, whoever asks, as for [`of_order`].
pub fn states_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<(RefundId, RefundState)>, StoreError> {
    let refunds = sql::refunds_of(tx, tenant, order)?.into_iter();
    Ok(refunds.map(|refund| (refund.id, refund.state)).collect())
}

/// What is left to refund of each line of an order, in their order.
pub fn left_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: &Order,
) -> Result<Vec<Money>, RefundError> {
    let reversals = sql::reversals_of(tx, tenant, order.id)?;
    let left_of = |line: &Line| {
        let of_line: Vec<_> = reversals.iter().filter(|one| one.line == line.id).collect();
        left(line, &of_line)
    };
    order.lines.iter().map(left_of).collect()
}

/// A sold line as its seller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfLine {
    /// The line.
    pub line: Line,
    /// Its order.
    pub order: Order,
    /// Each refund that took from the line, with how much of it was this line's.
    pub refunds: Vec<(Refund, Money)>,
    /// Disputes about the order.
    pub disputes: Vec<Dispute>,
    /// What is left to refund.
    pub left: Money,
    /// The same of all of the bundle that it was sold in; `None` when it was sold in none.
    pub bundle_left: Option<Money>,
    /// Whether a refund would be refused because a bank asks.
    pub disputed: bool,
    /// What is, or was, held of the seller's part.
    pub hold: Option<Held>,
    /// What the buyer got for it.
    pub license: Option<License>,
    /// What paid the order; `None` when nothing was to be paid.
    pub payment: Option<Payment>,
}

/// A line of the caller's own sales with its refunds and disputes; any line for the platform.
pub fn of_line(cx: &mut ReadCx<'_>, id: &OrderLineId) -> Result<OfLine, RefundError> {
    let tenant = cx.caller.tenant;
    let order = orders::of_line(cx.tx, tenant, *id)?.ok_or(RefundError::NotFound)?;
    let order = orders::find(cx.tx, tenant, order)?.ok_or(RefundError::NotFound)?;
    let (me, platform) = (cx.caller.account, cx.caller.may(Capability::Administer));
    let line = order.lines.iter().find(|line| line.id == *id);
    let line = line
        .filter(|line| platform || (me.is_some() && Some(line.seller) == me))
        .ok_or(RefundError::NotFound)?
        .clone();
    let found = of_order(cx, order.id)?;
    let reversals = sql::reversals_of(cx.tx, tenant, order.id)?;
    let of_line: Vec<_> = reversals.iter().filter(|one| one.line == *id).collect();
    let mut refunds = Vec::new();
    for refund in found.refunds {
        let cause = refund.id.to_string();
        if let Some(one) = of_line.iter().find(|one| one.cause == cause) {
            refunds.push((refund, one.parts.total()?));
        }
    }
    let left = left(&line, &of_line)?;
    let bundle_left = bundle_left(&order, &line, &reversals)?;
    let source = line.id.to_string();
    Ok(OfLine {
        hold: ledger::hold_of(cx.tx, tenant, &source)?,
        license: licensing::by_source(cx.tx, tenant, &source)?,
        payment: payments::paid_by(cx.tx, tenant, &Payable::new(order.id))?,
        disputed: found.disputes.iter().any(|one| one.state.is_open()),
        disputes: found.disputes,
        line,
        order,
        refunds,
        left,
        bundle_left,
    })
}

/// What is left of all of the bundle that a line was sold in.
fn bundle_left(
    order: &Order,
    line: &Line,
    reversals: &[LineReversal],
) -> Result<Option<Money>, RefundError> {
    if line.bundle.is_none() {
        return Ok(None);
    }
    let mut sum = Money::zero(order.total.currency());
    for part in order.lines.iter().filter(|part| part.bundle == line.bundle) {
        let of_part: Vec<_> = reversals.iter().filter(|one| one.line == part.id).collect();
        sum = sum.checked_add(left(part, &of_part)?)?;
    }
    Ok(Some(sum))
}

fn left(line: &Line, reversals: &[&LineReversal]) -> Result<Money, RefundError> {
    let mut left = line.split.charged;
    for one in reversals
        .iter()
        .filter(|one| one.state != ReversalState::Undone)
    {
        left = left.checked_sub(one.parts.total()?)?;
    }
    Ok(left)
}
