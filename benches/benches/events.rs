//! Ingest of events on SQLite, each batch durable (`synchronous=FULL`) when it is answered, and
//! questions over all of them.
//!
//! The events are of one minute, as they come while customers work, or of thirty days, as a history
//! that is brought in. `MINTREU_BENCH_EVENTS` says how many; a million without. Beside them stands
//! what SQLite alone takes: the same rows by one prepared statement, in commits of as many.

use std::sync::Arc;

use mintreu::Timestamp;
use mintreu::id::AccountId;
use mintreu_benches::time;
use mintreu_server::app::App;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::meters::model::event::{CloudEvent, Event};
use mintreu_server::domains::meters::model::meter::DraftIn;
use mintreu_server::domains::meters::model::window::{Step, zone};
use mintreu_server::domains::meters::ops::{
    ByMeter, CreateMeter, IngestEvents, Outcome, UsageQuery, create_meter, ingest, usage,
};
use mintreu_tests::TestApp;
use tokio::runtime::Runtime;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 1_000;
const CLIENTS: usize = 8;
const SUBJECTS: usize = 100;
const MINUTE: i64 = 60_000;
const MONTH: i64 = 30 * 24 * 60 * MINUTE;

fn main() {
    let given = std::env::var("MINTREU_BENCH_EVENTS").ok();
    let events: usize = given
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000);
    let events = events / BATCH * BATCH;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let bare = events as f64 / bare(events).as_secs_f64();
    println!("bare SQLite, commits of {BATCH}: {bare:.0} events/s");
    for (what, stretch) in [("of a minute", MINUTE), ("of thirty days", MONTH)] {
        measure(&runtime, (what, stretch), events, bare);
    }
}

fn measure(runtime: &Runtime, (what, stretch): (&str, i64), events: usize, bare: f64) {
    let test = runtime.block_on(TestApp::sqlite());
    let seller = AccountId::from_bytes([7; 16]);
    let caller = Caller {
        tenant: test.tenant(),
        account: Some(seller),
        roles: vec![Role::Developer],
    };
    runtime.block_on(define(&test.app, &caller, seller));
    let all = bring_in(&test.app, &caller, (events, stretch));
    let seconds = time(|| runtime.block_on(all)).as_secs_f64();
    let rate = events as f64 / seconds;
    println!(
        "ingest {what}, batches of {BATCH}, {CLIENTS} clients: {events} events in {seconds:.1} s, \
         {rate:.0} events/s ({:.2} × bare SQLite), goal ≥ 100000",
        rate / bare
    );
    for (question, query) in questions(seller) {
        let mut counted = 0;
        let took = time(|| counted = runtime.block_on(ask(&test.app, &caller, query)));
        println!("{question:<44} {:>9.2} ms", took.as_secs_f64() * 1e3);
        assert_eq!(counted, events as u64, "{question}");
    }
    runtime.block_on(test.finish());
}

/// What a table of the same rows takes by one prepared statement, each commit durable: to store
/// them once by their key, and nothing more.
fn bare(events: usize) -> std::time::Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let mut db = rusqlite::Connection::open(folder.path().join("bare.db")).expect("a database");
    db.pragma_update(None, "journal_mode", "WAL").expect("WAL");
    db.pragma_update(None, "synchronous", "FULL").expect("FULL");
    db.execute_batch(
        "CREATE TABLE event (seller BLOB NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
            type TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL,
            arrived INTEGER NOT NULL, data TEXT NOT NULL, PRIMARY KEY (seller, source, id)) STRICT;
         CREATE INDEX event_time ON event (seller, at);",
    )
    .expect("tables");
    let now = Timestamp::from_secs(1_800_000_000);
    time(|| {
        for from in (0..events).step_by(BATCH) {
            let commit = db.transaction().expect("a transaction");
            let mut insert = commit
                .prepare_cached(
                    "INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
                )
                .expect("a statement");
            for n in from..from + BATCH {
                let event = event(n, (events, MINUTE), now);
                let at = event.at.unwrap_or(now).ms();
                let row = rusqlite::params![
                    [7_u8; 16].as_slice(),
                    event.source,
                    event.id,
                    event.kind,
                    event.subject,
                    at,
                    now.ms(),
                    event.data
                ];
                insert.execute(row).expect("a row");
            }
            drop(insert);
            commit.commit().expect("a commit");
        }
    })
}

async fn define(app: &App, caller: &Caller, seller: AccountId) {
    for (slug, aggregation) in [("tokens", "SUM"), ("took", "PERCENTILE")] {
        let json = serde_json::json!({
            "slug": slug, "eventType": "prompt", "aggregation": aggregation,
            "valueProperty": format!("$.{slug}"), "groupBy": {"model": "$.model"},
        });
        let draft: DraftIn = serde_json::from_value(json).expect("a draft");
        let command = CreateMeter {
            seller,
            draft: draft.read().expect("a meter"),
        };
        app.transact(caller, command, create_meter)
            .await
            .expect("made");
    }
}

/// The `n`th of so many events in a stretch that ends now, as a client writes it and the server
/// reads it.
fn event(n: usize, (of, stretch): (usize, i64), now: Timestamp) -> Event {
    let at = now.ms() - stretch
        + i64::try_from(n).expect("fits") * stretch / i64::try_from(of).expect("fits");
    let subject = n * 7919 % SUBJECTS;
    let model = ["small", "large", "vision"][n % 3];
    let json = format!(
        r#"{{"id":"evt-{n:012}","source":"gateway","specversion":"1.0","type":"prompt","subject":"customer-{subject}","data":{{"tokens":{},"took":"{}.25","model":"{model}"}}}}"#,
        n % 1000,
        n % 500,
    );
    let read: CloudEvent<'_> = serde_json::from_str(&json).expect("an event");
    let mut event = read.read(now).expect("within limits");
    event.at = Some(Timestamp::from_ms(at));
    event
}

async fn bring_in(app: &Arc<App>, caller: &Caller, (events, stretch): (usize, i64)) {
    let now = app.now();
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let clients = (0..CLIENTS).map(|_| {
        let (app, caller, next) = (Arc::clone(app), caller.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let from = next.fetch_add(BATCH, std::sync::atomic::Ordering::Relaxed);
                if from >= events {
                    return;
                }
                let batch = (from..from + BATCH)
                    .map(|n| event(n, (events, stretch), now))
                    .collect();
                let command = IngestEvents {
                    seller: caller.account.expect("a seller"),
                    events: batch,
                };
                let outcomes = ingest(&app, &caller, command).await;
                let accepted = outcomes.expect("a commit");
                let all = accepted
                    .iter()
                    .all(|one| *one == Outcome::Accepted { problem: None });
                assert!(all, "every event is new");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client");
    }
}

fn questions(seller: AccountId) -> Vec<(&'static str, UsageQuery)> {
    let all = UsageQuery {
        seller,
        meter: ByMeter("tokens".to_owned()),
        from: None,
        until: None,
        step: None,
        subjects: Vec::new(),
        by_subject: false,
        filters: Default::default(),
        group_by: Vec::new(),
        percentile: None,
        fill: false,
    };
    let days = |name| Some((Step::Day, zone(name).expect("a zone")));
    let by = |query: &UsageQuery| UsageQuery {
        by_subject: true,
        group_by: vec!["model".to_owned()],
        ..query.clone()
    };
    let utc = UsageQuery {
        step: days("UTC"),
        ..all.clone()
    };
    let berlin = UsageQuery {
        step: days("Europe/Berlin"),
        ..all.clone()
    };
    let p95 = UsageQuery {
        meter: ByMeter("took".to_owned()),
        ..utc.clone()
    };
    vec![
        ("the whole sum", all.clone()),
        ("sums by day, UTC", utc.clone()),
        ("sums by day, subject and model, UTC", by(&utc)),
        ("sums by day, Europe/Berlin", berlin),
        ("95th percentiles by day, UTC", p95),
    ]
}

async fn ask(app: &App, caller: &Caller, query: UsageQuery) -> u64 {
    let answer = app.read(caller, query, usage).await.expect("an answer");
    answer.rows.iter().map(|row| row.figure.events).sum()
}
