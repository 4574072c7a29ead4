//! The product form as a page: inputs with their rules, mistakes at their fields, a preview.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::markdown;
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Cover, Crumbs, Field, Notice, Tone};
use super::super::shelf::{kind_badge, kind_name};
use super::form::{MODELS, Mistake, ProductForm, mistakes};
use super::{must_sell, state_badge};
use crate::domains::catalog::model::CategoryCount;
use crate::domains::catalog::ops::{
    ArchiveProduct, CatalogError, Categories, CreateProduct, OwnProduct, PublishProduct,
    UpdateProduct, archive_product, categories, create_product, own_product, publish_product,
    update_product,
};
use crate::domains::catalog::{Kind, Product, State};
use crate::domains::fulfilment::flow;
use crate::domains::ledger::{Split, Traffic};
use crate::problem::Problem;
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::ProductId;
use mintreu::{Currency, Money};

/// Currencies offered in the form.
const CURRENCIES: [&str; 6] = ["EUR", "USD", "GBP", "JPY", "INR", "BDT"];

#[derive(Template)]
#[template(path = "sell/product.html")]
struct EditorPage {
    page: Page,
    crumbs: Crumbs,
    heading: String,
    action: String,
    state: Option<Badge>,
    shown_at: String,
    notice: Option<Notice>,
    parts: Vec<Part>,
    can_archive: bool,
    cover: Cover,
    badge: Badge,
    preview_name: String,
    preview_summary: String,
    preview_price: String,
    /// Example bills of the first price.
    bills: Vec<Bill>,
    /// Rendered and tamed.
    preview_description: String,
}

/// A group of inputs.
struct Part {
    title: String,
    hint: String,
    /// A mistake that no single input is to blame for.
    error: Option<String>,
    fields: Vec<Field>,
}

/// Draws fields with their labels, hints and mistakes; keys follow from the input's name.
struct Draw<'a> {
    page: &'a Page,
    wrong: &'a [Mistake],
}

impl Draw<'_> {
    fn error(&self, input: &str) -> Option<String> {
        let found = self.wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, key)| self.page.words.say(key))
    }

    fn finish(&self, input: &str, field: Field, hint: &str, value: &str) -> Field {
        let field = field.value(value).error(self.error(input));
        if hint.is_empty() {
            field
        } else {
            field.hint(self.page.words.say(hint))
        }
    }

    fn text(&self, input: &'static str, label: &str, hint: &str, value: &str) -> Field {
        self.finish(
            input,
            Field::text(input, self.page.words.say(label)),
            hint,
            value,
        )
    }

    fn area(&self, input: &'static str, label: &str, hint: &str, value: &str) -> Field {
        self.finish(
            input,
            Field::area(input, self.page.words.say(label)),
            hint,
            value,
        )
        .full()
    }

    fn select(&self, input: &'static str, label: &str, choices: Vec<Choice>, value: &str) -> Field {
        let field = Field::select(input, self.page.words.say(label), choices);
        self.finish(input, field, "", value)
    }

    fn part(&self, title: &str, hint: &str, input: &str, fields: Vec<Field>) -> Part {
        Part {
            title: self.page.words.say(title),
            hint: if hint.is_empty() {
                String::new()
            } else {
                self.page.words.say(hint)
            },
            error: self.error(input),
            fields,
        }
    }
}

fn choice(value: &str, text: String) -> Choice {
    Choice {
        value: value.to_owned(),
        text,
    }
}

fn parts(page: &Page, form: &ProductForm, tree: &[CategoryCount], wrong: &[Mistake]) -> Vec<Part> {
    let draw = Draw { page, wrong };
    vec![
        about(&draw, form, tree),
        prices(&draw, form),
        license(&draw, form),
        meters(&draw, form),
        links(&draw, form),
    ]
}

fn about(draw: &Draw<'_>, form: &ProductForm, tree: &[CategoryCount]) -> Part {
    let kinds = Kind::ALL
        .iter()
        .map(|kind| choice(kind.name(), kind_name(draw.page, *kind)));
    let mut places = vec![choice("", draw.page.say("edit-category-none"))];
    let paths = tree.iter().filter(|entry| !entry.category.path.is_empty());
    places.extend(paths.map(|entry| {
        let depth = entry.category.path.matches('/').count();
        let indent = "\u{2003}".repeat(depth);
        choice(
            &entry.category.path,
            format!("{indent}{}", entry.category.name),
        )
    }));
    draw.part(
        "edit-about",
        "",
        "",
        vec![
            draw.text("name", "edit-name", "", &form.name)
                .full()
                .required()
                .max_length(120),
            draw.text(
                "summary",
                "edit-summary",
                "edit-summary-hint",
                &form.summary,
            )
            .full()
            .required()
            .max_length(200),
            draw.select("kind", "edit-kind", kinds.collect(), &form.kind),
            draw.select("category", "edit-category", places, &form.category),
            draw.area(
                "description",
                "edit-description",
                "edit-description-hint",
                &form.description,
            ),
            draw.text("code", "edit-code", "edit-code-hint", &form.code)
                .required()
                .max_length(80),
            draw.text("version", "edit-version", "", &form.version)
                .max_length(60),
        ],
    )
}

fn prices(draw: &Draw<'_>, form: &ProductForm) -> Part {
    let models = || {
        let mut models = vec![choice("", draw.page.say("model-none"))];
        let names = [
            "model-free",
            "model-one-time",
            "model-monthly",
            "model-yearly",
            "model-metered",
        ];
        let known = MODELS.iter().zip(names);
        models.extend(known.map(|(name, key)| choice(name, draw.page.words.say(key))));
        models
    };
    let currencies = || {
        CURRENCIES
            .iter()
            .map(|code| choice(code, (*code).to_owned()))
            .collect()
    };
    let amount = |input, value: &str| {
        draw.text(input, "edit-amount", "edit-amount-hint", value)
            .input_mode("decimal")
            .max_length(20)
    };
    let minimum = |input, value: &str| {
        draw.text(input, "edit-minimum", "edit-minimum-hint", value)
            .input_mode("decimal")
            .max_length(20)
    };
    let most = |input, value: &str| {
        draw.text(input, "edit-most", "edit-most-hint", value)
            .input_mode("numeric")
            .max_length(3)
    };
    let countries = |input, value: &str| {
        draw.text(input, "edit-countries", "edit-countries-hint", value)
            .max_length(800)
            .full()
    };
    draw.part(
        "edit-prices",
        "edit-prices-hint",
        "prices",
        vec![
            draw.select("price1_model", "edit-price-1", models(), &form.price1_model)
                .full(),
            amount("price1_amount", &form.price1_amount),
            draw.select(
                "price1_currency",
                "edit-currency",
                currencies(),
                &form.price1_currency,
            ),
            minimum("price1_minimum", &form.price1_minimum),
            most("price1_most", &form.price1_most),
            countries("price1_countries", &form.price1_countries),
            draw.select("price2_model", "edit-price-2", models(), &form.price2_model)
                .full(),
            amount("price2_amount", &form.price2_amount),
            draw.select(
                "price2_currency",
                "edit-currency",
                currencies(),
                &form.price2_currency,
            ),
            minimum("price2_minimum", &form.price2_minimum),
            most("price2_most", &form.price2_most),
            countries("price2_countries", &form.price2_countries),
        ],
    )
}

fn license(draw: &Draw<'_>, form: &ProductForm) -> Part {
    let number = |input, label: &str, hint: &str, value: &str| {
        draw.text(input, label, hint, value)
            .input_mode("numeric")
            .max_length(10)
    };
    draw.part(
        "edit-license",
        "edit-license-hint",
        "license",
        vec![
            number("seats", "edit-seats", "edit-seats-hint", &form.seats),
            number(
                "validity_days",
                "edit-validity",
                "edit-validity-hint",
                &form.validity_days,
            ),
            draw.area(
                "entitlements",
                "edit-entitlements",
                "edit-entitlements-hint",
                &form.entitlements,
            ),
            draw.area("quotas", "edit-quotas", "edit-quotas-hint", &form.quotas),
            draw.select(
                "seating",
                "edit-seating",
                seating_choices(draw),
                &form.seating,
            )
            .full(),
            number(
                "lease_minutes",
                "edit-lease",
                "edit-lease-hint",
                &form.lease_minutes,
            ),
            number(
                "borrow_days",
                "edit-borrow",
                "edit-borrow-hint",
                &form.borrow_days,
            ),
            draw.select(
                "matching",
                "edit-matching",
                matching_choices(draw),
                &form.matching,
            )
            .full(),
            draw.select(
                "stale_action",
                "edit-stale",
                stale_choices(draw),
                &form.stale_action,
            )
            .full(),
            number(
                "stale_days",
                "edit-stale-days",
                "edit-stale-days-hint",
                &form.stale_days,
            ),
            number(
                "stale_grace_days",
                "edit-stale-grace",
                "edit-stale-grace-hint",
                &form.stale_grace_days,
            ),
        ],
    )
}

/// What a program does that hasn't heard of withdrawn licenses for long.
fn stale_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-stale-ignore"),
            ("warn", "edit-stale-warn"),
            ("lock", "edit-stale-lock"),
        ],
    )
}

/// Whose a seat is.
fn seating_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-seating-device"),
            ("floating", "edit-seating-floating"),
        ],
    )
}

/// How much of a device must still be the same.
fn matching_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-matching-ignore"),
            ("any", "edit-matching-any"),
            ("two", "edit-matching-two"),
            ("most", "edit-matching-most"),
            ("all", "edit-matching-all"),
        ],
    )
}

fn choices(draw: &Draw<'_>, choices: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |&(value, key): &(&str, &str)| Choice {
        value: value.to_owned(),
        text: draw.page.say(key),
    };
    choices.iter().map(choice).collect()
}

fn meters(draw: &Draw<'_>, form: &ProductForm) -> Part {
    draw.part(
        "edit-meters",
        "edit-meters-hint",
        "meters",
        vec![
            draw.text(
                "meter1_name",
                "edit-meter-1",
                "edit-meter-hint",
                &form.meter1_name,
            )
            .max_length(40),
            draw.text(
                "meter1_unit",
                "edit-meter-unit",
                "edit-meter-unit-hint",
                &form.meter1_unit,
            )
            .max_length(40),
            draw.text(
                "meter1_tariff",
                "edit-tariff",
                "edit-tariff-hint",
                &form.meter1_tariff,
            )
            .full()
            .max_length(2000),
            draw.text(
                "meter2_name",
                "edit-meter-2",
                "edit-meter-hint",
                &form.meter2_name,
            )
            .max_length(40),
            draw.text(
                "meter2_unit",
                "edit-meter-unit",
                "edit-meter-unit-hint",
                &form.meter2_unit,
            )
            .max_length(40),
            draw.text(
                "meter2_tariff",
                "edit-tariff",
                "edit-tariff-hint",
                &form.meter2_tariff,
            )
            .full()
            .max_length(2000),
        ],
    )
}

fn links(draw: &Draw<'_>, form: &ProductForm) -> Part {
    draw.part(
        "edit-more",
        "",
        "",
        vec![
            draw.text("slug", "edit-slug", "edit-slug-hint", &form.slug)
                .max_length(80),
            draw.text("spdx", "edit-spdx", "edit-spdx-hint", &form.spdx)
                .max_length(200),
            draw.text("homepage", "edit-homepage", "", &form.homepage)
                .full()
                .input_mode("url")
                .max_length(300),
        ],
    )
}

/// What the editor is drawn from.
struct Shown<'a> {
    form: &'a ProductForm,
    product: Option<&'a Product>,
    tree: &'a [CategoryCount],
    wrong: &'a [Mistake],
    notice: Option<Notice>,
    bills: Vec<Bill>,
}

fn drawn(ask: &Ask, state: Shown<'_>) -> EditorPage {
    let key = if state.product.is_some() {
        "sell-edit-product"
    } else {
        "sell-new-product"
    };
    let page = ask.section_page(key, Section::Sell);
    let kind = Kind::parse(&state.form.kind).unwrap_or(Kind::Download);
    let or = |text: &str, key: &str| match text.trim() {
        "" => page.words.say(key),
        text => text.to_owned(),
    };
    let heading = state
        .product
        .map_or_else(|| page.say(key), |product| product.name.clone());
    let products = (page.say("sell-products"), "/sell/products".to_owned());
    let archived = |product: &Product| product.state == State::Archived;
    let seed = if state.form.slug.is_empty() {
        &state.form.name
    } else {
        &state.form.slug
    };
    EditorPage {
        crumbs: page.crumbs(vec![products], &heading),
        action: state.product.map_or_else(
            || "/sell/products/new".to_owned(),
            |product| format!("/sell/products/{}", product.id),
        ),
        state: state
            .product
            .map(|product| state_badge(&page, product.state)),
        shown_at: state
            .product
            .map(|product| format!("/p/{}", product.slug))
            .unwrap_or_default(),
        notice: state.notice,
        parts: parts(&page, state.form, state.tree, state.wrong),
        can_archive: state.product.is_some_and(|product| !archived(product)),
        cover: Cover::of(seed, kind),
        badge: kind_badge(&page, kind),
        preview_name: or(&state.form.name, "edit-name"),
        preview_summary: or(&state.form.summary, "edit-summary"),
        preview_price: preview_price(&page, state.form),
        bills: state.bills,
        preview_description: markdown::render(&state.form.description),
        heading,
        page,
    }
}

/// What would come of a sale at the first price, by who found the buyer.
pub struct Bill {
    found: String,
    lines: Vec<(String, String)>,
    yours: String,
}

async fn bills(ask: &Ask, form: &ProductForm, product: Option<&Product>) -> Vec<Bill> {
    let page = ask.page("bill-title");
    let charged = ["one_time", "monthly", "yearly"].contains(&form.price1_model.as_str());
    let amount = Currency::parse(&form.price1_currency).and_then(|currency| {
        let minor = mintreu::price::parse_amount(form.price1_amount.trim(), currency)?;
        Ok(Money::new(minor, currency))
    });
    let Some(amount) = amount.ok().filter(|amount| charged && amount.minor() > 0) else {
        return Vec::new();
    };
    let ways = [
        (Traffic::Marketplace, "bill-marketplace"),
        (Traffic::Seller, "bill-own"),
    ];
    let what = (product.map(|product| product.id), form.category.as_str());
    let mut bills = Vec::new();
    for (traffic, key) in ways {
        let sale = (amount, traffic);
        let split = flow::example(&ask.app, &ask.visitor.caller, sale, what).await;
        bills.extend(split.ok().map(|split| bill(&page, key, &split)));
    }
    bills
}

fn bill(page: &Page, key: &str, split: &Split) -> Bill {
    let minus = |money: Money| page.format.money(money.checked_neg().unwrap_or(money));
    let mut lines = vec![(page.say("bill-gross"), page.format.money(split.charged))];
    if split.tax.minor() != 0 {
        lines.push((page.say("bill-tax"), minus(split.tax)));
    }
    lines.push((page.say("bill-platform"), minus(split.platform_fee)));
    lines.push((page.say("bill-payment"), minus(split.payment_fee)));
    Bill {
        found: page.words.say(key),
        lines,
        yours: page.format.money(split.seller),
    }
}

fn preview_price(page: &Page, form: &ProductForm) -> String {
    let amount = Currency::parse(&form.price1_currency).and_then(|currency| {
        let minor = mintreu::price::parse_amount(form.price1_amount.trim(), currency)?;
        Ok(page.format.money(Money::new(minor, currency)))
    });
    match (form.price1_model.as_str(), amount) {
        ("free", _) => page.say("price-free"),
        ("metered", _) => page.say("price-metered"),
        ("monthly", Ok(amount)) => page.say_one("price-monthly", "price", amount),
        ("yearly", Ok(amount)) => page.say_one("price-yearly", "price", amount),
        ("one_time", Ok(amount)) => amount,
        _ => page.say("price-none"),
    }
}

/// `GET /sell/products/new`.
pub async fn new(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let tree = ask
        .app
        .read(&ask.visitor.caller, Categories, categories)
        .await?;
    let form = ProductForm::new();
    html(&drawn(
        &ask,
        Shown {
            form: &form,
            product: None,
            tree: &tree,
            wrong: &[],
            notice: None,
            bills: bills(&ask, &form, None).await,
        },
    ))
}

/// `GET /sell/products/{id}`.
pub async fn edit(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    let product = own(&ask, &id).await?;
    let tree = ask
        .app
        .read(&ask.visitor.caller, Categories, categories)
        .await?;
    let form = ProductForm::of(&product);
    let state = Shown {
        form: &form,
        product: Some(&product),
        tree: &tree,
        wrong: &[],
        notice: None,
        bills: bills(&ask, &form, Some(&product)).await,
    };
    html(&drawn(&ask, state))
}

async fn own(ask: &Ask, id: &str) -> Result<Product, Problem> {
    let missing = || Problem::not_found("There is no such product.");
    let product = ProductId::parse(id).map_err(|_| missing())?;
    let query = OwnProduct { product };
    Ok(ask
        .app
        .read(&ask.visitor.caller, query, own_product)
        .await?)
}

/// `POST /sell/products/new`.
pub async fn create(ask: Ask, form: Result<CsrfForm<ProductForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    handle(&ask, None, &form).await
}

/// `POST /sell/products/{id}`.
pub async fn save(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<ProductForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let product = own(&ask, &id).await?;
    handle(&ask, Some(product), &form).await
}

async fn handle(ask: &Ask, before: Option<Product>, form: &ProductForm) -> Answer {
    let tree = ask
        .app
        .read(&ask.visitor.caller, Categories, categories)
        .await?;
    let page = ask.page("sell-edit-product");
    let bills = bills(ask, form, before.as_ref()).await;
    let shown = |product: Option<&Product>, wrong: &[Mistake], notice| {
        drawn(
            ask,
            Shown {
                form,
                product,
                tree: &tree,
                wrong,
                notice,
                bills,
            },
        )
    };
    if form.action == "preview" {
        let notice = Notice::new(Tone::Info, page.say("sell-preview-text"));
        return html(&shown(before.as_ref(), &[], Some(notice)));
    }
    match stored(ask, before, form).await? {
        Outcome::Done(product) => go_to(&format!("/sell/products/{}", product.id)),
        Outcome::Wrong(product, wrong) => {
            let notice = Notice::new(Tone::Bad, page.say("sell-mistakes"));
            refused(422, &shown(product.as_deref(), &wrong, Some(notice)))
        }
    }
}

/// What became of a sent form.
enum Outcome {
    Done(Box<Product>),
    /// Mistakes at their inputs, and the product as far as it is stored.
    Wrong(Option<Box<Product>>, Vec<Mistake>),
}

/// Does what the pressed button says.
async fn stored(
    ask: &Ask,
    before: Option<Product>,
    form: &ProductForm,
) -> Result<Outcome, Problem> {
    let caller = &ask.visitor.caller;
    if let (Some(product), "archive") = (&before, form.action.as_str()) {
        let command = ArchiveProduct {
            product: product.id,
        };
        let product = ask.app.transact(caller, command, archive_product).await?;
        return Ok(Outcome::Done(Box::new(product)));
    }
    let draft = match form.draft(before.as_ref()) {
        Ok(draft) => draft,
        Err(wrong) => return Ok(Outcome::Wrong(before.map(Box::new), wrong)),
    };
    let saved = match &before {
        Some(product) => {
            let command = UpdateProduct {
                product: product.id,
                draft,
            };
            ask.app.transact(caller, command, update_product).await
        }
        None => {
            ask.app
                .transact(caller, CreateProduct { draft }, create_product)
                .await
        }
    };
    let product = match judged(saved)? {
        Ok(product) => product,
        Err(wrong) => return Ok(Outcome::Wrong(before.map(Box::new), wrong)),
    };
    if form.action != "publish" {
        return Ok(Outcome::Done(Box::new(product)));
    }
    let command = PublishProduct {
        product: product.id,
    };
    let published = ask.app.transact(caller, command, publish_product).await;
    // What can't be published yet is kept as a draft.
    Ok(match judged(published)? {
        Ok(product) => Outcome::Done(Box::new(product)),
        Err(wrong) => Outcome::Wrong(Some(Box::new(product)), wrong),
    })
}

/// Tells the seller's mistakes from everything else.
fn judged(
    outcome: Result<Product, CatalogError>,
) -> Result<Result<Product, Vec<Mistake>>, Problem> {
    match outcome {
        Ok(product) => Ok(Ok(product)),
        Err(CatalogError::Invalid(found)) => Ok(Err(mistakes(&found))),
        Err(error) => Err(error.into()),
    }
}
