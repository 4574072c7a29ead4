//! What a request's events come to, gathered before it is added to what is stored.
//!
//! Most events of a request are of groups that others of it are of too, so each group is made once
//! and has a place; what is counted is found by the place.

use super::super::model::MeterError;
use super::super::model::cell::{Cell, Reading, TooLarge};
use super::super::model::decimal::Decimal;
use super::super::model::event::Event;
use super::super::model::meter::{Draft, MAX_GROUPS, Meter};
use super::super::model::window::Grain;
use super::super::sql::{self, Group};
use super::devices::{adds_units, is_carried};
use super::ingest::{bill, billed, group_of};
use super::rollup::{self, Cells};
use crate::app::Cx;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What an event says to a meter: the places of the meter and of the group, and the reading.
struct Says {
    meter: usize,
    group: usize,
    reading: Reading,
}

/// What an event says to each meter, and why one can't count it, if one can't.
#[derive(Default)]
pub(super) struct Said {
    says: Vec<Says>,
    /// A sentence for the seller.
    pub(super) problem: Option<String>,
}

/// The places of the meters that look at a kind of events.
pub(super) struct ByKind<'m>(HashMap<&'m str, Vec<usize>>);

impl<'m> ByKind<'m> {
    pub(super) fn new(meters: &'m [Meter]) -> Self {
        let mut by_kind: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, meter) in meters.iter().enumerate() {
            let of_kind = by_kind.entry(&meter.draft.event_type).or_default();
            of_kind.push(place);
        }
        Self(by_kind)
    }

    /// What an event that has a time says to each meter.
    pub(super) fn look(&self, meters: &[Meter], groups: &mut Groups, event: &Event) -> Said {
        let mut said = Said::default();
        let carried = is_carried(&event.source);
        for place in self.0.get(event.kind.as_str()).into_iter().flatten() {
            let draft = &meters[*place].draft;
            if carried && adds_units(draft) {
                continue;
            }
            match read(groups, (*place, draft), event) {
                Ok(says) => said.says.push(says),
                Err(why) => said.problem = Some(format!("invalid event: {why}")),
            }
        }
        said
    }
}

fn read(
    groups: &mut Groups,
    (meter, draft): (usize, &Draft),
    event: &Event,
) -> Result<Says, String> {
    // When it arrived is known once it is counted.
    let reading = draft.reading(event, Timestamp::from_ms(0))?;
    let values = draft.values(event)?;
    let mut apart = vec![0];
    apart.extend_from_slice(&(meter as u64).to_be_bytes());
    for part in std::iter::once(event.subject.as_str()).chain(values) {
        apart.extend_from_slice(&(part.len() as u64).to_be_bytes());
        apart.extend_from_slice(part.as_bytes());
    }
    let group = groups.place(apart, meter, || group_of(draft, event))?;
    Ok(Says {
        meter,
        group,
        reading,
    })
}

/// A request's groups, each once.
#[derive(Clone, Default)]
pub(super) struct Groups {
    /// Each with the place of its meter.
    known: Vec<(usize, Arc<Group>)>,
    /// Their places, by what tells them apart.
    places: Arc<HashMap<Vec<u8>, usize>>,
}

impl Groups {
    /// The place of the group that `apart` tells from others; `make` makes it the first time.
    fn place<E>(
        &mut self,
        apart: Vec<u8>,
        meter: usize,
        make: impl FnOnce() -> Result<Group, E>,
    ) -> Result<usize, E> {
        if let Some(place) = self.places.get(&apart) {
            return Ok(*place);
        }
        let place = self.known.len();
        self.known.push((meter, Arc::new(make()?)));
        Arc::make_mut(&mut self.places).insert(apart, place);
        Ok(place)
    }
}

/// A request's minutes, groups and licenses.
pub(super) struct Tally<'m> {
    seller: AccountId,
    meters: &'m [Meter],
    now: Timestamp,
    groups: Groups,
    minutes: HashMap<(usize, i64), Cell>,
    licenses: BTreeMap<(usize, String), BTreeMap<i64, Decimal>>,
}

impl<'m> Tally<'m> {
    /// Nothing counted yet; `groups` are those that were met in looking.
    pub(super) fn new(
        seller: AccountId,
        meters: &'m [Meter],
        groups: Groups,
        now: Timestamp,
    ) -> Self {
        Self {
            seller,
            meters,
            now,
            groups,
            minutes: HashMap::new(),
            licenses: BTreeMap::new(),
        }
    }

    /// What each event says to each meter.
    pub(super) fn look_all(&mut self, by_kind: &ByKind<'_>, events: &[Event]) -> Vec<Said> {
        let look = |event| by_kind.look(self.meters, &mut self.groups, event);
        events.iter().map(look).collect()
    }

    /// Adds a device's units to a minute, of which each counts as one.
    pub(super) fn count_units(
        &mut self,
        meter: usize,
        (units, at): (u64, Timestamp),
        group: Group,
    ) -> Result<(), MeterError> {
        let mut apart = vec![1];
        apart.extend_from_slice(&(meter as u64).to_be_bytes());
        apart.extend_from_slice(&group.key);
        let made = || Ok::<_, MeterError>(group);
        let place = self.groups.place(apart, meter, made)?;
        self.minute((meter, place), Grain::Minute.start(at.ms()))
            .add_units(units)?;
        Ok(())
    }

    fn minute(&mut self, (meter, group): (usize, usize), at: i64) -> &mut Cell {
        let aggregation = self.meters[meter].draft.aggregation;
        let minute = self.minutes.entry((group, at));
        minute.or_insert_with(|| Cell::empty(aggregation))
    }

    /// Counts what an event says as arriving now.
    pub(super) fn count(&mut self, said: &Said) -> Result<(), MeterError> {
        for Says {
            meter,
            group,
            reading,
        } in &said.says
        {
            let reading = Reading {
                arrived: self.now.ms(),
                ..reading.clone()
            };
            self.count_reading((*meter, *group), &reading)?;
        }
        Ok(())
    }

    fn count_reading(
        &mut self,
        (meter, group): (usize, usize),
        reading: &Reading,
    ) -> Result<(), MeterError> {
        let at = Grain::Minute.start(reading.at);
        self.minute((meter, group), at).add(reading, at)?;
        let of = &self.meters[meter];
        if of.draft.product.is_some() {
            let subject = self.groups.known[group].1.subject.clone();
            let by_time = self.licenses.entry((meter, subject)).or_default();
            let sum = by_time.entry(reading.at).or_default();
            *sum = sum.checked_add(billed(of, reading)).ok_or(TooLarge)?;
        }
        Ok(())
    }

    /// The places of the groups that something was counted of, and those of their meters.
    fn counted(&self) -> BTreeMap<usize, Vec<usize>> {
        let groups: BTreeSet<usize> = self.minutes.keys().map(|(group, _)| *group).collect();
        let mut by_meter: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for group in groups {
            let meter = self.groups.known[group].0;
            by_meter.entry(meter).or_default().push(group);
        }
        by_meter
    }

    /// Leaves out groups beyond what a meter tells apart: a device's segment is not refused for
    /// them.
    pub(super) fn drop_overfull(&mut self, cx: &mut Cx<'_>) -> Result<(), StoreError> {
        for (meter, groups) in self.counted() {
            let id = self.meters[meter].id;
            if sql::add_group_count(cx.tx, id, 0)? < MAX_GROUPS {
                continue;
            }
            for group in groups {
                let key = self.groups.known[group].1.key;
                if sql::known_groups(cx.tx, id, &[key])?.is_empty() {
                    tracing::warn!(meter = %id, "the meter tells apart no more; a device's usage is left out");
                    self.minutes.retain(|(of, _), _| *of != group);
                }
            }
        }
        Ok(())
    }

    /// Lets the minutes wait for the roll-ups, and adds to what licenses are billed by.
    pub(super) fn store(self, cx: &mut Cx<'_>) -> Result<(), MeterError> {
        self.store_groups(cx)?;
        let minutes = self.minutes.into_iter().map(|((group, at), cell)| {
            let (meter, group) = &self.groups.known[group];
            ((self.meters[*meter].id, group.key, at), cell)
        });
        let mut minutes: Cells = minutes.collect();
        minutes.sort_unstable_by_key(|(minute, _)| *minute);
        rollup::append(cx, self.seller, self.meters, &minutes)?;
        for ((meter, subject), by_time) in self.licenses {
            bill(cx, &self.meters[meter], &subject, &by_time)?;
        }
        Ok(())
    }

    fn store_groups(&self, cx: &mut Cx<'_>) -> Result<(), MeterError> {
        for (meter, groups) in self.counted() {
            let id = self.meters[meter].id;
            let groups: Vec<&Group> = groups
                .iter()
                .map(|place| &*self.groups.known[*place].1)
                .collect();
            let keys: Vec<_> = groups.iter().map(|group| group.key).collect();
            let known = sql::known_groups(cx.tx, id, &keys)?;
            let mut more = 0;
            for group in groups.iter().filter(|group| !known.contains(&group.key)) {
                more += i64::from(sql::add_group(cx.tx, id, group)?);
            }
            if more > 0 && sql::add_group_count(cx.tx, id, more)? > MAX_GROUPS {
                return Err(MeterError::TooManyGroups);
            }
        }
        Ok(())
    }
}
