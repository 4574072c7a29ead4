//! Drives a reader through the commands, chunk by chunk.

use super::ops::{
    ImportChunk, ImportRun, MAX_CHUNK, Refusals, Start, StartImport, import_chunk, link, refusals,
    start_import,
};
use super::record::Item;
use super::{cargo, csv, debian};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::catalog::ops::CatalogError;
use mintreu::id::ImportId;
use serde::Serialize;
use std::io::BufRead;
use std::ops::ControlFlow;

/// Refusals told one by one in a report; the rest are counted.
const TOLD: u32 = 100;

/// What the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `apt-cache dumpavail`.
    Debian,
    /// `cargo metadata --format-version 1`.
    Cargo,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Cargo => "cargo",
            Self::Csv => "csv",
        }
    }
}

/// How to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What the input is.
    pub format: Format,
    /// Items of one commit, at most [`MAX_CHUNK`].
    pub chunk: usize,
    /// Begin anew even if a run of the format hasn't ended.
    pub fresh: bool,
}

impl Options {
    /// Five hundred items a commit, going on where an interrupted run ended.
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            chunk: 500,
            fresh: false,
        }
    }
}

/// Why an import stopped; what was committed stays, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The input can't be read.
    #[error("the input can't be read: {0}")]
    Input(#[from] std::io::Error),
    /// The catalog refused a chunk.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The caller asked to stop.
    #[error("stopped; run it again to go on")]
    Stopped,
}

impl ImportError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Input(_) => "input_unreadable",
            Self::Catalog(_) => "import_failed",
            Self::Stopped => "import_stopped",
        }
    }
}

/// An item that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Where it starts.
    pub line: u64,
    /// Stable.
    pub code: String,
    /// One sentence.
    pub detail: String,
}

/// What an import did: `read` is the sum of the four counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run.
    pub import: String,
    /// Items of the input.
    pub read: u64,
    /// Of those, how many had been done by an earlier, interrupted run.
    pub resumed_at: u64,
    /// New products.
    pub created: u64,
    /// Products written anew.
    pub updated: u64,
    /// Products kept as they were.
    pub unchanged: u64,
    /// Items not taken.
    pub refused: u64,
    /// How many for each reason.
    pub reasons: Vec<(String, u64)>,
    /// The first hundred of them.
    pub refusals: Vec<Told>,
}

impl Report {
    /// Products that the input stands for now: created, updated or kept.
    pub fn imported(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }
}

/// A stream of items; an error ends it.
pub type Items<'a> = Box<dyn Iterator<Item = std::io::Result<Item>> + Send + 'a>;

/// Reads `reader` as `format`.
pub fn open<'a>(format: Format, reader: impl BufRead + Send + 'a) -> std::io::Result<Items<'a>> {
    Ok(match format {
        Format::Debian => Box::new(debian::Packages::new(reader)),
        Format::Cargo => Box::new(cargo::read(reader)?.into_iter().map(Ok)),
        Format::Csv => Box::new(csv::Rows::new(reader)?),
    })
}

/// Imports everything that `source` opens, from where an interrupted run of the format stopped if
/// the items before are the same. `source` may be opened twice. `progress` is told after every
/// commit and may stop the run.
pub async fn import(
    app: &App,
    caller: &Caller,
    options: Options,
    source: &dyn Source,
    progress: &mut (dyn FnMut(&ImportRun) -> ControlFlow<()> + Send),
) -> Result<Report, ImportError> {
    let format = options.format;
    let chunk = options.chunk.clamp(1, MAX_CHUNK);
    let mut items = source.open()?;
    let first = if options.fresh {
        Start::Anew
    } else {
        Start::Resume
    };
    let mut run = start(app, caller, format, first).await?;
    if run.position > 0 && !skip(&mut items, &run)? {
        items = source.open()?;
        run = start(app, caller, format, Start::Anew).await?;
    }
    let resumed_at = run.position;
    loop {
        let next: Vec<Item> = items.by_ref().take(chunk).collect::<Result<_, _>>()?;
        let last = next.len() < chunk;
        let command = ImportChunk {
            import: run.id,
            position: run.position,
            items: next,
            last,
        };
        run = app.transact(caller, command, import_chunk).await?;
        if progress(&run).is_break() {
            return Err(ImportError::Stopped);
        }
        if last {
            return report(app, caller, &run, resumed_at).await;
        }
    }
}

/// Where items come from; opened again when a run starts anew.
pub trait Source: Sync {
    /// From the first item.
    fn open(&self) -> std::io::Result<Items<'_>>;
}

async fn start(
    app: &App,
    caller: &Caller,
    format: Format,
    start: Start,
) -> Result<ImportRun, ImportError> {
    let source = format.name();
    Ok(app
        .transact(caller, StartImport { source, start }, start_import)
        .await?)
}

/// Reads over what a run has done; `false` when that isn't what it did.
fn skip(items: &mut Items<'_>, run: &ImportRun) -> Result<bool, ImportError> {
    let mut prefix = [0; 32];
    for _ in 0..run.position {
        match items.next() {
            Some(item) => prefix = link(&prefix, &item?.digest()),
            None => return Ok(false),
        }
    }
    Ok(prefix == run.prefix)
}

async fn report(
    app: &App,
    caller: &Caller,
    run: &ImportRun,
    resumed_at: u64,
) -> Result<Report, ImportError> {
    let import: ImportId = run.id;
    let (reasons, told) = app
        .read(
            caller,
            Refusals {
                import,
                limit: TOLD,
            },
            refusals,
        )
        .await?;
    let told = told
        .into_iter()
        .map(|(line, code, detail)| Told { line, code, detail });
    Ok(Report {
        import: import.to_string(),
        read: run.position,
        resumed_at,
        created: run.created,
        updated: run.updated,
        unchanged: run.unchanged,
        refused: run.refused,
        reasons,
        refusals: told.collect(),
    })
}
