//! Following each stream of a section, segment by segment.

use std::collections::{BTreeMap, VecDeque};

use super::report::{AuditReport, AuditedCell, AuditedEpoch, Mark};
use crate::error::{Error, Result};
use crate::id::StreamId;
use crate::meter::Opening;
use crate::meter::accept::{Position, Remainder, Verdict, accept, remainder};
use crate::meter::checkpoint::Checkpoint;
use crate::meter::key::{CellKey, malformed};
use crate::meter::receipt::Receipt;
use crate::meter::segment::{ChainHash, Segment, TimeQuality};

/// How many segments back a receipt may look.
const REACH: usize = 65_536;
/// The most epochs of one file: each keeps its totals.
const MAX_EPOCHS: usize = 10_000;
/// The most cells of all epochs together.
const MAX_CELLS: usize = 1 << 20;

/// The streams of the section that is read.
#[derive(Debug, Default)]
pub(super) struct Walks {
    streams: BTreeMap<[u8; 16], Walk>,
    cells: usize,
}

/// The open epoch of one stream.
#[derive(Debug)]
struct Walk {
    /// Its place in the report.
    index: usize,
    /// The hashes of the last segments, the newest at `to_seq`; gaps are zeros.
    hashes: VecDeque<ChainHash>,
    cells: BTreeMap<CellKey, Counted>,
    /// What changed since the last receipt.
    fresh: Vec<CellKey>,
    /// The number that the last receipt vouches for.
    vouched: u64,
}

#[derive(Debug, Default)]
struct Counted {
    units: u64,
    acknowledged: u64,
    changed: u64,
}

/// What doesn't hold, with its epoch and number.
pub(super) type Misfit = (Error, u64, u64);

const MISSING: ChainHash = [0; 32];

impl Walks {
    /// The next segment of a stream: counted, or refused and left out.
    pub fn step(
        &mut self,
        report: &mut AuditReport,
        device: usize,
        segment: Segment,
        hash: ChainHash,
    ) -> Result<()> {
        if report.epochs.len() >= MAX_EPOCHS || self.cells > MAX_CELLS {
            return Err(malformed("the export has more epochs or cells than fit"));
        }
        let Some(walk) = self.streams.get_mut(segment.stream.as_bytes()) else {
            return self.begin(report, device, &segment, hash);
        };
        let at = walk.position(report);
        match accept(at, &segment, hash, walk.hash(report, &segment)) {
            Verdict::Apply(_) if segment.epoch > at.epoch => {
                self.close(report, segment.stream);
                self.begin(report, device, &segment, hash)
            }
            Verdict::Apply(_) => {
                self.cells += walk.append(report, &segment, hash)?;
                Ok(())
            }
            Verdict::Duplicate => Err(malformed("the segment appears twice")),
            Verdict::Fork => Err(Error::new(
                "usage_fork",
                "the segment does not continue the chain before it",
            )),
            Verdict::Gap if segment.epoch > at.epoch => {
                self.close(report, segment.stream);
                self.begin(report, device, &segment, hash)?;
                Err(gap(at, &segment))
            }
            Verdict::Gap => {
                report.epochs[walk.index].gap(at.seq + 1, segment.seq - 1);
                for _ in at.seq + 1..segment.seq.min(at.seq + 1 + REACH as u64) {
                    walk.remember(MISSING);
                }
                self.cells += walk.append(report, &segment, hash)?;
                Err(gap(at, &segment))
            }
        }
    }

    fn begin(
        &mut self,
        report: &mut AuditReport,
        device: usize,
        segment: &Segment,
        hash: ChainHash,
    ) -> Result<()> {
        let index = report.epochs.len();
        report.epochs.push(AuditedEpoch {
            from_seq: segment.seq,
            sealed: (segment.sealed_at, segment.sealed_at),
            opening: segment.opening.as_ref().map(|opening| opening.reason),
            ..AuditedEpoch::empty(
                (device, segment.stream, segment.license),
                &segment.product,
                segment.epoch,
            )
        });
        let mut walk = Walk {
            index,
            hashes: VecDeque::from([segment.prev]),
            cells: BTreeMap::new(),
            fresh: Vec::new(),
            vouched: 0,
        };
        self.cells += walk.append(report, segment, hash)?;
        if let Some(opening) = &segment.opening {
            settle(report, segment.stream, opening);
        }
        self.streams.insert(*segment.stream.as_bytes(), walk);
        Ok(())
    }

    /// Begins an epoch behind a checkpoint: its next segment must follow what was folded.
    pub fn begin_folded(
        &mut self,
        report: &mut AuditReport,
        device: usize,
        folded: &Checkpoint,
    ) -> Result<()> {
        if report.epochs.len() >= MAX_EPOCHS || self.cells > MAX_CELLS {
            return Err(malformed("the export has more epochs or cells than fit"));
        }
        let (stream, at) = (folded.stream(), folded.position);
        if let Some(walk) = self.streams.get(stream.as_bytes()) {
            if at.epoch <= report.epochs[walk.index].epoch {
                let detail = "a checkpoint stands behind what it is of";
                return Err(malformed(detail));
            }
            self.close(report, stream);
        }
        let index = report.epochs.len();
        report.epochs.push(AuditedEpoch {
            from_seq: at.seq + 1,
            to_seq: at.seq,
            head: at.head,
            folded: at.seq,
            sealed: (folded.made_at, folded.made_at),
            ..AuditedEpoch::empty((device, stream, folded.license), &folded.product, at.epoch)
        });
        let cells = folded.totals.iter().map(|total| {
            let counted = Counted {
                units: total.units,
                acknowledged: 0,
                changed: at.seq,
            };
            (total.key.clone(), counted)
        });
        let walk = Walk {
            index,
            hashes: VecDeque::from([at.head]),
            cells: cells.collect(),
            fresh: folded
                .totals
                .iter()
                .map(|total| total.key.clone())
                .collect(),
            vouched: 0,
        };
        self.cells += walk.cells.len();
        self.streams.insert(*stream.as_bytes(), walk);
        Ok(())
    }

    /// Holds a verified receipt against the stream it is about.
    pub fn hold(&mut self, report: &mut AuditReport, receipt: &Receipt) -> Result<()> {
        let Position { epoch, seq, head } = receipt.position;
        report.server_epoch = report.server_epoch.max(receipt.server_epoch);
        if epoch == 0 {
            return Ok(());
        }
        let Some(walk) = self.streams.get_mut(receipt.stream.as_bytes()) else {
            return Err(mismatch("usage that is not here"));
        };
        let open = &mut report.epochs[walk.index];
        if epoch < open.epoch {
            // Of an epoch that was left: a late answer, or one whose segments were folded away.
            return hold_closed(report, receipt);
        }
        if epoch > open.epoch || seq > open.to_seq {
            return Err(mismatch("a segment that is not here"));
        }
        // What lies before the first segment was folded away, and what lies too far back is past
        // being held against anything.
        let back = usize::try_from(open.to_seq - seq).unwrap_or(usize::MAX);
        let known = back
            .checked_add(1)
            .and_then(|back| walk.hashes.len().checked_sub(back))
            .map(|index| walk.hashes[index]);
        match known {
            None => Ok(()),
            Some(known) if known == head => {
                open.acknowledged = open.acknowledged.max(seq);
                walk.acknowledge(seq);
                Ok(())
            }
            Some(_) => Err(mismatch("another chain")),
        }
    }

    /// Leaves the open epoch of a stream for the next one.
    fn close(&mut self, report: &mut AuditReport, stream: StreamId) {
        if let Some(walk) = self.streams.remove(stream.as_bytes()) {
            walk.lay_down(report);
        }
    }

    /// Ends the section. `receipts` is whether any receipt was verified: then whatever was folded
    /// away must have been vouched for.
    pub fn finish(&mut self, report: &mut AuditReport, receipts: bool) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        for walk in std::mem::take(&mut self.streams).into_values() {
            let open = &report.epochs[walk.index];
            let (epoch, from) = (open.epoch, open.from_seq);
            if receipts && open.acknowledged + 1 < from {
                let detail = "the chain begins here, and no receipt vouches for what came before";
                misfits.push((Error::new("usage_gap", detail), epoch, from));
            }
            walk.lay_down(report);
        }
        misfits
    }
}

fn gap(at: Position, segment: &Segment) -> Error {
    Error::new(
        "usage_gap",
        format!(
            "segments are missing: epoch {} number {} is followed by epoch {} number {}",
            at.epoch, at.seq, segment.epoch, segment.seq
        ),
    )
}

fn mismatch(what: &str) -> Error {
    let detail = format!("the receipt vouches for {what}");
    Error::new("receipt_mismatch", detail)
}

fn hold_closed(report: &mut AuditReport, receipt: &Receipt) -> Result<()> {
    let Position { epoch, seq, head } = receipt.position;
    let closed = |known: &&mut AuditedEpoch| known.stream == receipt.stream && known.epoch == epoch;
    let Some(known) = report.epochs.iter_mut().find(closed) else {
        return Ok(());
    };
    match seq == known.to_seq && head != known.head {
        true => Err(mismatch("another chain")),
        false => Ok(()),
    }
}

/// Adds what an opening says of the epoch that was left: owed to that epoch, or disputed.
fn settle(report: &mut AuditReport, stream: StreamId, opening: &Opening) {
    let closed_epoch =
        |known: &&mut AuditedEpoch| known.stream == stream && known.epoch == opening.closed_epoch;
    // Where that epoch was folded away, what it owes can't be told from what it had reported.
    let Some(epoch) = report.epochs.iter_mut().find(closed_epoch) else {
        return;
    };
    for closed in &opening.closed {
        let found = epoch
            .totals
            .binary_search_by(|cell| cell.key.cmp(&closed.key));
        let place = found.unwrap_or_else(|place| {
            epoch
                .totals
                .insert(place, AuditedCell::empty(closed.key.clone()));
            place
        });
        let cell = &mut epoch.totals[place];
        match remainder(opening.reason, closed, cell.units) {
            Remainder::Owed(units) => cell.units = cell.units.saturating_add(units),
            Remainder::Disputed(units) => cell.disputed = cell.disputed.saturating_add(units),
        }
    }
}

impl Walk {
    fn position(&self, report: &AuditReport) -> Position {
        let open = &report.epochs[self.index];
        Position {
            epoch: open.epoch,
            seq: open.to_seq,
            head: open.head,
        }
    }

    fn hash(&self, report: &AuditReport, segment: &Segment) -> Option<ChainHash> {
        let open = &report.epochs[self.index];
        if segment.epoch != open.epoch {
            return None;
        }
        let back = usize::try_from(open.to_seq.checked_sub(segment.seq)?).ok()?;
        let index = self.hashes.len().checked_sub(back.checked_add(1)?)?;
        let hash = self.hashes[index];
        (hash != MISSING).then_some(hash)
    }

    fn remember(&mut self, hash: ChainHash) {
        self.hashes.push_back(hash);
        if self.hashes.len() > REACH {
            self.hashes.pop_front();
        }
    }

    /// Counts a segment; how many cells are new. A total that fell is refused after the others
    /// were counted.
    fn append(
        &mut self,
        report: &mut AuditReport,
        segment: &Segment,
        hash: ChainHash,
    ) -> Result<usize> {
        self.remember(hash);
        let open = &mut report.epochs[self.index];
        open.to_seq = segment.seq;
        open.head = hash;
        open.sealed.1 = segment.sealed_at;
        let quality = match segment.time_quality {
            TimeQuality::Unknown => 0,
            TimeQuality::Plausible => 1,
            TimeQuality::Suspect => 2,
        };
        open.quality[quality] += 1;
        let (events, disputed) = (&segment.events, &segment.disputed_events);
        open.events.0 += events.len() as u64;
        open.events.1 += disputed.len() as u64;
        let silent = segment.totals.is_empty() && events.is_empty() && disputed.is_empty();
        open.heartbeats += u64::from(silent);
        for incident in &segment.condition.incidents {
            let times = open.incidents.entry(incident.kind).or_default();
            *times = times.saturating_add(incident.times);
        }
        open.mark(Mark {
            seq: segment.seq,
            at: segment.sealed_at,
        });
        let before = self.cells.len();
        let mut fell = Ok(());
        for total in &segment.totals {
            let known = self.cells.entry(total.key.clone()).or_default();
            match crate::meter::increase(known.units, total.units) {
                Ok(_) => known.units = total.units,
                Err(error) => fell = Err(error),
            }
            // What waits for a receipt is named once, however often it changed.
            if known.changed <= self.vouched {
                self.fresh.push(total.key.clone());
            }
            known.changed = segment.seq;
        }
        fell.map(|()| self.cells.len() - before)
    }

    /// A receipt vouches for everything up to `seq`.
    fn acknowledge(&mut self, seq: u64) {
        self.vouched = self.vouched.max(seq);
        let cells = &mut self.cells;
        self.fresh.retain(|key| match cells.get_mut(key) {
            Some(cell) if cell.changed <= seq => {
                cell.acknowledged = cell.units;
                false
            }
            _ => true,
        });
    }

    fn lay_down(self, report: &mut AuditReport) {
        let cells = self.cells.into_iter().map(|(key, counted)| AuditedCell {
            key,
            units: counted.units,
            acknowledged: counted.acknowledged,
            disputed: 0,
        });
        report.epochs[self.index].totals = cells.collect();
    }
}
