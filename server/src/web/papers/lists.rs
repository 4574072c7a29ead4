//! The buyer's invoices and the seller's, by year, as pages and as files.

use super::super::ask::{Answer, Ask, html};
use super::super::format::rfc3339;
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Tone};
use super::super::sell::{At, Tab, must_sell, sales::amount, tabs};
use super::invoice_badge;
use crate::domains::invoicing::lists::After;
use crate::domains::invoicing::{AskSpans, ListPapers, Paper, PaperId, papers, spans_with_papers};
use crate::problem::Problem;
use crate::wire::Query;
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mintreu::Timestamp;
use serde::Deserialize;

/// Papers a page.
const PAGE: i64 = 50;
/// Most pages of 200 papers in one file.
const MAX_PAGES: usize = 500;
/// Years that the filter offers, this one and those before.
const YEARS: i16 = 6;

#[derive(Template)]
#[template(path = "papers.html")]
struct PapersPage {
    page: Page,
    title: String,
    lead: String,
    tabs: Vec<Tab>,
    years: Vec<Year>,
    file: String,
    rows: Vec<Row>,
    next: Option<String>,
}

/// A link of the filter.
struct Year {
    name: String,
    address: String,
    chosen: bool,
}

struct Row {
    address: String,
    title: String,
    about: String,
    date: String,
    state: Badge,
    tax: String,
    total: String,
}

/// Which year, and where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    year: Option<i16>,
    after: Option<String>,
}

impl Which {
    /// From the year's first instant to the next one's, in UTC.
    fn within(&self) -> Result<Option<(Timestamp, Timestamp)>, Problem> {
        let Some(year) = self.year else {
            return Ok(None);
        };
        let unknown = || Problem::not_found("There is no such year.");
        let start = |year: i16| {
            let date = Date::new(year, 1, 1).ok()?;
            let zoned = date.to_zoned(TimeZone::UTC).ok()?;
            Some(Timestamp::from_ms(zoned.timestamp().as_millisecond()))
        };
        let until = year.checked_add(1).and_then(start);
        let within = start(year).zip(until).ok_or_else(unknown)?;
        Ok(Some(within))
    }

    fn after(&self) -> Result<Option<After>, Problem> {
        let wrong = || Problem::not_found("There is no such page.");
        let Some(text) = self.after.as_deref() else {
            return Ok(None);
        };
        let (at, id) = text.split_once('.').ok_or_else(wrong)?;
        let at = at.parse().map_err(|_| wrong())?;
        let id = mintreu::id::decode(id).ok_or_else(wrong)?;
        Ok(Some((Timestamp::from_ms(at), id)))
    }

    /// The address of these papers under `base`.
    fn address(&self, base: &str) -> String {
        match self.year {
            Some(year) => format!("{base}?year={year}"),
            None => base.to_owned(),
        }
    }
}

/// `GET /invoices`: what the caller pays.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    drawn(&ask, which?.0, false).await
}

/// `GET /sell/invoices`: what the caller's lines stand on.
pub async fn sold(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    drawn(&ask, which?.0, true).await
}

async fn drawn(ask: &Ask, which: Which, as_seller: bool) -> Answer {
    let query = ListPapers {
        as_seller,
        within: which.within()?,
        after: which.after()?,
        limit: PAGE,
    };
    let found = ask.app.read(&ask.visitor.caller, query, papers).await;
    let found = found.map_err(Problem::from)?;
    let (section, base, lead) = match as_seller {
        true => (Section::Sell, "/sell/invoices", "papers-sold-lead"),
        false => (Section::Usage, "/invoices", "papers-lead"),
    };
    let page = ask.section_page("papers-title", section);
    let next = found.next.map(|(at, id)| {
        let joint = if which.year.is_some() { '&' } else { '?' };
        let id = mintreu::id::encode(&id);
        format!("{}{joint}after={}.{id}", which.address(base), at.ms())
    });
    let years = years(ask, &page, &which, (base, as_seller)).await?;
    html(&PapersPage {
        title: page.say("papers-title"),
        lead: page.say(lead),
        tabs: if as_seller {
            tabs(&page, At::Invoices)
        } else {
            Vec::new()
        },
        years,
        file: which.address(&format!("{base}.csv")),
        rows: found.papers.iter().map(|paper| row(&page, paper)).collect(),
        next,
        page,
    })
}

/// The years in which there are papers, the chosen one too, and all of them.
async fn years(
    ask: &Ask,
    page: &Page,
    which: &Which,
    (base, as_seller): (&str, bool),
) -> Result<Vec<Year>, Problem> {
    let year = page.format.day(ask.app.now());
    let newest: i16 = year
        .get(..4)
        .and_then(|year| year.parse().ok())
        .unwrap_or(0);
    let offered: Vec<_> = (0..YEARS).map(|back| newest.saturating_sub(back)).collect();
    let mut spans = Vec::new();
    for year in &offered {
        let only = Which {
            year: Some(*year),
            after: None,
        };
        spans.extend(only.within()?);
    }
    let query = AskSpans { as_seller, spans };
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, query, spans_with_papers).await?;
    let all = Year {
        name: page.say("papers-all-years"),
        address: base.to_owned(),
        chosen: which.year.is_none(),
    };
    let of = |year: i16| Year {
        name: year.to_string(),
        address: format!("{base}?year={year}"),
        chosen: which.year == Some(year),
    };
    let there = offered.into_iter().zip(found);
    let shown = there.filter(|(year, any)| *any || which.year == Some(*year));
    let shown = shown.map(|(year, _)| of(year));
    Ok([all].into_iter().chain(shown).collect())
}

fn row(page: &Page, paper: &Paper) -> Row {
    let (address, key) = match paper.id {
        PaperId::Invoice(id, _) => (format!("/invoices/{id}"), "invoice-heading"),
        PaperId::Credit(id, kind) => {
            let key = match kind.name() {
                "correction" => "paper-correction-heading",
                _ => "paper-credit-heading",
            };
            (format!("/credit-notes/{id}"), key)
        }
    };
    let about = paper.about.clone().or_else(|| paper.title.clone());
    Row {
        address,
        title: page.say_one(key, "number", paper.number.as_str()),
        about: about.unwrap_or_else(|| page.say("paper-usage")),
        date: page.format.date(paper.at),
        state: match paper.id {
            PaperId::Invoice(_, state) => invoice_badge(page, state),
            PaperId::Credit(..) => Badge::new(Tone::Plain, page.say("paper-issued")),
        },
        tax: page.format.money(paper.tax),
        total: page.format.money(paper.total),
    }
}

/// `GET /invoices.csv?year=…`.
pub async fn csv(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    file(&ask, &which?.0, false).await
}

/// `GET /sell/invoices.csv?year=…`.
pub async fn sold_csv(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    file(&ask, &which?.0, true).await
}

/// Every paper of the year, newest first (RFC 4180). What was credited is below zero.
async fn file(ask: &Ask, which: &Which, as_seller: bool) -> Answer {
    let mut text = String::from("number,kind,about,issued_at,state,order,currency,tax,total\r\n");
    let mut query = ListPapers {
        as_seller,
        within: which.within()?,
        after: None,
        limit: 200,
    };
    for _ in 0..MAX_PAGES {
        let found = ask.app.read(&ask.visitor.caller, query, papers).await;
        let found = found.map_err(Problem::from)?;
        let records = found.papers.iter().map(record);
        text.extend(records);
        query.after = found.next;
        if query.after.is_none() {
            break;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"invoices.csv\"",
        ),
    ];
    Ok((headers, text).into_response())
}

fn record(paper: &Paper) -> String {
    let state = match paper.id {
        PaperId::Invoice(_, state) => state.name(),
        PaperId::Credit(..) => "issued",
    };
    let order = paper.order.map(|order| order.to_string());
    let fields = [
        paper.number.clone(),
        paper.id.kind().to_owned(),
        paper.about.clone().unwrap_or_default(),
        rfc3339(paper.at),
        state.to_owned(),
        order.unwrap_or_default(),
        paper.total.currency().code().to_owned(),
        amount(paper.tax),
        amount(paper.total),
    ];
    format!("{}\r\n", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_from_new_year_to_new_year() {
        let of = |year| Which {
            year: Some(year),
            after: None,
        };
        let (from, until) = of(2027).within().expect("a year").expect("is asked");
        assert_eq!(
            (rfc3339(from), rfc3339(until)),
            (
                "2027-01-01T00:00:00Z".to_owned(),
                "2028-01-01T00:00:00Z".to_owned()
            )
        );
        for odd in [i16::MAX, i16::MIN, 9_999] {
            assert!(of(odd).within().is_err(), "{odd}");
        }
        assert!(Which::default().within().expect("fine").is_none());
    }
}
