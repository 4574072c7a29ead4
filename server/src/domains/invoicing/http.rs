//! Routes of invoices.

use super::credits::{CreditLine, CreditQuery, CreditView, credit_note, credits_of};
use super::model::{Invoice, InvoiceError, InvoiceLine, Sold, TaxSnapshot};
use super::ops::{InvoiceQuery, ListInvoices, invoice, list, usage_tax};
use crate::app::{App, ReadCx};
use crate::problem::Problem;
use crate::wire::{PathParam, Query, Visitor};
use axum::Json;
use axum::extract::State;
use mintreu::id::{CreditNoteId, InvoiceId};
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
        .routes(routes!(get_credit_note))
}

impl From<InvoiceError> for Problem {
    fn from(error: InvoiceError) -> Self {
        use InvoiceError as E;
        let detail = error.to_string();
        match error {
            E::NotFound => Self::not_found(detail),
            E::Empty => Self::new(422, "invoice_empty", detail),
            E::AlreadyPaid => Self::new(409, "invoice_paid", detail),
            E::Void => Self::new(409, "invoice_void", detail),
            E::Complete => Self::new(409, "invoice_complete", detail),
            E::Detail(_) => Self::new(422, "invoice_details", detail),
            E::DoesNotAddUp { .. } | E::OverCredited { .. } => {
                tracing::error!(error = detail, "a paper contradicts the books");
                Self::internal()
            }
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
    /// The tax in an invoice of usage; only in the answer about one invoice. What was sold says its
    /// own.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxOut>,
    /// Only in the answer about one invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<LineOut>>,
    /// What was credited and corrected since, oldest first; only in the answer about one invoice.
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_notes: Option<Vec<CreditNoteOut>>,
}

/// One line; lines add up to the invoice's total.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvoiceLineOut)]
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
    /// What it repeats of an order's line, when it bills one.
    #[serde(skip_serializing_if = "Option::is_none")]
    sold: Option<SoldOut>,
}

/// A line of an order as it was sold. Gross less discount, with the tax unless the price held it, is
/// the line's amount.
#[derive(Debug, Serialize, ToSchema)]
pub struct SoldOut {
    order_line_id: String,
    product_id: String,
    title: String,
    gross_minor: i64,
    discount_minor: i64,
    tax: TaxOut,
}

/// The tax of a line as it was at the sale.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaxOut {
    amount_minor: i64,
    /// The rate in basis points.
    rate_bps: u32,
    /// Whose tax; empty where none applies.
    jurisdiction: String,
    /// Whether the price held the tax already.
    inclusive: bool,
    /// Why this rate, zero too.
    reason: String,
}

/// A credit note, or the correction that takes one back.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditNoteOut {
    credit_note_id: String,
    number: String,
    /// `credit_note`, or `correction`: its money came back after all.
    kind: &'static str,
    invoice_id: String,
    /// The number of the invoice.
    invoice_number: String,
    /// The number of the credit note that a correction takes back.
    corrects: Option<String>,
    /// A refund's reason, or `chargeback`.
    reason: String,
    note: String,
    total_minor: i64,
    currency: String,
    issued_at: i64,
    lines: Vec<CreditLineOut>,
}

/// What goes back of one line of the invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreditLineOut {
    /// Which line of the invoice, counted from 1; 0 is its sum.
    line: i64,
    title: Option<String>,
    /// Tax included.
    amount_minor: i64,
    /// The tax of it.
    tax_minor: i64,
}

impl CreditNoteOut {
    /// As callers see it.
    pub fn of(view: &CreditView) -> Self {
        let note = &view.note;
        let line = |(line, sold): &(CreditLine, Option<Sold>)| CreditLineOut {
            line: line.invoice_position,
            title: sold.as_ref().map(|sold| sold.title.clone()),
            amount_minor: line.amount.minor(),
            tax_minor: line.tax.minor(),
        };
        Self {
            credit_note_id: note.id.to_string(),
            number: note.number_text(),
            kind: note.kind.name(),
            invoice_id: note.invoice.to_string(),
            invoice_number: view.invoice.number_text(),
            corrects: view.corrects.clone(),
            reason: note.reason.clone(),
            note: note.note.clone(),
            total_minor: note.total.minor(),
            currency: note.total.currency().code().to_owned(),
            issued_at: note.issued_at.ms(),
            lines: view.lines.iter().map(line).collect(),
        }
    }
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
            tax: None,
            credit_notes: None,
        }
    }

    /// With the tax of an invoice of usage.
    #[must_use]
    pub fn with_tax(mut self, tax: Option<&TaxSnapshot>) -> Self {
        self.tax = tax.map(tax_out);
        self
    }

    /// With what was credited since.
    #[must_use]
    pub fn with_credits(mut self, credits: &[CreditView]) -> Self {
        self.credit_notes = Some(credits.iter().map(CreditNoteOut::of).collect());
        self
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
        sold: line.sold.as_ref().map(sold_out),
    }
}

fn sold_out(sold: &Sold) -> SoldOut {
    SoldOut {
        order_line_id: sold.line.to_string(),
        product_id: sold.product.to_string(),
        title: sold.title.clone(),
        gross_minor: sold.gross.minor(),
        discount_minor: sold.discount.minor(),
        tax: tax_out(&sold.tax),
    }
}

fn tax_out(tax: &TaxSnapshot) -> TaxOut {
    TaxOut {
        amount_minor: tax.amount.minor(),
        rate_bps: tax.bps,
        jurisdiction: tax.jurisdiction.clone(),
        inclusive: tax.inclusive,
        reason: tax.reason.clone(),
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

/// Read one invoice with its lines and credit notes. A seller is answered the own lines, and what
/// they come to as the total.
#[utoipa::path(get, path = "/v1/invoices/{id}", tag = "invoices",
    params(("id" = String, Path, description = "inv_…")),
    responses((status = 200, body = InvoiceOut), (status = 404)))]
async fn get_invoice(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<InvoiceId>,
) -> Result<Json<InvoiceOut>, Problem> {
    let read = |cx: &mut ReadCx<'_>, query: &InvoiceQuery| {
        let (invoice, lines) = invoice(cx, query)?;
        let credits = credits_of(cx, &invoice, &lines)?;
        let tax = usage_tax(cx.tx, cx.caller.tenant, invoice.id)?;
        Ok::<_, InvoiceError>((invoice, lines, credits, tax))
    };
    let found = app.read(&visitor.caller, InvoiceQuery { id }, read).await?;
    let (invoice, lines, credits, tax) = found;
    let out = InvoiceOut::of(&invoice, Some(&lines)).with_tax(tax.as_ref());
    Ok(Json(out.with_credits(&credits)))
}

/// Read one credit note with its lines.
#[utoipa::path(get, path = "/v1/credit-notes/{id}", tag = "invoices",
    params(("id" = String, Path, description = "crn_…")),
    responses((status = 200, body = CreditNoteOut), (status = 404)))]
async fn get_credit_note(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(id): PathParam<CreditNoteId>,
) -> Result<Json<CreditNoteOut>, Problem> {
    let view = app
        .read(&visitor.caller, CreditQuery { id }, credit_note)
        .await?;
    Ok(Json(CreditNoteOut::of(&view)))
}
