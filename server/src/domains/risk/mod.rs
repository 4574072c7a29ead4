//! Risk: what is asked before money moves.
//!
//! The owner has rules, which are data: each counts something in a window by a key and, at its
//! threshold, challenges, holds for a review or refuses; in shadow mode it decides and is written
//! down, and acts on nothing. Two lists go before the rules: who is allowed is let through, who is
//! blocked is refused. A checkout asks [`ask()`] before anything is placed and before a provider is
//! asked, and so does another try to pay; renewals, upgrades and invoices of usage aren't asked,
//! since they are of people whose money came before.
//!
//! It is asked in the transaction that places the order, so it fails as that does: closed. A
//! feature that isn't known (no network address, no mail) counts nothing: for that, open.
//!
//! # Invariants
//! * A rule counts what is before it in its window, the purchase that asks included; what was
//!   refused isn't counted again, so waiting helps even who kept trying.
//! * The allow list beats the block list, and both beat the rules.
//! * A rule in shadow mode changes no outcome.
//! * No mail and no network address is stored: keyed hashes are, and forgotten after 90 days.
//! * A decision is written down in the commit that it let through; a refusal, which undoes its
//!   commit, in one of its own right after.
//!
//! # Tables
//! `risk_rule`, `risk_entry`, `risk_signal`, `risk_decision`, `risk_review`.
//!
//! Start reading at [`model::Terms`], then [`ask()`].

mod ask;
mod built_in;
mod hash;
pub mod http;
mod lists;
pub mod model;
pub mod ops;
mod preview;
mod review;
pub mod sql;
mod views;

pub use ask::{
    Asked, FORGET_JOB, Forget, NoteRefusal, ask, declined, forget, keep, note_refusal, plan_forget,
    short,
};
pub use built_in::rules as built_in;
pub use hash::{domain_hash, network_hash};
pub use lists::{AddEntry, Known, LiftEntry, add_entry, lift_entry};
pub use model::{
    Action, By, Counts, Decision, Entry, EntryKind, Looked, Mode, Outcome, RiskError, Rule, Side,
    Step, Terms,
};
pub use ops::{ChangeRule, CreateRule, DeleteRule, change_rule, create_rule, delete_rule, rules};
pub use preview::{Preview, preview};
pub use review::{
    HELD, LET_GO, REVIEW_FACT, Review, ReviewState, Reviews, begins, close, end_with_money,
    is_waiting, of_order, reopen, reviews, waiting,
};
pub use views::{Decisions, Entries, decisions, entries, is_challenged};
