//! The platform owner's side: what the platform earned and owes, its books, its payouts, its
//! disputes, its sellers, and what it takes.
//!
//! # Invariants
//! * Only an administrator finds anything here; for everybody else there is nothing at these
//!   addresses. The domains' queries see to it a second time.
//! * What changes something asks for a reason, and keeps it.
//! * Filters stand in the address, so that a page can be kept and sent.

pub mod disputes;
pub mod fees;
pub mod ledger;
pub mod payouts;
pub mod risk;
pub mod sellers;
pub mod taxes;

use super::ask::{Answer, Ask, html};
use super::page::{Page, Section};
use super::parts::{Chart, ChartWords, Figure, Notice, Point, Tone};
use super::sell::Tab;
use crate::caller::Capability;
use crate::domains::ledger::explore::{Earned, Standing, earned, standing, trial};
use crate::domains::refunds::{QueueQuery, dispute_queue};
use crate::problem::{PageProblem, Problem};
use askama::Template;
use mintreu::{Currency, Money, Timestamp};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Days of the overview's chart.
const DAYS: i64 = 30;

/// Which of the owner's pages one is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Overview,
    Fees,
    Ledger,
    Payouts,
    Sellers,
    Disputes,
    Wishes,
    Risk,
    Taxes,
}

pub(super) fn tabs(page: &Page, at: At) -> Vec<Tab> {
    let all = [
        (At::Overview, "/owner", page.say("owner-overview")),
        (At::Ledger, "/owner/ledger", page.say("owner-ledger")),
        (At::Payouts, "/owner/payouts", page.say("owner-payouts")),
        (At::Sellers, "/owner/sellers", page.say("owner-sellers")),
        (At::Disputes, "/owner/disputes", page.say("owner-disputes")),
        (At::Wishes, "/owner/wishes", page.say("wish-title")),
        (At::Risk, "/owner/risk", page.say("owner-risk")),
        (At::Fees, "/owner/fees", page.say("owner-fees")),
        (At::Taxes, "/owner/taxes", page.say("owner-taxes")),
    ];
    let tab = |(place, address, name): (At, &str, String)| Tab {
        name,
        address: address.to_owned(),
        chosen: place == at,
    };
    all.into_iter().map(tab).collect()
}

/// Whoever doesn't run the platform finds nothing here.
pub(super) fn must_own(ask: &Ask) -> Result<(), PageProblem> {
    ask.account()?;
    match ask.visitor.caller.may(Capability::Administer) {
        true => Ok(()),
        false => Err(Problem::not_found("There is nothing at this address.").into()),
    }
}

/// A link and its text.
struct Link {
    text: String,
    address: String,
}

#[derive(Template)]
#[template(path = "owner/overview.html")]
struct OverviewPage {
    page: Page,
    tabs: Vec<Tab>,
    notices: Vec<Notice>,
    standings: Vec<StandingCard>,
    chart: Option<Chart>,
}

struct StandingCard {
    currency: String,
    figures: Vec<Figure>,
}

/// `GET /owner`.
pub async fn overview(ask: Ask) -> Answer {
    must_own(&ask)?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, (), standing).await;
    let found = found.map_err(Problem::from)?;
    let balance = ask.app.read(caller, (), trial).await;
    let balance = balance.map_err(Problem::from)?;
    let waiting = ask
        .app
        .read(caller, QueueQuery::default(), dispute_queue)
        .await;
    let waiting = waiting.map_err(Problem::from)?.disputes.len();
    let looks = ask
        .app
        .read(caller, (), crate::domains::risk::waiting)
        .await?;
    let page = ask.section_page("owner-overview", Section::Owner);
    let mut notices = Vec::new();
    if balance.iter().any(|line| line.sum.minor() != 0) {
        notices.push(Notice::new(Tone::Bad, page.say("owner-unbalanced")));
    }
    if waiting > 0 {
        let count = i64::try_from(waiting).unwrap_or(i64::MAX);
        let text = page.say_one("owner-disputes-wait", "count", count);
        notices.push(Notice::new(Tone::Wait, text));
    }
    if looks > 0 {
        let text = page.say_one("owner-reviews-wait", "count", looks);
        notices.push(Notice::new(Tone::Wait, text));
    }
    let most = found.iter().max_by_key(|line| line.fees.minor());
    let chart = match most {
        Some(line) => Some(fees_chart(&ask, &page, line.fees.currency()).await?),
        None => None,
    };
    html(&OverviewPage {
        tabs: tabs(&page, At::Overview),
        notices,
        standings: found.iter().map(|line| card(&page, line)).collect(),
        chart,
        page,
    })
}

fn card(page: &Page, line: &Standing) -> StandingCard {
    let figure = |label: &str, amount: Money, remark: &str| Figure {
        label: page.say(label),
        value: page.format.money(amount),
        remark: page.say(remark),
    };
    StandingCard {
        currency: line.fees.currency().code().to_owned(),
        figures: vec![
            figure("owner-figure-fees", line.fees, "owner-figure-fees-text"),
            figure("owner-figure-held", line.held, "owner-figure-held-text"),
            figure("owner-figure-owed", line.owed, "owner-figure-owed-text"),
            figure(
                "owner-figure-negative",
                line.negative,
                "owner-figure-negative-text",
            ),
        ],
    }
}

/// What the platform earned by day; a day on which more was given back shows nothing.
async fn fees_chart(ask: &Ask, page: &Page, currency: Currency) -> Result<Chart, PageProblem> {
    let today = ask.app.now().ms().div_euclid(DAY_MS);
    let first = today - DAYS + 1;
    let steps = (first..=today + 1).map(|day| Timestamp::from_ms(day.saturating_mul(DAY_MS)));
    let query = Earned {
        currency,
        steps: steps.collect(),
    };
    let sums = ask.app.read(&ask.visitor.caller, query, earned).await;
    let sums = sums.map_err(Problem::from)?;
    let point = |(day, sum): (i64, &Money)| Point {
        label: page
            .format
            .day(Timestamp::from_ms(day.saturating_mul(DAY_MS))),
        value: u64::try_from(sum.minor()).unwrap_or(0),
        text: page.format.money(*sum),
    };
    let words = ChartWords {
        title: page.say_one("owner-chart-title", "currency", currency.code()),
        as_table: page.say("chart-as-table"),
        step: page.say("chart-day"),
        value: page.say("owner-figure-fees"),
    };
    let points = (first..).zip(&sums).map(point).collect();
    Ok(Chart::bars(words, points, None))
}
