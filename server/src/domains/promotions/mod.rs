//! Promotions: codes that make a seller's products cheaper.
//!
//! A seller writes a coupon: a code, what it takes off, and for which products, buyers, times and
//! quantities. A checkout asks [`discounts`] what its codes do to its lines, in the lines' order,
//! and takes the units with [`take`] in the commit that places the order. The seller bears every
//! discount: it is taken off the price before shares and tax are reckoned.
//!
//! Sellers also list here where their buy button may be embedded ([`hosts`]).
//!
//! # Invariants
//! * Units taken never exceed a coupon's limit at a checkout: the last one goes to one buyer.
//!   Money that comes after its order expired takes its units again, even beyond the limit, since
//!   the price was promised.
//! * A line has one discount at most, and never more than its price.
//! * A refused code names its reason and takes nothing.
//! * Addresses are kept as keyed hashes.
//!
//! # Tables
//! `coupon`, `coupon_use`, `embed_host`.
//!
//! Start reading at [`model::apply`], which is the whole rule.

pub mod hosts;
pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use hosts::{EmbedHost, OwnHosts, SetHosts, hosts_of, own_hosts, set_hosts};
pub use model::{
    Amount, Candidate, Coupon, Discount, Lasts, PromotionError, Refusal, Rule, fold_code,
};
pub use ops::{
    Asked, Buyer, CreateCoupon, OwnCoupons, SwitchCoupon, Taken, UpdateCoupon, address_hash,
    by_code, contention_key, create_coupon, discounts, free_slot, lasting_of, own_coupons,
    retake_slot, switch_coupon, take, update_coupon,
};
