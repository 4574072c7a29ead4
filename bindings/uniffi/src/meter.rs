//! Counting: handles, decisions and reservations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mintreu::engine::{Meter as Inner, Reservation as Held};
use mintreu::journal::CellUsage;
use mintreu::meter::{CellKey, Decision as Answer};
use mintreu::{Error, Timestamp};

use crate::value::MintreuError;

/// What a handle counts: a meter, for one subject and one value of each dimension.
pub(crate) fn key(
    name: &str,
    subject: Option<String>,
    dimensions: Option<HashMap<String, String>>,
) -> mintreu::Result<CellKey> {
    let mut key = CellKey::new(name)?;
    if let Some(subject) = subject {
        key = key.subject(subject)?;
    }
    for (name, value) in dimensions.unwrap_or_default() {
        key = key.dimension(name, value)?;
    }
    Ok(key)
}

/// One count of one meter. Safe to share between threads.
#[derive(uniffi::Object)]
pub struct Meter {
    inner: Inner,
}

impl Meter {
    pub(crate) fn shared(inner: Inner) -> Arc<Self> {
        Arc::new(Self { inner })
    }
}

#[uniffi::export]
impl Meter {
    /// Counts units, whatever any quota says. No lock, no system call.
    pub fn record(&self, n: u64) {
        self.inner.record(n);
    }

    /// Takes units from the license's quota and counts them, or does neither.
    pub fn consume(&self, n: u64) -> Result<Decision, MintreuError> {
        Ok(self.inner.consume(n)?.into())
    }

    /// Takes units whose use is known only afterwards; fails with the reason where refused.
    pub fn reserve(&self, n: u64) -> Result<Arc<Reservation>, MintreuError> {
        match self.inner.reserve(n)? {
            Ok(held) => Ok(Arc::new(Reservation {
                held: Mutex::new(Some(held)),
            })),
            Err(refused) => Err(refusal(&refused).into()),
        }
    }

    /// Units this handle's cell has counted since the device's first day.
    pub fn counted(&self) -> u64 {
        self.inner.counted()
    }
}

fn refusal(answer: &Answer) -> Error {
    match answer {
        Answer::Refused { reason, .. } => {
            Error::new(reason.code(), "the units could not be reserved")
        }
        Answer::Granted { .. } => Error::new("internal", "granted, yet not held"),
    }
}

/// The answer to "may I use so many units?".
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Decision {
    /// Whether the units were granted and counted.
    pub granted: bool,
    /// A stable code when refused: `quota_spent` or the license's verdict.
    pub reason: Option<String>,
    /// Units left in the window; absent without a limit.
    pub remaining: Option<u64>,
    /// When units come back, in milliseconds since 1970.
    pub resets_at: Option<i64>,
    /// Units used beyond the limit in this window; they are charged.
    pub overage: u64,
    /// The quota's alert that this use was the first to reach, in percent of the limit.
    pub crossed: Option<u8>,
}

impl From<Answer> for Decision {
    fn from(answer: Answer) -> Self {
        Self {
            granted: answer.granted(),
            reason: answer.reason().map(str::to_owned),
            remaining: answer.remaining(),
            resets_at: answer.resets_at().map(Timestamp::ms),
            overage: answer.overage(),
            crossed: answer.crossed(),
        }
    }
}

/// Units taken from a quota and not yet counted; they go back when it is dropped.
#[derive(uniffi::Object)]
pub struct Reservation {
    /// Empty once committed or released.
    held: Mutex<Option<Held>>,
}

impl Reservation {
    fn let_go(&self) -> Option<Held> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[uniffi::export]
impl Reservation {
    /// Counts the units that were used and gives the rest back.
    pub fn commit(&self, used: u64) -> Result<(), MintreuError> {
        let over = || Error::new("reservation_over", "it was committed or released before");
        Ok(self.let_go().ok_or_else(over)?.commit(used)?)
    }

    /// Gives everything back; harmless when it was committed or released before.
    pub fn release(&self) -> Result<(), MintreuError> {
        Ok(self.let_go().map_or(Ok(()), Held::release)?)
    }
}

/// What one count came to on this device.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Usage {
    /// The meter's name.
    pub meter: String,
    /// Whose use; empty for the device itself.
    pub subject: String,
    /// How it is split.
    pub dimensions: HashMap<String, String>,
    /// Units counted on this device since it began.
    pub counted: u64,
    /// Of these, units in sealed segments.
    pub sealed: u64,
    /// Of these, units the server has acknowledged.
    pub acknowledged: u64,
}

impl From<&CellUsage> for Usage {
    fn from(cell: &CellUsage) -> Self {
        Self {
            meter: cell.key.meter().to_owned(),
            subject: cell.key.subject_id().to_owned(),
            dimensions: cell.key.dimensions().iter().cloned().collect(),
            counted: cell.counted,
            sealed: cell.sealed,
            acknowledged: cell.acknowledged,
        }
    }
}
