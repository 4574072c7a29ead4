//! Gifts: an order that one person pays for and another gets.
//!
//! The whole order is the gift: it has one receipt, one recipient and one link that claims it. What
//! shall go to several people is bought in several orders. Nothing is handed over when the order is
//! paid; the recipient claims it, with an account or without one, and only then are its licenses
//! issued, so that they run from that day and their keys are never the buyer's to see. What claiming
//! hands over is `fulfilment`'s business, which knows orders, licenses and refunds; here is who may.
//!
//! # Invariants
//! * A gift is claimed once, whatever happens at the same time.
//! * The secret of the link that claims is derived, never stored; its hash is.
//! * A corrected address makes a new link, and the one before opens nothing.
//! * Addresses, names and messages stand in `gift_contact` alone.
//! * At most [`MAX_SENDINGS`] mails go out for a gift.
//!
//! # Tables
//! `gift`, `gift_contact`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod model;
pub mod ops;
pub mod sql;

pub use model::{Gift, GiftError, GiftState, MAX_MESSAGE, MAX_NAME, NewGift, Recipient};
pub use ops::{
    ClaimToken, MAX_SENDINGS, SEND_JOB, SendPayload, adopt, by_id, claim_token, correct, find,
    give, is_given, keep, of_order, recipient, send, take,
};
