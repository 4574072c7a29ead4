//! Handles: a meter taken once, then counted into at the cost of an atomic addition.

use std::sync::Arc;

use super::Shared;
use crate::error::Result;
use crate::journal::{CellHandle, add};
use crate::license::QuotaClaim;
use crate::meter::{CellKey, Decision, MAX_LIMIT, MAX_TOTAL, Quota, Refusal};
use crate::time::Timestamp;

/// One count of one meter: cheap to clone, usable from any thread, valid as long as it is held.
///
/// Everything that [`record`](Self::record) or [`consume`](Self::consume) has returned from is
/// counted once, even when the process is killed in the next instant.
#[derive(Clone)]
pub struct Meter {
    shared: Arc<Shared>,
    count: CellHandle,
    key: Arc<CellKey>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meter").field(&self.key).finish()
    }
}

impl Meter {
    pub(super) fn new(shared: Arc<Shared>, key: CellKey) -> Result<Self> {
        let count = shared.journal.count(&key)?;
        Ok(Self {
            shared,
            count,
            key: Arc::new(key),
        })
    }

    /// A handle for a cell that was found before.
    pub(super) fn from_parts(shared: &Arc<Shared>, count: &CellHandle, key: &Arc<CellKey>) -> Self {
        Self {
            shared: Arc::clone(shared),
            count: count.clone(),
            key: Arc::clone(key),
        }
    }

    /// What [`from_parts`](Self::from_parts) needs again.
    pub(super) fn parts(&self) -> (CellHandle, Arc<CellKey>) {
        (self.count.clone(), Arc::clone(&self.key))
    }

    /// What this handle counts.
    pub fn key(&self) -> &CellKey {
        &self.key
    }

    /// A handle for the same meter, counted apart for one subject: an opaque id, never a name.
    pub fn subject(&self, subject: &str) -> Result<Self> {
        let key = CellKey::clone(&self.key).subject(subject)?;
        Self::new(Arc::clone(&self.shared), key)
    }

    /// A handle for the same meter, counted apart for one value of a dimension.
    pub fn dimension(&self, name: &str, value: &str) -> Result<Self> {
        let key = CellKey::clone(&self.key).dimension(name, value)?;
        Self::new(Arc::clone(&self.shared), key)
    }

    /// Counts `n` units, whatever any quota says. No lock, no system call.
    #[inline]
    pub fn record(&self, n: u64) {
        add(self.count.word(), n.min(MAX_TOTAL));
    }

    /// Units this handle's cell has counted since the device's first day.
    pub fn counted(&self) -> u64 {
        let value = self.count.word().load(std::sync::atomic::Ordering::Relaxed);
        value.min(MAX_TOTAL)
    }

    /// Takes `n` units from the license's quota for this meter and counts them, or does neither.
    ///
    /// A meter that the license sets no quota for is granted and counted; without a license in
    /// force it is refused with the verdict's code. Quotas of a license are this device's own.
    pub fn consume(&self, n: u64) -> Result<Decision> {
        let decision = self.take(n)?;
        if decision.granted() {
            self.record(n);
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

    fn take(&self, n: u64) -> Result<Decision> {
        let now = self.shared.now().at;
        let claim = match self
            .shared
            .with_judged(|judged| judged.allowed().map(|()| judged.quota(self.key.meter())))
        {
            Ok(claim) => claim,
            Err(refused) => {
                let reason = Refusal::License {
                    code: refused.code(),
                };
                return Ok(Decision::Refused {
                    reason,
                    resets_at: None,
                });
            }
        };
        match claim.and_then(limited) {
            None => Ok(Decision::Granted {
                remaining: None,
                resets_at: None,
            }),
            Some((quota, overage)) => self.take_from(quota, overage, n, now),
        }
    }

    fn take_from(&self, quota: Quota, overage: bool, n: u64, now: Timestamp) -> Result<Decision> {
        let allowance = self.shared.allowance(self.key.meter(), quota)?;
        Ok(match quota.take(allowance.word(), n, now) {
            Decision::Refused { resets_at, .. } if overage => Decision::Granted {
                remaining: Some(0),
                resets_at,
            },
            decision => decision,
        })
    }

    fn give_back(&self, n: u64) -> Result<()> {
        let now = self.shared.now().at;
        let claim = self
            .shared
            .with_judged(|judged| judged.quota(self.key.meter()));
        if let Some((quota, _)) = claim.and_then(limited) {
            let allowance = self.shared.allowance(self.key.meter(), quota)?;
            quota.give_back(allowance.word(), n, now);
        }
        Ok(())
    }
}

/// The quota of a claim, and whether use beyond it is allowed; `None` where nothing is limited.
fn limited(claim: QuotaClaim) -> Option<(Quota, bool)> {
    let limit = claim.limit?.min(MAX_LIMIT);
    Some((Quota::new(limit, claim.window).ok()?, claim.overage))
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
