//! Licenses: the list, one with its key, file, code and devices, and redeeming.

use super::api_keys::ApiKeys;
use super::ask::{Answer, Ask, go_to, html, refused};
use super::hosts::Hosts;
use super::listing::encoded;
use super::page::{Page, Section};
use super::parts::{Badge, Crumbs, Field, KeyBox, Qr, Tone};
use super::product;
use crate::app::ReadCx;
use crate::domains::access;
use crate::domains::catalog::{self, Product};
use crate::domains::fulfilment::{self, FulfilmentError, RevealCode, ViewLicense};
use crate::domains::licensing::{
    self, Activation, Deactivate, License, LicenseState, LicenseView, Licenses, LicensingError,
};
use crate::domains::subscriptions::{UpgradesOf, upgrades_of};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::Timestamp;
use mintreu::document;
use mintreu::id::{ActivationId, LicenseId};
use serde::Deserialize;

/// Licenses on one page of the list.
const PAGE: i64 = 20;

#[derive(Template)]
#[template(path = "licenses.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    address: String,
    name: String,
    state: Badge,
    issued: String,
    ends: String,
}

/// One license as its owner sees it.
#[derive(Template)]
#[template(path = "license.html")]
struct LicensePage {
    page: Page,
    crumbs: Crumbs,
    name: String,
    id: String,
    base: String,
    suffix: String,
    state: Badge,
    code: Option<KeyBox>,
    seats: String,
    devices: Vec<DeviceRow>,
    timeline: Vec<Step>,
    grants: Vec<String>,
    qr: Vec<Qr>,
    metered: bool,
    /// Where a free license is upgraded.
    upgrade: Option<String>,
    usage_address: String,
    hosts: Option<Hosts>,
    api_keys: Option<ApiKeys>,
}

struct DeviceRow {
    activation: String,
    name: String,
    seen: String,
    /// Where to send the wish to free the seat; `None` when it is free already.
    move_action: Option<String>,
    move_label: String,
    gone: Badge,
}

/// A step on the way from issue to end.
struct Step {
    class: &'static str,
    what: String,
    when: String,
}

#[derive(Template)]
#[template(path = "redeem.html")]
struct RedeemPage {
    page: Page,
    fields: Vec<Field>,
    found: Option<Found>,
}

struct Found {
    text: String,
    armor: String,
    qr: Vec<Qr>,
    address: Option<String>,
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

/// The caller's licenses with the names of their products.
fn named(cx: &mut ReadCx<'_>, query: &Licenses) -> Result<Vec<(License, String)>, LicensingError> {
    let licenses = licensing::list(cx, query)?;
    let mut rows = Vec::with_capacity(licenses.len());
    for license in licenses {
        let product = catalog::product(cx.tx, cx.caller.tenant, license.product)?;
        let name = product.map_or_else(|| license.product_code.clone(), |product| product.name);
        rows.push((license, name));
    }
    Ok(rows)
}

/// `GET /licenses`.
pub async fn list(ask: Ask, after: Result<Query<After>, Problem>) -> Answer {
    ask.account()?;
    let Query(after) = after?;
    let before = after.after.as_deref().map(LicenseId::parse).transpose();
    let query = Licenses {
        as_seller: false,
        before: before.map_err(|_| nothing_here())?,
        limit: PAGE,
    };
    let found = ask.app.read(&ask.visitor.caller, query, named).await?;
    let page = ask.section_page("licenses-title", Section::Licenses);
    let now = ask.app.now();
    let full = i64::try_from(found.len()) == Ok(PAGE);
    let next = found
        .last()
        .filter(|_| full)
        .map(|(license, _)| format!("/licenses?after={}", license.id));
    let rows = found
        .iter()
        .map(|(license, name)| row(&page, license, name, now))
        .collect();
    html(&ListPage { page, rows, next })
}

fn row(page: &Page, license: &License, name: &str, now: Timestamp) -> Row {
    let ends = license.expires_at.map(|end| page.format.date(end));
    Row {
        address: format!("/licenses/{}", license.id),
        name: name.to_owned(),
        state: state_badge(page, license.state(now)),
        issued: page.format.date(license.issued_at),
        ends: ends.unwrap_or_else(|| page.say("license-never-ends")),
    }
}

/// A license's state as a badge.
pub fn state_badge(page: &Page, state: LicenseState) -> Badge {
    let (tone, key) = match state {
        LicenseState::Active => (Tone::Good, "license-active"),
        LicenseState::Expired => (Tone::Wait, "license-expired"),
        LicenseState::Revoked => (Tone::Bad, "license-revoked"),
    };
    Badge::new(tone, page.words.say(key))
}

/// A license with its devices and its product.
fn opened(
    cx: &mut ReadCx<'_>,
    query: &ViewLicense,
) -> Result<(LicenseView, Option<Product>), FulfilmentError> {
    let view = fulfilment::license_page(cx, query)?.view;
    let product = catalog::product(cx.tx, cx.caller.tenant, view.license.product);
    Ok((view, product.map_err(LicensingError::from)?))
}

/// A guest's way in: the token of the order that the license came of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Token {
    /// The token.
    pub t: Option<String>,
}

impl Token {
    /// What addresses of this visit end with.
    pub fn suffix(&self) -> String {
        let token = self.t.as_deref();
        token.map_or_else(String::new, |token| format!("?t={}", encoded(token)))
    }
}

pub(super) fn nothing_here() -> Problem {
    Problem::not_found("There is no such license.")
}

pub(super) fn license_id(text: &str) -> Result<LicenseId, Problem> {
    LicenseId::parse(text).map_err(|_| nothing_here())
}

/// `GET /licenses/{id}`.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let (license, Query(token)) = (license_id(&id)?, token?);
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewLicense {
        license,
        token: token.t.clone(),
    };
    let (view, product) = ask.app.read(&ask.visitor.caller, query, opened).await?;
    let owner = view.license.owner.is_some() && view.license.owner == ask.visitor.caller.account;
    let code = match owner || token.t.is_some() {
        true => {
            let reveal = RevealCode {
                license,
                token: token.t.clone(),
            };
            let code = ask
                .app
                .transact(&ask.visitor.caller, reveal, fulfilment::reveal_code);
            Some(code.await?.reveal().to_owned())
        }
        false => None,
    };
    let page = ask.section_page("licenses-title", Section::Licenses);
    let hosts = match owner && view.license.terms.floating.is_some() {
        true => {
            let query = view.license.id;
            let found = ask.app.read(&ask.visitor.caller, query, licensing::hosts);
            Some(found.await?)
        }
        false => None,
    };
    let hosts = hosts.map(|found| Hosts::of(&page, &view.license, &found, ask.app.now()));
    let metered = owner
        && product
            .as_ref()
            .is_some_and(|product| !product.meters.is_empty());
    let api_keys = match metered {
        true => {
            let query = view.license.id;
            let found = ask.app.read(&ask.visitor.caller, query, access::api_keys);
            let now = ask.app.now();
            Some(ApiKeys::of(&page, query, &found.await?, now))
        }
        false => None,
    };
    let upgrade = match owner {
        true => {
            let query = UpgradesOf { license };
            let read = ask.app.read(&ask.visitor.caller, query, upgrades_of);
            read.await?.is_some()
        }
        false => false,
    };
    let shown = Shown {
        upgrade,
        hosts,
        api_keys,
        metered,
        view: &view,
        product: product.as_ref(),
        code,
        owner,
        suffix: token.suffix(),
    };
    html(&LicensePage::new(page, shown, ask.app.now()))
}

/// What one license's page is made from.
struct Shown<'a> {
    /// Whether the visitor can upgrade it.
    upgrade: bool,
    /// Where its seats can be handed to a host.
    hosts: Option<Hosts>,
    /// Its owner's keys, where usage is counted.
    api_keys: Option<ApiKeys>,
    /// Whether the visitor owns it and its usage is counted.
    metered: bool,
    view: &'a LicenseView,
    product: Option<&'a Product>,
    /// The redeem code, for who may see it.
    code: Option<String>,
    /// Whether the visitor owns it.
    owner: bool,
    /// What addresses end with: a guest's token.
    suffix: String,
}

impl LicensePage {
    fn new(mut page: Page, shown: Shown<'_>, now: Timestamp) -> Self {
        let Shown {
            upgrade,
            hosts,
            api_keys,
            metered,
            view,
            product,
            code,
            owner,
            suffix,
        } = shown;
        let license = &view.license;
        let name = product
            .map_or(&license.product_code, |product| &product.name)
            .clone();
        page.title.clone_from(&name);
        let base = format!("/licenses/{}", license.id);
        let taken = i64::try_from(view.seats_taken()).unwrap_or(i64::MAX);
        let values = [("taken", taken.into()), ("seats", license.seats.into())];
        let devices = view
            .activations
            .iter()
            .map(|one| device_row(&page, one, &base, owner));
        // What was sold counts, not what is for sale now.
        let sold = product.map(|product| Product {
            terms: license.terms.clone(),
            ..product.clone()
        });
        Self {
            crumbs: page.crumbs(
                vec![(page.say("licenses-title"), "/licenses".to_owned())],
                &name,
            ),
            suffix,
            id: license.id.to_string(),
            state: state_badge(&page, view.state),
            code: code.map(|code| key_box(&page, "code".to_owned(), code)),
            seats: page.words.say_with("license-seats", values),
            devices: devices.collect(),
            timeline: timeline(&page, license, now),
            grants: sold
                .map(|sold| product::grants(&page, &sold))
                .unwrap_or_default(),
            qr: Qr::parts(&license.document),
            metered,
            upgrade: upgrade.then(|| format!("{base}/upgrade")),
            api_keys,
            usage_address: format!("/usage?license={}", license.id),
            hosts,
            name,
            base,
            page,
        }
    }
}

/// A key with its copy button.
pub fn key_box(page: &Page, id: String, value: String) -> KeyBox {
    KeyBox {
        id,
        label: page.say("license-key"),
        value,
        copy: page.say("copy"),
        copied: page.say("copied"),
    }
}

fn device_row(page: &Page, one: &Activation, base: &str, owner: bool) -> DeviceRow {
    let name = one.device_name();
    let seen = page.format.instant(one.last_seen_at);
    DeviceRow {
        activation: one.id.to_string(),
        seen: page.say_one("device-seen", "when", seen),
        move_action: (owner && one.seat.is_some()).then(|| format!("{base}/move")),
        move_label: page.say_one("device-move-label", "device", name.as_str()),
        gone: match one.seat {
            Some(_) => Badge::new(Tone::Good, page.say("device-active")),
            None => Badge::new(Tone::Plain, page.say("device-gone")),
        },
        name,
    }
}

fn timeline(page: &Page, license: &License, now: Timestamp) -> Vec<Step> {
    let when = |at: Timestamp| page.format.instant(at);
    let mut steps = vec![Step {
        class: "past",
        what: page.say("time-issued"),
        when: when(license.issued_at),
    }];
    if let Some(at) = license.revoked_at {
        let why = license.revoke_reason.clone().unwrap_or_default();
        let values = [("when", when(at).into()), ("why", why.into())];
        let when = page.words.say_with("time-revoked-when", values);
        steps.push(Step {
            class: "bad",
            what: page.say("time-revoked"),
            when,
        });
        return steps;
    }
    steps.push(Step {
        class: "now",
        what: page.say("time-now"),
        when: when(now),
    });
    match license.expires_at {
        Some(end) if end <= now => {
            let over = Step {
                class: "bad",
                what: page.say("time-ended"),
                when: when(end),
            };
            steps.insert(1, over);
        }
        Some(end) => {
            steps.push(Step {
                class: "",
                what: page.say("time-ends"),
                when: when(end),
            });
        }
        None => {
            let (what, when) = (page.say("time-no-end"), page.say("time-no-end-text"));
            steps.push(Step {
                class: "",
                what,
                when,
            });
        }
    }
    steps
}

/// What the form to free a seat sends.
#[derive(Debug, Deserialize)]
pub struct MoveForm {
    activation: String,
}

/// `POST /licenses/{id}/move`.
pub async fn move_device(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<MoveForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    let id = license_id(&id)?;
    let activation = ActivationId::parse(&form.activation).map_err(|_| nothing_here())?;
    let command = Deactivate { activation };
    ask.app
        .transact(&ask.visitor.caller, command, licensing::deactivate)
        .await?;
    go_to(&format!("/licenses/{id}"))
}

/// What the receipt of the transparency log is saved as.
const RECEIPT: &str = "receipt.txt";

/// `GET /licenses/{id}/license.{mtl,txt,svg}` and `GET /licenses/{id}/receipt.txt`.
pub async fn file(
    ask: Ask,
    Path((id, name)): Path<(String, String)>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let (license, Query(token)) = (license_id(&id)?, token?);
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewLicense {
        license,
        token: token.t,
    };
    let (view, _) = ask.app.read(&ask.visitor.caller, query, opened).await?;
    if name == RECEIPT {
        return receipt_file(&ask, view.license).await;
    }
    document_file(&name, "license", &view.license.document)
}

/// The proof that the license is in the log, to keep beside it.
async fn receipt_file(ask: &Ask, license: License) -> Answer {
    let caller = &ask.visitor.caller;
    let receipt = ask.app.read(caller, license, licensing::receipt_of).await?;
    let saved_as = format!("attachment; filename=\"{RECEIPT}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CONTENT_DISPOSITION, saved_as.as_str()),
    ];
    Ok((headers, receipt.to_text()?).into_response())
}

/// A signed document as the file `stem` with the ending of `name`.
pub fn document_file(name: &str, stem: &str, document: &[u8]) -> Answer {
    let ending = name
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_prefix('.'));
    let (kind, bytes) = match ending {
        // Armoured, so that a file that is opened and pasted works as well as one that is loaded.
        Some("mtl") => (
            "application/octet-stream",
            document::to_armor(document)?.into_bytes(),
        ),
        Some("txt") => (
            "text/plain; charset=utf-8",
            document::to_text(document).into_bytes(),
        ),
        Some("svg") => {
            let too_long = || Problem::new(422, "qr_too_long", "This is too long for one QR code.");
            let code = Qr::sheet(document).ok_or_else(too_long)?;
            ("image/svg+xml", code.to_string().into_bytes())
        }
        _ => return Err(PageProblem(nothing_here())),
    };
    let saved_as = format!("inline; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, &saved_as),
    ];
    Ok((headers, bytes).into_response())
}

/// What the form to redeem sends, or the link to it brings along.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct RedeemForm {
    code: String,
    /// For a seller's own key: the product's slug, or its page's address.
    product: String,
}

impl RedeemForm {
    /// The end of an address is the slug.
    fn slug(&self) -> Option<&str> {
        let typed = self.product.trim().trim_end_matches('/');
        let slug = typed.rsplit('/').next().unwrap_or(typed);
        (!slug.is_empty()).then_some(slug)
    }
}

/// The page with what was typed, its mistake, and what was found.
fn redeem_drawn(
    page: Page,
    form: &RedeemForm,
    (at, error): (&str, Option<String>),
    found: Option<Found>,
) -> RedeemPage {
    let wrong = |field: &str| error.clone().filter(|_| at == field);
    let code = Field::text("code", page.say("redeem-code"))
        .hint(page.say("redeem-code-hint"))
        .value(&form.code)
        .error(wrong("code"))
        .required()
        .max_length(140);
    let product = Field::text("product", page.say("redeem-product"))
        .hint(page.say("redeem-product-hint"))
        .value(&form.product)
        .error(wrong("product"))
        .max_length(300);
    RedeemPage {
        page,
        fields: vec![code, product],
        found,
    }
}

/// `GET /redeem`: a link may name the product (`?product=…`).
pub async fn redeem_page(ask: Ask, form: Result<Query<RedeemForm>, Problem>) -> Answer {
    let Query(form) = form?;
    // A code in an address would stay in logs and histories.
    let form = RedeemForm {
        code: String::new(),
        ..form
    };
    let page = ask.section_page("redeem", Section::Licenses);
    html(&redeem_drawn(page, &form, ("", None), None))
}

/// `POST /redeem`: shows the license that the code stands for; who is signed in keeps it.
pub async fn redeem(ask: Ask, form: Result<CsrfForm<RedeemForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    let page = ask.section_page("redeem", Section::Licenses);
    let typed = (form.slug(), form.code.trim());
    match licensing::http::redeem_typed(&ask.app, &ask.visitor, typed).await {
        Ok(license) => {
            let own = license.owner.is_some() && license.owner == ask.visitor.caller.account;
            let found = Found {
                text: page.say_one(
                    "redeem-found-text",
                    "product",
                    license.product_code.as_str(),
                ),
                armor: document::to_armor(&license.document)?,
                qr: Qr::parts(&license.document),
                address: own.then(|| format!("/licenses/{}", license.id)),
            };
            html(&redeem_drawn(page, &form, ("", None), Some(found)))
        }
        Err(error) => {
            let (at, key) = match &error {
                LicensingError::CodeUnknown | LicensingError::KeyUnknown { .. } => {
                    ("code", "redeem-unknown")
                }
                LicensingError::CodeMistyped(_) => ("code", "redeem-mistyped"),
                LicensingError::KeyMalformed(_) => ("code", "redeem-key-malformed"),
                LicensingError::Revoked => ("code", "redeem-revoked"),
                LicensingError::NotFound => ("product", "redeem-product-unknown"),
                LicensingError::TooFast { .. } => ("code", "redeem-too-fast"),
                _ => return Err(error.into()),
            };
            let status = match error {
                LicensingError::TooFast { .. } => 429,
                _ => 422,
            };
            let error = Some(page.words.say(key));
            refused(status, &redeem_drawn(page, &form, (at, error), None))
        }
    }
}
