//! What a handler of pages is given: who asks, in which language, of which shop.

use super::page::{Page, Person, Section};
use super::sell::close::banner;
use crate::app::App;
use crate::caller::Capability;
use crate::domains::affiliates::http::{clicks_of, follow};
use crate::domains::carts::http::owner_of;
use crate::domains::carts::{Owner, count_cart};
use crate::domains::sellers::{OwnStanding, Standing, own_standing};
use crate::problem::{PageProblem, Problem};
use crate::text::Locale;
use crate::wire::{Visitor, languages};
use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use mintreu::id::{AccountId, AffiliateClickId};
use std::sync::Arc;

/// The cookie that keeps a chosen language.
const LANGUAGE_COOKIE: &str = "mintreu-language";
/// For how long: a year, in seconds.
const LANGUAGE_AGE: u32 = 31_536_000;

/// Who asks, in which language.
#[derive(Clone)]
pub struct Ask {
    /// The server.
    pub app: Arc<App>,
    /// Who asks.
    pub visitor: Visitor,
    /// Their language.
    pub locale: Locale,
    /// Every language that their browser asks for.
    pub languages: String,
    /// How many units lie in their cart.
    pub in_cart: i64,
    /// The clicks on affiliates' links that brought them.
    pub clicks: Vec<AffiliateClickId>,
    /// On a seller's own pages: how they stand and why, while they don't sell.
    pub stopped: Option<(Standing, String)>,
}

/// What every handler of pages answers.
pub type Answer = Result<Response, PageProblem>;

impl FromRequestParts<Arc<App>> for Ask {
    type Rejection = PageProblem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, PageProblem> {
        let visitor =
            <Visitor as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        Ok(Self {
            in_cart: in_cart(app, &visitor, parts).await,
            clicks: clicks_of(app, &visitor, &parts.headers),
            stopped: stopped(app, &visitor, parts).await?,
            app: app.clone(),
            visitor,
            languages: languages(&parts.headers).to_owned(),
            locale: parts.extensions.get().copied().unwrap_or_default(),
        })
    }
}

/// What the header says of the cart. Only pages that are looked at ask; a figure beside a link isn't
/// worth an error page.
async fn in_cart(app: &Arc<App>, visitor: &Visitor, parts: &Parts) -> i64 {
    let owner = match parts.method {
        Method::GET => owner_of(app, visitor, &parts.headers),
        _ => Owner::Nobody,
    };
    match owner {
        Owner::Nobody => 0,
        owner => app
            .read(&visitor.caller, owner, count_cart)
            .await
            .unwrap_or(0),
    }
}

/// How a seller stands who looks at their own pages, when they don't sell.
async fn stopped(
    app: &Arc<App>,
    visitor: &Visitor,
    parts: &Parts,
) -> Result<Option<(Standing, String)>, Problem> {
    if !parts.uri.path().starts_with("/sell") || !visitor.caller.may(Capability::Sell) {
        return Ok(None);
    }
    let found = app.read(&visitor.caller, OwnStanding, own_standing).await?;
    let stopped = found.filter(|(shop, _)| shop.standing != Standing::Active);
    Ok(stopped.map(|(shop, change)| {
        let reason = change.map_or(String::new(), |change| change.reason);
        (shop.standing, reason)
    }))
}

impl Ask {
    /// A frame titled by `title`, a key. It carries a form token for whoever is signed in.
    pub fn page(&self, title: &str) -> Page {
        let mut page = Page::new(self.locale, title);
        page.demo = self.app.config.payments.sandbox;
        page.in_cart = self.in_cart;
        if let Some(name) = &self.visitor.name {
            let sells = self.visitor.caller.may(Capability::Sell);
            let owns = self.visitor.caller.may(Capability::Administer);
            page.person = Some(Person {
                name: name.clone(),
                sells,
                owns,
            });
            page.csrf = self.visitor.csrf_token().to_owned();
        }
        page
    }

    /// As [`Ask::page`], for a page with a form that guests may send too.
    pub fn form_page(&self, title: &str) -> Page {
        let mut page = self.page(title);
        page.csrf = self.visitor.csrf_token().to_owned();
        page
    }

    /// A page in one part of the shop.
    pub fn section_page(&self, title: &str, section: Section) -> Page {
        let mut page = Page {
            section,
            ..self.form_page(title)
        };
        if let (Section::Sell, Some((standing, reason))) = (section, &self.stopped) {
            page.notice = banner(&page, *standing, reason);
        }
        page
    }

    /// The shop's own address, without a slash at its end.
    pub fn base(&self) -> &str {
        self.app.config.server.base_url.trim_end_matches('/')
    }

    /// Who is signed in; else the visitor is asked to.
    pub fn account(&self) -> Result<AccountId, PageProblem> {
        let missing = || Problem::new(401, "sign_in_required", "Please sign in first.");
        Ok(self.visitor.caller.account.ok_or_else(missing)?)
    }
}

/// A drawn page.
pub fn html(template: &impl Template) -> Answer {
    Ok(drawn(template)?.into_response())
}

/// A drawn page that reports a mistake: 422, or what the problem says.
pub fn refused(status: u16, template: &impl Template) -> Answer {
    let mut response = drawn(template)?.into_response();
    *response.status_mut() = Problem::new(status, "refused", "").status_code();
    Ok(response)
}

/// Sends the browser on with GET.
pub fn go_to(address: &str) -> Answer {
    Ok(Redirect::to(address).into_response())
}

fn drawn(template: &impl Template) -> Result<Html<String>, Problem> {
    template.render().map(Html).map_err(|error| {
        tracing::error!(%error, "a page could not be drawn");
        Problem::internal()
    })
}

/// Finds the visitor's language and draws problems as pages in it; a link with an affiliate's code
/// is remembered.
pub async fn speak(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let chosen = chosen_in_address(request.uri());
    let locale = chosen.unwrap_or_else(|| locale_of(request.headers()));
    request.extensions_mut().insert(locale);
    let visitor = request.extensions().get::<Visitor>().cloned();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let via = named_in_address(request.uri(), "via=").map(str::to_owned);
    let brought = match (&via, &visitor, &method) {
        (Some(code), Some(visitor), &Method::GET) => {
            follow(&app, visitor, (code, request.headers())).await
        }
        _ => None,
    };
    let mut response = next.run(request).await;
    if let Some(visitor) = visitor {
        let ask = Ask {
            app,
            visitor,
            locale,
            languages: String::new(),
            in_cart: 0,
            clicks: Vec::new(),
            stopped: None,
        };
        response = super::errors::as_page(&ask, (&method, &uri), response);
    }
    let headers = response.headers_mut();
    headers.extend(brought.map(|cookie| (header::SET_COOKIE, cookie)));
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(locale.tag()),
    );
    headers.append(
        header::VARY,
        HeaderValue::from_static("accept-language, cookie"),
    );
    if let Some(chosen) = chosen {
        let tag = chosen.tag();
        let cookie =
            format!("{LANGUAGE_COOKIE}={tag}; Path=/; SameSite=Lax; Max-Age={LANGUAGE_AGE}");
        headers.extend(HeaderValue::try_from(cookie).map(|cookie| (header::SET_COOKIE, cookie)));
    }
    response
}

fn chosen_in_address(uri: &Uri) -> Option<Locale> {
    Locale::from_tag(named_in_address(uri, "lang=")?)
}

fn named_in_address<'u>(uri: &'u Uri, name: &str) -> Option<&'u str> {
    let mut pairs = uri.query().unwrap_or_default().split('&');
    pairs.find_map(|pair| pair.strip_prefix(name))
}

fn locale_of(headers: &HeaderMap) -> Locale {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let cookies = text(header::COOKIE).unwrap_or_default().split(';');
    let mut pairs = cookies.filter_map(|pair| pair.trim().split_once('='));
    let kept = pairs.find(|(name, _)| *name == LANGUAGE_COOKIE);
    kept.and_then(|(_, tag)| Locale::from_tag(tag))
        .unwrap_or_else(|| Locale::negotiate(text(header::ACCEPT_LANGUAGE).unwrap_or_default()))
}
