//! Routes of usage as people look at it: figures, charts, CSV, and a bill before its time.

mod terms;

use self::terms::{CreditOut, RatedLineOut};
use super::model::{Billed, BillingError};
use super::ops::{BillNow, bill_now};
use super::overview::{
    LicenseUsage, MyUsage, ProductUsage, UsageOfLicense, UsageOfProduct, license_usage, my_plans,
    product_usage,
};
use super::owed::{VoidAny, VoidInvoice, void_any, void_invoice};
use crate::app::App;
use crate::caller::Capability;
use crate::domains::invoicing::http::InvoiceOut;
use crate::domains::metering::{Day, Grain, Window};
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mintreu::Money;
use mintreu::id::{InvoiceId, LicenseId, ProductId};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_usage))
        .routes(routes!(post_bill))
        .routes(routes!(post_void))
        .merge(terms::routes())
}

impl From<BillingError> for Problem {
    fn from(error: BillingError) -> Self {
        use BillingError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found(detail),
            E::MixedCurrencies => Self::new(422, "currency_mixed", detail),
            E::Credit(_) => Self::new(422, "credit_invalid", detail),
            E::Terms(_) => Self::new(422, "terms_invalid", detail),
            E::Amount(error) => error.into(),
            E::Invoice(error) => error.into(),
            E::Metering(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
            E::Payload(_) | E::Ledger(_) | E::Split(_) => {
                tracing::error!(%detail, "billing");
                Self::internal()
            }
        }
    }
}

/// Whose usage, and the chart's window.
#[derive(Debug, Deserialize, IntoParams)]
pub struct UsageIn {
    /// A license that one owns or sold.
    license: Option<String>,
    /// A product that one sells.
    product: Option<String>,
    /// `day` (the default) or `hour`.
    #[serde(default)]
    grain: GrainIn,
    /// How many steps up to now, 1 to 400.
    #[serde(default = "usual_steps")]
    steps: i64,
    /// `json` (the default) or `csv`.
    #[serde(default)]
    format: FormatIn,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GrainIn {
    #[default]
    Day,
    Hour,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FormatIn {
    #[default]
    Json,
    Csv,
}

fn usual_steps() -> i64 {
    30
}

/// An amount.
#[derive(Debug, Serialize, ToSchema)]
pub struct MoneyOut {
    amount_minor: i64,
    currency: String,
}

impl From<Money> for MoneyOut {
    fn from(money: Money) -> Self {
        Self {
            amount_minor: money.minor(),
            currency: money.currency().code().to_owned(),
        }
    }
}

/// One step of a chart.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepOut {
    /// Its first instant, milliseconds since 1970 (UTC).
    at: i64,
    units: i64,
}

fn steps_out(days: &[Day]) -> Vec<StepOut> {
    let step = |day: &Day| StepOut {
        at: day.at.ms(),
        units: day.units,
    };
    days.iter().map(step).collect()
}

/// One meter of a license.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BilledMeterOut)]
pub struct MeterOut {
    meter: String,
    unit: String,
    tariff: String,
    /// Since the purchase.
    total_units: i64,
    /// In the running period.
    period_units: u64,
    free_units: u64,
    /// Of the period's units, covered by credits.
    prepaid_units: u64,
    /// What the license lets each device use in a window; absent without limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitOut>,
    /// Reported by a copy of a device: shown, never billed by themselves.
    disputed_units: i64,
    cost: MoneyOut,
    /// At this pace.
    projected_units: u64,
    projected_cost: MoneyOut,
    series: Vec<StepOut>,
}

/// A limit on usage.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitOut {
    units: i64,
    /// `lifetime`, `hour`, `day`, `week` or `month`.
    window: &'static str,
}

/// One license's running period. Instants are milliseconds since 1970 (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct LicenseUsageOut {
    license_id: String,
    product_id: String,
    period_start: i64,
    period_end: i64,
    /// What the period costs so far.
    cost: MoneyOut,
    /// Of that, what no invoice has asked for yet.
    open: MoneyOut,
    /// What the period comes to at this pace, and at least the commitment.
    projected: MoneyOut,
    /// The least the period comes to; 0 is none.
    commitment: MoneyOut,
    /// What may be open before a bill is made early; 0 is none.
    threshold: MoneyOut,
    meters: Vec<MeterOut>,
    /// What a bill made now would say.
    lines: Vec<RatedLineOut>,
    /// Credits with something left.
    credits: Vec<CreditOut>,
}

impl From<LicenseUsage> for LicenseUsageOut {
    fn from(usage: LicenseUsage) -> Self {
        let meter = |meter: super::MeterUsage| MeterOut {
            meter: meter.name,
            unit: meter.unit,
            tariff: meter.tariff,
            total_units: meter.total_units,
            period_units: meter.period_units,
            free_units: meter.free_units,
            prepaid_units: meter.prepaid_units,
            limit: meter.limit.map(|(units, window)| LimitOut {
                units,
                window: window.name(),
            }),
            disputed_units: meter.disputed_units,
            cost: meter.cost.into(),
            projected_units: meter.projected_units,
            projected_cost: meter.projected_cost.into(),
            series: steps_out(&meter.series),
        };
        Self {
            license_id: usage.plan.license.to_string(),
            product_id: usage.plan.product.to_string(),
            period_start: usage.plan.bounds.0.ms(),
            period_end: usage.plan.bounds.1.ms(),
            cost: usage.cost.into(),
            open: usage.open.into(),
            projected: usage.projected.into(),
            commitment: usage.plan.commitment.into(),
            threshold: usage.plan.threshold.into(),
            lines: usage.lines.into_iter().map(RatedLineOut::from).collect(),
            credits: usage.credits.into_iter().map(CreditOut::from).collect(),
            meters: usage.meters.into_iter().map(meter).collect(),
        }
    }
}

/// A license with a metered plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanOut {
    license_id: String,
    product_id: String,
    period_start: i64,
    period_end: i64,
}

/// One meter of a product, over all its licenses.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductMeterOut {
    meter: String,
    series: Vec<StepOut>,
}

/// What one license used in the window.
#[derive(Debug, Serialize, ToSchema)]
pub struct LicenseUnitsOut {
    license_id: String,
    units: i64,
}

/// The answer about usage: exactly one of the three is there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = UsageAnswerOut)]
pub enum UsageOut {
    /// `?license=`.
    License(Box<LicenseUsageOut>),
    /// `?product=`.
    Product {
        /// By name.
        meters: Vec<ProductMeterOut>,
        /// Those that used most, first.
        licenses: Vec<LicenseUnitsOut>,
    },
    /// Neither.
    Plans {
        /// Newest first.
        plans: Vec<PlanOut>,
    },
}

/// Read usage: of a license, of a product, or which plans one has.
#[utoipa::path(get, path = "/v1/usage", tag = "usage", params(UsageIn),
    responses((status = 200, content((UsageOut = "application/json"), (String = "text/csv"))),
        (status = 404), (status = 422)))]
async fn get_usage(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<UsageIn>,
) -> Result<Response, Problem> {
    let grain = match asked.grain {
        GrainIn::Day => Grain::Day,
        GrainIn::Hour => Grain::Hour,
    };
    let window = Window::ending_at(app.now(), grain, asked.steps);
    let caller = &visitor.caller;
    if let Some(license) = asked.license.as_deref() {
        let license = LicenseId::parse(license)?;
        let query = UsageOfLicense { license, window };
        let usage = app.read(caller, query, license_usage).await?;
        let series = usage
            .meters
            .iter()
            .map(|meter| (&*meter.name, &*meter.series));
        return Ok(match asked.format {
            FormatIn::Csv => csv(series),
            FormatIn::Json => Json(UsageOut::License(Box::new(usage.into()))).into_response(),
        });
    }
    if let Some(product) = asked.product.as_deref() {
        let product = ProductId::parse(product)?;
        let query = UsageOfProduct { product, window };
        let usage = app.read(caller, query, product_usage).await?;
        let series = usage.meters.iter().map(|(meter, days)| (&**meter, &**days));
        return Ok(match asked.format {
            FormatIn::Csv => csv(series),
            FormatIn::Json => Json(product_out(&usage)).into_response(),
        });
    }
    let plans = app.read(caller, MyUsage, my_plans).await?;
    let plan = |plan: super::Plan| PlanOut {
        license_id: plan.license.to_string(),
        product_id: plan.product.to_string(),
        period_start: plan.bounds.0.ms(),
        period_end: plan.bounds.1.ms(),
    };
    let plans = plans.into_iter().map(plan).collect();
    Ok(Json(UsageOut::Plans { plans }).into_response())
}

fn product_out(usage: &ProductUsage) -> UsageOut {
    let meter = |(meter, days): (&String, &Vec<Day>)| ProductMeterOut {
        meter: meter.clone(),
        series: steps_out(days),
    };
    let license = |units: &crate::domains::metering::LicenseUnits| LicenseUnitsOut {
        license_id: units.license.to_string(),
        units: units.units,
    };
    UsageOut::Product {
        meters: usage.meters.iter().map(meter).collect(),
        licenses: usage.licenses.iter().map(license).collect(),
    }
}

/// `at,meter,units`, a line a step (RFC 4180).
fn csv<'a>(series: impl Iterator<Item = (&'a str, &'a [Day])>) -> Response {
    let mut text = String::from("at,meter,units\r\n");
    for (meter, days) in series {
        for day in days {
            let at = jiff::Timestamp::from_millisecond(day.at.ms());
            let at = at.map_or_else(|_| day.at.ms().to_string(), |at| at.to_string());
            // Writing to a String can't fail.
            let _ = write!(text, "{at},{},{}\r\n", csv_field(meter), day.units);
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"usage.csv\"",
        ),
    ];
    (headers, text).into_response()
}

/// Quoted where needed; what a spreadsheet would take for a formula is made text.
fn csv_field(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if text.contains([',', '"', '\r', '\n']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

/// Whose running period to bill.
#[derive(Debug, Deserialize, ToSchema)]
pub struct BillIn {
    /// A license that one owns or sold.
    license: String,
}

/// What it came to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageBillOut)]
pub struct BillOut {
    /// `null` when there was nothing to ask for.
    invoice: Option<InvoiceOut>,
}

/// Bill the running period now: what it costs so far, less what was invoiced in it before.
#[utoipa::path(post, path = "/v1/usage/bill", tag = "usage", request_body = BillIn,
    responses((status = 200, body = BillOut), (status = 401), (status = 404)))]
async fn post_bill(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<BillIn>,
) -> Result<Json<BillOut>, Problem> {
    let license = LicenseId::parse(&body.value.license)?;
    let billed = app
        .transact(&visitor.caller, BillNow { license }, bill_now)
        .await?;
    let invoice = match billed {
        Billed::Invoiced(invoice) => Some(InvoiceOut::of(&invoice, None)),
        Billed::Nothing | Billed::Unchanged => None,
    };
    Ok(Json(BillOut { invoice }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_formulas_are_text() {
        for (field, expected) in [
            ("api.calls", "api.calls"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=SUM(A1)", "'=SUM(A1)"),
            ("-1,2", "\"'-1,2\""),
        ] {
            assert_eq!(csv_field(field), expected);
        }
    }
}

/// Call an open invoice of usage off: who earns by it, or the platform. Nothing is owed any more, a
/// credit note takes all of it, and what it billed isn't billed again.
#[utoipa::path(post, path = "/v1/invoices/{id}/void", tag = "invoices",
    params(("id" = String, Path, description = "inv_…")),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
async fn post_void(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
) -> Result<StatusCode, Problem> {
    let caller = &visitor.caller;
    match caller.may(Capability::Administer) {
        true => app.transact(caller, VoidAny { invoice }, void_any).await?,
        false => {
            app.transact(caller, VoidInvoice { invoice }, void_invoice)
                .await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}
