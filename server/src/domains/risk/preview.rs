//! What a rule would have done: the log is counted again as the rule would have counted.

use super::model::{By, Counts, RiskError, Terms, check};
use super::ops::must_own;
use super::sql::log;
use crate::app::ReadCx;
use crate::domains::catalog;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use std::collections::{BTreeMap, BTreeSet};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How far back it looks.
const BACK_MS: i64 = 30 * DAY_MS;
/// Most lines of the log that it reads, the newest.
const MOST: i64 = 50_000;

/// What came of looking back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Purchases that were let through in the last 30 days.
    pub asked: i64,
    /// On how many of them the rule would have acted.
    pub acted: i64,
}

/// A line of what was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The try, or the payment that was declined.
    pub source: String,
    /// Whether a payment was declined.
    pub declined: bool,
    /// By what it was counted.
    pub key: Vec<u8>,
    /// Whose it was.
    pub address: Option<Vec<u8>>,
    /// Of how much.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether it cost nothing.
    pub free: bool,
    /// When.
    pub at: Timestamp,
}

/// What a rule would have done in the last 30 days; `None` for one that counts what the log doesn't
/// hold. For the owner.
pub fn preview(cx: &mut ReadCx<'_>, terms: &Terms) -> Result<Option<Preview>, RiskError> {
    must_own(cx)?;
    let terms = check(terms)?;
    if terms.counts == Counts::Own {
        return Ok(None);
    }
    let from = cx.now.plus_ms(-BACK_MS);
    let since = from.plus_ms(-terms.window_ms);
    let by: &[&str] = match terms.by {
        By::Buyer => &["buyer", "account"],
        By::Network => &["network"],
        By::Product => &["product"],
        By::Seller => &["seller"],
    };
    let mut seen = Vec::new();
    for by in by {
        seen.extend(log::seen(cx.tx, cx.caller.tenant, (by, since), MOST)?);
    }
    seen.sort_by(|one, other| (one.at, &one.source).cmp(&(other.at, &other.source)));
    let mut opened: BTreeMap<Vec<u8>, Option<Timestamp>> = BTreeMap::new();
    if terms.newer_than_days.is_some() {
        for one in &seen {
            if !opened.contains_key(&one.key) {
                let id = <[u8; 16]>::try_from(one.key.as_slice());
                let at = match id {
                    Ok(id) => {
                        catalog::shop_opened_at(cx.tx, cx.caller.tenant, AccountId::from_bytes(id))?
                    }
                    Err(_) => None,
                };
                opened.insert(one.key.clone(), at);
            }
        }
    }
    Ok(Some(replay(&terms, &seen, (from, &opened))))
}

/// Counts again. `seen` is in the order of time; only tries after `from` are told of.
pub fn replay(
    terms: &Terms,
    seen: &[Seen],
    (from, opened): (Timestamp, &BTreeMap<Vec<u8>, Option<Timestamp>>),
) -> Preview {
    let (mut asked, mut acted) = (BTreeSet::new(), BTreeSet::new());
    let mut windows: BTreeMap<&[u8], Window<'_>> = BTreeMap::new();
    for one in seen {
        let window = windows.entry(one.key.as_slice()).or_default();
        window.leave(one.at.plus_ms(-terms.window_ms));
        window.enter(one);
        if one.declined || one.at <= from {
            continue;
        }
        asked.insert(one.source.as_str());
        let young = terms.newer_than_days.is_none_or(|days| {
            let since = one.at.plus_ms(-days.saturating_mul(DAY_MS));
            opened
                .get(&one.key)
                .copied()
                .flatten()
                .is_some_and(|at| at > since)
        });
        if young
            && window
                .count(terms, one)
                .is_some_and(|count| count >= terms.threshold)
        {
            acted.insert(one.source.as_str());
        }
    }
    let count = |found: &BTreeSet<&str>| i64::try_from(found.len()).unwrap_or(i64::MAX);
    Preview {
        asked: count(&asked),
        acted: count(&acted),
    }
}

/// What lies in a window by one key.
#[derive(Default)]
struct Window<'a> {
    within: std::collections::VecDeque<&'a Seen>,
    attempts: i64,
    declines: i64,
    free: i64,
    spent: BTreeMap<&'a str, i64>,
    addresses: BTreeMap<&'a [u8], i64>,
}

impl<'a> Window<'a> {
    fn enter(&mut self, one: &'a Seen) {
        self.within.push_back(one);
        self.add(one, 1);
    }

    /// What is as old as `since` is out.
    fn leave(&mut self, since: Timestamp) {
        while let Some(oldest) = self.within.pop_front_if(|oldest| oldest.at <= since) {
            self.add(oldest, -1);
        }
    }

    fn add(&mut self, one: &'a Seen, sign: i64) {
        if one.declined {
            self.declines += sign;
            return;
        }
        self.attempts += sign;
        self.free += sign * i64::from(one.free);
        let spent = self.spent.entry(&one.currency).or_default();
        *spent = spent.saturating_add(sign.saturating_mul(one.minor));
        if let Some(address) = &one.address {
            let times = self.addresses.entry(address).or_default();
            *times += sign;
            if *times == 0 {
                self.addresses.remove(address.as_slice());
            }
        }
    }

    /// As many as the rule would have counted at the try that entered last.
    fn count(&self, terms: &Terms, one: &Seen) -> Option<i64> {
        match terms.counts {
            Counts::Attempts => Some(self.attempts),
            Counts::Declines => Some(self.declines),
            Counts::Free => one.free.then_some(self.free),
            Counts::Spent => {
                let currency = terms.currency.filter(|own| own.code() == one.currency)?;
                self.spent.get(currency.code()).copied()
            }
            Counts::Addresses => {
                one.address.as_ref()?;
                i64::try_from(self.addresses.len()).ok()
            }
            Counts::Own => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::risk::model::{Action, Mode};
    use mintreu::Currency;

    fn seen(source: &str, at: i64, address: u8) -> Seen {
        Seen {
            source: source.to_owned(),
            declined: false,
            key: vec![7; 16],
            address: Some(vec![address]),
            minor: 100,
            currency: "EUR".to_owned(),
            free: false,
            at: Timestamp::from_ms(at),
        }
    }

    fn terms(counts: Counts, threshold: i64) -> Terms {
        Terms {
            name: "r".to_owned(),
            counts,
            by: By::Network,
            window_ms: 60_000,
            threshold,
            currency: None,
            newer_than_days: None,
            action: Action::Refuse,
            mode: Mode::Shadow,
            block_ms: None,
        }
    }

    fn acted(terms: &Terms, all: &[Seen]) -> (i64, i64) {
        let found = replay(terms, all, (Timestamp::from_ms(0), &BTreeMap::new()));
        (found.asked, found.acted)
    }

    #[test]
    fn the_past_is_counted_as_the_present_is() {
        // The third is a millisecond within the first's window; the fourth has only the third's.
        let all = [
            seen("a", 1, 1),
            seen("b", 30_000, 1),
            seen("c", 60_000, 2),
            seen("d", 90_001, 2),
        ];
        assert_eq!(acted(&terms(Counts::Attempts, 3), &all), (4, 1));
        assert_eq!(acted(&terms(Counts::Attempts, 2), &all), (4, 3));
        assert_eq!(acted(&terms(Counts::Attempts, 1), &all), (4, 4));
        assert_eq!(acted(&terms(Counts::Addresses, 2), &all), (4, 1));
        let money = |threshold| Terms {
            currency: Some(Currency::EUR),
            ..terms(Counts::Spent, threshold)
        };
        assert_eq!(acted(&money(300), &all), (4, 1));
        assert_eq!(acted(&money(301), &all), (4, 0));
        assert_eq!(acted(&terms(Counts::Free, 1), &all), (4, 0));
        let declined = Seen {
            declined: true,
            ..seen("p", 2, 1)
        };
        let mut with = all.to_vec();
        with.insert(1, declined);
        assert_eq!(acted(&terms(Counts::Declines, 1), &with), (4, 2));
        // What is before the time looked at is counted, and not told of.
        let from = Timestamp::from_ms(30_000);
        let found = replay(&terms(Counts::Attempts, 3), &all, (from, &BTreeMap::new()));
        assert_eq!((found.asked, found.acted), (2, 1));
    }
}
