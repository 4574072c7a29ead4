//! Quotas that devices share: real engines against the server, on both databases.

use crate::licensing_seats::{engine, license, sync};
use crate::shop::{CODE, shop};
use mintreu::Engine;
use mintreu::id::ActivationId;
use mintreu_server::domains::catalog::model::{Quota, Window, draft_of};
use mintreu_server::domains::catalog::ops::{UpdateProduct, update_product};
use mintreu_server::domains::metering::{WriteOffUnits, lent_units, write_off_units};
use mintreu_server::domains::{catalog, metering};
use mintreu_tests::TestApp;

const LIMIT: u64 = 100;
const DAY: i64 = 86_400_000;

/// The shop's product with one quota that the devices of a license share.
async fn shared_quota(test: &TestApp, seller: &mintreu_server::caller::Caller) {
    let tenant = test.tenant();
    let found = test
        .app
        .store
        .read(move |tx| catalog::product_by_code(tx, tenant, CODE));
    let product = found.await.expect("reads").expect("reads");
    let product = product.expect("is there");
    let mut draft = draft_of(&product);
    let meter = serde_json::from_str(r#"{"name":"renders","unit":"render"}"#);
    draft.meters = vec![meter.expect("a meter")];
    draft.terms.seats = 3;
    draft.terms.quotas = vec![Quota {
        meter: "renders".into(),
        limit: 100,
        window: Window::Month,
        shared: true,
    }];
    let update = UpdateProduct {
        product: product.id,
        draft,
    };
    let updated = test.app.transact(seller, update, update_product).await;
    updated.expect("is changed");
}

/// Takes one unit after the other until none is left.
fn exhaust(engine: &Engine) -> u64 {
    let renders = engine.meter("renders").expect("a meter");
    let granted = || renders.consume(1).expect("answers").granted();
    (0..1_000).take_while(|_| granted()).count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_share_a_quota_and_never_overspend_it() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        shared_quota(test, &shop.seller).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (id, trust, document) = license(&shop, &guest).await;
        let folders: Vec<_> = (0..3)
            .map(|_| tempfile::tempdir().expect("a folder"))
            .collect();
        let devices: Vec<_> = folders
            .iter()
            .map(|folder| engine(test, folder.path(), &trust))
            .collect();
        for device in &devices {
            device.install(&document).expect("installs");
            sync(device, &guest).await.expect("is activated");
            sync(device, &guest).await.expect("is lent units");
        }
        let lent = async || {
            let read = test.app.read(&shop.seller, id, lent_units).await;
            read.expect("is shown")
        };
        let sum = |lent: &[metering::LentUnits]| lent.iter().map(|l| l.lent.units).sum::<u64>();
        assert_eq!(sum(&lent().await), 30, "a tenth each");
        // Two devices spend all there is; the third is away with what it was lent.
        let mut used = 0;
        for _ in 0..30 {
            for device in &devices[..2] {
                used += exhaust(device);
                sync(device, &guest).await.expect("syncs");
            }
            assert!(sum(&lent().await) <= LIMIT);
        }
        used += exhaust(&devices[0]) + exhaust(&devices[1]);
        assert_eq!(used, LIMIT - 10);
        assert_eq!(exhaust(&devices[2]), 10, "what it was lent is its own");
        // In the next month the third stays away, and the seller gives it up.
        for _ in 0..40 {
            test.clock.advance(u32::try_from(DAY).expect("a day"));
        }
        for device in &devices {
            sync(device, &guest).await.expect("syncs");
        }
        let first = exhaust(&devices[0]) + exhaust(&devices[1]);
        assert_eq!(first, 20, "a new month");
        for device in &devices[..2] {
            sync(device, &guest).await.expect("syncs");
        }
        let away = silent(&lent().await);
        let refused = WriteOffUnits {
            license: id,
            meter: "renders".into(),
            activation: away,
        };
        let stranger = crate::shop::person(
            test,
            mintreu::id::AccountId::from_bytes(*b"somebody else ac"),
            mintreu_server::caller::Role::Developer,
        );
        let denied = test
            .app
            .transact(&stranger, refused.clone(), write_off_units);
        assert!(denied.await.is_err());
        let written = test.app.transact(&shop.seller, refused, write_off_units);
        written.await.expect("is written off");
        let mut used = first;
        for _ in 0..30 {
            for device in &devices[..2] {
                sync(device, &guest).await.expect("syncs");
                used += exhaust(device);
            }
        }
        assert_eq!(used, LIMIT, "with the units of the one that was given up");
        let (status, shown) = guest.get_json(&format!("/v1/licenses/{id}/units")).await;
        assert_eq!(status, 404, "{shown}: a guest is neither owner nor seller");
    })
    .await;
}

/// The activation of the device that has said nothing of the newest window yet.
fn silent(rows: &[metering::LentUnits]) -> ActivationId {
    let window = rows.iter().map(|row| row.lent.window).max();
    let newest = rows.iter().filter(|row| Some(row.lent.window) == window);
    let silent: Vec<_> = newest.filter(|row| row.lent.used == 0).collect();
    assert_eq!(silent.len(), 1, "{rows:?}");
    silent[0].activation
}
