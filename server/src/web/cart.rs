//! The cart: what is in it, of whom, what it costs, and the way to the checkout.

use super::ask::{Answer, Ask, go_to, html};
use super::checkout::{Basket, BuyForm, buy_all, draw_all};
use super::page::{Page, Section};
use super::parts::{Notice, Tone};
use super::shelf::price_text;
use super::tax::basket_text;
use crate::domains::carts::{
    Cart, CartError, CartLine, Change, ChangeLine, Merged, Owner, WishReminder, change_line, http,
    view_cart, wish_reminder,
};
use crate::domains::catalog::Offer;
use crate::domains::fulfilment::Item;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::http::{HeaderMap, header};
use mintreu::Money;
use mintreu::id::PriceId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "cart.html")]
struct CartPage {
    page: Page,
    groups: Vec<Group>,
    gone: Vec<Gone>,
    total: Option<String>,
    /// What of it is tax, once it is known where the buyer is taken to be.
    tax: Option<String>,
    /// The line that was just taken out, and how many of it there were.
    undo: Option<(String, String)>,
    /// A price of another currency that was to be put in: where it is bought by itself.
    apart: Option<String>,
    /// Whether the owner wants to be reminded; none for a guest.
    remind: Option<bool>,
}

/// The lines of one seller.
struct Group {
    seller: String,
    rows: Vec<Row>,
    total: String,
}

struct Row {
    price: String,
    slug: String,
    name: String,
    each: String,
    amount: String,
    quantity: String,
}

/// A line that is no longer for sale.
struct Gone {
    price: String,
}

/// What the cart's forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LineForm {
    price: String,
    quantity: String,
    remind: String,
}

impl LineForm {
    fn price(&self) -> Result<PriceId, Problem> {
        let missing = |_| Problem::not_found("This isn't for sale.");
        PriceId::parse(&self.price).map_err(missing)
    }

    /// What was typed; nothing is one, and what is no number is out of range.
    fn quantity(&self) -> i64 {
        match self.quantity.trim() {
            "" => 1,
            text => text.parse().unwrap_or(-1),
        }
    }
}

/// What happened before the cart is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The price that was taken out.
    undo: String,
    /// How many of it there were.
    quantity: String,
    /// A price of another currency.
    apart: String,
    /// `quantity`, `full`, `own` or `gone`.
    wrong: String,
}

async fn own_cart(ask: &Ask, headers: &HeaderMap) -> Result<(Owner, Option<Cart>), Problem> {
    let owner = http::owner_of(&ask.app, &ask.visitor, headers);
    let cart = ask.app.read(&ask.visitor.caller, owner, view_cart).await?;
    Ok((owner, cart))
}

/// `GET /cart`.
pub async fn show(ask: Ask, headers: HeaderMap, told: Result<Query<Told>, Problem>) -> Answer {
    let Query(told) = told?;
    let merged = http::take_along(&ask.app, &ask.visitor, &headers).await?;
    let (_, cart) = own_cart(&ask, &headers).await?;
    html(&drawn(&ask, cart.as_ref(), &told, merged).await?)
}

async fn drawn(
    ask: &Ask,
    cart: Option<&Cart>,
    told: &Told,
    merged: Option<Merged>,
) -> Result<CartPage, Problem> {
    let mut page = ask.section_page("cart-title", Section::Shop);
    let lines = cart.map_or(&[][..], |cart| &cart.lines);
    let gone = lines.iter().filter(|line| line.offer.is_none());
    let gone = gone.map(|line| Gone {
        price: line.price.to_string(),
    });
    let gone: Vec<_> = gone.collect();
    let wrong = match told.wrong.as_str() {
        "quantity" => Some("checkout-quantity-wrong"),
        "full" => Some("cart-full"),
        "own" => Some("checkout-own"),
        "gone" => Some("cart-gone"),
        _ if merged.is_some_and(|merged| merged.left > 0) => Some("cart-left"),
        _ => None,
    };
    page.notice = wrong.map(|key| Notice::new(Tone::Bad, page.words.say(key)));
    let undo = PriceId::parse(&told.undo).ok();
    let undo = undo.filter(|price| lines.iter().all(|line| line.price != *price));
    Ok(CartPage {
        groups: groups(&page, lines),
        total: sum(lines.iter()).map(|total| page.format.money(total)),
        tax: tax_of(ask, &page, cart).await?,
        gone,
        undo: undo.map(|price| (price.to_string(), told.quantity.clone())),
        apart: apart(ask, &told.apart).await?,
        remind: cart
            .filter(|cart| cart.account.is_some())
            .map(|cart| cart.remind),
        page,
    })
}

/// The tax line of what can be bought, as the checkout would show it now.
async fn tax_of(ask: &Ask, page: &Page, cart: Option<&Cart>) -> Result<Option<String>, Problem> {
    let Some(cart) = cart else {
        return Ok(None);
    };
    let basket = basket(Owner::Nobody, Some(cart));
    basket_text(ask, page, basket).await
}

/// Where a price of another currency is bought by itself.
async fn apart(ask: &Ask, price: &str) -> Result<Option<String>, Problem> {
    let Ok(price) = PriceId::parse(price) else {
        return Ok(None);
    };
    let tenant = ask.visitor.caller.tenant;
    let found = ask
        .app
        .store
        .read(move |tx| crate::domains::catalog::offer(tx, tenant, price))
        .await??;
    Ok(found.map(|offer| format!("/checkout/{}?price={price}", offer.product.slug)))
}

fn sum<'a>(lines: impl Iterator<Item = &'a CartLine>) -> Option<Money> {
    let mut amounts = lines.filter_map(CartLine::amount);
    let first = amounts.next()?;
    amounts.try_fold(first, |sum, amount| sum.checked_add(amount).ok())
}

/// The lines by seller, sellers in the order in which their first line was put in.
fn groups(page: &Page, lines: &[CartLine]) -> Vec<Group> {
    let mut sellers = Vec::new();
    let offers = lines.iter().filter_map(|line| line.offer.as_ref());
    for seller in offers.map(|offer| &offer.product.seller) {
        if sellers.iter().all(|(known, _)| *known != seller.account) {
            sellers.push((seller.account, seller.name.as_str()));
        }
    }
    let group = |(account, name): &(_, &str)| {
        let own = |line: &&CartLine| {
            let offer = line.offer.as_ref();
            offer.is_some_and(|offer| offer.product.seller.account == *account)
        };
        let total = sum(lines.iter().filter(own)).map(|total| page.format.money(total));
        Group {
            seller: (*name).to_owned(),
            rows: lines
                .iter()
                .filter(own)
                .filter_map(|line| row(page, line))
                .collect(),
            total: total.unwrap_or_default(),
        }
    };
    sellers.iter().map(group).collect()
}

fn row(page: &Page, line: &CartLine) -> Option<Row> {
    let Offer { price, product } = line.offer.as_ref()?;
    Some(Row {
        price: line.price.to_string(),
        slug: product.slug.clone(),
        name: product.name.clone(),
        each: price_text(page, price),
        amount: page.format.money(line.amount()?),
        quantity: line.quantity.to_string(),
    })
}

/// Changes a line and shows the cart, with what went wrong if something did.
async fn changed(
    ask: &Ask,
    headers: &HeaderMap,
    (price, change): (PriceId, Change),
    then: &str,
) -> Answer {
    http::take_along(&ask.app, &ask.visitor, headers).await?;
    let command = ChangeLine {
        owner: http::owner_of(&ask.app, &ask.visitor, headers),
        price,
        change,
    };
    let caller = &ask.visitor.caller;
    let told = match ask.app.transact(caller, command, change_line).await {
        Ok(cart) => {
            let mut response = go_to(then)?;
            if let Some(cookie) = http::cookie_for(&ask.app, &ask.visitor, cart) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            return Ok(response);
        }
        Err(CartError::Quantity) => "wrong=quantity".to_owned(),
        Err(CartError::Full) => "wrong=full".to_owned(),
        Err(CartError::OwnProduct) => "wrong=own".to_owned(),
        Err(CartError::OfferGone) => "wrong=gone".to_owned(),
        Err(CartError::Currency { .. }) => format!("apart={price}"),
        Err(other) => return Err(other.into()),
    };
    go_to(&format!("/cart?{told}"))
}

/// `POST /cart/add`: one more, or as many as the form says.
pub async fn add(
    ask: Ask,
    headers: HeaderMap,
    form: Result<CsrfForm<LineForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let what = (form.price()?, Change::Add(form.quantity()));
    changed(&ask, &headers, what, "/cart").await
}

/// `POST /cart/change`: so many in all.
pub async fn change(
    ask: Ask,
    headers: HeaderMap,
    form: Result<CsrfForm<LineForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let what = (form.price()?, Change::Set(form.quantity()));
    changed(&ask, &headers, what, "/cart").await
}

/// `POST /cart/remove`: takes a line out; the page then offers to put it back.
pub async fn remove(
    ask: Ask,
    headers: HeaderMap,
    form: Result<CsrfForm<LineForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let price = form.price()?;
    let (_, cart) = own_cart(&ask, &headers).await?;
    let before = cart.as_ref().and_then(|cart| cart.line(price));
    let then = before.map_or("/cart".to_owned(), |line| {
        format!("/cart?undo={price}&quantity={}", line.quantity)
    });
    changed(&ask, &headers, (price, Change::Set(0)), &then).await
}

/// `POST /cart/remind`: wishes for the one reminder, or not any more.
pub async fn remind(ask: Ask, form: Result<CsrfForm<LineForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let command = WishReminder {
        remind: form.remind == "yes",
    };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, wish_reminder).await?;
    go_to("/cart")
}

/// What of the cart can be bought.
fn basket(owner: Owner, cart: Option<&Cart>) -> Basket {
    let lines = cart.map_or(&[][..], |cart| &cart.lines);
    let for_sale = lines.iter().filter(|line| line.offer.is_some());
    let item = |line: &CartLine| Item::new(line.price, line.quantity);
    let offers = lines.iter().filter_map(|line| line.offer.as_ref());
    let places = |offer: &Offer| offer.product.places_of(&offer.price);
    let mut countries: Vec<_> = offers.clone().flat_map(places).collect();
    countries.sort();
    countries.dedup();
    let mut offers = offers;
    let elsewhere = offers.all(|offer| offer.price.bounds.countries.is_empty());
    Basket {
        items: for_sale.map(item).collect(),
        price: None,
        countries,
        elsewhere,
        post_to: "/cart/checkout".to_owned(),
        back: "/cart".to_owned(),
        cart: Some(owner),
        whereabouts: None,
        clicks: Vec::new(),
    }
}

/// `GET /cart/checkout`.
pub async fn checkout(ask: Ask, headers: HeaderMap) -> Answer {
    http::take_along(&ask.app, &ask.visitor, &headers).await?;
    let (owner, cart) = own_cart(&ask, &headers).await?;
    let basket = basket(owner, cart.as_ref()).located(&ask).await?;
    match basket.items.is_empty() {
        true => go_to("/cart"),
        false => draw_all(&ask, &basket, &BuyForm::default()).await,
    }
}

/// `POST /cart/checkout`: makes one order of the whole cart.
pub async fn place(
    ask: Ask,
    headers: HeaderMap,
    form: Result<CsrfForm<BuyForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let (owner, cart) = own_cart(&ask, &headers).await?;
    let basket = basket(owner, cart.as_ref()).located(&ask).await?;
    buy_all(&ask, &basket, &form).await
}
