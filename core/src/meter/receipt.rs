//! Receipts: the server's signed word on how far it has accepted a stream.
//!
//! Every answer about segments is a receipt, whether they were taken (200) or not (409): a device
//! learns from the position alone what to do next, and no unsigned sentence can move it.

use super::accept::Position;
use super::key::malformed;
use super::segment::{GENESIS, count};
use crate::document::cbor::{self, Value};
use crate::document::{AUDIENCE, Bundle, ISSUED_AT, Kind, PRIVATE, SigningKey, seal};
use crate::error::Result;
use crate::id::StreamId;
use crate::time::Timestamp;

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The product: the license's audience.
    pub product: String,
    /// The stream it is about.
    pub stream: StreamId,
    /// How far the server has accepted it.
    pub position: Position,
    /// The server's clock.
    pub issued_at: Timestamp,
    /// Rises each time the server is restored from a backup; from 1.
    pub server_epoch: u64,
}

impl Receipt {
    /// Signs with the seller's receipt key, whose certificates (the root's first) go before it.
    pub fn seal(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let document = seal(Kind::Receipt, &self.to_claims()?, key)?;
        Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
    }

    /// The claims in deterministic CBOR.
    pub fn to_claims(&self) -> Result<Vec<u8>> {
        let body = Value::labelled([
            (1, Some(Value::bytes(self.stream.as_bytes()))),
            (2, Some(count(self.position.epoch)?)),
            (3, Some(count(self.position.seq)?)),
            (4, Some(Value::bytes(&self.position.head))),
            (5, Some(Value::Int(self.issued_at.ms()))),
            (6, Some(count(self.server_epoch)?)),
        ]);
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (PRIVATE, Some(body)),
        ]))
    }

    /// Reads claims whose signature has been verified; unknown private keys are ignored.
    pub fn from_claims(claims: &[u8]) -> Result<Self> {
        let claims = cbor::decode(claims)?;
        let body = claims.need(PRIVATE, "receipt")?;
        let receipt = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            stream: StreamId::from_bytes(body.need(1, "stream")?.as_exact()?),
            position: Position {
                epoch: body.need(2, "epoch")?.as_count()?,
                seq: body.need(3, "watermark")?.as_count()?,
                head: body.need(4, "head")?.as_exact()?,
            },
            issued_at: Timestamp::from_ms(body.need(5, "server time")?.as_int()?),
            server_epoch: body.need(6, "server epoch")?.as_count()?,
        };
        let nothing_yet = receipt.position == Position::START;
        let position = receipt.position;
        if !nothing_yet && (position.seq == 0 || position.epoch == 0 || position.head == GENESIS) {
            return Err(malformed("the position of a receipt contradicts itself"));
        }
        if claims.need(ISSUED_AT, "issued at")?.as_int()? != receipt.issued_at.secs() {
            return Err(malformed("iat and the server time of a receipt differ"));
        }
        Ok(receipt)
    }
}
