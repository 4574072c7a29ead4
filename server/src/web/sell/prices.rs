//! A product's prices and plans: what is for sale, what was, a form for the next version, what an
//! example costs, and the move of those who subscribed.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::cycle::{self, read_model};
use super::super::page::{Page, Section};
use super::super::parts::currencies;
use super::super::parts::{Choice, Crumbs, Field};
use super::super::shelf::price_text;
use super::super::trial::{example, trial_text};
use super::form::{entitlement_lines, error_key, read_amount, read_entitlements};
use super::must_sell;
use super::quotas::{quota_lines, read_quotas};
use crate::domains::catalog::model::{
    Cycle, FieldError, LicenseTerms, PriceBook, PriceDraft, Trial, Unit, Version,
};
use crate::domains::catalog::ops::{
    AddPrice, CatalogError, ChangePrice, PriceVersions, SwitchPrice, add_price, change_price,
    price_versions, switch_price,
};
use crate::domains::catalog::{Price, PriceModel, Product};
use crate::domains::licensing::batches::rows::instant;
use crate::domains::subscriptions::{Reprice, SubscriptionError, reprice};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::Currency;
use mintreu::id::{PriceId, ProductId};
use mintreu::price::rate;
use serde::Deserialize;

/// Inputs that can't be read, and the keys of why.
type Unread = Vec<(&'static str, &'static str)>;
/// The name of a cycle of one's own in the list of ways to charge.
const OTHER: &str = "other";
/// What the form says where a trial begins without a payment method.
const LATER: &str = "later";
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

/// What the form of a price sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PriceForm {
    price: String,
    model: String,
    /// A cycle of one's own: so many of which unit.
    cycle_count: String,
    cycle_unit: String,
    amount: String,
    currency: String,
    minimum: String,
    most: String,
    countries: String,
    region_of: String,
    seats: String,
    entitlements: String,
    quotas: String,
    /// Days; nothing for none.
    trial: String,
    /// `later` where no payment method is asked for first.
    trial_method: String,
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

/// A mistake at an input: its name and the sentence.
type Mistake = (&'static str, String);

fn missing() -> Problem {
    Problem::not_found("There is no such price.")
}

/// An amount without its currency, as it is typed.
fn digits(minor: i64, currency: Currency) -> String {
    let text = mintreu::Money::new(minor, currency).to_string();
    text.split(' ').next().unwrap_or_default().to_owned()
}

impl PriceForm {
    fn new() -> Self {
        Self {
            model: "one_time".to_owned(),
            currency: "EUR".to_owned(),
            ..Self::default()
        }
    }

    fn of(price: &Price) -> Self {
        let currency = price.amount.currency();
        let least = price.bounds.minimum_minor;
        let terms = price.terms.as_ref();
        Self {
            price: price.id.to_string(),
            model: cycle::model_name(price),
            cycle_count: String::new(),
            cycle_unit: String::new(),
            amount: digits(price.amount.minor(), currency),
            currency: currency.code().to_owned(),
            minimum: least.map_or(String::new(), |least| digits(least, currency)),
            most: (price.bounds.most).map_or(String::new(), |most| most.to_string()),
            countries: price.bounds.countries.join(" "),
            region_of: String::new(),
            seats: terms.map_or(String::new(), |terms| terms.seats.to_string()),
            entitlements: terms.map_or(String::new(), entitlement_lines),
            quotas: terms.map_or(String::new(), quota_lines),
            trial: (price.trial).map_or(String::new(), |trial| trial.days.to_string()),
            trial_method: match price.trial {
                Some(trial) if trial.without_method => LATER.to_owned(),
                _ => String::new(),
            },
        }
    }

    /// How it can be tried, as the form says.
    fn trial(&self, wrong: &mut Vec<(&'static str, &'static str)>) -> Option<Trial> {
        let days = self.trial.trim();
        if days.is_empty() || days == "0" {
            return None;
        }
        let days = days.parse().unwrap_or_else(|_| {
            wrong.push(("trial", "field-number"));
            1
        });
        Some(Trial {
            days,
            without_method: self.trial_method == LATER,
        })
    }

    /// What the form says that a license grants; nothing where it says nothing.
    fn terms(&self, product: &Product, wrong: &mut Unread) -> Option<LicenseTerms> {
        let said = [&self.seats, &self.entitlements, &self.quotas];
        if said.iter().all(|text| text.trim().is_empty()) {
            return None;
        }
        let seats = match self.seats.trim() {
            "" => product.terms.seats,
            text => text.parse().unwrap_or_else(|_| {
                wrong.push(("seats", "field-number"));
                1
            }),
        };
        Some(LicenseTerms {
            seats,
            entitlements: read_entitlements(&self.entitlements),
            quotas: read_quotas(&self.quotas, wrong),
            ..product.terms.clone()
        })
    }

    /// How it is charged, and how often.
    fn model(&self) -> Result<(PriceModel, Option<Cycle>), Unread> {
        if self.model != OTHER {
            return read_model(&self.model).ok_or_else(|| vec![("model", "field-required")]);
        }
        let count = self.cycle_count.trim().parse();
        let count = count.map_err(|_| vec![("cycle_count", "field-number")])?;
        let cycle = Unit::parse(&self.cycle_unit).and_then(|unit| Cycle::new(unit, count));
        match cycle {
            Some(cycle) => Ok((PriceModel::Recurring, Some(cycle))),
            None => Err(vec![("cycle_count", "field-out-of-range")]),
        }
    }

    /// The draft that the form says, or the inputs that can't be read.
    fn draft(&self, product: &Product) -> Result<PriceDraft, Unread> {
        let mut wrong = Vec::new();
        let (model, period) = self.model()?;
        let currency = Currency::parse(&self.currency);
        let mut amount = |input, text: &str| {
            let text = text.trim();
            let read = currency
                .as_ref()
                .ok()
                .map(|currency| read_amount(text, *currency));
            match read {
                Some(Ok(minor)) => Some(minor),
                _ if text.is_empty() => None,
                _ => {
                    wrong.push((input, "field-amount"));
                    None
                }
            }
        };
        let charged = matches!(model, PriceModel::OneTime | PriceModel::Recurring);
        let amount_minor = if charged {
            amount("amount", &self.amount)
        } else {
            None
        };
        let minimum_minor = amount("minimum", &self.minimum);
        let most = match self.most.trim() {
            "" => None,
            text => match text.parse() {
                Ok(most) => Some(most),
                Err(_) => {
                    wrong.push(("most", "field-number"));
                    None
                }
            },
        };
        let terms = self.terms(product, &mut wrong);
        let trial = self.trial(&mut wrong);
        let places = self.countries.split([' ', ',', ';', '\n', '\r']);
        let draft = PriceDraft {
            model,
            period,
            amount_minor: amount_minor.unwrap_or(0),
            currency: self.currency.clone(),
            minimum_minor,
            most,
            countries: places
                .filter(|place| !place.is_empty())
                .map(str::to_owned)
                .collect(),
            terms,
            trial,
        };
        match wrong.is_empty() {
            true => Ok(draft),
            false => Err(wrong),
        }
    }
}

/// The input that a mistake of the domain stands at.
fn input_of(field: &str) -> &'static str {
    match field {
        "amount_minor" => "amount",
        "minimum_minor" => "minimum",
        "most" => "most",
        "countries" => "countries",
        "currency" => "currency",
        "region_of" => "region_of",
        "terms" => "entitlements",
        "period" => "cycle_count",
        "trial" => "trial",
        _ => "model",
    }
}

fn told(page: &Page, found: &[FieldError]) -> Vec<Mistake> {
    let at = |error: &FieldError| {
        let key = match (error.field, error.code) {
            ("countries", "out_of_range") => "prices-countries-wrong",
            ("countries", "duplicate") => "prices-countries-twice",
            ("countries", "required") => "prices-countries-missing",
            ("prices", _) => "prices-last",
            ("trial", "out_of_range") => "trial-days-wrong",
            (_, "fixed") => "prices-fixed",
            (_, code) => error_key(code),
        };
        (input_of(error.field), page.words.say(key))
    };
    found.iter().map(at).collect()
}

fn choice(value: impl Into<String>, text: impl Into<String>) -> Choice {
    Choice {
        value: value.into(),
        text: text.into(),
    }
}

/// The ways to charge, and a cycle of one's own.
fn models(page: &Page, chosen: &str) -> Vec<Choice> {
    let mut models = cycle::models(page, chosen);
    let at = models.len().saturating_sub(1);
    models.insert(at, choice(OTHER, page.say("cycle-other")));
    models
}

/// A price with its countries.
fn full_text(page: &Page, price: &Price) -> String {
    match price.bounds.countries.as_slice() {
        [] => price_text(page, price),
        places => format!(
            "{} · {}",
            price_text(page, price),
            page.format.places(places)
        ),
    }
}

fn fields(page: &Page, product: &Product, form: &PriceForm, wrong: &[Mistake]) -> Vec<Field> {
    let error = |input: &str| {
        let found = wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, text)| text.clone())
    };
    let text = |input: &'static str, label: &str, hint: &str, value: &str| {
        let field = Field::text(input, page.words.say(label)).hint(page.words.say(hint));
        field.value(value).error(error(input))
    };
    let model = Field::select("model", page.say("prices-model"), models(page, &form.model));
    let unit = Field::select("cycle_unit", page.say("cycle-unit"), cycle::units(page));
    let currency = Field::select("currency", page.say("edit-currency"), currencies());
    let mut fields = vec![
        model.value(&form.model).error(error("model")).full(),
        text(
            "cycle_count",
            "cycle-count",
            "cycle-count-hint",
            &form.cycle_count,
        )
        .input_mode("numeric")
        .max_length(3),
        unit.value(&form.cycle_unit).error(error("cycle_unit")),
        text("amount", "edit-amount", "edit-amount-hint", &form.amount)
            .input_mode("decimal")
            .max_length(20),
        currency.value(&form.currency).error(error("currency")),
        text(
            "minimum",
            "edit-minimum",
            "edit-minimum-hint",
            &form.minimum,
        )
        .input_mode("decimal")
        .max_length(20),
        text("most", "edit-most", "edit-most-hint", &form.most)
            .input_mode("numeric")
            .max_length(3),
        text(
            "countries",
            "edit-countries",
            "prices-countries-hint",
            &form.countries,
        )
        .max_length(800)
        .full(),
    ];
    let area = |input: &'static str, label: &str, hint: &str, value: &str| {
        let field = Field::area(input, page.words.say(label)).hint(page.words.say(hint));
        field.value(value).error(error(input)).full()
    };
    fields.extend([
        text("seats", "edit-seats", "prices-terms-hint", &form.seats)
            .input_mode("numeric")
            .max_length(7),
        area(
            "entitlements",
            "edit-entitlements",
            "edit-entitlements-hint",
            &form.entitlements,
        ),
        area("quotas", "edit-quotas", "edit-quotas-hint", &form.quotas),
    ]);
    let methods = vec![
        choice("", page.say("trial-method-first")),
        choice(LATER, page.say("trial-method-later")),
    ];
    fields.extend([
        text("trial", "trial-days", "trial-days-hint", &form.trial)
            .input_mode("numeric")
            .max_length(2),
        Field::select("trial_method", page.say("trial-method"), methods).value(&form.trial_method),
    ]);
    if form.price.is_empty() && !product.prices.is_empty() {
        let mut of = vec![choice("", page.say("prices-by-itself"))];
        let plans = product.prices.iter();
        of.extend(plans.map(|price| choice(price.id.to_string(), full_text(page, price))));
        let field = Field::select("region_of", page.say("prices-region-of"), of);
        let field = field.hint(page.say("prices-region-of-hint")).full();
        fields.push(field.value(&form.region_of).error(error("region_of")));
    }
    fields
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

fn recurring(version: &&Version) -> bool {
    version.price.model == PriceModel::Recurring
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
