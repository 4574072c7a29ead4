//! Minutes that were counted and wait to be added to what is stored: one request's in one text of
//! bytes, by meter, group and time.

use super::cell::Cell;
use super::code::{Broken, Reader, Writer};
use super::meter::Aggregation;
use mintreu::id::MeterId;
use std::collections::HashMap;

/// A group's key: a hash of its subject and dimensions.
pub type GroupKey = [u8; 16];

/// Which minute: of which meter, of whom, and its first instant in milliseconds.
pub type Minute = (MeterId, GroupKey, i64);

/// As stored; given in the order of their keys. Each meter and group is written once, each minute by
/// its distance from the last.
pub fn write(minutes: &[(Minute, Cell)]) -> Vec<u8> {
    let mut out = Writer::default();
    let mut of: Option<(MeterId, GroupKey)> = None;
    let mut last = 0;
    for ((meter, group, at), cell) in minutes {
        let same = of == Some((*meter, *group));
        out.number(u64::from(!same));
        if !same {
            out.bytes(meter.as_bytes());
            out.bytes(group);
            (of, last) = (Some((*meter, *group)), 0);
        }
        out.signed(i128::from(at - last));
        last = *at;
        let state = cell.to_bytes();
        out.number(state.len() as u64);
        out.bytes(&state);
    }
    out.into_bytes()
}

/// Reads what [`write()`] wrote, of the meters in `how` alone: a deleted one counts no more.
pub fn read(
    bytes: &[u8],
    how: &HashMap<MeterId, Aggregation>,
) -> Result<Vec<(Minute, Cell)>, Broken> {
    let mut found = Vec::new();
    let mut input = Reader::new(bytes);
    let mut of: Option<(MeterId, GroupKey)> = None;
    let mut at = 0_i64;
    while !input.is_empty() {
        if input.number()? != 0 {
            of = Some((MeterId::from_bytes(input.array()?), input.array()?));
            at = 0;
        }
        let (meter, group) = of.ok_or(Broken)?;
        let later = i64::try_from(input.signed()?).map_err(|_| Broken)?;
        at = at.checked_add(later).ok_or(Broken)?;
        let length = usize::try_from(input.number()?).map_err(|_| Broken)?;
        let state = input.bytes(length)?;
        if let Some(aggregation) = how.get(&meter) {
            found.push(((meter, group, at), Cell::from_bytes(*aggregation, state)?));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::cell::Reading;
    use super::super::decimal::Decimal;
    use super::*;

    fn minutes() -> Vec<(Minute, Cell)> {
        let mut minutes = Vec::new();
        for (meter, group, at) in [(1, 1, -60_000), (1, 1, 0), (1, 2, 120_000), (2, 2, 60_000)] {
            let mut cell = Cell::empty(Aggregation::Sum);
            let reading = Reading {
                at,
                arrived: at,
                value: Decimal::whole(at + meter),
                seen: [0; 16],
            };
            cell.add(&reading, at).expect("fits");
            let meter = MeterId::from_bytes([meter as u8; 16]);
            minutes.push(((meter, [group; 16], at), cell));
        }
        minutes
    }

    fn read_all(bytes: &[u8], meters: &[u8]) -> Result<Vec<(Minute, Cell)>, Broken> {
        let ids = meters.iter().map(|id| MeterId::from_bytes([*id; 16]));
        let how = ids.map(|id| (id, Aggregation::Sum)).collect();
        read(bytes, &how)
    }

    #[test]
    fn minutes_read_back() {
        let bytes = write(&minutes());
        assert_eq!(read_all(&bytes, &[1, 2]), Ok(minutes()));
        assert_eq!(read_all(&[], &[1, 2]), Ok(Vec::new()));
    }

    #[test]
    fn a_deleted_meter_is_passed_over() {
        let mut of_one = minutes();
        of_one.retain(|((meter, _, _), _)| *meter == MeterId::from_bytes([2; 16]));
        assert_eq!(read_all(&write(&minutes()), &[2]), Ok(of_one));
    }

    #[test]
    fn what_was_cut_off_is_noticed() {
        let bytes = write(&minutes());
        let ends = (0..bytes.len()).filter(|end| read_all(&bytes[..*end], &[1, 2]).is_ok());
        // Only between two minutes is a shorter text a text.
        assert_eq!(ends.count(), minutes().len());
    }
}
