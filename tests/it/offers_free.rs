//! Free plans that are upgraded in place: one license from the first day to the last.

use crate::shop::{SELLER, device_key, person};
use crate::subscriptions::{BUYER, travel};
use crate::web_pages::page;
use mintreu::activation::{Fingerprint, Request, Wanted as Seat};
use mintreu::id::{LicenseId, PriceId, SubscriptionId};
use mintreu::{Currency, Money};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::fulfilment::{Item, Purchase, Wanted, start};
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::licensing::{self, Activate, License, LicenseState, activate};
use mintreu_server::domains::subscriptions::{
    Act, Action, MySubscription, SubscriptionError, Upgrade, UpgradesOf, act, my_subscription,
    upgrade, upgrades_of,
};
use mintreu_tests::TestApp;
use serde_json::json;

const CODE: &str = "acme.notes";

struct Notes {
    buyer: Caller,
    seller: Caller,
    free: PriceId,
    pro: PriceId,
    team: PriceId,
}

/// Free with one device and 100 notes a month; 9.00 a month with three devices and 10,000; 90.00 a
/// year with what the product says.
async fn notes(test: &TestApp) -> Notes {
    let app = &test.app;
    let seller = person(test, SELLER, Role::Developer);
    let open: OpenShop = serde_json::from_str(r#"{"name":"Acme"}"#).expect("a shop");
    app.transact(&seller, open, open_shop).await.expect("opens");
    let tools: AddCategory =
        serde_json::from_str(r#"{"path":"tools","name":"Tools"}"#).expect("a category");
    let added = app.transact(&test.system(), tools, add_category).await;
    added.expect("is added");
    let terms = |seats: i64, feature: &str, notes: i64| {
        json!({
            "seats": seats, "entitlements": [{"name": feature, "value": true}],
            "quotas": [{"meter": "notes", "limit": notes, "window": "month"}],
        })
    };
    let draft = serde_json::from_value(json!({
        "code": CODE, "kind": "subscription", "name": "Notes", "summary": "Keeps notes.",
        "categories": ["tools"], "meters": [{"name": "notes", "unit": "note"}],
        "prices": [
            {"model": "free", "currency": "EUR", "terms": terms(1, "basic", 100)},
            {"model": "recurring", "period": "monthly", "amount_minor": 900, "currency": "EUR",
                "terms": terms(3, "pro", 10_000)},
            {"model": "recurring", "period": "yearly", "amount_minor": 9000, "currency": "EUR"},
        ],
        "terms": terms(5, "team", 50_000),
    }));
    let create = CreateProduct {
        draft: draft.expect("a draft"),
    };
    let made = app.transact(&seller, create, create_product).await;
    let made = made.expect("is written");
    let publish = PublishProduct { product: made.id };
    let published = app.transact(&seller, publish, publish_product).await;
    published.expect("is published");
    Notes {
        buyer: person(test, BUYER, Role::Customer),
        seller,
        free: made.prices[0].id,
        pro: made.prices[1].id,
        team: made.prices[2].id,
    }
}

/// The buyer takes the free plan: no payment, a license at once.
async fn taken(test: &TestApp, notes: &Notes) -> LicenseId {
    let purchase = Purchase {
        wanted: Wanted {
            items: vec![Item::new(notes.free, 1)],
            ..Wanted::default()
        },
        seen: Money::zero(Currency::EUR),
        email: None,
        traffic: Traffic::Seller,
        network: None,
        provider: None,
    };
    let started = start(&test.app, &notes.buyer, None, purchase).await;
    let started = started.expect("is placed");
    assert_eq!(started.pay_url, None);
    let query = licensing::Licenses {
        as_seller: false,
        before: None,
        limit: 10,
    };
    let mine = test.app.read(&notes.buyer, query, licensing::list).await;
    let mine = mine.expect("reads");
    assert_eq!(mine.len(), 1);
    mine[0].id
}

async fn license(test: &TestApp, id: LicenseId) -> License {
    let tenant = test.tenant();
    let read = test
        .app
        .store
        .read(move |tx| licensing::by_id(tx, tenant, id));
    read.await
        .expect("reads")
        .expect("reads")
        .expect("is there")
}

/// Seats, the first feature, and the quota of notes.
fn grants(license: &License) -> (i64, &str, i64) {
    let terms = &license.terms;
    (
        license.seats,
        terms.entitlements[0].name.as_str(),
        terms.quotas[0].limit,
    )
}

fn wish(license: LicenseId, price: PriceId, minor: i64, method: &str) -> Upgrade {
    Upgrade {
        license,
        price,
        seats: 1,
        seen: Money::new(minor, Currency::EUR),
        zone: String::new(),
        provider: "sandbox".to_owned(),
        method: method.to_owned(),
        traffic: Traffic::Seller,
        fees: FeePolicy::default(),
        tariff: PaymentTariff::default(),
    }
}

async fn upgraded(
    test: &TestApp,
    notes: &Notes,
    wish: Upgrade,
) -> Result<SubscriptionId, SubscriptionError> {
    let done = test.app.transact(&notes.buyer, wish, upgrade).await;
    test.drain().await;
    done
}

async fn seated(test: &TestApp, license: LicenseId, device: u8) -> bool {
    let request = Request {
        product: CODE.to_owned(),
        issued_at: test.app.now(),
        nonce: [device; 16],
        wanted: Seat::License(license),
        fingerprint: Fingerprint::default(),
        version: None,
        renews: None,
        lend_secs: None,
    };
    let bytes = request.seal(&device_key(device)).expect("seals");
    let command = Activate::from_bytes(&bytes).expect("a request");
    let done = test.app.transact(&test.guest(), command, activate).await;
    done.is_ok()
}

#[tokio::test]
async fn one_license_goes_from_free_to_paid_and_back_at_the_end_of_the_period() {
    TestApp::both(async |test| {
        travel(test, "2027-01-10").await;
        let notes = notes(test).await;
        let id = taken(test, &notes).await;
        assert_eq!(grants(&license(test, id).await), (1, "basic", 100));
        assert!(seated(test, id, 1).await && !seated(test, id, 2).await);

        let seen = wish(id, notes.pro, 800, "sbm_pays");
        let changed = upgraded(test, &notes, seen).await;
        assert!(matches!(changed, Err(SubscriptionError::AmountChanged(_))));
        // What is declined changes nothing.
        let poor = wish(id, notes.pro, 900, "sbm_insufficient_funds");
        let first = upgraded(test, &notes, poor).await.expect("is placed");
        assert_eq!(grants(&license(test, id).await), (1, "basic", 100));
        assert_eq!(
            license(test, id).await.state(test.app.now()),
            LicenseState::Active
        );

        let paid = wish(id, notes.pro, 900, "sbm_pays");
        let subscription = upgraded(test, &notes, paid).await.expect("is placed");
        assert_eq!(subscription, first);
        let now = license(test, id).await;
        assert_eq!(grants(&now), (3, "pro", 10_000));
        assert!(now.expires_at.is_some());
        // The device of the first day is there still, and two more fit.
        assert!(seated(test, id, 2).await && seated(test, id, 3).await);
        assert!(!seated(test, id, 4).await);
        let twice = upgraded(test, &notes, wish(id, notes.pro, 900, "sbm_pays")).await;
        assert!(matches!(twice, Err(SubscriptionError::WrongStatus(_))));
        travel(test, "2027-02-11").await;
        assert_eq!(grants(&license(test, id).await), (3, "pro", 10_000));

        // Its end is wished: paid until then, free again after; devices that are there stay.
        let end = Act {
            subscription,
            action: Action::Cancel,
            seen: None,
        };
        test.app
            .transact(&notes.buyer, end, act)
            .await
            .expect("is wished");
        travel(test, "2027-03-09").await;
        assert_eq!(grants(&license(test, id).await), (3, "pro", 10_000));
        travel(test, "2027-03-11").await;
        let back = license(test, id).await;
        assert_eq!(grants(&back), (3, "basic", 100));
        assert_eq!(back.state(test.app.now()), LicenseState::Active);
        assert_eq!(back.expires_at, None);

        // And up again, to the plan that grants what the product says.
        let again = upgraded(test, &notes, wish(id, notes.team, 9000, "sbm_pays")).await;
        assert_eq!(again.expect("is placed"), first);
        assert_eq!(grants(&license(test, id).await), (5, "team", 50_000));
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_is_never_paid_leaves_the_free_license_in_force() {
    TestApp::both(async |test| {
        travel(test, "2027-01-10").await;
        let notes = notes(test).await;
        let id = taken(test, &notes).await;
        let paid = wish(id, notes.pro, 900, "sbm_pays");
        let subscription = upgraded(test, &notes, paid).await.expect("is placed");
        let poor = mintreu_server::domains::subscriptions::ChangeMethod {
            subscription,
            provider: "sandbox".to_owned(),
            method: "sbm_insufficient_funds".to_owned(),
        };
        let change = mintreu_server::domains::subscriptions::change_method;
        test.app
            .transact(&notes.buyer, poor, change)
            .await
            .expect("is changed");
        travel(test, "2027-02-12").await;
        assert_eq!(grants(&license(test, id).await).1, "pro");
        for day in [
            "2027-02-14",
            "2027-02-18",
            "2027-02-20",
            "2027-02-27",
            "2027-03-07",
        ] {
            travel(test, day).await;
        }
        let query = MySubscription { subscription };
        let ended = test.app.read(&notes.buyer, query, my_subscription).await;
        assert_eq!(ended.expect("reads").subscription.status.code(), "canceled");
        let back = license(test, id).await;
        assert_eq!((grants(&back).1, back.revoked_at), ("basic", None));
    })
    .await;
}

#[tokio::test]
async fn only_a_free_license_of_one_s_own_can_be_upgraded() {
    TestApp::both(async |test| {
        let notes = notes(test).await;
        let id = taken(test, &notes).await;
        let offer = test
            .app
            .read(&notes.buyer, UpgradesOf { license: id }, upgrades_of);
        assert!(offer.await.expect("reads").is_some());
        let theirs = wish(id, notes.pro, 900, "sbm_pays");
        let stranger = test.app.transact(&notes.seller, theirs, upgrade).await;
        assert!(matches!(stranger, Err(SubscriptionError::NotFound)));
        let free = upgraded(test, &notes, wish(id, notes.free, 0, "sbm_pays")).await;
        assert!(matches!(
            free,
            Err(SubscriptionError::Invalid {
                field: "price_id",
                ..
            })
        ));
        let server = test.serve().await;
        let guest = server.browser();
        // What each plan grants is on the product's page.
        let drawn = page(&guest, "/p/notes").await;
        assert!(
            drawn.contains("10,000") && drawn.contains("50,000"),
            "{drawn}"
        );
        let path = format!("/v1/licenses/{id}/upgrades");
        let body = json!({"price_id": notes.pro.to_string(), "amount_minor": 900,
            "currency": "EUR", "method": "sbm_pays"});
        let (status, _) = guest.post_json(&path, &body).await;
        assert!(status.is_client_error());
        server.stop().await;
    })
    .await;
}
