//! The journal's SQLite file: everything a device must not forget, written with `FULL` syncs.
//!
//! Rows that no signature covers carry a digest, and the digests of all cells are summed, so that
//! a flipped bit or a lost row is found when the file is opened and not when a bill is wrong.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use sha2::{Digest, Sha256};

use super::damaged;
use super::export::{Exporter, Sink};
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::meter::{ChainHash, Counts};

const APPLICATION: i64 = 0x4d54_4a31;
const SCHEMA_VERSION: i64 = 1;
const SCHEMA: &str = "
    CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE document (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
    CREATE TABLE stream (
        stream BLOB PRIMARY KEY, license BLOB NOT NULL, product TEXT NOT NULL,
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, head BLOB NOT NULL,
        acked INTEGER NOT NULL, send INTEGER NOT NULL, digest BLOB NOT NULL) STRICT;
    CREATE TABLE cell (
        stream BLOB NOT NULL, key BLOB NOT NULL, base INTEGER NOT NULL,
        sealed INTEGER NOT NULL, acked INTEGER NOT NULL, digest BLOB NOT NULL,
        PRIMARY KEY (stream, key)) STRICT;
    CREATE TABLE segment (
        id INTEGER PRIMARY KEY, stream BLOB NOT NULL, epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL, hash BLOB NOT NULL, bytes BLOB NOT NULL,
        UNIQUE (stream, epoch, seq)) STRICT;
    CREATE TABLE receipt (
        id INTEGER PRIMARY KEY, stream BLOB NOT NULL, epoch INTEGER NOT NULL,
        seq INTEGER NOT NULL, bytes BLOB NOT NULL, UNIQUE (stream, epoch, seq)) STRICT;
";
const SELECT_STATE: &str = "SELECT value, digest FROM state WHERE name = ?1";
const UPSERT_STATE: &str = "INSERT INTO state (name, value, digest) VALUES (?1, ?2, ?3)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, digest = excluded.digest";
const DELETE_STATE: &str = "DELETE FROM state WHERE name = ?1";
const SELECT_DOCUMENTS: &str = "SELECT name, bytes FROM document ORDER BY name";
const UPSERT_DOCUMENT: &str = "INSERT INTO document (name, bytes) VALUES (?1, ?2)
    ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes";
const DELETE_DOCUMENT: &str = "DELETE FROM document WHERE name = ?1";
const SELECT_STREAM: &str = "SELECT stream, license, product, epoch, seq, head, acked, send, digest
    FROM stream WHERE stream = ?1";
const UPSERT_STREAM: &str = "INSERT INTO stream
    (stream, license, product, epoch, seq, head, acked, send, digest)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (stream) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq,
        head = excluded.head, acked = excluded.acked, send = excluded.send,
        digest = excluded.digest";
const SELECT_CELLS: &str = "SELECT key, base, sealed, acked, digest FROM cell WHERE stream = ?1";
const SELECT_UNSENT: &str = "SELECT stream FROM stream WHERE send <= seq ORDER BY rowid";
const UPSERT_CELL: &str = "INSERT INTO cell (key, base, sealed, acked, digest, stream)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (stream, key) DO UPDATE SET base = excluded.base,
        sealed = excluded.sealed, acked = excluded.acked, digest = excluded.digest";
const INSERT_SEGMENT: &str =
    "INSERT INTO segment (stream, epoch, seq, hash, bytes) VALUES (?1, ?2, ?3, ?4, ?5)";
const SELECT_HASH: &str = "SELECT hash FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq = ?3";
const SELECT_SEGMENT: &str =
    "SELECT hash, bytes FROM segment WHERE stream = ?1 AND epoch = ?2 AND seq = ?3";
const INSERT_RECEIPT: &str = "INSERT INTO receipt (stream, epoch, seq, bytes)
    VALUES (?1, ?2, ?3, ?4) ON CONFLICT (stream, epoch, seq) DO NOTHING";
const PRUNE_SEGMENTS: &str = "DELETE FROM segment WHERE stream = ?1 AND
    (epoch < ?2 AND id <= (SELECT MAX(id) FROM segment) - ?4 OR epoch = ?2 AND seq <= ?3 - ?4)";
const PRUNE_RECEIPTS: &str = "DELETE FROM receipt WHERE stream = ?1 AND
    (epoch < ?2 AND id <= (SELECT MAX(id) FROM receipt) - ?4 OR epoch = ?2 AND seq < ?3 - ?4)";

/// How many acknowledged segments are kept, for a server that is restored from a backup and for
/// the customer's own verification.
pub(crate) const KEPT_SEGMENTS: i64 = 1024;

/// How far one stream is sealed, acknowledged and to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub stream: StreamId,
    pub license: LicenseId,
    pub product: String,
    pub epoch: u64,
    pub seq: u64,
    pub head: ChainHash,
    /// The highest sequence number of this epoch that a receipt vouches for.
    pub acked: u64,
    /// The next sequence number of this epoch to send.
    pub send: u64,
}

/// What the journal knows of one cell, in the cell's own absolute units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CellRow {
    /// The cell's value when the epoch began.
    pub base: u64,
    /// Its value in the last segment that carries it.
    pub sealed: u64,
    /// Its value in the last acknowledged segment that carries it.
    pub acked: u64,
}

/// The cells of one stream by their keys.
pub(crate) type Cells = HashMap<Vec<u8>, CellRow>;

/// An open journal file.
pub(crate) struct Store {
    db: Connection,
}

impl Store {
    /// Opens or makes the file at `path`; every kind of damage that can be seen is named.
    pub fn open(path: &Path) -> Result<Self> {
        let db = Connection::open(path).map_err(unreadable)?;
        let store = Self { db };
        store.prepare().map_err(unreadable)?;
        store.migrate()?;
        Ok(store)
    }

    fn prepare(&self) -> rusqlite::Result<()> {
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
            (APPLICATION, SCHEMA_VERSION) => Ok(()),
            (APPLICATION, newer) => Err(Error::new(
                "journal_newer",
                format!("the journal has version {newer}: a newer version of the product wrote it"),
            )),
            _ => Err(damaged("the journal file is not a journal of Mintreu")),
        }
    }

    fn migrate(&self) -> Result<()> {
        let pragma = |name: &str| {
            self.db
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .map_err(unreadable)
        };
        match (pragma("application_id")?, pragma("user_version")?) {
            (0, 0) => self
                .db
                .execute_batch(&format!(
                    "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION};
                     PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                ))
                .map_err(unreadable),
            _ => Self::check_readable(&self.db),
        }
    }

    /// Runs `work` in one transaction that is on the disk when this returns.
    pub fn write<T>(&mut self, work: impl FnOnce(&Write<'_>) -> Result<T>) -> Result<T> {
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(unwritable)?;
        let outcome = work(&Write { tx: &tx })?;
        tx.commit().map_err(unwritable)?;
        Ok(outcome)
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

/// What may be written in one transaction.
pub(crate) struct Write<'a> {
    tx: &'a Transaction<'a>,
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
        for prune in [PRUNE_SEGMENTS, PRUNE_RECEIPTS] {
            self.run(
                prune,
                params![row.stream.as_bytes(), epoch, seq, KEPT_SEGMENTS],
            )?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let mut statement = self.tx.prepare_cached(sql).map_err(unwritable)?;
        statement.execute(params).map_err(unwritable)?;
        Ok(())
    }
}

impl StreamRow {
    fn digest(&self) -> Vec<u8> {
        let numbers = [self.epoch, self.seq, self.acked, self.send].map(u64::to_be_bytes);
        digest8(&[
            self.stream.as_bytes(),
            self.license.as_bytes(),
            numbers.as_flattened(),
            &self.head,
            self.product.as_bytes(),
        ])
    }
}

impl CellRow {
    /// A cell of whose `value` nothing is left to report.
    pub fn reported(value: u64) -> Self {
        Self {
            base: value,
            sealed: value,
            acked: value,
        }
    }

    fn digest(&self, key: &[u8]) -> Vec<u8> {
        let numbers = [self.base, self.sealed, self.acked].map(u64::to_be_bytes);
        digest8(&[numbers.as_flattened(), key])
    }
}

fn read_stream(row: &rusqlite::Row<'_>) -> rusqlite::Result<StreamRow> {
    Ok(StreamRow {
        stream: StreamId::from_bytes(row.get(0)?),
        license: LicenseId::from_bytes(row.get(1)?),
        product: row.get(2)?,
        epoch: unsigned(row.get(3)?)?,
        seq: unsigned(row.get(4)?)?,
        head: row.get(5)?,
        acked: unsigned(row.get(6)?)?,
        send: unsigned(row.get(7)?)?,
    })
}

fn sum_name(stream: StreamId) -> String {
    format!("cells of {stream}")
}

fn digest8(parts: &[&[u8]]) -> Vec<u8> {
    let digest = parts
        .iter()
        .fold(Sha256::new(), |d, part| d.chain_update(part));
    digest.finalize()[..8].to_vec()
}

fn mix(sum: &mut [u8; 8], digest: &[u8]) {
    for (byte, other) in sum.iter_mut().zip(digest) {
        *byte ^= other;
    }
}

fn signed(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| damaged("a number passed what the journal can hold"))
}

fn unsigned(value: i64) -> rusqlite::Result<u64> {
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}

pub(super) fn unreadable(error: rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(
            rusqlite::ErrorCode::CannotOpen
            | rusqlite::ErrorCode::ReadOnly
            | rusqlite::ErrorCode::PermissionDenied
            | rusqlite::ErrorCode::DiskFull
            | rusqlite::ErrorCode::SystemIoFailure,
        ) => Error::new("journal_io", format!("could not open the journal: {error}")),
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
    Error::new(
        "journal_io",
        format!("could not write the journal, so nothing was sealed: {error}"),
    )
}
