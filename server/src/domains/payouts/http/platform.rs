//! Routes of payouts for the platform: runs, what is sent again, sellers, and debts.

use super::{PayoutOut, SkipOut};
use crate::app::App;
use crate::domains::payouts::model::{Run, Verdict};
use crate::domains::payouts::views::{PreviewLine, PreviewQuery, RunQuery, preview, run};
use crate::domains::payouts::{
    PayAgain, RetryPayout, SetSeller, StartRun, WriteOffDebt, pay_again, retry_payout, set_seller,
    start_run, write_off,
};
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::{AccountId, PayoutId, PayoutRunId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_preview))
        .routes(routes!(post_run))
        .routes(routes!(get_run))
        .routes(routes!(post_retry))
        .routes(routes!(post_again))
        .routes(routes!(put_seller))
        .routes(routes!(post_write_off))
}

/// What a run would do for a seller and currency.
#[derive(Serialize, ToSchema)]
pub struct PreviewLineOut {
    seller_id: String,
    currency: String,
    balance_minor: i64,
    /// What it would pay.
    amount_minor: Option<i64>,
    /// Why it would pay nothing.
    reason: Option<&'static str>,
}

impl From<&PreviewLine> for PreviewLineOut {
    fn from(line: &PreviewLine) -> Self {
        let (amount_minor, reason) = match &line.verdict {
            Verdict::Pay(amount, _) => (Some(amount.minor()), None),
            Verdict::Skip(reason) => (None, Some(reason.code())),
            Verdict::Nothing => (None, None),
        };
        Self {
            seller_id: line.candidate.seller.to_string(),
            currency: line.candidate.currency.code().to_owned(),
            balance_minor: line.balance.minor(),
            amount_minor,
            reason,
        }
    }
}

/// What a run would do now.
#[derive(Serialize, ToSchema)]
pub struct PreviewOut {
    /// The first hundred sellers and currencies with a balance.
    lines: Vec<PreviewLineOut>,
    more: bool,
}

/// What a run would do now, without doing it. For the platform.
#[utoipa::path(get, path = "/v1/payout-runs/preview", tag = "payouts",
    responses((status = 200, body = PreviewOut), (status = 403)))]
async fn get_preview(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<PreviewOut>, Problem> {
    let query = PreviewQuery { after: None };
    let (lines, next) = app.read(&visitor.caller, query, preview).await?;
    Ok(Json(PreviewOut {
        lines: lines.iter().map(PreviewLineOut::from).collect(),
        more: next.is_some(),
    }))
}

/// A run that was started.
#[derive(Serialize, ToSchema)]
pub struct StartedOut {
    payout_run_id: String,
}

/// Start a run for all that is releasable now. For the platform; takes an Idempotency-Key.
#[utoipa::path(post, path = "/v1/payout-runs", tag = "payouts",
    responses((status = 202, body = StartedOut), (status = 400), (status = 403)))]
async fn post_run(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
) -> Result<(StatusCode, Json<StartedOut>), Problem> {
    let once = key.required(&[])?;
    let started = app.transact_once(&visitor.caller, once, StartRun, start_run);
    let payout_run_id = started.await?;
    Ok((StatusCode::ACCEPTED, Json(StartedOut { payout_run_id })))
}

/// What a run did.
#[derive(Serialize, ToSchema)]
pub struct RunOut {
    payout_run_id: String,
    /// Nobody, for the weekly one.
    started_by: Option<String>,
    cut_off_at: i64,
    started_at: i64,
    /// When the last balance was looked at.
    finished_at: Option<i64>,
    /// At most 500.
    payouts: Vec<PayoutOut>,
    /// At most 500.
    skips: Vec<SkipOut>,
}

/// What a run did: whom it paid, whom it passed over and why. For the platform.
#[utoipa::path(get, path = "/v1/payout-runs/{payout_run_id}", tag = "payouts",
    params(("payout_run_id" = String, Path)),
    responses((status = 200, body = RunOut), (status = 403), (status = 404)))]
async fn get_run(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(payout_run_id): PathParam<PayoutRunId>,
) -> Result<Json<RunOut>, Problem> {
    let query = RunQuery { run: payout_run_id };
    let found = app.read(&visitor.caller, query, run).await?;
    let Run {
        id,
        started_by,
        cut_off,
        started_at,
        finished_at,
    } = found.run;
    Ok(Json(RunOut {
        payout_run_id: id.to_string(),
        started_by: started_by.map(|by| by.to_string()),
        cut_off_at: cut_off.ms(),
        started_at: started_at.ms(),
        finished_at: finished_at.map(Timestamp::ms),
        payouts: found.payouts.iter().map(PayoutOut::from).collect(),
        skips: found.skips.iter().map(SkipOut::from).collect(),
    }))
}

/// The state of a payout.
#[derive(Serialize, ToSchema)]
pub struct StateOut {
    state: &'static str,
}

/// Ask the provider for a payout once more; it is sent once. For the platform.
#[utoipa::path(post, path = "/v1/payouts/{payout_id}/retry", tag = "payouts",
    params(("payout_id" = String, Path)),
    responses((status = 202, body = StateOut), (status = 403), (status = 404), (status = 409)))]
async fn post_retry(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(payout): PathParam<PayoutId>,
) -> Result<(StatusCode, Json<StateOut>), Problem> {
    let command = RetryPayout { payout };
    let state = app.transact(&visitor.caller, command, retry_payout).await?;
    let state = state.code();
    Ok((StatusCode::ACCEPTED, Json(StateOut { state })))
}

/// Pay a seller again whose payout failed or came back, in a run of theirs alone: all that is
/// releasable in its currency. Asking again answers the same run. For the platform.
#[utoipa::path(post, path = "/v1/payouts/{payout_id}/again", tag = "payouts",
    params(("payout_id" = String, Path)),
    responses((status = 201, body = StartedOut), (status = 403), (status = 404), (status = 409)))]
async fn post_again(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(payout): PathParam<PayoutId>,
) -> Result<(StatusCode, Json<StartedOut>), Problem> {
    let command = PayAgain { payout };
    let run = app.transact(&visitor.caller, command, pay_again).await?;
    let payout_run_id = run.to_string();
    Ok((StatusCode::CREATED, Json(StartedOut { payout_run_id })))
}

/// What the platform says of a seller; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub struct SellerIn {
    /// Whether the platform knows who they are.
    verified: Option<bool>,
    /// Why their payouts are held; an empty text ends that.
    paused_reason: Option<String>,
}

/// Verify a seller for payouts, or hold theirs. For the platform.
#[utoipa::path(put, path = "/v1/payout-sellers/{seller_id}", tag = "payouts",
    params(("seller_id" = String, Path)), request_body = SellerIn,
    responses((status = 204), (status = 403), (status = 422)))]
async fn put_seller(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(seller): PathParam<AccountId>,
    body: JsonBody<SellerIn>,
) -> Result<StatusCode, Problem> {
    let command = SetSeller {
        seller,
        verified: body.value.verified,
        pause: body.value.paused_reason,
    };
    app.transact(&visitor.caller, command, set_seller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A debt to write off.
#[derive(Deserialize, ToSchema)]
#[schema(as = DebtWriteOffIn)]
pub struct WriteOffIn {
    seller_id: String,
    currency: String,
    /// Kept with it, 1 to 500 characters.
    reason: String,
}

/// A debt that was written off.
#[derive(Serialize, ToSchema)]
pub struct WriteOffOut {
    write_off_id: String,
    amount_minor: i64,
    currency: String,
}

/// Bear a seller's debt of one currency. For the platform; a second one finds nothing owed.
#[utoipa::path(post, path = "/v1/write-offs", tag = "payouts", request_body = WriteOffIn,
    responses((status = 201, body = WriteOffOut), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn post_write_off(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<WriteOffIn>,
) -> Result<(StatusCode, Json<WriteOffOut>), Problem> {
    let command = WriteOffDebt {
        seller: body.value.seller_id,
        currency: body.value.currency,
        reason: body.value.reason,
    };
    let new = app.transact(&visitor.caller, command, write_off).await?;
    let out = WriteOffOut {
        write_off_id: new.id.to_string(),
        amount_minor: new.amount.minor(),
        currency: new.amount.currency().code().to_owned(),
    };
    Ok((StatusCode::CREATED, Json(out)))
}
