//! Counting in a process that is killed with SIGKILL, again and again.
//!
//! The witness is the pipe between the two processes: the child writes a byte before each unit it
//! counts and another after. What is in a pipe outlives the writer, so that after every kill
//! *acknowledged ≤ counted ≤ started* must hold. `MINTREU_TEST_KILLS` sets how many kills there are.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Fault, Random, Server, counted, open, rounds, sync};

/// Bytes that the test runner itself never writes.
const STARTED: u8 = 1;
const DONE: u8 = 2;
const CHILD_FOLDER: &str = "MINTREU_KILL9_FOLDER";
const CHILD_MODE: &str = "MINTREU_KILL9_MODE";

/// What the child does until it is killed; a test only in name, run by the tests below.
#[test]
fn child() {
    let Ok(folder) = std::env::var(CHILD_FOLDER) else {
        return;
    };
    let server = Server::new(Fault::None);
    let engine = open(Path::new(&folder), &server);
    let calls = engine.meter("api.calls").unwrap();
    let mode = std::env::var(CHILD_MODE).unwrap();
    let mut out = std::io::stdout();
    let mut say = |byte| out.write_all(&[byte]).and_then(|()| out.flush()).unwrap();
    let mut unwritten = 0;
    for round in 0u64.. {
        say(STARTED);
        match mode.as_str() {
            "record" => calls.record(1),
            // The negative control: counts are kept in memory and written now and then.
            "volatile" => {
                unwritten += 1;
                if unwritten == 500 {
                    calls.record(std::mem::take(&mut unwritten));
                }
            }
            "consume" if engine.consume("renders", 1).unwrap().granted() => {}
            _ => return,
        }
        say(DONE);
        if round % 97 == 0 {
            engine.next_request().unwrap();
        }
    }
}

fn spawn(folder: &Path, mode: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD_FOLDER, folder)
        .env(CHILD_MODE, mode)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a child count for a while, kills it, and gives what the witness saw: started and done.
/// `counts` waits until the child counts, however busy the machine is; else it may be killed before.
fn run_and_kill(folder: &Path, mode: &str, (counts, micros): (bool, u64)) -> (u64, u64) {
    let mut child = spawn(folder, mode);
    let mut pipe = child.stdout.take().unwrap();
    let (begins, begun) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        while !bytes.contains(&STARTED) {
            let mut next = [0];
            match pipe.read(&mut next).unwrap() {
                0 => break,
                _ => bytes.push(next[0]),
            }
        }
        drop(begins);
        pipe.read_to_end(&mut bytes).unwrap();
        let count = |byte| bytes.iter().filter(|&&b| b == byte).count() as u64;
        (count(STARTED), count(DONE))
    });
    if counts {
        // Said by hanging up, also when the child ends without a word.
        let _said: Result<(), _> = begun.recv();
    }
    std::thread::sleep(Duration::from_micros(micros));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// When to kill: mostly while it counts, now and then while it opens the folder.
fn moment(random: &mut Random) -> (bool, u64) {
    (random.below(4) > 0, 20_000 + random.below(60_000))
}

/// Kills a counting child many times; gives how often less was found than was acknowledged.
fn losses(mode: &str, kills: u64) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let mut server = Server::new(Fault::None);
    let engine = open(dir.path(), &server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    drop(engine);
    let mut random = Random::new(kills);
    let (mut started, mut acknowledged, mut losses) = (0, 0, 0);
    for kill in 0..kills {
        let (s, d) = run_and_kill(dir.path(), mode, moment(&mut random));
        started += s;
        acknowledged += d;
        let engine = open(dir.path(), &server);
        assert!(
            engine.recovered().is_empty(),
            "kill {kill}: {:?}",
            engine.recovered()
        );
        let found = counted(&engine, "api.calls") + counted(&engine, "renders");
        assert!(
            found <= started,
            "kill {kill}: {found} counted of {started} started"
        );
        losses += u64::from(found < acknowledged);
        if random.below(3) == 0 {
            sync(&engine, &mut server);
        }
    }
    assert!(
        acknowledged > kills,
        "the children hardly ran: {acknowledged} in {kills} kills"
    );
    let engine = open(dir.path(), &server);
    sync(&engine, &mut server);
    for meter in ["api.calls", "renders"] {
        assert_eq!(
            server.billed(meter),
            counted(&engine, meter),
            "billed what was counted"
        );
    }
    println!("{mode}: {kills} kills, {started} started, {acknowledged} acknowledged");
    losses
}

#[test]
fn a_killed_process_loses_nothing() {
    assert_eq!(losses("record", rounds("KILLS", 25)), 0);
}

#[test]
fn a_killed_process_never_spends_a_quota_twice() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Fault::None);
    open(dir.path(), &server)
        .install_bytes(&server.license_bundle())
        .unwrap();
    let mut granted = 0;
    for _ in 0..rounds("KILLS", 25) {
        granted += run_and_kill(dir.path(), "consume", (true, 25_000)).1;
    }
    // Units taken by a process that was killed before it could say so are used, not free.
    assert!(granted <= 500, "{granted} of 500 granted");
    let found = counted(&open(dir.path(), &server), "renders");
    assert!(
        granted <= found && found <= 500,
        "{granted} granted, {found} counted"
    );
}

/// The negative control: the same harness catches a counter that lives in memory.
#[test]
fn a_volatile_counter_is_caught() {
    assert!(losses("volatile", 5) > 0);
}
