//! What a request's events come to, gathered before it is added to what is stored.
//!
//! Most events of a request are of groups that others of it are of too, so each group is made once
//! and has a place; what is counted is found by the place.

use super::super::model::MeterError;
use super::super::model::cell::{Cell, Reading, TooLarge};
use super::super::model::decimal::Decimal;
use super::super::model::event::Event;
use super::super::model::meter::{MAX_GROUPS, Meter};
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

/// What an event says to a meter: the places of the meter and of the group, and the reading.
pub(super) struct Says {
    meter: usize,
    group: usize,
    reading: Reading,
}

/// A request's minutes, groups and licenses.
pub(super) struct Tally<'m> {
    seller: AccountId,
    meters: &'m [Meter],
    now: Timestamp,
    by_kind: HashMap<&'m str, Vec<usize>>,
    /// Each with the place of its meter.
    groups: Vec<(usize, Group)>,
    /// The groups' places, by what tells them apart.
    places: HashMap<Vec<u8>, usize>,
    minutes: HashMap<(usize, i64), Cell>,
    licenses: BTreeMap<(usize, String), BTreeMap<i64, Decimal>>,
}

impl<'m> Tally<'m> {
    pub(super) fn new(seller: AccountId, meters: &'m [Meter], now: Timestamp) -> Self {
        let mut by_kind: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, meter) in meters.iter().enumerate() {
            by_kind
                .entry(&meter.draft.event_type)
                .or_default()
                .push(place);
        }
        Self {
            seller,
            meters,
            now,
            by_kind,
            groups: Vec::new(),
            places: HashMap::new(),
            minutes: HashMap::new(),
            licenses: BTreeMap::new(),
        }
    }

    /// What an event says to each meter, and why one can't count it, if one can't.
    pub(super) fn look(&mut self, event: &Event) -> (Vec<Says>, Option<String>) {
        let Some(of_kind) = self.by_kind.get(event.kind.as_str()) else {
            return (Vec::new(), None);
        };
        let mut problem = None;
        let mut says = Vec::with_capacity(of_kind.len());
        let carried = is_carried(&event.source);
        for meter in of_kind.clone() {
            if carried && adds_units(&self.meters[meter].draft) {
                continue;
            }
            match self.read(meter, event) {
                Ok(said) => says.push(said),
                Err(why) => problem = Some(format!("invalid event: {why}")),
            }
        }
        (says, problem)
    }

    fn read(&mut self, meter: usize, event: &Event) -> Result<Says, String> {
        let draft = &self.meters[meter].draft;
        let reading = draft.reading(event, self.now)?;
        let values = draft.values(event)?;
        let mut apart = vec![0];
        apart.extend_from_slice(&(meter as u64).to_be_bytes());
        for part in std::iter::once(event.subject.as_str()).chain(values) {
            apart.extend_from_slice(&(part.len() as u64).to_be_bytes());
            apart.extend_from_slice(part.as_bytes());
        }
        let group = match self.places.get(&apart) {
            Some(place) => *place,
            None => self.add_group(apart, (meter, group_of(draft, event)?)),
        };
        Ok(Says {
            meter,
            group,
            reading,
        })
    }

    fn add_group(&mut self, apart: Vec<u8>, group: (usize, Group)) -> usize {
        let place = self.groups.len();
        self.groups.push(group);
        self.places.insert(apart, place);
        place
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
        let place = match self.places.get(&apart) {
            Some(place) => *place,
            None => self.add_group(apart, (meter, group)),
        };
        self.minute((meter, place), Grain::Minute.start(at.ms()))
            .add_units(units)?;
        Ok(())
    }

    fn minute(&mut self, (meter, group): (usize, usize), at: i64) -> &mut Cell {
        let aggregation = self.meters[meter].draft.aggregation;
        let minute = self.minutes.entry((group, at));
        minute.or_insert_with(|| Cell::empty(aggregation))
    }

    pub(super) fn count(&mut self, says: &Says) -> Result<(), MeterError> {
        let Says {
            meter,
            group,
            reading,
        } = says;
        let at = Grain::Minute.start(reading.at);
        self.minute((*meter, *group), at).add(reading, at)?;
        let of = &self.meters[*meter];
        if of.draft.product.is_some() {
            let subject = self.groups[*group].1.subject.clone();
            let by_time = self.licenses.entry((*meter, subject)).or_default();
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
            let meter = self.groups[group].0;
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
                let key = self.groups[group].1.key;
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
            let (meter, group) = &self.groups[group];
            ((self.meters[*meter].id, group.key, at), cell)
        });
        rollup::append(cx, self.seller, self.meters, &minutes.collect::<Cells>())?;
        for ((meter, subject), by_time) in self.licenses {
            bill(cx, &self.meters[meter], &subject, &by_time)?;
        }
        Ok(())
    }

    fn store_groups(&self, cx: &mut Cx<'_>) -> Result<(), MeterError> {
        for (meter, groups) in self.counted() {
            let id = self.meters[meter].id;
            let groups: Vec<&Group> = groups.iter().map(|place| &self.groups[*place].1).collect();
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
