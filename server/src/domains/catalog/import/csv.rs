//! Comma-separated values (RFC 4180) with a header.
//!
//! Columns: `code`, `name`, `summary`, `category` (names joined by `/`) and `seller` must be
//! there; `slug`, `kind`, `description`, `version`, `homepage`, `spdx`, `price` (decimal, empty is
//! free) and `currency` may be. A broken row is refused by itself.

use super::record::{Item, Place, Record, Refusal, Vendor, address, line, slug};
use crate::domains::catalog::model::{Kind, PriceDraft, PriceModel, slug_of};
use ::csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};
use mintreu::Currency;
use mintreu::price::parse_amount;
use std::io::BufRead;

/// Most bytes read: an unclosed quote would otherwise swallow any input whole.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Reads rows.
pub(super) struct Rows<R> {
    reader: Reader<std::io::Take<R>>,
    header: StringRecord,
}

impl<R: BufRead> Rows<R> {
    /// Reads the header; one without a required column is an error.
    pub(super) fn new(reader: R) -> std::io::Result<Self> {
        let mut reader = ReaderBuilder::new().from_reader(reader.take(MAX_BYTES));
        let header = reader.headers().map_err(std::io::Error::other)?.clone();
        for column in ["code", "name", "summary", "category", "seller"] {
            if header.iter().all(|known| known != column) {
                let detail = format!("the header has no column {column:?}");
                return Err(std::io::Error::other(detail));
            }
        }
        Ok(Self { reader, header })
    }

    fn record(&self, row: &StringRecord) -> Result<Box<Record>, Refusal> {
        let column = |name: &str| {
            let at = self.header.iter().position(|known| known == name)?;
            row.get(at).map(str::trim).filter(|text| !text.is_empty())
        };
        let required = |name: &str| {
            column(name).ok_or_else(|| Refusal::new("field_missing", format!("{name} is empty")))
        };
        let (code, name) = (required("code")?, required("name")?);
        let kind = column("kind").unwrap_or("package");
        let kind = Kind::parse(kind)
            .ok_or_else(|| Refusal::new("field_invalid", format!("{kind:?} is no kind")))?;
        let seller = line(required("seller")?, 80);
        Ok(Box::new(Record {
            origin: format!("csv:{code}"),
            slug: column("slug").map_or_else(|| slug_of(name), str::to_owned),
            code: code.to_owned(),
            kind,
            name: line(name, 120),
            summary: line(required("summary")?, 200),
            description: column("description").unwrap_or_default().to_owned(),
            version: line(column("version").unwrap_or_default(), 60),
            homepage: column("homepage").and_then(address),
            spdx: column("spdx").map(|text| line(text, 200)),
            vendor: Vendor {
                key: format!("csv:{seller}"),
                name: seller,
            },
            places: vec![place(required("category")?)?],
            price: price(column("price"), column("currency").unwrap_or("EUR"))?,
        }))
    }
}

fn place(text: &str) -> Result<Place, Refusal> {
    let names = text
        .split('/')
        .map(str::trim)
        .filter(|name| !slug(name).is_empty());
    let levels: Vec<_> = names
        .take(6)
        .map(|name| (slug(name), line(name, 80)))
        .collect();
    if levels.is_empty() {
        return Err(Refusal::new(
            "field_invalid",
            format!("{text:?} is no category"),
        ));
    }
    Ok(Place(levels))
}

fn price(amount: Option<&str>, currency: &str) -> Result<PriceDraft, Refusal> {
    let invalid = |error: mintreu::Error| Refusal::new("field_invalid", error.detail().to_owned());
    let parsed = Currency::parse(currency).map_err(invalid)?;
    let amount_minor = parse_amount(amount.unwrap_or("0"), parsed).map_err(invalid)?;
    let model = match amount_minor {
        0 => PriceModel::Free,
        _ => PriceModel::OneTime,
    };
    Ok(PriceDraft::plain(model, amount_minor, currency))
}

impl<R: BufRead> Iterator for Rows<R> {
    type Item = std::io::Result<Item>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.reader.position().line();
        let mut row = StringRecord::new();
        let refused = |line: u64, code, detail: String| {
            Some(Ok(Item {
                line,
                outcome: Err(Refusal::new(code, detail)),
            }))
        };
        match self.reader.read_record(&mut row) {
            Ok(false) => None,
            Ok(true) => Some(Ok(Item {
                line: row.position().map_or(start, |at| at.line()),
                outcome: self.record(&row),
            })),
            Err(error) => {
                let line = error.position().map_or(start, |at| at.line());
                match error.into_kind() {
                    ErrorKind::Utf8 { .. } => {
                        refused(line, "not_utf8", "the row is not UTF-8".to_owned())
                    }
                    ErrorKind::UnequalLengths {
                        expected_len, len, ..
                    } => {
                        let detail = format!("{len} fields; the header has {expected_len}");
                        refused(line, "line_broken", detail)
                    }
                    ErrorKind::Io(error) => Some(Err(error)),
                    other => Some(Err(std::io::Error::other(format!("{other:?}")))),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_broken_ones_refused_by_themselves() {
        let text = b"code,name,summary,category,seller,price,currency,kind\n\
            acme.one,One,\"First, of all\",Tools/Small,Acme,12.50,USD,download\n\
            acme.two,Two,Second,Tools,Acme\n\
            acme.three,,Third,Tools,Acme,,,\n\
            acme.four,Four,\"two\nlines\",Tools,Acme,,,\n\
            acme.five,F\xff,Fifth,Tools,Acme,,,\n\
            acme.six,Six,Sixth,Tools,Acme,-1,EUR,\n\
            acme.seven,Seven,Seventh,/,Acme,,,\n\
            acme.eight,Eight,Eighth,Tools,Acme,,,sofa\n";
        let rows = Rows::new(text.as_slice()).unwrap();
        let items: Vec<Item> = rows.collect::<Result<_, _>>().unwrap();
        let codes: Vec<_> = items
            .iter()
            .map(|item| {
                (
                    item.line,
                    item.outcome
                        .as_ref()
                        .map_or_else(|why| why.code, |_| "good"),
                )
            })
            .collect();
        assert_eq!(
            codes,
            [
                (2, "good"),
                (3, "line_broken"),
                (4, "field_missing"),
                (5, "good"),
                (7, "not_utf8"),
                (8, "field_invalid"),
                (9, "field_invalid"),
                (10, "field_invalid"),
            ]
        );
        let record = items[0].outcome.clone().unwrap();
        assert_eq!(
            (record.price.amount_minor, record.price.model),
            (1250, PriceModel::OneTime)
        );
        assert_eq!(record.places[0].0.len(), 2);
    }

    #[test]
    fn a_header_without_a_required_column_is_an_error() {
        let error = Rows::new(b"code,name\n".as_slice()).err().unwrap();
        assert!(error.to_string().contains("summary"));
        assert!(Rows::new(b"".as_slice()).is_err());
    }
}
