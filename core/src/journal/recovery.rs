//! What is believed when a folder is opened, and how a new epoch begins.

use std::sync::atomic::Ordering;

use super::counters::{Counters, Mark};
use super::device::Renewal;
use super::session::Inner;
use super::store::{CellRow, Cells, Store, StreamRow};
use super::{CURRENT_STREAM, CellKind, Damage, HANDED_OVER, LEFT, NO_STREAM, Slot, stream_of};
use crate::error::{Error, Result};
use crate::meter::{
    CellKey, ClosedTotal, Condition, GENESIS, IncidentKind, Opening, OpeningReason, Segment,
    TimeQuality, seal_segment,
};
use crate::time::Timestamp;

/// The stream that is being continued, if any.
pub(super) fn current_stream(store: &Store) -> Result<Option<StreamRow>> {
    let Some(bytes) = store.state(CURRENT_STREAM)? else {
        return Ok(None);
    };
    let row = store.stream(stream_of(bytes)?)?;
    row.map(Some)
        .ok_or_else(|| super::damaged("the usage stream is missing"))
}

/// Names a power cut, and has the disk know that counting goes on, before it does.
pub(super) fn after_power(
    counters: &Counters,
    boot: Option<[u8; 16]>,
    damage: &mut Vec<Damage>,
) -> Result<()> {
    let Some(boot) = boot else {
        return Ok(());
    };
    if counters.begin_boot(boot)? {
        damage.push(Damage::PowerLost);
    }
    Ok(())
}

/// Has the next segment say what was damaged.
pub(super) fn note(counters: &Counters, damage: &[Damage], now: Timestamp) {
    for found in damage {
        let kind = match found {
            Damage::PowerLost => IncidentKind::PowerLost,
            Damage::CountersMissing
            | Damage::CountersUnreadable
            | Damage::CellUnreadable { .. }
            | Damage::CellBehind { .. } => IncidentKind::CountersDamaged,
            _ => continue,
        };
        counters.note(kind, now);
    }
}

/// Holds counters and journal against each other, and puts right what differs.
pub(super) fn reconcile(
    inner: &mut Inner,
    counters: &Counters,
    damage: &mut Vec<Damage>,
) -> Result<()> {
    raise_durable(&inner.store, counters, damage)?;
    let mark = counters.mark();
    let Some(row) = inner.stream.clone() else {
        if mark != Mark::START {
            damage.push(Damage::JournalMissing);
            forget_unreported(inner, counters)?;
            counters.set_mark(&Mark::START);
        }
        return Ok(());
    };
    raise_cells(inner, counters, damage)?;
    if mark == row.mark() {
        return Ok(());
    }
    let marked = crate::id::StreamId::from_bytes(mark.stream);
    let known = inner.store.hash(marked, mark.epoch, mark.seq)?;
    let left = inner.store.state(LEFT)?.as_deref() == Some(&mark.to_bytes()[..]);
    if mark.seq == 0 || known == Some(mark.head) || left {
        // The journal is ahead: the process ended between its commit and the mark.
        counters.set_mark(&row.mark());
        return Ok(());
    }
    let same_epoch = marked == row.stream && mark.epoch == row.epoch;
    // Within one epoch the counters are whole, and the server can tell what is owed. Across
    // epochs their beginnings are unknown: nothing may be billed by itself.
    let reason = if same_epoch {
        OpeningReason::Recovered
    } else {
        OpeningReason::Forked
    };
    let epoch = mark.epoch.max(row.epoch) + 1;
    begin_epoch(inner, counters, epoch, reason, row_time(inner)?)?;
    damage.push(Damage::JournalBehind { new_epoch: epoch });
    Ok(())
}

fn row_time(inner: &Inner) -> Result<Timestamp> {
    Ok(super::kept_clock(&inner.store)?.floor())
}

/// Raises every cell that lies behind what was sealed of it, and makes those that are missing.
fn raise_cells(inner: &Inner, counters: &Counters, damage: &mut Vec<Damage>) -> Result<()> {
    let slots = count_slots(counters, damage);
    for found in &*damage {
        if let Damage::CellUnreadable { slot } = found {
            counters.retire(*slot);
        }
    }
    for (key, row) in &inner.cells {
        let slot = match slots.iter().find(|(known, _)| known == key) {
            Some(&(_, slot)) => slot,
            None => counters.find_or_insert(CellKind::Count, key)?,
        };
        let found = counters.value(slot).fetch_max(row.sealed, Ordering::SeqCst);
        if found < row.sealed {
            damage.push(Damage::CellBehind {
                meter: CellKey::from_bytes(key)?.meter().to_owned(),
                units: row.sealed - found,
            });
        }
    }
    Ok(())
}

/// Raises every cell to what was acknowledged of it as durable.
fn raise_durable(store: &Store, counters: &Counters, damage: &mut Vec<Damage>) -> Result<()> {
    for (kind, key, value) in store.durable()? {
        let slot = counters.find_or_insert(kind, &key)?;
        let found = counters.value(slot).fetch_max(value, Ordering::SeqCst);
        if found < value && kind == CellKind::Count {
            damage.push(Damage::CellBehind {
                meter: CellKey::from_bytes(&key)?.meter().to_owned(),
                units: value - found,
            });
        }
    }
    Ok(())
}

/// With the journal gone nobody knows what was reported: counting goes on from here, so that no
/// unit is billed twice.
fn forget_unreported(inner: &mut Inner, counters: &Counters) -> Result<()> {
    let cells = all_reported(counters);
    let known = &inner.cells;
    inner.store.write(|tx| tx.cells(NO_STREAM, known, &cells))?;
    inner.cells.extend(cells);
    Ok(())
}

/// A new device takes over the folder. It counts on from here, so that no unit is billed twice,
/// and says nothing in the name of the one before, not even what that one had sealed: where the
/// folder was copied, that one says it itself.
pub(super) fn hand_over(inner: &mut Inner, counters: &Counters, renewal: &Renewal) -> Result<()> {
    let mut given_up = Vec::new();
    for stream in inner.store.unsent()? {
        let row = inner.store.stream(stream)?;
        given_up.extend(row.map(|row| StreamRow {
            send: row.seq + 1,
            ..row
        }));
    }
    let known = inner.store.cells(NO_STREAM)?;
    let cells = all_reported(counters);
    let (record_name, record) = renewal.record();
    inner.store.write(|tx| {
        tx.state(record_name, &record)?;
        tx.state(HANDED_OVER, &[1])?;
        tx.clear(CURRENT_STREAM)?;
        given_up.iter().try_for_each(|row| tx.stream(row))?;
        tx.cells(NO_STREAM, &known, &cells)
    })?;
    counters.set_mark(&Mark::START);
    inner.stream = None;
    inner.cells = known;
    inner.cells.extend(cells);
    Ok(())
}

fn all_reported(counters: &Counters) -> Cells {
    let slots = count_slots(counters, &mut Vec::new()).into_iter();
    slots
        .map(|(key, slot)| (key, CellRow::reported(read(counters, slot))))
        .collect()
}

/// The key and place of every count cell that can be read.
pub(super) fn count_slots(counters: &Counters, damage: &mut Vec<Damage>) -> Vec<(Vec<u8>, Slot)> {
    let published = counters.published(damage).into_iter();
    published
        .filter(|(_, kind, _)| *kind == CellKind::Count)
        .map(|(slot, _, key)| (key, slot))
        .collect()
}

/// Closes the epoch and seals the first segment of `epoch`, which says what was left open.
pub(super) fn begin_epoch(
    inner: &mut Inner,
    counters: &Counters,
    epoch: u64,
    reason: OpeningReason,
    now: Timestamp,
) -> Result<()> {
    let row = inner
        .stream
        .clone()
        .ok_or_else(|| Error::new("not_activated", "there is no usage stream to begin again"))?;
    // Whether the server took the opening of the epoch that ends here is not known. If it did,
    // billing by another would bill twice: what has no receipt is left for people to settle.
    let unheard = row.epoch > 1 && row.acked == 0;
    let reason = if unheard {
        OpeningReason::Forked
    } else {
        reason
    };
    let mut closed = Vec::new();
    let mut cells = Cells::new();
    for (key, slot) in count_slots(counters, &mut Vec::new()) {
        let value = read(counters, slot);
        let known = inner.cells.get(&key).copied().unwrap_or_default();
        // What a server may have lost with a backup is told again: it knows what it has of it.
        let told = match reason {
            OpeningReason::Recovered => value > known.base,
            OpeningReason::Forked => value > known.acked,
        };
        if told {
            closed.push(ClosedTotal {
                key: CellKey::from_bytes(&key)?,
                acknowledged: known.acked.saturating_sub(known.base),
                counted: value.saturating_sub(match unheard {
                    true => known.acked.min(known.base),
                    false => known.base,
                }),
            });
        }
        cells.insert(
            key,
            CellRow {
                base: value,
                sealed: value,
                acked: known.acked,
            },
        );
    }
    closed.sort_by(|a, b| a.key.cmp(&b.key));
    let segment = Segment {
        product: row.product.clone(),
        device: *inner.device.public(),
        license: row.license,
        stream: row.stream,
        epoch,
        seq: 1,
        prev: GENESIS,
        totals: Vec::new(),
        sealed_at: now,
        time_quality: TimeQuality::Unknown,
        opening: Some(Opening {
            reason,
            closed_epoch: row.epoch,
            closed,
        }),
        events: Vec::new(),
        disputed_events: Vec::new(),
        condition: Condition {
            salt: super::sealing::salt(),
            ..Condition::default()
        },
    };
    let bytes = seal_segment(&segment, &inner.device)?;
    let head = crate::meter::chain_hash(&bytes);
    let next = StreamRow {
        epoch,
        seq: 1,
        head,
        acked: 0,
        send: 1,
        ..row
    };
    inner.commit_segment(counters, next, &bytes, cells, |tx, row| {
        tx.events_again(row.stream, reason == OpeningReason::Forked)
    })
}

/// The word of a cell, within what the journal can hold.
pub(super) fn word(counters: &Counters, kind: CellKind, slot: Slot) -> u64 {
    match kind {
        CellKind::Count => read(counters, slot),
        CellKind::Allowance => counters.value(slot).load(Ordering::SeqCst),
    }
}

pub(super) fn read(counters: &Counters, slot: Slot) -> u64 {
    counters
        .value(slot)
        .load(Ordering::SeqCst)
        .min(crate::meter::MAX_TOTAL)
}
