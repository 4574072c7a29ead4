//! Archiving a product: what becomes of its subscriptions, in figures and words before it happens.

use super::must_sell;
use crate::domains::catalog::State;
use crate::domains::subscriptions::{
    CallOff, Discontinuation, DiscontinuationOf, Discontinuing, Living, Retire, call_off,
    discontinuation_of, retire,
};
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask, go_to, html};
use crate::web::page::{Page, Section};
use crate::web::parts::Crumbs;
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::ProductId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/archive.html")]
struct ArchivePage {
    page: Page,
    crumbs: Crumbs,
    heading: String,
    base: String,
    /// Where it stands, in a sentence.
    state: String,
    /// How its subscriptions live; empty where none does.
    living: Vec<String>,
    /// What can be chosen for them: the first is what happens by itself. Empty for nothing to choose.
    choices: Vec<Choice>,
    button: String,
    /// The sentence of calling the end off; nothing where that can't be.
    call_off: Option<String>,
}

struct Choice {
    value: &'static str,
    text: String,
    hint: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    subscriptions: String,
}

fn id_of(text: &str) -> Result<ProductId, Problem> {
    ProductId::parse(text).map_err(|_| Problem::not_found("There is no such product."))
}

/// `GET /sell/products/{id}/archive`.
pub async fn show(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let product = id_of(&id)?;
    let query = DiscontinuationOf { product };
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, query, discontinuation_of).await?;
    html(&drawn(
        ask.section_page("archive-title", Section::Sell),
        &found,
    ))
}

fn drawn(page: Page, found: &Discontinuing) -> ArchivePage {
    let product = &found.product;
    let (name, base) = (
        product.name.clone(),
        format!("/sell/products/{}", product.id),
    );
    let archived = product.state == State::Archived;
    let stands = found.decided.as_ref().is_some_and(Discontinuation::stands);
    let choices = match (archived, stands) {
        (true, true) => Vec::new(),
        (true, false) => vec![choice(&page, "end")],
        (false, _) => vec![choice(&page, "go_on"), choice(&page, "end")],
    };
    let products = (page.say("sell-products"), "/sell/products".to_owned());
    ArchivePage {
        crumbs: page.crumbs(
            vec![products, (name.clone(), base.clone())],
            &page.say("archive-title"),
        ),
        heading: page.say_one("archive-heading", "product", name),
        state: state(&page, found),
        living: living(&page, &found.living),
        choices,
        button: page.say(match archived {
            true => "archive-end-action",
            false => "sell-archive",
        }),
        call_off: stands.then(|| page.say("archive-call-off-text")),
        base,
        page,
    }
}

fn choice(page: &Page, value: &'static str) -> Choice {
    let (text, hint) = match value {
        "end" => ("archive-end", "archive-end-text"),
        _ => ("archive-go-on", "archive-go-on-text"),
    };
    Choice {
        value,
        text: page.say(text),
        hint: page.say(hint),
    }
}

fn state(page: &Page, found: &Discontinuing) -> String {
    let archived = found.product.state == State::Archived;
    let Some(decided) = &found.decided else {
        return page.say(if archived {
            "archive-goes-on"
        } else {
            "archive-before"
        });
    };
    let key = match (decided.stands(), decided.done_at.is_some()) {
        (true, false) => "archive-ending",
        (true, true) => "archive-ended",
        (false, _) => "archive-called-off",
    };
    page.say_one(key, "told", page.format.signed(decided.told))
}

fn living(page: &Page, living: &Living) -> Vec<String> {
    let last = living
        .last
        .map(|at| page.format.date(at))
        .unwrap_or_default();
    let lines = [
        ("archive-paid", living.paid),
        ("archive-trials", living.trials),
        ("archive-at-once", living.at_once),
    ];
    let line = |(key, count): (&str, i64)| {
        let values = [("count", count.into()), ("last", last.as_str().into())];
        page.words.say_with(key, values)
    };
    let there = lines.into_iter().filter(|(_, count)| *count > 0);
    there.map(line).collect()
}

/// `POST /sell/products/{id}/archive`: out of sale, and what its subscriptions do.
pub async fn archive(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<Wish>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let product = id_of(&id)?;
    let caller = &ask.visitor.caller;
    if form.subscriptions == "call_off" {
        ask.app
            .transact(caller, CallOff { product }, call_off)
            .await?;
        return go_to(&format!("/sell/products/{product}/archive"));
    }
    let command = Retire {
        product,
        ends: form.subscriptions == "end",
    };
    ask.app.transact(caller, command, retire).await?;
    go_to(&match command.ends {
        true => format!("/sell/products/{product}/archive"),
        false => format!("/sell/products/{product}"),
    })
}
