//! What must be true of invoices and credit notes at the end of every test.

use mintreu::id::{InvoiceId, OrderId, OrderLineId};
use mintreu_server::store::{Row, StoreError, Tx};
use std::collections::{BTreeMap, BTreeSet};

/// How many papers a paid order should have, how many it has, and what they come to.
const ORDERS: &str = "SELECT o.order_id, o.total_minor, o.paid_at,
        (SELECT COUNT(DISTINCT l.seller_of_record) FROM order_line l
            WHERE l.tenant_id = o.tenant_id AND l.order_id = o.order_id
            AND l.charged_minor > 0) AS records,
        (SELECT COUNT(*) FROM invoice i WHERE i.tenant_id = o.tenant_id
            AND i.order_id = o.order_id AND EXISTS (SELECT 1 FROM invoice_sale s
                WHERE s.tenant_id = i.tenant_id AND s.invoice_id = i.invoice_id)) AS invoices,
        (SELECT CAST(COALESCE(SUM(i.total_minor), 0) AS BIGINT) FROM invoice i
            WHERE i.tenant_id = o.tenant_id AND i.order_id = o.order_id
            AND i.state = 'paid' AND EXISTS (SELECT 1 FROM invoice_sale s
                WHERE s.tenant_id = i.tenant_id AND s.invoice_id = i.invoice_id)) AS invoiced
    FROM customer_order o";
/// An order's line and what an invoice's line repeats of it.
const SOLD: &str = "SELECT l.order_line_id, l.charged_minor, l.gross_minor, l.discount_minor,
        l.tax_minor, o.total_minor, s.gross_minor AS gross, s.discount_minor AS discount,
        s.tax_minor AS tax, s.tax_inclusive, s.tax_reason, i.amount_minor AS amount
    FROM order_line l
    JOIN customer_order o ON o.tenant_id = l.tenant_id AND o.order_id = l.order_id
    LEFT JOIN invoice_sale s ON s.tenant_id = l.tenant_id AND s.order_line_id = l.order_line_id
    LEFT JOIN invoice_line i ON i.tenant_id = s.tenant_id AND i.invoice_id = s.invoice_id
        AND i.position = s.position
    WHERE o.paid_at IS NOT NULL AND o.total_minor > 0 AND l.charged_minor > 0";
const TOTALS: &str = "SELECT i.invoice_id, i.total_minor,
        (SELECT CAST(COALESCE(SUM(l.amount_minor), 0) AS BIGINT) FROM invoice_line l
            WHERE l.tenant_id = i.tenant_id AND l.invoice_id = i.invoice_id) AS lines_minor,
        (SELECT CAST(COALESCE(SUM(CASE WHEN c.series = 'CN' THEN c.total_minor
            ELSE -c.total_minor END), 0) AS BIGINT) FROM credit_note c
            WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.invoice_id) AS credited_minor
    FROM invoice i";
const CREDIT_TOTALS: &str = "SELECT c.number, c.total_minor,
        (SELECT CAST(COALESCE(SUM(l.amount_minor), 0) AS BIGINT) FROM credit_note_line l
            WHERE l.tenant_id = c.tenant_id AND l.credit_note_id = c.credit_note_id)
            AS lines_minor
    FROM credit_note c";
const NUMBERS: &str = "SELECT n.series, n.last_number,
        (SELECT COUNT(*) FROM invoice i WHERE i.tenant_id = n.tenant_id
            AND i.issuer_id = n.issuer_id AND i.series = n.series)
        + (SELECT COUNT(*) FROM credit_note c WHERE c.tenant_id = n.tenant_id
            AND c.issuer_id = n.issuer_id AND c.series = n.series) AS papers,
        (SELECT COALESCE(MAX(i.number), 0) FROM invoice i WHERE i.tenant_id = n.tenant_id
            AND i.issuer_id = n.issuer_id AND i.series = n.series)
        + (SELECT COALESCE(MAX(c.number), 0) FROM credit_note c WHERE c.tenant_id = n.tenant_id
            AND c.issuer_id = n.issuer_id AND c.series = n.series) AS newest
    FROM invoice_series n WHERE n.series IN ('INV', 'CN', 'CC')";
/// What is credited of each line of an order.
const CREDITED: &str = "SELECT s.order_line_id,
        CAST(SUM(CASE WHEN c.series = 'CN' THEN l.amount_minor ELSE -l.amount_minor END)
            AS BIGINT) AS amount_minor,
        CAST(SUM(CASE WHEN c.series = 'CN' THEN l.tax_minor ELSE -l.tax_minor END)
            AS BIGINT) AS tax_minor
    FROM credit_note c
    JOIN credit_note_line l ON l.tenant_id = c.tenant_id AND l.credit_note_id = c.credit_note_id
    JOIN invoice_sale s ON s.tenant_id = c.tenant_id AND s.invoice_id = c.invoice_id
        AND s.position = l.invoice_position
    GROUP BY s.order_line_id";
const TAKEN: &str = "SELECT r.cause, r.order_line_id, r.tax_minor,
        r.tax_minor + r.platform_fee_minor + r.payment_fee_minor + r.affiliate_minor
            + r.seller_minor AS amount_minor
    FROM line_reversal r WHERE r.state = 'taken'";
/// What went back of invoices of usage, and what is credited of their sums.
const USED: &str = "SELECT i.invoice_id,
        (SELECT CAST(COALESCE(SUM(r.amount_minor), 0) AS BIGINT) FROM invoice_refund r
            WHERE r.tenant_id = i.tenant_id AND r.invoice_id = i.invoice_id
            AND r.state = 'succeeded')
            + (SELECT CAST(COALESCE(SUM(r.tax_minor + r.platform_fee_minor + r.payment_fee_minor
                + r.seller_minor), 0) AS BIGINT) FROM invoice_reversal r
                JOIN dispute d ON d.tenant_id = r.tenant_id AND d.invoice_id = r.invoice_id
                    AND d.state = 'lost'
                WHERE r.tenant_id = i.tenant_id AND r.invoice_id = i.invoice_id
                AND r.state = 'taken')
            + CASE WHEN i.state = 'void' THEN i.total_minor ELSE 0 END AS refunded,
        (SELECT CAST(COALESCE(SUM(CASE WHEN c.series = 'CN' THEN l.amount_minor
            ELSE -l.amount_minor END), 0) AS BIGINT) FROM credit_note c
            JOIN credit_note_line l ON l.tenant_id = c.tenant_id
                AND l.credit_note_id = c.credit_note_id AND l.invoice_position = 0
            WHERE c.tenant_id = i.tenant_id AND c.invoice_id = i.invoice_id) AS credited
    FROM invoice i";
const LOST: &str = "SELECT dispute_id FROM dispute WHERE state = 'lost'";

/// Every complaint about invoices and credit notes.
pub fn look(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    orders(tx, complaints)?;
    lines(tx, complaints)?;
    totals(tx, complaints)?;
    numbers(tx, complaints)?;
    credits(tx, complaints)
}

/// A paid order of more than nothing has a paper of each seller of record; any other has none.
fn orders(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(ORDERS, &[])? {
        let order = row.id("order_id", OrderId::from_bytes)?;
        let due = row.opt_int("paid_at")?.is_some() && row.int("total_minor")? > 0;
        let expected = match due {
            true => (row.int("records")?, row.int("total_minor")?),
            false => (0, 0),
        };
        let found = (row.int("invoices")?, row.int("invoiced")?);
        if found != expected {
            complaints.push(format!(
                "order {order} has (papers, invoiced) {found:?} instead of {expected:?}"
            ));
        }
    }
    Ok(())
}

/// A line of a paid order is invoiced as it was sold, and its figures add up.
fn lines(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(SOLD, &[])? {
        let line = row.id("order_line_id", OrderLineId::from_bytes)?;
        let Some(amount) = row.opt_int("amount")? else {
            complaints.push(format!("line {line} is on no invoice"));
            continue;
        };
        let (gross, discount, tax) = (row.int("gross")?, row.int("discount")?, row.int("tax")?);
        let same = amount == row.int("charged_minor")?
            && gross == row.int("gross_minor")?
            && discount == row.int("discount_minor")?
            && tax == row.int("tax_minor")?;
        let on_top = if row.int("tax_inclusive")? == 0 {
            tax
        } else {
            0
        };
        if !same || amount != gross - discount + on_top || row.text("tax_reason")?.is_empty() {
            complaints.push(format!("line {line} isn't invoiced as it was sold"));
        }
    }
    Ok(())
}

/// Lines add up to their paper, and no more is credited than was invoiced.
fn totals(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(TOTALS, &[])? {
        let id = row.id("invoice_id", InvoiceId::from_bytes)?;
        let (total, lines) = (row.int("total_minor")?, row.int("lines_minor")?);
        let credited = row.int("credited_minor")?;
        if total != lines {
            complaints.push(format!("invoice {id} says {total}, its lines {lines}"));
        }
        if !(0..=total).contains(&credited) {
            complaints.push(format!("{credited} are credited of {total} on {id}"));
        }
    }
    for row in tx.query(CREDIT_TOTALS, &[])? {
        if row.int("total_minor")? != row.int("lines_minor")? {
            let number = row.int("number")?;
            complaints.push(format!("credit note {number} and its lines differ"));
        }
    }
    Ok(())
}

/// A series has as many papers as numbers, and the newest has the last.
fn numbers(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(NUMBERS, &[])? {
        let last = row.int("last_number")?;
        let found = (row.int("papers")?, row.int("newest")?);
        if found != (last, last) {
            let series = row.text("series")?;
            complaints.push(format!("series {series} has gaps: {found:?} of {last}"));
        }
    }
    Ok(())
}

/// What refunds took and banks kept is credited to the cent, line by line, and nothing else is.
fn credits(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(USED, &[])? {
        let (refunded, credited) = (row.int("refunded")?, row.int("credited")?);
        if refunded != credited {
            let id = row.id("invoice_id", InvoiceId::from_bytes)?;
            complaints.push(format!(
                "{credited} are credited of {id}, {refunded} went back"
            ));
        }
    }
    let lost = tx.query(LOST, &[])?;
    let lost = lost.iter().map(|row| {
        let id = row.id("dispute_id", mintreu::id::DisputeId::from_bytes)?;
        Ok(id.to_string())
    });
    let lost: BTreeSet<String> = lost.collect::<Result<_, StoreError>>()?;
    let mut expected: BTreeMap<OrderLineId, (i64, i64)> = BTreeMap::new();
    for row in tx.query(TAKEN, &[])? {
        let cause = row.text("cause")?;
        // A bank takes in rounds, `dsp_…:1` and on, and keeps all of them or none.
        let of = cause.split(':').next().unwrap_or_default();
        if cause.starts_with("ref_") || lost.contains(of) {
            let line = row.id("order_line_id", OrderLineId::from_bytes)?;
            let sum = expected.entry(line).or_default();
            *sum = (
                sum.0 + row.int("amount_minor")?,
                sum.1 + row.int("tax_minor")?,
            );
        }
    }
    let found = |row: &Row| {
        let line = row.id("order_line_id", OrderLineId::from_bytes)?;
        Ok((line, (row.int("amount_minor")?, row.int("tax_minor")?)))
    };
    let rows = tx.query(CREDITED, &[])?;
    let mut found: BTreeMap<OrderLineId, (i64, i64)> =
        rows.iter().map(found).collect::<Result<_, StoreError>>()?;
    found.retain(|_, sum| *sum != (0, 0));
    let both: BTreeSet<&OrderLineId> = found.keys().chain(expected.keys()).collect();
    for line in both {
        let of = |sums: &BTreeMap<_, _>| sums.get(line).copied().unwrap_or_default();
        let (found, expected) = (of(&found), of(&expected));
        if found != expected {
            complaints.push(format!(
                "{found:?} of line {line} is credited instead of {expected:?}"
            ));
        }
    }
    Ok(())
}
