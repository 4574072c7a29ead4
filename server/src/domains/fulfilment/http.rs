//! Routes of checkouts and orders, as their buyer sees them.

mod gifts;
mod papers;
mod quotes;
mod automatic;
mod methods;
mod reviews;

use self::gifts::{GiftIn, GiftOut, gift_out};
use super::{
    ClaimOrder, FulfilmentError, Item, Network, OrderPage, PayUsage, Purchase, Started, ViewOrder,
    Wanted, claim, limit_confirms, order_page, pay_again, pay_usage, start, whereabouts,
};
use crate::app::App;
use crate::domains::ledger::Traffic;
use crate::domains::licensing::http::{LicenseOut, license_out};
use crate::domains::orders::http::{ConsentOut, OrderOut, QuoteOut, state_of};
use crate::domains::orders::{self, History, OrderError, OrderState};
use crate::domains::refunds::http::{RefundOut, refund_out};
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, PathParam, Query, Visitor, languages};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use mintreu::id::{InvoiceId, OrderId, PriceId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(post_checkout))
        .merge(gifts::routes())
        .merge(papers::routes())
        .merge(quotes::routes())
        .merge(automatic::routes())
        .merge(methods::routes())
        .merge(reviews::routes())
        .routes(routes!(list_orders))
        .routes(routes!(show_order))
        .routes(routes!(pay_order))
        .routes(routes!(claim_order))
        .routes(routes!(post_invoice_payment))
}

impl From<FulfilmentError> for Problem {
    fn from(error: FulfilmentError) -> Self {
        use FulfilmentError as E;
        let detail = error.to_string();
        match error {
            E::Order(error) => error.into(),
            E::Payment(error) => error.into(),
            E::Licensing(error) => error.into(),
            E::Refund(error) => error.into(),
            E::Billing(error) => error.into(),
            E::Invoice(error) => error.into(),
            E::Cart(error) => error.into(),
            E::Bundle(error) => error.into(),
            E::Gift(error) => error.into(),
            E::Promotion(error) => error.into(),
            E::Method(error) => error.into(),
            E::Subscription(error) => error.into(),
            E::Tax(error) => error.into(),
            E::Risk(error) => error.into(),
            E::NothingPaidWith => Self::new(409, "invoice_never_paid", detail).at("invoice_id"),
            E::NotKept => Self::new(409, "method_not_kept", detail).at("invoice_id"),
            E::SellerStopped(_) => Self::new(409, "seller_not_selling", detail),
            E::LaterNotYours => Self::new(403, "later_not_yours", detail).at("later"),
            E::BeingCharged => Self::new(409, "being_charged", detail).after(60),
            E::ProviderUnknown(_) => Self::new(422, "provider_unknown", detail).at("provider"),
            E::ProviderUnavailable { .. } => {
                Self::new(502, "provider_unavailable", detail).after(10)
            }
            E::QuoteMalformed => Self::new(422, "quote_malformed", detail).at("quote"),
            E::QuoteChanged(_) => Self::new(409, "quote_changed", detail).at("quote"),
            E::ConsentMissing => Self::new(422, "consent_missing", detail).at("accepted"),
            E::OrderOwned => Self::new(409, "order_owned", detail),
            E::AddressDiffers => Self::new(403, "address_differs", detail),
            E::QuoteUsed => Self::new(409, "quote_used", detail).at("quote"),
            E::TooMany { seconds } => Self::new(429, "too_many_requests", detail).after(seconds),
            E::Affiliate(error) => error.into(),
            E::Ledger(_) | E::Payload(_) => {
                tracing::error!(error = detail, "an order can't be fulfilled");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

impl From<&Visitor> for Network {
    fn from(visitor: &Visitor) -> Self {
        Self {
            country: visitor.country.clone(),
            address: Some(visitor.client_key()),
        }
    }
}

fn one() -> i64 {
    1
}

/// What to buy, at the price that was seen.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutIn {
    price_id: String,
    /// 1 to 100; 1 when absent.
    #[serde(default = "one")]
    quantity: i64,
    /// For one, when the buyer names the price; what is suggested when absent.
    #[serde(default)]
    unit_minor: Option<i64>,
    /// Where the buyer is (two capitals): for tax, and for prices that are for some countries.
    /// While tax is collected and this is absent, where the account is, or what `Accept-Language`
    /// says.
    #[serde(default)]
    country: Option<String>,
    /// A region of it (ISO 3166-2, without the country), where tax differs: `20` for the Azores.
    #[serde(default)]
    region: Option<String>,
    /// A business's VAT id, of the same country.
    #[serde(default)]
    vat_id: Option<String>,
    /// Codes that make it cheaper, at most 10; one that does nothing is refused.
    #[serde(default)]
    codes: Vec<String>,
    /// The total that the buyer saw, in minor units, with what the codes take off.
    amount_minor: i64,
    currency: String,
    /// Where the receipt goes; needed unless somebody is signed in.
    #[serde(default)]
    email: Option<String>,
    /// Who found the buyer: `seller`, `marketplace`, or nothing.
    #[serde(default)]
    source: Option<String>,
    /// The payment provider; the shop's usual one when absent.
    #[serde(default)]
    provider: Option<String>,
    /// Whom it is for, if not for the buyer.
    #[serde(default)]
    gift: Option<GiftIn>,
    /// The code of the affiliate who brought the buyer, where no cookie could tell.
    #[serde(default)]
    via: Option<String>,
}

/// An order on its way.
#[derive(Serialize, ToSchema)]
pub struct CheckoutOut {
    order_id: String,
    /// Opens the order for a guest: `GET /v1/orders/{order_id}?token=…`. Keep it secret.
    token: Option<String>,
    /// The order's page.
    order_path: String,
    /// Where to pay; none when nothing is to be paid.
    pay_url: Option<String>,
}

impl From<Started> for CheckoutOut {
    fn from(started: Started) -> Self {
        Self {
            order_path: started.order_path(),
            order_id: started.order.to_string(),
            token: started.token.map(|token| token.reveal().to_owned()),
            pay_url: started.pay_url,
        }
    }
}

/// Buy one price.
///
/// Send an `Idempotency-Key`: asking again with it answers the same order and page. When the price
/// is no longer the one seen, 409 `price_changed` carries the new `quote` and nothing is placed.
#[utoipa::path(post, path = "/v1/checkouts", tag = "orders", request_body = CheckoutIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = CheckoutOut), (status = 401), (status = 403), (status = 409),
        (status = 410), (status = 422)))]
async fn post_checkout(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    headers: HeaderMap,
    key: IdempotencyKey,
    body: JsonBody<CheckoutIn>,
) -> Result<Response, Problem> {
    let given = body.value;
    let wanted = Wanted {
        items: vec![Item {
            price: PriceId::parse(&given.price_id)?,
            quantity: given.quantity,
            named: given.unit_minor,
        }],
        codes: given.codes,
        country: given.country,
        region: given.region,
        vat_id: given.vat_id,
        gift: given.gift.map(GiftIn::into),
        referred: quotes::referred(&app, &visitor, &headers, given.via),
    };
    let languages = languages(&headers);
    let wanted = whereabouts(&app, &visitor.caller, languages, wanted).await?;
    let currency = Currency::parse(&given.currency)?;
    let purchase = Purchase {
        wanted,
        network: Some((&visitor).into()),
        seen: Money::new(given.amount_minor, currency),
        email: given.email,
        traffic: Traffic::parse(given.source.as_deref().unwrap_or_default()),
        provider: given.provider,
    };
    let promise = key.over(&body.bytes);
    limit_confirms(&app, &quotes::identity(&visitor))?;
    match start(&app, &visitor.caller, promise, purchase).await {
        Ok(started) => Ok((StatusCode::CREATED, Json(CheckoutOut::from(started))).into_response()),
        Err(FulfilmentError::Order(OrderError::PriceChanged(quote))) => Ok(price_changed(
            OrderError::PriceChanged(quote.clone()).into(),
            &(&*quote).into(),
        )),
        Err(error) => Err(error.into()),
    }
}

/// The problem, with the quote that holds now.
fn price_changed(problem: Problem, quote: &QuoteOut) -> Response {
    let mut json = problem.to_json();
    json["quote"] = serde_json::json!(quote);
    let kind = [("content-type", "application/problem+json")];
    (problem.status_code(), kind, json.to_string()).into_response()
}

/// A guest's token.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct TokenQuery {
    /// What the checkout answered.
    pub token: Option<String>,
}

/// An order with its payment and licenses.
#[derive(Serialize, ToSchema)]
pub struct OrderPageOut {
    #[serde(flatten)]
    order: OrderOut,
    /// Where the newest attempt to pay stands: `expected`, `action_required`, `succeeded`,
    /// `failed`; none when nothing was to be paid.
    payment_state: Option<&'static str>,
    failure_code: Option<String>,
    /// Where to pay, while the order waits for it.
    pay_url: Option<String>,
    /// What came of it once it is paid.
    licenses: Vec<LicenseOut>,
    /// What its buyer agreed to.
    consents: Vec<ConsentOut>,
    /// What went back to the buyer, or is about to.
    refunds: Vec<RefundOut>,
    /// Whom it was given to, if it was; its licenses are the recipient's to see.
    gift: Option<GiftOut>,
}

fn page_out(page: &OrderPage, now: Timestamp) -> OrderPageOut {
    let waiting = page.order.state == OrderState::AwaitingPayment;
    let payment = page.payment.as_ref();
    OrderPageOut {
        order: OrderOut::from(&page.order),
        payment_state: payment.map(|payment| payment.state.code()),
        failure_code: payment.and_then(|payment| payment.failure_code.clone()),
        pay_url: payment
            .and_then(|payment| payment.page_url.clone())
            .filter(|_| waiting),
        licenses: page
            .licenses
            .iter()
            .map(|one| license_out(one, now))
            .collect(),
        consents: page.consents.iter().map(ConsentOut::from).collect(),
        gift: page.gift.as_ref().map(gift_out),
        refunds: page
            .back
            .refunds
            .iter()
            .map(|one| refund_out(one, one.amount))
            .collect(),
    }
}

/// An order, for its buyer.
#[utoipa::path(get, path = "/v1/orders/{order_id}", tag = "orders",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 200, body = OrderPageOut), (status = 404)))]
async fn show_order(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<Json<OrderPageOut>, Problem> {
    let query = ViewOrder {
        order,
        token: query.token,
    };
    let page = app.read(&visitor.caller, query, order_page).await?;
    Ok(Json(page_out(&page, app.now())))
}

/// Open the payment page of an order that waits, or try again after a failure.
#[utoipa::path(post, path = "/v1/orders/{order_id}/payments", tag = "orders",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 201, body = CheckoutOut), (status = 401), (status = 403), (status = 404),
        (status = 409)))]
async fn pay_order(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<(StatusCode, Json<CheckoutOut>), Problem> {
    let started = pay_again(
        &app,
        &visitor.caller,
        (order, query.token),
        Some((&visitor).into()),
    )
    .await?;
    Ok((StatusCode::CREATED, Json(started.into())))
}

/// Put a guest's order into one's account: with its token, by who has the address it was placed
/// with.
#[utoipa::path(post, path = "/v1/orders/{order_id}/claim", tag = "orders",
    params(("order_id" = String, Path), TokenQuery),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409)))]
async fn claim_order(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(order): PathParam<OrderId>,
    Query(query): Query<TokenQuery>,
) -> Result<StatusCode, Problem> {
    let command = ClaimOrder {
        order,
        token: query.token,
    };
    app.transact(&visitor.caller, command, claim).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which page of orders.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct OrdersQuery {
    /// The last order of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
    /// Orders in this state; all when absent.
    state: Option<String>,
    /// `true` for orders that a bank asks about and hasn't decided.
    disputed: bool,
}

/// A page of orders.
#[derive(Serialize, ToSchema)]
pub struct OrdersOut {
    orders: Vec<OrderOut>,
}

/// One's own orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "orders", params(OrdersQuery),
    responses((status = 200, body = OrdersOut)))]
async fn list_orders(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(query): Query<OrdersQuery>,
) -> Result<Json<OrdersOut>, Problem> {
    let before = query.before.as_deref().map(OrderId::parse).transpose()?;
    let query = History {
        before,
        limit: query.limit,
        state: state_of(query.state.as_deref())?,
        disputed: query.disputed,
    };
    let found = app.read(&visitor.caller, query, orders::history).await?;
    let orders = found.iter().map(OrderOut::from).collect();
    Ok(Json(OrdersOut { orders }))
}

/// Who pays an invoice.
#[derive(Deserialize, IntoParams)]
struct PayParams {
    /// What opens a guest's order.
    token: Option<String>,
    /// Whether later invoices of the license shall be charged to what pays this one: its page says
    /// that it is kept. For the account that owes them.
    #[serde(default)]
    later: bool,
}

/// Where an invoice is paid.
#[derive(Serialize, ToSchema)]
pub struct PayOut {
    /// The provider's page.
    pay_url: String,
}

/// Pay an open invoice of usage: answers the provider's page, the same one while an attempt is on its
/// way, a new one after a failure, or when another page was opened by somebody else or without `later`.
#[utoipa::path(post, path = "/v1/invoices/{id}/payments", tag = "invoices",
    params(("id" = String, Path, description = "inv_…"), PayParams),
    responses((status = 200, body = PayOut), (status = 403), (status = 404), (status = 409),
        (status = 502)))]
async fn post_invoice_payment(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    Query(asked): Query<PayParams>,
) -> Result<Json<PayOut>, Problem> {
    let wish = PayUsage {
        invoice,
        token: asked.token,
        later: asked.later,
    };
    let pay_url = pay_usage(&app, &visitor.caller, wish).await?;
    Ok(Json(PayOut { pay_url }))
}
