//! Checkout: what it costs in all, where the key goes, one button.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::gift::{GiftForm, GiftPart, GiftWrong};
use super::license::Token;
use super::page::{Page, Section};
use super::parts::{Badge, Choice, Field, Notice, Tone};
use super::shelf::{kind_badge, price_meaning, price_text};
use super::tax::{quote_text, refused_vat_id, vat_id_field};
use crate::domains::affiliates::Referred;
use crate::domains::carts::Owner;
use crate::domains::catalog::ops::{ProductAt, product_at};
use crate::domains::catalog::{Place, Price, Product, State};
use crate::domains::fulfilment::consent;
use crate::domains::fulfilment::flow::{self, Bid, Started};
use crate::domains::fulfilment::{
    ConsentKind, Figure, FulfilmentError, Item, Promise, Quoted, Wanted,
};
use crate::domains::ledger::Traffic;
use crate::domains::orders::{MAX_QUANTITY, NewLine, OrderError};
use crate::domains::promotions::{Discount, Refusal};
use crate::domains::risk::RiskError;
use crate::domains::taxes::TaxError;
use crate::domains::taxes::places::{self, COUNTRIES};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{AffiliateClickId, OrderId, PriceId};
use mintreu::price::parse_amount;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutPage {
    page: Page,
    post_to: String,
    back: String,
    /// The price of a checkout of one product.
    price: Option<String>,
    from: String,
    lines: Vec<LineRow>,
    tax: String,
    total: String,
    /// What is shown, sealed: it comes back with the form, and nothing else is charged.
    quote: String,
    quantity: Option<Field>,
    /// What the buyer would pay, where the buyer names the price.
    amount: Option<Field>,
    /// Where the buyer is, where it matters.
    country: Option<Field>,
    /// A business's VAT id, while tax is collected.
    vat_id: Option<Field>,
    code: Field,
    email: Option<Field>,
    /// Whom it is for, where it can be given.
    gift: Option<GiftPart>,
    /// The sentence to tick where something is supplied at once, and whether it was.
    waiver: Option<(String, bool)>,
    waiver_missing: bool,
    signed_in: String,
    next_step: String,
    action: String,
}

struct LineRow {
    name: String,
    seller: String,
    badge: Badge,
    price_meaning: String,
    price_text: String,
    /// The bundle that it is sold in.
    bundle: Option<String>,
    /// Why this price, where it is one of some countries.
    place: Option<String>,
    /// What a code takes off.
    discount: Option<(String, String)>,
}

/// Which price, how many of it, and with which code: what a link to a checkout says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    price: Option<String>,
    quantity: String,
    amount: String,
    code: String,
    email: String,
    country: String,
    /// `seller` for a link of the seller's own.
    from: String,
}

/// What the form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct BuyForm {
    price: String,
    quantity: String,
    amount: String,
    country: String,
    vat_id: String,
    code: String,
    quote: String,
    email: String,
    /// `seller` when a link of the seller's own led here.
    from: String,
    /// Whether the waiver was ticked.
    waiver: String,
    /// `apply` when the form shall only be drawn again.
    act: String,
    #[serde(flatten)]
    gift: GiftForm,
}

impl BuyForm {
    /// How many, when it is a number that can be bought.
    fn count(&self) -> Option<i64> {
        let count = match self.quantity.trim() {
            "" => Some(1),
            text => text.parse().ok(),
        };
        count.filter(|count| (1..=MAX_QUANTITY).contains(count))
    }

    /// What the buyer names for one, as far as it can be read and is theirs to name.
    fn named(&self, price: &Price) -> Option<i64> {
        let least = price.minimum()?;
        let suggested = price.amount.minor();
        let text = self.amount.trim();
        let read = parse_amount(text, least.currency()).ok();
        Some(read.filter(|_| !text.is_empty()).unwrap_or(suggested))
    }

    /// The codes, parted by blanks or commas.
    fn codes(&self) -> Vec<String> {
        let parts = self.code.split([' ', ',']).map(str::trim);
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// What is bought, and the page that it is bought on.
pub(super) struct Basket {
    pub items: Vec<Item>,
    /// The price, when it is one product's.
    pub price: Option<Price>,
    /// Where some of it is for sale, or has a price of its own; empty where it doesn't matter.
    pub countries: Vec<String>,
    /// Whether it is for sale in other countries too.
    pub elsewhere: bool,
    pub post_to: String,
    pub back: String,
    /// The cart that ends when it is bought.
    pub cart: Option<Owner>,
    /// Where the buyer is taken to be unless they say otherwise; none while no tax is collected.
    pub whereabouts: Option<Whereabouts>,
    /// The clicks on affiliates' links that brought the buyer.
    pub clicks: Vec<AffiliateClickId>,
}

/// Where a buyer is taken to be, for tax.
#[derive(Debug, Clone)]
pub(super) struct Whereabouts {
    country: String,
    region: Option<String>,
    vat_id: Option<String>,
}

impl Basket {
    fn one(product: &Product, price: &Price, form: &BuyForm) -> Self {
        Self {
            items: vec![Item {
                price: price.id,
                quantity: form.count().unwrap_or(1),
                named: form.named(price),
            }],
            countries: product.places_of(price),
            elsewhere: price.bounds.countries.is_empty(),
            price: Some(price.clone()),
            post_to: format!("/checkout/{}", product.slug),
            back: format!("/p/{}", product.slug),
            cart: None,
            whereabouts: None,
            clicks: Vec::new(),
        }
    }

    /// With where the buyer is taken to be, if tax is collected.
    pub(super) async fn located(mut self, ask: &Ask) -> Result<Self, Problem> {
        let caller = &ask.visitor.caller;
        let nothing = Wanted::default();
        let found = flow::whereabouts(&ask.app, caller, &ask.languages, nothing).await?;
        self.clicks.clone_from(&ask.clicks);
        self.whereabouts = found.country.map(|country| Whereabouts {
            country,
            region: found.region,
            vat_id: found.vat_id,
        });
        Ok(self)
    }

    /// Where the buyer may say to be: the countries that its prices name, or all where tax is
    /// collected; nobody is asked where it doesn't matter.
    fn choices(&self) -> Vec<String> {
        let anywhere = self.elsewhere || self.countries.is_empty();
        match (anywhere, &self.whereabouts) {
            (true, Some(_)) => COUNTRIES.map(|(code, _)| code.to_owned()).into(),
            _ => self.countries.clone(),
        }
    }

    /// Where the buyer is, as chosen; until then where they are taken to be, or the first country
    /// where it must be one of them.
    fn country(&self, form: &BuyForm) -> Option<String> {
        let choices = self.choices();
        let known = |wanted: &str| choices.iter().find(|known| *known == wanted);
        let guess = self.whereabouts.as_ref();
        let guessed = || known(&guess?.country);
        let first = || {
            let must = guess.is_some() || !self.elsewhere;
            choices.first().filter(|_| must)
        };
        let chosen = known(&form.country).or_else(guessed).or_else(first);
        chosen.cloned()
    }

    pub(super) fn wanted(&self, form: &BuyForm) -> Wanted {
        let country = self.country(form);
        // What an account said of its place holds for that place.
        let own = self.whereabouts.as_ref();
        let own = own.filter(|own| Some(&own.country) == country.as_ref());
        let typed = Some(form.vat_id.trim()).filter(|text| !text.is_empty());
        let fresh = form.country.is_empty();
        let kept = own.and_then(|own| own.vat_id.clone()).filter(|_| fresh);
        Wanted {
            items: self.items.clone(),
            codes: form.codes(),
            region: own.and_then(|own| own.region.clone()),
            vat_id: match self.whereabouts {
                Some(_) => typed.map(str::to_owned).or(kept),
                None => None,
            },
            country,
            gift: None,
            referred: Referred {
                clicks: self.clicks.clone(),
                code: None,
            },
        }
    }
}

/// What is wrong with what was typed, or with the world since it was shown.
#[derive(Debug, Clone, Default)]
struct Wrong {
    code: Option<String>,
    email: Option<String>,
    amount: Option<String>,
    quantity: Option<String>,
    vat_id: Option<String>,
    waiver: bool,
    gift: GiftWrong,
    over: Option<String>,
}

/// A published product and one of its prices; the first when none is named.
async fn offered(ask: &Ask, slug: &str, price: Option<&str>) -> Result<(Product, Price), Problem> {
    let missing = || Problem::not_found("This isn't for sale.");
    let query = ProductAt {
        slug: slug.to_owned(),
    };
    let product = ask.app.read(&ask.visitor.caller, query, product_at).await?;
    let wanted = price
        .map(PriceId::parse)
        .transpose()
        .map_err(|_| missing())?;
    let price = match wanted {
        Some(id) => product.price(id).cloned(),
        None => product.prices.first().cloned(),
    };
    let for_sale = product.state == State::Published;
    Ok((product, price.filter(|_| for_sale).ok_or_else(missing)?))
}

/// `GET /checkout/{slug}?price=…&quantity=…&code=…&email=…`.
pub async fn show(
    ask: Ask,
    Path(slug): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    let Query(which) = which?;
    let (product, price) = offered(&ask, &slug, which.price.as_deref()).await?;
    let form = BuyForm {
        quantity: which.quantity,
        amount: which.amount,
        country: which.country,
        from: which.from,
        code: which.code,
        email: which.email,
        ..BuyForm::default()
    };
    let basket = Basket::one(&product, &price, &form).located(&ask).await?;
    html(&drawn(&ask, &basket, &form, Wrong::default()).await?)
}

/// The page as things stand now: its quote is what the form will carry.
async fn drawn(
    ask: &Ask,
    basket: &Basket,
    form: &BuyForm,
    mut wrong: Wrong,
) -> Result<CheckoutPage, Problem> {
    let page = ask.section_page("checkout-title", Section::Shop);
    let mut wanted = basket.wanted(form);
    let email = (!ask.visitor.is_signed_in()).then(|| form.email.clone());
    let caller = &ask.visitor.caller;
    if let Some(vat_id) = refused_vat_id(&page, &wanted) {
        wrong.vat_id = Some(vat_id);
        wanted.vat_id = None;
    }
    let quoted = match flow::quote_of(&ask.app, caller, wanted.clone(), email.clone()).await {
        Err(FulfilmentError::Order(OrderError::AmountTooLow(least))) => {
            let least = page.format.money(least);
            wrong.amount = Some(page.say_one("checkout-amount-low", "amount", least));
            wanted.items.iter_mut().for_each(|item| item.named = None);
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        Err(FulfilmentError::Order(OrderError::TooMany(most))) => {
            wrong.quantity = Some(page.say_one("checkout-quantity-most", "count", most));
            wanted
                .items
                .iter_mut()
                .for_each(|item| item.quantity = most.min(item.quantity));
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        Err(FulfilmentError::Order(OrderError::BelowFees)) => {
            // Without codes, only what the buyer named can be too little.
            match wanted.codes.is_empty() {
                true => wrong.amount = Some(page.say("checkout-amount-fees")),
                false => wrong.code = Some(page.say("coupon-below-fees")),
            }
            wanted.codes.clear();
            wanted.items.iter_mut().for_each(|item| item.named = None);
            flow::quote_of(&ask.app, caller, wanted.clone(), email).await?
        }
        other => other?,
    };
    if let Some((_, refusal)) = quoted.refused.first() {
        wrong.code = wrong.code.or(Some(refusal_text(&page, refusal)));
    }
    let (_, quote) = flow::promise_of(&ask.app, caller, (&quoted, &wanted), ask.locale)?;
    let view = CheckoutPage::new(ask, page, (basket, form), (&quoted, &wrong));
    Ok(CheckoutPage { quote, ..view })
}

/// Why a code does nothing, in words.
fn refusal_text(page: &Page, refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid => page.say("coupon-refused-invalid"),
        Refusal::Inactive => page.say("coupon-refused-inactive"),
        Refusal::InsufficientQuantity(least) => page.say_one("coupon-refused-few", "count", *least),
        Refusal::ExceedingQuantity(left) => page.say_one("coupon-refused-many", "count", *left),
        Refusal::SoldOut => page.say("coupon-refused-sold-out"),
        Refusal::CustomerLimit => page.say("coupon-refused-yours"),
        Refusal::MinimumSpend(least) => {
            let least = page.format.money(*least);
            page.say_one("coupon-refused-spend", "amount", least)
        }
        Refusal::FreePeriod => page.say("coupon-refused-free"),
    }
}

/// Why a buyer there pays a price of some countries.
fn place_text(page: &Page, price: &Price, country: Option<&str>) -> Option<String> {
    Some(match price.place(country)? {
        Place::Country(country) => page.say_one("checkout-place-country", "country", country),
        Place::Group(group) => page.say_one("checkout-place-group", "group", group),
    })
}

fn line_row(
    page: &Page,
    line: &NewLine,
    given: Option<&Discount>,
    country: Option<&str>,
) -> LineRow {
    let product = &line.offer.product;
    let price = match line.named || line.bundle.is_some() {
        true => page.format.money(line.unit),
        false => price_text(page, &line.offer.price),
    };
    let discount = given.map(|given| {
        let minus = given.off.checked_neg().unwrap_or(given.off);
        let label = page.say_one("checkout-discount", "code", given.code.as_str());
        (label, page.format.money(minus))
    });
    LineRow {
        name: product.name.clone(),
        seller: page.say_one("product-by", "seller", product.seller.name.as_str()),
        badge: kind_badge(page, product.kind),
        price_meaning: price_meaning(page, &line.offer.price),
        place: place_text(page, &line.offer.price, country),
        bundle: (line.bundle.as_ref())
            .map(|bundle| page.say_one("bundle-line", "bundle", bundle.title.as_str())),
        price_text: match line.quantity {
            1 => price,
            count => format!("{} × {price}", page.format.signed(count)),
        },
        discount,
    }
}

impl CheckoutPage {
    fn new(
        ask: &Ask,
        mut page: Page,
        (basket, form): (&Basket, &BuyForm),
        (quoted, wrong): (&Quoted, &Wrong),
    ) -> Self {
        let total = page.format.money(quoted.total);
        let free = quoted.total.minor() == 0;
        let name = ask.visitor.name.clone();
        if let Some(text) = &wrong.over {
            page.notice = Some(Notice::new(Tone::Bad, text.clone()));
        }
        let given = quoted.lines.iter().zip(&quoted.given);
        let country = basket.country(form);
        let mut texts = consent::texts(quoted, ask.locale).into_iter();
        let waiver = texts.find(|text| text.kind == ConsentKind::Waiver);
        Self {
            waiver: waiver.map(|waiver| (waiver.text, !form.waiver.is_empty())),
            waiver_missing: wrong.waiver,
            post_to: basket.post_to.clone(),
            back: basket.back.clone(),
            from: form.from.clone(),
            price: basket.price.as_ref().map(|price| price.id.to_string()),
            lines: given
                .map(|(line, given)| line_row(&page, line, given.as_ref(), country.as_deref()))
                .collect(),
            tax: quote_text(&page, quoted),
            quote: String::new(),
            quantity: (basket.price.as_ref()).map(|_| quantity_field(&page, form, wrong)),
            amount: (basket.price.as_ref())
                .and_then(|price| amount_field(&page, price, form, wrong)),
            country: country_field(&page, basket, form),
            vat_id: (basket.whereabouts.as_ref())
                .map(|_| vat_id_field(&page, basket.wanted(form).vat_id, wrong.vat_id.clone())),
            code: Field::text("code", page.say("checkout-code"))
                .value(form.code.trim())
                .max_length(200)
                .error(wrong.code.clone()),
            email: name.is_none().then(|| email_field(&page, form, wrong)),
            gift: (!free).then(|| GiftPart::new(&page, &form.gift, &wrong.gift)),
            signed_in: page.say_one("checkout-signed-in", "name", name.unwrap_or_default()),
            next_step: page.say(match (free, form.gift.is_wished()) {
                (true, _) => "checkout-next-free",
                (false, true) => "gift-next",
                (false, false) => "checkout-next-pay",
            }),
            action: match free {
                true => page.say("checkout-get"),
                false => page.say_one("checkout-pay", "amount", total.as_str()),
            },
            total,
            page,
        }
    }
}

fn amount_field(page: &Page, price: &Price, form: &BuyForm, wrong: &Wrong) -> Option<Field> {
    let least = page.format.money(price.minimum()?);
    let suggested = price.amount.to_string();
    let value = match form.amount.trim() {
        "" => suggested.split(' ').next().unwrap_or_default(),
        typed => typed,
    };
    let label = page.say_one(
        "checkout-amount",
        "currency",
        price.amount.currency().code(),
    );
    let field = Field::text("amount", label);
    let field = field.hint(page.say_one("checkout-amount-hint", "amount", least));
    let field = field.input_mode("decimal").max_length(20);
    Some(field.value(value).error(wrong.amount.clone()))
}

fn country_field(page: &Page, basket: &Basket, form: &BuyForm) -> Option<Field> {
    let choices = basket.choices();
    if choices.is_empty() {
        return None;
    }
    let chosen = basket.country(form).unwrap_or_default();
    let choice = |code: String| Choice {
        text: places::name(&code).unwrap_or(&code).to_owned(),
        value: code,
    };
    let mut choices: Vec<_> = choices.into_iter().map(choice).collect();
    choices.sort_by(|one, other| one.text.cmp(&other.text));
    if basket.elsewhere && basket.whereabouts.is_none() {
        let other = Choice {
            value: String::new(),
            text: page.say("checkout-elsewhere"),
        };
        choices.insert(0, other);
    }
    let field = Field::select("country", page.say("checkout-country"), choices);
    let hint = match basket.countries.is_empty() {
        true => page.say("checkout-country-tax-hint"),
        false => page.say("checkout-country-hint"),
    };
    Some(field.hint(hint).value(chosen))
}

fn quantity_field(page: &Page, form: &BuyForm, wrong: &Wrong) -> Field {
    let bad = form.count().is_none();
    let value = form.count().unwrap_or(1).to_string();
    Field::text("quantity", page.say("checkout-quantity"))
        .input_mode("numeric")
        .value(value)
        .max_length(3)
        .error(match bad {
            true => Some(page.say("checkout-quantity-wrong")),
            false => wrong.quantity.clone(),
        })
}

fn email_field(page: &Page, form: &BuyForm, wrong: &Wrong) -> Field {
    Field::email("email", page.say("checkout-email"))
        .hint(page.say("checkout-email-hint"))
        .required()
        .max_length(254)
        .value(form.email.trim())
        .error(wrong.email.clone())
}

/// `POST /checkout/{slug}`: places the order and goes to pay, or to the key when it is free.
pub async fn place(
    ask: Ask,
    Path(slug): Path<String>,
    form: Result<CsrfForm<BuyForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let (product, price) = offered(&ask, &slug, Some(&form.price)).await?;
    let basket = Basket::one(&product, &price, &form).located(&ask).await?;
    if form.count().is_none() {
        return refused(422, &drawn(&ask, &basket, &form, Wrong::default()).await?);
    }
    bid(&ask, &basket, &form).await
}

/// The checkout of a whole cart.
pub(super) async fn draw_all(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    html(&drawn(ask, basket, form, Wrong::default()).await?)
}

/// Confirms a whole cart.
pub(super) async fn buy_all(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    bid(ask, basket, form).await
}

/// Confirms what the form was drawn with, or draws it again.
async fn bid(ask: &Ask, basket: &Basket, form: &BuyForm) -> Answer {
    if form.act == "apply" {
        return html(&drawn(ask, basket, form, Wrong::default()).await?);
    }
    let caller = &ask.visitor.caller;
    let promise = Promise::open(&form.quote, &ask.app.keys, caller.tenant)?;
    // A cart that is empty was bought a moment ago by the same form: its order is answered again.
    let again = basket.cart.is_some() && basket.items.is_empty();
    let shown = promise.wanted()?;
    // Who brought the buyer is no part of what was shown: what the quote holds counts.
    let typed = Wanted {
        referred: shown.referred.clone(),
        ..basket.wanted(form)
    };
    if !again && shown != typed {
        // What was typed since is not what was shown: look before you pay.
        let over = Some(ask.page("checkout-title").say("checkout-look-again"));
        let wrong = Wrong {
            over,
            ..Wrong::default()
        };
        return refused(409, &drawn(ask, basket, form, wrong).await?);
    }
    let identity = caller.account.map(|account| account.to_string());
    let identity = identity.unwrap_or_else(|| ask.visitor.client_key());
    flow::limit_confirms(&ask.app, &identity)?;
    let bid = Bid {
        promise: promise.clone(),
        email: (!ask.visitor.is_signed_in()).then(|| form.email.trim().to_owned()),
        network: Some((&ask.visitor).into()),
        traffic: match form.from.as_str() {
            "seller" => Traffic::Seller,
            _ => Traffic::Marketplace,
        },
        provider: None,
        cart: basket.cart,
        waived: !form.waiver.is_empty(),
        gift: form.gift.wish(),
    };
    match flow::confirm_quote(&ask.app, caller, bid).await {
        Ok(started) => go_to(&next_of(&started)),
        Err(_) if again => go_to(&basket.back),
        Err(error) => {
            let (status, wrong) = explained(ask, &promise, error)?;
            refused(status, &drawn(ask, basket, form, wrong).await?)
        }
    }
}

/// The payment page, or the order when there is nothing to pay.
fn next_of(started: &Started) -> String {
    started
        .pay_url
        .clone()
        .unwrap_or_else(|| started.order_path())
}

/// What the buyer can mend is said on the form; the rest is a problem.
fn explained(
    ask: &Ask,
    promise: &Promise,
    error: FulfilmentError,
) -> Result<(u16, Wrong), Problem> {
    let page = ask.page("checkout-title");
    let mut wrong = Wrong::default();
    match error {
        FulfilmentError::Order(OrderError::EmailMissing | OrderError::EmailMalformed) => {
            wrong.email = Some(page.say("checkout-email-wrong"));
            Ok((422, wrong))
        }
        FulfilmentError::ConsentMissing => {
            wrong.waiver = true;
            Ok((422, wrong))
        }
        FulfilmentError::Gift(error) => {
            wrong.gift = GiftWrong::of(&page, error)?;
            Ok((422, wrong))
        }
        FulfilmentError::QuoteChanged(quoted) => {
            wrong.over = Some(changes_text(&page, promise, &quoted));
            Ok((409, wrong))
        }
        FulfilmentError::Tax(TaxError::VatId | TaxError::VatIdElsewhere(_)) => Ok((422, wrong)),
        FulfilmentError::Order(OrderError::OwnProduct) => {
            wrong.over = Some(page.say("checkout-own"));
            Ok((422, wrong))
        }
        FulfilmentError::Risk(RiskError::Refused(decision)) => {
            wrong.over = Some(page.say_one("risk-refused", "number", decision.id.to_string()));
            Ok((403, wrong))
        }
        FulfilmentError::Risk(RiskError::SignIn(_)) => {
            wrong.over = Some(page.say("risk-sign-in"));
            Ok((403, wrong))
        }
        FulfilmentError::Order(OrderError::CountryNotServed(_)) => {
            wrong.over = Some(page.say("checkout-country-wrong"));
            Ok((422, wrong))
        }
        FulfilmentError::Order(
            OrderError::BelowFees | OrderError::TooMany(_) | OrderError::AmountTooLow(_),
        ) => Ok((422, wrong)),
        other => Err(other.into()),
    }
}

/// What changed since the page was drawn, line by line, and the new total.
fn changes_text(page: &Page, promise: &Promise, quoted: &Quoted) -> String {
    let total = page.format.money(quoted.total);
    let mut sentences = vec![page.say_one("checkout-changed", "total", total)];
    for change in promise.changes(quoted) {
        let key = match change.figure {
            Figure::Price => "checkout-changed-price",
            Figure::Discount => "checkout-changed-discount",
            Figure::Tax => "checkout-changed-tax",
        };
        let values = [
            ("title", change.title.as_str().into()),
            ("was", page.format.money(change.was).into()),
            ("now", page.format.money(change.now).into()),
        ];
        sentences.push(page.words.say_with(key, values));
    }
    if !promise.terms_hold(quoted) {
        sentences.push(page.say("checkout-changed-terms"));
    }
    sentences.join(" ")
}

/// `POST /orders/{id}/pay`: opens the payment page of an order that still waits.
pub async fn retry(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Which>, Problem>,
) -> Answer {
    form?;
    let Query(token) = token?;
    let missing = || Problem::not_found("There is no such order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let started = flow::pay_again(
        &ask.app,
        &ask.visitor.caller,
        (order, token.t),
        Some((&ask.visitor).into()),
    )
    .await?;
    go_to(&next_of(&started))
}
