//! What cases are made of: fixed keys, a plain license, and envelopes made by hand.

use mintreu::Timestamp;
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Kind, SigningKey, seal};
use mintreu::id::LicenseId;
use mintreu::license::{Certificate, Claims, Entitlement, Products, QuotaClaim, Trust, issue};
use mintreu::meter::Window;
use serde_json::json;

/// 2026-11-18T13:20:00Z: when everything was issued.
pub const ISSUED: i64 = 1_795_008_000;
/// A year later.
pub const END: i64 = ISSUED + 365 * DAY;
pub const DAY: i64 = 86_400;
pub const PRODUCT: &str = "acme.editor";

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// The root that the cases trust; 2 is the seller's key, 3 the product's, 5 and 6 are devices.
pub fn root() -> SigningKey {
    key(1)
}

pub fn trust() -> Trust {
    Trust::new(PRODUCT, *root().public()).expect("a trust")
}

pub fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

pub fn claims() -> Claims {
    let mut claims = Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, at(ISSUED));
    claims.expires_at = Some(at(END));
    claims.edition = Some("pro".into());
    let name = |text: &str| text.parse().expect("a name");
    claims
        .entitlements
        .insert(name("export-4k"), Entitlement::Granted);
    claims
        .entitlements
        .insert(name("projects"), Entitlement::Limit(50));
    claims
        .entitlements
        .insert(name("region"), Entitlement::Value("eu".into()));
    claims
        .quotas
        .insert(name("renders"), QuotaClaim::new(500, Window::Month));
    claims
}

pub fn with(change: impl FnOnce(&mut Claims)) -> Claims {
    let mut claims = claims();
    change(&mut claims);
    claims
}

/// A license signed by the root itself.
pub fn by_root(claims: &Claims) -> Vec<u8> {
    issue(claims, &root(), &[]).expect("issues")
}

pub fn certificate(seed: u8) -> Certificate {
    Certificate {
        key: *key(seed).public(),
        kinds: vec![Kind::License, Kind::Activation],
        products: Products::Only(vec![PRODUCT.into()]),
        issued_at: at(ISSUED - DAY),
        signs_from: at(ISSUED - DAY),
        signs_until: Some(at(ISSUED + DAY)),
        delegate: false,
        licenses: None,
    }
}

/// A license under one certificate, changed before the root signs it.
pub fn certified(change: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let mut leaf = certificate(3);
    change(&mut leaf);
    let leaf = leaf.issue(&root()).expect("certifies");
    issue(&claims(), &key(3), &[&leaf]).expect("issues")
}

/// A license under a delegating seller and a product key, the latter changed.
pub fn delegated(seller: Certificate, change: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let mut product = certificate(3);
    change(&mut product);
    let seller = seller.issue(&root()).expect("certifies");
    let product = product.issue(&key(2)).expect("certifies");
    issue(&claims(), &key(3), &[&seller, &product]).expect("issues")
}

pub fn seller() -> Certificate {
    Certificate {
        delegate: true,
        ..certificate(2)
    }
}

/// What [`claims`] says, as the cases expect it back.
pub fn license_json() -> serde_json::Value {
    json!({
        "id": LicenseId::from_bytes([7; 16]).to_string(),
        "product": PRODUCT,
        "edition": "pro",
        "entitlements": { "export-4k": true, "projects": 50, "region": "eu" },
        "quotas": { "renders": { "limit": 500, "window": "month" } },
    })
}

/// An envelope in which everything can be wrong and is still signed as it stands.
pub struct Envelope {
    pub protected: Vec<u8>,
    pub unprotected: Value<'static>,
    pub external: &'static str,
    pub payload: Vec<u8>,
}

impl Envelope {
    pub fn license() -> Self {
        let payload = claims().to_cbor().expect("encodes");
        Self {
            protected: header(-19, "mintreu/license/1", &[]),
            unprotected: Value::Map(Vec::new()),
            external: "mintreu/license/1",
            payload,
        }
    }

    pub fn with_payload(payload: Vec<u8>) -> Vec<u8> {
        Self {
            payload,
            ..Self::license()
        }
        .sealed()
    }

    pub fn signature(&self) -> [u8; 64] {
        let message = Value::Array(vec![
            Value::text("Signature1"),
            Value::bytes(&self.protected),
            Value::bytes(self.external.as_bytes()),
            Value::bytes(&self.payload),
        ]);
        root().sign(&cbor::encode(&message).expect("encodes"))
    }

    pub fn sealed(&self) -> Vec<u8> {
        self.with_signature(&self.signature())
    }

    pub fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let body = Value::Array(vec![
            Value::bytes(&self.protected),
            self.unprotected.clone(),
            Value::bytes(&self.payload),
            Value::bytes(signature),
        ]);
        let mut bytes = vec![0xd2];
        bytes.extend(cbor::encode(&body).expect("encodes"));
        bytes
    }
}

/// A protected header of an algorithm, a type and whatever else.
pub fn header(algorithm: i64, media_type: &str, extra: &[(i64, Value<'_>)]) -> Vec<u8> {
    let kid = root().public().kid();
    let mut entries = vec![
        (1, Some(Value::Int(algorithm))),
        (4, Some(Value::bytes(&kid))),
        (16, Some(Value::text(media_type))),
    ];
    entries.extend(
        extra
            .iter()
            .map(|(label, value)| (*label, Some(value.clone()))),
    );
    cbor::encode(&Value::labelled(entries)).expect("encodes")
}

/// Claims of the root's own making as a document of another kind.
pub fn as_kind(kind: Kind) -> Vec<u8> {
    seal(kind, &claims().to_cbor().expect("encodes"), &root()).expect("seals")
}
