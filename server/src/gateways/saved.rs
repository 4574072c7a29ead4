//! Charging a method of payment that a provider keeps, while its owner isn't there.

use mintreu::Money;
use mintreu::id::{MethodSetupId, PaymentId, TenantId};

/// What a saved method is charged.
#[derive(Debug, Clone)]
pub struct SavedCharge {
    /// Whose shop.
    pub tenant: TenantId,
    /// The payment: also the idempotency key.
    pub payment: PaymentId,
    /// The provider's name of the method, or the payment (`pay_…`) that it was last used for.
    pub method: String,
    /// How much.
    pub amount: Money,
    /// What its owner reads.
    pub description: String,
}

/// What a page that keeps a method is asked for.
#[derive(Debug, Clone)]
pub struct SetupRequest {
    /// Whose shop.
    pub tenant: TenantId,
    /// The setup: also the idempotency key.
    pub setup: MethodSetupId,
    /// Where its owner goes afterwards.
    pub return_url: String,
}

/// A method that a provider keeps, as its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMethod {
    /// The provider's name of it, for [`SavedCharge::method`].
    pub name: String,
    /// `Visa •••• 4242`; never more of it.
    pub label: String,
    /// The last month it can be charged in, `2029-12`, when it has one.
    pub expires: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charged {
    /// The money is ours.
    Succeeded {
        /// What the provider took for it, when it says so.
        fee: Option<Money>,
    },
    /// Not now: it may go well later.
    Declined(&'static str),
    /// Never again with this method.
    Refused(&'static str),
}

/// The reasons after which a method is not tried again.
const HARD: [&str; 6] = [
    "account_closed",
    "card_expired",
    "expired_card",
    "lost_card",
    "method_unknown",
    "stolen_card",
];

/// Whether a decline is final for its method.
pub fn is_hard(failure_code: &str) -> bool {
    HARD.contains(&failure_code)
}
