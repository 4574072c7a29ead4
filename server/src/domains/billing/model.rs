//! Plans, periods and what an invoice of them says. Pure.

use crate::caller::{Caller, Denied, Role};
use crate::domains::catalog::Meter;
use crate::domains::invoicing::{Invoice, InvoiceError, NewLine};
use crate::domains::ledger::{LedgerError, SplitError};
use crate::domains::metering::MeteringError;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, LicenseId, OrderId, ProductId};
use mintreu::price::{Line, Rated, Scheme, Tariff, UnitPrice, rate};
use mintreu::{Currency, Money, Timestamp};

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
    /// How many invoices the running period has had.
    pub interim: i64,
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
    };
    Ok((currency, meters.iter().map(plan_meter).collect()))
}

/// What a meter's units of the running period cost, and what is still to invoice of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The meter.
    pub meter: PlanMeter,
    /// Units of the running period.
    pub units: u64,
    /// What they cost.
    pub rated: Rated,
    /// What they cost, less what was invoiced or carried; may be below zero.
    pub open: Money,
}

/// Rates the running period of `meter`, whose license has counted `total` units in all.
pub fn due(meter: PlanMeter, total: i64) -> mintreu::Result<Due> {
    let units = u64::try_from(total.saturating_sub(meter.settled_units)).unwrap_or(0);
    let rated = rate(&meter.tariff, units)?;
    let billed = Money::new(meter.billed_minor, meter.tariff.currency());
    let open = rated.total.checked_sub(billed)?;
    Ok(Due {
        meter,
        units,
        rated,
        open,
    })
}

/// What all meters together still ask for.
pub fn open_total(dues: &[Due], currency: Currency) -> mintreu::Result<Money> {
    dues.iter()
        .try_fold(Money::zero(currency), |sum, due| sum.checked_add(due.open))
}

/// The scheme of a meter that is counted and costs nothing.
const FREE: Scheme = Scheme::PerUnit {
    unit: UnitPrice::ZERO,
};

/// The lines of an invoice over `dues`: each meter's rated lines, then what earlier invoices took.
/// Meters that cost nothing aren't on it.
pub fn invoice_lines(dues: &[Due]) -> Vec<NewLine> {
    let asks = |due: &&Due| due.meter.tariff.scheme() != &FREE || due.meter.billed_minor != 0;
    dues.iter()
        .filter(asks)
        .flat_map(|due| {
            let rated = due.rated.lines.iter().map(|line| rated_line(due, line));
            rated.chain(already_invoiced(due))
        })
        .collect()
}

fn rated_line(due: &Due, line: &Line) -> NewLine {
    NewLine {
        kind: line.kind.name(),
        meter: Some(due.meter.name.clone()),
        quantity: line.quantity.ceil(),
        free_units: due.meter.tariff.free_units(),
        unit_price_nanos: line.unit.map(mintreu::price::UnitPrice::nanos),
        amount: line.amount,
        tariff: Some(due.meter.tariff.to_string()),
        explanation: line.explain(),
    }
}

fn already_invoiced(due: &Due) -> Option<NewLine> {
    let billed = due.meter.billed_minor;
    let currency = due.meter.tariff.currency();
    let amount = Money::new(billed.checked_neg()?, currency);
    let words = if billed > 0 {
        format!("invoiced before, {amount}")
    } else {
        format!("carried over, {amount}")
    };
    (billed != 0).then(|| NewLine {
        kind: "already_invoiced",
        meter: Some(due.meter.name.clone()),
        quantity: 0,
        free_units: due.meter.tariff.free_units(),
        unit_price_nanos: None,
        amount,
        tariff: None,
        explanation: words,
    })
}

/// What the period comes to if it goes on as it began: units so far, over the time so far, for the
/// whole period. Never below what was used.
pub fn projected_units(units: u64, bounds: (Timestamp, Timestamp), now: Timestamp) -> u64 {
    let length = i128::from(bounds.1.since_ms(bounds.0).max(1));
    let elapsed = i128::from(now.since_ms(bounds.0)).clamp(1, length);
    let projected = i128::from(units).saturating_mul(length) / elapsed;
    u64::try_from(projected).unwrap_or(u64::MAX).max(units)
}

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
        }
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
        let lines = invoice_lines(std::slice::from_ref(&later));
        let said: Vec<_> = lines.iter().map(|line| line.explanation.as_str()).collect();
        assert_eq!(
            said,
            [
                "100 free",
                "250 × 0.01 = 2.50 EUR",
                "invoiced before, -0.50 EUR"
            ]
        );
        let sum: i64 = lines.iter().map(|line| line.amount.minor()).sum();
        assert_eq!(sum, later.open.minor());
    }

    #[test]
    fn totals_below_what_was_settled_cost_nothing() {
        let nothing = due(meter("EUR per_unit 1.00", 500, 0), 400).expect("rated");
        assert_eq!((nothing.units, nothing.open.minor()), (0, 0));
    }

    #[test]
    fn a_projection_scales_by_time() {
        let bounds = (Timestamp::from_ms(1000), Timestamp::from_ms(2000));
        for (now, units, expected) in [
            (1500, 10, 20),
            (2000, 10, 10),
            (9000, 10, 10),
            (1000, 10, 10_000),
            (0, 10, 10_000),
            (1500, u64::MAX, u64::MAX),
        ] {
            let projected = projected_units(units, bounds, Timestamp::from_ms(now));
            assert_eq!(projected, expected, "{now}");
        }
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
