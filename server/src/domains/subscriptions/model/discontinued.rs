//! What a seller gives up.

use mintreu::Timestamp;
use mintreu::id::{AccountId, ProductId, SubscriptionId};

/// Why subscriptions end whose product was given up, as stored and shown.
pub const DISCONTINUED: &str = "discontinued";

/// What its seller decided of an archived product's subscriptions: they end with what is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discontinuation {
    /// The product.
    pub product: ProductId,
    /// Whose it is.
    pub seller: AccountId,
    /// When their end was wished; those that began later aren't meant.
    pub wished_at: Timestamp,
    /// When that was called off.
    pub called_off_at: Option<Timestamp>,
    /// Rises with each decision: a job of an earlier one does nothing.
    pub round: i64,
    /// The last subscription that this round has come to.
    pub cursor: Option<SubscriptionId>,
    /// How many buyers this round has told.
    pub told: i64,
    /// When it had come to all.
    pub done_at: Option<Timestamp>,
}

impl Discontinuation {
    /// The first of a product, or the next after another decision.
    pub fn new(before: Option<&Self>, of: (ProductId, AccountId), now: Timestamp) -> Self {
        Self {
            product: of.0,
            seller: of.1,
            wished_at: now,
            called_off_at: None,
            round: before.map_or(0, |before| before.round) + 1,
            cursor: None,
            told: 0,
            done_at: None,
        }
    }

    /// Called off: who has one that was to end is told that it can be kept.
    #[must_use]
    pub fn called_off(self, now: Timestamp) -> Self {
        Self {
            called_off_at: Some(now),
            round: self.round + 1,
            cursor: None,
            told: 0,
            done_at: None,
            ..self
        }
    }

    /// Whether it wasn't called off.
    pub const fn stands(&self) -> bool {
        self.called_off_at.is_none()
    }
}

/// How many subscriptions of a product live, by how they would end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Living {
    /// Paid for: they end with their period.
    pub paid: i64,
    /// On trial: they end with it.
    pub trials: i64,
    /// Past due, paused, or without a payment method: they end at once.
    pub at_once: i64,
    /// When the last of the paid ones and trials ends.
    pub last: Option<Timestamp>,
}

impl Living {
    /// All of them.
    pub const fn all(&self) -> i64 {
        self.paid + self.trials + self.at_once
    }
}
