//! Taxes: where a sale is taxed, how high and why, and what is owed to whom.
//!
//! The platform is the seller of record. While it is registered nowhere, every sale bears a zero
//! with that reason. Once it says where it is, a sale is taxed where its buyer is, by a compiled-in
//! table of rates and the owner's own ones. The rule is pure ([`model::rule`]); who sells asks it
//! through [`tax_for`] and keeps the answer with the line.
//!
//! # Invariants
//! * Base and tax add up to what the buyer pays, in every currency.
//! * A rate is a row with the instant from which it holds; what was sold keeps its own.
//! * Every sale that is posted and every way back stands once in `tax_movement`, in the same
//!   commit, so that what they come to is the balance of the ledger's tax account.
//! * VAT ids stand in `tax_evidence` and `tax_buyer` alone, and in no log.
//!
//! # Tables
//! `tax_policy`, `tax_own_rate`, `tax_evidence`, `tax_buyer`, `tax_movement`, `invoice_tax`.
//!
//! Start reading at [`model::rule`].

pub mod http;
pub mod model;
pub mod movements;
pub mod ops;
pub mod places;
pub mod rates;
pub mod sql;
pub mod vat_id;

pub use model::{Buyer, Policy, Tax, TaxError, Taxed, Why, percent, rule};
pub use movements::{AskReport, Movement, ReportLine, Way, keep_invoice, note, of_invoice, report};
pub use ops::{
    AskEvidence, Evidence, OwnPlace, SetOwnPlace, SetPolicy, SetRate, TaxTable, buyer_again,
    evidence_of, locate, note_method, own_place, policy, policy_of, set_own_place, set_policy,
    set_rate, table, tax_for,
};
pub use places::Place;
pub use vat_id::VatId;
