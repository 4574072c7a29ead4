//! The command line: `mintreu demo`, `serve`, `work`, `migrate`, `admin` and the tools.
//!
//! Each group of tools is a file here with a clap `Subcommand` enum and
//! `pub fn run(command, out: &Output) -> Result<(), CliError>`; to add one, add a variant to
//! [`Command`] and an arm to [`Command::run`]. Tools print through [`Output`], so that `--json`
//! holds for all of them.
//!
//! Invariants
//! * Every failure has a stable code, a sentence on standard error, and an exit code of
//!   [`CliError`].
//! * Standard output carries results only; progress and talk go to standard error.

mod admin;
mod catalog;
mod codes;
mod demo;
mod files;
mod floating;
mod import;
mod keyfile;
mod keys;
mod license;
mod log;
mod revocations;
mod server;
mod usage;

use clap::{CommandFactory, Parser, Subcommand};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Sell software, issue offline licenses, bill usage.
///
/// Try it: `mintreu demo` starts a shop with products, people and sandbox money on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "mintreu",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Print results as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Settings file (see config.default.toml); MINTREU_* variables override it
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a shop to look at: this machine only, fresh keys, sandbox money
    Demo(demo::Demo),
    /// Serve the marketplace to the world, with a worker beside it; or lend floating seats
    Serve(floating::Floating),
    /// Run jobs alone, beside other servers on the same PostgreSQL
    Work(server::Work),
    /// Bring the database's schema up to date and stop
    Migrate,
    /// Look after people: the first administrator
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Look after the catalog: bring products in
    #[command(subcommand)]
    Catalog(catalog::Catalog),
    /// Issue licenses in bulk, and bring in keys that customers have already
    #[command(subcommand)]
    Codes(codes::Codes),
    /// Make and certify the keys that sign licenses; no server needed
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Issue and check licenses; no server needed
    #[command(subcommand)]
    License(license::License),
    /// Withdraw licenses by a list that devices hold; no server needed
    #[command(subcommand)]
    Revocations(revocations::Revocations),
    /// Turn licenses of another vendor into your own; no server needed
    #[command(subcommand)]
    Import(import::Import),
    /// Check exported usage with public keys alone; no server needed
    #[command(subcommand)]
    Usage(usage::Usage),
    /// Audit the log of issued licenses: receipts, history, your own list
    #[command(subcommand)]
    Log(log::Log),
    /// Write shell completions to standard output
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

impl Command {
    fn run(self, config: Option<PathBuf>, out: &Output) -> Result<(), CliError> {
        match self {
            Self::Demo(demo) => demo::run(&demo, out),
            Self::Serve(given) if given.floating => floating::serve(&given, out),
            Self::Serve(_) => server::serve(config.as_deref(), out),
            Self::Work(work) => server::work(config.as_deref(), &work, out),
            Self::Migrate => server::migrate(config.as_deref(), out),
            Self::Admin(command) => admin::run(&command, config.as_deref(), out),
            Self::Catalog(command) => catalog::run(&command, config.as_deref(), out),
            Self::Codes(command) => codes::run(&command, config.as_deref(), out),
            Self::Keys(command) => keys::run(&command, config.as_deref(), out),
            Self::License(command) => license::run(&command, out),
            Self::Revocations(command) => revocations::run(&command, out),
            Self::Import(command) => import::run(&command, out),
            Self::Usage(command) => usage::run(&command, out),
            Self::Log(command) => log::run(&command, out),
            Self::Completions { shell } => {
                let mut command = Cli::command();
                let mut written = Vec::new();
                clap_complete::generate(shell, &mut command, "mintreu", &mut written);
                out.raw(&written)
            }
        }
    }
}

/// Reads the arguments, runs the command, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output { json: cli.json };
    match cli.command.run(cli.config, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.failure(&error);
            ExitCode::from(error.exit)
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct CliError {
    /// Stable: scripts match on it.
    pub code: &'static str,
    /// What was wrong and what to do.
    pub detail: String,
    /// 1 for a failure, 3 for settings, 4 for the database, 5 for the network. 2 is clap's, for
    /// arguments.
    pub exit: u8,
}

impl CliError {
    /// A failure with exit code 1.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            exit: 1,
        }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

impl From<mintreu::Error> for CliError {
    fn from(error: mintreu::Error) -> Self {
        Self::new(error.code(), error.detail())
    }
}

impl From<crate::StartError> for CliError {
    fn from(error: crate::StartError) -> Self {
        let exit = match &error {
            crate::StartError::Config(_) => 3,
            crate::StartError::Open(_) => 4,
        };
        let detail = match &error {
            crate::StartError::Config(error) => error.to_string(),
            crate::StartError::Open(error) => error.detail.clone(),
        };
        Self::new(error.code(), detail).exit(exit)
    }
}

impl From<crate::config::ConfigError> for CliError {
    fn from(error: crate::config::ConfigError) -> Self {
        crate::StartError::from(error).into()
    }
}

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether results are JSON.
    pub json: bool,
}

impl Output {
    /// Prints a result: `value` as one line of JSON, or `text` for people.
    pub fn result(&self, value: &impl Serialize, text: &str) -> Result<(), CliError> {
        if self.json {
            let line = serde_json::to_string(value);
            let line = line.map_err(|error| CliError::new("output_failed", error.to_string()))?;
            self.raw(format!("{line}\n").as_bytes())
        } else {
            self.raw(format!("{}\n", text.trim_end()).as_bytes())
        }
    }

    /// Writes bytes to standard output as they are. A reader that went away is no failure.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(CliError::new("output_failed", error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Says something to people while work goes on.
    pub fn note(&self, text: &str) {
        // Nothing can be done about a closed standard error, and the work goes on.
        writeln!(std::io::stderr(), "{text}").ok();
    }

    fn failure(&self, error: &CliError) {
        if self.json {
            let body = serde_json::json!({ "code": error.code, "detail": error.detail });
            self.note(&body.to_string());
        } else {
            self.note(&format!("mintreu: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
