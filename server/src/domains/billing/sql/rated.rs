//! Rated lines, rows of dimensions and a product's terms.

use super::shape;
use crate::domains::billing::late::LatePolicy;
use crate::domains::billing::rated::{PlanTerms, RatedLine};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{InvoiceId, LicenseId, ProductId, TenantId};
use mintreu::price::{Quantity, UnitPrice};
use mintreu::{Currency, Money};
use std::collections::BTreeMap;

pub(super) const INSERT: &str = "INSERT INTO rated_line (tenant_id, license_id, period, bill,
        position, meter, dimension, kind, quantity, free_units, unit_price_nanos, amount_minor,
        currency, tariff, explanation, rated_at, invoice_id)
    VALUES (:tenant, :license, :period, :bill, :position, :meter, :dimension, :kind, :quantity,
        :free, :unit, :amount, :currency, :tariff, :explanation, :now, :invoice)";

pub(super) const NEWEST: &str = "SELECT license_id, period, bill, position, meter, dimension, kind,
        quantity, free_units, unit_price_nanos, amount_minor, currency, tariff, explanation,
        rated_at, invoice_id
    FROM rated_line
    WHERE tenant_id = :tenant AND license_id = :license AND period <= :until
    ORDER BY period DESC, bill DESC, position LIMIT :limit";

pub(super) const ROWS: &str = "SELECT dimension, settled_units FROM metered_plan_row
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter ORDER BY dimension";

pub(super) const SETTLE_ROW: &str = "INSERT INTO metered_plan_row (tenant_id, license_id, meter,
        dimension, settled_units)
    VALUES (:tenant, :license, :meter, :dimension, :settled)
    ON CONFLICT (tenant_id, license_id, meter, dimension)
    DO UPDATE SET settled_units = excluded.settled_units";

pub(super) const TERMS: &str = "SELECT currency, commitment_minor, threshold_minor
    FROM metered_terms WHERE tenant_id = :tenant AND product_id = :product";

pub(super) const SET_TERMS: &str = "INSERT INTO metered_terms (tenant_id, product_id, currency,
        commitment_minor, threshold_minor)
    VALUES (:tenant, :product, :currency, :commitment, :threshold)
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET currency = excluded.currency,
        commitment_minor = excluded.commitment_minor, threshold_minor = excluded.threshold_minor";

pub(super) const LATE_POLICY: &str = "SELECT late FROM metered_terms
    WHERE tenant_id = :tenant AND product_id = :product";

pub(super) const SET_LATE_POLICY: &str = "INSERT INTO metered_terms (tenant_id, product_id,
        currency, commitment_minor, threshold_minor, late)
    VALUES (:tenant, :product, :currency, 0, 0, :late)
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET late = excluded.late";

pub(super) const NEWEST_INVOICE: &str = "SELECT invoice_id FROM rated_line
    WHERE tenant_id = :tenant AND license_id = :license AND period = :period
        AND invoice_id IS NOT NULL
    ORDER BY bill DESC LIMIT 1";

pub(super) const NEXT_BILL: &str = "SELECT CAST(COALESCE(MAX(bill), -1) AS BIGINT) + 1 AS bill
    FROM rated_line
    WHERE tenant_id = :tenant AND license_id = :license AND period = :period";

pub(super) const SET_PLAN_TERMS: &str = "UPDATE metered_plan
    SET commitment_minor = :commitment, threshold_minor = :threshold
    WHERE tenant_id = :tenant AND license_id = :license";

/// Stores a line of a bill.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, line: &RatedLine) -> Result<(), StoreError> {
    let free = i64::try_from(line.free_units).unwrap_or(i64::MAX);
    let currency = line.amount.currency();
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", line.license.as_bytes().into()),
        ("period", line.period.into()),
        ("bill", line.bill.into()),
        ("position", line.position.into()),
        ("meter", line.meter.as_deref().into()),
        ("dimension", line.dimension.as_deref().into()),
        ("kind", line.kind.as_str().into()),
        ("quantity", line.quantity.to_string().into()),
        ("free", free.into()),
        ("unit", line.unit.map(UnitPrice::nanos).into()),
        ("amount", line.amount.minor().into()),
        ("currency", currency.code().into()),
        ("tariff", line.tariff.as_deref().into()),
        ("explanation", line.explanation.as_str().into()),
        ("now", line.rated_at.into()),
        (
            "invoice",
            line.invoice.as_ref().map(InvoiceId::as_bytes).into(),
        ),
    ];
    tx.execute(INSERT, &params).map(|_| ())
}

/// A license's lines of periods up to `until`, the newest bill first.
pub fn newest(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    (until, limit): (i64, i64),
) -> Result<Vec<RatedLine>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("until", until.into()),
        ("limit", limit.into()),
    ];
    tx.query(NEWEST, &params)?.iter().map(from_row).collect()
}

/// What of each row of a meter's matrix is settled.
pub fn rows(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    meter: &str,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
    ];
    let pair = |row: &Row| Ok((row.text("dimension")?, row.int("settled_units")?));
    tx.query(ROWS, &params)?.iter().map(pair).collect()
}

/// Stores what of a row is settled.
pub fn settle_row(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    (meter, dimension): (&str, &str),
    settled: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.into()),
        ("dimension", dimension.into()),
        ("settled", settled.into()),
    ];
    tx.execute(SETTLE_ROW, &params).map(|_| ())
}

/// What new plans of a product begin with, where its seller said so.
pub fn terms(
    tx: &mut dyn Tx,
    (tenant, product): (TenantId, ProductId),
) -> Result<Option<PlanTerms>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(TERMS, &params)? else {
        return Ok(None);
    };
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let money = |name| Ok::<_, StoreError>(Money::new(row.int(name)?, currency));
    Ok(Some(PlanTerms {
        commitment: money("commitment_minor")?,
        threshold: money("threshold_minor")?,
    }))
}

/// Stores what new plans of a product begin with.
pub fn set_terms(
    tx: &mut dyn Tx,
    (tenant, product): (TenantId, ProductId),
    terms: &PlanTerms,
) -> Result<(), StoreError> {
    let currency = terms.commitment.currency();
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("currency", currency.code().into()),
        ("commitment", terms.commitment.minor().into()),
        ("threshold", terms.threshold.minor().into()),
    ];
    tx.execute(SET_TERMS, &params).map(|_| ())
}

/// How late usage of a product is billed, where its seller said so.
pub fn late_policy(
    tx: &mut dyn Tx,
    (tenant, product): (TenantId, ProductId),
) -> Result<Option<LatePolicy>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(LATE_POLICY, &params)? else {
        return Ok(None);
    };
    let name = row.text("late")?;
    let policy = LatePolicy::parse(&name);
    policy
        .map(Some)
        .ok_or_else(|| StoreError::shape(format!("late {name}")))
}

/// Stores how late usage of a product is billed.
pub fn set_late_policy(
    tx: &mut dyn Tx,
    (tenant, product): (TenantId, ProductId),
    (currency, policy): (Currency, LatePolicy),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
        ("currency", currency.code().into()),
        ("late", policy.name().into()),
    ];
    tx.execute(SET_LATE_POLICY, &params).map(|_| ())
}

/// The newest invoice of a period of a license.
pub fn newest_invoice(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    period: i64,
) -> Result<Option<InvoiceId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("period", period.into()),
    ];
    let row = tx.query_one(NEWEST_INVOICE, &params)?;
    row.map(|row| row.id("invoice_id", InvoiceId::from_bytes))
        .transpose()
}

/// The number of the next bill of a period.
pub fn next_bill(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    period: i64,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("period", period.into()),
    ];
    let row = tx.query_one(NEXT_BILL, &params)?;
    row.map_or(Ok(0), |row| row.int("bill"))
}

/// Stores the terms of one plan.
pub fn set_plan_terms(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    terms: &PlanTerms,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("commitment", terms.commitment.minor().into()),
        ("threshold", terms.threshold.minor().into()),
    ];
    tx.execute(SET_PLAN_TERMS, &params).map(|_| ())
}

fn from_row(row: &Row) -> Result<RatedLine, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let unit = row.opt_int("unit_price_nanos")?.map(UnitPrice::from_nanos);
    Ok(RatedLine {
        license: row.id("license_id", LicenseId::from_bytes)?,
        period: row.int("period")?,
        bill: row.int("bill")?,
        position: row.int("position")?,
        meter: row.opt_text("meter")?,
        dimension: row.opt_text("dimension")?,
        kind: row.text("kind")?,
        quantity: row.text("quantity")?.parse::<Quantity>().map_err(shape)?,
        free_units: u64::try_from(row.int("free_units")?).unwrap_or(0),
        unit: unit.transpose().map_err(shape)?,
        amount: Money::new(row.int("amount_minor")?, currency),
        tariff: row.opt_text("tariff")?,
        explanation: row.text("explanation")?,
        rated_at: row.at("rated_at")?,
        invoice: row.opt_id("invoice_id", InvoiceId::from_bytes)?,
    })
}
