//! Routes of rated lines, credits, terms and reports.

use super::MoneyOut;
use crate::app::{App, Cx};
use crate::domains::billing::{
    BillingError, Cadence, CreditsOfLicense, GrantCredit, Held, HeldCredit, LateOf, LatePolicy,
    MyReports, PlanTerms, Preference, RatedLine, RatedLines, SetLate, SetTerms, TermsOf,
    WishReports, credits_of_license, grant_credit, late_of, my_reports, rated_lines, set_late,
    set_terms, wish_reports,
};
use crate::problem::Problem;
use crate::wire::{IdempotencyKey, JsonBody, Query, Visitor};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use mintreu::Timestamp;
use mintreu::id::{LicenseId, ProductId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_lines))
        .routes(routes!(get_credits, post_credit))
        .routes(routes!(post_terms))
        .routes(routes!(get_late, post_late))
        .routes(routes!(get_reports, post_reports))
}

/// One line of a bill, as it was rated.
#[derive(Debug, Serialize, ToSchema)]
pub struct RatedLineOut {
    /// The plan's period, from 0.
    period: i64,
    /// The bill within the period, from 0.
    bill: i64,
    /// Its place on the bill, from 1.
    position: i64,
    /// Absent where the line is of the whole bill.
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<String>,
    /// The row of the tariff's matrix: `model=gpt-4`.
    #[serde(skip_serializing_if = "Option::is_none")]
    dimension: Option<String>,
    /// `free`, `prepaid`, `units`, `tier`, `already_invoiced`, `commitment`, `credit`, …
    kind: String,
    /// A decimal.
    quantity: String,
    free_units: u64,
    /// A decimal in the major unit, where units have a price.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_price: Option<String>,
    amount: MoneyOut,
    #[serde(skip_serializing_if = "Option::is_none")]
    tariff: Option<String>,
    /// The arithmetic, for people.
    explanation: String,
    /// Milliseconds since 1970 (UTC).
    rated_at: i64,
    /// The invoice that asks for it; absent when credits paid, or nothing was owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<String>,
}

impl From<RatedLine> for RatedLineOut {
    fn from(line: RatedLine) -> Self {
        let currency = line.amount.currency();
        Self {
            period: line.period,
            bill: line.bill,
            position: line.position,
            meter: line.meter,
            dimension: line.dimension,
            kind: line.kind,
            quantity: line.quantity.to_string(),
            free_units: line.free_units,
            unit_price: line.unit.map(|unit| unit.to_text(currency)),
            amount: line.amount.into(),
            tariff: line.tariff,
            explanation: line.explanation,
            rated_at: line.rated_at.ms(),
            invoice_id: line.invoice.map(|id| id.to_string()),
        }
    }
}

/// Whose lines.
#[derive(Debug, Deserialize, IntoParams)]
pub struct LinesIn {
    /// A license that one owns or sold.
    license: String,
    /// Only of periods up to this one.
    until: Option<i64>,
}

/// Rated lines.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinesOut {
    /// The newest bill first, each in the order of its lines.
    lines: Vec<RatedLineOut>,
}

/// Read what a license's bills said, line by line.
#[utoipa::path(get, path = "/v1/usage/lines", tag = "usage", params(LinesIn),
    responses((status = 200, body = LinesOut), (status = 404)))]
async fn get_lines(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<LinesIn>,
) -> Result<Json<LinesOut>, Problem> {
    let query = RatedLines {
        license: LicenseId::parse(&asked.license)?,
        until: asked.until,
    };
    let lines = app.read(&visitor.caller, query, rated_lines).await?;
    let lines = lines.into_iter().map(RatedLineOut::from).collect();
    Ok(Json(LinesOut { lines }))
}

/// A prepaid credit: units of a meter, or money.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditOut {
    credit_id: String,
    /// Of which meter the units are; absent for money.
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<String>,
    /// Units left, a decimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    units_left: Option<String>,
    /// Money left.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_left: Option<MoneyOut>,
    /// Lower burns first.
    priority: u32,
    /// Milliseconds since 1970 (UTC); absent when it never ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    note: String,
    created_at: i64,
}

impl From<HeldCredit> for CreditOut {
    fn from(credit: HeldCredit) -> Self {
        let (meter, units_left, amount_left) = match credit.left {
            Held::Units { meter, units } => (Some(meter), Some(units.to_string()), None),
            Held::Money(money) => (None, None, Some(money.into())),
        };
        Self {
            credit_id: credit.id.to_string(),
            meter,
            units_left,
            amount_left,
            priority: credit.priority,
            expires_at: credit.expires_at.map(Timestamp::ms),
            note: credit.note,
            created_at: credit.created_at.ms(),
        }
    }
}

/// Whose credits.
#[derive(Debug, Deserialize, IntoParams)]
pub struct CreditsIn {
    /// A license that one owns or sold.
    license: String,
}

/// Credits.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditsOut {
    /// Newest first, spent and expired ones too.
    credits: Vec<CreditOut>,
}

/// Read a license's prepaid credits.
#[utoipa::path(get, path = "/v1/usage/credits", tag = "usage", params(CreditsIn),
    responses((status = 200, body = CreditsOut), (status = 404)))]
async fn get_credits(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<CreditsIn>,
) -> Result<Json<CreditsOut>, Problem> {
    let license = LicenseId::parse(&asked.license)?;
    let query = CreditsOfLicense { license };
    let credits = app.read(&visitor.caller, query, credits_of_license).await?;
    let credits = credits.into_iter().map(CreditOut::from).collect();
    Ok(Json(CreditsOut { credits }))
}

/// A credit to grant.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreditIn {
    /// A license that one sold.
    license: String,
    /// The meter whose units it holds; left out for money.
    meter: Option<String>,
    /// Units of the meter, or minor units of the plan's currency.
    amount: i64,
    /// Lower burns first; 0 when left out.
    #[serde(default)]
    priority: u32,
    /// Milliseconds since 1970 (UTC); left out when it never ends.
    expires_at: Option<i64>,
    /// Why, for people.
    #[serde(default)]
    note: String,
}

/// Grant a prepaid credit for usage of a license one sold.
#[utoipa::path(post, path = "/v1/usage/credits", tag = "usage", request_body = CreditIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = CreditsOut), (status = 401), (status = 404), (status = 422)))]
async fn post_credit(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    key: IdempotencyKey,
    body: JsonBody<CreditIn>,
) -> Result<(StatusCode, Json<CreditsOut>), Problem> {
    let asked = body.value;
    let command = GrantCredit {
        license: LicenseId::parse(&asked.license)?,
        meter: asked.meter,
        amount: asked.amount,
        priority: asked.priority,
        expires_at: asked.expires_at.map(Timestamp::from_ms),
        note: asked.note,
    };
    let license = command.license;
    let caller = &visitor.caller;
    match key.over(&body.bytes) {
        Some(promise) => app.transact_once(caller, promise, command, grant).await?,
        None => app.transact(caller, command, grant).await?,
    };
    let query = CreditsOfLicense { license };
    let credits = app.read(caller, query, credits_of_license).await?;
    let credits = credits.into_iter().map(CreditOut::from).collect();
    Ok((StatusCode::CREATED, Json(CreditsOut { credits })))
}

/// Grants, and answers what is stored under an idempotency key.
fn grant(cx: &mut Cx<'_>, command: &GrantCredit) -> Result<String, BillingError> {
    grant_credit(cx, command).map(|credit| credit.id.to_string())
}

/// Terms to set: of a product, for plans that begin from now on, or of one license's plan.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TermsIn {
    /// A product that one sells.
    product: Option<String>,
    /// Or a license that one sold; its commitment can only fall.
    license: Option<String>,
    /// The least a period comes to, in minor units; 0 is none.
    #[serde(default)]
    commitment_minor: i64,
    /// What may be open before a bill is made early, in minor units; 0 is none.
    #[serde(default)]
    threshold_minor: i64,
}

/// Terms.
#[derive(Debug, Serialize, ToSchema)]
pub struct TermsOut {
    commitment: MoneyOut,
    threshold: MoneyOut,
}

impl From<PlanTerms> for TermsOut {
    fn from(terms: PlanTerms) -> Self {
        Self {
            commitment: terms.commitment.into(),
            threshold: terms.threshold.into(),
        }
    }
}

/// Set a commitment, and the open amount that asks for an early bill.
#[utoipa::path(post, path = "/v1/usage/terms", tag = "usage", request_body = TermsIn,
    responses((status = 200, body = TermsOut), (status = 401), (status = 404), (status = 422)))]
async fn post_terms(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<TermsIn>,
) -> Result<Json<TermsOut>, Problem> {
    let asked = body.value;
    let of = match (&asked.product, &asked.license) {
        (Some(product), None) => TermsOf::Product(ProductId::parse(product)?),
        (None, Some(license)) => TermsOf::License(LicenseId::parse(license)?),
        _ => return Err(BillingError::Terms("say either a product or a license").into()),
    };
    let command = SetTerms {
        of,
        commitment_minor: asked.commitment_minor,
        threshold_minor: asked.threshold_minor,
    };
    let terms = app.transact(&visitor.caller, command, set_terms).await?;
    Ok(Json(terms.into()))
}

/// How late usage of a product is billed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LateWord {
    /// With the period in which it arrives.
    Current,
    /// With the period in which it happened, while its newest invoice is unpaid.
    Amend,
}

impl From<LatePolicy> for LateWord {
    fn from(policy: LatePolicy) -> Self {
        match policy {
            LatePolicy::Current => Self::Current,
            LatePolicy::Amend => Self::Amend,
        }
    }
}

/// A product's policy.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct LateBody {
    /// The product.
    product: String,
    /// `current` (when nothing was said) or `amend`.
    late: LateWord,
}

/// Whose policy.
#[derive(Debug, Deserialize, IntoParams)]
pub struct LateIn {
    /// A product.
    product: String,
}

/// Read how usage is billed that arrives after its period was closed.
#[utoipa::path(get, path = "/v1/usage/late", tag = "usage", params(LateIn),
    responses((status = 200, body = LateBody), (status = 422)))]
async fn get_late(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<LateIn>,
) -> Result<Json<LateBody>, Problem> {
    let query = LateOf(ProductId::parse(&asked.product)?);
    let policy = app.read(&visitor.caller, query, late_of).await?;
    Ok(Json(LateBody {
        product: asked.product,
        late: policy.into(),
    }))
}

/// Say how usage is billed that arrives after its period was closed, for a product one sells.
#[utoipa::path(post, path = "/v1/usage/late", tag = "usage", request_body = LateBody,
    responses((status = 200, body = LateBody), (status = 401), (status = 404), (status = 422)))]
async fn post_late(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<LateBody>,
) -> Result<Json<LateBody>, Problem> {
    let asked = body.value;
    let command = SetLate {
        product: ProductId::parse(&asked.product)?,
        policy: match asked.late {
            LateWord::Current => LatePolicy::Current,
            LateWord::Amend => LatePolicy::Amend,
        },
    };
    app.transact(&visitor.caller, command, set_late).await?;
    Ok(Json(asked))
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CadenceIn {
    Never,
    Weekly,
    Monthly,
}

impl From<CadenceIn> for Cadence {
    fn from(cadence: CadenceIn) -> Self {
        match cadence {
            CadenceIn::Never => Self::Never,
            CadenceIn::Weekly => Self::Weekly,
            CadenceIn::Monthly => Self::Monthly,
        }
    }
}

/// How often to tell the caller of their usage.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ReportsIn {
    /// `never`, `weekly` or `monthly`.
    cadence: CadenceIn,
}

/// How often the caller is told of their usage.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportsOut {
    /// `never`, `weekly` or `monthly`.
    cadence: &'static str,
    /// The next mail, milliseconds since 1970 (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<i64>,
}

impl From<Option<Preference>> for ReportsOut {
    fn from(preference: Option<Preference>) -> Self {
        Self {
            cadence: preference.map_or("never", |preference| preference.cadence.name()),
            next_at: preference.and_then(|preference| preference.next_at.map(Timestamp::ms)),
        }
    }
}

/// Read how often one is told of one's usage by mail.
#[utoipa::path(get, path = "/v1/usage/reports", tag = "usage",
    responses((status = 200, body = ReportsOut)))]
async fn get_reports(
    State(app): State<Arc<App>>,
    visitor: Visitor,
) -> Result<Json<ReportsOut>, Problem> {
    let found = app.read(&visitor.caller, MyReports, my_reports).await?;
    Ok(Json(found.into()))
}

/// Choose how often one is told of one's usage by mail, or not to be.
#[utoipa::path(post, path = "/v1/usage/reports", tag = "usage", request_body = ReportsIn,
    responses((status = 200, body = ReportsOut), (status = 401)))]
async fn post_reports(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    body: JsonBody<ReportsIn>,
) -> Result<Json<ReportsOut>, Problem> {
    let wish = WishReports {
        cadence: body.value.cadence.into(),
    };
    let set = app.transact(&visitor.caller, wish, wish_reports).await?;
    Ok(Json(Some(set).into()))
}
