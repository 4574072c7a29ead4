//! How much was used: an exact decimal, never below zero.

use super::unit::{NANOS, parse_decimal};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Digits after the point.
const DIGITS: u8 = 9;

/// The most units: what 64 bits count, so that whole counts always fit.
const MOST: u128 = u64::MAX as u128 * NANOS as u128;

/// An exact decimal with nine digits after the point, from zero to 2⁶⁴ − 1.
///
/// Counts of a device are whole; what a server aggregates (an average, a weighted sum, an amount
/// of money) may not be.
///
/// ```
/// use mintreu::price::Quantity;
///
/// let seats: Quantity = "2.125".parse()?;
/// assert_eq!(seats.nanos(), 2_125_000_000);
/// assert_eq!(Quantity::units(7).to_string(), "7");
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u128);

fn too_large() -> Error {
    Error::new("quantity_too_large", "more units than 64 bits can count")
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Whole units.
    pub const fn units(units: u64) -> Self {
        Self(units as u128 * NANOS as u128)
    }

    /// From 10⁻⁹ units; `quantity_too_large` past 2⁶⁴ − 1 units.
    pub fn from_nanos(nanos: u128) -> Result<Self> {
        match nanos <= MOST {
            true => Ok(Self(nanos)),
            false => Err(too_large()),
        }
    }

    /// In 10⁻⁹ units.
    pub fn nanos(self) -> u128 {
        self.0
    }

    /// Whole units, where it is a whole number.
    pub fn whole(self) -> Option<u64> {
        let nanos = NANOS as u128;
        let whole = self.0.is_multiple_of(nanos).then_some(self.0 / nanos);
        whole.and_then(|units| u64::try_from(units).ok())
    }

    /// Whole units, a begun one counted.
    pub fn ceil(self) -> u64 {
        u64::try_from(self.0.div_ceil(NANOS as u128)).unwrap_or(u64::MAX)
    }

    /// The sum; `quantity_too_large` past 2⁶⁴ − 1 units.
    pub fn checked_add(self, other: Self) -> Result<Self> {
        Self::from_nanos(self.0.saturating_add(other.0))
    }

    /// What is left without `other`, zero where that is more.
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `whole` of `part` as much, a begun 10⁻⁹ cut off; the most there is where that doesn't fit.
    pub fn scaled(self, whole: u64, part: u64) -> Self {
        let scaled = self.0.saturating_mul(u128::from(whole)) / u128::from(part.max(1));
        Self(scaled.min(MOST))
    }

    /// As a factor of exact amounts.
    pub(super) fn factor(self) -> i128 {
        // At most 2⁹⁴, see `MOST`.
        self.0 as i128
    }
}

impl From<u64> for Quantity {
    fn from(units: u64) -> Self {
        Self::units(units)
    }
}

impl fmt::Display for Quantity {
    /// The shortest decimal that reads back: `7`, `0.25`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = NANOS as u128;
        let fraction = format!("{:09}", self.0 % nanos);
        let fraction = fraction.trim_end_matches('0');
        match fraction {
            "" => write!(f, "{}", self.0 / nanos),
            _ => write!(f, "{}.{fraction}", self.0 / nanos),
        }
    }
}

impl FromStr for Quantity {
    type Err = Error;

    /// Reads digits and one point; `quantity_malformed` for anything else.
    fn from_str(text: &str) -> Result<Self> {
        let nanos = parse_decimal::<u128>(text, DIGITS).map_err(|_| {
            let detail =
                format!("{text:?} is no quantity with at most {DIGITS} digits after the point");
            Error::new("quantity_malformed", detail)
        })?;
        Self::from_nanos(nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        for (text, nanos) in [("0", 0), ("1.5", 1_500_000_000), ("0.000000001", 1)] {
            let quantity: Quantity = text.parse().expect(text);
            assert_eq!(
                (quantity.nanos(), quantity.to_string()),
                (nanos, text.into())
            );
        }
        for bad in [
            "",
            "-1",
            "1e3",
            "0.0000000001",
            ".5",
            "1.",
            " 1",
            "18446744073709551616",
        ] {
            assert!(bad.parse::<Quantity>().is_err(), "{bad}");
        }
        let half = Quantity::units(3).scaled(1, 2);
        assert_eq!(half.to_string(), "1.5");
        assert_eq!(
            Quantity::units(u64::MAX).scaled(9, 1).whole(),
            Some(u64::MAX)
        );
        let most = Quantity::units(u64::MAX);
        assert_eq!(most.whole(), Some(u64::MAX));
        let over = most.checked_add(Quantity::units(1)).map_err(|e| e.code());
        assert_eq!(over, Err("quantity_too_large"));
    }

    proptest! {
        #[test]
        fn quantities_read_back(nanos in 0..=MOST) {
            let quantity = Quantity::from_nanos(nanos).expect("fits");
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
            prop_assert!(u128::from(quantity.ceil()) * 1_000_000_000 >= nanos);
        }
    }
}
