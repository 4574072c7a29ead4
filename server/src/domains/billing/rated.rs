//! From counts to rated lines: what each meter of a running period costs, what credits cover, what
//! is missing to the commitment; and the rows that invoicing and others take over.

use super::credits::{Held, HeldCredit};
use super::model::{BillingError, Counted, Due, Dues, Plan, PlanMeter, dues, may_see};
use super::sql;
use crate::app::{Cx, ReadCx};
use crate::domains::invoicing::NewLine;
use crate::domains::metering::{self, CellUnits, model::MAX_CELLS};
use crate::store::Tx;
use mintreu::id::{InvoiceId, LicenseId, TenantId};
use mintreu::price::{
    Burn, Burned, Credit, Line, MAX_CREDITS, Quantity, Row, Scheme, UnitPrice, Usage,
};
use mintreu::{Money, Timestamp};

/// Most lines one page shows.
const MAX_SHOWN: i64 = 500;

/// What a plan promises beside its tariffs; zero is nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanTerms {
    /// The least a period comes to.
    pub commitment: Money,
    /// What may be open before a bill is made early.
    pub threshold: Money,
}

/// One line of a bill, as it was rated: enough to put on an invoice and to check years later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedLine {
    /// Whose usage.
    pub license: LicenseId,
    /// The plan's period, from 0.
    pub period: i64,
    /// The bill within the period, from 0; the last one closes it.
    pub bill: i64,
    /// Its place on the bill, from 1.
    pub position: i64,
    /// The meter; none where the line is of the whole bill.
    pub meter: Option<String>,
    /// The row of the tariff's matrix.
    pub dimension: Option<String>,
    /// Its stable kind: a price engine's line, or `already_invoiced`.
    pub kind: String,
    /// Units it covers.
    pub quantity: Quantity,
    /// Free units of the meter's tariff in a period.
    pub free_units: u64,
    /// What one unit costs, where units have a price.
    pub unit: Option<UnitPrice>,
    /// What it adds; below zero takes off.
    pub amount: Money,
    /// The tariff it was rated by.
    pub tariff: Option<String>,
    /// The arithmetic, for people.
    pub explanation: String,
    /// When.
    pub rated_at: Timestamp,
    /// The invoice that asks for it.
    pub invoice: Option<InvoiceId>,
}

impl RatedLine {
    /// As a line of an invoice, which counts whole units.
    pub fn invoice_line(&self) -> NewLine {
        NewLine {
            kind: self.kind.clone(),
            meter: self.meter.clone(),
            quantity: self.quantity.ceil(),
            free_units: self.free_units,
            unit_price_nanos: self.unit.map(UnitPrice::nanos),
            amount: self.amount,
            tariff: self.tariff.clone(),
            explanation: self.explanation.clone(),
        }
    }
}

/// What a running period comes to now.
pub(super) struct Standing {
    pub dues: Dues,
    /// What is missing to the commitment; zero while the period runs, and below zero where late
    /// usage makes up what was asked for before.
    pub missing: Money,
    /// What is still to be asked for, before credits of money.
    pub open: Money,
    /// What those pay of it.
    pub paid: Vec<Burn>,
    /// The credits as they were.
    pub credits: Vec<HeldCredit>,
}

/// Rates the running period of a plan; `closing` holds it to the commitment.
pub(super) fn standing(
    tx: &mut dyn Tx,
    (tenant, now): (TenantId, Timestamp),
    plan: &Plan,
    closing: bool,
) -> Result<Standing, BillingError> {
    // A period that is closed late is closed as of its last instant.
    let at = now.min(plan.bounds.1.plus_ms(-1));
    let counted = counted(tx, tenant, plan)?;
    rated(tx, (tenant, at), plan, counted, |dues| {
        let missing = match closing {
            true => plan.commitment.checked_sub(dues.cost(plan.currency)?)?,
            false => Money::zero(plan.currency),
        };
        Ok(Money::new(missing.minor().max(0), plan.currency))
    })
}

/// Rates what was counted of a period, as of `at`; `missing` says what to ask for beside.
pub(super) fn rated(
    tx: &mut dyn Tx,
    (tenant, at): (TenantId, Timestamp),
    plan: &Plan,
    counted: Vec<Counted>,
    missing: impl FnOnce(&Dues) -> mintreu::Result<Money>,
) -> Result<Standing, BillingError> {
    let owner = (tenant, plan.license);
    let credits = sql::credits::unspent(tx, owner, (at, MAX_CREDITS as i64))?;
    let held: Vec<Credit> = credits.iter().map(HeldCredit::credit).collect();
    let dues = dues(counted, &held, at)?;
    let missing = missing(&dues)?;
    let open = dues.open(plan.currency)?.checked_add(missing)?;
    let paid = match open.minor() > 0 {
        true => mintreu::price::pay(open, &held, at)?,
        false => Vec::new(),
    };
    Ok(Standing {
        dues,
        missing,
        open,
        paid,
        credits,
    })
}

/// What was counted of each meter since its last settlement.
pub(super) fn counted(
    tx: &mut dyn Tx,
    tenant: TenantId,
    plan: &Plan,
) -> Result<Vec<Counted>, BillingError> {
    let totals = metering::totals(tx, tenant, plan.license)?;
    let meters = sql::meters(tx, tenant, plan.license)?;
    let split = meters.iter().any(|meter| meter.tariff.by_dimension());
    let cells = match split {
        true => metering::breakdown(tx, tenant, plan.license, MAX_CELLS + 1)?,
        false => Vec::new(),
    };
    let mut counted = Vec::with_capacity(meters.len());
    for meter in meters {
        let total = totals.get(&meter.name).copied().unwrap_or(0);
        counted.push(match meter.tariff.scheme().clone() {
            Scheme::Matrix { rows } => {
                let settled = sql::rated::rows(tx, (tenant, plan.license), &meter.name)?;
                let units = by_row(&rows, &meter.name, (&cells, total));
                Counted::by_row(meter, &rows, &units, &settled)
            }
            _ => Counted::total(meter, total),
        });
    }
    Ok(counted)
}

/// A meter's units by the row that prices them; what no cell tells goes to the last.
pub(super) fn by_row(rows: &[Row], meter: &str, (cells, total): (&[CellUnits], i64)) -> Vec<i64> {
    let mut units = vec![0_i64; rows.len()];
    let mut told = 0_i64;
    for cell in cells.iter().filter(|cell| cell.key.meter() == meter) {
        let row = rows.iter().position(|row| row.holds(cell.key.dimensions()));
        if let Some(of_row) = row.and_then(|row| units.get_mut(row)) {
            *of_row = of_row.saturating_add(cell.units);
            told = told.saturating_add(cell.units);
        }
    }
    if let Some(rest) = units.last_mut() {
        *rest = rest.saturating_add(total.saturating_sub(told).max(0));
    }
    units
}

impl Standing {
    /// The bill's lines: each meter's, then what earlier invoices took, the commitment, credits.
    /// Meters that cost nothing aren't on it.
    pub fn lines(&self, plan: &Plan, now: Timestamp) -> Vec<RatedLine> {
        let blank = RatedLine {
            license: plan.license,
            period: plan.period,
            bill: plan.interim,
            position: 0,
            meter: None,
            dimension: None,
            kind: String::new(),
            quantity: Quantity::ZERO,
            free_units: 0,
            unit: None,
            amount: Money::zero(plan.currency),
            tariff: None,
            explanation: String::new(),
            rated_at: now,
            invoice: None,
        };
        let asks = |due: &&Due| !due.meter.is_free() || due.meter.billed_minor != 0;
        let mut lines = Vec::new();
        for due in self.dues.meters.iter().filter(asks) {
            let of_meter = RatedLine {
                meter: Some(due.meter.name.clone()),
                free_units: due.meter.tariff.free_units(),
                ..blank.clone()
            };
            let rated = due.rated.lines.iter();
            lines.extend(rated.map(|line| rated_line(&of_meter, &due.meter, line)));
            lines.extend(already_invoiced(&of_meter, &due.meter));
        }
        if self.missing.minor() != 0 {
            let words = match self.missing.minor() > 0 {
                true => "up to the commitment",
                false => "less up to the commitment",
            };
            lines.push(RatedLine {
                kind: "commitment".to_owned(),
                amount: self.missing,
                explanation: format!("{words}, {}", self.missing),
                ..blank.clone()
            });
        }
        for (credit, paid) in self.payments() {
            let amount = Money::new(-paid.minor(), paid.currency());
            let note = match credit.note.as_str() {
                "" => String::new(),
                note => format!(" ({note})"),
            };
            lines.push(RatedLine {
                kind: "credit".to_owned(),
                amount,
                explanation: format!("paid by credit{note}, {amount}"),
                ..blank.clone()
            });
        }
        for (position, line) in (1..).zip(&mut lines) {
            line.position = position;
        }
        lines
    }

    /// Credits of money and what each pays.
    fn payments(&self) -> impl Iterator<Item = (&HeldCredit, Money)> {
        self.paid.iter().filter_map(|burn| match burn.of {
            Burned::Money(paid) => Some((self.find(&burn.credit)?, paid)),
            Burned::Units { .. } => None,
        })
    }

    fn find(&self, id: &str) -> Option<&HeldCredit> {
        self.credits
            .iter()
            .find(|credit| credit.id.to_string() == id)
    }

    /// What is asked for once credits have paid.
    pub fn rest(&self) -> mintreu::Result<Money> {
        let mut payments = self.payments();
        payments.try_fold(self.open, |rest, (_, paid)| rest.checked_sub(paid))
    }

    /// Takes from the credits what this bill burns.
    pub fn burn(&self, cx: &mut Cx<'_>, plan: &Plan) -> Result<(), BillingError> {
        let when = (plan.period, plan.interim, cx.now);
        for burn in self.dues.burns.iter().chain(&self.paid) {
            let Some(credit) = self.find(&burn.credit) else {
                continue;
            };
            let (left, taken) = match (&credit.left, &burn.of) {
                (Held::Units { meter, units: had }, Burned::Units { units, .. }) => {
                    let held = |units| Held::Units {
                        meter: meter.clone(),
                        units,
                    };
                    (held(had.less(*units)), held(*units))
                }
                (Held::Money(had), Burned::Money(paid)) => {
                    (Held::Money(had.checked_sub(*paid)?), Held::Money(*paid))
                }
                _ => continue,
            };
            let id = (cx.caller.tenant, credit.id);
            sql::credits::take(cx.tx, id, (&left, &taken), when)?;
        }
        Ok(())
    }
}

fn rated_line(of_meter: &RatedLine, meter: &PlanMeter, line: &Line) -> RatedLine {
    RatedLine {
        dimension: line.kind.row().map(str::to_owned),
        kind: line.kind.name().to_owned(),
        quantity: line.quantity,
        unit: line.unit,
        amount: line.amount,
        tariff: Some(meter.tariff.to_string()),
        explanation: line.explain(),
        ..of_meter.clone()
    }
}

fn already_invoiced(of_meter: &RatedLine, meter: &PlanMeter) -> Option<RatedLine> {
    let billed = meter.billed_minor;
    let amount = Money::new(billed.checked_neg()?, meter.tariff.currency());
    let words = if billed > 0 {
        format!("invoiced before, {amount}")
    } else {
        format!("carried over, {amount}")
    };
    (billed != 0).then(|| RatedLine {
        kind: "already_invoiced".to_owned(),
        amount,
        explanation: words,
        ..of_meter.clone()
    })
}

/// What is used of a running period, scaled to all of it.
pub(super) fn projected(usage: &Usage, bounds: (Timestamp, Timestamp), now: Timestamp) -> Usage {
    let length = u64::try_from(bounds.1.since_ms(bounds.0))
        .unwrap_or(1)
        .max(1);
    let elapsed = u64::try_from(now.since_ms(bounds.0)).unwrap_or(0);
    let elapsed = elapsed.clamp(1, length);
    let scale = |quantity: &Quantity| {
        let scaled = quantity.scaled(length, elapsed);
        // Whole counts stay whole.
        quantity.whole().map_or(scaled, |_| {
            let whole = scaled.nanos() / 1_000_000_000;
            u64::try_from(whole).map_or(scaled, Quantity::units)
        })
    };
    match usage {
        Usage::Cells(cells) => {
            let scaled = cells.iter().map(|(row, units)| (row.clone(), scale(units)));
            Usage::Cells(scaled.collect())
        }
        other => Usage::Total(scale(&other.quantity().unwrap_or_default())),
    }
}

/// Asks for the lines of a license's bills.
#[derive(Debug, Clone, Copy)]
pub struct RatedLines {
    /// Whose.
    pub license: LicenseId,
    /// Of periods up to this one; the newest when absent.
    pub until: Option<i64>,
}

/// The stored lines, the newest bill first, for who pays, who earns and who runs the platform.
pub fn rated_lines(
    cx: &mut ReadCx<'_>,
    query: &RatedLines,
) -> Result<Vec<RatedLine>, BillingError> {
    let owner = (cx.caller.tenant, query.license);
    let plan = sql::by_license(cx.tx, owner.0, owner.1)?;
    let plan = plan.filter(|plan| may_see(cx.caller, plan));
    plan.ok_or(BillingError::NotFound)?;
    let until = query.until.unwrap_or(i64::MAX);
    Ok(sql::rated::newest(cx.tx, owner, (until, MAX_SHOWN))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projection_scales_by_time() {
        let bounds = (Timestamp::from_ms(1000), Timestamp::from_ms(2000));
        for (now, units, expected) in [
            (1500, 10, 20),
            (2000, 10, 10),
            (9000, 10, 10),
            (1000, 10, 10_000),
            (0, 10, 10_000),
            (1300, 10, 33),
            (1500, u64::MAX, u64::MAX),
        ] {
            let usage = projected(&Usage::units(units), bounds, Timestamp::from_ms(now));
            assert_eq!(usage, Usage::units(expected), "{now}");
        }
    }

    #[test]
    fn counts_go_to_the_row_that_prices_them_and_the_rest_to_the_last() {
        let tariff: mintreu::price::Tariff = "EUR matrix model=big:1.00 *:0.10"
            .parse()
            .expect("a tariff");
        let Scheme::Matrix { rows } = tariff.scheme().clone() else {
            panic!("no matrix");
        };
        let key = |name: &str| mintreu::meter::CellKey::new(name).expect("a key");
        let cell = |key, units| CellUnits {
            key,
            units,
            settled_units: 0,
            disputed_units: 0,
        };
        let big = key("calls").dimension("model", "big").expect("a key");
        let small = key("calls").dimension("model", "small").expect("a key");
        let cells = [cell(big, 7), cell(small, 5), cell(key("other"), 100)];
        assert_eq!(by_row(&rows, "calls", (&cells, 12)), [7, 5]);
        assert_eq!(by_row(&rows, "calls", (&cells, 20)), [7, 13]);
    }
}
