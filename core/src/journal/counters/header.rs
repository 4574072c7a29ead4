//! What the counter file says before its cells: how far the journal had sealed, the clock, and what
//! all processes must know at once.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Counters, MARK_WORDS, digest_words};
use crate::clock::Watch;
use crate::error::Result;
use crate::meter::{ChainHash, Incident, IncidentKind, MAX_TOTAL};
use crate::time::Timestamp;

const MARK_AT: [usize; 2] = [8, 24];
const CLOCK_AT: [usize; 2] = [40, 56];
const DOCUMENTS_AT: usize = 72;
const BOOT_AT: [usize; 2] = [73, 74];
const CLEAN_AT: usize = 75;
const INCIDENTS_AT: usize = 80;

/// The high-water mark outside the journal: how far it had sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub epoch: u64,
    pub seq: u64,
    pub head: ChainHash,
    pub stream: [u8; 16],
}

impl Mark {
    pub const START: Self = Self {
        epoch: 0,
        seq: 0,
        head: [0; 32],
        stream: [0; 16],
    };

    pub fn to_bytes(self) -> Vec<u8> {
        let (epoch, seq) = (self.epoch.to_be_bytes(), self.seq.to_be_bytes());
        [&self.stream[..], &epoch, &seq, &self.head].concat()
    }
}

impl Counters {
    /// The newest whole mark; a torn one falls back to the one before it.
    pub fn mark(&self) -> Mark {
        let Some(words) = self.newest(MARK_AT) else {
            return Mark::START;
        };
        let mut mark = Mark {
            epoch: words[1],
            seq: words[2],
            ..Mark::START
        };
        read_words(&words[3..7], &mut mark.head);
        read_words(&words[7..9], &mut mark.stream);
        mark
    }

    /// Writes a mark over the older of the two.
    pub fn set_mark(&self, mark: &Mark) {
        let mut words = [0u64; MARK_WORDS];
        words[1] = mark.epoch;
        words[2] = mark.seq;
        fill_words(&mut words[3..7], &mark.head);
        fill_words(&mut words[7..9], &mark.stream);
        self.replace_older(MARK_AT, words);
    }

    /// The newest whole copy of the clock.
    pub fn clock(&self) -> Option<Watch> {
        let words = self.newest(CLOCK_AT)?;
        let words = words[1..].first_chunk::<{ Watch::WORDS }>()?;
        Some(Watch::from_words(words))
    }

    /// Writes the clock over the older of its two copies; no system call.
    pub fn set_clock(&self, watch: &Watch) {
        let mut words = [0u64; MARK_WORDS];
        words[1..=Watch::WORDS].copy_from_slice(&watch.to_words());
        self.replace_older(CLOCK_AT, words);
    }

    fn newest(&self, places: [usize; 2]) -> Option<[u64; MARK_WORDS]> {
        let whole = places.iter().filter_map(|&at| self.read_whole(at));
        whole.max_by_key(|words| words[0])
    }

    fn replace_older(&self, places: [usize; 2], mut words: [u64; MARK_WORDS]) {
        let [a, b] = places.map(|at| self.read_whole(at).map_or(0, |words| words[0]));
        let (at, generation) = if a <= b {
            (places[0], b + 1)
        } else {
            (places[1], a + 1)
        };
        words[0] = generation;
        words[MARK_WORDS - 1] = digest_words(&words[..MARK_WORDS - 1]);
        let place = &self.words()[at..at + MARK_WORDS];
        // The digest is spoiled first, so that a half-written one is never taken for a whole one.
        place[MARK_WORDS - 1].store(!words[MARK_WORDS - 1], Ordering::SeqCst);
        for (slot, word) in place.iter().zip(words) {
            slot.store(word, Ordering::SeqCst);
        }
    }

    fn read_whole(&self, at: usize) -> Option<[u64; MARK_WORDS]> {
        let place = &self.words()[at..at + MARK_WORDS];
        let mut words = [0u64; MARK_WORDS];
        for (word, slot) in words.iter_mut().zip(place) {
            *word = slot.load(Ordering::SeqCst);
        }
        let whole = words[MARK_WORDS - 1] == digest_words(&words[..MARK_WORDS - 1]);
        (words[0] != 0 && whole).then_some(words)
    }

    /// How often documents were changed, by any process.
    #[inline]
    pub fn documents(&self) -> &AtomicU64 {
        &self.words()[DOCUMENTS_AT]
    }

    /// Notes, on the disk, that counting goes on in this boot; whether the one before it ended
    /// unnoticed.
    pub fn begin_boot(&self, boot: [u8; 16]) -> Result<bool> {
        let words = self.words();
        let (halves, _) = boot.as_chunks::<8>();
        let mut before = [0; 2];
        for ((at, half), before) in BOOT_AT.iter().zip(halves).zip(&mut before) {
            let now = u64::from_le_bytes(*half);
            *before = words[*at].swap(now, Ordering::SeqCst) ^ now;
        }
        let known = words[CLEAN_AT].swap(OPEN, Ordering::SeqCst);
        if known == CLEAN {
            self.flushed.store(self.sum(), Ordering::Relaxed);
        }
        self.flush_header()?;
        Ok(known == OPEN && before != [0; 2])
    }

    /// Notes that everything counted is on the disk and nobody counts.
    pub fn set_clean(&self) {
        self.words()[CLEAN_AT].store(CLEAN, Ordering::SeqCst);
    }

    /// Remembers that something went wrong, where that needs no disk.
    pub fn note(&self, kind: IncidentKind, now: Timestamp) {
        let [first, times] = self.incident(kind);
        if times.load(Ordering::SeqCst) == 0 {
            first.store(u64::from_le_bytes(now.ms().to_le_bytes()), Ordering::SeqCst);
        }
        let one_more = |times: u64| Some(times.saturating_add(1).min(MAX_TOTAL));
        let _always_some = times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more);
    }

    /// What went wrong and no segment has said yet.
    pub fn incidents(&self) -> Vec<Incident> {
        let noted = IncidentKind::ALL.into_iter().map(|kind| {
            let [first, times] = self.incident(kind);
            Incident {
                kind,
                first: Timestamp::from_ms(i64::from_le_bytes(
                    first.load(Ordering::SeqCst).to_le_bytes(),
                )),
                times: times.load(Ordering::SeqCst).min(MAX_TOTAL),
            }
        });
        noted.filter(|incident| incident.times > 0).collect()
    }

    /// A segment says these now.
    pub fn said(&self, incidents: &[Incident]) {
        for incident in incidents {
            let [_, times] = self.incident(incident.kind);
            let fewer = |known: u64| Some(known.saturating_sub(incident.times));
            let _always_some = times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
        }
    }

    fn incident(&self, kind: IncidentKind) -> [&AtomicU64; 2] {
        let at = INCIDENTS_AT + 2 * (usize::from(kind.code()) - 1);
        [&self.words()[at], &self.words()[at + 1]]
    }
}

/// What the word for a clean end says; 0 in files of before.
const OPEN: u64 = 1;
const CLEAN: u64 = 2;

fn fill_words(words: &mut [u64], bytes: &[u8]) {
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = chunk
            .iter()
            .rev()
            .fold(0, |word, &byte| (word << 8) | u64::from(byte));
    }
}

fn read_words(words: &[u64], bytes: &mut [u8]) {
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
}
