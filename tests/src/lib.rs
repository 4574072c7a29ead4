//! The shared test harness: a Mintreu per test, on both engines, audited at its end.

pub mod audit;
pub mod test_app;

pub use test_app::TestApp;
