//! One open transaction, its values, its rows and its three errors.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// One open transaction. Every SQL function takes one; none opens its own.
pub trait Tx {
    /// Runs a statement that answers rows. Parameters are named: `:order`.
    fn query(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<Vec<Row>, StoreError>;

    /// Runs a statement and answers how many rows it changed.
    fn execute(&mut self, sql: &str, params: &[(&str, Value)]) -> Result<u64, StoreError>;

    /// Runs a statement once for each row of parameters, whose values are in the order of `names`;
    /// answers how many rows it changed in all.
    fn execute_each(
        &mut self,
        sql: &str,
        names: &[&str],
        rows: &mut dyn Iterator<Item = Vec<Value>>,
    ) -> Result<u64, StoreError>;

    /// The first row, if any: for statements that answer at most one.
    fn query_one(
        &mut self,
        sql: &str,
        params: &[(&str, Value)],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Which engine runs. Only the job queue and full-text search may ask.
    fn engine(&self) -> Engine;

    /// Prepares a statement without running it; what its parameters infer to is checked.
    fn prepare(&mut self, sql: &str) -> Result<(), StoreError>;
}

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One file, one process: the default.
    Sqlite,
    /// A server, many processes.
    Postgres,
}

/// The whole type system: BIGINT, TEXT and BYTEA, each possibly null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
    /// BYTEA.
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Blob(value.to_vec())
    }
}

/// Ids are stored as their sixteen bytes: `id.as_bytes().into()`.
impl From<&[u8; 16]> for Value {
    fn from(value: &[u8; 16]) -> Self {
        Self::Blob(value.to_vec())
    }
}

impl From<mintreu::Timestamp> for Value {
    fn from(value: mintreu::Timestamp) -> Self {
        Self::Int(value.ms())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row, read by column name.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    /// Built by a driver; as many values as columns.
    pub fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    fn value(&self, name: &str) -> Result<&Value, StoreError> {
        let index = self.columns.iter().position(|column| column == name);
        let value = index.and_then(|index| self.values.get(index));
        value.ok_or_else(|| StoreError::shape(format!("no column {name}")))
    }

    /// A BIGINT that is not null.
    pub fn int(&self, name: &str) -> Result<i64, StoreError> {
        self.opt_int(name)?
            .ok_or_else(|| StoreError::shape(format!("{name} is null")))
    }

    /// A TEXT that is not null.
    pub fn text(&self, name: &str) -> Result<String, StoreError> {
        self.opt_text(name)?
            .ok_or_else(|| StoreError::shape(format!("{name} is null")))
    }

    /// A BYTEA that is not null.
    pub fn blob(&self, name: &str) -> Result<Vec<u8>, StoreError> {
        self.opt_blob(name)?
            .ok_or_else(|| StoreError::shape(format!("{name} is null")))
    }

    /// An id column: sixteen bytes, `row.id("order_id", OrderId::from_bytes)`.
    pub fn id<T>(&self, name: &str, make: fn([u8; 16]) -> T) -> Result<T, StoreError> {
        self.opt_id(name, make)?
            .ok_or_else(|| StoreError::shape(format!("{name} is null")))
    }

    /// An instant column.
    pub fn at(&self, name: &str) -> Result<mintreu::Timestamp, StoreError> {
        self.int(name).map(mintreu::Timestamp::from_ms)
    }

    /// An instant column that may be null.
    pub fn opt_at(&self, name: &str) -> Result<Option<mintreu::Timestamp>, StoreError> {
        Ok(self.opt_int(name)?.map(mintreu::Timestamp::from_ms))
    }

    /// An id column that may be null.
    pub fn opt_id<T>(&self, name: &str, make: fn([u8; 16]) -> T) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.opt_blob(name)? else {
            return Ok(None);
        };
        let bytes = <[u8; 16]>::try_from(bytes.as_slice());
        bytes
            .map(|bytes| Some(make(bytes)))
            .map_err(|_| StoreError::shape(format!("{name} is no id")))
    }

    /// A BIGINT that may be null.
    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(*value)),
            other => Err(StoreError::shape(format!(
                "{name} is no BIGINT but {other:?}"
            ))),
        }
    }

    /// A TEXT that may be null.
    pub fn opt_text(&self, name: &str) -> Result<Option<String>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.clone())),
            other => Err(StoreError::shape(format!(
                "{name} is no TEXT but {other:?}"
            ))),
        }
    }

    /// A BYTEA that may be null.
    pub fn opt_blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.value(name)? {
            Value::Null => Ok(None),
            Value::Blob(value) => Ok(Some(value.clone())),
            other => Err(StoreError::shape(format!(
                "{name} is no BYTEA but {other:?}"
            ))),
        }
    }
}

/// What can go wrong in the store, as decisions a caller can act on.
#[derive(Debug)]
pub enum StoreError {
    /// A unique constraint refused a row; named `table_column_column` on both engines.
    Conflict {
        /// The constraint, as PostgreSQL would name an unnamed one.
        constraint: String,
    },
    /// The transaction lost a race and may run again; `transact` does so.
    Retry,
    /// COMMIT may or may not have happened; ask again with the same idempotency key.
    OutcomeUnknown,
    /// The idempotency key was used before, for another request.
    KeyReused,
    /// A text holds a NUL, which PostgreSQL can't keep and nothing that is stored holds.
    Nul,
    /// Anything else: shown to the log, never to a caller.
    Backend(Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// A row or statement that isn't what the code expects: a defect of ours.
    pub fn shape(what: String) -> Self {
        Self::Backend(what.into())
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { constraint } => write!(f, "conflict on {constraint}"),
            Self::Retry => write!(f, "the transaction lost a race"),
            Self::OutcomeUnknown => write!(f, "the outcome of COMMIT is unknown"),
            Self::KeyReused => write!(f, "the idempotency key was used for another request"),
            Self::Nul => write!(f, "a text holds a NUL"),
            Self::Backend(cause) => write!(f, "store: {cause}"),
        }
    }
}

impl Error for StoreError {}
