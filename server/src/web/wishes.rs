//! Wishes for refunds: the buyer's on the page of an order, the seller's list, and the platform's.

use super::ask::{Answer, Ask, go_to, html, refused};
use super::license::Token;
use super::owner::{self, must_own};
use super::page::{Page, Section};
use super::parts::{Badge, Choice, Field, Notice, Tone};
use super::sell::payouts::minor_of;
use super::sell::sale::reason_text;
use super::sell::{self, Tab, must_sell};
use crate::domains::fulfilment::{self, ViewOrder};
use crate::domains::refunds::Reason;
use crate::domains::wishes::{
    AnswerEscalated, AnswerWish, Answerer, GoOn, MAX_WORDS, OpenWish, OwnOrder, PAGE, Step,
    Verdict, Wish, WishError, WishState, WishesQuery, answer_escalated, answer_wish, escalated,
    go_on, open_wish, own_wishes, wishes_at,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::Currency;
use mintreu::id::{OrderId, OrderLineId, RefundWishId};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "wishes.html")]
struct WishesPage {
    page: Page,
    title: String,
    lead: &'static str,
    tabs: Vec<Tab>,
    /// By state; none where there is nothing to choose.
    filters: Vec<Tab>,
    notice: Option<Notice>,
    rows: Vec<Row>,
    /// What is said when there is none.
    none: &'static str,
    /// The form of a new wish; none where there is none.
    fields: Vec<Field>,
    currency: String,
    action: String,
    next: Option<String>,
}

struct Row {
    heading: String,
    state: Badge,
    about: String,
    reason: String,
    /// Where what it is about is looked at, and its name.
    address: String,
    of: String,
    /// What came of it, where its state doesn't say all.
    outcome: Option<String>,
    /// What was written, by the buyer and by who answered.
    said: Vec<String>,
    wish: String,
    currency: String,
    /// Whether who looks may answer it.
    answers: bool,
    /// What they typed, when it was refused.
    amount: String,
    words: String,
    /// What can be done: values and labels of buttons.
    steps: Vec<(&'static str, String)>,
}

/// What the forms send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    step: String,
    wish: String,
    line: String,
    reason: String,
    /// In the currency's own notation; empty for all of it.
    amount: String,
    currency: String,
    words: String,
}

/// Which wishes, and where the list goes on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    state: String,
    before: Option<String>,
}

fn missing<T>(_: T) -> Problem {
    Problem::not_found("There is no such wish.")
}

impl Which {
    fn read(self) -> Result<WishesQuery, Problem> {
        let before = self.before.as_deref().map(RefundWishId::parse);
        Ok(WishesQuery {
            state: WishState::parse(&self.state),
            before: before.transpose().map_err(missing)?,
        })
    }
}

impl Sent {
    fn wish(&self) -> Result<RefundWishId, Problem> {
        RefundWishId::parse(&self.wish).map_err(missing)
    }

    /// `None` for all of it; what can't be read is out of every range.
    fn amount_minor(&self) -> Result<Option<i64>, Problem> {
        let text = self.amount.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let currency = Currency::parse(&self.currency)?;
        Ok(Some(minor_of(text, currency).unwrap_or(0)))
    }

    fn verdict(&self) -> Result<Verdict, Problem> {
        Ok(Verdict {
            wish: self.wish()?,
            grant: ["grant", "again"].contains(&self.step.as_str()),
            amount_minor: self.amount_minor()?,
            words: self.words.clone(),
        })
    }
}

/// What went wrong, in words; what is no mistake of who asks stays an error.
fn mistake(page: &Page, error: WishError) -> Result<Notice, PageProblem> {
    let text = match &error {
        WishError::OutOfRange { left } => {
            page.say_one("wish-wrong-amount", "left", page.format.money(*left))
        }
        WishError::Words => page.say("wish-wrong-words"),
        WishError::Reason => page.say("refund-reason-missing"),
        WishError::Waiting => page.say("wish-wrong-waiting"),
        WishError::Granted => page.say("wish-wrong-granted"),
        WishError::Often => page.say("wish-wrong-often"),
        WishError::Moved(_) => page.say("wish-wrong-moved"),
        WishError::Appeal => page.say("wish-wrong-appeal"),
        _ => {
            let problem = Problem::from(error);
            return match problem.status_code().as_u16() {
                409 | 422 => Ok(Notice::new(Tone::Bad, page.say("wish-wrong"))),
                _ => Err(problem.into()),
            };
        }
    };
    Ok(Notice::new(Tone::Bad, text))
}

impl WishesPage {
    /// The same, with what went wrong and what was typed.
    fn refusing(mut self, error: WishError, typed: Sent) -> Result<Self, PageProblem> {
        self.notice = Some(mistake(&self.page, error)?);
        let mut rows = self.rows.iter_mut();
        if let Some(row) = rows.find(|row| row.answers && row.wish == typed.wish) {
            (row.amount, row.words) = (typed.amount, typed.words);
        }
        Ok(self)
    }
}

fn row(page: &Page, wish: &Wish, address: String) -> Row {
    let amount = page.format.money(wish.amount);
    let tone = match wish.state {
        WishState::Open | WishState::Escalated => Tone::Wait,
        WishState::Granted => Tone::Good,
        WishState::Declined | WishState::Failed => Tone::Bad,
        WishState::TakenBack => Tone::Plain,
    };
    let values = [
        ("when", page.format.instant(wish.opened_at).into()),
        ("due", page.format.instant(wish.due_at()).into()),
    ];
    let about = match wish.state {
        WishState::Open => page.words.say_with("wish-about-open", values),
        _ => page.words.say_with("wish-about", values),
    };
    let outcome = wish.part().map(|granted| {
        let granted = page.format.money(granted);
        let values = [
            ("granted", granted.into()),
            ("amount", amount.clone().into()),
        ];
        page.words.say_with("wish-granted-part", values)
    });
    let state = match outcome {
        Some(_) => "granted-part",
        None => wish.state.code(),
    };
    let said = [&wish.words, &wish.answer].into_iter();
    Row {
        heading: format!("{amount} · {}", wish.title),
        state: Badge::new(tone, page.say(&format!("wish-state-{state}"))),
        about,
        outcome,
        reason: reason_text(page, wish.reason),
        address,
        of: wish.order.to_string(),
        said: said.filter(|text| !text.is_empty()).cloned().collect(),
        wish: wish.id.to_string(),
        currency: wish.amount.currency().code().to_owned(),
        answers: false,
        amount: String::new(),
        words: String::new(),
        steps: Vec::new(),
    }
}

/// What is to be done about money that came back, as who asked or who is asked reads it.
fn failed(page: &Page, wish: &Wish, key: &str) -> Option<String> {
    let at = wish.failed_at.filter(|_| wish.state == WishState::Failed)?;
    let values = [
        ("when", page.format.instant(at).into()),
        (
            "amount",
            page.format
                .money(wish.granted.unwrap_or(wish.amount))
                .into(),
        ),
    ];
    Some(page.words.say_with(key, values))
}

/// A reason as who gives it says it.
fn own_reason(page: &Page, reason: Reason) -> String {
    page.say(&format!("wish-reason-{}", reason.code().replace('_', "-")))
}

fn order_id(id: &str) -> Result<OrderId, Problem> {
    OrderId::parse(id).map_err(missing)
}

/// `GET /orders/{id}/wishes?t=…`: what its buyer wished for, and the form of another.
pub async fn own(ask: Ask, Path(id): Path<String>, token: Result<Query<Token>, Problem>) -> Answer {
    let Query(token) = token?;
    if token.t.is_none() {
        ask.account()?;
    }
    html(&own_page(&ask, (order_id(&id)?, &token), &Sent::default()).await?)
}

/// `POST /orders/{id}/wishes?t=…`: wishes, takes back, or asks the platform.
pub async fn own_act(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Sent>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(token)) = (form?, token?);
    let order = order_id(&id)?;
    let of = OwnOrder {
        order,
        token: token.t.clone(),
    };
    let done = match form.step.as_str() {
        "wish" => begin(&ask, of, &form).await?,
        step => {
            let step = match step {
                "appeal" => Step::AskPlatform,
                _ => Step::TakeBack,
            };
            let wish = form.wish()?;
            let command = GoOn { of, wish, step };
            let caller = &ask.visitor.caller;
            ask.app.transact(caller, command, go_on).await
        }
    };
    match done {
        Ok(()) => go_to(&format!("/orders/{order}/wishes{}", token.suffix())),
        Err(error) => {
            let page = own_page(&ask, (order, &token), &form).await?;
            refused(422, &page.refusing(error, form)?)
        }
    }
}

async fn begin(ask: &Ask, of: OwnOrder, form: &Sent) -> Result<Result<(), WishError>, Problem> {
    let Some(reason) = Reason::parse(&form.reason) else {
        return Ok(Err(WishError::Reason));
    };
    let command = OpenWish {
        of,
        line: OrderLineId::parse(&form.line)?,
        reason,
        words: form.words.clone(),
        amount_minor: form.amount_minor()?,
    };
    let caller = &ask.visitor.caller;
    let made = ask.app.transact(caller, command, open_wish).await;
    Ok(made.map(drop))
}

async fn own_page(
    ask: &Ask,
    (order, token): (OrderId, &Token),
    typed: &Sent,
) -> Result<WishesPage, Problem> {
    let caller = &ask.visitor.caller;
    let token_text = token.t.clone();
    let of = OwnOrder {
        order,
        token: token_text.clone(),
    };
    let found = ask.app.read(caller, of, own_wishes).await?;
    let view = ViewOrder {
        order,
        token: token_text,
    };
    let bought = ask.app.read(caller, view, fulfilment::order_page).await?;
    let page = ask.section_page("wish-title", Section::Licenses);
    let address = format!("/orders/{order}{}", token.suffix());
    let own = |wish: &Wish| {
        let mut row = row(&page, wish, address.clone());
        row.reason = own_reason(&page, wish.reason);
        row.outcome = row.outcome.or(failed(&page, wish, "wish-failed-own"));
        if wish.state.is_due() {
            row.steps.push(("take_back", page.say("wish-take-back")));
        }
        if wish
            .appeal_until()
            .is_some_and(|until| ask.app.now() < until)
        {
            row.steps.push(("appeal", page.say("wish-appeal")));
        }
        row
    };
    let rows = found.iter().rev().map(own).collect();
    let choice = |value: String, text: String| Choice { value, text };
    let lines = bought.order.lines.iter();
    let lines = lines.map(|line| choice(line.id.to_string(), line.title.clone()));
    let reasons = Reason::given().filter(|reason| *reason != Reason::Fraud);
    let reasons = reasons.map(|one| choice(one.code().to_owned(), own_reason(&page, one)));
    let currency = bought.order.total.currency().code().to_owned();
    let amount = format!("{} ({currency})", page.say("wish-amount"));
    let fields = vec![
        Field::select("line", page.say("withdraw-what"), lines.collect()).value(&*typed.line),
        Field::select("reason", page.say("refund-reason"), reasons.collect()).value(&*typed.reason),
        Field::text("amount", amount)
            .value(&*typed.amount)
            .input_mode("decimal")
            .max_length(20),
        Field::area("words", page.say("wish-words"))
            .value(&*typed.words)
            .max_length(u32::try_from(MAX_WORDS).unwrap_or(u32::MAX))
            .full(),
    ];
    Ok(WishesPage {
        title: page.say("wish-title"),
        lead: "wish-lead",
        tabs: Vec::new(),
        filters: Vec::new(),
        notice: None,
        rows,
        none: "wish-none",
        fields,
        currency,
        action: format!("/orders/{order}/wishes{}", token.suffix()),
        next: None,
        page,
    })
}

/// `GET /sell/wishes`: what buyers ask the seller, the newest first.
pub async fn sell(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    ask.account()?;
    must_sell(&ask)?;
    let Query(which) = which?;
    html(&sell_page(&ask, which.read()?).await?)
}

async fn sell_page(ask: &Ask, query: WishesQuery) -> Result<WishesPage, Problem> {
    let found = ask.app.read(&ask.visitor.caller, query, wishes_at).await?;
    let page = ask.section_page("wish-title", Section::Sell);
    let desk = Desk {
        who: Answerer::Seller,
        address: "/sell/wishes",
        tabs: sell::tabs(&page, sell::At::Wishes),
        states: &WishState::ALL,
    };
    Ok(answers_page(page, desk, (found, query.state)))
}

/// `POST /sell/wishes`: the seller answers.
pub async fn sell_act(ask: Ask, form: Result<CsrfForm<Sent>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    must_sell(&ask)?;
    let command = AnswerWish(form.verdict()?);
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, answer_wish).await {
        Ok(()) => go_to("/sell/wishes"),
        Err(error) => {
            let page = sell_page(&ask, WishesQuery::default()).await?;
            refused(422, &page.refusing(error, form)?)
        }
    }
}

/// `GET /owner/wishes`: what waits for the platform, the newest first.
pub async fn owned(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    must_own(&ask)?;
    let Query(which) = which?;
    html(&owner_page(&ask, which.read()?).await?)
}

async fn owner_page(ask: &Ask, query: WishesQuery) -> Result<WishesPage, Problem> {
    let found = ask.app.read(&ask.visitor.caller, query, escalated).await?;
    let page = ask.section_page("wish-title", Section::Owner);
    let desk = Desk {
        who: Answerer::Platform,
        address: "/owner/wishes",
        tabs: owner::tabs(&page, owner::At::Wishes),
        states: &[
            WishState::Failed,
            WishState::Open,
            WishState::Granted,
            WishState::Declined,
            WishState::TakenBack,
        ],
    };
    Ok(answers_page(page, desk, (found, query.state)))
}

/// `POST /owner/wishes`: the platform answers.
pub async fn owned_act(ask: Ask, form: Result<CsrfForm<Sent>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let command = AnswerEscalated(form.verdict()?);
    let caller = &ask.visitor.caller;
    match ask.app.transact(caller, command, answer_escalated).await {
        Ok(()) => go_to("/owner/wishes"),
        Err(error) => {
            let page = owner_page(&ask, WishesQuery::default()).await?;
            refused(422, &page.refusing(error, form)?)
        }
    }
}

/// Where wishes are answered.
struct Desk {
    /// Who looks.
    who: Answerer,
    address: &'static str,
    tabs: Vec<Tab>,
    /// What one can look for besides what is shown when nothing is chosen.
    states: &'static [WishState],
}

impl Desk {
    fn filters(&self, page: &Page, chosen: Option<WishState>) -> Vec<Tab> {
        let usual = Tab {
            name: page.say(match self.who {
                Answerer::Platform => "wish-state-yours",
                _ => "wish-all",
            }),
            address: self.address.to_owned(),
            chosen: !chosen.is_some_and(|state| self.states.contains(&state)),
        };
        let of = |state: &WishState| Tab {
            name: page.say(&format!("wish-state-{}", state.code())),
            address: format!("{}?state={}", self.address, state.code()),
            chosen: chosen == Some(*state),
        };
        let states = self.states.iter().map(of);
        std::iter::once(usual).chain(states).collect()
    }

    fn row(&self, page: &Page, wish: &Wish) -> Row {
        let address = match self.who {
            Answerer::Platform => format!("/owner/ledger/entries?of={}", wish.order),
            _ => format!("/sell/sales/{}", wish.line),
        };
        let mut row = row(page, wish, address);
        row.outcome = row.outcome.or(failed(page, wish, "wish-failed-answers"));
        let asked = wish.asked() == Some(self.who);
        match wish.state {
            WishState::Failed if asked => row.steps.push(("again", page.say("wish-again"))),
            _ if asked => {
                row.answers = true;
                row.state = Badge::new(Tone::Wait, page.say("wish-state-yours"));
                row.steps.push(("grant", page.say("wish-grant")));
                row.steps.push(("decline", page.say("wish-decline")));
            }
            _ => {}
        }
        row
    }
}

/// A list of wishes; what who looks is asked about can be answered.
fn answers_page(
    page: Page,
    desk: Desk,
    (found, state): (Vec<Wish>, Option<WishState>),
) -> WishesPage {
    let full = i64::try_from(found.len()) == Ok(PAGE);
    let last = found.last().filter(|_| full);
    let chosen = state.map(|state| format!("&state={}", state.code()));
    let chosen = chosen.unwrap_or_default();
    let next = last.map(|wish| format!("{}?before={}{chosen}", desk.address, wish.id));
    WishesPage {
        title: page.say("wish-title"),
        lead: "wish-lead-answers",
        filters: desk.filters(&page, state),
        notice: None,
        rows: found.iter().map(|wish| desk.row(&page, wish)).collect(),
        none: match (desk.who, state) {
            (Answerer::Platform, None) => "wish-none-waits",
            (_, Some(_)) => "wish-none-here",
            (_, None) => "wish-none",
        },
        fields: Vec::new(),
        currency: String::new(),
        action: desk.address.to_owned(),
        next,
        tabs: desk.tabs,
        page,
    }
}
