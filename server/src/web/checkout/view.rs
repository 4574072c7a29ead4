//! The checkout as a page: its lines, its sums, its fields with their mistakes.

use super::{Basket, BuyForm, Wrong};
use crate::domains::catalog::tokens::fold;
use crate::domains::catalog::{Place, Price};
use crate::domains::fulfilment::Quoted;
use crate::domains::orders::ConsentKind;
use crate::domains::orders::NewLine;
use crate::domains::promotions::{Discount, Refusal};
use crate::web::ask::Ask;
use crate::web::gift::GiftPart;
use crate::web::page::Page;
use crate::web::parts::{Badge, Choice, Field, Notice, Tone};
use crate::web::shelf::{kind_badge, price_meaning, price_text};
use crate::web::tax::{quote_text, vat_id_field};
use askama::Template;

/// The checkout, ready to be drawn.
#[derive(Template)]
#[template(path = "checkout.html")]
pub(super) struct CheckoutPage {
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
    pub(super) quote: String,
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
    /// How it could be tried first, and where; for one product's price.
    trial: Option<[String; 3]>,
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

/// Why a code does nothing, in words.
pub(super) fn refusal_text(page: &Page, refusal: &Refusal) -> String {
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
    let (Place::Country(code) | Place::Group(code)) = price.place(country)?;
    Some(page.say_one("checkout-place", "place", page.format.place(&code)))
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
    /// What the basket costs, with what was typed and the mistakes at their fields.
    pub(super) fn new(
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
        let mut texts = quoted.consents(ask.locale).into_iter();
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
            trial: (basket.price.as_ref()).and_then(|price| {
                let slug = basket.back.strip_prefix("/p/")?;
                crate::web::trial::offer(&page, slug, price)
            }),
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
        text: page.format.country(&code).to_owned(),
        value: code,
    };
    let mut choices: Vec<_> = choices.into_iter().map(choice).collect();
    choices.sort_by_cached_key(|choice| fold(&choice.text));
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
