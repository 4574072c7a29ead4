//! Invoices: finalized documents with numbers that have no gaps.
//!
//! An invoice is issued in one go, inside the commit of what caused it: lines, total and number
//! together, never edited afterwards except for its state (open, then paid). Each line keeps what
//! a person needs to check it years later: the tariff it was rated by, the units, the free units
//! and a sentence with the arithmetic. This domain knows nothing of usage or of ledgers; `billing`
//! brings the lines and posts the amounts.
//!
//! # Invariants
//! * Numbers of one issuer's series rise by one, in the order of commits; a rolled-back commit
//!   takes none.
//! * One source (`usage:lic_…:3.0`), one invoice: issuing again answers the invoice that is there.
//! * The lines add up to the total, which is above zero.
//! * The customer, the seller and the platform see an invoice; to others it doesn't exist.
//!
//! # Tables
//! `invoice_series`, `invoice`, `invoice_line`.
//!
//! Start reading at [`ops::issue`].

pub mod http;
pub mod model;
pub mod ops;
pub mod sql;

pub use model::{Invoice, InvoiceError, InvoiceLine, InvoicePage, NewInvoice, NewLine, State};
pub use ops::{
    CONTENDED, InvoiceQuery, ListInvoices, find, invoice, issue, issued, list, mark_paid,
    of_license, take_number,
};
