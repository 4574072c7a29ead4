//! Believing receipts, and beginning again where they say so.

use super::Journal;
use super::counters::Counters;
use super::recovery::begin_epoch;
use super::session::Inner;
use super::store::{CellRow, Cells, KEPT_SEGMENTS, StreamRow};
use crate::error::{Error, Result};
use crate::meter::{Checkpoint, OpeningReason, Receipt, chain_hash, open_segment};
use crate::time::Timestamp;

/// So many segments at least are folded at a time: each time a signature is made.
const FOLD_STEP: u64 = 128;

impl Journal {
    /// Believes a receipt whose signature was verified. `refused` is whether it came as a 409.
    pub fn acknowledge(
        &self,
        receipt: &Receipt,
        bundle: &[u8],
        refused: bool,
        now: Timestamp,
    ) -> Result<()> {
        let mut inner = self.turn()?;
        // An answer about a stream this device never had changes nothing.
        let Some(row) = inner.store.stream(receipt.stream)? else {
            return Ok(());
        };
        let at = receipt.position;
        if at.epoch < row.epoch {
            if refused {
                inner.send_from(row, 1)?;
            }
            return Ok(());
        }
        let own = inner.store.hash(row.stream, at.epoch, at.seq)?;
        let folded = at.epoch == row.epoch && own.is_none() && at.seq < row.acked;
        if at.epoch > row.epoch || (own != Some(at.head) && !folded) {
            return inner.leave_fork(&self.counters, row, at.epoch, now);
        }
        let send = if refused {
            at.seq + 1
        } else {
            row.send.max(at.seq + 1)
        };
        if at.seq > row.acked {
            inner.believe(StreamRow { send, ..row }, at.seq, bundle, now)?;
        } else if send != row.send {
            inner.send_from(row, send)?;
        }
        Ok(())
    }
}

impl Inner {
    /// The server asks for a segment that was folded away: the stream begins again, and the
    /// server works out what is owed. A stream that was left behind is given up.
    pub(super) fn cannot_resend(
        &mut self,
        counters: &Counters,
        row: StreamRow,
        now: Timestamp,
    ) -> Result<()> {
        if self.is_current(&row) {
            begin_epoch(self, counters, row.epoch + 1, OpeningReason::Recovered, now)
        } else {
            let past_the_end = row.seq + 1;
            self.send_from(row, past_the_end)
        }
    }

    /// The server knows another continuation of this chain.
    fn leave_fork(
        &mut self,
        counters: &Counters,
        row: StreamRow,
        server_epoch: u64,
        now: Timestamp,
    ) -> Result<()> {
        if self.is_current(&row) {
            let epoch = server_epoch.max(row.epoch) + 1;
            begin_epoch(self, counters, epoch, OpeningReason::Forked, now)
        } else {
            let past_the_end = row.seq + 1;
            self.send_from(row, past_the_end)
        }
    }

    fn send_from(&mut self, row: StreamRow, seq: u64) -> Result<()> {
        let row = StreamRow {
            send: seq.max(1),
            ..row
        };
        self.store.write(|tx| tx.stream(&row))?;
        if self.is_current(&row) {
            self.stream = Some(row);
        }
        Ok(())
    }

    /// Moves what is acknowledged up to `seq`.
    fn believe(&mut self, row: StreamRow, seq: u64, bundle: &[u8], now: Timestamp) -> Result<()> {
        let current = self.is_current(&row);
        let known = if current {
            self.cells.clone()
        } else {
            self.store.cells(row.stream)?
        };
        let mut cells = Cells::new();
        for number in row.acked + 1..=seq {
            let bytes = self
                .store
                .segment(row.stream, row.epoch, number)?
                .ok_or_else(|| {
                    Error::new("journal_damaged", "an unacknowledged segment is missing")
                })?;
            let segment = open_segment(&bytes, self.device.public())?;
            if segment.opening.is_some() {
                let begun = |(key, cell): (&Vec<u8>, &CellRow)| {
                    (
                        key.clone(),
                        CellRow {
                            acked: cell.acked.max(cell.base),
                            ..*cell
                        },
                    )
                };
                cells.extend(known.iter().map(begun));
            }
            for total in segment.totals {
                let key = total.key.to_bytes();
                let cell = known.get(&key).copied().unwrap_or_default();
                cells.insert(
                    key,
                    CellRow {
                        acked: cell.base + total.units,
                        ..cell
                    },
                );
            }
        }
        let row = StreamRow { acked: seq, ..row };
        let folded = self.fold(&row, now)?;
        self.store.write(|tx| {
            tx.cells(row.stream, &known, &cells)?;
            tx.receipt(&row, seq, bundle)?;
            tx.forget_events(row.stream, seq)?;
            if let Some((to, checkpoint)) = &folded {
                tx.fold(&row, *to, checkpoint)?;
            }
            tx.stream(&row)
        })?;
        if current {
            self.cells.extend(cells);
            self.stream = Some(row);
        }
        Ok(())
    }

    /// Folds the oldest acknowledged segments of an epoch, a good many at a time; up to which, and
    /// the checkpoint that stands for them.
    fn fold(&self, row: &StreamRow, now: Timestamp) -> Result<Option<(u64, Vec<u8>)>> {
        let to = row.acked.saturating_sub(KEPT_SEGMENTS.cast_unsigned());
        let oldest = self
            .store
            .oldest(row.stream, row.epoch)?
            .unwrap_or(u64::MAX);
        if to < oldest.saturating_add(FOLD_STEP) {
            return Ok(None);
        }
        let device = self.device.public();
        let before = self.store.checkpoint(row.stream, row.epoch)?;
        let before = before.map(|bytes| Checkpoint::open(&bytes, device));
        let mut segments = Vec::new();
        for seq in oldest..=to {
            let missing = || Error::new("journal_damaged", "a kept segment is missing");
            let kept = self.store.segment(row.stream, row.epoch, seq)?;
            let bytes = kept.ok_or_else(missing)?;
            segments.push((open_segment(&bytes, device)?, chain_hash(&bytes)));
        }
        let before = before.transpose()?;
        // A journal of before folded without a checkpoint: there is nothing to begin from.
        if oldest > 1 && before.is_none() {
            return Ok(Some((to, Vec::new())));
        }
        let checkpoint = Checkpoint::fold(before.as_ref(), &segments, now)?;
        Ok(Some((to, checkpoint.seal(&self.device)?)))
    }
}
