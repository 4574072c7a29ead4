//! Plans, periods and what an invoice of them says. Pure.

use crate::caller::{Caller, Denied, Role};
use crate::domains::catalog::Meter;
use crate::domains::invoicing::{Invoice, InvoiceError};
use crate::domains::ledger::{LedgerError, SplitError};
use crate::domains::metering::MeteringError;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, LicenseId, OrderId, ProductId};
use mintreu::price::{
    Burn, Burned, Charge, Credit, CreditOf, Line, Quantity, Rated, Row, Scheme, Tariff, Terms,
    UnitPrice, Usage, bill,
};
use mintreu::{Currency, Money, Timestamp};
use std::collections::BTreeMap;

/// What a license's usage costs, and the period that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Which license.
    pub license: LicenseId,
    /// Who owes; `None` for a guest.
    pub customer: Option<AccountId>,
    /// The order that began it.
    pub order: Option<OrderId>,
    /// Who earns.
    pub seller: AccountId,
    /// What is used.
    pub product: ProductId,
    /// Of every meter's tariff.
    pub currency: Currency,
    /// The purchase: periods are months from here.
    pub anchor: Timestamp,
    /// The running period, from 0.
    pub period: i64,
    /// Its first instant, and the instant after its last.
    pub bounds: (Timestamp, Timestamp),
    /// How many bills the running period has had.
    pub interim: i64,
    /// The least a period comes to; zero is none.
    pub commitment: Money,
    /// What may be open before a bill is made early; zero is none.
    pub threshold: Money,
    /// Since when nothing is billed; `None` while it goes on.
    pub ended_at: Option<Timestamp>,
}

/// One meter of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanMeter {
    /// Its name in the product.
    pub name: String,
    /// What one unit is: `call`, `render`.
    pub unit: String,
    /// As it was at the purchase.
    pub tariff: Tariff,
    /// Units counted before the running period.
    pub settled_units: i64,
    /// Minor units invoiced in the running period or carried into it.
    pub billed_minor: i64,
    /// Units that credits covered in the running period.
    pub prepaid: Quantity,
}

impl PlanMeter {
    /// Whether it is counted and costs nothing.
    pub fn is_free(&self) -> bool {
        self.tariff.scheme() == &FREE
    }
}

/// What closing or billing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Billed {
    /// An invoice was issued.
    Invoiced(Box<Invoice>),
    /// There was nothing to ask for.
    Nothing,
    /// It had been closed before, or isn't over yet.
    Unchanged,
}

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    /// No such plan for this caller.
    #[error("there is no metered plan for this license")]
    NotFound,
    /// The tariffs of one license must share a currency.
    #[error("the meters of one license must be priced in one currency")]
    MixedCurrencies,
    /// A credit that can't be granted.
    #[error("{0}")]
    Credit(&'static str),
    /// Terms that a plan can't have.
    #[error("{0}")]
    Terms(&'static str),
    /// A job that can't be read.
    #[error("the job's payload is malformed: {0}")]
    Payload(String),
    /// Amounts too large, or instants out of range.
    #[error(transparent)]
    Amount(#[from] mintreu::Error),
    /// The invoice.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The shares.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// The counts.
    #[error(transparent)]
    Metering(#[from] MeteringError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<BillingError> for JobError {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            other => JobError::fail(other),
        }
    }
}

fn out_of_range() -> mintreu::Error {
    mintreu::Error::new("time_out_of_range", "the instant is outside the calendar")
}

/// The instant `months` whole months after `anchor` (UTC): the same day and time of day, or the
/// month's last day where it has no such day. Always counted from the anchor, so that a plan
/// bought on the 31st returns to the 31st after February.
pub fn boundary(anchor: Timestamp, months: i64) -> mintreu::Result<Timestamp> {
    let utc = jiff::tz::TimeZone::UTC;
    let start = jiff::Timestamp::from_millisecond(anchor.ms()).map_err(|_| out_of_range())?;
    let span = jiff::Span::new()
        .try_months(months)
        .map_err(|_| out_of_range())?;
    let moved = start.to_zoned(utc).checked_add(span);
    let moved = moved.map_err(|_| out_of_range())?;
    Ok(Timestamp::from_ms(moved.timestamp().as_millisecond()))
}

/// The bounds of the `period`-th month from `anchor`.
pub fn period_bounds(anchor: Timestamp, period: i64) -> mintreu::Result<(Timestamp, Timestamp)> {
    Ok((boundary(anchor, period)?, boundary(anchor, period + 1)?))
}

/// A plan's meters and their one currency, from a product's. A meter without a tariff is counted
/// and costs nothing; where no meter has one, the currency is the euro and is never charged.
pub fn plan_meters(meters: &[Meter]) -> Result<(Currency, Vec<PlanMeter>), BillingError> {
    let mut tariffs = meters.iter().filter_map(|meter| meter.tariff.as_ref());
    let currency = tariffs.next().map_or(Currency::EUR, Tariff::currency);
    if tariffs.any(|tariff| tariff.currency() != currency) {
        return Err(BillingError::MixedCurrencies);
    }
    let nothing = Tariff::new(currency, FREE)?;
    let plan_meter = |meter: &Meter| PlanMeter {
        name: meter.name.clone(),
        unit: meter.unit.clone(),
        tariff: meter.tariff.clone().unwrap_or_else(|| nothing.clone()),
        settled_units: 0,
        billed_minor: 0,
        prepaid: Quantity::ZERO,
    };
    Ok((currency, meters.iter().map(plan_meter).collect()))
}

/// What was counted of a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The meter.
    pub meter: PlanMeter,
    /// In the running period.
    pub usage: Usage,
    /// In all, by the row of a matrix.
    pub rows: Vec<(String, i64)>,
}

/// What was counted since, never below nothing.
fn since(total: i64, settled: i64) -> Quantity {
    Quantity::units(u64::try_from(total.saturating_sub(settled)).unwrap_or(0))
}

impl Counted {
    /// `total` units in all.
    pub fn total(meter: PlanMeter, total: i64) -> Self {
        let usage = Usage::Total(since(total, meter.settled_units));
        Self {
            meter,
            usage,
            rows: Vec::new(),
        }
    }

    /// `units` in all of each row, of which `settled` are of earlier periods.
    pub fn by_row(
        meter: PlanMeter,
        rows: &[Row],
        units: &[i64],
        settled: &BTreeMap<String, i64>,
    ) -> Self {
        let labels = rows
            .iter()
            .zip(units)
            .map(|(row, units)| (row.label(), *units));
        let labels: Vec<(String, i64)> = labels.collect();
        let cell = |(row, (label, total)): (&Row, &(String, i64))| {
            let settled = settled.get(label).copied().unwrap_or(0);
            (row.when.clone(), since(*total, settled))
        };
        Self {
            usage: Usage::Cells(rows.iter().zip(&labels).map(cell).collect()),
            rows: labels,
            meter,
        }
    }
}

/// What a meter's units of the running period cost, and what is still to invoice of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The meter.
    pub meter: PlanMeter,
    /// Of the running period.
    pub usage: Usage,
    /// In all, by the row of a matrix.
    pub rows: Vec<(String, i64)>,
    /// Units of the running period.
    pub units: u64,
    /// Of them, covered by credits: before, and by this bill.
    pub prepaid: Quantity,
    /// What they cost.
    pub rated: Rated,
    /// What they cost, less what was invoiced or carried; may be below zero.
    pub open: Money,
}

/// What all meters of a running period cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dues {
    /// By name.
    pub meters: Vec<Due>,
    /// What of which credit of units would cover them, beside what was covered before.
    pub burns: Vec<Burn>,
}

impl Dues {
    /// What the period costs.
    pub fn cost(&self, currency: Currency) -> mintreu::Result<Money> {
        let zero = Money::zero(currency);
        let mut totals = self.meters.iter().map(|due| due.rated.total);
        totals.try_fold(zero, |sum, total| sum.checked_add(total))
    }

    /// What all meters together still ask for.
    pub fn open(&self, currency: Currency) -> mintreu::Result<Money> {
        let zero = Money::zero(currency);
        self.meters
            .iter()
            .try_fold(zero, |sum, due| sum.checked_add(due.open))
    }
}

/// The name under which the price engine burns again what a period has burned before: it comes
/// first, as its priority is 0 and a plan's credits begin at 1.
const BEFORE: &str = "";

/// Rates a running period. Of `credits`, those of units cover what is left after free units.
pub fn dues(counted: Vec<Counted>, credits: &[Credit], at: Timestamp) -> mintreu::Result<Dues> {
    if counted.is_empty() {
        return Ok(Dues {
            meters: Vec::new(),
            burns: Vec::new(),
        });
    }
    let bill = bill(&charges(&counted), &terms(&counted, credits, at))?;
    let meters = counted.into_iter().map(|counted| {
        let of_meter = bill
            .lines
            .iter()
            .filter(|line| line.charge.as_deref() == Some(counted.meter.name.as_str()));
        let lines: Vec<Line> = of_meter.map(|line| line.line.clone()).collect();
        due(counted, lines, &bill.burns)
    });
    let meters = meters.collect::<mintreu::Result<_>>()?;
    let mut burns = bill.burns;
    burns.retain(|burn| burn.credit != BEFORE);
    Ok(Dues { meters, burns })
}

/// The meters of a period as charges of a bill.
pub fn charges(counted: &[Counted]) -> Vec<Charge> {
    let charge = |counted: &Counted| Charge {
        name: counted.meter.name.clone(),
        tariff: counted.meter.tariff.clone(),
        usage: counted.usage.clone(),
    };
    counted.iter().map(charge).collect()
}

/// Credits of units, after what the period has burned before.
pub fn terms(counted: &[Counted], credits: &[Credit], at: Timestamp) -> Terms {
    let before = counted.iter().map(|counted| Credit {
        id: BEFORE.to_owned(),
        of: CreditOf::Units {
            charge: counted.meter.name.clone(),
            left: counted.meter.prepaid,
        },
        priority: 0,
        expires_at: None,
        created_at: Timestamp::from_ms(0),
    });
    let units = |credit: &&Credit| matches!(credit.of, CreditOf::Units { .. });
    Terms {
        credits: before
            .chain(credits.iter().filter(units).cloned())
            .collect(),
        ..Terms::none(at)
    }
}

fn due(counted: Counted, lines: Vec<Line>, burns: &[Burn]) -> mintreu::Result<Due> {
    let Counted { meter, usage, rows } = counted;
    let currency = meter.tariff.currency();
    let total = lines.iter().try_fold(Money::zero(currency), |sum, line| {
        sum.checked_add(line.amount)
    })?;
    let mut covered = burns.iter().filter_map(|burn| match &burn.of {
        Burned::Units { charge, units } if *charge == meter.name => Some(*units),
        _ => None,
    });
    let prepaid = covered.try_fold(Quantity::ZERO, |sum, units| sum.checked_add(units))?;
    let billed = Money::new(meter.billed_minor, currency);
    Ok(Due {
        units: usage.quantity()?.ceil(),
        prepaid,
        open: total.checked_sub(billed)?,
        rated: Rated { lines, total },
        meter,
        usage,
        rows,
    })
}

/// The scheme of a meter that is counted and costs nothing.
const FREE: Scheme = Scheme::PerUnit {
    unit: UnitPrice::ZERO,
};

/// Whether `caller` may look at the plan: who owes, who earns, and who runs the platform.
pub fn may_see(caller: &Caller, plan: &Plan) -> bool {
    let runs = |role: &Role| matches!(role, Role::Admin | Role::System);
    let party = |account: AccountId| plan.customer == Some(account) || plan.seller == account;
    caller.roles.iter().any(runs) || caller.account.is_some_and(party)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let parsed: jiff::Timestamp = text.parse().expect("an instant");
        Timestamp::from_ms(parsed.as_millisecond())
    }

    fn meter(tariff: &str, settled_units: i64, billed_minor: i64) -> PlanMeter {
        PlanMeter {
            name: "renders".into(),
            unit: "render".into(),
            tariff: tariff.parse().expect("a tariff"),
            settled_units,
            billed_minor,
            prepaid: Quantity::ZERO,
        }
    }

    fn due(meter: PlanMeter, total: i64) -> mintreu::Result<Due> {
        let dues = dues(
            vec![Counted::total(meter, total)],
            &[],
            Timestamp::from_ms(0),
        )?;
        Ok(dues.meters.into_iter().next().expect("one meter"))
    }

    #[test]
    fn months_are_counted_from_the_anchor() {
        let anchor = at("2026-01-31T10:30:00.250Z");
        for (months, expected) in [
            (0, "2026-01-31T10:30:00.250Z"),
            (1, "2026-02-28T10:30:00.250Z"),
            (2, "2026-03-31T10:30:00.250Z"),
            (3, "2026-04-30T10:30:00.250Z"),
            (25, "2028-02-29T10:30:00.250Z"),
        ] {
            assert_eq!(boundary(anchor, months), Ok(at(expected)), "{months}");
        }
        assert!(boundary(anchor, i64::MAX).is_err());
    }

    #[test]
    fn a_period_is_rated_once_however_often_it_is_invoiced() {
        let first = due(meter("EUR per_unit 0.01; free 100", 0, 0), 150).expect("rated");
        assert_eq!((first.units, first.open.minor()), (150, 50));
        let later = due(meter("EUR per_unit 0.01; free 100", 0, 50), 350).expect("rated");
        assert_eq!(later.open.minor(), 200);
    }

    #[test]
    fn totals_below_what_was_settled_cost_nothing() {
        let nothing = due(meter("EUR per_unit 1.00", 500, 0), 400).expect("rated");
        assert_eq!((nothing.units, nothing.open.minor()), (0, 0));
    }

    proptest! {
        #[test]
        fn any_sequence_of_interim_bills_adds_up(
            steps in proptest::collection::vec(0_i64..5000, 1..8),
            scheme in 0_usize..3,
        ) {
            let tariff = [
                "EUR per_unit 0.0137; free 1000",
                "EUR graduated 100=0.05 1000=0.02+1.00 *=0.001; free 10; min 1.00",
                "EUR volume 100=0.05 *=0.001",
            ][scheme];
            let (mut total, mut billed) = (0, 0);
            for step in steps {
                total += step;
                let open = due(meter(tariff, 0, billed), total).expect("rated").open.minor();
                billed += open.max(0);
            }
            let whole = due(meter(tariff, 0, 0), total).expect("rated").open.minor();
            let carried = due(meter(tariff, 0, billed), total).expect("rated").open.minor();
            prop_assert_eq!(billed + carried, whole);
            prop_assert!(scheme == 2 || carried == 0);
        }
    }
}
