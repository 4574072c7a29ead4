//! The queue of disputes: what waits, how long, and one decision a page.

use super::super::answer::{answer_badge, due_text};
use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Crumbs, Field, Tone};
use super::super::sell::Tab;
use super::{At, DAY_MS, Link, must_own, tabs};
use crate::domains::answers::{AnswerState, answers_of, days_left};
use crate::domains::refunds::{
    Decide, Decided, Decision, Dispute, DisputeState, QueueQuery, Queued, RefundError, decide,
    dispute_queue, queued,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::Timestamp;
use mintreu::id::DisputeId;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "owner/disputes.html")]
struct DisputesPage {
    page: Page,
    tabs: Vec<Tab>,
    all: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    address: String,
    age: String,
    state: Badge,
    reason: String,
    /// Until when the bank waits; empty when it doesn't.
    due: String,
    /// Where its answer stands, if there is one.
    answer: Option<Badge>,
    amount: String,
}

/// Which disputes, and where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    which: String,
    after: Option<String>,
}

/// `GET /owner/disputes`: what waits, the oldest first; `?which=all` for all, the newest first.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(which) = which?;
    let missing = |_| Problem::not_found("There is no such dispute.");
    let after = which.after.as_deref().map(DisputeId::parse);
    let after = after.transpose().map_err(missing)?;
    let all = which.which == "all";
    let query = QueueQuery { all, after };
    let found = ask
        .app
        .read(&ask.visitor.caller, query, dispute_queue)
        .await;
    let found = found.map_err(Problem::from)?;
    let ids: Vec<_> = found.disputes.iter().map(|one| one.id).collect();
    let answers = ask.app.read(&ask.visitor.caller, ids, answers_of).await;
    let answers = answers.map_err(Problem::from)?;
    let page = ask.section_page("owner-disputes", Section::Owner);
    let which = if all { "all" } else { "waiting" };
    let now = ask.app.now();
    html(&DisputesPage {
        tabs: tabs(&page, At::Disputes),
        all,
        rows: found
            .disputes
            .iter()
            .zip(answers)
            .map(|(one, answer)| row(&page, (one, answer), now))
            .collect(),
        next: found
            .next
            .map(|next| format!("/owner/disputes?which={which}&after={next}")),
        page,
    })
}

fn row(page: &Page, (one, answer): (&Dispute, Option<AnswerState>), now: Timestamp) -> Row {
    Row {
        address: format!("/owner/disputes/{}", one.id),
        age: age(page, one, now),
        state: badge(page, one.state),
        reason: one.reason.clone().unwrap_or_default(),
        due: due_text(page, (one, answer), days_left(one, now)),
        answer: answer.map(|state| answer_badge(page, state)),
        amount: page.format.money(one.amount),
    }
}

/// For how many days it has been open, or was.
fn age(page: &Page, one: &Dispute, now: Timestamp) -> String {
    let until = one.closed_at.unwrap_or(now);
    let days = until.since_ms(one.opened_at).div_euclid(DAY_MS);
    page.say_one("owner-age", "count", days)
}

fn badge(page: &Page, state: DisputeState) -> Badge {
    let tone = match state {
        DisputeState::Warning | DisputeState::Inquiry => Tone::Wait,
        DisputeState::Chargeback | DisputeState::Lost => Tone::Bad,
        DisputeState::Won | DisputeState::Prevented => Tone::Good,
    };
    Badge::new(tone, page.say(&format!("dispute-at-{}", state.code())))
}

#[derive(Template)]
#[template(path = "owner/dispute.html")]
struct DisputePage {
    page: Page,
    crumbs: Crumbs,
    id: String,
    state: Badge,
    state_text: String,
    /// Until when the bank waits; empty when it doesn't.
    due: String,
    amount: String,
    facts: Vec<(String, String)>,
    order: Link,
    decided: Vec<[String; 4]>,
    /// Nothing, when there is nothing to decide.
    fields: Vec<Field>,
    seen: &'static str,
    next: Option<String>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DecideForm {
    seen: String,
    decision: String,
    reason: String,
}

/// `GET /owner/disputes/{id}`.
pub async fn show(ask: Ask, id: Result<PathParam<DisputeId>, Problem>) -> Answer {
    must_own(&ask)?;
    let PathParam(id) = id?;
    let drawn = draw(&ask, id, &DecideForm::default(), None).await?;
    html(&drawn)
}

type Mistake = (&'static str, String);

async fn draw(
    ask: &Ask,
    id: DisputeId,
    form: &DecideForm,
    mistake: Option<Mistake>,
) -> Result<DisputePage, PageProblem> {
    let found = ask.app.read(&ask.visitor.caller, id, queued).await;
    let found = found.map_err(Problem::from)?;
    let answers = ask
        .app
        .read(&ask.visitor.caller, vec![id], answers_of)
        .await;
    let answer = answers.map_err(Problem::from)?.pop().flatten();
    let page = ask.section_page("owner-dispute", Section::Owner);
    let one = &found.dispute;
    let steps = vec![(page.say("owner-disputes"), "/owner/disputes".to_owned())];
    let mut facts = vec![
        (
            page.say("owner-dispute-age"),
            age(&page, one, ask.app.now()),
        ),
        (
            page.say("owner-dispute-opened"),
            page.format.instant(one.opened_at),
        ),
        (page.say("owner-dispute-provider"), one.provider.clone()),
        (page.say("owner-dispute-name"), one.provider_dispute.clone()),
    ];
    let reason = one.reason.clone();
    facts.extend(reason.map(|reason| (page.say("owner-dispute-reason"), reason)));
    Ok(DisputePage {
        crumbs: page.crumbs(steps, &one.id.to_string()),
        id: one.id.to_string(),
        state: badge(&page, one.state),
        state_text: page.say(&format!("dispute-means-{}", one.state.code())),
        due: due_text(&page, (one, answer), days_left(one, ask.app.now())),
        amount: page.format.money(one.amount),
        facts,
        order: Link {
            text: one.of.to_string(),
            address: format!("/owner/ledger/entries?of={}", one.of),
        },
        decided: found
            .decided
            .iter()
            .map(|one| decided(&page, one))
            .collect(),
        fields: fields(&page, &found, form, mistake),
        seen: one.state.code(),
        next: found.next.map(|next| format!("/owner/disputes/{next}")),
        page,
    })
}

fn decided(page: &Page, one: &Decided) -> [String; 4] {
    [
        page.format.instant(one.at),
        page.say(&format!("dispute-at-{}", one.state.code())),
        page.say(&format!("decision-{}", one.decision.code())),
        one.reason.clone(),
    ]
}

fn fields(page: &Page, found: &Queued, form: &DecideForm, mistake: Option<Mistake>) -> Vec<Field> {
    let offered = Decision::of(found.dispute.state);
    if offered.is_empty() {
        return Vec::new();
    }
    let wrong = |field: &str| {
        let found = mistake.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let choice = |one: &Decision| Choice {
        value: one.code().to_owned(),
        text: page.say(&format!("decision-{}", one.code())),
    };
    let choices = offered.iter().map(choice).collect();
    vec![
        Field::select("decision", page.say("owner-decision"), choices)
            .value(&form.decision)
            .error(wrong("decision")),
        Field::area("reason", page.say("owner-reason"))
            .hint(page.say("owner-reason-hint"))
            .value(&form.reason)
            .error(wrong("reason"))
            .required()
            .max_length(500),
    ]
}

/// `POST /owner/disputes/{id}`: keeps the decision and goes on to the next one that waits.
pub async fn decide_one(
    ask: Ask,
    id: Result<PathParam<DisputeId>, Problem>,
    form: Result<CsrfForm<DecideForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let PathParam(id) = id?;
    let page = ask.page("owner-dispute");
    let read = DisputeState::parse(&form.seen).zip(Decision::parse(&form.decision));
    let mistake = match read {
        None => ("decision", page.say("owner-wrong-decision")),
        Some((seen, decision)) => {
            let command = Decide {
                dispute: id,
                seen,
                decision,
                reason: form.reason.clone(),
            };
            match ask.app.transact(&ask.visitor.caller, command, decide).await {
                Ok(()) => return next(&ask, id).await,
                Err(RefundError::Reason) => ("reason", page.say("owner-wrong-reason")),
                Err(RefundError::DisputeMoved(_)) => ("decision", page.say("owner-wrong-moved")),
                Err(RefundError::Disputed | RefundError::OutOfRange { .. }) => {
                    ("decision", page.say("owner-wrong-refund"))
                }
                Err(other) => return Err(Problem::from(other).into()),
            }
        }
    };
    let drawn = draw(&ask, id, &form, Some(mistake)).await?;
    refused(422, &drawn)
}

async fn next(ask: &Ask, id: DisputeId) -> Answer {
    let found = ask.app.read(&ask.visitor.caller, id, queued).await;
    let found = found.map_err(Problem::from)?;
    match found.next {
        Some(next) => go_to(&format!("/owner/disputes/{next}")),
        None => go_to("/owner/disputes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Locale, Translator};

    #[test]
    fn every_state_and_decision_has_its_sentence() {
        let english = Translator::of(Locale::English);
        let states = DisputeState::ALL.map(|state| format!("dispute-at-{}", state.code()));
        let means = DisputeState::ALL.map(|state| format!("dispute-means-{}", state.code()));
        let decisions = Decision::ALL.map(|one| format!("decision-{}", one.code()));
        for key in states.into_iter().chain(means).chain(decisions) {
            assert_ne!(english.say(&key), key);
        }
    }
}
