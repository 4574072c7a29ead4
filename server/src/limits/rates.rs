//! Rate limits of callers' own choice: one word a name, in memory.
//!
//! The words of this process are bounded: the least used are forgotten first, which can only be
//! generous. Several limits are taken together, all or none.

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
}

impl Rates {
    /// In the memory of this process, no more than `most` names.
    pub fn in_memory(most: u64) -> Self {
        Self {
            words: Cache::new(most),
        }
    }

    /// Takes `n` units under each limit, all or none, and says where each stands.
    pub fn take(&self, asked: &[RateAsked], n: u64, now: Timestamp) -> Vec<RateDecision> {
        let words: Vec<_> = asked
            .iter()
            .map(|one| self.words.get_with(one.whom.clone(), Arc::default))
            .collect();
        let mut decisions = Vec::with_capacity(asked.len());
        for (index, (one, word)) in asked.iter().zip(&words).enumerate() {
            let decision = one.limit.take(word, n, now);
            decisions.push(decision);
            if decision.granted {
                continue;
            }
            for (taken, word) in asked.iter().zip(&words).take(index) {
                taken.limit.give_back(word, n);
            }
            let rest = asked.iter().zip(&words).skip(index + 1);
            decisions.extend(rest.map(|(one, word)| one.limit.look(word, now)));
            break;
        }
        decisions
    }
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
        let at = |ms| rates.take(&both, 1, Timestamp::from_ms(ms));
        assert!(at(0).iter().chain(&at(0)).all(|one| one.granted));
        let refused = at(0);
        assert_eq!(refused.len(), 2);
        assert!(refused[0].granted && !refused[1].granted);
        let license = rates.take(&both[..1], 0, Timestamp::from_ms(0));
        assert_eq!(license[0].remaining, 3, "the refused one took nothing");
        let refused = rates.take(
            &[both[1].clone(), both[0].clone()],
            1,
            Timestamp::from_ms(0),
        );
        assert_eq!((refused.len(), refused[1].remaining), (2, 3));
    }
}
