//! Routes of orders whose money waits for a look, for the platform.

use crate::app::App;
use crate::domains::fulfilment::review::{DecideReview, decide_review};
use crate::domains::risk::{Review, Reviews, RiskError, reviews};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::OrderId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_reviews))
        .routes(routes!(post_review))
}

/// Which reviews.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct RiskReviewsParams {
    /// `all` for those that were decided too.
    which: Option<String>,
}

/// A paid order whose money waits, or waited, for a look. Instants are milliseconds since 1970 (UTC).
#[derive(Serialize, ToSchema)]
pub struct RiskReviewOut {
    order_id: String,
    /// `waiting`, `released`, `refunded`.
    state: &'static str,
    /// The names of the rules.
    why: String,
    paid_at: i64,
    decided_by: Option<String>,
    decided_at: Option<i64>,
    /// What was written; the refund's reason, or `chargeback`, when the money went back otherwise.
    note: String,
}

impl From<&Review> for RiskReviewOut {
    fn from(review: &Review) -> Self {
        Self {
            order_id: review.order.to_string(),
            state: review.state.code(),
            why: review.why.clone(),
            paid_at: review.paid_at.ms(),
            decided_by: review.decided_by.map(|by| by.to_string()),
            decided_at: review.decided_at.map(Timestamp::ms),
            note: review.note.clone(),
        }
    }
}

/// Paid orders whose money waits for a look, at most a hundred. For the platform.
#[utoipa::path(get, path = "/v1/risk-reviews", tag = "risk", params(RiskReviewsParams),
    responses((status = 200, body = Vec<RiskReviewOut>), (status = 401), (status = 403)))]
async fn get_reviews(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<RiskReviewsParams>,
) -> Result<Json<Vec<RiskReviewOut>>, Problem> {
    let all = asked.which.as_deref() == Some("all");
    let found = app.read(&visitor.caller, Reviews { all }, reviews).await?;
    Ok(Json(found.iter().map(RiskReviewOut::from).collect()))
}

/// What is decided of a review.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RiskReviewIn {
    /// `let_go`, or `refund` to give all of it back, as of a fraud.
    decision: String,
    /// At most 500 characters, for the platform to read.
    #[serde(default)]
    note: String,
}

/// Let an order's money go, or refund it, once. For the platform.
#[utoipa::path(post, path = "/v1/risk-reviews/{order_id}", tag = "risk",
    request_body = RiskReviewIn, params(("order_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn post_review(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    body: JsonBody<RiskReviewIn>,
) -> Result<StatusCode, Problem> {
    let given = body.value;
    let command = DecideReview {
        order,
        refund: match given.decision.as_str() {
            "let_go" => false,
            "refund" => true,
            _ => return Err(RiskError::Choice.into()),
        },
        note: given.note,
    };
    app.transact(&visitor.caller, command, decide_review)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
