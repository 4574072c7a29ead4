//! What can't be added up: which values were seen, and how they spread. Exact up to a bound, then a
//! sketch whose error is known. Integers throughout. Pure.
//!
//! Different values beyond the bound are counted by HyperLogLog with 4096 registers: a standard
//! error of 1.04 / 64 = 1.6 %. A spread beyond the bound keeps how many values fell between each
//! pair of marks 1/128 apart: a percentile is then off by at most 0.4 % of its value.

use super::code::{Broken, Reader, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// Values that are kept exactly.
pub const EXACT: usize = 1024;
const REGISTERS: usize = 4096;
const REGISTER_BITS: u32 = 12;

/// Which different values were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unique {
    /// All of them, by the first half of their SHA-256.
    Exact(BTreeSet<[u8; 16]>),
    /// The longest run of zeros by register.
    Estimated(Box<[u8; REGISTERS]>),
}

impl Default for Unique {
    fn default() -> Self {
        Self::Exact(BTreeSet::new())
    }
}

impl Unique {
    /// One more value, by its hash.
    pub fn add(&mut self, hash: [u8; 16]) {
        match self {
            Self::Exact(seen) => {
                seen.insert(hash);
                if seen.len() > EXACT {
                    *self = Self::Estimated(registers(seen));
                }
            }
            Self::Estimated(registers) => note(registers, &hash),
        }
    }

    /// What both saw.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(seen) => seen.iter().for_each(|hash| self.add(*hash)),
            Self::Estimated(theirs) => {
                let mut ours = match self {
                    Self::Exact(seen) => registers(seen),
                    Self::Estimated(ours) => ours.clone(),
                };
                for (ours, theirs) in ours.iter_mut().zip(theirs.iter()) {
                    *ours = (*ours).max(*theirs);
                }
                *self = Self::Estimated(ours);
            }
        }
    }

    /// How many, and whether that is exact.
    pub fn count(&self) -> (i64, bool) {
        match self {
            Self::Exact(seen) => (i64::try_from(seen.len()).unwrap_or(i64::MAX), true),
            Self::Estimated(registers) => (estimate(registers), false),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Exact(seen) => {
                out.number(seen.len() as u64);
                seen.iter().for_each(|hash| out.bytes(hash));
            }
            Self::Estimated(registers) => {
                out.number(EXACT as u64 + 1);
                out.bytes(&registers[..]);
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, Broken> {
        let length = usize::try_from(input.number()?).map_err(|_| Broken)?;
        if length <= EXACT {
            let hashes = (0..length).map(|_| input.array());
            return hashes.collect::<Result<_, _>>().map(Self::Exact);
        }
        Ok(Self::Estimated(Box::new(input.array()?)))
    }
}

fn registers(seen: &BTreeSet<[u8; 16]>) -> Box<[u8; REGISTERS]> {
    let mut registers = Box::new([0; REGISTERS]);
    seen.iter().for_each(|hash| note(&mut registers, hash));
    registers
}

fn note(registers: &mut [u8; REGISTERS], hash: &[u8; 16]) {
    let bits = u128::from_be_bytes(*hash);
    let register = (bits >> (128 - REGISTER_BITS)) as usize;
    let run = (bits << REGISTER_BITS).leading_zeros().min(60) + 1;
    if let Some(kept) = registers.get_mut(register) {
        *kept = (*kept).max(run as u8);
    }
}

/// HyperLogLog's estimate; while registers are empty, linear counting is better for few values.
fn estimate(registers: &[u8; REGISTERS]) -> i64 {
    let m = REGISTERS as u128;
    let empty = registers.iter().filter(|run| **run == 0).count() as u128;
    // The harmonic sum in units of 2^-64.
    let sum: u128 = registers
        .iter()
        .map(|run| 1_u128 << (64 - u32::from(*run)))
        .sum();
    // alpha = 0.7213 / (1 + 1.079 / m), in millionths.
    let alpha = 721_300 * m * 1000 / (m * 1000 + 1079);
    let raw = ((alpha * m * m) << 40) / ((sum >> 24) * 1_000_000).max(1);
    let counted = match empty {
        0 => raw,
        _ if raw > 5 * m / 2 => raw,
        // m × ln(m / empty).
        _ => (m * u128::from(ln_fixed(m as u64, empty as u64))) >> 32,
    };
    i64::try_from(counted).unwrap_or(i64::MAX)
}

/// ln(a / b) in units of 2^-32, for a ≥ b ≥ 1 below 2^31: the binary logarithm by squaring.
fn ln_fixed(a: u64, b: u64) -> u64 {
    const LN_2: u128 = 2_977_044_472;
    let mut x = ((u128::from(a)) << 32) / u128::from(b.max(1));
    let mut log2: u128 = 0;
    while x >= 2 << 32 {
        x >>= 1;
        log2 += 1 << 32;
    }
    for bit in (0..32).rev() {
        x = (x * x) >> 32;
        if x >= 2 << 32 {
            x >>= 1;
            log2 += 1 << bit;
        }
    }
    ((log2 * LN_2) >> 32) as u64
}

/// How values spread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spread {
    /// All of them, sorted when asked.
    Exact(Vec<i128>),
    /// How many fell between marks.
    Estimated(BTreeMap<i32, u64>),
}

impl Default for Spread {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Spread {
    /// One more value.
    pub fn add(&mut self, value: i128) {
        match self {
            Self::Exact(values) => {
                values.push(value);
                if values.len() > EXACT {
                    *self = Self::Estimated(marks(values));
                }
            }
            Self::Estimated(marks) => {
                let kept = marks.entry(mark(value)).or_default();
                *kept = kept.saturating_add(1);
            }
        }
    }

    /// What both hold.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::Exact(values) => values.iter().for_each(|value| self.add(*value)),
            Self::Estimated(theirs) => {
                let mut ours = match self {
                    Self::Exact(values) => marks(values),
                    Self::Estimated(ours) => std::mem::take(ours),
                };
                for (mark, count) in theirs {
                    let kept = ours.entry(*mark).or_default();
                    *kept = kept.saturating_add(*count);
                }
                *self = Self::Estimated(ours);
            }
        }
    }

    /// The value at a rank of ten-thousands (9500 for the 95th percentile), by nearest rank, and
    /// whether it is exact.
    pub fn percentile(&self, of_ten_thousand: u32) -> Option<(i128, bool)> {
        let rank = |count: u128| {
            (count * u128::from(of_ten_thousand))
                .div_ceil(10_000)
                .max(1)
        };
        match self {
            Self::Exact(values) => {
                let mut sorted = values.clone();
                sorted.sort_unstable();
                let at = usize::try_from(rank(sorted.len() as u128) - 1).ok()?;
                sorted.get(at).map(|value| (*value, true))
            }
            Self::Estimated(marks) => {
                let count: u128 = marks.values().map(|count| u128::from(*count)).sum();
                let (wanted, mut passed) = (rank(count), 0);
                let found = marks.iter().find(|(_, count)| {
                    passed += u128::from(**count);
                    passed >= wanted
                });
                found.map(|(mark, _)| (middle(*mark), false))
            }
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Exact(values) => {
                out.number(values.len() as u64);
                values.iter().for_each(|value| out.signed(*value));
            }
            Self::Estimated(marks) => {
                out.number((EXACT + 1 + marks.len()) as u64);
                for (mark, count) in marks {
                    out.signed(i128::from(*mark));
                    out.number(*count);
                }
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self, Broken> {
        let length = usize::try_from(input.number()?).map_err(|_| Broken)?;
        if length <= EXACT {
            let values = (0..length).map(|_| input.signed());
            return values.collect::<Result<_, _>>().map(Self::Exact);
        }
        let pair = |_| {
            let mark = i32::try_from(input.signed()?).map_err(|_| Broken)?;
            Ok((mark, input.number()?))
        };
        let marks = (0..length - EXACT - 1).map(pair);
        marks.collect::<Result<_, _>>().map(Self::Estimated)
    }
}

fn marks(values: &[i128]) -> BTreeMap<i32, u64> {
    let mut marks = BTreeMap::new();
    for value in values {
        *marks.entry(mark(*value)).or_default() += 1;
    }
    marks
}

/// The mark below a value: its sign, its highest bit, and the seven bits behind it. Values below
/// 256 have a mark each.
fn mark(value: i128) -> i32 {
    let size = value.unsigned_abs();
    let index = match size {
        0..256 => size as i32,
        _ => {
            let top = size.ilog2();
            let bits = (size >> (top - 7)) as i32 - 128;
            256 + (top as i32 - 8) * 128 + bits
        }
    };
    if value < 0 { -index } else { index }
}

/// The value in the middle between a mark and the next.
fn middle(mark: i32) -> i128 {
    let index = mark.unsigned_abs();
    let size = match index {
        0..256 => i128::from(index),
        _ => {
            let (top, bits) = ((index - 256) / 128 + 8, (index - 256) % 128 + 128);
            let shift = (top - 7).min(119);
            (i128::from(bits) << shift) + (1_i128 << (shift - 1))
        }
    };
    if mark < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    fn hash(n: u32) -> [u8; 16] {
        let whole = Sha256::digest(n.to_be_bytes());
        whole[..16].try_into().expect("sixteen bytes")
    }

    #[test]
    fn different_values_are_counted_exactly_and_then_nearly() {
        for (count, most_off) in [
            (0, 0),
            (1, 0),
            (1024, 0),
            (1025, 40),
            (5000, 150),
            (12_000, 500),
            (100_000, 4000),
        ] {
            let mut unique = Unique::default();
            for n in 0..count {
                unique.add(hash(n));
                unique.add(hash(n / 2));
            }
            let (found, exact) = unique.count();
            assert_eq!(exact, count <= 1024);
            assert!(
                (found - i64::from(count)).abs() <= most_off,
                "{count} gave {found}"
            );
        }
    }

    #[test]
    fn parts_merge_into_what_the_whole_would_be() {
        let (mut whole, mut left, mut right) =
            (Unique::default(), Unique::default(), Unique::default());
        for n in 0..3000 {
            whole.add(hash(n));
            if n % 3 == 0 {
                left.add(hash(n))
            } else {
                right.add(hash(n))
            }
        }
        assert!(matches!(
            (&left, &right),
            (Unique::Exact(_), Unique::Estimated(_))
        ));
        let mut other = right.clone();
        other.merge(&left);
        left.merge(&right);
        assert_eq!((&left, &other), (&whole, &whole));
        assert_eq!(Unique::default().count(), (0, true));
    }

    fn stored(unique: &Unique, spread: &Spread) {
        let mut out = Writer::default();
        unique.write(&mut out);
        spread.write(&mut out);
        let bytes = out.into_bytes();
        let mut input = Reader::new(&bytes);
        assert_eq!(Unique::read(&mut input).as_ref(), Ok(unique));
        assert_eq!(Spread::read(&mut input).as_ref(), Ok(spread));
        let mut cut = Reader::new(&bytes[..bytes.len() - 1]);
        let read = Unique::read(&mut cut).and_then(|_| Spread::read(&mut cut).map(drop));
        assert_eq!(read, Err(Broken));
    }

    #[test]
    fn both_are_stored_and_read_back() {
        let (mut unique, mut spread) = (Unique::default(), Spread::default());
        for n in 0..2000_u32 {
            if [0, 1, 1000, 1024, 1025, 1999].contains(&n) {
                stored(&unique, &spread);
            }
            unique.add(hash(n));
            spread.add(i128::from(n) * 1_000_003 - 900_000_000);
        }
        stored(&unique, &spread);
    }

    #[test]
    fn marks_rise_with_values_and_their_middles_are_near() {
        let mut last = i32::MIN;
        for value in [
            i128::MIN + 1,
            -(1 << 80),
            -300,
            -256,
            -255,
            -1,
            0,
            1,
            255,
            256,
            257,
            300,
            1 << 80,
            i128::MAX,
        ] {
            let found = mark(value);
            assert!(found >= last, "{value}");
            last = found;
            let off = (middle(found) - value).unsigned_abs();
            assert!(
                off <= value.unsigned_abs() / 256 + 1,
                "{value} gave {}",
                middle(found)
            );
        }
    }

    proptest! {
        #[test]
        fn percentiles_are_the_naive_ones_or_near(
            values in proptest::collection::vec(-1_000_000_i64..1_000_000_000, 1..3000),
            share in 0_u32..=10_000,
        ) {
            let mut spread = Spread::default();
            values.iter().for_each(|value| spread.add(i128::from(*value)));
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let rank = (sorted.len() * share as usize).div_ceil(10_000).max(1);
            let expected = i128::from(sorted[rank - 1]);
            let (found, exact) = spread.percentile(share).expect("a value");
            prop_assert_eq!(exact, values.len() <= EXACT);
            let most = if exact { 0 } else { expected.unsigned_abs() / 256 + 1 };
            prop_assert!((found - expected).unsigned_abs() <= most);
        }
    }
}
