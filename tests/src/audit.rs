//! What must be true at the end of every test, whatever its story.

use crate::TestApp;
use mintreu::id::OrderLineId;
use mintreu_server::domains::ledger::trial_balance;
use mintreu_server::queue;
use mintreu_server::store::{StoreError, Tx};
use std::collections::HashSet;

const PAID_LINES: &str = "SELECT order_line.order_line_id FROM order_line
    JOIN customer_order ON customer_order.tenant_id = order_line.tenant_id
      AND customer_order.order_id = order_line.order_id
    WHERE customer_order.state IN ('paid', 'partially_refunded', 'refunded')";

const LICENSED: &str = "SELECT source FROM license";

const TWICE: &str = "SELECT source, COUNT(*) AS times FROM license
    GROUP BY tenant_id, source HAVING COUNT(*) > 1";

/// Everything that is wrong with the app's books, as sentences; none is the expected answer.
pub async fn complaints(test: &TestApp) -> Vec<String> {
    let audited = test.app.store.read(|tx| look(tx)).await;
    let mut complaints = match audited {
        Ok(Ok(complaints)) => complaints,
        Ok(Err(error)) | Err(error) => vec![format!("the audit itself failed: {error}")],
    };
    let (caller, books) = (test.system(), test.app.as_ref());
    match books.read(&caller, (), trial_balance).await {
        Ok(lines) => {
            let wrong = lines.into_iter().filter(|line| line.sum.minor() != 0);
            complaints.extend(wrong.map(|line| format!("the ledger is off by {}", line.sum)));
        }
        Err(error) => complaints.push(format!("the trial balance failed: {error}")),
    }
    complaints
}

fn look(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let mut complaints = Vec::new();
    jobs(tx, &mut complaints)?;
    licenses(tx, &mut complaints)?;
    Ok(complaints)
}

/// Every line of a paid order has its license, and only one.
fn licenses(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let mut licensed = HashSet::new();
    for row in tx.query(LICENSED, &[])? {
        licensed.insert(row.text("source")?);
    }
    for row in tx.query(PAID_LINES, &[])? {
        let line = row
            .id("order_line_id", OrderLineId::from_bytes)?
            .to_string();
        if !licensed.contains(&line) {
            complaints.push(format!("{line} is paid and has no license"));
        }
    }
    for row in tx.query(TWICE, &[])? {
        complaints.push(format!("{} has two licenses", row.text("source")?));
    }
    Ok(())
}

/// No job failed and none is held for ever; those of the future may wait.
fn jobs(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    for (kind, error) in queue::sql::failed(tx, 20)? {
        complaints.push(format!("job {kind} failed: {error}"));
    }
    for (state, jobs) in queue::sql::counts(tx)? {
        if state == "leased" {
            complaints.push(format!("{jobs} jobs are still leased"));
        }
    }
    Ok(())
}
