//! Moving in: licenses of other vendors, read so that their customers keep what they bought.
//!
//! Each vendor's formats are one module. What they say becomes a typed value; turning that into
//! licenses of one's own is up to the caller, as `mintreu import` does.
//!
//! # Invariants
//!
//! * Nothing is believed, and nothing decrypted, before its signature was verified, strictly.
//! * What a format leaves unsigned is decided by the caller.
//! * Pure: no file, no clock; sizes are bounded before anything is decoded.

pub mod keygen;

mod instant;
