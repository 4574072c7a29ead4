//! Signing in, up and out.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::listing::encoded;
use super::page::Page;
use super::parts::{Field, Notice, Tone};
use crate::demo::{PASSWORD, PEOPLE};
use crate::domains::accounts::{AccountError, RevokeSession, entry, revoke_session};
use crate::problem::Problem;
use crate::wire::cookies::Cookie;
use crate::wire::{CsrfForm, Query, is_local};
use askama::Template;
use axum::http::header;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;

/// A form for people at the door.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct DoorPage {
    page: Page,
    heading: String,
    lead: String,
    action: &'static str,
    notice: Option<Notice>,
    fields: Vec<Field>,
    next: String,
    other: String,
    other_link: String,
    other_address: String,
}

/// Where to go afterwards.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Then {
    next: String,
}

/// What the door's forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct DoorForm {
    email: String,
    name: String,
    password: String,
    next: String,
}

/// Only pages of this shop.
fn local(next: &str) -> &str {
    if is_local(next) { next } else { "/licenses" }
}

/// In the demo: whom to sign in as.
fn who_is_here(page: &Page) -> Option<Notice> {
    let people = PEOPLE.iter().map(|person| person.email);
    let people = people.collect::<Vec<_>>().join(", ");
    let values = [("people", people.into()), ("password", PASSWORD.into())];
    let text = page.words.say_with("demo-people", values);
    page.demo.then(|| Notice::new(Tone::Info, text))
}

/// What was refused, as a sentence at its field or over the form.
struct Refused {
    field: &'static str,
    text: String,
}

impl DoorPage {
    fn sign_in(page: Page, form: &DoorForm, refused: Option<&Refused>) -> Self {
        let error = |field| at(refused, field);
        let email = Field::email("email", page.say("field-email"));
        let password = Field::password("password", page.say("field-password"));
        Self {
            heading: page.say("sign-in"),
            lead: page.say("sign-in-lead"),
            action: "/sign-in",
            notice: at(refused, "")
                .map(|text| Notice::new(Tone::Bad, text))
                .or_else(|| who_is_here(&page)),
            fields: vec![
                email
                    .value(&form.email)
                    .error(error("email"))
                    .required()
                    .max_length(254),
                password
                    .autocomplete("current-password")
                    .error(error("password"))
                    .required(),
            ],
            next: local(&form.next).to_owned(),
            other: page.say("sign-in-other"),
            other_link: page.say("sign-up"),
            other_address: format!("/sign-up?next={}", encoded(local(&form.next))),
            page,
        }
    }

    fn sign_up(page: Page, form: &DoorForm, refused: Option<&Refused>) -> Self {
        let error = |field| at(refused, field);
        let name = Field::text("name", page.say("field-name")).hint(page.say("field-name-hint"));
        let email = Field::email("email", page.say("field-email"));
        let password = Field::password("password", page.say("field-password"));
        let password = password.hint(page.say("field-password-hint"));
        Self {
            heading: page.say("sign-up"),
            lead: page.say("sign-up-lead"),
            action: "/sign-up",
            notice: at(refused, "").map(|text| Notice::new(Tone::Bad, text)),
            fields: vec![
                name.value(&form.name)
                    .autocomplete("name")
                    .error(error("name"))
                    .required()
                    .max_length(80),
                email
                    .value(&form.email)
                    .error(error("email"))
                    .required()
                    .max_length(254),
                password
                    .autocomplete("new-password")
                    .error(error("password"))
                    .required(),
            ],
            next: local(&form.next).to_owned(),
            other: page.say("sign-up-other"),
            other_link: page.say("sign-in"),
            other_address: format!("/sign-in?next={}", encoded(local(&form.next))),
            page,
        }
    }
}

fn at(refused: Option<&Refused>, field: &str) -> Option<String> {
    refused
        .filter(|refused| refused.field == field)
        .map(|refused| refused.text.clone())
}

/// Draws the form to sign in.
pub async fn sign_in_page(ask: Ask, then: Result<Query<Then>, Problem>) -> Answer {
    let Query(then) = then?;
    let form = DoorForm {
        next: then.next,
        ..DoorForm::default()
    };
    html(&DoorPage::sign_in(ask.form_page("sign-in"), &form, None))
}

/// Draws the form to sign up.
pub async fn sign_up_page(ask: Ask, then: Result<Query<Then>, Problem>) -> Answer {
    let Query(then) = then?;
    let form = DoorForm {
        next: then.next,
        ..DoorForm::default()
    };
    html(&DoorPage::sign_up(ask.form_page("sign-up"), &form, None))
}

/// Signs in and goes where the visitor was going.
pub async fn sign_in(ask: Ask, form: Result<CsrfForm<DoorForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    match enter(&ask, &form).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let page = ask.form_page("sign-in");
            let told = refusal(&page, error)?;
            refused(422, &DoorPage::sign_in(page, &form, Some(&told)))
        }
    }
}

/// Makes an account, signs it in and goes on.
pub async fn sign_up(ask: Ask, form: Result<CsrfForm<DoorForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    let new = entry::SignUpForm {
        email: &form.email,
        name: &form.name,
        password: &form.password,
    };
    let client = ask.visitor.client_key();
    let made = entry::sign_up_with(&ask.app, &ask.visitor.caller, &client, &new).await;
    let entered = match made {
        Ok(_) => enter(&ask, &form).await,
        Err(error) => Err(error),
    };
    match entered {
        Ok(response) => Ok(response),
        Err(error) => {
            let page = ask.form_page("sign-up");
            let told = refusal(&page, error)?;
            refused(422, &DoorPage::sign_up(page, &form, Some(&told)))
        }
    }
}

async fn enter(ask: &Ask, form: &DoorForm) -> Result<axum::response::Response, AccountError> {
    let visitor = &ask.visitor;
    let token = entry::sign_in_with(
        &ask.app,
        &visitor.caller,
        &visitor.client_key(),
        &visitor.user_agent,
        &form.email,
        &form.password,
    )
    .await?;
    let cookie = Cookie::Session.set(&ask.app.config, &token);
    let mut response = Redirect::to(local(&form.next)).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Ends the session.
pub async fn sign_out(ask: Ask, form: Result<CsrfForm<Then>, Problem>) -> Answer {
    form?;
    if let Some(session) = ask.visitor.session {
        let command = RevokeSession { session };
        ask.app
            .transact(&ask.visitor.caller, command, revoke_session)
            .await?;
    }
    let mut response = go_to("/")?;
    let cookie = Cookie::Session.clear(&ask.app.config);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// The sentence of a refusal; what isn't the visitor's to mend stays a problem.
fn refusal(page: &Page, error: AccountError) -> Result<Refused, Problem> {
    let problem = Problem::from(error);
    let known = match problem.code {
        "credentials_wrong" => ("", "refused-credentials"),
        "email_taken" => ("email", "refused-email-taken"),
        "email_malformed" => ("email", "refused-email"),
        "name_malformed" => ("name", "refused-name"),
        "password_weak" => ("password", "refused-password"),
        "too_many_requests" => ("", "refused-too-many"),
        _ => return Err(problem),
    };
    let (field, key) = known;
    Ok(Refused {
        field,
        text: page.words.say(key),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_stays_in_the_shop() {
        for (next, expected) in [
            ("/usage?x=1", "/usage?x=1"),
            ("//evil.example", "/licenses"),
            ("https://evil.example", "/licenses"),
            ("/\\evil.example", "/licenses"),
            ("/\t/evil.example", "/licenses"),
            ("", "/licenses"),
        ] {
            assert_eq!(local(next), expected, "{next}");
        }
    }
}
