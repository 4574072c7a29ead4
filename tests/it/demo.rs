//! The demonstration shop: filled once, with every kind of product and somebody to sign in as.

use mintreu_server::caller::Role;
use mintreu_server::demo::{self, PASSWORD, PEOPLE};
use mintreu_server::domains::accounts::entry::sign_in_with;
use mintreu_server::domains::accounts::{SESSION_PURPOSE, session_of_token};
use mintreu_server::domains::catalog::model::{Kind, SearchQuery};
use mintreu_server::domains::catalog::ops::{Home, home, search};
use mintreu_server::domains::invoicing::{ListInvoices, list as invoices};
use mintreu_server::domains::licensing::{Licenses, list as licenses};
use mintreu_server::domains::meters::ops::{ByMeter, ListMeters, UsageQuery, list_meters, usage};
use mintreu_server::domains::orders::{History, OrderState, history};
use mintreu_tests::TestApp;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_demo_is_filled_once_and_shows_every_kind() {
    TestApp::both(async |test| {
        let people = demo::seed(&test.app).await.expect("the shop is filled");
        assert!(people.is_some());
        let again = demo::seed(&test.app).await.expect("it is left alone");
        assert!(again.is_none());
        let guest = test.guest();
        let shelves = test
            .app
            .read(&guest, Home, home)
            .await
            .expect("the front page");
        assert_eq!(shelves.total, 28);
        let kinds: Vec<Kind> = shelves.kinds.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, Kind::ALL);
        let query = SearchQuery {
            text: "translating languages".into(),
            ..SearchQuery::default()
        };
        let page = test.app.read(&guest, query, search).await.expect("a page");
        assert_eq!(page.items[0].slug, "northbeam-translate");
    })
    .await;
}

#[tokio::test]
async fn everybody_signs_in_with_the_printed_password_and_has_their_role() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let guest = test.guest();
    for person in PEOPLE {
        let token = sign_in_with(&test.app, &guest, "here", "test", person.email, PASSWORD).await;
        let token = token.expect("signed in");
        let hash = test.app.keys.mac(SESSION_PURPOSE, token.as_bytes());
        let session = test
            .app
            .read(&guest, hash, session_of_token)
            .await
            .expect("asked");
        let roles = session.expect("a session").account.roles;
        assert_eq!(roles.contains(&Role::Admin), person.role == "admin");
        assert_eq!(roles.contains(&Role::Developer), person.role == "developer");
    }
    let wrong = sign_in_with(
        &test.app,
        &guest,
        "here",
        "test",
        PEOPLE[0].email,
        "look around",
    )
    .await;
    assert!(wrong.is_err());
    test.finish().await;
}

#[tokio::test]
async fn people_order_and_a_bill_for_usage_is_right_to_the_cent() {
    TestApp::both(async |test| {
        let folder = tempfile::tempdir().expect("a folder");
        let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
        demo::trade(&test.app, &people, folder.path())
            .await
            .expect("people trade");
        // What costs nothing now is licensed at once; the rest waits for its webhooks.
        for (email, placed, licensed) in [
            ("priya@customer.example", 3, 1),
            ("jonas@customer.example", 5, 2),
            ("tomasz@northbeam.example", 1, 0),
        ] {
            let caller = people.caller(email).expect("somebody");
            let page = History::default();
            let orders = test.app.read(&caller, page, history).await.expect("orders");
            assert_eq!(orders.len(), placed, "{email}");
            let paid = orders
                .iter()
                .filter(|order| order.state == OrderState::Paid);
            assert_eq!(paid.count(), licensed, "{email}");
            let page = Licenses {
                as_seller: false,
                before: None,
                limit: 0,
            };
            let held = test
                .app
                .read(&caller, page, licenses)
                .await
                .expect("licenses");
            assert_eq!(held.len(), licensed, "{email}");
        }
        let priya = people.caller("priya@customer.example").expect("somebody");
        let page = ListInvoices {
            as_seller: false,
            before: None,
            limit: 10,
        };
        let page = test
            .app
            .read(&priya, page, invoices)
            .await
            .expect("invoices");
        let totals: Vec<String> = page
            .invoices
            .iter()
            .map(|one| one.total.to_string())
            .collect();
        // 212,480 + 640,115 + 431,905 characters, 50,000 of them free, at 0.000018 EUR.
        assert_eq!(totals, ["22.22 EUR"]);
        // A service's events of two weeks, by endpoint, in the seller's meters.
        let tomasz = people.seller("tomasz@northbeam.example").expect("somebody");
        let seller = tomasz.account.expect("an account");
        let meters = test
            .app
            .read(&tomasz, ListMeters(seller), list_meters)
            .await;
        assert_eq!(meters.expect("meters").len(), 3);
        let query = UsageQuery {
            seller,
            meter: ByMeter("api_requests".into()),
            from: None,
            until: None,
            step: None,
            subjects: Vec::new(),
            by_subject: false,
            filters: BTreeMap::new(),
            group_by: vec!["endpoint".into()],
            percentile: None,
            fill: false,
        };
        let answer = test.app.read(&tomasz, query, usage).await.expect("answers");
        assert_eq!(answer.rows.len(), 3, "three endpoints");
        // The sandbox's webhooks find somebody to take them.
        let server = test.serve().await;
        test.drain().await;
        server.stop().await;
    })
    .await;
}
