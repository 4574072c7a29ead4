//! Routes of answers, for the seller of a disputed order and the platform.

use super::model::{Answer, AnswerError, Texts};
use super::ops::{
    AnswerAny, AnswerDispute, AnswerView, Step, Wanted, answer, answer_any, view_answer,
};
use crate::app::App;
use crate::caller::Capability;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::DisputeId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_answer, put_answer))
        .routes(routes!(submit_answer))
        .routes(routes!(accept_dispute))
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        use AnswerError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such dispute."),
            E::NeedsPlatform => Self::new(409, "answer_needs_platform", detail),
            E::Given(_) => Self::new(409, "answer_given", detail),
            E::Moved(_) => Self::new(409, "dispute_moved", detail),
            E::Late(_) => Self::new(409, "answer_late", detail),
            E::Text(field) => Self::new(422, "answer_text_invalid", detail).at(field),
            E::Refund(error) => error.into(),
            E::Invoice(error) => error.into(),
            E::Licensing(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// What only a person knows; each text may be absent and has at most 5000 characters.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerIn {
    /// What was sold.
    #[serde(default)]
    product_description: String,
    /// What the buyer was told of refunds.
    #[serde(default)]
    refund_policy: String,
    /// What the buyer wrote and was answered.
    #[serde(default)]
    customer_communication: String,
    /// Why the sale was right.
    #[serde(default)]
    statement: String,
}

/// What the house knows about one thing.
#[derive(Serialize, ToSchema)]
pub struct KnownOut {
    /// `order`, `products`, `papers`, `agreed`, `licenses`, `activity`, `refunds`.
    about: String,
    /// In English, a fact a line.
    text: String,
}

/// What a bank is, or was, answered.
#[derive(Serialize, ToSchema)]
pub struct AnswerOut {
    dispute_id: String,
    /// The order that it is about.
    order_id: Option<String>,
    /// The invoice of usage that it is about, instead of an order.
    invoice_id: Option<String>,
    /// Where the dispute stands: `inquiry`, `chargeback`, `won`, `lost`, …
    dispute_state: &'static str,
    /// At which stage the bank asked: `inquiry` or `chargeback`; absent when it never did.
    stage: Option<&'static str>,
    /// `draft`, `sending`, `sent`, `accepting`, `accepted`, `refused`.
    state: Option<&'static str>,
    product_description: String,
    refund_policy: String,
    customer_communication: String,
    statement: String,
    /// As it was handed in; as it is now before that.
    known: Vec<KnownOut>,
    /// Until when the bank waits, in milliseconds since 1970 (UTC), when it said so.
    evidence_due_at: Option<i64>,
    /// Whether it can be written and handed in.
    can_submit: bool,
    /// Whether the dispute can be given up.
    can_accept: bool,
    /// Whether the house handed it in, since nobody did.
    by_default: bool,
    /// Why the provider refused: `evidence_late`.
    failure_code: Option<String>,
    /// When it was handed in, or the dispute given up.
    answered_at: Option<i64>,
    /// When the provider took or refused it.
    settled_at: Option<i64>,
}

fn out(view: AnswerView) -> AnswerOut {
    let answer = view.answer.as_ref();
    let texts = answer.map(|one| one.texts.clone()).unwrap_or_default();
    let at = |pick: fn(&Answer) -> Option<Timestamp>| answer.and_then(pick).map(Timestamp::ms);
    let known = view.known.into_iter().map(|one| KnownOut {
        about: one.about,
        text: one.text,
    });
    AnswerOut {
        dispute_id: view.dispute.id.to_string(),
        order_id: view.dispute.of.order().map(|id| id.to_string()),
        invoice_id: view.dispute.of.invoice().map(|id| id.to_string()),
        dispute_state: view.dispute.state.code(),
        stage: answer.map(|one| one.stage.code()),
        state: answer.map(|one| one.state.code()),
        product_description: texts.product_description,
        refund_policy: texts.refund_policy,
        customer_communication: texts.customer_communication,
        statement: texts.statement,
        known: known.collect(),
        evidence_due_at: view.dispute.evidence_due_at.map(Timestamp::ms),
        can_submit: view.asked.can_submit,
        can_accept: view.asked.can_accept,
        by_default: answer.is_some_and(|one| one.by_default),
        failure_code: answer.and_then(|one| one.failure_code.clone()),
        answered_at: at(|one| one.answered_at),
        settled_at: at(|one| one.settled_at),
    }
}

/// What the bank of a dispute is, or was, answered, and what the house knows of the sale.
#[utoipa::path(get, path = "/v1/disputes/{dispute_id}/answer", tag = "refunds",
    params(("dispute_id" = String, Path)),
    responses((status = 200, body = AnswerOut), (status = 404), (status = 409)))]
async fn get_answer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
) -> Result<Json<AnswerOut>, Problem> {
    let found = app.read(&visitor.caller, dispute, view_answer).await?;
    Ok(Json(out(found)))
}

async fn carry_out(
    app: &App,
    visitor: &Visitor,
    (dispute, step): (DisputeId, Step),
    texts: Option<Texts>,
) -> Result<(), Problem> {
    let wanted = Wanted {
        dispute,
        step,
        texts,
        seen: None,
    };
    let caller = &visitor.caller;
    match caller.may(Capability::Administer) {
        true => app.transact(caller, AnswerAny(wanted), answer_any).await?,
        false => app.transact(caller, AnswerDispute(wanted), answer).await?,
    };
    Ok(())
}

/// Keep the texts of an answer, to go on later; all four are replaced.
#[utoipa::path(put, path = "/v1/disputes/{dispute_id}/answer", tag = "refunds",
    params(("dispute_id" = String, Path)), request_body = AnswerIn,
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn put_answer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
    body: JsonBody<AnswerIn>,
) -> Result<StatusCode, Problem> {
    let given = body.value;
    let texts = Texts {
        product_description: given.product_description,
        refund_policy: given.refund_policy,
        customer_communication: given.customer_communication,
        statement: given.statement,
    };
    carry_out(&app, &visitor, (dispute, Step::Save), Some(texts)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hand the answer in, with what the house knows. Once: it changes no more afterwards.
#[utoipa::path(post, path = "/v1/disputes/{dispute_id}/answer/submit", tag = "refunds",
    params(("dispute_id" = String, Path)),
    responses((status = 202), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn submit_answer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
) -> Result<StatusCode, Problem> {
    carry_out(&app, &visitor, (dispute, Step::Submit), None).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Give the dispute up: the bank keeps the money, and no answer is handed in.
#[utoipa::path(post, path = "/v1/disputes/{dispute_id}/answer/accept", tag = "refunds",
    params(("dispute_id" = String, Path)),
    responses((status = 202), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn accept_dispute(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
) -> Result<StatusCode, Problem> {
    carry_out(&app, &visitor, (dispute, Step::Accept), None).await?;
    Ok(StatusCode::ACCEPTED)
}
