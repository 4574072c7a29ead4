//! Exact decimals of twelve digits behind the point: what events count. No floats anywhere.

use std::fmt;
use std::str::FromStr;

/// Digits behind the point.
const SCALE: i32 = 12;
const ONE: i128 = 1_000_000_000_000;
/// Digits that a written number may have in all.
const MAX_DIGITS: usize = 38;
/// Most units that one event may bring, either way: a hundred million such events fit in a sum.
const MAX_UNITS: i128 = 1_000_000_000_000_000_000;

/// A number with twelve exact digits behind the point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// The text is no number, or no number that anybody counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no number between -10^18 and 10^18")]
pub struct NotDecimal;

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// From units of 10^-12.
    pub const fn from_raw(raw: i128) -> Self {
        Self(raw)
    }

    /// In units of 10^-12.
    pub const fn raw(self) -> i128 {
        self.0
    }

    /// A whole number.
    pub const fn whole(units: i64) -> Self {
        Self(units as i128 * ONE)
    }

    /// The sum, unless it is too large to hold.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The whole part, rounded down.
    pub const fn floor(self) -> i128 {
        self.0.div_euclid(ONE)
    }

    /// Divided by a positive number, half to even.
    pub const fn divided(self, by: i128) -> Option<Self> {
        match divide_half_even(self.0, by) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }
}

/// Rounds half to even; `None` unless `by` is positive.
pub const fn divide_half_even(value: i128, by: i128) -> Option<i128> {
    if by <= 0 {
        return None;
    }
    let (quotient, rest) = (value.div_euclid(by), value.rem_euclid(by));
    // The rest lies between nothing and `by`, so that the difference can't overflow.
    let above = by - rest;
    let up = rest > above || (rest == above && quotient % 2 != 0);
    Some(if up { quotient + 1 } else { quotient })
}

impl FromStr for Decimal {
    type Err = NotDecimal;

    /// Reads what JSON writes: a sign, digits, a point, an exponent. Digits past the twelfth
    /// behind the point are rounded half to even.
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| NotDecimal)?),
            None => (text, 0_i32),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let written = whole.len() + part.len();
        let all_digits = whole
            .bytes()
            .chain(part.bytes())
            .all(|b| b.is_ascii_digit());
        if written == 0 || written > 400 || !all_digits || !(-400..=400).contains(&exponent) {
            return Err(NotDecimal);
        }
        let significant: String = [whole, part].concat();
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(Self::ZERO);
        }
        if significant.len() > MAX_DIGITS {
            return Err(NotDecimal);
        }
        let mantissa: i128 = significant.parse().map_err(|_| NotDecimal)?;
        let places = i32::try_from(part.len()).map_err(|_| NotDecimal)?;
        let raw = scale(mantissa, exponent - places + SCALE).ok_or(NotDecimal)?;
        if raw > MAX_UNITS * ONE {
            return Err(NotDecimal);
        }
        Ok(Self(if negative { -raw } else { raw }))
    }
}

/// `mantissa` × 10^`power`, half to even.
fn scale(mantissa: i128, power: i32) -> Option<i128> {
    let ten = 10_i128.checked_pow(power.unsigned_abs());
    match (power >= 0, ten) {
        (true, Some(ten)) => mantissa.checked_mul(ten),
        (true, None) => None,
        (false, Some(ten)) => divide_half_even(mantissa, ten),
        // 10^39 and more: nothing of it is left.
        (false, None) => Some(0),
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.0.unsigned_abs();
        let one = ONE.unsigned_abs();
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{}", size / one)?;
        let part = format!("{:012}", size % one);
        match part.trim_end_matches('0') {
            "" => Ok(()),
            digits => write!(f, ".{digits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        text.parse::<Decimal>()
            .map_or_else(|_| "no".to_owned(), |value| value.to_string())
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("9007199254740993", "9007199254740993"),
            ("900719925474099.3", "900719925474099.3"),
            ("1e3", "1000"),
            ("-1.5E-3", "-0.0015"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.3"),
            ("0.0000000000005", "0"),
            ("0.0000000000015", "0.000000000002"),
            ("1e-300", "0"),
            ("1e18", "1000000000000000000"),
            ("1e19", "no"),
            ("1000000000000000000.000000000001", "no"),
            ("1e400", "no"),
            ("NaN", "no"),
            ("Infinity", "no"),
            ("", "no"),
            (".", "no"),
            ("1.2.3", "no"),
            ("0x10", "no"),
            ("1 ", "no"),
            ("+7", "7"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read(&"9".repeat(500)), "no");
        assert_eq!(Decimal::whole(-7).divided(2), "-3.5".parse().ok());
        assert_eq!("-0.5".parse::<Decimal>().map(Decimal::floor), Ok(-1));
    }

    #[test]
    fn sums_beyond_a_double_stay_exact() {
        let most: Decimal = "999999999999999.000000000001".parse().expect("a number");
        let mut sum = Decimal::ZERO;
        for _ in 0..1000 {
            sum = sum.checked_add(most).expect("fits");
        }
        assert_eq!(sum.to_string(), "999999999999999000.000000001");
        assert_eq!(Decimal(i128::MAX).checked_add(Decimal(1)), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(raw in -(MAX_UNITS * ONE)..=MAX_UNITS * ONE) {
            let value = Decimal(raw);
            prop_assert_eq!(value.to_string().parse::<Decimal>(), Ok(value));
        }

        #[test]
        fn halves_go_to_even(value in any::<i64>(), by in 1_i128..1000) {
            let value = i128::from(value);
            let rounded = divide_half_even(value, by).expect("positive");
            let twice = (rounded * by - value) * 2;
            prop_assert!(twice.abs() <= by);
            prop_assert!(twice.abs() < by || rounded % 2 == 0);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            std::hint::black_box(text.parse::<Decimal>()).ok();
        }
    }
}
