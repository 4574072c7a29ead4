//! A fleet of devices, a bad network and a server, by seed, with everything that is put back in
//! time: folders, halves of folders, copies on two machines, the server itself.
//!
//! After **every** step no more is billed than was truly counted. At the end, when all that still
//! lives has synced, what was counted is billed, or shown as disputed, or was in the unacknowledged
//! tail of a folder that was put back: nothing else is ever missing, and every fault that can be
//! noticed was noticed. `MINTREU_TEST_FLEET_SEEDS` sets how many seeds are run.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Fault, NOW, Random, Server, copy, rounds, sync};
use mintreu::id::StreamId;
use mintreu::journal::Damage;
use mintreu::meter::stream_id;
use mintreu::{Engine, FixedClock, Options};

const METER: &str = "api.calls";
const STEPS: usize = 60;

/// What may happen to a world, beside a bad network, restarts and jumping clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disasters {
    /// The server is put back to a backup.
    server: bool,
    /// Folders, or halves of them, are put back.
    folders: bool,
    /// A folder is copied, and both copies go on.
    copies: bool,
}

impl Disasters {
    /// One after the other by seed. A server is put back only where no device has left an epoch:
    /// it then gets all it had forgotten once more. What it had taken of an epoch that was left
    /// since is not sent again; `docs/usage-protocol.md` says so.
    fn of(seed: u64) -> Self {
        let (server, folders, copies) = match seed % 4 {
            0 => (true, false, false),
            1 => (false, true, false),
            2 => (false, false, true),
            _ => (false, true, true),
        };
        Self {
            server,
            folders,
            copies,
        }
    }
}

/// Which half of a folder is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Both,
    Journal,
    Counters,
}

struct Device {
    folder: PathBuf,
    clock: Arc<FixedClock>,
    engine: Option<Engine>,
    /// A copy of the closed folder, and what its cell held.
    snapshot: Option<(PathBuf, u64)>,
}

/// One cell, as its device knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    counted: u64,
    sealed: u64,
    acknowledged: u64,
}

impl Device {
    fn open(&mut self, server: &Server) -> &Engine {
        let (folder, clock) = (&self.folder, &self.clock);
        self.engine.get_or_insert_with(|| {
            let options = Options {
                clock: clock.clone(),
                cells: 16,
                ..Options::default()
            };
            Engine::open_with(folder, server.trust(), options).unwrap()
        })
    }

    fn close(&mut self) {
        self.engine = None;
    }

    fn cell(&mut self, server: &Server) -> Cell {
        let usage = self.open(server).usage().unwrap();
        usage.first().map_or_else(Cell::default, |cell| Cell {
            counted: cell.counted,
            sealed: cell.sealed,
            acknowledged: cell.acknowledged,
        })
    }
}

/// A rollback that the next sync must bring to light: the stream, and what was known of it then.
struct Expected {
    stream: StreamId,
    epoch: u64,
    forks: u32,
}

struct World {
    home: tempfile::TempDir,
    random: Random,
    server: Server,
    backup: Option<Server>,
    devices: Vec<Device>,
    requests: Vec<(String, Vec<u8>)>,
    answers: Vec<(usize, u16, Vec<u8>)>,
    disasters: Disasters,
    /// Whether a whole folder was put back.
    branched: bool,
    expected: Vec<Expected>,
    folders: u64,
    /// Units that were ever counted, on every copy of every device.
    truth: u64,
    /// Of these, units in unacknowledged tails that were put back.
    vanished: u64,
}

/// What a seed came to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    truth: u64,
    billed: u64,
    disputed: u64,
    vanished: u64,
    /// The first step after which more was billed than counted.
    overbilled: Option<usize>,
}

impl Outcome {
    fn holds(&self) -> bool {
        let told = self.billed + self.disputed + self.vanished;
        self.overbilled.is_none() && self.billed <= self.truth && told >= self.truth
    }
}

/// A folder in memory where there is one: the disk is not what is tried here.
fn home() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

impl World {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut world = Self {
            home: home(),
            random: Random::new(seed),
            server: Server::new(fault),
            backup: None,
            devices: Vec::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            disasters: Disasters::of(seed),
            branched: false,
            expected: Vec::new(),
            folders: 0,
            truth: 0,
            vanished: 0,
        };
        for _ in 0..1 + world.random.below(3) {
            let folder = world.folder();
            let mut device = Device {
                folder,
                clock: Arc::new(FixedClock::at(NOW)),
                engine: None,
                snapshot: None,
            };
            let engine = device.open(&world.server);
            engine
                .install_bytes(&world.server.license_bundle())
                .unwrap();
            sync(engine, &mut world.server);
            world.devices.push(device);
        }
        world
    }

    fn folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.home.path().join(self.folders.to_string())
    }

    fn some_device(&mut self) -> usize {
        self.random.below(self.devices.len() as u64) as usize
    }

    fn step(&mut self) {
        let index = self.some_device();
        self.devices[index].clock.advance(7);
        match self.random.below(20) {
            0..7 => self.count(index),
            7..14 => self.exchange(index),
            14 => self.late(),
            15 => self.restart(index),
            16 => self.jump(index),
            17 if self.disasters.folders => self.put_back(index),
            18 if self.disasters.copies && self.devices.len() < 5 => self.copy(index),
            19 if self.disasters.server => self.put_server_back(),
            _ => self.exchange(index),
        }
    }

    fn count(&mut self, index: usize) {
        let units = 1 + self.random.below(50);
        let engine = self.devices[index].open(&self.server);
        engine.record(METER, units).unwrap();
        self.truth += units;
    }

    /// One request: lost, delivered once or twice, kept for later; its answer likewise, or cut.
    fn exchange(&mut self, index: usize) {
        let engine = self.devices[index].open(&self.server).clone();
        let Some(request) = engine.next_request().unwrap() else {
            return;
        };
        if self.random.below(6) == 0 {
            self.requests
                .push((request.path.clone(), request.body.clone()));
        }
        for _ in 0..self.random.below(3) {
            let (status, body) = self.server.handle(&request.path, &request.body);
            match self.random.below(5) {
                0 => self.answers.push((index, status, body)),
                1 => {
                    let cut = self.random.below(body.len() as u64 + 1) as usize;
                    let _told = engine.on_response(status, &body[..cut]);
                }
                2 | 3 => hear(&engine, status, &body),
                _ => {}
            }
        }
    }

    /// A request or an answer that was on its way for long.
    fn late(&mut self) {
        if let Some(at) = self.pick(self.requests.len()) {
            let (path, body) = self.requests.swap_remove(at);
            self.server.handle(&path, &body);
        }
        if let Some(at) = self.pick(self.answers.len()) {
            let (index, status, body) = self.answers.swap_remove(at);
            hear(self.devices[index].open(&self.server), status, &body);
        }
    }

    fn pick(&mut self, len: usize) -> Option<usize> {
        (len > 0).then(|| self.random.below(len as u64) as usize)
    }

    fn restart(&mut self, index: usize) {
        let device = &mut self.devices[index];
        device.close();
        let recovered = device.open(&self.server).recovered();
        assert!(recovered.is_empty(), "nothing was wrong: {recovered:?}");
    }

    /// Up to a month ahead or back.
    fn jump(&mut self, index: usize) {
        let month = 30 * 86_400_000;
        let ms = self.random.below(2 * month as u64) as i64 - month;
        let clock = &self.devices[index].clock;
        clock.set(mintreu::Clock::now(&**clock).plus_ms(ms));
    }

    fn copy(&mut self, index: usize) {
        let folder = self.folder();
        let original = &mut self.devices[index];
        original.close();
        copy(&original.folder, &folder);
        let now = mintreu::Clock::now(&*original.clock);
        self.devices.push(Device {
            folder,
            clock: Arc::new(FixedClock::at(now)),
            engine: None,
            snapshot: None,
        });
    }

    /// Takes a snapshot of a folder, or puts the one before back.
    fn put_back(&mut self, index: usize) {
        let cell = self.devices[index].cell(&self.server);
        let Some((snapshot, counted)) = self.devices[index].snapshot.take() else {
            let folder = self.folder();
            let device = &mut self.devices[index];
            device.close();
            copy(&device.folder, &folder);
            device.snapshot = Some((folder, cell.counted));
            return;
        };
        let half = self.some_half();
        let device = &mut self.devices[index];
        device.close();
        restore(&snapshot, &device.folder, half);
        let recovered = device.open(&self.server).recovered().to_vec();
        let now = device.cell(&self.server);
        match half {
            Half::Both => assert_eq!(recovered, [], "nothing on the device can tell"),
            Half::Journal => assert_eq!(now.counted, cell.counted, "the counters are whole"),
            Half::Counters if counted < cell.sealed => {
                let behind = |damage: &Damage| matches!(damage, Damage::CellBehind { .. });
                assert!(recovered.iter().any(behind), "{recovered:?}");
            }
            Half::Counters => {}
        }
        self.vanished += cell
            .counted
            .saturating_sub(now.counted.max(cell.acknowledged));
        if half == Half::Both && cell.acknowledged > now.sealed {
            self.expect_notice(index);
        }
    }

    /// A journal alone is put back only where no history has two branches. The device then lets the
    /// server say how much it had reported, and the server knows one branch's answer: units of the
    /// other are not billed, though both the branch and the journal are told of by name.
    fn some_half(&mut self) -> Half {
        let halves = [Half::Both, Half::Counters, Half::Journal];
        let branched = self.disasters.copies || self.branched;
        let half = halves[self.random.below(if branched { 2 } else { 3 }) as usize];
        self.branched |= half == Half::Both;
        half
    }

    /// The device was put back below its last receipt.
    fn expect_notice(&mut self, index: usize) {
        let key = self.devices[index].open(&self.server).device();
        let stream = stream_id(&key, self.server.license.id);
        let known = &self.server.streams[&stream];
        self.expected.push(Expected {
            stream,
            epoch: known.epoch(),
            forks: known.forks,
        });
    }

    fn put_server_back(&mut self) {
        match self.backup.take() {
            Some(old) => self.server.restore(old),
            None => self.backup = Some(self.server.clone()),
        }
    }

    /// Everything that still lives counts one more unit and syncs without trouble.
    fn settle(&mut self) {
        for _ in 0..3 {
            for device in &mut self.devices {
                device.clock.advance(7);
                let engine = device.open(&self.server);
                engine.record(METER, 1).unwrap();
                self.truth += 1;
                sync(engine, &mut self.server);
            }
        }
    }

    fn outcome(&self, overbilled: Option<usize>) -> Outcome {
        Outcome {
            truth: self.truth,
            billed: self.server.billed(METER),
            disputed: self.server.disputed(METER),
            vanished: self.vanished,
            overbilled,
        }
    }
}

/// A late answer to a request that was answered already may be refused; it must do no harm.
fn hear(engine: &Engine, status: u16, body: &[u8]) {
    if let Err(refused) = engine.on_response(status, body) {
        let late = ["activation_mismatch", "challenge_mismatch"];
        assert!(late.contains(&refused.code()), "{refused}");
    }
}

/// Puts files of a snapshot in the place of a closed folder's.
fn restore(snapshot: &Path, folder: &Path, half: Half) {
    const JOURNAL: [&str; 3] = ["journal.db", "journal.db-wal", "journal.db-shm"];
    if half != Half::Counters {
        for name in JOURNAL {
            let _absent = std::fs::remove_file(folder.join(name));
            if snapshot.join(name).exists() {
                std::fs::copy(snapshot.join(name), folder.join(name)).unwrap();
            }
        }
    }
    if half != Half::Journal {
        std::fs::copy(snapshot.join("counters"), folder.join("counters")).unwrap();
    }
}

fn simulate(seed: u64, fault: Fault) -> Outcome {
    let mut world = World::new(seed, fault);
    let mut overbilled = None;
    for step in 0..STEPS {
        world.step();
        if overbilled.is_none() && world.server.billed(METER) > world.truth {
            overbilled = Some(step);
        }
    }
    world.settle();
    if fault == Fault::None {
        for expected in &world.expected {
            let known = &world.server.streams[&expected.stream];
            assert!(
                known.epoch() > expected.epoch || known.forks > expected.forks,
                "seed {seed}: a folder put back below its receipt went unnoticed"
            );
        }
    }
    world.outcome(overbilled)
}

#[test]
fn what_was_counted_is_billed_once_or_told() {
    for seed in 0..rounds("FLEET_SEEDS", 60) {
        let outcome = simulate(seed, Fault::None);
        assert!(outcome.holds(), "seed {seed}: {outcome:?}");
        if !Disasters::of(seed).folders && !Disasters::of(seed).copies {
            let Outcome { truth, billed, .. } = outcome;
            assert_eq!((billed, outcome.disputed), (truth, 0), "seed {seed}");
        }
    }
}

/// The negative controls: a server that counts repeats, and one that forgets what it accepted.
#[test]
fn wrong_servers_are_caught() {
    for fault in [Fault::CountsRepeats, Fault::Forgets] {
        let caught = (0..24).filter(|&seed| !simulate(seed, fault).holds());
        assert!(caught.count() > 5, "{fault:?}");
    }
}

#[test]
fn a_seed_repeats_itself() {
    for seed in 0..4 {
        let again = simulate(seed, Fault::None);
        assert_eq!(simulate(seed, Fault::None).truth, again.truth);
    }
}
