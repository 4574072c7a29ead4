//! Weak keys, wherever a key is loaded: nobody believes one, and nobody is stopped by one.

#[path = "../examples/write-vectors/cases/weak.rs"]
mod weak;

use mintreu::Timestamp;
use mintreu::activation::{Activation, Request};
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Kind, PublicKey, SigningKey, seal};
use mintreu::license::{Certificate, KeySet, Ring, Trust, verify};
use mintreu::meter::open_segment_of_any_device;

const PRODUCT: &str = "acme.editor";
const ISSUED: i64 = 1_795_000_000;

fn root() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn trust() -> Trust {
    Trust::new(PRODUCT, *root().public()).expect("a trust")
}

/// The text of a key's bytes, whatever they are.
fn text_of(key: &[u8; 32]) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let head = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    let digest = sha2::Sha256::new().chain_update(head).chain_update(key);
    let bytes = [&key[..], &digest.finalize()[..4]].concat();
    let text = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!("MT1K-{text}")
}

/// A document that says everything any kind asks for, with `key` as its device or subject and
/// `private` beside the usual private claims.
fn naming(kind: Kind, key: &[u8; 32], private: Vec<(i64, Value<'_>)>) -> Vec<u8> {
    let cose = Value::labelled([
        (1, Some(Value::Int(1))),
        (-1, Some(Value::Int(6))),
        (-2, Some(Value::bytes(key))),
    ]);
    let private = private
        .into_iter()
        .map(|(label, value)| (label, Some(value)));
    let claims = Value::labelled([
        (3, Some(Value::text(PRODUCT))),
        (6, Some(Value::Int(ISSUED))),
        (7, Some(Value::bytes(&[7; 16]))),
        (8, Some(Value::labelled([(1, Some(cose))]))),
        (10, Some(Value::bytes(&[9; 16]))),
        (-65537, Some(Value::labelled(private))),
    ]);
    seal(kind, &cbor::encode(&claims).expect("encodes"), &root()).expect("seals")
}

fn license(key: &[u8; 32]) -> Vec<u8> {
    naming(Kind::License, key, vec![])
}

fn activation(key: &[u8; 32]) -> Vec<u8> {
    naming(Kind::Activation, key, vec![(2, Value::bytes(&[7; 16]))])
}

fn certificate(key: &[u8; 32]) -> Vec<u8> {
    naming(
        Kind::Certificate,
        key,
        vec![(1, Value::Int(2)), (3, Value::Int(0))],
    )
}

fn key_set(label: i64, value: Value<'_>) -> Vec<u8> {
    let key = *root().public().as_bytes();
    naming(Kind::KeySet, &key, vec![(1, Value::Int(5)), (label, value)])
}

fn installed(bytes: &[u8]) -> Result<bool, &'static str> {
    let installed = Ring::new(trust()).install_key_set(bytes);
    installed.map_err(|error| error.code())
}

/// Everywhere a key is loaded, by name, with what is said to these bytes as the key.
fn places(key: &[u8; 32]) -> Vec<(&'static str, Result<(), &'static str>)> {
    let text = text_of(key);
    let as_root = format!("mt1-trust product={PRODUCT} root={text}");
    let as_spare = format!("{} spare={text}", trust());
    let certified = certificate(key);
    let with_license = [&certified[..], &license(root().public().as_bytes())].concat();
    let in_set = key_set(2, Value::Array(vec![Value::bytes(&certified)]));
    let root_in_set = key_set(4, Value::Array(vec![Value::bytes(key)]));
    let request = naming(Kind::Request, key, vec![(2, Value::bytes(&[7; 16]))]);
    let segment = naming(Kind::Usage, key, vec![]);
    let code = |error: mintreu::Error| error.code();
    vec![
        ("bytes", PublicKey::from_bytes(key).map(drop).map_err(code)),
        ("text", text.parse::<PublicKey>().map(drop).map_err(code)),
        (
            "trust, root",
            Trust::parse(&as_root).map(drop).map_err(code),
        ),
        (
            "trust, spare",
            Trust::parse(&as_spare).map(drop).map_err(code),
        ),
        (
            "certificate",
            Certificate::verify(&certified, &[root().public()])
                .map(drop)
                .map_err(code),
        ),
        (
            "certificate in a bundle",
            verify(&with_license, &trust()).map(drop).map_err(code),
        ),
        ("certificate in a key set", installed(&in_set).map(drop)),
        ("root in a key set", installed(&root_in_set).map(drop)),
        (
            "device of a license",
            verify(&license(key), &trust()).map(drop).map_err(code),
        ),
        (
            "device of an activation",
            Activation::verify(&activation(key), &trust())
                .map(drop)
                .map_err(code),
        ),
        (
            "device of a request",
            Request::verify(&request).map(drop).map_err(code),
        ),
        (
            "device of a segment",
            open_segment_of_any_device(&segment).map(drop).map_err(code),
        ),
    ]
}

#[test]
fn weak_keys_are_refused_wherever_one_is_loaded() {
    let weak = weak::keys();
    assert!(
        weak.len() >= 55,
        "14 of low order, 7 with torsion, 34 not canonical"
    );
    let mut refused = 0;
    for key in &weak {
        for (place, found) in places(key) {
            assert_eq!(found, Err("weak_key"), "{place}: {key:02x?}");
            refused += 1;
        }
    }
    assert!(refused >= 12 * weak.len());
}

/// The negative control: a strong key is stopped by none of these, or only later.
#[test]
fn a_strong_key_is_loaded_everywhere() {
    let strong = *SigningKey::from_seed(&[3; 32]).public().as_bytes();
    for (place, found) in places(&strong) {
        let expected = match place {
            // Loaded, and then the license is the root's and the request is signed by the root.
            "certificate in a bundle" | "device of a request" | "device of a segment" => {
                Err("unknown_key")
            }
            // A new root that hasn't consented.
            "root in a key set" => Err("certificate_out_of_scope"),
            _ => Ok(()),
        };
        assert_eq!(found, expected, "{place}");
    }
}

/// Revoking asks for nothing: a set that revokes a weak key is taken, and the key is not kept,
/// since nothing that is believed can hang on it.
#[test]
fn a_weak_key_may_be_revoked() {
    let from = Timestamp::from_secs(ISSUED);
    let strong = *SigningKey::from_seed(&[3; 32]).public();
    for key in weak::keys() {
        let pair = |bytes: &[u8; 32]| {
            let key = Value::Bytes(bytes.to_vec().into());
            Value::Array(vec![key, Value::Int(ISSUED)])
        };
        let set = key_set(3, Value::Array(vec![pair(&key), pair(strong.as_bytes())]));
        assert_eq!(installed(&set), Ok(true));
        let read = KeySet::verify(&set, &[root().public()]).expect("verifies");
        let kept: Vec<_> = read.revoked.iter().map(|one| (one.key, one.from)).collect();
        assert_eq!(kept, [(strong, from)]);
    }
}

/// The list is that of others, where theirs is at hand.
#[test]
fn the_keys_of_low_order_are_the_ones_that_others_list() {
    let mut ours = weak::low_order();
    ours.sort_unstable();
    ours.dedup();
    assert_eq!(ours.len(), 14);
    let folder = std::env::var_os("MINTREU_SHARED_VECTORS").map_or_else(
        || std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"),
        Into::into,
    );
    let path = folder.join("lowkeys/low_order_points.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not compared: {} is absent", path.display());
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let bytes = |hex: &str| {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
    };
    let points = file["keys"].as_array().expect("keys").iter();
    let mut theirs: Vec<[u8; 32]> = points
        .map(|point| bytes(point["hex"].as_str().expect("hex")))
        .collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}
