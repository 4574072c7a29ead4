//! Invoices and credit notes: finalized documents with numbers that have no gaps.
//!
//! An invoice is issued in one go, inside the commit of what caused it: lines, total and number
//! together, never edited afterwards except for its state (open, then paid or void). Each line keeps what
//! a person needs to check it years later: the tariff it was rated by, the units, the free units
//! and a sentence with the arithmetic; a line of an order repeats what it was sold for, with its
//! tax. This domain knows nothing of usage, orders or ledgers; `billing` and `orders` bring the
//! lines, `refunds` brings what goes back.
//!
//! # Invariants
//! * Numbers of one issuer's series rise by one, in the order of commits; a rolled-back commit
//!   takes none.
//! * One source (`usage:lic_…:3.0`), one invoice: issuing again answers the invoice that is there.
//! * The lines add up to the total, which is above zero. What costs nothing has no invoice: nothing
//!   was sold that a tax office or a buyer's books would want to see, and peers issue none either.
//! * A line of an order stands on one invoice. Of it no more is credited than it added, corrections
//!   counted.
//! * A credit note is never changed. When its money came back after all, a correction takes it back.
//! * The customer and the platform see an invoice, a seller the own lines; to others it doesn't
//!   exist. Who the buyer is stands apart, and no seller sees it.
//!
//! # Tables
//! `invoice_series`, `invoice`, `invoice_line`, `invoice_sale`, `invoice_party`, `invoice_issuer`,
//! `credit_note`, `credit_note_line`.
//!
//! Start reading at [`ops::issue`], then [`credits::credit`] and [`parties()`].

pub mod credits;
pub mod http;
pub mod lists;
pub mod model;
pub mod ops;
pub mod parties;
pub mod sql;

pub use credits::{
    Back, CORRECTED_FACT, CreditKind, CreditLine, CreditNote, CreditQuery, CreditView, ISSUED_FACT,
    NewCredit, NewUsageCredit, credit, credit_note, credit_usage, credits_of, find_credit,
    take_back, whole_credit,
};
pub use lists::{AskSpans, ListPapers, Paper, PaperId, PaperPage, papers, spans_with_papers};
pub use model::{
    Invoice, InvoiceError, InvoiceLine, InvoicePage, Issuer, NewInvoice, NewLine, Sold, State,
    TaxSnapshot,
};
pub use ops::{
    CONTENDED, InvoiceQuery, ListInvoices, Sale, by_id, find, give, invoice, issue, issue_sale,
    issued, lines, list, mark_paid, mark_void, of_license, of_order, take_number, usage_tax,
};
pub use parties::{KeepIssuer, Parties, Party, complete_buyer, issuer_at, keep_issuer, parties};
