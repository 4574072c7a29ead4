//! Wishes: what buyers do themselves to get their money back.
//!
//! Whoever bought at a distance may withdraw within fourteen days, without a reason. They say so in
//! two steps, are told at once in writing what they declared, and get back all that they paid for
//! those lines. What was supplied at once with their waiver is final; a subscription isn't, since it
//! is supplied bit by bit.
//!
//! # Invariants
//! * A line is withdrawn from once; saying it again answers the same.
//! * The declaration, its refund and the fact that the acknowledgement is written from are one commit.
//! * Money is moved by `refunds` alone, by its own rules: nothing goes back while a bank asks.
//! * An order is its buyer's, who is signed in or holds its token; for others there is none.
//!
//! # Tables
//! `withdrawal`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{
    OfLine, Standing, WITHDRAWAL_DAYS, Withdrawal, WithdrawalError, WithdrawalView, ends_at,
};
pub use ops::{ViewWithdrawal, Withdraw, declared_of, view_withdrawal, withdraw};

/// The fact of a declaration; what it is about is the refund that answers it.
pub const WITHDRAWN_FACT: &str = "withdrawal.declared";
