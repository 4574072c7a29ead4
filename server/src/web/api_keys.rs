//! The part of a license's page with its owner's keys for the seller's API.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::{license_id, nothing_here};
use super::page::{Page, Section};
use super::parts::{Badge, Field, KeyBox, Tone};
use crate::domains::access::{
    self, AccessError, ApiKey, ChangeApiKey, CreateApiKey, DeleteApiKey, NewApiKey, RotateApiKey,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::CsrfForm;
use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::Path;
use mintreu::Timestamp;
use mintreu::id::{ApiKeyId, LicenseId};
use serde::Deserialize;

/// For how long a replaced secret still holds, as the page rotates: a day.
const OVERLAP_SECS: i64 = 86_400;

/// What the page shows of keys.
#[derive(Template)]
#[template(path = "parts/api_keys.html")]
pub struct ApiKeys {
    csrf: String,
    title: String,
    lead: String,
    rows: Vec<KeyRow>,
    action: String,
    fields: Vec<Field>,
    button: String,
    rotate: String,
    delete: String,
}

impl HtmlSafe for ApiKeys {}

struct KeyRow {
    name: String,
    shown: String,
    state: Badge,
    about: String,
    action: String,
    /// `disable` or `enable`, and what the button says.
    switch: (&'static str, String),
}

/// The secret of a key, shown once.
#[derive(Template)]
#[template(path = "api_key_new.html")]
struct NewPage {
    page: Page,
    base: String,
    name: String,
    key: KeyBox,
    note: String,
}

/// The part alone, when the form was refused.
#[derive(Template)]
#[template(path = "api_key_refused.html")]
struct RefusedPage {
    page: Page,
    base: String,
    keys: ApiKeys,
}

/// What the form of a new key sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeyForm {
    name: String,
    rate: String,
}

/// What a button beside a key sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    act: String,
}

impl ApiKeys {
    /// For the owner of a license.
    pub fn of(page: &Page, license: LicenseId, keys: &[ApiKey], now: Timestamp) -> Self {
        let base = format!("/licenses/{license}");
        let mut part = Self::new(page, &base, &KeyForm::default(), None);
        part.rows = keys.iter().map(|key| row(page, &base, key, now)).collect();
        part
    }

    fn new(page: &Page, base: &str, form: &KeyForm, error: Option<(&str, String)>) -> Self {
        let about = |field: &str| {
            let error = error.as_ref().filter(|(name, _)| *name == field);
            error.map(|(_, text)| text.clone())
        };
        Self {
            csrf: page.csrf.clone(),
            title: page.say("api-keys-title"),
            lead: page.say("api-keys-lead"),
            rows: Vec::new(),
            action: format!("{base}/api-keys"),
            fields: vec![
                Field::text("name", page.say("api-keys-name"))
                    .value(&form.name)
                    .error(about("name"))
                    .required()
                    .max_length(80),
                Field::text("rate", page.say("api-keys-rate"))
                    .hint(page.say("api-keys-rate-hint"))
                    .value(&form.rate)
                    .error(about("rate"))
                    .max_length(40),
            ],
            button: page.say("api-keys-create"),
            rotate: page.say("api-keys-rotate"),
            delete: page.say("api-keys-delete"),
        }
    }
}

fn row(page: &Page, base: &str, key: &ApiKey, now: Timestamp) -> KeyRow {
    let state = match key.disabled_at {
        None => Badge::new(Tone::Good, page.words.say("api-keys-on")),
        Some(_) => Badge::new(Tone::Wait, page.words.say("api-keys-off")),
    };
    let about = match key.overlaps_until.filter(|until| *until > now) {
        Some(until) => page.say_one("api-keys-overlap", "when", page.format.instant(until)),
        None => page.say_one(
            "api-keys-since",
            "when",
            page.format.instant(key.created_at),
        ),
    };
    let switch = match key.disabled_at {
        None => ("disable", page.say("api-keys-disable")),
        Some(_) => ("enable", page.say("api-keys-enable")),
    };
    KeyRow {
        name: key.name.clone(),
        shown: format!("{}…", key.shown),
        state,
        about,
        action: format!("{base}/api-keys/{}", key.id),
        switch,
    }
}

/// `POST /licenses/{id}/api-keys`.
pub async fn create(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<KeyForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let license = license_id(&id)?;
    let base = format!("/licenses/{license}");
    let command = CreateApiKey {
        license,
        name: form.name.clone(),
        rate: Some(form.rate.clone()),
    };
    let caller = &ask.visitor.caller;
    match ask
        .app
        .transact(caller, command, access::create_api_key)
        .await
    {
        Ok(new) => told(&ask, base, new),
        Err(error) => {
            let (field, key) = match &error {
                AccessError::NameMalformed => ("name", "api-keys-name-wrong"),
                AccessError::RateMalformed(_) => ("rate", "api-keys-rate-wrong"),
                AccessError::TooManyKeys => ("name", "api-keys-too-many"),
                _ => return Err(error.into()),
            };
            let page = ask.section_page("api-keys-title", Section::Licenses);
            let wrong = Some((field, page.say(key)));
            let keys = ApiKeys::new(&page, &base, &form, wrong);
            refused(422, &RefusedPage { page, base, keys })
        }
    }
}

/// The page that shows a secret, this once.
fn told(ask: &Ask, base: String, new: NewApiKey) -> Answer {
    let page = ask.section_page("api-keys-new", Section::Licenses);
    let until = new.key.overlaps_until;
    let note = match until.filter(|until| *until > ask.app.now()) {
        Some(until) => page.say_one("api-keys-overlap", "when", page.format.instant(until)),
        None => String::new(),
    };
    let key = KeyBox {
        id: "api-key".to_owned(),
        label: page.say("api-keys-key"),
        value: new.secret.reveal().to_owned(),
        copy: page.say("copy"),
        copied: page.say("copied"),
    };
    let name = new.key.name;
    html(&NewPage {
        page,
        base,
        name,
        key,
        note,
    })
}

/// `POST /licenses/{id}/api-keys/{key}`: rotates, switches or deletes one.
pub async fn act(
    ask: Ask,
    Path((id, key)): Path<(String, String)>,
    form: Result<CsrfForm<ActForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let base = format!("/licenses/{}", license_id(&id)?);
    let key = ApiKeyId::parse(&key).map_err(|_| PageProblem(nothing_here()))?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let switch = |disabled| ChangeApiKey {
        key,
        name: None,
        rate: None,
        disabled: Some(disabled),
    };
    match form.act.as_str() {
        "rotate" => {
            let command = RotateApiKey {
                key,
                overlap_secs: OVERLAP_SECS,
            };
            let new = app
                .transact(caller, command, access::rotate_api_key)
                .await?;
            return told(&ask, base, new);
        }
        "delete" => {
            let command = DeleteApiKey { key };
            app.transact(caller, command, access::delete_api_key)
                .await?;
        }
        "disable" | "enable" => {
            let command = switch(form.act == "disable");
            app.transact(caller, command, access::change_api_key)
                .await?;
        }
        _ => return Err(PageProblem(nothing_here())),
    }
    go_to(&base)
}
