//! The operating system's own keystore, in a session that has one and in one that has none.
//!
//! `tests/run keystore` makes both. Otherwise nothing is asked of the machine's own keystore.

#![cfg(feature = "os-keystore")]
#![cfg_attr(
    feature = "os-keystore",
    expect(clippy::unwrap_used, reason = "what fails here fails the test")
)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{Fault, NOW, Server};
use mintreu::document::PublicKey;
use mintreu::journal::Damage;
use mintreu::keystore::{DeviceKey, KeyStore as _, OsStore, Protection};
use mintreu::{Engine, FixedClock, Options, Result};
use sha2::{Digest as _, Sha256};

const SERVICE: &str = "mintreu-test";

fn open(dir: &Path, server: &Server) -> Result<Engine> {
    let device_key = DeviceKey {
        store: Some(Arc::new(OsStore::new(SERVICE))),
        ..DeviceKey::default()
    };
    let options = Options {
        clock: Arc::new(FixedClock::at(NOW)),
        device_key,
        ..Options::default()
    };
    Engine::open_with(dir, server.trust(), options)
}

#[test]
#[ignore = "needs a session with a keystore: tests/run keystore"]
fn where_it_is_there_it_holds_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let engine = open(dir.path(), &server).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::OsKeystore);
    assert!(!dir.path().join("device").exists(), "no file holds it");
    let device = engine.device();
    drop(engine);
    let engine = open(dir.path(), &server).unwrap();
    assert_eq!((engine.device(), engine.recovered()), (device, &[][..]));
    drop(engine);
    let without = Engine::open(dir.path(), server.trust()).unwrap_err();
    assert_eq!(without.code(), "keystore_unavailable");

    let copied = tempfile::tempdir().unwrap();
    common::copy(dir.path(), copied.path());
    let store = OsStore::new(SERVICE);
    assert!(store.load(&name_of(&device)).unwrap().is_some());
    store.forget(&name_of(&device)).unwrap();
    let engine = open(copied.path(), &server).unwrap();
    assert_eq!(engine.recovered(), [Damage::DeviceKeyMissing]);
    let device = engine.device();
    drop(engine);

    lock();
    let fresh = tempfile::tempdir().unwrap();
    for folder in [copied.path(), fresh.path()] {
        let refused = open(folder, &server).unwrap_err();
        assert_eq!(refused.code(), "keystore_locked", "{refused}");
        let _made = std::fs::remove_dir_all(folder.join("device")).unwrap_err();
    }
    let refused = OsStore::new(SERVICE).forget(&name_of(&device)).unwrap_err();
    assert_eq!(refused.code(), "keystore_locked");
}

/// Locks the session's keystore, as a desktop does.
fn lock() {
    let status = std::process::Command::new("dbus-send")
        .args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
        ])
        .args([
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.Lock",
        ])
        .arg("array:objpath:/org/freedesktop/secrets/collection/login")
        .status();
    assert!(status.unwrap().success());
}

/// The name a device's key is kept under.
fn name_of(device: &PublicKey) -> String {
    let digest = Sha256::digest(device.as_bytes());
    let hex: String = digest[..12].iter().map(|b| format!("{b:02x}")).collect();
    format!("device-{hex}")
}

#[test]
#[ignore = "needs a session without a keystore: tests/run keystore"]
fn where_there_is_none_a_file_serves() {
    let dir = tempfile::tempdir().unwrap();
    let engine = open(dir.path(), &Server::new(Fault::None)).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::File);
}
