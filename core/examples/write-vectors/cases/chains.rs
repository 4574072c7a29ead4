//! Chains of certificates: a few that hold, and every way in which one doesn't.

use mintreu::document::cbor::{self, Value as Cbor};
use mintreu::document::{Kind, SigningKey, seal, to_text};
use mintreu::id::LicenseId;
use mintreu::license::{Certificate, Products, issue};
use serde_json::Value;

use super::licenses::{case, refused};
use super::made::{DAY, ISSUED, PRODUCT, at, certificate, claims, delegated, key, root, seller};

const SCOPE: &str = "certificate_out_of_scope";

pub fn cases() -> Vec<Value> {
    [holding(), shapes(), signers(), scopes(), claimed(), weak()].concat()
}

fn valid(name: &str, bundle: &[u8]) -> Value {
    case(name, &to_text(bundle), ISSUED, ("valid", true))
}

fn certified_by(certificate: &Certificate, parent: &SigningKey) -> Vec<u8> {
    certificate.issue(parent).expect("certifies")
}

/// The license that key 3 signed, behind whatever comes before it.
fn behind(certificates: &[&[u8]]) -> Vec<u8> {
    let license = issue(&claims(), &key(3), &[]).expect("issues");
    [&certificates.concat(), &license[..]].concat()
}

fn leaf() -> Vec<u8> {
    certified_by(&certificate(3), &root())
}

fn holding() -> Vec<Value> {
    let itself = certified_by(&certificate(1), &root());
    let itself = issue(&claims(), &root(), &[&itself]).expect("issues");
    let any = Certificate {
        products: Products::Any,
        signs_until: None,
        ..seller()
    };
    let many = (1..32).map(|number| format!("acme.product{number}"));
    let many = many.chain([PRODUCT.to_owned()]).collect();
    let many = Certificate {
        products: Products::Only(many),
        ..certificate(3)
    };
    let window = |from: i64, until: i64| Certificate {
        signs_from: at(ISSUED + from),
        signs_until: Some(at(ISSUED + until)),
        ..certificate(3)
    };
    let under = |certificate: &Certificate| behind(&[&certified_by(certificate, &root())]);
    vec![
        valid("a root that certified itself", &itself),
        valid("a narrower child of a wide parent", &delegated(any, |_| ())),
        valid("one product of thirty-two", &under(&many)),
        valid("issued in the window's first second", &under(&window(0, 1))),
        valid("a window long before it", &under(&window(-9 * DAY, 1))),
    ]
}

fn shapes() -> Vec<Value> {
    let (leaf, license) = (leaf(), issue(&claims(), &key(3), &[]).expect("issues"));
    let seller = certified_by(&seller(), &root());
    let product = certified_by(&certificate(3), &key(2));
    let large = raw(
        &root(),
        &key3(),
        &[(900, Cbor::Bytes(vec![0; 4_096].into()))],
    );
    let malformed = |name: &str, bundle: &[u8]| refused(name, bundle, "malformed");
    vec![
        malformed("three certificates", &behind(&[&seller, &seller, &product])),
        malformed("a hundred certificates", &behind(&[&leaf[..]; 100])),
        malformed(
            "a certificate behind the license",
            &[&license[..], &leaf].concat(),
        ),
        malformed(
            "a license between",
            &[&leaf[..], &license, &license].concat(),
        ),
        malformed("a zero byte between", &behind(&[&leaf, &[0]])),
        malformed(
            "a certificate cut at its end",
            &behind(&[&leaf[..leaf.len() - 1]]),
        ),
        malformed(
            "a certificate without its first byte",
            &behind(&[&leaf[1..]]),
        ),
        refused(
            "two certificates and nothing",
            &[seller, product].concat(),
            "wrong_kind",
        ),
        refused(
            "a certificate of five kilobytes",
            &behind(&[&large]),
            "too_large",
        ),
    ]
}

fn signers() -> Vec<Value> {
    let (leaf, seller) = (leaf(), certified_by(&seller(), &root()));
    let stranger = Certificate {
        key: *key(8).public(),
        ..certificate(3)
    };
    let by_itself = certified_by(&stranger, &key(8));
    let by_itself = issue(&claims(), &key(8), &[&by_itself]).expect("issues");
    let both_by_root = behind(&[&seller, &leaf]);
    let by_seller = issue(&claims(), &key(2), &[]).expect("issues");
    let product = certified_by(&certificate(3), &key(2));
    let skipping = [&seller[..], &product, &by_seller].concat();
    let mut flipped = leaf.clone();
    *flipped.last_mut().expect("a signature") ^= 1;
    let exchanged = {
        let other = certified_by(&stranger, &root());
        [&leaf[..leaf.len() - 64], &other[other.len() - 64..]].concat()
    };
    let posing = posing_as_root(&stranger);
    let posing = issue(&claims(), &key(8), &[&posing]).expect("issues");
    let unknown = |name: &str, bundle: &[u8]| refused(name, bundle, "unknown_key");
    let broken = |name: &str, bundle: &[u8]| refused(name, bundle, "bad_signature");
    vec![
        unknown("a stranger who certified itself", &by_itself),
        unknown("the second certificate is the root's too", &both_by_root),
        unknown("the same certificate twice", &behind(&[&leaf, &leaf])),
        unknown(
            "signed by the seller behind the product's certificate",
            &skipping,
        ),
        unknown("the product's certificate is missing", &behind(&[&seller])),
        unknown("only the seller's child", &behind(&[&product])),
        broken(
            "a certificate with a flipped signature",
            &behind(&[&flipped]),
        ),
        broken(
            "a certificate with another's signature",
            &behind(&[&exchanged]),
        ),
        broken("a stranger's certificate with the root's key id", &posing),
    ]
}

/// A certificate that a stranger signed, whose key id says that the root did.
fn posing_as_root(certificate: &Certificate) -> Vec<u8> {
    let mut bytes = certified_by(certificate, &key(8));
    let (theirs, roots) = (key(8).public().kid(), root().public().kid());
    let at = bytes.windows(8).position(|part| part == theirs);
    let at = at.expect("the header has the key id");
    bytes[at..at + 8].copy_from_slice(&roots);
    bytes
}

fn scopes() -> Vec<Value> {
    let under = |change: fn(&mut Certificate)| {
        let mut certificate = certificate(3);
        change(&mut certificate);
        behind(&[&certified_by(&certificate, &root())])
    };
    let child = |change: fn(&mut Certificate)| delegated(seller(), change);
    let unable = Certificate {
        delegate: false,
        kinds: Kind::all().collect(),
        ..seller()
    };
    let one = Certificate {
        products: Products::Only(vec!["acme.viewer".into()]),
        ..seller()
    };
    let scope = |name: &str, bundle: &[u8]| refused(name, bundle, SCOPE);
    vec![
        scope("certified for nothing", &under(|c| c.kinds.clear())),
        scope(
            "a product that begins alike is certified",
            &under(|c| {
                c.products = Products::Only(vec![format!("{PRODUCT}2")]);
            }),
        ),
        scope(
            "a window that ends as it is issued",
            &under(|c| {
                c.signs_until = Some(at(ISSUED));
            }),
        ),
        scope(
            "may sign certificates, and may not delegate",
            &delegated(unable, |_| ()),
        ),
        scope("the parent is for another product", &delegated(one, |_| ())),
        scope(
            "a child that ends later",
            &child(|c| {
                c.signs_until = Some(at(ISSUED + DAY + 1));
            }),
        ),
        scope(
            "a child issued before its parent began",
            &child(|c| {
                c.issued_at = at(ISSUED - DAY - 1);
            }),
        ),
        scope(
            "a child with one product more",
            &child(|c| {
                c.products = Products::Only(vec![PRODUCT.into(), "acme.viewer".into()]);
            }),
        ),
        scope(
            "a child for receipts alone",
            &child(|c| c.kinds = vec![Kind::Receipt]),
        ),
    ]
}

fn key3() -> [u8; 32] {
    *key(3).public().as_bytes()
}

/// A certificate of any claims: kinds and start are the usual ones unless `private` says more.
fn raw(parent: &SigningKey, key: &[u8; 32], private: &[(i64, Cbor<'_>)]) -> Vec<u8> {
    let cose = Cbor::labelled([
        (1, Some(Cbor::Int(1))),
        (-1, Some(Cbor::Int(6))),
        (-2, Some(Cbor::bytes(key))),
    ]);
    let usual = [(1, Cbor::Int(2)), (3, Cbor::Int(0))];
    let kept = usual.iter().filter(|(label, _)| {
        let again = |(other, _): &(i64, Cbor<'_>)| other == label;
        !private.iter().any(again)
    });
    let private = kept
        .chain(private)
        .filter(|(_, value)| *value != Cbor::Null);
    let private = private.map(|(label, value)| (*label, Some(value.clone())));
    let claims = Cbor::labelled([
        (6, Some(Cbor::Int(ISSUED))),
        (8, Some(Cbor::labelled([(1, Some(cose))]))),
        (-65537, Some(Cbor::labelled(private))),
    ]);
    let payload = cbor::encode(&claims).expect("encodes");
    // What is over the limit of its kind can't be sealed as it.
    seal(Kind::Certificate, &payload, parent).unwrap_or_else(|_| oversized(&payload, parent))
}

/// The envelope of a certificate by hand.
fn oversized(payload: &[u8], parent: &SigningKey) -> Vec<u8> {
    let kid = parent.public().kid();
    let protected = Cbor::labelled([
        (1, Some(Cbor::Int(-19))),
        (4, Some(Cbor::bytes(&kid))),
        (16, Some(Cbor::text("mintreu/certificate/1"))),
    ]);
    let protected = cbor::encode(&protected).expect("encodes");
    let message = Cbor::Array(vec![
        Cbor::text("Signature1"),
        Cbor::bytes(&protected),
        Cbor::bytes(b"mintreu/certificate/1"),
        Cbor::bytes(payload),
    ]);
    let signature = parent.sign(&cbor::encode(&message).expect("encodes"));
    let body = Cbor::Array(vec![
        Cbor::bytes(&protected),
        Cbor::Map(Vec::new()),
        Cbor::bytes(payload),
        Cbor::bytes(&signature),
    ]);
    [&[0xd2][..], &cbor::encode(&body).expect("encodes")].concat()
}

/// Certificates of the root itself whose claims say what none may say.
fn claimed() -> Vec<Value> {
    let with = |private: &[(i64, Cbor<'_>)]| behind(&[&raw(&root(), &key3(), private)]);
    let malformed = |name: &str, private: &[(i64, Cbor<'_>)]| {
        let name = format!("a certificate {name}");
        refused(&name, &with(private), "malformed")
    };
    let ids = |count: usize| {
        let id = LicenseId::from_bytes([7; 16]);
        let id = || Cbor::Bytes(id.as_bytes().to_vec().into());
        Cbor::Array((0..count).map(|_| id()).collect())
    };
    let texts = |count: usize| Cbor::Array((0..count).map(|_| Cbor::text(PRODUCT)).collect());
    vec![
        valid("a certificate by hand", &with(&[])),
        valid(
            "a certificate with an unknown claim",
            &with(&[(900, Cbor::text("later"))]),
        ),
        valid(
            "a certificate for a kind of tomorrow too",
            &with(&[(1, Cbor::Int(2 | 1 << 40))]),
        ),
        malformed("without kinds", &[(1, Cbor::Null)]),
        malformed("with fewer than no kinds", &[(1, Cbor::Int(-2))]),
        malformed("whose kinds are a text", &[(1, Cbor::text("license"))]),
        malformed("without a start", &[(3, Cbor::Null)]),
        malformed("that begins before 1970", &[(3, Cbor::Int(-1))]),
        malformed("that ends as it begins", &[(4, Cbor::Int(0))]),
        malformed("for no product", &[(2, texts(0))]),
        malformed("for thirty-three products", &[(2, texts(33))]),
        malformed(
            "for a product with a space",
            &[(2, Cbor::Array(vec![Cbor::text("a b")]))],
        ),
        malformed(
            "for a product that is a number",
            &[(2, Cbor::Array(vec![Cbor::Int(1)]))],
        ),
        malformed("for no license", &[(-1, ids(0))]),
        malformed("for seventeen licenses", &[(-1, ids(17))]),
        malformed(
            "for a license of fifteen bytes",
            &[(-1, Cbor::Array(vec![Cbor::Bytes(vec![7; 15].into())]))],
        ),
        malformed("whose delegation is a number", &[(5, Cbor::Int(1))]),
        refused(
            "a certificate with an unknown limit",
            &with(&[(-2, Cbor::Int(1))]),
            "unsupported",
        ),
    ]
}

/// Encodings of points that no key may have: the two of each of low order whose sign bit says
/// nothing, those that aren't canonical, and an honest key with a part of order two, four or eight.
fn weak() -> Vec<Value> {
    let mut cases = Vec::new();
    for (number, key) in super::weak::keys().iter().enumerate() {
        let bundle = behind(&[&raw(&root(), key, &[])]);
        let name = format!("a certificate for weak key {}", number + 1);
        cases.push(refused(&name, &bundle, "weak_key"));
    }
    cases
}
