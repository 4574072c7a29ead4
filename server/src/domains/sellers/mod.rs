//! Sellers' standing: the platform suspends one or lets them sell again, and accounts are closed.
//!
//! A change is one commit: the seller's row says where they stand, and every product, checkout, renewal
//! and payout asks that row, so all of it holds from then on. What lists read, and what buyers of
//! subscriptions are told, follows by a job, a page at a time. What each standing means is told in
//! `docs/sellers.md`.
//!
//! # Invariants
//! * Only the platform's owner changes another's standing; a seller closes their own account, and
//!   nothing else.
//! * Every change has a reason, who made it, and its number; the same standing again changes nothing.
//! * A job that was overtaken by a later change does nothing.
//! * A closed account is opened again by the owner alone, before the last of its money is sent.
//!
//! # Tables
//! `seller_standing`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{CLOSED_FACT, Change, RESUMED_FACT, SUSPENDED_FACT, SellerError, Standing};
pub use ops::{
    CloseOwn, FOLLOW_JOB, FollowPayload, OwnStanding, Page, SellerAt, SellerRow, Sellers,
    SetStanding, close_own, follow, own_standing, reason_of, seller_at, sellers, set_standing,
};
