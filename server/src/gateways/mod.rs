//! Gateways: one trait for taking money, one folder a provider.
//!
//! A gateway makes a session (a page where the buyer pays) and reads webhooks: it checks their
//! signature over the raw bytes before it parses them. Amounts are [`Money`]; a provider's own
//! units are converted in its folder only. Gateways know no domain.
//!
//! # Invariants
//! * No card data ever passes through us: the page is the provider's.
//! * A session is asked for with the payment's id as idempotency key, so asking twice makes one;
//!   so are refunds by the refund's, payouts by the payout's and answers to a bank by the answer's.
//! * Nothing of a webhook is believed before its signature holds.
//!
//! Start reading at [`Gateway`], then [`sandbox`].

mod evidence;
mod payouts;
pub mod sandbox;
mod saved;
pub mod signature;

pub use evidence::{AcceptRequest, Evidence, EvidenceRequest};
pub use payouts::{PayoutEvent, PayoutEventKind, PayoutOrder};
pub use saved::{Charged, KeptMethod, SavedCharge, SetupRequest, is_hard};

use crate::app::App;
use async_trait::async_trait;
use axum::http::HeaderMap;
use mintreu::id::{PaymentId, RefundId, TenantId};
use mintreu::{Money, Timestamp};

/// What a page is asked for.
#[derive(Debug, Clone)]
pub struct SessionRequest {
    /// Whose shop.
    pub tenant: TenantId,
    /// The payment: also the idempotency key.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// What the buyer reads.
    pub description: String,
    /// Where the buyer goes afterwards.
    pub return_url: String,
    /// Whether the provider shall ask for a proof (3-D Secure) whatever was paid with.
    pub strong: bool,
    /// Whether it keeps what pays, to be charged again as [`SavedCharge::method`] under the
    /// payment's id. Its page says so to whoever pays (Stripe: `setup_future_usage=off_session`).
    pub keep: bool,
}

/// A page where the buyer pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The provider's name of it.
    pub id: String,
    /// Its address.
    pub page_url: String,
}

/// The reason of an attempt that ended because its page was closed.
pub const PAGE_CLOSED: &str = "page_closed";

/// The reason of a charge that its provider ended before it took any money.
pub const CHARGE_ENDED: &str = "charge_ended";

/// What became of a page that was to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nobody can pay there any more, or nobody ever could.
    Closed,
    /// Somebody had paid there; an event tells of it.
    Paid,
}

/// Money that shall go back to who paid.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// Whose shop.
    pub tenant: TenantId,
    /// The refund: also the idempotency key.
    pub refund: RefundId,
    /// Of which payment.
    pub payment: PaymentId,
    /// How much, at most what is left of the payment.
    pub amount: Money,
}

/// How a provider answers a refund at once. What becomes of it afterwards arrives as
/// an event; a provider may take back even what succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The provider's name of it.
    pub id: String,
    /// Where it stands.
    pub state: SentState,
}

/// Where something that was sent stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentState {
    /// Accepted; an event will tell how it ended.
    Pending,
    /// Done.
    Succeeded,
    /// It won't happen, and why: `account_closed`.
    Failed(String),
}

/// What a provider's event means, in our words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The buyer must prove who they are.
    ActionRequired,
    /// Paid.
    Succeeded,
    /// Declined.
    Failed,
    /// Something we don't act on; kept, because it came.
    Other,
    /// Money went back to the buyer.
    RefundSucceeded,
    /// Money that should go back didn't, or came back from the buyer's bank.
    RefundFailed,
    /// The buyer's bank suspects a fraud; no money moved.
    DisputeWarned,
    /// The buyer's bank asks; no money moved.
    DisputeInquired,
    /// The buyer's bank took the money.
    DisputeOpened,
    /// The bank gave it back, or asks no more.
    DisputeWon,
    /// The bank keeps it.
    DisputeLost,
    /// A method is kept, without a payment.
    MethodKept,
    /// A method isn't kept: refused, or given up.
    MethodRefused,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::ActionRequired,
        Self::Succeeded,
        Self::Failed,
        Self::Other,
        Self::RefundSucceeded,
        Self::RefundFailed,
        Self::DisputeWarned,
        Self::DisputeInquired,
        Self::DisputeOpened,
        Self::DisputeWon,
        Self::DisputeLost,
        Self::MethodKept,
        Self::MethodRefused,
    ];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ActionRequired => "action_required",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Other => "other",
            Self::RefundSucceeded => "refund_succeeded",
            Self::RefundFailed => "refund_failed",
            Self::DisputeWarned => "dispute_warned",
            Self::DisputeInquired => "dispute_inquired",
            Self::DisputeOpened => "dispute_opened",
            Self::DisputeWon => "dispute_won",
            Self::DisputeLost => "dispute_lost",
            Self::MethodKept => "method_kept",
            Self::MethodRefused => "method_refused",
        }
    }

    /// Whether it speaks of a refund or a dispute.
    pub const fn is_about_money_back(self) -> bool {
        matches!(
            self,
            Self::RefundSucceeded
                | Self::RefundFailed
                | Self::DisputeWarned
                | Self::DisputeInquired
                | Self::DisputeOpened
                | Self::DisputeWon
                | Self::DisputeLost
        )
    }

    /// Reads what [`EventKind::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A webhook whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The provider's name of the event.
    pub id: String,
    /// What it means.
    pub kind: EventKind,
    /// What it speaks of, by our name: a payment's id, or that of a method's setup.
    pub reference: String,
    /// The refund or dispute it speaks of, by the provider's name.
    pub object: Option<String>,
    /// The same by our name, when we asked for it: a refund's id.
    pub object_reference: Option<String>,
    /// How much it speaks of.
    pub amount: Money,
    /// What the provider took for a payment that succeeded, when it says so; possibly in another
    /// currency, the one that it settles in.
    pub fee: Option<Money>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// The country of what was paid with (two capitals), when the provider knows it.
    pub method_country: Option<String>,
    /// The method that is kept, when this says so.
    pub method: Option<KeptMethod>,
    /// Until when the bank of a dispute waits for an answer.
    pub evidence_due_at: Option<Timestamp>,
    /// When it happened there.
    pub occurred_at: Timestamp,
}

/// Why a gateway could not answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The provider could not be reached or answered nonsense; asking again may help.
    #[error("the payment provider did not answer: {0}")]
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
    /// The provider refuses, and will again.
    #[error("the payment provider refused: {0}")]
    Refused(String),
    /// The signature is missing, old or wrong.
    #[error("the signature does not hold")]
    Signature,
    /// Signed, but not understood.
    #[error("the event is not readable: {0}")]
    Malformed(String),
}

/// A provider of payments.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// As in addresses and rows: `sandbox`.
    fn name(&self) -> &'static str;

    /// Makes a page for a payment; the same payment gets the same page.
    async fn create_session(
        &self,
        app: &App,
        request: &SessionRequest,
    ) -> Result<Session, GatewayError>;

    /// Closes the page of a payment, if there is one and nobody paid there; again changes nothing.
    async fn close_session(
        &self,
        app: &App,
        tenant: TenantId,
        payment: PaymentId,
    ) -> Result<Closing, GatewayError>;

    /// Sends money back to who paid. The same refund is sent once, however often it is asked for.
    async fn refund(&self, app: &App, request: &RefundRequest) -> Result<Sent, GatewayError>;

    /// Charges a method that was saved, while its owner isn't there; the same payment is charged
    /// once. A provider that can't refuses.
    async fn charge_saved(
        &self,
        _app: &App,
        _charge: &SavedCharge,
    ) -> Result<Charged, GatewayError> {
        let detail = format!("{} keeps no payment methods", self.name());
        Err(GatewayError::Refused(detail))
    }

    /// Ends the charge of a saved method and says what came of it: one that isn't paid by then takes no
    /// money any more, even if it is asked for again. A provider that can't refuses.
    async fn end_charge(&self, _app: &App, _charge: &SavedCharge) -> Result<Charged, GatewayError> {
        let detail = format!("{} keeps no payment methods", self.name());
        Err(GatewayError::Refused(detail))
    }

    /// Makes a page where somebody leaves a method to be charged later, without paying now; the same
    /// setup gets the same page. A provider that can't refuses.
    async fn create_setup(
        &self,
        _app: &App,
        _request: &SetupRequest,
    ) -> Result<Session, GatewayError> {
        let detail = format!("{} keeps no payment methods", self.name());
        Err(GatewayError::Refused(detail))
    }

    /// Forgets a method; one that isn't kept any more changes nothing.
    async fn forget_method(
        &self,
        _app: &App,
        _tenant: TenantId,
        _method: &str,
    ) -> Result<(), GatewayError> {
        Ok(())
    }

    /// Whether that is a test method, which anybody may name where nothing is real (Stripe's
    /// `pm_card_visa`).
    fn is_test_method(&self, _method: &str) -> bool {
        false
    }

    /// Hands in what a bank that asks is answered; the same answer is taken once. One that comes too
    /// late is refused with `evidence_late`. A provider that can't refuses.
    async fn submit_evidence(
        &self,
        _app: &App,
        _request: &EvidenceRequest,
    ) -> Result<(), GatewayError> {
        Err(GatewayError::Refused("evidence_unsupported".to_owned()))
    }

    /// Gives a dispute up: the bank's word is taken. What follows arrives as an event. A provider
    /// that can't refuses.
    async fn accept_dispute(
        &self,
        _app: &App,
        _request: &AcceptRequest,
    ) -> Result<(), GatewayError> {
        Err(GatewayError::Refused("evidence_unsupported".to_owned()))
    }

    /// Checks a webhook's signature over its raw bytes, then reads it.
    fn verify_webhook(
        &self,
        app: &App,
        headers: &HeaderMap,
        raw: &[u8],
    ) -> Result<ProviderEvent, GatewayError>;

    /// Sends money to a seller and answers the provider's name of it; the same payout is sent once
    /// and answered alike, however often it is asked for.
    async fn pay_out(&self, app: &App, request: &PayoutOrder) -> Result<String, GatewayError>;

    /// As [`Gateway::verify_webhook`], for events about payouts.
    fn verify_payout_webhook(
        &self,
        app: &App,
        headers: &HeaderMap,
        raw: &[u8],
    ) -> Result<PayoutEvent, GatewayError>;
}

/// The provider of that name, when this server takes its money.
pub fn find(app: &App, name: &str) -> Option<&'static dyn Gateway> {
    let sandbox: &dyn Gateway = &sandbox::Sandbox;
    (name == sandbox.name() && app.config.payments.sandbox).then_some(sandbox)
}
