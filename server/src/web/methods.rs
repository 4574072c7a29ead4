//! One's own payment methods: their page, and the choice of one wherever something is charged.

use super::ask::{Answer, Ask, go_to, html};
use super::page::{Page, Section};
use crate::domains::fulfilment::{
    MethodView, MethodsPage, RemoveMethod, methods_page, remove_method,
};
use crate::domains::methods::http::setup_page;
use crate::domains::methods::{MOST, Method};
use crate::gateways::KeptMethod;
use crate::problem::Problem;
use crate::wire::{CsrfForm, is_local};
use askama::Template;
use axum::extract::Path;
use mintreu::Timestamp;
use mintreu::id::MethodId;
use serde::Deserialize;

/// A choice of one's methods in a form that charges one, and a way to add another.
#[derive(Template)]
#[template(path = "parts/methods.html")]
pub struct Methods {
    page: Page,
    rows: Vec<Choice>,
    /// Where the page of a new method leads back to.
    back: String,
    error: Option<String>,
}

struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

impl askama::filters::HtmlSafe for Methods {}

/// See [`Methods::adding`].
#[derive(Template)]
#[template(path = "parts/add_method.html")]
pub struct AddMethod {
    csrf: String,
    back: String,
}

impl askama::filters::HtmlSafe for AddMethod {}

impl Methods {
    /// Of these methods, with the one that is `charged` now chosen, or else the newest.
    pub fn new(page: &Page, own: &[Method], charged: Option<&str>, back: String) -> Self {
        let known = own
            .iter()
            .position(|one| charged == Some(one.kept.name.as_str()));
        let row = |(at, one): (usize, &Method)| Choice {
            value: one.id.to_string(),
            text: words(page, &one.kept),
            chosen: known.unwrap_or(0) == at,
        };
        Self {
            rows: own.iter().enumerate().map(row).collect(),
            page: page.clone(),
            back,
            error: None,
        }
    }

    /// With the choice of none now, said so.
    pub fn or_later(mut self, text: String) -> Self {
        self.rows.push(Choice {
            value: String::new(),
            chosen: self.rows.is_empty(),
            text,
        });
        self
    }

    /// With what is wrong about the choice.
    pub fn error(self, error: Option<String>) -> Self {
        Self { error, ..self }
    }

    /// The form of the button that adds one: apart, since the return key in the form around the choice
    /// must send that one.
    pub fn adding(&self) -> AddMethod {
        AddMethod {
            csrf: self.page.csrf.clone(),
            back: self.back.clone(),
        }
    }

    /// Whether there is one to choose.
    pub fn any(&self) -> bool {
        !self.rows.is_empty()
    }
}

/// `Visa •••• 4242, until 2034-12`.
pub fn words(page: &Page, kept: &KeptMethod) -> String {
    match &kept.expires {
        None => kept.label.clone(),
        Some(month) => {
            let values = [
                ("label", kept.label.as_str().into()),
                ("month", month.as_str().into()),
            ];
            page.words.say_with("methods-until", values)
        }
    }
}

/// Whether its last month is over.
fn is_over(kept: &KeptMethod, now: Timestamp) -> bool {
    let instant = jiff::Timestamp::from_millisecond(now.ms());
    let month = instant.map(|at| at.strftime("%Y-%m").to_string());
    month.is_ok_and(|month| kept.expires.as_ref().is_some_and(|last| *last < month))
}

#[derive(Template)]
#[template(path = "methods.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    /// Whether another may be added.
    more: bool,
}

struct Row {
    label: String,
    over: bool,
    added: String,
    pays: String,
    remove: String,
}

fn row(page: &Page, view: &MethodView, now: Timestamp) -> Row {
    Row {
        label: words(page, &view.method.kept),
        over: is_over(&view.method.kept, now),
        added: page.format.date(view.method.added_at),
        pays: view.pays.join(", "),
        remove: format!("/payment-methods/{}/remove", view.method.id),
    }
}

/// `GET /payment-methods`.
pub async fn list(ask: Ask) -> Answer {
    ask.account()?;
    let found = ask
        .app
        .read(&ask.visitor.caller, MethodsPage, methods_page)
        .await
        .map_err(Problem::from)?;
    let page = ask.section_page("methods-title", Section::Licenses);
    let now = ask.app.now();
    html(&ListPage {
        rows: found.iter().map(|view| row(&page, view, now)).collect(),
        more: found.len() < MOST,
        page,
    })
}

/// Where to go after a method was left.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AddForm {
    next: String,
}

/// `POST /payment-methods/add`: leads to the provider's page.
pub async fn add(ask: Ask, form: Result<CsrfForm<AddForm>, Problem>) -> Answer {
    ask.account()?;
    let CsrfForm(form) = form?;
    let back = match is_local(&form.next) {
        true => form.next.as_str(),
        false => "/payment-methods",
    };
    let page = setup_page(&ask.app, &ask.visitor.caller, back).await;
    go_to(&page.map_err(Problem::from)?)
}

/// `POST /payment-methods/{id}/remove`.
pub async fn remove(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<AddForm>, Problem>,
) -> Answer {
    ask.account()?;
    form?;
    let missing = |_| Problem::not_found("There is no such payment method.");
    let command = RemoveMethod {
        method: MethodId::parse(&id).map_err(missing)?,
    };
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, command, remove_method)
        .await
        .map_err(Problem::from)?;
    go_to("/payment-methods")
}
