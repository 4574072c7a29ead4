//! The keys that are held for sellers: what they may sign, and who certified them.

use crate::shop::{CODE, Shop, free_license, id_of, of_license, request, shop};
use mintreu::activation::Activation;
use mintreu::document::{Kind, PublicKey, SigningKey};
use mintreu::id::LicenseId;
use mintreu::license::{Certificate, Products, Trust};
use mintreu_server::domains::licensing::{
    Activate, ExportRoot, PRODUCT_KINDS, TrustText, activate, export_root, trust,
};
use mintreu_server::store::{Attempt, StoreError, Value};
use mintreu_tests::TestApp;

/// A guest's license of two seats.
pub async fn licensed(test: &TestApp, shop: &Shop) -> LicenseId {
    let server = test.serve().await;
    let guest = server.browser();
    let (_, license) = free_license(&guest, shop).await;
    server.stop().await;
    id_of(&license)
}

/// Runs a statement as nobody could from outside.
pub async fn tamper(test: &TestApp, sql: &'static str, params: Vec<(&'static str, Value)>) -> u64 {
    let written = test.app.store.write(Vec::new(), move |tx| {
        let done: Result<u64, StoreError> = tx.execute(sql, &params);
        Attempt::Commit(done)
    });
    written.await.expect("a write").expect("the statement runs")
}

/// The product's trust, as a program pins it.
pub async fn pinned(test: &TestApp) -> Trust {
    let command = TrustText {
        slug: "acme-editor".to_owned(),
    };
    let found = test.app.transact(&test.guest(), command, trust).await;
    found.expect("a trust")
}

/// The product's newest key and what vouches for it.
async fn product_key(test: &TestApp) -> (PublicKey, Vec<u8>) {
    let read = test.app.store.read(|tx| {
        tx.query_one(
            "SELECT public_key, certificate FROM seller_key WHERE purpose = 'product'
             ORDER BY version DESC LIMIT 1",
            &[],
        )
    });
    let row = read.await.expect("a read").expect("a query");
    let row = row.expect("the product has a key");
    let public = row.blob("public_key").expect("bytes");
    let public = public.as_slice().try_into().expect("32 bytes");
    let certificate = row.blob("certificate").expect("a certificate");
    (PublicKey::from_bytes(&public).expect("a key"), certificate)
}

fn narrow(key: PublicKey, root: &SigningKey) -> Vec<u8> {
    let certificate = Certificate {
        key,
        kinds: vec![Kind::License, Kind::Activation, Kind::Lease],
        products: Products::Only(vec![CODE.to_owned()]),
        issued_at: mintreu_tests::test_app::START,
        signs_from: mintreu_tests::test_app::START,
        signs_until: None,
        delegate: false,
        licenses: None,
    };
    certificate.issue(root).expect("signs")
}

#[tokio::test]
async fn a_key_certified_for_less_than_it_signs_today_is_certified_again() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let license = licensed(test, &shop).await;
        let trust = pinned(test).await;
        let exported = test
            .app
            .transact(&shop.seller, ExportRoot, export_root)
            .await;
        let root = SigningKey::from_seed(&exported.expect("the root leaves").seed);
        let (key, _) = product_key(test).await;
        let foreign = SigningKey::from_seed(&[9; 32]);
        for (device, signer, widened) in [(1, &root, true), (2, &foreign, false)] {
            let stored = narrow(key, signer);
            let sql = "UPDATE seller_key SET certificate = :certificate WHERE purpose = 'product'";
            let params = vec![("certificate", stored.clone().into())];
            assert_eq!(tamper(test, sql, params).await, 1);
            let bytes = request(device, of_license(&license.to_string()));
            let command = Activate::from_bytes(&bytes).expect("a request");
            let answer = test.app.transact(&test.guest(), command, activate).await;
            let bundle = answer.expect("a seat").document;
            let (same, now) = product_key(test).await;
            assert_eq!(same, key, "the key itself stays");
            assert_eq!(now != stored, widened);
            assert_eq!(Activation::verify(&bundle, &trust).is_ok(), widened);
            if widened {
                let certificate = Certificate::verify(&now, &[root.public()]).expect("verifies");
                assert!(certificate.delegate);
                assert_eq!(certificate.signs_from, mintreu_tests::test_app::START);
                let kinds = &certificate.kinds;
                assert!(PRODUCT_KINDS.iter().all(|kind| kinds.contains(kind)));
                assert!(!kinds.contains(&Kind::Certificate) && !kinds.contains(&Kind::KeySet));
            }
        }
    })
    .await;
}
