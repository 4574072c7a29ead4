//! Bundles: what is sold together, one of them, and its checkout.

use super::ask::{Answer, Ask, go_to, html};
use super::checkout::{Basket, BuyForm, buy_all, draw_all};
use super::page::Page;
use super::parts::{Badge, Notice, Tone};
use super::shelf::kind_badge;
use crate::domains::bundles::{Bundle, BundleAt, Gone, Listed, Offered, bundle_at, listed};
use crate::domains::fulfilment::Item;
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{BundleId, PriceId};
use serde::Deserialize;

/// Bundles on one page of the list.
const PAGE: i64 = 20;

#[derive(Template)]
#[template(path = "bundles.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    /// Where the next page is.
    next: Option<String>,
}

/// A bundle in the list.
struct Row {
    name: String,
    address: String,
    summary: String,
    seller: String,
    holds: String,
    price: String,
    saved: Option<String>,
}

#[derive(Template)]
#[template(path = "bundle.html")]
struct BundlePage {
    page: Page,
    slug: String,
    name: String,
    summary: String,
    seller: String,
    /// Where its seller edits it, for its seller only.
    owner_address: Option<String>,
    offers: Vec<OfferView>,
    products: Vec<Within>,
}

/// A bundle in one currency that it can be bought in.
struct OfferView {
    price: String,
    amount: String,
    /// What its products cost apart, when that is more.
    apart: Option<String>,
    saved: Option<String>,
}

/// A product within.
struct Within {
    name: String,
    address: String,
    summary: String,
    badge: Badge,
    /// What it costs by itself, in each currency.
    single: String,
}

/// What one saves, in words.
pub(super) fn saved_text(page: &Page, offered: &Offered) -> Option<String> {
    let saved = page.format.money(offered.saved()?);
    Some(page.say_one("bundle-saves", "amount", saved))
}

/// Why a bundle isn't sold, in words.
pub(super) fn gone_text(page: &Page, gone: &Gone) -> String {
    match gone {
        Gone::Withdrawn => page.say("bundle-withdrawn"),
        Gone::Product(product) => page.say_one("bundle-missing", "product", product.as_str()),
    }
}

fn row(page: &Page, (bundle, offers): &(Bundle, Vec<Offered>)) -> Option<Row> {
    let offered = offers.iter().find(|one| one.is_for_sale())?;
    let count = i64::try_from(bundle.products.len()).unwrap_or(i64::MAX);
    Some(Row {
        name: bundle.name.clone(),
        address: format!("/b/{}", bundle.slug),
        summary: bundle.summary.clone(),
        seller: page.say_one("product-by", "seller", offered.seller.as_str()),
        holds: page.say_one("bundle-holds", "count", count),
        price: page.format.money(offered.price.amount),
        saved: saved_text(page, offered),
    })
}

/// Which page of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Before {
    before: Option<String>,
}

/// `GET /bundles`.
pub async fn list(ask: Ask, before: Result<Query<Before>, Problem>) -> Answer {
    let Query(before) = before?;
    let missing = |_| Problem::not_found("There is no such page.");
    let before = before.before.as_deref().map(BundleId::parse).transpose();
    let query = Listed {
        before: before.map_err(missing)?,
        limit: PAGE,
    };
    let found = ask.app.read(&ask.visitor.caller, query, listed).await;
    let found = found.map_err(Problem::from)?;
    let mut page = ask.page("bundles-title");
    page.description = page.say("bundles-lead");
    let full = i64::try_from(found.len()) == Ok(PAGE);
    let last = found.last().filter(|_| full);
    html(&ListPage {
        rows: found.iter().filter_map(|one| row(&page, one)).collect(),
        next: last.map(|(bundle, _)| format!("/bundles?before={}", bundle.id)),
        page,
    })
}

async fn find(ask: &Ask, slug: &str) -> Result<(Bundle, Vec<Offered>), PageProblem> {
    let query = BundleAt {
        slug: slug.to_owned(),
    };
    let found = ask.app.read(&ask.visitor.caller, query, bundle_at).await;
    Ok(found.map_err(Problem::from)?)
}

/// `GET /b/{slug}`.
pub async fn show(ask: Ask, Path(slug): Path<String>) -> Answer {
    let (bundle, offers) = find(&ask, &slug).await?;
    let page = ask.form_page("bundles-title");
    html(&BundlePage::new(&ask, page, &bundle, &offers))
}

impl BundlePage {
    fn new(ask: &Ask, mut page: Page, bundle: &Bundle, offers: &[Offered]) -> Self {
        let own = ask.visitor.caller.account == Some(bundle.seller);
        page.title.clone_from(&bundle.name);
        page.description.clone_from(&bundle.summary);
        let sold: Vec<_> = offers.iter().filter(|one| one.is_for_sale()).collect();
        match offers.iter().find_map(|one| one.gone.as_ref()) {
            Some(gone) if sold.is_empty() => {
                page.notice = Some(Notice::new(Tone::Wait, gone_text(&page, gone)));
            }
            _ => page.canonical = format!("{}/b/{}", ask.base(), bundle.slug),
        }
        let offer = |one: &&Offered| OfferView {
            price: one.price.id.to_string(),
            amount: page.format.money(one.price.amount),
            apart: one
                .saved()
                .and_then(|_| one.apart())
                .map(|apart| page.format.money(apart)),
            saved: saved_text(&page, one),
        };
        Self {
            slug: bundle.slug.clone(),
            name: bundle.name.clone(),
            summary: bundle.summary.clone(),
            seller: offers.first().map_or_else(String::new, |one| {
                page.say_one("product-by", "seller", one.seller.as_str())
            }),
            owner_address: own.then(|| format!("/sell/bundles/{}", bundle.id)),
            products: within(&page, &sold),
            offers: sold.iter().map(offer).collect(),
            page,
        }
    }
}

/// What is within, with what each costs by itself in every currency.
fn within(page: &Page, sold: &[&Offered]) -> Vec<Within> {
    let Some(first) = sold.first() else {
        return Vec::new();
    };
    let singles = |at: usize| {
        let parts = sold.iter().filter_map(|one| one.parts.get(at));
        let texts = parts.map(|part| page.format.money(part.offer.price.amount));
        texts.collect::<Vec<_>>().join(" · ")
    };
    let parts = first.parts.iter().enumerate();
    parts
        .map(|(at, part)| {
            let product = &part.offer.product;
            Within {
                name: product.name.clone(),
                address: format!("/p/{}", product.slug),
                summary: product.summary.clone(),
                badge: kind_badge(page, product.kind),
                single: singles(at),
            }
        })
        .collect()
}

/// Which of a bundle's prices.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    price: String,
}

/// The bundle with the price that is asked for, as the checkout takes it.
async fn basket(ask: &Ask, slug: &str, which: &Which) -> Result<Option<Basket>, PageProblem> {
    let (_, offers) = find(ask, slug).await?;
    let wanted = PriceId::parse(&which.price).ok();
    let mut sold = offers.iter().filter(|one| one.is_for_sale());
    let Some(offered) = sold.find(|one| wanted.is_none_or(|wanted| wanted == one.price.id)) else {
        return Ok(None);
    };
    let basket = Basket {
        items: vec![Item::new(offered.price.id, 1)],
        price: None,
        countries: Vec::new(),
        elsewhere: true,
        post_to: format!("/b/{slug}/checkout?price={}", offered.price.id),
        back: format!("/b/{slug}"),
        cart: None,
        whereabouts: None,
        clicks: Vec::new(),
    };
    Ok(Some(basket.located(ask).await?))
}

/// `GET /b/{slug}/checkout?price=…`.
pub async fn checkout(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    let Query(which) = which?;
    match basket(&ask, &slug, &which).await? {
        Some(basket) => draw_all(&ask, &basket, &BuyForm::default()).await,
        // The bundle's page says why it isn't sold.
        None => go_to(&format!("/b/{slug}")),
    }
}

/// `POST /b/{slug}/checkout?price=…`.
pub async fn place(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
    form: Result<CsrfForm<BuyForm>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(which)) = (form?, which?);
    match basket(&ask, &slug, &which).await? {
        Some(basket) => buy_all(&ask, &basket, &form).await,
        None => go_to(&format!("/b/{slug}")),
    }
}

/// A bundle that a product's page names: its name, its address, and what one saves.
pub(super) type Named = (String, String, Option<String>);

/// How a product's page names the bundles that hold it.
pub(super) fn named(page: &Page, offered: &[Offered]) -> Vec<Named> {
    let one = |one: &Offered| {
        let address = format!("/b/{}", one.bundle.slug);
        (one.bundle.name.clone(), address, saved_text(page, one))
    };
    offered.iter().map(one).collect()
}
