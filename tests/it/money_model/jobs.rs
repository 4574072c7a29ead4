//! Jobs inside a commit of the test's: use cases as the worker runs them, each in its savepoint, and
//! the ways through the gateway in their halves, between which a process may die.

use super::Stop;
use super::sim::{Sim, Told};
use mintreu::id::{JobId, PaymentId, PayoutId, RefundId};
use mintreu_server::app::{Cx, ReadCx};
use mintreu_server::domains::payments;
use mintreu_server::domains::payouts::{self, flow as payout_flow};
use mintreu_server::domains::refunds::{self, flow as refund_flow};
use mintreu_server::domains::subscriptions::{self, charge as charge_flow};
use mintreu_server::gateways::sandbox::{self, deliver, objects, saved};
use mintreu_server::queue::{JobError, MAX_ATTEMPTS, backoff_ms};
use mintreu_server::store::{Row, StoreError};
use mintreu_server::worker::Runnable;

/// More rounds than this at one instant is a circle.
const MOST_ROUNDS: usize = 200;

/// Mail and webhooks to sellers are told in other tests; the log is written when all is over.
const FORGET: &str = "DELETE FROM job WHERE tenant_id = :tenant AND kind = 'event.dispatch'";
const DUE: &str = "SELECT job_id, kind, payload, attempts FROM job
    WHERE tenant_id = :tenant AND state = 'waiting' AND run_at <= :now
        AND kind <> 'transparency.sequence'
    ORDER BY run_at, job_id LIMIT 20";
const AGAIN_LATER: &str = "SELECT job_id FROM job
    WHERE tenant_id = :tenant AND state = 'waiting' AND attempts > 0 LIMIT 1";
const DONE: &str = "DELETE FROM job WHERE job_id = :job";
const AGAIN: &str = "UPDATE job SET attempts = :attempts, run_at = :run_at WHERE job_id = :job";
const BODY: &str = "SELECT body FROM sandbox_event WHERE event = :event
    UNION ALL SELECT body FROM sandbox_notice WHERE event = :event
    UNION ALL SELECT body FROM sandbox_payout_event WHERE event = :event";

/// Runs a use case as if in a transaction of its own.
pub fn attempt<T, E>(
    cx: &mut Cx<'_>,
    use_case: impl FnOnce(&mut Cx<'_>) -> Result<T, E>,
) -> Result<Result<T, E>, StoreError> {
    cx.tx.execute("SAVEPOINT use_case", &[])?;
    let done = use_case(cx);
    if done.is_err() {
        cx.tx.execute("ROLLBACK TO SAVEPOINT use_case", &[])?;
    }
    cx.tx.execute("RELEASE SAVEPOINT use_case", &[])?;
    Ok(done)
}

/// The same, and the commit is lost.
fn crash<T, E>(
    cx: &mut Cx<'_>,
    use_case: impl FnOnce(&mut Cx<'_>) -> Result<T, E>,
) -> Result<(), StoreError> {
    cx.tx.execute("SAVEPOINT crash", &[])?;
    let _ = use_case(cx);
    cx.tx.execute("ROLLBACK TO SAVEPOINT crash", &[])?;
    cx.tx.execute("RELEASE SAVEPOINT crash", &[]).map(drop)
}

struct Job {
    id: JobId,
    kind: String,
    payload: String,
    attempts: i64,
}

impl Job {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("job_id", JobId::from_bytes)?,
            kind: row.text("kind")?,
            payload: row.text("payload")?,
            attempts: row.int("attempts")? + 1,
        })
    }

    fn done(&self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        let id = [("job", self.id.as_bytes().into())];
        cx.tx.execute(DONE, &id).map(drop)
    }
}

impl Sim {
    /// Runs every due job.
    pub fn run_due(&mut self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        let tenant = ("tenant", cx.caller.tenant.as_bytes().into());
        for _ in 0..MOST_ROUNDS {
            cx.tx.execute(FORGET, std::slice::from_ref(&tenant))?;
            let due = [tenant.clone(), ("now", self.now.into())];
            let rows = cx.tx.query(DUE, &due)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                cx.caller = self.people.house;
                self.run_job(cx, &Job::read(row)?)?;
            }
        }
        Err(Stop::Wrong(vec!["jobs make jobs without end".to_owned()]))
    }

    /// Whether every job that was tried has been done.
    pub fn nothing_waits_again(&self, cx: &mut Cx<'_>) -> Result<bool, Stop> {
        let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
        Ok(cx.tx.query_one(AGAIN_LATER, &tenant)?.is_none())
    }

    fn run_job(&mut self, cx: &mut Cx<'_>, job: &Job) -> Result<(), Stop> {
        let dies = self.dice.below(16) == 0;
        let table = self.table.clone();
        let done = match table.find(&job.kind) {
            Some(Runnable::UseCase(_, run)) => {
                if dies {
                    crash(cx, |cx| run(cx, &job.payload))?;
                }
                attempt(cx, |cx| {
                    job.done(cx)?;
                    run(cx, &job.payload)
                })?
            }
            _ => match self.network(cx, job, dies) {
                Ok(()) => job.done(cx).map_err(JobError::from),
                Err(error) => Err(error),
            },
        };
        match done {
            Ok(()) => Ok(()),
            Err(JobError::Retry(_)) if job.attempts < MAX_ATTEMPTS => {
                let params = [
                    ("attempts", job.attempts.into()),
                    ("run_at", self.now.plus_ms(backoff_ms(job.attempts)).into()),
                    ("job", job.id.as_bytes().into()),
                ];
                cx.tx.execute(AGAIN, &params)?;
                Ok(())
            }
            Err(error) => Err(Stop::Wrong(vec![format!("job {}: {error}", job.kind)])),
        }
    }

    fn network(&mut self, cx: &mut Cx<'_>, job: &Job, dies: bool) -> Result<(), JobError> {
        match job.kind.as_str() {
            deliver::DELIVER_JOB => self.post(cx, job),
            refunds::SEND_JOB => send_refund(cx, job, dies),
            subscriptions::CHARGE_JOB => charge(cx, job, dies),
            subscriptions::END_JOB => end_charge(cx, job, dies),
            payouts::SEND_JOB => send_payout(cx, job, dies),
            other => Err(JobError::fail(format!("nobody runs {other}"))),
        }
    }

    /// A webhook is on its way: when it arrives is the dice's to say.
    fn post(&mut self, cx: &mut Cx<'_>, job: &Job) -> Result<(), JobError> {
        let payload: deliver::DeliverPayload = read(job)?;
        let row = cx
            .tx
            .query_one(BODY, &[("event", payload.event.as_str().into())])?;
        let row = row.ok_or_else(|| JobError::fail("no such event"))?;
        self.bag.push(Told {
            event: payload.event,
            body: row.text("body")?,
            heard: false,
        });
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(job: &Job) -> Result<T, JobError> {
    serde_json::from_str(&job.payload).map_err(JobError::fail)
}

/// The provider was asked, and nobody was there to hear the answer.
fn died(dies: bool) -> Result<(), JobError> {
    match dies {
        true => Err(JobError::retry("the process died")),
        false => Ok(()),
    }
}

fn send_refund(cx: &mut Cx<'_>, job: &Job, dies: bool) -> Result<(), JobError> {
    let payload: refund_flow::SendPayload = read(job)?;
    let id = RefundId::parse(&payload.refund).map_err(JobError::fail)?;
    let mut reading = ReadCx {
        tx: cx.tx,
        now: cx.now,
        caller: cx.caller,
    };
    let Some(refund) = refund_flow::to_send(&mut reading, &id)? else {
        return Ok(());
    };
    let send = objects::SendRefund {
        request: refund_flow::request(cx.caller.tenant, &refund),
    };
    let sent = attempt(cx, |cx| objects::send_refund(cx, &send))?;
    died(dies)?;
    let answer = refund_flow::answer(id, sent.map_err(sandbox::refused))?;
    attempt(cx, |cx| refund_flow::take_answer(cx, &answer))?.map_err(JobError::from)
}

fn charge(cx: &mut Cx<'_>, job: &Job, dies: bool) -> Result<(), JobError> {
    let payload: charge_flow::ChargePayload = read(job)?;
    let id = PaymentId::parse(&payload.payment).map_err(JobError::fail)?;
    let payment = payments::by_id(cx.tx, cx.caller.tenant, id)?;
    let payment = payment.ok_or_else(|| JobError::fail("no such payment"))?;
    if !payment.is_open() {
        return Ok(());
    }
    let charge = saved::ChargeSaved {
        charge: charge_flow::request(cx.caller.tenant, &payment, payload),
    };
    let charged = attempt(cx, |cx| saved::charge_saved(cx, &charge))?;
    died(dies)?;
    let charged = charged.map_err(sandbox::refused);
    let receive = charge_flow::told("sandbox", &payment, charged, cx.now)?;
    let told = attempt(cx, |cx| payments::receive_event(cx, &receive))?;
    told.map(drop).map_err(JobError::retry)
}

fn end_charge(cx: &mut Cx<'_>, job: &Job, dies: bool) -> Result<(), JobError> {
    let payload: charge_flow::EndPayload = read(job)?;
    let id = PaymentId::parse(&payload.charge.payment).map_err(JobError::fail)?;
    let payment = payments::by_id(cx.tx, cx.caller.tenant, id)?;
    let payment = payment.ok_or_else(|| JobError::fail("no such payment"))?;
    if !payment.is_open() {
        return Ok(());
    }
    let end = saved::EndCharge {
        charge: charge_flow::request(cx.caller.tenant, &payment, payload.charge),
    };
    let ended = attempt(cx, |cx| saved::end_charge(cx, &end))?;
    died(dies)?;
    let receive = charge_flow::told("sandbox", &payment, ended.map_err(sandbox::refused), cx.now)?;
    let told = attempt(cx, |cx| payments::receive_event(cx, &receive))?;
    told.map(drop).map_err(JobError::retry)
}

fn send_payout(cx: &mut Cx<'_>, job: &Job, dies: bool) -> Result<(), JobError> {
    let payload: payout_flow::SendPayload = read(job)?;
    let id = PayoutId::parse(&payload.payout).map_err(JobError::fail)?;
    let begin = payout_flow::BeginSending(id);
    let Some(payout) = payout_flow::begin_sending(cx, &begin)? else {
        return Ok(());
    };
    let take = sandbox::payouts::TakePayout {
        request: payout_flow::order(cx.caller.tenant, &payout),
    };
    let sent = attempt(cx, |cx| sandbox::payouts::take(cx, &take))?;
    died(dies)?;
    let record = payout_flow::answer(id, sent.map_err(sandbox::refused))?;
    attempt(cx, |cx| payout_flow::record_answer(cx, &record))?.map_err(JobError::from)
}
