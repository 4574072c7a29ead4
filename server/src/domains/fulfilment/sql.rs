//! SQL of quotes that were confirmed, and of what their buyers agreed to.

use super::consent::{Consent, ConsentText};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{OrderId, TenantId};

const ORDER_OF_QUOTE: &str = "\
SELECT order_id FROM quote_use WHERE tenant_id = :tenant AND quote_hash = :hash";

const USE_QUOTE: &str = "\
INSERT INTO quote_use (tenant_id, quote_hash, order_id, used_at)
VALUES (:tenant, :hash, :order, :now)";

const INSERT_CONSENT: &str = "\
INSERT INTO order_consent (tenant_id, order_id, kind, version, text_hash, agreed_at)
VALUES (:tenant, :order, :kind, :version, :hash, :now)";

const CONSENTS: &str = "\
SELECT kind, version, text_hash, agreed_at FROM order_consent
WHERE tenant_id = :tenant AND order_id = :order ORDER BY kind";

/// Keeps what the buyer of an order agreed to.
pub(super) fn insert_consent(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, text): (OrderId, &ConsentText),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("kind", text.kind.name().into()),
        ("version", text.version.as_str().into()),
        ("hash", text.hash().as_slice().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_CONSENT, &params)?;
    Ok(())
}

/// What the buyer of an order agreed to.
pub(super) fn consents(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Consent>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let consent = |row: &Row| {
        Ok(Consent {
            kind: row.text("kind")?,
            version: row.text("version")?,
            text_hash: row.blob("text_hash")?,
            agreed_at: row.at("agreed_at")?,
        })
    };
    tx.query(CONSENTS, &params)?.iter().map(consent).collect()
}

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
