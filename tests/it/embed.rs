//! Links to a checkout, and the buy button on other people's pages.

use crate::web_pages::{hidden, page, send, sign_in};
use mintreu_server::demo;
use mintreu_tests::TestApp;
use reqwest::{Method, StatusCode};
use serde_json::json;

#[tokio::test]
async fn a_button_is_framed_and_speaks_where_its_seller_listed_the_host() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    test.drain().await;
    let server = test.serve().await;
    let (seller, guest) = (server.browser(), server.browser());
    assert_eq!(
        guest.get("/embed/hush").await.status(),
        StatusCode::NOT_FOUND,
        "no host is listed"
    );
    sign_in(&seller, "mara@lichen.example").await;
    let settings = "/sell/embed";
    let (status, _, text) = send(
        &seller,
        settings,
        settings,
        &[("hosts", "https://a.example")],
    )
    .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        text.contains("id=\"hosts-error\"") && text.contains("https://a.example"),
        "{text}"
    );
    let lines = [("hosts", "blog.example\n*.club.example:8443\nlocalhost:3000")];
    assert_eq!(
        send(&seller, settings, settings, &lines).await.0,
        StatusCode::SEE_OTHER
    );

    let framed = guest.get("/embed/hush?origin=https://blog.example").await;
    let policy = framed.headers()["content-security-policy"]
        .to_str()
        .expect("text")
        .to_owned();
    let expected =
        "frame-ancestors https://*.club.example:8443 https://blog.example http://localhost:3000";
    assert!(policy.ends_with(expected), "{policy}");
    assert!(framed.headers().get("x-frame-options").is_none());
    let text = framed.text().await.expect("a body");
    assert!(
        text.contains("data-target=\"https://blog.example\""),
        "{text}"
    );
    assert!(
        text.contains("/buy/hush?") && text.contains("target=\"_top\""),
        "{text}"
    );
    for stranger in [
        "https://evil.example",
        "http://blog.example",
        "https://club.example:8443",
        "",
    ] {
        let text = page(&guest, &format!("/embed/hush?origin={stranger}")).await;
        assert!(text.contains("data-target=\"\""), "{stranger}: {text}");
    }
    // Everything else of the shop is framed by nobody.
    let other = guest.get("/p/hush").await;
    assert_eq!(other.headers()["x-frame-options"], "DENY");
    let script = guest.get("/embed.js").await;
    assert_eq!(
        script.headers()["cross-origin-resource-policy"],
        "cross-origin"
    );
    let (status, answer) = guest.get_json("/v1/embed-hosts").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
    let sent = guest
        .request(Method::PUT, "/v1/embed-hosts")
        .json(&json!({"hosts": ["a.example"]}));
    let refused = sent.send().await.expect("an answer").status();
    assert!(refused.is_client_error(), "{refused}");
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn a_link_fills_the_checkout_in_and_counts_as_the_seller_s_own_traffic() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    test.drain().await;
    let server = test.serve().await;
    let guest = server.browser();
    let link = guest
        .get("/buy/hush?quantity=2&code=A%26b&email=ada@example.org&price=12")
        .await;
    assert_eq!(link.status(), StatusCode::SEE_OTHER);
    let to = link.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let drawn = page(&guest, &to).await;
    for shown in [
        "name=\"from\" value=\"seller\"",
        "value=\"2\"",
        "value=\"ada@example.org\"",
        "Pay €98.00",
    ] {
        assert!(drawn.contains(shown), "{shown}: {drawn}");
    }
    let plain = page(&guest, "/checkout/hush").await;
    assert!(!plain.contains("name=\"from\""), "nobody's link led here");
    for (path, part) in [("/checkout/hush?from=seller", 490), ("/checkout/hush", 980)] {
        let drawn = page(&guest, path).await;
        let (price, quote) = (hidden(&drawn, "price"), hidden(&drawn, "quote"));
        let from = if path.contains("from") { "seller" } else { "" };
        let form = [
            ("price", price.as_str()),
            ("quote", &quote),
            ("waiver", "yes"),
            ("email", "ada@example.org"),
            ("from", from),
        ];
        let (status, _, text) = send(&guest, path, "/checkout/hush", &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let newest = test.app.store.read(|tx| {
            let sql =
                "SELECT platform_fee_minor FROM order_line ORDER BY order_line_id DESC LIMIT 1";
            let row = tx.query_one(sql, &[])?;
            row.map(|row| row.int("platform_fee_minor")).transpose()
        });
        let fee = newest.await.expect("reads").expect("reads");
        assert_eq!(fee, Some(part), "{path}");
        test.clock.advance(1);
    }
    server.stop().await;
    test.finish().await;
}
