//! A meter that lives in memory: for the browser, and wherever nothing may touch a disk.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use super::decision::Decision;
use super::key::CellKey;
use super::quota::Quota;
use super::segment::{MAX_TOTAL, Total};
use crate::error::{Error, Result};
use crate::time::Timestamp;

/// How many different counts one [`MemoryMeter`] holds before it answers `cells_full`.
const MAX_CELLS: usize = 4096;

/// Counts and quotas that end with the process: durability `volatile`.
///
/// ```
/// use mintreu::Timestamp;
/// use mintreu::meter::{CellKey, MemoryMeter, Quota, Window};
/// let mut meter = MemoryMeter::new();
/// meter.limit("renders", Quota::new(2, Window::Day)?);
/// let renders = CellKey::new("renders")?;
/// let now = Timestamp::from_secs(1_800_000_000);
/// assert!(meter.consume(&renders, 2, now)?.granted());
/// assert!(!meter.consume(&renders, 1, now)?.granted());
/// assert_eq!(meter.usage()[0].units, 2);
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct MemoryMeter {
    counts: HashMap<CellKey, u64>,
    quotas: HashMap<String, (Quota, AtomicU64)>,
}

impl MemoryMeter {
    /// A meter that has counted nothing and limits nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the quota of a meter; what its window has used already stays used.
    pub fn limit(&mut self, meter: impl Into<String>, quota: Quota) {
        let slot = self.quotas.entry(meter.into());
        slot.and_modify(|(known, word)| {
            if known.window().cell_key(known.limit()) != quota.window().cell_key(quota.limit()) {
                *word = AtomicU64::new(0);
            }
            *known = quota;
        })
        .or_insert_with(|| (quota, AtomicU64::new(0)));
    }

    /// Counts `n` units, whatever the quota says.
    pub fn record(&mut self, key: &CellKey, n: u64) -> Result<()> {
        if !self.counts.contains_key(key) && self.counts.len() >= MAX_CELLS {
            return Err(Error::new(
                "cells_full",
                format!("this meter holds {MAX_CELLS} different counts already"),
            ));
        }
        let count = self.counts.entry(key.clone()).or_insert(0);
        *count = count.saturating_add(n).min(MAX_TOTAL);
        Ok(())
    }

    /// Takes `n` units from the meter's quota and counts them, or does neither.
    pub fn consume(&mut self, key: &CellKey, n: u64, now: Timestamp) -> Result<Decision> {
        let decision = match self.quotas.get(key.meter()) {
            Some((quota, word)) => quota.take(word, n, now),
            None => Decision::UNLIMITED,
        };
        if decision.granted() {
            self.record(key, n)?;
        }
        Ok(decision)
    }

    /// What has been counted, in the order of the keys.
    pub fn usage(&self) -> Vec<Total> {
        let mut totals: Vec<Total> = self
            .counts
            .iter()
            .map(|(key, &units)| Total {
                key: key.clone(),
                units,
            })
            .collect();
        totals.sort_by(|a, b| a.key.cmp(&b.key));
        totals
    }
}
