//! A buyer's subscriptions, with what happens next in words before each action; and a seller's
//! subscribers.

use super::ask::{Answer, Ask, go_to, html};
use super::page::{Page, Section};
use super::shelf::price_text;
use crate::app::ReadCx;
use crate::domains::catalog::{self, PriceModel};
use crate::domains::subscriptions::http::keeper;
use crate::domains::subscriptions::{
    self as subs, Act, Action, AskChange, ChangeMethod, ChangePlan, ChangeQuote, KeepPrice, Mine,
    MySubscription, OfProduct, Status, Step, Subscription, SubscriptionError, SubscriptionPage,
    next_status,
};
use crate::gateways::sandbox::saved::METHODS;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{PriceId, ProductId, SubscriptionId};
use mintreu::{Currency, Money};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct ListPage {
    page: Page,
    heading: String,
    rows: Vec<SubscriptionRow>,
    empty: String,
    next: Option<String>,
}

struct SubscriptionRow {
    address: Option<String>,
    name: String,
    state: String,
    price: String,
    next: String,
}

#[derive(Template)]
#[template(path = "subscription.html")]
struct OnePage {
    page: Page,
    name: String,
    base: String,
    state: String,
    next: String,
    facts: Vec<(String, String)>,
    /// A price that was announced, which can be refused.
    announced: Option<String>,
    actions: Vec<ActionView>,
    /// Empty when nothing can be changed now.
    plans: Vec<Choice>,
    seats: i64,
    quote: Option<QuoteView>,
    methods: Vec<Choice>,
    bills: Vec<(String, String, String)>,
}

struct ActionView {
    code: &'static str,
    button: String,
    text: String,
    amount: i64,
    currency: String,
}

struct Choice {
    value: String,
    text: String,
    chosen: bool,
}

struct QuoteView {
    text: String,
    button: String,
    price: String,
    seats: i64,
    due: i64,
    currency: String,
}

/// Which page of a list, or which change is asked about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    after: Option<String>,
    price: Option<String>,
    seats: Option<String>,
}

/// What a form of a subscription's page sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wish {
    action: String,
    amount: i64,
    currency: String,
    price: String,
    seats: String,
    method: String,
}

const PAGE: i64 = 50;

fn missing() -> Problem {
    Problem::not_found("There is no such subscription.")
}

fn id_of(text: &str) -> Result<SubscriptionId, Problem> {
    SubscriptionId::parse(text).map_err(|_| missing())
}

fn after(which: &Which) -> Result<Option<SubscriptionId>, Problem> {
    which.after.as_deref().map(id_of).transpose()
}

type Named = Vec<(Subscription, String)>;

fn named(cx: &mut ReadCx<'_>, found: Vec<Subscription>) -> Result<Named, SubscriptionError> {
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        let product = catalog::product(cx.tx, cx.caller.tenant, one.product)?;
        rows.push((one, product.map(|product| product.name).unwrap_or_default()));
    }
    Ok(rows)
}

fn my_list(cx: &mut ReadCx<'_>, query: &Mine) -> Result<Named, SubscriptionError> {
    let found = subs::mine(cx, query)?;
    named(cx, found)
}

fn their_list(cx: &mut ReadCx<'_>, query: &OfProduct) -> Result<Named, SubscriptionError> {
    let found = subs::of_product(cx, query)?;
    named(cx, found)
}

/// `GET /subscriptions`.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let query = Mine {
        before: after(&which)?,
        limit: PAGE,
    };
    let found = ask.app.read(&ask.visitor.caller, query, my_list).await?;
    let page = ask.section_page("subs-title", Section::Licenses);
    html(&drawn_list(
        page,
        &found,
        ("subs-title", "subs-empty"),
        "/subscriptions",
        true,
    ))
}

/// `GET /sell/products/{id}/subscribers`.
pub async fn subscribers(
    ask: Ask,
    Path(product): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let product = ProductId::parse(&product).map_err(|_| missing())?;
    let query = OfProduct {
        product,
        before: after(&which)?,
        limit: PAGE,
    };
    let found = ask.app.read(&ask.visitor.caller, query, their_list).await?;
    let page = ask.section_page("subs-sell-title", Section::Sell);
    let base = format!("/sell/products/{product}/subscribers");
    html(&drawn_list(
        page,
        &found,
        ("subs-sell-title", "subs-sell-empty"),
        &base,
        false,
    ))
}

fn drawn_list(
    page: Page,
    found: &Named,
    (heading, empty): (&str, &str),
    base: &str,
    mine: bool,
) -> ListPage {
    let row = |(of, name): &(Subscription, String)| SubscriptionRow {
        address: mine.then(|| format!("/subscriptions/{}", of.id)),
        name: if mine {
            name.clone()
        } else {
            of.id.to_string()
        },
        state: state(&page, of),
        price: amount_text(&page, of),
        next: next(&page, of),
    };
    let full = i64::try_from(found.len()).is_ok_and(|rows| rows == PAGE);
    let last = found.last().filter(|_| full);
    ListPage {
        heading: page.say(heading),
        empty: page.say(empty),
        rows: found.iter().map(row).collect(),
        next: last.map(|(of, _)| format!("{base}?after={}", of.id)),
        page,
    }
}

fn state(page: &Page, of: &Subscription) -> String {
    page.say(match of.status {
        Status::Incomplete => "subs-incomplete",
        Status::Trialing => "subs-trialing",
        Status::Active => "subs-active",
        Status::PastDue => "subs-past-due",
        Status::Paused => "subs-paused",
        Status::Canceled => "subs-canceled",
    })
}

fn period_amount(of: &Subscription) -> Money {
    let minor = of.unit.minor().saturating_mul(of.seats);
    Money::new(minor, of.currency())
}

fn amount_text(page: &Page, of: &Subscription) -> String {
    let values = [
        ("amount", page.format.money(period_amount(of)).into()),
        ("count", of.cycle.count().to_string().into()),
        ("unit", of.cycle.unit().code().into()),
        ("seats", of.seats.to_string().into()),
    ];
    page.words.say_with("subs-amount", values)
}

/// A sentence with the period's end and what a period costs.
fn sentence(page: &Page, key: &str, of: &Subscription, amount: Money) -> String {
    let values = [
        ("date", page.format.day(of.until).into()),
        ("amount", page.format.money(amount).into()),
    ];
    page.words.say_with(key, values)
}

/// What the next period will cost, by what waits for it.
fn coming(of: &Subscription) -> Money {
    let announced = of.notice.filter(|notice| notice.1 <= of.until);
    let unit = announced.map_or(of.unit.minor(), |notice| notice.0);
    let (unit, seats) = match &of.pending {
        Some(change) => (change.unit_minor, change.seats),
        None => (unit, of.seats),
    };
    Money::new(unit.saturating_mul(seats), of.currency())
}

/// What happens next.
fn next(page: &Page, of: &Subscription) -> String {
    let key = match of.status {
        Status::Trialing | Status::Active if of.cancel_wished_at.is_some() => "subs-next-ends",
        Status::Active if of.pause_wished_at.is_some() => "subs-next-pauses",
        Status::Trialing if of.method.is_none() => "subs-next-no-method",
        Status::Trialing => "subs-next-trial",
        Status::Active => "subs-next-renews",
        Status::PastDue => match of.next_attempt_at {
            Some(at) => return page.say_one("subs-next-retry", "date", page.format.day(at)),
            None => "subs-next-unpaid",
        },
        Status::Incomplete => "subs-next-incomplete",
        Status::Paused => "subs-next-paused",
        Status::Canceled => "subs-next-canceled",
    };
    sentence(page, key, of, coming(of))
}

/// `GET /subscriptions/{id}`; with a price or seats, what the change would cost.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    which: Result<Query<Which>, Problem>,
) -> Answer {
    ask.account()?;
    let Query(which) = which?;
    let subscription = id_of(&id)?;
    let caller = &ask.visitor.caller;
    let query = MySubscription { subscription };
    let found = ask.app.read(caller, query, subs::my_subscription).await?;
    let quoted = match which.seats.is_some() || which.price.is_some() {
        true => {
            let price = which.price.as_deref().unwrap_or_default();
            let seats = which.seats.as_deref().unwrap_or_default();
            let change = asked(subscription, price, seats)?;
            let quoted = ask.app.read(caller, change, subs::quote_change).await?;
            Some(quoted)
        }
        false => None,
    };
    let page = ask.section_page("subs-title", Section::Licenses);
    html(&drawn(page, &found, quoted.as_ref()))
}

fn asked(
    subscription: SubscriptionId,
    price: &str,
    seats: &str,
) -> Result<AskChange, SubscriptionError> {
    let wrong = |field, detail: &str| SubscriptionError::Invalid {
        field,
        detail: detail.to_owned(),
    };
    let price = match price {
        "" => None,
        text => Some(PriceId::parse(text).map_err(|_| wrong("price", "no such price"))?),
    };
    let seats = match seats.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| wrong("seats", "a whole number"))?),
    };
    Ok(AskChange {
        subscription,
        price,
        seats,
    })
}

fn drawn(mut page: Page, found: &SubscriptionPage, quoted: Option<&ChangeQuote>) -> OnePage {
    let of = &found.subscription;
    page.title = found.product.name.clone();
    let offered = |action: &Action| {
        let step = next_status(of.status, of.flags(), action.event());
        matches!(step, Step::Do | Step::Move(_))
    };
    let changes = next_status(of.status, of.flags(), subs::Event::Change) == Step::Do;
    let recurring = found.product.prices.iter().filter(|price| {
        changes && price.model == PriceModel::Recurring && price.amount.currency() == of.currency()
    });
    let chosen = quoted.map_or(of.price.to_string(), |quoted| quoted.change.price.clone());
    let plans = recurring.map(|price| Choice {
        text: price_text(&page, price),
        chosen: price.id.to_string() == chosen,
        value: price.id.to_string(),
    });
    let plans: Vec<_> = plans.collect();
    let period = format!(
        "{} – {}",
        page.format.day(of.from),
        page.format.day(of.until)
    );
    OnePage {
        name: found.product.name.clone(),
        base: format!("/subscriptions/{}", of.id),
        state: state(&page, of),
        next: next(&page, of),
        facts: vec![
            (page.say("subs-price"), amount_text(&page, of)),
            (page.say("subs-period"), period),
            (page.say("invoice-license"), of.license.to_string()),
        ],
        announced: announced(&page, of),
        actions: Action::ALL
            .iter()
            .filter(|action| offered(action))
            .map(|action| action_view(&page, of, *action))
            .collect(),
        plans,
        seats: quoted.map_or(of.seats, |quoted| quoted.change.seats),
        quote: quoted.map(|quoted| quote_view(&page, of, quoted)),
        methods: METHODS
            .iter()
            .map(|(name, failure)| Choice {
                value: (*name).to_owned(),
                text: page.say(method_key(*failure)),
                chosen: of.method.as_deref() == Some(*name),
            })
            .collect(),
        bills: found
            .bills
            .iter()
            .map(|bill| bill_row(&page, bill))
            .collect(),
        page,
    }
}

/// What a method of the sandbox is called, by why it fails.
pub(super) fn method_key(failure: Option<&str>) -> &'static str {
    match failure {
        None => "subs-method-pays",
        Some("insufficient_funds") => "subs-method-funds",
        Some("card_expired") => "subs-method-expired",
        Some(_) => "subs-method-lost",
    }
}

/// What a period will cost by a price that was announced.
fn announced(page: &Page, of: &Subscription) -> Option<String> {
    let (unit, from) = of.notice?;
    let amount = Money::new(unit.saturating_mul(of.seats), of.currency());
    let values = [
        ("date", page.format.day(from).into()),
        ("amount", page.format.money(amount).into()),
    ];
    Some(page.words.say_with("subs-announced", values))
}

fn bill_row(page: &Page, bill: &subs::Bill) -> (String, String, String) {
    let what = page.say(match bill.kind {
        subs::BillKind::Renewal => "subs-bill-renewal",
        subs::BillKind::Change => "subs-bill-change",
        subs::BillKind::Return => "subs-bill-return",
    });
    let (from, until) = bill.period;
    let period = format!("{} – {}", page.format.day(from), page.format.day(until));
    (format!("/orders/{}", bill.order), what, period)
}

fn action_view(page: &Page, of: &Subscription, action: Action) -> ActionView {
    let (button, text) = match action {
        Action::Cancel => ("subs-do-cancel", "subs-do-cancel-text"),
        Action::CancelNow => ("subs-do-cancel-now", "subs-do-cancel-now-text"),
        Action::Uncancel => ("subs-do-uncancel", "subs-do-uncancel-text"),
        Action::Pause => ("subs-do-pause", "subs-do-pause-text"),
        Action::Unpause => ("subs-do-unpause", "subs-do-unpause-text"),
        Action::Resume => ("subs-do-resume", "subs-do-resume-text"),
        Action::Resubscribe => ("subs-do-resubscribe", "subs-do-resubscribe-text"),
    };
    let amount = match action {
        Action::Uncancel | Action::Unpause => coming(of),
        _ => period_amount(of),
    };
    ActionView {
        code: action.code(),
        button: page.say(button),
        text: sentence(page, text, of, amount),
        amount: amount.minor(),
        currency: amount.currency().code().to_owned(),
    }
}

fn quote_view(page: &Page, of: &Subscription, quoted: &ChangeQuote) -> QuoteView {
    let key = match (quoted.now, quoted.quote.due.minor()) {
        (true, 0) => "subs-quote-free",
        (true, _) => "subs-quote-now",
        (false, _) => "subs-quote-later",
    };
    let values = [
        ("due", page.format.money(quoted.quote.due).into()),
        ("charge", page.format.money(quoted.quote.charge).into()),
        ("credit", page.format.money(quoted.quote.credit).into()),
        ("amount", page.format.money(quoted.amount).into()),
        ("from", page.format.day(quoted.from).into()),
        ("next", page.format.day(quoted.next).into()),
    ];
    QuoteView {
        text: page.words.say_with(key, values),
        button: page.say("subs-quote-action"),
        price: quoted.change.price.clone(),
        seats: quoted.change.seats,
        due: quoted.quote.due.minor(),
        currency: of.currency().code().to_owned(),
    }
}

/// `POST /subscriptions/{id}`: an action, a change or another method.
pub async fn wish(
    ask: Ask,
    Path(id): Path<String>,
    form: Result<CsrfForm<Wish>, Problem>,
) -> Answer {
    ask.account()?;
    let CsrfForm(form) = form?;
    let subscription = id_of(&id)?;
    let caller = &ask.visitor.caller;
    let seen = Currency::parse(&form.currency).ok();
    let seen = seen.map(|currency| Money::new(form.amount, currency));
    match form.action.as_str() {
        "method" => {
            let command = ChangeMethod {
                subscription,
                provider: keeper(&ask.app, &form.method)?,
                method: form.method,
            };
            ask.app
                .transact(caller, command, subs::change_method)
                .await?;
        }
        "keep_price" => {
            let command = KeepPrice { subscription };
            ask.app.transact(caller, command, subs::keep_price).await?;
        }
        "change" => {
            let command = ChangePlan {
                ask: asked(subscription, &form.price, &form.seats)?,
                seen: seen.ok_or_else(missing)?,
            };
            ask.app.transact(caller, command, subs::change_plan).await?;
        }
        action => {
            let command = Act {
                subscription,
                action: Action::parse(action).ok_or_else(missing)?,
                seen,
            };
            ask.app.transact(caller, command, subs::act).await?;
        }
    }
    go_to(&format!("/subscriptions/{subscription}"))
}
