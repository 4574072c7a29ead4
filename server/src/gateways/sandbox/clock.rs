//! The demo's clock: the machine's, moved ahead, so that a month goes by in a second.
//!
//! # Invariants
//! * It never goes back: not by a move, and not by a restart, since a move is kept before it is made.
//! * Only `mintreu demo` has one; everybody else's clock is the machine's.

use super::ops::SandboxError;
use super::sql::clock as sql;
use crate::app::{App, Command, Cx};
use crate::caller::{Caller, Capability};
use crate::store::{Store, StoreError, Tx};
use mintreu::id::TenantId;
use mintreu::time::Running;
use mintreu::{Clock, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Mutex;

/// How far ahead the clock can be: ten years.
pub const MOST_AHEAD_MS: i64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// A clock that can be moved ahead.
pub struct SandboxClock {
    base: Arc<dyn Clock>,
    ahead_ms: AtomicI64,
    /// Held by who moves it.
    pub moving: Mutex<()>,
}

impl SandboxClock {
    /// `base`, so much ahead; below zero for a demo that tells its past first.
    pub fn new(base: Arc<dyn Clock>, ahead_ms: i64) -> Self {
        Self {
            base,
            ahead_ms: AtomicI64::new(ahead_ms),
            moving: Mutex::new(()),
        }
    }

    /// How far it is ahead of the machine's clock, in milliseconds.
    pub fn ahead_ms(&self) -> i64 {
        self.ahead_ms.load(Ordering::SeqCst)
    }

    /// The machine's own time.
    pub fn machine(&self) -> Timestamp {
        self.base.now()
    }

    /// Makes it `at` now; what is past already changes nothing.
    pub fn reach(&self, at: Timestamp) {
        let ahead = at.since_ms(self.base.now());
        self.ahead_ms.fetch_max(ahead, Ordering::SeqCst);
    }
}

impl Clock for SandboxClock {
    fn now(&self) -> Timestamp {
        self.base.now().plus_ms(self.ahead_ms())
    }

    /// A move ahead is time that the machine ran, so that devices of the demo see no jump.
    fn running(&self) -> Option<Running> {
        let running = self.base.running()?;
        let ahead = self.ahead_ms().max(0);
        Some(Running {
            ms: running.ms.saturating_add(ahead),
            ..running
        })
    }
}

/// How far ahead the clock was when it was last moved; `None` when it never was.
pub async fn kept(store: &Store, tenant: TenantId) -> Result<Option<i64>, StoreError> {
    store
        .read(move |tx: &mut dyn Tx| sql::ahead(tx, tenant))
        .await?
}

/// Keeps how far ahead the clock will be.
#[derive(Debug, Clone, Copy)]
struct Keep {
    ahead_ms: i64,
}

impl Command for Keep {
    const NAME: &'static str = "sandbox.move_clock";
    const CAPABILITY: Capability = Capability::Operate;
}

fn keep(cx: &mut Cx<'_>, cmd: &Keep) -> Result<(), SandboxError> {
    Ok(sql::keep(cx.tx, cx.caller.tenant, cmd.ahead_ms)?)
}

/// Keeps that the clock will be moved to `to`, so that a restart finds it there.
pub async fn keep_move(app: &App, tenant: TenantId, to: Timestamp) -> Result<(), SandboxError> {
    let clock = app.sandbox_clock.as_ref().ok_or(SandboxError::NotFound)?;
    let ahead_ms = to.since_ms(clock.machine());
    if ahead_ms > MOST_AHEAD_MS {
        return Err(SandboxError::Refused("clock_too_far"));
    }
    app.transact(&Caller::system(tenant), Keep { ahead_ms }, keep)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::FixedClock;

    #[test]
    fn time_goes_forward_alone() {
        let base = Arc::new(FixedClock::at(Timestamp::from_secs(1_000)));
        let clock = SandboxClock::new(base.clone(), 0);
        clock.reach(Timestamp::from_secs(1_500));
        assert_eq!(clock.now(), Timestamp::from_secs(1_500));
        clock.reach(Timestamp::from_secs(1_200));
        assert_eq!(clock.now(), Timestamp::from_secs(1_500));
        base.advance(1_000);
        assert_eq!(clock.now(), Timestamp::from_secs(1_501));
        assert_eq!(clock.ahead_ms(), 500_000);
    }

    #[test]
    fn a_move_is_time_that_the_machine_ran() {
        let clock = SandboxClock::new(Arc::new(mintreu::SystemClock), -1_000_000);
        let before = clock.running().expect("the machine's running time");
        clock.reach(clock.machine().plus_ms(86_400_000));
        let after = clock.running().expect("the machine's running time");
        assert_eq!(after.boot, before.boot);
        assert!(after.ms >= before.ms + 86_400_000 - 1_000);
    }
}
