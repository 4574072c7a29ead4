//! `admin`: the first administrator, and what only an operator knows.

use super::server::{logging, runtime};
use super::{CliError, Output};
use crate::caller::Caller;
use crate::config::Config;
use crate::domains::accounts::{AccountError, MakeAdminLink, make_admin_link};
use crate::domains::metering::MeteringError;
use crate::domains::metering::evidence::{NoticeRestore, notice_restore};
use crate::domains::tenants;
use std::path::Path;

/// Look after people
#[derive(Debug, clap::Subcommand)]
pub enum Admin {
    /// Make a one-time token: whoever uses it, signed in, becomes an administrator
    Create,
    /// Say that this server was put back from a backup: its epoch rises
    ///
    /// Run it once after each restore. Receipts carry the epoch, sellers see it, and devices send
    /// again what the backup didn't hold. Nothing is lost or counted twice without it; but nobody
    /// would be told.
    Restored,
}

/// Runs one of them.
pub fn run(command: &Admin, file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    match command {
        Admin::Create => create(file, out),
        Admin::Restored => restored(file, out),
    }
}

fn create(file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let config = Config::load(file)?;
    logging(&config);
    runtime()?.block(async {
        let app = crate::open(config, "mintreu admin").await?;
        let caller = Caller::system(tenants::DEFAULT);
        let token = app.transact(&caller, MakeAdminLink, make_admin_link).await;
        let failed = |error: AccountError| CliError::new("admin_failed", error.to_string());
        let token = token.map_err(failed)?;
        let url = format!("{}/v1/me/admin", app.config.server.base_url);
        let text = format!(
            "Sign in, then send {{\"token\": \"{token}\"}}\nwith POST to {url} within an hour; \
             it works once."
        );
        out.result(&serde_json::json!({ "url": url, "token": token }), &text)
    })
}

fn restored(file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let config = Config::load(file)?;
    logging(&config);
    runtime()?.block(async {
        let app = crate::open(config, "mintreu admin").await?;
        let caller = Caller::system(tenants::DEFAULT);
        let epoch = app.transact(&caller, NoticeRestore, notice_restore).await;
        let failed = |error: MeteringError| CliError::new("admin_failed", error.to_string());
        let epoch = epoch.map_err(failed)?;
        let text = format!(
            "This server's epoch is {epoch} now. Devices send again what the backup didn't hold."
        );
        out.result(&serde_json::json!({ "server_epoch": epoch }), &text)
    })
}
