//! Billing: from counted usage to an invoice, one period at a time.
//!
//! A license with meters has a *plan*: the tariffs as they were when it was bought, and the period
//! that is running (months from the purchase). Closing a period asks `metering` for the cumulative
//! totals, subtracts what earlier periods settled, rates the difference, issues the invoice, posts
//! it and moves the plan to its next period, all in one commit. Because totals are cumulative,
//! usage that arrives late is simply part of the next period, and nothing is ever billed twice. By
//! the product's policy it is instead rated with the period it happened in, [`late`], and settled
//! there.
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
//! * A plan that ended bills nothing.
//! * The rated lines of a bill add up to what it asks for; a credit is never overdrawn, and its
//!   burns add up to what is gone from it.
//! * A finalized invoice and its ledger transaction are one commit, of the same amount.
//!
//! # Tables
//! `metered_plan`, `metered_plan_meter`, `metered_plan_row`, `metered_terms`, `metered_closed`,
//! `metered_closed_meter`, `rated_line`,
//! `usage_credit`, `usage_credit_burn`, `usage_report`.
//!
//! Start reading at [`ops::close_period`], then [`rated`] and [`model`].

pub mod credits;
pub mod http;
mod ends;
mod late;
pub mod model;
pub mod ops;
mod overview;
pub mod owed;
mod periods;
pub mod rated;
pub mod reports;
pub mod sql;
mod tax;
pub mod terms;

pub use super::metering::LATE_JOB;
pub use credits::{
    CreditsOfLicense, GrantCredit, Held, HeldCredit, credits_of_license, grant_credit,
};
pub use ends::{LastBill, end_plan, resume_plan};
pub use late::{BillLate, LatePolicy, bill_late};
pub use model::{Billed, BillingError, Plan, PlanMeter};
pub use ops::{
    BillNow, CLOSE_JOB, ClosePeriod, StartPlan, bill_now, close_period, close_period_job,
    give_plans, settle_invoice, start_plan,
};
pub use overview::{
    LicenseUsage, MeterUsage, MyUsage, ProductUsage, UsageOfLicense, UsageOfProduct, license_usage,
    my_plans, product_usage, usage_of_account,
};
pub use owed::{OVERDUE_FACT, REMIND_JOB, VoidAny, VoidInvoice, remind, void_any, void_invoice};
pub use periods::{ClosedPeriod, PastMeter, PastPeriod, PeriodOfLicense, QuotaLeft, past_period};
pub use rated::{PlanTerms, RatedLine, RatedLines, rated_lines};
pub use reports::{
    Cadence, MyReports, Preference, REPORT_FACT, REPORT_JOB, WishReports, my_reports,
    send_usage_reports, wish_reports,
};
pub use terms::{
    LateOf, SetLate, SetTerms, THRESHOLD_JOB, TermsOf, check_threshold, late_of, set_late,
    set_terms,
};
