//! From what was used to lines and a total.

use super::line::{Line, LineKind};
use super::split::{Split, split};
use super::unit::NANOS;
use super::{Quantity, Row, Scheme, Tariff, Tier, UnitPrice, Usage};
use crate::error::{Error, Result};
use crate::money::Money;

/// Exact amounts are worked out in so many parts of a minor unit.
pub(super) const PARTS: i128 = NANOS * NANOS;

/// A quantity, priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated {
    /// In the order they are printed.
    pub lines: Vec<Line>,
    /// Exactly what the lines add up to.
    pub total: Money,
}

/// Prices `quantity` whole units of one period. `money_overflow` when 64 bits can't hold a line;
/// `usage_incomplete` when the tariff charges by transaction.
pub fn rate(tariff: &Tariff, quantity: u64) -> Result<Rated> {
    rate_usage(tariff, &Usage::units(quantity), Quantity::ZERO)
}

/// Prices one period's usage, of which a credit covers `prepaid` units after the free ones.
///
/// `usage_incomplete` when the tariff looks at transactions that the usage doesn't tell apart.
pub fn rate_usage(tariff: &Tariff, usage: &Usage, prepaid: Quantity) -> Result<Rated> {
    let split = split(tariff, usage, prepaid)?;
    let mut bill = Bill {
        tariff,
        lines: Vec::new(),
        total: Money::zero(tariff.currency),
    };
    for (kind, quantity) in [
        (LineKind::Free, split.free),
        (LineKind::Prepaid, split.prepaid),
    ] {
        if quantity > Quantity::ZERO {
            bill.push(kind, quantity, 0)?;
        }
    }
    bill.charge(usage, &split)?;
    bill.bound()?;
    let Bill { lines, total, .. } = bill;
    Ok(Rated { lines, total })
}

pub(super) fn overflow() -> Error {
    Error::new("money_overflow", "the amount is too large to hold exactly")
}

/// The exact price of a quantity and of fees, in [`PARTS`].
pub(super) fn exact(quantity: Quantity, unit: UnitPrice, fees: i128) -> Result<i128> {
    let units = quantity.factor().checked_mul(i128::from(unit.nanos()));
    let fees = fees.checked_mul(PARTS);
    let sum = units
        .zip(fees)
        .and_then(|(units, fees)| units.checked_add(fees));
    sum.ok_or_else(overflow)
}

pub(super) struct Bill<'a> {
    pub(super) tariff: &'a Tariff,
    lines: Vec<Line>,
    total: Money,
}

impl Bill<'_> {
    fn push(&mut self, kind: LineKind, quantity: Quantity, minor: i64) -> Result<()> {
        let amount = Money::new(minor, self.tariff.currency);
        self.add(Line {
            kind,
            quantity,
            unit: None,
            fee: 0,
            amount,
        })
    }

    pub(super) fn add(&mut self, line: Line) -> Result<()> {
        self.total = self.total.checked_add(line.amount)?;
        self.lines.push(line);
        Ok(())
    }

    /// The one place that rounds.
    pub(super) fn round(&self, exact: i128) -> Result<Money> {
        let minor = i64::try_from(self.tariff.rounding.divide(exact, PARTS));
        let minor = minor.map_err(|_| overflow())?;
        Ok(Money::new(minor, self.tariff.currency))
    }

    /// Units at a price, and a fee.
    pub(super) fn push_units(
        &mut self,
        kind: LineKind,
        quantity: Quantity,
        (unit, fee): (UnitPrice, i64),
    ) -> Result<()> {
        let amount = self.round(exact(quantity, unit, i128::from(fee))?)?;
        self.add(Line {
            kind,
            quantity,
            unit: Some(unit),
            fee,
            amount,
        })
    }

    fn charge(&mut self, usage: &Usage, split: &Split) -> Result<()> {
        let billable = split.billable;
        match &self.tariff.scheme {
            Scheme::Flat { amount } => self.push(LineKind::Flat, billable, *amount),
            Scheme::Percentage(scheme) => self.percentage(scheme, usage, split),
            _ if billable == Quantity::ZERO => Ok(()),
            Scheme::PerUnit { unit } => self.push_units(LineKind::Units, billable, (*unit, 0)),
            Scheme::Graduated { tiers } => self.graduated(tiers, billable),
            Scheme::Volume { tiers } => {
                let reached = tiers.iter().find(|tier| reaches(tier.up_to, billable));
                let kind = LineKind::Tier {
                    after: Quantity::ZERO,
                    to: billable,
                };
                reached.map_or(Ok(()), |tier| {
                    self.push_units(kind, billable, (tier.unit, tier.fee))
                })
            }
            Scheme::Package { size, amount } => self.packages(*size, *amount, billable),
            Scheme::GraduatedPercentage { of, tiers } => {
                self.graduated_percentage(*of, tiers, billable)
            }
            Scheme::Matrix { rows } => self.matrix(rows, usage, split.covered),
        }
    }

    fn graduated(&mut self, tiers: &[Tier], billable: Quantity) -> Result<()> {
        let ends = tiers.iter().map(|tier| tier.up_to);
        for (tier, (after, to)) in tiers.iter().zip(steps(ends, billable)) {
            if to > after {
                let kind = LineKind::Tier { after, to };
                self.push_units(kind, to.less(after), (tier.unit, tier.fee))?;
            }
        }
        Ok(())
    }

    fn packages(&mut self, size: u64, amount: i64, billable: Quantity) -> Result<()> {
        let count = billable.ceil().div_ceil(size);
        let minor = i128::from(count) * i128::from(amount);
        let minor = i64::try_from(minor).map_err(|_| overflow())?;
        self.push(LineKind::Packages { count, size }, billable, minor)
    }

    /// Each count by the first row that holds; free and prepaid units are taken from the rows in
    /// their order.
    fn matrix(&mut self, rows: &[Row], usage: &Usage, mut covered: Quantity) -> Result<()> {
        let mut quantities = vec![Quantity::ZERO; rows.len()];
        let rest = rows.len().saturating_sub(1);
        let whole = [(Vec::new(), usage.quantity()?)];
        let cells = match usage {
            Usage::Cells(cells) => cells.as_slice(),
            _ => &whole,
        };
        for (dimensions, quantity) in cells {
            let row = rows.iter().position(|row| row.holds(dimensions));
            let of_row = &mut quantities[row.unwrap_or(rest)];
            *of_row = of_row.checked_add(*quantity)?;
        }
        for (row, quantity) in rows.iter().zip(quantities) {
            let billable = quantity.less(covered);
            covered = covered.less(quantity);
            if billable > Quantity::ZERO {
                let kind = LineKind::Cell { row: row.label() };
                self.push_units(kind, billable, (row.unit, 0))?;
            }
        }
        Ok(())
    }

    fn bound(&mut self) -> Result<()> {
        let total = self.total.minor();
        if let Some(missing) = self.tariff.minimum.map(|minimum| minimum - total)
            && missing > 0
        {
            self.push(LineKind::Minimum, Quantity::ZERO, missing)?;
        }
        if let Some(above) = self.tariff.maximum.map(|maximum| maximum - total)
            && above < 0
        {
            self.push(LineKind::Maximum, Quantity::ZERO, above)?;
        }
        Ok(())
    }
}

fn reaches(up_to: Option<u64>, quantity: Quantity) -> bool {
    up_to.is_none_or(|up_to| quantity <= Quantity::units(up_to))
}

/// Where each tier begins and ends for `billable` units; equal where it isn't reached.
pub(super) fn steps(
    ends: impl Iterator<Item = Option<u64>>,
    billable: Quantity,
) -> impl Iterator<Item = (Quantity, Quantity)> {
    let mut done = Quantity::ZERO;
    ends.map(move |end| {
        let end = end.map_or(billable, |end| Quantity::units(end).min(billable));
        let step = (done, end.max(done));
        done = step.1;
        step
    })
}

#[cfg(test)]
pub(in crate::price) mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::price::usage::sum;
    use crate::price::{Amounts, Percent, PercentTier, Percentage, Rounding};
    use proptest::prelude::*;

    fn total(tariff: &str, quantity: u64) -> i64 {
        let tariff: Tariff = tariff.parse().expect("a tariff");
        rate(&tariff, quantity).expect("rated").total.minor()
    }

    #[test]
    fn bills_are_right_to_the_cent() {
        let per_unit = "EUR per_unit 0.0004; free 1000";
        let graduated = "EUR graduated 10=1.00 100=0.50+2.00 *=0.10";
        let volume = "EUR volume 10=1.00 100=0.50+2.00 *=0.10";
        for (tariff, quantity, expected) in [
            (per_unit, 0, 0),
            (per_unit, 999, 0),
            (per_unit, 1000, 0),
            (per_unit, 1001, 0),
            (per_unit, 1012, 0),
            (per_unit, 1013, 1),
            (per_unit, 3500, 100),
            (per_unit, 1_000_000_000_001_000, 40_000_000_000_000),
            (graduated, 10, 1000),
            (graduated, 11, 1000 + 50 + 200),
            (graduated, 100, 1000 + 4500 + 200),
            (graduated, 101, 1000 + 4500 + 200 + 10),
            (volume, 0, 0),
            (volume, 10, 1000),
            (volume, 11, 550 + 200),
            (volume, 101, 1010),
            ("EUR package 100=2.50; free 10", 10, 0),
            ("EUR package 100=2.50; free 10", 11, 250),
            ("EUR package 100=2.50; free 10", 110, 250),
            ("EUR package 100=2.50; free 10", 111, 500),
            ("EUR flat 9.00", 0, 900),
            ("EUR flat 9.00; free 5", 50, 900),
            ("EUR per_unit 1.00; min 3.00; max 5.00", 0, 300),
            ("EUR per_unit 1.00; min 3.00; max 5.00", 4, 400),
            ("EUR per_unit 1.00; min 3.00; max 5.00", 50, 500),
            ("USD percentage 2.9%", 1000, 2900),
            ("USD percentage 2.9%; amounts minor", 1000, 29),
            ("USD percentage 2.9%; free 100; max 20.00", 1000, 2000),
            ("USD graduated_percentage 100=2% *=1%+0.50", 100, 200),
            (
                "USD graduated_percentage 100=2% *=1%+0.50",
                300,
                200 + 200 + 50,
            ),
            ("USD matrix model=a:1.00 *:0.10; free 5", 15, 100),
            ("JPY per_unit 0.5; round half_up", 1, 1),
            ("JPY per_unit 0.5; round half_even", 1, 0),
            ("JPY per_unit 0.5; round up", 1, 1),
            ("JPY per_unit 0.5; round down", 3, 1),
        ] {
            assert_eq!(total(tariff, quantity), expected, "{tariff} at {quantity}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let dear: Tariff = "EUR per_unit 90000000.00".parse().expect("a tariff");
        let refused = rate(&dear, u64::MAX).map_err(|e| e.code());
        assert_eq!(refused, Err("money_overflow"));
        let packages: Tariff = "EUR package 1=90000000.00".parse().expect("a tariff");
        let refused = rate(&packages, u64::MAX).map_err(|e| e.code());
        assert_eq!(refused, Err("money_overflow"));
    }

    #[test]
    fn lines_say_how_they_came_about() {
        let tariff: Tariff = "EUR graduated 10=1.00 *=0.0025+2.00; free 5; max 11.00"
            .parse()
            .expect("a tariff");
        let rated = rate(&tariff, 1015).expect("rated");
        let said: Vec<_> = rated.lines.iter().map(Line::explain).collect();
        assert_eq!(
            said,
            [
                "5 free",
                "10 (1 to 10) × 1.00 = 10.00 EUR",
                "1000 (11 to 1010) × 0.0025 + 2.00 = 4.50 EUR",
                "down to the maximum, -3.50 EUR",
            ]
        );
    }

    pub(in crate::price) fn explained(
        tariff: &str,
        usage: &Usage,
        prepaid: u64,
    ) -> (Vec<String>, i64) {
        let tariff: Tariff = tariff.parse().expect("a tariff");
        let rated = rate_usage(&tariff, usage, Quantity::units(prepaid)).expect("rated");
        (
            rated.lines.iter().map(Line::explain).collect(),
            rated.total.minor(),
        )
    }

    #[test]
    fn a_matrix_prices_each_count_once_and_takes_free_units_from_its_rows_in_order() {
        let cell = |model: &str, units: u64| {
            let dimensions = vec![("model".to_owned(), model.to_owned())];
            (dimensions, Quantity::units(units))
        };
        let usage = Usage::Cells(vec![
            cell("other", 7),
            cell("gpt-4", 20),
            cell("small", 30),
            cell("gpt-4", 10),
        ]);
        let tariff = "USD matrix model=gpt-4:0.03 model=small:0.002 *:0.01; free 5";
        let (lines, total) = explained(tariff, &usage, 30);
        assert_eq!(
            lines,
            [
                "5 free",
                "30 prepaid",
                "25 (model=small) × 0.002 = 0.05 USD",
                "7 (*) × 0.01 = 0.07 USD"
            ]
        );
        assert_eq!(total, 12);
    }

    #[test]
    fn decimals_are_priced_exactly() {
        let total = |text: &str| Usage::Total(text.parse().expect("a quantity"));
        let (lines, sum) = explained("EUR graduated 10=1.00 *=0.50", &total("12.5"), 0);
        let second = "2.5 (over 10 to 12.5) × 0.50 = 1.25 EUR";
        assert_eq!((lines[1].as_str(), sum), (second, 1125));
        let (_, sum) = explained("EUR package 10=1.00", &total("10.000000001"), 0);
        assert_eq!(sum, 200);
        let (_, sum) = explained("EUR per_unit 0.000000001", &total("0.000000001"), 0);
        assert_eq!(sum, 0);
    }

    fn tiers() -> impl Strategy<Value = Vec<Tier>> {
        let step = (1_u64..5000, 0_i64..5_000_000_000, 0_i64..500);
        proptest::collection::vec(step, 1..6).prop_map(|steps| {
            let last = steps.len() - 1;
            let mut reached = 0;
            let tier = |(index, (width, nanos, fee)): (usize, (u64, i64, i64))| {
                reached += width;
                let unit = UnitPrice::from_nanos(nanos).expect("a price");
                let up_to = (index < last).then_some(reached);
                Tier { up_to, unit, fee }
            };
            steps.into_iter().enumerate().map(tier).collect()
        })
    }

    pub(in crate::price) fn percents() -> impl Strategy<Value = Percent> {
        (0_i64..200_000_000).prop_map(|nanos| Percent::from_nanos(nanos).expect("a percentage"))
    }

    fn amounts(minor: bool) -> Amounts {
        if minor {
            Amounts::Minor
        } else {
            Amounts::Major
        }
    }

    pub(in crate::price) fn tariffs() -> impl Strategy<Value = Tariff> {
        let scheme = prop_oneof![
            (0_i64..100_000).prop_map(|amount| Scheme::Flat { amount }),
            (0_i64..9_000_000_000).prop_map(|nanos| Scheme::PerUnit {
                unit: UnitPrice::from_nanos(nanos).expect("a price"),
            }),
            tiers().prop_map(|tiers| Scheme::Graduated { tiers }),
            tiers().prop_map(|tiers| Scheme::Volume { tiers }),
            (1_u64..1000, 0_i64..10_000)
                .prop_map(|(size, amount)| Scheme::Package { size, amount }),
            (percents(), any::<bool>()).prop_map(|(rate, minor)| {
                let of = amounts(minor);
                Scheme::Percentage(Percentage {
                    of,
                    ..Percentage::new(rate)
                })
            }),
            (tiers(), percents(), any::<bool>()).prop_map(|(tiers, rate, minor)| {
                let of = amounts(minor);
                let tier = |Tier { up_to, fee, .. }| PercentTier { up_to, rate, fee };
                let tiers = tiers.into_iter().map(tier).collect();
                Scheme::GraduatedPercentage { of, tiers }
            }),
            proptest::collection::btree_map("[a-z =,:%é]{1,5}", 0_i64..9_000_000_000, 0..4)
                .prop_map(|prices| {
                    let unit = |nanos| UnitPrice::from_nanos(nanos).expect("a price");
                    let row = |(value, nanos)| Row {
                        when: vec![("model".to_owned(), value)],
                        unit: unit(nanos),
                    };
                    let mut rows: Vec<Row> = prices.into_iter().map(row).collect();
                    rows.push(Row {
                        when: Vec::new(),
                        unit: unit(5),
                    });
                    Scheme::Matrix { rows }
                }),
        ];
        let bounds = proptest::option::of(0_i64..1000);
        let currency = prop_oneof![Just(Currency::EUR), Just(Currency::JPY)];
        let rule = (0_usize..4).prop_map(|index| Rounding::ALL[index].0);
        (currency, scheme, 0_u64..3000, bounds.clone(), bounds, rule).prop_map(
            |(currency, scheme, free, minimum, above, rule)| {
                let maximum = above.map(|above| minimum.unwrap_or(0) + above);
                let tariff = Tariff::new(currency, scheme).expect("sound");
                let tariff = tariff.with_bounds(minimum, maximum).expect("sound");
                tariff.with_free_units(free).with_rounding(rule)
            },
        )
    }

    fn sum_units(rated: &Rated) -> Quantity {
        sum(rated.lines.iter().map(|line| &line.quantity)).expect("fits")
    }

    proptest! {
        #[test]
        fn a_bill_in_steps_adds_up_to_the_whole(
            tariff in tariffs(), steps in proptest::collection::vec(0_u64..5000, 1..6),
        ) {
            let (mut units, mut billed) = (0, 0);
            for step in steps {
                units += step;
                billed += rate(&tariff, units).expect("rated").total.minor() - billed;
            }
            prop_assert_eq!(billed, rate(&tariff, units).expect("rated").total.minor());
        }

        #[test]
        fn free_and_prepaid_units_cost_nothing(
            tariff in tariffs(), nanos in 0_u128..1_000_000_000_000_000, prepaid in 0_u64..5000,
        ) {
            let usage = Usage::Total(Quantity::from_nanos(nanos).expect("fits"));
            let prepaid = Quantity::units(prepaid);
            let covered = rate_usage(&tariff, &usage, prepaid).expect("rated");
            prop_assert_eq!(sum_units(&covered), usage.quantity().expect("fits"));
            if !matches!(tariff.scheme(), Scheme::Volume { .. } | Scheme::Matrix { .. }) {
                let whole = rate_usage(&tariff, &usage, Quantity::ZERO).expect("rated");
                prop_assert!(covered.total.minor() <= whole.total.minor() + 1);
            }
        }

        #[test]
        fn lines_add_up_and_cover_the_quantity(tariff in tariffs(), quantity in 0_u64..1_000_000) {
            let rated = rate(&tariff, quantity).expect("rated");
            let sum: i64 = rated.lines.iter().map(|line| line.amount.minor()).sum();
            prop_assert_eq!(sum, rated.total.minor());
            let units = sum_units(&rated);
            prop_assert_eq!(units, Quantity::units(quantity));
            prop_assert!(tariff.minimum().is_none_or(|least| sum >= least));
            prop_assert!(tariff.maximum().is_none_or(|most| sum <= most));
        }

        #[test]
        fn more_usage_never_costs_less_except_by_volume(
            tariff in tariffs(), quantity in 0_u64..100_000, more in 0_u64..1000,
        ) {
            prop_assume!(!matches!(tariff.scheme(), Scheme::Volume { .. }));
            let (less, more) = (rate(&tariff, quantity), rate(&tariff, quantity + more));
            prop_assert!(less.expect("rated").total.minor() <= more.expect("rated").total.minor());
        }
    }
}
