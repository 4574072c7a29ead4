//! The one rule by which a server takes a segment, and a verifier believes a chain.
//!
//! It is pure: the caller looks up what it stores, asks, and writes the answer in the same
//! transaction. A device that is offline for a year counts once, because the rule knows no time.
//!
//! | the segment is | answer |
//! |---|---|
//! | the next of the open epoch, linked to its head | [`Verdict::Apply`] |
//! | the first of a later epoch | [`Verdict::Apply`]: the epoch begins from zero |
//! | seen before, byte for byte | [`Verdict::Duplicate`]: a success |
//! | further ahead | [`Verdict::Gap`]: send from the watermark on |
//! | in a place that other bytes hold, or of a closed epoch | [`Verdict::Fork`] |

use super::opening::{ClosedTotal, OpeningReason};
use super::segment::{ChainHash, GENESIS, Segment};
use crate::error::{Error, Result};

/// How far a stream has been accepted: stored by the server beside its totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The open epoch; 0 before the first segment.
    pub epoch: u64,
    /// The last accepted sequence number of that epoch: the watermark.
    pub seq: u64,
    /// The chain hash of that segment.
    pub head: ChainHash,
}

impl Position {
    /// A stream of which nothing has been accepted.
    pub const START: Self = Self {
        epoch: 0,
        seq: 0,
        head: GENESIS,
    };
}

/// What to do with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Write its totals and this position in one transaction; answer 200 with a receipt.
    Apply(Position),
    /// Nothing to write; answer 200 with the receipt of the current position.
    Duplicate,
    /// Segments are missing; answer 409 with the receipt of the current position.
    Gap,
    /// Two continuations of one chain; keep the bytes as evidence, answer 409 with the receipt of
    /// the current position. The device begins a new epoch.
    Fork,
}

/// Judges a verified segment.
///
/// * `at`: the stored position of its stream;
/// * `hash`: the segment's own [`chain_hash`](super::chain_hash);
/// * `stored`: the chain hash of the segment already accepted at its (stream, epoch, seq), if any.
pub fn accept(
    at: Position,
    segment: &Segment,
    hash: ChainHash,
    stored: Option<ChainHash>,
) -> Verdict {
    if let Some(stored) = stored {
        return if stored == hash {
            Verdict::Duplicate
        } else {
            Verdict::Fork
        };
    }
    let next = Position {
        epoch: segment.epoch,
        seq: segment.seq,
        head: hash,
    };
    if segment.epoch > at.epoch {
        return if segment.seq == 1 {
            Verdict::Apply(next)
        } else {
            Verdict::Gap
        };
    }
    if segment.epoch < at.epoch || segment.seq <= at.seq {
        return Verdict::Fork;
    }
    match segment.seq == at.seq + 1 {
        true if segment.prev == at.head => Verdict::Apply(next),
        true => Verdict::Fork,
        false => Verdict::Gap,
    }
}

/// The units a cumulative total adds to what is stored for its cell in the same epoch.
///
/// A total that fell is refused with `usage_regressed`: cumulative counts never do, so the whole
/// segment is wrong and nothing of it may be written.
pub fn increase(stored: u64, reported: u64) -> Result<u64> {
    reported.checked_sub(stored).ok_or_else(|| {
        Error::new(
            "usage_regressed",
            format!("a cumulative total fell from {stored} to {reported}"),
        )
    })
}

/// What a closed cell still adds when a later epoch opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remainder {
    /// Units that were counted and never reported: owed like any others.
    Owed(u64),
    /// Units of a second copy of the device: shown to the seller, never billed by themselves.
    Disputed(u64),
}

/// The remainder of a closed cell, where `accepted` is the server's total of it in that epoch.
pub fn remainder(reason: OpeningReason, closed: &ClosedTotal, accepted: u64) -> Remainder {
    match reason {
        OpeningReason::Recovered => Remainder::Owed(closed.counted.saturating_sub(accepted)),
        OpeningReason::Forked => {
            Remainder::Disputed(closed.counted.saturating_sub(closed.acknowledged))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{LicenseId, StreamId};
    use crate::meter::{CellKey, TimeQuality};
    use crate::time::Timestamp;

    fn segment(epoch: u64, seq: u64, prev: ChainHash) -> Segment {
        Segment {
            product: "acme.editor".into(),
            device: *crate::document::SigningKey::from_seed(&[9; 32]).public(),
            license: LicenseId::from_bytes([1; 16]),
            stream: StreamId::from_bytes([2; 16]),
            epoch,
            seq,
            prev,
            totals: Vec::new(),
            sealed_at: Timestamp::from_ms(0),
            time_quality: TimeQuality::Unknown,
            opening: None,
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: crate::meter::Condition::default(),
        }
    }

    #[test]
    fn every_row_of_the_table() {
        let at = Position {
            epoch: 2,
            seq: 3,
            head: [3; 32],
        };
        let ask =
            |epoch, seq, prev, hash, stored| accept(at, &segment(epoch, seq, prev), hash, stored);
        let next = Position {
            epoch: 2,
            seq: 4,
            head: [4; 32],
        };
        assert_eq!(ask(2, 4, [3; 32], [4; 32], None), Verdict::Apply(next));
        let reopened = Position {
            epoch: 5,
            seq: 1,
            head: [5; 32],
        };
        assert_eq!(ask(5, 1, GENESIS, [5; 32], None), Verdict::Apply(reopened));
        assert_eq!(
            ask(2, 3, [2; 32], [3; 32], Some([3; 32])),
            Verdict::Duplicate
        );
        assert_eq!(
            ask(1, 9, [8; 32], [9; 32], Some([9; 32])),
            Verdict::Duplicate,
            "old epoch"
        );
        assert_eq!(ask(2, 5, [4; 32], [5; 32], None), Verdict::Gap);
        assert_eq!(ask(3, 2, [4; 32], [5; 32], None), Verdict::Gap);
        assert_eq!(
            ask(2, 4, [9; 32], [4; 32], None),
            Verdict::Fork,
            "another head"
        );
        assert_eq!(
            ask(2, 3, [2; 32], [7; 32], Some([3; 32])),
            Verdict::Fork,
            "other bytes"
        );
        assert_eq!(
            ask(1, 10, [9; 32], [1; 32], None),
            Verdict::Fork,
            "a closed epoch"
        );
        let first = accept(Position::START, &segment(1, 1, GENESIS), [1; 32], None);
        assert_eq!(
            first,
            Verdict::Apply(Position {
                epoch: 1,
                seq: 1,
                head: [1; 32]
            })
        );
        assert_eq!(
            accept(Position::START, &segment(1, 2, [1; 32]), [1; 32], None),
            Verdict::Gap
        );
    }

    #[test]
    fn totals_rise_and_remainders_are_owed_or_disputed() {
        assert_eq!(increase(10, 25).unwrap(), 15);
        assert_eq!(increase(25, 10).unwrap_err().code(), "usage_regressed");
        let closed = ClosedTotal {
            key: CellKey::new("m").unwrap(),
            acknowledged: 10,
            counted: 50,
        };
        assert_eq!(
            remainder(OpeningReason::Recovered, &closed, 30),
            Remainder::Owed(20)
        );
        assert_eq!(
            remainder(OpeningReason::Recovered, &closed, 60),
            Remainder::Owed(0)
        );
        assert_eq!(
            remainder(OpeningReason::Forked, &closed, 30),
            Remainder::Disputed(40)
        );
    }
}
