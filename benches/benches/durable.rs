//! Counts and events that survive a power cut, beside bare SQLite with the same rows in each
//! transaction and the same sync.

use mintreu::document::SigningKey;
use mintreu::license::Trust;
use mintreu::meter::{CellKey, Decimal, Event};
use mintreu::{Durability, Engine, Meter, Timestamp};
use mintreu_benches::{report, time};
use rusqlite::{Connection, params};

const ROUNDS: u32 = 15;
const BATCH: u32 = 10_000;
const METERS: u32 = 100;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SigningKey::from_seed(&[1; 32]);
    let trust = Trust::new("acme.editor", *key.public()).expect("a trust");
    let engine = Engine::open(folder.path().join("engine"), trust).expect("an engine");
    let mut bare = bare(&folder.path().join("bare.db"));
    counts(&engine, &mut bare);
    events(&engine, &mut bare);
}

fn bare(path: &std::path::Path) -> Connection {
    let db = Connection::open(path).expect("a database");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("FULL");
    db.execute_batch(
        "CREATE TABLE count (key BLOB PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE TABLE event (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes BLOB NOT NULL)
         STRICT;",
    )
    .expect("tables");
    db
}

/// Ten thousand counts of a hundred meters a batch: one row a meter, one sync.
fn counts(engine: &Engine, bare: &mut Connection) {
    let meter = |n| engine.meter_with(&format!("meter.{n:03}"), Durability::Power);
    let meters: Vec<Meter> = (0..METERS).map(|n| meter(n).expect("a meter")).collect();
    let batch: Vec<(&Meter, u64)> = (0..BATCH)
        .map(|n| (&meters[(n % METERS) as usize], 1))
        .collect();
    let keys: Vec<Vec<u8>> = meters.iter().map(|meter| meter.key().to_bytes()).collect();
    let taken = fastest(
        || engine.record_batch(&batch).expect("a commit"),
        |round| write_counts(bare, &keys, round),
    );
    report_batch("10,000 power counts, 100 cells", taken, "SQLite, 100 rows");
}

/// Ten thousand events a batch: a row each, one sync.
fn events(engine: &Engine, bare: &mut Connection) {
    let key = CellKey::new("jobs").and_then(|key| key.dimension("preset", "4k"));
    let key = key.expect("a key");
    let mut next = 0;
    let mut batch = || -> Vec<Event> {
        next += BATCH;
        let at = Timestamp::from_secs(1_800_000_000);
        let event = |n| Event::new(format!("job-{n:010}"), key.clone(), at, Decimal::ONE);
        (next - BATCH..next)
            .map(|n| event(n).expect("an event"))
            .collect()
    };
    let batches: Vec<Vec<Event>> = (0..ROUNDS).map(|_| batch()).collect();
    let mut ours = batches.iter();
    let taken = fastest(
        || {
            engine
                .record_events(ours.next().expect("a batch"))
                .expect("a commit")
        },
        |round| write_events(bare, &batches[round as usize]),
    );
    report_batch("10,000 events", taken, "SQLite, 10,000 rows");
}

fn write_counts(db: &mut Connection, keys: &[Vec<u8>], round: u32) {
    let tx = db.transaction().expect("begins");
    for key in keys {
        let mut upsert = tx
            .prepare_cached(
                "INSERT INTO count (key, value) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )
            .expect("prepares");
        upsert.execute(params![key, round]).expect("writes");
    }
    tx.commit().expect("commits");
}

fn write_events(db: &mut Connection, events: &[Event]) {
    let tx = db.transaction().expect("begins");
    for event in events {
        let mut insert = tx
            .prepare_cached("INSERT INTO event (name, bytes) VALUES (?1, ?2)")
            .expect("prepares");
        let bytes = event.to_bytes().expect("encodes");
        insert.execute(params![event.id(), bytes]).expect("writes");
    }
    tx.commit().expect("commits");
}

/// Nanoseconds of the fastest batch of each, in turns.
fn fastest(mut ours: impl FnMut(), mut bare: impl FnMut(u32)) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    for round in 0..ROUNDS {
        best.0 = best.0.min(time(&mut ours).as_nanos() as f64);
        best.1 = best.1.min(time(|| bare(round)).as_nanos() as f64);
    }
    best
}

fn report_batch(what: &str, (ours, bare): (f64, f64), beside: &str) {
    let each = |batch: f64| batch / f64::from(BATCH);
    report(what, (each(ours), each(bare)), beside, "≤ 1.5, ≤ 2 µs");
}
