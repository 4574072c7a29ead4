//! One row for each thing that may happen to a folder, and what comes of it.
//!
//! A folder has 10 acknowledged units, 5 sealed, 3 counted, and 4 tokens that were acknowledged as
//! durable; there is a backup from when the 10 were acknowledged. Each row breaks something while
//! nobody has the folder open, opens it, syncs, and says what was named, counted and billed.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Fault, NOW, Server, copy, counted, open, sync, try_open};
use mintreu::{Durability, FixedClock};

struct Row {
    what: &'static str,
    /// Breaks the first folder; the second is the backup.
    breaks: fn(&Path, &Path),
    /// The codes of what was named, or of the error with which opening ends.
    named: Result<&'static [&'static str], &'static str>,
    /// Units counted and billed after a sync, and tokens billed.
    units: (u64, u64),
    tokens: u64,
}

const JOURNAL: [&str; 3] = ["journal.db", "journal.db-wal", "journal.db-shm"];

fn put_back(dir: &Path, old: &Path, parts: &[&str]) {
    for part in parts {
        let _absent = fs::remove_file(dir.join(part));
        if old.join(part).exists() {
            fs::copy(old.join(part), dir.join(part)).unwrap();
        }
    }
}

fn change(file: &Path, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// The place of the first cell whose key has these bytes.
fn cell(bytes: &[u8], meter: &[u8]) -> usize {
    let cells = (4096..bytes.len()).step_by(256);
    let holds = |at: &usize| {
        bytes[*at + 32..*at + 256]
            .windows(meter.len())
            .any(|w| w == meter)
    };
    cells.into_iter().find(holds).unwrap()
}

const TABLE: &[Row] = &[
    Row {
        what: "nothing",
        breaks: |_, _| {},
        named: Ok(&[]),
        units: (18, 18),
        tokens: 4,
    },
    Row {
        what: "the locks deleted",
        breaks: |dir, _| {
            for lock in ["journal.lock", "journal.turn", "counters.lock"] {
                fs::remove_file(dir.join(lock)).unwrap();
            }
        },
        named: Ok(&[]),
        units: (18, 18),
        tokens: 4,
    },
    Row {
        what: "counters deleted: the unsealed tail is lost, nothing that was durable",
        breaks: |dir, _| fs::remove_file(dir.join("counters")).unwrap(),
        named: Ok(&["counters_missing", "cell_behind", "cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "counters cut",
        breaks: |dir, _| change(&dir.join("counters"), |bytes| bytes.truncate(5000)),
        named: Ok(&["counters_unreadable", "cell_behind", "cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "counters scribbled over",
        breaks: |dir, _| change(&dir.join("counters"), |bytes| bytes.fill(0xa5)),
        named: Ok(&["counters_unreadable", "cell_behind", "cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "a flipped bit in a cell's key",
        breaks: |dir, _| {
            change(&dir.join("counters"), |bytes| {
                let at = cell(bytes, b"units");
                bytes[at + 40] ^= 4;
            });
        },
        named: Ok(&["cell_unreadable", "cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "a cell set back below what was sealed",
        breaks: |dir, _| {
            change(&dir.join("counters"), |bytes| {
                let at = cell(bytes, b"units");
                bytes[at + 8] = 2;
            });
        },
        named: Ok(&["cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "a durable cell set back",
        breaks: |dir, _| {
            change(&dir.join("counters"), |bytes| {
                let at = cell(bytes, b"tokens");
                bytes[at + 8] = 0;
            });
        },
        named: Ok(&["cell_behind"]),
        units: (18, 18),
        tokens: 4,
    },
    Row {
        what: "both marks torn: the journal is believed",
        breaks: |dir, _| change(&dir.join("counters"), |bytes| bytes[64..320].fill(7)),
        named: Ok(&[]),
        units: (18, 18),
        tokens: 4,
    },
    Row {
        what: "the journal deleted: the unreported tail stays unreported",
        breaks: |dir, _| {
            JOURNAL
                .iter()
                .for_each(|part| drop(fs::remove_file(dir.join(part))))
        },
        named: Ok(&["journal_missing"]),
        units: (18, 10),
        tokens: 0,
    },
    Row {
        what: "the journal's header changed",
        breaks: |dir, _| change(&dir.join("journal.db"), |bytes| bytes[..100].fill(1)),
        named: Err("journal_damaged"),
        units: (0, 0),
        tokens: 0,
    },
    Row {
        what: "the journal cut",
        breaks: |dir, _| change(&dir.join("journal.db"), |bytes| bytes.truncate(8192)),
        named: Err("journal_damaged"),
        units: (0, 0),
        tokens: 0,
    },
    Row {
        what: "the journal alone from the backup: the server works out what is owed",
        breaks: |dir, old| put_back(dir, old, &JOURNAL),
        named: Ok(&["journal_behind"]),
        units: (18, 18),
        tokens: 4,
    },
    Row {
        what: "the counters alone from the backup: as if they were lost since",
        breaks: |dir, old| put_back(dir, old, &["counters"]),
        named: Ok(&["cell_behind", "cell_behind"]),
        units: (15, 15),
        tokens: 4,
    },
    Row {
        what: "both from the backup: undetectable, and bounded by what no receipt has passed",
        breaks: |dir, old| put_back(dir, old, &[&JOURNAL[..], &["counters"]].concat()),
        named: Ok(&[]),
        units: (10, 10),
        tokens: 0,
    },
    Row {
        what: "the device's key deleted: a new device, and no unit twice",
        breaks: |dir, _| fs::remove_dir_all(dir.join("device")).unwrap(),
        named: Ok(&["device_key_missing"]),
        units: (18, 10),
        tokens: 0,
    },
    Row {
        what: "a folder in the place of a lock",
        breaks: |dir, _| {
            fs::remove_file(dir.join("journal.turn")).unwrap();
            fs::create_dir(dir.join("journal.turn")).unwrap();
        },
        named: Err("journal_io"),
        units: (0, 0),
        tokens: 0,
    },
];

/// A folder as described above, its backup, and the server that knows it.
fn used(dir: &Path, backup: &Path) -> Server {
    let mut server = Server::new(Fault::None);
    let engine = open(dir, &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    engine.record("units", 10).unwrap();
    sync(&engine, &mut server);
    drop(engine);
    copy(dir, backup);
    let engine = open(dir, &server);
    engine.record("units", 5).unwrap();
    engine.next_request().unwrap().unwrap();
    engine.record("units", 3).unwrap();
    engine
        .meter_with("tokens", Durability::Power)
        .unwrap()
        .try_record(4)
        .unwrap();
    server
}

#[test]
fn each_row_loses_nothing_acknowledged_or_names_the_damage() {
    for row in TABLE {
        let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut server = used(dir.path(), backup.path());
        (row.breaks)(dir.path(), backup.path());
        let opened = try_open(dir.path(), &server, Arc::new(FixedClock::at(NOW)));
        let engine = match (opened, row.named) {
            (Err(error), expected) => {
                assert_eq!(Err(error.code()), expected.map(drop), "{}", row.what);
                continue;
            }
            (Ok(engine), _) => engine,
        };
        let named: Vec<_> = engine
            .recovered()
            .iter()
            .map(|damage| damage.code())
            .collect();
        assert_eq!(Ok(&named[..]), row.named, "{}", row.what);
        engine.install_bytes(&server.license_bundle()).unwrap();
        // What the first sync is told may give the second something to say.
        sync(&engine, &mut server);
        sync(&engine, &mut server);
        let found = (counted(&engine, "units"), server.billed("units"));
        assert_eq!(found, row.units, "{}", row.what);
        assert_eq!(server.billed("tokens"), row.tokens, "{}", row.what);
        drop(engine);
        // Once put right, it stays right.
        assert!(
            open(dir.path(), &server).recovered().is_empty(),
            "{}",
            row.what
        );
    }
}

/// What is undetectable before a receipt has passed is detected afterwards, and never billed twice.
#[test]
fn a_folder_behind_a_receipt_is_found_by_the_next_sync() {
    let (dir, backup) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = used(dir.path(), backup.path());
    let engine = open(dir.path(), &server);
    sync(&engine, &mut server);
    sync(&engine, &mut server);
    assert_eq!(server.billed("units"), 18);
    drop(engine);
    put_back(
        dir.path(),
        backup.path(),
        &[&JOURNAL[..], &["counters"]].concat(),
    );
    let engine = open(dir.path(), &server);
    engine.record("units", 2).unwrap();
    sync(&engine, &mut server);
    sync(&engine, &mut server);
    assert!(
        server.streams.values().any(|stream| stream.forks > 0),
        "seen"
    );
    assert_eq!((server.billed("units"), server.disputed("units")), (18, 2));
    engine.record("units", 1).unwrap();
    sync(&engine, &mut server);
    assert_eq!(server.billed("units"), 19);
}
