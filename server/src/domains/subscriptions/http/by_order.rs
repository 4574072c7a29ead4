//! Routes for who subscribed without an account and has the order's token.

use super::{SubscriptionOut, SubscriptionsOut};
use crate::app::App;
use crate::caller::Caller;
use crate::domains::methods::MethodError;
use crate::domains::methods::http::leave_at;
use crate::domains::subscriptions::ops::{
    BeginMethod, EndByOrder, OfOrder, begin_method, end_by_order, of_order_s_link,
};
use crate::limits::Rate;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, PathParts, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::id::{OrderId, SubscriptionId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Methods that are left for one order's subscriptions: ten at once, then one every six minutes.
const SETUPS: Rate = Rate {
    burst: 10,
    refill_ms: 360_000,
};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_of_order))
        .routes(routes!(post_end))
        .routes(routes!(post_method))
}

/// What opens the order.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
struct OrderToken {
    /// What the checkout answered to a guest.
    token: Option<String>,
}

async fn listed(
    app: &App,
    visitor: &Visitor,
    query: OfOrder,
) -> Result<Json<SubscriptionsOut>, Problem> {
    let found = app.read(&visitor.caller, query, of_order_s_link).await?;
    let subscriptions = found.iter().map(SubscriptionOut::from).collect();
    Ok(Json(SubscriptionsOut { subscriptions }))
}

/// The subscriptions that an order began, for who may see the order.
#[utoipa::path(get, path = "/v1/orders/{order_id}/subscriptions", tag = "subscriptions",
    params(("order_id" = String, Path), OrderToken),
    responses((status = 200, body = SubscriptionsOut), (status = 404)))]
async fn list_of_order(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(OrderToken { token }): Query<OrderToken>,
) -> Result<Json<SubscriptionsOut>, Problem> {
    listed(&app, &visitor, OfOrder { order, token }).await
}

/// Whether it ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndIn {
    /// `true` ends it with its period, `false` takes that back.
    ends: bool,
}

/// The order and its subscription of an address.
fn named((order, subscription): &(String, String)) -> Result<(OrderId, SubscriptionId), Problem> {
    let missing = |_| Problem::not_found("There is no such subscription.");
    let order = OrderId::parse(order).map_err(missing)?;
    Ok((order, SubscriptionId::parse(subscription).map_err(missing)?))
}

/// End what an order began with its period, or take that back: for who has the order's token, whoever
/// has the license by now. Answers what the order began.
#[utoipa::path(post, path = "/v1/orders/{order_id}/subscriptions/{subscription_id}/end",
    tag = "subscriptions", params(("order_id" = String, Path), ("subscription_id" = String, Path),
    OrderToken), request_body = EndIn,
    responses((status = 200, body = SubscriptionsOut), (status = 404), (status = 409)))]
async fn post_end(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts(ids): PathParts<(String, String)>,
    Query(OrderToken { token }): Query<OrderToken>,
    body: JsonBody<EndIn>,
) -> Result<Json<SubscriptionsOut>, Problem> {
    let (order, subscription) = named(&ids)?;
    let command = EndByOrder {
        order,
        token: token.clone(),
        subscription,
        ends: body.value.ends,
    };
    app.transact(&visitor.caller, command, end_by_order).await?;
    listed(&app, &visitor, OfOrder { order, token }).await
}

/// Where a method is left for a subscription.
#[derive(Serialize, ToSchema)]
pub struct GuestSetupOut {
    /// The provider's page.
    setup_url: String,
}

/// Begin to leave another payment method for a subscription that is in nobody's account: answers the
/// provider's page. What is past due is tried with it at once, and it is charged for nothing else.
#[utoipa::path(post, path = "/v1/orders/{order_id}/subscriptions/{subscription_id}/method-setups",
    tag = "subscriptions", params(("order_id" = String, Path), ("subscription_id" = String, Path),
    OrderToken),
    responses((status = 201, body = GuestSetupOut), (status = 404), (status = 409),
        (status = 502)))]
async fn post_method(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParts(ids): PathParts<(String, String)>,
    Query(OrderToken { token }): Query<OrderToken>,
) -> Result<(StatusCode, Json<GuestSetupOut>), Problem> {
    let (order, subscription) = named(&ids)?;
    let command = BeginMethod {
        order,
        token,
        subscription,
    };
    let setup_url = leave_method(&app, &visitor.caller, command).await?;
    Ok((StatusCode::CREATED, Json(GuestSetupOut { setup_url })))
}

/// Opens the provider's page, which leads back to the order's.
pub async fn leave_method(
    app: &App,
    caller: &Caller,
    command: BeginMethod,
) -> Result<String, Problem> {
    let order = command.order;
    let token = command.token.as_ref();
    let back = token.map_or(String::new(), |token| format!("?t={token}"));
    // Only who may see the order counts against its limit, and what is over it writes nothing.
    let seen = OfOrder {
        order,
        token: command.token.clone(),
    };
    app.read(caller, seen, of_order_s_link).await?;
    let whom = order.to_string();
    let taken = app
        .limits
        .take("subscriptions.setup", &whom, SETUPS, app.now());
    taken.map_err(|seconds| MethodError::TooOften { seconds })?;
    let setup = app.transact(caller, command, begin_method).await?;
    Ok(leave_at(app, caller.tenant, setup, &format!("/orders/{order}{back}")).await?)
}
