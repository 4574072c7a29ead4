//! The engine and the answers it gives.

use std::path::PathBuf;
use std::time::SystemTime;

use mintreu::engine::{Options, Stacking};
use mintreu::keystore::{DeviceKey, HostBinding};
use mintreu::license::Trust;
use mintreu::sync::Request as EngineRequest;
use mintreu::{Engine as Inner, Error};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::host::Fingerprint;
use crate::license::{Grant, Verdict};
use crate::meter::{Decision, Dimensions, Meter, Reservation, Usage, key};
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
        host_id=None, add_up=false))]
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
    ) -> PyResult<Self> {
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
    /// `license`, `activation`, `code`, `lease`, `key_set`, `revocations` or `time`.
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

    /// A handle for counting, to be kept.
    #[pyo3(signature = (name, *, subject=None, dimensions=None))]
    fn meter(
        &self,
        py: Python<'_>,
        name: &str,
        subject: Option<&str>,
        dimensions: Option<Dimensions>,
    ) -> PyResult<Meter> {
        let meter = self.detached(py, |inner| inner.meter_for(key(name, subject, dimensions)?));
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

    /// Takes units whose use is known only afterwards; raises with the reason where refused.
    fn reserve(&self, py: Python<'_>, name: &str, n: u64) -> PyResult<Reservation> {
        let meter = self.detached(py, |inner| inner.meter(name))?;
        Reservation::take(&meter, n)
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        self.detached(py, Inner::flush)
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

/// What the host's own HTTP client is to send.
#[pyclass(frozen, module = "mintreu")]
pub struct Request(EngineRequest);

#[pymethods]
impl Request {
    #[getter]
    fn method(&self) -> &'static str {
        self.0.method
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn content_type(&self) -> &'static str {
        self.0.content_type
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }
}
