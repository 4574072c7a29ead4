//! Rate limits: a token bucket a key, in memory, for the house itself; and the rates that sellers set
//! for their customers ([`Rates`]), in memory or in Redis.
//!
//! Invariants
//! * The map is bounded: the least used buckets are forgotten first, which can only be generous.
//! * A bucket never holds more than its burst, and time running backward refills nothing.

mod rates;
mod redis;

pub use rates::{RateAsked, Rates};

use mintreu::Timestamp;
use moka::sync::Cache;
use std::sync::{Arc, Mutex, PoisonError};

/// How often something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How often at once.
    pub burst: u32,
    /// Milliseconds until one more is allowed.
    pub refill_ms: u32,
}

/// The buckets of this process.
pub struct Limits {
    buckets: Cache<(&'static str, String), Arc<Mutex<Bucket>>>,
}

struct Bucket {
    tokens: u32,
    filled_at: Timestamp,
}

impl Limits {
    /// No more than `most` buckets are kept.
    pub fn new(most: u64) -> Self {
        Self {
            buckets: Cache::new(most),
        }
    }

    /// Takes one token of `what` for `whom`; when none is left, in how many seconds one will be.
    pub fn take(
        &self,
        what: &'static str,
        whom: &str,
        rate: Rate,
        now: Timestamp,
    ) -> Result<(), u32> {
        let bucket = self.buckets.get_with((what, whom.to_owned()), || {
            Arc::new(Mutex::new(Bucket {
                tokens: rate.burst,
                filled_at: now,
            }))
        });
        // A panic elsewhere can't leave two integers half written.
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.refill(rate, now);
        if bucket.tokens > 0 {
            bucket.tokens -= 1;
            return Ok(());
        }
        let wait = i64::from(rate.refill_ms) - now.since_ms(bucket.filled_at);
        Err(u32::try_from(wait.max(0) / 1000).unwrap_or(u32::MAX - 1) + 1)
    }

    /// Gives a token back: what it was taken for turned out not to count.
    pub fn give_back(&self, what: &'static str, whom: &str, rate: Rate) {
        if let Some(bucket) = self.buckets.get(&(what, whom.to_owned())) {
            let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
            bucket.tokens = bucket.tokens.saturating_add(1).min(rate.burst);
        }
    }
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Timestamp) {
        let refill_ms = i64::from(rate.refill_ms.max(1));
        let earned = now.since_ms(self.filled_at).max(0) / refill_ms;
        if earned > 0 {
            let earned_tokens = u32::try_from(earned).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(earned_tokens).min(rate.burst);
            self.filled_at = self.filled_at.plus_ms(earned.saturating_mul(refill_ms));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let limits = Limits::new(100);
        let rate = Rate {
            burst: 2,
            refill_ms: 10_000,
        };
        let at = |ms| limits.take("sign_in", "ada", rate, Timestamp::from_ms(ms));
        assert_eq!((at(0), at(0), at(0)), (Ok(()), Ok(()), Err(11)));
        assert_eq!(
            limits.take("sign_in", "bob", rate, Timestamp::from_ms(0)),
            Ok(())
        );
        assert_eq!(
            (at(9_999), at(10_000), at(10_001)),
            (Err(1), Ok(()), Err(10))
        );
        assert_eq!(
            (at(1_000_000), at(1_000_000), at(1_000_000)),
            (Ok(()), Ok(()), Err(11))
        );
        assert_eq!(at(0), Err(1011), "a clock set back gives nothing");
        limits.give_back("sign_in", "ada", rate);
        assert_eq!((at(1_000_000), at(1_000_000)), (Ok(()), Err(11)));
        (0..5).for_each(|_| limits.give_back("sign_in", "ada", rate));
        let held = (0..5).filter(|_| at(1_000_000).is_ok()).count();
        assert_eq!(held, 2, "never more than the burst");
        limits.give_back("sign_in", "nobody", rate);
    }
}
