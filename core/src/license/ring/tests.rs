use super::*;
use crate::document::{Kind, SigningKey};
use crate::license::{
    Claims, Facts, ListEntry, Products, RevokedKey, Status, issue, judge, open_bundle, verify,
};

const NOW: i64 = 1_795_000_000;
const PRODUCT: &str = "acme.editor";

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

fn ring() -> Ring {
    Ring::new(trust())
}

fn set(version: u64) -> KeySet {
    KeySet::new(version, at(NOW + version as i64))
}

/// A set that puts `roots` in place of those before, with the consent of each of `consents`.
fn change(version: u64, roots: &[u8], consents: &[u8]) -> KeySet {
    let mut set = set(version);
    set.roots = roots.iter().map(|&seed| *key(seed).public()).collect();
    let endorse = |&seed: &u8| set.endorse(&key(seed)).expect("endorses");
    set.endorsements = consents.iter().map(endorse).collect();
    set
}

fn signed(set: &KeySet, root: u8) -> Vec<u8> {
    set.issue(&key(root)).expect("issues")
}

fn install(ring: &mut Ring, set: &KeySet, root: u8) -> Result<bool, &'static str> {
    ring.install_key_set(&signed(set, root))
        .map_err(|error| error.code())
}

fn claims() -> Claims {
    Claims::new(LicenseId::from_bytes([7; 16]), PRODUCT, at(NOW))
}

fn certificate(seed: u8, root: u8) -> Vec<u8> {
    let certificate = Certificate {
        key: *key(seed).public(),
        kinds: vec![Kind::License, Kind::Revocations],
        products: Products::Any,
        issued_at: at(NOW - 10),
        signs_from: at(NOW - 10),
        signs_until: None,
        delegate: false,
        licenses: None,
    };
    certificate.issue(&key(root)).expect("certifies")
}

/// A license that `seed` signed under the root's certificate for it.
fn certified(seed: u8, root: u8) -> Vec<u8> {
    issue(&claims(), &key(seed), &[&certificate(seed, root)]).expect("issues")
}

fn opens(bundle: &[u8], ring: &Ring) -> &'static str {
    verify(bundle, ring).map_or_else(|error| error.code(), |_| "ok")
}

#[test]
fn versions_only_rise() {
    let mut ring = ring();
    assert_eq!(install(&mut ring, &set(3), 1), Ok(true));
    assert_eq!(install(&mut ring, &set(3), 1), Ok(false));
    assert_eq!(install(&mut ring, &set(2), 1), Err("keyset_old"));
    assert_eq!(install(&mut ring, &set(4), 9), Ok(true));
    assert_eq!(install(&mut ring, &set(5), 2), Err("unknown_key"));
    assert_eq!(ring.key_set().map(|set| set.version), Some(4));
    let mut strict = Ring::new(trust().with_least_key_set(3));
    assert_eq!(install(&mut strict, &set(2), 1), Err("keyset_old"));
    assert_eq!(install(&mut strict, &set(3), 1), Ok(true));
}

#[test]
fn who_pins_today_s_roots_reads_sets_without_certificates_of_before() {
    let mut ring = ring();
    assert_eq!(
        install(&mut ring, &change(1, &[2, 3], &[2, 3]), 1),
        Ok(true)
    );
    assert!(ring.roots_in_force().eq([key(2).public(), key(3).public()]));
    let mut next = set(2);
    next.previous = Some(signed(&change(1, &[2, 3], &[2, 3]), 1));
    next.certificates = vec![certificate(4, 1)];
    assert_eq!(install(&mut ring, &next, 2), Ok(true));
    assert_eq!(ring.certificates().count(), 1);
    let mut today = ring.as_pinned_today().expect("a root holds");
    assert_eq!(install(&mut today, &next, 2), Err("unknown_key"));
    next.certificates = vec![certificate(4, 2)];
    assert_eq!(install(&mut today, &next, 2), Ok(true));
}

#[test]
fn a_set_comes_back_with_everything() {
    let mut full = change(8, &[1, 2], &[2]);
    full.certificates = vec![certificate(3, 1)];
    full.revoked = vec![RevokedKey {
        key: *key(4).public(),
        from: at(NOW + 5),
    }];
    full.licenses = vec![certified(3, 1)];
    full.previous = Some(signed(&set(7), 1));
    for sunset in [Products::Any, Products::Only(vec![PRODUCT.into()])] {
        full.sunset = Some(sunset);
        let bytes = signed(&full, 1);
        assert_eq!(KeySet::verify(&bytes, &[key(1).public()]), Ok(full.clone()));
    }
    assert!(set(0).issue(&key(1)).is_err(), "versions begin at 1");
    assert!(change(1, &[2, 2], &[]).issue(&key(1)).is_err());
    assert!(change(1, &[2, 3, 4], &[]).issue(&key(1)).is_err());
}

#[test]
fn added_keys_sign_without_their_certificates() {
    let mut ring = ring();
    let alone = issue(&claims(), &key(3), &[]).expect("issues");
    assert_eq!(opens(&alone, &ring), "unknown_key");
    let mut adding = set(1);
    adding.certificates = vec![certificate(3, 1)];
    assert_eq!(install(&mut ring, &adding, 1), Ok(true));
    assert_eq!(opens(&alone, &ring), "ok");
    let receipt = open_bundle(Kind::Receipt, &alone, &ring).map_err(|error| error.code());
    assert_eq!(receipt, Err("wrong_kind"));
    let early = Claims {
        issued_at: at(NOW - 11),
        ..claims()
    };
    let early = issue(&early, &key(3), &[]).expect("issues");
    assert_eq!(opens(&early, &ring), "certificate_out_of_scope");
    assert_eq!(install(&mut ring, &set(2), 1), Ok(true));
    assert_eq!(
        opens(&alone, &ring),
        "unknown_key",
        "each set says everything"
    );
    adding.version = 3;
    adding.certificates = vec![certificate(3, 4)];
    assert_eq!(install(&mut ring, &adding, 1), Err("unknown_key"));
}

#[test]
fn new_roots_need_the_old_and_themselves_or_the_spare() {
    let try_it = |change: &KeySet, signer| install(&mut ring(), change, signer);
    let scope = Err("certificate_out_of_scope");
    assert_eq!(try_it(&change(1, &[2], &[]), 1), scope);
    assert_eq!(try_it(&change(1, &[2], &[3]), 1), scope);
    assert_eq!(try_it(&change(1, &[2], &[2]), 1), Ok(true));
    assert_eq!(try_it(&change(1, &[2, 3], &[2]), 1), scope);
    assert_eq!(try_it(&change(1, &[2, 3], &[2, 3]), 1), Ok(true));
    assert_eq!(try_it(&change(1, &[2, 9], &[2]), 1), Ok(true));
    assert_eq!(try_it(&change(1, &[2], &[]), 9), Ok(true), "by the spare");
    assert_eq!(try_it(&change(1, &[2], &[2]), 2), Err("unknown_key"));
    let mut borrowed = change(1, &[2], &[]);
    borrowed.endorsements = change(2, &[2], &[2]).endorsements;
    assert_eq!(try_it(&borrowed, 1), scope, "consent to another version");
}

#[test]
fn a_former_root_keeps_what_it_signed_and_signs_nothing_more() {
    let mut ring = ring();
    assert_eq!(install(&mut ring, &change(5, &[2], &[2]), 1), Ok(true));
    assert_eq!(install(&mut ring, &set(6), 1), Err("unknown_key"));
    assert_eq!(
        install(&mut ring, &change(6, &[1], &[1]), 9),
        Err("unknown_key")
    );
    assert_eq!(opens(&certified(3, 1), &ring), "ok", "from before");
    assert_eq!(opens(&certified(3, 2), &ring), "ok");
    let by_root = |issued: i64, root| {
        let claims = Claims {
            issued_at: at(issued),
            ..claims()
        };
        opens(&issue(&claims, &key(root), &[]).expect("issues"), &ring)
    };
    assert_eq!(by_root(NOW + 4, 1), "ok");
    assert_eq!(by_root(NOW + 5, 1), "certificate_out_of_scope");
    assert_eq!(by_root(NOW + 5, 2), "ok");
}

/// Fifty sets; the roots change from 1 to 2 at version 10, from 2 to 3 at 20, from 3 to 4 at 30.
fn fifty() -> Vec<Vec<u8>> {
    let mut previous = None;
    let mut root = 1;
    let sets = (1..=50).map(|version| {
        let next = match version {
            10 => 2,
            20 => 3,
            30 => 4,
            _ => root,
        };
        let mut this = match next == root {
            true => set(version),
            false => change(version, &[next], &[next]),
        };
        this.certificates = vec![certificate(100 + version as u8, root)];
        this.previous.clone_from(&previous);
        let bytes = signed(&this, root);
        if next != root {
            previous = Some(bytes.clone());
            root = next;
        }
        bytes
    });
    sets.collect()
}

#[test]
fn whoever_slept_through_fifty_sets_needs_the_newest_only() {
    let sets = fifty();
    let license = issue(&claims(), &key(150), &[]).expect("issues");
    let mut awake = ring();
    for bytes in &sets {
        assert_eq!(awake.install_key_set(bytes), Ok(true));
    }
    assert_eq!(opens(&license, &awake), "ok");
    for slept_since in [None, Some(1), Some(10), Some(25), Some(49)] {
        let mut asleep = ring();
        if let Some(version) = slept_since {
            assert_eq!(asleep.install_key_set(&sets[version - 1]), Ok(true));
        }
        assert_eq!(
            asleep.install_key_set(&sets[49]),
            Ok(true),
            "{slept_since:?}"
        );
        assert_eq!(opens(&license, &asleep), "ok");
        for old in &sets[..49] {
            assert!(
                asleep.install_key_set(old).is_err(),
                "an older set is taken"
            );
        }
    }
    // A product built later pins a newer root, and can't know who signed before.
    let newer = Trust::new(PRODUCT, *key(3).public()).expect("a trust");
    let mut newer = Ring::new(newer);
    assert_eq!(newer.install_key_set(&sets[49]), Ok(true));
    // Without the way there, the newest set is a stranger's.
    let mut cut = set(51);
    cut.certificates = vec![certificate(3, 4)];
    assert_eq!(install(&mut ring(), &cut, 4), Err("unknown_key"));
    assert_eq!(install(&mut awake, &cut, 4), Err("unknown_key"));
}

#[test]
fn a_set_may_not_forget_a_change_of_roots() {
    let mut ring = ring();
    let changed = change(5, &[2, 9], &[2]);
    assert_eq!(install(&mut ring, &changed, 1), Ok(true));
    // The spare was pinned and still holds, but alone this set would bring the old root back.
    let scope = Err("certificate_out_of_scope");
    assert_eq!(install(&mut ring, &set(6), 9), scope);
    let mut whole = set(6);
    whole.previous = Some(signed(&changed, 1));
    assert_eq!(install(&mut ring, &whole, 9), Ok(true));
}

#[test]
fn a_chain_of_changes_is_bounded_and_in_order() {
    let mut deep = set(1);
    for version in 2..12 {
        let previous = Some(signed(&deep, 1));
        deep = KeySet {
            previous,
            ..set(version)
        };
    }
    assert_eq!(install(&mut ring(), &deep, 1), Err("malformed"));
    let mut swapped = set(5);
    swapped.previous = Some(signed(&set(6), 1));
    assert_eq!(install(&mut ring(), &swapped, 1), Err("malformed"));
}

#[test]
fn a_stolen_key_ends_and_its_licenses_come_signed_again() {
    let mut ring = ring();
    let stolen = verify(&certified(3, 1), &ring).expect("verifies");
    let end = at(NOW + 1_000);
    let mut revoking = set(2);
    revoking.revoked = vec![RevokedKey {
        key: *key(3).public(),
        from: end,
    }];
    assert_eq!(install(&mut ring, &revoking, 1), Ok(true));
    let status = |ring: &Ring, now: Timestamp| {
        let license = ring.newest(&stolen);
        let standing = ring.standing(license);
        let facts = Facts {
            standing,
            ..Facts::at(now)
        };
        let verdict = judge(license, &facts);
        (verdict.status(), verdict.is_allowed())
    };
    assert_eq!(status(&ring, end.plus_ms(-1)), (Status::ReplaceBy, true));
    assert_eq!(status(&ring, end), (Status::KeyRevoked, false));
    // What the thief dates back hangs on the same key.
    let dated_back = Claims {
        issued_at: at(NOW - 9),
        ..claims()
    };
    let forged = issue(&dated_back, &key(3), &[&certificate(3, 1)]).expect("issues");
    let forged = verify(&forged, &ring).expect("the signature fits");
    assert_eq!(ring.standing(&forged).replace_by, Some(end));
    let opened = open_bundle(Kind::License, &certified(3, 1), &ring).expect("opens");
    assert!(opened.holds_at(end.plus_ms(-1)).is_ok());
    assert_eq!(
        opened.holds_at(end).map_err(|e| e.code()),
        Err("key_revoked")
    );
    revoking.version = 3;
    let other = Claims::new(LicenseId::from_bytes([8; 16]), "acme.viewer", at(NOW));
    revoking.licenses = vec![
        issue(&other, &key(1), &[]).expect("issues"),
        certified(3, 1),
        certified(4, 1),
    ];
    assert_eq!(install(&mut ring, &revoking, 1), Ok(true));
    assert_eq!(status(&ring, end), (Status::Valid, true));
    assert_eq!(ring.signed_again().count(), 1, "only what holds here");
}

#[test]
fn a_revoked_root_signs_no_further_set() {
    let mut ring = ring();
    let mut revoking = set(2);
    revoking.revoked = vec![RevokedKey {
        key: *key(1).public(),
        from: at(NOW + 9),
    }];
    assert_eq!(install(&mut ring, &revoking, 9), Ok(true));
    assert_eq!(install(&mut ring, &set(3), 1), Err("key_revoked"));
    assert_eq!(install(&mut ring, &set(3), 9), Ok(true));
}

fn list(version: u64, issued: i64, revoked: &[u32], signer: u8) -> Vec<u8> {
    let mut list = Revocations::new(PRODUCT, 4, 1_000).expect("a list");
    for &index in revoked {
        list.revoke(index).expect("a place");
    }
    let list = list.at(version, at(issued));
    list.issue(&key(signer), &[]).expect("issues")
}

#[test]
fn lists_withdraw_and_never_go_back() {
    let mut ring = ring();
    let mut claims = claims();
    claims.status = Some(ListEntry { list: 4, index: 17 });
    let license = issue(&claims, &key(1), &[]).expect("issues");
    let license = verify(&license, &ring).expect("verifies");
    let mut take = |version, issued, revoked: &[u32], signer| {
        let newer = ring.install_revocations(&list(version, issued, revoked, signer));
        let standing = ring.standing(&license);
        (newer.map_err(|error| error.code()), standing.revoked)
    };
    assert_eq!(take(2, NOW, &[16, 18], 1), (Ok(true), false));
    assert_eq!(take(3, NOW, &[17], 1), (Ok(true), true));
    assert_eq!(take(3, NOW, &[17], 1), (Ok(false), true));
    assert_eq!(take(2, NOW + 9, &[], 1), (Err("list_old"), true));
    assert_eq!(take(4, NOW - 1, &[], 1), (Err("list_old"), true));
    assert_eq!(take(9, NOW + 9, &[], 2), (Err("unknown_key"), true));
    assert_eq!(take(3, NOW + 9, &[17], 1), (Ok(true), true));
    assert_eq!(take(4, NOW + 10, &[], 1), (Ok(true), false));
    assert_eq!(ring.lists().count(), 1);
    let other = Revocations::new("acme.viewer", 4, 8).expect("a list");
    let other = other.issue(&key(1), &[]).expect("issues");
    let error = ring.install_revocations(&other).expect_err("is refused");
    assert_eq!(error.code(), "wrong_product");
}

#[test]
fn a_sunset_frees_the_products_it_names() {
    let license = issue(&claims(), &key(1), &[]).expect("issues");
    let freed = |sunset| {
        let mut ring = ring();
        let mut closing = set(1);
        closing.sunset = Some(sunset);
        assert_eq!(install(&mut ring, &closing, 1), Ok(true));
        let license = verify(&license, &ring).expect("verifies");
        ring.standing(&license).sunset
    };
    assert_eq!(freed(Products::Any), Some(at(NOW + 1)));
    assert_eq!(
        freed(Products::Only(vec![PRODUCT.into()])),
        Some(at(NOW + 1))
    );
    assert_eq!(freed(Products::Only(vec!["acme.viewer".into()])), None);
}
