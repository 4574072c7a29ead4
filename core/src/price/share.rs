//! A part of a period, and what of a period's amounts falls into it.

use super::{Rounding, Scheme, Tariff};
use crate::error::{Error, Result};

/// The part of a period from one instant to another, in milliseconds (or days, or any unit) since
/// the period's first.
///
/// What falls into a part is the difference of what falls before its two ends, each rounded: so
/// parts that follow one another always add up to the whole, whichever way they are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    from: u64,
    to: u64,
    whole: u64,
}

impl Share {
    /// From `from` to `to` of a period of the length `whole`; `share_invalid` where that is no
    /// part of it.
    pub fn new(from: u64, to: u64, whole: u64) -> Result<Self> {
        match from <= to && to <= whole && whole > 0 {
            true => Ok(Self { from, to, whole }),
            false => Err(Error::new(
                "share_invalid",
                "a share lies inside its period",
            )),
        }
    }

    /// What of `minor` units a period falls into it. `minor` is not below zero.
    pub fn of_amount(self, minor: i64, rounding: Rounding) -> i64 {
        let before =
            |end: u64| rounding.divide(i128::from(minor) * i128::from(end), i128::from(self.whole));
        // A part of a 64-bit amount.
        i64::try_from(before(self.to) - before(self.from)).unwrap_or(minor)
    }

    /// What of `units` a period falls into it.
    pub fn of_units(self, units: u64) -> u64 {
        let before = |end: u64| u128::from(units) * u128::from(end) / u128::from(self.whole);
        u64::try_from(before(self.to) - before(self.from)).unwrap_or(units)
    }
}

impl Tariff {
    /// The tariff of a part of a period: what a period asks or gives as a whole is shared by time
    /// (a flat amount, the minimum, the maximum, free units), what is used costs what it costs.
    #[must_use]
    pub fn prorated(mut self, share: Share) -> Self {
        if let Scheme::Flat { amount } = &mut self.scheme {
            *amount = share.of_amount(*amount, self.rounding);
        }
        let of = |bound: i64| share.of_amount(bound, self.rounding);
        self.maximum = self.maximum.map(of);
        // Two rounded bounds may cross by one minor unit; the customer has the benefit.
        let least = self.minimum.map(of);
        self.minimum = least.map(|least| self.maximum.map_or(least, |most| least.min(most)));
        self.free_units = share.of_units(self.free_units);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price::rate;
    use proptest::prelude::*;

    #[test]
    fn a_third_of_a_month_costs_a_third() {
        let tariff: Tariff = "EUR flat 30.00".parse().expect("a tariff");
        let third = Share::new(0, 10, 30).expect("a share");
        let rated = rate(&tariff.prorated(third), 0).expect("rated");
        assert_eq!(rated.total.to_string(), "10.00 EUR");
        let bounded: Tariff = "JPY per_unit 1; free 100; min 10; max 11"
            .parse()
            .expect("a tariff");
        let half = bounded.prorated(Share::new(0, 1, 2).expect("a share"));
        assert_eq!(half.to_string(), "JPY per_unit 1; free 50; min 5; max 6");
        for (from, to, whole) in [(2, 1, 3), (0, 4, 3), (0, 0, 0)] {
            let refused = Share::new(from, to, whole).map_err(|e| e.code());
            assert_eq!(refused, Err("share_invalid"));
        }
    }

    proptest! {
        #[test]
        fn parts_add_up_however_they_are_cut(
            minor in 0..=i64::MAX, mut cuts in proptest::collection::vec(0_u64..=2_678_400_000, 0..6),
            rule in 0_usize..4,
        ) {
            let whole = 2_678_400_000;
            cuts.extend([0, whole]);
            cuts.sort_unstable();
            let rounding = Rounding::ALL[rule].0;
            let parts = cuts.windows(2).map(|ends| Share::new(ends[0], ends[1], whole).expect("a share"));
            let (mut money, mut units) = (0, 0);
            for part in parts {
                money += part.of_amount(minor, rounding);
                units += part.of_units(minor as u64);
            }
            prop_assert_eq!((money, units), (minor, minor as u64));
        }
    }
}
