//! What the running period was really paid with: a code made it cheaper, a refund gave it back. A
//! change credits no more than that.

use super::super::model::{Change, Subscription};
use super::super::sql;
use super::Done;
use crate::domains::licensing;
use crate::domains::orders::{self, Line, Order};
use crate::domains::refunds;
use crate::store::Tx;
use mintreu::Money;
use mintreu::id::TenantId;

/// What was paid for an order's lines, less what codes took off; without tax that comes on top.
pub(super) fn net(order: &Order) -> Done<Option<Money>> {
    let mut sum = None;
    for line in &order.lines {
        let net = net_of(line)?;
        sum = Some(match sum {
            None => net,
            Some(sum) => net.checked_add(sum)?,
        });
    }
    Ok(sum)
}

fn net_of(line: &Line) -> Done<Money> {
    Ok(line.split.gross.checked_sub(line.split.discount)?)
}

/// A paid change begins a period at its price, or adds its seats' price to what the running one was
/// paid with.
pub(super) fn change(of: &mut Subscription, change: &Change) -> Done {
    let price = Money::new(change.unit_minor, of.currency()).checked_mul(change.seats)?;
    let more = price.checked_sub(of.amount()?)?;
    of.paid = match (change.restart, of.paid) {
        (true, _) => Some(price),
        (false, Some(paid)) => Some(paid.checked_add(more)?),
        (false, None) => None,
    };
    Ok(())
}

/// What the running period was paid with, and didn't go back.
pub(super) fn worth(tx: &mut dyn Tx, tenant: TenantId, of: &Subscription) -> Done<Money> {
    let mut worth = match of.paid {
        Some(paid) => paid,
        None => of.amount()?,
    };
    for (order, line) in paid_by(tx, tenant, of)? {
        let left = refunds::left_of(tx, tenant, &order)?;
        let of_lines = order.lines.iter().zip(left);
        for (one, left) in of_lines.filter(|(one, _)| line.is_none_or(|line| line == one.id)) {
            worth = worth.checked_sub(gone(one, left)?)?;
        }
    }
    Ok(Money::new(worth.minor().max(0), of.currency()))
}

/// The part of a line's price that went back, when so much of what was charged is left.
fn gone(line: &Line, left: Money) -> Done<Money> {
    let charged = line.split.charged.minor().max(0);
    let left = left.minor().clamp(0, charged);
    if left == charged {
        return Ok(Money::zero(line.split.charged.currency()));
    }
    let weights = [charged - left, left].map(i64::unsigned_abs);
    let parts = net_of(line)?.split(&weights)?;
    let zero = Money::zero(line.split.charged.currency());
    Ok(parts.first().copied().unwrap_or(zero))
}

type PaidBy = Vec<(Order, Option<mintreu::id::OrderLineId>)>;

/// The orders that paid for the running period; of the first sale, the line that began it.
fn paid_by(tx: &mut dyn Tx, tenant: TenantId, of: &Subscription) -> Done<PaidBy> {
    let mut found = Vec::new();
    let bills = sql::bills(tx, tenant, of.id)?.into_iter();
    for bill in bills.filter(|bill| bill.settled && bill.period.0 >= of.from) {
        found.extend(orders::find(tx, tenant, bill.order)?.map(|order| (order, None)));
    }
    if let Some(first) = of.order.filter(|_| of.period == 0) {
        let license = licensing::by_id(tx, tenant, of.license)?;
        let source = license.map(|license| license.source).unwrap_or_default();
        if let Some(order) = orders::find(tx, tenant, first)? {
            let mut lines = order.lines.iter();
            let line = lines.find(|line| line.id.to_string() == source);
            let line = line.map(|line| line.id);
            found.extend(line.map(|line| (order, Some(line))));
        }
    }
    Ok(found)
}
