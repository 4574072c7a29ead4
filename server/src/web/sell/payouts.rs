//! What the seller has, when it comes, and where it goes.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Crumbs, Field, Figure, Notice, Tone};
use super::sales::amount;
use super::{At, Tab, tabs};
use crate::caller::Capability;
use crate::domains::payouts::model::statement_number;
use crate::domains::payouts::{
    BalanceView, MyPayouts, Payout, PayoutError, SellerBalances, SetSettings, State, StatementPage,
    StatementQuery, balances, flow, my_payouts, set_settings, statement,
};
use crate::problem::Problem;
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::id::PayoutId;
use mintreu::{Currency, Timestamp};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "sell/payouts.html")]
struct PayoutsPage {
    page: Page,
    tabs: Vec<Tab>,
    notices: Vec<Notice>,
    balances: Vec<BalanceCard>,
    rows: Vec<Row>,
    next: Option<String>,
    notes: Vec<[String; 3]>,
    fields: Vec<Field>,
}

struct BalanceCard {
    currency: String,
    figures: Vec<Figure>,
    holds: Vec<[String; 3]>,
}

struct Row {
    address: String,
    number: String,
    created: String,
    state: Badge,
    account: String,
    amount: String,
}

/// Where the list goes on, and whether something was just kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    after: Option<String>,
    saved: Option<String>,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SettingsForm {
    currency: String,
    destination: String,
    threshold: String,
    wanted: String,
}

/// A field and what is wrong with it.
type Mistake = (&'static str, String);

/// `GET /sell/payouts`.
pub async fn list(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    let Query(which) = which?;
    let drawn = draw(&ask, &which, None).await?;
    html(&drawn)
}

async fn draw(
    ask: &Ask,
    which: &Which,
    refused: Option<(&SettingsForm, Mistake)>,
) -> Result<PayoutsPage, crate::problem::PageProblem> {
    ask.account()?;
    let before = which.after.as_deref().map(PayoutId::parse).transpose();
    let before = before.map_err(|_| Problem::not_found("There is no such payout."))?;
    let caller = &ask.visitor.caller;
    let found = ask.app.read(caller, (), balances).await;
    let found = found.map_err(Problem::from)?;
    let query = MyPayouts { before, limit: 50 };
    let listed = ask.app.read(caller, query, my_payouts).await;
    let (payouts, next) = listed.map_err(Problem::from)?;
    let page = ask.section_page("sell-payouts", Section::Sell);
    let kept = SettingsForm::of(&found);
    let (form, mistake) = match refused {
        Some((form, mistake)) => (form, Some(mistake)),
        None => (&kept, None),
    };
    let notes = found.notes.iter().map(|skip| {
        let reason = format!("payout-skip-{}", skip.reason.code());
        [
            page.format.date(skip.noted_at),
            page.say(&reason),
            page.format.money(skip.balance),
        ]
    });
    Ok(PayoutsPage {
        tabs: own_tabs(ask, &page),
        notices: notices(&page, &found, which.saved.is_some()),
        balances: found
            .balances
            .iter()
            .map(|view| card(&page, view))
            .collect(),
        rows: payouts.iter().map(|payout| row(&page, payout)).collect(),
        next: next.map(|next| format!("/sell/payouts?after={next}")),
        notes: notes.collect(),
        fields: fields(&page, form, mistake),
        page,
    })
}

/// A seller's pages; who doesn't sell is an affiliate, and has two.
fn own_tabs(ask: &Ask, page: &Page) -> Vec<Tab> {
    if ask.visitor.caller.may(Capability::Sell) {
        return tabs(page, At::Payouts);
    }
    let tab = |key: &str, address: &str, chosen| Tab {
        name: page.say(key),
        address: address.to_owned(),
        chosen,
    };
    vec![
        tab("affiliate-title", "/affiliate", false),
        tab("sell-payouts", "/sell/payouts", true),
    ]
}

impl SettingsForm {
    /// What is kept for the first currency; else what most begin with.
    fn of(found: &SellerBalances) -> Self {
        let settings = found
            .balances
            .iter()
            .filter_map(|view| view.setting.as_ref());
        let Some(setting) = settings.clone().next() else {
            let currency = found.balances.first().map(|view| view.available.currency());
            let currency = currency.unwrap_or(Currency::EUR);
            return Self {
                currency: currency.code().to_owned(),
                threshold: amount(crate::domains::ledger::least(currency)),
                ..Self::default()
            };
        };
        Self {
            currency: setting.currency.code().to_owned(),
            destination: setting.destination.clone(),
            threshold: amount(setting.threshold),
            wanted: if setting.paused { "no" } else { "yes" }.to_owned(),
        }
    }
}

fn notices(page: &Page, found: &SellerBalances, saved: bool) -> Vec<Notice> {
    let mut notices = Vec::new();
    if saved {
        notices.push(Notice::new(Tone::Good, page.say("payouts-saved")));
    }
    if let Some(reason) = &found.state.paused {
        let text = page.say_one("payouts-paused", "reason", reason.as_str());
        notices.push(Notice::new(Tone::Wait, text));
    }
    if found.state.verified_at.is_none() {
        notices.push(Notice::new(Tone::Wait, page.say("payouts-unverified")));
    }
    if found.balances.iter().any(|view| !view.may_refund) {
        notices.push(Notice::new(Tone::Bad, page.say("payouts-no-refund")));
    }
    notices
}

fn card(page: &Page, view: &BalanceView) -> BalanceCard {
    let (label, remark) = match view.available.minor() < 0 {
        true => ("payouts-owed", "payouts-owed-text"),
        false => ("payouts-available", "payouts-available-text"),
    };
    let figure = |label: &str, money, remark: &str| Figure {
        label: page.say(label),
        value: page.format.money(money),
        remark: page.say(remark),
    };
    let hold = |held: &crate::domains::ledger::Held| {
        [
            page.format.date(held.releasable_at),
            held.reason.clone(),
            page.format.money(held.amount),
        ]
    };
    BalanceCard {
        currency: view.available.currency().code().to_owned(),
        figures: vec![
            figure(label, view.available, remark),
            figure("payouts-held", view.held, "payouts-held-text"),
            figure("payouts-transit", view.in_transit, "payouts-transit-text"),
        ],
        holds: view.holds.iter().map(hold).collect(),
    }
}

fn badge(page: &Page, state: State) -> Badge {
    let tone = match state {
        State::Created | State::Sending => Tone::Wait,
        State::Paid => Tone::Good,
        State::Failed | State::Returned | State::Reversed => Tone::Bad,
    };
    Badge::new(tone, page.say(&format!("payout-state-{}", state.code())))
}

fn row(page: &Page, payout: &Payout) -> Row {
    Row {
        address: format!("/sell/payouts/{}", payout.id),
        number: statement_number(payout.statement_number),
        created: page.format.date(payout.created_at),
        state: badge(page, payout.state),
        account: payout.destination.clone(),
        amount: page.format.money(payout.amount),
    }
}

fn fields(page: &Page, form: &SettingsForm, mistake: Option<Mistake>) -> Vec<Field> {
    let wrong = |field: &str| {
        let found = mistake.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let choice = |value: &str, text: &str| Choice {
        value: value.to_owned(),
        text: page.say(text),
    };
    let wanted = vec![
        choice("yes", "payouts-wanted-yes"),
        choice("no", "payouts-wanted-no"),
    ];
    vec![
        Field::text("currency", page.say("payouts-currency"))
            .hint(page.say("payouts-currency-hint"))
            .value(&form.currency)
            .error(wrong("currency"))
            .required()
            .max_length(3),
        Field::text("destination", page.say("payouts-destination"))
            .hint(page.say("payouts-destination-hint"))
            .value(&form.destination)
            .error(wrong("destination"))
            .required()
            .max_length(64),
        Field::text("threshold", page.say("payouts-threshold"))
            .hint(page.say("payouts-threshold-hint"))
            .value(&form.threshold)
            .error(wrong("threshold"))
            .input_mode("decimal")
            .max_length(20),
        Field::select("wanted", page.say("payouts-wanted"), wanted).value(&form.wanted),
    ]
}

/// `POST /sell/payouts/settings`.
pub async fn set(ask: Ask, form: Result<CsrfForm<SettingsForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    ask.account()?;
    let mistake = match command(&ask, &form) {
        Ok(command) => {
            let caller = &ask.visitor.caller;
            match ask.app.transact(caller, command, set_settings).await {
                Ok(_) => return go_to("/sell/payouts?saved=1"),
                Err(error) => mistake_of(&ask, error)?,
            }
        }
        Err(mistake) => mistake,
    };
    let drawn = draw(&ask, &Which::default(), Some((&form, mistake))).await?;
    refused(422, &drawn)
}

fn command(ask: &Ask, form: &SettingsForm) -> Result<SetSettings, Mistake> {
    let page = ask.page("sell-payouts");
    let currency = form.currency.trim().to_uppercase();
    let currency =
        Currency::parse(&currency).map_err(|_| ("currency", page.say("payouts-wrong-currency")))?;
    let threshold = match form.threshold.trim() {
        "" => None,
        text => {
            let wrong = || ("threshold", page.say("payouts-wrong-amount"));
            Some(minor_of(text, currency).ok_or_else(wrong)?)
        }
    };
    Ok(SetSettings {
        currency,
        provider: flow::provider(&ask.app),
        destination: form.destination.clone(),
        threshold_minor: threshold,
        paused: form.wanted == "no",
    })
}

/// `25.00` in minor units: no sign, and no more digits than the currency has.
pub(in crate::web) fn minor_of(text: &str, currency: Currency) -> Option<i64> {
    let digits = usize::from(currency.exponent());
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) || part.len() > digits {
        return None;
    }
    format!("{whole}{part:0<digits$}").parse().ok()
}

fn mistake_of(ask: &Ask, error: PayoutError) -> Result<Mistake, Problem> {
    let page = ask.page("sell-payouts");
    match error {
        PayoutError::Destination => Ok(("destination", page.say("payouts-wrong-destination"))),
        PayoutError::Threshold { least } => {
            let least = page.format.money(least);
            Ok((
                "threshold",
                page.say_one("payouts-wrong-threshold", "least", least),
            ))
        }
        PayoutError::NoProvider => Ok(("destination", page.say("payouts-unavailable"))),
        other => Err(other.into()),
    }
}

#[derive(Template)]
#[template(path = "sell/payout.html")]
struct PayoutPage {
    page: Page,
    crumbs: Crumbs,
    title: String,
    number: String,
    file: String,
    pdf: String,
    amount: String,
    state: Badge,
    facts: Vec<(String, String)>,
    opening: String,
    closing: String,
    rows: Vec<[String; 4]>,
    truncated: String,
}

/// `GET /sell/payouts/{id}`: a payout and its statement.
pub async fn show(ask: Ask, id: Result<PathParam<PayoutId>, Problem>) -> Answer {
    let PathParam(payout) = id?;
    ask.account()?;
    let query = StatementQuery {
        payout,
        after: None,
    };
    let found = ask.app.read(&ask.visitor.caller, query, statement).await;
    let found = found.map_err(Problem::from)?;
    let page = ask.section_page("statement-title", Section::Sell);
    html(&view(page, &found))
}

fn view(page: Page, found: &StatementPage) -> PayoutPage {
    let payout = &found.payout;
    let number = statement_number(payout.statement_number);
    let title = page.say_one("payout-title", "number", number.as_str());
    let steps = vec![(page.say("sell-payouts"), "/sell/payouts".to_owned())];
    let row = |line: &crate::domains::payouts::views::Line| {
        [
            page.format.date(line.movement.at),
            kind_text(&page, &line.movement.kind),
            line.order
                .clone()
                .unwrap_or_else(|| line.movement.reference.clone()),
            page.format.money(line.movement.amount),
        ]
    };
    let rows: Vec<_> = found.lines.iter().map(row).collect();
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let truncated = found
        .next
        .map(|_| page.say_one("statement-truncated", "count", count));
    PayoutPage {
        crumbs: page.crumbs(steps, &title),
        file: format!("/sell/payouts/{}/statement.csv", payout.id),
        pdf: format!("/sell/payouts/{}/statement.pdf", payout.id),
        amount: page.format.money(payout.amount),
        state: badge(&page, payout.state),
        facts: facts(&page, payout),
        opening: page.format.money(found.closing.opening),
        closing: page.format.money(found.closing.closing),
        truncated: truncated.unwrap_or_default(),
        rows,
        title,
        number,
        page,
    }
}

/// What moved, in words.
pub(super) fn kind_text(page: &Page, kind: &str) -> String {
    let key = match kind {
        "release" => "statement-kind-release",
        "payout" => "statement-kind-payout",
        "payout_back" => "statement-kind-payout_back",
        "write_off" => "statement-kind-write_off",
        "reversal" => "statement-kind-reversal",
        "refund" => "statement-kind-refund",
        "chargeback" => "statement-kind-chargeback",
        "dispute_fee" => "statement-kind-dispute_fee",
        "fee_return" => "statement-kind-fee_return",
        _ => "statement-kind-other",
    };
    page.say(key)
}

pub(super) fn facts(page: &Page, payout: &Payout) -> Vec<(String, String)> {
    let at = |instant: Timestamp| page.format.instant(instant);
    let mut facts = vec![
        (page.say("payouts-account"), payout.destination.clone()),
        (page.say("payouts-created"), at(payout.created_at)),
    ];
    facts.extend(
        payout
            .paid_at
            .map(|paid| (page.say("payouts-paid"), at(paid))),
    );
    facts.extend(
        payout
            .ended_at
            .map(|ended| (page.say("payouts-ended"), at(ended))),
    );
    let failure = payout.failure_code.clone();
    facts.extend(failure.map(|code| (page.say("payouts-failure"), code)));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Locale, Translator};

    #[test]
    fn amounts_are_read_with_their_currency_s_digits() {
        let dinar = Currency::parse("KWD").expect("a currency");
        for (text, currency, expected) in [
            ("25.00", Currency::EUR, Some(2_500)),
            ("25", Currency::EUR, Some(2_500)),
            ("25.5", Currency::EUR, Some(2_550)),
            ("25.555", Currency::EUR, None),
            ("1000", Currency::JPY, Some(1_000)),
            ("1.5", Currency::JPY, None),
            ("10.125", dinar, Some(10_125)),
            ("-5", Currency::EUR, None),
            ("", Currency::EUR, None),
            ("99999999999999999999", Currency::EUR, None),
        ] {
            assert_eq!(minor_of(text, currency), expected, "{text}");
        }
    }

    #[test]
    fn every_state_and_reason_has_its_sentence() {
        use crate::domains::payouts::model::SkipReason;
        let english = Translator::of(Locale::English);
        let states = State::ALL.map(|state| format!("payout-state-{}", state.code()));
        let reasons = SkipReason::ALL.map(|reason| format!("payout-skip-{}", reason.code()));
        for key in states.into_iter().chain(reasons) {
            assert_ne!(english.say(&key), key);
        }
    }
}
