//! `catalog`: bringing whole catalogs in.

use super::server::{ServerRuntime, logging, runtime};
use super::{CliError, Output};
use crate::app::App;
use crate::caller::Caller;
use crate::config::Config;
use crate::custody::Custody;
use crate::domains::catalog::import::{
    Format, ImportError, ImportRun, Items, Options, Report, Source, import, open,
};
use crate::domains::tenants;
use crate::store::{Store, StoreOptions};
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Look after the catalog
#[derive(Debug, clap::Subcommand)]
pub enum Catalog {
    /// Bring products in: Debian package lists, cargo metadata, CSV
    ///
    /// Sellers and categories come into being with the first product that names them. A run that
    /// was interrupted goes on where its last commit ended; the same input again changes nothing.
    #[command(after_help = "Examples:\n  mintreu catalog import --apt\n  \
        cargo metadata --format-version 1 | mintreu catalog import --format cargo -\n  \
        mintreu catalog import --format csv products.csv --json")]
    Import(Import),
}

/// Bring products in
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The file to read; - is standard input
    #[arg(
        value_name = "FILE",
        required_unless_present = "apt",
        conflicts_with = "apt"
    )]
    file: Option<PathBuf>,
    /// Run `apt-cache dumpavail` and read what it prints
    #[arg(long)]
    apt: bool,
    /// What the input is
    #[arg(long, value_enum, default_value = "debian")]
    format: Kind,
    /// The database, in place of the settings' one: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Do not go on with an interrupted run
    #[arg(long)]
    fresh: bool,
    /// Items of one commit
    #[arg(long, default_value = "500", value_parser = clap::value_parser!(u16).range(1..=1000))]
    chunk: u16,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// apt-cache dumpavail
    Debian,
    /// cargo metadata --format-version 1
    Cargo,
    /// Comma-separated values with a header
    Csv,
}

/// Runs one of them.
pub fn run(command: &Catalog, file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let Catalog::Import(arguments) = command;
    let mut config = Config::load(file)?;
    if let Some(url) = &arguments.database {
        config.database.url.clone_from(url);
    }
    logging(&config);
    let runtime = runtime()?;
    bring_in(&runtime, config, arguments, out)
}

fn bring_in(
    runtime: &ServerRuntime,
    config: Config,
    arguments: &Import,
    out: &Output,
) -> Result<(), CliError> {
    let input = Input::new(arguments);
    input.check()?;
    let format = match arguments.format {
        Kind::Debian => Format::Debian,
        Kind::Cargo => Format::Cargo,
        Kind::Csv => Format::Csv,
    };
    let options = Options {
        format,
        chunk: usize::from(arguments.chunk),
        fresh: arguments.fresh,
    };
    runtime.block(async {
        let app = open_app(config).await?;
        let bar = input.bar();
        let caller = Caller::system(tenants::DEFAULT);
        let started = app.now();
        let mut progress = |run: &ImportRun| {
            input.show(&bar, run);
            ControlFlow::Continue(())
        };
        let source = Opened {
            input: &input,
            format,
        };
        let done = import(&app, &caller, options, &source, &mut progress).await;
        bar.finish_and_clear();
        let report = done.map_err(failed)?;
        let took_ms = app.now().since_ms(started);
        let mut result = serde_json::json!(report);
        result["imported"] = report.imported().into();
        result["took_ms"] = took_ms.into();
        out.result(&result, &told(&report, took_ms))
    })
}

fn failed(error: ImportError) -> CliError {
    CliError::new(error.code(), error.to_string())
}

/// An import seals and hashes nothing, so that it needs no key of the server's.
async fn open_app(config: Config) -> Result<App, CliError> {
    let mut options = StoreOptions::new(config.database.url.clone());
    options.connections = config.database.connections.clamp(1, 256);
    "mintreu catalog import".clone_into(&mut options.holder);
    let store = Store::open(options)
        .await
        .map_err(crate::StartError::from)?;
    let mut key = [0; 32];
    crate::app::system_entropy(&mut key);
    let app = App::new(config, store, Custody::new(key));
    crate::prepare(&app).await?;
    Ok(app)
}

/// The sum that must hold, then the reasons, then the first refusals.
fn told(report: &Report, took_ms: i64) -> String {
    let mut text = format!(
        "{} read = {} created + {} updated + {} unchanged + {} refused, in {} s",
        report.read,
        report.created,
        report.updated,
        report.unchanged,
        report.refused,
        took_ms / 1000,
    );
    if report.resumed_at > 0 {
        let _ = write!(
            text,
            "\nwent on after item {} of an interrupted run",
            report.resumed_at
        );
    }
    for (code, count) in &report.reasons {
        let _ = write!(text, "\n{count} refused: {code}");
    }
    for refusal in &report.refusals {
        let (line, code, detail) = (refusal.line, &refusal.code, &refusal.detail);
        let _ = write!(text, "\n  line {line}: {detail} ({code})");
    }
    text
}

/// Where the bytes come from, and how many have come.
enum Origin {
    File(PathBuf),
    Stdin,
    Apt,
}

struct Input {
    origin: Origin,
    read: Arc<AtomicU64>,
    opened: AtomicU64,
}

struct Opened<'a> {
    input: &'a Input,
    format: Format,
}

impl Source for Opened<'_> {
    fn open(&self) -> std::io::Result<Items<'_>> {
        open(
            self.format,
            BufReader::with_capacity(1 << 16, self.input.reader()?),
        )
    }
}

impl Input {
    fn new(arguments: &Import) -> Self {
        let origin = match &arguments.file {
            Some(file) if file == Path::new("-") => Origin::Stdin,
            Some(file) => Origin::File(file.clone()),
            None => Origin::Apt,
        };
        Self {
            origin,
            read: Arc::new(AtomicU64::new(0)),
            opened: AtomicU64::new(0),
        }
    }

    /// A file that isn't there is told of before a database is made for it.
    fn check(&self) -> Result<(), CliError> {
        let Origin::File(path) = &self.origin else {
            return Ok(());
        };
        let there = named(std::fs::metadata(path), path);
        there.map_err(|error| failed(ImportError::Input(error)))?;
        Ok(())
    }

    fn reader(&self) -> std::io::Result<Counted> {
        self.read.store(0, Ordering::Relaxed);
        let again = self.opened.fetch_add(1, Ordering::Relaxed) > 0;
        let reader: Box<dyn Read + Send> = match &self.origin {
            Origin::File(path) => Box::new(named(File::open(path), path)?),
            Origin::Stdin if again => {
                let detail = "an interrupted run had another beginning, and standard input can't \
                              be read twice; add --fresh";
                return Err(std::io::Error::other(detail));
            }
            Origin::Stdin => Box::new(std::io::stdin()),
            Origin::Apt => Box::new(Apt::start()?),
        };
        Ok(Counted {
            reader,
            read: self.read.clone(),
        })
    }

    /// A bar over a file's bytes, else a spinner; neither shows when nobody looks.
    fn bar(&self) -> ProgressBar {
        let length = match &self.origin {
            Origin::File(path) => std::fs::metadata(path).map_or(0, |meta| meta.len()),
            Origin::Stdin | Origin::Apt => 0,
        };
        let (bar, template) = match length {
            0 => (ProgressBar::new_spinner(), "{spinner} {msg} [{elapsed}]"),
            length => (
                ProgressBar::new(length),
                "{bar:30} {percent}% {msg} [{elapsed}<{eta}]",
            ),
        };
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    fn show(&self, bar: &ProgressBar, run: &ImportRun) {
        bar.set_position(self.read.load(Ordering::Relaxed));
        let ImportRun {
            position,
            created,
            updated,
            refused,
            ..
        } = run;
        bar.set_message(format!(
            "{position} read, {created} created, {updated} updated, {refused} refused"
        ));
    }
}

fn named<T>(file: std::io::Result<T>, path: &Path) -> std::io::Result<T> {
    file.map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// Counts what is read through it.
struct Counted {
    reader: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.read
            .fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
        Ok(length)
    }
}

/// A running `apt-cache dumpavail`; its failure is an error of the read that finds its end.
struct Apt {
    child: Child,
    output: ChildStdout,
}

impl Apt {
    fn start() -> std::io::Result<Self> {
        let started = Command::new("apt-cache")
            .arg("dumpavail")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let missing = |error| std::io::Error::other(format!("apt-cache can't be run: {error}"));
        let mut child = started.map_err(missing)?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| std::io::Error::other("apt-cache has no output"))?;
        Ok(Self { child, output })
    }
}

impl Read for Apt {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.output.read(buffer)?;
        if length == 0 && !buffer.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(std::io::Error::other(format!(
                    "apt-cache ended with {status}"
                )));
            }
        }
        Ok(length)
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        // It may have ended by itself; either way nothing of it is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_database_is_made_for_a_file_that_isn_t_there() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("shop.db");
        let arguments = |file: &str| Import {
            file: Some(folder.path().join(file)),
            apt: false,
            format: Kind::Csv,
            database: None,
            fresh: false,
            chunk: 500,
        };
        let mut config = Config::defaults();
        config.database.url = format!("sqlite:{}", database.display());
        let runtime = runtime().unwrap();
        let (out, missing) = (Output { json: true }, arguments("nothing.csv"));
        let refused = bring_in(&runtime, config.clone(), &missing, &out);
        assert!(refused.unwrap_err().to_string().contains("nothing.csv"));
        assert!(!database.exists(), "a database was made for nothing");
        // The negative control: one that is there has a database made.
        std::fs::write(folder.path().join("some.csv"), "code,name\n").unwrap();
        let _ = bring_in(&runtime, config, &arguments("some.csv"), &out);
        assert!(database.exists());
    }

    #[test]
    fn the_report_s_first_line_is_the_sum() {
        let report = Report {
            import: "imp_x".to_owned(),
            read: 10,
            resumed_at: 4,
            created: 5,
            updated: 2,
            unchanged: 1,
            refused: 2,
            reasons: vec![("field_missing".to_owned(), 2)],
            refusals: Vec::new(),
        };
        assert_eq!(report.imported() + report.refused, report.read);
        let text = told(&report, 3500);
        assert!(
            text.starts_with("10 read = 5 created + 2 updated + 1 unchanged + 2 refused, in 3")
        );
        assert!(text.contains("after item 4") && text.contains("2 refused: field_missing"));
    }
}
