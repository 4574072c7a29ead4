//! Deliveries looked at, begun anew, and sent to try an endpoint out.

use super::deliver::{contention, enqueue, plan};
use super::facts;
use super::model::{Attempt, Delivery, DeliveryState, WebhookError};
use super::ops::{of_own, own};
use super::sql::deliveries as sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use mintreu::Timestamp;
use mintreu::id::{EventId, WebhookDeliveryId, WebhookEndpointId};
use serde_json::json;

/// Deliveries on a page at most, and without a wish.
const MAX_PAGE: i64 = 100;
const USUAL_PAGE: i64 = 20;
/// Deliveries begun anew by one command.
pub const MAX_REPLAYED: i64 = 500;

/// Asks for a page of an endpoint's deliveries.
#[derive(Debug, Clone, Copy)]
pub struct Deliveries {
    /// Of which endpoint.
    pub endpoint: WebhookEndpointId,
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those before this one; `None` for the newest.
    pub before: Option<WebhookDeliveryId>,
    /// How many, at most a hundred; 0 is twenty.
    pub limit: i64,
}

/// A page of deliveries, the newest first, and what to ask for next.
pub type DeliveriesPage = (Vec<Delivery>, Option<WebhookDeliveryId>);

/// The caller's own.
pub fn deliveries(cx: &mut ReadCx<'_>, asked: &Deliveries) -> Result<DeliveriesPage, WebhookError> {
    let endpoint = of_own(cx.tx, cx.caller, asked.endpoint, cx.now)?;
    let limit = match asked.limit {
        0 => USUAL_PAGE,
        limit => limit.clamp(1, MAX_PAGE),
    };
    let before = asked.before.map_or([0xff; 16], |id| *id.as_bytes());
    let range = (before, limit + 1);
    let mut page = sql::page(cx.tx, cx.caller.tenant, endpoint.id, asked.state, range)?;
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|last| last.id);
    Ok((page, next))
}

/// One of the caller's own, with every try.
pub fn delivery(
    cx: &mut ReadCx<'_>,
    id: &WebhookDeliveryId,
) -> Result<(Delivery, Vec<Attempt>), WebhookError> {
    let (seller, tenant) = (own(cx.caller)?, cx.caller.tenant);
    let found = sql::own(cx.tx, tenant, seller, *id)?;
    let delivery = found.ok_or(WebhookError::NotFound)?;
    let attempts = sql::attempts(cx.tx, tenant, delivery.id)?;
    Ok((delivery, attempts))
}

/// Begins a delivery anew.
#[derive(Debug, Clone, Copy)]
pub struct Replay(pub WebhookDeliveryId);

impl Command for Replay {
    const NAME: &'static str = "webhooks.replay";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// Begins it anew, with the same id and body.
pub fn replay(cx: &mut Cx<'_>, cmd: &Replay) -> Result<Delivery, WebhookError> {
    let seller = own(cx.caller)?;
    let found = sql::own(cx.tx, cx.caller.tenant, seller, cmd.0)?;
    let delivery = found.ok_or(WebhookError::NotFound)?;
    enabled(cx, delivery.endpoint)?;
    if delivery.state == DeliveryState::Waiting {
        return Err(WebhookError::UnderWay);
    }
    begin_anew(cx, delivery)
}

fn enabled(cx: &mut Cx<'_>, endpoint: WebhookEndpointId) -> Result<(), WebhookError> {
    let endpoint = of_own(cx.tx, cx.caller, endpoint, cx.now)?;
    match endpoint.disabled_at {
        None => Ok(()),
        Some(_) => Err(WebhookError::Disabled),
    }
}

fn begin_anew(cx: &mut Cx<'_>, mut delivery: Delivery) -> Result<Delivery, WebhookError> {
    delivery.state = DeliveryState::Waiting;
    delivery.tries = 0;
    delivery.next_at = Some(cx.now);
    delivery.ended_at = None;
    sql::put(cx.tx, cx.caller.tenant, &delivery)?;
    let now = cx.now;
    enqueue(cx, &delivery, now)?;
    Ok(delivery)
}

/// Begins anew what failed or was skipped since an instant.
#[derive(Debug, Clone, Copy)]
pub struct ReplayFailed {
    /// Of which endpoint.
    pub endpoint: WebhookEndpointId,
    /// Deliveries that were made then or later.
    pub since: Timestamp,
}

impl Command for ReplayFailed {
    const NAME: &'static str = "webhooks.replay_failed";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.endpoint.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![contention(self.endpoint)]
    }
}

/// What was begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many deliveries.
    pub replayed: usize,
    /// Whether more are left: ask again.
    pub more: bool,
}

/// The oldest first, up to [`MAX_REPLAYED`].
pub fn replay_failed(cx: &mut Cx<'_>, cmd: &ReplayFailed) -> Result<Replayed, WebhookError> {
    enabled(cx, cmd.endpoint)?;
    let tenant = cx.caller.tenant;
    let most = MAX_REPLAYED + 1;
    let mut failed = sql::failed(cx.tx, tenant, cmd.endpoint, cmd.since, most)?;
    let limit = usize::try_from(MAX_REPLAYED).unwrap_or(0);
    let more = failed.len() > limit;
    failed.truncate(limit);
    let replayed = failed.len();
    for delivery in failed {
        begin_anew(cx, delivery)?;
    }
    Ok(Replayed { replayed, more })
}

/// Sends a test event to an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct TestEvent(pub WebhookEndpointId);

impl Command for TestEvent {
    const NAME: &'static str = "webhooks.test";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// A delivery of no fact, whichever events the endpoint asked for.
pub fn send_test(cx: &mut Cx<'_>, cmd: &TestEvent) -> Result<Delivery, WebhookError> {
    enabled(cx, cmd.0)?;
    let event_id = cx.make_id(EventId::from_bytes);
    let data = json!({ "webhook_endpoint_id": cmd.0.to_string() });
    let payload = facts::payload(facts::TEST, cx.now, data);
    let planned = plan(cx, cmd.0, (event_id, facts::TEST), payload)?;
    planned.ok_or(WebhookError::UnderWay)
}
