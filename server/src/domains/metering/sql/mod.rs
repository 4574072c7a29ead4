//! All SQL of usage.

mod report;

pub use report::{disputed, series_of_license, series_of_product, top_licenses, totals};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[report::ALL];
