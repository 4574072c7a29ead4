//! PostgreSQL: pooled connections, SERIALIZABLE transactions, retries.
//!
//! The driver is asynchronous and a transaction is not, so each call blocks a thread of the
//! store's own runtime (never one of the server's). A permit bounds how many.

use super::names::{self, Numbered};
use super::tx::{Engine, Row, StoreError, Tx, Value};
use super::{
    Isolation, MAX_ATTEMPTS, OpenError, StoreOptions, Vote, Work, migrate, random_percent,
    run_guarded,
};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{NoTls, Statement};

pub(super) struct Postgres {
    pool: Pool,
}

impl Postgres {
    pub fn open(options: &StoreOptions, handle: &Handle) -> Result<Self, OpenError> {
        let mut config: tokio_postgres::Config = options.url.parse().map_err(|error| {
            let detail = format!("the PostgreSQL address can't be read: {error}");
            OpenError::new("database_url_invalid", detail)
        })?;
        config.connect_timeout(Duration::from_secs(5));
        config.application_name(&options.holder);
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_config(config, NoTls, recycling);
        let _entered = handle.enter();
        let pool = Pool::builder(manager)
            // Writers and readers each have as many permits.
            .max_size(options.connections * 2)
            .wait_timeout(Some(options.patience))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| OpenError::new("database_failed", error.to_string()))?;
        Ok(Self { pool })
    }

    pub fn migrate(&self, handle: &Handle, until: Option<i64>) -> Result<(), OpenError> {
        let client = wait(handle, self.pool.get()).map_err(|error| {
            let detail = format!("PostgreSQL can't be reached: {}", innermost(&error));
            OpenError::new("database_unreachable", detail)
        })?;
        let mut tx = PgTx::new(handle, &client);
        migrate::postgres(&mut tx, until)
    }

    /// Runs `work` to its end and answers it.
    pub fn write(
        &self,
        handle: &Handle,
        isolation: Isolation,
        contention_keys: &[String],
        mut work: Box<dyn Work>,
    ) {
        let end = self.attempts(handle, isolation, contention_keys, &mut *work);
        work.answer(end);
    }

    fn attempts(
        &self,
        handle: &Handle,
        isolation: Isolation,
        contention_keys: &[String],
        work: &mut dyn Work,
    ) -> Result<(), StoreError> {
        let client = wait(handle, self.pool.get()).map_err(pool_error)?;
        let locks = AdvisoryLocks::take(handle, &client, contention_keys)?;
        let mut end = Err(StoreError::Retry);
        for attempt in 0..MAX_ATTEMPTS {
            end = attempt_once(handle, &client, isolation, work);
            if !matches!(end, Err(StoreError::Retry)) {
                break;
            }
            let jitter = u64::from(random_percent());
            std::thread::sleep(Duration::from_millis((jitter << attempt.min(4)) / 20));
        }
        let released = locks.release();
        if matches!(end, Err(StoreError::OutcomeUnknown)) || released.is_err() {
            // A connection in doubt isn't given to anybody else; closing it frees its locks.
            drop(Object::take(client));
        }
        end
    }

    pub fn read<T>(
        &self,
        handle: &Handle,
        body: &mut dyn FnMut(&mut dyn Tx) -> T,
    ) -> Result<T, StoreError> {
        let client = wait(handle, self.pool.get()).map_err(pool_error)?;
        let mut tx = PgTx::new(handle, &client);
        tx.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        // A panic would leave the transaction open: the connection is closed instead.
        let run = std::panic::AssertUnwindSafe(|| body(&mut tx));
        let outcome = std::panic::catch_unwind(run);
        match outcome {
            Ok(outcome) => {
                tx.batch("ROLLBACK")?;
                Ok(outcome)
            }
            Err(_) => {
                drop(Object::take(client));
                Err(StoreError::shape("a query panicked".to_owned()))
            }
        }
    }
}

fn attempt_once(
    handle: &Handle,
    client: &Object,
    isolation: Isolation,
    work: &mut dyn Work,
) -> Result<(), StoreError> {
    let mut tx = PgTx::new(handle, client);
    tx.batch(match isolation {
        Isolation::Serializable => "BEGIN ISOLATION LEVEL SERIALIZABLE",
        Isolation::ReadCommitted => "BEGIN ISOLATION LEVEL READ COMMITTED",
    })?;
    let vote = run_guarded(work, &mut tx);
    if matches!(vote, Ok(Vote::Commit)) && !tx.over {
        return tx.commit();
    }
    let rolled_back = tx.batch("ROLLBACK");
    if tx.lost_race {
        return Err(StoreError::Retry);
    }
    rolled_back?;
    match vote? {
        Vote::Again => Err(StoreError::Retry),
        Vote::Rollback => Ok(()),
        Vote::Commit => Err(over_error()),
    }
}

fn over_error() -> StoreError {
    StoreError::shape("the transaction went on after an error".to_owned())
}

/// Locks on hot rows, held by the session from before BEGIN until after COMMIT, so that
/// contenders queue instead of undoing one another.
struct AdvisoryLocks<'c> {
    handle: &'c Handle,
    client: &'c Object,
    held: bool,
}

impl<'c> AdvisoryLocks<'c> {
    /// `keys` come sorted, so that two commands never wait for each other in a circle.
    fn take(handle: &'c Handle, client: &'c Object, keys: &[String]) -> Result<Self, StoreError> {
        const LOCK: &str =
            "SELECT pg_advisory_lock(hashtextextended(current_schema() || '/' || $1, 0))";
        for key in keys {
            wait(handle, client.execute(LOCK, &[key])).map_err(|error| translate(error, LOCK))?;
        }
        Ok(Self {
            handle,
            client,
            held: !keys.is_empty(),
        })
    }

    fn release(self) -> Result<(), StoreError> {
        const UNLOCK: &str = "SELECT pg_advisory_unlock_all()";
        if self.held {
            let done = wait(self.handle, self.client.batch_execute(UNLOCK));
            done.map_err(|error| translate(error, UNLOCK))?;
        }
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that may block: a thread of the store's own runtime"
)]
fn wait<F: Future>(handle: &Handle, future: F) -> F::Output {
    handle.block_on(future)
}

pub(super) struct PgTx<'c> {
    handle: &'c Handle,
    client: &'c Object,
    /// A statement failed, so the server refuses all further ones.
    over: bool,
    /// It failed because another transaction was faster: run again.
    lost_race: bool,
}

impl<'c> PgTx<'c> {
    fn new(handle: &'c Handle, client: &'c Object) -> Self {
        Self {
            handle,
            client,
            over: false,
            lost_race: false,
        }
    }

    /// Runs statements without parameters, as migrations do.
    pub fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = wait(self.handle, self.client.batch_execute(sql));
        done.map_err(|error| self.note(error, sql))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let Err(error) = wait(self.handle, self.client.batch_execute("COMMIT")) else {
            return Ok(());
        };
        match error.as_db_error() {
            // The server answered, so the transaction is known to be undone.
            Some(_) => Err(translate(error, "COMMIT")),
            None => Err(StoreError::OutcomeUnknown),
        }
    }

    fn note(&mut self, error: tokio_postgres::Error, sql: &str) -> StoreError {
        self.over = true;
        let translated = translate(error, sql);
        self.lost_race |= matches!(translated, StoreError::Retry);
        translated
    }

    fn statement(&mut self, sql: &str) -> Result<(Statement, Numbered), StoreError> {
        if self.over {
            return Err(over_error());
        }
        let numbered = names::number(sql);
        let prepared = wait(self.handle, self.client.prepare_cached(&numbered.sql));
        let statement = prepared.map_err(|error| self.note(error, sql))?;
        let odd = statement
            .params()
            .iter()
            .zip(&numbered.names)
            .find(|(kind, _)| !is_ours(kind));
        if let Some((kind, name)) = odd {
            self.over = true;
            return Err(StoreError::shape(format!(
                ":{name} infers as {kind}; CAST it to BIGINT, TEXT or BYTEA in: {sql}"
            )));
        }
        Ok((statement, numbered))
    }

    fn bound<'v>(
        &mut self,
        numbered: &Numbered,
        params: &'v [(&str, Value)],
    ) -> Result<Vec<&'v (dyn ToSql + Sync)>, StoreError> {
        let values = names::bind(&numbered.names, params);
        self.over |= values.is_err();
        Ok(values?
            .into_iter()
            .map(|value| value as &(dyn ToSql + Sync))
            .collect())
    }
}

impl Tx for PgTx<'_> {
    fn query(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<Vec<Row>, StoreError> {
        let (statement, numbered) = self.statement(sql)?;
        let values = self.bound(&numbered, params)?;
        let answer = wait(self.handle, self.client.query(&statement, &values));
        let answer = answer.map_err(|error| self.note(error, sql))?;
        let columns: Arc<[String]> = statement
            .columns()
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        let rows = answer.iter().map(|row| decode(row, columns.clone(), sql));
        let rows: Result<Vec<Row>, StoreError> = rows.collect();
        self.over |= rows.is_err();
        rows
    }

    fn execute(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<u64, StoreError> {
        let (statement, numbered) = self.statement(sql)?;
        let values = self.bound(&numbered, params)?;
        let done = wait(self.handle, self.client.execute(&statement, &values));
        done.map_err(|error| self.note(error, sql))
    }

    fn execute_each(
        &mut self,
        sql: &str,
        names: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Value>>,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for row in rows {
            let params: Vec<(&str, Value)> = names.iter().copied().zip(row).collect();
            changed += self.execute(sql, &params)?;
        }
        Ok(changed)
    }

    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    fn prepare(&mut self, sql: &str) -> Result<(), StoreError> {
        let (statement, _) = self.statement(sql)?;
        let odd = statement
            .columns()
            .iter()
            .find(|column| !is_ours(column.type_()));
        match odd {
            None => Ok(()),
            Some(column) => Err(column_error(column.name(), column.type_(), sql)),
        }
    }
}

fn is_ours(kind: &Type) -> bool {
    [Type::INT8, Type::TEXT, Type::BYTEA].contains(kind)
}

fn column_error(name: &str, kind: &Type, sql: &str) -> StoreError {
    StoreError::shape(format!(
        "column {name} is {kind}, not BIGINT, TEXT or BYTEA, in: {sql}"
    ))
}

fn decode(row: &tokio_postgres::Row, columns: Arc<[String]>, sql: &str) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(columns.len());
    for (index, column) in row.columns().iter().enumerate() {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(index).map(Value::from),
            Type::TEXT => row.try_get::<_, Option<String>>(index).map(Value::from),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index).map(Value::from),
            ref other => return Err(column_error(column.name(), other, sql)),
        };
        values.push(value.map_err(|error| StoreError::Backend(Box::new(error)))?);
    }
    Ok(Row::new(columns, values))
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *ty == Type::INT8 => value.to_sql(ty, out),
            Self::Text(value) if *ty == Type::TEXT => value.to_sql(ty, out),
            Self::Blob(value) if *ty == Type::BYTEA => value.to_sql(ty, out),
            Self::Int(_) => Err(format!("a BIGINT was given where {ty} belongs").into()),
            Self::Text(_) => Err(format!("a TEXT was given where {ty} belongs").into()),
            Self::Blob(_) => Err(format!("a BYTEA was given where {ty} belongs").into()),
        }
    }

    fn accepts(ty: &Type) -> bool {
        is_ours(ty)
    }

    to_sql_checked!();
}

/// The cause of causes: the outer ones say only that something failed.
fn innermost(error: &dyn Error) -> &dyn Error {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

fn pool_error(error: deadpool_postgres::PoolError) -> StoreError {
    match error {
        deadpool_postgres::PoolError::Timeout(_) => StoreError::Retry,
        other => StoreError::Backend(Box::new(other)),
    }
}

fn translate(error: tokio_postgres::Error, sql: &str) -> StoreError {
    let Some(refusal) = error.as_db_error() else {
        return StoreError::Backend(Box::new(error));
    };
    let code = refusal.code();
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return StoreError::Retry;
    }
    if *code == SqlState::UNIQUE_VIOLATION {
        let constraint = conflict(
            refusal.table().unwrap_or_default(),
            refusal.constraint().unwrap_or_default(),
            refusal.detail().unwrap_or_default(),
        );
        return StoreError::Conflict { constraint };
    }
    StoreError::shape(format!("{refusal} in: {sql}"))
}

/// The constraint by table and columns: the server shortens long names, and a unique index has
/// one of its own. Its detail reads `Key (a, b)=(1, 2) …` whatever the language.
fn conflict(table: &str, constraint: &str, detail: &str) -> String {
    let columns = detail
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(")=("))
        .map(|(columns, _)| columns.split(", ").collect::<Vec<_>>());
    match columns {
        Some(columns) if !constraint.ends_with("_pkey") => {
            names::unique_constraint(table, &columns)
        }
        _ if constraint.ends_with("_pkey") => names::primary_key(table),
        _ => constraint.to_owned(),
    }
}
