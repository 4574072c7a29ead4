//! A subscription, its bills, and what can be refused.

use super::{Cycle, Flags, Paid, Quote, Status, zone_named};
use crate::caller::Denied;
use crate::domains::affiliates::AffiliateError;
use crate::domains::billing::BillingError;
use crate::domains::catalog::CatalogError;
use crate::domains::catalog::model::{LicenseTerms, Renewing, Standing, USUAL_GRACE};
use crate::domains::invoicing::InvoiceError;
use crate::domains::ledger::{PaymentTariff, Traffic};
use crate::domains::licensing::LicensingError;
use crate::domains::orders::OrderError;
use crate::domains::payments::PaymentError;
use crate::domains::refunds::RefundError;
use crate::domains::taxes::Tax;
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::{AccountId, LicenseId, OrderId, PriceId, ProductId, SubscriptionId};
use mintreu::meter::Zone;
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};

/// Days between the tries of a renewal that was declined: the first is so long after the decline,
/// each of the others so long after the one before it.
pub const RETRY_DAYS: [i64; 4] = [2, 5, 7, 7];
/// How long a license works that isn't paid for.
pub const GRACE_DAYS: i64 = USUAL_GRACE;
/// Why a subscription ended whose payments were all made.
pub const COMPLETED: &str = "completed";
/// Why a subscription ended whose seller gave up selling.
pub const SELLER_CLOSED: &str = "seller_closed";
/// How long before it holds a new price is told.
pub const NOTICE_DAYS: i64 = 30;
/// A day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a change makes of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The price's id.
    pub price: String,
    /// For one seat.
    pub unit_minor: i64,
    /// How many seats.
    pub seats: i64,
    /// The cycle's unit.
    pub cycle_unit: String,
    /// How many of them.
    pub cycle_count: i64,
    /// Whether a new period begins.
    pub restart: bool,
}

/// A stored subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Which.
    pub id: SubscriptionId,
    /// Who pays; `None` for a guest until the license has an owner.
    pub account: Option<AccountId>,
    /// The first order; `None` when it began with a trial.
    pub order: Option<OrderId>,
    /// What it pays for.
    pub license: LicenseId,
    /// Who earns.
    pub seller: AccountId,
    /// What it is of.
    pub product: ProductId,
    /// Under which price.
    pub price: PriceId,
    /// Where it stands.
    pub status: Status,
    /// For one seat, as it was agreed: the product's price may differ by now.
    pub unit: Money,
    /// How many.
    pub seats: i64,
    /// What the running period was paid with; `None` where it wasn't kept, and is its price.
    pub paid: Option<Money>,
    /// How often.
    pub cycle: Cycle,
    /// Where the buyer's days begin; empty for UTC.
    pub zone: String,
    /// From where cycles are counted.
    pub anchor: Timestamp,
    /// Rises with each period.
    pub period: i64,
    /// The period's first instant.
    pub from: Timestamp,
    /// The instant after its last.
    pub until: Timestamp,
    /// When its end was wished.
    pub cancel_wished_at: Option<Timestamp>,
    /// Why, where that isn't its buyer's own wish: `discontinued`.
    pub cancel_reason: Option<String>,
    /// When a pause was wished.
    pub pause_wished_at: Option<Timestamp>,
    /// What holds from the next period on.
    pub pending: Option<Change>,
    /// A price for one seat that was announced, and from when on it holds.
    pub notice: Option<(i64, Timestamp)>,
    /// Which price that is.
    pub notice_price: Option<PriceId>,
    /// The price whose terms the license has; `None` for those that it was sold or given with.
    pub granted: Option<PriceId>,
    /// What the license grants by itself, free of charge, whenever nothing is paid for it.
    pub free_terms: Option<LicenseTerms>,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The platform's share, kept from the start.
    pub platform_bps: u32,
    /// What a payment costs, kept from the start.
    pub tariff: PaymentTariff,
    /// Who keeps the method.
    pub provider: String,
    /// The provider's name of the method.
    pub method: Option<String>,
    /// How often the running renewal was declined.
    pub failures: i64,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Since when it isn't paid.
    pub past_due_at: Option<Timestamp>,
    /// How long the license works after that.
    pub grace_days: i64,
    /// How many payments are still to come; `None` where it goes on until somebody ends it.
    pub payments_left: Option<i64>,
    /// Whether the license is its buyer's for good when all of them are made.
    pub keeps_license: bool,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why: `canceled`, `unpaid`, `trial_over`, `chargeback`, `refunded`, `discontinued`, [`COMPLETED`],
    /// [`SELLER_CLOSED`]; `not_begun` until a free
    /// license's upgrade is paid.
    pub end_reason: Option<String>,
    /// Where it stood when a bank took money of one of its payments; `None` while no bank has any.
    pub disputed: Option<Status>,
    /// Since when its buyer knows that nothing is charged, while its seller is suspended.
    pub rests_since: Option<Timestamp>,
}

impl Subscription {
    /// What was wished, and whether something can be charged.
    pub const fn flags(&self) -> Flags {
        Flags {
            cancel_at_end: self.cancel_wished_at.is_some(),
            pause_at_end: self.pause_wished_at.is_some(),
            chargeable: self.method.is_some(),
            disputed: self.disputed.is_some(),
        }
    }

    /// Whether all of its payments were made: the running period is the last.
    pub fn is_last(&self) -> bool {
        self.payments_left == Some(0)
    }

    /// Whether its license is its buyer's for good: it was paid off, or its seller gave up selling before
    /// it could be.
    pub fn is_kept(&self) -> bool {
        let reason = self.end_reason.as_deref();
        self.keeps_license && matches!(reason, Some(COMPLETED | SELLER_CLOSED))
    }

    /// Goes on as a price says, of which so many payments were made.
    pub fn go_on_as(&mut self, says: Renewing, made: i64) {
        self.payments_left = says.payments.map(|payments| payments - made);
        self.keeps_license = says.keeps_license;
        self.grace_days = says.grace_days.unwrap_or(GRACE_DAYS);
    }

    /// What a period costs.
    pub fn amount(&self) -> Result<Money, mintreu::Error> {
        self.unit.checked_mul(self.seats)
    }

    /// The running period, had it been paid with so much.
    pub const fn paid_with(&self, amount: Money) -> Paid {
        Paid {
            amount,
            from: self.from,
            until: self.until,
        }
    }

    /// The buyer's time zone.
    pub fn zone(&self) -> Zone {
        // It was read when it was stored.
        zone_named(&self.zone).unwrap_or_default()
    }

    /// Its currency.
    pub const fn currency(&self) -> Currency {
        self.unit.currency()
    }

    /// How long the license works without being paid for, in seconds.
    pub fn grace_secs(&self) -> u32 {
        let secs = self.grace_days.saturating_mul(DAY_MS / 1000);
        u32::try_from(secs).unwrap_or(0)
    }

    /// How it stands now, as a change.
    pub fn as_change(&self) -> Change {
        Change {
            price: self.price.to_string(),
            unit_minor: self.unit.minor(),
            seats: self.seats,
            cycle_unit: self.cycle.unit().code().to_owned(),
            cycle_count: self.cycle.count(),
            restart: false,
        }
    }
}

/// What a bill pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillKind {
    /// The next period.
    Renewal,
    /// Seats or a plan, now.
    Change,
    /// A new period after a pause, an end, or a trial without a method.
    Return,
}

impl BillKind {
    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Renewal => "renewal",
            Self::Change => "change",
            Self::Return => "return",
        }
    }

    /// Reads what [`BillKind::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Renewal, Self::Change, Self::Return]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// An order of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The order.
    pub order: OrderId,
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// What for.
    pub kind: BillKind,
    /// For which time.
    pub period: (Timestamp, Timestamp),
    /// What it makes of the subscription.
    pub change: Option<Change>,
    /// Whether it was paid or given up.
    pub settled: bool,
}

/// When a wished change holds, and what it costs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeQuote {
    /// What it would be.
    pub change: Change,
    /// What is paid now; nothing when it waits for the next period.
    pub quote: Quote,
    /// From when on it holds.
    pub from: Timestamp,
    /// Whether that is now.
    pub now: bool,
    /// What a period costs from then on, without a code and without tax on top.
    pub amount: Money,
    /// What the next period charges, all in all: less what a code that still lasts takes off.
    pub next_charge: Money,
    /// When the next period begins.
    pub next: Timestamp,
    /// What is paid now bears.
    pub tax: Tax,
}

/// Why a subscription could not change.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// No such subscription, or not for this caller.
    #[error("no such subscription")]
    NotFound,
    /// It is in an account, whose methods are charged.
    #[error("the subscription is in an account; its payment method is chosen there")]
    OfAccount,
    /// It can't happen to the subscription as it stands.
    #[error("the subscription is {}", .0.code())]
    WrongStatus(Status),
    /// The amount differs from what was seen.
    #[error("the amount is {0} by now")]
    AmountChanged(Money),
    /// Something asked for is out of bounds.
    #[error("{detail}")]
    Invalid {
        /// Which input.
        field: &'static str,
        /// What would be right.
        detail: String,
    },
    /// Its seller doesn't sell, for now or for good: nothing is charged.
    #[error("the seller's account is {}; nothing is charged", .0.name())]
    SellerStopped(Standing),
    /// There is nothing to charge.
    #[error("the subscription has no payment method")]
    MethodMissing,
    /// A bank has money of one of its payments.
    #[error(
        "a bank asks about a payment of this subscription; nothing is charged until it decides"
    )]
    Disputed,
    /// A fixed number of payments was agreed to.
    #[error("this subscription is of a fixed number of payments and stays as it was bought")]
    FixedLength,
    /// All of its payments were made.
    #[error("all payments of this subscription were made; buy it again instead")]
    Completed,
    /// Its seller gave up what it is of.
    #[error(
        "its seller has stopped offering this product, and its subscriptions end: this one can't go on"
    )]
    Discontinued,
    /// A bill is on its way.
    #[error("a payment of this subscription is on its way; try again when it is settled")]
    BillOpen,
    /// Each person tries a product once.
    #[error(
        "you have tried this product before, with this account or this address; buy it instead"
    )]
    TrialUsed,
    /// It is tried for another time, or costs something else then, than was shown.
    #[error("the trial, or what is charged after it, is not what was shown; look again")]
    TrialChanged,
    /// The seller asks for a method first.
    #[error("this trial begins with a payment method, which is charged when it ends")]
    TrialMethod,
    /// The price can't be tried.
    #[error("this price has no trial")]
    TrialMissing,
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// An amount is too large.
    #[error(transparent)]
    Amount(#[from] mintreu::Error),
    /// Orders.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Who brought the subscriber.
    #[error(transparent)]
    Affiliate(#[from] AffiliateError),
    /// Payments.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// Licenses.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Usage.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// Refunds and disputes.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// Invoices.
    #[error(transparent)]
    Invoice(#[from] InvoiceError),
    /// A job's payload that can't be read.
    #[error("a job carries {0}")]
    Payload(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SubscriptionError> for JobError {
    fn from(error: SubscriptionError) -> Self {
        match error {
            SubscriptionError::Payload(_) | SubscriptionError::Denied(_) => Self::fail(error),
            other => Self::retry(other),
        }
    }
}
