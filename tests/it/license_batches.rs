//! Licenses in bulk over HTTP: codes at once and by a job that is killed, and who may see them.

use crate::batch_seller::{Seller, csv_lines, forget_facts, numbers, seller};
use mintreu::activation::RedeemCode;
use mintreu::id::BatchId;
use mintreu_server::domains::licensing::batches::{FillBatch, fill, view};
use mintreu_server::queue::LEASE_MS;
use mintreu_server::worker;
use mintreu_tests::TestApp;
use mintreu_tests::test_server::answer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const LICENSES: &str = "SELECT COUNT(*) AS found FROM license";
/// How far the batch's cursor is ahead of its licenses; in one statement, since what a killed worker
/// began may still be committed.
const AHEAD: &str = "SELECT issued - (SELECT COUNT(*) FROM license) AS found FROM license_batch";
const REVOKED: &str = "SELECT COUNT(*) AS found FROM license WHERE revoked_at IS NOT NULL";
const PLACES: &str = "SELECT COUNT(*) AS found FROM license_batch_item";
const OPENED: &str = "SELECT COUNT(*) AS found FROM audit WHERE command = 'licensing.open_batch'";

fn distinct(codes: &[&str]) -> usize {
    codes.iter().collect::<BTreeSet<_>>().len()
}

#[tokio::test]
async fn a_thousand_codes_come_at_once_and_only_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let Seller { browser, path, .. } = seller(test, &server, "acme").await;
        let ask = json!({ "count": 1000, "label": "Spring box", "seats": 5 });
        let post = |key: &str, body: &Value| {
            let request = browser.request(Method::POST, &format!("{path}/licenses"));
            request.header("idempotency-key", key.to_owned()).json(body)
        };
        let sent = post("one", &ask).send().await.expect("an answer");
        assert_eq!(sent.headers()["cache-control"], "no-store");
        let (status, first) = answer(sent).await;
        assert_eq!(status, 201, "{first}");
        assert_eq!(first["batch"]["state"], "done");
        let codes: Vec<&str> = list(&first);
        assert_eq!((codes.len(), distinct(&codes)), (1000, 1000));
        for code in &codes {
            let code: RedeemCode = code.parse().expect("a code");
            assert_eq!(code.hint(), "ACM");
        }
        // The same call again is the same batch; as a file it holds the same codes.
        forget_facts(test).await;
        let again = post("one", &ask).send().await.expect("an answer");
        assert_eq!(list(&answer(again).await.1), codes);
        let file = post("one", &ask).header("accept", "text/csv");
        let file = file.send().await.expect("an answer");
        assert_eq!(file.headers()["cache-control"], "no-store");
        let lines = csv_lines(&file.text().await.expect("a file"));
        assert_eq!((lines[0].as_str(), lines.len()), ("code,license_id", 1001));
        assert!(
            lines[1..]
                .iter()
                .zip(&codes)
                .all(|(line, code)| line.starts_with(code))
        );
        assert_eq!(numbers(test, LICENSES).await, 1000);
        assert_eq!(numbers(test, OPENED).await, 3, "each look is written down");

        let other = post("one", &json!({ "count": 1 }))
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer(other).await.1["code"], "idempotency_key_reused");
        let bare = browser.post_json(&format!("{path}/licenses"), &ask).await;
        assert_eq!(bare.1["code"], "idempotency_key_missing");
        for (body, field) in [
            (json!({ "count": 0 }), "count"),
            (json!({ "count": 100_001 }), "count"),
            (json!({ "count": 1, "seats": 0 }), "seats"),
            (json!({ "count": 1, "expires_at": 1 }), "expires"),
            (json!({ "count": 1, "label": "x".repeat(81) }), "label"),
        ] {
            let refused = post("two", &body).send().await.expect("an answer");
            let (status, problem) = answer(refused).await;
            assert_eq!(status, 422, "{problem}");
            assert_eq!(
                (&problem["code"], &problem["field"]),
                (&json!("input_invalid"), &json!(field))
            );
        }
        assert_eq!(
            numbers(test, LICENSES).await,
            1000,
            "what is refused issues nothing"
        );

        // A code is exchanged for the very same document each time, forgiving how it is typed.
        let guest = server.browser();
        let redeem = async |typed: String| {
            guest
                .post_json("/v1/licenses/redeem", &json!({ "code": typed }))
                .await
        };
        let (status, license) = redeem(codes[7].to_owned()).await;
        assert_eq!(
            (status, &license["seats"]),
            (StatusCode::OK, &json!(5)),
            "{license}"
        );
        let again = redeem(format!(" {} ", codes[7].to_lowercase().replace('-', " ")))
            .await
            .1;
        assert_eq!(
            (&again["license_id"], &again["document"]),
            (&license["license_id"], &license["document"])
        );
        let last = if codes[7].ends_with('7') { "8" } else { "7" };
        let (status, typo) = redeem(format!("{}{last}", &codes[7][..22])).await;
        assert_eq!(
            (status.as_u16(), &typo["code"]),
            (422, &json!("code_mistyped"))
        );
        server.stop().await;
    })
    .await;
}

fn list(answer: &Value) -> Vec<&str> {
    let codes = answer["codes"].as_array().expect("codes");
    codes
        .iter()
        .map(|one| one["code"].as_str().expect("a code"))
        .collect()
}

/// Runs the worker and kills it after a moment, until `done` says that it is enough.
async fn killing(test: &TestApp, mut done: impl AsyncFnMut() -> bool) -> usize {
    let mut kills = 0;
    let mut patience = Duration::from_millis(200);
    while !done().await {
        let (app, table) = (test.app.clone(), Arc::new(worker::table()));
        let working = tokio::spawn(async move { worker::drain(&app, &table).await.map(drop) });
        tokio::time::sleep(patience).await;
        patience += Duration::from_millis(100);
        kills += usize::from(!working.is_finished());
        working.abort();
        // What it held is free again once its lease is over.
        let lease = u32::try_from(LEASE_MS).expect("a minute");
        test.clock.advance(lease + 1);
        forget_facts(test).await;
        assert!(kills < 1_000, "it gets nowhere");
    }
    kills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_batch_whose_worker_is_killed_has_exactly_its_licenses() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let Seller {
            browser,
            path,
            caller,
            ..
        } = seller(test, &server, "acme").await;
        let ask = json!({ "count": 3500, "label": "Resellers" });
        let request = browser.request(Method::POST, &format!("{path}/licenses"));
        let sent = request
            .header("idempotency-key", "one")
            .json(&ask)
            .send()
            .await;
        let (status, begun) = answer(sent.expect("an answer")).await;
        assert_eq!(
            (status, begun["codes"].as_array().map(Vec::len)),
            (StatusCode::ACCEPTED, Some(0))
        );
        let batch = format!(
            "/v1/license-batches/{}",
            begun["batch"]["batch_id"].as_str().expect("an id")
        );
        let id: BatchId = begun["batch"]["batch_id"]
            .as_str()
            .expect("an id")
            .parse()
            .expect("an id");
        let mut seen = BTreeSet::new();
        let kills = killing(test, async || {
            assert_eq!(
                numbers(test, AHEAD).await,
                0,
                "the cursor moves with the rows"
            );
            let found = test.app.read(&caller, id, view).await;
            let issued = found.expect("the batch").issued;
            seen.insert(issued);
            issued == 3500
        })
        .await;
        assert!(
            kills > 0 && seen.len() > 2,
            "{kills} kills, seen at {seen:?}"
        );
        test.drain().await;
        assert_eq!(numbers(test, LICENSES).await, 3500);
        assert_eq!(numbers(test, PLACES).await, 3500);
        let (_, shown) = browser.get_json(&batch).await;
        assert_eq!(
            (&shown["state"], &shown["issued"]),
            (&json!("done"), &json!(3500))
        );
        let file = browser.request(Method::GET, &format!("{batch}/codes"));
        let file = file
            .header("accept", "text/csv")
            .send()
            .await
            .expect("an answer");
        let lines = csv_lines(&file.text().await.expect("a file"));
        let codes: Vec<&str> = lines[1..]
            .iter()
            .filter_map(|line| line.split(',').next())
            .collect();
        assert_eq!((codes.len(), distinct(&codes)), (3500, 3500));
        let (_, page) = browser.get_json(&format!("{batch}/codes?after=3400")).await;
        assert_eq!((list(&page).len(), &page["next"]), (100, &Value::Null));
        let (_, page) = browser.get_json(&format!("{batch}/codes?limit=10")).await;
        assert_eq!((list(&page).len(), &page["next"]), (10, &json!(10)));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_its_seller_s_alone_and_is_withdrawn_whole() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let acme = seller(test, &server, "acme").await;
        let other = seller(test, &server, "other").await;
        let guest = server.browser();
        let issue = async |count: i64, key: &str| {
            let request = acme
                .browser
                .request(Method::POST, &format!("{}/licenses", acme.path));
            let body = json!({ "count": count, "label": key });
            let sent = request
                .header("idempotency-key", key)
                .json(&body)
                .send()
                .await;
            answer(sent.expect("an answer")).await.1
        };
        let few = issue(3, "few").await;
        let code = list(&few)[1].to_owned();
        let batch = format!(
            "/v1/license-batches/{}",
            few["batch"]["batch_id"].as_str().expect("an id")
        );
        let reason = json!({ "reason": "stolen" });
        for stranger in [&other.browser, &guest] {
            assert_eq!(stranger.get_json(&batch).await.0, 404);
            assert_ne!(stranger.get(&format!("{batch}/codes")).await.status(), 200);
            let list = format!("{}/license-batches", acme.path);
            assert_eq!(stranger.get_json(&list).await.0, 404);
            let revoked = stranger
                .post_json(&format!("{batch}/revoke"), &reason)
                .await;
            assert!(matches!(revoked.0.as_u16(), 401 | 404), "{revoked:?}");
            let issue = stranger.request(Method::POST, &format!("{}/licenses", acme.path));
            let issue = issue
                .header("idempotency-key", "x")
                .json(&json!({ "count": 1 }));
            let (status, _) = answer(issue.send().await.expect("an answer")).await;
            assert!(matches!(status.as_u16(), 401 | 404), "{status}");
            let import = stranger.request(Method::POST, &format!("{}/licenses/import", acme.path));
            let import = import
                .header("content-type", "text/csv")
                .body("key\nsome-long-key-8231\n");
            let (status, _) = answer(import.send().await.expect("an answer")).await;
            assert!(matches!(status.as_u16(), 401 | 404), "{status}");
        }
        test.drain().await;
        assert_eq!(numbers(test, REVOKED).await, 0);
        let redeem = json!({ "code": code });
        assert_eq!(guest.post_json("/v1/licenses/redeem", &redeem).await.0, 200);

        // One that is still being issued stops where it is.
        test.clock.advance(1);
        let many = issue(3000, "many").await;
        let id = many["batch"]["batch_id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let command = FillBatch {
            batch: id.parse().expect("an id"),
        };
        let filled = test.app.transact(&acme.caller, command, fill).await;
        assert_eq!(filled.expect("a chunk").issued, 500);
        for batch in [batch.clone(), format!("/v1/license-batches/{id}")] {
            for _ in 0..2 {
                let (status, _) = acme
                    .browser
                    .post_json(&format!("{batch}/revoke"), &reason)
                    .await;
                assert_eq!(status, 202);
            }
        }
        test.drain().await;
        let (_, shown) = acme
            .browser
            .get_json(&format!("/v1/license-batches/{id}"))
            .await;
        let counts = (&shown["state"], &shown["issued"], &shown["revoked"]);
        assert_eq!(counts, (&json!("revoked"), &json!(500), &json!(500)));
        assert_eq!(numbers(test, REVOKED).await, 503);
        let (status, problem) = guest.post_json("/v1/licenses/redeem", &redeem).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (403, &json!("license_revoked"))
        );
        let (_, all) = acme
            .browser
            .get_json(&format!("{}/license-batches", acme.path))
            .await;
        let labels: Vec<_> = all["batches"].as_array().expect("batches").iter().collect();
        assert_eq!((labels.len(), &labels[0]["label"]), (2, &json!("many")));
        server.stop().await;
    })
    .await;
}
