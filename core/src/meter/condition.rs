//! What a segment says of the device's own condition: the clock it cannot set, what went wrong,
//! and what was put together.

use sha2::{Digest, Sha256};

use super::key::malformed;
use super::segment::{ChainHash, count};
use crate::document::cbor::Value;
use crate::error::Result;
use crate::id::StreamId;
use crate::time::{Running, Timestamp};

/// The most incidents one segment carries.
pub const MAX_INCIDENTS: usize = 16;

/// Beside what was counted: none of it changes a total.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// For how long the machine had run when the segment was sealed, where that is known.
    pub ran: Option<Ran>,
    /// What went wrong since the segment before, each kind at most once, in the order of kinds.
    pub incidents: Vec<Incident>,
    /// In a segment that stands for several which were never sent.
    pub compacted: Option<Compacted>,
    /// Random bytes: two copies of a device that seal the same at the same moment differ by them.
    pub salt: Option<[u8; 8]>,
}

/// Time that only ever rises, of one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ran {
    /// Tells boots of one stream apart, and nothing about the machine.
    pub boot: [u8; 8],
    /// Milliseconds of that boot, the time it slept counted.
    pub ms: u64,
}

impl Ran {
    /// The running time as a stream tells it: the boot's own name is hashed with the stream's.
    pub fn of(running: Running, stream: StreamId) -> Self {
        let digest = Sha256::new()
            .chain_update(b"mintreu/boot/1")
            .chain_update(stream.as_bytes())
            .chain_update(running.boot)
            .finalize();
        let mut boot = [0; 8];
        boot.copy_from_slice(&digest[..8]);
        let ms = u64::try_from(running.ms).unwrap_or(0);
        Self { boot, ms }
    }
}

/// Something that kept the journal from its work, or cost it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IncidentKind {
    /// The disk was full.
    DiskFull,
    /// The disk refused to write or to sync.
    WriteFailed,
    /// The machine stopped without notice: counts of the last flush interval may be missing.
    PowerLost,
    /// Counters were missing, unreadable or behind, and went on from what was sealed.
    CountersDamaged,
}

impl IncidentKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::DiskFull,
        Self::WriteFailed,
        Self::PowerLost,
        Self::CountersDamaged,
    ];

    /// The number in segments.
    pub const fn code(self) -> u8 {
        match self {
            Self::DiskFull => 1,
            Self::WriteFailed => 2,
            Self::PowerLost => 3,
            Self::CountersDamaged => 4,
        }
    }

    /// The kind with this number, if this version knows it.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The stable word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::WriteFailed => "write_failed",
            Self::PowerLost => "power_lost",
            Self::CountersDamaged => "counters_damaged",
        }
    }
}

/// How often something happened since the segment before, and when first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// What.
    pub kind: IncidentKind,
    /// When first, by the device's clock.
    pub first: Timestamp,
    /// How often, from 1.
    pub times: u64,
}

/// A segment that stands for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// How many it stands for, from 2.
    pub segments: u64,
    /// The chain hash of the last of them.
    pub head: ChainHash,
}

impl Condition {
    /// The entries 12 to 15 of a segment's private map.
    pub(super) fn to_entries(&self) -> Result<[(i64, Option<Value<'_>>); 4]> {
        let ran = self.ran.as_ref().map(|ran| -> Result<_> {
            Ok(Value::Array(vec![Value::bytes(&ran.boot), count(ran.ms)?]))
        });
        let incidents = self.incidents.iter().map(|incident| {
            Ok(Value::Array(vec![
                Value::Int(i64::from(incident.kind.code())),
                Value::Int(incident.first.ms()),
                count(incident.times)?,
            ]))
        });
        let incidents: Vec<_> = incidents.collect::<Result<_>>()?;
        let compacted = self.compacted.as_ref().map(|compacted| -> Result<_> {
            let segments = count(compacted.segments)?;
            Ok(Value::Array(vec![segments, Value::bytes(&compacted.head)]))
        });
        Ok([
            (12, ran.transpose()?),
            (
                13,
                (!incidents.is_empty()).then_some(Value::Array(incidents)),
            ),
            (14, compacted.transpose()?),
            (15, self.salt.as_ref().map(|salt| Value::bytes(salt))),
        ])
    }

    pub(super) fn from_body(body: &Value<'_>) -> Result<Self> {
        let incidents = match body.at(13) {
            Some(list) => list
                .as_array()?
                .iter()
                .map(read_incident)
                .collect::<Result<_>>()?,
            None => Vec::new(),
        };
        Ok(Self {
            ran: body.at(12).map(read_ran).transpose()?,
            incidents,
            compacted: body.at(14).map(read_compacted).transpose()?,
            salt: body.at(15).map(Value::as_exact).transpose()?,
        })
    }

    pub(super) fn check(&self) -> Result<()> {
        let ordered = self
            .incidents
            .windows(2)
            .all(|pair| pair[0].kind < pair[1].kind);
        let some = self.incidents.iter().all(|incident| incident.times > 0);
        if self.incidents.len() > MAX_INCIDENTS || !ordered || !some {
            return Err(malformed("incidents must be in order, each kind once"));
        }
        if self
            .compacted
            .is_some_and(|compacted| compacted.segments < 2)
        {
            return Err(malformed("a compacted segment stands for two or more"));
        }
        Ok(())
    }
}

fn read_ran(item: &Value<'_>) -> Result<Ran> {
    match item.as_array()? {
        [boot, ms] => Ok(Ran {
            boot: boot.as_exact()?,
            ms: ms.as_count()?,
        }),
        _ => Err(malformed("running time has two items")),
    }
}

fn read_incident(item: &Value<'_>) -> Result<Incident> {
    let [kind, first, times] = item.as_array()? else {
        return Err(malformed("an incident has three items"));
    };
    let code = u8::try_from(kind.as_int()?).unwrap_or(0);
    Ok(Incident {
        kind: IncidentKind::from_code(code)
            .ok_or_else(|| malformed("an incident this version does not know"))?,
        first: Timestamp::from_ms(first.as_int()?),
        times: times.as_count()?,
    })
}

fn read_compacted(item: &Value<'_>) -> Result<Compacted> {
    match item.as_array()? {
        [segments, head] => Ok(Compacted {
            segments: segments.as_count()?,
            head: head.as_exact()?,
        }),
        _ => Err(malformed("a compaction has two items")),
    }
}
