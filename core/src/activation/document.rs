//! The request a device signs and the activation it gets back.

use std::fmt;

use super::{Fingerprint, RedeemCode};
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, Bundle, CONFIRMATION, DOCUMENT_ID, EXPIRES, ISSUED_AT, Kind, NONCE, PRIVATE,
    PublicKey, SigningKey, cose_key, key_from_cose, open_self_signed, private_claims, seal,
};
use crate::error::{Error, Result};
use crate::id::{ActivationId, LicenseId};
use crate::license::{ActivationFacts, Anchor, Matching, Signers, instant, open_bundle};
use crate::time::Timestamp;

const CODE: i64 = 1;
const LICENSE: i64 = 2;
const FINGERPRINT: i64 = 3;
const VERSION: i64 = 4;
const LICENSE_BUNDLE: i64 = 5;
const TIME: i64 = 5;
const KEY: i64 = 6;
const RENEWS: i64 = 7;
const LEND_SECS: i64 = 8;
/// Bytes of a seller's own key.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 6..=128;

/// What a device asks to be activated for. `Debug` prints neither codes nor keys.
#[derive(Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The license this code is exchanged for.
    Code(RedeemCode),
    /// A license it already holds.
    License(LicenseId),
    /// The time and nothing else: a [`TimeProof`](super::TimeProof) answers.
    Time,
    /// The license that this key of the seller's own stands for; see [`seller_key`].
    Key(String),
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => f.debug_tuple("Code").field(code).finish(),
            Self::License(id) => f.debug_tuple("License").field(id).finish(),
            Self::Time => f.write_str("Time"),
            Self::Key(_) => f.write_str("Key(redacted)"),
        }
    }
}

/// A key that a seller gave out before, as it is compared: without white space around it.
///
/// `seller_key_malformed` unless 6 to 128 bytes are left, none of them a control character.
pub fn seller_key(text: &str) -> Result<&str> {
    let key = text.trim();
    if KEY_BYTES.contains(&key.len()) && !key.chars().any(char::is_control) {
        return Ok(key);
    }
    Err(Error::new(
        "seller_key_malformed",
        "a license key has 6 to 128 printable characters; copy it again as a whole",
    ))
}

/// A device asks for its activation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The product's code.
    pub product: String,
    /// The device's own clock; nothing depends on it.
    pub issued_at: Timestamp,
    /// Random, so that an answer is good for one request.
    pub nonce: [u8; 16],
    /// What it asks for.
    pub wanted: Wanted,
    /// The host it runs on.
    pub fingerprint: Fingerprint,
    /// The product's version, at most 64 bytes.
    pub version: Option<String>,
    /// The activation whose seat is to be kept for longer: a [`Lease`](super::Lease) answers.
    pub renews: Option<ActivationId>,
    /// For how many seconds a floating seat is wanted; whoever issues decides when absent.
    pub lend_secs: Option<u32>,
}

fn malformed(detail: &'static str) -> Error {
    Error::new("malformed", detail)
}

/// A key as it travels: what would be trimmed has no place there.
fn exact_key(text: &str) -> Result<String> {
    match seller_key(text) {
        Ok(key) if key == text => Ok(text.to_owned()),
        _ => Err(malformed("a key has 6 to 128 printable characters")),
    }
}

impl Request {
    /// Signs with the device's key, which the request then names.
    pub fn seal(&self, device: &SigningKey) -> Result<Vec<u8>> {
        let (label, wanted) = match &self.wanted {
            Wanted::Code(code) => (CODE, Value::Text(code.canonical().into())),
            Wanted::License(id) => (LICENSE, Value::bytes(id.as_bytes())),
            Wanted::Time => (TIME, Value::Bool(true)),
            Wanted::Key(key) => (KEY, Value::text(seller_key(key)?)),
        };
        let lend_secs = self.lend_secs.map(|secs| Value::Int(i64::from(secs)));
        let renews = self.renews.as_ref().map(|id| Value::bytes(id.as_bytes()));
        let private = Value::labelled([
            (label, Some(wanted)),
            (FINGERPRINT, self.fingerprint.to_value()),
            (VERSION, self.version.as_deref().map(Value::text)),
            (RENEWS, renews),
            (LEND_SECS, lend_secs),
        ]);
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            // A clock without a battery may stand before 1970.
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs().max(0)))),
            (CONFIRMATION, Some(cose_key(device.public()))),
            (NONCE, Some(Value::bytes(&self.nonce))),
            (PRIVATE, Some(private)),
        ]))?;
        seal(Kind::Request, &claims, device)
    }

    /// Verifies a request with the key it names: gives that device key and what it asks.
    pub fn verify(bytes: &[u8]) -> Result<(PublicKey, Self)> {
        let (device, payload) = open_self_signed(Kind::Request, bytes)?;
        let claims = cbor::decode(payload)?;
        let private =
            private_claims(&claims)?.ok_or_else(|| malformed("the request asks for nothing"))?;
        let asked = [CODE, LICENSE, TIME, KEY].map(|label| private.at(label));
        let wanted = match asked {
            [Some(code), None, None, None] => Wanted::Code(code.as_text()?.parse()?),
            [None, Some(id), None, None] => Wanted::License(LicenseId::from_bytes(id.as_exact()?)),
            [None, None, Some(Value::Bool(true)), None] => Wanted::Time,
            [None, None, None, Some(key)] => Wanted::Key(exact_key(key.as_text()?)?),
            _ => return Err(malformed("a request asks for exactly one thing")),
        };
        let renews = private.at(RENEWS).map(Value::as_exact).transpose()?;
        let lend_secs = private.at(LEND_SECS).map(Value::as_int).transpose()?;
        let lend_secs = lend_secs.map(u32::try_from).transpose();
        let version = private.at(VERSION).map(Value::as_text).transpose()?;
        if version.is_some_and(|version| version.len() > 64) {
            return Err(malformed("a version has at most 64 bytes"));
        }
        let request = Self {
            product: claims.need(AUDIENCE, "product")?.as_text()?.to_owned(),
            issued_at: instant(claims.need(ISSUED_AT, "issued at")?)?,
            nonce: claims.need(NONCE, "nonce")?.as_exact()?,
            wanted,
            fingerprint: Fingerprint::from_value(private.at(FINGERPRINT))?,
            version: version.map(str::to_owned),
            renews: renews.map(ActivationId::from_bytes),
            lend_secs: lend_secs.map_err(|_| malformed("a seat is lent for 32-bit seconds"))?,
        };
        Ok((device, request))
    }
}

/// One device's permission to use one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// Its own id.
    pub id: ActivationId,
    /// The license.
    pub license: LicenseId,
    /// The product's code.
    pub product: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When the lease of the seat ends; `None` for as long as the license.
    pub expires_at: Option<Timestamp>,
    /// The device.
    pub device: PublicKey,
    /// The request it answers.
    pub nonce: [u8; 16],
    /// The host as it was then.
    pub fingerprint: Fingerprint,
    /// The license's own bundle, for a device that has only a code.
    pub license_bundle: Option<Vec<u8>>,
}

/// An activation whose signatures hold up to a pinned root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedActivation {
    activation: Activation,
    signers: Signers,
}

impl Activation {
    /// Signs with a key certified for activations: the bytes of the bundle.
    pub fn issue(&self, key: &SigningKey, certificates: &[&[u8]]) -> Result<Vec<u8>> {
        let document = seal(Kind::Activation, &self.to_cbor()?, key)?;
        Ok(Bundle::new(certificates.to_vec(), &document)?.to_bytes())
    }

    fn to_cbor(&self) -> Result<Vec<u8>> {
        let private = Value::labelled([
            (LICENSE, Some(Value::bytes(self.license.as_bytes()))),
            (FINGERPRINT, self.fingerprint.to_value()),
            (
                LICENSE_BUNDLE,
                self.license_bundle.as_deref().map(Value::bytes),
            ),
        ]);
        cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text(&self.product))),
            (EXPIRES, self.expires_at.map(|at| Value::Int(at.secs()))),
            (ISSUED_AT, Some(Value::Int(self.issued_at.secs()))),
            (DOCUMENT_ID, Some(Value::bytes(self.id.as_bytes()))),
            (CONFIRMATION, Some(cose_key(&self.device))),
            (NONCE, Some(Value::bytes(&self.nonce))),
            (PRIVATE, Some(private)),
        ]))
    }

    /// Verifies a bundle against what the product pins; errors as for a license.
    pub fn verify(bundle: &[u8], anchor: &dyn Anchor) -> Result<VerifiedActivation> {
        let opened = open_bundle(Kind::Activation, bundle, anchor)?;
        let claims = cbor::decode(opened.claims())?;
        let private =
            private_claims(&claims)?.ok_or_else(|| malformed("the activation says nothing"))?;
        let expires_at = claims.at(EXPIRES).map(instant).transpose()?;
        let license_bundle = private
            .at(LICENSE_BUNDLE)
            .map(Value::as_bytes)
            .transpose()?;
        let activation = Self {
            id: ActivationId::from_bytes(claims.need(DOCUMENT_ID, "activation id")?.as_exact()?),
            license: LicenseId::from_bytes(private.need(LICENSE, "license")?.as_exact()?),
            product: opened.product().to_owned(),
            issued_at: opened.issued_at(),
            expires_at,
            device: key_from_cose(claims.need(CONFIRMATION, "key")?)?,
            nonce: claims.need(NONCE, "nonce")?.as_exact()?,
            fingerprint: Fingerprint::from_value(private.at(FINGERPRINT))?,
            license_bundle: license_bundle.map(<[u8]>::to_vec),
        };
        Ok(VerifiedActivation {
            activation,
            signers: opened.signers().clone(),
        })
    }
}

impl VerifiedActivation {
    /// What it says.
    pub const fn claims(&self) -> &Activation {
        &self.activation
    }

    /// The keys it hangs on.
    pub const fn signers(&self) -> &Signers {
        &self.signers
    }

    /// What judging needs of it, with the host as it is `now` under the license's policy.
    ///
    /// A [`Lease`](super::Lease) may have moved its end since.
    pub fn facts(&self, matching: Matching, now: &Fingerprint) -> ActivationFacts {
        let known = &self.activation.fingerprint;
        ActivationFacts {
            license: self.activation.license,
            device: self.activation.device,
            expires_at: self.activation.expires_at,
            host_matches: matching.satisfied(known.matched(now), known.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::{Presented, judge_texts};
    use crate::document::{to_armor, to_text};
    use crate::license::{Binding, Claims, Facts, Status, Trust, issue};

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn host(disk: &str) -> Fingerprint {
        let parts = [("machine", "m"), ("disk", disk), ("board", "b")];
        Fingerprint::new("acme.editor", &parts).expect("a fingerprint")
    }

    fn request() -> Request {
        Request {
            product: "acme.editor".into(),
            issued_at: NOW,
            nonce: [9; 16],
            wanted: Wanted::Code(RedeemCode::new("acme", [5; 10])),
            fingerprint: host("d"),
            version: Some("2.1".into()),
            renews: None,
            lend_secs: None,
        }
    }

    fn activation(license_bundle: Option<Vec<u8>>) -> Activation {
        Activation {
            id: ActivationId::from_bytes([2; 16]),
            license: LicenseId::from_bytes([1; 16]),
            product: "acme.editor".into(),
            issued_at: NOW,
            expires_at: None,
            device: *key(5).public(),
            nonce: [9; 16],
            fingerprint: host("d"),
            license_bundle,
        }
    }

    #[test]
    fn a_request_comes_back_with_its_device() {
        let bytes = request().seal(&key(5)).expect("seals");
        assert!(to_text(&bytes).len() < 500, "fits one code");
        let (device, read) = Request::verify(&bytes).expect("verifies");
        assert_eq!((&device, read), (key(5).public(), request()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Request::verify(&flipped).is_err(), "bit {bit}");
        }
        let held = Request {
            wanted: Wanted::License(LicenseId::from_bytes([1; 16])),
            ..request()
        };
        let bytes = held.seal(&key(5)).expect("seals");
        assert_eq!(Request::verify(&bytes).expect("verifies").1, held);
        let longer = Request {
            renews: Some(ActivationId::from_bytes([2; 16])),
            lend_secs: Some(86_400),
            ..held
        };
        let bytes = longer.seal(&key(5)).expect("seals");
        assert_eq!(Request::verify(&bytes).expect("verifies").1, longer);
        let time = Request {
            wanted: Wanted::Time,
            fingerprint: Fingerprint::default(),
            version: None,
            ..request()
        };
        let bytes = time.seal(&key(5)).expect("seals");
        assert_eq!(Request::verify(&bytes).expect("verifies").1, time);
        assert!(to_text(&bytes).len() < 300, "a small code");
    }

    #[test]
    fn an_activation_takes_a_license_to_valid() {
        let mut claims = Claims::new(LicenseId::from_bytes([1; 16]), "acme.editor", NOW);
        claims.binding = Binding::NodeLocked;
        claims.matching = Matching::Most;
        let license = issue(&claims, &key(1), &[]).expect("issues");
        let trust = Trust::new("acme.editor", *key(1).public()).expect("a trust");
        let bundle = activation(Some(license.clone()))
            .issue(&key(1), &[])
            .expect("issues");
        let verified = Activation::verify(&bundle, &trust).expect("verifies");
        assert_eq!(verified.claims(), &activation(Some(license.clone())));
        let (license, activation) = (to_text(&license), to_armor(&bundle).expect("writes"));
        let status = |device: u8, disk: &str, activation: Option<&str>| {
            let presented = Presented {
                license: &license,
                activation,
                device: Some(*key(device).public()),
                fingerprint: host(disk),
                ..Presented::default()
            };
            judge_texts(&presented, &trust, &Facts::at(NOW)).status()
        };
        assert_eq!(status(5, "d", Some(&activation)), Status::Valid);
        assert_eq!(status(5, "new disk", Some(&activation)), Status::Valid);
        assert_eq!(status(5, "d", None), Status::DeviceNotActivated);
        assert_eq!(status(6, "d", Some(&activation)), Status::WrongDevice);
        assert_eq!(status(5, "d", Some(&license)), Status::WrongKind);
        let elsewhere = Presented {
            license: &license,
            activation: Some(&activation),
            device: Some(*key(5).public()),
            ..Presented::default()
        };
        let verdict = judge_texts(&elsewhere, &trust, &Facts::at(NOW));
        assert_eq!(verdict.status(), Status::WrongDevice);
    }
}
