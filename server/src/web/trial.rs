//! A trial: what it says wherever a price is shown, and the page on which one begins.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::methods::Methods;
use super::page::{Page, Section};
use super::parts::{Badge, Choice, Crumbs, Field, Notice, Tone};
use super::shelf::{kind_badge, price_text};
use super::tax::quote_text;
use crate::domains::catalog::ops::{ProductAt, offered_at};
use crate::domains::catalog::tokens::fold;
use crate::domains::catalog::{Price, Product};
use crate::domains::fees::http as fees;
use crate::domains::fulfilment::{Item, Quoted, Wanted, flow};
use crate::domains::ledger::Traffic;
use crate::domains::methods::http::chosen;
use crate::domains::methods::{Method, MethodError, MyMethods, my_methods};
use crate::domains::orders::OrderError;
use crate::domains::subscriptions::{StartTrial, SubscriptionError, Tried, start_trial, tried};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::PriceId;
use mintreu::{Money, Timestamp};
use serde::Deserialize;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// `14 days free`; none for a price that can't be tried.
pub fn trial_text(page: &Page, price: &Price) -> Option<String> {
    Some(page.say_one("trial-short", "count", price.trial?.days))
}

fn with_price(page: &Page, key: &str, price: &Price) -> Option<String> {
    let values = [
        ("count", price.trial?.days.into()),
        ("price", price_text(page, price).into()),
    ];
    Some(page.words.say_with(key, values))
}

/// How a price can be tried: in words, where, and what the button says.
pub fn offer(page: &Page, slug: &str, price: &Price) -> Option<[String; 3]> {
    Some([
        with_price(page, "trial-offer", price)?,
        format!("/p/{slug}/try?price={}", price.id),
        with_price(page, "trial-button", price)?,
    ])
}

fn ends_at(price: &Price, now: Timestamp) -> Option<Timestamp> {
    Some(now.plus_ms(price.trial?.days.saturating_mul(DAY_MS)))
}

/// When who begins `now` is charged, and how much.
pub fn example(page: &Page, price: &Price, now: Timestamp) -> Option<String> {
    let values = [
        ("date", page.format.date(ends_at(price, now)?).into()),
        ("price", price_text(page, price).into()),
    ];
    Some(page.words.say_with("trial-example", values))
}

#[derive(Template)]
#[template(path = "trial.html")]
struct TrialPage {
    page: Page,
    crumbs: Crumbs,
    heading: String,
    /// Whether they tried it before: they are offered to buy.
    used: bool,
    /// Where it is bought instead, and what the link says.
    buy: (String, String),
    post_to: String,
    price: String,
    days: i64,
    name: String,
    seller: String,
    badge: Badge,
    offer: String,
    today: String,
    first_on: String,
    first: String,
    /// The first charge as it was shown: it comes back with the form.
    first_minor: i64,
    then: String,
    tax: String,
    /// Where the buyer is, where it matters.
    country: Option<Field>,
    methods: Methods,
    /// Whether it may begin without a method.
    later: bool,
    cancel: String,
}

/// Which price.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    price: String,
    country: String,
}

/// What the form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct TrialForm {
    price: String,
    /// Where the buyer is, where it matters.
    country: String,
    /// `apply` when the form shall only be drawn again.
    act: String,
    days: i64,
    first: i64,
    method: String,
}

/// What is wrong with what was typed.
#[derive(Debug, Clone, Default)]
struct Wrong {
    method: bool,
    used: bool,
    over: Option<&'static str>,
}

/// What can be tried, and what it will cost where the buyer is.
struct Tryable {
    product: Product,
    /// What was asked for; another may stand in for it where the buyer is.
    asked: Price,
    price: Price,
    days: i64,
    country: Option<String>,
    quoted: Quoted,
    /// What could be charged when it ends.
    own: Vec<Method>,
}

fn missing() -> Problem {
    Problem::not_found("This can't be tried.")
}

/// Where the buyer is: as chosen, else as it is known, else the first country that it is for.
fn country_of(
    places: &[String],
    asked: &Price,
    form: &str,
    known: Option<String>,
) -> Option<String> {
    let named = |country: &&String| places.contains(country);
    let chosen = Some(form.to_owned()).filter(|chosen| named(&chosen));
    let anywhere = asked.bounds.countries.is_empty();
    let known = known.filter(|known| anywhere || named(&known));
    let must = places.first().filter(|_| !anywhere).cloned();
    chosen.or(known).or(must)
}

/// The price where the buyer is, with today's quote of its first period.
async fn tryable(ask: &Ask, slug: &str, (price, chosen): (&str, &str)) -> Result<Tryable, Problem> {
    let caller = &ask.visitor.caller;
    let query = ProductAt {
        slug: slug.to_owned(),
    };
    let product = ask.app.read(caller, query, offered_at).await?;
    let id = PriceId::parse(price).map_err(|_| missing())?;
    let asked = product.price(id).ok_or_else(missing)?.clone();
    let nothing = Wanted::default();
    let place = flow::whereabouts(&ask.app, caller, &ask.languages, nothing).await?;
    let places = product.places_of(&asked);
    let country = country_of(&places, &asked, chosen, place.country.clone());
    // What an account said of its place holds for that place.
    let place = match country == place.country {
        true => place,
        false => Wanted {
            country: country.clone(),
            ..Wanted::default()
        },
    };
    let price = product.price_in(&asked, country.as_deref()).clone();
    let trial = price
        .trial
        .filter(|_| product.is_sold())
        .ok_or_else(missing)?;
    let wanted = Wanted {
        items: vec![Item::new(price.id, 1)],
        ..place
    };
    let quoted = flow::quote_of(&ask.app, caller, wanted, None).await?;
    Ok(Tryable {
        own: ask.app.read(caller, MyMethods, my_methods).await?,
        product,
        days: trial.days,
        asked,
        price,
        country,
        quoted,
    })
}

/// `GET /p/{slug}/try?price=…`.
pub async fn show(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let found = tryable(&ask, &slug, (&which.price, &which.country)).await?;
    let query = Tried {
        product: found.product.id,
        keys: ask.app.keys.clone(),
    };
    let used = ask.app.read(&ask.visitor.caller, query, tried).await?;
    let wrong = Wrong {
        used,
        ..Wrong::default()
    };
    html(&drawn(&ask, &found, &wrong))
}

/// `POST /p/{slug}/try`: begins the trial, or draws the page again with what is wrong.
pub async fn begin(
    ask: Ask,
    Path(slug): Path<String>,
    form: Result<CsrfForm<TrialForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let found = tryable(&ask, &slug, (&form.price, &form.country)).await?;
    if form.act == "apply" {
        return html(&drawn(&ask, &found, &Wrong::default()));
    }
    let again = |status: u16, wrong: Wrong| refused(status, &drawn(&ask, &found, &wrong));
    if form.first != found.quoted.total.minor() {
        return again(409, over("trial-changed"));
    }
    let command = match command(&ask, &found, &form).await {
        Ok(command) => command,
        Err(MethodError::NotFound) => return again(422, method_wrong()),
        Err(error) => return Err(Problem::from(error).into()),
    };
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, start_trial).await {
        Ok(id) => go_to(&format!("/subscriptions/{id}")),
        Err(SubscriptionError::TrialUsed) => {
            let wrong = Wrong {
                used: true,
                ..Wrong::default()
            };
            again(409, wrong)
        }
        Err(SubscriptionError::TrialMethod) => again(422, method_wrong()),
        Err(SubscriptionError::TrialChanged) => again(409, over("trial-changed")),
        Err(SubscriptionError::Order(OrderError::OwnProduct)) => again(422, over("trial-own")),
        Err(SubscriptionError::Order(OrderError::CountryNotServed(_))) => {
            again(422, over("trial-elsewhere"))
        }
        Err(error) => Err(error.into()),
    }
}

fn over(key: &'static str) -> Wrong {
    Wrong {
        over: Some(key),
        ..Wrong::default()
    }
}

fn method_wrong() -> Wrong {
    Wrong {
        method: true,
        ..Wrong::default()
    }
}

async fn command(ask: &Ask, found: &Tryable, form: &TrialForm) -> Result<StartTrial, MethodError> {
    let (provider, method) = match form.method.as_str() {
        "" => None,
        method => Some(chosen(&ask.app, &ask.visitor.caller, method).await?),
    }
    .map(|one| (one.provider, one.name))
    .unzip();
    Ok(StartTrial {
        price: found.price.id,
        seen: Some((form.days, found.price.amount.minor())),
        country: found.country.clone(),
        zone: String::new(),
        provider: provider.unwrap_or_default(),
        method,
        traffic: Traffic::Marketplace,
        fees: fees::settings(&ask.app),
        tariff: fees::tariff(&ask.app),
        locale: ask.locale,
    })
}

fn drawn(ask: &Ask, found: &Tryable, wrong: &Wrong) -> TrialPage {
    let mut page = ask.section_page("trial-title", Section::Shop);
    if let Some(key) = wrong.over {
        page.notice = Some(Notice::new(Tone::Bad, page.say(key)));
    }
    let (product, price) = (&found.product, &found.price);
    let ends = ends_at(price, ask.app.now()).map(|at| page.format.date(at));
    let ends = ends.unwrap_or_default();
    let steps = vec![(product.name.clone(), format!("/p/{}", product.slug))];
    let heading = page.say(match wrong.used {
        true => "trial-used-title",
        false => "trial-title",
    });
    let later = price.trial.is_some_and(|trial| trial.without_method);
    TrialPage {
        crumbs: page.crumbs(steps, &heading),
        used: wrong.used,
        buy: (
            format!("/checkout/{}?price={}", product.slug, price.id),
            page.say_one("trial-buy", "price", price_text(&page, price)),
        ),
        post_to: format!("/p/{}/try", product.slug),
        price: found.asked.id.to_string(),
        country: country_field(&page, found),
        days: found.days,
        name: product.name.clone(),
        seller: page.say_one("product-by", "seller", product.seller.name.as_str()),
        badge: kind_badge(&page, product.kind),
        offer: with_price(&page, "trial-offer", price).unwrap_or_default(),
        today: page.format.money(Money::zero(price.amount.currency())),
        first_on: page.say_one("trial-first", "date", ends.as_str()),
        first: page.format.money(found.quoted.total),
        first_minor: found.quoted.total.minor(),
        then: price_text(&page, price),
        tax: quote_text(&page, &found.quoted),
        methods: methods(&page, found, later, wrong),
        later,
        cancel: page.say_one("trial-cancel", "date", ends.as_str()),
        heading,
        page,
    }
}

/// Where the buyer is, where the price is for some countries or another stands in for it there.
fn country_field(page: &Page, found: &Tryable) -> Option<Field> {
    let places = found.product.places_of(&found.asked);
    if places.is_empty() {
        return None;
    }
    let choice = |code: String| Choice {
        text: page.format.country(&code).to_owned(),
        value: code,
    };
    let mut choices: Vec<_> = places.into_iter().map(choice).collect();
    choices.sort_by_cached_key(|choice| fold(&choice.text));
    if found.asked.bounds.countries.is_empty() {
        let other = Choice {
            value: String::new(),
            text: page.say("checkout-elsewhere"),
        };
        choices.insert(0, other);
    }
    let field = Field::select("country", page.say("checkout-country"), choices);
    let field = field.hint(page.say("checkout-country-hint"));
    Some(field.value(found.country.clone().unwrap_or_default()))
}

/// What is charged when the trial ends.
fn methods(page: &Page, found: &Tryable, later: bool, wrong: &Wrong) -> Methods {
    let back = format!("/p/{}/try?price={}", found.product.slug, found.asked.id);
    let methods = Methods::new(page, &found.own, None, back);
    let methods = match later {
        true => methods.or_later(page.say("trial-pay-later")),
        false => methods,
    };
    methods.error(wrong.method.then(|| page.say("trial-method-wrong")))
}
