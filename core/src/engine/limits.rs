//! The slow way of a quota: credits, overage, alerts and reservations, around its one word.

use std::sync::atomic::Ordering;

use super::Shared;
use super::held::{Allowed, Now, zone_of};
use super::pot::{Part, Pot, short};
use super::quick::Grantable;
use super::units::Shares;
use crate::error::Result;
use crate::id::LicenseId;
use crate::journal::{CellHandle, Journal};
use crate::meter::{Decision, MAX_LIMIT, Quota, Refusal, Taken, Window, Zone, pack, unpack};
use crate::time::Timestamp;

/// The first bytes of the keys of credits and of alerts that were told.
const CREDIT: u8 = 0x80;
const TOLD: u8 = 0x81;

/// What a license allows of one meter.
pub(super) struct Limits {
    pot: Pot,
    /// In the order in which they are burned.
    credits: Vec<Credit>,
    alerts: Vec<u8>,
    /// In which window which alerts were told.
    told: Option<CellHandle>,
}

struct Credit {
    pot: Pot,
    expires: Option<Timestamp>,
}

/// What was taken: from the window first, then from credits by their index.
pub(super) struct Spent {
    pub window: Part,
    pub credits: Vec<(usize, Part)>,
}

/// How a meter's quota stands: what [`Engine::quotas`](super::Engine::quotas) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaStatus {
    /// The meter.
    pub meter: String,
    /// The window the limit is for.
    pub window: Window,
    /// Units a window; `None` where use is only counted.
    pub limit: Option<u64>,
    /// Units used in this window beyond those that were carried over.
    pub used: u64,
    /// Units left, prepaid ones included; `None` without a limit.
    pub remaining: Option<u64>,
    /// Units used beyond the limit.
    pub overage: u64,
    /// Prepaid units left.
    pub credits: u64,
    /// When units come back; `None` when time alone brings none.
    pub resets_at: Option<Timestamp>,
}

/// A quota's use has reached one of its alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The meter.
    pub meter: String,
    /// The percentage of its limit that was reached.
    pub percent: u8,
    /// How the quota stands.
    pub status: QuotaStatus,
}

impl Limits {
    pub fn of(shared: &Shared, meter: &str, allowed: &Allowed) -> Result<Self> {
        let (claim, journal) = (&allowed.claim, &shared.journal);
        let zone = zone_of(claim);
        let quota = claim.quota()?;
        let key = [&quota.window().cell_key(quota.limit()), meter.as_bytes()].concat();
        let told = [&[TOLD][..], &short(&[&key[..], &claim.alerts].concat())].concat();
        let told = (!claim.alerts.is_empty()).then(|| journal.word(told));
        let mut credits = allowed.credits.clone();
        credits.sort_by_key(|prepaid| {
            let credit = prepaid.credit;
            let expires = credit.expires.map_or(i64::MAX, Timestamp::ms);
            (credit.priority, expires, credit.created, credit.id)
        });
        let credits = credits.iter().map(|prepaid| {
            let credit = prepaid.credit;
            let key = prepaid_key((prepaid.license, meter), prepaid.lent, credit.id);
            let quota = Quota::new(credit.units.min(MAX_LIMIT), Window::Lifetime)?;
            Ok(Credit {
                pot: Pot::new(journal, key, quota, Zone::default())?,
                expires: credit.expires,
            })
        });
        Ok(Self {
            credits: credits.collect::<Result<_>>()?,
            pot: Pot::new(journal, key, quota, zone)?,
            alerts: claim.alerts.clone(),
            told: told.transpose()?,
        })
    }

    /// The words that taking changes.
    pub fn words(&self) -> impl Iterator<Item = CellHandle> + '_ {
        let credits = self.credits.iter().map(|credit| &credit.pot);
        let pots = std::iter::once(&self.pot).chain(credits);
        pots.map(|pot| pot.word.clone())
    }

    /// Takes `n` units, all or none; whoever is refused first looks for reservations to give back.
    pub fn take(&self, shared: &Shared, n: u64, now: Now) -> Result<(Decision, Spent)> {
        match self.try_take(n, now) {
            (Decision::Refused { .. }, _) if self.sweep(shared, now)? => Ok(self.try_take(n, now)),
            taken => Ok(taken),
        }
    }

    fn try_take(&self, n: u64, now: Now) -> (Decision, Spent) {
        let (moment, word) = (self.pot.moment(now), self.pot.word.word());
        let quota = self.pot.quota;
        if self.credits.is_empty() || quota.limit().is_none() {
            return match quota.take_at(word, n, moment) {
                Ok(taken) => (self.granted(taken, now), Spent::of(taken)),
                Err(short) => (refused(short.remaining, short.resets_at), Spent::nothing()),
            };
        }
        let first = quota.take_up_to(word, n, moment);
        let mut spent = Spent::of(first);
        self.burn(&mut spent, n - first.units, now);
        let rest = n - spent.units();
        if rest == 0 {
            return (self.granted(first, now), spent);
        }
        // What no credit covers is overage, where that is allowed.
        match quota.take_at(word, rest, moment) {
            Ok(over) => {
                spent.window.units += over.units;
                let before = first.before;
                (self.granted(Taken { before, ..over }, now), spent)
            }
            Err(short) => {
                self.give_back(&spent, spent.units(), now);
                let remaining = spent.units().saturating_add(short.remaining);
                (refused(remaining, short.resets_at), Spent::nothing())
            }
        }
    }

    fn burn(&self, spent: &mut Spent, mut rest: u64, now: Now) {
        for (index, credit) in self.usable(now) {
            if rest == 0 {
                return;
            }
            let pot = &credit.pot;
            let taken = pot.quota.take_up_to(pot.word.word(), rest, pot.moment(now));
            rest -= taken.units;
            if taken.units > 0 {
                let part = Part::new(taken.window, taken.units);
                spent.credits.push((index, part));
            }
        }
    }

    fn usable(&self, now: Now) -> impl Iterator<Item = (usize, &Credit)> {
        let credits = self.credits.iter().enumerate();
        credits.filter(move |(_, credit)| credit.expires.is_none_or(|end| now.at < end))
    }

    fn credits_left(&self, now: Now) -> u64 {
        let left = |credit: &Credit| credit.pot.quota.left(credit.pot.standing(now).used);
        self.usable(now)
            .filter_map(|(_, credit)| left(credit))
            .fold(0, u64::saturating_add)
    }

    fn granted(&self, taken: Taken, now: Now) -> Decision {
        let quota = self.pot.quota;
        let left = quota.left(taken.after);
        Decision::Granted {
            remaining: left.map(|left| left.saturating_add(self.credits_left(now))),
            resets_at: taken.resets_at,
            overage: quota.over(taken.after),
            crossed: None,
        }
    }

    /// Takes units that were used already, whatever is left.
    pub fn force(&self, n: u64, now: Now) {
        let (moment, word) = (self.pot.moment(now), self.pot.word.word());
        let open = self.pot.quota.with_overage(None).unwrap_or(self.pot.quota);
        if open.take_at(word, n, moment).is_err() {
            // A rolling window holds no more than its limit.
            open.take_up_to(word, n, moment);
        }
    }

    /// Gives back `n` of the units that were spent, those first that were taken last.
    pub fn give_back(&self, spent: &Spent, mut n: u64, now: Now) {
        let window = (&self.pot, &spent.window);
        let credits = spent.credits.iter();
        let credits = credits.map(|(index, part)| (&self.credits[*index].pot, part));
        for (pot, part) in credits.rev().chain([window]) {
            let units = part.units.min(n);
            n -= units;
            if units > 0 {
                pot.give_back(units, part.window, now);
            }
        }
    }

    /// Notes that what was spent is held until `expires`.
    pub fn hold(&self, shared: &Shared, spent: &mut Spent, expires: Timestamp) -> Result<()> {
        let journal = &shared.journal;
        if spent.window.units > 0 {
            self.pot.hold(journal, &mut spent.window, expires)?;
        }
        for (index, part) in &mut spent.credits {
            self.credits[*index].pot.hold(journal, part, expires)?;
        }
        Ok(())
    }

    /// Gives back what reservations held whose time is over; whether there were any.
    pub fn sweep(&self, shared: &Shared, now: Now) -> Result<bool> {
        let pots = self.credits.iter().map(|credit| &credit.pot);
        pots.chain([&self.pot]).try_fold(false, |swept, pot| {
            Ok(pot.sweep(&shared.journal, now)? || swept)
        })
    }

    pub fn status(&self, meter: &str, now: Now) -> QuotaStatus {
        let (quota, standing) = (self.pot.quota, self.pot.standing(now));
        let credits = self.credits_left(now);
        let left = quota.left(standing.used);
        QuotaStatus {
            meter: meter.to_owned(),
            window: quota.window(),
            limit: quota.limit(),
            used: u64::try_from(standing.used).unwrap_or(0),
            remaining: left.map(|left| left.saturating_add(credits)),
            overage: quota.over(standing.used),
            credits,
            resets_at: standing.resets_at,
        }
    }

    /// The same decision with the alert that was reached, if nobody was told of it before.
    pub fn told(&self, mut decision: Decision, now: Now) -> Decision {
        if let Decision::Granted { crossed, .. } = &mut decision
            && self.told.is_some()
        {
            let standing = self.pot.standing(now);
            let told = self.tell(standing.window, standing.used, now);
            *crossed = told.last().copied();
        }
        decision
    }

    /// The alerts that use has reached and that nobody was told of in this window.
    pub fn alerts(&self, meter: &str, now: Now) -> Vec<Alert> {
        let standing = self.pot.standing(now);
        let told = self.tell(standing.window, standing.used, now);
        let alert = |percent| Alert {
            meter: meter.to_owned(),
            percent,
            status: self.status(meter, now),
        };
        told.into_iter().map(alert).collect()
    }

    /// Marks the alerts that `used` reaches as told: those that weren't before, each once.
    fn tell(&self, window: u32, used: i64, now: Now) -> Vec<u8> {
        let Some(told) = &self.told else {
            return Vec::new();
        };
        let reached = self.alerts.iter().enumerate();
        let reached = reached.filter(|(_, percent)| used >= self.units_at(**percent));
        let bits = reached
            .clone()
            .fold(0, |bits, (index, _)| bits | 1 << index);
        if bits == 0 {
            return Vec::new();
        }
        let window = self.told_window(window, now);
        let marked = told
            .word()
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
                let before = told_in(seen, window);
                (before | bits != before).then(|| pack(window, before | bits))
            });
        let new = marked.map_or(0, |seen| bits & !told_in(seen, window));
        let new = reached.filter(|(index, _)| new & (1 << index) != 0);
        new.map(|(_, percent)| *percent).collect()
    }

    /// A rolling window never ends: its alerts may be told again after as long as it is.
    fn told_window(&self, window: u32, now: Now) -> u32 {
        match self.pot.quota.window() {
            Window::Rolling { secs } => {
                let number = now.at.secs() / i64::from(secs.max(1));
                u32::try_from(number & 0x00ff_ffff).unwrap_or(0)
            }
            _ => window,
        }
    }

    /// The number of used units at which an alert is due.
    fn units_at(&self, percent: u8) -> i64 {
        let limit = u128::from(self.pot.quota.limit().unwrap_or(u64::MAX));
        i64::try_from((limit * u128::from(percent)).div_ceil(100)).unwrap_or(i64::MAX)
    }

    /// What may be granted the quick way from now on; nothing while the clock is in doubt.
    pub fn grantable(&self, now: Now) -> Option<Grantable> {
        let quota = self.pot.quota;
        if now.is_suspect() || matches!(quota.window(), Window::Rolling { .. }) {
            return None;
        }
        let standing = self.pot.standing(now);
        let opened = self.pot.moment(now).opened;
        if standing.window != opened.number {
            return None;
        }
        let credits = i64::try_from(self.credits_left(now)).unwrap_or(0);
        let limit = quota.limit().and_then(|limit| i64::try_from(limit).ok());
        Some(Grantable {
            stamp: 0,
            from: i64::MIN,
            until: opened.ends.map_or(i64::MAX, Timestamp::ms),
            place: Some(self.pot.word.place()),
            window: standing.window,
            bound: self.unobserved(limit, standing.window, now),
            limit: limit.map(|limit| limit.saturating_add(credits)),
            resets_at: opened.ends,
        })
    }

    /// Up to how many units nobody has to be told: the limit, or just below the next alert.
    fn unobserved(&self, limit: Option<i64>, window: u32, now: Now) -> i64 {
        let most = limit.unwrap_or(i64::from(u32::MAX));
        let Some(told) = &self.told else {
            return most;
        };
        let told = told_in(
            told.word().load(Ordering::Acquire),
            self.told_window(window, now),
        );
        let untold = self.alerts.iter().enumerate();
        let untold = untold.filter(|(index, _)| told & (1 << index) == 0);
        let next = untold.map(|(_, percent)| self.units_at(*percent) - 1).min();
        next.map_or(most, |next| next.min(most))
    }
}

/// The key of the word that counts what was used of a credit, or of what was lent in a window.
fn prepaid_key((license, meter): (LicenseId, &str), lent: bool, id: u32) -> Vec<u8> {
    let id = id.to_be_bytes();
    let name = [
        license.as_bytes(),
        &[u8::from(lent)][..],
        &id,
        meter.as_bytes(),
    ];
    [&[CREDIT][..], &short(&name.concat())].concat()
}

/// Units that this device has used of what it was lent in a window.
pub(super) fn used_of_lease(journal: &Journal, of: &Shares, window: u32) -> Result<u64> {
    let word = journal.word(prepaid_key((of.license, &of.meter), true, window))?;
    let (_, used) = unpack(word.word().load(Ordering::Acquire));
    Ok(u64::try_from(used).unwrap_or(0))
}

fn told_in(word: u64, window: u32) -> i64 {
    let (number, bits) = unpack(word);
    if number == window { bits } else { 0 }
}

fn refused(remaining: u64, resets_at: Option<Timestamp>) -> Decision {
    Decision::Refused {
        reason: Refusal::QuotaSpent { remaining },
        resets_at,
    }
}

impl Spent {
    pub fn nothing() -> Self {
        Self {
            window: Part::new(0, 0),
            credits: Vec::new(),
        }
    }

    fn of(taken: Taken) -> Self {
        Self {
            window: Part::new(taken.window, taken.units),
            credits: Vec::new(),
        }
    }

    /// Units in all.
    pub fn units(&self) -> u64 {
        let credits = self.credits.iter().map(|(_, part)| part.units);
        credits.fold(self.window.units, u64::saturating_add)
    }

    /// Erases the notes of what was held: how many of its units nobody has given back before.
    pub fn settle(&mut self) -> u64 {
        let credits = self.credits.iter_mut().map(|(_, part)| part);
        for part in credits.chain([&mut self.window]) {
            if !Pot::settle(part) {
                part.units = 0;
            }
        }
        self.units()
    }
}
