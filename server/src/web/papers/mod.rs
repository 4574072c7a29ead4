//! Invoices and credit notes as pages, for the buyer, the seller of a line and the owner; lists of
//! them with a file for the books.
//!
//! # Invariants
//! * A page and its PDF come of one [`Sheet`]: they say the same.
//! * A guest reads with the order's secret in the address; a file's link carries it on.
//! * A seller sees the own lines and no buyer: `domains/fulfilment/papers` sees to it.

pub mod files;
mod lists;
pub mod money;
pub mod sheets;

pub use lists::{csv, list, sold, sold_csv};

use self::money::{Pay, managed, pay_box};
use self::sheets::{credit_sheet, invoice_sheet};
use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::Token;
use super::order_back::{self, Happening};
use super::page::{Page, Section};
use super::parts::{Badge, Crumbs, Field, Tone};
use crate::caller::Capability;
use crate::domains::fulfilment::{
    AddBuyer, CreditPaper, FulfilmentError, InvoicePaper, ViewCredit, ViewInvoice, ViewInvoices,
    add_buyer, credit_paper, invoice_paper, invoices_of_order,
};
use crate::domains::invoicing::{self, CreditView, Invoice, InvoiceError, InvoiceLine, Party};
use crate::domains::refunds::disputes_of_invoice;
use crate::print::Sheet;
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{CreditNoteId, InvoiceId, OrderId};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "paper.html")]
struct PaperPage {
    page: Page,
    crumbs: Crumbs,
    sheet: Sheet,
    state: Badge,
    /// Where its file is.
    file: String,
    /// Number, address, day and amount of what was credited.
    credits: Vec<[String; 4]>,
    /// The arithmetic of each line, as it was rated.
    how: Vec<String>,
    /// Each meter's name and the page of the segments behind it.
    behind: Vec<(String, String)>,
    /// How it is paid, by who owes it.
    pay: Option<Pay>,
    /// What banks ask about what paid it.
    back: Vec<Happening>,
    /// Where a bank is answered, for who may.
    answer: String,
    /// Where it is refunded, for who may.
    refund: String,
    /// Where it is called off, for who may.
    void: String,
    /// Where the buyer's details are sent; empty when they can't be added.
    buyer: String,
    fields: Vec<Field>,
}

/// What the buyer adds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BuyerForm {
    name: String,
    address: String,
    tax_number: String,
}

fn missing() -> Problem {
    Problem::not_found("There is no such invoice.")
}

/// Reads an invoice as it is printed.
pub(super) async fn read_invoice(
    ask: &Ask,
    id: &str,
    token: &Token,
) -> Result<InvoicePaper, PageProblem> {
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewInvoice {
        invoice: InvoiceId::parse(id).map_err(|_| missing())?,
        token: token.t.clone(),
    };
    let found = ask.app.read(&ask.visitor.caller, query, invoice_paper);
    Ok(found.await?)
}

/// `GET /invoices/{id}?t=…`.
pub async fn invoice(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let Query(token) = token?;
    let found = read_invoice(&ask, &id, &token).await?;
    let managed = managed(&ask, &found).await;
    let mut paper = drawn(&ask, &found, &token, None);
    let address = format!("/invoices/{}", found.invoice.id);
    let caller = &ask.visitor.caller;
    let disputes = ask.app.read(caller, found.invoice.id, disputes_of_invoice);
    let disputes = disputes.await.map_err(Problem::from)?;
    paper.back = order_back::disputed_usage(&paper.page, &disputes);
    let open = disputes.iter().find(|one| one.state.is_open());
    if let Some(open) = open.filter(|_| managed.is_some()) {
        paper.answer = match caller.may(Capability::Administer) {
            true => format!("/owner/disputes/{}/answer", open.id),
            false => format!("/sell/disputes/{}", open.id),
        };
    }
    if managed.as_ref().is_some_and(|of| of.left.minor() > 0) {
        paper.refund = format!("{address}/refund");
    }
    if managed.is_some() && found.invoice.state == invoicing::State::Open {
        paper.void = format!("{address}/void");
    }
    html(&paper)
}

fn drawn(
    ask: &Ask,
    found: &InvoicePaper,
    token: &Token,
    wrong: Option<(&BuyerForm, String)>,
) -> PaperPage {
    let mut page = ask.section_page("invoice", Section::Usage);
    let sheet = invoice_sheet(&page, found);
    page.title.clone_from(&sheet.title);
    let (invoice, suffix) = (&found.invoice, token.suffix());
    let base = format!("/invoices/{}", invoice.id);
    let open = found.parties.open && found.parties.buyer.is_some();
    PaperPage {
        crumbs: up(&page, ask, &sheet.title),
        state: invoice_badge(&page, invoice.state),
        file: format!("{base}/invoice.pdf{suffix}"),
        pay: pay_box(&page, found, &suffix),
        back: Vec::new(),
        answer: String::new(),
        refund: String::new(),
        void: String::new(),
        credits: credits(&page, &found.credits, &suffix),
        how: how(&found.lines),
        behind: behind(invoice, &found.lines),
        buyer: if open {
            format!("{base}/buyer{suffix}")
        } else {
            String::new()
        },
        fields: if open {
            fields(&page, found, wrong)
        } else {
            Vec::new()
        },
        sheet,
        page,
    }
}

/// The way up: to the own papers of who is signed in, home for who isn't.
fn up(page: &Page, ask: &Ask, here: &str) -> Crumbs {
    let steps = match ask.visitor.is_signed_in() {
        true => vec![(page.say("papers-title"), "/invoices".to_owned())],
        false => vec![(page.say("shop-name"), "/".to_owned())],
    };
    page.crumbs(steps, here)
}

/// Open or paid.
pub fn invoice_badge(page: &Page, state: invoicing::State) -> Badge {
    match state {
        invoicing::State::Open => Badge::new(Tone::Wait, page.say("invoice-open")),
        invoicing::State::Paid => Badge::new(Tone::Good, page.say("invoice-paid")),
        invoicing::State::Void => Badge::new(Tone::Plain, page.say("invoice-void")),
    }
}

fn credits(page: &Page, credits: &[CreditView], suffix: &str) -> Vec<[String; 4]> {
    let row = |view: &CreditView| {
        [
            sheets::credit_title(page, &view.note),
            format!("/credit-notes/{}{suffix}", view.note.id),
            page.format.date(view.note.issued_at),
            page.format.money(view.note.total),
        ]
    };
    credits.iter().map(row).collect()
}

/// The arithmetic of lines that were rated.
fn how(lines: &[InvoiceLine]) -> Vec<String> {
    let rated = |line: &&InvoiceLine| line.sold.is_none() && line.kind != "tax";
    let rated = lines.iter().filter(rated);
    rated.map(|line| line.explanation.clone()).collect()
}

/// The meters of an invoice of usage, each once.
fn behind(invoice: &Invoice, lines: &[InvoiceLine]) -> Vec<(String, String)> {
    let mut meters: Vec<&String> = lines
        .iter()
        .filter_map(|line| line.meter.as_ref())
        .collect();
    meters.dedup();
    let link = |meter: &String| {
        let address = format!("/invoices/{}/usage/{meter}", invoice.id);
        (meter.clone(), address)
    };
    meters.into_iter().map(link).collect()
}

fn fields(page: &Page, found: &InvoicePaper, wrong: Option<(&BuyerForm, String)>) -> Vec<Field> {
    let known = found.parties.buyer.clone().unwrap_or_default();
    let kept = BuyerForm {
        name: known.name,
        address: known.address,
        tax_number: known.tax_number,
    };
    let (form, error) = match wrong {
        Some((form, error)) => (form, Some(error)),
        None => (&kept, None),
    };
    vec![
        Field::text("name", page.say("paper-buyer-name"))
            .value(&form.name)
            .error(error)
            .max_length(120),
        Field::area("address", page.say("paper-buyer-address"))
            .value(&form.address)
            .max_length(500),
        Field::text("tax_number", page.say("paper-buyer-tax-number"))
            .value(&form.tax_number)
            .max_length(120),
    ]
}

/// `POST /invoices/{id}/buyer?t=…`: adds the buyer's details, once.
pub async fn buyer(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<BuyerForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let Query(token) = token?;
    if token.t.is_none() {
        ask.account()?;
    }
    let invoice = InvoiceId::parse(&id).map_err(|_| missing())?;
    let command = AddBuyer {
        invoice,
        token: token.t.clone(),
        party: Party {
            name: form.name.clone(),
            address: form.address.clone(),
            tax_number: form.tax_number.clone(),
            ..Party::default()
        },
    };
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, add_buyer).await {
        Ok(_) => go_to(&format!("/invoices/{invoice}{}", token.suffix())),
        Err(FulfilmentError::Invoice(InvoiceError::Detail(_))) => {
            let found = read_invoice(&ask, &id, &token).await?;
            let page = ask.page("invoice");
            let error = page.say("paper-buyer-wrong");
            refused(422, &drawn(&ask, &found, &token, Some((&form, error))))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /orders/{id}/invoice?t=…`: where the order's invoice is; the first, when there are several.
pub async fn of_order(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let Query(token) = token?;
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewInvoices {
        order: OrderId::parse(&id).map_err(|_| missing())?,
        token: token.t.clone(),
    };
    let found = ask.app.read(&ask.visitor.caller, query, invoices_of_order);
    let found = found.await?;
    let first = found.first().ok_or_else(missing)?;
    go_to(&format!("/invoices/{}{}", first.id, token.suffix()))
}

/// Reads a credit note as it is printed.
pub(super) async fn read_credit(
    ask: &Ask,
    id: &str,
    token: &Token,
) -> Result<CreditPaper, PageProblem> {
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewCredit {
        credit: CreditNoteId::parse(id).map_err(|_| missing())?,
        token: token.t.clone(),
    };
    let found = ask.app.read(&ask.visitor.caller, query, credit_paper);
    Ok(found.await?)
}

/// `GET /credit-notes/{id}?t=…`.
pub async fn credit(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let Query(token) = token?;
    let found = read_credit(&ask, &id, &token).await?;
    let mut page = ask.section_page("invoice", Section::Usage);
    let sheet = credit_sheet(&page, &found);
    page.title.clone_from(&sheet.title);
    let (note, suffix) = (&found.view.note, token.suffix());
    let invoice = &found.view.invoice;
    let link = [
        page.say_one("invoice-heading", "number", invoice.number_text()),
        format!("/invoices/{}{suffix}", invoice.id),
        page.format.date(invoice.finalized_at),
        page.format.money(invoice.total),
    ];
    html(&PaperPage {
        crumbs: up(&page, &ask, &sheet.title),
        state: Badge::new(Tone::Plain, page.say("paper-issued")),
        file: format!("/credit-notes/{}/credit-note.pdf{suffix}", note.id),
        credits: vec![link],
        pay: None,
        back: Vec::new(),
        answer: String::new(),
        refund: String::new(),
        void: String::new(),
        how: Vec::new(),
        behind: Vec::new(),
        buyer: String::new(),
        fields: Vec::new(),
        sheet,
        page,
    })
}
