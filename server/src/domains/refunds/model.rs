//! A refund, a dispute, their states, and what can be refused. Pure.

mod dispute;

pub use dispute::{Dispute, DisputeEvent, DisputeState, PaidFor, Taken, next_state};

use crate::caller::Denied;
use crate::domains::affiliates::AffiliateError;
use crate::domains::billing::BillingError;
use crate::domains::invoicing::InvoiceError;
use crate::domains::ledger::{GiveBackError, LedgerError, Parts};
use crate::domains::licensing::LicensingError;
use crate::domains::orders::{OrderError, OrderState};
use crate::domains::payments::PaymentError;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderId, OrderLineId, PaymentId, RefundId};
use mintreu::{Money, Timestamp};
use serde::{Deserialize, Serialize};

/// Most refunds of one order.
pub const MAX_REFUNDS: usize = 100;
/// Longest note, in characters.
pub const MAX_NOTE: usize = 500;

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// Reserved; the provider hasn't said yes.
    Requested,
    /// The money is on its way to the buyer.
    Succeeded,
    /// It was refused, or came back.
    Failed,
}

impl RefundState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Succeeded, Self::Failed];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`RefundState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// Why money goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The buyer asked.
    RequestedByCustomer,
    /// Bought twice.
    Duplicate,
    /// It doesn't work.
    Defective,
    /// The card's owner didn't buy it: the platform gives its fee back.
    Fraud,
    /// Something else; the note says what.
    Other,
    /// The buyer withdrew from the contract, as the law lets them. Nobody can give it as a reason:
    /// it comes of the buyer's own word alone.
    #[serde(skip_deserializing)]
    Withdrawal,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::RequestedByCustomer,
        Self::Duplicate,
        Self::Defective,
        Self::Fraud,
        Self::Other,
        Self::Withdrawal,
    ];

    /// Those that who refunds may give, in the order of forms.
    pub fn given() -> impl Iterator<Item = Self> {
        let all = Self::ALL.into_iter();
        all.filter(|reason| *reason != Self::Withdrawal)
    }

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::RequestedByCustomer => "requested_by_customer",
            Self::Duplicate => "duplicate",
            Self::Defective => "defective",
            Self::Fraud => "fraud",
            Self::Other => "other",
            Self::Withdrawal => "withdrawal",
        }
    }

    /// Reads what [`Reason::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// Who wanted a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The seller of the lines.
    Seller,
    /// The platform.
    Platform,
    /// Somebody at the provider.
    Provider,
    /// The buyer, who withdrew.
    Buyer,
}

impl By {
    /// Everybody.
    pub const ALL: [Self; 4] = [Self::Seller, Self::Platform, Self::Provider, Self::Buyer];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Platform => "platform",
            Self::Provider => "provider",
            Self::Buyer => "buyer",
        }
    }

    /// Reads what [`By::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.code() == code)
    }
}

/// Money on its way back to a buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The refund.
    pub id: RefundId,
    /// Of which order.
    pub order: OrderId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Who sends it.
    pub provider: String,
    /// The provider's name of it, once it has one.
    pub provider_refund: Option<String>,
    /// How much the buyer gets.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why.
    pub reason: Reason,
    /// In words, for the buyer to read; may be empty.
    pub note: String,
    /// Who wanted it.
    pub by: By,
    /// Whose account that was.
    pub asked_by: Option<AccountId>,
    /// Whether the license goes on working although all of its price went back.
    pub keeps_license: bool,
    /// Whether the subscription that the order pays for ends when all of it went back.
    pub ends_subscription: bool,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it succeeded or failed.
    pub settled_at: Option<Timestamp>,
}

/// What became of a taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalState {
    /// It will be taken.
    Reserved,
    /// It is taken, and posted.
    Taken,
    /// It never was, or is back.
    Undone,
}

impl ReversalState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Reserved, Self::Taken, Self::Undone];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Taken => "taken",
            Self::Undone => "undone",
        }
    }

    /// Reads what [`ReversalState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What one refund or dispute takes from one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineReversal {
    /// The refund's id, or the dispute's with its round.
    pub cause: String,
    /// From which line.
    pub line: OrderLineId,
    /// From which part how much.
    pub parts: Parts,
    /// Whether the platform gave its fee back.
    pub fee_returned: bool,
    /// What of it came out of the seller's hold.
    pub from_held: Money,
    /// The line's share of what the provider takes for a dispute.
    pub cost: Money,
    /// What became of it.
    pub state: ReversalState,
}

impl LineReversal {
    /// Whether a refund took it, and not a dispute.
    pub fn is_refund(&self) -> bool {
        self.cause.starts_with(RefundId::PREFIX)
    }

    /// Whether that dispute took it, in any of its rounds.
    pub fn is_of(&self, dispute: &Dispute) -> bool {
        dispute.took(&self.cause)
    }

    /// Whether it isn't there for others to take.
    pub fn counts(&self) -> bool {
        self.state != ReversalState::Undone
    }
}

/// Why nothing was refunded.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    /// No such order, or nothing of the caller's in it.
    #[error("no such order")]
    NotFound,
    /// No such invoice of usage, or not of the caller's.
    #[error("no such invoice")]
    NoInvoice,
    /// It isn't paid.
    #[error("the invoice isn't paid")]
    InvoiceOpen,
    /// It isn't paid.
    #[error("the order is {}", .0.code())]
    NotPaid(OrderState),
    /// It cost nothing.
    #[error("nothing was paid for this")]
    Free,
    /// A bank asks about the payment.
    #[error("the payment is disputed; what the bank decides, happens")]
    Disputed,
    /// Nothing, or more than is left.
    #[error("up to {left} can be refunded")]
    OutOfRange {
        /// What is left.
        left: Money,
    },
    /// Something was refunded since the form was drawn.
    #[error("something was refunded meanwhile; {left} is left")]
    Changed {
        /// What is left.
        left: Money,
    },
    /// The order was refunded too often.
    #[error("an order can be refunded {MAX_REFUNDS} times")]
    TooMany,
    /// The seller owes so much already that the platform must agree.
    #[error("the seller's balance is too far below zero; the platform can refund this")]
    NeedsPlatform,
    /// The note is too long.
    #[error("a note has at most {MAX_NOTE} characters")]
    NoteTooLong,
    /// A dispute stands where this can't be decided, or stands elsewhere by now.
    #[error("the dispute is at {}: look at it again", .0.code())]
    DisputeMoved(DisputeState),
    /// No reason, or a very long one.
    #[error("a reason of 1 to {MAX_NOTE} characters is needed")]
    Reason,
    /// A provider tells of more than is left here: what it told before hasn't arrived, or a refund
    /// is under way. Asking again later helps.
    #[error("an event came before those that explain it; {left} is left")]
    Early {
        /// What is left.
        left: Money,
    },
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Payments.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Who brought the buyer.
    #[error(transparent)]
    Affiliate(#[from] AffiliateError),
    /// Credit notes.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// Plans of usage.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// Licensing.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
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

impl From<GiveBackError> for RefundError {
    fn from(error: GiveBackError) -> Self {
        match error {
            GiveBackError::OutOfRange { left } => Self::OutOfRange { left },
            GiveBackError::Money(error) => Self::Money(error),
        }
    }
}

impl From<RefundError> for JobError {
    fn from(error: RefundError) -> Self {
        match error {
            RefundError::Store(error)
            | RefundError::Invoice(InvoiceError::Store(error))
            | RefundError::Billing(BillingError::Store(error)) => Self::retry(error),
            other => Self::fail(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_read_back() {
        for state in RefundState::ALL {
            assert_eq!(RefundState::parse(state.code()), Some(state));
        }
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(reason));
        }
        for by in By::ALL {
            assert_eq!(By::parse(by.code()), Some(by));
        }
        for state in ReversalState::ALL {
            assert_eq!(ReversalState::parse(state.code()), Some(state));
        }
    }
}
