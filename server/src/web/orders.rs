//! The orders of who is signed in: what was paid, what waits for its money, what went back, and
//! gifts that were bought.

use super::ask::{Answer, Ask, html};
use super::order;
use super::page::{Page, Section};
use super::parts::{Badge, Tone};
use crate::domains::fulfilment::{Bought, bought};
use crate::domains::orders::{History, Line, Order, OrderState};
use crate::problem::Problem;
use crate::wire::Query;
use askama::Template;
use mintreu::id::OrderId;
use serde::Deserialize;

/// The states that one can look for; the others are on their way to one of these.
const STATES: [OrderState; 7] = [
    OrderState::AwaitingPayment,
    OrderState::Paid,
    OrderState::Failed,
    OrderState::Expired,
    OrderState::PartiallyRefunded,
    OrderState::Refunded,
    OrderState::Void,
];

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    page: Page,
    filters: Vec<Filter>,
    /// Whether the newest of every state are shown: nothing then means that nothing was bought.
    all: bool,
    /// What is said when there is none of those that were chosen.
    none: [&'static str; 2],
    rows: Vec<Row>,
    next: Option<String>,
}

struct Filter {
    name: String,
    address: String,
    chosen: bool,
}

struct Row {
    address: String,
    what: String,
    /// Whom it was given to.
    gift: Option<String>,
    date: String,
    state: Badge,
    /// What a bank asks about it.
    dispute: Option<Badge>,
    /// What the button says to who can't see its row; none where nothing can be paid.
    pay: Option<String>,
    total: String,
}

/// Which orders, and where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    after: Option<String>,
    state: Option<String>,
    disputed: bool,
}

/// `GET /orders?state=…&after=…`.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let before = which.after.as_deref().map(OrderId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such order."))?;
    let state = which.state.as_deref().and_then(OrderState::parse);
    let state = state.filter(|state| STATES.contains(state) && !which.disputed);
    let query = History {
        before,
        limit: 20,
        state,
        disputed: which.disputed,
    };
    let found = ask.app.read(&ask.visitor.caller, query, bought).await?;
    let page = ask.section_page("orders-title", Section::Licenses);
    let chosen = match (which.disputed, state) {
        (true, _) => "&disputed=true".to_owned(),
        (false, state) => {
            state.map_or_else(String::new, |state| format!("&state={}", state.code()))
        }
    };
    html(&OrdersPage {
        filters: filters(&page, state, which.disputed),
        all: state.is_none() && before.is_none() && !which.disputed,
        none: match which.disputed {
            true => ["orders-undisputed-title", "orders-undisputed-text"],
            false => ["orders-none-title", "orders-none-text"],
        },
        rows: found.orders.iter().map(|one| row(&page, one)).collect(),
        next: found
            .next
            .map(|order| format!("/orders?after={order}{chosen}")),
        page,
    })
}

fn filters(page: &Page, chosen: Option<OrderState>, disputed: bool) -> Vec<Filter> {
    let all = Filter {
        name: page.say("orders-all"),
        address: "/orders".to_owned(),
        chosen: chosen.is_none() && !disputed,
    };
    let of = |state: OrderState| Filter {
        name: page.say(order::words(state).1),
        address: format!("/orders?state={}", state.code()),
        chosen: chosen == Some(state) && !disputed,
    };
    let asked = Filter {
        name: page.say("orders-disputed-filter"),
        address: "/orders?disputed=true".to_owned(),
        chosen: disputed,
    };
    let states = STATES.into_iter().map(of);
    std::iter::once(all).chain(states).chain([asked]).collect()
}

fn row(page: &Page, bought: &Bought) -> Row {
    let order = &bought.order;
    let (tone, state, ..) = order::words(order.state);
    let what = what(page, order);
    let pay = || page.say_one("orders-pay-label", "title", what.as_str());
    Row {
        address: format!("/orders/{}", order.id),
        gift: bought.gift.as_ref().map(|gift| match &gift.recipient {
            Some(known) => page.say_one("orders-gift", "email", known.email.as_str()),
            None => page.say("orders-gift-erased"),
        }),
        date: page.format.date(order.placed_at),
        state: Badge::new(tone, page.say(state)),
        dispute: bought
            .disputed
            .then(|| Badge::new(Tone::Bad, page.say("orders-disputed"))),
        pay: bought.payable.then(pay),
        total: page.format.money(order.total),
        what,
    }
}

/// The first line, and how many others there are.
fn what(page: &Page, order: &Order) -> String {
    let Some(first) = order.lines.first() else {
        return order.id.to_string();
    };
    let title = title(page, first);
    let others = i64::try_from(order.lines.len() - 1).unwrap_or(i64::MAX);
    if others == 0 {
        return title;
    }
    let values = [("title", title.into()), ("count", others.into())];
    page.words.say_with("orders-more", values)
}

fn title(page: &Page, line: &Line) -> String {
    let title = match &line.bundle {
        Some(bundle) => &bundle.title,
        None => &line.title,
    };
    if line.quantity == 1 {
        return title.clone();
    }
    let values = [
        ("title", title.as_str().into()),
        ("count", line.quantity.into()),
    ];
    page.words.say_with("orders-times", values)
}
