//! Envelopes that try to choose their own algorithm or key.

use hmac::{Hmac, KeyInit as _, Mac as _};
use mintreu::document::cbor::{self, Value};
use mintreu::document::{Kind, open};
use mintreu::license::Trust;

use crate::common::{PRODUCT, Random};
use crate::samples::{believes, key, license, root, trust};

/// An envelope whose every part can be wrong, signed as it stands.
struct Envelope {
    protected: Vec<u8>,
    unprotected: Value<'static>,
    signature: Option<Vec<u8>>,
}

impl Envelope {
    fn headed(protected: Vec<u8>) -> Self {
        Self {
            protected,
            unprotected: Value::Map(Vec::new()),
            signature: None,
        }
    }

    fn to_be_signed(&self) -> Vec<u8> {
        let claims = claims();
        let message = Value::Array(vec![
            Value::text("Signature1"),
            Value::bytes(&self.protected),
            Value::bytes(b"mintreu/license/1"),
            Value::bytes(&claims),
        ]);
        cbor::encode(&message).expect("encodes")
    }

    fn bytes(&self) -> Vec<u8> {
        let claims = claims();
        let honest = root().sign(&self.to_be_signed());
        let signature = self.signature.as_deref().unwrap_or(&honest);
        let body = Value::Array(vec![
            Value::bytes(&self.protected),
            self.unprotected.clone(),
            Value::bytes(&claims),
            Value::bytes(signature),
        ]);
        let mut bytes = vec![0xd2];
        bytes.extend(cbor::encode(&body).expect("encodes"));
        bytes
    }

    fn code(&self) -> &'static str {
        believes(Kind::License, &self.bytes(), &trust()).map_or_else(|code| code, |()| "ok")
    }
}

fn claims() -> Vec<u8> {
    license(&mut Random::new(1)).to_cbor().expect("encodes")
}

fn encoded(entries: Vec<(Value<'_>, Value<'_>)>) -> Vec<u8> {
    cbor::encode(&Value::Map(entries)).expect("encodes")
}

/// The honest header with its algorithm, key id and whatever else exchanged.
fn header(alg: Value<'static>, kid: &[u8], more: Vec<(Value<'static>, Value<'static>)>) -> Vec<u8> {
    let mut entries = vec![
        (Value::Int(1), alg),
        (Value::Int(4), Value::bytes(kid)),
        (Value::Int(16), Value::text("mintreu/license/1")),
    ];
    entries.extend(more);
    encoded(entries)
}

fn kid() -> [u8; 8] {
    root().public().kid()
}

#[test]
fn the_honest_envelope_is_believed() {
    let honest = Envelope::headed(header(Value::Int(-19), &kid(), vec![]));
    assert_eq!(honest.code(), "ok");
}

#[test]
fn the_algorithm_is_ours_to_choose() {
    // EdDSA's old number, ES256, ES384, ES512, RS256, PS256, HMAC 256 to 512, AES-MAC, none.
    let numbers = [
        -8,
        -7,
        -35,
        -36,
        -257,
        -37,
        4,
        5,
        6,
        7,
        14,
        0,
        1,
        -1,
        19,
        -20,
        i64::MIN,
    ];
    for number in numbers {
        let envelope = Envelope::headed(header(Value::Int(number), &kid(), vec![]));
        assert_eq!(envelope.code(), "unsupported", "{number}");
    }
    for junk in [
        Value::text("none"),
        Value::text("HS256"),
        Value::text("EdDSA"),
        Value::text(""),
        Value::Null,
        Value::Bool(true),
        Value::bytes(b"\x32"),
        Value::Array(vec![Value::Int(-19)]),
        Value::Map(vec![]),
    ] {
        let envelope = Envelope::headed(header(junk.clone(), &kid(), vec![]));
        assert_eq!(envelope.code(), "malformed", "{junk:?}");
    }
    let without = encoded(vec![
        (Value::Int(4), Value::bytes(&kid())),
        (Value::Int(16), Value::text("mintreu/license/1")),
    ]);
    assert_eq!(Envelope::headed(without).code(), "malformed");
}

/// Whoever takes the public key for a secret makes a MAC that anybody can make.
#[test]
fn the_public_key_is_no_secret() {
    for number in [5, -19] {
        let mut envelope = Envelope::headed(header(Value::Int(number), &kid(), vec![]));
        let expected = if number == 5 {
            "unsupported"
        } else {
            "bad_signature"
        };
        for secret in [
            root().public().as_bytes().to_vec(),
            root().public().to_string().into_bytes(),
        ] {
            let mac = Hmac::<sha2::Sha256>::new_from_slice(&secret).expect("any length");
            let mac = mac
                .chain_update(envelope.to_be_signed())
                .finalize()
                .into_bytes();
            let mac = mac.to_vec();
            envelope.signature = Some([&mac[..], &mac].concat());
            assert_eq!(envelope.code(), expected);
            envelope.signature = Some([&mac[..], &[0; 32]].concat());
            assert_eq!(envelope.code(), expected);
            // Shorter than a signature: no envelope at all, unless the algorithm is asked first.
            envelope.signature = Some(mac);
            let short = if number == 5 {
                "unsupported"
            } else {
                "malformed"
            };
            assert_eq!(envelope.code(), short);
        }
    }
}

#[test]
fn empty_signatures_are_refused() {
    let mut envelope = Envelope::headed(header(Value::Int(-19), &kid(), vec![]));
    let mut identity = [0; 64];
    identity[0] = 1;
    let mut order = [0; 64];
    order[..32].copy_from_slice(&identity[..32]);
    order[32..40].copy_from_slice(&[0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58]);
    for forged in [[0; 64], [0xff; 64], identity, order, [1; 64]] {
        envelope.signature = Some(forged.to_vec());
        assert_eq!(envelope.code(), "bad_signature");
    }
    for len in [0, 1, 32, 63, 65, 128] {
        envelope.signature = Some(vec![0; len]);
        assert_eq!(envelope.code(), "malformed", "{len} bytes");
    }
}

#[test]
fn a_key_id_is_a_hint_of_eight_bytes() {
    let with = |kid: &[u8]| Envelope::headed(header(Value::Int(-19), kid, vec![])).code();
    assert_eq!(with(&key(2).public().kid()), "unknown_key");
    for len in [0, 1, 7, 9, 16, 32, 1_000, 1_000_000] {
        assert_eq!(with(&vec![0x61; len]), "malformed", "{len} bytes");
    }
    for injected in [
        b"../../ke" as &[u8; 8],
        b"' OR 1=1",
        b"\0\0\0\0\0\0\0\0",
        b"http://a",
    ] {
        assert_eq!(with(injected), "unknown_key");
    }
    let mut as_text = header(Value::Int(-19), b"8 bytes.", vec![]);
    as_text[4] = 0x68;
    assert_eq!(Envelope::headed(as_text).code(), "malformed", "a text");
    // The id of the spare on what the root signed: the hint is followed, and leads nowhere.
    let spare = Trust::new(PRODUCT, *root().public()).expect("a trust");
    let spare = spare.with_spare(*key(2).public());
    let misled = Envelope::headed(header(Value::Int(-19), &key(2).public().kid(), vec![])).bytes();
    assert_eq!(
        believes(Kind::License, &misled, &spare),
        Err("bad_signature")
    );
    let keys = [*root().public(), *key(2).public()];
    let opened = open(Kind::License, &misled, &keys.each_ref());
    assert_eq!(opened.map_err(|error| error.code()), Err("bad_signature"));
}

#[test]
fn a_repeated_label_is_refused() {
    let honest = header(Value::Int(-19), &kid(), vec![]);
    // Each entry again behind the last one, and behind itself.
    for (from, to) in [(1, 3), (3, 13), (13, honest.len())] {
        for at in [to, honest.len()] {
            let mut twice = honest.clone();
            twice[0] += 1;
            twice.splice(at..at, honest[from..to].to_vec());
            assert_eq!(Envelope::headed(twice).code(), "malformed", "{from}..{to}");
        }
    }
}

/// Keys and addresses of keys in the header: JOSE's jwk, x5u and x5c, COSE's own labels.
#[test]
fn an_embedded_key_is_never_used() {
    let stranger = || Value::Bytes(key(8).public().as_bytes().to_vec().into());
    let cose = || {
        Value::Map(vec![
            (Value::Int(1), Value::Int(1)),
            (Value::Int(-2), stranger()),
        ])
    };
    let labels = [
        Value::Int(2),
        Value::Int(5),
        Value::Int(32),
        Value::Int(33),
        Value::Int(34),
        Value::Int(35),
        Value::Int(-1),
        Value::Int(-65537),
        Value::text("k"),
        Value::text("jwk"),
        Value::text("x5u"),
    ];
    for label in labels {
        for value in [cose(), stranger(), Value::text("file:///etc/k")] {
            let more = vec![(label.clone(), value.clone())];
            let envelope = Envelope::headed(header(Value::Int(-19), &kid(), more.clone()));
            assert_eq!(envelope.code(), "malformed", "protected {label:?}");
            let envelope = Envelope {
                unprotected: Value::Map(more),
                ..Envelope::headed(header(Value::Int(-19), &kid(), vec![]))
            };
            assert_eq!(envelope.code(), "malformed", "unprotected {label:?}");
        }
    }
    // The stranger's own signature with its key beside it.
    let mut envelope = Envelope::headed(header(Value::Int(-19), &key(8).public().kid(), vec![]));
    envelope.signature = Some(key(8).sign(&envelope.to_be_signed()).to_vec());
    assert_eq!(envelope.code(), "unknown_key");
}
