//! Ingest: each event is stored once and counted in the same commit.

use super::super::model::MeterError;
use super::super::model::cell::{Reading, TooLarge};
use super::super::model::decimal::Decimal;
use super::super::model::event::{Event, MAX_EVENTS};
use super::super::model::meter::{Draft, Meter};
use super::super::model::waiting::GroupKey;
use super::super::sql::{self, EventRow, Group};
use super::tally::Tally;
use super::{reverse, rollup};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::{licensing, metering};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// What everything that counts a seller's events is locked by.
pub(super) fn contended(seller: AccountId) -> String {
    format!("usage-events/{seller}")
}

/// Stores events and counts them.
#[derive(Debug, Clone)]
pub struct IngestEvents {
    /// Whose meters count.
    pub seller: AccountId,
    /// In the order in which they are answered.
    pub events: Vec<Event>,
}

impl Command for IngestEvents {
    const NAME: &'static str = "meters.ingest";
    const CAPABILITY: Capability = Capability::Sell;
    /// The stored events say more than an audit row could.
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![contended(self.seller)]
    }
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored; `problem` says why a meter couldn't count it, if one couldn't.
    Accepted {
        /// A sentence for the seller.
        problem: Option<String>,
    },
    /// It was stored before: a success.
    Duplicate,
    /// Another event has this source and id.
    Conflict,
    /// It takes back an event that isn't there.
    NothingToReverse,
    /// It takes back an event that was taken back before, or that takes one back itself.
    ReversedBefore,
}

/// Takes each event on its own: what becomes of one is nothing to the others.
pub fn ingest_events(cx: &mut Cx<'_>, command: &IngestEvents) -> Result<Vec<Outcome>, MeterError> {
    if command.events.len() > MAX_EVENTS {
        return Err(MeterError::TooManyEvents);
    }
    let seller = command.seller;
    let meters = sql::meters(cx.tx, cx.caller.tenant, seller)?;
    let mut tally = Tally::new(seller, &meters, cx.now);
    let (first, repeats) = by_key(&command.events);
    let mut fresh = Vec::with_capacity(first.len());
    let mut said = Vec::with_capacity(first.len());
    for event in first
        .iter()
        .copied()
        .filter(|event| event.reverses.is_none())
    {
        let (says, problem) = tally.look(event);
        fresh.push((event, problem));
        said.push(says);
    }
    let before = sql::insert_events(cx, seller, &fresh)?;
    let mut blocks = sql::Blocks::default();
    let mut outcomes: HashMap<(&str, &str), Outcome> = HashMap::with_capacity(first.len());
    for (((event, problem), says), before) in fresh.into_iter().zip(said).zip(before) {
        let outcome = match before {
            None => {
                for said in &says {
                    tally.count(said)?;
                }
                Outcome::Accepted { problem }
            }
            Some(block) => {
                let key = (event.source.as_str(), event.id.as_str());
                let stored = blocks.event(cx.tx, (seller, block), key)?;
                stored_before(event, stored.ok_or_else(broken)?)
            }
        };
        outcomes.insert((&event.source, &event.id), outcome);
    }
    tally.store(cx)?;
    let reversals: Vec<_> = first
        .into_iter()
        .filter(|event| event.reverses.is_some())
        .collect();
    if !reversals.is_empty() {
        // What is taken back is counted anew in place, so nothing of it may still wait.
        rollup::roll_up(cx, seller, &meters)?;
    }
    for event in reversals {
        let outcome = reverse::take_back(cx, seller, &meters, event)?;
        outcomes.insert((&event.source, &event.id), outcome);
    }
    let outcome_of = |(event, repeat): (&Event, &Repeat)| match repeat {
        Repeat::Other => Outcome::Conflict,
        Repeat::First | Repeat::Same => {
            let outcome = outcomes.get(&(event.source.as_str(), event.id.as_str()));
            match (repeat, outcome) {
                (Repeat::Same, Some(Outcome::Accepted { .. })) | (_, None) => Outcome::Duplicate,
                (_, Some(outcome)) => outcome.clone(),
            }
        }
    };
    Ok(command
        .events
        .iter()
        .zip(&repeats)
        .map(outcome_of)
        .collect())
}

/// Whether an event's key was in the same request before.
enum Repeat {
    First,
    Same,
    Other,
}

/// The first event of each key, and what each event of the request is to it.
fn by_key(events: &[Event]) -> (Vec<&Event>, Vec<Repeat>) {
    let mut seen: HashMap<(&str, &str), &Event> = HashMap::with_capacity(events.len());
    let mut first = Vec::with_capacity(events.len());
    let repeats = events
        .iter()
        .map(|event| match seen.entry((&event.source, &event.id)) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(event);
                first.push(event);
                Repeat::First
            }
            std::collections::hash_map::Entry::Occupied(taken) => {
                let other = taken.get();
                let same = other.says(&event.kind, &event.subject, &event.data)
                    && other.reverses == event.reverses;
                if same { Repeat::Same } else { Repeat::Other }
            }
        });
    let repeats = repeats.collect();
    (first, repeats)
}

/// What an event is to the stored one of its key.
pub(super) fn stored_before(event: &Event, stored: &EventRow) -> Outcome {
    let same = match &event.reverses {
        Some(_) => stored.reverses == event.reverses,
        None => {
            stored.reverses.is_none() && event.says(&stored.kind, &stored.subject, &stored.data)
        }
    };
    match same {
        true => Outcome::Duplicate,
        false => Outcome::Conflict,
    }
}

/// A group's key: a hash in which nothing can run together.
pub(super) fn group_key(subject: &str, dimensions: &BTreeMap<String, String>) -> GroupKey {
    hashed(Sha256::new(), subject, dimensions)
}

/// The key of what devices count of a group: one that no group of events has.
pub(super) fn device_group_key(subject: &str, dimensions: &BTreeMap<String, String>) -> GroupKey {
    let mut hash = Sha256::new();
    hash.update(u64::MAX.to_be_bytes());
    hashed(hash, subject, dimensions)
}

fn hashed(mut hash: Sha256, subject: &str, dimensions: &BTreeMap<String, String>) -> GroupKey {
    let parts = dimensions.iter().flat_map(|(name, value)| [name, value]);
    for part in std::iter::once(subject).chain(parts.map(String::as_str)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = [0; 16];
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// What an event comes to by a meter's description: its reading and its group.
pub(super) fn read(
    draft: &Draft,
    event: &Event,
    now: Timestamp,
) -> Result<(Reading, Group), String> {
    Ok((draft.reading(event, now)?, group_of(draft, event)?))
}

/// Which group an event is of by a meter's description.
pub(super) fn group_of(draft: &Draft, event: &Event) -> Result<Group, String> {
    let dimensions = draft.dimensions(event)?;
    Ok(Group {
        key: group_key(&event.subject, &dimensions),
        subject: event.subject.clone(),
        dimensions,
    })
}

pub(super) fn broken() -> StoreError {
    StoreError::shape("a roll-up can't be read".to_owned())
}

/// What an event adds to a license's total.
pub(super) fn billed(meter: &Meter, reading: &Reading) -> Decimal {
    use super::super::model::meter::Aggregation;
    match meter.draft.aggregation {
        Aggregation::Sum => reading.value,
        _ => Decimal::whole(1),
    }
}

/// Adds to what a license is billed by: the whole units of its total, so that fractions are never
/// rounded twice. What happened in different periods is told apart.
pub(super) fn bill(
    cx: &mut Cx<'_>,
    meter: &Meter,
    subject: &str,
    by_time: &BTreeMap<i64, Decimal>,
) -> Result<(), MeterError> {
    let Ok(id) = LicenseId::parse(subject) else {
        return Ok(());
    };
    let license = licensing::by_id(cx.tx, cx.caller.tenant, id)?;
    let license = license.filter(|license| Some(license.product) == meter.draft.product);
    let Some(license) = license else {
        return Ok(());
    };
    let stored = sql::license_sum(cx.tx, meter.id, id)?;
    let mut before = match stored {
        Some(text) => read_sum(&text)?,
        None => Decimal::ZERO,
    };
    for (at, more) in by_period(cx, id, by_time)? {
        let after = before.checked_add(more).ok_or(TooLarge)?;
        let units = after.floor() - before.floor();
        let units = i64::try_from(units).map_err(|_| TooLarge)?;
        let of = metering::EventUnits {
            license: license.id,
            product: license.product,
            meter: meter.draft.slug.clone(),
            at,
        };
        metering::count_event_units(cx, &of, units)?;
        before = after;
    }
    let sum = before.raw().to_string();
    Ok(sql::set_license_sum(cx.tx, (meter.id, id), sum)?)
}

/// What each period comes to, closed ones and the running one, at its last instant in `by_time`.
fn by_period(
    cx: &mut Cx<'_>,
    license: LicenseId,
    by_time: &BTreeMap<i64, Decimal>,
) -> Result<Vec<(Timestamp, Decimal)>, MeterError> {
    let mut periods: Vec<(Timestamp, Decimal)> = Vec::new();
    let mut known: Option<Option<Timestamp>> = None;
    for (&at, &more) in by_time {
        let at = Timestamp::from_ms(at);
        let same = known.is_some_and(|ends| ends.is_none_or(|ends| at < ends));
        match periods.last_mut().filter(|_| same) {
            Some((last, sum)) => {
                *sum = sum.checked_add(more).ok_or(TooLarge)?;
                *last = at;
            }
            None => {
                known = Some(metering::closed_period(cx, license, at)?);
                periods.push((at, more));
            }
        }
    }
    Ok(periods)
}

fn read_sum(text: &str) -> Result<Decimal, StoreError> {
    let raw = text.parse().map_err(|_| broken())?;
    Ok(Decimal::from_raw(raw))
}
