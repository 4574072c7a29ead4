//! Who gets hold of a copy of the database can't sign in, call, redeem or sign with what is in it.
//!
//! A backup is the database's files, or what PostgreSQL dumps. Every secret that the server ever
//! told somebody is looked for in it: in the files' bytes, freed pages and the log of writes
//! included, and in every column of every table.

use mintreu_server::demo::{self, PASSWORD};
use mintreu_server::domains::accounts::{MakeAdminLink, make_admin_link};
use mintreu_server::store::{Engine, StoreError, Tx};
use mintreu_tests::{Browser, TestApp, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

const OWN_PASSWORD: &str = "a stoat 44f1 over the hill";
/// What is no secret and so must be found: the ears work.
const PLAIN: &str = "guest.of.the.backup@example.org";

async fn post(who: &Browser, path: &str, body: &Value) -> Value {
    let request = who.request(Method::POST, path).json(body);
    let sent = request.header("idempotency-key", path).send().await;
    let (status, answer) = mintreu_tests::test_server::answer(sent.expect("an answer")).await;
    assert!(status.is_success(), "{path} {status} {answer}");
    answer
}

fn told(answer: &Value, name: &str) -> String {
    let text = answer.pointer(name).and_then(Value::as_str);
    text.expect("a secret").to_owned()
}

async fn signed_in(server: &TestServer, email: &str, password: &str) -> (Browser, String) {
    let browser = server.browser();
    let door = json!({"email": email, "password": password});
    let session = post(&browser, "/v1/sessions", &door).await;
    (browser, told(&session, "/token"))
}

/// What a seller is told: a token, a root key's seed, codes, a webhook secret and its successor.
async fn of_the_seller(seller: &Browser) -> Vec<(&'static str, String)> {
    let token = post(seller, "/v1/tokens", &json!({"name": "programs"})).await;
    let root = post(seller, "/v1/keys/root/export", &Value::Null).await;
    let batch = json!({"count": 2, "label": "Two"});
    let codes = post(seller, "/v1/products/mutant/licenses", &batch).await;
    let hook = json!({"url": "http://127.0.0.1:9/", "events": ["order.paid"]});
    let hook = post(seller, "/v1/webhook-endpoints", &hook).await;
    let rotate = format!(
        "/v1/webhook-endpoints/{}/rotate",
        told(&hook, "/webhook_endpoint_id")
    );
    let again = post(seller, &rotate, &Value::Null).await;
    vec![
        ("a seller's token", told(&token, "/token")),
        ("a root key", told(&root, "/seed")),
        ("a code that is redeemed", told(&codes, "/codes/0/code")),
        ("a code that is not", told(&codes, "/codes/1/code")),
        ("a webhook secret", told(&hook, "/secret")),
        ("the next webhook secret", told(&again, "/secret")),
    ]
}

/// What a customer is told who redeems a code: an API key and its successor.
async fn of_the_customer(customer: &Browser, code: &str) -> Vec<(&'static str, String)> {
    let redeemed = post(customer, "/v1/licenses/redeem", &json!({"code": code})).await;
    let keys = format!("/v1/licenses/{}/api-keys", told(&redeemed, "/license_id"));
    let key = post(customer, &keys, &json!({"name": "Backend"})).await;
    let rotate = format!("/v1/api-keys/{}/rotate", told(&key, "/api_key_id"));
    let again = post(customer, &rotate, &json!({})).await;
    vec![
        ("an API key", told(&key, "/secret")),
        ("the next API key", told(&again, "/secret")),
    ]
}

/// The token of a guest's order, which claims it too; it was mailed.
async fn of_a_guest(test: &TestApp, guest: &Browser) -> (&'static str, String) {
    let (_, product) = guest.get_json("/v1/products/lichen-darkroom").await;
    let price = &product["prices"][0];
    let order = json!({
        "price_id": price["price_id"], "amount_minor": price["amount_minor"],
        "currency": price["currency"], "email": PLAIN,
    });
    let started = post(guest, "/v1/checkouts", &order).await;
    let form = [("choice", "succeed")];
    let paid = guest.client.post(told(&started, "/pay_url")).form(&form);
    assert_eq!(paid.send().await.expect("an answer").status(), 303);
    test.drain().await;
    ("an order's token", told(&started, "/token"))
}

/// The database as a backup has it: bytes of files, or rows as PostgreSQL writes them.
pub async fn copied(test: &TestApp) -> Vec<Vec<u8>> {
    if test.engine() == Engine::Sqlite {
        let copy = test.backup();
        let files = std::fs::read_dir(copy.path()).expect("a folder");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(file.expect("a file").path()).expect("bytes")
        };
        return files.map(read).collect();
    }
    let dumped = test.app.store.read(|tx| dump(tx)).await;
    dumped.expect("reads").expect("rows")
}

fn dump(tx: &mut dyn Tx) -> Result<Vec<Vec<u8>>, StoreError> {
    let tables = tx.query(
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables
        WHERE table_schema = current_schema()",
        &[],
    )?;
    let mut rows = Vec::new();
    for table in tables {
        let every = format!(
            "SELECT CAST(t AS TEXT) AS dumped FROM {} t",
            table.text("name")?
        );
        for row in tx.query(&every, &[])? {
            rows.push(row.text("dumped")?.into_bytes());
        }
    }
    Ok(rows)
}

/// Whether a text is in there, as it is or as PostgreSQL writes bytes.
pub fn holds(copy: &[Vec<u8>], text: &str) -> bool {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let wanted = [text.as_bytes(), hex.as_bytes()];
    let within = |part: &Vec<u8>, wanted: &[u8]| part.windows(wanted.len()).any(|at| at == wanted);
    copy.iter()
        .any(|part| wanted.iter().any(|wanted| within(part, wanted)))
}

#[tokio::test]
async fn a_copy_of_the_database_opens_no_door() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        test.drain().await;
        let server = test.serve().await;
        let (seller, session) = signed_in(&server, "hiro@quillcrate.example", PASSWORD).await;
        let mut secrets = of_the_seller(&seller).await;
        secrets.push(("a seller's session", session));
        let (customer, session) = signed_in(&server, "jonas@customer.example", PASSWORD).await;
        secrets.extend(of_the_customer(&customer, &secrets[2].1).await);
        secrets.push(("a customer's session", session));
        secrets.push(of_a_guest(test, &server.browser()).await);
        let account = json!({"email": "new@example.org", "name": "N", "password": OWN_PASSWORD});
        post(&server.browser(), "/v1/accounts", &account).await;
        let (_, session) = signed_in(&server, "new@example.org", OWN_PASSWORD).await;
        secrets.extend([
            ("a session", session),
            ("a password", OWN_PASSWORD.to_owned()),
        ]);
        let house = test.system();
        let made = test.app.transact(&house, MakeAdminLink, make_admin_link);
        secrets.push(("an administrator's link", made.await.expect("a token")));
        let of_hooks = test.app.config.payments.webhook_secret.reveal();
        secrets.push(("the provider's secret", of_hooks.to_owned()));
        test.drain().await;

        let copy = copied(test).await;
        assert!(holds(&copy, PLAIN), "the copy is read");
        let found = secrets.iter().filter(|(_, secret)| holds(&copy, secret));
        let found: Vec<&str> = found.map(|(what, _)| *what).collect();
        assert_eq!(found, Vec::<&str>::new(), "in the clear");
        server.stop().await;
    })
    .await;
}
