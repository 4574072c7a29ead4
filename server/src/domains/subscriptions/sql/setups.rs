//! SQL of methods that guests are about to leave.

use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{MethodSetupId, SubscriptionId, TenantId};

const INSERT: &str = "\
INSERT INTO subscription_method_setup (tenant_id, setup_id, subscription_id, begun_at, state)
VALUES (:tenant, :setup, :subscription, :now, 'open')";

const FIND: &str = "\
SELECT subscription_id, state FROM subscription_method_setup
WHERE tenant_id = :tenant AND setup_id = :setup";

const MOVE: &str = "\
UPDATE subscription_method_setup SET state = :state
WHERE tenant_id = :tenant AND setup_id = :setup";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, FIND, MOVE];

pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (setup, subscription): (MethodSetupId, SubscriptionId),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
        ("subscription", subscription.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// Whose method it is to be, and whether that is still open.
pub(in super::super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    setup: MethodSetupId,
) -> Result<Option<(SubscriptionId, bool)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND, &params)? else {
        return Ok(None);
    };
    let subscription = row.id("subscription_id", SubscriptionId::from_bytes)?;
    Ok(Some((subscription, row.text("state")? == "open")))
}

pub(in super::super) fn end(
    tx: &mut dyn Tx,
    tenant: TenantId,
    setup: MethodSetupId,
    state: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
        ("state", state.into()),
    ];
    tx.execute(MOVE, &params).map(drop)
}
