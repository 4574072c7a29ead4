//! `demo`: a shop to look at, on this machine only.

use super::server::{asked_to_stop, listen, logging, runtime};
use super::{CliError, Output};
use crate::app::App;
use crate::config::{Config, Secret};
use crate::demo::People;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Start a shop to look at
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Where the demo keeps its database and keys; made when missing
    #[arg(long, default_value = "mintreu-demo", value_name = "FOLDER")]
    folder: PathBuf,
    /// Where to listen: a loopback address; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Keep the data in this database instead: postgres://user@host/name, empty at first
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Starts the demo: a fresh one, or the one that the folder holds.
pub fn run(demo: &Demo, out: &Output) -> Result<(), CliError> {
    if !demo.listen.ip().is_loopback() {
        let detail = "the demo has no real keys and no real money, so it listens on loopback \
                      addresses only; use `mintreu serve` for the world";
        return Err(CliError::new("demo_not_loopback", detail).exit(3));
    }
    let mut config = settings(demo)?;
    logging(&config);
    runtime()?.block(async {
        let listener = listen(demo.listen).await?;
        let address = listener.local_addr();
        let address = address.map_err(|error| CliError::new("listen_failed", error.to_string()))?;
        config.server.listen = address;
        config.server.base_url = format!("http://{address}");
        let app = crate::open(config, "mintreu demo").await?;
        let seeded = crate::demo::seed(&app).await;
        let people = seeded.map_err(|error| CliError::new("demo_not_filled", error.to_string()))?;
        if let Some(people) = people {
            tokio::spawn(trade(app.clone(), people, demo.folder.clone()));
        }
        let banner = banner(&app.config.server.base_url, &demo.folder);
        let result = serde_json::json!({ "url": app.config.server.base_url });
        out.result(&result, &banner)?;
        crate::run(app, listener, asked_to_stop()).await;
        Ok(())
    })
}

/// Lets people buy and count while the server answers already.
async fn trade(app: Arc<App>, people: People, folder: PathBuf) {
    if let Err(error) = crate::demo::trade(&app, &people, &folder).await {
        tracing::error!(%error, "the demonstration's orders and usage are incomplete");
    }
}

fn banner(url: &str, folder: &Path) -> String {
    let people = crate::demo::PEOPLE.iter();
    let people: Vec<String> = people
        .map(|person| format!("{} ({})", person.email, person.role))
        .collect();
    format!(
        "Mintreu demo: {url}\n\
         Sign in as {people}; the password is \"{password}\".\n\
         Sandbox money, fresh keys, this machine only. Everything is in {}.\n\
         Stop it with Ctrl-C; start it again and it goes on; delete the folder to start afresh.",
        folder.display(),
        people = people.join(", "),
        password = crate::demo::PASSWORD,
    )
}

fn settings(demo: &Demo) -> Result<Config, CliError> {
    let folder = &demo.folder;
    let unwritable = |error: std::io::Error| {
        let detail = format!("{} can't be written: {error}", folder.display());
        CliError::new("folder_unwritable", detail).exit(4)
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let kek = folder.join("kek");
    if !kek.exists() {
        write_key(&kek).map_err(unwritable)?;
    }
    let secret = std::fs::read_to_string(&kek).map_err(unwritable)?;
    let mut config = Config::load(None)?;
    let own = || format!("sqlite:{}", folder.join("mintreu.db").display());
    config.database.url = demo.database.clone().unwrap_or_else(own);
    config.keys.kek_file = kek.display().to_string();
    config.mail.url = Secret::new(format!("file:{}", folder.join("mail").display()));
    config.mail.from = "Mintreu demo <demo@mintreu.example>".to_owned();
    config.payments.sandbox = true;
    config.tax.country = "DE".to_owned();
    // Nobody tries stolen cards with play money on one's own machine.
    config.checkout.confirms_per_minute = 600;
    config.checkout.confirms_per_hour = 6_000;
    config.webhooks.insecure = true;
    // Any secret will do that nobody outside this folder knows.
    config.payments.webhook_secret = Secret::new(format!("demo {}", secret.trim()));
    Ok(config)
}

/// Writes a fresh key-encryption key that only this user can read.
fn write_key(path: &Path) -> std::io::Result<()> {
    let mut key = zeroize::Zeroizing::new([0; 32]);
    crate::app::system_entropy(&mut *key);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    writeln!(file, "{}", STANDARD.encode(*key))?;
    file.sync_all()
}
