//! Letters about money that moves by itself or goes back: subscriptions and refunds to who pays,
//! disputes and payouts to who earns.

use super::letter::Letter;
use super::ops::{
    NotifyError, Written, address, buyer, day, letter, order_page, reading, subject_id,
};
use crate::app::Cx;
use crate::domains::answers;
use crate::domains::billing;
use crate::domains::catalog;
use crate::domains::fulfilment;
use crate::domains::invoicing::{self, CreditKind, Invoice, State};
use crate::domains::orders;
use crate::domains::subscriptions::{self, Subscription};
use crate::domains::wishes;
use crate::events::Event;
use crate::web::format::rfc3339;
use mintreu::id::{
    AccountId, CreditNoteId, InvoiceId, OrderId, ProductId, RefundId, SubscriptionId,
};
use mintreu::{Currency, Money, Timestamp};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// What is told of subscriptions.
pub(super) const OF_SUBSCRIPTIONS: &[&str] = &[
    "subscription.completed",
    "subscription.discontinued",
    "subscription.disputed",
    "subscription.ended",
    subscriptions::GOES_ON_FACT,
    "subscription.may_be_kept",
    "subscription.paused",
    "subscription.payment_declined",
    "subscription.payment_failed",
    "subscription.price_announced",
    "subscription.price_will_change",
    "subscription.recovered",
    "subscription.renewed",
    "subscription.renews_soon",
    subscriptions::RESTS_FACT,
    "subscription.resubscribed",
    "subscription.resumed",
    subscriptions::SELLER_CLOSED_FACT,
    "subscription.trial_begun",
    "subscription.trial_ends_soon",
    "subscription.undisputed",
];

/// What is told of money that goes back, and of payouts.
pub(super) const OF_MONEY: &[&str] = &[
    invoicing::CORRECTED_FACT,
    invoicing::ISSUED_FACT,
    answers::DUE_FACT,
    "dispute.opened",
    billing::OVERDUE_FACT,
    fulfilment::DECLINED_FACT,
    "payout.failed",
    "payout.paid",
    "payout.returned",
    "payout.reversed",
    "refund.created",
    "refund.failed",
    wishes::WITHDRAWN_FACT,
];

/// The letter of one of [`OF_SUBSCRIPTIONS`] or [`OF_MONEY`].
pub(super) fn write(
    cx: &mut Cx<'_>,
    (event, to): (&Event, Option<&str>),
    base: &str,
) -> Result<Written, NotifyError> {
    match event.kind.split('.').next() {
        Some("subscription") => subscription(cx, event, base),
        Some("credit_note") => credit_note(cx, event, base),
        Some("invoice") => unpaid(cx, event, base),
        Some("refund") => refund(cx, event, base),
        Some("dispute") => dispute(cx, (event, to), base),
        Some("withdrawal") => match to {
            Some(seller) => withdrawn(cx, (event, account(seller)?), base),
            None => withdrawal(cx, event, base),
        },
        _ => payout(cx, event, base),
    }
}

/// The keys of subject and first sentence; nothing for what needs no letter.
fn keys(event: &Event) -> Option<(&'static str, &'static str)> {
    Some(match event.kind.as_str() {
        "subscription.renews_soon" => ("fact-renews-subject", "fact-renews-intro"),
        "subscription.trial_ends_soon" => ("fact-trial-subject", "fact-trial-intro"),
        "subscription.trial_begun" => ("fact-tried-subject", "fact-tried-intro"),
        "subscription.payment_declined" => match event.data["next_attempt_at"].as_i64() {
            Some(_) => ("fact-declined-subject", "fact-declined-again"),
            None => ("fact-declined-subject", "fact-declined-last"),
        },
        "subscription.payment_failed" => ("fact-declined-subject", "fact-change-declined"),
        "subscription.ended" => ("fact-ended-subject", ended(event)),
        subscriptions::RESTS_FACT => ("fact-rests-subject", "fact-rests-intro"),
        subscriptions::GOES_ON_FACT => ("fact-resumed-subject", "fact-goes-on-intro"),
        subscriptions::SELLER_CLOSED_FACT => {
            ("fact-seller-closed-subject", "fact-seller-closed-intro")
        }
        "subscription.discontinued" => match event.data["status"].as_str() {
            Some("trialing") => ("fact-gone-subject", "fact-gone-trial"),
            _ => ("fact-gone-subject", "fact-gone-intro"),
        },
        "subscription.may_be_kept" => ("fact-may-subject", "fact-may-intro"),
        "subscription.paused" => ("fact-paused-subject", "fact-paused-intro"),
        "subscription.disputed" => ("fact-paused-subject", "fact-disputed-intro"),
        "subscription.undisputed" => match event.data["status"].as_str() {
            // What is charged again has a receipt; what is over stays over.
            Some("active") => ("fact-resumed-subject", "fact-resumed-intro"),
            _ => return None,
        },
        "subscription.price_announced" | "subscription.price_will_change" => {
            ("fact-price-subject", "fact-price-intro")
        }
        _ => ("fact-receipt-subject", "fact-receipt-intro"),
    })
}

fn ended(event: &Event) -> &'static str {
    match event.data["end_reason"].as_str() {
        Some("unpaid") => "fact-ended-unpaid",
        Some("trial_over") => "fact-ended-trial",
        Some("chargeback") => "fact-ended-chargeback",
        Some("refunded") => "fact-ended-refunded",
        Some("completed") => "fact-ended-completed",
        Some(subscriptions::SELLER_CLOSED) => "fact-ended-seller",
        Some(subscriptions::DISCONTINUED) => "fact-ended-gone",
        _ => "fact-ended-canceled",
    }
}

fn subscription(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let id = subject_id(event, SubscriptionId::parse)?;
    let found = subscriptions::by_id(cx.tx, cx.caller.tenant, id)?;
    let of = found.ok_or(NotifyError::Gone)?;
    let Some((subject, intro)) = keys(event) else {
        return Ok(None);
    };
    let Some(to) = buyer(cx, of.account, of.order)? else {
        return Ok(None);
    };
    let product = product(cx, of.product)?;
    let mut letter = letter(|words| words.say_one(subject, "product", &*product));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-product"), &product);
    let amount = amount_told(cx, event, &of)?;
    figures(&mut letter, event, (&of, amount));
    // Who has no account ends it where its order is.
    let page = match (of.account, of.order) {
        (None, Some(order)) => order_page(cx, order, base),
        _ => format!("{base}/subscriptions/{id}"),
    };
    letter.action(words.say("fact-open-subscription"), page);
    Ok(Some((to, letter)))
}

/// What is charged, or will be, all in all; else what the fact says that a period costs.
fn amount_told(
    cx: &mut Cx<'_>,
    event: &Event,
    of: &Subscription,
) -> Result<Option<Money>, NotifyError> {
    let tenant = cx.caller.tenant;
    let minor = event.data["amount_minor"].as_i64();
    let period = minor.map(|minor| Money::new(minor, of.currency()));
    Ok(match event.kind.as_str() {
        "subscription.renews_soon"
        | "subscription.trial_begun"
        | "subscription.trial_ends_soon" => {
            Some(subscriptions::due_of(cx.tx, (tenant, cx.now), of)?.next)
        }
        "subscription.completed"
        | "subscription.payment_declined"
        | "subscription.payment_failed"
        | "subscription.recovered"
        | "subscription.renewed"
        | "subscription.resubscribed"
        | "subscription.resumed" => subscriptions::billed(cx.tx, tenant, of)?.or(period),
        _ => period,
    })
}

/// As they were when it happened, where the fact says so.
fn figures(letter: &mut Letter, event: &Event, (of, amount): (&Subscription, Option<Money>)) {
    let words = letter.words();
    let at = |field: &str| event.data[field].as_i64().map(Timestamp::from_ms);
    let until = at("until").unwrap_or(of.until);
    match event.kind.as_str() {
        "subscription.price_announced" | "subscription.price_will_change" => {
            if let Some((unit, from)) = of.notice {
                let unit = Money::new(unit, of.currency());
                if let Ok(each) = unit.checked_mul(of.seats) {
                    letter.fact(words.say("fact-amount"), each);
                }
                if let Some(before) = amount {
                    letter.fact(words.say("fact-before"), before);
                }
                letter.fact(words.say("fact-from"), day(from));
            }
            return;
        }
        "subscription.trial_begun" => {
            letter.fact(words.say("fact-trial-ends"), day(until));
            if let Some(first) = amount {
                letter.fact(words.say("fact-first-period"), first);
            }
            let then = match of.method {
                Some(_) => "fact-tried-charged",
                None => "fact-tried-later",
            };
            letter.outro.push(words.say(then));
            return;
        }
        "subscription.renews_soon" | "subscription.trial_ends_soon" => {
            letter.fact(words.say("fact-charged-on"), day(until));
        }
        "subscription.payment_declined" => {
            if let Some(next) = at("next_attempt_at") {
                letter.fact(words.say("fact-next-try"), day(next));
            }
            if let Some(since) = of.past_due_at {
                let ends = since.plus_ms(of.grace_days.saturating_mul(DAY_MS));
                letter.fact(words.say("fact-works-until"), day(ends));
            }
        }
        "subscription.discontinued" | "subscription.may_be_kept" => {
            letter.fact(words.say("fact-ends-on"), day(until));
            if event.kind == "subscription.discontinued" {
                letter.outro.push(words.say("fact-gone-stays"));
            }
            return;
        }
        "subscription.ended"
        | "subscription.paused"
        | "subscription.disputed"
        | subscriptions::RESTS_FACT
        | subscriptions::GOES_ON_FACT => return,
        subscriptions::SELLER_CLOSED_FACT => {
            letter.fact(words.say("fact-until"), day(until));
            return;
        }
        _ => letter.fact(words.say("fact-until"), day(until)),
    }
    if let Some(amount) = amount {
        letter.fact(words.say("fact-amount"), amount);
    }
}

pub(super) fn product(cx: &mut Cx<'_>, id: ProductId) -> Result<String, NotifyError> {
    let found = catalog::product(cx.tx, cx.caller.tenant, id)?;
    Ok(found.map_or_else(|| id.to_string(), |product| product.name))
}

/// The amount that a fact names.
fn amount(event: &Event) -> Result<Money, NotifyError> {
    let minor = event.data["amount_minor"].as_i64();
    let currency = event.data["currency"].as_str().map(Currency::parse);
    match (minor, currency) {
        (Some(minor), Some(Ok(currency))) => Ok(Money::new(minor, currency)),
        _ => Err(NotifyError::Payload(event.subject.clone())),
    }
}

fn order_of(cx: &mut Cx<'_>, event: &Event) -> Result<orders::Order, NotifyError> {
    let id = event.data["order"].as_str().unwrap_or_default();
    let id = OrderId::parse(id).map_err(|error| NotifyError::Payload(error.to_string()))?;
    Ok(orders::by_id(cx, id)?)
}

fn invoice_by(cx: &mut Cx<'_>, id: &str) -> Result<Invoice, NotifyError> {
    let id = InvoiceId::parse(id).map_err(|error| NotifyError::Payload(error.to_string()))?;
    invoicing::issued(cx, id)?.ok_or(NotifyError::Gone)
}

/// Where an invoice is looked at and paid: a guest needs the secret of the order that began it.
fn invoice_page(cx: &Cx<'_>, invoice: &Invoice, base: &str) -> String {
    format!("{base}/invoices/{}{}", invoice.id, secret(cx, invoice))
}

/// The paper of what went back, or of what no longer did, to who paid.
fn credit_note(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let id = subject_id(event, CreditNoteId::parse)?;
    let note = invoicing::find_credit(&mut reading(cx), id)?.ok_or(NotifyError::Gone)?;
    let invoice = invoicing::issued(cx, note.invoice)?.ok_or(NotifyError::Gone)?;
    let Some(to) = buyer(cx, invoice.customer, invoice.order)? else {
        return Ok(None);
    };
    let (subject, intro) = match note.kind {
        CreditKind::Credit => ("fact-credit-subject", "fact-credit-intro"),
        CreditKind::Correction => ("fact-correction-subject", "fact-correction-intro"),
    };
    let number = note.number_text();
    let mut letter = letter(|words| words.say_one(subject, "number", &*number));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-invoice"), invoice.number_text());
    letter.fact(words.say("fact-amount"), note.total);
    let page = format!("{base}/credit-notes/{id}{}", secret(cx, &invoice));
    letter.action(words.say("fact-open-credit"), page);
    Ok(Some((to, letter)))
}

/// What opens a guest's papers: the secret of the order that they came of.
fn secret(cx: &Cx<'_>, invoice: &Invoice) -> String {
    match (invoice.customer, invoice.order) {
        (None, Some(order)) => {
            let token = orders::access_token(cx.keys, cx.caller.tenant, order);
            format!("?t={}", token.reveal())
        }
        _ => String::new(),
    }
}

/// An invoice that is due; what was paid or called off since the fact needs no letter.
/// The keys of subject and first sentence about an invoice that isn't paid.
fn unpaid_keys(event: &Event) -> (&'static str, &'static str) {
    if event.kind == billing::OVERDUE_FACT {
        return ("fact-overdue-subject", "fact-overdue-intro");
    }
    let intro = match (
        event.data["ended"].as_bool(),
        event.data["again_at"].as_i64(),
    ) {
        (Some(true), _) => "fact-charge-ended",
        (_, Some(_)) => "fact-charge-again",
        _ => "fact-charge-last",
    };
    ("fact-charge-subject", intro)
}

/// That an invoice is due, or could not be charged by itself.
fn unpaid(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let invoice = invoice_by(cx, &event.subject)?;
    if invoice.state != State::Open {
        return Ok(None);
    }
    let Some(to) = buyer(cx, invoice.customer, invoice.order)? else {
        return Ok(None);
    };
    let number = invoice.number_text();
    let (subject, intro) = unpaid_keys(event);
    let mut letter = letter(|words| words.say_one(subject, "number", &*number));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-product"), product(cx, invoice.product)?);
    letter.fact(words.say("fact-amount"), invoice.total);
    letter.fact(words.say("fact-due"), day(invoice.due_at));
    if let Some(at) = event.data["again_at"].as_i64() {
        letter.fact(
            words.say("fact-charge-again-at"),
            day(Timestamp::from_ms(at)),
        );
    }
    letter.action(
        words.say("fact-pay-invoice"),
        invoice_page(cx, &invoice, base),
    );
    Ok(Some((to, letter)))
}

fn refund(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    if let Some(invoice) = event.data["invoice"].as_str() {
        let invoice = invoice_by(cx, invoice)?;
        let Some(to) = buyer(cx, invoice.customer, invoice.order)? else {
            return Ok(None);
        };
        let mut letter = refund_letter(event)?;
        let words = letter.words();
        letter.fact(words.say("fact-invoice"), invoice.number_text());
        let page = invoice_page(cx, &invoice, base);
        letter.action(words.say("fact-open-invoice"), page);
        return Ok(Some((to, letter)));
    }
    let order = order_of(cx, event)?;
    let Some(to) = buyer(cx, order.account, Some(order.id))? else {
        return Ok(None);
    };
    let mut letter = refund_letter(event)?;
    let words = letter.words();
    letter.fact(words.say("fact-order"), order.id);
    let page = order_page(cx, order.id, base);
    letter.action(words.say("fact-open-order"), page);
    Ok(Some((to, letter)))
}

/// What a letter about any refund begins with.
fn refund_letter(event: &Event) -> Result<Letter, NotifyError> {
    let (subject, intro) = match event.kind.as_str() {
        "refund.failed" => ("fact-refund-failed-subject", "fact-refund-failed-intro"),
        _ => ("fact-refund-subject", "fact-refund-intro"),
    };
    let amount = amount(event)?.to_string();
    let mut letter = letter(|words| words.say_one(subject, "amount", &*amount));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-amount"), &amount);
    Ok(letter)
}

/// What was declared, when and by whom, at once and for keeps (Art. 11a of directive 2011/83/EU).
fn withdrawal(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let order = order_of(cx, event)?;
    let about = (order.id, subject_id(event, RefundId::parse)?);
    let Some(to) = buyer(cx, order.account, Some(order.id))? else {
        return Ok(None);
    };
    let number = order.id.to_string();
    let mut letter = letter(|words| words.say_one("withdraw-mail-subject", "order", &*number));
    let words = letter.words();
    letter.intro.push(words.say("withdraw-mail-intro"));
    letter.fact(words.say("withdraw-mail-who"), &to);
    letter.fact(words.say("withdraw-mail-when"), rfc3339(event.happened_at));
    letter.fact(words.say("fact-order"), &number);
    for one in wishes::declared_of(cx.tx, cx.caller.tenant, about)? {
        if let Some(line) = order.lines.iter().find(|line| line.id == one.line) {
            letter.fact(line.title.clone(), one.amount);
        }
    }
    letter.fact(words.say("fact-amount"), amount(event)?);
    let page = order_page(cx, order.id, base);
    letter.action(words.say("fact-open-order"), page);
    letter.outro.push(words.say("withdraw-mail-outro"));
    Ok(Some((to, letter)))
}

/// To a seller of what the buyer withdrew from: there is nothing to do, and their own lines alone are
/// named.
fn withdrawn(
    cx: &mut Cx<'_>,
    (event, seller): (&Event, AccountId),
    base: &str,
) -> Result<Written, NotifyError> {
    let order = order_of(cx, event)?;
    let about = (order.id, subject_id(event, RefundId::parse)?);
    let Some(to) = address(cx, seller)? else {
        return Ok(None);
    };
    let mut letter = letter(|words| words.say("withdrawn-mail-subject"));
    let words = letter.words();
    letter.intro.push(words.say("withdrawn-mail-intro"));
    letter.fact(words.say("fact-order"), order.id);
    letter.fact(words.say("withdraw-mail-when"), rfc3339(event.happened_at));
    let mut page = format!("{base}/sell/sales");
    for one in wishes::declared_of(cx.tx, cx.caller.tenant, about)? {
        let mut own = order.lines.iter().filter(|line| line.seller == seller);
        if let Some(line) = own.find(|line| line.id == one.line) {
            letter.fact(line.title.clone(), one.amount);
            page = format!("{base}/sell/sales/{}", line.id);
        }
    }
    letter.action(words.say("fact-open-sale"), page);
    Ok(Some((to, letter)))
}

/// An account that a job names.
pub(super) fn account(id: &str) -> Result<AccountId, NotifyError> {
    AccountId::parse(id).map_err(|error| NotifyError::Payload(error.to_string()))
}

/// To a seller of the order, of their own lines alone.
fn dispute(
    cx: &mut Cx<'_>,
    (event, to): (&Event, Option<&str>),
    base: &str,
) -> Result<Written, NotifyError> {
    if let Some(invoice) = event.data["invoice"].as_str() {
        let invoice = invoice_by(cx, invoice)?;
        return dispute_of_invoice(cx, (event, &invoice), base);
    }
    let order = order_of(cx, event)?;
    let to = to.map(account).transpose()?;
    let mut own = order.lines.iter();
    let Some(line) = own.find(|line| to.is_none_or(|to| to == line.seller)) else {
        return Ok(None);
    };
    let Some(to) = address(cx, line.seller)? else {
        return Ok(None);
    };
    let (subject, intro) = dispute_words(event);
    let shared = order.lines.iter().any(|one| one.seller != line.seller);
    let mut letter = letter(|words| words.say(subject));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    if shared {
        letter.intro.push(words.say("evidence-mail-platform"));
    }
    letter.fact(words.say("fact-product"), &line.title);
    letter.fact(words.say("fact-order"), order.id);
    if !shared {
        // Of an order of several sellers, it is more than each one's own.
        letter.fact(words.say("fact-amount"), amount(event)?);
    }
    why_and_when(&mut letter, event);
    let (open, page) = match shared {
        true => ("fact-open-sale", format!("{base}/sell/sales/{}", line.id)),
        false => {
            let page = format!("{base}/sell/disputes/{}", event.subject);
            ("evidence-mail-open", page)
        }
    };
    letter.action(words.say(open), page);
    Ok(Some((to, letter)))
}

/// Subject and first sentence of a letter about a dispute.
fn dispute_words(event: &Event) -> (&'static str, &'static str) {
    match (event.kind.as_str(), event.data["stage"].as_str()) {
        (answers::DUE_FACT, _) => ("evidence-mail-due-subject", "evidence-mail-due-intro"),
        (_, Some("chargeback")) => ("fact-dispute-subject", "fact-dispute-chargeback"),
        _ => ("fact-dispute-subject", "fact-dispute-inquiry"),
    }
}

/// To who earns by an invoice of usage.
fn dispute_of_invoice(
    cx: &mut Cx<'_>,
    (event, invoice): (&Event, &Invoice),
    base: &str,
) -> Result<Written, NotifyError> {
    let Some(to) = address(cx, invoice.seller)? else {
        return Ok(None);
    };
    let (subject, intro) = dispute_words(event);
    let product = product(cx, invoice.product)?;
    let mut letter = letter(|words| words.say(subject));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-product"), &product);
    letter.fact(words.say("fact-invoice"), invoice.number_text());
    letter.fact(words.say("fact-amount"), amount(event)?);
    why_and_when(&mut letter, event);
    let page = format!("{base}/sell/disputes/{}", event.subject);
    letter.action(words.say("evidence-mail-open"), page);
    Ok(Some((to, letter)))
}

/// Why the bank asks, and until when it waits.
fn why_and_when(letter: &mut Letter, event: &Event) {
    let words = letter.words();
    if let Some(reason) = event.data["reason"].as_str() {
        letter.fact(words.say("fact-reason"), reason);
    }
    let due = event.data["evidence_due_at"].as_i64();
    if let Some(due) = due.map(Timestamp::from_ms) {
        letter.fact(words.say("fact-deadline"), rfc3339(due));
    }
}

fn payout(cx: &mut Cx<'_>, event: &Event, base: &str) -> Result<Written, NotifyError> {
    let seller = event.data["seller"].as_str().unwrap_or_default();
    let seller = AccountId::parse(seller).map_err(|e| NotifyError::Payload(e.to_string()))?;
    let Some(to) = address(cx, seller)? else {
        return Ok(None);
    };
    let (subject, intro) = match event.kind.as_str() {
        "payout.paid" => ("fact-payout-subject", "fact-payout-intro"),
        "payout.failed" => ("fact-payout-failed-subject", "fact-payout-failed-intro"),
        _ => ("fact-payout-returned-subject", "fact-payout-returned-intro"),
    };
    let amount = amount(event)?.to_string();
    let mut letter = letter(|words| words.say_one(subject, "amount", &*amount));
    let words = letter.words();
    letter.intro.push(words.say(intro));
    letter.fact(words.say("fact-amount"), &amount);
    if let Some(code) = event.data["failure_code"].as_str() {
        letter.fact(words.say("fact-reason"), code);
    }
    letter.action(
        words.say("fact-open-payouts"),
        format!("{base}/sell/payouts"),
    );
    Ok(Some((to, letter)))
}
