//! The answer to a device that asked what time it is.

use crate::document::cbor;
use crate::document::cbor::Value;
use crate::document::{
    AUDIENCE, Bundle, CONFIRMATION, ISSUED_AT, Kind, NONCE, PublicKey, SigningKey, cose_key,
    key_from_cose, seal,
};
use crate::error::Result;
use crate::license::{Anchor, Opened, open_bundle};
use crate::time::Timestamp;

/// Proof of the time for one device: a document of the kind `challenge`.
///
/// It answers the nonce of the device's own question, so that it was made after that, and shows
/// the time that it was then. It also acknowledges a [`Deactivation`](super::Deactivation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeProof {
    /// The product's code.
    pub product: String,
    /// The time when it was made.
    pub at: Timestamp,
    /// The device that asked.
    pub device: PublicKey,
    /// Its question.
    pub nonce: [u8; 16],
}

impl TimeProof {
    /// Signs with a key certified for challenges: the bytes of the bundle.
    pub fn issue(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (ISSUED_AT, Some(Value::Int(self.at.secs()))),
            (CONFIRMATION, Some(cose_key(&self.device))),
            (NONCE, Some(Value::bytes(&self.nonce))),
        ]))?;
        let document = seal(Kind::Challenge, &claims, key)?;
        Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
    }

    /// Verifies a bundle against what the product pins; errors as for a license.
    ///
    /// Whether it may be believed now is asked of [`Opened::holds_at`].
    pub fn verify(bundle: &[u8], anchor: &dyn Anchor) -> Result<(Opened, Self)> {
        let opened = open_bundle(Kind::Challenge, bundle, anchor)?;
        let claims = cbor::decode(opened.claims())?;
        let proof = Self {
            product: opened.product().to_owned(),
            at: opened.issued_at(),
            device: key_from_cose(claims.need(CONFIRMATION, "key")?)?,
            nonce: claims.need(NONCE, "nonce")?.as_exact()?,
        };
        Ok((opened, proof))
    }
}
