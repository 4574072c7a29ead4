//! Routes of invoices.

use super::model::{Invoice, InvoiceError, InvoiceLine};
use super::ops::{InvoiceQuery, ListInvoices, invoice, list};
use crate::app::App;
use crate::problem::Problem;
use crate::wire::{PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::id::InvoiceId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(get_invoices))
        .routes(routes!(get_invoice))
}

impl From<InvoiceError> for Problem {
    fn from(error: InvoiceError) -> Self {
        use InvoiceError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found(detail),
            E::Empty => Self::new(422, "invoice_empty", detail),
            E::AlreadyPaid => Self::new(409, "invoice_paid", detail),
            E::Money(error) => error.into(),
            E::Denied(denied) => denied.into(),
            E::Store(error) => error.into(),
        }
    }
}

/// An invoice. Instants are milliseconds since 1970 (UTC).
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceOut {
    invoice_id: String,
    number: String,
    state: &'static str,
    product_id: String,
    license_id: Option<String>,
    /// First instant.
    period_start: i64,
    /// The instant after the last.
    period_end: i64,
    total_minor: i64,
    currency: String,
    finalized_at: i64,
    due_at: i64,
    paid_at: Option<i64>,
    /// Only in the answer about one invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineOut>>,
}

/// One line; lines add up to the invoice's total.
#[derive(Debug, Serialize, ToSchema)]
pub struct LineOut {
    kind: String,
    meter: Option<String>,
    quantity: i64,
    free_units: i64,
    /// Billionths of a minor unit.
    unit_price_nanos: Option<i64>,
    amount_minor: i64,
    /// The tariff as it was when rated.
    tariff: Option<String>,
    /// The arithmetic.
    explanation: String,
}

impl InvoiceOut {
    /// As callers see it.
    pub fn of(invoice: &Invoice, lines: Option<&[InvoiceLine]>) -> Self {
        Self {
            invoice_id: invoice.id.to_string(),
            number: invoice.number_text(),
            state: invoice.state.name(),
            product_id: invoice.product.to_string(),
            license_id: invoice.license.map(|license| license.to_string()),
            period_start: invoice.period.0.ms(),
            period_end: invoice.period.1.ms(),
            total_minor: invoice.total.minor(),
            currency: invoice.total.currency().code().to_owned(),
            finalized_at: invoice.finalized_at.ms(),
            due_at: invoice.due_at.ms(),
            paid_at: invoice.paid_at.map(mintreu::Timestamp::ms),
            lines: lines.map(|lines| lines.iter().map(line_out).collect()),
        }
    }
}

fn line_out(line: &InvoiceLine) -> LineOut {
    LineOut {
        kind: line.kind.clone(),
        meter: line.meter.clone(),
        quantity: line.quantity,
        free_units: line.free_units,
        unit_price_nanos: line.unit_price_nanos,
        amount_minor: line.amount.minor(),
        tariff: line.tariff.clone(),
        explanation: line.explanation.clone(),
    }
}

/// Which invoices.
#[derive(Debug, Deserialize, IntoParams)]
pub struct InvoicesIn {
    /// `customer` (what one owes, the default) or `seller` (what one earns by).
    #[serde(rename = "as", default)]
    role: RoleIn,
    /// `next` of the page before.
    after: Option<String>,
    /// 1 to 100.
    #[serde(default = "usual_page")]
    limit: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoleIn {
    #[default]
    Customer,
    Seller,
}

fn usual_page() -> i64 {
    20
}

/// A page of invoices, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoicesOut {
    invoices: Vec<InvoiceOut>,
    /// Pass as `after` to go on; absent at the end.
    next: Option<String>,
}

/// List one's own invoices.
#[utoipa::path(get, path = "/v1/invoices", tag = "invoices", params(InvoicesIn),
    responses((status = 200, body = InvoicesOut), (status = 401)))]
async fn get_invoices(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(asked): Query<InvoicesIn>,
) -> Result<Json<InvoicesOut>, Problem> {
    if visitor.caller.account.is_none() {
        return Err(Problem::new(
            401,
            "sign_in_required",
            "Please sign in first.",
        ));
    }
    let before = asked.after.as_deref().map(InvoiceId::parse).transpose()?;
    let query = ListInvoices {
        as_seller: asked.role == RoleIn::Seller,
        before,
        limit: asked.limit,
    };
    let page = app.read(&visitor.caller, query, list).await?;
    let invoices = page.invoices.iter();
    Ok(Json(InvoicesOut {
        invoices: invoices
            .map(|invoice| InvoiceOut::of(invoice, None))
            .collect(),
        next: page.next.map(|next| next.to_string()),
    }))
}

/// Read one invoice with its lines.
#[utoipa::path(get, path = "/v1/invoices/{id}", tag = "invoices",
    params(("id" = String, Path, description = "inv_…")),
    responses((status = 200, body = InvoiceOut), (status = 404)))]
async fn get_invoice(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<InvoiceId>,
) -> Result<Json<InvoiceOut>, Problem> {
    let query = InvoiceQuery { id };
    let (invoice, lines) = app.read(&visitor.caller, query, invoice).await?;
    Ok(Json(InvoiceOut::of(&invoice, Some(&lines))))
}
