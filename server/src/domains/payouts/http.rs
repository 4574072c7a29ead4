//! Routes of payouts: a seller's own, and where providers tell of them.

mod platform;

use super::model::{EventKind, Payout, PayoutError, Setting, Skip, statement_number};
use super::views::{
    BalanceView, MyPayouts, PayoutQuery, StatementPage, StatementQuery, balances, my_payouts,
    payout, statement,
};
use super::{ReceivePayoutEvent, SetSettings, flow, receive_event, set_settings};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::ledger::{Held, LedgerError};
use crate::gateways;
use crate::problem::Problem;
use crate::wire::{Cursor, JsonBody, PathParam, Query, RawBody, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use mintreu::id::PayoutId;
use mintreu::{Currency, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_balances))
        .routes(routes!(put_settings))
        .routes(routes!(get_payouts))
        .routes(routes!(get_payout))
        .routes(routes!(get_statement))
        .routes(routes!(receive_webhook))
        .merge(platform::routes())
}

impl From<PayoutError> for Problem {
    fn from(error: PayoutError) -> Self {
        use PayoutError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such payout."),
            E::Destination => Self::new(422, "payout_account_malformed", detail).at("destination"),
            E::NoProvider => Self::new(409, "payouts_unavailable", detail),
            E::Threshold { .. } => {
                Self::new(422, "threshold_out_of_range", detail).at("threshold_minor")
            }
            E::Reason => Self::new(422, "reason_malformed", detail).at("reason"),
            E::NoDebt => Self::new(409, "nothing_owed", detail),
            E::NotFailed => Self::new(409, "payout_not_failed", detail),
            E::Ended => Self::new(409, "payout_ended", detail),
            E::Ledger(LedgerError::Store(error)) | E::Store(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Ledger(_) | E::Invoice(_) | E::Payload(_) => {
                tracing::error!(cause = detail, "payouts");
                Self::internal()
            }
        }
    }
}

/// What a seller wants for one currency.
#[derive(Serialize, ToSchema)]
pub struct SettingOut {
    currency: String,
    /// Who sends the money.
    provider: String,
    /// The provider's name of the seller's account.
    destination: String,
    threshold_minor: i64,
    paused: bool,
}

impl From<&Setting> for SettingOut {
    fn from(setting: &Setting) -> Self {
        Self {
            currency: setting.currency.code().to_owned(),
            provider: setting.provider.clone(),
            destination: setting.destination.clone(),
            threshold_minor: setting.threshold.minor(),
            paused: setting.paused,
        }
    }
}

/// What is held of one sale.
#[derive(Serialize, ToSchema)]
pub struct HoldOut {
    /// The order line or invoice it came from.
    source: String,
    amount_minor: i64,
    /// `held`, or why it isn't released by its date.
    state: String,
    reason: String,
    /// Milliseconds since 1970 (UTC).
    releasable_at: i64,
}

impl From<&Held> for HoldOut {
    fn from(held: &Held) -> Self {
        Self {
            source: held.source.clone(),
            amount_minor: held.amount.minor(),
            state: held.state.clone(),
            reason: held.reason.clone(),
            releasable_at: held.releasable_at.ms(),
        }
    }
}

/// What a seller has in one currency.
#[derive(Serialize, ToSchema)]
pub struct BalanceOut {
    currency: String,
    /// Below zero when the seller owes; later sales make up for it.
    available_minor: i64,
    held_minor: i64,
    in_transit_minor: i64,
    /// Whether the seller may refund without the platform.
    may_refund: bool,
    /// The next to be released first; at most 100.
    holds: Vec<HoldOut>,
    settings: Option<SettingOut>,
}

impl From<&BalanceView> for BalanceOut {
    fn from(view: &BalanceView) -> Self {
        Self {
            currency: view.available.currency().code().to_owned(),
            available_minor: view.available.minor(),
            held_minor: view.held.minor(),
            in_transit_minor: view.in_transit.minor(),
            may_refund: view.may_refund,
            holds: view.holds.iter().map(HoldOut::from).collect(),
            settings: view.setting.as_ref().map(SettingOut::from),
        }
    }
}

/// Why a run made no payout.
#[derive(Serialize, ToSchema)]
pub struct SkipOut {
    payout_run_id: String,
    seller_id: String,
    currency: String,
    /// The balance then.
    balance_minor: i64,
    /// `negative_balance`, `already_in_process`, `paused_by_platform`, `unverified`,
    /// `no_destination`, `paused_by_you`, `after_cut_off`, `below_minimum`
    reason: &'static str,
    noted_at: i64,
}

impl From<&Skip> for SkipOut {
    fn from(skip: &Skip) -> Self {
        Self {
            payout_run_id: skip.run.to_string(),
            seller_id: skip.seller.to_string(),
            currency: skip.balance.currency().code().to_owned(),
            balance_minor: skip.balance.minor(),
            reason: skip.reason.code(),
            noted_at: skip.noted_at.ms(),
        }
    }
}

/// A seller's balances.
#[derive(Serialize, ToSchema)]
pub struct BalancesOut {
    balances: Vec<BalanceOut>,
    verified: bool,
    /// Why the platform holds payouts.
    paused_reason: Option<String>,
    /// Why runs passed over this seller, newest first.
    notes: Vec<SkipOut>,
}

/// What you earned: available, held until when and why, on its way, or owed.
#[utoipa::path(get, path = "/v1/balances", tag = "payouts",
    responses((status = 200, body = BalancesOut), (status = 404)))]
async fn get_balances(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<BalancesOut>, Problem> {
    let found = app.read(&visitor.caller, (), balances).await?;
    Ok(Json(BalancesOut {
        balances: found.balances.iter().map(BalanceOut::from).collect(),
        verified: found.state.verified_at.is_some(),
        paused_reason: found.state.paused.clone(),
        notes: found.notes.iter().map(SkipOut::from).collect(),
    }))
}

/// Where your money goes.
#[derive(Deserialize, ToSchema)]
pub struct SettingIn {
    /// The provider's name of your account, never a bank account's number.
    destination: String,
    /// At least 10.00; left out, exactly that.
    threshold_minor: Option<i64>,
    #[serde(default)]
    paused: bool,
}

/// Say where your money of one currency goes, from how much on, and whether at all.
#[utoipa::path(put, path = "/v1/payout-settings/{currency}", tag = "payouts",
    params(("currency" = String, Path, description = "ISO 4217")),
    request_body = SettingIn,
    responses((status = 200, body = SettingOut), (status = 409), (status = 422)))]
async fn put_settings(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(currency): PathParam<String>,
    body: JsonBody<SettingIn>,
) -> Result<Json<SettingOut>, Problem> {
    let command = SetSettings {
        currency: Currency::parse(&currency)?,
        provider: flow::provider(&app),
        destination: body.value.destination,
        threshold_minor: body.value.threshold_minor,
        paused: body.value.paused,
    };
    let kept = app.transact(&visitor.caller, command, set_settings).await?;
    Ok(Json(SettingOut::from(&kept)))
}

/// A payout. Instants are milliseconds since 1970 (UTC).
#[derive(Serialize, ToSchema)]
pub struct PayoutOut {
    payout_id: String,
    payout_run_id: String,
    seller_id: String,
    /// `created`, `sending`, `paid`, `failed`, `returned`, `reversed`
    state: &'static str,
    amount_minor: i64,
    currency: String,
    destination: String,
    /// `SB-000012`, in the seller's own series.
    statement_number: String,
    failure_code: Option<String>,
    created_at: i64,
    paid_at: Option<i64>,
    ended_at: Option<i64>,
}

impl From<&Payout> for PayoutOut {
    fn from(payout: &Payout) -> Self {
        Self {
            payout_id: payout.id.to_string(),
            payout_run_id: payout.run.to_string(),
            seller_id: payout.seller.to_string(),
            state: payout.state.code(),
            amount_minor: payout.amount.minor(),
            currency: payout.amount.currency().code().to_owned(),
            destination: payout.destination.clone(),
            statement_number: statement_number(payout.statement_number),
            failure_code: payout.failure_code.clone(),
            created_at: payout.created_at.ms(),
            paid_at: payout.paid_at.map(Timestamp::ms),
            ended_at: payout.ended_at.map(Timestamp::ms),
        }
    }
}

/// Where a list goes on.
#[derive(Deserialize, IntoParams)]
pub struct AfterParams {
    /// `next` of the page before.
    after: Option<String>,
}

/// Payouts, newest first.
#[derive(Serialize, ToSchema)]
pub struct PayoutsOut {
    payouts: Vec<PayoutOut>,
    next: Option<String>,
}

/// Your payouts, newest first.
#[utoipa::path(get, path = "/v1/payouts", tag = "payouts", params(AfterParams),
    responses((status = 200, body = PayoutsOut), (status = 404)))]
async fn get_payouts(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(page): Query<AfterParams>,
) -> Result<Json<PayoutsOut>, Problem> {
    let before = page.after.as_deref().map(PayoutId::parse).transpose()?;
    let query = MyPayouts { before, limit: 50 };
    let (found, next) = app.read(&visitor.caller, query, my_payouts).await?;
    Ok(Json(PayoutsOut {
        payouts: found.iter().map(PayoutOut::from).collect(),
        next: next.map(|next| next.to_string()),
    }))
}

/// One payout, for its seller and the platform.
#[utoipa::path(get, path = "/v1/payouts/{payout_id}", tag = "payouts",
    params(("payout_id" = String, Path)),
    responses((status = 200, body = PayoutOut), (status = 404)))]
async fn get_payout(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(payout_id): PathParam<PayoutId>,
) -> Result<Json<PayoutOut>, Problem> {
    let query = PayoutQuery { payout: payout_id };
    let found = app.read(&visitor.caller, query, payout).await?;
    Ok(Json(PayoutOut::from(&found)))
}

/// One movement of a statement.
#[derive(Serialize, ToSchema)]
pub struct MovementOut {
    ledger_entry_id: String,
    /// `release`, `payout`, `payout_back`, `write_off`, `reversal` …
    kind: String,
    reference: String,
    /// The order it came of.
    order_id: Option<String>,
    /// Earned is above zero.
    amount_minor: i64,
    at: i64,
}

/// A page of a statement: opening balance and all movements add up to the closing balance.
#[derive(Serialize, ToSchema)]
pub struct StatementOut {
    payout_id: String,
    statement_number: String,
    currency: String,
    opening_minor: i64,
    closing_minor: i64,
    closed_at: i64,
    movements: Vec<MovementOut>,
    next: Option<String>,
}

impl From<&StatementPage> for StatementOut {
    fn from(page: &StatementPage) -> Self {
        let movement = |line: &super::views::Line| MovementOut {
            ledger_entry_id: line.movement.entry.to_string(),
            kind: line.movement.kind.clone(),
            reference: line.movement.reference.clone(),
            order_id: line.order.clone(),
            amount_minor: line.movement.amount.minor(),
            at: line.movement.at.ms(),
        };
        let cursor = |(at, entry): crate::domains::ledger::After| Cursor {
            at,
            id: *entry.as_bytes(),
        };
        Self {
            payout_id: page.payout.id.to_string(),
            statement_number: statement_number(page.payout.statement_number),
            currency: page.payout.amount.currency().code().to_owned(),
            opening_minor: page.closing.opening.minor(),
            closing_minor: page.closing.closing.minor(),
            closed_at: page.closing.closed_at.ms(),
            movements: page.lines.iter().map(movement).collect(),
            next: page.next.map(|next| cursor(next).to_string()),
        }
    }
}

/// A payout's statement, oldest movement first.
#[utoipa::path(get, path = "/v1/payouts/{payout_id}/statement", tag = "payouts",
    params(("payout_id" = String, Path), AfterParams),
    responses((status = 200, body = StatementOut), (status = 404)))]
async fn get_statement(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(payout_id): PathParam<PayoutId>,
    Query(page): Query<AfterParams>,
) -> Result<Json<StatementOut>, Problem> {
    let cursor = page
        .after
        .as_deref()
        .map(str::parse::<Cursor>)
        .transpose()?;
    let query = StatementQuery {
        payout: payout_id,
        after: cursor.map(|cursor| super::views::after_of(cursor.at, cursor.id)),
    };
    let found = app.read(&visitor.caller, query, statement).await?;
    Ok(Json(StatementOut::from(&found)))
}

/// What a provider is told: the event is kept.
#[derive(Serialize, ToSchema)]
pub struct PayoutReceivedOut {
    received: bool,
    /// Whether it says something that we act on.
    known: bool,
}

/// Take a provider's event about a payout. It is kept and settled later; a repeated one is a
/// success.
#[utoipa::path(post, path = "/v1/payouts/webhooks/{provider}", tag = "payouts",
    params(("provider" = String, Path, description = "sandbox")),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = PayoutReceivedOut), (status = 400), (status = 404),
        (status = 422)))]
async fn receive_webhook(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(provider): PathParam<String>,
    headers: HeaderMap,
    RawBody(raw): RawBody,
) -> Result<Json<PayoutReceivedOut>, Problem> {
    let gateway = gateways::find(&app, &provider);
    let gateway = gateway.ok_or_else(|| Problem::not_found("There is no such provider here."))?;
    let event = gateway.verify_payout_webhook(&app, &headers, &raw)?;
    let known = event.kind != EventKind::Other;
    let command = ReceivePayoutEvent {
        provider: gateway.name(),
        event,
    };
    let house = Caller::system(visitor.caller.tenant);
    app.transact(&house, command, receive_event).await?;
    Ok(Json(PayoutReceivedOut {
        received: true,
        known,
    }))
}
