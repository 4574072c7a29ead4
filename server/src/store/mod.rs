//! The store: what a transaction promises, on SQLite and on PostgreSQL alike.
//!
//! One SQL text serves both engines behind the two-method trait [`Tx`]. A use case is a plain
//! synchronous function on an open transaction; [`Store::write`] may run it again after a lost
//! race, so it must have no effect besides its statements.
//!
//! Invariants
//! * Only this folder knows which engine runs, and only here do the drivers' names appear.
//! * A write is serializable, and it is answered only after COMMIT.
//! * After a `Conflict` the transaction is over on both engines; claim with
//!   `ON CONFLICT DO NOTHING RETURNING` where a second row is expected.
//! * Every SQLite database has one process and one writer; its lock file says which.
//!
//! Tables: `schema_migration`. Start reading at [`Store::write`], then `sqlite.rs`.

mod migrate;
mod names;
mod postgres;
pub mod rows;
mod sqlite;
pub mod tx;

pub use migrate::pending_of as pending_migrations;
pub use tx::{Engine, Row, StoreError, Tx, Value};

use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How often a transaction is run again after a lost race before the caller is told to wait.
pub const MAX_ATTEMPTS: u32 = 8;

/// Where the database is and how much of it may be used at once.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite:path/to/file.db` or `postgres://user:password@host/database`.
    pub url: String,
    /// Connections: to PostgreSQL in all, on SQLite those of readers.
    pub connections: usize,
    /// Writes that may wait at once; more are refused.
    pub waiting: usize,
    /// How long a caller waits for a connection before it is refused.
    pub patience: Duration,
    /// Run this share of commits (in per cent) twice, throwing the first away: for tests.
    pub forced_retries: u8,
    /// The last migration to run; `None` for all. For tests of those after it.
    pub until: Option<i64>,
    /// Say who holds the lock file: `mintreu serve`.
    pub holder: String,
}

impl StoreOptions {
    /// The usual figures for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 8,
            waiting: 1024,
            patience: Duration::from_secs(5),
            forced_retries: 0,
            until: None,
            holder: "mintreu".to_owned(),
        }
    }
}

/// Whether what a use case wrote shall stay.
pub enum Attempt<T> {
    /// Commit and answer this.
    Commit(T),
    /// Undo everything and answer this.
    Rollback(T),
}

/// How strictly a write is kept apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// As if alone: every command.
    Serializable,
    /// For leasing jobs with SKIP LOCKED, where the row lock is the whole protection.
    ReadCommitted,
}

/// What a driver is told to do with one run of a body.
enum Vote {
    Commit,
    Rollback,
    Again,
}

/// One unit of work for a driver: run it (perhaps again), then tell it how it ended.
trait Work: Send {
    fn run(&mut self, tx: &mut dyn Tx) -> Vote;
    fn answer(self: Box<Self>, end: Result<(), StoreError>);
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// An open database.
pub struct Store {
    backend: Arc<Backend>,
    runtime: OwnRuntime,
    writes: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    patience: Duration,
    forced_retries: u8,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    pub async fn open(options: StoreOptions) -> Result<Store, OpenError> {
        let until = options.until;
        let store = Self::connect(options).await?;
        let backend = store.backend.clone();
        store
            .blocking(move |handle| match &*backend {
                Backend::Sqlite(sqlite) => sqlite.migrate(until),
                Backend::Postgres(postgres) => postgres.migrate(handle, until),
            })
            .await
            .map_err(|error| OpenError::new("database_failed", error.to_string()))??;
        Ok(store)
    }

    async fn connect(options: StoreOptions) -> Result<Store, OpenError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(options.connections + 4)
            .thread_name("mintreu-store")
            .enable_all()
            .build()
            .map_err(|error| OpenError::new("runtime_failed", error.to_string()))?;
        let runtime = OwnRuntime(Some(runtime));
        let handle = runtime.handle();
        let handle = handle.map_err(|error| OpenError::new("runtime_failed", error.to_string()))?;
        let (backend, writes) = if let Some(path) = options.url.strip_prefix("sqlite:") {
            let sqlite = sqlite::Sqlite::open(path.into(), &options)?;
            (Backend::Sqlite(sqlite), options.waiting)
        } else if options.url.starts_with("postgres://") || options.url.starts_with("postgresql://")
        {
            let postgres = postgres::Postgres::open(&options, handle)?;
            (Backend::Postgres(postgres), options.connections)
        } else {
            let detail = "a database address starts with sqlite: or postgres://";
            return Err(OpenError::new("database_url_invalid", detail));
        };
        Ok(Store {
            backend: Arc::new(backend),
            runtime,
            writes: Arc::new(Semaphore::new(writes)),
            reads: Arc::new(Semaphore::new(options.connections)),
            patience: options.patience,
            forced_retries: options.forced_retries,
        })
    }

    /// Which engine runs: for tests and start-up messages.
    pub fn engine(&self) -> Engine {
        match &*self.backend {
            Backend::Sqlite(_) => Engine::Sqlite,
            Backend::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs `body` in one serializable transaction, again after a lost race, at most
    /// [`MAX_ATTEMPTS`] times. `contention_keys` name hot rows, locked first on PostgreSQL.
    pub async fn write<T: Send + 'static>(
        &self,
        contention_keys: Vec<String>,
        body: impl FnMut(&mut dyn Tx) -> Attempt<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Isolation::Serializable, contention_keys, body)
            .await
    }

    /// As [`Store::write`], at READ COMMITTED where the engine has it: for claiming rows that are
    /// locked one by one.
    pub(crate) async fn claim<T: Send + 'static>(
        &self,
        body: impl FnMut(&mut dyn Tx) -> Attempt<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Isolation::ReadCommitted, Vec::new(), body).await
    }

    async fn run<T: Send + 'static>(
        &self,
        isolation: Isolation,
        mut contention_keys: Vec<String>,
        body: impl FnMut(&mut dyn Tx) -> Attempt<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.permit(&self.writes).await?;
        let (answer, answered) = tokio::sync::oneshot::channel();
        let work = Box::new(Pending {
            body,
            outcome: None,
            answer,
            forced_retries: self.forced_retries,
            _permit: permit,
        });
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite.submit(work)?,
            Backend::Postgres(_) => {
                contention_keys.sort();
                contention_keys.dedup();
                let backend = self.backend.clone();
                let handle = self.runtime.handle()?.clone();
                self.runtime.handle()?.spawn_blocking(move || {
                    if let Backend::Postgres(postgres) = &*backend {
                        postgres.write(&handle, isolation, &contention_keys, work);
                    }
                });
            }
        }
        let ended = |_| StoreError::shape("the store is shutting down".to_owned());
        let (outcome, _body) = answered.await.map_err(ended)?;
        outcome
    }

    /// Runs `body` on a read-only snapshot.
    pub async fn read<T: Send + 'static>(
        &self,
        mut body: impl FnMut(&mut dyn Tx) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.permit(&self.reads).await?;
        let backend = self.backend.clone();
        self.blocking(move |handle| {
            let _permit = permit;
            match &*backend {
                Backend::Sqlite(sqlite) => sqlite.read(&mut body),
                Backend::Postgres(postgres) => postgres.read(handle, &mut body),
            }
        })
        .await?
    }

    /// Prepares `sql` without running it, so that a test can judge every statement.
    pub async fn prepare(&self, sql: &str) -> Result<(), StoreError> {
        let sql = sql.to_owned();
        self.read(move |tx| tx.prepare(&sql)).await?
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let asked =
            |tx: &mut dyn Tx| tx.query("SELECT COUNT(*) AS files FROM schema_migration", &[]);
        self.read(asked).await?.map(drop)
    }

    async fn permit(&self, from: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        match tokio::time::timeout(self.patience, from.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(closed)) => Err(StoreError::Backend(Box::new(closed))),
            Err(_) => Err(StoreError::Retry),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        job: impl FnOnce(&tokio::runtime::Handle) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let handle = self.runtime.handle()?.clone();
        let task = self.runtime.handle()?.spawn_blocking(move || job(&handle));
        task.await.map_err(|error| {
            let what = if error.is_panic() {
                "a query panicked"
            } else {
                "the store is shutting down"
            };
            StoreError::shape(what.to_owned())
        })
    }
}

/// The store's own runtime: no transaction blocks a thread that serves requests.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn handle(&self) -> Result<&tokio::runtime::Handle, StoreError> {
        let runtime = self.0.as_ref();
        let runtime = runtime.ok_or_else(|| StoreError::shape("the store is closed".to_owned()))?;
        Ok(runtime.handle())
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        // A runtime dropped inside another one would panic; its threads end by themselves.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A body waiting for its commit, with the outcome of its last run.
struct Pending<T, F> {
    body: F,
    outcome: Option<T>,
    /// The body goes along: what it holds is taken apart by its caller, not by the writer that
    /// everybody waits for.
    answer: tokio::sync::oneshot::Sender<(Result<T, StoreError>, F)>,
    forced_retries: u8,
    _permit: OwnedSemaphorePermit,
}

impl<T: Send, F: FnMut(&mut dyn Tx) -> Attempt<T> + Send> Work for Pending<T, F> {
    fn run(&mut self, tx: &mut dyn Tx) -> Vote {
        self.outcome = None;
        match (self.body)(tx) {
            Attempt::Commit(outcome) => {
                if std::mem::take(&mut self.forced_retries) > random_percent() {
                    return Vote::Again;
                }
                self.outcome = Some(outcome);
                Vote::Commit
            }
            Attempt::Rollback(outcome) => {
                self.outcome = Some(outcome);
                Vote::Rollback
            }
        }
    }

    fn answer(self: Box<Self>, end: Result<(), StoreError>) {
        let Pending {
            body,
            outcome,
            answer,
            ..
        } = *self;
        let missing = || StoreError::shape("a body ended without an outcome".to_owned());
        let outcome = end.and_then(|()| outcome.ok_or_else(missing));
        // Nobody listens any more when the caller went away: what was committed stays committed.
        answer.send((outcome, body)).ok();
    }
}

/// 0..=99; without randomness nothing is forced, and retries merely lose their jitter.
fn random_percent() -> u8 {
    let mut byte = [0];
    match getrandom::fill(&mut byte) {
        Ok(()) => byte[0] % 100,
        Err(_) => 99,
    }
}

/// Runs one body without letting its panic take the thread with it.
fn run_guarded(work: &mut dyn Work, tx: &mut dyn Tx) -> Result<Vote, StoreError> {
    let run = std::panic::AssertUnwindSafe(|| work.run(tx));
    std::panic::catch_unwind(run)
        .map_err(|_| StoreError::shape("a use case panicked; nothing was written".to_owned()))
}

/// Why a database could not be opened, as a stable code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} ({code})")]
pub struct OpenError {
    /// Stable: `database_url_invalid`, `database_locked`, `database_unwritable`,
    /// `database_newer`, `database_changed`, `database_unreachable`, `database_failed`.
    pub code: &'static str,
    /// What was wrong and what to do.
    pub detail: String,
}

impl OpenError {
    pub(crate) fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { code, detail }
    }
}
