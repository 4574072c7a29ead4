//! The accept loop: bounded connections, bounded waiting, and an orderly end.
//!
//! Slow clients can't hold the server: the first byte and each head have a time limit, bodies a
//! size, requests a duration. Work beyond the limit is refused at once with 503 and Retry-After.

use crate::config::ServerConfig;
use crate::problem::Problem;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;

/// How long a new connection may stay silent, in seconds.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// How long a request's head may take, and a kept-alive connection may idle.
const HEAD: Duration = Duration::from_secs(5);
/// How long requests at work may go on after the end was announced.
const GRACE: Duration = Duration::from_secs(10);

/// How much is taken on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Open connections at most.
    pub connections: usize,
    /// Requests at work at most.
    pub requests: usize,
    /// Largest request body in bytes.
    pub body: usize,
    /// How long a request may take.
    pub patience: Duration,
}

impl From<&ServerConfig> for Bounds {
    fn from(config: &ServerConfig) -> Self {
        Self {
            connections: config.max_connections,
            requests: config.max_requests,
            body: config.max_body,
            patience: Duration::from_secs(config.request_timeout),
        }
    }
}

/// Wraps `routes` in what every request goes through, outermost first: a request id, a line in
/// the log, panics turned into 500, shedding, a time limit, and a body limit.
pub fn guarded(bounds: Bounds, routes: Router) -> Router {
    let gate = Gate {
        permits: Arc::new(Semaphore::new(bounds.requests)),
        limit: bounds.patience,
    };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_response(DefaultOnResponse::new().level(Level::DEBUG));
    // One layer made of all: the router would wrap and copy each for itself at every request.
    let around = ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(trace)
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a handler panicked");
            Problem::internal().into_response()
        }))
        .layer(from_fn_with_state(gate, pass))
        .layer(DefaultBodyLimit::max(bounds.body));
    routes.layer(around)
}

/// Paths may hold tokens in their query, so only the path is logged.
fn span(request: &Request) -> tracing::Span {
    let id = request.headers().get("x-request-id");
    let id = id.and_then(|id| id.to_str().ok()).unwrap_or("");
    let (method, path) = (request.method(), request.uri().path());
    tracing::info_span!("request", %method, path, id)
}

#[derive(Clone)]
struct Gate {
    permits: Arc<Semaphore>,
    limit: Duration,
}

async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Ok(_permit) = gate.permits.try_acquire() else {
        let busy = Problem::new(503, "busy", "The service is busy; please try again.");
        return busy.after(1).into_response();
    };
    match tokio::time::timeout(gate.limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(503, "timeout", "This took too long; please try again.")
            .after(5)
            .into_response(),
    }
}

/// Serves `routes` on `listener` until `shutdown`, then lets requests at work finish.
pub async fn serve(
    bounds: Bounds,
    routes: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    let connections = Arc::new(Semaphore::new(bounds.connections));
    let (ending, ended) = watch::channel(false);
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        if let Some((stream, peer, permit)) = accepted {
            open.spawn(attend(stream, peer, permit, routes.clone(), ended.clone()));
        }
    }
    drop(listener);
    ending.send(true).ok();
    let finished = tokio::time::timeout(GRACE, async { while open.join_next().await.is_some() {} });
    if finished.await.is_err() {
        tracing::warn!(connections = open.len(), "connections were cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // Whoever comes beyond the limit waits in the system's queue.
    let permit = connections.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            // Out of file descriptors, mostly: others must close before it helps to go on.
            tracing::warn!(%error, "a connection can't be accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn attend(
    stream: TcpStream,
    peer: SocketAddr,
    _permit: OwnedSemaphorePermit,
    routes: Router,
    mut ended: watch::Receiver<bool>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let first = tokio::select! {
        first = tokio::time::timeout(FIRST_BYTE, stream.readable()) => first,
        _ = ended.changed() => return,
    };
    if !matches!(first, Ok(Ok(()))) {
        return;
    }
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(64 * 1024);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let outcome = tokio::select! {
        outcome = &mut connection => outcome,
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // A client that went away or sent nonsense; hyper has answered what could be answered.
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;

    fn routes(most: usize, limit: Duration) -> Router {
        let gate = Gate {
            permits: Arc::new(Semaphore::new(most)),
            limit,
        };
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            "done"
        };
        Router::new()
            .route("/", get(slow))
            .layer(from_fn_with_state(gate, pass))
    }

    async fn ask(routes: &Router) -> Response {
        let request = Request::new(axum::body::Body::empty());
        routes.clone().oneshot(request).await.expect("infallible")
    }

    #[tokio::test]
    async fn what_is_beyond_the_limit_is_refused_at_once() {
        let routes = routes(2, Duration::from_secs(5));
        let (a, b, c) = tokio::join!(ask(&routes), ask(&routes), ask(&routes));
        let statuses = [
            a.status().as_u16(),
            b.status().as_u16(),
            c.status().as_u16(),
        ];
        assert_eq!(statuses, [200, 200, 503]);
        assert_eq!(c.headers()["retry-after"], "1");
        assert_eq!(ask(&routes).await.status(), 200, "permits come back");
    }

    #[tokio::test]
    async fn what_takes_too_long_is_ended() {
        let routes = routes(2, Duration::from_millis(10));
        assert_eq!(ask(&routes).await.status(), 503);
    }
}
