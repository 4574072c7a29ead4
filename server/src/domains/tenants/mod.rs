//! Tenants: one host, brand and policy each.
//!
//! Invariants
//! * Every row that belongs to a shop leads its unique keys with `tenant_id`.
//! * A host belongs to one tenant; [`DEFAULT`] answers where no other does.

use mintreu::id::TenantId;

/// The first tenant, which every installation has.
pub const DEFAULT: TenantId = TenantId::from_bytes(*b"default tenant\0\x01");
