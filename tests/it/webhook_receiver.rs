//! A seller's server that keeps what it is told and answers as it is bidden.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// One delivery, as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).expect("the header");
        value.to_str().expect("text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

struct Shared {
    received: Vec<Received>,
    status: u16,
    headers: Vec<(String, String)>,
}

/// It listens on this machine until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared {
            received: Vec::new(),
            status: 200,
            headers: Vec::new(),
        }));
        let routes = axum::Router::new()
            .fallback(keep)
            .with_state(shared.clone());
        let serving = tokio::spawn(async move {
            axum::serve(listener, routes).await.expect("serves");
        });
        Self {
            address,
            shared,
            serving,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on every answer is this.
    pub fn answer_always(&self, status: u16, headers: &[(&str, &str)]) {
        let mut shared = self.shared.lock().expect("no panic");
        shared.status = status;
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        shared.headers = headers.iter().map(owned).collect();
    }

    /// What arrived since it was last asked.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.lock().expect("no panic").received)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn keep(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let mut shared = shared.lock().expect("no panic");
    shared.received.push(Received {
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(bytes.to_vec()).expect("text"),
    });
    let status = StatusCode::from_u16(shared.status).expect("a status");
    let mut answer = (status, format!("answered {}", shared.status)).into_response();
    for (name, value) in &shared.headers {
        let name: HeaderName = name.parse().expect("a header");
        answer
            .headers_mut()
            .insert(name, value.parse().expect("a value"));
    }
    answer
}
