//! `revocations`: withdraw licenses by a list that devices hold. Works without any server.

use std::path::PathBuf;

use mintreu::document::{from_text, to_armor, to_text};
use mintreu::license::Revocations as List;
use mintreu::{Clock, SystemClock};
use serde_json::json;

use super::files::{Readable, read_text, text_or_file, write_new};
use super::keyfile::read_signing_key;
use super::keys::{read_certificate, read_trust};
use super::license::terms::day;
use super::{CliError, Output};

/// The most indexes of one list that are named when it is shown.
const MOST_SHOWN: usize = 1000;

/// Withdraw licenses by a list that devices hold; no server needed
#[derive(Debug, clap::Subcommand)]
pub enum Revocations {
    /// Issue a list of withdrawn licenses
    ///
    /// Each license that was issued with --status LIST has a place in the list, its index. A list
    /// says everything: name all that are withdrawn, every time, and raise the version.
    ///
    /// Example: mintreu revocations new --key acme.key --certificate acme.crt --product acme.editor
    /// --list 1 --version 2 --from withdrawn.txt --out list-1.mtr
    New(New),
    /// Verify a list and show what it withdraws
    Show(Show),
}

/// A list to issue
#[derive(Debug, clap::Args)]
pub struct New {
    /// The signing key: the root's or a certified one
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A certificate from the root towards the key, the root's first; at most two
    #[arg(long = "certificate", value_name = "FILE")]
    certificates: Vec<PathBuf>,
    /// The product's code
    #[arg(long, value_name = "CODE")]
    product: String,
    /// The list's number, as licenses name it
    #[arg(long, value_name = "N")]
    list: u64,
    /// Its version: one more than last time
    #[arg(long, value_name = "N")]
    version: u64,
    /// How many places it has
    #[arg(long, value_name = "N", default_value_t = PLACES)]
    places: u32,
    /// The index of a withdrawn license; may be repeated
    #[arg(long = "index", value_name = "I")]
    indexes: Vec<u32>,
    /// A file with an index a line, or a license's id and its index; # begins a comment
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Write it to a new file, in armour, instead of printing one line
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Places of a list that doesn't say otherwise.
pub const PLACES: u32 = 1 << 16;

/// A list to look at
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The list itself, a file, or - for standard input
    #[arg(value_name = "LIST")]
    list: String,
    /// What is trusted: a .pub file, MT1K-…, or a whole mt1-trust line
    #[arg(long, value_name = "TRUST")]
    trust: String,
}

/// Runs one of them.
pub fn run(command: &Revocations, out: &Output) -> Result<(), CliError> {
    match command {
        Revocations::New(new) => create(new, out),
        Revocations::Show(show) => describe(show, out),
    }
}

/// Reads the bytes of a list's bundle.
pub fn read_list(given: &str) -> Result<Vec<u8>, CliError> {
    Ok(from_text(&text_or_file(
        given,
        &["MT1-", "-----BEGIN MINTREU"],
    )?)?)
}

fn create(new: &New, out: &Output) -> Result<(), CliError> {
    let key = read_signing_key(&new.key)?;
    let certificates: Result<Vec<_>, _> = new
        .certificates
        .iter()
        .map(|p| read_certificate(p))
        .collect();
    let certificates = certificates?;
    let chain: Vec<&[u8]> = certificates.iter().map(Vec::as_slice).collect();
    let mut list = List::new(&new.product, new.list, new.places)?;
    let mut withdrawn = new.indexes.clone();
    if let Some(path) = &new.from {
        withdrawn.extend(indexes(&read_text(path)?)?);
    }
    withdrawn.sort_unstable();
    withdrawn.dedup();
    for index in &withdrawn {
        list.revoke(*index)?;
    }
    let bundle = list
        .at(new.version, SystemClock.now())
        .issue(&key, &chain)?;
    let text = to_text(&bundle);
    let value = json!({
        "list": new.list,
        "version": new.version,
        "places": new.places,
        "withdrawn": withdrawn.len(),
        "revocations": text,
    });
    let Some(path) = &new.out else {
        return out.result(&value, &text);
    };
    write_new(path, to_armor(&bundle)?.as_bytes(), Readable::ByAnyone)?;
    let people = format!(
        "Wrote {}: list {} version {} withdraws {} of {} places.",
        path.display(),
        new.list,
        new.version,
        withdrawn.len(),
        new.places
    );
    out.result(&value, &people)
}

/// The last word of each line that isn't empty or a comment.
fn indexes(text: &str) -> Result<Vec<u32>, CliError> {
    let lines = text.lines().zip(1..);
    let words = lines.filter_map(|(line, number)| {
        let said = line.split('#').next().unwrap_or("");
        Some((said.split_whitespace().next_back()?, number))
    });
    let index = |(word, number): (&str, u32)| {
        word.parse().map_err(|_| {
            let detail = format!("line {number}: {word:?} is no index of a list");
            CliError::new("index_malformed", detail)
        })
    };
    words.map(index).collect()
}

fn describe(show: &Show, out: &Output) -> Result<(), CliError> {
    let trust = read_trust(&show.trust, None)?;
    let list = List::verify(&read_list(&show.list)?, &trust)?;
    let withdrawn = (0..list.bits()).filter(|&index| list.is_revoked(index));
    let withdrawn: Vec<u32> = withdrawn.collect();
    let shown = &withdrawn[..withdrawn.len().min(MOST_SHOWN)];
    let value = json!({
        "product": list.product(),
        "list": list.list(),
        "version": list.version(),
        "issued_at": list.issued_at().ms(),
        "places": list.bits(),
        "withdrawn": withdrawn.len(),
        "indexes": shown,
    });
    let words: Vec<_> = shown.iter().map(ToString::to_string).collect();
    let people = format!(
        "List {} of {}, version {} of {}.\nIt withdraws {} of {} places: {}",
        list.list(),
        list.product(),
        list.version(),
        day(list.issued_at()),
        withdrawn.len(),
        list.bits(),
        words.join(" "),
    );
    out.result(&value, &people)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_an_index_a_line() {
        let text = "# withdrawn\n7\nlic_abc 12 # chargeback\n\n  3  \n";
        assert_eq!(indexes(text), Ok(vec![7, 12, 3]));
        assert_eq!(
            indexes("7\nlic_abc").map_err(|error| error.code),
            Err("index_malformed")
        );
    }
}
