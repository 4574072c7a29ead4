//! The engine and the answers it gives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mintreu::engine::{Options, Pace as Paced};
use mintreu::id::LicenseId;
use mintreu::keystore::{DeviceKey, HostBinding};
use mintreu::license::Trust;
use mintreu::{Engine as Inner, Timestamp};

use crate::event::Event;
use crate::host::Fingerprint;
use crate::license::{Grant, Verdict};
use crate::meter::{Count, Decision, Durability, Meter, Usage, key};
use crate::quota::{Alert, QuotaStatus};
use crate::sync::Request;
use crate::value::MintreuError;

/// A product's licenses and meters on one device. Safe to share between threads.
#[derive(uniffi::Object)]
pub struct Engine {
    inner: Inner,
}

/// How an engine is opened.
#[derive(Debug, Clone, uniffi::Record)]
pub struct OpenOptions {
    /// A constant of the program, never read from a file that a user can write.
    pub trust: String,
    /// The product's version, for licenses that are limited to some.
    #[uniffi(default = None)]
    pub version: Option<String>,
    /// When that version was released, in milliseconds since 1970.
    #[uniffi(default = None)]
    pub released_at: Option<i64>,
    /// From `host_fingerprint`, for licenses that are bound to a host.
    #[uniffi(default = None)]
    pub fingerprint: Option<Arc<Fingerprint>>,
    /// Binds the device's key to an id of the caller's instead of the machine's; an empty one to
    /// nothing.
    #[uniffi(default = None)]
    pub host_id: Option<String>,
    /// How often what happens by itself happens.
    #[uniffi(default = None)]
    pub pace: Option<Pace>,
}

/// How often what happens by itself happens, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, uniffi::Record)]
pub struct Pace {
    /// Counts reach the disk this often: 1000. With 0 the host calls `flush` and `seal_when_due`.
    #[uniffi(default = None)]
    pub flush_ms: Option<u64>,
    /// What was counted is sealed at least this often, sent or not: an hour.
    #[uniffi(default = None)]
    pub seal_ms: Option<u64>,
    /// A sync says this often that there is nothing to say: a day.
    #[uniffi(default = None)]
    pub heartbeat_ms: Option<u64>,
}

impl From<Pace> for Paced {
    fn from(pace: Pace) -> Self {
        let normal = Self::default();
        let read = |ms: Option<u64>, normal| ms.map_or(normal, Duration::from_millis);
        Self {
            flush: read(pace.flush_ms, normal.flush),
            seal: read(pace.seal_ms, normal.seal),
            heartbeat: read(pace.heartbeat_ms, normal.heartbeat),
        }
    }
}

#[uniffi::export]
impl Engine {
    /// Opens the engine in a folder of its own, which is made when there is none.
    #[uniffi::constructor]
    pub fn open(path: &str, options: OpenOptions) -> Result<Arc<Self>, MintreuError> {
        let trust = Trust::parse(&options.trust)?;
        let options = Options {
            version: options.version.as_deref().map(str::parse).transpose()?,
            released_at: options.released_at.map(Timestamp::from_ms),
            fingerprint: options
                .fingerprint
                .map(|known| known.inner.clone())
                .unwrap_or_default(),
            device_key: DeviceKey {
                host: options
                    .host_id
                    .map_or(HostBinding::Machine, HostBinding::Id),
                ..DeviceKey::default()
            },
            pace: options.pace.unwrap_or_default().into(),
            ..Options::default()
        };
        let inner = Inner::open_with(path, trust, options)?;
        Ok(Arc::new(Self { inner }))
    }

    /// The device's public key, as text.
    pub fn device(&self) -> String {
        self.inner.device().to_string()
    }

    /// How the device's key is protected: `file`, unless a keystore holds it.
    pub fn device_key_protection(&self) -> String {
        self.inner.device_key_protection().code().to_owned()
    }

    /// What was found wrong when the folder was opened, as stable codes.
    pub fn recovered(&self) -> Vec<String> {
        let codes = self.inner.recovered().iter().map(|damage| damage.code());
        codes.map(str::to_owned).collect()
    }

    /// Installs whatever a seller gives a customer, in any text form, and says what it was:
    /// `license`, `activation`, `code`, `lease`, `units`, `key_set`, `revocations` or `time`.
    pub fn install(&self, text: &str) -> Result<String, MintreuError> {
        Ok(self.inner.install(text)?.name().to_owned())
    }

    /// Exchanges a key that the seller gave out before, elsewhere: the next request asks with it.
    pub fn exchange(&self, key: &str) -> Result<(), MintreuError> {
        self.inner.exchange(key)?;
        Ok(())
    }

    /// What the installed licenses come to now.
    pub fn verdict(&self) -> Result<Verdict, MintreuError> {
        Ok(self.inner.verdict()?.into())
    }

    /// What the license says of a feature; fails with the reason where it may not be used.
    pub fn check(&self, feature: &str) -> Result<Grant, MintreuError> {
        Ok(Grant::from(&self.inner.check(feature)?))
    }

    /// A handle for counting, to be kept; for one subject (an opaque id) and split by dimensions.
    /// With durability `Power` each call through it waits for the disk.
    #[uniffi::method(default(subject = None, dimensions = None, durability = None))]
    pub fn meter(
        &self,
        name: &str,
        subject: Option<String>,
        dimensions: Option<HashMap<String, String>>,
        durability: Option<Durability>,
    ) -> Result<Arc<Meter>, MintreuError> {
        let key = key(name, subject, dimensions)?;
        let durability = durability.unwrap_or(Durability::Process);
        let meter = self.inner.meter_for(key)?.with(durability.into());
        Ok(Meter::shared(meter))
    }

    /// Counts units of a meter by its name.
    pub fn record(&self, name: &str, n: u64) -> Result<(), MintreuError> {
        Ok(self.inner.record(name, n)?)
    }

    /// Takes units from a meter's quota by its name and counts them, or does neither.
    pub fn consume(&self, name: &str, n: u64) -> Result<Decision, MintreuError> {
        Ok(self.inner.consume(name, n)?.into())
    }

    /// Counts in many meters at once, with one wait for the disk where a durability asks for it.
    pub fn record_batch(&self, counts: Vec<Count>) -> Result<(), MintreuError> {
        let counts: Vec<_> = counts.iter().map(Count::read).collect();
        Ok(self.inner.record_batch(&counts)?)
    }

    /// Keeps events, each once by its id: on the disk when this returns, in one commit.
    /// `events_full` when too many wait to be acknowledged: sync first.
    pub fn record_events(&self, events: Vec<Event>) -> Result<(), MintreuError> {
        let now = self.inner.instant();
        let events = events.into_iter().map(|event| event.happened(now));
        let events = events.collect::<Result<Vec<_>, _>>()?;
        Ok(self.inner.record_events(&events)?)
    }

    /// How every quota of the licenses stands, in the order of the meters' names.
    pub fn quotas(&self) -> Result<Vec<QuotaStatus>, MintreuError> {
        let quotas = self.inner.quotas()?;
        Ok(quotas.into_iter().map(QuotaStatus::from).collect())
    }

    /// How one meter's quota stands; nothing when the licenses set none.
    pub fn quota(&self, meter: &str) -> Result<Option<QuotaStatus>, MintreuError> {
        Ok(self.inner.quota(meter)?.map(QuotaStatus::from))
    }

    /// The alerts that use has reached, each once in its window: here or in a decision's `crossed`,
    /// whichever somebody sees first, in any thread or process.
    pub fn alerts(&self) -> Result<Vec<Alert>, MintreuError> {
        let alerts = self.inner.alerts()?;
        Ok(alerts.into_iter().map(Alert::from).collect())
    }

    /// Seals what was counted when `seal_ms` has passed; whether it was. It happens by itself,
    /// unless `flush_ms` is 0.
    pub fn seal_when_due(&self) -> Result<bool, MintreuError> {
        Ok(self.inner.seal_when_due()?)
    }

    /// Writes every count to the disk: after this a power cut loses nothing counted so far.
    pub fn flush(&self) -> Result<(), MintreuError> {
        Ok(self.inner.flush()?)
    }

    /// What every meter has counted, sealed and seen acknowledged.
    pub fn usage(&self) -> Result<Vec<Usage>, MintreuError> {
        Ok(self.inner.usage()?.iter().map(Usage::from).collect())
    }

    /// The activation request as text, for a machine without internet: paste it, or carry it as a
    /// file or QR code; the answer goes into `install`. The same text until it is answered.
    pub fn activation_request(&self) -> Result<String, MintreuError> {
        Ok(self.inner.activation_request()?)
    }

    /// Gives this device's seat back; the text says so to whoever keeps the seats, where no sync
    /// does. The license is needed only where the device holds several seats.
    #[uniffi::method(default(license = None))]
    pub fn deactivate(&self, license: Option<String>) -> Result<String, MintreuError> {
        Ok(self.inner.deactivate(meant(license.as_deref())?)?)
    }

    /// Asks for a seat again, after `deactivate`.
    pub fn activate(&self, license: &str) -> Result<(), MintreuError> {
        Ok(self.inner.activate(LicenseId::parse(license)?)?)
    }

    /// Asks to keep a floating seat for so many seconds, to work without a network.
    #[uniffi::method(default(license = None))]
    pub fn borrow(&self, seconds: u32, license: Option<String>) -> Result<(), MintreuError> {
        Ok(self.inner.borrow(meant(license.as_deref())?, seconds)?)
    }

    /// Until when this device's seat of a license is kept, in milliseconds since 1970; nothing
    /// without one, or for as long as the license holds.
    pub fn seat_ends_at(&self, license: &str) -> Result<Option<i64>, MintreuError> {
        let license = LicenseId::parse(license)?;
        Ok(self.inner.seat_ends_at(license).map(Timestamp::ms))
    }

    /// A question for the time as text, for a device whose clock is in doubt and that has no
    /// network; the answer goes into `install`.
    pub fn time_request(&self) -> Result<String, MintreuError> {
        Ok(self.inner.time_request()?)
    }

    /// The kept segments and receipts, for `mintreu usage verify`.
    pub fn export_usage(&self) -> Result<Vec<u8>, MintreuError> {
        Ok(self.inner.export_usage()?)
    }

    /// The signed checkpoints that stand for acknowledged segments which are not kept any more.
    pub fn checkpoints(&self) -> Result<Vec<Vec<u8>>, MintreuError> {
        Ok(self.inner.checkpoints()?)
    }

    /// What to send to the server next, or nothing when this sync is done.
    pub fn next_request(&self) -> Result<Option<Request>, MintreuError> {
        Ok(self.inner.next_request()?.map(Request::from))
    }

    /// Takes the server's answer. Repeated, late and reordered answers are harmless.
    pub fn on_response(&self, status: u16, body: &[u8]) -> Result<(), MintreuError> {
        Ok(self.inner.on_response(status, body)?)
    }
}

/// The license that the caller named, if any.
fn meant(license: Option<&str>) -> Result<Option<LicenseId>, MintreuError> {
    Ok(license.map(LicenseId::parse).transpose()?)
}
