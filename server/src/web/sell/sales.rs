//! What was sold: as a table and as CSV.

use super::super::ask::{Answer, Ask, html};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Figure, Tone};
use super::{At, Tab, money_figures, must_sell, tabs};
use crate::domains::orders::{self, OrderState, Sale, SalesQuery};
use crate::problem::Problem;
use crate::web::format::rfc3339;
use crate::wire::Query;
use askama::Template;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::Money;
use mintreu::id::OrderLineId;
use serde::Deserialize;

/// Most pages of a hundred sales in one CSV file.
const MAX_PAGES: usize = 1_000;

#[derive(Template)]
#[template(path = "sell/sales.html")]
struct SalesPage {
    page: Page,
    tabs: Vec<Tab>,
    figures: Vec<Figure>,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    title: String,
    paid_at: String,
    state: Badge,
    charged: String,
    fees: String,
    yours: String,
}

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct After {
    after: Option<String>,
}

/// `GET /sell/sales`.
pub async fn list(ask: Ask, after: Result<Query<After>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(after) = after?;
    let before = after.after.as_deref().map(OrderLineId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such sale."))?;
    let query = SalesQuery { before, limit: 50 };
    let found = ask
        .app
        .read(&ask.visitor.caller, query, orders::sales)
        .await?;
    let page = ask.section_page("sell-sales", Section::Sell);
    html(&SalesPage {
        tabs: tabs(&page, At::Sales),
        figures: money_figures(&page, &found.totals),
        rows: found.sales.iter().map(|sale| row(&page, sale)).collect(),
        next: found.next.map(|line| format!("/sell/sales?after={line}")),
        page,
    })
}

fn row(page: &Page, sale: &Sale) -> Row {
    let fees = sale.split.charged.checked_sub(sale.split.seller);
    let (tone, key) = match sale.state {
        OrderState::PartiallyRefunded => (Tone::Info, "order-part-refunded"),
        OrderState::Refunded => (Tone::Plain, "order-refunded"),
        _ => (Tone::Good, "order-paid"),
    };
    Row {
        title: sale.title.clone(),
        paid_at: page.format.instant(sale.paid_at),
        state: Badge::new(tone, page.words.say(key)),
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
        before: None,
        limit: 100,
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
