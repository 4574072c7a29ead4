//! Quotas: what is left of a license's units, whoever spends them.
//!
//! A license sets units of a meter for each window. Keys of an API spend them here, one question at
//! a time, by reservation or by slices that nodes hold; devices that share a quota spend what they
//! were lent, without a network. All of it comes out of one account: [`ops::position`] says what a
//! window has left beside what anybody used or holds, and [`ops::keep`] writes down what changed.
//! When a window opens, what was left of the one before is carried over as the license says; units
//! that come back late count too, until the window after theirs is over.
//!
//! # Invariants
//! * What is used and held of a window is never more than its limit, what was carried into it and
//!   the overage that the license allows; but for what a seller wrote off after its lease was over.
//! * Windows open only forward: a clock that was set back goes on in the newest.
//! * What a device or a node was lent stays deducted until it says that it uses no more.
//! * An alert is told once in a window.
//!
//! # Tables
//! `quota_use`, `reservation`, `unit_lease`, `unit_write_off`.
//!
//! Start reading at [`model::Position`], then [`ops::position`] and [`leases::lend_units`].

pub mod http;
pub mod leases;
pub mod model;
pub mod ops;
pub mod sql;

pub use leases::{LendUnits, Units, WriteOffUnits, lend_units, lent_units, write_off_units};
pub use model::{MAX_REASON, Position, QuotaError};
pub use ops::{Moved, REACHED_FACT, keep, lock, moved, position};
pub use sql::{
    LentUnits, Reservation, WrittenOff, count_open, insert_reservation, reservation,
    settle_reservation, write_offs_of_product,
};
