//! What the provider is told about a dispute while its bank waits: taken once, and not too late.

use super::objects::{Decide, ObjectKind, ObjectState, decide_dispute};
use super::ops::SandboxError;
use super::sql::objects::{self as rows, StoredEvidence, StoredObject};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::gateways::{Evidence, EvidenceRequest};
use crate::store::StoreError;
use mintreu::Timestamp;

/// How long a bank waits for an answer: seven days.
pub const ANSWER_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Until when a bank waits in a state that began at `now`.
pub(super) fn due_at(state: ObjectState, now: Timestamp) -> Option<Timestamp> {
    asks(state).then(|| now.plus_ms(ANSWER_MS))
}

const fn asks(state: ObjectState) -> bool {
    matches!(state, ObjectState::Inquired | ObjectState::Opened)
}

/// Takes an answer for a bank.
#[derive(Debug, Clone)]
pub struct TakeEvidence {
    /// What the shop hands in.
    pub request: EvidenceRequest,
}

impl Command for TakeEvidence {
    const NAME: &'static str = "sandbox.take_evidence";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.request.dispute.clone())
    }
}

/// Keeps the answer once; the same key with the same answer changes nothing. No address is kept.
pub fn take(cx: &mut Cx<'_>, cmd: &TakeEvidence) -> Result<(), SandboxError> {
    let dispute = find(cx, &cmd.request.dispute)?;
    let told = Evidence {
        customer_email_address: String::new(),
        ..cmd.request.evidence.clone()
    };
    let body =
        serde_json::to_string(&told).map_err(|error| StoreError::shape(error.to_string()))?;
    let of = (cx.caller.tenant, dispute.object.as_str());
    let before = rows::evidence_of(cx.tx, of)?;
    if let Some(before) = before.iter().find(|one| one.key == cmd.request.key) {
        return match before.body == body {
            true => Ok(()),
            false => Err(SandboxError::Refused("idempotency_key_reused")),
        };
    }
    if !asks(dispute.state) {
        return Err(SandboxError::Refused("dispute_closed"));
    }
    if dispute.evidence_due_at.is_some_and(|due| due < cx.now) {
        return Err(SandboxError::Refused("evidence_late"));
    }
    let new = StoredEvidence {
        key: cmd.request.key.clone(),
        body,
        taken_at: cx.now,
    };
    Ok(rows::insert_evidence(cx.tx, of, &new)?)
}

fn find(cx: &mut Cx<'_>, object: &str) -> Result<StoredObject, SandboxError> {
    let found = rows::find(cx.tx, cx.caller.tenant, object)?;
    let dispute = found.filter(|one| one.kind == ObjectKind::Dispute);
    dispute.ok_or(SandboxError::Refused("dispute_unknown"))
}

/// The shop gives a dispute up.
#[derive(Debug, Clone)]
pub struct GiveUp {
    /// Which.
    pub object: String,
}

impl Command for GiveUp {
    const NAME: &'static str = "sandbox.give_up";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.object.clone())
    }
}

/// The bank keeps the money, and the shop hears so; what is lost stays lost.
pub fn give_up(cx: &mut Cx<'_>, cmd: &GiveUp) -> Result<(), SandboxError> {
    let dispute = find(cx, &cmd.object)?;
    match dispute.state {
        ObjectState::Lost => return Ok(()),
        state if !asks(state) => return Err(SandboxError::Refused("dispute_closed")),
        _ => {}
    }
    let decided = Decide {
        object: dispute.object,
        state: ObjectState::Lost,
    };
    decide_dispute(cx, &decided).map(drop)
}
