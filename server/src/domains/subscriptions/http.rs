//! Routes of subscriptions: for who pays, and for who sells.

pub mod by_order;
pub mod discontinue;
pub mod upgrades;

use super::model::{Bill, ChangeQuote, Subscription, SubscriptionError};
use super::ops::{
    Act, Action, AskChange, ChangeMethod, ChangePlan, KeepPrice, Mine, MySubscription, OfProduct,
    Reprice, SetTrial, StartTrial, SubscriptionPage, act, change_method, change_plan, keep_price,
    mine, my_subscription, of_product, quote_change, reprice, set_trial, start_trial,
};
use crate::app::App;
use crate::domains::catalog::Standing;
use crate::domains::fees::http as fees;
use crate::domains::ledger::Traffic;
use crate::domains::methods::http as methods;
use crate::domains::orders::http::ConsentOut;
use crate::problem::Problem;
use crate::text::Locale;
use crate::wire::{JsonBody, PathParam, Query, Visitor, languages};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use mintreu::id::{PriceId, ProductId, SubscriptionId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(post_action))
        .routes(routes!(get_quote))
        .routes(routes!(post_change))
        .routes(routes!(put_method))
        .routes(routes!(post_trial))
        .routes(routes!(put_trial))
        .routes(routes!(list_subscribers))
        .routes(routes!(post_price))
        .routes(routes!(delete_price_move))
        .merge(by_order::routes())
        .merge(discontinue::routes())
        .merge(upgrades::routes())
}

impl From<SubscriptionError> for Problem {
    fn from(error: SubscriptionError) -> Self {
        use SubscriptionError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found(detail),
            E::WrongStatus(_) => Self::new(409, "subscription_status", detail),
            E::AmountChanged(_) => Self::new(409, "amount_changed", detail),
            E::SellerStopped(Standing::Closed) => Self::new(409, "seller_closed", detail),
            E::SellerStopped(_) => Self::new(409, "seller_suspended", detail),
            E::MethodMissing => Self::new(409, "method_missing", detail),
            E::Disputed => Self::new(409, "subscription_disputed", detail),
            E::OfAccount => Self::new(409, "subscription_of_account", detail),
            E::Discontinued => Self::new(409, "product_discontinued", detail),
            E::BillOpen => Self::new(409, "bill_open", detail),
            E::FixedLength => Self::new(409, "subscription_fixed_length", detail),
            E::Completed => Self::new(409, "subscription_completed", detail),
            E::TrialUsed => Self::new(409, "trial_used", detail),
            E::TrialChanged => Self::new(409, "trial_changed", detail),
            E::TrialMethod => Self::new(409, "method_missing", detail).at("method"),
            E::TrialMissing => Self::new(422, "trial_missing", detail),
            E::Invalid { field, .. } => Self::new(422, "subscription_invalid", detail).at(field),
            E::Catalog(error) => error.into(),
            E::Amount(error) => error.into(),
            E::Order(error) => error.into(),
            E::Affiliate(error) => error.into(),
            E::Payment(error) => error.into(),
            E::Licensing(error) => error.into(),
            E::Billing(error) => error.into(),
            E::Refund(error) => error.into(),
            E::Invoice(error) => error.into(),
            E::Payload(_) => {
                tracing::error!(%detail, "subscriptions");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// A subscription.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionOut {
    subscription_id: String,
    /// `incomplete`, `trialing`, `active`, `past_due`, `paused` or `canceled`.
    status: &'static str,
    product_id: String,
    price_id: String,
    license_id: String,
    /// For one seat; what it was agreed to be, whatever new buyers pay.
    unit_minor: i64,
    seats: i64,
    currency: String,
    /// `day`, `week`, `month` or `year`.
    cycle_unit: &'static str,
    cycle_count: i64,
    period_start: i64,
    period_end: i64,
    cancel_at_period_end: bool,
    /// Why it ends then, where that isn't its buyer's own wish: `discontinued`.
    cancel_reason: Option<String>,
    pause_at_period_end: bool,
    /// What holds from the next period on.
    pending: Option<PendingOut>,
    /// A price for one seat that was announced, and from when on it holds.
    announced_minor: Option<i64>,
    announced_from: Option<i64>,
    /// Which price that is.
    announced_price_id: Option<String>,
    /// Whether a method is saved that can be charged.
    has_method: bool,
    next_attempt_at: Option<i64>,
    past_due_at: Option<i64>,
    /// For how many days the license works after a renewal was declined.
    grace_days: i64,
    /// How many payments are still to come; null where it goes on until somebody ends it.
    payments_left: Option<i64>,
    /// Whether the license is its buyer's for good when all of them are made.
    keeps_license: bool,
    ended_at: Option<i64>,
    end_reason: Option<String>,
}

/// A change that waits.
#[derive(Serialize, ToSchema)]
pub struct PendingOut {
    price_id: String,
    unit_minor: i64,
    seats: i64,
}

impl From<&Subscription> for SubscriptionOut {
    fn from(of: &Subscription) -> Self {
        Self {
            subscription_id: of.id.to_string(),
            status: of.status.code(),
            product_id: of.product.to_string(),
            price_id: of.price.to_string(),
            license_id: of.license.to_string(),
            unit_minor: of.unit.minor(),
            seats: of.seats,
            currency: of.currency().code().to_owned(),
            cycle_unit: of.cycle.unit().code(),
            cycle_count: of.cycle.count(),
            period_start: of.from.ms(),
            period_end: of.until.ms(),
            cancel_at_period_end: of.cancel_wished_at.is_some(),
            cancel_reason: of.cancel_reason.clone(),
            pause_at_period_end: of.pause_wished_at.is_some(),
            pending: of.pending.as_ref().map(|change| PendingOut {
                price_id: change.price.clone(),
                unit_minor: change.unit_minor,
                seats: change.seats,
            }),
            announced_minor: of.notice.map(|notice| notice.0),
            announced_from: of.notice.map(|notice| notice.1.ms()),
            announced_price_id: of.notice_price.map(|price| price.to_string()),
            has_method: of.method.is_some(),
            next_attempt_at: of.next_attempt_at.map(Timestamp::ms),
            past_due_at: of.past_due_at.map(Timestamp::ms),
            grace_days: of.grace_days,
            payments_left: of.payments_left,
            keeps_license: of.keeps_license,
            ended_at: of.ended_at.map(Timestamp::ms),
            end_reason: of.end_reason.clone(),
        }
    }
}

/// A bill: an order that the subscription made.
#[derive(Serialize, ToSchema)]
#[schema(as = SubscriptionBillOut)]
pub struct BillOut {
    order_id: String,
    /// `renewal`, `change` or `return`.
    kind: &'static str,
    period_start: i64,
    period_end: i64,
    /// Whether it was paid or given up.
    settled: bool,
}

impl From<&Bill> for BillOut {
    fn from(bill: &Bill) -> Self {
        Self {
            order_id: bill.order.to_string(),
            kind: bill.kind.code(),
            period_start: bill.period.0.ms(),
            period_end: bill.period.1.ms(),
            settled: bill.settled,
        }
    }
}

/// A subscription with its bills.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionPageOut {
    #[serde(flatten)]
    subscription: SubscriptionOut,
    /// Newest first, at most a hundred.
    bills: Vec<BillOut>,
    /// What was agreed to when a trial began; what was bought has it with its order.
    consents: Vec<ConsentOut>,
}

impl From<SubscriptionPage> for SubscriptionPageOut {
    fn from(page: SubscriptionPage) -> Self {
        Self {
            subscription: (&page.subscription).into(),
            bills: page.bills.iter().map(BillOut::from).collect(),
            consents: page.consents.iter().map(ConsentOut::from).collect(),
        }
    }
}

/// Some subscriptions.
#[derive(Serialize, ToSchema)]
pub struct SubscriptionsOut {
    subscriptions: Vec<SubscriptionOut>,
}

/// Which page.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ListQuery {
    /// The last subscription of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
}

/// One's own subscriptions, newest first.
#[utoipa::path(get, path = "/v1/subscriptions", tag = "subscriptions", params(ListQuery),
    responses((status = 200, body = SubscriptionsOut)))]
async fn list(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<ListQuery>,
) -> Result<Json<SubscriptionsOut>, Problem> {
    let before = query.before.as_deref().map(SubscriptionId::parse);
    let query = Mine {
        before: before.transpose()?,
        limit: query.limit,
    };
    let found = app.read(&visitor.caller, query, mine).await?;
    let subscriptions = found.iter().map(SubscriptionOut::from).collect();
    Ok(Json(SubscriptionsOut { subscriptions }))
}

async fn page(
    app: &App,
    visitor: &Visitor,
    subscription: SubscriptionId,
) -> Result<Json<SubscriptionPageOut>, Problem> {
    let query = MySubscription { subscription };
    let page = app.read(&visitor.caller, query, my_subscription).await?;
    Ok(Json(page.into()))
}

/// One's own subscription with its bills.
#[utoipa::path(get, path = "/v1/subscriptions/{subscription_id}", tag = "subscriptions",
    params(("subscription_id" = String, Path)),
    responses((status = 200, body = SubscriptionPageOut), (status = 404)))]
async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<SubscriptionId>,
) -> Result<Json<SubscriptionPageOut>, Problem> {
    page(&app, &visitor, id).await
}

/// What is done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionIn {
    /// `cancel`, `cancel_now`, `uncancel`, `pause`, `unpause`, `resume` or `resubscribe`.
    action: String,
    /// The amount seen, for `resume` and `resubscribe`, which are paid at once.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// Its currency.
    #[serde(default)]
    currency: Option<String>,
}

/// Cancel, pause, go on.
#[utoipa::path(post, path = "/v1/subscriptions/{subscription_id}/actions", tag = "subscriptions",
    params(("subscription_id" = String, Path)), request_body = ActionIn,
    responses((status = 200, body = SubscriptionPageOut), (status = 404), (status = 409),
        (status = 422)))]
async fn post_action(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(subscription): PathParam<SubscriptionId>,
    body: JsonBody<ActionIn>,
) -> Result<Json<SubscriptionPageOut>, Problem> {
    let given = body.value;
    let action = Action::parse(&given.action).ok_or_else(|| SubscriptionError::Invalid {
        field: "action",
        detail: "no such action".to_owned(),
    })?;
    let currency = given.currency.as_deref().map(Currency::parse).transpose()?;
    let seen = given.amount_minor.zip(currency);
    let command = Act {
        subscription,
        action,
        seen: seen.map(|(minor, currency)| Money::new(minor, currency)),
    };
    app.transact(&visitor.caller, command, act).await?;
    page(&app, &visitor, subscription).await
}

/// What is wished.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct QuoteQuery {
    /// Another price of the same product.
    price_id: Option<String>,
    /// Another number of seats.
    seats: Option<i64>,
}

/// What a change costs, and when it holds.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangeQuoteOut)]
pub struct QuoteOut {
    /// Whether it holds as soon as it is paid; otherwise from the next period on.
    now: bool,
    from: i64,
    /// What is left of what was paid.
    credit_minor: i64,
    charge_minor: i64,
    /// What is paid now: `charge_minor − credit_minor`.
    due_minor: i64,
    /// Tax that is charged on top of it; zero where prices contain theirs.
    tax_on_top_minor: i64,
    /// What a period costs from then on, without a code and without tax on top.
    amount_minor: i64,
    /// What the next period charges, all in all: less what a code that still lasts takes off.
    next_charge_minor: i64,
    currency: String,
    /// When the next period begins.
    next_period: i64,
}

fn on_top(quoted: &ChangeQuote) -> i64 {
    let due = quoted.quote.due;
    let taxed = quoted.tax.on(due);
    taxed.map_or(0, |taxed| taxed.charged.minor() - due.minor())
}

impl From<ChangeQuote> for QuoteOut {
    fn from(quoted: ChangeQuote) -> Self {
        Self {
            now: quoted.now,
            from: quoted.from.ms(),
            credit_minor: quoted.quote.credit.minor(),
            charge_minor: quoted.quote.charge.minor(),
            due_minor: quoted.quote.due.minor(),
            tax_on_top_minor: on_top(&quoted),
            amount_minor: quoted.amount.minor(),
            next_charge_minor: quoted.next_charge.minor(),
            currency: quoted.amount.currency().code().to_owned(),
            next_period: quoted.next.ms(),
        }
    }
}

fn asked(
    subscription: SubscriptionId,
    price: Option<&str>,
    seats: Option<i64>,
) -> Result<AskChange, Problem> {
    Ok(AskChange {
        subscription,
        price: price.map(PriceId::parse).transpose()?,
        seats,
    })
}

/// What another plan or number of seats would cost; it holds until the buyer's midnight.
#[utoipa::path(get, path = "/v1/subscriptions/{subscription_id}/quote", tag = "subscriptions",
    params(("subscription_id" = String, Path), QuoteQuery),
    responses((status = 200, body = QuoteOut), (status = 404), (status = 409), (status = 422)))]
async fn get_quote(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<SubscriptionId>,
    Query(query): Query<QuoteQuery>,
) -> Result<Json<QuoteOut>, Problem> {
    let ask = asked(id, query.price_id.as_deref(), query.seats)?;
    let quoted = app.read(&visitor.caller, ask, quote_change).await?;
    Ok(Json(quoted.into()))
}

/// A change as it was quoted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeIn {
    #[serde(default)]
    price_id: Option<String>,
    #[serde(default)]
    seats: Option<i64>,
    /// What the quote says is due now.
    due_minor: i64,
    currency: String,
}

/// Change seats, plan or both. What is due is charged first; unless it is paid nothing changes.
#[utoipa::path(post, path = "/v1/subscriptions/{subscription_id}/changes", tag = "subscriptions",
    params(("subscription_id" = String, Path)), request_body = ChangeIn,
    responses((status = 202, body = QuoteOut), (status = 404), (status = 409), (status = 422)))]
async fn post_change(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<SubscriptionId>,
    body: JsonBody<ChangeIn>,
) -> Result<(StatusCode, Json<QuoteOut>), Problem> {
    let given = body.value;
    let command = ChangePlan {
        ask: asked(id, given.price_id.as_deref(), given.seats)?,
        seen: Money::new(given.due_minor, Currency::parse(&given.currency)?),
    };
    let quoted = app.transact(&visitor.caller, command, change_plan).await?;
    Ok((StatusCode::ACCEPTED, Json(quoted.into())))
}

/// Another payment method.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodIn {
    /// `pmt_…`, one of your payment methods.
    method: String,
}

/// Change the method that is charged; what is past due is tried with it at once.
#[utoipa::path(put, path = "/v1/subscriptions/{subscription_id}/method", tag = "subscriptions",
    params(("subscription_id" = String, Path)), request_body = MethodIn,
    responses((status = 200, body = SubscriptionPageOut), (status = 404), (status = 422)))]
async fn put_method(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(subscription): PathParam<SubscriptionId>,
    body: JsonBody<MethodIn>,
) -> Result<Json<SubscriptionPageOut>, Problem> {
    let chosen = methods::chosen(&app, &visitor.caller, &body.value.method).await?;
    let command = ChangeMethod {
        subscription,
        provider: chosen.provider,
        method: chosen.name,
    };
    app.transact(&visitor.caller, command, change_method)
        .await?;
    page(&app, &visitor, subscription).await
}

/// A trial.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialIn {
    price_id: String,
    /// Where the buyer's days begin, `Europe/Berlin`; UTC when absent.
    #[serde(default)]
    zone: String,
    /// A saved method to charge when the trial ends.
    #[serde(default)]
    method: Option<String>,
    /// For how many days it was shown to be free; refused when that has changed.
    #[serde(default)]
    days: Option<i64>,
    /// What it was shown to cost then, in minor units.
    #[serde(default)]
    amount_minor: Option<i64>,
    /// Where the buyer is (ISO 3166-1, two letters), for prices of some countries.
    #[serde(default)]
    country: Option<String>,
    /// Who found the buyer: `seller`, `marketplace`, or nothing.
    #[serde(default)]
    source: Option<String>,
}

/// Try a price that has a trial, once for each person and product. What is agreed to is kept in the
/// language that `Accept-Language` asks for.
#[utoipa::path(post, path = "/v1/trials", tag = "subscriptions", request_body = TrialIn,
    responses((status = 201, body = SubscriptionPageOut), (status = 409), (status = 410),
        (status = 422)))]
async fn post_trial(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    body: JsonBody<TrialIn>,
) -> Result<(StatusCode, Json<SubscriptionPageOut>), Problem> {
    let given = body.value;
    let chosen = match given.method.as_deref() {
        Some(method) => Some(methods::chosen(&app, &visitor.caller, method).await?),
        None => None,
    };
    let (provider, method) = chosen.map(|one| (one.provider, one.name)).unzip();
    let price = PriceId::parse(&given.price_id)?;
    let command = StartTrial {
        price,
        seen: given.days.zip(given.amount_minor),
        country: given.country,
        locale: Locale::negotiate(languages(&headers)),
        zone: given.zone,
        provider: provider.unwrap_or_default(),
        method,
        traffic: Traffic::parse(given.source.as_deref().unwrap_or_default()),
        fees: fees::settings(&app),
        tariff: fees::tariff(&app),
    };
    let id = app.transact(&visitor.caller, command, start_trial).await?;
    Ok((StatusCode::CREATED, page(&app, &visitor, id).await?))
}

/// How long a price can be tried.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialDaysIn {
    /// 0 to 90; 0 for no trial.
    days: i64,
    /// Whether it begins without a payment method.
    #[serde(default)]
    without_method: bool,
}

/// Set how many days a price of one's own can be tried.
#[utoipa::path(put, path = "/v1/prices/{price_id}/trial", tag = "subscriptions",
    params(("price_id" = String, Path)), request_body = TrialDaysIn,
    responses((status = 204), (status = 404), (status = 422)))]
async fn put_trial(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(price): PathParam<PriceId>,
    body: JsonBody<TrialDaysIn>,
) -> Result<StatusCode, Problem> {
    let command = SetTrial {
        price,
        days: body.value.days,
        without_method: body.value.without_method,
    };
    app.transact(&visitor.caller, command, set_trial).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose subscribers, and which page of them.
#[derive(Deserialize, IntoParams)]
pub struct SubscribersQuery {
    /// One's own product.
    product: String,
    /// The last subscription of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    #[serde(default)]
    limit: i64,
}

/// Who subscribed to a product of one's own; nothing tells who they are.
#[utoipa::path(get, path = "/v1/subscribers", tag = "subscriptions", params(SubscribersQuery),
    responses((status = 200, body = SubscriptionsOut), (status = 404)))]
async fn list_subscribers(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<SubscribersQuery>,
) -> Result<Json<SubscriptionsOut>, Problem> {
    let before = query.before.as_deref().map(SubscriptionId::parse);
    let query = OfProduct {
        product: ProductId::parse(&query.product)?,
        before: before.transpose()?,
        limit: query.limit,
    };
    let found = app.read(&visitor.caller, query, of_product).await?;
    let subscriptions = found.iter().map(SubscriptionOut::from).collect();
    Ok(Json(SubscriptionsOut { subscriptions }))
}

/// A new price for those who subscribed already.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepriceIn {
    product_id: String,
    /// The price they subscribed to, for sale or not.
    price_id: String,
    /// What they are moved to: for sale, recurring, of the same period and currency.
    to_price_id: String,
    /// Periods that begin then or later cost so much; 30 days from now at the earliest.
    from: i64,
}

/// How many were told.
#[derive(Serialize, ToSchema)]
pub struct RepriceOut {
    told: i64,
}

/// Move existing subscribers to another price, with 30 days' notice. Without this they keep theirs.
#[utoipa::path(post, path = "/v1/subscribers/price", tag = "subscriptions",
    request_body = RepriceIn,
    responses((status = 200, body = RepriceOut), (status = 404), (status = 422)))]
async fn post_price(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<RepriceIn>,
) -> Result<Json<RepriceOut>, Problem> {
    let given = body.value;
    let command = Reprice {
        product: ProductId::parse(&given.product_id)?,
        price: PriceId::parse(&given.price_id)?,
        to: PriceId::parse(&given.to_price_id)?,
        from: Timestamp::from_ms(given.from),
    };
    let told = app.transact(&visitor.caller, command, reprice).await?;
    Ok(Json(RepriceOut { told }))
}

/// Refuse the price that was announced, before it holds: one's own stays.
#[utoipa::path(delete, path = "/v1/subscriptions/{subscription_id}/price-move",
    tag = "subscriptions", params(("subscription_id" = String, Path)),
    responses((status = 200, body = SubscriptionPageOut), (status = 404), (status = 409)))]
async fn delete_price_move(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(subscription): PathParam<SubscriptionId>,
) -> Result<Json<SubscriptionPageOut>, Problem> {
    let command = KeepPrice { subscription };
    app.transact(&visitor.caller, command, keep_price).await?;
    page(&app, &visitor, subscription).await
}
