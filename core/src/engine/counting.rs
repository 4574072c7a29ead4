//! What a product counts and is granted, and what it can show of it.

use std::path::Path;
use std::sync::Arc;

use super::handle::{self, MeterCore};
use super::limits::Limits;
use super::{ACTIVATION, Alert, Durability, Engine, Meter, QuotaStatus, enrol, tick};
use crate::error::Result;
use crate::journal::{CellHandle, CellUsage, Sink};
use crate::meter::{CellKey, Counts, Decision, Event, Quota};
use crate::time::Timestamp;

impl Engine {
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

    /// Seals what was counted when the last segment is older than [`Pace::seal`](super::Pace::seal); whether it was.
    ///
    /// It happens by itself, once a minute, unless [`Pace::flush`](super::Pace::flush) is zero.
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
