//! Use cases of access.
//!
//! Invariants
//! * A customer's key is reached through a license that they own, and in no other way.
//! * A question is decided and counted in one commit.

pub mod check;
pub mod identify;
pub mod keys;
pub mod reserve;
pub mod slices;

use crate::custody::Custody;
use mintreu::gateway::Token;

/// What secrets are hashed for.
const KEY_PURPOSE: &str = "access.api_key";

fn key_mac(keys: &Custody, secret: &Token) -> [u8; 32] {
    keys.mac(KEY_PURPOSE, secret.reveal().as_bytes())
}
