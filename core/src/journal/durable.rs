//! Counts and events that are on the disk before their call returns: many callers, one commit.
//!
//! Whoever comes first while nobody writes becomes the leader and writes for all that came so far;
//! the others wait. Counts are cumulative, so that however many callers added to a cell, one row
//! is written for it.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use super::counters::{CellKind, Slot};
use super::{CellHandle, Journal, NO_STREAM, recovery};
use crate::error::{Error, Result};
use crate::meter::Event;
use crate::time::Timestamp;

/// The most events that wait to be acknowledged, by the span of their numbers.
const MAX_WAITING: i64 = 200_000;

/// Those who wait for the next commit.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<State>,
    written: Condvar,
}

#[derive(Default)]
struct State {
    next: Batch,
    outcome: Arc<OnceLock<Result<()>>>,
    leading: bool,
}

/// What one commit writes.
#[derive(Default)]
struct Batch {
    cells: HashSet<(CellKind, Slot)>,
    events: Vec<Event>,
}

impl Group {
    /// In a child after `fork`: nobody leads here.
    pub fn reset(&self) {
        if let Ok(mut state) = self.state.try_lock() {
            *state = State::default();
        }
    }
}

impl Journal {
    /// Returns once what these cells have counted by now is on the disk.
    ///
    /// On an error they have counted all the same, and only a power cut can lose it.
    pub fn settle(&self, cells: &[(CellKind, CellHandle)]) -> Result<()> {
        let places = cells.iter().map(|(kind, cell)| (*kind, cell.slot));
        self.commit(|batch| batch.cells.extend(places))
    }

    /// Returns once these events are on the disk; those whose ids wait there already stay as they
    /// are. `events_full` when too many wait to be acknowledged.
    pub fn keep_events(&self, events: &[Event]) -> Result<()> {
        self.commit(|batch| batch.events.extend_from_slice(events))
    }

    fn commit(&self, join: impl FnOnce(&mut Batch)) -> Result<()> {
        // A child after `fork` makes the file, and this group, its own first.
        drop(self.own()?);
        let mut state = self
            .group
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        join(&mut state.next);
        let outcome = Arc::clone(&state.outcome);
        loop {
            if let Some(outcome) = outcome.get() {
                return outcome.clone();
            }
            if state.leading {
                state = self
                    .group
                    .written
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let batch = std::mem::take(&mut state.next);
            let ours = std::mem::take(&mut state.outcome);
            state.leading = true;
            drop(state);
            let written = self.write(&batch);
            state = self
                .group
                .state
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            state.leading = false;
            // Only the leader of a batch sets its outcome, once.
            let _first = ours.set(written);
            self.group.written.notify_all();
        }
    }

    fn write(&self, batch: &Batch) -> Result<()> {
        let mut session = self.enter()?;
        let stream = session.stream.as_ref().map_or(NO_STREAM, |row| row.stream);
        let counters = &self.counters;
        session.store.write(|tx| {
            for &(kind, slot) in &batch.cells {
                if let Some(key) = counters.key(slot, kind) {
                    tx.durable(kind, &key, recovery::word(counters, kind, slot))?;
                }
            }
            if !batch.events.is_empty() && tx.waiting_events()? >= MAX_WAITING {
                return Err(events_full());
            }
            batch
                .events
                .iter()
                .try_for_each(|event| tx.event(stream, event))
        })
    }

    /// Writes every count to the disk and waits for it: then a power cut loses nothing.
    pub fn flush(&self) -> Result<()> {
        self.counters.flush()
    }

    /// The same, when something was counted since the last time. A failure is said in the next
    /// segment.
    pub fn flush_changes(&self) {
        if self.counters.flush_changes().is_err() {
            let kind = crate::meter::IncidentKind::WriteFailed;
            self.counters.note(kind, self.about_now());
        }
    }

    /// The latest instant that the folder knows of.
    pub(super) fn about_now(&self) -> Timestamp {
        self.counters
            .clock()
            .map_or(Timestamp::default(), |watch| watch.furthest())
    }
}

fn events_full() -> Error {
    Error::new(
        "events_full",
        format!("{MAX_WAITING} events wait to be acknowledged: sync before recording more"),
    )
}
