//! A roll-up: what the events of one stretch of time come to. Roll-ups of a stretch add up to the
//! roll-up of the whole, in any order. Pure.

use super::code::{Broken, Reader, Writer};
use super::decimal::{Decimal, divide_half_even};
use super::meter::Aggregation;
use super::sketch::{Spread, Unique};
use super::window::Span;
use sha2::{Digest, Sha256};

/// What one event says to one meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When it happened, in milliseconds.
    pub at: i64,
    /// When it arrived: the later one of two that happened at once is the latest.
    pub arrived: i64,
    /// The number, where the meter wants one.
    pub value: Decimal,
    /// What was seen, by the hash of its text, where the meter counts different ones.
    pub seen: [u8; 16],
}

/// The hash by which values are told apart.
pub fn seen(text: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
    short
}

/// Sums that don't fit any more: nobody counts that much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sum is too large")]
pub struct TooLarge;

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Count,
    Sum(Decimal),
    Least(Option<Decimal>),
    Most(Option<Decimal>),
    Latest(Option<(i64, i64, Decimal)>),
    /// The sum of changes, and each times its milliseconds since the stretch began.
    Level {
        sum: Decimal,
        moment: i128,
    },
    Unique(Unique),
    Spread(Spread),
}

/// The roll-up of one stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    count: u64,
    state: State,
}

/// What a window comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// The number; `None` where nothing happened that has one.
    pub value: Option<Decimal>,
    /// Whether it is exact, or a sketch's estimate.
    pub exact: bool,
    /// How many events it was made of.
    pub events: u64,
}

impl Cell {
    /// Of no events.
    pub fn empty(aggregation: Aggregation) -> Self {
        use Aggregation as A;
        let state = match aggregation {
            A::Count => State::Count,
            A::Sum | A::Average => State::Sum(Decimal::ZERO),
            A::Min => State::Least(None),
            A::Max => State::Most(None),
            A::Latest => State::Latest(None),
            A::WeightedSum => State::Level {
                sum: Decimal::ZERO,
                moment: 0,
            },
            A::UniqueCount => State::Unique(Unique::default()),
            A::Percentile(_) => State::Spread(Spread::default()),
        };
        Self { count: 0, state }
    }

    /// Whether it is made of no events.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sum of changes, where the meter follows a level.
    pub const fn change(&self) -> Decimal {
        match &self.state {
            State::Level { sum, .. } => *sum,
            _ => Decimal::ZERO,
        }
    }

    /// One more event, of a stretch that begins at `start`.
    pub fn add(&mut self, reading: &Reading, start: i64) -> Result<(), TooLarge> {
        let value = reading.value;
        match &mut self.state {
            State::Count => {}
            State::Sum(sum) => *sum = sum.checked_add(value).ok_or(TooLarge)?,
            State::Least(least) => *least = Some(least.map_or(value, |kept| kept.min(value))),
            State::Most(most) => *most = Some(most.map_or(value, |kept| kept.max(value))),
            State::Latest(latest) => {
                *latest = (*latest).max(Some((reading.at, reading.arrived, value)));
            }
            State::Level { sum, moment } => {
                let after = i128::from(reading.at - start);
                let turn = value.raw().checked_mul(after).ok_or(TooLarge)?;
                *sum = sum.checked_add(value).ok_or(TooLarge)?;
                *moment = moment.checked_add(turn).ok_or(TooLarge)?;
            }
            State::Unique(unique) => unique.add(reading.seen),
            State::Spread(spread) => spread.add(value.raw()),
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Adds units that were counted before they came: a count of so many, or one number of a sum.
    pub fn add_units(&mut self, units: u64) -> Result<(), TooLarge> {
        if let State::Sum(sum) = &mut self.state {
            let more = i64::try_from(units).map_err(|_| TooLarge)?;
            *sum = sum.checked_add(Decimal::whole(more)).ok_or(TooLarge)?;
        }
        let counted = match self.state {
            State::Count => units,
            _ => 1,
        };
        self.count = self.count.saturating_add(counted);
        Ok(())
    }

    /// Adds the roll-up of a stretch that begins `later` milliseconds after this one's.
    pub fn merge(&mut self, other: &Self, later: i64) -> Result<(), TooLarge> {
        match (&mut self.state, &other.state) {
            (State::Sum(ours), State::Sum(theirs)) => {
                *ours = ours.checked_add(*theirs).ok_or(TooLarge)?;
            }
            (State::Least(ours), State::Least(theirs)) => {
                *ours = [*ours, *theirs].into_iter().flatten().min();
            }
            (State::Most(ours), State::Most(theirs)) => *ours = (*ours).max(*theirs),
            (State::Latest(ours), State::Latest(theirs)) => *ours = (*ours).max(*theirs),
            (
                State::Level { sum, moment },
                State::Level {
                    sum: more,
                    moment: turns,
                },
            ) => {
                let shift = more.raw().checked_mul(i128::from(later)).ok_or(TooLarge)?;
                let turns = turns.checked_add(shift).ok_or(TooLarge)?;
                *sum = sum.checked_add(*more).ok_or(TooLarge)?;
                *moment = moment.checked_add(turns).ok_or(TooLarge)?;
            }
            (State::Unique(ours), State::Unique(theirs)) => ours.merge(theirs),
            (State::Spread(ours), State::Spread(theirs)) => ours.merge(theirs),
            // A meter's aggregation never changes, so these are two counts.
            _ => {}
        }
        self.count = self.count.saturating_add(other.count);
        Ok(())
    }

    /// What the stretch comes to. A meter that follows a level says where it stood at the
    /// stretch's beginning; what counts is the level's mean over the stretch.
    pub fn figure(
        &self,
        aggregation: Aggregation,
        span: Span,
        before: Decimal,
    ) -> Result<Figure, TooLarge> {
        let exactly = |value| (value, true);
        let (value, exact) = match &self.state {
            State::Count => {
                let count = i64::try_from(self.count).map_err(|_| TooLarge)?;
                exactly(Some(Decimal::whole(count)))
            }
            State::Sum(sum) if aggregation == Aggregation::Average => {
                exactly(sum.divided(i128::from(self.count)))
            }
            State::Sum(sum) => exactly(Some(*sum)),
            State::Least(value) | State::Most(value) => exactly(*value),
            State::Latest(latest) => exactly(latest.map(|(_, _, value)| value)),
            State::Level { sum, moment } => {
                let length = i128::from(span.length());
                let whole = before.checked_add(*sum).ok_or(TooLarge)?;
                let area = whole.raw().checked_mul(length).ok_or(TooLarge)?;
                let area = area.checked_sub(*moment).ok_or(TooLarge)?;
                exactly(divide_half_even(area, length).map(Decimal::from_raw))
            }
            State::Unique(unique) => {
                let (count, exact) = unique.count();
                (Some(Decimal::whole(count)), exact)
            }
            State::Spread(spread) => {
                let share = match aggregation {
                    Aggregation::Percentile(share) => share,
                    _ => 5_000,
                };
                let found = spread.percentile(share);
                let value = found.map(|(raw, _)| Decimal::from_raw(raw));
                (value, found.is_none_or(|(_, exact)| exact))
            }
        };
        Ok(Figure {
            value,
            exact,
            events: self.count,
        })
    }

    /// As stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.number(self.count);
        match &self.state {
            State::Count => {}
            State::Sum(sum) => out.signed(sum.raw()),
            State::Least(value) | State::Most(value) => {
                out.signed(value.unwrap_or_default().raw());
            }
            State::Latest(latest) => {
                let (at, arrived, value) = latest.unwrap_or_default();
                out.signed(i128::from(at));
                out.signed(i128::from(arrived));
                out.signed(value.raw());
            }
            State::Level { sum, moment } => {
                out.signed(sum.raw());
                out.signed(*moment);
            }
            State::Unique(unique) => unique.write(&mut out),
            State::Spread(spread) => spread.write(&mut out),
        }
        out.into_bytes()
    }

    /// Reads what [`Cell::to_bytes`] wrote for a meter of the same aggregation.
    pub fn from_bytes(aggregation: Aggregation, bytes: &[u8]) -> Result<Self, Broken> {
        let mut input = Reader::new(bytes);
        let mut cell = Self::empty(aggregation);
        cell.count = input.number()?;
        let some = cell.count > 0;
        let decimal = |input: &mut Reader<'_>| input.signed().map(Decimal::from_raw);
        match &mut cell.state {
            State::Count => {}
            State::Sum(sum) => *sum = decimal(&mut input)?,
            State::Least(value) | State::Most(value) => {
                *value = Some(decimal(&mut input)?).filter(|_| some);
            }
            State::Latest(latest) => {
                let at = i64::try_from(input.signed()?).map_err(|_| Broken)?;
                let arrived = i64::try_from(input.signed()?).map_err(|_| Broken)?;
                *latest = Some((at, arrived, decimal(&mut input)?)).filter(|_| some);
            }
            State::Level { sum, moment } => {
                (*sum, *moment) = (decimal(&mut input)?, input.signed()?);
            }
            State::Unique(unique) => *unique = Unique::read(&mut input)?,
            State::Spread(spread) => *spread = Spread::read(&mut input)?,
        }
        Ok(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::{Grain, cover};
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const MINUTE: i64 = 60_000;

    fn all() -> [Aggregation; 9] {
        use Aggregation as A;
        [
            A::Count,
            A::Sum,
            A::Min,
            A::Max,
            A::Latest,
            A::UniqueCount,
            A::Average,
            A::Percentile(9_500),
            A::WeightedSum,
        ]
    }

    fn reading(at: i64, arrived: i64, value: i64) -> Reading {
        let value = Decimal::from_raw(i128::from(value) * 1_000_000_007);
        Reading {
            at,
            arrived,
            value,
            seen: seen(&value.to_string()),
        }
    }

    /// Recomputed from the events alone, by the words of the documentation.
    fn naive(aggregation: Aggregation, events: &[Reading], span: Span) -> Option<Decimal> {
        let inside: Vec<_> = events
            .iter()
            .filter(|event| span.from <= event.at && event.at < span.until)
            .collect();
        let mut values: Vec<_> = inside.iter().map(|event| event.value).collect();
        values.sort_unstable();
        let sum: i128 = values.iter().map(|value| value.raw()).sum();
        let count = inside.len();
        let latest = inside
            .iter()
            .max_by_key(|event| (event.at, event.arrived, event.value));
        match aggregation {
            Aggregation::Count => Some(Decimal::whole(count as i64)),
            Aggregation::Sum => Some(Decimal::from_raw(sum)),
            Aggregation::Average => Decimal::from_raw(sum).divided(count as i128),
            Aggregation::Min => values.first().copied(),
            Aggregation::Max => values.last().copied(),
            Aggregation::Latest => latest.map(|event| event.value),
            Aggregation::UniqueCount => {
                let different: BTreeSet<_> = values.iter().collect();
                Some(Decimal::whole(different.len() as i64))
            }
            Aggregation::Percentile(share) => {
                let rank = (count * share as usize).div_ceil(10_000).max(1);
                values.get(rank - 1).copied()
            }
            Aggregation::WeightedSum => {
                let mut area = 0_i128;
                for event in events.iter().filter(|event| event.at < span.until) {
                    let since = event.at.max(span.from);
                    area += event.value.raw() * i128::from(span.until - since);
                }
                divide_half_even(area, i128::from(span.length())).map(Decimal::from_raw)
            }
        }
    }

    /// The same from roll-ups of minutes, hours and days, stored and read back.
    fn rolled(aggregation: Aggregation, events: &[Reading], span: Span) -> Option<Decimal> {
        let mut cells: BTreeMap<(Grain, i64), Vec<u8>> = BTreeMap::new();
        for event in events {
            for grain in Grain::ALL {
                let start = grain.start(event.at);
                let stored = cells.entry((grain, start));
                let stored = stored.or_insert_with(|| Cell::empty(aggregation).to_bytes());
                let mut cell = Cell::from_bytes(aggregation, stored).expect("reads");
                cell.add(event, start).expect("fits");
                *stored = cell.to_bytes();
            }
        }
        let gather = |span: Span| {
            let mut whole = Cell::empty(aggregation);
            for stretch in cover(span) {
                let range = (stretch.grain, stretch.span.from)..(stretch.grain, stretch.span.until);
                for ((_, start), stored) in cells.range(range) {
                    let cell = Cell::from_bytes(aggregation, stored).expect("reads");
                    whole.merge(&cell, start - span.from).expect("fits");
                }
            }
            whole
        };
        let before = gather(Span {
            from: 0,
            until: span.from,
        });
        let figure = gather(span).figure(aggregation, span, before.change());
        figure.expect("fits").value
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn roll_ups_say_what_a_naive_recomputation_says(
            events in proptest::collection::vec((0_i64..4 * 86_400_000, 0_i64..50, -500_i64..500), 0..200),
            from in 0_i64..4 * 1440,
            minutes in 1_i64..4 * 1440,
        ) {
            let events: Vec<_> = events.into_iter().map(|(at, arrived, value)| reading(at, arrived, value)).collect();
            let span = Span { from: from * MINUTE, until: (from + minutes) * MINUTE };
            for aggregation in all() {
                prop_assert_eq!(
                    rolled(aggregation, &events, span),
                    naive(aggregation, &events, span),
                    "{:?}", aggregation
                );
            }
        }

        #[test]
        fn stored_bytes_that_are_broken_are_refused_or_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            for aggregation in all() {
                drop(Cell::from_bytes(aggregation, &bytes));
            }
        }
    }

    #[test]
    fn a_level_is_weighed_by_its_time() {
        let span = Span {
            from: 0,
            until: 10 * MINUTE,
        };
        // 4 for the whole stretch, 6 more for the second half of it.
        let mut cell = Cell::empty(Aggregation::WeightedSum);
        let six = Reading {
            at: 5 * MINUTE,
            arrived: 0,
            value: Decimal::whole(6),
            seen: [0; 16],
        };
        cell.add(&six, 0).expect("fits");
        let figure = cell.figure(Aggregation::WeightedSum, span, Decimal::whole(4));
        assert_eq!(figure.expect("fits").value, Some(Decimal::whole(7)));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut cell = Cell::empty(Aggregation::Sum);
        let most = Reading {
            at: 0,
            arrived: 0,
            value: Decimal::from_raw(i128::MAX),
            seen: [0; 16],
        };
        assert_eq!(cell.add(&most, 0), Ok(()));
        assert_eq!(cell.add(&most, 0), Err(TooLarge));
        assert_eq!(cell.clone().merge(&cell, 0), Ok(()).and(Err(TooLarge)));
    }
}
