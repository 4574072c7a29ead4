//! Use cases of subscriptions: begin, renew, settle, act, change.

mod act;
mod begin;
mod change;
pub mod charge;
mod discontinue;
mod due;
mod guest;
mod guest_method;
mod look;
mod moves;
mod money;
mod renew;
mod rest;
mod settle;
mod trial;
mod upgrade;
mod worth;

pub use act::{Act, Action, ChangeMethod, act, change_method};
pub use begin::{Begin, begin, note_fees};
pub use change::{AskChange, ChangePlan, change_plan, quote_change};
pub use charge::{CHARGE_JOB, END_JOB, charge, end_charge};
pub use discontinue::{
    CallOff, DiscontinuationOf, Discontinuing, RETIRE_JOB, Retire, RetireJob, call_off,
    discontinuation_of, is_discontinued, retire, retire_step,
};
pub use due::{WillCharge, billed, due_of, due_with, tax_of};
pub use guest::{EndByOrder, begun_by, end_by_order, give};
pub use guest_method::{BeginMethod, OfOrder, begin_method, of_order_s_link, settle_method};
pub use look::{
    Mine, MySubscription, OfProduct, SubscriptionPage, charged_to, mine, my_subscription,
    of_product,
};
pub use money::{follow_dispute, on_fact, withdrawn};
pub use moves::{KeepPrice, Reprice, keep_price, reprice};
pub use renew::{
    CHECK_JOB, PeriodJob, REMIND_JOB, RENEW_JOB, RETRY_JOB, check_expired, process_renewal,
    retry_renewal, send_reminder,
};
pub use rest::{
    BRIDGE_JOB, BridgePayload, GOES_ON_FACT, RESTS_FACT, SELLER_CLOSED_FACT, bridge, follow_seller,
};
pub use settle::{declined, is_bill, of_order, paid};
pub use trial::{SetTrial, StartTrial, Tried, set_trial, start_trial, tried};
pub use upgrade::{Upgrade, UpgradeOffer, UpgradesOf, upgrade, upgrades_of};

use super::model::{
    Bill, BillKind, Change, Cycle, DAY_MS, Status, Subscription, SubscriptionError, Unit,
};
use super::sql;
use crate::app::Cx;
use crate::domains::affiliates;
use crate::domains::fees;
use crate::domains::licensing;
use crate::domains::orders::{self, Order, PlaceBill};
use crate::domains::payments::{self, MethodUse, NewPayment, Payable};
use crate::domains::{billing, catalog};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, PriceId, SubscriptionId, TenantId};
use mintreu::{Money, Timestamp};

type Done<T = ()> = Result<T, SubscriptionError>;

/// The subscription, for the house.
fn known(cx: &mut Cx<'_>, id: SubscriptionId) -> Done<Subscription> {
    let found = sql::find(cx.tx, cx.caller.tenant, id)?;
    found.ok_or(SubscriptionError::NotFound)
}

/// A subscription, for those who tell of it.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: SubscriptionId,
) -> Result<Option<Subscription>, StoreError> {
    sql::find(tx, tenant, id)
}

/// The subscription, for who pays or owns its license.
fn own(cx: &mut Cx<'_>, id: SubscriptionId) -> Done<Subscription> {
    let mut found = known(cx, id)?;
    let me = cx.caller.account.ok_or(SubscriptionError::NotFound)?;
    found.account = payer(cx.tx, cx.caller.tenant, &found)?;
    match found.account == Some(me) {
        true => Ok(found),
        false => Err(SubscriptionError::NotFound),
    }
}

/// Whose account it is: a guest's belongs to whoever redeemed its license.
fn payer(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &Subscription,
) -> Result<Option<AccountId>, StoreError> {
    if of.account.is_some() {
        return Ok(of.account);
    }
    let license = licensing::by_id(tx, tenant, of.license)?;
    Ok(license.and_then(|license| license.owner))
}

fn keep(cx: &mut Cx<'_>, moved: &Subscription) -> Done {
    Ok(sql::update(cx.tx, cx.caller.tenant, moved, cx.now)?)
}

/// Records a fact of a subscription.
fn tell(cx: &mut Cx<'_>, kind: &'static str, of: &Subscription) -> Done {
    let about = serde_json::json!({
        "period": of.period,
        "status": of.status.code(),
        "from": of.from.ms(),
        "until": of.until.ms(),
        "amount_minor": of.amount()?.minor(),
        "currency": of.currency().code(),
        "failures": of.failures,
        "next_attempt_at": of.next_attempt_at.map(Timestamp::ms),
        "end_reason": of.end_reason,
        "payments_left": of.payments_left,
        "new_price": of.notice.map(|(unit, from)| (unit, from.ms())),
    });
    crate::events::record(cx, kind, &of.id.to_string(), &about)?;
    Ok(())
}

/// Makes of the subscription what the change says; cycles are counted anew from `from` when their
/// length changes or a new period begins.
fn take_over(of: &mut Subscription, change: &Change, from: Timestamp) -> Done {
    let unit = Unit::parse(&change.cycle_unit).zip(Some(change.cycle_count));
    let cycle = unit.and_then(|(unit, count)| Cycle::new(unit, count));
    let cycle = cycle.ok_or_else(|| SubscriptionError::Payload("a cycle".to_owned()))?;
    if cycle != of.cycle || change.restart {
        of.anchor = from;
    }
    let price = PriceId::parse(&change.price)?;
    if price != of.price {
        // What was announced was of the price that is left.
        (of.notice, of.notice_price) = (None, None);
    }
    of.price = price;
    of.unit = Money::new(change.unit_minor, of.currency());
    (of.seats, of.cycle) = (change.seats, cycle);
    Ok(())
}

/// What is billed, and for which time.
struct NewBill {
    kind: BillKind,
    /// For one.
    unit: Money,
    quantity: i64,
    /// Off all of it, by the code it was bought with.
    discount: Money,
    period: (Timestamp, Timestamp),
    change: Option<Change>,
}

/// Places the order of a bill, expects its payment and has it charged.
fn bill(cx: &mut Cx<'_>, of: &Subscription, new: NewBill) -> Done<Order> {
    let tenant = cx.caller.tenant;
    let product = catalog::product(cx.tx, tenant, of.product)?;
    let price = catalog::price(cx.tx, tenant, of.price)?;
    let license = licensing::by_id(cx.tx, tenant, of.license)?;
    let (product, (_, price), license) = product
        .zip(price)
        .zip(license)
        .map(|((product, price), license)| (product, price, license))
        .ok_or(SubscriptionError::NotFound)?;
    let fee = agreed_with(of);
    let brought = match of.order {
        Some(first) => affiliates::for_renewal(cx, (first, of.product))?,
        None => None,
    };
    let place = PlaceBill {
        product: &product,
        price: &price,
        terms: &license.terms,
        unit: new.unit,
        quantity: new.quantity,
        discount: new.discount,
        account: of.account,
        first: of.order,
        traffic: of.traffic,
        platform_bps: fee.platform_bps,
        platform_why: &fee.why,
        tariff: of.tariff,
        brought: brought.as_ref(),
    };
    let order = orders::place_bill(cx, &place)?;
    for line in &order.lines {
        fees::keep(cx, (line.id, order.id, line.product), &fee)?;
        if let Some(commission) = &brought {
            let placed = affiliates::attribute::Placed {
                order: order.id,
                line: line.id,
                seller: line.seller,
                product: line.product,
                commission: line.split.affiliate,
            };
            affiliates::record_renewal(cx, &placed, commission)?;
        }
    }
    let bill = Bill {
        order: order.id,
        subscription: of.id,
        kind: new.kind,
        period: new.period,
        change: new.change,
        settled: false,
    };
    sql::insert_bill(cx.tx, tenant, &bill, cx.now)?;
    match order.total.minor() {
        // Its code takes all of it off, for ever.
        0 => {
            let mut order = order;
            orders::apply(cx, &mut order, orders::OrderEvent::PaymentSucceeded)?;
            settle::paid(cx, &order, &bill)?;
            Ok(order)
        }
        _ => {
            expect(cx, of, &order)?;
            Ok(order)
        }
    }
}

/// The platform's share of every bill: what was agreed when the subscription began.
fn agreed_with(of: &Subscription) -> fees::Agreed {
    let (whole, part) = (of.platform_bps / 100, of.platform_bps % 100);
    fees::Agreed {
        traffic: of.traffic,
        platform_bps: of.platform_bps,
        scope: fees::Scope::Line,
        subject: of.id.to_string(),
        rule: None,
        why: format!("{whole}.{part:02} % of the net price, as agreed with the subscription"),
    }
}

/// Expects a payment of the order and has it charged.
fn expect(cx: &mut Cx<'_>, of: &Subscription, order: &Order) -> Done {
    let new = NewPayment {
        payable: Payable::new(order.id),
        amount: order.total,
        provider: of.provider.clone(),
        method_use: MethodUse::Saved,
    };
    let payment = payments::expect(cx, &new)?;
    let title = order.lines.first().map_or("", |line| line.title.as_str());
    Ok(charge::enqueue(cx, of, (payment.id, title))?)
}

/// The newest bill that is neither paid nor given up.
fn open_bill(cx: &mut Cx<'_>, of: &Subscription) -> Done<Option<Bill>> {
    let bills = sql::bills(cx.tx, cx.caller.tenant, of.id)?;
    Ok(bills.into_iter().find(|bill| !bill.settled))
}

/// Signs the license anew: paid for until the end of the period, with what its plan grants.
fn extend(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    let tenant = cx.caller.tenant;
    let license = licensing::by_id(cx.tx, tenant, of.license)?;
    let license = license.ok_or(SubscriptionError::NotFound)?;
    if of.disputed.is_none() {
        licensing::restore(cx, of.license)?;
    }
    let terms = upgrade::granted(cx, of)?;
    if of.granted != Some(of.price) {
        of.granted = Some(of.price);
        keep(cx, of)?;
    }
    if let Some(terms) = terms {
        let revision = licensing::Revision {
            license: of.license,
            seats: terms.seats.max(1).saturating_mul(of.seats),
            terms,
            expires_at: Some(of.until),
            grace_secs: of.grace_secs(),
        };
        licensing::revise(cx, revision)?;
        return Ok(());
    }
    let each = license.terms.seats.max(1);
    let renewal = licensing::Renewal {
        license: of.license,
        expires_at: of.until,
        grace_secs: of.grace_secs(),
        seats: each.saturating_mul(of.seats),
    };
    licensing::renew(cx, &renewal)?;
    Ok(())
}

/// Bills what was used until now; a license without meters has no such bill.
fn bill_usage(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    let last = billing::BillNow {
        license: of.license,
    };
    match billing::bill_now(cx, &last) {
        Ok(_) | Err(billing::BillingError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Ends it: the license is suspended, what was used is billed, what is open is given up.
fn end(cx: &mut Cx<'_>, of: &mut Subscription, reason: &str) -> Done {
    bill_usage(cx, of)?;
    give_up_bill(cx, of)?;
    of.status = Status::Canceled;
    (of.ended_at, of.end_reason) = (Some(cx.now), Some(reason.to_owned()));
    (of.cancel_wished_at, of.pause_wished_at) = (None, None);
    of.cancel_reason = None;
    (of.pending, of.next_attempt_at, of.past_due_at) = (None, None, None);
    of.failures = 0;
    keep(cx, of)?;
    match of.is_kept() {
        true => hand_over(cx, of)?,
        false => upgrade::stop(cx, of, licensing::Suspended::Ended)?,
    }
    tell(cx, "subscription.ended", of)
}

/// The license is its buyer's for good: signed anew without an end but its product's.
fn hand_over(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    let license = licensing::by_id(cx.tx, cx.caller.tenant, of.license)?;
    let license = license.ok_or(SubscriptionError::NotFound)?;
    let days = license.terms.validity_days;
    let revision = licensing::Revision {
        license: of.license,
        seats: license.seats,
        expires_at: days.map(|days| license.issued_at.plus_ms(days.saturating_mul(DAY_MS))),
        grace_secs: 0,
        terms: license.terms,
    };
    licensing::revise(cx, revision)?;
    Ok(licensing::restore(cx, of.license)?)
}

/// The open bill is called off. Its payment may still be on its way: if it comes, a person sees it.
fn give_up_bill(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    if let Some(open) = open_bill(cx, of)? {
        let mut order = orders::by_id(cx, open.order)?;
        orders::apply(cx, &mut order, orders::OrderEvent::Voided)?;
        sql::settle_bill(cx.tx, (cx.caller.tenant, open.order), None, cx.now)?;
    }
    Ok(())
}
