//! Where the seller's own servers are told: addresses, secrets, what was sent, and again.

use super::{At, Tab, must_sell, tabs};
use crate::app::App;
use crate::domains::webhooks::facts::TOLD;
use crate::domains::webhooks::http::{limit_sends, reach};
use crate::domains::webhooks::{
    ChangeEndpoint, CreateEndpoint, DeleteEndpoint, Deliveries, DeliveryState, Endpoint, NewSecret,
    ReplayFailed, RotateSecret, TestEvent, WebhookError, change_endpoint, create_endpoint,
    delete_endpoint, deliveries, endpoint, endpoints, replay_failed, rotate_secret, send_test,
};
use crate::problem::{PageProblem, Problem};
use crate::web::ask::{Answer, Ask, go_to, html, refused};
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Choice, Field, KeyBox, Notice, Tone};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{WebhookDeliveryId, WebhookEndpointId};
use serde::Deserialize;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// From how many days ago the page replays.
const DAYS_AGO: [i64; 4] = [1, 3, 30, 90];

#[derive(Template)]
#[template(path = "sell/webhooks.html")]
struct ListPage {
    page: Page,
    tabs: Vec<Tab>,
    notice: Option<Notice>,
    rows: Vec<Row>,
    fields: Vec<Field>,
}

struct Row {
    address: String,
    url: String,
    description: String,
    events: String,
    state: Badge,
    since: String,
}

#[derive(Template)]
#[template(path = "sell/webhook.html")]
struct EndpointPage {
    page: Page,
    tabs: Vec<Tab>,
    notice: Option<Notice>,
    base: String,
    url: String,
    state: Badge,
    /// Why it is off, until when two secrets sign.
    about: Vec<String>,
    public_key: Option<String>,
    enabled: bool,
    fields: Vec<Field>,
    since: Field,
    filters: Vec<Tab>,
    rows: Vec<Sent>,
    next: Option<String>,
}

/// A delivery as a row.
pub(super) struct Sent {
    pub(super) address: String,
    pub(super) event: String,
    pub(super) state: Badge,
    pub(super) attempts: i64,
    pub(super) at: String,
    pub(super) next: String,
}

/// The secret of an endpoint, shown once.
#[derive(Template)]
#[template(path = "sell/webhook_secret.html")]
struct SecretPage {
    page: Page,
    base: String,
    url: String,
    key: KeyBox,
    lead: String,
    note: String,
}

/// What the form of an address sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EndpointForm {
    act: String,
    url: String,
    description: String,
    events: String,
    scheme: String,
    days: String,
}

/// What was done a moment ago, and which deliveries are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    done: String,
    state: String,
    before: String,
}

fn endpoint_id(id: &str) -> Result<WebhookEndpointId, PageProblem> {
    let missing = |_| Problem::not_found("There is no such webhook endpoint.");
    Ok(WebhookEndpointId::parse(id).map_err(missing)?)
}

/// Names between spaces, commas or lines.
fn names(events: &str) -> Vec<String> {
    let split = events.split(|c: char| c.is_whitespace() || c == ',');
    split
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What the form said wrong: the field, and the sentence.
type Wrong = Option<(&'static str, String)>;

fn wrong(page: &Page, error: &WebhookError) -> Wrong {
    let (field, key) = match error {
        WebhookError::UrlRefused(_) => ("url", "webhooks-url-wrong"),
        WebhookError::DescriptionMalformed => ("description", "webhooks-description-wrong"),
        WebhookError::EventUnknown(name) => {
            let text = page.say_one("webhooks-events-wrong", "name", name.as_str());
            return Some(("events", text));
        }
        WebhookError::TooManyEndpoints => ("url", "webhooks-too-many"),
        _ => return None,
    };
    Some((field, page.say(key)))
}

fn fields(page: &Page, form: &EndpointForm, wrong: &Wrong) -> Vec<Field> {
    let error = |field: &str| {
        let found = wrong.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let known: Vec<_> = TOLD.iter().map(|(name, _)| *name).collect();
    let known = known.join(", ");
    vec![
        Field::text("url", page.say("webhooks-url"))
            .hint(page.say("webhooks-url-hint"))
            .value(&form.url)
            .error(error("url"))
            .input_mode("url")
            .required()
            .max_length(2_048)
            .full(),
        Field::text("description", page.say("webhooks-description"))
            .value(&form.description)
            .error(error("description"))
            .max_length(200)
            .full(),
        Field::area("events", page.say("webhooks-events"))
            .hint(page.say_one("webhooks-events-hint", "names", known.as_str()))
            .value(&form.events)
            .error(error("events"))
            .full(),
    ]
}

fn state(page: &Page, endpoint: &Endpoint) -> Badge {
    match endpoint.disabled_why.as_deref() {
        None => Badge::new(Tone::Good, page.say("webhooks-on")),
        Some("seller") => Badge::new(Tone::Plain, page.say("webhooks-off")),
        Some(_) => Badge::new(Tone::Bad, page.say("webhooks-off")),
    }
}

fn row(page: &Page, endpoint: &Endpoint) -> Row {
    Row {
        address: format!("/sell/webhooks/{}", endpoint.id),
        url: endpoint.url.clone(),
        description: endpoint.description.clone(),
        events: match endpoint.events.is_empty() {
            true => page.say("webhooks-all"),
            false => endpoint.events.join(", "),
        },
        state: state(page, endpoint),
        since: page.format.date(endpoint.created_at),
    }
}

/// `GET /sell/webhooks`.
pub async fn list(ask: Ask, shown: Result<Query<Shown>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(shown) = shown?;
    html(&drawn_list(&ask, &EndpointForm::default(), None, &shown.done).await?)
}

async fn drawn_list(
    ask: &Ask,
    form: &EndpointForm,
    wrong: Wrong,
    done: &str,
) -> Result<ListPage, Problem> {
    let found = ask.app.read(&ask.visitor.caller, (), endpoints).await?;
    let page = ask.section_page("sell-webhooks", Section::Sell);
    let schemes = [("v1", "webhooks-scheme-v1"), ("v1a", "webhooks-scheme-v1a")];
    let schemes = schemes.map(|(value, key)| Choice {
        value: value.to_owned(),
        text: page.say(key),
    });
    let mut fields = fields(&page, form, &wrong);
    let scheme = Field::select("scheme", page.say("webhooks-scheme"), schemes.to_vec());
    fields.push(scheme.value(&form.scheme).full());
    let deleted = done == "deleted";
    Ok(ListPage {
        tabs: tabs(&page, At::Webhooks),
        notice: deleted.then(|| Notice::new(Tone::Good, page.say("webhooks-done-deleted"))),
        rows: found.iter().map(|endpoint| row(&page, endpoint)).collect(),
        fields,
        page,
    })
}

/// `POST /sell/webhooks`.
pub async fn create(ask: Ask, form: Result<CsrfForm<EndpointForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let command = CreateEndpoint {
        url: form.url.clone(),
        description: form.description.clone(),
        events: names(&form.events),
        scheme: form.scheme.clone(),
        reach: reach(&ask.app),
    };
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, create_endpoint).await {
        Ok(made) => told(&ask, made),
        Err(error) => match wrong(&ask.page("sell-webhooks"), &error) {
            None => Err(error.into()),
            wrong => refused(422, &drawn_list(&ask, &form, wrong, "").await?),
        },
    }
}

/// The page that shows a secret, this once; of a key pair it shows the public key.
fn told(ask: &Ask, made: NewSecret) -> Answer {
    let page = ask.section_page("webhooks-secret-title", Section::Sell);
    let endpoint = made.endpoint;
    let lead = match made.secret.is_some() {
        true => "webhooks-secret-once",
        false => "webhooks-public-lead",
    };
    let value = made.secret.or(endpoint.public_key).unwrap_or_default();
    let note = endpoint.overlaps_until.map(|until| {
        let until = page.format.instant(until);
        page.say_one("webhooks-overlap", "when", until)
    });
    let key = KeyBox {
        id: "webhook-secret",
        label: page.say("webhooks-secret"),
        value,
        copy: page.say("copy"),
        copied: page.say("copied"),
    };
    html(&SecretPage {
        base: format!("/sell/webhooks/{}", endpoint.id),
        url: endpoint.url,
        key,
        lead: page.say(lead),
        note: note.unwrap_or_default(),
        page,
    })
}

/// `GET /sell/webhooks/{id}`.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    shown: Result<Query<Shown>, Problem>,
) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let (id, Query(shown)) = (endpoint_id(&id)?, shown?);
    html(&drawn(&ask, id, &shown, None).await?)
}

/// A form that was refused, with what was wrong.
type Typed<'a> = Option<(&'a EndpointForm, Wrong)>;

async fn drawn(
    ask: &Ask,
    id: WebhookEndpointId,
    shown: &Shown,
    typed: Typed<'_>,
) -> Result<EndpointPage, Problem> {
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, id, endpoint).await?;
    let query = Deliveries {
        endpoint: id,
        state: DeliveryState::parse(&shown.state),
        before: WebhookDeliveryId::parse(&shown.before).ok(),
        limit: 0,
    };
    let (sent, next) = ask.app.read(caller, query, deliveries).await?;
    let page = ask.section_page("webhooks-endpoint", Section::Sell);
    let base = format!("/sell/webhooks/{id}");
    let stored = EndpointForm {
        url: found.url.clone(),
        description: found.description.clone(),
        events: found.events.join("\n"),
        ..EndpointForm::default()
    };
    let fields = match &typed {
        Some((form, wrong)) => fields(&page, form, wrong),
        None => fields(&page, &stored, &None),
    };
    Ok(EndpointPage {
        tabs: tabs(&page, At::Webhooks),
        notice: done(&page, &shown.done),
        url: found.url.clone(),
        state: state(&page, &found),
        about: about(&page, &found),
        public_key: found.public_key.clone(),
        enabled: found.disabled_at.is_none(),
        fields,
        since: days(&page),
        filters: filters(&page, &base, query.state),
        rows: sent
            .iter()
            .map(|one| super::deliveries::sent(&page, one))
            .collect(),
        next: next.map(|id| format!("{base}?state={}&before={id}", shown.state)),
        base,
        page,
    })
}

fn done(page: &Page, done: &str) -> Option<Notice> {
    let key = match done {
        "saved" => "webhooks-done-saved",
        "switched" => "webhooks-done-switched",
        "tested" => "webhooks-done-tested",
        "replayed" => "webhooks-done-replayed",
        _ => return None,
    };
    Some(Notice::new(Tone::Good, page.say(key)))
}

fn about(page: &Page, endpoint: &Endpoint) -> Vec<String> {
    let why = match endpoint.disabled_why.as_deref() {
        Some("gone") => Some(page.say("webhooks-why-gone")),
        Some("failing") => Some(page.say("webhooks-why-failing")),
        _ => None,
    };
    let overlap = endpoint.overlaps_until.map(|until| {
        let until = page.format.instant(until);
        page.say_one("webhooks-overlap", "when", until)
    });
    why.into_iter().chain(overlap).collect()
}

fn days(page: &Page) -> Field {
    let choice = |days: i64| Choice {
        value: days.to_string(),
        text: page.say_one("webhooks-days", "days", days),
    };
    let choices = DAYS_AGO.into_iter().map(choice).collect();
    Field::select("days", page.say("webhooks-since"), choices)
}

fn filters(page: &Page, base: &str, chosen: Option<DeliveryState>) -> Vec<Tab> {
    let states = DeliveryState::ALL.into_iter().map(Some);
    let tab = |state: Option<DeliveryState>| Tab {
        name: match state {
            None => page.say("webhooks-sent-all"),
            Some(state) => super::deliveries::state_name(page, state),
        },
        address: match state {
            None => base.to_owned(),
            Some(state) => format!("{base}?state={}", state.code()),
        },
        chosen: state == chosen,
    };
    std::iter::once(None).chain(states).map(tab).collect()
}

/// `POST /sell/webhooks/{id}`: changes, switches, rotates, tests, replays or deletes.
pub async fn act(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<EndpointForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let id = endpoint_id(&id)?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let done = match form.act.as_str() {
        "save" => return save(&ask, id, &form).await,
        "rotate" => {
            let made = app.transact(caller, RotateSecret(id), rotate_secret);
            return told(&ask, made.await?);
        }
        "delete" => {
            let deleted = app.transact(caller, DeleteEndpoint(id), delete_endpoint);
            deleted.await?;
            return go_to("/sell/webhooks?done=deleted");
        }
        "test" => {
            limit_sends(app, &ask.visitor)?;
            app.transact(caller, TestEvent(id), send_test).await?;
            "tested"
        }
        "replay" => {
            limit_sends(app, &ask.visitor)?;
            let days = form.days.parse().unwrap_or(1).clamp(1, 90);
            let command = ReplayFailed {
                endpoint: id,
                since: app.now().plus_ms(-days * DAY_MS),
            };
            app.transact(caller, command, replay_failed).await?;
            "replayed"
        }
        act => {
            let command = ChangeEndpoint {
                enabled: Some(act == "enable"),
                ..unchanged(app, id)
            };
            app.transact(caller, command, change_endpoint).await?;
            "switched"
        }
    };
    go_to(&format!("/sell/webhooks/{id}?done={done}"))
}

fn unchanged(app: &App, endpoint: WebhookEndpointId) -> ChangeEndpoint {
    ChangeEndpoint {
        endpoint,
        url: None,
        description: None,
        events: None,
        enabled: None,
        reach: reach(app),
    }
}

async fn save(ask: &Ask, id: WebhookEndpointId, form: &EndpointForm) -> Answer {
    let command = ChangeEndpoint {
        url: Some(form.url.clone()),
        description: Some(form.description.clone()),
        events: Some(names(&form.events)),
        ..unchanged(&ask.app, id)
    };
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, change_endpoint).await {
        Ok(_) => go_to(&format!("/sell/webhooks/{id}?done=saved")),
        Err(error) => match wrong(&ask.page("sell-webhooks"), &error) {
            None => Err(error.into()),
            wrong => {
                let typed = Some((form, wrong));
                refused(422, &drawn(ask, id, &Shown::default(), typed).await?)
            }
        },
    }
}
