//! Routes of wishes: for an order's buyer, for sellers, and for the platform.

use super::super::asking::{Wish, WishError, WishState};
use super::super::wish::{
    AnswerEscalated, AnswerWish, GoOn, OpenWish, OwnOrder, Step, Verdict, WishesQuery,
    answer_escalated, answer_wish, escalated, go_on, open_wish, own_wishes, wishes_at,
};
use crate::app::App;
use crate::caller::Capability;
use crate::domains::fulfilment::http::TokenQuery;
use crate::domains::refunds::Reason;
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, PathParts, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::{OrderId, OrderLineId, RefundWishId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_own_wishes, post_wish))
        .routes(routes!(take_wish_back))
        .routes(routes!(appeal_wish))
        .routes(routes!(list_wishes))
        .routes(routes!(list_escalated_wishes))
        .routes(routes!(post_wish_answer))
}

impl From<WishError> for Problem {
    fn from(error: WishError) -> Self {
        use WishError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such wish."),
            E::Waiting => Self::new(409, "wish_waiting", detail),
            E::Granted => Self::new(409, "wish_granted", detail),
            E::Often => Self::new(409, "wish_often", detail),
            E::Moved(_) => Self::new(409, "wish_moved", detail),
            E::Appeal => Self::new(409, "wish_appeal_over", detail),
            E::OutOfRange { .. } => {
                Self::new(422, "refund_out_of_range", detail).at("amount_minor")
            }
            E::Reason => Self::new(422, "reason_malformed", detail).at("reason"),
            E::Words => Self::new(422, "wish_words_malformed", detail).at("words"),
            E::Order(error) => error.into(),
            E::Refund(error) => error.into(),
            E::Id(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// What a buyer wishes for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WishIn {
    /// Of which line.
    order_line_id: String,
    /// `requested_by_customer`, `duplicate`, `defective`, `other`.
    #[schema(value_type = String)]
    reason: Reason,
    /// For the seller to read, at most 1000 characters.
    #[serde(default)]
    words: String,
    /// In minor units of the order's currency; all that is left when absent.
    #[serde(default)]
    amount_minor: Option<i64>,
}

/// A wish that was made.
#[derive(Serialize, ToSchema)]
pub struct WishMadeOut {
    wish_id: String,
}

/// A wish.
#[derive(Serialize, ToSchema)]
pub struct WishOut {
    wish_id: String,
    order_id: String,
    order_line_id: String,
    /// What the line was called.
    title: String,
    /// `open`, `escalated`, `granted`, `failed` (it was granted and the money came back),
    /// `declined`, `taken_back`.
    state: &'static str,
    reason: &'static str,
    words: String,
    amount_minor: i64,
    /// How much was granted, which may be less; absent before.
    granted_minor: Option<i64>,
    currency: String,
    /// Until when its seller may answer, in milliseconds since 1970 (UTC).
    due_at: i64,
    /// Until when its buyer may ask the platform; absent when they may not.
    appeal_until: Option<i64>,
    /// What was answered; may be empty.
    answer: String,
    /// `seller`, `platform`, or `elsewhere` when the money went back by another way.
    answered_by: Option<&'static str>,
    /// The refund that answers it.
    refund_id: Option<String>,
    opened_at: i64,
    answered_at: Option<i64>,
    /// When the money that was granted came back, while it hasn't been sent again.
    failed_at: Option<i64>,
}

impl From<&Wish> for WishOut {
    fn from(wish: &Wish) -> Self {
        Self {
            wish_id: wish.id.to_string(),
            order_id: wish.order.to_string(),
            order_line_id: wish.line.to_string(),
            title: wish.title.clone(),
            state: wish.state.code(),
            reason: wish.reason.code(),
            words: wish.words.clone(),
            amount_minor: wish.amount.minor(),
            granted_minor: wish.granted.map(|of| of.minor()),
            currency: wish.amount.currency().code().to_owned(),
            due_at: wish.due_at().ms(),
            appeal_until: wish.appeal_until().map(Timestamp::ms),
            answer: wish.answer.clone(),
            answered_by: wish.answered_by.map(|by| by.code()),
            refund_id: wish.refund.map(|refund| refund.to_string()),
            opened_at: wish.opened_at.ms(),
            answered_at: wish.answered_at.map(Timestamp::ms),
            failed_at: wish.failed_at.map(Timestamp::ms),
        }
    }
}

/// Wishes.
#[derive(Serialize, ToSchema)]
pub struct WishesOut {
    wishes: Vec<WishOut>,
}

fn list(wishes: &[Wish]) -> Json<WishesOut> {
    let wishes = wishes.iter().map(WishOut::from).collect();
    Json(WishesOut { wishes })
}

/// What its buyer wished for of an order, the oldest first.
#[utoipa::path(get, path = "/v1/orders/{order_id}/wishes", tag = "refunds",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = WishesOut), (status = 404)))]
async fn list_own_wishes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<WishesOut>, Problem> {
    let token = query.token;
    let of = OwnOrder { order, token };
    let found = app.read(&visitor.caller, of, own_wishes).await?;
    Ok(list(&found))
}

/// Ask the seller of a line for money back.
///
/// Who isn't answered in 72 hours is answered by the platform.
#[utoipa::path(post, path = "/v1/orders/{order_id}/wishes", tag = "refunds", request_body = WishIn,
    params(("order_id" = String, Path), TokenQuery, ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = WishMadeOut), (status = 401), (status = 403), (status = 404),
        (status = 409), (status = 422)))]
async fn post_wish(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
    key: IdempotencyKey,
    body: JsonBody<WishIn>,
) -> Result<(StatusCode, Json<WishMadeOut>), Problem> {
    let given = body.value;
    let command = OpenWish {
        of: OwnOrder {
            order,
            token: query.token,
        },
        line: OrderLineId::parse(&given.order_line_id)?,
        reason: given.reason,
        words: given.words,
        amount_minor: given.amount_minor,
    };
    let caller = &visitor.caller;
    let wish_id = match key.over(&body.bytes) {
        Some(key) => app.transact_once(caller, key, command, open_wish).await?,
        None => app.transact(caller, command, open_wish).await?,
    };
    Ok((StatusCode::CREATED, Json(WishMadeOut { wish_id })))
}

/// An order and a wish of it.
#[derive(Deserialize)]
struct OfOrder {
    order_id: String,
    wish_id: String,
}

async fn step(
    app: &App,
    visitor: &Visitor,
    (of, token): (OfOrder, Option<String>),
    step: Step,
) -> Result<StatusCode, Problem> {
    let missing = |_| Problem::not_found("There is no such wish.");
    let order = OrderId::parse(&of.order_id).map_err(missing)?;
    let command = GoOn {
        of: OwnOrder { order, token },
        wish: RefundWishId::parse(&of.wish_id).map_err(missing)?,
        step,
    };
    app.transact(&visitor.caller, command, go_on).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take a wish back that waits.
#[utoipa::path(post, path = "/v1/orders/{order_id}/wishes/{wish_id}/take-back", tag = "refunds",
    params(("order_id" = String, Path), ("wish_id" = String, Path), TokenQuery),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn take_wish_back(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts(of): PathParts<OfOrder>,
    Query(query): Query<TokenQuery>,
) -> Result<StatusCode, Problem> {
    step(&app, &visitor, (of, query.token), Step::TakeBack).await
}

/// Ask the platform after a seller's no, or after money that a seller granted came back: once, within
/// 14 days.
#[utoipa::path(post, path = "/v1/orders/{order_id}/wishes/{wish_id}/appeal", tag = "refunds",
    params(("order_id" = String, Path), ("wish_id" = String, Path), TokenQuery),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn appeal_wish(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts(of): PathParts<OfOrder>,
    Query(query): Query<TokenQuery>,
) -> Result<StatusCode, Problem> {
    step(&app, &visitor, (of, query.token), Step::AskPlatform).await
}

/// Which wishes, and which page of them.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
struct WishesParams {
    /// Those in this state alone.
    state: Option<String>,
    /// The last wish of the page before.
    before: Option<String>,
}

impl WishesParams {
    fn read(self) -> Result<WishesQuery, Problem> {
        let before = self.before.as_deref().map(RefundWishId::parse);
        let state = self.state.as_deref().map(|code| {
            let unknown =
                || Problem::new(422, "wish_state_unknown", "no state of wishes").at("state");
            WishState::parse(code).ok_or_else(unknown)
        });
        Ok(WishesQuery {
            state: state.transpose()?,
            before: before.transpose()?,
        })
    }
}

/// What the caller's buyers wish for, the newest first, 50 a page; all of it, or what is in a `state`.
#[utoipa::path(get, path = "/v1/wishes", tag = "refunds", params(WishesParams),
    responses((status = 200, body = WishesOut), (status = 403), (status = 422)))]
async fn list_wishes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<WishesParams>,
) -> Result<Json<WishesOut>, Problem> {
    let found = app.read(&visitor.caller, query.read()?, wishes_at).await?;
    Ok(list(&found))
}

/// What waits for the platform, or everybody's wishes in a `state`, the newest first, 50 a page.
#[utoipa::path(get, path = "/v1/wishes/escalated", tag = "refunds", params(WishesParams),
    responses((status = 200, body = WishesOut), (status = 403), (status = 422)))]
async fn list_escalated_wishes(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<WishesParams>,
) -> Result<Json<WishesOut>, Problem> {
    let found = app.read(&visitor.caller, query.read()?, escalated).await?;
    Ok(list(&found))
}

/// What is answered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WishAnswerIn {
    /// Whether it is granted.
    grant: bool,
    /// In minor units; all that was wished for when absent.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// For the buyer to read, at most 1000 characters; a no needs some.
    #[serde(default)]
    words: String,
}

/// Answer a wish: its seller while it is open, the platform once it is escalated. A yes refunds; for
/// a wish that `failed` it sends the money again.
#[utoipa::path(post, path = "/v1/wishes/{wish_id}/answer", tag = "refunds",
    request_body = WishAnswerIn, params(("wish_id" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409),
        (status = 422)))]
async fn post_wish_answer(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(wish): PathParam<RefundWishId>,
    body: JsonBody<WishAnswerIn>,
) -> Result<StatusCode, Problem> {
    let given = body.value;
    let verdict = Verdict {
        wish,
        grant: given.grant,
        amount_minor: given.amount_minor,
        words: given.words,
    };
    let caller = &visitor.caller;
    match caller.may(Capability::Administer) {
        true => {
            let command = AnswerEscalated(verdict);
            app.transact(caller, command, answer_escalated).await?;
        }
        false => {
            app.transact(caller, AnswerWish(verdict), answer_wish)
                .await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
