//! A whole app for one test: its own database, a clock that stands still, and an audit at the end.

use crate::audit;
use crate::test_server::TestServer;
use mintreu::id::TenantId;
use mintreu::{FixedClock, Timestamp};
use mintreu_server::app::{App, Entropy};
use mintreu_server::caller::Caller;
use mintreu_server::config::{Config, Secret};
use mintreu_server::custody::Custody;
use mintreu_server::store::{Engine, Store, StoreOptions};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;

/// 2027-01-15T08:00:00Z: where every test's clock starts.
pub const START: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Where PostgreSQL is, when its half of the tests shall run: a `postgres://` address whose user
/// may create schemas.
pub const POSTGRES_VARIABLE: &str = "MINTREU_TEST_POSTGRES";

/// An app with its own database.
///
/// End it by [`TestApp::finish`], which checks the books; one that is merely dropped fails the
/// test.
pub struct TestApp {
    /// The server's parts.
    pub app: Arc<App>,
    /// The app's clock.
    pub clock: Arc<FixedClock>,
    /// Where this app's mail goes, in the folder `mail`.
    pub files: TempDir,
    /// Where the app says that it is: what it tells others (a provider's webhooks) arrives there
    /// once it is served.
    listener: TcpListener,
    database: Database,
    finished: bool,
}

enum Database {
    Sqlite(TempDir),
    Postgres { url: String, schema: String },
}

impl TestApp {
    /// Runs `story` on SQLite and, when `MINTREU_TEST_POSTGRES` is set, on PostgreSQL; each app is
    /// audited at the end.
    pub async fn both(story: impl AsyncFn(&TestApp)) {
        Self::both_with(|_| {}, story).await;
    }

    /// As [`TestApp::both`], with other settings.
    pub async fn both_with(change: fn(&mut Config), story: impl AsyncFn(&TestApp)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (options, database) = sqlite_in(folder);
        let app = Self::open_with(options, database, None, change).await;
        story(&app).await;
        app.finish().await;
        let postgres = match new_schema().await {
            None => None,
            Some((url, schema)) => {
                let (options, database) = postgres_at(url, schema);
                Some(Self::open_with(options, database, None, change).await)
            }
        };
        match postgres {
            Some(app) => {
                story(&app).await;
                app.finish().await;
            }
            None => println!("PostgreSQL skipped: {POSTGRES_VARIABLE} is not set"),
        }
    }

    /// Fills a database of when the last migration was `until`, brings it up to now and tells its
    /// `story`, on each engine. What was filled in need not be whole, so nothing is audited.
    pub async fn migrated<T>(
        until: i64,
        fill: impl AsyncFn(&Store) -> T,
        story: impl AsyncFn(&TestApp, T),
    ) {
        let mut databases = vec![sqlite_in(tempfile::tempdir().expect("a temporary folder"))];
        match new_schema().await {
            Some((url, schema)) => databases.push(postgres_at(url, schema)),
            None => println!("PostgreSQL skipped: {POSTGRES_VARIABLE} is not set"),
        }
        for (options, database) in databases {
            let mut old = options.clone();
            old.until = Some(until);
            let store = Store::open(old).await.expect("the store opens");
            let filled = fill(&store).await;
            drop(store);
            let app = Self::open(options, database).await;
            story(&app, filled).await;
            app.finish_whatever().await;
        }
    }

    /// An app on a SQLite file of its own.
    pub async fn sqlite() -> Self {
        Self::sqlite_with(|_| {}).await
    }

    /// As [`TestApp::sqlite`], with other options of the store.
    pub async fn sqlite_with(change: impl FnOnce(&mut StoreOptions)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut options, database) = sqlite_in(folder);
        change(&mut options);
        Self::open(options, database).await
    }

    /// An app in a PostgreSQL schema of its own; `None` when there is no PostgreSQL to test with.
    pub async fn postgres() -> Option<Self> {
        Self::postgres_with(|_| {}).await
    }

    /// As [`TestApp::postgres`], with other options of the store.
    pub async fn postgres_with(change: impl FnOnce(&mut StoreOptions)) -> Option<Self> {
        let (url, schema) = new_schema().await?;
        let (mut options, database) = postgres_at(url, schema);
        change(&mut options);
        Some(Self::open(options, database).await)
    }

    /// An app whose ids, tokens and keys follow from a seed, so that what it does can be repeated;
    /// `None` when there is no such engine to test with.
    pub async fn seeded(engine: Engine, seed: u64) -> Option<Self> {
        let (options, database) = match engine {
            Engine::Sqlite => sqlite_in(tempfile::tempdir().expect("a temporary folder")),
            Engine::Postgres => {
                let (url, schema) = new_schema().await?;
                postgres_at(url, schema)
            }
        };
        Some(Self::open_with(options, database, Some(seed), |_| {}).await)
    }

    async fn open(options: StoreOptions, database: Database) -> Self {
        Self::open_with(options, database, None, |_| {}).await
    }

    async fn open_with(
        options: StoreOptions,
        database: Database,
        seed: Option<u64>,
        change: fn(&mut Config),
    ) -> Self {
        let store = Store::open(options).await.expect("the store opens");
        let clock = Arc::new(FixedClock::at(START));
        let files = tempfile::tempdir().expect("a temporary folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mut config = settings(files.path());
        let address = listener.local_addr().expect("an address");
        config.server.base_url = format!("http://{address}");
        change(&mut config);
        let mut app = App::new(config, store, Custody::new([7; 32]));
        app.clock = clock.clone();
        if let Some(seed) = seed {
            app.entropy = entropy_of(seed);
        }
        mintreu_server::prepare(&app)
            .await
            .expect("the house is prepared");
        Self {
            app: Arc::new(app),
            clock,
            files,
            listener,
            database,
            finished: false,
        }
    }

    /// A copy of a SQLite app's database as it is now, for [`TestApp::restored`].
    pub fn backup(&self) -> TempDir {
        let Database::Sqlite(folder) = &self.database else {
            panic!("only a file can be copied");
        };
        let copy = tempfile::tempdir().expect("a temporary folder");
        copy_files(folder, &copy);
        copy
    }

    /// An app that was put back from a backup, at the clock's first instant again.
    pub async fn restored(backup: &TempDir) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_files(backup, &folder);
        let (options, database) = sqlite_in(folder);
        Self::open(options, database).await
    }

    /// Which engine this app runs on.
    pub fn engine(&self) -> Engine {
        self.app.store.engine()
    }

    /// The tenant of every test that doesn't say otherwise.
    pub fn tenant(&self) -> TenantId {
        mintreu_server::domains::tenants::DEFAULT
    }

    /// The house itself, in the test's tenant.
    pub fn system(&self) -> Caller {
        Caller::system(self.tenant())
    }

    /// Somebody who isn't signed in.
    pub fn guest(&self) -> Caller {
        Caller::guest(self.tenant())
    }

    /// Runs every due job; returns how many.
    pub async fn drain(&self) -> usize {
        let table = Arc::new(mintreu_server::worker::table());
        let done = mintreu_server::worker::drain(&self.app, &table).await;
        done.expect("jobs can be leased")
    }

    /// Every mail that was sent, as it would travel, in no order.
    pub fn mails(&self) -> Vec<String> {
        // The folder is made when the first mail is sent.
        let Ok(files) = std::fs::read_dir(self.files.path().join("mail")) else {
            return Vec::new();
        };
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(file.expect("a file").path()).expect("a mail")
        };
        files.map(read).collect()
    }

    /// Serves this app at its address, a free port of this machine, until the returned server is
    /// stopped.
    pub async fn serve(&self) -> TestServer {
        let listener = self.listener.try_clone().expect("one more handle");
        TestServer::start(self.app.clone(), listener)
    }

    /// Runs every due job, checks the books, and removes the database.
    pub async fn finish(mut self) {
        self.finished = true;
        self.drain().await;
        let complaints = audit::complaints(&self).await;
        assert!(
            complaints.is_empty(),
            "the audit complains: {complaints:#?}"
        );
        self.clean_up().await;
    }

    /// Removes the database of a test whose books are wrong on purpose: it must say how.
    pub async fn finish_expecting(mut self, complaint: &str) {
        self.finished = true;
        self.drain().await;
        let complaints = audit::complaints(&self).await;
        let found = complaints.iter().any(|found| found.contains(complaint));
        assert!(found, "expected {complaint:?} among {complaints:#?}");
        self.clean_up().await;
    }

    /// Removes the database of a test that has held its own audit.
    pub async fn finish_whatever(mut self) {
        self.finished = true;
        self.clean_up().await;
    }

    async fn clean_up(&self) {
        match &self.database {
            // The folder goes when it is dropped.
            Database::Sqlite(folder) => assert!(folder.path().exists()),
            Database::Postgres { url, schema } => {
                run_on(url, &format!("DROP SCHEMA {schema} CASCADE")).await;
            }
        }
    }
}

fn sqlite_in(folder: TempDir) -> (StoreOptions, Database) {
    let file = folder.path().join("mintreu.db");
    let options = StoreOptions::new(format!("sqlite:{}", file.display()));
    (options, Database::Sqlite(folder))
}

/// A PostgreSQL to test with, and the name of a schema that was made there.
async fn new_schema() -> Option<(String, String)> {
    let url = std::env::var(POSTGRES_VARIABLE).ok()?;
    let mut random = [0; 16];
    mintreu_server::app::system_entropy(&mut random);
    let schema = format!("test_{}", mintreu::id::encode(&random));
    run_on(&url, &format!("CREATE SCHEMA {schema}")).await;
    Some((url, schema))
}

fn postgres_at(url: String, schema: String) -> (StoreOptions, Database) {
    let joint = if url.contains('?') { '&' } else { '?' };
    let mut options = StoreOptions::new(format!("{url}{joint}options=-csearch_path%3D{schema}"));
    options.connections = 8;
    (options, Database::Postgres { url, schema })
}

/// splitmix64: the same bytes for the same seed, in the order they are asked for.
fn entropy_of(seed: u64) -> Entropy {
    let state = AtomicU64::new(seed);
    Arc::new(move |bytes| {
        for chunk in bytes.chunks_mut(8) {
            let step = 0x9e37_79b9_7f4a_7c15_u64;
            let mut word = state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    })
}

/// The settings of tests: sandbox money, mail to a folder, and webhooks to this machine.
fn settings(files: &Path) -> Config {
    let mut config = Config::defaults();
    config.payments.sandbox = true;
    // A clock that stands still never lets another one through.
    config.checkout.confirms_per_minute = 60;
    config.checkout.confirms_per_hour = 200;
    config.webhooks.insecure = true;
    config.payments.webhook_secret = Secret::new("a webhook secret for tests");
    config.mail.url = Secret::new(format!("file:{}", files.join("mail").display()));
    config.mail.from = "Mintreu tests <tests@mintreu.example>".to_owned();
    config
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            // Nothing can be awaited here, so forgetting is all that can be noticed.
            panic!("this test never called finish()");
        }
    }
}

/// Runs one statement on a connection of its own.
async fn run_on(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("PostgreSQL answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("the statement runs");
    drop(client);
    connection.await.expect("no panic").expect("a clean end");
}

fn copy_files(from: &TempDir, to: &TempDir) {
    for file in std::fs::read_dir(from.path()).expect("a folder") {
        let file = file.expect("a file").path();
        let name = file.file_name().expect("a name");
        std::fs::copy(&file, to.path().join(name)).expect("is copied");
    }
}
