//! What a seller's backend is told about a key, over HTTP and under races.

use crate::access_keys::{Keyed, ask, counted, keyed, question};
use axum::http::{HeaderMap, Method, StatusCode};
use mintreu_server::domains::access::{AccessError, Ask, Settle, Settled, check, settle};
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

pub async fn post(
    browser: &Browser,
    token: &str,
    path: &str,
    body: &Value,
) -> (StatusCode, HeaderMap, Value) {
    let request = browser.request(Method::POST, path);
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json");
    let response = request
        .body(body.to_string())
        .send()
        .await
        .expect("an answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.expect("a body");
    (
        status,
        headers,
        serde_json::from_str(&text).unwrap_or_default(),
    )
}

async fn checked(browser: &Browser, keyed: &Keyed, more: Value) -> (StatusCode, HeaderMap, Value) {
    let mut body = json!({"key": keyed.key.secret.reveal(), "meter": "calls"});
    let map = body.as_object_mut().expect("a map");
    map.extend(more.as_object().expect("a map").clone());
    post(browser, &keyed.token, "/v1/gateway/check", &body).await
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).map(|value| value.to_str().expect("text"));
    value.unwrap_or("")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_asks_and_a_retry_counts_once() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 10).await;
        let server = test.serve().await;
        let backend = server.browser();
        let question = json!({"units": 4, "request_id": "r1", "entitlements": ["pro", "none"]});
        let (status, headers, first) = checked(&backend, &keyed, question.clone()).await;
        assert_eq!(status, StatusCode::OK, "{first}");
        assert_eq!(first["remaining"], 6);
        assert_eq!(first["entitlements"], json!({"pro": true}));
        assert_eq!(field(&headers, "ratelimit-policy"), "\"calls\";q=10");
        assert_eq!(field(&headers, "ratelimit"), "\"calls\";r=6;t=57600");
        assert_eq!(field(&headers, "x-ratelimit-remaining"), "6");
        for _ in 0..3 {
            let (status, _, again) = checked(&backend, &keyed, question.clone()).await;
            assert_eq!((status, &again), (StatusCode::OK, &first));
        }
        assert_eq!(
            counted(test, &keyed).await[0].1,
            4,
            "four times asked, once counted"
        );
        let other = json!({"units": 5, "request_id": "r1"});
        let (status, _, told) = checked(&backend, &keyed, other).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (422, &json!("idempotency_key_reused"))
        );
        // Without an id each question counts: the control of the above.
        for left in [5, 4] {
            let (_, _, told) = checked(&backend, &keyed, json!({})).await;
            assert_eq!(told["remaining"], left);
        }
        let (_, _, told) = checked(&backend, &keyed, json!({"dry_run": true, "units": 4})).await;
        assert_eq!(told["remaining"], 4, "only asked");
        let refused = json!({"units": 5, "request_id": "r2"});
        let (status, headers, told) = checked(&backend, &keyed, refused.clone()).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (429, &json!("quota_spent"))
        );
        assert_eq!(
            (&told["allowed"], &told["remaining"]),
            (&json!(false), &json!(4))
        );
        assert_eq!(field(&headers, "content-type"), "application/problem+json");
        assert_eq!(field(&headers, "retry-after"), "57600");
        assert_eq!(counted(test, &keyed).await[0].1, 6);
        // The next day the same question is allowed: a refusal is not kept.
        test.clock.advance(57_600_000);
        let (status, _, told) = checked(&backend, &keyed, refused).await;
        assert_eq!((status.as_u16(), &told["remaining"]), (200, &json!(5)));
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_what_is_asked_is_refused_by_name() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 10).await;
        let server = test.serve().await;
        let backend = server.browser();
        let path = "/v1/gateway/check";
        let body = json!({"key": keyed.key.secret.reveal(), "meter": "calls"});
        let unknown_token =
            mintreu::gateway::Token::new(mintreu::gateway::TokenKind::Seller, [1; 16]);
        for token in [
            "",
            "mts_x",
            unknown_token.reveal(),
            keyed.key.secret.reveal(),
        ] {
            let (status, _, told) = post(&backend, token, path, &body).await;
            assert_eq!(
                (status.as_u16(), &told["code"]),
                (401, &json!("token_invalid"))
            );
        }
        let unknown = mintreu::gateway::Token::new(mintreu::gateway::TokenKind::ApiKey, [1; 16]);
        let cases = [
            (json!({"key": "mtk_nonsense"}), 422, "token_mistyped"),
            (json!({"key": unknown.reveal()}), 404, "api_key_unknown"),
            (json!({"meter": "nonsense"}), 422, "meter_unknown"),
            (json!({"units": -1}), 422, "input_invalid"),
            (json!({"units": i64::MAX}), 422, "input_invalid"),
            (json!({"reserve_secs": 86_401}), 422, "input_invalid"),
            (json!({"request_id": ""}), 422, "input_invalid"),
            (
                json!({"rates": [{"per": "key", "rate": "often"}]}),
                422,
                "rate_invalid",
            ),
        ];
        for (more, status, code) in cases {
            let (got, _, told) = checked(&backend, &keyed, more).await;
            assert_eq!(
                (got.as_u16(), &told["code"]),
                (status, &json!(code)),
                "{told}"
            );
        }
        assert!(counted(test, &keyed).await.is_empty());
        // A meter without a quota is counted without limit.
        let (status, _, told) = checked(&backend, &keyed, json!({"meter": "renders"})).await;
        assert_eq!((status.as_u16(), &told["limit"]), (200, &Value::Null));
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rates_of_key_and_license_are_kept() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 1_000).await;
        let server = test.serve().await;
        let backend = server.browser();
        let rates = json!({"rates": [
            {"per": "key", "rate": "2/minute"}, {"per": "license", "rate": "100/hour"}]});
        for _ in 0..2 {
            assert_eq!(
                checked(&backend, &keyed, rates.clone()).await.0,
                StatusCode::OK
            );
        }
        let (status, headers, told) = checked(&backend, &keyed, rates.clone()).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (429, &json!("rate_limited"))
        );
        assert_eq!(field(&headers, "retry-after"), "30");
        let policies = "\"key\";q=2;w=60, \"license\";q=100;w=3600";
        assert_eq!(field(&headers, "ratelimit-policy"), policies);
        assert_eq!(
            counted(test, &keyed).await[0].1,
            2,
            "what a rate refuses is not counted"
        );
        test.clock.advance(30_000);
        assert_eq!(checked(&backend, &keyed, rates).await.0, StatusCode::OK);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_is_granted_exactly_however_many_ask() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 10).await;
        let secret = keyed.key.secret.reveal();
        let (seller, command) = question(test, &keyed, secret, 1, Ask::Count)
            .await
            .expect("one");
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..25 {
            let (app, seller, command) = (test.app.clone(), seller.clone(), command.clone());
            asked.spawn(async move { app.transact(&seller, command, check).await });
        }
        let answers = asked.join_all().await;
        let granted = answers.iter().filter(|answer| answer.is_ok()).count();
        let refused = |answer: &&Result<_, _>| matches!(answer, Err(AccessError::Refused(_)));
        assert_eq!((granted, answers.iter().filter(refused).count()), (10, 15));
        assert_eq!(counted(test, &keyed).await[0].1, 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reserved_units_are_used_given_back_or_free_again() {
    TestApp::both(async |test| {
        let keyed = keyed(test, 10).await;
        let secret = keyed.key.secret.reveal();
        let reserve = async |units| ask(test, &keyed, secret, units, Ask::Reserve(60)).await;
        let id = |answer: &mintreu_server::domains::access::Checked| {
            let (id, _) = answer.reservation.clone().expect("a reservation");
            id.parse().expect("an id")
        };
        let first = reserve(8).await.expect("held");
        assert_eq!(first.allowance.expect("a quota").remaining, 2);
        assert!(reserve(3).await.is_err(), "held units are nobody else's");
        assert!(counted(test, &keyed).await.is_empty(), "held, not counted");
        let settle_with = async |reservation, units| {
            let command = Settle { reservation, units };
            test.app.transact(&keyed.sold.seller, command, settle).await
        };
        let used = settle_with(id(&first), 5).await.expect("settles");
        assert_eq!((used.counted, used.returned), (5, 3));
        let again: Settled = settle_with(id(&first), 5).await.expect("alike");
        assert_eq!(again, used);
        let otherwise = settle_with(id(&first), 4).await;
        assert!(
            matches!(otherwise, Err(AccessError::SettledOtherwise(5))),
            "{otherwise:?}"
        );
        assert_eq!(counted(test, &keyed).await[0].1, 5);
        let second = reserve(5).await.expect("the rest");
        assert!(reserve(1).await.is_err());
        test.clock.advance(60_000);
        let late = settle_with(id(&second), 1).await;
        assert!(
            matches!(late, Err(AccessError::ReservationOver(_))),
            "{late:?}"
        );
        let third = reserve(5).await.expect("free again");
        let stranger = Settle {
            reservation: id(&third),
            units: 1,
        };
        let refused = test.app.transact(&test.system(), stranger, settle).await;
        assert!(matches!(refused, Err(AccessError::NotFound)), "{refused:?}");
        settle_with(id(&third), 0).await.expect("given back");
        assert_eq!(
            reserve(5)
                .await
                .expect("all five")
                .allowance
                .expect("a quota")
                .remaining,
            0
        );
        assert_eq!(counted(test, &keyed).await[0].1, 5);
    })
    .await;
}
