//! Sending money to sellers, and what a provider tells about it.

use mintreu::id::{PayoutId, TenantId};
use mintreu::{Money, Timestamp};

/// What is to be sent, and where.
#[derive(Debug, Clone)]
pub struct PayoutOrder {
    /// Whose shop.
    pub tenant: TenantId,
    /// The payout: also the idempotency key.
    pub payout: PayoutId,
    /// How much, above zero.
    pub amount: Money,
    /// The provider's own name of the account that gets it.
    pub destination: String,
}

/// What a provider says of a payout, in our words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutEventKind {
    /// It arrived.
    Paid,
    /// It could not be sent; the money never left, or came back before it arrived.
    Failed,
    /// It arrived, and the bank sent it back.
    Returned,
    /// It arrived, and the provider took it back.
    Reversed,
    /// Something we don't act on; kept, because it came.
    Other,
}

impl PayoutEventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Paid,
        Self::Failed,
        Self::Returned,
        Self::Reversed,
        Self::Other,
    ];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Returned => "returned",
            Self::Reversed => "reversed",
            Self::Other => "other",
        }
    }

    /// Reads what [`PayoutEventKind::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A webhook about a payout whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutEvent {
    /// The provider's name of the event.
    pub id: String,
    /// What it means.
    pub kind: PayoutEventKind,
    /// Which payout it speaks of.
    pub payout: PayoutId,
    /// How much it speaks of.
    pub amount: Money,
    /// Why it did not arrive.
    pub failure_code: Option<String>,
    /// When it happened there.
    pub occurred_at: Timestamp,
}
