//! SQL of the sandbox's tables.

pub mod clock;
pub mod objects;
pub mod payouts;

use super::model::{EventBody, SessionState};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::TenantId;
use mintreu::{Currency, Money, Timestamp};

const FIND_BY_KEY: &str = "\
SELECT session FROM sandbox_session WHERE tenant_id = :tenant AND idempotency_key = :key";

const INSERT_SESSION: &str = "\
INSERT INTO sandbox_session (tenant_id, session, idempotency_key, reference, description,
    amount_minor, currency, return_url, state, is_strong, is_kept, created_at,
    updated_at)
VALUES (:tenant, :session, :key, :key, :description, :amount, :currency, :url, 'open', :strong,
    :kept, :now, :now)";

const FIND_SESSION: &str = "\
SELECT session, reference, description, amount_minor, currency, return_url, state, card,
    card_country, is_strong, is_kept
FROM sandbox_session WHERE tenant_id = :tenant AND session = :session";

const RECENT: &str = "\
SELECT session, reference, description, amount_minor, currency, return_url, state, card,
    card_country, is_strong, is_kept
FROM sandbox_session WHERE tenant_id = :tenant
ORDER BY created_at DESC, session LIMIT :limit";

const MOVE_SESSION: &str = "\
UPDATE sandbox_session SET state = :state, card = :card, card_country = :country,
    updated_at = :now
WHERE tenant_id = :tenant AND session = :session";

const FORGET: &str = "\
UPDATE sandbox_session SET is_kept = 0, updated_at = :now
WHERE tenant_id = :tenant AND idempotency_key = :key";

const INSERT_EVENT: &str = "\
INSERT INTO sandbox_event (tenant_id, event, session, body, created_at)
VALUES (:tenant, :event, :session, :body, :now)";

const EVENT_BODY: &str = "\
SELECT body FROM sandbox_event WHERE tenant_id = :tenant AND event = :event
UNION ALL
SELECT body FROM sandbox_notice WHERE tenant_id = :tenant AND event = :event";

const RECENT_EVENTS: &str = "\
SELECT event, body, created_at FROM sandbox_event WHERE tenant_id = :tenant
UNION ALL
SELECT event, body, created_at FROM sandbox_notice WHERE tenant_id = :tenant
UNION ALL
SELECT event, body, created_at FROM sandbox_payout_event WHERE tenant_id = :tenant
ORDER BY created_at DESC, event LIMIT :limit";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    FIND_BY_KEY,
    INSERT_SESSION,
    FIND_SESSION,
    RECENT,
    MOVE_SESSION,
    FORGET,
    INSERT_EVENT,
    EVENT_BODY,
    RECENT_EVENTS,
];

/// A payment page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Its name, part of its address.
    pub session: String,
    /// The shop's name of the payment: also the idempotency key.
    pub reference: String,
    /// What the buyer reads.
    pub description: String,
    /// How much.
    pub amount: Money,
    /// Where the buyer goes afterwards, sealed; [`super::ops::way_back`] reads it.
    pub return_url: String,
    /// Where it stands.
    pub state: SessionState,
    /// Which card was chosen; empty before.
    pub card: String,
    /// Its country, two capitals; empty when nobody said.
    pub card_country: String,
    /// Whether the page asks for a proof whatever the card.
    pub strong: bool,
    /// Whether what pays is kept, to be charged again.
    pub kept: bool,
}

pub(super) fn find_by_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: &str,
) -> Result<Option<String>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("key", key.into())];
    let row = tx.query_one(FIND_BY_KEY, &params)?;
    row.map(|row| row.text("session")).transpose()
}

pub(super) fn insert_session(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &StoredSession,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("session", new.session.as_str().into()),
        ("key", new.reference.as_str().into()),
        ("description", new.description.as_str().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("url", new.return_url.as_str().into()),
        ("strong", i64::from(new.strong).into()),
        ("kept", i64::from(new.kept).into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_SESSION, &params).map(drop)
}

pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    session: &str,
) -> Result<Option<StoredSession>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("session", session.into()),
    ];
    let row = tx.query_one(FIND_SESSION, &params)?;
    row.as_ref().map(stored).transpose()
}

/// Keeps no longer what was left there.
pub(super) fn forget(
    tx: &mut dyn Tx,
    tenant: TenantId,
    key: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", key.into()),
        ("now", now.into()),
    ];
    tx.execute(FORGET, &params).map(drop)
}

/// The newest payment pages.
pub(super) fn recent(
    tx: &mut dyn Tx,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<StoredSession>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(RECENT, &params)?.iter().map(stored).collect()
}

/// Name, body and instant of the newest events, whatever they speak of.
pub(super) fn recent_events(
    tx: &mut dyn Tx,
    tenant: TenantId,
    limit: i64,
) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let read = |row: &Row| Ok((row.text("event")?, row.text("body")?, row.at("created_at")?));
    tx.query(RECENT_EVENTS, &params)?.iter().map(read).collect()
}

fn stored(row: &Row) -> Result<StoredSession, StoreError> {
    let currency = Currency::parse(&row.text("currency")?)
        .map_err(|error| StoreError::shape(error.to_string()))?;
    let state = row.text("state")?;
    Ok(StoredSession {
        session: row.text("session")?,
        reference: row.text("reference")?,
        description: row.text("description")?,
        amount: Money::new(row.int("amount_minor")?, currency),
        return_url: row.text("return_url")?,
        state: SessionState::parse(&state)
            .ok_or_else(|| StoreError::shape(format!("no session state {state:?}")))?,
        card: row.text("card")?,
        card_country: row.text("card_country")?,
        strong: row.int("is_strong")? != 0,
        kept: row.int("is_kept")? != 0,
    })
}

pub(super) fn move_session(
    tx: &mut dyn Tx,
    tenant: TenantId,
    moved: &StoredSession,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("session", moved.session.as_str().into()),
        ("state", moved.state.code().into()),
        ("card", moved.card.as_str().into()),
        ("country", moved.card_country.as_str().into()),
        ("now", now.into()),
    ];
    tx.execute(MOVE_SESSION, &params).map(drop)
}

pub(super) fn insert_event(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &EventBody,
    body: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.id.as_str().into()),
        ("session", event.session.clone().into()),
        ("body", body.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_EVENT, &params).map(drop)
}

pub(super) fn event_body(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &str,
) -> Result<Option<String>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("event", event.into()),
    ];
    let row = tx.query_one(EVENT_BODY, &params)?;
    row.map(|row| row.text("body")).transpose()
}
