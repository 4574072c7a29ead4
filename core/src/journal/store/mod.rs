//! The journal's SQLite file: everything a device must not forget, written with `FULL` syncs.
//!
//! Rows that no signature covers carry a digest, and the digests of all cells are summed, so that
//! a flipped bit or a lost row is found when the file is opened and not when a bill is wrong.
//!
//! # Invariants
//!
//! * What `write` returned from is on the disk; after a failure the connection is given up.
//! * A row of `durable` never falls.
//! * A segment's bytes hash to what the row says, and no two segments have one place.

use std::cell::Cell;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};

mod rows;
mod schema;
mod write;

pub(crate) use rows::{CellRow, Cells, EventRow, StreamRow};
use rows::{digest8, durable_digest, mix, read_stream, sum_name};
use schema::*;
pub(crate) use write::Write;

use super::export::{Exporter, Sink};
use super::{CellKind, damaged};
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::meter::{ChainHash, Counts, MAX_EVENTS};

/// How many acknowledged segments are kept, for a server that is restored from a backup and for
/// the customer's own verification.
pub(crate) const KEPT_SEGMENTS: i64 = 1024;

/// For how long a statement waits for another process.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// An open journal file.
pub(crate) struct Store {
    db: Connection,
    /// The code of the failure after which this connection is not to be used again.
    failed: Cell<Option<&'static str>>,
}

impl Store {
    /// Opens or makes the file at `path`; every kind of damage that can be seen is named.
    pub fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path).map_err(unreadable)?;
        let store = Self {
            db,
            failed: Cell::new(None),
        };
        store.prepare().map_err(unreadable)?;
        store.migrate()?;
        Ok(store)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        self.db.busy_timeout(PATIENCE)?;
        self.db.pragma_update(None, "journal_mode", "WAL")?;
        self.db.pragma_update(None, "synchronous", "FULL")?;
        self.db.pragma_update(None, "trusted_schema", "OFF")?;
        self.db.pragma_update(None, "cell_size_check", "ON")
    }

    /// Whether an open database is a journal that this version can read.
    pub fn check_readable(db: &Connection) -> Result<()> {
        let pragma = |name: &str| {
            db.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(unreadable)
        };
        match (pragma("application_id")?, pragma("user_version")?) {
            (APPLICATION, 1..=SCHEMA_VERSION) => Ok(()),
            (APPLICATION, newer) => Err(newer_journal(newer)),
            _ => Err(damaged("the journal file is not a journal of Mintreu")),
        }
    }

    fn migrate(&self) -> Result<()> {
        let steps = match (self.pragma("application_id")?, self.pragma("user_version")?) {
            (0, 0) => [SCHEMA, SECOND].concat(),
            (APPLICATION, 1) => SECOND.to_owned(),
            (APPLICATION, SCHEMA_VERSION) => return Ok(()),
            (APPLICATION, newer) => {
                return Err(newer_journal(newer));
            }
            _ => return Err(damaged("the journal file is not a journal of Mintreu")),
        };
        let all = format!(
            "BEGIN IMMEDIATE; {steps} PRAGMA application_id = {APPLICATION};
             PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        );
        self.db.execute_batch(&all).map_err(unreadable)
    }

    fn pragma(&self, name: &str) -> Result<i64> {
        self.db
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(unreadable)
    }

    /// Changes whenever somebody else has written to the file.
    pub fn version(&self) -> Result<i64> {
        self.pragma("data_version")
    }

    /// Reads several things as they are at one moment, whoever writes meanwhile.
    pub fn at_once<T>(&self, read: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        self.db.execute_batch("BEGIN").map_err(unreadable)?;
        let outcome = read(self);
        self.db.execute_batch("COMMIT").map_err(unreadable)?;
        outcome
    }

    /// Runs `work` in one transaction that is on the disk when this returns.
    pub fn write<T>(&mut self, work: impl FnOnce(&Write<'_>) -> Result<T>) -> Result<T> {
        let outcome = self.transact(work);
        if let Err(error) = &outcome
            && ["disk_full", "journal_io"].contains(&error.code())
        {
            self.failed.set(Some(error.code()));
        }
        outcome
    }

    fn transact<T>(&mut self, work: impl FnOnce(&Write<'_>) -> Result<T>) -> Result<T> {
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(unwritable)?;
        let outcome = work(&Write { tx: &tx })?;
        tx.commit().map_err(unwritable)?;
        Ok(outcome)
    }

    /// Whether, and with which code, writing has failed.
    pub fn failed(&self) -> Option<&'static str> {
        self.failed.get()
    }

    /// What was acknowledged as durable of every cell.
    pub fn durable(&self) -> Result<Vec<(CellKind, Vec<u8>, u64)>> {
        let rows = self.rows(SELECT_DURABLE, [], |row| {
            let kind: i64 = row.get(0)?;
            let value = row.get::<_, i64>(2)?.cast_unsigned();
            Ok((
                kind,
                row.get::<_, Vec<u8>>(1)?,
                value,
                row.get::<_, Vec<u8>>(3)?,
            ))
        })?;
        let changed = || damaged("the journal's record of a durable count was changed");
        let read = |(kind, key, value, digest): (i64, Vec<u8>, u64, Vec<u8>)| {
            let kind = u64::try_from(kind).ok().and_then(CellKind::from_state);
            let kind = kind.ok_or_else(changed)?;
            match digest == durable_digest(kind, &key, value) {
                true => Ok((kind, key, value)),
                false => Err(changed()),
            }
        };
        rows.into_iter().map(read).collect()
    }

    /// Events of a stream that no segment up to `sealed` carries, oldest first: their numbers,
    /// whether they are disputed, and their bytes.
    pub fn events(&self, stream: StreamId, sealed: u64) -> Result<Vec<EventRow>> {
        let from = (stream.as_bytes(), signed(sealed)?, MAX_EVENTS as i64);
        let rows = self.rows(SELECT_EVENTS, from, |row| {
            let event = EventRow {
                id: row.get(0)?,
                disputed: row.get::<_, i64>(1)? != 0,
                bytes: row.get(2)?,
            };
            Ok((event, row.get::<_, Vec<u8>>(3)?))
        })?;
        let whole = |(event, digest): (EventRow, Vec<u8>)| match digest == digest8(&[&event.bytes])
        {
            true => Ok(event),
            false => Err(damaged("a recorded event was changed")),
        };
        rows.into_iter().map(whole).collect()
    }

    /// How many events of a stream no segment carries; at most a little more than `enough`.
    pub fn unsealed_events(&self, stream: StreamId, enough: i64) -> Result<i64> {
        self.db
            .query_row(COUNT_EVENTS, params![stream.as_bytes(), enough], |row| {
                row.get(0)
            })
            .map_err(unreadable)
    }

    /// A small named value; `journal_damaged` when its digest does not fit.
    pub fn state(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let row: Option<(Vec<u8>, Vec<u8>)> = self
            .db
            .query_row(SELECT_STATE, [name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .map_err(unreadable)?;
        row.map(
            |(value, digest)| match digest == digest8(&[name.as_bytes(), &value]) {
                true => Ok(value),
                false => Err(damaged("a stored value was changed outside the engine")),
            },
        )
        .transpose()
    }

    /// A named counter, 0 when it was never set.
    pub fn number(&self, name: &str) -> Result<i64> {
        let Some(bytes) = self.state(name)? else {
            return Ok(0);
        };
        let bytes = bytes
            .try_into()
            .map_err(|_| damaged("a stored number has a wrong length"))?;
        Ok(i64::from_be_bytes(bytes))
    }

    /// Every installed document with its name.
    pub fn documents(&self) -> Result<Vec<(String, Vec<u8>)>> {
        self.rows(SELECT_DOCUMENTS, [], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// One stream.
    pub fn stream(&self, stream: StreamId) -> Result<Option<StreamRow>> {
        let found = self
            .db
            .query_row(SELECT_STREAM, [stream.as_bytes()], |row| {
                Ok((read_stream(row)?, row.get::<_, Vec<u8>>(8)?))
            })
            .optional()
            .map_err(unreadable)?;
        found
            .map(|(row, digest)| match digest == row.digest() {
                true => Ok(row),
                false => Err(damaged("the state of a usage stream was changed")),
            })
            .transpose()
    }

    /// The streams with sealed segments that no receipt vouches for, oldest first.
    pub fn unsent(&self) -> Result<Vec<StreamId>> {
        let ids: Vec<[u8; 16]> = self.rows(SELECT_UNSENT, [], |row| row.get(0))?;
        Ok(ids.into_iter().map(StreamId::from_bytes).collect())
    }

    /// The cells of one stream by their keys; a changed or missing row is `journal_damaged`.
    pub fn cells(&self, stream: StreamId) -> Result<Cells> {
        let rows = self.rows(SELECT_CELLS, [stream.as_bytes()], |row| {
            let cell = CellRow {
                base: unsigned(row.get(1)?)?,
                sealed: unsigned(row.get(2)?)?,
                acked: unsigned(row.get(3)?)?,
            };
            Ok((row.get::<_, Vec<u8>>(0)?, cell, row.get::<_, Vec<u8>>(4)?))
        })?;
        let mut sum = [0; 8];
        let mut cells = Cells::with_capacity(rows.len());
        for (key, cell, digest) in rows {
            if digest != cell.digest(&key) {
                return Err(damaged("the journal's record of a count was changed"));
            }
            mix(&mut sum, &digest);
            cells.insert(key, cell);
        }
        let expected = self.state(&sum_name(stream))?.unwrap_or_else(|| vec![0; 8]);
        if expected != sum {
            return Err(damaged("the journal's record of a count is missing"));
        }
        Ok(cells)
    }

    /// The chain hash of one own segment, when it is kept.
    pub fn hash(&self, stream: StreamId, epoch: u64, seq: u64) -> Result<Option<ChainHash>> {
        self.db
            .query_row(
                SELECT_HASH,
                params![stream.as_bytes(), signed(epoch)?, signed(seq)?],
                |row| row.get(0),
            )
            .optional()
            .map_err(unreadable)
    }

    /// One own segment's bytes, when it is kept; changed bytes are `journal_damaged`.
    pub fn segment(&self, stream: StreamId, epoch: u64, seq: u64) -> Result<Option<Vec<u8>>> {
        let row: Option<(ChainHash, Vec<u8>)> = self
            .db
            .query_row(
                SELECT_SEGMENT,
                params![stream.as_bytes(), signed(epoch)?, signed(seq)?],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(unreadable)?;
        row.map(
            |(hash, bytes)| match crate::meter::chain_hash(&bytes) == hash {
                true => Ok(bytes),
                false => Err(damaged("a sealed segment was changed")),
            },
        )
        .transpose()
    }

    /// Writes out what is kept of one device's streams.
    pub fn export(
        &self,
        activation: &dyn Fn(LicenseId) -> String,
        wanted: &dyn Fn(StreamId, LicenseId) -> bool,
        out: &mut Sink<'_>,
    ) -> Result<Counts> {
        Exporter { db: &self.db, out }.run(activation, wanted)
    }

    /// The number of the oldest kept segment of an epoch.
    pub fn oldest(&self, stream: StreamId, epoch: u64) -> Result<Option<u64>> {
        let oldest: Option<i64> = self
            .db
            .query_row(
                SELECT_OLDEST,
                params![stream.as_bytes(), signed(epoch)?],
                |row| row.get(0),
            )
            .map_err(unreadable)?;
        oldest.map(unsigned).transpose().map_err(unreadable)
    }

    /// The checkpoint of an epoch, if any of it was folded.
    pub fn checkpoint(&self, stream: StreamId, epoch: u64) -> Result<Option<Vec<u8>>> {
        let place = params![stream.as_bytes(), signed(epoch)?];
        let found = self.db.query_row(SELECT_FOLD, place, |row| row.get(0));
        found.optional().map_err(unreadable)
    }

    /// The checkpoints of a stream, by epoch.
    pub fn checkpoints(&self, stream: StreamId) -> Result<Vec<Vec<u8>>> {
        self.rows(SELECT_FOLDS, [stream.as_bytes()], |row| row.get(0))
    }

    /// Every stream there was, each with its license.
    pub fn streams(&self) -> Result<Vec<(StreamId, LicenseId)>> {
        self.rows(SELECT_STREAM_LICENSES, [], |row| {
            let (stream, license) = (row.get(0)?, row.get(1)?);
            Ok((StreamId::from_bytes(stream), LicenseId::from_bytes(license)))
        })
    }

    /// Writes the file anew, so that nothing of a deleted row is left in it or in its log.
    pub fn wipe_deleted(&self) -> Result<()> {
        self.db.execute_batch("VACUUM").map_err(unwritable)?;
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(unwritable)
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.db.prepare_cached(sql).map_err(unreadable)?;
        let rows = statement.query_map(params, read).map_err(unreadable)?;
        rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
    }
}

fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| damaged("a number passed what the journal can hold"))
}

fn unsigned(value: i64) -> rusqlite::Result<u64> {
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}

fn newer_journal(version: i64) -> Error {
    Error::new(
        "journal_newer",
        format!("the journal has version {version}: a newer version of the product wrote it"),
    )
}

pub(super) fn unreadable(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(
            rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::ReadOnly
            | rusqlite::ErrorCode::PermissionDenied
            | rusqlite::ErrorCode::SystemIoFailure,
        ) => Error::new("journal_io", format!("could not open the journal: {error}")),
        Some(rusqlite::ErrorCode::DiskFull) => {
            Error::new("disk_full", format!("could not open the journal: {error}"))
        }
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
            super::busy()
        }
        _ => Error::new(
            "journal_damaged",
            format!(
                "the journal file is damaged ({error}); move the folder aside and activate again"
            ),
        ),
    }
}

fn unwritable(error: rusqlite::Error) -> Error {
    let code = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => "disk_full",
        _ => "journal_io",
    };
    Error::new(
        code,
        format!("could not write the journal, so nothing was sealed: {error}"),
    )
}
