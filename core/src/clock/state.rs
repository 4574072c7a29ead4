//! A watch as bytes, kept in two places of which either may be older.

use super::Watch;
use crate::time::{Running, Timestamp};

const SUSPECT: u64 = 1;
const PROVEN: u64 = 2;
const TAKEN: u64 = 4;

impl Watch {
    /// How many 64-bit words a watch takes.
    pub const WORDS: usize = 9;

    /// The watch as words, to be kept.
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let taken = self.taken.unwrap_or(Running {
            boot: [0; 16],
            ms: 0,
        });
        let (first, second) = taken.boot.split_at(8);
        let half = |bytes: &[u8]| bytes.iter().fold(0, |word, &b| word << 8 | u64::from(b));
        let flag = |set: bool, bit| if set { bit } else { 0 };
        [
            word(self.floor.ms()),
            word(self.furthest.ms()),
            word(self.ceiling.map_or(0, Timestamp::ms)),
            word(self.suspect_ms),
            self.proofs,
            half(first),
            half(second),
            word(taken.ms),
            flag(self.was_suspect, SUSPECT)
                | flag(self.ceiling.is_some(), PROVEN)
                | flag(self.taken.is_some(), TAKEN),
        ]
    }

    /// The watch that these words are of.
    pub fn from_words(words: &[u64; Self::WORDS]) -> Self {
        let [
            floor,
            furthest,
            ceiling,
            suspect_ms,
            proofs,
            first,
            second,
            ms,
            flags,
        ] = *words;
        let mut boot = [0; 16];
        boot[..8].copy_from_slice(&first.to_be_bytes());
        boot[8..].copy_from_slice(&second.to_be_bytes());
        let taken = Running {
            boot,
            ms: signed(ms),
        };
        Self {
            floor: Timestamp::from_ms(signed(floor)),
            furthest: Timestamp::from_ms(signed(furthest)),
            ceiling: (flags & PROVEN != 0).then(|| Timestamp::from_ms(signed(ceiling))),
            suspect_ms: signed(suspect_ms),
            was_suspect: flags & SUSPECT != 0,
            proofs,
            taken: (flags & TAKEN != 0).then_some(taken),
        }
    }

    /// What two copies come to: the one that saw more proofs, else the later of each.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        if self.proofs != other.proofs {
            return if self.proofs > other.proofs {
                self
            } else {
                other
            };
        }
        let taken = match (self.taken, other.taken) {
            (Some(a), Some(b)) if a.boot == b.boot && b.ms > a.ms => Some(b),
            (None, taken) => taken,
            (taken, _) => taken,
        };
        Self {
            floor: self.floor.max(other.floor),
            furthest: self.furthest.max(other.furthest),
            ceiling: self.ceiling.and(self.ceiling.max(other.ceiling)),
            suspect_ms: self.suspect_ms.max(other.suspect_ms),
            was_suspect: self.was_suspect || other.was_suspect,
            proofs: self.proofs,
            taken,
        }
    }
}

fn word(number: i64) -> u64 {
    u64::from_be_bytes(number.to_be_bytes())
}

fn signed(word: u64) -> i64 {
    i64::from_be_bytes(word.to_be_bytes())
}
