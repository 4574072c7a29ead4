//! How an epoch after the first begins.

use super::key::{CellKey, malformed};
use super::segment::{MAX_TOTAL, count};
use crate::document::cbor::Value;
use crate::error::Result;

/// Why a device left an epoch behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpeningReason {
    /// The device lost track of its own journal; its counters are whole. What it counted beyond
    /// what the server has accepted is owed.
    Recovered,
    /// The server knows another continuation of the chain: two copies of one device. What this
    /// copy counted since its last receipt is disputed and never billed by itself.
    Forked,
}

impl OpeningReason {
    const fn code(self) -> i64 {
        match self {
            Self::Recovered => 1,
            Self::Forked => 2,
        }
    }
}

/// What one cell had counted when its epoch was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedTotal {
    /// Which cell.
    pub key: CellKey,
    /// Units of the closed epoch that the device holds a receipt for.
    pub acknowledged: u64,
    /// Units of the closed epoch that the device counted in all.
    pub counted: u64,
}

/// How an epoch after the first begins: carried by its first segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Why the epoch before was closed.
    pub reason: OpeningReason,
    /// The number of the epoch before.
    pub closed_epoch: u64,
    /// Its cells: all that counted when recovered, those with unacknowledged units when forked.
    pub closed: Vec<ClosedTotal>,
}

impl Opening {
    pub(super) fn to_value(&self) -> Result<Value<'_>> {
        let closed = self.closed.iter().map(|closed| {
            let [subject, meter, dimensions] = closed.key.to_items();
            let (acknowledged, counted) = (count(closed.acknowledged)?, count(closed.counted)?);
            Ok(Value::Array(vec![
                subject,
                meter,
                dimensions,
                acknowledged,
                counted,
            ]))
        });
        Ok(Value::labelled([
            (1, Some(Value::Int(self.reason.code()))),
            (2, Some(count(self.closed_epoch)?)),
            (3, Some(Value::Array(closed.collect::<Result<_>>()?))),
        ]))
    }

    pub(super) fn from_value(value: &Value<'_>) -> Result<Self> {
        let closed = value.need(3, "closed totals")?.as_array()?;
        Ok(Self {
            reason: reason_of(value.need(1, "opening reason")?.as_int()?)?,
            closed_epoch: value.need(2, "closed epoch")?.as_count()?,
            closed: closed.iter().map(read_closed).collect::<Result<_>>()?,
        })
    }

    pub(super) fn check(&self, epoch: u64) -> Result<()> {
        let sorted = self.closed.windows(2).all(|pair| pair[0].key < pair[1].key);
        let ranges = |c: &ClosedTotal| c.acknowledged <= c.counted && c.counted <= MAX_TOTAL;
        if self.closed_epoch >= epoch || !sorted || !self.closed.iter().all(ranges) {
            return Err(malformed("the opening of an epoch contradicts itself"));
        }
        Ok(())
    }
}

fn read_closed(item: &Value<'_>) -> Result<ClosedTotal> {
    match item.as_array()? {
        [subject, meter, dimensions, acknowledged, counted] => Ok(ClosedTotal {
            key: CellKey::from_items(subject, meter, dimensions)?,
            acknowledged: acknowledged.as_count()?,
            counted: counted.as_count()?,
        }),
        _ => Err(malformed("a closed total has five items")),
    }
}

fn reason_of(code: i64) -> Result<OpeningReason> {
    match code {
        1 => Ok(OpeningReason::Recovered),
        2 => Ok(OpeningReason::Forked),
        _ => Err(malformed(
            "an epoch was opened for a reason this version does not know",
        )),
    }
}
