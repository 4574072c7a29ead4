//! One sale: who got what, what is held and why, the license, what went back, and the refund form.

use super::super::answer::due_text;
use super::super::ask::{Answer, Ask, html};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Crumbs, Field, Figure, Notice, Tone};
use super::refund::{self, RefundForm};
use super::sales::state_badge;
use super::{At, Tab, must_sell, tabs};
use crate::domains::answers::{AnswerState, answers_of, days_left};
use crate::domains::ledger::Held;
use crate::domains::licensing::{License, LicenseState};
use crate::domains::orders::{Order, OrderState};
use crate::domains::refunds::{By, Dispute, DisputeState, OfLine, Refund, RefundState, of_line};
use crate::domains::risk;
use crate::problem::{PageProblem, Problem};
use crate::wire::Query;
use askama::Template;
use axum::extract::Path;
use mintreu::id::OrderLineId;
use mintreu::{Money, Timestamp};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/sale.html")]
pub(super) struct SalePage {
    page: Page,
    tabs: Vec<Tab>,
    crumbs: Crumbs,
    title: String,
    state: Badge,
    notices: Vec<Notice>,
    figures: Vec<Figure>,
    facts: Vec<(String, String)>,
    steps: Vec<Part>,
    license: Option<(String, String, Badge)>,
    back: Vec<Back>,
    disputes: Vec<DisputeView>,
    siblings: Vec<(String, String)>,
    /// What can be refunded, when anything can.
    form: Option<FormView>,
    /// Why nothing can, in words.
    why_not: String,
}

/// A step of the division, as it was kept at the sale.
struct Part {
    name: String,
    why: String,
    amount: String,
    strong: bool,
}

/// A refund, as a row.
struct Back {
    when: String,
    reason: String,
    note: String,
    by: String,
    state: Badge,
    amount: String,
}

/// A bank's question, in words.
struct DisputeView {
    state: Badge,
    text: String,
    /// Until when the bank waits; empty when it doesn't.
    due: String,
    facts: Vec<(String, String)>,
    /// Where it is answered, and what that is called; none when the platform answers.
    answer: Option<(String, String)>,
}

struct FormView {
    action: String,
    fields: Vec<Field>,
    keep: bool,
    end: bool,
    /// What the box says that is ticked to refund all of a bundle; none for what was sold by itself.
    whole_text: Option<String>,
    whole: bool,
    left_minor: String,
    problem: String,
}

/// A step as it was written.
#[derive(Debug, Deserialize)]
struct Step {
    step: String,
    amount_minor: i64,
    why: String,
}

/// What was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Done {
    done: Option<String>,
}

/// `GET /sell/sales/{line}`.
pub async fn show(
    ask: Ask,
    Path(line): Path<String>,
    done: Result<Query<Done>, Problem>,
) -> Answer {
    let Query(done) = done?;
    let found = find(&ask, &line).await?;
    let answers = answers(&ask, &found).await?;
    let form = RefundForm::of(&found);
    let mut drawn = SalePage::new(&ask, (&found, &answers), &form, None);
    if done.done.as_deref() == Some("refund") {
        let text = drawn.page.say("sale-refund-asked");
        drawn.notices.insert(0, Notice::new(Tone::Good, text));
    }
    html(&drawn)
}

pub(super) async fn find(ask: &Ask, line: &str) -> Result<OfLine, PageProblem> {
    ask.account()?;
    must_sell(ask)?;
    let missing = || Problem::not_found("There is no such sale.");
    let line = OrderLineId::parse(line).map_err(|_| missing())?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, line, of_line).await;
    Ok(found.map_err(Problem::from)?)
}

/// Where the answer of each of the sale's disputes stands.
pub(super) async fn answers(
    ask: &Ask,
    found: &OfLine,
) -> Result<Vec<Option<AnswerState>>, Problem> {
    let disputes: Vec<_> = found.disputes.iter().map(|one| one.id).collect();
    let answers = ask
        .app
        .read(&ask.visitor.caller, disputes, answers_of)
        .await;
    Ok(answers?)
}

impl SalePage {
    pub(super) fn new(
        ask: &Ask,
        (found, answers): (&OfLine, &[Option<AnswerState>]),
        form: &RefundForm,
        mistake: Option<(&'static str, String)>,
    ) -> Self {
        let page = ask.section_page("sale-title", Section::Sell);
        let me = ask.visitor.caller.account;
        let why_not = why_not(&page, found);
        let steps = vec![(page.say("sell-sales"), "/sell/sales".to_owned())];
        let siblings = found
            .order
            .lines
            .iter()
            .filter(|line| line.id != found.line.id && Some(line.seller) == me);
        let siblings =
            siblings.map(|line| (line.title.clone(), format!("/sell/sales/{}", line.id)));
        Self {
            tabs: tabs(&page, At::Sales),
            crumbs: page.crumbs(steps, &found.line.title),
            title: found.line.title.clone(),
            state: state_badge(&page, found.order.state),
            notices: notices(&page, found),
            figures: figures(&page, found),
            facts: facts(&page, found),
            steps: parts(&page, found),
            license: found
                .license
                .as_ref()
                .map(|license| of_license(&page, license, ask.app.now())),
            back: found
                .refunds
                .iter()
                .map(|(refund, amount)| back(&page, refund, *amount))
                .collect(),
            disputes: found
                .disputes
                .iter()
                .zip(answers)
                .map(|(one, answer)| {
                    of_dispute(&page, (one, *answer), (&found.order, ask.app.now()))
                })
                .collect(),
            siblings: siblings.collect(),
            form: why_not
                .is_empty()
                .then(|| form_view(&page, found, form, mistake)),
            why_not,
            page,
        }
    }
}

/// Why nothing can be refunded; empty when something can.
fn why_not(page: &Page, found: &OfLine) -> String {
    let paid = matches!(
        found.order.state,
        OrderState::Paid | OrderState::PartiallyRefunded
    );
    let left = found.bundle_left.unwrap_or(found.left);
    match (found.disputed, paid && left.minor() > 0) {
        (true, _) => page.say("sale-refund-disputed"),
        (false, true) => String::new(),
        (false, false) if found.line.split.charged.minor() == 0 => page.say("sale-refund-free"),
        (false, false) => page.say("sale-refund-nothing-left"),
    }
}

fn notices(page: &Page, found: &OfLine) -> Vec<Notice> {
    let open = found.disputes.iter().filter(|one| one.state.is_open());
    let warned = found
        .disputes
        .iter()
        .filter(|one| one.state == DisputeState::Warning);
    let open = open.map(|one| {
        let key = format!("bank-notice-{}", one.state.code());
        Notice::new(Tone::Bad, page.say(&key))
    });
    let warned = warned.map(|_| Notice::new(Tone::Wait, page.say("bank-notice-warning")));
    open.chain(warned).collect()
}

fn figures(page: &Page, found: &OfLine) -> Vec<Figure> {
    let split = &found.line.split;
    let figure = |label: &str, amount: Money, remark: String| Figure {
        label: page.say(label),
        value: page.format.money(amount),
        remark,
    };
    let yours = found
        .hold
        .as_ref()
        .map_or_else(String::new, |hold| held_text(page, hold));
    vec![
        figure("sale-charged", split.charged, page.say("sale-charged-text")),
        figure("sale-yours", split.seller, yours),
        figure("sale-left", found.left, page.say("sale-left-text")),
    ]
}

/// What is held of the seller's part, until when and why.
fn held_text(page: &Page, hold: &Held) -> String {
    let amount = page.format.money(hold.amount);
    let until = page.format.date(hold.releasable_at);
    let values = [
        ("amount", amount.as_str().into()),
        ("until", until.as_str().into()),
    ];
    match hold.state.as_str() {
        "held" => page.words.say_with("sale-hold-held", values),
        "frozen" if hold.amount.minor() == 0 => page.say("sale-hold-taken"),
        "frozen" if hold.reason == risk::HELD => page.words.say_with("sale-hold-review", values),
        "frozen" => page.words.say_with("sale-hold-frozen", values),
        "releasable" => page.words.say_with("sale-hold-released", values),
        _ => page.say("sale-hold-returned"),
    }
}

fn facts(page: &Page, found: &OfLine) -> Vec<(String, String)> {
    let (order, line) = (&found.order, &found.line);
    let times = page.words.say_with(
        "sale-quantity-text",
        [
            ("count", line.quantity.into()),
            ("unit", page.format.money(line.unit).into()),
        ],
    );
    let mut facts = vec![
        (page.say("sale-order"), order.id.to_string()),
        (page.say("sale-quantity"), times),
    ];
    let paid = order.paid_at.map(|at| page.format.instant(at));
    facts.extend(paid.map(|paid| (page.say("sale-paid-at"), paid)));
    let found_by = format!("sale-traffic-{}", order.traffic.code());
    facts.push((page.say("sale-traffic"), page.say(&found_by)));
    let payment = found.payment.as_ref().map(|payment| {
        let amount = page.format.money(payment.amount);
        let values = [
            ("amount", amount.into()),
            ("provider", payment.provider.as_str().into()),
        ];
        page.words.say_with("sale-payment-text", values)
    });
    facts.extend(payment.map(|text| (page.say("sale-payment"), text)));
    let bundle = line.bundle.as_ref().map(|bundle| bundle.title.clone());
    facts.extend(bundle.map(|title| (page.say("sale-bundle"), title)));
    let hold = found.hold.as_ref().map(|hold| hold.reason.clone());
    facts.extend(hold.map(|why| (page.say("sale-hold-why"), why)));
    facts
}

fn parts(page: &Page, found: &OfLine) -> Vec<Part> {
    let split = &found.line.split;
    // Written by us as JSON; what can't be read is shown as nothing rather than as an error.
    let steps: Vec<Step> = serde_json::from_str(&split.explanation).unwrap_or_default();
    let currency = split.charged.currency();
    let part = |step: Step| {
        let key = format!("sale-step-{}", step.step.replace('_', "-"));
        Part {
            name: page.say(&key),
            why: step.why,
            amount: page.format.money(Money::new(step.amount_minor, currency)),
            strong: step.step == "seller",
        }
    };
    let matters =
        |step: &Step| step.amount_minor != 0 || step.step == "tax" || step.step == "seller";
    steps.into_iter().filter(matters).map(part).collect()
}

fn of_license(page: &Page, license: &License, now: Timestamp) -> (String, String, Badge) {
    let (tone, key) = match license.state(now) {
        LicenseState::Active => (Tone::Good, "license-active"),
        LicenseState::Expired => (Tone::Wait, "license-expired"),
        LicenseState::Revoked => (Tone::Bad, "license-revoked"),
    };
    let words = page.say_one("sale-license-seats", "count", license.seats);
    let why = license.revoke_reason.clone().unwrap_or_default();
    let text = if why.is_empty() {
        words
    } else {
        format!("{words} · {why}")
    };
    (
        format!("/licenses/{}", license.id),
        text,
        Badge::new(tone, page.say(key)),
    )
}

/// A reason in words.
pub(in crate::web) fn reason_text(page: &Page, reason: crate::domains::refunds::Reason) -> String {
    let code = reason.code();
    let key = format!("refund-reason-{}", code.replace('_', "-"));
    page.say(&key)
}

fn back(page: &Page, refund: &Refund, amount: Money) -> Back {
    let (tone, key) = match refund.state {
        RefundState::Requested => (Tone::Wait, "refund-state-requested"),
        RefundState::Succeeded => (Tone::Good, "refund-state-succeeded"),
        RefundState::Failed => (Tone::Bad, "refund-state-failed"),
    };
    let by = match refund.by {
        By::Seller => "refund-by-seller",
        By::Platform => "refund-by-platform",
        By::Provider => "refund-by-provider",
        By::Buyer => "refund-by-buyer",
    };
    Back {
        when: page
            .format
            .instant(refund.settled_at.unwrap_or(refund.requested_at)),
        reason: reason_text(page, refund.reason),
        note: refund.note.clone(),
        by: page.say(by),
        state: Badge::new(tone, page.say(key)),
        amount: page.format.money(amount),
    }
}

/// Where a dispute stands, as a badge.
pub(in super::super) fn dispute_badge(page: &Page, state: DisputeState) -> Badge {
    let tone = match state {
        DisputeState::Won | DisputeState::Prevented => Tone::Good,
        DisputeState::Chargeback | DisputeState::Lost => Tone::Bad,
        DisputeState::Warning | DisputeState::Inquiry => Tone::Wait,
    };
    Badge::new(tone, page.say(&format!("bank-state-{}", state.code())))
}

fn of_dispute(
    page: &Page,
    (dispute, answer): (&Dispute, Option<AnswerState>),
    (order, now): (&Order, Timestamp),
) -> DisputeView {
    let mut facts = vec![
        (page.say("bank-amount"), page.format.money(dispute.amount)),
        (
            page.say("bank-opened"),
            page.format.instant(dispute.opened_at),
        ),
    ];
    facts.extend(
        dispute
            .reason
            .clone()
            .map(|why| (page.say("bank-reason"), why)),
    );
    let closed = dispute.closed_at.map(|at| page.format.instant(at));
    facts.extend(closed.map(|at| (page.say("bank-closed"), at)));
    let (open, mut lines) = (dispute.state.is_open(), order.lines.iter());
    let first = lines.next().map(|line| line.seller);
    let shared = lines.any(|line| Some(line.seller) != first);
    let key = match open {
        true => "evidence-link",
        false => "evidence-link-seen",
    };
    let asked = open || dispute.evidence_due_at.is_some();
    let link = format!("/sell/disputes/{}", dispute.id);
    let link = (asked && !shared).then(|| (link, page.say(key)));
    let text = page.say(&format!("bank-seller-{}", dispute.state.code()));
    DisputeView {
        state: dispute_badge(page, dispute.state),
        text: match open && shared {
            true => format!("{text} {}", page.say("evidence-platform")),
            false => text,
        },
        due: due_text(page, (dispute, answer), days_left(dispute, now)),
        facts,
        answer: link,
    }
}

fn form_view(
    page: &Page,
    found: &OfLine,
    form: &RefundForm,
    mistake: Option<(&'static str, String)>,
) -> FormView {
    let problem = mistake.as_ref().filter(|(at, _)| *at == "form");
    FormView {
        action: format!("/sell/sales/{}/refund", found.line.id),
        problem: problem.map(|(_, text)| text.clone()).unwrap_or_default(),
        fields: refund::fields(page, found, form, mistake),
        keep: form.keeps(),
        end: form.ends(),
        whole: form.is_whole(),
        whole_text: found
            .line
            .bundle
            .as_ref()
            .map(|bundle| page.say_one("refund-whole-bundle", "bundle", bundle.title.as_str())),
        // Of what a box decides, what is left is asked when the refund is looked at.
        left_minor: match found.bundle_left {
            Some(_) => String::new(),
            None => found.left.minor().to_string(),
        },
    }
}
