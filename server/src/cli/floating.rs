//! `serve --floating`: a host of one license's seats on a network without internet.

use super::files::read_text;
use super::keyfile::{read_signing_key, write_signing_key};
use super::license::terms::Seconds;
use super::server::{asked_to_stop, listen, runtime};
use super::{CliError, Output};
use crate::app::system_entropy;
use crate::floating::{self, AUDIT, Access, Host, Setup, Terms};
use crate::hostfile::HostFile;
use mintreu::SystemClock;
use mintreu::document::SigningKey;
use mintreu::license::Trust;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// What a host of floating seats is told
#[derive(Debug, clap::Args)]
pub struct Floating {
    /// Lend the seats of one floating license on a local network, without internet
    ///
    /// Started without --license it makes this host's key and prints it, for the license's page at
    /// the shop. See docs/floating.md.
    #[arg(long)]
    pub floating: bool,
    /// The file that the shop gave for this host's key
    #[arg(long, value_name = "FILE", requires = "floating")]
    license: Option<PathBuf>,
    /// Where the host keeps its key and its seats
    #[arg(
        long,
        value_name = "DIR",
        default_value = "mintreu-floating",
        requires = "floating"
    )]
    dir: PathBuf,
    /// Where to listen; 0.0.0.0:6350 opens it to the network
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:6350",
        requires = "floating"
    )]
    listen: SocketAddr,
    /// For how long a seat is kept without a word of its device
    #[arg(
        long,
        value_name = "TIME",
        default_value = "15m",
        requires = "floating"
    )]
    lease: Seconds,
    /// For how long a seat may be borrowed at most
    #[arg(long, value_name = "TIME", default_value = "7d", requires = "floating")]
    borrow: Seconds,
    /// Lend this many seats [default: all of the license]
    #[arg(long, value_name = "N", requires = "floating")]
    seats: Option<u32>,
    /// What the product pins, mt1-trust …, or a file with it [default: the line in FILE]
    #[arg(long, value_name = "TRUST", requires = "floating")]
    trust: Option<String>,
    /// A file whose text the page, /status and /metrics ask for
    #[arg(long, value_name = "FILE", requires = "floating")]
    token: Option<PathBuf>,
}

/// Shows the host's key, or serves.
pub fn serve(given: &Floating, out: &Output) -> Result<(), CliError> {
    let (key, new) = host_key(&given.dir)?;
    let Some(file) = &given.license else {
        return show_key(&key, new, out);
    };
    let setup = Setup {
        file: HostFile::parse(&read_text(file)?)?,
        trust: given.trust.as_deref().map(trust).transpose()?,
        terms: Terms {
            lease_secs: given.lease.0,
            borrow_secs: given.borrow.0,
            seats: given.seats,
        },
        clock: Arc::new(SystemClock),
        entropy: Arc::new(system_entropy),
        key,
    };
    let token = given.token.as_deref().map(token).transpose()?;
    logging();
    let host = Arc::new(Host::open(&given.dir, setup)?);
    runtime()?.block(async {
        let listener = listen(given.listen).await?;
        let at = listener.local_addr().unwrap_or(given.listen);
        out.note(&format!("Mintreu lends floating seats at http://{at}"));
        if at.ip().is_loopback() {
            out.note(
                "This machine alone can reach it; --listen 0.0.0.0:6350 opens it to the network",
            );
        }
        floating::run(host, Access { token }, listener, asked_to_stop()).await;
        Ok(())
    })
}

/// The host's own key, made at the first start.
fn host_key(dir: &Path) -> Result<(SigningKey, bool), CliError> {
    let path = dir.join("host.key");
    if path.exists() {
        return Ok((read_signing_key(&path)?, false));
    }
    std::fs::create_dir_all(dir).map_err(|error| {
        let detail = format!("{} can't be made: {error}", dir.display());
        CliError::new("folder_unwritable", detail)
    })?;
    let key = SigningKey::generate()?;
    write_signing_key(&path, &key)?;
    Ok((key, true))
}

fn show_key(key: &SigningKey, new: bool, out: &Output) -> Result<(), CliError> {
    let public = key.public().to_string();
    out.result(&serde_json::json!({ "host_key": public }), &public)?;
    if new {
        out.note("This host's key was made. Keep its folder to this machine: who copies it can lend too.");
    }
    out.note(
        "Enter the key above on the license's page at the shop, save the file you get, and start \
         this again with --license FILE.",
    );
    Ok(())
}

fn trust(given: &str) -> Result<Trust, CliError> {
    let text = super::files::text_or_file(given, &["mt1-trust"])?;
    Ok(text.trim().parse()?)
}

fn token(path: &Path) -> Result<String, CliError> {
    let text = read_text(path)?;
    let token = text.trim();
    if token.len() < 16 {
        let detail = format!("{} holds fewer than 16 characters", path.display());
        return Err(CliError::new("token_short", detail));
    }
    Ok(token.to_owned())
}

/// The log goes to standard error; what became of seats, one JSON line each, to standard output.
fn logging() {
    let others = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target(AUDIT, LevelFilter::OFF);
    let log = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .json()
        .with_filter(others);
    let seats = Targets::new().with_target(AUDIT, LevelFilter::INFO);
    let audit = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stdout)
        .json()
        .with_filter(seats);
    let set = tracing_subscriber::registry()
        .with(log)
        .with(audit)
        .try_init();
    if let Err(error) = set {
        eprintln!("mintreu: logging is set up already: {error}");
    }
}
