//! The slow way of a quota: credits, overage, alerts and reservations, around its one word.

use std::sync::atomic::Ordering;

use super::Shared;
use super::alerts::Alerts;
use super::held::{Allowed, Now, Prepaid, zone_of};
use super::pot::{Part, Pot, short};
use super::quick::Grantable;
use super::units::Shares;
use crate::error::Result;
use crate::id::LicenseId;
use crate::journal::{CellHandle, Journal};
use crate::meter::{Decision, MAX_LIMIT, Quota, Refusal, Taken, Window, Zone, unpack};
use crate::time::Timestamp;

/// The first byte of the keys of credits.
const CREDIT: u8 = 0x80;

/// What a license allows of one meter.
pub(super) struct Limits {
    pot: Pot,
    /// In the order in which they are burned.
    credits: Vec<Credit>,
    alerts: Option<Alerts>,
    /// Units of windows that devices share, whatever of them this one was lent.
    shared: u64,
}

struct Credit {
    pot: Pot,
    expires: Option<Timestamp>,
    lent: Option<OfShared>,
}

/// What is known of the shared quota that units were lent of.
struct OfShared {
    window: u32,
    /// Units that others had used when these were lent.
    beside: i64,
    alerts: Option<Alerts>,
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
    /// Units used in this window beyond those that were carried over; of a quota that devices share,
    /// by all of them, as far as this one was told with its last lease.
    pub used: u64,
    /// Units left, prepaid ones included; `None` without a limit. Of a quota that devices share, those
    /// that this one may use without a network.
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
        let alerts = Alerts::of(
            journal,
            &key,
            &claim.alerts,
            claim.limit.unwrap_or(u64::MAX),
        )?;
        let mut credits = allowed.credits.clone();
        credits.sort_by_key(|prepaid| {
            let credit = prepaid.credit;
            let expires = credit.expires.map_or(i64::MAX, Timestamp::ms);
            (credit.priority, expires, credit.created, credit.id)
        });
        let credits = credits.iter();
        let credits = credits.map(|prepaid| Credit::of(journal, meter, prepaid));
        Ok(Self {
            credits: credits.collect::<Result<_>>()?,
            pot: Pot::new(journal, key, quota, zone)?,
            alerts,
            shared: allowed.shared_limit(),
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
        let left = self.usable(now).map(|(_, credit)| credit.left(now));
        left.fold(0, u64::saturating_add)
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
        let (of_shared, lent) = self.of_shared(now);
        let used = standing.used.saturating_add(of_shared);
        QuotaStatus {
            meter: meter.to_owned(),
            window: quota.window(),
            limit: quota.limit().map(|limit| limit.saturating_add(self.shared)),
            used: u64::try_from(used).unwrap_or(0),
            remaining: left.map(|left| left.saturating_add(credits)),
            overage: quota.over(standing.used),
            credits: credits.saturating_sub(lent),
            resets_at: standing.resets_at,
        }
    }

    /// Units used of shared quotas, as far as that is known here, and those left of what was lent.
    fn of_shared(&self, now: Now) -> (i64, u64) {
        let mut sum = (0_i64, 0_u64);
        for (_, credit) in self.usable(now) {
            let Some(shared) = &credit.lent else { continue };
            sum.0 = sum.0.saturating_add(credit.used_of(shared, now));
            sum.1 = sum.1.saturating_add(credit.left(now));
        }
        sum
    }

    /// The same decision with the alert that was reached, if nobody was told of it before.
    pub fn told(&self, mut decision: Decision, now: Now) -> Decision {
        if let Decision::Granted { crossed, .. } = &mut decision {
            *crossed = self.tell(now).into_iter().max();
        }
        decision
    }

    /// The alerts that use has reached and that nobody was told of in this window.
    pub fn alerts(&self, meter: &str, now: Now) -> Vec<Alert> {
        let alert = |percent| Alert {
            meter: meter.to_owned(),
            percent,
            status: self.status(meter, now),
        };
        self.tell(now).into_iter().map(alert).collect()
    }

    /// Marks the alerts that use has reached as told: those that weren't before.
    fn tell(&self, now: Now) -> Vec<u8> {
        let mut told = Vec::new();
        if let Some(alerts) = &self.alerts {
            let standing = self.pot.standing(now);
            told = alerts.tell(self.told_window(standing.window, now), standing.used);
        }
        for (_, credit) in self.usable(now) {
            if let Some(shared) = &credit.lent
                && let Some(alerts) = &shared.alerts
            {
                told.extend(alerts.tell(shared.window, credit.used_of(shared, now)));
            }
        }
        told
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
        let alerts = self.alerts.as_ref();
        let next = alerts.and_then(|alerts| alerts.next(self.told_window(window, now)));
        next.map_or(most, |next| most.min(next - 1))
    }
}

impl Credit {
    fn of(journal: &Journal, meter: &str, prepaid: &Prepaid) -> Result<Self> {
        let (credit, lent) = (prepaid.credit, prepaid.lent.as_ref());
        let key = prepaid_key((prepaid.license, meter), lent.is_some(), credit.id);
        let quota = Quota::new(credit.units.min(MAX_LIMIT), Window::Lifetime)?;
        let lent = match lent {
            None => None,
            Some(of) => {
                let name = [prepaid.license.as_bytes(), meter.as_bytes()].concat();
                Some(OfShared {
                    window: credit.id,
                    beside: of.beside,
                    alerts: Alerts::of(journal, &name, &of.alerts, of.limit)?,
                })
            }
        };
        Ok(Self {
            pot: Pot::new(journal, key, quota, Zone::default())?,
            expires: credit.expires,
            lent,
        })
    }

    fn left(&self, now: Now) -> u64 {
        let pot = &self.pot;
        pot.quota.left(pot.standing(now).used).unwrap_or(0)
    }

    /// Units that all devices have used of the quota that these were lent of.
    fn used_of(&self, shared: &OfShared, now: Now) -> i64 {
        shared.beside.saturating_add(self.pot.standing(now).used)
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
