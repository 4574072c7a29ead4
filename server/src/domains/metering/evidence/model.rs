//! What is shown of where usage came from.

use crate::domains::quotas::WrittenOff;
use mintreu::Timestamp;
use mintreu::id::{LicenseId, StreamId};
use mintreu::meter::CellKey;

/// What one accepted segment added to a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its place in the order of acceptance.
    pub position: i64,
    /// The meter.
    pub meter: String,
    /// `segment`, `late` for one that a closed period was billed again with, or `dispute` for
    /// disputed units that the seller accepted.
    pub kind: String,
    /// The stream.
    pub stream: StreamId,
    /// Its epoch.
    pub epoch: i64,
    /// The segment's number.
    pub seq: i64,
    /// Units it added.
    pub units: i64,
    /// When it was used, by the device's word within bounds.
    pub counted_at: Timestamp,
    /// When the segment came.
    pub received_at: Timestamp,
}

/// What stands behind the units of one meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Whose.
    pub license: LicenseId,
    /// Which meter.
    pub meter: String,
    /// Units that are rated.
    pub units: i64,
    /// Of those, what segments added.
    pub from_segments: i64,
    /// How many segments.
    pub segments: i64,
    /// The segments, in the order of acceptance, a page of them.
    pub sources: Vec<Source>,
}

impl Behind {
    /// Units that came as events, without a segment, or before sources were kept.
    pub fn otherwise(&self) -> i64 {
        self.units.saturating_sub(self.from_segments)
    }
}

/// Units that a second copy of a device reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The stream.
    pub stream: StreamId,
    /// The epoch that the copy began.
    pub epoch: i64,
    /// The license.
    pub license: LicenseId,
    /// Subject, meter and dimensions.
    pub key: CellKey,
    /// How many.
    pub units: i64,
    /// `open`, `accepted` or `written_off`.
    pub state: String,
    /// When they were reported.
    pub opened_at: Timestamp,
    /// When the seller decided.
    pub decided_at: Option<Timestamp>,
    /// Why, by the seller's word.
    pub reason: Option<String>,
}

/// A segment that was kept as evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The stream.
    pub stream: StreamId,
    /// The license.
    pub license: LicenseId,
    /// Its epoch.
    pub epoch: i64,
    /// Its number.
    pub seq: i64,
    /// The SHA-256 of its bytes.
    pub hash: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
}

/// A device that hasn't reported for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    /// The stream.
    pub stream: StreamId,
    /// The license.
    pub license: LicenseId,
    /// The open epoch.
    pub epoch: i64,
    /// The last accepted number.
    pub seq: i64,
    /// When it reported last.
    pub last_at: Timestamp,
}

/// What a seller should look at in a product's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Disputed units, the open ones first.
    pub disputes: Vec<Dispute>,
    /// Evidence, the newest first.
    pub forks: Vec<Fork>,
    /// Devices without a heartbeat, the longest quiet first.
    pub quiet: Vec<Quiet>,
    /// Units that were taken back from lost devices, the newest first.
    pub written_off: Vec<WrittenOff>,
    /// Rises with each restore of this server from a backup; from 1.
    pub server_epoch: i64,
}

/// After how long a device that reported before is shown as quiet: a week.
pub const QUIET_MS: i64 = 7 * 86_400_000;
/// Most rows of each list.
pub const MAX_LISTED: i64 = 200;
/// Most sources of one page.
pub const MAX_SOURCES: i64 = 500;
/// The longest reason of a decision, in characters.
pub const MAX_REASON: usize = 500;
