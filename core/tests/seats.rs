//! Seats: floating, borrowed, given back with and without a network, several on one device.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::sync::Arc;

use common::{Fault, NOW, Server, open_at, sync};
use mintreu::activation::{Deactivation, Lease, Request};
use mintreu::document::{from_text, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Binding, Entitlement, QuotaClaim, Status, issue};
use mintreu::meter::{Decision, Window};
use mintreu::{Engine, FixedClock, Installed, Options, Stacking, sync as paths};

const HOUR: u32 = 3_600_000;

fn floating(seat_secs: u32) -> Server {
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::Floating;
    server.seat_secs = Some(seat_secs);
    server
}

fn status(engine: &Engine) -> Status {
    engine.verdict().unwrap().status()
}

/// Lets time go by for the device and the server.
fn pass(clock: &FixedClock, server: &mut Server, ms: u32) {
    clock.advance(ms);
    server.now = server.now.plus_ms(i64::from(ms));
}

#[test]
fn a_floating_seat_is_kept_by_syncing_and_ends_without() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = floating(3600);
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    assert_eq!(status(&engine), Status::DeviceNotActivated);
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid);
    let license = server.license.id;
    let first = engine.seat_ends_at(license).unwrap();
    pass(&clock, &mut server, HOUR / 4);
    sync(&engine, &mut server);
    assert_eq!(engine.seat_ends_at(license), Some(first), "not half over");
    for _ in 0..50 {
        pass(&clock, &mut server, HOUR * 6 / 10);
        sync(&engine, &mut server);
        assert_eq!(status(&engine), Status::Valid);
    }
    let last = engine.seat_ends_at(license).unwrap();
    assert_eq!(last, server.now.plus_ms(i64::from(HOUR)));
    drop(engine);
    let engine = open_at(dir.path(), &server, clock.clone());
    assert_eq!(engine.seat_ends_at(license), Some(last), "kept on the disk");
    clock.advance(HOUR - 1);
    assert_eq!(status(&engine), Status::Valid);
    clock.advance(1);
    assert_eq!(status(&engine), Status::LeaseOver, "to the millisecond");
    server.now = clock_now(&clock);
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid, "asked for again");
}

fn clock_now(clock: &FixedClock) -> mintreu::Timestamp {
    mintreu::Clock::now(clock)
}

#[test]
fn a_seat_is_borrowed_for_days_by_network_or_by_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = floating(3600);
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    assert_eq!(
        engine.borrow(None, 1).unwrap_err().code(),
        "nothing_activated"
    );
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    let license = server.license.id;
    engine.borrow(None, 7 * 86_400).unwrap();
    sync(&engine, &mut server);
    let week = NOW.plus_ms(7 * 24 * i64::from(HOUR));
    assert_eq!(engine.seat_ends_at(license), Some(week));
    pass(&clock, &mut server, HOUR * 24);
    engine.borrow(Some(license), 30 * 86_400).unwrap();
    let request = from_text(&engine.activation_request().unwrap()).unwrap();
    let (_, lease) = server.handle(paths::ACTIVATIONS, &request);
    let code = to_text(&lease);
    assert!(code.len() <= 4 + 180, "{} characters", code.len());
    let installed = engine.install(&code).unwrap();
    assert_eq!(installed, Installed::Lease(license));
    let month = server.now.plus_ms(30 * 24 * i64::from(HOUR));
    assert_eq!(engine.seat_ends_at(license), Some(month));
    // An older lease takes nothing away, on the disk neither.
    let older = Lease {
        issued_at: NOW,
        activation: Request::verify(&request).unwrap().1.renews.unwrap(),
        seconds: 60,
    };
    let older = older.issue(server.root(), &[]).unwrap();
    engine.install_bytes(&older).unwrap();
    assert_eq!(engine.seat_ends_at(license), Some(month));
    drop(engine);
    let engine = open_at(dir.path(), &server, clock);
    assert_eq!(engine.seat_ends_at(license), Some(month));
}

#[test]
fn a_seat_that_can_be_kept_no_longer_is_asked_for_at_half_of_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = floating(3600);
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    // Whoever lends can't go beyond this end.
    let end = engine.seat_ends_at(server.license.id).unwrap();
    for left in [1800, 900, 450] {
        pass(&clock, &mut server, left * 1000);
        server.seat_secs = Some(left);
        assert!(engine.next_request().unwrap().is_some(), "{left}");
        sync(&engine, &mut server);
        assert_eq!(engine.seat_ends_at(server.license.id), Some(end));
        assert_eq!(engine.next_request().unwrap(), None, "{left}");
    }
}

#[test]
fn a_lease_is_good_for_one_activation() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = floating(3600);
    let clock = Arc::new(FixedClock::at(NOW));
    let open = |dir: &tempfile::TempDir| open_at(dir.path(), &server, clock.clone());
    let (one, other) = (open(&one), open(&other));
    for engine in [&one, &other] {
        engine.install_bytes(&server.license_bundle()).unwrap();
        sync(engine, &mut server);
    }
    one.borrow(None, 86_400).unwrap();
    let request = from_text(&one.activation_request().unwrap()).unwrap();
    let (_, lease) = server.handle(paths::ACTIVATIONS, &request);
    assert_eq!(
        other.install_bytes(&lease).unwrap_err().code(),
        "lease_mismatch"
    );
    for bit in 0..lease.len() * 8 {
        let mut flipped = lease.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(one.install_bytes(&flipped).is_err(), "bit {bit}");
    }
    one.install_bytes(&lease).unwrap();
}

#[test]
fn a_seat_is_given_back_online() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    engine.record("renders", 3).unwrap();
    engine.deactivate(None).unwrap();
    assert_eq!(status(&engine), Status::DeviceNotActivated);
    drop(engine);
    let engine = open_at(dir.path(), &server, clock);
    assert_eq!(status(&engine), Status::DeviceNotActivated);
    sync(&engine, &mut server);
    assert_eq!(server.given_back.len(), 1);
    assert_eq!(server.billed("renders"), 3, "what was counted is billed");
    sync(&engine, &mut server);
    assert_eq!(
        status(&engine),
        Status::DeviceNotActivated,
        "a seat given back isn't taken again by itself"
    );
    engine.activate(server.license.id).unwrap();
    sync(&engine, &mut server);
    assert_eq!(status(&engine), Status::Valid);
    let stranger = LicenseId::from_bytes([9; 16]);
    assert_eq!(
        engine.activate(stranger).unwrap_err().code(),
        "not_licensed"
    );
}

#[test]
fn a_seat_is_given_back_by_text_and_the_old_activation_is_dead() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    let request = from_text(&engine.activation_request().unwrap()).unwrap();
    let (_, activation) = server.handle(paths::ACTIVATIONS, &request);
    engine.install_bytes(&activation).unwrap();
    assert_eq!(status(&engine), Status::Valid);
    let said = from_text(&engine.deactivate(None).unwrap()).unwrap();
    let (device, deactivation) = Deactivation::verify(&said).unwrap();
    assert_eq!(
        (device, deactivation.license),
        (engine.device(), server.license.id)
    );
    assert_eq!(
        engine.install_bytes(&activation).unwrap_err().code(),
        "activation_mismatch"
    );
    assert_eq!(
        engine.deactivate(None).unwrap_err().code(),
        "nothing_activated"
    );
    let (_, heard) = server.handle(paths::DEACTIVATIONS, &said);
    assert_eq!(engine.install_bytes(&heard).unwrap(), Installed::Time);
    assert_eq!(
        engine.install_bytes(&heard).unwrap_err().code(),
        "challenge_mismatch"
    );
    for bit in 0..said.len() * 8 {
        let mut flipped = said.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Deactivation::verify(&flipped).is_err(), "bit {bit}");
    }
}

/// Two licenses of one product on one device.
fn two(stacking: Stacking) -> (tempfile::TempDir, Engine, LicenseId) {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    let options = Options {
        clock: Arc::new(FixedClock::at(NOW)),
        stacking,
        ..Options::default()
    };
    let engine = Engine::open_with(dir.path(), server.trust(), options).unwrap();
    let renders = "renders".parse::<mintreu::license::Name>().unwrap();
    let projects = "projects".parse::<mintreu::license::Name>().unwrap();
    let mut last = server.license.id;
    for (id, units, extra) in [(7, 500, "basic"), (8, 300, "pro")] {
        let mut claims = server.license.clone();
        claims.id = LicenseId::from_bytes([id; 16]);
        claims.binding = Binding::NodeLocked;
        claims.quotas.clear();
        let quota = QuotaClaim::new(units, Window::Lifetime);
        claims.quotas.insert(renders.clone(), quota);
        let limit = Entitlement::Limit(units);
        claims.entitlements.insert(projects.clone(), limit);
        let feature = extra.parse().unwrap();
        claims.entitlements.insert(feature, Entitlement::Granted);
        engine
            .install_bytes(&issue(&claims, server.root(), &[]).unwrap())
            .unwrap();
        last = claims.id;
        server.license = claims;
        sync(&engine, &mut server);
    }
    (dir, engine, last)
}

#[test]
fn several_licenses_unite_their_features_and_take_the_largest_limit_or_the_sum() {
    for (stacking, projects) in [(Stacking::Largest, 500), (Stacking::AddUp, 800)] {
        let (_dir, engine, last) = two(stacking);
        assert_eq!(engine.check("basic").unwrap(), Entitlement::Granted);
        assert_eq!(engine.check("pro").unwrap(), Entitlement::Granted);
        let limit = engine.check("projects").unwrap();
        assert_eq!(limit, Entitlement::Limit(projects), "{stacking:?}");
        let Decision::Granted { remaining, .. } = engine.consume("renders", 1).unwrap() else {
            panic!("refused");
        };
        assert_eq!(remaining, Some(projects - 1), "{stacking:?}");
        assert_eq!(
            engine.deactivate(None).unwrap_err().code(),
            "license_ambiguous"
        );
        engine.deactivate(Some(last)).unwrap();
        assert_eq!(engine.check("basic").unwrap(), Entitlement::Granted);
        assert_eq!(engine.check("pro").unwrap_err().code(), "not_entitled");
    }
}

#[test]
fn a_server_that_takes_no_usage_keeps_seats_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = floating(3600);
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    engine.record("renders", 3).unwrap();
    engine.deactivate(None).unwrap();
    engine.activate(server.license.id).unwrap();
    let mut asked = Vec::new();
    for elsewhere in [
        &[paths::SEGMENTS, paths::DEACTIVATIONS][..],
        &[paths::SEGMENTS],
    ] {
        while let Some(request) = engine.next_request().unwrap() {
            let (status, body) = match elsewhere.contains(&request.path.as_str()) {
                true => (501, Vec::new()),
                false => server.handle(&request.path, &request.body),
            };
            engine.on_response(status, &body).unwrap();
            asked.push(request.path);
        }
    }
    let (usage, back, seat) = (paths::SEGMENTS, paths::DEACTIVATIONS, paths::ACTIVATIONS);
    assert_eq!(asked, [usage, back, seat, usage, back], "nothing is lost");
    assert_eq!(status(&engine), Status::Valid);
    assert_eq!((server.given_back.len(), server.billed("renders")), (1, 0));
    pass(&clock, &mut server, HOUR / 4);
    sync(&engine, &mut server);
    assert_eq!(server.billed("renders"), 3, "and taken where it is taken");
    // To everything else it is a failure like every other.
    engine.borrow(None, 86_400).unwrap();
    assert!(engine.next_request().unwrap().is_some());
    let refused = engine.on_response(501, b"").unwrap_err();
    assert_eq!(refused.code(), "server_unavailable");
}
