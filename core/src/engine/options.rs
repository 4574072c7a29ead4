//! How an engine is opened, and what can be installed in it.

use std::sync::Arc;
use std::time::Duration;

#[cfg(doc)]
use super::Engine;
use crate::activation::Fingerprint;
use crate::id::LicenseId;
use crate::journal::DEFAULT_CELLS;
use crate::keystore::DeviceKey;
use crate::license::Version;
use crate::time::{Clock, SystemClock, Timestamp};

/// How an engine is opened, where the defaults do not fit.
#[derive(Clone)]
pub struct Options {
    /// Where instants come from: the system's clock.
    pub clock: Arc<dyn Clock>,
    /// The product's version, for licenses that are limited to some.
    pub version: Option<Version>,
    /// When that version was released.
    pub released_at: Option<Timestamp>,
    /// How many different counts the folder has room for, at most [`DEFAULT_CELLS`]. It is set
    /// when the folder is made.
    pub cells: usize,
    /// The host, for licenses that are bound to one; see [`Fingerprint`].
    pub fingerprint: Fingerprint,
    /// What several licenses on one device come to.
    pub stacking: Stacking,
    /// Where this device's key is kept, and what it is bound to: a file in the folder, bound to
    /// the machine where that has an id.
    pub device_key: DeviceKey,
    /// How often what happens by itself happens.
    pub pace: Pace,
}

/// How often what happens by itself happens; see `docs/usage-protocol.md`, section 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Counts reach the disk this often: a power cut costs at most what was counted since. By one
    /// thread; zero for none, where the host calls [`Engine::flush`] itself. One second.
    pub flush: Duration,
    /// What was counted is sealed at least this often, sent or not, so that it is known later when
    /// it was used. One hour.
    pub seal: Duration,
    /// A sync says this often that there is nothing to say, so that silence means something. One
    /// day.
    pub heartbeat: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            flush: Duration::from_secs(1),
            seal: Duration::from_secs(3600),
            heartbeat: Duration::from_secs(24 * 3600),
        }
    }
}

/// What the limits and quotas of several licenses on one device come to. Features unite anyhow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stacking {
    /// The largest counts.
    #[default]
    Largest,
    /// Limits add up, and so do quotas of the same window.
    AddUp,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            version: None,
            released_at: None,
            cells: DEFAULT_CELLS,
            fingerprint: Fingerprint::default(),
            stacking: Stacking::default(),
            device_key: DeviceKey::default(),
            pace: Pace::default(),
        }
    }
}

/// What [`Engine::install`] installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Installed {
    /// A license.
    License(LicenseId),
    /// This device's activation of a license.
    Activation(LicenseId),
    /// A redeem code: the next request, or [`Engine::activation_request`], exchanges it.
    Code,
    /// A lease: this device's seat of the license is kept for longer.
    Lease(LicenseId),
    /// Units of a quota that this device shares with others.
    Units(LicenseId),
    /// A key set, by its version.
    KeySet(u64),
    /// A revocation list, by its number.
    Revocations(u64),
    /// The time, in answer to [`Engine::time_request`]; or that a seat given back is free.
    Time,
}

impl Installed {
    /// What it is, in one stable word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::License(_) => "license",
            Self::Activation(_) => "activation",
            Self::Code => "code",
            Self::Lease(_) => "lease",
            Self::Units(_) => "units",
            Self::KeySet(_) => "key_set",
            Self::Revocations(_) => "revocations",
            Self::Time => "time",
        }
    }
}
