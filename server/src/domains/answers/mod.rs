//! Answers: what a bank that asks about a payment is told, until when, and by whom.
//!
//! When a bank asks or takes the money, a draft begins. The house puts in what it knows (the order,
//! its papers, what was agreed, licenses and what was done with them, refunds); the seller adds what
//! only they know and hands it in once, or gives the dispute up. Who does nothing is answered for:
//! shortly before the bank's deadline the house hands in what it gathered.
//!
//! # Invariants
//! * Of each stage that a bank asks at, one answer is handed in at most, and it changes no more.
//! * What was gathered is kept as it was handed in; the buyer's address is read when it is sent and
//!   kept nowhere here.
//! * The seller of all of an order answers; where several sellers share one, the platform does, since
//!   each may know of their own lines alone.
//! * The provider is asked between transactions; asking twice tells it once.
//!
//! # Tables
//! `dispute_answer`.
//!
//! Start reading at [`model`], then [`ops`]; what the house knows is in [`gather`], the way through
//! the gateway in [`flow`].

pub mod flow;
pub mod gather;
mod matter;
pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use flow::{
    DEFAULT_JOB, REMIND_JOB, SEND_JOB, answer_by_default, on_fact, remind, send_answer,
};
pub use model::{Answer, AnswerError, AnswerState, Known, MAX_TEXT, Texts};
pub use ops::{
    AnswerAny, AnswerDispute, AnswerView, Asked, Step, Wanted, answer, answer_any, answers_of,
    days_left, view_answer,
};

/// The fact of an answer that the provider took.
pub const SUBMITTED_FACT: &str = "dispute.evidence_submitted";
/// The fact of an answer that the provider refused.
pub const REFUSED_FACT: &str = "dispute.evidence_refused";
/// The fact of a dispute that was given up.
pub const ACCEPTED_FACT: &str = "dispute.accepted";
/// The fact of an answer that is still missing a day before it is due.
pub const DUE_FACT: &str = "dispute.evidence_due";
