//! Keys, tokens, questions and answers. Pure.

use crate::caller::Denied;
use crate::domains::catalog::model::{Entitlement, EntitlementValue};
use crate::domains::metering::MeteringError;
use crate::domains::quotas::{Position, QuotaError};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::gateway::Token;
use mintreu::id::{ApiKeyId, LicenseId, ReservationId};
use mintreu::meter::{LimitState, RateLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most keys that a license ever has, deleted ones included: each may be a subject of its own.
pub const MAX_KEYS: i64 = 1000;
/// Most tokens of one seller that are in force.
/// Most reservations of one license and meter that are open at once.
pub const MAX_OPEN: i64 = 1000;
/// Most units that one question asks for.
pub const MAX_UNITS: i64 = 1_000_000_000_000;
/// The longest that a replaced secret still holds: 30 days.
pub const MAX_OVERLAP_SECS: i64 = 30 * 86_400;
/// The longest that units are reserved: a day.
pub const MAX_RESERVE_SECS: i64 = 86_400;
/// The longest that a node spends a slice without a word: a day.
pub const MAX_LEASE_SECS: i64 = 86_400;
/// Most slices of one license and meter that are out at once.
pub const MAX_SLICES: i64 = 1000;
/// Fewest characters of a node's name: too many to be given twice by chance.
pub const MIN_NODE: i64 = 16;
/// Most characters of a node's name.
pub const MAX_NODE: i64 = 64;
/// How long a slice that is over is remembered, for reports that are late or repeated: seven days.
pub const SLICES_KEPT_MS: i64 = 7 * 86_400_000;
/// Most characters of a name.
pub const MAX_NAME: usize = 80;
/// Most entitlements that one question asks for.
pub const MAX_WANTED: usize = 32;

/// A customer's key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The key: what counters name.
    pub id: ApiKeyId,
    /// Of which license.
    pub license: LicenseId,
    /// What its owner calls it.
    pub name: String,
    /// How its newest secret begins.
    pub shown: String,
    /// What its owner allows it at most.
    pub rate: Option<RateLimit>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when a secret before the newest still holds.
    pub overlaps_until: Option<Timestamp>,
    /// Since when it is switched off.
    pub disabled_at: Option<Timestamp>,
}

/// A key and its secret, which is shown this once.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// The key.
    pub key: ApiKey,
    /// Its newest secret.
    pub secret: Token,
}

/// What to do with the units that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Count them, if they are there.
    Count,
    /// Only say whether they are there.
    Look,
    /// Hold them for so many seconds.
    Reserve(i64),
}

/// What a license sets for a meter, and how far its window is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Units of a window, those that were carried over into it included.
    pub limit: i64,
    /// Units that are left of them.
    pub remaining: i64,
    /// Units used and held beyond them.
    #[serde(default)]
    pub overage: i64,
    /// When the window ends, in milliseconds since 1970; `None` for a license's whole life.
    pub resets_at: Option<i64>,
}

impl Allowance {
    /// Of a quota as it stands.
    pub fn of(at: &Position) -> Self {
        Self {
            limit: at.limit(),
            remaining: at.remaining(),
            overage: at.overage(),
            resets_at: at.resets_at.map(Timestamp::ms),
        }
    }

    /// As header fields tell it.
    pub fn state(&self, meter: &str, now: Timestamp) -> LimitState {
        let units = |value| u64::try_from(value).unwrap_or(0);
        let resets = self.resets_at.map(Timestamp::from_ms);
        LimitState::of_quota(
            meter,
            units(self.limit),
            units(self.remaining),
            (resets, now),
        )
    }
}

/// The answer to a question that was allowed. It is kept for asking again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Of which license the key is.
    pub license: String,
    /// The key's id: the subject that usage names.
    pub api_key: String,
    /// The meter.
    pub meter: String,
    /// Units counted or held.
    pub units: i64,
    /// Where the quota stands; `None` where the license sets none.
    pub allowance: Option<Allowance>,
    /// The alert that these units reached, if nobody was told of it before in its window.
    #[serde(default)]
    pub crossed: Option<u8>,
    /// Units that are held, and until when.
    pub reservation: Option<(String, i64)>,
    /// What the license says of the entitlements asked for.
    pub entitlements: BTreeMap<String, EntitlementValue>,
}

/// Why units were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Of which license the key is.
    pub license: LicenseId,
    /// The key.
    pub api_key: ApiKeyId,
    /// The meter.
    pub meter: String,
    /// Where the quota stands.
    pub allowance: Allowance,
}

/// Those of a license's entitlements that are asked for; all of them for `*`.
pub fn wanted(granted: &[Entitlement], names: &[String]) -> BTreeMap<String, EntitlementValue> {
    let asked = |one: &&Entitlement| names.iter().any(|name| name == "*" || *name == one.name);
    let pair = |one: &Entitlement| (one.name.clone(), one.value.clone());
    granted.iter().filter(asked).map(pair).collect()
}

/// A name as it is kept: trimmed, not empty, not long, without control characters.
pub fn name(text: &str) -> Result<String, AccessError> {
    let text = text.trim();
    let fits = (1..=MAX_NAME).contains(&text.chars().count());
    if !fits || text.chars().any(char::is_control) {
        return Err(AccessError::NameMalformed);
    }
    Ok(text.to_owned())
}

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No such license, key, token or reservation, or not this caller's.
    #[error("there is no such thing")]
    NotFound,
    /// A name is missing or too long.
    #[error("a name has 1 to {MAX_NAME} characters")]
    NameMalformed,
    /// A rate can't be read.
    #[error("{}", .0.detail())]
    RateMalformed(mintreu::Error),
    /// A number is out of its bounds.
    #[error("{field} is from {least} to {most}")]
    OutOfRange {
        /// Which input.
        field: &'static str,
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// As many keys as a license may ever have.
    #[error("a license has at most {MAX_KEYS} keys in its life; rotate one instead")]
    TooManyKeys,
    /// The text can't be a key as it was given; nothing was looked up.
    #[error("{}", .0.detail())]
    KeyMistyped(mintreu::Error),
    /// Nobody's key, or not for this seller's products.
    #[error("this key is unknown; its owner may have deleted or replaced it")]
    KeyUnknown,
    /// Switched off by its owner.
    #[error("this key was switched off by its owner")]
    KeyDisabled,
    /// No token, or one that is not in force.
    #[error("show a seller token in force: Authorization: Bearer mtsk_…")]
    TokenWrong,
    /// The license was withdrawn.
    #[error("the license of this key was revoked")]
    Revoked,
    /// The license's time is over.
    #[error("the license of this key has expired")]
    Expired,
    /// The product has no such meter.
    #[error("the product has no meter {0:?}")]
    MeterUnknown(String),
    /// The window holds fewer units than were asked for.
    #[error("the quota has fewer units left than were asked for")]
    Refused(Box<Refused>),
    /// More than the rate allows.
    #[error("too many requests; try again in {seconds} s")]
    TooFast {
        /// When to ask again.
        seconds: u64,
        /// Where the rates stand.
        states: Vec<LimitState>,
    },
    /// As many reservations as may be open.
    #[error("a license has at most {MAX_OPEN} open reservations of a meter; settle some first")]
    TooManyOpen,
    /// The reservation's time is over.
    #[error("the reservation ended before it was settled; its units went back")]
    ReservationOver(ReservationId),
    /// The reservation was settled before, otherwise.
    #[error("the reservation was settled before, with {0} units")]
    SettledOtherwise(i64),
    /// As many slices as may be out.
    #[error("a license has at most {MAX_SLICES} slices of a meter out at once; check one by one")]
    TooManySlices,
    /// No slice of this seller's, or of another key or meter, or one that was never given.
    #[error("this node holds no such slice of this key; begin anew with another name")]
    SliceUnknown,
    /// Counting.
    #[error(transparent)]
    Metering(#[from] MeteringError),
    /// The quota.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("  CI server ").expect("a name"), "CI server");
        for wrong in ["", "  ", "a\nb", &"x".repeat(81)] {
            assert!(
                matches!(name(wrong), Err(AccessError::NameMalformed)),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn only_what_is_asked_for_is_told() {
        let one = |name: &str, value| Entitlement {
            name: name.to_owned(),
            value,
        };
        let granted = [
            one("pro", EntitlementValue::Flag(true)),
            one("gpus", EntitlementValue::Limit(4)),
        ];
        assert_eq!(
            wanted(&granted, &["gpus".to_owned(), "x".to_owned()]).len(),
            1
        );
        assert_eq!(wanted(&granted, &["*".to_owned()]).len(), 2);
        assert!(wanted(&granted, &[]).is_empty());
    }
}
