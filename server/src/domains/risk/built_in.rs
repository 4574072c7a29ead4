//! The rules that every shop begins with.
//!
//! Live are those that a buyer who means it doesn't come near; the others are in shadow mode until
//! the owner has seen in the log what they would do.

use super::model::{Action, By, Counts, Mode, Rule, Terms};
use mintreu::Currency;
use mintreu::id::RiskRuleId;
use sha2::{Digest, Sha256};

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The rules as the house ships them.
pub fn rules() -> Vec<Rule> {
    use {Action as A, By as B, Counts as C, Mode as M};
    let block = |rule: Rule, ms| Rule {
        terms: Terms {
            block_ms: Some(ms),
            ..rule.terms
        },
        ..rule
    };
    let money = |code, name, currency, threshold| {
        let rule = rule(
            (code, name),
            (C::Spent, B::Seller),
            (DAY_MS, threshold),
            (A::Review, M::Shadow),
        );
        Rule {
            terms: Terms {
                currency: Some(currency),
                newer_than_days: Some(30),
                ..rule.terms
            },
            ..rule
        }
    };
    vec![
        rule(
            ("declines_by_buyer", "Declined payments of one buyer"),
            (C::Declines, B::Buyer),
            (HOUR_MS, 10),
            (A::Refuse, M::Live),
        ),
        block(
            rule(
                ("declines_by_network", "Declined payments from one network"),
                (C::Declines, B::Network),
                (DAY_MS, 20),
                (A::Refuse, M::Shadow),
            ),
            7 * DAY_MS,
        ),
        block(
            rule(
                ("declines_by_product", "Declined payments for one product"),
                (C::Declines, B::Product),
                (10 * MINUTE_MS, 60),
                (A::Refuse, M::Shadow),
            ),
            6 * HOUR_MS,
        ),
        rule(
            ("addresses_by_network", "Mail addresses from one network"),
            (C::Addresses, B::Network),
            (DAY_MS, 10),
            (A::Challenge, M::Shadow),
        ),
        block(
            rule(
                ("free_by_network", "Free purchases from one network"),
                (C::Free, B::Network),
                (4 * HOUR_MS, 10),
                (A::Refuse, M::Shadow),
            ),
            DAY_MS,
        ),
        rule(
            ("own_purchase", "Purchases with the seller's own mail"),
            (C::Own, B::Buyer),
            (DAY_MS, 1),
            (A::Refuse, M::Live),
        ),
        money(
            "new_seller_eur",
            "Much money for a new shop (EUR)",
            Currency::EUR,
            200_000,
        ),
        money(
            "new_seller_usd",
            "Much money for a new shop (USD)",
            Currency::USD,
            200_000,
        ),
    ]
}

fn rule(
    (code, name): (&'static str, &str),
    (counts, by): (Counts, By),
    (window_ms, threshold): (i64, i64),
    (action, mode): (Action, Mode),
) -> Rule {
    let terms = Terms {
        name: name.to_owned(),
        counts,
        by,
        window_ms,
        threshold,
        currency: None,
        newer_than_days: None,
        action,
        mode,
        block_ms: None,
    };
    Rule {
        id: id_of(code),
        terms,
        built_in: Some(code),
        changed_at: None,
    }
}

/// The same in every shop, so that a changed one is known again.
fn id_of(code: &str) -> RiskRuleId {
    let hash = Sha256::digest(format!("mintreu.risk.rule:{code}"));
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    RiskRuleId::from_bytes(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::risk::model::check;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_is_sound_and_its_own() {
        let rules = rules();
        let ids: BTreeSet<_> = rules.iter().map(|rule| rule.id.to_string()).collect();
        assert_eq!(ids.len(), rules.len());
        for rule in &rules {
            assert_eq!(check(&rule.terms).expect("is sound"), rule.terms);
            assert!(rule.built_in.is_some());
        }
    }
}
