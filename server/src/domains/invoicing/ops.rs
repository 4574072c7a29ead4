//! Issuing, paying and showing invoices.

use super::model::{
    Invoice, InvoiceError, InvoiceLine, InvoicePage, Issuer, NewInvoice, Sold, State, TaxSnapshot,
    may_see, total, visible,
};
use super::parties::Party;
use super::sql;
use crate::app::{Cx, ReadCx};
use crate::domains::taxes;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, InvoiceId, InvoiceLineId, LicenseId, OrderId, PaymentId, TenantId};

/// The one series of an issuer's invoices.
const SERIES: &str = "INV";

/// Most invoices one page or license shows.
const MAX_PAGE: i64 = 100;

/// What commands that may issue an invoice declare as contended: they all take a number from one
/// row, and so queue for it instead of failing.
pub const CONTENDED: &str = "invoice_series";

/// Issues an invoice of the platform's, open and numbered, inside the caller's commit; the same
/// source again answers the invoice that is there.
pub fn issue(cx: &mut Cx<'_>, new: &NewInvoice) -> Result<Invoice, InvoiceError> {
    issue_as(cx, Issuer::Platform(cx.caller.tenant), new)
}

/// As [`issue`], by the seller of record: in its own series.
pub fn issue_as(
    cx: &mut Cx<'_>,
    issuer: Issuer,
    new: &NewInvoice,
) -> Result<Invoice, InvoiceError> {
    let tenant = cx.caller.tenant;
    let total = total(&new.lines)?;
    if let Some(known) = sql::by_source(cx.tx, tenant, &new.source)? {
        return Ok(known);
    }
    let invoice = Invoice {
        id: cx.make_id(InvoiceId::from_bytes),
        issuer,
        series: SERIES.to_owned(),
        number: sql::next_number(cx.tx, tenant, issuer, SERIES)?,
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

/// What an order's invoice says beyond its lines' amounts.
#[derive(Debug, Clone)]
pub struct Sale<'a> {
    /// The seller of record.
    pub issuer: Issuer,
    /// What each line repeats of the order's, in the order of the lines.
    pub sold: &'a [Sold],
    /// The buyer as given.
    pub buyer: &'a Party,
    /// Which payment paid it.
    pub payment: Option<PaymentId>,
}

/// Issues the paid invoice of an order's lines inside the caller's commit; the same source again
/// answers the invoice that is there.
pub fn issue_sale(
    cx: &mut Cx<'_>,
    new: &NewInvoice,
    sale: &Sale<'_>,
) -> Result<Invoice, InvoiceError> {
    let tenant = cx.caller.tenant;
    if let Some(known) = sql::by_source(cx.tx, tenant, &new.source)? {
        return Ok(known);
    }
    for (line, sold) in new.lines.iter().zip(sale.sold) {
        let (said, found) = (line.amount, sold.amount()?);
        if said != found {
            return Err(InvoiceError::DoesNotAddUp { said, found });
        }
    }
    let invoice = issue_as(cx, sale.issuer, new)?;
    for (position, sold) in (1..).zip(sale.sold) {
        sql::insert_sold(cx.tx, (tenant, invoice.id), position, sold)?;
    }
    sql::parties::insert(cx.tx, (tenant, invoice.id), sale.buyer)?;
    mark_paid(cx, invoice.id, sale.payment)
}

/// Makes the invoices of a guest's order an account's.
pub fn give(cx: &mut Cx<'_>, order: OrderId, customer: AccountId) -> Result<(), InvoiceError> {
    Ok(sql::give(cx.tx, cx.caller.tenant, (order, customer))?)
}

/// The invoices of an order, for the house's own use: no ownership is asked.
pub fn of_order(cx: &mut ReadCx<'_>, order: OrderId) -> Result<Vec<Invoice>, InvoiceError> {
    Ok(sql::of_order(cx.tx, cx.caller.tenant, order)?)
}

/// Takes the next number of a series of the tenant's own, inside the caller's commit: a rolled-back
/// one takes none. For documents that other domains keep, such as self-billed statements.
pub fn take_number(cx: &mut Cx<'_>, series: &str) -> Result<i64, InvoiceError> {
    let tenant = cx.caller.tenant;
    let issuer = Issuer::Platform(tenant);
    Ok(sql::next_number(cx.tx, tenant, issuer, series)?)
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

/// Open becomes void; one that isn't open is refused.
pub fn mark_void(cx: &mut Cx<'_>, id: InvoiceId) -> Result<(), InvoiceError> {
    match sql::void(cx.tx, (cx.caller.tenant, id))? {
        true => Ok(()),
        false => Err(InvoiceError::AlreadyPaid),
    }
}

/// The invoice with that id, for the house's own use: no ownership is asked.
pub fn find(cx: &mut ReadCx<'_>, id: InvoiceId) -> Result<Option<Invoice>, InvoiceError> {
    Ok(sql::by_id(cx.tx, cx.caller.tenant, id)?)
}

/// As [`find`], of a tenant.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: InvoiceId,
) -> Result<Option<Invoice>, StoreError> {
    sql::by_id(tx, tenant, id)
}

/// As [`find`], in the caller's commit.
pub fn issued(cx: &mut Cx<'_>, id: InvoiceId) -> Result<Option<Invoice>, InvoiceError> {
    Ok(sql::by_id(cx.tx, cx.caller.tenant, id)?)
}

/// The lines of an invoice, for the house's own use: no ownership is asked.
pub fn lines(cx: &mut ReadCx<'_>, invoice: &Invoice) -> Result<Vec<InvoiceLine>, InvoiceError> {
    Ok(sql::lines(cx.tx, cx.caller.tenant, invoice)?)
}

/// The tax of a usage invoice; what an order's invoice is taxed stands with its lines.
pub fn usage_tax(
    tx: &mut dyn Tx,
    tenant: TenantId,
    invoice: InvoiceId,
) -> Result<Option<TaxSnapshot>, StoreError> {
    let found = taxes::of_invoice(tx, tenant, invoice)?;
    Ok(found.map(|(tax, parts)| TaxSnapshot {
        bps: tax.bps,
        jurisdiction: tax.jurisdiction,
        inclusive: tax.inclusive,
        reason: tax.reason,
        amount: parts.tax,
    }))
}

/// Asks for one invoice.
#[derive(Debug, Clone, Copy)]
pub struct InvoiceQuery {
    /// Which.
    pub id: InvoiceId,
}

/// One invoice and its lines, for who owes it and who runs the platform; who earns by it sees the
/// own lines, and what they come to as the total.
pub fn invoice(
    cx: &mut ReadCx<'_>,
    query: &InvoiceQuery,
) -> Result<(Invoice, Vec<InvoiceLine>), InvoiceError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_id(cx.tx, tenant, query.id)?;
    let invoice = found.ok_or(InvoiceError::NotFound)?;
    let lines = sql::lines(cx.tx, tenant, &invoice)?;
    visible(cx.caller, invoice, lines)?.ok_or(InvoiceError::NotFound)
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

/// The caller's own invoices; as the seller, each with what the caller's lines come to. Nobody
/// signed in owns none.
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
    invoices.retain(|invoice| may_see(cx.caller, invoice, &[]));
    Ok(invoices)
}
