//! `mintreu usage verify`: an exported journal, checked by somebody who has public keys alone.

use std::path::Path;
use std::process::{Command, Output};

use mintreu::activation::{Activation, Request};
use mintreu::document::{SigningKey, from_text};
use mintreu::id::{ActivationId, LicenseId};
use mintreu::license::{Claims, Trust, issue};
use mintreu::meter::{Export, Position, Receipt, chain_hash, open_segment_of_any_device};
use mintreu::{Engine, Timestamp};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn verify(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args(["--json", "usage", "verify", "usage.mtu"])
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    refused_with(folder, arguments, 6)
}

fn refused_with(folder: &Path, arguments: &[&str], exit: i32) -> String {
    let output = verify(folder, arguments);
    assert_eq!(output.status.code(), Some(exit), "must be refused");
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON on standard error");
    error["code"].as_str().expect("a code").to_owned()
}

#[test]
fn a_folder_is_exported_by_somebody_without_its_key_and_every_cut_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let root = SigningKey::from_seed(&[1; 32]);
    used(&root, home).expect("a device in use");
    // What only the owner of the device's key could do isn't needed.
    std::fs::remove_dir_all(home.join("engine/device")).expect("is there");
    let export = |output: &str| {
        Command::new(env!("CARGO_BIN_EXE_mintreu"))
            .current_dir(home)
            .args(["--json", "usage", "export", "engine", "-o", output])
            .output()
            .expect("the command runs")
    };
    let written = export("usage.mtu");
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    assert!(!home.join("engine/device").exists(), "nothing is made");
    let said: Value = serde_json::from_slice(&written.stdout).expect("JSON");
    assert_eq!(
        (&said["segments"], &said["receipts"]),
        (&2.into(), &1.into())
    );
    assert_eq!(
        export("usage.mtu").status.code(),
        Some(1),
        "never overwritten"
    );
    let trust = root.public().to_string();
    assert!(verify(home, &["--trust", &trust]).status.success());
    let text = Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(home)
        .args(["usage", "verify", "usage.mtu", "--trust", &trust])
        .output()
        .expect("the command runs");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.starts_with("The usage holds: 2 segments of 1 devices, 1 of 1 receipts"),
        "{text}"
    );
    assert!(
        text.contains("acknowledged up to 1; 1 segments are not"),
        "{text}"
    );
    assert!(text.contains("12  renders  (5 not acknowledged)"), "{text}");
    let whole = std::fs::read(home.join("usage.mtu")).expect("is there");
    for cut in [whole.len() - 1, whole.len() / 2, 40] {
        std::fs::write(home.join("usage.mtu"), &whole[..cut]).expect("is written");
        assert_eq!(refused(home, &[]), "usage_malformed", "cut at {cut}");
    }
}

/// A device that was activated, used a meter and reported one segment of two.
fn used(root: &SigningKey, folder: &Path) -> mintreu::Result<Export> {
    let trust = Trust::new("acme.editor", *root.public())?;
    let engine = Engine::open(folder.join("engine"), trust)?;
    let license = Claims::new(LicenseId::from_bytes([3; 16]), "acme.editor", NOW);
    engine.install_bytes(&issue(&license, root, &[])?)?;
    let (device, request) = Request::verify(&from_text(&engine.activation_request()?)?)?;
    let activation = Activation {
        id: ActivationId::from_bytes([4; 16]),
        license: license.id,
        product: request.product,
        issued_at: NOW,
        expires_at: None,
        device,
        nonce: request.nonce,
        fingerprint: request.fingerprint,
        license_bundle: None,
    };
    engine.install_bytes(&activation.issue(root, &[])?)?;
    engine.record("renders", 7)?;
    let sent = engine.next_request()?.expect("a segment");
    let receipt = Receipt {
        product: "acme.editor".into(),
        stream: open_segment_of_any_device(&sent.body)?.stream,
        position: Position {
            epoch: 1,
            seq: 1,
            head: chain_hash(&sent.body),
        },
        issued_at: NOW,
        server_epoch: 1,
    };
    engine.on_response(200, &receipt.seal(root, &[])?)?;
    // There is no news.
    while engine.next_request()?.is_some() {
        engine.on_response(204, &[])?;
    }
    engine.record("renders", 5)?;
    engine.next_request()?.expect("another segment");
    Export::from_bytes(&engine.export_usage()?)
}

fn flip(bytes: &mut [u8]) {
    *bytes.last_mut().expect("bytes") ^= 1;
}

fn write(folder: &Path, export: &Export) {
    std::fs::write(folder.join("usage.mtu"), export.to_bytes()).expect("is written");
}

#[test]
fn an_export_is_verified_and_every_tampering_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let root = SigningKey::from_seed(&[1; 32]);
    let export = used(&root, home).expect("a device in use");
    let trust = root.public().to_string();
    let trusted = ["--trust", trust.as_str()];

    write(home, &export);
    let output = verify(home, &trusted);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&report["segments"], &report["receipts"]),
        (&2.into(), &1.into())
    );
    let epoch = &report["epochs"][0];
    assert_eq!(
        (&epoch["to_seq"], &epoch["acknowledged"]),
        (&2.into(), &1.into())
    );
    assert_eq!(report["totals"][0]["units"], "12");
    assert!(
        verify(home, &[]).status.success(),
        "the chain alone needs no trust"
    );

    let other = SigningKey::from_seed(&[2; 32]).public().to_string();
    assert_eq!(refused(home, &["--trust", &other]), "unknown_key");
    let product = [&trusted[..], &["--product", "acme.viewer"]].concat();
    assert_eq!(refused(home, &product), "wrong_product");

    let tampered = |change: fn(&mut Export)| {
        let mut copy = export.clone();
        change(&mut copy);
        write(home, &copy);
        refused(home, &trusted)
    };
    assert_eq!(
        tampered(|e| e.segments[1] = e.segments[0].clone()),
        "usage_malformed"
    );
    assert_eq!(tampered(|e| e.segments.clear()), "receipt_mismatch");
    assert_eq!(tampered(|e| flip(&mut e.segments[1])), "bad_signature");
    assert_eq!(tampered(|e| flip(&mut e.receipts[0])), "bad_signature");
    assert_eq!(tampered(|e| e.activation = None), "device_not_activated");
    let stranger = |e: &mut Export| e.device = *SigningKey::from_seed(&[5; 32]).public().as_bytes();
    assert_eq!(tampered(stranger), "wrong_device");
    std::fs::write(home.join("usage.mtu"), b"not an export").expect("is written");
    assert_eq!(refused_with(home, &[], 1), "usage_malformed");
    std::fs::remove_file(home.join("usage.mtu")).expect("is there");
    assert_eq!(refused_with(home, &[], 1), "file_unreadable");
}
