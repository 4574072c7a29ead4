use super::*;
use crate::document::SigningKey;
use crate::license::{Trust, VersionRange, issue, verify};

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

/// A license and facts in which every check from `first` on applies, and none before it.
fn all_wrong_from(first: Status) -> (VerifiedLicense, Facts) {
    let wrong = |status: Status| status >= first;
    let license = verified(|claims| {
        claims.expires_at = Some(at(END));
        claims.grace_secs = 10 * DAY_SECS as u32;
        claims.binding = Binding::NodeLocked;
        let bound = if wrong(Status::WrongDevice) { 8 } else { 9 };
        claims.device = Some(*SigningKey::from_seed(&[bound; 32]).public());
        if wrong(Status::NotYetValid) {
            claims.expires_at = Some(at(END + 1_000 * DAY_SECS));
            claims.not_before = Some(at(END + 900 * DAY_SECS));
        }
        if wrong(Status::WrongVersion) {
            claims.versions = VersionRange {
                from: None,
                below: "2".parse().ok(),
            };
        }
    });
    let ended = wrong(Status::Expired) && !wrong(Status::NotYetValid);
    let now = match first {
        _ if ended => END + 11 * DAY_SECS,
        Status::ExpiringSoon | Status::ClockSuspect => END - 1,
        Status::Valid => ISSUED,
        _ => END + 1,
    };
    let ran_ms = if wrong(Status::ClockRefused) {
        i64::MAX
    } else {
        0
    };
    let suspect = wrong(Status::ClockSuspect);
    let lease = wrong(Status::LeaseOver).then(|| at(ISSUED));
    let seat = (first >= Status::LeaseOver).then(|| ActivationFacts {
        expires_at: lease,
        ..activation(9)
    });
    let facts = Facts {
        now: at(now),
        clock: if suspect {
            ClockState::Suspect { ran_ms }
        } else {
            ClockState::Sound
        },
        version: "2.1".parse().ok(),
        released_at: Some(at(END)),
        device: device(9, seat),
        ..Facts::default()
    };
    (license, facts)
}

#[test]
fn the_first_check_that_applies_is_the_verdict() {
    let judged = [
        Status::ClockRefused,
        Status::NotYetValid,
        Status::Expired,
        Status::WrongVersion,
        Status::WrongDevice,
        Status::DeviceNotActivated,
        Status::LeaseOver,
        Status::InGrace,
        Status::ClockSuspect,
        Status::ExpiringSoon,
        Status::Valid,
    ];
    for status in judged {
        let (license, facts) = all_wrong_from(status);
        let verdict = judge(&license, &facts);
        assert_eq!(verdict.status(), status, "{}", verdict.sentence());
        assert_eq!(
            verdict.is_allowed(),
            status >= Status::InGrace,
            "{status:?}"
        );
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
