//! Routes of fees, for the platform.

use super::{
    DisputeFee, Example, FeeError, Listed, Preview, RulesQuery, Scope, SetDisputeFee, SetRule,
    dispute_fees, preview, rules, set_dispute_fee, set_rule,
};
use crate::app::App;
use crate::domains::ledger::{FeePolicy, PaymentTariff, Split};
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::FeeRuleId;
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_rules, post_rule))
        .routes(routes!(post_preview))
        .routes(routes!(get_dispute_fees))
        .routes(routes!(put_dispute_fee))
}

impl From<FeeError> for Problem {
    fn from(error: FeeError) -> Self {
        use FeeError as E;
        let detail = error.to_string();
        match error {
            E::Subject => Self::new(422, "fee_subject_unknown", detail).at("subject"),
            E::OutOfRange(field) => Self::new(422, "fee_out_of_range", detail).at(field),
            E::Past => Self::new(422, "fee_date_past", detail).at("from_at"),
            E::Reason => Self::new(422, "reason_malformed", detail).at("reason"),
            E::DisputeFee => Self::new(422, "fee_out_of_range", detail).at("amount_minor"),
            E::Split(_) => Self::new(422, "fee_out_of_range", detail).at("amount_minor"),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// The shares that answer when nobody set a rule.
pub fn settings(app: &App) -> FeePolicy {
    let fees = &app.config.fees;
    FeePolicy {
        seller_bps: fees.seller_bps,
        marketplace_bps: fees.marketplace_bps,
        default_bps: fees.default_bps,
    }
}

/// What a payment costs, by the settings.
pub fn tariff(app: &App) -> PaymentTariff {
    let fees = &app.config.fees;
    PaymentTariff {
        bps: fees.payment_bps,
        fixed_minor: fees.payment_fixed_minor,
    }
}

/// The platform's shares in basis points (hundredths of a percent), each from 1000 to 2000.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SharesIn {
    /// On the seller's own traffic.
    seller_bps: u32,
    /// When the marketplace found the buyer.
    marketplace_bps: u32,
    /// Otherwise.
    default_bps: u32,
}

impl From<&SharesIn> for FeePolicy {
    fn from(shares: &SharesIn) -> Self {
        Self {
            seller_bps: shares.seller_bps,
            marketplace_bps: shares.marketplace_bps,
            default_bps: shares.default_bps,
        }
    }
}

impl From<FeePolicy> for SharesIn {
    fn from(policy: FeePolicy) -> Self {
        Self {
            seller_bps: policy.seller_bps,
            marketplace_bps: policy.marketplace_bps,
            default_bps: policy.default_bps,
        }
    }
}

/// A rule. Instants are milliseconds since 1970 (UTC).
#[derive(Serialize, ToSchema)]
pub struct FeeRuleOut {
    fee_rule_id: String,
    /// `product`, `developer`, `category`, `platform`: the nearest one counts.
    scope: &'static str,
    /// A product's or an account's id, a category's path; empty for the platform.
    subject: String,
    /// Nothing, for a rule that ended the subject's own.
    shares: Option<SharesIn>,
    from_at: i64,
    /// `in_force`, `planned`, `replaced`.
    state: &'static str,
    reason: String,
    set_by: Option<String>,
    set_at: i64,
}

impl From<&Listed> for FeeRuleOut {
    fn from(listed: &Listed) -> Self {
        let rule = &listed.rule;
        Self {
            fee_rule_id: rule.id.to_string(),
            scope: rule.scope.code(),
            subject: rule.subject.clone(),
            shares: rule.policy.map(SharesIn::from),
            from_at: rule.from.ms(),
            state: listed.state,
            reason: rule.reason.clone(),
            set_by: rule.set_by.map(|by| by.to_string()),
            set_at: rule.set_at.ms(),
        }
    }
}

/// A page of rules, and what holds without any.
#[derive(Serialize, ToSchema)]
pub struct FeeRulesOut {
    /// The settings' shares.
    settings: SharesIn,
    /// Newest first.
    rules: Vec<FeeRuleOut>,
    next: Option<String>,
}

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
pub struct FeeRulesParams {
    /// `next` of the page before.
    after: Option<String>,
}

/// Every rule of the platform's share that was ever set, newest first. For the platform.
#[utoipa::path(get, path = "/v1/fee-rules", tag = "fees", params(FeeRulesParams),
    responses((status = 200, body = FeeRulesOut), (status = 401), (status = 403)))]
async fn get_rules(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(page): Query<FeeRulesParams>,
) -> Result<Json<FeeRulesOut>, Problem> {
    let before = page.after.as_deref().map(FeeRuleId::parse).transpose()?;
    let query = RulesQuery { before };
    let found = app.read(&visitor.caller, query, rules).await?;
    Ok(Json(FeeRulesOut {
        settings: settings(&app).into(),
        rules: found.rules.iter().map(FeeRuleOut::from).collect(),
        next: found.next.map(|next| next.to_string()),
    }))
}

/// A rule to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeeRuleIn {
    /// `product`, `developer`, `category`, `platform`.
    scope: String,
    /// A product's or an account's id, a category's path; empty for the platform.
    #[serde(default)]
    subject: String,
    /// Nothing ends the subject's own rule.
    shares: Option<SharesIn>,
    /// From when on, now when absent; never in the past.
    from_at: Option<i64>,
    /// Kept with it, 1 to 500 characters.
    reason: String,
}

/// A rule that was set.
#[derive(Serialize, ToSchema)]
pub struct FeeRuleSetOut {
    fee_rule_id: String,
}

fn scope_of(text: &str) -> Result<Scope, FeeError> {
    let scope = Scope::parse(text).filter(|scope| scope.is_set());
    scope.ok_or(FeeError::Subject)
}

/// Set a rule of the platform's share; sales before its date keep what they were agreed at. For
/// the platform; with an `Idempotency-Key`, asking again sets it once.
#[utoipa::path(post, path = "/v1/fee-rules", tag = "fees", request_body = FeeRuleIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = FeeRuleSetOut), (status = 401), (status = 403),
        (status = 422)))]
async fn post_rule(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
    body: JsonBody<FeeRuleIn>,
) -> Result<(StatusCode, Json<FeeRuleSetOut>), Problem> {
    let given = body.value;
    let command = SetRule {
        scope: scope_of(&given.scope)?,
        subject: given.subject,
        policy: given.shares.as_ref().map(FeePolicy::from),
        from: given.from_at.map(Timestamp::from_ms),
        reason: given.reason,
    };
    let caller = &visitor.caller;
    let fee_rule_id = match key.over(&body.bytes) {
        Some(key) => app.transact_once(caller, key, command, set_rule).await?,
        None => app.transact(caller, command, set_rule).await?,
    };
    Ok((StatusCode::CREATED, Json(FeeRuleSetOut { fee_rule_id })))
}

/// A rule to try on an amount.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeePreviewIn {
    /// `product`, `developer`, `category`, `platform`.
    scope: String,
    #[serde(default)]
    subject: String,
    /// Nothing: as if the subject had no rule of its own.
    shares: Option<SharesIn>,
    /// What is divided, from 1 to 1000000000 minor units.
    amount_minor: i64,
    currency: String,
}

/// Who gets what, in minor units; the parts add up to what is charged.
#[derive(Serialize, ToSchema)]
pub struct FeePartsOut {
    charged_minor: i64,
    platform_fee_minor: i64,
    payment_fee_minor: i64,
    seller_minor: i64,
}

impl From<&Split> for FeePartsOut {
    fn from(split: &Split) -> Self {
        Self {
            charged_minor: split.charged.minor(),
            platform_fee_minor: split.platform_fee.minor(),
            payment_fee_minor: split.payment_fee.minor(),
            seller_minor: split.seller.minor(),
        }
    }
}

/// One kind of traffic, as it is and as it would be.
#[derive(Serialize, ToSchema)]
pub struct FeeExampleOut {
    /// `seller`, `marketplace`, `unknown`.
    traffic: &'static str,
    now: FeePartsOut,
    then: FeePartsOut,
}

impl From<&Example> for FeeExampleOut {
    fn from(example: &Example) -> Self {
        Self {
            traffic: example.traffic.code(),
            now: (&example.now).into(),
            then: (&example.then).into(),
        }
    }
}

/// Try a rule without setting it: who gets what of an amount, now and then. For the platform.
#[utoipa::path(post, path = "/v1/fee-rules/preview", tag = "fees", request_body = FeePreviewIn,
    responses((status = 200, body = Vec<FeeExampleOut>), (status = 401), (status = 403),
        (status = 422)))]
async fn post_preview(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<FeePreviewIn>,
) -> Result<Json<Vec<FeeExampleOut>>, Problem> {
    let given = body.value;
    if !(1..=1_000_000_000).contains(&given.amount_minor) {
        return Err(FeeError::DisputeFee.into());
    }
    let query = Preview {
        scope: scope_of(&given.scope)?,
        subject: given.subject,
        policy: given.shares.as_ref().map(FeePolicy::from),
        amount: Money::new(given.amount_minor, Currency::parse(&given.currency)?),
        settings: settings(&app),
        tariff: tariff(&app),
    };
    let found = app.read(&visitor.caller, query, preview).await?;
    Ok(Json(found.iter().map(FeeExampleOut::from).collect()))
}

/// What a provider takes for a chargeback in one currency.
#[derive(Serialize, ToSchema)]
pub struct DisputeFeeOut {
    currency: String,
    amount_minor: i64,
    /// Why it was set; nothing for the usual one.
    reason: Option<String>,
    set_at: Option<i64>,
}

impl From<&DisputeFee> for DisputeFeeOut {
    fn from(fee: &DisputeFee) -> Self {
        Self {
            currency: fee.amount.currency().code().to_owned(),
            amount_minor: fee.amount.minor(),
            reason: fee.reason.clone(),
            set_at: fee.set_at.map(Timestamp::ms),
        }
    }
}

/// What a chargeback costs, by currency. For the platform.
#[utoipa::path(get, path = "/v1/dispute-fees", tag = "fees",
    responses((status = 200, body = Vec<DisputeFeeOut>), (status = 401), (status = 403)))]
async fn get_dispute_fees(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<Vec<DisputeFeeOut>>, Problem> {
    let found = app.read(&visitor.caller, (), dispute_fees).await?;
    Ok(Json(found.iter().map(DisputeFeeOut::from).collect()))
}

/// A fee to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisputeFeeIn {
    /// 0 to 1000000000, in the currency's minor units.
    amount_minor: i64,
    /// Kept with it, 1 to 500 characters.
    reason: String,
}

/// Set what a chargeback costs from now on in one currency. For the platform.
#[utoipa::path(put, path = "/v1/dispute-fees/{currency}", tag = "fees",
    params(("currency" = String, Path, description = "ISO 4217")), request_body = DisputeFeeIn,
    responses((status = 204), (status = 401), (status = 403), (status = 422)))]
async fn put_dispute_fee(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(currency): PathParam<String>,
    body: JsonBody<DisputeFeeIn>,
) -> Result<StatusCode, Problem> {
    let amount = Money::new(body.value.amount_minor, Currency::parse(&currency)?);
    let command = SetDisputeFee {
        amount,
        reason: body.value.reason,
    };
    app.transact(&visitor.caller, command, set_dispute_fee)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
