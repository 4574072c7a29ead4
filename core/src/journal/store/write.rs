//! What may be written in one transaction.

use rusqlite::{Transaction, params};

use super::schema::*;
use super::{
    CellKind, Cells, KEPT_SEGMENTS, StreamRow, digest8, durable_digest, mix, signed, sum_name,
    unwritable,
};
use crate::error::Result;
use crate::id::StreamId;
use crate::meter::Event;

/// What may be written in one transaction.
pub(crate) struct Write<'a> {
    pub(super) tx: &'a Transaction<'a>,
}

impl Write<'_> {
    pub fn state(&self, name: &str, value: &[u8]) -> Result<()> {
        let digest = digest8(&[name.as_bytes(), value]);
        self.run(UPSERT_STATE, params![name, value, digest])
    }

    pub fn clear(&self, name: &str) -> Result<()> {
        self.run(DELETE_STATE, [name])
    }

    pub fn document(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.run(UPSERT_DOCUMENT, params![name, bytes])
    }

    pub fn forget_document(&self, name: &str) -> Result<()> {
        self.run(DELETE_DOCUMENT, [name])
    }

    pub fn stream(&self, row: &StreamRow) -> Result<()> {
        let values = params![
            row.stream.as_bytes(),
            row.license.as_bytes(),
            row.product,
            signed(row.epoch)?,
            signed(row.seq)?,
            row.head,
            signed(row.acked)?,
            signed(row.send)?,
            row.digest(),
        ];
        self.run(UPSERT_STREAM, values)
    }

    /// Writes the cells of a stream that changed, and the sum over all that finds a missing row.
    pub fn cells(&self, stream: StreamId, known: &Cells, changed: &Cells) -> Result<()> {
        let mut sum = [0; 8];
        for (key, cell) in known {
            mix(&mut sum, &cell.digest(key));
        }
        for (key, cell) in changed {
            if let Some(before) = known.get(key) {
                mix(&mut sum, &before.digest(key));
            }
            mix(&mut sum, &cell.digest(key));
            let (base, sealed, acked) = (
                signed(cell.base)?,
                signed(cell.sealed)?,
                signed(cell.acked)?,
            );
            let digest = cell.digest(key);
            self.run(
                UPSERT_CELL,
                params![key, base, sealed, acked, digest, stream.as_bytes()],
            )?;
        }
        self.state(&sum_name(stream), &sum)
    }

    pub fn segment(&self, row: &StreamRow, bytes: &[u8]) -> Result<()> {
        let (epoch, seq) = (signed(row.epoch)?, signed(row.seq)?);
        self.run(
            INSERT_SEGMENT,
            params![row.stream.as_bytes(), epoch, seq, row.head, bytes],
        )
    }

    /// Keeps a receipt and forgets what is acknowledged and older than [`KEPT_SEGMENTS`].
    pub fn receipt(&self, row: &StreamRow, seq: u64, bytes: &[u8]) -> Result<()> {
        let (epoch, seq) = (signed(row.epoch)?, signed(seq)?);
        self.run(
            INSERT_RECEIPT,
            params![row.stream.as_bytes(), epoch, seq, bytes],
        )?;
        let stream = row.stream.as_bytes();
        self.run(PRUNE_SEGMENTS, params![stream, epoch, KEPT_SEGMENTS])?;
        self.run(PRUNE_FOLDS, params![stream, epoch])?;
        self.run(PRUNE_RECEIPTS, params![stream, epoch, seq, KEPT_SEGMENTS])?;
        Ok(())
    }

    /// Puts a checkpoint in the place of the segments up to `to`; no bytes where there is none.
    pub fn fold(&self, row: &StreamRow, to: u64, checkpoint: &[u8]) -> Result<()> {
        let (stream, epoch) = (row.stream.as_bytes(), signed(row.epoch)?);
        if !checkpoint.is_empty() {
            self.run(UPSERT_FOLD, params![stream, epoch, checkpoint])?;
        }
        self.run(FOLD_SEGMENTS, params![stream, epoch, signed(to)?])
    }

    /// Remembers a cell's value where a power cut can't take it; never a lower one.
    ///
    /// Words of 64 bits are kept as they are: those of allowances compare as whole numbers as long
    /// as their windows' numbers have 23 bits, which they have for ages.
    pub fn durable(&self, kind: CellKind, key: &[u8], value: u64) -> Result<()> {
        let digest = durable_digest(kind, key, value);
        let state = signed(kind.state())?;
        self.run(
            UPSERT_DURABLE,
            params![state, key, value.cast_signed(), digest],
        )
    }

    /// Keeps an event, unless one with its id waits already.
    pub fn event(&self, stream: StreamId, event: &Event) -> Result<()> {
        let bytes = event.to_bytes()?;
        let digest = digest8(&[&bytes]);
        self.run(
            INSERT_EVENT,
            params![stream.as_bytes(), event.id(), bytes, digest],
        )
    }

    /// From the oldest to the newest event that is kept, how many numbers.
    pub fn waiting_events(&self) -> Result<i64> {
        self.tx
            .query_row(SPAN_EVENTS, [], |row| row.get(0))
            .map_err(unwritable)
    }

    /// The segment with this number carries these events.
    pub fn seal_events(&self, events: &[i64], seq: u64) -> Result<()> {
        let seq = signed(seq)?;
        events
            .iter()
            .try_for_each(|event| self.run(SEAL_EVENT, params![event, seq]))
    }

    /// Events that no receipt vouches for are to be carried again, in a new epoch.
    pub fn events_again(&self, stream: StreamId, disputed: bool) -> Result<()> {
        self.run(
            EVENTS_AGAIN,
            params![stream.as_bytes(), i64::from(disputed)],
        )
    }

    /// Events recorded before there was a stream belong to the first.
    pub fn move_events(&self, from: StreamId, to: StreamId) -> Result<()> {
        self.run(MOVE_EVENTS, params![from.as_bytes(), to.as_bytes()])
    }

    /// Forgets events that a receipt vouches for.
    pub fn forget_events(&self, stream: StreamId, acked: u64) -> Result<()> {
        self.run(DELETE_EVENTS, params![stream.as_bytes(), signed(acked)?])
    }

    /// Takes back segments that were never sent: all after `seq`.
    pub fn unseal(&self, row: &StreamRow, seq: u64) -> Result<()> {
        let (stream, seq) = (row.stream.as_bytes(), signed(seq)?);
        self.run(UNSEAL_EVENTS, params![stream, seq])?;
        self.run(DELETE_SEGMENTS, params![stream, signed(row.epoch)?, seq])
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let mut statement = self.tx.prepare_cached(sql).map_err(unwritable)?;
        statement.execute(params).map_err(unwritable)?;
        Ok(())
    }
}
