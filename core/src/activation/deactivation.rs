//! A device gives its seat back, with or without a network.

use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, CONFIRMATION, ISSUED_AT, Kind, NONCE, PRIVATE, PublicKey, SigningKey, cose_key,
    open_self_signed, private_claims, seal,
};
use crate::error::{Error, Result};
use crate::id::{ActivationId, LicenseId};
use crate::license::instant;
use crate::time::Timestamp;

const ACTIVATION: i64 = 1;
const LICENSE: i64 = 2;

/// A device's word that it has given up its activation.
///
/// It proves that whoever holds the device's key says so, not that the device can't be put back
/// from a copy: whoever frees seats on such words caps how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deactivation {
    /// The product's code.
    pub product: String,
    /// The device's own clock; nothing depends on it.
    pub issued_at: Timestamp,
    /// What a [`TimeProof`](super::TimeProof) answers, once the seat is free.
    pub nonce: [u8; 16],
    /// The license.
    pub license: LicenseId,
    /// The activation that was given up.
    pub activation: ActivationId,
}

impl Deactivation {
    /// Signs with the device's key.
    pub fn seal(&self, device: &SigningKey) -> Result<Vec<u8>> {
        let private = Value::labelled([
            (ACTIVATION, Some(Value::bytes(self.activation.as_bytes()))),
            (LICENSE, Some(Value::bytes(self.license.as_bytes()))),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs().max(0)))),
            (CONFIRMATION, Some(cose_key(device.public()))),
            (NONCE, Some(Value::bytes(&self.nonce))),
            (PRIVATE, Some(private)),
        ]))?;
        seal(Kind::Deactivation, &claims, device)
    }

    /// Verifies it with the key it names: gives that device key and what it says.
    pub fn verify(bytes: &[u8]) -> Result<(PublicKey, Self)> {
        let (device, payload) = open_self_signed(Kind::Deactivation, bytes)?;
        let claims = cbor::decode(payload)?;
        let private = private_claims(&claims)?
            .ok_or_else(|| Error::new("malformed", "the deactivation gives up nothing"))?;
        let given_up = private.need(ACTIVATION, "activation")?.as_exact()?;
        let said = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            issued_at: instant(claims.need(ISSUED_AT, "issued at")?)?,
            nonce: claims.need(NONCE, "nonce")?.as_exact()?,
            license: LicenseId::from_bytes(private.need(LICENSE, "license")?.as_exact()?),
            activation: ActivationId::from_bytes(given_up),
        };
        Ok((device, said))
    }
}
