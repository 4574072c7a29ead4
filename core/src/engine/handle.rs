//! Handles: a meter taken once, then counted into at the cost of an atomic addition.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use super::Shared;
use super::held::{Now, Validity};
use super::keeper::LOOK_MS;
use super::limits::{Limits, Spent};
use super::quick::{ANY_TIME, Grantable, Quick};
use super::reservation::{RESERVED_SECS, Reservation};
use crate::error::{Error, Result};
use crate::journal::{CellHandle, CellKind, add};
use crate::meter::{CellKey, Decimal, Decision, Event, MAX_TOTAL, Refusal};
use crate::time::Timestamp;

/// One count of one meter: cheap to clone, usable from any thread, valid as long as it is held.
///
/// Everything that [`record`](Self::record) or [`consume`](Self::consume) has returned from is
/// counted once, even when the process is killed in the next instant.
#[derive(Clone)]
pub struct Meter {
    shared: Arc<Shared>,
    core: Arc<MeterCore>,
    durability: Durability,
}

/// What a count survives, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The process may be killed at any time. A power cut loses at most what was counted in the
    /// last flush interval. Costs an atomic addition.
    #[default]
    Process,
    /// The power may be cut at any time. Each call or batch waits for the disk: a millisecond or
    /// so alone, shared by all who wait at once.
    Power,
}

impl Durability {
    /// Every durability.
    pub const ALL: [Self; 2] = [Self::Process, Self::Power];

    /// `process` or `power`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Power => "power",
        }
    }

    /// Reads a [`name`](Self::name); `durability_unknown` for anything else.
    pub fn parse(name: &str) -> Result<Self> {
        let named = Self::ALL.into_iter().find(|known| known.name() == name);
        named.ok_or_else(|| {
            Error::new(
                "durability_unknown",
                format!("{name:?} is no durability: use process or power"),
            )
        })
    }
}

/// The part of a handle that the engine itself may keep.
pub(super) struct MeterCore {
    count: CellHandle,
    key: CellKey,
    quick: Quick,
    grant: Mutex<Option<Grant>>,
}

/// What the licenses allow this meter, and how long that stands without asking again.
#[derive(Clone)]
struct Grant {
    generation: u64,
    validity: Validity,
    /// Whether anything about the licenses ever depends on the time.
    dated: bool,
    allows: Arc<Allows>,
}

pub(super) enum Allows {
    Everything,
    Nothing { code: &'static str },
    Limited(Box<Limits>),
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meter").field(&self.core.key).finish()
    }
}

impl MeterCore {
    pub fn new(shared: &Shared, key: CellKey) -> Result<Arc<Self>> {
        let count = shared.journal.count(&key)?;
        Ok(Arc::new(Self {
            count,
            key,
            quick: Quick::new(),
            grant: Mutex::default(),
        }))
    }

    #[inline]
    pub fn record(&self, n: u64) {
        add(self.count.word(), n.min(MAX_TOTAL));
    }

    /// Takes `n` units and counts them, or does neither.
    #[inline]
    pub fn consume(&self, shared: &Shared, n: u64) -> Result<Decision> {
        // The decision is made where it is returned: to move one costs more than to make it.
        match self.quickly(shared, n) {
            Some((known, used)) => {
                self.record(n);
                Ok(known.granted(used))
            }
            None => self.slowly(shared, n),
        }
    }

    /// Without a lock and without asking anybody, while what was found out last stands: from what
    /// the units were taken, and what is used of it now.
    #[inline(always)]
    fn quickly(&self, shared: &Shared, n: u64) -> Option<(Grantable, i64)> {
        let wall = match self.quick.is_timed() {
            true => shared.keeper.wall(),
            false => ANY_TIME,
        };
        let known = self.quick.read()?;
        if !known.stands(shared.stamp(), wall) {
            return None;
        }
        match known.place {
            None => Some((known, 0)),
            Some(place) => Some((known, known.take(self.count.word_at(place), n)?)),
        }
    }

    #[cold]
    #[inline(never)]
    fn slowly(&self, shared: &Shared, n: u64) -> Result<Decision> {
        // Asked first: what changes from here on makes what is found out stale.
        let stamp = shared.stamp();
        let (wall, now) = (shared.keeper.wall(), shared.now());
        let grant = self.grant(shared, now)?;
        let (decision, _) = grant.allows.take(shared, n, now)?;
        let decision = match &*grant.allows {
            Allows::Limited(limits) => limits.told(decision, now),
            _ => decision,
        };
        self.quick.publish(grant.quick(stamp, wall, now));
        if decision.granted() {
            self.record(n);
        }
        Ok(decision)
    }

    /// What the licenses allow at `now`.
    pub fn allows(&self, shared: &Shared, now: Now) -> Result<Arc<Allows>> {
        self.grant(shared, now).map(|grant| grant.allows)
    }

    fn grant(&self, shared: &Shared, now: Now) -> Result<Grant> {
        let generation = shared.generation();
        let stands = |g: &&Grant| g.generation == generation && g.validity.holds(now);
        if let Some(grant) = self.held().as_ref().filter(stands) {
            return Ok(grant.clone());
        }
        let (validity, dated, allowed) = shared.with_judged(|judged| {
            let allowed = judged.allowed().map(|()| judged.quota(self.key.meter()));
            (judged.validity(), judged.dated(), allowed)
        });
        let allows = match allowed {
            Err(refused) => Allows::Nothing {
                code: refused.code(),
            },
            Ok(None) => Allows::Everything,
            Ok(Some(allowed)) => {
                Allows::Limited(Box::new(Limits::of(shared, self.key.meter(), &allowed)?))
            }
        };
        let grant = Grant {
            generation,
            validity,
            dated,
            allows: Arc::new(allows),
        };
        *self.held() = Some(grant.clone());
        Ok(grant)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Grant>> {
        self.grant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    /// What may be granted the quick way, from when the wall clock shows `wall`.
    fn quick(&self, stamp: u64, wall: Timestamp, now: Now) -> Option<Grantable> {
        let found = match &*self.allows {
            Allows::Nothing { .. } => None,
            Allows::Everything => Some(Grantable::EVERYTHING),
            Allows::Limited(limits) => limits.grantable(now),
        };
        let found = found?;
        let until = self.validity.until().map_or(i64::MAX, Timestamp::ms);
        let until = until.min(found.until);
        if until == i64::MAX && !self.dated {
            return Some(Grantable { stamp, ..found });
        }
        // Time that passes is noticed when the clock is looked at again.
        let left = until.saturating_sub(now.at.ms()).min(LOOK_MS);
        (!now.is_suspect()).then(|| Grantable {
            stamp,
            from: wall.ms(),
            until: wall.ms().saturating_add(left),
            ..found
        })
    }
}

impl Allows {
    pub fn take(&self, shared: &Shared, n: u64, now: Now) -> Result<(Decision, Spent)> {
        match self {
            Self::Everything => Ok((Decision::UNLIMITED, Spent::nothing())),
            Self::Nothing { code } => {
                let refused = Decision::Refused {
                    reason: Refusal::License { code },
                    resets_at: None,
                };
                Ok((refused, Spent::nothing()))
            }
            Self::Limited(limits) => limits.take(shared, n, now),
        }
    }
}

impl Meter {
    pub(super) fn new(shared: Arc<Shared>, core: Arc<MeterCore>) -> Self {
        Self {
            shared,
            core,
            durability: Durability::default(),
        }
    }

    /// The same meter with another durability: of this handle, and of those made from it.
    #[must_use]
    pub fn with(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// What counts through this handle survive.
    pub const fn durability(&self) -> Durability {
        self.durability
    }

    fn beside(&self, core: Arc<MeterCore>) -> Self {
        Self::new(Arc::clone(&self.shared), core).with(self.durability)
    }

    /// What this handle counts.
    pub fn key(&self) -> &CellKey {
        &self.core.key
    }

    /// A handle for the same meter, counted apart for one subject: an opaque id, never a name.
    pub fn subject(&self, subject: &str) -> Result<Self> {
        let core = MeterCore::new(&self.shared, self.core.key.clone().subject(subject)?)?;
        Ok(self.beside(core))
    }

    /// A handle for the same meter, counted apart for one value of a dimension.
    pub fn dimension(&self, name: &str, value: &str) -> Result<Self> {
        let key = self.core.key.clone().dimension(name, value)?;
        let core = MeterCore::new(&self.shared, key)?;
        Ok(self.beside(core))
    }

    /// Counts `n` units, whatever any quota says. No lock, no system call.
    ///
    /// With [`Durability::Power`] it waits for the disk, and a disk that fails is said in the next
    /// segment; [`try_record`](Self::try_record) says it here.
    #[inline]
    pub fn record(&self, n: u64) {
        self.core.record(n);
        if self.durability == Durability::Power {
            // The units are counted; that the disk failed is noted where the next segment says it.
            let _noted = self.settle();
        }
    }

    /// Counts `n` units, and says when a [`Durability::Power`] could not be kept: then they are
    /// counted, and only a power cut can lose them.
    pub fn try_record(&self, n: u64) -> Result<()> {
        self.record_batch(&[n])
    }

    /// Counts many at once, with one wait for the disk where the durability asks for it.
    pub fn record_batch(&self, units: &[u64]) -> Result<()> {
        self.core
            .record(units.iter().copied().fold(0, u64::saturating_add));
        match self.durability {
            Durability::Process => Ok(()),
            Durability::Power => self.settle(),
        }
    }

    /// Keeps one event of this meter, with its subject and dimensions: on the disk when this
    /// returns. It is told apart by its id, and adds nothing to the count.
    pub fn event(&self, id: &str, value: Decimal) -> Result<()> {
        let at = self.shared.now().at;
        let event = Event::new(id, self.core.key.clone(), at, value)?;
        self.shared.journal.keep_events(&[event])
    }

    /// Waits until what this handle's cells have counted is on the disk.
    #[cold]
    fn settle(&self) -> Result<()> {
        self.shared.journal.settle(&self.cells()?)
    }

    /// The cells that a call through this handle changes.
    fn cells(&self) -> Result<Vec<(CellKind, CellHandle)>> {
        let mut cells = vec![(CellKind::Count, self.core.count.clone())];
        if let Allows::Limited(limits) = &*self.core.allows(&self.shared, self.shared.now())? {
            let words = limits.words().map(|word| (CellKind::Allowance, word));
            cells.extend(words);
        }
        Ok(cells)
    }

    /// Units this handle's cell has counted since the device's first day.
    pub fn counted(&self) -> u64 {
        let value = self.core.count.word().load(Ordering::Relaxed);
        value.min(MAX_TOTAL)
    }

    /// Takes `n` units from the license's quota for this meter and counts them, or does neither.
    ///
    /// A meter that the license sets no quota for is granted and counted; without a license in
    /// force it is refused with the verdict's code. Quotas of a license are this device's own.
    #[inline]
    pub fn consume(&self, n: u64) -> Result<Decision> {
        match self.durability {
            Durability::Process => self.core.consume(&self.shared, n),
            Durability::Power => self.consume_and_settle(n),
        }
    }

    #[cold]
    #[inline(never)]
    fn consume_and_settle(&self, n: u64) -> Result<Decision> {
        let decision = self.core.consume(&self.shared, n)?;
        if decision.granted() {
            self.settle()?;
        }
        Ok(decision)
    }

    /// Takes `n` units from the quota for work whose size is known only afterwards.
    ///
    /// They are counted by [`Reservation::commit`] and given back when the reservation is dropped,
    /// or after an hour: also when this process is killed before.
    pub fn reserve(&self, n: u64) -> Result<std::result::Result<Reservation, Decision>> {
        self.reserve_for(n, RESERVED_SECS)
    }

    /// [`reserve`](Self::reserve), held for so many seconds.
    pub fn reserve_for(
        &self,
        n: u64,
        secs: u32,
    ) -> Result<std::result::Result<Reservation, Decision>> {
        Reservation::take(self, n, secs)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn core(&self) -> &MeterCore {
        &self.core
    }
}

/// What a batch comes to for each of its meters, and whether any of it is to survive a power cut:
/// however often a meter is named, its cell is added to once.
fn by_cell<'a>(units: &[(&'a Meter, u64)]) -> impl Iterator<Item = (&'a Meter, u64, bool)> {
    let mut sums: HashMap<_, _, RandomState> = HashMap::default();
    for &(meter, n) in units {
        let first = (meter, 0_u64, false);
        let (_, sum, power) = sums.entry(Arc::as_ptr(&meter.core)).or_insert(first);
        *sum = sum.saturating_add(n);
        *power |= meter.durability == Durability::Power;
    }
    sums.into_values()
}

/// Counts in many meters, and waits once for those that ask for it. A meter of another engine is
/// settled there: cells are known by their place in one folder.
pub(super) fn record_batch(shared: &Arc<Shared>, units: &[(&Meter, u64)]) -> Result<()> {
    let mut cells = Vec::new();
    let mut elsewhere = Vec::new();
    for (meter, sum, power) in by_cell(units) {
        meter.core.record(sum);
        match power {
            false => {}
            true if Arc::ptr_eq(&meter.shared, shared) => {
                cells.push((CellKind::Count, meter.core.count.clone()));
            }
            true => elsewhere.push(meter),
        }
    }
    if !cells.is_empty() {
        shared.journal.settle(&cells)?;
    }
    elsewhere.into_iter().try_for_each(Meter::settle)
}
