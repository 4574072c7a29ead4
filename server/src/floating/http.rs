//! The host's few routes: those that devices use, and a page for people.
//!
//! Devices send `application/cose`, and a request that names an `Origin` is a browser's: a web page
//! that somebody on the network looks at can't take seats, under whatever name it finds the host.

use super::host::{Host, Refused, Standing};
use super::page;
use crate::limits::{Limits, Rate};
use crate::problem::Problem;
use crate::serve::{Bounds, guarded, serve};
use crate::wire::RawBody;
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintreu::document::to_armor;
use mintreu::sync::{ACTIVATIONS, CONTENT_TYPE, DEACTIVATIONS, LEASES, SEGMENTS};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

/// What a host takes on at once.
const BOUNDS: Bounds = Bounds {
    connections: 1024,
    requests: 256,
    // The largest request there is.
    body: 16 * 1024,
    patience: Duration::from_secs(10),
};
/// Requests from one address: a terminal server's many devices at once, then ten a second.
const RATE: Rate = Rate {
    burst: 120,
    refill_ms: 100,
};
/// Addresses whose rate is remembered.
const BUCKETS: u64 = 10_000;
/// How often leases are ended and the time is kept.
const TICK: Duration = Duration::from_secs(15);
/// The look of every Mintreu page.
const STYLE: &str = include_str!("../../assets/site.css");

/// Who may see the page and the figures.
#[derive(Clone, Default)]
pub struct Access {
    /// What they must show; nothing when absent.
    pub token: Option<String>,
}

struct Face {
    host: Arc<Host>,
    limits: Limits,
    access: Access,
}

/// Serves devices and people on `listener` until `shutdown`.
pub async fn run(
    host: Arc<Host>,
    access: Access,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) {
    let ticking = tokio::spawn(tick(host.clone()));
    let face = Arc::new(Face {
        host: host.clone(),
        limits: Limits::new(BUCKETS),
        access,
    });
    serve(BOUNDS, guarded(BOUNDS, routes(face)), listener, shutdown).await;
    ticking.abort();
    if let Err(error) = blocking(move || host.tick()).await {
        tracing::error!(code = error.code, "the time could not be kept");
    }
}

async fn tick(host: Arc<Host>) {
    loop {
        tokio::time::sleep(TICK).await;
        let host = host.clone();
        if let Err(error) = blocking(move || host.tick()).await {
            tracing::error!(code = error.code, "leases could not be ended");
        }
    }
}

fn routes(face: Arc<Face>) -> Router {
    let people = Router::new()
        .route("/", get(show_page))
        .route("/status", get(show_status))
        .route("/metrics", get(show_metrics))
        .layer(from_fn_with_state(face.clone(), only_with_token));
    Router::new()
        .route(ACTIVATIONS, post(post_activation))
        .route(DEACTIVATIONS, post(post_deactivation))
        .route(SEGMENTS, post(usage))
        .route(LEASES, post(usage))
        .route("/license", get(show_license))
        .layer(from_fn_with_state(face.clone(), not_too_fast))
        .merge(people)
        .route("/health", get(async || "ok\n"))
        .route("/style.css", get(style))
        .fallback(nothing)
        .layer(axum::middleware::map_response(secured))
        .with_state(face)
}

/// What each answer says to browsers: no scripts, nothing from elsewhere, nothing kept.
async fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let said = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in said {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn not_too_fast(
    State(face): State<Arc<Face>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let client = peer.ip().to_string();
    let taken = face
        .limits
        .take("floating", &client, RATE, face.host.running());
    match taken {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            let detail = format!("Too many requests; try again in {seconds} s.");
            let problem = Problem::new(429, "too_many_requests", detail);
            problem.after(seconds).into_response()
        }
    }
}

/// The token as a bearer's, or as the password of whatever name a browser asked for.
async fn only_with_token(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let allowed = match &face.access.token {
        None => true,
        Some(token) => given.is_some_and(|given| shows(given, token)),
    };
    if allowed {
        return next.run(request).await;
    }
    let detail = "Show this host's token, as the password of any name.";
    let mut response = Problem::new(401, "token_missing", detail).into_response();
    let ask = HeaderValue::from_static("Basic realm=\"floating seats\", charset=\"UTF-8\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    response
}

fn shows(given: &str, token: &str) -> bool {
    let same = |shown: &[u8]| bool::from(shown.ct_eq(token.as_bytes()));
    if let Some(bearer) = given.strip_prefix("Bearer ") {
        return same(bearer.trim().as_bytes());
    }
    let basic = given
        .strip_prefix("Basic ")
        .map(|text| STANDARD.decode(text.trim()));
    let Some(Ok(pair)) = basic else {
        return false;
    };
    let colon = pair.iter().position(|&byte| byte == b':');
    colon.is_some_and(|colon| same(&pair[colon + 1..]))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::Malformed(_) => Self::new(422, "request_malformed", detail),
            Refused::WrongProduct => Self::new(422, "wrong_product", detail),
            Refused::NotHere => Self::not_found(detail),
            Refused::Exhausted { retry_secs, .. } => {
                Self::new(409, "seats_exhausted", detail).after(retry_secs)
            }
            Refused::NotYours => Self::new(403, "seat_of_another_device", detail),
            Refused::Over(cause) => Self::new(403, cause.code(), detail),
            Refused::Signing(cause) => {
                tracing::error!(%cause, "a document can't be signed");
                Self::internal()
            }
            Refused::Store(cause) => {
                tracing::error!(%cause, "the file of seats");
                let detail = "The host can't write its file of seats now; try again.";
                Self::new(503, "busy", detail).after(1)
            }
        }
    }
}

/// Runs what waits for the disk away from the threads that serve.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(Problem::from),
        Err(error) => {
            tracing::error!(%error, "work on seats ended by a panic");
            Err(Problem::internal())
        }
    }
}

fn only_devices(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::ORIGIN) {
        let detail = "A web page asks for this; only devices may.";
        return Err(Problem::new(403, "origin_foreign", detail));
    }
    let kind = headers.get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes() == CONTENT_TYPE.as_bytes()) {
        return Ok(());
    }
    let detail = "Send the document's bytes as application/cose.";
    Err(Problem::new(415, "content_type_unsupported", detail))
}

async fn post_activation(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Response, Problem> {
    only_devices(&headers)?;
    let host = face.host.clone();
    let answer = blocking(move || host.activate(&body)).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], answer).into_response())
}

async fn post_deactivation(
    State(face): State<Arc<Face>>,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<StatusCode, Problem> {
    only_devices(&headers)?;
    let host = face.host.clone();
    match blocking(move || host.deactivate(&body)).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        // The device keeps its word for the server that lent the seat.
        Err(problem) if problem.status == 404 => {
            let detail = "This host lends no seats of that license; tell the server that does.";
            Err(Problem::new(501, "not_here", detail))
        }
        Err(problem) => Err(problem),
    }
}

/// Usage is the shop's to count, and units are its to lend: a device waits until it meets one.
async fn usage() -> Problem {
    let detail = "This host lends seats and counts no usage; it waits for the seller's server.";
    Problem::new(501, "not_here", detail)
}

async fn standing(face: &Face) -> Result<Standing, Problem> {
    let host = face.host.clone();
    blocking(move || host.standing()).await
}

async fn show_page(State(face): State<Arc<Face>>) -> Result<Html<String>, Problem> {
    let standing = standing(&face).await?;
    let drawn = page::html(&face.host, &standing);
    drawn.map(Html).map_err(|error| {
        tracing::error!(%error, "the page can't be drawn");
        Problem::internal()
    })
}

async fn show_status(State(face): State<Arc<Face>>) -> Result<Response, Problem> {
    let standing = standing(&face).await?;
    Ok(axum::Json(page::status(&face.host, &standing)).into_response())
}

async fn show_metrics(State(face): State<Arc<Face>>) -> Result<Response, Problem> {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let figures = page::metrics(&standing(&face).await?);
    Ok(([(header::CONTENT_TYPE, kind)], figures).into_response())
}

/// The license in armour, for a device that doesn't have it yet: alone it opens nothing.
async fn show_license(State(face): State<Arc<Face>>) -> Result<Response, Problem> {
    let armor = to_armor(face.host.delegation().bundle())?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], armor).into_response())
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

async fn nothing() -> Problem {
    Problem::not_found("There is nothing at this address.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_as_a_bearer_s_or_as_a_password() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        assert!(shows("Bearer secret", "secret"));
        assert!(shows(&basic("anybody:secret"), "secret"));
        assert!(shows(&basic(":with:colons"), "with:colons"));
        for wrong in [
            "",
            "Bearer ",
            "secret",
            "Bearer Secret",
            "Basic %%%",
            "Basic c2VjcmV0",
        ] {
            assert!(!shows(wrong, "secret"), "{wrong}");
        }
        assert!(!shows(&basic("secret:"), "secret"));
    }
}
