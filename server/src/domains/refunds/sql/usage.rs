//! SQL of refunds of usage invoices.

use super::{currency, named};
use crate::domains::ledger::{Part, Parts};
use crate::domains::refunds::model::{By, Reason, RefundState};
use crate::domains::refunds::usage::InvoiceRefund;
use crate::store::{Row, StoreError, Tx};
use mintreu::Money;
use mintreu::id::{AccountId, InvoiceId, PaymentId, RefundId, TenantId};

const INSERT: &str = "\
INSERT INTO invoice_refund (tenant_id, refund_id, invoice_id, payment_id, provider,
    provider_refund_id, amount_minor, currency, tax_minor, platform_fee_minor, payment_fee_minor,
    seller_minor, fee_returned, from_held_minor, state, reason, note, source, asked_by,
    failure_code, requested_at, settled_at)
VALUES (:tenant, :refund, :invoice, :payment, :provider, :provider_refund, :amount, :currency,
    :tax, :platform_fee, :payment_fee, :seller, :fee_returned, :from_held, :state, :reason, :note,
    :source, :asked_by, :failure, :requested, :settled)";

const MOVE: &str = "\
UPDATE invoice_refund SET state = :state, failure_code = :failure, settled_at = :settled,
    fee_returned = :fee_returned, from_held_minor = :from_held
WHERE tenant_id = :tenant AND refund_id = :refund";

const NAME: &str = "\
UPDATE invoice_refund SET provider_refund_id = :provider_refund
WHERE tenant_id = :tenant AND refund_id = :refund AND provider_refund_id IS NULL";

const FIND: &str = "\
SELECT refund_id, invoice_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    tax_minor, platform_fee_minor, payment_fee_minor, seller_minor, fee_returned, from_held_minor,
    state, reason, note, source, asked_by, failure_code, requested_at, settled_at
FROM invoice_refund WHERE tenant_id = :tenant AND refund_id = :refund";

const AT_PROVIDER: &str = "\
SELECT refund_id, invoice_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    tax_minor, platform_fee_minor, payment_fee_minor, seller_minor, fee_returned, from_held_minor,
    state, reason, note, source, asked_by, failure_code, requested_at, settled_at
FROM invoice_refund
WHERE tenant_id = :tenant AND provider = :provider AND provider_refund_id = :provider_refund";

const OF_INVOICE: &str = "\
SELECT refund_id, invoice_id, payment_id, provider, provider_refund_id, amount_minor, currency,
    tax_minor, platform_fee_minor, payment_fee_minor, seller_minor, fee_returned, from_held_minor,
    state, reason, note, source, asked_by, failure_code, requested_at, settled_at
FROM invoice_refund WHERE tenant_id = :tenant AND invoice_id = :invoice ORDER BY refund_id";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, MOVE, NAME, FIND, AT_PROVIDER, OF_INVOICE];

fn from_row(row: &Row) -> Result<InvoiceRefund, StoreError> {
    let currency = currency(row)?;
    let part = |column| row.int(column);
    let minor = [
        part("tax_minor")?,
        part("platform_fee_minor")?,
        part("payment_fee_minor")?,
        0,
        part("seller_minor")?,
    ];
    Ok(InvoiceRefund {
        id: row.id("refund_id", RefundId::from_bytes)?,
        invoice: row.id("invoice_id", InvoiceId::from_bytes)?,
        payment: row.id("payment_id", PaymentId::from_bytes)?,
        provider: row.text("provider")?,
        provider_refund: row.opt_text("provider_refund_id")?,
        amount: Money::new(row.int("amount_minor")?, currency),
        parts: Parts::new(currency, minor),
        fee_returned: row.int("fee_returned")? != 0,
        from_held: Money::new(row.int("from_held_minor")?, currency),
        state: named(row, "state", RefundState::parse)?,
        reason: named(row, "reason", Reason::parse)?,
        note: row.text("note")?,
        by: named(row, "source", By::parse)?,
        asked_by: row.opt_id("asked_by", AccountId::from_bytes)?,
        failure_code: row.opt_text("failure_code")?,
        requested_at: row.at("requested_at")?,
        settled_at: row.opt_at("settled_at")?,
    })
}

/// Writes a refund.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &InvoiceRefund) -> Result<(), StoreError> {
    let part = |part| new.parts.get(part).minor().into();
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", new.id.as_bytes().into()),
        ("invoice", new.invoice.as_bytes().into()),
        ("payment", new.payment.as_bytes().into()),
        ("provider", new.provider.as_str().into()),
        ("provider_refund", new.provider_refund.as_deref().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("tax", part(Part::Tax)),
        ("platform_fee", part(Part::PlatformFee)),
        ("payment_fee", part(Part::PaymentFee)),
        ("seller", part(Part::Seller)),
        ("fee_returned", i64::from(new.fee_returned).into()),
        ("from_held", new.from_held.minor().into()),
        ("state", new.state.code().into()),
        ("reason", new.reason.code().into()),
        ("note", new.note.as_str().into()),
        ("source", new.by.code().into()),
        (
            "asked_by",
            new.asked_by.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("failure", new.failure_code.as_deref().into()),
        ("requested", new.requested_at.into()),
        ("settled", new.settled_at.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// Keeps where a refund stands.
pub fn keep(tx: &mut dyn Tx, tenant: TenantId, moved: &InvoiceRefund) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", moved.id.as_bytes().into()),
        ("state", moved.state.code().into()),
        ("failure", moved.failure_code.as_deref().into()),
        ("settled", moved.settled_at.into()),
        ("fee_returned", i64::from(moved.fee_returned).into()),
        ("from_held", moved.from_held.minor().into()),
    ];
    tx.execute(MOVE, &params).map(drop)
}

/// Keeps the provider's name of a refund, once.
pub fn name(
    tx: &mut dyn Tx,
    (tenant, refund): (TenantId, RefundId),
    name: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", refund.as_bytes().into()),
        ("provider_refund", name.into()),
    ];
    tx.execute(NAME, &params).map(drop)
}

/// The refund with that id.
pub fn find(
    tx: &mut dyn Tx,
    (tenant, refund): (TenantId, RefundId),
) -> Result<Option<InvoiceRefund>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("refund", refund.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.map(|row| from_row(&row)).transpose()
}

/// The refund that a provider names so.
pub fn at_provider(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (provider, name): (&str, &str),
) -> Result<Option<InvoiceRefund>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("provider", provider.into()),
        ("provider_refund", name.into()),
    ];
    let row = tx.query_one(AT_PROVIDER, &params)?;
    row.map(|row| from_row(&row)).transpose()
}

/// The refunds of an invoice, the oldest first.
pub fn of_invoice(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
) -> Result<Vec<InvoiceRefund>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
    ];
    tx.query(OF_INVOICE, &params)?
        .iter()
        .map(from_row)
        .collect()
}
