//! An order as invoices say it: one paper a seller of record, with what each line was sold for.

use super::model::{Line, Order};
use super::sql;
use crate::app::{Cx, ReadCx};
use crate::domains::accounts;
use crate::domains::invoicing::{
    self, Invoice, InvoiceError, Issuer, NewInvoice, NewLine, Party, Sale, Sold, TaxSnapshot,
};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{LicenseId, OrderLineId, PaymentId};
use std::collections::BTreeMap;

/// What an order was for, in the words of its invoices.
#[derive(Debug, Clone)]
pub struct Invoiced<'a> {
    /// What caused it, unique in the tenant: `sale:ord_…`.
    pub source: &'a str,
    /// The stable kind of its lines.
    pub kind: &'a str,
    /// Under which license, when it is one.
    pub license: Option<LicenseId>,
    /// From the first instant to the instant after the last; one instant for what was sold for good.
    pub period: (Timestamp, Timestamp),
    /// Which payment paid it.
    pub payment: Option<PaymentId>,
}

/// Issues the paid invoices of an order, inside the commit that made it paid: one for each seller of
/// record, none for whose lines cost nothing.
pub fn invoice_order(
    cx: &mut Cx<'_>,
    order: &Order,
    what: &Invoiced<'_>,
) -> Result<Vec<Invoice>, InvoiceError> {
    let buyer = buyer(cx, order)?;
    let mut issued = Vec::new();
    for (issuer, lines) in by_record(cx, order)? {
        let sold: Vec<_> = lines.iter().map(|line| sold(line)).collect();
        let source = match issuer {
            Issuer::Platform(_) => what.source.to_owned(),
            Issuer::Seller(account) => format!("{}:{account}", what.source),
        };
        let new_lines = lines.iter().map(|line| new_line(line, what.kind));
        let first = lines.first().ok_or(InvoiceError::Empty)?;
        let new = NewInvoice {
            source,
            customer: order.account,
            order: Some(order.id),
            seller: first.seller,
            product: first.product,
            license: what.license,
            period: what.period,
            due_at: cx.now,
            lines: new_lines.collect(),
        };
        if new.lines.iter().all(|line| line.amount.minor() == 0) {
            continue;
        }
        let sale = Sale {
            issuer,
            sold: &sold,
            buyer: &buyer,
            payment: what.payment,
        };
        issued.push(invoicing::issue_sale(cx, &new, &sale)?);
    }
    Ok(issued)
}

/// The order's lines by their seller of record, the platform's first.
fn by_record<'o>(
    cx: &mut Cx<'_>,
    order: &'o Order,
) -> Result<BTreeMap<Issuer, Vec<&'o Line>>, StoreError> {
    let tenant = cx.caller.tenant;
    let records = sql::records(cx.tx, tenant, order.id)?;
    let mut found: BTreeMap<Issuer, Vec<&Line>> = BTreeMap::new();
    for line in &order.lines {
        let of_line = |(id, _): &&(OrderLineId, String)| *id == line.id;
        let record = records.iter().find(of_line).map(|(_, record)| record);
        let issuer = record.and_then(|record| Issuer::of_record(tenant, record));
        let unknown = || StoreError::shape(format!("{} has no seller of record", line.id));
        found
            .entry(issuer.ok_or_else(unknown)?)
            .or_default()
            .push(line);
    }
    Ok(found)
}

fn new_line(line: &Line, kind: &str) -> NewLine {
    NewLine {
        kind: kind.to_owned(),
        meter: None,
        quantity: line.quantity.unsigned_abs(),
        free_units: 0,
        unit_price_nanos: None,
        amount: line.split.charged,
        tariff: None,
        explanation: format!("{} × {} of {}", line.quantity, line.unit, line.title),
    }
}

fn sold(line: &Line) -> Sold {
    Sold {
        line: line.id,
        seller: line.seller,
        product: line.product,
        title: line.title.clone(),
        gross: line.split.gross,
        discount: line.split.discount,
        tax: tax(line),
    }
}

/// The tax of a line: the one place that knows where orders keep it.
fn tax(line: &Line) -> TaxSnapshot {
    TaxSnapshot {
        bps: line.tax.bps,
        jurisdiction: line.tax.jurisdiction.clone(),
        inclusive: line.tax.inclusive,
        reason: line.tax.reason.clone(),
        amount: line.split.tax,
    }
}

/// The buyer as given: an account's name and address, or the guest's address.
fn buyer(cx: &mut Cx<'_>, order: &Order) -> Result<Party, InvoiceError> {
    let tenant = cx.caller.tenant;
    let Some(account) = order.account else {
        let email = sql::contact(cx.tx, tenant, order.id)?;
        return Ok(Party {
            email: email.unwrap_or_default(),
            ..Party::default()
        });
    };
    let mut reading = ReadCx {
        tx: cx.tx,
        now: cx.now,
        caller: cx.caller,
    };
    let found = accounts::find_account(&mut reading, &account);
    let found = found.map_err(|error| StoreError::shape(error.to_string()))?;
    let party = found.map(|account| Party {
        name: account.name,
        email: account.email.as_str().to_owned(),
        ..Party::default()
    });
    Ok(party.unwrap_or_default())
}
