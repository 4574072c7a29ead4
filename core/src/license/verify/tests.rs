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

#[test]
fn a_realistic_license_is_small() {
    let document = seal(
        Kind::License,
        &realistic().to_cbor().expect("encodes"),
        &key(3),
    );
    let document = document.expect("seals");
    let text = to_text(&document).len() - 4;
    assert!(text <= 330, "{text} base64url characters");
    let bundle = issued(|_| ());
    let text = to_text(&bundle).len();
    assert!(text <= 680, "{text} characters with its certificate");
    assert_eq!(to_qr(&bundle).expect("codes").len(), 1);
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
