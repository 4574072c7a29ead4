//! A refund that a buyer wishes for, and who may do what with it when. Pure.

use crate::caller::Denied;
use crate::domains::orders::OrderError;
use crate::domains::refunds::{Reason, RefundError};
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderId, OrderLineId, RefundId, RefundWishId};
use mintreu::{Money, Timestamp};

/// Most characters of what a buyer or whoever answers writes.
pub const MAX_WORDS: usize = 1000;
/// Most wishes of a line, so that nobody is worn down.
pub const MAX_WISHES: usize = 3;
const HOUR_MS: i64 = 60 * 60 * 1000;
/// How long a seller has before the platform is asked.
pub const ANSWER_MS: i64 = 72 * HOUR_MS;
/// How long after a seller's no a buyer may ask the platform.
pub const APPEAL_MS: i64 = 14 * 24 * HOUR_MS;

/// Where a wish stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WishState {
    /// Its seller is asked.
    Open,
    /// The platform is asked.
    Escalated,
    /// It is refunded, or was otherwise.
    Granted,
    /// It was granted, and the money came back: the buyer hasn't got it.
    Failed,
    /// It isn't.
    Declined,
    /// The buyer wishes no more.
    TakenBack,
}

impl WishState {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Open,
        Self::Escalated,
        Self::Granted,
        Self::Failed,
        Self::Declined,
        Self::TakenBack,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Escalated => "escalated",
            Self::Granted => "granted",
            Self::Failed => "failed",
            Self::Declined => "declined",
            Self::TakenBack => "taken_back",
        }
    }

    /// Reads what [`WishState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether somebody is asked to decide.
    pub const fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Escalated)
    }

    /// Whether somebody is to do something about it: to decide, or to send the money again.
    pub const fn is_due(self) -> bool {
        matches!(self, Self::Open | Self::Escalated | Self::Failed)
    }
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The seller of the line.
    Seller,
    /// The platform.
    Platform,
    /// Nobody: the money went back by another way.
    Elsewhere,
}

impl Answerer {
    /// Everybody.
    pub const ALL: [Self; 3] = [Self::Seller, Self::Platform, Self::Elsewhere];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Platform => "platform",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Reads what [`Answerer::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }
}

/// A buyer's wish for money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The wish.
    pub id: RefundWishId,
    /// Of which order.
    pub order: OrderId,
    /// Of which line.
    pub line: OrderLineId,
    /// Who sold that.
    pub seller: AccountId,
    /// What that was called.
    pub title: String,
    /// Where it stands.
    pub state: WishState,
    /// Why.
    pub reason: Reason,
    /// In the buyer's words; may be empty.
    pub words: String,
    /// How much.
    pub amount: Money,
    /// Whether the platform was asked; it is once.
    pub appealed: bool,
    /// In the words of who answered; may be empty.
    pub answer: String,
    /// Who that was.
    pub answered_by: Option<Answerer>,
    /// The refund that answers it; none when a bank took the money.
    pub refund: Option<RefundId>,
    /// How much was granted, which may be less than [`Wish::amount`].
    pub granted: Option<Money>,
    /// When it was wished.
    pub opened_at: Timestamp,
    /// When it was answered or taken back.
    pub answered_at: Option<Timestamp>,
    /// When the money that was granted last came back.
    pub failed_at: Option<Timestamp>,
}

impl Wish {
    /// Until when its seller may answer.
    pub fn due_at(&self) -> Timestamp {
        self.opened_at.plus_ms(ANSWER_MS)
    }

    /// Who is to do something about it: to decide, or to send the money again.
    pub fn asked(&self) -> Option<Answerer> {
        self.state.is_due().then_some(match self.appealed {
            true => Answerer::Platform,
            false => Answerer::Seller,
        })
    }

    /// What is granted, when that is less than was wished for.
    pub fn part(&self) -> Option<Money> {
        let granted = self.granted.filter(|_| self.state == WishState::Granted);
        granted.filter(|granted| granted.minor() < self.amount.minor())
    }

    /// Until when the buyer may ask the platform: after a seller's no, or after money that a seller
    /// granted came back.
    pub fn appeal_until(&self) -> Option<Timestamp> {
        let since = match self.state {
            WishState::Declined => self.answered_at,
            WishState::Failed => self.failed_at,
            _ => None,
        };
        let since = since.filter(|_| !self.appealed)?;
        Some(since.plus_ms(APPEAL_MS))
    }
}

/// Why nothing came of a wish, or of an answer.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// No such wish, or not the caller's.
    #[error("no such wish")]
    NotFound,
    /// Somebody is asked about the line already.
    #[error("there is a wish for this line that waits")]
    Waiting,
    /// The line was wished for often enough.
    #[error("a line can be wished for {MAX_WISHES} times")]
    Often,
    /// It stands elsewhere.
    #[error("the wish is {}", .0.code())]
    Moved(WishState),
    /// What was granted isn't declined afterwards.
    #[error("it was granted; what came back can be sent again")]
    Granted,
    /// The buyer may not, or no longer, ask the platform.
    #[error(
        "the platform is asked once, within 14 days of a seller's no or of money that came back"
    )]
    Appeal,
    /// Nothing, or more than is left.
    #[error("up to {left} can be wished for")]
    OutOfRange {
        /// What is left.
        left: Money,
    },
    /// No reason of the list.
    #[error("no reason that buyers give")]
    Reason,
    /// Too long, or missing where it is needed.
    #[error("at most {MAX_WORDS} characters; a no needs some")]
    Words,
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Refunds.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// An id that can't be read.
    #[error(transparent)]
    Id(#[from] mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<WishError> for JobError {
    fn from(error: WishError) -> Self {
        match error {
            WishError::Store(error) => Self::retry(error),
            WishError::Refund(error) => error.into(),
            other => Self::fail(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for state in WishState::ALL {
            assert_eq!(WishState::parse(state.code()), Some(state));
        }
        for one in Answerer::ALL {
            assert_eq!(Answerer::parse(one.code()), Some(one));
        }
    }
}
