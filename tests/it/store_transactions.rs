//! What a transaction promises, on both engines alike.

use mintreu_server::app::{Command, Cx, Idempotency};
use mintreu_server::caller::{Caller, Capability, Denied};
use mintreu_server::store::{Attempt, StoreError, Tx, Value};
use mintreu_tests::TestApp;
use std::sync::Arc;

const CREATE: &str = "CREATE TABLE purse (name TEXT NOT NULL UNIQUE, coins BIGINT NOT NULL)";
const PUT: &str = "INSERT INTO purse (name, coins) VALUES (:name, :coins)";
const COINS: &str = "SELECT coins FROM purse WHERE name = :name";
const SPEND: &str = "UPDATE purse SET coins = coins - :coins WHERE name = :name";
const TOTAL: &str = "SELECT CAST(COALESCE(SUM(coins), 0) AS BIGINT) AS coins FROM purse";

#[derive(Debug, thiserror::Error)]
enum PurseError {
    #[error("not enough coins")]
    Poor,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Denied(#[from] Denied),
}

#[derive(Clone)]
struct Change {
    name: String,
    coins: i64,
}

impl Change {
    fn of(name: &str, coins: i64) -> Self {
        let name = name.to_owned();
        Self { name, coins }
    }
}

impl Command for Change {
    const NAME: &'static str = "purse.change";
    const CAPABILITY: Capability = Capability::Operate;

    fn contention_keys(&self) -> Vec<String> {
        vec![format!("purse/{}", self.name)]
    }
}

fn put(cx: &mut Cx<'_>, change: &Change) -> Result<i64, PurseError> {
    let params = [
        (":name", change.name.as_str().into()),
        (":coins", change.coins.into()),
    ];
    cx.tx.execute(PUT, &params)?;
    Ok(change.coins)
}

/// Reads, decides in Rust and writes: wrong unless transactions are serializable.
fn spend(cx: &mut Cx<'_>, change: &Change) -> Result<i64, PurseError> {
    let name = [("name", Value::from(change.name.as_str()))];
    let coins = cx
        .tx
        .query_one(COINS, &name)?
        .expect("a purse")
        .int("coins")?;
    if coins < change.coins {
        return Err(PurseError::Poor);
    }
    let params = [
        ("name", change.name.as_str().into()),
        ("coins", change.coins.into()),
    ];
    cx.tx.execute(SPEND, &params)?;
    Ok(coins - change.coins)
}

fn put_and_panic(cx: &mut Cx<'_>, change: &Change) -> Result<i64, PurseError> {
    put(cx, change)?;
    panic!("a defect in a use case");
}

fn put_and_swallow(cx: &mut Cx<'_>, change: &Change) -> Result<i64, PurseError> {
    put(cx, change).ok();
    Ok(0)
}

async fn with_purses(test: &TestApp) {
    let created = test.app.store.write(Vec::new(), |tx| {
        Attempt::Commit(tx.execute(CREATE, &[]).map(drop))
    });
    created.await.expect("a commit").expect("a table");
}

async fn total(test: &TestApp) -> i64 {
    let sum = |tx: &mut dyn Tx| tx.query_one(TOTAL, &[]).expect("a sum").expect("a row");
    let row = test.app.store.read(sum).await.expect("a read");
    row.int("coins").expect("an integer")
}

async fn change(
    test: &TestApp,
    command: Change,
    use_case: fn(&mut Cx<'_>, &Change) -> Result<i64, PurseError>,
) -> Result<i64, PurseError> {
    test.app.transact(&test.system(), command, use_case).await
}

#[tokio::test]
async fn errors_undo_everything_and_conflicts_have_one_name() {
    TestApp::both(async |test| {
        with_purses(test).await;
        change(test, Change::of("ada", 5), put).await.unwrap();
        let again = change(test, Change::of("ada", 7), put).await;
        let Err(PurseError::Store(StoreError::Conflict { constraint })) = again else {
            panic!("expected a conflict, not {again:?}");
        };
        assert_eq!(constraint, "purse_name_key");
        let swallowed = change(test, Change::of("ada", 7), put_and_swallow).await;
        assert!(matches!(
            swallowed,
            Err(PurseError::Store(StoreError::Backend(_)))
        ));
        let panicked = change(test, Change::of("bob", 9), put_and_panic).await;
        assert!(panicked.unwrap_err().to_string().contains("panicked"));
        assert_eq!(total(test).await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_key_means_once_and_only_for_the_same_request() {
    TestApp::both(async |test| {
        with_purses(test).await;
        let ask = async |key: &str, hash: u8, coins| {
            let idempotency = Idempotency {
                key: key.to_owned(),
                request_hash: [hash; 32],
            };
            let command = Change::of("ada", coins);
            let caller = test.system();
            test.app
                .transact_once(&caller, idempotency, command, put)
                .await
        };
        for _ in 0..3 {
            assert_eq!(ask("first", 1, 5).await.unwrap(), 5);
        }
        let reused = ask("first", 2, 5).await;
        assert!(matches!(
            reused,
            Err(PurseError::Store(StoreError::KeyReused))
        ));
        // The negative control: another key runs the command, which then collides.
        let other = ask("second", 1, 5).await;
        assert!(matches!(
            other,
            Err(PurseError::Store(StoreError::Conflict { .. }))
        ));
        assert_eq!(total(test).await, 5);
    })
    .await;
}

#[tokio::test]
async fn a_balance_is_spent_once() {
    TestApp::both(async |test| {
        with_purses(test).await;
        change(test, Change::of("ada", 10), put).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let app: Arc<_> = test.app.clone();
            let caller = test.system();
            tasks.spawn(async move { app.transact(&caller, Change::of("ada", 10), spend).await });
        }
        let outcomes = tasks.join_all().await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        let poor = |outcome: &&Result<i64, PurseError>| matches!(outcome, Err(PurseError::Poor));
        assert_eq!(outcomes.iter().filter(poor).count(), 7, "{outcomes:?}");
        assert_eq!(total(test).await, 0);
    })
    .await;
}

#[tokio::test]
async fn who_may_not_is_told_before_anything_runs() {
    TestApp::both(async |test| {
        with_purses(test).await;
        let caller: Caller = test.guest();
        let denied = test.app.transact(&caller, Change::of("ada", 1), put).await;
        assert!(matches!(denied, Err(PurseError::Denied(denied)) if !denied.signed_in));
        assert_eq!(total(test).await, 0);
    })
    .await;
}

#[tokio::test]
async fn one_failing_command_leaves_its_group_alone() {
    TestApp::both(async |test| {
        with_purses(test).await;
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..64_i64 {
            let (app, caller) = (test.app.clone(), test.system());
            let use_case = if index % 8 == 0 { put_and_panic } else { put };
            let command = Change::of(&format!("p{index}"), 1);
            tasks.spawn(async move { app.transact(&caller, command, use_case).await.is_ok() });
        }
        let committed = tasks
            .join_all()
            .await
            .into_iter()
            .filter(|done| *done)
            .count();
        assert_eq!((committed, total(test).await), (56, 56));
    })
    .await;
}

/// Runs every commit twice, throwing the first away: the books must not notice.
#[tokio::test]
async fn running_again_changes_nothing() {
    let story = async |test: &TestApp| {
        with_purses(test).await;
        for index in 0..20 {
            let name = format!("p{index}");
            change(test, Change::of(&name, 3), put).await.unwrap();
            change(test, Change::of(&name, 1), spend).await.unwrap();
        }
        assert_eq!(total(test).await, 40);
    };
    let test = TestApp::sqlite_with(|options| options.forced_retries = 100).await;
    story(&test).await;
    test.finish().await;
    if let Some(test) = TestApp::postgres_with(|options| options.forced_retries = 100).await {
        story(&test).await;
        test.finish().await;
    }
}
