//! Payout runs: what the next one would do, starting one, and what each did.

use super::super::ask::{Answer, Ask, go_to, html};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Crumbs, Notice, Tone};
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::payouts::{
    PayAgain, Payees, Payout, PayoutError, PayoutQuery, PreviewLine, PreviewQuery, RetryPayout,
    Run, RunQuery, RunView, StartRun, State, Verdict, list_runs, pay_again, payees, payout,
    preview, retry_payout, run, start_run,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::id::{AccountId, PayoutId, PayoutRunId};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "owner/payouts.html")]
struct PayoutsPage {
    page: Page,
    tabs: Vec<Tab>,
    lines: Vec<Line>,
    more: bool,
    pays: bool,
    runs: Vec<RunRow>,
    next: Option<String>,
}

/// What a run does, or did, for a seller.
struct Line {
    seller: String,
    balance: String,
    amount: String,
    state: Badge,
    note: String,
    /// Where a payout that is under way is asked for again.
    retry: Option<String>,
    /// Where one that didn't arrive is paid again.
    again: Option<String>,
}

struct RunRow {
    address: String,
    started: String,
    cut_off: String,
    by: String,
    state: Badge,
}

/// Where the list of runs goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

type Names = BTreeMap<AccountId, String>;

async fn names(ask: &Ask, accounts: Vec<AccountId>) -> Result<Names, PageProblem> {
    let query = Payees { accounts };
    let found = ask.app.read(&ask.visitor.caller, query, payees).await;
    Ok(found.map_err(Problem::from)?)
}

fn name_of(names: &Names, seller: AccountId) -> String {
    let known = names.get(&seller).cloned();
    known.unwrap_or_else(|| seller.to_string())
}

/// `GET /owner/payouts`.
pub async fn list(ask: Ask, after: Result<Query<After>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(after) = after?;
    let missing = |_| Problem::not_found("There is no such run.");
    let before = after.after.as_deref().map(PayoutRunId::parse);
    let before = before.transpose().map_err(missing)?;
    let caller = &ask.visitor.caller;
    let query = PreviewQuery { after: None };
    let (lines, more) = ask
        .app
        .read(caller, query, preview)
        .await
        .map_err(Problem::from)?;
    let runs = ask.app.read(caller, before, list_runs).await;
    let runs = runs.map_err(Problem::from)?;
    let sellers = lines.iter().map(|line| line.candidate.seller).collect();
    let names = names(&ask, sellers).await?;
    let page = ask.section_page("owner-payouts", Section::Owner);
    let next = runs.last().filter(|_| runs.len() >= 100);
    html(&PayoutsPage {
        tabs: tabs(&page, At::Payouts),
        pays: lines
            .iter()
            .any(|line| matches!(line.verdict, Verdict::Pay(..))),
        lines: lines
            .iter()
            .map(|line| preview_line(&page, &names, line))
            .collect(),
        more: more.is_some(),
        next: next.map(|last| format!("/owner/payouts?after={}", last.id)),
        runs: runs.iter().map(|run| run_row(&page, run)).collect(),
        page,
    })
}

fn preview_line(page: &Page, names: &Names, line: &PreviewLine) -> Line {
    let (amount, state, note) = match &line.verdict {
        Verdict::Pay(amount, _) => (
            page.format.money(*amount),
            Badge::new(Tone::Good, page.say("owner-would-pay")),
            String::new(),
        ),
        Verdict::Skip(reason) => (
            String::new(),
            Badge::new(Tone::Wait, page.say("owner-would-skip")),
            page.say(&format!("payout-skip-{}", reason.code())),
        ),
        Verdict::Nothing => (
            String::new(),
            Badge::new(Tone::Plain, page.say("owner-would-skip")),
            String::new(),
        ),
    };
    Line {
        seller: name_of(names, line.candidate.seller),
        balance: page.format.money(line.balance),
        amount,
        state,
        note,
        retry: None,
        again: None,
    }
}

fn run_row(page: &Page, run: &Run) -> RunRow {
    let state = match run.finished_at {
        Some(_) => Badge::new(Tone::Good, page.say("owner-run-finished")),
        None => Badge::new(Tone::Wait, page.say("owner-run-running")),
    };
    RunRow {
        address: format!("/owner/payouts/{}", run.id),
        started: page.format.instant(run.started_at),
        cut_off: page.format.instant(run.cut_off),
        by: match run.started_by {
            Some(by) => by.to_string(),
            None => page.say("owner-run-weekly"),
        },
        state,
    }
}

/// A form without fields of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pressed {}

/// `POST /owner/payouts/start`: a run of all that is releasable now.
pub async fn start(ask: Ask, form: Result<CsrfForm<Pressed>, Problem>) -> Answer {
    let CsrfForm(_) = form?;
    must_own(&ask)?;
    let started = ask.app.transact(&ask.visitor.caller, StartRun, start_run);
    let id = started.await.map_err(Problem::from)?;
    go_to(&format!("/owner/payouts/{id}"))
}

#[derive(Template)]
#[template(path = "owner/run.html")]
struct RunPage {
    page: Page,
    crumbs: Crumbs,
    run: RunRow,
    notice: Option<Notice>,
    paid: Vec<Line>,
    skipped: Vec<Line>,
}

/// Whether something was just asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Told {
    asked: Option<String>,
}

/// `GET /owner/payouts/{id}`: what a run did.
pub async fn show(
    ask: Ask,
    id: Result<PathParam<PayoutRunId>, Problem>,
    told: Result<Query<Told>, Problem>,
) -> Answer {
    must_own(&ask)?;
    let (PathParam(id), Query(told)) = (id?, told?);
    let query = RunQuery { run: id };
    let found = ask.app.read(&ask.visitor.caller, query, run).await;
    let found = found.map_err(Problem::from)?;
    let paid = found.payouts.iter().map(|payout| payout.seller);
    let sellers = paid.chain(found.skips.iter().map(|skip| skip.seller));
    let names = names(&ask, sellers.collect()).await?;
    let page = ask.section_page("owner-run", Section::Owner);
    html(&drawn(page, &found, &names, told.asked.is_some()))
}

fn drawn(page: Page, found: &RunView, names: &Names, asked: bool) -> RunPage {
    let steps = vec![(page.say("owner-payouts"), "/owner/payouts".to_owned())];
    let skipped = found.skips.iter().map(|skip| Line {
        seller: name_of(names, skip.seller),
        balance: page.format.money(skip.balance),
        amount: String::new(),
        state: Badge::new(Tone::Wait, page.say("owner-skipped")),
        note: page.say(&format!("payout-skip-{}", skip.reason.code())),
        retry: None,
        again: None,
    });
    let told = || Notice::new(Tone::Good, page.say("owner-retry-asked"));
    RunPage {
        crumbs: page.crumbs(steps, &page.format.instant(found.run.started_at)),
        run: run_row(&page, &found.run),
        notice: asked.then(told),
        paid: found
            .payouts
            .iter()
            .map(|payout| payout_line(&page, names, payout))
            .collect(),
        skipped: skipped.collect(),
        page,
    }
}

fn payout_line(page: &Page, names: &Names, payout: &Payout) -> Line {
    let (tone, note) = match payout.state {
        State::Created | State::Sending => (Tone::Wait, String::new()),
        State::Paid => (Tone::Good, String::new()),
        // The money is the seller's again: the next run pays it.
        State::Failed | State::Returned | State::Reversed => {
            (Tone::Bad, page.say("owner-next-run-pays"))
        }
    };
    let failure = payout.failure_code.clone().unwrap_or_default();
    let note = [failure, note].into_iter().filter(|text| !text.is_empty());
    Line {
        seller: name_of(names, payout.seller),
        balance: payout.destination.clone(),
        amount: page.format.money(payout.amount),
        state: Badge::new(
            tone,
            page.say(&format!("payout-state-{}", payout.state.code())),
        ),
        note: note.collect::<Vec<_>>().join(" · "),
        retry: payout
            .state
            .is_under_way()
            .then(|| format!("/owner/payouts/retry/{}", payout.id)),
        again: matches!(
            payout.state,
            State::Failed | State::Returned | State::Reversed
        )
        .then(|| format!("/owner/payouts/again/{}", payout.id)),
    }
}

/// `POST /owner/payouts/retry/{payout}`: asks the provider once more.
pub async fn retry(
    ask: Ask,
    id: Result<PathParam<PayoutId>, Problem>,
    form: Result<CsrfForm<Pressed>, Problem>,
) -> Answer {
    let CsrfForm(_) = form?;
    must_own(&ask)?;
    let PathParam(id) = id?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let query = PayoutQuery { payout: id };
    let found = app.read(caller, query, payout).await;
    let run = found.map_err(Problem::from)?.run;
    match app
        .transact(caller, RetryPayout { payout: id }, retry_payout)
        .await
    {
        // One that ended meanwhile says so in its row.
        Ok(_) | Err(PayoutError::Ended) => go_to(&format!("/owner/payouts/{run}?asked=1")),
        Err(error) => Err(Problem::from(error).into()),
    }
}

/// `POST /owner/payouts/again/{payout}`: a run for the seller of one that didn't arrive.
pub async fn again(
    ask: Ask,
    id: Result<PathParam<PayoutId>, Problem>,
    form: Result<CsrfForm<Pressed>, Problem>,
) -> Answer {
    let CsrfForm(_) = form?;
    must_own(&ask)?;
    let PathParam(payout) = id?;
    let done = ask
        .app
        .transact(&ask.visitor.caller, PayAgain { payout }, pay_again)
        .await;
    let run = done.map_err(Problem::from)?;
    go_to(&format!("/owner/payouts/{run}"))
}
