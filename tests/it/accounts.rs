//! People sign up, in and out over HTTP, on both engines.

use mintreu_server::domains::accounts::{MakeAdminLink, make_admin_link};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PASSWORD: &str = "a tame raven sings";

async fn sign_up(browser: &Browser, email: &str) -> (StatusCode, Value) {
    let body = json!({ "email": email, "name": "Ada", "password": PASSWORD });
    browser.post_json("/v1/accounts", &body).await
}

async fn sign_in(browser: &Browser, email: &str, password: &str) -> (StatusCode, Value) {
    let body = json!({ "email": email, "password": password });
    browser.post_json("/v1/sessions", &body).await
}

#[tokio::test]
async fn a_session_lives_from_sign_in_to_sign_out() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let ada = server.browser();
        let (status, account) = sign_up(&ada, "Ada@example.org").await;
        assert_eq!(status, 201, "{account}");
        assert_eq!(account["roles"], json!(["customer"]));
        assert_eq!(ada.get_json("/v1/me").await.0, 401);

        let (status, session) = sign_in(&ada, "ada@EXAMPLE.org", PASSWORD).await;
        assert_eq!(status, 201, "{session}");
        let (status, me) = ada.get_json("/v1/me").await;
        assert_eq!(
            (status, &me["email"]),
            (StatusCode::OK, &json!("Ada@example.org"))
        );
        let (_, sessions) = ada.get_json("/v1/sessions").await;
        assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
        assert_eq!(sessions[0]["current"], true);

        let token = session["token"].as_str().unwrap();
        let by_token = || {
            let stranger = server.browser();
            stranger.request(Method::GET, "/v1/me").bearer_auth(token)
        };
        assert_eq!(by_token().send().await.unwrap().status(), 200);
        assert_eq!(
            ada.request(Method::POST, "/v1/me/developer")
                .send()
                .await
                .unwrap()
                .status(),
            204
        );
        assert_eq!(
            ada.get_json("/v1/me").await.1["roles"],
            json!(["customer", "developer"])
        );

        assert_eq!(ada.delete("/v1/sessions").await, 204);
        assert_eq!(by_token().send().await.unwrap().status(), 401);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn wrong_input_is_told_with_a_code() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let ada = server.browser();
        assert_eq!(sign_up(&ada, "ada@example.org").await.0, 201);
        let code = |(status, body): (StatusCode, Value)| {
            (
                status.as_u16(),
                body["code"].as_str().unwrap_or("").to_owned(),
            )
        };
        let expect = |status: u16, text: &str| (status, text.to_owned());
        assert_eq!(
            code(sign_up(&ada, "ADA@example.org").await),
            expect(409, "email_taken")
        );
        assert_eq!(
            code(sign_up(&ada, "nobody").await),
            expect(422, "email_malformed")
        );
        let weak = json!({ "email": "b@example.org", "name": "B", "password": "short" });
        let refused = ada.post_json("/v1/accounts", &weak).await;
        assert_eq!(refused.1["field"], "password");
        assert_eq!(code(refused), expect(422, "password_weak"));
        for (email, password) in [
            ("ada@example.org", "wrong"),
            ("no@example.org", PASSWORD),
            ("x", "y"),
        ] {
            let refused = sign_in(&ada, email, password).await;
            assert_eq!(code(refused), expect(401, "credentials_wrong"), "{email}");
        }
        let post = |body: &'static str, kind: &'static str| {
            let request = ada.request(Method::POST, "/v1/sessions").body(body);
            request.header("content-type", kind).send()
        };
        let mut answers = Vec::new();
        for (body, kind) in [
            ("{", "application/json"),
            ("[]", "application/json"),
            ("{}", "text/plain"),
        ] {
            answers.push(code(
                mintreu_tests::test_server::answer(post(body, kind).await.unwrap()).await,
            ));
        }
        assert_eq!(
            answers,
            [
                expect(400, "json_malformed"),
                expect(400, "json_unexpected"),
                expect(415, "content_type_unsupported")
            ]
        );
        assert_eq!(
            code(ada.get_json("/v1/none").await),
            expect(404, "not_found")
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn guessing_ends_and_starts_again_later() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let ada = server.browser();
        assert_eq!(sign_up(&ada, "ada@example.org").await.0, 201);
        for _ in 0..10 {
            assert_eq!(sign_in(&ada, "ada@example.org", "wrong").await.0, 401);
        }
        let refused = ada.request(Method::POST, "/v1/sessions");
        let body = json!({ "email": "ada@example.org", "password": PASSWORD });
        let refused = refused.json(&body).send().await.unwrap();
        assert_eq!(refused.status(), 429);
        let seconds: u32 = refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        test.clock.advance(seconds * 1000);
        assert_eq!(sign_in(&ada, "ada@example.org", PASSWORD).await.0, 201);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn sessions_end_by_themselves_and_only_one_s_own_can_be_ended() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, eve) = (server.browser(), server.browser());
        for (browser, email) in [(&ada, "ada@example.org"), (&eve, "eve@example.org")] {
            assert_eq!(sign_up(browser, email).await.0, 201);
            assert_eq!(sign_in(browser, email, PASSWORD).await.0, 201);
        }
        let (_, sessions) = ada.get_json("/v1/sessions").await;
        let path = format!(
            "/v1/sessions/{}",
            sessions[0]["session_id"].as_str().unwrap()
        );
        assert_eq!(eve.delete(&path).await, 404);
        assert_eq!(ada.get_json("/v1/me").await.0, 200);
        let two_weeks_ms = 14 * 24 * 60 * 60 * 1000;
        test.clock.advance(two_weeks_ms - 1);
        assert_eq!(ada.get_json("/v1/me").await.0, 200, "used, so alive");
        test.clock.advance(two_weeks_ms - 1);
        assert_eq!(eve.get_json("/v1/me").await.0, 401, "unused for too long");
        assert_eq!(ada.get_json("/v1/me").await.0, 200);
        test.clock.advance(two_weeks_ms - 1);
        assert_eq!(ada.get_json("/v1/me").await.0, 401, "as old as any may be");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn foreign_pages_and_unknown_hosts_are_refused() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let ada = server.browser();
        assert_eq!(sign_up(&ada, "ada@example.org").await.0, 201);
        assert_eq!(sign_in(&ada, "ada@example.org", PASSWORD).await.0, 201);
        let foreign = ada.request(Method::POST, "/v1/me/developer");
        let foreign = foreign
            .header("origin", "https://evil.example")
            .send()
            .await
            .unwrap();
        assert_eq!(foreign.status(), 403);
        let own = ada.request(Method::POST, "/v1/me/developer");
        let own = own.header("origin", &ada.base).send().await.unwrap();
        assert_eq!(own.status(), 204, "the negative control");
        let host = ada
            .request(Method::GET, "/v1/me")
            .header("host", "evil.example");
        assert_eq!(host.send().await.unwrap().status(), 421);
        let page = ada.get("/v1/me").await;
        let headers = page.headers();
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(headers.contains_key("x-request-id"));
        assert!(
            !headers.contains_key("strict-transport-security"),
            "only over HTTPS"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_administrator_is_made_once_by_a_token_that_ends() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, eve) = (server.browser(), server.browser());
        for (browser, email) in [(&ada, "ada@example.org"), (&eve, "eve@example.org")] {
            assert_eq!(sign_up(browser, email).await.0, 201);
            assert_eq!(sign_in(browser, email, PASSWORD).await.0, 201);
        }
        let make = async || {
            let house = test.system();
            let made = test.app.transact(&house, MakeAdminLink, make_admin_link);
            made.await.expect("a token")
        };
        let token = json!({ "token": make().await });
        assert_eq!(
            server.browser().post_json("/v1/me/admin", &token).await.0,
            401
        );
        assert_eq!(ada.post_json("/v1/me/admin", &token).await.0, 204);
        let (_, me) = ada.get_json("/v1/me").await;
        assert_eq!(me["roles"], json!(["customer", "admin"]));
        assert_eq!(eve.post_json("/v1/me/admin", &token).await.0, 410, "used");
        let late = json!({ "token": make().await });
        test.clock.advance(60 * 60 * 1000);
        assert_eq!(eve.post_json("/v1/me/admin", &late).await.0, 410, "ended");
        server.stop().await;
    })
    .await;
}
