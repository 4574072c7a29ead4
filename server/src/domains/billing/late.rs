//! Late usage: units that happened in a period that was closed before they arrived.
//!
//! By the policy of their product they are billed with the running period, which needs nothing, or
//! with their own: then that period is rated again with them, and what it costs more is a bill of
//! its own among that period's. The units are settled in the same commit, so that the running
//! period doesn't ask for them again. An invoice that was issued never changes; the bill's names
//! the one that it amends, and is made only while that one is unpaid.

use super::model::{Billed, BillingError, Counted, Plan, PlanMeter};
use super::ops::draw_late;
use super::rated::{Standing, by_row, rated};
use super::sql;
use super::sql::closed::{Closed, ClosedMeter};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::invoicing::{self, Invoice};
use crate::domains::metering::{self, CellUnits, Late, LateUsage};
use mintreu::id::LicenseId;
use mintreu::meter::CellKey;
use mintreu::price::{Quantity, Scheme, Usage};
use mintreu::{Money, Timestamp};
use std::collections::BTreeMap;

/// How a product's late usage is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LatePolicy {
    /// With the period in which it arrives.
    #[default]
    Current,
    /// With the period in which it happened, while that one's newest invoice is unpaid.
    Amend,
}

impl LatePolicy {
    /// As stored and sent.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Amend => "amend",
        }
    }

    /// Reads what [`LatePolicy::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Current, Self::Amend]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// The job of [`metering::LATE_JOB`] as a command.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BillLate(LateUsage);

impl Command for BillLate {
    const NAME: &'static str = metering::LATE_JOB;
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.0.license.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// Decides about a license's late usage, from a queued job.
pub fn bill_late(cx: &mut Cx<'_>, job: &BillLate) -> Result<(), BillingError> {
    let license = LicenseId::parse(&job.0.license);
    let license = license.map_err(|e| BillingError::Payload(e.to_string()))?;
    match sql::by_license(cx.tx, cx.caller.tenant, license)? {
        Some(plan) if plan.ended_at.is_none() => decide(cx, &plan).map(|_| ()),
        _ => Ok(()),
    }
}

/// Decides about what nobody has decided about, before anything else is billed; the bills of closed
/// periods that come of it.
pub(super) fn decide(cx: &mut Cx<'_>, plan: &Plan) -> Result<Vec<Billed>, BillingError> {
    let mut by_period: BTreeMap<Timestamp, Vec<Late>> = BTreeMap::new();
    for late in metering::take_late(cx, plan.license)? {
        by_period.entry(late.ended_at).or_default().push(late);
    }
    let mut bills = Vec::new();
    if by_period.is_empty() || policy(cx, plan)? == LatePolicy::Current {
        return Ok(bills);
    }
    for (ended, late) in by_period {
        let of = (cx.caller.tenant, plan.license);
        let Some(closed) = sql::closed::ended_at(cx.tx, of, ended)? else {
            continue;
        };
        let newest = sql::rated::newest_invoice(cx.tx, of, closed.period)?;
        let invoice = match newest {
            Some(id) => invoicing::issued(cx, id)?,
            None => None,
        };
        if let Some(invoice) = invoice.filter(|of| of.state == invoicing::State::Open) {
            bills.extend(amend(cx, plan, (&closed, &invoice), &late)?);
        }
    }
    Ok(bills)
}

fn policy(cx: &mut Cx<'_>, plan: &Plan) -> Result<LatePolicy, BillingError> {
    Ok(sql::rated::late_policy(cx.tx, (cx.caller.tenant, plan.product))?.unwrap_or_default())
}

/// A meter's part of a closed period, with its late units.
struct Amended {
    closed: ClosedMeter,
    meter: PlanMeter,
    units: i64,
    /// Late units by the row of a matrix.
    rows: Vec<(String, i64)>,
}

/// Rates a closed period again. Where it would cost less (as with a volume tariff), the units stay
/// with the running period.
fn amend(
    cx: &mut Cx<'_>,
    plan: &Plan,
    (closed, invoice): (&Closed, &Invoice),
    late: &[Late],
) -> Result<Option<Billed>, BillingError> {
    let of = (cx.caller.tenant, plan.license);
    let mut parts = parts(cx, plan, closed, late)?;
    if parts.is_empty() {
        return Ok(None);
    }
    let bounds = (closed.period_start, closed.period_end);
    let again = Plan {
        period: closed.period,
        bounds,
        interim: sql::rated::next_bill(cx.tx, of, closed.period)?,
        commitment: Money::new(closed.commitment_minor, plan.currency),
        ..plan.clone()
    };
    let others = sql::closed::cost(cx.tx, of, closed.period)?;
    let replaced: i64 = parts.iter().map(|part| part.closed.cost_minor).sum();
    let counted = parts.iter().map(counted).collect();
    let at = bounds.1.plus_ms(-1);
    let mut missing = closed.missing_minor;
    let standing = rated(cx.tx, (of.0, at), &again, counted, |dues| {
        let cost = dues
            .cost(plan.currency)?
            .minor()
            .saturating_add(others - replaced);
        missing = closed.commitment_minor.saturating_sub(cost).max(0);
        Ok(Money::new(missing - closed.missing_minor, plan.currency))
    })?;
    if standing.open.minor() < 0 {
        return Ok(None);
    }
    let units: Vec<_> = parts
        .iter()
        .map(|part| (part.meter.name.as_str(), part.units))
        .collect();
    metering::evidence::mark_late(cx, plan.license, &units, bounds)?;
    let billed = draw_late(cx, &again, &standing, (invoice, &units))?;
    metering::settle_late(cx, plan.license, late)?;
    sql::closed::set_missing(cx.tx, of, closed.period, missing)?;
    for part in &mut parts {
        settle(cx, plan, (closed.period, &standing), part)?;
    }
    Ok(Some(billed))
}

/// The meters that late units are of, as they stood when the period was closed.
fn parts(
    cx: &mut Cx<'_>,
    plan: &Plan,
    closed: &Closed,
    late: &[Late],
) -> Result<Vec<Amended>, BillingError> {
    let of = (cx.caller.tenant, plan.license);
    let mut parts = Vec::new();
    for meter in sql::meters(cx.tx, of.0, of.1)? {
        let own = late.iter().filter(|late| late.key.meter() == meter.name);
        let cells: Vec<CellUnits> = own.map(cell).collect();
        let units = cells
            .iter()
            .fold(0_i64, |sum, cell| sum.saturating_add(cell.units));
        let known = sql::closed::meter(cx.tx, of, (closed.period, &meter.name))?;
        let (Some(known), true) = (known, units > 0) else {
            continue;
        };
        let rows = match meter.tariff.scheme() {
            Scheme::Matrix { rows } => {
                let of_rows = by_row(rows, &meter.name, (&cells, units));
                rows.iter().map(|row| row.label()).zip(of_rows).collect()
            }
            _ => Vec::new(),
        };
        parts.push(Amended {
            closed: known,
            meter,
            units,
            rows,
        });
    }
    Ok(parts)
}

fn cell(late: &Late) -> CellUnits {
    let key: CellKey = late.key.clone();
    CellUnits {
        key,
        units: late.units,
        settled_units: 0,
        disputed_units: 0,
    }
}

fn whole(units: i64) -> Quantity {
    Quantity::units(u64::try_from(units).unwrap_or(0))
}

/// The period's units with the late ones; what was billed of it is what it cost.
fn counted(part: &Amended) -> Counted {
    let meter = PlanMeter {
        billed_minor: part.closed.cost_minor,
        prepaid: part.closed.prepaid,
        ..part.meter.clone()
    };
    let usage = match meter.tariff.scheme() {
        Scheme::Matrix { rows } => {
            let late: BTreeMap<_, _> = part.rows.iter().cloned().collect();
            let cell = |row: &mintreu::price::Row| {
                let label = row.label();
                let known = part.closed.rows.get(&label).copied().unwrap_or(0);
                let more = late.get(&label).copied().unwrap_or(0);
                (row.when.clone(), whole(known.saturating_add(more)))
            };
            Usage::Cells(rows.iter().map(cell).collect())
        }
        _ => Usage::Total(whole(part.closed.units.saturating_add(part.units))),
    };
    Counted {
        meter,
        usage,
        rows: Vec::new(),
    }
}

/// Moves late units out of the running period, and into what the closed one came to.
fn settle(
    cx: &mut Cx<'_>,
    plan: &Plan,
    (period, standing): (i64, &Standing),
    part: &mut Amended,
) -> Result<(), BillingError> {
    let of = (cx.caller.tenant, plan.license);
    let name = part.meter.name.clone();
    let due = standing
        .dues
        .meters
        .iter()
        .find(|due| due.meter.name == name);
    let known = &mut part.closed;
    known.units = known.units.saturating_add(part.units);
    if let Some(due) = due {
        (known.cost_minor, known.prepaid) = (due.rated.total.minor(), due.prepaid);
    }
    let settled = sql::rated::rows(cx.tx, of, &name)?;
    for (row, more) in &part.rows {
        let units = known.rows.entry(row.clone()).or_default();
        *units = units.saturating_add(*more);
        let before = settled.get(row).copied().unwrap_or(0);
        let after = before.saturating_add(*more);
        sql::rated::settle_row(cx.tx, of, (&name, row), after)?;
    }
    sql::closed::put_meter(cx.tx, of, (period, &name), known)?;
    part.meter.settled_units = part.meter.settled_units.saturating_add(part.units);
    Ok(sql::settle(cx.tx, of, &part.meter)?)
}
