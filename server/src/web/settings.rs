//! One's own account: where its mail goes, and the links that change that.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::page::{Page, Section};
use super::parts::{Field, Notice, Tone};
use crate::domains::accounts::address::{
    AddressChange, ConfirmAddress, LeaveAddress, MyAddress, StopAddress, confirm_address,
    leave_address, my_address, stop_address,
};
use crate::domains::accounts::entry::ask_address_with;
use crate::domains::accounts::{AccountError, Email};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    email: String,
    /// What waits to be confirmed, in a sentence.
    pending: Option<String>,
    notice: Option<Notice>,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "account_link.html")]
struct LinkPage {
    page: Page,
    heading: String,
    text: String,
    action: &'static str,
    token: String,
    button: String,
    notice: Option<Notice>,
}

/// What the form of another address sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct AddressForm {
    email: String,
    password: String,
}

/// What a link carries.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Token {
    t: String,
    /// That what it does was done.
    done: String,
}

async fn known(ask: &Ask) -> Result<(Email, Option<AddressChange>), Problem> {
    Ok(ask
        .app
        .read(&ask.visitor.caller, MyAddress, my_address)
        .await?)
}

/// `GET /account`.
pub async fn show(ask: Ask) -> Answer {
    ask.account()?;
    let known = known(&ask).await?;
    html(&drawn(&ask, known, &AddressForm::default(), None))
}

fn drawn(
    ask: &Ask,
    (email, open): (Email, Option<AddressChange>),
    form: &AddressForm,
    wrong: Option<(&'static str, String)>,
) -> AccountPage {
    let page = ask.section_page("account-title", Section::Licenses);
    let error = |field: &str| {
        let found = wrong.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let pending = open.map(|open| {
        let values = [
            ("email", open.new.as_str().to_owned().into()),
            ("until", page.format.instant(open.expires_at).into()),
        ];
        page.words.say_with("account-pending", values)
    });
    AccountPage {
        notice: error("").map(|text| Notice::new(Tone::Bad, text)),
        fields: vec![
            Field::email("email", page.say("account-new"))
                .value(&form.email)
                .error(error("email"))
                .required()
                .max_length(254),
            Field::password("password", page.say("field-password"))
                .hint(page.say("account-password-hint"))
                .autocomplete("current-password")
                .error(error("password"))
                .required(),
        ],
        email: email.as_str().to_owned(),
        pending,
        page,
    }
}

/// `POST /account/email`: asks for another address.
pub async fn ask_email(ask: Ask, form: Result<CsrfForm<AddressForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let (caller, client) = (&ask.visitor.caller, ask.visitor.client_key());
    let asked = ask_address_with(&ask.app, caller, &client, (&form.email, &form.password)).await;
    match asked {
        Ok(_) => go_to("/account"),
        Err(error) => {
            let wrong = refusal(&ask, error)?;
            let known = known(&ask).await?;
            refused(422, &drawn(&ask, known, &form, Some(wrong)))
        }
    }
}

/// The field and the sentence of a refusal; what isn't theirs to mend stays a problem.
fn refusal(ask: &Ask, error: AccountError) -> Result<(&'static str, String), Problem> {
    let problem = Problem::from(error);
    let (field, key) = match problem.code {
        "credentials_wrong" => ("password", "account-password-wrong"),
        "email_malformed" => ("email", "refused-email"),
        "email_same" => ("email", "account-same"),
        "too_many_requests" => ("", "refused-too-many"),
        _ => return Err(problem),
    };
    Ok((field, ask.page("account-title").say(key)))
}

/// `POST /account/email/leave`: the address stays as it is.
pub async fn leave(ask: Ask, form: Result<CsrfForm<Token>, Problem>) -> Answer {
    form?;
    ask.account()?;
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, LeaveAddress, leave_address)
        .await?;
    go_to("/account")
}

/// `GET /account/email/confirm?t=…`: a button, so that whatever only follows links confirms nothing.
pub async fn confirm_page(ask: Ask, token: Result<Query<Token>, Problem>) -> Answer {
    let Query(token) = token?;
    html(&linked(&ask, token, &CONFIRM))
}

/// `POST /account/email/confirm`.
pub async fn confirm(ask: Ask, form: Result<CsrfForm<Token>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    let command = ConfirmAddress { token: form.t };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, confirm_address).await?;
    go_to("/account/email/confirm?done=yes")
}

/// `GET /account/email/stop?t=…`.
pub async fn stop_page(ask: Ask, token: Result<Query<Token>, Problem>) -> Answer {
    let Query(token) = token?;
    html(&linked(&ask, token, &STOP))
}

/// `POST /account/email/stop`.
pub async fn stop(ask: Ask, form: Result<CsrfForm<Token>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    let command = StopAddress { token: form.t };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, stop_address).await?;
    go_to("/account/email/stop?done=yes")
}

/// What the page of a link says.
struct Says {
    title: &'static str,
    text: &'static str,
    button: &'static str,
    done: &'static str,
    action: &'static str,
}

const CONFIRM: Says = Says {
    title: "account-confirm-title",
    text: "account-confirm-text",
    button: "account-confirm",
    done: "account-confirmed",
    action: "/account/email/confirm",
};

const STOP: Says = Says {
    title: "account-stop-title",
    text: "account-stop-text",
    button: "account-stop",
    done: "account-stopped",
    action: "/account/email/stop",
};

fn linked(ask: &Ask, token: Token, says: &Says) -> LinkPage {
    let page = ask.form_page(says.title);
    let done = !token.done.is_empty();
    LinkPage {
        heading: page.say(says.title),
        text: page.say(says.text),
        action: says.action,
        token: token.t,
        button: page.say(says.button),
        notice: done.then(|| Notice::new(Tone::Good, page.say(says.done))),
        page,
    }
}
