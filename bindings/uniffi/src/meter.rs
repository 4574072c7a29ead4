//! Counting: handles, decisions and reservations.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mintreu::engine::{Durability as Survives, Meter as Inner, RESERVED_SECS, Reservation as Held};
use mintreu::journal::CellUsage;
use mintreu::meter::{CellKey, Decision as Answer};
use mintreu::{Error, Timestamp};

use crate::event::value;
use crate::value::MintreuError;

/// What a count survives, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Durability {
    /// The process may be killed at any time; a power cut loses at most the last second. Nearly
    /// free.
    Process,
    /// The power may be cut at any time. Each call or batch waits for the disk: a millisecond or so.
    Power,
}

impl From<Durability> for Survives {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Process => Self::Process,
            Durability::Power => Self::Power,
        }
    }
}

/// Units of one meter, for a batch.
#[derive(Clone, uniffi::Record)]
pub struct Count {
    /// The handle that counts them.
    pub meter: Arc<Meter>,
    /// How many.
    pub n: u64,
}

impl Count {
    pub(crate) fn read(&self) -> (&Inner, u64) {
        (&self.meter.inner, self.n)
    }
}

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
    /// Counts units, whatever any quota says. With durability `Power` it returns when they are on
    /// the disk, and an error says that a power cut could lose them; else there is no lock and no
    /// system call.
    pub fn record(&self, n: u64) -> Result<(), MintreuError> {
        Ok(self.inner.try_record(n)?)
    }

    /// Counts many at once, with one wait for the disk where the durability asks for it.
    pub fn record_batch(&self, counts: &[u64]) -> Result<(), MintreuError> {
        Ok(self.inner.record_batch(counts)?)
    }

    /// Keeps one event, once by its id: on the disk when this returns. The value is a decimal text;
    /// one when absent. It adds nothing to the count.
    #[uniffi::method(default(value = None))]
    pub fn event(&self, id: &str, value: Option<String>) -> Result<(), MintreuError> {
        let value = self::value(value.as_deref())?;
        Ok(self.inner.event(id, value)?)
    }

    /// Takes units from the license's quota and counts them, or does neither.
    pub fn consume(&self, n: u64) -> Result<Decision, MintreuError> {
        Ok(self.inner.consume(n)?.into())
    }

    /// Takes units whose use is known only afterwards; fails with the reason where refused. They go
    /// back after so many seconds (3600 when absent), also when this process was killed.
    #[uniffi::method(default(seconds = None))]
    pub fn reserve(&self, n: u64, seconds: Option<u32>) -> Result<Arc<Reservation>, MintreuError> {
        let seconds = seconds.unwrap_or(RESERVED_SECS);
        match self.inner.reserve_for(n, seconds)? {
            Ok(held) => Ok(Arc::new(Reservation {
                units: held.units(),
                expires_at: held.expires_at().ms(),
                held: Mutex::new(Some(held)),
            })),
            Err(refused) => Err(refusal(&refused).into()),
        }
    }

    /// What counts through this handle survive.
    pub fn durability(&self) -> Durability {
        match self.inner.durability() {
            Survives::Process => Durability::Process,
            Survives::Power => Durability::Power,
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
    units: u64,
    expires_at: i64,
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
    /// Units that are held.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// Until when they are held, in milliseconds since 1970: then they go back, whatever became of
    /// this process.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Counts the units that were used, all of them, and gives the rest back.
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
