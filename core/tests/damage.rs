//! Damaged, missing, restored and copied folders: every loss is named, nothing is billed twice.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;
use std::path::Path;

use common::{Fault, NOW, Server, copy, counted, open, open_at, sync};
use mintreu::journal::Damage;
use mintreu::{Engine, FixedClock, Options};

/// A folder with acknowledged, sealed and unsealed usage: 10, 5 and 3 units.
fn used(dir: &Path, server: &mut Server) {
    let engine = open(dir, server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("m", 10).unwrap();
    sync(&engine, server);
    engine.record("m", 5).unwrap();
    engine.next_request().unwrap().unwrap();
    engine.record("m", 3).unwrap();
}

fn try_open(dir: &Path, server: &Server) -> mintreu::Result<Engine> {
    let clock = std::sync::Arc::new(FixedClock::at(NOW));
    Engine::open_with(
        dir,
        server.trust(),
        Options {
            clock,
            ..Options::default()
        },
    )
}

#[test]
fn a_missing_counter_file_loses_the_unsealed_tail_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server);
    fs::remove_file(dir.path().join("counters")).unwrap();
    let engine = open(dir.path(), &server);
    assert_eq!(engine.recovered()[0], Damage::CountersMissing);
    assert!(engine.recovered().contains(&Damage::CellBehind {
        meter: "m".into(),
        units: 15
    }));
    sync(&engine, &mut server);
    assert_eq!((counted(&engine, "m"), server.billed("m")), (15, 15));
}

#[test]
fn a_truncated_or_scribbled_counter_file_is_set_aside() {
    let breakages: [fn(&Path); 3] = [
        |path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(100)
                .unwrap()
        },
        |path| {
            fs::File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_len(4096 + 77)
                .unwrap()
        },
        |path| fs::write(path, vec![0xa5; 64 * 1024]).unwrap(),
    ];
    for breakage in breakages {
        let dir = tempfile::tempdir().unwrap();
        let mut server = Server::new(Fault::None);
        used(dir.path(), &mut server);
        breakage(&dir.path().join("counters"));
        let engine = open(dir.path(), &server);
        assert_eq!(engine.recovered()[0], Damage::CountersUnreadable);
        assert!(dir.path().join("counters.damaged.1").exists());
        sync(&engine, &mut server);
        assert_eq!((counted(&engine, "m"), server.billed("m")), (15, 15));
    }
}

#[test]
fn a_journal_restored_from_yesterday_is_never_continued() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server);
    copy(dir.path(), old.path());
    let engine = open(dir.path(), &server);
    sync(&engine, &mut server);
    engine.record("m", 100).unwrap();
    sync(&engine, &mut server);
    engine.record("m", 1000).unwrap();
    drop(engine);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _absent = fs::remove_file(dir.path().join(name));
        if old.path().join(name).exists() {
            fs::copy(old.path().join(name), dir.path().join(name)).unwrap();
        }
    }
    let engine = open(dir.path(), &server);
    assert_eq!(engine.recovered(), [Damage::JournalBehind { new_epoch: 2 }]);
    sync(&engine, &mut server);
    assert_eq!(
        server.billed("m"),
        1118,
        "each unit once, the unreported ones too"
    );
    engine.record("m", 1).unwrap();
    sync(&engine, &mut server);
    assert_eq!((server.billed("m"), server.disputed("m")), (1119, 0));
}

#[test]
fn a_deleted_journal_bills_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _absent = fs::remove_file(dir.path().join(name));
    }
    let engine = open(dir.path(), &server);
    assert_eq!(engine.recovered(), [Damage::JournalMissing]);
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("m", 1).unwrap();
    sync(&engine, &mut server);
    assert_eq!(
        server.billed("m"),
        11,
        "10 were acknowledged before, 1 counted after"
    );
}

#[test]
fn a_copied_folder_is_a_fork_and_its_use_disputed() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("m", 10).unwrap();
    sync(&engine, &mut server);
    drop(engine);
    copy(dir.path(), copied.path());
    let original = open(dir.path(), &server);
    let twin = open(copied.path(), &server);
    original.record("m", 50).unwrap();
    twin.record("m", 70).unwrap();
    sync(&original, &mut server);
    sync(&twin, &mut server);
    assert_eq!((server.billed("m"), server.disputed("m")), (60, 70));
    assert!(server.streams.values().any(|stream| stream.forks > 0));
    twin.record("m", 1).unwrap();
    sync(&twin, &mut server);
    original.record("m", 2).unwrap();
    sync(&original, &mut server);
    assert_eq!(
        server.billed("m") + server.disputed("m"),
        133,
        "nothing vanished"
    );
}

/// Every sampled bit of the journal: the folder opens with nothing missing, or is refused by name.
#[test]
fn flipped_bits_are_harmless_or_named() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server);
    let mut named = 0;
    for file in ["journal.db", "counters"] {
        let len = fs::metadata(dir.path().join(file)).unwrap().len();
        let interesting = if file == "counters" { 8192 } else { len };
        let step = (interesting / 150).max(1);
        for at in (0..interesting).step_by(step as usize) {
            let copied = work.path().join(format!("{file}-{at}"));
            copy(dir.path(), &copied);
            let mut bytes = fs::read(copied.join(file)).unwrap();
            bytes[at as usize] ^= 1 << (at % 8);
            fs::write(copied.join(file), bytes).unwrap();
            named += u64::from(outcome(&copied, &server.clone(), file, at));
            fs::remove_dir_all(&copied).unwrap();
        }
    }
    assert!(named > 5, "flips were found: {named}");
}

/// Whether the damage was named; panics when it went unseen and something is wrong.
fn outcome(dir: &Path, server: &Server, file: &str, at: u64) -> bool {
    let mut server = server.clone();
    let engine = match try_open(dir, &server) {
        Ok(engine) => engine,
        Err(error) => {
            let known = ["journal_damaged", "journal_newer", "journal_io"];
            let documents = ["malformed", "bad_signature", "unknown_key", "wrong_kind"];
            let code = error.code();
            assert!(
                known.contains(&code) || documents.contains(&code),
                "{file} {at}: {error}"
            );
            return true;
        }
    };
    let recovered = !engine.recovered().is_empty();
    let done = (0..20).try_for_each(|_| match engine.next_request() {
        Ok(Some(request)) => {
            let (status, body) = server.handle(&request.path, &request.body);
            engine.on_response(status, &body)
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    });
    if let Err(error) = done {
        assert_eq!(error.code(), "journal_damaged", "{file} {at}");
        return true;
    }
    let (counted, billed) = (counted(&engine, "m"), server.billed("m"));
    // A flip in the cell's own value is a different count; what is billed is still what it says.
    assert!(
        recovered || file == "counters" || counted == 18,
        "{file} {at}: {counted}"
    );
    assert!(
        recovered || counted == billed,
        "{file} {at}: {counted} counted, {billed} billed"
    );
    recovered
}

#[test]
fn a_read_only_place_and_a_foreign_file_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    let file = dir.path().join("not-a-folder");
    fs::write(&file, b"x").unwrap();
    assert_eq!(try_open(&file, &server).unwrap_err().code(), "journal_io");
    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(
        foreign.join("journal.db"),
        b"something else entirely, not SQLite at all",
    )
    .unwrap();
    assert_eq!(
        try_open(&foreign, &server).unwrap_err().code(),
        "journal_damaged"
    );
    let suspect = open_at(
        &dir.path().join("own"),
        &server,
        std::sync::Arc::new(FixedClock::at(NOW)),
    );
    assert!(suspect.recovered().is_empty());
}

#[test]
fn a_deleted_write_ahead_log_is_found_and_nothing_is_lost() {
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    used(dir.path(), &mut server);
    let engine = open(dir.path(), &server);
    sync(&engine, &mut server);
    engine.record("m", 100).unwrap();
    sync(&engine, &mut server);
    engine.record("m", 1000).unwrap();
    engine.flush().unwrap();
    // A copy made under an open engine is what a killed process leaves.
    copy(dir.path(), crashed.path());
    fs::remove_file(crashed.path().join("journal.db-wal")).unwrap();
    let engine = open(crashed.path(), &server);
    assert_eq!(engine.recovered(), [Damage::JournalBehind { new_epoch: 2 }]);
    sync(&engine, &mut server);
    assert_eq!((server.billed("m"), server.disputed("m")), (1118, 0));
}
