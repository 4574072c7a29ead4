//! Rate limits of callers' own choice: one word a name, in memory or in a Redis that servers share.
//!
//! The words of this process are bounded: the least used are forgotten first, which can only be
//! generous. Several limits are taken together, all or none. While Redis doesn't answer each process
//! counts for itself, so that nobody is locked out.

use super::redis::Shared;
use mintreu::Timestamp;
use mintreu::meter::{RateDecision, RateLimit};
use moka::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One limit that a request falls under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateAsked {
    /// Who is limited: `key apk_…`.
    pub whom: String,
    /// How often.
    pub limit: RateLimit,
}

/// Where rates are counted.
pub struct Rates {
    words: Cache<String, Arc<AtomicU64>>,
    shared: Option<Shared>,
}

impl Rates {
    /// In the memory of this process, no more than `most` names.
    pub fn in_memory(most: u64) -> Self {
        Self {
            words: Cache::new(most),
            shared: None,
        }
    }

    /// In the Redis at `url`, and in memory while it doesn't answer.
    pub fn in_redis(url: &str, most: u64) -> Result<Self, String> {
        Ok(Self {
            shared: Some(Shared::new(url)?),
            ..Self::in_memory(most)
        })
    }

    /// Takes `n` units under each limit, all or none, and says where each stands.
    pub async fn take(&self, asked: &[RateAsked], n: u64, now: Timestamp) -> Vec<RateDecision> {
        if let (Some(shared), false) = (&self.shared, asked.is_empty())
            && let Some(decided) = shared.take(asked, n, now).await
        {
            return decided;
        }
        self.take_here(asked, n, now)
    }

    fn take_here(&self, asked: &[RateAsked], n: u64, now: Timestamp) -> Vec<RateDecision> {
        let words: Vec<_> = asked
            .iter()
            .map(|one| self.words.get_with(one.whom.clone(), Arc::default))
            .collect();
        let take = |(one, word): (&RateAsked, &Arc<AtomicU64>)| one.limit.take(word, n, now);
        let decided: Vec<_> = asked.iter().zip(&words).map(take).collect();
        if decided.iter().any(|decision| !decision.granted) {
            let taken = asked.iter().zip(&words).zip(&decided);
            for ((one, word), _) in taken.filter(|(_, decision)| decision.granted) {
                one.limit.give_back(word, n);
            }
        }
        all_or_none(decided, |index| asked[index].limit.look(&words[index], now))
    }
}

/// Where one limit refuses, the others stand as if nothing had been asked of them.
pub(super) fn all_or_none(
    mut decided: Vec<RateDecision>,
    look: impl Fn(usize) -> RateDecision,
) -> Vec<RateDecision> {
    if decided.iter().any(|decision| !decision.granted) {
        for (index, decision) in decided.iter_mut().enumerate() {
            if decision.granted {
                *decision = look(index);
            }
        }
    }
    decided
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_limits_are_taken_or_none() {
        let rates = Rates::in_memory(100);
        let limit = |text| RateLimit::parse(text).expect("a rate");
        let asked = |whom: &str, text| RateAsked {
            whom: whom.to_owned(),
            limit: limit(text),
        };
        let both = [asked("license", "5/minute"), asked("key", "2/minute")];
        let at = |ms| rates.take_here(&both, 1, Timestamp::from_ms(ms));
        assert!(at(0).iter().chain(&at(0)).all(|one| one.granted));
        let refused = at(0);
        assert_eq!(refused.len(), 2);
        assert!(refused[0].granted && !refused[1].granted);
        let license = rates.take_here(&both[..1], 0, Timestamp::from_ms(0));
        assert_eq!(license[0].remaining, 3, "the refused one took nothing");
        let refused = rates.take_here(
            &[both[1].clone(), both[0].clone()],
            1,
            Timestamp::from_ms(0),
        );
        assert_eq!((refused.len(), refused[1].remaining), (2, 3));
    }
}
