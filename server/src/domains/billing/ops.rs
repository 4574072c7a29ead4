//! Starting plans, closing periods, billing early.

use super::late;
use super::model::{
    Billed, BillingError, Due, Plan, PlanMeter, may_see, period_bounds, plan_meters,
};
use super::rated::{RatedLine, Standing, standing};
use super::sql::closed::ClosedMeter;
use super::{owed, reports, sql, tax, terms};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::fees::{self, Resolver};
use crate::domains::ledger::{
    Account, AccountKind, Balanced, FeePolicy, Hold, PaymentTariff, Posted, Posting, Reason, Split,
    SplitLine, Traffic, hold, post, split_sale,
};
use crate::domains::taxes::{Tax, Taxed};
use crate::domains::{catalog, invoicing, metering};
use mintreu::Money;
use mintreu::id::{AccountId, InvoiceId, LicenseId, OrderId, PaymentId, ProductId};
use mintreu::price::{Quantity, Usage};
use serde::{Deserialize, Serialize};

/// The job that closes a period when it is over.
pub const CLOSE_JOB: &str = "billing.close_period";

const DAY_MS: i64 = 86_400_000;
/// How long a customer has to pay.
const DUE_MS: i64 = 14 * DAY_MS;
/// How long a seller's part of an invoice is held.
const HOLD_MS: i64 = 7 * DAY_MS;

/// What `fulfilment` says when it issues a license.
#[derive(Debug, Clone)]
pub struct StartPlan {
    /// The license.
    pub license: LicenseId,
    /// Who owes; `None` for a guest.
    pub customer: Option<AccountId>,
    /// The order that paid for the license.
    pub order: Option<OrderId>,
    /// What is used.
    pub product: ProductId,
}

/// Begins to bill a license's usage, with the product's tariffs of today. Asking again changes
/// nothing, and a product without meters needs no plan.
pub fn start_plan(cx: &mut Cx<'_>, start: &StartPlan) -> Result<(), BillingError> {
    let tenant = cx.caller.tenant;
    let product = catalog::product(cx.tx, tenant, start.product)?.ok_or(BillingError::NotFound)?;
    let known = sql::by_license(cx.tx, tenant, start.license)?.is_some();
    if known || product.meters.is_empty() {
        return Ok(());
    }
    let (currency, meters) = plan_meters(&product.meters)?;
    let terms = terms::of_new_plan(cx, product.id, currency)?;
    let plan = Plan {
        license: start.license,
        customer: start.customer,
        order: start.order,
        seller: product.seller.account,
        product: product.id,
        currency,
        anchor: cx.now,
        period: 0,
        bounds: period_bounds(cx.now, 0)?,
        interim: 0,
        commitment: terms.commitment,
        threshold: terms.threshold,
        ended_at: None,
    };
    sql::insert(cx.tx, tenant, &plan)?;
    for meter in &meters {
        sql::insert_meter(cx.tx, (tenant, start.license), meter)?;
    }
    if let Some(customer) = plan.customer {
        reports::begin(cx, customer)?;
    }
    terms::watch(cx, &plan)?;
    enqueue_close(cx, &plan)
}

pub(super) fn enqueue_close(cx: &mut Cx<'_>, plan: &Plan) -> Result<(), BillingError> {
    let payload = CloseJob {
        license: plan.license.to_string(),
        period: plan.period,
    };
    crate::queue::enqueue(cx, CLOSE_JOB, &payload, plan.bounds.1)?;
    Ok(())
}

/// The payload of [`CLOSE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CloseJob {
    license: String,
    period: i64,
}

impl CloseJob {
    /// The command that the job stands for.
    pub fn command(&self) -> Result<ClosePeriod, BillingError> {
        let license = LicenseId::parse(&self.license);
        Ok(ClosePeriod {
            license: license.map_err(|e| BillingError::Payload(e.to_string()))?,
            period: self.period,
        })
    }
}

impl Command for CloseJob {
    const NAME: &'static str = "billing.close_period";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.license.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// As [`close_period`], from a queued job.
pub fn close_period_job(cx: &mut Cx<'_>, job: &CloseJob) -> Result<(), BillingError> {
    close_period(cx, &job.command()?).map(|_| ())
}

/// Closes one period of a license's plan.
#[derive(Debug, Clone, Copy)]
pub struct ClosePeriod {
    /// Whose plan.
    pub license: LicenseId,
    /// Which period, from 0.
    pub period: i64,
}

impl Command for ClosePeriod {
    const NAME: &'static str = "billing.close_period";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// Bills what a finished period still owes and begins the next one. A period that was closed
/// before, or that isn't over, is left alone.
pub fn close_period(cx: &mut Cx<'_>, command: &ClosePeriod) -> Result<Billed, BillingError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_license(cx.tx, tenant, command.license)?;
    let mut plan = found.ok_or(BillingError::NotFound)?;
    let over = plan.ended_at.is_some();
    if over || plan.period != command.period || cx.now < plan.bounds.1 {
        return Ok(Billed::Unchanged);
    }
    late::decide(cx, &plan)?;
    let standing = standing(cx.tx, (tenant, cx.now), &plan, true)?;
    let billed = draw(cx, &plan, &standing)?;
    metering::evidence::mark_period(cx, plan.license, plan.bounds.1)?;
    keep(cx, &plan, &standing)?;
    // What could not be asked for moves on, and with it what was missing to the commitment.
    let carries = standing.open.minor() <= 0;
    let mut missing = standing.missing.minor();
    for due in standing.dues.meters {
        let carry = due
            .open
            .checked_neg()?
            .minor()
            .saturating_sub(std::mem::take(&mut missing));
        for (dimension, units) in &due.rows {
            let row = (due.meter.name.as_str(), dimension.as_str());
            sql::rated::settle_row(cx.tx, (tenant, plan.license), row, *units)?;
        }
        let meter = PlanMeter {
            settled_units: settled(&due),
            billed_minor: if carries { carry } else { 0 },
            prepaid: Quantity::ZERO,
            ..due.meter
        };
        sql::settle(cx.tx, (tenant, plan.license), &meter)?;
    }
    plan.period += 1;
    (plan.bounds, plan.interim) = (period_bounds(plan.anchor, plan.period)?, 0);
    sql::move_plan(cx.tx, tenant, &plan)?;
    enqueue_close(cx, &plan)?;
    Ok(billed)
}

/// Keeps what a closed period came to, for late usage.
fn keep(cx: &mut Cx<'_>, plan: &Plan, standing: &Standing) -> Result<(), BillingError> {
    let of = (cx.caller.tenant, plan.license);
    sql::closed::insert(cx.tx, of.0, plan, standing.missing.minor())?;
    for due in &standing.dues.meters {
        let units = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
        let mut came_to = ClosedMeter {
            units: units(due.units),
            prepaid: due.prepaid,
            cost_minor: due.rated.total.minor(),
            ..ClosedMeter::default()
        };
        if let Usage::Cells(cells) = &due.usage {
            let rows = due.rows.iter().zip(cells);
            let row = |((row, _), (_, used)): (&(String, i64), &(_, Quantity))| {
                (row.clone(), units(used.ceil()))
            };
            came_to.rows = rows.map(row).collect();
        }
        sql::closed::put_meter(cx.tx, of, (plan.period, &due.meter.name), &came_to)?;
    }
    Ok(())
}

/// Bills a license's running period early: what it costs so far, less what it was billed before.
#[derive(Debug, Clone, Copy)]
pub struct BillNow {
    /// Whose plan.
    pub license: LicenseId,
}

impl Command for BillNow {
    const NAME: &'static str = "billing.bill_now";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// For the customer, the seller and the platform; asking again without new usage bills nothing.
pub fn bill_now(cx: &mut Cx<'_>, command: &BillNow) -> Result<Billed, BillingError> {
    let tenant = cx.caller.tenant;
    let found = sql::by_license(cx.tx, tenant, command.license)?;
    let plan = found.filter(|plan| may_see(cx.caller, plan));
    bill_running(cx, &mut plan.ok_or(BillingError::NotFound)?)
}

/// Bills a running period early, whoever asks.
pub(super) fn bill_running(cx: &mut Cx<'_>, plan: &mut Plan) -> Result<Billed, BillingError> {
    let tenant = cx.caller.tenant;
    if plan.ended_at.is_some() {
        return Ok(Billed::Nothing);
    }
    late::decide(cx, plan)?;
    let standing = standing(cx.tx, (tenant, cx.now), plan, false)?;
    if standing.open.minor() <= 0 {
        return Ok(Billed::Nothing);
    }
    let billed = draw(cx, plan, &standing)?;
    for due in standing.dues.meters {
        let meter = PlanMeter {
            billed_minor: due.rated.total.minor(),
            prepaid: due.prepaid,
            ..due.meter
        };
        sql::settle(cx.tx, (tenant, plan.license), &meter)?;
    }
    plan.interim += 1;
    sql::move_plan(cx.tx, tenant, plan)?;
    Ok(billed)
}

/// One bill in the caller's commit: credits burned, an invoice for what they don't pay, and every
/// line kept.
fn draw(cx: &mut Cx<'_>, plan: &Plan, standing: &Standing) -> Result<Billed, BillingError> {
    let lines = standing.lines(plan, cx.now);
    let rated = |due: &'_ Due| i64::try_from(due.units).unwrap_or(i64::MAX);
    let meters: Vec<_> = standing
        .dues
        .meters
        .iter()
        .map(|due| (due.meter.name.as_str(), rated(due)))
        .collect();
    let billed = ask(cx, plan, standing, lines)?;
    if let Billed::Invoiced(invoice) = &billed {
        metering::evidence::mark_invoice(cx, invoice.id, plan.license, &meters)?;
    }
    Ok(billed)
}

/// As [`draw`], of a closed period that late units of these meters are rated with.
pub(super) fn draw_late(
    cx: &mut Cx<'_>,
    plan: &Plan,
    standing: &Standing,
    (amended, meters): (&invoicing::Invoice, &[(&str, i64)]),
) -> Result<Billed, BillingError> {
    let mut lines = standing.lines(plan, cx.now);
    if let Some(first) = lines.first().cloned() {
        lines.push(RatedLine {
            position: lines.len() as i64 + 1,
            meter: None,
            dimension: None,
            kind: "amends".to_owned(),
            quantity: Quantity::ZERO,
            free_units: 0,
            unit: None,
            amount: Money::zero(plan.currency),
            tariff: None,
            explanation: format!("late usage, amends {}", amended.number_text()),
            ..first
        });
    }
    let billed = ask(cx, plan, standing, lines)?;
    if let Billed::Invoiced(invoice) = &billed {
        metering::evidence::mark_late_invoice(cx, invoice.id, plan.license, meters)?;
    }
    Ok(billed)
}

/// Burns credits, asks for the rest by an invoice, and keeps the lines.
fn ask(
    cx: &mut Cx<'_>,
    plan: &Plan,
    standing: &Standing,
    mut lines: Vec<RatedLine>,
) -> Result<Billed, BillingError> {
    standing.burn(cx, plan)?;
    let billed = match standing.rest()?.minor() > 0 {
        true => invoice(cx, plan, &lines)?,
        false => Billed::Nothing,
    };
    let invoice = match &billed {
        Billed::Invoiced(invoice) => Some(invoice.id),
        Billed::Nothing | Billed::Unchanged => None,
    };
    for line in &mut lines {
        line.invoice = invoice;
        sql::rated::insert(cx.tx, cx.caller.tenant, line)?;
    }
    Ok(billed)
}

fn settled(due: &Due) -> i64 {
    // Totals are BIGINTs, so what was counted since fits beside what was settled.
    let units = i64::try_from(due.units).unwrap_or(i64::MAX);
    due.meter.settled_units.saturating_add(units)
}

/// Issues the invoice, posts it and tells of it.
fn invoice(cx: &mut Cx<'_>, plan: &Plan, lines: &[RatedLine]) -> Result<Billed, BillingError> {
    let mut lines: Vec<_> = lines.iter().map(RatedLine::invoice_line).collect();
    let (tax, parts) = tax::add(cx, plan, &mut lines)?;
    let new = invoicing::NewInvoice {
        source: format!("usage:{}:{}.{}", plan.license, plan.period, plan.interim),
        customer: plan.customer,
        order: plan.order,
        seller: plan.seller,
        product: plan.product,
        license: Some(plan.license),
        period: (plan.bounds.0, cx.now.min(plan.bounds.1)),
        due_at: cx.now.plus_ms(DUE_MS),
        lines,
    };
    let invoice = invoicing::issue(cx, &new)?;
    tax::keep(cx, &invoice, (&tax, &parts))?;
    post_invoice(cx, &invoice, (tax, parts))?;
    let fact = InvoiceFact {
        total_minor: invoice.total.minor(),
        currency: invoice.total.currency().code().to_owned(),
    };
    crate::events::record(cx, "invoice.finalized", &invoice.id.to_string(), &fact)?;
    owed::watch(cx, &invoice)?;
    Ok(Billed::Invoiced(Box::new(invoice)))
}

#[derive(Serialize)]
struct InvoiceFact {
    total_minor: i64,
    currency: String,
}

/// Bills what came of a guest's order to the account that it belongs to now.
pub fn give_plans(
    cx: &mut Cx<'_>,
    order: OrderId,
    customer: AccountId,
) -> Result<(), BillingError> {
    Ok(sql::give(cx.tx, cx.caller.tenant, order, customer)?)
}

/// The platform's share of an invoice: as the product was sold, else by the rules of today.
fn share_of(cx: &mut Cx<'_>, invoice: &invoicing::Invoice) -> Result<u32, BillingError> {
    let tenant = cx.caller.tenant;
    if let Some(order) = invoice.order
        && let Some(agreed) = fees::of_sale(cx.tx, tenant, (order, invoice.product))?
    {
        return Ok(agreed.platform_bps);
    }
    let usual = FeePolicy::default();
    let Some(product) = catalog::product(cx.tx, tenant, invoice.product)? else {
        return Ok(usual.share(Traffic::Unknown));
    };
    let mut fees = Resolver::new(tenant, cx.now, usual, Traffic::Unknown);
    Ok(fees.product(cx.tx, &product)?.platform_bps)
}

/// Receivable against the shares of platform, payment and seller, whose part is held.
fn post_invoice(
    cx: &mut Cx<'_>,
    invoice: &invoicing::Invoice,
    (tax, parts): (Tax, Taxed),
) -> Result<(), BillingError> {
    let share = share_of(cx, invoice)?;
    let sold = SplitLine {
        gross: if tax.inclusive {
            parts.charged
        } else {
            parts.base
        },
        discount: Money::zero(invoice.total.currency()),
        tax,
        platform_bps: share,
        affiliate_bps: 0,
    };
    let reference = invoice.id.to_string();
    for split in split_sale(&[sold], PaymentTariff::default())? {
        let postings = postings(invoice, &split)?;
        let key = format!("invoice:{reference}");
        post(
            cx,
            &Balanced::new(key, Reason::Invoice, reference.clone(), postings)?,
        )?;
        let held = Hold {
            source: format!("invoice:{reference}"),
            seller: invoice.seller,
            amount: split.seller,
            reason: "usage invoices are held for 7 days".to_owned(),
            releasable_at: cx.now.plus_ms(HOLD_MS),
        };
        hold(cx, &held)?;
    }
    Ok(())
}

fn postings(invoice: &invoicing::Invoice, split: &Split) -> Result<Vec<Posting>, BillingError> {
    let receivable = Account {
        kind: AccountKind::Receivable,
        owner: invoice.customer,
    };
    let credits = [
        (Account::platform(AccountKind::TaxPayable), split.tax),
        (
            Account::platform(AccountKind::PlatformFee),
            split.platform_fee,
        ),
        (
            Account::platform(AccountKind::ProcessingFee),
            split.payment_fee,
        ),
        (
            Account::of(AccountKind::SellerHeld, invoice.seller),
            split.seller,
        ),
    ];
    let mut postings = vec![Posting {
        account: receivable,
        amount: split.charged,
    }];
    for (account, amount) in credits {
        if amount.minor() != 0 {
            let amount = amount.checked_neg()?;
            postings.push(Posting { account, amount });
        }
    }
    Ok(postings)
}

/// Settles an invoice by a payment that succeeded: paid, and the receivable turned into money at
/// the provider, in one commit. The same payment again changes nothing.
pub fn settle_invoice(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    payment: PaymentId,
) -> Result<invoicing::Invoice, BillingError> {
    let invoice = invoicing::mark_paid(cx, invoice, Some(payment))?;
    let receivable = Account {
        kind: AccountKind::Receivable,
        owner: invoice.customer,
    };
    let postings = vec![
        Posting {
            account: Account::platform(AccountKind::PspClearing),
            amount: invoice.total,
        },
        Posting {
            account: receivable,
            amount: invoice.total.checked_neg()?,
        },
    ];
    let reference = invoice.id.to_string();
    let key = format!("invoice_payment:{reference}");
    let balanced = Balanced::new(key, Reason::InvoicePayment, reference.clone(), postings)?;
    if let Posted::New(_) = post(cx, &balanced)? {
        crate::events::record(cx, "invoice.paid", &reference, &())?;
    }
    Ok(invoice)
}
