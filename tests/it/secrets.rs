//! No secret leaves by a side door: not in a log, not in a problem, not in the wrong mail, not in
//! what a debugger prints.

use crate::shop::{check_out, choose, shop};
use mintreu_server::notify::MailOptions;
use mintreu_tests::{Browser, TestApp, source};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

const PASSWORD: &str = "a hare 7f3a under the moon";
const WRONG: &str = "a lynx 51c0 in the wrong place";
const CARD: &str = "4000000000009995";
const CARD_IN_GROUPS: &str = "4000 0000 0000 9995";
const OF_MAILER: &str = "a stoat 90d2 carries letters";
const OF_DATABASE: &str = "a vole 3be8 keeps rows";

/// Everything that any test of this program logs, once it was asked for.
#[derive(Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listening() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let log = LOG.get_or_init(|| {
            let log = Self(Arc::default());
            let writer = log.clone();
            let all = Targets::new()
                .with_default(LevelFilter::DEBUG)
                .with_target("mintreu", LevelFilter::TRACE)
                .with_target("mintreu_server", LevelFilter::TRACE);
            let layer = tracing_subscriber::fmt::layer()
                .with_ansi(false)
                .with_writer(move || writer.clone());
            let set = tracing_subscriber::registry().with(all).with(layer);
            tracing::subscriber::set_global_default(set).expect("nobody else listens");
            log
        });
        log.clone()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("the log")).into_owned()
    }
}

/// Those of the secrets that a text holds.
fn found<'a>(text: &str, secrets: &'a [String]) -> Vec<&'a str> {
    let held = secrets
        .iter()
        .filter(|secret| text.contains(secret.as_str()));
    held.map(String::as_str).collect()
}

/// What goes wrong with a secret in hand; the answers.
async fn stumble(guest: &Browser, order: &str, token: &str) -> Vec<(String, Value)> {
    let mut problems = Vec::new();
    for (path, body) in [
        (
            "/v1/accounts",
            json!({"email": "ada", "name": "Ada", "password": PASSWORD}),
        ),
        (
            "/v1/accounts",
            json!({"email": "a@b.example", "name": 1, "password": PASSWORD}),
        ),
        (
            "/v1/accounts",
            json!({"email": "a@b.example", "name": "A", "password": [PASSWORD]}),
        ),
        (
            "/v1/accounts",
            json!({"email": "a@b.example", "name": "A", "pass": PASSWORD}),
        ),
        (
            "/v1/sessions",
            json!({"email": "ada@buyer.example", "password": WRONG}),
        ),
        (
            "/v1/sessions",
            json!({"email": "ada@buyer.example", "passwort": WRONG}),
        ),
        (
            "/v1/checkouts",
            json!({"price_id": CARD, "amount_minor": 1, "currency": "EUR"}),
        ),
        (
            "/v1/checkouts",
            json!({"price_id": "x", "card": CARD, "amount_minor": 1}),
        ),
        (
            "/v1/payments/webhooks/sandbox",
            json!({"id": "x", "card": CARD, "token": token}),
        ),
        (
            "/v1/webhook-endpoints",
            json!({"url": format!("https://u:{OF_MAILER}@example.org/"), "events": []}),
        ),
    ] {
        let (status, problem) = guest.post_json(path, &body).await;
        assert!(status.is_client_error(), "{path} {status} {problem}");
        problems.push((path.to_owned(), problem));
    }
    let wrong = format!("/v1/orders/{order}?token={}", token.replace('0', "1"));
    for path in [
        wrong.as_str(),
        "/v1/orders/ord_none?token=a%20lynx%2051c0%20in%20the%20wrong%20place",
        "/v1/subscriptions",
    ] {
        let bearer = format!("Bearer {token}");
        let request = guest
            .request(Method::GET, path)
            .header("authorization", bearer);
        let answer = request.send().await.expect("an answer");
        let text = answer.text().await.expect("a text");
        let problem = serde_json::from_str(&text).unwrap_or(Value::String(text));
        problems.push((path.split('?').next().unwrap_or(path).to_owned(), problem));
    }
    problems
}

#[tokio::test]
async fn secrets_stay_where_they_belong() {
    let log = Log::listening();
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let ada = server.browser();
        let body = json!({"email": "ada@buyer.example", "name": "Ada", "password": PASSWORD});
        let (made, account) = ada.post_json("/v1/accounts", &body).await;
        assert_eq!(made, 201, "{account}");
        let body = json!({"email": "ada@buyer.example", "password": PASSWORD});
        let (_, session) = ada.post_json("/v1/sessions", &body).await;
        let guest = server.browser();
        let order = check_out(&guest, &shop).await;
        choose(&guest, &order, "insufficient_funds").await;
        test.drain().await;
        let again = check_out(&guest, &shop).await;
        choose(&guest, &again, "succeed").await;
        test.drain().await;
        let problems = stumble(&guest, &order.order, &order.token).await;
        test.drain().await;

        let of_hooks = test.app.config.payments.webhook_secret.reveal().to_owned();
        let mut secrets: Vec<String> = [PASSWORD, WRONG, CARD, CARD_IN_GROUPS, OF_MAILER]
            .map(str::to_owned)
            .into();
        secrets.push(of_hooks);
        secrets.push(order.token.clone());
        secrets.extend(session["token"].as_str().map(str::to_owned));
        for (path, problem) in &problems {
            let held = found(&problem.to_string(), &secrets);
            assert_eq!(held, Vec::<&str>::new(), "{path}: {problem}");
        }
        assert_eq!(found(&log.text(), &secrets), Vec::<&str>::new(), "the log");
        // An order's token is in the mail of its buyer alone; nothing else is in any.
        for mail in test.mails() {
            let held = found(&mail, &secrets);
            let own = mail.contains("To: guest@example.org");
            let others = held.iter().filter(|held| !own || **held != order.token);
            assert_eq!(others.count(), 0, "{mail}");
        }
        let config = format!("{:?}", test.app.config);
        assert_eq!(found(&config, &secrets), Vec::<&str>::new(), "{config}");
        server.stop().await;
    })
    .await;
    // The ears work: what is said is heard.
    tracing::warn!(password = PASSWORD, "a mistake made on purpose");
    let secrets = [PASSWORD.to_owned()];
    assert_eq!(found(&log.text(), &secrets), [PASSWORD]);
}

#[test]
fn settings_print_without_their_secrets() {
    let mail = MailOptions {
        url: format!("smtp://user:{OF_MAILER}@host"),
        from: "Shop <shop@shop.example>".to_owned(),
        base_url: "https://shop.example".to_owned(),
    };
    let mut config = mintreu_server::config::Config::defaults();
    config.database.url = format!("postgres://user:{OF_DATABASE}@host/db");
    let printed = format!("{mail:?} {config:?}");
    let secrets = [OF_MAILER.to_owned(), OF_DATABASE.to_owned()];
    assert_eq!(found(&printed, &secrets), Vec::<&str>::new(), "{printed}");
    assert!(printed.contains("shop.example"), "something is printed");
}

/// Types that print themselves field by field and have a field that is a secret in the clear.
fn tellers(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("#[derive(").skip(1) {
        let Some((derived, rest)) = part.split_once(")]") else {
            continue;
        };
        let Some((_, body)) = rest.split_once("struct ") else {
            continue;
        };
        let head: String = rest.chars().take(rest.len() - body.len()).collect();
        let ends = body.find("\n}").unwrap_or(0);
        if body.find(';') < body.find('{') && body.contains(';') {
            // One without named fields.
            continue;
        }
        if !derived.contains("Debug") || head.contains("#[derive") || head.contains(['{', ';']) {
            continue;
        }
        let name = body.split([' ', '<', '(', '{']).next().unwrap_or_default();
        for line in body[..ends].lines() {
            let line = line.trim().trim_start_matches("pub ");
            let Some((field, kind)) = line.split_once(": ") else {
                continue;
            };
            let secret = ["password", "secret", "token"].contains(&field);
            if secret && (kind.contains("String") || kind.contains("str,")) {
                found.push(format!("{name}.{field}"));
            }
        }
    }
    found
}

#[test]
fn no_type_prints_a_secret_of_its_own() {
    let mut judged = 0;
    let mut wrong = Vec::new();
    for file in source::server_files() {
        judged += 1;
        let told = tellers(&file.text);
        wrong.extend(told.into_iter().map(|one| format!("{}: {one}", file.path)));
    }
    assert!(judged > 100, "only {judged} files were judged");
    assert_eq!(wrong, Vec::<String>::new());
    let mistake = "#[derive(Debug, Clone)]\npub struct Door {\n    pub password: String,\n}\n";
    assert_eq!(tellers(mistake), ["Door.password"]);
}
