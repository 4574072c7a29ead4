//! The country of a buyer's network as evidence for tax: believed of a trusted proxy alone.

use crate::shop::bought;
use crate::taxes::{market, owner, quote};
use mintreu_server::config::Config;
use mintreu_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

const HEADER: &str = "cf-ipcountry";

/// What is kept of a buyer in Germany whose request says a country: the network's, how many pieces
/// there are, and whether they disagree.
async fn kept(test: &TestApp, said: &[&str]) -> Vec<(Value, Value, Value)> {
    let (market, server) = (market(test).await, test.serve().await);
    let (guest, owner) = (server.browser(), owner(test, &server, true).await);
    let mut kept = Vec::new();
    for country in said {
        let quoted = quote(&guest, market.eur, json!({"country": "DE"})).await;
        let body = json!({
            "quote": quoted["quote"], "email": "guest@example.org",
            "accepted": ["withdrawal_waiver"],
        });
        let request = guest.request(Method::POST, "/v1/quotes/confirmations");
        let sent = request.header(HEADER, *country).json(&body).send().await;
        let (status, started) = mintreu_tests::test_server::answer(sent.expect("an answer")).await;
        assert_eq!(status, 201, "{started}");
        let path = format!("/v1/tax/evidence/{}", bought(&started).order);
        let (status, evidence) = owner.get_json(&path).await;
        assert_eq!(status, 200, "{evidence}");
        let of = |name: &str| evidence[name].clone();
        kept.push((of("network_country"), of("pieces"), of("disagrees")));
    }
    server.stop().await;
    kept
}

fn behind_a_proxy(config: &mut Config) {
    config.server.trusted_proxies = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    config.tax.country_header = HEADER.to_owned();
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_a_piece_of_evidence() {
    TestApp::both_with(behind_a_proxy, async |test| {
        // What no country is called, such as Tor's T1 and a proxy's XX, is no piece.
        let kept = kept(test, &["DE", "FR", "XX", "T1", "de", "DEU", ""]).await;
        let none = (Value::Null, json!(1), json!(false));
        let expected = [
            (json!("DE"), json!(2), json!(false)),
            (json!("FR"), json!(2), json!(true)),
            none.clone(),
            none.clone(),
            none.clone(),
            none.clone(),
            none,
        ];
        assert_eq!(kept, expected);
    })
    .await;
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let strangers: [fn(&mut Config); 2] = [
        // The header is known and the proxy isn't.
        |config| config.tax.country_header = HEADER.to_owned(),
        // The proxy is known and says nothing of countries.
        |config| config.server.trusted_proxies = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    ];
    for change in strangers {
        TestApp::both_with(change, async |test| {
            let kept = kept(test, &["FR"]).await;
            assert_eq!(kept, [(Value::Null, json!(1), json!(false))]);
        })
        .await;
    }
}
