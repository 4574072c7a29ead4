//! `log`: audit the transparency log of issued licenses.
//!
//! [`fetch`](self::fetch) fills a folder from a server; [`verify`](self::verify) judges receipts
//! and folders without any server. What the folder holds is told in `folder`.

mod fetch;
mod folder;
mod verify;

use std::path::PathBuf;

use super::{CliError, Output};

/// Audit the log of issued licenses
#[derive(Debug, clap::Subcommand)]
pub enum Log {
    /// Check a receipt, or a folder of the log; no server needed
    ///
    /// A receipt proves with the log's public key alone that a license was issued and logged. A
    /// folder is one that `mintreu log fetch` fills: its hashes must make every head that was ever
    /// seen, and your own leaves the part that the log signed.
    ///
    /// With --licenses it also says which licenses of your list are not in the log, and which of
    /// your products' licenses are in the log that your list doesn't have. The exit code is 0 when
    /// all of it holds.
    #[command(after_help = "Examples:\n  \
        mintreu log verify receipt.txt --log-key MT1K-… --license license.mtl\n  \
        mintreu log verify audit/ --licenses licenses.csv --json\n  \
        mintreu log verify audit/ --head MT1-…   (a head that somebody else was shown)")]
    Verify(Verify),
    /// Bring an auditor's folder up to date; refuses a log that was rewritten
    ///
    /// Run it daily, on a machine of your own, and keep the folder: the last head in it is what a
    /// rewritten log is noticed by. With a seller's session it also fetches the fields of the own
    /// leaves and the log's signed word on which they are.
    #[command(after_help = "Examples:\n  \
        mintreu log fetch --server https://shop.example --out audit\n  \
        mintreu log fetch --server https://shop.example --out audit --token-file session.txt")]
    Fetch(Fetch),
}

/// What to check
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// A receipt's file (- for standard input), or a folder
    #[arg(value_name = "RECEIPT|FOLDER")]
    what: PathBuf,
    /// The log's public key, MT1K-… or a file [default: the folder's]
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// The license that the receipt must be for: itself or a file
    #[arg(long, value_name = "LICENSE")]
    license: Option<String>,
    /// The licenses you know of: CSV with a column license_id
    #[arg(long, value_name = "FILE", conflicts_with = "license")]
    licenses: Option<PathBuf>,
    /// With --licenses: judge this product's leaves only
    #[arg(long, value_name = "CODE", requires = "licenses")]
    product: Option<String>,
    /// A head that somebody else was shown: itself or a file
    #[arg(long, value_name = "HEAD", conflicts_with = "license")]
    head: Option<String>,
}

/// From where to where
#[derive(Debug, clap::Args)]
pub struct Fetch {
    /// The shop's address
    #[arg(long, value_name = "URL")]
    server: String,
    /// The folder to fill; made when it isn't there
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The log's public key, if you know it from elsewhere [default: as first seen]
    #[arg(long, value_name = "KEY")]
    log_key: Option<String>,
    /// A file with a seller's session token, as `POST /v1/sessions` answers it (- for standard
    /// input)
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Runs one of them.
pub fn run(command: &Log, out: &Output) -> Result<(), CliError> {
    match command {
        Log::Verify(verify) => verify::run(verify, out),
        Log::Fetch(fetch) => fetch::run(fetch, out),
    }
}

fn rewritten(detail: impl Into<String>) -> CliError {
    CliError::new("log_rewritten", detail)
}
