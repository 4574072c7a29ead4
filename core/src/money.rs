//! Amounts of money: integer minor units and a currency, with arithmetic that can't go wrong
//! silently.

use crate::error::{Error, Result};
use std::fmt;

/// A currency that Mintreu prices and settles in (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// Codes by exponent (digits after the point), from ISO 4217's list one: what circulates, and the
/// three units of account whose exponent isn't two. MGA and MRU are divided by five in fact, and
/// have two digits on the list. Payment providers deviate in places; their own files say where.
const CURRENCIES: [(u8, &str); 4] = [
    (
        0,
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    ),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN \
     BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL \
     GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK \
     LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO \
     NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE \
     SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES VED \
     WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

impl Currency {
    /// The euro.
    pub const EUR: Currency = Currency {
        code: *b"EUR",
        exponent: 2,
    };
    /// The yen, which has no minor unit.
    pub const JPY: Currency = Currency {
        code: *b"JPY",
        exponent: 0,
    };
    /// The United States dollar.
    pub const USD: Currency = Currency {
        code: *b"USD",
        exponent: 2,
    };

    /// Reads a three-letter code; `currency_unknown` for any other text.
    pub fn parse(text: &str) -> Result<Self> {
        let listed = |codes: &str| codes.split(' ').any(|code| code == text);
        let known = CURRENCIES.iter().find(|(_, codes)| listed(codes));
        match (known, <[u8; 3]>::try_from(text.as_bytes())) {
            (Some((exponent, _)), Ok(code)) => Ok(Self {
                code,
                exponent: *exponent,
            }),
            _ => Err(Error::new(
                "currency_unknown",
                format!("{text:?} is no currency here"),
            )),
        }
    }

    /// The code of every currency, by the alphabet in each count of digits after the point.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        CURRENCIES.iter().flat_map(|(_, codes)| codes.split(' '))
    }

    /// The three-letter code.
    pub fn code(&self) -> &str {
        // The table holds ASCII only, so this never falls back.
        std::str::from_utf8(&self.code).unwrap_or("XXX")
    }

    /// How many digits follow the decimal point.
    pub const fn exponent(&self) -> u8 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in minor units (cents, pence, yen) of one currency. May be negative.
///
/// There is no `+` and no ordering: adding can overflow and currencies don't mix, so both are
/// said at the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

fn overflow() -> Error {
    Error::new("money_overflow", "the amount is too large to hold exactly")
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// The amount in minor units.
    pub const fn minor(&self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    fn same(&self, other: &Money) -> Result<()> {
        if self.currency == other.currency {
            return Ok(());
        }
        let (left, right) = (self.currency, other.currency);
        Err(Error::new(
            "currency_mixed",
            format!("{left} and {right} can't be added"),
        ))
    }

    /// The sum; `currency_mixed` or `money_overflow` otherwise.
    pub fn checked_add(&self, other: Money) -> Result<Money> {
        self.same(&other)?;
        let minor = self.minor.checked_add(other.minor).ok_or_else(overflow)?;
        Ok(Self { minor, ..*self })
    }

    /// The difference; `currency_mixed` or `money_overflow` otherwise.
    pub fn checked_sub(&self, other: Money) -> Result<Money> {
        self.same(&other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or_else(overflow)?;
        Ok(Self { minor, ..*self })
    }

    /// `count` times this amount.
    pub fn checked_mul(&self, count: i64) -> Result<Money> {
        let minor = self.minor.checked_mul(count).ok_or_else(overflow)?;
        Ok(Self { minor, ..*self })
    }

    /// The amount with its sign turned.
    pub fn checked_neg(&self) -> Result<Money> {
        let minor = self.minor.checked_neg().ok_or_else(overflow)?;
        Ok(Self { minor, ..*self })
    }

    /// `basis_points` ten-thousandths of this amount, half to even.
    pub fn basis_points(&self, basis_points: u32) -> Result<Money> {
        let exact = i128::from(self.minor) * i128::from(basis_points);
        let minor = i64::try_from(div_half_even(exact, 10_000)).map_err(|_| overflow())?;
        Ok(Self { minor, ..*self })
    }

    /// Splits by `weights` with the largest remainder, so that the parts add up exactly.
    ///
    /// Left-over units go to the largest fractions, then to the earlier part. `split_weights` when
    /// there is no weight above zero.
    pub fn split(&self, weights: &[u64]) -> Result<Vec<Money>> {
        let total: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
        if total == 0 {
            return Err(Error::new(
                "split_weights",
                "a split needs a weight above zero",
            ));
        }
        let (sign, whole) = (self.minor.signum(), u128::from(self.minor.unsigned_abs()));
        let mut parts = Vec::with_capacity(weights.len());
        let mut fractions = Vec::with_capacity(weights.len());
        let mut given: u128 = 0;
        for (index, &weight) in weights.iter().enumerate() {
            let exact = whole.checked_mul(u128::from(weight)).ok_or_else(overflow)?;
            parts.push(exact / total);
            fractions.push((exact % total, index));
            given += exact / total;
        }
        fractions.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, index) in fractions.iter().take((whole - given) as usize) {
            parts[*index] += 1;
        }
        let signed = |part: u128| i64::try_from(part).map(|part| part * sign);
        parts
            .into_iter()
            .map(|part| {
                Ok(Self {
                    minor: signed(part).map_err(|_| overflow())?,
                    ..*self
                })
            })
            .collect()
    }
}

/// Divides and rounds to the nearest integer, halves to the even one. `divisor` is above zero.
pub const fn div_half_even(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    let double = rest * 2;
    if double > divisor || (double == divisor && quotient % 2 != 0) {
        quotient + 1
    } else {
        quotient
    }
}

impl fmt::Display for Money {
    /// Plain digits and the code, `-12.30 EUR`: for logs and errors. Pages format by locale.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = usize::from(self.currency.exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!(
            "{:0>width$}",
            self.minor.unsigned_abs(),
            width = exponent + 1
        );
        let (whole, cents) = digits.split_at(digits.len() - exponent);
        let point = if exponent == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{cents} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn currencies_do_not_mix_and_overflow_is_an_error() {
        let (euro, yen) = (Money::new(5, Currency::EUR), Money::new(5, Currency::JPY));
        assert_eq!(
            euro.checked_add(yen).map_err(|e| e.code()),
            Err("currency_mixed")
        );
        let most = Money::new(i64::MAX, Currency::EUR);
        assert_eq!(
            most.checked_add(euro).map_err(|e| e.code()),
            Err("money_overflow")
        );
        assert_eq!(
            most.checked_mul(2).map_err(|e| e.code()),
            Err("money_overflow")
        );
    }

    #[test]
    fn halves_go_to_the_even_side() {
        for (value, expected) in [
            (5, 0),
            (15, 2),
            (25, 2),
            (-5, 0),
            (-15, -2),
            (14, 1),
            (16, 2),
        ] {
            assert_eq!(div_half_even(value, 10), expected, "{value}");
        }
    }

    #[test]
    fn amounts_print_with_their_currency_s_digits() {
        assert_eq!(Money::new(-1230, Currency::EUR).to_string(), "-12.30 EUR");
        assert_eq!(Money::new(5, Currency::USD).to_string(), "0.05 USD");
        assert_eq!(Money::new(500, Currency::JPY).to_string(), "500 JPY");
    }

    #[test]
    fn exponents_are_those_of_iso_4217() {
        for (exponent, codes) in [
            (
                0,
                "JPY KRW VND CLP ISK XAF XOF XPF PYG RWF UGX VUV KMF DJF GNF BIF",
            ),
            (2, "EUR USD GBP MGA MRU HUF TWD COP"),
            (3, "BHD IQD JOD KWD LYD OMR TND"),
            (4, "CLF UYW"),
        ] {
            for code in codes.split(' ') {
                let currency = Currency::parse(code).expect(code);
                assert_eq!((currency.code(), currency.exponent()), (code, exponent));
            }
        }
        let mut all: Vec<_> = CURRENCIES
            .iter()
            .flat_map(|(_, codes)| codes.split(' '))
            .collect();
        assert!(all.iter().all(|code| code.len() == 3));
        let listed = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), listed);
        for unknown in ["", "EU", "EUR ", "eur", "XXX", "USD EUR", "XAU"] {
            let refused = Currency::parse(unknown).map_err(|e| e.code());
            assert_eq!(refused, Err("currency_unknown"), "{unknown}");
        }
        let unidad = Currency::parse("CLF").expect("listed");
        assert_eq!(Money::new(123, unidad).to_string(), "0.0123 CLF");
    }

    proptest! {
        #[test]
        fn parts_add_up_to_the_whole(
            minor in -1_000_000_000_i64..1_000_000_000,
            weights in proptest::collection::vec(0_u64..10_000, 1..8),
        ) {
            prop_assume!(weights.iter().any(|&weight| weight > 0));
            let parts = Money::new(minor, Currency::EUR).split(&weights).expect("splits");
            prop_assert_eq!(parts.iter().map(Money::minor).sum::<i64>(), minor);
        }
    }
}
