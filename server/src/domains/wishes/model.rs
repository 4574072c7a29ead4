//! Who may withdraw from what, until when. Pure.

use crate::caller::Denied;
use crate::domains::orders::{Line, OrderError, OrderState, is_at_once};
use crate::domains::refunds::{RefundError, RefundState};
use crate::domains::subscriptions::SubscriptionError;
use crate::store::StoreError;
use mintreu::id::{OrderId, OrderLineId, RefundId};
use mintreu::{Money, Timestamp};

/// Days in which a buyer may withdraw (Art. 9 of directive 2011/83/EU).
pub const WITHDRAWAL_DAYS: i64 = 14;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The first moment after the days in which a contract of `paid` may be withdrawn from. The day of
/// the contract doesn't count, and the last one counts to its end (Art. 3 of regulation 1182/71);
/// days are those of UTC.
pub fn ends_at(paid: Timestamp) -> Timestamp {
    let day = paid.ms().div_euclid(DAY_MS);
    let ends = day.saturating_add(WITHDRAWAL_DAYS + 1);
    Timestamp::from_ms(ends.saturating_mul(DAY_MS))
}

/// Whether a line can be withdrawn from, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Open,
    /// It was.
    Withdrawn,
    /// The order isn't paid.
    Unpaid,
    /// Nothing was paid for it, or all of it went back.
    NothingLeft,
    /// A bank asks about the payment.
    Disputed,
    /// It goes on with a subscription that was there before.
    Renewal,
    /// The days are over.
    Late,
    /// The buyer wanted it at once, and knew what that means.
    Waived,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Withdrawn,
        Self::Unpaid,
        Self::NothingLeft,
        Self::Disputed,
        Self::Renewal,
        Self::Late,
        Self::Waived,
    ];

    /// As shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Withdrawn => "withdrawn",
            Self::Unpaid => "unpaid",
            Self::NothingLeft => "nothing_left",
            Self::Disputed => "disputed",
            Self::Renewal => "renewal",
            Self::Late => "late",
            Self::Waived => "waived",
        }
    }
}

/// What is known of an order when its lines are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Where the order stands.
    pub state: OrderState,
    /// Whether a bank asks about its payment.
    pub disputed: bool,
    /// Whether it is a bill of a subscription that was there before.
    pub renewal: bool,
    /// Whether the buyer gave up withdrawing from what is supplied at once.
    pub waived: bool,
    /// Until when; `None` when it was never paid.
    pub until: Option<Timestamp>,
    /// When it is judged.
    pub now: Timestamp,
}

impl Facts {
    /// Where a line stands, of which so much is left, and which was `withdrawn` from or wasn't.
    pub fn judge(&self, line: &Line, (left, withdrawn): (Money, bool)) -> Standing {
        let at_once = is_at_once(line.model, line.kind);
        match self.until {
            _ if withdrawn => Standing::Withdrawn,
            None => Standing::Unpaid,
            // A bank that has the money left nothing either, but may give it back.
            Some(_) if self.disputed => Standing::Disputed,
            Some(_) if left.minor() == 0 => Standing::NothingLeft,
            Some(_) if !is_paid(self.state) => Standing::Unpaid,
            Some(_) if self.renewal => Standing::Renewal,
            Some(_) if self.waived && at_once => Standing::Waived,
            Some(until) if self.now >= until => Standing::Late,
            Some(_) => Standing::Open,
        }
    }
}

fn is_paid(state: OrderState) -> bool {
    matches!(state, OrderState::Paid | OrderState::PartiallyRefunded)
}

/// A line that its buyer withdrew from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The line.
    pub line: OrderLineId,
    /// Its order.
    pub order: OrderId,
    /// What answers it.
    pub refund: RefundId,
    /// What of the refund is this line's.
    pub amount: Money,
    /// When.
    pub declared_at: Timestamp,
}

/// A line as who may withdraw from it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfLine {
    /// The line.
    pub line: OrderLineId,
    /// What it was called.
    pub title: String,
    /// What would go back.
    pub left: Money,
    /// Whether it can be withdrawn from.
    pub standing: Standing,
    /// What was declared, with where its refund stands.
    pub withdrawal: Option<(Withdrawal, RefundState)>,
}

/// What can be withdrawn from, and what was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawalView {
    /// Of which order.
    pub order: OrderId,
    /// The first moment at which it is too late; `None` when it was never paid.
    pub until: Option<Timestamp>,
    /// In the order of the order.
    pub lines: Vec<OfLine>,
}

impl WithdrawalView {
    /// Whether anything can be withdrawn from.
    pub fn is_open(&self) -> bool {
        let mut lines = self.lines.iter();
        lines.any(|line| line.standing == Standing::Open)
    }
}

/// Why nobody withdrew.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawalError {
    /// No such order, not the caller's, or no such line in it.
    #[error("no such order")]
    NotFound,
    /// The order isn't paid.
    #[error("the order isn't paid")]
    Unpaid,
    /// Nothing was paid, or all of it went back.
    #[error("nothing was paid for this, or all of it went back")]
    NothingLeft,
    /// A bank asks.
    #[error("the payment is disputed; what the bank decides, happens")]
    Disputed,
    /// It was bought before.
    #[error("this goes on with a subscription that was there before; end that instead")]
    Renewal,
    /// Too late.
    #[error("{WITHDRAWAL_DAYS} days to withdraw are over")]
    Late,
    /// The buyer gave it up.
    #[error("it was supplied at once, and its buyer knew that this ends the right to withdraw")]
    Waived,
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Refunds.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Subscriptions.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// An amount is too large.
    #[error(transparent)]
    Money(#[from] mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Standing> for WithdrawalError {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Unpaid => Self::Unpaid,
            Standing::NothingLeft | Standing::Withdrawn | Standing::Open => Self::NothingLeft,
            Standing::Disputed => Self::Disputed,
            Standing::Renewal => Self::Renewal,
            Standing::Late => Self::Late,
            Standing::Waived => Self::Waived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_counts_to_its_end() {
        let day = |text: &str| {
            let at: jiff::Timestamp = text.parse().expect("an instant");
            Timestamp::from_ms(at.as_millisecond())
        };
        for paid in ["2026-11-01T00:00:00Z", "2026-11-01T23:59:59.999Z"] {
            assert_eq!(ends_at(day(paid)), day("2026-11-16T00:00:00Z"), "{paid}");
        }
        assert_eq!(
            ends_at(day("2026-11-02T00:00:00Z")),
            day("2026-11-17T00:00:00Z")
        );
    }

    #[test]
    fn codes_differ() {
        let mut codes = Standing::ALL.map(Standing::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Standing::ALL.len());
    }
}
