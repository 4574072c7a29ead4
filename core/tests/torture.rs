//! Devices, a network and a server through everything that goes wrong, by seed, with every promise
//! checked after every step.
//!
//! A world has up to two copies of one device. They are killed, restored from snapshots, whole or
//! in part, lose their power, have their clocks set; messages are lost, repeated, late and cut; the
//! server is restored from a backup. `MINTREU_TEST_SYNC_SEEDS` sets how many seeds are run.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Fault, NOW, Random, Server, copy, rounds, try_open};
use mintreu::meter::{CellKey, Event};
use mintreu::{Durability, Engine, FixedClock, Timestamp};

/// A promise that was broken, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// More was billed than was ever counted.
    Overbilled,
    /// What was billed fell, though no backup was put back.
    BillFell,
    /// Without copies or rollbacks less was billed in the end than was counted.
    Underbilled,
    /// An event counts twice, or one that never was.
    EventRepeated,
    /// A device that was never rolled back or copied lost an event in the end.
    EventLost,
    /// A cell has more acknowledged than sealed, or more sealed than counted.
    CellOutOfOrder,
    /// More of a quota was granted than its limit and what rollbacks gave back.
    Overgranted,
    /// A place in the chain held two segments.
    TwoInOnePlace,
    /// A count that was acknowledged as durable is gone.
    DurableLost,
}

struct Device {
    folder: PathBuf,
    engine: Option<Engine>,
    clock: Arc<FixedClock>,
    /// The counter file as the disk has it.
    flushed: Vec<u8>,
    /// What is durable on this copy: falls only when a snapshot is put back.
    durable: u64,
}

struct World {
    root: tempfile::TempDir,
    devices: Vec<Device>,
    server: Server,
    backup: Option<Server>,
    /// A folder of before, and what was durable in it.
    snapshot: Option<(PathBuf, u64)>,
    late: Vec<(usize, u16, Vec<u8>)>,
    /// Units truly counted, on whichever copy.
    counted: u64,
    granted: u64,
    /// Units of the quota that a rollback may have given back.
    given_back: u64,
    events: HashSet<String>,
    billed_before: u64,
    /// Whether history was copied or rolled back, so that something may be lost or disputed.
    tampered: bool,
    made: u64,
}

/// What may happen besides counting and syncing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Kills, lost and late messages, a restored server, clocks that are set.
    Rough,
    /// Also snapshots, copies and power cuts.
    Hostile,
}

impl World {
    fn new(fault: Fault) -> Self {
        // In memory where there is such a place: here the order of events matters, not the disk.
        let memory = Path::new("/dev/shm");
        let root = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let mut world = Self {
            root: root.unwrap(),
            devices: Vec::new(),
            server: Server::new(fault),
            backup: None,
            snapshot: None,
            late: Vec::new(),
            counted: 0,
            granted: 0,
            given_back: 0,
            events: HashSet::new(),
            billed_before: 0,
            tampered: false,
            made: 0,
        };
        let folder = world.folder();
        world.add(folder, 0);
        let license = world.server.license_bundle();
        world.engine(0).install_bytes(&license).unwrap();
        world.sync(0);
        world.flush(0);
        world
    }

    fn folder(&mut self) -> PathBuf {
        self.made += 1;
        self.root.path().join(self.made.to_string())
    }

    fn add(&mut self, folder: PathBuf, durable: u64) {
        let clock = Arc::new(FixedClock::at(NOW));
        self.devices.push(Device {
            folder,
            engine: None,
            clock,
            flushed: Vec::new(),
            durable,
        });
        let at = self.devices.len() - 1;
        self.open(at);
        self.flush(at);
    }

    fn open(&mut self, at: usize) {
        let device = &mut self.devices[at];
        let opened = try_open(&device.folder, &self.server, device.clock.clone());
        device.engine = Some(opened.unwrap());
    }

    fn engine(&self, at: usize) -> &Engine {
        self.devices[at].engine.as_ref().unwrap()
    }

    fn flush(&mut self, at: usize) {
        self.engine(at).flush().unwrap();
        self.devices[at].flushed = fs::read(self.devices[at].folder.join("counters")).unwrap();
    }

    fn sync(&mut self, at: usize) {
        for _ in 0..200 {
            let Some(request) = self.engine(at).next_request().unwrap() else {
                return;
            };
            let (status, body) = self.server.handle(&request.path, &request.body);
            hear(self.engine(at), status, &body);
        }
        panic!("the sync does not end");
    }

    fn step(&mut self, random: &mut Random, weather: Weather) {
        let at = random.below(self.devices.len() as u64) as usize;
        match random.below(24) {
            0..5 => {
                let units = 1 + random.below(50);
                self.engine(at).record("calls", units).unwrap();
                self.counted += units;
            }
            5 => {
                let tokens = self
                    .engine(at)
                    .meter_with("tokens", Durability::Power)
                    .unwrap();
                tokens.try_record(3).unwrap();
                self.devices[at].durable += 3;
                self.counted += 3;
            }
            6 => {
                let decision = self.engine(at).consume("renders", 20).unwrap();
                if decision.granted() {
                    self.granted += 20;
                    self.counted += 20;
                }
            }
            7 => {
                let id = format!("e{}", random.below(200));
                let key = CellKey::new("jobs").unwrap();
                let event = Event::new(id.as_str(), key, NOW, 1.into()).unwrap();
                self.engine(at).record_events(&[event]).unwrap();
                self.events.insert(id);
            }
            8 => self.kill(at),
            9 if !self.late.is_empty() => {
                let which = random.below(self.late.len() as u64) as usize;
                let (to, status, body) = self.late.swap_remove(which);
                hear(self.engine(to), status, &body);
            }
            10 if random.below(4) == 0 => self.restore_server(),
            11 => {
                let hours = random.below(200) as i64 - 100;
                let wall = Timestamp::from_ms(NOW.ms() + hours * 3_600_000);
                self.devices[at].clock.set(wall);
            }
            12 => self.flush(at),
            13 if weather == Weather::Hostile && random.below(3) == 0 => self.hostile(at, random),
            14 => {
                self.engine(at).next_request().unwrap();
            }
            _ => self.exchange(at, random),
        }
    }

    /// One request that may be lost, repeated or cut, and its answer late.
    fn exchange(&mut self, at: usize, random: &mut Random) {
        let Some(request) = self.engine(at).next_request().unwrap() else {
            return;
        };
        for _ in 0..random.below(3) {
            let (status, mut body) = self.server.handle(&request.path, &request.body);
            match random.below(4) {
                0 => self.late.push((at, status, body)),
                1 => {
                    body.truncate(random.below(1 + body.len() as u64) as usize);
                    // A cut answer is refused, or it is none: either changes nothing.
                    let _refused = self.engine(at).on_response(status, &body);
                }
                _ => hear(self.engine(at), status, &body),
            }
        }
    }

    /// What a killed process leaves is what its folder holds: counters in the page cache included.
    fn kill(&mut self, at: usize) {
        let folder = self.folder();
        copy(&self.devices[at].folder, &folder);
        let device = &mut self.devices[at];
        device.engine = None;
        fs::remove_dir_all(&device.folder).unwrap();
        device.folder = folder;
        self.open(at);
    }

    fn restore_server(&mut self) {
        match self.backup.take() {
            Some(old) => {
                self.server.restore(old);
                self.billed_before = 0;
            }
            None => self.backup = Some(self.server.clone()),
        }
    }

    fn hostile(&mut self, at: usize, random: &mut Random) {
        let folder = self.folder();
        let used = 500 - self.left(at);
        match random.below(5) {
            0 if self.devices.len() < 2 => {
                copy(&self.devices[at].folder, &folder);
                // The copy may spend what is left once more.
                self.given_back += 500 - used;
                self.tampered = true;
                let durable = self.devices[at].durable;
                self.add(folder, durable);
            }
            1 => {
                copy(&self.devices[at].folder, &folder);
                self.snapshot = Some((folder, self.devices[at].durable));
            }
            2 | 3 => {
                let Some((snapshot, durable)) = self.snapshot.clone() else {
                    return;
                };
                self.tampered = true;
                self.given_back += used;
                let device = &mut self.devices[at];
                device.engine = None;
                let parts: &[&str] = match random.below(3) {
                    0 => &["counters"],
                    1 => &["journal.db", "journal.db-wal", "journal.db-shm"],
                    _ => &["counters", "journal.db", "journal.db-wal", "journal.db-shm"],
                };
                for part in parts {
                    let _absent = fs::remove_file(device.folder.join(part));
                    if snapshot.join(part).exists() {
                        fs::copy(snapshot.join(part), device.folder.join(part)).unwrap();
                    }
                }
                device.durable = durable.min(device.durable);
                self.open(at);
                self.flush(at);
            }
            _ => {
                // The power goes: the counters are what was flushed, the journal is whole.
                self.tampered = true;
                self.given_back += used;
                copy(&self.devices[at].folder, &folder);
                let device = &mut self.devices[at];
                fs::write(folder.join("counters"), &device.flushed).unwrap();
                device.engine = None;
                device.clock.restart();
                device.folder = folder;
                self.open(at);
            }
        }
    }

    /// Units of the quota that this copy has left, by its own account.
    fn left(&self, at: usize) -> u64 {
        match self.engine(at).consume("renders", 0).unwrap() {
            mintreu::meter::Decision::Granted { remaining, .. } => remaining.unwrap_or(500),
            mintreu::meter::Decision::Refused { .. } => 0,
        }
    }

    fn billed(&self) -> u64 {
        ["calls", "tokens", "renders"]
            .map(|meter| self.server.billed(meter))
            .iter()
            .sum()
    }

    /// Every promise that holds at every moment.
    fn check(&mut self) -> Result<(), Broken> {
        let billed = self.billed();
        let promise = |holds: bool, broken| if holds { Ok(()) } else { Err(broken) };
        promise(billed <= self.counted, Broken::Overbilled)?;
        promise(billed >= self.billed_before, Broken::BillFell)?;
        self.billed_before = billed;
        promise(self.granted <= 500 + self.given_back, Broken::Overgranted)?;
        for stream in self.server.streams.values() {
            let known = stream.events.keys().all(|id| self.events.contains(id));
            let once = stream.event_count == stream.events.len() as u64;
            promise(known && once, Broken::EventRepeated)?;
            promise(stream.overwritten == 0, Broken::TwoInOnePlace)?;
        }
        for device in &self.devices {
            let usage = device.engine.as_ref().unwrap().usage().unwrap();
            let ordered = |cell: &mintreu::journal::CellUsage| {
                cell.acknowledged <= cell.sealed && cell.sealed <= cell.counted
            };
            promise(usage.iter().all(ordered), Broken::CellOutOfOrder)?;
            let tokens = usage.iter().filter(|cell| cell.key.meter() == "tokens");
            let tokens: u64 = tokens.map(|cell| cell.counted).sum();
            promise(tokens >= device.durable, Broken::DurableLost)?;
        }
        Ok(())
    }

    /// What must hold once everything was sent.
    fn settle(&mut self) -> Result<(), Broken> {
        for _ in 0..3 {
            for at in 0..self.devices.len() {
                // A server that was restored is noticed by the next segment, a heartbeat too.
                self.engine(at).record("calls", 1).unwrap();
                self.counted += 1;
                self.sync(at);
            }
            self.check()?;
        }
        if self.tampered {
            return Ok(());
        }
        if self.billed() != self.counted {
            return Err(Broken::Underbilled);
        }
        let arrived: HashSet<_> = self
            .server
            .streams
            .values()
            .flat_map(|s| s.events.keys().cloned())
            .collect();
        match arrived == self.events {
            true => Ok(()),
            false => Err(Broken::EventLost),
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

fn run(seed: u64, weather: Weather, fault: Fault) -> Result<(), (usize, Broken)> {
    let mut world = World::new(fault);
    let mut random = Random::new(seed);
    for step in 0..60 {
        world.step(&mut random, weather);
        world.check().map_err(|broken| (step, broken))?;
    }
    world.settle().map_err(|broken| (usize::MAX, broken))
}

#[test]
fn rough_weather_costs_nothing() {
    for seed in 0..rounds("SYNC_SEEDS", 60).div_ceil(4) {
        assert_eq!(
            run(seed, Weather::Rough, Fault::None),
            Ok(()),
            "seed {seed}"
        );
    }
}

#[test]
fn hostile_hands_gain_no_more_than_is_said() {
    for seed in 0..rounds("SYNC_SEEDS", 60) {
        assert_eq!(
            run(seed, Weather::Hostile, Fault::None),
            Ok(()),
            "seed {seed}"
        );
    }
}

/// The negative controls: each promise is seen to be broken where somebody breaks it.
#[test]
fn every_broken_promise_is_caught() {
    let caught = |fault, weather, broken| {
        let found = (0..60).filter_map(|seed| run(seed, weather, fault).err());
        assert!(
            found.into_iter().any(|(_, b)| b == broken),
            "{broken:?} by {fault:?}"
        );
    };
    caught(Fault::CountsRepeats, Weather::Rough, Broken::Overbilled);
    caught(Fault::CountsRepeats, Weather::Rough, Broken::EventRepeated);
    caught(Fault::Forgets, Weather::Rough, Broken::Underbilled);
    caught(Fault::BillsDisputed, Weather::Hostile, Broken::Overbilled);
    caught(
        Fault::TakesOtherBytes,
        Weather::Hostile,
        Broken::TwoInOnePlace,
    );
}

/// And those that no server can break, where the harness itself tells a lie.
#[test]
fn a_lie_about_any_promise_is_caught() {
    type Lie = fn(&mut World);
    let lies: [(Lie, Broken); 5] = [
        (|world| world.billed_before = 1_000_000, Broken::BillFell),
        (|world| world.granted = 501, Broken::Overgranted),
        (|world| world.devices[0].durable += 1, Broken::DurableLost),
        (|world| world.counted = 0, Broken::Overbilled),
        (|world| world.events.clear(), Broken::EventRepeated),
    ];
    for (lie, broken) in lies {
        let mut world = World::new(Fault::None);
        let key = CellKey::new("jobs").unwrap();
        let event = Event::new("e1", key, NOW, 1.into()).unwrap();
        world.engine(0).record_events(&[event]).unwrap();
        world.engine(0).record("calls", 5).unwrap();
        world.events.insert("e1".to_owned());
        world.counted = 5;
        world.sync(0);
        world.check().unwrap();
        lie(&mut world);
        assert_eq!(world.check(), Err(broken));
    }
    let mut world = World::new(Fault::None);
    world.events.insert("never recorded".to_owned());
    assert_eq!(world.settle(), Err(Broken::EventLost));
}
