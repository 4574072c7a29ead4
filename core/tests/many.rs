//! Many processes on one folder, some of them killed: they share counts and quotas, and each seals
//! what all have counted.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{Fault, Random, Server, counted, open, rounds, sync};
use mintreu::Engine;
use mintreu::license::QuotaClaim;
use mintreu::meter::Window;

const STARTED: u8 = 1;
const DONE: u8 = 2;
const FOLDER: &str = "MINTREU_MANY_FOLDER";
const MODE: &str = "MINTREU_MANY_MODE";
const LIMIT: u64 = 1000;
const THREADS: usize = 64;

/// What the children do; a test only in name.
#[test]
fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let server = server();
    let engine = open(Path::new(&folder), &server);
    match std::env::var(MODE).unwrap().as_str() {
        "consume" => consume(&engine),
        "count" => count(&engine),
        "fork at rest" => fork(&engine, true),
        "fork in use" => fork(&engine, false),
        _ => {}
    }
}

fn server() -> Server {
    let mut server = Server::new(Fault::None);
    let quota = QuotaClaim::new(LIMIT, Window::Lifetime);
    server
        .license
        .quotas
        .insert("units".parse().unwrap(), quota);
    server
}

/// A folder with an activated license, and the server it syncs with.
fn licensed(folder: &Path) -> Server {
    let mut server = server();
    let engine = open(folder, &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    server
}

fn say(byte: u8) {
    let mut out = std::io::stdout().lock();
    out.write_all(&[byte]).and_then(|()| out.flush()).unwrap();
}

/// Takes units of the quota in many threads until there are none.
fn consume(engine: &Engine) {
    let units = engine.meter("units").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while units.consume(1).unwrap().granted() {
                    say(DONE);
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
        }
    });
}

/// Counts until it is killed, and seals now and then.
fn count(engine: &Engine) {
    let calls = engine.meter("calls").unwrap();
    for round in 0u64.. {
        say(STARTED);
        calls.record(1);
        say(DONE);
        if round % 61 == 0 {
            engine.next_request().unwrap();
        }
    }
}

fn spawn(folder: &Path, mode: &str) -> Running {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(MODE, mode)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let witness = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        let count = |byte| bytes.iter().filter(|&&b| b == byte).count() as u64;
        (count(STARTED), count(DONE))
    });
    Running { child, witness }
}

struct Running {
    child: Child,
    witness: JoinHandle<(u64, u64)>,
}

impl Running {
    fn kill(mut self) -> (u64, u64) {
        self.child.kill().unwrap();
        self.end()
    }

    fn end(mut self) -> (u64, u64) {
        self.child.wait().unwrap();
        self.witness.join().unwrap()
    }
}

/// Four processes take from the folders that `of` gives them, one of them is killed; gives how many
/// units they were granted in all.
fn grants(random: &mut Random, of: impl Fn(usize) -> std::path::PathBuf) -> u64 {
    let mut running: Vec<_> = (0..4).map(|n| spawn(&of(n), "consume")).collect();
    std::thread::sleep(Duration::from_millis(20 + random.below(120)));
    let killed = running.swap_remove(random.below(4) as usize).kill();
    let ended = running.into_iter().map(Running::end);
    ended.fold(killed.1, |sum, (_, granted)| sum + granted)
}

#[test]
fn a_quota_is_shared_and_never_overspent() {
    for round in 0..rounds("MANY", 3) {
        let dir = tempfile::tempdir().unwrap();
        let mut server = licensed(dir.path());
        let granted = grants(&mut Random::new(round), |_| dir.path().to_owned());
        let engine = open(dir.path(), &server);
        assert!(engine.recovered().is_empty(), "{:?}", engine.recovered());
        let found = counted(&engine, "units");
        assert!(
            granted <= found && found <= LIMIT,
            "round {round}: {granted} {found}"
        );
        // A killed process may have taken units that it could not count any more: used, not free.
        let mut left = 0;
        while engine.consume("units", 1).unwrap().granted() {
            left += 1;
        }
        let used = LIMIT - left;
        assert!(
            found <= used && used <= found + THREADS as u64,
            "{found} counted, {used} used"
        );
        sync(&engine, &mut server);
        assert_eq!(server.billed("units"), counted(&engine, "units"));
    }
}

/// The negative control: processes that share nothing spend more.
#[test]
fn a_quota_that_is_not_shared_is_overspent() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..4 {
        licensed(&dir.path().join(n.to_string()));
    }
    let granted = grants(&mut Random::new(1), |n| dir.path().join(n.to_string()));
    assert!(granted > LIMIT, "{granted}");
}

#[test]
fn four_processes_count_and_seal_while_they_are_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = licensed(dir.path());
    let mut random = Random::new(5);
    let (mut started, mut acknowledged) = (0, 0);
    let mut running: Vec<_> = (0..4).map(|_| spawn(dir.path(), "count")).collect();
    // Beside them this process syncs.
    let engine = open(dir.path(), &server);
    for _ in 0..rounds("KILLS", 25).div_ceil(4) {
        std::thread::sleep(Duration::from_millis(20 + random.below(60)));
        let (s, d) = running.swap_remove(random.below(4) as usize).kill();
        (started, acknowledged) = (started + s, acknowledged + d);
        running.push(spawn(dir.path(), "count"));
        sync(&engine, &mut server);
    }
    for (s, d) in running.into_iter().map(Running::kill) {
        (started, acknowledged) = (started + s, acknowledged + d);
    }
    let found = counted(&engine, "calls");
    assert!(
        acknowledged > 100,
        "the children hardly ran: {acknowledged}"
    );
    assert!(
        acknowledged <= found && found <= started,
        "{acknowledged} acknowledged, {found} found, {started} started"
    );
    sync(&engine, &mut server);
    assert_eq!(
        (server.billed("calls"), server.disputed("calls")),
        (found, 0)
    );
    assert!(server.streams.values().all(|stream| stream.forks == 0));
    drop(engine);
    assert!(open(dir.path(), &server).recovered().is_empty());
}

#[test]
fn what_one_process_installs_the_others_use() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server();
    let (first, second) = (open(dir.path(), &server), open(dir.path(), &server));
    assert_eq!(second.verdict().unwrap_err().code(), "not_licensed");
    first.install_bytes(&server.license_bundle()).unwrap();
    sync(&first, &mut server);
    assert!(second.verdict().is_ok());
    assert!(second.consume("units", 400).unwrap().granted());
    assert!(first.consume("units", 600).unwrap().granted());
    assert!(!second.consume("units", 1).unwrap().granted());
    // Each syncs what both counted, and knows what the other sent.
    sync(&second, &mut server);
    assert_eq!(server.billed("units"), 1000);
    first.record("calls", 7).unwrap();
    second.record("calls", 5).unwrap();
    sync(&first, &mut server);
    sync(&second, &mut server);
    assert_eq!((server.billed("calls"), server.disputed("calls")), (12, 0));
    let acknowledged: u64 = second
        .usage()
        .unwrap()
        .iter()
        .map(|cell| cell.acknowledged)
        .sum();
    assert_eq!(acknowledged, 1012);
    second.deactivate(None).unwrap();
    sync(&second, &mut server);
    assert_eq!(first.seat_ends_at(server.license.id), None);
}

#[test]
fn two_processes_syncing_at_once_bill_each_unit_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = licensed(dir.path());
    let mut random = Random::new(9);
    let engines = [open(dir.path(), &server), open(dir.path(), &server)];
    let mut waiting: Vec<(usize, mintreu::sync::Request)> = Vec::new();
    for _ in 0..400 {
        let who = random.below(2) as usize;
        match random.below(3) {
            0 => engines[who].record("calls", 1 + random.below(9)).unwrap(),
            1 => waiting.extend(engines[who].next_request().unwrap().map(|r| (who, r))),
            _ if waiting.is_empty() => {}
            _ => {
                let (who, request) =
                    waiting.swap_remove(random.below(waiting.len() as u64) as usize);
                let (status, body) = server.handle(&request.path, &request.body);
                engines[who].on_response(status, &body).unwrap();
            }
        }
    }
    for engine in &engines {
        sync(engine, &mut server);
    }
    let found = counted(&engines[0], "calls");
    assert_eq!(
        (server.billed("calls"), server.disputed("calls")),
        (found, 0)
    );
    assert!(found > 100);
}

/// Forks, and lets the child count and seal; says `DONE` for each thing that is as it should be.
#[expect(
    unsafe_code,
    reason = "only the system call makes a child that shares the memory"
)]
fn fork(engine: &Engine, at_rest: bool) {
    let calls = engine.meter("calls").unwrap();
    calls.record(1);
    if !at_rest {
        engine.next_request().unwrap();
    }
    // SAFETY: the child calls only this program's own code, and ends without running destructors
    // of what it shares with the parent; the other thread, the test runner's, waits.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        calls.record(10);
        let sealed = engine.next_request().map_err(|error| error.code());
        let right = match at_rest {
            true => matches!(sealed, Ok(Some(_))),
            false => sealed == Err("forked"),
        };
        let code = i32::from(!right);
        // SAFETY: ends this process at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made above; `status` is a valid place.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(status, 0, "the child found something else");
    calls.record(100);
    engine.next_request().unwrap();
    say(DONE);
}

#[test]
fn a_forked_child_counts_and_opens_the_journal_where_that_is_safe() {
    for mode in ["fork at rest", "fork in use"] {
        let dir = tempfile::tempdir().unwrap();
        let mut server = licensed(dir.path());
        assert_eq!(spawn(dir.path(), mode).end().1, 1, "{mode}");
        let engine = open(dir.path(), &server);
        assert!(
            engine.recovered().is_empty(),
            "{mode}: {:?}",
            engine.recovered()
        );
        sync(&engine, &mut server);
        assert_eq!(server.billed("calls"), 111, "{mode}");
    }
}
