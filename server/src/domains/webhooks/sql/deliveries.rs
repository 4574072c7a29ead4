//! Statements of deliveries and their tries.

use crate::domains::webhooks::model::{Attempt, Delivery, DeliveryState};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, EventId, TenantId, WebhookDeliveryId, WebhookEndpointId};

const INSERT: &str = "INSERT INTO webhook_delivery (tenant_id, delivery_id, endpoint_id, event_id,
        event, payload, state, attempts, tries, created_at, next_at)
    VALUES (:tenant, :delivery, :endpoint, :fact, :event, :payload, 'waiting', 0, 0, :now, :now)
    ON CONFLICT (tenant_id, endpoint_id, event_id) DO NOTHING";

const FIND: &str = "SELECT delivery_id, endpoint_id, event_id, event, payload, state, attempts,
        tries, created_at, next_at, ended_at
    FROM webhook_delivery WHERE tenant_id = :tenant AND delivery_id = :delivery";

const OWN: &str = "SELECT d.delivery_id, d.endpoint_id, d.event_id, d.event, d.payload, d.state,
        d.attempts, d.tries, d.created_at, d.next_at, d.ended_at
    FROM webhook_delivery d JOIN webhook_endpoint e
        ON e.tenant_id = d.tenant_id AND e.endpoint_id = d.endpoint_id
    WHERE d.tenant_id = :tenant AND d.delivery_id = :delivery AND e.seller_id = :seller
        AND e.deleted_at IS NULL";

const PAGE: &str = "SELECT delivery_id, endpoint_id, event_id, event, payload, state, attempts,
        tries, created_at, next_at, ended_at
    FROM webhook_delivery
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND delivery_id < :before
        AND (state = :state OR :state = '')
    ORDER BY delivery_id DESC LIMIT :most";

const FAILED: &str = "SELECT delivery_id, endpoint_id, event_id, event, payload, state, attempts,
        tries, created_at, next_at, ended_at
    FROM webhook_delivery
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND created_at >= :since
        AND state IN ('failed', 'skipped')
    ORDER BY delivery_id LIMIT :most";

const MOVE: &str = "UPDATE webhook_delivery SET state = :state, attempts = :attempts,
        tries = :tries, next_at = :next_at, ended_at = :ended_at
    WHERE tenant_id = :tenant AND delivery_id = :delivery";

const SKIP: &str = "UPDATE webhook_delivery SET state = 'skipped', next_at = NULL, ended_at = :now
    WHERE tenant_id = :tenant AND endpoint_id = :endpoint AND state = 'waiting'";

const INSERT_ATTEMPT: &str = "INSERT INTO webhook_attempt (tenant_id, delivery_id, number, outcome,
        status, duration_ms, answer, tried_at)
    VALUES (:tenant, :delivery, :number, :outcome, :status, :duration, :answer, :tried_at)";

const ATTEMPTS: &str = "SELECT number, outcome, status, duration_ms, answer, tried_at
    FROM webhook_attempt WHERE tenant_id = :tenant AND delivery_id = :delivery ORDER BY number";

const FORGET_ATTEMPTS: &str = "DELETE FROM webhook_attempt WHERE (tenant_id, delivery_id) IN
    (SELECT tenant_id, delivery_id FROM webhook_delivery WHERE ended_at < :before
        ORDER BY ended_at, delivery_id LIMIT :most)";

const FORGET: &str = "DELETE FROM webhook_delivery WHERE (tenant_id, delivery_id) IN
    (SELECT tenant_id, delivery_id FROM webhook_delivery WHERE ended_at < :before
        ORDER BY ended_at, delivery_id LIMIT :most)";

/// Adds one, unless the endpoint has one of this fact; whether it did.
pub fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Delivery) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("delivery", new.id.as_bytes().into()),
        ("endpoint", new.endpoint.as_bytes().into()),
        ("fact", new.event_id.as_bytes().into()),
        ("event", new.event.as_str().into()),
        ("payload", new.payload.as_str().into()),
        ("now", new.created_at.into()),
    ];
    Ok(tx.execute(INSERT, &params)? == 1)
}

/// The one with this id, for the house.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("delivery", delivery.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(from_row).transpose()
}

/// The one with this id, of a seller's own.
pub fn own(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    delivery: WebhookDeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("delivery", delivery.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let row = tx.query_one(OWN, &params)?;
    row.as_ref().map(from_row).transpose()
}

/// Those of an endpoint before `before`, the newest first.
pub fn page(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    state: Option<DeliveryState>,
    (before, most): ([u8; 16], i64),
) -> Result<Vec<Delivery>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("endpoint", endpoint.as_bytes().into()),
        ("before", (&before).into()),
        ("state", state.map_or("", DeliveryState::code).into()),
        ("most", most.into()),
    ];
    tx.query(PAGE, &params)?.iter().map(from_row).collect()
}

/// Those that failed or were skipped since, the oldest first.
pub fn failed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    since: Timestamp,
    most: i64,
) -> Result<Vec<Delivery>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("endpoint", endpoint.as_bytes().into()),
        ("since", since.into()),
        ("most", most.into()),
    ];
    tx.query(FAILED, &params)?.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Delivery, StoreError> {
    let state = DeliveryState::parse(&row.text("state")?);
    Ok(Delivery {
        id: row.id("delivery_id", WebhookDeliveryId::from_bytes)?,
        endpoint: row.id("endpoint_id", WebhookEndpointId::from_bytes)?,
        event_id: row.id("event_id", EventId::from_bytes)?,
        event: row.text("event")?,
        payload: row.text("payload")?,
        state: state.ok_or_else(|| StoreError::shape("an unknown state".to_owned()))?,
        attempts: row.int("attempts")?,
        tries: row.int("tries")?,
        created_at: row.at("created_at")?,
        next_at: row.opt_at("next_at")?,
        ended_at: row.opt_at("ended_at")?,
    })
}

/// Writes where one stands.
pub fn put(tx: &mut dyn Tx, tenant: TenantId, moved: &Delivery) -> Result<(), StoreError> {
    let params = [
        ("state", moved.state.code().into()),
        ("attempts", moved.attempts.into()),
        ("tries", moved.tries.into()),
        ("next_at", moved.next_at.into()),
        ("ended_at", moved.ended_at.into()),
        ("tenant", tenant.as_bytes().into()),
        ("delivery", moved.id.as_bytes().into()),
    ];
    tx.execute(MOVE, &params).map(drop)
}

/// Gives up what waits for an endpoint.
pub fn skip(
    tx: &mut dyn Tx,
    tenant: TenantId,
    endpoint: WebhookEndpointId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("now", now.into()),
        ("tenant", tenant.as_bytes().into()),
        ("endpoint", endpoint.as_bytes().into()),
    ];
    tx.execute(SKIP, &params).map(drop)
}

/// Keeps a try.
pub fn insert_attempt(
    tx: &mut dyn Tx,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("delivery", delivery.as_bytes().into()),
        ("number", attempt.number.into()),
        ("outcome", attempt.outcome.as_str().into()),
        ("status", attempt.status.into()),
        ("duration", attempt.duration_ms.into()),
        ("answer", attempt.answer.as_str().into()),
        ("tried_at", attempt.at.into()),
    ];
    tx.execute(INSERT_ATTEMPT, &params).map(drop)
}

/// A delivery's tries, the first first.
pub fn attempts(
    tx: &mut dyn Tx,
    tenant: TenantId,
    delivery: WebhookDeliveryId,
) -> Result<Vec<Attempt>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("delivery", delivery.as_bytes().into()),
    ];
    let attempt = |row: &Row| {
        Ok(Attempt {
            number: row.int("number")?,
            outcome: row.text("outcome")?,
            status: row.opt_int("status")?,
            duration_ms: row.int("duration_ms")?,
            answer: row.text("answer")?,
            at: row.at("tried_at")?,
        })
    };
    tx.query(ATTEMPTS, &params)?.iter().map(attempt).collect()
}

/// Deletes up to `most` deliveries that ended before; answers how many.
pub fn forget(tx: &mut dyn Tx, before: Timestamp, most: i64) -> Result<u64, StoreError> {
    let params: [(&str, Value); 2] = [("before", before.into()), ("most", most.into())];
    tx.execute(FORGET_ATTEMPTS, &params)?;
    tx.execute(FORGET, &params)
}
