//! All SQL of metered plans.

pub mod closed;
pub mod credits;
pub mod rated;
pub mod reports;

use super::model::{Plan, PlanMeter};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, LicenseId, OrderId, ProductId, TenantId};
use mintreu::price::{Quantity, Tariff};
use mintreu::{Currency, Money, Timestamp};

const INSERT: &str = "INSERT INTO metered_plan (license_id, tenant_id, customer_id, order_id,
        seller_id, product_id, currency, anchor_at, period, period_start, period_end, interim,
        commitment_minor, threshold_minor)
    VALUES (:license, :tenant, :customer, :order, :seller, :product, :currency, :anchor, :period,
        :period_start, :period_end, :interim, :commitment, :threshold)";

const INSERT_METER: &str = "INSERT INTO metered_plan_meter (tenant_id, license_id, meter, unit,
        tariff, settled_units, billed_minor)
    VALUES (:tenant, :license, :meter, :unit, :tariff, :settled, :billed)";

const GIVE: &str = "UPDATE metered_plan SET customer_id = :customer
    WHERE tenant_id = :tenant AND order_id = :order AND customer_id IS NULL";

const BY_LICENSE: &str = "SELECT license_id, customer_id, order_id, seller_id, product_id,
        currency, anchor_at, period, period_start, period_end, interim, commitment_minor,
        threshold_minor, ended_at
    FROM metered_plan WHERE tenant_id = :tenant AND license_id = :license";

const OF_CUSTOMER: &str = "SELECT license_id, customer_id, order_id, seller_id, product_id,
        currency, anchor_at, period, period_start, period_end, interim, commitment_minor,
        threshold_minor, ended_at
    FROM metered_plan WHERE tenant_id = :tenant AND customer_id = :account
    ORDER BY license_id DESC LIMIT :limit";

const SELLS: &str = "SELECT license_id FROM metered_plan
    WHERE tenant_id = :tenant AND seller_id = :account AND product_id = :product LIMIT 1";

const METERS: &str = "SELECT meter, unit, tariff, settled_units, billed_minor, prepaid
    FROM metered_plan_meter WHERE tenant_id = :tenant AND license_id = :license ORDER BY meter";

const MOVE: &str = "UPDATE metered_plan SET period = :period, period_start = :period_start,
        period_end = :period_end, interim = :interim
    WHERE tenant_id = :tenant AND license_id = :license";

const END: &str = "UPDATE metered_plan SET ended_at = :ended
    WHERE tenant_id = :tenant AND license_id = :license";

const SETTLE: &str = "UPDATE metered_plan_meter
    SET settled_units = :settled, billed_minor = :billed, prepaid = :prepaid
    WHERE tenant_id = :tenant AND license_id = :license AND meter = :meter";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT,
    INSERT_METER,
    BY_LICENSE,
    OF_CUSTOMER,
    SELLS,
    METERS,
    MOVE,
    END,
    SETTLE,
    closed::INSERT,
    closed::ENDED_AT,
    closed::SET_MISSING,
    closed::PUT_METER,
    closed::METER,
    closed::COST,
    closed::LIST,
    credits::INSERT,
    credits::COUNT,
    credits::UNSPENT,
    credits::NEWEST,
    credits::TAKE,
    credits::BURN,
    rated::INSERT,
    rated::NEWEST,
    rated::ROWS,
    rated::SETTLE_ROW,
    rated::TERMS,
    rated::SET_TERMS,
    rated::LATE_POLICY,
    rated::SET_LATE_POLICY,
    rated::NEWEST_INVOICE,
    rated::NEXT_BILL,
    rated::SET_PLAN_TERMS,
    reports::INSERT,
    reports::SET,
    reports::FIND,
];

/// Stores a new plan.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, plan: &Plan) -> Result<(), StoreError> {
    let params = [
        ("license", plan.license.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        (
            "customer",
            plan.customer.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("order", plan.order.as_ref().map(OrderId::as_bytes).into()),
        ("seller", plan.seller.as_bytes().into()),
        ("product", plan.product.as_bytes().into()),
        ("currency", plan.currency.code().into()),
        ("anchor", plan.anchor.into()),
        ("period", plan.period.into()),
        ("period_start", plan.bounds.0.into()),
        ("period_end", plan.bounds.1.into()),
        ("interim", plan.interim.into()),
        ("commitment", plan.commitment.minor().into()),
        ("threshold", plan.threshold.minor().into()),
    ];
    tx.execute(INSERT, &params).map(|_| ())
}

/// Stores a meter of a new plan.
pub fn insert_meter(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    meter: &PlanMeter,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.name.as_str().into()),
        ("unit", meter.unit.as_str().into()),
        ("tariff", meter.tariff.to_string().into()),
        ("settled", meter.settled_units.into()),
        ("billed", meter.billed_minor.into()),
    ];
    tx.execute(INSERT_METER, &params).map(|_| ())
}

/// The plan of a license.
pub fn by_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Option<Plan>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.query_one(BY_LICENSE, &params)?
        .map(|row| plan_from_row(&row))
        .transpose()
}

/// Makes the plans of a guest's order an account's.
pub(super) fn give(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    customer: AccountId,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("customer", customer.as_bytes().into()),
    ];
    tx.execute(GIVE, &params)?;
    Ok(())
}

/// The newest `limit` plans that `account` pays for.
pub fn of_customer(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    limit: i64,
) -> Result<Vec<Plan>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(OF_CUSTOMER, &params)?
        .iter()
        .map(plan_from_row)
        .collect()
}

/// Whether `account` earns by any plan of the product.
pub fn sells(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    product: ProductId,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    Ok(tx.query_one(SELLS, &params)?.is_some())
}

/// The meters of a plan, by name.
pub fn meters(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<Vec<PlanMeter>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    tx.query(METERS, &params)?
        .iter()
        .map(meter_from_row)
        .collect()
}

/// Stores the plan's period, its bounds and its count of invoices.
pub fn move_plan(tx: &mut dyn Tx, tenant: TenantId, plan: &Plan) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", plan.license.as_bytes().into()),
        ("period", plan.period.into()),
        ("period_start", plan.bounds.0.into()),
        ("period_end", plan.bounds.1.into()),
        ("interim", plan.interim.into()),
    ];
    tx.execute(MOVE, &params).map(|_| ())
}

/// Keeps since when a plan bills nothing, or that it goes on.
pub fn end(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    ended: Option<Timestamp>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("ended", ended.into()),
    ];
    tx.execute(END, &params).map(|_| ())
}

/// Stores what of a meter is settled and billed.
pub fn settle(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    meter: &PlanMeter,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("meter", meter.name.as_str().into()),
        ("settled", meter.settled_units.into()),
        ("billed", meter.billed_minor.into()),
        ("prepaid", meter.prepaid.to_string().into()),
    ];
    tx.execute(SETTLE, &params).map(|_| ())
}

fn shape(error: mintreu::Error) -> StoreError {
    StoreError::shape(error.to_string())
}

fn plan_from_row(row: &Row) -> Result<Plan, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let money = |name| Ok::<_, StoreError>(Money::new(row.int(name)?, currency));
    Ok(Plan {
        license: row.id("license_id", LicenseId::from_bytes)?,
        customer: row.opt_id("customer_id", AccountId::from_bytes)?,
        order: row.opt_id("order_id", OrderId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        currency,
        anchor: row.at("anchor_at")?,
        period: row.int("period")?,
        bounds: (row.at("period_start")?, row.at("period_end")?),
        interim: row.int("interim")?,
        commitment: money("commitment_minor")?,
        threshold: money("threshold_minor")?,
        ended_at: row.opt_at("ended_at")?,
    })
}

fn meter_from_row(row: &Row) -> Result<PlanMeter, StoreError> {
    Ok(PlanMeter {
        name: row.text("meter")?,
        unit: row.text("unit")?,
        tariff: row.text("tariff")?.parse::<Tariff>().map_err(shape)?,
        settled_units: row.int("settled_units")?,
        billed_minor: row.int("billed_minor")?,
        prepaid: row.text("prepaid")?.parse::<Quantity>().map_err(shape)?,
    })
}
