//! What a check of an API key costs: allowed or not, what is left, and the header fields of its limits.
//!
//! First in a backend's own process, in front of an axum route and beside the route alone: every
//! request takes one unit of its customer's monthly quota and counts it, so that a killed process loses
//! none. `MINTREU_BENCH_REQUESTS` says how many; 200,000 without.
//!
//! Then by the server: `POST /v1/gateway/check` over kept connections, on SQLite. Each answer was a
//! commit on the disk (`synchronous=FULL`) before it went out; the commits of many clients are grouped.
//! Beside it stand the bare route and the gateway in the process, asked by as many clients.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mintreu::Engine;
use mintreu::document::SigningKey;
use mintreu::gateway::{Gateway, Plan};
use mintreu::id::{AccountId, LicenseId, ProductId};
use mintreu::license::Trust;
use mintreu::meter::{Quota, RateLimit, Window};
use mintreu_benches::load::{Served, drive};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::domains::access::{CreateApiKey, create_api_key};
use mintreu_server::domains::accounts::tokens::{MakeToken, make_token};
use mintreu_server::domains::catalog::model::{self, LicenseTerms};
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::licensing::{Grant, LicensingError, issue};
use mintreu_server::store::{Attempt, Tx};
use mintreu_tests::TestApp;
use serde_json::json;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 200;
const CUSTOMERS: usize = 500;
const BODY: &str = "hello, there is something left of what you bought";
const SELLER: AccountId = AccountId::from_bytes(*b"a bench's seller");
const CUSTOMER: AccountId = AccountId::from_bytes(*b"a bench's buyer.");
/// Questions by so many clients at once.
const AT_ONCE: [(usize, usize); 3] = [(1, 2_000), (8, 10_000), (64, 30_000)];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(in_process());
    runtime.block_on(by_server());
}

async fn in_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SigningKey::from_seed(&[1; 32]);
    let trust = Trust::new("acme.api", *key.public()).expect("a trust");
    let engine = Engine::open(folder.path(), trust).expect("an engine");
    let bare = Router::new().route("/hello", get(async || BODY));
    let without = served(bare.clone(), (CLIENTS, requests())).await;
    for (what, rate) in [("quota", None), ("quota and rate", Some("1000000/second"))] {
        let gateway = Arc::new(gateway(engine.clone(), what, rate));
        let guarded = bare.clone().layer(from_fn_with_state(gateway, guard));
        let with = served(guarded, (CLIENTS, requests())).await;
        with.report(&format!("gateway, {what}"), &without, "≥ 0.6, p99 ≤ 5 ms");
    }
    let used: u64 = engine
        .usage()
        .expect("usage")
        .iter()
        .map(|cell| cell.counted)
        .sum();
    // The bench is worth nothing when it measures refusals.
    assert_eq!(used, 2 * requests() as u64, "each request was counted once");
}

fn gateway(engine: Engine, meter: &str, rate: Option<&str>) -> Gateway {
    let meter = meter.replace(' ', ".");
    let gateway = Gateway::new(engine, &meter, [7; 32]).expect("a gateway");
    let quota = Quota::new(1_000_000_000, Window::Month).expect("a quota");
    let plan = Plan {
        quota: Some(quota),
        rate: rate.map(|rate| RateLimit::parse(rate).expect("a rate")),
    };
    gateway.plan("pro", plan).expect("a plan")
}

async fn guard(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let key = request.headers().get("x-api-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or("");
    let answer = match gateway.allow(key, "pro", 1) {
        Ok(answer) if answer.allowed => answer,
        _ => return StatusCode::TOO_MANY_REQUESTS.into_response(),
    };
    let mut response = next.run(request).await;
    for (name, value) in answer.headers.fields() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn requests() -> usize {
    let given = std::env::var("MINTREU_BENCH_REQUESTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(200_000)
}

async fn served(routes: Router, load: (usize, usize)) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let served = drive(address, load, ask).await;
    serving.abort();
    served
}

fn ask(number: usize) -> Vec<u8> {
    let customer = number * 7_919 % CUSTOMERS;
    format!("GET /hello HTTP/1.1\r\nhost: api\r\nx-api-key: key-of-customer-{customer}\r\n\r\n")
        .into_bytes()
}

async fn by_server() {
    let test = TestApp::sqlite().await;
    let (token, keys) = keys(&test).await;
    let server = test.serve().await;
    let keys: Arc<[String]> = keys.into();
    let mut asked = 0;
    for load in AT_ONCE {
        let (token, keys) = (token.clone(), Arc::clone(&keys));
        let question = move |n: usize| question(&token, &keys[n * 7_919 % keys.len()]);
        let checked = drive(server.address, load, question).await;
        asked += load.1;
        let bare = Router::new().route("/hello", get(async || BODY));
        let (clients, many) = (load.0, (load.0, 10 * load.1));
        let what = format!("gateway by the server, {clients} clients");
        checked.report(&what, &served(bare.clone(), many).await, "-");
        let here = served_in_process(bare, many).await;
        println!(
            "{:>58} {:.3} × in the process ({:.0}/s)",
            "",
            checked.rate / here.rate,
            here.rate
        );
    }
    server.stop().await;
    assert_eq!(
        counted(&test).await,
        asked as i64,
        "each question was counted once"
    );
    test.finish().await;
}

async fn served_in_process(bare: Router, load: (usize, usize)) -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let trust = Trust::new("acme.api", *SigningKey::from_seed(&[1; 32]).public());
    let engine = Engine::open(folder.path(), trust.expect("a trust")).expect("an engine");
    let gateway = Arc::new(gateway(engine, "quota", None));
    served(bare.layer(from_fn_with_state(gateway, guard)), load).await
}

fn question(token: &str, key: &str) -> Vec<u8> {
    let body = json!({"key": key, "meter": "calls"}).to_string();
    format!(
        "POST /v1/gateway/check HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// All units that the server counted.
async fn counted(test: &TestApp) -> i64 {
    let sum = "SELECT CAST(SUM(units) AS BIGINT) AS units FROM quota_use";
    let asked = test.app.store.read(move |tx: &mut dyn Tx| {
        let row = tx.query_one(sum, &[])?;
        row.map_or(Ok(0), |row| row.int("units"))
    });
    asked.await.expect("a read").expect("a sum")
}

/// A seller's token, and a key of each customer, whose license has a quota of calls.
async fn keys(test: &TestApp) -> (String, Vec<String>) {
    let app = &test.app;
    let seller = person(test, SELLER, Role::Developer);
    let open: OpenShop = serde_json::from_value(json!({"name": "Acme"})).expect("a shop");
    app.transact(&seller, open, open_shop).await.expect("opens");
    let tools = json!({"path": "tools", "name": "Tools"});
    let tools: AddCategory = serde_json::from_value(tools).expect("a category");
    let added = app.transact(&test.system(), tools, add_category).await;
    added.expect("is added");
    let draft = json!({
        "code": "acme.api", "kind": "api", "name": "Acme API", "summary": "Answers.",
        "categories": ["tools"],
        "prices": [{"model": "metered", "currency": "EUR"}],
        "meters": [{"name": "calls", "unit": "call", "tariff": "EUR per_unit 0.01"}],
    });
    let draft = serde_json::from_value(draft).expect("a draft");
    let made = app.transact(&seller, CreateProduct { draft }, create_product);
    let product = made.await.expect("is written").id;
    let publish = PublishProduct { product };
    let published = app.transact(&seller, publish, publish_product).await;
    published.expect("is published");
    has_account(test).await;
    let name = "backend".to_owned();
    let token = app.transact(&seller, MakeToken { name }, make_token).await;
    let customer = person(test, CUSTOMER, Role::Customer);
    let mut keys = Vec::with_capacity(CUSTOMERS);
    for number in 0..CUSTOMERS {
        let sell = Sell(grant(number, product));
        let license = app.transact(&test.system(), sell, sell_one).await;
        let command = CreateApiKey {
            license: license.expect("a license"),
            name: "CI".to_owned(),
            rate: None,
        };
        let made = app.transact(&customer, command, create_api_key).await;
        keys.push(made.expect("a key").secret.reveal().to_owned());
    }
    (token.expect("a token").secret, keys)
}

fn person(test: &TestApp, account: AccountId, role: Role) -> Caller {
    Caller {
        tenant: test.tenant(),
        account: Some(account),
        roles: vec![role],
    }
}

/// A token is nobody's without its seller's account.
async fn has_account(test: &TestApp) {
    let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name, password_hash,
            created_at)
        VALUES (:account, :tenant, 'seller@example.org', 'seller@example.org', 'A seller', '-', 0)";
    let tenant = test.tenant();
    let insert = move |tx: &mut dyn Tx| {
        let params = [
            ("account", SELLER.as_bytes().into()),
            ("tenant", tenant.as_bytes().into()),
        ];
        Attempt::Commit(tx.execute(sql, &params))
    };
    let inserted = test.app.store.write(Vec::new(), insert).await;
    inserted.expect("a commit").expect("a row");
}

struct Sell(Grant);

impl Command for Sell {
    const NAME: &'static str = "bench.sell";
    const CAPABILITY: Capability = Capability::Operate;
}

fn sell_one(cx: &mut Cx<'_>, Sell(grant): &Sell) -> Result<LicenseId, LicensingError> {
    Ok(issue(cx, grant)?.license.id)
}

fn grant(number: usize, product: ProductId) -> Grant {
    let quota = model::Quota::new("calls", 1_000_000_000, model::Window::Month);
    Grant {
        source: format!("orl_{number}"),
        product,
        product_code: "acme.api".to_owned(),
        seller: SELLER,
        owner: Some(CUSTOMER),
        terms: LicenseTerms {
            quotas: vec![quota],
            ..LicenseTerms::default()
        },
        seats: 1,
        expires_at: None,
        grace_secs: 0,
    }
}
