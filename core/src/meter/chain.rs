//! Believing a whole chain: what `mintreu usage verify` and a suspicious server run.

use std::collections::HashMap;

use super::accept::{Position, Verdict, accept, increase};
use super::key::{CellKey, malformed};
use super::receipt::Receipt;
use super::segment::{ChainHash, Segment, Total, chain_hash, open_segment};
use crate::document::PublicKey;
use crate::error::{Error, Result};
use crate::id::StreamId;
use crate::time::Timestamp;

/// What a verified chain shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChainReport {
    /// How many segments were verified.
    pub segments: usize,
    /// How many receipts were held against them.
    pub receipts: usize,
    /// Each stream's totals of each epoch, in the order they first appear.
    pub epochs: Vec<EpochReport>,
}

/// One epoch of one stream in a verified chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochReport {
    /// The stream.
    pub stream: StreamId,
    /// Its epoch.
    pub epoch: u64,
    /// The first sequence number present: 1 unless older segments were folded away.
    pub from_seq: u64,
    /// The last sequence number present.
    pub to_seq: u64,
    /// The chain hash of the last segment.
    pub head: ChainHash,
    /// The highest sequence number a receipt vouches for; 0 if none does.
    pub acknowledged: u64,
    /// When the first and the last segment were sealed, by the device's clock.
    pub sealed: (Timestamp, Timestamp),
    /// Cumulative totals at `to_seq` of every cell that appears, in the order of the keys.
    pub totals: Vec<Total>,
}

struct Walk {
    report: EpochReport,
    hashes: HashMap<u64, ChainHash>,
    totals: HashMap<CellKey, u64>,
}

/// Verifies segments in the order they were sealed, and receipts (already verified under the
/// seller's key) against them.
///
/// Refused, naming the place: a bad signature, a gap (`usage_gap`), a second continuation
/// (`usage_fork`), a total that falls (`usage_regressed`), a receipt for another chain
/// (`receipt_mismatch`).
pub fn verify_chain(
    device: &PublicKey,
    segments: &[Vec<u8>],
    receipts: &[Receipt],
) -> Result<ChainReport> {
    let mut walks: Vec<Walk> = Vec::new();
    for (index, document) in segments.iter().enumerate() {
        step(&mut walks, device, document)
            .map_err(|e| Error::new(e.code(), format!("segment {}: {}", index + 1, e.detail())))?;
    }
    for receipt in receipts {
        hold_against(&mut walks, receipt)?;
    }
    if !receipts.is_empty() {
        walks.iter().try_for_each(check_beginning)?;
    }
    let epochs = walks.into_iter().map(Walk::finish).collect();
    Ok(ChainReport {
        segments: segments.len(),
        receipts: receipts.len(),
        epochs,
    })
}

fn step(walks: &mut Vec<Walk>, device: &PublicKey, document: &[u8]) -> Result<()> {
    let segment = open_segment(document, device)?;
    let hash = chain_hash(document);
    let same_stream = |walk: &&mut Walk| walk.report.stream == segment.stream;
    let Some(walk) = walks.iter_mut().rev().find(same_stream) else {
        walks.push(Walk::begin(&segment, hash));
        return Ok(());
    };
    let at = walk.position();
    match accept(at, &segment, hash, walk.stored(&segment)) {
        Verdict::Apply(_) if segment.epoch > at.epoch => {
            walks.push(Walk::begin(&segment, hash));
            Ok(())
        }
        Verdict::Apply(_) => walk.append(&segment, hash),
        Verdict::Duplicate => Err(malformed("the segment appears twice")),
        Verdict::Gap => Err(Error::new(
            "usage_gap",
            format!(
                "epoch {} number {} follows epoch {} number {}: segments are missing",
                segment.epoch, segment.seq, at.epoch, at.seq
            ),
        )),
        Verdict::Fork => Err(Error::new(
            "usage_fork",
            format!(
                "epoch {} number {} does not continue the chain before it",
                segment.epoch, segment.seq
            ),
        )),
    }
}

fn hold_against(walks: &mut [Walk], receipt: &Receipt) -> Result<()> {
    let Position { epoch, seq, head } = receipt.position;
    let of_stream = |walk: &&mut Walk| walk.report.stream == receipt.stream;
    let mut known = walks.iter_mut().filter(of_stream).peekable();
    let oldest = known.peek().map(|walk| walk.report.epoch);
    let Some(walk) = known.find(|walk| walk.report.epoch == epoch) else {
        // Older epochs may have been folded away; newer ones, and whole streams, never are.
        return match oldest {
            Some(oldest) if epoch < oldest => Ok(()),
            _ => Err(mismatch(epoch, seq, "usage that is not here")),
        };
    };
    match walk.hashes.get(&seq) {
        Some(&known) if known == head => {
            walk.report.acknowledged = walk.report.acknowledged.max(seq);
            Ok(())
        }
        // The receipt is for a segment that was folded away before the export.
        None if seq + 1 < walk.report.from_seq => Ok(()),
        Some(_) => Err(mismatch(epoch, seq, "another chain")),
        None => Err(mismatch(epoch, seq, "a segment that is not here")),
    }
}

fn mismatch(epoch: u64, seq: u64, what: &str) -> Error {
    Error::new(
        "receipt_mismatch",
        format!("the receipt for epoch {epoch} number {seq} vouches for {what}"),
    )
}

/// Only what a receipt vouches for is ever folded away.
fn check_beginning(walk: &Walk) -> Result<()> {
    let EpochReport {
        epoch,
        from_seq,
        acknowledged,
        ..
    } = walk.report;
    if acknowledged + 1 >= from_seq {
        return Ok(());
    }
    Err(Error::new(
        "usage_gap",
        format!("epoch {epoch} begins at number {from_seq}, and no receipt vouches for the rest"),
    ))
}

impl Walk {
    fn begin(first: &Segment, hash: ChainHash) -> Self {
        let mut hashes = HashMap::from([(first.seq, hash)]);
        if first.seq > 1 {
            hashes.insert(first.seq - 1, first.prev);
        }
        Self {
            report: EpochReport {
                stream: first.stream,
                epoch: first.epoch,
                from_seq: first.seq,
                to_seq: first.seq,
                head: hash,
                acknowledged: 0,
                sealed: (first.sealed_at, first.sealed_at),
                totals: Vec::new(),
            },
            hashes,
            totals: first
                .totals
                .iter()
                .map(|t| (t.key.clone(), t.units))
                .collect(),
        }
    }

    fn position(&self) -> Position {
        let EpochReport {
            epoch,
            to_seq,
            head,
            ..
        } = self.report;
        Position {
            epoch,
            seq: to_seq,
            head,
        }
    }

    fn stored(&self, segment: &Segment) -> Option<ChainHash> {
        let same_epoch = segment.epoch == self.report.epoch;
        same_epoch
            .then(|| self.hashes.get(&segment.seq).copied())
            .flatten()
    }

    fn append(&mut self, segment: &Segment, hash: ChainHash) -> Result<()> {
        for total in &segment.totals {
            let known = self.totals.entry(total.key.clone()).or_insert(0);
            increase(*known, total.units)?;
            *known = total.units;
        }
        self.hashes.insert(segment.seq, hash);
        self.report.to_seq = segment.seq;
        self.report.head = hash;
        self.report.sealed.1 = segment.sealed_at;
        Ok(())
    }

    fn finish(mut self) -> EpochReport {
        let totals = self
            .totals
            .into_iter()
            .map(|(key, units)| Total { key, units });
        self.report.totals = totals.collect();
        self.report.totals.sort_by(|a, b| a.key.cmp(&b.key));
        self.report
    }
}
