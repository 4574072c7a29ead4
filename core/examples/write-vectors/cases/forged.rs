//! Documents that nobody should believe: changed, cut, sloppy, or of the wrong kind.

use mintreu::document::Kind;
use mintreu::document::cbor::{self, Value as Cbor};
use serde_json::Value;

use super::licenses::refused;
use super::made::{
    Envelope, ISSUED, PRODUCT, as_kind, by_root, certified, claims, header, root, with,
};

/// The order of the base point, least byte first (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub fn cases() -> Vec<Value> {
    [
        changed(),
        kinds(),
        headers(),
        envelopes(),
        payloads(),
        keys(),
        sizes(),
    ]
    .concat()
}

/// Flipped bits and cuts, sampled; the Rust tests try every one. Each expects the code that the
/// changed place leads to.
fn changed() -> Vec<Value> {
    let bundle = by_root(&claims());
    let payload_len = claims().to_cbor().expect("encodes").len();
    let mut cases = Vec::new();
    // Tag, array and header lengths; the header; the claims; the signature.
    for (byte, code) in [
        (0, "malformed"),
        (1, "malformed"),
        (2, "malformed"),
        (3, "malformed"),
        (4, "malformed"),
        (5, "malformed"),
        (6, "unsupported"),
        (8, "malformed"),
        (9, "unknown_key"),
        (16, "unknown_key"),
        (19, "unsupported"),
        (34, "unsupported"),
        (36, "malformed"),
        (37, "malformed"),
        (40, "bad_signature"),
        (39 + payload_len / 2, "bad_signature"),
        (bundle.len() - 67, "bad_signature"),
        (bundle.len() - 66, "malformed"),
        (bundle.len() - 64, "bad_signature"),
        (bundle.len() - 33, "bad_signature"),
        (bundle.len() - 32, "bad_signature"),
        (bundle.len() - 1, "bad_signature"),
    ] {
        let mut flipped = bundle.clone();
        flipped[byte] ^= 1;
        cases.push(refused(
            &format!("lowest bit of byte {byte} flipped"),
            &flipped,
            code,
        ));
    }
    for len in (0..bundle.len()).step_by(19) {
        let name = format!("cut to {len} bytes");
        cases.push(refused(&name, &bundle[..len], "malformed"));
    }
    let other = by_root(&with(|claims| claims.seats = Some(99)));
    let spliced = [&other[..other.len() - 64], &bundle[bundle.len() - 64..]].concat();
    cases.push(refused(
        "the signature of another license",
        &spliced,
        "bad_signature",
    ));
    cases.push(refused(
        "a byte behind",
        &[&bundle[..], &[0]].concat(),
        "malformed",
    ));
    cases.push(refused("twice the same", &bundle.repeat(2), "malformed"));
    let torn = certified(|_| ());
    cases.push(refused(
        "the last byte is missing",
        &torn[..torn.len() - 1],
        "malformed",
    ));
    cases
}

fn kinds() -> Vec<Value> {
    let name = |kind: Kind| format!("license claims as a {}", kind.name());
    let mut cases: Vec<Value> = Kind::all()
        .filter(|&kind| kind != Kind::License)
        .map(|kind| refused(&name(kind), &as_kind(kind), "wrong_kind"))
        .collect();
    let lease = Envelope {
        external: "mintreu/lease/1",
        ..Envelope::license()
    };
    let empty = Envelope {
        external: "",
        ..Envelope::license()
    };
    cases.push(refused(
        "signed as a lease, says license",
        &lease.sealed(),
        "bad_signature",
    ));
    cases.push(refused(
        "signed without external data",
        &empty.sealed(),
        "bad_signature",
    ));
    cases
}

fn headers() -> Vec<Value> {
    let with = |protected: Vec<u8>| {
        Envelope {
            protected,
            ..Envelope::license()
        }
        .sealed()
    };
    let typ = "mintreu/license/1";
    let one =
        |label, value| cbor::encode(&Cbor::labelled([(label, Some(value))])).expect("encodes");
    let in_unprotected = Envelope {
        unprotected: Cbor::Map(vec![(Cbor::Int(4), Cbor::Bytes(vec![1; 8].into()))]),
        ..Envelope::license()
    };
    let long_kid = {
        let entries = [
            (1, Some(Cbor::Int(-19))),
            (4, Some(Cbor::Bytes(vec![1; 9].into()))),
            (16, Some(Cbor::text(typ))),
        ];
        cbor::encode(&Cbor::labelled(entries)).expect("encodes")
    };
    vec![
        refused(
            "algorithm EdDSA by its old number",
            &with(header(-8, typ, &[])),
            "unsupported",
        ),
        refused(
            "algorithm ES256",
            &with(header(-7, typ, &[])),
            "unsupported",
        ),
        refused("algorithm HMAC", &with(header(5, typ, &[])), "unsupported"),
        refused("algorithm none", &with(header(0, typ, &[])), "unsupported"),
        refused(
            "a later version of the kind",
            &with(header(-19, "mintreu/license/2", &[])),
            "unsupported",
        ),
        refused(
            "a kind of another profile",
            &with(header(-19, "application/cwt", &[])),
            "unsupported",
        ),
        refused(
            "an extra header",
            &with(header(-19, typ, &[(2, Cbor::Array(vec![]))])),
            "malformed",
        ),
        refused(
            "only an algorithm",
            &with(one(1, Cbor::Int(-19))),
            "malformed",
        ),
        refused("no algorithm", &with(one(16, Cbor::text(typ))), "malformed"),
        refused("an empty header", &with(Vec::new()), "malformed"),
        refused("a key id of nine bytes", &with(long_kid), "malformed"),
        refused(
            "an unprotected header",
            &in_unprotected.sealed(),
            "malformed",
        ),
    ]
}

fn envelopes() -> Vec<Value> {
    let good = Envelope::license();
    let bytes = good.sealed();
    let payload = good.payload.len();
    let head = 4 + good.protected.len() + 1;
    let without_tag = bytes[1..].to_vec();
    let mut other_tag = bytes.clone();
    other_tag[0] = 0xd1;
    let mut two_byte_tag = vec![0xd8, 0x12];
    two_byte_tag.extend(&bytes[1..]);
    let mut long_tag = vec![0xd9, 0x00, 0x12];
    long_tag.extend(&bytes[1..]);
    let cwt_tag = [&[0xd8, 0x3d], &bytes[..]].concat();
    let mut indefinite = bytes.clone();
    indefinite[1] = 0x9f;
    indefinite.push(0xff);
    let mut long_length = bytes[..head].to_vec();
    let digits = u16::try_from(payload).expect("short").to_be_bytes();
    long_length.extend([0x59, digits[0], digits[1]]);
    long_length.extend(&bytes[head + 2..]);
    let mut five = bytes.clone();
    five[1] = 0x85;
    five.push(0xf6);
    let mut three = bytes[..bytes.len() - 66].to_vec();
    three[1] = 0x83;
    let signature = good.signature();
    let malleated = malleated(&signature);
    let zero = good.with_signature(&[0; 64]);
    vec![
        refused("without its tag", &without_tag, "malformed"),
        refused("tag of an encrypted message", &other_tag, "malformed"),
        refused("the tag in two bytes", &two_byte_tag, "malformed"),
        refused("the tag in three bytes", &long_tag, "malformed"),
        refused("wrapped in a CWT tag", &cwt_tag, "malformed"),
        refused("an array without a length", &indefinite, "malformed"),
        refused(
            "a payload length longer than it need be",
            &long_length,
            "malformed",
        ),
        refused("five items", &five, "malformed"),
        refused("three items", &three, "malformed"),
        refused(
            "a signature of 63 bytes",
            &good.with_signature(&signature[..63]),
            "malformed",
        ),
        refused(
            "a signature of 65 bytes",
            &good.with_signature(&[1; 65]),
            "malformed",
        ),
        refused("no signature", &good.with_signature(&[]), "malformed"),
        refused("a signature of zeros", &zero, "bad_signature"),
        refused(
            "a signature with S + L",
            &good.with_signature(&malleated),
            "bad_signature",
        ),
    ]
}

/// The same signature with the group's order added to S: equal modulo L, not canonical.
fn malleated(signature: &[u8; 64]) -> [u8; 64] {
    let mut changed = *signature;
    let mut carry = 0;
    for (byte, order) in changed[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        carry = sum >> 8;
        *byte = (sum & 0xff) as u8;
    }
    changed
}

/// Claims signed by the trusted root itself that are still not acceptable.
fn payloads() -> Vec<Value> {
    let good = claims().to_cbor().expect("encodes");
    let malformed =
        |name: &str, payload: Vec<u8>| refused(name, &Envelope::with_payload(payload), "malformed");
    let map = |entries: &[(i64, Cbor<'_>)]| {
        let entries = entries
            .iter()
            .map(|(label, value)| (*label, Some(value.clone())));
        cbor::encode(&Cbor::labelled(entries)).expect("encodes")
    };
    let id = || (7, Cbor::Bytes(vec![7; 16].into()));
    let product = || (3, Cbor::text(PRODUCT));
    let issued = || (6, Cbor::Int(ISSUED));
    let private = |value| (-65537, value);
    let int = Cbor::Int;
    let mut long_key = good.clone();
    long_key.splice(1..2, [0x18, 0x03]);
    let mut indefinite = good.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    let mut repeated = map(&[product(), issued(), id()]);
    repeated[0] += 1;
    repeated.extend([0x07, 0x40]);
    let mut unsorted = vec![0xa3];
    for (label, value) in [issued(), product(), id()] {
        unsorted.extend(&map(&[(label, value)])[1..]);
    }
    let mut deep = vec![0x81; 12];
    deep.push(0x00);
    let mut counted = vec![0xbb];
    counted.extend([0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    let entitlements = |value| {
        let entries = Cbor::Map(vec![(Cbor::text("pro"), value)]);
        map(&[
            product(),
            issued(),
            id(),
            private(Cbor::labelled([(2, Some(entries))])),
        ])
    };
    vec![
        malformed("no claims at all", Vec::new()),
        malformed(
            "claims that are a text",
            cbor::encode(&Cbor::text("x")).expect("encodes"),
        ),
        malformed("a byte behind the claims", [&good[..], &[0]].concat()),
        malformed("a key longer than it need be", long_key),
        malformed("a map without a length", indefinite),
        malformed("the same key twice", repeated),
        malformed("keys out of order", unsorted),
        malformed("nested too deep", deep),
        malformed("a length beyond the end", counted),
        malformed("a float", vec![0xa1, 0x03, 0xf9, 0x3c, 0x00]),
        malformed("a tag", vec![0xa1, 0x06, 0xc1, 0x01]),
        malformed("text that is not UTF-8", vec![0xa1, 0x03, 0x61, 0xff]),
        malformed("a number beyond 64 signed bits", {
            let mut payload = vec![0xa1, 0x06, 0x1b];
            payload.extend([0xff; 8]);
            payload
        }),
        malformed("no product", map(&[issued(), id()])),
        malformed("no instant of issue", map(&[product(), id()])),
        malformed("no id", map(&[product(), issued()])),
        malformed(
            "an id of fifteen bytes",
            map(&[product(), issued(), (7, Cbor::Bytes(vec![1; 15].into()))]),
        ),
        malformed(
            "a product that is a number",
            map(&[(3, int(1)), issued(), id()]),
        ),
        malformed("issued before 1970", map(&[product(), (6, int(-1)), id()])),
        malformed(
            "issued after 9999",
            map(&[product(), (6, int(1 << 40)), id()]),
        ),
        malformed(
            "ends before it starts",
            map(&[product(), (4, int(5)), (5, int(9)), issued(), id()]),
        ),
        malformed(
            "private claims that are no map",
            map(&[product(), issued(), id(), private(int(1))]),
        ),
        malformed(
            "an entitlement that is false",
            entitlements(Cbor::Bool(false)),
        ),
        malformed("an entitlement below zero", entitlements(int(-1))),
        malformed(
            "an entitlement that is a list",
            entitlements(Cbor::Array(vec![])),
        ),
        refused(
            "an expiry strategy of tomorrow",
            &Envelope::with_payload(map(&[
                product(),
                issued(),
                id(),
                private(Cbor::labelled([(5, Some(int(7)))])),
            ])),
            "unsupported",
        ),
    ]
}

/// Certificates signed by the root for keys that must not be used.
fn keys() -> Vec<Value> {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut not_canonical = [0xff; 32];
    not_canonical[0] = 0xee;
    not_canonical[31] = 0x7f;
    let mut cases = Vec::new();
    for (name, bytes) in [
        ("of the identity", identity),
        ("of low order", [0; 32]),
        ("that is not canonical", not_canonical),
        ("that is no point", [0xff; 32]),
    ] {
        let certificate = weak_certificate(bytes);
        let license = Envelope::license().sealed();
        let bundle = [certificate, license].concat();
        cases.push(refused(
            &format!("a certificate for a key {name}"),
            &bundle,
            "weak_key",
        ));
    }
    cases
}

fn weak_certificate(key: [u8; 32]) -> Vec<u8> {
    let cose = Cbor::labelled([
        (1, Some(Cbor::Int(1))),
        (-1, Some(Cbor::Int(6))),
        (-2, Some(Cbor::bytes(&key))),
    ]);
    let private = Cbor::labelled([(1, Some(Cbor::Int(2))), (3, Some(Cbor::Int(0)))]);
    let claims = Cbor::labelled([
        (6, Some(Cbor::Int(ISSUED))),
        (8, Some(Cbor::labelled([(1, Some(cose))]))),
        (-65537, Some(private)),
    ]);
    let payload = cbor::encode(&claims).expect("encodes");
    mintreu::document::seal(Kind::Certificate, &payload, &root()).expect("seals")
}

fn sizes() -> Vec<Value> {
    let payload = cbor::encode(&Cbor::Bytes(vec![0; 17 << 10].into())).expect("encodes");
    let large = Envelope::with_payload(payload);
    vec![refused("a license of 17 KiB", &large, "too_large")]
}
