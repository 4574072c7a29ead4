//! The product form as a page: what is typed, mistakes at their fields, a preview.

mod parts;

use self::parts::{Part, parts};
use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::cycle::{price_each, read_model};
use super::super::markdown;
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Cover, Crumbs, Notice, Tone};
use super::super::shelf::kind_badge;
use super::form::{Mistake, ProductForm, mistakes, read_amount};
use super::{must_sell, state_badge};
use crate::domains::catalog::model::CategoryCount;
use crate::domains::catalog::ops::{
    CatalogError, Categories, CreateProduct, OwnProduct, PublishProduct, UpdateProduct, categories,
    create_product, own_product, publish_product, update_product,
};
use crate::domains::catalog::{Kind, PriceModel, Product, State};
use crate::domains::fulfilment::flow;
use crate::domains::ledger::{Split, Traffic};
use crate::problem::Problem;
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::ProductId;
use mintreu::{Currency, Money};

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
    /// The button and the sentence of archiving; nothing for what isn't written yet.
    archiving: Option<(String, String)>,
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
        archiving: state.product.map(|product| archiving_words(&page, product)),
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

fn archiving_words(page: &Page, product: &Product) -> (String, String) {
    let (button, text) = match product.state {
        State::Archived => ("sell-archived", "sell-archived-text"),
        State::Draft | State::Published => ("sell-archive", "sell-archive-text"),
    };
    (page.say(button), page.say(text))
}

/// What would come of a sale at the first price, by who found the buyer.
pub struct Bill {
    found: String,
    lines: Vec<(String, String)>,
    yours: String,
}

async fn bills(ask: &Ask, form: &ProductForm, product: Option<&Product>) -> Vec<Bill> {
    let page = ask.page("bill-title");
    let model = read_model(&form.price1_model).map(|(model, _)| model);
    let charged = matches!(model, Some(PriceModel::OneTime | PriceModel::Recurring));
    let amount = Currency::parse(&form.price1_currency).and_then(|currency| {
        let minor = read_amount(&form.price1_amount, currency)?;
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
        let minor = read_amount(&form.price1_amount, currency)?;
        Ok(page.format.money(Money::new(minor, currency)))
    });
    match (read_model(&form.price1_model), amount) {
        (Some((PriceModel::Free, _)), _) => page.say("price-free"),
        (Some((PriceModel::Metered, _)), _) => page.say("price-metered"),
        (Some((PriceModel::Recurring, Some(cycle))), Ok(amount)) => price_each(page, amount, cycle),
        (Some((PriceModel::OneTime, _)), Ok(amount)) => amount,
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
