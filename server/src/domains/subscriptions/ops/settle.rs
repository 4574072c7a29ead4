//! What a bill's payment, or its failure, makes of the subscription: in the commit that settles it.

use super::super::model::{
    Bill, BillKind, COMPLETED, Event, RETRY_DAYS, Status, Step, Subscription, next_status,
};
use super::super::sql;
use super::{
    Done, discontinue, end, extend, give_up_bill, keep, known, renew, take_over, tell, upgrade,
    worth,
};
use crate::app::Cx;
use crate::domains::orders::{self, Invoiced, Order};
use crate::domains::payments::{self, Payable};
use crate::gateways;
use crate::store::{StoreError, Tx};
use mintreu::id::{InvoiceId, OrderId, TenantId};

/// What an order pays for, when it is a bill of a subscription.
pub fn of_order(cx: &mut Cx<'_>, order: OrderId) -> Done<Option<Bill>> {
    Ok(sql::find_bill(cx.tx, cx.caller.tenant, order)?)
}

/// Whether an order is the bill of a subscription that was there before it.
pub fn is_bill(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<bool, StoreError> {
    Ok(sql::find_bill(tx, tenant, order)?.is_some())
}

/// The bill was paid: the license is signed anew, what it was for holds, and its invoice is issued.
pub fn paid(cx: &mut Cx<'_>, order: &Order, bill: &Bill) -> Done {
    let mut of = known(cx, bill.subscription)?;
    let before = of.status;
    let first = of.end_reason.as_deref() == Some(upgrade::NOT_BEGUN);
    if let Step::Move(status) = next_status(of.status, of.flags(), Event::Paid) {
        of.status = status;
    }
    if of.disputed.is_some() {
        // Paid for after all: it goes on from there when the bank gives back what it took.
        of.disputed = Some(Status::Active);
    }
    renew::recovered(&mut of);
    if bill.kind != BillKind::Change {
        of.payments_left = of.payments_left.map(|left| (left - 1).max(0));
    }
    (of.ended_at, of.end_reason) = (None, None);
    let began = match (bill.kind, &bill.change) {
        (BillKind::Renewal, _) | (_, None) => {
            of.paid = worth::net(order)?;
            if before == Status::PastDue && of.until <= cx.now {
                // A short period was over before it was paid: it counts from now, and none between
                // is charged, when the license rested.
                of.anchor = cx.now;
                of.from = cx.now;
                of.until = of.cycle.end_after(cx.now, &of.zone(), cx.now);
            }
            before == Status::PastDue && of.from == cx.now
                || before != Status::Active && of.until <= cx.now
        }
        (_, Some(change)) => {
            worth::change(&mut of, change)?;
            take_over(&mut of, change, bill.period.0)?;
            of.pending = None;
            if change.restart {
                of.period += 1;
                (of.from, of.until) = bill.period;
            }
            change.restart
        }
    };
    keep(cx, &of)?;
    if began || before == Status::Canceled {
        renew::plan(cx, &of)?;
    }
    extend(cx, &mut of)?;
    let invoice = invoice(cx, &of, order, bill)?;
    sql::settle_bill(cx.tx, (cx.caller.tenant, order.id), invoice, cx.now)?;
    match first {
        true => tell(cx, "subscription.upgraded", &of)?,
        false => tell(cx, fact(before, bill.kind), &of)?,
    }
    if of.is_last() && of.keeps_license && of.disputed.is_none() {
        // Paid off: nothing is left to wait for.
        return end(cx, &mut of, COMPLETED);
    }
    discontinue::follow(cx, &mut of)
}

const fn fact(before: Status, kind: BillKind) -> &'static str {
    match (kind, before) {
        (BillKind::Change, _) => "subscription.changed",
        (BillKind::Renewal, Status::PastDue) => "subscription.recovered",
        (BillKind::Renewal, _) => "subscription.renewed",
        (BillKind::Return, Status::Paused) => "subscription.resumed",
        (BillKind::Return, Status::Canceled) => "subscription.resubscribed",
        (BillKind::Return, _) => "subscription.completed",
    }
}

/// The bill as a numbered document, paid by the payment that settled it.
fn invoice(
    cx: &mut Cx<'_>,
    of: &Subscription,
    order: &Order,
    bill: &Bill,
) -> Done<Option<InvoiceId>> {
    let payment = payments::latest(cx.tx, cx.caller.tenant, &Payable::new(order.id))?;
    let what = Invoiced {
        source: &format!("subscription:{}", order.id),
        kind: &format!("subscription_{}", bill.kind.code()),
        license: Some(of.license),
        period: bill.period,
        payment: payment.map(|payment| payment.id),
    };
    let issued = orders::invoice_order(cx, order, &what)?;
    Ok(issued.first().map(|invoice| invoice.id))
}

/// The bill was declined. A renewal is tried again in 2, 5, 7 and 7 days, or no more when its
/// method is gone; anything else is called off and nothing has changed.
pub fn declined(cx: &mut Cx<'_>, bill: &Bill, failure_code: Option<&str>) -> Done {
    if bill.settled {
        return Ok(());
    }
    let mut of = known(cx, bill.subscription)?;
    if bill.kind != BillKind::Renewal {
        give_up_bill(cx, &of)?;
        return tell(cx, "subscription.payment_failed", &of);
    }
    match next_status(of.status, of.flags(), Event::PaymentFailed) {
        Step::Move(status) => of.status = status,
        Step::Do => {}
        Step::Stay | Step::Refuse => return Ok(()),
    }
    if failure_code.is_some_and(gateways::is_hard) {
        return renew::note_decline(cx, &mut of, None);
    }
    let tried = usize::try_from(of.failures).unwrap_or(usize::MAX);
    match RETRY_DAYS.get(tried) {
        Some(days) => renew::note_decline(cx, &mut of, Some(*days)),
        None => end(cx, &mut of, "unpaid"),
    }
}
