//! Money by chance: payments, renewals, invoices of usage, refunds, disputes and payouts in random
//! order, with tax in every price, webhooks that are late, doubled and shuffled, jobs that die
//! halfway, and commits that are lost.
//!
//! A batch of steps is one commit, so that many fit into a test; each use case runs in a savepoint
//! of its own, as it would in its own transaction. After every step what is new in the books is
//! held against the rules, and from time to time all of it. When everything has been told, the shop
//! is held against the provider, which knows nothing of the shop.
//!
//! Everything follows from the seed: ids, time, and the order of jobs.
//!
//! `MINTREU_TEST_MONEY_STEPS` says how many steps run, over both engines.

mod books;
pub mod dice;
mod instalments;
mod jobs;
mod sim;
mod usage;

use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::Capability;
use mintreu_server::store::Engine;
use mintreu_tests::TestApp;
use sim::{Mistake, Sim};
use std::sync::{Arc, Mutex};

/// Steps of one database: the longer a history, the slower each look at all of it.
const A_DATABASE: usize = 2_000;
/// Steps of one commit.
const A_COMMIT: usize = 100;
/// One step in so many runs on PostgreSQL, where each statement is a journey.
const SHARE_OF_POSTGRES: usize = 10;

/// What ends a batch early: something is wrong, or the crash that was meant to be.
#[derive(Debug)]
enum Stop {
    Crash,
    Wrong(Vec<String>),
}

impl<E: std::error::Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Wrong(vec![error.to_string()])
    }
}

/// Some steps in one commit; when it is lost, the sim is as it was.
struct Batch {
    sim: Arc<Mutex<Sim>>,
    steps: usize,
    crash: bool,
}

impl Command for Batch {
    const NAME: &'static str = "test.money";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;
}

fn run_batch(cx: &mut Cx<'_>, batch: &Batch) -> Result<(), Stop> {
    let mut sim = batch.sim.lock().expect("a sim").clone();
    for _ in 0..batch.steps {
        sim.step(cx)?;
    }
    if batch.crash {
        return Err(Stop::Crash);
    }
    *batch.sim.lock().expect("a sim") = sim;
    Ok(())
}

/// Runs so many steps; answers what is wrong, and what happened as a number.
async fn run(test: &TestApp, seed: u64, steps: usize, mistake: Mistake) -> (Vec<String>, u64) {
    let sim = Arc::new(Mutex::new(Sim::open(test, seed, mistake).await));
    let mut left = steps;
    while left > 0 {
        let (steps, crash, now) = {
            let mut sim = sim.lock().expect("a sim");
            let steps = (1 + sim.dice.below(A_COMMIT)).min(left);
            (steps, sim.dice.below(8) == 0, sim.now)
        };
        test.clock.set(now);
        let batch = Batch {
            sim: sim.clone(),
            steps,
            crash,
        };
        match test.app.transact(&test.system(), batch, run_batch).await {
            Ok(()) => left -= steps,
            Err(Stop::Crash) => {}
            Err(Stop::Wrong(wrong)) => {
                let said = wrong.iter().map(|one| format!("seed {seed}: {one}"));
                return (said.collect(), 0);
            }
        }
    }
    let sim = sim.lock().expect("a sim");
    test.clock.set(sim.now);
    (Vec::new(), sim.happened())
}

/// Runs seeds on databases of their own until so many steps are done.
async fn run_many(engine: Engine, first: u64, steps: usize) {
    let mut left = steps;
    for seed in first.. {
        let some = left.min(A_DATABASE);
        if some == 0 {
            break;
        }
        let test = TestApp::seeded(engine, seed).await.expect("the engine");
        let (wrong, _) = run(&test, seed, some, Mistake::None).await;
        assert_eq!(wrong, Vec::<String>::new(), "{engine:?}");
        test.finish().await;
        left -= some;
    }
}

fn steps() -> usize {
    let wanted = std::env::var("MINTREU_TEST_MONEY_STEPS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(1_000)
}

fn is_there(engine: Engine) -> bool {
    engine == Engine::Sqlite || std::env::var(mintreu_tests::test_app::POSTGRES_VARIABLE).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_of_events_leaves_the_books_as_the_provider_has_them() {
    let steps = steps();
    let postgres = match is_there(Engine::Postgres) {
        true => steps / SHARE_OF_POSTGRES,
        false => 0,
    };
    let sqlite = steps - postgres;
    let halves = [
        tokio::spawn(run_many(Engine::Sqlite, 1, sqlite / 2)),
        tokio::spawn(run_many(Engine::Sqlite, 500_000, sqlite - sqlite / 2)),
    ];
    run_many(Engine::Postgres, 1_000_000, postgres).await;
    for half in halves {
        half.await.expect("no panic");
    }
    println!("{steps} steps, {postgres} of them on PostgreSQL");
}

#[tokio::test]
async fn the_same_seed_is_the_same_story() {
    let mut stories = Vec::new();
    for engine in [Engine::Sqlite, Engine::Sqlite, Engine::Postgres] {
        if !is_there(engine) {
            continue;
        }
        let test = TestApp::seeded(engine, 7).await.expect("the engine");
        let (wrong, happened) = run(&test, 7, 300, Mistake::None).await;
        assert_eq!(wrong, Vec::<String>::new());
        stories.push(happened);
        test.finish().await;
    }
    assert!(
        stories.windows(2).all(|pair| pair[0] == pair[1]),
        "{stories:?}"
    );
    let test = TestApp::seeded(Engine::Sqlite, 8).await.expect("SQLite");
    let (_, other) = run(&test, 8, 300, Mistake::None).await;
    assert_ne!(other, stories[0], "another seed is another story");
    test.finish().await;
}

#[tokio::test]
async fn mistakes_made_on_purpose_are_found() {
    for (mistake, complaint) in [
        (Mistake::NaiveRounding, "gave back more than it got"),
        (Mistake::ForgottenOrder, "is refunded"),
        (Mistake::ForgottenLicense, "license None, not Some"),
        (Mistake::LostPayout, "instead of 0"),
        (Mistake::FalseEntry, "is off by 1"),
        (Mistake::RenewedForNothing, "is posted"),
        (Mistake::ForgottenSubscription, "a bank has it"),
        (Mistake::TakenTwice, "than it got"),
        (Mistake::WrongShare, "more platform_fee than it got"),
        (Mistake::PaidForNothing, "(paid) is posted"),
        (Mistake::ForgottenCharge, "(open) is posted"),
        (Mistake::OneInstalmentMore, "an instalment too many"),
    ] {
        let test = TestApp::seeded(Engine::Sqlite, 3).await.expect("SQLite");
        let (wrong, _) = run(&test, 3, 1_000, mistake).await;
        test.finish_whatever().await;
        let found = wrong.iter().any(|one| one.contains(complaint));
        assert!(found, "{mistake:?}: {wrong:?}");
    }
}
