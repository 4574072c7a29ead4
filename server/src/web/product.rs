//! One product's page: what it is on one side, what buying it means on the other.

use super::bundle::Named;
use super::listing::category_address;
use super::markdown;
use super::page::{Page, script_safe};
use super::parts::{Badge, Cover, Crumbs, Tone};
use super::shelf::{kind_badge, price_meaning, price_text};
use crate::domains::catalog::model::{EntitlementValue, LicenseTerms, Quota, Window};
use crate::domains::catalog::{Meter, Price, PriceModel, Product, Standing, State};
use askama::Template;
use mintreu::id::AccountId;
use mintreu::price::{Scheme, Tariff};

/// A product as a visitor sees it.
#[derive(Template)]
#[template(path = "product.html")]
pub struct ProductPage {
    page: Page,
    crumbs: Crumbs,
    badge: Badge,
    state: Option<Badge>,
    slug: String,
    name: String,
    summary: String,
    version: String,
    language: String,
    /// Rendered and tamed.
    description: String,
    homepage: String,
    seller_name: String,
    seller_about: String,
    /// Where its seller edits it, for its seller only.
    owner_address: Option<String>,
    choices: Vec<PriceChoice>,
    /// Whether some countries have another price.
    regional: bool,
    buy: String,
    grants: Vec<String>,
    meters: Vec<MeterRow>,
    facts: Vec<(String, String)>,
    cover: Cover,
    /// Bundles that hold it.
    bundles: Vec<Named>,
}

struct PriceChoice {
    id: String,
    amount: String,
    meaning: String,
    /// How it can be tried: in words, where, and the button's name.
    trial: Option<[String; 3]>,
    /// What it grants, where that isn't what the product says.
    grants: Vec<String>,
}

struct MeterRow {
    name: String,
    free: String,
    price: String,
}

impl ProductPage {
    /// The page of `product`; `viewer` is who is signed in, `base` the shop's address.
    pub(super) fn new(
        mut page: Page,
        (product, bundles): (&Product, Vec<Named>),
        viewer: Option<AccountId>,
        base: &str,
    ) -> Self {
        let own = viewer == Some(product.seller.account);
        if product.is_sold() {
            page.canonical = format!("{base}/p/{}", product.slug);
            page.description.clone_from(&product.summary);
            page.json_ld = json_ld(product, &page.canonical);
        }
        page.title.clone_from(&product.name);
        let free = product
            .prices
            .iter()
            .all(|price| price.model == PriceModel::Free);
        Self {
            crumbs: crumbs(&page, product),
            badge: kind_badge(&page, product.kind),
            state: standing_badge(&page, product.seller.standing)
                .or_else(|| state_badge(&page, product.state)),
            slug: product.slug.clone(),
            name: product.name.clone(),
            summary: product.summary.clone(),
            version: product.version.clone(),
            language: product.language.clone(),
            description: markdown::render(&product.description),
            homepage: product.homepage.clone().unwrap_or_default(),
            seller_name: product.seller.name.clone(),
            seller_about: product.seller.about.clone(),
            owner_address: own.then(|| format!("/sell/products/{}", product.id)),
            choices: product
                .prices
                .iter()
                .map(|price| choice(&page, product, price))
                .collect(),
            regional: !product.regional.is_empty(),
            buy: page.say(if free { "product-get" } else { "product-buy" }),
            grants: grants(&page, product),
            meters: product
                .meters
                .iter()
                .map(|meter| meter_row(&page, meter))
                .collect(),
            facts: facts(&page, product),
            cover: Cover::of(&product.slug, product.kind),
            bundles,
            page,
        }
    }
}

fn crumbs(page: &Page, product: &Product) -> Crumbs {
    let mut steps = vec![(page.say("home"), "/".to_owned())];
    let category = product.categories.first();
    steps.extend(category.map(|found| (found.name.clone(), category_address(&found.path))));
    page.crumbs(steps, &product.name)
}

/// That its seller doesn't sell, said to the seller, whatever state the product is in.
fn standing_badge(page: &Page, standing: Standing) -> Option<Badge> {
    match standing {
        Standing::Active => None,
        Standing::Suspended => Some(Badge::new(Tone::Bad, page.say("standing-suspended"))),
        Standing::Closed => Some(Badge::new(Tone::Bad, page.say("standing-closed"))),
    }
}

/// A state that visitors don't see, said to the seller who does.
pub fn state_badge(page: &Page, state: State) -> Option<Badge> {
    match state {
        State::Published => None,
        State::Draft => Some(Badge::new(Tone::Wait, page.say("state-draft"))),
        State::Archived => Some(Badge::new(Tone::Bad, page.say("state-archived"))),
    }
}

fn choice(page: &Page, product: &Product, price: &Price) -> PriceChoice {
    let own = price.terms.clone().map(|terms| Product {
        terms,
        prices: vec![price.clone()],
        ..product.clone()
    });
    PriceChoice {
        id: price.id.to_string(),
        trial: super::trial::offer(page, &product.slug, price),
        amount: price_text(page, price),
        meaning: price_meaning(page, price),
        grants: own.map_or_else(Vec::new, |own| grants(page, &own)),
    }
}

/// The terms in plain words: what the buyer may do.
pub fn grants(page: &Page, product: &Product) -> Vec<String> {
    let terms = &product.terms;
    let mut lines = vec![page.say_one("grant-devices", "count", terms.seats)];
    lines.push(match terms.validity_days {
        Some(days) => page.say_one("grant-days", "count", days),
        None => how_long(page, product),
    });
    lines.extend(entitlements(page, terms));
    lines.extend(quotas(page, product));
    lines.push(page.say("grant-offline"));
    lines
}

/// For how long a license works whose product doesn't limit it: as the first price that recurs says.
fn how_long(page: &Page, product: &Product) -> String {
    let by_period = |price: &&Price| price.model == PriceModel::Recurring;
    let Some(price) = product.prices.iter().find(by_period) else {
        return page.say("grant-for-ever");
    };
    let renewing = price.bounds.renewing;
    match renewing.grace_days {
        // What can be paid at once too is said of each price.
        _ if renewing.keeps_license && has_once(product) => page.say("grant-for-ever"),
        _ if renewing.keeps_license => page.say("grant-instalments"),
        Some(days) => page.say_one("grant-while-paid-days", "count", days),
        None => page.say("grant-while-paid"),
    }
}

fn has_once(product: &Product) -> bool {
    let mut prices = product.prices.iter();
    prices.any(|price| price.model == PriceModel::OneTime)
}

fn entitlements(page: &Page, terms: &LicenseTerms) -> Vec<String> {
    let line = |entitlement: &crate::domains::catalog::model::Entitlement| {
        let name = entitlement.name.as_str();
        match &entitlement.value {
            EntitlementValue::Flag(true) => Some(page.say_one("grant-feature", "name", name)),
            EntitlementValue::Flag(false) => None,
            EntitlementValue::Limit(most) => {
                let most = page.format.signed(*most);
                let values = [("name", name.into()), ("value", most.into())];
                Some(page.words.say_with("grant-value", values))
            }
            EntitlementValue::Text(text) => {
                let values = [("name", name.into()), ("value", text.as_str().into())];
                Some(page.words.say_with("grant-value", values))
            }
        }
    };
    terms.entitlements.iter().filter_map(line).collect()
}

fn quotas(page: &Page, product: &Product) -> Vec<String> {
    let line = |quota: &Quota| {
        let unit = product
            .meter(&quota.meter)
            .map_or(quota.meter.as_str(), |meter| &meter.unit);
        quota_words(page, quota, unit)
    };
    product.terms.quotas.iter().map(line).collect()
}

/// A quota in words, with what happens beyond it and with what is left of it.
fn quota_words(page: &Page, quota: &Quota, unit: &str) -> String {
    let mut words = quota_text(page, quota.limit, unit, quota.window);
    let mut add = |key: &str, units: i64| {
        let values = [
            ("quota", words.as_str().into()),
            ("units", page.format.signed(units).into()),
        ];
        words = page.words.say_with(key, values);
    };
    match (quota.overage, quota.overage_cap) {
        (true, Some(cap)) => add("quota-overage-up-to", cap),
        (true, None) => add("quota-overage", 0),
        (false, _) => {}
    }
    if let Some(rule) = quota.rollover {
        add("quota-rollover", rule.most);
    }
    words
}

/// A limit on usage in words.
pub fn quota_text(page: &Page, limit: i64, unit: &str, window: Window) -> String {
    let limit = page.format.signed(limit);
    let key = match window {
        Window::Lifetime => "quota-lifetime",
        Window::Hour => "quota-hour",
        Window::Day => "quota-day",
        Window::Week => "quota-week",
        Window::Month => "quota-month",
        Window::Year => "quota-year",
        Window::BillingMonth => "quota-billing-month",
    };
    let values = [("limit", limit.into()), ("unit", unit.into())];
    page.words.say_with(key, values)
}

fn meter_row(page: &Page, meter: &Meter) -> MeterRow {
    let free = meter.tariff.as_ref().map_or(0, Tariff::free_units);
    MeterRow {
        name: meter.name.clone(),
        free: page.format.number(free),
        price: match &meter.tariff {
            Some(tariff) => tariff_text(page, tariff, &meter.unit),
            None => page.say("price-free"),
        },
    }
}

/// A tariff in words: its price for one unit, or its first step.
pub fn tariff_text(page: &Page, tariff: &Tariff, unit: &str) -> String {
    let currency = tariff.currency();
    let money = |minor| page.format.money(mintreu::Money::new(minor, currency));
    let each = |price: &mintreu::price::UnitPrice| page.format.unit_price(price.nanos(), currency);
    let (key, price, size) = match tariff.scheme() {
        Scheme::Flat { amount } => ("tariff-flat", money(*amount), 0),
        Scheme::PerUnit { unit } => ("tariff-unit", each(unit), 0),
        Scheme::Graduated { tiers } | Scheme::Volume { tiers } => {
            let highest = tiers.iter().max_by_key(|tier| tier.unit.nanos());
            (
                "tariff-tiers",
                highest.map(|tier| each(&tier.unit)).unwrap_or_default(),
                0,
            )
        }
        Scheme::Package { size, amount } => ("tariff-package", money(*amount), *size),
        Scheme::Percentage(by) => ("tariff-percentage", by.rate.to_string(), 0),
        Scheme::GraduatedPercentage { tiers, .. } => {
            let highest = tiers.iter().map(|tier| tier.rate).max();
            let highest = highest.map(|rate| rate.to_string());
            ("tariff-percentages", highest.unwrap_or_default(), 0)
        }
        Scheme::Matrix { rows } => {
            let lowest = rows.iter().min_by_key(|row| row.unit.nanos());
            (
                "tariff-matrix",
                lowest.map(|row| each(&row.unit)).unwrap_or_default(),
                0,
            )
        }
    };
    let size = page.format.number(size);
    let values = [
        ("price", price.into()),
        ("unit", unit.into()),
        ("size", size.into()),
    ];
    page.words.say_with(key, values)
}

fn facts(page: &Page, product: &Product) -> Vec<(String, String)> {
    let mut facts = vec![(page.say("fact-code"), product.code.clone())];
    facts.extend(
        product
            .spdx
            .clone()
            .map(|spdx| (page.say("fact-spdx"), spdx)),
    );
    if !product.version.is_empty() {
        facts.push((page.say("fact-version"), product.version.clone()));
    }
    let updated = page.format.date(product.updated_at);
    facts.push((page.say("fact-updated"), updated));
    facts
}

/// What search engines read (schema.org SoftwareApplication, and Product where money is asked).
fn json_ld(product: &Product, address: &str) -> String {
    let offer = |price: &Price| {
        serde_json::json!({
            "@type": "Offer",
            "price": plain_amount(price.amount),
            "priceCurrency": price.amount.currency().code(),
            "availability": "https://schema.org/InStock",
            "url": address,
        })
    };
    let offers: Vec<_> = product.prices.iter().map(offer).collect();
    let charged = product.prices.iter().any(|price| price.amount.minor() > 0);
    let types = if charged {
        vec!["SoftwareApplication", "Product"]
    } else {
        vec!["SoftwareApplication"]
    };
    script_safe(&serde_json::json!({
        "@context": "https://schema.org",
        "@type": types,
        "name": product.name,
        "description": product.summary,
        "sku": product.code,
        "url": address,
        "applicationCategory": product.kind.name(),
        "brand": { "@type": "Organization", "name": product.seller.name },
        "offers": offers,
    }))
}

/// Digits with a point, as schema.org wants them: `12.30`.
fn plain_amount(amount: mintreu::Money) -> String {
    let text = amount.to_string();
    text.split(' ').next().unwrap_or_default().to_owned()
}
