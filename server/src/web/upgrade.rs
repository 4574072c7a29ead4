//! Upgrading a free license in place: its plans with what each grants, and one button.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::license_id;
use super::methods::Methods;
use super::page::{Page, Section};
use super::product::grants;
use super::shelf::price_text;
use super::subscriptions::taxed;
use crate::domains::catalog::{Price, PriceModel, Product};
use crate::domains::methods::http as methods;
use crate::domains::methods::{Method, MyMethods, my_methods};
use crate::domains::subscriptions::http::upgrades::upgrade_of;
use crate::domains::subscriptions::{
    SubscriptionError, UpgradeOffer, UpgradesOf, upgrade, upgrades_of,
};
use crate::domains::taxes::Tax;
use crate::problem::Problem;
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::{LicenseId, PriceId};
use mintreu::{Currency, Money};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "upgrade.html")]
struct UpgradePage {
    page: Page,
    name: String,
    base: String,
    plans: Vec<Plan>,
    methods: Methods,
    wrong: Option<String>,
}

struct Plan {
    id: String,
    text: String,
    grants: Vec<String>,
    amount: i64,
    currency: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UpgradeForm {
    price: String,
    amount: i64,
    currency: String,
    method: String,
}

fn plan(page: &Page, (product, tax): (&Product, &Tax), price: &Price) -> Plan {
    let charged = Price {
        amount: taxed(tax, price.amount),
        ..price.clone()
    };
    let sold = Product {
        terms: price.terms.clone().unwrap_or_else(|| product.terms.clone()),
        prices: vec![price.clone()],
        ..product.clone()
    };
    Plan {
        id: price.id.to_string(),
        text: price_text(page, &charged),
        grants: grants(page, &sold),
        amount: price.amount.minor(),
        currency: price.amount.currency().code().to_owned(),
    }
}

fn drawn(
    ask: &Ask,
    license: LicenseId,
    (offer, own): (&UpgradeOffer, &[Method]),
    wrong: Option<&str>,
) -> UpgradePage {
    let page = ask.section_page("upgrade-title", Section::Licenses);
    let product = &offer.product;
    let all = product.prices.iter();
    let plans = all.filter(|price| price.model == PriceModel::Recurring && price.serves(None));
    UpgradePage {
        name: product.name.clone(),
        base: format!("/licenses/{license}"),
        plans: plans
            .map(|price| plan(&page, (product, &offer.tax), price))
            .collect(),
        methods: Methods::new(&page, own, None, format!("/licenses/{license}/upgrade")),
        wrong: wrong.map(|key| page.words.say(key)),
        page,
    }
}

async fn offer(ask: &Ask, license: LicenseId) -> Result<UpgradeOffer, Problem> {
    let query = UpgradesOf { license };
    let found = ask
        .app
        .read(&ask.visitor.caller, query, upgrades_of)
        .await?;
    found.ok_or_else(|| Problem::not_found("This license has no upgrade."))
}

async fn own(ask: &Ask) -> Result<Vec<Method>, Problem> {
    let own = ask.app.read(&ask.visitor.caller, MyMethods, my_methods);
    own.await.map_err(Problem::from)
}

/// `GET /licenses/{id}/upgrade`.
pub async fn show(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    let license = license_id(&id)?;
    let offer = offer(&ask, license).await?;
    let own = own(&ask).await?;
    html(&drawn(&ask, license, (&offer, &own), None))
}

/// `POST /licenses/{id}/upgrade`: charges the first period.
pub async fn wish(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<UpgradeForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let license = license_id(&id)?;
    let offer = offer(&ask, license).await?;
    let own = own(&ask).await?;
    let missing = || Problem::not_found("There is no such price.");
    let price = PriceId::parse(&form.price).map_err(|_| missing())?;
    let currency = Currency::parse(&form.currency).map_err(|_| missing())?;
    let seen = Money::new(form.amount, currency);
    let chosen = methods::chosen(&ask.app, &ask.visitor.caller, &form.method).await?;
    let command = upgrade_of(&ask.app, license, (price, 1), seen, chosen);
    match ask
        .app
        .transact(&ask.visitor.caller, command, upgrade)
        .await
    {
        Ok(subscription) => go_to(&format!("/subscriptions/{subscription}")),
        Err(SubscriptionError::AmountChanged(_)) => refused(
            409,
            &drawn(&ask, license, (&offer, &own), Some("upgrade-changed")),
        ),
        Err(SubscriptionError::BillOpen) => refused(
            409,
            &drawn(&ask, license, (&offer, &own), Some("upgrade-open")),
        ),
        Err(error) => Err(error.into()),
    }
}
