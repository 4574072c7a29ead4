//! The engine and the answers it gives.

use std::time::Duration;

use mintreu::engine::{Options, Pace as Paced, Stacking};
use mintreu::id::LicenseId;
use mintreu::keystore::{DeviceKey, HostBinding};
use mintreu::license::Trust;
use mintreu::{Durability, Engine as Inner};
use napi::bindgen_prelude::{Buffer, ClassInstance, Uint8Array};
use napi_derive::napi;

use crate::event::Event;
use crate::host::Fingerprint;
use crate::license::{Grant, Verdict, grant};
use crate::meter::{Decision, Meter, MeterOptions, Reservation, Usage};
use crate::quota::{Alert, QuotaStatus};
use crate::sync::Request;
use crate::value::{Thrown, instant, ms, seconds, thrown, units};

/// How an engine is opened.
#[napi(object, object_to_js = false)]
pub struct OpenOptions<'a> {
    pub trust: String,
    pub version: Option<String>,
    pub released_at: Option<f64>,
    pub fingerprint: Option<ClassInstance<'a, Fingerprint>>,
    pub host_id: Option<String>,
    pub add_up: Option<bool>,
    pub pace: Option<Pace>,
}

/// How often what happens by itself happens, in milliseconds.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct Pace {
    pub flush_ms: Option<f64>,
    pub seal_ms: Option<f64>,
    pub heartbeat_ms: Option<f64>,
}

impl Pace {
    fn read(self) -> Result<Paced, Thrown> {
        let normal = Paced::default();
        let read = |given: Option<f64>, normal| match given {
            Some(ms) => units(Some(ms)).map(Duration::from_millis),
            None => Ok(normal),
        };
        Ok(Paced {
            flush: read(self.flush_ms, normal.flush)?,
            seal: read(self.seal_ms, normal.seal)?,
            heartbeat: read(self.heartbeat_ms, normal.heartbeat)?,
        })
    }
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
            pace: options.pace.unwrap_or_default().read()?,
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

    /// A handle for counting, to be kept; with durability `power` each call through it waits for
    /// the disk.
    #[napi]
    pub fn meter(&self, name: String, options: Option<MeterOptions>) -> Result<Meter, Thrown> {
        let (cell, durability) = options.unwrap_or_default().read();
        let durability = durability.map_or(Ok(Durability::default()), |d| Durability::parse(&d));
        let durability = durability.map_err(thrown)?;
        let key = cell.key(&name);
        let meter = key.and_then(|key| self.inner.meter_for(key));
        let inner = meter.map_err(thrown)?.with(durability);
        Ok(Meter { inner })
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

    /// Takes units whose use is known only afterwards; throws with the reason where refused. They
    /// go back after so many seconds, also when this process was killed.
    #[napi]
    pub fn reserve(
        &self,
        name: String,
        n: f64,
        seconds: Option<f64>,
    ) -> Result<Reservation, Thrown> {
        let meter = self.inner.meter(&name).map_err(thrown)?;
        Reservation::take(&meter, n, seconds)
    }

    /// Counts in many meters at once, with one wait for the disk where a durability asks for it.
    #[napi]
    pub fn record_batch(&self, units: Vec<(ClassInstance<'_, Meter>, f64)>) -> Result<(), Thrown> {
        let read = |(meter, n): &(ClassInstance<'_, Meter>, f64)| {
            let n = crate::value::units(Some(*n))?;
            Ok((meter.inner.clone(), n))
        };
        let units = units.iter().map(read).collect::<Result<Vec<_>, Thrown>>()?;
        let units: Vec<_> = units.iter().map(|(meter, n)| (meter, *n)).collect();
        self.inner.record_batch(&units).map_err(thrown)
    }

    /// Keeps events, each once by its id: on the disk when this returns.
    #[napi]
    pub fn record_events(&self, events: Vec<Event>) -> Result<(), Thrown> {
        let now = self.inner.instant();
        let events = events.into_iter().map(|event| event.happened(now));
        let events = events.collect::<Result<Vec<_>, Thrown>>()?;
        self.inner.record_events(&events).map_err(thrown)
    }

    /// How every quota of the licenses stands, in the order of the meters' names.
    #[napi]
    pub fn quotas(&self) -> Result<Vec<QuotaStatus>, Thrown> {
        let quotas = self.inner.quotas().map_err(thrown)?;
        Ok(quotas.into_iter().map(QuotaStatus::from).collect())
    }

    /// How one meter's quota stands; `null` when the licenses set none.
    #[napi]
    pub fn quota(&self, meter: String) -> Result<Option<QuotaStatus>, Thrown> {
        let quota = self.inner.quota(&meter).map_err(thrown)?;
        Ok(quota.map(QuotaStatus::from))
    }

    /// The alerts that use has reached, each once in its window: here or in `crossed`.
    #[napi]
    pub fn alerts(&self) -> Result<Vec<Alert>, Thrown> {
        let alerts = self.inner.alerts().map_err(thrown)?;
        Ok(alerts.into_iter().map(Alert::from).collect())
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    #[napi]
    pub fn flush(&self) -> Result<(), Thrown> {
        self.inner.flush().map_err(thrown)
    }

    /// Seals what was counted when `sealMs` has passed; whether it was.
    #[napi]
    pub fn seal_when_due(&self) -> Result<bool, Thrown> {
        self.inner.seal_when_due().map_err(thrown)
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
        let seconds = self::seconds(seconds)?;
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

    /// The signed checkpoints that stand for acknowledged segments which are not kept any more.
    #[napi]
    pub fn checkpoints(&self) -> Result<Vec<Buffer>, Thrown> {
        let checkpoints = self.inner.checkpoints().map_err(thrown)?;
        Ok(checkpoints.into_iter().map(Buffer::from).collect())
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
