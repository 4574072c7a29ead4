//! `serve`, `work` and `migrate`.

use super::{CliError, Output};
use crate::app::App;
use crate::config::Config;
use crate::worker;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Run jobs alone
#[derive(Debug, clap::Args)]
pub struct Work {
    /// Run what is due now, then stop
    #[arg(long)]
    once: bool,
}

/// Serves the marketplace; refuses settings that aren't safe for strangers, naming each.
pub fn serve(file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let config = Config::load(file)?;
    let found = config.unsafe_settings();
    if !found.is_empty() {
        let lines: Vec<String> = found.iter().map(|error| format!("\n  {error}")).collect();
        let detail = format!("these settings must be settled first:{}", lines.concat());
        return Err(CliError::new("settings_unsafe", detail).exit(3));
    }
    logging(&config);
    let base_url = config.server.base_url.clone();
    runtime()?.block(async {
        let listener = listen(config.server.listen).await?;
        let app = crate::open(config, "mintreu serve").await?;
        out.note(&format!("Mintreu serves {base_url}"));
        crate::run(app, listener, asked_to_stop()).await;
        Ok(())
    })
}

/// Runs jobs until told to stop, or once.
pub fn work(file: Option<&Path>, work: &Work, out: &Output) -> Result<(), CliError> {
    let config = Config::load(file)?;
    logging(&config);
    runtime()?.block(async {
        let app = crate::open(config, "mintreu work").await?;
        let table = Arc::new(worker::table());
        if work.once {
            let done = worker::drain(&app, &table).await.map_err(store_error)?;
            let result = serde_json::json!({ "jobs": done });
            return out.result(&result, &format!("{done} jobs done"));
        }
        out.note("Mintreu runs jobs");
        worker::run(app, table, asked_to_stop()).await;
        Ok(())
    })
}

/// Opens the database, which brings its schema up to date.
pub fn migrate(file: Option<&Path>, out: &Output) -> Result<(), CliError> {
    let config = Config::load(file)?;
    logging(&config);
    let app: Arc<App> = runtime()?.block(async {
        let app = crate::open(config, "mintreu migrate").await;
        app.map_err(CliError::from)
    })?;
    let names = crate::store::pending_migrations(app.store.engine());
    let names = names.map_err(crate::StartError::from)?;
    let text = format!("the schema is up to date: {} migrations", names.len());
    out.result(&serde_json::json!({ "migrations": names }), &text)
}

pub(super) fn store_error(error: crate::store::StoreError) -> CliError {
    CliError::new("database_failed", error.to_string()).exit(4)
}

/// Listens, or says what is in the way.
pub(super) async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|error| {
        let (code, what) = match error.kind() {
            std::io::ErrorKind::AddrInUse => (
                "port_in_use",
                "another program listens there; choose another port or stop it".to_owned(),
            ),
            std::io::ErrorKind::PermissionDenied => (
                "port_forbidden",
                "this user may not listen there; choose a port above 1023".to_owned(),
            ),
            _ => ("listen_failed", error.to_string()),
        };
        CliError::new(code, format!("can't listen on {address}: {what}")).exit(5)
    })
}

/// Ends at Ctrl-C, or at SIGTERM where there is one.
pub(super) async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without signals the process is ended from outside.
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// Logs to standard error: lines for people, JSON when standard error is no terminal.
pub(super) fn logging(config: &Config) {
    use std::io::IsTerminal;
    let filter = tracing_subscriber::EnvFilter::new(&config.log.filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let set = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().try_init()
    };
    if let Err(error) = set {
        eprintln!("mintreu: logging is set up already: {error}");
    }
}

/// The one runtime of the process.
pub(super) struct ServerRuntime(tokio::runtime::Runtime);

pub(super) fn runtime() -> Result<ServerRuntime, CliError> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let failed = |error: std::io::Error| CliError::new("runtime_failed", error.to_string());
    built.map(ServerRuntime).map_err(failed)
}

impl ServerRuntime {
    /// Runs a future to its end on this thread.
    pub fn block<T>(
        &self,
        future: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        self.0.block_on(future)
    }
}
