//! What segments carry beside totals, when they are sealed, and how many of them there are.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{Fault, NOW, Server, copy, counted, open, sync};
use mintreu::journal::Damage;
use mintreu::meter::{
    Audit, CellKey, Checkpoint, Event, Export, MAX_EVENTS, Total, open_segment_of_any_device,
    split_batch,
};
use mintreu::{Clock, Engine, FixedClock, Options, Pace, sync as paths};

fn event(id: impl Into<String>) -> Event {
    let key = CellKey::new("jobs").unwrap();
    Event::new(id, key, NOW, "1.5".parse().unwrap()).unwrap()
}

fn events(from: usize, to: usize) -> Vec<Event> {
    (from..to).map(|n| event(format!("event-{n}"))).collect()
}

fn licensed(dir: &Path, server: &mut Server) -> Engine {
    let engine = open(dir, server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, server);
    engine
}

/// The ids that the server holds, with whether they are disputed.
fn held(server: &Server) -> Vec<(String, bool)> {
    let streams = server.streams.values();
    let events = streams.flat_map(|stream| stream.events.values());
    let mut ids: Vec<_> = events
        .map(|(event, disputed)| (event.id().to_owned(), *disputed))
        .collect();
    ids.sort();
    ids
}

fn count(server: &Server) -> u64 {
    server
        .streams
        .values()
        .map(|stream| stream.event_count)
        .sum()
}

#[test]
fn events_arrive_once_in_order_and_in_bounded_segments() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    let engine = licensed(dir.path(), &mut server);
    let all = MAX_EVENTS * 2 + 100;
    engine.record_events(&events(0, all)).unwrap();
    // An id that waits already is the same event, whatever it says now.
    engine.record_events(&events(50, 60)).unwrap();
    engine
        .meter("jobs")
        .unwrap()
        .event("event-7", 9.into())
        .unwrap();
    engine.record("calls", 3).unwrap();
    let mut sizes = Vec::new();
    let mut ids = Vec::new();
    while let Some(request) = engine.next_request().unwrap() {
        if request.path == paths::SEGMENTS {
            for document in split_batch(&request.body).unwrap() {
                let segment = open_segment_of_any_device(document).unwrap();
                sizes.push(segment.events.len());
                ids.extend(segment.events.iter().map(|event| event.id().to_owned()));
            }
        }
        let (status, body) = server.handle(&request.path, &request.body);
        engine.on_response(status, &body).unwrap();
    }
    assert_eq!(sizes, [MAX_EVENTS, MAX_EVENTS, 100]);
    let expected: Vec<_> = events(0, all)
        .iter()
        .map(|event| event.id().to_owned())
        .collect();
    assert_eq!(ids, expected);
    assert_eq!((count(&server), server.billed("calls")), (all as u64, 3));
    // Acknowledged, and told again: the server knows them.
    engine.record_events(&events(0, 5)).unwrap();
    sync(&engine, &mut server);
    assert_eq!(count(&server), all as u64);
    assert!(held(&server).iter().all(|(_, disputed)| !disputed));
}

/// The negative control: a server that counts repeats is caught.
#[test]
fn a_server_that_counts_events_twice_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::CountsRepeats);
    let engine = licensed(dir.path(), &mut server);
    for _ in 0..2 {
        engine.record_events(&events(0, 5)).unwrap();
        sync(&engine, &mut server);
    }
    assert_eq!(count(&server), 10);
}

#[test]
fn events_recorded_before_activation_and_in_many_threads_arrive() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let engine = &engine;
            scope.spawn(move || {
                for k in 0..20 {
                    engine.record_events(&[event(format!("{n}-{k}"))]).unwrap();
                }
            });
        }
    });
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    sync(&engine, &mut server);
    assert_eq!(count(&server), 160);
}

#[test]
fn events_of_a_restored_journal_come_again_and_count_once() {
    let (dir, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    let engine = licensed(dir.path(), &mut server);
    engine.record_events(&events(0, 10)).unwrap();
    engine.next_request().unwrap().unwrap();
    copy(dir.path(), old.path());
    sync(&engine, &mut server);
    engine.record("calls", 1).unwrap();
    sync(&engine, &mut server);
    drop(engine);
    // The journal of before, with the counters of now: its events were sealed and never, as far as
    // it knows, acknowledged.
    std::fs::copy(dir.path().join("counters"), old.path().join("counters")).unwrap();
    let engine = open(old.path(), &server);
    assert_eq!(engine.recovered(), [Damage::JournalBehind { new_epoch: 2 }]);
    sync(&engine, &mut server);
    assert_eq!(count(&server), 10);
    assert!(held(&server).iter().all(|(_, disputed)| !disputed));
}

#[test]
fn events_of_a_fork_are_disputed() {
    let (dir, copied) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    drop(licensed(dir.path(), &mut server));
    copy(dir.path(), copied.path());
    let (original, twin) = (open(dir.path(), &server), open(copied.path(), &server));
    original.record_events(&events(0, 3)).unwrap();
    twin.record_events(&events(2, 6)).unwrap();
    sync(&original, &mut server);
    sync(&twin, &mut server);
    sync(&twin, &mut server);
    let disputed: Vec<_> = held(&server)
        .into_iter()
        .filter(|(_, d)| *d)
        .map(|(id, _)| id)
        .collect();
    assert_eq!(disputed, ["event-3", "event-4", "event-5"]);
    assert_eq!(count(&server), 6);
    twin.record_events(&events(6, 7)).unwrap();
    sync(&twin, &mut server);
    assert!(
        held(&server).contains(&("event-6".to_owned(), false)),
        "what comes after is not"
    );
}

fn with_pace(dir: &Path, server: &Server, clock: &Arc<FixedClock>) -> Engine {
    let options = Options {
        clock: clock.clone(),
        pace: Pace {
            flush: Duration::ZERO,
            seal: Duration::from_secs(3600),
            heartbeat: Duration::from_secs(24 * 3600),
        },
        ..Options::default()
    };
    Engine::open_with(dir, server.trust(), options).unwrap()
}

/// How many segments a sync sends.
fn sent(engine: &Engine, server: &mut Server) -> usize {
    let mut sent = 0;
    while let Some(request) = engine.next_request().unwrap() {
        if request.path == paths::SEGMENTS {
            sent += split_batch(&request.body).unwrap().len();
        }
        let (status, body) = server.handle(&request.path, &request.body);
        engine.on_response(status, &body).unwrap();
    }
    sent
}

#[test]
fn silence_is_said_once_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let mut server = Server::new(Fault::None);
    let engine = with_pace(dir.path(), &server, &clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    assert_eq!(sent(&engine, &mut server), 0);
    clock.advance(23 * 3_600_000);
    assert_eq!(sent(&engine, &mut server), 0);
    clock.advance(3_600_000);
    assert_eq!(sent(&engine, &mut server), 1);
    assert_eq!(sent(&engine, &mut server), 0, "once");
    clock.advance(12 * 3_600_000);
    engine.record("calls", 1).unwrap();
    assert_eq!(sent(&engine, &mut server), 1);
    clock.advance(12 * 3_600_000);
    assert_eq!(sent(&engine, &mut server), 0, "usage says it as well");
    let ran = server
        .streams
        .values()
        .flat_map(|s| &s.conditions)
        .map(|c| c.ran.unwrap());
    let ran: Vec<_> = ran.collect();
    assert_eq!(ran[0].boot, ran[1].boot);
    assert_eq!(ran[1].ms - ran[0].ms, 12 * 3_600_000);
    let boot = clock.running().unwrap().boot;
    assert_ne!(ran[0].boot[..], boot[8..], "the boot's own name stays here");
}

#[test]
fn an_offline_device_seals_by_the_hour_and_by_the_number_of_events() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let mut server = Server::new(Fault::None);
    let engine = with_pace(dir.path(), &server, &clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sent(&engine, &mut server);
    engine.record("calls", 1).unwrap();
    assert!(!engine.seal_when_due().unwrap(), "not yet");
    clock.advance(3_600_000);
    assert!(engine.seal_when_due().unwrap());
    clock.advance(3_600_000);
    assert!(!engine.seal_when_due().unwrap(), "nothing new");
    engine.record("calls", 1).unwrap();
    assert!(engine.seal_when_due().unwrap());
    engine.record_events(&events(0, MAX_EVENTS)).unwrap();
    assert!(engine.seal_when_due().unwrap(), "as many as fit");
    assert!(!engine.seal_when_due().unwrap());
    assert_eq!(sent(&engine, &mut server), 3);
    assert_eq!(
        (server.billed("calls"), count(&server)),
        (2, MAX_EVENTS as u64)
    );
}

/// Weeks offline: the segments are put together, the one that may have left stays as it is.
#[test]
fn what_was_never_sent_is_put_together_and_nothing_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let mut server = Server::new(Fault::None);
    let engine = with_pace(dir.path(), &server, &clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sent(&engine, &mut server);
    engine.record("calls", 1).unwrap();
    let left = engine.next_request().unwrap().unwrap();
    let mut counted_here = 1;
    let mut most = 0;
    for hour in 0..1200u64 {
        clock.advance(3_600_000);
        engine
            .record(&format!("calls{}", [".eu", ""][(hour % 2) as usize]), hour)
            .unwrap();
        counted_here += hour;
        if hour % 100 == 0 {
            engine
                .record_events(&[event(format!("hour-{hour}"))])
                .unwrap();
        }
        assert!(engine.seal_when_due().unwrap());
        if hour % 150 == 0 {
            let export = Export::from_bytes(&engine.export_usage().unwrap()).unwrap();
            most = most.max(export.segments.len());
        }
    }
    assert!(most < 600, "{most} segments kept");
    drop(engine);
    let engine = with_pace(dir.path(), &server, &clock);
    assert!(engine.recovered().is_empty(), "{:?}", engine.recovered());
    let again = engine.next_request().unwrap().unwrap();
    assert_eq!(split_batch(&again.body).unwrap()[0], left.body);
    let segments = sent(&engine, &mut server);
    assert!(segments < 600, "{segments}");
    let all = counted(&engine, "calls") + counted(&engine, "calls.eu");
    assert_eq!(all, counted_here);
    assert_eq!(server.billed("calls") + server.billed("calls.eu"), all);
    assert_eq!((server.disputed("calls"), count(&server)), (0, 12));
    let conditions = server.streams.values().flat_map(|s| &s.conditions);
    let compacted: Vec<_> = conditions.filter_map(|c| c.compacted).collect();
    assert!(compacted.iter().all(|c| c.segments >= 512), "{compacted:?}");
    assert!(!compacted.is_empty());
}

/// Killed between the commit that put segments together and the mark: it goes on.
#[test]
fn a_kill_while_segments_are_put_together_is_no_damage() {
    let (dir, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let clock = Arc::new(FixedClock::at(NOW));
    let mut server = Server::new(Fault::None);
    let engine = with_pace(dir.path(), &server, &clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sent(&engine, &mut server);
    for _ in 0..576 {
        clock.advance(3_600_000);
        engine.record("calls", 1).unwrap();
        assert!(engine.seal_when_due().unwrap());
    }
    copy(dir.path(), before.path());
    clock.advance(3_600_000);
    engine.record("calls", 1).unwrap();
    assert!(engine.seal_when_due().unwrap());
    drop(engine);
    // The new journal with the counters, and so the mark, of before.
    std::fs::copy(before.path().join("counters"), dir.path().join("counters")).unwrap();
    let engine = with_pace(dir.path(), &server, &clock);
    let begun_again = |damage: &Damage| matches!(damage, Damage::JournalBehind { .. });
    assert!(
        !engine.recovered().iter().any(begun_again),
        "{:?}",
        engine.recovered()
    );
    assert!(sent(&engine, &mut server) < 70);
    assert_eq!((server.billed("calls"), server.disputed("calls")), (577, 0));
}

/// A server put back so far that the device has folded away what it lacks: nothing is lost.
#[test]
fn a_server_restored_from_long_ago_is_told_the_totals() {
    let dir = tempfile::tempdir_in(memory()).unwrap();
    let mut server = Server::new(Fault::None);
    let engine = licensed(dir.path(), &mut server);
    engine.record("calls", 5).unwrap();
    engine.record("seldom", 3).unwrap();
    let backup = server.clone();
    for _ in 0..1300 {
        engine.record("calls", 1).unwrap();
        sync(&engine, &mut server);
    }
    let export = Export::from_bytes(&engine.export_usage().unwrap()).unwrap();
    assert!(export.segments.len() < 1200, "{}", export.segments.len());
    // What was folded is in a checkpoint, from which the kept chain goes on.
    let checkpoints = engine.checkpoints().unwrap();
    let folded = Checkpoint::open(&checkpoints[0], &engine.device()).unwrap();
    let first = open_segment_of_any_device(&export.segments[0]).unwrap();
    assert_eq!(first.seq, folded.position.seq + 1);
    assert_eq!(first.prev, folded.position.head);
    let units = |total: &Total| (total.key.meter().to_owned(), total.units);
    let totals: Vec<_> = folded.totals.iter().map(units).collect();
    assert_eq!(
        totals,
        [
            ("calls".to_owned(), 5 + folded.position.seq),
            ("seldom".to_owned(), 3)
        ]
    );
    // So an export of what is left still adds up to everything.
    assert_eq!(export.checkpoints, checkpoints);
    let mut audit = Audit::new(Some(server.trust()));
    audit.feed(&engine.export_usage().unwrap());
    let report = audit.finish();
    let unheld = report.findings.iter().map(|finding| finding.code);
    assert!(
        unheld.clone().all(|code| code == "device_not_activated"),
        "{:?}",
        report.findings
    );
    let totals: Vec<_> = report
        .totals
        .iter()
        .map(|cell| (cell.key.meter(), cell.units))
        .collect();
    assert_eq!(totals, [("calls", 1305), ("seldom", 3)]);
    server.restore(backup);
    assert_eq!(server.billed("calls"), 0);
    engine.record("calls", 1).unwrap();
    sync(&engine, &mut server);
    sync(&engine, &mut server);
    assert_eq!((server.billed("calls"), server.billed("seldom")), (1306, 3));
    assert_eq!(server.disputed("calls"), 0);
}

/// A place without a disk behind it, where there is one: what is counted here is segments.
fn memory() -> std::path::PathBuf {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    }
}

/// What one request carried is never said again in other bytes, though its answer was lost.
#[test]
fn what_left_in_one_request_is_not_put_together() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(FixedClock::at(NOW));
    let mut server = Server::new(Fault::None);
    let engine = with_pace(dir.path(), &server, &clock);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sent(&engine, &mut server);
    let hours = |count: u64| {
        for _ in 0..count {
            clock.advance(3_600_000);
            engine.record("calls", 1).unwrap();
            assert!(engine.seal_when_due().unwrap());
        }
    };
    hours(80);
    let request = engine.next_request().unwrap().unwrap();
    assert_eq!(split_batch(&request.body).unwrap().len(), 64);
    let _lost = server.handle(&request.path, &request.body);
    hours(700);
    assert!(
        sent(&engine, &mut server) < 780,
        "the rest was put together"
    );
    assert_eq!((server.billed("calls"), server.disputed("calls")), (780, 0));
    assert!(server.streams.values().all(|stream| stream.forks == 0));
}

/// Two copies on one clock, the same counts, the same moment: only the salts differ.
#[test]
fn copies_that_seal_the_same_at_the_same_moment_are_told_apart() {
    let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::new(Fault::None);
    drop(licensed(dir.path(), &mut server));
    copy(dir.path(), elsewhere.path());
    let both = [dir.path(), elsewhere.path()].map(|folder| {
        let clock = Arc::new(FixedClock::at(NOW.plus_ms(1)));
        let engine = common::open_at(folder, &server, clock);
        engine.record("calls", 5).unwrap();
        engine
    });
    for engine in &both {
        sync(engine, &mut server);
    }
    assert_eq!(server.billed("calls") + server.disputed("calls"), 10);
    assert_eq!(server.disputed("calls"), 5, "the second one is shown");
}
