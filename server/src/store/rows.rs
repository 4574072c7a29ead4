//! Many rows in one statement: what is spared is the way into the database, not its work.
//!
//! A statement is written for one row, so that it can be read and prepared like any other; its
//! `VALUES (…)` or its `IN (…)` is repeated here.

use crate::store::{Row, StoreError, Tx, Value};

/// Rows of one statement: a longer text costs more to find again than it spares.
pub const CHUNK: usize = 32;

/// Runs `sql` with its `VALUES (…)` once for each row, at most [`CHUNK`]; answers how many rows it
/// wrote.
///
/// Names that `shared` gives are the same in all rows; `rows` give the others, in their order.
pub fn insert<const N: usize>(
    tx: &mut dyn Tx,
    sql: &str,
    shared: &[(&str, Value)],
    rows: impl Iterator<Item = [Value; N]>,
) -> Result<u64, StoreError> {
    let (text, mut params) = repeat((sql, "VALUES ", ")"), shared, rows)?;
    tx.execute(&text, &taken(&mut params))
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

/// Repeats the text between `begin` and the next `)`, with `end` behind it; answers it with its
/// parameters.
fn repeat<const N: usize>(
    (sql, begin, end): (&str, &str, &str),
    shared: &[(&str, Value)],
    rows: impl Iterator<Item = [Value; N]>,
) -> Result<(String, Vec<(String, Value)>), StoreError> {
    let broken = || StoreError::shape(format!("nothing to repeat in: {sql}"));
    let from = sql.find(begin).ok_or_else(broken)? + begin.len();
    let length = sql[from..].find(')').ok_or_else(broken)?;
    let (one, tail) = (&sql[from..from + length], &sql[from + length + end.len()..]);
    let names: Vec<&str> = one
        .split(',')
        .map(|name| name.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .collect();
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
                let value = values.next().ok_or_else(broken)?;
                params.push((format!("{name}_{at}"), value));
            }
        }
        text.push_str(end);
    }
    text.push_str(tail);
    Ok((text, params))
}
