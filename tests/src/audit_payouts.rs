//! What must be true of payouts and statements at the end of every test.

use mintreu::id::PayoutId;
use mintreu_server::store::{StoreError, Tx};

/// What is on its way by the books, and by the payouts under way.
const TRANSIT: &str = "SELECT a.owner_id, a.currency,
        CAST(COALESCE(SUM(-e.amount_minor), 0) AS BIGINT) AS books,
        (SELECT CAST(COALESCE(SUM(p.amount_minor), 0) AS BIGINT) FROM payout p
            WHERE p.tenant_id = a.tenant_id AND p.seller_id = a.owner_id
            AND p.currency = a.currency AND p.state IN ('created', 'sending')) AS payouts
    FROM ledger_account a JOIN ledger_entry e
        ON e.tenant_id = a.tenant_id AND e.ledger_account_id = a.ledger_account_id
    WHERE a.kind = 'payouts_in_transit'
    GROUP BY a.tenant_id, a.owner_id, a.currency";

/// What left the provider for each payout: its amount when it is paid, else nothing.
const SENT: &str = "SELECT p.payout_id, p.state, p.amount_minor FROM payout p ORDER BY p.payout_id";
const LEFT: &str = "SELECT CAST(COALESCE(SUM(-e.amount_minor), 0) AS BIGINT) AS went
    FROM ledger_transaction t
    JOIN ledger_entry e ON e.tenant_id = t.tenant_id
        AND e.ledger_transaction_id = t.ledger_transaction_id
    JOIN ledger_account a ON a.tenant_id = e.tenant_id
        AND a.ledger_account_id = e.ledger_account_id
    WHERE t.reference = :payout AND a.kind = 'psp_clearing'";
const ASKED: &str = "SELECT COUNT(*) AS made,
        CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) AS amount_minor
    FROM sandbox_payout WHERE idempotency_key = :payout";

/// Opening balance, what moved, closing balance, and what the closing before left.
const STATEMENTS: &str = "SELECT c.reference, c.number, c.opening_minor, c.closing_minor,
        (SELECT CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) FROM ledger_closed_entry x
            JOIN ledger_entry e ON e.tenant_id = x.tenant_id
                AND e.ledger_entry_id = x.ledger_entry_id
            WHERE x.tenant_id = c.tenant_id AND x.reference = c.reference) AS moved,
        COALESCE((SELECT b.closing_minor FROM ledger_closing b
            WHERE b.tenant_id = c.tenant_id AND b.ledger_account_id = c.ledger_account_id
            AND b.number = c.number - 1), 0) AS left_before
    FROM ledger_closing c";

const NUMBERS: &str = "SELECT seller_id, COUNT(*) AS payouts, MAX(statement_number) AS newest
    FROM payout GROUP BY tenant_id, seller_id HAVING MAX(statement_number) <> COUNT(*)";
const UNSTATED: &str = "SELECT COUNT(*) AS payouts FROM payout";

/// Every complaint about payouts.
pub fn look(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for row in tx.query(TRANSIT, &[])? {
        let (books, payouts) = (row.int("books")?, row.int("payouts")?);
        if books != payouts {
            complaints.push(format!(
                "{books} are on their way by the books, {payouts} by the payouts"
            ));
        }
    }
    for row in tx.query(SENT, &[])? {
        let id = row.id("payout_id", PayoutId::from_bytes)?.to_string();
        let (state, amount) = (row.text("state")?, row.int("amount_minor")?);
        let key = [("payout", id.as_str().into())];
        let went = tx.query_one(LEFT, &key)?;
        let went = went.map_or(Ok(0), |row| row.int("went"))?;
        let expected = if state == "paid" { amount } else { 0 };
        if went != expected {
            complaints.push(format!(
                "payout {id} ({state}) took {went} instead of {expected}"
            ));
        }
        let asked = tx.query_one(ASKED, &key)?;
        let asked = asked.map_or(Ok((0, 0)), |row| {
            Ok::<_, StoreError>((row.int("made")?, row.int("amount_minor")?))
        })?;
        if state == "paid" && asked != (1, amount) {
            complaints.push(format!("payout {id} is paid, and was sent as {asked:?}"));
        }
    }
    statements(tx, complaints)
}

/// Statements add up, follow each other, and their numbers have no gaps.
fn statements(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let found = tx.query(STATEMENTS, &[])?;
    for row in &found {
        let (opening, closing) = (row.int("opening_minor")?, row.int("closing_minor")?);
        let (moved, before) = (row.int("moved")?, row.int("left_before")?);
        let reference = row.text("reference")?;
        if opening + moved != closing {
            complaints.push(format!(
                "the statement of {reference} is off by {}",
                opening + moved - closing
            ));
        }
        if opening != before {
            complaints.push(format!(
                "the statement of {reference} opens at {opening}, the one before left {before}"
            ));
        }
    }
    let payouts = tx.query_one(UNSTATED, &[])?;
    let payouts = payouts.map_or(Ok(0), |row| row.int("payouts"))?;
    if payouts != found.len() as i64 {
        complaints.push(format!("{payouts} payouts have {} statements", found.len()));
    }
    for row in tx.query(NUMBERS, &[])? {
        let (payouts, newest) = (row.int("payouts")?, row.int("newest")?);
        complaints.push(format!("{payouts} statements are numbered up to {newest}"));
    }
    Ok(())
}
