//! Jobs: each one's effect happens once, whoever runs it and however often.

use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::Capability;
use mintreu_server::queue::{self, JobError};
use mintreu_server::store::Attempt;
use mintreu_server::worker::{Table, drain};
use mintreu_tests::TestApp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const CREATE: &str = "CREATE TABLE tally (name TEXT NOT NULL, at BIGINT NOT NULL)";
const COUNT: &str = "INSERT INTO tally (name, at) VALUES (:name, :at)";
const COUNTED: &str = "SELECT COUNT(*) AS times FROM tally";
const NAMES: &str = "SELECT COUNT(*) AS times FROM (SELECT DISTINCT name FROM tally) AS names";

#[derive(Serialize, Deserialize)]
struct Count {
    name: String,
}

struct Enqueue {
    kind: &'static str,
    jobs: usize,
}

impl Command for Enqueue {
    const NAME: &'static str = "test.enqueue";
    const CAPABILITY: Capability = Capability::Operate;
}

fn enqueue(cx: &mut Cx<'_>, command: &Enqueue) -> Result<(), JobError> {
    for index in 0..command.jobs {
        let name = format!("{} {index}", command.kind);
        queue::enqueue(cx, command.kind, &Count { name }, cx.now)?;
    }
    Ok(())
}

fn count(cx: &mut Cx<'_>, job: &Count) -> Result<(), JobError> {
    let params = [("name", job.name.as_str().into()), ("at", cx.now.into())];
    cx.tx.execute(COUNT, &params)?;
    Ok(())
}

/// Counts, then fails for the first minute: nothing of a failed try may stay.
fn count_late(cx: &mut Cx<'_>, job: &Count) -> Result<(), JobError> {
    count(cx, job)?;
    if cx.now.since_ms(mintreu_tests::test_app::START) < 60_000 {
        return Err(JobError::retry("too early"));
    }
    Ok(())
}

fn refuse(cx: &mut Cx<'_>, job: &Count) -> Result<(), JobError> {
    count(cx, job)?;
    Err(JobError::fail("never"))
}

fn table() -> Arc<Table> {
    let table = Table::default().job("test.count", count);
    Arc::new(
        table
            .job("test.late", count_late)
            .job("test.refuse", refuse),
    )
}

async fn with_jobs(test: &TestApp, kind: &'static str, jobs: usize) {
    let created = test.app.store.write(Vec::new(), |tx| {
        Attempt::Commit(tx.execute(CREATE, &[]).map(drop))
    });
    created.await.expect("a commit").expect("a table");
    let command = Enqueue { kind, jobs };
    test.app
        .transact(&test.system(), command, enqueue)
        .await
        .expect("enqueued");
}

async fn number(test: &TestApp, sql: &'static str) -> i64 {
    let read = test.app.store.read(move |tx| tx.query_one(sql, &[])).await;
    read.expect("a read")
        .expect("a query")
        .expect("a row")
        .int("times")
        .expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_run_two_hundred_jobs_once_each() {
    TestApp::both(async |test| {
        with_jobs(test, "test.count", 200).await;
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (app, table) = (test.app.clone(), table());
            workers.spawn(async move { drain(&app, &table).await.expect("drained") });
        }
        let done: usize = workers.join_all().await.into_iter().sum();
        assert_eq!(done, 200);
        assert_eq!(
            (number(test, COUNTED).await, number(test, NAMES).await),
            (200, 200)
        );
    })
    .await;
}

#[tokio::test]
async fn a_failed_try_leaves_nothing_and_is_made_again_later() {
    TestApp::both(async |test| {
        with_jobs(test, "test.late", 3).await;
        assert_eq!(drain(&test.app, &table()).await.unwrap(), 3);
        assert_eq!(
            drain(&test.app, &table()).await.unwrap(),
            0,
            "not yet due again"
        );
        assert_eq!(number(test, COUNTED).await, 0);
        for _ in 0..5 {
            test.clock.advance(60_000);
            drain(&test.app, &table()).await.unwrap();
        }
        assert_eq!(number(test, COUNTED).await, 3);
    })
    .await;
}

/// The negative control of the audit: a job that is given up must be complained of.
#[tokio::test]
async fn a_job_that_is_given_up_is_seen() {
    for test in [Some(TestApp::sqlite().await), TestApp::postgres().await]
        .into_iter()
        .flatten()
    {
        with_jobs(&test, "test.refuse", 1).await;
        assert_eq!(drain(&test.app, &table()).await.unwrap(), 1);
        assert_eq!(number(&test, COUNTED).await, 0);
        test.finish_expecting("job test.refuse failed: given up: never")
            .await;
    }
}

#[tokio::test]
async fn a_kind_that_nobody_runs_fails_and_is_seen() {
    let test = TestApp::sqlite().await;
    with_jobs(&test, "test.count", 1).await;
    // The harness drains by the server's own table, which doesn't know this kind.
    test.finish_expecting("nobody runs jobs of kind test.count")
        .await;
}
