//! What all handles of an engine share: when it is, what was taken up, what that comes to.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::Shared;
use super::handle::MeterCore;
use super::held::{Held, Judged, Now};
use super::limits::Limits;
use crate::error::Result;
use crate::license::{Revocations, Ring};
use crate::meter::CellKey;
use crate::time::Timestamp;

impl Shared {
    #[inline]
    pub(super) fn now(&self) -> Now {
        self.keeper.now(&self.journal)
    }

    /// Remembers that it is at least `at`, as a verified document has shown.
    pub(super) fn trust_time(&self, at: Timestamp) -> Result<()> {
        self.keeper.raise(at, &self.journal)
    }

    /// What was taken up so far, by a number that rises; first takes up what others installed.
    #[inline]
    pub(super) fn generation(&self) -> u64 {
        if self.journal.has_news() {
            // What can't be read now leaves everything as it was.
            let _as_it_was = self.catch_up();
        }
        self.generation.load(Ordering::Acquire)
    }

    /// Rises whenever anything is taken up here or changed by any process: since both only rise,
    /// an equal sum says that neither did.
    #[inline]
    pub(super) fn stamp(&self) -> u64 {
        let taken_up = self.generation.load(Ordering::Acquire);
        taken_up.wrapping_add(self.journal.changes())
    }

    pub(super) fn take_key_set(&self, bytes: &[u8]) -> Result<u64> {
        let version = self.hold(|held| -> Result<_> {
            held.judge_again();
            held.ring.install_key_set(bytes)?;
            Ok(held.ring.key_set().map(|set| (set.version, set.issued_at)))
        })?;
        let (version, issued_at) = version.unwrap_or_default();
        self.trust_time(issued_at)?;
        Ok(version)
    }

    pub(super) fn take_list(&self, bundle: &[u8]) -> Result<u64> {
        let now = self.now().at;
        let (list, issued_at) = self.hold(|held| -> Result<_> {
            held.judge_again();
            let (opened, list) = Revocations::verify_by(bundle, &held.ring)?;
            opened.holds_at(now)?;
            held.ring.install_revocations(bundle)?;
            Ok((list.list(), list.issued_at()))
        })?;
        self.trust_time(issued_at)?;
        Ok(list)
    }

    /// Verifies something by what is known of keys by now.
    pub(super) fn verify<T>(&self, check: impl FnOnce(&Ring) -> Result<T>) -> Result<T> {
        self.held(|held| check(&held.ring))
    }

    pub(super) fn held<T>(&self, read: impl FnOnce(&Held) -> T) -> T {
        read(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn hold<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let changed = change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
        self.generation.fetch_add(1, Ordering::AcqRel);
        changed
    }

    #[inline]
    pub(super) fn with_judged<T>(&self, read: impl Fn(&Judged) -> T) -> T {
        self.generation();
        let now = self.now();
        {
            let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(judged) = held.judged(now) {
                return read(judged);
            }
        }
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        read(held.judge(&self.host, now))
    }

    /// The quotas of the licenses, after what reservations held too long was given back.
    pub(super) fn limits(&self, now: Now) -> Result<Vec<(String, Limits)>> {
        let quotas = self.with_judged(|judged| match judged.allowed() {
            Ok(()) => judged.quotas(),
            Err(_) => Vec::new(),
        });
        let limits = quotas.into_iter().map(|(meter, allowed)| {
            let limits = Limits::of(self, &meter, &allowed)?;
            limits.sweep(self, now)?;
            Ok((meter, limits))
        });
        limits.collect()
    }

    /// Runs `work` with the whole device's count of a meter: found once, then remembered.
    #[inline]
    pub(super) fn by_name<T>(
        &self,
        name: &str,
        work: impl Fn(&Arc<MeterCore>) -> Result<T>,
    ) -> Result<T> {
        match self.meters.near(name) {
            Some(core) => work(core),
            None => work(&self.far(name)?),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn far(&self, name: &str) -> Result<Arc<MeterCore>> {
        if let Some(core) = self.meters.far(name) {
            return Ok(core);
        }
        let core = MeterCore::new(self, CellKey::new(name)?)?;
        self.meters.remember(name, &core);
        Ok(core)
    }
}
