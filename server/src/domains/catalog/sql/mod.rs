//! All SQL of the catalog, one text for both engines.
//!
//! Rows of one kind go together in batches: [`insert_rows`] joins a named head and as many rows
//! of parameters as there are.

pub(super) mod categories;
pub(super) mod counts;
pub(super) mod imports;
pub(super) mod listing;
pub(super) mod products;
pub(super) mod sellers;

use crate::store::{StoreError, Tx, Value};

/// Most parameters of one statement. Engines take more, but names are looked up one by one.
const MAX_PARAMS: usize = 200;

/// Runs `head` followed by `VALUES (…), (…)` for `rows`, in as few statements as fit.
fn insert_rows<const N: usize>(
    tx: &mut dyn Tx,
    head: &str,
    rows: Vec<[Value; N]>,
) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut names = Vec::new();
        let mut values = Vec::new();
        let mut tuples = Vec::new();
        for (at, row) in rows.by_ref().take(MAX_PARAMS / N).enumerate() {
            let tuple: Vec<String> = (0..N).map(|column| format!("v{at}_{column}")).collect();
            tuples.push(format!("(:{})", tuple.join(", :")));
            names.extend(tuple);
            values.extend(row);
        }
        let sql = format!("{head} VALUES {}", tuples.join(", "));
        let params: Vec<(&str, Value)> = names.iter().map(String::as_str).zip(values).collect();
        tx.execute(&sql, &params)?;
    }
    Ok(())
}
