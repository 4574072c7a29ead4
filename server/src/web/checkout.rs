//! Checkout: what it costs in all, where the key goes, one button.

mod view;

use self::view::{CheckoutPage, refusal_text};
use super::ask::{Answer, Ask, go_to, html, refused};
use super::gift::{GiftForm, GiftWrong};
use super::license::Token;
use super::page::{Page, Section};
use super::tax::refused_vat_id;
use crate::domains::affiliates::Referred;
use crate::domains::carts::Owner;
use crate::domains::catalog::ops::{ProductAt, offered_at};
use crate::domains::catalog::{Price, Product};
use crate::domains::fulfilment::flow::{self, Bid, Started};
use crate::domains::fulfilment::{Figure, FulfilmentError, Item, Promise, Quoted, Wanted};
use crate::domains::ledger::Traffic;
use crate::domains::orders::{MAX_QUANTITY, OrderError};
use crate::domains::risk::RiskError;
use crate::domains::taxes::TaxError;
use crate::domains::taxes::places::COUNTRIES;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use axum::extract::Path;
use mintreu::id::{AffiliateClickId, OrderId, PriceId};
use mintreu::price::parse_amount;
use serde::Deserialize;

/// Which price, how many of it, and with which code: what a link to a checkout says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    price: Option<String>,
    quantity: String,
    amount: String,
    code: String,
    email: String,
    country: String,
    /// `seller` for a link of the seller's own.
    from: String,
}

/// What the form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BuyForm {
    price: String,
    quantity: String,
    amount: String,
    country: String,
    vat_id: String,
    code: String,
    quote: String,
    email: String,
    /// `seller` when a link of the seller's own led here.
    from: String,
    /// Whether the waiver was ticked.
    waiver: String,
    /// `apply` when the form shall only be drawn again.
    act: String,
    #[serde(flatten)]
    gift: GiftForm,
}

impl BuyForm {
    /// How many, when it is a number that can be bought.
    fn count(&self) -> Option<i64> {
        let count = match self.quantity.trim() {
            "" => Some(1),
            text => text.parse().ok(),
        };
        count.filter(|count| (1..=MAX_QUANTITY).contains(count))
    }

    /// What the buyer names for one, as far as it can be read and is theirs to name.
    fn named(&self, price: &Price) -> Option<i64> {
        let least = price.minimum()?;
        let suggested = price.amount.minor();
        let text = self.amount.trim();
        let read = parse_amount(text, least.currency()).ok();
        Some(read.filter(|_| !text.is_empty()).unwrap_or(suggested))
    }

    /// The codes, parted by blanks or commas.
    fn codes(&self) -> Vec<String> {
        let parts = self.code.split([' ', ',']).map(str::trim);
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// What is bought, and the page that it is bought on.
pub(super) struct Basket {
    pub items: Vec<Item>,
    /// The price, when it is one product's.
    pub price: Option<Price>,
    /// Where some of it is for sale, or has a price of its own; empty where it doesn't matter.
    pub countries: Vec<String>,
    /// Whether it is for sale in other countries too.
    pub elsewhere: bool,
    pub post_to: String,
    pub back: String,
    /// The cart that ends when it is bought.
    pub cart: Option<Owner>,
    /// Where the buyer is taken to be unless they say otherwise; none while no tax is collected.
    pub whereabouts: Option<Whereabouts>,
    /// The clicks on affiliates' links that brought the buyer.
    pub clicks: Vec<AffiliateClickId>,
}

/// Where a buyer is taken to be, for tax.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    country: String,
    region: Option<String>,
    vat_id: Option<String>,
}

impl Basket {
    fn one(product: &Product, price: &Price, form: &BuyForm) -> Self {
        Self {
            items: vec![Item {
                price: price.id,
                quantity: form.count().unwrap_or(1),
                named: form.named(price),
            }],
            countries: product.places_of(price),
            elsewhere: price.bounds.countries.is_empty(),
            price: Some(price.clone()),
            post_to: format!("/checkout/{}", product.slug),
            back: format!("/p/{}", product.slug),
            cart: None,
            whereabouts: None,
            clicks: Vec::new(),
        }
    }

    /// With where the buyer is taken to be, if tax is collected.
    pub(super) async fn located(mut self, ask: &Ask) -> Result<Self, Problem> {
        let caller = &ask.visitor.caller;
        let nothing = Wanted::default();
        let found = flow::whereabouts(&ask.app, caller, &ask.languages, nothing).await?;
        self.clicks.clone_from(&ask.clicks);
        self.whereabouts = found.country.map(|country| Whereabouts {
            country,
            region: found.region,
            vat_id: found.vat_id,
        });
        Ok(self)
    }

    /// Where the buyer may say to be: the countries that its prices name, or all where tax is
    /// collected; nobody is asked where it doesn't matter.
    fn choices(&self) -> Vec<String> {
        let anywhere = self.elsewhere || self.countries.is_empty();
        match (anywhere, &self.whereabouts) {
            (true, Some(_)) => COUNTRIES.map(|(code, _)| code.to_owned()).into(),
            _ => self.countries.clone(),
        }
    }

    /// Where the buyer is, as chosen; until then where they are taken to be, or the first country
    /// where it must be one of them.
    fn country(&self, form: &BuyForm) -> Option<String> {
        let choices = self.choices();
        let known = |wanted: &str| choices.iter().find(|known| *known == wanted);
        let guess = self.whereabouts.as_ref();
        let guessed = || known(&guess?.country);
        let first = || {
            let must = guess.is_some() || !self.elsewhere;
            choices.first().filter(|_| must)
        };
        let chosen = known(&form.country).or_else(guessed).or_else(first);
        chosen.cloned()
    }

    pub(super) fn wanted(&self, form: &BuyForm) -> Wanted {
        let country = self.country(form);
        // What an account said of its place holds for that place.
        let own = self.whereabouts.as_ref();
        let own = own.filter(|own| Some(&own.country) == country.as_ref());
        let typed = Some(form.vat_id.trim()).filter(|text| !text.is_empty());
        let fresh = form.country.is_empty();
        let kept = own.and_then(|own| own.vat_id.clone()).filter(|_| fresh);
        Wanted {
            items: self.items.clone(),
            codes: form.codes(),
            region: own.and_then(|own| own.region.clone()),
            vat_id: match self.whereabouts {
                Some(_) => typed.map(str::to_owned).or(kept),
                None => None,
            },
            country,
            gift: None,
            referred: Referred {
                clicks: self.clicks.clone(),
                code: None,
            },
        }
    }
}

/// What is wrong with what was typed, or with the world since it was shown.
#[derive(Debug, Clone, Default)]
struct Wrong {
    code: Option<String>,
    email: Option<String>,
    amount: Option<String>,
    quantity: Option<String>,
    vat_id: Option<String>,
    waiver: bool,
    gift: GiftWrong,
    over: Option<String>,
}

/// A published product and one of its prices; the first when none is named.
async fn offered(ask: &Ask, slug: &str, price: Option<&str>) -> Result<(Product, Price), Problem> {
    let missing = || Problem::not_found("This isn't for sale.");
    let query = ProductAt {
        slug: slug.to_owned(),
    };
    let product = ask.app.read(&ask.visitor.caller, query, offered_at).await?;
    let wanted = price
        .map(PriceId::parse)
        .transpose()
        .map_err(|_| missing())?;
    let price = match wanted {
        Some(id) => product.price(id).cloned(),
        None => product.prices.first().cloned(),
    };
    let for_sale = product.is_sold();
    Ok((product, price.filter(|_| for_sale).ok_or_else(missing)?))
}

/// `GET /checkout/{slug}?price=…&quantity=…&code=…&email=…`.
pub async fn show(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    let Query(which) = which?;
    let (product, price) = offered(&ask, &slug, which.price.as_deref()).await?;
    let form = BuyForm {
        quantity: which.quantity,
        amount: which.amount,
        country: which.country,
        from: which.from,
        code: which.code,
        email: which.email,
        ..BuyForm::default()
    };
    let basket = Basket::one(&product, &price, &form).located(&ask).await?;
    html(&drawn(&ask, &basket, &form, Wrong::default()).await?)
}

/// The page as things stand now: its quote is what the form will carry.
async fn drawn(
    ask: &Ask,
    basket: &Basket,
    form: &BuyForm,
    mut wrong: Wrong,
) -> Result<CheckoutPage, Problem> {
    let page = ask.section_page("checkout-title", Section::Shop);
    let mut wanted = basket.wanted(form);
    let email = (!ask.visitor.is_signed_in()).then(|| form.email.clone());
    let caller = &ask.visitor.caller;
    if let Some(vat_id) = refused_vat_id(&page, &wanted) {
        wrong.vat_id = Some(vat_id);
        wanted.vat_id = None;
    }
    let quoted = match flow::quote_of(&ask.app, caller, wanted.clone(), email.clone()).await {
        Err(FulfilmentError::Order(OrderError::AmountTooLow(least))) => {
            let least = page.format.money(least);
            wrong.amount = Some(page.say_one("checkout-amount-low", "amount", least));
            wanted.items.iter_mut().for_each(|item| item.named = None);
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        Err(FulfilmentError::Order(OrderError::TooMany(most))) => {
            wrong.quantity = Some(page.say_one("checkout-quantity-most", "count", most));
            wanted
                .items
                .iter_mut()
                .for_each(|item| item.quantity = most.min(item.quantity));
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        Err(FulfilmentError::Order(OrderError::BelowFees)) => {
            // Without codes, only what the buyer named can be too little.
            match wanted.codes.is_empty() {
                true => wrong.amount = Some(page.say("checkout-amount-fees")),
                false => wrong.code = Some(page.say("coupon-below-fees")),
            }
            wanted.codes.clear();
            wanted.items.iter_mut().for_each(|item| item.named = None);
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        other => other?,
    };
    if let Some((_, refusal)) = quoted.refused.first() {
        wrong.code = wrong.code.or(Some(refusal_text(&page, refusal)));
    }
    let (_, quote) = flow::promise_of(&ask.app, caller, (&quoted, &wanted), ask.locale)?;
    let mut view = CheckoutPage::new(ask, page, (basket, form), (&quoted, &wrong));
    view.quote = quote;
    Ok(view)
}

/// `POST /checkout/{slug}`: places the order and goes to pay, or to the key when it is free.
pub async fn place(
    ask: Ask,
    Path(slug): Path<String>,
    form: Result<CsrfForm<BuyForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let (product, price) = offered(&ask, &slug, Some(&form.price)).await?;
    let basket = Basket::one(&product, &price, &form).located(&ask).await?;
    if form.count().is_none() {
        return refused(422, &drawn(&ask, &basket, &form, Wrong::default()).await?);
    }
    bid(&ask, &basket, &form).await
}

/// The checkout of a whole cart.
pub(super) async fn draw_all(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    html(&drawn(ask, basket, form, Wrong::default()).await?)
}

/// Confirms a whole cart.
pub(super) async fn buy_all(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    bid(ask, basket, form).await
}

/// Confirms what the form was drawn with, or draws it again.
async fn bid(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    if form.act == "apply" {
        return html(&drawn(ask, basket, form, Wrong::default()).await?);
    }
    let caller = &ask.visitor.caller;
    let promise = Promise::open(&form.quote, &ask.app.keys, caller.tenant)?;
    // A cart that is empty was bought a moment ago by the same form: its order is answered again.
    let again = basket.cart.is_some() && basket.items.is_empty();
    let shown = promise.wanted()?;
    // Who brought the buyer is no part of what was shown: what the quote holds counts.
    let typed = Wanted {
        referred: shown.referred.clone(),
        ..basket.wanted(form)
    };
    if !again && shown != typed {
        // What was typed since is not what was shown: look before you pay.
        let over = Some(ask.page("checkout-title").say("checkout-look-again"));
        let wrong = Wrong {
            over,
            ..Wrong::default()
        };
        return refused(409, &drawn(ask, basket, form, wrong).await?);
    }
    let identity = caller.account.map(|account| account.to_string());
    let identity = identity.unwrap_or_else(|| ask.visitor.client_key());
    flow::limit_confirms(&ask.app, &identity)?;
    let bid = Bid {
        promise: promise.clone(),
        email: (!ask.visitor.is_signed_in()).then(|| form.email.trim().to_owned()),
        network: Some((&ask.visitor).into()),
        traffic: match form.from.as_str() {
            "seller" => Traffic::Seller,
            _ => Traffic::Marketplace,
        },
        provider: None,
        cart: basket.cart,
        waived: !form.waiver.is_empty(),
        gift: form.gift.wish(),
    };
    match flow::confirm_quote(&ask.app, caller, bid).await {
        Ok(started) => go_to(&next_of(&started)),
        Err(_) if again => go_to(&basket.back),
        Err(error) => {
            let (status, wrong) = explained(ask, &promise, error)?;
            refused(status, &drawn(ask, basket, form, wrong).await?)
        }
    }
}

/// The payment page, or the order when there is nothing to pay.
fn next_of(started: &Started) -> String {
    started
        .pay_url
        .clone()
        .unwrap_or_else(|| started.order_path())
}

/// What the buyer can mend is said on the form; the rest is a problem.
fn explained(
    ask: &Ask,
    promise: &Promise,
    error: FulfilmentError,
) -> Result<(u16, Wrong), Problem> {
    let page = ask.page("checkout-title");
    let mut wrong = Wrong::default();
    match error {
        FulfilmentError::Order(OrderError::EmailMissing | OrderError::EmailMalformed) => {
            wrong.email = Some(page.say("checkout-email-wrong"));
            Ok((422, wrong))
        }
        FulfilmentError::ConsentMissing => {
            wrong.waiver = true;
            Ok((422, wrong))
        }
        FulfilmentError::Gift(error) => {
            wrong.gift = GiftWrong::of(&page, error)?;
            Ok((422, wrong))
        }
        FulfilmentError::QuoteChanged(quoted) => {
            wrong.over = Some(changes_text(&page, promise, &quoted));
            Ok((409, wrong))
        }
        FulfilmentError::Tax(TaxError::VatId | TaxError::VatIdElsewhere(_)) => Ok((422, wrong)),
        FulfilmentError::Order(OrderError::OwnProduct) => {
            wrong.over = Some(page.say("checkout-own"));
            Ok((422, wrong))
        }
        FulfilmentError::Risk(RiskError::Refused(decision)) => {
            wrong.over = Some(page.say_one("risk-refused", "number", decision.id.to_string()));
            Ok((403, wrong))
        }
        FulfilmentError::Risk(RiskError::SignIn(_)) => {
            wrong.over = Some(page.say("risk-sign-in"));
            Ok((403, wrong))
        }
        FulfilmentError::Order(OrderError::CountryNotServed(_)) => {
            wrong.over = Some(page.say("checkout-country-wrong"));
            Ok((422, wrong))
        }
        FulfilmentError::Order(
            OrderError::BelowFees | OrderError::TooMany(_) | OrderError::AmountTooLow(_),
        ) => Ok((422, wrong)),
        other => Err(other.into()),
    }
}

/// What changed since the page was drawn, line by line, and the new total.
fn changes_text(page: &Page, promise: &Promise, quoted: &Quoted) -> String {
    let total = page.format.money(quoted.total);
    let mut sentences = vec![page.say_one("checkout-changed", "total", total)];
    for change in promise.changes(quoted) {
        let key = match change.figure {
            Figure::Price => "checkout-changed-price",
            Figure::Discount => "checkout-changed-discount",
            Figure::Tax => "checkout-changed-tax",
        };
        let values = [
            ("title", change.title.as_str().into()),
            ("was", page.format.money(change.was).into()),
            ("now", page.format.money(change.now).into()),
        ];
        sentences.push(page.words.say_with(key, values));
    }
    if !promise.terms_hold(quoted) {
        sentences.push(page.say("checkout-changed-terms"));
    }
    sentences.join(" ")
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
    let started = flow::pay_again(
        &ask.app,
        &ask.visitor.caller,
        (order, token.t),
        Some((&ask.visitor).into()),
    )
    .await?;
    go_to(&next_of(&started))
}
