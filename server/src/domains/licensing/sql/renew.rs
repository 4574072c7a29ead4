//! SQL of licenses that are paid for again.

use crate::domains::licensing::model::License;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{KeyId, LicenseId, TenantId};
use mintreu::license::ListEntry;

const PLACE: &str = "\
SELECT list, list_index FROM license WHERE tenant_id = :tenant AND license_id = :license";

const HIGHEST_SEAT: &str = "\
SELECT CAST(COALESCE(MAX(seat), 0) AS BIGINT) AS seat FROM activation
WHERE tenant_id = :tenant AND license_id = :license";

const RENEW: &str = "\
UPDATE license SET document = :document, key_id = :key, seats = :seats, expires_at = :expires,
    terms = :terms, signed_again_at = :now
WHERE tenant_id = :tenant AND license_id = :license";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[PLACE, HIGHEST_SEAT, RENEW];

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

/// The license's place in a revocation list; old ones may have none.
pub(in super::super) fn place(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Option<ListEntry>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let entry = |row: &Row| -> Result<Option<ListEntry>, StoreError> {
        let pair = row.opt_int("list")?.zip(row.opt_int("list_index")?);
        let entry = pair.map(|(list, index)| {
            Ok::<_, StoreError>(ListEntry {
                list: u64::try_from(list).map_err(shape)?,
                index: u32::try_from(index).map_err(shape)?,
            })
        });
        entry.transpose()
    };
    let row = tx.query_one(PLACE, &params)?;
    Ok(row.as_ref().map(entry).transpose()?.flatten())
}

/// The highest seat that a device holds; 0 for none.
pub(in super::super) fn highest_seat(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(HIGHEST_SEAT, &params)?;
    row.map_or(Ok(0), |row| row.int("seat"))
}

/// Writes what a renewal changes.
pub(in super::super) fn renew(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, key): (&License, KeyId),
    now: Timestamp,
) -> Result<(), StoreError> {
    let terms = serde_json::to_string(&license.terms).map_err(shape)?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.id.as_bytes().into()),
        ("terms", terms.into()),
        ("document", license.document.as_slice().into()),
        ("key", key.as_bytes().into()),
        ("seats", license.seats.into()),
        ("expires", license.expires_at.into()),
        ("now", now.into()),
    ];
    tx.execute(RENEW, &params).map(drop)
}
