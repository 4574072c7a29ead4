//! Judging: one pure function from a verified license and the facts to a verdict.
//!
//! The checks run in the order of [`Status`]; the first that applies wins:
//!
//! | # | status | applies when | allowed |
//! |---|---|---|---|
//! | 1 | `clock_refused` | dates matter and the clock was suspect for longer than tolerated | no |
//! | 2 | `not_yet_valid` | now is before the start | no |
//! | 3 | `expired` | the end and its grace are over | by strategy |
//! | 4 | `wrong_version` | the version isn't in range, or was released too late | no |
//! | 5 | `wrong_device` | bound to another key, or the activation is for another license, device or host | no |
//! | 6 | `device_not_activated` | a device or activation is needed and there is none | no |
//! | 7 | `lease_over` | the activation has ended | no |
//! | 8 | `in_grace` | the end is over, its grace isn't | yes |
//! | 9 | `clock_suspect` | dates matter and the clock is suspect | yes |
//! | 10 | `expiring_soon` | the end is near | yes |
//! | 11 | `valid` | nothing above | yes |

use super::{Binding, Claims, OnExpiry, Status, Verdict, VerifiedLicense, Version};
use crate::document::PublicKey;
use crate::id::LicenseId;
use crate::time::Timestamp;

const DAY_SECS: i64 = 86_400;
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
    let claims = license.claims();
    let stages = [clock, start, end, version, device, grace, suspect];
    stages
        .iter()
        .find_map(|stage| stage(claims, facts))
        .unwrap_or_else(|| holds(claims, facts))
}

/// Whether the verdict depends on the date at all.
fn dated(claims: &Claims, facts: &Facts) -> bool {
    let lease = facts
        .device
        .and_then(|device| device.activation)
        .and_then(|a| a.expires_at);
    claims.expires_at.is_some() || claims.not_before.is_some() || lease.is_some()
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
    Some(Verdict::refused(Status::NotYetValid, sentence).until(Some(start)))
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
        Verdict::allowed(Status::InGrace, sentence).until(Some(last))
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

fn holds(claims: &Claims, facts: &Facts) -> Verdict {
    let lease = facts
        .device
        .and_then(|device| device.activation)
        .and_then(|a| a.expires_at);
    let Some(end) = claims.expires_at.filter(|&end| facts.now < end) else {
        return Verdict::allowed(Status::Valid, "This license is valid.").until(lease);
    };
    let warn = claims.warn_secs.map_or(DEFAULT_WARN_SECS, i64::from);
    let soon = end.plus_ms(-warn.saturating_mul(1000));
    let first = |at: Timestamp| Some(lease.map_or(at, |lease| lease.min(at)));
    if facts.now < soon {
        let sentence = format!("This license is valid until {}.", day(end));
        return Verdict::allowed(Status::Valid, sentence).until(first(soon));
    }
    let sentence = format!("This license ends on {}; renew it soon.", day(end));
    Verdict::allowed(Status::ExpiringSoon, sentence).until(first(end))
}

/// The day of an instant in UTC, `2027-01-31`.
fn day(at: Timestamp) -> String {
    // Counting years from 1 March puts the leap day last (proleptic Gregorian calendar).
    let days = at.secs().div_euclid(DAY_SECS) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let year = era * 400 + year + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod tests;
