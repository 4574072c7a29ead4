//! A seller's own keys: brought in by CSV, exchanged by people and by devices, hard to guess.

use crate::batch_seller::{Seller, csv_lines, numbers, seller};
use mintreu::activation::RedeemCode;
use mintreu::license::{Status, Trust};
use mintreu::{Engine, Options};
use mintreu_server::store::{Row, Tx};
use mintreu_tests::test_server::answer;
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const KEYS: &str = "SELECT COUNT(*) AS found FROM license_key";
const BATCHES: &str = "SELECT COUNT(*) AS found FROM license_batch";
const STRONG: &str = "38B1460A-51044067-A91D77B8-72934D51";

async fn import(seller: &Seller, query: &str, csv: impl Into<String>) -> (StatusCode, Value) {
    let path = format!("{}/licenses/import{query}", seller.path);
    let request = seller.browser.request(Method::POST, &path);
    let request = request.header("content-type", "text/csv; charset=utf-8");
    let sent = request.body(csv.into()).send().await;
    answer(sent.expect("an answer")).await
}

async fn redeem(browser: &Browser, product: &str, key: &str) -> (u16, Value) {
    let body = json!({ "code": key, "product": product });
    let (status, answer) = browser.post_json("/v1/licenses/redeem", &body).await;
    (status.as_u16(), answer)
}

fn outcomes(report: &Value) -> Vec<(i64, &str, &str)> {
    let rows = report["rows"].as_array().expect("rows").iter();
    rows.map(|one| {
        let line = one["line"].as_i64().expect("a line");
        let outcome = one["outcome"].as_str().expect("an outcome");
        (line, outcome, one["code"].as_str().unwrap_or(""))
    })
    .collect()
}

#[tokio::test]
async fn every_row_is_answered_for_and_the_same_file_changes_nothing() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let acme = seller(test, &server, "acme").await;
        let ours = RedeemCode::new("acme.editor", [9; 10]).to_string();
        let last = if ours.ends_with('7') { "8" } else { "7" };
        let typo = format!("{}{last}", &ours[..22]);
        let file = format!(
            "\u{feff}key;expires;seats;reference\r\n{STRONG};2030-01-01;7;order 1\r\n\
             K7QX2-M9RTD-W3ZHB\r\n{STRONG}\r\nabc\r\n{typo}\r\n{ours}\r\n\
             gXp4TzQ8wLk2;2020-01-01\r\n1234567890\r\n"
        );
        let (status, report) = import(&acme, "?label=old%20shop", &file).await;
        assert_eq!(status, 200, "{report}");
        let expected = [
            (2, "created", ""),
            (3, "created", ""),
            (4, "refused", "duplicate"),
            (5, "refused", "key_too_short"),
            (6, "refused", "code_mistyped"),
            (7, "refused", "key_is_code"),
            (8, "refused", "expired"),
            (9, "refused", "key_weak"),
        ];
        assert_eq!(outcomes(&report), expected);
        let counts = [
            &report["read"],
            &report["created"],
            &report["unchanged"],
            &report["refused"],
        ];
        assert_eq!(counts, [8, 2, 0, 6]);
        assert!(
            !report.to_string().contains(STRONG),
            "a report holds no key"
        );

        let (_, again) = import(&acme, "?label=old%20shop", &file).await;
        assert_eq!(
            (&again["created"], &again["unchanged"], &again["batch_id"]),
            (&json!(0), &json!(2), &Value::Null)
        );
        assert_eq!(
            again["rows"][0]["license_id"],
            report["rows"][0]["license_id"]
        );
        assert_eq!(
            (numbers(test, KEYS).await, numbers(test, BATCHES).await),
            (2, 1)
        );
        // One row more goes to the batch of the same name; the same key of another product is another.
        let more = format!("{file}a-new-one-83kd7s2q\r\n");
        let (_, added) = import(&acme, "?label=old%20shop", &more).await;
        assert_eq!(
            (&added["created"], &added["batch_id"]),
            (&json!(1), &report["batch_id"])
        );
        let other = seller(test, &server, "other").await;
        let (_, theirs) = import(&other, "", format!("key\n{STRONG}\n")).await;
        assert_eq!(theirs["created"], 1);
        assert_ne!(
            theirs["rows"][0]["license_id"],
            report["rows"][0]["license_id"]
        );

        let batch = report["batch_id"].as_str().expect("a batch");
        let file = acme
            .browser
            .request(Method::GET, &format!("/v1/license-batches/{batch}/codes"));
        let file = file
            .header("accept", "text/csv")
            .send()
            .await
            .expect("an answer");
        let lines = csv_lines(&file.text().await.expect("a file"));
        assert_eq!(
            (lines[0].as_str(), lines.len()),
            ("key,license_id,reference", 4)
        );
        assert!(
            lines[1].starts_with(STRONG) && lines[1].ends_with(",order 1"),
            "{lines:?}"
        );
        let license = report["rows"][0]["license_id"].as_str().expect("an id");
        let (_, shown) = acme
            .browser
            .get_json(&format!("/v1/licenses/{license}"))
            .await;
        assert_eq!(
            (&shown["seats"], &shown["expires_at"]),
            (&json!(7), &json!(1_893_456_000_000_i64))
        );
        assert!(!in_the_clear(test).await, "no key is stored in the clear");

        let (status, none) = import(&acme, "", "key,expiry\nsome-long-key-1\n").await;
        assert_eq!(
            (status.as_u16(), &none["code"]),
            (422, &json!("csv_malformed"))
        );
        let rows: String = (0..1001)
            .map(|row| format!("some-key-{row:09}\n"))
            .collect();
        let (status, many) = import(&acme, "", format!("key\n{rows}")).await;
        assert_eq!((status.as_u16(), &many["code"]), (413, &json!("too_large")));
        server.stop().await;
    })
    .await;
}

/// Whether a stored row holds the key as it was given.
async fn in_the_clear(test: &TestApp) -> bool {
    let read = |tx: &mut dyn Tx| tx.query("SELECT key_sealed, key_mac FROM license_key", &[]);
    let rows = test.app.store.read(read).await.expect("a read");
    let rows = rows.expect("rows");
    assert!(rows.len() >= 3);
    let holds = |row: &Row, column: &str| {
        let bytes = row.blob(column).expect("bytes");
        bytes.windows(8).any(|part| part == &STRONG.as_bytes()[..8])
    };
    rows.iter()
        .any(|row| holds(row, "key_sealed") || holds(row, "key_mac"))
}

#[tokio::test]
async fn a_key_is_exchanged_by_people_and_by_a_device() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let acme = seller(test, &server, "acme").await;
        let other = seller(test, &server, "other").await;
        let (_, report) = import(&acme, "", format!("key\n{STRONG}\n")).await;
        let license = &report["rows"][0]["license_id"];
        let customer = server.browser();
        let (status, found) = redeem(&customer, &acme.slug, &format!("  {STRONG}\n")).await;
        assert_eq!((status, &found["license_id"]), (200, license), "{found}");
        let (_, again) = redeem(&customer, &acme.slug, STRONG).await;
        assert_eq!(again["document"], found["document"]);
        let wrong = [
            (
                acme.slug.as_str(),
                STRONG.to_lowercase(),
                404,
                "code_unknown",
            ),
            (&other.slug, STRONG.to_owned(), 404, "code_unknown"),
            ("no-such-product", STRONG.to_owned(), 404, "not_found"),
            (&acme.slug, "abc".to_owned(), 422, "seller_key_malformed"),
        ];
        for (product, key, status, code) in wrong {
            let refused = redeem(&customer, product, &key).await;
            assert_eq!(
                (refused.0, &refused.1["code"]),
                (status, &json!(code)),
                "{product} {key}"
            );
        }
        let alone = json!({ "code": STRONG });
        let (status, alone) = customer.post_json("/v1/licenses/redeem", &alone).await;
        assert_eq!(
            (status.as_u16(), &alone["code"]),
            (422, &json!("code_mistyped"))
        );

        let (_, trust) = acme.browser.get_json(&format!("{}/trust", acme.path)).await;
        let trust: Trust = trust["trust"]
            .as_str()
            .expect("a text")
            .parse()
            .expect("a trust");
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options {
            clock: test.clock.clone(),
            ..Options::default()
        };
        let engine = Engine::open_with(folder.path(), trust, options).expect("opens");
        engine.exchange("A-KEY-that-nobody-has").expect("asks");
        assert_eq!(exchange(&server.browser(), &engine).await, 404);
        assert!(engine.check("export-4k").is_err());
        engine.exchange(STRONG).expect("asks");
        assert_eq!(exchange(&server.browser(), &engine).await, 200);
        assert_eq!(engine.verdict().expect("a verdict").status(), Status::Valid);
        engine.check("export-4k").expect("is granted");
        let (_, shown) = acme
            .browser
            .get_json(&format!(
                "/v1/licenses/{}",
                license.as_str().expect("an id")
            ))
            .await;
        assert_eq!(shown["activations"].as_array().map(Vec::len), Some(1));
        server.stop().await;
    })
    .await;
}

/// Carries one request of the engine to the server and the answer back; the answer's status.
async fn exchange(browser: &Browser, engine: &Engine) -> u16 {
    let request = engine
        .next_request()
        .expect("a request")
        .expect("something to ask");
    let sent = browser.request(Method::POST, &request.path);
    let sent = sent
        .header("content-type", "application/cose")
        .body(request.body.clone());
    let answer = sent.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let body = answer.bytes().await.expect("a body");
    assert_eq!(engine.on_response(status, &body).is_ok(), status == 200);
    status
}

#[tokio::test]
async fn keys_that_can_be_guessed_meet_stricter_limits_and_others_do_not() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let acme = seller(test, &server, "acme").await;
        let strong = seller(test, &server, "strong").await;
        let (_, report) = import(
            &acme,
            "?allow_weak=true",
            format!("key\n7391824605\n{STRONG}\n"),
        )
        .await;
        assert_eq!(report["created"], 2, "{report}");
        let (_, report) = import(&strong, "", format!("key\n{STRONG}\n")).await;
        assert_eq!(report["created"], 1);
        let guesser = server.browser();
        let guess = async |seller: &Seller, number: u32| {
            redeem(&guesser, &seller.slug, &format!("{number:010}"))
                .await
                .0
        };
        for number in 0..5 {
            assert_eq!(guess(&acme, number).await, 404);
            assert_eq!(guess(&strong, number).await, 404);
        }
        // Right or wrong, a guess now has to wait and learns nothing; where all are strong, it doesn't.
        assert_eq!(guess(&acme, 5).await, 429);
        assert_eq!(redeem(&guesser, &acme.slug, "7391824605").await.0, 429);
        assert_eq!(guess(&strong, 5).await, 404);
        assert_eq!(
            redeem(&guesser, &acme.slug, STRONG).await.0,
            200,
            "a strong key never waits"
        );
        test.clock.advance(599_999);
        assert_eq!(redeem(&guesser, &acme.slug, "7391824605").await.0, 429);
        test.clock.advance(1);
        assert_eq!(redeem(&guesser, &acme.slug, "7391824605").await.0, 200);
        assert_eq!(
            redeem(&guesser, &acme.slug, "7391824605").await.0,
            200,
            "being right costs nothing"
        );
        server.stop().await;
    })
    .await;
}
