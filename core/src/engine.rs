//! The engine: everything a product needs, in one value that is cheap to clone.
//!
//! ```no_run
//! use mintreu::license::Trust;
//! use mintreu::meter::Decision;
//! use mintreu::{Engine, Result};
//! # fn post(_path: &str, _body: &[u8]) -> (u16, Vec<u8>) { (503, Vec::new()) }
//!
//! fn main() -> Result<()> {
//!     // Pinned in the program's own text, never read from a file a user can write.
//!     let trust: Trust = "mt1-trust product=acme.editor root=MT1K-…".parse()?;
//!     let engine = Engine::open("/var/lib/acme-editor/license", trust)?;
//!     engine.install("ACM-…a redeem code, or MT1-… a license…")?;
//!     engine.check("export-4k")?;
//!
//!     let renders = engine.meter("renders")?;
//!     match renders.consume(1)? {
//!         Decision::Granted { remaining, .. } => println!("left: {remaining:?}"),
//!         Decision::Refused { reason, .. } => println!("no: {}", reason.code()),
//!     }
//!
//!     // The host's own HTTP client carries the bytes, whenever it likes.
//!     while let Some(request) = engine.next_request()? {
//!         let (status, body) = post(&request.path, &request.body);
//!         engine.on_response(status, &body)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Invariants
//!
//! * Nothing here opens a socket, and nothing but [`Clock`](crate::Clock) reads the time.
//! * `check`, `record` and `consume` never wait for a disk.
//! * What a document says is used only after its signatures held up to the pinned roots.
//! * A clock that is set back is noticed, tolerated for a while and never locks anybody out for
//!   good: see [`clock`](crate::clock).
//! * Key sets and revocation lists are taken from any channel and never exchanged for older ones.

mod alerts;
mod counting;
mod documents;
mod enrol;
mod exchange;
mod former;
mod handle;
mod held;
mod installing;
mod keeper;
mod limits;
mod names;
mod news;
mod options;
mod pot;
mod quick;
mod reservation;
mod shared;
mod tick;
mod units;

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use enrol::{ACTIVATION, LEASE};
pub use handle::{Durability, Meter};
use held::{Held, Host};
use keeper::Keeper;
pub use limits::{Alert, QuotaStatus};
use names::Names;
use news::Turn;
pub use options::{Installed, Options, Pace, Stacking};
pub use reservation::{RESERVED_SECS, Reservation};
use tick::Ticker;
use units::UNITS;

use crate::document::PublicKey;
use crate::error::Result;
use crate::journal::{Damage, Journal, Opening};
use crate::keystore::Protection;
use crate::license::{Entitlement, Ring, Trust, Verdict};

const LICENSE: &str = "license";
const KEY_SET: &str = "keyset";
const REVOCATIONS: &str = "revocations";

/// A product's licenses and meters on one device.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    trust: Trust,
    keeper: Keeper,
    host: Host,
    held: RwLock<Held>,
    meters: Names,
    /// Rises whenever something that is judged was taken up.
    generation: AtomicU64,
    turn: Mutex<Turn>,
    recovered: Vec<Damage>,
    pace: Pace,
    ticker: OnceLock<Ticker>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("device", &self.shared.host.device)
            .finish()
    }
}

impl Engine {
    /// Opens the engine in a folder of the product's, which is made when there is none.
    ///
    /// Any number of processes may have one folder open: they count together, share quotas, and
    /// each sees what another installs.
    ///
    /// Errors: `journal_busy`, `journal_damaged`, `journal_newer`, `journal_io`, `disk_full`, and
    /// where the device's key can't be reached `keystore_locked`, `keystore_unavailable`, `keystore_failed`.
    /// What was found wrong and put right is in [`recovered`](Self::recovered).
    pub fn open(folder: impl AsRef<Path>, trust: Trust) -> Result<Self> {
        Self::open_with(folder, trust, Options::default())
    }

    /// Opens the engine with a clock, a version or a size of one's own.
    pub fn open_with(folder: impl AsRef<Path>, trust: Trust, options: Options) -> Result<Self> {
        let opening = Opening {
            cells: options.cells,
            keys: &options.device_key,
            boot: options.clock.running().map(|running| running.boot),
            now: options.clock.now(),
        };
        let (journal, recovered) = Journal::open(folder.as_ref(), &opening)?;
        let host = Host {
            device: *journal.device().public(),
            version: options.version,
            released_at: options.released_at,
            fingerprint: options.fingerprint,
            stacking: options.stacking,
        };
        let engine = Self {
            shared: Arc::new(Shared {
                keeper: Keeper::new(options.clock, journal.clock()?),
                journal,
                held: RwLock::new(Held::new(Ring::new(trust.clone()))),
                trust,
                host,
                meters: Names::new(),
                generation: AtomicU64::new(0),
                turn: Mutex::default(),
                recovered,
                pace: options.pace,
                ticker: OnceLock::new(),
            }),
        };
        let shared = &engine.shared;
        former::put_away(shared)?;
        shared.hold_documents()?;
        // At rest a process may fork, and its child open the journal for itself.
        shared.journal.rest();
        if !options.pace.flush.is_zero() {
            let ticker = Ticker::start(shared, options.pace.flush);
            let _set_once = shared.ticker.set(ticker);
        }
        Ok(engine)
    }

    /// What was found wrong when the folder was opened, and what was done about it.
    pub fn recovered(&self) -> &[Damage] {
        &self.shared.recovered
    }

    /// This device's public key.
    pub fn device(&self) -> PublicKey {
        self.shared.host.device
    }

    /// How this device's key is protected: it lies in a file where the keystore that was wanted
    /// was not there.
    pub fn device_key_protection(&self) -> Protection {
        self.shared.journal.protection()
    }

    /// What the licenses come to now: the best verdict, or `not_licensed`.
    pub fn verdict(&self) -> Result<Verdict> {
        self.shared.with_judged(|judged| judged.verdict().cloned())
    }

    /// What the license says of a feature; an error whose code says why it may not be used.
    ///
    /// Never touches the disk or the network.
    pub fn check(&self, feature: &str) -> Result<Entitlement> {
        self.shared
            .with_judged(|judged| judged.entitlement(feature))
    }
}
