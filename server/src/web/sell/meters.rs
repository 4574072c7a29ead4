//! What a seller's meters counted: a chart by window, a table by subject or property, and both as
//! CSV.

use super::{At, Tab, must_sell, tabs};
use crate::domains::meters::http::csv;
use crate::domains::meters::model::decimal::Decimal;
use crate::domains::meters::model::meter::{Aggregation, Meter};
use crate::domains::meters::model::window::Step;
use crate::domains::meters::ops::{ByMeter, ListMeters, UsageQuery, UsageRow, list_meters, usage};
use crate::problem::Problem;
use crate::web::ask::{Answer, Ask, html};
use crate::web::page::{Page, Section};
use crate::web::parts::{Chart, ChartWords, Point};
use crate::wire::Query;
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use jiff::tz::TimeZone;
use mintreu::Timestamp;
use mintreu::id::AccountId;
use serde::Deserialize;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Most rows of the table.
const TOP: usize = 50;

#[derive(Template)]
#[template(path = "sell/meters.html")]
struct MetersPage {
    page: Page,
    tabs: Vec<Tab>,
    meters: Vec<Tab>,
    shown: Option<Shown>,
}

/// The meter that is looked at.
struct Shown {
    what: String,
    ranges: Vec<Tab>,
    groups: Vec<Tab>,
    chart: Chart,
    by: String,
    rows: Vec<(String, String, String)>,
    csv: String,
    estimated: bool,
}

/// Which meter, how much time, told apart by what.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub struct WhichMeter {
    meter: String,
    range: String,
    by: String,
}

/// A range of time: its name in addresses and on the page, its windows, and how long it is.
const RANGES: [(&str, &str, Step, i64); 3] = [
    ("hours", "meters-day", Step::Hour, DAY_MS),
    ("days", "meters-month", Step::Day, 30 * DAY_MS),
    ("months", "meters-year", Step::Month, 365 * DAY_MS),
];

impl WhichMeter {
    fn range(&self) -> (&'static str, &'static str, Step, i64) {
        let found = RANGES.into_iter().find(|(name, ..)| *name == self.range);
        found.unwrap_or(RANGES[1])
    }

    fn address(&self, file: &str, meter: &str, range: &str, by: &str) -> String {
        format!("/sell/meters{file}?meter={meter}&range={range}&by={by}")
    }

    /// The question of the chart, or with what is told apart.
    fn question(&self, seller: AccountId, meter: &Meter, now: Timestamp) -> UsageQuery {
        let (.., step, length) = self.range();
        let until = now.ms() - now.ms().rem_euclid(HOUR_MS) + HOUR_MS;
        let by = Some(self.by.clone()).filter(|name| meter.draft.group_by.contains_key(name));
        UsageQuery {
            seller,
            meter: ByMeter(meter.draft.slug.clone()),
            from: Some(until - length),
            until: Some(until),
            step: Some((step, TimeZone::UTC)),
            subjects: Vec::new(),
            by_subject: by.is_none(),
            filters: Default::default(),
            group_by: by.into_iter().collect(),
            percentile: None,
            fill: false,
        }
    }
}

async fn chosen(
    ask: &Ask,
    which: &WhichMeter,
) -> Result<(AccountId, Vec<Meter>, Option<Meter>), Problem> {
    must_sell(ask)?;
    let caller = &ask.visitor.caller;
    let missing = || Problem::not_found("There is no such meter.");
    let seller = caller.account.ok_or_else(missing)?;
    let meters = ask
        .app
        .read(caller, ListMeters(seller), list_meters)
        .await?;
    let found = match which.meter.as_str() {
        "" => meters.first().cloned(),
        slug => {
            let found = meters.iter().find(|meter| meter.draft.slug == slug);
            Some(found.cloned().ok_or_else(missing)?)
        }
    };
    Ok((seller, meters, found))
}

/// `GET /sell/meters`.
pub async fn show(ask: Ask, which: Result<Query<WhichMeter>, Problem>) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let (seller, meters, meter) = chosen(&ask, &which).await?;
    let page = ask.section_page("sell-meters", Section::Sell);
    let tab = |other: &Meter| Tab {
        name: other.draft.name.clone(),
        address: which.address("", &other.draft.slug, which.range().0, ""),
        chosen: meter.as_ref().is_some_and(|meter| meter.id == other.id),
    };
    let mut view = MetersPage {
        tabs: tabs(&page, At::Meters),
        meters: meters.iter().map(tab).collect(),
        shown: None,
        page,
    };
    if let Some(meter) = meter {
        let caller = &ask.visitor.caller;
        let told_apart = which.question(seller, &meter, ask.app.now());
        let chart = UsageQuery {
            by_subject: false,
            group_by: Vec::new(),
            fill: true,
            ..told_apart.clone()
        };
        let table = UsageQuery {
            step: None,
            ..told_apart
        };
        let chart = ask.app.read(caller, chart, usage).await?;
        let table = ask.app.read(caller, table, usage).await?;
        let rows = (chart.rows.as_slice(), table.rows);
        view.shown = Some(shown(&view.page, &which, &meter, rows));
    }
    html(&view)
}

fn shown(
    page: &Page,
    which: &WhichMeter,
    meter: &Meter,
    (windows, mut groups): (&[UsageRow], Vec<UsageRow>),
) -> Shown {
    let slug = &meter.draft.slug;
    let (range, ..) = which.range();
    let by = meter.draft.group_by.keys().find(|name| **name == which.by);
    let by_name = by.map_or("", String::as_str);
    let range_tab = |(name, words, ..): (&str, &str, Step, i64)| Tab {
        name: page.say(words),
        address: which.address("", slug, name, by_name),
        chosen: name == range,
    };
    let subject = page.say("meters-subject");
    let names = std::iter::once((subject.as_str(), "")).chain(
        meter
            .draft
            .group_by
            .keys()
            .map(|name| (name.as_str(), name.as_str())),
    );
    let group_tab = |(name, by): (&str, &str)| Tab {
        name: name.to_owned(),
        address: which.address("", slug, range, by),
        chosen: by == by_name,
    };
    groups.sort_by_key(|row| std::cmp::Reverse(row.figure.value));
    let estimated = windows.iter().chain(&groups).any(|row| !row.figure.exact);
    let row = |row: UsageRow| {
        let name = row.subject.or_else(|| row.group.into_values().next());
        let name = name.filter(|name| !name.is_empty());
        (
            name.unwrap_or_else(|| "\u{2013}".to_owned()),
            value_text(row.figure.value),
            page.format.number(row.figure.events),
        )
    };
    Shown {
        what: what(page, meter),
        ranges: RANGES.into_iter().map(range_tab).collect(),
        groups: names.map(group_tab).collect(),
        chart: chart(page, which, meter, windows),
        by: if by_name.is_empty() {
            subject.clone()
        } else {
            by_name.to_owned()
        },
        rows: groups.into_iter().take(TOP).map(row).collect(),
        csv: which.address(".csv", slug, range, by_name),
        estimated,
    }
}

/// `SUM of $.tokens, of prompt`.
fn what(page: &Page, meter: &Meter) -> String {
    let draft = &meter.draft;
    let of = match &draft.value {
        Some(path) if draft.aggregation != Aggregation::Count => path.text(),
        _ => "",
    };
    let values = [
        ("how", draft.aggregation.name().into()),
        ("of", of.into()),
        ("events", draft.event_type.as_str().into()),
    ];
    page.words.say_with("meters-what", values)
}

fn value_text(value: Option<Decimal>) -> String {
    value.map_or_else(|| "\u{2013}".to_owned(), |value| value.to_string())
}

fn chart(page: &Page, which: &WhichMeter, meter: &Meter, rows: &[UsageRow]) -> Chart {
    let (.., step, _) = which.range();
    let words = ChartWords {
        title: page.say_one("chart-usage", "meter", meter.draft.name.as_str()),
        as_table: page.say("chart-as-table"),
        step: page.say("chart-step"),
        value: page.say("chart-units"),
    };
    let point = |row: &UsageRow| {
        let at = Timestamp::from_ms(row.span.from);
        Point {
            label: match step {
                Step::Hour | Step::Minute => page.format.instant(at),
                Step::Day | Step::Month => page.format.day(at),
            },
            value: u64::try_from(row.figure.value.unwrap_or_default().floor()).unwrap_or(0),
            text: value_text(row.figure.value),
        }
    };
    Chart::bars(words, rows.iter().map(point).collect(), None)
}

/// `GET /sell/meters.csv`.
pub async fn download(ask: Ask, which: Result<Query<WhichMeter>, Problem>) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let (seller, _, meter) = chosen(&ask, &which).await?;
    let meter = meter.ok_or_else(|| Problem::not_found("There is no such meter."))?;
    let question = which.question(seller, &meter, ask.app.now());
    let group_by = question.group_by.clone();
    let answer = ask.app.read(&ask.visitor.caller, question, usage).await?;
    let file = format!("attachment; filename=\"{}.csv\"", meter.draft.slug);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, file),
    ];
    Ok((headers, csv(&answer, &group_by)).into_response())
}
