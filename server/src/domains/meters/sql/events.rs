//! Statements of events: each one's key, and the blocks that hold them.

use super::super::model::block::{self, Kept, MAX_SPAN};
use super::super::model::event::Event;
use crate::app::Cx;
use crate::store::rows::{self, CHUNK};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::AccountId;
use std::collections::{BTreeMap, HashMap, HashSet};

const LAST_BLOCK: &str = "SELECT CAST(COALESCE(MAX(block_no), 0) AS BIGINT) AS block_no
    FROM usage_block WHERE seller_id = :seller";

const CLAIM: &str = "INSERT INTO usage_event_key (seller_id, event_id, source, block_no)
    VALUES (:seller, :event, :source, :block)
    ON CONFLICT (seller_id, event_id, source) DO NOTHING";

const INSERT: &str = "INSERT INTO usage_block (seller_id, block_no, first_at, last_at, ingested_at,
        events)
    VALUES (:seller, :block, :start, :until, :now, :events)";

const BLOCK_OF: &str = "SELECT block_no FROM usage_event_key
    WHERE seller_id = :seller AND event_id = :event AND source = :source";

const BLOCKS_OF_ID: &str = "SELECT DISTINCT block_no FROM usage_event_key
    WHERE seller_id = :seller AND event_id = :event";

const BLOCK: &str = "SELECT block_no, last_at, ingested_at, events FROM usage_block
    WHERE seller_id = :seller AND block_no = :block";

const BLOCKS_WITHIN: &str = "SELECT block_no, last_at, ingested_at, events FROM usage_block
    WHERE seller_id = :seller AND last_at >= :start AND last_at < :last AND first_at < :until
        AND ingested_at >= :since";

/// Blocks from the last back, behind the one that a page ended with.
const BLOCKS_BACK: &str = "SELECT block_no, last_at, ingested_at, events FROM usage_block
    WHERE seller_id = :seller AND last_at >= :start AND last_at <= :last
        AND (last_at < :last OR block_no < :block) AND first_at < :until
        AND ingested_at >= :ingested_start AND ingested_at < :ingested_until
    ORDER BY last_at DESC, block_no DESC LIMIT 16";

const REVERSE: &str = "INSERT INTO usage_reversal (seller_id, event_id, source, occurred_at,
        reversed_by)
    VALUES (:seller, :event, :source, :at, :by)
    ON CONFLICT (seller_id, event_id, source) DO NOTHING";

const REVERSED_BY: &str = "SELECT event_id, reversed_by FROM usage_reversal
    WHERE seller_id = :seller AND source = :source AND event_id IN (:event)";

const REVERSED_WITHIN: &str = "SELECT source, event_id, reversed_by FROM usage_reversal
    WHERE seller_id = :seller AND occurred_at >= :start AND occurred_at < :until";

pub(super) const ALL: &[&str] = &[
    LAST_BLOCK,
    CLAIM,
    INSERT,
    BLOCK_OF,
    BLOCKS_OF_ID,
    BLOCK,
    BLOCKS_WITHIN,
    BLOCKS_BACK,
    REVERSE,
    REVERSED_BY,
    REVERSED_WITHIN,
];

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

impl EventRow {
    fn new(kept: &Kept<'_>, ingested_at: Timestamp) -> Self {
        Self {
            source: kept.source().to_owned(),
            id: kept.id().to_owned(),
            kind: kept.kind().to_owned(),
            subject: kept.subject().to_owned(),
            at: Timestamp::from_ms(kept.at()),
            ingested_at,
            data: kept.data().to_owned(),
            problem: kept.problem().map(str::to_owned),
            reverses: kept.reverses().map(str::to_owned),
            reversed_by: None,
        }
    }
}

fn broken() -> StoreError {
    StoreError::shape("a block of events can't be read".to_owned())
}

/// The events of a block's row that are `wanted`.
fn take(
    row: &Row,
    mut wanted: impl FnMut(&Kept<'_>) -> bool,
    into: &mut Vec<EventRow>,
) -> Result<(), StoreError> {
    let ingested_at = row.at("ingested_at")?;
    let text = row.text("events")?;
    let events = block::read(&text).map_err(|_| broken())?;
    let events = events.iter().filter(|kept| wanted(kept));
    into.extend(events.map(|kept| EventRow::new(kept, ingested_at)));
    Ok(())
}

/// Stores those that aren't stored yet; no two of them have one key. Answers for each event where it was before: `None` says
/// that it is stored now.
pub fn insert_events(
    cx: &mut Cx<'_>,
    seller: AccountId,
    events: &[(&Event, Option<&str>)],
) -> Result<Vec<Option<i64>>, StoreError> {
    let mut before = vec![None; events.len()];
    if events.is_empty() {
        return Ok(before);
    }
    let of_seller = [("seller", seller.as_bytes().into())];
    let last = cx.tx.query_one(LAST_BLOCK, &of_seller)?;
    let last = last.ok_or_else(broken)?.int("block_no")?;
    let blocks = block::split(events.iter().map(|(event, _)| *event), cx.now);
    for (block, places) in (last + 1..).zip(blocks) {
        let members = |place: &usize| events.get(*place).map(|(event, _)| (*place, *event));
        let members: Vec<(usize, &Event)> = places.iter().filter_map(members).collect();
        for chunk in members.chunks(CHUNK) {
            claim(cx.tx, seller, (block, chunk), &mut before)?;
        }
        let stored = places.into_iter().filter(|place| before[*place].is_none());
        let stored: Vec<_> = stored.map(|place| &events[place]).collect();
        insert_block(cx, seller, block, &stored)?;
    }
    Ok(before)
}

/// Takes the keys that are free for a block, and notes in which block the others are.
fn claim(
    tx: &mut dyn Tx,
    seller: AccountId,
    (block, events): (i64, &[(usize, &Event)]),
    before: &mut [Option<i64>],
) -> Result<(), StoreError> {
    let shared = [
        ("seller", seller.as_bytes().into()),
        ("block", block.into()),
    ];
    let rows = events.iter();
    let rows = rows.map(|(_, event)| [event.id.as_str().into(), event.source.as_str().into()]);
    if rows::insert(tx, CLAIM, &shared, rows)? == events.len() as u64 {
        return Ok(());
    }
    for (place, event) in events {
        let found = block_of(tx, seller, (&event.source, &event.id))?;
        before[*place] = found.filter(|found| *found != block);
    }
    Ok(())
}

fn insert_block(
    cx: &mut Cx<'_>,
    seller: AccountId,
    block: i64,
    events: &[&(&Event, Option<&str>)],
) -> Result<(), StoreError> {
    let at = |event: &Event| event.at.unwrap_or(cx.now).ms();
    let kept: Result<Vec<Kept<'_>>, _> = events
        .iter()
        .map(|(event, problem)| Kept::new(event, at(event), *problem))
        .collect();
    let kept = kept.map_err(|_| broken())?;
    let (Some(first), Some(last)) = (kept.first(), kept.last()) else {
        return Ok(());
    };
    let params = [
        ("seller", seller.as_bytes().into()),
        ("block", block.into()),
        ("start", first.at().into()),
        ("until", last.at().into()),
        ("now", cx.now.into()),
        ("events", block::write(&kept).map_err(|_| broken())?.into()),
    ];
    cx.tx.execute(INSERT, &params).map(drop)
}

fn block_of(
    tx: &mut dyn Tx,
    seller: AccountId,
    (source, id): (&str, &str),
) -> Result<Option<i64>, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("event", id.into()),
        ("source", source.into()),
    ];
    let row = tx.query_one(BLOCK_OF, &params)?;
    row.map(|row| row.int("block_no")).transpose()
}

/// Blocks that were read to find events in, each once.
#[derive(Debug, Default)]
pub struct Blocks(HashMap<i64, Vec<EventRow>>);

impl Blocks {
    /// The event of a key in a block; whether it was taken back isn't looked up.
    pub fn event(
        &mut self,
        tx: &mut dyn Tx,
        (seller, block): (AccountId, i64),
        (source, id): (&str, &str),
    ) -> Result<Option<&EventRow>, StoreError> {
        let events = match self.0.entry(block) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let params = [
                    ("seller", seller.as_bytes().into()),
                    ("block", block.into()),
                ];
                let row = tx.query_one(BLOCK, &params)?.ok_or_else(broken)?;
                let mut events = Vec::new();
                take(&row, |_| true, &mut events)?;
                free.insert(events)
            }
        };
        let mut events = events.iter();
        Ok(events.find(|event| event.id == id && event.source == source))
    }
}

/// One event by its key.
pub fn event(
    tx: &mut dyn Tx,
    seller: AccountId,
    key: (&str, &str),
) -> Result<Option<EventRow>, StoreError> {
    let Some(block) = block_of(tx, seller, key)? else {
        return Ok(None);
    };
    let found = Blocks::default().event(tx, (seller, block), key)?.cloned();
    let mut found = vec![found.ok_or_else(broken)?];
    note_reversals(tx, seller, &mut found)?;
    Ok(found.pop())
}

/// Notes that an event was taken back; false when it had been before.
pub fn mark_reversed(
    tx: &mut dyn Tx,
    seller: AccountId,
    event: &EventRow,
    by: &str,
) -> Result<bool, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("event", event.id.as_str().into()),
        ("source", event.source.as_str().into()),
        ("at", event.at.into()),
        ("by", by.into()),
    ];
    Ok(tx.execute(REVERSE, &params)? == 1)
}

/// Says of each event which one took it back.
fn note_reversals(
    tx: &mut dyn Tx,
    seller: AccountId,
    events: &mut [EventRow],
) -> Result<(), StoreError> {
    let mut by_source: BTreeMap<String, Vec<&mut EventRow>> = BTreeMap::new();
    for event in events {
        let source = event.source.clone();
        by_source.entry(source).or_default().push(event);
    }
    for (source, mut events) in by_source {
        let shared = [
            ("seller", seller.as_bytes().into()),
            ("source", source.into()),
        ];
        for chunk in events.chunks_mut(CHUNK) {
            let ids = chunk.iter().map(|event| event.id.as_str().into());
            for row in rows::any_of(tx, REVERSED_BY, &shared, ids)? {
                let id = row.text("event_id")?;
                if let Some(event) = chunk.iter_mut().find(|event| event.id == id) {
                    event.reversed_by = Some(row.text("reversed_by")?);
                }
            }
        }
    }
    Ok(())
}

/// The events of a type and subject that count, of one stretch of time, that arrived since.
pub fn events_within(
    tx: &mut dyn Tx,
    (seller, kind, subject): (AccountId, &str, &str),
    (start, until): (i64, i64),
    since: Timestamp,
) -> Result<Vec<EventRow>, StoreError> {
    let mut params = vec![
        ("seller", seller.as_bytes().into()),
        ("start", start.into()),
        ("until", until.into()),
    ];
    let taken_back: Result<Vec<(String, String)>, StoreError> = tx
        .query(REVERSED_WITHIN, &params)?
        .iter()
        .map(|row| Ok((row.text("source")?, row.text("event_id")?)))
        .collect();
    let taken_back: HashSet<_> = taken_back?.into_iter().collect();
    params.push(("since", since.into()));
    params.push(("last", (until + MAX_SPAN).into()));
    let mut found = Vec::new();
    for row in tx.query(BLOCKS_WITHIN, &params)? {
        let counts = |kept: &Kept<'_>| {
            (start..until).contains(&kept.at())
                && kept.kind() == kind
                && kept.subject() == subject
                && kept.reverses().is_none()
        };
        take(&row, counts, &mut found)?;
    }
    found.retain(|event| !taken_back.contains(&(event.source.clone(), event.id.clone())));
    Ok(found)
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

impl Filter {
    fn wants(&self, kept: &Kept<'_>) -> bool {
        let is = |wanted: &Option<String>, given| wanted.as_deref().is_none_or(|one| one == given);
        (self.from..self.until).contains(&kept.at())
            && is(&self.subject, kept.subject())
            && is(&self.kind, kept.kind())
            && is(&self.id, kept.id())
    }

    /// The order in which they are listed: those that happened last first.
    fn order(one: &EventRow, other: &EventRow) -> std::cmp::Ordering {
        let by_time = other.at.cmp(&one.at);
        by_time.then_with(|| (&one.source, &one.id).cmp(&(&other.source, &other.id)))
    }
}

/// A seller's events, those that happened last first.
pub fn events(
    tx: &mut dyn Tx,
    seller: AccountId,
    filter: &Filter,
) -> Result<Vec<EventRow>, StoreError> {
    let mut page = Page::new(filter);
    match &filter.id {
        Some(id) => page.pending = with_id(tx, seller, filter, id)?,
        None => back(tx, seller, filter, &mut page)?,
    }
    page.turn(i64::MIN);
    let mut found = page.found;
    note_reversals(tx, seller, &mut found)?;
    Ok(found)
}

/// What is listed of events that come block by block.
struct Page {
    skip: usize,
    limit: usize,
    /// Events that others may still come before.
    pending: Vec<EventRow>,
    found: Vec<EventRow>,
}

impl Page {
    fn new(filter: &Filter) -> Self {
        Self {
            skip: usize::try_from(filter.skip).unwrap_or(0),
            limit: usize::try_from(filter.limit).unwrap_or(0),
            pending: Vec::new(),
            found: Vec::new(),
        }
    }

    /// Lists what happened after `last`, as nothing that comes later did.
    fn turn(&mut self, last: i64) {
        self.pending.sort_unstable_by(Filter::order);
        let sure = self.pending.partition_point(|event| event.at.ms() > last);
        for event in self.pending.drain(..sure) {
            match self.skip {
                0 => self.found.push(event),
                _ => self.skip -= 1,
            }
        }
        self.found.truncate(self.limit);
        let wanted = self.skip.saturating_add(self.limit - self.found.len());
        self.pending.truncate(wanted);
    }

    fn is_full(&self) -> bool {
        self.found.len() == self.limit
    }
}

/// Those of one id: one of each source.
fn with_id(
    tx: &mut dyn Tx,
    seller: AccountId,
    filter: &Filter,
    id: &str,
) -> Result<Vec<EventRow>, StoreError> {
    let seller = ("seller", seller.as_bytes().into());
    let mut found = Vec::new();
    for key in tx.query(BLOCKS_OF_ID, &[seller.clone(), ("event", id.into())])? {
        let params = [seller.clone(), ("block", key.int("block_no")?.into())];
        let row = tx.query_one(BLOCK, &params)?.ok_or_else(broken)?;
        let (from, until) = filter.ingested;
        if (from..until).contains(&row.int("ingested_at")?) {
            take(&row, |kept| filter.wants(kept), &mut found)?;
        }
    }
    Ok(found)
}

/// From the last block back, until no earlier one can hold any that is listed.
fn back(
    tx: &mut dyn Tx,
    seller: AccountId,
    filter: &Filter,
    page: &mut Page,
) -> Result<(), StoreError> {
    let (mut last, mut block) = (filter.until.saturating_add(MAX_SPAN), i64::MAX);
    while !page.is_full() {
        let params = [
            ("seller", seller.as_bytes().into()),
            ("start", filter.from.into()),
            ("last", last.into()),
            ("block", block.into()),
            ("until", filter.until.into()),
            ("ingested_start", filter.ingested.0.into()),
            ("ingested_until", filter.ingested.1.into()),
        ];
        let rows = tx.query(BLOCKS_BACK, &params)?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        (last, block) = (end.int("last_at")?, end.int("block_no")?);
        for row in &rows {
            take(row, |kept| filter.wants(kept), &mut page.pending)?;
        }
        page.turn(last);
    }
    Ok(())
}
