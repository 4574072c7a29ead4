//! The hosted payment page: test cards to choose from. It needs no JavaScript.

use super::model::{Choice, SessionState};
use super::ops::{Choose, SandboxError, choose, session, way_back};
use super::setup;
use super::sql::StoredSession;
use crate::app::App;
use crate::problem::Problem;
use crate::text::{Locale, Translator};
use crate::wire::{PathParam, Visitor};
use askama::Template;
use axum::extract::{Form, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use std::sync::Arc;

/// The routes of the page.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/sandbox/pay/{session}", get(show).post(choose_card))
}

impl From<SandboxError> for Problem {
    fn from(error: SandboxError) -> Self {
        match error {
            SandboxError::NotFound => Self::not_found("There is no such payment page."),
            SandboxError::Refused(code) => Self::new(
                409,
                "sandbox_refused",
                format!("The provider refuses: {code}."),
            ),
            SandboxError::Denied(denied) => denied.into(),
            SandboxError::Store(error) => error.into(),
        }
    }
}

/// One test card.
struct Card {
    value: &'static str,
    number: &'static str,
    what: String,
    first: bool,
}

#[derive(Template)]
#[template(path = "sandbox_pay.html")]
struct PayPage {
    text: &'static Translator,
    lang: &'static str,
    dir: &'static str,
    session: String,
    description: String,
    amount: String,
    challenged: bool,
    kept: bool,
    /// Whether a method is left here, and nothing is paid.
    setup: bool,
    cards: Vec<Card>,
}

impl PayPage {
    fn new(locale: Locale, stored: &StoredSession) -> Self {
        let text = Translator::of(locale);
        Self {
            text,
            lang: locale.tag(),
            dir: locale.direction(),
            session: stored.session.clone(),
            description: stored.description.clone(),
            amount: stored.amount.to_string(),
            challenged: stored.state == SessionState::Challenge,
            kept: stored.kept,
            setup: setup::is_setup(stored),
            cards: cards(text, stored),
        }
    }
}

fn cards(text: &Translator, stored: &StoredSession) -> Vec<Card> {
    let offered =
        |(choice, _): &(Choice, &str)| !setup::is_setup(stored) || setup::CARDS.contains(choice);
    let card = |(choice, number): (Choice, &'static str)| Card {
        value: choice.code(),
        number,
        what: text.say(&format!("sandbox-card-{}", choice.code().replace('_', "-"))),
        first: choice == Choice::Succeed,
    };
    Choice::CARDS
        .into_iter()
        .filter(offered)
        .map(card)
        .collect()
}

/// Only where sandbox money is taken.
fn allowed(app: &App) -> Result<(), Problem> {
    let sandbox = app.config.payments.sandbox;
    sandbox
        .then_some(())
        .ok_or_else(|| SandboxError::NotFound.into())
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    locale: Option<Extension<Locale>>,
    PathParam(id): PathParam<String>,
) -> Result<Response, Problem> {
    allowed(&app)?;
    let stored = app.read(&visitor.caller, id, session).await?;
    let locale = locale.map(|Extension(locale)| locale).unwrap_or_default();
    answer(&app, locale, &stored)
}

/// The page while there is something to choose; afterwards the way back to the shop.
fn answer(app: &App, locale: Locale, stored: &StoredSession) -> Result<Response, Problem> {
    match stored.state {
        SessionState::Open | SessionState::Challenge => {
            let page = PayPage::new(locale, stored).render().map_err(|error| {
                tracing::error!(%error, "the payment page can't be drawn");
                Problem::internal()
            })?;
            Ok(Html(page).into_response())
        }
        SessionState::Succeeded | SessionState::Failed => {
            Ok(Redirect::to(&way_back(&app.keys, stored)).into_response())
        }
    }
}

/// What the page's form sends.
#[derive(Deserialize)]
struct ChooseForm {
    choice: Choice,
    /// The country of the card, two capitals.
    #[serde(default)]
    country: Option<String>,
}

/// The page's address is a secret of 128 random bits, and so is all the proof the form needs.
async fn choose_card(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(session): PathParam<String>,
    Form(form): Form<ChooseForm>,
) -> Result<Redirect, Problem> {
    allowed(&app)?;
    let page = format!("/sandbox/pay/{session}");
    let command = Choose {
        session,
        choice: form.choice,
        country: form.country.map(|text| text.trim().to_uppercase()),
    };
    let stored = app.transact(&visitor.caller, command, choose).await?;
    Ok(match stored.state {
        SessionState::Open | SessionState::Challenge => Redirect::to(&page),
        SessionState::Succeeded | SessionState::Failed => {
            Redirect::to(&way_back(&app.keys, &stored))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_has_its_sentence() {
        let english = Translator::of(Locale::English);
        for (choice, _) in Choice::CARDS {
            let key = format!("sandbox-card-{}", choice.code().replace('_', "-"));
            assert_ne!(english.say(&key), key);
        }
    }
}
