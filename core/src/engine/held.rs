//! The licenses a device holds, and what they come to right now.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::Stacking;
use super::units::{Share, Shares};
use crate::activation::{Fingerprint, Seat, UnitsLease, VerifiedActivation, VerifiedLease};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::license::{
    Binding, ClockState, Credit, DeviceFacts, Entitlement, Facts, Name, QuotaClaim, Ring, Verdict,
    VerifiedLicense, Version, dated, judge,
};
use crate::meter::Zone;
use crate::time::Timestamp;

/// What does not change while an engine is open.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub device: crate::document::PublicKey,
    pub version: Option<Version>,
    pub released_at: Option<Timestamp>,
    pub fingerprint: Fingerprint,
    pub stacking: Stacking,
}

/// The instant to judge at, and whether it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub at: Timestamp,
    pub clock: ClockState,
}

impl Now {
    #[inline]
    pub fn is_suspect(self) -> bool {
        self.clock != ClockState::Sound
    }
}

/// Verified licenses, the seats they are used from, and what was learned of keys and revocations,
/// with what it all came to when last judged.
#[derive(Debug)]
pub(super) struct Held {
    pub ring: Ring,
    licenses: Vec<VerifiedLicense>,
    seats: BTreeMap<LicenseId, Seat>,
    units: BTreeMap<Shares, UnitsLease>,
    judged: Option<Judged>,
}

/// The stretch of time for which a judgement stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    from: Now,
    until: Option<Timestamp>,
}

impl Validity {
    pub const fn until(&self) -> Option<Timestamp> {
        self.until
    }

    #[inline]
    pub fn holds(&self, now: Now) -> bool {
        now.at >= self.from.at
            && now.clock == self.from.clock
            && self.until.is_none_or(|until| now.at < until)
    }
}

/// All licenses together, from one instant until the next at which a verdict may change.
#[derive(Debug)]
pub(super) struct Judged {
    validity: Validity,
    verdict: Result<Verdict>,
    /// In the order of their names: a license has few, and a search beats a hash.
    entitlements: Vec<(String, Entitlement)>,
    quotas: HashMap<String, Allowed>,
    dated: bool,
}

/// What all licenses together allow of one meter.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    pub claim: QuotaClaim,
    pub credits: Vec<Prepaid>,
    /// Licenses that share this quota among their devices, with its limit.
    shared: Vec<(LicenseId, u64)>,
}

/// Units beside those of a window: a credit of a license, or what a device was lent of a quota.
#[derive(Debug, Clone)]
pub(super) struct Prepaid {
    pub license: LicenseId,
    pub lent: Option<LentOf>,
    /// Its number is the window's where it was lent.
    pub credit: Credit,
}

/// The shared quota that units were lent of.
#[derive(Debug, Clone)]
pub(super) struct LentOf {
    pub limit: u64,
    pub alerts: Vec<u8>,
    /// Units that others had used of it.
    pub beside: i64,
}

impl Allowed {
    /// Units of a window that this license's devices share, or several licenses' do.
    pub fn shared_limit(&self) -> u64 {
        let limits = self.shared.iter().map(|(_, limit)| *limit);
        limits.fold(0, u64::saturating_add)
    }
}

impl Held {
    pub fn new(ring: Ring) -> Self {
        Self {
            ring,
            licenses: Vec::new(),
            seats: BTreeMap::new(),
            units: BTreeMap::new(),
            judged: None,
        }
    }

    /// Adds a license, in place of an older issue of the same.
    pub fn add(&mut self, license: VerifiedLicense) {
        self.licenses
            .retain(|held| held.claims().id != license.claims().id);
        self.licenses.push(license);
        self.judged = None;
    }

    pub fn activate(&mut self, activation: VerifiedActivation) {
        let seat = Seat {
            activation,
            lease: None,
        };
        self.seats.insert(seat.activation.claims().license, seat);
        self.judged = None;
    }

    /// Takes a lease, unless the one that is held lasts longer. Of two with one end the later
    /// counts: who can keep a seat no longer asks again at half of what is left, not at once.
    pub fn lend(&mut self, license: LicenseId, lease: VerifiedLease) -> bool {
        let rank = |lease: &VerifiedLease| (lease.ends_at(), lease.claims().issued_at);
        let Some(seat) = self.seats.get_mut(&license) else {
            return false;
        };
        let held = seat.lease.as_ref().map(rank);
        if held.is_some_and(|held| held >= rank(&lease)) {
            return false;
        }
        seat.lease = Some(lease);
        self.judged = None;
        true
    }

    pub fn units(&self, of: &Shares) -> Option<&UnitsLease> {
        self.units.get(of)
    }

    pub fn lend_units(&mut self, of: Shares, lease: UnitsLease) {
        self.units.insert(of, lease);
        self.judged = None;
    }

    pub fn drop_units(&mut self, of: &Shares) {
        self.units.remove(of);
        self.judged = None;
    }

    pub fn vacate(&mut self, license: LicenseId) {
        self.seats.remove(&license);
        self.units.retain(|of, _| of.license != license);
        self.judged = None;
    }

    /// Forgets what was judged: key sets and lists change it.
    pub fn judge_again(&mut self) {
        self.judged = None;
    }

    pub fn licenses(&self) -> &[VerifiedLicense] {
        &self.licenses
    }

    pub fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values()
    }

    pub fn seat(&self, license: LicenseId) -> Option<&Seat> {
        self.seats.get(&license)
    }

    /// The license that this device still needs an activation for, the one installed last first:
    /// any when nothing is activated yet, else one that asks for a seat of its own.
    pub fn to_activate(&self, given_up: impl Fn(LicenseId) -> bool) -> Option<LicenseId> {
        let wanting = self.licenses.iter().rev().map(VerifiedLicense::claims);
        wanting
            .filter(|claims| !self.seats.contains_key(&claims.id) && !given_up(claims.id))
            .find(|claims| self.seats.is_empty() || claims.binding != Binding::None)
            .map(|claims| claims.id)
    }

    /// What the licenses come to, if that was judged and still stands at `now`.
    #[inline]
    pub fn judged(&self, now: Now) -> Option<&Judged> {
        self.judged
            .as_ref()
            .filter(|judged| judged.validity.holds(now))
    }

    /// Judges every license at `now`.
    pub fn judge(&mut self, host: &Host, now: Now) -> &Judged {
        let judged = Judged::of(self, host, now);
        self.judged.insert(judged)
    }
}

impl Judged {
    fn of(held: &Held, host: &Host, now: Now) -> Self {
        let current = held.licenses.iter().map(|known| held.ring.newest(known));
        let current: Vec<_> = current.collect();
        let replaced: HashSet<_> = current
            .iter()
            .flat_map(|known| &known.claims().supersedes)
            .collect();
        let mut all = Self {
            validity: Validity {
                from: now,
                until: None,
            },
            verdict: Err(not_licensed()),
            entitlements: Vec::new(),
            quotas: HashMap::new(),
            dated: false,
        };
        for license in &current {
            if !replaced.contains(&license.claims().id) {
                let facts = facts(held, host, now, license);
                all.dated |= dated(license.claims(), &facts);
                let verdict = judge(license, &facts);
                all.unite(held, license, verdict, host.stacking);
            }
        }
        all
    }

    fn unite(
        &mut self,
        held: &Held,
        license: &VerifiedLicense,
        verdict: Verdict,
        stacking: Stacking,
    ) {
        if let Some(change) = verdict.changes_at() {
            let until = &mut self.validity.until;
            *until = Some(until.map_or(change, |known| known.min(change)));
        }
        if verdict.is_allowed() {
            for (name, entitlement) in &license.claims().entitlements {
                let name = name.to_string();
                match self.place(&name) {
                    Ok(at) => stacking.unite(&mut self.entitlements[at].1, entitlement),
                    Err(at) => self.entitlements.insert(at, (name, entitlement.clone())),
                }
            }
            for (name, quota) in &license.claims().quotas {
                let allowed = of_license(license, name, quota, held);
                match self.quotas.entry(name.to_string()) {
                    Entry::Occupied(mut known) => {
                        let known = known.get_mut();
                        stacking.unite_quota(&mut known.claim, &allowed.claim);
                        known.credits.extend(allowed.credits);
                        known.shared.extend(allowed.shared);
                    }
                    Entry::Vacant(free) => {
                        free.insert(allowed);
                    }
                }
            }
        }
        let better = match &self.verdict {
            Ok(known) => {
                (verdict.is_allowed(), verdict.status()) > (known.is_allowed(), known.status())
            }
            Err(_) => true,
        };
        if better {
            self.verdict = Ok(verdict);
        }
    }

    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The best verdict of all licenses; `not_licensed` when there is none.
    pub fn verdict(&self) -> Result<&Verdict> {
        self.verdict.as_ref().map_err(Error::clone)
    }

    /// The verdict, when it lets the product run.
    pub fn allowed(&self) -> Result<()> {
        let verdict = self.verdict()?;
        match verdict.is_allowed() {
            true => Ok(()),
            false => Err(Error::new(verdict.code(), verdict.sentence().to_owned())),
        }
    }

    fn place(&self, feature: &str) -> std::result::Result<usize, usize> {
        self.entitlements
            .binary_search_by(|(name, _)| name.as_str().cmp(feature))
    }

    #[inline]
    pub fn entitlement(&self, feature: &str) -> Result<Entitlement> {
        if let Ok(at) = self.place(feature) {
            return Ok(self.entitlements[at].1.clone());
        }
        self.allowed()?;
        Err(Error::new(
            "not_entitled",
            format!("the license does not include {feature:?}"),
        ))
    }

    pub fn quota(&self, meter: &str) -> Option<Allowed> {
        self.quotas.get(meter).cloned()
    }

    /// Every quota by its meter, in the order of their names.
    pub fn quotas(&self) -> Vec<(String, Allowed)> {
        let quotas = self.quotas.iter();
        let mut quotas: Vec<_> = quotas.map(|(m, q)| (m.clone(), q.clone())).collect();
        quotas.sort_by(|a, b| a.0.cmp(&b.0));
        quotas
    }

    /// The quotas that devices share, in the windows that are open at `now`.
    pub fn shares(&self, now: Now) -> Vec<Share> {
        let mut shares = Vec::new();
        for (meter, allowed) in &self.quotas {
            let zone = zone_of(&allowed.claim);
            let window = allowed.claim.window.at_in(now.at, &zone).number;
            shares.extend(allowed.shared.iter().map(|&(license, limit)| Share {
                of: Shares {
                    license,
                    meter: meter.clone(),
                },
                limit,
                window,
            }));
        }
        shares.sort_by(|a, b| a.of.cmp(&b.of));
        shares
    }

    /// Whether anything of this depends on the time.
    pub const fn dated(&self) -> bool {
        self.dated
    }
}

/// What one license allows of a meter. A quota that its devices share is spent only through what
/// this one was lent of it.
fn of_license(license: &VerifiedLicense, name: &Name, quota: &QuotaClaim, held: &Held) -> Allowed {
    let (id, mut claim) = (license.claims().id, quota.clone());
    let prepaid = |lent, credit| Prepaid {
        license: id,
        lent,
        credit,
    };
    let credits = quota.credits.iter().map(|credit| prepaid(None, *credit));
    let mut credits: Vec<_> = credits.collect();
    let mut shared = Vec::new();
    if let Some(limit) = quota.limit.filter(|_| license.claims().shares(quota)) {
        claim.limit = Some(0);
        // What is carried over, and overage that has a bound, is the lender's to give.
        claim.rollover = None;
        claim.overage &= claim.overage_cap.is_none();
        claim.overage_cap = None;
        let alerts = std::mem::take(&mut claim.alerts);
        shared.push((id, limit));
        let of = Shares {
            license: id,
            meter: name.to_string(),
        };
        credits.extend(held.units(&of).map(|lease| {
            let lent = Credit {
                id: lease.window,
                units: lease.units,
                priority: 0,
                created: lease.issued_at,
                expires: Some(lease.ends_at()),
            };
            let of = LentOf {
                limit,
                alerts: alerts.clone(),
                beside: lease.beside,
            };
            prepaid(Some(of), lent)
        }));
    }
    Allowed {
        claim,
        credits,
        shared,
    }
}

/// The calendar of a quota: UTC where this build lacks the zone's rules.
pub(super) fn zone_of(claim: &QuotaClaim) -> Zone {
    let zone = claim.zone.as_deref().map(Zone::named);
    zone.and_then(Result::ok).unwrap_or_default()
}

/// What one license is judged against on this device.
fn facts(held: &Held, host: &Host, now: Now, license: &VerifiedLicense) -> Facts {
    let claims = license.claims();
    let seat = held.seats.get(&claims.id);
    let revoked_from = seat.and_then(|seat| seat.revoked_from(&held.ring));
    Facts {
        now: now.at,
        clock: now.clock,
        version: host.version,
        released_at: host.released_at,
        device: Some(DeviceFacts {
            key: host.device,
            activation: seat.map(|seat| seat.facts(claims.matching, &host.fingerprint)),
        }),
        standing: held.ring.standing(license).with_revoked_from(revoked_from),
    }
}

impl Stacking {
    /// Two licenses that both have an entitlement.
    fn unite(self, known: &mut Entitlement, other: &Entitlement) {
        match (&*known, other) {
            (Entitlement::Limit(a), Entitlement::Limit(b)) => {
                *known = Entitlement::Limit(match self {
                    Self::Largest => *a.max(b),
                    Self::AddUp => a.saturating_add(*b),
                });
            }
            (Entitlement::Granted, _) => *known = other.clone(),
            _ => {}
        }
    }

    /// Two licenses that both have a quota; only those of the same window can add up.
    fn unite_quota(self, known: &mut QuotaClaim, other: &QuotaClaim) {
        let sum = match (known.limit, other.limit) {
            (Some(a), Some(b))
                if self == Self::AddUp
                    && known.window == other.window
                    && known.zone == other.zone =>
            {
                Some(a.saturating_add(b))
            }
            _ => None,
        };
        if let Some(limit) = sum {
            let overage_cap = match (known.overage_cap, other.overage_cap) {
                (Some(a), Some(b)) => Some(a.saturating_add(b)),
                (one, other) => one.or(other),
            };
            let unbounded = |quota: &QuotaClaim| quota.overage && quota.overage_cap.is_none();
            let bounded = !unbounded(known) && !unbounded(other);
            known.limit = Some(limit);
            known.overage |= other.overage;
            known.overage_cap = overage_cap.filter(|_| bounded);
            return;
        }
        // Without a limit nothing is larger.
        let larger = other.limit.is_none() || other.overage || other.limit > known.limit;
        if known.limit.is_some() && larger {
            *known = other.clone();
        }
    }
}

fn not_licensed() -> Error {
    Error::new(
        "not_licensed",
        "no license is installed; install a key, a file or a code first",
    )
}
