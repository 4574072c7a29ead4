//! Segments: what a device counted, in cumulative totals, chained and signed.
//!
//! The claims of one segment are a CWT claims map (RFC 8392) with the product as audience, the
//! wall-clock second as `iat` and everything else in Mintreu's private map. The byte layout is
//! normative in `docs/usage-protocol.md`.

use sha2::{Digest, Sha256};

use super::condition::Condition;
use super::event::{self, Event};
use super::key::{CellKey, malformed};
use super::opening::Opening;
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, CONFIRMATION, ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, cose_key,
    key_from_cose, open, open_self_signed, seal,
};
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::time::Timestamp;

/// The most totals one segment may carry, open and closed together; more make more segments.
pub const MAX_TOTALS: usize = 4096;
/// The largest total: 2^63 − 1 units, so that every store can hold it.
pub const MAX_TOTAL: u64 = i64::MAX as u64;

/// The SHA-256 of a sealed segment's bytes: the link of the chain.
pub type ChainHash = [u8; 32];

/// The `prev` of the first segment of an epoch.
pub const GENESIS: ChainHash = [0; 32];

/// The link that the next segment must name: SHA-256 over the sealed document's bytes.
pub fn chain_hash(document: &[u8]) -> ChainHash {
    Sha256::digest(document).into()
}

/// The stream of one device's use of one license: derived, so that no device can claim another's.
///
/// The first 16 bytes of SHA-256 over `mintreu/stream/1`, the device's public key and the license
/// id's 16 bytes.
pub fn stream_id(device: &PublicKey, license: LicenseId) -> StreamId {
    let digest = Sha256::new()
        .chain_update(b"mintreu/stream/1")
        .chain_update(device.as_bytes())
        .chain_update(license.as_bytes())
        .finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    StreamId::from_bytes(bytes)
}

/// What one cell has counted since its epoch began: cumulative, never a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// Which cell.
    pub key: CellKey,
    /// Units since the epoch began; never falls within an epoch.
    pub units: u64,
}

/// How far the wall clock of a segment can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeQuality {
    /// Never compared with a signed time.
    Unknown,
    /// Not before the last signed time the device has seen.
    Plausible,
    /// Before a signed time the device has seen: set back.
    Suspect,
}

impl TimeQuality {
    const fn code(self) -> i64 {
        match self {
            Self::Unknown => 0,
            Self::Plausible => 1,
            Self::Suspect => 2,
        }
    }
}

/// One sealed stretch of a usage stream.
///
/// `seq` counts from 1 in each epoch, without gaps; `prev` is the [`chain_hash`] of the segment
/// before ([`GENESIS`] for the first). A segment without totals is a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The product that was used: the license's audience.
    pub product: String,
    /// The device that counted, and signs.
    pub device: PublicKey,
    /// The license it was used under.
    pub license: LicenseId,
    /// The stream: [`stream_id`] of the signing device and the license.
    pub stream: StreamId,
    /// Rises when a device must begin again from zero.
    pub epoch: u64,
    /// 1, 2, 3 … within the epoch.
    pub seq: u64,
    /// The link to the segment before.
    pub prev: ChainHash,
    /// The cells that changed since the segment before.
    pub totals: Vec<Total>,
    /// The device's wall clock when it was sealed.
    pub sealed_at: Timestamp,
    /// How far `sealed_at` can be believed.
    pub time_quality: TimeQuality,
    /// In the first segment of every epoch but the first.
    pub opening: Option<Opening>,
    /// Events since the segment before, in the order they were recorded.
    pub events: Vec<Event>,
    /// Events that another copy of this device may have reported too: shown to the seller, never
    /// billed by themselves.
    pub disputed_events: Vec<Event>,
    /// The device's own condition.
    pub condition: Condition,
}

/// Signs a segment with the device's key: the document's bytes.
pub fn seal_segment(segment: &Segment, device: &SigningKey) -> Result<Vec<u8>> {
    segment.check()?;
    if segment.device != *device.public() {
        return Err(wrong_stream());
    }
    seal(Kind::Usage, &segment.to_claims()?, device)
}

/// Verifies a segment under the key of the device it must come from, and reads it.
///
/// Refused: a signature by another key (`unknown_key`, `bad_signature`), claims of another shape (`malformed`,
/// `usage_malformed`), a stream that is not this device's (`usage_wrong_stream`).
pub fn open_segment(document: &[u8], device: &PublicKey) -> Result<Segment> {
    let segment = Segment::from_claims(open(Kind::Usage, document, &[device])?)?;
    if segment.device == *device {
        Ok(segment)
    } else {
        Err(wrong_stream())
    }
}

/// Verifies a segment under the key it names itself, and reads it: for a server that then looks
/// up whether it has activated [`Segment::device`] for [`Segment::license`].
pub fn open_segment_of_any_device(document: &[u8]) -> Result<Segment> {
    let (device, claims) = open_self_signed(Kind::Usage, document)?;
    let segment = Segment::from_claims(claims)?;
    if segment.device == device {
        Ok(segment)
    } else {
        Err(wrong_stream())
    }
}

fn wrong_stream() -> Error {
    Error::new(
        "usage_wrong_stream",
        "the segment names a stream that belongs to another device or license",
    )
}

impl Segment {
    /// The claims in deterministic CBOR.
    pub fn to_claims(&self) -> Result<Vec<u8>> {
        let totals = self.totals.iter().map(total_to_value);
        let [ran, incidents, compacted, salt] = self.condition.to_entries()?;
        let body = Value::labelled([
            (1, Some(Value::bytes(self.stream.as_bytes()))),
            (2, Some(count(self.epoch)?)),
            (3, Some(count(self.seq)?)),
            (4, Some(Value::bytes(&self.prev))),
            (5, Some(Value::Array(totals.collect::<Result<_>>()?))),
            (6, Some(Value::Int(self.sealed_at.ms()))),
            (7, Some(Value::Int(self.time_quality.code()))),
            (8, Some(Value::bytes(self.license.as_bytes()))),
            (9, self.opening.as_ref().map(Opening::to_value).transpose()?),
            (10, events_to_value(&self.events)),
            (11, events_to_value(&self.disputed_events)),
            ran,
            incidents,
            compacted,
            salt,
        ]);
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.sealed_at.secs()))),
            (CONFIRMATION, Some(cose_key(&self.device))),
            (PRIVATE, Some(body)),
        ]))
    }

    /// Reads claims; unknown keys of the private map are ignored, everything else is refused.
    pub fn from_claims(claims: &[u8]) -> Result<Self> {
        let claims = cbor::decode(claims)?;
        let body = claims.need(PRIVATE, "usage")?;
        let totals = body.need(5, "totals")?.as_array()?;
        let segment = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            device: key_from_cose(claims.need(CONFIRMATION, "device key")?)?,
            license: LicenseId::from_bytes(body.need(8, "license")?.as_exact()?),
            stream: StreamId::from_bytes(body.need(1, "stream")?.as_exact()?),
            epoch: body.need(2, "epoch")?.as_count()?,
            seq: body.need(3, "sequence")?.as_count()?,
            prev: body.need(4, "previous hash")?.as_exact()?,
            totals: totals.iter().map(read_total).collect::<Result<_>>()?,
            sealed_at: Timestamp::from_ms(body.need(6, "sealing time")?.as_int()?),
            time_quality: quality_of(body.need(7, "time quality")?.as_int()?)?,
            opening: body.at(9).map(Opening::from_value).transpose()?,
            events: events_from_value(body.at(10))?,
            disputed_events: events_from_value(body.at(11))?,
            condition: Condition::from_body(body)?,
        };
        if claims.need(ISSUED_AT, "issued at")?.as_int()? != segment.sealed_at.secs() {
            return Err(malformed("iat and the time of sealing differ"));
        }
        segment.check()?;
        Ok(segment)
    }

    /// What must hold for every segment, whoever wrote it.
    fn check(&self) -> Result<()> {
        if self.stream != stream_id(&self.device, self.license) {
            return Err(wrong_stream());
        }
        let first = self.seq == 1;
        let in_store = |value: u64| value <= MAX_TOTAL;
        if self.epoch == 0 || self.seq == 0 || !in_store(self.epoch) || !in_store(self.seq) {
            return Err(malformed("epochs and sequence numbers count from 1"));
        }
        if first != (self.prev == GENESIS) {
            return Err(malformed(
                "the first segment of an epoch, and only it, has no link back",
            ));
        }
        if self.opening.is_some() && (!first || self.epoch == 1) {
            return Err(malformed(
                "only the first segment of a later epoch has an opening",
            ));
        }
        let closed = self
            .opening
            .as_ref()
            .map_or(0, |opening| opening.closed.len());
        if self.totals.len() + closed > MAX_TOTALS {
            return Err(malformed("the segment has too many totals"));
        }
        if !self.totals.windows(2).all(|pair| pair[0].key < pair[1].key) {
            return Err(malformed(
                "totals must be in the order of their keys, each once",
            ));
        }
        if !self.totals.iter().all(|total| in_store(total.units)) {
            return Err(malformed("a total is out of range"));
        }
        event::check(self.events.iter().chain(&self.disputed_events))?;
        self.condition.check()?;
        self.opening
            .as_ref()
            .map_or(Ok(()), |opening| opening.check(self.epoch))
    }
}

fn events_to_value(events: &[Event]) -> Option<Value<'_>> {
    let items = || events.iter().map(Event::to_value).collect();
    (!events.is_empty()).then(|| Value::Array(items()))
}

fn events_from_value(list: Option<&Value<'_>>) -> Result<Vec<Event>> {
    let items = list.map_or(Ok(&[][..]), Value::as_array)?;
    items.iter().map(Event::from_value).collect()
}

pub(crate) fn count(units: u64) -> Result<Value<'static>> {
    let units = i64::try_from(units).map_err(|_| malformed("a number is out of range"))?;
    Ok(Value::Int(units))
}

/// `[subject, meter, dimensions, units]`.
pub(super) fn total_to_value(total: &Total) -> Result<Value<'_>> {
    let [subject, meter, dimensions] = total.key.to_items();
    let units = count(total.units)?;
    Ok(Value::Array(vec![subject, meter, dimensions, units]))
}

pub(super) fn read_total(item: &Value<'_>) -> Result<Total> {
    match item.as_array()? {
        [subject, meter, dimensions, units] => Ok(Total {
            key: CellKey::from_items(subject, meter, dimensions)?,
            units: units.as_count()?,
        }),
        _ => Err(malformed("a total has four items")),
    }
}

fn quality_of(code: i64) -> Result<TimeQuality> {
    match code {
        0 => Ok(TimeQuality::Unknown),
        1 => Ok(TimeQuality::Plausible),
        2 => Ok(TimeQuality::Suspect),
        _ => Err(malformed("a time quality this version does not know")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::condition::{Compacted, Incident, IncidentKind, Ran};
    use super::super::event::{Decimal, MAX_EVENTS};
    use super::super::opening::{ClosedTotal, OpeningReason};
    use super::*;
    use proptest::prelude::*;

    fn device() -> SigningKey {
        SigningKey::from_seed(&[5; 32])
    }

    fn segment(totals: Vec<Total>) -> Segment {
        let license = LicenseId::from_bytes([1; 16]);
        let device = *device().public();
        Segment {
            product: "acme.editor".into(),
            device,
            license,
            stream: stream_id(&device, license),
            epoch: 1,
            seq: 1,
            prev: GENESIS,
            totals,
            sealed_at: Timestamp::from_ms(1_800_000_000_123),
            time_quality: TimeQuality::Plausible,
            opening: None,
            events: Vec::new(),
            disputed_events: Vec::new(),
            condition: Condition::default(),
        }
    }

    fn total(meter: &str, units: u64) -> Total {
        Total {
            key: CellKey::new(meter).unwrap(),
            units,
        }
    }

    fn event(id: &str) -> Event {
        let key = CellKey::new("jobs").unwrap();
        Event::new(id, key, Timestamp::from_ms(7), Decimal::new(15, 1).unwrap()).unwrap()
    }

    fn incident(kind: IncidentKind) -> Incident {
        Incident {
            kind,
            first: Timestamp::from_ms(3),
            times: 2,
        }
    }

    #[test]
    fn events_and_the_devices_condition_arrive_as_they_were_sealed() {
        let mut full = segment(vec![total("a", 1)]);
        full.events = vec![event("b"), event("a")];
        full.disputed_events = vec![event("c")];
        full.condition = Condition {
            ran: Some(Ran {
                boot: [4; 8],
                ms: 90,
            }),
            incidents: vec![
                incident(IncidentKind::DiskFull),
                incident(IncidentKind::PowerLost),
            ],
            compacted: Some(Compacted {
                segments: 3,
                head: [8; 32],
            }),
            salt: Some([7; 8]),
        };
        let sealed = seal_segment(&full, &device()).unwrap();
        assert_eq!(open_segment(&sealed, device().public()).unwrap(), full);
    }

    #[test]
    fn the_fullest_segment_of_events_fits() {
        let mut full = segment(vec![]);
        full.events = (0..MAX_EVENTS)
            .map(|n| {
                let key = CellKey::new("m".repeat(190)).unwrap();
                let id = format!("{n:064}");
                Event::new(
                    id,
                    key,
                    Timestamp::from_ms(i64::MAX),
                    Decimal::whole(i64::MIN),
                )
                .unwrap()
            })
            .collect();
        let sealed = seal_segment(&full, &device()).unwrap();
        assert_eq!(open_segment(&sealed, device().public()).unwrap(), full);
    }

    #[test]
    fn another_device_is_refused_by_key_and_by_stream() {
        let other = SigningKey::from_seed(&[6; 32]);
        let sealed = seal_segment(&segment(vec![]), &device()).unwrap();
        assert_eq!(
            open_segment(&sealed, other.public()).unwrap_err().code(),
            "unknown_key"
        );
        assert!(seal_segment(&segment(vec![]), &other).is_err());
        let mut stolen = segment(vec![]);
        stolen.device = *other.public();
        let stolen = seal(Kind::Usage, &stolen.to_claims().unwrap(), &other).unwrap();
        let refused = open_segment_of_any_device(&stolen).unwrap_err();
        assert_eq!(refused.code(), "usage_wrong_stream");
    }

    #[test]
    fn contradictions_are_refused() {
        let key = device();
        let refused = |change: fn(&mut Segment)| {
            let mut bad = segment(vec![total("a", 1)]);
            change(&mut bad);
            assert!(seal_segment(&bad, &key).is_err());
            let forced = seal(Kind::Usage, &bad.to_claims().unwrap(), &key).unwrap();
            assert_eq!(
                open_segment(&forced, key.public()).unwrap_err().code(),
                "usage_malformed"
            );
        };
        refused(|s| s.epoch = 0);
        refused(|s| s.seq = 0);
        refused(|s| s.seq = 2);
        refused(|s| s.prev = [1; 32]);
        refused(|s| s.totals = vec![total("b", 1), total("a", 1)]);
        refused(|s| s.totals = vec![total("a", 1), total("a", 1)]);
        refused(|s| {
            s.totals = (0..=MAX_TOTALS)
                .map(|i| total(&format!("{i:04}"), 1))
                .collect()
        });
        refused(|s| s.events = vec![event("a"), event("a")]);
        refused(|s| {
            s.events = vec![event("a")];
            s.disputed_events = vec![event("a")];
        });
        refused(|s| s.condition.incidents = vec![incident(IncidentKind::DiskFull); 2]);
        refused(|s| {
            s.condition.incidents = vec![Incident {
                times: 0,
                ..incident(IncidentKind::DiskFull)
            }];
        });
        refused(|s| {
            s.condition.compacted = Some(Compacted {
                segments: 1,
                head: [1; 32],
            });
        });
        refused(|s| {
            s.opening = Some(Opening {
                reason: OpeningReason::Recovered,
                closed_epoch: 0,
                closed: vec![],
            });
        });
    }

    proptest! {
        #[test]
        fn a_sealed_segment_opens_to_itself(
            units in proptest::collection::btree_map("[a-z]{1,9}", 0..=MAX_TOTAL, 0..20),
            later in any::<bool>(),
        ) {
            let mut totals: Vec<Total> = units.iter().map(|(m, &u)| total(m, u)).collect();
            totals.sort_by(|a, b| a.key.cmp(&b.key));
            let closed = totals.iter().map(|t| ClosedTotal {
                key: t.key.clone(), acknowledged: 0, counted: t.units,
            }).collect();
            let mut segment = segment(totals);
            if later {
                segment.epoch = 4;
                segment.opening =
                    Some(Opening { reason: OpeningReason::Forked, closed_epoch: 3, closed });
            }
            let sealed = seal_segment(&segment, &device()).unwrap();
            prop_assert_eq!(open_segment(&sealed, device().public()).unwrap(), segment.clone());
            prop_assert_eq!(open_segment_of_any_device(&sealed).unwrap(), segment);
        }
    }
}
