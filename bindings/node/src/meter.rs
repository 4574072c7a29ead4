//! Counting: handles, decisions and reservations.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mintreu::engine::{Meter as Inner, RESERVED_SECS, Reservation as Held};
use mintreu::journal::CellUsage;
use mintreu::meter::{CellKey, Decision as Answer};
use napi::bindgen_prelude::BigInt;
use napi_derive::napi;

use crate::event::value;
use crate::price::Given;
use crate::value::{Thrown, ms, seconds, thrown, units};

/// Whose use is counted (an opaque id), how it is split, and what it survives.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct MeterOptions {
    pub subject: Option<String>,
    pub dimensions: Option<HashMap<String, String>>,
    pub durability: Option<String>,
}

impl MeterOptions {
    pub fn read(self) -> (Cell, Option<String>) {
        let cell = Cell {
            subject: self.subject,
            dimensions: self.dimensions,
        };
        (cell, self.durability)
    }
}

/// Whose use is counted and how it is split.
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
    /// Counts units, whatever any quota says. With durability `power` it returns when they are on
    /// the disk; else there is no lock and no system call.
    #[napi]
    pub fn record(&self, n: Option<f64>) -> Result<(), Thrown> {
        self.inner.try_record(units(n)?).map_err(thrown)
    }

    /// Counts many at once, with one wait for the disk where the durability asks for it.
    #[napi]
    pub fn record_batch(&self, counts: Vec<f64>) -> Result<(), Thrown> {
        let counts = counts.into_iter().map(|n| units(Some(n)));
        let counts = counts.collect::<Result<Vec<_>, Thrown>>()?;
        self.inner.record_batch(&counts).map_err(thrown)
    }

    /// Keeps one event, once by its id: on the disk when this returns. It adds nothing to the count.
    #[napi]
    pub fn event(&self, id: String, value: Option<Given>) -> Result<(), Thrown> {
        let value = self::value(value)?;
        self.inner.event(&id, value).map_err(thrown)
    }

    /// What counts through this handle survive: `process` or `power`.
    #[napi(getter)]
    pub fn durability(&self) -> &'static str {
        self.inner.durability().name()
    }

    /// Takes units from the license's quota and counts them, or does neither.
    #[napi]
    pub fn consume(&self, n: Option<f64>) -> Result<Decision, Thrown> {
        let decision = self.inner.consume(units(n)?).map_err(thrown)?;
        Ok(decision.into())
    }

    /// Takes units whose use is known only afterwards; throws with the reason where refused. They
    /// go back after so many seconds, also when this process was killed.
    #[napi]
    pub fn reserve(&self, n: f64, seconds: Option<f64>) -> Result<Reservation, Thrown> {
        Reservation::take(&self.inner, n, seconds)
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
    units: f64,
    expires_at: f64,
}

impl Reservation {
    pub fn take(meter: &Inner, n: f64, secs: Option<f64>) -> Result<Self, Thrown> {
        let secs = secs.map_or(Ok(RESERVED_SECS), seconds)?;
        let reserved = meter.reserve_for(units(Some(n))?, secs);
        match reserved.map_err(thrown)? {
            Ok(held) => Ok(Self {
                units: held.units() as f64,
                expires_at: ms(held.expires_at()),
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
    /// Units that are held.
    #[napi(getter)]
    pub fn units(&self) -> f64 {
        self.units
    }

    /// Until when they are held: then they go back, whatever became of this process.
    #[napi(getter)]
    pub fn expires_at(&self) -> f64 {
        self.expires_at
    }

    /// Counts the units that were used, all of them, and gives the rest back.
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
