//! An order: it waits for its money, then shows what was bought and how to use it.

use super::ask::{Answer, Ask, go_to, html};
use super::gift::OrderGift;
use super::license::{Token, key_box};
use super::listing::encoded;
use super::order_back::{self, Happening};
use super::page::{Page, Section};
use super::parts::{Badge, Crumbs, KeyBox, Qr, Tone};
use super::subscriptions;
use crate::domains::fulfilment::{self, ClaimOrder, OrderPage as Bought, RevealCode, ViewOrder};
use crate::domains::licensing::{self, License, TrustText};
use crate::domains::orders::{Line, OrderState};
use crate::domains::subscriptions::http::by_order::leave_method;
use crate::domains::subscriptions::{
    Action, BeginMethod, EndByOrder, Status, Subscription, WillCharge, end_by_order,
};
use crate::problem::Problem;
use crate::wire::{CsrfForm, Query};
use askama::Template;
use axum::extract::Path;
use mintreu::id::{OrderId, SubscriptionId};
use serde::Deserialize;

/// Seconds between two looks at an order that waits.
const LOOK_AGAIN: u32 = 2;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    page: Page,
    /// The way up to its buyer's orders, for who is signed in and owns it.
    up: Option<Crumbs>,
    heading: String,
    lead: String,
    /// Where to send the wish to pay again.
    retry: Option<String>,
    /// Where to send the wish to put a guest's order into one's account.
    claim: Option<String>,
    /// Whom it was given to, if it was.
    gift: Option<OrderGift>,
    licenses: Vec<Delivered>,
    verify: Option<Verify>,
    state: Badge,
    /// Where its invoice is.
    invoice: Option<String>,
    /// Each line's title, the bundle that it was bought in, and what it cost.
    lines: Vec<(String, Option<String>, String)>,
    /// What of it is tax; none when none was collected.
    tax: Option<String>,
    total: String,
    placed: String,
    id: String,
    /// Where to wish for a refund; none while nothing is paid.
    wish: Option<String>,
    /// Where it can be withdrawn from, while it can.
    withdraw: Option<String>,
    back: Vec<Happening>,
    agreed: Vec<String>,
    renewals: Vec<Renewal>,
}

/// A subscription that the order began, with what happens next.
struct Renewal {
    name: String,
    state: String,
    next: String,
    /// Where everything about it is done, for who is signed in as its buyer.
    address: Option<String>,
    /// How who has the order's link ends it, or takes that back.
    wish: Option<EndWish>,
    /// How they leave another method, while it is in nobody's account.
    method: Option<MethodWish>,
}

struct MethodWish {
    action: String,
    subscription: String,
}

struct EndWish {
    action: String,
    subscription: String,
    ends: &'static str,
    button: String,
    text: String,
}

/// A license as the order shows it.
pub(super) struct Delivered {
    pub name: String,
    pub address: String,
    pub base: String,
    pub suffix: String,
    pub code: Option<KeyBox>,
    pub qr: Vec<Qr>,
}

/// How a program checks the license, ready to paste.
struct Verify {
    trust: String,
    python: String,
    node: String,
    command: String,
}

/// What an order's address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Looked {
    t: Option<String>,
    /// What was wrong with the address of a gift: `email` or `often`.
    gift: Option<String>,
}

/// `GET /orders/{id}?t=…`.
pub async fn show(
    ask: Ask,
    Path(id): Path<String>,
    looked: Result<Query<Looked>, Problem>,
) -> Answer {
    let Query(Looked { t, gift: wrong }) = looked?;
    let token = Token { t };
    let missing = || Problem::not_found("There is no such order.");
    let id = OrderId::parse(&id).map_err(|_| missing())?;
    if token.t.is_none() {
        ask.account()?;
    }
    let query = ViewOrder {
        order: id,
        token: token.t.clone(),
    };
    let bought = ask
        .app
        .read(&ask.visitor.caller, query, fulfilment::order_page)
        .await?;
    let mut page = ask.section_page("order-title", Section::Licenses);
    if bought.order.state == OrderState::AwaitingPayment {
        page.refresh = LOOK_AGAIN;
    }
    let named = |license: &License| {
        let mut lines = bought.order.lines.iter();
        let line = lines.find(|line| line.id.to_string() == license.source);
        line.map(|line| line.title.clone())
    };
    let licenses = deliver(&ask, &page, (&bought.licenses, &token), named).await?;
    let verify = match bought.order.lines.first().filter(|_| !licenses.is_empty()) {
        Some(line) => {
            let command = TrustText {
                slug: line.product_slug.clone(),
            };
            let trust = ask
                .app
                .transact(&ask.visitor.caller, command, licensing::trust)
                .await?;
            Some(Verify::of(&trust.to_string()))
        }
        None => None,
    };
    let account = ask.visitor.caller.account;
    let own = account.is_some() && account == bought.order.account;
    let claimable = bought.order.account.is_none() && ask.visitor.is_signed_in();
    let claim = format!("/orders/{id}/claim{}", token.suffix());
    let gift = bought.gift.as_ref().map(|gift| {
        let action = format!("/orders/{id}/gift{}", token.suffix());
        OrderGift::new(&page, gift, (action, wrong.as_deref()))
    });
    let view = OrderPage::new(page, &bought, (licenses, verify), &token);
    let steps = vec![(view.page.say("orders-title"), "/orders".to_owned())];
    html(&OrderPage {
        up: own.then(|| view.page.crumbs(steps, &view.heading)),
        claim: claimable.then_some(claim),
        gift,
        withdraw: super::withdraw::link(&ask, id, &token).await?,
        ..view
    })
}

/// `POST /orders/{id}/claim?t=…`: puts a guest's order into the account that is signed in.
pub async fn claim(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    ask.account()?;
    let Query(token) = token?;
    let missing = || Problem::not_found("There is no such order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let command = ClaimOrder {
        order,
        token: token.t,
    };
    let caller = &ask.visitor.caller;
    let done = ask.app.transact(caller, command, fulfilment::claim).await;
    done?;
    go_to(&format!("/orders/{order}"))
}

/// What came of an order or a gift, with the keys in the clear.
pub(super) async fn deliver(
    ask: &Ask,
    page: &Page,
    (licenses, token): (&[License], &Token),
    named: impl Fn(&License) -> Option<String>,
) -> Result<Vec<Delivered>, Problem> {
    let mut delivered = Vec::with_capacity(licenses.len());
    for (index, license) in licenses.iter().enumerate() {
        let reveal = RevealCode {
            license: license.id,
            token: token.t.clone(),
        };
        let caller = &ask.visitor.caller;
        let code = ask.app.transact(caller, reveal, fulfilment::reveal_code);
        let code = code.await?.reveal().to_owned();
        let base = format!("/licenses/{}", license.id);
        let suffix = token.suffix();
        delivered.push(Delivered {
            name: named(license).unwrap_or_else(|| license.product_code.clone()),
            address: format!("{base}{suffix}"),
            base,
            suffix,
            code: Some(key_box(page, format!("key-{}", index + 1), code)),
            qr: Qr::parts(&license.document),
        });
    }
    Ok(delivered)
}

/// A form without fields.
#[derive(Debug, Default, Deserialize)]
pub struct Nothing {}

impl Verify {
    fn of(trust: &str) -> Self {
        Self {
            trust: trust.to_owned(),
            python: format!(
                "import mintreu\n\nTRUST = {trust:?}\n\
                 license = mintreu.verify(open(\"license.mtl\").read(), TRUST)\n\
                 print(license.verdict.sentence, license.entitlements)"
            ),
            node: format!(
                "import {{ readFileSync }} from \"node:fs\";\nimport {{ verify }} from \"mintreu\";\n\n\
                 const TRUST = {trust:?};\n\
                 const license = verify(readFileSync(\"license.mtl\", \"utf8\"), TRUST);\n\
                 console.log(license.verdict.sentence, license.entitlements);"
            ),
            command: format!("mintreu license verify license.mtl --trust '{trust}'"),
        }
    }
}

impl OrderPage {
    fn new(
        page: Page,
        bought: &Bought,
        (licenses, verify): (Vec<Delivered>, Option<Verify>),
        token: &Token,
    ) -> Self {
        let order = &bought.order;
        let (tone, state, mut heading, mut lead) = words(order.state);
        if bought.gift.is_some() && order.state == OrderState::Paid {
            (heading, lead) = ("gift-order-title", "gift-order-text");
        }
        let again = order.state == OrderState::Failed;
        let retry = format!("/orders/{}/pay{}", order.id, token.suffix());
        let wishable = order.paid_at.is_some() && order.total.minor() > 0;
        let wish = format!("/orders/{}/wishes{}", order.id, token.suffix());
        let invoice = format!("/orders/{}/invoice{}", order.id, token.suffix());
        let bundle = |line: &Line| {
            let bundle = line.bundle.as_ref()?;
            Some(page.say_one("bundle-line", "bundle", bundle.title.as_str()))
        };
        let line = |line: &Line| {
            let charged = page.format.money(line.split.charged);
            (line.title.clone(), bundle(line), charged)
        };
        let placed = page.format.instant(order.placed_at);
        Self {
            up: None,
            heading: page.words.say(heading),
            lead: page.words.say(lead),
            claim: None,
            gift: None,
            retry: again.then_some(retry),
            licenses,
            verify,
            state: Badge::new(tone, page.words.say(state)),
            invoice: bought.invoiced.then_some(invoice),
            lines: order.lines.iter().map(line).collect(),
            tax: super::tax::order_text(&page, order),
            total: page.format.money(order.total),
            placed: page.say_one("order-placed", "when", placed),
            id: order.id.to_string(),
            wish: wishable.then_some(wish),
            withdraw: None,
            back: order_back::happenings(&page, bought),
            agreed: order_back::agreements(&page, &bought.consents),
            renewals: renewals(&page, bought, token),
            page,
        }
    }
}

fn renewals(page: &Page, bought: &Bought, token: &Token) -> Vec<Renewal> {
    let renewal = |(of, due): &(Subscription, WillCharge)| {
        let lines = bought.order.lines.iter();
        let mut line = lines.filter(|line| line.product == of.product);
        Renewal {
            name: line
                .next()
                .map_or_else(String::new, |line| line.title.clone()),
            state: subscriptions::state(page, of),
            next: subscriptions::next(page, of, due),
            address: match (&token.t, of.account) {
                (None, Some(_)) => Some(format!("/subscriptions/{}", of.id)),
                _ => None,
            },
            wish: token
                .t
                .as_ref()
                .and_then(|_| end_wish(page, (of, due), token)),
            method: method_wish(of, token),
        }
    };
    let begun = bought.subscriptions.iter();
    begun.map(renewal).collect()
}

/// What its order's link can do to a subscription; nothing where it is over.
fn end_wish(
    page: &Page,
    (of, due): (&Subscription, &WillCharge),
    token: &Token,
) -> Option<EndWish> {
    let action = [Action::Cancel, Action::Uncancel];
    let action = action
        .into_iter()
        .find(|action| subscriptions::can(of, due, *action))?;
    let (button, text) = subscriptions::action_words(page, (of, due), action);
    Some(EndWish {
        action: format!("/orders/{}/subscription{}", of.order?, token.suffix()),
        subscription: of.id.to_string(),
        ends: if action == Action::Cancel {
            "yes"
        } else {
            "no"
        },
        button,
        text,
    })
}

/// Where another method is left; nowhere once it is in an account, or over.
fn method_wish(of: &Subscription, token: &Token) -> Option<MethodWish> {
    token.t.as_ref()?;
    let open = of.account.is_none() && of.status != Status::Canceled;
    let order = of.order.filter(|_| open)?;
    Some(MethodWish {
        action: format!("/orders/{order}/subscription/method{}", token.suffix()),
        subscription: of.id.to_string(),
    })
}

/// What the form of a subscription sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ending {
    subscription: String,
    ends: String,
}

/// `POST /orders/{id}/subscription?t=…`: ends what the order began, or takes that back.
pub async fn end(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Ending>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(token)) = (form?, token?);
    let missing = || Problem::not_found("There is no such order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let command = EndByOrder {
        order,
        token: token.t.clone(),
        subscription: SubscriptionId::parse(&form.subscription).map_err(|_| missing())?,
        ends: form.ends == "yes",
    };
    let caller = &ask.visitor.caller;
    ask.app.transact(caller, command, end_by_order).await?;
    go_to(&format!("/orders/{order}{}", token.suffix()))
}

/// `POST /orders/{id}/subscription/method?t=…`: leads to the provider's page.
pub async fn leave(
    ask: Ask,
    Path(id): Path<String>,
    token: Result<Query<Token>, Problem>,
    form: Result<CsrfForm<Ending>, Problem>,
) -> Answer {
    let (CsrfForm(form), Query(token)) = (form?, token?);
    let missing = || Problem::not_found("There is no such order.");
    let command = BeginMethod {
        order: OrderId::parse(&id).map_err(|_| missing())?,
        token: token.t,
        subscription: SubscriptionId::parse(&form.subscription).map_err(|_| missing())?,
    };
    go_to(&leave_method(&ask.app, &ask.visitor.caller, command).await?)
}

/// Tone, state, heading and lead of an order.
pub(super) fn words(state: OrderState) -> (Tone, &'static str, &'static str, &'static str) {
    match state {
        OrderState::Draft | OrderState::AwaitingPayment => (
            Tone::Wait,
            "order-awaiting",
            "order-awaiting-title",
            "order-awaiting-text",
        ),
        OrderState::Paid => (
            Tone::Good,
            "order-paid",
            "order-paid-title",
            "order-paid-text",
        ),
        OrderState::PartiallyRefunded => (
            Tone::Info,
            "order-part-refunded",
            "order-paid-title",
            "order-part-refunded-text",
        ),
        OrderState::Refunded => (
            Tone::Plain,
            "order-refunded",
            "order-refunded-title",
            "order-refunded-text",
        ),
        OrderState::Expired => (
            Tone::Bad,
            "order-expired",
            "order-expired-title",
            "order-expired-text",
        ),
        OrderState::Failed => (
            Tone::Bad,
            "order-failed",
            "order-failed-title",
            "order-failed-text",
        ),
        OrderState::Void => (
            Tone::Bad,
            "order-void",
            "order-void-title",
            "order-void-text",
        ),
    }
}

/// The address of an order for a guest who holds its token.
pub fn address(order: &str, token: Option<&str>) -> String {
    match token {
        Some(token) => format!("/orders/{order}?t={}", encoded(token)),
        None => format!("/orders/{order}"),
    }
}
