//! Rate limits: how often something may be done, decided with one word (GCRA).
//!
//! The word is the instant, in nanoseconds since 1970, up to which what was granted has used up the
//! rate. A unit moves it forward by the rate's interval; it may run ahead of the present by as much
//! as the burst. Nothing has to be refilled and no timer runs. The same rule is written once more as
//! a script for Redis, which a test holds against this one.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::time::Timestamp;

const NS_IN_MS: u64 = 1_000_000;
/// The longest time that a rate may need to earn a whole burst: 400 days.
const MAX_CAPACITY_NS: u128 = 400 * 86_400_000 * NS_IN_MS as u128;
/// The shortest time between two units, in nanoseconds: rounding then strays by a thousandth at most.
const MIN_INTERVAL_NS: u64 = 1_000;

/// Times that have a name.
const NAMED: [(u64, &str); 4] = [
    (1_000, "second"),
    (60_000, "minute"),
    (3_600_000, "hour"),
    (86_400_000, "day"),
];

/// So many units in so much time, evenly, and so many of them at once.
///
/// ```
/// use mintreu::Timestamp;
/// use mintreu::meter::RateLimit;
/// use std::sync::atomic::AtomicU64;
/// let limit = RateLimit::parse("60/minute+2")?;
/// let (word, now) = (AtomicU64::new(0), Timestamp::from_secs(1_800_000_000));
/// assert!(limit.take(&word, 2, now).granted);
/// let refused = limit.take(&word, 1, now);
/// assert_eq!(refused.retry_after_ms, Some(1_000));
/// assert!(limit.take(&word, 1, now.plus_ms(1_000)).granted);
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateLimit {
    units: u64,
    per_ms: u64,
    burst: u64,
    interval_ns: u64,
}

/// What a rate limit says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateDecision {
    /// Whether the units were granted; all or none are.
    pub granted: bool,
    /// Units that would be granted now.
    pub remaining: u64,
    /// When refused: after how long the same units will be granted; `None` for more units than the
    /// burst, which never are.
    pub retry_after_ms: Option<u64>,
    /// After how long the whole burst is there again.
    pub full_after_ms: u64,
}

impl RateLimit {
    /// `units` in each `per_ms` milliseconds, evenly, at most `burst` at once.
    ///
    /// Refused with `rate_invalid`: nothing at all, more than a unit a microsecond, or a burst that
    /// takes over 400 days to earn.
    pub fn new(units: u64, per_ms: u64, burst: u64) -> Result<Self> {
        let invalid = |detail: &str| Error::new("rate_invalid", detail.to_owned());
        if units == 0 || per_ms == 0 || burst == 0 {
            return Err(invalid("a rate needs units, a time and a burst above zero"));
        }
        // Rounded up, so that no more than the rate is ever granted.
        let interval = (u128::from(per_ms) * u128::from(NS_IN_MS)).div_ceil(u128::from(units));
        let interval_ns = u64::try_from(interval)
            .ok()
            .filter(|&ns| ns >= MIN_INTERVAL_NS)
            .ok_or_else(|| invalid("a rate is at most one unit a microsecond"))?;
        if interval * u128::from(burst) > MAX_CAPACITY_NS {
            return Err(invalid("a burst is at most what 400 days earn"));
        }
        Ok(Self {
            units,
            per_ms,
            burst,
            interval_ns,
        })
    }

    /// Reads `100/minute`, which allows the hundred at once, or `100/minute+20`, which allows 20.
    ///
    /// The times are `second`, `minute`, `hour`, `day`, and others as `250ms`. Its text form reads
    /// back to the same.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let detail = format!("{text:?} is no rate: write 100/minute, or 100/minute+20");
            Error::new("rate_invalid", detail)
        };
        let (units, rest) = text.trim().split_once('/').ok_or_else(wrong)?;
        let units: u64 = units.trim().parse().map_err(|_| wrong())?;
        let (per, burst) = match rest.split_once('+') {
            Some((per, burst)) => (per, burst.trim().parse().map_err(|_| wrong())?),
            None => (rest, units),
        };
        let per = per.trim();
        let named = NAMED.iter().find(|(_, name)| *name == per);
        let other = || per.strip_suffix("ms").and_then(|ms| ms.parse().ok());
        let per_ms = named.map(|(ms, _)| *ms).or_else(other).ok_or_else(wrong)?;
        Self::new(units, per_ms, burst)
    }

    /// Units in each stretch of [`per_ms`](Self::per_ms).
    pub const fn units(self) -> u64 {
        self.units
    }

    /// The stretch of time that the units are for.
    pub const fn per_ms(self) -> u64 {
        self.per_ms
    }

    /// Units that may be used at once.
    pub const fn burst(self) -> u64 {
        self.burst
    }

    /// Nanoseconds that earn one unit.
    pub const fn interval_ns(self) -> u64 {
        self.interval_ns
    }

    /// How far the word may run ahead of the present.
    const fn capacity_ns(self) -> u64 {
        // `new` bounds the product far below what 64 bits hold.
        self.interval_ns * self.burst
    }

    /// The pure rule: the word after `n` units at `now`, and the decision.
    ///
    /// A word further ahead than any burst comes from a clock that was set back since, or from a
    /// larger limit: it counts as a burst that is wholly used, so that nobody is locked out longer.
    pub fn decide(self, word: u64, n: u64, now: Timestamp) -> (u64, RateDecision) {
        let now_ns = nanoseconds(now);
        let most = now_ns.saturating_add(self.capacity_ns());
        let spent_until = word.clamp(now_ns, most);
        let after = self
            .interval_ns
            .checked_mul(n)
            .and_then(|cost| spent_until.checked_add(cost))
            .filter(|&after| after <= most);
        let word_after = after.unwrap_or(spent_until);
        let wait = match after {
            None if n <= self.burst => Some(spent_until + self.interval_ns * n - most),
            _ => None,
        };
        let decision = RateDecision {
            granted: after.is_some(),
            remaining: (most - word_after) / self.interval_ns,
            retry_after_ms: wait.map(|ns| ns.div_ceil(NS_IN_MS)),
            full_after_ms: (word_after - now_ns).div_ceil(NS_IN_MS),
        };
        (word_after, decision)
    }

    /// Takes `n` units, all or none, at `now`. Any number of threads may share the word.
    pub fn take(self, word: &AtomicU64, n: u64, now: Timestamp) -> RateDecision {
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (next, decision) = self.decide(seen, n, now);
            // A word too far ahead is written back at once: from then on it comes nearer.
            if !decision.granted && next >= seen {
                return decision;
            }
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return decision,
                Err(other) => seen = other,
            }
        }
    }

    /// Gives `n` units back: what they were taken for did not happen.
    pub fn give_back(self, word: &AtomicU64, n: u64) {
        let back = self.interval_ns.saturating_mul(n);
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let next = seen.saturating_sub(back);
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// What stands at `now`, without taking anything.
    pub fn look(self, word: &AtomicU64, now: Timestamp) -> RateDecision {
        self.decide(word.load(Ordering::Acquire), 0, now).1
    }
}

impl std::fmt::Display for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match NAMED.iter().find(|(ms, _)| *ms == self.per_ms) {
            Some((_, name)) => write!(f, "{}/{name}", self.units)?,
            None => write!(f, "{}/{}ms", self.units, self.per_ms)?,
        }
        if self.burst == self.units {
            return Ok(());
        }
        write!(f, "+{}", self.burst)
    }
}

/// Instants before 1970 count as its beginning, those past what the word holds as its end.
fn nanoseconds(at: Timestamp) -> u64 {
    let ms = u64::try_from(at.ms()).unwrap_or(0);
    // Room above for one capacity, so that an instant at the end of time still decides.
    ms.saturating_mul(NS_IN_MS).min(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: i64 = 1_800_000_000_000;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(START + ms)
    }

    /// A bucket as one would draw it: whole units, and the time already earned towards the next.
    struct Bucket {
        units: u64,
        earned_ns: u64,
        at_ms: i64,
    }

    impl Bucket {
        fn take(&mut self, limit: RateLimit, n: u64, ms: i64) -> bool {
            let mut earned = self.earned_ns + (ms - self.at_ms) as u64 * NS_IN_MS;
            self.at_ms = ms;
            while earned >= limit.interval_ns() && self.units < limit.burst() {
                earned -= limit.interval_ns();
                self.units += 1;
            }
            self.earned_ns = if self.units == limit.burst() {
                0
            } else {
                earned
            };
            let granted = n <= self.units;
            if granted {
                self.units -= n;
            }
            granted
        }
    }

    fn limits() -> impl Strategy<Value = RateLimit> {
        (1u64..200, 100u64..100_000, 1u64..50)
            .prop_map(|(units, per, burst)| RateLimit::new(units, per, burst).expect("in range"))
    }

    proptest! {
        #[test]
        fn grants_what_a_bucket_grants(
            limit in limits(),
            asked in proptest::collection::vec((0i64..5_000, 0u64..60), 1..120),
        ) {
            let word = AtomicU64::new(0);
            let mut bucket = Bucket { units: limit.burst(), earned_ns: 0, at_ms: 0 };
            let mut ms = 0;
            for (pause, n) in asked {
                ms += pause;
                let decision = limit.take(&word, n, at(ms));
                prop_assert_eq!(decision.granted, bucket.take(limit, n, ms));
                prop_assert_eq!(decision.remaining, bucket.units);
            }
        }

        #[test]
        fn no_stretch_of_time_holds_more_than_burst_and_rate(
            limit in limits(),
            asked in proptest::collection::vec((0i64..2_000, 1u64..20), 1..100),
        ) {
            let word = AtomicU64::new(0);
            let mut granted: Vec<(i64, u64)> = Vec::new();
            let mut ms = 0;
            for (pause, n) in asked {
                ms += pause;
                if limit.take(&word, n, at(ms)).granted {
                    granted.push((ms, n));
                }
            }
            for (first, &(from, _)) in granted.iter().enumerate() {
                let mut sum = 0;
                for &(until, n) in &granted[first..] {
                    sum += n;
                    let earned = (until - from) as u64 * NS_IN_MS / limit.interval_ns();
                    prop_assert!(sum <= limit.burst() + earned);
                }
            }
        }

        #[test]
        fn waiting_as_told_is_enough_and_a_little_less_is_not(
            limit in limits(), spent in 0u64..50, n in 1u64..60,
        ) {
            let word = AtomicU64::new(0);
            limit.take(&word, spent.min(limit.burst()), at(0));
            let told = limit.take(&word, n, at(0));
            match told.retry_after_ms {
                Some(wait) => {
                    prop_assert!(!limit.take(&word, n, at(wait as i64 - 1)).granted);
                    prop_assert!(limit.take(&word, n, at(wait as i64)).granted);
                }
                None => prop_assert!(told.granted || n > limit.burst()),
            }
        }

        #[test]
        fn its_text_reads_back(limit in limits()) {
            prop_assert_eq!(RateLimit::parse(&limit.to_string()), Ok(limit));
        }

        #[test]
        fn any_word_at_any_time_decides(word: u64, n: u64, ms: i64) {
            let limit = RateLimit::new(1, 86_400_000, 400).expect("the widest");
            let (_, decision) = limit.decide(word, n, Timestamp::from_ms(ms));
            prop_assert!(decision.remaining <= limit.burst());
        }
    }

    #[test]
    fn a_clock_set_back_gives_nothing_and_locks_nobody_out() {
        let limit = RateLimit::new(10, 1_000, 10).unwrap();
        let word = AtomicU64::new(0);
        assert!(limit.take(&word, 10, at(86_400_000)).granted);
        let refused = limit.take(&word, 1, at(0));
        assert_eq!(
            (refused.granted, refused.retry_after_ms),
            (false, Some(100))
        );
        assert!(!limit.take(&word, 1, at(99)).granted);
        assert!(limit.take(&word, 1, at(100)).granted);
        assert_eq!(limit.decide(u64::MAX, 0, at(0)).1.full_after_ms, 1_000);
    }

    #[test]
    fn threads_are_granted_exactly_the_burst() {
        let limit = RateLimit::new(1_000, 86_400_000, 1_000).unwrap();
        let (word, granted) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let won = (0..500).filter(|_| limit.take(&word, 1, at(0)).granted);
                    granted.fetch_add(won.count() as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(granted.into_inner(), 1_000);
        limit.give_back(&word, 3);
        assert_eq!(limit.look(&word, at(0)).remaining, 3);
    }

    #[test]
    fn a_rate_is_read_or_refused_by_name() {
        let limit = RateLimit::parse("100/minute").unwrap();
        assert_eq!(
            (limit.units(), limit.per_ms(), limit.burst()),
            (100, 60_000, 100)
        );
        assert_eq!(RateLimit::parse(" 5/second+20 ").unwrap().burst(), 20);
        for wrong in [
            "",
            "5",
            "5/fortnight",
            "0/second",
            "5/second+0",
            "-1/day",
            "2000000/second",
        ] {
            assert_eq!(
                RateLimit::parse(wrong).unwrap_err().code(),
                "rate_invalid",
                "{wrong}"
            );
        }
        assert!(
            RateLimit::new(1, u64::MAX, u64::MAX).is_err(),
            "no overflow"
        );
    }
}
