//! The engine and the answers it gives.

use mintreu::Engine as Inner;
use mintreu::engine::{Options, Stacking};
use mintreu::id::LicenseId;
use mintreu::keystore::{DeviceKey, HostBinding};
use mintreu::license::Trust;
use mintreu::sync::Request as EngineRequest;
use napi::bindgen_prelude::{Buffer, ClassInstance, Uint8Array};
use napi_derive::napi;

use crate::host::Fingerprint;
use crate::license::{Grant, Verdict, grant};
use crate::meter::{Cell, Decision, Meter, Reservation, Usage};
use crate::value::{Thrown, instant, ms, thrown, units};

/// How an engine is opened.
#[napi(object, object_to_js = false)]
pub struct OpenOptions<'a> {
    pub trust: String,
    pub version: Option<String>,
    pub released_at: Option<f64>,
    pub fingerprint: Option<ClassInstance<'a, Fingerprint>>,
    pub host_id: Option<String>,
    pub add_up: Option<bool>,
}

/// A product's licenses and meters on one device.
#[napi]
pub struct Engine {
    pub(crate) inner: Inner,
}

#[napi]
impl Engine {
    /// Opens the engine in a folder of its own, which is made when there is none.
    #[napi(factory)]
    pub fn open(path: String, options: OpenOptions<'_>) -> Result<Engine, Thrown> {
        let version = options.version.map(|text| text.parse().map_err(thrown));
        let released_at = options.released_at.map(|at| instant(Some(at)));
        let fingerprint = options.fingerprint.map(|known| known.inner.clone());
        let trust = Trust::parse(&options.trust).map_err(thrown)?;
        let options = Options {
            version: version.transpose()?,
            released_at: released_at.transpose()?,
            fingerprint: fingerprint.unwrap_or_default(),
            stacking: match options.add_up {
                Some(true) => Stacking::AddUp,
                _ => Stacking::Largest,
            },
            device_key: DeviceKey {
                host: options
                    .host_id
                    .map_or(HostBinding::Machine, HostBinding::Id),
                ..DeviceKey::default()
            },
            ..Options::default()
        };
        let inner = Inner::open_with(path, trust, options).map_err(thrown)?;
        Ok(Self { inner })
    }

    /// The device's public key, as text.
    #[napi(getter)]
    pub fn device(&self) -> String {
        self.inner.device().to_string()
    }

    /// How the device's key is protected: `file`, unless a keystore holds it.
    #[napi(getter)]
    pub fn device_key_protection(&self) -> &'static str {
        self.inner.device_key_protection().code()
    }

    /// What was found wrong when the folder was opened, as stable codes.
    #[napi(getter)]
    pub fn recovered(&self) -> Vec<String> {
        let codes = self.inner.recovered().iter().map(|damage| damage.code());
        codes.map(str::to_owned).collect()
    }

    /// Installs whatever a seller gives a customer, in any text form, and says what it was.
    #[napi]
    pub fn install(&self, text: String) -> Result<&'static str, Thrown> {
        let installed = self.inner.install(&text).map_err(thrown)?;
        Ok(installed.name())
    }

    /// Exchanges a key that the seller gave out before, elsewhere: the next request asks with it.
    #[napi]
    pub fn exchange(&self, key: String) -> Result<(), Thrown> {
        self.inner.exchange(&key).map_err(thrown)
    }

    /// What the installed licenses come to now.
    #[napi]
    pub fn verdict(&self) -> Result<Verdict, Thrown> {
        self.inner.verdict().map(Verdict::from).map_err(thrown)
    }

    /// What the license says of a feature; throws with the reason where it may not be used.
    #[napi]
    pub fn check(&self, feature: String) -> Result<Grant, Thrown> {
        let entitlement = self.inner.check(&feature).map_err(thrown)?;
        Ok(grant(&entitlement))
    }

    /// A handle for counting, to be kept.
    #[napi]
    pub fn meter(&self, name: String, cell: Option<Cell>) -> Result<Meter, Thrown> {
        let key = cell.unwrap_or_default().key(&name);
        let meter = key.and_then(|key| self.inner.meter_for(key));
        meter.map(|inner| Meter { inner }).map_err(thrown)
    }

    /// Counts units of a meter by its name.
    #[napi]
    pub fn record(&self, name: String, n: Option<f64>) -> Result<(), Thrown> {
        self.inner.record(&name, units(n)?).map_err(thrown)
    }

    /// Takes units from a meter's quota by its name and counts them, or does neither.
    #[napi]
    pub fn consume(&self, name: String, n: Option<f64>) -> Result<Decision, Thrown> {
        let decision = self.inner.consume(&name, units(n)?).map_err(thrown)?;
        Ok(decision.into())
    }

    /// Takes units whose use is known only afterwards; throws with the reason where refused.
    #[napi]
    pub fn reserve(&self, name: String, n: f64) -> Result<Reservation, Thrown> {
        let meter = self.inner.meter(&name).map_err(thrown)?;
        Reservation::take(&meter, units(Some(n))?)
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    #[napi]
    pub fn flush(&self) -> Result<(), Thrown> {
        self.inner.flush().map_err(thrown)
    }

    /// What every meter has counted, sealed and seen acknowledged.
    #[napi]
    pub fn usage(&self) -> Result<Vec<Usage>, Thrown> {
        let usage = self.inner.usage().map_err(thrown)?;
        Ok(usage.iter().map(Usage::from).collect())
    }

    /// The activation request as text, for a machine without internet: paste it, or carry it as a
    /// file or QR code; the answer goes into `install`. The same text until it is answered.
    #[napi]
    pub fn activation_request(&self) -> Result<String, Thrown> {
        self.inner.activation_request().map_err(thrown)
    }

    /// Gives this device's seat back; the text says so to whoever keeps the seats, where no sync
    /// does. The license is needed only where the device holds several seats.
    #[napi]
    pub fn deactivate(&self, license: Option<String>) -> Result<String, Thrown> {
        self.inner.deactivate(named(license)?).map_err(thrown)
    }

    /// Asks for a seat again, after `deactivate`.
    #[napi]
    pub fn activate(&self, license: String) -> Result<(), Thrown> {
        let license = license.parse().map_err(thrown)?;
        self.inner.activate(license).map_err(thrown)
    }

    /// Asks to keep a floating seat for so many seconds, to work without a network.
    #[napi]
    pub fn borrow(&self, seconds: f64, license: Option<String>) -> Result<(), Thrown> {
        // Longer than the engine's own limit is cut there.
        let seconds = u32::try_from(units(Some(seconds))?).unwrap_or(u32::MAX);
        self.inner.borrow(named(license)?, seconds).map_err(thrown)
    }

    /// Until when this device's seat of a license is kept; `null` without an end or a seat.
    #[napi]
    pub fn seat_ends_at(&self, license: String) -> Result<Option<f64>, Thrown> {
        let license = license.parse().map_err(thrown)?;
        Ok(self.inner.seat_ends_at(license).map(ms))
    }

    /// A question for the time as text, for a machine without internet whose clock is in doubt;
    /// the answer goes into `install`.
    #[napi]
    pub fn time_request(&self) -> Result<String, Thrown> {
        self.inner.time_request().map_err(thrown)
    }

    /// The kept segments and receipts, for `mintreu usage verify`.
    #[napi]
    pub fn export_usage(&self) -> Result<Buffer, Thrown> {
        self.inner.export_usage().map(Buffer::from).map_err(thrown)
    }

    /// What to send to the server next, or `null` when this sync is done.
    #[napi]
    pub fn next_request(&self) -> Result<Option<Request>, Thrown> {
        let request = self.inner.next_request().map_err(thrown)?;
        Ok(request.map(Request::from))
    }

    /// Takes the server's answer. Repeated, late and reordered answers are harmless.
    #[napi]
    pub fn on_response(&self, status: u16, body: Uint8Array) -> Result<(), Thrown> {
        self.inner.on_response(status, &body).map_err(thrown)
    }
}

fn named(license: Option<String>) -> Result<Option<LicenseId>, Thrown> {
    license.map(|id| id.parse().map_err(thrown)).transpose()
}

/// What the host's own HTTP client is to send.
#[napi(object)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub body: Buffer,
}

impl From<EngineRequest> for Request {
    fn from(request: EngineRequest) -> Self {
        Self {
            method: request.method.to_owned(),
            path: request.path,
            content_type: request.content_type.to_owned(),
            body: request.body.into(),
        }
    }
}
