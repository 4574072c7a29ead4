//! All SQL of invoices; that of credit notes, of parties and of lists is beside it.

pub mod credits;
pub mod lists;
pub mod parties;

use super::model::{Invoice, InvoiceLine, Issuer, NewLine, Sold, State, TaxSnapshot};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{
    AccountId, InvoiceId, InvoiceLineId, LicenseId, OrderId, OrderLineId, PaymentId, ProductId,
    TenantId,
};
use mintreu::{Currency, Money, Timestamp};

const NEXT_NUMBER: &str = "INSERT INTO invoice_series (tenant_id, issuer_id, series, last_number)
    VALUES (:tenant, :issuer, :series, 1)
    ON CONFLICT (tenant_id, issuer_id, series)
    DO UPDATE SET last_number = invoice_series.last_number + 1
    RETURNING last_number";

const INSERT: &str = "INSERT INTO invoice (invoice_id, tenant_id, issuer_id, series, number,
        source, customer_id, order_id, seller_id, product_id, license_id, period_start,
        period_end, currency, total_minor, state, finalized_at, due_at)
    VALUES (:invoice, :tenant, :issuer, :series, :number, :source, :customer, :order, :seller,
        :product, :license, :period_start, :period_end, :currency, :total, :state, :now, :due)";

const INSERT_LINE: &str = "INSERT INTO invoice_line (invoice_line_id, tenant_id, invoice_id,
        position, kind, meter, quantity, free_units, unit_price_nanos, amount_minor, tariff,
        explanation)
    VALUES (:line, :tenant, :invoice, :position, :kind, :meter, :quantity, :free_units,
        :unit_price, :amount, :tariff, :explanation)";

const BY_ID: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id, order_id,
        seller_id, product_id, license_id, period_start, period_end, currency, total_minor, state,
        finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND invoice_id = :invoice";

const BY_SOURCE: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND source = :source";

const OF_CUSTOMER: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND customer_id = :account AND invoice_id < :before
    ORDER BY invoice_id DESC LIMIT :limit";

const OF_SELLER: &str = "SELECT i.invoice_id, i.issuer_id, i.series, i.number, i.source,
        i.customer_id, i.order_id, i.seller_id, i.product_id, i.license_id, i.period_start,
        i.period_end, i.currency,
        CAST(COALESCE((SELECT SUM(l.amount_minor) FROM invoice_sale s JOIN invoice_line l
            ON l.tenant_id = s.tenant_id AND l.invoice_id = s.invoice_id
                AND l.position = s.position
            WHERE s.tenant_id = i.tenant_id AND s.invoice_id = i.invoice_id
                AND s.seller_id = :account), i.total_minor) AS BIGINT) AS total_minor,
        i.state, i.finalized_at, i.due_at, i.paid_at, i.payment_id
    FROM invoice i WHERE i.tenant_id = :tenant AND i.invoice_id < :before
        AND (i.seller_id = :account OR EXISTS (SELECT 1 FROM invoice_sale s
            WHERE s.tenant_id = i.tenant_id AND s.invoice_id = i.invoice_id
                AND s.seller_id = :account))
    ORDER BY i.invoice_id DESC LIMIT :limit";

const OF_LICENSE: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND license_id = :license
    ORDER BY invoice_id DESC LIMIT :limit";

const OF_ORDER: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND order_id = :order ORDER BY invoice_id";

const GIVE: &str = "UPDATE invoice SET customer_id = :customer
    WHERE tenant_id = :tenant AND order_id = :order AND customer_id IS NULL";

const INSERT_SOLD: &str = "INSERT INTO invoice_sale (tenant_id, invoice_id, position,
        order_line_id, seller_id, product_id, title, gross_minor, discount_minor, tax_minor,
        tax_bps, tax_jurisdiction, tax_inclusive, tax_reason)
    VALUES (:tenant, :invoice, :position, :line, :seller, :product, :title, :gross, :discount,
        :tax, :bps, :jurisdiction, :inclusive, :reason)";

const LINES: &str = "SELECT l.invoice_line_id, l.kind, l.meter, l.quantity, l.free_units,
        l.unit_price_nanos, l.amount_minor, l.tariff, l.explanation, s.order_line_id, s.seller_id,
        s.product_id, s.title, s.gross_minor, s.discount_minor, s.tax_minor, s.tax_bps,
        s.tax_jurisdiction, s.tax_inclusive, s.tax_reason
    FROM invoice_line l LEFT JOIN invoice_sale s ON s.tenant_id = l.tenant_id
        AND s.invoice_id = l.invoice_id AND s.position = l.position
    WHERE l.tenant_id = :tenant AND l.invoice_id = :invoice ORDER BY l.position";

const PAY: &str = "UPDATE invoice SET state = :paid, paid_at = :now, payment_id = :payment
    WHERE tenant_id = :tenant AND invoice_id = :invoice AND state = :open";

const VOID: &str = "UPDATE invoice SET state = :void
    WHERE tenant_id = :tenant AND invoice_id = :invoice AND state = :open";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    NEXT_NUMBER,
    INSERT,
    INSERT_LINE,
    BY_ID,
    BY_SOURCE,
    OF_CUSTOMER,
    OF_SELLER,
    OF_LICENSE,
    OF_ORDER,
    GIVE,
    INSERT_SOLD,
    LINES,
    PAY,
    VOID,
];

/// Takes the next number of a series.
pub fn next_number(
    tx: &mut dyn Tx,
    tenant: TenantId,
    issuer: Issuer,
    series: &str,
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("issuer", issuer.as_bytes().into()),
        ("series", series.into()),
    ];
    let row = tx.query_one(NEXT_NUMBER, &params)?;
    row.ok_or_else(|| StoreError::shape("a series answered no number".into()))?
        .int("last_number")
}

/// Stores the invoice, in state open.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, invoice: &Invoice) -> Result<(), StoreError> {
    let params = [
        ("invoice", invoice.id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("issuer", invoice.issuer.as_bytes().into()),
        ("series", invoice.series.as_str().into()),
        ("number", invoice.number.into()),
        ("source", invoice.source.as_str().into()),
        (
            "customer",
            invoice.customer.as_ref().map(AccountId::as_bytes).into(),
        ),
        (
            "order",
            invoice.order.as_ref().map(OrderId::as_bytes).into(),
        ),
        ("seller", invoice.seller.as_bytes().into()),
        ("product", invoice.product.as_bytes().into()),
        (
            "license",
            invoice.license.as_ref().map(LicenseId::as_bytes).into(),
        ),
        ("period_start", invoice.period.0.into()),
        ("period_end", invoice.period.1.into()),
        ("currency", invoice.total.currency().code().into()),
        ("total", invoice.total.minor().into()),
        ("state", invoice.state.name().into()),
        ("now", invoice.finalized_at.into()),
        ("due", invoice.due_at.into()),
    ];
    tx.execute(INSERT, &params).map(|_| ())
}

/// Stores one line at `position`.
pub fn insert_line(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    (id, position): (InvoiceLineId, i64),
    line: &NewLine,
) -> Result<(), StoreError> {
    let count = |units: u64| i64::try_from(units).unwrap_or(i64::MAX);
    let params = [
        ("line", id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("position", position.into()),
        ("kind", line.kind.as_str().into()),
        ("meter", line.meter.clone().into()),
        ("quantity", count(line.quantity).into()),
        ("free_units", count(line.free_units).into()),
        ("unit_price", line.unit_price_nanos.into()),
        ("amount", line.amount.minor().into()),
        ("tariff", line.tariff.clone().into()),
        ("explanation", line.explanation.as_str().into()),
    ];
    tx.execute(INSERT_LINE, &params).map(|_| ())
}

/// The invoice with that id.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: InvoiceId,
) -> Result<Option<Invoice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", id.as_bytes().into()),
    ];
    tx.query_one(BY_ID, &params)?
        .map(|row| from_row(&row, tenant))
        .transpose()
}

/// The invoice that `source` caused.
pub fn by_source(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<Invoice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
    ];
    tx.query_one(BY_SOURCE, &params)?
        .map(|row| from_row(&row, tenant))
        .transpose()
}

/// Invoices that `account` owes (or, as the seller, earns), newest first, older than `before`.
pub fn of_account(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    as_seller: bool,
    (before, limit): (InvoiceId, i64),
) -> Result<Vec<Invoice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("before", before.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let sql = if as_seller { OF_SELLER } else { OF_CUSTOMER };
    let rows = tx.query(sql, &params)?;
    rows.iter().map(|row| from_row(row, tenant)).collect()
}

/// The newest `limit` invoices of a license.
pub fn of_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    limit: i64,
) -> Result<Vec<Invoice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(OF_LICENSE, &params)?;
    rows.iter().map(|row| from_row(row, tenant)).collect()
}

/// The invoices of an order, in the order of their numbers.
pub fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Invoice>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let rows = tx.query(OF_ORDER, &params)?;
    rows.iter().map(|row| from_row(row, tenant)).collect()
}

/// Makes the invoices of a guest's order an account's.
pub fn give(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (order, customer): (OrderId, AccountId),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("customer", customer.as_bytes().into()),
    ];
    tx.execute(GIVE, &params).map(drop)
}

/// Stores what the line at `position` repeats of an order's line.
pub fn insert_sold(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    position: i64,
    sold: &Sold,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("position", position.into()),
        ("line", sold.line.as_bytes().into()),
        ("seller", sold.seller.as_bytes().into()),
        ("product", sold.product.as_bytes().into()),
        ("title", sold.title.as_str().into()),
        ("gross", sold.gross.minor().into()),
        ("discount", sold.discount.minor().into()),
        ("tax", sold.tax.amount.minor().into()),
        ("bps", i64::from(sold.tax.bps).into()),
        ("jurisdiction", sold.tax.jurisdiction.as_str().into()),
        ("inclusive", i64::from(sold.tax.inclusive).into()),
        ("reason", sold.tax.reason.as_str().into()),
    ];
    tx.execute(INSERT_SOLD, &params).map(drop)
}

/// The lines of an invoice, in order.
pub fn lines(
    tx: &mut dyn Tx,
    tenant: TenantId,
    invoice: &Invoice,
) -> Result<Vec<InvoiceLine>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.id.as_bytes().into()),
    ];
    let currency = invoice.total.currency();
    let rows = tx.query(LINES, &params)?;
    rows.iter()
        .map(|row| line_from_row(row, currency))
        .collect()
}

/// Open becomes paid; answers whether it was open.
pub fn pay(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    payment: Option<PaymentId>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("paid", State::Paid.name().into()),
        ("open", State::Open.name().into()),
        ("now", now.into()),
        ("payment", payment.as_ref().map(PaymentId::as_bytes).into()),
    ];
    Ok(tx.execute(PAY, &params)? == 1)
}

/// Open becomes void; answers whether it was open.
pub fn void(tx: &mut dyn Tx, (tenant, invoice): (TenantId, InvoiceId)) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("void", State::Void.name().into()),
        ("open", State::Open.name().into()),
    ];
    Ok(tx.execute(VOID, &params)? == 1)
}

fn from_row(row: &Row, tenant: TenantId) -> Result<Invoice, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|e| StoreError::shape(e.to_string()))?;
    let state = row.text("state")?;
    Ok(Invoice {
        id: row.id("invoice_id", InvoiceId::from_bytes)?,
        issuer: Issuer::from_bytes(tenant, row.id("issuer_id", |bytes| bytes)?),
        series: row.text("series")?,
        number: row.int("number")?,
        source: row.text("source")?,
        customer: row.opt_id("customer_id", AccountId::from_bytes)?,
        order: row.opt_id("order_id", OrderId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        license: row.opt_id("license_id", LicenseId::from_bytes)?,
        period: (row.at("period_start")?, row.at("period_end")?),
        total: Money::new(row.int("total_minor")?, currency),
        state: State::parse(&state).ok_or_else(|| StoreError::shape(format!("state {state}")))?,
        finalized_at: row.at("finalized_at")?,
        due_at: row.at("due_at")?,
        paid_at: row.opt_at("paid_at")?,
        payment: row.opt_id("payment_id", PaymentId::from_bytes)?,
    })
}

fn line_from_row(row: &Row, currency: Currency) -> Result<InvoiceLine, StoreError> {
    Ok(InvoiceLine {
        id: row.id("invoice_line_id", InvoiceLineId::from_bytes)?,
        kind: row.text("kind")?,
        meter: row.opt_text("meter")?,
        quantity: row.int("quantity")?,
        free_units: row.int("free_units")?,
        unit_price_nanos: row.opt_int("unit_price_nanos")?,
        amount: Money::new(row.int("amount_minor")?, currency),
        tariff: row.opt_text("tariff")?,
        explanation: row.text("explanation")?,
        sold: sold_from_row(row, currency)?,
    })
}

/// What the row repeats of an order's line, when it does.
fn sold_from_row(row: &Row, currency: Currency) -> Result<Option<Sold>, StoreError> {
    let Some(line) = row.opt_id("order_line_id", OrderLineId::from_bytes)? else {
        return Ok(None);
    };
    let amount = |column| Ok::<_, StoreError>(Money::new(row.int(column)?, currency));
    let bps = u32::try_from(row.int("tax_bps")?);
    Ok(Some(Sold {
        line,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        product: row.id("product_id", ProductId::from_bytes)?,
        title: row.text("title")?,
        gross: amount("gross_minor")?,
        discount: amount("discount_minor")?,
        tax: TaxSnapshot {
            bps: bps.map_err(|error| StoreError::shape(error.to_string()))?,
            jurisdiction: row.text("tax_jurisdiction")?,
            inclusive: row.int("tax_inclusive")? != 0,
            reason: row.text("tax_reason")?,
            amount: amount("tax_minor")?,
        },
    }))
}
