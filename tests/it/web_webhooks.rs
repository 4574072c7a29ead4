//! The seller's pages of webhooks, by their forms alone.

use crate::web_pages::{DEVELOPER, page, send, sign_in};
use crate::webhook_receiver::Receiver;
use axum::http::StatusCode;
use mintreu_server::demo;
use mintreu_tests::TestApp;

/// The part of a page between two texts.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let rest = page.split_once(from).expect("the beginning").1;
    rest.split_once(to).expect("the end").0
}

#[tokio::test]
async fn an_endpoint_is_added_tested_replayed_and_deleted_by_forms() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    let (server, receiver) = (test.serve().await, Receiver::start().await);
    let browser = server.browser();
    let guest = browser.get("/sell/webhooks").await;
    assert_eq!(guest.status(), StatusCode::SEE_OTHER, "to sign in");
    sign_in(&browser, DEVELOPER).await;
    let home = "/sell/webhooks";
    assert!(page(&browser, home).await.contains("Nobody is told yet"));
    let url = receiver.url("/in");
    let add = async |url: &str, events: &str| {
        let fields = [("url", url), ("events", events), ("scheme", "v1")];
        send(&browser, home, home, &fields).await
    };
    for (url, events, said) in [
        ("http://10.0.0.1/", "", "We can’t send there."),
        (url.as_str(), "order.eaten", "There is no event named"),
    ] {
        let (status, _, body) = add(url, events).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(body.contains(said) && body.contains(url), "{body}");
    }
    let (status, _, shown) = add(&url, "webhook.test\norder.paid").await;
    assert_eq!(status, StatusCode::OK);
    assert!(shown.contains("whsec_"), "{shown}");
    let list = page(&browser, home).await;
    assert!(list.contains("order.paid, webhook.test"), "{list}");
    let base = format!("{home}/whe_{}", between(&list, "/sell/webhooks/whe_", "\""));
    let act = async |act: &str| send(&browser, &base, &base, &[("act", act), ("days", "1")]).await;

    assert_eq!(act("test").await.1, format!("{base}?done=tested"));
    test.drain().await;
    assert_eq!(receiver.take().len(), 1);
    let shown = page(&browser, &base).await;
    assert!(!shown.contains("whsec_"), "the secret is shown once");
    assert!(shown.contains("Delivered"), "{shown}");
    let delivery = between(&shown, "href=\"/sell/webhooks/deliveries/", "\"");
    let delivery = format!("{home}/deliveries/{delivery}");
    let seen = page(&browser, &delivery).await;
    assert!(
        seen.contains("HTTP 200") && seen.contains("answered 200"),
        "{seen}"
    );
    let (status, location, _) = send(&browser, &delivery, &delivery, &[]).await;
    assert_eq!(
        (status, location),
        (StatusCode::SEE_OTHER, delivery.clone())
    );
    test.drain().await;
    assert_eq!(receiver.take().len(), 1);

    let (status, _, rotated) = act("rotate").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        rotated.contains("whsec_") && rotated.contains("signs too, until"),
        "{rotated}"
    );
    assert_eq!(act("replay").await.1, format!("{base}?done=replayed"));
    assert_eq!(act("disable").await.1, format!("{base}?done=switched"));
    assert!(!page(&browser, &base).await.contains("value=\"test\""));
    assert_eq!(act("enable").await.0, StatusCode::SEE_OTHER);
    let fields = [
        ("act", "save"),
        ("url", url.as_str()),
        ("description", "Ours <b>"),
    ];
    let (status, _, _) = send(&browser, &base, &base, &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let list = page(&browser, home).await;
    assert!(
        list.contains("Ours &#60;b&#62;") && list.contains(">All<"),
        "{list}"
    );
    assert_eq!(act("delete").await.1, "/sell/webhooks?done=deleted");
    assert_eq!(browser.get(&base).await.status(), 404);
    server.stop().await;
    test.finish().await;
}
