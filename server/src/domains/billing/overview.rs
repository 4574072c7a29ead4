//! What people look at: usage so far, what it costs, what it will cost, day by day.

use super::credits::HeldCredit;
use super::model::{BillingError, Counted, Due, Plan, charges, may_see, terms};
use super::periods::{ClosedPeriod, QuotaLeft, closed_periods, quotas_left};
use super::rated::{RatedLine, counted, projected, standing};
use super::sql;
use crate::app::ReadCx;
use crate::domains::catalog;
use crate::domains::invoicing::{self, Invoice};
use crate::domains::licensing::{self, License};
use crate::domains::metering::model::MAX_CELLS;
use crate::domains::metering::{self, CellUnits, Day, Grain, Window};
use mintreu::id::{AccountId, LicenseId, ProductId};
use mintreu::price::{Bill, Credit, Line, Quantity, bill};
use mintreu::{Currency, Money, Timestamp};
use std::collections::BTreeMap;

/// Most plans one page shows.
const MAX_PLANS: i64 = 100;

/// Most plans one mail tells of.
const MAX_TOLD: i64 = 20;

/// Asks for one license's usage.
#[derive(Debug, Clone, Copy)]
pub struct UsageOfLicense {
    /// Which license.
    pub license: LicenseId,
    /// The window of the chart.
    pub window: Window,
}

/// One meter of a license in its running period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterUsage {
    /// Its name in the product.
    pub name: String,
    /// What one unit is.
    pub unit: String,
    /// Units since the purchase.
    pub total_units: i64,
    /// Units of the running period.
    pub period_units: u64,
    /// Units that cost nothing in every period.
    pub free_units: u64,
    /// Units of the running period that credits cover.
    pub prepaid_units: u64,
    /// What the license lets each device use, and in which window; `None` is without limit.
    pub limit: Option<(i64, catalog::model::Window)>,
    /// What its quota leaves in the open window.
    pub quota: Option<QuotaLeft>,
    /// The tariff, as text.
    pub tariff: String,
    /// What the period's units cost so far.
    pub cost: Money,
    /// What the period comes to at this pace.
    pub projected_units: u64,
    /// And what that costs.
    pub projected_cost: Money,
    /// Units that a copy of a device reported: shown, never billed by themselves.
    pub disputed_units: i64,
    /// Units by day or hour of the window, each step present.
    pub series: Vec<Day>,
}

/// One license's usage and bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseUsage {
    /// The plan and its running period.
    pub plan: Plan,
    /// By name.
    pub meters: Vec<MeterUsage>,
    /// What the period costs so far.
    pub cost: Money,
    /// Of that, what no invoice has asked for yet.
    pub open: Money,
    /// What the period comes to at this pace, and at least what was committed.
    pub projected: Money,
    /// How that comes about: each line's meter and arithmetic.
    pub projected_lines: Vec<(Option<String>, Line)>,
    /// Whose use of what, by subject and dimensions; the first ten thousand.
    pub cells: Vec<CellUnits>,
    /// Periods that are closed, the newest first.
    pub periods: Vec<ClosedPeriod>,
    /// What a bill made now would say, line by line; without the commitment, which is asked for
    /// when the period ends.
    pub lines: Vec<RatedLine>,
    /// Credits with something left.
    pub credits: Vec<HeldCredit>,
    /// The newest invoices.
    pub invoices: Vec<Invoice>,
}

/// One license's usage, for who pays, who earns, and who runs the platform.
pub fn license_usage(
    cx: &mut ReadCx<'_>,
    query: &UsageOfLicense,
) -> Result<LicenseUsage, BillingError> {
    let found = sql::by_license(cx.tx, cx.caller.tenant, query.license)?;
    let plan = found.filter(|plan| may_see(cx.caller, plan));
    usage_of(cx, plan.ok_or(BillingError::NotFound)?, query.window)
}

fn usage_of(cx: &mut ReadCx<'_>, plan: Plan, window: Window) -> Result<LicenseUsage, BillingError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let totals = metering::totals(cx.tx, tenant, plan.license)?;
    let disputed = metering::disputed(cx.tx, tenant, plan.license)?;
    let mut series = metering::series_of_license(cx.tx, tenant, plan.license, window)?;
    let license = licensing::by_id(cx.tx, tenant, plan.license)?;
    let quotas = match &license {
        Some(license) => quotas_left(cx, license, &totals)?,
        None => BTreeMap::new(),
    };
    let counted = counted(cx.tx, tenant, &plan)?;
    let standing = standing(cx.tx, (tenant, now), &plan, false)?;
    let ahead = ahead(&plan, counted, &standing.credits, now)?;
    let meter = |due: &Due| -> Result<MeterUsage, BillingError> {
        let (projected_units, projected_cost) = of_meter(&ahead, due, plan.currency)?;
        Ok(MeterUsage {
            name: due.meter.name.clone(),
            unit: due.meter.unit.clone(),
            total_units: totals.get(&due.meter.name).copied().unwrap_or(0),
            period_units: due.units,
            free_units: due.meter.tariff.free_units(),
            prepaid_units: due.prepaid.ceil(),
            quota: quotas.get(&due.meter.name).copied(),
            limit: limit_of(license.as_ref(), &due.meter.name),
            tariff: due.meter.tariff.to_string(),
            cost: due.rated.total,
            projected_units,
            projected_cost,
            disputed_units: disputed.get(&due.meter.name).copied().unwrap_or(0),
            series: series
                .remove(&due.meter.name)
                .unwrap_or_else(|| window.empty()),
        })
    };
    let dues = standing.dues.meters.iter();
    Ok(LicenseUsage {
        meters: dues.map(meter).collect::<Result<_, _>>()?,
        cost: standing.dues.cost(plan.currency)?,
        projected: ahead.as_ref().map_or(plan.commitment, |bill| bill.cost),
        projected_lines: ahead.map(lines_of).unwrap_or_default(),
        cells: metering::breakdown(cx.tx, tenant, plan.license, MAX_CELLS)?,
        periods: closed_periods(cx.tx, tenant, &plan)?,
        open: standing.open,
        lines: standing.lines(&plan, now),
        credits: standing.credits,
        invoices: invoicing::of_license(cx, plan.license)?,
        plan,
    })
}

/// The bill of the whole period at the pace so far, before credits of money; `None` without meters.
fn ahead(
    plan: &Plan,
    mut counted: Vec<Counted>,
    credits: &[HeldCredit],
    now: Timestamp,
) -> Result<Option<Bill>, BillingError> {
    if counted.is_empty() {
        return Ok(None);
    }
    for meter in &mut counted {
        meter.usage = projected(&meter.usage, plan.bounds, now);
    }
    let held: Vec<Credit> = credits.iter().map(HeldCredit::credit).collect();
    let mut terms = terms(&counted, &held, now);
    terms.commitment = Some(plan.commitment);
    Ok(Some(bill(&charges(&counted), &terms)?))
}

/// The lines of a projected bill; credits of money pay bills, and aren't projected.
fn lines_of(bill: Bill) -> Vec<(Option<String>, Line)> {
    let lines = bill.lines.into_iter();
    lines.map(|line| (line.charge, line.line)).collect()
}

/// What a projected bill says of one meter: units and cost.
fn of_meter(
    ahead: &Option<Bill>,
    due: &Due,
    currency: Currency,
) -> Result<(u64, Money), BillingError> {
    let (mut units, mut cost) = (Quantity::ZERO, Money::zero(currency));
    let lines = ahead.iter().flat_map(|bill| &bill.lines);
    for line in lines.filter(|line| line.charge.as_ref() == Some(&due.meter.name)) {
        units = units.checked_add(line.line.quantity)?;
        cost = cost.checked_add(line.line.amount)?;
    }
    Ok((units.ceil(), cost))
}

fn limit_of(license: Option<&License>, meter: &str) -> Option<(i64, catalog::model::Window)> {
    let mut quotas = license?.terms.quotas.iter();
    let quota = quotas.find(|quota| quota.meter == meter)?;
    Some((quota.limit, quota.window))
}

/// The usage of an account's plans, newest first, for the house's own use: no ownership is asked.
pub fn usage_of_account(
    cx: &mut ReadCx<'_>,
    account: AccountId,
) -> Result<Vec<LicenseUsage>, BillingError> {
    let window = Window::ending_at(cx.now, Grain::Day, 1);
    let plans = sql::of_customer(cx.tx, (cx.caller.tenant, account), MAX_TOLD)?;
    plans
        .into_iter()
        .map(|plan| usage_of(cx, plan, window))
        .collect()
}

/// Asks for the plans that the caller pays for.
#[derive(Debug, Clone, Copy)]
pub struct MyUsage;

/// The caller's plans, newest first.
pub fn my_plans(cx: &mut ReadCx<'_>, _query: &MyUsage) -> Result<Vec<Plan>, BillingError> {
    match cx.caller.account {
        Some(account) => {
            let owner = (cx.caller.tenant, account);
            Ok(sql::of_customer(cx.tx, owner, MAX_PLANS)?)
        }
        None => Ok(Vec::new()),
    }
}

/// Asks for the usage of one product, over all its licenses.
#[derive(Debug, Clone, Copy)]
pub struct UsageOfProduct {
    /// Which product.
    pub product: ProductId,
    /// The window of the chart.
    pub window: Window,
}

/// What all licenses of a product used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductUsage {
    /// Units by day or hour, by meter, each step present.
    pub meters: BTreeMap<String, Vec<Day>>,
    /// The licenses that used most in the window.
    pub licenses: Vec<metering::LicenseUnits>,
}

/// One product's usage, for its seller and the platform; to others there is none.
pub fn product_usage(
    cx: &mut ReadCx<'_>,
    query: &UsageOfProduct,
) -> Result<ProductUsage, BillingError> {
    let tenant = cx.caller.tenant;
    let runs = cx.caller.may(crate::caller::Capability::Administer);
    let sells = match cx.caller.account {
        Some(account) => sql::sells(cx.tx, (tenant, account), query.product)?,
        None => false,
    };
    if !runs && !sells {
        return Ok(ProductUsage::default());
    }
    let window = Window {
        grain: Grain::Day,
        ..query.window
    };
    Ok(ProductUsage {
        meters: metering::series_of_product(cx.tx, tenant, query.product, window)?,
        licenses: metering::top_licenses(cx.tx, tenant, query.product, window)?,
    })
}
