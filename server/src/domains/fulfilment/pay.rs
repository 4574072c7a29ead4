//! Paying an invoice of usage: the attempt, and the page at the provider.

use super::automatic;
use super::model::FulfilmentError;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::invoicing::{self, Invoice, InvoiceError, State};
use crate::domains::orders::{self, OrderError};
use crate::domains::payments::{self, NewPayment, Payable, Payment, PaymentState};
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

/// The payment to open a page for, and what its buyer reads there. For who owes the invoice, or
/// holds the secret of the order that began it; to others it doesn't exist.
pub fn pay_invoice(
    cx: &mut Cx<'_>,
    cmd: &PayInvoice,
) -> Result<(PaymentId, String), FulfilmentError> {
    let tenant = cx.caller.tenant;
    let found = invoicing::issued(cx, cmd.invoice)?;
    let invoice = found.ok_or(InvoiceError::NotFound)?;
    if !owes(cx.caller, &invoice) {
        by_token(cx, &invoice, cmd.token.as_deref())?;
    }
    match invoice.state {
        State::Open => {}
        State::Paid => return Err(InvoiceError::AlreadyPaid.into()),
        State::Void => return Err(InvoiceError::Void.into()),
    }
    let payable = Payable::new(invoice.id);
    let last = payments::latest(cx.tx, tenant, &payable)?;
    let payment = match last.filter(|last| last.state != PaymentState::Failed) {
        Some(open) => open,
        None => {
            let new = NewPayment {
                payable,
                amount: invoice.total,
                provider: cmd.provider.clone(),
            };
            payments::expect(cx, &new)?
        }
    };
    Ok((payment.id, automatic::title(cx, &invoice)?))
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
