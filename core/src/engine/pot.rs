//! A pot: units in one word, and the reservations that are held of them.
//!
//! What is reserved is taken from the word at once, and noted in a second word: how many units,
//! and until when they are held. Who finds a note whose time is over may erase it, and whoever
//! erases it gives the units back: so that exactly one does, in whichever process, also after the
//! one that reserved was killed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::held::Now;
use crate::error::{Error, Result};
use crate::journal::{CellHandle, Journal};
use crate::meter::{Moment, Quota, Standing, Zone};
use crate::time::Timestamp;

/// The first byte of the keys of notes; windows have small ones.
const NOTE: u8 = 0x82;
/// How many reservations of one pot may be held at the same time.
pub(super) const MAX_HELD: u16 = 256;
/// The most units in one reservation.
const MAX_UNITS: u64 = (1 << UNIT_BITS) - 1;
const UNIT_BITS: u32 = 33;
/// Set where the window ends before the units are given back: they go with it.
const OUTLIVES: u64 = 1 << UNIT_BITS;
const TIME_AT: u32 = UNIT_BITS + 1;
/// Notes count seconds from 2025-01-01T00:00:00Z; 30 bits of them last until 2059.
const NOTES_FROM: i64 = 1_735_689_600;

pub(super) struct Pot {
    pub quota: Quota,
    zone: Zone,
    pub word: CellHandle,
    id: [u8; 16],
    notes: Mutex<Notes>,
}

/// The words that may hold notes, as far as they were looked up.
#[derive(Default)]
struct Notes {
    words: Vec<CellHandle>,
    looked_at: Option<Timestamp>,
}

/// Units of a reservation that came from one pot.
pub(super) struct Part {
    pub window: u32,
    pub units: u64,
    note: Option<(CellHandle, u64)>,
}

impl Part {
    pub fn new(window: u32, units: u64) -> Self {
        Self {
            window,
            units,
            note: None,
        }
    }
}

impl Pot {
    pub fn new(journal: &Journal, key: Vec<u8>, quota: Quota, zone: Zone) -> Result<Self> {
        Ok(Self {
            quota,
            zone,
            id: short(&key),
            word: journal.word(key)?,
            notes: Mutex::default(),
        })
    }

    pub fn moment(&self, now: Now) -> Moment {
        Moment {
            at: now.at,
            opened: self.quota.window().at_in(now.at, &self.zone),
            may_open: !now.is_suspect(),
        }
    }

    pub fn standing(&self, now: Now) -> Standing {
        self.quota.standing(self.word.word(), self.moment(now))
    }

    pub fn give_back(&self, units: u64, window: u32, now: Now) {
        let moment = self.moment(now);
        self.quota
            .give_back(self.word.word(), units, window, moment);
    }

    /// Notes that the units of `part` are held until `expires`.
    pub fn hold(&self, journal: &Journal, part: &mut Part, expires: Timestamp) -> Result<()> {
        let ends_in = self.window_of(expires);
        let note = note(part.units, ends_in != part.window, expires)?;
        let mut notes = self.notes(journal, None)?;
        let free = |word: &&CellHandle| exchange(word.word(), 0, note);
        if let Some(word) = notes.words.iter().find(free) {
            part.note = Some((word.clone(), note));
            return Ok(());
        }
        loop {
            let index = u16::try_from(notes.words.len()).unwrap_or(MAX_HELD);
            if index >= MAX_HELD {
                return Err(Error::new(
                    "reservations_full",
                    format!("{MAX_HELD} reservations of one meter are held already"),
                ));
            }
            let word = journal.word(self.note_key(Some(index)))?;
            notes.words.push(word.clone());
            // Another process may have found the same place.
            if exchange(word.word(), 0, note) {
                part.note = Some((word, note));
                return Ok(());
            }
        }
    }

    /// Erases the note of a reservation that ends; false when its time was over and its units
    /// were given back before.
    pub fn settle(part: &Part) -> bool {
        let erased = |(word, note): &(CellHandle, u64)| exchange(word.word(), *note, 0);
        part.note.as_ref().is_none_or(erased)
    }

    /// Gives back what reservations held whose time is over; whether there were any.
    pub fn sweep(&self, journal: &Journal, now: Now) -> Result<bool> {
        let mut swept = false;
        for word in &self.notes(journal, Some(now.at))?.words {
            let note = word.word().load(Ordering::Acquire);
            let (units, expires) = read_note(note);
            if note == 0 || expires > now.at || !exchange(word.word(), note, 0) {
                continue;
            }
            if note & OUTLIVES == 0 {
                self.give_back(units, self.window_of(expires), now);
            }
            swept = true;
        }
        Ok(swept)
    }

    /// The window in which a reservation is held at last.
    fn window_of(&self, expires: Timestamp) -> u32 {
        let last = Timestamp::from_ms(expires.ms() - 1);
        self.quota.window().at_in(last, &self.zone).number
    }

    /// The words of notes; looked up again when `now` is a second after they last were.
    fn notes(&self, journal: &Journal, now: Option<Timestamp>) -> Result<MutexGuard<'_, Notes>> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match (notes.looked_at, now) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(looked), Some(now)) => (0..1000).contains(&now.since_ms(looked)),
        };
        if !known {
            let found = journal.words(&self.note_key(None));
            notes.words = found.into_iter().map(|(_, word)| word).collect();
            notes.looked_at = Some(now.unwrap_or_default());
        }
        Ok(notes)
    }

    fn note_key(&self, index: Option<u16>) -> Vec<u8> {
        let mut key = vec![NOTE];
        key.extend(self.id);
        key.extend(index.map(u16::to_be_bytes).into_iter().flatten());
        key
    }
}

/// A short name for what has a long one.
pub(super) fn short(key: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(key);
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

fn exchange(word: &AtomicU64, from: u64, to: u64) -> bool {
    word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
        .is_ok()
}

fn note(units: u64, outlives: bool, expires: Timestamp) -> Result<u64> {
    let secs = u64::try_from(expires.secs() - NOTES_FROM).unwrap_or(0);
    if units > MAX_UNITS || secs >> (64 - TIME_AT) != 0 {
        return Err(Error::new(
            "reservation_too_large",
            format!("a reservation holds at most {MAX_UNITS} units, until 2059"),
        ));
    }
    Ok(secs << TIME_AT | u64::from(outlives) << UNIT_BITS | units)
}

fn read_note(note: u64) -> (u64, Timestamp) {
    let secs = i64::try_from(note >> TIME_AT).unwrap_or(i64::MAX - NOTES_FROM);
    (note & MAX_UNITS, Timestamp::from_secs(secs + NOTES_FROM))
}
