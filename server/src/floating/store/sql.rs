//! Every statement of the host's file.

use super::Seat;
use mintreu::clock::Watch;
use mintreu::id::ActivationId;
use rusqlite::{Connection, OptionalExtension, Row, params};

pub const PRAGMAS: &str = "\
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;";

pub const SCHEMA: &str = "\
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS seat (
    number INTEGER PRIMARY KEY,
    device BLOB NOT NULL UNIQUE,
    activation BLOB NOT NULL UNIQUE,
    taken_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    borrowed INTEGER NOT NULL,
    request BLOB NOT NULL,
    answer BLOB NOT NULL
) STRICT;
COMMIT;";

const CHECK: &str = "PRAGMA quick_check(1)";
const KEPT: &str = "SELECT value FROM kept WHERE name = ?1";
const KEEP: &str = "\
INSERT INTO kept (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
const CLEAR: &str = "DELETE FROM seat";
const SEATS: &str = "\
SELECT number, device, activation, taken_at, ends_at, borrowed, request, answer
FROM seat ORDER BY number";
const NUMBERS: &str = "SELECT number FROM seat ORDER BY number";
const OF_DEVICE: &str = "\
SELECT number, device, activation, taken_at, ends_at, borrowed, request, answer
FROM seat WHERE device = ?1";
const NEXT_END: &str = "SELECT MIN(ends_at) FROM seat";
const PUT: &str = "\
INSERT INTO seat (number, device, activation, taken_at, ends_at, borrowed, request, answer)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (device) DO UPDATE SET number = ?1, activation = ?3, taken_at = ?4, ends_at = ?5,
    borrowed = ?6, request = ?7, answer = ?8";
const FREE: &str = "DELETE FROM seat WHERE device = ?1";
const END_LEASES: &str = "\
DELETE FROM seat WHERE ends_at <= ?1
RETURNING number, device, activation, taken_at, ends_at, borrowed, request, answer";

const LICENSE: &str = "license";
const WATCH: &str = "watch";

fn seat(row: &Row<'_>) -> rusqlite::Result<Seat> {
    Ok(Seat {
        number: row.get(0)?,
        device: row.get(1)?,
        activation: ActivationId::from_bytes(row.get(2)?),
        taken_at: row.get(3)?,
        ends_at: row.get(4)?,
        borrowed: row.get(5)?,
        request: row.get(6)?,
        answer: row.get(7)?,
    })
}

/// Whether the file is whole.
pub fn check(connection: &Connection) -> rusqlite::Result<bool> {
    let said: String = connection.query_row(CHECK, [], |row| row.get(0))?;
    Ok(said == "ok")
}

fn kept<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<T>> {
    let found = connection.query_row(KEPT, [name], |row| row.get(0));
    found.optional()
}

pub fn license(connection: &Connection) -> rusqlite::Result<Option<[u8; 16]>> {
    kept(connection, LICENSE)
}

pub fn set_license(connection: &Connection, license: &[u8; 16]) -> rusqlite::Result<()> {
    connection
        .execute(KEEP, params![LICENSE, license])
        .map(drop)
}

pub fn watch(connection: &Connection) -> rusqlite::Result<Option<[u64; Watch::WORDS]>> {
    let bytes: Option<Vec<u8>> = kept(connection, WATCH)?;
    Ok(bytes.and_then(|bytes| {
        let mut words = [0; Watch::WORDS];
        let whole = bytes.len() == words.len() * 8;
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        whole.then_some(words)
    }))
}

pub fn keep_watch(connection: &Connection, words: &[u64; Watch::WORDS]) -> rusqlite::Result<()> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    connection.execute(KEEP, params![WATCH, bytes]).map(drop)
}

pub fn clear(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(CLEAR, []).map(drop)
}

pub fn seats(connection: &Connection) -> rusqlite::Result<Vec<Seat>> {
    let mut statement = connection.prepare_cached(SEATS)?;
    statement.query_map([], seat)?.collect()
}

pub fn numbers(connection: &Connection) -> rusqlite::Result<Vec<u32>> {
    let mut statement = connection.prepare_cached(NUMBERS)?;
    statement.query_map([], |row| row.get(0))?.collect()
}

pub fn of_device(connection: &Connection, device: &[u8; 32]) -> rusqlite::Result<Option<Seat>> {
    let mut statement = connection.prepare_cached(OF_DEVICE)?;
    statement.query_row([device], seat).optional()
}

pub fn next_end(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row(NEXT_END, [], |row| row.get(0))
}

pub fn put(connection: &Connection, seat: &Seat) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(PUT)?;
    let written = statement.execute(params![
        seat.number,
        seat.device,
        seat.activation.as_bytes(),
        seat.taken_at,
        seat.ends_at,
        seat.borrowed,
        seat.request,
        seat.answer,
    ]);
    written.map(drop)
}

pub fn free(connection: &Connection, device: &[u8; 32]) -> rusqlite::Result<()> {
    connection.execute(FREE, [device]).map(drop)
}

pub fn end_leases(connection: &Connection, now: i64) -> rusqlite::Result<Vec<Seat>> {
    let mut statement = connection.prepare_cached(END_LEASES)?;
    statement.query_map([now], seat)?.collect()
}
