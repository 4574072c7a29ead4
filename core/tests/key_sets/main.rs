//! Key sets from far away: what an old client follows, and every sequence that it refuses.

mod changes;
mod rotation;
mod shapes;

use mintreu::Timestamp;
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Kind, SigningKey, seal};
use mintreu::id::LicenseId;
use mintreu::license::{
    Certificate, Claims, KeySet, Products, RevokedKey, Ring, Trust, issue, verify,
};

const NOW: i64 = 1_795_000_000;
const PRODUCT: &str = "acme.editor";
const SCOPE: &str = "certificate_out_of_scope";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Pins the root 1 with the spare 9.
fn trust() -> Trust {
    let trust = Trust::new(PRODUCT, *key(1).public()).expect("a trust");
    trust.with_spare(*key(9).public())
}

fn set(version: u64) -> KeySet {
    KeySet::new(version, at(NOW + version.min(1 << 20) as i64))
}

fn with(version: u64, change: impl FnOnce(&mut KeySet)) -> KeySet {
    let mut set = set(version);
    change(&mut set);
    set
}

/// A set that puts `roots` in place of those before, with the consent of each of `consents`.
fn changing(version: u64, roots: &[u8], consents: &[u8]) -> KeySet {
    let mut set = set(version);
    set.roots = roots.iter().map(|&seed| *key(seed).public()).collect();
    let endorse = |&seed: &u8| set.endorse(&key(seed)).expect("endorses");
    set.endorsements = consents.iter().map(endorse).collect();
    set
}

fn signed(set: &KeySet, root: u8) -> Vec<u8> {
    set.issue(&key(root)).expect("issues")
}

fn after(set: &KeySet, previous: &[u8]) -> KeySet {
    let previous = Some(previous.to_vec());
    KeySet {
        previous,
        ..set.clone()
    }
}

fn certificate(seed: u8, root: u8, issued: i64) -> Vec<u8> {
    let certificate = Certificate {
        key: *key(seed).public(),
        kinds: vec![Kind::License],
        products: Products::Any,
        issued_at: at(issued),
        signs_from: at(NOW),
        signs_until: None,
        delegate: false,
        licenses: None,
    };
    certificate.issue(&key(root)).expect("certifies")
}

fn license(signer: u8) -> Vec<u8> {
    let claims = Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, at(NOW));
    issue(&claims, &key(signer), &[]).expect("issues")
}

fn held(sets: &[Vec<u8>]) -> Ring {
    let mut ring = Ring::new(trust());
    for bytes in sets {
        assert_eq!(
            ring.install_key_set(bytes),
            Ok(true),
            "what is held already"
        );
    }
    ring
}

/// Installs and gives the code; what is refused leaves the ring as it was.
fn outcome(held_before: &[Vec<u8>], bytes: &[u8]) -> &'static str {
    let mut ring = held(held_before);
    let before = format!("{ring:?}");
    match ring.install_key_set(bytes) {
        Ok(true) => "taken",
        Ok(false) => "known",
        Err(error) => {
            assert_eq!(format!("{ring:?}"), before, "a refused set changes nothing");
            error.code()
        }
    }
}

/// A name, what is held before, what comes, and what is said to it.
type Row = (&'static str, Vec<Vec<u8>>, Vec<u8>, &'static str);

fn check(rows: Vec<Row>) {
    for (name, held, bytes, expected) in rows {
        assert_eq!(outcome(&held, &bytes), expected, "{name}");
    }
}

/// A set of private claims that `issue` wouldn't write; `number` is a version in raw CBOR.
fn raw(private: &[(i64, Option<Value<'_>>)], number: &[u8]) -> Vec<u8> {
    let kept = private.iter().filter(|(_, value)| value.is_some()).cloned();
    let claims = Value::labelled([
        (6, Some(Value::Int(NOW))),
        (-65537, Some(Value::labelled(kept))),
    ]);
    let mut payload = cbor::encode(&claims).expect("encodes");
    if number.is_empty() {
        return seal(Kind::KeySet, &payload, &key(1)).expect("seals");
    }
    // The empty private map at the end becomes {1: number}; seal would refuse that.
    payload.pop();
    payload.extend([0xa1, 0x01]);
    payload.extend(number);
    by_hand(&payload)
}

/// The envelope of a key set around claims that nobody has checked.
fn by_hand(payload: &[u8]) -> Vec<u8> {
    let kid = key(1).public().kid();
    let protected = cbor::encode(&Value::labelled([
        (1, Some(Value::Int(-19))),
        (4, Some(Value::bytes(&kid))),
        (16, Some(Value::text("mintreu/keyset/1"))),
    ]));
    let protected = protected.expect("encodes");
    let encode = |items: Vec<Value<'_>>| cbor::encode(&Value::Array(items)).expect("encodes");
    let signature = key(1).sign(&encode(vec![
        Value::text("Signature1"),
        Value::bytes(&protected),
        Value::bytes(b"mintreu/keyset/1"),
        Value::bytes(payload),
    ]));
    let body = encode(vec![
        Value::bytes(&protected),
        Value::Map(Vec::new()),
        Value::bytes(payload),
        Value::bytes(&signature),
    ]);
    [&[0xd2][..], &body].concat()
}
