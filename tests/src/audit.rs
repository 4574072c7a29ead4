//! What must be true at the end of every test, whatever its story.

use crate::TestApp;
use mintreu_server::queue;
use mintreu_server::store::{StoreError, Tx};

/// Everything that is wrong with the app's books, as sentences; none is the expected answer.
pub async fn complaints(test: &TestApp) -> Vec<String> {
    let audited = test.app.store.read(|tx| look(tx)).await;
    match audited {
        Ok(Ok(complaints)) => complaints,
        Ok(Err(error)) | Err(error) => vec![format!("the audit itself failed: {error}")],
    }
}

fn look(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let mut complaints = Vec::new();
    jobs(tx, &mut complaints)?;
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
