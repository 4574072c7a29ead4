//! A window of a quota and what it has left. Pure.

use crate::caller::Denied;
use crate::domains::licensing::LicensingError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::license::QuotaClaim;
use mintreu::meter::Opened;

/// Most characters of a reason for taking units back.
pub const MAX_REASON: usize = 500;

/// The newest window of a quota that was opened, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub window: u32,
    /// Units counted in it here, those that nodes hold included.
    pub units: i64,
    /// The window that was open before it, and what that had left: some of it is carried over.
    pub before: Option<(u32, i64)>,
    /// The alerts that were told in it, a bit each.
    pub told: i64,
}

/// What is held of a window beside what is counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    /// Units reserved for work under way.
    pub reserved: i64,
    /// Units that devices were lent.
    pub lent: i64,
    /// Units of those that devices said they used.
    pub reported: i64,
}

/// An open window of a quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// What the license says.
    pub claim: QuotaClaim,
    /// The window, as stored or to be stored.
    pub kept: Kept,
    /// What others hold of it.
    pub beside: Beside,
    /// When it ends; `None` for a license's whole life, or one that the clock hasn't reached.
    pub resets_at: Option<Timestamp>,
}

/// The window that is open at an instant: the one that is kept, or the next, which begins with what
/// `beside` left of the one before.
pub fn opened(claim: &QuotaClaim, kept: Option<Kept>, beside: Beside, now: Opened) -> Kept {
    let Some(kept) = kept else {
        return Kept {
            window: now.number,
            units: 0,
            before: None,
            told: 0,
        };
    };
    if kept.window >= now.number {
        return kept;
    }
    Kept {
        window: now.number,
        units: 0,
        before: Some((kept.window, left(claim, &kept, &beside))),
        told: 0,
    }
}

/// Units of the window's limit and of what it was begun with that nobody used or holds; below zero
/// in overage.
fn left(claim: &QuotaClaim, kept: &Kept, beside: &Beside) -> i64 {
    limit(claim)
        .saturating_add(carried(claim, kept))
        .saturating_sub(kept.units)
        .saturating_sub(beside.reserved)
        .saturating_sub(beside.lent)
}

fn limit(claim: &QuotaClaim) -> i64 {
    i64::try_from(claim.limit.unwrap_or(u64::MAX)).unwrap_or(i64::MAX)
}

/// Units that were carried over into the window.
fn carried(claim: &QuotaClaim, kept: &Kept) -> i64 {
    let (Some(rule), Some((before, left))) = (claim.rollover, kept.before) else {
        return 0;
    };
    let idle = kept.window.saturating_sub(before).saturating_sub(1);
    let left = u64::try_from(left).unwrap_or(0);
    i64::try_from(rule.carried(claim.limit.unwrap_or(0), left, idle)).unwrap_or(i64::MAX)
}

impl Position {
    /// Units of the window, those that were carried over included.
    pub fn limit(&self) -> i64 {
        limit(&self.claim).saturating_add(carried(&self.claim, &self.kept))
    }

    /// Units of it that nobody used or holds.
    pub fn remaining(&self) -> i64 {
        left(&self.claim, &self.kept, &self.beside).max(0)
    }

    /// Units used and held beyond it.
    pub fn overage(&self) -> i64 {
        left(&self.claim, &self.kept, &self.beside)
            .min(0)
            .saturating_neg()
    }

    /// The most that may be used and held in the window; `None` without a bound.
    pub fn ceiling(&self) -> Option<i64> {
        let cap = self.claim.overage_cap;
        match (self.claim.overage, cap) {
            (true, None) => None,
            (true, Some(cap)) => {
                let cap = i64::try_from(cap).unwrap_or(i64::MAX);
                Some(self.limit().saturating_add(cap))
            }
            (false, _) => Some(self.limit()),
        }
    }

    /// Units used and held.
    pub const fn taken(&self) -> i64 {
        self.kept
            .units
            .saturating_add(self.beside.reserved)
            .saturating_add(self.beside.lent)
    }

    /// Units that may still be granted, overage included.
    pub fn free(&self) -> i64 {
        let ceiling = self.ceiling();
        ceiling.map_or(i64::MAX, |most| most.saturating_sub(self.taken()).max(0))
    }

    /// Units that all have used, as far as devices said, less those that were carried over: what
    /// alerts go by.
    pub fn used(&self) -> i64 {
        self.kept
            .units
            .saturating_add(self.beside.reported)
            .saturating_sub(carried(&self.claim, &self.kept))
    }

    /// Marks the alerts that use has reached as told; the highest that wasn't before.
    pub fn alert(&mut self) -> Option<u8> {
        let (used, limit) = (i128::from(self.used()), i128::from(limit(&self.claim)));
        let alerts = self.claim.alerts.iter().enumerate();
        let reached = alerts.filter(|(_, percent)| used * 100 >= limit * i128::from(**percent));
        let told = self.kept.told;
        let mut highest = None;
        for (index, percent) in reached {
            self.kept.told |= 1 << index;
            if told & (1 << index) == 0 {
                highest = Some(*percent);
            }
        }
        highest
    }
}

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum QuotaError {
    /// The request or the terms can't be believed.
    #[error(transparent)]
    Document(#[from] mintreu::Error),
    /// No device with that key was ever activated for that license.
    #[error("this device was never activated for this license; activate it first")]
    UnknownDevice,
    /// Its seat was given up.
    #[error("this device gave up its seat; activate it again")]
    Deactivated,
    /// The license was withdrawn.
    #[error("this license was revoked")]
    Revoked,
    /// The request speaks of another product than the license.
    #[error("this license is for another product")]
    WrongProduct,
    /// The license has no quota of that meter that its devices share.
    #[error("the license shares no quota of this meter among devices")]
    NothingShared,
    /// Units can't be taken back while the device may use them.
    #[error(
        "the device may use these units until {}; take back what is left after that",
        instant(*until)
    )]
    LeaseRunning {
        /// Until when.
        until: Timestamp,
    },
    /// What a seller does to units needs a reason.
    #[error("say why, in a few words")]
    ReasonMissing,
    /// A reason is too long.
    #[error("a reason has at most {MAX_REASON} characters")]
    ReasonTooLong,
    /// The keys, or the license.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.ms())
        .map_or_else(|_| at.ms().to_string(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::meter::{Rollover, Window};

    fn claim(rollover: Option<(u64, u64)>) -> QuotaClaim {
        QuotaClaim {
            rollover: rollover.map(|(least, most)| Rollover { least, most }),
            alerts: vec![50, 80, 100],
            ..QuotaClaim::new(100, Window::Month)
        }
    }

    fn month(number: u32) -> Opened {
        Opened { number, ends: None }
    }

    fn at(claim: &QuotaClaim, kept: Kept, beside: Beside) -> Position {
        Position {
            claim: claim.clone(),
            kept,
            beside,
            resets_at: None,
        }
    }

    #[test]
    fn what_is_left_comes_along_as_the_license_says() {
        let rows = [
            (None, 30, 0, 100),
            (Some((0, 50)), 30, 0, 150),
            (Some((0, 50)), 80, 0, 120),
            (Some((10, 50)), 100, 0, 110),
            (Some((0, 50)), 80, 15, 105),
            // Months that nobody used were carried over as a whole.
            (Some((0, 150)), 90, 0, 110),
        ];
        for (rollover, units, lent, limit) in rows {
            let claim = claim(rollover);
            let first = opened(&claim, None, Beside::default(), month(1));
            let used = Kept { units, ..first };
            let beside = Beside {
                lent,
                ..Beside::default()
            };
            let next = opened(&claim, Some(used), beside, month(2));
            let position = at(&claim, next, Beside::default());
            assert_eq!(position.limit(), limit, "{rollover:?} {units} {lent}");
            assert_eq!(position.remaining(), limit);
        }
        let claim = claim(Some((0, 150)));
        let first = opened(&claim, None, Beside::default(), month(1));
        let idle = opened(&claim, Some(first), Beside::default(), month(4));
        assert_eq!(at(&claim, idle, Beside::default()).limit(), 250);
        assert_eq!(
            opened(&claim, Some(idle), Beside::default(), month(2)),
            idle,
            "a clock that was set back"
        );
    }

    #[test]
    fn overage_is_granted_up_to_its_bound_and_told() {
        let mut claim = claim(None);
        let kept = opened(&claim, None, Beside::default(), month(1));
        let kept = Kept { units: 90, ..kept };
        let beside = Beside {
            lent: 20,
            reported: 5,
            reserved: 0,
        };
        assert_eq!(at(&claim, kept, beside).free(), 0);
        claim.overage = true;
        let position = at(&claim, kept, beside);
        assert_eq!((position.free(), position.overage()), (i64::MAX, 10));
        claim.overage_cap = Some(15);
        let position = at(&claim, kept, beside);
        assert_eq!((position.free(), position.remaining()), (5, 0));
    }

    #[test]
    fn an_alert_is_told_once_in_a_window_and_goes_by_what_is_used() {
        let claim = claim(Some((0, 20)));
        let kept = opened(&claim, None, Beside::default(), month(1));
        let beside = Beside {
            lent: 90,
            reported: 49,
            reserved: 0,
        };
        let mut position = at(&claim, kept, beside);
        assert_eq!(position.alert(), None, "lent is not used");
        position.kept.units = 31;
        assert_eq!(position.alert(), Some(80), "the highest, of two");
        assert_eq!(position.alert(), None);
        let next = opened(&claim, Some(position.kept), Beside::default(), month(2));
        let mut next = at(&claim, next, Beside::default());
        next.kept.units = 69;
        assert_eq!(next.alert(), None, "twenty of these were carried over");
        next.kept.units = 70;
        assert_eq!(next.alert(), Some(50));
    }
}
