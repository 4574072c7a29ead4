//! Prices of one unit, percentages, the rules that round, and decimal text.

use crate::error::{Error, Result};
use crate::money::{Currency, div_half_even};
use std::fmt;

/// How many [`UnitPrice`] steps make one minor unit.
pub(super) const NANOS: i128 = 1_000_000_000;

/// Digits of a minor unit that a [`UnitPrice`] holds.
const NANO_DIGITS: u8 = 9;

/// What one unit costs: an integer number of 10⁻⁹ minor units, never below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(i64);

impl UnitPrice {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From 10⁻⁹ minor units, as stored; `tariff_invalid` below zero.
    pub fn from_nanos(nanos: i64) -> Result<Self> {
        if nanos < 0 {
            return Err(super::invalid("a unit's price can't be below zero"));
        }
        Ok(Self(nanos))
    }

    /// In 10⁻⁹ minor units.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Reads decimal text in the currency's major unit: `0.0004` of a euro.
    pub fn parse(text: &str, currency: Currency) -> Result<Self> {
        parse_decimal(text, currency.exponent() + NANO_DIGITS).map(Self)
    }

    /// Decimal text in the major unit, at least the currency's own digits: `0.0004`, `1.50`.
    pub fn to_text(self, currency: Currency) -> String {
        let digits = decimal(self.0, currency.exponent() + NANO_DIGITS);
        let shortest = digits.len() - usize::from(NANO_DIGITS);
        let mut end = digits.len();
        while end > shortest && digits.as_bytes()[end - 1] == b'0' {
            end -= 1;
        }
        digits[..end].trim_end_matches('.').to_owned()
    }
}

/// Digits of a percent that a [`Percent`] holds: it counts 10⁻⁹ of the whole.
const PERCENT_DIGITS: u8 = 7;

/// A part of an amount: an integer number of 10⁻⁹ of it, so that `2.9%` is 29 000 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(i64);

impl Percent {
    /// From 10⁻⁹ of the whole; `tariff_invalid` below zero or above ten times the whole.
    pub fn from_nanos(nanos: i64) -> Result<Self> {
        if !(0..=10 * NANOS as i64).contains(&nanos) {
            return Err(super::invalid("a percentage lies between 0% and 1000%"));
        }
        Ok(Self(nanos))
    }

    /// In 10⁻⁹ of the whole.
    pub fn nanos(self) -> i64 {
        self.0
    }

    /// Reads `2.9%`.
    pub fn parse(text: &str) -> Result<Self> {
        let number = text
            .strip_suffix('%')
            .ok_or_else(|| super::invalid(format!("{text:?} is no percentage, such as 2.9%")))?;
        Self::from_nanos(parse_decimal(number, PERCENT_DIGITS)?)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = decimal(self.0, PERCENT_DIGITS);
        let shortest = digits.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{shortest}%")
    }
}

/// Reads an amount of `currency` written in its major unit, `12.30`, as minor units.
///
/// Digits and one point only; `amount_malformed` for signs, spaces, too many digits after the
/// point, or more than 64 bits hold.
pub fn parse_amount(text: &str, currency: Currency) -> Result<i64> {
    parse_decimal(text, currency.exponent())
}

/// Minor units as text in the major unit.
pub(super) fn amount_text(minor: i64, currency: Currency) -> String {
    decimal(minor, currency.exponent())
}

pub(super) fn parse_decimal<T: std::str::FromStr>(text: &str, digits: u8) -> Result<T> {
    let malformed = || {
        let detail = format!("{text:?} is no amount with at most {digits} digits after the point");
        Error::new("amount_malformed", detail)
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = usize::from(digits);
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = if fraction.len() > digits {
        let (kept, spare) = fraction.split_at_checked(digits).ok_or_else(malformed)?;
        if spare.bytes().any(|byte| byte != b'0') {
            return Err(malformed());
        }
        kept
    } else {
        fraction
    };
    if !plain(whole) || !(plain(fraction) || digits == 0) {
        return Err(malformed());
    }
    format!("{whole}{fraction:0<digits$}")
        .parse()
        .map_err(|_| malformed())
}

fn decimal(value: i64, digits: u8) -> String {
    let digits = usize::from(digits);
    let text = format!("{:0>width$}", value.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{whole}{point}{fraction}")
}

/// How a line's exact amount becomes minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; halves to the even one. The default.
    HalfEven,
    /// To the nearest; halves up, as most invoices do.
    HalfUp,
    /// Towards zero: the customer's favour.
    Down,
    /// To the next minor unit.
    Up,
}

impl Rounding {
    /// Every rule, with the name it has in text.
    pub const ALL: [(Rounding, &'static str); 4] = [
        (Rounding::HalfEven, "half_even"),
        (Rounding::HalfUp, "half_up"),
        (Rounding::Down, "down"),
        (Rounding::Up, "up"),
    ];

    /// Its name in text.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(rule, _)| *rule == self);
        known.map_or("half_even", |(_, name)| name)
    }

    /// `value`, which is not below zero, divided by `divisor`, which is above it.
    pub(super) fn divide(self, value: i128, divisor: i128) -> i128 {
        let (whole, rest) = (value / divisor, value % divisor);
        match self {
            Self::HalfEven => div_half_even(value, divisor),
            Self::HalfUp => whole + i128::from(rest >= divisor - rest),
            Self::Down => whole,
            Self::Up => whole + i128::from(rest > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        let euro = Currency::EUR;
        for (text, minor) in [("12.30", 1230), ("12", 1200), ("0.5", 50), ("1.000", 100)] {
            assert_eq!(parse_amount(text, euro), Ok(minor), "{text}");
        }
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1,5",
            " 1",
            "1.001",
            "1e3",
            "0.0é",
            "99999999999999999999",
            "92233720368547758.08",
        ] {
            let refused = parse_amount(bad, euro).map_err(|e| e.code());
            assert_eq!(refused, Err("amount_malformed"), "{bad}");
        }
        assert_eq!(parse_amount("500", Currency::JPY), Ok(500));
        assert_eq!(parse_amount("500.0", Currency::JPY), Ok(500));
        assert!(parse_amount("500.5", Currency::JPY).is_err());
    }

    #[test]
    fn unit_prices_reach_below_a_minor_unit() {
        let price = UnitPrice::parse("0.0000000375", Currency::USD).expect("a price");
        assert_eq!(price.nanos(), 3750);
        assert_eq!(price.to_text(Currency::USD), "0.0000000375");
        let dime = UnitPrice::parse("0.10", Currency::USD).expect("a price");
        assert_eq!(dime.to_text(Currency::USD), "0.10");
        let yen = UnitPrice::parse("0.5", Currency::JPY).expect("a price");
        assert_eq!(yen.to_text(Currency::JPY), "0.5");
        let whole = UnitPrice::parse("3", Currency::JPY).expect("a price");
        assert_eq!(whole.to_text(Currency::JPY), "3");
        assert!(UnitPrice::from_nanos(-1).is_err());
    }

    #[test]
    fn each_rule_rounds_as_it_is_named() {
        let half = NANOS / 2;
        for (nanos, even, up_half, down, up) in [
            (0, 0, 0, 0, 0),
            (1, 0, 0, 0, 1),
            (half, 0, 1, 0, 1),
            (half + 1, 1, 1, 0, 1),
            (NANOS, 1, 1, 1, 1),
            (NANOS + half, 2, 2, 1, 2),
        ] {
            let rounded = Rounding::ALL.map(|(rule, _)| rule.divide(nanos, NANOS));
            assert_eq!(rounded, [even, up_half, down, up], "{nanos}");
        }
    }

    #[test]
    fn percentages_are_exact_or_refused() {
        for (text, nanos) in [
            ("2.9%", 29_000_000),
            ("0.0000001%", 1),
            ("100%", 1_000_000_000),
            ("0%", 0),
        ] {
            let percent = Percent::parse(text).expect(text);
            assert_eq!((percent.nanos(), percent.to_string()), (nanos, text.into()));
        }
        for bad in ["2.9", "%", "-1%", "0.00000001%", "1000.1%", "1e2%"] {
            assert!(Percent::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn prices_read_back(nanos in 0_i64..=i64::MAX) {
            for currency in [Currency::EUR, Currency::JPY] {
                let price = UnitPrice::from_nanos(nanos).expect("a price");
                prop_assert_eq!(UnitPrice::parse(&price.to_text(currency), currency), Ok(price));
            }
        }
    }
}
