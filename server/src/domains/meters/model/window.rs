//! Windows of time: where minutes, hours, days and months begin in a time zone, and which stored
//! roll-ups cover a stretch. Pure.

use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, Zoned};

/// A minute: what all stretches are whole multiples of.
pub const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;
/// Most windows of one answer.
pub const MAX_WINDOWS: usize = 20_000;
/// The last instant that is asked about: 9999-01-01.
const LAST_MS: i64 = 253_370_764_800_000;

/// How wide stored roll-ups are; all begin in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
}

impl Grain {
    /// From fine to coarse.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// As stored.
    pub const fn number(self) -> i64 {
        match self {
            Self::Minute => 0,
            Self::Hour => 1,
            Self::Day => 2,
        }
    }

    /// Its length in milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Minute => MINUTE_MS,
            Self::Hour => HOUR_MS,
            Self::Day => DAY_MS,
        }
    }

    /// The first instant of the one that holds `at`.
    pub const fn start(self, at: i64) -> i64 {
        at - at.rem_euclid(self.ms())
    }
}

/// How wide the windows of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A minute.
    Minute,
    /// An hour of the clock on the wall.
    Hour,
    /// From midnight to midnight, which is 23 to 25 hours where clocks are changed.
    Day,
    /// From the first to the first.
    Month,
}

impl Step {
    /// Reads `MINUTE`, `hour` and so on.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [
            ("minute", Self::Minute),
            ("hour", Self::Hour),
            ("day", Self::Day),
            ("month", Self::Month),
        ];
        let found = all
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, step)| step)
    }
}

/// A stretch of time: milliseconds, the first within, the last not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first instant.
    pub from: i64,
    /// The instant after the last.
    pub until: i64,
}

impl Span {
    /// What both hold.
    pub fn within(self, other: Self) -> Self {
        let from = self.from.max(other.from);
        Self {
            from,
            until: self.until.min(other.until).max(from),
        }
    }

    /// Milliseconds.
    pub const fn length(self) -> i64 {
        self.until - self.from
    }
}

/// What may be asked about, in whole minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// The name is no time zone's.
    #[error("there is no such time zone; use a name such as Europe/Berlin")]
    UnknownZone,
    /// It ends before it begins, or lies outside the calendar.
    #[error("the stretch of time must begin before it ends")]
    Empty,
    /// More windows than one answer holds.
    #[error("that is more than {MAX_WINDOWS} windows; ask for wider ones or for less time")]
    TooMany,
}

/// A time zone by its IANA name.
pub fn zone(name: &str) -> Result<TimeZone, WindowError> {
    if name.len() > 64 {
        return Err(WindowError::UnknownZone);
    }
    TimeZone::get(name).map_err(|_| WindowError::UnknownZone)
}

/// The windows that touch a stretch, each whole, in order and without gaps.
pub fn windows(step: Step, zone: &TimeZone, asked: Span) -> Result<Vec<Span>, WindowError> {
    if asked.length() <= 0 || asked.from < -LAST_MS || asked.until > LAST_MS {
        return Err(WindowError::Empty);
    }
    let mut found = Vec::new();
    let mut from = floor(step, zone, asked.from).ok_or(WindowError::Empty)?;
    while from < asked.until {
        if found.len() == MAX_WINDOWS {
            return Err(WindowError::TooMany);
        }
        let until = next(step, zone, from).ok_or(WindowError::Empty)?;
        found.push(Span { from, until });
        from = until;
    }
    Ok(found)
}

fn zoned(zone: &TimeZone, at: i64) -> Option<Zoned> {
    let instant = Instant::from_millisecond(at).ok()?;
    Some(instant.to_zoned(zone.clone()))
}

/// The first instant of the window that holds `at`.
fn floor(step: Step, zone: &TimeZone, at: i64) -> Option<i64> {
    let local = zoned(zone, at)?;
    let start = match step {
        Step::Minute => return Some(Grain::Minute.start(at)),
        Step::Hour => {
            let offset = i64::from(local.offset().seconds()) * 1000;
            return Some(Grain::Hour.start(at + offset) - offset);
        }
        Step::Day => local.start_of_day().ok()?,
        Step::Month => local.first_of_month().ok()?.start_of_day().ok()?,
    };
    Some(start.timestamp().as_millisecond())
}

/// The first instant after the window that begins at `from`.
fn next(step: Step, zone: &TimeZone, from: i64) -> Option<i64> {
    let next = match step {
        Step::Minute => from + MINUTE_MS,
        Step::Hour => floor(step, zone, from + HOUR_MS)?,
        Step::Day => {
            let tomorrow = zoned(zone, from)?.date().tomorrow().ok()?;
            tomorrow
                .to_zoned(zone.clone())
                .ok()?
                .timestamp()
                .as_millisecond()
        }
        Step::Month => {
            let last = zoned(zone, from)?.date().last_of_month();
            let first = last.tomorrow().ok()?;
            first
                .to_zoned(zone.clone())
                .ok()?
                .timestamp()
                .as_millisecond()
        }
    };
    // Where clocks are set back by half an hour, an hour could seem to begin again.
    Some(if next > from { next } else { from + HOUR_MS })
}

/// A stretch of one grain's roll-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Which roll-ups.
    pub grain: Grain,
    /// Of this time.
    pub span: Span,
}

/// The fewest roll-ups that cover whole minutes: coarse within, fine at the ends.
pub fn cover(span: Span) -> Vec<Stretch> {
    let mut found = Vec::with_capacity(5);
    let mut at = span.from;
    for grain in [Grain::Minute, Grain::Hour] {
        let coarser = if grain == Grain::Minute {
            Grain::Hour
        } else {
            Grain::Day
        };
        let edge = coarser.start(at + coarser.ms() - 1);
        let until = edge.min(grain.start(span.until)).max(at);
        push(&mut found, grain, at, until);
        at = until;
    }
    for grain in [Grain::Day, Grain::Hour, Grain::Minute] {
        let until = grain.start(span.until).max(at);
        push(&mut found, grain, at, until);
        at = until;
    }
    found
}

/// Appends a stretch, or lengthens the last one.
pub fn push(found: &mut Vec<Stretch>, grain: Grain, from: i64, until: i64) {
    if from >= until {
        return;
    }
    match found.last_mut() {
        Some(last) if last.grain == grain && last.span.until == from => last.span.until = until,
        _ => found.push(Stretch {
            grain,
            span: Span { from, until },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(text: &str) -> i64 {
        let instant: Instant = text.parse().expect("an instant");
        instant.as_millisecond()
    }

    fn hours(step: Step, zone_name: &str, from: &str, until: &str) -> Vec<i64> {
        let asked = Span {
            from: ms(from),
            until: ms(until),
        };
        let found = windows(step, &zone(zone_name).expect("a zone"), asked).expect("windows");
        found.iter().map(|span| span.length() / HOUR_MS).collect()
    }

    #[test]
    fn days_are_as_long_as_clocks_make_them() {
        let spring = ("2027-03-27T23:00:00Z", "2027-03-30T00:00:00Z");
        assert_eq!(
            hours(Step::Day, "Europe/Berlin", spring.0, spring.1),
            [23, 24, 24]
        );
        let autumn = ("2027-10-30T22:00:00Z", "2027-10-31T22:00:00Z");
        assert_eq!(hours(Step::Day, "Europe/Berlin", autumn.0, autumn.1), [25]);
        assert_eq!(hours(Step::Day, "UTC", spring.0, spring.1).len(), 3);
        let months = ("2027-02-10T00:00:00Z", "2027-03-31T21:59:00Z");
        let berlin = hours(Step::Month, "Europe/Berlin", months.0, months.1);
        assert_eq!(berlin, [28 * 24, 31 * 24 - 1]);
        assert_eq!(
            zone("Mars/Olympus").map(drop),
            Err(WindowError::UnknownZone)
        );
    }

    #[test]
    fn hours_begin_where_the_wall_s_clock_does() {
        let asked = Span {
            from: ms("2027-01-01T00:00:00Z"),
            until: ms("2027-01-01T02:00:00Z"),
        };
        let found = windows(Step::Hour, &zone("Asia/Kolkata").expect("a zone"), asked);
        let starts: Vec<_> = found
            .expect("windows")
            .iter()
            .map(|span| span.from)
            .collect();
        assert_eq!(starts[0], ms("2026-12-31T23:30:00Z"));
        assert_eq!(starts.len(), 3);
    }

    #[test]
    fn an_answer_has_an_end() {
        let year = Span {
            from: 0,
            until: 365 * DAY_MS,
        };
        let utc = TimeZone::UTC;
        assert_eq!(windows(Step::Minute, &utc, year), Err(WindowError::TooMany));
        let none = Span { from: 5, until: 5 };
        assert_eq!(windows(Step::Day, &utc, none), Err(WindowError::Empty));
        let beyond = Span {
            from: 0,
            until: i64::MAX,
        };
        assert_eq!(windows(Step::Month, &utc, beyond), Err(WindowError::Empty));
    }

    proptest! {
        #[test]
        fn a_cover_is_whole_and_short(from in -5_000_000_i64..50_000_000, minutes in 0_i64..2_000_000) {
            let span = Span { from: from * MINUTE_MS, until: (from + minutes) * MINUTE_MS };
            let found = cover(span);
            prop_assert!(found.len() <= 5);
            let mut at = span.from;
            for stretch in &found {
                prop_assert_eq!(stretch.span.from, at);
                prop_assert_eq!(stretch.grain.start(at), at);
                prop_assert_eq!(stretch.grain.start(stretch.span.until), stretch.span.until);
                at = stretch.span.until;
            }
            prop_assert_eq!(at, span.until.max(span.from));
            let cells: i64 = found.iter().map(|s| s.span.length() / s.grain.ms()).sum();
            prop_assert!(cells <= minutes / (24 * 60) + 2 * 23 + 2 * 59 + 2);
        }

        #[test]
        fn windows_have_no_gaps(
            from in 0_i64..2_000_000_000,
            length in 1_i64..10_000_000,
            which in 0_usize..5,
            step in prop_oneof![Just(Step::Hour), Just(Step::Day), Just(Step::Month)],
        ) {
            let names = ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"];
            let zone = zone(names[which]).expect("a zone");
            let asked = Span { from: from * 1000, until: (from + length) * 1000 };
            let found = windows(step, &zone, asked).expect("windows");
            prop_assert!(found[0].from <= asked.from && found[0].until > asked.from);
            prop_assert!(found[found.len() - 1].until >= asked.until);
            for pair in found.windows(2) {
                prop_assert_eq!(pair[0].until, pair[1].from);
                prop_assert!(pair[0].length() > 0);
            }
        }
    }
}
