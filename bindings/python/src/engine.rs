//! The engine and the answers it gives.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mintreu::engine::{Options, Pace as Paced, Stacking};
use mintreu::keystore::{DeviceKey, HostBinding};
use mintreu::license::Trust;
use mintreu::{Durability, Engine as Inner, Error};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::event::Event;
use crate::host::Fingerprint;
use crate::license::{Grant, Verdict};
use crate::meter::{Decision, Dimensions, Meter, Reservation, Usage, key};
use crate::quota::{Alert, QuotaStatus};
use crate::sync::Request;
use crate::value::{Moment, datetime, raised};

/// A product's licenses and meters on one device. Safe to share between threads.
///
/// Any number of processes may have one folder open: they count together. A forked worker may count
/// through what it inherited; it is best to open the engine in each worker.
#[pyclass(frozen, subclass, module = "mintreu")]
pub struct Engine {
    pub(crate) inner: Inner,
}

impl Engine {
    /// Runs what touches the disk without the interpreter's lock.
    fn detached<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        py.detach(|| work(&self.inner)).map_err(raised)
    }
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (path, *, trust, version=None, released_at=None, fingerprint=None,
        host_id=None, add_up=false, pace=None))]
    #[expect(clippy::too_many_arguments, reason = "Python passes them by keyword")]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        trust: &str,
        version: Option<&str>,
        released_at: Option<Moment>,
        fingerprint: Option<&Bound<'_, Fingerprint>>,
        host_id: Option<String>,
        add_up: bool,
        pace: Option<&Bound<'_, Pace>>,
    ) -> PyResult<Self> {
        let pace = pace.map(|pace| pace.get().0).unwrap_or_default();
        let fingerprint = fingerprint.map(|known| known.get().inner.clone());
        let opened = py.detach(|| {
            let options = Options {
                version: version.map(str::parse).transpose()?,
                released_at: released_at.map(|at| at.0),
                fingerprint: fingerprint.unwrap_or_default(),
                stacking: match add_up {
                    true => Stacking::AddUp,
                    false => Stacking::Largest,
                },
                device_key: DeviceKey {
                    host: host_id.map_or(HostBinding::Machine, HostBinding::Id),
                    ..DeviceKey::default()
                },
                pace,
                ..Options::default()
            };
            Inner::open_with(path, Trust::parse(trust)?, options)
        });
        opened.map(|inner| Self { inner }).map_err(raised)
    }

    /// The device's public key, as text.
    #[getter]
    fn device(&self) -> String {
        self.inner.device().to_string()
    }

    /// How the device's key is protected: `file`, unless a keystore holds it.
    #[getter]
    fn device_key_protection(&self) -> &'static str {
        self.inner.device_key_protection().code()
    }

    /// What was found wrong when the folder was opened, and what was done about it.
    #[getter]
    fn recovered(&self) -> Vec<&'static str> {
        self.inner
            .recovered()
            .iter()
            .map(|damage| damage.code())
            .collect()
    }

    /// Installs whatever a seller gives a customer, in any text form, and says what it was:
    /// `license`, `activation`, `code`, `lease`, `units`, `key_set`, `revocations` or `time`.
    fn install(&self, py: Python<'_>, text: &str) -> PyResult<&'static str> {
        let installed = self.detached(py, |inner| inner.install(text))?;
        Ok(installed.name())
    }

    /// Exchanges a key that the seller gave out before, elsewhere: the next request asks with it.
    fn exchange(&self, py: Python<'_>, key: &str) -> PyResult<()> {
        self.detached(py, |inner| inner.exchange(key))
    }

    /// What the installed licenses come to now.
    fn verdict(&self) -> PyResult<Verdict> {
        self.inner.verdict().map(Verdict::from).map_err(raised)
    }

    /// What the license says of a feature; raises with the reason where it may not be used.
    fn check(&self, feature: &str) -> PyResult<Grant> {
        let entitlement = self.inner.check(feature).map_err(raised)?;
        Ok(Grant::from(&entitlement))
    }

    /// A handle for counting, to be kept; with durability `power` each call through it waits for
    /// the disk.
    #[pyo3(signature = (name, *, subject=None, dimensions=None, durability="process"))]
    fn meter(
        &self,
        py: Python<'_>,
        name: &str,
        subject: Option<&str>,
        dimensions: Option<Dimensions>,
        durability: &str,
    ) -> PyResult<Meter> {
        let meter = self.detached(py, |inner| {
            let durability = Durability::parse(durability)?;
            let meter = inner.meter_for(key(name, subject, dimensions)?)?;
            Ok(meter.with(durability))
        });
        meter.map(Meter)
    }

    /// Counts units of a meter by its name.
    #[pyo3(signature = (name, n=1))]
    fn record(&self, name: &str, n: u64) -> PyResult<()> {
        self.inner.record(name, n).map_err(raised)
    }

    /// Takes units from a meter's quota by its name and counts them, or does neither.
    #[pyo3(signature = (name, n=1))]
    fn consume(&self, name: &str, n: u64) -> PyResult<Decision> {
        self.inner
            .consume(name, n)
            .map(Decision::from)
            .map_err(raised)
    }

    /// Takes units whose use is known only afterwards; raises with the reason where refused. They
    /// go back after so many seconds, also when this process was killed.
    #[pyo3(signature = (name, n, *, seconds=None))]
    fn reserve(
        &self,
        py: Python<'_>,
        name: &str,
        n: u64,
        seconds: Option<u32>,
    ) -> PyResult<Reservation> {
        let meter = self.detached(py, |inner| inner.meter(name))?;
        Reservation::take(py, &meter, n, seconds)
    }

    /// Counts in many meters at once, with one wait for the disk where a durability asks for it.
    fn record_batch(&self, py: Python<'_>, units: Vec<(Bound<'_, Meter>, u64)>) -> PyResult<()> {
        let units: Vec<_> = units
            .iter()
            .map(|(meter, n)| (&meter.get().0, *n))
            .collect();
        self.detached(py, |inner| inner.record_batch(&units))
    }

    /// Keeps events, each once by its id: on the disk when this returns.
    fn record_events(&self, py: Python<'_>, events: Vec<Event>) -> PyResult<()> {
        self.detached(py, |inner| {
            let now = inner.instant();
            let events = events.into_iter().map(|event| event.happened(now));
            inner.record_events(&events.collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// How every quota of the licenses stands, in the order of the meters' names.
    fn quotas(&self, py: Python<'_>) -> PyResult<Vec<QuotaStatus>> {
        let quotas = self.detached(py, Inner::quotas)?;
        Ok(quotas.into_iter().map(QuotaStatus::from).collect())
    }

    /// How one meter's quota stands; `None` when the licenses set none.
    fn quota(&self, py: Python<'_>, meter: &str) -> PyResult<Option<QuotaStatus>> {
        let quota = self.detached(py, |inner| inner.quota(meter))?;
        Ok(quota.map(QuotaStatus::from))
    }

    /// The alerts that use has reached, each once in its window: here or in `Decision.crossed`.
    fn alerts(&self, py: Python<'_>) -> PyResult<Vec<Alert>> {
        let alerts = self.detached(py, Inner::alerts)?;
        Ok(alerts.into_iter().map(Alert::from).collect())
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, Inner::flush)
    }

    /// Seals what was counted when the last segment is older than `Pace.seal`; whether it was. It
    /// happens by itself, unless `Pace.flush` is zero.
    fn seal_when_due(&self, py: Python<'_>) -> PyResult<bool> {
        self.detached(py, Inner::seal_when_due)
    }

    /// What every meter has counted, sealed and seen acknowledged.
    fn usage(&self, py: Python<'_>) -> PyResult<Vec<Usage>> {
        let usage = self.detached(py, Inner::usage)?;
        Ok(usage.iter().map(Usage::from).collect())
    }

    /// The activation request as text, for a machine without internet: paste it, or carry it as a
    /// file or QR code; the answer goes into `install`. The same text until it is answered.
    fn activation_request(&self, py: Python<'_>) -> PyResult<String> {
        self.detached(py, Inner::activation_request)
    }

    /// Gives this device's seat back; the text says so to whoever keeps the seats, where no sync
    /// does. The license is needed only where the device holds several seats.
    #[pyo3(signature = (license=None))]
    fn deactivate(&self, py: Python<'_>, license: Option<&str>) -> PyResult<String> {
        self.detached(py, |inner| {
            inner.deactivate(license.map(str::parse).transpose()?)
        })
    }

    /// Asks for a seat again, after `deactivate`.
    fn activate(&self, py: Python<'_>, license: &str) -> PyResult<()> {
        self.detached(py, |inner| inner.activate(license.parse()?))
    }

    /// Asks to keep a floating seat for so many seconds, to work without a network.
    #[pyo3(signature = (seconds, license=None))]
    fn borrow(&self, py: Python<'_>, seconds: u32, license: Option<&str>) -> PyResult<()> {
        self.detached(py, |inner| {
            inner.borrow(license.map(str::parse).transpose()?, seconds)
        })
    }

    /// Until when this device's seat of a license is kept; `None` without an end or a seat.
    fn seat_ends_at(&self, license: &str) -> PyResult<Option<SystemTime>> {
        let license = license.parse().map_err(raised)?;
        Ok(self.inner.seat_ends_at(license).map(datetime))
    }

    /// A question for the time as text, for a machine without internet whose clock is in doubt;
    /// the answer goes into `install`.
    fn time_request(&self, py: Python<'_>) -> PyResult<String> {
        self.detached(py, Inner::time_request)
    }

    /// The kept segments and receipts, for `mintreu usage verify`.
    fn export_usage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let export = self.detached(py, Inner::export_usage)?;
        Ok(PyBytes::new(py, &export))
    }

    /// The signed checkpoints that stand for acknowledged segments which are not kept any more.
    fn checkpoints<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let checkpoints = self.detached(py, Inner::checkpoints)?;
        let checkpoints = checkpoints.iter().map(|bytes| PyBytes::new(py, bytes));
        Ok(checkpoints.collect())
    }

    /// What to send to the server next, or `None` when this sync is done.
    fn next_request(&self, py: Python<'_>) -> PyResult<Option<Request>> {
        let request = self.detached(py, Inner::next_request)?;
        Ok(request.map(Request))
    }

    /// Takes the server's answer. Repeated, late and reordered answers are harmless.
    fn on_response(&self, py: Python<'_>, status: u16, body: &[u8]) -> PyResult<()> {
        self.detached(py, |inner| inner.on_response(status, body))
    }
}

/// How often what happens by itself happens, in seconds.
#[pyclass(frozen, module = "mintreu")]
pub struct Pace(Paced);

#[pymethods]
impl Pace {
    #[new]
    #[pyo3(signature = (*, flush=None, seal=None, heartbeat=None))]
    fn new(flush: Option<f64>, seal: Option<f64>, heartbeat: Option<f64>) -> PyResult<Self> {
        let normal = Paced::default();
        Ok(Self(Paced {
            flush: seconds(flush, normal.flush)?,
            seal: seconds(seal, normal.seal)?,
            heartbeat: seconds(heartbeat, normal.heartbeat)?,
        }))
    }

    fn __repr__(&self) -> String {
        let Paced {
            flush,
            seal,
            heartbeat,
        } = self.0;
        format!("Pace(flush={flush:?}, seal={seal:?}, heartbeat={heartbeat:?})")
    }
}

fn seconds(given: Option<f64>, normal: Duration) -> PyResult<Duration> {
    let read = given.map_or(Ok(normal), Duration::try_from_secs_f64);
    read.map_err(|_| PyValueError::new_err("a pace is a number of seconds from 0"))
}
