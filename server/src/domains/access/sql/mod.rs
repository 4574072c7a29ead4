//! SQL of access: keys and their secrets, quotas and reservations.

mod keys;
mod quotas;

pub use keys::Found;
pub(super) use keys::{
    count_keys, delete_key, end_secrets, find_secret, insert_key, insert_secret, key_by_id,
    keys_of_license, update_key,
};
pub use quotas::Reservation;
pub(super) use quotas::{
    count_open, held, insert_reservation, reservation, set_used, settle_reservation, used,
};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[keys::ALL, quotas::ALL];
