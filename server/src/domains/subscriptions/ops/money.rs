//! What becomes of a subscription when money of it goes back: while a bank has money of one of its
//! payments nothing is charged; what the bank gives back goes on, and what it keeps ends it. A
//! refund ends it when who refunds says so.

use super::super::model::{
    COMPLETED, Event, SELLER_CLOSED, Status, Step, Subscription, SubscriptionError, next_status,
};
use super::super::sql;
use super::{Done, end, keep, known, renew, rest, tell};
use crate::app::Cx;
use crate::domains::catalog::Standing;
use crate::domains::licensing::{self, Suspended};
use crate::domains::orders::{self, OrderState};
use crate::domains::refunds::{self, Taken};
use crate::queue::JobError;
use mintreu::id::{OrderId, OrderLineId};

/// The subscriptions that an order pays for: those that it began, or the one that billed it.
fn hanging(cx: &mut Cx<'_>, order: OrderId) -> Done<Vec<Subscription>> {
    let tenant = cx.caller.tenant;
    match sql::find_bill(cx.tx, tenant, order)? {
        Some(bill) => Ok(vec![known(cx, bill.subscription)?]),
        None => Ok(sql::of_order(cx.tx, tenant, order)?),
    }
}

/// A dispute about an order changed: what hangs on the order follows, in the same commit.
pub fn follow_dispute(cx: &mut Cx<'_>, order: OrderId) -> Done {
    for mut of in hanging(cx, order)? {
        let taken = match refunds::taken_by_bank(cx.tx, cx.caller.tenant, order)? {
            Some(taken) => Some(taken),
            None => elsewhere(cx, &of)?,
        };
        match taken {
            Some(Taken::Lost) => lost(cx, &mut of)?,
            Some(Taken::Undecided) => opened(cx, &mut of)?,
            None => won(cx, &mut of)?,
        }
    }
    Ok(())
}

/// What a bank has of another payment of the subscription.
fn elsewhere(cx: &mut Cx<'_>, of: &Subscription) -> Done<Option<Taken>> {
    let tenant = cx.caller.tenant;
    let bills = sql::bills(cx.tx, tenant, of.id)?;
    let orders = of.order.into_iter();
    for order in orders.chain(bills.into_iter().map(|bill| bill.order)) {
        if let Some(taken) = refunds::taken_by_bank(cx.tx, tenant, order)? {
            return Ok(Some(taken));
        }
    }
    Ok(None)
}

fn opened(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    if of.disputed.is_some() {
        return Ok(());
    }
    of.disputed = Some(of.status);
    if let Step::Move(status) = next_status(of.status, of.flags(), Event::Disputed) {
        of.status = status;
    }
    of.next_attempt_at = None;
    keep(cx, of)?;
    licensing::suspend(cx, of.license, Suspended::Disputed)?;
    tell(cx, "subscription.disputed", of)
}

/// Ended with the reason; it stays marked, so that nobody takes up what a bank has the money of.
fn lost(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    of.disputed = of.disputed.or(Some(of.status));
    match of.status {
        Status::Canceled if !of.is_kept() => keep(cx, of),
        _ => end(cx, of, "chargeback"),
    }
}

fn won(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    let Some(before) = of.disputed.take() else {
        return Ok(());
    };
    let stopped = matches!(before, Status::Active | Status::PastDue);
    match (of.status, stopped) {
        (Status::Paused, true) => go_on(cx, of)?,
        (Status::Canceled, _) if of.is_kept() => {
            keep(cx, of)?;
            licensing::restore(cx, of.license)?;
        }
        (Status::Canceled, _) => {
            keep(cx, of)?;
            // Its money is there again, and the subscription isn't.
            licensing::suspend(cx, of.license, Suspended::Ended)?;
        }
        (Status::Paused, false) => {
            keep(cx, of)?;
            licensing::suspend(cx, of.license, Suspended::Paused)?;
        }
        _ => {
            keep(cx, of)?;
            licensing::restore(cx, of.license)?;
        }
    }
    tell(cx, "subscription.undisputed", of)
}

/// From where it stood: a renewal that was declined is tried again, a period that runs goes on, and
/// one that is over is followed by a new one that begins now.
fn go_on(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    let open = match super::open_bill(cx, of)? {
        Some(bill) => Some(orders::by_id(cx, bill.order)?.state),
        None => None,
    };
    if open.is_none() && of.is_last() && (of.keeps_license || of.until <= cx.now) {
        return end(cx, of, COMPLETED);
    }
    let over = of.until <= cx.now || open == Some(OrderState::Failed);
    if over && of.cancel_wished_at.is_some() {
        let why = of.cancel_reason.clone();
        return end(cx, of, why.as_deref().unwrap_or("canceled"));
    }
    if open.is_none() && of.until <= cx.now {
        return match (rest::standing(cx, of)?, of.method.is_some()) {
            (Standing::Closed, _) => end(cx, of, SELLER_CLOSED),
            // It goes on from here when its seller does.
            (Standing::Suspended, _) => {
                of.status = Status::Active;
                keep(cx, of)?;
                licensing::restore(cx, of.license)?;
                rest::hold(cx, of)
            }

            (Standing::Active, true) => {
                keep(cx, of)?;
                renew::come_back(cx, of)
            }
            (Standing::Active, false) => keep(cx, of),
        };
    }
    of.status = match open {
        Some(OrderState::Failed) => Status::PastDue,
        _ => Status::Active,
    };
    keep(cx, of)?;
    licensing::restore(cx, of.license)?;
    match of.status {
        Status::PastDue => renew::retry_now(cx, of),
        _ => Ok(()),
    }
}

/// Hears that an order was refunded in full: it ends what it pays for when its refund says so.
pub fn on_fact(cx: &mut Cx<'_>, event: &crate::events::Event) -> Result<(), JobError> {
    if event.kind != "order.refunded" {
        return Ok(());
    }
    let order = OrderId::parse(&event.subject).map_err(JobError::fail)?;
    Ok(refunded(cx, order)?)
}

fn refunded(cx: &mut Cx<'_>, order: OrderId) -> Result<(), SubscriptionError> {
    if !refunds::ends_subscription(cx.tx, cx.caller.tenant, order)? {
        return Ok(());
    }
    for mut of in hanging(cx, order)? {
        if runs(&of) {
            end(cx, &mut of, "refunded")?;
        }
    }
    Ok(())
}

/// Whether there is something to take back: it isn't over, or its license is its buyer's for good.
fn runs(of: &Subscription) -> bool {
    of.status != Status::Canceled || of.is_kept()
}

/// The buyer withdrew from lines of an order: the subscriptions that those began end at once, whatever
/// becomes of the rest of the order.
pub fn withdrawn(cx: &mut Cx<'_>, order: OrderId, lines: &[OrderLineId]) -> Done {
    for mut of in sql::of_order(cx.tx, cx.caller.tenant, order)? {
        let license = licensing::by_id(cx.tx, cx.caller.tenant, of.license)?;
        let began = license.and_then(|license| OrderLineId::parse(&license.source).ok());
        if began.is_some_and(|line| lines.contains(&line)) && runs(&of) {
            end(cx, &mut of, "refunded")?;
        }
    }
    Ok(())
}
