//! From a quantity to lines and a total.

use super::unit::NANOS;
use super::{Scheme, Tariff, Tier, UnitPrice};
use crate::error::{Error, Result};
use crate::money::Money;

/// Why a line is on the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Units that cost nothing.
    Free,
    /// One amount whatever the quantity.
    Flat,
    /// Units at one price.
    Units,
    /// Units of one tier, from its first to its last, counted after the free units.
    Tier {
        /// First unit of the line.
        from: u64,
        /// Last unit of the line.
        to: u64,
    },
    /// Packages begun; the line's quantity counts units.
    Packages {
        /// How many.
        count: u64,
        /// Units in each.
        size: u64,
    },
    /// What is missing to the minimum.
    Minimum,
    /// What is above the maximum, taken off.
    Maximum,
}

impl LineKind {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Flat => "flat",
            Self::Units => "units",
            Self::Tier { .. } => "tier",
            Self::Packages { .. } => "packages",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
        }
    }
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Why it is there.
    pub kind: LineKind,
    /// Units it covers; zero in lines that don't depend on units.
    pub quantity: u64,
    /// What one unit costs, where units have a price.
    pub unit: Option<UnitPrice>,
    /// Added once to the units' price, in minor units.
    pub fee: i64,
    /// Rounded amount; below zero only for [`LineKind::Maximum`].
    pub amount: Money,
}

impl Line {
    /// One sentence that a person can check with a calculator: `2500 × 0.0004 = 1.00 EUR`.
    pub fn explain(&self) -> String {
        let (quantity, amount) = (self.quantity, self.amount);
        let currency = amount.currency();
        let price = self.unit.map(|unit| unit.to_text(currency));
        let price = price.unwrap_or_default();
        let fee = match self.fee {
            0 => String::new(),
            fee => format!(" + {}", super::unit::amount_text(fee, currency)),
        };
        match self.kind {
            LineKind::Free => format!("{quantity} free"),
            LineKind::Flat => format!("flat, {amount}"),
            LineKind::Units => format!("{quantity} × {price}{fee} = {amount}"),
            LineKind::Tier { from, to } => {
                format!("{quantity} ({from} to {to}) × {price}{fee} = {amount}")
            }
            LineKind::Packages { count, size } => {
                format!("{quantity} in {count} packages of {size} = {amount}")
            }
            LineKind::Minimum => format!("up to the minimum, {amount}"),
            LineKind::Maximum => format!("down to the maximum, {amount}"),
        }
    }
}

/// A quantity, priced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rated {
    /// In the order they are printed.
    pub lines: Vec<Line>,
    /// Exactly what the lines add up to.
    pub total: Money,
}

/// Prices `quantity` units of one period. `money_overflow` when 64 bits can't hold a line.
pub fn rate(tariff: &Tariff, quantity: u64) -> Result<Rated> {
    let free = quantity.min(tariff.free_units);
    let mut bill = Bill {
        tariff,
        lines: Vec::new(),
        total: Money::zero(tariff.currency),
    };
    if free > 0 {
        bill.push(LineKind::Free, free, 0)?;
    }
    bill.charge(quantity - free)?;
    bill.bound()?;
    let Bill { lines, total, .. } = bill;
    Ok(Rated { lines, total })
}

struct Bill<'a> {
    tariff: &'a Tariff,
    lines: Vec<Line>,
    total: Money,
}

fn overflow() -> Error {
    Error::new("money_overflow", "the amount is too large to hold exactly")
}

impl Bill<'_> {
    fn push(&mut self, kind: LineKind, quantity: u64, minor: i64) -> Result<()> {
        let amount = Money::new(minor, self.tariff.currency);
        self.add(Line {
            kind,
            quantity,
            unit: None,
            fee: 0,
            amount,
        })
    }

    fn add(&mut self, line: Line) -> Result<()> {
        self.total = self.total.checked_add(line.amount)?;
        self.lines.push(line);
        Ok(())
    }

    /// Units at a price, and a fee: the one place that rounds.
    fn push_units(&mut self, kind: LineKind, quantity: u64, tier: &Tier) -> Result<()> {
        let units = i128::from(quantity) * i128::from(tier.unit.nanos());
        let exact = units.checked_add(i128::from(tier.fee) * NANOS);
        let minor = self.tariff.rounding.apply(exact.ok_or_else(overflow)?);
        let minor = i64::try_from(minor).map_err(|_| overflow())?;
        self.add(Line {
            kind,
            quantity,
            unit: Some(tier.unit),
            fee: tier.fee,
            amount: Money::new(minor, self.tariff.currency),
        })
    }

    fn charge(&mut self, billable: u64) -> Result<()> {
        match &self.tariff.scheme {
            Scheme::Flat { amount } => self.push(LineKind::Flat, billable, *amount),
            _ if billable == 0 => Ok(()),
            Scheme::PerUnit { unit } => {
                let tier = Tier {
                    up_to: None,
                    unit: *unit,
                    fee: 0,
                };
                self.push_units(LineKind::Units, billable, &tier)
            }
            Scheme::Graduated { tiers } => self.graduated(tiers, billable),
            Scheme::Volume { tiers } => {
                let reached = tiers
                    .iter()
                    .find(|tier| tier.up_to.is_none_or(|up_to| billable <= up_to));
                let kind = LineKind::Tier {
                    from: 1,
                    to: billable,
                };
                reached.map_or(Ok(()), |tier| self.push_units(kind, billable, tier))
            }
            Scheme::Package { size, amount } => self.packages(*size, *amount, billable),
        }
    }

    fn graduated(&mut self, tiers: &[Tier], billable: u64) -> Result<()> {
        let mut done = 0;
        for tier in tiers {
            let end = tier.up_to.map_or(billable, |up_to| up_to.min(billable));
            if end > done {
                let kind = LineKind::Tier {
                    from: done + 1,
                    to: end,
                };
                self.push_units(kind, end - done, tier)?;
                done = end;
            }
        }
        Ok(())
    }

    fn packages(&mut self, size: u64, amount: i64, billable: u64) -> Result<()> {
        let count = billable.div_ceil(size);
        let minor = i128::from(count) * i128::from(amount);
        let minor = i64::try_from(minor).map_err(|_| overflow())?;
        self.push(LineKind::Packages { count, size }, billable, minor)
    }

    fn bound(&mut self) -> Result<()> {
        let total = self.total.minor();
        if let Some(missing) = self.tariff.minimum.map(|minimum| minimum - total)
            && missing > 0
        {
            self.push(LineKind::Minimum, 0, missing)?;
        }
        if let Some(above) = self.tariff.maximum.map(|maximum| maximum - total)
            && above < 0
        {
            self.push(LineKind::Maximum, 0, above)?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(in crate::price) mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::price::Rounding;
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

    proptest! {
        #[test]
        fn lines_add_up_and_cover_the_quantity(tariff in tariffs(), quantity in 0_u64..1_000_000) {
            let rated = rate(&tariff, quantity).expect("rated");
            let sum: i64 = rated.lines.iter().map(|line| line.amount.minor()).sum();
            prop_assert_eq!(sum, rated.total.minor());
            prop_assert_eq!(rated.lines.iter().map(|line| line.quantity).sum::<u64>(), quantity);
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
