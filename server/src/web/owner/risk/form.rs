//! The form of a rule: its fields, and what was typed into them.

use super::super::super::page::Page;
use super::super::super::parts::{Choice, Field};
use crate::domains::risk::{Action, By, Counts, Mode, Rule, Terms};
use mintreu::Currency;
use serde::Deserialize;

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A field and what is wrong with it.
pub(super) type Mistake = (&'static str, String);

/// What the rule's form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RuleForm {
    /// `keep`, or anything else to look at it first.
    pub act: String,
    /// The rule that is changed; empty for a new one.
    pub rule: String,
    name: String,
    counts: String,
    by: String,
    window: String,
    unit: String,
    threshold: String,
    currency: String,
    newer: String,
    pub action: String,
    mode: String,
    block: String,
}

/// A length of time in the longest unit that it is whole in.
pub(super) fn span_of(ms: i64) -> (i64, &'static str) {
    match ms {
        ms if ms % DAY_MS == 0 => (ms / DAY_MS, "days"),
        ms if ms % HOUR_MS == 0 => (ms / HOUR_MS, "hours"),
        ms => (ms / MINUTE_MS, "minutes"),
    }
}

/// The form's field for one of the terms.
pub(super) fn field_of(field: &'static str) -> &'static str {
    match field {
        "window_ms" => "window",
        "newer_than_days" => "newer",
        "block_ms" => "block",
        other => other,
    }
}

impl RuleForm {
    /// A new rule, in shadow mode until its owner says otherwise.
    pub(super) fn fresh() -> Self {
        Self {
            window: "1".to_owned(),
            unit: "hours".to_owned(),
            action: Action::Review.code().to_owned(),
            mode: Mode::Shadow.code().to_owned(),
            ..Self::default()
        }
    }

    /// A rule as it is.
    pub(super) fn of(page: &Page, rule: &Rule) -> Self {
        let terms = &rule.terms;
        let (window, unit) = span_of(terms.window_ms);
        let threshold = match terms.currency {
            Some(currency) => {
                let amount = mintreu::Money::new(terms.threshold, currency).to_string();
                amount.split(' ').next().unwrap_or_default().to_owned()
            }
            None => terms.threshold.to_string(),
        };
        Self {
            act: String::new(),
            rule: rule.id.to_string(),
            name: super::rows::name_of(page, rule),
            counts: terms.counts.code().to_owned(),
            by: terms.by.code().to_owned(),
            window: window.to_string(),
            unit: unit.to_owned(),
            threshold,
            currency: terms
                .currency
                .map_or_else(String::new, |one| one.code().to_owned()),
            newer: terms
                .newer_than_days
                .map_or_else(String::new, |days| days.to_string()),
            action: terms.action.code().to_owned(),
            mode: terms.mode.code().to_owned(),
            block: terms
                .block_ms
                .map_or_else(String::new, |ms| (ms / HOUR_MS).to_string()),
        }
    }

    /// What a form that keeps the rule carries along.
    pub(super) fn hidden(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("rule", &self.rule),
            ("name", &self.name),
            ("counts", &self.counts),
            ("by", &self.by),
            ("window", &self.window),
            ("unit", &self.unit),
            ("threshold", &self.threshold),
            ("currency", &self.currency),
            ("newer", &self.newer),
            ("action", &self.action),
            ("mode", &self.mode),
            ("block", &self.block),
        ];
        all.map(|(name, value)| (name, value.clone())).into()
    }
}

/// The rule that was typed, or the field that isn't one.
pub(super) fn terms_of(page: &Page, form: &RuleForm) -> Result<Terms, Mistake> {
    let wrong = |field| (field, page.say("risk-wrong"));
    let whole = |text: &str, field| text.trim().parse::<i64>().map_err(|_| wrong(field));
    let maybe = |text: &str, field| match text.trim() {
        "" => Ok(None),
        text => whole(text, field).map(Some),
    };
    let unit = match form.unit.as_str() {
        "minutes" => MINUTE_MS,
        "hours" => HOUR_MS,
        _ => DAY_MS,
    };
    let counts = Counts::parse(&form.counts).ok_or_else(|| wrong("counts"))?;
    let currency = match (counts, form.currency.trim().to_uppercase().as_str()) {
        (Counts::Spent, code) => Some(Currency::parse(code).map_err(|_| wrong("currency"))?),
        _ => None,
    };
    let threshold = match currency {
        Some(currency) => mintreu::price::parse_amount(form.threshold.trim(), currency)
            .map_err(|_| wrong("threshold"))?,
        None => whole(&form.threshold, "threshold")?,
    };
    let block = maybe(&form.block, "block")?;
    Ok(Terms {
        name: form.name.clone(),
        counts,
        by: By::parse(&form.by).ok_or_else(|| wrong("by"))?,
        window_ms: whole(&form.window, "window")?.saturating_mul(unit),
        threshold,
        currency,
        newer_than_days: maybe(&form.newer, "newer")?,
        action: Action::parse(&form.action).ok_or_else(|| wrong("action"))?,
        mode: Mode::parse(&form.mode).ok_or_else(|| wrong("mode"))?,
        block_ms: block.map(|hours| hours.saturating_mul(HOUR_MS)),
    })
}

pub(super) fn rule_fields(page: &Page, form: &RuleForm, mistake: Option<&Mistake>) -> Vec<Field> {
    let wrong = |field: &str| {
        let found = mistake.filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let choice = |code: &str, key: String| Choice {
        value: code.to_owned(),
        text: page.say(&key),
    };
    let counts = Counts::ALL
        .iter()
        .map(|one| choice(one.code(), format!("risk-counts-{}", one.code())));
    let by = By::ALL
        .iter()
        .map(|one| choice(one.code(), format!("risk-by-{}", one.code())));
    let actions = Action::ALL
        .iter()
        .map(|one| choice(one.code(), format!("risk-action-{}", one.code())));
    let modes = Mode::ALL
        .iter()
        .map(|one| choice(one.code(), format!("risk-mode-{}", one.code())));
    let units = ["minutes", "hours", "days"].map(|unit| choice(unit, format!("risk-unit-{unit}")));
    let number = |name, label: &str, value: &str| {
        Field::text(name, page.say(label))
            .value(value)
            .error(wrong(name))
            .input_mode("decimal")
            .max_length(16)
    };
    vec![
        Field::text("name", page.say("risk-name"))
            .value(&form.name)
            .error(wrong("name"))
            .required()
            .full()
            .max_length(80),
        Field::select("counts", page.say("risk-counts"), counts.collect())
            .value(&form.counts)
            .error(wrong("counts")),
        Field::select("by", page.say("risk-by"), by.collect())
            .hint(page.say("risk-by-hint"))
            .value(&form.by)
            .error(wrong("by")),
        number("threshold", "risk-threshold", &form.threshold)
            .hint(page.say("risk-threshold-hint"))
            .required(),
        Field::text("currency", page.say("owner-currency"))
            .hint(page.say("risk-currency-hint"))
            .value(&form.currency)
            .error(wrong("currency"))
            .max_length(3),
        number("window", "risk-window", &form.window).required(),
        Field::select("unit", page.say("risk-unit"), units.into()).value(&form.unit),
        number("newer", "risk-newer", &form.newer).hint(page.say("risk-newer-hint")),
        Field::select("action", page.say("risk-action"), actions.collect()).value(&form.action),
        number("block", "risk-block", &form.block).hint(page.say("risk-block-hint")),
        Field::select("mode", page.say("risk-mode"), modes.collect()).value(&form.mode),
    ]
}
