//! Judging: one pure function from a verified license and the facts to a verdict.
//!
//! The checks run in the order of [`Status`]; the first that applies wins:
//!
//! | # | status | applies when | allowed |
//! |---|---|---|---|
//! | 1 | `key_revoked` | a key that vouches for it is revoked from now or before | no |
//! | 2 | `revoked` | a revocation list says so | no |
//! | 3 | `clock_refused` | dates matter and the clock was suspect for longer than tolerated | no |
//! | 4 | `not_yet_valid` | now is before the start | no |
//! | 5 | `expired` | the end and its grace are over | by strategy |
//! | 6 | `wrong_version` | the version isn't in range, or was released too late | no |
//! | 7 | `wrong_device` | bound to another key, or the activation is for another license, device or host | no |
//! | 8 | `device_not_activated` | a device or activation is needed and there is none | no |
//! | 9 | `lease_over` | the activation has ended | no |
//! | 10 | `revocations_stale` | the newest list is too old, the license locks, and its grace is over | no |
//! | 11 | `in_grace` | the end is over, its grace isn't | yes |
//! | 12 | `replace_by` | a key that vouches for it will be revoked | yes |
//! | 13 | `revocations_stale` | the newest list is too old | yes |
//! | 14 | `clock_suspect` | dates matter and the clock is suspect | yes |
//! | 15 | `expiring_soon` | the end is near | yes |
//! | 16 | `valid` | nothing above | yes |
//!
//! A license that a sunset freed is judged as one without an end, activation, lease or freshness.

mod day;
mod standing;

use day::{DAY_SECS, day};
pub use standing::Standing;
use standing::{Stale, key_revoked, locked, replace_by, revoked, stale};

use super::{Binding, Claims, OnExpiry, Status, Verdict, VerifiedLicense, Version};
use crate::document::PublicKey;
use crate::id::LicenseId;
use crate::time::Timestamp;

/// From when the end is near, where the license doesn't say.
const DEFAULT_WARN_SECS: i64 = 14 * DAY_SECS;
/// How long a suspect clock is tolerated, where the license doesn't say.
const DEFAULT_SUSPECT_SECS: i64 = 3 * DAY_SECS;

/// Whether the clock can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockState {
    /// Nothing speaks against it.
    #[default]
    Sound,
    /// It stands before a time that was already proven. [`Facts::now`] is then that proven time
    /// plus the time run since.
    Suspect {
        /// Milliseconds run since it became suspect.
        ran_ms: i64,
    },
}

/// What an activation says, once verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivationFacts {
    /// The license it is for.
    pub license: LicenseId,
    /// The device it is for.
    pub device: PublicKey,
    /// When its lease ends; `None` for as long as the license.
    pub expires_at: Option<Timestamp>,
    /// Whether enough of the host's fingerprint still matches.
    pub host_matches: bool,
}

/// The device that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Its key.
    pub key: PublicKey,
    /// Its activation, if it has one.
    pub activation: Option<ActivationFacts>,
}

/// What a license is judged against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The instant.
    pub now: Timestamp,
    /// Whether that instant can be believed.
    pub clock: ClockState,
    /// The product's version; not compared when absent.
    pub version: Option<Version>,
    /// When that version was released; a license that depends on it refuses when it is absent.
    pub released_at: Option<Timestamp>,
    /// The device; absent where products ask before there is one.
    pub device: Option<DeviceFacts>,
    /// What a key set and revocation lists say about the license.
    pub standing: Standing,
}

impl Facts {
    /// A believed instant and nothing else.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }
}

/// Whether `license` holds under `facts`. Pure: equal input gives an equal verdict.
pub fn judge(license: &VerifiedLicense, facts: &Facts) -> Verdict {
    match freed(license.claims(), facts) {
        Some((claims, facts)) => judge_claims(&claims, &facts),
        None => judge_claims(license.claims(), facts),
    }
}

fn judge_claims(claims: &Claims, facts: &Facts) -> Verdict {
    let stages = [
        key_revoked,
        revoked,
        clock,
        start,
        end,
        version,
        device,
        locked,
        grace,
        replace_by,
        stale,
        suspect,
    ];
    stages
        .iter()
        .find_map(|stage| stage(claims, facts))
        .unwrap_or_else(|| holds(claims, facts))
        .until(next_change(claims, facts))
}

/// A license that its product's sunset freed, without what it is freed of: its end, activation,
/// lease and fresh lists. One that was over by then stays over.
fn freed(claims: &Claims, facts: &Facts) -> Option<(Claims, Facts)> {
    let sunset = facts.standing.sunset?;
    let over = |end| sunset >= grace_end(claims, end);
    if claims.expires_at.is_some_and(over) {
        return None;
    }
    let claims = Claims {
        expires_at: None,
        binding: Binding::None,
        freshness: None,
        ..claims.clone()
    };
    let key_only = |device: DeviceFacts| DeviceFacts {
        activation: None,
        ..device
    };
    let facts = Facts {
        device: facts.device.map(key_only),
        ..*facts
    };
    Some((claims, facts))
}

/// The first instant after now at which any check may come out differently.
fn next_change(claims: &Claims, facts: &Facts) -> Option<Timestamp> {
    let end = claims.expires_at;
    let instants = [
        claims.not_before,
        end.map(|end| warn_from(claims, end)),
        end,
        end.map(|end| grace_end(claims, end)),
        lease(facts),
        facts.standing.replace_by,
        Stale::of(claims, facts).map(|stale| stale.from),
        Stale::of(claims, facts).and_then(|stale| stale.locks_at),
    ];
    instants
        .into_iter()
        .flatten()
        .filter(|&at| at > facts.now)
        .min()
}

/// Whether the verdict depends on the date at all.
/// Whether what comes out may ever change by itself.
pub(crate) fn dated(claims: &Claims, facts: &Facts) -> bool {
    let by_license = claims.expires_at.is_some() || claims.not_before.is_some();
    let by_lists = Stale::of(claims, facts).is_some() || facts.standing.replace_by.is_some();
    by_license || by_lists || lease(facts).is_some()
}

fn lease(facts: &Facts) -> Option<Timestamp> {
    facts.device?.activation?.expires_at
}

fn clock(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let ClockState::Suspect { ran_ms } = facts.clock else {
        return None;
    };
    let tolerated = claims.suspect_secs.map_or(DEFAULT_SUSPECT_SECS, i64::from);
    (dated(claims, facts) && ran_ms > tolerated.saturating_mul(1000)).then(|| {
        Verdict::refused(
            Status::ClockRefused,
            "The clock of this device is set back; correct it or go online once.",
        )
    })
}

fn start(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let start = claims.not_before.filter(|&start| facts.now < start)?;
    let sentence = format!("This license begins on {}.", day(start));
    Some(Verdict::refused(Status::NotYetValid, sentence))
}

fn grace_end(claims: &Claims, end: Timestamp) -> Timestamp {
    end.plus_ms(i64::from(claims.grace_secs) * 1000)
}

fn end(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let end = claims
        .expires_at
        .filter(|&end| facts.now >= grace_end(claims, end))?;
    let over = |rest: &str| format!("This license ended on {}; {rest}", day(end));
    let kept = facts.released_at.is_some_and(|released| released <= end);
    match claims.on_expiry {
        OnExpiry::Maintain if kept => None,
        OnExpiry::Maintain => Some(Verdict::refused(
            Status::Expired,
            over("versions released before that day keep working."),
        )),
        OnExpiry::Restrict => Some(Verdict::refused(
            Status::Expired,
            over("renew it to go on."),
        )),
        // Allowed with a warning only when no check further down refuses.
        OnExpiry::Allow => Some(
            version(claims, facts)
                .or_else(|| device(claims, facts))
                .or_else(|| locked(claims, facts))
                .unwrap_or_else(|| Verdict::allowed(Status::Expired, over("please renew it."))),
        ),
    }
}

fn version(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let outside = facts
        .version
        .filter(|&version| !claims.versions.contains(version));
    if let Some(version) = outside {
        let sentence = format!("This license doesn't cover version {version}.");
        return Some(Verdict::refused(Status::WrongVersion, sentence));
    }
    let until = claims.updates_until?;
    if facts.released_at.is_some_and(|released| released <= until) {
        return None;
    }
    let sentence = format!(
        "This license covers versions released until {}.",
        day(until)
    );
    Some(Verdict::refused(Status::WrongVersion, sentence))
}

fn device(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let needs_activation = claims.binding != Binding::None;
    if claims.device.is_none() && !needs_activation {
        return None;
    }
    let wrong = || {
        Verdict::refused(
            Status::WrongDevice,
            "This license is for another device; move its seat here first.",
        )
    };
    let Some(device) = facts.device else {
        return Some(not_activated());
    };
    if claims.device.is_some_and(|key| key != device.key) {
        return Some(wrong());
    }
    if !needs_activation {
        return None;
    }
    let Some(activation) = device.activation else {
        return Some(not_activated());
    };
    let ours = activation.license == claims.id && activation.device == device.key;
    if !ours || !activation.host_matches {
        return Some(wrong());
    }
    let ended = activation.expires_at.filter(|&end| facts.now >= end)?;
    let sentence = format!(
        "This device's activation ended on {}; renew it.",
        day(ended)
    );
    Some(Verdict::refused(Status::LeaseOver, sentence))
}

fn not_activated() -> Verdict {
    Verdict::refused(
        Status::DeviceNotActivated,
        "This device is not activated yet; activate it online or with a file.",
    )
}

fn grace(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let end = claims.expires_at.filter(|&end| facts.now >= end)?;
    let last = grace_end(claims, end);
    (facts.now < last).then(|| {
        let (end, stop) = (day(end), day(last));
        let sentence = format!("This license ended on {end} and still works until {stop}.");
        Verdict::allowed(Status::InGrace, sentence)
    })
}

fn suspect(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    (facts.clock != ClockState::Sound && dated(claims, facts)).then(|| {
        Verdict::allowed(
            Status::ClockSuspect,
            "The clock of this device looks wrong; correct it soon.",
        )
    })
}

fn warn_from(claims: &Claims, end: Timestamp) -> Timestamp {
    let warn = claims.warn_secs.map_or(DEFAULT_WARN_SECS, i64::from);
    end.plus_ms(-warn.saturating_mul(1000))
}

fn holds(claims: &Claims, facts: &Facts) -> Verdict {
    let Some(end) = claims.expires_at.filter(|&end| facts.now < end) else {
        return Verdict::allowed(Status::Valid, "This license is valid.");
    };
    if facts.now < warn_from(claims, end) {
        let sentence = format!("This license is valid until {}.", day(end));
        return Verdict::allowed(Status::Valid, sentence);
    }
    let sentence = format!("This license ends on {}; renew it soon.", day(end));
    Verdict::allowed(Status::ExpiringSoon, sentence)
}

#[cfg(test)]
mod tests;
