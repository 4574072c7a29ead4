use super::*;
use crate::document::{to_qr, to_text};
use crate::id::LicenseId;
use crate::license::{Entitlement, Products, QuotaClaim, Status};
use crate::meter::Window;

const NOW: i64 = 1_795_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn trust() -> Trust {
    Trust::new("acme.editor", *key(1).public()).expect("a trust")
}

fn certificate(seed: u8) -> Certificate {
    Certificate {
        key: *key(seed).public(),
        kinds: vec![Kind::License, Kind::Activation],
        products: Products::Only(vec!["acme.editor".into()]),
        issued_at: at(NOW),
        signs_from: at(NOW - 1_000),
        signs_until: Some(at(NOW + 1_000)),
        delegate: false,
        licenses: None,
    }
}

/// Five entitlements, two quotas, three seats, a year: what a real license says.
fn realistic() -> Claims {
    let mut claims = Claims::new(LicenseId::from_bytes([7; 16]), "acme.editor", at(NOW));
    claims.expires_at = Some(at(NOW + 31_536_000));
    claims.edition = Some("pro".into());
    for name in ["pro", "export-4k", "cloud", "api"] {
        claims
            .entitlements
            .insert(name.parse().expect("a name"), Entitlement::Granted);
    }
    claims
        .entitlements
        .insert("projects".parse().expect("a name"), Entitlement::Limit(50));
    for (name, limit) in [("renders", 500), ("calls", 10_000)] {
        let quota = QuotaClaim::new(limit, Window::Month);
        claims.quotas.insert(name.parse().expect("a name"), quota);
    }
    claims.seats = Some(3);
    claims
}

fn issued(change: impl FnOnce(&mut Certificate)) -> Vec<u8> {
    let mut leaf = certificate(3);
    change(&mut leaf);
    let leaf = leaf.issue(&key(1)).expect("certifies");
    issue(&realistic(), &key(3), &[&leaf]).expect("issues")
}

fn code(bundle: &[u8]) -> &'static str {
    verify(bundle, &trust()).map_or_else(|error| error.code(), |_| "ok")
}

/// The characters of the document alone, pasted.
fn size(claims: &Claims) -> usize {
    let document = seal(Kind::License, &claims.to_cbor().expect("encodes"), &key(3));
    to_text(&document.expect("seals")).len() - "MT1-".len()
}

#[test]
fn a_realistic_license_is_small() {
    let schema = "mt1-schema pro=1 export-4k=2 cloud=3 api=4 projects=5 renders=6 calls=7";
    let schema = Schema::parse(schema).expect("a schema");
    let short = |claims: Claims| claims.shortened(&schema).expect("shortens");
    // Five entitlements, one of which says the edition, two quotas and an end.
    let plain = Claims {
        edition: None,
        seats: None,
        ..realistic()
    };
    assert!(size(&plain) <= 330, "{}", size(&plain));
    assert!(
        size(&short(plain.clone())) <= 245,
        "{}",
        size(&short(plain))
    );
    let rich = realistic();
    assert!(size(&rich) <= 330, "{}", size(&rich));
    assert!(size(&short(rich.clone())) <= 252, "{}", size(&short(rich)));
    let bundle = issued(|_| ());
    let text = to_text(&bundle).len();
    assert!(text <= 680, "{text} characters with its certificate");
    assert_eq!(to_qr(&bundle).expect("codes").len(), 1);
}

#[test]
fn a_schema_brings_the_names_back() {
    let schema = Schema::parse("mt1-schema export-4k=2 renders=6").expect("a schema");
    let short = realistic().shortened(&schema).expect("shortens");
    assert!(short.entitlement("export-4k").is_none());
    let bundle = issue(&short, &key(1), &[]).expect("issues");
    let license = verify(&bundle, &trust()).expect("verifies");
    let license = license.lengthened(&schema).expect("lengthens");
    assert_eq!(license.claims(), &realistic());
}

#[test]
fn a_key_certified_for_some_licenses_signs_for_no_other() {
    let scope = "certificate_out_of_scope";
    let ids = |seeds: &[u8]| {
        let ids = seeds.iter().map(|&seed| LicenseId::from_bytes([seed; 16]));
        Some(ids.collect::<Vec<_>>())
    };
    assert_eq!(code(&issued(|c| c.licenses = ids(&[6, 7]))), "ok");
    assert_eq!(code(&issued(|c| c.licenses = ids(&[6]))), scope);
    let about = |kind: Kind, license: u8| {
        let leaf = Certificate {
            kinds: vec![Kind::Activation, Kind::Lease, Kind::Receipt],
            licenses: ids(&[7]),
            ..certificate(3)
        };
        let leaf = leaf.issue(&key(1)).expect("certifies");
        let license = [license; 16];
        let private = Value::labelled([(2, Some(Value::bytes(&license)))]);
        let claims = cbor::encode(&Value::labelled([
            (AUDIENCE, Some(Value::text("acme.editor"))),
            (ISSUED_AT, Some(Value::Int(NOW))),
            (PRIVATE, Some(private)),
        ]));
        let document = seal(kind, &claims.expect("encodes"), &key(3)).expect("seals");
        let bundle = Bundle::new(vec![&leaf], &document)
            .expect("fits")
            .to_bytes();
        let id = LicenseId::from_bytes(license);
        let opened = match kind {
            // A lease doesn't say which license it is about: its activation does.
            Kind::Lease => open_under(kind, &bundle, &trust(), "acme.editor", id),
            _ => open_bundle(kind, &bundle, &trust()),
        };
        opened.map_or_else(|error| error.code(), |_| "ok")
    };
    for kind in [Kind::Activation, Kind::Lease] {
        assert_eq!(about(kind, 7), "ok", "{kind:?}");
        assert_eq!(about(kind, 6), scope, "{kind:?}");
    }
    let alone = seal(Kind::Lease, &[0xa0], &key(1)).expect("seals");
    let refused = open_bundle(Kind::Lease, &alone, &trust()).map_err(|error| error.code());
    assert_eq!(refused.map(drop), Err("wrong_kind"));
    assert_eq!(
        about(Kind::Receipt, 6),
        "ok",
        "a receipt is about no license"
    );
    let none = Certificate {
        licenses: Some(Vec::new()),
        ..certificate(3)
    };
    assert!(none.issue(&key(1)).is_err());
    let many = Certificate {
        licenses: ids(&[7; 17]),
        ..certificate(3)
    };
    assert!(many.issue(&key(1)).is_err());
}

/// The bundle of a license under a seller's and a product's certificate, each changed.
fn chain(seller: fn(&mut Certificate), product: fn(&mut Certificate)) -> Vec<u8> {
    let mut parent = Certificate {
        delegate: true,
        ..certificate(2)
    };
    let mut child = certificate(3);
    seller(&mut parent);
    product(&mut child);
    let parent = parent.issue(&key(1)).expect("certifies");
    let child = child.issue(&key(2)).expect("certifies");
    issue(&realistic(), &key(3), &[&parent, &child]).expect("issues")
}

#[test]
fn twelve_malformed_chains_are_refused() {
    let scope = "certificate_out_of_scope";
    let id = |seed| Some(vec![LicenseId::from_bytes([seed; 16])]);
    let by =
        |certificate: Certificate, signer: u8| certificate.issue(&key(signer)).expect("certifies");
    let seller = Certificate {
        delegate: true,
        ..certificate(2)
    };
    let (seller, product) = (by(seller, 1), by(certificate(3), 2));
    let license = seal(
        Kind::License,
        &realistic().to_cbor().expect("encodes"),
        &key(3),
    );
    let license = license.expect("seals");
    let other = seal(
        Kind::License,
        &realistic().to_cbor().expect("encodes"),
        &key(4),
    );
    let other = other.expect("seals");
    let own = Certificate {
        delegate: true,
        ..certificate(3)
    };
    let mut broken = product.clone();
    *broken.last_mut().expect("a signature") ^= 1;
    let chains: [(&str, Vec<u8>, &str); 12] = [
        (
            "a child before its parent",
            [&*product, &seller, &license].concat(),
            "unknown_key",
        ),
        (
            "a parent left out",
            [&*product, &license].concat(),
            "unknown_key",
        ),
        (
            "a child left out",
            [&*seller, &license].concat(),
            "unknown_key",
        ),
        (
            "a key that certifies itself",
            [&*by(own, 3), &license].concat(),
            "unknown_key",
        ),
        (
            "a document by another key",
            [&*seller, &product, &other].concat(),
            "unknown_key",
        ),
        (
            "a child with a broken signature",
            [&*seller, &broken, &license].concat(),
            "bad_signature",
        ),
        (
            "three certificates",
            [&*seller, &product, &product, &license].concat(),
            "malformed",
        ),
        (
            "a parent that may not certify",
            chain(|c| c.delegate = false, |_| ()),
            scope,
        ),
        (
            "a child for another product",
            chain(|_| (), |c| c.products = Products::Only(vec!["b".into()])),
            scope,
        ),
        (
            "a child with more kinds",
            chain(|_| (), |c| c.kinds.push(Kind::Receipt)),
            scope,
        ),
        (
            "a child that ends later",
            chain(|_| (), |c| c.signs_until = Some(at(NOW + 1_001))),
            scope,
        ),
        (
            "a child for every license",
            chain(
                |c| c.licenses = Some(vec![LicenseId::from_bytes([7; 16])]),
                |_| (),
            ),
            scope,
        ),
    ];
    assert_eq!(
        code(&chain(|_| (), |_| ())),
        "ok",
        "the chain that is not malformed"
    );
    for (name, bundle, expected) in chains {
        assert_eq!(code(&bundle), expected, "{name}");
    }
    let narrow = certified_for(id(7), id(7));
    assert_eq!(code(&narrow), "ok", "a child for the parent's license");
    assert_eq!(code(&certified_for(id(7), id(6))), scope);
}

/// A chain whose two certificates are for these licenses.
fn certified_for(seller: Option<Vec<LicenseId>>, product: Option<Vec<LicenseId>>) -> Vec<u8> {
    let seller = Certificate {
        delegate: true,
        licenses: seller,
        ..certificate(2)
    };
    let product = Certificate {
        licenses: product,
        ..certificate(3)
    };
    let seller = seller.issue(&key(1)).expect("certifies");
    let product = product.issue(&key(2)).expect("certifies");
    issue(&realistic(), &key(3), &[&seller, &product]).expect("issues")
}

#[test]
fn a_license_holds_under_root_certificate_and_two_certificates() {
    let alone = issue(&realistic(), &key(1), &[]).expect("issues");
    assert_eq!(
        verify(&alone, &trust()).expect("verifies").claims(),
        &realistic()
    );
    assert_eq!(code(&issued(|_| ())), "ok");
    let seller = Certificate {
        delegate: true,
        ..certificate(2)
    };
    let seller = seller.issue(&key(1)).expect("certifies");
    let product = certificate(3).issue(&key(2)).expect("certifies");
    let bundle = issue(&realistic(), &key(3), &[&seller, &product]).expect("issues");
    assert_eq!(code(&bundle), "ok");
    let swapped = issue(&realistic(), &key(3), &[&product, &seller]).expect("issues");
    assert_eq!(code(&swapped), "unknown_key");
}

#[test]
fn the_spare_root_is_as_good() {
    let spare = trust().with_spare(*key(9).public());
    let alone = issue(&realistic(), &key(9), &[]).expect("issues");
    assert!(verify(&alone, &spare).is_ok());
    assert_eq!(code(&alone), "unknown_key");
}

#[test]
fn keys_sign_within_their_scope_only() {
    let scope = "certificate_out_of_scope";
    assert_eq!(code(&issued(|c| c.kinds = vec![Kind::Receipt])), scope);
    assert_eq!(
        code(&issued(
            |c| c.products = Products::Only(vec!["other".into()])
        )),
        scope
    );
    assert_eq!(code(&issued(|c| c.signs_from = at(NOW + 1))), scope);
    assert_eq!(code(&issued(|c| c.signs_until = Some(at(NOW)))), scope);
    assert_eq!(code(&issued(|c| c.products = Products::Any)), "ok");
    assert_eq!(code(&issued(|c| c.signs_until = None)), "ok");
}

#[test]
fn a_child_is_never_wider_than_its_parent() {
    let child_under = |parent: Certificate, change: fn(&mut Certificate)| {
        let mut child = certificate(3);
        change(&mut child);
        let parent = parent.issue(&key(1)).expect("certifies");
        let child = child.issue(&key(2)).expect("certifies");
        let bundle = issue(&realistic(), &key(3), &[&parent, &child]).expect("issues");
        code(&bundle)
    };
    let scope = "certificate_out_of_scope";
    let parent = || Certificate {
        delegate: true,
        ..certificate(2)
    };
    assert_eq!(child_under(parent(), |_| ()), "ok");
    assert_eq!(child_under(certificate(2), |_| ()), scope);
    assert_eq!(
        child_under(parent(), |c| c.kinds.push(Kind::Receipt)),
        scope
    );
    assert_eq!(child_under(parent(), |c| c.products = Products::Any), scope);
    assert_eq!(child_under(parent(), |c| c.signs_until = None), scope);
    assert_eq!(
        child_under(parent(), |c| c.signs_from = at(NOW - 1_001)),
        scope
    );
    assert_eq!(
        child_under(parent(), |c| c.issued_at = at(NOW + 1_000)),
        scope
    );
}

#[test]
fn a_license_outlives_its_certificate() {
    let verdict = verify_text(
        &to_text(&issued(|_| ())),
        &trust(),
        &Facts::at(at(NOW + 5_000)),
    );
    assert_eq!(verdict.status(), Status::Valid, "{}", verdict.sentence());
}

#[test]
fn another_product_and_another_kind_are_named() {
    let other = Trust::new("acme.viewer", *key(1).public()).expect("a trust");
    let error = verify(&issued(|_| ()), &other).expect_err("another product");
    assert_eq!(error.code(), "wrong_product");
    let tool = Trust::for_any_product(*key(1).public());
    assert!(verify(&issued(|_| ()), &tool).is_ok());
    let certificate = certificate(3).issue(&key(1)).expect("certifies");
    assert_eq!(code(&certificate), "wrong_kind");
}

#[test]
fn every_flip_and_cut_of_a_bundle_is_refused() {
    let bundle = issued(|_| ());
    for bit in 0..bundle.len() * 8 {
        let mut flipped = bundle.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(&flipped, &trust()).is_err(), "bit {bit}");
    }
    for len in 0..bundle.len() {
        assert!(verify(&bundle[..len], &trust()).is_err(), "length {len}");
    }
}
