//! What happened becomes an event, and the event leaves as webhooks: at once, late, twice, or when
//! somebody lets it go.

use super::deliver::{DELIVER_JOB, DeliverPayload};
use super::magic;
use super::model::{DELAY_MS, EventBody, EventType, KeptBody};
use super::ops::SandboxError;
use super::sql::objects::{self as rows, StoredObject};
use super::sql::{self, StoredSession};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::store::StoreError;
use mintreu::{Money, Timestamp};
use serde::Deserialize;

/// Between two webhooks that were let go: enough for a worker to take them in this order.
const SPACE_MS: i64 = 1_000;

/// How webhooks leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As the card says.
    #[default]
    Prompt,
    /// Each a moment later.
    Late,
    /// Each twice.
    Twice,
    /// None, until somebody lets them go.
    Held,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Prompt, Self::Late, Self::Twice, Self::Held];

    /// As stored, and the value of its form field.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Late => "late",
            Self::Twice => "twice",
            Self::Held => "held",
        }
    }

    /// Reads what [`Mode::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.code() == code)
    }
}

/// What the shop shall hear.
pub(super) struct Happening<'a> {
    pub kind: EventType,
    pub session: Option<&'a str>,
    pub reference: &'a str,
    pub object: Option<&'a StoredObject>,
    pub amount: Money,
    pub failure_code: Option<String>,
    pub country: &'a str,
    pub method: Option<KeptBody>,
}

impl<'a> Happening<'a> {
    /// Something about a payment.
    pub(super) fn of(session: &'a StoredSession) -> Self {
        Self {
            kind: EventType::Unknown,
            session: Some(&session.session),
            reference: &session.reference,
            object: None,
            amount: session.amount,
            failure_code: None,
            country: &session.card_country,
            method: None,
        }
    }
}

/// Writes the event and a job for each of its deliveries, each so many milliseconds from now.
pub(super) fn tell(
    cx: &mut Cx<'_>,
    what: Happening<'_>,
    deliveries: &[i64],
) -> Result<(), SandboxError> {
    let event = EventBody {
        id: format!("sev_{}", mintreu::id::encode(&cx.random())),
        kind: what.kind,
        session: what.session.map(str::to_owned),
        reference: what.reference.to_owned(),
        object: what.object.map(|object| object.object.clone()),
        object_reference: what.object.and_then(StoredObject::shop_reference),
        amount_minor: what.amount.minor(),
        currency: what.amount.currency().code().to_owned(),
        fee_minor: (what.kind == EventType::Succeeded).then(|| magic::fee(what.amount)),
        failure_code: what.failure_code,
        method_country: Some(what.country.to_owned()).filter(|country| !country.is_empty()),
        method: what.method,
        evidence_due_at: what
            .object
            .and_then(|object| object.evidence_due_at)
            .map(Timestamp::ms),
        created_at: cx.now.ms(),
    };
    let body =
        serde_json::to_string(&event).map_err(|error| StoreError::shape(error.to_string()))?;
    let tenant = cx.caller.tenant;
    match &event.object {
        Some(_) => rows::insert_notice(cx.tx, tenant, &event, &body, cx.now)?,
        None => sql::insert_event(cx.tx, tenant, &event, &body, cx.now)?,
    }
    send(cx, &event.id, deliveries)
}

fn send(cx: &mut Cx<'_>, event: &str, deliveries: &[i64]) -> Result<(), SandboxError> {
    let tenant = cx.caller.tenant;
    match rows::mode(cx.tx, tenant)? {
        Mode::Held => rows::hold(cx.tx, tenant, event)?,
        Mode::Prompt => deliver_each(cx, event, deliveries)?,
        Mode::Late => {
            let late: Vec<_> = deliveries.iter().map(|ms| ms + DELAY_MS).collect();
            deliver_each(cx, event, &late)?;
        }
        Mode::Twice => {
            deliver_each(cx, event, deliveries)?;
            deliver_each(cx, event, deliveries)?;
        }
    }
    Ok(())
}

fn deliver_each(cx: &mut Cx<'_>, event: &str, deliveries: &[i64]) -> Result<(), StoreError> {
    for late_ms in deliveries {
        let payload = DeliverPayload {
            event: event.to_owned(),
        };
        crate::queue::enqueue(cx, DELIVER_JOB, &payload, cx.now.plus_ms(*late_ms))?;
    }
    Ok(())
}

/// Says how webhooks leave from now on.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct SetMode {
    /// How.
    pub mode: Mode,
}

impl Command for SetMode {
    const NAME: &'static str = "sandbox.set_mode";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Keeps the mode; what is held already stays held.
pub fn set_mode(cx: &mut Cx<'_>, cmd: &SetMode) -> Result<(), SandboxError> {
    Ok(rows::set_mode(cx.tx, cx.caller.tenant, cmd.mode)?)
}

/// In which order held webhooks leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sequence {
    /// As they happened.
    InOrder,
    /// The last first.
    Reversed,
    /// As they happened, each twice.
    Doubled,
    /// Not at all: they are lost.
    Dropped,
}

/// Lets held webhooks go.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct LetGo {
    /// In which order.
    pub sequence: Sequence,
}

impl Command for LetGo {
    const NAME: &'static str = "sandbox.let_go";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Sends what was held, one after the other; answers how many events there were.
pub fn let_go(cx: &mut Cx<'_>, cmd: &LetGo) -> Result<usize, SandboxError> {
    let mut held = rows::let_go(cx.tx, cx.caller.tenant)?;
    let count = held.len();
    match cmd.sequence {
        Sequence::InOrder => {}
        Sequence::Reversed => held.reverse(),
        Sequence::Doubled => {
            held = held
                .into_iter()
                .flat_map(|one| [one.clone(), one])
                .collect()
        }
        Sequence::Dropped => held.clear(),
    }
    let mut late_ms = 0;
    for event in held {
        deliver_each(cx, &event, &[late_ms])?;
        late_ms += SPACE_MS;
    }
    Ok(count)
}

/// Sends every event of a payment again, as a provider does when it is asked to.
#[derive(Debug, Clone, Deserialize)]
pub struct SendAgain {
    /// Whose events.
    pub session: String,
}

impl Command for SendAgain {
    const NAME: &'static str = "sandbox.send_again";
    const CAPABILITY: Capability = Capability::Browse;
}

/// Plans one more delivery of each event.
pub fn send_again(cx: &mut Cx<'_>, cmd: &SendAgain) -> Result<(), SandboxError> {
    for event in rows::events_of(cx.tx, cx.caller.tenant, &cmd.session)? {
        deliver_each(cx, &event, &[0])?;
    }
    Ok(())
}
