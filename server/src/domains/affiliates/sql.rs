//! SQL of affiliates.

pub(super) mod news;

use super::model::{Affiliation, Programme, Referral, Refusal, Standing, Terms, Via};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{
    AccountId, AffiliateClickId, AffiliationId, CouponId, OrderId, OrderLineId, ProductId, TenantId,
};
use mintreu::{Currency, Money, Timestamp};

const PUT_PROGRAMME: &str = "\
INSERT INTO affiliate_programme (tenant_id, seller_id, is_open, rate_bps, window_days,
    renewal_months, updated_at)
VALUES (:tenant, :seller, :open, :rate, :window, :months, :now)
ON CONFLICT (tenant_id, seller_id) DO UPDATE SET is_open = :open, rate_bps = :rate,
    window_days = :window, renewal_months = :months, updated_at = :now";

const PROGRAMME: &str = "\
SELECT seller_id, is_open, rate_bps, window_days, renewal_months FROM affiliate_programme
WHERE tenant_id = :tenant AND seller_id = :seller";

const OPEN_PROGRAMMES: &str = "\
SELECT seller_id, is_open, rate_bps, window_days, renewal_months FROM affiliate_programme
WHERE tenant_id = :tenant AND is_open = 1 AND seller_id > :after ORDER BY seller_id LIMIT :limit";

const PUT_RATE: &str = "\
INSERT INTO affiliate_rate (tenant_id, product_id, seller_id, rate_bps, updated_at)
VALUES (:tenant, :product, :seller, :rate, :now)
ON CONFLICT (tenant_id, product_id) DO UPDATE SET rate_bps = :rate, updated_at = :now";

const DROP_RATE: &str = "\
DELETE FROM affiliate_rate WHERE tenant_id = :tenant AND product_id = :product";

const RATE: &str = "\
SELECT rate_bps FROM affiliate_rate WHERE tenant_id = :tenant AND product_id = :product";

const RATES: &str = "\
SELECT product_id, rate_bps FROM affiliate_rate
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY product_id LIMIT 500";

const INSERT: &str = "\
INSERT INTO affiliation (tenant_id, affiliation_id, seller_id, affiliate_id, code, standing,
    coupon_id, clicks, joined_at, updated_at)
VALUES (:tenant, :affiliation, :seller, :affiliate, :code, 'active', NULL, 0, :now, :now)";

const UPDATE: &str = "\
UPDATE affiliation SET standing = :standing, coupon_id = :coupon, updated_at = :now
WHERE tenant_id = :tenant AND affiliation_id = :affiliation";

const BY_ID: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation WHERE tenant_id = :tenant AND affiliation_id = :affiliation";

const BY_CODE: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation WHERE tenant_id = :tenant AND code = :code";

const BY_COUPON: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation WHERE tenant_id = :tenant AND coupon_id = :coupon";

const BETWEEN: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation
WHERE tenant_id = :tenant AND seller_id = :seller AND affiliate_id = :affiliate";

const OF_AFFILIATE: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation WHERE tenant_id = :tenant AND affiliate_id = :affiliate
ORDER BY affiliation_id LIMIT 200";

const OF_SELLER: &str = "\
SELECT affiliation_id, seller_id, affiliate_id, code, standing, coupon_id, clicks, joined_at
FROM affiliation WHERE tenant_id = :tenant AND seller_id = :seller
ORDER BY affiliation_id LIMIT 500";

const COUNT_CLICK: &str = "\
UPDATE affiliation SET clicks = clicks + 1
WHERE tenant_id = :tenant AND affiliation_id = :affiliation";

const CLICK_OF: &str = "\
SELECT click_id FROM affiliate_click
WHERE tenant_id = :tenant AND affiliation_id = :affiliation AND visitor_hash = :visitor";

const INSERT_CLICK: &str = "\
INSERT INTO affiliate_click (tenant_id, click_id, affiliation_id, visitor_hash, clicked_at,
    expires_at)
VALUES (:tenant, :click, :affiliation, :visitor, :now, :expires)";

const FIND_CLICK: &str = "\
SELECT affiliation_id, expires_at FROM affiliate_click
WHERE tenant_id = :tenant AND click_id = :click";

const CLICKS_SINCE: &str = "\
SELECT COUNT(*) AS clicks FROM affiliate_click
WHERE tenant_id = :tenant AND affiliation_id = :affiliation AND clicked_at >= :since";

/// A click that ended some time ago goes: until then an order may still be refused because of it.
const SWEEP_CLICKS: &str = "\
DELETE FROM affiliate_click WHERE tenant_id = :tenant AND click_id IN (
    SELECT click_id FROM affiliate_click
    WHERE tenant_id = :tenant AND expires_at < :before ORDER BY expires_at LIMIT 20)";

const INSERT_REFERRAL: &str = "\
INSERT INTO affiliate_referral (tenant_id, order_line_id, order_id, affiliation_id, seller_id,
    affiliate_id, product_id, via, click_id, rate_bps, renewal_months, commission_minor,
    reversed_minor, currency, state, refusal, placed_at, credited_at)
VALUES (:tenant, :line, :order, :affiliation, :seller, :affiliate, :product, :via, :click, :rate,
    :months, :commission, 0, :currency, :state, :refusal, :now, NULL)";

const OF_LINE: &str = "\
SELECT order_line_id, order_id, affiliation_id, seller_id, affiliate_id, product_id, via, click_id,
    rate_bps, renewal_months, commission_minor, reversed_minor, currency, refusal, placed_at,
    credited_at
FROM affiliate_referral WHERE tenant_id = :tenant AND order_line_id = :line";

const OF_ORDER: &str = "\
SELECT order_line_id, order_id, affiliation_id, seller_id, affiliate_id, product_id, via, click_id,
    rate_bps, renewal_months, commission_minor, reversed_minor, currency, refusal, placed_at,
    credited_at
FROM affiliate_referral
WHERE tenant_id = :tenant AND order_id = :order AND product_id = :product
ORDER BY order_line_id LIMIT 1";

const REFERRALS_OF_AFFILIATE: &str = "\
SELECT order_line_id, order_id, affiliation_id, seller_id, affiliate_id, product_id, via, click_id,
    rate_bps, renewal_months, commission_minor, reversed_minor, currency, refusal, placed_at,
    credited_at
FROM affiliate_referral
WHERE tenant_id = :tenant AND affiliate_id = :affiliate AND order_line_id < :before
ORDER BY order_line_id DESC LIMIT :limit";

const REFERRALS_OF_SELLER: &str = "\
SELECT order_line_id, order_id, affiliation_id, seller_id, affiliate_id, product_id, via, click_id,
    rate_bps, renewal_months, commission_minor, reversed_minor, currency, refusal, placed_at,
    credited_at
FROM affiliate_referral
WHERE tenant_id = :tenant AND seller_id = :seller AND order_line_id < :before
ORDER BY order_line_id DESC LIMIT :limit";

const CREDIT: &str = "\
UPDATE affiliate_referral SET credited_at = :now, state = 'credited'
WHERE tenant_id = :tenant AND order_line_id = :line AND credited_at IS NULL";

const SET_REVERSED: &str = "\
UPDATE affiliate_referral SET reversed_minor = :reversed, state = :state
WHERE tenant_id = :tenant AND order_line_id = :line";

const SUMS: &str = "\
SELECT affiliation_id, currency, COUNT(*) AS sales,
    CAST(COALESCE(SUM(commission_minor), 0) AS BIGINT) AS commission_minor,
    CAST(COALESCE(SUM(reversed_minor), 0) AS BIGINT) AS reversed_minor
FROM affiliate_referral
WHERE tenant_id = :tenant AND affiliation_id = :affiliation AND credited_at IS NOT NULL
GROUP BY affiliation_id, currency ORDER BY currency";

const INSERT_TAKING: &str = "\
INSERT INTO affiliate_taking (tenant_id, cause, order_line_id, amount_minor, from_held_minor,
    currency, is_undone)
VALUES (:tenant, :cause, :line, :amount, :from_held, :currency, 0)";

const TAKING: &str = "\
SELECT amount_minor, from_held_minor, currency FROM affiliate_taking
WHERE tenant_id = :tenant AND cause = :cause AND order_line_id = :line AND is_undone = 0";

const UNDO_TAKING: &str = "\
UPDATE affiliate_taking SET is_undone = 1
WHERE tenant_id = :tenant AND cause = :cause AND order_line_id = :line";

type Params = Vec<(&'static str, Value)>;
type Done = Result<(), StoreError>;

fn of(tenant: TenantId, name: &'static str, id: impl Into<Value>) -> Params {
    vec![("tenant", tenant.as_bytes().into()), (name, id.into())]
}

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn programme_row(row: &Row) -> Result<Programme, StoreError> {
    Ok(Programme {
        seller: row.id("seller_id", AccountId::from_bytes)?,
        terms: Terms {
            open: row.int("is_open")? != 0,
            rate_bps: row.int("rate_bps")?,
            window_days: row.int("window_days")?,
            renewal_months: row.opt_int("renewal_months")?,
        },
    })
}

pub(super) fn put_programme(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    terms: &Terms,
    now: Timestamp,
) -> Done {
    let mut params = of(tenant, "seller", seller.as_bytes());
    params.extend([
        ("open", i64::from(terms.open).into()),
        ("rate", terms.rate_bps.into()),
        ("window", terms.window_days.into()),
        ("months", terms.renewal_months.into()),
        ("now", now.into()),
    ]);
    tx.execute(PUT_PROGRAMME, &params).map(drop)
}

pub(super) fn programme(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Option<Programme>, StoreError> {
    let row = tx.query_one(PROGRAMME, &of(tenant, "seller", seller.as_bytes()))?;
    row.as_ref().map(programme_row).transpose()
}

pub(super) fn open_programmes(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (after, limit): (AccountId, i64),
) -> Result<Vec<Programme>, StoreError> {
    let mut params = of(tenant, "after", after.as_bytes());
    params.push(("limit", limit.into()));
    let rows = tx.query(OPEN_PROGRAMMES, &params)?;
    rows.iter().map(programme_row).collect()
}

/// Sets a product's own rate; `None` for the programme's.
pub(super) fn put_rate(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    (product, rate): (ProductId, Option<i64>),
    now: Timestamp,
) -> Done {
    let mut params = of(tenant, "product", product.as_bytes());
    let Some(rate) = rate else {
        return tx.execute(DROP_RATE, &params).map(drop);
    };
    params.extend([
        ("seller", seller.as_bytes().into()),
        ("rate", rate.into()),
        ("now", now.into()),
    ]);
    tx.execute(PUT_RATE, &params).map(drop)
}

pub(super) fn rate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Option<i64>, StoreError> {
    let row = tx.query_one(RATE, &of(tenant, "product", product.as_bytes()))?;
    row.map(|row| row.int("rate_bps")).transpose()
}

pub(super) fn rates(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<(ProductId, i64)>, StoreError> {
    let rows = tx.query(RATES, &of(tenant, "seller", seller.as_bytes()))?;
    let rate = |row: &Row| {
        let product = row.id("product_id", ProductId::from_bytes)?;
        Ok((product, row.int("rate_bps")?))
    };
    rows.iter().map(rate).collect()
}

fn affiliation_row(row: &Row) -> Result<Affiliation, StoreError> {
    let standing = row.text("standing")?;
    Ok(Affiliation {
        id: row.id("affiliation_id", AffiliationId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        affiliate: row.id("affiliate_id", AccountId::from_bytes)?,
        code: row.text("code")?,
        standing: Standing::parse(&standing).ok_or_else(|| shape(standing))?,
        coupon: row.opt_id("coupon_id", CouponId::from_bytes)?,
        clicks: row.int("clicks")?,
        joined_at: row.at("joined_at")?,
    })
}

pub(super) fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Affiliation) -> Done {
    let mut params = of(tenant, "affiliation", new.id.as_bytes());
    params.extend([
        ("seller", new.seller.as_bytes().into()),
        ("affiliate", new.affiliate.as_bytes().into()),
        ("code", new.code.as_str().into()),
        ("now", new.joined_at.into()),
    ]);
    tx.execute(INSERT, &params).map(drop)
}

/// Writes standing and coupon.
pub(super) fn update(
    tx: &mut dyn Tx,
    tenant: TenantId,
    changed: &Affiliation,
    now: Timestamp,
) -> Done {
    let mut params = of(tenant, "affiliation", changed.id.as_bytes());
    let coupon = changed.coupon;
    params.extend([
        ("standing", changed.standing.code().into()),
        ("coupon", coupon.as_ref().map(CouponId::as_bytes).into()),
        ("now", now.into()),
    ]);
    tx.execute(UPDATE, &params).map(drop)
}

fn one(tx: &mut dyn Tx, sql: &str, params: &Params) -> Result<Option<Affiliation>, StoreError> {
    let row = tx.query_one(sql, params)?;
    row.as_ref().map(affiliation_row).transpose()
}

pub(super) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: AffiliationId,
) -> Result<Option<Affiliation>, StoreError> {
    one(tx, BY_ID, &of(tenant, "affiliation", id.as_bytes()))
}

pub(super) fn by_code(
    tx: &mut dyn Tx,
    tenant: TenantId,
    code: &str,
) -> Result<Option<Affiliation>, StoreError> {
    one(tx, BY_CODE, &of(tenant, "code", code))
}

pub(super) fn by_coupon(
    tx: &mut dyn Tx,
    tenant: TenantId,
    coupon: CouponId,
) -> Result<Option<Affiliation>, StoreError> {
    one(tx, BY_COUPON, &of(tenant, "coupon", coupon.as_bytes()))
}

pub(super) fn between(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (seller, affiliate): (AccountId, AccountId),
) -> Result<Option<Affiliation>, StoreError> {
    let mut params = of(tenant, "seller", seller.as_bytes());
    params.push(("affiliate", affiliate.as_bytes().into()));
    one(tx, BETWEEN, &params)
}

pub(super) fn of_affiliate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    affiliate: AccountId,
) -> Result<Vec<Affiliation>, StoreError> {
    let rows = tx.query(OF_AFFILIATE, &of(tenant, "affiliate", affiliate.as_bytes()))?;
    rows.iter().map(affiliation_row).collect()
}

pub(super) fn of_seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<Affiliation>, StoreError> {
    let rows = tx.query(OF_SELLER, &of(tenant, "seller", seller.as_bytes()))?;
    rows.iter().map(affiliation_row).collect()
}

/// A click that this visitor left today already.
pub(super) fn click_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (affiliation, visitor): (AffiliationId, &[u8]),
) -> Result<Option<AffiliateClickId>, StoreError> {
    let mut params = of(tenant, "affiliation", affiliation.as_bytes());
    params.push(("visitor", visitor.into()));
    let row = tx.query_one(CLICK_OF, &params)?;
    row.map(|row| row.id("click_id", AffiliateClickId::from_bytes))
        .transpose()
}

/// A new click.
pub(super) struct NewClick<'a> {
    pub id: AffiliateClickId,
    pub affiliation: AffiliationId,
    pub visitor: &'a [u8],
    pub now: Timestamp,
    pub expires_at: Timestamp,
}

pub(super) fn insert_click(tx: &mut dyn Tx, tenant: TenantId, new: &NewClick<'_>) -> Done {
    let mut params = of(tenant, "affiliation", new.affiliation.as_bytes());
    tx.execute(COUNT_CLICK, &params)?;
    params.extend([
        ("click", new.id.as_bytes().into()),
        ("visitor", new.visitor.into()),
        ("now", new.now.into()),
        ("expires", new.expires_at.into()),
    ]);
    tx.execute(INSERT_CLICK, &params).map(drop)
}

pub(super) fn find_click(
    tx: &mut dyn Tx,
    tenant: TenantId,
    click: AffiliateClickId,
) -> Result<Option<(AffiliationId, Timestamp)>, StoreError> {
    let row = tx.query_one(FIND_CLICK, &of(tenant, "click", click.as_bytes()))?;
    let found = |row: Row| {
        let of = row.id("affiliation_id", AffiliationId::from_bytes)?;
        Ok((of, row.at("expires_at")?))
    };
    row.map(found).transpose()
}

pub(super) fn clicks_since(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (affiliation, since): (AffiliationId, Timestamp),
) -> Result<i64, StoreError> {
    let mut params = of(tenant, "affiliation", affiliation.as_bytes());
    params.push(("since", since.into()));
    let row = tx.query_one(CLICKS_SINCE, &params)?;
    row.map_or(Ok(0), |row| row.int("clicks"))
}

pub(super) fn sweep_clicks(tx: &mut dyn Tx, tenant: TenantId, before: Timestamp) -> Done {
    tx.execute(SWEEP_CLICKS, &of(tenant, "before", before))
        .map(drop)
}

fn referral_row(row: &Row) -> Result<Referral, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let via = row.text("via")?;
    let refusal = row.opt_text("refusal")?;
    Ok(Referral {
        line: row.id("order_line_id", OrderLineId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        affiliation: row.id("affiliation_id", AffiliationId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        affiliate: row.id("affiliate_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        via: Via::parse(&via).ok_or_else(|| shape(via))?,
        click: row.opt_id("click_id", AffiliateClickId::from_bytes)?,
        bps: row.int("rate_bps")?,
        renewal_months: row.opt_int("renewal_months")?,
        commission: Money::new(row.int("commission_minor")?, currency),
        reversed: Money::new(row.int("reversed_minor")?, currency),
        refusal: match refusal {
            Some(code) => Some(Refusal::parse(&code).ok_or_else(|| shape(code))?),
            None => None,
        },
        placed_at: row.at("placed_at")?,
        credited_at: row.opt_at("credited_at")?,
    })
}

pub(super) fn insert_referral(tx: &mut dyn Tx, tenant: TenantId, new: &Referral) -> Done {
    let mut params = of(tenant, "line", new.line.as_bytes());
    let state = match new.refusal {
        Some(_) => "refused",
        None => "placed",
    };
    params.extend([
        ("order", new.order.as_bytes().into()),
        ("affiliation", new.affiliation.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("affiliate", new.affiliate.as_bytes().into()),
        ("product", new.product.as_bytes().into()),
        ("via", new.via.code().into()),
        (
            "click",
            new.click.as_ref().map(AffiliateClickId::as_bytes).into(),
        ),
        ("rate", new.bps.into()),
        ("months", new.renewal_months.into()),
        ("commission", new.commission.minor().into()),
        ("currency", new.commission.currency().code().into()),
        ("state", state.into()),
        ("refusal", new.refusal.map(Refusal::code).into()),
        ("now", new.placed_at.into()),
    ]);
    tx.execute(INSERT_REFERRAL, &params).map(drop)
}

pub(super) fn of_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Referral>, StoreError> {
    let row = tx.query_one(OF_LINE, &of(tenant, "line", line.as_bytes()))?;
    row.as_ref().map(referral_row).transpose()
}

pub(super) fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, product): (OrderId, ProductId),
) -> Result<Option<Referral>, StoreError> {
    let mut params = of(tenant, "order", order.as_bytes());
    params.push(("product", product.as_bytes().into()));
    let row = tx.query_one(OF_ORDER, &params)?;
    row.as_ref().map(referral_row).transpose()
}

/// Whose referrals.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Affiliate(AccountId),
    Seller(AccountId),
}

pub(super) fn referrals(
    tx: &mut dyn Tx,
    tenant: TenantId,
    whose: Whose,
    (before, limit): (OrderLineId, i64),
) -> Result<Vec<Referral>, StoreError> {
    let (sql, mut params) = match whose {
        Whose::Affiliate(id) => (
            REFERRALS_OF_AFFILIATE,
            of(tenant, "affiliate", id.as_bytes()),
        ),
        Whose::Seller(id) => (REFERRALS_OF_SELLER, of(tenant, "seller", id.as_bytes())),
    };
    params.push(("before", before.as_bytes().into()));
    params.push(("limit", limit.into()));
    tx.query(sql, &params)?.iter().map(referral_row).collect()
}

/// Notes that its order was paid; false when it was noted before.
pub(super) fn credit(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut params = of(tenant, "line", line.as_bytes());
    params.push(("now", now.into()));
    Ok(tx.execute(CREDIT, &params)? > 0)
}

pub(super) fn set_reversed(tx: &mut dyn Tx, tenant: TenantId, changed: &Referral) -> Done {
    let mut params = of(tenant, "line", changed.line.as_bytes());
    let state = match changed.reversed == changed.commission {
        true => "reversed",
        false => "credited",
    };
    params.push(("reversed", changed.reversed.minor().into()));
    params.push(("state", state.into()));
    tx.execute(SET_REVERSED, &params).map(drop)
}

/// What an affiliation earned in one currency.
pub(super) struct Sum {
    pub sales: i64,
    pub commission: Money,
    pub reversed: Money,
}

pub(super) fn sums(
    tx: &mut dyn Tx,
    tenant: TenantId,
    affiliation: AffiliationId,
) -> Result<Vec<Sum>, StoreError> {
    let sum = |row: &Row| {
        let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
        Ok(Sum {
            sales: row.int("sales")?,
            commission: Money::new(row.int("commission_minor")?, currency),
            reversed: Money::new(row.int("reversed_minor")?, currency),
        })
    };
    let rows = tx.query(SUMS, &of(tenant, "affiliation", affiliation.as_bytes()))?;
    rows.iter().map(sum).collect()
}

pub(super) fn insert_taking(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cause, line): (&str, OrderLineId),
    (amount, from_held): (Money, Money),
) -> Done {
    let mut params = of(tenant, "line", line.as_bytes());
    params.extend([
        ("cause", cause.into()),
        ("amount", amount.minor().into()),
        ("from_held", from_held.minor().into()),
        ("currency", amount.currency().code().into()),
    ]);
    tx.execute(INSERT_TAKING, &params).map(drop)
}

/// What a cause took, and how much of it out of the hold; none when it took nothing or was undone.
pub(super) fn taking(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cause, line): (&str, OrderLineId),
) -> Result<Option<(Money, Money)>, StoreError> {
    let mut params = of(tenant, "line", line.as_bytes());
    params.push(("cause", cause.into()));
    let taken = |row: Row| {
        let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
        let money = |name: &str| Ok::<_, StoreError>(Money::new(row.int(name)?, currency));
        Ok((money("amount_minor")?, money("from_held_minor")?))
    };
    tx.query_one(TAKING, &params)?.map(taken).transpose()
}

pub(super) fn undo_taking(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cause, line): (&str, OrderLineId),
) -> Done {
    let mut params = of(tenant, "line", line.as_bytes());
    params.push(("cause", cause.into()));
    tx.execute(UNDO_TAKING, &params).map(drop)
}
