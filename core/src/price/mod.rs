//! Tariffs, and the promise that the lines of a bill add up to its total.
//!
//! Pure: a tariff and a quantity go in, lines and a total come out, so that a product can show its
//! user what they will pay before they pay it, with the arithmetic the server bills by.
//!
//! A price below a minor unit is a [`UnitPrice`]: an integer number of 10⁻⁹ minor units. That
//! gives a euro eleven digits after the point (a token at 0.0375 EUR a million is exact) and still
//! reaches nine thousand million minor units a unit. Amounts are worked out in 128 bits at that
//! scale and rounded once a line, by the tariff's own [`Rounding`].
//!
//! Invariants
//! * A [`Tariff`] that exists is sound: tiers rise and the last has no end, nothing is negative,
//!   the minimum is at most the maximum.
//! * The lines of a [`Rated`] add up to its total, and the quantities of its free and usage lines
//!   add up to the quantity rated.
//! * No floating point, and no overflow that isn't `money_overflow`.
//! * The text form of a tariff reads back as the same tariff.

#![deny(clippy::float_arithmetic)]

mod rate;
mod text;
mod unit;

pub use rate::{Line, LineKind, Rated, rate};
pub use unit::{Rounding, UnitPrice, parse_amount};

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

fn check_tiers(tiers: &[Tier]) -> Result<()> {
    let Some((last, earlier)) = tiers.split_last() else {
        return Err(invalid("a tiered tariff needs at least one tier"));
    };
    if tiers.len() > MAX_TIERS {
        return Err(invalid(format!("a tariff has at most {MAX_TIERS} tiers")));
    }
    if last.up_to.is_some() {
        return Err(invalid("the last tier can't end: write it as *"));
    }
    let mut reached = 0;
    for tier in earlier {
        match tier.up_to {
            Some(up_to) if up_to > reached => reached = up_to,
            _ => return Err(invalid("every tier must end after the one before it")),
        }
    }
    tiers
        .iter()
        .try_for_each(|tier| check_amount("a tier's fee", tier.fee))
}

impl Tariff {
    /// A tariff without free units or bounds, rounding halves to even; `tariff_invalid` says what
    /// is wrong with a scheme that can't be.
    pub fn new(currency: Currency, scheme: Scheme) -> Result<Self> {
        match &scheme {
            Scheme::Flat { amount } => check_amount("a flat amount", *amount)?,
            Scheme::PerUnit { .. } => {}
            Scheme::Graduated { tiers } | Scheme::Volume { tiers } => check_tiers(tiers)?,
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
        check_amount("the minimum", minimum.unwrap_or(0))?;
        check_amount("the maximum", maximum.unwrap_or(0))?;
        if let (Some(minimum), Some(maximum)) = (minimum, maximum)
            && minimum > maximum
        {
            return Err(invalid("the minimum is above the maximum"));
        }
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
