//! Risk: what waits for a look, the rules, the lists, and the log of what was decided.

mod form;

use self::form::{Mistake, RuleForm, rule_fields, terms_of};
use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Field, Notice, Tone};
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::fulfilment::{DecideReview, FulfilmentError, decide_review};
use crate::domains::risk::{
    AddEntry, ChangeRule, CreateRule, Decision, Decisions, DeleteRule, Entries, Entry, EntryKind,
    Known, LiftEntry, Mode, Outcome, Preview, Review, Reviews, RiskError, Rule, Side, Terms,
    add_entry, change_rule, create_rule, decisions, delete_rule, entries, lift_entry, preview,
    reviews, rules,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
use mintreu::Timestamp;
use mintreu::id::{OrderId, RiskDecisionId, RiskEntryId, RiskRuleId};
use serde::Deserialize;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Template)]
#[template(path = "owner/risk.html")]
struct RiskPage {
    page: Page,
    tabs: Vec<Tab>,
    notices: Vec<Notice>,
    reviews: Vec<ReviewRow>,
    rules: Vec<RuleRow>,
    /// Which rule the form changes; none for a new one.
    changes: Option<String>,
    fields: Vec<Field>,
    /// What the rule that is looked at would have done.
    trial: Option<Trial>,
    entries: Vec<EntryRow>,
    entry_fields: Vec<Field>,
    filters: Vec<Tab>,
    decisions: Vec<DecisionRow>,
    next: Option<String>,
}

struct ReviewRow {
    order: String,
    why: String,
    paid: String,
}

struct RuleRow {
    id: String,
    name: String,
    says: String,
    does: String,
    mode: Badge,
}

struct Trial {
    text: String,
    action: String,
    hidden: Vec<(&'static str, String)>,
}

struct EntryRow {
    id: String,
    what: String,
    label: String,
    reason: String,
    until: String,
    state: Badge,
    active: bool,
}

struct DecisionRow {
    id: String,
    when: String,
    outcome: Badge,
    shadow: Option<String>,
    order: Option<String>,
    who: String,
    amount: String,
    why: String,
}

/// What of the page is asked for, and what was just done.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    rule: Option<String>,
    outcome: String,
    after: Option<String>,
    saved: Option<String>,
}

/// What the form of an entry sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct EntryForm {
    side: String,
    kind: String,
    value: String,
    days: String,
    entry_reason: String,
}

/// What the page shows besides what is stored.
#[derive(Default)]
struct Shown {
    rule: Option<RuleForm>,
    entry: EntryForm,
    mistake: Option<Mistake>,
    trial: Option<Option<Preview>>,
}

/// `GET /owner/risk`.
pub async fn show(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    let Query(which) = which?;
    html(&draw(&ask, &which, Shown::default()).await?)
}

async fn draw(ask: &Ask, which: &Which, shown: Shown) -> Result<RiskPage, PageProblem> {
    must_own(ask)?;
    let (app, caller, now) = (&ask.app, &ask.visitor.caller, ask.app.now());
    let page = ask.section_page("owner-risk", Section::Owner);
    let waiting = app.read(caller, Reviews::default(), reviews).await?;
    let found = app.read(caller, (), rules).await?;
    let listed = app.read(caller, Entries::default(), entries).await?.0;
    let missing = |_| Problem::not_found("There is no such decision.");
    let before = which.after.as_deref().map(RiskDecisionId::parse);
    let outcome = crate::domains::risk::http::outcome_of(&which.outcome);
    let query = Decisions {
        outcome: outcome.ok_or(RiskError::Outcome)?,
        before: before.transpose().map_err(missing)?,
    };
    let (decided, next) = app.read(caller, query, decisions).await?;
    let chosen = which.rule.as_deref();
    let chosen = found
        .iter()
        .find(|rule| Some(rule.id.to_string().as_str()) == chosen);
    let form = shown.rule.clone();
    let form = form
        .unwrap_or_else(|| chosen.map_or_else(RuleForm::fresh, |rule| RuleForm::of(&page, rule)));
    let mistake = shown.mistake.as_ref();
    let mut notices = Vec::new();
    if which.saved.is_some() {
        notices.push(Notice::new(Tone::Good, page.say("risk-saved")));
    }
    let changes = Some(form.rule.clone()).filter(|rule| !rule.is_empty());
    Ok(RiskPage {
        tabs: tabs(&page, At::Risk),
        notices,
        reviews: waiting.iter().map(|one| review_row(&page, one)).collect(),
        rules: found.iter().map(|one| rule_row(&page, one)).collect(),
        fields: rule_fields(&page, &form, mistake),
        trial: shown.trial.map(|preview| trial(&page, preview, &form)),
        changes,
        entries: listed
            .iter()
            .map(|one| entry_row(&page, one, now))
            .collect(),
        entry_fields: entry_fields(&page, &shown.entry, mistake),
        filters: filters(&page, &which.outcome),
        decisions: decided.iter().map(|one| decision_row(&page, one)).collect(),
        next: next.map(|next| format!("/owner/risk?outcome={}&after={next}#log", which.outcome)),
        page,
    })
}

fn review_row(page: &Page, review: &Review) -> ReviewRow {
    ReviewRow {
        order: review.order.to_string(),
        why: review.why.clone(),
        paid: page.format.instant(review.paid_at),
    }
}

/// What a rule is called: what the house ships is in the reader's language.
fn name_of(page: &Page, rule: &Rule) -> String {
    match rule.built_in {
        Some(code) if rule.changed_at.is_none() => page.say(&format!("risk-rule-{code}")),
        _ => rule.terms.name.clone(),
    }
}

fn rule_row(page: &Page, rule: &Rule) -> RuleRow {
    let terms = &rule.terms;
    let tone = match terms.mode {
        Mode::Live => Tone::Good,
        Mode::Shadow => Tone::Wait,
        Mode::Off => Tone::Plain,
    };
    RuleRow {
        id: rule.id.to_string(),
        name: name_of(page, rule),
        says: says(page, terms),
        does: page.say(&format!("risk-action-{}", terms.action.code())),
        mode: Badge::new(tone, page.say(&format!("risk-mode-{}", terms.mode.code()))),
    }
}

/// `From 10 on: declined payments, by buyer, in 1 hours`.
fn says(page: &Page, terms: &Terms) -> String {
    let count = match terms.currency {
        Some(currency) => page
            .format
            .money(mintreu::Money::new(terms.threshold, currency)),
        None => page.format.signed(terms.threshold),
    };
    let (length, unit) = form::span_of(terms.window_ms);
    let unit = page.say_one(&format!("risk-span-{unit}"), "count", length);
    let values = [
        ("count", count.into()),
        (
            "counts",
            page.say(&format!("risk-counts-{}", terms.counts.code()))
                .into(),
        ),
        (
            "by",
            page.say(&format!("risk-by-{}", terms.by.code())).into(),
        ),
        ("span", unit.into()),
    ];
    page.words.say_with("risk-says", values)
}

fn trial(page: &Page, preview: Option<Preview>, form: &RuleForm) -> Trial {
    let text = match preview {
        None => page.say("risk-trial-unknown"),
        Some(found) => {
            let values = [("asked", found.asked.into()), ("acted", found.acted.into())];
            page.words.say_with("risk-trial-text", values)
        }
    };
    Trial {
        text,
        action: form.action.clone(),
        hidden: form.hidden(),
    }
}

fn entry_row(page: &Page, entry: &Entry, now: Timestamp) -> EntryRow {
    let state = entry.state(now);
    let active = state == "active";
    let tone = match (active, entry.side) {
        (false, _) => Tone::Plain,
        (true, Side::Allow) => Tone::Good,
        (true, Side::Block) => Tone::Bad,
    };
    let state = match active {
        true => page.say(&format!("risk-side-{}", entry.side.code())),
        false => page.say(&format!("risk-entry-{state}")),
    };
    let never = || page.say("risk-entry-never");
    EntryRow {
        id: entry.id.to_string(),
        what: page.say(&format!("risk-kind-{}", entry.kind.code())),
        label: entry.label.clone(),
        reason: entry.reason.clone(),
        until: entry
            .ends_at
            .map_or_else(never, |end| page.format.instant(end)),
        state: Badge::new(tone, state),
        active,
    }
}

fn filters(page: &Page, chosen: &str) -> Vec<Tab> {
    let codes = Outcome::ALL.iter().map(|outcome| outcome.code());
    let all = ["", "shadow"].into_iter().chain(codes);
    let tab = |code: &str| Tab {
        name: match code {
            "" => page.say("risk-log-all"),
            "shadow" => page.say("risk-log-shadow"),
            other => page.say(&format!("risk-outcome-{other}")),
        },
        address: format!("/owner/risk?outcome={code}#log"),
        chosen: code == chosen,
    };
    all.map(tab).collect()
}

fn decision_row(page: &Page, decision: &Decision) -> DecisionRow {
    let tone = match decision.outcome {
        Outcome::Allow => Tone::Good,
        Outcome::Review | Outcome::Challenge => Tone::Wait,
        Outcome::Refuse => Tone::Bad,
    };
    let outcome = page.say(&format!("risk-outcome-{}", decision.outcome.code()));
    let fired = decision.looked.iter().filter(|one| one.fired());
    let mut why: Vec<_> = fired
        .map(|one| format!("{} ({}/{})", one.name, one.count, one.threshold))
        .collect();
    if decision.entry.is_some() {
        why.push(page.say("risk-log-listed"));
    }
    let short = |hash: &Option<Vec<u8>>| hash.as_deref().map(crate::domains::risk::short);
    let who = [
        ("risk-kind-mail", &decision.buyer),
        ("risk-kind-network", &decision.network),
    ];
    let who = who
        .into_iter()
        .filter_map(|(key, hash)| Some(format!("{} {}", page.say(key), short(hash)?)));
    let would = |action: crate::domains::risk::Action| {
        let action = page.say(&format!("risk-action-{}", action.code()));
        page.say_one("risk-log-would", "action", action)
    };
    DecisionRow {
        id: decision.id.to_string(),
        when: page.format.instant(decision.at),
        outcome: Badge::new(tone, outcome),
        shadow: decision.shadow.map(would),
        order: decision.order.map(|order| order.to_string()),
        who: who.collect::<Vec<_>>().join(" · "),
        amount: page.format.money(decision.total),
        why: why.join(", "),
    }
}

fn entry_fields(page: &Page, form: &EntryForm, mistake: Option<&Mistake>) -> Vec<Field> {
    let wrong = |field: &str| {
        let found = mistake.filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let sides = [Side::Block, Side::Allow].map(|side| Choice {
        value: side.code().to_owned(),
        text: page.say(&format!("risk-side-{}", side.code())),
    });
    let kinds = EntryKind::ALL.iter().map(|kind| Choice {
        value: kind.code().to_owned(),
        text: page.say(&format!("risk-kind-{}", kind.code())),
    });
    let kind = match form.kind.as_str() {
        "" => EntryKind::Mail.code(),
        chosen => chosen,
    };
    vec![
        Field::select("side", page.say("risk-entry-side"), sides.into()).value(&form.side),
        Field::select("kind", page.say("risk-entry-kind"), kinds.collect()).value(kind),
        Field::text("value", page.say("risk-entry-value"))
            .hint(page.say("risk-entry-value-hint"))
            .value(&form.value)
            .error(wrong("value"))
            .required()
            .max_length(254),
        Field::text("days", page.say("risk-entry-days"))
            .hint(page.say("risk-entry-days-hint"))
            .value(&form.days)
            .error(wrong("ends_at"))
            .input_mode("numeric")
            .max_length(3),
        Field::text("entry_reason", page.say("owner-reason"))
            .value(&form.entry_reason)
            .error(wrong("reason"))
            .required()
            .full()
            .max_length(500),
    ]
}

/// `POST /owner/risk/rules`: looks at a rule, or keeps it.
pub async fn set_rule(ask: Ask, form: Result<CsrfForm<RuleForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let page = ask.page("owner-risk");
    let mut shown = Shown {
        rule: Some(form.clone()),
        ..Shown::default()
    };
    match terms_of(&page, &form) {
        Err(mistake) => shown.mistake = Some(mistake),
        Ok(terms) => match tried(&ask, &form, terms).await {
            Ok(None) => return go_to("/owner/risk?saved=1#rules"),
            Ok(Some(found)) => {
                shown.trial = Some(found);
                return html(&draw(&ask, &Which::default(), shown).await?);
            }
            Err(RiskError::Rule(field)) => {
                shown.mistake = Some((form::field_of(field), page.say("risk-wrong")));
            }
            Err(other) => return Err(Problem::from(other).into()),
        },
    }
    refused(422, &draw(&ask, &Which::default(), shown).await?)
}

/// Nothing, when the rule was kept; else what it would have done.
async fn tried(
    ask: &Ask,
    form: &RuleForm,
    terms: Terms,
) -> Result<Option<Option<Preview>>, RiskError> {
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    if form.act != "keep" {
        return app.read(caller, terms, preview).await.map(Some);
    }
    if form.rule.is_empty() {
        app.transact(caller, CreateRule { terms }, create_rule)
            .await?;
    } else {
        let rule = RiskRuleId::parse(&form.rule).map_err(|_| RiskError::NotFound("rule"))?;
        app.transact(caller, ChangeRule { rule, terms }, change_rule)
            .await?;
    }
    Ok(None)
}

/// A form that carries nothing but its token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Nothing {}

/// `POST /owner/risk/rules/{id}/delete`.
pub async fn drop_rule(
    ask: Ask,
    rule: Result<PathParam<RiskRuleId>, Problem>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    must_own(&ask)?;
    let PathParam(rule) = rule?;
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, DeleteRule { rule }, delete_rule)
        .await?;
    go_to("/owner/risk?saved=1#rules")
}

/// `POST /owner/risk/entries`: writes an entry of a list.
pub async fn set_entry(ask: Ask, form: Result<CsrfForm<EntryForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let page = ask.page("owner-risk");
    let mistake = match entry_of(&ask, &form) {
        Err(error) => mistake_of(&page, error)?,
        Ok(command) => match ask
            .app
            .transact(&ask.visitor.caller, command, add_entry)
            .await
        {
            Ok(_) => return go_to("/owner/risk?saved=1#lists"),
            Err(error) => mistake_of(&page, error)?,
        },
    };
    let shown = Shown {
        mistake: Some(mistake),
        entry: form,
        ..Shown::default()
    };
    refused(422, &draw(&ask, &Which::default(), shown).await?)
}

fn entry_of(ask: &Ask, form: &EntryForm) -> Result<AddEntry, RiskError> {
    let days = match form.days.trim() {
        "" => None,
        text => {
            let days = text
                .parse::<i64>()
                .ok()
                .filter(|days| (1..=365).contains(days));
            Some(days.ok_or(RiskError::Entry("ends_at"))?)
        }
    };
    let kind = EntryKind::parse(&form.kind).ok_or(RiskError::Entry("value"))?;
    Ok(AddEntry {
        side: Side::parse(&form.side).ok_or(RiskError::Entry("value"))?,
        kind,
        known: match RiskDecisionId::parse(&form.value) {
            Ok(decision) => Known::Decision(decision),
            Err(_) => Known::Typed(form.value.clone()),
        },
        reason: form.entry_reason.clone(),
        ends_at: days.map(|days| ask.app.now().plus_ms(days * DAY_MS)),
    })
}

fn mistake_of(page: &Page, error: RiskError) -> Result<Mistake, Problem> {
    match error {
        RiskError::Entry("kind") | RiskError::NotFound(_) => {
            Ok(("value", page.say("risk-wrong-value")))
        }
        RiskError::Entry("value") => Ok(("value", page.say("risk-wrong-value"))),
        RiskError::Entry(field) => Ok((field, page.say("risk-wrong"))),
        other => Err(other.into()),
    }
}

/// `POST /owner/risk/entries/{id}/lift`.
pub async fn lift(
    ask: Ask,
    entry: Result<PathParam<RiskEntryId>, Problem>,
    form: Result<CsrfForm<Nothing>, Problem>,
) -> Answer {
    form?;
    must_own(&ask)?;
    let PathParam(entry) = entry?;
    let caller = &ask.visitor.caller;
    ask.app
        .transact(caller, LiftEntry { entry }, lift_entry)
        .await?;
    go_to("/owner/risk?saved=1#lists")
}

/// What is decided of a review.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ReviewForm {
    decision: String,
}

/// `POST /owner/risk/reviews/{id}`: lets an order's money go, or refunds it.
pub async fn decide(
    ask: Ask,
    order: Result<PathParam<OrderId>, Problem>,
    form: Result<CsrfForm<ReviewForm>, Problem>,
) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let PathParam(order) = order?;
    let refund = match form.decision.as_str() {
        "let_go" => false,
        "refund" => true,
        _ => return Err(Problem::from(RiskError::Choice).into()),
    };
    let command = DecideReview {
        order,
        refund,
        note: String::new(),
    };
    let decided = ask
        .app
        .transact(&ask.visitor.caller, command, decide_review)
        .await;
    match decided {
        // Somebody was faster: the page shows what waits now.
        Ok(()) | Err(FulfilmentError::Risk(RiskError::NotWaiting)) => go_to("/owner/risk?saved=1"),
        Err(other) => Err(Problem::from(other).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::risk::{Action, By, Counts, Step};
    use crate::text::{Locale, Translator};

    #[test]
    fn everything_that_is_stored_has_its_sentence() {
        let english = Translator::of(Locale::English);
        let mut keys: Vec<String> = Vec::new();
        keys.extend(
            Counts::ALL
                .iter()
                .map(|one| format!("risk-counts-{}", one.code())),
        );
        keys.extend(By::ALL.iter().map(|one| format!("risk-by-{}", one.code())));
        keys.extend(
            Action::ALL
                .iter()
                .map(|one| format!("risk-action-{}", one.code())),
        );
        keys.extend(
            Mode::ALL
                .iter()
                .map(|one| format!("risk-mode-{}", one.code())),
        );
        keys.extend(
            Outcome::ALL
                .iter()
                .map(|one| format!("risk-outcome-{}", one.code())),
        );
        keys.extend(
            Side::ALL
                .iter()
                .map(|one| format!("risk-side-{}", one.code())),
        );
        keys.extend(
            EntryKind::ALL
                .iter()
                .map(|one| format!("risk-kind-{}", one.code())),
        );
        let built_in = crate::domains::risk::built_in();
        keys.extend(
            built_in
                .iter()
                .filter_map(|rule| Some(format!("risk-rule-{}", rule.built_in?))),
        );
        assert_eq!(Step::ALL.len(), 2);
        for key in keys {
            assert!(english.knows(&key), "{key}");
        }
    }
}
