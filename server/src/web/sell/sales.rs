//! What was sold: as a table and as CSV.

use super::super::ask::{Answer, Ask, html};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Figure, Tone};
use super::{At, Tab, money_figures, must_sell, tabs};
use crate::domains::orders::{self, OrderState, Sale, SalesQuery};
use crate::domains::refunds::open_disputes;
use crate::problem::Problem;
use crate::web::format::rfc3339;
use crate::wire::Query;
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::Money;
use mintreu::id::{OrderId, OrderLineId};
use serde::Deserialize;

/// Most pages of a hundred sales in one CSV file.
const MAX_PAGES: usize = 1_000;

#[derive(Template)]
#[template(path = "sell/sales.html")]
struct SalesPage {
    page: Page,
    tabs: Vec<Tab>,
    filters: Vec<Tab>,
    /// Whether there is any sale, whatever is chosen.
    any: bool,
    /// What is said when there is none of those that were chosen.
    none: [&'static str; 2],
    figures: Vec<Figure>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    title: String,
    address: String,
    /// What a bank asks about it.
    dispute: Option<Badge>,
    paid_at: String,
    state: Badge,
    charged: String,
    fees: String,
    yours: String,
}

/// Which sales, and where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    after: Option<String>,
    state: Option<String>,
    disputed: bool,
}

/// The states that one can look for.
const STATES: [OrderState; 3] = [
    OrderState::Paid,
    OrderState::PartiallyRefunded,
    OrderState::Refunded,
];

/// `GET /sell/sales`.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(which) = which?;
    let before = which.after.as_deref().map(OrderLineId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such sale."))?;
    let state = which.state.as_deref().and_then(OrderState::parse);
    let state = state.filter(|state| STATES.contains(state) && !which.disputed);
    let query = SalesQuery {
        before,
        limit: 50,
        state,
        disputed: which.disputed,
    };
    let found = ask
        .app
        .read(&ask.visitor.caller, query, orders::sales)
        .await?;
    let mut sold: Vec<_> = found.sales.iter().map(|sale| sale.order).collect();
    sold.dedup();
    let asked = ask.app.read(&ask.visitor.caller, sold, open_disputes).await;
    let asked = asked.map_err(Problem::from)?;
    let page = ask.section_page("sell-sales", Section::Sell);
    let rows = found.sales.iter().map(|sale| row(&page, sale, &asked));
    let chosen = match (which.disputed, state) {
        (true, _) => "&disputed=true".to_owned(),
        (false, state) => {
            state.map_or_else(String::new, |state| format!("&state={}", state.code()))
        }
    };
    html(&SalesPage {
        tabs: tabs(&page, At::Sales),
        filters: filters(&page, state, which.disputed),
        none: match which.disputed {
            true => ["sales-undisputed-title", "sales-undisputed-text"],
            false => ["sales-none-title", "sales-none-text"],
        },
        any: !found.totals.is_empty(),
        figures: money_figures(&page, &found.totals),
        rows: rows.collect(),
        next: found
            .next
            .map(|line| format!("/sell/sales?after={line}{chosen}")),
        page,
    })
}

fn filters(page: &Page, chosen: Option<OrderState>, disputed: bool) -> Vec<Tab> {
    let all = Tab {
        name: page.say("sales-all"),
        address: "/sell/sales".to_owned(),
        chosen: chosen.is_none() && !disputed,
    };
    let of = |state: OrderState| Tab {
        name: page.say(state_words(state).1),
        address: format!("/sell/sales?state={}", state.code()),
        chosen: chosen == Some(state) && !disputed,
    };
    let asked = Tab {
        name: page.say("sales-disputed"),
        address: "/sell/sales?disputed=true".to_owned(),
        chosen: disputed,
    };
    let states = STATES.into_iter().map(of);
    std::iter::once(all).chain(states).chain([asked]).collect()
}

const fn state_words(state: OrderState) -> (Tone, &'static str) {
    match state {
        OrderState::PartiallyRefunded => (Tone::Info, "order-part-refunded"),
        OrderState::Refunded => (Tone::Plain, "order-refunded"),
        _ => (Tone::Good, "order-paid"),
    }
}

/// Where a sold order stands, as a badge.
pub(super) fn state_badge(page: &Page, state: OrderState) -> Badge {
    let (tone, key) = state_words(state);
    Badge::new(tone, page.say(key))
}

fn row(page: &Page, sale: &Sale, asked: &[OrderId]) -> Row {
    let fees = sale.split.charged.checked_sub(sale.split.seller);
    let asks = asked.contains(&sale.order);
    Row {
        title: sale.title.clone(),
        address: format!("/sell/sales/{}", sale.line),
        dispute: asks.then(|| Badge::new(Tone::Bad, page.say("sales-bank"))),
        paid_at: page.format.instant(sale.paid_at),
        state: state_badge(page, sale.state),
        charged: page.format.money(sale.split.charged),
        fees: fees.map_or_else(|_| String::new(), |fees| page.format.money(fees)),
        yours: page.format.money(sale.split.seller),
    }
}

/// `GET /sell/sales.csv`: every sale, newest first (RFC 4180).
pub async fn csv(ask: Ask) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let mut text = String::from(
        "line,order,product,paid_at,state,quantity,currency,charged,platform_fee,payment_fee,yours\r\n",
    );
    let mut query = SalesQuery {
        limit: 100,
        ..SalesQuery::default()
    };
    for _ in 0..MAX_PAGES {
        let found = ask
            .app
            .read(&ask.visitor.caller, query, orders::sales)
            .await?;
        found
            .sales
            .iter()
            .for_each(|sale| text.push_str(&record(sale)));
        query.before = found.next;
        if query.before.is_none() {
            break;
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"sales.csv\"",
        ),
    ];
    Ok((headers, text).into_response())
}

fn record(sale: &Sale) -> String {
    let split = &sale.split;
    let fields = [
        sale.line.to_string(),
        sale.order.to_string(),
        cell(&sale.title),
        rfc3339(sale.paid_at),
        sale.state.code().to_owned(),
        sale.quantity.to_string(),
        split.charged.currency().code().to_owned(),
        amount(split.charged),
        amount(split.platform_fee),
        amount(split.payment_fee),
        amount(split.seller),
    ];
    format!("{}\r\n", fields.join(","))
}

pub(in crate::web) fn amount(amount: Money) -> String {
    amount
        .to_string()
        .split(' ')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A quoted cell that no spreadsheet takes for a formula.
pub(in crate::web) fn cell(text: &str) -> String {
    let risky = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if risky { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_quote_and_are_no_formulas() {
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
    }
}
