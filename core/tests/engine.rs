//! The engine's life on one device: install, check, count, sync, reopen.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{Fault, NOW, Server, counted, open, open_at, sync};
use mintreu::activation::{RedeemCode, Request, Wanted};
use mintreu::document::{from_text, to_text};
use mintreu::license::{Binding, Entitlement, Status};
use mintreu::meter::{CellKey, Decision, Export, MAX_BATCH, Receipt, split_batch, verify_chain};
use mintreu::sync::{CONTENT_TYPE, SEGMENTS, SEQUENCE};
use mintreu::{Engine, FixedClock, Installed, Options};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// What the engine would ask for.
fn asked(engine: &Engine) -> Wanted {
    let bytes = from_text(&engine.activation_request().unwrap()).unwrap();
    Request::verify(&bytes).unwrap().1.wanted
}

#[test]
fn a_mistyped_code_is_refused_before_anything_is_asked() {
    let (dir, server) = (folder(), Server::new(Fault::None));
    let engine = open(dir.path(), &server);
    let code = RedeemCode::new("acme", [7; 10]).to_string();
    let mut typo = code.clone().into_bytes();
    typo[12] = if typo[12] == b'7' { b'8' } else { b'7' };
    let typo = String::from_utf8(typo).unwrap();
    let swapped = format!("{}{}{}", &code[..7], &code[8..9], &code[7..8]) + &code[9..];
    assert_ne!(swapped, code);
    for wrong in [&typo, &swapped, &code[1..], &format!("{code}0")] {
        assert_eq!(engine.install(wrong).unwrap_err().code(), "code_mistyped");
    }
    // What was never meant as a code is told so, in other words.
    let other = engine.install("no code at all").unwrap_err();
    assert_eq!(other.code(), "malformed");
    assert_eq!(engine.next_request().unwrap(), None, "nothing is sent");
    engine.install(&code).unwrap();
    assert_eq!(asked(&engine), Wanted::Code(code.parse().unwrap()));
}

#[test]
fn a_seller_s_own_key_becomes_a_license() {
    let (dir, mut server) = (folder(), Server::new(Fault::None));
    server.license.binding = Binding::NodeLocked;
    let engine = open(dir.path(), &server);
    let long = "x".repeat(129);
    for wrong in ["", "  short  ", "with a\nnew line", &long] {
        let refused = engine.exchange(wrong).unwrap_err();
        assert_eq!(refused.code(), "seller_key_malformed");
    }
    assert_eq!(engine.next_request().unwrap(), None);
    engine.exchange(" Old-Shop 4711-AbC \n").unwrap();
    let wanted = asked(&engine);
    assert_eq!(wanted, Wanted::Key("Old-Shop 4711-AbC".to_owned()));
    assert_eq!(format!("{wanted:?}"), "Key(redacted)");
    sync(&engine, &mut server);
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
}

#[test]
fn a_code_becomes_a_license_and_usage_a_bill() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    server
        .license
        .entitlements
        .insert("export-4k".parse().unwrap(), Entitlement::Limit(3));
    let engine = open(dir.path(), &server);
    assert_eq!(
        engine.check("export-4k").unwrap_err().code(),
        "not_licensed"
    );
    assert!(!engine.consume("renders", 1).unwrap().granted());
    engine.record("api.calls", 40).unwrap();
    let code = RedeemCode::generate("acme").unwrap().to_string();
    assert_eq!(engine.install(&code).unwrap(), Installed::Code);
    let first = engine.next_request().unwrap().unwrap();
    let again = engine.next_request().unwrap().unwrap();
    assert_eq!(first, again, "retries are byte-identical");
    sync(&engine, &mut server);
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
    assert_eq!(engine.check("export-4k").unwrap(), Entitlement::Limit(3));
    assert_eq!(engine.check("other").unwrap_err().code(), "not_entitled");
    assert_eq!(
        server.billed("api.calls"),
        40,
        "counted before the activation"
    );
    assert!(engine.consume("renders", 2).unwrap().granted());
    drop(engine);
    let engine = open(dir.path(), &server);
    assert!(engine.recovered().is_empty(), "{:?}", engine.recovered());
    assert_eq!(engine.check("export-4k").unwrap(), Entitlement::Limit(3));
    let left = engine.consume("renders", 1).unwrap();
    assert_eq!(
        left,
        Decision::Granted {
            remaining: Some(497),
            resets_at: None,
            overage: 0,
            crossed: None,
        }
    );
    sync(&engine, &mut server);
    assert_eq!(server.billed("renders"), 3);
    let usage = engine.usage().unwrap();
    assert!(
        usage.iter().all(|cell| cell.acknowledged == cell.counted),
        "{usage:?}"
    );
    assert!(
        engine.next_request().unwrap().is_none(),
        "nothing new, nothing to send"
    );
}

#[test]
fn an_offline_device_is_activated_by_text_alone() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    server.license.binding = Binding::NodeLocked;
    let engine = open(dir.path(), &server);
    assert_eq!(
        engine.activation_request().unwrap_err().code(),
        "nothing_to_activate"
    );
    engine.install(&to_text(&server.license_bundle())).unwrap();
    assert_eq!(
        engine.verdict().unwrap().status(),
        Status::DeviceNotActivated
    );
    let asked = engine.activation_request().unwrap();
    assert_eq!(engine.activation_request().unwrap(), asked);
    let request = mintreu::document::from_text(&asked).unwrap();
    let (_, answer) = server.handle(mintreu::sync::ACTIVATIONS, &request);
    let other = folder();
    let stranger = open(other.path(), &server);
    stranger
        .install(&to_text(&server.license_bundle()))
        .unwrap();
    stranger.activation_request().unwrap();
    assert_eq!(
        stranger.install(&to_text(&answer)).unwrap_err().code(),
        "activation_mismatch"
    );
    let installed = engine.install(&to_text(&answer)).unwrap();
    assert_eq!(installed, Installed::Activation(server.license.id));
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
}

#[test]
fn handles_count_apart_by_subject_and_dimension() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    let calls = engine.meter("api.calls").unwrap();
    calls.record(1);
    calls.subject("customer-1").unwrap().record(10);
    let split = |first: (&str, &str), second: (&str, &str)| {
        let key = CellKey::new("api.calls")
            .unwrap()
            .dimension(first.0, first.1)
            .unwrap();
        engine
            .meter_for(key.dimension(second.0, second.1).unwrap())
            .unwrap()
    };
    split(("region", "eu"), ("tier", "pro")).record(100);
    split(("tier", "pro"), ("region", "eu")).record(100);
    assert_eq!(engine.usage().unwrap().len(), 3);
    sync(&engine, &mut server);
    assert_eq!(server.billed("api.calls"), 211);
}

#[test]
fn reservations_commit_release_and_drop() {
    let dir = folder();
    let server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    let renders = engine.meter("renders").unwrap();
    let left = || match renders.consume(0).unwrap() {
        Decision::Granted { remaining, .. } => remaining.unwrap(),
        refused => panic!("{refused:?}"),
    };
    renders.reserve(100).unwrap().unwrap().commit(30).unwrap();
    assert_eq!((left(), counted(&engine, "renders")), (470, 30));
    drop(renders.reserve(470).unwrap().unwrap());
    renders.reserve(470).unwrap().unwrap().release().unwrap();
    assert_eq!(left(), 470);
    assert!(renders.reserve(471).unwrap().is_err());
    assert_eq!(counted(&engine, "renders"), 30);
}

#[test]
fn threads_share_a_quota_exactly() {
    let dir = folder();
    let server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    let granted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            let (engine, granted) = (engine.clone(), &granted);
            scope.spawn(move || {
                let renders = engine.meter("renders").unwrap();
                for _ in 0..100 {
                    if renders.consume(1).unwrap().granted() {
                        granted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(granted.into_inner(), 500);
    assert_eq!(counted(&engine, "renders"), 500);
}

#[test]
fn a_clock_set_back_is_noticed_and_gains_no_window() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    server.license.expires_at = Some(NOW.plus_ms(86_400_000 * 400));
    let clock = Arc::new(FixedClock::at(NOW));
    let engine = open_at(dir.path(), &server, clock.clone());
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("m", 1).unwrap();
    sync(&engine, &mut server);
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
    clock.set(NOW.plus_ms(-3_600_000));
    assert_eq!(
        engine.verdict().unwrap().status(),
        Status::Valid,
        "the server told the time, and the machine has run since"
    );
    drop(engine);
    clock.restart();
    let engine = open_at(dir.path(), &server, clock.clone());
    assert_eq!(engine.verdict().unwrap().status(), Status::ClockSuspect);
    clock.set(NOW);
    assert_eq!(engine.verdict().unwrap().status(), Status::Valid);
}

#[test]
fn bounds_are_errors_with_codes() {
    let dir = folder();
    let server = Server::new(Fault::None);
    let options = Options {
        cells: 4,
        ..Options::default()
    };
    let engine = Engine::open_with(dir.path(), server.trust(), options).unwrap();
    for index in 0..4 {
        engine.record(&format!("m{index}"), 1).unwrap();
    }
    assert_eq!(engine.record("m4", 1).unwrap_err().code(), "cells_full");
    assert_eq!(
        engine.meter(&"x".repeat(300)).unwrap_err().code(),
        "key_too_long"
    );
    assert_eq!(engine.meter("").unwrap_err().code(), "meter_name_invalid");
    engine.record("m0", u64::MAX).unwrap();
    engine.record("m0", u64::MAX).unwrap();
    assert_eq!(
        counted(&engine, "m0"),
        i64::MAX as u64,
        "a full count stays full"
    );
    assert_eq!(engine.usage().unwrap().len(), 4);
}

#[test]
fn an_export_is_verified_with_public_keys_alone() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    for units in 1..=5 {
        engine.record("api.calls", units).unwrap();
        sync(&engine, &mut server);
    }
    engine.record("api.calls", 100).unwrap();
    assert!(
        engine.next_request().unwrap().is_some(),
        "sealed, and not acknowledged"
    );
    let written = engine.export_usage().unwrap();
    let mut from_outside = Vec::new();
    let counts = Engine::export_folder(dir.path(), &mut |bytes| {
        from_outside.extend_from_slice(bytes);
        Ok(())
    });
    assert_eq!(
        from_outside, written,
        "the folder says the same, engine open or not"
    );
    let counts = counts.unwrap();
    assert_eq!((counts.segments, counts.receipts), (6, 5));
    let mut audit = mintreu::meter::Audit::new(Some(server.trust()));
    audit.feed(&written);
    let report = audit.finish();
    assert!(report.holds(), "{:?}", report.findings);
    let cell = &report.totals[0];
    assert_eq!((cell.units, cell.acknowledged), (115, 15));
    let nothing = folder();
    let missing = Engine::export_folder(nothing.path(), &mut |_| Ok(()));
    assert_eq!(missing.unwrap_err().code(), "journal_missing");
    assert!(
        !nothing.path().join("journal.db").exists(),
        "nothing is made"
    );
    let export = Export::from_bytes(&written).unwrap();
    let receipts: Vec<Receipt> = export
        .receipts
        .iter()
        .map(|bundle| {
            let kind = mintreu::document::Kind::Receipt;
            let opened = mintreu::license::open_bundle(kind, bundle, &server.trust()).unwrap();
            Receipt::from_claims(opened.claims()).unwrap()
        })
        .collect();
    let report = verify_chain(&engine.device(), &export.segments, &receipts).unwrap();
    assert_eq!((report.segments, report.receipts), (6, 5));
    let epoch = &report.epochs[0];
    assert_eq!(
        (epoch.from_seq, epoch.to_seq, epoch.acknowledged),
        (1, 6, 5)
    );
    assert_eq!(epoch.totals[0].units, 115);
    let mut gap = export.segments.clone();
    gap.remove(2);
    assert_eq!(
        verify_chain(&engine.device(), &gap, &receipts)
            .unwrap_err()
            .code(),
        "usage_gap"
    );
    let mut other = receipts.clone();
    other[3].position.head = [9; 32];
    let mismatch = verify_chain(&engine.device(), &export.segments, &other).unwrap_err();
    assert_eq!(mismatch.code(), "receipt_mismatch");
    let bytes = export.to_bytes();
    for cut in 0..bytes.len() {
        assert!(Export::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn a_server_put_back_from_a_backup_is_told_again_in_few_requests() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    let mut backup = None;
    for number in 1..=150 {
        engine.record("m", 1).unwrap();
        sync(&engine, &mut server);
        if number == 10 {
            backup = Some(server.clone());
        }
    }
    server.restore(backup.unwrap());
    assert_eq!(server.billed("m"), 10);
    engine.record("m", 1).unwrap();
    let (mut requests, mut largest) = (0, 0);
    while let Some(request) = engine.next_request().unwrap() {
        if request.path == SEGMENTS {
            requests += 1;
            let segments = split_batch(&request.body).unwrap().len();
            let kind = if segments > 1 { SEQUENCE } else { CONTENT_TYPE };
            assert_eq!(request.content_type, kind);
            largest = largest.max(segments);
        }
        let (status, body) = server.handle(&request.path, &request.body);
        // Its answer is lost once in a while, and the same is sent again.
        if requests % 2 == 0 || request.path != SEGMENTS {
            engine.on_response(status, &body).unwrap();
        }
    }
    assert_eq!(server.billed("m"), 151);
    assert_eq!(
        (requests, largest),
        (8, MAX_BATCH),
        "141 in three, one in vain, each sent twice"
    );
}

#[test]
fn answers_of_strangers_change_nothing() {
    let dir = folder();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("m", 7).unwrap();
    sync(&engine, &mut server);
    engine.record("m", 1).unwrap();
    let sent = engine.next_request().unwrap().unwrap();
    for (status, body) in [
        (500, &b""[..]),
        (302, b"<html>"),
        (200, b""),
        (200, b"{}"),
        (409, b"\xd2"),
    ] {
        assert!(engine.on_response(status, body).is_err());
        assert_eq!(engine.next_request().unwrap().as_ref(), Some(&sent));
    }
    let mut forged = server.handle(&sent.path, &sent.body).1;
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(
        engine.on_response(200, &forged).unwrap_err().code(),
        "bad_signature"
    );
    sync(&engine, &mut server);
    assert_eq!(server.billed("m"), 8);
}
