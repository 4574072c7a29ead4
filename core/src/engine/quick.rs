//! The quick way: what a handle may grant without asking anybody, for a moment.
//!
//! A [`Quick`] holds what the slow way found out last: which word is spent, in which window, up to
//! how many units nobody has to be told, and until when by the wall clock all of that stands. It
//! is read without a lock; an odd or changed sequence means "go the slow way".

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Mutex, TryLockError};

use crate::meter::{Decision, unpack, with_used};
use crate::time::Timestamp;

/// What may be granted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grantable {
    /// The [`stamp`](super::Shared::stamp) of what it was found out from.
    pub stamp: u64,
    /// From when on by the wall clock it stands; always and for ever when no time matters.
    pub from: i64,
    pub until: i64,
    /// The place of the word that is spent; `None` where nothing is limited.
    pub place: Option<usize>,
    /// The window that the word must show.
    pub window: u32,
    /// Up to how many units used nobody has to be told.
    pub bound: i64,
    /// The limit and the prepaid units behind it; `None` where use is only counted.
    pub limit: Option<i64>,
    pub resets_at: Option<Timestamp>,
}

/// No place: nothing is limited.
const NOWHERE: usize = usize::MAX;
/// No limit, or no instant.
const NONE: i64 = i64::MIN;
/// A stamp that nothing ever has.
const NEVER: u64 = u64::MAX;
/// The time where none matters: nothing that stands for a while only stands at it.
pub(super) const ANY_TIME: Timestamp = Timestamp::from_ms(i64::MIN);

pub(super) struct Quick {
    sequence: AtomicU64,
    stamp: AtomicU64,
    from: AtomicI64,
    until: AtomicI64,
    place: AtomicUsize,
    window: AtomicU64,
    bound: AtomicI64,
    limit: AtomicI64,
    resets_at: AtomicI64,
    writing: Mutex<()>,
}

impl Quick {
    /// Grants nothing until something was published.
    pub fn new() -> Self {
        Self {
            sequence: AtomicU64::new(0),
            stamp: AtomicU64::new(NEVER),
            from: AtomicI64::new(0),
            until: AtomicI64::new(0),
            place: AtomicUsize::new(NOWHERE),
            window: AtomicU64::new(0),
            bound: AtomicI64::new(0),
            limit: AtomicI64::new(NONE),
            resets_at: AtomicI64::new(NONE),
            writing: Mutex::new(()),
        }
    }

    /// Whether what was published last stands for a while only, so that the clock must be read.
    #[inline]
    pub fn is_timed(&self) -> bool {
        self.until.load(Ordering::Relaxed) != i64::MAX
    }

    /// What was published last, if that was whole.
    #[inline]
    pub fn read(&self) -> Option<Grantable> {
        let before = self.sequence.load(Ordering::Acquire);
        let place = self.place.load(Ordering::Relaxed);
        let some = |word: i64| (word != NONE).then_some(word);
        let read = Grantable {
            stamp: self.stamp.load(Ordering::Relaxed),
            from: self.from.load(Ordering::Relaxed),
            until: self.until.load(Ordering::Relaxed),
            place: (place != NOWHERE).then_some(place),
            window: self.window.load(Ordering::Relaxed) as u32,
            bound: self.bound.load(Ordering::Relaxed),
            limit: some(self.limit.load(Ordering::Relaxed)),
            resets_at: some(self.resets_at.load(Ordering::Relaxed)).map(Timestamp::from_ms),
        };
        fence(Ordering::Acquire);
        let whole = before.is_multiple_of(2) && before == self.sequence.load(Ordering::Relaxed);
        whole.then_some(read)
    }

    /// Publishes what may be granted; not while somebody else does.
    pub fn publish(&self, grantable: Option<Grantable>) {
        let _writing = match self.writing.try_lock() {
            Ok(writing) => writing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence
            .store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        match grantable {
            None => self.stamp.store(NEVER, Ordering::Relaxed),
            Some(new) => {
                let at = new.resets_at.map_or(NONE, Timestamp::ms);
                self.stamp.store(new.stamp, Ordering::Relaxed);
                self.from.store(new.from, Ordering::Relaxed);
                self.until.store(new.until, Ordering::Relaxed);
                self.place
                    .store(new.place.unwrap_or(NOWHERE), Ordering::Relaxed);
                self.window.store(u64::from(new.window), Ordering::Relaxed);
                self.bound.store(new.bound, Ordering::Relaxed);
                self.limit
                    .store(new.limit.unwrap_or(NONE), Ordering::Relaxed);
                self.resets_at.store(at, Ordering::Relaxed);
            }
        }
        self.sequence
            .store(sequence.wrapping_add(2), Ordering::Release);
    }
}

impl Grantable {
    /// Everything, at any time.
    pub const EVERYTHING: Self = Self {
        stamp: NEVER,
        from: i64::MIN,
        until: i64::MAX,
        place: None,
        window: 0,
        bound: 0,
        limit: None,
        resets_at: None,
    };

    /// Whether it stands at this stamp, when the wall clock shows this.
    #[inline]
    pub fn stands(&self, stamp: u64, wall: Timestamp) -> bool {
        self.stamp == stamp && (self.from..self.until).contains(&wall.ms())
    }

    /// Takes `n` units from the word, all or none: how many are used then. `None` when the slow
    /// way must look.
    #[inline]
    pub fn take(&self, word: &AtomicU64, n: u64) -> Option<i64> {
        let n = i64::try_from(n).ok()?;
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let (window, used) = unpack(seen);
            let after = used.checked_add(n)?;
            if window != self.window || after > self.bound {
                return None;
            }
            let next = with_used(seen, after);
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(after),
                Err(other) => seen = other,
            }
        }
    }

    /// The decision that leaves so many units used.
    #[inline]
    pub fn granted(&self, used: i64) -> Decision {
        let left = |limit: i64| u64::try_from(limit.saturating_sub(used)).unwrap_or(0);
        Decision::Granted {
            remaining: self.limit.map(left),
            resets_at: self.resets_at,
            overage: 0,
            crossed: None,
        }
    }
}
