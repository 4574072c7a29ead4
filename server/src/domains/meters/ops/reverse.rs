//! Corrections: an event takes back another one, and both stay.

use super::super::model::MeterError;
use super::super::model::cell::Cell;
use super::super::model::decimal::Decimal;
use super::super::model::event::Event;
use super::super::model::meter::Meter;
use super::super::model::window::Grain;
use super::super::sql::{self, Bucket, EventRow, Group};
use super::devices::{adds_units, is_carried};
use super::ingest::{Outcome, bill, billed, broken, read, stored_before};
use crate::app::Cx;
use mintreu::id::AccountId;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Stores the reversal and counts anew the minute, hour and day of what it takes back.
pub(super) fn take_back(
    cx: &mut Cx<'_>,
    seller: AccountId,
    meters: &[Meter],
    reversal: &Event,
) -> Result<Outcome, MeterError> {
    let of = reversal.reverses.as_deref().unwrap_or_default();
    let key = (reversal.source.as_str(), of);
    if let Some(stored) = sql::event(cx.tx, seller, (&reversal.source, &reversal.id))? {
        return Ok(stored_before(reversal, &stored));
    }
    let Some(original) = sql::event(cx.tx, seller, key)? else {
        return Ok(Outcome::NothingToReverse);
    };
    let is_free =
        original.reverses.is_none() && sql::mark_reversed(cx.tx, seller, &original, &reversal.id)?;
    if !is_free {
        return Ok(Outcome::ReversedBefore);
    }
    let stored = Event {
        kind: original.kind.clone(),
        subject: original.subject.clone(),
        at: Some(original.at),
        data: String::new(),
        ..reversal.clone()
    };
    sql::insert_events(cx, seller, &[(&stored, None)])?;
    let event = as_event(&original)?;
    let counted = meters.iter().filter(|meter| {
        meter.draft.event_type == original.kind
            && meter.created_at <= original.ingested_at
            && !(is_carried(&original.source) && adds_units(&meter.draft))
    });
    for meter in counted {
        let Ok((reading, group)) = read(&meter.draft, &event, original.ingested_at) else {
            continue;
        };
        recount(cx, seller, meter, (&group, reading.at))?;
        if meter.draft.product.is_some() {
            let less = Decimal::from_raw(-billed(meter, &reading).raw());
            let by_time = BTreeMap::from([(original.at.ms(), less)]);
            bill(cx, meter, &original.subject, &by_time)?;
        }
    }
    Ok(Outcome::Accepted { problem: None })
}

/// A stored event as it came in.
fn as_event(row: &EventRow) -> Result<Event, MeterError> {
    let event = Event {
        source: row.source.clone(),
        id: row.id.clone(),
        kind: row.kind.clone(),
        subject: row.subject.clone(),
        at: Some(row.at),
        data: String::new(),
        leaves: Default::default(),
        reverses: None,
    };
    if row.data.is_empty() {
        return Ok(event);
    }
    let data = RawValue::from_string(row.data.clone()).map_err(|_| broken())?;
    Ok(event.with_data(Some(&data), row.at).map_err(|_| broken())?)
}

/// Counts a group's minute from its events, the hour from its minutes and the day from its hours.
fn recount(
    cx: &mut Cx<'_>,
    seller: AccountId,
    meter: &Meter,
    (group, at): (&Group, i64),
) -> Result<(), MeterError> {
    let aggregation = meter.draft.aggregation;
    let start = Grain::Minute.start(at);
    let mut minute = Cell::empty(aggregation);
    let whose = (
        seller,
        meter.draft.event_type.as_str(),
        group.subject.as_str(),
    );
    let span = (start, start + Grain::Minute.ms());
    for row in sql::events_within(cx.tx, whose, span, meter.created_at)? {
        if is_carried(&row.source) && adds_units(&meter.draft) {
            continue;
        }
        let read = read(&meter.draft, &as_event(&row)?, row.ingested_at);
        if let Ok((reading, found)) = read
            && found.key == group.key
        {
            minute.add(&reading, start)?;
        }
    }
    let bucket = |grain: Grain| Bucket {
        meter: meter.id,
        grain,
        at: grain.start(at),
        group: group.key,
    };
    store(cx, &bucket(Grain::Minute), &minute)?;
    for (finer, grain) in [(Grain::Minute, Grain::Hour), (Grain::Hour, Grain::Day)] {
        let wide = bucket(grain);
        let stretch = super::super::model::window::Stretch {
            grain: finer,
            span: super::super::model::window::Span {
                from: wide.at,
                until: wide.at + grain.ms(),
            },
        };
        let mut whole = Cell::empty(aggregation);
        for (_, at, state) in sql::cells_of_group(cx.tx, (meter.id, group.key), stretch, 60)? {
            let part = Cell::from_bytes(aggregation, &state).map_err(|_| broken())?;
            whole.merge(&part, at - wide.at)?;
        }
        store(cx, &wide, &whole)?;
    }
    Ok(())
}

fn store(cx: &mut Cx<'_>, bucket: &Bucket, cell: &Cell) -> Result<(), MeterError> {
    if cell.is_empty() {
        return Ok(sql::delete_cell(cx.tx, bucket)?);
    }
    let row = (*bucket, cell.to_bytes());
    Ok(sql::put_cells(cx.tx, std::iter::once(row))?)
}
