//! Counting: handles, decisions and reservations.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mintreu::engine::{Meter as Inner, Reservation as Held};
use mintreu::journal::CellUsage;
use mintreu::meter::{CellKey, Decision as Answer};
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

use crate::value::{Thrown, ms, thrown, units};

/// Whose use is counted (an opaque id) and how it is split.
#[napi(object)]
#[derive(Default)]
pub struct Cell {
    pub subject: Option<String>,
    pub dimensions: Option<HashMap<String, String>>,
}

impl Cell {
    /// What a handle counts: a meter, for one subject and one value of each dimension.
    pub fn key(self, name: &str) -> mintreu::Result<CellKey> {
        let mut key = CellKey::new(name)?;
        if let Some(subject) = self.subject {
            key = key.subject(subject)?;
        }
        for (name, value) in self.dimensions.unwrap_or_default() {
            key = key.dimension(name, value)?;
        }
        Ok(key)
    }
}

/// One count of one meter.
#[napi]
pub struct Meter {
    pub(crate) inner: Inner,
}

#[napi]
impl Meter {
    /// Counts units, whatever any quota says. No lock, no system call.
    #[napi]
    pub fn record(&self, n: Option<f64>) -> Result<(), Thrown> {
        self.inner.record(units(n)?);
        Ok(())
    }

    /// Takes units from the license's quota and counts them, or does neither.
    #[napi]
    pub fn consume(&self, n: Option<f64>) -> Result<Decision, Thrown> {
        let decision = self.inner.consume(units(n)?).map_err(thrown)?;
        Ok(decision.into())
    }

    /// Takes units whose use is known only afterwards; throws with the reason where refused.
    #[napi]
    pub fn reserve(&self, n: f64) -> Result<Reservation, Thrown> {
        Reservation::take(&self.inner, units(Some(n))?)
    }

    /// Units this handle's cell has counted since the device's first day.
    #[napi(getter)]
    pub fn counted(&self) -> BigInt {
        self.inner.counted().into()
    }
}

/// The answer to "may I use so many units?".
#[napi(object, use_nullable = true)]
pub struct Decision {
    pub granted: bool,
    pub reason: Option<String>,
    pub remaining: Option<f64>,
    pub resets_at: Option<f64>,
    pub overage: f64,
    pub crossed: Option<u32>,
}

impl From<Answer> for Decision {
    fn from(answer: Answer) -> Self {
        Self {
            granted: answer.granted(),
            reason: answer.reason().map(str::to_owned),
            remaining: answer.remaining().map(|units| units as f64),
            resets_at: answer.resets_at().map(ms),
            overage: answer.overage() as f64,
            crossed: answer.crossed().map(u32::from),
        }
    }
}

/// Units taken from a quota and not yet counted.
#[napi]
pub struct Reservation {
    /// Empty once committed or released.
    held: Mutex<Option<Held>>,
}

impl Reservation {
    pub fn take(meter: &Inner, n: u64) -> Result<Self, Thrown> {
        match meter.reserve(n).map_err(thrown)? {
            Ok(held) => Ok(Self {
                held: Mutex::new(Some(held)),
            }),
            Err(Answer::Refused { reason, .. }) => Err(Thrown::new(
                reason.code(),
                "the units could not be reserved",
            )),
            Err(Answer::Granted { .. }) => Err(Thrown::new("internal", "granted, yet not held")),
        }
    }

    fn let_go(&self) -> Option<Held> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[napi]
impl Reservation {
    /// Counts the units that were used and gives the rest back.
    #[napi]
    pub fn commit(&self, used: f64) -> Result<(), Thrown> {
        let used = units(Some(used))?;
        let over = || Thrown::new("reservation_over", "it was committed or released before");
        self.let_go().ok_or_else(over)?.commit(used).map_err(thrown)
    }

    /// Gives everything back; harmless when it was committed or released before.
    #[napi]
    pub fn release(&self) -> Result<(), Thrown> {
        self.let_go().map_or(Ok(()), Held::release).map_err(thrown)
    }
}

/// What one count came to on this device.
#[napi(object)]
pub struct Usage {
    pub meter: String,
    pub subject: String,
    pub dimensions: HashMap<String, String>,
    pub counted: BigInt,
    pub sealed: BigInt,
    pub acknowledged: BigInt,
}

impl From<&CellUsage> for Usage {
    fn from(cell: &CellUsage) -> Self {
        Self {
            meter: cell.key.meter().to_owned(),
            subject: cell.key.subject_id().to_owned(),
            dimensions: cell.key.dimensions().iter().cloned().collect(),
            counted: cell.counted.into(),
            sealed: cell.sealed.into(),
            acknowledged: cell.acknowledged.into(),
        }
    }
}
