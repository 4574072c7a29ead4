//! The licenses a device holds, and what they come to right now.

use std::collections::{HashMap, HashSet};

use crate::activation::{Fingerprint, VerifiedActivation};
use crate::error::{Error, Result};
use crate::id::LicenseId;
use crate::license::{
    Binding, ClockState, DeviceFacts, Entitlement, Facts, QuotaClaim, Verdict, VerifiedLicense,
    Version, judge,
};
use crate::time::Timestamp;

/// How far the wall clock may lie behind a signed time before it counts as set back.
const CLOCK_TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// What does not change while an engine is open.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub device: crate::document::PublicKey,
    pub version: Option<Version>,
    pub released_at: Option<Timestamp>,
    pub fingerprint: Fingerprint,
}

/// The instant to judge at: never before a signed time that this device has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    pub at: Timestamp,
    pub suspect: bool,
}

impl Now {
    #[inline]
    pub fn new(wall: Timestamp, trusted: Timestamp) -> Self {
        Self {
            at: wall.max(trusted),
            suspect: wall.plus_ms(CLOCK_TOLERANCE_MS) < trusted,
        }
    }
}

/// Verified licenses and activation, with what they came to when last judged.
#[derive(Debug, Default)]
pub(super) struct Held {
    licenses: Vec<VerifiedLicense>,
    activation: Option<VerifiedActivation>,
    judged: Option<Judged>,
}

/// The stretch of time for which a judgement stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validity {
    from: Now,
    until: Option<Timestamp>,
}

impl Validity {
    #[inline]
    pub fn holds(&self, now: Now) -> bool {
        now.at >= self.from.at
            && now.suspect == self.from.suspect
            && self.until.is_none_or(|until| now.at < until)
    }
}

/// All licenses together, from one instant until the next at which a verdict may change.
#[derive(Debug)]
pub(super) struct Judged {
    validity: Validity,
    verdict: Result<Verdict>,
    entitlements: HashMap<String, Entitlement>,
    quotas: HashMap<String, QuotaClaim>,
}

impl Held {
    /// Adds a license, in place of an older issue of the same.
    pub fn add(&mut self, license: VerifiedLicense) {
        self.licenses
            .retain(|held| held.claims().id != license.claims().id);
        self.licenses.push(license);
        self.judged = None;
    }

    pub fn activate(&mut self, activation: VerifiedActivation) {
        self.activation = Some(activation);
        self.judged = None;
    }

    /// The license that this device still needs an activation for: the one installed last, when
    /// nothing is activated yet or it asks for an activation of its own.
    pub fn to_activate(&self) -> Option<LicenseId> {
        let claims = self.licenses.last()?.claims();
        match &self.activation {
            None => Some(claims.id),
            Some(held) if held.claims().license == claims.id => None,
            Some(_) => (claims.binding != Binding::None).then_some(claims.id),
        }
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
        let judged = Judged::of(&self.licenses, self.activation.as_ref(), host, now);
        self.judged.insert(judged)
    }
}

impl Judged {
    fn of(
        licenses: &[VerifiedLicense],
        activation: Option<&VerifiedActivation>,
        host: &Host,
        now: Now,
    ) -> Self {
        let replaced: HashSet<_> = licenses
            .iter()
            .flat_map(|l| &l.claims().supersedes)
            .collect();
        let mut all = Self {
            validity: Validity {
                from: now,
                until: None,
            },
            verdict: Err(not_licensed()),
            entitlements: HashMap::new(),
            quotas: HashMap::new(),
        };
        for license in licenses
            .iter()
            .filter(|l| !replaced.contains(&l.claims().id))
        {
            let matching = license.claims().matching;
            let activation = activation.map(|held| held.facts(matching, &host.fingerprint));
            let device = DeviceFacts {
                key: host.device,
                activation,
            };
            let clock = match now.suspect {
                true => ClockState::Suspect { ran_ms: 0 },
                false => ClockState::Sound,
            };
            let facts = Facts {
                now: now.at,
                clock,
                version: host.version,
                released_at: host.released_at,
                device: Some(device),
                ..Facts::default()
            };
            all.unite(license, judge(license, &facts));
        }
        all
    }

    fn unite(&mut self, license: &VerifiedLicense, verdict: Verdict) {
        if let Some(change) = verdict.changes_at() {
            let until = &mut self.validity.until;
            *until = Some(until.map_or(change, |known| known.min(change)));
        }
        if verdict.is_allowed() {
            for (name, entitlement) in &license.claims().entitlements {
                larger(self.entitlements.entry(name.to_string()), entitlement);
            }
            for (name, quota) in &license.claims().quotas {
                let known = self.quotas.entry(name.to_string()).or_insert(*quota);
                if quota.limit.is_none() || quota.overage || quota.limit > known.limit {
                    *known = *quota;
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

    pub fn entitlement(&self, feature: &str) -> Result<Entitlement> {
        if let Some(entitlement) = self.entitlements.get(feature) {
            return Ok(entitlement.clone());
        }
        self.allowed()?;
        Err(Error::new(
            "not_entitled",
            format!("the license does not include {feature:?}"),
        ))
    }

    pub fn quota(&self, meter: &str) -> Option<QuotaClaim> {
        self.quotas.get(meter).copied()
    }
}

fn larger(slot: std::collections::hash_map::Entry<'_, String, Entitlement>, other: &Entitlement) {
    slot.and_modify(|known| match (&*known, other) {
        (Entitlement::Limit(a), Entitlement::Limit(b)) if b > a => *known = other.clone(),
        (Entitlement::Granted, _) => *known = other.clone(),
        _ => {}
    })
    .or_insert_with(|| other.clone());
}

fn not_licensed() -> Error {
    Error::new(
        "not_licensed",
        "no license is installed; install a key, a file or a code first",
    )
}
