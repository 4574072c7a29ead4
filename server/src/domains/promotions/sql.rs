//! SQL of coupons.

use super::hosts::EmbedHost;
use super::model::{Coupon, Discount, Lasts};
use super::ops::{Buyer, Taken};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, CouponId, OrderId, OrderLineId, TenantId};

const INSERT: &str = "\
INSERT INTO coupon (tenant_id, coupon_id, seller_id, code, rule, max_units, taken_units,
    created_at, updated_at, disabled_at)
VALUES (:tenant, :coupon, :seller, :code, :rule, :most, 0, :now, :now, NULL)
ON CONFLICT (tenant_id, seller_id, code) DO NOTHING";

const UPDATE: &str = "\
UPDATE coupon SET rule = :rule, max_units = :most, updated_at = :now
WHERE tenant_id = :tenant AND coupon_id = :coupon AND seller_id = :seller";

const SWITCH: &str = "\
UPDATE coupon SET disabled_at = :disabled, updated_at = :now
WHERE tenant_id = :tenant AND coupon_id = :coupon AND seller_id = :seller";

const BY_CODE: &str = "\
SELECT coupon_id, seller_id, code, rule, taken_units, created_at, disabled_at FROM coupon
WHERE tenant_id = :tenant AND seller_id = :seller AND code = :code";

const OF_SELLER: &str = "\
SELECT coupon_id, seller_id, code, rule, taken_units, created_at, disabled_at FROM coupon
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY coupon_id DESC LIMIT 500";

const OWN: &str = "\
SELECT coupon_id, seller_id, code, rule, taken_units, created_at, disabled_at FROM coupon
WHERE tenant_id = :tenant AND seller_id = :seller AND coupon_id = :coupon";

const USED_BY: &str = "\
SELECT CAST(COALESCE(SUM(units), 0) AS BIGINT) AS used FROM coupon_use
WHERE tenant_id = :tenant AND coupon_id = :coupon AND freed_at IS NULL
    AND (account_id = :account OR email_hash = :email)";

const TAKE: &str = "\
UPDATE coupon SET taken_units = taken_units + :units
WHERE tenant_id = :tenant AND coupon_id = :coupon
    AND (max_units IS NULL OR taken_units + :units <= max_units)";

const TAKE_AGAIN: &str = "\
UPDATE coupon SET taken_units = taken_units + :units
WHERE tenant_id = :tenant AND coupon_id = :coupon";

const INSERT_USE: &str = "\
INSERT INTO coupon_use (tenant_id, order_line_id, order_id, coupon_id, account_id, email_hash,
    units, currency, off_minor, lasts, taken_at, freed_at)
VALUES (:tenant, :line, :order, :coupon, :account, :email, :units, :currency, :off, :lasts, :now,
    NULL)";

const USES: &str = "\
SELECT order_line_id, coupon_id, units, freed_at FROM coupon_use
WHERE tenant_id = :tenant AND order_id = :order ORDER BY order_line_id";

const SET_FREED: &str = "\
UPDATE coupon_use SET freed_at = :freed WHERE tenant_id = :tenant AND order_line_id = :line";

const LASTS: &str = "\
SELECT lasts FROM coupon_use WHERE tenant_id = :tenant AND order_line_id = :line";

const DROP_HOSTS: &str = "\
DELETE FROM embed_host WHERE tenant_id = :tenant AND seller_id = :seller";

const INSERT_HOST: &str = "\
INSERT INTO embed_host (tenant_id, seller_id, host, added_at)
VALUES (:tenant, :seller, :host, :now)";

const HOSTS: &str = "\
SELECT host FROM embed_host WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY host";

/// Replaces a seller's list of hosts.
pub(super) fn put_hosts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, hosts): (AccountId, &[EmbedHost]),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params: Params = vec![
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.execute(DROP_HOSTS, &params)?;
    for host in hosts {
        let mut params = params.clone();
        params.push(("host", host.as_str().into()));
        params.push(("now", now.into()));
        tx.execute(INSERT_HOST, &params)?;
    }
    Ok(())
}

/// A seller's list of hosts, by name.
pub(super) fn hosts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<String>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let rows = tx.query(HOSTS, &params)?;
    rows.iter().map(|row| row.text("host")).collect()
}

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn from_row(row: &Row) -> Result<Coupon, StoreError> {
    Ok(Coupon {
        id: row.id("coupon_id", CouponId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        code: row.text("code")?,
        rule: serde_json::from_str(&row.text("rule")?).map_err(shape)?,
        taken: row.int("taken_units")?,
        created_at: row.at("created_at")?,
        disabled_at: row.opt_at("disabled_at")?,
    })
}

type Params = Vec<(&'static str, Value)>;

fn of(tenant: TenantId, coupon: CouponId) -> Params {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("coupon", coupon.as_bytes().into()),
    ]
}

fn written(tenant: TenantId, coupon: &Coupon, now: Timestamp) -> Result<Params, StoreError> {
    let mut params = of(tenant, coupon.id);
    let rule = serde_json::to_string(&coupon.rule).map_err(shape)?;
    params.push(("seller", coupon.seller.as_bytes().into()));
    params.push(("rule", rule.into()));
    params.push(("most", coupon.rule.max_units.into()));
    params.push(("now", now.into()));
    Ok(params)
}

/// Inserts a coupon; false when its seller has the code.
pub(super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: &Coupon,
) -> Result<bool, StoreError> {
    let mut params = written(tenant, coupon, coupon.created_at)?;
    params.push(("code", coupon.code.as_str().into()));
    Ok(tx.execute(INSERT, &params)? == 1)
}

pub(super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: &Coupon,
    now: Timestamp,
) -> Result<(), StoreError> {
    tx.execute(UPDATE, &written(tenant, coupon, now)?)?;
    Ok(())
}

pub(super) fn switch(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: &Coupon,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, coupon.id);
    params.push(("seller", coupon.seller.as_bytes().into()));
    params.push(("disabled", coupon.disabled_at.into()));
    params.push(("now", now.into()));
    tx.execute(SWITCH, &params)?;
    Ok(())
}

pub(super) fn by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    code: &str,
) -> Result<Option<Coupon>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("code", code.into()),
    ];
    tx.query_one(BY_CODE, &params)?
        .map(|row| from_row(&row))
        .transpose()
}

pub(super) fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<Coupon>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.query(OF_SELLER, &params)?.iter().map(from_row).collect()
}

pub(super) fn own(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    coupon: CouponId,
) -> Result<Option<Coupon>, StoreError> {
    let mut params = of(tenant, coupon);
    params.push(("seller", seller.as_bytes().into()));
    tx.query_one(OWN, &params)?
        .map(|row| from_row(&row))
        .transpose()
}

/// Units that a buyer holds, by account or address.
pub(super) fn used_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: CouponId,
    buyer: &Buyer,
) -> Result<i64, StoreError> {
    let mut params = of(tenant, coupon);
    params.extend(known_by(buyer));
    let row = tx.query_one(USED_BY, &params)?;
    row.map_or(Ok(0), |row| row.int("used"))
}

fn known_by(buyer: &Buyer) -> [(&'static str, Value); 2] {
    let email = buyer.address.as_ref().map(<[u8; 32]>::as_slice);
    [
        (
            "account",
            buyer.account.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("email", email.into()),
    ]
}

/// Takes units; false when so many aren't left.
pub(super) fn take(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: CouponId,
    units: i64,
) -> Result<bool, StoreError> {
    let mut params = of(tenant, coupon);
    params.push(("units", units.into()));
    Ok(tx.execute(TAKE, &params)? == 1)
}

/// Adds units that were promised before, or gives them back when negative.
pub(super) fn add(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: CouponId,
    units: i64,
) -> Result<(), StoreError> {
    let mut params = of(tenant, coupon);
    params.push(("units", units.into()));
    tx.execute(TAKE_AGAIN, &params)?;
    Ok(())
}

fn lasts_text(lasts: Lasts) -> Result<String, StoreError> {
    serde_json::to_string(&lasts).map_err(shape)
}

pub(super) fn insert_use(
    tx: &mut dyn Tx,
    tenant: TenantId,
    taken: &Taken<'_>,
    (line, discount): (OrderLineId, &Discount),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, discount.coupon);
    params.extend(known_by(taken.buyer));
    params.extend([
        ("line", line.as_bytes().into()),
        ("order", taken.order.as_bytes().into()),
        ("units", discount.units.into()),
        ("currency", discount.off.currency().code().into()),
        ("off", discount.off.minor().into()),
        ("lasts", lasts_text(discount.lasts)?.into()),
        ("now", now.into()),
    ]);
    tx.execute(INSERT_USE, &params)?;
    Ok(())
}

/// What one line of an order took.
pub(super) struct Use {
    pub line: OrderLineId,
    pub coupon: CouponId,
    pub units: i64,
    pub freed: bool,
}

pub(super) fn uses(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Use>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let taken = |row: &Row| {
        Ok(Use {
            line: row.id("order_line_id", OrderLineId::from_bytes)?,
            coupon: row.id("coupon_id", CouponId::from_bytes)?,
            units: row.int("units")?,
            freed: row.opt_at("freed_at")?.is_some(),
        })
    };
    tx.query(USES, &params)?.iter().map(taken).collect()
}

pub(super) fn set_freed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
    freed: Option<Timestamp>,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
        ("freed", freed.into()),
    ];
    tx.execute(SET_FREED, &params)?;
    Ok(())
}

pub(super) fn lasts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Lasts>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
    ];
    let row = tx.query_one(LASTS, &params)?;
    row.map(|row| serde_json::from_str(&row.text("lasts")?).map_err(shape))
        .transpose()
}
