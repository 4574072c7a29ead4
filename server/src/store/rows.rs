//! Many rows of one statement: what is spared is the way into the database, not its work.
//!
//! A statement is written for one row, so that it can be read and prepared like any other. Where the
//! way is long, to PostgreSQL, its `VALUES (…)` or its `IN (…)` is repeated here. SQLite inserts row by
//! row: a statement of many rows may fail in their middle, so before each it would write down once more
//! what every page held.

use crate::store::{Engine, Row, StoreError, Tx, Value};

/// Rows of one statement: a longer text costs more to find again than it spares.
pub const CHUNK: usize = 32;

/// Runs `sql` with its `VALUES (…)` for each row; answers how many rows it wrote.
///
/// Names that `shared` gives are the same in all rows; `rows` give the others, in their order.
pub fn insert<const N: usize>(
    tx: &mut dyn Tx,
    sql: &str,
    shared: &[(&str, Value)],
    rows: impl Iterator<Item = [Value; N]>,
) -> Result<u64, StoreError> {
    let statement = (sql, "VALUES ", ")");
    if tx.engine() == Engine::Postgres {
        let (mut rows, mut wrote) = (rows.peekable(), 0);
        while rows.peek().is_some() {
            let (text, mut params) = repeat(statement, shared, rows.by_ref().take(CHUNK))?;
            wrote += tx.execute(&text, &taken(&mut params))?;
        }
        return Ok(wrote);
    }
    let (one, _) = parted(statement)?;
    let is_shared = |name: &&str| shared.iter().any(|(given, _)| given == name);
    let own = names_in(one).filter(|name| !is_shared(name));
    let names: Vec<&str> = shared.iter().map(|(name, _)| *name).chain(own).collect();
    let mut rows = rows.map(|row| {
        let shared = shared.iter().map(|(_, value)| value.clone());
        shared.chain(row).collect()
    });
    tx.execute_each(sql, &names, &mut rows)
}

/// Asks `sql` with the name in its `IN (…)` once for each value, at most [`CHUNK`].
pub fn any_of(
    tx: &mut dyn Tx,
    sql: &str,
    shared: &[(&str, Value)],
    among: impl Iterator<Item = Value>,
) -> Result<Vec<Row>, StoreError> {
    let among = among.map(|value| [value]);
    let (text, mut params) = repeat((sql, "IN (", ""), shared, among)?;
    tx.query(&text, &taken(&mut params))
}

/// Parameters as a statement takes them.
fn taken(params: &mut [(String, Value)]) -> Vec<(&str, Value)> {
    let params = params.iter_mut();
    params
        .map(|(name, value)| (name.as_str(), std::mem::replace(value, Value::Null)))
        .collect()
}

fn broken(sql: &str) -> StoreError {
    StoreError::shape(format!("nothing to repeat in: {sql}"))
}

/// The text between `begin` and the next `)`, and where it starts.
fn parted<'s>((sql, begin, _): (&'s str, &str, &str)) -> Result<(&'s str, usize), StoreError> {
    let from = sql.find(begin).ok_or_else(|| broken(sql))? + begin.len();
    let length = sql[from..].find(')').ok_or_else(|| broken(sql))?;
    Ok((&sql[from..from + length], from))
}

/// The parameters of a text that holds nothing else.
fn names_in(one: &str) -> impl Iterator<Item = &str> {
    one.split(',')
        .map(|name| name.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
}

/// Repeats the text between `begin` and the next `)`, with `end` behind it; answers it with its
/// parameters.
fn repeat<const N: usize>(
    (sql, begin, end): (&str, &str, &str),
    shared: &[(&str, Value)],
    rows: impl Iterator<Item = [Value; N]>,
) -> Result<(String, Vec<(String, Value)>), StoreError> {
    let (one, from) = parted((sql, begin, end))?;
    let tail = &sql[from + one.len() + end.len()..];
    let names: Vec<&str> = names_in(one).collect();
    let own = |name: &&str| !shared.iter().any(|(given, _)| given == name);
    let open = if end.is_empty() { "" } else { "(" };
    let mut text = sql[..from].to_owned();
    let mut params: Vec<(String, Value)> = Vec::with_capacity(CHUNK * N + shared.len());
    for (name, value) in shared {
        params.push(((*name).to_owned(), value.clone()));
    }
    for (at, row) in rows.enumerate() {
        text.push_str(if at == 0 { "" } else { ", " });
        text.push_str(open);
        let mut values = row.into_iter();
        for (column, name) in names.iter().enumerate() {
            text.push_str(if column == 0 { ":" } else { ", :" });
            text.push_str(name);
            if own(name) {
                text.push_str(&format!("_{at}"));
                let value = values.next().ok_or_else(|| broken(sql))?;
                params.push((format!("{name}_{at}"), value));
            }
        }
        text.push_str(end);
    }
    text.push_str(tail);
    Ok((text, params))
}
