//! A product's prices and plans: what is for sale, what was, a form for the next version, what an
//! example costs, and the move of those who subscribed.

mod form;

use self::form::{Mistake, PriceForm, choice, fields, full_text, told};
use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Crumbs, Field};
use super::super::shelf::price_text;
use super::super::trial::{example, trial_text};
use super::must_sell;
use crate::domains::catalog::model::{PriceBook, Version};
use crate::domains::catalog::ops::{
    AddPrice, CatalogError, ChangePrice, PriceVersions, SwitchPrice, add_price, change_price,
    price_versions, switch_price,
};
use crate::domains::catalog::{PriceModel, Product};
use crate::domains::licensing::batches::rows::instant;
use crate::domains::subscriptions::{Reprice, SubscriptionError, reprice};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{PriceId, ProductId};
use mintreu::price::rate;
use serde::Deserialize;

/// How many units the example is of, until another number is asked for.
const UNITS: u64 = 1_000;
/// Most units of an example.
const MAX_UNITS: u64 = 1_000_000_000_000;

#[derive(Template)]
#[template(path = "sell/prices.html")]
struct PricesPage {
    page: Page,
    crumbs: Crumbs,
    base: String,
    current: Vec<Row>,
    archived: Vec<Row>,
    heading: String,
    /// The price that is edited; empty for a new one.
    editing: String,
    fields: Vec<Field>,
    action: String,
    units: Field,
    bills: Vec<MeterBill>,
    /// When who begins today is charged, for each price that can be tried.
    trials: Vec<String>,
    /// How to move subscribers; empty where nothing recurs.
    moving: Vec<Field>,
    told: Option<String>,
}

struct Row {
    id: String,
    text: String,
    /// For whom: everybody, or some countries.
    places: String,
    since: String,
}

struct MeterBill {
    meter: String,
    /// Each line as arithmetic.
    lines: Vec<String>,
    total: String,
}

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    units: String,
    edit: Option<String>,
    /// How many subscribers were told a moment ago.
    told: Option<i64>,
}

/// What the button of a row sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchForm {
    price: String,
    on: String,
}

/// What the form of a move sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MoveForm {
    before: String,
    to: String,
    day: String,
}

fn missing() -> Problem {
    Problem::not_found("There is no such price.")
}

/// What so many units of each meter cost.
fn bills(page: &Page, product: &Product, units: u64) -> Vec<MeterBill> {
    let bill = |meter: &crate::domains::catalog::Meter| {
        let rated = rate(meter.tariff.as_ref()?, units);
        let (lines, total) = match rated {
            Ok(rated) => {
                let lines = rated.lines.iter().map(mintreu::price::Line::explain);
                (lines.collect(), page.format.money(rated.total))
            }
            Err(_) => (Vec::new(), page.say("prices-example-none")),
        };
        Some(MeterBill {
            meter: meter.name.clone(),
            lines,
            total,
        })
    };
    product.meters.iter().filter_map(bill).collect()
}

/// What goes on until somebody ends it: only from there and to there subscribers are moved.
fn recurring(version: &&Version) -> bool {
    let price = &version.price;
    price.model == PriceModel::Recurring && price.bounds.renewing.payments.is_none()
}

fn moving(page: &Page, book: &PriceBook, form: &MoveForm, wrong: &[Mistake]) -> Vec<Field> {
    let all = book.versions.iter().filter(recurring);
    let to: Vec<_> = all
        .filter(|version| version.archived_at.is_none())
        .map(|version| {
            choice(
                version.price.id.to_string(),
                full_text(page, &version.price),
            )
        })
        .collect();
    if to.is_empty() {
        return Vec::new();
    }
    let before = book.versions.iter().filter(recurring).map(|version| {
        let text = full_text(page, &version.price);
        let text = match version.archived_at {
            None => text,
            Some(at) => {
                let values = [
                    ("price", text.into()),
                    ("date", page.format.date(at).into()),
                ];
                page.words.say_with("prices-was", values)
            }
        };
        choice(version.price.id.to_string(), text)
    });
    let error = |input: &str| {
        let found = wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, text)| text.clone())
    };
    vec![
        Field::select("before", page.say("prices-move-from"), before.collect())
            .value(&form.before)
            .error(error("before")),
        Field::select("to", page.say("prices-move-to"), to)
            .value(&form.to)
            .error(error("to")),
        Field::text("day", page.say("prices-move-day"))
            .hint(page.say("prices-move-day-hint"))
            .value(&form.day)
            .max_length(10)
            .error(error("day")),
    ]
}

fn row(page: &Page, version: &Version) -> Row {
    let price = &version.price;
    let places = match (price.regional, price.bounds.countries.as_slice()) {
        (_, []) => page.say("prices-everywhere"),
        (true, places) => page.say_one("prices-instead", "places", page.format.places(places)),
        (false, places) => page.say_one("prices-only", "places", page.format.places(places)),
    };
    Row {
        id: price.id.to_string(),
        text: match trial_text(page, price) {
            Some(trial) => format!("{} · {trial}", price_text(page, price)),
            None => price_text(page, price),
        },
        places,
        since: page
            .format
            .date(version.archived_at.unwrap_or(version.created_at)),
    }
}

/// What the page is drawn from.
struct Shown<'a> {
    book: &'a PriceBook,
    form: &'a PriceForm,
    moving: &'a MoveForm,
    wrong: &'a [Mistake],
    units: u64,
    told: Option<i64>,
}

fn drawn(ask: &Ask, shown: &Shown<'_>) -> PricesPage {
    let page = ask.section_page("prices-title", Section::Sell);
    let product = &shown.book.product;
    let base = format!("/sell/products/{}", product.id);
    let steps = vec![
        (page.say("sell-products"), "/sell/products".to_owned()),
        (product.name.clone(), base.clone()),
    ];
    let rows = |archived: bool| {
        let all = shown.book.versions.iter();
        let found = all.filter(|version| version.archived_at.is_some() == archived);
        found.map(|version| row(&page, version)).collect()
    };
    let editing = !shown.form.price.is_empty();
    PricesPage {
        crumbs: page.crumbs(steps, &page.say("prices-title")),
        current: rows(false),
        archived: rows(true),
        heading: page.say(if editing { "prices-edit" } else { "prices-add" }),
        editing: shown.form.price.clone(),
        fields: fields(&page, product, shown.form, shown.wrong),
        action: page.say(if editing {
            "prices-save"
        } else {
            "prices-create"
        }),
        units: Field::text("units", page.say("prices-units"))
            .input_mode("numeric")
            .max_length(13)
            .value(shown.units.to_string()),
        bills: bills(&page, product, shown.units),
        trials: (product.prices.iter().chain(&product.regional))
            .filter_map(|price| example(&page, price, ask.app.now()))
            .collect(),
        moving: moving(&page, shown.book, shown.moving, shown.wrong),
        told: shown
            .told
            .map(|told| page.say_one("prices-told", "count", told)),
        base,
        page,
    }
}

async fn book(ask: &Ask, id: &str) -> Result<PriceBook, Problem> {
    let absent = || Problem::not_found("There is no such product.");
    let product = ProductId::parse(id).map_err(|_| absent())?;
    let query = PriceVersions { product };
    let read = ask.app.read(&ask.visitor.caller, query, price_versions);
    Ok(read.await?)
}

/// `GET /sell/products/{id}/prices`.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(which) = which?;
    let book = book(&ask, &id).await?;
    let form = match &which.edit {
        None => PriceForm::new(),
        Some(price) => {
            let price = PriceId::parse(price).map_err(|_| missing())?;
            PriceForm::of(book.product.price(price).ok_or_else(missing)?)
        }
    };
    let units = which.units.trim().parse().unwrap_or(UNITS).min(MAX_UNITS);
    html(&drawn(
        &ask,
        &Shown {
            book: &book,
            form: &form,
            moving: &MoveForm::default(),
            wrong: &[],
            units,
            told: which.told,
        },
    ))
}

fn again(
    ask: &Ask,
    book: &PriceBook,
    (form, moving): (&PriceForm, &MoveForm),
    wrong: &[Mistake],
) -> Answer {
    let shown = Shown {
        book,
        form,
        moving,
        wrong,
        units: UNITS,
        told: None,
    };
    refused(422, &drawn(ask, &shown))
}

/// `POST /sell/products/{id}/prices`: adds a price, or puts a version in the place of one.
pub async fn save(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<PriceForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let book = book(&ask, &id).await?;
    let page = ask.page("prices-title");
    let both = (&form, &MoveForm::default());
    let draft = match form.draft(&book.product) {
        Ok(draft) => draft,
        Err(wrong) => {
            let wrong = wrong.iter().map(|(at, key)| (*at, page.words.say(key)));
            return again(&ask, &book, both, &wrong.collect::<Vec<_>>());
        }
    };
    let parse = |text: &str| PriceId::parse(text).map_err(|_| missing());
    let caller = &ask.visitor.caller;
    let saved = if form.price.is_empty() {
        let of = Some(form.region_of.as_str()).filter(|text| !text.is_empty());
        let command = AddPrice {
            product: book.product.id,
            draft,
            region_of: of.map(parse).transpose()?,
        };
        ask.app.transact(caller, command, add_price).await
    } else {
        let command = ChangePrice {
            price: parse(&form.price)?,
            draft,
        };
        ask.app.transact(caller, command, change_price).await
    };
    match saved {
        Ok(_) => go_to(&format!("/sell/products/{}/prices", book.product.id)),
        Err(CatalogError::Invalid(found)) => again(&ask, &book, both, &told(&page, &found)),
        Err(error) => Err(error.into()),
    }
}

/// `POST /sell/products/{id}/prices/switch`: out of sale, or back.
pub async fn switch(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<SwitchForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let command = SwitchPrice {
        price: PriceId::parse(&form.price).map_err(|_| missing())?,
        on: form.on == "yes",
    };
    let book = book(&ask, &id).await?;
    let switched = ask.app.transact(&ask.visitor.caller, command, switch_price);
    match switched.await {
        Ok(_) => go_to(&format!("/sell/products/{}/prices", book.product.id)),
        Err(CatalogError::Invalid(found)) => {
            let wrong = told(&ask.page("prices-title"), &found);
            let both = (&PriceForm::new(), &MoveForm::default());
            again(&ask, &book, both, &wrong)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sell/products/{id}/prices/move`: tells subscribers of another price.
pub async fn move_subscribers(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<MoveForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let book = book(&ask, &id).await?;
    let page = ask.page("prices-title");
    let both = (&PriceForm::new(), &form);
    let Ok(from) = instant(form.day.trim()) else {
        let wrong = [("day", page.say("prices-move-day-wrong"))];
        return again(&ask, &book, both, &wrong);
    };
    let command = Reprice {
        product: book.product.id,
        price: PriceId::parse(&form.before).map_err(|_| missing())?,
        to: PriceId::parse(&form.to).map_err(|_| missing())?,
        from,
    };
    match ask
        .app
        .transact(&ask.visitor.caller, command, reprice)
        .await
    {
        Ok(told) => go_to(&format!(
            "/sell/products/{}/prices?told={told}",
            book.product.id
        )),
        Err(SubscriptionError::Invalid { field, .. }) => {
            let at = match field {
                "from" => ("day", page.say("prices-move-day-wrong")),
                _ => ("before", page.say("prices-move-alike")),
            };
            again(&ask, &book, both, &[at])
        }
        Err(error) => Err(error.into()),
    }
}
