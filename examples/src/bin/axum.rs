//! An API of axum whose customers have keys, limits and a bill; it plays its customers too.
//!
//! `cargo run -p mintreu-examples --bin axum`; with `serve` it only listens.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mintreu::Engine;
use mintreu::gateway::{Answer, Gateway, Plan};
use mintreu::meter::{Quota, RateLimit, RateLimitHeaders, Window};
use mintreu_examples::Vendor;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Where a program of yours asks its database: whose key is this, and what did they buy?
fn plan_of(key: &str) -> Option<&'static str> {
    match key {
        "key-of-ada" => Some("free"),
        "key-of-bob" => Some("pro"),
        _ => None,
    }
}

fn gateway(engine: Engine) -> mintreu::Result<Gateway> {
    let free = Plan {
        quota: Some(Quota::new(3, Window::Day)?),
        rate: Some(RateLimit::parse("20/second")?),
    };
    let pro = Plan {
        quota: Some(Quota::new(1_000_000, Window::Month)?),
        rate: None,
    };
    // A real program keeps this secret where it keeps others.
    let gateway = Gateway::new(engine, "api.calls", [7; 32])?;
    gateway.plan("free", free)?.plan("pro", pro)
}

/// Lets a request on with its limits' header fields, or answers 401 or 429 with them.
async fn guard(State(gateway): State<Arc<Gateway>>, mut request: Request, next: Next) -> Response {
    let key = request.headers().get("x-api-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or("");
    let Some(plan) = plan_of(key) else {
        return refuse(StatusCode::UNAUTHORIZED, "api_key_unknown");
    };
    let answer = match gateway.allow(key, plan, 1) {
        Ok(answer) => answer,
        Err(error) => return refuse(StatusCode::SERVICE_UNAVAILABLE, error.code()),
    };
    let fields = answer.headers.clone();
    let mut response = match answer.allowed {
        true => {
            request.extensions_mut().insert(Arc::new(answer));
            next.run(request).await
        }
        false => refuse(StatusCode::TOO_MANY_REQUESTS, answer.code),
    };
    tell(&mut response, &fields);
    response
}

fn tell(response: &mut Response, fields: &RateLimitHeaders) {
    for (name, value) in fields.fields() {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "{{\"type\":\"urn:mintreu:problem:{code}\",\"status\":{},\"code\":\"{code}\"}}",
        status.as_u16()
    );
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body).into_response()
}

async fn hello(request: Request) -> String {
    let answer = request.extensions().get::<Arc<Answer>>();
    let left = answer.and_then(|answer| answer.remaining);
    format!("hello, {left:?} left")
}

/// One request of a customer: the head and the body of what was answered.
async fn ask(listener: &std::net::SocketAddr, key: &str) -> Fallible<String> {
    let mut stream = TcpStream::connect(listener).await?;
    let head = format!(
        "GET /hello HTTP/1.1\r\nHost: api\r\nConnection: close\r\nx-api-key: {key}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut said = String::new();
    stream.read_to_string(&mut said).await?;
    Ok(said)
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::open(folder.path(), Vendor::new()?.trust()?)?;
    let gateway = Arc::new(gateway(engine.clone())?);
    let app = Router::new()
        .route("/hello", get(hello))
        .layer(from_fn_with_state(gateway, guard));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    let serving = async move { axum::serve(listener, app).await };
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return Ok(serving.await?);
    }
    tokio::spawn(serving);
    let asked = [
        "key-of-ada",
        "key-of-ada",
        "key-of-ada",
        "key-of-ada",
        "key-of-bob",
        "a guess",
    ];
    for key in asked {
        let said = ask(&address, key).await?;
        let told = |name: &str| {
            said.lines()
                .find(|line| line.to_lowercase().starts_with(name))
        };
        let status = said.lines().next().unwrap_or("");
        println!("{key:<12} {status}  {}", told("ratelimit:").unwrap_or(""));
        if let Some(wait) = told("retry-after:") {
            println!("{:12} {wait}", "");
        }
    }
    // What was counted goes to the server with `next_request`; see the guide to syncing.
    for cell in engine.usage()? {
        println!("counted {} {}", cell.key.subject_id(), cell.counted);
    }
    Ok(())
}
