//! Writing out what the journal keeps, a row at a time, for anybody with public keys.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::store::{Store, unreadable};
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::meter::{Counts, ExportWriter, Source, open_segment_of_any_device};

const SELECT_STREAMS: &str = "SELECT stream, license FROM stream ORDER BY rowid";
const SELECT_FIRST: &str =
    "SELECT bytes FROM segment WHERE stream = ?1 ORDER BY epoch, seq LIMIT 1";
const SELECT_FOLDS: &str = "SELECT epoch, bytes FROM fold WHERE stream = ?1 ORDER BY epoch";
const SELECT_DOCUMENT: &str = "SELECT bytes FROM document WHERE name = ?1";
const SELECT_SEGMENTS: &str =
    "SELECT epoch, seq, bytes FROM segment WHERE stream = ?1 ORDER BY epoch, seq";
const SELECT_RECEIPT: &str =
    "SELECT bytes FROM receipt WHERE stream = ?1 AND epoch = ?2 AND seq = ?3";

/// Takes the bytes of an export as they come.
pub type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Writes the usage that the folder of a device holds, without changing anything in it and while
/// the product may go on using it. `activation` names the document that vouches for a license's
/// device.
pub(crate) fn export_folder(
    folder: &Path,
    activation: &dyn Fn(LicenseId) -> String,
    out: &mut Sink<'_>,
) -> Result<Counts> {
    require_journal(folder)?;
    let path = folder.join("journal.db");
    let db =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(unreadable)?;
    Store::check_readable(&db)?;
    Exporter { db: &db, out }.run(activation, &|_, _| true)
}

pub(super) struct Exporter<'a, 'b> {
    pub db: &'a Connection,
    pub out: &'a mut Sink<'b>,
}

impl Exporter<'_, '_> {
    /// Writes the streams that `wanted` picks.
    pub fn run(
        &mut self,
        activation: &dyn Fn(LicenseId) -> String,
        wanted: &dyn Fn(StreamId, LicenseId) -> bool,
    ) -> Result<Counts> {
        // One transaction, so that a product that seals meanwhile can't tear the picture.
        self.db.execute_batch("BEGIN").map_err(unreadable)?;
        let written = self.write(activation, wanted);
        self.db.execute_batch("COMMIT").map_err(unreadable)?;
        written
    }

    fn write(
        &mut self,
        activation: &dyn Fn(LicenseId) -> String,
        wanted: &dyn Fn(StreamId, LicenseId) -> bool,
    ) -> Result<Counts> {
        let (mut writer, head) = ExportWriter::begin(Source::Device);
        (self.out)(&head)?;
        for (stream, license) in self.streams()? {
            let Some(first) = self.blob(SELECT_FIRST, [stream.as_bytes()])? else {
                continue;
            };
            if !wanted(stream, license) {
                continue;
            }
            let device = open_segment_of_any_device(&first)
                .map_err(|_| super::damaged("a sealed segment was changed"))?
                .device;
            let bundle = self.blob(SELECT_DOCUMENT, [activation(license)])?;
            (self.out)(&writer.device(device.as_bytes(), bundle.as_deref()))?;
            self.stream(stream, &mut writer)?;
        }
        let counts = writer.counts();
        (self.out)(&writer.end())?;
        Ok(counts)
    }

    fn streams(&self) -> Result<Vec<(StreamId, LicenseId)>> {
        let mut statement = self.db.prepare(SELECT_STREAMS).map_err(unreadable)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows = rows.map_err(unreadable)?.map(|row| {
            let (stream, license) = row.map_err(unreadable)?;
            Ok((StreamId::from_bytes(stream), LicenseId::from_bytes(license)))
        });
        rows.collect()
    }

    /// Each segment, followed by the receipt that vouches for it; those that were folded away are
    /// stood for by a checkpoint before the others of their epoch.
    fn stream(&mut self, stream: StreamId, writer: &mut ExportWriter) -> Result<()> {
        let db = self.db;
        let mut folds = self.folds(stream)?.into_iter().peekable();
        let mut statement = db.prepare(SELECT_SEGMENTS).map_err(unreadable)?;
        let mut rows = statement.query([stream.as_bytes()]).map_err(unreadable)?;
        while let Some(row) = rows.next().map_err(unreadable)? {
            let place = (|| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))();
            let (epoch, seq) = place.map_err(unreadable)?;
            let bytes: Vec<u8> = row.get(2).map_err(unreadable)?;
            while let Some((_, fold)) = folds.next_if(|(of, _)| *of <= epoch) {
                (self.out)(&writer.checkpoint(&fold))?;
            }
            (self.out)(&writer.segment(&bytes))?;
            let receipt = self.blob(SELECT_RECEIPT, params![stream.as_bytes(), epoch, seq])?;
            if let Some(bundle) = receipt {
                (self.out)(&writer.receipt(&bundle))?;
            }
        }
        Ok(())
    }

    fn folds(&self, stream: StreamId) -> Result<Vec<(i64, Vec<u8>)>> {
        let mut statement = self.db.prepare(SELECT_FOLDS).map_err(unreadable)?;
        let rows = statement.query_map([stream.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows = rows.map_err(unreadable)?;
        rows.collect::<rusqlite::Result<_>>().map_err(unreadable)
    }

    fn blob(&self, sql: &str, params: impl rusqlite::Params) -> Result<Option<Vec<u8>>> {
        let found = self.db.query_row(sql, params, |row| row.get(0)).optional();
        found.map_err(unreadable)
    }
}

/// Whether the folder holds a journal at all.
fn require_journal(folder: &Path) -> Result<()> {
    match folder.join("journal.db").is_file() {
        true => Ok(()),
        false => Err(Error::new(
            "journal_missing",
            format!("{} holds no journal of Mintreu", folder.display()),
        )),
    }
}
