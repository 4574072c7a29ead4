//! Questions: usage by window and group, and the events themselves.

use super::super::model::MeterError;
use super::super::model::cell::{Cell, Figure};
use super::super::model::decimal::Decimal;
use super::super::model::meter::{Aggregation, Meter};
use super::super::model::waiting::{GroupKey, Minute};
use super::super::model::window::{self, MINUTE_MS, Span, Step, Stretch, cover, push};
use super::super::sql::{self, CellRow, EventRow, Filter, Group};
use super::ingest::broken;
use super::meters::{ByMeter, found};
use super::rollup;
use crate::app::ReadCx;
use jiff::tz::TimeZone;
use mintreu::id::AccountId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most subjects of a question.
const MAX_SUBJECTS: usize = 100;
/// Most rows of an answer.
const MAX_ROWS: usize = 50_000;
/// Most roll-ups that are read for one.
const MAX_CELLS: i64 = 2_000_000;
/// Up to so many groups are read one by one: beyond, all are read together.
const FEW_GROUPS: usize = 64;

/// What is asked of a meter.
#[derive(Debug, Clone)]
pub struct UsageQuery {
    /// Whose meter.
    pub seller: AccountId,
    /// Which.
    pub meter: ByMeter,
    /// From the minute that holds this instant; without, from the first event.
    pub from: Option<i64>,
    /// Until the minute that holds this instant, which is left out; without, after the last event.
    pub until: Option<i64>,
    /// In which windows; without, in one.
    pub step: Option<(Step, TimeZone)>,
    /// Of these subjects alone, each for itself; of all when there are none.
    pub subjects: Vec<String>,
    /// Each subject for itself.
    pub by_subject: bool,
    /// Only where a property has one of these values.
    pub filters: BTreeMap<String, BTreeSet<String>>,
    /// Each value of these properties for itself.
    pub group_by: Vec<String>,
    /// Another percentile than the meter's, in ten-thousands.
    pub percentile: Option<u32>,
    /// Windows in which nothing happened are answered too.
    pub fill: bool,
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// The window.
    pub span: Span,
    /// What it comes to.
    pub figure: Figure,
    /// Whose, when asked by subject.
    pub subject: Option<String>,
    /// The properties' values, when asked by them.
    pub group: BTreeMap<String, String>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The meter that was asked.
    pub meter: Meter,
    /// By window, then by subject and values.
    pub rows: Vec<UsageRow>,
}

type OutGroup = (Option<String>, BTreeMap<String, String>);

/// Adds up the stored roll-ups of what is asked.
pub fn usage(cx: &mut ReadCx<'_>, query: &UsageQuery) -> Result<Answer, MeterError> {
    let mut meter = found(cx.tx, (cx.caller.tenant, query.seller), &query.meter)?;
    if let (Aggregation::Percentile(share), Some(asked)) =
        (&mut meter.draft.aggregation, query.percentile)
    {
        *share = asked;
    }
    let names = query.group_by.iter().chain(query.filters.keys());
    for name in names {
        if !meter.draft.group_by.contains_key(name) {
            return Err(MeterError::UnknownGroup(name.clone()));
        }
    }
    let waiting = rollup::waiting_of(cx.tx, query.seller, &meter)?;
    let Some(asked) = asked_span(cx, &meter, (query, &waiting))? else {
        return Ok(Answer {
            meter,
            rows: Vec::new(),
        });
    };
    let spans = match &query.step {
        Some((step, zone)) => window::windows(*step, zone, asked)?,
        None => vec![asked],
    };
    let groups = groups(cx, &meter, query)?;
    let rows = Reading {
        cx,
        meter: &meter,
        groups: &groups,
        waiting: &waiting,
        query,
        left: MAX_CELLS,
    }
    .rows(asked, &spans)?;
    Ok(Answer { meter, rows })
}

/// What is asked in whole minutes; `None` when there is nothing to ask about.
fn asked_span(
    cx: &mut ReadCx<'_>,
    meter: &Meter,
    (query, waiting): (&UsageQuery, &[(Minute, Cell)]),
) -> Result<Option<Span>, MeterError> {
    let floor = |at: i64| at - at.rem_euclid(MINUTE_MS);
    let given = query.from.map(floor).zip(query.until.map(floor));
    let span = match given {
        Some((from, until)) => Span { from, until },
        None => {
            let ends = |(first, last): (i64, i64)| [first, last];
            let stored = sql::extent(cx.tx, meter.id)?.into_iter().flat_map(ends);
            let minutes = waiting.iter().map(|((_, _, at), _)| *at).chain(stored);
            let (first, last) = minutes.fold((i64::MAX, i64::MIN), |(first, last), at| {
                (first.min(at), last.max(at))
            });
            if first > last {
                return Ok(None);
            }
            let from = query.from.map_or(first, floor);
            let until = query.until.map_or(last + MINUTE_MS, floor);
            if from >= until {
                return Ok(None);
            }
            Span { from, until }
        }
    };
    match span.length() > 0 {
        true => Ok(Some(span)),
        false => Err(window::WindowError::Empty.into()),
    }
}

/// The groups that the question is about, each with the row it goes to.
fn groups(
    cx: &mut ReadCx<'_>,
    meter: &Meter,
    query: &UsageQuery,
) -> Result<HashMap<GroupKey, OutGroup>, MeterError> {
    if query.subjects.len() > MAX_SUBJECTS {
        return Err(MeterError::AnswerTooLarge);
    }
    let mut all: Vec<Group> = Vec::new();
    for subject in query.subjects.iter().collect::<BTreeSet<_>>() {
        all.extend(sql::groups_of_subject(cx.tx, meter.id, subject)?);
    }
    if query.subjects.is_empty() {
        all = sql::groups(cx.tx, meter.id)?;
    }
    let matches = |group: &Group| {
        query.filters.iter().all(|(name, wanted)| {
            let value = group.dimensions.get(name);
            value.is_some_and(|value| wanted.contains(value))
        })
    };
    let by_subject = query.by_subject || !query.subjects.is_empty();
    let place = |group: Group| {
        let subject = by_subject.then_some(group.subject);
        let mut values = group.dimensions;
        values.retain(|name, _| query.group_by.contains(name));
        (group.key, (subject, values))
    };
    Ok(all.into_iter().filter(matches).map(place).collect())
}

/// What a window comes to for a row.
type Counted<'a> = HashMap<(usize, &'a OutGroup), Cell>;

struct Reading<'a, 'b> {
    cx: &'a mut ReadCx<'b>,
    meter: &'a Meter,
    groups: &'a HashMap<GroupKey, OutGroup>,
    waiting: &'a [(Minute, Cell)],
    query: &'a UsageQuery,
    left: i64,
}

impl<'a> Reading<'a, '_> {
    fn rows(&mut self, asked: Span, spans: &[Span]) -> Result<Vec<UsageRow>, MeterError> {
        let aggregation = self.meter.draft.aggregation;
        let mut stretches = Vec::new();
        for span in spans {
            for stretch in cover(span.within(asked)) {
                push(
                    &mut stretches,
                    stretch.grain,
                    stretch.span.from,
                    stretch.span.until,
                );
            }
        }
        let counted = self.read(&stretches, asked, spans)?;
        let mut levels = self.levels_before(asked)?;
        let mut outs: BTreeSet<&OutGroup> = self.groups.values().collect();
        let none: OutGroup = (None, BTreeMap::new());
        let alone = self.query.group_by.is_empty() && !self.query.by_subject;
        if outs.is_empty() && alone && self.query.subjects.is_empty() && self.query.fill {
            outs.insert(&none);
        }
        let mut rows = Vec::new();
        for (index, span) in spans.iter().enumerate() {
            for out in &outs {
                let before = levels.get(*out).copied().unwrap_or_default();
                let empty = Cell::empty(aggregation);
                let cell = counted.get(&(index, *out)).unwrap_or(&empty);
                if cell.is_empty() && before == Decimal::ZERO && !self.query.fill {
                    continue;
                }
                if rows.len() == MAX_ROWS {
                    return Err(MeterError::AnswerTooLarge);
                }
                rows.push(UsageRow {
                    span: *span,
                    figure: cell.figure(aggregation, span.within(asked), before)?,
                    subject: out.0.clone(),
                    group: out.1.clone(),
                });
                let after = before.checked_add(cell.change());
                let after = after.ok_or(super::super::model::cell::TooLarge)?;
                levels.insert(out, after);
            }
        }
        Ok(rows)
    }

    /// Where each level stood when the question begins.
    fn levels_before(&mut self, asked: Span) -> Result<HashMap<&'a OutGroup, Decimal>, MeterError> {
        if self.meter.draft.aggregation != Aggregation::WeightedSum {
            return Ok(HashMap::new());
        }
        let past = Span {
            from: 0,
            until: asked.from.max(0),
        };
        if past.length() == 0 {
            return Ok(HashMap::new());
        }
        let groups = self.groups;
        let counted = self.read(&cover(past), past, &[past])?;
        let level = |out: &'a OutGroup| {
            let cell: Option<&Cell> = counted.get(&(0, out));
            (out, cell.map_or(Decimal::ZERO, Cell::change))
        };
        Ok(groups.values().map(level).collect())
    }

    /// What the roll-ups come to, by window and row; what waits among them.
    fn read(
        &mut self,
        stretches: &[Stretch],
        asked: Span,
        spans: &[Span],
    ) -> Result<Counted<'a>, MeterError> {
        let aggregation = self.meter.draft.aggregation;
        let mut counted = Counted::new();
        let mut add = |groups: &'a HashMap<_, _>, (key, at): (GroupKey, i64), part: &Cell| {
            let index = spans.partition_point(|span| span.until <= at);
            if let (Some(out), Some(span)) = (groups.get(&key), spans.get(index)) {
                let empty = || Cell::empty(aggregation);
                let cell = counted.entry((index, out)).or_insert_with(empty);
                cell.merge(part, at - span.within(asked).from)?;
            }
            Ok::<_, MeterError>(())
        };
        for stretch in stretches {
            for (key, at, state) in self.cells(*stretch)? {
                let part = Cell::from_bytes(aggregation, &state).map_err(|_| broken())?;
                add(self.groups, (key, at), &part)?;
            }
        }
        let within = |at: i64| asked.from <= at && at < asked.until;
        for ((_, key, at), part) in self.waiting.iter().filter(|((_, _, at), _)| within(*at)) {
            add(self.groups, (*key, *at), part)?;
        }
        Ok(counted)
    }

    /// The stored roll-ups of a stretch: group by group when they are few.
    fn cells(&mut self, stretch: Stretch) -> Result<Vec<CellRow>, MeterError> {
        let mut cells = Vec::new();
        if self.groups.len() <= FEW_GROUPS {
            for key in self.groups.keys() {
                let of = (self.meter.id, *key);
                let limit = self.left - cells.len() as i64 + 1;
                cells.extend(sql::cells_of_group(self.cx.tx, of, stretch, limit)?);
            }
        } else {
            let limit = self.left + 1;
            cells = sql::cells_of_meter(self.cx.tx, self.meter.id, stretch, limit)?;
        }
        self.left -= cells.len() as i64;
        match self.left < 0 {
            true => Err(MeterError::AnswerTooLarge),
            false => Ok(cells),
        }
    }
}

/// Which values one of a meter's properties has had, or which subjects used it.
#[derive(Debug, Clone)]
pub struct GroupValues {
    /// Whose meter.
    pub seller: AccountId,
    /// Which.
    pub meter: ByMeter,
    /// The property; without, subjects.
    pub name: Option<String>,
}

/// In order, each once.
pub fn group_values(cx: &mut ReadCx<'_>, query: &GroupValues) -> Result<Vec<String>, MeterError> {
    let meter = found(cx.tx, (cx.caller.tenant, query.seller), &query.meter)?;
    let value = |mut group: Group| match &query.name {
        None => Some(group.subject),
        Some(name) => group.dimensions.remove(name),
    };
    if let Some(name) = &query.name
        && !meter.draft.group_by.contains_key(name)
    {
        return Err(MeterError::UnknownGroup(name.clone()));
    }
    let groups = sql::groups(cx.tx, meter.id)?;
    let values: BTreeSet<String> = groups.into_iter().filter_map(value).collect();
    Ok(values.into_iter().take(MAX_ROWS).collect())
}

/// A seller's events.
#[derive(Debug, Clone)]
pub struct EventQuery {
    /// Whose.
    pub seller: AccountId,
    /// Which.
    pub filter: Filter,
}

/// Most events that are left out before those that are listed: to find them, they are read.
const MAX_SKIP: i64 = 100_000;

/// Those that happened last first.
pub fn list_events(cx: &mut ReadCx<'_>, query: &EventQuery) -> Result<Vec<EventRow>, MeterError> {
    if query.filter.skip > MAX_SKIP {
        return Err(MeterError::AnswerTooLarge);
    }
    Ok(sql::events(cx.tx, query.seller, &query.filter)?)
}

/// One event of a seller by its id, whatever its source.
pub fn find_event(cx: &mut ReadCx<'_>, query: &EventQuery) -> Result<EventRow, MeterError> {
    let found = sql::events(cx.tx, query.seller, &query.filter)?;
    found.into_iter().next().ok_or(MeterError::EventNotFound)
}
