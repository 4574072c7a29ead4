//! One pure call with everything a device may hold.

use super::*;
use crate::document::cbor::{self, Value};
use crate::document::{
    AUDIENCE, CONFIRMATION, ISSUED_AT, Kind, NONCE, PRIVATE, SigningKey, cose_key, seal, to_text,
};
use crate::id::{ActivationId, LicenseId};
use crate::license::{
    Binding, Certificate, Claims, KeySet, ListEntry, Products, Revocations, RevokedKey, Status,
    issue,
};
use crate::time::Timestamp;

const NOW: i64 = 1_795_000_000;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn certificate(seed: u8) -> Vec<u8> {
    let certificate = Certificate {
        key: *key(seed).public(),
        kinds: vec![Kind::License, Kind::Activation],
        products: Products::Any,
        issued_at: at(NOW),
        signs_from: at(NOW),
        signs_until: None,
        delegate: false,
        licenses: None,
    };
    certificate.issue(&key(1)).expect("certifies")
}

/// A license by `seed`, its place in list 4 is 17.
fn license(seed: u8) -> Vec<u8> {
    let mut claims = Claims::new(LicenseId::from_bytes([1; 16]), "acme.editor", at(NOW));
    claims.binding = Binding::NodeLocked;
    claims.status = Some(ListEntry { list: 4, index: 17 });
    issue(&claims, &key(seed), &[&certificate(seed)]).expect("issues")
}

/// An activation by `seed` for the device 5.
fn activation(seed: u8) -> Vec<u8> {
    let activation = Activation {
        id: ActivationId::from_bytes([2; 16]),
        license: LicenseId::from_bytes([1; 16]),
        product: "acme.editor".into(),
        issued_at: at(NOW),
        expires_at: None,
        device: *key(5).public(),
        nonce: [9; 16],
        fingerprint: Fingerprint::default(),
        license_bundle: None,
    };
    let certificate = certificate(seed);
    let bundle = activation.issue(&key(seed), &[&certificate]);
    bundle.expect("issues")
}

fn key_set(version: u64, change: impl FnOnce(&mut KeySet)) -> String {
    let mut set = KeySet::new(version, at(NOW));
    change(&mut set);
    to_text(&set.issue(&key(1)).expect("issues"))
}

fn revoking(seed: u8, from: i64) -> impl FnOnce(&mut KeySet) {
    move |set| {
        set.revoked = vec![RevokedKey {
            key: *key(seed).public(),
            from: at(from),
        }];
    }
}

fn list(version: u64, index: u32) -> String {
    let mut list = Revocations::new("acme.editor", 4, 100).expect("a list");
    list.revoke(index).expect("a place");
    let bundle = list.at(version, at(NOW)).issue(&key(1), &[]);
    to_text(&bundle.expect("issues"))
}

/// The verdict on a license by 3 and an activation by 4, with these key sets and lists.
fn judged(least: u64, key_sets: &[&str], revocations: &[&str]) -> Status {
    let trust = Trust::new("acme.editor", *key(1).public()).expect("a trust");
    let (license, activation) = (to_text(&license(3)), to_text(&activation(4)));
    let presented = Presented {
        license: &license,
        activation: Some(&activation),
        device: Some(*key(5).public()),
        key_sets,
        revocations,
        ..Presented::default()
    };
    let trust = trust.with_least_key_set(least);
    judge_texts(&presented, &trust, &Facts::at(at(NOW + 10))).status()
}

#[test]
fn a_revoked_key_of_license_or_activation_is_the_verdict() {
    assert_eq!(judged(0, &[], &[]), Status::Valid);
    for seed in [3, 4] {
        let over = key_set(1, revoking(seed, NOW + 10));
        assert_eq!(judged(0, &[&over], &[]), Status::KeyRevoked);
        let soon = key_set(1, revoking(seed, NOW + 11));
        assert_eq!(judged(0, &[&soon], &[]), Status::ReplaceBy);
        let newer = key_set(2, |_| ());
        assert_eq!(judged(0, &[&over, &newer], &[]), Status::Valid);
        assert_eq!(judged(0, &[&newer, &over], &[]), Status::Valid);
    }
    let other = key_set(1, revoking(6, NOW));
    assert_eq!(judged(0, &[&other], &[]), Status::Valid);
}

#[test]
fn a_license_that_was_signed_again_takes_its_place() {
    let again = key_set(1, |set| {
        revoking(3, NOW)(set);
        set.licenses = vec![license(7)];
    });
    assert_eq!(judged(0, &[&again], &[]), Status::Valid);
}

#[test]
fn the_newest_list_decides() {
    let (withdrawn, other) = (list(1, 17), list(2, 18));
    assert_eq!(judged(0, &[], &[&withdrawn]), Status::Revoked);
    assert_eq!(judged(0, &[], &[&other]), Status::Valid);
    for both in [[&*withdrawn, &other], [&other, &withdrawn]] {
        assert_eq!(judged(0, &[], &both), Status::Valid);
    }
}

#[test]
fn what_does_not_open_is_the_verdict() {
    let set = key_set(3, |_| ());
    assert_eq!(judged(3, &[&set], &[]), Status::Valid);
    assert_ne!(
        judged(4, &[&set], &[]),
        Status::Valid,
        "below what is pinned"
    );
    assert_eq!(judged(0, &["MT1-"], &[]), Status::Malformed);
    assert_eq!(judged(0, &[&list(1, 17)], &[]), Status::WrongKind);
    assert_eq!(judged(0, &[], &[&set]), Status::WrongKind);
    let stranger = KeySet::new(1, at(NOW)).issue(&key(9)).expect("issues");
    assert_eq!(judged(0, &[&to_text(&stranger)], &[]), Status::UnknownKey);
}

/// A request by device 5 that asks for all of these at once.
fn asking(wanted: Vec<(i64, Option<Value<'static>>)>, issued_at: i64) -> Vec<u8> {
    let device = key(5);
    let claims = Value::labelled([
        (AUDIENCE, Some(Value::text("acme.editor"))),
        (ISSUED_AT, Some(Value::Int(issued_at))),
        (CONFIRMATION, Some(cose_key(device.public()))),
        (NONCE, Some(Value::bytes(&[9; 16]))),
        (PRIVATE, Some(Value::labelled(wanted))),
    ]);
    let claims = cbor::encode(&claims).expect("encodes");
    seal(Kind::Request, &claims, &device).expect("seals")
}

#[test]
fn a_request_asks_for_exactly_one_thing() {
    let code = RedeemCode::new("acme.editor", [3; 10]).canonical();
    let code = || (1, Some(Value::Text(code.clone().into())));
    let license = || (2, Some(Value::Bytes(vec![1; 16].into())));
    let text = |text: &'static str| (6, Some(Value::text(text)));
    let read = |wanted| Request::verify(&asking(wanted, NOW)).map(|(_, request)| request.wanted);
    let own = Wanted::Key("Old-Shop 4711".into());
    assert_eq!(read(vec![text("Old-Shop 4711")]), Ok(own));
    assert!(read(vec![code()]).is_ok() && read(vec![license()]).is_ok());
    for wanted in [
        vec![],
        vec![code(), license()],
        vec![code(), text("Old-Shop 4711")],
        vec![license(), text("Old-Shop 4711")],
        vec![code(), license(), text("Old-Shop 4711")],
        vec![text("short")],
        vec![text(" Old-Shop 4711")],
        vec![text("Old-Shop\t4711")],
        vec![(6, Some(Value::Int(471_100)))],
    ] {
        let refused = read(wanted.clone()).expect_err("one thing alone");
        assert_eq!(refused.code(), "malformed", "{wanted:?}");
    }
}

#[test]
fn instants_outside_the_calendar_are_refused() {
    let license = || vec![(2, Some(Value::Bytes(vec![1; 16].into())))];
    let code = |at| Request::verify(&asking(license(), at)).map_err(|error| error.code());
    assert!(code(0).is_ok() && code(253_402_300_799).is_ok());
    for outside in [-1, 253_402_300_800, i64::MIN, i64::MAX] {
        assert_eq!(code(outside).map(drop), Err("malformed"), "{outside}");
    }
}
