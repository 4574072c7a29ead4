//! Settlement: what a payment event does to its payment, its order, the books and the licenses.

use super::automatic;
use super::model::FulfilmentError;
use super::variance;
use crate::app::Cx;
use crate::domains::affiliates;
use crate::domains::billing::{self, BillingError, StartPlan};
use crate::domains::catalog::{self, PriceModel};
use crate::domains::gifts;
use crate::domains::invoicing::InvoiceError;
use crate::domains::ledger::{
    self, Account, AccountKind, Balanced, Hold, LedgerError, Posting, Reason,
};
use crate::domains::licensing::{self, Grant};
use crate::domains::methods;
use crate::domains::orders::{self, Invoiced, Line, Order, OrderEvent, Step};
use crate::domains::payments::{
    self, EventKind, Payable, Payment, PaymentEvent, PaymentState, SettlePayload, model::Settled,
};
use crate::domains::promotions;
use crate::domains::refunds::{self, Heard};
use crate::domains::risk;
use crate::domains::subscriptions;
use crate::domains::taxes::{self, Movement, Way};
use crate::gateways::PAGE_CLOSED;
use mintreu::id::{AccountId, InvoiceId, LicenseId, MethodSetupId, OrderId, PaymentEventId};
use mintreu::meter::Zone;
use mintreu::{Money, Timestamp};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a seller's part of a sale is held.
const HOLD_MS: i64 = 7 * DAY_MS;
/// How long a subscription's license works after a period that was not renewed.
const GRACE_SECS: u32 = 7 * 24 * 60 * 60;

/// What makes an order paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The provider said so.
    Payment,
    /// There is nothing to pay.
    Free,
}

/// The job: one event of the inbox, once.
pub fn settle_payment(cx: &mut Cx<'_>, job: &SettlePayload) -> Result<(), FulfilmentError> {
    let id = PaymentEventId::parse(&job.payment_event).map_err(FulfilmentError::Payload)?;
    let event = payments::event(cx, id)?;
    if event.outcome.is_some() {
        return Ok(());
    }
    let outcome = decide(cx, &event)?;
    payments::record_outcome(cx, id, outcome)?;
    Ok(())
}

/// What came of the event, as it is kept with it.
fn decide(cx: &mut Cx<'_>, event: &PaymentEvent) -> Result<&'static str, FulfilmentError> {
    if event.kind.is_about_money_back() {
        let heard = refunds::hear(cx, event)?;
        follow_bank(cx, event)?;
        if heard != Heard::Done("unchanged") {
            automatic::disputed(cx, event)?;
        }
        return match heard {
            Heard::Done(outcome) => Ok(outcome),
            Heard::Attention(why) => refuse(cx, event, why),
        };
    }
    if let Ok(setup) = MethodSetupId::parse(&event.reference) {
        return match subscriptions::settle_method(cx, setup, event)? {
            Some(told) => Ok(told),
            None => Ok(methods::settle_setup(cx, setup, event)?),
        };
    }
    let Some((payment, settled)) = payments::settle(cx, event)? else {
        return refuse(cx, event, "payment_unknown");
    };
    match settled {
        Settled::Unchanged => return Ok("unchanged"),
        Settled::AmountDiffers => return refuse(cx, event, "amount_differs"),
        Settled::Moved(PaymentState::Succeeded) => methods::keep_of_payment(cx, &payment, event)?,
        Settled::Moved(_) => {}
    }
    if let Ok(invoice) = InvoiceId::parse(&payment.payable) {
        return settle_invoice(cx, event, invoice, &payment);
    }
    let Ok(order) = OrderId::parse(&payment.payable) else {
        return refuse(cx, event, "payable_unknown");
    };
    let mut order = orders::by_id(cx, order)?;
    match event.kind {
        EventKind::Succeeded => {
            if let Some(country) = &event.method_country {
                taxes::note_method(cx, order.id, country)?;
            }
            paid(cx, event, &mut order)
        }
        EventKind::Failed => failed(cx, &mut order, &payment),
        _ => Ok("noted"),
    }
}

/// A subscription follows what a bank does with one of its payments.
fn follow_bank(cx: &mut Cx<'_>, event: &PaymentEvent) -> Result<(), FulfilmentError> {
    let of_bank = matches!(
        event.kind,
        EventKind::DisputeOpened | EventKind::DisputeWon | EventKind::DisputeLost
    );
    let payment = match of_bank {
        true => payments::of_event(cx.tx, cx.caller.tenant, event)?,
        false => None,
    };
    let order = payment.and_then(|payment| OrderId::parse(&payment.payable).ok());
    match order {
        Some(order) => Ok(subscriptions::follow_dispute(cx, order)?),
        None => Ok(()),
    }
}

fn settle_invoice(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    invoice: InvoiceId,
    payment: &Payment,
) -> Result<&'static str, FulfilmentError> {
    if payment.failure_code.as_deref() == Some(PAGE_CLOSED) {
        return Ok(PAGE_CLOSED);
    }
    if event.kind == EventKind::Failed {
        let about = serde_json::json!({ "failure_code": payment.failure_code });
        crate::events::record(cx, "invoice.payment_failed", &invoice.to_string(), &about)?;
        automatic::declined(cx, invoice, payment)?;
        return Ok("failed");
    }
    if event.kind != EventKind::Succeeded {
        return Ok("noted");
    }
    match billing::settle_invoice(cx, invoice, payment.id) {
        Ok(_) => {
            variance::post(cx, event, ("invoice", invoice.to_string()))?;
            automatic::agreed_by_paying(cx, invoice, payment)?;
            Ok("paid")
        }
        Err(BillingError::Invoice(InvoiceError::AlreadyPaid)) => {
            refuse(cx, event, "invoice_paid_before")
        }
        Err(error) => Err(error.into()),
    }
}

/// What can't be acted on is a fact for people to see; the event is kept.
fn refuse(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    why: &'static str,
) -> Result<&'static str, FulfilmentError> {
    let about = serde_json::json!({ "event": event.id.to_string(), "why": why });
    crate::events::record(cx, "payment.needs_attention", &event.reference, &about)?;
    Ok(why)
}

fn paid(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    order: &mut Order,
) -> Result<&'static str, FulfilmentError> {
    match fulfil(cx, order, Cause::Payment)? {
        Step::Move(_) => {
            variance::post(cx, event, ("sale", order.id.to_string()))?;
            Ok("paid")
        }
        // Two attempts of one order were both paid: the second is money to send back.
        Step::Stay => refuse(cx, event, "order_paid_before"),
        Step::Refuse => refuse(cx, event, "order_not_payable"),
    }
}

fn failed(
    cx: &mut Cx<'_>,
    order: &mut Order,
    payment: &Payment,
) -> Result<&'static str, FulfilmentError> {
    if let Step::Move(_) = orders::apply(cx, order, OrderEvent::PaymentFailed)? {
        risk::declined(cx, order.id, payment.id)?;
        let about = serde_json::json!({ "failure_code": payment.failure_code });
        crate::events::record(cx, "payment.failed", &order.id.to_string(), &about)?;
        if let Some(bill) = subscriptions::of_order(cx, order.id)? {
            subscriptions::declined(cx, &bill, payment.failure_code.as_deref())?;
        }
    }
    Ok("failed")
}

/// Makes the order paid, with all that follows from it, in this commit.
pub(super) fn fulfil(
    cx: &mut Cx<'_>,
    order: &mut Order,
    cause: Cause,
) -> Result<Step, FulfilmentError> {
    let step = orders::apply(cx, order, OrderEvent::PaymentSucceeded)?;
    if !matches!(step, Step::Move(_)) {
        return Ok(step);
    }
    // Its units were given back if it had expired before the money came.
    promotions::retake_slot(cx, order.id)?;
    if cause == Cause::Payment {
        post_sale(cx, order)?;
    }
    match subscriptions::of_order(cx, order.id)? {
        Some(bill) => subscriptions::paid(cx, order, &bill)?,
        None => {
            match gifts::of_order(cx.tx, cx.caller.tenant, order.id)? {
                Some(gift) => gifts::give(cx, &gift)?,
                None => hand_over_all(cx, order)?,
            }
            invoice(cx, order)?;
        }
    }
    crate::events::record(cx, "order.paid", &order.id.to_string(), &())?;
    Ok(step)
}

/// One transaction for the whole order, and a hold for each seller's part.
fn post_sale(cx: &mut Cx<'_>, order: &Order) -> Result<(), FulfilmentError> {
    let mut postings = Vec::new();
    for line in &order.lines {
        let affiliate = match line.split.affiliate.minor() {
            0 => None,
            _ => Some(affiliates::credit(cx, line.id, line.split.affiliate)?),
        };
        postings.extend(postings_of(line, affiliate)?);
    }
    let key = format!("sale:{}", order.id);
    let sale = Balanced::new(key, Reason::Sale, order.id.to_string(), postings)?;
    ledger::post(cx, &sale)?;
    for line in &order.lines {
        let movement = Movement {
            source: format!("sale:{}:{}", order.id, line.id),
            way: Way::Sale,
            tax: &line.tax,
            base: line.split.tax_base(),
            amount: line.split.tax,
        };
        taxes::note(cx, &movement)?;
        let hold = Hold {
            source: line.id.to_string(),
            seller: line.seller,
            amount: line.split.seller,
            reason: "held for 7 days after the sale, while refunds are likely".to_owned(),
            releasable_at: cx.now.plus_ms(HOLD_MS),
        };
        ledger::hold(cx, &hold)?;
    }
    if risk::begins(cx, order.id)? {
        freeze(cx, order)?;
    }
    Ok(())
}

/// Holds all of an order's money until somebody has looked at it.
fn freeze(cx: &mut Cx<'_>, order: &Order) -> Result<(), FulfilmentError> {
    for line in &order.lines {
        let source = line.id.to_string();
        ledger::explain(cx, &source, risk::HELD)?;
        ledger::freeze(cx, &source)?;
        affiliates::freeze(cx, line.id)?;
    }
    Ok(())
}

/// The money came to the provider (a debit) and belongs to those who share it (credits).
fn postings_of(line: &Line, affiliate: Option<AccountId>) -> Result<Vec<Posting>, LedgerError> {
    let split = &line.split;
    let credits = [
        (Account::platform(AccountKind::TaxPayable), split.tax),
        (
            Account::platform(AccountKind::PlatformFee),
            split.platform_fee,
        ),
        (
            Account::platform(AccountKind::ProcessingFee),
            split.payment_fee,
        ),
        (
            Account {
                kind: AccountKind::AffiliatePayable,
                owner: affiliate,
            },
            split.affiliate,
        ),
        (
            Account::of(AccountKind::SellerHeld, line.seller),
            split.seller,
        ),
    ];
    let mut postings = vec![Posting {
        account: Account::platform(AccountKind::PspClearing),
        amount: split.charged,
    }];
    for (account, amount) in credits {
        postings.push(Posting {
            account,
            amount: amount.checked_neg()?,
        });
    }
    postings.retain(|posting| posting.amount != Money::zero(posting.amount.currency()));
    Ok(postings)
}

/// The papers of a first sale; a bill of a subscription has its own.
fn invoice(cx: &mut Cx<'_>, order: &Order) -> Result<(), FulfilmentError> {
    let payable = Payable::new(order.id);
    let payment = payments::paid_by(cx.tx, cx.caller.tenant, &payable)?;
    let ends = order.lines.iter().filter_map(|line| {
        let period = line.period.filter(|_| line.model == PriceModel::Recurring);
        period.map(|cycle| cycle.end_after(cx.now, &Zone::default(), cx.now))
    });
    let what = Invoiced {
        source: &format!("sale:{}", order.id),
        kind: "sale",
        license: None,
        period: (cx.now, ends.max().unwrap_or(cx.now)),
        payment: payment.map(|payment| payment.id),
    };
    orders::invoice_order(cx, order, &what)?;
    Ok(())
}

/// Gives the buyer what was bought.
fn hand_over_all(cx: &mut Cx<'_>, order: &Order) -> Result<(), FulfilmentError> {
    for line in &order.lines {
        hand_over(cx, order, line)?;
    }
    Ok(())
}

/// Gives what was bought to who claimed it. What renews by itself for a buyer is given for the one
/// period that was paid, from now on: nobody agreed to pay the next.
pub(super) fn hand_over_gift(
    cx: &mut Cx<'_>,
    order: &Order,
    owner: Option<AccountId>,
) -> Result<(), FulfilmentError> {
    for line in &order.lines {
        let grant = Grant {
            owner,
            grace_secs: 0,
            ..grant(order, line, cx.now)
        };
        let issued = licensing::issue(cx, &grant)?;
        let product = catalog::product(cx.tx, cx.caller.tenant, line.product)?;
        // A product that has come to be billed by its usage since it was given is so for others.
        if product.is_some_and(|product| !product.is_billed_by_usage()) {
            let plan = StartPlan {
                license: issued.license.id,
                customer: owner,
                order: None,
                product: line.product,
            };
            billing::start_plan(cx, &plan)?;
        }
    }
    Ok(())
}

/// Gives the buyer what a line promises: its license, and a plan for what is used.
fn hand_over(cx: &mut Cx<'_>, order: &Order, line: &Line) -> Result<(), FulfilmentError> {
    let issued = licensing::issue(cx, &grant(order, line, cx.now))?;
    let plan = StartPlan {
        license: issued.license.id,
        customer: order.account,
        order: Some(order.id),
        product: line.product,
    };
    billing::start_plan(cx, &plan)?;
    if line.model == PriceModel::Recurring {
        subscribe(cx, order, line, issued.license.id)?;
    }
    Ok(())
}

/// A recurring line renews by itself, with the method that paid for it.
fn subscribe(
    cx: &mut Cx<'_>,
    order: &Order,
    line: &Line,
    license: LicenseId,
) -> Result<(), FulfilmentError> {
    let payment = payments::latest(cx.tx, cx.caller.tenant, &Payable::new(order.id))?;
    let begin = subscriptions::Begin {
        order,
        line,
        license,
        method: payment.map(|payment| (payment.provider, payment.id.to_string())),
    };
    Ok(subscriptions::begin(cx, &begin)?)
}

fn grant(order: &Order, line: &Line, now: Timestamp) -> Grant {
    let recurring = line.model == PriceModel::Recurring;
    let expires_at = match line.period.filter(|_| recurring) {
        Some(cycle) => Some(cycle.end_after(now, &Zone::default(), now)),
        None => {
            let days = line.terms.validity_days;
            days.map(|days| now.plus_ms(days.saturating_mul(DAY_MS)))
        }
    };
    Grant {
        source: line.id.to_string(),
        product: line.product,
        product_code: line.product_code.clone(),
        seller: line.seller,
        owner: order.account,
        seats: line.terms.seats.saturating_mul(line.quantity).max(1),
        terms: line.terms.clone(),
        expires_at,
        grace_secs: if recurring { GRACE_SECS } else { 0 },
    }
}
