//! Billing: from counted usage to an invoice, one period at a time.
//!
//! A license with meters has a *plan*: the tariffs as they were when it was bought, and the period
//! that is running (months from the purchase). Closing a period asks `metering` for the cumulative
//! totals, subtracts what earlier periods settled, rates the difference, issues the invoice, posts
//! it and moves the plan to its next period, all in one commit. Because totals are cumulative,
//! usage that arrives late is simply part of the next period, and nothing is ever billed twice.
//!
//! An invoice can be asked for early: it bills what the running period costs so far, less what was
//! invoiced in it before, so that free units and tiers still count once a period.
//!
//! # Invariants
//! * Over any history of closings, the units settled and the units of the running period add up to
//!   the units counted.
//! * What a period's invoices add up to is what its units rate to; a credit or debit that no
//!   invoice could carry moves to the next period.
//! * Closing the same period again changes nothing.
//! * A finalized invoice and its ledger transaction are one commit, of the same amount.
//!
//! # Tables
//! `metered_plan`, `metered_plan_meter`.
//!
//! Start reading at [`ops::close_period`], then [`model`].

pub mod http;
pub mod model;
pub mod ops;
mod overview;
pub mod sql;

pub use model::{Billed, BillingError, Plan, PlanMeter};
pub use ops::{
    BillNow, CLOSE_JOB, ClosePeriod, StartPlan, bill_now, close_period, close_period_job,
    settle_invoice, start_plan,
};
pub use overview::{
    LicenseUsage, MeterUsage, MyUsage, ProductUsage, UsageOfLicense, UsageOfProduct, license_usage,
    my_plans, product_usage,
};
