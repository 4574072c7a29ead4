//! The server under rude clients, and at its end.

use mintreu_server::config::Config;
use mintreu_tests::TestApp;
use reqwest::Method;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn is_closed_within(stream: &mut TcpStream, limit: Duration) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(limit, stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

#[tokio::test]
async fn a_client_that_dribbles_its_head_is_cut_off_and_others_are_served() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        .await
        .unwrap();
    assert!(
        !is_closed_within(&mut slow, Duration::from_millis(500)).await,
        "too early"
    );
    assert_eq!(server.browser().get("/healthz").await.status(), 200);
    assert!(
        is_closed_within(&mut slow, Duration::from_secs(8)).await,
        "still open"
    );
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn large_bodies_and_heads_are_refused() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let most = Config::defaults().server.max_body;
    let request = |bytes: usize| {
        let request = server.browser().request(Method::POST, "/v1/sessions");
        let body = format!("{{\"email\":\"{}\"", "a".repeat(bytes));
        request
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    assert_eq!(request(most).await.unwrap().status(), 413);
    assert_eq!(
        request(1000).await.unwrap().status(),
        400,
        "the negative control"
    );
    let long = server
        .browser()
        .request(Method::GET, "/healthz")
        .header("x-long", "a".repeat(1_000_000));
    let refused = long.send().await;
    assert!(refused.is_err() || refused.is_ok_and(|answer| answer.status() == 431));
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn stopping_waits_for_nobody_who_is_silent() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.browser().get("/healthz").await.status(), 200);
    let stopped = tokio::time::timeout(Duration::from_secs(5), server.stop()).await;
    assert!(stopped.is_ok(), "an idle connection held the server");
    drop(idle);
    test.finish().await;
}

#[tokio::test]
async fn every_route_is_described() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let (status, description) = server.browser().get_json("/openapi.json").await;
    assert_eq!(
        (status.as_u16(), description["openapi"].as_str()),
        (200, Some("3.1.0"))
    );
    let paths = description["paths"].as_object().expect("paths");
    assert!(
        paths.contains_key("/v1/sessions") && paths.contains_key("/v1/accounts"),
        "{paths:?}"
    );
    server.stop().await;
    test.finish().await;
}
