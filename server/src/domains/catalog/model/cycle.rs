//! Cycles: how often a recurring price is charged, and how long it pays for.
//!
//! Each cycle is counted from the anchor and never from the one before, so what began on the 31st
//! renews on the last day of shorter months and on the 31st again afterwards. The counting is the
//! engine's own, the one that quotas reset by.

use mintreu::meter::{Period, PeriodUnit, Window, Zone};
use mintreu::{Error, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::str::FromStr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Most units of one cycle.
const MAX_COUNT: u16 = 100;
const MONTHS_A_YEAR: u16 = 12;

/// What cycles are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Calendar days.
    Day,
    /// Seven of them.
    Week,
    /// Calendar months.
    Month,
    /// Twelve of them.
    Year,
}

impl Unit {
    /// Every unit, the shortest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Year];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Reads what [`Unit::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|unit| unit.code() == code)
    }
}

/// So many units. As a text it is `daily`, `weekly`, `monthly`, `yearly`, or `3 months`; read too are
/// `quarterly` and `half_yearly`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cycle {
    unit: Unit,
    count: u16,
}

/// The texts of one unit, in the order of [`Unit::ALL`].
const OF_ONE: [&str; 4] = ["daily", "weekly", "monthly", "yearly"];

/// A text that says no cycle.
#[derive(Debug, thiserror::Error)]
#[error(
    "a period is daily, weekly, monthly, quarterly, half_yearly, yearly, or such as \"3 months\""
)]
pub struct NoCycle;

impl FromStr for Cycle {
    type Err = NoCycle;

    fn from_str(text: &str) -> Result<Self, NoCycle> {
        Self::read(text).ok_or(NoCycle)
    }
}

impl TryFrom<String> for Cycle {
    type Error = NoCycle;

    fn try_from(text: String) -> Result<Self, NoCycle> {
        text.parse()
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut texts = Unit::ALL.iter().zip(OF_ONE);
        match texts.find(|(unit, _)| **unit == self.unit) {
            Some((_, text)) if self.count == 1 => f.write_str(text),
            _ => write!(f, "{} {}s", self.count, self.unit.code()),
        }
    }
}

impl From<Cycle> for String {
    fn from(cycle: Cycle) -> Self {
        cycle.to_string()
    }
}

impl PartialSchema for Cycle {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let pattern = "^(daily|weekly|monthly|quarterly|half_yearly|yearly|[1-9][0-9]{0,2} (day|week|month|year)s?)$";
        let examples = [json!("monthly"), json!("3 months")];
        text.pattern(Some(pattern)).examples(examples).into()
    }
}

impl ToSchema for Cycle {}

impl Cycle {
    /// One month.
    pub const MONTHLY: Self = Self {
        unit: Unit::Month,
        count: 1,
    };
    /// One year.
    pub const YEARLY: Self = Self {
        unit: Unit::Year,
        count: 1,
    };

    /// 1 to 100 units.
    pub fn new(unit: Unit, count: i64) -> Option<Self> {
        let count = u16::try_from(count).ok()?;
        (1..=MAX_COUNT)
            .contains(&count)
            .then_some(Self { unit, count })
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            "quarterly" => return Self::new(Unit::Month, 3),
            "half_yearly" => return Self::new(Unit::Month, 6),
            _ => {}
        }
        if let Some(at) = OF_ONE.iter().position(|known| *known == text) {
            return Self::new(*Unit::ALL.get(at)?, 1);
        }
        let (count, unit) = text.split_once(' ')?;
        Self::new(
            Unit::parse(unit.strip_suffix('s').unwrap_or(unit))?,
            count.parse().ok()?,
        )
    }

    /// What is counted.
    pub const fn unit(self) -> Unit {
        self.unit
    }

    /// How many.
    pub const fn count(self) -> i64 {
        self.count as i64
    }

    /// About how many days it lasts, to compare cycles by; never to charge by.
    pub const fn rough_days(self) -> i64 {
        let days = match self.unit {
            Unit::Day => 1,
            Unit::Week => 7,
            Unit::Month => 30,
            Unit::Year => 365,
        };
        days * self.count as i64
    }

    /// Where the cycle that holds `at` ends, when the first began at `anchor` and clocks show the
    /// time of `zone`.
    pub fn end_after(self, anchor: Timestamp, zone: &Zone, at: Timestamp) -> Timestamp {
        let (unit, count) = match self.unit {
            Unit::Day => (PeriodUnit::Day, self.count),
            Unit::Week => (PeriodUnit::Week, self.count),
            Unit::Month => (PeriodUnit::Month, self.count),
            Unit::Year => (PeriodUnit::Month, self.count * MONTHS_A_YEAR),
        };
        let period = Period {
            unit,
            count,
            anchor,
        };
        let ends = Window::Period(period).at_in(at, zone).ends;
        // A period always ends; only instants beyond what windows are numbered to would not move.
        ends.filter(|end| *end > at)
            .unwrap_or_else(|| at.plus_ms(1))
    }
}

/// The zone of that name; an empty one is UTC.
pub fn zone_named(name: &str) -> Result<Zone, Error> {
    match name {
        "" => Ok(Zone::default()),
        name => Zone::named(name),
    }
}

/// The midnight that ends the day of `at` where clocks show the time of `zone`.
pub fn end_of_day(at: Timestamp, zone: &Zone) -> Timestamp {
    Window::Day.at_in(at, zone).ends.unwrap_or(at)
}

/// How many midnights of `zone` lie after `from` and not after `to`: calendar days, whatever
/// daylight saving makes of their length.
pub fn days_between(from: Timestamp, to: Timestamp, zone: &Zone) -> u64 {
    let day = |at| i64::from(Window::Day.at_in(at, zone).number);
    u64::try_from(day(to) - day(from)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().expect("an instant");
        Timestamp::from_ms(instant.as_millisecond())
    }

    /// The ends of the first cycles from an anchor.
    fn ends(cycle: Cycle, anchor: &str, zone: &str, count: usize) -> Vec<Timestamp> {
        let (anchor, zone) = (at(anchor), zone_named(zone).expect("a zone"));
        let step = |last: &Timestamp| Some(cycle.end_after(anchor, &zone, *last));
        std::iter::successors(Some(anchor), step)
            .skip(1)
            .take(count)
            .collect()
    }

    #[test]
    fn cycles_end_where_the_calendar_says() {
        let cycle = |unit, count| Cycle::new(unit, count).expect("a cycle");
        let table: &[(Cycle, &str, &str, &[&str])] = &[
            // The last day of short months, and the 31st again; 2028 has a 29 February.
            (
                Cycle::MONTHLY,
                "2027-01-31T10:00:00Z",
                "",
                &[
                    "2027-02-28T10:00:00Z",
                    "2027-03-31T10:00:00Z",
                    "2027-04-30T10:00:00Z",
                ],
            ),
            (
                Cycle::MONTHLY,
                "2028-01-31T10:00:00Z",
                "",
                &["2028-02-29T10:00:00Z", "2028-03-31T10:00:00Z"],
            ),
            (
                Cycle::YEARLY,
                "2028-02-29T00:00:00Z",
                "",
                &[
                    "2029-02-28T00:00:00Z",
                    "2030-02-28T00:00:00Z",
                    "2031-02-28T00:00:00Z",
                    "2032-02-29T00:00:00Z",
                ],
            ),
            (
                cycle(Unit::Year, 2),
                "2027-06-15T00:00:00Z",
                "",
                &["2029-06-15T00:00:00Z", "2031-06-15T00:00:00Z"],
            ),
            (
                cycle(Unit::Month, 3),
                "2027-11-30T00:00:00Z",
                "",
                &["2028-02-29T00:00:00Z", "2028-05-30T00:00:00Z"],
            ),
            (
                cycle(Unit::Week, 2),
                "2027-02-20T12:00:00Z",
                "",
                &["2027-03-06T12:00:00Z", "2027-03-20T12:00:00Z"],
            ),
            // 09:00 stays 09:00 where clocks are put forward on 28 March 2027 and back on
            // 31 October.
            (
                Cycle::MONTHLY,
                "2027-02-28T08:00:00Z",
                "Europe/Berlin",
                &["2027-03-28T07:00:00Z", "2027-04-28T07:00:00Z"],
            ),
            (
                cycle(Unit::Day, 1),
                "2027-10-30T07:00:00Z",
                "Europe/Berlin",
                &["2027-10-31T08:00:00Z", "2027-11-01T08:00:00Z"],
            ),
            // The 31st in Tokyo is still the 30th in Greenwich.
            (
                Cycle::MONTHLY,
                "2027-01-30T20:00:00Z",
                "Asia/Tokyo",
                &["2027-02-27T20:00:00Z", "2027-03-30T20:00:00Z"],
            ),
        ];
        for (cycle, anchor, zone, expected) in table {
            let expected: Vec<_> = expected.iter().map(|text| at(text)).collect();
            let found = ends(*cycle, anchor, zone, expected.len());
            assert_eq!(found, expected, "{cycle:?} from {anchor} {zone}");
        }
    }

    #[test]
    fn a_cycle_has_bounds_and_codes_read_back() {
        assert_eq!(Cycle::new(Unit::Day, 0), None);
        assert_eq!(Cycle::new(Unit::Day, 101), None);
        assert_eq!(Cycle::new(Unit::Year, -1), None);
        assert_eq!(Cycle::new(Unit::Year, 100).map(Cycle::count), Some(100));
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.code()), Some(unit));
        }
    }

    #[test]
    fn a_cycle_is_a_text_and_reads_back() {
        for (text, unit, count, canonical) in [
            ("daily", Unit::Day, 1, "daily"),
            ("weekly", Unit::Week, 1, "weekly"),
            ("monthly", Unit::Month, 1, "monthly"),
            ("yearly", Unit::Year, 1, "yearly"),
            ("quarterly", Unit::Month, 3, "3 months"),
            ("half_yearly", Unit::Month, 6, "6 months"),
            ("10 days", Unit::Day, 10, "10 days"),
            ("1 week", Unit::Week, 1, "weekly"),
        ] {
            let cycle: Cycle = text.parse().expect(text);
            assert_eq!((cycle.unit(), cycle.count()), (unit, count), "{text}");
            assert_eq!(cycle.to_string(), canonical);
        }
        for text in [
            "",
            "month",
            "0 days",
            "101 days",
            "-1 weeks",
            "3 fortnights",
            "3  months",
        ] {
            assert!(text.parse::<Cycle>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let berlin = zone_named("Europe/Berlin").expect("a zone");
        let (from, to) = (at("2027-03-27T12:00:00Z"), at("2027-03-29T12:00:00Z"));
        assert_eq!(days_between(from, to, &berlin), 2);
        assert_eq!(end_of_day(from, &berlin), at("2027-03-27T23:00:00Z"));
        assert_eq!(days_between(to, from, &berlin), 0);
    }

    proptest! {
        #[test]
        fn a_later_cycle_ends_later(
            start in 0_i64..4_000_000_000, unit in 0_usize..4, count in 1_i64..=100,
            steps in 1_usize..20,
        ) {
            let cycle = Cycle::new(Unit::ALL[unit], count).expect("a cycle");
            let (anchor, zone) = (Timestamp::from_secs(start), Zone::default());
            let mut last = anchor;
            for _ in 0..steps {
                let end = cycle.end_after(anchor, &zone, last);
                prop_assert!(end > last);
                // Just before its end it is still the same cycle.
                prop_assert_eq!(cycle.end_after(anchor, &zone, end.plus_ms(-1)), end);
                last = end;
            }
        }
    }
}
