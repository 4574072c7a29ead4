//! What the provider does besides payments: refunds and disputes.
//!
//! Each is one object with a state; a move of its state is one event for the shop.

use super::evidence;
use super::magic::{self, RefundFate};
use super::model::{Choice, DELAY_MS, EventType, SessionState};
use super::ops::SandboxError;
use super::sql::objects::{self as rows, StoredObject};
use super::sql::{self, StoredSession};
use super::tell::{Happening, tell};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::gateways::{RefundRequest, Sent, SentState};
use crate::queue::JobError;
use mintreu::Money;
use serde::{Deserialize, Serialize};

/// The job of what happens a moment later.
pub const FOLLOW_UP_JOB: &str = "sandbox.follow_up";

const NOW: &[i64] = &[0];

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// Money on its way back to a buyer.
    Refund,
    /// A bank's question.
    Dispute,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Refund, Self::Dispute];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Dispute => "dispute",
        }
    }

    /// Reads what [`ObjectKind::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// Accepted: a refund.
    Pending,
    /// Arrived: a refund.
    Succeeded,
    /// Not arrived, or come back: a refund.
    Failed,
    /// A dispute that is a suspicion yet.
    Warned,
    /// A dispute that is a question yet.
    Inquired,
    /// A dispute whose money is gone.
    Opened,
    /// A dispute whose money is back.
    Won,
    /// A dispute whose money stays away.
    Lost,
}

impl ObjectState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Succeeded,
        Self::Failed,
        Self::Warned,
        Self::Inquired,
        Self::Opened,
        Self::Won,
        Self::Lost,
    ];

    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Warned => "warned",
            Self::Inquired => "inquired",
            Self::Opened => "opened",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Reads what [`ObjectState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether the money isn't ours (any more) while it stands so.
    const fn holds_money(self) -> bool {
        !matches!(
            self,
            Self::Failed | Self::Warned | Self::Inquired | Self::Won
        )
    }
}

/// Whether an object may go on like this.
pub const fn may_move(from: ObjectState, to: ObjectState) -> bool {
    use ObjectState as S;
    matches!(
        (from, to),
        (S::Pending, S::Succeeded | S::Failed)
            | (S::Succeeded, S::Failed)
            | (S::Warned, S::Inquired | S::Opened)
            | (S::Inquired, S::Opened | S::Won | S::Lost)
            | (S::Opened, S::Won | S::Lost)
    )
}

/// What the shop hears when an object of this kind is there; `None` for what isn't told.
const fn event_of(kind: ObjectKind, state: ObjectState) -> Option<EventType> {
    use ObjectState as S;
    Some(match (kind, state) {
        (ObjectKind::Refund, S::Succeeded) => EventType::RefundSucceeded,
        (ObjectKind::Refund, S::Failed) => EventType::RefundFailed,
        (ObjectKind::Dispute, S::Warned) => EventType::DisputeWarned,
        (ObjectKind::Dispute, S::Inquired) => EventType::DisputeInquired,
        (ObjectKind::Dispute, S::Opened) => EventType::DisputeOpened,
        (ObjectKind::Dispute, S::Won) => EventType::DisputeWon,
        (ObjectKind::Dispute, S::Lost) => EventType::DisputeLost,
        _ => return None,
    })
}

/// Writes a new object and tells of it.
fn begin(cx: &mut Cx<'_>, object: StoredObject) -> Result<StoredObject, SandboxError> {
    rows::insert(cx.tx, cx.caller.tenant, &object, cx.now)?;
    tell_of(cx, &object)?;
    Ok(object)
}

fn tell_of(cx: &mut Cx<'_>, object: &StoredObject) -> Result<(), SandboxError> {
    let Some(kind) = event_of(object.kind, object.state) else {
        return Ok(());
    };
    let happening = Happening {
        kind,
        session: object.session.as_deref(),
        reference: &object.reference,
        object: Some(object),
        amount: object.amount,
        failure_code: object.failure_code.clone(),
        country: "",
        method: None,
    };
    tell(cx, happening, NOW)
}

/// The payload of [`FOLLOW_UP_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowUp {
    /// Whose next state; for a dispute to come, the session that is disputed.
    pub object: String,
    /// Which.
    pub to: ObjectState,
    /// Why, when it fails.
    pub failure_code: Option<String>,
}

fn later(
    cx: &mut Cx<'_>,
    object: &str,
    (to, failure_code): (ObjectState, Option<&str>),
    late_ms: i64,
) -> Result<(), SandboxError> {
    let payload = FollowUp {
        object: object.to_owned(),
        to,
        failure_code: failure_code.map(str::to_owned),
    };
    crate::queue::enqueue(cx, FOLLOW_UP_JOB, &payload, cx.now.plus_ms(late_ms))?;
    Ok(())
}

/// What happens a moment later: a card's dispute begins, a refund comes back.
pub fn follow_up(cx: &mut Cx<'_>, job: &FollowUp) -> Result<(), JobError> {
    let done = if job.object.starts_with("sbx_") {
        let raise = Raise {
            session: job.object.clone(),
            state: job.to,
        };
        raise_dispute(cx, &raise).map(drop)
    } else {
        let object = rows::find(cx.tx, cx.caller.tenant, &job.object)?;
        let object = object.ok_or_else(|| JobError::fail("no such object"))?;
        move_to(cx, object, job.to, job.failure_code.clone()).map(drop)
    };
    done.map_err(|error| match error {
        SandboxError::Store(error) => JobError::retry(error),
        other => JobError::fail(other),
    })
}

/// Moves an object on, where that is possible.
fn move_to(
    cx: &mut Cx<'_>,
    mut object: StoredObject,
    to: ObjectState,
    failure_code: Option<String>,
) -> Result<StoredObject, SandboxError> {
    if may_move(object.state, to) {
        object.state = to;
        object.failure_code = failure_code;
        object.evidence_due_at = evidence::due_at(to, cx.now);
        rows::update(cx.tx, cx.caller.tenant, &object, cx.now)?;
        tell_of(cx, &object)?;
    }
    Ok(object)
}

/// What the chosen card brings about after it paid.
pub(super) fn follow_card(cx: &mut Cx<'_>, session: &StoredSession) -> Result<(), SandboxError> {
    let cards = [
        (Choice::Disputed, ObjectState::Opened),
        (Choice::Inquired, ObjectState::Inquired),
        (Choice::Warned, ObjectState::Warned),
    ];
    for (card, state) in cards {
        if session.card == card.code() {
            later(cx, &session.session, (state, None), DELAY_MS)?;
        }
    }
    Ok(())
}

/// The shop asks for a refund.
#[derive(Debug, Clone)]
pub struct SendRefund {
    /// What it asks for.
    pub request: RefundRequest,
}

impl Command for SendRefund {
    const NAME: &'static str = "sandbox.send_refund";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.request.refund.to_string())
    }
}

/// Sends the money back, once.
pub fn send_refund(cx: &mut Cx<'_>, cmd: &SendRefund) -> Result<Sent, SandboxError> {
    let (tenant, request) = (cx.caller.tenant, &cmd.request);
    let key = request.refund.to_string();
    if let Some(before) = rows::by_key(cx.tx, tenant, (ObjectKind::Refund, &key))? {
        return repeated(&before, request.amount);
    }
    let session = sql::find_by_key(cx.tx, tenant, &request.payment.to_string())?;
    let session = session.ok_or(SandboxError::NotFound)?;
    let session = sql::find(cx.tx, tenant, &session)?.ok_or(SandboxError::NotFound)?;
    refund_session(cx, &session, request.amount, key)
}

fn refund_session(
    cx: &mut Cx<'_>,
    session: &StoredSession,
    amount: Money,
    key: String,
) -> Result<Sent, SandboxError> {
    check_refundable(cx, session, amount)?;
    let fate = magic::refund(&session.card, amount.minor());
    let state = match fate {
        RefundFate::Refused => return Err(SandboxError::Refused("refund_declined")),
        RefundFate::Succeeds | RefundFate::ComesBack => ObjectState::Succeeded,
        RefundFate::Waits | RefundFate::Fails => ObjectState::Pending,
    };
    let refund = StoredObject {
        object: format!("sbr_{}", mintreu::id::encode(&cx.random())),
        kind: ObjectKind::Refund,
        idempotency_key: key,
        session: Some(session.session.clone()),
        reference: session.reference.clone(),
        amount,
        state,
        failure_code: None,
        evidence_due_at: None,
    };
    let refund = begin(cx, refund)?;
    match fate {
        RefundFate::Waits => {
            later(cx, &refund.object, (ObjectState::Succeeded, None), DELAY_MS)?;
        }
        RefundFate::Fails | RefundFate::ComesBack => {
            let failed = (ObjectState::Failed, Some("account_closed"));
            later(cx, &refund.object, failed, DELAY_MS)?;
        }
        RefundFate::Succeeds | RefundFate::Refused => {}
    }
    Ok(sent(&refund))
}

/// The same key with the same amount is the same answer; with another, a mistake.
fn repeated(before: &StoredObject, amount: Money) -> Result<Sent, SandboxError> {
    if before.amount == amount {
        Ok(sent(before))
    } else {
        Err(SandboxError::Refused("idempotency_key_reused"))
    }
}

fn sent(object: &StoredObject) -> Sent {
    Sent {
        id: object.object.clone(),
        state: match object.state {
            ObjectState::Pending => SentState::Pending,
            ObjectState::Failed => {
                SentState::Failed(object.failure_code.clone().unwrap_or_default())
            }
            _ => SentState::Succeeded,
        },
    }
}

fn check_refundable(
    cx: &mut Cx<'_>,
    session: &StoredSession,
    amount: Money,
) -> Result<(), SandboxError> {
    if session.state != SessionState::Succeeded {
        return Err(SandboxError::Refused("payment_not_paid"));
    }
    let objects = rows::of_session(cx.tx, cx.caller.tenant, &session.session)?;
    let away = objects.iter().filter(|one| one.state.holds_money());
    if away.clone().any(|one| one.kind == ObjectKind::Dispute) {
        return Err(SandboxError::Refused("payment_disputed"));
    }
    let left = away.fold(session.amount.minor(), |left, one| {
        left - one.amount.minor()
    });
    let currency = amount.currency() == session.amount.currency();
    if !currency || amount.minor() <= 0 || amount.minor() > left {
        return Err(SandboxError::Refused("amount_too_large"));
    }
    Ok(())
}

/// Somebody refunds at the provider, without the shop.
#[derive(Debug, Clone, Deserialize)]
pub struct RefundHere {
    /// Which payment page.
    pub session: String,
    /// How much in minor units; all that is left when absent.
    pub amount_minor: Option<i64>,
}

impl Command for RefundHere {
    const NAME: &'static str = "sandbox.refund_here";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Sends money back of which the shop hears by webhook alone.
pub fn refund_here(cx: &mut Cx<'_>, cmd: &RefundHere) -> Result<Sent, SandboxError> {
    let tenant = cx.caller.tenant;
    let session = sql::find(cx.tx, tenant, &cmd.session)?.ok_or(SandboxError::NotFound)?;
    let all = left(cx, &session.session)?;
    let minor = cmd.amount_minor.unwrap_or_else(|| all.minor());
    let amount = Money::new(minor, all.currency());
    let key = format!("here {}", mintreu::id::encode(&cx.random()));
    refund_session(cx, &session, amount, key)
}

/// The buyer's bank sends a refund back.
#[derive(Debug, Clone, Deserialize)]
pub struct FailRefund {
    /// Which refund.
    pub object: String,
}

impl Command for FailRefund {
    const NAME: &'static str = "sandbox.fail_refund";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Lets a refund fail, even one that succeeded; one that failed already stays.
pub fn fail_refund(cx: &mut Cx<'_>, cmd: &FailRefund) -> Result<StoredObject, SandboxError> {
    let found = rows::find(cx.tx, cx.caller.tenant, &cmd.object)?;
    let refund = found.filter(|one| one.kind == ObjectKind::Refund);
    let refund = refund.ok_or(SandboxError::NotFound)?;
    move_to(
        cx,
        refund,
        ObjectState::Failed,
        Some("account_closed".to_owned()),
    )
}

/// A bank asks about a payment.
#[derive(Debug, Clone, Deserialize)]
pub struct Raise {
    /// Which payment page.
    pub session: String,
    /// `warned`, `inquired` or `opened`.
    pub state: ObjectState,
}

impl Command for Raise {
    const NAME: &'static str = "sandbox.raise_dispute";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Begins a dispute about all that is left of a payment; a second is refused.
pub fn raise_dispute(cx: &mut Cx<'_>, cmd: &Raise) -> Result<StoredObject, SandboxError> {
    use ObjectState::{Inquired, Opened, Warned};
    let tenant = cx.caller.tenant;
    let session = sql::find(cx.tx, tenant, &cmd.session)?.ok_or(SandboxError::NotFound)?;
    let objects = rows::of_session(cx.tx, tenant, &session.session)?;
    let known = objects.iter().any(|one| one.kind == ObjectKind::Dispute);
    let amount = left(cx, &session.session)?;
    let sound = session.state == SessionState::Succeeded && !known && amount.minor() > 0;
    if !sound || !matches!(cmd.state, Warned | Inquired | Opened) {
        return Err(SandboxError::Refused("not_disputable"));
    }
    let object = format!("sbd_{}", mintreu::id::encode(&cx.random()));
    let dispute = StoredObject {
        idempotency_key: object.clone(),
        object,
        kind: ObjectKind::Dispute,
        session: Some(session.session.clone()),
        reference: session.reference.clone(),
        amount,
        state: cmd.state,
        failure_code: Some("fraudulent".to_owned()),
        evidence_due_at: evidence::due_at(cmd.state, cx.now),
    };
    begin(cx, dispute)
}

/// What is left of a payment.
fn left(cx: &mut Cx<'_>, session: &str) -> Result<Money, SandboxError> {
    let tenant = cx.caller.tenant;
    let found = sql::find(cx.tx, tenant, session)?.ok_or(SandboxError::NotFound)?;
    let objects = rows::of_session(cx.tx, tenant, session)?;
    let away = objects.iter().filter(|one| one.state.holds_money());
    let left = away.fold(found.amount.minor(), |left, one| left - one.amount.minor());
    Ok(Money::new(left, found.amount.currency()))
}

/// The bank goes on, or decides.
#[derive(Debug, Clone, Deserialize)]
pub struct Decide {
    /// Which dispute.
    pub object: String,
    /// `opened`, `won` or `lost`.
    pub state: ObjectState,
}

impl Command for Decide {
    const NAME: &'static str = "sandbox.decide_dispute";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Moves a dispute on; where that isn't possible, nothing changes.
pub fn decide_dispute(cx: &mut Cx<'_>, cmd: &Decide) -> Result<StoredObject, SandboxError> {
    let found = rows::find(cx.tx, cx.caller.tenant, &cmd.object)?;
    let dispute = found.filter(|one| one.kind == ObjectKind::Dispute);
    let mut dispute = dispute.ok_or(SandboxError::NotFound)?;
    if cmd.state.holds_money() && !dispute.state.holds_money() {
        let session = dispute.session.as_deref().unwrap_or_default();
        dispute.amount = left(cx, session)?;
        if dispute.amount.minor() <= 0 {
            return Err(SandboxError::Refused("not_disputable"));
        }
    }
    let reason = dispute.failure_code.clone();
    move_to(cx, dispute, cmd.state, reason)
}
