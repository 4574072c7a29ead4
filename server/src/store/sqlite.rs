//! SQLite: one writer thread that commits in groups, and a few readers.
//!
//! The writer takes waiting commands first come first served (at most [`GROUP`] or [`WINDOW`]; a
//! lone one never waits), runs each in its own SAVEPOINT inside one `BEGIN IMMEDIATE … COMMIT`
//! with `synchronous=FULL`, and answers all of them only after COMMIT. So one fsync serves many,
//! and nothing is told that the disk doesn't hold. When the whole group's transaction is lost
//! (a full disk inside a savepoint does that), its commands run again singly.

use super::names;
use super::tx::{Engine, Row, StoreError, Tx, Value};
use super::{OpenError, StoreOptions, Vote, Work, migrate, run_guarded};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, ffi};
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commands in one group at most.
const GROUP: usize = 64;
/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 512;
/// How long a group may go on taking commands.
const WINDOW: Duration = Duration::from_millis(20);

pub(super) struct Sqlite {
    path: PathBuf,
    queue: Option<Sender<Box<dyn Work>>>,
    writer: Option<JoinHandle<()>>,
    readers: Mutex<Vec<Connection>>,
    _lock: File,
}

impl Sqlite {
    pub fn open(path: PathBuf, options: &StoreOptions) -> Result<Self, OpenError> {
        let lock = lock_file(&path, &options.holder)?;
        let connection = connect(&path, OpenFlags::default()).map_err(|error| {
            let detail = format!("{} can't be opened: {error}", path.display());
            OpenError::new("database_unwritable", detail)
        })?;
        let (queue, waiting) = channel();
        let writer = std::thread::Builder::new()
            .name("mintreu-writer".to_owned())
            .spawn(move || write_loop(&connection, &waiting))
            .map_err(|error| OpenError::new("runtime_failed", error.to_string()))?;
        Ok(Self {
            path,
            queue: Some(queue),
            writer: Some(writer),
            readers: Mutex::new(Vec::new()),
            _lock: lock,
        })
    }

    pub fn migrate(&self, until: Option<i64>) -> Result<(), OpenError> {
        let connection = connect(&self.path, OpenFlags::default())
            .map_err(|error| OpenError::new("database_failed", error.to_string()))?;
        migrate::sqlite(&connection, until)
    }

    pub fn submit(&self, work: Box<dyn Work>) -> Result<(), StoreError> {
        let closed = || StoreError::shape("the store is closed".to_owned());
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(work).map_err(|_| closed())
    }

    pub fn read<T>(&self, body: &mut dyn FnMut(&mut dyn Tx) -> T) -> Result<T, StoreError> {
        let idle = self.idle_readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                connect(&self.path, flags).map_err(backend)?
            }
        };
        control(&connection, "BEGIN").map_err(backend)?;
        let outcome = body(&mut SqliteTx::new(&connection));
        control(&connection, "ROLLBACK").map_err(backend)?;
        self.idle_readers().push(connection);
        Ok(outcome)
    }

    fn idle_readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        // A panic elsewhere can't leave the list half changed.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        // Without senders the writer finishes what waits, and ends.
        self.queue = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the SQLite writer ended by a panic");
        }
    }
}

/// Takes the lock file beside the database, or says who holds it.
fn lock_file(database: &Path, holder: &str) -> Result<File, OpenError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let unwritable = |error: std::io::Error| {
        let detail = format!("{} can't be written: {error}", database.display());
        OpenError::new("database_unwritable", detail)
    };
    let mut options = File::options();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(unwritable)?;
    if file.try_lock().is_err() {
        let mut by = String::new();
        if file.read_to_string(&mut by).is_err() || by.is_empty() {
            by = "another process".to_owned();
        }
        let detail = format!("{} is in use by {}", database.display(), by.trim());
        return Err(OpenError::new("database_locked", detail));
    }
    file.set_len(0).map_err(unwritable)?;
    file.rewind().map_err(unwritable)?;
    let pid = std::process::id();
    writeln!(file, "{holder} (process {pid})").map_err(unwritable)?;
    Ok(file)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(5))?;
    // A plan holds whatever is bound: otherwise SQLite reads and plans a kept statement anew for
    // each value that a comparison is bound to.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
        connection.execute_batch("PRAGMA temp_store = MEMORY;")?;
    } else {
        // What a savepoint would undo goes to a file past 64 KiB: in memory SQLite would walk
        // through all of it at the end of every statement.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    }
    connection.execute_batch("PRAGMA foreign_keys = ON; PRAGMA cache_size = -16000;")?;
    Ok(connection)
}

/// Begins or ends something, by a statement that is kept: they are said around every read and command.
fn control(connection: &Connection, sql: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.raw_execute().map(drop)
}

fn write_loop(connection: &Connection, waiting: &Receiver<Box<dyn Work>>) {
    while let Ok(first) = waiting.recv() {
        commit_group(connection, first, waiting);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the group's window is the store's own affair and never stored"
)]
fn commit_group(connection: &Connection, first: Box<dyn Work>, waiting: &Receiver<Box<dyn Work>>) {
    if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
        return first.answer(Err(backend(error)));
    }
    let started = Instant::now();
    let mut group: Vec<(Box<dyn Work>, Result<(), StoreError>)> = Vec::new();
    let mut next = Some(first);
    while let Some(mut work) = next.take() {
        let end = run_in_savepoint(connection, &mut *work);
        group.push((work, end));
        if connection.is_autocommit() {
            return run_singly(connection, group);
        }
        if group.len() < GROUP && started.elapsed() < WINDOW {
            next = waiting.try_recv().ok();
        }
    }
    match commit(connection) {
        Ok(()) => {
            for (work, end) in group {
                work.answer(end);
            }
        }
        Err(StoreError::OutcomeUnknown) => {
            for (work, _) in group {
                work.answer(Err(StoreError::OutcomeUnknown));
            }
        }
        Err(_) => run_singly(connection, group),
    }
}

/// The group's transaction is gone and nothing of it was written: each command gets its own.
fn run_singly(connection: &Connection, group: Vec<(Box<dyn Work>, Result<(), StoreError>)>) {
    for (mut work, _) in group {
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        let end = begun.map_err(backend).and_then(|()| {
            let end = run_in_savepoint(connection, &mut *work);
            if connection.is_autocommit() {
                let lost = || StoreError::shape("the transaction was lost".to_owned());
                return end.and_then(|()| Err(lost()));
            }
            commit(connection).and(end)
        });
        work.answer(end);
    }
}

/// Commits; an error other than `OutcomeUnknown` means that nothing was written.
fn commit(connection: &Connection) -> Result<(), StoreError> {
    let Err(error) = connection.execute_batch("COMMIT") else {
        return Ok(());
    };
    tracing::error!(%error, "COMMIT failed");
    if connection.is_autocommit() {
        // SQLite ended the transaction itself, and the log may or may not have reached the disk.
        return Err(StoreError::OutcomeUnknown);
    }
    match connection.execute_batch("ROLLBACK") {
        Ok(()) => Err(backend(error)),
        Err(_) => Err(StoreError::OutcomeUnknown),
    }
}

fn run_in_savepoint(connection: &Connection, work: &mut dyn Work) -> Result<(), StoreError> {
    loop {
        control(connection, "SAVEPOINT command").map_err(backend)?;
        let mut tx = SqliteTx::new(connection);
        let vote = run_guarded(work, &mut tx);
        let over = tx.over;
        if connection.is_autocommit() {
            return Err(StoreError::shape("the transaction was lost".to_owned()));
        }
        if matches!(vote, Ok(Vote::Commit)) && !over {
            return control(connection, "RELEASE command").map_err(backend);
        }
        control(connection, "ROLLBACK TO command").map_err(backend)?;
        control(connection, "RELEASE command").map_err(backend)?;
        match vote {
            Ok(Vote::Again) => {}
            Ok(Vote::Rollback) => return Ok(()),
            Ok(Vote::Commit) => return Err(over_error()),
            Err(panic) => return Err(panic),
        }
    }
}

/// A transaction on a connection of the caller's own: for migrations.
pub(super) fn tx_on(connection: &Connection) -> impl Tx + '_ {
    SqliteTx::new(connection)
}

fn over_error() -> StoreError {
    StoreError::shape("the transaction went on after an error".to_owned())
}

struct SqliteTx<'c> {
    connection: &'c Connection,
    /// A statement failed: PostgreSQL would refuse all further ones, so this does too.
    over: bool,
}

impl<'c> SqliteTx<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            over: false,
        }
    }

    fn run(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<(Vec<Row>, u64), StoreError> {
        if self.over {
            return Err(over_error());
        }
        let outcome = self.attempt(sql, params);
        self.over = outcome.is_err();
        outcome
    }

    fn attempt(&self, sql: &str, params: &[(&str, Value)]) -> Result<(Vec<Row>, u64), StoreError> {
        let failed = |error| translate(error, sql);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let Words { names, columns } = words_of(&statement, sql);
        for (index, value) in names::bind(&names, params)?.into_iter().enumerate() {
            bind(&mut statement, index, value).map_err(failed)?;
        }
        let count = columns.len();
        let before = self.connection.total_changes();
        let mut answer = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = answer.next().map_err(failed)? {
            let mut values = Vec::with_capacity(count);
            for index in 0..count {
                values.push(decode(row.get_ref(index).map_err(failed)?, sql)?);
            }
            rows.push(Row::new(columns.clone(), values));
        }
        drop(answer);
        let changed = match self.connection.total_changes() - before {
            0 => 0,
            // Cascades and triggers count in the total; the statement's own count is meant.
            _ => self.connection.changes(),
        };
        Ok((rows, changed))
    }

    fn attempt_each(
        &self,
        sql: &str,
        names: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Value>>,
    ) -> Result<u64, StoreError> {
        let failed = |error| translate(error, sql);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let places = names::places(&words_of(&statement, sql).names, names)?;
        let mut changed = 0;
        for row in rows {
            for (index, place) in places.iter().enumerate() {
                let value = row.get(*place).unwrap_or(&Value::Null);
                names::no_nul(value)?;
                bind(&mut statement, index, value).map_err(failed)?;
            }
            changed += statement.raw_execute().map_err(failed)? as u64;
        }
        Ok(changed)
    }
}

/// Gives a statement the value of the parameter that is the `index`th by its number.
fn bind(statement: &mut Statement<'_>, index: usize, value: &Value) -> rusqlite::Result<()> {
    match value {
        Value::Null => statement.raw_bind_parameter(index + 1, rusqlite::types::Null),
        Value::Int(int) => statement.raw_bind_parameter(index + 1, int),
        Value::Text(text) => statement.raw_bind_parameter(index + 1, text),
        Value::Blob(blob) => statement.raw_bind_parameter(index + 1, blob),
    }
}

/// What a statement calls its parameters, in the order of their numbers, and its columns.
#[derive(Clone)]
struct Words {
    names: Arc<[String]>,
    columns: Arc<[String]>,
}

thread_local! {
    /// The words of statements: SQLite walks through all names for each one it is asked for, and
    /// every row of an answer shares its columns.
    static WORDS: RefCell<HashMap<String, Words, foldhash::fast::RandomState>> = RefCell::default();
}

fn words_of(statement: &Statement<'_>, sql: &str) -> Words {
    WORDS.with_borrow_mut(|known| {
        // With `SELECT *` a migration between two askings may have added a column.
        let fits = |words: &&Words| words.columns.len() == statement.column_count();
        if let Some(words) = known.get(sql).filter(fits) {
            return words.clone();
        }
        let name = |index| {
            let name = statement.parameter_name(index).unwrap_or("?");
            name.trim_start_matches(':').to_owned()
        };
        let words = Words {
            names: (1..=statement.parameter_count()).map(name).collect(),
            columns: statement.column_names().map(str::to_owned).collect(),
        };
        if known.len() >= STATEMENTS {
            known.clear();
        }
        known.insert(sql.to_owned(), words.clone());
        words
    })
}

impl Tx for SqliteTx<'_> {
    fn query(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<Vec<Row>, StoreError> {
        self.run(sql, params).map(|(rows, _)| rows)
    }

    fn execute(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<u64, StoreError> {
        self.run(sql, params).map(|(_, changed)| changed)
    }

    fn execute_each(
        &mut self,
        sql: &str,
        names: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Value>>,
    ) -> Result<u64, StoreError> {
        if self.over {
            return Err(over_error());
        }
        let outcome = self.attempt_each(sql, names, rows);
        self.over = outcome.is_err();
        outcome
    }

    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        let prepared = self.connection.prepare(sql);
        prepared.map(drop).map_err(|error| translate(error, sql))
    }
}

fn decode(value: ValueRef<'_>, sql: &str) -> Result<Value, StoreError> {
    match value {
        ValueRef::Null => Ok(Value::Null),
        ValueRef::Integer(int) => Ok(Value::Int(int)),
        ValueRef::Text(bytes) => String::from_utf8(bytes.to_vec())
            .map(Value::Text)
            .map_err(|error| StoreError::Backend(Box::new(error))),
        ValueRef::Blob(bytes) => Ok(Value::Blob(bytes.to_vec())),
        ValueRef::Real(_) => Err(StoreError::shape(format!("a float came from: {sql}"))),
    }
}

fn backend(error: rusqlite::Error) -> StoreError {
    StoreError::Backend(Box::new(error))
}

fn translate(error: rusqlite::Error, sql: &str) -> StoreError {
    if let rusqlite::Error::SqliteFailure(failure, Some(message)) = &error
        && failure.code == ErrorCode::ConstraintViolation
        && let Some(constraint) = conflict(failure.extended_code, message)
    {
        return StoreError::Conflict { constraint };
    }
    StoreError::shape(format!("{error} in: {sql}"))
}

/// `UNIQUE constraint failed: t.a, t.b` as PostgreSQL would name the constraint.
fn conflict(code: i32, message: &str) -> Option<String> {
    let columns = message.strip_prefix("UNIQUE constraint failed: ")?;
    let mut table = "";
    let mut names = Vec::new();
    for column in columns.split(", ") {
        let (of, name) = column.split_once('.')?;
        table = of;
        names.push(name);
    }
    Some(match code {
        ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            names::primary_key(table)
        }
        _ => names::unique_constraint(table, &names),
    })
}
