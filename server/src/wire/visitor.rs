//! Who asks: the caller, the session if any, and the token that forms carry.

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::id::SessionId;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use subtle::ConstantTimeEq;

/// Who asks. Every request has one: take it as a handler's argument.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// For `app.transact(&visitor.caller, …)`.
    pub caller: Caller,
    /// The session, when somebody is signed in.
    pub session: Option<SessionId>,
    /// The name to greet them by, when somebody is signed in.
    pub name: Option<String>,
    /// Where the request came from, as far as trusted proxies say.
    pub client: IpAddr,
    /// What the browser or program calls itself.
    pub user_agent: String,
    csrf: Csrf,
}

impl Visitor {
    /// Built by the middleware that knows sessions.
    pub fn new(caller: Caller, client: IpAddr, csrf: Csrf) -> Self {
        Self {
            caller,
            session: None,
            name: None,
            client,
            user_agent: String::new(),
            csrf,
        }
    }

    /// Whether somebody is signed in.
    pub fn is_signed_in(&self) -> bool {
        self.caller.account.is_some()
    }

    /// The token to write into each form, as the hidden field `csrf`. Guests have one too.
    pub fn csrf_token(&self) -> &str {
        self.csrf.used.store(true, Ordering::Relaxed);
        &self.csrf.token
    }

    /// Whether `given` is this visitor's token, compared in constant time.
    pub fn csrf_matches(&self, given: &str) -> bool {
        self.csrf.token.as_bytes().ct_eq(given.as_bytes()).into()
    }

    /// The network address as text: what limits count by.
    pub fn client_key(&self) -> String {
        self.client.to_string()
    }
}

/// A visitor's form token: a keyed hash of a cookie that other sites can't read.
#[derive(Clone)]
pub struct Csrf {
    token: String,
    /// A guest's new cookie, sent only when a form was drawn.
    fresh: Option<String>,
    used: Arc<AtomicBool>,
}

impl std::fmt::Debug for Csrf {
    /// Whoever has it can send forms in somebody's name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Csrf(…)")
    }
}

impl Csrf {
    /// The token that belongs to a cookie's value; `fresh` when the visitor hasn't the cookie yet.
    pub fn of_cookie(app: &App, cookie: &str, fresh: bool) -> Self {
        let token = app.keys.mac("csrf", cookie.as_bytes());
        Self {
            token: URL_SAFE_NO_PAD.encode(token),
            fresh: fresh.then(|| cookie.to_owned()),
            used: Arc::new(AtomicBool::new(false)),
        }
    }

    /// The guest cookie to set with the response, if a form was drawn for a guest without one.
    pub fn cookie_to_set(&self) -> Option<&str> {
        self.fresh
            .as_deref()
            .filter(|_| self.used.load(Ordering::Relaxed))
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Visitor>().cloned();
        found.ok_or_else(|| {
            tracing::error!("a route lies outside the visitor middleware");
            Problem::internal()
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Visitor>().cloned())
    }
}
