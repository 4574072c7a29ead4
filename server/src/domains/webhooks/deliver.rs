//! From a fact to deliveries, and from a try to what follows.

use super::facts::{self, DISABLED};
use super::model::{
    Attempt, Delivery, DeliveryState, Endpoint, KEPT_MS, MAX_FAILURES, Scheme, TryOutcome,
    WebhookError, pause_ms,
};
use super::ops::opened;
use super::sign;
use super::sql::endpoints::Sealed;
use super::sql::{deliveries, endpoints};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::custody::Custody;
use crate::events::{self, Event};
use crate::queue::{self, JobError};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{EventId, WebhookDeliveryId, WebhookEndpointId};
use serde::{Deserialize, Serialize};

/// The job of one try.
pub const SEND_JOB: &str = "webhooks.send";
/// The job that deletes old deliveries.
pub const FORGET_JOB: &str = "webhooks.forget";
/// Deliveries deleted in one commit.
const FORGOTTEN: i64 = 1_000;

/// The payload of [`SEND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendJob {
    /// The text of the delivery's id.
    pub delivery: String,
    /// Which try, from 1: a job whose try was made does nothing.
    pub number: i64,
}

impl From<WebhookError> for JobError {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Store(error) => JobError::retry(error),
            other => JobError::fail(other),
        }
    }
}

/// A subscriber of the outbox: a delivery for each endpoint that wants to hear of the fact.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    let tenant = cx.caller.tenant;
    if !facts::is_told(&event.kind) || !endpoints::any(cx.tx, tenant)? {
        return Ok(());
    }
    for (seller, payload) in facts::told(cx, event)? {
        for endpoint in endpoints::of_seller(cx.tx, tenant, seller, cx.now)? {
            if endpoint.wants(&event.kind) {
                let what = (event.event_id, event.kind.as_str());
                plan(cx, endpoint.id, what, payload.clone())?;
            }
        }
    }
    Ok(())
}

/// A new delivery and its first try; nothing when the endpoint has one of this fact.
pub(super) fn plan(
    cx: &mut Cx<'_>,
    endpoint: WebhookEndpointId,
    (event_id, event): (EventId, &str),
    payload: String,
) -> Result<Option<Delivery>, StoreError> {
    let delivery = Delivery {
        id: cx.make_id(WebhookDeliveryId::from_bytes),
        endpoint,
        event_id,
        event: event.to_owned(),
        payload,
        state: DeliveryState::Waiting,
        attempts: 0,
        tries: 0,
        created_at: cx.now,
        next_at: Some(cx.now),
        ended_at: None,
    };
    if !deliveries::insert(cx.tx, cx.caller.tenant, &delivery)? {
        return Ok(None);
    }
    enqueue(cx, &delivery, cx.now)?;
    Ok(Some(delivery))
}

pub(super) fn enqueue(
    cx: &mut Cx<'_>,
    delivery: &Delivery,
    at: Timestamp,
) -> Result<(), StoreError> {
    let job = SendJob {
        delivery: delivery.id.to_string(),
        number: delivery.attempts.saturating_add(1),
    };
    queue::enqueue(cx, SEND_JOB, &job, at).map(drop)
}

/// Asks what a job shall send.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// Which delivery.
    pub delivery: WebhookDeliveryId,
    /// Which try.
    pub number: i64,
}

impl Due {
    /// What a job's payload asks.
    pub fn of(job: &SendJob) -> Result<Self, WebhookError> {
        let delivery = WebhookDeliveryId::parse(&job.delivery);
        Ok(Self {
            delivery: delivery.map_err(|error| WebhookError::Payload(error.to_string()))?,
            number: job.number,
        })
    }
}

/// What is to be sent, and by whose secrets it is signed.
pub struct Outgoing {
    /// To which endpoint.
    pub endpoint: WebhookEndpointId,
    /// Where.
    pub url: String,
    /// The header `webhook-id`.
    pub id: String,
    /// The body.
    pub body: String,
    scheme: Scheme,
    secrets: Vec<Sealed>,
}

impl Outgoing {
    /// The header `webhook-signature`: one signature for each secret that holds.
    pub fn signature(&self, keys: &Custody, at: Timestamp) -> Result<String, WebhookError> {
        let message = sign::message(&self.id, at, &self.body);
        let mut list = Vec::with_capacity(self.secrets.len());
        for sealed in &self.secrets {
            let secret = opened(keys, sealed)?;
            let signature = sign::signature(self.scheme, &secret, &message);
            list.push(signature.ok_or(WebhookError::Sealed)?);
        }
        match list.is_empty() {
            true => Err(WebhookError::Sealed),
            false => Ok(list.join(" ")),
        }
    }
}

/// What a job shall send; `None` when that try was made, or the endpoint wants nothing more.
pub fn due(cx: &mut ReadCx<'_>, asked: &Due) -> Result<Option<Outgoing>, WebhookError> {
    let tenant = cx.caller.tenant;
    let Some(delivery) = deliveries::find(cx.tx, tenant, asked.delivery)? else {
        return Ok(None);
    };
    if !is_next(&delivery, asked.number) {
        return Ok(None);
    }
    let endpoint = endpoints::find(cx.tx, tenant, delivery.endpoint, cx.now)?;
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.disabled_at.is_none()) else {
        return Ok(None);
    };
    Ok(Some(Outgoing {
        endpoint: endpoint.id,
        url: endpoint.url,
        id: delivery.event_id.to_string(),
        body: delivery.payload,
        scheme: endpoint.scheme,
        secrets: endpoints::secrets(cx.tx, tenant, endpoint.id, cx.now)?,
    }))
}

fn is_next(delivery: &Delivery, number: i64) -> bool {
    delivery.state == DeliveryState::Waiting && delivery.attempts.checked_add(1) == Some(number)
}

/// Notes what came of a try.
#[derive(Debug, Clone)]
pub struct NoteAttempt {
    /// Of which delivery.
    pub delivery: WebhookDeliveryId,
    /// To which endpoint.
    pub endpoint: WebhookEndpointId,
    /// Which try.
    pub number: i64,
    /// What it came to.
    pub outcome: TryOutcome,
    /// The HTTP status, when something was answered.
    pub status: Option<u16>,
    /// For how long the endpoint asks to be left alone.
    pub retry_after_ms: Option<i64>,
    /// How long it took.
    pub duration_ms: i64,
    /// How the answer began, or why there was none.
    pub answer: String,
    /// When it began.
    pub at: Timestamp,
}

impl Command for NoteAttempt {
    const NAME: &'static str = "webhooks.note_attempt";
    const CAPABILITY: Capability = Capability::Operate;
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![contention(self.endpoint)]
    }
}

/// Tries of one endpoint are noted one after the other: they count its failures.
pub(super) fn contention(endpoint: WebhookEndpointId) -> String {
    format!("webhook {endpoint}")
}

/// "Gone": the endpoint wants nothing more.
const GONE: u16 = 410;

/// Keeps the try, and plans the next one or ends the delivery.
pub fn note_attempt(cx: &mut Cx<'_>, note: &NoteAttempt) -> Result<(), WebhookError> {
    let tenant = cx.caller.tenant;
    let found = deliveries::find(cx.tx, tenant, note.delivery)?;
    let Some(mut delivery) = found.filter(|delivery| is_next(delivery, note.number)) else {
        // Made twice, and noted before; or the endpoint was switched off meanwhile.
        return Ok(());
    };
    let attempt = Attempt {
        number: note.number,
        outcome: note.outcome.code().to_owned(),
        status: note.status.map(i64::from),
        duration_ms: note.duration_ms,
        answer: note.answer.replace('\0', "\u{fffd}"),
        at: note.at,
    };
    deliveries::insert_attempt(cx.tx, tenant, delivery.id, &attempt)?;
    delivery.attempts = note.number;
    delivery.tries = delivery.tries.saturating_add(1);
    let ended = next(cx, note, &mut delivery);
    deliveries::put(cx.tx, tenant, &delivery)?;
    if !ended {
        let at = delivery.next_at.unwrap_or(cx.now);
        return Ok(enqueue(cx, &delivery, at)?);
    }
    match endpoints::find(cx.tx, tenant, delivery.endpoint, cx.now)? {
        Some(endpoint) => count(cx, note, endpoint),
        None => Ok(()),
    }
}

/// Where the delivery stands after the try; whether it ended.
fn next(cx: &mut Cx<'_>, note: &NoteAttempt, delivery: &mut Delivery) -> bool {
    let chance = u32::from_be_bytes(cx.random());
    let again = match (note.outcome, note.status) {
        (TryOutcome::Delivered, _) | (_, Some(GONE)) => None,
        _ => pause_ms(delivery.tries, chance, note.retry_after_ms),
    };
    delivery.next_at = again.map(|pause| cx.now.plus_ms(pause));
    if again.is_none() {
        delivery.ended_at = Some(cx.now);
        delivery.state = match note.outcome {
            TryOutcome::Delivered => DeliveryState::Delivered,
            _ => DeliveryState::Failed,
        };
    }
    again.is_none()
}

/// Counts an ended delivery for or against its endpoint.
fn count(cx: &mut Cx<'_>, note: &NoteAttempt, endpoint: Endpoint) -> Result<(), WebhookError> {
    let tenant = cx.caller.tenant;
    if note.outcome == TryOutcome::Delivered {
        if endpoint.failures > 0 {
            endpoints::set_failures(cx.tx, tenant, endpoint.id, 0)?;
        }
        return Ok(());
    }
    let failures = endpoint.failures.saturating_add(1);
    endpoints::set_failures(cx.tx, tenant, endpoint.id, failures)?;
    let endpoint = Endpoint {
        failures,
        ..endpoint
    };
    if note.status == Some(GONE) {
        return disable(cx, endpoint, "gone");
    }
    if failures >= MAX_FAILURES {
        return disable(cx, endpoint, "failing");
    }
    Ok(())
}

/// Switches an endpoint off and tells of it; what waits for it is skipped.
fn disable(
    cx: &mut Cx<'_>,
    mut endpoint: Endpoint,
    reason: &'static str,
) -> Result<(), WebhookError> {
    if endpoint.disabled_at.is_some() {
        return Ok(());
    }
    endpoint.disabled_at = Some(cx.now);
    endpoint.disabled_why = Some(reason.to_owned());
    endpoints::update(cx.tx, cx.caller.tenant, &endpoint)?;
    deliveries::skip(cx.tx, cx.caller.tenant, endpoint.id, cx.now)?;
    // It can happen again, and is told each time: so the instant belongs to the subject.
    let subject = format!("{}@{}", endpoint.id, cx.now.ms());
    events::record(cx, DISABLED, &subject, &DisabledFact { reason })?;
    Ok(())
}

#[derive(Serialize)]
struct DisabledFact {
    reason: &'static str,
}

/// The payload of [`FORGET_JOB`]; it carries nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct Forget {}

/// Plans to delete old deliveries.
pub fn plan_forget(cx: &mut Cx<'_>) -> Result<(), StoreError> {
    let now = cx.now;
    queue::enqueue(cx, FORGET_JOB, &Forget {}, now).map(drop)
}

/// Deletes deliveries, with their tries, that ended 90 days ago.
pub fn forget(cx: &mut Cx<'_>, _: &Forget) -> Result<(), StoreError> {
    let before = cx.now.plus_ms(-KEPT_MS);
    let deleted = deliveries::forget(cx.tx, before, FORGOTTEN)?;
    if i64::try_from(deleted).unwrap_or(i64::MAX) >= FORGOTTEN {
        plan_forget(cx)?;
    }
    Ok(())
}
