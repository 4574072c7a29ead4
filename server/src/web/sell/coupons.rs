//! A seller's coupons: the list with their uses, and the form of one.

use super::coupon_form::{CouponForm, Mistake};
use super::{At, Tab, must_sell, tabs};
use crate::domains::catalog::Product;
use crate::domains::catalog::ops::{SellerProducts, seller_products};
use crate::domains::promotions::{
    Coupon, CreateCoupon, OwnCoupons, PromotionError, SwitchCoupon, UpdateCoupon, create_coupon,
    own_coupons, switch_coupon, update_coupon,
};
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask, go_to, html, refused};
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Choice, Field, Tone};
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::CouponId;
use mintreu::{Money, Timestamp};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/coupons.html")]
struct CouponsPage {
    page: Page,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "sell/coupon.html")]
struct CouponPage {
    page: Page,
    tabs: Vec<Tab>,
    id: String,
    code: String,
    fields: Vec<Field>,
}

struct Row {
    id: String,
    code: String,
    off: String,
    uses: String,
    state: Badge,
    on: bool,
}

fn row(page: &Page, coupon: &Coupon, now: Timestamp) -> Row {
    let taken = page.format.signed(coupon.taken);
    let uses = match coupon.rule.max_units {
        None => taken,
        Some(most) => {
            let values = [
                ("taken", taken.into()),
                ("most", page.format.signed(most).into()),
            ];
            page.words.say_with("coupon-uses-of", values)
        }
    };
    let (tone, key) = match (coupon.disabled_at, coupon.is_active(now)) {
        (Some(_), _) => (Tone::Plain, "coupon-off"),
        (None, true) => (Tone::Good, "coupon-active"),
        (None, false) => (Tone::Wait, "coupon-waiting"),
    };
    Row {
        id: coupon.id.to_string(),
        code: coupon.code.clone(),
        off: off_text(page, coupon),
        uses,
        state: Badge::new(tone, page.words.say(key)),
        on: coupon.disabled_at.is_none(),
    }
}

fn off_text(page: &Page, coupon: &Coupon) -> String {
    if let Some(bps) = coupon.rule.percent_bps {
        return super::coupon_form::percent_text(bps);
    }
    let amounts = coupon.rule.off.iter().filter_map(|off| {
        let currency = mintreu::Currency::parse(&off.currency).ok()?;
        Some(page.format.money(Money::new(off.amount_minor, currency)))
    });
    amounts.collect::<Vec<_>>().join(", ")
}

/// The form's fields; the code of a coupon that exists can't be changed.
fn fields(page: &Page, form: &CouponForm, is_new: bool, wrong: &[Mistake]) -> Vec<Field> {
    let error = |input: &str| {
        let found = wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, key)| page.words.say(key))
    };
    let text = |input: &'static str, label: &str, hint: &str, value: &str| {
        let field = Field::text(input, page.words.say(label)).value(value);
        let field = field.max_length(300).error(error(input));
        match hint {
            "" => field,
            hint => field.hint(page.words.say(hint)),
        }
    };
    let choice = |value: &str, key: &str| Choice {
        value: value.to_owned(),
        text: page.words.say(key),
    };
    let lasts = vec![
        choice("once", "coupon-lasts-once"),
        choice("cycles", "coupon-lasts-cycles"),
        choice("forever", "coupon-lasts-forever"),
    ];
    let products = Field::area("products", page.say("coupon-products"));
    let lasting = Field::select("lasts", page.say("coupon-lasts"), lasts);
    let mut fields = Vec::new();
    if is_new {
        fields.push(text("code", "coupon-code", "coupon-code-hint", &form.code).required());
    }
    fields.extend([
        text("off", "coupon-takes", "coupon-takes-hint", &form.off).required(),
        text("starts", "coupon-starts", "coupon-day-hint", &form.starts),
        text("ends", "coupon-ends", "coupon-day-hint", &form.ends),
        text("most", "coupon-most", "coupon-most-hint", &form.most),
        text("each", "coupon-each", "coupon-each-hint", &form.each),
        text("least", "coupon-least", "", &form.least),
        text("spend", "coupon-spend", "coupon-spend-hint", &form.spend),
        lasting.value(&form.lasts).error(error("lasts")),
        text("cycles", "coupon-cycles", "", &form.cycles),
        products
            .hint(page.say("coupon-products-hint"))
            .value(&form.products)
            .error(error("products"))
            .full(),
    ]);
    fields
}

async fn own_products(ask: &Ask) -> Result<Vec<Product>, Problem> {
    let found = ask
        .app
        .read(&ask.visitor.caller, SellerProducts, seller_products);
    Ok(found.await?)
}

async fn coupons(ask: &Ask) -> Result<Vec<Coupon>, Problem> {
    let found = ask.app.read(&ask.visitor.caller, OwnCoupons, own_coupons);
    Ok(found.await?)
}

async fn list_page(
    ask: &Ask,
    form: &CouponForm,
    wrong: &[Mistake],
) -> Result<CouponsPage, Problem> {
    let page = ask.section_page("sell-coupons", Section::Sell);
    let now = ask.app.now();
    let found = coupons(ask).await?;
    Ok(CouponsPage {
        tabs: tabs(&page, At::Coupons),
        rows: found.iter().map(|one| row(&page, one, now)).collect(),
        fields: fields(&page, form, true, wrong),
        page,
    })
}

/// `GET /sell/coupons`.
pub async fn list(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    html(&list_page(&ask, &CouponForm::default(), &[]).await?)
}

/// `POST /sell/coupons`.
pub async fn create(ask: Ask, form: Result<CsrfForm<CouponForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let rule = match form.rule(&own_products(&ask).await?) {
        Ok(rule) => rule,
        Err(wrong) => return refused(422, &list_page(&ask, &form, &wrong).await?),
    };
    let command = CreateCoupon {
        code: form.code.clone(),
        rule,
    };
    let made = ask
        .app
        .transact(&ask.visitor.caller, command, create_coupon);
    match made.await {
        Ok(_) => go_to("/sell/coupons"),
        Err(error) => {
            let wrong = [told(error)?];
            refused(422, &list_page(&ask, &form, &wrong).await?)
        }
    }
}

/// A mistake at its input; what isn't the seller's to mend stays a problem.
fn told(error: PromotionError) -> Result<Mistake, Problem> {
    match error {
        PromotionError::CodeTaken => Ok(("code", "coupon-code-taken")),
        PromotionError::Rule(field, _) => Ok(match field {
            "code" => ("code", "coupon-code-wrong"),
            "percent_bps" | "off" => ("off", "coupon-takes-wrong"),
            "max_units" => ("most", "field-out-of-range"),
            "max_per_customer" => ("each", "field-out-of-range"),
            "min_quantity" => ("least", "field-out-of-range"),
            "min_spend" => ("spend", "coupon-spend-wrong"),
            "ends_at" => ("ends", "coupon-ends-wrong"),
            "lasts" => ("cycles", "field-out-of-range"),
            _ => ("products", "coupon-products-wrong"),
        }),
        other => Err(other.into()),
    }
}

async fn found(ask: &Ask, id: &str) -> Result<Coupon, Problem> {
    let missing = || Problem::not_found("There is no such coupon.");
    let id = CouponId::parse(id).map_err(|_| missing())?;
    let all = coupons(ask).await?.into_iter();
    all.into_iter()
        .find(|coupon| coupon.id == id)
        .ok_or_else(missing)
}

fn one_page(ask: &Ask, coupon: &Coupon, form: &CouponForm, wrong: &[Mistake]) -> CouponPage {
    let page = ask.section_page("coupon-edit", Section::Sell);
    CouponPage {
        tabs: tabs(&page, At::Coupons),
        id: coupon.id.to_string(),
        code: coupon.code.clone(),
        fields: fields(&page, form, false, wrong),
        page,
    }
}

/// `GET /sell/coupons/{id}`.
pub async fn edit(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let coupon = found(&ask, &id).await?;
    let form = CouponForm::of(&coupon, &own_products(&ask).await?);
    html(&one_page(&ask, &coupon, &form, &[]))
}

/// `POST /sell/coupons/{id}`.
pub async fn save(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<CouponForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let coupon = found(&ask, &id).await?;
    let rule = match form.rule(&own_products(&ask).await?) {
        Ok(rule) => rule,
        Err(wrong) => return refused(422, &one_page(&ask, &coupon, &form, &wrong)),
    };
    let command = UpdateCoupon {
        coupon: coupon.id,
        rule,
    };
    let saved = ask
        .app
        .transact(&ask.visitor.caller, command, update_coupon);
    match saved.await {
        Ok(_) => go_to("/sell/coupons"),
        Err(error) => refused(422, &one_page(&ask, &coupon, &form, &[told(error)?])),
    }
}

/// What the switch sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SwitchForm {
    on: String,
}

/// `POST /sell/coupons/{id}/switch`.
pub async fn switch(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<SwitchForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let missing = || Problem::not_found("There is no such coupon.");
    let command = SwitchCoupon {
        coupon: CouponId::parse(&id).map_err(|_| missing())?,
        on: form.on == "yes",
    };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, switch_coupon).await?;
    go_to("/sell/coupons")
}
