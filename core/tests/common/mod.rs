//! A server in a few lines, built on the engine's own rule: what every test here syncs with.

#![expect(
    dead_code,
    reason = "each test program uses its own part of this module"
)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mintreu::activation::{Activation, Deactivation, Lease, Request, TimeProof, Wanted};
use mintreu::document::SigningKey;
use mintreu::id::{ActivationId, LicenseId, StreamId};
use mintreu::license::{Claims, Name, QuotaClaim, Trust, issue};
use mintreu::meter::{
    CellKey, ChainHash, Condition, Event, Position, Receipt, Remainder, Verdict, Window, accept,
    chain_hash, increase, open_segment_of_any_device, remainder, split_batch,
};
use mintreu::{Clock, Engine, FixedClock, Options, Pace, Timestamp, sync};

pub const PRODUCT: &str = "acme.editor";
pub const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

/// What a model server does wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Adds every segment that arrives, whether it was seen before or not.
    CountsRepeats,
    /// Answers that it took what it forgot.
    Forgets,
    /// Bills what two copies of a device contradict each other about.
    BillsDisputed,
    /// Takes a segment in a place that another one holds.
    TakesOtherBytes,
}

#[derive(Default, Clone)]
pub struct Stream {
    position: Option<Position>,
    hashes: HashMap<(u64, u64), ChainHash>,
    totals: HashMap<(u64, CellKey), u64>,
    pub billed: HashMap<CellKey, u64>,
    pub disputed: HashMap<CellKey, u64>,
    /// Events by their ids, and whether they are disputed.
    pub events: HashMap<String, (Event, bool)>,
    /// How many events were counted: those of the map, unless the server is faulty.
    pub event_count: u64,
    /// What the devices said of themselves.
    pub conditions: Vec<Condition>,
    pub forks: u32,
    /// Segments that a faulty server put in the place of others.
    pub overwritten: u32,
}

#[derive(Clone)]
pub struct Server {
    root: SigningKey,
    pub license: Claims,
    pub streams: HashMap<StreamId, Stream>,
    pub epoch: u64,
    /// The server's own clock.
    pub now: Timestamp,
    /// For how long a seat is kept; as long as the license when absent.
    pub seat_secs: Option<u32>,
    /// What it tells to whoever asks for it.
    pub key_set: Option<Vec<u8>>,
    pub lists: HashMap<u64, Vec<u8>>,
    /// What signs for seats, with its certificates; the root itself when absent.
    pub signer: Option<(SigningKey, Vec<u8>)>,
    /// Seats that were given back.
    pub given_back: Vec<ActivationId>,
    fault: Fault,
}

impl Server {
    pub fn new(fault: Fault) -> Self {
        let mut license = Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, NOW);
        let renders = "renders".parse::<Name>().unwrap();
        license
            .quotas
            .insert(renders, QuotaClaim::new(500, Window::Lifetime));
        let root = SigningKey::from_seed(&[1; 32]);
        Self {
            root,
            license,
            streams: HashMap::new(),
            epoch: 1,
            now: NOW,
            seat_secs: None,
            key_set: None,
            lists: HashMap::new(),
            signer: None,
            given_back: Vec::new(),
            fault,
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(PRODUCT, *self.root.public()).unwrap()
    }

    pub fn license_bundle(&self) -> Vec<u8> {
        issue(&self.license, &self.root, &[]).unwrap()
    }

    /// The answer to one request: status and body.
    pub fn handle(&mut self, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let found = |document: Option<&Vec<u8>>| match document {
            Some(bytes) => (200, bytes.clone()),
            None => (204, Vec::new()),
        };
        match path {
            sync::ACTIVATIONS => self.activate(body),
            sync::SEGMENTS => self.segments(body),
            sync::TIME => {
                let (device, request) = Request::verify(body).unwrap();
                assert_eq!(request.wanted, Wanted::Time);
                (200, self.proof(device, request.nonce))
            }
            sync::DEACTIVATIONS => {
                let (device, said) = Deactivation::verify(body).unwrap();
                if !self.given_back.contains(&said.activation) {
                    self.given_back.push(said.activation);
                }
                (200, self.proof(device, said.nonce))
            }
            sync::KEYSET => found(self.key_set.as_ref()),
            sync::REVOCATIONS => {
                let number = query.split('&').find_map(|pair| pair.strip_prefix("list="));
                found(self.lists.get(&number.unwrap().parse().unwrap()))
            }
            _ => (404, Vec::new()),
        }
    }

    pub fn root(&self) -> &SigningKey {
        &self.root
    }

    pub fn proof(&self, device: mintreu::document::PublicKey, nonce: [u8; 16]) -> Vec<u8> {
        let proof = TimeProof {
            product: PRODUCT.into(),
            at: self.now,
            device,
            nonce,
        };
        proof.issue(&self.root, &[]).unwrap()
    }

    fn activate(&self, body: &[u8]) -> (u16, Vec<u8>) {
        let (device, request) = Request::verify(body).unwrap();
        if let (Some(activation), None) = (request.renews, &self.signer) {
            let lease = Lease {
                issued_at: self.now,
                activation,
                seconds: request.lend_secs.or(self.seat_secs).unwrap(),
            };
            return (200, lease.issue(&self.root, &[]).unwrap());
        }
        let carries = !matches!(request.wanted, Wanted::License(_));
        let kept = self.seat_secs.map(|secs| i64::from(secs) * 1000);
        let activation = Activation {
            id: ActivationId::from_bytes(request.nonce),
            license: self.license.id,
            product: request.product,
            issued_at: self.now,
            expires_at: kept.map(|ms| self.now.plus_ms(ms)),
            device,
            nonce: request.nonce,
            fingerprint: request.fingerprint,
            license_bundle: carries.then(|| self.license_bundle()),
        };
        let issued = match &self.signer {
            Some((key, certificate)) => activation.issue(key, &[certificate]),
            None => activation.issue(&self.root, &[]),
        };
        (200, issued.unwrap())
    }

    /// Takes segments in turn until one isn't counted.
    fn segments(&mut self, body: &[u8]) -> (u16, Vec<u8>) {
        let mut answer = None;
        for document in split_batch(body).unwrap() {
            let (status, receipt) = self.segment(document);
            answer = Some((status, receipt));
            if status != 200 {
                break;
            }
        }
        answer.unwrap()
    }

    fn segment(&mut self, body: &[u8]) -> (u16, Vec<u8>) {
        let segment = open_segment_of_any_device(body).unwrap();
        let hash = chain_hash(body);
        let stream = self.streams.entry(segment.stream).or_default();
        let at = stream.position.unwrap_or(Position::START);
        let place = (segment.epoch, segment.seq);
        let verdict = accept(at, &segment, hash, stream.hashes.get(&place).copied());
        let fault = self.fault;
        let repeats = fault == Fault::CountsRepeats;
        let verdict = match verdict {
            Verdict::Fork if fault == Fault::TakesOtherBytes && segment.epoch == at.epoch => {
                stream.overwritten += 1;
                Verdict::Apply(Position {
                    epoch: segment.epoch,
                    seq: segment.seq,
                    head: hash,
                })
            }
            verdict => verdict,
        };
        let status = match verdict {
            Verdict::Apply(next) => {
                stream.apply(&segment, fault);
                stream.hashes.insert(place, hash);
                stream.position = Some(next);
                200
            }
            Verdict::Duplicate => {
                if repeats {
                    stream.apply(&segment, fault);
                }
                200
            }
            Verdict::Gap => 409,
            Verdict::Fork => {
                stream.forks += 1;
                409
            }
        };
        let position = stream.position.unwrap_or(Position::START);
        let receipt = Receipt {
            product: PRODUCT.into(),
            stream: segment.stream,
            position,
            issued_at: NOW,
            server_epoch: self.epoch,
        };
        (status, receipt.seal(&self.root, &[]).unwrap())
    }

    /// Puts a backup in place of this server, as an operator would: with a higher epoch.
    pub fn restore(&mut self, backup: Self) {
        *self = Self {
            epoch: self.epoch + 1,
            ..backup
        };
    }

    /// Units billed for a meter over all streams.
    pub fn billed(&self, meter: &str) -> u64 {
        let sums = self.streams.values().flat_map(|stream| &stream.billed);
        sums.filter(|(key, _)| key.meter() == meter)
            .map(|(_, units)| units)
            .sum()
    }

    pub fn disputed(&self, meter: &str) -> u64 {
        let sums = self.streams.values().flat_map(|stream| &stream.disputed);
        sums.filter(|(key, _)| key.meter() == meter)
            .map(|(_, units)| units)
            .sum()
    }
}

impl Stream {
    /// The open epoch; 0 before the first segment.
    pub fn epoch(&self) -> u64 {
        self.position.map_or(0, |position| position.epoch)
    }

    fn apply(&mut self, segment: &mintreu::meter::Segment, fault: Fault) {
        if fault == Fault::Forgets && segment.seq.is_multiple_of(3) {
            return;
        }
        let repeats = fault == Fault::CountsRepeats;
        if let Some(opening) = &segment.opening {
            for closed in &opening.closed {
                let place = (opening.closed_epoch, closed.key.clone());
                let accepted = self.totals.get(&place).copied().unwrap_or(0);
                let (account, units) = match remainder(opening.reason, closed, accepted) {
                    Remainder::Owed(units) => (&mut self.billed, units),
                    Remainder::Disputed(units) if fault == Fault::BillsDisputed => {
                        (&mut self.billed, units)
                    }
                    Remainder::Disputed(units) => (&mut self.disputed, units),
                };
                *account.entry(closed.key.clone()).or_default() += units;
            }
        }
        self.conditions.push(segment.condition.clone());
        let fresh = segment.events.iter().map(|event| (event, false));
        let disputed = segment.disputed_events.iter().map(|event| (event, true));
        for (event, disputed) in fresh.chain(disputed) {
            let known = self.events.contains_key(event.id());
            if !known || repeats {
                self.event_count += 1;
                self.events
                    .insert(event.id().to_owned(), (event.clone(), disputed));
            }
        }
        for total in &segment.totals {
            let known = self
                .totals
                .entry((segment.epoch, total.key.clone()))
                .or_default();
            let more = match fault {
                Fault::CountsRepeats => total.units,
                // Whoever takes other bytes sees totals fall.
                Fault::TakesOtherBytes => total.units.saturating_sub(*known),
                _ => increase(*known, total.units).unwrap(),
            };
            *known = total.units;
            *self.billed.entry(total.key.clone()).or_default() += more;
        }
    }
}

/// An engine in `folder` with a clock that stands still.
pub fn open(folder: &Path, server: &Server) -> Engine {
    open_at(folder, server, Arc::new(FixedClock::at(NOW)))
}

pub fn open_at(folder: &Path, server: &Server, clock: Arc<dyn Clock>) -> Engine {
    try_open(folder, server, clock).unwrap()
}

/// An engine with a clock of one's own, in which nothing happens by itself.
pub fn try_open(folder: &Path, server: &Server, clock: Arc<dyn Clock>) -> mintreu::Result<Engine> {
    let pace = Pace {
        flush: std::time::Duration::ZERO,
        heartbeat: std::time::Duration::MAX,
        ..Pace::default()
    };
    let options = Options {
        clock,
        pace,
        ..Options::default()
    };
    Engine::open_with(folder, server.trust(), options)
}

/// Syncs until nothing is left, over a network that loses nothing.
pub fn sync(engine: &Engine, server: &mut Server) {
    for _ in 0..1000 {
        let Some(request) = engine.next_request().unwrap() else {
            return;
        };
        let (status, body) = server.handle(&request.path, &request.body);
        engine.on_response(status, &body).unwrap();
    }
    panic!("the sync does not end");
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Units of a meter this device has counted.
pub fn counted(engine: &Engine, meter: &str) -> u64 {
    let usage = engine.usage().unwrap();
    usage
        .iter()
        .filter(|cell| cell.key.meter() == meter)
        .map(|cell| cell.counted)
        .sum()
}

/// A small generator of repeatable randomness (xorshift64*, Vigna 2014).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// How often a long test is repeated: `MINTREU_TEST_<NAME>`, or `normally`.
pub fn rounds(name: &str, normally: u64) -> u64 {
    let set = std::env::var(format!("MINTREU_TEST_{name}"));
    set.map_or(normally, |text| text.parse().expect("a number"))
}
