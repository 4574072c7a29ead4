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
//!         let (status, body) = post(request.path, &request.body);
//!         engine.on_response(status, &body)?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Invariants
//!
//! * Nothing here opens a socket, and nothing but [`Clock`] reads the time.
//! * `check`, `record` and `consume` never wait for a disk.
//! * What a document says is used only after its signatures held up to the pinned roots.
//! * The time that signed documents have shown only rises: a clock that is set back is noticed.

mod enrol;
mod handle;
mod held;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use handle::MeterCore;
pub use handle::{Meter, Reservation};
use held::{Held, Host, Judged, Now};

use crate::activation::{Activation, Fingerprint, RedeemCode, Wanted};
use crate::document::{Bundle, Kind, PublicKey, from_text, to_text};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::journal::{CellUsage, DEFAULT_CELLS, Damage, Journal, SealTime};
use crate::license::{Entitlement, Trust, Verdict, Version, open_bundle, verify};
use crate::meter::{CellKey, Decision, Export, Receipt, TimeQuality};
use crate::sync::{ACTIVATIONS, Answer, Request, SEGMENTS, sort_response};
use crate::time::{Clock, SystemClock, Timestamp};

const TRUSTED_MS: &str = "trusted_ms";
const LICENSE_PREFIX: &str = "license ";
const ACTIVATION: &str = "activation";

/// How an engine is opened, where the defaults do not fit.
#[derive(Clone)]
pub struct Options {
    /// Where instants come from: the system's clock.
    pub clock: Arc<dyn Clock>,
    /// The product's version, for licenses that are limited to some.
    pub version: Option<Version>,
    /// When that version was released.
    pub released_at: Option<Timestamp>,
    /// How many different counts the folder has room for, at most [`DEFAULT_CELLS`]. It is set
    /// when the folder is made.
    pub cells: usize,
    /// The host, for licenses that are bound to one; see [`Fingerprint`].
    pub fingerprint: Fingerprint,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            version: None,
            released_at: None,
            cells: DEFAULT_CELLS,
            fingerprint: Fingerprint::default(),
        }
    }
}

/// What [`Engine::install`] installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Installed {
    /// A license.
    License(LicenseId),
    /// This device's activation of a license.
    Activation(LicenseId),
    /// A redeem code: the next request, or [`Engine::activation_request`], exchanges it.
    Code,
}

/// A product's licenses and meters on one device.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Journal,
    trust: Trust,
    clock: Arc<dyn Clock>,
    host: Host,
    held: RwLock<Held>,
    trusted_ms: AtomicI64,
    meters: RwLock<HashMap<String, Arc<MeterCore>>>,
    /// Rises whenever a license or an activation is taken up.
    generation: AtomicU64,
    /// Whether this sync has sealed already: a loop seals once.
    sealed: AtomicBool,
    recovered: Vec<Damage>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("device", &self.shared.host.device)
            .finish()
    }
}

impl Engine {
    /// Opens the engine in a folder of its own, which is made when there is none.
    ///
    /// Errors: `journal_busy`, `journal_damaged`, `journal_newer`, `journal_io`. What was found
    /// wrong and put right is in [`recovered`](Self::recovered).
    pub fn open(folder: impl AsRef<Path>, trust: Trust) -> Result<Self> {
        Self::open_with(folder, trust, Options::default())
    }

    /// Opens the engine with a clock, a version or a size of one's own.
    pub fn open_with(folder: impl AsRef<Path>, trust: Trust, options: Options) -> Result<Self> {
        let (journal, recovered) = Journal::open(folder.as_ref(), options.cells)?;
        let host = Host {
            device: *journal.device()?.public(),
            version: options.version,
            released_at: options.released_at,
            fingerprint: options.fingerprint,
        };
        let trusted_ms = AtomicI64::new(journal.number(TRUSTED_MS)?);
        let engine = Self {
            shared: Arc::new(Shared {
                journal,
                trust,
                clock: options.clock,
                host,
                held: RwLock::default(),
                trusted_ms,
                meters: RwLock::default(),
                generation: AtomicU64::new(0),
                sealed: AtomicBool::new(false),
                recovered,
            }),
        };
        let mut documents = engine.shared.journal.documents()?;
        // Licenses first: the activation is for one of them.
        documents.sort_by_key(|(name, _)| name == ACTIVATION);
        for (_, bundle) in documents {
            engine.take_up(&bundle)?;
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

    /// Installs a license, an activation or a redeem code in any text form: key, file or QR text.
    ///
    /// The error's code says what is wrong and its sentence what to do; nothing is installed then.
    pub fn install(&self, text: &str) -> Result<Installed> {
        match text.parse::<RedeemCode>() {
            Ok(code) => {
                enrol::ask(&self.shared, Wanted::Code(code))?;
                Ok(Installed::Code)
            }
            Err(_) => self.install_bytes(&from_text(text)?),
        }
    }

    /// Installs the bytes of a license or activation bundle.
    pub fn install_bytes(&self, bundle: &[u8]) -> Result<Installed> {
        if Bundle::from_bytes(bundle)?.kind() == Kind::Activation {
            enrol::check_answer(&self.shared, bundle)?;
        }
        let installed = self.take_up(bundle)?;
        match installed {
            Installed::License(id) => {
                self.shared
                    .journal
                    .keep_document(&format!("{LICENSE_PREFIX}{id}"), bundle)?;
            }
            Installed::Activation(_) => {
                self.shared.journal.keep_document(ACTIVATION, bundle)?;
                enrol::answered(&self.shared)?;
            }
            Installed::Code => {}
        }
        Ok(installed)
    }

    /// The activation request as text, to be carried by file, paste or QR; what comes back goes
    /// into [`install`](Self::install).
    ///
    /// `nothing_to_activate` when there is neither a code nor a license that needs it.
    pub fn activation_request(&self) -> Result<String> {
        let request = enrol::pending(&self.shared)?;
        request.map(|bytes| to_text(&bytes)).ok_or_else(|| {
            Error::new(
                "nothing_to_activate",
                "install a redeem code or a license first",
            )
        })
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

    /// The meter with this name, counted for the whole device: a handle to be kept.
    ///
    /// `cells_full` and `key_too_long` say that a bound was met.
    pub fn meter(&self, name: &str) -> Result<Meter> {
        let core = self.shared.by_name(name, Arc::clone)?;
        Ok(Meter::new(Arc::clone(&self.shared), core))
    }

    /// A handle for one count of a meter, split by subject and dimensions.
    ///
    /// ```no_run
    /// # fn f(engine: &mintreu::Engine, customer: &str) -> mintreu::Result<()> {
    /// use mintreu::meter::CellKey;
    /// let key = CellKey::new("api.calls")?.subject(customer)?.dimension("region", "eu")?;
    /// engine.meter_for(key)?.record(1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn meter_for(&self, key: CellKey) -> Result<Meter> {
        let core = MeterCore::new(&self.shared, key)?;
        Ok(Meter::new(Arc::clone(&self.shared), core))
    }

    /// Counts `n` units of a meter by its name.
    pub fn record(&self, meter: &str, n: u64) -> Result<()> {
        self.shared.by_name(meter, |core| core.record(n))
    }

    /// Takes `n` units from a meter's quota by its name; see [`Meter::consume`].
    pub fn consume(&self, meter: &str, n: u64) -> Result<Decision> {
        self.meter(meter)?.consume(n)
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    pub fn flush(&self) -> Result<()> {
        self.shared.journal.flush()
    }

    /// What every meter has counted, sealed and seen acknowledged, in the order of the keys.
    pub fn usage(&self) -> Result<Vec<CellUsage>> {
        self.shared.journal.usage()
    }

    /// The kept segments and receipts, for `mintreu usage verify` and anybody with public keys.
    pub fn export_usage(&self) -> Result<Vec<u8>> {
        let (segments, receipts) = self.shared.journal.chain()?;
        let documents = self.shared.journal.documents()?;
        let activation = documents.into_iter().find(|(name, _)| name == ACTIVATION);
        let export = Export {
            device: *self.device().as_bytes(),
            activation: activation.map(|(_, bundle)| bundle),
            segments,
            receipts,
        };
        export.to_bytes()
    }

    /// What to send to the server next, or `None` when this sync is done.
    ///
    /// Call it in a loop with [`on_response`](Self::on_response) until it gives `None`. New usage
    /// is sealed at most once in a loop, so that a busy product's loop ends too.
    pub fn next_request(&self) -> Result<Option<Request>> {
        let sealed = &self.shared.sealed;
        let may_seal = !sealed.load(Ordering::Acquire);
        let next = self
            .shared
            .journal
            .next_segment(self.shared.seal_time(), may_seal)?;
        if let Some((bytes, just_sealed)) = next {
            sealed.fetch_or(just_sealed, Ordering::AcqRel);
            return Ok(Some(Request::post(SEGMENTS, bytes)));
        }
        let activation = enrol::pending(&self.shared)?;
        sealed.store(false, Ordering::Release);
        Ok(activation.map(|bytes| Request::post(ACTIVATIONS, bytes)))
    }

    /// Takes the server's answer: its status and its body.
    ///
    /// Repeated, late and reordered answers are harmless. `server_unavailable` means: later;
    /// `sync_refused`: somebody must look. In both cases nothing is lost.
    pub fn on_response(&self, status: u16, body: &[u8]) -> Result<()> {
        let (bundle, refused) = match sort_response(status, body)? {
            Answer::Taken(bundle) => (bundle, false),
            Answer::NotTaken(bundle) => (bundle, true),
        };
        if Bundle::from_bytes(bundle)?.kind() != Kind::Receipt {
            return self.install_bytes(bundle).map(|_| ());
        }
        let opened = open_bundle(Kind::Receipt, bundle, &self.shared.trust)?;
        let receipt = Receipt::from_claims(opened.claims())?;
        self.shared.trust_time(receipt.issued_at)?;
        let now = self.shared.now().at;
        self.shared
            .journal
            .acknowledge(&receipt, bundle, refused, now)
    }

    /// Verifies a bundle and holds it.
    fn take_up(&self, bundle: &[u8]) -> Result<Installed> {
        match Bundle::from_bytes(bundle)?.kind() {
            Kind::License => {
                let license = verify(bundle, &self.shared.trust)?;
                let id = license.claims().id;
                self.shared.trust_time(license.claims().issued_at)?;
                self.shared.hold(|held| held.add(license));
                Ok(Installed::License(id))
            }
            Kind::Activation => {
                let activation = Activation::verify(bundle, &self.shared.trust)?;
                enrol::take_up(&self.shared, activation).map(Installed::Activation)
            }
            other => Err(Error::new(
                "wrong_kind",
                format!("this is a {}, not a license or an activation", other.name()),
            )),
        }
    }
}

impl Shared {
    #[inline]
    fn now(&self) -> Now {
        let trusted = Timestamp::from_ms(self.trusted_ms.load(Ordering::Relaxed));
        Now::new(self.clock.now(), trusted)
    }

    /// Remembers that it is at least `at`, as a verified document has shown.
    fn trust_time(&self, at: Timestamp) -> Result<()> {
        let raised = self.journal.raise(TRUSTED_MS, at.ms())?;
        self.trusted_ms.fetch_max(raised, Ordering::Relaxed);
        Ok(())
    }

    fn seal_time(&self) -> SealTime {
        let never = self.trusted_ms.load(Ordering::Relaxed) == 0;
        let now = self.now();
        let quality = match (never, now.suspect) {
            (true, _) => TimeQuality::Unknown,
            (false, true) => TimeQuality::Suspect,
            (false, false) => TimeQuality::Plausible,
        };
        SealTime {
            at: self.clock.now(),
            quality,
        }
    }

    fn held<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    #[inline]
    fn with_judged<T>(&self, read: impl Fn(&Judged) -> T) -> T {
        let now = self.now();
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(judged) = held.judged(now) {
                return read(judged);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        read(held.judge(&self.host, now))
    }

    /// Runs `work` with the whole device's count of a meter: found once, then remembered.
    fn by_name<T>(&self, name: &str, work: impl Fn(&Arc<MeterCore>) -> T) -> Result<T> {
        {
            let known = self.meters.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(core) = known.get(name) {
                return Ok(work(core));
            }
        }
        let core = MeterCore::new(self, CellKey::new(name)?)?;
        let mut known = self.meters.write().unwrap_or_else(PoisonError::into_inner);
        Ok(work(known.entry(name.to_owned()).or_insert(core)))
    }
}
