//! What survives a power cut and a disk that fails, by the name of its durability.
//!
//! A power cut is what the disk has: SQLite's files as they are, since each commit was synced, and
//! the counter file as it was when it was flushed last. What the page cache held since is gone.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{Fault, NOW, Server, copy, counted, sync, try_open};
use mintreu::journal::Damage;
use mintreu::meter::{Condition, IncidentKind};
use mintreu::{Durability, Engine, FixedClock};

struct Machine {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    /// The counter file as the disk has it.
    flushed: Vec<u8>,
}

impl Machine {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::at(NOW)),
            flushed: Vec::new(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn open(&self, server: &Server) -> Engine {
        try_open(self.path(), server, self.clock.clone()).unwrap()
    }

    fn flush(&mut self, engine: &Engine) {
        engine.flush().unwrap();
        self.flushed = fs::read(self.path().join("counters")).unwrap();
    }

    /// Cuts the power, and starts the machine again.
    fn cut(self, engine: Engine) -> Self {
        let after = tempfile::tempdir().unwrap();
        copy(self.path(), after.path());
        fs::write(after.path().join("counters"), &self.flushed).unwrap();
        drop(engine);
        self.clock.restart();
        Self { dir: after, ..self }
    }
}

fn said(server: &Server) -> Vec<IncidentKind> {
    let conditions = server.streams.values().flat_map(|s| &s.conditions);
    let incidents = conditions.flat_map(|condition: &Condition| &condition.incidents);
    incidents.map(|incident| incident.kind).collect()
}

#[test]
fn a_batch_adds_each_meter_up_and_keeps_what_asks_for_it() {
    let (mut machine, server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    let calls = engine.meter("calls").unwrap();
    let tokens = engine.meter("tokens").unwrap();
    let kept = tokens.clone().with(Durability::Power);
    machine.flush(&engine);
    let batch = [
        (&tokens, 2),
        (&calls, 5),
        (&kept, 3),
        (&calls, 1),
        (&tokens, 4),
    ];
    engine.record_batch(&batch).unwrap();
    let both = |engine: &Engine| (counted(engine, "calls"), counted(engine, "tokens"));
    assert_eq!(both(&engine), (6, 9));
    let machine = machine.cut(engine);
    assert_eq!(both(&machine.open(&server)), (0, 9));
}

#[test]
fn a_power_cut_costs_one_interval_of_process_counts_and_no_power_count() {
    let (mut machine, mut server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    engine.record("calls", 100).unwrap();
    machine.flush(&engine);
    engine.record("calls", 7).unwrap();
    let tokens = engine.meter_with("tokens", Durability::Power).unwrap();
    tokens.try_record(40).unwrap();
    tokens.record_batch(&[1, 1]).unwrap();
    tokens.subject("s").unwrap().record(3);
    let renders = engine.meter_with("renders", Durability::Power).unwrap();
    assert!(renders.consume(499).unwrap().granted());
    let machine = machine.cut(engine);
    let engine = machine.open(&server);
    assert_eq!(engine.recovered()[0], Damage::PowerLost);
    // The negative control is the same harness: what is not durable is lost.
    assert_eq!(counted(&engine, "calls"), 100);
    assert_eq!(counted(&engine, "tokens"), 45);
    assert_eq!(counted(&engine, "renders"), 499);
    assert!(engine.consume("renders", 1).unwrap().granted());
    assert!(
        !engine.consume("renders", 1).unwrap().granted(),
        "the quota is not granted again"
    );
    sync(&engine, &mut server);
    assert_eq!(server.billed("calls") + server.billed("tokens"), 145);
    assert!(said(&server).contains(&IncidentKind::PowerLost));
    sync(&engine, &mut server);
    let times = said(&server)
        .iter()
        .filter(|kind| **kind == IncidentKind::PowerLost)
        .count();
    assert_eq!(times, 1, "said once");
}

#[test]
fn a_process_quota_may_be_granted_again_by_what_the_interval_took_and_no_more() {
    let (mut machine, mut server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    assert!(engine.consume("renders", 300).unwrap().granted());
    machine.flush(&engine);
    assert!(engine.consume("renders", 50).unwrap().granted());
    let machine = machine.cut(engine);
    let engine = machine.open(&server);
    assert!(engine.consume("renders", 200).unwrap().granted());
    assert!(!engine.consume("renders", 1).unwrap().granted());
}

#[test]
fn a_power_cut_between_seal_and_send_bills_what_was_sealed() {
    let (mut machine, mut server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    engine.record("calls", 10).unwrap();
    machine.flush(&engine);
    engine.record("calls", 5).unwrap();
    let sealed = engine.next_request().unwrap().unwrap();
    let machine = machine.cut(engine);
    let engine = machine.open(&server);
    assert!(engine.recovered().contains(&Damage::CellBehind {
        meter: "calls".into(),
        units: 5
    }));
    let again = engine.next_request().unwrap().unwrap();
    assert_eq!(again.body, sealed.body, "the same bytes");
    sync(&engine, &mut server);
    assert_eq!(
        (counted(&engine, "calls"), server.billed("calls")),
        (15, 15)
    );
}

#[test]
fn a_clean_end_and_a_killed_process_are_no_power_cut() {
    let (machine, server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    engine.record("calls", 1).unwrap();
    drop(engine);
    machine.clock.restart();
    assert!(machine.open(&server).recovered().is_empty(), "a clean end");
    let killed = machine.open(&server);
    std::mem::forget(killed.meter("calls").unwrap());
    let copied = tempfile::tempdir().unwrap();
    copy(machine.path(), copied.path());
    let engine = try_open(copied.path(), &server, machine.clock.clone()).unwrap();
    assert!(engine.recovered().is_empty(), "the same boot");
}

#[test]
fn durable_counts_outlive_the_counter_file() {
    let (machine, mut server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    engine.install_bytes(&server.license_bundle()).unwrap();
    sync(&engine, &mut server);
    engine
        .meter_with("tokens", Durability::Power)
        .unwrap()
        .try_record(40)
        .unwrap();
    engine.record("calls", 40).unwrap();
    drop(engine);
    fs::remove_file(machine.path().join("counters")).unwrap();
    let engine = machine.open(&server);
    assert_eq!(
        (counted(&engine, "tokens"), counted(&engine, "calls")),
        (40, 0)
    );
    sync(&engine, &mut server);
    assert!(said(&server).contains(&IncidentKind::CountersDamaged));
    assert_eq!(server.billed("tokens"), 40);
}

#[test]
fn a_batch_over_two_folders_is_on_the_disk_in_each() {
    let (machines, server) = ([Machine::new(), Machine::new()], Server::new(Fault::None));
    let [here, there] = [0, 1].map(|n| machines[n].open(&server));
    // The meters' places differ, so that one folder's are not taken for the other's.
    there.record("calls", 1).unwrap();
    let tokens = [&here, &there].map(|e| e.meter_with("tokens", Durability::Power).unwrap());
    let calls = there.meter("calls").unwrap();
    here.record_batch(&[(&tokens[0], 3), (&calls, 9), (&tokens[1], 4)])
        .unwrap();
    drop((here, there, calls));
    drop(tokens);
    let left = machines.map(|machine| {
        fs::remove_file(machine.path().join("counters")).unwrap();
        let engine = machine.open(&server);
        (counted(&engine, "tokens"), counted(&engine, "calls"))
    });
    assert_eq!(left, [(3, 0), (4, 0)]);
}

#[test]
fn a_durability_is_known_by_its_name() {
    for known in Durability::ALL {
        assert_eq!(Durability::parse(known.name()), Ok(known));
    }
    let unknown = Durability::parse("volatile").unwrap_err();
    assert_eq!(unknown.code(), "durability_unknown");
}

#[test]
fn many_threads_share_commits_and_each_is_on_the_disk() {
    let (machine, server) = (Machine::new(), Server::new(Fault::None));
    let engine = machine.open(&server);
    let disk = fs::read(machine.path().join("counters")).unwrap();
    let meters = ["a", "b"].map(|name| engine.meter_with(name, Durability::Power).unwrap());
    std::thread::scope(|scope| {
        for n in 0..16 {
            let meter = &meters[n % 2];
            scope.spawn(move || (0..50).for_each(|_| meter.try_record(1).unwrap()));
        }
    });
    let machine = Machine {
        flushed: disk,
        ..machine
    }
    .cut(engine);
    let engine = machine.open(&server);
    assert_eq!((counted(&engine, "a"), counted(&engine, "b")), (400, 400));
}

/// A disk that fails, for the thread that asks for it: the system answers its calls with an error.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod failing {
    use super::*;
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

    /// Runs `work` where these calls fail with this number.
    fn with_failing(calls: &[i64], number: i32, work: impl FnOnce() + Send) {
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(
            calls.iter().map(|&call| (call, Vec::new())).collect(),
            SeccompAction::Allow,
            SeccompAction::Errno(number.cast_unsigned()),
            arch,
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                apply_filter(&program).unwrap();
                work();
            });
        });
    }

    fn fails(calls: &[i64], number: i32, code: &str, kind: IncidentKind) {
        let (machine, mut server) = (Machine::new(), Server::new(Fault::None));
        let engine = machine.open(&server);
        engine.install_bytes(&server.license_bundle()).unwrap();
        sync(&engine, &mut server);
        let disk = fs::read(machine.path().join("counters")).unwrap();
        let tokens = engine.meter_with("tokens", Durability::Power).unwrap();
        tokens.try_record(10).unwrap();
        with_failing(calls, number, || {
            // Not acknowledged: counted, and said.
            assert_eq!(tokens.try_record(7).unwrap_err().code(), code);
            let again = engine.next_request().unwrap_err();
            assert!([code, "journal_io"].contains(&again.code()), "{again}");
            engine.record("calls", 2).unwrap();
        });
        assert_eq!(tokens.counted(), 17);
        // What was acknowledged before the failure is on the disk; what was not may be.
        let survived = tempfile::tempdir().unwrap();
        copy(machine.path(), survived.path());
        fs::write(survived.path().join("counters"), disk).unwrap();
        let cut = try_open(survived.path(), &server, machine.clock.clone()).unwrap();
        assert!((10..=17).contains(&counted(&cut, "tokens")));
        // The disk works again: the next count is kept, and the next segment tells.
        tokens.try_record(1).unwrap();
        sync(&engine, &mut server);
        assert_eq!((server.billed("tokens"), server.billed("calls")), (18, 2));
        assert!(said(&server).contains(&kind));
        drop(engine);
        assert!(machine.open(&server).recovered().is_empty());
    }

    #[test]
    fn a_failed_sync_acknowledges_nothing_and_is_said() {
        let syncs = [libc::SYS_fsync, libc::SYS_fdatasync];
        fails(&syncs, libc::EIO, "journal_io", IncidentKind::WriteFailed);
    }

    #[test]
    fn a_full_disk_acknowledges_nothing_and_is_said() {
        let writes = [libc::SYS_pwrite64, libc::SYS_write];
        fails(&writes, libc::ENOSPC, "disk_full", IncidentKind::DiskFull);
    }

    /// On a real file system that is full: no signal, nothing lost, and it goes on afterwards.
    #[test]
    fn a_disk_that_is_really_full_kills_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(dir.path())
            .output();
        if !mount.is_ok_and(|done| done.status.success()) {
            println!("left out: only root may mount a small disk");
            return;
        }
        let full = std::panic::catch_unwind(|| fill(dir.path()));
        let unmounted = std::process::Command::new("umount")
            .arg("-l")
            .arg(dir.path())
            .status();
        assert!(unmounted.unwrap().success());
        if let Err(panic) = full {
            std::panic::resume_unwind(panic);
        }
    }

    fn fill(disk: &Path) {
        let clock = Arc::new(FixedClock::at(NOW));
        let mut server = Server::new(Fault::None);
        let engine = try_open(&disk.join("engine"), &server, clock.clone()).unwrap();
        engine.install_bytes(&server.license_bundle()).unwrap();
        sync(&engine, &mut server);
        let tokens = engine.meter_with("tokens", Durability::Power).unwrap();
        tokens.try_record(10).unwrap();
        let stuffing = disk.join("stuffing");
        let stuff = || {
            let mut file = fs::File::options()
                .append(true)
                .create(true)
                .open(&stuffing)
                .unwrap();
            while std::io::Write::write_all(&mut file, &[1; 512]).is_ok() {}
        };
        stuff();
        let mut refused = 0;
        for n in 0..200 {
            // Every cell is on the disk already: counting into a new one needs no block.
            engine.record(&format!("calls.{n}"), 1).unwrap();
            refused += u64::from(tokens.try_record(1).is_err());
            refused += u64::from(engine.next_request().is_err());
        }
        assert!(refused > 0, "the disk was never full");
        // A folder that can't be made says so.
        let second = try_open(&disk.join("second"), &server, clock.clone()).unwrap_err();
        assert!(
            ["disk_full", "journal_io"].contains(&second.code()),
            "{second}"
        );
        fs::remove_file(&stuffing).unwrap();
        // The first sync sends what was sealed before the disk was full.
        sync(&engine, &mut server);
        sync(&engine, &mut server);
        assert_eq!(server.billed("tokens"), 210);
        assert_eq!(
            (0..200)
                .map(|n| server.billed(&format!("calls.{n}")))
                .sum::<u64>(),
            200
        );
        assert!(said(&server).contains(&IncidentKind::DiskFull));
        drop(engine);
        let engine = try_open(&disk.join("engine"), &server, clock).unwrap();
        assert!(engine.recovered().is_empty(), "{:?}", engine.recovered());
    }
}
