//! Wishes: what buyers do themselves to get their money back.
//!
//! Whoever bought at a distance may withdraw within fourteen days, without a reason. They say so in
//! two steps, are told at once in writing what they declared, and get back all that they paid for
//! those lines. What was supplied at once with their waiver is final; a subscription isn't, since it
//! is supplied bit by bit.
//!
//! Whoever can't, or no longer, may wish for a refund of a line. Its seller grants it, in part too, or
//! declines it with words; who doesn't answer in 72 hours is passed over, and the platform answers.
//! A buyer may ask the platform once after a seller's no. Money that was granted and comes back is
//! sent again by whoever is asked.
//!
//! # Invariants
//! * A line is withdrawn from once; saying it again answers the same.
//! * The declaration, its refund and the fact that the acknowledgement is written from are one commit.
//! * Of a line, one wish waits at most; each is answered once by each who is asked.
//! * Money is moved by `refunds` alone, by its own rules: nothing goes back while a bank asks.
//! * An order is its buyer's, who is signed in or holds its token; for others there is none.
//!
//! # Tables
//! `withdrawal`, `refund_wish`.
//!
//! Start reading at [`model`], then [`ops`]; wishes are in [`asking`] and [`wish`].

pub mod asking;
pub mod http;
pub mod model;
pub mod ops;
pub mod sql;
pub mod wish;

pub use asking::{Answerer, MAX_WORDS, Wish, WishError, WishState};

pub use model::{
    OfLine, Standing, WITHDRAWAL_DAYS, Withdrawal, WithdrawalError, WithdrawalView, ends_at,
};
pub use ops::{ViewWithdrawal, Withdraw, declared_of, view_withdrawal, withdraw};
pub use wish::{
    AnswerEscalated, AnswerWish, DECLINED_FACT, ESCALATE_JOB, ESCALATED_FACT, EscalatePayload,
    FAILED_FACT, GRANTED_FACT, GoOn, OPENED_FACT, OpenWish, OwnOrder, PAGE, Step, TAKEN_BACK_FACT,
    Verdict, WishesQuery, answer_escalated, answer_wish, escalate, escalated, go_on, on_fact,
    open_wish, own_wishes, wish_by_id, wishes_at,
};

/// The fact of a declaration; what it is about is the refund that answers it.
pub const WITHDRAWN_FACT: &str = "withdrawal.declared";
