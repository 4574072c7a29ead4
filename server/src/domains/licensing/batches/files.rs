//! Batches as files: codes out, keys in. What is long goes page by page, each its own commit.

use super::model::{BatchKind, ImportReport, MAX_AT_ONCE};
use super::rows::{Refusal, Rows};
use super::{ImportKeys, OpenBatch, SealedPage, batch_page, import_keys, open_batch, opened};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::licensing::LicensingError;
use mintreu::id::BatchId;
use zeroize::Zeroizing;

/// Rows of one page.
const PAGE: i64 = MAX_AT_ONCE;

impl From<Refusal> for LicensingError {
    /// Of a whole file.
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            "too_large" => Self::TooLarge(refusal.detail),
            _ => Self::FileMalformed(refusal.detail),
        }
    }
}

/// A batch's codes as CSV (RFC 4180): `code,license_id`, for keys `key,license_id,reference`. The
/// audit log keeps that they were asked for.
///
/// Keys stay as they are, whatever they begin with: the file is its seller's own, and a key that
/// was changed would open nothing.
pub async fn codes_file(
    app: &App,
    caller: &Caller,
    batch: BatchId,
) -> Result<Zeroizing<Vec<u8>>, LicensingError> {
    let found = app
        .transact(caller, OpenBatch { batch }, open_batch)
        .await?;
    let keys = found.kind == BatchKind::Keys;
    let mut file = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    match keys {
        true => file.write_record(["key", "license_id", "reference"]),
        false => file.write_record(["code", "license_id"]),
    }
    .map_err(unwritable)?;
    let mut page = SealedPage {
        batch,
        after: 0,
        limit: PAGE,
    };
    loop {
        let rows = app.read(caller, page, batch_page).await?;
        let Some(last) = rows.last() else { break };
        page.after = last.place;
        for row in &rows {
            let code = opened(&app.keys, row)?;
            let license = row.license.to_string();
            match keys {
                true => file.write_record([code.reveal(), &license, &row.reference]),
                false => file.write_record([code.reveal(), &license]),
            }
            .map_err(unwritable)?;
        }
    }
    let text = file
        .into_inner()
        .map_err(|error| unwritable(error.into_error().into()))?;
    Ok(Zeroizing::new(text))
}

fn unwritable(error: csv::Error) -> LicensingError {
    LicensingError::FileMalformed(error.to_string())
}

/// How a seller's keys are to move in.
#[derive(Debug, Clone, Default)]
pub struct Moving {
    /// Part of the product's address.
    pub slug: String,
    /// What the batch is called. An import with the label of an earlier one adds to it.
    pub label: String,
    /// Whether keys that can be guessed with patience are taken too.
    pub allow_weak: bool,
}

/// Reads a file of at most a thousand rows and brings its keys in, in one commit.
pub async fn import_page(
    app: &App,
    caller: &Caller,
    moving: Moving,
    file: &[u8],
) -> Result<ImportReport, LicensingError> {
    let Rows { rows, shared } = Rows::read(file)?;
    if i64::try_from(rows.len()).map_or(true, |rows| rows > MAX_AT_ONCE) {
        let detail = format!("at most {MAX_AT_ONCE} rows at once; split the file");
        return Err(LicensingError::TooLarge(detail));
    }
    let command = ImportKeys {
        slug: moving.slug,
        label: moving.label,
        allow_weak: moving.allow_weak,
        rows,
        shared,
    };
    app.transact(caller, command, import_keys).await
}

/// Reads a file and brings its keys in, a thousand rows a commit; `progress` sees the report so
/// far. Killed and run again it goes on, since what is there stays as it is.
pub async fn import_all(
    app: &App,
    caller: &Caller,
    (moving, file): (Moving, &[u8]),
    mut progress: impl FnMut(&ImportReport, usize),
) -> Result<ImportReport, LicensingError> {
    let Rows { rows, shared } = Rows::read(file)?;
    let all = rows.len();
    let mut report = ImportReport::default();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let page = rows.by_ref().take(usize::try_from(PAGE).unwrap_or(1));
        let command = ImportKeys {
            slug: moving.slug.clone(),
            label: moving.label.clone(),
            allow_weak: moving.allow_weak,
            rows: page.collect(),
            shared: shared.clone(),
        };
        let page = app.transact(caller, command, import_keys).await?;
        report.append(page);
        progress(&report, all);
    }
    Ok(report)
}
