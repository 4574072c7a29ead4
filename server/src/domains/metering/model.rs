//! Windows, steps and errors of usage. Pure.

use super::evidence::model::MAX_REASON;
use crate::caller::Denied;
use crate::domains::licensing::LicensingError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::LicenseId;

/// Most steps one chart has.
pub const MAX_STEPS: i64 = 400;

/// How wide a step of a chart is; steps begin at UTC hours and days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Sixty minutes.
    Hour,
    /// From midnight to midnight UTC.
    Day,
}

impl Grain {
    /// Every grain that is stored.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// As stored and asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Reads what [`Grain::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grain| grain.name() == name)
    }

    /// Its length in milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The first instant of the step that holds `at`.
    pub const fn start(self, at: Timestamp) -> Timestamp {
        Timestamp::from_ms(at.ms().div_euclid(self.ms()).saturating_mul(self.ms()))
    }
}

/// One step of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Its first instant.
    pub at: Timestamp,
    /// Units that were counted in it.
    pub units: i64,
}

/// A stretch of time in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first step's first instant.
    pub from: Timestamp,
    /// How many steps, 1 to [`MAX_STEPS`].
    pub steps: i64,
    /// How wide they are.
    pub grain: Grain,
}

impl Window {
    /// The `steps` steps that end with the one that holds `now`.
    pub fn ending_at(now: Timestamp, grain: Grain, steps: i64) -> Self {
        let steps = steps.clamp(1, MAX_STEPS);
        let from = grain.start(now).plus_ms(-grain.ms() * (steps - 1));
        Self { from, steps, grain }
    }

    /// The instant after the last.
    pub fn until(&self) -> Timestamp {
        self.from
            .plus_ms(self.grain.ms().saturating_mul(self.steps))
    }

    /// Every step, with nothing counted.
    pub fn empty(&self) -> Vec<Day> {
        let at = |step| self.from.plus_ms(self.grain.ms() * step);
        (0..self.steps)
            .map(|step| Day {
                at: at(step),
                units: 0,
            })
            .collect()
    }

    /// Counted steps laid into the window's empty ones.
    pub fn fill(&self, counted: &[Day]) -> Vec<Day> {
        let mut days = self.empty();
        for day in counted {
            let step = day.at.since_ms(self.from).div_euclid(self.grain.ms());
            let slot = usize::try_from(step)
                .ok()
                .and_then(|step| days.get_mut(step));
            if let Some(slot) = slot {
                slot.units = slot.units.saturating_add(day.units);
            }
        }
        days
    }
}

/// What one license used in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseUnits {
    /// Which license.
    pub license: LicenseId,
    /// Units of all its meters.
    pub units: i64,
}

/// What became of a segment that could be believed. Each answer carries the stream's receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was counted now.
    Counted,
    /// It had been counted before: a success.
    CountedBefore,
    /// Segments before it are missing.
    Gap {
        /// Of the open epoch.
        epoch: u64,
        /// Send from here on.
        need_from_seq: u64,
    },
    /// Another continuation of the chain was accepted before; this one is kept as evidence.
    Fork,
}

impl Outcome {
    /// Whether it is counted, now or before.
    pub const fn is_counted(&self) -> bool {
        matches!(self, Self::Counted | Self::CountedBefore)
    }
}

/// The answer to a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What became of it.
    pub outcome: Outcome,
    /// The signed receipt of the stream's position: a bundle.
    pub receipt: Vec<u8>,
}

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum MeteringError {
    /// The segment can't be believed: malformed, badly signed, of another stream, or falling.
    #[error(transparent)]
    Segment(#[from] mintreu::Error),
    /// No device with that key was ever activated for that license.
    #[error("this device was never activated for this license; activate it first")]
    UnknownDevice,
    /// Its seat was given up.
    #[error("this device gave up its seat; activate it again")]
    Deactivated,
    /// The license was withdrawn.
    #[error("this license was revoked")]
    Revoked,
    /// The segment speaks of another product than the license.
    #[error("this license is for another product")]
    WrongProduct,
    /// One segment adds more than anybody counts.
    #[error("a segment can add at most {MAX_INCREASE} units to a meter")]
    Implausible,
    /// The license counts too many different things.
    #[error("a license can have at most {MAX_CELLS} combinations of subject, meter and dimensions")]
    TooManyCells,
    /// More forks than are kept as evidence.
    #[error("this device's usage has forked too often; activate it anew")]
    TooManyForks,
    /// Not here, or not for this caller.
    #[error("there is no such usage")]
    NotFound,
    /// The dispute was decided before.
    #[error("this was decided before")]
    Decided,
    /// A decision's reason is too long.
    #[error("a reason has at most {MAX_REASON} characters")]
    ReasonTooLong,
    /// The keys.
    #[error(transparent)]
    Licensing(#[from] LicensingError),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Most units that one segment may add to one cell: what it takes to overflow a total is then
/// thousands of segments, each signed.
pub const MAX_INCREASE: u64 = 1_000_000_000_000_000;

/// Most combinations of subject, meter and dimensions of one license.
pub const MAX_CELLS: i64 = 10_000;

/// Most forked segments of one stream that are kept.
pub const MAX_FORKS: i64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_with_the_step_of_now() {
        let noon = Timestamp::from_ms(10 * 86_400_000 + 43_200_000);
        let window = Window::ending_at(noon, Grain::Day, 3);
        assert_eq!(window.from.ms(), 8 * 86_400_000);
        assert_eq!(window.until().ms(), 11 * 86_400_000);
        let counted = [
            Day {
                at: Timestamp::from_ms(9 * 86_400_000),
                units: 5,
            },
            Day {
                at: Timestamp::from_ms(7 * 86_400_000),
                units: 9,
            },
            Day {
                at: Timestamp::from_ms(11 * 86_400_000),
                units: 9,
            },
        ];
        let units: Vec<_> = window.fill(&counted).iter().map(|day| day.units).collect();
        assert_eq!(units, [0, 5, 0]);
        assert_eq!(
            Window::ending_at(noon, Grain::Hour, 100_000).steps,
            MAX_STEPS
        );
        assert_eq!(Grain::Day.start(Timestamp::from_ms(-1)).ms(), -86_400_000);
    }
}
