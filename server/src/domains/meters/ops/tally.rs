//! What a request's events come to, gathered before it is added to what is stored.

use super::super::model::MeterError;
use super::super::model::cell::{Cell, Reading, TooLarge};
use super::super::model::decimal::Decimal;
use super::super::model::event::Event;
use super::super::model::meter::{MAX_GROUPS, Meter};
use super::super::model::waiting::GroupKey;
use super::super::model::window::Grain;
use super::super::sql::{self, Group};
use super::devices::{adds_units, is_carried};
use super::ingest::{bill, billed, read};
use super::rollup::{self, Cells};
use crate::app::Cx;
use mintreu::Timestamp;
use mintreu::id::{AccountId, MeterId};
use std::collections::{BTreeMap, HashMap};

/// What an event says to a meter, and of which group.
pub(super) type Says<'m> = (&'m Meter, Reading, Group);

/// A request's minutes, groups and licenses.
pub(super) struct Tally<'m> {
    seller: AccountId,
    meters: &'m [Meter],
    now: Timestamp,
    by_kind: HashMap<&'m str, Vec<&'m Meter>>,
    minutes: Cells,
    groups: BTreeMap<(MeterId, GroupKey), Group>,
    licenses: BTreeMap<(usize, String), BTreeMap<i64, Decimal>>,
}

impl<'m> Tally<'m> {
    pub(super) fn new(seller: AccountId, meters: &'m [Meter], now: Timestamp) -> Self {
        let mut by_kind: HashMap<&str, Vec<&Meter>> = HashMap::new();
        for meter in meters {
            by_kind
                .entry(&meter.draft.event_type)
                .or_default()
                .push(meter);
        }
        Self {
            seller,
            meters,
            now,
            by_kind,
            minutes: Cells::new(),
            groups: BTreeMap::new(),
            licenses: BTreeMap::new(),
        }
    }

    /// What an event says to each meter, and why one can't count it, if one can't.
    pub(super) fn look(&self, event: &Event) -> (Vec<Says<'m>>, Option<String>) {
        let mut problem = None;
        let mut says = Vec::new();
        let carried = is_carried(&event.source);
        let of_kind = self.by_kind.get(event.kind.as_str()).into_iter().flatten();
        for meter in of_kind.filter(|meter| !(carried && adds_units(&meter.draft))) {
            match read(&meter.draft, event, self.now) {
                Ok((reading, group)) => says.push((*meter, reading, group)),
                Err(why) => problem = Some(format!("invalid event: {why}")),
            }
        }
        (says, problem)
    }

    /// Adds a device's units, of which each counts as one.
    pub(super) fn count_units(
        &mut self,
        meter: &'m Meter,
        (units, at): (u64, Timestamp),
        group: Group,
    ) -> Result<(), MeterError> {
        let minute = (meter.id, group.key, Grain::Minute.start(at.ms()));
        let empty = || Cell::empty(meter.draft.aggregation);
        let minute = self.minutes.entry(minute).or_insert_with(empty);
        minute.add_units(units)?;
        self.groups.entry((meter.id, group.key)).or_insert(group);
        Ok(())
    }

    /// The groups that something was counted of.
    pub(super) fn group_keys(&self) -> Vec<(MeterId, GroupKey)> {
        self.groups.keys().copied().collect()
    }

    /// Leaves a group out.
    pub(super) fn forget(&mut self, meter: MeterId, group: GroupKey) {
        self.groups.remove(&(meter, group));
        self.minutes
            .retain(|(of, key, _), _| (*of, *key) != (meter, group));
    }

    pub(super) fn count(
        &mut self,
        meter: &'m Meter,
        reading: &Reading,
        group: Group,
    ) -> Result<(), MeterError> {
        let at = Grain::Minute.start(reading.at);
        let empty = || Cell::empty(meter.draft.aggregation);
        self.minutes
            .entry((meter.id, group.key, at))
            .or_insert_with(empty)
            .add(reading, at)?;
        if meter.draft.product.is_some() {
            let place = self.meters.iter().position(|other| other.id == meter.id);
            let key = (place.unwrap_or(0), group.subject.clone());
            let by_time = self.licenses.entry(key).or_default();
            let sum = by_time.entry(reading.at).or_default();
            *sum = sum.checked_add(billed(meter, reading)).ok_or(TooLarge)?;
        }
        self.groups.entry((meter.id, group.key)).or_insert(group);
        Ok(())
    }

    /// Lets the minutes wait for the roll-ups, and adds to what licenses are billed by.
    pub(super) fn store(self, cx: &mut Cx<'_>) -> Result<(), MeterError> {
        self.store_groups(cx)?;
        rollup::append(cx, self.seller, self.meters, &self.minutes)?;
        for ((place, subject), by_time) in self.licenses {
            if let Some(meter) = self.meters.get(place) {
                bill(cx, meter, &subject, &by_time)?;
            }
        }
        Ok(())
    }

    fn store_groups(&self, cx: &mut Cx<'_>) -> Result<(), MeterError> {
        let mut by_meter: BTreeMap<MeterId, Vec<GroupKey>> = BTreeMap::new();
        for (meter, key) in self.groups.keys() {
            by_meter.entry(*meter).or_default().push(*key);
        }
        for (meter, keys) in by_meter {
            let known = sql::known_groups(cx.tx, meter, &keys)?;
            let mut more = 0;
            for key in keys.iter().filter(|key| !known.contains(*key)) {
                if let Some(group) = self.groups.get(&(meter, *key)) {
                    more += i64::from(sql::add_group(cx.tx, meter, group)?);
                }
            }
            if more > 0 && sql::add_group_count(cx.tx, meter, more)? > MAX_GROUPS {
                return Err(MeterError::TooManyGroups);
            }
        }
        Ok(())
    }
}
