//! What was sent.

use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::TenantId;

const SENT: &str = "SELECT sent_at FROM mail
    WHERE tenant_id = :tenant AND fact = :fact AND subject = :subject";

const NOTE: &str = "INSERT INTO mail (tenant_id, fact, subject, message_id, sent_at)
    VALUES (:tenant, :fact, :subject, :message, :now)
    ON CONFLICT (tenant_id, fact, subject) DO NOTHING";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[SENT, NOTE];

/// Whether a mail of this fact about this subject was sent.
pub fn sent(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (fact, subject): (&str, &str),
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("fact", fact.into()),
        ("subject", subject.into()),
    ];
    Ok(tx.query_one(SENT, &params)?.is_some())
}

/// Notes that it was.
pub fn note(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (fact, subject, message): (&str, &str, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("fact", fact.into()),
        ("subject", subject.into()),
        ("message", message.into()),
        ("now", now.into()),
    ];
    tx.execute(NOTE, &params).map(|_| ())
}
