//! What a device can know of the time while nobody tells it.
//!
//! A [`Watch`] is brought forward by looking at two clocks: the wall clock, which anybody can set,
//! and the time that this boot of the machine has run, which only ever rises. It remembers
//!
//! * a **floor**: it is at least this late. Signed documents raise it, and running time does;
//! * the **furthest** time shown: where the wall clock has been, and the running time since.
//!
//! A wall clock behind the furthest time, by more than [`TOLERANCE_MS`], is *suspect*: it was set
//! back, or it had been set forward by mistake. Then the floor is the time, and the running time
//! spent so is added up, since nobody can run a product longer than it runs. A **proof** is an
//! answer to this device's own fresh question: it alone brings the furthest time back, and it ends
//! all doubt until the machine starts again, whatever the wall clock says.
//!
//! ```
//! use mintreu::clock::Watch;
//! use mintreu::license::ClockState;
//! use mintreu::time::Running;
//! use mintreu::Timestamp;
//!
//! let hours = |n: i64| n * 3_600_000;
//! let at = |n| Timestamp::from_ms(hours(n));
//! let ran = |n| Some(Running { boot: [1; 16], ms: hours(n) });
//! let mut watch = Watch::default();
//! assert_eq!(watch.look(at(1000), ran(0)).clock, ClockState::Sound);
//! watch.look(at(1010), ran(10));
//! // Set back by a day: now it is as late as is certain, and that is noticed.
//! let look = watch.look(at(986), ran(11));
//! assert!(matches!(look.clock, ClockState::Suspect { .. }));
//! // A proof ends it, though the wall clock is as wrong as before.
//! watch.prove(at(1011), 0, ran(11));
//! assert_eq!(watch.look(at(986), ran(11)).clock, ClockState::Sound);
//! ```
//!
//! # Invariants
//!
//! * The floor never passes the true time and never falls but by a proof.
//! * The furthest time and the running time under suspicion fall only by a proof.
//! * Whoever moves the wall clock, once or a thousand times, gains no more than the tolerance and
//!   the time that a license tolerates under suspicion, beside what the machine did not run.

mod state;

use crate::license::ClockState;
use crate::time::{Running, Timestamp};

/// How far the wall clock may lie behind the furthest time shown before it counts as set back.
pub const TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// Running time is taken in blocks of this many milliseconds, one of which is not counted for
/// certain: crystals drift by less than a thousandth, and clocks are set right now and then.
const BLOCK_MS: i64 = 1024;

/// What the time is, and how far it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The instant to judge at.
    pub now: Timestamp,
    /// Whether it can be believed.
    pub clock: ClockState,
}

/// What is known of the time; see the module's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Watch {
    floor: Timestamp,
    furthest: Timestamp,
    /// The latest it can be, while a proof of this boot holds.
    ceiling: Option<Timestamp>,
    /// Running time under suspicion since the last proof.
    suspect_ms: i64,
    was_suspect: bool,
    /// How many proofs there were: of two states, the one with more is the newer.
    proofs: u64,
    /// Up to where the running time has been taken.
    taken: Option<Running>,
}

impl Watch {
    /// It is at least this late, for certain. Zero when nothing has shown it yet.
    pub const fn floor(&self) -> Timestamp {
        self.floor
    }

    /// The latest time that was ever shown; a proof alone brings it back.
    pub const fn furthest(&self) -> Timestamp {
        self.furthest
    }

    /// Brings the watch forward and tells the time.
    ///
    /// `running` is `None` where there is no such clock: then time under suspicion can't be
    /// counted, and only signed documents raise the floor.
    pub fn look(&mut self, wall: Timestamp, running: Option<Running>) -> Look {
        self.take(running);
        let suspect = self.ceiling.is_none() && wall.plus_ms(TOLERANCE_MS) < self.furthest;
        self.was_suspect = suspect;
        if suspect {
            let ran_ms = self.suspect_ms;
            return Look {
                now: self.floor,
                clock: ClockState::Suspect { ran_ms },
            };
        }
        let believed = self.ceiling.is_none_or(|ceiling| wall <= ceiling);
        let now = if believed {
            wall.max(self.floor)
        } else {
            self.floor
        };
        self.furthest = self.furthest.max(now);
        Look {
            now,
            clock: ClockState::Sound,
        }
    }

    /// A signed document shows that it is at least `at`.
    pub fn raise(&mut self, at: Timestamp) {
        self.floor = self.floor.max(at);
        self.furthest = self.furthest.max(at);
        self.ceiling = self.ceiling.map(|ceiling| ceiling.max(at));
    }

    /// An answer to this device's own question says that it was `at` between the asking and now.
    ///
    /// `age_ms` is the running time since the question was asked. It is held against the time that
    /// is tolerated under suspicion, so that sitting on an answer gains nothing.
    pub fn prove(&mut self, at: Timestamp, age_ms: i64, running: Option<Running>) {
        self.take(running);
        let age_ms = age_ms.max(0);
        // Documents may be ahead of it by a little; by much, something had dated them wrongly.
        let close = at.plus_ms(TOLERANCE_MS) >= self.floor;
        self.floor = if close { self.floor.max(at) } else { at };
        self.furthest = self.floor;
        self.ceiling = running.map(|_| self.floor.plus_ms(age_ms).plus_ms(TOLERANCE_MS));
        self.suspect_ms = age_ms;
        self.was_suspect = false;
        self.proofs = self.proofs.saturating_add(1);
    }

    /// Takes the running time since the last look, in whole blocks.
    fn take(&mut self, running: Option<Running>) {
        let Some(now) = running else {
            self.taken = None;
            self.ceiling = None;
            return;
        };
        let Some(before) = self.taken.filter(|before| before.boot == now.boot) else {
            // Another boot, or another host: how long ago the last look was, nobody knows.
            self.taken = Some(now);
            self.ceiling = None;
            return;
        };
        let blocks = now.ms.saturating_sub(before.ms) / BLOCK_MS;
        if blocks < 0 {
            // A snapshot was put back: its clock goes on from there.
            self.taken = Some(now);
            return;
        }
        let certain = blocks.saturating_mul(BLOCK_MS - 1);
        self.floor = self.floor.plus_ms(certain);
        self.furthest = self.furthest.plus_ms(certain);
        let at_most = blocks.saturating_mul(BLOCK_MS + 1);
        self.ceiling = self.ceiling.map(|ceiling| ceiling.plus_ms(at_most));
        if self.was_suspect {
            self.suspect_ms = self.suspect_ms.saturating_add(certain);
        }
        self.taken = Some(Running {
            boot: now.boot,
            ms: before.ms.saturating_add(blocks.saturating_mul(BLOCK_MS)),
        });
    }
}

#[cfg(test)]
mod tests;
