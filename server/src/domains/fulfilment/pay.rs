//! Paying an invoice of usage: the attempt, and the page at the provider.

use super::automatic;
use super::model::FulfilmentError;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::invoicing::{self, Invoice, InvoiceError, State};
use crate::domains::orders::{self, OrderError};
use crate::domains::payments::{self, MethodUse, NewPayment, Payable, Payment, PaymentState};
use crate::store::StoreError;
use mintreu::id::{InvoiceId, PaymentId};

/// Pays an open invoice: the attempt that is on its way, or a new one after a failure.
#[derive(Clone)]
pub struct PayInvoice {
    /// Which.
    pub invoice: InvoiceId,
    /// What opens a guest's order.
    pub token: Option<String>,
    /// Whose page takes the money.
    pub provider: String,
    /// Whether later invoices of the same license shall be charged to what pays this one.
    pub later: bool,
    /// The attempt whose page the provider closed for this wish.
    pub closed: Option<PaymentId>,
}

impl Command for PayInvoice {
    const NAME: &'static str = "fulfilment.pay_invoice";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.invoice.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.invoice.to_string()]
    }
}

/// What a wish to pay leads to.
#[derive(Debug, Clone)]
pub enum Paying {
    /// The payment to open a page for, and what its buyer reads there.
    Page(PaymentId, String),
    /// The page of this attempt must be closed first: it says something else of what pays there.
    Close(Box<Payment>),
}

/// The way to pay. For who owes the invoice, or holds the secret of the order that began it; to
/// others it doesn't exist.
///
/// Whoever holds the link may pay, so an attempt whose page keeps the method is for nobody but the
/// account that wished so.
pub fn pay_invoice(cx: &mut Cx<'_>, cmd: &PayInvoice) -> Result<Paying, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let invoice = payable(cx, cmd)?;
    let method_use = match cmd.later {
        true => MethodUse::Setup,
        false => MethodUse::Once,
    };
    let payable = Payable::new(invoice.id);
    let last = payments::latest(cx.tx, tenant, &payable)?;
    let page = |payment: PaymentId, title: String| Paying::Page(payment, title);
    let title = automatic::title(cx, &invoice)?;
    if let Some(open) = last.filter(|last| last.state != PaymentState::Failed) {
        if open.is_charging() {
            return Err(FulfilmentError::BeingCharged);
        }
        let suits = open.method_use == method_use
            && (method_use == MethodUse::Once || open.begun_by == cx.caller.account);
        if suits || !open.is_open() {
            return Ok(page(open.id, title));
        }
        if open.provider_session.is_none() {
            payments::hand_to_caller(cx, &open, method_use)?;
            return Ok(page(open.id, title));
        }
        if cmd.closed != Some(open.id) {
            return Ok(Paying::Close(Box::new(open)));
        }
        payments::close(cx, &open)?;
    }
    let new = NewPayment {
        payable,
        amount: invoice.total,
        provider: cmd.provider.clone(),
        method_use,
    };
    Ok(page(payments::expect(cx, &new)?.id, title))
}

/// The invoice, if it is open and the caller may pay it in that way.
fn payable(cx: &mut Cx<'_>, cmd: &PayInvoice) -> Result<Invoice, FulfilmentError> {
    let found = invoicing::issued(cx, cmd.invoice)?;
    let invoice = found.ok_or(InvoiceError::NotFound)?;
    let owes = owes(cx.caller, &invoice);
    if !owes {
        by_token(cx, &invoice, cmd.token.as_deref())?;
    }
    if cmd.later && !(owes && invoice.license.is_some()) {
        return Err(FulfilmentError::LaterNotYours);
    }
    match invoice.state {
        State::Open => Ok(invoice),
        State::Paid => Err(InvoiceError::AlreadyPaid.into()),
        State::Void => Err(InvoiceError::Void.into()),
    }
}

/// Whether the caller is who owes it.
fn owes(caller: &Caller, invoice: &Invoice) -> bool {
    caller.account.is_some() && caller.account == invoice.customer
}

fn by_token(
    cx: &mut Cx<'_>,
    invoice: &Invoice,
    token: Option<&str>,
) -> Result<(), FulfilmentError> {
    let order = invoice.order.filter(|_| token.is_some());
    let order = order.ok_or(InvoiceError::NotFound)?;
    match orders::seen_by(cx, order, token) {
        Ok(_) => Ok(()),
        Err(OrderError::NotFound) => Err(InvoiceError::NotFound.into()),
        Err(error) => Err(error.into()),
    }
}

/// The newest attempt to pay an invoice of usage, for its paper.
pub(super) fn attempt(
    cx: &mut ReadCx<'_>,
    invoice: InvoiceId,
) -> Result<Option<Payment>, StoreError> {
    payments::latest(cx.tx, cx.caller.tenant, &Payable::new(invoice))
}
