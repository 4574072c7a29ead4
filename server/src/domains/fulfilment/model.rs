//! What can be refused where several domains meet.

use crate::caller::Denied;
use crate::domains::billing::BillingError;
use crate::domains::ledger::LedgerError;
use crate::domains::licensing::LicensingError;
use crate::domains::orders::OrderError;
use crate::domains::payments::PaymentError;
use crate::domains::refunds::RefundError;
use crate::queue::JobError;
use crate::store::StoreError;

/// Why fulfilment refused: what one of its domains said.
#[derive(Debug, thiserror::Error)]
pub enum FulfilmentError {
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Payments.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Licensing.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Refunds.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Billing.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// This server takes no money through that provider.
    #[error("this shop takes no payments through {0:?}")]
    ProviderUnknown(String),
    /// The provider can't be reached; the order stands and can be paid later.
    #[error("the payment page can't be opened just now")]
    ProviderUnavailable {
        /// The order that waits.
        order: Option<mintreu::id::OrderId>,
    },
    /// A job's payload that can't be read.
    #[error("a job carries {0}")]
    Payload(mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FulfilmentError> for JobError {
    fn from(error: FulfilmentError) -> Self {
        match error {
            FulfilmentError::Payload(_) | FulfilmentError::Denied(_) => Self::fail(error),
            other => Self::retry(other),
        }
    }
}
