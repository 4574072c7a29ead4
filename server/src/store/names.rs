//! Names that both engines must agree on: parameters and constraints.

use super::tx::{StoreError, Value};

/// A statement with its `:names` turned into `$1`, `$2` … and the names in that order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    pub sql: String,
    pub names: Vec<String>,
}

/// Numbers each `:name` by first appearance; quotes, comments and `::` casts are left alone.
pub(super) fn number(sql: &str) -> Numbered {
    let bytes = sql.as_bytes();
    let (mut out, mut names) = (String::with_capacity(sql.len()), Vec::<String>::new());
    let mut at = 0;
    while at < bytes.len() {
        let end = skip_from(bytes, at);
        if end > at {
            out.push_str(&sql[at..end]);
            at = end;
        } else {
            let end = name_end(bytes, at + 1);
            let name = &sql[at + 1..end];
            let known = names.iter().position(|seen| seen == name);
            let index = known.unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            out.push('$');
            out.push_str(&(index + 1).to_string());
            at = end;
        }
    }
    Numbered { sql: out, names }
}

/// The end of the stretch from `at` that holds no parameter; `at` itself when one starts there.
fn skip_from(bytes: &[u8], at: usize) -> usize {
    let find = |from: usize, wanted: u8| {
        let rest = bytes.get(from..).unwrap_or(&[]);
        rest.iter()
            .position(|&byte| byte == wanted)
            .map_or(bytes.len(), |offset| from + offset + 1)
    };
    match bytes[at] {
        quote @ (b'\'' | b'"') => find(at + 1, quote),
        b'-' if bytes.get(at + 1) == Some(&b'-') => find(at + 2, b'\n'),
        b':' if bytes.get(at + 1) == Some(&b':') => at + 2,
        b':' if name_end(bytes, at + 1) > at + 1 => at,
        // ASCII bytes start and end a stretch, so this never cuts a character in two.
        _ => {
            let rest = bytes[at + 1..]
                .iter()
                .position(|byte| b":'\"-".contains(byte));
            rest.map_or(bytes.len(), |offset| at + 1 + offset)
        }
    }
}

fn name_end(bytes: &[u8], from: usize) -> usize {
    let starts = bytes
        .get(from)
        .is_some_and(|byte| byte.is_ascii_lowercase());
    let length = bytes[from.min(bytes.len())..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_');
    if starts { from + length.count() } else { from }
}

/// The values in the order of `names`; each must be given once and none may be left over.
pub(super) fn bind<'v>(
    names: &[String],
    params: &'v [(&str, Value)],
) -> Result<Vec<&'v Value>, StoreError> {
    // Both `("order", …)` and `(":order", …)` are read, as both read naturally.
    let bare = |given: &'v str| given.strip_prefix(':').unwrap_or(given);
    // Rows inserted by the hundred give their parameters in order, and need no search.
    let in_order = names.len() == params.len()
        && names
            .iter()
            .zip(params)
            .all(|(name, (given, _))| bare(given) == name);
    let unknown = |given: &&(&'v str, Value)| !names.iter().any(|name| name == bare(given.0));
    if let Some((extra, _)) = params.iter().find(|given| !in_order && unknown(given)) {
        return Err(StoreError::shape(format!("no parameter :{extra} here")));
    }
    let value_of = |name: &String| {
        let found = params.iter().find(|(given, _)| bare(given) == name);
        let found = found.ok_or_else(|| StoreError::shape(format!("parameter :{name} is missing")));
        found.map(|(_, value)| value)
    };
    let values: Vec<&Value> = match in_order {
        true => params.iter().map(|(_, value)| value).collect(),
        false => names.iter().map(value_of).collect::<Result<_, _>>()?,
    };
    values.iter().try_for_each(|value| no_nul(value))?;
    Ok(values)
}

/// PostgreSQL can't hold a NUL in text; refused here so that both engines agree.
pub(super) fn no_nul(value: &Value) -> Result<(), StoreError> {
    match value {
        Value::Text(text) if text.contains('\0') => Err(StoreError::Nul),
        _ => Ok(()),
    }
}

/// Where among the `given` names each of a statement's is; each must be there, and none be left over.
pub(super) fn places(names: &[String], given: &[&str]) -> Result<Vec<usize>, StoreError> {
    if let Some(extra) = given
        .iter()
        .find(|given| !names.iter().any(|name| name == *given))
    {
        return Err(StoreError::shape(format!("no parameter :{extra} here")));
    }
    let place = |name: &String| {
        let place = given.iter().position(|given| given == name);
        place.ok_or_else(|| StoreError::shape(format!("parameter :{name} is missing")))
    };
    names.iter().map(place).collect()
}

/// The name of a unique constraint, from its table and columns: what PostgreSQL calls an unnamed
/// one, never shortened.
pub(super) fn unique_constraint(table: &str, columns: &[&str]) -> String {
    format!("{table}_{}_key", columns.join("_"))
}

/// The name of a primary key.
pub(super) fn primary_key(table: &str) -> String {
    format!("{table}_pkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_by_first_appearance() {
        for (sql, expected, names) in [
            (
                "SELECT :b, :a, :b",
                "SELECT $1, $2, $1",
                ["b", "a"].as_slice(),
            ),
            (
                "SELECT ':no', \":no\", x::text, :yes -- :no\n, :also",
                "SELECT ':no', \":no\", x::text, $1 -- :no\n, $2",
                &["yes", "also"],
            ),
            ("SELECT 'é:a''b' || :é", "SELECT 'é:a''b' || :é", &[]),
            ("SELECT 1 - :a:", "SELECT 1 - $1:", &["a"]),
        ] {
            let numbered = number(sql);
            assert_eq!(numbered.sql, expected);
            assert_eq!(numbered.names, names, "{sql}");
        }
    }

    #[test]
    fn every_parameter_is_given_exactly_once() {
        let names = vec!["a".to_owned()];
        let one = [("a", Value::Int(1))];
        assert_eq!(bind(&names, &one).unwrap(), [&Value::Int(1)]);
        assert!(bind(&names, &[]).is_err());
        assert!(bind(&[], &one).is_err());
        assert!(bind(&names, &[("a", "a\0b".into())]).is_err());
    }

    #[test]
    fn every_parameter_of_many_rows_has_its_place() {
        let names = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(places(&names, &["b", "a"]).unwrap(), [1, 0]);
        assert!(places(&names, &["a"]).is_err(), "one is missing");
        assert!(
            places(&names, &["a", "b", "c"]).is_err(),
            "one is left over"
        );
    }
}
