//! A refund in two steps: what shall go back, then what will happen, in words, to be confirmed.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Crumbs, Field};
use super::super::refund_form::{self, Mistake, Typed, fresh_key, mistake_of};
use super::sale::{SalePage, answers, find};
use super::sales::amount;
use crate::domains::ledger::{Fees, Part};
use crate::domains::refunds::{
    AskRefund, LicenseFate, OfLine, Preview, RefundBundle, RefundError, RefundSale, preview_bundle,
    preview_sale, refund_bundle, refund_sale,
};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Idempotent};
use askama::Template;
use axum::extract::Path;
use serde::Deserialize;

/// What the form sends. Everything is text, so that what can't be read can be shown again.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RefundForm {
    amount: String,
    reason: String,
    note: String,
    keep: String,
    end: String,
    /// `on` for all of the bundle that the line was sold in.
    whole: String,
    left: String,
    key: String,
    /// `confirm` or `change` on the second page; empty on the first.
    step: String,
}

impl RefundForm {
    /// A form that asks for all that is left.
    pub(super) fn of(found: &OfLine) -> Self {
        let whole = found.bundle_left.map_or("", |_| "on").to_owned();
        Self {
            amount: amount(found.bundle_left.unwrap_or(found.left)),
            whole,
            ..Self::default()
        }
    }

    /// Whether all of the line's bundle is meant.
    pub(super) fn is_whole(&self) -> bool {
        self.whole == "on"
    }

    /// What is left of what is meant.
    pub(super) fn left_of(&self, found: &OfLine) -> mintreu::Money {
        let whole = found.bundle_left.filter(|_| self.is_whole());
        whole.unwrap_or(found.left)
    }

    fn typed(&self) -> Typed<'_> {
        Typed {
            amount: &self.amount,
            reason: &self.reason,
            note: &self.note,
        }
    }

    pub(super) fn keeps(&self) -> bool {
        self.keep == "on"
    }

    pub(super) fn ends(&self) -> bool {
        self.end == "on"
    }
}

/// The inputs, with what was typed and the mistake at its field.
pub(super) fn fields(
    page: &Page,
    found: &OfLine,
    form: &RefundForm,
    mistake: Option<Mistake>,
) -> Vec<Field> {
    let left = form.left_of(found);
    refund_form::fields(page, left, form.typed(), mistake.as_ref())
}

#[derive(Template)]
#[template(path = "sell/refund.html")]
struct RefundPage {
    page: Page,
    crumbs: Crumbs,
    title: String,
    action: String,
    /// What will happen, a sentence each.
    sentences: Vec<String>,
    parts: Vec<(String, String)>,
    confirm: String,
    form: RefundForm,
}

/// `POST /sell/sales/{line}/refund`: shows what would happen, then lets it happen once.
pub async fn refund(
    ask: Ask,
    Path(line): Path<String>,
    form: Result<CsrfForm<RefundForm>, Problem>,
) -> Answer {
    let CsrfForm(mut form) = form?;
    let found = find(&ask, &line).await?;
    if form.step == "change" {
        let answers = answers(&ask, &found).await?;
        return html(&SalePage::new(&ask, (&found, &answers), &form, None));
    }
    let mistake = match wish(&ask.page("sale-title"), &form, &found) {
        Err(mistake) => mistake,
        Ok(wanted) if form.step == "confirm" && !form.key.is_empty() => {
            match carry_out(&ask, (&line, &form), wanted).await {
                Ok(_) => return go_to(&format!("/sell/sales/{line}?done=refund")),
                Err(error) => mistake_of(&ask.page("sale-title"), error)?,
            }
        }
        Ok(wanted) => {
            let caller = &ask.visitor.caller;
            let preview = match form.is_whole() {
                true => {
                    let wanted = RefundBundle(wanted);
                    ask.app.read(caller, wanted, preview_bundle).await
                }
                false => ask.app.read(caller, RefundSale(wanted), preview_sale).await,
            };
            match preview {
                Ok(preview) => {
                    form.key = fresh_key(&ask);
                    form.left = form.left_of(&found).minor().to_string();
                    return html(&RefundPage::new(&ask, &found, form, &preview));
                }
                Err(error) => mistake_of(&ask.page("sale-title"), error)?,
            }
        }
    };
    // What is left may have changed meanwhile: the form says so, and shows the new figures.
    let found = find(&ask, &line).await?;
    let answers = answers(&ask, &found).await?;
    refused(
        422,
        &SalePage::new(&ask, (&found, &answers), &form, Some(mistake)),
    )
}

/// Refunds once, however often the button is pressed.
async fn carry_out(
    ask: &Ask,
    (line, form): (&str, &RefundForm),
    wanted: AskRefund,
) -> Result<String, RefundError> {
    let fields = [
        line,
        &form.amount,
        &form.reason,
        &form.note,
        &form.keep,
        &form.end,
        &form.whole,
        &form.left,
    ];
    let promise = Idempotent::of("sale-refund", &form.key, &fields);
    let caller = &ask.visitor.caller;
    if form.is_whole() {
        let wanted = RefundBundle(wanted);
        let asked = ask
            .app
            .transact_once(caller, promise, wanted, refund_bundle);
        return asked.await;
    }
    ask.app
        .transact_once(caller, promise, RefundSale(wanted), refund_sale)
        .await
}

/// What the form asks for.
fn wish(page: &Page, form: &RefundForm, found: &OfLine) -> Result<AskRefund, Mistake> {
    let (minor, reason) = form.typed().read(page, found.left)?;
    Ok(AskRefund {
        order: found.order.id,
        line: Some(found.line.id),
        amount_minor: Some(minor),
        reason,
        note: form.note.clone(),
        keeps_license: form.keeps(),
        ends_subscription: form.ends(),
        seen_left_minor: form.left.parse().ok(),
    })
}

impl RefundPage {
    fn new(ask: &Ask, found: &OfLine, form: RefundForm, preview: &Preview) -> Self {
        let page = ask.section_page("refund-title", Section::Sell);
        let address = format!("/sell/sales/{}", found.line.id);
        let steps = vec![
            (page.say("sell-sales"), "/sell/sales".to_owned()),
            (found.line.title.clone(), address.clone()),
        ];
        let amount = page.format.money(preview.amount);
        Self {
            crumbs: page.crumbs(steps, &page.say("refund-title")),
            title: page.say_one("refund-confirm-title", "amount", amount.as_str()),
            action: format!("{address}/refund"),
            sentences: sentences(&page, &form, preview),
            parts: parts(&page, preview),
            confirm: page.say_one("refund-confirm", "amount", amount.as_str()),
            form,
            page,
        }
    }
}

/// Out of whose money it comes.
fn parts(page: &Page, preview: &Preview) -> Vec<(String, String)> {
    let balance = preview.borne.checked_sub(preview.from_held);
    let fee = match preview.fees {
        Fees::Returned => preview.parts.get(Part::PlatformFee),
        Fees::Kept => mintreu::Money::zero(preview.amount.currency()),
    };
    let rows = [
        ("refund-part-held", Ok(preview.from_held)),
        ("refund-part-balance", balance),
        ("refund-part-tax", Ok(preview.parts.get(Part::Tax))),
        (
            "refund-part-affiliate",
            Ok(preview.parts.get(Part::Affiliate)),
        ),
        ("refund-part-platform", Ok(fee)),
    ];
    let shown = rows
        .into_iter()
        .filter_map(|(key, amount)| Some((key, amount.ok()?)));
    shown
        .filter(|(_, amount)| amount.minor() != 0)
        .map(|(key, amount)| (page.say(key), page.format.money(amount)))
        .collect()
}

fn sentences(page: &Page, form: &RefundForm, preview: &Preview) -> Vec<String> {
    let money = |amount| page.format.money(amount);
    let buyer = [
        ("amount", money(preview.amount).into()),
        ("left", money(preview.left).into()),
    ];
    let mut said = vec![page.words.say_with("refund-says-buyer", buyer)];
    said.extend(preview.licenses.iter().map(|(_, fate)| match fate {
        LicenseFate::None => page.say("refund-says-no-license"),
        LicenseFate::WorksOn => page.say("refund-says-works-on"),
        LicenseFate::Kept => page.say("refund-says-kept"),
        LicenseFate::Withdrawn(seats) => page.say_one("refund-says-withdrawn", "count", *seats),
        LicenseFate::StaysWithdrawn => page.say("refund-says-stays-withdrawn"),
    }));
    let fees = [
        (
            "platform",
            money(preview.parts.get(Part::PlatformFee)).into(),
        ),
        ("payment", money(preview.parts.get(Part::PaymentFee)).into()),
    ];
    said.push(match preview.fees {
        Fees::Kept => page.words.say_with("refund-says-fees-kept", fees),
        Fees::Returned => page.words.say_with("refund-says-fees-returned", fees),
    });
    if !form.note.trim().is_empty() {
        said.push(page.say_one("refund-says-note", "note", form.note.trim()));
    }
    said
}
