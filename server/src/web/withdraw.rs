//! Withdrawing from a contract in two steps: the order's page leads here, and the button here confirms.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::Token;
use super::page::{Page, Section};
use super::parts::{Choice, Field, Notice, Tone};
use crate::domains::refunds::RefundState;
use crate::domains::wishes::{
    OfLine, Standing, ViewWithdrawal, Withdraw, WithdrawalView, view_withdrawal, withdraw,
};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{OrderId, OrderLineId};
use mintreu::{Money, Timestamp};
use serde::Deserialize;

/// What the form calls every line that can be withdrawn from.
const ALL: &str = "all";

#[derive(Template)]
#[template(path = "withdraw.html")]
struct WithdrawPage {
    page: Page,
    lead: String,
    /// Why it was refused.
    notice: Option<Notice>,
    /// Each line's title, whether it can be withdrawn from, and what would go back.
    lines: Vec<(String, String, String)>,
    /// From what; none when there is nothing to withdraw from.
    choices: Option<Field>,
    statement: String,
    action: String,
    back: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    line: String,
}

fn order_id(id: &str) -> Result<OrderId, Problem> {
    OrderId::parse(id).map_err(|_| Problem::not_found("There is no such order."))
}

async fn view(ask: &Ask, order: OrderId, token: &Token) -> Result<WithdrawalView, Problem> {
    let query = ViewWithdrawal {
        order,
        token: token.t.clone(),
    };
    let caller = &ask.visitor.caller;
    Ok(ask.app.read(caller, query, view_withdrawal).await?)
}

/// Where an order can be withdrawn from; none when it can't, or no more.
pub(super) async fn link(
    ask: &Ask,
    order: OrderId,
    token: &Token,
) -> Result<Option<String>, Problem> {
    let view = view(ask, order, token).await?;
    let address = format!("/orders/{order}/withdraw{}", token.suffix());
    Ok(view.is_open().then_some(address))
}

/// `GET /orders/{id}/withdraw?t=…`: from what, until when, and the button that confirms.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
) -> Answer {
    let Query(token) = token?;
    let order = order_id(&id)?;
    if token.t.is_none() {
        ask.account()?;
    }
    let view = view(&ask, order, &token).await?;
    html(&WithdrawPage::new(&ask, &view, &token))
}

/// `POST /orders/{id}/withdraw?t=…`: declares it; pressing twice declares once.
pub async fn confirm(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Confirmed>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(token)) = (form?, token?);
    let order = order_id(&id)?;
    let line = match form.line.as_str() {
        ALL => None,
        line => Some(OrderLineId::parse(line)?),
    };
    let command = Withdraw {
        order,
        token: token.t.clone(),
        line,
    };
    let caller = &ask.visitor.caller;
    let declared = ask.app.transact(caller, command, withdraw).await;
    let problem = match declared {
        Ok(_) => return go_to(&format!("/orders/{order}/withdraw{}", token.suffix())),
        Err(error) => Problem::from(error),
    };
    // What stands in the way is said at each line, as it is now.
    if problem.status_code() != 409 {
        return Err(problem.into());
    }
    let view = view(&ask, order, &token).await?;
    let page = WithdrawPage::new(&ask, &view, &token);
    let notice = Notice::new(Tone::Bad, page.page.say("withdraw-nothing"));
    refused(
        409,
        &WithdrawPage {
            notice: Some(notice),
            ..page
        },
    )
}

impl WithdrawPage {
    fn new(ask: &Ask, view: &WithdrawalView, token: &Token) -> Self {
        let page = ask.section_page("withdraw-title", Section::Licenses);
        let number = view.order.to_string();
        let withdrew = view.lines.iter().any(|line| line.withdrawal.is_some());
        let lead = match view.until.filter(|_| view.is_open()) {
            None if withdrew => page.say("withdraw-done"),
            Some(until) => {
                // The last moment at which it can be done, and not the first at which it can't.
                let last = Timestamp::from_ms(until.ms() - 1);
                page.say_one("withdraw-until", "until", page.format.instant(last))
            }
            None => page.say("withdraw-nothing"),
        };
        let line = |line: &OfLine| {
            let amount = line
                .withdrawal
                .as_ref()
                .map_or(line.left, |(one, _)| one.amount);
            let title = line.title.clone();
            (title, stands(&page, line), page.format.money(amount))
        };
        Self {
            lead,
            notice: None,
            lines: view.lines.iter().map(line).collect(),
            choices: choices(&page, view),
            statement: page.say_one("withdraw-statement", "order", number.as_str()),
            action: format!("/orders/{number}/withdraw{}", token.suffix()),
            back: format!("/orders/{number}{}", token.suffix()),
            page,
        }
    }
}

/// Where a line stands, in words.
fn stands(page: &Page, line: &OfLine) -> String {
    let Some((declared, state)) = &line.withdrawal else {
        return page.say(&format!("withdraw-stands-{}", line.standing.code()));
    };
    let key = match state {
        RefundState::Failed => "withdraw-failed",
        RefundState::Requested | RefundState::Succeeded => "withdraw-declared",
    };
    let values = [
        ("when", page.format.instant(declared.declared_at).into()),
        ("amount", page.format.money(declared.amount).into()),
    ];
    page.words.say_with(key, values)
}

fn choices(page: &Page, view: &WithdrawalView) -> Option<Field> {
    let open = view.lines.iter();
    let open: Vec<_> = open
        .filter(|line| line.standing == Standing::Open)
        .collect();
    let currency = open.first()?.left.currency();
    let sum: i64 = open.iter().map(|line| line.left.minor()).sum();
    let all = page.format.money(Money::new(sum, currency));
    let mut choices = vec![Choice {
        value: ALL.to_owned(),
        text: page.say_one("withdraw-all", "amount", all),
    }];
    for line in open.iter().filter(|_| open.len() > 1) {
        let values = [
            ("title", line.title.as_str().into()),
            ("amount", page.format.money(line.left).into()),
        ];
        choices.push(Choice {
            value: line.line.to_string(),
            text: page.words.say_with("withdraw-one", values),
        });
    }
    Some(Field::select("line", page.say("withdraw-what"), choices).value(ALL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Locale, Translator};

    #[test]
    fn every_standing_has_words() {
        let words = Translator::of(Locale::default());
        for standing in Standing::ALL {
            let key = format!("withdraw-stands-{}", standing.code());
            // What was declared says when, and how much goes back.
            let told = standing == Standing::Withdrawn || words.say(&key) != key;
            assert!(told, "{key}");
        }
    }
}
