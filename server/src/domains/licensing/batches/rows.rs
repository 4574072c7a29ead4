//! The rows of an import: CSV as spreadsheets and other shops write it.
//!
//! A header names the columns: `key`, and as one likes `expires`, `seats` and `reference`, in any
//! order. A mark at the beginning, either kind of line end, and semicolons or tabs instead of
//! commas are understood. A broken row is refused by itself.

use super::model::{MAX_SEATS, Outcome};
use super::strength::shared_beginning;
use csv::{ReaderBuilder, StringRecord, Trim};
use mintreu::Timestamp;
use mintreu::activation::{RedeemCode, seller_key};
use std::collections::HashMap;
use std::fmt;
use zeroize::Zeroizing;

/// Longest reference, in characters.
const MAX_REFERENCE: usize = 100;
/// Most rows of one file.
pub const MAX_ROWS: usize = 1_000_000;
const COLUMNS: [&str; 4] = ["key", "expires", "seats", "reference"];

/// Why a row is no license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable.
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

/// A row that may become a license. `Debug` doesn't print the key.
#[derive(Clone)]
pub struct KeyRow {
    /// Trimmed, else as given.
    pub key: Zeroizing<String>,
    /// When the license ends; `None` as the product says.
    pub expires_at: Option<Timestamp>,
    /// Its seats; `None` as the product says.
    pub seats: Option<i64>,
    /// What its seller knows the customer by.
    pub reference: String,
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRow({:?})", self.reference)
    }
}

/// A row and the line it stands on.
pub type Row = (u64, Result<KeyRow, Refusal>);

/// A file's rows, in order.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Each as it was read.
    pub rows: Vec<Row>,
    /// What all keys begin with, which therefore protects none of them.
    pub shared: Zeroizing<String>,
}

impl Rows {
    /// Reads a file; the error says why it is none.
    ///
    /// # Errors
    /// `csv_malformed` for no text or no such header, `too_large` for more than [`MAX_ROWS`] rows.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let no_text = |_| Refusal::new("csv_malformed", "save the file as CSV in UTF-8");
        let text = std::str::from_utf8(bytes).map_err(no_text)?;
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter(text))
            .flexible(true)
            .trim(Trim::All)
            .from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| unreadable(&error))?;
        let columns = Columns::of(header)?;
        let mut read = Self::default();
        let mut known = HashMap::new();
        let mut lines = Lines::of(text);
        let mut record = StringRecord::new();
        loop {
            let more = reader
                .read_record(&mut record)
                .map_err(|error| unreadable(&error))?;
            if !more {
                break;
            }
            if read.rows.len() == MAX_ROWS {
                let detail = format!("a file has at most {MAX_ROWS} rows; split it");
                return Err(Refusal::new("too_large", detail));
            }
            let line = lines.line_of(record.position());
            let row = columns
                .row(&record)
                .and_then(|row| once(&mut known, row, line));
            read.rows.push((line, row));
        }
        let keys = read.rows.iter().filter_map(|(_, row)| row.as_ref().ok());
        let shared = shared_beginning(keys.map(|row| row.key.as_str())).to_owned();
        read.shared = Zeroizing::new(shared);
        Ok(read)
    }
}

/// Counts lines as an editor does: the reader's own count is one short behind a `\r\n`.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    /// The line on which the record that begins here has its first character.
    fn line_of(&mut self, position: Option<&csv::Position>) -> u64 {
        let start = position.map_or(0, csv::Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        while let Some(byte) = self.text.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

fn unreadable(error: &csv::Error) -> Refusal {
    Refusal::new("csv_malformed", format!("the CSV can't be read: {error}"))
}

/// The first of the usual ones in the header; a single column needs none.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or("");
    let found = header
        .bytes()
        .find(|byte| matches!(byte, b',' | b';' | b'\t'));
    found.unwrap_or(b',')
}

/// The same key on a later line is one license, not two.
fn once(known: &mut HashMap<String, u64>, row: KeyRow, line: u64) -> Result<KeyRow, Refusal> {
    match known.get(row.key.as_str()) {
        Some(first) => Err(Refusal::new(
            "duplicate",
            format!("this key stands on line {first}"),
        )),
        None => {
            known.insert(row.key.as_str().to_owned(), line);
            Ok(row)
        }
    }
}

/// Where each column stands.
struct Columns([Option<usize>; 4]);

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, Refusal> {
        let mut at = [None; 4];
        for (index, name) in header.iter().enumerate() {
            let name = name.to_ascii_lowercase();
            let column = COLUMNS.iter().position(|column| *column == name);
            match column {
                Some(column) if at[column].is_none() => at[column] = Some(index),
                // A misspelt `expires` must not become licenses without end.
                _ => {
                    let name: String = name.chars().take(40).collect();
                    let detail = format!(
                        "the first line must name the columns key, expires, seats and reference, \
                         each once; it has {name:?}"
                    );
                    return Err(Refusal::new("csv_malformed", detail));
                }
            }
        }
        match at[0] {
            Some(_) => Ok(Self(at)),
            None => Err(Refusal::new(
                "csv_malformed",
                "the first line must name the column key",
            )),
        }
    }

    fn row(&self, record: &StringRecord) -> Result<KeyRow, Refusal> {
        let cell = |column: usize| self.0[column].and_then(|at| record.get(at)).unwrap_or("");
        let key = Zeroizing::new(checked_key(cell(0))?.to_owned());
        let reference = cell(3);
        if reference.chars().count() > MAX_REFERENCE || reference.chars().any(char::is_control) {
            let detail = format!("a reference has at most {MAX_REFERENCE} characters on one line");
            return Err(Refusal::new("reference_malformed", detail));
        }
        Ok(KeyRow {
            key,
            expires_at: optional(cell(1), instant)?,
            seats: optional(cell(2), count)?,
            reference: reference.to_owned(),
        })
    }
}

fn optional<T>(
    cell: &str,
    read: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Option<T>, Refusal> {
    (!cell.is_empty()).then(|| read(cell)).transpose()
}

fn checked_key(cell: &str) -> Result<&str, Refusal> {
    seller_key(cell).map_err(|error| match cell.trim().len() {
        0..6 => Refusal::new("key_too_short", "a key has at least 6 characters"),
        129.. => Refusal::new("key_too_long", "a key has at most 128 bytes"),
        _ => Refusal::new("key_unprintable", error.detail().to_owned()),
    })
}

/// A day (its first instant in UTC) or an instant.
pub fn instant(text: &str) -> Result<Timestamp, Refusal> {
    let unfit = |_| {
        let detail = "a date is written 2027-12-31, an instant 2027-12-31T12:00:00Z";
        Refusal::new("expires_malformed", detail)
    };
    let at = if text.contains(['T', 't', ' ']) {
        text.parse::<jiff::Timestamp>().map_err(unfit)?
    } else {
        let day = text.parse::<jiff::civil::Date>().map_err(unfit)?;
        let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(unfit)?;
        start.timestamp()
    };
    Ok(Timestamp::from_ms(at.as_millisecond()))
}

fn count(text: &str) -> Result<i64, Refusal> {
    let number = text.parse().ok();
    number
        .filter(|seats| (1..=MAX_SEATS).contains(seats))
        .ok_or_else(|| Refusal::new("seats_malformed", format!("seats are 1 to {MAX_SEATS}")))
}

/// Whether a key would be taken for one of our own codes of this product.
pub(super) fn check_no_code(key: &str, product_code: &str) -> Result<(), Refusal> {
    let symbols = key
        .bytes()
        .filter(|byte| *byte != b'-' && *byte != b' ')
        .count();
    let hint = RedeemCode::hint_of(key) == RedeemCode::hint_of(product_code);
    if symbols != 20 || !hint || !RedeemCode::resembles(key) {
        return Ok(());
    }
    Err(match key.parse::<RedeemCode>() {
        Ok(_) => Refusal::new("key_is_code", "this is one of Mintreu's own codes already"),
        Err(_) => Refusal::new(
            "code_mistyped",
            "this looks like one of Mintreu's own codes for this product, mistyped",
        ),
    })
}

impl Outcome {
    /// As shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Unchanged => "unchanged",
            Self::Refused => "refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Rows {
        Rows::read(text.as_bytes()).expect("rows")
    }

    fn codes(rows: &Rows) -> Vec<(u64, &'static str)> {
        let code = |(line, row): &Row| (*line, row.as_ref().map_or_else(|why| why.code, |_| ""));
        rows.rows.iter().map(code).collect()
    }

    #[test]
    fn spreadsheets_write_it_in_many_ways() {
        for text in [
            "key,expires,seats,reference\nAB-12 xy,2030-01-01,3,o 1\n",
            "\u{feff}Key;Expires;Seats;Reference\r\nAB-12 xy;2030-01-01;3;o 1\r\n",
            "reference\tseats\tkey\texpires\no 1\t3\t AB-12 xy \t2030-01-01T00:00:00Z",
            "\"key\",\"expires\",\"seats\",\"reference\"\n\n\"AB-12 xy\",\"2030-01-01\",\"3\",\"o 1\"",
        ] {
            let rows = read(text);
            let (_, row) = &rows.rows[0];
            let row = row.as_ref().expect("a row");
            assert_eq!(
                (row.key.as_str(), row.seats),
                ("AB-12 xy", Some(3)),
                "{text}"
            );
            assert_eq!(
                row.expires_at,
                Some(Timestamp::from_secs(1_893_456_000)),
                "{text}"
            );
            assert_eq!(
                (row.reference.as_str(), rows.rows.len()),
                ("o 1", 1),
                "{text}"
            );
            assert!(!format!("{rows:?}").contains("AB-12"));
        }
        let rows = read("key\r\nkey-one-1\r\n\r\nkey-one-2\r\n");
        assert_eq!(codes(&rows), [(2, ""), (4, "")]);
        let rows = read("key\nkey-one-1\nkey-one-2\n");
        assert_eq!(codes(&rows), [(2, ""), (3, "")]);
        assert_eq!(rows.shared.as_str(), "key-one-");
    }

    #[test]
    fn a_row_is_refused_by_itself_and_says_why() {
        let long = "x".repeat(129);
        let text = format!(
            "key,expires,seats,reference\nfirst key\nshort\n{long}\nfirst key,2030-01-01\n\
             with\u{7}bell\nsecond key,tomorrow\nthird key,,0\nfourth key,,none\n\
             fifth key,,,{long}\n"
        );
        let rows = read(&text);
        let expected = [
            (2, ""),
            (3, "key_too_short"),
            (4, "key_too_long"),
            (5, "duplicate"),
            (6, "key_unprintable"),
            (7, "expires_malformed"),
            (8, "seats_malformed"),
            (9, "seats_malformed"),
            (10, "reference_malformed"),
        ];
        assert_eq!(codes(&rows), expected);
    }

    #[test]
    fn a_file_that_is_none_is_refused_whole() {
        for text in [
            "",
            "\n",
            "first key\nsecond key\n",
            "key,expiry\n",
            "key,key\n",
            "seats\n1\n",
        ] {
            let refused = Rows::read(text.as_bytes()).expect_err("no file");
            assert_eq!(refused.code, "csv_malformed", "{text:?}");
        }
        assert_eq!(
            Rows::read(b"key\n\xff\xfe\n").expect_err("no text").code,
            "csv_malformed"
        );
    }

    #[test]
    fn our_own_codes_are_no_keys() {
        let code = RedeemCode::new("acme.editor", [5; 10]).to_string();
        let refused = |key: &str, product| check_no_code(key, product).map_err(|why| why.code);
        assert_eq!(refused(&code, "acme.editor"), Err("key_is_code"));
        let last = if code.ends_with('7') { "8" } else { "7" };
        let typo = format!("{}{last}", &code[..22]);
        assert_eq!(refused(&typo, "acme.editor"), Err("code_mistyped"));
        assert_eq!(
            refused(&typo.to_lowercase().replace('-', ""), "acme"),
            Err("code_mistyped")
        );
        // Keys of the same shape are fine under another product's name.
        assert_eq!(refused(&typo, "zoom.editor"), Ok(()));
        assert_eq!(refused("ACM-1234", "acme.editor"), Ok(()));
    }
}
