//! Batches and what an import says of each row. Pure.

use crate::domains::catalog::model::LicenseTerms;
use crate::domains::licensing::LicensingError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, BatchId, LicenseId, ProductId};
use serde::{Deserialize, Serialize};

/// Most licenses of one commit: what a call issues at once, and most rows of one import.
pub const MAX_AT_ONCE: i64 = 1_000;
/// Most licenses of one batch of codes.
pub const MAX_CODES: i64 = 100_000;
/// Longest label, in characters.
pub const MAX_LABEL: usize = 80;
/// Most devices of one license.
pub const MAX_SEATS: i64 = 1_000_000;

/// Where a batch's licenses get what they are exchanged for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// Redeem codes of ours.
    Codes,
    /// Keys that the seller brought along.
    Keys,
}

impl BatchKind {
    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Keys => "keys",
        }
    }

    pub(super) fn parse(code: &str) -> Option<Self> {
        [Self::Codes, Self::Keys]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// A job issues what is wanted.
    Issuing,
    /// Every license is there.
    Done,
    /// A job withdraws what was issued.
    Revoking,
    /// Every license was withdrawn.
    Revoked,
}

impl BatchState {
    const ALL: [Self; 4] = [Self::Issuing, Self::Done, Self::Revoking, Self::Revoked];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Issuing => "issuing",
            Self::Done => "done",
            Self::Revoking => "revoking",
            Self::Revoked => "revoked",
        }
    }

    pub(super) fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// A stored batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Which.
    pub id: BatchId,
    /// Whose.
    pub seller: AccountId,
    /// Of which product.
    pub product: ProductId,
    /// The audience of its licenses.
    pub product_code: String,
    /// Codes or keys.
    pub kind: BatchKind,
    /// What its seller calls it; possibly empty.
    pub label: String,
    /// How far it is.
    pub state: BatchState,
    /// What each license grants.
    pub terms: LicenseTerms,
    /// Seats of each license; a row of an import may say otherwise.
    pub seats: i64,
    /// When each license ends, if it does; a row of an import may say otherwise.
    pub expires_at: Option<Timestamp>,
    /// How many licenses it is to have.
    pub wanted: i64,
    /// How many it has.
    pub issued: i64,
    /// How many of these were gone through by a withdrawal.
    pub revoked: i64,
    /// Why it was withdrawn.
    pub revoke_reason: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is a license now.
    Created,
    /// It was one before, and stays as it was.
    Unchanged,
    /// It is none, for a reason.
    Refused,
}

/// One row of an import's report; it never holds the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowReport {
    /// Its line in the file, the header's is 1.
    pub line: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused: a stable code.
    pub code: Option<String>,
    /// The same for people.
    pub detail: Option<String>,
    /// The license it is.
    pub license: Option<String>,
}

/// What became of an import; it may be stored, since it holds no key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// The batch that its new licenses are in, if it made any.
    pub batch: Option<String>,
    /// How many rows there were: the sum of the next three.
    pub read: u64,
    /// New licenses.
    pub created: u64,
    /// Licenses that were there before.
    pub unchanged: u64,
    /// Rows that are no license.
    pub refused: u64,
    /// Each row, in the file's order.
    pub rows: Vec<RowReport>,
}

impl ImportReport {
    pub(super) fn add(&mut self, row: RowReport) {
        self.read += 1;
        match row.outcome {
            Outcome::Created => self.created += 1,
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Refused => self.refused += 1,
        }
        self.rows.push(row);
    }

    /// Adds the report of a later page of the same file.
    pub fn append(&mut self, page: Self) {
        self.batch = page.batch.or(self.batch.take());
        page.rows.into_iter().for_each(|row| self.add(row));
    }
}

impl RowReport {
    pub(super) fn kept(line: u64, license: LicenseId, outcome: Outcome) -> Self {
        Self {
            line,
            outcome,
            code: None,
            detail: None,
            license: Some(license.to_string()),
        }
    }

    pub(super) fn refused(line: u64, refusal: &super::rows::Refusal) -> Self {
        Self {
            line,
            outcome: Outcome::Refused,
            code: Some(refusal.code.to_owned()),
            detail: Some(refusal.detail.clone()),
            license: None,
        }
    }
}

fn invalid(field: &'static str, detail: impl Into<String>) -> LicensingError {
    LicensingError::Invalid {
        field,
        detail: detail.into(),
    }
}

/// A label as it is kept: trimmed, on one line.
pub(super) fn label(text: &str) -> Result<String, LicensingError> {
    let label = text.trim();
    if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
        let detail = format!("a label has at most {MAX_LABEL} characters on one line");
        return Err(invalid("label", detail));
    }
    Ok(label.to_owned())
}

/// How many licenses a batch of codes may have.
pub(super) fn count(count: i64) -> Result<i64, LicensingError> {
    match (1..=MAX_CODES).contains(&count) {
        true => Ok(count),
        false => Err(invalid("count", format!("issue 1 to {MAX_CODES} licenses"))),
    }
}

/// How many devices a license may have.
pub(super) fn seats(seats: i64) -> Result<i64, LicensingError> {
    match (1..=MAX_SEATS).contains(&seats) {
        true => Ok(seats),
        false => Err(invalid(
            "seats",
            format!("a license has 1 to {MAX_SEATS} seats"),
        )),
    }
}

/// When licenses end: it can't be over, nor beyond the years that documents can write.
pub(super) fn end(at: Timestamp, now: Timestamp) -> Result<Timestamp, LicensingError> {
    const YEAR_9999: i64 = 253_370_764_800_000;
    match now < at && at.ms() < YEAR_9999 {
        true => Ok(at),
        false => Err(invalid(
            "expires",
            "the end must lie in the future, before the year 9999",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_seller_asks_for_has_bounds() {
        let field = |refused: LicensingError| match refused {
            LicensingError::Invalid { field, .. } => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(label(" Spring box ").expect("a label"), "Spring box");
        assert_eq!(field(label("two\nlines").expect_err("refused")), "label");
        assert!(label(&"x".repeat(80)).is_ok() && label(&"x".repeat(81)).is_err());
        assert!(count(1).is_ok() && count(MAX_CODES).is_ok());
        assert_eq!(field(count(0).expect_err("refused")), "count");
        assert!(count(MAX_CODES + 1).is_err() && count(-1).is_err());
        assert_eq!(field(seats(0).expect_err("refused")), "seats");
        let now = Timestamp::from_ms(10);
        assert!(end(Timestamp::from_ms(11), now).is_ok());
        assert_eq!(field(end(now, now).expect_err("refused")), "expires");
        assert!(end(Timestamp::from_ms(i64::MAX), now).is_err());
    }

    #[test]
    fn names_read_back() {
        for state in BatchState::ALL {
            assert_eq!(BatchState::parse(state.code()), Some(state));
        }
        for kind in [BatchKind::Codes, BatchKind::Keys] {
            assert_eq!(BatchKind::parse(kind.code()), Some(kind));
        }
        assert_eq!(BatchState::parse("other"), None);
    }
}
