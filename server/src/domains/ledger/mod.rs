//! The ledger: balanced entries, and the only place where money moves.
//!
//! A use case builds a [`Balanced`] transaction (a type that cannot exist unbalanced) and posts it
//! under a key that names its cause. Posting the same key with the same content again changes
//! nothing; with other content it is refused. Nothing is ever edited: a mistake is answered by
//! [`reverse`]. What a sale is divided into is decided by [`split`], which is pure.
//!
//! # Invariants
//! * Entries of one transaction sum to zero in every currency; so does the whole ledger.
//! * One posting key, one transaction; one transaction, at most one reversal.
//! * Debits are positive, credits negative; an account has one currency and one owner.
//! * The parts of a split add up to what the buyer pays, and the seller's part is never negative.
//! * An entry is in one closing at most; each closing begins with what the one before left.
//! * Every seller's and affiliate's part is held first and becomes releasable once, at its date,
//!   with its reason.
//! * Of no part goes more back than came, however a refund is cut; all went back of what was
//!   refunded in full.
//!
//! # Tables
//! `ledger_account`, `ledger_transaction`, `ledger_entry` (append-only), `ledger_escrow`,
//! `ledger_closing`, `ledger_closed_entry`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod closings;
pub mod explore;
pub mod http;
pub mod escrow;
pub mod giveback;
pub mod model;
pub mod ops;
pub mod sql;
pub mod split;

pub use closings::{
    After, Candidate, Closing, Due, Held, MAX_MOVEMENTS, Movement, candidates, close, closing, due,
    held, movements, paid_by,
};
pub use escrow::{explain, freeze, hold_of, put_back, take_held, thaw};
pub use giveback::{Fees, GiveBackError, Part, Parts, give_back};
pub use model::{Account, AccountKind, Balanced, Entry, LedgerError, Posting, Reason};
pub use ops::{
    Balance, Hold, Posted, RELEASE_JOB, ReleasePayload, TrialBalance, credited, hold, hold_in,
    least, may_refund, post, release, reverse, reverse_key, seller_balances, trial_balance,
};
pub use split::{FeePolicy, PaymentTariff, Split, SplitError, SplitLine, Traffic, split_sale};
