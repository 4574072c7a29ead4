//! A tariff as one line of text: what is stored, snapshotted on invoices, and typed by people.
//!
//! ```text
//! tariff  = currency scheme *( "; " option )
//! scheme  = "flat" amount | "per_unit" price | "package" size "=" amount
//!         | ("graduated" | "volume") 1*( (last-unit | "*") "=" price [ "+" fee ] )
//!         | "percentage" percent "%" [ "+" fee ]
//!         | "graduated_percentage" 1*( (last | "*") "=" percent "%" [ "+" fee ] )
//!         | "matrix" *( dimension "=" value *( "," dimension "=" value ) ":" price ) "*:" price
//! option  = "free" units | "min" amount | "max" amount | "round" rule
//!         | "free_transactions" count | "each_min" amount | "each_max" amount  (of a percentage)
//!         | "amounts" ("major" | "minor")                        (of both kinds of percentage)
//! ```
//!
//! Amounts and prices are decimal, in the currency's major unit. Each option appears at most once.
//! In dimensions and values, bytes other than letters, digits and `-_./@` are written `%XX`.

use super::unit::amount_text;
use super::{
    Amounts, Percent, PercentTier, Percentage, Rounding, Row, Scheme, Tariff, Tier, UnitPrice,
    invalid, parse_amount,
};
use crate::error::{Error, Result};
use crate::money::Currency;
use std::fmt;
use std::str::FromStr;

/// Longest text read, in bytes: room for every tier and row at its longest.
const MAX_TEXT: usize = 128 * 1024;

impl fmt::Display for Tariff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let currency = self.currency;
        write!(f, "{currency} ")?;
        match &self.scheme {
            Scheme::Flat { amount } => write!(f, "flat {}", amount_text(*amount, currency))?,
            Scheme::PerUnit { unit } => write!(f, "per_unit {}", unit.to_text(currency))?,
            Scheme::Graduated { tiers } => write_tiers(f, "graduated", tiers, currency)?,
            Scheme::Volume { tiers } => write_tiers(f, "volume", tiers, currency)?,
            Scheme::Package { size, amount } => {
                write!(f, "package {size}={}", amount_text(*amount, currency))?;
            }
            Scheme::Percentage(by) => {
                write!(f, "percentage {}", by.rate)?;
                write_fee(f, by.fee, currency)?;
            }
            Scheme::GraduatedPercentage { tiers, .. } => {
                f.write_str("graduated_percentage")?;
                for tier in tiers {
                    write_end(f, tier.up_to)?;
                    write!(f, "{}", tier.rate)?;
                    write_fee(f, tier.fee, currency)?;
                }
            }
            Scheme::Matrix { rows } => {
                f.write_str("matrix")?;
                for row in rows {
                    write!(f, " {}:{}", row.label(), row.unit.to_text(currency))?;
                }
            }
        }
        if self.free_units > 0 {
            write!(f, "; free {}", self.free_units)?;
        }
        for (name, bound) in [("min", self.minimum), ("max", self.maximum)] {
            if let Some(minor) = bound {
                write!(f, "; {name} {}", amount_text(minor, currency))?;
            }
        }
        write_percentage(f, &self.scheme, currency)?;
        match self.rounding {
            Rounding::HalfEven => Ok(()),
            rule => write!(f, "; round {}", rule.name()),
        }
    }
}

fn write_tiers(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    tiers: &[Tier],
    currency: Currency,
) -> fmt::Result {
    f.write_str(name)?;
    for tier in tiers {
        write_end(f, tier.up_to)?;
        f.write_str(&tier.unit.to_text(currency))?;
        write_fee(f, tier.fee, currency)?;
    }
    Ok(())
}

fn write_end(f: &mut fmt::Formatter<'_>, up_to: Option<u64>) -> fmt::Result {
    match up_to {
        Some(up_to) => write!(f, " {up_to}="),
        None => f.write_str(" *="),
    }
}

fn write_fee(f: &mut fmt::Formatter<'_>, fee: i64, currency: Currency) -> fmt::Result {
    match fee {
        0 => Ok(()),
        fee => write!(f, "+{}", amount_text(fee, currency)),
    }
}

/// The options that only percentages have.
fn write_percentage(
    f: &mut fmt::Formatter<'_>,
    scheme: &Scheme,
    currency: Currency,
) -> fmt::Result {
    let of = match scheme {
        Scheme::Percentage(by) => {
            if by.free_transactions > 0 {
                write!(f, "; free_transactions {}", by.free_transactions)?;
            }
            for (name, bound) in [("each_min", by.each_min), ("each_max", by.each_max)] {
                if let Some(minor) = bound {
                    write!(f, "; {name} {}", amount_text(minor, currency))?;
                }
            }
            by.of
        }
        Scheme::GraduatedPercentage { of, .. } => *of,
        _ => Amounts::Major,
    };
    match of {
        Amounts::Major => Ok(()),
        Amounts::Minor => f.write_str("; amounts minor"),
    }
}

impl FromStr for Tariff {
    type Err = Error;

    /// Reads the text form; `tariff_invalid`, `amount_malformed` or `currency_unknown` say why not.
    fn from_str(text: &str) -> Result<Self> {
        if text.len() > MAX_TEXT {
            return Err(invalid("the tariff's text is too long"));
        }
        let mut parts = text.split(';').map(str::trim);
        let head = parts.next().unwrap_or_default();
        let mut words = head.split_ascii_whitespace();
        let currency = Currency::parse(words.next().unwrap_or_default())?;
        let name = words.next().unwrap_or_default();
        let mut scheme = parse_scheme(name, &words.collect::<Vec<_>>(), currency)?;
        let mut options = Options::default();
        for part in parts {
            options.read(part, currency)?;
        }
        options.complete(&mut scheme)?;
        let tariff = Tariff::new(currency, scheme)?
            .with_free_units(options.free.unwrap_or(0))
            .with_bounds(options.min, options.max)?;
        Ok(tariff.with_rounding(options.round.unwrap_or(Rounding::HalfEven)))
    }
}

fn parse_scheme(name: &str, words: &[&str], currency: Currency) -> Result<Scheme> {
    match (name, words) {
        ("flat", [amount]) => Ok(Scheme::Flat {
            amount: parse_amount(amount, currency)?,
        }),
        ("per_unit", [price]) => Ok(Scheme::PerUnit {
            unit: UnitPrice::parse(price, currency)?,
        }),
        ("package", [package]) => {
            let (size, amount) = equation(package)?;
            Ok(Scheme::Package {
                size: units(size)?,
                amount: parse_amount(amount, currency)?,
            })
        }
        ("graduated", tiers) => Ok(Scheme::Graduated {
            tiers: parse_tiers(tiers, currency)?,
        }),
        ("volume", tiers) => Ok(Scheme::Volume {
            tiers: parse_tiers(tiers, currency)?,
        }),
        ("percentage", [costs]) => {
            let (rate, fee) = percent_and_fee(costs, currency)?;
            let rate = Percentage::new(rate);
            Ok(Scheme::Percentage(Percentage { fee, ..rate }))
        }
        ("graduated_percentage", tiers) => Ok(Scheme::GraduatedPercentage {
            of: Amounts::Major,
            tiers: parse_percent_tiers(tiers, currency)?,
        }),
        ("matrix", rows) => Ok(Scheme::Matrix {
            rows: parse_rows(rows, currency)?,
        }),
        _ => Err(invalid(format!(
            "{name:?} with {} values is no scheme: expected flat, per_unit, graduated, volume, \
             package, percentage, graduated_percentage or matrix and what it costs",
            words.len()
        ))),
    }
}

fn parse_tiers(words: &[&str], currency: Currency) -> Result<Vec<Tier>> {
    let tier = |word: &&str| {
        let (end, costs) = equation(word)?;
        let (price, fee) = costs.split_once('+').unwrap_or((costs, "0"));
        Ok(Tier {
            up_to: (end != "*").then(|| units(end)).transpose()?,
            unit: UnitPrice::parse(price, currency)?,
            fee: parse_amount(fee, currency)?,
        })
    };
    words.iter().map(tier).collect()
}

fn percent_and_fee(costs: &str, currency: Currency) -> Result<(Percent, i64)> {
    let (percent, fee) = costs.split_once('+').unwrap_or((costs, "0"));
    Ok((Percent::parse(percent)?, parse_amount(fee, currency)?))
}

fn parse_percent_tiers(words: &[&str], currency: Currency) -> Result<Vec<PercentTier>> {
    let tier = |word: &&str| {
        let (end, costs) = equation(word)?;
        let (rate, fee) = percent_and_fee(costs, currency)?;
        let up_to = (end != "*").then(|| units(end)).transpose()?;
        Ok(PercentTier { up_to, rate, fee })
    };
    words.iter().map(tier).collect()
}

fn parse_rows(words: &[&str], currency: Currency) -> Result<Vec<Row>> {
    let row = |word: &&str| {
        let (label, price) = word
            .rsplit_once(':')
            .ok_or_else(|| invalid(format!("expected dimension=value:price in {word:?}")))?;
        Ok(Row {
            when: Row::parse_label(label)?,
            unit: UnitPrice::parse(price, currency)?,
        })
    };
    words.iter().map(row).collect()
}

fn equation(word: &str) -> Result<(&str, &str)> {
    word.split_once('=')
        .ok_or_else(|| invalid(format!("expected units=price in {word:?}")))
}

fn units(text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let units = digits.then(|| text.parse().ok()).flatten();
    units.ok_or_else(|| invalid(format!("{text:?} is no number of units")))
}

#[derive(Default)]
struct Options {
    free: Option<u64>,
    min: Option<i64>,
    max: Option<i64>,
    round: Option<Rounding>,
    free_transactions: Option<u64>,
    each_min: Option<i64>,
    each_max: Option<i64>,
    amounts: Option<Amounts>,
}

impl Options {
    fn read(&mut self, part: &str, currency: Currency) -> Result<()> {
        let (name, value) = part.split_once(' ').unwrap_or((part, ""));
        let value = value.trim();
        let amount = || parse_amount(value, currency);
        let taken = match name {
            "free" => self.free.replace(units(value)?).is_some(),
            "min" => self.min.replace(amount()?).is_some(),
            "max" => self.max.replace(amount()?).is_some(),
            "round" => self.round.replace(rounding(value)?).is_some(),
            "free_transactions" => self.free_transactions.replace(units(value)?).is_some(),
            "each_min" => self.each_min.replace(amount()?).is_some(),
            "each_max" => self.each_max.replace(amount()?).is_some(),
            "amounts" => self.amounts.replace(amounts(value)?).is_some(),
            _ => {
                let detail = format!(
                    "{part:?} is no option: expected free, min, max, round, free_transactions, \
                     each_min, each_max or amounts"
                );
                return Err(invalid(detail));
            }
        };
        match taken {
            true => Err(invalid(format!("{name} is given twice"))),
            false => Ok(()),
        }
    }
}

impl Options {
    /// Gives a percentage its own options; no other scheme has them.
    fn complete(&self, scheme: &mut Scheme) -> Result<()> {
        let by_transaction =
            self.free_transactions.is_some() || self.each_min.is_some() || self.each_max.is_some();
        match scheme {
            Scheme::Percentage(by) => {
                by.of = self.amounts.unwrap_or_default();
                by.free_transactions = self.free_transactions.unwrap_or(0);
                (by.each_min, by.each_max) = (self.each_min, self.each_max);
                Ok(())
            }
            Scheme::GraduatedPercentage { of, .. } if !by_transaction => {
                *of = self.amounts.unwrap_or_default();
                Ok(())
            }
            _ if by_transaction || self.amounts.is_some() => Err(invalid(
                "free_transactions, each_min, each_max and amounts are options of a percentage",
            )),
            _ => Ok(()),
        }
    }
}

fn amounts(name: &str) -> Result<Amounts> {
    match name {
        "major" => Ok(Amounts::Major),
        "minor" => Ok(Amounts::Minor),
        _ => Err(invalid(format!("amounts are major or minor, not {name:?}"))),
    }
}

fn rounding(name: &str) -> Result<Rounding> {
    let known = Rounding::ALL.iter().find(|(_, known)| *known == name);
    known
        .map(|(rule, _)| *rule)
        .ok_or_else(|| invalid(format!("{name:?} is no rounding rule")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::rate;
    use proptest::prelude::*;

    #[test]
    fn text_is_stable() {
        for text in [
            "EUR flat 9.00",
            "USD per_unit 0.0000000375; free 1000000",
            "EUR graduated 1000=0.01 10000=0.005+1.00 *=0.001; min 1.00; max 50.00",
            "JPY volume 100=2 *=1.5; round half_up",
            "EUR package 100=2.50",
            "USD percentage 2.9%+0.30; free_transactions 3; each_min 0.50; each_max 5.00",
            "KWD percentage 0.25%; free 100; min 1.000; amounts minor",
            "EUR graduated_percentage 1000=2% *=1.25%+5.00; round down",
            "USD matrix model=gpt-4,region=eu:0.03 model=gpt-4:0.02 *:0.01; free 10",
            "EUR matrix size=ext%20ra:1.00 *:0.50",
        ] {
            let tariff: Tariff = text.parse().expect(text);
            assert_eq!(tariff.to_string(), text);
        }
    }

    #[test]
    fn bad_text_is_refused_with_a_code() {
        for (text, code) in [
            ("", "currency_unknown"),
            ("EUR", "tariff_invalid"),
            ("XXX flat 1", "currency_unknown"),
            ("EUR flat", "tariff_invalid"),
            ("EUR flat 1 2", "tariff_invalid"),
            ("EUR flat -1", "amount_malformed"),
            ("EUR flat 1; free", "tariff_invalid"),
            ("EUR flat 1; free +5", "tariff_invalid"),
            ("EUR flat 1; free 5; free 6", "tariff_invalid"),
            ("EUR flat 1; tax 5", "tariff_invalid"),
            ("EUR flat 1;", "tariff_invalid"),
            ("EUR flat 1; min 2; max 1", "tariff_invalid"),
            ("EUR graduated", "tariff_invalid"),
            ("EUR graduated 5=1", "tariff_invalid"),
            ("EUR graduated 5=1 4=1 *=1", "tariff_invalid"),
            ("EUR package 5", "tariff_invalid"),
            ("EUR package 0=1", "tariff_invalid"),
            ("EUR per_unit 0.000000000001", "amount_malformed"),
            ("EUR flat 1; round sideways", "tariff_invalid"),
            ("EUR flat 1; each_min 1", "tariff_invalid"),
            ("EUR flat 1; amounts minor", "tariff_invalid"),
            ("EUR percentage 2.9", "tariff_invalid"),
            ("EUR percentage 1001%", "tariff_invalid"),
            (
                "EUR percentage 1%; each_min 2; each_max 1",
                "tariff_invalid",
            ),
            ("EUR percentage 1%; amounts some", "tariff_invalid"),
            ("EUR graduated_percentage 5=1%", "tariff_invalid"),
            (
                "EUR graduated_percentage *=1%; free_transactions 1",
                "tariff_invalid",
            ),
            ("EUR matrix", "tariff_invalid"),
            ("EUR matrix a=1:1", "tariff_invalid"),
            ("EUR matrix *:1 *:1", "tariff_invalid"),
            ("EUR matrix a=1:1 a=1:2 *:1", "tariff_invalid"),
            ("EUR matrix b=1,a=1:1 *:1", "tariff_invalid"),
            ("EUR matrix a=é:1 *:1", "tariff_invalid"),
            ("EUR matrix a=%zz:1 *:1", "tariff_invalid"),
            ("EUR matrix a=1 *:1", "tariff_invalid"),
        ] {
            let refused = text.parse::<Tariff>().map_err(|e| e.code());
            assert_eq!(refused, Err(code), "{text:?}");
        }
        assert!("EUR flat 1; ".repeat(2000).parse::<Tariff>().is_err());
    }

    proptest! {
        #[test]
        fn every_tariff_reads_back(tariff in rate::tests::tariffs()) {
            prop_assert_eq!(tariff.to_string().parse(), Ok(tariff));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,60}", tail in "(EUR (flat|per_unit|volume|package|percentage|matrix) [0-9=+.*:%; a-z]{0,30})?") {
            let _ = text.parse::<Tariff>().map(|tariff| rate::rate(&tariff, u64::MAX));
            let _ = tail.parse::<Tariff>().map(|tariff| rate::rate(&tariff, u64::MAX));
        }
    }
}
