//! Roll-ups: each request's minutes wait in one row, and are added to the stored minutes, hours and
//! days when there is enough of them. So a minute that a thousand requests count in is written once
//! and not a thousand times; what waits is part of every answer.

use super::super::model::MeterError;
use super::super::model::cell::Cell;
use super::super::model::meter::{Aggregation, Meter};
use super::super::model::waiting::{self, Minute};
use super::super::model::window::Grain;
use super::super::sql::{self, Bucket};
use super::ingest::broken;
use crate::app::Cx;
use crate::store::Tx;
use mintreu::id::{AccountId, MeterId};
use std::collections::HashMap;

/// Requests that may wait: a question reads them all.
const MAX_BATCHES: i64 = 64;
/// Bytes of their minutes: some eighty thousand.
const MAX_BYTES: i64 = 4 << 20;

/// How each meter adds up.
type How = HashMap<MeterId, Aggregation>;

/// Roll-ups of one width, each once, in the order of their keys.
pub(super) type Cells = Vec<(Minute, Cell)>;

fn aggregations(meters: &[Meter]) -> How {
    let meters = meters.iter();
    meters
        .map(|meter| (meter.id, meter.draft.aggregation))
        .collect()
}

/// Lets minutes wait; adds all that wait to what is stored when it is enough.
pub(super) fn append(
    cx: &mut Cx<'_>,
    seller: AccountId,
    meters: &[Meter],
    minutes: &[(Minute, Cell)],
) -> Result<(), MeterError> {
    if minutes.is_empty() {
        return Ok(());
    }
    let before = sql::waiting(cx.tx, seller)?;
    let state = waiting::write(minutes);
    let bytes = before.bytes + state.len() as i64;
    sql::append_waiting(cx.tx, (seller, before.last + 1), state)?;
    match before.batches + 1 >= MAX_BATCHES || bytes >= MAX_BYTES {
        true => roll_up(cx, seller, meters),
        false => Ok(()),
    }
}

/// Adds all that waits to what is stored.
pub(super) fn roll_up(
    cx: &mut Cx<'_>,
    seller: AccountId,
    meters: &[Meter],
) -> Result<(), MeterError> {
    let how = aggregations(meters);
    let states = sql::take_waiting(cx.tx, seller)?;
    let minutes = merged(&states, &how)?;
    let hours = widened(&minutes, Grain::Hour, &how)?;
    let days = widened(&hours, Grain::Day, &how)?;
    add_to_stored(cx.tx, (Grain::Minute, minutes), &how)?;
    add_to_stored(cx.tx, (Grain::Hour, hours), &how)?;
    add_to_stored(cx.tx, (Grain::Day, days), &how)
}

/// What waits of one meter.
pub(super) fn waiting_of(
    tx: &mut dyn Tx,
    seller: AccountId,
    meter: &Meter,
) -> Result<Cells, MeterError> {
    let states = sql::waiting_states(tx, seller)?;
    merged(&states, &aggregations(std::slice::from_ref(meter)))
}

fn merged(states: &[Vec<u8>], how: &How) -> Result<Cells, MeterError> {
    let mut minutes = Cells::new();
    for state in states {
        minutes.extend(waiting::read(state, how).map_err(|_| broken())?);
    }
    minutes.sort_by_key(|(minute, _)| *minute);
    widened(&minutes, Grain::Minute, how)
}

/// Adds neighbours in time up to roll-ups of a grain. They are in the order of their keys, and so are
/// those they come to.
fn widened(fine: &[(Minute, Cell)], grain: Grain, how: &How) -> Result<Cells, MeterError> {
    let mut wide = Cells::new();
    for ((meter, group, at), cell) in fine {
        let Some(aggregation) = how.get(meter) else {
            continue;
        };
        let key = (*meter, *group, grain.start(*at));
        if wide.last().is_none_or(|(last, _)| *last != key) {
            wide.push((key, Cell::empty(*aggregation)));
        }
        if let Some((_, whole)) = wide.last_mut() {
            whole.merge(cell, at - key.2)?;
        }
    }
    Ok(wide)
}

/// Adds roll-ups of one width to the stored ones, in the order of the key: neighbours are read and
/// written together.
fn add_to_stored(
    tx: &mut dyn Tx,
    (grain, mut cells): (Grain, Cells),
    how: &How,
) -> Result<(), MeterError> {
    for run in cells.chunk_by_mut(|(one, _), (next, _)| (one.0, one.1) == (next.0, next.1)) {
        let Some(((meter, group, _), _)) = run.first() else {
            continue;
        };
        let (of, aggregation) = ((*meter, grain, *group), how.get(meter));
        let times: Vec<i64> = run.iter().map(|((_, _, at), _)| *at).collect();
        for (at, state) in sql::cells_at(tx, of, &times)? {
            let (Ok(place), Some(aggregation)) = (times.binary_search(&at), aggregation) else {
                continue;
            };
            let stored = Cell::from_bytes(*aggregation, &state).map_err(|_| broken())?;
            run[place].1.merge(&stored, 0)?;
        }
    }
    let rows = cells.into_iter().map(|((meter, group, at), cell)| {
        let bucket = Bucket {
            meter,
            grain,
            group,
            at,
        };
        (bucket, cell.to_bytes())
    });
    Ok(sql::put_cells(tx, rows)?)
}
