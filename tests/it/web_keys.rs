//! The seller's page of keys, by its forms alone.

use crate::web_pages::{DEVELOPER, page, send, sign_in};
use axum::http::StatusCode;
use mintreu_server::demo;
use mintreu_tests::TestApp;

/// The first choice of a select: its value, and the first word of its text.
fn first_choice(page: &str, select: &str) -> (String, String) {
    let from = page
        .find(&format!("<select id=\"{select}\""))
        .expect("a select");
    let option = page[from..]
        .split("<option value=\"")
        .nth(1)
        .expect("a choice");
    let (value, rest) = option.split_once('"').expect("a value");
    let text = rest.split('>').nth(1).expect("a text");
    let word = text.split([' ', '<']).next().expect("a word");
    (value.to_owned(), word.to_owned())
}

#[tokio::test]
async fn keys_are_made_revoked_and_carried_away_by_forms() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let server = test.serve().await;
    let browser = server.browser();
    sign_in(&browser, DEVELOPER).await;
    let home = "/sell/keys";
    let (slug, _) = first_choice(&page(&browser, home).await, "slug");
    let fields = [("slug", slug.as_str())];
    let (status, location, _) = send(&browser, home, "/sell/keys/rotate", &fields).await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/sell/keys?done=rotated")
    );
    let shown = page(&browser, &location).await;
    assert!(shown.contains("The product has a new key."), "{shown}");
    assert!(shown.contains("Key set 1 is the newest."), "{shown}");

    let (key, name) = first_choice(&shown, "key");
    let revoke = async |confirm: &str, reason: &str| {
        let fields = [
            ("key", key.as_str()),
            ("reason", reason),
            ("confirm", confirm),
        ];
        send(&browser, home, "/sell/keys/revoke", &fields).await
    };
    for (confirm, reason) in [("", "stolen"), ("yes", "stolen"), (name.as_str(), " ")] {
        let (status, _, body) = revoke(confirm, reason).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(body.contains("role=\"alert\""), "{body}");
    }
    assert!(
        !page(&browser, home).await.contains(">Revoked<"),
        "nothing was revoked yet"
    );
    let (status, location, _) = revoke(&name, "stolen").await;
    assert_eq!(
        (status, location.as_str()),
        (StatusCode::SEE_OTHER, "/sell/keys?done=revoked")
    );
    test.drain().await;
    let shown = page(&browser, home).await;
    assert!(shown.contains("Revoked"), "{shown}");
    assert!(shown.contains("Key set 2 is the newest."), "{shown}");
    let set = page(&browser, "/sell/keys/newest.mtk").await;
    assert!(set.starts_with("-----BEGIN MINTREU KEYSET-----"), "{set}");
    for document in ["nothing", set.as_str()] {
        let fields = [("document", document)];
        let (status, _, _) = send(&browser, home, "/sell/keys/upload", &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "published before");
    }
    server.stop().await;
    test.finish().await;
}
