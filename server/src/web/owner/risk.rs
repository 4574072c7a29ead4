//! Risk: what waits for a look, the rules, the lists, and the log of what was decided.

mod form;
mod rows;

use self::form::{Mistake, RuleForm, rule_fields, terms_of};
use self::rows::{
    DecisionRow, EntryRow, ReviewRow, RuleRow, decision_row, entry_row, review_row, rule_row,
};
use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Choice, Field, Notice, Tone};
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::fulfilment::{DecideReview, FulfilmentError, decide_review};
use crate::domains::risk::{
    AddEntry, ChangeRule, CreateRule, Decisions, DeleteRule, Entries, EntryKind, Known, LiftEntry,
    Outcome, Preview, Reviews, RiskError, Side, Terms, add_entry, change_rule, create_rule,
    decisions, delete_rule, entries, lift_entry, preview, reviews, rules,
};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, PathParam, Query};
use askama::Template;
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

struct Trial {
    text: String,
    action: String,
    hidden: Vec<(&'static str, String)>,
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
    use crate::domains::risk::{Action, By, Counts, Mode, Step};
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
