//! Refunds and disputes: money that goes back, and everything that follows from it.
//!
//! A refund is asked for by the seller of a line, by the platform, by a buyer who withdraws, or at the
//! provider itself; it reserves what it will take, asks the provider between transactions, and takes
//! effect when the provider says so. A dispute is the provider's to tell of, from the first warning
//! to the bank's decision; it is an entity of its own and never a state of the order, or of the invoice of usage,
//! that was paid for. Both take from
//! the parts of an order's lines ([`crate::domains::ledger::give_back`]), and both can be undone: a
//! refund that fails afterwards, a dispute that is won.
//!
//! # Invariants
//! * Of a line, what is reserved and taken by all refunds and disputes is at most what was sold.
//! * Ledger, hold, order and license change in the commit that changes the refund or dispute.
//! * Nothing is refunded while a bank has the money, or asks for it.
//! * What is told again, late or out of order changes nothing.
//! * A license whose money is gone doesn't work (unless the refund says keep); when the money
//!   comes back, so does the license; what its seller withdrew by hand stays withdrawn.
//!
//! # Tables
//! `refund`, `dispute`, `line_reversal`, `dispute_decision`, `invoice_refund`,
//! `invoice_reversal`.
//!
//! Start reading at [`model`], then [`ops`], [`disputes`] and [`effect`]; the way through the
//! gateway is in [`flow`]; invoices of usage are in [`usage`] and
//! [`usage_disputes`].

mod disputed;
pub mod disputes;
pub mod effect;
pub mod flow;
pub mod http;
pub mod model;
pub mod ops;
pub mod pages;
mod papers;
pub mod preview;
pub mod queue;
mod review;
pub mod sql;
pub mod usage;
pub mod usage_disputes;
mod usage_pages;

pub use disputes::find as find_dispute;
pub use effect::{catch_up, is_gone};
pub use flow::{SEND_JOB, SendPayload, send_refund};
pub use model::{
    By, Dispute, DisputeState, LineReversal, PaidFor, Reason, Refund, RefundError, RefundState,
    ReversalState, Taken,
};
pub use ops::{
    AskRefund, Heard, RefundBundle, RefundOrder, RefundSale, hear, refund_bundle, refund_order,
    refund_sale, withdraw,
};
pub use pages::{
    OfLine, OfOrder, ends_subscription, is_disputed, left_of, of_line, of_order, open_disputes,
    refundable, states_of, taken_by_bank, taken_of,
};
pub use preview::{LicenseFate, Preview, preview_bundle, preview_sale};
pub use queue::{
    Decide, Decided, Decision, Queue, QueueQuery, Queued, decide, dispute_queue, queued,
};
pub use usage::{
    AskInvoiceRefund, InvoiceRefund, RefundInvoice, RefundUsage, refund_invoice, refund_usage,
};
pub use usage_pages::{
    OfInvoice, disputes_of_invoice, disputes_of_invoices, of_invoice, refunds_of_invoice,
    taken_of_invoice,
};
