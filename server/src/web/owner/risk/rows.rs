//! The rows of the page of risk: reviews, rules, entries of the lists, and the log.

use super::super::super::page::Page;
use super::super::super::parts::{Badge, Tone};
use crate::domains::risk::{Decision, Entry, Mode, Outcome, Review, Rule, Side, Terms};
use mintreu::Timestamp;

pub(super) struct ReviewRow {
    pub order: String,
    pub why: String,
    pub paid: String,
}

pub(super) struct RuleRow {
    pub id: String,
    pub name: String,
    pub says: String,
    pub does: String,
    pub mode: Badge,
}

pub(super) struct EntryRow {
    pub id: String,
    pub what: String,
    pub label: String,
    pub reason: String,
    pub until: String,
    pub state: Badge,
    pub active: bool,
}

pub(super) struct DecisionRow {
    pub id: String,
    pub when: String,
    pub outcome: Badge,
    pub shadow: Option<String>,
    pub order: Option<String>,
    pub who: String,
    pub amount: String,
    pub why: String,
}

pub(super) fn review_row(page: &Page, review: &Review) -> ReviewRow {
    ReviewRow {
        order: review.order.to_string(),
        why: review.why.clone(),
        paid: page.format.instant(review.paid_at),
    }
}

/// What a rule is called: what the house ships is in the reader's language.
pub(super) fn name_of(page: &Page, rule: &Rule) -> String {
    match rule.built_in {
        Some(code) if rule.changed_at.is_none() => page.say(&format!("risk-rule-{code}")),
        _ => rule.terms.name.clone(),
    }
}

pub(super) fn rule_row(page: &Page, rule: &Rule) -> RuleRow {
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
    let (length, unit) = super::form::span_of(terms.window_ms);
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

pub(super) fn entry_row(page: &Page, entry: &Entry, now: Timestamp) -> EntryRow {
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

pub(super) fn decision_row(page: &Page, decision: &Decision) -> DecisionRow {
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
