//! What can be refused where several domains meet.

use super::quote::Quoted;
use crate::caller::Denied;
use crate::domains::affiliates::AffiliateError;
use crate::domains::billing::BillingError;
use crate::domains::bundles::BundleError;
use crate::domains::carts::CartError;
use crate::domains::gifts::GiftError;
use crate::domains::invoicing::InvoiceError;
use crate::domains::ledger::LedgerError;
use crate::domains::licensing::LicensingError;
use crate::domains::methods::MethodError;
use crate::domains::orders::OrderError;
use crate::domains::payments::PaymentError;
use crate::domains::promotions::PromotionError;
use crate::domains::refunds::RefundError;
use crate::domains::risk::RiskError;
use crate::domains::subscriptions::SubscriptionError;
use crate::domains::taxes::TaxError;
use crate::queue::JobError;
use crate::store::StoreError;

/// Where a buyer's request came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Network {
    /// The country of the network (two capitals), when a trusted proxy says it.
    pub country: Option<String>,
    /// The network address: counted by a keyed hash, never kept.
    pub address: Option<String>,
}

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
    /// Who brought the buyer.
    #[error(transparent)]
    Affiliate(#[from] AffiliateError),
    /// Licensing.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Refunds.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Billing.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// Invoices.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// Carts.
    #[error(transparent)]
    Cart(#[from] CartError),
    /// Bundles.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Gifts.
    #[error(transparent)]
    Gift(#[from] GiftError),
    /// Coupons.
    #[error(transparent)]
    Promotion(#[from] PromotionError),
    /// Kept methods.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// Subscriptions.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// Taxes.
    #[error(transparent)]
    Tax(#[from] TaxError),
    /// Risk: the purchase isn't taken, or of people who are signed in.
    #[error(transparent)]
    Risk(#[from] RiskError),
    /// An invoice that nobody has begun to pay says nothing of a method.
    #[error("this invoice was not paid with anything yet; pay it first, or name a saved method")]
    NothingPaidWith,
    /// What paid an invoice was not to be kept, or somebody else's.
    #[error("what paid this invoice was not kept; pay one with `later`, or name a saved method")]
    NotKept,
    /// Only the account that owes an invoice agrees to later ones.
    #[error("only the account that owes this invoice can have later ones paid by themselves")]
    LaterNotYours,
    /// Somebody who sells a part of it doesn't sell now.
    #[error("{0} isn't sold at the moment; nothing is charged")]
    SellerStopped(String),
    /// A saved method is being charged; a page beside that could take the money twice.
    #[error("a saved method is being charged for this just now; look again in a minute")]
    BeingCharged,
    /// This server takes no money through that provider.
    #[error("this shop takes no payments through {0:?}")]
    ProviderUnknown(String),
    /// The provider can't be reached; the order stands and can be paid later.
    #[error("the payment page can't be opened just now")]
    ProviderUnavailable {
        /// The order that waits.
        order: Option<mintreu::id::OrderId>,
    },
    /// The quote isn't one of ours.
    #[error("this is no quote of this shop")]
    QuoteMalformed,
    /// What the buyer was shown is no longer so; this is what it costs now.
    #[error("the price has changed to {}", .0.total)]
    QuoteChanged(Box<Quoted>),
    /// What is supplied at once needs the buyer's word that the right to withdraw is lost by that.
    #[error("agree to the supply at once, and to losing the right to withdraw by that")]
    ConsentMissing,
    /// The order is an account's already.
    #[error("this order belongs to an account already")]
    OrderOwned,
    /// The order was placed with another address than the account's.
    #[error("this order was placed with another address than your account's")]
    AddressDiffers,
    /// The quote became somebody else's order.
    #[error("this quote was used for another order")]
    QuoteUsed,
    /// Too many confirmations from one place.
    #[error("too many attempts to buy; wait {seconds} seconds")]
    TooMany {
        /// Until the next one is allowed.
        seconds: u32,
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
