//! Routes of risk, for the platform.

use super::model::RiskError;
use super::views::{Decisions, Entries, decisions, entries};
use super::{
    Action, AddEntry, By, ChangeRule, Counts, CreateRule, Decision, DeleteRule, Entry, EntryKind,
    Known, LiftEntry, Looked, Mode, Outcome, Rule, Side, Terms, add_entry, change_rule,
    create_rule, delete_rule, lift_entry, preview, rules,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{RiskDecisionId, RiskEntryId, RiskRuleId};
use mintreu::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_rules, post_rule))
        .routes(routes!(put_rule, remove_rule))
        .routes(routes!(post_preview))
        .routes(routes!(get_entries, post_entry))
        .routes(routes!(remove_entry))
        .routes(routes!(get_decisions))
}

impl From<RiskError> for Problem {
    fn from(error: RiskError) -> Self {
        use RiskError as E;
        let detail = error.to_string();
        match error {
            E::Refused(_) => Self::new(403, "purchase_refused", detail),
            E::SignIn(_) => Self::new(401, "sign_in_to_buy", detail),
            E::Rule(field) => Self::new(422, "risk_rule_malformed", detail).at(field),
            E::TooManyRules => Self::new(409, "risk_rules_full", detail),
            E::Entry(field) => Self::new(422, "risk_entry_malformed", detail).at(field),
            E::Outcome => Self::new(422, "risk_outcome_unknown", detail).at("outcome"),
            E::NotFound(_) => Self::not_found(detail),
            E::NotWaiting => Self::new(409, "review_not_waiting", detail),
            E::Note => Self::new(422, "note_too_long", detail).at("note"),
            E::Choice => Self::new(422, "review_decision_unknown", detail).at("decision"),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// What a rule says.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskTermsIn {
    /// 1 to 80 characters.
    name: String,
    /// `attempts`, `declines`, `addresses`, `free`, `spent`, `own`.
    counts: String,
    /// `buyer`, `network`, `product`, `seller`; addresses are counted by network alone, and `own` by
    /// buyer.
    by: String,
    /// From a minute to 30 days.
    window_ms: i64,
    /// From how many on it acts, the purchase that asks included; of `spent` in minor units.
    threshold: i64,
    /// Of `spent`, and of nothing else.
    #[serde(default)]
    currency: Option<String>,
    /// By seller: only of shops younger than so many days.
    #[serde(default)]
    newer_than_days: Option<i64>,
    /// `review`, `challenge`, `refuse`.
    action: String,
    /// `live`, `shadow`, `off`.
    mode: String,
    /// Of `refuse`: for how long whom it refuses stays blocked, a minute to 365 days.
    #[serde(default)]
    block_ms: Option<i64>,
}

impl From<&Terms> for RiskTermsIn {
    fn from(terms: &Terms) -> Self {
        Self {
            name: terms.name.clone(),
            counts: terms.counts.code().to_owned(),
            by: terms.by.code().to_owned(),
            window_ms: terms.window_ms,
            threshold: terms.threshold,
            currency: terms.currency.map(|currency| currency.code().to_owned()),
            newer_than_days: terms.newer_than_days,
            action: terms.action.code().to_owned(),
            mode: terms.mode.code().to_owned(),
            block_ms: terms.block_ms,
        }
    }
}

impl TryFrom<RiskTermsIn> for Terms {
    type Error = RiskError;

    fn try_from(given: RiskTermsIn) -> Result<Self, RiskError> {
        let wrong = |field| move || RiskError::Rule(field);
        let currency = given.currency.as_deref().map(Currency::parse);
        Ok(Self {
            name: given.name,
            counts: Counts::parse(&given.counts).ok_or_else(wrong("counts"))?,
            by: By::parse(&given.by).ok_or_else(wrong("by"))?,
            window_ms: given.window_ms,
            threshold: given.threshold,
            currency: currency
                .transpose()
                .map_err(|_| RiskError::Rule("currency"))?,
            newer_than_days: given.newer_than_days,
            action: Action::parse(&given.action).ok_or_else(wrong("action"))?,
            mode: Mode::parse(&given.mode).ok_or_else(wrong("mode"))?,
            block_ms: given.block_ms,
        })
    }
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub struct RiskRuleOut {
    risk_rule_id: String,
    terms: RiskTermsIn,
    /// The house's name of it, for one that every shop begins with.
    built_in: Option<&'static str>,
    /// Milliseconds since 1970 (UTC); nothing for one that is as the house ships it.
    changed_at: Option<i64>,
}

impl From<&Rule> for RiskRuleOut {
    fn from(rule: &Rule) -> Self {
        Self {
            risk_rule_id: rule.id.to_string(),
            terms: (&rule.terms).into(),
            built_in: rule.built_in,
            changed_at: rule.changed_at.map(Timestamp::ms),
        }
    }
}

/// The rules that a checkout asks, those that every shop begins with first. For the platform.
#[utoipa::path(get, path = "/v1/risk-rules", tag = "risk",
    responses((status = 200, body = Vec<RiskRuleOut>), (status = 401), (status = 403)))]
async fn get_rules(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<RiskRuleOut>>, Problem> {
    let found = app.read(&visitor.caller, (), rules).await?;
    Ok(Json(found.iter().map(RiskRuleOut::from).collect()))
}

/// A rule that was written.
#[derive(Serialize, ToSchema)]
pub struct RiskRuleMadeOut {
    risk_rule_id: String,
}

/// Write a rule, asked from the next purchase on. For the platform; with an `Idempotency-Key`,
/// asking again writes it once.
#[utoipa::path(post, path = "/v1/risk-rules", tag = "risk", request_body = RiskTermsIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RiskRuleMadeOut), (status = 401), (status = 403),
        (status = 409), (status = 422)))]
async fn post_rule(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
    body: JsonBody<RiskTermsIn>,
) -> Result<(StatusCode, Json<RiskRuleMadeOut>), Problem> {
    let promise = key.over(&body.bytes);
    let command = CreateRule {
        terms: body.value.try_into()?,
    };
    let caller = &visitor.caller;
    let risk_rule_id = match promise {
        Some(key) => app.transact_once(caller, key, command, create_rule).await?,
        None => app.transact(caller, command, create_rule).await?,
    };
    Ok((StatusCode::CREATED, Json(RiskRuleMadeOut { risk_rule_id })))
}

/// What a rule would have done in the last 30 days.
#[derive(Serialize, ToSchema)]
pub struct RiskPreviewOut {
    /// Purchases that were let through.
    asked: i64,
    /// On how many of them it would have acted.
    acted: i64,
}

/// Try a rule on the log without writing it; nothing for a rule that counts what the log doesn't
/// hold. For the platform.
#[utoipa::path(post, path = "/v1/risk-rules/preview", tag = "risk", request_body = RiskTermsIn,
    responses((status = 200, body = Option<RiskPreviewOut>), (status = 401), (status = 403),
        (status = 422)))]
async fn post_preview(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<RiskTermsIn>,
) -> Result<Json<Option<RiskPreviewOut>>, Problem> {
    let terms: Terms = body.value.try_into()?;
    let found = app.read(&visitor.caller, terms, preview).await?;
    Ok(Json(found.map(|found| RiskPreviewOut {
        asked: found.asked,
        acted: found.acted,
    })))
}

/// Change what a rule says, from the next purchase on. For the platform.
#[utoipa::path(put, path = "/v1/risk-rules/{risk_rule_id}", tag = "risk",
    request_body = RiskTermsIn, params(("risk_rule_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn put_rule(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(rule): PathParam<RiskRuleId>,
    body: JsonBody<RiskTermsIn>,
) -> Result<StatusCode, Problem> {
    let command = ChangeRule {
        rule,
        terms: body.value.try_into()?,
    };
    app.transact(&visitor.caller, command, change_rule).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Delete a rule. For the platform.
#[utoipa::path(delete, path = "/v1/risk-rules/{risk_rule_id}", tag = "risk",
    params(("risk_rule_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn remove_rule(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(rule): PathParam<RiskRuleId>,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, DeleteRule { rule }, delete_rule)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
pub struct RiskEntriesParams {
    /// `next` of the page before.
    after: Option<String>,
}

/// An entry of a list. Instants are milliseconds since 1970 (UTC).
#[derive(Serialize, ToSchema)]
pub struct RiskEntryOut {
    risk_entry_id: String,
    /// `allow` or `block`.
    side: &'static str,
    /// `account`, `domain`, `mail`, `network`, `product`, `seller`.
    kind: &'static str,
    /// What it is recognised by: an id, a domain, part of an address, or the beginning of its hash.
    label: String,
    reason: String,
    /// `active`, `ended`, `lifted`.
    state: &'static str,
    /// The rule that wrote it.
    risk_rule_id: Option<String>,
    /// The account that did.
    set_by: Option<String>,
    set_at: i64,
    ends_at: Option<i64>,
    lifted_at: Option<i64>,
}

fn entry_out(entry: &Entry, now: Timestamp) -> RiskEntryOut {
    RiskEntryOut {
        risk_entry_id: entry.id.to_string(),
        side: entry.side.code(),
        kind: entry.kind.code(),
        label: entry.label.clone(),
        reason: entry.reason.clone(),
        state: entry.state(now),
        risk_rule_id: entry.rule.map(|rule| rule.to_string()),
        set_by: entry.set_by.map(|by| by.to_string()),
        set_at: entry.set_at.ms(),
        ends_at: entry.ends_at.map(Timestamp::ms),
        lifted_at: entry.lifted_at.map(Timestamp::ms),
    }
}

/// A page of the lists.
#[derive(Serialize, ToSchema)]
pub struct RiskEntriesOut {
    /// Newest first.
    entries: Vec<RiskEntryOut>,
    next: Option<String>,
}

/// The allow list and the block list, newest entries first. For the platform.
#[utoipa::path(get, path = "/v1/risk-entries", tag = "risk", params(RiskEntriesParams),
    responses((status = 200, body = RiskEntriesOut), (status = 401), (status = 403)))]
async fn get_entries(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(page): Query<RiskEntriesParams>,
) -> Result<Json<RiskEntriesOut>, Problem> {
    let before = page.after.as_deref().map(RiskEntryId::parse).transpose()?;
    let (found, next) = app
        .read(&visitor.caller, Entries { before }, entries)
        .await?;
    let now = app.now();
    Ok(Json(RiskEntriesOut {
        entries: found.iter().map(|one| entry_out(one, now)).collect(),
        next: next.map(|next| next.to_string()),
    }))
}

/// An entry to write.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskEntryIn {
    /// `allow` or `block`; who is allowed is let through, whatever else is said.
    side: String,
    /// `account`, `domain`, `mail`, `network`, `product`, `seller`.
    kind: String,
    /// An id, a mail address, a domain or a network address. Mails and networks are kept as keyed
    /// hashes.
    #[serde(default)]
    value: Option<String>,
    /// Instead of a value: the buyer (`mail`), the `domain` or the `network` of a decision.
    #[serde(default)]
    risk_decision_id: Option<String>,
    /// 1 to 500 characters.
    reason: String,
    /// Milliseconds since 1970 (UTC), at most a year ahead; never, when absent.
    #[serde(default)]
    ends_at: Option<i64>,
}

/// An entry that was written.
#[derive(Serialize, ToSchema)]
pub struct RiskEntryMadeOut {
    risk_entry_id: String,
}

impl TryFrom<RiskEntryIn> for AddEntry {
    type Error = Problem;

    fn try_from(given: RiskEntryIn) -> Result<Self, Problem> {
        let wrong = |field| move || RiskError::Entry(field);
        let known = match (given.value, given.risk_decision_id) {
            (Some(value), None) => Known::Typed(value),
            (None, Some(id)) => Known::Decision(RiskDecisionId::parse(&id)?),
            _ => return Err(RiskError::Entry("value").into()),
        };
        Ok(Self {
            side: Side::parse(&given.side).ok_or_else(wrong("side"))?,
            kind: EntryKind::parse(&given.kind).ok_or_else(wrong("kind"))?,
            known,
            reason: given.reason,
            ends_at: given.ends_at.map(Timestamp::from_ms),
        })
    }
}

/// Let somebody through, or block them. For the platform; with an `Idempotency-Key`, asking again
/// writes it once.
#[utoipa::path(post, path = "/v1/risk-entries", tag = "risk", request_body = RiskEntryIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RiskEntryMadeOut), (status = 401), (status = 403),
        (status = 404), (status = 422)))]
async fn post_entry(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
    body: JsonBody<RiskEntryIn>,
) -> Result<(StatusCode, Json<RiskEntryMadeOut>), Problem> {
    let promise = key.over(&body.bytes);
    let command = AddEntry::try_from(body.value)?;
    let caller = &visitor.caller;
    let risk_entry_id = match promise {
        Some(key) => app.transact_once(caller, key, command, add_entry).await?,
        None => app.transact(caller, command, add_entry).await?,
    };
    Ok((
        StatusCode::CREATED,
        Json(RiskEntryMadeOut { risk_entry_id }),
    ))
}

/// Take an entry back: what it blocked is blocked no longer. For the platform.
#[utoipa::path(delete, path = "/v1/risk-entries/{risk_entry_id}", tag = "risk",
    params(("risk_entry_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn remove_entry(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(entry): PathParam<RiskEntryId>,
) -> Result<StatusCode, Problem> {
    app.transact(&visitor.caller, LiftEntry { entry }, lift_entry)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which page of the log.
#[derive(Deserialize, IntoParams)]
pub struct RiskDecisionsParams {
    /// `allow`, `review`, `challenge`, `refuse`, `shadow` for what rules in shadow mode would have
    /// done; every decision, when absent.
    outcome: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What one rule saw.
#[derive(Serialize, ToSchema)]
pub struct RiskLookedOut {
    risk_rule_id: String,
    name: String,
    /// What it counted, the purchase that asked included.
    count: i64,
    threshold: i64,
    action: &'static str,
    mode: &'static str,
    /// Whether the count came to the threshold.
    fired: bool,
}

impl From<&Looked> for RiskLookedOut {
    fn from(looked: &Looked) -> Self {
        Self {
            risk_rule_id: looked.rule.clone(),
            name: looked.name.clone(),
            count: looked.count,
            threshold: looked.threshold,
            action: looked.action.code(),
            mode: looked.mode.code(),
            fired: looked.fired(),
        }
    }
}

/// A line of the decision log.
#[derive(Serialize, ToSchema)]
pub struct RiskDecisionOut {
    risk_decision_id: String,
    /// `checkout`, or `payment` for another try to pay.
    step: &'static str,
    /// `allow`, `review`, `challenge`, `refuse`.
    outcome: &'static str,
    /// The strongest of what rules in shadow mode would have done.
    shadow: Option<&'static str>,
    /// What it let through.
    order_id: Option<String>,
    /// The beginning of a keyed hash of the buyer's mail.
    buyer: Option<String>,
    /// The same of its domain.
    domain: Option<String>,
    /// The same of the network.
    network: Option<String>,
    amount_minor: i64,
    currency: String,
    /// The entry of a list that decided.
    risk_entry_id: Option<String>,
    /// What each rule counted.
    looked: Vec<RiskLookedOut>,
    /// Milliseconds since 1970 (UTC).
    decided_at: i64,
}

impl From<&Decision> for RiskDecisionOut {
    fn from(decision: &Decision) -> Self {
        let short = |hash: &Option<Vec<u8>>| hash.as_deref().map(super::ask::short);
        Self {
            risk_decision_id: decision.id.to_string(),
            step: decision.step.code(),
            outcome: decision.outcome.code(),
            shadow: decision.shadow.map(Action::code),
            order_id: decision.order.map(|order| order.to_string()),
            buyer: short(&decision.buyer),
            domain: short(&decision.domain),
            network: short(&decision.network),
            amount_minor: decision.total.minor(),
            currency: decision.total.currency().code().to_owned(),
            risk_entry_id: decision.entry.map(|entry| entry.to_string()),
            looked: decision.looked.iter().map(RiskLookedOut::from).collect(),
            decided_at: decision.at.ms(),
        }
    }
}

/// A page of the decision log.
#[derive(Serialize, ToSchema)]
pub struct RiskDecisionsOut {
    /// Newest first.
    decisions: Vec<RiskDecisionOut>,
    next: Option<String>,
}

/// The outcome that a list is narrowed to, if there is one of that name.
pub fn outcome_of(text: &str) -> Option<String> {
    let known = text.is_empty() || text == "shadow" || Outcome::parse(text).is_some();
    known.then(|| text.to_owned())
}

/// What was decided in the last 90 days, newest first. For the platform.
#[utoipa::path(get, path = "/v1/risk-decisions", tag = "risk", params(RiskDecisionsParams),
    responses((status = 200, body = RiskDecisionsOut), (status = 401), (status = 403),
        (status = 422)))]
async fn get_decisions(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(page): Query<RiskDecisionsParams>,
) -> Result<Json<RiskDecisionsOut>, Problem> {
    let outcome = outcome_of(page.outcome.as_deref().unwrap_or_default());
    let query = Decisions {
        outcome: outcome.ok_or(RiskError::Outcome)?,
        before: page
            .after
            .as_deref()
            .map(RiskDecisionId::parse)
            .transpose()?,
    };
    let (found, next) = app.read(&visitor.caller, query, decisions).await?;
    Ok(Json(RiskDecisionsOut {
        decisions: found.iter().map(RiskDecisionOut::from).collect(),
        next: next.map(|next| next.to_string()),
    }))
}
