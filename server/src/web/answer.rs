//! What a bank that asks is answered: the same page for the seller of an order and for the owner.

use super::ask::{Answer as Drawn, Ask, go_to, html, refused};
use super::owner;
use super::page::{Page, Section};
use super::parts::{Badge, Crumbs, Field, Notice, Tone};
use super::sell::sale::dispute_badge;
use super::sell::{self, Tab};
use crate::domains::answers::{
    AnswerAny, AnswerDispute, AnswerError, AnswerState, AnswerView, MAX_TEXT, Step, Texts, Wanted,
    answer, answer_any, view_answer,
};
use crate::domains::refunds::{Dispute, DisputeState};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::id::DisputeId;
use serde::Deserialize;

/// At whose desk the page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Desk {
    Seller,
    Owner,
}

#[derive(Template)]
#[template(path = "sell/answer.html")]
struct AnswerPage {
    page: Page,
    tabs: Vec<Tab>,
    crumbs: Crumbs,
    state: Badge,
    notices: Vec<Notice>,
    /// Where the answer stands, and what comes next.
    means: String,
    due: String,
    facts: Vec<(String, String)>,
    /// What the house knows: about what, and a fact a line.
    known: Vec<(String, Vec<String>)>,
    action: String,
    seen: &'static str,
    /// Nothing, when it can't be written any more.
    fields: Vec<Field>,
    can_submit: bool,
    can_accept: bool,
    accept_wrong: bool,
    /// What was written, when it can't be written any more.
    written: Vec<(String, String)>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnswerForm {
    product_description: String,
    refund_policy: String,
    customer_communication: String,
    statement: String,
    seen: String,
    /// `save`, `submit` or `accept`.
    step: String,
    /// `on` when it is meant to be given up.
    sure: String,
}

impl AnswerForm {
    fn texts(&self) -> Texts {
        Texts {
            product_description: self.product_description.clone(),
            refund_policy: self.refund_policy.clone(),
            customer_communication: self.customer_communication.clone(),
            statement: self.statement.clone(),
        }
    }
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: String,
}

/// `GET /sell/disputes/{id}`.
pub async fn sell_show(
    ask: Ask,
    id: Result<PathParam<DisputeId>, Problem>,
    done: Result<Query<Done>, Problem>,
) -> Drawn {
    ask.account()?;
    sell::must_sell(&ask)?;
    show(&ask, Desk::Seller, id?.0, &done?.0.done).await
}

/// `POST /sell/disputes/{id}`.
pub async fn sell_act(
    ask: Ask,
    id: Result<PathParam<DisputeId>, Problem>,
    form: Result<CsrfForm<AnswerForm>, Problem>,
) -> Drawn {
    let CsrfForm(form) = form?;
    ask.account()?;
    sell::must_sell(&ask)?;
    act(&ask, Desk::Seller, id?.0, &form).await
}

/// `GET /owner/disputes/{id}/answer`.
pub async fn owner_show(
    ask: Ask,
    id: Result<PathParam<DisputeId>, Problem>,
    done: Result<Query<Done>, Problem>,
) -> Drawn {
    owner::must_own(&ask)?;
    show(&ask, Desk::Owner, id?.0, &done?.0.done).await
}

/// `POST /owner/disputes/{id}/answer`.
pub async fn owner_act(
    ask: Ask,
    id: Result<PathParam<DisputeId>, Problem>,
    form: Result<CsrfForm<AnswerForm>, Problem>,
) -> Drawn {
    let CsrfForm(form) = form?;
    owner::must_own(&ask)?;
    act(&ask, Desk::Owner, id?.0, &form).await
}

async fn find(ask: &Ask, id: DisputeId) -> Result<AnswerView, PageProblem> {
    let found = ask.app.read(&ask.visitor.caller, id, view_answer).await;
    Ok(found.map_err(Problem::from)?)
}

async fn show(ask: &Ask, desk: Desk, id: DisputeId, done: &str) -> Drawn {
    let found = find(ask, id).await?;
    let texts = found.answer.as_ref().map(|one| one.texts.clone());
    let mut drawn = AnswerPage::new(ask, desk, &found, (&texts.unwrap_or_default(), None));
    let said = match done {
        "save" => Some("evidence-done-save"),
        "submit" => Some("evidence-done-submit"),
        "accept" => Some("evidence-done-accept"),
        _ => None,
    };
    let said = said.map(|key| Notice::new(Tone::Good, drawn.page.say(key)));
    drawn.notices.extend(said);
    html(&drawn)
}

/// A field and what is wrong with it; `form` for all of it.
type Mistake = (&'static str, String);

async fn act(ask: &Ask, desk: Desk, id: DisputeId, form: &AnswerForm) -> Drawn {
    let page = ask.page("evidence-title");
    let step = match form.step.as_str() {
        "submit" => Step::Submit,
        "accept" => Step::Accept,
        _ => Step::Save,
    };
    let mistake = if step == Step::Accept && form.sure != "on" {
        ("sure", page.say("evidence-accept-sure-missing"))
    } else {
        let wanted = Wanted {
            dispute: id,
            step,
            texts: (step != Step::Accept).then(|| form.texts()),
            seen: DisputeState::parse(&form.seen),
        };
        match carry_out(ask, desk, wanted).await {
            Ok(_) => return go_to(&format!("{}?done={}", address(desk, id), step_name(step))),
            Err(error) => mistake_of(&page, error)?,
        }
    };
    let found = find(ask, id).await?;
    // What was typed is kept, except by the button that sends none of it.
    let texts = match step {
        Step::Accept => found.answer.as_ref().map(|one| one.texts.clone()),
        _ => Some(form.texts()),
    };
    let texts = texts.unwrap_or_default();
    let drawn = AnswerPage::new(ask, desk, &found, (&texts, Some(mistake)));
    refused(422, &drawn)
}

const fn step_name(step: Step) -> &'static str {
    match step {
        Step::Save => "save",
        Step::Submit => "submit",
        Step::Accept => "accept",
    }
}

async fn carry_out(ask: &Ask, desk: Desk, wanted: Wanted) -> Result<AnswerState, AnswerError> {
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    match desk {
        Desk::Seller => app.transact(caller, AnswerDispute(wanted), answer).await,
        Desk::Owner => app.transact(caller, AnswerAny(wanted), answer_any).await,
    }
}

fn mistake_of(page: &Page, error: AnswerError) -> Result<Mistake, Problem> {
    Ok(match error {
        AnswerError::Text(field) => {
            let most = i64::try_from(MAX_TEXT).unwrap_or(i64::MAX);
            (field, page.say_one("evidence-text-long", "most", most))
        }
        AnswerError::Given(_) => ("form", page.say("evidence-given")),
        AnswerError::Moved(_) => ("form", page.say("evidence-moved")),
        AnswerError::Late(_) => ("form", page.say("evidence-late")),
        other => return Err(other.into()),
    })
}

fn address(desk: Desk, id: DisputeId) -> String {
    match desk {
        Desk::Seller => format!("/sell/disputes/{id}"),
        Desk::Owner => format!("/owner/disputes/{id}/answer"),
    }
}

impl AnswerPage {
    fn new(
        ask: &Ask,
        desk: Desk,
        found: &AnswerView,
        (texts, mistake): (&Texts, Option<Mistake>),
    ) -> Self {
        let section = match desk {
            Desk::Seller => Section::Sell,
            Desk::Owner => Section::Owner,
        };
        let page = ask.section_page("evidence-title", section);
        let mut notices = Vec::new();
        if let Some((_, text)) = mistake.as_ref().filter(|(at, _)| *at == "form") {
            notices.push(Notice::new(Tone::Bad, text.clone()));
        }
        let (tabs, steps) = around(&page, desk, found);
        let writable = found.asked.can_submit;
        let answer = found.answer.as_ref().map(|answer| answer.state);
        Self {
            tabs,
            crumbs: page.crumbs(steps, &page.say("evidence-title")),
            state: dispute_badge(&page, found.dispute.state),
            notices,
            means: means(&page, found),
            due: due_text(&page, (&found.dispute, answer), found.asked.days_left),
            facts: facts(&page, found),
            known: known(&page, found),
            action: address(desk, found.dispute.id),
            seen: found.dispute.state.code(),
            fields: match writable {
                true => fields(&page, texts, mistake.as_ref()),
                false => Vec::new(),
            },
            can_submit: writable,
            can_accept: found.asked.can_accept,
            accept_wrong: mistake.is_some_and(|(at, _)| at == "sure"),
            written: match writable {
                true => Vec::new(),
                false => written(&page, found),
            },
            page,
        }
    }
}

fn around(page: &Page, desk: Desk, found: &AnswerView) -> (Vec<Tab>, Vec<(String, String)>) {
    match desk {
        Desk::Seller => {
            let sale = match (found.line, found.dispute.of) {
                (None, of) => format!("/invoices/{of}"),
                (Some(line), _) => format!("/sell/sales/{line}"),
            };
            let steps = vec![
                (page.say("sell-sales"), "/sell/sales".to_owned()),
                (found.title.clone(), sale),
            ];
            (sell::tabs(page, sell::At::Sales), steps)
        }
        Desk::Owner => {
            let dispute = found.dispute.id.to_string();
            let at = format!("/owner/disputes/{dispute}");
            let steps = vec![
                (page.say("owner-disputes"), "/owner/disputes".to_owned()),
                (dispute, at),
            ];
            (owner::tabs(page, owner::At::Disputes), steps)
        }
    }
}

/// Until when the bank waits, in words; empty when it doesn't, or was answered.
pub(super) fn due_text(
    page: &Page,
    (dispute, answer): (&Dispute, Option<AnswerState>),
    days_left: Option<i64>,
) -> String {
    let awaited = dispute.state.is_open() && answer.is_none_or(AnswerState::is_awaited);
    let due = dispute
        .evidence_due_at
        .filter(|_| awaited)
        .map(|at| page.format.instant(at));
    match (due, days_left) {
        (Some(due), Some(days)) => {
            let values = [("when", due.into()), ("count", days.into())];
            page.words.say_with("evidence-due", values)
        }
        (Some(due), None) => page.say_one("evidence-was-due", "when", due),
        (None, _) => String::new(),
    }
}

/// Where an answer stands, as a badge.
pub(super) fn answer_badge(page: &Page, state: AnswerState) -> Badge {
    let tone = match state {
        AnswerState::Draft | AnswerState::Sending | AnswerState::Accepting => Tone::Wait,
        AnswerState::Sent => Tone::Good,
        AnswerState::Accepted => Tone::Plain,
        AnswerState::Refused => Tone::Bad,
    };
    Badge::new(tone, page.say(&format!("evidence-state-{}", state.code())))
}

fn means(page: &Page, found: &AnswerView) -> String {
    let Some(answer) = &found.answer else {
        return page.say("evidence-never");
    };
    match (answer.state, found.dispute.state) {
        (AnswerState::Draft, state) if !state.is_open() => page.say("evidence-unanswered"),
        (AnswerState::Draft, DisputeState::Inquiry) => page.say("evidence-asks-inquiry"),
        (AnswerState::Draft, _) => page.say("evidence-asks-chargeback"),
        (AnswerState::Sent, _) if answer.by_default => page.say("evidence-means-default"),
        (state, _) => page.say(&format!("evidence-means-{}", state.code())),
    }
}

fn facts(page: &Page, found: &AnswerView) -> Vec<(String, String)> {
    let dispute = &found.dispute;
    let mut facts = vec![
        (page.say("bank-amount"), page.format.money(dispute.amount)),
        (
            page.say("bank-opened"),
            page.format.instant(dispute.opened_at),
        ),
    ];
    let reason = dispute.reason.clone();
    facts.extend(reason.map(|why| (page.say("bank-reason"), why)));
    let answer = found.answer.as_ref();
    let handed_in = answer.and_then(|one| one.answered_at);
    let handed_in = handed_in.map(|at| page.format.instant(at));
    facts.extend(handed_in.map(|at| (page.say("evidence-answered-at"), at)));
    let failure = answer.and_then(|one| one.failure_code.clone());
    facts.extend(failure.map(|code| (page.say("evidence-failure"), code)));
    facts
}

fn known(page: &Page, found: &AnswerView) -> Vec<(String, Vec<String>)> {
    let about = |one: &crate::domains::answers::Known| {
        let lines = one.text.lines().map(str::to_owned).collect();
        (page.say(&format!("evidence-known-{}", one.about)), lines)
    };
    found.known.iter().map(about).collect()
}

/// The texts with their labels and hints.
fn labelled<'t>(page: &Page, texts: &'t Texts) -> [(&'static str, String, String, &'t str); 4] {
    [
        (
            "product_description",
            page.say("evidence-product"),
            page.say("evidence-product-hint"),
            &texts.product_description,
        ),
        (
            "refund_policy",
            page.say("evidence-policy"),
            page.say("evidence-policy-hint"),
            &texts.refund_policy,
        ),
        (
            "customer_communication",
            page.say("evidence-communication"),
            page.say("evidence-communication-hint"),
            &texts.customer_communication,
        ),
        (
            "statement",
            page.say("evidence-statement"),
            page.say("evidence-statement-hint"),
            &texts.statement,
        ),
    ]
}

fn fields(page: &Page, texts: &Texts, mistake: Option<&Mistake>) -> Vec<Field> {
    let most = u32::try_from(MAX_TEXT).unwrap_or(u32::MAX);
    let field = |(name, label, hint, value): (&'static str, String, String, &str)| {
        let wrong = mistake.filter(|(at, _)| *at == name);
        Field::area(name, label)
            .hint(hint)
            .value(value)
            .error(wrong.map(|(_, text)| text.clone()))
            .full()
            .max_length(most)
    };
    labelled(page, texts).map(field).into()
}

fn written(page: &Page, found: &AnswerView) -> Vec<(String, String)> {
    let texts = found.answer.as_ref().map(|one| one.texts.clone());
    let texts = texts.unwrap_or_default();
    let said = labelled(page, &texts).into_iter();
    said.filter(|(_, _, _, text)| !text.is_empty())
        .map(|(_, label, _, text)| (label, text.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::answers::Known;
    use crate::text::{Locale, Translator};

    #[test]
    fn every_state_and_kind_of_knowledge_has_its_sentence() {
        let english = Translator::of(Locale::English);
        let states = AnswerState::ALL.map(|state| format!("evidence-state-{}", state.code()));
        let known = Known::ABOUT.map(|about| format!("evidence-known-{about}"));
        let given = AnswerState::ALL.into_iter();
        let given = given.filter(|state| *state != AnswerState::Draft);
        let means = given.map(|state| format!("evidence-means-{}", state.code()));
        for key in states.into_iter().chain(known).chain(means) {
            assert_ne!(english.say(&key), key);
        }
    }
}
