//! What devices carry in segments, counted beside events: in the commit that accepts a segment.
//!
//! A device's counts are units that sums add up; its events are stored like all events, told apart
//! by their stream and id, and are what the other aggregations look at. Bills are made of the counts
//! by [`metering`]; nothing here adds to them.

use super::super::model::MeterError;
use super::super::model::event::Event;
use super::super::model::meter::{Aggregation, Draft, Meter};
use super::super::sql::{self, Group};
use super::ingest::device_group_key;
use super::tally::{ByKind, Groups, Tally};
use crate::app::Cx;
use crate::domains::metering::{self, AcceptSegment, Answer, Carried, MeteringError};
use mintreu::Timestamp;
use mintreu::id::StreamId;
use mintreu::meter::CellKey;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};

/// The property that has an event's value.
const VALUE: &str = "value";
/// The property that has a cell's subject.
const SUBJECT: &str = "subject";

/// Accepts a segment, and counts what it carried by its seller's meters.
pub fn accept_segment(cx: &mut Cx<'_>, command: &AcceptSegment) -> Result<Answer, MeteringError> {
    let (answer, carried) = metering::accept_segment(cx, command)?;
    if let Some(carried) = carried {
        count(cx, &carried).map_err(|error| match error {
            MeterError::Store(error) => MeteringError::Store(error),
            MeterError::Metering(error) => error,
            _ => MeteringError::Implausible,
        })?;
    }
    Ok(answer)
}

/// Whether an event came in a segment; its source is the stream.
pub(super) fn is_carried(source: &str) -> bool {
    StreamId::parse(source).is_ok()
}

/// Whether a meter adds units up, and so looks at a device's counts and not at its events.
pub(super) fn adds_units(draft: &Draft) -> bool {
    matches!(draft.aggregation, Aggregation::Count | Aggregation::Sum)
}

/// Whether a device's meter of that name is what the seller's one measures.
fn measures(draft: &Draft, carried: &Carried, name: &str) -> bool {
    adds_units(draft)
        && match draft.product {
            Some(product) => product == carried.product && draft.slug == name,
            None => draft.event_type == name,
        }
}

fn count(cx: &mut Cx<'_>, carried: &Carried) -> Result<(), MeterError> {
    if carried.units.is_empty() && carried.events.is_empty() {
        return Ok(());
    }
    let meters = sql::meters(cx.tx, cx.caller.tenant, carried.seller)?;
    let mut tally = Tally::new(carried.seller, &meters, Groups::default(), cx.now);
    for (key, units) in &carried.units {
        let measure = |(_, meter): &(usize, &Meter)| measures(&meter.draft, carried, key.meter());
        for (place, meter) in meters.iter().enumerate().filter(measure) {
            // A value that is too long to group by can't be told apart, as in an event.
            if let Some(group) = group(&meter.draft, carried, key) {
                tally.count_units(place, (*units, carried.at), group)?;
            }
        }
    }
    // A device that names two events alike has counted one.
    let mut ids = HashSet::new();
    let events: Vec<Event> = carried
        .events
        .iter()
        .filter(|(_, event)| ids.insert(event.id()))
        .filter_map(|(at, event)| as_event(carried, *at, event))
        .collect();
    let by_kind = ByKind::new(&meters);
    let says = tally.look_all(&by_kind, &events);
    let rows = events.iter().zip(&says);
    let rows = rows.map(|(event, said)| (event, said.problem.as_deref()));
    let before = sql::insert_events(cx, carried.seller, &rows.collect::<Vec<_>>())?;
    for (said, _) in says
        .iter()
        .zip(before)
        .filter(|(_, before)| before.is_none())
    {
        tally.count(said)?;
    }
    tally.drop_overfull(cx)?;
    tally.store(cx)
}

/// A cell's dimensions as an event's properties, and its subject among them.
fn properties(key: &CellKey) -> BTreeMap<String, String> {
    let mut properties: BTreeMap<_, _> = key.dimensions().iter().cloned().collect();
    if !key.subject_id().is_empty() {
        let subject = key.subject_id().to_owned();
        properties.entry(SUBJECT.to_owned()).or_insert(subject);
    }
    properties
}

fn blank(carried: &Carried, id: &str, (kind, at): (&str, Timestamp)) -> Event {
    Event {
        source: carried.stream.to_string(),
        id: id.to_owned(),
        kind: kind.to_owned(),
        subject: carried.license.to_string(),
        at: Some(at),
        data: String::new(),
        leaves: BTreeMap::new(),
        reverses: None,
    }
}

/// The group that a cell's units go to: of devices alone, so that to count a minute of events anew
/// leaves it alone.
fn group(draft: &Draft, carried: &Carried, key: &CellKey) -> Option<Group> {
    let texts = properties(key).into_iter();
    let leaves = texts.map(|(name, text)| (name, super::super::model::event::Leaf::Text(text)));
    let event = Event {
        leaves: leaves.collect(),
        ..blank(carried, "", (key.meter(), carried.at))
    };
    let dimensions = draft.dimensions(&event).ok()?;
    Some(Group {
        key: device_group_key(&event.subject, &dimensions),
        subject: event.subject,
        dimensions,
    })
}

/// A device's event as all others are. One that breaks their limits is left out: the segment that
/// carried it is kept.
fn as_event(carried: &Carried, at: Timestamp, event: &mintreu::meter::Event) -> Option<Event> {
    let raw = |text: String| RawValue::from_string(text).ok();
    let mut data: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
    for (name, text) in properties(event.key()) {
        data.insert(name, raw(serde_json::to_string(&text).ok()?)?);
    }
    data.insert(VALUE.to_owned(), raw(event.value().to_string())?);
    let data = raw(serde_json::to_string(&data).ok()?)?;
    let read = blank(carried, event.id(), (event.key().meter(), at)).with_data(Some(&data), at);
    if let Err(error) = &read {
        tracing::warn!(stream = %carried.stream, %error, "a device's event is left out");
    }
    read.ok()
}
