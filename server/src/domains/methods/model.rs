//! A kept method, and why one can't be used. Pure.

use crate::caller::Denied;
use crate::gateways::KeptMethod;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, MethodId};

/// How many an account may have.
pub const MOST: usize = 20;

/// A method that a provider keeps for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Ours.
    pub id: MethodId,
    /// Whose it is.
    pub account: AccountId,
    /// Who keeps it: `sandbox`.
    pub provider: String,
    /// What its provider calls it and its owner knows of it.
    pub kept: KeptMethod,
    /// Since when it is kept.
    pub added_at: Timestamp,
}

/// What shall be charged: who keeps it, and its provider's name of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// Who keeps it.
    pub provider: String,
    /// The provider's name of it.
    pub name: String,
}

/// Why a method can't be kept, named or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// No such method of the caller's.
    #[error("you have no such payment method; GET /v1/payment-methods lists what you have")]
    NotFound,
    /// As many as an account may have.
    #[error("an account keeps {MOST} payment methods at most; remove one that you don't need")]
    TooMany,
    /// Too many setups.
    #[error("too many payment methods were added; wait {seconds} seconds")]
    TooOften {
        /// Until the next one is allowed.
        seconds: u32,
    },
    /// Something is charged to it.
    #[error("{what} is charged to this method; choose another for that first")]
    InUse {
        /// What, as people know it.
        what: String,
    },
    /// The provider can't be reached.
    #[error("the page of the payment provider can't be opened just now")]
    ProviderUnavailable,
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}
