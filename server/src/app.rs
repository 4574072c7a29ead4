//! The app: the parts of the server behind one `Arc`, and the one way to change anything.
//!
//! Every action becomes a command given to one plain function that runs inside one transaction.

pub mod sql;

use crate::caller::{Caller, Capability, Denied};
use crate::config::Config;
use crate::custody::Custody;
use crate::gateways::sandbox::clock::SandboxClock;
use crate::limits::{Limits, Rates};
use crate::store::{Attempt, Store, StoreError, Tx};
use mintreu::{Clock, SystemClock, Timestamp};
use sql::Claimed;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What every command declares.
pub trait Command: Send + Sync + 'static {
    /// Its name in the audit log and the idempotency table: `orders.place`.
    const NAME: &'static str;
    /// What the caller must be allowed.
    const CAPABILITY: Capability;
    /// Whether the audit log keeps it; off for what happens at every request, such as a session's
    /// last use.
    const AUDITED: bool = true;

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
    pub keys: &'a Custody,
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

/// Where randomness comes from: the operating system, or a seed in tests.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// The server's parts.
pub struct App {
    /// The database.
    pub store: Store,
    /// The clock; everything of one commit has one instant of it.
    pub clock: Arc<dyn Clock>,
    /// The same, where it can be moved: in a demo.
    pub sandbox_clock: Option<Arc<SandboxClock>>,
    /// Sealing and keyed hashing.
    pub keys: Arc<Custody>,
    /// Where ids, tokens and keys come from.
    pub entropy: Entropy,
    /// The settings.
    pub config: Arc<Config>,
    /// Rate limits of this process.
    pub limits: Limits,
    /// Rate limits that callers choose for their own customers.
    pub rates: Rates,
    /// How many passwords may be hashed at once: each takes 19 MiB.
    pub hashing: Arc<Semaphore>,
}

/// Rate limit buckets kept; each is about a hundred bytes.
const LIMIT_BUCKETS: u64 = 100_000;
/// Passwords hashed at once.
const HASHING: usize = 4;

impl App {
    /// An app on `store` with the system's clock and randomness.
    pub fn new(config: Config, store: Store, keys: Custody) -> Self {
        Self {
            rates: rates(&config),
            config: Arc::new(config),
            limits: Limits::new(LIMIT_BUCKETS),
            hashing: Arc::new(Semaphore::new(HASHING)),
            store,
            clock: Arc::new(SystemClock),
            sandbox_clock: None,
            keys: Arc::new(keys),
            entropy: Arc::new(system_entropy),
        }
    }

    /// The instant now: for faces; use cases have `cx.now`.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs one use case in one serializable transaction; it may run again after a conflict.
    ///
    /// The caller's capability is checked first and the audit row is written in the same commit.
    /// An error of the use case undoes everything. `StoreError::Retry` comes back only when the
    /// store is too busy or every attempt lost its race.
    pub async fn transact<C, T, E>(
        &self,
        caller: &Caller,
        command: C,
        use_case: fn(&mut Cx<'_>, &C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Command,
        T: Send + 'static,
        E: From<StoreError> + From<Denied> + Send + 'static,
    {
        let keys = command.contention_keys();
        let run = move |cx: &mut Cx<'_>| {
            let outcome = use_case(cx, &command)?;
            audit_if_kept(cx, &command)?;
            Ok(outcome)
        };
        self.guarded(caller, C::CAPABILITY, keys, run).await
    }

    /// As [`App::transact`], and the outcome is stored under the caller's key in the same commit.
    ///
    /// Asking again with the same key and request answers the stored outcome and does nothing;
    /// the same key with another request is [`StoreError::KeyReused`]. Errors aren't stored.
    pub async fn transact_once<C, T, E>(
        &self,
        caller: &Caller,
        idempotency: Idempotency,
        command: C,
        use_case: fn(&mut Cx<'_>, &C) -> Result<T, E>,
    ) -> Result<T, E>
    where
        C: Command,
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
        E: From<StoreError> + From<Denied> + Send + 'static,
    {
        let keys = command.contention_keys();
        let run = move |cx: &mut Cx<'_>| {
            if let Claimed::Before(outcome) = sql::claim::<C>(cx, &idempotency)? {
                return serde_json::from_str(&outcome).map_err(not_json::<E>);
            }
            let outcome = use_case(cx, &command)?;
            let stored = serde_json::to_string(&outcome).map_err(not_json::<E>)?;
            sql::store_outcome::<C>(cx, &idempotency, stored)?;
            audit_if_kept(cx, &command)?;
            Ok(outcome)
        };
        self.guarded(caller, C::CAPABILITY, keys, run).await
    }

    async fn guarded<T, E>(
        &self,
        caller: &Caller,
        capability: Capability,
        keys: Vec<String>,
        mut run: impl FnMut(&mut Cx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + From<Denied> + Send + 'static,
    {
        if !caller.may(capability) {
            let signed_in = caller.account.is_some();
            return Err(E::from(Denied {
                capability,
                signed_in,
            }));
        }
        let caller = caller.clone();
        let (clock, custody) = (self.clock.clone(), self.keys.clone());
        let entropy = self.entropy.clone();
        let body = move |tx: &mut dyn Tx| {
            let mut cx = Cx {
                tx,
                now: clock.now(),
                caller: &caller,
                keys: &custody,
                ids: &mut |bytes| entropy(bytes),
            };
            match run(&mut cx) {
                Ok(outcome) => Attempt::Commit(Ok(outcome)),
                Err(error) => Attempt::Rollback(Err(error)),
            }
        };
        let outcome = self.store.write(keys, body).await;
        outcome.unwrap_or_else(|error| Err(E::from(error)))
    }

    /// Runs a query on a reader connection.
    ///
    /// Whose rows it may see is a WHERE clause of the query: `cx.caller` says who asks.
    pub async fn read<Q, T, E>(
        &self,
        caller: &Caller,
        query: Q,
        use_case: fn(&mut ReadCx<'_>, &Q) -> Result<T, E>,
    ) -> Result<T, E>
    where
        Q: Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (caller, clock) = (caller.clone(), self.clock.clone());
        let body = move |tx: &mut dyn Tx| {
            let mut cx = ReadCx {
                tx,
                now: clock.now(),
                caller: &caller,
            };
            use_case(&mut cx, &query)
        };
        let outcome = self.store.read(body).await;
        outcome.unwrap_or_else(|error| Err(E::from(error)))
    }
}

fn audit_if_kept<C: Command>(cx: &mut Cx<'_>, command: &C) -> Result<(), StoreError> {
    if C::AUDITED {
        sql::audit(cx, command)?;
    }
    Ok(())
}

fn not_json<E: From<StoreError>>(error: serde_json::Error) -> E {
    E::from(StoreError::Backend(Box::new(error)))
}

/// Where rates are counted; an address that is none counts in memory, and says so.
fn rates(config: &Config) -> Rates {
    let url = config.gateway.redis.reveal();
    if url.is_empty() {
        return Rates::in_memory(LIMIT_BUCKETS);
    }
    Rates::in_redis(url, LIMIT_BUCKETS).unwrap_or_else(|error| {
        tracing::error!(%error, "gateway.redis can't be used");
        Rates::in_memory(LIMIT_BUCKETS)
    })
}

/// Fills `bytes` from the operating system.
pub fn system_entropy(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system gives randomness");
}
