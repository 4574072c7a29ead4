//! A seller's bundles: the list, the form of one, and the switch that takes one out of sale.

use super::coupon_form::{amounts_text, read_amounts};
use super::{At, Tab, must_sell, tabs};
use crate::domains::bundles::{
    Amount, Bundle, BundleError, Draft, Offered, OwnBundles, SaveBundle, SwitchBundle, Wrong,
    own_bundles, save_bundle, switch_bundle,
};
use crate::domains::catalog::Product;
use crate::domains::catalog::ops::{SellerProducts, seller_products};
use crate::domains::promotions;
use crate::problem::{PageProblem, Problem};
use crate::web::ask::{Answer, Ask, go_to, html, refused};
use crate::web::bundle::gone_text;
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Field, Tone};
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::BundleId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/bundles.html")]
struct BundlesPage {
    page: Page,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "sell/bundle.html")]
struct BundlePage {
    page: Page,
    tabs: Vec<Tab>,
    id: String,
    name: String,
    address: String,
    fields: Vec<Field>,
}

struct Row {
    id: String,
    name: String,
    products: String,
    prices: String,
    state: Badge,
    /// Why it isn't sold although its seller sells it.
    why: String,
    on: bool,
}

/// What the form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BundleForm {
    name: String,
    summary: String,
    /// A product's code a line.
    products: String,
    /// `79.00 EUR, 89.00 USD`.
    prices: String,
}

/// An input and what is wrong with it, in words.
type Mistake = (&'static str, String);

impl BundleForm {
    fn of(bundle: &Bundle, own: &[Product]) -> Self {
        let code = |id: &mintreu::id::ProductId| {
            let known = own.iter().find(|product| product.id == *id);
            known.map_or_else(|| id.to_string(), |product| product.code.clone())
        };
        let codes: Vec<_> = bundle.products.iter().map(code).collect();
        let amounts = bundle.prices.iter().map(|price| promotions::Amount {
            amount_minor: price.amount.minor(),
            currency: price.amount.currency().code().to_owned(),
        });
        Self {
            name: bundle.name.clone(),
            summary: bundle.summary.clone(),
            products: codes.join("\n"),
            prices: amounts_text(&amounts.collect::<Vec<_>>()),
        }
    }

    /// What the form says; a code that is none of the seller's own is told at its field.
    fn draft(&self, page: &Page, own: &[Product]) -> Result<Draft, Mistake> {
        let lines = self.products.lines().map(str::trim);
        let mut products = Vec::new();
        for code in lines.filter(|line| !line.is_empty()) {
            let known = own.iter().find(|product| product.code == code);
            let known = known.ok_or_else(|| {
                let text = page.say_one("bundle-code-wrong", "code", code);
                ("products", text)
            })?;
            products.push(known.id.to_string());
        }
        let amounts = read_amounts(&self.prices);
        let amounts = amounts.ok_or_else(|| ("prices", page.say("bundle-prices-wrong")))?;
        let amount = |one: promotions::Amount| Amount {
            amount_minor: one.amount_minor,
            currency: one.currency,
        };
        Ok(Draft {
            name: self.name.clone(),
            summary: self.summary.clone(),
            products,
            prices: amounts.into_iter().map(amount).collect(),
        })
    }
}

fn row(page: &Page, (bundle, offers): &(Bundle, Vec<Offered>)) -> Row {
    let sold = offers.iter().any(Offered::is_for_sale);
    let gone = offers.iter().find_map(|one| one.gone.as_ref());
    let (tone, state) = match (bundle.withdrawn_at, sold) {
        (Some(_), _) => (Tone::Plain, "bundle-state-off"),
        (None, true) => (Tone::Good, "bundle-state-on"),
        (None, false) => (Tone::Wait, "bundle-state-missing"),
    };
    let prices = bundle.prices.iter();
    let prices: Vec<_> = prices
        .map(|price| page.format.money(price.amount))
        .collect();
    let count = i64::try_from(bundle.products.len()).unwrap_or(i64::MAX);
    Row {
        id: bundle.id.to_string(),
        name: bundle.name.clone(),
        products: page.format.signed(count),
        prices: prices.join(", "),
        state: Badge::new(tone, page.say(state)),
        why: match gone {
            Some(gone) if bundle.withdrawn_at.is_none() => gone_text(page, gone),
            _ => String::new(),
        },
        on: bundle.withdrawn_at.is_none(),
    }
}

fn fields(page: &Page, form: &BundleForm, wrong: Option<&Mistake>) -> Vec<Field> {
    let error = |input: &str| {
        let found = wrong.filter(|(at, _)| *at == input);
        found.map(|(_, text)| text.clone())
    };
    vec![
        Field::text("name", page.say("bundle-name"))
            .value(&form.name)
            .required()
            .max_length(80)
            .error(error("name")),
        Field::text("prices", page.say("bundle-prices"))
            .hint(page.say("bundle-prices-hint"))
            .value(&form.prices)
            .required()
            .max_length(400)
            .error(error("prices")),
        Field::text("summary", page.say("bundle-summary"))
            .value(&form.summary)
            .required()
            .max_length(200)
            .full()
            .error(error("summary")),
        Field::area("products", page.say("bundle-products"))
            .hint(page.say("bundle-products-hint"))
            .value(&form.products)
            .required()
            .full()
            .max_length(2_000)
            .error(error("products")),
    ]
}

async fn own_products(ask: &Ask) -> Result<Vec<Product>, Problem> {
    let caller = &ask.visitor.caller;
    Ok(ask
        .app
        .read(caller, SellerProducts, seller_products)
        .await?)
}

async fn bundles(ask: &Ask) -> Result<Vec<(Bundle, Vec<Offered>)>, Problem> {
    let caller = &ask.visitor.caller;
    Ok(ask.app.read(caller, OwnBundles, own_bundles).await?)
}

async fn list_page(
    ask: &Ask,
    form: &BundleForm,
    wrong: Option<&Mistake>,
) -> Result<BundlesPage, Problem> {
    let page = ask.section_page("sell-bundles", Section::Sell);
    let found = bundles(ask).await?;
    Ok(BundlesPage {
        tabs: tabs(&page, At::Bundles),
        rows: found.iter().map(|one| row(&page, one)).collect(),
        fields: fields(&page, form, wrong),
        page,
    })
}

/// `GET /sell/bundles`.
pub async fn list(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    html(&list_page(&ask, &BundleForm::default(), None).await?)
}

/// Writes what the form says; a mistake at its input, when it is the seller's to mend.
async fn write(
    ask: &Ask,
    bundle: Option<BundleId>,
    form: &BundleForm,
) -> Result<Result<(), Mistake>, PageProblem> {
    let page = ask.page("sell-bundles");
    let draft = match form.draft(&page, &own_products(ask).await?) {
        Ok(draft) => draft,
        Err(mistake) => return Ok(Err(mistake)),
    };
    let command = SaveBundle { bundle, draft };
    let caller = &ask.visitor.caller;
    Ok(match ask.app.transact(caller, command, save_bundle).await {
        Ok(_) => Ok(()),
        Err(BundleError::Invalid(wrong)) => Err((wrong.field(), wrong_text(&page, &wrong))),
        Err(BundleError::NameTaken) => Err(("name", page.say("bundle-name-taken"))),
        Err(error) => return Err(Problem::from(error).into()),
    })
}

/// What is wrong with a draft, in words.
fn wrong_text(page: &Page, wrong: &Wrong) -> String {
    match wrong {
        Wrong::Name => page.say("bundle-name-wrong"),
        Wrong::Summary => page.say("bundle-summary-wrong"),
        Wrong::TooMany(most) => page.say_one("bundle-too-many", "count", *most),
        Wrong::Products | Wrong::Twice => page.say("bundle-products-wrong"),
        Wrong::NotOwn(code) => page.say_one("bundle-code-wrong", "code", code.as_str()),
        Wrong::Prices => page.say("bundle-prices-wrong"),
        Wrong::NoSingle { product, currency } => {
            let values = [
                ("product", product.as_str().into()),
                ("currency", currency.as_str().into()),
            ];
            page.words.say_with("bundle-no-single", values)
        }
        Wrong::Amount(apart) => {
            page.say_one("bundle-amount-wrong", "amount", page.format.money(*apart))
        }
    }
}

/// `POST /sell/bundles`.
pub async fn create(ask: Ask, form: Result<CsrfForm<BundleForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    match write(&ask, None, &form).await? {
        Ok(()) => go_to("/sell/bundles"),
        Err(wrong) => refused(422, &list_page(&ask, &form, Some(&wrong)).await?),
    }
}

fn bundle_id(text: &str) -> Result<BundleId, Problem> {
    BundleId::parse(text).map_err(|_| Problem::not_found("There is no such bundle."))
}

async fn found(ask: &Ask, id: &str) -> Result<Bundle, Problem> {
    let id = bundle_id(id)?;
    let mut all = bundles(ask).await?.into_iter().map(|(bundle, _)| bundle);
    let own = all.find(|bundle| bundle.id == id);
    Ok(own.ok_or(BundleError::NotFound)?)
}

fn one_page(ask: &Ask, bundle: &Bundle, form: &BundleForm, wrong: Option<&Mistake>) -> BundlePage {
    let page = ask.section_page("bundle-edit", Section::Sell);
    BundlePage {
        tabs: tabs(&page, At::Bundles),
        id: bundle.id.to_string(),
        name: bundle.name.clone(),
        address: format!("/b/{}", bundle.slug),
        fields: fields(&page, form, wrong),
        page,
    }
}

/// `GET /sell/bundles/{id}`.
pub async fn edit(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let bundle = found(&ask, &id).await?;
    let form = BundleForm::of(&bundle, &own_products(&ask).await?);
    html(&one_page(&ask, &bundle, &form, None))
}

/// `POST /sell/bundles/{id}`.
pub async fn save(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<BundleForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let bundle = found(&ask, &id).await?;
    match write(&ask, Some(bundle.id), &form).await? {
        Ok(()) => go_to("/sell/bundles"),
        Err(wrong) => refused(422, &one_page(&ask, &bundle, &form, Some(&wrong))),
    }
}

/// What the switch sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchForm {
    on: String,
}

/// `POST /sell/bundles/{id}/switch`.
pub async fn switch(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<SwitchForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let command = SwitchBundle {
        bundle: bundle_id(&id)?,
        on: form.on == "yes",
    };
    let caller = &ask.visitor.caller;
    let done = ask.app.transact(caller, command, switch_bundle).await;
    done.map_err(Problem::from)?;
    go_to("/sell/bundles")
}
