//! Handles: a meter taken once, then counted into at the cost of an atomic addition.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use super::Shared;
use super::held::Validity;
use crate::error::Result;
use crate::journal::{CellHandle, CellKind, add};
use crate::license::QuotaClaim;
use crate::meter::{CellKey, Decimal, Decision, Event, MAX_LIMIT, MAX_TOTAL, Quota, Refusal};
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

/// The part of a handle that the engine itself may keep.
pub(super) struct MeterCore {
    count: CellHandle,
    key: CellKey,
    grant: RwLock<Option<Grant>>,
}

/// What the licenses allow this meter, and how long that stands without asking again.
struct Grant {
    generation: u64,
    validity: Validity,
    allows: Allows,
}

#[derive(Clone)]
enum Allows {
    Everything,
    Nothing {
        code: &'static str,
    },
    Limited {
        quota: Quota,
        overage: bool,
        word: CellHandle,
    },
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
            grant: RwLock::default(),
        }))
    }

    #[inline]
    pub fn record(&self, n: u64) {
        add(self.count.word(), n.min(MAX_TOTAL));
    }

    fn grant(&self, shared: &Shared) -> Result<Allows> {
        let generation = shared.generation();
        let (validity, claim) = shared.with_judged(|judged| {
            let claim = judged.allowed().map(|()| judged.quota(self.key.meter()));
            (judged.validity(), claim)
        });
        let allows = match claim.map(|claim| claim.and_then(limited)) {
            Err(refused) => Allows::Nothing {
                code: refused.code(),
            },
            Ok(None) => Allows::Everything,
            Ok(Some((quota, overage))) => {
                let word = shared.journal.allowance(self.key.meter(), quota)?;
                Allows::Limited {
                    quota,
                    overage,
                    word,
                }
            }
        };
        let grant = Grant {
            generation,
            validity,
            allows: allows.clone(),
        };
        *self.grant.write().unwrap_or_else(PoisonError::into_inner) = Some(grant);
        Ok(allows)
    }

    /// Runs `work` with what the licenses allow now.
    #[inline]
    fn with_grant<T>(&self, shared: &Shared, work: impl Fn(&Allows, Timestamp) -> T) -> Result<T> {
        let now = shared.now();
        {
            let held = self.grant.read().unwrap_or_else(PoisonError::into_inner);
            let generation = shared.generation();
            let stands = |g: &&Grant| g.generation == generation && g.validity.holds(now);
            if let Some(grant) = held.as_ref().filter(stands) {
                return Ok(work(&grant.allows, now.at));
            }
        }
        Ok(work(&self.grant(shared)?, now.at))
    }
}

impl Allows {
    fn take(&self, n: u64, now: Timestamp) -> Decision {
        match self {
            Self::Everything => Decision::Granted {
                remaining: None,
                resets_at: None,
            },
            Self::Nothing { code } => Decision::Refused {
                reason: Refusal::License { code },
                resets_at: None,
            },
            Self::Limited {
                quota,
                overage,
                word,
            } => match quota.take(word.word(), n, now) {
                Decision::Refused { resets_at, .. } if *overage => Decision::Granted {
                    remaining: Some(0),
                    resets_at,
                },
                decision => decision,
            },
        }
    }

    fn give_back(&self, n: u64, now: Timestamp) {
        if let Self::Limited { quota, word, .. } = self {
            quota.give_back(word.word(), n, now);
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
        units.iter().for_each(|&n| self.core.record(n));
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
        cells.extend(
            self.core
                .with_grant(&self.shared, |allows, _| match allows {
                    Allows::Limited { word, .. } => Some((CellKind::Allowance, word.clone())),
                    _ => None,
                })?,
        );
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
    pub fn consume(&self, n: u64) -> Result<Decision> {
        let decision = self.take(n)?;
        if decision.granted() {
            self.core.record(n);
            if self.durability == Durability::Power {
                self.settle()?;
            }
        }
        Ok(decision)
    }

    /// Takes `n` units from the quota for work whose size is known only afterwards.
    ///
    /// They are counted by [`Reservation::commit`] and given back when the reservation is dropped.
    /// A process killed in between leaves them used, never free.
    pub fn reserve(&self, n: u64) -> Result<std::result::Result<Reservation, Decision>> {
        match self.take(n)? {
            Decision::Granted { .. } => Ok(Ok(Reservation {
                meter: self.clone(),
                held: n,
            })),
            refused => Ok(Err(refused)),
        }
    }

    #[inline]
    fn take(&self, n: u64) -> Result<Decision> {
        self.core
            .with_grant(&self.shared, |allows, now| allows.take(n, now))
    }

    fn give_back(&self, n: u64) -> Result<()> {
        self.core
            .with_grant(&self.shared, |allows, now| allows.give_back(n, now))
    }
}

/// Counts in many meters, and waits once for those that ask for it.
pub(super) fn record_batch(shared: &Shared, units: &[(&Meter, u64)]) -> Result<()> {
    let mut cells = Vec::new();
    for (meter, n) in units {
        meter.core.record(*n);
        if meter.durability == Durability::Power {
            cells.push((CellKind::Count, meter.core.count.clone()));
        }
    }
    match cells.is_empty() {
        true => Ok(()),
        false => shared.journal.settle(&cells),
    }
}

/// The quota of a claim, and whether use beyond it is allowed; `None` where nothing is limited.
fn limited(claim: QuotaClaim) -> Option<(Quota, bool)> {
    // Up to its cap overage is taken like the rest; without a cap nothing bounds it.
    let capped = claim.overage_cap.unwrap_or(0);
    let limit = claim.limit?.saturating_add(capped).min(MAX_LIMIT);
    let unbounded = claim.overage && claim.overage_cap.is_none();
    Some((Quota::new(limit, claim.window).ok()?, unbounded))
}

/// Units taken from a quota and not yet counted.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its units back"]
pub struct Reservation {
    meter: Meter,
    held: u64,
}

impl Reservation {
    /// Units that are held.
    pub const fn units(&self) -> u64 {
        self.held
    }

    /// Counts `used` units and gives the rest back; more than was held is counted all the same.
    pub fn commit(mut self, used: u64) -> Result<()> {
        self.meter.record(used);
        let rest = std::mem::take(&mut self.held).saturating_sub(used);
        self.meter.give_back(rest)
    }

    /// Gives everything back, as dropping does, and says when that failed.
    pub fn release(mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        self.meter.give_back(held)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.held > 0 {
            // Units that cannot be given back stay used: that errs on the seller's side.
            let _kept_as_used = self.meter.give_back(self.held);
        }
    }
}
