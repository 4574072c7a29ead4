//! Changes of what is bought: seats and plans, and prices that a seller moves.

use super::super::model::{
    BillKind, Change, ChangeQuote, Event, Quote, Status, Step, Subscription, SubscriptionError,
    next_status, prorate, restart,
};
use super::super::sql;
use super::begin::cycle_of;
use super::{Done, NewBill, bill, extend, keep, own, renew, rest, take_over, tell};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::{self, Price, PriceModel};
use crate::domains::orders::OrderError;
use crate::domains::orders::ops::MAX_QUANTITY;
use crate::domains::taxes::Tax;
use crate::store::Tx;
use mintreu::id::{PriceId, SubscriptionId, TenantId};
use mintreu::{Money, Timestamp};

/// Asks what a change would cost.
#[derive(Debug, Clone, Copy)]
pub struct AskChange {
    /// Which subscription.
    pub subscription: SubscriptionId,
    /// Another price of the same product.
    pub price: Option<PriceId>,
    /// Another number of seats.
    pub seats: Option<i64>,
}

/// Changes seats, plan or both.
#[derive(Debug, Clone, Copy)]
pub struct ChangePlan {
    /// What is asked for.
    pub ask: AskChange,
    /// What was seen to be due now.
    pub seen: Money,
}

impl Command for ChangePlan {
    const NAME: &'static str = "subscriptions.change_plan";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.ask.subscription.to_string())
    }
}

/// What a change would cost its buyer; it holds until their midnight.
pub fn quote_change(cx: &mut ReadCx<'_>, ask: &AskChange) -> Done<ChangeQuote> {
    let found = sql::find(cx.tx, cx.caller.tenant, ask.subscription)?;
    let of = found.ok_or(SubscriptionError::NotFound)?;
    let owner = super::payer(cx.tx, cx.caller.tenant, &of)?;
    if owner.is_none() || owner != cx.caller.account {
        return Err(SubscriptionError::NotFound);
    }
    quote(cx.tx, (cx.caller.tenant, cx.now), &of, ask)
}

fn quote(
    tx: &mut dyn Tx,
    (tenant, now): (TenantId, Timestamp),
    of: &Subscription,
    ask: &AskChange,
) -> Done<ChangeQuote> {
    if next_status(of.status, of.flags(), Event::Change) == Step::Refuse {
        return Err(SubscriptionError::WrongStatus(of.status));
    }
    let seats = ask.seats.unwrap_or(of.seats);
    let other = ask.price.is_some_and(|price| price != of.price);
    if of.payments_left.is_some() && (other || of.keeps_license) {
        return Err(SubscriptionError::FixedLength);
    }
    if !(1..=MAX_QUANTITY).contains(&seats) {
        return Err(invalid("seats", format!("1 to {MAX_QUANTITY} seats")));
    }
    let mut change = Change {
        seats,
        ..of.as_change()
    };
    if let Some(price) = ask.price.filter(|price| *price != of.price) {
        let price = wanted(tx, tenant, of, price)?;
        let cycle = cycle_of(price.period);
        change.price = price.id.to_string();
        change.unit_minor = price.amount.minor();
        change.cycle_unit = cycle.unit().code().to_owned();
        change.cycle_count = cycle.count();
    }
    if change == of.as_change() && of.pending.is_none() {
        return Err(invalid(
            "seats",
            "this is what the subscription has".to_owned(),
        ));
    }
    let worth = super::worth::worth(tx, tenant, of)?;
    let tax = super::tax_of(tx, (tenant, now), of)?;
    let quoted = decide(of, change, (worth, tax, now))?;
    let then = super::due::due_with(tx, tenant, &after(of, &quoted, now)?, quoted.tax.clone())?;
    Ok(ChangeQuote {
        next_charge: then.next,
        ..quoted
    })
}

/// The subscription when it has changed: as its next period finds it.
fn after(of: &Subscription, quoted: &ChangeQuote, now: Timestamp) -> Done<Subscription> {
    let mut then = of.clone();
    if !quoted.now {
        then.pending = Some(quoted.change.clone());
        return Ok(then);
    }
    take_over(&mut then, &quoted.change, now)?;
    then.pending = None;
    if quoted.change.restart {
        then.period += 1;
        (then.from, then.until) = (now, quoted.next);
    }
    Ok(then)
}

pub(super) fn invalid(field: &'static str, detail: String) -> SubscriptionError {
    SubscriptionError::Invalid { field, detail }
}

/// A price of the same product that recurs, in the same currency.
fn wanted(tx: &mut dyn Tx, tenant: TenantId, of: &Subscription, price: PriceId) -> Done<Price> {
    let offer = catalog::offer(tx, tenant, price)?.ok_or(OrderError::OfferGone)?;
    // A price of some countries is had by a checkout from there, where the country is asked for.
    let fits = |price: &Price| {
        price.model == PriceModel::Recurring
            && price.amount.currency() == of.currency()
            && price.serves(None)
            && price.bounds.renewing.payments.is_none()
    };
    match offer.product.id == of.product && fits(&offer.price) {
        true => Ok(offer.price),
        false => {
            let detail = "a recurring price of the same product and currency, of no fixed number of payments";
            Err(invalid("price_id", detail.to_owned()))
        }
    }
}

/// More is paid and given now; less waits for the next period. In a trial everything is at once.
fn decide(
    of: &Subscription,
    mut change: Change,
    (worth, tax, now): (Money, Tax, Timestamp),
) -> Done<ChangeQuote> {
    let price = Money::new(change.unit_minor, of.currency()).checked_mul(change.seats)?;
    let old = of.amount()?;
    let zone = of.zone();
    let mut changed = of.clone();
    take_over(&mut changed, &change, now)?;
    let longer = changed.cycle.rough_days() - of.cycle.rough_days();
    let up = longer > 0 || (longer == 0 && price.minor() > old.minor());
    let plan = change.price != of.price.to_string();
    let quote = match plan {
        true => restart(&of.paid_with(worth), price, now, &zone)?,
        // Seats alone cost what they cost, whatever those that are there were paid with.
        false => prorate(&of.paid_with(old), price, now, &zone)?,
    };
    let at_once = of.status == Status::Trialing;
    let nothing = Money::zero(of.currency());
    let free = Quote {
        credit: nothing,
        charge: nothing,
        due: nothing,
    };
    let now_paid = up && quote.due.minor() >= 0 && !at_once;
    change.restart = plan && now_paid;
    let next = match change.restart {
        true => changed.cycle.end_after(now, &zone, now),
        false => of.until,
    };
    Ok(ChangeQuote {
        quote: if now_paid { quote } else { free },
        from: if now_paid || at_once { now } else { of.until },
        now: now_paid || at_once,
        amount: price,
        next_charge: tax.on(price)?.charged,
        change,
        next,
        tax,
    })
}

/// Changes seats or plan as it was quoted. What is due now is charged first, and nothing changes
/// unless it is paid; a later change takes the place of one that waits.
pub fn change_plan(cx: &mut Cx<'_>, cmd: &ChangePlan) -> Done<ChangeQuote> {
    let mut of = own(cx, cmd.ask.subscription)?;
    let at = (cx.caller.tenant, cx.now);
    let quoted = quote(cx.tx, at, &of, &cmd.ask)?;
    if quoted.quote.due != cmd.seen {
        return Err(SubscriptionError::AmountChanged(quoted.quote.due));
    }
    rest::refuse_unless_sold(cx, &of)?;
    renew::refuse_while_open(cx, &of)?;
    if quoted.now && quoted.quote.due.minor() > 0 {
        if of.method.is_none() {
            return Err(SubscriptionError::MethodMissing);
        }
        let until = match quoted.change.restart {
            true => quoted.next,
            false => of.until,
        };
        let new = NewBill {
            kind: BillKind::Change,
            unit: quoted.quote.due,
            quantity: 1,
            discount: Money::zero(of.currency()),
            period: (cx.now, until),
            change: Some(quoted.change.clone()),
        };
        bill(cx, &of, new)?;
        return Ok(quoted);
    }
    match quoted.now {
        true => apply_now(cx, &mut of, &quoted)?,
        false => of.pending = Some(quoted.change.clone()).filter(|one| *one != of.as_change()),
    }
    keep(cx, &of)?;
    let fact = match quoted.now {
        true => "subscription.changed",
        false => "subscription.change_planned",
    };
    tell(cx, fact, &of)?;
    Ok(quoted)
}

/// A change that costs nothing now: in a trial, or on the last day of a period.
fn apply_now(cx: &mut Cx<'_>, of: &mut Subscription, quoted: &ChangeQuote) -> Done {
    let anchor = of.anchor;
    if of.status != Status::Trialing {
        super::worth::change(of, &quoted.change)?;
    }
    take_over(of, &quoted.change, cx.now)?;
    if of.status == Status::Trialing {
        of.anchor = anchor;
    } else if quoted.change.restart {
        of.period += 1;
        (of.from, of.until) = (cx.now, quoted.next);
        renew::plan(cx, of)?;
    }
    of.pending = None;
    extend(cx, of)
}
