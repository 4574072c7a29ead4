//! Statements of events.

use super::super::model::event::Event;
use super::rows::{self, CHUNK};
use crate::app::Cx;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::AccountId;
use std::collections::HashSet;

const INSERT: &str = "INSERT INTO usage_event (seller_id, ingested_at, source, event_id,
        event_type, subject, occurred_at, data, problem, reverses)
    VALUES (:seller, :now, :source, :event, :event_type, :subject, :at, :data, :problem, :reverses)
    ON CONFLICT (seller_id, source, event_id) DO NOTHING RETURNING source, event_id";

const EVENT: &str = "SELECT source, event_id, event_type, subject, occurred_at, ingested_at, data,
        problem, reverses, reversed_by
    FROM usage_event WHERE seller_id = :seller AND source = :source AND event_id = :event";

const MARK_REVERSED: &str = "UPDATE usage_event SET reversed_by = :by
    WHERE seller_id = :seller AND source = :source AND event_id = :event
        AND reversed_by IS NULL";

const WITHIN: &str = "SELECT source, event_id, event_type, subject, occurred_at, ingested_at, data,
        problem, reverses, reversed_by
    FROM usage_event
    WHERE seller_id = :seller AND occurred_at >= :start AND occurred_at < :until
        AND event_type = :event_type AND subject = :subject AND ingested_at >= :since
        AND reverses IS NULL AND reversed_by IS NULL";

const LIST: &str = "SELECT source, event_id, event_type, subject, occurred_at, ingested_at, data,
        problem, reverses, reversed_by
    FROM usage_event
    WHERE seller_id = :seller AND occurred_at >= :start AND occurred_at < :until
        AND (CAST(:subject AS TEXT) IS NULL OR subject = :subject)
        AND (CAST(:event_type AS TEXT) IS NULL OR event_type = :event_type)
        AND (CAST(:event AS TEXT) IS NULL OR event_id = :event)
        AND ingested_at >= :ingested_start AND ingested_at < :ingested_until
    ORDER BY occurred_at DESC, source, event_id LIMIT :limit OFFSET :skip";

pub(super) const ALL: &[&str] = &[INSERT, EVENT, MARK_REVERSED, WITHIN, LIST];

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Who made it.
    pub source: String,
    /// Its name there.
    pub id: String,
    /// What kind it is.
    pub kind: String,
    /// Whose use it is.
    pub subject: String,
    /// When it happened.
    pub at: Timestamp,
    /// When it arrived.
    pub ingested_at: Timestamp,
    /// Its data, or nothing.
    pub data: String,
    /// Why a meter could not count it.
    pub problem: Option<String>,
    /// The event it takes back.
    pub reverses: Option<String>,
    /// The event that took it back.
    pub reversed_by: Option<String>,
}

fn from_row(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        source: row.text("source")?,
        id: row.text("event_id")?,
        kind: row.text("event_type")?,
        subject: row.text("subject")?,
        at: row.at("occurred_at")?,
        ingested_at: row.at("ingested_at")?,
        data: row.text("data")?,
        problem: row.opt_text("problem")?,
        reverses: row.opt_text("reverses")?,
        reversed_by: row.opt_text("reversed_by")?,
    })
}

/// The values of a row of [`INSERT`] behind the seller and the instant.
fn values(event: &Event, problem: Option<&String>, now: Timestamp) -> [Value; 8] {
    [
        event.source.as_str().into(),
        event.id.as_str().into(),
        event.kind.as_str().into(),
        event.subject.as_str().into(),
        event.at.unwrap_or(now).into(),
        event.data.as_str().into(),
        problem.cloned().into(),
        event.reverses.clone().into(),
    ]
}

/// Stores those that aren't stored yet; answers their sources and ids.
pub fn insert_events(
    cx: &mut Cx<'_>,
    seller: AccountId,
    events: &[(&Event, Option<String>)],
) -> Result<HashSet<(String, String)>, StoreError> {
    let mut stored = HashSet::with_capacity(events.len());
    let now = cx.now;
    let shared = [("seller", seller.as_bytes().into()), ("now", now.into())];
    for chunk in events.chunks(CHUNK) {
        let values =
            |(event, problem): &(&Event, Option<String>)| values(event, problem.as_ref(), now);
        for row in rows::values(cx.tx, INSERT, &shared, chunk.iter().map(values))? {
            stored.insert((row.text("source")?, row.text("event_id")?));
        }
    }
    Ok(stored)
}

/// One event by its key.
pub fn event(
    tx: &mut dyn Tx,
    seller: AccountId,
    (source, id): (&str, &str),
) -> Result<Option<EventRow>, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("source", source.into()),
        ("event", id.into()),
    ];
    tx.query_one(EVENT, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Notes that an event was taken back; false when it had been before.
pub fn mark_reversed(
    tx: &mut dyn Tx,
    seller: AccountId,
    (source, id): (&str, &str),
    by: &str,
) -> Result<bool, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("source", source.into()),
        ("event", id.into()),
        ("by", by.into()),
    ];
    Ok(tx.execute(MARK_REVERSED, &params)? == 1)
}

/// The events of a type and subject that count, of one stretch of time, that arrived since.
pub fn events_within(
    tx: &mut dyn Tx,
    (seller, kind, subject): (AccountId, &str, &str),
    (start, until): (i64, i64),
    since: Timestamp,
) -> Result<Vec<EventRow>, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("start", start.into()),
        ("until", until.into()),
        ("event_type", kind.into()),
        ("subject", subject.into()),
        ("since", since.into()),
    ];
    tx.query(WITHIN, &params)?.iter().map(from_row).collect()
}

/// Which events are listed.
#[derive(Debug, Clone)]
pub struct Filter {
    /// From when they happened, in milliseconds.
    pub from: i64,
    /// Until when.
    pub until: i64,
    /// Whose.
    pub subject: Option<String>,
    /// Of which type.
    pub kind: Option<String>,
    /// With which id.
    pub id: Option<String>,
    /// When they arrived.
    pub ingested: (i64, i64),
    /// How many at most.
    pub limit: i64,
    /// How many to leave out first.
    pub skip: i64,
}

/// A seller's events, those that happened last first.
pub fn events(
    tx: &mut dyn Tx,
    seller: AccountId,
    filter: &Filter,
) -> Result<Vec<EventRow>, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("start", filter.from.into()),
        ("until", filter.until.into()),
        ("subject", filter.subject.clone().into()),
        ("event_type", filter.kind.clone().into()),
        ("event", filter.id.clone().into()),
        ("ingested_start", filter.ingested.0.into()),
        ("ingested_until", filter.ingested.1.into()),
        ("limit", filter.limit.into()),
        ("skip", filter.skip.into()),
    ];
    tx.query(LIST, &params)?.iter().map(from_row).collect()
}
