//! All SQL of quotas: their open windows, reservations, and what devices were lent.

mod leases;
mod uses;

pub use leases::{LentUnits, UnitsHolder, WrittenOff, write_offs_of_product};
pub(super) use leases::{all_of, lent_of, newest, save, unaccounted, write_off, write_offs};
pub use uses::{
    Cell, Reservation, count_open, insert_reservation, reservation, settle_reservation,
};
pub(super) use uses::{keep, kept, reserved};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[uses::ALL, leases::ALL];
