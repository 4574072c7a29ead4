//! The tax of a usage invoice: taxed as things stand when it is issued, where its customer is then.

use super::model::{BillingError, Plan};
use crate::app::Cx;
use crate::domains::invoicing::{self, Invoice, NewLine};
use crate::domains::taxes::{self, Movement, Tax, Taxed, Way};

/// What the invoice of a plan bears now, of what its lines add up to. A tax on top becomes a line.
pub(super) fn add(
    cx: &mut Cx<'_>,
    plan: &Plan,
    lines: &mut Vec<NewLine>,
) -> Result<(Tax, Taxed), BillingError> {
    let tenant = cx.caller.tenant;
    let buyer = taxes::buyer_again(cx.tx, tenant, (plan.customer, plan.order))?;
    let tax = taxes::tax_for(cx.tx, tenant, cx.now, &buyer)?;
    let parts = tax.on(invoicing::model::total(lines)?)?;
    if !tax.inclusive && parts.tax.minor() != 0 {
        lines.push(NewLine {
            kind: "tax".to_owned(),
            meter: None,
            quantity: 0,
            free_units: 0,
            unit_price_nanos: None,
            amount: parts.tax,
            tariff: None,
            explanation: tax.reason.clone(),
        });
    }
    Ok((tax, parts))
}

/// Keeps the snapshot, and what is owed for it.
pub(super) fn keep(
    cx: &mut Cx<'_>,
    invoice: &Invoice,
    (tax, parts): (&Tax, &Taxed),
) -> Result<(), BillingError> {
    taxes::keep_invoice(cx, invoice.id, (tax, parts))?;
    let movement = Movement {
        source: format!("invoice:{}", invoice.id),
        way: Way::Sale,
        tax,
        base: parts.base,
        amount: parts.tax,
    };
    Ok(taxes::note(cx, &movement)?)
}
