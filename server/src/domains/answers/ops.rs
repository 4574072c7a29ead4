//! Use cases of answers: look, write, hand in, give up.

use super::flow::{self, SEND_JOB, SendPayload};
use super::gather::gather;
use super::matter::Matter;
use super::model::{Answer, AnswerError, AnswerState, Known, Texts};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::refunds::{self, Dispute, DisputeState};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{DisputeId, OrderLineId, TenantId};

/// What to do with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Keep the texts, to go on later.
    Save,
    /// Hand it in, once.
    Submit,
    /// Say nothing and take the bank's word.
    Accept,
}

/// What somebody wants to do with the answer of a dispute.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which dispute.
    pub dispute: DisputeId,
    /// What.
    pub step: Step,
    /// New texts; those that are kept when absent.
    pub texts: Option<Texts>,
    /// Where the dispute stood when they looked: refused when it has moved.
    pub seen: Option<DisputeState>,
}

/// The seller of an order answers its bank.
#[derive(Debug, Clone)]
pub struct AnswerDispute(pub Wanted);

impl Command for AnswerDispute {
    const NAME: &'static str = "answers.answer_dispute";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.dispute.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.dispute.to_string()]
    }
}

/// The platform answers a bank.
#[derive(Debug, Clone)]
pub struct AnswerAny(pub Wanted);

impl Command for AnswerAny {
    const NAME: &'static str = "answers.answer_any";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.0.dispute.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.dispute.to_string()]
    }
}

/// Writes, hands in or gives up, as the seller of all of the order.
pub fn answer(cx: &mut Cx<'_>, cmd: &AnswerDispute) -> Result<AnswerState, AnswerError> {
    carry_out(cx, &cmd.0)
}

/// As [`answer`], of anybody's order.
pub fn answer_any(cx: &mut Cx<'_>, cmd: &AnswerAny) -> Result<AnswerState, AnswerError> {
    carry_out(cx, &cmd.0)
}

fn carry_out(cx: &mut Cx<'_>, wanted: &Wanted) -> Result<AnswerState, AnswerError> {
    let tenant = cx.caller.tenant;
    let (dispute, matter) = of(cx.tx, tenant, wanted.dispute)?;
    matter.may(cx.caller)?;
    let moved = wanted.seen.is_some_and(|seen| seen != dispute.state);
    if !dispute.state.is_open() || moved {
        return Err(AnswerError::Moved(dispute.state));
    }
    let mut answer = current(cx.tx, tenant, &dispute, cx.now)?;
    if answer.state != AnswerState::Draft {
        return Err(AnswerError::Given(answer.state));
    }
    if let Some(texts) = &wanted.texts {
        answer.texts = texts.checked()?;
    }
    match wanted.step {
        Step::Save => sql::keep(cx.tx, tenant, &answer)?,
        Step::Submit => {
            if let Some(due) = dispute.evidence_due_at.filter(|due| *due < cx.now) {
                return Err(AnswerError::Late(due));
            }
            answer.answered_by = cx.caller.account;
            hand_in(cx, &matter, &mut answer)?;
        }
        Step::Accept => {
            answer.answered_by = cx.caller.account;
            send(cx, &mut answer, AnswerState::Accepting)?;
        }
    }
    Ok(answer.state)
}

/// Keeps what is known with the answer, and plans to hand it in.
pub(super) fn hand_in(
    cx: &mut Cx<'_>,
    matter: &Matter,
    answer: &mut Answer,
) -> Result<(), AnswerError> {
    let mut reading = ReadCx {
        tx: cx.tx,
        now: cx.now,
        caller: cx.caller,
    };
    answer.gathered = gather(&mut reading, matter)?;
    send(cx, answer, AnswerState::Sending)
}

fn send(cx: &mut Cx<'_>, answer: &mut Answer, state: AnswerState) -> Result<(), AnswerError> {
    answer.state = state;
    answer.answered_at = Some(cx.now);
    sql::keep(cx.tx, cx.caller.tenant, answer)?;
    let payload = SendPayload {
        dispute: answer.dispute.to_string(),
        stage: answer.stage.code().to_owned(),
    };
    crate::queue::enqueue(cx, SEND_JOB, &payload, cx.now)?;
    Ok(())
}

/// A dispute and what it is about.
pub(super) fn of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    dispute: DisputeId,
) -> Result<(Dispute, Matter), AnswerError> {
    let dispute = refunds::find_dispute(tx, tenant, dispute)?.ok_or(AnswerError::NotFound)?;
    let matter = Matter::find(tx, tenant, dispute.of)?;
    Ok((dispute, matter))
}

/// The answer at the stage where the dispute stands; one that isn't there yet is a draft with the
/// texts of the stage before.
pub(super) fn current(
    tx: &mut dyn Tx,
    tenant: TenantId,
    dispute: &Dispute,
    now: Timestamp,
) -> Result<Answer, AnswerError> {
    let answers = sql::of_dispute(tx, tenant, dispute.id)?;
    let mut draft = Answer::draft(dispute.id, dispute.state, now);
    for answer in answers {
        if answer.stage == dispute.state {
            return Ok(answer);
        }
        draft.texts = answer.texts;
    }
    Ok(draft)
}

/// Begins the draft of a dispute that opened, and plans what happens when nobody answers.
pub(super) fn begin(cx: &mut Cx<'_>, dispute: &Dispute) -> Result<(), AnswerError> {
    let tenant = cx.caller.tenant;
    let answer = current(cx.tx, tenant, dispute, cx.now)?;
    if answer.state != AnswerState::Draft {
        return Ok(());
    }
    sql::keep(cx.tx, tenant, &answer)?;
    Ok(flow::plan(cx, (dispute, &answer))?)
}

/// What is asked of whoever answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whole days that are left, rounded down; `None` when the bank named no day or it is over.
    pub days_left: Option<i64>,
    /// Whether it can be handed in.
    pub can_submit: bool,
    /// Whether it can be given up.
    pub can_accept: bool,
}

/// A dispute with what its bank is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerView {
    /// The dispute.
    pub dispute: Dispute,
    /// A line of its order, the caller's own where they have one; an invoice of usage has none.
    pub line: Option<OrderLineId>,
    /// What that line was called, or the invoice's number.
    pub title: String,
    /// The answer at this stage; the newest where the bank asks no more, and `None` where it never did.
    pub answer: Option<Answer>,
    /// What the house knows: as it was handed in, or now.
    pub known: Vec<Known>,
    /// What can be done.
    pub asked: Asked,
}

/// What a bank is, or was, answered; for who may answer it.
pub fn view_answer(cx: &mut ReadCx<'_>, id: &DisputeId) -> Result<AnswerView, AnswerError> {
    let tenant = cx.caller.tenant;
    let (dispute, matter) = of(cx.tx, tenant, *id)?;
    matter.may(cx.caller)?;
    let open = dispute.state.is_open();
    let answer = match open {
        true => Some(current(cx.tx, tenant, &dispute, cx.now)?),
        false => sql::of_dispute(cx.tx, tenant, *id)?.pop(),
    };
    let is_draft = (answer.as_ref()).is_none_or(|one| one.state == AnswerState::Draft);
    let known = match answer.as_ref().filter(|one| !one.gathered.is_empty()) {
        Some(given) => given.gathered.clone(),
        None => gather(cx, &matter)?,
    };
    let late = dispute.evidence_due_at.is_some_and(|due| due < cx.now);
    let (title, line) = matter.title(cx.caller)?;
    Ok(AnswerView {
        line,
        title,
        answer,
        known,
        asked: Asked {
            days_left: days_left(&dispute, cx.now),
            can_submit: open && is_draft && !late,
            can_accept: open && is_draft,
        },
        dispute,
    })
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whole days until the bank waits no more, rounded down; `None` when it doesn't, or named no day.
pub fn days_left(dispute: &Dispute, now: Timestamp) -> Option<i64> {
    let due = dispute
        .evidence_due_at
        .filter(|_| dispute.state.is_open())?;
    let left = due.since_ms(now);
    (left >= 0).then_some(left / DAY_MS)
}

/// Where the newest answer of each of these disputes stands, whoever asks: the caller of this function knows who may.
pub fn answers_of(
    cx: &mut ReadCx<'_>,
    disputes: &Vec<DisputeId>,
) -> Result<Vec<Option<AnswerState>>, StoreError> {
    let tenant = cx.caller.tenant;
    let mut states = Vec::with_capacity(disputes.len());
    for dispute in disputes {
        let newest = sql::of_dispute(cx.tx, tenant, *dispute)?.pop();
        states.push(newest.map(|answer| answer.state));
    }
    Ok(states)
}
