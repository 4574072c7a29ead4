//! SQL of quotes that were confirmed, and of what buyers and owners of licenses agreed to.

use super::automatic::AutomaticPayment;
use crate::domains::orders::{Consent, ConsentText};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId, OrderId, TenantId};

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

const PUT_AUTOMATIC: &str = "\
INSERT INTO automatic_payment (tenant_id, license_id, account_id, provider, method, agreed_at)
VALUES (:tenant, :license, :account, :provider, :method, :now)
ON CONFLICT (tenant_id, license_id) DO UPDATE SET account_id = excluded.account_id,
    provider = excluded.provider, method = excluded.method, agreed_at = excluded.agreed_at";

const AUTOMATIC: &str = "\
SELECT license_id, account_id, provider, method, agreed_at FROM automatic_payment
WHERE tenant_id = :tenant AND license_id = :license";

const AUTOMATIC_OF: &str = "\
SELECT license_id, account_id, provider, method, agreed_at FROM automatic_payment
WHERE tenant_id = :tenant AND account_id = :account ORDER BY license_id";

const END_AUTOMATIC: &str = "\
DELETE FROM automatic_payment WHERE tenant_id = :tenant AND license_id = :license";

/// Keeps what a license's owner agreed to, in place of what they did before.
pub(super) fn put_automatic(
    tx: &mut dyn Tx,
    tenant: TenantId,
    agreed: &AutomaticPayment,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", agreed.license.as_bytes().into()),
        ("account", agreed.account.as_bytes().into()),
        ("provider", agreed.provider.as_str().into()),
        ("method", agreed.method.as_str().into()),
        ("now", agreed.agreed_at.into()),
    ];
    tx.execute(PUT_AUTOMATIC, &params).map(drop)
}

/// What a license's owner agreed to.
pub(super) fn automatic(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Option<AutomaticPayment>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(AUTOMATIC, &params)?;
    row.as_ref().map(agreed).transpose()
}

/// All that an account agreed to.
pub(super) fn automatic_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<AutomaticPayment>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    tx.query(AUTOMATIC_OF, &params)?
        .iter()
        .map(agreed)
        .collect()
}

fn agreed(row: &Row) -> Result<AutomaticPayment, StoreError> {
    Ok(AutomaticPayment {
        license: row.id("license_id", LicenseId::from_bytes)?,
        account: row.id("account_id", AccountId::from_bytes)?,
        provider: row.text("provider")?,
        method: row.text("method")?,
        agreed_at: row.at("agreed_at")?,
    })
}

/// Ends what a license's owner agreed to.
pub(super) fn end_automatic(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.execute(END_AUTOMATIC, &params).map(drop)
}

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
