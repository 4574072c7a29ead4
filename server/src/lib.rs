//! The Mintreu marketplace server.
//!
//! [`open`] opens the database and gives the [`App`]; [`run`] serves it on a listener, with a
//! worker beside it, until told to stop. Both can be started from a test.

use crate::app::App;
use crate::caller::Caller;
use crate::config::{Config, ConfigError};
use crate::custody::Custody;
use crate::domains::{invoicing, payouts, taxes, tenants};
use crate::gateways::sandbox::clock::{self, SandboxClock};
use crate::store::{Attempt, OpenError, Store, StoreError, StoreOptions, Tx};
use axum::Router;
use axum::middleware::from_fn_with_state;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

// Machinery: knows no domain.
pub mod app;
pub mod caller;
pub mod config;
pub mod custody;
pub mod events;
pub mod gateways;
pub mod hostfile;
pub mod limits;
pub mod net;
pub mod problem;
pub mod queue;
pub mod serve;
pub mod store;
pub mod wire;
pub mod print;
pub mod text;
// The domains.
pub mod domains;
// The faces.
pub mod api;
pub mod cli;
pub mod demo;
pub mod floating;
pub mod notify;
pub mod web;
pub mod worker;

/// Why the server could not start, as a stable code and a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl StartError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open(error) => error.code,
            Self::Config(_) => "setting_invalid",
        }
    }
}

/// Opens the database of `config`, brings it up to date, and prepares what must be there.
/// `holder` is written into the lock file: `mintreu serve`.
pub async fn open(config: Config, holder: &str) -> Result<Arc<App>, StartError> {
    let app = unprepared(config, holder).await?;
    prepare(&app).await?;
    Ok(Arc::new(app))
}

/// As [`open`], with a clock that can be moved. A demo that is new begins [`demo::PAST_MS`] ago,
/// so that it has a past to show; one that is there goes on where its clock was.
pub async fn open_demo(config: Config, holder: &str) -> Result<Arc<App>, StartError> {
    let mut app = unprepared(config, holder).await?;
    let failed = |error: StoreError| OpenError::new("database_failed", error.to_string());
    let kept = clock::kept(&app.store, tenants::DEFAULT).await;
    let known = app.store.read(tenants::sql::any).await.and_then(|any| any);
    let ahead_ms = match (kept.map_err(failed)?, known.map_err(failed)?) {
        (Some(ahead_ms), _) => ahead_ms,
        (None, true) => 0,
        (None, false) => -demo::PAST_MS,
    };
    let moved = Arc::new(SandboxClock::new(app.clock.clone(), ahead_ms));
    app.clock = moved.clone();
    app.sandbox_clock = Some(moved);
    prepare(&app).await?;
    Ok(Arc::new(app))
}

async fn unprepared(config: Config, holder: &str) -> Result<App, StartError> {
    let keys = config.custody()?;
    let mut options = StoreOptions::new(config.database.url.clone());
    options.connections = config.database.connections.clamp(1, 256);
    holder.clone_into(&mut options.holder);
    let store = Store::open(options).await?;
    let keys = settle(&store, keys).await?;
    Ok(App::new(config, store, keys))
}

/// The custody of this database's secrets, or why this key-encryption key isn't theirs.
pub async fn settle(store: &Store, keys: Custody) -> Result<Custody, OpenError> {
    let failed = |error: StoreError| OpenError::new("database_failed", error.to_string());
    let mut keys = Some(keys);
    let mut nonce = [0; 12];
    app::system_entropy(&mut nonce);
    let body = move |tx: &mut dyn Tx| {
        let Some(custody) = keys.take() else {
            // Only a lost race runs a body again, and this one is alone at start.
            return Attempt::Rollback(Err(StoreError::Retry));
        };
        match custody.settle(tx, nonce) {
            Ok(settled) => Attempt::Commit(Ok(settled)),
            Err(error) => Attempt::Rollback(Err(error)),
        }
    };
    let settled = store.write(Vec::new(), body).await.and_then(|done| done);
    settled.map_err(failed)?.ok_or_else(|| {
        let detail = "this key-encryption key doesn't open the database's secrets; use the one \
                      that they were sealed under";
        OpenError::new("key_wrong", detail)
    })
}

/// The rows that every installation has.
pub async fn prepare(app: &App) -> Result<(), StartError> {
    let command = tenants::EnsureDefault {
        name: "Mintreu".to_owned(),
    };
    let caller = Caller::system(tenants::DEFAULT);
    let prepared = app.transact(&caller, command, |cx, command| {
        tenants::ensure_default(cx, command)?;
        payouts::plan_weekly(cx)?;
        worker::plan_sweep(cx).map_err(crate::queue::JobError::from)
    });
    let failed =
        |error: crate::queue::JobError| OpenError::new("database_failed", error.to_string());
    prepared.await.map_err(failed)?;
    let issuer = invoicing::KeepIssuer(issuer(&app.config.invoices));
    let kept = app.transact(&caller, issuer, invoicing::keep_issuer).await;
    kept.map_err(|error| OpenError::new("issuer_malformed", error.to_string()))?;
    register(app).await
}

/// Keeps where the settings say that the platform is registered for tax, if they do.
async fn register(app: &App) -> Result<(), StartError> {
    let settings = &app.config.tax;
    if settings.country.is_empty() {
        return Ok(());
    }
    let wrong = |error: taxes::TaxError| OpenError::new("tax_country_wrong", error.to_string());
    let home = taxes::Place::parse(&settings.country).map_err(wrong)?;
    let policy = taxes::Policy {
        home: Some(home),
        inclusive: settings.prices_include_tax,
    };
    let caller = Caller::system(tenants::DEFAULT);
    let command = taxes::SetPolicy { policy };
    let set = app.transact(&caller, command, taxes::set_policy).await;
    Ok(set.map_err(wrong)?)
}

/// Who issues invoices, as the settings say it.
fn issuer(settings: &config::InvoicesConfig) -> invoicing::Party {
    invoicing::Party {
        name: settings.name.clone(),
        address: settings.address.join("\n"),
        tax_number: settings.tax_number.clone(),
        ..invoicing::Party::default()
    }
}

/// Every route, JSON and pages, with all that surrounds them.
pub fn router(app: &Arc<App>) -> Router {
    let visits = Arc::new(api::Visits::new(app.clone()));
    let routes = api::router().merge(web::router(app));
    let routes = routes.layer(from_fn_with_state(visits, api::visit));
    serve::guarded((&app.config.server).into(), routes.with_state(app.clone()))
}

/// Serves on `listener`, with a worker beside it, until `shutdown`; then ends in order: no new
/// requests, requests at work finish, jobs at work finish.
pub async fn run(app: Arc<App>, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    run_from(app, listener, std::future::ready(()), shutdown).await;
}

/// As [`run`]; the worker begins when `begin` is over.
pub async fn run_from(
    app: Arc<App>,
    listener: TcpListener,
    begin: impl Future<Output = ()> + Send + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, mut stopped) = watch::channel(());
    let jobs = app.config.worker.jobs;
    let worker_app = app.clone();
    let worker = tokio::spawn(async move {
        let stopped = async move {
            stopped.changed().await.ok();
        };
        begin.await;
        if jobs > 0 {
            worker::run(worker_app, Arc::new(worker::table()), stopped).await;
        }
    });
    let bounds = (&app.config.server).into();
    serve::serve(bounds, router(&app), listener, shutdown).await;
    stop.send(()).ok();
    if worker.await.is_err() {
        tracing::error!("the worker ended by a panic");
    }
}
