//! The statements of the outbox.

use super::Event;
use crate::app::Cx;
use crate::store::StoreError;
use mintreu::id::EventId;

const INSERT: &str = "INSERT INTO event (event_id, tenant_id, kind, subject, data, happened_at)
    VALUES (:event, :tenant, :kind, :subject, :data, :now)";

const FIND: &str = "SELECT event_id, kind, subject, data, happened_at FROM event
    WHERE tenant_id = :tenant AND event_id = :event";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, FIND];

pub(super) fn insert(
    cx: &mut Cx<'_>,
    event_id: EventId,
    kind: &str,
    subject: &str,
    data: String,
) -> Result<(), StoreError> {
    let params = [
        ("event", event_id.as_bytes().into()),
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("kind", kind.into()),
        ("subject", subject.into()),
        ("data", data.into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

pub(super) fn find(cx: &mut Cx<'_>, event_id: EventId) -> Result<Option<Event>, StoreError> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("event", event_id.as_bytes().into()),
    ];
    let Some(row) = cx.tx.query_one(FIND, &params)? else {
        return Ok(None);
    };
    let data = serde_json::from_str(&row.text("data")?);
    Ok(Some(Event {
        event_id: row.id("event_id", EventId::from_bytes)?,
        kind: row.text("kind")?,
        subject: row.text("subject")?,
        data: data.map_err(|error| StoreError::Backend(Box::new(error)))?,
        happened_at: row.at("happened_at")?,
    }))
}
