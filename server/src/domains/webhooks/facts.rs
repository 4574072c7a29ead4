//! Which facts sellers are told of, and what each says.
//!
//! Invariants
//! * A seller is told of their own alone: of an order, their own lines.
//! * Nothing identifies a buyer: no account, no address, no name, no free text of theirs.
//! * A fact whose subject is gone is told to nobody, and is no error.

use super::model::MAX_PAYLOAD;
use super::sql::endpoints;
use crate::app::{Cx, ReadCx};
use crate::domains::accounts::address;
use crate::domains::answers;
use crate::domains::catalog;
use crate::domains::invoicing::{self, Invoice, InvoiceError, Sold};
use crate::domains::licensing;
use crate::domains::orders::{self, Line, Order};
use crate::domains::quotas;
use crate::domains::refunds::{self, RefundError};
use crate::domains::sellers;
use crate::domains::subscriptions;
use crate::domains::wishes;
use crate::events::Event;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{
    AccountId, CreditNoteId, InvoiceId, LicenseId, OrderId, OrderLineId, ProductId, SubscriptionId,
    WebhookEndpointId,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The event that a seller sends to themselves.
pub const TEST: &str = "webhook.test";
/// The fact of an endpoint that was switched off.
pub const DISABLED: &str = "webhook_endpoint.disabled";

/// Whom a fact concerns, with what each is told.
type Told = Vec<(AccountId, Value)>;
type Tell = fn(&mut Cx<'_>, &Event) -> Result<Told, StoreError>;

/// What is told, by whom it is rendered. The fact's kind is the event's name.
pub const TOLD: &[(&str, Tell)] = &[
    (invoicing::CORRECTED_FACT, credit_note),
    (invoicing::ISSUED_FACT, credit_note),
    (answers::ACCEPTED_FACT, dispute),
    (answers::DUE_FACT, dispute),
    (answers::REFUSED_FACT, dispute),
    (answers::SUBMITTED_FACT, dispute),
    (address::CUSTOMER_FACT, customer),
    ("dispute.lost", dispute),
    ("dispute.opened", dispute),
    ("dispute.prevented", dispute),
    ("dispute.warned", dispute),
    ("dispute.won", dispute),
    ("gift.claimed", order),
    ("gift.given", order),
    ("invoice.finalized", invoice),
    ("invoice.overdue", invoice),
    ("invoice.paid", invoice),
    ("invoice.payment_failed", invoice),
    ("invoice.voided", invoice),
    ("key_set.published", key_set),
    ("license.activated", license),
    ("license.deactivated", license),
    ("license.delegated", license),
    ("license.issued", license),
    ("license.reinstated", license),
    ("license.renewed", license),
    ("license.revoked", license),
    ("license.suspended", license),
    ("order.expired", order),
    ("order.paid", order),
    ("order.placed", order),
    ("order.refunded", order),
    ("payment.failed", payment),
    ("payout.created", payout),
    ("payout.failed", payout),
    ("payout.paid", payout),
    ("payout.returned", payout),
    ("payout.reversed", payout),
    (quotas::REACHED_FACT, quota),
    ("product.archived", product),
    ("product.created", product),
    ("product.published", product),
    ("product.updated", product),
    ("refund.created", refund),
    ("refund.failed", refund),
    (sellers::CLOSED_FACT, standing),
    (sellers::RESUMED_FACT, standing),
    (sellers::SUSPENDED_FACT, standing),
    ("subscription.begun", subscription),
    ("subscription.changed", subscription),
    ("subscription.completed", subscription),
    ("subscription.cycled", subscription),
    ("subscription.disputed", subscription),
    ("subscription.end_taken_back", subscription),
    ("subscription.end_wished", subscription),
    ("subscription.ended", subscription),
    (subscriptions::GOES_ON_FACT, subscription),
    ("subscription.lapsed", subscription),
    ("subscription.past_due", subscription),
    ("subscription.paused", subscription),
    ("subscription.payment_declined", subscription),
    ("subscription.recovered", subscription),
    ("subscription.renewed", subscription),
    (subscriptions::RESTS_FACT, subscription),
    ("subscription.resubscribed", subscription),
    ("subscription.resumed", subscription),
    (subscriptions::SELLER_CLOSED_FACT, subscription),
    ("subscription.trial_begun", subscription),
    ("subscription.undisputed", subscription),
    (wishes::WITHDRAWN_FACT, refund),
    (wishes::OPENED_FACT, wish),
    (wishes::GRANTED_FACT, wish),
    (wishes::DECLINED_FACT, wish),
    (wishes::ESCALATED_FACT, wish),
    (wishes::FAILED_FACT, wish),
    (wishes::TAKEN_BACK_FACT, wish),
    (DISABLED, endpoint),
];

/// Whether an endpoint may ask for events of this name.
pub fn is_event(name: &str) -> bool {
    name == TEST || teller(name).is_some()
}

fn teller(kind: &str) -> Option<Tell> {
    let found = TOLD.iter().find(|(name, _)| *name == kind);
    found.map(|(_, tell)| *tell)
}

/// Whether facts of this kind are told.
pub fn is_told(kind: &str) -> bool {
    teller(kind).is_some()
}

/// What each seller is told of a fact; none for one that isn't told, or whose subject is gone.
pub fn told(cx: &mut Cx<'_>, event: &Event) -> Result<Vec<(AccountId, String)>, StoreError> {
    let Some(tell) = teller(&event.kind) else {
        return Ok(Vec::new());
    };
    let told = tell(cx, event)?.into_iter();
    let payloads = told.map(|(seller, data)| {
        let payload = payload(&event.kind, event.happened_at, data);
        (seller, payload)
    });
    Ok(payloads.collect())
}

/// The body of a delivery. One that is too long loses its lists, and says so.
pub fn payload(kind: &str, at: Timestamp, data: Value) -> String {
    let text =
        |data: &Value| json!({ "type": kind, "timestamp": rfc3339(at), "data": data }).to_string();
    let whole = text(&data);
    match data {
        Value::Object(mut fields) if whole.len() > MAX_PAYLOAD => {
            fields.retain(|_, value| !value.is_array());
            fields.insert("truncated".to_owned(), true.into());
            text(&Value::Object(fields))
        }
        _ => whole,
    }
}

fn rfc3339(at: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.ms());
    stamp.map_or_else(|_| at.ms().to_string(), |stamp| stamp.to_string())
}

fn product(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(id) = ProductId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let found = catalog::product(cx.tx, cx.caller.tenant, id)?;
    let told = found.map(|product| {
        let data = json!({
            "product_id": product.id.to_string(),
            "slug": product.slug,
            "code": product.code,
            "name": product.name,
            "state": product.state.name(),
        });
        (product.seller.account, data)
    });
    Ok(told.into_iter().collect())
}

fn order(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    of_order(cx, event, |_| {})
}

fn payment(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let code = event.data["failure_code"].clone();
    of_order(cx, event, |data| data["failure_code"] = code.clone())
}

/// To each seller of the order, their own lines of it.
fn of_order(cx: &mut Cx<'_>, event: &Event, more: impl Fn(&mut Value)) -> Result<Told, StoreError> {
    let Ok(id) = OrderId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let Some(order) = orders::find(cx.tx, cx.caller.tenant, id)? else {
        return Ok(Vec::new());
    };
    let mut sellers: Vec<_> = order.lines.iter().map(|line| line.seller).collect();
    sellers.sort();
    sellers.dedup();
    let tell = |seller| {
        let mut data = sold_by(&order, seller);
        more(&mut data);
        (seller, data)
    };
    Ok(sellers.into_iter().map(tell).collect())
}

fn sold_by(order: &Order, seller: AccountId) -> Value {
    let own = order.lines.iter().filter(|line| line.seller == seller);
    json!({
        "order_id": order.id.to_string(),
        "state": order.state.code(),
        "currency": order.total.currency().code(),
        "placed_at": order.placed_at.ms(),
        "paid_at": order.paid_at.map(Timestamp::ms),
        "lines": own.map(line).collect::<Vec<_>>(),
    })
}

fn line(line: &Line) -> Value {
    json!({
        "order_line_id": line.id.to_string(),
        "product_id": line.product.to_string(),
        "product_slug": line.product_slug,
        "price_id": line.price.to_string(),
        "title": line.title,
        "quantity": line.quantity,
        "unit_minor": line.unit.minor(),
        "gross_minor": line.split.gross.minor(),
        "discount_minor": line.split.discount.minor(),
        "tax_minor": line.split.tax.minor(),
        "platform_fee_minor": line.split.platform_fee.minor(),
        "payment_fee_minor": line.split.payment_fee.minor(),
        "affiliate_minor": line.split.affiliate.minor(),
        "seller_minor": line.split.seller.minor(),
        "bundle_id": line.bundle.as_ref().map(|bundle| bundle.id.to_string()),
    })
}

fn license(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(id) = LicenseId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let found = licensing::by_id(cx.tx, cx.caller.tenant, id)?;
    let now = cx.now;
    let told = found.map(|license| {
        let line = OrderLineId::parse(&license.source).ok();
        let data = json!({
            "license_id": license.id.to_string(),
            "product_id": license.product.to_string(),
            "product_code": license.product_code,
            "order_line_id": line.map(|line| line.to_string()),
            "state": license.state(now).code(),
            "seats": license.seats,
            "issued_at": license.issued_at.ms(),
            "expires_at": license.expires_at.map(Timestamp::ms),
            "revoked_at": license.revoked_at.map(Timestamp::ms),
        });
        (license.seller, data)
    });
    Ok(told.into_iter().collect())
}

/// To everybody who sold them something: that who has these licenses and placed these orders is reached
/// otherwise, and never how.
fn customer(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(account) = AccountId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let tenant = cx.caller.tenant;
    let mut of: BTreeMap<AccountId, [Vec<String>; 2]> = BTreeMap::new();
    for seller in orders::sellers_of(cx.tx, tenant, account)? {
        of.entry(seller).or_default();
    }
    for (seller, order) in orders::newest_with_sellers(cx.tx, tenant, account)? {
        let [known, _] = of.entry(seller).or_default();
        known.push(order.to_string());
    }
    for license in licensing::newest_of(cx.tx, tenant, account)? {
        let [_, known] = of.entry(license.seller).or_default();
        known.push(license.id.to_string());
    }
    let data = |[orders, licenses]: [Vec<String>; 2]| json!({ "changed": ["email"], "order_ids": orders, "license_ids": licenses });
    let told = of.into_iter();
    Ok(told.map(|(seller, own)| (seller, data(own))).collect())
}

/// To the seller of the license.
fn quota(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(id) = LicenseId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let found = licensing::by_id(cx.tx, cx.caller.tenant, id)?;
    let told = found.map(|license| {
        let data = json!({
            "license_id": license.id.to_string(),
            "product_id": license.product.to_string(),
            "product_code": license.product_code,
            "meter": event.data["meter"],
            "percent": event.data["percent"],
            "limit": event.data["limit"],
            "used": event.data["used"],
            "resets_at": event.data["resets_at"],
        });
        (license.seller, data)
    });
    Ok(told.into_iter().collect())
}

fn found_invoice(cx: &mut Cx<'_>, id: &str) -> Result<Option<Invoice>, StoreError> {
    let Ok(id) = InvoiceId::parse(id) else {
        return Ok(None);
    };
    match invoicing::issued(cx, id) {
        Ok(found) => Ok(found),
        Err(InvoiceError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}

fn invoice(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let found = found_invoice(cx, &event.subject)?;
    let told = found.map(|invoice| {
        let data = json!({
            "invoice_id": invoice.id.to_string(),
            "number": invoice.number_text(),
            "product_id": invoice.product.to_string(),
            "license_id": invoice.license.map(|license| license.to_string()),
            "period_from": invoice.period.0.ms(),
            "period_until": invoice.period.1.ms(),
            "state": invoice.state.name(),
            "total_minor": invoice.total.minor(),
            "currency": invoice.total.currency().code(),
            "due_at": invoice.due_at.ms(),
            "paid_at": invoice.paid_at.map(Timestamp::ms),
        });
        (invoice.seller, data)
    });
    Ok(told.into_iter().collect())
}

/// To each seller of the order: what went back, or is asked for, of their own lines.
fn money_back(
    cx: &mut Cx<'_>,
    event: &Event,
    more: impl Fn(&mut Value),
) -> Result<Told, StoreError> {
    let order = event.data["order"].as_str().map(OrderId::parse);
    let Some(Ok(order)) = order else {
        return Ok(Vec::new());
    };
    let tenant = cx.caller.tenant;
    let Some(order) = orders::find(cx.tx, tenant, order)? else {
        return Ok(Vec::new());
    };
    let taken = match refunds::taken_of(cx.tx, tenant, (order.id, event.subject.as_str())) {
        Ok(taken) => taken,
        Err(RefundError::Store(error)) => return Err(error),
        Err(_) => Vec::new(),
    };
    let mut sellers: Vec<_> = order.lines.iter().map(|line| line.seller).collect();
    sellers.sort();
    sellers.dedup();
    let tell = |seller| {
        let own = order.lines.iter().filter(|line| line.seller == seller);
        let lines: Vec<_> = own
            .map(|line| {
                let of_line = taken.iter().filter(|(id, _)| *id == line.id);
                let minor: i64 = of_line.map(|(_, amount)| amount.minor()).sum();
                json!({
                    "order_line_id": line.id.to_string(),
                    "product_id": line.product.to_string(),
                    "amount_minor": minor,
                })
            })
            .collect();
        let mut data = json!({
            "order_id": order.id.to_string(),
            "currency": order.total.currency().code(),
            "lines": lines,
        });
        more(&mut data);
        (seller, data)
    };
    Ok(sellers.into_iter().map(tell).collect())
}

/// To each seller of its lines: what the own ones give back, or no longer do.
fn credit_note(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(id) = CreditNoteId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let mut reading = ReadCx {
        tx: cx.tx,
        now: cx.now,
        caller: cx.caller,
    };
    let found = match invoicing::whole_credit(&mut reading, id) {
        Ok(Some(found)) => found,
        Err(InvoiceError::Store(error)) => return Err(error),
        Ok(None) | Err(_) => return Ok(Vec::new()),
    };
    let earner = |sold: &Option<Sold>| sold.as_ref().map_or(found.invoice.seller, |s| s.seller);
    let mut sellers: Vec<_> = found.lines.iter().map(|(_, sold)| earner(sold)).collect();
    sellers.sort();
    sellers.dedup();
    let tell = |seller| {
        let own = found
            .lines
            .iter()
            .filter(|(_, sold)| earner(sold) == seller);
        let lines: Vec<_> = own
            .map(|(line, sold)| {
                let order_line = sold.as_ref().map(|sold| sold.line.to_string());
                json!({
                    "order_line_id": order_line,
                    "amount_minor": line.amount.minor(),
                    "tax_minor": line.tax.minor(),
                })
            })
            .collect();
        let data = json!({
            "credit_note_id": found.note.id.to_string(),
            "number": found.note.number_text(),
            "invoice_id": found.invoice.id.to_string(),
            "invoice_number": found.invoice.number_text(),
            "corrects": found.corrects,
            "reason": found.note.reason,
            "currency": found.note.total.currency().code(),
            "lines": lines,
        });
        (seller, data)
    };
    Ok(sellers.into_iter().map(tell).collect())
}

/// To who earns by an invoice of usage: what went back of it.
fn refund_of_invoice(
    cx: &mut Cx<'_>,
    (event, invoice): (&Event, &str),
) -> Result<Told, StoreError> {
    let Some(invoice) = found_invoice(cx, invoice)? else {
        return Ok(Vec::new());
    };
    let mut data = json!({
        "refund_id": event.subject,
        "invoice_id": invoice.id.to_string(),
    });
    for field in ["amount_minor", "currency", "reason", "by", "failure_code"] {
        data[field] = event.data[field].clone();
    }
    Ok(vec![(invoice.seller, data)])
}

fn refund(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    if let Some(invoice) = event.data["invoice"].as_str() {
        return refund_of_invoice(cx, (event, invoice));
    }
    money_back(cx, event, |data| {
        data["refund_id"] = event.subject.as_str().into();
        for field in ["reason", "by", "failure_code"] {
            data[field] = event.data[field].clone();
        }
    })
}

fn dispute(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let more = |data: &mut Value| {
        data["dispute_id"] = event.subject.as_str().into();
        for field in ["stage", "reason", "evidence_due_at"] {
            data[field] = event.data[field].clone();
        }
        for field in ["by_default", "failure_code"] {
            if let Some(told) = event.data.get(field) {
                data[field] = told.clone();
            }
        }
    };
    match event.data["invoice"].as_str().map(InvoiceId::parse) {
        Some(Ok(invoice)) => dispute_of_invoice(cx, (event, invoice), more),
        _ => money_back(cx, event, more),
    }
}

/// To who earns by an invoice of usage: what a bank took of it.
fn dispute_of_invoice(
    cx: &mut Cx<'_>,
    (event, invoice): (&Event, InvoiceId),
    more: impl Fn(&mut Value),
) -> Result<Told, StoreError> {
    let tenant = cx.caller.tenant;
    let Some(invoice) = invoicing::by_id(cx.tx, tenant, invoice)? else {
        return Ok(Vec::new());
    };
    let of = (tenant, invoice.id);
    let mut data = json!({
        "invoice_id": invoice.id.to_string(),
        "product_id": invoice.product.to_string(),
        "currency": invoice.total.currency().code(),
        "amount_minor": refunds::taken_of_invoice(cx.tx, of, &event.subject)?,
    });
    more(&mut data);
    Ok(vec![(invoice.seller, data)])
}

/// To the seller of the line.
fn wish(_: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let seller = event.data["seller"].as_str().map(AccountId::parse);
    let Some(Ok(seller)) = seller else {
        return Ok(Vec::new());
    };
    let data = json!({
        "refund_wish_id": event.subject,
        "order_id": event.data["order"],
        "order_line_id": event.data["line"],
        "amount_minor": event.data["amount_minor"],
        "granted_minor": event.data["granted_minor"],
        "currency": event.data["currency"],
        "reason": event.data["reason"],
        "by": event.data["by"],
    });
    Ok(vec![(seller, data)])
}

/// To the seller whose money it is.
fn payout(_: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let seller = event.data["seller"].as_str().map(AccountId::parse);
    let Some(Ok(seller)) = seller else {
        return Ok(Vec::new());
    };
    let data = json!({
        "payout_id": event.subject,
        "amount_minor": event.data["amount_minor"],
        "currency": event.data["currency"],
        "failure_code": event.data["failure_code"],
    });
    Ok(vec![(seller, data)])
}

/// Where a seller stands, to that seller.
fn standing(_: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(seller) = AccountId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let data = json!({
        "seller_id": event.subject,
        "standing": event.data["standing"],
        "reason": event.data["reason"],
        "by_seller": event.data["by_seller"],
    });
    Ok(vec![(seller, data)])
}

fn subscription(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Ok(id) = SubscriptionId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let Some(of) = subscriptions::by_id(cx.tx, cx.caller.tenant, id)? else {
        return Ok(Vec::new());
    };
    let mut data = json!({
        "subscription_id": of.id.to_string(),
        "product_id": of.product.to_string(),
        "price_id": of.price.to_string(),
        "license_id": of.license.to_string(),
        "seats": of.seats,
    });
    // As it was when this happened: facts may overtake each other.
    let then = [
        "status",
        "period",
        "from",
        "until",
        "amount_minor",
        "currency",
        "failures",
        "next_attempt_at",
        "end_reason",
    ];
    for field in then {
        data[field] = event.data[field].clone();
    }
    Ok(vec![(of.seller, data)])
}

fn key_set(_: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let seller = AccountId::parse(&event.subject).ok();
    let data = json!({ "version": event.data["version"], "origin": event.data["origin"] });
    Ok(seller.map(|seller| (seller, data)).into_iter().collect())
}

/// The one that was switched off isn't told; the seller's others are.
fn endpoint(cx: &mut Cx<'_>, event: &Event) -> Result<Told, StoreError> {
    let Some(id) = disabled_endpoint(event) else {
        return Ok(Vec::new());
    };
    let found = endpoints::find(cx.tx, cx.caller.tenant, id, cx.now)?;
    let told = found.map(|endpoint| {
        let data = json!({
            "webhook_endpoint_id": endpoint.id.to_string(),
            "url": endpoint.url,
            "reason": event.data["reason"],
        });
        (endpoint.seller, data)
    });
    Ok(told.into_iter().collect())
}

/// Of which endpoint [`DISABLED`] tells; its subject also holds when, since it can happen again.
pub fn disabled_endpoint(event: &Event) -> Option<WebhookEndpointId> {
    let (id, _) = event.subject.split_once('@')?;
    WebhookEndpointId::parse(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_says_what_and_when_and_stays_short() {
        let at = Timestamp::from_secs(1_800_000_000);
        let text = payload(
            "order.paid",
            at,
            json!({ "order_id": "ord_1", "lines": [1] }),
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["timestamp"], "2027-01-15T08:00:00Z");
        assert_eq!(read["type"], "order.paid");
        assert_eq!(read["data"]["lines"], json!([1]));
        let lines = vec!["a long line"; 3_000];
        let text = payload(
            "order.paid",
            at,
            json!({ "order_id": "ord_1", "lines": lines }),
        );
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read["data"],
            json!({ "order_id": "ord_1", "truncated": true })
        );
    }

    #[test]
    fn events_are_named_once_and_in_order() {
        let names: Vec<_> = TOLD.iter().map(|(name, _)| *name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names.len(), sorted.len());
        assert!(is_event(TEST) && !is_told(TEST) && !is_event("order.eaten"));
    }
}
