//! What came after a license was issued: revoked keys, withdrawn licenses, lists that are too old.

use super::{Facts, day};
use crate::license::{Claims, StaleAction, Status, Verdict};
use crate::time::Timestamp;

/// What a key set and revocation lists say about one license: [`Ring::standing`].
///
/// [`Ring::standing`]: crate::license::Ring::standing
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Whether a list says that it is withdrawn.
    pub revoked: bool,
    /// From when a key that vouches for it is revoked.
    pub replace_by: Option<Timestamp>,
    /// When the newest list that tells about it was issued.
    pub listed_at: Option<Timestamp>,
    /// When its product's licenses were set free.
    pub sunset: Option<Timestamp>,
}

impl Standing {
    /// The same, where a key of the activation may be revoked too.
    #[must_use]
    pub fn with_revoked_from(self, from: Option<Timestamp>) -> Self {
        let replace_by = self.replace_by.into_iter().chain(from).min();
        Self { replace_by, ..self }
    }
}

pub(super) fn key_revoked(_: &Claims, facts: &Facts) -> Option<Verdict> {
    let from = facts
        .standing
        .replace_by
        .filter(|&from| facts.now >= from)?;
    let sentence = format!(
        "A key that signed this license was revoked on {}; ask the seller for its replacement.",
        day(from)
    );
    Some(Verdict::refused(Status::KeyRevoked, sentence))
}

pub(super) fn revoked(_: &Claims, facts: &Facts) -> Option<Verdict> {
    facts.standing.revoked.then(|| {
        Verdict::refused(
            Status::Revoked,
            "This license was withdrawn; ask the seller why.",
        )
    })
}

pub(super) fn replace_by(_: &Claims, facts: &Facts) -> Option<Verdict> {
    let from = facts.standing.replace_by?;
    let sentence = format!(
        "A key that signed this license ends on {}; install its replacement before.",
        day(from)
    );
    Some(Verdict::allowed(Status::ReplaceBy, sentence))
}

/// When the newest word on whether a license is withdrawn is too old, for licenses that mind.
pub(super) struct Stale {
    pub from: Timestamp,
    pub locks_at: Option<Timestamp>,
}

impl Stale {
    /// A license vouches for itself at its issue, a list for it at the list's.
    pub fn of(claims: &Claims, facts: &Facts) -> Option<Self> {
        let rule = claims.status.and(claims.freshness)?;
        let word = claims
            .issued_at
            .max(facts.standing.listed_at.unwrap_or_default());
        let from = word.plus_ms(i64::from(rule.max_age_secs) * 1000);
        let locks_at = from.plus_ms(i64::from(rule.grace_secs) * 1000);
        match rule.action {
            StaleAction::Ignore => None,
            StaleAction::Warn => Some(Self {
                from,
                locks_at: None,
            }),
            StaleAction::Lock => Some(Self {
                from,
                locks_at: Some(locks_at),
            }),
        }
    }
}

pub(super) fn locked(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let stale = Stale::of(claims, facts)?;
    stale.locks_at.filter(|&at| facts.now >= at)?;
    Some(Verdict::refused(
        Status::RevocationsStale,
        "This device has not heard from the seller for too long; go online or load their newest list.",
    ))
}

pub(super) fn stale(claims: &Claims, facts: &Facts) -> Option<Verdict> {
    let stale = Stale::of(claims, facts).filter(|stale| facts.now >= stale.from)?;
    let sentence = match stale.locks_at {
        Some(at) => format!(
            "This device needs word from the seller by {}; go online or load their newest list.",
            day(at)
        ),
        None => {
            "This device has not heard from the seller for long; go online or load their newest list."
                .to_owned()
        }
    };
    Some(Verdict::allowed(Status::RevocationsStale, sentence))
}
