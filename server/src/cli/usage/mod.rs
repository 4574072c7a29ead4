//! `usage`: write out what a device has used, and check such a file with public keys alone. Works
//! without any server.

mod words;

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use mintreu::Engine;
use mintreu::meter::{Audit, AuditReport};
use serde_json::{Value, json};

use super::keys::read_trust;
use super::{CliError, Output};

/// The most bytes of an export that are read; it is judged a piece at a time.
const MAX_EXPORT: u64 = 16 << 30;
/// How much is read at once.
const PIECE: usize = 1 << 16;
/// The exit code for a file that can be read and doesn't hold.
const DOES_NOT_HOLD: u8 = 6;

/// Write out and check usage; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum Usage {
    /// Write out what a device's folder holds of its usage, for anybody to verify
    ///
    /// Nothing in the folder changes, no key is needed, and the product may be running. The file
    /// holds each signed segment with the receipt that vouches for it. The server's side of the
    /// same story is what /v1/licenses/{id}/usage/export gives.
    ///
    /// Example: mintreu usage export ~/.local/share/acme-editor -o usage.mtu
    Export(Export),
    /// Verify exported usage: signatures, links, gaps, forks, totals and receipts
    ///
    /// The file is what `mintreu usage export`, Engine::export_usage (export_usage in Python,
    /// exportUsage in Node) or a server gives. Everything in it is checked again with public keys
    /// alone: each segment is signed by the device, numbers have no gaps, each segment links to
    /// the one before, totals never fall.
    ///
    /// With --trust it also checks that the seller vouches for each device, and holds the seller's
    /// receipts against the chain. The exit code is 0 when all of it holds, 6 when something
    /// doesn't, and 1 when there is nothing to judge.
    ///
    /// Example: mintreu usage verify usage.mtu --trust root.pub
    Verify(Verify),
}

/// What to write out
#[derive(Debug, clap::Args)]
pub struct Export {
    /// The folder that the product's engine keeps
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The file to write; it must not exist yet
    #[arg(long, short, value_name = "FILE", default_value = "usage.mtu")]
    output: PathBuf,
}

/// What to verify
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The exported usage; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What is trusted: a .pub file, MT1K-…, or a whole mt1-trust line
    #[arg(long, value_name = "TRUST")]
    trust: Option<String>,
    /// The product's code; any product without it
    #[arg(long, value_name = "CODE", requires = "trust")]
    product: Option<String>,
}

/// Runs one of the commands.
pub fn run(command: &Usage, out: &Output) -> Result<(), CliError> {
    match command {
        Usage::Export(export) => run_export(export, out),
        Usage::Verify(verify) => run_verify(verify, out),
    }
}

fn run_export(command: &Export, out: &Output) -> Result<(), CliError> {
    let shown = command.output.display().to_string();
    let unwritable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => CliError::new(
            "file_exists",
            format!("{shown} already exists; choose another name or move it away first"),
        ),
        _ => CliError::new(
            "file_unwritable",
            format!("{shown} can't be written: {error}"),
        ),
    };
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&command.output)
        .map_err(unwritable)?;
    let mut file = BufWriter::new(file);
    let mut bytes = 0u64;
    let written = Engine::export_folder(&command.folder, &mut |piece| {
        bytes += piece.len() as u64;
        let written = file.write_all(piece);
        written.map_err(|error| mintreu::Error::new("file_unwritable", error.to_string()))
    });
    let counts = match written {
        Ok(counts) => counts,
        Err(error) => {
            // Half an export is of no use; the error says why.
            std::fs::remove_file(&command.output).ok();
            return Err(error.into());
        }
    };
    let file = file
        .into_inner()
        .map_err(|error| unwritable(error.into_error()))?;
    file.sync_all().map_err(unwritable)?;
    let json = json!({
        "file": shown,
        "bytes": bytes,
        "devices": counts.devices,
        "segments": counts.segments,
        "receipts": counts.receipts,
    });
    let text = format!(
        "{shown}: {} segments and {} receipts, {bytes} bytes.\nCheck it with: mintreu usage verify \
         {shown} --trust TRUST",
        counts.segments, counts.receipts
    );
    out.result(&json, &text)
}

fn run_verify(command: &Verify, out: &Output) -> Result<(), CliError> {
    let trust = match &command.trust {
        Some(given) => Some(read_trust(given, command.product.as_deref())?),
        None => None,
    };
    let report = judge(&command.file, Audit::new(trust), out)?;
    let nothing = report.source.is_none();
    if let (true, Some(first)) = (nothing, report.findings.first()) {
        return Err(CliError::new(first.code, first.detail.clone()));
    }
    let json: Value = serde_json::from_str(&report.to_json())
        .map_err(|error| CliError::new("output_failed", error.to_string()))?;
    out.result(&json, &words::verdict(&report))?;
    match report.findings.first() {
        None => Ok(()),
        Some(first) => {
            let more = match report.found {
                1 => String::new(),
                all => format!("; {} more", all - 1),
            };
            Err(CliError::new(first.code, format!("{first}{more}")).exit(DOES_NOT_HOLD))
        }
    }
}

/// Feeds the file to the audit, with a bar for those who wait.
fn judge(path: &Path, mut audit: Audit, out: &Output) -> Result<AuditReport, CliError> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        CliError::new("file_unreadable", format!("{shown} can't be read: {error}"))
    };
    let (mut file, length): (Box<dyn Read>, u64) = match path == Path::new("-") {
        true => (Box::new(std::io::stdin().lock()), 0),
        false => {
            let file = File::open(path).map_err(unreadable)?;
            let length = file.metadata().map_err(unreadable)?.len();
            (Box::new(file), length)
        }
    };
    let bar = bar(length, out);
    let (mut piece, mut read) = (vec![0; PIECE], 0u64);
    loop {
        let count = file.read(&mut piece).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        read += count as u64;
        if read > MAX_EXPORT {
            let detail = format!("{shown} has more than {MAX_EXPORT} bytes");
            return Err(CliError::new("too_large", detail));
        }
        audit.feed(&piece[..count]);
        bar.set_position(read);
    }
    bar.finish_and_clear();
    Ok(audit.finish())
}

fn bar(length: u64, out: &Output) -> ProgressBar {
    if out.json {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        0 => (ProgressBar::new_spinner(), "{spinner} {bytes} [{elapsed}]"),
        _ => (
            ProgressBar::new(length),
            "{bar:30} {bytes}/{total_bytes} [{elapsed}, {eta} left]",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
