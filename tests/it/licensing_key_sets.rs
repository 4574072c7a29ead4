//! Key sets: rotation, stolen keys, roots that leave, and what devices make of it.

use crate::licensing_keys::pinned;
use crate::licensing_lists::{IssueMany, facts, issued, verdict};
use crate::shop::{CODE, Shop, of_license, request, shop};
use mintreu::Timestamp;
use mintreu::activation::Activation;
use mintreu::document::{PublicKey, SigningKey};
use mintreu::id::{KeyId, LicenseId};
use mintreu::license::{Certificate, Claims, KeySet, Products, Ring, Trust, issue, judge, verify};
use mintreu_server::domains::fulfilment::{self, RevealCode};
use mintreu_server::domains::licensing::sql::keys::KeyRecord;
use mintreu_server::domains::licensing::{
    Activate, AskKeySet, ExportRoot, ForgetRoot, License, LicensingError, PRODUCT_KINDS, Redeem,
    RevokeKey, RotateKey, Rotated, SunsetProduct, UploadKeySet, activate, export_root,
    find_key_set, forget_root, keys, redeem, revoke_key, rotate_key, sunset_product,
    upload_key_set,
};
use mintreu_tests::TestApp;

const SLUG: &str = "acme-editor";

async fn rotate(test: &TestApp, shop: &Shop) -> Rotated {
    let command = RotateKey {
        slug: SLUG.to_owned(),
    };
    let made = test.app.transact(&shop.seller, command, rotate_key).await;
    made.expect("a new key")
}

/// The newest set, if it is newer than what is held.
async fn newest_set(test: &TestApp, have: u64) -> Option<Vec<u8>> {
    let ask = AskKeySet {
        product: CODE.to_owned(),
        have,
    };
    let found = test.app.read(&test.guest(), ask, find_key_set).await;
    found.expect("is answered").map(|set| set.document)
}

async fn some(test: &TestApp, first: usize, count: usize) -> Vec<License> {
    let many = IssueMany {
        first,
        count,
        freshness: None,
    };
    issued(test, many).await
}

/// The product's keys, the newest first.
async fn product_keys(test: &TestApp, shop: &Shop) -> Vec<KeyRecord> {
    let view = test.app.read(&shop.seller, (), keys).await;
    let all = view.expect("one's own keys").keys;
    all.into_iter()
        .filter(|key| key.purpose == "product")
        .collect()
}

/// A key that somebody stole out of the running server.
async fn steal(test: &TestApp, key: KeyId) -> SigningKey {
    let sql = "SELECT seed_sealed FROM seller_key WHERE key_id = :key";
    let read = test.app.store.read(move |tx| {
        let params = [("key", key.as_bytes().into())];
        tx.query_one(sql, &params)
    });
    let row = read
        .await
        .expect("a read")
        .expect("a query")
        .expect("a key");
    let sealed = row.blob("seed_sealed").expect("bytes");
    let purpose = format!("licensing.seed {key}");
    let seed = test.app.keys.unseal(&purpose, &sealed).expect("opens");
    SigningKey::from_seed(seed.as_slice().try_into().expect("32 bytes"))
}

#[tokio::test]
async fn fifty_rotations_later_old_licenses_hold_for_who_met_one_set_or_all() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let first = some(test, 0, 1).await.remove(0);
        let trust = pinned(test).await;
        let (mut each, mut late) = (Ring::new(trust.clone()), Ring::new(trust.clone()));
        let mut licenses = vec![first];
        assert_eq!(newest_set(test, 0).await, None);
        let mut early = Vec::new();
        for version in 1..=50 {
            test.clock.advance(1000);
            assert_eq!(rotate(test, &shop).await.key_set, Some(version));
            let set = newest_set(test, version - 1).await.expect("a newer set");
            assert_eq!(each.install_key_set(&set), Ok(true));
            if version == 7 {
                early.clone_from(&set);
            }
            licenses.extend(some(test, licenses.len(), 1).await);
        }
        assert_eq!(newest_set(test, 50).await, None);
        let set = newest_set(test, 0).await.expect("a set");
        assert_eq!(late.install_key_set(&set), Ok(true));
        let now = test.app.now();
        for license in &licenses {
            assert_eq!(verdict(license, &each, now), ("valid", true));
            assert_eq!(verdict(license, &late, now), ("valid", true));
        }
        for ring in [&mut each, &mut late] {
            let old = ring.install_key_set(&early).map_err(|error| error.code());
            assert_eq!(old, Err("keyset_old"));
        }
        let other = Trust::new(CODE, *SigningKey::from_seed(&[5; 32]).public()).expect("a trust");
        let foreign = Ring::new(other).install_key_set(&set);
        assert_eq!(foreign.map_err(|error| error.code()), Err("unknown_key"));
        let signs = product_keys(test, &shop).await;
        assert_eq!(signs.len(), 51);
        let newest = verify(&licenses[50].document, &trust).expect("verifies");
        assert!(
            newest.signers().contains(&signs[0].public),
            "the newest signs"
        );
        let set = KeySet::verify(&set, &[trust.roots().next().expect("a root")]).expect("a set");
        assert_eq!(set.certificates.len(), 1, "of the key that signs now");
        assert!(pinned(test).await.to_string().ends_with(" keyset=50"));
    })
    .await;
}

fn forged(key: &SigningKey, certificate: &[u8], issued_at: Timestamp, id: LicenseId) -> License {
    let claims = Claims::new(id, CODE, issued_at);
    let document = issue(&claims, key, &[certificate]).expect("forges");
    License {
        id,
        document,
        source: String::new(),
        product: mintreu::id::ProductId::from_bytes([0; 16]),
        product_code: CODE.to_owned(),
        seller: crate::shop::SELLER,
        owner: None,
        seats: 1,
        terms: mintreu_server::domains::catalog::model::LicenseTerms::default(),
        issued_at,
        expires_at: None,
        revoked_at: None,
        revoke_reason: None,
    }
}

async fn revoke_now(test: &TestApp, shop: &Shop, key: KeyId) {
    let command = RevokeKey {
        key,
        from: None,
        reason: "stolen".to_owned(),
    };
    for _ in 0..2 {
        let done = test.app.transact(&shop.seller, command.clone(), revoke_key);
        done.await.expect("revokes");
    }
}

#[tokio::test]
async fn a_stolen_key_forges_nothing_more_and_the_honest_go_on() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let bought = crate::licensing_keys::licensed(test, &shop).await;
        let honest = some(test, 0, 1).await.remove(0);
        let mut ring = Ring::new(pinned(test).await);
        let asked = request(1, of_license(&bought.to_string()));
        let ask = async || {
            let command = Activate::from_bytes(&asked).expect("a request");
            let seat = test.app.transact(&test.guest(), command, activate).await;
            seat.expect("a seat").document
        };
        let before = ask().await;
        assert_eq!(before, ask().await, "the same request gets the same bytes");
        let stolen = product_keys(test, &shop).await.remove(0);
        let thief = steal(test, stolen.id).await;
        let certificate = stolen.certificate.clone().expect("a certificate");
        test.clock.advance(60 * 60 * 1000);
        let start = mintreu_tests::test_app::START;
        let back_dated = forged(&thief, &certificate, start, LicenseId::from_bytes([1; 16]));
        let imitation = forged(&thief, &certificate, start, honest.id);
        let now = test.app.now();
        for license in [&back_dated, &imitation, &honest] {
            assert_eq!(
                verdict(license, &ring, now),
                ("valid", true),
                "until it is revoked"
            );
        }

        revoke_now(test, &shop, stolen.id).await;
        assert_eq!(
            newest_set(test, 0).await,
            None,
            "first everything is signed again"
        );
        test.drain().await;
        let set = newest_set(test, 0).await.expect("a set");
        assert_eq!(ring.install_key_set(&set), Ok(true));
        assert_eq!(verdict(&back_dated, &ring, now), ("key_revoked", false));
        assert_eq!(verdict(&honest, &ring, now), ("valid", true));
        // A copy of an honest license's id is judged as that license, with its own claims.
        let copied = verify(&imitation.document, &ring).expect("verifies");
        assert!(ring.newest(&copied).claims().status.is_some());
        let activation = Activation::verify(&before, &ring).expect("verifies");
        assert!(ring.revoked_from(activation.signers()).is_some());
        let again = Activation::verify(&ask().await, &ring).expect("verifies");
        assert_eq!(
            ring.revoked_from(again.signers()),
            None,
            "the same request, signed again"
        );
        assert_eq!(product_keys(test, &shop).await.len(), 2, "once is enough");

        // What comes later still says it all.
        rotate(test, &shop).await;
        let set = newest_set(test, 1).await.expect("a set");
        let mut late = Ring::new(pinned(test).await);
        assert_eq!(late.install_key_set(&set), Ok(true));
        assert_eq!(verdict(&back_dated, &late, now), ("key_revoked", false));
        assert_eq!(verdict(&honest, &late, now), ("valid", true));
    })
    .await;
}

#[tokio::test]
async fn a_key_revoked_from_later_on_is_replaced_until_then() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        some(test, 0, 1).await;
        let stolen = product_keys(test, &shop).await.remove(0);
        let thief = steal(test, stolen.id).await;
        let certificate = stolen.certificate.clone().expect("a certificate");
        let now = test.app.now();
        let license = forged(&thief, &certificate, now, LicenseId::from_bytes([1; 16]));
        let from = now.plus_ms(100_000);
        let command = RevokeKey {
            key: stolen.id,
            from: Some(from),
            reason: "stolen".to_owned(),
        };
        let done = test.app.transact(&shop.seller, command, revoke_key).await;
        done.expect("revokes");
        test.drain().await;
        let mut ring = Ring::new(pinned(test).await);
        let set = newest_set(test, 0).await.expect("a set");
        assert_eq!(ring.install_key_set(&set), Ok(true));
        let at = |ms: i64| verdict(&license, &ring, now.plus_ms(ms));
        assert_eq!(at(99_000), ("replace_by", true));
        assert_eq!(at(100_000), ("key_revoked", false));
    })
    .await;
}

#[tokio::test]
async fn more_licenses_than_fit_into_a_set_are_signed_again_all_the_same() {
    const MANY: usize = 900;
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let licenses = some(test, 0, MANY).await;
        let trust = pinned(test).await;
        let stolen = product_keys(test, &shop).await.remove(0);
        revoke_now(test, &shop, stolen.id).await;
        test.drain().await;
        let set = newest_set(test, 0).await.expect("a set");
        let mut ring = Ring::new(trust.clone());
        assert_eq!(ring.install_key_set(&set), Ok(true));
        let along = ring.signed_again().count();
        assert!((500..MANY).contains(&along), "{along} travel along");
        let held = licenses.iter();
        let valid = held
            .filter(|license| verdict(license, &ring, test.app.now()).1)
            .count();
        assert_eq!(valid, along);
        let of_stolen = "SELECT COUNT(*) AS left_over FROM license WHERE key_id = :key";
        let key = stolen.id;
        let read = test.app.store.read(move |tx| {
            let row = tx.query_one(of_stolen, &[("key", key.as_bytes().into())])?;
            row.map_or(Ok(0), |row| row.int("left_over"))
        });
        assert_eq!(read.await.expect("a read").expect("a count"), 0);
    })
    .await;
}

/// A certificate for a held key, as `mintreu keys certificate` makes it.
fn certified(key: PublicKey, root: &SigningKey, now: Timestamp) -> Vec<u8> {
    let certificate = Certificate {
        key,
        kinds: PRODUCT_KINDS.to_vec(),
        products: Products::Only(vec![CODE.to_owned()]),
        issued_at: now,
        signs_from: now,
        signs_until: None,
        delegate: true,
        licenses: None,
    };
    certificate.issue(root).expect("certifies")
}

async fn upload(
    test: &TestApp,
    shop: &Shop,
    set: &KeySet,
    root: &SigningKey,
) -> Result<u64, LicensingError> {
    let document = set.issue(root).expect("signs");
    let command = UploadKeySet { document };
    test.app
        .transact(&shop.seller, command, upload_key_set)
        .await
}

#[tokio::test]
async fn a_seller_takes_their_root_away_and_the_shop_goes_on() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let first = some(test, 0, 1).await.remove(0);
        let old_trust = pinned(test).await;
        let forgotten = test
            .app
            .transact(&shop.seller, ForgetRoot, forget_root)
            .await;
        assert!(
            matches!(forgotten, Err(LicensingError::NotExported)),
            "{forgotten:?}"
        );
        let exported = test
            .app
            .transact(&shop.seller, ExportRoot, export_root)
            .await;
        let root = SigningKey::from_seed(&exported.expect("leaves").seed);
        let (next, spare) = (
            SigningKey::from_seed(&[21; 32]),
            SigningKey::from_seed(&[22; 32]),
        );
        let held = product_keys(test, &shop).await.remove(0);

        // The change of roots must bring a certificate for the key that signs here.
        test.clock.advance(1000);
        let now = test.app.now();
        let mut change = KeySet::new(1, now);
        change.roots = vec![*next.public(), *spare.public()];
        change.endorsements = [&next, &spare]
            .map(|key| change.endorse(key).expect("consents"))
            .to_vec();
        let refused = upload(test, &shop, &change, &root).await;
        assert!(
            matches!(refused, Err(LicensingError::KeyLeftOut { .. })),
            "{refused:?}"
        );
        let mut narrow =
            Certificate::verify(held.certificate.as_ref().expect("one"), &[root.public()])
                .expect("verifies");
        narrow.delegate = false;
        change.certificates = vec![narrow.issue(&next).expect("signs")];
        let refused = upload(test, &shop, &change, &root).await;
        assert!(
            matches!(refused, Err(LicensingError::CertificateNarrow { .. })),
            "{refused:?}"
        );
        change.certificates = vec![certified(held.public, &next, now)];
        let stranger = upload(test, &shop, &change, &next).await;
        assert!(
            matches!(stranger, Err(LicensingError::KeySetRefused(_))),
            "{stranger:?}"
        );
        assert_eq!(
            upload(test, &shop, &change, &root).await.expect("is taken"),
            1
        );
        let again = upload(test, &shop, &change, &root).await;
        assert!(
            matches!(again, Err(LicensingError::KeySetRefused(_))),
            "{again:?}"
        );

        // From now on the old root signs nothing here, though its seed is still there.
        let absent = test.app.transact(
            &shop.seller,
            SunsetProduct {
                slug: SLUG.to_owned(),
            },
            sunset_product,
        );
        assert!(matches!(absent.await, Err(LicensingError::RootAbsent)));
        let done = test
            .app
            .transact(&shop.seller, ForgetRoot, forget_root)
            .await;
        done.expect("is forgotten");
        let seeds = test.app.store.read(|tx| {
            tx.query(
                "SELECT key_id FROM seller_key
            WHERE purpose = 'root' AND seed_sealed <> :none",
                &[("none", Vec::<u8>::new().into())],
            )
        });
        assert!(seeds.await.expect("a read").expect("rows").is_empty());

        let second = some(test, 1, 1).await.remove(0);
        let set = newest_set(test, 0).await.expect("a set");
        let between = pinned(test).await;
        assert!(
            between.roots().eq([root.public()]),
            "the new root didn't sign a set yet"
        );
        let mut old = Ring::new(old_trust.clone());
        assert_eq!(old.install_key_set(&set), Ok(true));
        assert_eq!(
            verdict(&first, &old, test.app.now()),
            ("valid", true),
            "of before"
        );
        assert_eq!(verdict(&second, &old, test.app.now()), ("valid", true));

        // A new key waits for its certificate, and then takes the place of the stolen one.
        let made = rotate(test, &shop).await;
        assert_eq!(made.key_set, None);
        let before = some(test, 2, 1).await.remove(0);
        assert!(
            verify(&before.document, &old)
                .expect("verifies")
                .signers()
                .contains(&held.public)
        );
        let mut revoking = KeySet::new(2, now);
        revoking.previous = Some(set);
        revoking.certificates = vec![certified(made.public, &next, now)];
        revoking.revoked = vec![mintreu::license::RevokedKey {
            key: held.public,
            from: now,
        }];
        assert_eq!(
            upload(test, &shop, &revoking, &next)
                .await
                .expect("is taken"),
            2
        );
        test.drain().await;
        let new_trust = pinned(test).await;
        let pins = [next.public(), spare.public()];
        assert!(new_trust.roots().eq(pins), "{new_trust}");
        let after = some(test, 3, 1).await.remove(0);
        let set = newest_set(test, 1).await.expect("a set");
        assert_eq!(old.install_key_set(&set), Ok(true));
        assert_eq!(
            verdict(&before, &old, test.app.now()),
            ("key_revoked", false)
        );
        assert_eq!(verdict(&after, &old, test.app.now()), ("valid", true));
        let mut new = Ring::new(new_trust);
        assert_eq!(new.install_key_set(&set), Ok(true));
        assert_eq!(verdict(&after, &new, test.app.now()), ("valid", true));
        let again = some(test, 2, 1).await.remove(0);
        assert_eq!(again.id, before.id);
        assert_eq!(
            verdict(&again, &old, test.app.now()),
            ("valid", true),
            "signed again"
        );
    })
    .await;
}

#[tokio::test]
async fn a_sunset_frees_a_product_s_licenses_and_is_for_its_seller_alone() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let license = some(test, 0, 1).await.remove(0);
        let mut ring = Ring::new(pinned(test).await);
        let bare = |ring: &Ring| {
            let verified = verify(&license.document, ring).expect("verifies");
            let facts = mintreu::license::Facts {
                device: None,
                ..facts(license.id, test.app.now(), ring, &verified)
            };
            judge(&verified, &facts).code()
        };
        assert_eq!(bare(&ring), "device_not_activated");
        let command = SunsetProduct {
            slug: SLUG.to_owned(),
        };
        let other = crate::shop::person(
            test,
            mintreu::id::AccountId::from_bytes([3; 16]),
            mintreu_server::caller::Role::Developer,
        );
        let refused = test
            .app
            .transact(&other, command.clone(), sunset_product)
            .await;
        assert!(
            matches!(refused, Err(LicensingError::NotFound)),
            "{refused:?}"
        );
        for _ in 0..2 {
            let done = test
                .app
                .transact(&shop.seller, command.clone(), sunset_product)
                .await;
            assert_eq!(done.expect("is published"), 1);
        }
        let set = newest_set(test, 0).await.expect("a set");
        assert_eq!(ring.install_key_set(&set), Ok(true));
        assert_eq!(bare(&ring), "valid");
    })
    .await;
}

#[tokio::test]
async fn who_redeems_before_the_jobs_ran_gets_a_license_that_holds() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (bought, license) = crate::shop::free_license(&guest, &shop).await;
        server.stop().await;
        let reveal = RevealCode {
            license: crate::shop::id_of(&license),
            token: Some(bought.token.clone()),
        };
        let code = test
            .app
            .transact(&test.guest(), reveal, fulfilment::reveal_code)
            .await;
        let code = code.expect("is shown").reveal().to_owned();
        let stolen = product_keys(test, &shop).await.remove(0);
        revoke_now(test, &shop, stolen.id).await;
        let command = Redeem::parse(&code).expect("a code");
        let found = test.app.transact(&test.guest(), command, redeem).await;
        let verified = verify(&found.expect("redeems").document, &pinned(test).await);
        let verified = verified.expect("verifies");
        assert!(!verified.signers().contains(&stolen.public));
    })
    .await;
}
