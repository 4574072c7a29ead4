//! All SQL of invoices.

use super::model::{Invoice, InvoiceLine, NewLine, State};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{
    AccountId, InvoiceId, InvoiceLineId, LicenseId, OrderId, PaymentId, ProductId, TenantId,
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

const OF_SELLER: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND seller_id = :account AND invoice_id < :before
    ORDER BY invoice_id DESC LIMIT :limit";

const OF_LICENSE: &str = "SELECT invoice_id, issuer_id, series, number, source, customer_id,
        order_id, seller_id, product_id, license_id, period_start, period_end, currency,
        total_minor, state, finalized_at, due_at, paid_at, payment_id
    FROM invoice WHERE tenant_id = :tenant AND license_id = :license
    ORDER BY invoice_id DESC LIMIT :limit";

const LINES: &str = "SELECT invoice_line_id, kind, meter, quantity, free_units, unit_price_nanos,
        amount_minor, tariff, explanation
    FROM invoice_line WHERE tenant_id = :tenant AND invoice_id = :invoice ORDER BY position";

const PAY: &str = "UPDATE invoice SET state = :paid, paid_at = :now, payment_id = :payment
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
    LINES,
    PAY,
];

/// Takes the next number of a series.
pub fn next_number(
    tx: &mut dyn Tx,
    tenant: TenantId,
    issuer: TenantId,
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
        .map(|row| from_row(&row))
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
        .map(|row| from_row(&row))
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
    tx.query(sql, &params)?.iter().map(from_row).collect()
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
    tx.query(OF_LICENSE, &params)?
        .iter()
        .map(from_row)
        .collect()
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

fn from_row(row: &Row) -> Result<Invoice, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|e| StoreError::shape(e.to_string()))?;
    let state = row.text("state")?;
    Ok(Invoice {
        id: row.id("invoice_id", InvoiceId::from_bytes)?,
        issuer: row.id("issuer_id", TenantId::from_bytes)?,
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
    })
}
