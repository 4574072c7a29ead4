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
use std::collections::{BTreeMap, HashMap};

/// Requests that may wait: a question reads them all.
const MAX_BATCHES: i64 = 64;
/// Bytes of their minutes: some twenty thousand.
const MAX_BYTES: i64 = 1 << 20;

/// How each meter adds up.
type How = HashMap<MeterId, Aggregation>;

/// Roll-ups of one width.
pub(super) type Cells = BTreeMap<Minute, Cell>;

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
    minutes: &Cells,
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
    for grain in Grain::ALL {
        let mut cells = Cells::new();
        for ((meter, group, at), cell) in &minutes {
            let start = grain.start(*at);
            add(
                &mut cells,
                &how,
                ((*meter, *group, start), cell),
                at - start,
            )?;
        }
        add_to_stored(cx.tx, grain, cells, &how)?;
    }
    Ok(())
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
        for (minute, cell) in waiting::read(state, how).map_err(|_| broken())? {
            add(&mut minutes, how, (minute, &cell), 0)?;
        }
    }
    Ok(minutes)
}

/// Adds a roll-up that begins `later` milliseconds after the one it goes to.
fn add(
    cells: &mut Cells,
    how: &How,
    (key, part): (Minute, &Cell),
    later: i64,
) -> Result<(), MeterError> {
    let Some(aggregation) = how.get(&key.0) else {
        return Ok(());
    };
    let empty = || Cell::empty(*aggregation);
    Ok(cells.entry(key).or_insert_with(empty).merge(part, later)?)
}

/// Adds roll-ups of one width to the stored ones, in the order of the key: neighbours are read and
/// written together.
fn add_to_stored(
    tx: &mut dyn Tx,
    grain: Grain,
    mut cells: Cells,
    how: &How,
) -> Result<(), MeterError> {
    let wanted: Vec<Minute> = cells.keys().copied().collect();
    for run in wanted.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1)) {
        let Some((meter, group, _)) = run.first() else {
            continue;
        };
        let times: Vec<i64> = run.iter().map(|(_, _, at)| *at).collect();
        for (at, state) in sql::cells_at(tx, (*meter, grain, *group), &times)? {
            let (Some(cell), Some(aggregation)) =
                (cells.get_mut(&(*meter, *group, at)), how.get(meter))
            else {
                continue;
            };
            cell.merge(
                &Cell::from_bytes(*aggregation, &state).map_err(|_| broken())?,
                0,
            )?;
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
    Ok(sql::put_cells(tx, &rows.collect::<Vec<_>>())?)
}
