//! `codes`: licenses in bulk, on the database itself.
//!
//! The house acts for the product's seller, and the audit log says that it did.

use super::files::{Readable, read_bytes, write_new};
use super::license::terms::Instant;
use super::server::{logging, runtime};
use super::{CliError, Output};
use crate::app::App;
use crate::caller::{Caller, Role};
use crate::config::Config;
use crate::domains::catalog::{self, Product};
use crate::domains::licensing::LicensingError;
use crate::domains::licensing::batches::files::{Moving, codes_file, import_all};
use crate::domains::licensing::batches::{
    Batch, BatchState, FillBatch, Generate, ImportReport, Outcome, Unfinished, fill, generate,
    unfinished, view,
};
use crate::domains::tenants;
use crate::problem::Problem;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The largest file of keys.
const MAX_FILE: u64 = 256 << 20;
/// Refused rows that people are shown; JSON has them all.
const SHOWN: usize = 20;

/// Issue licenses in bulk
#[derive(Debug, clap::Subcommand)]
pub enum Codes {
    /// Issue licenses of a product and write their redeem codes to a file
    ///
    /// A run that was interrupted goes on when the same command is given again. On SQLite stop the
    /// server first; beside PostgreSQL it may run.
    #[command(after_help = "Examples:\n  \
        mintreu codes new --product acme.editor --count 500 --out codes.csv\n  \
        mintreu codes new --product acme.editor --count 20000 --label \"Spring box\" \\\n      \
        --seats 3 --expires 2028-01-01 --out box.csv --json")]
    New(New),
    /// Bring in keys that customers of another shop have already
    ///
    /// The file is CSV with a header: key, and as you like expires, seats and reference. Each key
    /// becomes a license that it opens. The same file again changes nothing.
    #[command(after_help = "Examples:\n  \
        mintreu codes import keys.csv --product acme.editor\n  \
        mintreu codes import old-shop.csv --product acme.editor --label \"old shop\" --allow-weak --json")]
    Import(Import),
}

/// Issue licenses of a product
#[derive(Debug, clap::Args)]
pub struct New {
    /// The product's code
    #[arg(long, value_name = "CODE")]
    product: String,
    /// How many, 1 to 100000
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=100_000))]
    count: i64,
    /// What the batch is called
    #[arg(long, default_value = "")]
    label: String,
    /// Devices of each license, instead of the product's
    #[arg(long, value_name = "N")]
    seats: Option<i64>,
    /// When each license ends, instead of as the product says: 2028-01-01
    #[arg(long, value_name = "DAY")]
    expires: Option<Instant>,
    /// The new file for the codes; only its owner can read it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The database, in place of the settings' one: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Bring keys in
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The CSV file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The product's code
    #[arg(long, value_name = "CODE")]
    product: String,
    /// What the batch is called: the file's name, when absent
    #[arg(long)]
    label: Option<String>,
    /// Take keys that can be guessed too; guessing them then meets stricter limits
    #[arg(long)]
    allow_weak: bool,
    /// The database, in place of the settings' one: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Runs one of them.
pub fn run(command: &Codes, file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let mut config = Config::load(file)?;
    let (Codes::New(New { database, .. }) | Codes::Import(Import { database, .. })) = command;
    if let Some(url) = database {
        config.database.url.clone_from(url);
    }
    logging(&config);
    runtime()?.block(async {
        // What can't be done is told before a database is touched.
        match command {
            Codes::New(new) => {
                must_be_new(&new.out)?;
                let app = crate::open(config, "mintreu codes new").await?;
                issue(&app, new, out).await
            }
            Codes::Import(import) => {
                let bytes = read_bytes(&import.file, MAX_FILE)?;
                let app = crate::open(config, "mintreu codes import").await?;
                bring_in(&app, import, &bytes, out).await
            }
        }
    })
}

fn must_be_new(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        let shown = path.display();
        let detail = format!("{shown} already exists; choose another name or move it away first");
        return Err(CliError::new("file_exists", detail));
    }
    Ok(())
}

/// The stable code is the API's.
fn failed(error: LicensingError) -> CliError {
    let detail = error.to_string();
    CliError::new(Problem::from(error).code, detail)
}

/// The product with this code, and the house acting for its seller.
async fn seller_of(app: &App, code: &str) -> Result<(Caller, Product), CliError> {
    let house = Caller::system(tenants::DEFAULT);
    let by_code = |cx: &mut crate::app::ReadCx<'_>, code: &String| {
        catalog::product_by_code(cx.tx, cx.caller.tenant, code)
    };
    let found = app.read(&house, code.to_owned(), by_code).await;
    let found = found.map_err(super::server::store_error)?;
    let product = found
        .ok_or_else(|| CliError::new("not_found", format!("no product has the code {code:?}")))?;
    let caller = Caller {
        account: Some(product.seller.account),
        roles: vec![Role::System],
        ..house
    };
    Ok((caller, product))
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template("{bar:30} {percent}% {msg} [{elapsed}<{eta}]") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn figure(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

async fn issue(app: &App, new: &New, out: &Output) -> Result<(), CliError> {
    let (caller, product) = seller_of(app, &new.product).await?;
    let started = app.now();
    let (mut batch, resumed_at) = begun(app, &caller, &product, new).await?;
    let bar = bar(figure(batch.wanted));
    while batch.state == BatchState::Issuing {
        bar.set_position(figure(batch.issued));
        bar.set_message(format!("{} of {} issued", batch.issued, batch.wanted));
        let next = FillBatch { batch: batch.id };
        batch = app.transact(&caller, next, fill).await.map_err(failed)?;
    }
    bar.finish_and_clear();
    if batch.state != BatchState::Done {
        let detail = format!("{} was withdrawn meanwhile; nothing was written", batch.id);
        return Err(CliError::new("batch_revoked", detail));
    }
    let file = codes_file(app, &caller, batch.id).await.map_err(failed)?;
    write_new(&new.out, &file, Readable::ByOwner)?;
    let took_ms = app.now().since_ms(started);
    let value = json!({
        "batch_id": batch.id.to_string(),
        "product": product.code,
        "issued": batch.issued,
        "resumed_at": resumed_at,
        "file": new.out.display().to_string(),
        "took_ms": took_ms,
    });
    let mut text = format!("{} licenses issued as {}", batch.issued, batch.id);
    if resumed_at > 0 {
        let _ = write!(text, "\nwent on after {resumed_at} of an interrupted run");
    }
    let _ = write!(
        text,
        "\nWrote {}; it opens licenses, so keep it safe.",
        new.out.display()
    );
    out.result(&value, &text)
}

/// The interrupted batch of the same product, name and size, or a new one; and where it goes on.
async fn begun(
    app: &App,
    caller: &Caller,
    product: &Product,
    new: &New,
) -> Result<(Batch, i64), CliError> {
    let query = Unfinished {
        slug: product.slug.clone(),
        label: new.label.clone(),
        count: new.count,
    };
    let earlier = app.read(caller, query, unfinished).await.map_err(failed)?;
    if let Some(earlier) = earlier {
        let issued = earlier.issued;
        return Ok((earlier, issued));
    }
    let command = Generate {
        slug: product.slug.clone(),
        count: new.count,
        label: new.label.clone(),
        seats: new.seats,
        expires_at: new.expires.map(|expires| expires.0),
    };
    let made = app
        .transact(caller, command, generate)
        .await
        .map_err(failed)?;
    let batch = made.id().map_err(failed)?;
    let batch = app.read(caller, batch, view).await.map_err(failed)?;
    Ok((batch, 0))
}

async fn bring_in(app: &App, import: &Import, bytes: &[u8], out: &Output) -> Result<(), CliError> {
    let (caller, product) = seller_of(app, &import.product).await?;
    let started = app.now();
    let moving = Moving {
        slug: product.slug.clone(),
        label: import
            .label
            .clone()
            .unwrap_or_else(|| name_of(&import.file)),
        allow_weak: import.allow_weak,
    };
    let bar = bar(0);
    let progress = |report: &ImportReport, all: usize| {
        bar.set_length(u64::try_from(all).unwrap_or(0));
        bar.set_position(report.read);
        bar.set_message(format!(
            "{} created, {} refused",
            report.created, report.refused
        ));
    };
    let done = import_all(app, &caller, (moving, bytes), progress).await;
    bar.finish_and_clear();
    let report = done.map_err(failed)?;
    let took_ms = app.now().since_ms(started);
    let refusals = refused(&report)
        .map(|row| json!({ "line": row.line, "code": row.code, "detail": row.detail }));
    let value = json!({
        "batch_id": report.batch,
        "product": product.code,
        "read": report.read,
        "created": report.created,
        "unchanged": report.unchanged,
        "refused": report.refused,
        "reasons": reasons(&report),
        "refusals": refusals.collect::<Vec<_>>(),
        "took_ms": took_ms,
    });
    out.result(&value, &told(&report, took_ms))
}

/// A file's name as a label: its first eighty characters.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

fn refused(
    report: &ImportReport,
) -> impl Iterator<Item = &crate::domains::licensing::batches::RowReport> {
    report
        .rows
        .iter()
        .filter(|row| row.outcome == Outcome::Refused)
}

fn reasons(report: &ImportReport) -> BTreeMap<&str, usize> {
    let mut reasons = BTreeMap::new();
    for code in refused(report).filter_map(|row| row.code.as_deref()) {
        *reasons.entry(code).or_default() += 1;
    }
    reasons
}

/// The sum that must hold, then the reasons, then the first refusals.
fn told(report: &ImportReport, took_ms: i64) -> String {
    let mut text = format!(
        "{} read = {} created + {} unchanged + {} refused, in {} s",
        report.read,
        report.created,
        report.unchanged,
        report.refused,
        took_ms / 1000,
    );
    for (code, count) in reasons(report) {
        let _ = write!(text, "\n{count} refused: {code}");
    }
    for row in refused(report).take(SHOWN) {
        let (code, detail) = (row.code.as_deref(), row.detail.as_deref());
        let (code, detail) = (code.unwrap_or_default(), detail.unwrap_or_default());
        let _ = write!(text, "\n  line {}: {detail} ({code})", row.line);
    }
    text
}
