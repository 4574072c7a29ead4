//! One delivery of a webhook: its body, every try, and once more.

use super::webhooks::Sent;
use super::{At, Tab, must_sell, tabs};
use crate::domains::webhooks::http::limit_sends;
use crate::domains::webhooks::{Attempt, Delivery, DeliveryState, Replay, delivery, replay};
use crate::problem::{PageProblem, Problem};
use crate::web::ask::{Answer, Ask, go_to, html};
use crate::web::page::{Page, Section};
use crate::web::parts::{Badge, Tone};
use crate::wire::CsrfForm;
use askama::Template;
use axum::extract::Path;
use mintreu::id::WebhookDeliveryId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/webhook_delivery.html")]
struct DeliveryPage {
    page: Page,
    tabs: Vec<Tab>,
    base: String,
    back: String,
    event: String,
    id: String,
    state: Badge,
    payload: String,
    can_replay: bool,
    rows: Vec<Try>,
}

struct Try {
    number: i64,
    at: String,
    came: String,
    took: String,
    answer: String,
}

/// The form to replay carries nothing but its token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReplayForm {}

/// A state as people read it.
pub(super) fn state_name(page: &Page, state: DeliveryState) -> String {
    page.say(match state {
        DeliveryState::Waiting => "webhooks-state-waiting",
        DeliveryState::Delivered => "webhooks-state-delivered",
        DeliveryState::Failed => "webhooks-state-failed",
        DeliveryState::Skipped => "webhooks-state-skipped",
    })
}

fn badge(page: &Page, state: DeliveryState) -> Badge {
    let tone = match state {
        DeliveryState::Waiting => Tone::Wait,
        DeliveryState::Delivered => Tone::Good,
        DeliveryState::Failed => Tone::Bad,
        DeliveryState::Skipped => Tone::Plain,
    };
    Badge::new(tone, state_name(page, state))
}

/// A delivery as a row of its endpoint's page.
pub(super) fn sent(page: &Page, delivery: &Delivery) -> Sent {
    Sent {
        address: format!("/sell/webhooks/deliveries/{}", delivery.id),
        event: delivery.event.clone(),
        state: badge(page, delivery.state),
        attempts: delivery.attempts,
        at: page.format.instant(delivery.created_at),
        next: delivery
            .next_at
            .map(|at| page.format.instant(at))
            .unwrap_or_default(),
    }
}

fn delivery_id(id: &str) -> Result<WebhookDeliveryId, PageProblem> {
    let missing = |_| Problem::not_found("There is no such delivery.");
    Ok(WebhookDeliveryId::parse(id).map_err(missing)?)
}

fn row(page: &Page, attempt: &Attempt) -> Try {
    let outcome = match attempt.outcome.as_str() {
        "timed_out" => page.say("webhooks-came-timed-out"),
        "unreachable" => page.say("webhooks-came-unreachable"),
        "address_refused" => page.say("webhooks-came-refused"),
        _ => String::new(),
    };
    Try {
        number: attempt.number,
        at: page.format.instant(attempt.at),
        came: match attempt.status {
            Some(status) => page.say_one("webhooks-came-status", "status", status.to_string()),
            None => outcome,
        },
        took: page.say_one("webhooks-took", "ms", attempt.duration_ms),
        answer: attempt.answer.clone(),
    }
}

/// `GET /sell/webhooks/deliveries/{id}`.
pub async fn show(ask: Ask, Path(id): Path<String>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let id = delivery_id(&id)?;
    let found = ask.app.read(&ask.visitor.caller, id, delivery).await?;
    let (found, attempts) = found;
    let page = ask.section_page("webhooks-delivery", Section::Sell);
    html(&DeliveryPage {
        tabs: tabs(&page, At::Webhooks),
        base: format!("/sell/webhooks/deliveries/{id}"),
        back: format!("/sell/webhooks/{}", found.endpoint),
        event: found.event.clone(),
        id: found.event_id.to_string(),
        state: badge(&page, found.state),
        payload: pretty(&found.payload),
        can_replay: found.state != DeliveryState::Waiting,
        rows: attempts.iter().map(|one| row(&page, one)).collect(),
        page,
    })
}

/// The body over several lines, for people.
fn pretty(payload: &str) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(payload).ok();
    let text = value.and_then(|value| serde_json::to_string_pretty(&value).ok());
    text.unwrap_or_else(|| payload.to_owned())
}

/// `POST /sell/webhooks/deliveries/{id}`: begins it anew.
pub async fn again(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<ReplayForm>, Problem>,
) -> Answer {
    form?;
    ask.account()?;
    must_sell(&ask)?;
    let id = delivery_id(&id)?;
    limit_sends(&ask.app, &ask.visitor)?;
    let begun = ask.app.transact(&ask.visitor.caller, Replay(id), replay);
    begun.await?;
    go_to(&format!("/sell/webhooks/deliveries/{id}"))
}
