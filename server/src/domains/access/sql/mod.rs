//! SQL of access: keys and their secrets, and slices.

mod keys;
mod slices;

pub use keys::Found;
pub(super) use keys::{
    count_keys, delete_key, end_secrets, find_secret, insert_key, insert_secret, key_by_id,
    keys_of_license, update_key,
};
pub use slices::QuotaSlice;
pub(super) use slices::{count_live, forget_slices, newest_slice, set_slice};

/// Every statement here, for the test that prepares them.
pub const ALL: &[&[&str]] = &[keys::ALL, slices::ALL];
