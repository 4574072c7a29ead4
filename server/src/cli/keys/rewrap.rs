//! `keys rewrap`: a server's secrets under another key-encryption key.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::server::{runtime, store_error};
use super::super::{CliError, Output};
use crate::app::system_entropy;
use crate::config::{Config, custody_in_file};
use crate::domains::licensing::rewrap;
use crate::domains::webhooks;
use crate::store::{Attempt, Store, StoreError, StoreOptions, Tx};

/// Another key-encryption key
#[derive(Debug, clap::Args)]
pub struct Rewrap {
    /// A file with the new key: 32 bytes in base64, as `openssl rand -base64 32` prints them
    #[arg(long, value_name = "FILE")]
    new_kek_file: PathBuf,
}

/// Seals everything again, in one transaction.
pub fn run(command: &Rewrap, config: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let config = Config::load(config)?;
    let (old, new) = (config.custody()?, custody_in_file(&command.new_kek_file)?);
    let mut options = StoreOptions::new(config.database.url);
    "mintreu keys rewrap".clone_into(&mut options.holder);
    let done = runtime()?.block(async {
        let store = Store::open(options)
            .await
            .map_err(crate::StartError::from)?;
        let old = crate::settle(&store, old).await;
        let old = old.map_err(crate::StartError::from)?;
        let new = new.succeeding(&old);
        let body = move |tx: &mut dyn Tx| {
            let job = rewrap::Rewrap {
                from: &old,
                to: &new,
                entropy: system_entropy,
                progress,
            };
            match everything(tx, &job) {
                Ok(Some(done)) => Attempt::Commit(Ok(Some(done))),
                other => Attempt::Rollback(other),
            }
        };
        let written = store.write(Vec::new(), body).await;
        written.and_then(|done| done).map_err(store_error)
    })?;
    let done = done.ok_or_else(|| {
        let detail = "a secret doesn't open with the key of until now; nothing was changed";
        CliError::new("key_wrong", detail).exit(4)
    })?;
    let people = format!(
        "Sealed {done} secrets again. Name {} as keys.kek_file from now on.",
        command.new_kek_file.display()
    );
    out.result(&json!({ "secrets": done }), &people)
}

/// Webhooks lie above licensing, so their secrets are sealed again here.
fn everything(tx: &mut dyn Tx, job: &rewrap::Rewrap<'_>) -> Result<Option<usize>, StoreError> {
    let again = |purpose: &str, sealed: &[u8]| job.again(purpose, sealed);
    let Some(of_webhooks) = webhooks::reseal(tx, again)? else {
        return Ok(None);
    };
    Ok(rewrap::rewrap(tx, job)?.map(|done| done.saturating_add(of_webhooks)))
}

fn progress(done: usize) {
    eprintln!("{done} secrets");
}
