//! The demonstration shop: filled once, with every kind of product and somebody to sign in as.

use mintreu_server::caller::Role;
use mintreu_server::demo::{self, PASSWORD, PEOPLE};
use mintreu_server::domains::accounts::entry::sign_in_with;
use mintreu_server::domains::accounts::{SESSION_PURPOSE, session_of_token};
use mintreu_server::domains::catalog::model::{Kind, SearchQuery};
use mintreu_server::domains::catalog::ops::{Home, home, search};
use mintreu_tests::TestApp;

#[tokio::test]
async fn a_demo_is_filled_once_and_shows_every_kind() {
    TestApp::both(async |test| {
        assert!(demo::seed(&test.app).await.expect("the shop is filled"));
        assert!(!demo::seed(&test.app).await.expect("it is left alone"));
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
