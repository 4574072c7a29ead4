//! What must be true of money, orders and licenses at the end of every test.

use mintreu::id::{InvoiceId, OrderId, OrderLineId};
use mintreu_server::store::{Row, StoreError, Tx};
use std::collections::BTreeMap;

const UNBALANCED: &str =
    "SELECT currency, CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS left_over
    FROM ledger_entry GROUP BY tenant_id, ledger_transaction_id, currency
    HAVING SUM(amount_minor) <> 0";
const ORDERS: &str = "SELECT order_id, state, total_minor, paid_at FROM customer_order";
const LINES: &str = "SELECT l.order_line_id, o.paid_at FROM order_line l
    JOIN customer_order o ON o.tenant_id = l.tenant_id AND o.order_id = l.order_id
    WHERE NOT EXISTS (SELECT 1 FROM subscription_bill b
        WHERE b.tenant_id = o.tenant_id AND b.order_id = o.order_id)
    AND NOT EXISTS (SELECT 1 FROM gift g
        WHERE g.tenant_id = o.tenant_id AND g.order_id = o.order_id AND g.claimed_at IS NULL)";
const RENEWED_TWICE: &str = "SELECT COUNT(*) AS bills FROM subscription_bill
    WHERE kind = 'renewal' GROUP BY tenant_id, subscription_id, period_start
    HAVING COUNT(*) > 1";
const PAID_BILLS: &str = "SELECT o.order_id, o.paid_at, b.invoice_id FROM subscription_bill b
    JOIN customer_order o ON o.tenant_id = b.tenant_id AND o.order_id = b.order_id";
const LICENSES: &str = "SELECT source FROM license";
const SALES: &str = "SELECT t.reference, COUNT(DISTINCT t.ledger_transaction_id) AS sales,
        CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS taken_minor
    FROM ledger_transaction t
    JOIN ledger_entry e
        ON e.tenant_id = t.tenant_id AND e.ledger_transaction_id = t.ledger_transaction_id
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE t.kind = 'sale' AND a.kind = 'psp_clearing' GROUP BY t.reference";
const HELD_BY_BOOKS: &str = "SELECT e.currency,
        CAST(COALESCE(SUM(-e.amount_minor), 0) AS BIGINT) AS amount_minor
    FROM ledger_entry e
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE a.kind = 'seller_held' OR a.kind = 'affiliate_payable' GROUP BY e.currency";
const HELD_BY_ESCROW: &str = "SELECT currency,
        CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor
    FROM ledger_escrow WHERE state = 'held' OR state = 'frozen' GROUP BY currency";
const TAX_BY_BOOKS: &str = "SELECT e.currency,
        CAST(COALESCE(SUM(-e.amount_minor), 0) AS BIGINT) AS amount_minor
    FROM ledger_entry e
    JOIN ledger_account a
        ON a.tenant_id = e.tenant_id AND a.ledger_account_id = e.ledger_account_id
    WHERE a.kind = 'tax_payable' GROUP BY e.currency";
const TAX_BY_MOVEMENTS: &str = "SELECT currency, CAST(COALESCE(SUM(
        CASE WHEN kind = 'sale' THEN tax_minor ELSE -tax_minor END), 0) AS BIGINT) AS amount_minor
    FROM tax_movement GROUP BY currency";
const UNTAXED: &str = "SELECT order_line_id FROM order_line
    WHERE tax_base + tax_minor <> charged_minor
        OR (tax_inclusive = 1 AND charged_minor <> gross_minor - discount_minor)
        OR (tax_inclusive = 0 AND tax_base <> gross_minor - discount_minor)";
const OWED: &str = "SELECT source, amount_minor FROM ledger_escrow WHERE amount_minor < 0";
const GIVEN_BACK_TOO_MUCH: &str = "SELECT r.order_line_id FROM line_reversal r
    JOIN order_line l ON l.tenant_id = r.tenant_id AND l.order_line_id = r.order_line_id
    WHERE r.state <> 'undone'
    GROUP BY r.tenant_id, r.order_line_id, l.tax_minor, l.platform_fee_minor, l.payment_fee_minor,
        l.affiliate_minor, l.seller_net_minor
    HAVING SUM(r.tax_minor) > l.tax_minor OR SUM(r.platform_fee_minor) > l.platform_fee_minor
        OR SUM(r.payment_fee_minor) > l.payment_fee_minor
        OR SUM(r.affiliate_minor) > l.affiliate_minor
        OR SUM(r.seller_minor) > l.seller_net_minor
        OR MIN(r.tax_minor) < 0 OR MIN(r.platform_fee_minor) < 0 OR MIN(r.payment_fee_minor) < 0
        OR MIN(r.affiliate_minor) < 0 OR MIN(r.seller_minor) < 0";
const USED_TOO_MUCH: &str = "SELECT i.invoice_id FROM invoice i WHERE i.total_minor
    < (SELECT COALESCE(SUM(r.amount_minor), 0) FROM invoice_refund r
        WHERE r.tenant_id = i.tenant_id AND r.invoice_id = i.invoice_id AND r.state <> 'failed')
    + (SELECT COALESCE(SUM(r.tax_minor + r.platform_fee_minor + r.payment_fee_minor
            + r.seller_minor), 0) FROM invoice_reversal r
        WHERE r.tenant_id = i.tenant_id AND r.invoice_id = i.invoice_id AND r.state <> 'undone')";
const REFUND_STATES: &str = "SELECT o.order_id, o.state, o.total_minor,
        CAST(COALESCE(SUM(f.amount_minor), 0) AS BIGINT) AS refunded_minor
    FROM customer_order o
    LEFT JOIN refund f ON f.tenant_id = o.tenant_id AND f.order_id = o.order_id
        AND f.state = 'succeeded'
    WHERE o.paid_at IS NOT NULL AND o.total_minor > 0
    GROUP BY o.tenant_id, o.order_id, o.state, o.total_minor";
const OVERFULL: &str = "SELECT l.seats, COUNT(*) AS taken FROM license l
    JOIN activation a ON a.tenant_id = l.tenant_id AND a.license_id = l.license_id
    WHERE a.seat IS NOT NULL GROUP BY l.tenant_id, l.license_id, l.seats
    HAVING COUNT(*) > l.seats";

/// Every complaint about money, orders and licenses.
pub fn look(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(UNBALANCED, &[])? {
        let (left, currency) = (row.int("left_over")?, row.text("currency")?);
        complaints.push(format!("a ledger transaction is off by {left} {currency}"));
    }
    for row in tx.query(OVERFULL, &[])? {
        let (taken, seats) = (row.int("taken")?, row.int("seats")?);
        complaints.push(format!("{taken} devices hold {seats} seats"));
    }
    for row in tx.query(GIVEN_BACK_TOO_MUCH, &[])? {
        let line = row.id("order_line_id", OrderLineId::from_bytes)?;
        complaints.push(format!("line {line} gave back more than it got"));
    }
    for row in tx.query(USED_TOO_MUCH, &[])? {
        let invoice = row.id("invoice_id", InvoiceId::from_bytes)?;
        complaints.push(format!("invoice {invoice} gave back more than it got"));
    }
    for row in tx.query(OWED, &[])? {
        complaints.push(format!("the hold of {} is negative", row.text("source")?));
    }
    for row in tx.query(UNTAXED, &[])? {
        let line = row.id("order_line_id", OrderLineId::from_bytes)?;
        complaints.push(format!(
            "the base and tax of line {line} are not what was paid"
        ));
    }
    refunds(tx, complaints)?;
    sales(tx, complaints)?;
    licenses(tx, complaints)?;
    bills(tx, complaints)?;
    escrow(tx, complaints)
}

/// An order says how much of it was refunded.
fn refunds(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(REFUND_STATES, &[])? {
        let (total, refunded) = (row.int("total_minor")?, row.int("refunded_minor")?);
        let expected = match refunded {
            0 => "paid",
            all if all == total => "refunded",
            _ => "partially_refunded",
        };
        let state = row.text("state")?;
        if state != expected {
            let order = row.id("order_id", OrderId::from_bytes)?;
            complaints.push(format!(
                "order {order} is {state} instead of {expected}: {refunded} of {total} went back"
            ));
        }
    }
    Ok(())
}

/// A paid order was posted once, for its total; any other never.
fn sales(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let mut posted = BTreeMap::new();
    for row in tx.query(SALES, &[])? {
        let of_order = (row.int("sales")?, row.int("taken_minor")?);
        posted.insert(row.text("reference")?, of_order);
    }
    for row in tx.query(ORDERS, &[])? {
        let order = row.id("order_id", OrderId::from_bytes)?.to_string();
        let total = row.int("total_minor")?;
        let due = row.opt_int("paid_at")?.is_some() && total > 0;
        let expected = due.then_some((1, total));
        let found = posted.remove(&order);
        if found != expected {
            let state = row.text("state")?;
            complaints.push(format!(
                "order {order} ({state}) is posted {found:?} instead of {expected:?}"
            ));
        }
    }
    complaints.extend(
        posted
            .keys()
            .map(|key| format!("a sale of no order: {key}")),
    );
    Ok(())
}

/// Every line of a paid order has its license, and no license came of an unpaid one, or of a gift that
/// nobody claimed.
fn licenses(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let sources = tx.query(LICENSES, &[])?;
    let sources = sources.iter().map(|row| row.text("source"));
    let mut sources = sources.collect::<Result<Vec<_>, _>>()?;
    // What came otherwise than by an order line isn't judged here.
    sources.retain(|source| OrderLineId::parse(source).is_ok());
    for row in tx.query(LINES, &[])? {
        let line = row
            .id("order_line_id", OrderLineId::from_bytes)?
            .to_string();
        let expected = usize::from(row.opt_int("paid_at")?.is_some());
        let before = sources.len();
        sources.retain(|source| *source != line);
        let found = before - sources.len();
        if found != expected {
            complaints.push(format!(
                "line {line} has {found} licenses instead of {expected}"
            ));
        }
    }
    complaints.extend(
        sources
            .iter()
            .map(|source| format!("a license of no line: {source}")),
    );
    Ok(())
}

/// A period of a subscription is renewed once, and a bill has its invoice exactly when it is paid.
fn bills(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(RENEWED_TWICE, &[])? {
        let bills = row.int("bills")?;
        complaints.push(format!("a period was renewed {bills} times"));
    }
    for row in tx.query(PAID_BILLS, &[])? {
        let paid = row.opt_int("paid_at")?.is_some();
        if paid != row.opt_blob("invoice_id")?.is_some() {
            let order = row.id("order_id", OrderId::from_bytes)?;
            complaints.push(format!("bill {order} is paid or invoiced, not both"));
        }
    }
    Ok(())
}

/// What sellers may not withdraw yet is the same in the books and in escrow; so is the tax that is
/// owed in the books and by sales and refunds.
fn escrow(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let mut sums = |sql: &str| -> Result<BTreeMap<String, i64>, StoreError> {
        let pair = |row: &Row| Ok((row.text("currency")?, row.int("amount_minor")?));
        let rows = tx.query(sql, &[])?;
        let sums: Result<BTreeMap<_, _>, StoreError> = rows.iter().map(pair).collect();
        Ok(sums?
            .into_iter()
            .filter(|(_, amount)| *amount != 0)
            .collect())
    };
    let (books, escrow) = (sums(HELD_BY_BOOKS)?, sums(HELD_BY_ESCROW)?);
    if books != escrow {
        complaints.push(format!("the books hold {books:?}, escrow holds {escrow:?}"));
    }
    let (books, moved) = (sums(TAX_BY_BOOKS)?, sums(TAX_BY_MOVEMENTS)?);
    if books != moved {
        complaints.push(format!(
            "the books owe tax {books:?}, sales and refunds {moved:?}"
        ));
    }
    Ok(())
}
