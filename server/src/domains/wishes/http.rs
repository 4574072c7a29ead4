//! Routes of withdrawals, for an order's buyer; those of wishes are in `asking`.

mod asking;

use super::model::{OfLine, WithdrawalError, WithdrawalView};
use super::ops::{ViewWithdrawal, Withdraw, view_withdrawal, withdraw};
use crate::app::App;
use crate::domains::fulfilment::http::TokenQuery;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::Timestamp;
use mintreu::id::{OrderId, OrderLineId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_withdrawal, post_withdrawal))
        .merge(asking::routes())
}

impl From<WithdrawalError> for Problem {
    fn from(error: WithdrawalError) -> Self {
        use WithdrawalError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such order."),
            E::Unpaid => Self::new(409, "order_state", detail),
            E::NothingLeft => Self::new(409, "withdrawal_of_nothing", detail),
            E::Disputed => Self::new(409, "refund_disputed", detail),
            E::Renewal => Self::new(409, "withdrawal_of_renewal", detail),
            E::Late => Self::new(409, "withdrawal_late", detail),
            E::Waived => Self::new(409, "withdrawal_waived", detail),
            E::Order(error) => error.into(),
            E::Refund(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::Money(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// From what to withdraw.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WithdrawalIn {
    /// From which line; every line that can be withdrawn from when absent.
    #[serde(default)]
    order_line_id: Option<String>,
}

/// A line that can be withdrawn from, or why not.
#[derive(Serialize, ToSchema)]
pub struct WithdrawalLineOut {
    order_line_id: String,
    title: String,
    /// What would go back, in minor units.
    left_minor: i64,
    /// `open`, `withdrawn`, `unpaid`, `nothing_left`, `disputed`, `renewal`, `late`, `waived`.
    standing: &'static str,
    /// What answers the declaration; absent before it.
    refund_id: Option<String>,
    /// `requested`, `succeeded`, `failed`; one that failed can be asked for again.
    refund_state: Option<&'static str>,
    /// What of the refund is this line's, in minor units.
    amount_minor: Option<i64>,
    /// When it was declared, in milliseconds since 1970 (UTC).
    declared_at: Option<i64>,
}

/// What a buyer can withdraw from, and did.
#[derive(Serialize, ToSchema)]
pub struct WithdrawalOut {
    order_id: String,
    currency: Option<String>,
    /// The first moment at which it is too late, in milliseconds since 1970 (UTC); absent when the
    /// order was never paid.
    until: Option<i64>,
    lines: Vec<WithdrawalLineOut>,
}

fn line_out(line: &OfLine) -> WithdrawalLineOut {
    let declared = line.withdrawal.as_ref();
    WithdrawalLineOut {
        order_line_id: line.line.to_string(),
        title: line.title.clone(),
        left_minor: line.left.minor(),
        standing: line.standing.code(),
        refund_id: declared.map(|(one, _)| one.refund.to_string()),
        refund_state: declared.map(|(_, state)| state.code()),
        amount_minor: declared.map(|(one, _)| one.amount.minor()),
        declared_at: declared.map(|(one, _)| one.declared_at.ms()),
    }
}

fn view_out(view: &WithdrawalView) -> WithdrawalOut {
    WithdrawalOut {
        order_id: view.order.to_string(),
        currency: (view.lines.first()).map(|line| line.left.currency().code().to_owned()),
        until: view.until.map(Timestamp::ms),
        lines: view.lines.iter().map(line_out).collect(),
    }
}

/// What the order's buyer can withdraw from, until when, and what they did withdraw from.
#[utoipa::path(get, path = "/v1/orders/{order_id}/withdrawal", tag = "refunds",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = WithdrawalOut), (status = 404)))]
async fn get_withdrawal(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<WithdrawalOut>, Problem> {
    let query = ViewWithdrawal {
        order,
        token: query.token,
    };
    let view = app.read(&visitor.caller, query, view_withdrawal).await?;
    Ok(Json(view_out(&view)))
}

/// Withdraw from what was bought, within 14 days: all that was paid for it goes back, its license ends,
/// and a mail says at once what was declared and when. Saying it again answers the same.
#[utoipa::path(post, path = "/v1/orders/{order_id}/withdrawal", tag = "refunds",
    request_body = WithdrawalIn, params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = WithdrawalOut), (status = 401), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
async fn post_withdrawal(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
    body: JsonBody<WithdrawalIn>,
) -> Result<Json<WithdrawalOut>, Problem> {
    let line = body.value.order_line_id.as_deref().map(OrderLineId::parse);
    let command = Withdraw {
        order,
        token: query.token,
        line: line.transpose()?,
    };
    let view = app.transact(&visitor.caller, command, withdraw).await?;
    Ok(Json(view_out(&view)))
}
