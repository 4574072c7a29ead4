//! The gateway of a backend in front of an axum route, beside the route alone: API key to allowed,
//! remaining and the header fields of its limits.
//!
//! Every request takes one unit of its customer's monthly quota and counts it, so that a killed process
//! loses none. `MINTREU_BENCH_REQUESTS` says how many; 200,000 without.

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
use mintreu::license::Trust;
use mintreu::meter::{Quota, RateLimit, Window};
use mintreu_benches::load::{Served, drive};

const CLIENTS: usize = 200;
const CUSTOMERS: usize = 500;
const BODY: &str = "hello, there is something left of what you bought";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(compare());
}

async fn compare() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = SigningKey::from_seed(&[1; 32]);
    let trust = Trust::new("acme.api", *key.public()).expect("a trust");
    let engine = Engine::open(folder.path(), trust).expect("an engine");
    let bare = Router::new().route("/hello", get(async || BODY));
    let without = served(bare.clone()).await;
    for (what, rate) in [("quota", None), ("quota and rate", Some("1000000/second"))] {
        let gateway = Arc::new(gateway(engine.clone(), what, rate));
        let guarded = bare.clone().layer(from_fn_with_state(gateway, guard));
        let with = served(guarded).await;
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

async fn served(routes: Router) -> Served {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let served = drive(address, (CLIENTS, requests()), ask).await;
    serving.abort();
    served
}

fn ask(number: usize) -> Vec<u8> {
    let customer = number * 7_919 % CUSTOMERS;
    format!("GET /hello HTTP/1.1\r\nhost: api\r\nx-api-key: key-of-customer-{customer}\r\n\r\n")
        .into_bytes()
}
