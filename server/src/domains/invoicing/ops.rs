//! Issuing, paying and showing invoices.

use super::model::{
    Invoice, InvoiceError, InvoiceLine, InvoicePage, NewInvoice, State, may_see, total,
};
use super::sql;
use crate::app::{Cx, ReadCx};
use mintreu::id::{InvoiceId, InvoiceLineId, LicenseId, PaymentId};

/// The one series of the platform's own invoices.
const SERIES: &str = "INV";

/// Most invoices one page or license shows.
const MAX_PAGE: i64 = 100;

/// What commands that may issue an invoice declare as contended: they all take a number from one
/// row, and so queue for it instead of failing.
pub const CONTENDED: &str = "invoice_series";

/// Issues an invoice, open and numbered, inside the caller's commit; the same source again answers
/// the invoice that is there.
///
/// The platform is the seller of record: it issues in its own series and owes the seller.
pub fn issue(cx: &mut Cx<'_>, new: &NewInvoice) -> Result<Invoice, InvoiceError> {
    let tenant = cx.caller.tenant;
    let total = total(&new.lines)?;
    if let Some(known) = sql::by_source(cx.tx, tenant, &new.source)? {
        return Ok(known);
    }
    let invoice = Invoice {
        id: cx.make_id(InvoiceId::from_bytes),
        issuer: tenant,
        series: SERIES.to_owned(),
        number: sql::next_number(cx.tx, tenant, tenant, SERIES)?,
        source: new.source.clone(),
        customer: new.customer,
        order: new.order,
        seller: new.seller,
        product: new.product,
        license: new.license,
        period: new.period,
        total,
        state: State::Open,
        finalized_at: cx.now,
        due_at: new.due_at,
        paid_at: None,
        payment: None,
    };
    sql::insert(cx.tx, tenant, &invoice)?;
    for (position, line) in (1..).zip(&new.lines) {
        let id = cx.make_id(InvoiceLineId::from_bytes);
        sql::insert_line(cx.tx, (tenant, invoice.id), (id, position), line)?;
    }
    Ok(invoice)
}

/// Takes the next number of a series of the tenant's own, inside the caller's commit: a rolled-back
/// one takes none. For documents that other domains keep, such as self-billed statements.
pub fn take_number(cx: &mut Cx<'_>, series: &str) -> Result<i64, InvoiceError> {
    let tenant = cx.caller.tenant;
    Ok(sql::next_number(cx.tx, tenant, tenant, series)?)
}

/// Open becomes paid. The same payment again changes nothing; another one is refused.
pub fn mark_paid(
    cx: &mut Cx<'_>,
    id: InvoiceId,
    payment: Option<PaymentId>,
) -> Result<Invoice, InvoiceError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_id(cx.tx, tenant, id)?;
    let mut invoice = found.ok_or(InvoiceError::NotFound)?;
    if sql::pay(cx.tx, (tenant, id), payment, cx.now)? {
        invoice.state = State::Paid;
        (invoice.paid_at, invoice.payment) = (Some(cx.now), payment);
        return Ok(invoice);
    }
    match invoice.payment == payment {
        true => Ok(invoice),
        false => Err(InvoiceError::AlreadyPaid),
    }
}

/// The invoice with that id, for the house's own use: no ownership is asked.
pub fn find(cx: &mut ReadCx<'_>, id: InvoiceId) -> Result<Option<Invoice>, InvoiceError> {
    Ok(sql::by_id(cx.tx, cx.caller.tenant, id)?)
}

/// As [`find`], in the caller's commit.
pub fn issued(cx: &mut Cx<'_>, id: InvoiceId) -> Result<Option<Invoice>, InvoiceError> {
    Ok(sql::by_id(cx.tx, cx.caller.tenant, id)?)
}

/// Asks for one invoice.
#[derive(Debug, Clone, Copy)]
pub struct InvoiceQuery {
    /// Which.
    pub id: InvoiceId,
}

/// One invoice and its lines, for who owes it, who earns by it, and who runs the platform.
pub fn invoice(
    cx: &mut ReadCx<'_>,
    query: &InvoiceQuery,
) -> Result<(Invoice, Vec<InvoiceLine>), InvoiceError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_id(cx.tx, tenant, query.id)?;
    let invoice = found.filter(|invoice| may_see(cx.caller, invoice));
    let invoice = invoice.ok_or(InvoiceError::NotFound)?;
    let lines = sql::lines(cx.tx, tenant, &invoice)?;
    Ok((invoice, lines))
}

/// Asks for the caller's invoices, newest first.
#[derive(Debug, Clone, Copy)]
pub struct ListInvoices {
    /// Those the caller earns by, not those the caller owes.
    pub as_seller: bool,
    /// Only older than this one: where the last page ended.
    pub before: Option<InvoiceId>,
    /// At most so many, 1 to 100.
    pub limit: i64,
}

/// The caller's own invoices. Nobody signed in owns none.
pub fn list(cx: &mut ReadCx<'_>, query: &ListInvoices) -> Result<InvoicePage, InvoiceError> {
    let Some(account) = cx.caller.account else {
        return Ok(InvoicePage {
            invoices: Vec::new(),
            next: None,
        });
    };
    let limit = query.limit.clamp(1, MAX_PAGE);
    let before = query.before.unwrap_or(InvoiceId::from_bytes([0xff; 16]));
    let owner = (cx.caller.tenant, account);
    let mut invoices = sql::of_account(cx.tx, owner, query.as_seller, (before, limit + 1))?;
    let more = invoices.len() as i64 > limit;
    invoices.truncate(limit as usize);
    let next = invoices.last().filter(|_| more).map(|last| last.id);
    Ok(InvoicePage { invoices, next })
}

/// The newest invoices of a license that the caller may see.
pub fn of_license(cx: &mut ReadCx<'_>, license: LicenseId) -> Result<Vec<Invoice>, InvoiceError> {
    let mut invoices = sql::of_license(cx.tx, cx.caller.tenant, license, MAX_PAGE)?;
    invoices.retain(|invoice| may_see(cx.caller, invoice));
    Ok(invoices)
}
