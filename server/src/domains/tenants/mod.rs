//! Tenants: one host, brand and policy each.
//!
//! A request's host says which shop was asked for. One installation starts with one tenant,
//! [`DEFAULT`], which answers for the host of `server.base_url` and for every further host of the
//! settings that is no other tenant's.
//!
//! Invariants
//! * Every row that belongs to a shop leads its unique keys with `tenant_id`.
//! * A host belongs to one tenant at most.
//! * Which hosts may be asked for at all is a setting, checked before any tenant is looked up.
//!
//! Tables: `tenant`, `tenant_host`.

mod ops;
pub mod sql;

pub use ops::{AddTenant, EnsureDefault, OfHost, add_tenant, ensure_default, tenant_of_host};

use mintreu::id::TenantId;

/// The first tenant, which every installation has.
pub const DEFAULT: TenantId = TenantId::from_bytes(*b"default tenant\0\x01");
