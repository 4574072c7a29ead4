//! The middleware around every route: which host, which tenant, who asks.

use crate::app::App;
use crate::caller::Caller;
use crate::domains::accounts::tokens::TOKEN_PREFIX;
use crate::domains::accounts::{self, Session, TouchSession, session_of_token, touch_session};
use crate::domains::tenants;
use crate::problem::Problem;
use crate::wire::cookies::Cookie;
use crate::wire::{Csrf, Visitor, foreign_origin, headers};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::TenantId;
use moka::sync::Cache;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// What the middleware keeps between requests.
pub struct Visits {
    app: Arc<App>,
    tenants: Cache<String, TenantId>,
}

impl Visits {
    /// For an app; who owns a host is looked up once a minute.
    pub fn new(app: Arc<App>) -> Self {
        Self {
            app,
            tenants: Cache::builder()
                .max_capacity(1_000)
                .time_to_live(Duration::from_secs(60))
                .build(),
        }
    }

    async fn tenant(&self, host: &str) -> Result<TenantId, Problem> {
        if let Some(tenant) = self.tenants.get(host) {
            return Ok(tenant);
        }
        let caller = Caller::guest(tenants::DEFAULT);
        let find = tenants::tenant_of_host;
        let query = tenants::OfHost {
            host: host.to_owned(),
        };
        let tenant = self.app.read(&caller, query, find).await?;
        self.tenants.insert(host.to_owned(), tenant);
        Ok(tenant)
    }
}

/// Finds out who asks, and adds the headers that every response has.
pub async fn visit(State(visits): State<Arc<Visits>>, request: Request, next: Next) -> Response {
    let app = &visits.app;
    let (mut parts, body) = request.into_parts();
    let mut response = match recognise(&visits, &parts).await {
        Err(problem) => problem.into_response(),
        Ok((visitor, csrf)) => {
            parts.extensions.insert(visitor);
            let mut response = next.run(Request::from_parts(parts, body)).await;
            if let Some(secret) = csrf.cookie_to_set() {
                let cookie = Cookie::Guest.set(&app.config, secret);
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
    };
    headers::secure(&app.config, response.headers_mut());
    // What a signed-in person sees is nobody else's, whatever lies between.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    response
}

async fn recognise(visits: &Visits, request: &Parts) -> Result<(Visitor, Csrf), Problem> {
    let (app, headers) = (&visits.app, &request.headers);
    let host = asked_host(app, request)?;
    let tenant = visits.tenant(&host).await?;
    let cookie = Cookie::Session.read(&app.config, headers);
    if cookie.is_some() {
        refuse_foreign(request, &host)?;
    }
    // A seller's token is good for the routes that ask for one, and no session.
    let bearer = bearer(headers).filter(|token| !token.starts_with(TOKEN_PREFIX));
    let token = bearer.or(cookie);
    let session = match token {
        Some(token) => living_session(app, tenant, token).await?,
        None => None,
    };
    let csrf = match (token, &session) {
        (Some(token), Some(_)) => Csrf::of_cookie(app, token, false),
        _ => guest_csrf(app, headers),
    };
    let caller = session.as_ref().map(|session| session.caller(tenant));
    let caller = caller.unwrap_or_else(|| Caller::guest(tenant));
    let mut visitor = Visitor::new(caller, client(app, request), csrf.clone());
    if let Some(session) = session {
        visitor.session = Some(session.session_id);
        visitor.name = Some(session.account.name);
    }
    let agent = headers.get(header::USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    visitor.user_agent = agent.unwrap_or_default().to_owned();
    visitor.country = network_country(app, request);
    Ok((visitor, csrf))
}

/// The host asked for, in lower case and without its port, when it is one of ours.
fn asked_host(app: &App, request: &Parts) -> Result<String, Problem> {
    let header = request.headers.get(header::HOST);
    let written = header.and_then(|host| host.to_str().ok());
    let authority = request.uri.authority().map(|authority| authority.as_str());
    let host = without_port(authority.or(written).unwrap_or("")).to_lowercase();
    let server = &app.config.server;
    let ours = host == without_port(server.base_host()).to_lowercase()
        || server
            .hosts
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&host))
        || (server.listen.ip().is_loopback()
            && ["localhost", "127.0.0.1", "[::1]"].contains(&host.as_str()));
    if ours {
        return Ok(host);
    }
    let detail = "This server does not answer for that host; see server.hosts in its settings.";
    Err(Problem::new(421, "host_unknown", detail))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// A page of another site can send a visitor's cookie along; what it sends changes nothing.
fn refuse_foreign(request: &Parts, host: &str) -> Result<(), Problem> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.method) {
        return Ok(());
    }
    let text = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let site = text("sec-fetch-site").unwrap_or("same-origin");
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    let same =
        origin.is_none_or(|(_, authority)| without_port(authority).eq_ignore_ascii_case(host));
    if site == "cross-site" || !same {
        return Err(foreign_origin());
    }
    Ok(())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

async fn living_session(
    app: &App,
    tenant: TenantId,
    token: &str,
) -> Result<Option<Session>, Problem> {
    let purpose = accounts::SESSION_PURPOSE;
    let token_hash = app.keys.mac(purpose, token.as_bytes());
    let guest = Caller::guest(tenant);
    let session = app.read(&guest, token_hash, session_of_token).await?;
    if let Some(session) = &session
        && session.is_stale(app.now())
    {
        let command = TouchSession {
            session: session.session_id,
        };
        app.transact(&guest, command, touch_session).await?;
    }
    Ok(session)
}

fn guest_csrf(app: &App, headers: &HeaderMap) -> Csrf {
    if let Some(cookie) = Cookie::Guest.read(&app.config, headers) {
        return Csrf::of_cookie(app, cookie, false);
    }
    let mut secret = [0; 16];
    (app.entropy)(&mut secret);
    Csrf::of_cookie(app, &URL_SAFE_NO_PAD.encode(secret), true)
}

/// The country that a trusted proxy says the visitor's network is in: two capitals, or nothing.
fn network_country(app: &App, request: &Parts) -> Option<String> {
    let name = app.config.tax.country_header.as_str();
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let trusted = &app.config.server.trusted_proxies;
    if name.is_empty() || !trusted.contains(&peer.0.ip()) {
        return None;
    }
    let said = request.headers.get(name)?.to_str().ok()?;
    let known = crate::domains::taxes::places::name(said);
    known.map(|_| said.to_owned())
}

/// Where a request came from: the last address that no trusted proxy of ours is.
fn client(app: &App, request: &Parts) -> IpAddr {
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    let mut client = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip());
    let trusted = &app.config.server.trusted_proxies;
    let forwarded = request.headers.get_all("x-forwarded-for").iter();
    let mut hops: Vec<&str> = forwarded
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .collect();
    while trusted.contains(&client)
        && let Some(hop) = hops.pop().and_then(|hop| hop.trim().parse().ok())
    {
        client = hop;
    }
    client
}
