//! The sandbox's own page: what every payment could do next, how webhooks leave, and a clock that
//! can be moved. It is there only where sandbox money is taken.

use super::ask::{Answer, Ask, go_to, html};
use super::page::Page;
use super::parts::{Badge, Choice, Notice, Tone};
use crate::caller::Capability;
use crate::demo::travel;
use crate::domains::subscriptions::RENEW_JOB;
use crate::gateways::sandbox::model::{self, SessionState};
use crate::gateways::sandbox::objects::{
    Decide, FailRefund, ObjectKind, ObjectState, Raise, RefundHere, decide_dispute, fail_refund,
    raise_dispute, refund_here,
};
use crate::gateways::sandbox::ops::{Choose, SandboxError, choose};
use crate::gateways::sandbox::overview::{Told, Way, overview};
use crate::gateways::sandbox::payouts::{SendBack, send_back};
use crate::gateways::sandbox::sql::StoredSession;
use crate::gateways::sandbox::sql::objects::StoredObject;
use crate::gateways::sandbox::sql::payouts::StoredPayout;
use crate::gateways::sandbox::tell::{
    LetGo, Mode, SendAgain, Sequence, SetMode, let_go, send_again, set_mode,
};
use crate::problem::Problem;
use crate::queue;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use mintreu::Timestamp;
use serde::Deserialize;
use std::time::Duration;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long a move of the clock may keep its visitor waiting; it goes on afterwards.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Template)]
#[template(path = "sandbox.html")]
struct SandboxPage {
    page: Page,
    notice: Option<Notice>,
    clock: Option<ClockView>,
    modes: Vec<(Choice, bool)>,
    held: String,
    sequences: Vec<Choice>,
    payments: Vec<PaymentView>,
    payouts: Vec<PayoutView>,
    events: Vec<EventView>,
}

struct ClockView {
    now: String,
    ahead: String,
    /// When the next renewal is, if one is planned.
    renewal: String,
    moving: bool,
}

struct PaymentView {
    session: String,
    title: String,
    reference: String,
    amount: String,
    state: Badge,
    /// What can happen to it now.
    acts: Vec<Choice>,
    objects: Vec<ObjectView>,
}

struct ObjectView {
    object: String,
    title: String,
    amount: String,
    state: Badge,
    /// Until when its bank waits, or when it was answered.
    remark: String,
    acts: Vec<Choice>,
}

struct PayoutView {
    payout: String,
    destination: String,
    amount: String,
    when: String,
}

struct EventView {
    kind: String,
    reference: String,
    when: String,
    way: Badge,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: Option<String>,
}

/// Where sandbox money isn't taken, there is no such page.
fn allowed(ask: &Ask) -> Result<(), Problem> {
    let sandbox = ask.app.config.payments.sandbox;
    let missing = || Problem::not_found("There is no such page.");
    sandbox.then_some(()).ok_or_else(missing)
}

/// `GET /sandbox`.
pub async fn show(ask: Ask, done: Result<Query<Done>, Problem>) -> Answer {
    allowed(&ask)?;
    let Query(done) = done?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, (), overview).await;
    let found = found.map_err(Problem::from)?;
    let page = ask.form_page("sandbox-desk-title");
    let payments = found.payments.iter();
    let event = |told: &Told| event_view(&page, told);
    html(&SandboxPage {
        notice: done.done.as_deref().and_then(|done| notice(&page, done)),
        clock: clock_view(&ask, &page).await?,
        modes: modes(&page, found.mode),
        held: held(&page, found.held),
        sequences: sequences(&page),
        payments: payments
            .map(|(session, objects)| payment(&page, session, objects))
            .collect(),
        payouts: found.payouts.iter().map(|one| payout(&page, one)).collect(),
        events: found.events.iter().map(event).collect(),
        page,
    })
}

fn notice(page: &Page, done: &str) -> Option<Notice> {
    let (tone, key) = match done {
        "act" => (Tone::Good, "sandbox-done-act"),
        "moved" => (Tone::Good, "sandbox-done-moved"),
        "moving" => (Tone::Wait, "sandbox-done-moving"),
        "refused" => (Tone::Bad, "sandbox-done-refused"),
        "far" => (Tone::Bad, "sandbox-done-far"),
        _ => return None,
    };
    Some(Notice::new(tone, page.say(key)))
}

async fn clock_view(ask: &Ask, page: &Page) -> Result<Option<ClockView>, Problem> {
    let Some(clock) = &ask.app.sandbox_clock else {
        return Ok(None);
    };
    // Towards zero: a clock that lags by the machine's tick isn't a day behind.
    let days = clock.ahead_ms() / DAY_MS;
    let renewal = next_renewal(ask).await?.map(|at| page.format.instant(at));
    Ok(Some(ClockView {
        now: page.format.instant(ask.app.now()),
        ahead: page.say_one("sandbox-clock-ahead", "count", days),
        renewal: renewal.unwrap_or_default(),
        moving: clock.moving.try_lock().is_err(),
    }))
}

async fn next_renewal(ask: &Ask) -> Result<Option<Timestamp>, Problem> {
    let tenant = ask.visitor.caller.tenant;
    let look = move |tx: &mut dyn crate::store::Tx| queue::sql::next_of_kind(tx, tenant, RENEW_JOB);
    let found = ask.app.store.read(look).await;
    found.and_then(|found| found).map_err(Problem::from)
}

fn modes(page: &Page, chosen: Mode) -> Vec<(Choice, bool)> {
    let choice = |mode: Mode| {
        let text = page.say(&format!("sandbox-mode-{}", mode.code()));
        let value = mode.code().to_owned();
        (Choice { value, text }, mode == chosen)
    };
    Mode::ALL.map(choice).into()
}

fn held(page: &Page, count: usize) -> String {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match count {
        0 => String::new(),
        _ => page.say_one("sandbox-held", "count", count),
    }
}

fn choice(page: &Page, value: &str, key: &str) -> Choice {
    Choice {
        value: value.to_owned(),
        text: page.say(key),
    }
}

fn sequences(page: &Page) -> Vec<Choice> {
    vec![
        choice(page, "in_order", "sandbox-go-in-order"),
        choice(page, "reversed", "sandbox-go-reversed"),
        choice(page, "doubled", "sandbox-go-doubled"),
        choice(page, "dropped", "sandbox-go-dropped"),
    ]
}

fn payment(
    page: &Page,
    session: &StoredSession,
    objects: &[(StoredObject, Option<Timestamp>)],
) -> PaymentView {
    let (tone, key) = match session.state {
        SessionState::Open => (Tone::Wait, "sandbox-open"),
        SessionState::Challenge => (Tone::Wait, "sandbox-challenged"),
        SessionState::Succeeded => (Tone::Good, "sandbox-succeeded"),
        SessionState::Failed => (Tone::Bad, "sandbox-failed"),
    };
    let disputed = objects
        .iter()
        .any(|(one, _)| one.kind == ObjectKind::Dispute);
    PaymentView {
        session: session.session.clone(),
        title: session.description.clone(),
        reference: session.reference.clone(),
        amount: page.format.money(session.amount),
        state: Badge::new(tone, page.say(key)),
        acts: acts(page, session.state, disputed),
        objects: objects
            .iter()
            .map(|(one, answered)| object(page, (one, *answered)))
            .collect(),
    }
}

fn acts(page: &Page, state: SessionState, disputed: bool) -> Vec<Choice> {
    match state {
        SessionState::Open => {
            let card = |(card, _): (model::Choice, &str)| {
                let key = format!("sandbox-card-{}", card.code().replace('_', "-"));
                choice(page, &format!("pay:{}", card.code()), &key)
            };
            model::Choice::CARDS.into_iter().map(card).collect()
        }
        SessionState::Challenge => vec![
            choice(page, "pay:confirm", "sandbox-act-confirm"),
            choice(page, "pay:reject", "sandbox-act-reject"),
        ],
        SessionState::Succeeded => {
            let mut acts = vec![choice(page, "refund", "sandbox-act-refund")];
            if !disputed {
                acts.push(choice(page, "raise:warned", "sandbox-act-warn"));
                acts.push(choice(page, "raise:inquired", "sandbox-act-inquire"));
                acts.push(choice(page, "raise:opened", "sandbox-act-open"));
            }
            acts.push(choice(page, "again", "sandbox-act-again"));
            acts
        }
        SessionState::Failed => vec![choice(page, "again", "sandbox-act-again")],
    }
}

/// What became of the bank's question.
fn remark(page: &Page, object: &StoredObject, answered: Option<Timestamp>) -> String {
    let (key, at) = match (answered, object.evidence_due_at) {
        (Some(at), _) => ("evidence-sandbox-taken", at),
        (None, Some(at)) => ("evidence-sandbox-due", at),
        (None, None) => return String::new(),
    };
    page.say_one(key, "when", page.format.instant(at))
}

fn object(page: &Page, (object, answered): (&StoredObject, Option<Timestamp>)) -> ObjectView {
    use ObjectState as S;
    let tone = match object.state {
        S::Succeeded | S::Won => Tone::Good,
        S::Failed | S::Opened | S::Lost => Tone::Bad,
        S::Pending | S::Warned | S::Inquired => Tone::Wait,
    };
    let title = match object.kind {
        ObjectKind::Refund => "sandbox-refund",
        ObjectKind::Dispute => "sandbox-dispute",
    };
    let acts = match (object.kind, object.state) {
        (ObjectKind::Refund, S::Pending | S::Succeeded) => {
            vec![choice(page, "fail", "sandbox-act-fail")]
        }
        (ObjectKind::Dispute, S::Warned) => vec![
            choice(page, "decide:inquired", "sandbox-act-inquire"),
            choice(page, "decide:opened", "sandbox-act-open"),
        ],
        (ObjectKind::Dispute, S::Inquired) => vec![
            choice(page, "decide:opened", "sandbox-act-open"),
            choice(page, "decide:won", "sandbox-act-won"),
        ],
        (ObjectKind::Dispute, S::Opened) => vec![
            choice(page, "decide:won", "sandbox-act-won"),
            choice(page, "decide:lost", "sandbox-act-lost"),
        ],
        _ => Vec::new(),
    };
    ObjectView {
        object: object.object.clone(),
        title: page.say(title),
        amount: page.format.money(object.amount),
        state: Badge::new(
            tone,
            page.say(&format!("sandbox-state-{}", object.state.code())),
        ),
        remark: remark(page, object, answered),
        acts,
    }
}

fn payout(page: &Page, payout: &StoredPayout) -> PayoutView {
    PayoutView {
        payout: payout.payout.clone(),
        destination: payout.destination.clone(),
        amount: page.format.money(payout.amount),
        when: page.format.instant(payout.created_at),
    }
}

fn event_view(page: &Page, told: &Told) -> EventView {
    let (tone, text) = match told.way {
        Way::Gone => (Tone::Plain, page.say("sandbox-way-gone")),
        Way::Held => (Tone::Wait, page.say("sandbox-way-held")),
        Way::Leaves(at, 0) => {
            let at = page.format.instant(at);
            (Tone::Wait, page.say_one("sandbox-way-leaves", "when", at))
        }
        Way::Leaves(_, tries) => (Tone::Bad, page.say_one("sandbox-way-tried", "count", tries)),
    };
    EventView {
        kind: told.kind.clone(),
        reference: told.reference.clone(),
        when: page.format.instant(told.at),
        way: Badge::new(tone, text),
    }
}

/// What the forms send: an act, and what it is done to.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    act: String,
    session: String,
    object: String,
    payout: String,
}

/// `POST /sandbox`: lets something happen at the provider.
pub async fn act(ask: Ask, form: Result<CsrfForm<ActForm>, Problem>) -> Answer {
    allowed(&ask)?;
    let CsrfForm(form) = form?;
    match carry_out(&ask, form).await {
        Ok(()) => go_to("/sandbox?done=act"),
        Err(SandboxError::Refused(_)) => go_to("/sandbox?done=refused"),
        Err(error) => Err(Problem::from(error).into()),
    }
}

async fn carry_out(ask: &Ask, form: ActForm) -> Result<(), SandboxError> {
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let (session, object) = (form.session, form.object);
    let (what, how) = form.act.split_once(':').unwrap_or((&form.act, ""));
    match what {
        "pay" => {
            let choice = card(how).ok_or(SandboxError::NotFound)?;
            let command = Choose {
                session,
                choice,
                country: None,
            };
            app.transact(caller, command, choose).await.map(drop)
        }
        "refund" => {
            let command = RefundHere {
                session,
                amount_minor: None,
            };
            app.transact(caller, command, refund_here).await.map(drop)
        }
        "raise" => {
            let state = ObjectState::parse(how).ok_or(SandboxError::NotFound)?;
            let command = Raise { session, state };
            app.transact(caller, command, raise_dispute).await.map(drop)
        }
        "decide" => {
            let state = ObjectState::parse(how).ok_or(SandboxError::NotFound)?;
            let command = Decide { object, state };
            app.transact(caller, command, decide_dispute)
                .await
                .map(drop)
        }
        "fail" => {
            let command = FailRefund { object };
            app.transact(caller, command, fail_refund).await.map(drop)
        }
        "again" => {
            app.transact(caller, SendAgain { session }, send_again)
                .await
        }
        "payout" => {
            let command = SendBack {
                payout: form.payout,
                reversed: how == "reversed",
            };
            app.transact(caller, command, send_back).await
        }
        "mode" => {
            let mode = Mode::parse(how).ok_or(SandboxError::NotFound)?;
            app.transact(caller, SetMode { mode }, set_mode).await
        }
        "go" => {
            let sequence = sequence(how).ok_or(SandboxError::NotFound)?;
            let command = LetGo { sequence };
            app.transact(caller, command, let_go).await.map(drop)
        }
        _ => Err(SandboxError::NotFound),
    }
}

fn card(code: &str) -> Option<model::Choice> {
    let cards = model::Choice::CARDS.map(|(card, _)| card);
    let answers = [model::Choice::Confirm, model::Choice::Reject];
    let mut all = cards.into_iter().chain(answers);
    all.find(|choice| choice.code() == code)
}

fn sequence(code: &str) -> Option<Sequence> {
    Some(match code {
        "in_order" => Sequence::InOrder,
        "reversed" => Sequence::Reversed,
        "doubled" => Sequence::Doubled,
        "dropped" => Sequence::Dropped,
        _ => return None,
    })
}

/// How far the clock is moved.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MoveForm {
    to: String,
}

/// `POST /sandbox/clock`: lets time go by.
pub async fn move_clock(ask: Ask, form: Result<CsrfForm<MoveForm>, Problem>) -> Answer {
    allowed(&ask)?;
    let CsrfForm(form) = form?;
    let missing = || Problem::not_found("There is no such page.");
    if ask.app.sandbox_clock.is_none() || !ask.visitor.caller.may(Capability::Browse) {
        return Err(missing().into());
    }
    let now = ask.app.now();
    let to = match form.to.as_str() {
        "day" => now.plus_ms(DAY_MS),
        "week" => now.plus_ms(7 * DAY_MS),
        "month" => now.plus_ms(30 * DAY_MS),
        "renewal" => next_renewal(&ask).await?.unwrap_or(now).plus_ms(60_000),
        _ => return Err(missing().into()),
    };
    let (app, tenant) = (ask.app.clone(), ask.visitor.caller.tenant);
    let moving = tokio::spawn(async move { travel(&app, tenant, to).await });
    match tokio::time::timeout(PATIENCE, moving).await {
        Err(_) => go_to("/sandbox?done=moving"),
        Ok(Ok(Ok(()))) => go_to("/sandbox?done=moved"),
        Ok(Ok(Err(SandboxError::Refused("clock_moving")))) => go_to("/sandbox?done=moving"),
        Ok(Ok(Err(SandboxError::Refused(_)))) => go_to("/sandbox?done=far"),
        Ok(Ok(Err(error))) => Err(Problem::from(error).into()),
        Ok(Err(_)) => Err(Problem::internal().into()),
    }
}
