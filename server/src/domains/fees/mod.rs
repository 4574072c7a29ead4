//! Fees: what the platform takes of a sale, and why just that.
//!
//! The owner sets rules for the whole platform, a category, a developer or a product. A sale asks
//! for the nearest one: what was agreed for its own line, then the product's, the developer's, the
//! category's (the nearest first) and the platform's; the settings answer when nobody set any. The
//! answer says which rule it was, and is kept with the line: renewals and usage invoices that come
//! of a sale go by it.
//!
//! What providers take for chargebacks is kept here too, by currency.
//!
//! # Invariants
//! * Rules are appended, never changed or deleted; no rule begins in the past, so none touches an
//!   earlier sale.
//! * A share is between ten and twenty percent.
//! * Every line sold has the share it was sold at, the rule it came from, and a sentence.
//!
//! # Tables
//! `fee_rule`, `order_line_fee`, `dispute_fee`.
//!
//! Start reading at [`model::Scope`], then [`Resolver`].

pub mod disputes;
pub mod http;
pub mod model;
pub mod ops;
mod resolve;
pub mod sql;

pub use disputes::{DisputeFee, SetDisputeFee, dispute_fee, dispute_fees, set_dispute_fee};
pub use model::{Agreed, FeeError, Rule, Scope};
pub use ops::{
    Example, Listed, Preview, RulesPage, RulesQuery, SetRule, keep, of_line, of_sale, preview,
    rules, set_rule,
};
pub use resolve::{Resolver, Subject};
