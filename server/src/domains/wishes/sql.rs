//! SQL of withdrawals.

use super::model::Withdrawal;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{OrderId, OrderLineId, RefundId, TenantId};
use mintreu::{Currency, Money};

const KEEP: &str = "\
INSERT INTO withdrawal (tenant_id, order_line_id, order_id, refund_id, amount_minor, currency,
    declared_at)
VALUES (:tenant, :line, :order, :refund, :amount, :currency, :declared)
ON CONFLICT (tenant_id, order_line_id) DO UPDATE SET refund_id = excluded.refund_id,
    amount_minor = excluded.amount_minor, currency = excluded.currency,
    declared_at = excluded.declared_at";

const OF_ORDER: &str = "\
SELECT order_line_id, order_id, refund_id, amount_minor, currency, declared_at
FROM withdrawal WHERE tenant_id = :tenant AND order_id = :order ORDER BY order_line_id";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[KEEP, OF_ORDER];

/// Writes a declaration; one whose refund failed is replaced.
pub(super) fn keep(tx: &mut dyn Tx, tenant: TenantId, one: &Withdrawal) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", one.line.as_bytes().into()),
        ("order", one.order.as_bytes().into()),
        ("refund", one.refund.as_bytes().into()),
        ("amount", one.amount.minor().into()),
        ("currency", one.amount.currency().code().into()),
        ("declared", one.declared_at.into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}

fn withdrawal(row: &Row) -> Result<Withdrawal, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Withdrawal {
        line: row.id("order_line_id", OrderLineId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        refund: row.id("refund_id", RefundId::from_bytes)?,
        amount: Money::new(row.int("amount_minor")?, currency),
        declared_at: row.at("declared_at")?,
    })
}

/// What was withdrawn from of an order.
pub(super) fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Withdrawal>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    tx.query(OF_ORDER, &params)?
        .iter()
        .map(withdrawal)
        .collect()
}
