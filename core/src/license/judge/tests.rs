use super::*;
use crate::document::SigningKey;
use crate::license::{Freshness, ListEntry, StaleAction, Trust, VersionRange, issue, verify};

mod pairs;

const ISSUED: i64 = 1_790_000_000;
const END: i64 = ISSUED + 100 * DAY_SECS;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn verified(change: impl FnOnce(&mut Claims)) -> VerifiedLicense {
    let key = SigningKey::from_seed(&[1; 32]);
    let mut claims = Claims::new(LicenseId::from_bytes([1; 16]), "acme.editor", at(ISSUED));
    change(&mut claims);
    let bundle = issue(&claims, &key, &[]).expect("issues");
    let trust = Trust::new("acme.editor", *key.public()).expect("a trust");
    verify(&bundle, &trust).expect("verifies")
}

fn device(seed: u8, activation: Option<ActivationFacts>) -> Option<DeviceFacts> {
    let key = *SigningKey::from_seed(&[seed; 32]).public();
    Some(DeviceFacts { key, activation })
}

fn activation(seed: u8) -> ActivationFacts {
    ActivationFacts {
        license: LicenseId::from_bytes([1; 16]),
        device: *SigningKey::from_seed(&[seed; 32]).public(),
        expires_at: None,
        host_matches: true,
    }
}

#[test]
fn the_end_is_exact_to_the_millisecond() {
    let license = verified(|claims| {
        claims.expires_at = Some(at(END));
        claims.grace_secs = 60;
        claims.warn_secs = Some(30);
    });
    let status = |ms: i64| judge(&license, &Facts::at(at(END).plus_ms(ms))).status();
    assert_eq!(status(-30_001), Status::Valid);
    assert_eq!(status(-30_000), Status::ExpiringSoon);
    assert_eq!(status(-1), Status::ExpiringSoon);
    assert_eq!(status(0), Status::InGrace);
    assert_eq!(status(59_999), Status::InGrace);
    assert_eq!(status(60_000), Status::Expired);
}

#[test]
fn a_verdict_says_when_it_may_change() {
    let license = verified(|claims| {
        claims.not_before = Some(at(ISSUED + 50));
        claims.expires_at = Some(at(END));
        claims.grace_secs = 60;
    });
    let mut now = at(ISSUED);
    let mut seen = vec![judge(&license, &Facts::at(now)).status()];
    while let Some(next) = judge(&license, &Facts::at(now)).changes_at() {
        assert!(next > now);
        let before = judge(&license, &Facts::at(next.plus_ms(-1))).status();
        assert_eq!(Some(&before), seen.last());
        now = next;
        seen.push(judge(&license, &Facts::at(now)).status());
    }
    let story = [
        Status::NotYetValid,
        Status::Valid,
        Status::ExpiringSoon,
        Status::InGrace,
        Status::Expired,
    ];
    assert_eq!(seen, story);
}

#[test]
fn strategies_differ_after_the_end() {
    let verdict = |on_expiry, released: Option<i64>| {
        let license = verified(|claims| {
            claims.expires_at = Some(at(END));
            claims.on_expiry = on_expiry;
        });
        let mut facts = Facts::at(at(END + 1));
        facts.released_at = released.map(at);
        let verdict = judge(&license, &facts);
        (verdict.status(), verdict.is_allowed())
    };
    assert_eq!(
        verdict(OnExpiry::Restrict, Some(END - 1)),
        (Status::Expired, false)
    );
    assert_eq!(
        verdict(OnExpiry::Maintain, Some(END)),
        (Status::Valid, true)
    );
    assert_eq!(
        verdict(OnExpiry::Maintain, Some(END + 1)),
        (Status::Expired, false)
    );
    assert_eq!(verdict(OnExpiry::Maintain, None), (Status::Expired, false));
    assert_eq!(verdict(OnExpiry::Allow, None), (Status::Expired, true));
}

#[test]
fn a_license_that_goes_on_still_needs_its_device() {
    let license = verified(|claims| {
        claims.expires_at = Some(at(END));
        claims.on_expiry = OnExpiry::Allow;
        claims.binding = Binding::NodeLocked;
    });
    let verdict = judge(&license, &Facts::at(at(END + 1)));
    assert_eq!(verdict.status(), Status::DeviceNotActivated);
}

#[test]
fn updates_end_with_the_release_date() {
    let license = verified(|claims| claims.updates_until = Some(at(END)));
    let status = |released: Option<i64>| {
        let mut facts = Facts::at(at(END + 1));
        facts.released_at = released.map(at);
        judge(&license, &facts).status()
    };
    assert_eq!(status(Some(END)), Status::Valid);
    assert_eq!(status(Some(END + 1)), Status::WrongVersion);
    assert_eq!(status(None), Status::WrongVersion);
}

#[test]
fn devices_and_hosts_must_match() {
    let license = verified(|claims| claims.binding = Binding::Floating);
    let status = |device| {
        judge(
            &license,
            &Facts {
                device,
                ..Facts::at(at(ISSUED))
            },
        )
        .status()
    };
    assert_eq!(status(None), Status::DeviceNotActivated);
    assert_eq!(status(device(9, Some(activation(9)))), Status::Valid);
    assert_eq!(status(device(9, Some(activation(8)))), Status::WrongDevice);
    let moved = ActivationFacts {
        host_matches: false,
        ..activation(9)
    };
    assert_eq!(status(device(9, Some(moved))), Status::WrongDevice);
    let other = LicenseId::from_bytes([2; 16]);
    let foreign = ActivationFacts {
        license: other,
        ..activation(9)
    };
    assert_eq!(status(device(9, Some(foreign))), Status::WrongDevice);
}

#[test]
fn a_license_without_dates_ignores_the_clock() {
    let license = verified(|_| ());
    let clock = ClockState::Suspect { ran_ms: i64::MAX };
    let verdict = judge(
        &license,
        &Facts {
            clock,
            ..Facts::at(at(0))
        },
    );
    assert_eq!(verdict.status(), Status::Valid);
}

#[test]
fn days_are_those_of_the_calendar() {
    let cases = [
        (0, "1970-01-01"),
        (951_782_400, "2000-02-29"),
        (1_798_675_200, "2026-12-31"),
    ];
    for (secs, expected) in cases {
        assert_eq!(day(at(secs)), expected);
    }
}

fn listed(max_age_secs: u32, action: StaleAction, grace_secs: u32) -> VerifiedLicense {
    verified(|claims| {
        claims.status = Some(ListEntry { list: 1, index: 5 });
        claims.freshness = Some(Freshness {
            max_age_secs,
            action,
            grace_secs,
        });
    })
}

#[test]
fn freshness_is_exact_to_the_second() {
    let (listed_at, age, grace) = (ISSUED + 1_000, 600, 60);
    let judged = |action, secs: i64, listed_at: Option<i64>| {
        let standing = Standing {
            listed_at: listed_at.map(at),
            ..Standing::default()
        };
        let facts = Facts {
            standing,
            ..Facts::at(at(secs))
        };
        let verdict = judge(&listed(age, action, grace), &facts);
        (verdict.status(), verdict.is_allowed(), verdict.changes_at())
    };
    let stale = listed_at + 600;
    let lock = |secs| judged(StaleAction::Lock, secs, Some(listed_at));
    let (valid, late) = (Status::Valid, Status::RevocationsStale);
    assert_eq!(lock(stale - 1), (valid, true, Some(at(stale))));
    assert_eq!(lock(stale), (late, true, Some(at(stale + 60))));
    assert_eq!(lock(stale + 1), (late, true, Some(at(stale + 60))));
    assert_eq!(lock(stale + 59), (late, true, Some(at(stale + 60))));
    assert_eq!(lock(stale + 60), (late, false, None));
    let warn = |secs| judged(StaleAction::Warn, secs, Some(listed_at));
    assert_eq!(warn(stale - 1), (valid, true, Some(at(stale))));
    assert_eq!(warn(stale), (late, true, None));
    assert_eq!(warn(stale * 2), (late, true, None));
    let ignore = judged(StaleAction::Ignore, stale * 2, None);
    assert_eq!(ignore, (valid, true, None));
    // Without a list the license's own issue is the last word; an older list changes nothing.
    for listed_at in [None, Some(ISSUED - 500)] {
        let lock = |secs| judged(StaleAction::Lock, secs, listed_at).0;
        assert_eq!(lock(ISSUED + 599), valid);
        assert_eq!(lock(ISSUED + 600), late);
    }
}

#[test]
fn a_key_ends_at_its_second() {
    let license = verified(|_| ());
    let judged = |secs: i64| {
        let standing = Standing {
            replace_by: Some(at(END)),
            ..Standing::default()
        };
        let facts = Facts {
            standing,
            ..Facts::at(at(secs))
        };
        let verdict = judge(&license, &facts);
        (verdict.status(), verdict.is_allowed(), verdict.changes_at())
    };
    assert_eq!(judged(END - 1), (Status::ReplaceBy, true, Some(at(END))));
    assert_eq!(judged(END), (Status::KeyRevoked, false, None));
    assert_eq!(judged(END + 1), (Status::KeyRevoked, false, None));
}

#[test]
fn a_sunset_frees_what_was_not_over() {
    let license = verified(|claims| {
        claims.expires_at = Some(at(END));
        claims.grace_secs = 60;
        claims.binding = Binding::Floating;
        claims.status = Some(ListEntry { list: 1, index: 5 });
        claims.freshness = Some(Freshness {
            max_age_secs: 60,
            action: StaleAction::Lock,
            grace_secs: 0,
        });
    });
    let judged = |sunset: Option<i64>, revoked: bool, device| {
        let standing = Standing {
            sunset: sunset.map(at),
            revoked,
            ..Standing::default()
        };
        let facts = Facts {
            standing,
            device,
            ..Facts::at(at(END * 2))
        };
        judge(&license, &facts).status()
    };
    let over = ActivationFacts {
        expires_at: Some(at(ISSUED)),
        ..activation(9)
    };
    for device in [None, device(9, None), device(9, Some(over))] {
        assert_eq!(judged(None, false, device), Status::Expired);
        assert_eq!(judged(Some(ISSUED), false, device), Status::Valid);
        assert_eq!(judged(Some(END + 59), false, device), Status::Valid);
        assert_eq!(judged(Some(END + 60), false, device), Status::Expired);
        assert_eq!(judged(Some(ISSUED), true, device), Status::Revoked);
    }
}

#[test]
fn a_revoked_key_of_the_activation_counts_too() {
    let standing = |license, activation| {
        let standing = Standing {
            replace_by: license,
            ..Standing::default()
        };
        standing.with_revoked_from(activation).replace_by
    };
    let (early, late) = (Some(at(1)), Some(at(2)));
    assert_eq!(standing(None, None), None);
    assert_eq!(standing(early, None), early);
    assert_eq!(standing(None, late), late);
    assert_eq!(standing(late, early), early);
    assert_eq!(standing(early, late), early);
}
