//! SQL of disputes of usage invoices, and of what they take.

use super::{currency, dispute, named};
use crate::domains::ledger::{Part, Parts};
use crate::domains::refunds::model::{Dispute, ReversalState};
use crate::domains::refunds::usage_disputes::InvoiceReversal;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Money;
use mintreu::id::{InvoiceId, TenantId};

const DISPUTES_OF: &str = "\
SELECT dispute_id, order_id, invoice_id, payment_id, provider, provider_dispute_id, amount_minor,
    currency, state, reason, rounds, evidence_due_at, told_at, opened_at, closed_at
FROM dispute WHERE tenant_id = :tenant AND invoice_id = :invoice ORDER BY dispute_id";

const INSERT: &str = "\
INSERT INTO invoice_reversal (tenant_id, cause, invoice_id, currency, tax_minor,
    platform_fee_minor, payment_fee_minor, seller_minor, fee_returned, from_held_minor, cost_minor,
    state)
VALUES (:tenant, :cause, :invoice, :currency, :tax, :platform_fee, :payment_fee, :seller,
    :fee_returned, :from_held, :cost, :state)";

const KEEP: &str = "\
UPDATE invoice_reversal SET fee_returned = :fee_returned, state = :state
WHERE tenant_id = :tenant AND cause = :cause";

const OF_INVOICE: &str = "\
SELECT cause, invoice_id, currency, tax_minor, platform_fee_minor, payment_fee_minor, seller_minor,
    fee_returned, from_held_minor, cost_minor, state
FROM invoice_reversal WHERE tenant_id = :tenant AND invoice_id = :invoice ORDER BY cause";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[DISPUTES_OF, INSERT, KEEP, OF_INVOICE];

fn key(tenant: TenantId, invoice: InvoiceId) -> [(&'static str, Value); 2] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
    ]
}

/// The disputes of an invoice, the oldest first.
pub fn disputes_of(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
) -> Result<Vec<Dispute>, StoreError> {
    let rows = tx.query(DISPUTES_OF, &key(tenant, invoice))?;
    rows.iter().map(dispute).collect()
}

/// Writes what is taken.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &InvoiceReversal) -> Result<(), StoreError> {
    let part = |part| -> Value { new.parts.get(part).minor().into() };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("cause", new.cause.as_str().into()),
        ("invoice", new.invoice.as_bytes().into()),
        ("currency", new.cost.currency().code().into()),
        ("tax", part(Part::Tax)),
        ("platform_fee", part(Part::PlatformFee)),
        ("payment_fee", part(Part::PaymentFee)),
        ("seller", part(Part::Seller)),
        ("fee_returned", i64::from(new.fee_returned).into()),
        ("from_held", new.from_held.minor().into()),
        ("cost", new.cost.minor().into()),
        ("state", new.state.code().into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// Keeps what became of it.
pub fn keep(tx: &mut dyn Tx, tenant: TenantId, one: &InvoiceReversal) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("cause", one.cause.as_str().into()),
        ("fee_returned", i64::from(one.fee_returned).into()),
        ("state", one.state.code().into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}

fn from_row(row: &Row) -> Result<InvoiceReversal, StoreError> {
    let currency = currency(row)?;
    let minor = [
        row.int("tax_minor")?,
        row.int("platform_fee_minor")?,
        row.int("payment_fee_minor")?,
        0,
        row.int("seller_minor")?,
    ];
    Ok(InvoiceReversal {
        cause: row.text("cause")?,
        invoice: row.id("invoice_id", InvoiceId::from_bytes)?,
        parts: Parts::new(currency, minor),
        fee_returned: row.int("fee_returned")? != 0,
        from_held: Money::new(row.int("from_held_minor")?, currency),
        cost: Money::new(row.int("cost_minor")?, currency),
        state: named(row, "state", ReversalState::parse)?,
    })
}

/// What disputes took of an invoice.
pub fn of_invoice(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
) -> Result<Vec<InvoiceReversal>, StoreError> {
    let rows = tx.query(OF_INVOICE, &key(tenant, invoice))?;
    rows.iter().map(from_row).collect()
}
