//! SQL of what affiliates are still to be told.

use super::super::news::Sum;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, OrderLineId, TenantId};
use mintreu::{Currency, Money};

const INSERT: &str = "\
INSERT INTO affiliate_news (tenant_id, affiliate_id, order_line_id, kind, cause, amount_minor, currency)
VALUES (:tenant, :affiliate, :line, :kind, :cause, :amount, :currency)
ON CONFLICT (tenant_id, affiliate_id, order_line_id, kind, cause) DO NOTHING";

const SUMS: &str = "\
SELECT kind, currency, COUNT(*) AS found, CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor
FROM affiliate_news WHERE tenant_id = :tenant AND affiliate_id = :affiliate
GROUP BY kind, currency ORDER BY kind, currency";

const FORGET: &str = "\
DELETE FROM affiliate_news WHERE tenant_id = :tenant AND affiliate_id = :affiliate";

pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    (tenant, affiliate, line): (TenantId, AccountId, OrderLineId),
    (kind, cause): (&str, &str),
    amount: Money,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("affiliate", affiliate.as_bytes().into()),
        ("line", line.as_bytes().into()),
        ("kind", kind.into()),
        ("cause", cause.into()),
        ("amount", amount.minor().into()),
        ("currency", amount.currency().code().into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// What there is to tell, by kind and currency.
pub(in super::super) fn sums(
    tx: &mut dyn Tx,
    (tenant, affiliate): (TenantId, AccountId),
) -> Result<Vec<Sum>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("affiliate", affiliate.as_bytes().into()),
    ];
    tx.query(SUMS, &params)?.iter().map(sum).collect()
}

fn sum(row: &Row) -> Result<Sum, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Sum {
        kind: row.text("kind")?,
        count: row.int("found")?,
        amount: Money::new(row.int("amount_minor")?, currency),
    })
}

/// Forgets what was told.
pub(in super::super) fn forget(
    tx: &mut dyn Tx,
    (tenant, affiliate): (TenantId, AccountId),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("affiliate", affiliate.as_bytes().into()),
    ];
    tx.execute(FORGET, &params).map(drop)
}
