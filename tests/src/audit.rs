//! What must be true at the end of every test, whatever its story.

use crate::{TestApp, audit_commerce, audit_licensing, audit_log, audit_papers, audit_payouts};
use mintreu_server::domains::ledger::trial_balance;
use mintreu_server::queue;
use mintreu_server::store::{StoreError, Tx};

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
    audit_commerce::look(tx, &mut complaints)?;
    audit_licensing::look(tx, &mut complaints)?;
    audit_log::look(tx, &mut complaints)?;
    audit_papers::look(tx, &mut complaints)?;
    audit_payouts::look(tx, &mut complaints)?;
    Ok(complaints)
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
