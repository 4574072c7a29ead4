//! Payments: attempts to be paid, and the inbox of what providers tell about them.
//!
//! A payment is one attempt to be paid for a [`Payable`], an opaque text that only the caller can
//! read. A provider's webhook becomes one row of the inbox and one job in one commit; what it
//! means is decided by that job, in `fulfilment`.
//!
//! # Invariants
//! * One event of a provider is one row, however often and in whatever order it is delivered.
//! * Attempts of a payable are numbered; a new one starts only when the last one has ended.
//! * While a saved method is being charged, nobody is led to a page to pay the same.
//! * A payment that succeeded never changes again; a late success beats a failure.
//! * An event changes a payment only when amount and currency are those that were asked for.
//!
//! # Tables
//! `payment`, `payment_event`.
//!
//! Start reading at [`model`], then [`ops`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{
    EventKind, MethodUse, Payable, Payment, PaymentError, PaymentEvent, PaymentState, ProviderEvent,
};
pub use ops::{
    AttachSession, Inbox, NewPayment, ReceiveEvent, SETTLE_JOB, SettlePayload, attach_session,
    by_id, close, event, expect, hand_to_caller, latest, of_event, paid_by, receive_event,
    record_outcome, settle,
};
