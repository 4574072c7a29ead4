//! All SQL of credit notes.

use crate::domains::invoicing::credits::{CreditKind, CreditLine, CreditNote, Place};
use crate::domains::invoicing::model::Issuer;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{CreditNoteId, InvoiceId, OrderLineId, TenantId};
use mintreu::{Currency, Money};

const INSERT: &str =
    "INSERT INTO credit_note (tenant_id, credit_note_id, issuer_id, series, number,
        invoice_id, corrects_id, cause, reason, note, currency, total_minor, issued_at)
    VALUES (:tenant, :id, :issuer, :series, :number, :invoice, :corrects, :cause, :reason, :note,
        :currency, :total, :now)";

const INSERT_LINE: &str = "INSERT INTO credit_note_line (tenant_id, credit_note_id, position,
        invoice_position, amount_minor, tax_minor)
    VALUES (:tenant, :id, :position, :invoice_position, :amount, :tax)";

const BY_ID: &str = "SELECT credit_note_id, issuer_id, series, number, invoice_id, corrects_id,
        cause, reason, note, currency, total_minor, issued_at
    FROM credit_note WHERE tenant_id = :tenant AND credit_note_id = :id";

const OF_CAUSE: &str = "SELECT credit_note_id, issuer_id, series, number, invoice_id, corrects_id,
        cause, reason, note, currency, total_minor, issued_at
    FROM credit_note WHERE tenant_id = :tenant AND cause = :cause AND series = :series
    ORDER BY credit_note_id";

const OF_INVOICE: &str =
    "SELECT credit_note_id, issuer_id, series, number, invoice_id, corrects_id,
        cause, reason, note, currency, total_minor, issued_at
    FROM credit_note WHERE tenant_id = :tenant AND invoice_id = :invoice
    ORDER BY issued_at, credit_note_id";

const LINES: &str = "SELECT invoice_position, amount_minor, tax_minor FROM credit_note_line
    WHERE tenant_id = :tenant AND credit_note_id = :id ORDER BY position";

const PLACE: &str = "SELECT s.invoice_id, s.position, i.issuer_id, i.currency, l.amount_minor
    FROM invoice_sale s
    JOIN invoice i ON i.tenant_id = s.tenant_id AND i.invoice_id = s.invoice_id
    JOIN invoice_line l ON l.tenant_id = s.tenant_id AND l.invoice_id = s.invoice_id
        AND l.position = s.position
    WHERE s.tenant_id = :tenant AND s.order_line_id = :line";

const CREDITED: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN c.series = 'CN' THEN l.amount_minor
            ELSE -l.amount_minor END), 0) AS BIGINT) AS credited
    FROM credit_note c JOIN credit_note_line l ON l.tenant_id = c.tenant_id
        AND l.credit_note_id = c.credit_note_id
    WHERE c.tenant_id = :tenant AND c.invoice_id = :invoice AND l.invoice_position = :position";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    INSERT,
    INSERT_LINE,
    BY_ID,
    OF_CAUSE,
    OF_INVOICE,
    LINES,
    PLACE,
    CREDITED,
];

fn currency(row: &Row) -> Result<Currency, StoreError> {
    Currency::parse(&row.text("currency")?).map_err(|error| StoreError::shape(error.to_string()))
}

fn from_row(row: &Row, tenant: TenantId) -> Result<CreditNote, StoreError> {
    let series = row.text("series")?;
    let kind = CreditKind::of_series(&series);
    Ok(CreditNote {
        id: row.id("credit_note_id", CreditNoteId::from_bytes)?,
        issuer: Issuer::from_bytes(tenant, row.id("issuer_id", |bytes| bytes)?),
        kind: kind.ok_or_else(|| StoreError::shape(format!("series {series}")))?,
        number: row.int("number")?,
        invoice: row.id("invoice_id", InvoiceId::from_bytes)?,
        corrects: row.opt_id("corrects_id", CreditNoteId::from_bytes)?,
        cause: row.text("cause")?,
        reason: row.text("reason")?,
        note: row.text("note")?,
        total: Money::new(row.int("total_minor")?, currency(row)?),
        issued_at: row.at("issued_at")?,
    })
}

/// Writes a credit note.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &CreditNote) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", new.id.as_bytes().into()),
        ("issuer", new.issuer.as_bytes().into()),
        ("series", new.kind.series().into()),
        ("number", new.number.into()),
        ("invoice", new.invoice.as_bytes().into()),
        (
            "corrects",
            new.corrects.as_ref().map(CreditNoteId::as_bytes).into(),
        ),
        ("cause", new.cause.as_str().into()),
        ("reason", new.reason.as_str().into()),
        ("note", new.note.as_str().into()),
        ("currency", new.total.currency().code().into()),
        ("total", new.total.minor().into()),
        ("now", new.issued_at.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// Writes one line at `position`.
pub fn insert_line(
    tx: &mut dyn Tx,
    (tenant, id): (TenantId, CreditNoteId),
    position: i64,
    line: &CreditLine,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", id.as_bytes().into()),
        ("position", position.into()),
        ("invoice_position", line.invoice_position.into()),
        ("amount", line.amount.minor().into()),
        ("tax", line.tax.minor().into()),
    ];
    tx.execute(INSERT_LINE, &params).map(drop)
}

/// The credit note with that id.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: CreditNoteId,
) -> Result<Option<CreditNote>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", id.as_bytes().into()),
    ];
    let row = tx.query_one(BY_ID, &params)?;
    row.map(|row| from_row(&row, tenant)).transpose()
}

/// What a cause made, of one kind.
pub fn of_cause(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cause, kind): (&str, CreditKind),
) -> Result<Vec<CreditNote>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("cause", cause.into()),
        ("series", kind.series().into()),
    ];
    let rows = tx.query(OF_CAUSE, &params)?;
    rows.iter().map(|row| from_row(row, tenant)).collect()
}

/// What was credited and corrected of an invoice, oldest first.
pub fn of_invoice(
    tx: &mut dyn Tx,
    tenant: TenantId,
    invoice: InvoiceId,
) -> Result<Vec<CreditNote>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
    ];
    let rows = tx.query(OF_INVOICE, &params)?;
    rows.iter().map(|row| from_row(row, tenant)).collect()
}

/// The lines of a credit note, in order.
pub fn lines(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &CreditNote,
) -> Result<Vec<CreditLine>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", of.id.as_bytes().into()),
    ];
    let currency = of.total.currency();
    let line = |row: &Row| {
        Ok(CreditLine {
            invoice_position: row.int("invoice_position")?,
            amount: Money::new(row.int("amount_minor")?, currency),
            tax: Money::new(row.int("tax_minor")?, currency),
        })
    };
    tx.query(LINES, &params)?.iter().map(line).collect()
}

/// Where an order's line stands, if it was invoiced.
pub fn place(
    tx: &mut dyn Tx,
    tenant: TenantId,
    line: OrderLineId,
) -> Result<Option<Place>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", line.as_bytes().into()),
    ];
    let place = |row: Row| {
        Ok(Place {
            invoice: row.id("invoice_id", InvoiceId::from_bytes)?,
            issuer: Issuer::from_bytes(tenant, row.id("issuer_id", |bytes| bytes)?),
            position: row.int("position")?,
            amount: Money::new(row.int("amount_minor")?, currency(&row)?),
        })
    };
    tx.query_one(PLACE, &params)?.map(place).transpose()
}

/// What is credited of an invoice's line, in minor units: credit notes less corrections.
pub fn credited(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (invoice, position): (InvoiceId, i64),
) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("position", position.into()),
    ];
    let row = tx.query_one(CREDITED, &params)?;
    row.map_or(Ok(0), |row| row.int("credited"))
}
