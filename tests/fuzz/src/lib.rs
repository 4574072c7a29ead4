//! What each target does with the bytes it gets: the fuzzer's targets and the replay of the seeds
//! are these functions and nothing else.
//!
//! Nothing may panic. What is read must be written back as it was. Where a signature stands before
//! the reader, the bytes are taken for claims and signed here, so that the fuzzer reaches what is
//! behind it.

use mintreu::Timestamp;
use mintreu::activation::{Activation, RedeemCode, Request};
use mintreu::document::cbor::{self, Value};
use mintreu::document::{
    Bundle, Kind, PublicKey, SigningKey, from_text, kind_of, open, open_self_signed, seal,
    to_armor, to_qr, to_text,
};
use mintreu::import::keygen::{Account, Algorithm, Opening};
use mintreu::license::{
    Certificate, Facts, KeySet, Revocations, Ring, Schema, Trust, judge, open_bundle, verify,
};
use mintreu::meter::{Audit, Export, Receipt, Segment, open_segment_of_any_device, verify_chain};
use mintreu::price::Tariff;

/// A target's name and what it does.
type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 17] = [
    ("activation", activation),
    ("bundle", bundle),
    ("cbor", any_cbor),
    ("certificate", certificate),
    ("export", export),
    ("key_set", key_set),
    ("keygen", keygen),
    ("license", license),
    ("receipt", receipt),
    ("redeem_code", redeem_code),
    ("request", request),
    ("revocations", revocations),
    ("schema", schema),
    ("segment", segment),
    ("tariff", tariff),
    ("text", text),
    ("trust", trust),
];

/// The root that the targets trust, and the device that signs requests and segments.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn pinned() -> Trust {
    Trust::new("acme.editor", *key(1).public()).expect("a trust")
}

/// Claims as a document of the root; `None` where no document can say so.
fn sealed(kind: Kind, claims: &[u8], signer: u8) -> Option<Vec<u8>> {
    seal(kind, claims, &key(signer)).ok()
}

pub fn any_cbor(data: &[u8]) {
    if let Ok(value) = cbor::decode(data) {
        let again = cbor::encode(&value).expect("what is read can be written");
        assert_eq!(again, data, "one encoding");
    }
}

pub fn bundle(data: &[u8]) {
    let root = *key(1).public();
    let _ = kind_of(data);
    if let Ok(bundle) = Bundle::from_bytes(data) {
        assert_eq!(bundle.to_bytes(), data);
        assert!(to_armor(data).is_ok());
    }
    for kind in Kind::all() {
        let _ = open(kind, data, &[&root]);
        let _ = open_self_signed(kind, data);
    }
}

pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = text.parse::<PublicKey>();
    let Ok(bytes) = from_text(text) else {
        return;
    };
    assert_eq!(from_text(&to_text(&bytes)), Ok(bytes.clone()));
    // Only a document's first byte keeps a code apart from a part of one.
    if let (Ok(armor), Ok(codes)) = (to_armor(&bytes), to_qr(&bytes)) {
        assert_eq!(from_text(&armor), Ok(bytes.clone()));
        assert_eq!(from_text(&codes.join("\n")), Ok(bytes));
    }
}

pub fn license(data: &[u8]) {
    let Some(document) = sealed(Kind::License, data, 1) else {
        return;
    };
    let Ok(license) = verify(&document, &pinned()) else {
        return;
    };
    for secs in [0, 1_795_008_000, 253_402_300_799] {
        let verdict = judge(&license, &Facts::at(Timestamp::from_secs(secs)));
        assert!(!verdict.sentence().is_empty());
    }
    let claims = license
        .claims()
        .to_cbor()
        .expect("what is read can be issued");
    let again = sealed(Kind::License, &claims, 1).expect("seals");
    assert_eq!(
        verify(&again, &pinned()).expect("verifies").claims(),
        license.claims()
    );
}

pub fn certificate(data: &[u8]) {
    let Some(document) = sealed(Kind::Certificate, data, 1) else {
        return;
    };
    let root = key(1);
    if let Ok(read) = Certificate::verify(&document, &[root.public()]) {
        let again = read.issue(&root).expect("what is read can be issued");
        assert_eq!(Certificate::verify(&again, &[root.public()]), Ok(read));
    }
    // As the first of two, before a certificate and a license that the same key would sign.
    let below = sealed(Kind::License, &[0xa0], 3).expect("seals");
    let _ = verify(&[&document[..], &below].concat(), &pinned());
    let _ = verify(&[&document[..], &document, &below].concat(), &pinned());
}

pub fn key_set(data: &[u8]) {
    let Some(document) = sealed(Kind::KeySet, data, 1) else {
        return;
    };
    let root = key(1);
    if let Ok(read) = KeySet::verify(&document, &[root.public()]) {
        let again = read.issue(&root).expect("what is read can be issued");
        assert_eq!(KeySet::verify(&again, &[root.public()]), Ok(read.clone()));
        let mut next = KeySet::new(read.version.saturating_add(1), read.issued_at);
        next.previous = Some(document.clone());
        let _ = next
            .issue(&root)
            .map(|next| Ring::new(pinned()).install_key_set(&next));
    }
    let mut ring = Ring::new(pinned());
    if ring.install_key_set(&document) == Ok(true) {
        assert_eq!(
            ring.install_key_set(&document),
            Ok(false),
            "it is nothing new"
        );
    }
}

pub fn revocations(data: &[u8]) {
    let Some(document) = sealed(Kind::Revocations, data, 1) else {
        return;
    };
    if let Ok(list) = Revocations::verify(&document, &pinned()) {
        let _ = list.is_revoked(0) || list.is_revoked(list.bits()) || list.is_revoked(u32::MAX);
        let again = list
            .issue(&key(1), &[])
            .expect("what is read can be issued");
        assert_eq!(Revocations::verify(&again, &pinned()), Ok(list));
    }
}

pub fn request(data: &[u8]) {
    let Some(document) = sealed(Kind::Request, data, 5) else {
        return;
    };
    if let Ok((device, request)) = Request::verify(&document) {
        assert_eq!(&device, key(5).public());
        if cut(request.issued_at) {
            return;
        }
        let again = request.seal(&key(5)).expect("what is read can be sealed");
        assert_eq!(Request::verify(&again), Ok((device, request)));
    }
}

/// Seconds beyond what milliseconds can say are cut at the end of the range, and read back as less.
fn cut(at: Timestamp) -> bool {
    [i64::MIN, i64::MAX].contains(&at.ms())
}

pub fn activation(data: &[u8]) {
    let Some(document) = sealed(Kind::Activation, data, 1) else {
        return;
    };
    if let Ok(read) = Activation::verify(&document, &pinned()) {
        if read.claims().expires_at.is_some_and(cut) {
            return;
        }
        let again = read
            .claims()
            .issue(&key(1), &[])
            .expect("what is read can be issued");
        let again = Activation::verify(&again, &pinned()).expect("verifies");
        assert_eq!(again.claims(), read.claims());
    }
}

pub fn segment(data: &[u8]) {
    let Some(document) = sealed(Kind::Usage, data, 5) else {
        return;
    };
    if let Ok(segment) = open_segment_of_any_device(&document) {
        let claims = segment.to_claims().expect("what is read can be written");
        assert_eq!(Segment::from_claims(&claims), Ok(segment));
        let _ = verify_chain(key(5).public(), &[document.clone(), document], &[]);
    }
}

pub fn receipt(data: &[u8]) {
    let Some(document) = sealed(Kind::Receipt, data, 1) else {
        return;
    };
    let opened = open_bundle(Kind::Receipt, &document, &pinned());
    if let Ok(receipt) = opened.and_then(|opened| Receipt::from_claims(opened.claims())) {
        let claims = receipt.to_claims().expect("what is read can be written");
        assert_eq!(Receipt::from_claims(&claims), Ok(receipt));
    }
}

pub fn export(data: &[u8]) {
    let mut audit = Audit::new(Some(pinned()));
    audit.feed(data);
    let report = audit.finish();
    assert!(report.holds() || !report.findings.is_empty());
    let _ = report.to_json();
    let Ok(export) = Export::from_bytes(data) else {
        return;
    };
    let again = export.to_bytes();
    assert_eq!(Export::from_bytes(&again), Ok(export.clone()));
    let _ = verify_chain(key(5).public(), &export.segments, &[]);
}

pub fn redeem_code(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(code) = text.parse::<RedeemCode>() {
        let again = code.canonical().parse::<RedeemCode>();
        let again = again.expect("what is read can be read again");
        assert_eq!(again.canonical(), code.canonical());
    }
}

pub fn trust(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(trust) = Trust::parse(text) {
        assert_eq!(trust.to_string().parse(), Ok(trust));
    }
}

pub fn schema(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(schema) = Schema::parse(text) {
        assert_eq!(schema.to_string().parse(), Ok(schema));
    }
}

pub fn tariff(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(tariff) = text.parse::<Tariff>() {
        assert_eq!(tariff.to_string().parse(), Ok(tariff));
    }
}

/// Bytes as a file or key of another vendor, and as the inside of a file that the vendor signed.
pub fn keygen(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let account = Account::new(
        *key(1).public(),
        &[Algorithm::SignedKey, Algorithm::Plain, Algorithm::Sealed],
    );
    let opening = Opening {
        license_key: Some("key"),
        fingerprint: Some("host"),
        now: Some(Timestamp::from_secs(1_795_008_000)),
    };
    let _ = account.verify(text).map(|signed| signed.open(&opening));
    let signed = account.verify(&signed_key(data));
    let _ = signed.map(|signed| signed.open(&opening));
}

/// A signed key around any payload: `key/<payload>.<signature>`, both in base64url.
fn signed_key(payload: &[u8]) -> String {
    let message = format!("key/{}", base64url(payload));
    let signature = key(1).sign(message.as_bytes());
    format!("{message}.{}", base64url(&signature))
}

/// base64url with padding, by way of the text of documents, which leaves the padding out.
fn base64url(bytes: &[u8]) -> String {
    let text = to_text(bytes);
    let padding = "=".repeat((3 - bytes.len() % 3) % 3);
    format!("{}{padding}", &text[4..])
}

/// Claims that a root or a device could have signed, for whoever writes seeds.
pub fn claims_of(kind: Kind, document: &[u8]) -> Option<Vec<u8>> {
    let keys = [*key(1).public(), *key(5).public()];
    let claims = open(kind, document, &keys.each_ref()).ok()?;
    cbor::decode(claims)
        .ok()
        .filter(|value| matches!(value, Value::Map(_)))?;
    Some(claims.to_vec())
}
