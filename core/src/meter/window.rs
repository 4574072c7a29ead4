//! Windows: the stretches of time that a quota's limit is for.
//!
//! Windows that reset are numbered, and the numbers never fall as time goes by. The arithmetic is
//! pure; a [`Zone`] says where the calendar's days begin.

use super::zone::Zone;
use crate::error::{Error, Result};
use crate::time::Timestamp;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-01 was a Thursday; ISO weeks begin on the Monday three days before.
const MONDAY_OFFSET_MS: i64 = 3 * DAY_MS;
/// The number of a window has 24 bits.
const LAST: i64 = (1 << 24) - 1;
/// The most days, weeks or months in one billing period.
pub const MAX_PERIOD: u16 = 1200;

/// The stretch of time a quota's limit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Window {
    /// Once, for the life of the license.
    Lifetime,
    /// From one full hour to the next.
    Hour,
    /// From midnight to midnight.
    Day,
    /// From Monday 00:00 to Monday 00:00.
    Week,
    /// From the first of a month to the first of the next.
    Month,
    /// From New Year to New Year.
    Year,
    /// From one boundary of a subscription to the next.
    Period(Period),
    /// Any so many seconds: the limit is there at once and comes back evenly, unit by unit.
    Rolling {
        /// In how many seconds the whole limit comes back; at least 1.
        secs: u32,
    },
}

/// Billing periods: so many days, weeks or months each, counted from an anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// What is counted.
    pub unit: PeriodUnit,
    /// How many in each period, from 1 to [`MAX_PERIOD`].
    pub count: u16,
    /// Where the first begins; what is before belongs to the first too.
    pub anchor: Timestamp,
}

/// What billing periods are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PeriodUnit {
    /// Calendar days, which daylight saving makes 23 or 25 hours long.
    Day,
    /// Seven such days.
    Week,
    /// Months from the anchor's day: from the 31st that is the last day of shorter ones.
    Month,
}

/// A window that holds an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its number; later windows have higher ones.
    pub number: u32,
    /// When it ends; never for lifetime and rolling.
    pub ends: Option<Timestamp>,
}

impl Window {
    /// The windows that need nothing but their name, in the order of their codes.
    pub const NAMED: [Self; 6] = [
        Self::Lifetime,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Year,
    ];

    /// The number that stands for this kind of window in documents and cell keys.
    pub const fn code(self) -> u8 {
        match self {
            Self::Lifetime => 0,
            Self::Hour => 1,
            Self::Day => 2,
            Self::Week => 3,
            Self::Month => 4,
            Self::Year => 5,
            Self::Period(period) => match period.unit {
                PeriodUnit::Day => 6,
                PeriodUnit::Week => 7,
                PeriodUnit::Month => 8,
            },
            Self::Rolling { .. } => 9,
        }
    }

    /// `lifetime`, `hour`, `day`, `week`, `month`, `year`, `period` or `rolling`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifetime => "lifetime",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Period(_) => "period",
            Self::Rolling { .. } => "rolling",
        }
    }

    /// Reads the [`name`](Self::name) of a window that needs nothing else.
    pub fn parse(name: &str) -> Result<Self> {
        let named = Self::NAMED.into_iter().find(|window| window.name() == name);
        named.ok_or_else(|| {
            Error::new(
                "window_unknown",
                format!("{name:?} is no window: use lifetime, hour, day, week, month or year"),
            )
        })
    }

    /// The window in UTC that holds `at`.
    pub fn at(self, at: Timestamp) -> Opened {
        self.at_in(at, &Zone::default())
    }

    /// The window that holds `at` where clocks show the time of `zone`.
    ///
    /// Instants before 1970 fall into window 0, those past what 24 bits hold into the last one.
    pub fn at_in(self, at: Timestamp, zone: &Zone) -> Opened {
        let at = at.max(Timestamp::default());
        match self {
            Self::Lifetime | Self::Rolling { .. } => Opened {
                number: 0,
                ends: None,
            },
            Self::Hour => hour(at, zone),
            Self::Period(period) => period.at(at, zone),
            Self::Day | Self::Week | Self::Month | Self::Year => {
                let number = self.number(zone.wall_ms(at).max(0));
                opened(number, zone.instant(self.first_ms(number + 1)))
            }
        }
    }

    /// The number of the calendar's window that holds an instant of the wall clock.
    const fn number(self, ms: i64) -> i64 {
        match self {
            Self::Week => (ms + MONDAY_OFFSET_MS) / WEEK_MS,
            Self::Month => month_of_day(ms / DAY_MS),
            Self::Year => month_of_day(ms / DAY_MS) / 12,
            _ => ms / DAY_MS,
        }
    }

    /// Where on the wall clock the calendar's window `number` begins.
    const fn first_ms(self, number: i64) -> i64 {
        match self {
            Self::Week => number * WEEK_MS - MONDAY_OFFSET_MS,
            Self::Month => first_day_of_month(number) * DAY_MS,
            Self::Year => first_day_of_month(number * 12) * DAY_MS,
            _ => number * DAY_MS,
        }
    }

    /// What tells one allowance of a meter from another: windows whose numbers don't continue
    /// each other have different ones.
    pub(crate) fn cell_key(self, limit: Option<u64>) -> Vec<u8> {
        let mut key = vec![self.code()];
        match self {
            Self::Period(period) => {
                key.extend(period.count.to_be_bytes());
                key.extend(period.anchor.secs().to_be_bytes());
            }
            // The word of a rolling window counts in units, at the limit's own pace.
            Self::Rolling { secs } => {
                key.extend(secs.to_be_bytes());
                key.extend(limit.unwrap_or_default().to_be_bytes());
            }
            _ => {}
        }
        key
    }
}

fn opened(number: i64, ends: Timestamp) -> Opened {
    let number = number.clamp(0, LAST);
    Opened {
        number: u32::try_from(number).unwrap_or_default(),
        ends: Some(ends),
    }
}

/// Hours are those of UTC, moved where clocks differ from it by a part of an hour: an hour that a
/// clock shows twice is two windows.
fn hour(at: Timestamp, zone: &Zone) -> Opened {
    let shift = zone.offset_ms(at).rem_euclid(HOUR_MS);
    let number = (at.ms() + shift) / HOUR_MS;
    opened(number, Timestamp::from_ms((number + 1) * HOUR_MS - shift))
}

impl Period {
    fn at(self, at: Timestamp, zone: &Zone) -> Opened {
        let (anchor, wall) = (zone.wall_ms(self.anchor), zone.wall_ms(at));
        let count = i64::from(self.count.max(1));
        let whole = match self.unit {
            PeriodUnit::Month => {
                month_of_day(wall.div_euclid(DAY_MS)) - month_of_day(anchor.div_euclid(DAY_MS))
            }
            PeriodUnit::Week => (wall - anchor).div_euclid(WEEK_MS),
            PeriodUnit::Day => (wall - anchor).div_euclid(DAY_MS),
        };
        // At most one too many by the calendar, and one more where clocks are put forward.
        let mut number = whole.div_euclid(count) + 1;
        while number > 0 && self.begins(anchor, number, zone) > at {
            number -= 1;
        }
        let number = number.max(0);
        opened(number, self.begins(anchor, number + 1, zone))
    }

    /// Where period `number` begins; each is counted from the anchor, never from the one before.
    fn begins(self, anchor: i64, number: i64, zone: &Zone) -> Timestamp {
        let steps = number * i64::from(self.count.max(1));
        zone.instant(match self.unit {
            PeriodUnit::Day => anchor + steps * DAY_MS,
            PeriodUnit::Week => anchor + steps * WEEK_MS,
            PeriodUnit::Month => plus_months(anchor, steps),
        })
    }
}

/// The same day and time so many months later, or the last day of a month that has no such day.
const fn plus_months(ms: i64, months: i64) -> i64 {
    let day = ms.div_euclid(DAY_MS);
    let month = month_of_day(day);
    let of_month = day - first_day_of_month(month);
    let first = first_day_of_month(month + months);
    let days = first_day_of_month(month + months + 1) - first;
    let of_month = if of_month < days { of_month } else { days - 1 };
    (first + of_month) * DAY_MS + ms.rem_euclid(DAY_MS)
}

/// Months since January 1970 of a day counted from 1970-01-01 (proleptic Gregorian).
const fn month_of_day(day: i64) -> i64 {
    // Counting from 1 March puts the leap day last, so that months have a regular pattern.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    (era * 400 + year - 1970) * 12 + march_month + 2
}

/// The day, counted from 1970-01-01, on which a month counted from January 1970 begins.
const fn first_day_of_month(month: i64) -> i64 {
    let march_based = month - 2 + 1970 * 12;
    let (year, of_year) = (march_based.div_euclid(12), march_based.rem_euclid(12));
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days = (153 * of_year + 2) / 5 + of_era * 365 + of_era / 4 - of_era / 100;
    era * 146_097 + days - 719_468
}

#[cfg(test)]
mod tests;
