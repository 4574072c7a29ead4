//! The statements of tenants.

use crate::app::{Cx, ReadCx};
use crate::store::{StoreError, Tx};
use mintreu::id::TenantId;

const INSERT: &str = "INSERT INTO tenant (tenant_id, name, created_at)
    VALUES (:tenant, :name, :now) ON CONFLICT (tenant_id) DO NOTHING";

const INSERT_HOST: &str = "INSERT INTO tenant_host (host, tenant_id) VALUES (:host, :tenant)";

const FIND_BY_HOST: &str = "SELECT tenant_id FROM tenant_host WHERE host = :host";

const ANY: &str = "SELECT tenant_id FROM tenant LIMIT 1";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, INSERT_HOST, FIND_BY_HOST, ANY];

pub(super) fn insert(cx: &mut Cx<'_>, tenant: TenantId, name: &str) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("name", name.into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

pub(super) fn insert_host(cx: &mut Cx<'_>, tenant: TenantId, host: &str) -> Result<(), StoreError> {
    let params = [("host", host.into()), ("tenant", tenant.as_bytes().into())];
    cx.tx.execute(INSERT_HOST, &params).map(drop)
}

pub(super) fn find_by_host(
    cx: &mut ReadCx<'_>,
    host: &str,
) -> Result<Option<TenantId>, StoreError> {
    let row = cx.tx.query_one(FIND_BY_HOST, &[("host", host.into())])?;
    row.map(|row| row.id("tenant_id", TenantId::from_bytes))
        .transpose()
}

/// Whether there is a tenant yet.
pub fn any(tx: &mut dyn Tx) -> Result<bool, StoreError> {
    Ok(tx.query_one(ANY, &[])?.is_some())
}
