//! The alerts of a quota: percentages of its limit, each told once in a window.
//!
//! One word says in which window which of them were told, so that whoever looks first tells them,
//! in whichever process.

use std::sync::atomic::Ordering;

use super::pot::short;
use crate::error::Result;
use crate::journal::{CellHandle, Journal};
use crate::meter::{pack, unpack};

/// The first byte of the keys of alerts that were told.
const TOLD: u8 = 0x81;

pub(super) struct Alerts {
    percents: Vec<u8>,
    limit: u64,
    told: CellHandle,
}

impl Alerts {
    /// The alerts of the quota that `key` names; `None` where it has none.
    pub fn of(journal: &Journal, key: &[u8], percents: &[u8], limit: u64) -> Result<Option<Self>> {
        if percents.is_empty() {
            return Ok(None);
        }
        let key = [&[TOLD][..], &short(&[key, percents].concat())].concat();
        Ok(Some(Self {
            percents: percents.to_vec(),
            limit,
            told: journal.word(key)?,
        }))
    }

    /// Marks those that `used` reaches as told: those that weren't before, each once.
    pub fn tell(&self, window: u32, used: i64) -> Vec<u8> {
        let reached = self.percents.iter().enumerate();
        let reached = reached.filter(|(_, percent)| used >= self.units_at(**percent));
        let bits = reached
            .clone()
            .fold(0, |bits, (index, _)| bits | 1 << index);
        if bits == 0 {
            return Vec::new();
        }
        let word = self.told.word();
        let marked = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let before = told_in(seen, window);
            (before | bits != before).then(|| pack(window, before | bits))
        });
        let new = marked.map_or(0, |seen| bits & !told_in(seen, window));
        let new = reached.filter(|(index, _)| new & (1 << index) != 0);
        new.map(|(_, percent)| *percent).collect()
    }

    /// The number of used units at which the next is due that wasn't told in this window.
    pub fn next(&self, window: u32) -> Option<i64> {
        let told = told_in(self.told.word().load(Ordering::Acquire), window);
        let untold = self.percents.iter().enumerate();
        let untold = untold.filter(|(index, _)| told & (1 << index) == 0);
        untold.map(|(_, percent)| self.units_at(*percent)).min()
    }

    /// The number of used units at which an alert is due.
    fn units_at(&self, percent: u8) -> i64 {
        let units = u128::from(self.limit) * u128::from(percent);
        i64::try_from(units.div_ceil(100)).unwrap_or(i64::MAX)
    }
}

fn told_in(word: u64, window: u32) -> i64 {
    let (number, bits) = unpack(word);
    if number == window { bits } else { 0 }
}
