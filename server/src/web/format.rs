//! Numbers, money and dates as people of a locale write them: the only place that does.

use crate::domains::taxes::places;
use crate::text::{Locale, Translator};
use jiff::tz::TimeZone;
use mintreu::{Money, Timestamp};

const MONTHS: [&str; 12] = [
    "month-1", "month-2", "month-3", "month-4", "month-5", "month-6", "month-7", "month-8",
    "month-9", "month-10", "month-11", "month-12",
];

/// Writes values for one locale. Instants are shown in UTC, and say so where a time is shown.
#[derive(Clone, Copy)]
pub struct Format {
    words: &'static Translator,
}

impl Format {
    /// For the locale of `words`.
    pub fn new(words: &'static Translator) -> Self {
        Self { words }
    }

    /// What groups thousands and what begins the fraction.
    fn marks(self) -> (char, char) {
        match self.words.locale() {
            Locale::English | Locale::Pseudo => (',', '.'),
        }
    }

    /// `1,234,567`.
    pub fn number(self, value: u64) -> String {
        grouped(&value.to_string(), self.marks().0)
    }

    /// As [`Format::number`]; what should never be negative shows its sign when it is.
    pub fn signed(self, value: i64) -> String {
        let sign = if value < 0 { "\u{2212}" } else { "" };
        format!("{sign}{}", self.number(value.unsigned_abs()))
    }

    /// `€1,234.50`; currencies without a sign that everybody knows are written by code.
    pub fn money(self, amount: Money) -> String {
        let currency = amount.currency();
        let exponent = usize::from(currency.exponent());
        let digits = format!(
            "{:0>width$}",
            amount.minor().unsigned_abs(),
            width = exponent + 1
        );
        let (whole, part) = digits.split_at(digits.len() - exponent);
        let (group, point) = self.marks();
        let mut text = String::from(if amount.minor() < 0 { "\u{2212}" } else { "" });
        text.push_str(&sign_of(currency.code()));
        text.push_str(&grouped(whole, group));
        if exponent > 0 {
            text.push(point);
            text.push_str(part);
        }
        text
    }

    /// A price of one unit, in billionths of a minor unit: `€0.0004`, no more digits than needed.
    pub fn unit_price(self, nanos: i64, currency: mintreu::Currency) -> String {
        let places = 9 + usize::from(currency.exponent());
        let digits = format!("{:0>width$}", nanos.unsigned_abs(), width = places + 1);
        let (whole, part) = digits.split_at(digits.len() - places);
        let least = usize::from(currency.exponent());
        let needed = part.trim_end_matches('0').len().max(least);
        let (group, point) = self.marks();
        let sign = if nanos < 0 { "\u{2212}" } else { "" };
        let whole = grouped(whole, group);
        let fraction = match needed {
            0 => String::new(),
            _ => format!("{point}{}", &part[..needed]),
        };
        format!("{sign}{}{whole}{fraction}", sign_of(currency.code()))
    }

    /// The name of a country or a group of them, by its code.
    pub fn place(self, code: &str) -> String {
        let group = match code {
            "AFRICA" => "place-africa",
            "EEA" => "place-eea",
            "EU" => "place-eu",
            "LATIN-AMERICA" => "place-latin-america",
            "SOUTH-ASIA" => "place-south-asia",
            "SOUTHEAST-ASIA" => "place-southeast-asia",
            _ => return self.country(code).to_owned(),
        };
        self.words.say(group)
    }

    /// The names of some, in the order of a list.
    pub fn places(self, codes: &[String]) -> String {
        let names = codes.iter().map(|code| self.place(code));
        names.collect::<Vec<_>>().join(", ")
    }

    /// A country's name by its code; what is no country's code stays as it is.
    pub fn country(self, code: &str) -> &str {
        match self.words.locale() {
            Locale::English | Locale::Pseudo => places::name(code).unwrap_or(code),
        }
    }

    /// `22 November 2026`.
    pub fn date(self, at: Timestamp) -> String {
        let Some(civil) = utc(at) else {
            return at.ms().to_string();
        };
        let month = usize::try_from(civil.month()).unwrap_or(1);
        let month = self.words.say(MONTHS[(month - 1).min(11)]);
        let day = i64::from(civil.day());
        let year = civil.year().to_string();
        let values = [
            ("day", day.into()),
            ("month", month.into()),
            ("year", year.into()),
        ];
        self.words.say_with("date", values)
    }

    /// `22 November 2026, 14:03 UTC`.
    pub fn instant(self, at: Timestamp) -> String {
        let Some(civil) = utc(at) else {
            return at.ms().to_string();
        };
        let time = format!("{:02}:{:02}", civil.hour(), civil.minute());
        let values = [("date", self.date(at).into()), ("time", time.into())];
        self.words.say_with("date-and-time", values)
    }

    /// `2026-11-22`, for machines and narrow columns.
    pub fn day(self, at: Timestamp) -> String {
        utc(at).map_or_else(|| at.ms().to_string(), |civil| civil.date().to_string())
    }
}

/// `2026-11-22T14:03:00Z`, for `datetime=` and feeds.
pub fn rfc3339(at: Timestamp) -> String {
    let instant = jiff::Timestamp::from_millisecond(at.ms());
    instant.map_or_else(|_| String::new(), |instant| format!("{instant:.0}"))
}

fn utc(at: Timestamp) -> Option<jiff::civil::DateTime> {
    let instant = jiff::Timestamp::from_millisecond(at.ms()).ok()?;
    Some(instant.to_zoned(TimeZone::UTC).datetime())
}

fn sign_of(code: &str) -> String {
    match code {
        "EUR" => "€".to_owned(),
        "USD" => "$".to_owned(),
        "GBP" => "£".to_owned(),
        "JPY" => "¥".to_owned(),
        "INR" => "₹".to_owned(),
        "BDT" => "৳".to_owned(),
        other => format!("{other}\u{a0}"),
    }
}

fn grouped(digits: &str, mark: char) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::model::regions;
    use mintreu::Currency;

    fn english() -> Format {
        Format::new(Translator::of(Locale::English))
    }

    #[test]
    fn money_is_written_with_its_sign_and_digits() {
        for (minor, currency, expected) in [
            (123_450, Currency::EUR, "€1,234.50"),
            (-5, Currency::USD, "\u{2212}$0.05"),
            (1_500_000, Currency::JPY, "¥1,500,000"),
            (999, Currency::parse("KWD").unwrap(), "KWD\u{a0}0.999"),
            (
                i64::MIN,
                Currency::JPY,
                "\u{2212}¥9,223,372,036,854,775,808",
            ),
        ] {
            assert_eq!(english().money(Money::new(minor, currency)), expected);
        }
    }

    #[test]
    fn countries_are_called_by_their_names() {
        for (code, name) in [
            ("DE", "Germany"),
            ("CI", "Côte d’Ivoire"),
            ("EU", "the European Union"),
            ("XX", "XX"),
            ("", ""),
        ] {
            assert_eq!(english().place(code), name);
        }
        let codes = ["IN".to_owned(), "LATIN-AMERICA".to_owned()];
        assert_eq!(english().places(&codes), "India, Latin America");
        for (group, _) in regions::GROUPS {
            assert_ne!(english().place(group), *group, "is a code still");
        }
    }

    #[test]
    fn unit_prices_show_the_digits_they_need() {
        for (nanos, expected) in [
            (40_000_000, "€0.0004"),
            (1_000_000_000, "€0.01"),
            (250_000_000_000, "€2.50"),
            (1, "€0.00000000001"),
        ] {
            assert_eq!(english().unit_price(nanos, Currency::EUR), expected);
        }
    }

    #[test]
    fn instants_are_written_in_utc() {
        let at = Timestamp::from_ms(1_795_356_180_000);
        assert_eq!(rfc3339(at), "2026-11-22T14:03:00Z");
        assert_eq!(english().instant(at), "22 November 2026, 14:03 UTC");
        assert_eq!(english().day(at), "2026-11-22");
        assert_eq!(
            english().date(Timestamp::from_ms(i64::MAX)),
            i64::MAX.to_string()
        );
    }
}
