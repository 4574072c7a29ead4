//! Routes of taxes: the owner's policy, rates and report, and where one's own account is.

use super::rates::{AS_OF, OwnRate, TABLE};
use super::{
    AskEvidence, AskReport, Buyer, OwnPlace, Place, Policy, ReportLine, SetOwnPlace, SetPolicy,
    SetRate, TaxError, TaxTable, evidence_of, own_place, policy_of, report, set_own_place,
    set_policy, set_rate, table,
};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{JsonBody, PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mintreu::Timestamp;
use mintreu::id::OrderId;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_own, put_own))
        .routes(routes!(show_policy, put_policy))
        .routes(routes!(list_rates, post_rate))
        .routes(routes!(show_evidence))
        .routes(routes!(show_report))
        .routes(routes!(show_report_csv))
}

impl From<TaxError> for Problem {
    fn from(error: TaxError) -> Self {
        use TaxError as E;
        let detail = error.to_string();
        match error {
            E::Country => Self::new(422, "country_unknown", detail).at("country"),
            E::VatId | E::VatIdElsewhere(_) => Self::new(422, "vat_id_wrong", detail).at("vat_id"),
            E::Rate => Self::new(422, "input_invalid", detail).at("rate_bps"),
            E::Past => Self::new(422, "input_invalid", detail).at("from_at"),
            E::Note => Self::new(422, "input_invalid", detail).at("note"),
            E::Months => Self::new(422, "input_invalid", detail).at("from"),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// Where an account is taxed.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxPlace {
    /// Two capitals of ISO 3166-1.
    country: Option<String>,
    /// A region of it (ISO 3166-2, without the country), where it matters: `20` for the Azores.
    #[serde(default)]
    region: Option<String>,
    /// A business's VAT id, of the same country.
    #[serde(default)]
    vat_id: Option<String>,
}

fn place_out(buyer: &Buyer) -> TaxPlace {
    let place = buyer.place.as_ref();
    TaxPlace {
        country: place.map(|place| place.country().to_owned()),
        region: place.and_then(Place::region).map(str::to_owned),
        vat_id: buyer.vat_id.as_ref().map(|id| id.as_str().to_owned()),
    }
}

/// Where one's own account is taxed: as at the last purchase, or as set here.
#[utoipa::path(get, path = "/v1/me/tax", tag = "taxes",
    responses((status = 200, body = TaxPlace), (status = 401)))]
async fn show_own(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<TaxPlace>, Problem> {
    let buyer = app.read(&visitor.caller, OwnPlace, own_place).await?;
    Ok(Json(place_out(&buyer)))
}

/// Say where one's own account is taxed. Renewals and usage follow from their next bill on.
#[utoipa::path(put, path = "/v1/me/tax", tag = "taxes", request_body = TaxPlace,
    responses((status = 200, body = TaxPlace), (status = 401), (status = 422)))]
async fn put_own(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<TaxPlace>,
) -> Result<Json<TaxPlace>, Problem> {
    let given = body.value;
    let buyer = Buyer::declared(
        given.country.as_deref(),
        given.region.as_deref(),
        given.vat_id.as_deref(),
    )?;
    let command = SetOwnPlace {
        buyer: buyer.clone(),
    };
    app.transact(&visitor.caller, command, set_own_place)
        .await?;
    Ok(Json(place_out(&buyer)))
}

/// Where the platform, the seller of record, is registered.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaxPolicy {
    /// Its own country; none while it collects no tax.
    country: Option<String>,
    /// Whether prices contain their tax, so that what is displayed is what everybody pays.
    prices_include_tax: bool,
}

fn policy_out(policy: &Policy) -> TaxPolicy {
    let home = policy.home.as_ref();
    TaxPolicy {
        country: home.map(|home| home.as_str().to_owned()),
        prices_include_tax: policy.inclusive,
    }
}

/// Where the platform is registered. For the owner.
#[utoipa::path(get, path = "/v1/tax/policy", tag = "taxes",
    responses((status = 200, body = TaxPolicy), (status = 401), (status = 403)))]
async fn show_policy(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<TaxPolicy>, Problem> {
    let policy = app.read(&visitor.caller, (), policy_of).await?;
    Ok(Json(policy_out(&policy)))
}

/// Say where the platform is registered. What was sold keeps its tax; a quote that was shown before
/// is answered with a new one.
#[utoipa::path(put, path = "/v1/tax/policy", tag = "taxes", request_body = TaxPolicy,
    responses((status = 200, body = TaxPolicy), (status = 401), (status = 403), (status = 422)))]
async fn put_policy(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<TaxPolicy>,
) -> Result<Json<TaxPolicy>, Problem> {
    let given = body.value;
    let home = given.country.as_deref().map(Place::parse).transpose()?;
    let policy = Policy {
        home,
        inclusive: given.prices_include_tax,
    };
    let command = SetPolicy {
        policy: policy.clone(),
    };
    app.transact(&visitor.caller, command, set_policy).await?;
    Ok(Json(policy_out(&policy)))
}

/// The table of rates.
#[derive(Serialize, ToSchema)]
pub struct RatesOut {
    /// When the table was last compared with its sources: `2026-11-26`.
    as_of: &'static str,
    /// The compiled-in table; where there is no row, no tax is collected.
    table: Vec<ListedRateOut>,
    /// The owner's own rates, which go before it.
    own: Vec<OwnRateOut>,
}

/// A rate of the table.
#[derive(Serialize, ToSchema)]
pub struct ListedRateOut {
    /// `DE`, `PT-20`.
    place: &'static str,
    /// The first day (UTC); none for since ever.
    from: Option<&'static str>,
    /// Hundredths of a percent.
    rate_bps: u32,
}

/// A rate of the owner's own.
#[derive(Serialize, ToSchema)]
pub struct OwnRateOut {
    place: String,
    /// Milliseconds since 1970 (UTC).
    from_at: i64,
    /// Hundredths of a percent; none to follow the table again.
    rate_bps: Option<u32>,
    note: String,
}

fn own_out(rate: &OwnRate) -> OwnRateOut {
    OwnRateOut {
        place: rate.place.as_str().to_owned(),
        from_at: rate.from.ms(),
        rate_bps: rate.bps,
        note: rate.note.clone(),
    }
}

/// The rates of tax. For the owner.
#[utoipa::path(get, path = "/v1/tax/rates", tag = "taxes",
    responses((status = 200, body = RatesOut), (status = 401), (status = 403)))]
async fn list_rates(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<RatesOut>, Problem> {
    let own = app.read(&visitor.caller, TaxTable, table).await?;
    let listed = TABLE.iter().map(|(place, from, bps)| ListedRateOut {
        place,
        from: Some(*from).filter(|from| !from.is_empty()),
        rate_bps: *bps,
    });
    Ok(Json(RatesOut {
        as_of: AS_OF,
        table: listed.collect(),
        own: own.iter().map(own_out).collect(),
    }))
}

/// A rate to set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnRateIn {
    /// `DE`, `US-NY`.
    place: String,
    /// Hundredths of a percent, 0 to 10000; none to follow the table again.
    rate_bps: Option<u32>,
    /// Milliseconds since 1970 (UTC), now or later; now when absent.
    #[serde(default)]
    from_at: Option<i64>,
    /// Why, at most 200 characters: it stands in the reason of each line.
    #[serde(default)]
    note: String,
}

/// Set a rate of the owner's own, from an instant on. What was sold, or billed, keeps its rate.
#[utoipa::path(post, path = "/v1/tax/rates", tag = "taxes", request_body = OwnRateIn,
    responses((status = 200, body = RatesOut), (status = 401), (status = 403), (status = 422)))]
async fn post_rate(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<OwnRateIn>,
) -> Result<Json<RatesOut>, Problem> {
    let given = body.value;
    let command = SetRate {
        place: Place::parse(&given.place)?,
        bps: given.rate_bps,
        from: given.from_at.map(Timestamp::from_ms),
        note: given.note,
    };
    app.transact(&visitor.caller, command, set_rate).await?;
    list_rates(State(app), visitor).await
}

/// What is known of where the buyer of an order is.
#[derive(Serialize, ToSchema)]
pub struct EvidenceOut {
    order_id: String,
    /// What the buyer declared.
    declared: TaxPlace,
    /// The country of the network, as a trusted proxy says.
    network_country: Option<String>,
    /// The country of the payment method, as its provider says.
    method_country: Option<String>,
    /// How many of the three there are.
    pieces: usize,
    /// Whether they name different countries.
    disagrees: bool,
}

/// What is known of where the buyer of an order is. For the owner; 404 when nothing is kept.
#[utoipa::path(get, path = "/v1/tax/evidence/{order_id}", tag = "taxes",
    params(("order_id" = String, Path)),
    responses((status = 200, body = EvidenceOut), (status = 403), (status = 404)))]
async fn show_evidence(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<String>,
) -> Result<Json<EvidenceOut>, Problem> {
    let missing = || Problem::not_found("Nothing is kept of such an order.");
    let order = OrderId::parse(&id).map_err(|_| missing())?;
    let query = AskEvidence { order };
    let found = app.read(&visitor.caller, query, evidence_of).await?;
    let found = found.ok_or_else(missing)?;
    Ok(Json(EvidenceOut {
        order_id: order.to_string(),
        declared: place_out(&found.buyer),
        pieces: found.pieces(),
        disagrees: found.disagrees(),
        network_country: found.network,
        method_country: found.method,
    }))
}

/// Which months.
#[derive(Deserialize, IntoParams)]
pub struct ReportParams {
    /// The first month (UTC): `2027-01`.
    from: String,
    /// The last one; the same when absent. At most 120 months.
    #[serde(default)]
    until: Option<String>,
}

/// What is owed.
#[derive(Serialize, ToSchema)]
pub struct ReportOut {
    /// By month, jurisdiction, reason, rate and currency.
    lines: Vec<ReportLineOut>,
}

/// Sales and refunds of a month at one rate of one jurisdiction, in one currency.
#[derive(Serialize, ToSchema)]
pub struct ReportLineOut {
    month: String,
    jurisdiction: String,
    /// `standard`, `own_rate`, `reverse_charge`, `no_tax`, `assumed`.
    code: String,
    rate_bps: i64,
    currency: String,
    /// What was taxed.
    sales_base_minor: i64,
    sales_tax_minor: i64,
    refunds_base_minor: i64,
    refunds_tax_minor: i64,
    net_base_minor: i64,
    /// What is due.
    net_tax_minor: i64,
}

fn line_out(line: ReportLine) -> ReportLineOut {
    let (net_base_minor, net_tax_minor) = line.net();
    ReportLineOut {
        month: line.month,
        jurisdiction: line.jurisdiction,
        code: line.why,
        rate_bps: line.bps,
        currency: line.currency.code().to_owned(),
        sales_base_minor: line.sales.0,
        sales_tax_minor: line.sales.1,
        refunds_base_minor: line.refunds.0,
        refunds_tax_minor: line.refunds.1,
        net_base_minor,
        net_tax_minor,
    }
}

async fn lines(
    app: &App,
    visitor: &Visitor,
    params: ReportParams,
) -> Result<Vec<ReportLineOut>, Problem> {
    let query = AskReport {
        until: params.until.unwrap_or_else(|| params.from.clone()),
        from: params.from,
    };
    let found = app.read(&visitor.caller, query, report).await?;
    Ok(found.into_iter().map(line_out).collect())
}

/// What sales and refunds came to and what tax is due, month by month. For the owner.
#[utoipa::path(get, path = "/v1/tax/report", tag = "taxes", params(ReportParams),
    responses((status = 200, body = ReportOut), (status = 403), (status = 422)))]
async fn show_report(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(params): Query<ReportParams>,
) -> Result<Json<ReportOut>, Problem> {
    let lines = lines(&app, &visitor, params).await?;
    Ok(Json(ReportOut { lines }))
}

/// The same as a table of comma-separated values, amounts in minor units.
#[utoipa::path(get, path = "/v1/tax/report.csv", tag = "taxes", params(ReportParams),
    responses((status = 200, content_type = "text/csv", body = String), (status = 403),
        (status = 422)))]
async fn show_report_csv(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(params): Query<ReportParams>,
) -> Result<Response, Problem> {
    let lines = lines(&app, &visitor, params).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"tax.csv\"",
        ),
    ];
    Ok((headers, csv(&lines)).into_response())
}

/// Codes and figures alone: nothing here needs quotes.
fn csv(lines: &[ReportLineOut]) -> String {
    let mut text = String::from(
        "month,jurisdiction,code,rate_bps,currency,sales_base_minor,sales_tax_minor,\
         refunds_base_minor,refunds_tax_minor,net_base_minor,net_tax_minor\r\n",
    );
    for line in lines {
        // Writing to a text can't fail.
        write!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{}\r\n",
            line.month,
            line.jurisdiction,
            line.code,
            line.rate_bps,
            line.currency,
            line.sales_base_minor,
            line.sales_tax_minor,
            line.refunds_base_minor,
            line.refunds_tax_minor,
            line.net_base_minor,
            line.net_tax_minor
        )
        .ok();
    }
    text
}
