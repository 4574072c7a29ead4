//! Payouts: what sellers are sent of what they earned, and the statement of each.
//!
//! A run looks at every releasable balance, a page a job, and either makes a payout or notes why
//! not. A payout takes its amount out of the balance in the commit that makes it, and a job asks
//! the provider to send it under the payout's id. What the provider says arrives as a row and a
//! job, as with payments; the job moves the payout and the books in one commit.
//!
//! # Invariants
//! * A payout is taken from the balance once and asked for under its id, so a crash between any two
//!   steps sends it once; a seller has one under way in a currency at most.
//! * The balance after a payout is never below zero; what becomes releasable behind the cut-off
//!   waits for the next run.
//! * Money that doesn't arrive is the seller's again in the commit that learns of it, once.
//! * Every seller and currency with a balance that a run passes over has a note with its reason.
//! * Nothing is paid to a suspended seller; what is left of a closed account is paid once, when it was
//!   closed for [`CLOSING_DAYS`].
//! * A statement is a closed set of ledger entries: it never changes, and the next one begins with
//!   what it left. Its numbers have no gaps, in a series of each seller.
//!
//! # Tables
//! `payout_seller`, `payout_setting`, `payout_run`, `payout`, `payout_skip`, `payout_event`,
//! `payout_write_off`.
//!
//! Start reading at [`model`], then [`runs`]; the way to the provider is in [`flow`].

pub mod flow;
pub mod http;
pub mod model;
pub mod ops;
pub mod runs;
pub mod settle;
pub mod sql;
pub mod views;

pub use flow::{SEND_JOB, SendPayload, send};
pub use model::{
    CLOSING_DAYS, Payout, PayoutError, Run, SellerState, Setting, Skip, SkipReason, State, Step,
    Verdict, WriteOff,
};
pub use ops::{
    RetryPayout, SetSeller, SetSettings, WriteOffDebt, retry_payout, set_seller, set_settings,
    write_off,
};
pub use runs::{
    CONSIDER_JOB, ConsiderPayload, PayAgain, StartRun, WEEKLY_JOB, WeeklyPayload, consider,
    pay_again, plan_weekly, start_run, weekly,
};
pub use settle::{ReceivePayoutEvent, SETTLE_JOB, SettlePayload, receive_event, settle_event};
pub use views::{
    BalanceView, MyPayouts, Payees, PayoutQuery, PreviewLine, PreviewQuery, RunQuery, RunView,
    SellerBalances, StatementPage, StatementQuery, balances, my_payouts, payees, payout, preview,
    run, runs as list_runs, statement, statement_parties,
};
