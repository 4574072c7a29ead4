//! SQL of hosts of floating seats.

use crate::domains::licensing::hosts::FloatingHost;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::document::PublicKey;
use mintreu::id::{LicenseId, TenantId};

const HOSTS: &str = "\
SELECT host_key, file, delegated_at, ends_at FROM floating_host
WHERE tenant_id = :tenant AND license_id = :license ORDER BY ends_at DESC, host_key LIMIT 100";

const HOST_IN_FORCE: &str = "\
SELECT host_key, file, delegated_at, ends_at FROM floating_host
WHERE tenant_id = :tenant AND license_id = :license AND ends_at > :now
ORDER BY ends_at DESC LIMIT 1";

const KEEP_HOST: &str = "\
INSERT INTO floating_host (tenant_id, license_id, host_key, file, delegated_at, ends_at)
VALUES (:tenant, :license, :host, :file, :now, :ends)
ON CONFLICT (tenant_id, license_id, host_key) DO UPDATE SET
    file = excluded.file, delegated_at = excluded.delegated_at, ends_at = excluded.ends_at";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[HOSTS, HOST_IN_FORCE, KEEP_HOST];

fn host(row: &Row) -> Result<FloatingHost, StoreError> {
    let wrong = |_| StoreError::shape("host_key is no key".to_owned());
    let key = <[u8; 32]>::try_from(row.blob("host_key")?.as_slice()).map_err(wrong)?;
    let key = PublicKey::from_bytes(&key);
    Ok(FloatingHost {
        key: key.map_err(|error| StoreError::shape(error.to_string()))?,
        file: row.text("file")?,
        delegated_at: row.at("delegated_at")?,
        ends_at: row.at("ends_at")?,
    })
}

/// The hosts that a license ever had, those that end last first.
pub(in super::super) fn all(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Vec<FloatingHost>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.query(HOSTS, &params)?.iter().map(host).collect()
}

/// The host that lends the license's seats now.
pub(in super::super) fn in_force(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    now: Timestamp,
) -> Result<Option<FloatingHost>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("now", now.into()),
    ];
    let row = tx.query_one(HOST_IN_FORCE, &params)?;
    row.as_ref().map(host).transpose()
}

/// Writes a host, in place of what was written of the same key before.
pub(in super::super) fn keep(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    host: &FloatingHost,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("host", host.key.as_bytes().as_slice().into()),
        ("file", host.file.as_str().into()),
        ("now", host.delegated_at.into()),
        ("ends", host.ends_at.into()),
    ];
    tx.execute(KEEP_HOST, &params).map(drop)
}
