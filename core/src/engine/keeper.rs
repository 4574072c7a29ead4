//! Keeps the time: the watch of [`crate::clock`], brought forward as the engine is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::held::Now;
use crate::clock::{Look, Watch};
use crate::error::Result;
use crate::journal::Journal;
use crate::license::ClockState;
use crate::time::{Clock, Running, Timestamp};

/// For how long of the wall clock one look stands.
pub(super) const LOOK_MS: i64 = 1000;
/// How often to try for the lock: a look takes a microsecond.
const TRIES: u32 = 20_000;

pub(super) struct Keeper {
    source: Arc<dyn Clock>,
    watch: Mutex<Watch>,
    last: Last,
}

/// The last look, to be read without a lock: an odd or changed sequence means "look yourself".
struct Last {
    sequence: AtomicU64,
    wall: AtomicI64,
    now: AtomicI64,
    /// Running time under suspicion; negative while the clock is sound.
    suspect_ms: AtomicI64,
}

impl Keeper {
    /// Knows the time from the start: nobody is ever told an instant before the first look.
    pub fn new(source: Arc<dyn Clock>, mut watch: Watch) -> Self {
        let last = Last {
            sequence: AtomicU64::new(0),
            wall: AtomicI64::new(i64::MIN),
            now: AtomicI64::new(0),
            suspect_ms: AtomicI64::new(-1),
        };
        let wall = source.now();
        last.write(wall, watch.look(wall, source.running()));
        // The first question looks again, and has it noted in the journal.
        last.forget();
        Self {
            source,
            watch: Mutex::new(watch),
            last,
        }
    }

    /// The instant to judge at, and whether it can be believed. No lock as a rule, no disk ever.
    #[inline]
    pub fn now(&self, journal: &Journal) -> Now {
        let wall = self.source.now();
        match self.last.read(wall) {
            Some(now) => now,
            None => self.look(wall, journal),
        }
    }

    /// The wall clock, believed or not.
    #[inline]
    pub fn wall(&self) -> Timestamp {
        self.source.now()
    }

    pub fn running(&self) -> Option<Running> {
        self.source.running()
    }

    pub fn floor(&self) -> Timestamp {
        self.watch().floor()
    }

    #[cold]
    fn look(&self, wall: Timestamp, journal: &Journal) -> Now {
        for _ in 0..TRIES {
            let mut watch = match self.watch.try_lock() {
                Ok(watch) => watch,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    std::thread::yield_now();
                    // Whoever looks meanwhile looks for everybody.
                    match self.last.read(wall) {
                        Some(now) => return now,
                        None => continue,
                    }
                }
            };
            let look = watch.look(wall, self.source.running());
            journal.note_clock(&watch);
            self.last.write(wall, look);
            return look.into();
        }
        self.last.unattended(wall)
    }

    /// A signed document shows that it is at least `at`.
    pub fn raise(&self, at: Timestamp, journal: &Journal) -> Result<()> {
        let mut watch = self.watch();
        if at <= watch.floor() {
            return Ok(());
        }
        watch.raise(at);
        self.settle(&watch, journal)
    }

    /// An answer to this device's own question, asked `age_ms` of running time ago.
    pub fn prove(&self, at: Timestamp, age_ms: i64, journal: &Journal) -> Result<()> {
        let mut watch = self.watch();
        watch.prove(at, age_ms, self.source.running());
        self.settle(&watch, journal)
    }

    /// Writes the clock to the disk.
    pub fn keep(&self, journal: &Journal) -> Result<()> {
        journal.keep_clock(&self.watch())
    }

    fn settle(&self, watch: &Watch, journal: &Journal) -> Result<()> {
        self.last.forget();
        journal.keep_clock(watch)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Look> for Now {
    fn from(look: Look) -> Self {
        Self {
            at: look.now,
            clock: look.clock,
        }
    }
}

impl Last {
    /// The time, when the last look still stands.
    #[inline]
    fn read(&self, wall: Timestamp) -> Option<Now> {
        let before = self.sequence.load(Ordering::Acquire);
        let looked_at = self.wall.load(Ordering::Relaxed);
        let now = self.now.load(Ordering::Relaxed);
        let suspect_ms = self.suspect_ms.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let whole = before.is_multiple_of(2) && before == self.sequence.load(Ordering::Relaxed);
        let since = wall.ms().wrapping_sub(looked_at);
        if !whole || !(0..LOOK_MS).contains(&since) {
            return None;
        }
        Some(told(now, suspect_ms, since))
    }

    /// What is told when nobody can look: after a fork the lock may be held by a thread that this
    /// process does not have. The last look, and the time since then is under suspicion.
    fn unattended(&self, wall: Timestamp) -> Now {
        let now = self.now.load(Ordering::Relaxed);
        let suspect_ms = self.suspect_ms.load(Ordering::Relaxed).max(0);
        let since = wall.ms().saturating_sub(now).max(0);
        told(now, suspect_ms.saturating_add(since), 0)
    }

    /// Called under the lock of the watch.
    fn write(&self, wall: Timestamp, look: Look) {
        let suspect_ms = match look.clock {
            ClockState::Sound => -1,
            ClockState::Suspect { ran_ms } => ran_ms,
        };
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.wall.store(wall.ms(), Ordering::Relaxed);
        self.now.store(look.now.ms(), Ordering::Relaxed);
        self.suspect_ms.store(suspect_ms, Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Makes the next question look. Called under the lock of the watch.
    fn forget(&self) {
        self.wall.store(i64::MIN, Ordering::Release);
    }
}

/// While the clock is sound time moves with the wall clock, under suspicion only from look to look.
#[inline]
fn told(now: i64, suspect_ms: i64, since: i64) -> Now {
    if suspect_ms < 0 {
        return Now {
            at: Timestamp::from_ms(now).plus_ms(since),
            clock: ClockState::Sound,
        };
    }
    Now {
        at: Timestamp::from_ms(now),
        clock: ClockState::Suspect { ran_ms: suspect_ms },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FixedClock;
    use crate::document::SigningKey;
    use crate::engine::{Engine, Options};
    use crate::license::Trust;

    const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_000);

    #[test]
    fn who_can_t_look_is_told_the_last_look_and_to_doubt_what_came_after() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(FixedClock::at(NOW));
        let trust = Trust::new("acme.api", *SigningKey::from_seed(&[1; 32]).public()).unwrap();
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        let engine = Engine::open_with(folder.path(), trust, options).unwrap();
        let (keeper, journal) = (&engine.shared.keeper, &engine.shared.journal);
        keeper.last.forget();
        let held = keeper.watch();
        assert_eq!(keeper.now(journal).at, NOW, "and not 1970");
        clock.advance(86_400_000);
        let late = keeper.now(journal);
        assert_eq!(late.at, NOW);
        let doubt = ClockState::Suspect { ran_ms: 86_400_000 };
        assert_eq!(late.clock, doubt);
        drop(held);
        let now = keeper.now(journal);
        assert_eq!(
            (now.at, now.clock),
            (NOW.plus_ms(86_400_000), ClockState::Sound)
        );
    }
}
