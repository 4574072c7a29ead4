//! Quotas that devices share: real engines against the server, on both databases.

use crate::licensing_seats::{engine, license, sync};
use crate::shop::{CODE, person, shop};
use mintreu::Engine;
use mintreu::id::{AccountId, ActivationId, LicenseId};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog;
use mintreu_server::domains::catalog::model::{Quota, Window, draft_of};
use mintreu_server::domains::catalog::ops::{UpdateProduct, update_product};
use mintreu_server::domains::quotas::{
    LentUnits, QuotaError, WriteOffUnits, lent_units, write_off_units,
};
use mintreu_server::problem::Problem;
use mintreu_tests::{Browser, TestApp};

const LIMIT: u64 = 100;
const DAY: u32 = 86_400_000;

/// The shop's product with one quota that the devices of a license share.
async fn shared_quota(test: &TestApp, seller: &Caller, window: Window) {
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
        shared: true,
        ..Quota::new("renders", 100, window)
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

/// Takes back what a device holds, as the seller.
async fn write_off(
    test: &TestApp,
    caller: &Caller,
    (license, activation): (LicenseId, ActivationId),
) -> Result<(), QuotaError> {
    let command = WriteOffUnits {
        license,
        meter: "renders".into(),
        activation,
        reason: " The laptop was stolen. ".into(),
    };
    test.app.transact(caller, command, write_off_units).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_share_a_quota_and_never_overspend_it() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        shared_quota(test, &shop.seller, Window::Month).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (id, trust, document) = license(&shop, &guest).await;
        let folders = three();
        let devices = folders.each_ref().map(|f| engine(test, f.path(), &trust));
        for device in &devices {
            device.install(&document).expect("installs");
            sync(device, &guest).await.expect("is activated");
            sync(device, &guest).await.expect("is lent units");
        }
        assert_eq!(sum(&lent(test, &shop.seller, id).await), 30, "a tenth each");
        // Two devices spend all there is; the third is away with what it was lent.
        let mut used = 0;
        for _ in 0..30 {
            for device in &devices[..2] {
                used += exhaust(device);
                sync(device, &guest).await.expect("syncs");
            }
            assert!(sum(&lent(test, &shop.seller, id).await) <= LIMIT);
        }
        used += exhaust(&devices[0]) + exhaust(&devices[1]);
        assert_eq!(used, LIMIT - 10);
        assert_eq!(exhaust(&devices[2]), 10, "what it was lent is its own");
        // The next month is a new one for all.
        for _ in 0..40 {
            test.clock.advance(DAY);
        }
        for device in &devices {
            sync(device, &guest).await.expect("syncs");
        }
        let first = exhaust(&devices[0]) + exhaust(&devices[1]);
        assert_eq!(first, 20, "a new month");
        let (status, shown) = guest.get_json(&format!("/v1/licenses/{id}/units")).await;
        assert_eq!(status, 404, "{shown}: a guest is neither owner nor seller");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_are_not_taken_back_while_their_device_may_use_them() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        shared_quota(test, &shop.seller, Window::Lifetime).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (id, trust, document) = license(&shop, &guest).await;
        let folders = three();
        let devices = folders.each_ref().map(|f| engine(test, f.path(), &trust));
        let mut held: Vec<LentUnits> = Vec::new();
        for device in &devices {
            device.install(&document).expect("installs");
            sync(device, &guest).await.expect("is activated");
            sync(device, &guest).await.expect("is lent units");
            let mut rows = lent(test, &shop.seller, id).await;
            rows.retain(|row| held.iter().all(|known| known.activation != row.activation));
            held.extend(rows);
        }
        let (used_later, lost) = (held[1].clone(), held[2].clone());
        let holds = (id, used_later.activation);
        // Its lease runs for a month, and for so long nobody takes its units back.
        for _ in 0..29 {
            test.clock.advance(DAY);
        }
        let refused = write_off(test, &shop.seller, holds).await;
        let Err(QuotaError::LeaseRunning { until }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(until, used_later.ends_at);
        let problem = Problem::from(QuotaError::LeaseRunning { until });
        assert_eq!((problem.status, problem.code), (409, "lease_running"));
        // Without a network it uses them; the first device gets what nobody holds.
        let mut used = exhaust(&devices[1]);
        assert_eq!(used, 10);
        used += spend(&devices[0], &guest).await;
        assert_eq!(used, LIMIT - 10, "the third still holds its own");
        // When it is over, those of the third come back; the second's were used and are told.
        for _ in 0..2 {
            test.clock.advance(DAY);
        }
        sync(&devices[1], &guest).await.expect("settles");
        let nobody = person(
            test,
            AccountId::from_bytes(*b"somebody else ac"),
            Role::Developer,
        );
        assert!(
            write_off(test, &nobody, (id, lost.activation))
                .await
                .is_err()
        );
        for (activation, why) in [
            (used_later.activation, "nothing left"),
            (lost.activation, "ten"),
        ] {
            let done = write_off(test, &shop.seller, (id, activation)).await;
            done.expect(why);
            let again = write_off(test, &shop.seller, (id, activation)).await;
            again.expect("once is enough");
        }
        for device in &devices[..2] {
            used += spend(device, &guest).await;
        }
        assert_eq!(used, LIMIT);
        assert_eq!(sum(&lent(test, &shop.seller, id).await), LIMIT);
        let kept = test.app.read(&shop.seller, id, lent_units).await;
        let kept = kept.expect("is shown").written_off;
        assert_eq!(kept.len(), 1, "{kept:?}");
        assert_eq!((kept[0].activation, kept[0].units), (lost.activation, 10));
        assert_eq!(kept[0].reason, "The laptop was stolen.");
        assert_eq!(
            (Some(kept[0].by), kept[0].at),
            (shop.seller.account, test.app.now())
        );
        let command = WriteOffUnits {
            license: id,
            meter: "renders".into(),
            activation: lost.activation,
            reason: "  ".into(),
        };
        let silent = test.app.transact(&shop.seller, command, write_off_units);
        assert!(matches!(silent.await, Err(QuotaError::ReasonMissing)));
    })
    .await;
}

fn three() -> [tempfile::TempDir; 3] {
    std::array::from_fn(|_| tempfile::tempdir().expect("a folder"))
}

async fn lent(test: &TestApp, seller: &Caller, id: LicenseId) -> Vec<LentUnits> {
    let read = test.app.read(seller, id, lent_units).await;
    read.expect("is shown").lent
}

fn sum(lent: &[LentUnits]) -> u64 {
    lent.iter().map(|lent| lent.lent.units).sum()
}

/// Asks and uses until there is nothing to be had.
async fn spend(device: &Engine, guest: &Browser) -> u64 {
    let mut used = exhaust(device);
    for _ in 0..20 {
        sync(device, guest).await.expect("syncs");
        used += exhaust(device);
    }
    used
}
