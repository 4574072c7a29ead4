//! Meters by their names, found without a lock.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::handle::MeterCore;

/// How many places there are, and how many of them a name may lie in.
const PLACES: usize = 512;
const TRIES: usize = 8;

type Known = (Box<str>, Arc<MeterCore>);

/// Places are filled once and never emptied, so that nobody who looks has to wait. Names that
/// find no place are kept behind a lock: slower, no less right.
pub(super) struct Names {
    places: Box<[OnceLock<Known>]>,
    rest: RwLock<HashMap<String, Arc<MeterCore>>>,
}

impl Names {
    pub fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| OnceLock::new()).collect(),
            rest: RwLock::default(),
        }
    }

    /// Runs `work` with the meter of this name, if it is known.
    #[inline]
    pub fn with<T>(&self, name: &str, work: impl FnOnce(&Arc<MeterCore>) -> T) -> Option<T> {
        let first = spot(name);
        for index in first..first + TRIES {
            // A name is put into the first free place, so that behind one there is nothing.
            let (known, core) = self.places[index % PLACES].get()?;
            if **known == *name {
                return Some(work(core));
            }
        }
        let rest = self.rest.read().unwrap_or_else(PoisonError::into_inner);
        rest.get(name).map(work)
    }

    /// Remembers a meter. Two that are remembered for one name count into the same cell.
    pub fn remember(&self, name: &str, core: &Arc<MeterCore>) {
        let first = spot(name);
        let places = (first..first + TRIES).map(|index| &self.places[index % PLACES]);
        for place in places {
            let (known, _) = place.get_or_init(|| (name.into(), Arc::clone(core)));
            if **known == *name {
                return;
            }
        }
        let mut rest = self.rest.write().unwrap_or_else(PoisonError::into_inner);
        rest.insert(name.to_owned(), Arc::clone(core));
    }
}

/// Where to look for a name first: a quick mix of its ends and its length. A product chooses its
/// names itself, and who chose bad ones would only wait for them a little longer.
#[inline]
fn spot(name: &str) -> usize {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = name.as_bytes();
    let (head, tail) = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => bytes.iter().fold((0, 0), |(head, tail), &byte| {
            (head << 8 | u64::from(byte), tail ^ u64::from(byte))
        }),
    };
    let mixed = (head ^ tail.rotate_left(29) ^ bytes.len() as u64).wrapping_mul(ODD);
    (mixed >> 32) as usize % PLACES
}
