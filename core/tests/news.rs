//! What reaches a device after it was built: the time, key sets, revocation lists.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::sync::Arc;

use common::{Fault, NOW, PRODUCT, Server, open_at, sync};
use mintreu::activation::{Request, Wanted};
use mintreu::document::{Kind, SigningKey, from_text, to_qr, to_text};
use mintreu::license::{
    Binding, Certificate, Freshness, KeySet, ListEntry, Products, Revocations, RevokedKey,
    StaleAction, Status, issue,
};
use mintreu::{Engine, FixedClock, Installed, Timestamp, sync as paths};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn dated() -> Server {
    let mut server = Server::new(Fault::None);
    server.license.expires_at = Some(NOW.plus_ms(365 * DAY));
    server
}

fn status(engine: &Engine) -> Status {
    engine.verdict().unwrap().status()
}

#[test]
fn a_clock_that_was_set_back_is_put_right_by_syncing() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = dated();
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    assert_eq!(status(&engine), Status::Valid);
    // A year ahead for a moment, then right again.
    clock.set(NOW.plus_ms(364 * DAY));
    assert_eq!(status(&engine), Status::ExpiringSoon);
    clock.set(NOW);
    assert_eq!(status(&engine), Status::ClockSuspect);
    for _ in 0..71 {
        clock.advance(3_600_000);
        assert_eq!(status(&engine), Status::ClockSuspect);
    }
    drop(engine);
    let engine = open_at(dir.path(), &server, clock.clone());
    for _ in 0..3 {
        clock.advance(3_600_000);
        status(&engine);
    }
    assert_eq!(status(&engine), Status::ClockRefused, "the budget is over");
    assert_eq!(engine.check("x").unwrap_err().code(), "clock_refused");
    server.now = mintreu::Clock::now(&*clock);
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid);
    drop(engine);
    let engine = open_at(dir.path(), &server, clock.clone());
    assert_eq!(status(&engine), Status::Valid, "kept on the disk");
    clock.restart();
    assert_eq!(status(&engine), Status::Valid);
}

/// A device without a network, its clock a day behind a signed document.
fn doubtful(dir: &std::path::Path) -> (Server, Arc<FixedClock>, Engine) {
    let mut server = dated();
    server.license.issued_at = NOW;
    let clock = Arc::new(FixedClock::at(NOW.plus_ms(-DAY)));
    let engine = open_at(dir, &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    assert_eq!(status(&engine), Status::ClockSuspect);
    (server, clock, engine)
}

#[test]
fn a_question_for_the_time_fits_a_code_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, clock, engine) = doubtful(dir.path());
    let asked = engine.time_request().unwrap();
    assert_eq!(
        engine.time_request().unwrap(),
        asked,
        "the same while young"
    );
    let bytes = from_text(&asked).unwrap();
    let (device, request) = Request::verify(&bytes).unwrap();
    assert_eq!((device, request.wanted), (engine.device(), Wanted::Time));
    assert_eq!(to_qr(&bytes).unwrap().len(), 1);
    clock.advance(3_600_000);
    let (_, answer) = server.handle(paths::TIME, &bytes);
    assert_eq!(to_qr(&answer).unwrap().len(), 1);
    for bit in 0..answer.len() * 8 {
        let mut flipped = answer.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(engine.install_bytes(&flipped).is_err(), "bit {bit}");
    }
    assert_eq!(engine.install(&to_text(&answer)).unwrap(), Installed::Time);
    assert_eq!(status(&engine), Status::Valid);
    // It was an answer to one question.
    assert_eq!(
        engine.install_bytes(&answer).unwrap_err().code(),
        "challenge_mismatch"
    );
}

#[test]
fn an_answer_for_another_device_or_too_late_ends_no_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, clock, engine) = doubtful(dir.path());
    let bytes = from_text(&engine.time_request().unwrap()).unwrap();
    let nonce = Request::verify(&bytes).unwrap().1.nonce;
    let stranger = *SigningKey::from_seed(&[9; 32]).public();
    let answer = server.proof(stranger, nonce);
    let code = |answer: &[u8]| engine.install_bytes(answer).unwrap_err().code();
    assert_eq!(code(&answer), "challenge_mismatch");
    assert_eq!(
        code(&server.proof(engine.device(), [1; 16])),
        "challenge_mismatch"
    );
    let (_, answer) = server.handle(paths::TIME, &bytes);
    clock.advance(86_400_000 + 2000);
    assert_eq!(code(&answer), "challenge_late");
    assert_eq!(status(&engine), Status::ClockSuspect);
    let bytes = from_text(&engine.time_request().unwrap()).unwrap();
    let (_, answer) = server.handle(paths::TIME, &bytes);
    clock.restart();
    assert_eq!(code(&answer), "challenge_late", "started again since");
    let bytes = from_text(&engine.time_request().unwrap()).unwrap();
    let (_, answer) = server.handle(paths::TIME, &bytes);
    engine.install_bytes(&answer).unwrap();
    assert_eq!(status(&engine), Status::Valid);
}

#[test]
fn news_are_asked_for_once_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = dated();
    server.license.status = Some(ListEntry { list: 4, index: 9 });
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    let asked = |engine: &Engine, server: &mut Server| {
        let mut paths = Vec::new();
        while let Some(request) = engine.next_request().unwrap() {
            let (status, body) = server.handle(&request.path, &request.body);
            engine.on_response(status, &body).unwrap();
            paths.push(request.path);
        }
        paths
    };
    let first = asked(&engine, &mut server);
    let news = [
        paths::TIME.to_owned(),
        paths::keyset_path(PRODUCT, 0),
        paths::revocations_path(PRODUCT, 4, (0, 0)),
    ];
    assert!(news.iter().all(|path| first.contains(path)), "{first:?}");
    assert!(asked(&engine, &mut server).is_empty());
    clock.advance(86_400_000);
    server.now = NOW.plus_ms(DAY);
    assert_eq!(asked(&engine, &mut server).len(), 3);
    clock.advance(86_400_000);
    server.now = NOW.plus_ms(2 * DAY);
    let first = engine.next_request().unwrap().unwrap();
    assert_eq!(first.path, paths::TIME);
    assert_eq!(
        engine.next_request().unwrap().as_ref(),
        Some(&first),
        "the same until answered"
    );
    // What finds no answer holds up nothing else, and is asked again by the next sync.
    assert!(engine.on_response(503, b"").is_err());
    assert_eq!(asked(&engine, &mut server).len(), 2);
    assert_eq!(asked(&engine, &mut server).len(), 3);
    assert!(asked(&engine, &mut server).is_empty());
}

fn list(server: &Server, version: u64, at: Timestamp, revoked: &[u32]) -> Vec<u8> {
    let mut list = Revocations::new(PRODUCT, 4, 1000).unwrap();
    for &index in revoked {
        list.revoke(index).unwrap();
    }
    list.at(version, at).issue(server.root(), &[]).unwrap()
}

#[test]
fn a_revoked_license_stops_by_sync_or_file_and_no_older_list_brings_it_back() {
    for by_sync in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = dated();
        server.license.status = Some(ListEntry { list: 4, index: 9 });
        let clock = Arc::new(FixedClock::at(NOW));
        let engine = open_at(dir.path(), &server, clock.clone());
        engine.install_bytes(&server.license_bundle()).unwrap();
        let clean = list(&server, 1, NOW, &[8, 10]);
        engine.install_bytes(&clean).unwrap();
        assert_eq!(status(&engine), Status::Valid);
        let revoked = list(&server, 2, NOW, &[8, 9, 10]);
        if by_sync {
            server.lists.insert(4, revoked.clone());
            sync(&engine, &mut server);
        } else {
            assert_eq!(
                engine.install(&to_text(&revoked)).unwrap(),
                Installed::Revocations(4)
            );
        }
        assert_eq!(status(&engine), Status::Revoked);
        assert_eq!(engine.install_bytes(&clean).unwrap_err().code(), "list_old");
        drop(engine);
        let engine = open_at(dir.path(), &server, clock);
        assert_eq!(status(&engine), Status::Revoked, "kept on the disk");
        let again = list(&server, 3, NOW, &[8, 10]);
        engine.install_bytes(&again).unwrap();
        assert_eq!(status(&engine), Status::Valid, "reinstated");
    }
}

#[test]
fn a_list_is_fresh_to_the_second() {
    for (action, stale, locked) in [
        (StaleAction::Ignore, Status::Valid, Status::Valid),
        (
            StaleAction::Warn,
            Status::RevocationsStale,
            Status::RevocationsStale,
        ),
        (
            StaleAction::Lock,
            Status::RevocationsStale,
            Status::RevocationsStale,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = dated();
        server.license.status = Some(ListEntry { list: 4, index: 9 });
        server.license.freshness = Some(Freshness {
            max_age_secs: 86_400,
            action,
            grace_secs: 3_600,
        });
        let clock = Arc::new(FixedClock::at(NOW));
        let engine = open_at(dir.path(), &server, clock.clone());
        engine.install_bytes(&server.license_bundle()).unwrap();
        engine.install_bytes(&list(&server, 1, NOW, &[])).unwrap();
        let at = |ms: i64| {
            clock.set(NOW.plus_ms(ms));
            let verdict = engine.verdict().unwrap();
            (verdict.status(), verdict.is_allowed())
        };
        assert_eq!(at(DAY - 1000), (Status::Valid, true), "{action:?}");
        assert_eq!(at(DAY + 1000), (stale, true), "{action:?}");
        let lock = DAY + HOUR;
        assert_eq!(at(lock - 1000), (stale, true), "{action:?}");
        let allowed = action != StaleAction::Lock;
        assert_eq!(at(lock + 1000), (locked, allowed), "{action:?}");
        let newer = list(&server, 1, NOW.plus_ms(lock), &[]);
        engine.install_bytes(&newer).unwrap();
        assert_eq!(at(lock + 2000), (Status::Valid, true), "{action:?}");
    }
}

#[test]
fn a_stolen_key_dies_and_the_license_that_was_signed_again_lives() {
    let dir = tempfile::tempdir().unwrap();
    let server = dated();
    let stolen = SigningKey::from_seed(&[3; 32]);
    let certificate = |key: &SigningKey| {
        let certificate = mintreu::license::Certificate {
            key: *key.public(),
            kinds: vec![
                mintreu::document::Kind::License,
                mintreu::document::Kind::Revocations,
            ],
            products: mintreu::license::Products::Any,
            issued_at: NOW,
            signs_from: NOW,
            signs_until: None,
            delegate: false,
            licenses: None,
        };
        certificate.issue(server.root()).unwrap()
    };
    let old = certificate(&stolen);
    let mut claims = server.license.clone();
    claims.status = Some(ListEntry { list: 4, index: 9 });
    let bundle = issue(&claims, &stolen, &[&old]).unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&bundle).unwrap();
    // Whoever stole the key withdraws everything, with a version that no other list passes.
    let mut forged = Revocations::new(PRODUCT, 4, 1000).unwrap();
    forged.revoke(9).unwrap();
    let forged = forged.at(1 << 52, NOW).issue(&stolen, &[&old]).unwrap();
    engine.install_bytes(&forged).unwrap();
    assert_eq!(status(&engine), Status::Revoked);
    let fresh = SigningKey::from_seed(&[5; 32]);
    let new = certificate(&fresh);
    let set = |licenses: Vec<Vec<u8>>, version: u64, from: Timestamp| {
        let set = KeySet {
            certificates: vec![new.clone()],
            revoked: vec![RevokedKey {
                key: *stolen.public(),
                from,
            }],
            licenses,
            ..KeySet::new(version, NOW)
        };
        set.issue(server.root()).unwrap()
    };
    let later = NOW.plus_ms(10 * DAY);
    engine.install_bytes(&set(Vec::new(), 1, later)).unwrap();
    let list = Revocations::new(PRODUCT, 4, 1000).unwrap();
    let list = list.at(1, NOW).issue(&fresh, &[&new]).unwrap();
    engine.install_bytes(&list).unwrap();
    assert_eq!(status(&engine), Status::ReplaceBy, "the list is replaced");
    assert!(engine.verdict().unwrap().is_allowed());
    clock.set(later);
    assert_eq!(status(&engine), Status::KeyRevoked);
    let again = issue(&claims, &fresh, &[&new]).unwrap();
    engine.install_bytes(&set(vec![again], 2, later)).unwrap();
    assert_eq!(status(&engine), Status::Valid);
    assert_eq!(
        engine.install_bytes(&forged).unwrap_err().code(),
        "key_revoked"
    );
    drop(engine);
    let engine = open_at(dir.path(), &server, clock);
    assert_eq!(status(&engine), Status::Valid, "kept on the disk");
    assert_eq!(
        engine
            .install_bytes(&set(Vec::new(), 1, later))
            .unwrap_err()
            .code(),
        "keyset_old"
    );
}

#[test]
fn an_activation_of_a_stolen_key_is_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = dated();
    server.license.binding = Binding::NodeLocked;
    let certified = |server: &Server, seed| {
        let key = SigningKey::from_seed(&[seed; 32]);
        let certificate = Certificate {
            key: *key.public(),
            kinds: vec![Kind::Activation],
            products: Products::Any,
            issued_at: NOW,
            signs_from: NOW,
            signs_until: None,
            delegate: false,
            licenses: None,
        };
        let certificate = certificate.issue(server.root()).unwrap();
        (key, certificate)
    };
    let stolen = certified(&server, 3);
    server.signer = Some(stolen.clone());
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid);
    let mut set = KeySet::new(1, NOW);
    set.revoked = vec![RevokedKey {
        key: *stolen.0.public(),
        from: NOW,
    }];
    engine
        .install_bytes(&set.issue(server.root()).unwrap())
        .unwrap();
    assert_eq!(status(&engine), Status::KeyRevoked);
    // Whoever still signs with the stolen key is asked once a sync, not without end.
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::KeyRevoked);
    server.signer = Some(certified(&server, 5));
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid);
}
