//! What a bank that asks about a payment is answered.

use mintreu::id::TenantId;
use serde::{Deserialize, Serialize};

/// An answer for a bank, handed in through its provider once.
#[derive(Debug, Clone)]
pub struct EvidenceRequest {
    /// Whose shop.
    pub tenant: TenantId,
    /// The provider's name of the dispute.
    pub dispute: String,
    /// The idempotency key: the same answer is taken once, however often it is handed in.
    pub key: String,
    /// What is said.
    pub evidence: Evidence,
}

/// What a bank can be told, by the fields that providers have for it; empty for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was sold.
    pub product_description: String,
    /// The day it was supplied, `2026-11-26`.
    pub service_date: String,
    /// What the buyer did with it, and when.
    pub access_activity_log: String,
    /// The order and its papers.
    pub receipt: String,
    /// What the buyer was shown of refunds, and what they agreed to.
    pub refund_policy_disclosure: String,
    /// What the buyer wrote and was answered.
    pub customer_communication: String,
    /// Where the receipt went.
    pub customer_email_address: String,
    /// Anything else.
    pub uncategorized_text: String,
}

/// A dispute that is given up.
#[derive(Debug, Clone)]
pub struct AcceptRequest {
    /// Whose shop.
    pub tenant: TenantId,
    /// The provider's name of the dispute.
    pub dispute: String,
}
