//! Ingest: each event is stored once and counted in the same commit.

use super::super::model::MeterError;
use super::super::model::cell::{Reading, TooLarge};
use super::super::model::decimal::Decimal;
use super::super::model::event::{Event, MAX_EVENTS};
use super::super::model::meter::{Draft, Meter};
use super::super::model::waiting::GroupKey;
use super::super::sql::{self, EventRow, Group};
use super::tally::{ByKind, Groups, Said, Tally};
use super::{reverse, rollup};
use crate::app::{App, Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
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
///
/// What they say to the meters is looked up before the transaction, as all sellers wait for one
/// writer; the transaction looks again only when a meter was changed in between.
pub async fn ingest(
    app: &App,
    caller: &Caller,
    command: IngestEvents,
) -> Result<Vec<Outcome>, MeterError> {
    if command.events.len() > MAX_EVENTS {
        return Err(MeterError::TooManyEvents);
    }
    let meters = app.read(caller, command.seller, meters_of).await?;
    let store = StoreEvents::new(command, meters, app.now());
    app.transact(caller, store, store_events).await
}

fn meters_of(cx: &mut ReadCx<'_>, seller: &AccountId) -> Result<Vec<Meter>, MeterError> {
    Ok(sql::meters(cx.tx, cx.caller.tenant, *seller)?)
}

/// A request's events with what they say to the meters as these were a moment ago.
pub struct StoreEvents {
    seller: AccountId,
    events: Vec<Event>,
    /// The places of those whose key no earlier one has.
    first: Vec<usize>,
    repeats: Vec<Repeat>,
    looked: Looked,
}

/// What the first event of each key says to each of these meters.
struct Looked {
    meters: Vec<Meter>,
    groups: Groups,
    says: Vec<Said>,
}

impl Looked {
    fn new(meters: Vec<Meter>, events: &[Event], first: &[usize]) -> Self {
        let mut groups = Groups::default();
        let by_kind = ByKind::new(&meters);
        let look = |place: &usize| match &events[*place] {
            event if event.reverses.is_some() => Said::default(),
            event => by_kind.look(&meters, &mut groups, event),
        };
        let says = first.iter().map(look).collect();
        Self {
            meters,
            groups,
            says,
        }
    }
}

impl StoreEvents {
    /// Looks what each event says to `meters`; what has no time of its own happens `now`.
    pub fn new(command: IngestEvents, meters: Vec<Meter>, now: Timestamp) -> Self {
        let IngestEvents { seller, mut events } = command;
        for event in &mut events {
            event.at.get_or_insert(now);
        }
        let (first, repeats) = by_key(&events);
        Self {
            looked: Looked::new(meters, &events, &first),
            seller,
            events,
            first,
            repeats,
        }
    }
}

impl Command for StoreEvents {
    const NAME: &'static str = "meters.ingest";
    const CAPABILITY: Capability = Capability::Sell;
    /// The stored events say more than an audit row could.
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![contended(self.seller)]
    }
}

/// Stores and counts in one commit, by the meters as they are now.
pub fn store_events(cx: &mut Cx<'_>, command: &StoreEvents) -> Result<Vec<Outcome>, MeterError> {
    let StoreEvents {
        seller,
        events,
        first,
        ..
    } = command;
    let meters = sql::meters(cx.tx, cx.caller.tenant, *seller)?;
    let anew;
    let looked = match meters == command.looked.meters {
        true => &command.looked,
        false => {
            anew = Looked::new(meters, events, first);
            &anew
        }
    };
    let mut outcomes = store_first(cx, command, looked)?;
    let reversals = |at: &usize| events[first[*at]].reverses.is_some();
    let reversals: Vec<usize> = (0..first.len()).filter(reversals).collect();
    if !reversals.is_empty() {
        // What is taken back is counted anew in place, so nothing of it may still wait.
        rollup::roll_up(cx, *seller, &looked.meters)?;
    }
    for at in reversals {
        outcomes[at] = reverse::take_back(cx, *seller, &looked.meters, &events[first[at]])?;
    }
    let outcome_of = |repeat: &Repeat| match repeat {
        Repeat::First(at) => outcomes[*at].clone(),
        Repeat::Same(at) => match &outcomes[*at] {
            Outcome::Accepted { .. } => Outcome::Duplicate,
            outcome => outcome.clone(),
        },
        Repeat::Other => Outcome::Conflict,
    };
    Ok(command.repeats.iter().map(outcome_of).collect())
}

/// Stores and counts the first event of each key; those that take others back are left as they are.
fn store_first(
    cx: &mut Cx<'_>,
    StoreEvents {
        seller,
        events,
        first,
        ..
    }: &StoreEvents,
    looked: &Looked,
) -> Result<Vec<Outcome>, MeterError> {
    let mut tally = Tally::new(*seller, &looked.meters, looked.groups.clone(), cx.now);
    let mut outcomes = vec![Outcome::NothingToReverse; first.len()];
    let news = |at: &usize| events[first[*at]].reverses.is_none();
    let news: Vec<usize> = (0..first.len()).filter(news).collect();
    let rows = news
        .iter()
        .map(|at| (&events[first[*at]], looked.says[*at].problem.as_deref()));
    let before = sql::insert_events(cx, *seller, &rows.collect::<Vec<_>>())?;
    let mut blocks = sql::Blocks::default();
    for (at, before) in news.into_iter().zip(before) {
        let event = &events[first[at]];
        outcomes[at] = match before {
            None => {
                tally.count(&looked.says[at])?;
                let problem = looked.says[at].problem.clone();
                Outcome::Accepted { problem }
            }
            Some(block) => {
                let key = (event.source.as_str(), event.id.as_str());
                let stored = blocks.event(cx.tx, (*seller, block), key)?;
                stored_before(event, stored.ok_or_else(broken)?)
            }
        };
    }
    tally.store(cx)?;
    Ok(outcomes)
}

/// What an event of a request is to those before it. Places are those among the first of each key.
enum Repeat {
    First(usize),
    Same(usize),
    Other,
}

/// The places of the first event of each key, and what each event of the request is to it.
fn by_key(events: &[Event]) -> (Vec<usize>, Vec<Repeat>) {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::with_capacity(events.len());
    let mut first: Vec<usize> = Vec::with_capacity(events.len());
    let mut repeats = Vec::with_capacity(events.len());
    for (place, event) in events.iter().enumerate() {
        let at = seen.entry((&event.source, &event.id));
        let at = *at.or_insert(first.len());
        repeats.push(match first.get(at).map(|first| &events[*first]) {
            None => {
                first.push(place);
                Repeat::First(at)
            }
            Some(other) => {
                let same = other.says(&event.kind, &event.subject, &event.data)
                    && other.reverses == event.reverses;
                if same {
                    Repeat::Same(at)
                } else {
                    Repeat::Other
                }
            }
        });
    }
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
