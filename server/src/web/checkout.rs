//! Checkout: what it costs in all, where the key goes, one button.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::Token;
use super::page::{Page, Section};
use super::parts::{Badge, Field, Notice, Tone};
use super::shelf::{kind_badge, price_meaning, price_text};
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::catalog::{Price, Product, State};
use crate::domains::fulfilment::FulfilmentError;
use crate::domains::fulfilment::flow::{self, Purchase, Started};
use crate::domains::ledger::Traffic;
use crate::domains::orders::OrderError;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Idempotent, Query};
use askama::Template;
use axum::extract::Path;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintreu::Money;
use mintreu::id::{OrderId, PriceId};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutPage {
    page: Page,
    slug: String,
    name: String,
    seller: String,
    badge: Badge,
    price: String,
    price_text: String,
    price_meaning: String,
    tax: String,
    total: String,
    /// The total in minor units, which comes back with the form: the buyer pays what was shown.
    seen: i64,
    /// New for every drawn form, so that a form sent twice buys once.
    key: String,
    email: Option<Field>,
    signed_in: String,
    next_step: String,
    action: String,
}

/// Which price.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    price: Option<String>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BuyForm {
    price: String,
    seen: i64,
    email: String,
    key: String,
}

/// A published product and one of its prices; the first when none is named.
async fn offered(ask: &Ask, slug: &str, price: Option<&str>) -> Result<(Product, Price), Problem> {
    let missing = || Problem::not_found("This isn't for sale.");
    let query = ProductAt {
        slug: slug.to_owned(),
    };
    let product = ask.app.read(&ask.visitor.caller, query, product_at).await?;
    let wanted = price
        .map(PriceId::parse)
        .transpose()
        .map_err(|_| missing())?;
    let price = match wanted {
        Some(id) => product.price(id).cloned(),
        None => product.prices.first().cloned(),
    };
    let for_sale = product.state == State::Published;
    Ok((product, price.filter(|_| for_sale).ok_or_else(missing)?))
}

/// `GET /checkout/{slug}?price=…`.
pub async fn show(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    let Query(which) = which?;
    let (product, price) = offered(&ask, &slug, which.price.as_deref()).await?;
    html(&CheckoutPage::new(&ask, (&product, &price), "", None))
}

impl CheckoutPage {
    fn new(
        ask: &Ask,
        (product, price): (&Product, &Price),
        email: &str,
        error: Option<String>,
    ) -> Self {
        let page = ask.section_page("checkout-title", Section::Shop);
        let total = page.format.money(price.amount);
        let free = price.amount.minor() == 0;
        let no_tax = page.format.money(Money::zero(price.amount.currency()));
        let field = || {
            let field = Field::email("email", page.say("checkout-email"));
            let field = field
                .hint(page.say("checkout-email-hint"))
                .required()
                .max_length(254);
            field.value(email).error(error)
        };
        let name = ask.visitor.name.clone();
        let mut key = [0; 16];
        (ask.app.entropy)(&mut key);
        Self {
            slug: product.slug.clone(),
            name: product.name.clone(),
            seller: page.say_one("product-by", "seller", product.seller.name.as_str()),
            badge: kind_badge(&page, product.kind),
            price: price.id.to_string(),
            price_text: price_text(&page, price),
            price_meaning: price_meaning(&page, price),
            tax: page.say_one("checkout-no-tax", "amount", no_tax),
            seen: price.amount.minor(),
            key: URL_SAFE_NO_PAD.encode(key),
            email: name.is_none().then(field),
            signed_in: page.say_one("checkout-signed-in", "name", name.unwrap_or_default()),
            next_step: page.say(if free {
                "checkout-next-free"
            } else {
                "checkout-next-pay"
            }),
            action: match free {
                true => page.say("checkout-get"),
                false => page.say_one("checkout-pay", "amount", total.as_str()),
            },
            total,
            page,
        }
    }
}

/// `POST /checkout/{slug}`: places the order and goes to pay, or to the key when it is free.
pub async fn place(
    ask: Ask,
    Path(slug): Path<String>,
    form: Result<CsrfForm<BuyForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let (product, price) = offered(&ask, &slug, Some(&form.price)).await?;
    let email = form.email.trim().to_owned();
    let purchase = Purchase {
        price: price.id,
        quantity: 1,
        seen: Money::new(form.seen, price.amount.currency()),
        email: (!ask.visitor.is_signed_in()).then(|| email.clone()),
        traffic: Traffic::Marketplace,
        provider: None,
    };
    let seen = form.seen.to_string();
    let fields = [form.price.as_str(), &seen, &email];
    let once = (!form.key.is_empty()).then(|| Idempotent::of("checkout", &form.key, &fields));
    match flow::start(&ask.app, &ask.visitor.caller, once, purchase).await {
        Ok(started) => go_to(&next_of(&started)),
        Err(error) => explained(&ask, (&product, &price), &email, error),
    }
}

/// The payment page, or the order when there is nothing to pay.
fn next_of(started: &Started) -> String {
    started
        .pay_url
        .clone()
        .unwrap_or_else(|| started.order_path())
}

/// What the buyer can mend comes back as the form; the rest is a problem.
fn explained(ask: &Ask, offer: (&Product, &Price), email: &str, error: FulfilmentError) -> Answer {
    let say = |key: &str| ask.page("checkout-title").words.say(key);
    let over = |status: u16, text: String| {
        let mut view = CheckoutPage::new(ask, offer, email, None);
        view.page.notice = Some(Notice::new(Tone::Bad, text));
        refused(status, &view)
    };
    match error {
        FulfilmentError::Order(OrderError::EmailMissing | OrderError::EmailMalformed) => {
            let error = Some(say("checkout-email-wrong"));
            refused(422, &CheckoutPage::new(ask, offer, email, error))
        }
        FulfilmentError::Order(OrderError::PriceChanged(quote)) => {
            let page = ask.page("checkout-title");
            let total = page.format.money(quote.total);
            over(409, page.say_one("checkout-changed", "total", total))
        }
        FulfilmentError::Order(OrderError::OwnProduct) => over(422, say("checkout-own")),
        other => Err(other.into()),
    }
}

/// `POST /orders/{id}/pay`: opens the payment page of an order that still waits.
pub async fn retry(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Which>, Problem>,
) -> Answer {
    form?;
    let Query(token) = token?;
    let missing = || Problem::not_found("There is no such order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let started = flow::pay_again(&ask.app, &ask.visitor.caller, order, token.t).await?;
    go_to(&next_of(&started))
}
