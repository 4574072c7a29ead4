//! Invoices and credit notes with all that is printed on them, for the buyer (an account, or who
//! holds the order's secret), the platform, and sellers, who see the own lines and no buyer.

use super::model::FulfilmentError;
use super::pay;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::accounts;
use crate::domains::invoicing::{
    self, CreditView, Invoice, InvoiceError, InvoiceLine, InvoiceQuery, Issuer, Parties, Party,
    State, TaxSnapshot, credits_of, find_credit,
};
use crate::domains::orders;
use crate::domains::payments::Payment;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{CreditNoteId, InvoiceId, OrderId};

/// Asks for an invoice as it is printed.
#[derive(Clone)]
pub struct ViewInvoice {
    /// Which.
    pub invoice: InvoiceId,
    /// What opens a guest's order.
    pub token: Option<String>,
}

/// An invoice with all that is printed on it.
#[derive(Debug, Clone)]
pub struct InvoicePaper {
    /// The invoice; to a seller, with what the own lines come to.
    pub invoice: Invoice,
    /// Its lines, or a seller's own of them.
    pub lines: Vec<InvoiceLine>,
    /// The tax in it, when it is of usage; what was sold says its own.
    pub tax: Option<TaxSnapshot>,
    /// The newest attempt to pay what isn't paid, for who may pay it now.
    pub payable: Option<Option<Payment>>,
    /// Who issued it, who pays; the buyer isn't a seller's to see.
    pub parties: Parties,
    /// What was credited and corrected since, oldest first.
    pub credits: Vec<CreditView>,
}

/// The invoice, for who may see it; to others it doesn't exist.
pub fn invoice_paper(
    cx: &mut ReadCx<'_>,
    query: &ViewInvoice,
) -> Result<InvoicePaper, FulfilmentError> {
    let (invoice, lines) = seen(cx, query.invoice, query.token.as_deref())?;
    let at = invoice.finalized_at;
    let parties = parties(cx, (&invoice, at), query.token.as_deref())?;
    let credits = credits_of(cx, &invoice, &lines)?;
    let tax = invoicing::usage_tax(cx.tx, cx.caller.tenant, invoice.id)?;
    let token = query.token.as_deref();
    let own = cx.caller.account.is_some() && cx.caller.account == invoice.customer;
    let payable = match invoice.state == State::Open && (own || is_opened(cx, &invoice, token)?) {
        true => Some(pay::attempt(cx, invoice.id)?),
        false => None,
    };
    Ok(InvoicePaper {
        tax,
        payable,
        invoice,
        lines,
        parties,
        credits,
    })
}

/// Whether the order's secret opens the invoice.
fn is_opened(
    cx: &mut ReadCx<'_>,
    invoice: &Invoice,
    token: Option<&str>,
) -> Result<bool, StoreError> {
    let (Some(order), Some(_)) = (invoice.order, token) else {
        return Ok(false);
    };
    match orders::view(cx, order, token) {
        Ok(_) => Ok(true),
        Err(orders::OrderError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

fn seen(
    cx: &mut ReadCx<'_>,
    id: InvoiceId,
    token: Option<&str>,
) -> Result<(Invoice, Vec<InvoiceLine>), FulfilmentError> {
    if let Some(invoice) = invoicing::find(cx, id)?
        && is_opened(cx, &invoice, token)?
    {
        let lines = invoicing::lines(cx, &invoice)?;
        return Ok((invoice, lines));
    }
    Ok(invoicing::invoice(cx, &InvoiceQuery { id })?)
}

/// Who issued and who pays, as the caller may know it.
fn parties(
    cx: &mut ReadCx<'_>,
    (invoice, at): (&Invoice, Timestamp),
    token: Option<&str>,
) -> Result<Parties, FulfilmentError> {
    let mut found = invoicing::parties(cx, invoice, at)?;
    if let Issuer::Seller(account) = invoice.issuer {
        let account = accounts::find_account(cx, &account);
        let account = account.map_err(|error| StoreError::shape(error.to_string()))?;
        found.issuer = account.map(|account| Party {
            name: account.name,
            ..Party::default()
        });
    }
    if !buys(cx.caller, invoice) && !is_opened(cx, invoice, token)? {
        found.buyer = None;
        found.open = false;
    }
    Ok(found)
}

/// Whether the caller pays the invoice, or runs the platform.
fn buys(caller: &Caller, invoice: &Invoice) -> bool {
    let own = caller.account.is_some() && caller.account == invoice.customer;
    own || caller.may(Capability::Administer)
}

/// Asks for the invoices of an order.
#[derive(Clone)]
pub struct ViewInvoices {
    /// Which order.
    pub order: OrderId,
    /// What opens a guest's.
    pub token: Option<String>,
}

/// The invoices of an order that the caller owns or holds the secret of.
pub fn invoices_of_order(
    cx: &mut ReadCx<'_>,
    query: &ViewInvoices,
) -> Result<Vec<Invoice>, FulfilmentError> {
    let order = orders::view(cx, query.order, query.token.as_deref())?;
    Ok(invoicing::of_order(cx, order.id)?)
}

/// Asks for a credit note as it is printed.
#[derive(Clone)]
pub struct ViewCredit {
    /// Which.
    pub credit: CreditNoteId,
    /// What opens a guest's order.
    pub token: Option<String>,
}

/// A credit note with all that is printed on it.
#[derive(Debug, Clone)]
pub struct CreditPaper {
    /// The credit note and its lines, or a seller's own of them.
    pub view: CreditView,
    /// Who issued it, who gets the money; the buyer isn't a seller's to see.
    pub parties: Parties,
}

/// The credit note, for who may see its invoice.
pub fn credit_paper(
    cx: &mut ReadCx<'_>,
    query: &ViewCredit,
) -> Result<CreditPaper, FulfilmentError> {
    let token = query.token.as_deref();
    let note = find_credit(cx, query.credit)?.ok_or(InvoiceError::NotFound)?;
    let (invoice, lines) = seen(cx, note.invoice, token)?;
    let at = note.issued_at;
    let parties = parties(cx, (&invoice, at), token)?;
    let view = invoicing::credits::view(cx, note, (invoice, &lines))?;
    Ok(CreditPaper {
        view: view.ok_or(InvoiceError::NotFound)?,
        parties,
    })
}

/// Adds the buyer's details to an invoice, once: an invoice is never edited.
#[derive(Clone)]
pub struct AddBuyer {
    /// Which invoice.
    pub invoice: InvoiceId,
    /// What opens a guest's order.
    pub token: Option<String>,
    /// Name, address and tax number; the e-mail address stays as given.
    pub party: Party,
}

impl Command for AddBuyer {
    const NAME: &'static str = "fulfilment.add_buyer";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.invoice.to_string())
    }
}

/// See [`AddBuyer`]: for who owns the order or holds its secret.
pub fn add_buyer(cx: &mut Cx<'_>, cmd: &AddBuyer) -> Result<Party, FulfilmentError> {
    let found = invoicing::issued(cx, cmd.invoice)?;
    let order = found.and_then(|invoice| invoice.order);
    let order = order.ok_or(InvoiceError::NotFound)?;
    match orders::seen_by(cx, order, cmd.token.as_deref()) {
        Ok(_) => {}
        Err(orders::OrderError::NotFound) => return Err(InvoiceError::NotFound.into()),
        Err(error) => return Err(error.into()),
    }
    Ok(invoicing::complete_buyer(cx, cmd.invoice, &cmd.party)?)
}
