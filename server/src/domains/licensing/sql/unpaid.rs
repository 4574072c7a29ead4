//! SQL of licenses that stand or fall with their money.

use super::{Place, lists};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{LicenseId, TenantId};

const FIND_CAUSE: &str = "\
SELECT revoked_at, revoked_for, product_id, list, list_index FROM license
WHERE tenant_id = :tenant AND license_id = :license";

const FOLLOW: &str = "\
UPDATE license SET revoked_at = :revoked, revoke_reason = :reason, revoked_for = :cause
WHERE tenant_id = :tenant AND license_id = :license";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[FIND_CAUSE, FOLLOW];

/// Whether and why a license is withdrawn, and its place in the revocation list.
pub(in super::super) struct Withdrawn {
    pub revoked: bool,
    pub cause: Option<String>,
    pub place: Place,
}

pub(in super::super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Option<Withdrawn>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_CAUSE, &params)? else {
        return Ok(None);
    };
    Ok(Some(Withdrawn {
        revoked: row.opt_at("revoked_at")?.is_some(),
        cause: row.opt_text("revoked_for")?,
        place: lists::place(&row)?,
    }))
}

pub(in super::super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, why): (LicenseId, Option<(&str, &str)>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("revoked", why.map(|_| now).into()),
        ("reason", why.map(|(_, reason)| reason.to_owned()).into()),
        ("cause", why.map(|(cause, _)| cause.to_owned()).into()),
    ];
    tx.execute(FOLLOW, &params).map(drop)
}
