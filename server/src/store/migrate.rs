//! Brings a database's schema up to date: forward only, one transaction a file.
//!
//! `migrations/0001_name.sql` is the shared dialect (BIGINT, TEXT, BYTEA) for both engines;
//! `0001_name.sqlite.sql` and `0001_name.postgres.sql` stand where they must differ. Each file's
//! checksum is kept, so that a changed file is noticed, and a database that a newer Mintreu
//! wrote is refused.

use super::OpenError;
use super::postgres::PgTx;
use super::tx::{Engine, StoreError, Tx, Value};
use sha2::{Digest, Sha256};

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum BYTEA NOT NULL)";
const APPLIED: &str = "SELECT version, name, checksum FROM schema_migration ORDER BY version";
/// As many rows as SQLite takes a table to have of which it knows nothing.
const ROWS: i64 = 1_048_576;
/// Looking at a table makes the table of figures anew, and other connections read the schema again.
const FORGET_SIZES: &str = "DROP TABLE IF EXISTS sqlite_stat1; ANALYZE schema_migration;
    DELETE FROM sqlite_stat1;";
const INDEXES_OF_TENANTS: &str = "SELECT t.name AS table_name, i.name AS index_name,
        i.\"unique\" AS is_unique, (SELECT COUNT(*) FROM pragma_index_info(i.name)) AS columns
    FROM sqlite_schema t JOIN pragma_index_list(t.name) i
    WHERE t.type = 'table'
        AND (SELECT name FROM pragma_index_info(i.name) WHERE seqno = 0) = 'tenant_id'";
const TELL_SIZE: &str =
    "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :figures)";
const RECORD: &str = "INSERT INTO schema_migration (version, name, checksum)
    VALUES (:version, :name, :checksum)";

struct Migration {
    version: i64,
    name: &'static str,
    sql: &'static str,
    checksum: Vec<u8>,
}

/// The files for `engine`, in order.
fn files(engine: Engine) -> Result<Vec<Migration>, OpenError> {
    let (ours, other) = match engine {
        Engine::Sqlite => (".sqlite.sql", ".postgres.sql"),
        Engine::Postgres => (".postgres.sql", ".sqlite.sql"),
    };
    let mut list: Vec<Migration> = Vec::new();
    for (file, sql) in FILES.iter().filter(|(file, _)| !file.ends_with(other)) {
        let name = file
            .strip_suffix(ours)
            .or(file.strip_suffix(".sql"))
            .unwrap_or(file);
        let version = name
            .split('_')
            .next()
            .and_then(|digits| digits.parse().ok());
        let version = version.ok_or_else(|| broken(format!("{file} has no number")))?;
        if list.iter().any(|known| known.version == version) {
            return Err(broken(format!("two migrations have the number {version}")));
        }
        let checksum = Sha256::digest(sql.as_bytes()).to_vec();
        list.push(Migration {
            version,
            name,
            sql,
            checksum,
        });
    }
    Ok(list)
}

fn broken(detail: String) -> OpenError {
    OpenError::new("database_failed", detail)
}

/// The names of the files that `engine` would run on an empty database: for tests and `migrate`.
pub fn pending_of(engine: Engine) -> Result<Vec<&'static str>, OpenError> {
    Ok(files(engine)?.iter().map(|file| file.name).collect())
}

/// What is still to run up to a number, after what was run was found unchanged.
fn pending(tx: &mut dyn Tx, until: Option<i64>) -> Result<Vec<Migration>, OpenError> {
    let rows = tx.query(APPLIED, &[]).map_err(failed)?;
    let mut known = files(tx.engine())?;
    for row in rows {
        let version = row.int("version").map_err(failed)?;
        let name = row.text("name").map_err(failed)?;
        let Some(at) = known.iter().position(|file| file.version == version) else {
            let detail = format!("a newer Mintreu wrote this database: it holds {name}; upgrade");
            return Err(OpenError::new("database_newer", detail));
        };
        let file = known.remove(at);
        if file.checksum != row.blob("checksum").map_err(failed)? {
            let detail = format!("migration {name} is not the one this database was built with");
            return Err(OpenError::new("database_changed", detail));
        }
    }
    known.retain(|file| until.is_none_or(|last| file.version <= last));
    Ok(known)
}

fn failed(error: StoreError) -> OpenError {
    broken(error.to_string())
}

fn record(tx: &mut dyn Tx, file: &Migration) -> Result<(), OpenError> {
    let params = [
        ("version", Value::Int(file.version)),
        ("name", file.name.into()),
        ("checksum", file.checksum.as_slice().into()),
    ];
    tx.execute(RECORD, &params).map(drop).map_err(failed)
}

pub(super) fn sqlite(
    connection: &rusqlite::Connection,
    until: Option<i64>,
) -> Result<(), OpenError> {
    let run = |sql: &str| {
        let done = connection.execute_batch(sql);
        done.map_err(|error| broken(format!("{error} in: {sql}")))
    };
    run(&for_sqlite(CREATE))?;
    let todo = pending(&mut super::sqlite::tx_on(connection), until)?;
    let changes = !todo.is_empty();
    // A table can only be rebuilt while nobody checks who points at it; the check follows.
    run("PRAGMA foreign_keys = OFF")?;
    for file in todo {
        tracing::info!(migration = file.name, "migrating");
        run("BEGIN IMMEDIATE")?;
        let done = run(&for_sqlite(file.sql))
            .and_then(|()| record(&mut super::sqlite::tx_on(connection), &file))
            .and_then(|()| no_dangling_keys(connection, file.name))
            .and_then(|()| run("COMMIT"));
        if let Err(error) = done {
            run("ROLLBACK")?;
            return Err(broken(format!("migration {}: {}", file.name, error.detail)));
        }
    }
    run("PRAGMA foreign_keys = ON")?;
    if changes {
        run("BEGIN IMMEDIATE")?;
        let planned = run(FORGET_SIZES).and_then(|()| tell_sizes(connection).map_err(failed));
        if let Err(error) = planned.and_then(|()| run("COMMIT")) {
            run("ROLLBACK")?;
            return Err(error);
        }
    }
    Ok(())
}

/// Tells SQLite's planner what it can't know before it has seen rows: that a tenant has nearly all
/// rows of a table. Left to guess it takes them for ten, and walks all orders of a shop where an
/// index on the order's number lies ready. The figures never change with the rows, and neither do
/// the plans: what tests see is what runs. (SQLite, "The ANALYZE command", fixed results.)
fn tell_sizes(connection: &rusqlite::Connection) -> Result<(), StoreError> {
    let mut tx = super::sqlite::tx_on(connection);
    for index in tx.query(INDEXES_OF_TENANTS, &[])? {
        let (columns, unique) = (index.int("columns")?, index.int("is_unique")? == 1);
        // Of a prefix: all rows of a tenant, then ten, nine, eight …
        let rows = |column: i64| match column {
            1 => ROWS,
            last if unique && last == columns => 1,
            other => (12 - other).max(5),
        };
        let mut figures = ROWS.to_string();
        for column in 1..=columns {
            figures.push_str(&format!(" {}", rows(column)));
        }
        let params = [
            ("table", Value::Text(index.text("table_name")?)),
            ("index", Value::Text(index.text("index_name")?)),
            ("figures", figures.into()),
        ];
        tx.execute(TELL_SIZE, &params)?;
    }
    Ok(())
}

fn no_dangling_keys(connection: &rusqlite::Connection, name: &str) -> Result<(), OpenError> {
    let dangling = connection
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| check.exists([]))
        .map_err(|error| broken(error.to_string()))?;
    if dangling {
        return Err(broken(format!("{name} leaves rows that point nowhere")));
    }
    Ok(())
}

pub(super) fn postgres(tx: &mut PgTx<'_>, until: Option<i64>) -> Result<(), OpenError> {
    // Two servers may start at once; the second waits and then finds nothing to do.
    tx.batch("SELECT pg_advisory_lock(hashtextextended(current_schema() || '/migrate', 0))")
        .map_err(failed)?;
    let outcome = postgres_locked(tx, until);
    let unlocked = tx.batch("SELECT pg_advisory_unlock_all()").map_err(failed);
    outcome.and(unlocked)
}

fn postgres_locked(tx: &mut PgTx<'_>, until: Option<i64>) -> Result<(), OpenError> {
    tx.batch(&for_postgres(CREATE)).map_err(failed)?;
    for file in pending(tx, until)? {
        tracing::info!(migration = file.name, "migrating");
        tx.batch("BEGIN").map_err(failed)?;
        let done = tx
            .batch(&for_postgres(file.sql))
            .map_err(failed)
            .and_then(|()| record(tx, &file))
            .and_then(|()| tx.batch("COMMIT").map_err(failed));
        if let Err(error) = done {
            tx.batch("ROLLBACK").map_err(failed)?;
            return Err(broken(format!("migration {}: {}", file.name, error.detail)));
        }
    }
    Ok(())
}

/// The shared dialect in PostgreSQL's words: text compares by bytes, as on SQLite.
fn for_postgres(sql: &str) -> String {
    translate(
        sql,
        |word| (word == "TEXT").then_some("TEXT COLLATE \"C\""),
        "",
    )
}

/// The shared dialect in SQLite's words, with column types enforced.
fn for_sqlite(sql: &str) -> String {
    let word = |word: &str| match word {
        "BIGINT" => Some("INTEGER"),
        "BYTEA" => Some("BLOB"),
        _ => None,
    };
    translate(sql, word, " STRICT")
}

/// Replaces whole words outside quotes and comments, and ends each CREATE TABLE with `suffix`.
fn translate(sql: &str, word: impl Fn(&str) -> Option<&'static str>, suffix: &str) -> String {
    let mut out = String::with_capacity(sql.len() * 2);
    let (mut rest, mut previous, mut first_words) = (sql, String::new(), String::new());
    while let Some(start) = rest.chars().next() {
        let length = token_length(rest, start);
        let (token, after) = rest.split_at(length);
        rest = after;
        if start == ';' {
            if first_words == "CREATE TABLE" {
                out.push_str(suffix);
            }
            first_words.clear();
        }
        if start.is_ascii_alphabetic() {
            // In CAST(x AS TEXT) a type stands alone.
            let replaced = if previous == "AS" { None } else { word(token) };
            out.push_str(replaced.unwrap_or(token));
            if first_words.is_empty() {
                token.clone_into(&mut first_words);
            } else if first_words == "CREATE" {
                first_words = format!("CREATE {token}");
            }
            token.clone_into(&mut previous);
        } else {
            out.push_str(token);
        }
    }
    if first_words == "CREATE TABLE" {
        out.push_str(suffix);
    }
    out
}

fn token_length(rest: &str, start: char) -> usize {
    let until = |end: &str, from: usize| {
        rest[from..]
            .find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    match start {
        '\'' => until("'", 1),
        '"' => until("\"", 1),
        '-' if rest.starts_with("--") => until("\n", 2),
        // A function's body is one quoted text.
        '$' if rest.starts_with("$$") => until("$$", 2),
        _ if start.is_ascii_alphabetic() => rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len()),
        _ => start.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shared_dialect_becomes_each_engine_s() {
        let shared = "CREATE TABLE t ( -- BIGINT; here
            a BIGINT, b TEXT DEFAULT 'TEXT;', c BYTEA);
            CREATE INDEX i ON t (CAST(a AS TEXT)); CREATE TABLE u (a BIGINT)";
        let sqlite = for_sqlite(shared);
        assert!(sqlite.contains("a INTEGER, b TEXT DEFAULT 'TEXT;', c BLOB) STRICT;"));
        assert!(sqlite.contains("-- BIGINT; here") && sqlite.ends_with("(a INTEGER) STRICT"));
        let postgres = for_postgres(shared);
        assert!(postgres.contains("b TEXT COLLATE \"C\" DEFAULT 'TEXT;'"));
        assert!(postgres.contains("CAST(a AS TEXT)") && !postgres.contains("STRICT"));
    }

    #[test]
    fn both_engines_run_the_same_numbers() {
        let numbers = |engine| -> Vec<i64> {
            files(engine)
                .unwrap()
                .iter()
                .map(|file| file.version)
                .collect()
        };
        assert_eq!(numbers(Engine::Sqlite), numbers(Engine::Postgres));
    }
}
