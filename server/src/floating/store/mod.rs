//! The host's own SQLite file: which device has which seat until when, and what was seen of time.
//!
//! One connection holds the file for itself as long as the host runs (`locking_mode=EXCLUSIVE`),
//! so a second host on the same folder is refused, and one that was killed leaves no lock behind.
//! `synchronous=FULL`: what a transaction committed survives a loss of power.

mod sql;

use mintreu::clock::Watch;
use mintreu::id::{ActivationId, LicenseId};
use mintreu::{Error, Result};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// How long a host waits for the one before it to be gone.
const BUSY: Duration = Duration::from_secs(2);

/// A seat that is kept for a device. Instants are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// From 1.
    pub number: u32,
    /// The device's key.
    pub device: [u8; 32],
    /// The activation that was answered.
    pub activation: ActivationId,
    /// Since when.
    pub taken_at: i64,
    /// The first second at which it is free.
    pub ends_at: i64,
    /// Whether the device asked to have it for longer than a lease.
    pub borrowed: bool,
    /// SHA-256 of the last request that was answered.
    pub request: [u8; 32],
    /// Its answer.
    pub answer: Vec<u8>,
}

/// The open file.
pub struct SeatStore {
    connection: Connection,
}

/// Seats as one transaction sees and changes them.
pub struct Book<'a> {
    tx: Transaction<'a>,
}

fn failed(error: &rusqlite::Error) -> Error {
    let code = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let detail = "another host works in this folder; stop it or choose another --dir";
            return Error::new("host_busy", detail);
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => "seats_damaged",
        _ => "seats_io",
    };
    Error::new(code, format!("the file of seats can't be used: {error}"))
}

impl From<rusqlite::Error> for super::host::Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(failed(&error))
    }
}

impl SeatStore {
    /// Opens or makes the file for one license.
    ///
    /// `host_busy`, `seats_damaged`, `seats_io`, or `dir_of_another_license` while devices still
    /// have seats of another license in it.
    pub fn open(path: &Path, license: LicenseId, now: i64) -> Result<Self> {
        let mut connection = prepared(path).map_err(|error| failed(&error))?;
        let sound = sql::check(&connection).map_err(|error| failed(&error))?;
        if !sound {
            let detail = "the file of seats is damaged; move it away to begin anew";
            return Err(Error::new("seats_damaged", detail));
        }
        let known = begin_with(&mut connection, license, now).map_err(|error| failed(&error))?;
        if !known {
            return Err(Error::new(
                "dir_of_another_license",
                "devices still have seats of another license in this folder; choose another --dir",
            ));
        }
        Ok(Self { connection })
    }

    /// The watch as it was kept last.
    pub fn watch(&self) -> Result<Watch> {
        let words = sql::watch(&self.connection).map_err(|error| failed(&error))?;
        Ok(words.map_or_else(Watch::default, |words| Watch::from_words(&words)))
    }

    /// Runs `change` in one transaction, which is undone when it fails.
    pub fn transact<T, E: From<rusqlite::Error>>(
        &mut self,
        change: impl FnOnce(&Book<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tx = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let book = Book { tx };
        let done = change(&book)?;
        book.tx.commit()?;
        Ok(done)
    }
}

fn prepared(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(sql::PRAGMAS)?;
    // Takes the lock, which is kept from here on.
    connection.execute_batch(sql::SCHEMA)?;
    Ok(connection)
}

/// Whether the file is this license's, or nobody has a seat of another in it any more.
fn begin_with(connection: &mut Connection, license: LicenseId, now: i64) -> rusqlite::Result<bool> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = sql::license(&tx)?;
    if before.is_some_and(|before| before != *license.as_bytes()) {
        if sql::seats(&tx)?.iter().any(|seat| seat.ends_at > now) {
            return Ok(false);
        }
        sql::clear(&tx)?;
    }
    sql::set_license(&tx, license.as_bytes())?;
    tx.commit()?;
    Ok(true)
}

impl Book<'_> {
    /// Every seat that is kept, by number.
    pub fn seats(&self) -> rusqlite::Result<Vec<Seat>> {
        sql::seats(&self.tx)
    }

    /// The seat of a device.
    pub fn of_device(&self, device: &[u8; 32]) -> rusqlite::Result<Option<Seat>> {
        sql::of_device(&self.tx, device)
    }

    /// The lowest number up to `seats` that nobody has.
    pub fn free_number(&self, seats: u32) -> rusqlite::Result<Option<u32>> {
        let taken = sql::numbers(&self.tx)?;
        let mut taken = taken.iter().copied().peekable();
        for number in 1..=seats {
            if taken.next_if_eq(&number).is_none() {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The earliest end of a kept seat.
    pub fn next_end(&self) -> rusqlite::Result<Option<i64>> {
        sql::next_end(&self.tx)
    }

    /// Writes a seat, in place of the device's former state.
    pub fn put(&self, seat: &Seat) -> rusqlite::Result<()> {
        sql::put(&self.tx, seat)
    }

    /// Frees a device's seat.
    pub fn free(&self, device: &[u8; 32]) -> rusqlite::Result<()> {
        sql::free(&self.tx, device)
    }

    /// Frees the seats whose time is over at `now`, and tells which they were.
    pub fn end_leases(&self, now: i64) -> rusqlite::Result<Vec<Seat>> {
        sql::end_leases(&self.tx, now)
    }

    /// Keeps the watch with what else is written.
    pub fn keep(&self, watch: &Watch) -> rusqlite::Result<()> {
        sql::keep_watch(&self.tx, &watch.to_words())
    }
}
