//! What the house knows of a sale, in plain lines that a bank can read.

use super::matter::Matter;
use super::model::{AnswerError, Known};
use crate::app::ReadCx;
use crate::domains::fulfilment;
use crate::domains::invoicing::{self, Invoice};
use crate::domains::licensing::{self, LicenseView};
use crate::domains::orders::{Consent, Line, Order};
use crate::domains::refunds::{self, RefundState};
use mintreu::Timestamp;
use mintreu::id::OrderId;

/// Most devices that are told of.
const MAX_DEVICES: usize = 50;

/// An instant as banks read it: `2026-11-26T19:00:00Z`.
pub(super) fn instant(at: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.ms());
    stamp.map_or_else(|_| at.ms().to_string(), |stamp| stamp.to_string())
}

/// Gathers what is known now; nothing that says who the buyer is.
pub(super) fn gather(cx: &mut ReadCx<'_>, matter: &Matter) -> Result<Vec<Known>, AnswerError> {
    let by_about = match matter {
        Matter::Order(order) => sold(cx, order)?,
        Matter::Usage(invoice) => used(cx, invoice)?,
    };
    let known = |(about, lines): (&str, Vec<String>)| Known {
        about: about.to_owned(),
        text: lines.join("\n"),
    };
    let known = by_about.into_iter().map(known);
    Ok(known.filter(|one| !one.text.is_empty()).collect())
}

/// Facts about one thing: which, and a line each.
type About = (&'static str, Vec<String>);

fn sold(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<About>, AnswerError> {
    let views = licenses(cx, order)?;
    Ok(vec![
        ("order", of_order(order)),
        ("products", products(order)),
        ("papers", papers(cx, order)?),
        ("agreed", agreed(cx, order.id)?),
        ("licenses", views.iter().map(of_license).collect()),
        ("activity", activity(&views)),
        ("refunds", refunded(cx, order)?),
    ])
}

/// What is known of usage: what was counted and for how much, under which license, on which devices.
fn used(cx: &mut ReadCx<'_>, invoice: &Invoice) -> Result<Vec<About>, AnswerError> {
    let mut views = Vec::new();
    if let Some(license) = invoice.license
        && let Some(license) = licensing::by_id(cx.tx, cx.caller.tenant, license)?
    {
        views.push(licensing::ops::with_devices(cx, license)?);
    }
    let lines = invoicing::lines(cx, invoice)?;
    let lines = lines.iter().map(|line| line.explanation.clone());
    let mut known = match invoice.order {
        Some(order) => vec![("agreed", agreed(cx, order)?)],
        None => Vec::new(),
    };
    known.extend([
        ("products", lines.collect()),
        ("papers", vec![of_usage(invoice)]),
        ("licenses", views.iter().map(of_license).collect()),
        ("activity", activity(&views)),
        ("refunds", usage_refunded(cx, invoice)?),
    ]);
    Ok(known)
}

fn of_usage(invoice: &Invoice) -> String {
    let (from, to) = (instant(invoice.period.0), instant(invoice.period.1));
    let paid = invoice
        .paid_at
        .map_or_else(String::new, |at| format!(", paid at {}", instant(at)));
    let (number, total) = (invoice.number_text(), invoice.total);
    format!("Invoice {number} of what was used from {from} to {to}, {total}{paid}")
}

fn usage_refunded(cx: &mut ReadCx<'_>, invoice: &Invoice) -> Result<Vec<String>, AnswerError> {
    let found = refunds::refunds_of_invoice(cx, &invoice.id)?;
    let sent = found
        .iter()
        .filter(|one| one.state == RefundState::Succeeded);
    let line = |one: &refunds::InvoiceRefund| {
        let at = instant(one.settled_at.unwrap_or(one.requested_at));
        format!("Refunded {} at {at}", one.amount)
    };
    Ok(sent.map(line).collect())
}

fn of_order(order: &Order) -> Vec<String> {
    let paid = order.paid_at.map_or_else(String::new, |at| {
        format!(", paid {} in all at {}", order.total, instant(at))
    });
    let placed = instant(order.placed_at);
    vec![format!("Order {} placed at {placed}{paid}", order.id)]
}

fn products(order: &Order) -> Vec<String> {
    let line = |line: &Line| {
        let (title, charged) = (&line.title, line.split.charged);
        format!("{} x {title}, {charged}", line.quantity)
    };
    order.lines.iter().map(line).collect()
}

fn papers(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<String>, AnswerError> {
    let invoices = invoicing::of_order(cx, order.id)?;
    let paper = |one: &invoicing::Invoice| {
        let at = instant(one.finalized_at);
        format!("Invoice {} of {at}, {}", one.number_text(), one.total)
    };
    Ok(invoices.iter().map(paper).collect())
}

fn agreed(cx: &mut ReadCx<'_>, order: OrderId) -> Result<Vec<String>, AnswerError> {
    let consents = fulfilment::consents_of(cx.tx, cx.caller.tenant, order)?;
    let line = |one: &Consent| {
        let what = match one.kind.as_str() {
            "withdrawal_waiver" => "supply at once, which ends the right of withdrawal",
            _ => "the terms of the license",
        };
        let (version, at) = (&one.version, instant(one.agreed_at));
        format!("Agreed to {what}, version {version}, at {at}")
    };
    Ok(consents.iter().map(line).collect())
}

fn licenses(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<LicenseView>, AnswerError> {
    let mut views = Vec::new();
    for line in &order.lines {
        let source = line.id.to_string();
        if let Some(license) = licensing::by_source(cx.tx, cx.caller.tenant, &source)? {
            views.push(licensing::ops::with_devices(cx, license)?);
        }
    }
    Ok(views)
}

fn of_license(view: &LicenseView) -> String {
    let license = &view.license;
    let (at, seats) = (instant(license.issued_at), license.seats);
    let until = license
        .expires_at
        .map_or_else(String::new, |at| format!(", good until {}", instant(at)));
    format!(
        "License {} delivered at {at}, {seats} seats{until}",
        license.id
    )
}

fn activity(views: &[LicenseView]) -> Vec<String> {
    let devices = views.iter().flat_map(|view| &view.activations);
    let line = |one: &licensing::Activation| {
        let (at, seen) = (instant(one.activated_at), instant(one.last_seen_at));
        let (device, license) = (one.device_name(), one.license);
        format!("Device {device} activated license {license} at {at}, last heard of at {seen}")
    };
    devices.take(MAX_DEVICES).map(line).collect()
}

fn refunded(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<String>, AnswerError> {
    let found = refunds::of_order(cx, order.id)?;
    let sent = found.refunds.iter();
    let sent = sent.filter(|one| one.state == RefundState::Succeeded);
    let line = |one: &refunds::Refund| {
        let at = instant(one.settled_at.unwrap_or(one.requested_at));
        format!("Refunded {} at {at}", one.amount)
    };
    Ok(sent.map(line).collect())
}
