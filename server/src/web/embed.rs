//! Links that lead straight to a checkout, and the buy button that other people's pages embed.
//!
//! The button is a frame with a link out of it: nobody signs in or pays inside. It may be framed,
//! and it speaks, only where its seller listed the host.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::page::{Page, Section};
use super::parts::Field;
use super::sell::{At, Tab, must_sell, tabs};
use super::shelf::price_text;
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::promotions::{
    EmbedHost, OwnHosts, PromotionError, SetHosts, hosts_of, own_hosts, set_hosts,
};
use crate::problem::Problem;
use crate::web::listing::encoded;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

/// The script that a seller's page loads.
const SCRIPT: &str = include_str!("../../assets/embed.js");

/// What a link says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// A price's id, or what the buyer would pay where the buyer names the price.
    price: String,
    quantity: String,
    code: String,
    email: String,
    /// The page that embeds the button.
    origin: String,
}

impl Wish {
    /// What the address of a checkout says of it.
    fn query(&self) -> String {
        let named = match self.price.starts_with("prc_") {
            true => "price",
            false => "amount",
        };
        let pairs = [
            (named, &self.price),
            ("quantity", &self.quantity),
            ("code", &self.code),
            ("email", &self.email),
        ];
        let said = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("&{name}={}", encoded(value)))
            .collect()
    }
}

/// `GET /buy/{slug}?price=…&quantity=…&code=…&email=…`: the checkout, as the seller's own traffic.
pub async fn buy(Path(slug): Path<String>, wish: Result<Query<Wish>, Problem>) -> Answer {
    let Query(wish) = wish?;
    let slug = encoded(&slug);
    go_to(&format!("/checkout/{slug}?from=seller{}", wish.query()))
}

#[derive(Template)]
#[template(path = "embed.html")]
struct ButtonPage {
    page: Page,
    name: String,
    price: String,
    address: String,
    /// Whom the frame may speak to; empty for nobody.
    target: String,
}

/// `GET /embed/{slug}?origin=…`: the button, for a frame on a listed host.
pub async fn button(
    ask: Ask,
    Path(slug): Path<String>,
    wish: Result<Query<Wish>, Problem>,
) -> Answer {
    let Query(wish) = wish?;
    let missing = || Problem::not_found("This isn't for sale.");
    let caller = &ask.visitor.caller;
    let query = ProductAt { slug };
    let product = ask.app.read(caller, query, product_at).await?;
    let (tenant, seller) = (caller.tenant, product.seller.account);
    let hosts = ask.app.store.read(move |tx| hosts_of(tx, tenant, seller));
    let hosts = hosts.await??;
    let price = product
        .prices
        .iter()
        .find(|price| price.id.to_string() == wish.price);
    let price = price.or(product.prices.first()).ok_or_else(missing)?;
    if !product.is_sold() || hosts.is_empty() {
        return Err(missing().into());
    }
    let page = ask.page("embed-buy");
    let allowed = hosts.iter().any(|host| host.allows(&wish.origin));
    let query = wish.query();
    let query = query.trim_start_matches('&');
    let view = ButtonPage {
        name: product.name.clone(),
        price: price_text(&page, price),
        address: format!("{}/buy/{}?{query}", ask.base(), product.slug),
        target: if allowed {
            wish.origin.clone()
        } else {
            String::new()
        },
        page,
    };
    let mut response = html(&view)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy(&hosts)?);
    Ok(response)
}

/// The button's own policy: framed by the listed hosts alone.
fn policy(hosts: &[EmbedHost]) -> Result<HeaderValue, Problem> {
    let sources: Vec<_> = hosts.iter().map(EmbedHost::source).collect();
    let text = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors {}",
        sources.join(" ")
    );
    HeaderValue::try_from(text).map_err(|_| Problem::internal())
}

/// `GET /embed.js`: what a seller's page loads; any page may.
pub async fn script() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    let mut response = (headers, SCRIPT).into_response();
    let open = HeaderValue::from_static("cross-origin");
    let name = header::HeaderName::from_static("cross-origin-resource-policy");
    response.headers_mut().insert(name, open);
    response
}

#[derive(Template)]
#[template(path = "sell/embed.html")]
struct HostsPage {
    page: Page,
    tabs: Vec<Tab>,
    hosts: Field,
    code: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HostsForm {
    /// One a line.
    hosts: String,
}

fn hosts_page(ask: &Ask, text: &str, wrong: Option<String>) -> HostsPage {
    let page = ask.section_page("sell-embed", Section::Sell);
    let hosts = Field::area("hosts", page.say("embed-hosts"));
    let base = ask.base();
    HostsPage {
        tabs: tabs(&page, At::Embed),
        hosts: hosts
            .hint(page.say("embed-hosts-hint"))
            .value(text)
            .error(wrong)
            .full(),
        code: format!(
            "<div data-mintreu=\"PRODUCT\"></div>\n<script src=\"{base}/embed.js\" defer></script>"
        ),
        page,
    }
}

/// `GET /sell/embed`.
pub async fn hosts(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let found = ask
        .app
        .read(&ask.visitor.caller, OwnHosts, own_hosts)
        .await?;
    let lines: Vec<_> = found.iter().map(EmbedHost::as_str).collect();
    html(&hosts_page(&ask, &lines.join("\n"), None))
}

/// `POST /sell/embed`.
pub async fn save(ask: Ask, form: Result<CsrfForm<HostsForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let lines = form.hosts.lines().map(str::trim);
    let hosts = lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    let caller = &ask.visitor.caller;
    match ask
        .app
        .transact(caller, SetHosts { hosts }, set_hosts)
        .await
    {
        Ok(_) => go_to("/sell/embed"),
        Err(PromotionError::Rule(..)) => {
            let wrong = ask.page("sell-embed").say("embed-hosts-wrong");
            refused(422, &hosts_page(&ask, &form.hosts, Some(wrong)))
        }
        Err(other) => Err(other.into()),
    }
}
