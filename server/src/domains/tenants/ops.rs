//! Use cases of tenants.

use super::{DEFAULT, sql};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::store::StoreError;
use mintreu::id::TenantId;

/// Makes sure that the default tenant exists: at every start.
#[derive(Debug, Clone)]
pub struct EnsureDefault {
    /// What the shop is called, when it is new.
    pub name: String,
}

impl Command for EnsureDefault {
    const NAME: &'static str = "tenants.ensure_default";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;
}

/// Inserts the default tenant unless it is there.
pub fn ensure_default(
    cx: &mut Cx<'_>,
    command: &EnsureDefault,
) -> Result<(), crate::queue::JobError> {
    Ok(sql::insert(cx, DEFAULT, &command.name)?)
}

/// Opens another shop on hosts of its own.
#[derive(Debug, Clone)]
pub struct AddTenant {
    /// What the shop is called.
    pub name: String,
    /// Its hosts, in lower case and without ports.
    pub hosts: Vec<String>,
}

impl Command for AddTenant {
    const NAME: &'static str = "tenants.add";
    const CAPABILITY: Capability = Capability::Administer;
}

/// Adds a tenant; a host that is another's is a `Conflict` on `tenant_host_pkey`.
pub fn add_tenant(
    cx: &mut Cx<'_>,
    command: &AddTenant,
) -> Result<TenantId, crate::queue::JobError> {
    let tenant = cx.make_id(TenantId::from_bytes);
    sql::insert(cx, tenant, &command.name)?;
    for host in &command.hosts {
        sql::insert_host(cx, tenant, host)?;
    }
    Ok(tenant)
}

/// Asks whose shop a host is.
#[derive(Debug, Clone)]
pub struct OfHost {
    /// In lower case and without its port.
    pub host: String,
}

/// Whose shop the host is: the default tenant's when nobody else's.
pub fn tenant_of_host(cx: &mut ReadCx<'_>, query: &OfHost) -> Result<TenantId, StoreError> {
    Ok(sql::find_by_host(cx, &query.host)?.unwrap_or(DEFAULT))
}
