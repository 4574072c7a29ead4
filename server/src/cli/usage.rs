//! `usage`: check what a device says it has used, with public keys alone. Works without any
//! server.

use std::fmt::Write as _;
use std::path::PathBuf;

use mintreu::activation::Activation;
use mintreu::document::{Kind, PublicKey};
use mintreu::license::{Trust, open_bundle};
use mintreu::meter::{ChainReport, EpochReport, Export, Receipt, Total, verify_chain};
use serde_json::{Value, json};

use super::files::read_bytes;
use super::keys::read_trust;
use super::license::terms::day;
use super::{CliError, Output};

/// The most bytes of an export that are read.
const MAX_EXPORT: u64 = 64 << 20;

/// Check exported usage; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum Usage {
    /// Verify an exported journal: signatures, links, gaps and totals
    ///
    /// The file is what Engine::export_usage (export_usage in Python, exportUsage in Node) gives.
    /// Everything in it is checked again with public keys alone: each segment is signed by the
    /// device, numbers have no gaps, each segment links to the one before, totals never fall.
    ///
    /// With --trust it also checks that the seller vouches for the device, and holds the seller's
    /// receipts against the chain. The exit code is 0 when all of it holds.
    ///
    /// Example: mintreu usage verify usage.mtu --trust root.pub
    Verify(Verify),
}

/// What to verify
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The exported journal
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
        Usage::Verify(verify) => run_verify(verify, out),
    }
}

fn run_verify(command: &Verify, out: &Output) -> Result<(), CliError> {
    let export = Export::from_bytes(&read_bytes(&command.file, MAX_EXPORT)?)?;
    let device = PublicKey::from_bytes(&export.device)?;
    let trust = match &command.trust {
        Some(given) => Some(read_trust(given, command.product.as_deref())?),
        None => None,
    };
    let receipts = match &trust {
        Some(trust) => vouched(&export, &device, trust)?,
        None => Vec::new(),
    };
    let report = verify_chain(&device, &export.segments, &receipts)?;
    let text = as_text(&report, &device, trust.is_some());
    out.result(&as_json(&report, &device, trust.is_some()), &text)
}

/// Holds the device against its activation and opens the receipts, all under the seller's root.
fn vouched(export: &Export, device: &PublicKey, trust: &Trust) -> Result<Vec<Receipt>, CliError> {
    let activation = export.activation.as_deref().ok_or_else(|| {
        CliError::new(
            "device_not_activated",
            "the export holds no activation, so that nobody vouches for its device",
        )
    })?;
    if Activation::verify(activation, trust)?.claims().device != *device {
        return Err(CliError::new(
            "wrong_device",
            "the activation in the export is for another device than the one that signed",
        ));
    }
    let open = |bundle: &Vec<u8>| {
        let opened = open_bundle(Kind::Receipt, bundle, trust)?;
        Receipt::from_claims(opened.claims())
    };
    let opened: mintreu::Result<_> = export.receipts.iter().map(open).collect();
    Ok(opened?)
}

fn as_json(report: &ChainReport, device: &PublicKey, trusted: bool) -> Value {
    let epoch = |epoch: &EpochReport| {
        json!({
            "stream": epoch.stream.to_string(),
            "epoch": epoch.epoch,
            "from_seq": epoch.from_seq,
            "to_seq": epoch.to_seq,
            "acknowledged": epoch.acknowledged,
            "head": hex(&epoch.head),
            "first_sealed_ms": epoch.sealed.0.ms(),
            "last_sealed_ms": epoch.sealed.1.ms(),
            "totals": epoch.totals.iter().map(total_json).collect::<Vec<_>>(),
        })
    };
    json!({
        "ok": true,
        "device": device.to_string(),
        "vouched_for": trusted,
        "segments": report.segments,
        "receipts": report.receipts,
        "epochs": report.epochs.iter().map(epoch).collect::<Vec<_>>(),
    })
}

fn total_json(total: &Total) -> Value {
    let dimensions: serde_json::Map<String, Value> = total
        .key
        .dimensions()
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "meter": total.key.meter(),
        "subject": total.key.subject_id(),
        "dimensions": dimensions,
        "units": total.units,
    })
}

fn as_text(report: &ChainReport, device: &PublicKey, trusted: bool) -> String {
    let mut text = format!(
        "The chain holds: {} segments signed by {device}, {} receipts.\n",
        report.segments, report.receipts
    );
    if !trusted {
        text.push_str(
            "Who vouches for that device was not checked; give --trust to check it and the \
             receipts.\n",
        );
    }
    for epoch in &report.epochs {
        describe(&mut text, epoch);
    }
    text
}

fn describe(text: &mut String, epoch: &EpochReport) {
    let EpochReport {
        stream,
        epoch: number,
        from_seq,
        to_seq,
        acknowledged,
        ..
    } = epoch;
    let (first, last) = (day(epoch.sealed.0), day(epoch.sealed.1));
    let older = match from_seq {
        1 => String::new(),
        _ => format!(" (older segments are folded away; the chain begins at {from_seq})"),
    };
    // Writing to a String cannot fail.
    writeln!(
        text,
        "\n{stream} epoch {number}: segments {from_seq} to {to_seq}, sealed {first} to {last}, \
         acknowledged up to {acknowledged}{older}"
    )
    .ok();
    for total in &epoch.totals {
        let subject = match total.key.subject_id() {
            "" => String::new(),
            subject => format!("  subject {subject}"),
        };
        let dimensions: String = total
            .key
            .dimensions()
            .iter()
            .map(|(n, v)| format!("  {n}={v}"))
            .collect();
        writeln!(
            text,
            "  {:>16}  {}{subject}{dimensions}",
            total.units,
            total.key.meter()
        )
        .ok();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
