//! Sealing segments, and sending them in order.

use super::counters::{Counters, Mark};
use super::recovery::{count_slots, read};
use super::session::Inner;
use super::store::{CellRow, Cells, EventRow, StreamRow, Write};
use super::{Journal, LEFT};
use crate::error::Result;
use crate::meter::{
    CellKey, Compacted, Condition, Event, Incident, MAX_BATCH, MAX_EVENTS, Ran, Segment,
    TimeQuality, Total, chain_hash, seal_segment,
};
use crate::time::{Running, Timestamp};

/// The most bytes of totals and events in one segment, to stay below what a document may have.
const MAX_BODY: usize = 1_000_000;
/// So many segments that were never sent are put together into one.
const MAX_UNSENT: u64 = 512;
/// The name under which the instant of the last sealing is kept.
pub(super) const SEALED_AT: &str = "sealed at";

/// The instant a segment is sealed at, and how far it can be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealTime {
    pub at: Timestamp,
    pub quality: TimeQuality,
    pub running: Option<Running>,
}

/// Why a segment is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion {
    /// Something was counted or recorded.
    Usage,
    /// So many milliseconds without one: an empty one is sealed too.
    Heartbeat { after_ms: i64 },
    /// So many milliseconds without one, or as many events as fit: something must be new.
    Due { after_ms: i64 },
}

/// What the next segments carry.
struct Draft {
    row: StreamRow,
    totals: Vec<Total>,
    cells: Cells,
    compacted: Option<Compacted>,
}

/// What one cell has counted, and how far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellUsage {
    /// Whose use, of what meter, split how.
    pub key: CellKey,
    /// Units counted on this device since it began, over all epochs and licenses.
    pub counted: u64,
    /// Of these, units in sealed segments.
    pub sealed: u64,
    /// Of these, units the server has acknowledged.
    pub acknowledged: u64,
}

impl Journal {
    /// The sealed segment that is to be sent next, and whether it was sealed just now.
    ///
    /// Its bytes are on the disk before this returns and are the same each time.
    /// Where nothing was counted, a heartbeat is sealed after `heartbeat_ms`.
    pub fn next_segment(
        &self,
        time: SealTime,
        may_seal: bool,
        heartbeat_ms: i64,
    ) -> Result<Option<(Vec<u8>, bool)>> {
        let heartbeat = Occasion::Heartbeat {
            after_ms: heartbeat_ms,
        };
        let mut inner = self.turn()?;
        let mut sealed = false;
        loop {
            if let Some(row) = inner.unsent()? {
                match inner.store.segment(row.stream, row.epoch, row.send)? {
                    Some(bytes) => return Ok(Some((bytes, sealed))),
                    None => inner.cannot_resend(&self.counters, row, time.at)?,
                }
            } else if may_seal && inner.seal(&self.counters, time, heartbeat)? {
                sealed = true;
            } else {
                return Ok(None);
            }
        }
    }

    /// Seals what was counted when the last segment is `after_ms` old, or events fill one.
    pub fn seal_when_due(&self, time: SealTime, after_ms: i64) -> Result<bool> {
        // Most times nothing is due: whoever has the turn isn't disturbed for that.
        if !self.enter()?.is_due(time.at, after_ms)? {
            return Ok(false);
        }
        let due = Occasion::Due { after_ms };
        self.turn()?.seal(&self.counters, time, due)
    }

    /// What every cell has counted, in the order of the keys.
    pub fn usage(&self) -> Result<Vec<CellUsage>> {
        let inner = self.enter()?;
        let mut usage = Vec::new();
        for (key, slot) in count_slots(&self.counters, &mut Vec::new()) {
            let row = inner.cells.get(&key).copied().unwrap_or_default();
            usage.push(CellUsage {
                key: CellKey::from_bytes(&key)?,
                counted: read(&self.counters, slot),
                sealed: row.sealed,
                acknowledged: row.acked,
            });
        }
        usage.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(usage)
    }
}

impl Inner {
    /// The oldest stream with something to send.
    fn unsent(&self) -> Result<Option<StreamRow>> {
        match self.store.unsent()?.first() {
            Some(&stream) => self.store.stream(stream),
            None => Ok(None),
        }
    }

    pub(super) fn is_current(&self, row: &StreamRow) -> bool {
        self.stream
            .as_ref()
            .is_some_and(|current| current.stream == row.stream)
    }

    /// Seals what changed since the last segment; `false` when there was no occasion.
    pub(super) fn seal(
        &mut self,
        counters: &Counters,
        time: SealTime,
        occasion: Occasion,
    ) -> Result<bool> {
        let Some(row) = self.stream.clone() else {
            return Ok(false);
        };
        if let Occasion::Due { after_ms } = occasion
            && !self.is_due(time.at, after_ms)?
        {
            return Ok(false);
        }
        let mut draft = self.draft(counters, row)?;
        let incidents = counters.incidents();
        let mut events = self.store.events(draft.row.stream, draft.row.seq)?;
        let nothing = draft.totals.is_empty() && events.is_empty() && incidents.is_empty();
        let heartbeat = match occasion {
            Occasion::Heartbeat { after_ms } => self.since_sealed(time.at)? >= after_ms,
            _ => false,
        };
        if nothing && !heartbeat {
            return Ok(false);
        }
        self.seal_one(counters, time, &mut draft, (&incidents, &events))?;
        counters.said(&incidents);
        // What did not fit follows at once: the segment before is not sent without it.
        loop {
            events = self.store.events(draft.row.stream, draft.row.seq)?;
            if events.is_empty() {
                return Ok(true);
            }
            self.seal_one(counters, time, &mut draft, (&[], &events))?;
        }
    }

    /// The cells that changed. Where too many segments wait that were never sent, what those say
    /// is said again, in their place.
    fn draft(&self, counters: &Counters, row: StreamRow) -> Result<Draft> {
        // One request carries so many; whatever may have left is never said in other bytes.
        let left_the_device = row.send.max(row.acked + 1) + (MAX_BATCH as u64 - 1);
        let compact = row.seq.saturating_sub(left_the_device) >= MAX_UNSENT;
        let before = match compact {
            true => self.store.hash(row.stream, row.epoch, left_the_device)?,
            false => None,
        };
        let mut draft = Draft {
            totals: Vec::new(),
            cells: Cells::new(),
            compacted: before.map(|_| Compacted {
                segments: row.seq - left_the_device,
                head: row.head,
            }),
            row,
        };
        if let Some(head) = before {
            (draft.row.seq, draft.row.head) = (left_the_device, head);
        }
        for (key, slot) in count_slots(counters, &mut Vec::new()) {
            let value = read(counters, slot);
            let known = self.cells.get(&key).copied().unwrap_or_default();
            let said = match before {
                Some(_) => known.acked.max(known.base),
                None => known.sealed,
            };
            if value > said {
                draft.totals.push(Total {
                    key: CellKey::from_bytes(&key)?,
                    units: value - known.base,
                });
                let sealed = CellRow {
                    sealed: value,
                    ..known
                };
                draft.cells.insert(key, sealed);
            }
        }
        draft.totals.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(draft)
    }

    /// Seals one segment of a draft, which then goes on behind it.
    fn seal_one(
        &mut self,
        counters: &Counters,
        time: SealTime,
        draft: &mut Draft,
        (incidents, events): (&[Incident], &[EventRow]),
    ) -> Result<()> {
        let row = draft.row.clone();
        let totals = std::mem::take(&mut draft.totals);
        let room = MAX_BODY.saturating_sub(totals.iter().map(room_of).sum());
        let (events, disputed_events, ids) = fitting(events, room)?;
        let compacted = draft.compacted.take();
        let segment = Segment {
            product: row.product.clone(),
            device: *self.device.public(),
            license: row.license,
            stream: row.stream,
            epoch: row.epoch,
            seq: row.seq + 1,
            prev: row.head,
            totals,
            sealed_at: time.at,
            time_quality: time.quality,
            opening: None,
            events,
            disputed_events,
            condition: Condition {
                ran: time.running.map(|running| Ran::of(running, row.stream)),
                incidents: incidents.to_vec(),
                compacted,
                salt: salt(),
            },
        };
        let bytes = seal_segment(&segment, &self.device)?;
        let next = StreamRow {
            seq: segment.seq,
            head: chain_hash(&bytes),
            ..row
        };
        let cells = std::mem::take(&mut draft.cells);
        let left = self.stream.as_ref().map(StreamRow::mark);
        draft.row = next.clone();
        self.commit_segment(counters, next, &bytes, cells, |tx, next| {
            if let (Some(_), Some(left)) = (compacted, left) {
                tx.unseal(next, next.seq - 1)?;
                // The counters still name the segment that was the last.
                tx.state(LEFT, &left.to_bytes())?;
            }
            tx.seal_events(&ids, next.seq)?;
            tx.state(SEALED_AT, &time.at.ms().to_be_bytes())
        })
    }

    /// Writes a segment with all it changes in one transaction, then the mark outside it.
    pub(super) fn commit_segment(
        &mut self,
        counters: &Counters,
        row: StreamRow,
        bytes: &[u8],
        cells: Cells,
        more: impl FnOnce(&Write<'_>, &StreamRow) -> Result<()>,
    ) -> Result<()> {
        let known = &self.cells;
        self.store.write(|tx| {
            more(tx, &row)?;
            tx.segment(&row, bytes)?;
            tx.cells(row.stream, known, &cells)?;
            tx.stream(&row)
        })?;
        self.cells.extend(cells);
        counters.set_mark(&row.mark());
        self.stream = Some(row);
        Ok(())
    }

    fn is_due(&self, now: Timestamp, after_ms: i64) -> Result<bool> {
        let Some(row) = &self.stream else {
            return Ok(false);
        };
        let enough = MAX_EVENTS as i64;
        Ok(self.since_sealed(now)? >= after_ms
            || self.store.unsealed_events(row.stream, enough)? >= enough)
    }

    /// Milliseconds since the last sealing, whichever way the clock was set.
    fn since_sealed(&self, now: Timestamp) -> Result<i64> {
        let sealed = Timestamp::from_ms(self.store.number(SEALED_AT)?);
        Ok(now.since_ms(sealed).saturating_abs())
    }
}

impl StreamRow {
    pub(super) fn mark(&self) -> Mark {
        let (epoch, seq, head) = (self.epoch, self.seq, self.head);
        Mark {
            epoch,
            seq,
            head,
            stream: *self.stream.as_bytes(),
        }
    }
}

/// At most so many bytes of a segment.
fn room_of(total: &Total) -> usize {
    total.key.to_bytes().len() + 10
}

/// What tells this sealing from the same one by a copy; nothing where there is no randomness.
pub(super) fn salt() -> Option<[u8; 8]> {
    let mut salt = [0; 8];
    getrandom::fill(&mut salt).is_ok().then_some(salt)
}

/// Events that fit, disputed ones apart, and the numbers of both.
fn fitting(rows: &[EventRow], mut room: usize) -> Result<(Vec<Event>, Vec<Event>, Vec<i64>)> {
    let (mut events, mut disputed, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows.iter().take(MAX_EVENTS) {
        if row.bytes.len() > room {
            break;
        }
        room -= row.bytes.len();
        let event = Event::from_bytes(&row.bytes)?;
        match row.disputed {
            true => disputed.push(event),
            false => events.push(event),
        }
        ids.push(row.id);
    }
    Ok((events, disputed, ids))
}
