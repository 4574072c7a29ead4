//! A seller's affiliate programme: what is offered, who takes part, and what they brought.

use super::{At, Tab, must_sell, tabs};
use crate::domains::affiliates::{
    AffiliateError, OwnProgramme, Partner, Programming, SetPartner, SetProgramme, SetRate,
    Standing, Terms, own_programme, set_partner, set_programme, set_rate,
};
use crate::domains::catalog::Product;
use crate::domains::catalog::ops::{SellerProducts, seller_products};
use crate::domains::promotions::{OwnCoupons, own_coupons};
use crate::problem::{PageProblem, Problem};
use crate::web::affiliate::{ReferralRow, earned, percent, referral_row, standing};
use crate::web::ask::{Answer, Ask, go_to, html, refused};
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Choice, Field, Notice, Tone};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{AffiliationId, CouponId, OrderLineId, ProductId};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "sell/affiliates.html")]
struct AffiliatesPage {
    page: Page,
    tabs: Vec<Tab>,
    notices: Vec<Notice>,
    fields: Vec<Field>,
    rates: Vec<RateRow>,
    partners: Vec<PartnerRow>,
    referrals: Vec<ReferralRow>,
    next: Option<String>,
}

struct RateRow {
    id: String,
    name: String,
    choices: Vec<(String, String, bool)>,
}

struct PartnerRow {
    id: String,
    name: String,
    state: Badge,
    clicks: String,
    sales: String,
    cost: String,
    coupon: String,
    suspended: bool,
    left: bool,
}

/// What the programme's form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ProgrammeForm {
    open: String,
    rate: String,
    window: String,
    months: String,
}

impl ProgrammeForm {
    fn of(terms: &Terms) -> Self {
        let months = terms.renewal_months.map(|months| months.to_string());
        Self {
            open: if terms.open { "yes" } else { "no" }.to_owned(),
            rate: percent(terms.rate_bps).trim_end_matches(" %").to_owned(),
            window: terms.window_days.to_string(),
            months: months.unwrap_or_default(),
        }
    }

    /// The terms, or the field that can't be read.
    fn terms(&self) -> Result<Terms, &'static str> {
        let months = match self.months.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| "renewal_months")?),
        };
        Ok(Terms {
            open: self.open == "yes",
            rate_bps: basis_points(&self.rate).ok_or("rate_bps")?,
            window_days: self.window.trim().parse().map_err(|_| "window_days")?,
            renewal_months: months,
        })
    }
}

/// `7.5` in basis points.
fn basis_points(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('%').trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > 2 {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok()
}

/// Where the list goes on, and whether something was just kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    before: Option<String>,
    saved: Option<String>,
}

/// `GET /sell/affiliates`.
pub async fn show(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    let Query(which) = which?;
    html(&draw(&ask, &which, None).await?)
}

async fn draw(
    ask: &Ask,
    which: &Which,
    mistake: Option<(&ProgrammeForm, &str)>,
) -> Result<AffiliatesPage, PageProblem> {
    ask.account()?;
    must_sell(ask)?;
    let before = which.before.as_deref().map(OrderLineId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such referral."))?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let asked = OwnProgramme { before, limit: 50 };
    let found = app.read(caller, asked, own_programme).await;
    let found = found.map_err(Problem::from)?;
    let products = app.read(caller, SellerProducts, seller_products).await;
    let products = products.map_err(Problem::from)?;
    let coupons = app.read(caller, OwnCoupons, own_coupons).await;
    let coupons = coupons.map_err(Problem::from)?.into_iter();
    let codes: BTreeMap<_, _> = coupons.map(|coupon| (coupon.id, coupon.code)).collect();
    let page = ask.section_page("sell-affiliates", Section::Sell);
    let kept = ProgrammeForm::of(&found.terms);
    let (form, wrong) = mistake.map_or((&kept, None), |(form, wrong)| (form, Some(wrong)));
    let mut notices = Vec::new();
    if which.saved.is_some() {
        notices.push(Notice::new(Tone::Good, page.say("sell-affiliates-saved")));
    }
    if wrong == Some("coupon") {
        let text = page.say("sell-affiliates-wrong-coupon");
        notices.push(Notice::new(Tone::Bad, text));
    }
    Ok(AffiliatesPage {
        tabs: tabs(&page, At::Affiliates),
        notices,
        fields: fields(&page, form, wrong),
        rates: products
            .iter()
            .map(|one| rate_row(&page, one, &found))
            .collect(),
        partners: (found.partners.iter())
            .map(|partner| partner_row(&page, partner, &codes))
            .collect(),
        referrals: (found.referrals.iter())
            .map(|one| referral_row(&page, one))
            .collect(),
        next: found
            .next
            .map(|next| format!("/sell/affiliates?before={next}")),
        page,
    })
}

fn fields(page: &Page, form: &ProgrammeForm, wrong: Option<&str>) -> Vec<Field> {
    let error = |field: &str| {
        let hit = wrong.filter(|wrong| *wrong == field);
        hit.map(|_| page.say("field-out-of-range"))
    };
    let choice = |value: &str, key: &str| Choice {
        value: value.to_owned(),
        text: page.say(key),
    };
    let open = vec![
        choice("yes", "sell-affiliates-open-yes"),
        choice("no", "sell-affiliates-open-no"),
    ];
    let text = |name: &'static str, (label, hint): (&str, &str), value: &str| {
        Field::text(name, page.say(label))
            .hint(page.say(hint))
            .value(value)
            .max_length(6)
    };
    vec![
        Field::select("open", page.say("sell-affiliates-open"), open).value(&form.open),
        text(
            "rate",
            ("sell-affiliates-rate", "sell-affiliates-rate-hint"),
            &form.rate,
        )
        .input_mode("decimal")
        .error(error("rate_bps")),
        text(
            "window",
            ("sell-affiliates-window", "sell-affiliates-window-hint"),
            &form.window,
        )
        .input_mode("numeric")
        .error(error("window_days")),
        text(
            "months",
            ("sell-affiliates-months", "sell-affiliates-months-hint"),
            &form.months,
        )
        .input_mode("numeric")
        .error(error("renewal_months")),
    ]
}

fn rate_row(page: &Page, product: &Product, found: &Programming) -> RateRow {
    let own = found.rates.iter().find(|(id, _)| *id == product.id);
    let own = own.map(|(_, rate)| *rate);
    let mut choices = vec![
        (
            String::new(),
            page.say("sell-affiliates-usual"),
            own.is_none(),
        ),
        (
            "0".to_owned(),
            page.say("sell-affiliates-out"),
            own == Some(0),
        ),
    ];
    let mut rates: Vec<i64> = (5..=10).map(|rate| rate * 100).collect();
    // A rate that was set by the API may lie between.
    rates.extend(own.filter(|own| *own != 0 && own % 100 != 0));
    choices.extend(
        rates
            .into_iter()
            .map(|rate| (rate.to_string(), percent(rate), own == Some(rate))),
    );
    RateRow {
        id: product.id.to_string(),
        name: product.name.clone(),
        choices,
    }
}

fn partner_row(page: &Page, partner: &Partner, codes: &BTreeMap<CouponId, String>) -> PartnerRow {
    let of = &partner.affiliation;
    let coupon = of.coupon.and_then(|coupon| codes.get(&coupon).cloned());
    PartnerRow {
        id: of.id.to_string(),
        name: partner.name.clone(),
        state: standing(page, of.standing),
        clicks: page.format.signed(of.clicks),
        sales: page.format.signed(partner.sales),
        cost: earned(page, partner),
        coupon: coupon.unwrap_or_default(),
        suspended: of.standing == Standing::Suspended,
        left: of.standing == Standing::Left,
    }
}

/// `POST /sell/affiliates`.
pub async fn save(ask: Ask, form: Result<CsrfForm<ProgrammeForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let wrong = match form.terms() {
        Ok(terms) => {
            let caller = &ask.visitor.caller;
            let command = SetProgramme(terms);
            match ask.app.transact(caller, command, set_programme).await {
                Ok(_) => return go_to("/sell/affiliates?saved=1"),
                Err(AffiliateError::Invalid(field)) => field,
                Err(error) => return Err(Problem::from(error).into()),
            }
        }
        Err(field) => field,
    };
    let which = Which::default();
    refused(422, &draw(&ask, &which, Some((&form, wrong))).await?)
}

/// What a product's rate sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RateForm {
    product: String,
    rate: String,
}

/// `POST /sell/affiliates/rates`.
pub async fn set_one(ask: Ask, form: Result<CsrfForm<RateForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let missing = || Problem::not_found("There is no such product.");
    let command = SetRate {
        product: ProductId::parse(&form.product).map_err(|_| missing())?,
        rate_bps: form.rate.parse().ok(),
    };
    let set = ask.app.transact(&ask.visitor.caller, command, set_rate);
    set.await.map_err(Problem::from)?;
    go_to("/sell/affiliates?saved=1")
}

/// What a decision about an affiliate sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PartnerForm {
    suspended: String,
    coupon: String,
}

/// `POST /sell/affiliates/partners/{id}`.
pub async fn decide(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<PartnerForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let missing = || Problem::not_found("There is no such affiliate.");
    let command = SetPartner {
        affiliation: AffiliationId::parse(&id).map_err(|_| missing())?,
        suspended: form.suspended == "yes",
        coupon: form.coupon,
    };
    let decided = ask.app.transact(&ask.visitor.caller, command, set_partner);
    match decided.await {
        Ok(_) => go_to("/sell/affiliates?saved=1"),
        Err(AffiliateError::Invalid(_) | AffiliateError::CouponTaken) => {
            let form = ProgrammeForm::default();
            let mut drawn = draw(&ask, &Which::default(), Some((&form, "coupon"))).await?;
            let kept = draw(&ask, &Which::default(), None).await?;
            drawn.fields = kept.fields;
            refused(422, &drawn)
        }
        Err(error) => Err(Problem::from(error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_as_people_write_it() {
        for (text, bps) in [("8", 800), ("7.5", 750), ("7.25 %", 725), (" 10% ", 1_000)] {
            assert_eq!(basis_points(text), Some(bps), "{text}");
        }
        for text in ["", "-8", "8,5", "7.125", "eight", "."] {
            assert_eq!(basis_points(text), None, "{text}");
        }
    }
}
