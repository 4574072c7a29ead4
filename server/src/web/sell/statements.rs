//! A payout's statement as a file.

use super::super::ask::{Answer, Ask};
use super::super::page::Page;
use super::super::papers::files::file;
use super::super::papers::sheets::{blank, parties};
use super::payouts::{facts, kind_text};
use super::sales::{amount, cell};
use crate::domains::invoicing::Parties;
use crate::domains::payouts::model::statement_number;
use crate::domains::payouts::{
    PayoutQuery, StatementPage, StatementQuery, statement, statement_parties,
};
use crate::print::{Column, MAX_ROWS, Sheet};
use crate::problem::Problem;
use crate::web::format::rfc3339;
use crate::wire::PathParam;
use axum::http::header;
use axum::response::IntoResponse;
use mintreu::id::PayoutId;

/// Most pages of movements in one file.
const MAX_PAGES: usize = 1_000;

/// `GET /sell/payouts/{id}/statement.pdf`: the same as on the page, every movement.
pub async fn pdf(ask: Ask, id: Result<PathParam<PayoutId>, Problem>) -> Answer {
    let PathParam(payout) = id?;
    ask.account()?;
    let mut query = StatementQuery {
        payout,
        after: None,
    };
    let (caller, of) = (&ask.visitor.caller, PayoutQuery { payout });
    let parties = ask.app.read(caller, of, statement_parties).await;
    let parties = parties.map_err(Problem::from)?;
    let mut whole: Option<StatementPage> = None;
    loop {
        let found = ask.app.read(caller, query, statement).await;
        let found = found.map_err(Problem::from)?;
        query.after = found.next;
        let whole = match &mut whole {
            Some(whole) => {
                whole.lines.extend(found.lines);
                whole
            }
            None => whole.insert(found),
        };
        // More than a sheet holds is in the CSV.
        if query.after.is_none() || whole.lines.len() > MAX_ROWS {
            break;
        }
    }
    let whole = whole.ok_or_else(Problem::internal)?;
    let name = statement_number(whole.payout.statement_number);
    file(
        ask.page("statement-title"),
        move |page| sheet(page, &whole, &parties),
        name,
    )
    .await
}

/// Everything printed on a statement.
fn sheet(page: &Page, found: &StatementPage, both: &Parties) -> Sheet {
    let payout = &found.payout;
    let number = statement_number(payout.statement_number);
    let row = |line: &crate::domains::payouts::views::Line| {
        let reference = || line.movement.reference.clone();
        vec![
            page.format.date(line.movement.at),
            kind_text(page, &line.movement.kind),
            line.order.clone().unwrap_or_else(reference),
            page.format.money(line.movement.amount),
        ]
    };
    let money = |label: &str, amount| (page.say(label), page.format.money(amount));
    let count = i64::try_from(MAX_ROWS).unwrap_or(i64::MAX);
    let more =
        (found.lines.len() > MAX_ROWS).then(|| page.say_one("statement-truncated", "count", count));
    let notes = [Some(page.say("statement-text")), more];
    Sheet {
        title: page.say_one("paper-statement-heading", "number", number.as_str()),
        parties: parties(page, both),
        facts: facts(page, payout),
        columns: vec![
            Column::words(page.say("payouts-when"), 4),
            Column::words(page.say("statement-movement"), 4),
            Column::words(page.say("statement-order"), 7),
            Column::figures(page.say("payouts-amount"), 4),
        ],
        rows: found.lines.iter().take(MAX_ROWS).map(row).collect(),
        sums: vec![
            money("statement-opening", found.closing.opening),
            money("statement-closing", found.closing.closing),
            money("payouts-amount", payout.amount),
        ],
        notes: notes.into_iter().flatten().collect(),
        ..blank(page)
    }
}

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
