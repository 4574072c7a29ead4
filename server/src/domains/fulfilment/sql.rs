//! SQL of quotes that were confirmed.

use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{OrderId, TenantId};

const ORDER_OF_QUOTE: &str = "\
SELECT order_id FROM quote_use WHERE tenant_id = :tenant AND quote_hash = :hash";

const USE_QUOTE: &str = "\
INSERT INTO quote_use (tenant_id, quote_hash, order_id, used_at)
VALUES (:tenant, :hash, :order, :now)";

/// The order that a quote became.
pub(super) fn order_of_quote(
    tx: &mut dyn Tx,
    tenant: TenantId,
    hash: &[u8; 32],
) -> Result<Option<OrderId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("hash", hash.as_slice().into()),
    ];
    let row = tx.query_one(ORDER_OF_QUOTE, &params)?;
    row.map(|row| row.id("order_id", OrderId::from_bytes))
        .transpose()
}

/// Keeps which order a quote became; each becomes one.
pub(super) fn use_quote(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (hash, order): (&[u8; 32], OrderId),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("hash", hash.as_slice().into()),
        ("order", order.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(USE_QUOTE, &params)?;
    Ok(())
}
