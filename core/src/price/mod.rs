//! Tariffs, and the promise that the lines of a bill add up to its total.
//!
//! Pure: a tariff and a quantity go in, lines and a total come out, so that a product can show its
//! user what they will pay before they pay it, with the arithmetic the server bills by.
//!
//! A price below a minor unit is a [`UnitPrice`]: an integer number of 10⁻⁹ minor units. That
//! gives a euro eleven digits after the point (a token at 0.0375 EUR a million is exact) and still
//! reaches nine thousand million minor units a unit. A [`Quantity`] is a decimal with nine digits.
//! Amounts are worked out in 128 bits at both scales and rounded once a line, by the tariff's own
//! [`Rounding`].
//!
//! One meter is priced by [`rate`] or [`rate_usage`], a period of several by [`bill()`], which also
//! burns prepaid [`Credit`]s and holds the lines to a commitment. A [`Share`] of a period prorates.
//!
//! Invariants
//! * A [`Tariff`] that exists is sound: tiers rise and the last has no end, nothing is negative,
//!   the minimum is at most the maximum.
//! * The lines of a [`Rated`] add up to its total, and the quantities of its free and usage lines
//!   add up to the quantity rated.
//! * No floating point, and no overflow that isn't `money_overflow`.
//! * The text form of a tariff reads back as the same tariff.

#![deny(clippy::float_arithmetic)]

mod ask;
mod bill;
mod credit;
mod line;
mod matrix;
mod percentage;
mod quantity;
mod rate;
mod share;
mod split;
mod text;
mod unit;
mod usage;

pub use ask::{Ask, AskedCharge, AskedCredit};
pub use bill::{Bill, BillLine, Charge, MAX_CHARGES, Terms, bill};
pub use credit::{Burn, Burned, Credit, CreditOf, MAX_CREDITS, burn_order, pay};
pub use line::{Limited, Line, LineKind};
pub use matrix::{MAX_ROWS, Row};
pub use quantity::Quantity;
pub use rate::{Rated, rate, rate_usage};
pub use share::Share;
pub use unit::{Percent, Rounding, UnitPrice, parse_amount};
pub use usage::{Dimensions, Usage};

use crate::error::{Error, Result};
use crate::money::Currency;

/// How many tiers a tariff may have.
pub const MAX_TIERS: usize = 64;

/// One step of a tiered tariff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The last unit of the tier, counted from the first unit after the free ones; `None` in the
    /// last tier only.
    pub up_to: Option<u64>,
    /// What one unit costs.
    pub unit: UnitPrice,
    /// Added once, in minor units, when the tier is reached.
    pub fee: i64,
}

/// One step of a tiered percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentTier {
    /// The end of the tier, counted from the first amount after the free one; `None` in the last
    /// tier only.
    pub up_to: Option<u64>,
    /// Which part of the amount it costs.
    pub rate: Percent,
    /// Added once, in minor units, when the tier is reached.
    pub fee: i64,
}

/// What the amounts of a percentage are counted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Amounts {
    /// Euros, dollars, yen: usually decimals.
    #[default]
    Major,
    /// Cents, yen, fils: whole numbers, as a device counts.
    Minor,
}

impl Amounts {
    /// What one counted unit costs by `rate`.
    fn price(self, rate: Percent, currency: Currency) -> Result<UnitPrice> {
        let minor_units = match self {
            Self::Major => 10_i64.pow(u32::from(currency.exponent())),
            Self::Minor => 1,
        };
        let nanos = rate.nanos().checked_mul(minor_units);
        UnitPrice::from_nanos(nanos.ok_or_else(|| invalid("the percentage is too large"))?)
    }
}

/// A part of an amount that passes through, such as a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Percentage {
    /// Which part.
    pub rate: Percent,
    /// What the amount is counted in.
    pub of: Amounts,
    /// Minor units for each transaction.
    pub fee: i64,
    /// The first transactions of a period that cost nothing, their fee included.
    pub free_transactions: u64,
    /// The least that each transaction costs, in minor units.
    pub each_min: Option<i64>,
    /// The most that each transaction costs, in minor units.
    pub each_max: Option<i64>,
}

impl Percentage {
    /// A part of amounts in the major unit, and nothing else.
    pub fn new(rate: Percent) -> Self {
        Self {
            rate,
            of: Amounts::Major,
            fee: 0,
            free_transactions: 0,
            each_min: None,
            each_max: None,
        }
    }

    fn check(&self) -> Result<()> {
        check_amount("a fee", self.fee)?;
        check_bounds(self.each_min, self.each_max)
    }
}

/// How a quantity becomes an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// The same amount whatever the quantity, in minor units.
    Flat {
        /// Minor units.
        amount: i64,
    },
    /// Every unit costs the same.
    PerUnit {
        /// What one unit costs.
        unit: UnitPrice,
    },
    /// Each unit is priced by the tier it falls into.
    Graduated {
        /// Rising; the last has no end.
        tiers: Vec<Tier>,
    },
    /// All units are priced by the one tier that the quantity reaches.
    Volume {
        /// Rising; the last has no end.
        tiers: Vec<Tier>,
    },
    /// Whole packages; one begun is one charged.
    Package {
        /// Units in a package, above zero.
        size: u64,
        /// Minor units a package.
        amount: i64,
    },
    /// A part of the quantity, which is an amount of money.
    Percentage(Percentage),
    /// Each part of the amount is priced by the tier it falls into.
    GraduatedPercentage {
        /// What the amount is counted in.
        of: Amounts,
        /// Rising; the last has no end.
        tiers: Vec<PercentTier>,
    },
    /// A price for each value of a dimension.
    Matrix {
        /// The first that holds decides; the last takes the rest.
        rows: Vec<Row>,
    },
}

/// What usage costs: a currency, a scheme, units that are free in every period, and bounds.
///
/// ```
/// use mintreu::price::{Tariff, rate};
///
/// let tariff: Tariff = "EUR per_unit 0.0004; free 1000".parse()?;
/// assert_eq!(rate(&tariff, 1000)?.total.to_string(), "0.00 EUR");
/// assert_eq!(rate(&tariff, 3500)?.total.to_string(), "1.00 EUR");
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    currency: Currency,
    scheme: Scheme,
    free_units: u64,
    minimum: Option<i64>,
    maximum: Option<i64>,
    rounding: Rounding,
}

fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new("tariff_invalid", detail)
}

fn check_amount(what: &str, amount: i64) -> Result<()> {
    if amount < 0 {
        return Err(invalid(format!("{what} can't be below zero")));
    }
    Ok(())
}

fn check_bounds(minimum: Option<i64>, maximum: Option<i64>) -> Result<()> {
    check_amount("the minimum", minimum.unwrap_or(0))?;
    check_amount("the maximum", maximum.unwrap_or(0))?;
    if let (Some(minimum), Some(maximum)) = (minimum, maximum)
        && minimum > maximum
    {
        return Err(invalid("the minimum is above the maximum"));
    }
    Ok(())
}

/// Tiers by where they end and what they add.
fn check_tiers(mut tiers: impl DoubleEndedIterator<Item = (Option<u64>, i64)>) -> Result<()> {
    let Some((None, fee)) = tiers.next_back() else {
        return Err(invalid(
            "a tiered tariff ends with a tier without end: write it as *",
        ));
    };
    check_amount("a tier's fee", fee)?;
    let (mut reached, mut count) = (0, 1);
    for (up_to, fee) in tiers {
        check_amount("a tier's fee", fee)?;
        count += 1;
        match up_to {
            Some(up_to) if up_to > reached => reached = up_to,
            _ => return Err(invalid("every tier must end after the one before it")),
        }
    }
    match count <= MAX_TIERS {
        true => Ok(()),
        false => Err(invalid(format!("a tariff has at most {MAX_TIERS} tiers"))),
    }
}

impl Tariff {
    /// A tariff without free units or bounds, rounding halves to even; `tariff_invalid` says what
    /// is wrong with a scheme that can't be.
    pub fn new(currency: Currency, scheme: Scheme) -> Result<Self> {
        match &scheme {
            Scheme::Flat { amount } => check_amount("a flat amount", *amount)?,
            Scheme::PerUnit { .. } => {}
            Scheme::Graduated { tiers } | Scheme::Volume { tiers } => {
                check_tiers(tiers.iter().map(|tier| (tier.up_to, tier.fee)))?;
            }
            Scheme::GraduatedPercentage { tiers, .. } => {
                check_tiers(tiers.iter().map(|tier| (tier.up_to, tier.fee)))?;
            }
            Scheme::Percentage(percentage) => percentage.check()?,
            Scheme::Matrix { rows } => matrix::check(rows)?,
            Scheme::Package { size: 0, .. } => {
                return Err(invalid("a package holds at least one unit"));
            }
            Scheme::Package { amount, .. } => check_amount("a package's price", *amount)?,
        }
        Ok(Self {
            currency,
            scheme,
            free_units: 0,
            minimum: None,
            maximum: None,
            rounding: Rounding::HalfEven,
        })
    }

    /// Makes the first `units` of every period free; tiers and packages count from the next one.
    #[must_use]
    pub fn with_free_units(mut self, units: u64) -> Self {
        self.free_units = units;
        self
    }

    /// Bounds a period's total, in minor units; either end may be open.
    pub fn with_bounds(mut self, minimum: Option<i64>, maximum: Option<i64>) -> Result<Self> {
        check_bounds(minimum, maximum)?;
        (self.minimum, self.maximum) = (minimum, maximum);
        Ok(self)
    }

    /// Names the rule that rounds each line to minor units.
    #[must_use]
    pub fn with_rounding(mut self, rounding: Rounding) -> Self {
        self.rounding = rounding;
        self
    }

    /// What it charges in.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// How a quantity becomes an amount.
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Units that cost nothing in every period.
    pub fn free_units(&self) -> u64 {
        self.free_units
    }

    /// The least a period costs, in minor units.
    pub fn minimum(&self) -> Option<i64> {
        self.minimum
    }

    /// The most a period costs, in minor units.
    pub fn maximum(&self) -> Option<i64> {
        self.maximum
    }

    /// Whether it looks at single transactions, so that [`Usage::Total`] can't be priced.
    pub fn by_transaction(&self) -> bool {
        match &self.scheme {
            Scheme::Percentage(by) => {
                let bounded = by.each_min.is_some() || by.each_max.is_some();
                bounded || by.fee > 0 || by.free_transactions > 0
            }
            _ => false,
        }
    }

    /// Whether its prices depend on dimensions.
    pub fn by_dimension(&self) -> bool {
        matches!(self.scheme, Scheme::Matrix { .. })
    }

    /// The rule that rounds each line.
    pub fn rounding(&self) -> Rounding {
        self.rounding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(up_to: Option<u64>) -> Tier {
        let unit = UnitPrice::from_nanos(1).expect("a price");
        Tier {
            up_to,
            unit,
            fee: 0,
        }
    }

    #[test]
    fn unsound_tariffs_are_refused() {
        let schemes = [
            Scheme::Flat { amount: -1 },
            Scheme::Package { size: 0, amount: 5 },
            Scheme::Package {
                size: 5,
                amount: -5,
            },
            Scheme::Graduated { tiers: vec![] },
            Scheme::Graduated {
                tiers: vec![tier(Some(5))],
            },
            Scheme::Volume {
                tiers: vec![tier(None), tier(None)],
            },
            Scheme::Volume {
                tiers: vec![tier(Some(5)), tier(Some(5)), tier(None)],
            },
            Scheme::Volume {
                tiers: vec![tier(Some(0)), tier(None)],
            },
        ];
        for scheme in schemes {
            let refused = Tariff::new(Currency::EUR, scheme.clone()).map_err(|e| e.code());
            assert_eq!(refused, Err("tariff_invalid"), "{scheme:?}");
        }
        let flat = Tariff::new(Currency::EUR, Scheme::Flat { amount: 1 }).expect("sound");
        for (minimum, maximum) in [(Some(2), Some(1)), (Some(-1), None), (None, Some(-1))] {
            assert!(flat.clone().with_bounds(minimum, maximum).is_err());
        }
    }
}
