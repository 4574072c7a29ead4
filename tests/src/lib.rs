//! The shared test harness: a Mintreu per test, on both engines, audited at its end.

pub mod audit;
pub mod audit_commerce;
pub mod audit_licensing;
pub mod audit_log;
pub mod audit_papers;
pub mod audit_payouts;
pub mod source;
pub mod test_app;
pub mod test_server;

pub use test_app::TestApp;
pub use test_server::{Browser, TestServer};
