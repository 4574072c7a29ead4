//! What the house knows of a sale, in plain lines that a bank can read.

use super::model::{AnswerError, Known};
use crate::app::ReadCx;
use crate::domains::fulfilment;
use crate::domains::invoicing;
use crate::domains::licensing::{self, LicenseView};
use crate::domains::orders::{Line, Order};
use crate::domains::refunds::{self, RefundState};
use mintreu::Timestamp;

/// Most devices that are told of.
const MAX_DEVICES: usize = 50;

/// An instant as banks read it: `2026-11-26T19:00:00Z`.
pub(super) fn instant(at: Timestamp) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.ms());
    stamp.map_or_else(|_| at.ms().to_string(), |stamp| stamp.to_string())
}

/// Gathers what is known now; nothing that says who the buyer is.
pub(super) fn gather(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<Known>, AnswerError> {
    let views = licenses(cx, order)?;
    let by_about = [
        ("order", of_order(order)),
        ("products", products(order)),
        ("papers", papers(cx, order)?),
        ("agreed", agreed(cx, order)?),
        ("licenses", views.iter().map(of_license).collect()),
        ("activity", activity(&views)),
        ("refunds", refunded(cx, order)?),
    ];
    let known = |(about, lines): (&str, Vec<String>)| Known {
        about: about.to_owned(),
        text: lines.join("\n"),
    };
    let known = by_about.into_iter().map(known);
    Ok(known.filter(|one| !one.text.is_empty()).collect())
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

fn agreed(cx: &mut ReadCx<'_>, order: &Order) -> Result<Vec<String>, AnswerError> {
    let consents = fulfilment::consents_of(cx.tx, cx.caller.tenant, order.id)?;
    let line = |one: &fulfilment::Consent| {
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
