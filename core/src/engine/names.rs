//! Meters by their names, found without a lock.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::handle::MeterCore;

/// How many places there are, and how many of them a name may lie in.
const PLACES: usize = 512;
const TRIES: usize = 8;

/// Places are filled once and never emptied, so that nobody who looks has to wait. Names that
/// find no place are kept behind a lock: slower, no less right.
pub(super) struct Names {
    places: Box<[OnceLock<Known>]>,
    rest: RwLock<HashMap<String, Arc<MeterCore>>>,
}

struct Known {
    ends: Ends,
    name: Box<str>,
    core: Arc<MeterCore>,
}

/// A name's first and last eight bytes and its length: all there is of a name of at most sixteen.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    head: u64,
    tail: u64,
    len: usize,
}

impl Names {
    pub fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            rest: RwLock::default(),
        }
    }

    /// The meter of this name, if it has a place.
    #[inline]
    pub fn near(&self, name: &str) -> Option<&Arc<MeterCore>> {
        let ends = Ends::of(name);
        let known = self.places[ends.spot()].get()?;
        match known.is(name, ends) {
            true => Some(&known.core),
            false => self.beside(name, ends),
        }
    }

    fn beside(&self, name: &str, ends: Ends) -> Option<&Arc<MeterCore>> {
        let first = ends.spot();
        for index in first + 1..first + TRIES {
            // A name is put into the first free place, so that behind one there is nothing.
            let known = self.places[index % PLACES].get()?;
            if known.is(name, ends) {
                return Some(&known.core);
            }
        }
        None
    }

    /// The meter of this name, if it is known and found no place.
    pub fn far(&self, name: &str) -> Option<Arc<MeterCore>> {
        let rest = self.rest.read().unwrap_or_else(PoisonError::into_inner);
        rest.get(name).cloned()
    }

    /// Remembers a meter. Two that are remembered for one name count into the same cell.
    pub fn remember(&self, name: &str, core: &Arc<MeterCore>) {
        let ends = Ends::of(name);
        let first = ends.spot();
        let places = (first..first + TRIES).map(|index| &self.places[index % PLACES]);
        for place in places {
            let known = place.get_or_init(|| Known {
                ends,
                name: name.into(),
                core: Arc::clone(core),
            });
            if known.is(name, ends) {
                return;
            }
        }
        let mut rest = self.rest.write().unwrap_or_else(PoisonError::into_inner);
        rest.insert(name.to_owned(), Arc::clone(core));
    }
}

impl Known {
    #[inline]
    fn is(&self, name: &str, ends: Ends) -> bool {
        self.ends == ends && (ends.len <= 16 || *self.name == *name)
    }
}

impl Ends {
    #[inline]
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let (head, tail) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (
                bytes
                    .iter()
                    .fold(0, |head, &byte| head << 8 | u64::from(byte)),
                0,
            ),
        };
        Self {
            head,
            tail,
            len: bytes.len(),
        }
    }

    /// Where to look for a name first: a quick mix. A product chooses its names itself, and who
    /// chose bad ones would only wait for them a little longer.
    #[inline]
    fn spot(self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.head ^ self.tail.rotate_left(29) ^ self.len as u64).wrapping_mul(ODD);
        (mixed >> 32) as usize % PLACES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_tell_short_names_apart_and_whole_names_the_long_ones() {
        let names = [
            "a",
            "b",
            "ab",
            "ba",
            "aaaaaaaa",
            "aaaaaaab",
            "baaaaaaa",
            "aaaaaaaaa",
        ];
        for (i, one) in names.iter().enumerate() {
            for (j, other) in names.iter().enumerate() {
                assert_eq!(Ends::of(one) == Ends::of(other), i == j, "{one} {other}");
            }
        }
        let (one, other) = ("12345678-12345678", "12345678+12345678");
        assert!(
            Ends::of(one) == Ends::of(other),
            "which is why more is compared"
        );
    }
}
