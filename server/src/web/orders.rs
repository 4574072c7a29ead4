//! What a buyer ordered, the newest first: paid or not, for oneself or given away.

use super::ask::{Answer, Ask, html};
use super::order;
use super::page::{Page, Section};
use super::parts::Badge;
use crate::domains::orders::{History, Order, history};
use crate::problem::Problem;
use crate::wire::Query;
use askama::Template;
use mintreu::id::OrderId;
use serde::Deserialize;

/// Orders on one page.
const PAGE: usize = 20;

#[derive(Template)]
#[template(path = "orders.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    address: String,
    /// What was bought, a title a line.
    titles: String,
    state: Badge,
    placed: String,
    total: String,
}

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

/// `GET /orders`.
pub async fn list(ask: Ask, after: Result<Query<After>, Problem>) -> Answer {
    ask.account()?;
    let Query(After { after }) = after?;
    let missing = |_| Problem::not_found("There is no such order.");
    let query = History {
        before: after
            .as_deref()
            .map(OrderId::parse)
            .transpose()
            .map_err(missing)?,
        limit: i64::try_from(PAGE).unwrap_or(i64::MAX),
    };
    let found = ask.app.read(&ask.visitor.caller, query, history).await?;
    let page = ask.section_page("orders-title", Section::Licenses);
    let full = found.len() == PAGE;
    let last = found.last().filter(|_| full);
    html(&ListPage {
        next: last.map(|order| format!("/orders?after={}", order.id)),
        rows: found.iter().map(|order| row(&page, order)).collect(),
        page,
    })
}

fn row(page: &Page, order: &Order) -> Row {
    let (tone, state, ..) = order::words(order.state);
    // A bundle is one thing to who bought it.
    let mut titles: Vec<_> = order
        .lines
        .iter()
        .map(|line| {
            let bundle = line.bundle.as_ref();
            bundle.map_or(line.title.as_str(), |bundle| bundle.title.as_str())
        })
        .collect();
    titles.dedup();
    Row {
        address: format!("/orders/{}", order.id),
        titles: titles.join(", "),
        state: Badge::new(tone, page.say(state)),
        placed: page.format.date(order.placed_at),
        total: page.format.money(order.total),
    }
}
