//! Checkpoints: acknowledged segments folded into their totals, so that a chain stays short.
//!
//! A checkpoint is the device's own signed word, for whoever verifies its journal: up to here it had
//! counted so much, and the next segment continues from this head. Only what a receipt vouches for
//! is folded.

use std::collections::BTreeMap;

use super::accept::{Position, increase};
use super::key::{CellKey, malformed};
use super::segment::{
    ChainHash, GENESIS, MAX_TOTAL, MAX_TOTALS, Segment, Total, count, read_total, stream_id,
    total_to_value,
};
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, CONFIRMATION, ISSUED_AT, Kind, PRIVATE, PublicKey, SigningKey, cose_key,
    key_from_cose, open, seal,
};
use crate::error::{Error, Result};
use crate::id::{LicenseId, StreamId};
use crate::time::Timestamp;

/// What the segments of one epoch up to a number came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The product that was used: the license's audience.
    pub product: String,
    /// The device that counted, and signs.
    pub device: PublicKey,
    /// The license it was used under.
    pub license: LicenseId,
    /// Epoch, number and chain hash of the last segment that was folded.
    pub position: Position,
    /// What every cell of the epoch had counted by then, in the order of the keys.
    pub totals: Vec<Total>,
    /// When it was made, by the device's clock.
    pub made_at: Timestamp,
}

impl Checkpoint {
    /// Folds the next segments of an epoch, with their chain hashes, onto a checkpoint of before.
    ///
    /// `usage_gap` when they don't follow it, `usage_regressed` when a total fell.
    pub fn fold(
        before: Option<&Self>,
        segments: &[(Segment, ChainHash)],
        made_at: Timestamp,
    ) -> Result<Self> {
        let (first, _) = segments
            .first()
            .ok_or_else(|| malformed("nothing to fold"))?;
        let mut position = before.map_or(
            Position {
                epoch: first.epoch,
                seq: 0,
                head: GENESIS,
            },
            |before| before.position,
        );
        let known = before.map_or(&[][..], |before| &before.totals);
        let mut totals: BTreeMap<CellKey, u64> =
            known.iter().map(|t| (t.key.clone(), t.units)).collect();
        for (segment, hash) in segments {
            let follows = segment.epoch == position.epoch
                && segment.seq == position.seq + 1
                && segment.prev == position.head;
            if !follows {
                return Err(Error::new(
                    "usage_gap",
                    format!("number {} does not follow what is folded", segment.seq),
                ));
            }
            for total in &segment.totals {
                let known = totals.entry(total.key.clone()).or_default();
                increase(*known, total.units)?;
                *known = total.units;
            }
            (position.seq, position.head) = (segment.seq, *hash);
        }
        let totals = totals.into_iter().map(|(key, units)| Total { key, units });
        Ok(Self {
            product: first.product.clone(),
            device: first.device,
            license: first.license,
            position,
            totals: totals.collect(),
            made_at,
        })
    }

    /// The stream it is of.
    pub fn stream(&self) -> StreamId {
        stream_id(&self.device, self.license)
    }

    /// Signs with the device's key: the document's bytes.
    pub fn seal(&self, device: &SigningKey) -> Result<Vec<u8>> {
        seal(Kind::Checkpoint, &self.to_claims()?, device)
    }

    /// Verifies a checkpoint under the key of the device it must come from, and reads it.
    pub fn open(document: &[u8], device: &PublicKey) -> Result<Self> {
        let checkpoint = Self::from_claims(open(Kind::Checkpoint, document, &[device])?)?;
        match checkpoint.device == *device {
            true => Ok(checkpoint),
            false => Err(malformed("the checkpoint names another device")),
        }
    }

    /// The claims in deterministic CBOR.
    pub fn to_claims(&self) -> Result<Vec<u8>> {
        let stream = self.stream();
        let totals = self.totals.iter().map(total_to_value);
        let body = Value::labelled([
            (1, Some(Value::bytes(stream.as_bytes()))),
            (2, Some(count(self.position.epoch)?)),
            (3, Some(count(self.position.seq)?)),
            (4, Some(Value::bytes(&self.position.head))),
            (5, Some(Value::Array(totals.collect::<Result<_>>()?))),
            (6, Some(Value::Int(self.made_at.ms()))),
            (8, Some(Value::bytes(self.license.as_bytes()))),
        ]);
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.made_at.secs()))),
            (CONFIRMATION, Some(cose_key(&self.device))),
            (PRIVATE, Some(body)),
        ]))
    }

    /// Reads claims; unknown keys of the private map are ignored, everything else is refused.
    pub fn from_claims(claims: &[u8]) -> Result<Self> {
        let claims = cbor::decode(claims)?;
        let body = claims.need(PRIVATE, "checkpoint")?;
        let totals = body.need(5, "totals")?.as_array()?;
        let checkpoint = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            device: key_from_cose(claims.need(CONFIRMATION, "device key")?)?,
            license: LicenseId::from_bytes(body.need(8, "license")?.as_exact()?),
            position: Position {
                epoch: body.need(2, "epoch")?.as_count()?,
                seq: body.need(3, "sequence")?.as_count()?,
                head: body.need(4, "head")?.as_exact()?,
            },
            totals: totals.iter().map(read_total).collect::<Result<_>>()?,
            made_at: Timestamp::from_ms(body.need(6, "time")?.as_int()?),
        };
        let stream = StreamId::from_bytes(body.need(1, "stream")?.as_exact()?);
        let ordered = checkpoint
            .totals
            .windows(2)
            .all(|pair| pair[0].key < pair[1].key);
        let Position { epoch, seq, head } = checkpoint.position;
        let placed = epoch > 0 && seq > 0 && head != GENESIS;
        let in_store = checkpoint
            .totals
            .iter()
            .all(|total| total.units <= MAX_TOTAL);
        let dated = claims.need(ISSUED_AT, "issued at")?.as_int()? == checkpoint.made_at.secs();
        let few = checkpoint.totals.len() <= MAX_TOTALS;
        if stream != checkpoint.stream() || !ordered || !placed || !in_store || !dated || !few {
            return Err(malformed("the checkpoint contradicts itself"));
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::{Condition, TimeQuality, chain_hash, seal_segment};

    fn chain(device: &SigningKey, totals: &[&[(&str, u64)]]) -> Vec<(Segment, ChainHash)> {
        let license = LicenseId::from_bytes([1; 16]);
        let mut prev = GENESIS;
        let mut chain = Vec::new();
        for (index, totals) in totals.iter().enumerate() {
            let total = |&(meter, units): &(&str, u64)| Total {
                key: CellKey::new(meter).unwrap(),
                units,
            };
            let segment = Segment {
                product: "acme.editor".into(),
                device: *device.public(),
                license,
                stream: stream_id(device.public(), license),
                epoch: 1,
                seq: index as u64 + 1,
                prev,
                totals: totals.iter().map(total).collect(),
                sealed_at: Timestamp::from_ms(5),
                time_quality: TimeQuality::Unknown,
                opening: None,
                events: Vec::new(),
                disputed_events: Vec::new(),
                condition: Condition::default(),
            };
            prev = chain_hash(&seal_segment(&segment, device).unwrap());
            chain.push((segment, prev));
        }
        chain
    }

    #[test]
    fn folding_in_steps_is_folding_at_once() {
        let device = SigningKey::from_seed(&[5; 32]);
        let now = Timestamp::from_ms(1_800_000_000_250);
        let chain = chain(&device, &[&[("a", 1), ("b", 5)], &[("a", 4)], &[("c", 2)]]);
        let whole = Checkpoint::fold(None, &chain, now).unwrap();
        let first = Checkpoint::fold(None, &chain[..1], now).unwrap();
        assert_eq!(
            Checkpoint::fold(Some(&first), &chain[1..], now),
            Ok(whole.clone())
        );
        let units: Vec<u64> = whole.totals.iter().map(|total| total.units).collect();
        assert_eq!((units, whole.position.seq), (vec![4, 5, 2], 3));
        let sealed = whole.seal(&device).unwrap();
        assert_eq!(Checkpoint::open(&sealed, device.public()), Ok(whole));
        let gap = Checkpoint::fold(Some(&first), &chain[2..], now).unwrap_err();
        assert_eq!(gap.code(), "usage_gap");
        assert!(Checkpoint::fold(None, &[], now).is_err());
    }

    #[test]
    fn a_total_that_falls_another_device_and_contradictions_are_refused() {
        let device = SigningKey::from_seed(&[5; 32]);
        let other = SigningKey::from_seed(&[6; 32]);
        let now = Timestamp::from_ms(5);
        let falls = chain(&device, &[&[("a", 4)], &[("a", 3)]]);
        let fell = Checkpoint::fold(None, &falls, now).unwrap_err();
        assert_eq!(fell.code(), "usage_regressed");
        let mut checkpoint = Checkpoint::fold(None, &falls[..1], now).unwrap();
        assert!(Checkpoint::open(&checkpoint.seal(&other).unwrap(), device.public()).is_err());
        assert!(Checkpoint::open(&checkpoint.seal(&other).unwrap(), other.public()).is_err());
        checkpoint.totals.push(checkpoint.totals[0].clone());
        assert!(Checkpoint::open(&checkpoint.seal(&device).unwrap(), device.public()).is_err());
    }
}
