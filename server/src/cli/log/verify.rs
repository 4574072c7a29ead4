//! `log verify`: a receipt or a folder, judged without a network.

use std::collections::BTreeSet;
use std::path::Path;

use mintreu::document::{PublicKey, from_text};
use mintreu::id::LicenseId;
use mintreu::log::{Frontier, LogReceipt, TreeHead};
use serde_json::json;

use super::folder::{Folder, OwnLeaf};
use super::{Verify, rewritten};
use crate::cli::files::{read_bytes, read_text, text_or_file};
use crate::cli::keyfile::read_public_key;
use crate::cli::license::terms::day;
use crate::cli::{CliError, Output};
use crate::domains::transparency::model::hex;

/// The most bytes of a list of licenses.
const MAX_LIST: u64 = 256 << 20;
/// How many licenses are named one by one.
const MOST_NAMED: usize = 20;

pub(super) fn run(command: &Verify, out: &Output) -> Result<(), CliError> {
    if command.what.is_dir() {
        return verify_folder(command, out);
    }
    if command.licenses.is_some() || command.head.is_some() {
        let detail = "--licenses and --head are for a folder, not for a receipt";
        return Err(CliError::new("arguments_unfit", detail).exit(2));
    }
    verify_receipt(command, out)
}

fn verify_receipt(command: &Verify, out: &Output) -> Result<(), CliError> {
    let key = command.log_key.as_deref().ok_or_else(|| {
        let detail = "give the log's public key with --log-key; the shop shows it at /v1/log";
        CliError::new("key_missing", detail).exit(2)
    })?;
    let key = read_public_key(key)?;
    let receipt = LogReceipt::from_text(&read_text(&command.what)?)?;
    let head = receipt.verify(&key)?;
    if let Some(license) = &command.license {
        let starts = ["MT1-", "MT1:", "-----BEGIN MINTREU"];
        receipt.check_license(&from_text(&text_or_file(license, &starts)?)?)?;
    }
    let leaf = &receipt.leaf;
    let value = json!({
        "ok": true,
        "license_id": leaf.license().to_string(),
        "product": leaf.product(),
        "issued_at": leaf.issued_at().secs(),
        "document_sha256": hex(leaf.document()),
        "index": receipt.index,
        "origin": head.origin,
        "size": head.size,
        "root": hex(&head.root),
        "license_checked": command.license.is_some(),
    });
    let mut text = format!(
        "{} for {}, issued {}, is leaf {} of {} in the log {}.\n",
        leaf.license(),
        leaf.product(),
        day(leaf.issued_at()),
        receipt.index,
        head.size,
        head.origin,
    );
    text.push_str(match command.license {
        Some(_) => "The receipt is for the license given.",
        None => "Which document that is was not checked; give --license to check it.",
    });
    out.result(&value, &text)
}

/// What was found in a folder.
#[derive(Default)]
struct Found {
    unlogged: Vec<String>,
    unknown: Vec<OwnLeaf>,
    listed: usize,
}

fn verify_folder(command: &Verify, out: &Output) -> Result<(), CliError> {
    let folder = Folder::open(&command.what)?.ok_or_else(|| {
        let detail = "this folder was not filled by mintreu log fetch";
        CliError::new("folder_damaged", detail)
    })?;
    if let Some(key) = &command.log_key {
        check_key(&folder, &read_public_key(key)?)?;
    }
    let other = match &command.head {
        None => None,
        Some(given) => {
            let document = from_text(&text_or_file(given, &["MT1-", "-----BEGIN MINTREU"])?)?;
            Some(folder.verified(&document)?)
        }
    };
    check_heads(&folder, other.as_ref())?;
    let own = folder.own()?;
    if let Some((own, statement)) = &own {
        check_own(&folder, own, statement)?;
    }
    let found = match (&command.licenses, &own) {
        (None, _) => Found::default(),
        (Some(list), Some((own, _))) => compare(&licenses(list)?, own, command.product.as_deref()),
        (Some(_), None) => {
            let detail = "the folder has no leaves of yours; run mintreu log fetch with a \
                seller's --token-file first";
            return Err(CliError::new("own_leaves_missing", detail));
        }
    };
    report(&folder, own.as_ref().map(|own| own.0.len()), &found, out)?;
    if found.unlogged.is_empty() && found.unknown.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "{} licenses of the list are not in the log, {} in the log are not in the list",
        found.unlogged.len(),
        found.unknown.len()
    );
    Err(CliError::new("licenses_differ", detail))
}

/// The key of the folder must be the one that is known from elsewhere.
pub(super) fn check_key(folder: &Folder, key: &PublicKey) -> Result<(), CliError> {
    if folder.key == *key {
        return Ok(());
    }
    let detail = format!(
        "the log's key is {key}, this folder was begun with {}",
        folder.key
    );
    Err(CliError::new("log_key_changed", detail))
}

/// The leaves make every head that was ever seen, and the one that somebody else saw.
pub(super) fn check_heads(folder: &Folder, other: Option<&TreeHead>) -> Result<(), CliError> {
    let mut heads: Vec<&TreeHead> = folder.heads.iter().collect();
    heads.extend(other);
    let roots = folder.roots(&heads.iter().map(|head| head.size).collect())?;
    for head in heads {
        match roots.get(&head.size) {
            Some(root) if *root == head.root => {}
            Some(_) => {
                let detail = format!(
                    "the head of {} leaves, signed {}, is not that of these leaves: the log has \
                     two faces, or it was rewritten",
                    head.size,
                    day(head.issued_at)
                );
                return Err(rewritten(detail));
            }
            None => {
                let detail = "the head given is newer than this folder; run mintreu log fetch";
                return Err(CliError::new("folder_behind", detail));
            }
        }
    }
    Ok(())
}

/// Each of the own leaves is where it says, and together they are the part that was signed.
fn check_own(folder: &Folder, own: &[OwnLeaf], statement: &TreeHead) -> Result<(), CliError> {
    check_heads(folder, Some(statement))?;
    let mut part = Frontier::default();
    for leaf in own {
        let hash = leaf.hash()?;
        let place = usize::try_from(leaf.index).unwrap_or(usize::MAX);
        if folder.hashes.get(place) != Some(&hash) {
            let detail = format!("{} is not leaf {}", leaf.license_id, leaf.index);
            return Err(CliError::new("not_in_log", detail));
        }
        part.push(hash)?;
    }
    let signed = statement.part.as_ref().map(|part| (part.size, part.root));
    if signed != Some((part.size(), part.root())) {
        return Err(rewritten(
            "your leaves are not the part of the log that was signed as yours",
        ));
    }
    Ok(())
}

/// The ids in the column `license_id` of a CSV file.
fn licenses(path: &Path) -> Result<BTreeSet<String>, CliError> {
    let unfit = |what: String| CliError::new("list_malformed", what);
    let bytes = read_bytes(path, MAX_LIST)?;
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let headers = reader.headers().map_err(|error| unfit(error.to_string()))?;
    let column = headers.iter().position(|name| name.trim() == "license_id");
    let column = column.ok_or_else(|| unfit("the list has no column license_id".to_owned()))?;
    let mut ids = BTreeSet::new();
    for row in reader.records() {
        let row = row.map_err(|error| unfit(error.to_string()))?;
        let id = row.get(column).unwrap_or_default().trim();
        if !id.is_empty() {
            ids.insert(LicenseId::parse(id)?.to_string());
        }
    }
    Ok(ids)
}

fn compare(list: &BTreeSet<String>, own: &[OwnLeaf], product: Option<&str>) -> Found {
    let logged: BTreeSet<&str> = own.iter().map(|leaf| leaf.license_id.as_str()).collect();
    let judged = |leaf: &&OwnLeaf| product.is_none_or(|code| leaf.product == code);
    let unknown = own
        .iter()
        .filter(judged)
        .filter(|leaf| !list.contains(&leaf.license_id));
    let unlogged = list.iter().filter(|id| !logged.contains(id.as_str()));
    Found {
        unlogged: unlogged.cloned().collect(),
        unknown: unknown.cloned().collect(),
        listed: list.len(),
    }
}

fn report(
    folder: &Folder,
    own: Option<usize>,
    found: &Found,
    out: &Output,
) -> Result<(), CliError> {
    let value = json!({
        "ok": found.unlogged.is_empty() && found.unknown.is_empty(),
        "origin": folder.origin,
        "key": folder.key.to_string(),
        "size": folder.size(),
        "heads": folder.heads.len(),
        "own_leaves": own,
        "listed": found.listed,
        "not_in_log": found.unlogged,
        "not_in_list": found.unknown,
    });
    let mut lines = vec![format!(
        "The log {} holds: {} leaves make each of the {} heads seen.",
        folder.origin,
        folder.size(),
        folder.heads.len()
    )];
    if let Some(own) = own {
        lines.push(format!("{own} leaves are yours, as the log has signed."));
    }
    for id in found.unlogged.iter().take(MOST_NAMED) {
        lines.push(format!("not in the log:   {id}"));
    }
    for leaf in found.unknown.iter().take(MOST_NAMED) {
        let OwnLeaf {
            index,
            license_id,
            product,
            ..
        } = leaf;
        lines.push(format!(
            "not in your list: {license_id} for {product}, leaf {index}"
        ));
    }
    out.result(&value, &lines.join("\n"))
}
