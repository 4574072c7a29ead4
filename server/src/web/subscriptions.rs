//! A buyer's subscriptions, with what happens next in words before each action; and a seller's
//! subscribers.

use super::ask::{Answer, Ask, go_to, html};
use super::cycle::price_each;
use super::methods::{self, Methods};
use super::order_back::agreements;
use super::page::{Page, Section};
use super::shelf::price_text;
use crate::app::ReadCx;
use crate::domains::catalog::{self, Price, PriceModel, Standing};
use crate::domains::methods::http::chosen;
use crate::domains::methods::{Method, MyMethods, my_methods};
use crate::domains::subscriptions::{
    self as subs, Act, Action, AskChange, ChangeMethod, ChangePlan, ChangeQuote, KeepPrice, Mine,
    MySubscription, OfProduct, Status, Step, Subscription, SubscriptionError, SubscriptionPage,
    WillCharge, next_status,
};
use crate::domains::taxes::Tax;
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{PaymentId, PriceId, ProductId, SubscriptionId};
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
    /// That its product was given up, where it was.
    given_up: Option<String>,
    facts: Vec<(String, String)>,
    /// A price that was announced, which can be refused.
    announced: Option<String>,
    actions: Vec<ActionView>,
    /// Empty when nothing can be changed now.
    plans: Vec<Choice>,
    seats: i64,
    quote: Option<QuoteView>,
    methods: Methods,
    bills: Vec<(String, String, String)>,
    /// What was agreed to when a trial began.
    agreed: Vec<String>,
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
    /// What the next period charges with a code; empty without one.
    code: String,
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

/// Each with its product's name, and what it will charge.
type Named = Vec<(Subscription, String, WillCharge)>;

fn named(cx: &mut ReadCx<'_>, found: Vec<Subscription>) -> Result<Named, SubscriptionError> {
    let mut rows = Vec::with_capacity(found.len());
    for one in found {
        let product = catalog::product(cx.tx, cx.caller.tenant, one.product)?;
        let name = product.map(|product| product.name).unwrap_or_default();
        let tenant = cx.caller.tenant;
        let due = match one.account == cx.caller.account {
            true => subs::due_of(cx.tx, (tenant, cx.now), &one)?,
            // What a buyer's country adds isn't the seller's.
            false => subs::due_with(cx.tx, tenant, &one, Tax::zero(""))?,
        };
        rows.push((one, name, due));
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
    let row = |(of, name, due): &(Subscription, String, WillCharge)| SubscriptionRow {
        address: mine.then(|| format!("/subscriptions/{}", of.id)),
        name: if mine {
            name.clone()
        } else {
            of.id.to_string()
        },
        state: state(&page, of),
        price: amount_text(&page, of),
        next: next(&page, of, due),
    };
    let full = i64::try_from(found.len()).is_ok_and(|rows| rows == PAGE);
    let last = found.last().filter(|_| full);
    ListPage {
        heading: page.say(heading),
        empty: page.say(empty),
        rows: found.iter().map(row).collect(),
        next: last.map(|(of, _, _)| format!("{base}?after={}", of.id)),
        page,
    }
}

pub(super) fn state(page: &Page, of: &Subscription) -> String {
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
    let amount = page.format.money(period_amount(of));
    let values = [
        ("price", price_each(page, amount, of.cycle).into()),
        ("seats", of.seats.into()),
    ];
    page.words.say_with("subs-amount", values)
}

/// What is charged for an amount, with the tax that comes on top.
pub(super) fn taxed(tax: &Tax, amount: Money) -> Money {
    tax.on(amount).map_or(amount, |taxed| taxed.charged)
}

/// A sentence with the period's end and what a period costs.
fn sentence(page: &Page, key: &str, of: &Subscription, amount: Money) -> String {
    let values = [
        ("date", page.format.date(of.until).into()),
        ("amount", page.format.money(amount).into()),
    ];
    page.words.say_with(key, values)
}

/// What happens next.
pub(super) fn next(page: &Page, of: &Subscription, due: &WillCharge) -> String {
    let key = match of.status {
        Status::Trialing | Status::Active if of.cancel_wished_at.is_some() => "subs-next-ends",
        Status::Active if of.pause_wished_at.is_some() => "subs-next-pauses",
        Status::Trialing | Status::Active | Status::PastDue if of.rests_since.is_some() => {
            return page.say("subs-next-rests");
        }
        Status::Trialing if of.method.is_none() => "subs-next-no-method",
        Status::Trialing => "subs-next-trial",
        Status::Active if of.is_last() => "subs-next-last",
        Status::Active if of.payments_left.is_some() => return left(page, of, due),
        Status::Active => "subs-next-renews",
        Status::PastDue => match of.next_attempt_at {
            Some(at) => return page.say_one("subs-next-retry", "date", page.format.date(at)),
            None => "subs-next-unpaid",
        },
        Status::Incomplete => "subs-next-incomplete",
        Status::Paused if due.discontinued => "subs-next-paused-gone",
        Status::Paused => "subs-next-paused",
        Status::Canceled if of.is_kept() => "subs-next-paid-off",
        Status::Canceled if of.is_last() => "subs-next-completed",
        Status::Canceled if due.for_sale => "subs-next-canceled",
        Status::Canceled => "subs-next-over",
    };
    let amount = match of.status {
        Status::Incomplete | Status::Paused | Status::Canceled => due.now,
        _ => due.next,
    };
    sentence(page, key, of, amount)
}

/// How many payments are left, and when the next is due.
fn left(page: &Page, of: &Subscription, due: &WillCharge) -> String {
    let values = [
        ("count", of.payments_left.unwrap_or(0).into()),
        ("date", page.format.date(of.until).into()),
        ("amount", page.format.money(due.next).into()),
    ];
    page.words.say_with("subs-next-fixed", values)
}

/// Whether its buyer can do that now.
pub(super) fn can(of: &Subscription, due: &WillCharge, action: Action) -> bool {
    let step = next_status(of.status, of.flags(), action.event());
    let may = match action {
        Action::Uncancel => !due.discontinued && due.standing != Standing::Closed,
        Action::Resume => !due.discontinued && due.standing == Standing::Active,
        Action::Resubscribe => due.for_sale && !of.is_last(),
        _ => true,
    };
    may && matches!(step, Step::Do | Step::Move(_))
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
    let own = ask.app.read(caller, MyMethods, my_methods).await;
    let own = own.map_err(Problem::from)?;
    html(&drawn(page, (&found, &own), quoted.as_ref()))
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

fn drawn(
    mut page: Page,
    (found, own): (&SubscriptionPage, &[Method]),
    quoted: Option<&ChangeQuote>,
) -> OnePage {
    let of = &found.subscription;
    page.title = found.product.name.clone();
    let step = next_status(of.status, of.flags(), subs::Event::Change);
    let fixed = of.payments_left.is_some() && of.keeps_license;
    let changes = step == Step::Do && found.due.for_sale && !fixed;
    let recurring = found.product.prices.iter().filter(|price| {
        changes
            && price.model == PriceModel::Recurring
            && price.amount.currency() == of.currency()
            && price.serves(None)
            && fits(of, price)
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
        page.format.date(of.from),
        page.format.date(of.until)
    );
    OnePage {
        name: found.product.name.clone(),
        base: format!("/subscriptions/{}", of.id),
        state: state(&page, of),
        next: next(&page, of, &found.due),
        given_up: found.due.discontinued.then(|| page.say("subs-given-up")),
        facts: vec![
            (page.say("subs-price"), amount_text(&page, of)),
            (page.say("subs-period"), period),
            (page.say("subs-method"), charged(&page, found)),
            (page.say("invoice-license"), of.license.to_string()),
        ],
        announced: announced(&page, of),
        actions: Action::ALL
            .iter()
            .filter(|action| can(of, &found.due, **action))
            .map(|action| action_view(&page, (of, &found.due), *action))
            .collect(),
        plans,
        seats: quoted.map_or(of.seats, |quoted| quoted.change.seats),
        quote: quoted.map(|quoted| quote_view(&page, of, quoted)),
        methods: Methods::new(
            &page,
            own,
            of.method.as_deref(),
            format!("/subscriptions/{}", of.id),
        ),
        bills: found
            .bills
            .iter()
            .map(|bill| bill_row(&page, bill))
            .collect(),
        agreed: agreements(&page, &found.consents),
        page,
    }
}

/// Whether a change could lead to a price: what is of a fixed number of payments stays as it is.
fn fits(of: &Subscription, price: &Price) -> bool {
    match of.payments_left {
        Some(_) => price.id == of.price,
        None => price.bounds.renewing.payments.is_none(),
    }
}

/// What is charged, as its owner knows it.
fn charged(page: &Page, found: &SubscriptionPage) -> String {
    let name = found.subscription.method.as_deref();
    match (&found.kept, name) {
        (Some(kept), _) => methods::words(page, kept),
        (None, None) => page.say("methods-none"),
        (None, Some(name)) if PaymentId::parse(name).is_ok() => page.say("methods-first"),
        (None, Some(_)) => page.say("methods-test"),
    }
}

/// What a period will cost by a price that was announced.
fn announced(page: &Page, of: &Subscription) -> Option<String> {
    let (unit, from) = of.notice?;
    let amount = Money::new(unit.saturating_mul(of.seats), of.currency());
    let values = [
        ("date", page.format.date(from).into()),
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
    let period = format!("{} – {}", page.format.date(from), page.format.date(until));
    (format!("/orders/{}", bill.order), what, period)
}

fn action_view(page: &Page, (of, due): (&Subscription, &WillCharge), action: Action) -> ActionView {
    let amount = period_amount(of);
    let (button, text) = action_words(page, (of, due), action);
    ActionView {
        code: action.code(),
        button,
        text,
        amount: amount.minor(),
        currency: amount.currency().code().to_owned(),
    }
}

/// The button of an action, and what it does in words.
pub(super) fn action_words(
    page: &Page,
    (of, due): (&Subscription, &WillCharge),
    action: Action,
) -> (String, String) {
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
        Action::Uncancel | Action::Unpause => due.next,
        _ => due.now,
    };
    (page.say(button), sentence(page, text, of, amount))
}

fn quote_view(page: &Page, of: &Subscription, quoted: &ChangeQuote) -> QuoteView {
    let (due, tax) = (quoted.quote.due, &quoted.tax);
    let charged = taxed(tax, due);
    let on_top = Money::new(charged.minor() - due.minor(), due.currency());
    let key = match (quoted.now, due.minor(), on_top.minor()) {
        (true, 0, _) => "subs-quote-free",
        (true, _, 0) => "subs-quote-now",
        (true, _, _) => "subs-quote-taxed",
        (false, _, _) => "subs-quote-later",
    };
    let price = taxed(tax, quoted.amount);
    let amount = match quoted.now && due.minor() > 0 {
        true => quoted.next_charge,
        false => price,
    };
    let values = [
        ("due", page.format.money(charged).into()),
        ("tax", page.format.money(on_top).into()),
        ("charge", page.format.money(quoted.quote.charge).into()),
        ("credit", page.format.money(quoted.quote.credit).into()),
        ("amount", page.format.money(amount).into()),
        ("from", page.format.date(quoted.from).into()),
        ("next", page.format.date(quoted.next).into()),
    ];
    let with_code = [
        ("amount", page.format.money(quoted.next_charge).into()),
        ("next", page.format.date(quoted.next).into()),
    ];
    QuoteView {
        text: page.words.say_with(key, values),
        code: match amount == quoted.next_charge {
            true => String::new(),
            false => page.words.say_with("subs-quote-code", with_code),
        },
        button: page.say("subs-quote-action"),
        price: quoted.change.price.clone(),
        seats: quoted.change.seats,
        due: due.minor(),
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
            let chosen = chosen(&ask.app, caller, &form.method).await?;
            let command = ChangeMethod {
                subscription,
                provider: chosen.provider,
                method: chosen.name,
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
