//! Sealing segments, sending them in order, and believing receipts.

use super::counters::{Counters, Mark};
use super::recovery::{begin_epoch, count_slots, read};
use super::store::{CellRow, Cells, StreamRow};
use super::{CURRENT_STREAM, Inner, Journal};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::meter::{
    CellKey, Condition, GENESIS, OpeningReason, Receipt, Segment, TimeQuality, Total, chain_hash,
    open_segment, seal_segment, stream_id,
};
use crate::time::Timestamp;

/// The instant a segment is sealed at, and how far it can be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealTime {
    pub at: Timestamp,
    pub quality: TimeQuality,
}

/// What one cell has counted, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellUsage {
    /// Whose use, of what meter, split how.
    pub key: CellKey,
    /// Units counted on this device since it began, over all epochs and licenses.
    pub counted: u64,
    /// Of these, units in sealed segments.
    pub sealed: u64,
    /// Of these, units the server has acknowledged.
    pub acknowledged: u64,
}

impl Journal {
    /// Continues, or begins, the stream of this device's use of `license`.
    ///
    /// What was counted before the first activation belongs to the first stream; when the license
    /// changes, what was counted so far is sealed under the old one first.
    pub fn use_license(&self, license: LicenseId, product: &str, time: SealTime) -> Result<()> {
        let mut inner = self.lock()?;
        let stream = stream_id(inner.device.public(), license);
        if inner
            .stream
            .as_ref()
            .is_some_and(|row| row.stream == stream)
        {
            return Ok(());
        }
        if inner.stream.is_some() {
            inner.seal(&self.counters, time)?;
        }
        match inner.store.stream(stream)? {
            Some(row) => inner.return_to(&self.counters, row),
            None => inner.begin_stream(
                &self.counters,
                StreamRow {
                    stream,
                    license,
                    product: product.to_owned(),
                    epoch: 1,
                    seq: 0,
                    head: GENESIS,
                    acked: 0,
                    send: 1,
                },
            ),
        }
    }

    /// The sealed segment that is to be sent next, and whether it was sealed just now.
    ///
    /// Its bytes are on the disk before this returns and are the same each time.
    pub fn next_segment(&self, time: SealTime, may_seal: bool) -> Result<Option<(Vec<u8>, bool)>> {
        let mut inner = self.lock()?;
        let mut sealed = false;
        loop {
            if let Some(row) = inner.unsent()? {
                match inner.store.segment(row.stream, row.epoch, row.send)? {
                    Some(bytes) => return Ok(Some((bytes, sealed))),
                    None => inner.cannot_resend(&self.counters, row, time.at)?,
                }
            } else if may_seal && inner.seal(&self.counters, time)? {
                sealed = true;
            } else {
                return Ok(None);
            }
        }
    }

    /// Believes a receipt whose signature was verified. `refused` is whether it came as a 409.
    pub fn acknowledge(
        &self,
        receipt: &Receipt,
        bundle: &[u8],
        refused: bool,
        now: Timestamp,
    ) -> Result<()> {
        let mut inner = self.lock()?;
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
            inner.believe(StreamRow { send, ..row }, at.seq, bundle)?;
        } else if send != row.send {
            inner.send_from(row, send)?;
        }
        Ok(())
    }

    /// What every cell has counted, in the order of the keys.
    pub fn usage(&self) -> Result<Vec<CellUsage>> {
        let inner = self.lock()?;
        let mut usage = Vec::new();
        for (key, slot) in count_slots(&self.counters, &mut Vec::new()) {
            let row = inner.cells.get(&key).copied().unwrap_or_default();
            usage.push(CellUsage {
                key: CellKey::from_bytes(&key)?,
                counted: read(&self.counters, slot),
                sealed: row.sealed,
                acknowledged: row.acked,
            });
        }
        usage.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(usage)
    }
}

impl Inner {
    /// The oldest stream with something to send.
    fn unsent(&self) -> Result<Option<StreamRow>> {
        match self.store.unsent()?.first() {
            Some(&stream) => self.store.stream(stream),
            None => Ok(None),
        }
    }

    fn is_current(&self, row: &StreamRow) -> bool {
        self.stream
            .as_ref()
            .is_some_and(|current| current.stream == row.stream)
    }

    /// The server asks for a segment that was folded away: the stream begins again, and the
    /// server works out what is owed. A stream that was left behind is given up.
    fn cannot_resend(&mut self, counters: &Counters, row: StreamRow, now: Timestamp) -> Result<()> {
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

    /// Seals what changed since the last segment; `false` when nothing did.
    fn seal(&mut self, counters: &Counters, time: SealTime) -> Result<bool> {
        let Some(row) = self.stream.clone() else {
            return Ok(false);
        };
        let mut totals = Vec::new();
        let mut cells = Cells::new();
        for (key, slot) in count_slots(counters, &mut Vec::new()) {
            let value = read(counters, slot);
            let known = self.cells.get(&key).copied().unwrap_or_default();
            if value > known.sealed {
                let units = value - known.base;
                totals.push(Total {
                    key: CellKey::from_bytes(&key)?,
                    units,
                });
                cells.insert(
                    key,
                    CellRow {
                        sealed: value,
                        ..known
                    },
                );
            }
        }
        if totals.is_empty() {
            return Ok(false);
        }
        totals.sort_by(|a, b| a.key.cmp(&b.key));
        let segment = Segment {
            product: row.product.clone(),
            device: *self.device.public(),
            license: row.license,
            stream: row.stream,
            epoch: row.epoch,
            seq: row.seq + 1,
            prev: row.head,
            totals,
            sealed_at: time.at,
            time_quality: time.quality,
            opening: None,
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: Condition::default(),
        };
        let bytes = seal_segment(&segment, &self.device)?;
        let next = StreamRow {
            seq: segment.seq,
            head: chain_hash(&bytes),
            ..row
        };
        self.commit_segment(counters, next, &bytes, cells)?;
        Ok(true)
    }

    /// Writes a segment with all it changes in one transaction, then the mark outside it.
    pub(super) fn commit_segment(
        &mut self,
        counters: &Counters,
        row: StreamRow,
        bytes: &[u8],
        cells: Cells,
    ) -> Result<()> {
        let known = &self.cells;
        self.store.write(|tx| {
            tx.segment(&row, bytes)?;
            tx.cells(row.stream, known, &cells)?;
            tx.stream(&row)
        })?;
        self.cells.extend(cells);
        counters.set_mark(&row.mark());
        self.stream = Some(row);
        Ok(())
    }

    /// Begins a stream. What was counted before the first activation belongs to the first one; a
    /// later one begins where the one before was sealed.
    fn begin_stream(&mut self, counters: &Counters, row: StreamRow) -> Result<()> {
        let first = self.stream.is_none();
        let cell = |known: &CellRow| match first {
            true => *known,
            false => CellRow {
                base: known.sealed,
                ..*known
            },
        };
        let cells = self
            .cells
            .iter()
            .map(|(key, known)| (key.clone(), cell(known)))
            .collect();
        self.switch(counters, row, Cells::new(), cells)
    }

    /// Continues a stream that was left for another: what was counted in between is not its own.
    fn return_to(&mut self, counters: &Counters, row: StreamRow) -> Result<()> {
        let known = self.store.cells(row.stream)?;
        let mut cells = Cells::new();
        for (key, now) in &self.cells {
            let then = known.get(key).copied().unwrap_or_default();
            let elsewhere = now.sealed.saturating_sub(then.sealed);
            cells.insert(
                key.clone(),
                CellRow {
                    base: then.base + elsewhere,
                    sealed: then.sealed + elsewhere,
                    acked: then.acked + elsewhere,
                },
            );
        }
        self.switch(counters, row, known, cells)
    }

    fn switch(
        &mut self,
        counters: &Counters,
        row: StreamRow,
        known: Cells,
        cells: Cells,
    ) -> Result<()> {
        self.store.write(|tx| {
            tx.cells(row.stream, &known, &cells)?;
            tx.stream(&row)?;
            tx.state(CURRENT_STREAM, row.stream.as_bytes())
        })?;
        self.cells = cells;
        counters.set_mark(&row.mark());
        self.stream = Some(row);
        Ok(())
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
    fn believe(&mut self, row: StreamRow, seq: u64, bundle: &[u8]) -> Result<()> {
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
        self.store.write(|tx| {
            tx.cells(row.stream, &known, &cells)?;
            tx.receipt(&row, seq, bundle)?;
            tx.stream(&row)
        })?;
        if current {
            self.cells.extend(cells);
            self.stream = Some(row);
        }
        Ok(())
    }
}

impl StreamRow {
    pub(super) fn mark(&self) -> Mark {
        let (epoch, seq, head) = (self.epoch, self.seq, self.head);
        Mark {
            epoch,
            seq,
            head,
            stream: *self.stream.as_bytes(),
        }
    }
}
