//! Which stream is continued, and what of its cells belongs to it.

use super::counters::Counters;
use super::sealing::{Occasion, SEALED_AT, SealTime};
use super::session::Inner;
use super::store::{CellRow, Cells, StreamRow};
use super::{CURRENT_STREAM, Journal, NO_STREAM};
use crate::error::Result;
use crate::id::LicenseId;
use crate::meter::{GENESIS, stream_id};
use crate::time::Timestamp;

impl Journal {
    /// Continues, or begins, the stream of this device's use of `license`.
    ///
    /// What was counted before the first activation belongs to the first stream; when the license
    /// changes, what was counted so far is sealed under the old one first.
    pub fn use_license(&self, license: LicenseId, product: &str, time: SealTime) -> Result<()> {
        let mut inner = self.turn()?;
        let stream = stream_id(inner.device.public(), license);
        if inner
            .stream
            .as_ref()
            .is_some_and(|row| row.stream == stream)
        {
            return Ok(());
        }
        if inner.stream.is_some() {
            inner.seal(&self.counters, time, Occasion::Usage)?;
        }
        match inner.store.stream(stream)? {
            Some(row) => inner.return_to(&self.counters, row),
            None => inner.begin_stream(
                &self.counters,
                time.at,
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
}

impl Inner {
    /// Begins a stream. What was counted before the first activation belongs to the first one; a
    /// later one begins where the one before was sealed.
    fn begin_stream(&mut self, counters: &Counters, now: Timestamp, row: StreamRow) -> Result<()> {
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
        self.store.write(|tx| {
            tx.move_events(NO_STREAM, row.stream)?;
            tx.state(SEALED_AT, &now.ms().to_be_bytes())
        })?;
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
}
