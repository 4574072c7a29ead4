//! Quotas: how much of a meter may be used in which window, decided with one word.
//!
//! An allowance is a single 64-bit word: the window's number in the upper 24 bits, the units
//! already used in it in the lower 40. Deciding is one compare-and-swap, so that a killed process
//! can leave no half-made decision. Windows open only forward: a clock that is set back keeps
//! spending the latest window that was ever opened.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::time::Timestamp;

const USED_BITS: u32 = 40;
const USED_MASK: u64 = (1 << USED_BITS) - 1;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-01 was a Thursday; ISO weeks begin on the Monday three days before.
const MONDAY_OFFSET_MS: i64 = 3 * DAY_MS;

/// The largest limit a quota may have: 2^40 − 1 units in one window.
pub const MAX_LIMIT: u64 = USED_MASK;

/// The stretch of time a quota's limit is for. Calendar windows are in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
}

impl Window {
    /// Every window, in the order of their codes.
    pub const ALL: [Self; 5] = [
        Self::Lifetime,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
    ];

    /// The number that stands for this window in documents and cell keys.
    pub const fn code(self) -> u8 {
        match self {
            Self::Lifetime => 0,
            Self::Hour => 1,
            Self::Day => 2,
            Self::Week => 3,
            Self::Month => 4,
        }
    }

    /// The window with this number, if this version knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.code() == code)
    }

    /// `lifetime`, `hour`, `day`, `week` or `month`: as in `--quota renders=500/month`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifetime => "lifetime",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Reads [`name`](Self::name).
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|window| window.name() == name)
            .ok_or_else(|| {
                Error::new(
                    "window_unknown",
                    format!("{name:?} is no window: use lifetime, hour, day, week or month"),
                )
            })
    }

    /// The number of the window that holds `at`, and the instant it ends (none for lifetime).
    ///
    /// Instants before 1970 fall into window 0, those past what 24 bits hold into the last one.
    pub fn at(self, at: Timestamp) -> (u32, Option<Timestamp>) {
        let number = self.number(at);
        (number, self.end_of(number))
    }

    fn number(self, at: Timestamp) -> u32 {
        let ms = at.ms().max(0);
        let number = match self {
            Self::Lifetime => 0,
            Self::Hour => ms / HOUR_MS,
            Self::Day => ms / DAY_MS,
            Self::Week => (ms + MONDAY_OFFSET_MS) / WEEK_MS,
            Self::Month => month_of_day(ms / DAY_MS),
        };
        u32::try_from(number).unwrap_or(u32::MAX).min((1 << 24) - 1)
    }

    /// The instant window `number` ends.
    fn end_of(self, number: u32) -> Option<Timestamp> {
        let next = i64::from(number) + 1;
        let ms = match self {
            Self::Lifetime => return None,
            Self::Hour => next * HOUR_MS,
            Self::Day => next * DAY_MS,
            Self::Week => next * WEEK_MS - MONDAY_OFFSET_MS,
            Self::Month => first_day_of_month(next) * DAY_MS,
        };
        Some(Timestamp::from_ms(ms))
    }
}

/// Months since January 1970 of a day counted from 1970-01-01 (proleptic Gregorian).
fn month_of_day(day: i64) -> i64 {
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
fn first_day_of_month(month: i64) -> i64 {
    let march_based = month - 2 + 1970 * 12;
    let (year, of_year) = (march_based.div_euclid(12), march_based.rem_euclid(12));
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let days = (153 * of_year + 2) / 5 + of_era * 365 + of_era / 4 - of_era / 100;
    era * 146_097 + days - 719_468
}

/// So many units of a meter in each window; never more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u64,
    window: Window,
}

impl Quota {
    /// `limit` units in each `window`; a limit over [`MAX_LIMIT`] is refused.
    pub fn new(limit: u64, window: Window) -> Result<Self> {
        if limit > MAX_LIMIT {
            return Err(Error::new(
                "quota_too_large",
                format!("a quota is at most {MAX_LIMIT} units in a window, not {limit}"),
            ));
        }
        Ok(Self { limit, window })
    }

    /// Units in one window.
    pub const fn limit(self) -> u64 {
        self.limit
    }

    /// The window the limit is for.
    pub const fn window(self) -> Window {
        self.window
    }

    /// Takes `n` units from the allowance in `word`, all or none, at the instant `now`.
    ///
    /// Any number of threads, and processes that share the word, may call this at once: together
    /// they are granted exactly the limit.
    pub fn take(self, word: &AtomicU64, n: u64, now: Timestamp) -> Decision {
        let current = self.window.number(now);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (number, used) = self.position(seen, current);
            let Some(after) = used.checked_add(n).filter(|&after| after <= self.limit) else {
                return Decision::Refused {
                    reason: Refusal::QuotaSpent {
                        remaining: self.limit.saturating_sub(used),
                    },
                    resets_at: self.window.end_of(number),
                };
            };
            let next = pack(number, after);
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    return Decision::Granted {
                        remaining: Some(self.limit - after),
                        resets_at: self.window.end_of(number),
                    };
                }
                Err(other) => seen = other,
            }
        }
    }

    /// Gives `n` units back, if the window they came from is still the open one.
    pub fn give_back(self, word: &AtomicU64, n: u64, now: Timestamp) {
        let current = self.window.number(now);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (number, used) = unpack(seen);
            if number < current {
                return;
            }
            let next = pack(number, used.saturating_sub(n));
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// What is left at `now`, without taking anything.
    pub fn remaining(self, word: &AtomicU64, now: Timestamp) -> u64 {
        let current = self.window.number(now);
        let (_, used) = self.position(word.load(Ordering::Acquire), current);
        self.limit.saturating_sub(used)
    }

    fn position(self, word: u64, current: u32) -> (u32, u64) {
        let (number, used) = unpack(word);
        if current > number {
            (current, 0)
        } else {
            (number, used)
        }
    }
}

/// The allowance word of a window's number and the units used in it.
pub(crate) const fn pack(window: u32, used: u64) -> u64 {
    ((window as u64) << USED_BITS) | (used & USED_MASK)
}

pub(crate) const fn unpack(word: u64) -> (u32, u64) {
    ((word >> USED_BITS) as u32, word & USED_MASK)
}

/// The answer to "may I use `n` units?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes, and they are counted.
    Granted {
        /// Units left in the window; `None` when the license sets no limit for this meter.
        remaining: Option<u64>,
        /// When the window ends and the units come back; `None` for lifetime or no limit.
        resets_at: Option<Timestamp>,
    },
    /// No, and nothing was counted.
    Refused {
        /// Why not.
        reason: Refusal,
        /// When asking again may help; `None` when time alone will not.
        resets_at: Option<Timestamp>,
    },
}

impl Decision {
    /// Whether the units were granted.
    pub const fn granted(&self) -> bool {
        matches!(self, Self::Granted { .. })
    }
}

/// Why units were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The window holds fewer units than were asked for.
    QuotaSpent {
        /// Units that are still left.
        remaining: u64,
    },
    /// No license in force allows it; the verdict's own stable code says why.
    License {
        /// The verdict's stable code.
        code: &'static str,
    },
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::QuotaSpent { .. } => "quota_spent",
            Self::License { code } => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text_ms: i64) -> Timestamp {
        Timestamp::from_ms(text_ms)
    }

    #[test]
    fn calendar_windows_end_where_a_calendar_says() {
        // 2026-11-22T22:30:00Z, a Sunday.
        let now = at(1_795_386_600_000);
        let ends = |window: Window| window.at(now).1.map(Timestamp::secs);
        assert_eq!(ends(Window::Hour), Some(1_795_388_400));
        assert_eq!(ends(Window::Day), Some(1_795_392_000));
        assert_eq!(
            ends(Window::Week),
            Some(1_795_392_000),
            "Sunday's midnight begins a Monday"
        );
        assert_eq!(ends(Window::Month), Some(1_796_083_200), "2026-12-01");
        assert_eq!(ends(Window::Lifetime), None);
        assert_eq!(Window::Month.at(now).0, 56 * 12 + 10);
    }

    #[test]
    fn a_clock_set_back_opens_no_earlier_window() {
        let quota = Quota::new(5, Window::Hour).unwrap();
        let word = AtomicU64::new(0);
        let late = at(100 * HOUR_MS);
        assert!(quota.take(&word, 5, late).granted());
        let early = at(7 * HOUR_MS);
        let refused = quota.take(&word, 1, early);
        assert_eq!(
            refused,
            Decision::Refused {
                reason: Refusal::QuotaSpent { remaining: 0 },
                resets_at: Some(at(101 * HOUR_MS)),
            }
        );
        assert!(quota.take(&word, 1, at(101 * HOUR_MS)).granted());
    }

    #[test]
    fn a_lowered_limit_refuses_and_a_raised_one_continues() {
        let word = AtomicU64::new(0);
        let now = at(0);
        assert!(
            Quota::new(10, Window::Lifetime)
                .unwrap()
                .take(&word, 8, now)
                .granted()
        );
        assert!(
            !Quota::new(5, Window::Lifetime)
                .unwrap()
                .take(&word, 1, now)
                .granted()
        );
        assert_eq!(
            Quota::new(12, Window::Lifetime)
                .unwrap()
                .remaining(&word, now),
            4
        );
        let huge = Quota::new(MAX_LIMIT, Window::Lifetime).unwrap();
        assert!(!huge.take(&word, u64::MAX, now).granted(), "no overflow");
        assert_eq!(
            Quota::new(MAX_LIMIT + 1, Window::Day).unwrap_err().code(),
            "quota_too_large"
        );
    }

    #[test]
    fn threads_are_granted_exactly_the_limit() {
        let quota = Quota::new(1_000, Window::Lifetime).unwrap();
        let word = AtomicU64::new(0);
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        if quota.take(&word, 1, at(0)).granted() {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(granted.into_inner(), 1_000);
    }

    /// The negative control of the race test: deciding and writing apart grants too much.
    #[test]
    fn a_check_apart_from_its_write_would_be_caught() {
        let word = AtomicU64::new(0);
        let granted = AtomicU64::new(0);
        let barrier = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let seen = word.load(Ordering::SeqCst);
                    barrier.wait();
                    if seen < 1 {
                        word.store(seen + 1, Ordering::SeqCst);
                        granted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(
            granted.into_inner() > 1,
            "the race that `take` must not have"
        );
    }

    proptest! {
        #[test]
        fn every_window_holds_its_instant(ms in 0i64..4_000_000_000_000) {
            for window in Window::ALL {
                let (number, end) = window.at(at(ms));
                prop_assert_eq!(end, window.end_of(number));
                if let Some(end) = end {
                    prop_assert!(end > at(ms));
                    prop_assert_eq!(window.at(end).0, number + 1);
                    prop_assert_eq!(window.at(end.plus_ms(-1)).0, number);
                }
            }
        }

        #[test]
        fn months_are_inverse(month in 0i64..30_000) {
            let first = first_day_of_month(month);
            prop_assert_eq!(month_of_day(first), month);
            prop_assert_eq!(month_of_day(first - 1), month - 1);
        }
    }
}
