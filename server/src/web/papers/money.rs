//! The money of a usage invoice: paying it, and, for who earns by it or runs the platform, refunding
//! it or calling it off.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::license::Token;
use super::super::order::Nothing;
use super::super::page::{Page, Section};
use super::super::parts::{Crumbs, Field};
use super::super::refund_form::{Mistake, Typed, fields, fresh_key, mistake_of};
use super::super::sell::sales::amount;
use super::missing;
use crate::caller::Capability;
use crate::domains::billing::{VoidAny, VoidInvoice, void_any, void_invoice};
use crate::domains::fulfilment::{self, InvoicePaper, PayUsage};
use crate::domains::payments::{Payment, PaymentState};
use crate::domains::refunds::{
    AskInvoiceRefund, OfInvoice, RefundError, RefundInvoice, RefundUsage, of_invoice,
    refund_invoice, refund_usage,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Idempotent, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::Money;
use mintreu::id::InvoiceId;
use serde::Deserialize;

/// How an open invoice is paid.
pub struct Pay {
    /// Where the wish to pay is sent.
    pub action: String,
    /// What is known of the last attempt.
    pub note: String,
    /// `Pay €5.95`; empty while a saved method is charged.
    pub button: String,
    /// Asks whether later invoices shall be paid by themselves; empty where that can't be.
    pub later: String,
}

/// What the form of a payment says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PayForm {
    /// Later invoices shall be paid the same way by themselves.
    later: Option<String>,
}

/// The way to pay, for who may pay it now.
pub fn pay_box(page: &Page, found: &InvoicePaper, suffix: &str) -> Option<Pay> {
    let attempt = found.payable.as_ref()?;
    let charging = attempt.as_ref().is_some_and(Payment::is_charging);
    let note = match attempt.as_ref().map(|payment| payment.state) {
        _ if charging => "invoice-pay-charging",
        None => "invoice-pay-text",
        Some(PaymentState::Failed) => "invoice-pay-failed",
        Some(_) => "invoice-pay-begun",
    };
    let total = page.format.money(found.invoice.total);
    // Only who is signed in can end it again.
    let own = suffix.is_empty() && found.invoice.license.is_some() && !charging;
    Some(Pay {
        later: match own {
            true => page.words.say("invoice-pay-later"),
            false => String::new(),
        },
        action: format!("/invoices/{}/pay{suffix}", found.invoice.id),
        note: page.words.say(note),
        button: match charging {
            true => String::new(),
            false => page.say_one("invoice-pay", "amount", total),
        },
    })
}

/// `POST /invoices/{id}/pay?t=…`: leads to the provider's page.
pub async fn pay(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<PayForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let Query(token) = token?;
    if token.t.is_none() {
        ask.account()?;
    }
    let invoice = InvoiceId::parse(&id).map_err(|_| missing())?;
    let caller = &ask.visitor.caller;
    let wish = PayUsage {
        invoice,
        token: token.t,
        later: form.later.is_some(),
    };
    go_to(&fulfilment::pay_usage(&ask.app, caller, wish).await?)
}

/// What went back and what is left, when the caller may refund the invoice.
pub async fn managed(ask: &Ask, found: &InvoicePaper) -> Option<OfInvoice> {
    let caller = &ask.visitor.caller;
    let runs = caller.may(Capability::Sell) || caller.may(Capability::Administer);
    match runs && found.invoice.license.is_some() {
        true => ask
            .app
            .read(caller, found.invoice.id, of_invoice)
            .await
            .ok(),
        false => None,
    }
}

/// `POST /invoices/{id}/void`: calls an open invoice off.
pub async fn void(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    ask.account()?;
    let invoice = InvoiceId::parse(&id).map_err(|_| missing())?;
    let caller = &ask.visitor.caller;
    let done = match caller.may(Capability::Administer) {
        true => {
            ask.app
                .transact(caller, VoidAny { invoice }, void_any)
                .await
        }
        false => {
            let command = VoidInvoice { invoice };
            ask.app.transact(caller, command, void_invoice).await
        }
    };
    done.map_err(Problem::from)?;
    go_to(&format!("/invoices/{invoice}"))
}

#[derive(Template)]
#[template(path = "paper_refund.html")]
struct RefundPage {
    page: Page,
    crumbs: Crumbs,
    title: String,
    lead: String,
    action: String,
    error: String,
    fields: Vec<Field>,
    key: String,
    left: String,
}

/// What shall go back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RefundForm {
    amount: String,
    reason: String,
    note: String,
    key: String,
    left: String,
}

impl RefundForm {
    fn typed(&self) -> Typed<'_> {
        Typed {
            amount: &self.amount,
            reason: &self.reason,
            note: &self.note,
        }
    }
}

/// `GET /invoices/{id}/refund`.
pub async fn refund_form(ask: Ask, Path(id): Path<String>) -> Answer {
    let (invoice, found) = find(&ask, &id).await?;
    html(&drawn(&ask, (invoice, &found), None, None))
}

/// `POST /invoices/{id}/refund`: once, however often the button is pressed.
pub async fn refund(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<RefundForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let (invoice, found) = find(&ask, &id).await?;
    let page = ask.page("refund-title");
    let mistake = match wish(&page, (invoice, found.left), &form) {
        Err(mistake) => mistake,
        Ok(wanted) => match carry_out(&ask, &form, wanted).await {
            Ok(_) => return go_to(&format!("/invoices/{invoice}")),
            Err(error) => mistake_of(&page, error)?,
        },
    };
    let (_, found) = find(&ask, &id).await?;
    refused(
        422,
        &drawn(&ask, (invoice, &found), Some(&form), Some(mistake)),
    )
}

async fn find(ask: &Ask, id: &str) -> Result<(InvoiceId, OfInvoice), PageProblem> {
    ask.account()?;
    let invoice = InvoiceId::parse(id).map_err(|_| missing())?;
    let found = ask.app.read(&ask.visitor.caller, invoice, of_invoice).await;
    Ok((invoice, found.map_err(Problem::from)?))
}

fn wish(
    page: &Page,
    (invoice, left): (InvoiceId, Money),
    form: &RefundForm,
) -> Result<AskInvoiceRefund, Mistake> {
    let (minor, reason) = form.typed().read(page, left)?;
    Ok(AskInvoiceRefund {
        invoice,
        amount_minor: Some(minor),
        reason,
        note: form.note.clone(),
        seen_left_minor: form.left.parse().ok(),
    })
}

async fn carry_out(
    ask: &Ask,
    form: &RefundForm,
    wanted: AskInvoiceRefund,
) -> Result<String, RefundError> {
    let caller = &ask.visitor.caller;
    let id = wanted.invoice.to_string();
    let fields = [&*id, &form.amount, &form.reason, &form.note, &form.left];
    let once = Idempotent::of("invoice-refund", &form.key, &fields);
    match caller.may(Capability::Administer) {
        true => {
            let wanted = RefundInvoice(wanted);
            ask.app
                .transact_once(caller, once, wanted, refund_invoice)
                .await
        }
        false => {
            let wanted = RefundUsage(wanted);
            ask.app
                .transact_once(caller, once, wanted, refund_usage)
                .await
        }
    }
}

fn drawn(
    ask: &Ask,
    (invoice, found): (InvoiceId, &OfInvoice),
    form: Option<&RefundForm>,
    mistake: Option<Mistake>,
) -> RefundPage {
    let page = ask.section_page("refund-title", Section::Sell);
    let address = format!("/invoices/{invoice}");
    let fresh = RefundForm {
        amount: amount(found.left),
        ..RefundForm::default()
    };
    let of_all = mistake.as_ref().filter(|(at, _)| *at == "form");
    RefundPage {
        crumbs: page.crumbs(
            vec![(page.say("invoice"), address.clone())],
            &page.say("refund-title"),
        ),
        title: page.say("refund-title"),
        lead: page.say("invoice-refund-lead"),
        action: format!("{address}/refund"),
        error: of_all.map(|(_, text)| text.clone()).unwrap_or_default(),
        fields: fields(
            &page,
            found.left,
            form.unwrap_or(&fresh).typed(),
            mistake.as_ref(),
        ),
        key: fresh_key(ask),
        left: found.left.minor().to_string(),
        page,
    }
}
