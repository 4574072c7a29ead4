//! What tax is due: by month, jurisdiction, rate and currency, and as a file.

use super::super::ask::{Answer, Ask, html};
use super::super::page::{Page, Section};
use super::super::parts::Field;
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::taxes::{AskReport, Place, ReportLine, TaxError, Why, percent, report};
use crate::problem::Problem;
use crate::wire::Query;
use askama::Template;
use mintreu::{Currency, Money};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "owner/taxes.html")]
struct TaxesPage {
    page: Page,
    tabs: Vec<Tab>,
    fields: Vec<Field>,
    lines: Vec<Line>,
    /// Where the same is a file; nothing while the months are wrong.
    file: Option<String>,
    /// What is due in each currency.
    sums: Vec<(String, String)>,
}

struct Line {
    month: String,
    place: String,
    rate: String,
    why: String,
    base: String,
    refunds: String,
    due: String,
}

/// Which months.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Months {
    from: String,
    until: String,
}

/// `GET /owner/taxes?from=2027-01&until=2027-03`: the running year when nothing is said.
pub async fn show(ask: Ask, months: Result<Query<Months>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(mut months) = months?;
    let page = ask.section_page("owner-taxes", Section::Owner);
    let today = page.format.day(ask.app.now());
    let month = today.get(..7).unwrap_or_default();
    if months.from.is_empty() {
        months.from = format!("{}-01", month.get(..4).unwrap_or_default());
    }
    if months.until.is_empty() {
        month.clone_into(&mut months.until);
    }
    let query = AskReport {
        from: months.from.clone(),
        until: months.until.clone(),
    };
    let (found, wrong) = match ask.app.read(&ask.visitor.caller, query, report).await {
        Ok(found) => (found, None),
        Err(TaxError::Months) => (Vec::new(), Some(page.say("owner-taxes-months-wrong"))),
        Err(error) => return Err(Problem::from(error).into()),
    };
    let file = format!(
        "/v1/tax/report.csv?from={}&until={}",
        months.from, months.until
    );
    html(&TaxesPage {
        tabs: tabs(&page, At::Taxes),
        fields: fields(&page, &months, wrong.clone()),
        lines: found.iter().map(|line| drawn(&page, line)).collect(),
        file: wrong.is_none().then_some(file),
        sums: sums(&page, &found),
        page,
    })
}

fn fields(page: &Page, months: &Months, wrong: Option<String>) -> Vec<Field> {
    vec![
        Field::text("from", page.say("owner-taxes-from"))
            .hint(page.say("owner-taxes-months"))
            .value(&months.from)
            .error(wrong)
            .max_length(7),
        Field::text("until", page.say("owner-taxes-until"))
            .value(&months.until)
            .max_length(7),
    ]
}

fn drawn(page: &Page, line: &ReportLine) -> Line {
    let money = |minor| page.format.money(Money::new(minor, line.currency));
    let (_, due) = line.net();
    Line {
        month: line.month.clone(),
        place: place(page, &line.jurisdiction),
        rate: u32::try_from(line.bps).map_or_else(|_| String::new(), percent),
        why: why(page, &line.why),
        base: money(line.sales.0),
        refunds: money(line.refunds.0),
        due: money(due),
    }
}

/// `Germany`, `Portugal (PT-20)`.
fn place(page: &Page, code: &str) -> String {
    let Ok(place) = Place::parse(code) else {
        return code.to_owned();
    };
    let country = page.format.country(place.country());
    match place.region() {
        Some(_) => format!("{country} ({code})"),
        None => country.to_owned(),
    }
}

fn why(page: &Page, code: &str) -> String {
    let key = match Why::parse(code) {
        Some(Why::Standard) => "owner-tax-standard",
        Some(Why::OwnRate) => "owner-tax-own-rate",
        Some(Why::ReverseCharge) => "owner-tax-reverse",
        Some(Why::NoTax) => "owner-tax-none",
        Some(Why::Assumed) => "owner-tax-assumed",
        Some(Why::NotRegistered) | None => return code.to_owned(),
    };
    page.say(key)
}

/// What is due in each currency; a sum that is too large isn't shown.
fn sums(page: &Page, lines: &[ReportLine]) -> Vec<(String, String)> {
    let mut sums: Vec<(Currency, i64)> = Vec::new();
    for line in lines {
        let (_, due) = line.net();
        match sums.iter_mut().find(|(known, _)| *known == line.currency) {
            Some((_, sum)) => *sum = sum.saturating_add(due),
            None => sums.push((line.currency, due)),
        }
    }
    let shown = |(currency, minor): (Currency, i64)| {
        let sum = page.format.money(Money::new(minor, currency));
        (currency.code().to_owned(), sum)
    };
    sums.into_iter().map(shown).collect()
}
