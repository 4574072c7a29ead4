//! Counting: handles, decisions and reservations.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use mintreu::engine::{Durability, Meter as Inner, RESERVED_SECS, Reservation as Held};
use mintreu::journal::CellUsage;
use mintreu::meter::{CellKey, Decision as Answer};
use mintreu::{Error, Result};
use pyo3::prelude::*;

use crate::event::value;
use crate::price::Exact;
use crate::value::{datetime, raised};

/// Dimension names and values.
pub type Dimensions = BTreeMap<String, String>;

/// What a handle counts: a meter, for one subject and one value of each dimension.
pub fn key(name: &str, subject: Option<&str>, dimensions: Option<Dimensions>) -> Result<CellKey> {
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
#[pyclass(frozen, module = "mintreu")]
pub struct Meter(pub Inner);

impl Meter {
    /// Runs what waits for the disk without the interpreter's lock; what never waits keeps it.
    fn settling<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Inner) -> Result<T> + Send,
    ) -> PyResult<T> {
        let done = match self.0.durability() {
            Durability::Process => work(&self.0),
            Durability::Power => py.detach(|| work(&self.0)),
        };
        done.map_err(raised)
    }
}

#[pymethods]
impl Meter {
    /// Counts units, whatever any quota says. With durability `power` it returns when they are on
    /// the disk; else there is no lock and no system call.
    #[pyo3(signature = (n=1))]
    fn record(&self, py: Python<'_>, n: u64) -> PyResult<()> {
        self.settling(py, |meter| meter.try_record(n))
    }

    /// Counts many at once, with one wait for the disk where the durability asks for it.
    fn record_batch(&self, py: Python<'_>, units: Vec<u64>) -> PyResult<()> {
        self.settling(py, |meter| meter.record_batch(&units))
    }

    /// Keeps one event, once by its id: on the disk when this returns. It adds nothing to the count.
    #[pyo3(signature = (id, value=None))]
    fn event(&self, py: Python<'_>, id: &str, value: Option<Exact>) -> PyResult<()> {
        let value = self::value(value).map_err(raised)?;
        py.detach(|| self.0.event(id, value)).map_err(raised)
    }

    /// Takes units from the license's quota and counts them, or does neither.
    #[pyo3(signature = (n=1))]
    fn consume(&self, py: Python<'_>, n: u64) -> PyResult<Decision> {
        let decision = self.settling(py, |meter| meter.consume(n))?;
        Ok(decision.into())
    }

    /// Takes units whose use is known only afterwards; raises with the reason where refused. They
    /// go back after so many seconds, also when this process was killed.
    #[pyo3(signature = (n, *, seconds=None))]
    fn reserve(&self, py: Python<'_>, n: u64, seconds: Option<u32>) -> PyResult<Reservation> {
        Reservation::take(py, &self.0, n, seconds)
    }

    /// What counts through this handle survive: `process` or `power`.
    #[getter]
    fn durability(&self) -> &'static str {
        self.0.durability().name()
    }

    /// Units this handle's cell has counted since the device's first day.
    #[getter]
    fn counted(&self) -> u64 {
        self.0.counted()
    }

    fn __repr__(&self) -> String {
        format!("<Meter {}: {}>", self.0.key().meter(), self.0.counted())
    }
}

/// The answer to "may I use so many units?": true when granted.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Decision {
    granted: bool,
    reason: Option<String>,
    remaining: Option<u64>,
    resets_at: Option<SystemTime>,
    overage: u64,
    crossed: Option<u8>,
}

impl From<Answer> for Decision {
    fn from(answer: Answer) -> Self {
        Self {
            granted: answer.granted(),
            reason: answer.reason().map(str::to_owned),
            remaining: answer.remaining(),
            resets_at: answer.resets_at().map(datetime),
            overage: answer.overage(),
            crossed: answer.crossed(),
        }
    }
}

#[pymethods]
impl Decision {
    fn __bool__(&self) -> bool {
        self.granted
    }

    fn __repr__(&self) -> String {
        match (&self.reason, self.remaining) {
            (Some(reason), _) => format!("<Decision refused: {reason}>"),
            (None, Some(left)) => format!("<Decision granted, {left} left>"),
            (None, None) => "<Decision granted>".to_owned(),
        }
    }
}

/// Units taken from a quota and not yet counted; leaving its `with` block gives them back.
#[pyclass(frozen, module = "mintreu")]
pub struct Reservation {
    /// Empty once committed or released.
    held: Mutex<Option<Held>>,
    #[pyo3(get)]
    units: u64,
    #[pyo3(get)]
    expires_at: SystemTime,
}

impl Reservation {
    pub fn take(py: Python<'_>, meter: &Inner, n: u64, secs: Option<u32>) -> PyResult<Self> {
        let secs = secs.unwrap_or(RESERVED_SECS);
        let reserved = py.detach(|| meter.reserve_for(n, secs));
        match reserved.map_err(raised)? {
            Ok(held) => Ok(Self {
                units: held.units(),
                expires_at: datetime(held.expires_at()),
                held: Mutex::new(Some(held)),
            }),
            Err(refused) => Err(raised(refusal(&refused))),
        }
    }

    fn let_go(&self) -> Option<Held> {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

fn refusal(answer: &Answer) -> Error {
    match answer {
        Answer::Refused { reason, .. } => {
            Error::new(reason.code(), "the units could not be reserved")
        }
        Answer::Granted { .. } => Error::new("internal", "a granted reservation was refused"),
    }
}

#[pymethods]
impl Reservation {
    /// Counts the units that were used, all of them, and gives the rest back.
    fn commit(&self, py: Python<'_>, used: u64) -> PyResult<()> {
        let spent = || Error::new("reservation_over", "it was committed or released before");
        let held = self.let_go().ok_or_else(|| raised(spent()))?;
        py.detach(|| held.commit(used)).map_err(raised)
    }

    /// Gives everything back; harmless when it was committed or released before.
    fn release(&self) -> PyResult<()> {
        self.let_go().map_or(Ok(()), Held::release).map_err(raised)
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, _raised: &Bound<'_, pyo3::types::PyTuple>) -> PyResult<()> {
        self.release()
    }
}

/// What one count came to on this device.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Usage {
    meter: String,
    subject: String,
    dimensions: BTreeMap<String, String>,
    counted: u64,
    sealed: u64,
    acknowledged: u64,
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
