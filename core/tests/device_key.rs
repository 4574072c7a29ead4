//! Where a device's key lies, what makes a new device, and that no device is continued twice.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Fault, NOW, PRODUCT, Server, copy, counted, sync};
use mintreu::activation::{RedeemCode, Request};
use mintreu::document::SigningKey;
use mintreu::journal::Damage;
use mintreu::keystore::{DeviceKey, HostBinding, KeyStore, KeyStoreError, Protection, Secret};
use mintreu::license::{Binding, Status};
use mintreu::meter::{Export, verify_chain};
use mintreu::{Engine, FixedClock, Options, Result};
use sha2::{Digest as _, Sha256};

/// A keystore in memory that can be locked and taken away.
#[derive(Default)]
struct Vault {
    secrets: Mutex<HashMap<String, Secret>>,
    refusal: Mutex<Option<KeyStoreError>>,
}

impl Vault {
    fn refuse(&self, error: Option<KeyStoreError>) {
        *self.refusal.lock().unwrap() = error;
    }

    fn open(&self) -> Result<(), KeyStoreError> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl KeyStore for Vault {
    fn protection(&self) -> Protection {
        Protection::Caller
    }

    fn load(&self, name: &str) -> Result<Option<Secret>, KeyStoreError> {
        self.open()?;
        Ok(self.secrets.lock().unwrap().get(name).cloned())
    }

    fn keep(&self, name: &str, secret: &Secret) -> Result<(), KeyStoreError> {
        self.open()?;
        let mut secrets = self.secrets.lock().unwrap();
        secrets.insert(name.to_owned(), secret.clone());
        Ok(())
    }

    fn forget(&self, name: &str) -> Result<(), KeyStoreError> {
        self.open()?;
        self.secrets.lock().unwrap().remove(name);
        Ok(())
    }
}

fn locked() -> KeyStoreError {
    KeyStoreError::Locked("nobody signed in".to_owned())
}

fn absent() -> KeyStoreError {
    KeyStoreError::Unavailable("no session".to_owned())
}

fn on(host: &str) -> DeviceKey {
    DeviceKey {
        host: HostBinding::Id(host.to_owned()),
        ..DeviceKey::default()
    }
}

fn with(vault: &Arc<Vault>) -> DeviceKey {
    DeviceKey {
        store: Some(Arc::clone(vault) as Arc<dyn KeyStore>),
        host: HostBinding::None,
    }
}

fn try_open(dir: &Path, server: &Server, device_key: DeviceKey) -> Result<Engine> {
    let options = Options {
        clock: Arc::new(FixedClock::at(NOW)),
        device_key,
        ..Options::default()
    };
    Engine::open_with(dir, server.trust(), options)
}

fn open(dir: &Path, server: &Server, host: &str) -> Engine {
    try_open(dir, server, on(host)).unwrap()
}

fn key_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir.join("device")) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "key"))
        .collect()
}

/// A folder whose license came with a code, with 10 units acknowledged, 5 sealed and 3 unsealed.
fn used(dir: &Path, server: &mut Server, host: &str) {
    server.license.binding = Binding::NodeLocked;
    let engine = open(dir, server, host);
    let code = RedeemCode::generate("acme").unwrap().to_string();
    engine.install(&code).unwrap();
    engine.record("m", 10).unwrap();
    sync(&engine, server);
    assert!(engine.consume("renders", 490).unwrap().granted());
    sync(&engine, server);
    engine.record("m", 5).unwrap();
    engine.next_request().unwrap().unwrap();
    engine.record("m", 3).unwrap();
}

#[test]
fn the_key_lies_in_a_file_of_its_own_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let first = open(dir.path(), &server, "a");
    assert_eq!(first.device_key_protection(), Protection::File);
    let device = first.device();
    drop(first);
    assert_eq!(key_files(dir.path()).len(), 1);
    let secret = fs::read(&key_files(dir.path())[0]).unwrap()[8..40].to_vec();
    for name in ["journal.db", "counters"] {
        let bytes = fs::read(dir.path().join(name)).unwrap();
        assert!(!contains(&bytes, &secret), "{name} holds the key");
    }
    let again = open(dir.path(), &server, "a");
    assert_eq!((again.device(), again.recovered()), (device, &[][..]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&dir.path().join("device")), 0o700);
        assert_eq!(mode(&key_files(dir.path())[0]), 0o600);
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Turns a folder into what an engine left that kept the seed in its journal.
fn make_older(dir: &Path, seed: &[u8; 32]) {
    fs::remove_dir_all(dir.join("device")).unwrap();
    let db = rusqlite::Connection::open(dir.join("journal.db")).unwrap();
    db.execute("DELETE FROM state WHERE name = 'device key'", [])
        .unwrap();
    let digest = Sha256::new()
        .chain_update("device")
        .chain_update(seed)
        .finalize();
    let row = rusqlite::params!["device", &seed[..], &digest[..8]];
    db.execute("INSERT INTO state VALUES (?1, ?2, ?3)", row)
        .unwrap();
}

#[test]
fn an_older_journal_gives_its_key_away_and_keeps_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    drop(open(dir.path(), &server, "a"));
    let seed = *SigningKey::generate().unwrap().seed();
    make_older(dir.path(), &seed);
    let journal = || fs::read(dir.path().join("journal.db")).unwrap();
    assert!(contains(&journal(), &seed), "it was inside");
    let engine = open(dir.path(), &server, "a");
    assert_eq!(&engine.device(), SigningKey::from_seed(&seed).public());
    assert!(engine.recovered().is_empty(), "the same device goes on");
    let log = fs::read(dir.path().join("journal.db-wal")).unwrap_or_default();
    assert!(!contains(&log, &seed), "nor in the log, while it is open");
    drop(engine);
    assert!(!contains(&journal(), &seed));
    let again = open(dir.path(), &server, "a");
    assert_eq!(&again.device(), SigningKey::from_seed(&seed).public());
}

/// What a folder that went elsewhere may and may not do.
fn goes_on_as_a_new_device(elsewhere: &Path, host: &str, why: Damage) {
    let mut server = Server::new(Fault::None);
    let origin = tempfile::tempdir().unwrap();
    used(origin.path(), &mut server, "a");
    copy(origin.path(), elsewhere);
    if why == Damage::DeviceKeyMissing {
        fs::remove_dir_all(elsewhere.join("device")).unwrap();
    }
    if why == Damage::DeviceKeyUnreadable {
        let key = &key_files(elsewhere)[0];
        let mut bytes = fs::read(key).unwrap();
        bytes[20] ^= 1;
        fs::write(key, bytes).unwrap();
    }
    let copied = open(elsewhere, &server, host);
    let original = open(origin.path(), &server, "a");
    assert_eq!(copied.recovered(), [why]);
    assert!(original.recovered().is_empty());
    assert_ne!(copied.device(), original.device());
    assert_eq!(key_files(elsewhere).len(), 1, "the former key is forgotten");
    let status = copied.verdict().unwrap().status();
    assert_eq!(status, Status::DeviceNotActivated, "the license came along");

    copied.record("m", 100).unwrap();
    sync(&copied, &mut server);
    assert_eq!(copied.verdict().unwrap().status(), Status::Valid);
    assert_eq!(server.billed("m"), 110, "the copy tells its own use alone");
    assert!(!copied.consume("renders", 11).unwrap().granted());
    original.record("m", 1000).unwrap();
    sync(&original, &mut server);
    assert_eq!((server.billed("m"), server.disputed("m")), (1118, 0));
    assert!(server.streams.values().all(|stream| stream.forks == 0));
    assert_eq!(counted(&copied, "m"), 118);

    let export = Export::from_bytes(&copied.export_usage().unwrap()).unwrap();
    assert_eq!(&export.device, copied.device().as_bytes());
    let report = verify_chain(&copied.device(), &export.segments, &[]).unwrap();
    assert_eq!(report.epochs.len(), 1, "its own chain is whole");
    drop(copied);
    let again = open(elsewhere, &server, host);
    assert!(again.recovered().is_empty(), "said once");
    assert_eq!(again.verdict().unwrap().status(), Status::Valid);
}

#[test]
fn a_folder_restored_without_its_key_is_a_new_device() {
    let dir = tempfile::tempdir().unwrap();
    goes_on_as_a_new_device(dir.path(), "a", Damage::DeviceKeyMissing);
}

#[test]
fn a_damaged_key_makes_a_new_device() {
    let dir = tempfile::tempdir().unwrap();
    goes_on_as_a_new_device(dir.path(), "a", Damage::DeviceKeyUnreadable);
}

#[test]
fn a_folder_on_another_host_is_a_new_device() {
    let dir = tempfile::tempdir().unwrap();
    goes_on_as_a_new_device(dir.path(), "b", Damage::HostChanged);
}

/// The negative control of the three tests above: an unbound copy with its key does fork.
#[test]
fn an_unbound_copy_is_noticed_by_the_server_alone() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server, "a");
    copy(dir.path(), copied.path());
    let unbound = DeviceKey {
        host: HostBinding::None,
        ..DeviceKey::default()
    };
    let twin = try_open(copied.path(), &server, unbound).unwrap();
    let original = open(dir.path(), &server, "a");
    assert_eq!(twin.device(), original.device());
    for (engine, units) in [(&twin, 70), (&original, 50)] {
        engine.record("m", units).unwrap();
        sync(engine, &mut server);
    }
    assert!(server.disputed("m") > 0, "both speak for one device");
}

#[test]
fn a_host_that_is_not_known_is_never_taken_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let device = open(dir.path(), &server, "").device();
    let table = [
        ("", false),
        ("a", false),
        ("", false),
        ("a", false),
        ("b", true),
    ];
    for (host, changed) in table {
        let engine = open(dir.path(), &server, host);
        assert_eq!(engine.device() != device, changed, "{host:?}");
        assert_eq!(!engine.recovered().is_empty(), changed, "{host:?}");
    }
    let back = open(dir.path(), &server, "a");
    assert_eq!(back.recovered(), [Damage::HostChanged], "bound to b now");
}

#[test]
fn what_was_asked_and_not_answered_is_asked_again() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::new(Fault::None);
    let code = RedeemCode::generate("acme").unwrap();
    let engine = open(dir.path(), &server, "a");
    engine.install(&code.to_string()).unwrap();
    drop(engine);
    copy(dir.path(), copied.path());
    let engine = open(copied.path(), &server, "b");
    let request = engine.next_request().unwrap().unwrap();
    let (device, request) = Request::verify(&request.body).unwrap();
    assert_eq!(device, engine.device());
    assert_eq!(request.wanted, mintreu::activation::Wanted::Code(code));
    assert_eq!(request.product, PRODUCT);
}

/// Every sampled bit of the key's file and of the journal's record of it.
#[test]
fn flipped_bits_of_the_key_are_named() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::new(Fault::None);
    let device = open(dir.path(), &server, "a").device();
    let len = fs::metadata(&key_files(dir.path())[0]).unwrap().len() as usize;
    for at in 0..len {
        let copied = work.path().join(at.to_string());
        copy(dir.path(), &copied);
        let key = &key_files(&copied)[0];
        let mut bytes = fs::read(key).unwrap();
        bytes[at] ^= 1 << (at % 8);
        fs::write(key, bytes).unwrap();
        let engine = open(&copied, &server, "a");
        assert_eq!(engine.recovered(), [Damage::DeviceKeyUnreadable], "{at}");
        assert_ne!(engine.device(), device);
    }
}

#[test]
fn another_devices_key_under_this_ones_name_is_not_used() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::new(Fault::None);
    drop(open(dir.path(), &server, "a"));
    drop(open(other.path(), &server, "a"));
    let (own, foreign) = (&key_files(dir.path())[0], &key_files(other.path())[0]);
    fs::copy(foreign, own).unwrap();
    let engine = open(dir.path(), &server, "a");
    assert_eq!(engine.recovered(), [Damage::DeviceKeyUnreadable]);
}

#[test]
fn a_locked_store_is_an_error_and_never_a_new_device() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let vault = Arc::new(Vault::default());
    vault.refuse(Some(locked()));
    let refused = try_open(dir.path(), &server, with(&vault)).unwrap_err();
    assert_eq!(refused.code(), "keystore_locked", "when it is made, too");
    vault.refuse(None);
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::Caller);
    let device = engine.device();
    drop(engine);
    assert!(key_files(dir.path()).is_empty(), "no copy in a file");
    for (error, code) in [
        (locked(), "keystore_locked"),
        (absent(), "keystore_unavailable"),
    ] {
        vault.refuse(Some(error));
        let refused = try_open(dir.path(), &server, with(&vault)).unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let without = try_open(dir.path(), &server, DeviceKey::default()).unwrap_err();
    assert_eq!(without.code(), "keystore_unavailable");
    vault.refuse(None);
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!((engine.device(), engine.recovered()), (device, &[][..]));
    drop(engine);
    vault.secrets.lock().unwrap().clear();
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!(engine.recovered(), [Damage::DeviceKeyMissing]);
}

#[test]
fn a_copy_leaves_the_key_of_the_original_in_the_store_they_share() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::new(Fault::None);
    let vault = Arc::new(Vault::default());
    let on = |host: &str| DeviceKey {
        host: HostBinding::Id(host.to_owned()),
        ..with(&vault)
    };
    let device = try_open(dir.path(), &server, on("a")).unwrap().device();
    copy(dir.path(), copied.path());
    let twin = try_open(copied.path(), &server, on("b")).unwrap();
    assert_eq!(twin.recovered(), [Damage::HostChanged]);
    let original = try_open(dir.path(), &server, on("a")).unwrap();
    assert_eq!((original.device(), original.recovered()), (device, &[][..]));
}

#[test]
fn without_the_wanted_store_a_file_serves_until_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let vault = Arc::new(Vault::default());
    vault.refuse(Some(absent()));
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::File);
    let device = engine.device();
    drop(engine);
    vault.refuse(Some(locked()));
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::File);
    drop(engine);
    vault.refuse(None);
    let engine = try_open(dir.path(), &server, with(&vault)).unwrap();
    assert_eq!(engine.device_key_protection(), Protection::Caller);
    assert_eq!((engine.device(), engine.recovered()), (device, &[][..]));
    assert!(key_files(dir.path()).is_empty(), "moved, not copied");
    assert_eq!(vault.secrets.lock().unwrap().len(), 1);
}
