//! Prices by dimension: rows of conditions, the first that holds decides.

use super::{UnitPrice, invalid};
use crate::error::Result;

/// How many rows a matrix may have.
pub const MAX_ROWS: usize = 64;

/// How many conditions a row may have.
const MAX_CONDITIONS: usize = 4;

/// Longest name or value of a condition, in bytes.
const MAX_WORD: usize = 64;

/// One row of a matrix: what a unit costs where every condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Names and values that must all be there; none in the last row, which takes the rest.
    pub when: Vec<(String, String)>,
    /// What one unit costs.
    pub unit: UnitPrice,
}

impl Row {
    /// Whether a count with these dimensions is priced by this row.
    pub fn holds(&self, dimensions: &[(String, String)]) -> bool {
        self.when
            .iter()
            .all(|condition| dimensions.contains(condition))
    }

    /// Its conditions as text, `model=gpt-4,region=eu`; `*` for the row that takes the rest.
    pub fn label(&self) -> String {
        if self.when.is_empty() {
            return "*".to_owned();
        }
        let condition =
            |(name, value): &(String, String)| format!("{}={}", escape(name), escape(value));
        self.when
            .iter()
            .map(condition)
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Reads what [`Row::label`] writes.
    pub(super) fn parse_label(text: &str) -> Result<Vec<(String, String)>> {
        if text == "*" {
            return Ok(Vec::new());
        }
        let condition = |part: &str| {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| invalid(format!("expected dimension=value in {part:?}")))?;
            Ok((unescape(name)?, unescape(value)?))
        };
        text.split(',').map(condition).collect()
    }
}

/// Rows that rate every count exactly once: the last has no condition, and no row repeats another.
pub(super) fn check(rows: &[Row]) -> Result<()> {
    let Some((last, earlier)) = rows.split_last() else {
        return Err(invalid("a matrix needs at least the row *"));
    };
    if rows.len() > MAX_ROWS {
        return Err(invalid(format!("a matrix has at most {MAX_ROWS} rows")));
    }
    if !last.when.is_empty() {
        return Err(invalid("the last row takes the rest: write it as *"));
    }
    for (index, row) in earlier.iter().enumerate() {
        if row.when.is_empty() {
            return Err(invalid("only the last row may be *"));
        }
        check_row(row)?;
        if earlier[..index]
            .iter()
            .any(|before| before.when == row.when)
        {
            return Err(invalid(format!("the row {} is there twice", row.label())));
        }
    }
    Ok(())
}

fn check_row(row: &Row) -> Result<()> {
    if row.when.len() > MAX_CONDITIONS {
        return Err(invalid(format!(
            "a row has at most {MAX_CONDITIONS} conditions"
        )));
    }
    if !row.when.is_sorted_by(|a, b| a.0 < b.0) {
        return Err(invalid(
            "a row names each dimension once, in the order of their names",
        ));
    }
    let fits = |word: &String| !word.is_empty() && word.len() <= MAX_WORD;
    match row
        .when
        .iter()
        .all(|(name, value)| fits(name) && fits(value))
    {
        true => Ok(()),
        false => Err(invalid(format!(
            "names and values have 1 to {MAX_WORD} bytes"
        ))),
    }
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte)
}

/// Every byte that the grammar could take for its own as `%XX`.
fn escape(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for byte in word.bytes() {
        match plain(byte) {
            true => text.push(char::from(byte)),
            false => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn unescape(text: &str) -> Result<String> {
    let malformed = || {
        invalid(format!(
            "{text:?} is no dimension's name or value: write other bytes as %XX"
        ))
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (
                digit().ok_or_else(malformed)?,
                digit().ok_or_else(malformed)?,
            );
            bytes.push((high * 16 + low) as u8);
        } else if plain(byte) {
            bytes.push(byte);
        } else {
            return Err(malformed());
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_condition_of_a_row_must_hold() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let row = Row {
            when: vec![pair("model", "gpt-4"), pair("region", "eu")],
            unit: UnitPrice::ZERO,
        };
        assert!(row.holds(&[
            pair("model", "gpt-4"),
            pair("region", "eu"),
            pair("tier", "a")
        ]));
        assert!(!row.holds(&[pair("model", "gpt-4")]));
        assert!(!row.holds(&[pair("model", "gpt-4"), pair("region", "us")]));
    }

    proptest! {
        #[test]
        fn labels_read_back(name in ".{1,16}", value in ".{1,16}") {
            let row = Row { when: vec![(name, value)], unit: UnitPrice::ZERO };
            prop_assert_eq!(Row::parse_label(&row.label()), Ok(row.when));
        }
    }
}
