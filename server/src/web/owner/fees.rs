//! The fee policy: what of a hundred goes to whom, every rule with its reason, and a new one,
//! which is looked at before it is kept.

use super::super::ask::{Answer, Ask, go_to, html, refused};
use super::super::page::{Page, Section};
use super::super::parts::{Badge, Choice, Field, Notice, Tone};
use super::super::sell::Tab;
use super::{At, must_own, tabs};
use crate::domains::fees::http::{settings, tariff};
use crate::domains::fees::{
    DisputeFee, Example, FeeError, Listed, Preview, RulesQuery, Scope, SetDisputeFee, SetRule,
    dispute_fees, preview, rules, set_dispute_fee, set_rule,
};
use crate::domains::ledger::{FeePolicy, Traffic};
use crate::problem::{PageProblem, Problem};
use crate::wire::{CsrfForm, Query};
use askama::Template;
use mintreu::id::FeeRuleId;
use mintreu::{Currency, Money, Timestamp};
use serde::Deserialize;

/// What is divided in the example, in cents.
const HUNDRED: i64 = 10_000;

#[derive(Template)]
#[template(path = "owner/fees.html")]
struct FeesPage {
    page: Page,
    tabs: Vec<Tab>,
    notices: Vec<Notice>,
    example: Vec<[String; 4]>,
    /// The rule that is looked at: as it is and as it would be.
    trial: Option<Trial>,
    fields: Vec<Field>,
    rules: Vec<RuleRow>,
    next: Option<String>,
    disputes: Vec<[String; 3]>,
    dispute_fields: Vec<Field>,
}

struct Trial {
    what: String,
    rows: Vec<[String; 5]>,
    hidden: Vec<(&'static str, String)>,
}

struct RuleRow {
    what: String,
    subject: String,
    shares: String,
    from: String,
    state: Badge,
    reason: String,
}

/// Where the list goes on, and what was just kept.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Which {
    after: Option<String>,
    saved: Option<String>,
}

/// What the rule's form sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RuleForm {
    /// `keep`, or anything else to look at it first.
    action: String,
    scope: String,
    subject: String,
    /// `end`, or shares.
    kind: String,
    seller: String,
    marketplace: String,
    otherwise: String,
    from: String,
    reason: String,
}

/// What the form of a chargeback's fee sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DisputeForm {
    currency: String,
    amount: String,
    dispute_reason: String,
}

/// A field and what is wrong with it.
type Mistake = (&'static str, String);

/// What the page shows besides what is stored.
#[derive(Default)]
struct Shown {
    form: RuleForm,
    mistake: Option<Mistake>,
    trial: Option<Vec<Example>>,
    dispute: DisputeForm,
}

/// `GET /owner/fees`.
pub async fn show(ask: Ask, which: Result<Query<Which>, Problem>) -> Answer {
    let Query(which) = which?;
    let drawn = draw(&ask, &which, Shown::default()).await?;
    html(&drawn)
}

async fn draw(ask: &Ask, which: &Which, shown: Shown) -> Result<FeesPage, PageProblem> {
    must_own(ask)?;
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    let missing = |_| Problem::not_found("There is no such rule.");
    let before = which.after.as_deref().map(FeeRuleId::parse);
    let before = before.transpose().map_err(missing)?;
    let found = app.read(caller, RulesQuery { before }, rules).await;
    let found = found.map_err(Problem::from)?;
    let fees = app.read(caller, (), dispute_fees).await;
    let fees = fees.map_err(Problem::from)?;
    let platform = RuleForm {
        scope: Scope::Platform.code().to_owned(),
        kind: "end".to_owned(),
        ..RuleForm::default()
    };
    let example = app
        .read(caller, trial_of(ask, &platform, None), preview)
        .await;
    let example = example.map_err(Problem::from)?;
    let page = ask.section_page("owner-fees", Section::Owner);
    let mut notices = Vec::new();
    if which.saved.is_some() {
        notices.push(Notice::new(Tone::Good, page.say("owner-fee-saved")));
    }
    let trial = shown
        .trial
        .as_ref()
        .map(|found| trial(&page, &shown.form, found));
    Ok(FeesPage {
        tabs: tabs(&page, At::Fees),
        notices,
        example: example.iter().map(|one| example_row(&page, one)).collect(),
        trial,
        fields: fields(&page, &shown),
        rules: found.rules.iter().map(|one| rule_row(&page, one)).collect(),
        next: found.next.map(|next| format!("/owner/fees?after={next}")),
        disputes: fees.iter().map(|fee| dispute_row(&page, fee)).collect(),
        dispute_fields: dispute_fields(&page, &shown),
        page,
    })
}

fn trial_of(ask: &Ask, form: &RuleForm, policy: Option<FeePolicy>) -> Preview {
    Preview {
        scope: Scope::parse(&form.scope).unwrap_or(Scope::Platform),
        subject: form.subject.clone(),
        policy,
        amount: Money::new(HUNDRED, Currency::EUR),
        settings: settings(&ask.app),
        tariff: tariff(&ask.app),
    }
}

fn traffic_text(page: &Page, traffic: Traffic) -> String {
    page.say(&format!("traffic-{}", traffic.code()))
}

fn example_row(page: &Page, one: &Example) -> [String; 4] {
    [
        traffic_text(page, one.traffic),
        page.format.money(one.now.platform_fee),
        page.format.money(one.now.payment_fee),
        page.format.money(one.now.seller),
    ]
}

fn trial(page: &Page, form: &RuleForm, found: &[Example]) -> Trial {
    let row = |one: &Example| {
        [
            traffic_text(page, one.traffic),
            page.format.money(one.now.platform_fee),
            page.format.money(one.then.platform_fee),
            page.format.money(one.now.seller),
            page.format.money(one.then.seller),
        ]
    };
    let hidden = [
        ("scope", &form.scope),
        ("subject", &form.subject),
        ("kind", &form.kind),
        ("seller", &form.seller),
        ("marketplace", &form.marketplace),
        ("otherwise", &form.otherwise),
        ("from", &form.from),
        ("reason", &form.reason),
    ];
    let scope = Scope::parse(&form.scope).unwrap_or(Scope::Platform);
    let scope = page.say(&format!("fee-scope-{}", scope.code()));
    Trial {
        what: format!("{scope} {}", form.subject),
        rows: found.iter().map(row).collect(),
        hidden: hidden
            .into_iter()
            .map(|(name, value)| (name, value.clone()))
            .collect(),
    }
}

/// `12.5 %`, as people write it.
fn percent(bps: u32) -> String {
    let (whole, part) = (bps / 100, bps % 100);
    match part {
        0 => format!("{whole} %"),
        _ => format!("{whole}.{part:02} %"),
    }
}

fn rule_row(page: &Page, listed: &Listed) -> RuleRow {
    let rule = &listed.rule;
    let (tone, key) = match listed.state {
        "in_force" => (Tone::Good, "fee-state-in_force"),
        "planned" => (Tone::Wait, "fee-state-planned"),
        _ => (Tone::Plain, "fee-state-replaced"),
    };
    let shares = rule.policy.map(|policy| {
        let all = [
            policy.seller_bps,
            policy.marketplace_bps,
            policy.default_bps,
        ];
        all.map(percent).join(" · ")
    });
    RuleRow {
        what: page.say(&format!("fee-scope-{}", rule.scope.code())),
        subject: rule.subject.clone(),
        shares: shares.unwrap_or_else(|| page.say("owner-fee-ended")),
        from: page.format.instant(rule.from),
        state: Badge::new(tone, page.say(key)),
        reason: rule.reason.clone(),
    }
}

fn dispute_row(page: &Page, fee: &DisputeFee) -> [String; 3] {
    [
        fee.amount.currency().code().to_owned(),
        page.format.money(fee.amount),
        fee.reason
            .clone()
            .unwrap_or_else(|| page.say("owner-fee-usual")),
    ]
}

fn fields(page: &Page, shown: &Shown) -> Vec<Field> {
    let form = &shown.form;
    let wrong = |field: &str| {
        let found = shown.mistake.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    let scopes = Scope::ALL.iter().rev().filter(|scope| scope.is_set());
    let scopes = scopes.map(|scope| Choice {
        value: scope.code().to_owned(),
        text: page.say(&format!("fee-scope-{}", scope.code())),
    });
    let kinds = [("shares", "owner-fee-shares"), ("end", "owner-fee-end")];
    let kinds = kinds.map(|(value, text)| Choice {
        value: value.to_owned(),
        text: page.say(text),
    });
    let share = |name, label: &str, value: &str| {
        Field::text(name, page.say(label))
            .value(value)
            .error(wrong(name))
            .input_mode("decimal")
            .max_length(6)
    };
    vec![
        Field::select("scope", page.say("owner-fee-scope"), scopes.collect())
            .value(&form.scope)
            .error(wrong("scope")),
        Field::text("subject", page.say("owner-fee-subject"))
            .hint(page.say("owner-fee-subject-hint"))
            .value(&form.subject)
            .error(wrong("subject"))
            .max_length(200),
        Field::select("kind", page.say("owner-fee-kind"), kinds.into()).value(&form.kind),
        share("seller", "traffic-seller", &form.seller),
        share("marketplace", "traffic-marketplace", &form.marketplace),
        share("otherwise", "traffic-unknown", &form.otherwise),
        Field::text("from", page.say("owner-fee-from"))
            .hint(page.say("owner-fee-from-hint"))
            .value(&form.from)
            .error(wrong("from"))
            .max_length(10),
        Field::text("reason", page.say("owner-reason"))
            .hint(page.say("owner-reason-hint"))
            .value(&form.reason)
            .error(wrong("reason"))
            .required()
            .max_length(500),
    ]
}

fn dispute_fields(page: &Page, shown: &Shown) -> Vec<Field> {
    let form = &shown.dispute;
    let wrong = |field: &str| {
        let found = shown.mistake.as_ref().filter(|(at, _)| *at == field);
        found.map(|(_, text)| text.clone())
    };
    vec![
        Field::text("currency", page.say("owner-currency"))
            .value(&form.currency)
            .error(wrong("currency"))
            .required()
            .max_length(3),
        Field::text("amount", page.say("owner-dispute-fee"))
            .value(&form.amount)
            .error(wrong("amount"))
            .input_mode("decimal")
            .required()
            .max_length(20),
        Field::text("dispute_reason", page.say("owner-reason"))
            .hint(page.say("owner-reason-hint"))
            .value(&form.dispute_reason)
            .error(wrong("dispute_reason"))
            .required()
            .max_length(500),
    ]
}

/// `12.5` as basis points: no sign, two digits behind the point at most.
fn bps_of(text: &str) -> Option<u32> {
    let text = text.trim().trim_end_matches('%').trim_end();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let sound = (1..=3).contains(&whole.len()) && part.len() <= 2 && plain(whole) && plain(part);
    sound.then(|| format!("{whole}{part:0<2}").parse().ok())?
}

fn policy_of(page: &Page, form: &RuleForm) -> Result<Option<FeePolicy>, Mistake> {
    if form.kind == "end" {
        return Ok(None);
    }
    let share = |name, text: &str| bps_of(text).ok_or((name, page.say("owner-wrong-share")));
    Ok(Some(FeePolicy {
        seller_bps: share("seller", &form.seller)?,
        marketplace_bps: share("marketplace", &form.marketplace)?,
        default_bps: share("otherwise", &form.otherwise)?,
    }))
}

fn command(ask: &Ask, page: &Page, form: &RuleForm) -> Result<SetRule, Mistake> {
    let from = super::ledger::day_of("from", &form.from);
    let from = from.map_err(|_| ("from", page.say("owner-wrong-day")))?;
    // Today's first instant is over already: a rule of today begins now.
    let today = ask.app.now().ms().div_euclid(super::DAY_MS) * super::DAY_MS;
    let scope = Scope::parse(&form.scope).filter(|scope| scope.is_set());
    Ok(SetRule {
        scope: scope.ok_or_else(|| ("scope", page.say("owner-wrong-subject")))?,
        subject: form.subject.clone(),
        policy: policy_of(page, form)?,
        from: from.filter(|from| *from != Timestamp::from_ms(today)),
        reason: form.reason.clone(),
    })
}

/// `POST /owner/fees`: looks at a rule, or keeps it.
pub async fn set(ask: Ask, form: Result<CsrfForm<RuleForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let page = ask.page("owner-fees");
    let mut shown = Shown {
        form: form.clone(),
        ..Shown::default()
    };
    let mistake = match command(&ask, &page, &form) {
        Err(mistake) => mistake,
        Ok(command) => match tried(&ask, &form, command).await {
            Ok(None) => return go_to("/owner/fees?saved=1"),
            Ok(Some(found)) => {
                shown.trial = Some(found);
                return html(&draw(&ask, &Which::default(), shown).await?);
            }
            Err(error) => mistake_of(&page, error)?,
        },
    };
    shown.mistake = Some(mistake);
    refused(422, &draw(&ask, &Which::default(), shown).await?)
}

/// Nothing, when the rule was kept; else what would come of it.
async fn tried(
    ask: &Ask,
    form: &RuleForm,
    command: SetRule,
) -> Result<Option<Vec<Example>>, FeeError> {
    let (app, caller) = (&ask.app, &ask.visitor.caller);
    if form.action == "keep" {
        app.transact(caller, command, set_rule).await?;
        return Ok(None);
    }
    crate::domains::fees::model::check_reason(&command.reason)?;
    if command.from.is_some_and(|from| from < app.now()) {
        return Err(FeeError::Past);
    }
    let query = trial_of(ask, form, command.policy);
    app.read(caller, query, preview).await.map(Some)
}

fn mistake_of(page: &Page, error: FeeError) -> Result<Mistake, Problem> {
    let (field, key) = match error {
        FeeError::Subject => ("subject", "owner-wrong-subject"),
        FeeError::OutOfRange("seller_bps") => ("seller", "owner-wrong-share"),
        FeeError::OutOfRange("marketplace_bps") => ("marketplace", "owner-wrong-share"),
        FeeError::OutOfRange(_) => ("otherwise", "owner-wrong-share"),
        FeeError::Past => ("from", "owner-wrong-past"),
        FeeError::Reason => ("reason", "owner-wrong-reason"),
        other => return Err(other.into()),
    };
    Ok((field, page.say(key)))
}

/// `POST /owner/fees/disputes`: what a chargeback costs from now on in one currency.
pub async fn set_dispute(ask: Ask, form: Result<CsrfForm<DisputeForm>, Problem>) -> Answer {
    let CsrfForm(form) = form?;
    must_own(&ask)?;
    let page = ask.page("owner-fees");
    let mistake = match amount_of(&page, &form) {
        Err(mistake) => mistake,
        Ok(amount) => {
            let command = SetDisputeFee {
                amount,
                reason: form.dispute_reason.clone(),
            };
            let caller = &ask.visitor.caller;
            match ask.app.transact(caller, command, set_dispute_fee).await {
                Ok(()) => return go_to("/owner/fees?saved=1"),
                Err(FeeError::Reason) => ("dispute_reason", page.say("owner-wrong-reason")),
                Err(FeeError::DisputeFee) => ("amount", page.say("owner-wrong-amount")),
                Err(other) => return Err(Problem::from(other).into()),
            }
        }
    };
    let shown = Shown {
        mistake: Some(mistake),
        dispute: form,
        ..Shown::default()
    };
    refused(422, &draw(&ask, &Which::default(), shown).await?)
}

fn amount_of(page: &Page, form: &DisputeForm) -> Result<Money, Mistake> {
    let currency = Currency::parse(&form.currency.trim().to_uppercase());
    let currency = currency.map_err(|_| ("currency", page.say("owner-wrong-currency")))?;
    let wrong = |_| ("amount", page.say("owner-wrong-amount"));
    let minor = mintreu::price::parse_amount(form.amount.trim(), currency).map_err(wrong)?;
    Ok(Money::new(minor, currency))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Locale, Translator};

    #[test]
    fn shares_are_read_as_percent() {
        for (text, expected) in [
            ("12", Some(1_200)),
            ("12.5", Some(1_250)),
            ("12.55 %", Some(1_255)),
            ("100", Some(10_000)),
            ("12.555", None),
            ("-1", None),
            ("", None),
            ("1e3", None),
            ("9999", None),
        ] {
            assert_eq!(bps_of(text), expected, "{text}");
        }
        assert_eq!(
            (percent(1_250).as_str(), percent(1_000).as_str()),
            ("12.50 %", "10 %")
        );
    }

    #[test]
    fn every_scope_and_traffic_has_its_sentence() {
        let english = Translator::of(Locale::English);
        let scopes = Scope::ALL.map(|scope| format!("fee-scope-{}", scope.code()));
        let ways = [Traffic::Seller, Traffic::Marketplace, Traffic::Unknown];
        let ways = ways.map(|way| format!("traffic-{}", way.code()));
        for key in scopes.into_iter().chain(ways) {
            assert_ne!(english.say(&key), key);
        }
    }
}
