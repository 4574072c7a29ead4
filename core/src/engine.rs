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
//! * Nothing here opens a socket, and nothing but [`Clock`] reads the time.
//! * `check`, `record` and `consume` never wait for a disk.
//! * What a document says is used only after its signatures held up to the pinned roots.
//! * A clock that is set back is noticed, tolerated for a while and never locks anybody out for
//!   good: see [`clock`](crate::clock).
//! * Key sets and revocation lists are taken from any channel and never exchanged for older ones.

mod alerts;
mod documents;
mod enrol;
mod exchange;
mod former;
mod handle;
mod held;
mod keeper;
mod limits;
mod names;
mod news;
mod pot;
mod quick;
mod reservation;
mod tick;
mod units;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use enrol::{ACTIVATION, LEASE};
use handle::MeterCore;
pub use handle::{Durability, Meter};
use held::{Held, Host, Judged, Now};
use keeper::Keeper;
use limits::Limits;
pub use limits::{Alert, QuotaStatus};
use names::Names;
use news::{Channel, Turn};
pub use reservation::{RESERVED_SECS, Reservation};
use tick::Ticker;
use units::UNITS;

use crate::activation::{Fingerprint, RedeemCode, UnitsLease, Wanted, seller_key};
use crate::document::{Bundle, Kind, PublicKey, from_text, to_text};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::journal::{CellHandle, CellUsage, DEFAULT_CELLS, Damage, Journal, Opening, Sink};
use crate::keystore::{DeviceKey, Protection};
use crate::license::{Entitlement, Revocations, Ring, Trust, Verdict, Version};
use crate::meter::{CellKey, Counts, Decision, Event, Quota};
use crate::time::{Clock, SystemClock, Timestamp};

const LICENSE: &str = "license";
const KEY_SET: &str = "keyset";
const REVOCATIONS: &str = "revocations";

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
    /// What several licenses on one device come to.
    pub stacking: Stacking,
    /// Where this device's key is kept, and what it is bound to: a file in the folder, bound to
    /// the machine where that has an id.
    pub device_key: DeviceKey,
    /// How often what happens by itself happens.
    pub pace: Pace,
}

/// How often what happens by itself happens; see `docs/usage-protocol.md`, section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Counts reach the disk this often: a power cut costs at most what was counted since. By one
    /// thread; zero for none, where the host calls [`Engine::flush`] itself. One second.
    pub flush: Duration,
    /// What was counted is sealed at least this often, sent or not, so that it is known later when
    /// it was used. One hour.
    pub seal: Duration,
    /// A sync says this often that there is nothing to say, so that silence means something. One
    /// day.
    pub heartbeat: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            flush: Duration::from_secs(1),
            seal: Duration::from_secs(3600),
            heartbeat: Duration::from_secs(24 * 3600),
        }
    }
}

/// What the limits and quotas of several licenses on one device come to. Features unite anyhow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stacking {
    /// The largest counts.
    #[default]
    Largest,
    /// Limits add up, and so do quotas of the same window.
    AddUp,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            version: None,
            released_at: None,
            cells: DEFAULT_CELLS,
            fingerprint: Fingerprint::default(),
            stacking: Stacking::default(),
            device_key: DeviceKey::default(),
            pace: Pace::default(),
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
    /// A lease: this device's seat of the license is kept for longer.
    Lease(LicenseId),
    /// Units of a quota that this device shares with others.
    Units(LicenseId),
    /// A key set, by its version.
    KeySet(u64),
    /// A revocation list, by its number.
    Revocations(u64),
    /// The time, in answer to [`Engine::time_request`]; or that a seat given back is free.
    Time,
}

impl Installed {
    /// What it is, in one stable word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::License(_) => "license",
            Self::Activation(_) => "activation",
            Self::Code => "code",
            Self::Lease(_) => "lease",
            Self::Units(_) => "units",
            Self::KeySet(_) => "key_set",
            Self::Revocations(_) => "revocations",
            Self::Time => "time",
        }
    }
}

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

    /// Installs whatever a seller gives a customer, in any text form: key, file or QR text.
    ///
    /// That is a license, an activation, a lease, a redeem code, a key set, a revocation list or
    /// the time. The error's code says what is wrong and its sentence what to do; nothing is
    /// installed then. An older key set or list than the one held is `keyset_old` or `list_old`.
    pub fn install(&self, text: &str) -> Result<Installed> {
        match text.parse::<RedeemCode>() {
            Ok(code) => {
                enrol::ask(&self.shared, Wanted::Code(code))?;
                Ok(Installed::Code)
            }
            // Somebody who meant a code learns that it is mistyped, before anything is sent.
            Err(error) if RedeemCode::resembles(text) => Err(error),
            Err(_) => self.install_bytes(&from_text(text)?),
        }
    }

    /// Exchanges a key that the seller gave out before, elsewhere: the next request, or
    /// [`activation_request`](Self::activation_request), asks with it.
    ///
    /// Such a key has no check characters, so whether it is right is known only from the answer.
    /// `seller_key_malformed` for what can't be one.
    pub fn exchange(&self, key: &str) -> Result<()> {
        enrol::ask(&self.shared, Wanted::Key(seller_key(key)?.to_owned()))
    }

    /// Installs the bytes of a bundle; see [`install`](Self::install).
    pub fn install_bytes(&self, bundle: &[u8]) -> Result<Installed> {
        let journal = &self.shared.journal;
        match Bundle::from_bytes(bundle)?.kind() {
            Kind::Activation => return enrol::install(&self.shared, bundle),
            Kind::Lease if UnitsLease::resembles(bundle) => {
                return units::install(&self.shared, bundle);
            }
            Kind::Lease => return enrol::install_lease(&self.shared, bundle),
            Kind::Challenge => {
                return news::prove(&self.shared, bundle).map(|()| Installed::Time);
            }
            _ => {}
        }
        let installed = self.shared.take_up(bundle)?;
        match installed {
            Installed::License(id) => journal.keep_document(&enrol::named(LICENSE, id), bundle)?,
            Installed::KeySet(_) => journal.keep_document(KEY_SET, bundle)?,
            Installed::Revocations(list) => {
                journal.keep_document(&format!("{REVOCATIONS} {list}"), bundle)?;
            }
            _ => {}
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
                "install a redeem code or a license, or exchange a key, first",
            )
        })
    }

    /// Gives this device's seat back, so that another may take it; the license stays installed.
    ///
    /// The seat is forgotten here at once. The signed text says so to whoever keeps the seats: the
    /// next requests carry it, or a person does by file, paste or QR. `license` is needed only
    /// where the device holds several seats (`license_ambiguous`); `nothing_activated` when it
    /// holds none. [`activate`](Self::activate) takes a seat again.
    pub fn deactivate(&self, license: Option<LicenseId>) -> Result<String> {
        enrol::give_up(&self.shared, license).map(|bytes| to_text(&bytes))
    }

    /// Asks for a seat again, after [`deactivate`](Self::deactivate).
    pub fn activate(&self, license: LicenseId) -> Result<()> {
        let held = |held: &Held| held.licenses().iter().any(|l| l.claims().id == license);
        if self.shared.held(held) {
            return enrol::ask(&self.shared, Wanted::License(license));
        }
        Err(Error::new(
            "not_licensed",
            "this license is not installed here; install it first",
        ))
    }

    /// Asks to keep a floating seat for `seconds`, to work without a network for so long.
    ///
    /// The next requests, or [`activation_request`](Self::activation_request), carry the wish; how
    /// long it is granted for is the seller's to say: [`seat_ends_at`](Self::seat_ends_at).
    pub fn borrow(&self, license: Option<LicenseId>, seconds: u32) -> Result<()> {
        enrol::borrow(&self.shared, license, seconds)
    }

    /// Until when this device's seat of a license is kept; `None` without one, or for as long as
    /// the license holds.
    pub fn seat_ends_at(&self, license: LicenseId) -> Option<Timestamp> {
        self.shared.held(|held| held.seat(license)?.ends_at())
    }

    /// A question for the time as text, for a device whose clock is in doubt and that has no
    /// network; the answer goes into [`install`](Self::install) within a day, and before the
    /// machine is started again.
    pub fn time_request(&self) -> Result<String> {
        news::question(&self.shared, Channel::Text).map(|bytes| to_text(&bytes))
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
        let core = self.shared.by_name(name, |core| Ok(Arc::clone(core)))?;
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

    /// The engine's instant, as quotas are judged at: it doesn't follow a clock that is set back.
    pub fn instant(&self) -> Timestamp {
        self.shared.now().at
    }

    /// The word of one subject's quota, which no license sets.
    pub(crate) fn allowance_of(&self, key: &CellKey, quota: Quota) -> Result<CellHandle> {
        // The NUL keeps it apart from what any license names in words.
        let name = format!("{}\0{}", key.meter(), key.subject_id());
        let window = quota.window().cell_key(quota.limit());
        self.shared
            .journal
            .word([&window, name.as_bytes()].concat())
    }

    /// Counts `n` units of a meter by its name.
    pub fn record(&self, meter: &str, n: u64) -> Result<()> {
        self.shared.by_name(meter, |core| {
            core.record(n);
            Ok(())
        })
    }

    /// How every quota of the licenses stands, in the order of the meters' names.
    pub fn quotas(&self) -> Result<Vec<QuotaStatus>> {
        let now = self.shared.now();
        let status = |(meter, limits): (String, Limits)| limits.status(&meter, now);
        Ok(self.shared.limits(now)?.into_iter().map(status).collect())
    }

    /// How one meter's quota stands; `None` when the licenses set none.
    pub fn quota(&self, meter: &str) -> Result<Option<QuotaStatus>> {
        let quotas = self.quotas()?;
        Ok(quotas.into_iter().find(|status| status.meter == meter))
    }

    /// The alerts that use has reached, each once in its window: here, or in the [`Decision`] that
    /// reached it, whichever somebody sees first, in any thread or process.
    pub fn alerts(&self) -> Result<Vec<Alert>> {
        let now = self.shared.now();
        let alerts = |(meter, limits): (String, Limits)| limits.alerts(&meter, now);
        Ok(self
            .shared
            .limits(now)?
            .into_iter()
            .flat_map(alerts)
            .collect())
    }

    /// Takes `n` units from a meter's quota by its name; see [`Meter::consume`].
    pub fn consume(&self, meter: &str, n: u64) -> Result<Decision> {
        let shared = &self.shared;
        shared.by_name(meter, |core| core.consume(shared, n))
    }

    /// The meter with this name, counted for the whole device with a durability of its own.
    ///
    /// ```no_run
    /// # fn f(engine: &mintreu::Engine) -> mintreu::Result<()> {
    /// use mintreu::Durability;
    /// let tokens = engine.meter_with("tokens", Durability::Power)?;
    /// tokens.try_record(1200)?; // on the disk now, whatever happens to the machine
    /// # Ok(())
    /// # }
    /// ```
    pub fn meter_with(&self, name: &str, durability: Durability) -> Result<Meter> {
        Ok(self.meter(name)?.with(durability))
    }

    /// Counts in many meters at once: what of it is to survive a power cut is on the disk when this
    /// returns, with one wait.
    pub fn record_batch(&self, units: &[(&Meter, u64)]) -> Result<()> {
        handle::record_batch(&self.shared, units)
    }

    /// Keeps events, each once by its id: on the disk when this returns, many callers in one
    /// commit. `events_full` when too many wait to be acknowledged.
    pub fn record_events(&self, events: &[Event]) -> Result<()> {
        self.shared.journal.keep_events(events)
    }

    /// Seals what was counted when the last segment is older than [`Pace::seal`]; whether it was.
    ///
    /// It happens by itself, once a minute, unless [`Pace::flush`] is zero.
    pub fn seal_when_due(&self) -> Result<bool> {
        tick::seal_when_due(&self.shared)
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    pub fn flush(&self) -> Result<()> {
        self.shared.keeper.keep(&self.shared.journal)?;
        self.shared.journal.flush()
    }

    /// What every meter has counted, sealed and seen acknowledged, in the order of the keys.
    pub fn usage(&self) -> Result<Vec<CellUsage>> {
        self.shared.journal.usage()
    }

    /// The kept segments and receipts, for `mintreu usage verify` and anybody with public keys.
    pub fn export_usage(&self) -> Result<Vec<u8>> {
        let mut export = Vec::new();
        let named = |license| enrol::named(ACTIVATION, license);
        self.shared.journal.export(&named, &mut |bytes| {
            export.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(export)
    }

    /// Writes out the usage of every device whose folder this is or was, without opening an engine:
    /// nothing in it changes, no key is needed, and the product may be running.
    pub fn export_folder(folder: impl AsRef<Path>, out: &mut Sink<'_>) -> Result<Counts> {
        let named = |license| enrol::named(ACTIVATION, license);
        crate::journal::export_folder(folder.as_ref(), &named, out)
    }

    /// The signed checkpoints that stand for acknowledged segments which are not kept any more, each
    /// to be read by [`Checkpoint::open`](crate::meter::Checkpoint::open): one an epoch.
    pub fn checkpoints(&self) -> Result<Vec<Vec<u8>>> {
        self.shared.journal.checkpoints()
    }
}

/// Whether a document is kept under a name of this kind.
fn is_a(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

impl Shared {
    #[inline]
    fn now(&self) -> Now {
        self.keeper.now(&self.journal)
    }

    /// Remembers that it is at least `at`, as a verified document has shown.
    fn trust_time(&self, at: Timestamp) -> Result<()> {
        self.keeper.raise(at, &self.journal)
    }

    /// What was taken up so far, by a number that rises; first takes up what others installed.
    #[inline]
    fn generation(&self) -> u64 {
        if self.journal.has_news() {
            // What can't be read now leaves everything as it was.
            let _as_it_was = self.catch_up();
        }
        self.generation.load(Ordering::Acquire)
    }

    /// Rises whenever anything is taken up here or changed by any process: since both only rise,
    /// an equal sum says that neither did.
    #[inline]
    fn stamp(&self) -> u64 {
        let taken_up = self.generation.load(Ordering::Acquire);
        taken_up.wrapping_add(self.journal.changes())
    }

    fn take_key_set(&self, bytes: &[u8]) -> Result<u64> {
        let version = self.hold(|held| -> Result<_> {
            held.judge_again();
            held.ring.install_key_set(bytes)?;
            Ok(held.ring.key_set().map(|set| (set.version, set.issued_at)))
        })?;
        let (version, issued_at) = version.unwrap_or_default();
        self.trust_time(issued_at)?;
        Ok(version)
    }

    fn take_list(&self, bundle: &[u8]) -> Result<u64> {
        let now = self.now().at;
        let (list, issued_at) = self.hold(|held| -> Result<_> {
            held.judge_again();
            let (opened, list) = Revocations::verify_by(bundle, &held.ring)?;
            opened.holds_at(now)?;
            held.ring.install_revocations(bundle)?;
            Ok((list.list(), list.issued_at()))
        })?;
        self.trust_time(issued_at)?;
        Ok(list)
    }

    /// Verifies something by what is known of keys by now.
    fn verify<T>(&self, check: impl FnOnce(&Ring) -> Result<T>) -> Result<T> {
        self.held(|held| check(&held.ring))
    }

    fn held<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hold<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let changed = change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
        self.generation.fetch_add(1, Ordering::AcqRel);
        changed
    }

    #[inline]
    fn with_judged<T>(&self, read: impl Fn(&Judged) -> T) -> T {
        self.generation();
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

    /// The quotas of the licenses, after what reservations held too long was given back.
    fn limits(&self, now: Now) -> Result<Vec<(String, Limits)>> {
        let quotas = self.with_judged(|judged| match judged.allowed() {
            Ok(()) => judged.quotas(),
            Err(_) => Vec::new(),
        });
        let limits = quotas.into_iter().map(|(meter, allowed)| {
            let limits = Limits::of(self, &meter, &allowed)?;
            limits.sweep(self, now)?;
            Ok((meter, limits))
        });
        limits.collect()
    }

    /// Runs `work` with the whole device's count of a meter: found once, then remembered.
    #[inline]
    fn by_name<T>(&self, name: &str, work: impl Fn(&Arc<MeterCore>) -> Result<T>) -> Result<T> {
        match self.meters.near(name) {
            Some(core) => work(core),
            None => work(&self.far(name)?),
        }
    }

    #[cold]
    #[inline(never)]
    fn far(&self, name: &str) -> Result<Arc<MeterCore>> {
        if let Some(core) = self.meters.far(name) {
            return Ok(core);
        }
        let core = MeterCore::new(self, CellKey::new(name)?)?;
        self.meters.remember(name, &core);
        Ok(core)
    }
}
