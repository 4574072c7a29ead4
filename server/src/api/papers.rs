//! Invoices and credit notes as PDF: the same files as the pages offer, in the caller's language.
//!
//! They lie here, since what is printed is put into words by the pages.

use crate::app::App;
use crate::domains::fulfilment::http::TokenQuery;
use crate::domains::fulfilment::{ViewCredit, ViewInvoice, credit_paper, invoice_paper};
use crate::problem::Problem;
use crate::text::Locale;
use crate::web::page::Page;
use crate::web::papers::files::printed;
use crate::web::papers::sheets::{credit_sheet, invoice_sheet};
use crate::wire::{PathParam, Query, Visitor, languages};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use mintreu::id::{CreditNoteId, InvoiceId};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(invoice_pdf))
        .routes(routes!(credit_note_pdf))
}

/// A sheet's frame in the language that `Accept-Language` asks for.
fn frame(headers: &HeaderMap) -> Page {
    Page::new(Locale::negotiate(languages(headers)), "invoice")
}

/// An invoice as PDF, in the language of `Accept-Language`. A seller's names the own lines and no
/// buyer.
#[utoipa::path(get, path = "/v1/invoices/{id}/pdf", tag = "invoices",
    params(("id" = String, Path, description = "inv_…"), TokenQuery),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"), (status = 404)))]
async fn invoice_pdf(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(invoice): PathParam<InvoiceId>,
    Query(query): Query<TokenQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = ViewInvoice {
        invoice,
        token: query.token,
    };
    let found = app.read(&visitor.caller, query, invoice_paper).await?;
    let name = found.invoice.number_text();
    let sheet = move |page: &Page| invoice_sheet(page, &found);
    printed(frame(&headers), sheet, name).await
}

/// A credit note, or the correction of one, as PDF, in the language of `Accept-Language`.
#[utoipa::path(get, path = "/v1/credit-notes/{id}/pdf", tag = "invoices",
    params(("id" = String, Path, description = "crn_…"), TokenQuery),
    responses((status = 200, body = Vec<u8>, content_type = "application/pdf"), (status = 404)))]
async fn credit_note_pdf(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    PathParam(credit): PathParam<CreditNoteId>,
    Query(query): Query<TokenQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let query = ViewCredit {
        credit,
        token: query.token,
    };
    let found = app.read(&visitor.caller, query, credit_paper).await?;
    let name = found.view.note.number_text();
    let sheet = move |page: &Page| credit_sheet(page, &found);
    printed(frame(&headers), sheet, name).await
}
