//! What happens by itself: a draft begins, its seller is reminded, the house answers for who didn't,
//! and the provider is asked between transactions.
//!
//! A crash between the steps is safe: the provider knows an answer by its dispute and stage.

use super::matter::Matter;
use super::model::{Answer, AnswerError, AnswerState};
use super::{ACCEPTED_FACT, DUE_FACT, REFUSED_FACT, SUBMITTED_FACT, ops, sql};
use crate::app::{App, Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::refunds;
use crate::events::Event;
use crate::gateways::{self, AcceptRequest, EvidenceRequest, GatewayError};
use crate::queue::JobError;
use crate::store::{StoreError, Tx};
use mintreu::id::{DisputeId, TenantId};
use refunds::{Dispute, DisputeState};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job that asks the provider.
pub const SEND_JOB: &str = "answers.send";
/// The job that answers for who didn't.
pub const DEFAULT_JOB: &str = "answers.default";
/// The job that reminds of an answer that is missing.
pub const REMIND_JOB: &str = "answers.remind";

const HOUR_MS: i64 = 60 * 60 * 1000;
/// How long before the deadline the house answers for who didn't.
pub const DEFAULT_BEFORE_MS: i64 = 6 * HOUR_MS;
/// How long before the deadline its seller is reminded.
pub const REMIND_BEFORE_MS: i64 = 24 * HOUR_MS;

/// The payload of the three jobs: which answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendPayload {
    /// The dispute's id.
    pub dispute: String,
    /// The stage's code.
    pub stage: String,
}

impl SendPayload {
    fn read(&self) -> Result<(DisputeId, DisputeState), JobError> {
        let dispute = DisputeId::parse(&self.dispute).map_err(JobError::fail)?;
        let stage = DisputeState::parse(&self.stage);
        let stage = stage.ok_or_else(|| JobError::fail(format!("no stage {:?}", self.stage)))?;
        Ok((dispute, stage))
    }
}

/// A subscriber of the outbox: a bank that asks is to be answered.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    if event.kind != "dispute.opened" {
        return Ok(());
    }
    let id = DisputeId::parse(&event.subject).map_err(JobError::fail)?;
    let found = refunds::find_dispute(cx.tx, cx.caller.tenant, id)?;
    match found.filter(|dispute| dispute.state.is_open()) {
        Some(dispute) => Ok(ops::begin(cx, &dispute)?),
        None => Ok(()),
    }
}

/// Plans the reminder and the answer by default, when the bank named a day.
pub(super) fn plan(
    cx: &mut Cx<'_>,
    (dispute, answer): (&Dispute, &Answer),
) -> Result<(), StoreError> {
    let Some(due) = dispute.evidence_due_at else {
        return Ok(());
    };
    let payload = SendPayload {
        dispute: dispute.id.to_string(),
        stage: answer.stage.code().to_owned(),
    };
    let name = answer.key();
    let (remind, default) = (
        due.plus_ms(-REMIND_BEFORE_MS),
        due.plus_ms(-DEFAULT_BEFORE_MS),
    );
    if remind > cx.now {
        crate::queue::enqueue_once(cx, REMIND_JOB, &name, &payload, remind)?;
    }
    crate::queue::enqueue_once(cx, DEFAULT_JOB, &name, &payload, default.max(cx.now))
}

/// The draft that still waits, with its dispute and order; `None` when the bank asks no more, asks
/// otherwise, or was answered.
fn waiting(
    cx: &mut Cx<'_>,
    payload: &SendPayload,
) -> Result<Option<(Dispute, Matter, Answer)>, JobError> {
    let (id, stage) = payload.read()?;
    let tenant = cx.caller.tenant;
    let (dispute, matter) = ops::of(cx.tx, tenant, id)?;
    if dispute.state != stage {
        return Ok(None);
    }
    let answer = ops::current(cx.tx, tenant, &dispute, cx.now)?;
    let draft = answer.state == AnswerState::Draft;
    Ok(draft.then_some((dispute, matter, answer)))
}

/// Tells that an answer is missing and soon due.
pub fn remind(cx: &mut Cx<'_>, payload: &SendPayload) -> Result<(), JobError> {
    match waiting(cx, payload)? {
        Some((dispute, _, _)) => Ok(tell(cx, &dispute, DUE_FACT, None)?),
        None => Ok(()),
    }
}

/// Hands in what the house gathered, since nobody did.
pub fn answer_by_default(cx: &mut Cx<'_>, payload: &SendPayload) -> Result<(), JobError> {
    let Some((_, matter, mut answer)) = waiting(cx, payload)? else {
        return Ok(());
    };
    answer.by_default = true;
    Ok(ops::hand_in(cx, &matter, &mut answer)?)
}

/// Asks the provider to take an answer, or that a dispute is given up, and keeps what it says.
pub async fn send_answer(
    app: Arc<App>,
    caller: Caller,
    payload: SendPayload,
) -> Result<(), JobError> {
    let which = payload.read()?;
    let found = app.read(&caller, which, to_send).await;
    let Some(send) = found.map_err(JobError::from)? else {
        return Ok(());
    };
    let gateway = gateways::find(&app, &send.provider);
    let gateway = gateway.ok_or_else(|| JobError::retry("the provider isn't set up here"))?;
    let asked = match &send.what {
        What::Evidence(request) => gateway.submit_evidence(&app, request).await,
        What::Acceptance(request) => gateway.accept_dispute(&app, request).await,
    };
    let failure_code = match asked {
        Ok(()) => None,
        Err(GatewayError::Refused(code)) => Some(code),
        Err(error) => return Err(JobError::retry(error)),
    };
    let answer = TakeAnswer {
        dispute: which.0,
        stage: which.1,
        failure_code,
    };
    app.transact(&caller, answer, take_answer)
        .await
        .map_err(JobError::from)
}

/// What the provider is to be asked.
pub struct ToSend {
    provider: String,
    what: What,
}

enum What {
    Evidence(Box<EvidenceRequest>),
    Acceptance(AcceptRequest),
}

/// The answer at a stage.
fn at(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (dispute, stage): (DisputeId, DisputeState),
) -> Result<Answer, AnswerError> {
    let mut answers = sql::of_dispute(tx, tenant, dispute)?.into_iter();
    let found = answers.find(|answer| answer.stage == stage);
    found.ok_or(AnswerError::NotFound)
}

/// The answer, while the provider is still to be asked.
pub fn to_send(
    cx: &mut ReadCx<'_>,
    which: &(DisputeId, DisputeState),
) -> Result<Option<ToSend>, AnswerError> {
    let tenant = cx.caller.tenant;
    let answer = at(cx.tx, tenant, *which)?;
    let (dispute, matter) = ops::of(cx.tx, tenant, which.0)?;
    let name = dispute.provider_dispute;
    let what = match answer.state {
        AnswerState::Sending => {
            let to = matter.address(cx.tx, tenant)?;
            let supplied = matter.paid_at().map(super::gather::instant);
            let day: String = supplied.unwrap_or_default().chars().take(10).collect();
            What::Evidence(Box::new(EvidenceRequest {
                tenant,
                dispute: name,
                key: answer.key(),
                evidence: answer.evidence(day, to),
            }))
        }
        AnswerState::Accepting => What::Acceptance(AcceptRequest {
            tenant,
            dispute: name,
        }),
        _ => return Ok(None),
    };
    let provider = dispute.provider;
    Ok(Some(ToSend { provider, what }))
}

/// Keeps what the provider said.
#[derive(Debug, Clone)]
pub struct TakeAnswer {
    dispute: DisputeId,
    stage: DisputeState,
    failure_code: Option<String>,
}

impl Command for TakeAnswer {
    const NAME: &'static str = "answers.take_answer";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.dispute.to_string())
    }
}

/// What the provider's word makes of an answer; one that is settled stays.
pub fn take_answer(cx: &mut Cx<'_>, cmd: &TakeAnswer) -> Result<(), AnswerError> {
    let tenant = cx.caller.tenant;
    let mut answer = at(cx.tx, tenant, (cmd.dispute, cmd.stage))?;
    let Some(state) = answer.state.settled(cmd.failure_code.is_none()) else {
        return Ok(());
    };
    answer.state = state;
    answer.failure_code.clone_from(&cmd.failure_code);
    answer.settled_at = Some(cx.now);
    sql::keep(cx.tx, tenant, &answer)?;
    let (dispute, _) = ops::of(cx.tx, tenant, cmd.dispute)?;
    let fact = match state {
        AnswerState::Sent => SUBMITTED_FACT,
        AnswerState::Accepted => ACCEPTED_FACT,
        _ => REFUSED_FACT,
    };
    tell(cx, &dispute, fact, Some(&answer))
}

fn tell(
    cx: &mut Cx<'_>,
    dispute: &Dispute,
    fact: &'static str,
    answer: Option<&Answer>,
) -> Result<(), AnswerError> {
    let stage = answer.map_or(dispute.state, |answer| answer.stage);
    let about = serde_json::json!({
        "order": dispute.of.order().map(|order| order.to_string()),
        "invoice": dispute.of.invoice().map(|invoice| invoice.to_string()),
        "stage": stage.code(),
        "amount_minor": dispute.amount.minor(),
        "currency": dispute.amount.currency().code(),
        "reason": dispute.reason,
        "evidence_due_at": dispute.evidence_due_at.map(mintreu::Timestamp::ms),
        "by_default": answer.map(|answer| answer.by_default),
        "failure_code": answer.and_then(|answer| answer.failure_code.clone()),
    });
    crate::events::record(cx, fact, &dispute.id.to_string(), &about)?;
    Ok(())
}
