//! The developer's side: overview, products, sales, usage.
//!
//! # Invariants
//! * Everything here is the signed-in seller's own; the domains' queries see to it.
//! * Figures come from the same rows as the lists beneath them.

pub mod affiliates;
pub mod archive;
mod batch_form;
pub mod bundles;
pub mod close;
mod coupon_form;
pub mod coupons;
pub mod deliveries;
pub mod editor;
mod form;
pub mod keys;
pub mod late;
pub mod licenses;
mod log;
pub mod meters;
pub mod payouts;
pub mod prices;
mod quotas;
pub mod refund;
pub mod sale;
pub mod sales;
pub mod statements;
pub mod trouble;
pub mod webhooks;

use super::ask::{Answer, Ask, go_to, html, refused};
use super::page::{Page, Section};
use super::parts::{Badge, Chart, ChartWords, Field, Figure, Point, Tone};
use super::shelf::price_text;
use super::usage::{DAYS, days_chart};
use crate::caller::{Caller, Capability, Role};
use crate::domains::accounts::{BecomeDeveloper, become_developer};
use crate::domains::billing::{self, UsageOfProduct};
use crate::domains::catalog::ops::{
    CatalogError, OpenShop, OwnShop, SellerProducts, open_shop, own_shop, seller_products,
};
use crate::domains::catalog::{Product, State};
use crate::domains::metering::{Day, Grain, Window};
use crate::domains::orders::{self, Sale, SalesQuery};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use mintreu::id::ProductId;
use mintreu::{Money, Timestamp};
use serde::Deserialize;

/// A link among the seller's pages.
pub struct Tab {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) chosen: bool,
}

/// Which of the seller's pages one is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Overview,
    Products,
    Bundles,
    Coupons,
    Affiliates,
    Embed,
    Sales,
    Wishes,
    Invoices,
    Payouts,
    Usage,
    Meters,
    Keys,
    Webhooks,
}

pub(super) fn tabs(page: &Page, at: At) -> Vec<Tab> {
    let all = [
        (At::Overview, "/sell", page.say("sell-overview")),
        (At::Products, "/sell/products", page.say("sell-products")),
        (At::Bundles, "/sell/bundles", page.say("sell-bundles")),
        (At::Coupons, "/sell/coupons", page.say("sell-coupons")),
        (
            At::Affiliates,
            "/sell/affiliates",
            page.say("sell-affiliates"),
        ),
        (At::Embed, "/sell/embed", page.say("sell-embed")),
        (At::Sales, "/sell/sales", page.say("sell-sales")),
        (At::Wishes, "/sell/wishes", page.say("wish-title")),
        (At::Invoices, "/sell/invoices", page.say("papers-title")),
        (At::Payouts, "/sell/payouts", page.say("sell-payouts")),
        (At::Usage, "/sell/usage", page.say("sell-usage")),
        (At::Meters, "/sell/meters", page.say("sell-meters")),
        (At::Keys, "/sell/keys", page.say("sell-keys")),
        (At::Webhooks, "/sell/webhooks", page.say("sell-webhooks")),
    ];
    let tab = |(place, address, name): (At, &str, String)| Tab {
        name,
        address: address.to_owned(),
        chosen: place == at,
    };
    all.into_iter().map(tab).collect()
}

/// The shop's pages need a shop; without one, the welcome explains how to open it.
pub(super) fn must_sell(ask: &Ask) -> Result<(), Problem> {
    match ask.visitor.caller.may(Capability::Sell) {
        true => Ok(()),
        false => Err(Problem::new(403, "shop_missing", "Open a shop first.")),
    }
}

#[derive(Template)]
#[template(path = "sell/welcome.html")]
struct WelcomePage {
    page: Page,
    signed_in: bool,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "sell/overview.html")]
struct OverviewPage {
    page: Page,
    shop: String,
    tabs: Vec<Tab>,
    figures: Vec<Figure>,
    sold_nothing: bool,
    chart: Chart,
    log: log::LogCard,
}

/// What the form to open a shop sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShopForm {
    name: String,
    about: String,
}

fn welcome(ask: &Ask, form: &ShopForm, error: Option<(&'static str, String)>) -> WelcomePage {
    let page = ask.section_page("sell-welcome-title", Section::Sell);
    let wrong = |field: &str| {
        error
            .as_ref()
            .filter(|(at, _)| *at == field)
            .map(|(_, text)| text.clone())
    };
    let name =
        Field::text("name", page.say("sell-shop-name")).hint(page.say("sell-shop-name-hint"));
    let about =
        Field::text("about", page.say("sell-shop-about")).hint(page.say("sell-shop-about-hint"));
    WelcomePage {
        signed_in: ask.visitor.is_signed_in(),
        fields: vec![
            name.value(&form.name)
                .error(wrong("name"))
                .required()
                .max_length(80),
            about
                .value(&form.about)
                .error(wrong("about"))
                .max_length(300),
        ],
        page,
    }
}

/// `GET /sell`.
pub async fn overview(ask: Ask) -> Answer {
    let caller = &ask.visitor.caller;
    let shop = match caller.may(Capability::Sell) {
        true => ask.app.read(caller, OwnShop, own_shop).await?,
        false => None,
    };
    let Some(shop) = shop else {
        let name = ask.visitor.name.clone().unwrap_or_default();
        let form = ShopForm {
            name,
            ..ShopForm::default()
        };
        return html(&welcome(&ask, &form, None));
    };
    let query = SalesQuery {
        limit: 100,
        ..SalesQuery::default()
    };
    let sold = ask.app.read(caller, query, orders::sales).await?;
    let products = ask
        .app
        .read(caller, SellerProducts, seller_products)
        .await?;
    let page = ask.section_page("sell-overview", Section::Sell);
    let log = log::card(&ask, &page).await?;
    let published = products
        .iter()
        .filter(|product| product.state == State::Published)
        .count();
    let mut figures = money_figures(&page, &sold.totals);
    figures.push(Figure {
        label: page.say("sell-figure-products"),
        value: page.format.number(u64::try_from(published).unwrap_or(0)),
        remark: page.say_one(
            "sell-figure-products-text",
            "count",
            i64::try_from(products.len()).unwrap_or(0),
        ),
    });
    html(&OverviewPage {
        shop: shop.name,
        tabs: tabs(&page, At::Overview),
        sold_nothing: sold.sales.is_empty(),
        chart: sales_chart(&page, &sold.sales, ask.app.now()),
        figures,
        log,
        page,
    })
}

/// Sold, net and the seller's part, a group a currency.
fn money_figures(page: &Page, totals: &[orders::SalesTotal]) -> Vec<Figure> {
    let zero = orders::SalesTotal {
        sold: 0,
        net: Money::zero(mintreu::Currency::EUR),
        platform_fee: Money::zero(mintreu::Currency::EUR),
        payment_fee: Money::zero(mintreu::Currency::EUR),
        seller: Money::zero(mintreu::Currency::EUR),
    };
    let shown = if totals.is_empty() {
        std::slice::from_ref(&zero)
    } else {
        totals
    };
    let figure = |label: &str, value: String, remark: &str| Figure {
        label: page.words.say(label),
        value,
        remark: page.words.say(remark),
    };
    let group = |total: &orders::SalesTotal| {
        [
            figure(
                "sell-figure-sold",
                page.format.signed(total.sold),
                "sell-figure-sold-text",
            ),
            figure(
                "sell-figure-net",
                page.format.money(total.net),
                "sell-figure-net-text",
            ),
            figure(
                "sell-figure-yours",
                page.format.money(total.seller),
                "sell-figure-yours-text",
            ),
        ]
    };
    shown.iter().flat_map(group).collect()
}

/// What the seller earned by day, of the newest sales, in the currency most of them had.
fn sales_chart(page: &Page, sales: &[Sale], now: Timestamp) -> Chart {
    let window = Window::ending_at(now, Grain::Day, DAYS);
    let currency = sales.first().map(|sale| sale.split.seller.currency());
    let counted: Vec<Day> = sales
        .iter()
        .filter(|sale| Some(sale.split.seller.currency()) == currency)
        .filter(|sale| sale.paid_at >= window.from)
        .map(|sale| Day {
            at: sale.paid_at,
            units: sale.split.seller.minor(),
        })
        .collect();
    let mut days = window.empty();
    for sale in counted {
        let step = sale.at.since_ms(window.from).div_euclid(Grain::Day.ms());
        if let Some(day) = usize::try_from(step)
            .ok()
            .and_then(|step| days.get_mut(step))
        {
            day.units = day.units.saturating_add(sale.units);
        }
    }
    let currency = currency.unwrap_or(mintreu::Currency::EUR);
    let point = |day: &Day| Point {
        label: page.format.day(day.at),
        value: u64::try_from(day.units).unwrap_or(0),
        text: page.format.money(Money::new(day.units, currency)),
    };
    let words = ChartWords {
        title: page.say("sell-chart-title"),
        as_table: page.say("chart-as-table"),
        step: page.say("chart-day"),
        value: page.say("sell-figure-yours"),
    };
    Chart::bars(words, days.iter().map(point).collect(), None)
}

/// `POST /sell/open`: the account becomes a developer with a shop.
pub async fn open(ask: Ask, form: Result<CsrfForm<ShopForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, BecomeDeveloper, become_developer)
        .await?;
    // The role was granted a moment ago; this request's caller doesn't have it yet.
    let mut seller: Caller = caller.clone();
    seller.roles.push(Role::Developer);
    let command = OpenShop {
        name: form.name.clone(),
        about: form.about.clone(),
    };
    match ask.app.transact(&seller, command, open_shop).await {
        Ok(_) => go_to("/sell"),
        Err(CatalogError::Invalid(found)) => {
            let page = ask.page("sell-welcome-title");
            let error = found
                .first()
                .map(|error| (error.field, page.words.say(form::error_key(error.code))));
            refused(422, &welcome(&ask, &form, error))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Template)]
#[template(path = "sell/products.html")]
struct ProductsPage {
    page: Page,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
}

struct Row {
    address: String,
    name: String,
    state: Badge,
    price: String,
    changed: String,
}

/// A product's state as a badge.
pub(super) fn state_badge(page: &Page, state: State) -> Badge {
    match state {
        State::Published => Badge::new(Tone::Good, page.say("state-published")),
        State::Draft => Badge::new(Tone::Wait, page.say("state-draft")),
        State::Archived => Badge::new(Tone::Bad, page.say("state-archived")),
    }
}

/// `GET /sell/products`.
pub async fn products(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let found = ask
        .app
        .read(&ask.visitor.caller, SellerProducts, seller_products)
        .await?;
    let page = ask.section_page("sell-products", Section::Sell);
    let row = |product: &Product| Row {
        address: format!("/sell/products/{}", product.id),
        name: product.name.clone(),
        state: state_badge(&page, product.state),
        price: product
            .prices
            .first()
            .map_or_else(|| page.say("price-none"), |price| price_text(&page, price)),
        changed: page.format.date(product.updated_at),
    };
    let rows = found.iter().map(row).collect();
    html(&ProductsPage {
        tabs: tabs(&page, At::Products),
        rows,
        page,
    })
}

#[derive(Template)]
#[template(path = "sell/usage.html")]
struct UsagePage {
    page: Page,
    tabs: Vec<Tab>,
    products: Vec<Tab>,
    meters: Vec<MeterView>,
    licenses: Vec<(String, String)>,
    /// The product that is looked at.
    product: String,
    trouble: Option<trouble::TroubleView>,
    late: Vec<late::Choice>,
    /// A choice was just kept.
    saved: bool,
}

struct MeterView {
    name: String,
    total: String,
    chart: Chart,
}

/// Which product's usage is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    product: Option<String>,
    saved: Option<String>,
}

/// `GET /sell/usage`.
pub async fn usage(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(which) = which?;
    let asked = which.product.as_deref().map(ProductId::parse).transpose();
    let asked = asked.map_err(|_| Problem::not_found("There is no such product."))?;
    let mut found = ask
        .app
        .read(&ask.visitor.caller, SellerProducts, seller_products)
        .await?;
    found.retain(|product| !product.meters.is_empty());
    let chosen = asked.or_else(|| found.first().map(|product| product.id));
    let page = ask.section_page("sell-usage", Section::Sell);
    let products = found.iter().map(|product| Tab {
        name: product.name.clone(),
        address: format!("/sell/usage?product={}", product.id),
        chosen: Some(product.id) == chosen,
    });
    let mut view = UsagePage {
        tabs: tabs(&page, At::Usage),
        products: products.collect(),
        meters: Vec::new(),
        licenses: Vec::new(),
        product: chosen
            .map(|product| product.to_string())
            .unwrap_or_default(),
        trouble: None,
        late: Vec::new(),
        saved: which.saved.is_some(),
        page,
    };
    if let Some(product) = chosen.filter(|_| !found.is_empty()) {
        let own = found.iter().any(|one| one.id == product);
        if own {
            view.trouble = Some(trouble::of(&ask, &view.page, product).await?);
            view.late = late::choices(&ask, &view.page, product).await?;
        }
        let window = Window::ending_at(ask.app.now(), Grain::Day, DAYS);
        let query = UsageOfProduct { product, window };
        let used = ask
            .app
            .read(&ask.visitor.caller, query, billing::product_usage)
            .await?;
        let page = &view.page;
        let meter = |(name, days): (&String, &Vec<Day>)| {
            let total = days
                .iter()
                .fold(0_i64, |sum, day| sum.saturating_add(day.units));
            let total = page.format.signed(total);
            MeterView {
                name: name.clone(),
                total: page.say_one("sell-usage-total", "count", total),
                chart: days_chart(page, name, days, None),
            }
        };
        view.meters = used.meters.iter().map(meter).collect();
        let row = |row: &crate::domains::metering::LicenseUnits| {
            (row.license.to_string(), page.format.signed(row.units))
        };
        view.licenses = used.licenses.iter().map(row).collect();
    }
    html(&view)
}
