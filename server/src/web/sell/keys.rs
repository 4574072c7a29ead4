//! The seller's keys: what signs now, a new key, a stolen one, and key sets to carry.

use super::{At, Tab, must_sell, tabs};
use crate::domains::catalog::ops::{SellerProducts, seller_products};
use crate::domains::licensing::http::held::{confirmed, document_of, limit_changes, reason};
use crate::domains::licensing::sql::keys::KeyRecord;
use crate::domains::licensing::{
    KeysView, RevokeKey, RotateKey, UploadKeySet, keys, revoke_key, rotate_key, upload_key_set,
};
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask, go_to, html, refused};
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Choice, Field, Notice, Tone};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::id::KeyId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/keys.html")]
struct KeysPage {
    page: Page,
    tabs: Vec<Tab>,
    notice: Option<Notice>,
    roots: Vec<String>,
    key_set: Option<String>,
    rows: Vec<Row>,
    rotate: Option<Field>,
    revoke: Vec<Field>,
    upload: Field,
}

struct Row {
    name: String,
    version: i64,
    public: String,
    since: String,
    state: Badge,
}

/// What was done a moment ago.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: String,
}

/// What the page's three forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct KeysForm {
    slug: String,
    key: String,
    reason: String,
    confirm: String,
    document: String,
}

/// What a key is for, as people read it and type it to confirm.
fn name(key: &KeyRecord) -> String {
    match key.audience.is_empty() {
        true => key.purpose.clone(),
        false => key.audience.clone(),
    }
}

fn state(page: &Page, key: &KeyRecord, view: &KeysView) -> Badge {
    if key.revoked_at.is_some() {
        return Badge::new(Tone::Bad, page.say("keys-revoked"));
    }
    if key.forgotten_at.is_some() {
        return Badge::new(Tone::Plain, page.say("keys-forgotten"));
    }
    let is_root = key.purpose == "root";
    if view.current.contains(&key.id) || (is_root && view.roots.contains(&key.public)) {
        return Badge::new(Tone::Good, page.say("keys-current"));
    }
    match key.certificate.is_some() || is_root {
        true => Badge::new(Tone::Plain, page.say("keys-former")),
        false => Badge::new(Tone::Wait, page.say("keys-waiting")),
    }
}

fn rows(page: &Page, view: &KeysView) -> Vec<Row> {
    let row = |key: &KeyRecord| Row {
        name: name(key),
        version: key.version,
        public: key.public.to_string(),
        since: page.format.date(key.created_at),
        state: state(page, key, view),
    };
    view.keys.iter().map(row).collect()
}

/// The keys that can be revoked here.
fn revocable(page: &Page, view: &KeysView) -> Vec<Choice> {
    let open = |key: &&KeyRecord| key.purpose != "root" && key.revoked_at.is_none();
    let choice = |key: &KeyRecord| Choice {
        value: key.id.to_string(),
        text: format!(
            "{} {} ({})",
            name(key),
            key.version,
            page.format.date(key.created_at)
        ),
    };
    view.keys.iter().filter(open).map(choice).collect()
}

async fn drawn(
    ask: &Ask,
    form: &KeysForm,
    notice: Option<(Tone, String)>,
) -> Result<KeysPage, Problem> {
    let caller = &ask.visitor.caller;
    let view = ask.app.read(caller, (), keys).await?;
    let products = ask.app.read(caller, SellerProducts, seller_products).await;
    let products = products?;
    let page = ask.section_page("sell-keys", Section::Sell);
    let choices: Vec<_> = products
        .iter()
        .map(|product| Choice {
            value: product.slug.clone(),
            text: product.name.clone(),
        })
        .collect();
    let rotate = (!choices.is_empty())
        .then(|| Field::select("slug", page.say("keys-product"), choices).value(&form.slug));
    let open = revocable(&page, &view);
    let revoke = match open.is_empty() {
        true => Vec::new(),
        false => vec![
            Field::select("key", page.say("keys-key"), open).value(&form.key),
            Field::text("reason", page.say("keys-reason"))
                .value(&form.reason)
                .required()
                .max_length(500),
            Field::text("confirm", page.say("keys-confirm"))
                .hint(page.say("keys-confirm-hint"))
                .value(&form.confirm)
                .required()
                .max_length(80),
        ],
    };
    Ok(KeysPage {
        tabs: tabs(&page, At::Keys),
        notice: notice.map(|(tone, text)| Notice::new(tone, text)),
        roots: view.roots.iter().map(ToString::to_string).collect(),
        key_set: view
            .key_set
            .as_ref()
            .map(|set| page.say_one("keys-set-version", "version", set.version.to_string())),
        rows: rows(&page, &view),
        rotate,
        revoke,
        upload: Field::area("document", page.say("keys-document"))
            .hint(page.say("keys-document-hint"))
            .value(&form.document)
            .required()
            .full(),
        page,
    })
}

/// `GET /sell/keys`.
pub async fn show(ask: Ask, done: Result<Query<Done>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(done) = done?;
    let said = match done.done.as_str() {
        "rotated" => Some("keys-done-rotated"),
        "revoked" => Some("keys-done-revoked"),
        "uploaded" => Some("keys-done-uploaded"),
        _ => None,
    };
    let page = ask.page("sell-keys");
    let notice = said.map(|key| (Tone::Good, page.say(key)));
    html(&drawn(&ask, &KeysForm::default(), notice).await?)
}

/// `GET /sell/keys/newest.mtk`: the newest key set, to carry elsewhere.
pub async fn download(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let view = ask.app.read(&ask.visitor.caller, (), keys).await?;
    let missing = || Problem::not_found("There is no key set yet.");
    let set = view.key_set.ok_or_else(missing)?;
    let armor = mintreu::document::to_armor(&set.document).map_err(Problem::from)?;
    let named = format!("attachment; filename=\"keys-{}.mtk\"", set.version);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, named),
    ];
    Ok((headers, armor).into_response())
}

/// Goes back to the page, or draws it again with what went wrong and what was typed.
async fn answer(ask: &Ask, form: &KeysForm, done: Result<&str, Problem>) -> Answer {
    match done {
        Ok(done) => go_to(&format!("/sell/keys?done={done}")),
        Err(problem) if (400..500).contains(&problem.status) => {
            let notice = (Tone::Bad, problem.detail.clone().into_owned());
            refused(problem.status, &drawn(ask, form, Some(notice)).await?)
        }
        Err(problem) => Err(problem.into()),
    }
}

/// `POST /sell/keys/rotate`.
pub async fn rotate(ask: Ask, form: Result<CsrfForm<KeysForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let done = rotated(&ask, &form).await;
    answer(&ask, &form, done.map(|()| "rotated")).await
}

async fn rotated(ask: &Ask, form: &KeysForm) -> Result<(), Problem> {
    limit_changes(&ask.app, &ask.visitor)?;
    let command = RotateKey {
        slug: form.slug.clone(),
    };
    let made = ask.app.transact(&ask.visitor.caller, command, rotate_key);
    Ok(made.await.map(drop)?)
}

/// `POST /sell/keys/revoke`.
pub async fn revoke(ask: Ask, form: Result<CsrfForm<KeysForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let done = revoked(&ask, &form).await;
    answer(&ask, &form, done.map(|()| "revoked")).await
}

async fn revoked(ask: &Ask, form: &KeysForm) -> Result<(), Problem> {
    limit_changes(&ask.app, &ask.visitor)?;
    let key = KeyId::parse(&form.key)?;
    let caller = &ask.visitor.caller;
    let view = ask.app.read(caller, (), keys).await?;
    let found = view.keys.iter().find(|known| known.id == key);
    let found = found.ok_or_else(|| Problem::not_found("There is no such key."))?;
    confirmed(&form.confirm, &name(found))?;
    let command = RevokeKey {
        key,
        from: None,
        reason: reason(&form.reason)?,
    };
    Ok(ask.app.transact(caller, command, revoke_key).await?)
}

/// `POST /sell/keys/upload`.
pub async fn upload(ask: Ask, form: Result<CsrfForm<KeysForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let done = uploaded(&ask, &form).await;
    answer(&ask, &form, done.map(|()| "uploaded")).await
}

async fn uploaded(ask: &Ask, form: &KeysForm) -> Result<(), Problem> {
    limit_changes(&ask.app, &ask.visitor)?;
    let document = document_of(&form.document)?;
    let command = UploadKeySet { document };
    let caller = &ask.visitor.caller;
    let taken = ask.app.transact(caller, command, upload_key_set).await;
    Ok(taken.map(drop)?)
}
