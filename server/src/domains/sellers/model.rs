//! What a change of standing is, and which are allowed. Pure.

use crate::caller::Denied;
pub use crate::domains::catalog::Standing;
use crate::domains::payouts::CLOSING_DAYS;
use crate::domains::subscriptions::SubscriptionError;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::AccountId;

/// The fact that a seller was suspended.
pub const SUSPENDED_FACT: &str = "seller.suspended";
/// The fact that a seller sells again.
pub const RESUMED_FACT: &str = "seller.resumed";
/// The fact that a seller's account was closed.
pub const CLOSED_FACT: &str = "seller.closed";

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Characters of a reason at most.
const MAX_REASON: usize = 500;

/// What the house records of a standing that begins.
pub const fn fact(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => RESUMED_FACT,
        Standing::Suspended => SUSPENDED_FACT,
        Standing::Closed => CLOSED_FACT,
    }
}

/// One change of a seller's standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// 1 for the seller's first.
    pub number: i64,
    /// What they became.
    pub standing: Standing,
    /// Why, for the seller to read; possibly nothing when they closed their account themselves.
    pub reason: String,
    /// Who changed it.
    pub by: Option<AccountId>,
    /// When.
    pub at: Timestamp,
}

/// Whether a seller who stands so, since then, can become `next`; nothing when they are that.
pub fn may_become(
    (standing, since): (Standing, Option<Timestamp>),
    next: Standing,
    now: Timestamp,
) -> Result<bool, SellerError> {
    let last = since.map(|since| since.plus_ms(CLOSING_DAYS * DAY_MS));
    match (standing, next) {
        (Standing::Closed, Standing::Active) if last.is_none_or(|last| last <= now) => {
            Err(SellerError::TooLate)
        }
        (Standing::Closed, Standing::Suspended) => Err(SellerError::Closed),
        (before, next) => Ok(before != next),
    }
}

/// Reads a reason: one line of 1 to 500 characters.
pub fn parse_reason(text: &str) -> Result<String, SellerError> {
    let text = text.trim();
    let count = text.chars().count();
    let good = (1..=MAX_REASON).contains(&count) && !text.chars().any(char::is_control);
    good.then(|| text.to_owned()).ok_or(SellerError::Reason)
}

/// What is refused.
#[derive(Debug, thiserror::Error)]
pub enum SellerError {
    /// No such seller.
    #[error("there is no such seller")]
    NotFound,
    /// The reason is missing or too long.
    #[error("write a reason of 1 to 500 characters, on one line: the seller reads it")]
    Reason,
    /// The name that confirms it isn't the shop's.
    #[error("to confirm, write {0}")]
    NotConfirmed(String),
    /// A suspended seller can't close their account: the platform decides.
    #[error("your account is suspended; the platform decides what becomes of it")]
    Suspended,
    /// The account is closed.
    #[error("the account is closed")]
    Closed,
    /// Its last money is sent by now.
    #[error("the account was closed more than {CLOSING_DAYS} days ago; it stays closed")]
    TooLate,
    /// A job's payload that can't be read.
    #[error("a job carries {0}")]
    Payload(String),
    /// What became of a subscription.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SellerError> for JobError {
    fn from(error: SellerError) -> Self {
        match error {
            SellerError::Payload(_) | SellerError::Denied(_) => Self::fail(error),
            other => Self::retry(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_follow_what() {
        use Standing::{Active, Closed, Suspended};
        let (since, day) = (Timestamp::from_ms(0), DAY_MS);
        let asked = |before, next, days: i64| {
            let now = Timestamp::from_ms(days * day);
            may_become((before, Some(since)), next, now).map_err(|error| error.to_string())
        };
        for (before, next, becomes) in [
            (Active, Active, false),
            (Active, Suspended, true),
            (Active, Closed, true),
            (Suspended, Suspended, false),
            (Suspended, Active, true),
            (Suspended, Closed, true),
            (Closed, Closed, false),
            (Closed, Active, true),
        ] {
            assert_eq!(
                asked(before, next, 1),
                Ok(becomes),
                "{before:?} to {next:?}"
            );
        }
        assert!(asked(Closed, Suspended, 1).is_err());
        assert_eq!(asked(Closed, Active, CLOSING_DAYS - 1), Ok(true));
        assert!(asked(Closed, Active, CLOSING_DAYS).is_err());
    }

    #[test]
    fn a_reason_is_a_line() {
        assert!(parse_reason("  ").is_err());
        assert!(parse_reason("a\nb").is_err());
        assert!(parse_reason(&"a".repeat(501)).is_err());
        assert_eq!(parse_reason(" why ").ok().as_deref(), Some("why"));
    }
}
