//! Subscriptions: what somebody pays for again and again.
//!
//! A recurring line of a paid order begins one, in the commit that fulfils the order; so does a
//! trial. A job ends each period: it advances the cycle, places the bill (an order like any other)
//! and has a saved method charged between transactions. What came of the charge settles on the way
//! of every payment, and `fulfilment` tells this domain. A declined renewal is tried again after
//! 2, 5, 7 and 7 days; its license works for 7 days, then it is suspended.
//!
//! # Invariants
//! * [`next_status`] is total: every event in every state moves, is done, changes nothing, or is
//!   refused.
//! * Each cycle is counted from the anchor in the buyer's time zone, so none drifts.
//! * What is used and what is left of a paid period add up to what was paid for it, and a quote
//!   holds until the buyer's midnight.
//! * A period is renewed once, whoever runs its job and however often.
//! * Nothing that costs something now changes before it is paid.
//! * A charge has an end: one that is never answered is asked after, and has failed unless it was paid.
//! * What a guest leaves by an order's link is charged for that order's subscription alone, and for none
//!   that is in an account.
//! * Price, platform's share and payment tariff are those of the beginning, until the buyer
//!   changes the plan, or a new price was announced 30 days before and they didn't refuse it.
//! * Each person tries a product once, by account and by address; how long a price can be tried is the
//!   price's own, and changes nothing for who has begun.
//! * While its seller is suspended nothing of it is charged and what was paid for works on; when the
//!   seller's account is closed it ends with its period.
//! * Where a product was given up nothing of it goes on beyond what is paid, and each buyer is told once.
//! * One license, one subscription, for as long as both live: coming back keeps the license.
//!
//! # Tables
//! `subscription`, `subscription_bill`, `subscription_fees`, `subscription_trial`,
//! `subscription_trial_address`, `subscription_consent`, `subscription_method_setup`,
//! `subscription_discontinuation`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{
    Bill, BillKind, Change, ChangeQuote, Cycle, DISCONTINUED, Discontinuation, Event, Flags,
    Living, Paid, Quote, RETRY_DAYS, SELLER_CLOSED, Status, Step, Subscription, SubscriptionError,
    Unit, next_status,
};
pub use ops::*;
