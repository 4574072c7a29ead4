//! The app: the parts of the server behind one `Arc`, and the one way to change anything.
//!
//! Every action becomes a command given to one plain function that runs inside one transaction.

use crate::caller::{Caller, Capability, Denied};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;

/// What every command declares.
pub trait Command: Send + Sync + 'static {
    /// Its name in the audit log and the idempotency table: `orders.place`.
    const NAME: &'static str;
    /// What the caller must be allowed.
    const CAPABILITY: Capability;

    /// What it acts on, for the audit row: an id's text, never personal data.
    fn subject(&self) -> Option<String> {
        None
    }

    /// Names of hot rows, locked before the transaction begins on PostgreSQL.
    fn contention_keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a use case may touch: the transaction, the instant, ids, the caller and the keys.
pub struct Cx<'a> {
    /// The open transaction.
    pub tx: &'a mut dyn Tx,
    /// The one instant of everything this commit writes.
    pub now: Timestamp,
    /// Who calls, in which tenant.
    pub caller: &'a Caller,
    /// Sealing and keyed hashing under the server's key-encryption key.
    pub keys: &'a crate::custody::Custody,
    pub(crate) ids: &'a mut dyn FnMut(&mut [u8]),
}

impl Cx<'_> {
    /// A new id: `cx.make_id(OrderId::from_bytes)`.
    pub fn make_id<T>(&mut self, make: fn([u8; 16]) -> T) -> T {
        let mut random = [0; 10];
        (self.ids)(&mut random);
        make(mintreu::id::uuid_v7(self.now, random))
    }

    /// Fresh randomness for tokens and keys.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.ids)(&mut bytes);
        bytes
    }
}

/// What a query may touch.
pub struct ReadCx<'a> {
    /// A read-only snapshot.
    pub tx: &'a mut dyn Tx,
    /// The instant of asking.
    pub now: Timestamp,
    /// Who asks, in which tenant.
    pub caller: &'a Caller,
}

/// A caller's promise that asking twice means once: the key and the hash of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The `Idempotency-Key` header, at most 255 characters.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub request_hash: [u8; 32],
}

/// The server's parts.
pub struct App {}

impl App {
    /// Runs one use case in one serializable transaction; it may run again after a conflict.
    pub async fn transact<C, T, E>(
        &self,
        _caller: &Caller,
        _command: C,
        _use_case: fn(&mut Cx<'_>, &C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Command,
        T: Send + 'static,
        E: From<StoreError> + From<Denied> + Send + 'static,
    {
        unimplemented!()
    }

    /// As [`App::transact`], and the outcome is stored under the caller's key in the same commit.
    pub async fn transact_once<C, T, E>(
        &self,
        _caller: &Caller,
        _idempotency: Idempotency,
        _command: C,
        _use_case: fn(&mut Cx<'_>, &C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Command,
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
        E: From<StoreError> + From<Denied> + Send + 'static,
    {
        unimplemented!()
    }

    /// Runs a query on a reader connection.
    pub async fn read<Q, T, E>(
        &self,
        _caller: &Caller,
        _query: Q,
        _use_case: fn(&mut ReadCx<'_>, &Q) -> Result<T, E>,
    ) -> Result<T, E>
    where
        Q: Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        unimplemented!()
    }
}
