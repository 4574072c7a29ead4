//! Reservations: units for work whose size is known only afterwards.

use super::handle::{Allows, Meter};
use super::limits::Spent;
use crate::error::Result;
use crate::meter::Decision;
use crate::time::Timestamp;

/// For how many seconds a reservation holds its units where nothing else is said.
pub const RESERVED_SECS: u32 = 3600;

/// Units taken from a quota and not yet counted.
#[derive(Debug)]
#[must_use = "dropping a reservation gives its units back"]
pub struct Reservation {
    meter: Meter,
    taken: Option<Taken>,
    units: u64,
    expires_at: Timestamp,
}

/// From what the units were taken.
struct Taken {
    allows: std::sync::Arc<Allows>,
    spent: Spent,
}

impl std::fmt::Debug for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Taken").field(&self.spent.units()).finish()
    }
}

impl Reservation {
    pub(super) fn take(
        meter: &Meter,
        n: u64,
        secs: u32,
    ) -> Result<std::result::Result<Self, Decision>> {
        let (shared, now) = (meter.shared(), meter.shared().now());
        let allows = meter.core().allows(shared, now)?;
        let (decision, mut spent) = allows.take(shared, n, now)?;
        if !decision.granted() {
            return Ok(Err(decision));
        }
        let expires_at = now.at.plus_ms(i64::from(secs.max(1)) * 1000);
        if let Allows::Limited(limits) = &*allows
            && let Err(error) = limits.hold(shared, &mut spent, expires_at)
        {
            spent.settle();
            limits.give_back(&spent, n, now);
            return Err(error);
        }
        Ok(Ok(Self {
            meter: meter.clone(),
            taken: Some(Taken { allows, spent }),
            units: n,
            expires_at,
        }))
    }

    /// Units that are held.
    pub const fn units(&self) -> u64 {
        self.units
    }

    /// Until when they are held: then they go back into the quota, whatever became of this process.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Counts `used` units and gives the rest back. More than was held is counted and taken from
    /// the quota all the same, and so is what is committed after its time was over.
    ///
    /// An error says that a [`Durability::Power`](super::Durability::Power) could not be kept: the
    /// units are counted.
    pub fn commit(mut self, used: u64) -> Result<()> {
        let kept = self.meter.try_record(used);
        self.end(used);
        kept
    }

    /// Gives everything back, as dropping does.
    pub fn release(mut self) -> Result<()> {
        self.end(0);
        Ok(())
    }

    fn end(&mut self, used: u64) {
        let Some(Taken { allows, mut spent }) = self.taken.take() else {
            return;
        };
        let Allows::Limited(limits) = &*allows else {
            return;
        };
        let (now, held) = (self.meter.shared().now(), spent.settle());
        limits.give_back(&spent, held.saturating_sub(used), now);
        // What was given back meanwhile, or never held, was used all the same.
        let missing = used.saturating_sub(held);
        if missing == 0 {
            return;
        }
        // From what is left and prepaid, and only then beyond the limit.
        let taken = limits.take(self.meter.shared(), missing, now);
        if !taken.is_ok_and(|(decision, _)| decision.granted()) {
            limits.force(missing, now);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(0);
    }
}
