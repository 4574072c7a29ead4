//! Routes of refunds, for sellers and the platform. What the buyer sees is part of the order.

use super::usage::{
    AskInvoiceRefund, InvoiceRefund, RefundInvoice, RefundUsage, refund_invoice, refund_usage,
};
use super::{
    AskRefund, Decide, Decided, Decision, Dispute, DisputeState, OfLine, QueueQuery, Reason,
    Refund, RefundBundle, RefundError, RefundOrder, RefundSale, decide, dispute_queue, of_invoice,
    of_line, queued, refund_bundle, refund_order, refund_sale,
};
use crate::app::App;
use crate::caller::Capability;
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::{DisputeId, InvoiceId, OrderId, OrderLineId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_refund))
        .routes(routes!(post_invoice_refund, get_invoice_refunds))
        .routes(routes!(show_sale))
        .routes(routes!(list_disputes))
        .routes(routes!(show_dispute))
        .routes(routes!(post_decision))
}

impl From<RefundError> for Problem {
    fn from(error: RefundError) -> Self {
        use RefundError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such order."),
            E::NoInvoice => Self::not_found("There is no such invoice."),
            E::InvoiceOpen => Self::new(409, "invoice_open", detail),
            E::NotPaid(_) => Self::new(409, "order_state", detail),
            E::Free => Self::new(409, "refund_of_nothing", detail),
            E::Disputed => Self::new(409, "refund_disputed", detail),
            E::OutOfRange { .. } => {
                Self::new(422, "refund_out_of_range", detail).at("amount_minor")
            }
            E::Changed { .. } => Self::new(409, "refund_changed", detail).at("left_minor"),
            E::NeedsPlatform => Self::new(409, "refund_needs_platform", detail),
            E::TooMany => Self::new(409, "refunds_exhausted", detail),
            E::DisputeMoved(_) => Self::new(409, "dispute_moved", detail),
            E::Reason => Self::new(422, "reason_malformed", detail).at("reason"),
            E::NoteTooLong => Self::new(422, "note_too_long", detail).at("note"),
            E::Order(error) => error.into(),
            E::Payment(error) => error.into(),
            E::Invoice(error) => error.into(),
            E::Licensing(error) => error.into(),
            E::Billing(error) => error.into(),
            E::Money(error) => error.into(),
            E::Affiliate(error) => error.into(),
            E::Ledger(_) | E::Early { .. } => {
                tracing::error!(error = detail, "a refund can't be posted");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// What shall go back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefundIn {
    /// Of which line; every line that one may refund when absent. Of a line that was sold in a bundle,
    /// a seller refunds all of the bundle, unless `only_line` says otherwise.
    #[serde(default)]
    order_line_id: Option<String>,
    /// Of a bundle, this line alone, at its share.
    #[serde(default)]
    only_line: bool,
    /// In minor units of the order's currency; all that is left when absent.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// `requested_by_customer`, `duplicate`, `defective`, `fraud`, `other`.
    #[schema(value_type = String)]
    reason: Reason,
    /// For the buyer to read, at most 500 characters.
    #[serde(default)]
    note: String,
    /// Let the license work on although all of its price goes back.
    #[serde(default)]
    keep_license: bool,
    /// End the subscription that the order pays for, when all of its price goes back.
    #[serde(default)]
    end_subscription: bool,
    /// What was left when one looked; 409 `refund_changed` when it isn't any more.
    #[serde(default)]
    left_minor: Option<i64>,
}

/// A refund on its way.
#[derive(Serialize, ToSchema)]
pub struct RefundAskedOut {
    refund_id: String,
    /// `requested`: the provider is asked next.
    state: &'static str,
}

/// Refund an order, or a part of it: a seller their own lines, the platform any.
///
/// Send an `Idempotency-Key`: asking again with it refunds once. The refund takes effect when the
/// provider has said yes, usually within a second; see `GET /v1/sales/{order_line_id}`.
#[utoipa::path(post, path = "/v1/orders/{order_id}/refunds", tag = "refunds",
    request_body = RefundIn,
    params(("order_id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RefundAskedOut), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
async fn post_refund(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    key: IdempotencyKey,
    body: JsonBody<RefundIn>,
) -> Result<(StatusCode, Json<RefundAskedOut>), Problem> {
    let given = body.value;
    let line = given.order_line_id.as_deref().map(OrderLineId::parse);
    let wanted = AskRefund {
        order,
        line: line.transpose()?,
        amount_minor: given.amount_minor,
        reason: given.reason,
        note: given.note,
        keeps_license: given.keep_license,
        ends_subscription: given.end_subscription,
        seen_left_minor: given.left_minor,
    };
    let caller = &visitor.caller;
    let platform = caller.may(Capability::Administer);
    let only_line = given.only_line;
    let refund_id = match (key.over(&body.bytes), platform) {
        (Some(key), true) => {
            app.transact_once(caller, key, RefundOrder(wanted), refund_order)
                .await?
        }
        (Some(key), false) if only_line => {
            app.transact_once(caller, key, RefundSale(wanted), refund_sale)
                .await?
        }
        (Some(key), false) => {
            app.transact_once(caller, key, RefundBundle(wanted), refund_bundle)
                .await?
        }
        (None, true) => {
            app.transact(caller, RefundOrder(wanted), refund_order)
                .await?
        }
        (None, false) if only_line => {
            app.transact(caller, RefundSale(wanted), refund_sale)
                .await?
        }
        (None, false) => {
            app.transact(caller, RefundBundle(wanted), refund_bundle)
                .await?
        }
    };
    let asked = RefundAskedOut {
        refund_id,
        state: "requested",
    };
    Ok((StatusCode::CREATED, Json(asked)))
}

/// What shall go back of an invoice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvoiceRefundIn {
    /// In minor units of the invoice's currency; all that is left when absent.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// `requested_by_customer`, `duplicate`, `defective`, `fraud`, `other`.
    #[schema(value_type = String)]
    reason: Reason,
    /// For the buyer to read, at most 500 characters.
    #[serde(default)]
    note: String,
    /// What was left when one looked; 409 `refund_changed` when it isn't any more.
    #[serde(default)]
    left_minor: Option<i64>,
}

/// Refund a paid invoice of usage, or a part of it: a seller the own ones, the platform any. What was
/// used stays counted, and the license works on.
///
/// Send an `Idempotency-Key`: asking again with it refunds once.
#[utoipa::path(post, path = "/v1/invoices/{id}/refunds", tag = "refunds",
    request_body = InvoiceRefundIn,
    params(("id" = String, Path, description = "inv_…"),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RefundAskedOut), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
async fn post_invoice_refund(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    key: IdempotencyKey,
    body: JsonBody<InvoiceRefundIn>,
) -> Result<(StatusCode, Json<RefundAskedOut>), Problem> {
    let given = body.value;
    let wanted = AskInvoiceRefund {
        invoice,
        amount_minor: given.amount_minor,
        reason: given.reason,
        note: given.note,
        seen_left_minor: given.left_minor,
    };
    let caller = &visitor.caller;
    let platform = caller.may(Capability::Administer);
    let refund_id = match (key.over(&body.bytes), platform) {
        (Some(key), true) => {
            app.transact_once(caller, key, RefundInvoice(wanted), refund_invoice)
                .await?
        }
        (Some(key), false) => {
            app.transact_once(caller, key, RefundUsage(wanted), refund_usage)
                .await?
        }
        (None, true) => {
            app.transact(caller, RefundInvoice(wanted), refund_invoice)
                .await?
        }
        (None, false) => {
            app.transact(caller, RefundUsage(wanted), refund_usage)
                .await?
        }
    };
    let asked = RefundAskedOut {
        refund_id,
        state: "requested",
    };
    Ok((StatusCode::CREATED, Json(asked)))
}

/// What went back of an invoice of usage, and what is left.
#[derive(Serialize, ToSchema)]
pub struct InvoiceRefundsOut {
    /// What can still be refunded; nothing while the invoice isn't paid.
    left_minor: i64,
    currency: String,
    /// The oldest first.
    refunds: Vec<RefundOut>,
    /// What banks ask about its payment, the oldest first.
    disputes: Vec<DisputeOut>,
}

/// The refunds and disputes of an invoice of usage, for who earns by it and for the platform.
#[utoipa::path(get, path = "/v1/invoices/{id}/refunds", tag = "refunds",
    params(("id" = String, Path, description = "inv_…")),
    responses((status = 200, body = InvoiceRefundsOut), (status = 404)))]
async fn get_invoice_refunds(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
) -> Result<Json<InvoiceRefundsOut>, Problem> {
    let found = app.read(&visitor.caller, invoice, of_invoice).await?;
    let out = |one: &InvoiceRefund| RefundOut {
        refund_id: one.id.to_string(),
        state: one.state.code(),
        amount_minor: one.amount.minor(),
        currency: one.amount.currency().code().to_owned(),
        reason: one.reason.code(),
        note: one.note.clone(),
        by: one.by.code(),
        failure_code: one.failure_code.clone(),
        requested_at: one.requested_at.ms(),
        settled_at: one.settled_at.map(Timestamp::ms),
    };
    Ok(Json(InvoiceRefundsOut {
        left_minor: found.left.minor(),
        currency: found.left.currency().code().to_owned(),
        refunds: found.refunds.iter().map(out).collect(),
        disputes: found.disputes.iter().map(Into::into).collect(),
    }))
}

/// A refund.
#[derive(Serialize, ToSchema)]
pub struct RefundOut {
    refund_id: String,
    /// `requested`, `succeeded`, `failed`.
    state: &'static str,
    amount_minor: i64,
    currency: String,
    reason: &'static str,
    note: String,
    /// `seller`, `platform`, `provider`.
    by: &'static str,
    failure_code: Option<String>,
    /// Milliseconds since 1970 (UTC).
    requested_at: i64,
    settled_at: Option<i64>,
}

/// A refund as JSON, of so much.
pub(crate) fn refund_out(refund: &Refund, amount: mintreu::Money) -> RefundOut {
    RefundOut {
        refund_id: refund.id.to_string(),
        state: refund.state.code(),
        amount_minor: amount.minor(),
        currency: amount.currency().code().to_owned(),
        reason: refund.reason.code(),
        note: refund.note.clone(),
        by: refund.by.code(),
        failure_code: refund.failure_code.clone(),
        requested_at: refund.requested_at.ms(),
        settled_at: refund.settled_at.map(Timestamp::ms),
    }
}

/// A dispute about the order's payment.
#[derive(Serialize, ToSchema)]
pub struct DisputeOut {
    dispute_id: String,
    /// `warning`, `inquiry`, `chargeback`, `won`, `lost`, `prevented`.
    state: &'static str,
    amount_minor: i64,
    currency: String,
    /// Why the bank asks: `fraudulent`.
    reason: Option<String>,
    /// Until when the bank waits for an answer, in milliseconds since 1970 (UTC), when it said so.
    evidence_due_at: Option<i64>,
    /// Milliseconds since 1970 (UTC).
    opened_at: i64,
    closed_at: Option<i64>,
}

/// A sold line with what became of its money.
#[derive(Serialize, ToSchema)]
pub struct SaleRefundsOut {
    order_id: String,
    order_line_id: String,
    /// Of the order.
    state: &'static str,
    charged_minor: i64,
    /// What is left to refund.
    left_minor: i64,
    currency: String,
    /// Amounts are this line's.
    refunds: Vec<RefundOut>,
    disputes: Vec<DisputeOut>,
}

impl From<&Dispute> for DisputeOut {
    fn from(one: &Dispute) -> Self {
        Self {
            dispute_id: one.id.to_string(),
            state: one.state.code(),
            amount_minor: one.amount.minor(),
            currency: one.amount.currency().code().to_owned(),
            reason: one.reason.clone(),
            evidence_due_at: one.evidence_due_at.map(Timestamp::ms),
            opened_at: one.opened_at.ms(),
            closed_at: one.closed_at.map(Timestamp::ms),
        }
    }
}

fn sale_out(found: &OfLine) -> SaleRefundsOut {
    let disputes = found.disputes.iter().map(DisputeOut::from);
    SaleRefundsOut {
        order_id: found.order.id.to_string(),
        order_line_id: found.line.id.to_string(),
        state: found.order.state.code(),
        charged_minor: found.line.split.charged.minor(),
        left_minor: found.left.minor(),
        currency: found.left.currency().code().to_owned(),
        refunds: found
            .refunds
            .iter()
            .map(|(refund, amount)| refund_out(refund, *amount))
            .collect(),
        disputes: disputes.collect(),
    }
}

/// A line that one sold, with its refunds and disputes.
#[utoipa::path(get, path = "/v1/sales/{order_line_id}", tag = "sales",
    params(("order_line_id" = String, Path)),
    responses((status = 200, body = SaleRefundsOut), (status = 404)))]
async fn show_sale(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(line): PathParam<OrderLineId>,
) -> Result<Json<SaleRefundsOut>, Problem> {
    let found = app.read(&visitor.caller, line, of_line).await?;
    Ok(Json(sale_out(&found)))
}

/// A page of disputes.
#[derive(Serialize, ToSchema)]
pub struct DisputesOut {
    disputes: Vec<QueuedOut>,
    next: Option<String>,
}

/// A dispute and what it is about.
#[derive(Serialize, ToSchema)]
pub struct QueuedOut {
    /// The order that it is about.
    order_id: Option<String>,
    /// The invoice of usage that it is about, instead of an order.
    invoice_id: Option<String>,
    #[serde(flatten)]
    dispute: DisputeOut,
}

impl From<&Dispute> for QueuedOut {
    fn from(one: &Dispute) -> Self {
        Self {
            order_id: one.of.order().map(|id| id.to_string()),
            invoice_id: one.of.invoice().map(|id| id.to_string()),
            dispute: one.into(),
        }
    }
}

/// Which disputes.
#[derive(Deserialize, IntoParams)]
pub struct DisputesParams {
    /// `waiting` for a decision, the oldest first (when absent), or `all`, the newest first.
    which: Option<String>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Disputes that wait for a decision, or all of them. For the platform.
#[utoipa::path(get, path = "/v1/disputes", tag = "refunds", params(DisputesParams),
    responses((status = 200, body = DisputesOut), (status = 401), (status = 403)))]
async fn list_disputes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<DisputesParams>,
) -> Result<Json<DisputesOut>, Problem> {
    let after = asked.after.as_deref().map(DisputeId::parse).transpose()?;
    let all = asked.which.as_deref() == Some("all");
    let query = QueueQuery { all, after };
    let found = app.read(&visitor.caller, query, dispute_queue).await?;
    Ok(Json(DisputesOut {
        disputes: found.disputes.iter().map(QueuedOut::from).collect(),
        next: found.next.map(|next| next.to_string()),
    }))
}

/// A decision that was made.
#[derive(Serialize, ToSchema)]
pub struct DecidedOut {
    /// Where the dispute stood.
    state: &'static str,
    /// `refund`, `leave`, `contest`, `accept`.
    decision: &'static str,
    reason: String,
    decided_by: Option<String>,
    /// Milliseconds since 1970 (UTC).
    decided_at: i64,
}

impl From<&Decided> for DecidedOut {
    fn from(one: &Decided) -> Self {
        Self {
            state: one.state.code(),
            decision: one.decision.code(),
            reason: one.reason.clone(),
            decided_by: one.by.map(|by| by.to_string()),
            decided_at: one.at.ms(),
        }
    }
}

/// A dispute with what was decided about it.
#[derive(Serialize, ToSchema)]
pub struct DisputeDecisionsOut {
    #[serde(flatten)]
    dispute: QueuedOut,
    /// The oldest first.
    decisions: Vec<DecidedOut>,
}

/// One dispute with what was decided about it. For the platform.
#[utoipa::path(get, path = "/v1/disputes/{dispute_id}", tag = "refunds",
    params(("dispute_id" = String, Path)),
    responses((status = 200, body = DisputeDecisionsOut), (status = 401), (status = 403),
        (status = 404)))]
async fn show_dispute(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
) -> Result<Json<DisputeDecisionsOut>, Problem> {
    let found = app.read(&visitor.caller, dispute, queued).await?;
    Ok(Json(DisputeDecisionsOut {
        dispute: (&found.dispute).into(),
        decisions: found.decided.iter().map(DecidedOut::from).collect(),
    }))
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionIn {
    /// Where the dispute stood when one looked: `warning`, `inquiry`, `chargeback`.
    state: String,
    /// `refund` or `leave` what is warned of; `contest` or `accept` what the bank asks.
    decision: String,
    /// Kept with it, 1 to 500 characters.
    reason: String,
}

/// Decide about a dispute where it stands; deciding again replaces the decision. For the platform.
#[utoipa::path(post, path = "/v1/disputes/{dispute_id}/decisions", tag = "refunds",
    params(("dispute_id" = String, Path)), request_body = DecisionIn,
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn post_decision(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(dispute): PathParam<DisputeId>,
    body: JsonBody<DecisionIn>,
) -> Result<StatusCode, Problem> {
    let given = body.value;
    let unknown = |field| {
        let detail = "There is no such state of a dispute, or no such decision.";
        Problem::new(422, "input_invalid", detail).at(field)
    };
    let command = Decide {
        dispute,
        seen: DisputeState::parse(&given.state).ok_or_else(|| unknown("state"))?,
        decision: Decision::parse(&given.decision).ok_or_else(|| unknown("decision"))?,
        reason: given.reason,
    };
    app.transact(&visitor.caller, command, decide).await?;
    Ok(StatusCode::NO_CONTENT)
}
