//! SQL of the orders' tables.

use super::model::{InBundle, Line, Order, OrderState, SplitAmounts};
use super::ops::{Sale, SalesTotal};
use crate::domains::catalog::{Cycle, Kind, PriceModel};
use crate::domains::ledger::Traffic;
use crate::domains::taxes::{Tax, Why};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{AccountId, BundleId, OrderId, OrderLineId, PriceId, ProductId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const INSERT_ORDER: &str = "\
INSERT INTO customer_order (tenant_id, order_id, account_id, state, currency, total_minor,
    traffic, access_hash, placed_at, expires_at, paid_at, updated_at)
VALUES (:tenant, :order, :account, :state, :currency, :total, :traffic, :hash, :now,
    :expires, NULL, :now)";

const INSERT_CONTACT: &str = "\
INSERT INTO order_contact (tenant_id, order_id, email) VALUES (:tenant, :order, :email)";

const INSERT_LINE: &str = "\
INSERT INTO order_line (tenant_id, order_line_id, order_id, position, product_id, price_id,
    seller_id, seller_of_record, title, product_code, product_slug, product_kind, price_model,
    price_period, quantity, currency, unit_minor, gross_minor, discount_minor, tax_minor, tax_bps,
    tax_reason, tax_code, tax_jurisdiction, tax_inclusive, tax_base, charged_minor,
    platform_fee_minor, payment_fee_minor, affiliate_minor, seller_net_minor, split, terms,
    bundle_id, bundle_title)
VALUES (:tenant, :line, :order, :position, :product, :price, :seller, 'platform', :title, :code,
    :slug, :kind, :model, :period, :quantity, :currency, :unit, :gross, :discount, :tax, :tax_bps,
    :tax_reason, :tax_code, :jurisdiction, :inclusive, :tax_base, :charged, :platform_fee,
    :payment_fee, :affiliate, :seller_net, :split, :terms, :bundle, :bundle_title)";

const FIND_ORDER: &str = "\
SELECT order_id, account_id, state, currency, total_minor, traffic, access_hash,
    placed_at, expires_at, paid_at
FROM customer_order WHERE tenant_id = :tenant AND order_id = :order";

const LINES: &str = "\
SELECT order_line_id, product_id, price_id, seller_id, title, product_code, product_slug,
    product_kind, price_model, price_period, quantity, currency, unit_minor, gross_minor,
    discount_minor, tax_minor, tax_bps, tax_reason, tax_code, tax_jurisdiction, tax_inclusive,
    charged_minor, platform_fee_minor, payment_fee_minor, affiliate_minor, seller_net_minor,
    split, terms, bundle_id, bundle_title
FROM order_line WHERE tenant_id = :tenant AND order_id = :order ORDER BY position";

const MOVE_ORDER: &str = "\
UPDATE customer_order SET state = :state, paid_at = :paid, updated_at = :now
WHERE tenant_id = :tenant AND order_id = :order";

const MARK_DISPUTED: &str = "\
UPDATE customer_order SET is_disputed = :disputed
WHERE tenant_id = :tenant AND order_id = :order AND is_disputed <> :disputed";

const GIVE: &str = "\
UPDATE customer_order SET account_id = :account, updated_at = :now
WHERE tenant_id = :tenant AND order_id = :order AND account_id IS NULL";

const CONTACT: &str = "\
SELECT email FROM order_contact WHERE tenant_id = :tenant AND order_id = :order";

const HISTORY: &str = "\
SELECT order_id, account_id, state, currency, total_minor, traffic, access_hash,
    placed_at, expires_at, paid_at
FROM customer_order
WHERE tenant_id = :tenant AND account_id = :account AND order_id < :before
    AND (CAST(:state AS TEXT) = '' OR state = :state) AND is_disputed >= :disputed
ORDER BY order_id DESC LIMIT :limit";

const SELLERS_OF: &str = "\
SELECT DISTINCT l.seller_id FROM customer_order o
JOIN order_line l ON l.tenant_id = o.tenant_id AND l.order_id = o.order_id
WHERE o.tenant_id = :tenant AND o.account_id = :account AND o.paid_at IS NOT NULL
ORDER BY l.seller_id";

const NEWEST_WITH_SELLERS: &str = "\
SELECT DISTINCT o.order_id, l.seller_id FROM customer_order o
JOIN order_line l ON l.tenant_id = o.tenant_id AND l.order_id = o.order_id
WHERE o.tenant_id = :tenant AND o.account_id = :account AND o.paid_at IS NOT NULL
ORDER BY o.order_id DESC, l.seller_id LIMIT 100";

const ORDER_OF_LINE: &str = "\
SELECT order_id FROM order_line WHERE tenant_id = :tenant AND order_line_id = :line";

const RECORDS: &str = "\
SELECT order_line_id, seller_of_record FROM order_line
WHERE tenant_id = :tenant AND order_id = :order ORDER BY position";

const SALES: &str = "\
SELECT l.order_line_id, l.order_id, l.product_id, l.title, l.product_slug, l.quantity,
    l.currency, l.gross_minor, l.discount_minor, l.tax_minor, l.charged_minor,
    l.platform_fee_minor, l.payment_fee_minor, l.affiliate_minor, l.seller_net_minor, l.split,
    o.state, o.paid_at
FROM order_line l
JOIN customer_order o ON o.tenant_id = l.tenant_id AND o.order_id = l.order_id
WHERE l.tenant_id = :tenant AND l.seller_id = :seller AND l.order_line_id < :before
    AND o.paid_at IS NOT NULL AND (CAST(:state AS TEXT) = '' OR o.state = :state)
    AND o.is_disputed >= :disputed
ORDER BY l.order_line_id DESC LIMIT :limit";

const SALES_TOTALS: &str = "\
SELECT l.currency, COUNT(*) AS sold,
    CAST(COALESCE(SUM(l.charged_minor - l.tax_minor), 0) AS BIGINT) AS net_minor,
    CAST(COALESCE(SUM(l.platform_fee_minor), 0) AS BIGINT) AS platform_fee_minor,
    CAST(COALESCE(SUM(l.payment_fee_minor), 0) AS BIGINT) AS payment_fee_minor,
    CAST(COALESCE(SUM(l.seller_net_minor), 0) AS BIGINT) AS seller_net_minor
FROM order_line l
JOIN customer_order o ON o.tenant_id = l.tenant_id AND o.order_id = l.order_id
WHERE l.tenant_id = :tenant AND l.seller_id = :seller AND o.paid_at IS NOT NULL
GROUP BY l.currency ORDER BY l.currency";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT_ORDER,
    INSERT_CONTACT,
    SELLERS_OF,
    NEWEST_WITH_SELLERS,
    INSERT_LINE,
    FIND_ORDER,
    LINES,
    MOVE_ORDER,
    GIVE,
    CONTACT,
    MARK_DISPUTED,
    HISTORY,
    ORDER_OF_LINE,
    RECORDS,
    SALES,
    SALES_TOTALS,
];

/// A stored order with the hash of the token that opens it.
pub(super) struct StoredOrder {
    pub order: Order,
    pub access_hash: Vec<u8>,
}

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn amount(row: &Row, column: &str) -> Result<Money, StoreError> {
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    Ok(Money::new(row.int(column)?, currency))
}

fn named<T>(row: &Row, column: &str, parse: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text = row.text(column)?;
    parse(&text).ok_or_else(|| shape(format!("{column} holds {text:?}")))
}

fn stored(row: &Row) -> Result<StoredOrder, StoreError> {
    let order = Order {
        id: row.id("order_id", OrderId::from_bytes)?,
        account: row.opt_id("account_id", AccountId::from_bytes)?,
        state: named(row, "state", OrderState::parse)?,
        total: amount(row, "total_minor")?,
        traffic: Traffic::parse(&row.text("traffic")?),
        placed_at: row.at("placed_at")?,
        expires_at: row.at("expires_at")?,
        paid_at: row.opt_at("paid_at")?,
        lines: Vec::new(),
    };
    Ok(StoredOrder {
        order,
        access_hash: row.blob("access_hash")?,
    })
}

fn split(row: &Row) -> Result<SplitAmounts, StoreError> {
    Ok(SplitAmounts {
        gross: amount(row, "gross_minor")?,
        discount: amount(row, "discount_minor")?,
        tax: amount(row, "tax_minor")?,
        charged: amount(row, "charged_minor")?,
        platform_fee: amount(row, "platform_fee_minor")?,
        payment_fee: amount(row, "payment_fee_minor")?,
        affiliate: amount(row, "affiliate_minor")?,
        seller: amount(row, "seller_net_minor")?,
        explanation: row.text("split")?,
    })
}

fn tax(row: &Row) -> Result<Tax, StoreError> {
    Ok(Tax {
        why: named(row, "tax_code", Why::parse)?,
        bps: u32::try_from(row.int("tax_bps")?).map_err(shape)?,
        jurisdiction: row.text("tax_jurisdiction")?,
        inclusive: row.int("tax_inclusive")? != 0,
        reason: row.text("tax_reason")?,
    })
}

fn line(row: &Row) -> Result<Line, StoreError> {
    let period = row.opt_text("price_period")?;
    let period = period.map(|text| {
        text.parse::<Cycle>()
            .map_err(|error| shape(error.to_string()))
    });
    Ok(Line {
        id: row.id("order_line_id", OrderLineId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        price: row.id("price_id", PriceId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        title: row.text("title")?,
        product_code: row.text("product_code")?,
        product_slug: row.text("product_slug")?,
        kind: named(row, "product_kind", Kind::parse)?,
        model: named(row, "price_model", PriceModel::parse)?,
        period: period.transpose()?,
        quantity: row.int("quantity")?,
        unit: amount(row, "unit_minor")?,
        tax: tax(row)?,
        split: split(row)?,
        terms: serde_json::from_str(&row.text("terms")?).map_err(shape)?,
        bundle: match row.opt_id("bundle_id", BundleId::from_bytes)? {
            Some(id) => Some(InBundle {
                id,
                title: row.opt_text("bundle_title")?.unwrap_or_default(),
            }),
            None => None,
        },
    })
}

/// Writes the order's own row; lines and contact follow.
pub(super) fn insert_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &StoredOrder,
) -> Result<(), StoreError> {
    let order = &new.order;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.id.as_bytes().into()),
        (
            "account",
            order.account.as_ref().map(AccountId::as_bytes).into(),
        ),
        ("state", order.state.code().into()),
        ("currency", order.total.currency().code().into()),
        ("total", order.total.minor().into()),
        ("traffic", order.traffic.code().into()),
        ("hash", new.access_hash.as_slice().into()),
        ("now", order.placed_at.into()),
        ("expires", order.expires_at.into()),
    ];
    tx.execute(INSERT_ORDER, &params)?;
    Ok(())
}

pub(super) fn insert_contact(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    email: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("email", email.into()),
    ];
    tx.execute(INSERT_CONTACT, &params)?;
    Ok(())
}

/// Writes the lines of an order.
pub(super) fn insert_lines(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: &Order,
) -> Result<(), StoreError> {
    for (position, line) in (0_i64..).zip(&order.lines) {
        let mut params = agreed(line)?;
        params.extend(divided(&line.split));
        params.extend([
            ("tenant", tenant.as_bytes().into()),
            ("order", order.id.as_bytes().into()),
            ("position", position.into()),
        ]);
        tx.execute(INSERT_LINE, &params)?;
    }
    Ok(())
}

/// What was agreed, as parameters.
fn agreed(line: &Line) -> Result<Vec<(&'static str, Value)>, StoreError> {
    let bundle = line.bundle.as_ref();
    Ok(vec![
        ("line", line.id.as_bytes().into()),
        ("product", line.product.as_bytes().into()),
        ("price", line.price.as_bytes().into()),
        ("seller", line.seller.as_bytes().into()),
        ("title", line.title.as_str().into()),
        ("code", line.product_code.as_str().into()),
        ("slug", line.product_slug.as_str().into()),
        ("kind", line.kind.name().into()),
        ("model", line.model.name().into()),
        ("period", line.period.map(String::from).into()),
        ("quantity", line.quantity.into()),
        ("currency", line.unit.currency().code().into()),
        ("unit", line.unit.minor().into()),
        ("tax_bps", i64::from(line.tax.bps).into()),
        ("tax_reason", line.tax.reason.as_str().into()),
        ("tax_code", line.tax.why.code().into()),
        ("jurisdiction", line.tax.jurisdiction.as_str().into()),
        ("inclusive", i64::from(line.tax.inclusive).into()),
        (
            "terms",
            serde_json::to_string(&line.terms).map_err(shape)?.into(),
        ),
        ("bundle", bundle.map(|bundle| bundle.id.as_bytes()).into()),
        (
            "bundle_title",
            bundle.map(|bundle| bundle.title.as_str()).into(),
        ),
    ])
}

/// Who gets what, as parameters.
fn divided(split: &SplitAmounts) -> [(&'static str, Value); 10] {
    [
        ("gross", split.gross.minor().into()),
        ("discount", split.discount.minor().into()),
        ("tax", split.tax.minor().into()),
        ("tax_base", split.tax_base().minor().into()),
        ("charged", split.charged.minor().into()),
        ("platform_fee", split.platform_fee.minor().into()),
        ("payment_fee", split.payment_fee.minor().into()),
        ("affiliate", split.affiliate.minor().into()),
        ("seller_net", split.seller.minor().into()),
        ("split", split.explanation.as_str().into()),
    ]
}

pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<StoredOrder>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_ORDER, &params)? else {
        return Ok(None);
    };
    let mut found = stored(&row)?;
    found.order.lines = lines(tx, tenant, order)?;
    Ok(Some(found))
}

fn lines(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<Vec<Line>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    tx.query(LINES, &params)?.iter().map(line).collect()
}

pub(super) fn move_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: &Order,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.id.as_bytes().into()),
        ("state", order.state.code().into()),
        ("paid", order.paid_at.into()),
        ("now", now.into()),
    ];
    tx.execute(MOVE_ORDER, &params)?;
    Ok(())
}

/// Makes a guest's order an account's.
pub(super) fn give(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, account): (OrderId, AccountId),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("now", now.into()),
    ];
    tx.execute(GIVE, &params)?;
    Ok(())
}

pub(super) fn contact(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<String>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(CONTACT, &params)?;
    row.map(|row| row.text("email")).transpose()
}

/// Keeps whether a bank asks about an order, undecided.
pub(super) fn mark_disputed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
    disputed: bool,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("disputed", i64::from(disputed).into()),
    ];
    tx.execute(MARK_DISPUTED, &params).map(drop)
}

/// One page, newest first, of what is older than `before`.
pub(super) struct Page {
    pub tenant: TenantId,
    pub owner: AccountId,
    pub before: [u8; 16],
    pub limit: i64,
    /// Of orders in this state; `None` for all.
    pub state: Option<OrderState>,
    /// Only of orders that a bank asks about.
    pub disputed: bool,
}

pub(super) fn history(tx: &mut dyn Tx, page: &Page) -> Result<Vec<Order>, StoreError> {
    let params = [
        ("tenant", page.tenant.as_bytes().into()),
        ("account", page.owner.as_bytes().into()),
        ("before", (&page.before).into()),
        ("limit", page.limit.into()),
        ("state", page.state.map_or("", OrderState::code).into()),
        ("disputed", i64::from(page.disputed).into()),
    ];
    let rows = tx.query(HISTORY, &params)?;
    let mut orders = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut order = stored(row)?.order;
        order.lines = lines(tx, page.tenant, order.id)?;
        orders.push(order);
    }
    Ok(orders)
}

pub(super) fn order_of_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<OrderId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
    ];
    let row = tx.query_one(ORDER_OF_LINE, &params)?;
    row.map(|row| row.id("order_id", OrderId::from_bytes))
        .transpose()
}

/// Who the seller of record of each line is: `platform`, or an account's id.
pub(super) fn records(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<(OrderLineId, String)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let record = |row: &Row| {
        let line = row.id("order_line_id", OrderLineId::from_bytes)?;
        Ok((line, row.text("seller_of_record")?))
    };
    tx.query(RECORDS, &params)?.iter().map(record).collect()
}

pub(super) fn sales(tx: &mut dyn Tx, page: &Page) -> Result<Vec<Sale>, StoreError> {
    let params = [
        ("tenant", page.tenant.as_bytes().into()),
        ("seller", page.owner.as_bytes().into()),
        ("before", (&page.before).into()),
        ("limit", page.limit.into()),
        ("state", page.state.map_or("", OrderState::code).into()),
        ("disputed", i64::from(page.disputed).into()),
    ];
    let sale = |row: &Row| {
        Ok(Sale {
            line: row.id("order_line_id", OrderLineId::from_bytes)?,
            order: row.id("order_id", OrderId::from_bytes)?,
            product: row.id("product_id", ProductId::from_bytes)?,
            title: row.text("title")?,
            product_slug: row.text("product_slug")?,
            quantity: row.int("quantity")?,
            split: split(row)?,
            state: named(row, "state", OrderState::parse)?,
            paid_at: row.at("paid_at")?,
        })
    };
    tx.query(SALES, &params)?.iter().map(sale).collect()
}

pub(super) fn sales_totals(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<SalesTotal>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let total = |row: &Row| {
        Ok(SalesTotal {
            sold: row.int("sold")?,
            net: amount(row, "net_minor")?,
            platform_fee: amount(row, "platform_fee_minor")?,
            payment_fee: amount(row, "payment_fee_minor")?,
            seller: amount(row, "seller_net_minor")?,
        })
    };
    tx.query(SALES_TOTALS, &params)?.iter().map(total).collect()
}

/// Everybody of whom an account bought something.
pub(super) fn sellers_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<AccountId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let rows = tx.query(SELLERS_OF, &params)?;
    let seller = |row: &Row| row.id("seller_id", AccountId::from_bytes);
    rows.iter().map(seller).collect()
}

/// The newest paid orders of an account, each with every seller in it.
pub(super) fn newest_with_sellers(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<(AccountId, OrderId)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let rows = tx.query(NEWEST_WITH_SELLERS, &params)?;
    let pair = |row: &Row| {
        Ok((
            row.id("seller_id", AccountId::from_bytes)?,
            row.id("order_id", OrderId::from_bytes)?,
        ))
    };
    rows.iter().map(pair).collect()
}
