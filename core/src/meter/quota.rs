//! Quotas: how much of a meter may be used in which window, decided with one word.
//!
//! An allowance is a single 64-bit word: the window's number in the upper 24 bits, the units used
//! in it in the lower 40, less those carried over from the window before. Deciding is one
//! compare-and-swap, so that a killed process can leave no half-made decision. Windows open only
//! forward: a clock that is set back keeps spending the latest window that was ever opened.
//!
//! The word of a rolling window is the instant at which everything that was used will have come
//! back, measured in the units that come back until then (the generic cell rate algorithm). In
//! whole units nothing is ever rounded: at once the limit is there and no unit more.

use std::sync::atomic::{AtomicU64, Ordering};

use super::decision::{Decision, Refusal};
use super::window::{Opened, Window};
use super::zone::Zone;
use crate::error::{Error, Result};
use crate::time::Timestamp;

const USED_BITS: u32 = 40;
const USED_MASK: u64 = (1 << USED_BITS) - 1;
/// What a word can hold of use: one bit of the 40 is the sign.
const MOST_USED: i64 = (1 << (USED_BITS - 1)) - 1;

/// The largest limit a quota may have: 2^39 − 1 units in one window.
pub const MAX_LIMIT: u64 = MOST_USED as u64;
/// The most units a rolling window may bring back in a second, on average.
const MAX_ROLLING: u64 = 1 << 20;

/// So many units of a meter in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: Option<u64>,
    window: Window,
    overage: Overage,
    rollover: Option<Rollover>,
}

/// What happens beyond the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Overage {
    Refused,
    UpTo(u64),
    Unbounded,
}

/// How much of what is left of a window is carried over into the next:
/// `min(most, max(left, least))`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rollover {
    /// So many units at least, whether they are left or not.
    pub least: u64,
    /// So many units at most.
    pub most: u64,
}

impl Rollover {
    const fn of(self, left: u64) -> u64 {
        let least = if left > self.least { left } else { self.least };
        if least < self.most { least } else { self.most }
    }

    /// Units that come along into a window of a quota of `limit` units, when `left` were left of
    /// the last window that was used and `idle` windows that nobody used lie between.
    ///
    /// Windows that nobody used are carried over as a whole, one after the other.
    pub const fn carried(self, limit: u64, left: u64, idle: u32) -> u64 {
        match idle {
            0 => self.of(left),
            _ => {
                let whole = limit.saturating_mul(idle as u64);
                self.of(self.of(left).saturating_add(whole))
            }
        }
    }
}

/// The instant at which a quota is asked, and the window it falls into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub at: Timestamp,
    pub opened: Opened,
    /// Whether a window may be opened now; not while the clock is in doubt.
    pub may_open: bool,
}

/// Units that were taken, and what the window had used before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub window: u32,
    pub units: u64,
    pub before: i64,
    pub after: i64,
    pub resets_at: Option<Timestamp>,
}

/// Why units were not taken: so many are left, and more come at this instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    pub remaining: u64,
    pub resets_at: Option<Timestamp>,
}

/// What a window has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub window: u32,
    /// Units used; negative while units that were carried over are left.
    pub used: i64,
    pub resets_at: Option<Timestamp>,
}

impl Quota {
    /// `limit` units in each `window` and never more; a limit over [`MAX_LIMIT`] is refused, as is
    /// a rolling one of more than 2^20 units a second.
    pub fn new(limit: u64, window: Window) -> Result<Self> {
        let quota = Self {
            limit: Some(limit),
            window,
            overage: Overage::Refused,
            rollover: None,
        };
        quota.checked()
    }

    /// Counts what is used in each `window` and never refuses.
    pub const fn unlimited(window: Window) -> Self {
        Self {
            limit: None,
            window,
            overage: Overage::Unbounded,
            rollover: None,
        }
    }

    /// The same limit, beyond which use is granted and told as overage: up to `cap` units, or
    /// without a bound. A rolling window has no overage.
    pub fn with_overage(mut self, cap: Option<u64>) -> Result<Self> {
        self.overage = cap.map_or(Overage::Unbounded, Overage::UpTo);
        self.checked()
    }

    /// The same limit, with units carried over from window to window.
    pub fn with_rollover(mut self, rollover: Rollover) -> Result<Self> {
        self.rollover = Some(rollover);
        self.checked()
    }

    fn checked(self) -> Result<Self> {
        let most = self.rollover.map_or(0, |rollover| rollover.most);
        if self.limit.unwrap_or(0).max(most) > MAX_LIMIT {
            return Err(Error::new(
                "quota_too_large",
                format!("a quota is at most {MAX_LIMIT} units in a window"),
            ));
        }
        if let Window::Rolling { secs } = self.window {
            let plain = self.overage == Overage::Refused && self.rollover.is_none();
            let pace = u64::from(secs).saturating_mul(MAX_ROLLING);
            if secs == 0 || !plain || self.limit.is_none_or(|limit| limit > pace) {
                return Err(Error::new(
                    "quota_unfit",
                    "a rolling window has a hard limit of at most 2^20 units a second",
                ));
            }
        }
        if matches!(self.window, Window::Period(period) if period.count == 0) {
            return Err(Error::new("quota_unfit", "a billing period is not empty"));
        }
        Ok(self)
    }

    /// Units in one window; `None` when it only counts.
    pub const fn limit(self) -> Option<u64> {
        self.limit
    }

    /// The window the limit is for.
    pub const fn window(self) -> Window {
        self.window
    }

    /// Takes `n` units from the allowance in `word`, all or none, at the instant `now` in UTC.
    ///
    /// Any number of threads, and processes that share the word, may call this at once: together
    /// they are granted exactly the limit.
    pub fn take(self, word: &AtomicU64, n: u64, now: Timestamp) -> Decision {
        self.take_in(word, n, self.moment(now))
    }

    pub(crate) fn take_in(self, word: &AtomicU64, n: u64, moment: Moment) -> Decision {
        match self.take_at(word, n, moment) {
            Ok(taken) => Decision::Granted {
                remaining: self.left(taken.after),
                resets_at: taken.resets_at,
                overage: self.over(taken.after),
                crossed: None,
            },
            Err(short) => Decision::Refused {
                reason: Refusal::QuotaSpent {
                    remaining: short.remaining,
                },
                resets_at: short.resets_at,
            },
        }
    }

    /// What is left at `now`, without taking anything; `None` without a limit.
    pub fn remaining(self, word: &AtomicU64, now: Timestamp) -> Option<u64> {
        self.left(self.standing(word, self.moment(now)).used)
    }

    fn moment(self, at: Timestamp) -> Moment {
        Moment {
            at,
            opened: self.window.at_in(at, &Zone::default()),
            may_open: true,
        }
    }

    /// Units left of the limit when `used` were used.
    pub(crate) fn left(self, used: i64) -> Option<u64> {
        let limit = i64::try_from(self.limit?).unwrap_or(MOST_USED);
        Some(u64::try_from(limit.saturating_sub(used)).unwrap_or(0))
    }

    /// Units of `used` that are beyond the limit.
    pub(crate) fn over(self, used: i64) -> u64 {
        let over = |limit: u64| u64::try_from(used).unwrap_or(0).saturating_sub(limit);
        self.limit.map_or(0, over)
    }

    /// The most that may be used in one window.
    fn ceiling(self) -> u64 {
        let limit = self.limit.unwrap_or(MAX_LIMIT);
        match self.overage {
            Overage::Refused => limit,
            Overage::UpTo(cap) => limit.saturating_add(cap).min(MAX_LIMIT),
            Overage::Unbounded => MAX_LIMIT,
        }
    }

    /// Whether use beyond every limit is granted.
    const fn is_open(self) -> bool {
        matches!(self.overage, Overage::Unbounded)
    }

    /// Takes `n` units, all or none.
    pub(crate) fn take_at(
        self,
        word: &AtomicU64,
        n: u64,
        moment: Moment,
    ) -> std::result::Result<Taken, Short> {
        self.swap(word, |quota, seen| quota.step(seen, n, moment))
    }

    /// Takes what is left of the limit, at most `n` units and no overage.
    pub(crate) fn take_up_to(self, word: &AtomicU64, n: u64, moment: Moment) -> Taken {
        let hard = Self {
            overage: Overage::Refused,
            ..self
        };
        loop {
            let standing = hard.standing(word, moment);
            let units = hard.left(standing.used).unwrap_or(n).min(n);
            if units == 0 {
                return Taken {
                    window: standing.window,
                    units,
                    before: standing.used,
                    after: standing.used,
                    resets_at: standing.resets_at,
                };
            }
            if let Ok(taken) = hard.take_at(word, units, moment) {
                return taken;
            }
        }
    }

    fn swap<S>(
        self,
        word: &AtomicU64,
        step: impl Fn(Self, u64) -> std::result::Result<(u64, Taken), S>,
    ) -> std::result::Result<Taken, S> {
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (next, taken) = step(self, seen)?;
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(taken),
                Err(other) => seen = other,
            }
        }
    }

    fn step(self, word: u64, n: u64, moment: Moment) -> std::result::Result<(u64, Taken), Short> {
        if let Some(rolling) = self.rolling(moment.at) {
            return rolling.step(word, n);
        }
        let (window, before) = self.position(word, moment);
        let resets_at = ends(window, moment);
        let units = i64::try_from(n).unwrap_or(i64::MAX);
        let after = before.saturating_add(units);
        let ceiling = i64::try_from(self.ceiling()).unwrap_or(MOST_USED);
        if after > ceiling && !self.is_open() {
            let remaining = u64::try_from(ceiling.saturating_sub(before)).unwrap_or(0);
            return Err(Short {
                remaining,
                resets_at,
            });
        }
        // Without a bound a full word stays full.
        let after = after.min(MOST_USED);
        let taken = Taken {
            window,
            units: n,
            before,
            after,
            resets_at,
        };
        Ok((pack(window, after), taken))
    }

    /// Gives `n` units back that were taken in `window`, if that is still the open one.
    pub(crate) fn give_back(self, word: &AtomicU64, n: u64, window: u32, moment: Moment) {
        let units = i64::try_from(n).unwrap_or(MOST_USED);
        let rolling = self.rolling(moment.at).is_some();
        let _gone_with_its_window =
            word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
                if rolling {
                    return Some(seen.saturating_sub(n));
                }
                let (number, used) = unpack(seen);
                (number == window).then(|| pack(number, used.saturating_sub(units).max(-MOST_USED)))
            });
    }

    /// What the window at `moment` has come to, without changing it.
    pub(crate) fn standing(self, word: &AtomicU64, moment: Moment) -> Standing {
        let word = word.load(Ordering::Acquire);
        if let Some(rolling) = self.rolling(moment.at) {
            return rolling.standing(word);
        }
        let (window, used) = self.position(word, moment);
        Standing {
            window,
            used,
            resets_at: ends(window, moment),
        }
    }

    fn position(self, word: u64, moment: Moment) -> (u32, i64) {
        let (number, used) = unpack(word);
        let current = moment.opened.number;
        if current <= number || !moment.may_open {
            return (number, used);
        }
        // A word of zeros was never used: nothing is left of a window that never was.
        let carried = match self.rollover.filter(|_| word != 0) {
            None => 0,
            Some(rollover) => {
                let (limit, left) = (self.limit.unwrap_or(0), self.left(used).unwrap_or(0));
                rollover.carried(limit, left, current - number - 1)
            }
        };
        (current, -i64::try_from(carried).unwrap_or(0))
    }

    fn rolling(self, at: Timestamp) -> Option<Rolling> {
        let Window::Rolling { secs } = self.window else {
            return None;
        };
        let (limit, period) = (self.limit?, u128::from(secs.max(1)) * 1000);
        let ms = u128::try_from(at.ms()).unwrap_or(0);
        let now = u64::try_from(ms * u128::from(limit) / period).unwrap_or(u64::MAX / 2);
        Some(Rolling { limit, period, now })
    }
}

/// A rolling window at an instant: `now` is how many units come back from 1970 until then.
struct Rolling {
    limit: u64,
    period: u128,
    now: u64,
}

impl Rolling {
    fn step(&self, word: u64, n: u64) -> std::result::Result<(u64, Taken), Short> {
        let used = word.saturating_sub(self.now);
        let after = used.saturating_add(n);
        if after > self.limit {
            let wait = self.now.saturating_add(after - self.limit);
            return Err(Short {
                remaining: self.limit.saturating_sub(used),
                resets_at: (n <= self.limit).then(|| self.instant(wait)),
            });
        }
        let next = self.now.saturating_add(after);
        let taken = Taken {
            window: 0,
            units: n,
            before: i64::try_from(used).unwrap_or(MOST_USED),
            after: i64::try_from(after).unwrap_or(MOST_USED),
            resets_at: (after > 0).then(|| self.instant(next)),
        };
        Ok((next, taken))
    }

    fn standing(&self, word: u64) -> Standing {
        let used = word.saturating_sub(self.now);
        Standing {
            window: 0,
            used: i64::try_from(used).unwrap_or(MOST_USED),
            resets_at: (used > 0).then(|| self.instant(word)),
        }
    }

    /// The first instant by which so many units have come back.
    fn instant(&self, units: u64) -> Timestamp {
        let ms = (u128::from(units) * self.period).div_ceil(u128::from(self.limit.max(1)));
        Timestamp::from_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    }
}

/// The end of the window that is spent: unknown of one that was opened before the clock was doubted
/// or set back.
fn ends(window: u32, moment: Moment) -> Option<Timestamp> {
    let known = window == moment.opened.number && moment.may_open;
    moment.opened.ends.filter(|_| known)
}

/// The allowance word of a window's number and the units used in it.
pub(crate) const fn pack(window: u32, used: i64) -> u64 {
    ((window as u64) << USED_BITS) | (used as u64 & USED_MASK)
}

/// The same word with other units used.
#[inline]
pub(crate) const fn with_used(word: u64, used: i64) -> u64 {
    (word & !USED_MASK) | (used as u64 & USED_MASK)
}

/// The window's number and the units used in it.
#[inline]
pub(crate) const fn unpack(word: u64) -> (u32, i64) {
    let used = (word << (64 - USED_BITS)) as i64 >> (64 - USED_BITS);
    ((word >> USED_BITS) as u32, used)
}

#[cfg(test)]
mod tests;
