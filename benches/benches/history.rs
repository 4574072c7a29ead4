//! What an engine costs after a long life: time to open and to sync, memory and disk, against how
//! many segments were sealed and acknowledged before. All of it is to stay flat.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mintreu::activation::{Activation, Request};
use mintreu::document::SigningKey;
use mintreu::id::{ActivationId, LicenseId};
use mintreu::license::{Claims, Trust, issue};
use mintreu::meter::{Position, Receipt, chain_hash, open_segment_of_any_device, split_batch};
use mintreu::{Engine, FixedClock, Options, Pace, Timestamp, sync};
use mintreu_benches::{readable, time};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const PRODUCT: &str = "acme.editor";
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const HISTORIES: [u32; 3] = [1, 100, 10_000];
const ROUNDS: usize = 31;

fn main() {
    println!("acked segments      to open      to sync     heap held      on disk");
    for segments in HISTORIES {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Server::new();
        live(folder.path(), &mut server, segments);
        let opens = median(|| drop(server.open(folder.path())));
        let before = HEAP.current_usage();
        let engine = server.open(folder.path());
        let syncs = median(|| server.use_and_sync(&engine));
        let held = HEAP.current_usage().saturating_sub(before);
        let kib = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
        println!(
            "{segments:>14} {:>12} {:>12} {:>13} {:>12}",
            readable(opens),
            readable(syncs),
            kib(held as u64),
            kib(size(folder.path())),
        );
    }
}

/// A device's life: used and synced so often, each time with a segment of its own.
fn live(folder: &Path, server: &mut Server, segments: u32) {
    let engine = server.open(folder);
    let bundle = server.license();
    engine.install_bytes(&bundle).expect("a license");
    server.sync(&engine);
    while server.position.seq < u64::from(segments) {
        server.use_and_sync(&engine);
    }
}

/// Nanoseconds of the median round.
fn median(mut work: impl FnMut()) -> f64 {
    let mut rounds: Vec<Duration> = (0..ROUNDS).map(|_| time(&mut work)).collect();
    rounds.sort();
    rounds[ROUNDS / 2].as_nanos() as f64
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").metadata().expect("its size"));
    files
        .filter(|file| file.is_file())
        .map(|file| file.len())
        .sum()
}

/// The seller's side, as far as it takes to acknowledge what a device sends.
struct Server {
    root: SigningKey,
    position: Position,
}

impl Server {
    fn new() -> Self {
        Self {
            root: SigningKey::from_seed(&[1; 32]),
            position: Position::START,
        }
    }

    fn license(&self) -> Vec<u8> {
        let claims = Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, NOW);
        issue(&claims, &self.root, &[]).expect("a license")
    }

    /// An engine in which nothing happens by itself.
    fn open(&self, folder: &Path) -> Engine {
        let pace = Pace {
            flush: Duration::ZERO,
            heartbeat: Duration::MAX,
            ..Pace::default()
        };
        let options = Options {
            clock: Arc::new(FixedClock::at(NOW)),
            pace,
            ..Options::default()
        };
        let trust = Trust::new(PRODUCT, *self.root.public()).expect("a trust");
        Engine::open_with(folder, trust, options).expect("opens")
    }

    fn use_and_sync(&mut self, engine: &Engine) {
        engine.record("api.calls", 1).expect("counts");
        self.sync(engine);
    }

    fn sync(&mut self, engine: &Engine) {
        while let Some(request) = engine.next_request().expect("a request") {
            let (status, body) = match request.path.as_str() {
                sync::ACTIVATIONS => (200, self.activate(&request.body)),
                sync::SEGMENTS => (200, self.acknowledge(&request.body)),
                _ => (404, Vec::new()),
            };
            engine.on_response(status, &body).expect("an answer");
        }
    }

    fn activate(&self, body: &[u8]) -> Vec<u8> {
        let (device, request) = Request::verify(body).expect("a request");
        let activation = Activation {
            id: ActivationId::from_bytes(request.nonce),
            license: LicenseId::from_bytes([7; 16]),
            product: request.product,
            issued_at: NOW,
            expires_at: None,
            device,
            nonce: request.nonce,
            fingerprint: request.fingerprint,
            license_bundle: None,
        };
        activation.issue(&self.root, &[]).expect("an activation")
    }

    fn acknowledge(&mut self, body: &[u8]) -> Vec<u8> {
        let last = split_batch(body).expect("segments").pop().expect("one");
        let segment = open_segment_of_any_device(last).expect("a segment");
        self.position = Position {
            epoch: segment.epoch,
            seq: segment.seq,
            head: chain_hash(last),
        };
        let receipt = Receipt {
            product: PRODUCT.to_owned(),
            stream: segment.stream,
            position: self.position,
            issued_at: NOW,
            server_epoch: 1,
        };
        receipt.seal(&self.root, &[]).expect("a receipt")
    }
}
