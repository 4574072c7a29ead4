//! Every two states that can apply at the same time: the stronger one is the verdict.

use super::*;

const NOW: i64 = ISSUED + 500_000;

/// A state, whether it lets the product run, and what brings it about.
type State = (Status, bool, fn(&mut Claims, &mut Facts));

/// In the order of precedence.
const STATES: [State; 16] = [
    (Status::KeyRevoked, false, |_, facts| {
        facts.standing.replace_by = Some(at(NOW));
    }),
    (Status::Revoked, false, |_, facts| {
        facts.standing.revoked = true;
    }),
    (Status::ClockRefused, false, |_, facts| {
        facts.clock = ClockState::Suspect { ran_ms: i64::MAX };
    }),
    (Status::NotYetValid, false, |claims, _| {
        claims.not_before = Some(at(NOW + 1));
    }),
    (Status::Expired, false, |claims, _| {
        claims.expires_at = Some(at(NOW));
    }),
    (Status::WrongVersion, false, |claims, _| {
        claims.versions = VersionRange {
            from: None,
            below: "2".parse().ok(),
        };
    }),
    (Status::WrongDevice, false, |claims, _| {
        claims.device = Some(*SigningKey::from_seed(&[8; 32]).public());
    }),
    (Status::DeviceNotActivated, false, |claims, _| {
        claims.binding = Binding::NodeLocked;
    }),
    (Status::LeaseOver, false, |claims, facts| {
        claims.binding = Binding::Floating;
        let over = ActivationFacts {
            expires_at: Some(at(NOW)),
            ..activation(9)
        };
        facts.device = device(9, Some(over));
    }),
    (Status::RevocationsStale, false, |claims, _| {
        stale_since_now(claims, 0);
    }),
    (Status::InGrace, true, |claims, _| {
        claims.expires_at = Some(at(NOW));
        claims.grace_secs = 1;
    }),
    (Status::ReplaceBy, true, |_, facts| {
        facts.standing.replace_by = Some(at(NOW + 1));
    }),
    (Status::RevocationsStale, true, |claims, _| {
        stale_since_now(claims, 1);
    }),
    (Status::ClockSuspect, true, |_, facts| {
        facts.clock = ClockState::Suspect { ran_ms: 0 };
    }),
    (Status::ExpiringSoon, true, |claims, _| {
        claims.expires_at = Some(at(NOW + 2));
    }),
    (Status::Valid, true, |_, _| ()),
];

/// States that rule each other out, by their places above.
const EXCLUSIVE: [(usize, usize); 9] = [
    (0, 11),
    (2, 13),
    (3, 4),
    (3, 10),
    (4, 10),
    (4, 14),
    (7, 8),
    (9, 12),
    (10, 14),
];

/// Locks when `grace_secs` are over; the license's own issue was the last word.
fn stale_since_now(claims: &mut Claims, grace_secs: u32) {
    claims.status = Some(ListEntry { list: 1, index: 5 });
    claims.freshness = Some(Freshness {
        max_age_secs: (NOW - ISSUED) as u32,
        action: StaleAction::Lock,
        grace_secs,
    });
}

/// A license and facts in which all of `states` apply.
fn judged(states: &[&State]) -> Verdict {
    let mut facts = Facts {
        version: "2.1".parse().ok(),
        device: device(9, None),
        ..Facts::at(at(NOW))
    };
    let license = verified(|claims| {
        // Dates matter, so that the clock does.
        claims.not_before = Some(at(ISSUED));
        states.iter().for_each(|state| state.2(claims, &mut facts));
    });
    judge(&license, &facts)
}

#[test]
fn each_state_comes_about_alone() {
    for state in &STATES {
        let verdict = judged(&[state]);
        let found = (verdict.status(), verdict.is_allowed());
        assert_eq!(found, (state.0, state.1), "{}", verdict.sentence());
        let sentence = verdict.sentence();
        assert!(
            sentence.ends_with('.') && sentence.len() < 120,
            "{sentence}"
        );
    }
}

#[test]
fn of_two_states_the_stronger_is_the_verdict() {
    let mut pairs = 0;
    for (first, strong) in STATES.iter().enumerate() {
        for (second, weak) in STATES.iter().enumerate().skip(first + 1) {
            if EXCLUSIVE.contains(&(first, second)) {
                continue;
            }
            for both in [[strong, weak], [weak, strong]] {
                let verdict = judged(&both);
                let found = (verdict.status(), verdict.is_allowed());
                assert_eq!(found, (strong.0, strong.1), "with {:?}", weak.0);
            }
            pairs += 1;
        }
    }
    assert_eq!(pairs, 16 * 15 / 2 - EXCLUSIVE.len());
}

#[test]
fn every_judged_status_is_among_them() {
    let judged = Status::all().filter(|&status| status > Status::CertificateOutOfScope);
    for status in judged {
        assert!(STATES.iter().any(|state| state.0 == status), "{status:?}");
    }
}

#[test]
fn what_goes_on_after_its_end_goes_on_only_if_nothing_else_refuses() {
    let allow: State = (Status::Expired, true, |claims, _| {
        claims.expires_at = Some(at(NOW));
        claims.on_expiry = OnExpiry::Allow;
    });
    for (index, other) in STATES.iter().enumerate() {
        if EXCLUSIVE.contains(&(4, index)) || EXCLUSIVE.contains(&(index, 4)) || index == 4 {
            continue;
        }
        let verdict = judged(&[other, &allow]);
        let expected = if other.1 { &allow } else { other };
        let found = (verdict.status(), verdict.is_allowed());
        assert_eq!(found, (expected.0, expected.1), "with {:?}", other.0);
    }
}
