//! What orders and sales look like as JSON. The routes to an order are in `fulfilment`, which
//! knows its payment and licenses; the seller's own are here.

use super::consent::Consent;
use super::{
    Line, Order, OrderError, OrderState, Quote, Sale, SalesQuery, model::SplitAmounts, sales,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::Timestamp;
use mintreu::id::OrderLineId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_sales))
}

impl From<OrderError> for Problem {
    fn from(error: OrderError) -> Self {
        use OrderError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found("There is no such order."),
            E::OfferGone => Self::new(410, "offer_gone", detail).at("price_id"),
            E::PriceChanged(_) => Self::new(409, "price_changed", detail).at("amount_minor"),
            E::EmailMissing => Self::new(422, "email_missing", detail).at("email"),
            E::EmailMalformed => Self::new(422, "email_malformed", detail).at("email"),
            E::Quantity => Self::new(422, "quantity_out_of_range", detail).at("quantity"),
            E::TooMany(_) => Self::new(422, "quantity_out_of_range", detail).at("quantity"),
            E::AmountTooLow(_) => Self::new(422, "amount_too_low", detail).at("unit_minor"),
            E::CountryNotServed(_) => Self::new(422, "country_not_served", detail).at("country"),
            E::Lines => Self::new(422, "lines_out_of_range", detail),
            E::CurrencyMixed => Self::new(422, "currency_mixed", detail),
            E::BelowFees => Self::new(422, "below_fees", detail),
            E::OwnProduct => Self::new(422, "own_product", detail),
            E::WrongState(_) => Self::new(409, "order_state", detail),
            E::Money(error) => error.into(),
            E::Split(cause) => {
                tracing::error!(%cause, "a sale can't be divided");
                Self::internal()
            }
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// A price as it stands now.
#[derive(Serialize, ToSchema)]
pub struct QuoteOut {
    price_id: String,
    quantity: i64,
    unit_minor: i64,
    amount_minor: i64,
    currency: String,
}

impl From<&Quote> for QuoteOut {
    fn from(quote: &Quote) -> Self {
        Self {
            price_id: quote.price.to_string(),
            quantity: quote.quantity,
            unit_minor: quote.unit.minor(),
            amount_minor: quote.total.minor(),
            currency: quote.total.currency().code().to_owned(),
        }
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
pub struct OrderOut {
    pub(crate) order_id: String,
    /// `awaiting_payment`, `paid`, `failed`, `expired`, `refunded` …
    pub(crate) state: &'static str,
    total_minor: i64,
    currency: String,
    /// Milliseconds since 1970 (UTC).
    placed_at: i64,
    paid_at: Option<i64>,
    lines: Vec<LineOut>,
}

/// A line of an order.
#[derive(Serialize, ToSchema)]
#[schema(as = OrderLineOut)]
pub struct LineOut {
    order_line_id: String,
    product_id: String,
    product_slug: String,
    title: String,
    quantity: i64,
    unit_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    /// Why the tax is what it is, in words.
    tax_reason: String,
    /// The same as a code: `not_registered`, `standard`, `own_rate`, `reverse_charge`, `no_tax`,
    /// `assumed`.
    tax_code: &'static str,
    /// In hundredths of a percent.
    tax_bps: u32,
    /// Whose tax: `DE`, `PT-20`; empty while none is collected.
    tax_jurisdiction: String,
    /// Whether the price contains it.
    tax_inclusive: bool,
    /// What was taxed.
    tax_base_minor: i64,
    amount_minor: i64,
    /// The bundle that it was sold in, at its share of the bundle's price.
    bundle_id: Option<String>,
    bundle_title: Option<String>,
}

impl From<&Order> for OrderOut {
    fn from(order: &Order) -> Self {
        Self {
            order_id: order.id.to_string(),
            state: order.state.code(),
            total_minor: order.total.minor(),
            currency: order.total.currency().code().to_owned(),
            placed_at: order.placed_at.ms(),
            paid_at: order.paid_at.map(Timestamp::ms),
            lines: order.lines.iter().map(LineOut::from).collect(),
        }
    }
}

impl From<&Line> for LineOut {
    fn from(line: &Line) -> Self {
        Self {
            order_line_id: line.id.to_string(),
            product_id: line.product.to_string(),
            product_slug: line.product_slug.clone(),
            title: line.title.clone(),
            quantity: line.quantity,
            unit_minor: line.unit.minor(),
            discount_minor: line.split.discount.minor(),
            tax_minor: line.split.tax.minor(),
            tax_reason: line.tax.reason.clone(),
            tax_code: line.tax.why.code(),
            tax_bps: line.tax.bps,
            tax_jurisdiction: line.tax.jurisdiction.clone(),
            tax_inclusive: line.tax.inclusive,
            tax_base_minor: line.split.tax_base().minor(),
            amount_minor: line.split.charged.minor(),
            bundle_id: line.bundle.as_ref().map(|bundle| bundle.id.to_string()),
            bundle_title: line.bundle.as_ref().map(|bundle| bundle.title.clone()),
        }
    }
}

/// Which page of sales.
#[derive(Deserialize, IntoParams)]
#[serde(default)]
pub struct SalesParams {
    /// `next` of the page before.
    before: Option<String>,
    /// 1 to 100; 20 when absent.
    limit: i64,
    /// Of orders in this state: `paid`, `partially_refunded`, `refunded`; all when absent.
    state: Option<String>,
    /// `true` for orders that a bank asks about and hasn't decided.
    disputed: bool,
}

impl Default for SalesParams {
    fn default() -> Self {
        Self {
            before: None,
            limit: 20,
            state: None,
            disputed: false,
        }
    }
}

/// A page of sales with totals over all of them.
#[derive(Serialize, ToSchema)]
pub struct SalesOut {
    sales: Vec<SaleOut>,
    /// A line a currency.
    totals: Vec<SalesTotalOut>,
    /// What to pass as `before` for the next page.
    next: Option<String>,
}

/// One sold line.
#[derive(Serialize, ToSchema)]
pub struct SaleOut {
    order_line_id: String,
    order_id: String,
    product_id: String,
    title: String,
    quantity: i64,
    /// Of the order.
    state: &'static str,
    /// Milliseconds since 1970 (UTC).
    paid_at: i64,
    currency: String,
    gross_minor: i64,
    discount_minor: i64,
    tax_minor: i64,
    platform_fee_minor: i64,
    payment_fee_minor: i64,
    affiliate_minor: i64,
    seller_minor: i64,
    /// Each step of the division, with its reason.
    #[schema(value_type = Vec<Object>)]
    split: serde_json::Value,
}

/// All sales in one currency.
#[derive(Serialize, ToSchema)]
pub struct SalesTotalOut {
    currency: String,
    sold: i64,
    net_minor: i64,
    platform_fee_minor: i64,
    payment_fee_minor: i64,
    seller_minor: i64,
}

fn sale_out(sale: &Sale) -> SaleOut {
    let split: &SplitAmounts = &sale.split;
    SaleOut {
        order_line_id: sale.line.to_string(),
        order_id: sale.order.to_string(),
        product_id: sale.product.to_string(),
        title: sale.title.clone(),
        quantity: sale.quantity,
        state: sale.state.code(),
        paid_at: sale.paid_at.ms(),
        currency: split.gross.currency().code().to_owned(),
        gross_minor: split.gross.minor(),
        discount_minor: split.discount.minor(),
        tax_minor: split.tax.minor(),
        platform_fee_minor: split.platform_fee.minor(),
        payment_fee_minor: split.payment_fee.minor(),
        affiliate_minor: split.affiliate.minor(),
        seller_minor: split.seller.minor(),
        // Written by us as JSON; what can't be read is shown as nothing rather than as an error.
        split: serde_json::from_str(&split.explanation).unwrap_or_default(),
    }
}

/// The state that a list is filtered by.
pub(crate) fn state_of(code: Option<&str>) -> Result<Option<OrderState>, Problem> {
    let unknown =
        || Problem::new(422, "order_state_unknown", "no such state of an order").at("state");
    let read = |code| OrderState::parse(code).ok_or_else(unknown);
    code.map(read).transpose()
}

/// One's own sales, newest first.
#[utoipa::path(get, path = "/v1/sales", tag = "sales", params(SalesParams),
    responses((status = 200, body = SalesOut), (status = 401), (status = 403), (status = 422)))]
async fn list_sales(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(params): Query<SalesParams>,
) -> Result<Json<SalesOut>, Problem> {
    let before = params
        .before
        .as_deref()
        .map(OrderLineId::parse)
        .transpose()?;
    let query = SalesQuery {
        before,
        limit: params.limit,
        state: state_of(params.state.as_deref())?,
        disputed: params.disputed,
    };
    let page = app.read(&visitor.caller, query, sales).await?;
    let totals = page.totals.iter().map(|total| SalesTotalOut {
        currency: total.net.currency().code().to_owned(),
        sold: total.sold,
        net_minor: total.net.minor(),
        platform_fee_minor: total.platform_fee.minor(),
        payment_fee_minor: total.payment_fee.minor(),
        seller_minor: total.seller.minor(),
    });
    Ok(Json(SalesOut {
        totals: totals.collect(),
        sales: page.sales.iter().map(sale_out).collect(),
        next: page.next.map(|line| line.to_string()),
    }))
}

/// A text that a buyer agreed to.
#[derive(Serialize, ToSchema)]
pub struct ConsentOut {
    /// `withdrawal_waiver` or `license_terms`.
    kind: String,
    /// `2026-11-en`
    version: String,
    /// SHA-256 of the text as it was shown, in hexadecimal.
    text_sha256: String,
    /// Milliseconds since 1970 (UTC).
    agreed_at: i64,
}

impl From<&Consent> for ConsentOut {
    fn from(consent: &Consent) -> Self {
        let digits = consent.text_hash.iter().map(|byte| format!("{byte:02x}"));
        Self {
            kind: consent.kind.clone(),
            version: consent.version.clone(),
            text_sha256: digits.collect(),
            agreed_at: consent.agreed_at.ms(),
        }
    }
}
