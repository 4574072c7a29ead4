//! An order, its lines, its states and the table that joins them. Pure.

use crate::caller::Denied;
use crate::domains::catalog::model::{Cycle, Kind, LicenseTerms, PriceModel};
use crate::domains::ledger::{Parts, Split, SplitError, Traffic};
use crate::domains::taxes::Tax;
use crate::store::StoreError;
use mintreu::id::{AccountId, BundleId, OrderId, OrderLineId, PriceId, ProductId};
use mintreu::{Money, Timestamp};
use std::fmt;

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// Being put together.
    Draft,
    /// Placed; the money hasn't come.
    AwaitingPayment,
    /// The money is in the ledger, the licenses are issued.
    Paid,
    /// Part of the money went back.
    PartiallyRefunded,
    /// All of the money went back.
    Refunded,
    /// Nobody paid in time.
    Expired,
    /// The last attempt to pay failed; another may follow.
    Failed,
    /// Called off before it was paid.
    Void,
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Draft,
        Self::AwaitingPayment,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Expired,
        Self::Failed,
        Self::Void,
    ];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AwaitingPayment => "awaiting_payment",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }

    /// Reads what [`OrderState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEvent {
    /// The buyer agreed.
    Placed,
    /// The money came.
    PaymentSucceeded,
    /// The attempt failed.
    PaymentFailed,
    /// The buyer tries again.
    PaymentRetried,
    /// Time ran out.
    TimedOut,
    /// Called off.
    Voided,
    /// Part of the money went back.
    PartlyRefunded,
    /// All of it went back.
    FullyRefunded,
    /// A refund failed afterwards: nothing went back.
    RefundsFailed,
    /// A refund failed afterwards: only a part went back.
    RefundsShrank,
}

impl OrderEvent {
    /// Every event.
    pub const ALL: [Self; 10] = [
        Self::Placed,
        Self::PaymentSucceeded,
        Self::PaymentFailed,
        Self::PaymentRetried,
        Self::TimedOut,
        Self::Voided,
        Self::PartlyRefunded,
        Self::FullyRefunded,
        Self::RefundsFailed,
        Self::RefundsShrank,
    ];
}

/// What an event does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The order moves there.
    Move(OrderState),
    /// Known already, or overtaken: nothing changes.
    Stay,
    /// It can't happen here: nothing changes, and somebody must look.
    Refuse,
}

/// What `event` makes of an order in `current`.
///
/// Money that comes late is still money: it pays an order that failed or expired. For one that
/// was called off it is refused, so that a person sends it back.
///
/// | state \ event | placed | succeeded | failed | retried | timed out | voided | part refund | refund | refunds failed | refunds shrank |
/// |---|---|---|---|---|---|---|---|---|---|---|
/// | draft | awaiting | refuse | refuse | refuse | expired | void | refuse | refuse | refuse | refuse |
/// | awaiting | stay | paid | failed | stay | expired | void | refuse | refuse | refuse | refuse |
/// | paid | stay | stay | stay | refuse | stay | refuse | partial | refunded | stay | stay |
/// | partial | stay | stay | stay | refuse | stay | refuse | stay | refunded | paid | stay |
/// | refunded | stay | stay | stay | refuse | stay | refuse | stay | stay | paid | partial |
/// | expired | stay | paid | stay | refuse | stay | stay | refuse | refuse | refuse | refuse |
/// | failed | stay | paid | stay | awaiting | expired | void | refuse | refuse | refuse | refuse |
/// | void | stay | refuse | stay | refuse | stay | stay | refuse | refuse | refuse | refuse |
pub fn next_state(current: OrderState, event: OrderEvent) -> Step {
    use OrderEvent as E;
    use OrderState as S;
    match (current, event) {
        (S::Draft, E::Placed) | (S::Failed, E::PaymentRetried) => Step::Move(S::AwaitingPayment),
        (S::AwaitingPayment | S::Expired | S::Failed, E::PaymentSucceeded) => Step::Move(S::Paid),
        (S::AwaitingPayment, E::PaymentFailed) => Step::Move(S::Failed),
        (S::Draft | S::AwaitingPayment | S::Failed, E::TimedOut) => Step::Move(S::Expired),
        (S::Draft | S::AwaitingPayment | S::Failed, E::Voided) => Step::Move(S::Void),
        (S::Paid, E::PartlyRefunded) => Step::Move(S::PartiallyRefunded),
        (S::Paid | S::PartiallyRefunded, E::FullyRefunded) => Step::Move(S::Refunded),
        (S::Draft | S::Void, E::PaymentSucceeded) | (S::Draft, E::PaymentFailed) => Step::Refuse,
        (S::AwaitingPayment, E::PaymentRetried) => Step::Stay,
        (_, E::PaymentRetried) => Step::Refuse,
        (S::Paid | S::PartiallyRefunded | S::Refunded, E::Voided) => Step::Refuse,
        (S::PartiallyRefunded | S::Refunded, E::PartlyRefunded)
        | (S::Refunded, E::FullyRefunded) => Step::Stay,
        (S::PartiallyRefunded | S::Refunded, E::RefundsFailed) => Step::Move(S::Paid),
        (S::Refunded, E::RefundsShrank) => Step::Move(S::PartiallyRefunded),
        (S::Paid | S::PartiallyRefunded, E::RefundsShrank) | (S::Paid, E::RefundsFailed) => {
            Step::Stay
        }
        (_, E::PartlyRefunded | E::FullyRefunded | E::RefundsFailed | E::RefundsShrank) => {
            Step::Refuse
        }
        (_, E::Placed | E::PaymentSucceeded | E::PaymentFailed | E::TimedOut | E::Voided) => {
            Step::Stay
        }
    }
}

/// A price as it stands now: what the buyer must have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// Which product.
    pub product: ProductId,
    /// Which price.
    pub price: PriceId,
    /// How many.
    pub quantity: i64,
    /// For one.
    pub unit: Money,
    /// In all, tax included.
    pub total: Money,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line.
    pub id: OrderLineId,
    /// Which product.
    pub product: ProductId,
    /// Which price.
    pub price: PriceId,
    /// Who sells it.
    pub seller: AccountId,
    /// The product's name at the sale.
    pub title: String,
    /// The audience of its licenses.
    pub product_code: String,
    /// Part of its address.
    pub product_slug: String,
    /// What kind it is.
    pub kind: Kind,
    /// How it is charged.
    pub model: PriceModel,
    /// How often, when recurring.
    pub period: Option<Cycle>,
    /// How many.
    pub quantity: i64,
    /// For one.
    pub unit: Money,
    /// Its tax: rate, jurisdiction, and why.
    pub tax: Tax,
    /// Who gets what.
    pub split: SplitAmounts,
    /// What a license grants, as it was sold.
    pub terms: LicenseTerms,
    /// The bundle that it was sold in, if it was.
    pub bundle: Option<InBundle>,
}

/// The bundle that a line was sold in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBundle {
    /// Which.
    pub id: BundleId,
    /// What it was called at the sale.
    pub title: String,
}

/// The figures of a stored split; its words are kept beside, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitAmounts {
    /// Unit price times quantity.
    pub gross: Money,
    /// Taken off.
    pub discount: Money,
    /// On top of the price, or contained in it.
    pub tax: Money,
    /// What the buyer pays.
    pub charged: Money,
    /// The platform's part.
    pub platform_fee: Money,
    /// The payment fee's part.
    pub payment_fee: Money,
    /// The affiliate's part.
    pub affiliate: Money,
    /// The seller's part.
    pub seller: Money,
    /// Each step in words: JSON, for the seller to read.
    pub explanation: String,
}

impl SplitAmounts {
    /// What was taxed: all that is paid but the tax.
    pub const fn tax_base(&self) -> Money {
        let base = self.charged.minor().saturating_sub(self.tax.minor());
        Money::new(base, self.charged.currency())
    }

    /// The parts that can go back.
    pub const fn parts(&self) -> Parts {
        let minor = [
            self.tax.minor(),
            self.platform_fee.minor(),
            self.payment_fee.minor(),
            self.affiliate.minor(),
            self.seller.minor(),
        ];
        Parts::new(self.charged.currency(), minor)
    }

    /// The figures and words of a fresh split.
    pub fn of(split: &Split) -> Result<Self, serde_json::Error> {
        Ok(Self {
            gross: split.gross,
            discount: split.discount,
            tax: split.tax,
            charged: split.charged,
            platform_fee: split.platform_fee,
            payment_fee: split.payment_fee,
            affiliate: split.affiliate,
            seller: split.seller,
            explanation: serde_json::to_string(&split.steps)?,
        })
    }
}

/// An order with its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order.
    pub id: OrderId,
    /// Whose; `None` for a guest's.
    pub account: Option<AccountId>,
    /// Where it stands.
    pub state: OrderState,
    /// What the buyer pays.
    pub total: Money,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When an unpaid order is given up.
    pub expires_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// In the order shown.
    pub lines: Vec<Line>,
}

/// The secret that opens a guest's order.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken(pub(super) String);

impl AccessToken {
    /// The text for a link: `?t=…`.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// Why an order could not be placed or shown.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// No such order, or not for this caller to see.
    #[error("no such order")]
    NotFound,
    /// The price is no longer for sale.
    #[error("this price is no longer for sale")]
    OfferGone,
    /// The price differs from what the buyer saw.
    #[error("the price has changed to {}", .0.total)]
    PriceChanged(Box<Quote>),
    /// A guest must leave an address for the receipt.
    #[error("an order without an account needs an e-mail address")]
    EmailMissing,
    /// The address can't be one.
    #[error("this is no e-mail address")]
    EmailMalformed,
    /// Too few or too many.
    #[error("the quantity must be between 1 and {}", super::ops::MAX_QUANTITY)]
    Quantity,
    /// Nothing, or too much at once.
    #[error("an order has between 1 and {} lines", super::ops::MAX_LINES)]
    Lines,
    /// What is bought has prices in several currencies.
    #[error("an order has one currency; buy the rest in a second order")]
    CurrencyMixed,
    /// A discount or a named price that is less than the payment costs.
    #[error("this price is less than the payment itself costs")]
    BelowFees,
    /// More than the price allows in one order.
    #[error("one order holds at most {0} at this price")]
    TooMany(i64),
    /// The buyer named less than the least, or a price that isn't theirs to name.
    #[error("the price must be at least {0}")]
    AmountTooLow(Money),
    /// The price isn't for buyers there.
    #[error("this price is for buyers in {} only", .0.join(", "))]
    CountryNotServed(Vec<String>),
    /// A seller may not buy from themselves.
    #[error("sellers can't buy their own products")]
    OwnProduct,
    /// The event can't happen to the order as it stands.
    #[error("the order is {}", .0.code())]
    WrongState(OrderState),
    /// The amounts can't be divided.
    #[error(transparent)]
    Split(#[from] SplitError),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the doc comment, column by column; `-` stays, `!` is refused.
    const TABLE: &[(OrderState, [&str; 10])] = &[
        (
            OrderState::Draft,
            [
                "awaiting_payment",
                "!",
                "!",
                "!",
                "expired",
                "void",
                "!",
                "!",
                "!",
                "!",
            ],
        ),
        (
            OrderState::AwaitingPayment,
            [
                "-", "paid", "failed", "-", "expired", "void", "!", "!", "!", "!",
            ],
        ),
        (
            OrderState::Paid,
            [
                "-",
                "-",
                "-",
                "!",
                "-",
                "!",
                "partially_refunded",
                "refunded",
                "-",
                "-",
            ],
        ),
        (
            OrderState::PartiallyRefunded,
            ["-", "-", "-", "!", "-", "!", "-", "refunded", "paid", "-"],
        ),
        (
            OrderState::Refunded,
            [
                "-",
                "-",
                "-",
                "!",
                "-",
                "!",
                "-",
                "-",
                "paid",
                "partially_refunded",
            ],
        ),
        (
            OrderState::Expired,
            ["-", "paid", "-", "!", "-", "-", "!", "!", "!", "!"],
        ),
        (
            OrderState::Failed,
            [
                "-",
                "paid",
                "-",
                "awaiting_payment",
                "expired",
                "void",
                "!",
                "!",
                "!",
                "!",
            ],
        ),
        (
            OrderState::Void,
            ["-", "!", "-", "!", "-", "-", "!", "!", "!", "!"],
        ),
    ];

    #[test]
    fn the_table_holds_cell_by_cell() {
        assert_eq!(TABLE.len(), OrderState::ALL.len());
        for (state, row) in TABLE {
            for (event, cell) in OrderEvent::ALL.into_iter().zip(row) {
                let expected = match *cell {
                    "-" => Step::Stay,
                    "!" => Step::Refuse,
                    code => Step::Move(OrderState::parse(code).expect("a state")),
                };
                assert_eq!(
                    next_state(*state, event),
                    expected,
                    "{state:?} on {event:?}"
                );
            }
        }
    }

    #[test]
    fn the_same_event_twice_never_moves_twice() {
        for state in OrderState::ALL {
            for event in OrderEvent::ALL {
                if let Step::Move(next) = next_state(state, event) {
                    let again = next_state(next, event);
                    assert!(
                        !matches!(again, Step::Move(_)),
                        "{state:?} on {event:?} twice"
                    );
                }
            }
        }
    }

    #[test]
    fn a_token_does_not_print() {
        let token = AccessToken("secret".to_owned());
        assert!(!format!("{token:?}").contains("secret"));
    }
}
