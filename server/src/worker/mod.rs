//! The worker: leases jobs, runs each one's use case, retries or gives up.
//!
//! [`table`] maps a job's kind to what runs it. A use case runs in the same commit that deletes
//! its job, so its effect happens once, however often a lease runs out. A job for the network
//! (mail, a provider) runs between transactions and may happen twice; whoever is told recognises
//! the repetition by the job's id. To add a job, add its line to [`table`]; to hear of facts, add
//! a function to [`SUBSCRIBERS`].
//!
//! Invariants
//! * A job whose kind nobody knows fails at once and is seen; it isn't lost.
//! * Facts reach every subscriber in one commit, or none.

mod table;

pub use table::{Runnable, Table, Turn};

use crate::app::{App, Command, Cx};
use crate::caller::{Caller, Capability};
use crate::domains::licensing::{self, batches};
use crate::domains::{
    affiliates, answers, billing, bundles, carts, fulfilment, gifts, invoicing, ledger, methods,
    payments, payouts, refunds, risk, sellers, subscriptions, transparency, webhooks, wishes,
};
use crate::events::{self, Event};
use crate::gateways::sandbox;
use crate::notify;
use crate::queue::{self, Job, JobError, MAX_ATTEMPTS, backoff_ms};
use crate::store::{Attempt, StoreError};
use mintreu::Timestamp;
use mintreu::id::EventId;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Hears of a fact, in the commit that ends its dispatch.
pub type Subscriber = fn(&mut Cx<'_>, &Event) -> Result<(), JobError>;

/// Who hears of every fact, in this order.
pub const SUBSCRIBERS: &[Subscriber] = &[
    subscriptions::on_fact,
    answers::on_fact,
    wishes::on_fact,
    fulfilment::on_fact,
    bundles::on_fact,
    notify::on_fact,
    webhooks::on_fact,
];

/// What runs which kind of job, one line each.
pub fn table() -> Table {
    Table::default()
        .job(events::DISPATCH, dispatch)
        .job(SWEEP, sweep)
        .network(answers::SEND_JOB, answers::send_answer)
        .job(answers::DEFAULT_JOB, answers::answer_by_default)
        .job(answers::REMIND_JOB, answers::remind)
        .job(wishes::ESCALATE_JOB, wishes::escalate)
        .job(bundles::SHELVE_JOB, bundles::shelve_all)
        .job(billing::CLOSE_JOB, billing::close_period_job)
        .job(billing::REMIND_JOB, billing::remind)
        .job(billing::THRESHOLD_JOB, billing::check_threshold)
        .job(billing::LATE_JOB, billing::bill_late)
        .job(billing::REPORT_JOB, billing::send_usage_reports)
        .job(carts::REMIND_JOB, carts::remind)
        .job(fulfilment::EXPIRE_JOB, fulfilment::expire)
        .job(fulfilment::CHARGE_AGAIN_JOB, fulfilment::charge_again)
        .job_in(
            Turn::Numbered,
            payments::SETTLE_JOB,
            fulfilment::settle_payment,
        )
        .job(gifts::SEND_JOB, fulfilment::send_gift)
        .network(methods::FORGET_JOB, methods::forget_at_provider)
        .job(affiliates::DIGEST_JOB, affiliates::digest)
        .job(ledger::RELEASE_JOB, affiliates::release)
        .job_in(Turn::Numbered, sellers::FOLLOW_JOB, sellers::follow)
        .job(subscriptions::BRIDGE_JOB, subscriptions::bridge)
        .job(payouts::WEEKLY_JOB, payouts::weekly)
        .job_in(Turn::Alone, payouts::CONSIDER_JOB, payouts::consider)
        .network(payouts::SEND_JOB, payouts::send)
        .job(payouts::SETTLE_JOB, payouts::settle_event)
        .job_in(
            Turn::Alone,
            transparency::SEQUENCE_JOB,
            transparency::sequence,
        )
        .job(licensing::SIGN_AGAIN_JOB, licensing::sign_again)
        .job(batches::FILL_JOB, batches::fill_job)
        .job(batches::REVOKE_JOB, batches::revoke_job)
        .job(subscriptions::RENEW_JOB, subscriptions::process_renewal)
        .job(subscriptions::RETRY_JOB, subscriptions::retry_renewal)
        .job(subscriptions::CHECK_JOB, subscriptions::check_expired)
        .job(subscriptions::REMIND_JOB, subscriptions::send_reminder)
        .job_in(
            Turn::Numbered,
            subscriptions::RETIRE_JOB,
            subscriptions::retire_step,
        )
        .network(subscriptions::CHARGE_JOB, subscriptions::charge)
        .network(subscriptions::END_JOB, subscriptions::end_charge)
        .job(risk::FORGET_JOB, risk::forget)
        .network(refunds::SEND_JOB, refunds::send_refund)
        .network(notify::MAIL_JOB, notify::send_mail)
        .job(sandbox::objects::FOLLOW_UP_JOB, sandbox::objects::follow_up)
        .job(webhooks::FORGET_JOB, webhooks::forget)
        .network(webhooks::SEND_JOB, notify::send_webhook)
        .network(sandbox::deliver::DELIVER_JOB, sandbox::deliver::deliver)
}

/// Jobs leased at once by [`drain`].
const BATCH: i64 = 16;
/// More than this in one [`drain`] is a circle.
const MOST_DRAINED: usize = 100_000;
/// How often an idle worker looks for jobs.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs due jobs until none is left; returns how many. For tests and `mintreu work --once`.
pub async fn drain(app: &Arc<App>, table: &Arc<Table>) -> Result<usize, StoreError> {
    let mut done = 0;
    while done < MOST_DRAINED {
        let jobs = lease(app, BATCH).await?;
        if jobs.is_empty() {
            return Ok(done);
        }
        done += jobs.len();
        for job in jobs {
            run_one(app.clone(), table.clone(), job).await;
        }
    }
    Err(StoreError::shape("jobs make jobs without end".to_owned()))
}

/// Works until `shutdown`, then finishes what it holds.
pub async fn run(app: Arc<App>, table: Arc<Table>, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let mut working = JoinSet::new();
    let most = app.config.worker.jobs.max(1);
    loop {
        while working.try_join_next().is_some() {}
        let free = most.saturating_sub(working.len());
        match lease_when_due(&app, free).await {
            Ok(jobs) if !jobs.is_empty() => {
                for job in jobs {
                    working.spawn(run_one(app.clone(), table.clone(), job));
                }
                continue;
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "jobs can't be leased"),
        }
        tokio::select! {
            () = &mut shutdown => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    working.join_all().await;
}

/// Looks on a reader first, so that an idle worker never writes.
async fn lease_when_due(app: &App, free: usize) -> Result<Vec<Job>, StoreError> {
    let free = i64::try_from(free).unwrap_or(0);
    let now = app.now();
    if free == 0
        || !app
            .store
            .read(move |tx| queue::sql::is_due(tx, now))
            .await??
    {
        return Ok(Vec::new());
    }
    lease(app, free).await
}

async fn lease(app: &App, most: i64) -> Result<Vec<Job>, StoreError> {
    let (now, mut token) = (app.now(), [0; 16]);
    (app.entropy)(&mut token);
    let claim = move |tx: &mut dyn crate::store::Tx| match queue::sql::lease(tx, now, most, token) {
        Ok(jobs) => Attempt::Commit(Ok(jobs)),
        Err(error) => Attempt::Rollback(Err(error)),
    };
    app.store.claim(claim).await?
}

async fn run_one(app: Arc<App>, table: Arc<Table>, job: Job) {
    let outcome = match table.find(&job.kind) {
        None => Err(JobError::fail(format!(
            "nobody runs jobs of kind {}",
            job.kind
        ))),
        Some(Runnable::UseCase(..)) => in_one_commit(&app, table, job.clone()).await,
        Some(Runnable::Network(run)) => match run(app.clone(), job.clone()).await {
            Ok(()) => finish(&app, job.clone()).await.map_err(JobError::from),
            Err(error) => Err(error),
        },
    };
    if let Err(error) = outcome
        && let Err(error) = put_back(&app, job, &error).await
    {
        tracing::error!(%error, "a job can't be put back; its lease will run out");
    }
}

/// A job on its way through `transact`.
struct RunJob {
    table: Arc<Table>,
    job: Job,
}

impl Command for RunJob {
    const NAME: &'static str = "worker.run_job";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.job.kind.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        match self.table.find(&self.job.kind) {
            Some(Runnable::UseCase(Turn::Alone, _)) => {
                vec![format!("job {} {}", self.job.kind, self.job.tenant)]
            }
            Some(Runnable::UseCase(Turn::Numbered, _)) => vec![invoicing::CONTENDED.to_owned()],
            _ => Vec::new(),
        }
    }
}

async fn in_one_commit(app: &App, table: Arc<Table>, job: Job) -> Result<(), JobError> {
    let caller = Caller::system(job.tenant);
    app.transact(&caller, RunJob { table, job }, run_and_finish)
        .await
}

fn run_and_finish(cx: &mut Cx<'_>, command: &RunJob) -> Result<(), JobError> {
    let RunJob { table, job } = command;
    if !queue::sql::finish(cx.tx, job)? {
        // Another worker took it over and will do it.
        return Ok(());
    }
    match table.find(&job.kind) {
        Some(Runnable::UseCase(_, run)) => run(cx, &job.payload),
        _ => Err(JobError::fail("the table changed while it ran")),
    }
}

async fn finish(app: &App, job: Job) -> Result<(), StoreError> {
    let body = move |tx: &mut dyn crate::store::Tx| match queue::sql::finish(tx, &job) {
        Ok(_) => Attempt::Commit(Ok(())),
        Err(error) => Attempt::Rollback(Err(error)),
    };
    app.store.write(Vec::new(), body).await?
}

async fn put_back(app: &App, job: Job, error: &JobError) -> Result<(), StoreError> {
    let sentence: String = error.to_string().chars().take(1000).collect();
    let again = matches!(error, JobError::Retry(_)) && job.attempts < MAX_ATTEMPTS;
    if again {
        tracing::warn!(
            kind = job.kind,
            attempt = job.attempts,
            error = sentence,
            "a job failed"
        );
    } else {
        tracing::error!(kind = job.kind, error = sentence, "a job is given up");
    }
    let again: Option<Timestamp> = again.then(|| app.now().plus_ms(backoff_ms(job.attempts)));
    let body =
        move |tx: &mut dyn crate::store::Tx| match queue::sql::put_back(tx, &job, again, &sentence)
        {
            Ok(()) => Attempt::Commit(Ok(())),
            Err(error) => Attempt::Rollback(Err(error)),
        };
    app.store.write(Vec::new(), body).await?
}

/// Gives a fact to everybody who subscribed.
fn dispatch(cx: &mut Cx<'_>, dispatch: &events::Dispatch) -> Result<(), JobError> {
    let event_id: EventId = dispatch.event.parse().map_err(JobError::fail)?;
    let event = events::find(cx, event_id)?;
    let event = event.ok_or_else(|| JobError::fail(format!("{event_id} is no fact")))?;
    for subscriber in SUBSCRIBERS {
        subscriber(cx, &event)?;
    }
    Ok(())
}

/// The job that forgets old idempotency keys and deliveries, once a day.
pub const SWEEP: &str = "house.sweep";
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an idempotency key is remembered.
const KEYS_LIVE_DAYS: i64 = 7;

/// A sweep; it carries nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sweep {}

fn sweep(cx: &mut Cx<'_>, _: &Sweep) -> Result<(), JobError> {
    let before = cx.now.plus_ms(-KEYS_LIVE_DAYS * DAY_MS);
    crate::app::sql::forget_keys(cx, before)?;
    webhooks::plan_forget(cx)?;
    risk::plan_forget(cx)?;
    Ok(plan_sweep(cx)?)
}

/// Plans the next sweep, unless one is planned.
pub fn plan_sweep(cx: &mut Cx<'_>) -> Result<(), StoreError> {
    let tomorrow = cx.now.plus_ms(DAY_MS);
    queue::enqueue_once(cx, SWEEP, "daily", &Sweep {}, tomorrow)
}
