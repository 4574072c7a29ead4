//! What people see of the money of a usage invoice.

use super::model::{Dispute, RefundError, RefundState, ReversalState};
use super::sql::{invoices, usage as sql};
use super::usage::InvoiceRefund;
use crate::app::ReadCx;
use crate::caller::Capability;
use crate::domains::invoicing::{self, Invoice, State};
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{InvoiceId, TenantId};

/// What can still be refunded of an invoice of usage, and what was: for who sees the invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfInvoice {
    /// What is left.
    pub left: Money,
    /// The oldest first.
    pub refunds: Vec<InvoiceRefund>,
    /// What banks ask, the oldest first.
    pub disputes: Vec<Dispute>,
}

/// See [`OfInvoice`]: for who earns by the invoice, and for the platform.
pub fn of_invoice(cx: &mut ReadCx<'_>, id: &InvoiceId) -> Result<OfInvoice, RefundError> {
    let tenant = cx.caller.tenant;
    let found = invoicing::find(cx, *id)?;
    let may = |invoice: &Invoice| {
        let own = cx.caller.account == Some(invoice.seller);
        invoice.source.starts_with("usage:") && (own || cx.caller.may(Capability::Administer))
    };
    let invoice = found.filter(may).ok_or(RefundError::NoInvoice)?;
    let refunds = sql::of_invoice(cx.tx, (tenant, invoice.id))?;
    let counts = |one: &&InvoiceRefund| one.state != RefundState::Failed;
    let mut left = invoice.total;
    for one in refunds.iter().filter(counts) {
        left = left.checked_sub(one.amount)?;
    }
    let disputes = invoices::disputes_of(cx.tx, (tenant, invoice.id))?;
    for one in invoices::of_invoice(cx.tx, (tenant, invoice.id))? {
        if one.state != ReversalState::Undone {
            left = left.checked_sub(one.parts.total()?)?;
        }
    }
    if invoice.state != State::Paid {
        left = Money::zero(left.currency());
    }
    Ok(OfInvoice {
        left,
        refunds,
        disputes,
    })
}

/// What banks ask, or asked, about an invoice's payment, whoever asks: the caller of this function
/// knows who may.
pub fn disputes_of_invoice(
    cx: &mut ReadCx<'_>,
    id: &InvoiceId,
) -> Result<Vec<Dispute>, RefundError> {
    Ok(invoices::disputes_of(cx.tx, (cx.caller.tenant, *id))?)
}

/// What banks ask, or asked, about the payments of some invoices, as for [`disputes_of_invoice`].
pub fn disputes_of_invoices(
    cx: &mut ReadCx<'_>,
    ids: &Vec<InvoiceId>,
) -> Result<Vec<Dispute>, RefundError> {
    let mut found = Vec::new();
    for id in ids {
        found.extend(disputes_of_invoice(cx, id)?);
    }
    Ok(found)
}

/// Refunds of an invoice, the oldest first, whoever asks, as for [`disputes_of_invoice`].
pub fn refunds_of_invoice(
    cx: &mut ReadCx<'_>,
    id: &InvoiceId,
) -> Result<Vec<InvoiceRefund>, RefundError> {
    Ok(sql::of_invoice(cx.tx, (cx.caller.tenant, *id))?)
}

/// What a dispute took of an invoice in all its rounds, as far as it isn't undone, and what was
/// refunded under that id.
pub fn taken_of_invoice(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    cause: &str,
) -> Result<i64, StoreError> {
    let mut minor = 0_i64;
    for one in invoices::of_invoice(tx, (tenant, invoice))? {
        let rest = one.cause.strip_prefix(cause);
        let own = rest.is_some_and(|rest| rest.starts_with(':'));
        if own && one.state != ReversalState::Undone {
            let total = one
                .parts
                .total()
                .map_err(|e| StoreError::shape(e.to_string()))?;
            minor = minor.saturating_add(total.minor());
        }
    }
    Ok(minor)
}
