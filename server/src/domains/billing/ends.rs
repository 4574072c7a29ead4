//! The end of a plan: when the money of what is used went back, its meters bill nothing any more.

use super::model::{BillingError, Plan};
use super::ops::{bill_running, enqueue_close};
use super::sql;
use crate::app::Cx;
use mintreu::id::LicenseId;

/// Whether a plan that ends asks for what was used until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastBill {
    /// What was used is owed, up to now. A commitment isn't: its period never ends.
    Made,
    /// Nothing is asked for: who used it isn't who paid, or a bank said so.
    Waived,
}

/// Ends a license's plan; one that ended, or a license without meters, is left alone.
pub fn end_plan(cx: &mut Cx<'_>, license: LicenseId, last: LastBill) -> Result<(), BillingError> {
    let Some(mut plan) = of(cx, license)?.filter(|plan| plan.ended_at.is_none()) else {
        return Ok(());
    };
    if last == LastBill::Made {
        bill_running(cx, &mut plan)?;
    }
    Ok(sql::end(cx.tx, (cx.caller.tenant, license), Some(cx.now))?)
}

/// Goes on where a plan ended, since the money is back: nothing was billed meanwhile, and what was
/// counted is billed with the period that runs.
pub fn resume_plan(cx: &mut Cx<'_>, license: LicenseId) -> Result<(), BillingError> {
    let Some(plan) = of(cx, license)?.filter(|plan| plan.ended_at.is_some()) else {
        return Ok(());
    };
    sql::end(cx.tx, (cx.caller.tenant, license), None)?;
    enqueue_close(cx, &plan)
}

fn of(cx: &mut Cx<'_>, license: LicenseId) -> Result<Option<Plan>, BillingError> {
    Ok(sql::by_license(cx.tx, cx.caller.tenant, license)?)
}
