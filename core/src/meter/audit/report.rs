//! What an audit found.

use std::collections::BTreeMap;

use crate::id::{LicenseId, StreamId};
use crate::meter::export::{Counts, Source};
use crate::meter::key::CellKey;
use crate::meter::segment::ChainHash;
use crate::meter::{IncidentKind, OpeningReason};
use crate::time::Timestamp;

/// The most findings, forks and gaps that are listed; further ones are counted.
const MAX_LISTED: usize = 200;
/// The most sections of one file.
pub(super) const MAX_DEVICES: usize = 10_000;
/// About how many marks an epoch's picture has: 128 to 256.
const MAX_MARKS: usize = 256;

/// What an audit of an export came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditReport {
    /// Who wrote the file, by its own word.
    pub source: Option<Source>,
    /// Whether the reader said what to trust: without that, receipts weren't looked at.
    pub trusted: bool,
    /// The records of each kind.
    pub counts: Counts,
    /// How many receipts were verified and fit the chain.
    pub receipts: u64,
    /// The highest server epoch of those receipts: it rises with each restore from a backup.
    pub server_epoch: u64,
    /// The sections.
    pub devices: Vec<AuditedDevice>,
    /// Each stream's epochs, in the order they first appear.
    pub epochs: Vec<AuditedEpoch>,
    /// The forks, at most 200 of them.
    pub forks: Vec<ForkSeen>,
    /// What doesn't hold, at most 200 of them.
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub found: u64,
    /// What was used in all, over every device and epoch, in the order of the keys.
    pub totals: Vec<AuditedCell>,
}

/// One section of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedDevice {
    /// The public key that signed.
    pub key: [u8; 32],
    /// Whether the seller's activation for it was verified.
    pub vouched: bool,
    /// The license of that activation.
    pub license: Option<LicenseId>,
}

/// One epoch of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedEpoch {
    /// Which section it lies in, from 0.
    pub device: usize,
    /// The stream.
    pub stream: StreamId,
    /// The license it counts for.
    pub license: LicenseId,
    /// The product.
    pub product: String,
    /// Its number.
    pub epoch: u64,
    /// The first sequence number present: 1 unless older segments were folded away.
    pub from_seq: u64,
    /// The last sequence number present.
    pub to_seq: u64,
    /// The chain hash of the last segment.
    pub head: ChainHash,
    /// The highest sequence number that a receipt vouches for; 0 where none does.
    pub acknowledged: u64,
    /// When the first and the last segment were sealed, by the device's clock.
    pub sealed: (Timestamp, Timestamp),
    /// Segments by the quality of their time: unknown, plausible, suspect.
    pub quality: [u64; 3],
    /// Segments without totals and events.
    pub heartbeats: u64,
    /// Up to which number a checkpoint stands for the segments; 0 where none does.
    pub folded: u64,
    /// Events, those apart that another copy of the device may have reported.
    pub events: (u64, u64),
    /// What went wrong on the device by its own word, and how often.
    pub incidents: BTreeMap<IncidentKind, u64>,
    /// Why the epoch before was left.
    pub opening: Option<OpeningReason>,
    /// Missing numbers: the first and the last of each gap.
    pub gaps: Vec<(u64, u64)>,
    /// Some segments' numbers and instants, evenly thinned out, for a picture.
    pub marks: Vec<Mark>,
    /// Cumulative totals at the end of the epoch, in the order of the keys.
    pub totals: Vec<AuditedCell>,
    pub(super) stride: u64,
}

/// One segment in the picture of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its number.
    pub seq: u64,
    /// When it was sealed, by the device's clock.
    pub at: Timestamp,
}

/// What one cell counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditedCell {
    /// Which cell.
    pub key: CellKey,
    /// Units in all.
    pub units: u64,
    /// Units of those that a receipt vouches for.
    pub acknowledged: u64,
    /// Units that a second copy of a device reported: beside the others, never billed by
    /// themselves.
    pub disputed: u64,
}

impl AuditedCell {
    pub(super) fn empty(key: CellKey) -> Self {
        Self {
            key,
            units: 0,
            acknowledged: 0,
            disputed: 0,
        }
    }
}

/// A segment that the server kept as evidence of a second continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkSeen {
    /// Which section it lies in, from 0.
    pub device: usize,
    /// The stream.
    pub stream: StreamId,
    /// Its epoch.
    pub epoch: u64,
    /// Its number.
    pub seq: u64,
    /// Its chain hash.
    pub hash: ChainHash,
    /// When the server got it, by the server's word.
    pub received_at: Timestamp,
}

/// Something that doesn't hold, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// What is wrong.
    pub detail: String,
    /// The section it lies in, from 1; 0 before the first.
    pub device: u64,
    /// The segment of the file that was read last, from 1.
    pub segment: u64,
    /// The receipt of the file that was read last, from 1.
    pub receipt: u64,
    /// Epoch and number, where they could be read.
    pub place: Option<(u64, u64)>,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.device {
            0 => {}
            device => write!(f, "device {device}, segment {}", self.segment)?,
        }
        if let Some((epoch, seq)) = self.place {
            write!(f, " (epoch {epoch} number {seq})")?;
        }
        let colon = if self.device == 0 { "" } else { ": " };
        write!(f, "{colon}{} ({})", self.detail, self.code)
    }
}

impl AuditReport {
    /// Whether everything in the file holds.
    pub fn holds(&self) -> bool {
        self.found == 0
    }

    pub(super) fn note(&mut self, finding: Finding) {
        self.found += 1;
        if self.findings.len() < MAX_LISTED {
            self.findings.push(finding);
        }
    }

    pub(super) fn note_fork(&mut self, fork: ForkSeen) {
        if self.forks.len() < MAX_LISTED {
            self.forks.push(fork);
        }
    }

    /// Sums every epoch's totals.
    pub(super) fn add_up(&mut self) {
        let mut sums: BTreeMap<CellKey, AuditedCell> = BTreeMap::new();
        for cell in self.epochs.iter().flat_map(|epoch| &epoch.totals) {
            let sum = sums
                .entry(cell.key.clone())
                .or_insert_with(|| AuditedCell::empty(cell.key.clone()));
            sum.units = sum.units.saturating_add(cell.units);
            sum.acknowledged = sum.acknowledged.saturating_add(cell.acknowledged);
            sum.disputed = sum.disputed.saturating_add(cell.disputed);
        }
        self.totals = sums.into_values().collect();
    }
}

impl AuditedEpoch {
    /// An epoch of which nothing was read yet.
    pub(super) fn empty(
        (device, stream, license): (usize, StreamId, LicenseId),
        product: &str,
        epoch: u64,
    ) -> Self {
        Self {
            device,
            stream,
            license,
            product: product.to_owned(),
            epoch,
            from_seq: 1,
            to_seq: 0,
            head: [0; 32],
            acknowledged: 0,
            sealed: Default::default(),
            quality: [0; 3],
            heartbeats: 0,
            folded: 0,
            events: (0, 0),
            incidents: BTreeMap::new(),
            opening: None,
            gaps: Vec::new(),
            marks: Vec::new(),
            totals: Vec::new(),
            stride: 1,
        }
    }

    pub(super) fn gap(&mut self, from: u64, to: u64) {
        if self.gaps.len() < MAX_LISTED {
            self.gaps.push((from, to));
        }
    }

    /// Keeps every `stride`-th mark, and doubles the stride when there are too many.
    pub(super) fn mark(&mut self, mark: Mark) {
        if !(mark.seq - self.from_seq).is_multiple_of(self.stride) {
            return;
        }
        self.marks.push(mark);
        if self.marks.len() > MAX_MARKS {
            self.stride *= 2;
            let (from, stride) = (self.from_seq, self.stride);
            self.marks.retain(|m| (m.seq - from).is_multiple_of(stride));
        }
    }
}
