//! What happens by itself: the next period, reminders before it, retries, and the end of grace.

use super::super::model::{
    BillKind, COMPLETED, Change, DAY_MS, Event, SELLER_CLOSED, Status, Step, Subscription,
    SubscriptionError, next_status,
};
use super::super::sql;
use super::{
    Done, NewBill, bill, bill_usage, discontinue, due, end, expect, keep, known, rest, take_over,
    tell, upgrade,
};
use crate::app::Cx;
use crate::domains::catalog::Standing;
use crate::domains::licensing::Suspended;
use crate::domains::orders::{self, OrderEvent, OrderState};
use crate::queue;
use mintreu::id::SubscriptionId;
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// The job that begins the next period.
pub const RENEW_JOB: &str = "subscriptions.process_renewal";
/// The job that tells of a renewal before it.
pub const REMIND_JOB: &str = "subscriptions.send_renewal_reminder";
/// The job that tries a declined renewal again.
pub const RETRY_JOB: &str = "subscriptions.retry_renewal";
/// The job that looks whether a license's grace is over.
pub const CHECK_JOB: &str = "subscriptions.check_expired_license";

/// Periods that are reminded of are this long, in days.
const LONG_DAYS: i64 = 365;
/// How many days before.
const REMIND_DAYS: i64 = 7;
/// How many days before a trial ends that lasts at least as long; shorter ones have one.
const REMIND_TRIAL_DAYS: i64 = 3;

/// The payload of these jobs: one that was overtaken does nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeriodJob {
    subscription: String,
    period: i64,
    /// Which failure is answered, for retries.
    #[serde(default)]
    failures: i64,
}

impl PeriodJob {
    fn of(of: &Subscription) -> Self {
        Self {
            subscription: of.id.to_string(),
            period: of.period,
            failures: of.failures,
        }
    }

    /// The subscription while it is still in the period that the job is about.
    fn current(&self, cx: &mut Cx<'_>) -> Done<Option<Subscription>> {
        let id = SubscriptionId::parse(&self.subscription);
        let id = id.map_err(|error| SubscriptionError::Payload(error.to_string()))?;
        Ok(Some(known(cx, id)?).filter(|found| found.period == self.period))
    }
}

fn enqueue(cx: &mut Cx<'_>, kind: &'static str, of: &Subscription, at: Timestamp) -> Done {
    let name = format!("{} {} {}", of.id, of.period, of.failures);
    queue::enqueue_once(cx, kind, &name, &PeriodJob::of(of), at)?;
    Ok(())
}

/// Plans the end of the running period, and what is told before it.
pub(super) fn plan(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    enqueue(cx, RENEW_JOB, of, of.until)?;
    let days = of.until.since_ms(of.from) / DAY_MS;
    let before = match of.status {
        Status::Trialing if days >= REMIND_TRIAL_DAYS => REMIND_TRIAL_DAYS,
        Status::Trialing if days >= 1 => 1,
        Status::Active if of.cycle.rough_days() >= LONG_DAYS => REMIND_DAYS,
        _ => return Ok(()),
    };
    let at = of.until.plus_ms(-before * DAY_MS);
    match at > of.from {
        true => enqueue(cx, REMIND_JOB, of, at),
        false => Ok(()),
    }
}

/// Plans the end of the license's grace.
pub(super) fn plan_check(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    let at = cx.now.plus_ms(of.grace_days.saturating_mul(DAY_MS));
    enqueue(cx, CHECK_JOB, of, at)
}

/// Tells that a renewal or the end of a trial is near, unless it won't happen.
pub fn send_reminder(cx: &mut Cx<'_>, job: &PeriodJob) -> Done {
    let Some(of) = job.current(cx)? else {
        return Ok(());
    };
    let sold = rest::standing(cx, &of)? == Standing::Active;
    let nears = matches!(of.status, Status::Active | Status::Trialing) && cx.now < of.until && sold;
    let wished = of.cancel_wished_at.is_some() || of.pause_wished_at.is_some() || of.is_last();
    match (nears && !wished, of.status) {
        (true, Status::Trialing) => tell(cx, "subscription.trial_ends_soon", &of),
        (true, _) => tell(cx, "subscription.renews_soon", &of),
        (false, _) => Ok(()),
    }
}

/// Ends the running period and begins what follows. Running it twice renews once: the period that
/// the job names is over by then.
pub fn process_renewal(cx: &mut Cx<'_>, job: &PeriodJob) -> Done {
    let Some(mut of) = job.current(cx)? else {
        return Ok(());
    };
    if of.until > cx.now {
        // The period grew since this was planned.
        return plan(cx, &of);
    }
    period_over(cx, &mut of)
}

/// What follows a period that is over: nothing that is charged while its seller doesn't sell.
pub(super) fn period_over(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    if of.status == Status::Active && of.is_last() {
        return end(cx, of, COMPLETED);
    }
    let counted = of.status == Status::Active && of.payments_left.is_some();
    if counted && super::open_bill(cx, of)?.is_some() {
        // A payment is on its way: nobody is asked for one more than was agreed.
        of.until = of.until.plus_ms(DAY_MS);
        keep(cx, of)?;
        return plan(cx, of);
    }
    discontinue::mark(cx, of)?;
    let Step::Move(next) = next_status(of.status, of.flags(), Event::PeriodEnded) else {
        return Ok(());
    };
    let trial = of.status == Status::Trialing;
    match (next, rest::standing(cx, of)?) {
        (Status::Canceled, standing) => {
            let usual = match standing {
                Standing::Closed => SELLER_CLOSED,
                _ if trial => "trial_over",
                _ => "canceled",
            };
            let why = of.cancel_reason.clone();
            end(cx, of, why.as_deref().unwrap_or(usual))
        }
        (Status::Paused, _) => pause(cx, of),
        (_, Standing::Suspended) => rest::hold(cx, of),
        (_, Standing::Closed) => end(cx, of, SELLER_CLOSED),
        (Status::Active, Standing::Active) => cycle(cx, of),
        _ => wait_for_method(cx, of),
    }
}

fn pause(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    bill_usage(cx, of)?;
    of.status = Status::Paused;
    of.pause_wished_at = None;
    keep(cx, of)?;
    upgrade::stop(cx, of, Suspended::Paused)?;
    tell(cx, "subscription.paused", of)
}

/// Nothing can be charged: the license works for its grace, and a method brings it back.
fn wait_for_method(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    of.status = Status::Incomplete;
    of.past_due_at = Some(cx.now);
    keep(cx, of)?;
    plan_check(cx, of)?;
    tell(cx, "subscription.method_missing", of)
}

/// Makes of it what its next period is: an announced price and a planned change hold from then on.
pub(super) fn advance(of: &mut Subscription) -> Done {
    let from = of.until;
    if let Some((unit, since)) = of.notice
        && since <= from
    {
        let before = of.price;
        of.unit = Money::new(unit, of.currency());
        of.price = of.notice_price.unwrap_or(before);
        (of.notice, of.notice_price) = (None, None);
        let waits = of.pending.as_mut();
        if let Some(pending) = waits.filter(|pending| pending.price == before.to_string()) {
            // Fewer seats that were wished at the price as it was are wished at this one.
            pending.price = of.price.to_string();
            pending.unit_minor = unit;
        }
    }
    if let Some(pending) = of.pending.take() {
        take_over(of, &pending, from)?;
    }
    of.status = Status::Active;
    of.period += 1;
    of.from = from;
    of.until = of.cycle.end_after(of.anchor, &of.zone(), from);
    Ok(())
}

/// The cycle advances first; then its bill is placed and charged.
fn cycle(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    advance(of)?;
    keep(cx, of)?;
    plan(cx, of)?;
    tell(cx, "subscription.cycled", of)?;
    let new = NewBill {
        kind: BillKind::Renewal,
        unit: of.unit,
        quantity: of.seats,
        discount: due::lasting(cx.tx, cx.caller.tenant, of)?,
        period: (of.from, of.until),
        change: None,
    };
    bill(cx, of, new).map(drop)
}

/// Begins a new period from now on, at its full price, once it is paid: after a pause, after the
/// end, or when a method was missing.
pub(super) fn come_back(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    let change = Change {
        restart: true,
        ..of.as_change()
    };
    let until = of.cycle.end_after(cx.now, &of.zone(), cx.now);
    let new = NewBill {
        kind: BillKind::Return,
        unit: of.unit,
        quantity: of.seats,
        discount: Money::zero(of.currency()),
        period: (cx.now, until),
        change: Some(change),
    };
    bill(cx, of, new).map(drop)
}

/// Notes a declined renewal: another try later, or none any more.
pub(super) fn note_decline(cx: &mut Cx<'_>, of: &mut Subscription, days: Option<i64>) -> Done {
    let first = of.past_due_at.is_none();
    of.failures += 1;
    of.past_due_at = of.past_due_at.or(Some(cx.now));
    of.next_attempt_at = days.map(|days| cx.now.plus_ms(days * DAY_MS));
    keep(cx, of)?;
    if let Some(at) = of.next_attempt_at {
        enqueue(cx, RETRY_JOB, of, at)?;
    }
    if first {
        plan_check(cx, of)?;
        tell(cx, "subscription.past_due", of)?;
    }
    tell(cx, "subscription.payment_declined", of)
}

/// Tries a declined renewal again, unless that happened meanwhile.
pub fn retry_renewal(cx: &mut Cx<'_>, job: &PeriodJob) -> Done {
    match job.current(cx)? {
        Some(mut of) if of.status == Status::PastDue && of.failures == job.failures => {
            retry_now(cx, &mut of)
        }
        _ => Ok(()),
    }
}

/// Charges the open renewal once more; one that is being charged is left alone, and so is all while
/// the seller doesn't sell.
pub(super) fn retry_now(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    if rest::standing(cx, of)? != Standing::Active {
        return Ok(());
    }
    let Some(open) = super::open_bill(cx, of)? else {
        return Ok(());
    };
    let mut order = orders::by_id(cx, open.order)?;
    if order.state != OrderState::Failed {
        return Ok(());
    }
    of.next_attempt_at = None;
    keep(cx, of)?;
    orders::apply(cx, &mut order, OrderEvent::PaymentRetried)?;
    expect(cx, of, &order)
}

/// When the grace is over and nothing was paid: the license stops, and so does a subscription
/// that nothing is tried for any more.
pub fn check_expired(cx: &mut Cx<'_>, job: &PeriodJob) -> Done {
    let id = SubscriptionId::parse(&job.subscription);
    let id = id.map_err(|error| SubscriptionError::Payload(error.to_string()))?;
    let mut of = known(cx, id)?;
    let grace = of.grace_days.saturating_mul(DAY_MS);
    let over = of
        .past_due_at
        .is_some_and(|since| since.plus_ms(grace) <= cx.now);
    if !over || !matches!(of.status, Status::PastDue | Status::Incomplete) {
        return Ok(());
    }
    if rest::standing(cx, &of)? == Standing::Suspended {
        return rest::hold(cx, &mut of);
    }
    let charging = match super::open_bill(cx, &of)? {
        Some(open) => orders::by_id(cx, open.order)?.state == OrderState::AwaitingPayment,
        None => false,
    };
    if of.next_attempt_at.is_none() && !charging {
        return end(cx, &mut of, "unpaid");
    }
    upgrade::stop(cx, &mut of, Suspended::Unpaid)?;
    tell(cx, "subscription.lapsed", &of)
}

/// Forgets that a renewal was ever declined.
pub(super) fn recovered(of: &mut Subscription) {
    of.failures = 0;
    (of.next_attempt_at, of.past_due_at) = (None, None);
}

/// Whether a bill that changes the subscription is on its way.
pub(super) fn refuse_while_open(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    if of.disputed.is_some() {
        return Err(SubscriptionError::Disputed);
    }
    let tenant = cx.caller.tenant;
    let open = sql::bills(cx.tx, tenant, of.id)?;
    match open.iter().any(|bill| !bill.settled) {
        true => Err(SubscriptionError::BillOpen),
        false => Ok(()),
    }
}
