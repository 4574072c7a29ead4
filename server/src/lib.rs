//! The Mintreu marketplace server.

// Machinery: knows no domain.
pub mod app;
pub mod caller;
pub mod custody;
pub mod events;
pub mod problem;
pub mod queue;
pub mod store;
pub mod text;
// The domains.
pub mod domains;
