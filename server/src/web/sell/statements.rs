//! A payout's statement as a file.

use super::super::ask::{Answer, Ask};
use super::sales::{amount, cell};
use crate::domains::payouts::model::statement_number;
use crate::domains::payouts::{StatementPage, StatementQuery, statement};
use crate::problem::Problem;
use crate::web::format::rfc3339;
use crate::wire::PathParam;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::id::PayoutId;

/// Most pages of movements in one file.
const MAX_PAGES: usize = 1_000;

/// `GET /sell/payouts/{id}/statement.csv`: opening balance, every movement, closing balance
/// (RFC 4180).
pub async fn csv(ask: Ask, id: Result<PathParam<PayoutId>, Problem>) -> Answer {
    let PathParam(payout) = id?;
    ask.account()?;
    let mut query = StatementQuery {
        payout,
        after: None,
    };
    let mut text = String::from("entry,at,movement,reference,order,currency,amount\r\n");
    let (mut name, mut closing) = (String::new(), String::new());
    for page in 0..MAX_PAGES {
        let found = ask.app.read(&ask.visitor.caller, query, statement).await;
        let found = found.map_err(Problem::from)?;
        if page == 0 {
            name = statement_number(found.payout.statement_number);
            text.push_str(&balance("opening", &found));
            closing = balance("closing", &found);
        }
        found
            .lines
            .iter()
            .for_each(|line| text.push_str(&record(line)));
        query.after = found.next;
        if query.after.is_none() {
            break;
        }
    }
    text.push_str(&closing);
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}.csv\""),
        ),
    ];
    Ok((headers, text).into_response())
}

fn balance(which: &str, page: &StatementPage) -> String {
    let money = match which {
        "opening" => page.closing.opening,
        _ => page.closing.closing,
    };
    let at = rfc3339(page.closing.closed_at);
    let code = money.currency();
    format!(",{at},{which},,,{code},{}\r\n", amount(money))
}

fn record(line: &crate::domains::payouts::views::Line) -> String {
    let movement = &line.movement;
    let fields = [
        movement.entry.to_string(),
        rfc3339(movement.at),
        movement.kind.clone(),
        cell(&movement.reference),
        line.order.clone().unwrap_or_default(),
        movement.amount.currency().code().to_owned(),
        amount(movement.amount),
    ];
    format!("{}\r\n", fields.join(","))
}
